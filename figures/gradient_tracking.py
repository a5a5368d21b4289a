"""Does gradient tracking find the exact optimum on changing directed graphs, and how near does noise let it come?

Question: agents that exchange vectors over unbalanced directed graphs, which change with time, minimise a sum. Where do
they end, how fast, and what is left with noise (S4)?

Compute: (1) without noise, the error against iterations, with tracking at three steps and without tracking; the exact
rates. (2) With noise, the mean squared errors of agents and average and the disagreement against the step, simulated,
and by the Lyapunov equation up to the threshold. (3) The floor of the average over the formula for fixed weights, for
graphs of period 1 to 6, simulated and predicted for small steps. (4) Breast cancer data, one-row gradients: the
plateaus of eight agents, and the Lyapunov prediction with the rows' own covariance.

Draw: points on their lines. With tracking the error goes to round-off; without, it stops. The average's floor is
proportional to the step, the disagreement to its square, and both rise beyond that near the threshold. Weights that
vary in time inflate the floor: the formula for fixed weights is too low.

    python figures/gradient_tracking.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import gradient_tracking_data as data
from proofs_checks import gradient_tracking_networks as networks
from proofs_checks import gradient_tracking_runs as runs

CELLS = {"quick": 3, "standard": 8, "full": 40}
STEPS = {"quick": (0.08, 0.056, 0.04), "standard": (0.08, 0.04, 0.02), "full": (0.16, 0.08, 0.04, 0.02, 0.01)}
PERIODS, PERIOD = (1, 2, 3, 4, 5, 6), 5
CURVES = ((1 / 4, "tracking"), (1 / 8, "tracking"), (1 / 16, "tracking"), (1 / 16, "untracked"))
FRACTIONS = tuple(2.0**-j for j in range(1, 7))
QUANTITIES = {"agents": "agents", "average": "average", "consensus": "disagreement"}
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "frameon": False}  # a legend under its panel


def compute(budget="standard", seed=1, cells=None, fractions=FRACTIONS, periods=PERIODS, steps=None, iterations=400):
    """Rows of the four studies -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    cells, fractions, periods, steps, iterations : optional
        Batches a point, steps over the threshold, periods, steps for the data (may be empty), length of the curves.
    """
    cells, steps = cells or CELLS[budget], STEPS[budget] if steps is None else steps
    system, rows = runs.built_in(PERIOD), []
    for fraction, method in CURVES:
        step = system.step(fraction)
        found = cn.gradient_tracking.errors(
            system.objectives, system.graphs, step, iterations, start=system.start(seed), method=method
        )
        rate = system.rate(fraction) if method == "tracking" else ""
        for k in range(0, iterations + 1, max(1, iterations // 100)):
            rows.append(_row("error", method, x=k, step=fraction, estimate=found[k], predicted=rate))
    for fraction in fractions:
        rows += _floors("floor", runs.plateau, fraction, system, cells, seed)
    for fraction in np.geomspace(min(fractions), 0.95, 40):
        floor = system.floor(float(fraction))
        rows += [_row("law", key, x=fraction, predicted=getattr(floor, key)) for key in QUANTITIES]
    for period in periods:
        values = [networks.inflation(period, seed=_seed(seed, period, i))["simulated"] for i in range(cells)]
        own = runs.built_in(period)
        finite = networks.over_static(own, networks.FRACTION)
        rows.append(_row("inflation", "simulated", x=period, values=values, predicted=finite))
        rows.append(_row("inflation", "small steps", x=period, predicted=own.small().inflation))
    for step in steps:
        rows += _floors("data", data.plateau, step, data.system(), min(cells, 3), seed)
    return rows


def _seed(seed, x, i):
    """A seed of its own for every point and batch, or the points would err together."""
    return (seed << 40) + (round(float(x) * 10_000) << 12) + i


def _floors(what, measure, scale, system, cells, seed):
    found = [measure(scale, seed=_seed(seed, scale, i), system=system) for i in range(cells)]
    floor = system.floor(scale)
    return [_row(what, key, x=scale, values=[f[key] for f in found], predicted=getattr(floor, key))
            for key in QUANTITIES]  # fmt: skip


def _row(what, key, *, x, step="", values=None, estimate="", predicted=""):
    low = high = ""
    if values is not None:
        estimate, low, high = cn.intervals.interval(values) if len(values) > 1 else (values[0],) * 3
    return {"what": what, "key": key, "x": float(x), "step": step, "estimate": estimate, "low": low, "high": high,
            "predicted": predicted}  # fmt: skip


def draw(rows):
    """Convergence, floors, inflation, real data -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, ((left, right), (below, real)) = plt.subplots(2, 2, figsize=(8.6, 8.6), layout="constrained")
    colours = dict(zip(QUANTITIES, palette))

    for (fraction, method), colour in zip(CURVES, (*sns.color_palette("flare", 3), "0.3")):
        own = [r for r in rows if r["what"] == "error" and (r["step"], r["key"]) == (fraction, method)]
        k, y = np.array([r["x"] for r in own]), np.array([r["estimate"] for r in own])
        words = f"s = s$_{{max}}$/{1 / fraction:.0f}" + ("" if method == "tracking" else ", no tracking")
        left.plot(k, y, color=colour, lw=0, marker="o", ms=2.2, label=words)
        if method == "tracking":
            j = int(np.argmax(y < 1e-4 * y[0]))
            left.plot(k, y[j] * own[0]["predicted"] ** (k - k[j]), color=colour, lw=1.0)
    left.set(yscale="log", ylim=(1e-16, 10), xlabel="iteration k", ylabel="distance of the agents from x*",
             title="without noise: to the exact optimum")  # fmt: skip
    left.legend(ncols=2, title="dots: the iteration; lines: slope by the exact rate", **BELOW)

    panels = [(right, "floor"), (real, "data")] if any(r["what"] == "data" for r in rows) else [(right, "floor")]
    for ax, what in panels:
        for key, words in QUANTITIES.items():
            own = sorted((r for r in rows if r["what"] == what and r["key"] == key), key=lambda r: r["x"])
            line = own if what == "data" else [r for r in rows if r["what"] == "law" and r["key"] == key]
            ax.plot([r["x"] for r in line], [r["predicted"] for r in line], color=colours[key], lw=1.1)
            _points(ax, own, colours[key], words)
        ax.set(xscale="log", yscale="log", ylabel="mean squared distance")
        ax.legend(ncols=3, title="dots: simulated, 95 % intervals; lines: Lyapunov equation", **BELOW)
    ticks = sorted({r["x"] for r in rows if r["what"] == "floor"})
    right.set_xticks(ticks, [f"1/{1 / t:.0f}" for t in ticks])
    right.set(xlabel="step s / threshold s$_{max}$", title="with noise: floors against the step")
    right.axvline(1.0, color="0.4", lw=0.8, ls=":")
    ticks = sorted({r["x"] for r in rows if r["what"] == "data"})
    real.set_xticks(ticks, [f"{t:g}" for t in ticks])
    real.set(xlabel="step s", title="breast cancer data, one-row gradients")
    for ax, _ in panels:
        ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())

    own = [r for r in rows if r["what"] == "inflation" and r["key"] == "simulated"]
    _points(below, own, palette[1], f"simulated, s = s$_{{max}}$/{1 / networks.FRACTION:.0f}")
    below.plot([r["x"] for r in own], [r["predicted"] for r in own], lw=0, marker="_", ms=14, mew=1.4, color=palette[1],
               label="Lyapunov equation, same step")  # fmt: skip
    own = [r for r in rows if r["what"] == "inflation" and r["key"] == "small steps"]
    below.plot([r["x"] for r in own], [r["predicted"] for r in own], lw=0, marker="D", ms=4.5, mfc="white",
               color=palette[0], label="predicted, s → 0")  # fmt: skip
    below.axhline(1.0, color="0.3", lw=1.1, ls="--", label="formula for fixed weights")
    below.set(xlabel="period of the graphs", ylabel="floor / formula for fixed weights", xticks=[r["x"] for r in own],
              title="varying weights inflate the floor")  # fmt: skip
    below.set_ylim(bottom=0.9)
    below.legend(ncols=2, **BELOW)
    return figure


def _points(ax, own, colour, words):
    """Means with their intervals."""
    x, y, low, high = (np.array([r[key] for r in own], dtype=float) for key in ("x", "estimate", "low", "high"))
    ax.errorbar(x, y, yerr=np.maximum([y - low, high - y], 0.0), fmt="o", ms=3.5, lw=0.9, color=colour, label=words)


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, CELLS, argv)
    write(compute(options.budget, options.seed), options.out / "gradient_tracking")


if __name__ == "__main__":
    main()
