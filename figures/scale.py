"""How large a system does one machine hold, how fast, and what would more machines do?

Question: do time and memory of a particle-step stay the same from a thousand particles to a hundred million? What does
float32 save, and does it harm the averages? What would a billion particles on 64 ranks cost?

Compute: steps of bed K with noise in processes of their own, their time and highest memory; averages in float32 against
float64 on the same noise, over independent systems; exchanges between two ranks, and steps on one and two ranks against
the cost model of `chaosnum.cost`, whose constants are those measured here. Nothing else enters its predictions.

Draw: nanoseconds and bytes of a particle against n; the difference that float32 makes to an average, in units of its
statistical error, against alpha, with the derived estimate and the alphas that are refused.

    python figures/scale.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import math
from functools import partial
from statistics import median

import numpy as np
from scipy.optimize import brentq

import chaosnum as cn

DTYPES = ("float64", "float32")
ALPHAS = (0.25, 0.5, 0.75, 1.0, 1.2, 1.5, 1.8, 2.0)
BUDGETS = {  # systems: their number and the particles in each, for float32; ranked: particles on one and two ranks
    "quick": {"sizes": [10**3, 10**4, 10**5], "rounds": 1, "systems": (8, 5000), "ranked": 10**5},
    "standard": {"sizes": [10**k for k in range(3, 8)], "rounds": 3, "systems": (40, 20_000), "ranked": 10**6},
    "full": {"sizes": [10**k for k in range(3, 9)], "rounds": 3, "systems": (40, 50_000), "ranked": 10**7},
}
LONG = 10_000  # numbers that a rank sends in a long exchange
GOALS = ((10**9, 64, "float64"), (10**9, 64, "float32"), (10**9, 60, "float64"))  # particles, ranks


def compute(budget="standard", seed=1, alphas=ALPHAS, **changes):
    """Rows of four kinds: steps, difference (of float32), ranks and prediction -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    alphas : sequence of float
    sizes, rounds, systems, ranked : optional
        In place of the budget's.
    """
    sizes, rounds, systems, ranked = (BUDGETS[budget] | changes).values()
    rows = list(_steps(sizes, rounds)) + [_difference(alpha, *systems, seed) for alpha in alphas]
    return rows + (list(_ranks(rows, ranked, rounds)) if cn.cost.launcher() else [])


def _row(kind, **values):
    names = ("dtype", "n", "ranks", "alpha", "value", "low", "high", "expected", "bytes", "note")
    return {"kind": kind} | {name: values.get(name, "") for name in names}


def _steps(sizes, rounds):
    """Seconds of a step and memory, each measured in turn with the others."""
    found = {}
    for _ in range(rounds):
        for n in sizes:
            for dtype in DTYPES:
                took = cn.footprint.memory(n, int(min(2000, max(3, 3e7 // n))), 1, dtype)
                found.setdefault((n, dtype), []).append(took)
    for (n, dtype), some in found.items():
        seconds = [took["seconds"] for took in some]
        yield _row("step", dtype=dtype, n=n, value=median(seconds) / n, low=min(seconds) / n, high=max(seconds) / n,
                   bytes=median(took["bytes"] for took in some), note="seconds a particle-step, 1 thread")  # fmt: skip


def _difference(alpha, many, n, seed):
    """Averages at time 1 in float32 and float64: their difference against their statistical error."""
    scheme, ends = cn.particles.Scheme(alpha, eta=0.02), []
    for dtype in DTYPES:
        system = cn.particles.start(cn.kuramoto.Kuramoto(), n, many, seed, 0, cn.threads.cores(), dtype=np.dtype(dtype))
        path = scheme.path(1, n * many, seed=seed)
        for k in range(scheme.steps):
            system.step(path, k, scheme.eta)
        ends.append(system.average.copy())
    gap, error = ends[1] - ends[0], math.sqrt(ends[0].var(axis=0, ddof=1).sum())
    size = np.linalg.norm(gap, axis=1)
    low, high = (math.sqrt(float(q)) for q in np.quantile(_resampled(size**2, seed), [0.025, 0.975]))
    bias, bias_error = np.linalg.norm(gap.mean(axis=0)), math.sqrt(gap.var(axis=0, ddof=1).sum() / many)
    expected = cn.single.harm(alpha, eta=scheme.eta) / math.sqrt(n)
    note = f"in statistical errors; bias {bias:.1e} +- {bias_error:.0e}; lost {cn.single.lost(alpha):.1e}"
    return _row("difference", dtype="float32", n=n, alpha=alpha, value=math.sqrt((size**2).mean()) / error,
                low=low / error, high=high / error, expected=expected / error, note=note)  # fmt: skip


def _resampled(squares, seed):
    """Means of 2000 bootstrap samples."""
    return np.random.default_rng(seed).choice(squares, (2000, len(squares))).mean(axis=1)


def _ranks(rows, n, rounds):
    """Exchanges, steps on real ranks against the model, and what the model says of larger systems."""
    measured = {}
    for ranks, doubles in ((2, 2), (2, 128), (2, LONG), (4, 2), (8, 2)):
        measured[ranks, doubles] = took = cn.cost.exchange(ranks, doubles, 2000 if ranks == 2 else 100)
        note = "exchange" + (", ranks share cores" if ranks > cn.threads.cores() else "")
        yield _row("exchange", n=doubles, ranks=ranks, value=took["median"], low=took["low"], high=took["high"],
                   bytes=8 * doubles * ranks, note=note)  # fmt: skip
    exchanges = [measured[2, doubles]["median"] for doubles in (2, LONG)]
    cost = {dtype: constants([r for r in rows if r["kind"] == "step" and r["dtype"] == dtype], *exchanges)
            for dtype in DTYPES}  # fmt: skip
    took = {case: [] for case in ((1, False), (2, True), (2, False))}
    for _ in range(rounds):
        for (ranks, apart), some in took.items():
            some.append(cn.cost.step(n, ranks, apart=apart))
    for (ranks, apart), some in took.items():
        seconds, expected = [t["median"] for t in some], cost["float64"].predict(n, ranks).seconds
        yield _row("ranks", dtype="float64", n=n, ranks=ranks, value=median(seconds), low=min(seconds),
                   high=max(seconds), expected=expected, bytes=max(some[0]["bytes"]),
                   note="seconds a step, 1 thread a rank" + (", systems of their own" if apart else ""))  # fmt: skip
    for n, ranks, dtype in GOALS:
        p = cost[dtype].predict(n, ranks)
        yield _row("prediction", dtype=dtype, n=n, ranks=ranks, expected=p.seconds, bytes=p.bytes,
                   note=f"seconds a step; exchange {p.exchange:.1e} s = {p.exchange / p.seconds:.1e} of it, "
                        f"{p.message} bytes; a tenth of it from {p.break_even:.1e} s a round")  # fmt: skip


def constants(steps, short, long):
    """The model's constants, from rows of steps and the seconds of a short and a long exchange -> `cost.Cost`."""
    first, last = min(steps, key=lambda r: r["n"]), max(steps, key=lambda r: r["n"])
    each = (last["bytes"] - first["bytes"]) / (last["n"] - first["n"])
    return cn.cost.Cost(last["value"], each, first["bytes"], short, max(0.0, long - short) / (16 * (LONG - 2)))


def draw(rows):
    """Time, memory and float32's difference side by side -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    colours = dict(zip(DTYPES, sns.color_palette("colorblind")))
    figure, (time, memory, harm) = plt.subplots(1, 3, figsize=(10.2, 3.6), layout="constrained")
    for dtype, marker in zip(DTYPES, "os"):
        own = [r for r in rows if r["kind"] == "step" and r["dtype"] == dtype]
        n, y = np.array([r["n"] for r in own]), 1e9 * np.array([[r[k] for r in own] for k in ("value", "low", "high")])
        style = {"color": colours[dtype], "marker": marker, "ms": 4.5, "lw": 1.2, "label": dtype}
        time.errorbar(n, y[0], yerr=[y[0] - y[1], y[2] - y[0]], capsize=1.5, **style)
        first = own[0]
        memory.plot(n[1:], [(r["bytes"] - first["bytes"]) / (r["n"] - first["n"]) for r in own[1:]], **style)
        each = {"float64": 24, "float32": 12}[dtype]
        memory.axhline(each, color=colours[dtype], lw=1, ls=":", label=f"{each} bytes")
    time.set(xscale="log", ylim=(0, None), xlabel="particles n", ylabel="ns", title="a particle-step, 1 thread")
    memory.set(xscale="log", ylim=(0, 50), xlabel="particles n", ylabel="bytes", title="memory of a particle")
    own = [r for r in rows if r["kind"] == "difference"]
    x, y = np.array([r["alpha"] for r in own]), np.array([[r[k] for r in own] for k in ("value", "low", "high")])
    harm.errorbar(x, y[0], yerr=np.maximum([y[0] - y[1], y[2] - y[0]], 0), fmt="s", color=colours["float32"], ms=4.5,
                  capsize=1.5, label="measured")  # fmt: skip
    harm.plot(x, [r["expected"] for r in own], "-", color="0.25", lw=1.2, label="estimate, no bias")
    harm.axhline(1.0, color="0.25", lw=1, ls="--")
    edge = brentq(lambda alpha: np.log(cn.single.lost(alpha) / cn.single.MOST), 0.5, 1.0, xtol=1e-3)
    harm.axvspan(0.2, edge, color="0.9", zorder=0)
    harm.set(yscale="log", xlim=(0.2, 2.05), xlabel="α (grey: float32 is refused)", ylabel="statistical errors",
             title="float32 − float64")  # fmt: skip
    for ax, place in ((time, (0.03, 0.05)), (memory, "upper right"), (harm, (0.38, 0.74))):
        ax.legend(loc=place, frameon=True, framealpha=0.9)
        ax.minorticks_off()
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, BUDGETS, argv)
    rows = compute(options.budget, options.seed)
    for r in rows:
        if r["kind"] in ("exchange", "ranks", "prediction"):
            print(*(f"{name} {r[name]:.4g}" if isinstance(r[name], float) else f"{name} {r[name]}"
                    for name in r if r[name] != ""), sep=", ")  # fmt: skip
    write(rows, options.out / "scale")


if __name__ == "__main__":
    main()
