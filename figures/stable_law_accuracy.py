"""How many digits of the stable law are right, and how far out?

Question: what tails are judged by are probabilities of 1e-12 and less. Are density and tail right there, and beside the
tail, near 0 and near alpha = 1 or 2? And where does SciPy's `levy_stable` stop being right?

Compute: relative errors of P(X > x) and of the density on a grid of x from 1e-4 to 1e8, against power series and the
integral of the characteristic function along a ray of the complex plane, to 20 digits (`tests/stable_reference.py`,
which shares no formula with the package). Draw: the errors of both codes, for each alpha. An error of 1 is a tail that
has become zero.

    python figures/stable_law_accuracy.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import importlib.util
import math
import warnings
from functools import partial
from pathlib import Path

import mpmath as mp
import numpy as np

import chaosnum as cn

ALPHAS = (0.5, 1.1, 1.5, 1.9)
POINTS = {"quick": 13, "standard": 25, "full": 109}
LEAST = 1e-18  # where an error of nothing is drawn
TESTS = Path(__file__).resolve().parent.parent / "tests"


def reference():
    """The module of reference values."""
    spec = importlib.util.spec_from_file_location("stable_reference", TESTS / "stable_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compute(alphas=ALPHAS, points=POINTS["standard"], low=1e-4, high=1e8):
    """One row for each law, function and x -> list of dict.

    Parameters
    ----------
    alphas : sequence of float in (0, 2], none within 0.02 of 1
    points : int, values of x, evenly spaced in log x
    low, high : float, the range of x
    """
    from scipy.stats import levy_stable

    module, rows = reference(), []
    x = np.geomspace(low, high, points)
    for alpha in alphas:
        right = dict(zip(("sf", "pdf"), zip(*(_exact(module, alpha, float(point)) for point in x))))
        for function in right:
            ours = getattr(cn.stable, function)(x, alpha)
            with warnings.catch_warnings():  # SciPy's integrals complain where they fail
                warnings.simplefilter("ignore")
                theirs = getattr(levy_stable, function)(x, alpha, 0.0)
            for name, found in (("chaosnum", ours), ("SciPy", theirs)):
                for point, value, truth in zip(x, found, right[function]):
                    with mp.workdps(30):
                        error = float(abs(mp.mpf(float(value)) / truth - 1)) if math.isfinite(value) else 1.0
                    rows.append({"alpha": alpha, "function": function, "code": name, "x": float(point),
                                 "exact": float(truth), "value": float(value), "error": error})  # fmt: skip
    return rows


def _exact(module, alpha, x):
    """(P(X > x), density) by the cheapest formula whose terms do not grow to hundreds of digits."""
    if alpha / (alpha - 1.0) * math.log(x) > 5.0:
        return module.fourier(alpha, x, 20)
    return (module.near if alpha > 1.0 else module.far)(alpha, x, 20)


def draw(rows):
    """Tail beside density -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib import ticker
    from matplotlib.lines import Line2D

    sns.set_theme(style="whitegrid", context="paper")
    alphas = sorted({r["alpha"] for r in rows})
    colours = dict(zip(alphas, sns.color_palette("colorblind", len(alphas))))
    marks = {"SciPy": {"marker": "x", "ms": 3.5, "lw": 0.6}, "chaosnum": {"marker": "o", "ms": 3, "lw": 0}}
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.2), sharex=True, sharey=True, layout="constrained")
    for ax, (function, title) in zip(axes, (("sf", "tail P(X > x)"), ("pdf", "density"))):
        for code, mark in marks.items():
            for alpha in alphas:
                own = [r for r in rows if (r["alpha"], r["function"], r["code"]) == (alpha, function, code)]
                ax.plot([r["x"] for r in own], [max(r["error"], LEAST) for r in own], color=colours[alpha], **mark)
        ax.axhline(2.0**-52, color="0.4", lw=0.8, ls="--")
        ax.set(title=title, xlabel="x", xscale="log", yscale="log", ylim=(LEAST / 2, 50.0))
        ax.xaxis.set_major_locator(ticker.LogLocator(numticks=8))
        ax.yaxis.set_major_locator(ticker.LogLocator(numticks=10))
        ax.minorticks_off()
    axes[0].set_ylabel("relative error")
    handles = [Line2D([], [], color="0.3", **mark) for mark in marks.values()]
    handles.append(Line2D([], [], color="0.4", lw=0.8, ls="--"))
    handles += [Line2D([], [], color=colour, lw=2.5) for colour in colours.values()]
    words = [*marks, "spacing of double precision", *(f"α = {alpha:g}" for alpha in alphas)]
    figure.legend(handles, words, loc="outside lower center", ncols=7, frameon=False, columnspacing=1.2)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, POINTS, argv)
    write(compute(points=POINTS[options.budget]), options.out / "stable_law_accuracy")


if __name__ == "__main__":
    main()
