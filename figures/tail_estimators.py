"""Which estimate of the tail index is to be believed, and which intervals?

Question: six estimators look at the same sample and differ. On stable samples, where the truth is known: how far off is
each, how much does it scatter, and does its 95 % interval hold the truth 95 times in 100? Hill's estimator is known for
its bias near alpha = 2; how large is it with a threshold chosen from the data?

Compute: `tails.fit` on many SaS samples for each alpha. Draw: estimate less alpha, median and the range of nine samples
in ten, and the share of intervals that hold alpha.

    python figures/tail_estimators.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from functools import partial

import numpy as np
from scipy import stats

import chaosnum as cn

ALPHAS = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9)
TOP = 5.0  # of the axis of errors
ESTIMATORS = ("ecf", "quantiles", "mohammadi", "hill", "moments", "pickands")
BUDGETS = {"quick": (30, 5000), "standard": (100, 20_000), "full": (200, 100_000)}  # samples, draws in each


def compute(alphas=ALPHAS, samples=BUDGETS["standard"][0], n=BUDGETS["standard"][1], seed=1):
    """One row for each alpha and estimator, and for the recommended estimate -> list of dict.

    Parameters
    ----------
    alphas : sequence of float in (0, 2)
    samples : int, for each alpha
    n : int, draws in a sample, 100 or more
    seed : int
    """
    rows = []
    for which, alpha in enumerate(alphas):
        first = (seed * 64 + which) << 32
        fits = [cn.tails.fit(cn.stable.rvs(alpha, n, seed=first + i)) for i in range(samples)]
        for name in (*ESTIMATORS, "recommended"):
            chosen = fits if name == "recommended" else [e for f in fits for e in f.estimates if e.name == name]
            error = np.array([e.alpha - alpha for e in chosen])
            held = sum(e.ci[0] <= alpha <= e.ci[1] for e in chosen)
            low = float(stats.beta.ppf(0.025, held, len(chosen) - held + 1)) if held else 0.0
            high = float(stats.beta.ppf(0.975, held + 1, len(chosen) - held)) if held < len(chosen) else 1.0
            ends = np.quantile(error, [0.05, 0.5, 0.95], method="lower")  # an estimate may be infinite
            rows.append({"alpha": alpha, "estimator": name, "n": n, "samples": len(chosen), "median": float(ends[1]),
                         "low": float(ends[0]), "high": float(ends[2]), "coverage": held / len(chosen),
                         "coverage_low": low, "coverage_high": high})  # fmt: skip
    return rows


def draw(rows):
    """Errors beside coverage -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    colours = dict(zip(ESTIMATORS, sns.color_palette("colorblind")))
    alphas = sorted({r["alpha"] for r in rows})
    gap = min(np.diff(alphas), default=0.1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.2), sharex=True, layout="constrained")
    for i, (name, marker) in enumerate(zip(ESTIMATORS, "osD^vP")):
        own = sorted((r for r in rows if r["estimator"] == name), key=lambda r: r["alpha"])
        x, middle, low, high, share, least, most = (
            np.array([r[k] for r in own])
            for k in ("alpha", "median", "low", "high", "coverage", "coverage_low", "coverage_high")
        )
        x = x + gap * (i - 2.5) / 8
        style = {"fmt": marker, "color": colours[name], "ms": 3.5, "lw": 1, "capsize": 1.2}
        high = np.minimum(high, 2 * TOP)  # Pickands' estimate may be infinite
        left.errorbar(x, middle, yerr=[middle - low, high - middle], **style)
        right.errorbar(x, share, yerr=[share - least, most - share], label=name, **style)
    left.axhline(0.0, color="0.3", lw=1)
    right.axhline(0.95, color="0.3", lw=1)
    n, samples = rows[0]["n"], max(r["samples"] for r in rows)
    left.set(xlabel="α", ylabel="estimate less α", title=f"median and nine in ten of {samples} samples, n = {n}")
    left.set_yscale("symlog", linthresh=0.1, linscale=1.5)
    left.set_ylim(-1.9, TOP)
    ticks = [-1, -0.3, -0.1, -0.05, 0, 0.05, 0.1, 0.3, 1, 3]
    left.set_yticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    right.set(xlabel="α", ylabel="share that holds α", ylim=(min(0.75, right.get_ylim()[0]), 1.01),
              title="95 % intervals: how many hold α")  # fmt: skip
    figure.legend(loc="outside lower center", ncols=6, frameon=False)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, BUDGETS, argv)
    samples, n = BUDGETS[options.budget]
    write(compute(samples=samples, n=n, seed=options.seed), options.out / "tail_estimators")


if __name__ == "__main__":
    main()
