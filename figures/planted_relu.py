"""How fast do SGD and quantised SGD fit a planted ReLU, where does it end, and what does a message cost?

Question: SGD with fresh Gaussian rows contracts to the planted weights w* by 1 - 1/A a step, A = 1 + (2d+3)/m;
quantised gradients change A, not the limit; noise on the labels leaves a floor; some 2 d rows are needed; a quantised
gradient takes about 2.8 bits a number (S3). Is that so?

Compute: the factor at several m, plain and quantised, beside the formula. Paths of the mean of |h|^2 = |w - w*|^2 over
runs. The share of tables of n rows that SGD fits, beside the probability that d are active. Bits of messages with
s = sqrt(d) levels, in both codes, for Gaussian vectors and for equal entries.

Draw: rates on their lines; straight paths down to 1e-20, and noisy labels ending on the predicted floor; the frequency
rising between 2 d and 3 d rows; the gap code below 2.8 d + 32 for Gaussian vectors, the others above.

    python figures/planted_relu.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import planted_relu_samples as tables

DIM, BATCH, NOISE = 50, 64, 1e-4
BATCHES = (1, 4, 16, 64, 256)
RATIOS = (1.2, 1.6, 2.0, 2.2, 2.4, 2.6, 3.0, 3.5)
ROOTS = (3, 5, 7, 10, 14, 20, 32, 50)
METHODS = (("SGD", 0, 1), ("4 workers, s = 7", 7, 4), ("4 workers, s = 1", 1, 4))
RUNS = {"quick": 8, "standard": 40, "full": 200}


def compute(budget="standard", seed=1, runs=None, dim=DIM, batches=BATCHES, ratios=RATIOS, dims=(20, 40), roots=ROOTS):
    """Rows of the four studies -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    runs, dim, batches, ratios, dims, roots : optional
        Runs a point; weights of the unit; rows a step; n/d and d of the tables; sqrt(d) of the messages.
    """
    runs, rng = runs or RUNS[budget], np.random.default_rng(seed)
    rows = []
    for method, levels, workers in METHODS:
        for m in batches:
            if m % workers == 0:
                rows.append(_rate(method, levels, workers, m, dim, runs, rng))
        rows += _path(method, levels, workers, 0.0, dim, runs, rng)
        rows += _path(method, levels, workers, NOISE, dim, runs, rng)
    for d in dims:
        for ratio in ratios:
            n, found = round(ratio * d), []
            for _ in range(4 * runs):
                w_star = cn.planted_relu.directions(rng, 1, d)[0]
                found.append(tables.fits(rng.standard_normal((n, d)), w_star, rng))
            share, low, high = cn.intervals.interval(np.array(found, dtype=float), "frequency")
            rows.append(_row("samples", f"d = {d}", ratio, share, low, high, cn.planted_relu_law.identified(d, n)))
    for root in roots:
        for vector, code in (("gaussian", "gap"), ("gaussian", "dense"), ("equal", "gap")):
            values = []
            for _ in range(max(4, runs // 4, runs * 2_500 // root**2) if vector == "gaussian" else 1):
                v = rng.standard_normal(root**2) if vector == "gaussian" else np.ones(root**2)
                scale, level = cn.qsgd.Quantiser(root).split(v, rng)
                values.append((cn.qsgd_code.encode(float(scale), level, code).bits - 32) / root**2)
            rows.append(_row("bits", f"{vector}, {code}", root**2, float(np.mean(values)), predicted=2.8))
    return rows


def _setting(levels, workers, batch, dim):
    """Quantiser, its relative variance, and A_Q."""
    quantiser = cn.qsgd.Quantiser(levels) if levels else None
    omega = quantiser.mean_variance(dim) if levels else 0.0
    return quantiser, omega, cn.planted_relu_law.amplification(dim, batch, workers, omega)


def _rate(method, levels, workers, batch, dim, runs, rng):
    quantiser, _, a = _setting(levels, workers, batch, dim)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, cn.planted_relu.near(w_star, 1e-4, rng, runs), step=1.0 / a, batch=batch,
        horizon=max(10, int(2 * a)), rng=rng, workers=workers, quantiser=quantiser,
    ).squares  # fmt: skip
    falls = 1.0 - (squares[1:] / squares[:-1]).mean(axis=0)
    return _row("rate", method, batch, *cn.intervals.interval(falls), 1.0 / a)


def _path(method, levels, workers, noise, dim, runs, rng):
    quantiser, omega, a = _setting(levels, workers, BATCH, dim)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    horizon = int(np.ceil((1.1 * np.log(1e-20) if noise == 0.0 else 2.0 * np.log(noise)) / np.log(1.0 - 1.0 / a)))
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, cn.planted_relu.near(w_star, 1.0, rng, max(4, runs // 4)), step=1.0 / a,
        batch=BATCH, horizon=horizon + (60 if noise else 0), rng=rng, workers=workers, quantiser=quantiser, noise=noise,
    ).squares.mean(axis=1)  # fmt: skip
    limit = cn.planted_relu_law.floor(1.0 / a, dim, BATCH, noise, workers, omega)
    what = "noisy path" if noise else "path"
    return [_row(what, method, t, squares[t], predicted=limit) for t in range(0, len(squares), max(1, horizon // 60))]


def _row(what, series, x, estimate, low=None, high=None, predicted=None):
    return {"what": what, "series": series, "x": x, "estimate": float(estimate),
            "low": float(estimate if low is None else low), "high": float(estimate if high is None else high),
            "predicted": predicted}  # fmt: skip


def draw(rows):
    """Rates, paths, tables, messages -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, ((rate, path), (samples, bits)) = plt.subplots(2, 2, figsize=(8.6, 7.2), layout="constrained")
    colours = dict(zip(dict.fromkeys(r["series"] for r in rows), palette))

    def own(what):
        for series in dict.fromkeys(r["series"] for r in rows if r["what"] == what):
            chosen = [r for r in rows if r["what"] == what and r["series"] == series]
            keys = ("x", "estimate", "low", "high", "predicted")
            yield series, colours[series], *(np.array([r[key] for r in chosen], dtype=float) for key in keys)

    for series, colour, x, y, low, high, predicted in own("rate"):
        rate.plot(x, predicted, color=colour, lw=1.1)
        rate.errorbar(x, y, yerr=[y - low, high - y], fmt="o", ms=4, lw=0.9, color=colour, label=series)
    rate.set(xscale="log", yscale="log", xlabel="rows of a step, m", ylabel="fall of |h|² a step",
             title="rate at the best step; lines: 1/A and 1/A$_Q$")  # fmt: skip
    rate.legend(frameon=False)

    for series, colour, x, y, _, _, _ in own("path"):
        path.plot(x, y, color=colour, lw=1.3, label=series)
    for _, colour, x, y, _, _, predicted in own("noisy path"):
        path.plot(x, y, color=colour, lw=1.6, alpha=0.4)
        path.axhline(predicted[0], color=colour, lw=0.9, ls=":")
    path.axhline(1e-20, color="0.4", lw=0.8, ls="--")
    path.set(yscale="log", xlabel="steps", ylabel="mean of |h|² / |w*|²",
             title="no floor; pale: noisy labels, floor predicted (dots)")  # fmt: skip
    path.legend(frameon=False)

    for series, colour, x, y, low, high, predicted in own("samples"):
        samples.errorbar(x, y, yerr=[y - low, high - y], fmt="o", ms=4, lw=0.9, color=colour, label=f"fitted, {series}")
        samples.plot(x, predicted, color=colour, lw=1.1, ls="--", label=f"determined, {series}")
    samples.axvspan(2.0, 3.0, color="0.9", lw=0, zorder=0)
    samples.set(xlabel="rows / weights, n/d", ylabel="share of tables", ylim=(-0.03, 1.03),
                title="tables of n rows: half are fitted in [2 d, 3 d]")  # fmt: skip
    samples.legend(frameon=False, fontsize="x-small", loc="lower right")

    words = {"gaussian, gap": "Gaussian, gap code", "gaussian, dense": "Gaussian, dense code",
             "equal, gap": "equal entries, gap code"}  # fmt: skip
    for series, colour, x, y, _, _, _ in own("bits"):
        bits.plot(x, y, "o-", ms=4, lw=1.1, color=colour, label=words[series])
    bits.axhline(2.8, color="0.3", lw=0.9, ls="--", label="stated bound, 2.8")
    bits.set(xscale="log", xlabel="d", ylabel="(bits - 32) / d", title="messages with s = √d levels")
    bits.legend(frameon=False)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, RUNS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "planted_relu")


if __name__ == "__main__":
    main()
