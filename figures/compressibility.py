"""How little of the weights is needed, and from which width on?

Question: under heavy-tailed noise a few columns carry the norm of the weights, so keeping them costs little (C5). How
much exactly, and how wide must a layer be? And which norms are there for which this is so (C6)?

Compute: (1) bed K, whose particles interact and start from a law of their own: the 5, 50 and 95 % point of the relative
l_2 error of the largest tenth, over many systems, with intervals from order statistics, against the predicted law; at
all n with steps of T/20 and T/4, at n = 100 with the paper's, n^(-alpha/2 - 1). (2) Independent SaS entries: the median
l_p error of the largest tenth as p passes alpha, at several n, and its limit; Gaussian entries beside it.

Draw: the error against n with the predicted points as lines, and the error against p. All steps lie on the same lines.
In p, the limit drops to zero at alpha and n follows slowly; the Gaussian's does not drop.

    python figures/compressibility.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import math
from functools import partial

import numpy as np
from scipy import stats

import chaosnum as cn
from proofs_checks import compressibility as theorem
from proofs_checks.beds import kuramoto

ALPHAS = (1.2, 1.8)
LEVELS = (0.05, 0.5, 0.95)
KAPPA, SIGMA, K, T = 0.1, 1.0, 1.0, 1.0
INDEX = 1.5  # of the entries of the dichotomy
STEPS = {"T/20": 20, "T/4": 4, "paper": None}
SYSTEMS = {"quick": 200, "standard": 600, "full": 3000}
SCALES, PAPER = (100, 400, 1600, 6400, 25_600), (100,)
WIDTHS = {100: 200, 10_000: 60, 100_000: 40}  # entries, and samples of them


def compute(budget="standard", seed=1, systems=None, scales=SCALES, paper=PAPER, widths=None, orders=25):
    """Rows of both studies -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    systems, scales, paper, widths, orders : optional
        Systems of bed K a point, their sizes, sizes for the paper's step; {entries: samples} and number of p.
    """
    systems = SYSTEMS[budget] if systems is None else systems
    rows = []
    for alpha in ALPHAS:
        for name, count in STEPS.items():
            for n in paper if name == "paper" else scales:
                steps = count or math.ceil(n ** (alpha / 2 + 1))
                own = (seed << 32) + len(rows)  # a seed of its own, or the points would err together
                rows += _quantiles(n, alpha, name, steps, systems, own)
    ps = np.linspace(0.3, 3.0, orders)
    for n, samples in (widths or WIDTHS).items():
        x = [cn.stable.rvs(INDEX, n, seed=(seed << 32) + (1 << 20) + i) for i in range(samples)]
        for p in ps:
            found = np.median([cn.compress.error_curve(one, KAPPA, p) for one in x])
            rows.append(_row("stable", INDEX, n=n, p=float(p), estimate=float(found)))
    for kind, alpha in (("stable limit", INDEX), ("Gaussian limit", 2.0)):
        for p in np.linspace(0.3, 3.0, 8 * orders):
            limit = cn.compress.limit_curve(KAPPA, float(p), alpha)
            rows.append(_row(kind, alpha, p=float(p), estimate=limit))
    return rows


def _row(kind, alpha, *, n="", p=2.0, step="", level="", estimate="", low="", high="", predicted=""):
    return {"kind": kind, "alpha": alpha, "n": n, "p": p, "step": step, "level": level, "estimate": estimate,
            "low": low, "high": high, "predicted": predicted}  # fmt: skip


def _quantiles(n, alpha, step, count, systems, seed):
    """Quantiles of the error over independent systems of bed K, with 95 % intervals, and as predicted."""
    scheme = cn.particles.Scheme(alpha, SIGMA, T, T / count)
    theta = cn.particles.simulate(kuramoto(K), n, scheme, seed=seed, systems=systems).theta
    errors = np.sort([cn.compress.error_curve(row, KAPPA) for row in theta])
    law = theorem.line_norm(alpha, SIGMA, K, T, T / min(count, 100))  # the law for small steps is that for T/100
    predicted = cn.compress.error_quantiles(LEVELS, n, alpha, KAPPA, law=law)
    for level, value in zip(LEVELS, predicted):
        ranks = stats.binom.ppf([0.025, 0.975], systems, level).astype(int)
        low, high = errors[np.clip([ranks[0] - 1, ranks[1]], 0, systems - 1)]
        yield _row("bed K", alpha, n=n, step=step, level=level, estimate=float(np.quantile(errors, level)),
                   low=float(low), high=float(high), predicted=float(value))  # fmt: skip


def draw(rows):
    """The error against n, and against p -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib import ticker
    from matplotlib.lines import Line2D

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.6), layout="constrained")
    colours = dict(zip(ALPHAS, palette))
    marks = {"T/20": ("o", 1.0), "T/4": ("D", 1.12), "paper": ("s", 1 / 1.12)}
    for alpha in ALPHAS:
        own = [r for r in rows if r["kind"] == "bed K" and r["alpha"] == alpha]
        for level in LEVELS:
            line = sorted((r["n"], r["predicted"]) for r in own if r["level"] == level and r["step"] == "T/20")
            left.plot(*zip(*line), color=colours[alpha], lw=1.2 if level == 0.5 else 0.8, ls="-")
            for step, (marker, shift) in marks.items():
                some = [r for r in own if r["level"] == level and r["step"] == step]
                keys = ("n", "estimate", "low", "high")
                n, y, low, high = (np.array([r[k] for r in some], dtype=float) for k in keys)
                left.errorbar(n * shift, y, yerr=np.maximum([y - low, high - y], 0), fmt=marker, ms=3.5, lw=0.8,
                              mfc=colours[alpha] if step == "T/20" else "white", color=colours[alpha])  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="columns n", ylabel="relative error of the largest tenth",
             title="l$_2$ error of bed K: 5, 50, 95 % points")  # fmt: skip
    ticks = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    left.yaxis.set_major_locator(ticker.FixedLocator(ticks))
    left.yaxis.set_major_formatter(ticker.FixedFormatter([f"{t:g}" for t in ticks]))
    left.minorticks_off()
    handles = [Line2D([], [], color=c, lw=1.2) for c in colours.values()]
    handles += [Line2D([], [], color="0.3", lw=0, marker=m, ms=4, mfc="0.3" if s == "T/20" else "white")
                for s, (m, _) in marks.items()]  # fmt: skip
    words = [f"predicted, α = {alpha:g}" for alpha in ALPHAS]
    words += ["steps of T/20", "steps of T/4", "the paper's steps"]
    left.legend(handles, words, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)

    widths = sorted({r["n"] for r in rows if r["kind"] == "stable"})
    for n, colour in zip(widths, sns.color_palette("flare", len(widths))):
        own = [(r["p"], r["estimate"]) for r in rows if r["kind"] == "stable" and r["n"] == n]
        words = f"SaS, median, n = 10$^{math.log10(n):.0f}$"
        right.plot(*zip(*own), color=colour, marker="o", ms=2.5, lw=0.9, label=words)
    for kind, style, label in (("stable limit", "-", "SaS, limit"), ("Gaussian limit", "--", "Gaussian, limit")):
        line = [(r["p"], r["estimate"]) for r in rows if r["kind"] == kind]
        right.plot(*zip(*line), color="0.2", lw=1.3, ls=style, label=label)
    right.axvline(INDEX, color="0.6", lw=0.8, ls=":")
    right.set(xlabel="order p of the norm", title=f"l$_p$ error, independent entries, α = {INDEX:g}", ylim=(-0.03, 1.0))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, SYSTEMS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "compressibility")


if __name__ == "__main__":
    main()
