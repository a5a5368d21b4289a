"""Can the verdicts be trusted? Every claim and every negative control, over 20 seeds at standard budget.

Question: over 20 master seeds, does any true claim come out `violated`, and does any control escape? How far do the
measured exponents scatter, and are their 95% intervals as wide as that scatter says they should be?

Compute: a few minutes a seed and core, seeds side by side in processes. Each finished seed is a file, so an interrupted
study goes on where it was. Draw: exponent less claimed exponent for each verdict, claims beside controls; and the
counts, as CSV.

    python figures/calibration.py [ID ...] [--seeds 20] [--budget standard] [--out runs/calibration]
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path


def one_seed(seed, budget, path, ids=()):
    """Verdicts of the claims (default: all) and their controls, on one thread, written to `path` when all are there."""
    import chaosnum as cn

    claims = cn.claim.find(ids)
    verdicts = cn.verify(claims, budget=budget, seed=seed, threads=1)
    verdicts += cn.verify([c for c in claims if c.controls], budget=budget, seed=seed, control="all", threads=1)
    written = path.with_suffix(".part")
    written.write_text(json.dumps([v.as_dict() for v in verdicts]))
    written.replace(path)
    return (f"seed {seed}: {dict(Counter(v.verdict for v in verdicts if v.control is None))} of the claims, "
            f"{dict(Counter(v.verdict for v in verdicts if v.control))} of the controls")  # fmt: skip


def compute(seeds, budget, out, ids=(), processes=None):
    """Verdicts of installed claims and their controls -> list of dict, in the JSON form, each with its master seed.

    Parameters
    ----------
    seeds : iterable of int
    budget : {"quick", "standard", "full"}
    out : Path, one file a seed
    ids : sequence of str, optional
        Claims by id or name; by default all of them.
    processes : int, optional, by default one a core
    """
    from chaosnum.threads import cores

    out.mkdir(parents=True, exist_ok=True)
    chosen = "-".join(["", *ids])
    paths = {seed: out / f"{budget}{chosen}-{seed}.json" for seed in seeds}
    with ProcessPoolExecutor(processes or cores()) as pool:
        running = [pool.submit(one_seed, seed, budget, path, ids) for seed, path in paths.items() if not path.exists()]
        for future in as_completed(running):
            print(future.result(), flush=True)
    return [{"seed": seed, **v} for seed, path in paths.items() for v in json.loads(path.read_text())]


def counts(verdicts):
    """Rows (claim, model, statistic, control, parameters, how often each verdict; exponents' mean, sd, half width)."""
    import numpy as np

    groups = defaultdict(list)
    for v in verdicts:
        params = ", ".join(f"{name} = {value}" for name, value in v["params"].items())
        groups[v["claim"], v["name"], v["model"], v["statistic"], v["control"] or "", params].append(v)
    for key, group in groups.items():
        tally = Counter(v["verdict"] for v in group)
        rates = [v["measured"] for v in group if v["measured"]["exponent"] is not None]
        exponents = np.array([m["exponent"] for m in rates])
        widths = np.array([m["ci"][1] - m["ci"][0] for m in rates])
        spread = (exponents.mean(), exponents.std(ddof=1), widths.mean() / 2) if len(rates) > 1 else ("", "", "")
        yield (*key, tally["holds"], tally["inconclusive"], tally["violated"], *spread)


HEAD = ("claim", "name", "model", "statistic", "control", "parameters", "holds", "inconclusive", "violated",
        "mean exponent", "sd of exponents", "mean half width of the 95% interval")  # fmt: skip


def draw(verdicts, path):
    """Exponent less claimed exponent, one dot a seed: claims around zero, controls far away."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    rows = [
        {
            "claim": f"{v['claim']} {v['model']}: {v['statistic']}",
            "excess": v["measured"]["exponent"] - v["claimed"]["exponent"],
            "kind": "control" if v["control"] else "claim",
        }
        for v in verdicts
        if v["measured"]["exponent"] is not None
    ]
    if not rows:
        return
    table = pd.DataFrame(rows)
    # A control is drawn in the row of what it is a control of; those on medians have a row of their own.
    order = sorted(table["claim"].unique())
    sns.set_theme(style="whitegrid", context="paper", palette="colorblind")
    figure, axes = plt.subplots(figsize=(7.2, 0.32 * len(order) + 1.4), layout="constrained")
    sns.stripplot(table, x="excess", y="claim", hue="kind", order=order, dodge=True, size=2.4, jitter=0.25, ax=axes)
    axes.axvline(0.0, color="0.3", linewidth=1)
    axes.set(xlabel="measured exponent less claimed exponent", ylabel="")
    seeds = len({v["seed"] for v in verdicts})
    axes.set_title(f"Exponents over {seeds} seeds, every α: claims and negative controls")
    axes.legend(title="", loc="lower right")
    figure.savefig(path, dpi=200)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("ids", nargs="*", metavar="ID", help="claims by id or name (default: all)")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"))
    options = parser.parse_args()
    verdicts = compute(range(1, options.seeds + 1), options.budget, options.out, options.ids)
    with open(options.out / "calibration.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD)
        writer.writerows(counts(verdicts))
    draw(verdicts, options.out / "calibration.png")
    print(f"{options.out}/calibration.csv; exponents, if any, in calibration.png")


if __name__ == "__main__":
    main()
