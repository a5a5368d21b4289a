"""Does noise make a trained network prunable, and at what price?

Question: heavy-tailed noise raises the share of columns that the 0.1 criterion removes (C8). By how much, is that what
the noise alone does to the weights, and what does pruning cost in accuracy?

Compute: networks of one hidden layer trained on the handwritten digits to 90 % train accuracy. The median share over
seeds, with its interval, against sigma: for the types of noise, and for the tail indices from 1.5 to Gaussian noise.
Beside each the median under the law of the noise alone, for as many steps, without training. Train accuracy of networks
pruned to every share. And networks of two and three hidden layers, which are beyond the theorems.

Draw: the shares with the law as lines; accuracy against the pruned share, the criterion's place marked; depths. Types
II and III lie on their lines, and Gaussian noise of Type II raises nothing. Type I lies below its line, as the gradient
takes part of it back. At equal share a network without noise loses no more accuracy than those with noise: noise makes
the criterion remove more, not the columns cheaper. With more hidden layers pruning costs more.

    python figures/pruning.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import itertools
from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import pruned_pair as runs
from proofs_checks import pruned_share

TYPES, ALPHAS = ("I", "II", "III-paper"), (1.5, 1.75, 1.9, 2.0)
ALPHA, SIGMA, N = 1.75, 0.02, 200
SIGMAS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
RATIOS = tuple(k / 20 for k in range(21))
DEPTHS = (1, 2, 3)
SEEDS = {"quick": 8, "standard": 20, "full": 80}
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "frameon": False}  # a legend under its panel
SETTINGS = {"eta": 0.3, "batch": 200, "target": 0.9}


def compute(budget="standard", seed=1, seeds=None, sigmas=SIGMAS, alphas=ALPHAS, n=N, ratios=RATIOS, depths=DEPTHS):
    """Rows of the four studies -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    seeds, sigmas, alphas, n, ratios, depths : optional
        Runs a point, scales and indices of the noise, width, pruned shares, numbers of hidden layers.
    """
    count, used = seeds or SEEDS[budget], itertools.count(seed << 32)

    def trained(*what):  # on seeds of its own, or the points would err together
        return _runs(list(itertools.islice(used, count)), n, *what)

    quiet = trained("none", 2.0, 0.0)
    rows = [_share("share", quiet, "none", 2.0, 0.0)]
    for noise, alpha in dict.fromkeys([(noise, ALPHA) for noise in TYPES] + [("II", alpha) for alpha in alphas]):
        for sigma in sigmas:
            found = trained(noise, alpha, sigma)
            if found:
                rows.append(_share("share", found, noise, alpha, sigma))
    for noise in ("none", *TYPES):
        found = quiet if noise == "none" else trained(noise, ALPHA, SIGMA)
        rows += [_row("accuracy", noise, ALPHA, SIGMA, x=r, values=_accuracies(found, r)) for r in ratios]
        at = [cn.prune.columns(run.weights).share for run in found]
        rows.append(_row("criterion", noise, ALPHA, SIGMA, x=float(np.median(at)), values=_accuracies(found, None)))
    for depth in depths:
        for noise in ("none", "II"):
            found = trained(noise, ALPHA, SIGMA, depth)
            rows.append(_share("depth", found, noise, ALPHA, SIGMA, depth))
            lost = _accuracies(found, 0.0) - _accuracies(found, None)
            rows.append(_row("cost", noise, ALPHA, SIGMA, x=depth, values=lost))
    return rows


def _runs(seeds, n, noise, alpha, sigma, depth=1):
    """Trained networks; a seed whose training diverges is left out."""
    kind = cn.sgd.Noise() if noise == "none" else cn.sgd.Noise(noise, alpha, sigma)
    found = []
    for seed in seeds:
        try:
            net = runs.network("digits", n, depth=depth)
            found.append(runs.train(net, runs.dataset("digits"), kind, seed=seed, **SETTINGS))
        except cn.sgd.Diverged:
            continue
    return found


def _accuracies(found, ratio):
    """Train accuracy of each network pruned to this share, or by the criterion."""
    rows = runs.dataset("digits")
    pruned = [cn.prune.columns(run.weights, **({} if ratio is None else {"ratio": ratio})).weights for run in found]
    return np.array([runs.accuracy(run.network, weights, rows) for run, weights in zip(found, pruned)])


def _share(what, found, noise, alpha, sigma, depth=1):
    """The share by the criterion, and the median that the law of the noise alone says (one hidden layer)."""
    p, n = found[0].network.shapes[0]
    predicted = pruned_share.initial_share(p)
    if noise != "none":
        scale = sigma * (SETTINGS["eta"] * float(np.median([run.step - 1 for run in found]))) ** (1.0 / alpha)
        predicted = pruned_share.median_share(n, noise, alpha, scale, p)
    values = [cn.prune.columns(run.weights).share for run in found]
    return _row(what, noise, alpha, sigma, x=sigma if what == "share" else depth, values=values,
                predicted=predicted if depth == 1 else "")  # fmt: skip


def _row(what, noise, alpha, sigma, *, x, values, predicted=""):
    estimate, low, high = cn.intervals.interval(values, "median")
    return {"what": what, "noise": noise, "alpha": alpha, "sigma": 0.0 if noise == "none" else sigma, "x": x,
            "runs": len(values), "estimate": estimate, "low": max(low, -1.0), "high": min(high, 1.0),
            "predicted": predicted}  # fmt: skip


def draw(rows):
    """Shares, accuracies, depths -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib.lines import Line2D

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, ((types, tails), (accuracy, depths)) = plt.subplots(2, 2, figsize=(8.6, 8.6), layout="constrained")
    colours = {"none": "0.3", **dict(zip(TYPES, palette))}
    start = next(r for r in rows if r["what"] == "share" and r["noise"] == "none")

    indices = sorted({r["alpha"] for r in rows if r["what"] == "share" and r["noise"] == "II"})
    flare = dict(zip(indices, sns.color_palette("flare", len(indices))))
    curves = [(types, noise, ALPHA, colours[noise], f"Type {noise}") for noise in TYPES]
    curves += [(tails, "II", alpha, flare[alpha], f"α = {alpha:g}") for alpha in indices]
    for ax, noise, alpha, colour, _ in curves:
        own = sorted((r for r in rows if r["what"] == "share" and (r["noise"], r["alpha"]) == (noise, alpha)),
                     key=lambda r: r["x"])  # fmt: skip
        ax.plot([r["x"] for r in own], [r["predicted"] for r in own], color=colour, lw=1.1)
        # side by side where the types share a sigma
        shift = 1.06 ** (TYPES.index(noise) - 1) if ax is types else 1.0
        _points(ax, [{**r, "x": r["x"] * shift} for r in own], colour)
    for ax, title in ((types, f"types of noise, α = {ALPHA:g}"), (tails, "tail indices, Type II")):
        ax.axhline(start["estimate"], color=colours["none"], lw=0.9, ls=":")
        ax.set(xscale="log", xlabel="scale σ of the noise", ylabel="share of columns pruned", ylim=(0, 1), title=title)
        ticks = sorted({r["x"] for r in rows if r["what"] == "share" and r["x"] > 0.0})
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        handles = [Line2D([], [], color=c, lw=1.1, marker="o", ms=3.5) for a, _, _, c, _ in curves if a is ax]
        handles.append(Line2D([], [], color=colours["none"], lw=0.9, ls=":"))
        words = [word for a, *_, word in curves if a is ax] + ["trained without noise"]
        ax.legend(handles, words, ncols=2, title="dots: trained, 95 % intervals; lines: noise alone", **BELOW)

    for noise, colour in colours.items():
        own = [r for r in rows if r["what"] == "accuracy" and r["noise"] == noise]
        words = "no noise" if noise == "none" else f"Type {noise}"
        accuracy.plot([r["x"] for r in own], [r["estimate"] for r in own], color=colour, lw=1.2, label=words)
        accuracy.fill_between([r["x"] for r in own], [r["low"] for r in own], [r["high"] for r in own], color=colour,
                              alpha=0.15, lw=0)  # fmt: skip
        for r in rows:
            if r["what"] == "criterion" and r["noise"] == noise:
                accuracy.plot(r["x"], r["estimate"], marker="D", ms=6, color=colour, mec="white", zorder=5)
    accuracy.plot([], [], marker="D", lw=0, color="0.5", label="0.1 criterion")
    accuracy.set(xlabel="share of columns pruned", ylabel="train accuracy", ylim=(0, 1), xlim=(0, 1),
                 title=f"what pruning costs, α = {ALPHA:g}, σ = {SIGMA:g}")  # fmt: skip
    accuracy.legend(ncols=2, **BELOW)

    handles, words = [], []
    for what, marker, quantity in (("depth", "o", "share pruned"), ("cost", "s", "accuracy lost")):
        for noise, shift in (("none", -0.08), ("II", 0.08)):
            own = [{**r, "x": r["x"] + shift + (0.03 if what == "cost" else 0.0)} for r in rows
                   if r["what"] == what and r["noise"] == noise]  # fmt: skip
            _points(depths, own, colours[noise], marker, what == "depth")
            face = colours[noise] if what == "depth" else "white"
            handles.append(Line2D([], [], color=colours[noise], lw=0, marker=marker, ms=4, mfc=face))
            words.append(f"{quantity}, {'no noise' if noise == 'none' else 'Type II'}")
    depths.axhline(0.0, color="0.6", lw=0.6)
    depths.set(xlabel="hidden layers (2 and 3: beyond the theorems)", ylabel="share of columns, or of rows",
               xticks=sorted({r["x"] for r in rows if r["what"] == "depth"}), ylim=(-0.05, 1),
               title=f"deeper networks, α = {ALPHA:g}, σ = {SIGMA:g}")  # fmt: skip
    depths.set_xlim(0.6, max(r["x"] for r in rows if r["what"] == "depth") + 0.4)
    depths.legend(handles, words, ncols=2, **BELOW)
    return figure


def _points(ax, own, colour, marker="o", filled=True):
    """Medians with their intervals."""
    x, y, low, high = (np.array([r[key] for r in own], dtype=float) for key in ("x", "estimate", "low", "high"))
    ax.errorbar(x, y, yerr=[y - low, high - y], fmt=marker, ms=4, lw=0.9, color=colour, ecolor=colour,
                mfc=colour if filled else "white")  # fmt: skip


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, SEEDS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "pruning")


if __name__ == "__main__":
    main()
