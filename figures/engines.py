"""What does it cost to run cells on an engine and to keep them in a ledger, and how well do two workers share them?

Question: a sweep is hours of independent cells. Of a cell's time, how much is added by handing it to threads, processes
or a Dask cluster and by making its value durable, and how close do two workers come to half the time of one?

Compute: cells that do a fixed amount of work (Kuramoto oscillators, so many steps) of 5 to 200 ms, with a ledger.
Workers say how long their cells took; what else there is of their time is what engine and ledger add. It is measured
within one run, so that a machine whose speed drifts does not matter. What a run takes once is taken off, as the time of
a run of few cells: the start of `verify`, some tenths of a second. A second measure takes in what engine and cells do
to each other on the same cores: plain loops over the same cells without chaosnum's runner, in as many processes at the
same time, in turn with the engine; it is as noisy as the machine.

Draw: what is added to the time of the cells, in percent, against the time of a cell; and how much faster two workers
are than one. Below three percent from 50 ms on, and at least 1.8 times, is what is asked of them.

    python figures/engines.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

import chaosnum as cn
from chaosnum import engines
from chaosnum.kuramoto import Kuramoto
from chaosnum.particles import Scheme, simulate
from chaosnum.sweep import Observer

MILLISECONDS = (5, 20, 50, 200)
NAMES = {"threads": "threads", "processes": "processes (loky)", "dask": "local Dask cluster"}
ROUNDS = {"quick": 3, "standard": 7, "full": 15}
SECONDS = 4.0  # of work in a round
N = 40_000  # oscillators: the kernel of a step takes half a millisecond
FEW = 12  # cells


def measure(steps, *, seed):
    """A cell: some oscillators for so many steps."""
    run = simulate(Kuramoto(), N, Scheme(1.5, T=1.0, eta=1.0 / steps), seed=seed, threads=1)
    return 1.0 + abs(run.average[-1, 0, 0])


def loop(steps, seeds):
    """The same without a runner -> seconds."""
    begun = perf_counter()
    for seed in seeds:
        measure(steps, seed=seed)
    return perf_counter() - begun


@contextmanager
def loops(workers):
    """A function of seeds that runs them in plain loops, one in each of so many processes -> seconds."""
    with engines.processes(workers) as pool:

        def run(steps, seeds):
            begun = perf_counter()
            for future in [pool.submit(loop, steps, seeds[k::workers]) for k in range(workers)]:
                future.result()
            return perf_counter() - begun

        run(10, range(2 * workers))  # they import and compile
        yield run


@contextmanager
def engine(name, workers):
    """An executor by its name; None: the threads of `verify`."""
    made = {"processes": engines.processes, "dask": lambda n: engines.dask(engines.LOCAL, n)}
    if name == "threads":
        yield None
    else:
        with made[name](workers) as pool:
            yield pool


class Inside(Observer):
    """The seconds that workers spent in cells."""

    seconds = 0.0

    def timed(self, index, j, cells, seconds):
        self.seconds += seconds


def sweep(steps, cells, pool, workers, seed, ledger):
    """`verify` on cells of so many steps, kept in a ledger -> seconds, and those that workers spent in cells."""
    scales = (steps, steps + 1, steps + 2)
    claim = cn.Claim("T", "", "", measure=measure, predicts=cn.ExplicitBound(lambda n: 10.0), scales=scales,
                     replicas=cells // len(scales))  # fmt: skip
    begun = perf_counter()
    inside = Inside()
    cn.verify(claim, executor=pool, threads=workers, seed=seed, ledger=ledger, observer=inside)
    return perf_counter() - begun, inside.seconds


def calibrated(milliseconds):
    """Steps of a cell that takes so long on this machine."""
    loop(100, range(3))
    return max(10, round(1000 * milliseconds / 1000.0 / (loop(1000, range(3)) / 3)))


def compute(budget="standard", seed=1, milliseconds=MILLISECONDS, rounds=None, seconds=SECONDS, names=tuple(NAMES)):
    """A row for each engine, number of workers, length of a cell and round -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    milliseconds : sequence of float, of a cell
    rounds : int, optional
    seconds : float, of work in a round
    names : sequence of str, keys of NAMES
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            for name in names:
                with engine(name, workers) as pool, loops(workers) as plain:
                    sweep(10, 12, pool, workers, seed, Path(folder) / "first")  # workers import and compile
                    for ms in milliseconds:
                        steps = calibrated(ms)
                        cells = FEW + 6 * max(2, round(1000 * seconds / ms / 6))
                        for k in range(rounds or ROUNDS[budget]):
                            at = seed + 1000 * k
                            file = Path(folder) / f"{name}-{workers}-{ms}-{k}"
                            row = {"engine": name, "workers": workers, "milliseconds": ms, "cells": cells}
                            for count, tail in ((FEW, "_few"), (cells, "")):
                                row[f"plain{tail}"] = plain(steps, range(at, at + count))
                                took = sweep(steps, count, pool, workers, at, f"{file}{tail}")
                                row[f"seconds{tail}"], row[f"inside{tail}"] = took
                            rows.append(row)
    return rows


def took(rows, name, workers, ms, what):
    """Median seconds of the cells alone: what a run of few cells takes is taken off."""
    own = [r for r in rows if (r["engine"], r["workers"], r["milliseconds"]) == (name, workers, ms)]
    return float(np.median([r[what] - r[f"{what}_few"] for r in own]))


def overhead(rows, name, workers, ms):
    """Share that the engine and the ledger add to the time of the cells: the median over rounds."""
    own = [r for r in rows if (r["engine"], r["workers"], r["milliseconds"]) == (name, workers, ms)]
    return float(np.median([workers * (r["seconds"] - r["seconds_few"]) / (r["inside"] - r["inside_few"]) - 1
                            for r in own]))  # fmt: skip


def beside_loops(rows, name, workers, ms):
    """Share by which it takes longer than plain loops."""
    return took(rows, name, workers, ms, "seconds") / took(rows, name, workers, ms, "plain") - 1


def scaling(rows, name, ms):
    """How many times as fast two workers are as one."""
    return took(rows, name, 1, ms, "seconds") / took(rows, name, 2, ms, "seconds")


def table(rows):
    """Lines: engine, length of a cell, what is added with one and with two workers, the same beside loops, scaling."""
    yield "                               added            beside plain loops"
    yield "engine                cell   1 worker   2 workers   1 worker   2 workers   2 against 1"
    for name in dict.fromkeys(r["engine"] for r in rows):
        for ms in sorted({r["milliseconds"] for r in rows}):
            shares = [100 * of(rows, name, workers, ms) for of in (overhead, beside_loops) for workers in (1, 2)]
            shown = "".join(f"{share:+{width}.1f} %" for share, width in zip(shares, (8, 10, 9, 10)))
            yield f"{NAMES[name]:<19} {ms:3g} ms {shown} {scaling(rows, name, ms):10.2f}x"


def draw(rows):
    """Overhead beside scaling -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    colours = dict(zip(NAMES, sns.color_palette("colorblind")))
    cells = sorted({r["milliseconds"] for r in rows})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
    for name, marker in zip(dict.fromkeys(r["engine"] for r in rows), "osD"):
        for workers, line in ((1, "-"), (2, "--")):
            shares = [100 * overhead(rows, name, workers, ms) for ms in cells]
            label = f"{NAMES[name]}, {workers} worker{'s' if workers > 1 else ''}"
            left.plot(cells, shares, line, marker=marker, ms=4, color=colours[name], label=label)
        right.plot(cells, [scaling(rows, name, ms) for ms in cells], "-", marker=marker, ms=4, color=colours[name])
    left.axhline(3.0, color="0.3", lw=1)
    right.axhline(1.8, color="0.3", lw=1)
    left.set(ylabel="added by engine and ledger, %", title="of the time of the cells")
    right.set(ylabel="times as fast", title="two workers against one", ylim=(0.9, 2.1))
    for ax in (left, right):
        ax.set(xscale="log", xlabel="time of a cell, ms")
        ax.set_xticks(cells, [f"{ms:g}" for ms in cells])
        ax.minorticks_off()
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    given = cn.figurescript.options(__doc__, ROUNDS, argv)
    rows = compute(given.budget, given.seed)
    print("\n".join(table(rows)))
    write(rows, given.out / "engines")


if __name__ == "__main__":
    main()
