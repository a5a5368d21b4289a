"""What a cell of each claim takes, as it was measured on some machine: where the estimate of a run's time begins.

``cellcosts.csv`` has a line for each claim and scale of the quick budget, with the seconds of a cell on one thread.
Another machine is faster or slower; :mod:`chaosnum.timeleft` finds out by how much while a run goes on, and what a cell
takes there counts for more as soon as it is known. A claim that is not in the table, one of the user's say, is of
unknown cost until its first cells are done. No result depends on the table.

Measure it again, in minutes, with ``python -m chaosnum.cellcosts`` when claims are added or kernels change.
"""

import csv
from pathlib import Path

PATH = Path(__file__).with_name("cellcosts.csv")
_COLUMNS = ("claim", "name", "model", "scale", "seconds")


def read(path=PATH):
    """The table -> {(claim's id, name, model): {scale: seconds of a cell}}; empty if there is none."""
    found = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                claim = found.setdefault((row["claim"], row["name"], row["model"]), {})
                claim[float(row["scale"])] = float(row["seconds"])
    except (OSError, ValueError, KeyError):  # a run must not fail for want of a guess
        return {}
    return found


def write(costs, path=PATH):
    """Write a table in the form that :func:`read` returns."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(_COLUMNS)
        for claim, seconds in costs.items():
            lines.writerows([*claim, f"{scale:.12g}", f"{cost:.2g}"] for scale, cost in seconds.items())


def measure(claims, **options):
    """Run claims and time their cells; the options are those of :func:`chaosnum.sweep.verify`.

    The first chunks of a scale, which may have compiled a kernel, count only where there are no others.

    Returns
    -------
    dict, as :func:`read` returns
    """
    from chaosnum.sweep import Observer, plan, verify
    from chaosnum.threads import count
    from chaosnum.timeleft import Cost

    cases = plan(claims, options.get("budget", "quick"))
    chunks = {}

    class Timer(Observer):
        def timed(self, index, j, cells, seconds):
            chunks.setdefault((index, j), Cost(count(options.get("threads")))).add(cells, seconds)

    verify(claims, observer=Timer(), **options)
    found = {}
    for (index, j), cost in sorted(chunks.items(), key=lambda item: item[0]):
        claim = cases[index].claim
        seconds = found.setdefault((claim.id, claim.name, claim.model), {})
        seconds.setdefault(float(cases[index].scales[j]), []).append(cost.value())
    return {claim: {scale: sum(seen) / len(seen) for scale, seen in sorted(seconds.items())}
            for claim, seconds in found.items()}  # fmt: skip


if __name__ == "__main__":
    from chaosnum import registry

    write(measure(registry.claims()))
    print(f"written: {PATH.name}")
