"""This machine's speed against the peers that are installed, as ratios from one run.

Every peer is timed alternately with chaosnum (``race.py``) on the same number of threads; "24x" reads: 24 times
the peer's speed. Everything is float64, alpha = 1.5, but for SGD on data. What the peers do is in ``peers.py`` and
``peers_optional.py``; what is not installed is shown as such. The part of SGD is in ``bench_sgd.py``, the instruments'
in ``bench_instruments.py``. Memory, starts and the processor's limit come from ``footprint.py``.

How far we are from the limit: a draw holds `MULTIPLIES` multiplications and fused multiply-adds of floating-point
numbers (counted in the compiled loops of ``stable.draw_block``; additions, three divisions and the integer
arithmetic of Philox come on top), a step of bed N three matrix products of m p n multiply-adds.
"""

import json as json_format
import platform
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import chaosnum
from chaosnum import blas, footprint, particles, peers, peers_optional, stable
from chaosnum.kuramoto import Kuramoto
from chaosnum.network import Network
from chaosnum.race import Peer, race, tell
from chaosnum.threads import cores

ALPHA = 1.5
MULTIPLIES = 73
LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "torch", "jax", "POT", "powerlaw", "tailestim")
VECTORS = ("avx2", "fma", "avx512f", "neon", "sve")


@dataclass(frozen=True)
class Effort:
    """Sizes, and how often and how long each is timed."""

    rounds: int = 7
    seconds: float = 0.25
    draws: int = 2**20
    kuramoto: int = 10**6
    network: int = 10**4
    sgd: int = 2000
    data: int = 1000
    memory: int = 10**7
    law: int = 1000
    pair: tuple = (10**4, 10**6)
    sliced: int = 10**5
    tails: tuple = (3000, 10**5)
    starts: bool = True


QUICK = Effort(
    rounds=3, seconds=0.05, draws=2**18, kuramoto=10**5, network=2000, memory=10**6,
    law=100, pair=(10**4, 10**5), sliced=10**4, tails=(1000,), starts=False,
)  # fmt: skip


def main(json=False, quick=False):
    """Measure, and print the table or one JSON object -> exit status 0."""
    result = measure(QUICK if quick else Effort())
    if json:
        print(json_format.dumps(result, allow_nan=False))
    else:
        show(result)
    return 0


def measure(effort=None):
    """Everything that `chaosnum bench` shows.

    Parameters
    ----------
    effort : Effort, optional

    Returns
    -------
    dict
        version, alpha, seconds, machine; sections (title, unit, threads, rows as from `race`, each with target and
        whether it is met); figures (name, value, unit, detail, target, met).
    """
    effort, begun = effort or Effort(), time.perf_counter()
    found, some = machine(), sorted({1, min(2, cores())})
    sections = [_draws(effort, 150.0 if "avx512f" in found["vectors"] else None)]
    sections += [_kuramoto(effort, threads) for threads in some]
    sections += [_network(effort, threads) for threads in some]
    figures = [*_limits(effort, sections, some), *_costs(effort, some[-1])]
    from chaosnum import bench_instruments, bench_sgd  # which import from here

    for part in (bench_sgd, bench_instruments):
        sections += part.sections(effort)
        figures += part.figures(effort)
    return {
        "version": chaosnum.__version__, "alpha": ALPHA, "seconds": round(time.perf_counter() - begun, 1),
        "machine": found, "sections": sections, "figures": figures,
    }  # fmt: skip


def machine():
    """Processor, vector instructions as LLVM sees them, cores and versions; nothing that names a host or a user."""
    import llvmlite.binding as llvm

    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = None
    features = llvm.get_host_cpu_features()
    return {
        "processor": _processor(), "llvm": llvm.get_host_cpu_name(), "cores": cores(), "system": platform.system(),
        "vectors": [name for name in VECTORS if features.get(name)], "blas": blas.description(), "versions": versions,
    }  # fmt: skip


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def section(title, unit, threads, rows, convert, targets):
    """Rows in the unit that is shown, with targets: a peer's is the ratio to it, ours a rate."""
    for row in rows:
        if row["median"] is not None:
            low, high = sorted((convert(row["low"]), convert(row["high"])))
            row |= {"median": convert(row["median"]), "low": low, "high": high}
        row["target"] = targets.get(row["name"])
        reached = row["ratio"]["median"] if row["ratio"] else row["median"]
        row["met"] = None if None in (row["target"], reached) else reached >= row["target"]
    return {"title": title, "unit": unit, "threads": threads, "rows": rows}


def race_with(effort, title, ours, others, work, arguments):
    others = {name: partial(make, *arguments) for name, make in others.items()}
    return race(ours, others, work, rounds=effort.rounds, seconds=effort.seconds, title=title)


def _draws(effort, aim):
    n, title = effort.draws, "stable draws into a new array"
    others = {
        "SciPy levy_stable.rvs": peers.scipy_draws, "NumPy, textbook": peers.textbook_draws,
        "NumPy, best form": peers.numpy_draws, "Numba, np.random": peers.numba_draws,
        "PyTorch": peers_optional.torch_draws, "torch.compile": partial(peers_optional.torch_draws, compiled=True),
        "jax.jit": peers_optional.jax_draws,
    }  # fmt: skip
    rows = race_with(effort, title, lambda: Peer(lambda: stable.rvs(ALPHA, n, seed=1)), others, n, (ALPHA, n))
    targets = {"SciPy levy_stable.rvs": 14.0, "NumPy, textbook": 6.0, "NumPy, best form": 2.5, "chaosnum": aim}
    return section(title, "M samples/s", 1, rows, lambda rate: rate / 1e6, targets)


def _kuramoto(effort, threads):
    n, title = effort.kuramoto, f"bed K, step with noise, n = {power_of_ten(effort.kuramoto)}"
    others = {
        "NumPy, in place": peers.numpy_kuramoto, "PyTorch": peers_optional.torch_kuramoto,
        "torch.compile": partial(peers_optional.torch_kuramoto, compiled=True),
        "jax.jit": peers_optional.jax_kuramoto,
    }  # fmt: skip
    rows = race_with(effort, title, lambda: our_steps(Kuramoto(), n, threads), others, n, (ALPHA, n, threads))
    targets = {"chaosnum": 150.0} if threads == 2 else {}
    return section(title, "M particle-steps/s", threads, rows, lambda rate: rate / 1e6, targets)


def _network(effort, threads):
    n, bed = effort.network, network_bed(effort.data)
    title = f"bed N, step with noise, n = {power_of_ten(n)}, p = {bed.p}, {bed.m} data points"
    others = {
        "NumPy, in place": peers.numpy_network, "PyTorch": peers_optional.torch_network,
        "torch.compile": partial(peers_optional.torch_network, compiled=True), "jax.jit": peers_optional.jax_network,
    }  # fmt: skip
    rows = race_with(effort, title, lambda: our_steps(bed, n, threads), others, 1, (ALPHA, bed.X, bed.y, n, threads))
    return section(title, "ms", threads, rows, lambda rate: 1e3 / rate, {})


def network_bed(points):
    """Bed N with p = 64 on random inputs, which take as long as any."""
    rng = np.random.default_rng(1)
    return Network(rng.standard_normal((points, 63)), rng.permutation(points) % 2)


def our_steps(bed, n, threads, dtype="float64"):
    """Euler steps with noise, as `particles.simulate` does them -> Peer."""
    scheme = particles.Scheme(ALPHA, sigma=peers.SIGMA, eta=peers.ETA)
    system = particles.start(bed, n, 1, 1, 0, threads, dtype=np.dtype(dtype))
    path, step = scheme.path(bed.p, n, seed=1, threads=threads), [0]

    def run():
        system.step(path, step[0], scheme.eta)
        step[0] += 1

    return Peer(run, state=lambda: system.theta)


def _limits(effort, sections, some):
    """The processor's multiply-adds, and our share of them."""
    tell("the processor's limit")
    timing = {"rounds": effort.rounds, "seconds": effort.seconds}
    peak = {threads: footprint.multiply_adds(threads, **timing) for threads in some}
    for threads, rate in peak.items():
        yield figure("multiply-adds", rate / 1e9, "G/s", f"float64, the most that {threads_words(threads)} can do")
    draws = sections[0]["rows"][0]["median"] * 1e6
    yield figure("draws", 100 * MULTIPLIES * draws / peak[1], "%", f"of that, by the {MULTIPLIES} in a draw, 1 thread")
    for section in sections:
        if section["unit"] == "ms":
            products = 3 * effort.data * 64 * effort.network / (section["rows"][0]["median"] / 1e3)
            share = 100 * products / peak[section["threads"]]
            yield figure("bed N", share, "%", f"of that, by its matrix products, {threads_words(section['threads'])}")


def _costs(effort, threads):
    """Memory and starts."""
    tell("memory")
    name, found = f"bed K, n = {power_of_ten(effort.memory)}", footprint.memory(effort.memory, 10, threads)
    if found["bytes"] is not None:
        yield figure(name, found["bytes"] / 1e9, "GB", "highest memory of the whole process", target=1.5)
    yield figure(name, found["seconds"] / effort.memory * 1e9, "ns", f"a particle-step, {threads_words(threads)}")
    yield figure("import chaosnum", footprint.import_seconds(), "s", "a process that does nothing else")
    if effort.starts:
        tell("the start of a process")
        for found, state in zip(footprint.starts(), ("with nothing compiled yet", "with compiled kernels")):
            yield figure("first draws", found["draws"], "s", f"from the start of a process {state}")
            yield figure("and beds K and N", found["steps"], "s", f"from the start of a process {state}")


def figure(name, value, unit, detail, target=None):
    met = None if target is None else value <= target
    return {"name": name, "value": value, "unit": unit, "detail": detail, "target": target, "met": met}


def show(result, *, stream=None):
    """Print a result of `measure`: coloured on a terminal, plain lines elsewhere."""
    from rich.console import Console

    console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)
    found = result["machine"]
    vectors = ", ".join(found["vectors"]) or "no vector instructions known"
    console.print(f"{found['processor']} ({found['llvm']}; {vectors}), {found['cores']} cores, {found['system']}")
    versions = [f"{name} {number}" for name, number in found["versions"].items() if number]
    console.print(", ".join([*versions, found["blas"]]), style="dim")
    console.print("median (lowest - highest); 2.0x: chaosnum has twice the peer's speed", style="dim")
    for section in result["sections"]:
        title = f"{section['title']}, {threads_words(section['threads'])}: {section['unit']}"
        _print_block(console, title, [(_cells(row), row["met"]) for row in section["rows"]])
    figures = [((f["name"], f"{_number(f['value'])} {f['unit']}", f["detail"], _aim(f, "at most")), f["met"])
               for f in result["figures"]]  # fmt: skip
    _print_block(console, "single figures", figures)
    console.print(f"\nmeasured in {result['seconds']:.0f} s", style="dim")


def _print_block(console, title, rows):
    from rich.text import Text

    console.print(f"\n{title}", style="bold")
    widths = [max(len(cells[i]) for cells, _ in rows) for i in range(4)]
    for cells, met in rows:
        line = Text(("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths))).rstrip())
        if met is not None:
            line.stylize("green" if met else "yellow", len(line) - len(cells[-1]))
        console.print(line)


def _cells(row):
    name = f"{row['name']} ({row['detail']})" if row["detail"] else row["name"]
    if row["median"] is None:
        return name, row["status"], "", ""
    rate = f"{_number(row['median'])} ({_number(row['low'])} - {_number(row['high'])})"
    if not row["ratio"]:
        return name, rate, "", _aim(row, "at least")
    low, middle, high = (f"{row['ratio'][which]:.1f}" for which in ("low", "median", "high"))
    return name, rate, f"{middle}x ({low} - {high})", _aim(row, "at least", "x")


def _aim(item, words, unit=""):
    if item["target"] is None:
        return ""
    return f"aim {words} {item['target']:g}{unit}: {'reached' if item['met'] else 'missed'}"


def _number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def power_of_ten(n):
    return f"1e{len(str(n)) - 1}" if n == 10 ** (len(str(n)) - 1) else str(n)


def threads_words(number):
    return "1 thread" if number == 1 else f"{number} threads"
