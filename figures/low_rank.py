"""Does SGD with weight decay prefer low rank, and is it the batch size?

Question: smaller batches give weight matrices of lower rank (S2). Is that the batch size, or that in as many epochs a
small batch forgets more of the initial weights?

Compute: ReLU networks 64-64-64-64-10 on the digits; the rank of the last square matrix, singular values above 1e-3 of
its norm. Against B at equal epochs, at equal S = 2 lambda sum mu, and without decay. Against S for several batch sizes
and steps, one of them falling, beside the share of the initial singular values that the quarter-circle law leaves.
Fading sums of random rank-B updates beside the limit law of their singular values. And the moves of the weights in a
small network, with and without decay, with mini-batches and the full gradient.

Draw: at equal epochs the rank rises from 20 to 64 with B; at equal S and equal mu it falls, by 7 or so. All networks
lie near one curve of S, which falls through one half at S*; beyond it they keep the more the larger mu / B is. The
mechanism is real all the same: sums of rank-B updates have the rank that the law foretells, in proportion to
B / (mu lambda) while directions last. With decay and mini-batches the weights never come to rest.

    python figures/low_rank.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import math
from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import low_rank, low_rank_mechanism, low_rank_motion
from proofs_checks.low_rank_bed import bed
from proofs_checks.low_rank_training import SETTINGS

BUDGETS = {
    "quick": {"systems": 1, "sizes": (8, 16, 64), "plans": 2, "draws": 2},
    "standard": {"systems": 2, "sizes": (8, 16, 32, 64, 128), "plans": 5, "draws": 8},
    "full": {"systems": 6, "sizes": (4, 8, 16, 32, 64, 128, 256), "plans": 5, "draws": 40},
}
PLANS = ((16, 0.2, 0.2), (64, 0.2, 0.2), (8, 0.1, 0.1), (16, 0.2, 0.05), (4, 0.05, 0.05))  # B, mu, mu at last
STEP = 0.1  # of the networks drawn against B
FORGETTING = 7.0
GRID = (1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.0, 9.0)
RATES = (0.03, 0.05, 0.1, 0.2, 0.4)
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "frameon": False}  # a legend under its panel


def compute(budget="standard", seed=1, settings=SETTINGS, grid=GRID, rates=RATES, dim=240, steps=1600, **options):
    """Rows of the four studies -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    settings, grid, rates, dim, steps : optional
        Of the networks; where S is looked at; of the fading sums; steps of the small networks.
    **options
        systems, sizes, plans, draws in place of the budget's.
    """
    use = BUDGETS[budget] | options
    return [
        *_against_batch(seed, use, settings | {"step": STEP}),
        *_against_forgetting(seed, use, settings, grid),
        *_mechanism(seed, use, rates, dim),
        *_moves(seed, settings, steps),
    ]


def _row(what, label, x, y, predicted=""):
    return {"what": what, "label": label, "x": x, "y": float(y), "predicted": predicted}


def _net(seed, use, settings, stream=0):
    known = {key: settings[key] for key in ("ridge", "width", "depth")}
    return bed(low_rank.digits(), seed=seed, stream=stream, systems=use["systems"], **known)


def _against_batch(seed, use, settings):
    smallest = min(use["sizes"])
    for label, spoil in (("equal epochs", 1.0), ("equal S", 1.0), ("no decay", 0.0)):
        for batch in use["sizes"]:
            net = _net(seed, use, settings, batch)
            amount = FORGETTING * (1.0 if label == "equal S" else smallest / batch)
            net.train(amount, batch, settings["step"], spoil)
            yield _row("batch", label, batch, net.rank().mean())


def _against_forgetting(seed, use, settings, grid):
    for k, (batch, first, last) in enumerate(PLANS[: use["plans"]]):
        net = _net(seed, use, settings, k)
        words = f"B = {batch}, μ = {first:g}" + (f" → {last:g}" if last != first else "")
        for S in grid:
            net.train(S - net.S, batch, first if S <= 0.5 * grid[-1] else last)
            yield _row("forgetting", words, net.S, net.rank().mean())
        if k == 0:  # the law, with what this network has learnt in the end
            width, known = settings["width"], float(net.rank().mean())
            middle = float(cn.low_rank.threshold(net.start, net.observed).mean())
            yield _row("threshold", "S*", middle, 0.5 * (width + known))
            for S in np.linspace(grid[0], grid[-1], 80):
                left = cn.low_rank.left(math.exp(S - middle), known / width)
                yield _row("law", "quarter-circle law", S, known + (width - known) * left)


def _mechanism(seed, use, rates, dim):
    for batch in (1, 2, 4):
        for rate in rates:
            case = {"batch": batch, "dim": dim, "eps": 1e-3}
            found = [low_rank_mechanism.mechanism(rate, seed=seed * 1000 + k, **case)["rank"]
                     for k in range(use["draws"])]  # fmt: skip
            yield _row("mechanism", f"B = {batch}", rate, np.mean(found), low_rank_mechanism.law_of_rank(rate, **case))


def _moves(seed, settings, steps):
    rows = low_rank_motion.few(low_rank.digits)
    for case in (low_rank_motion.MOVING, *low_rank_motion.CASES):
        rng = np.random.default_rng(seed)
        weights = low_rank_motion.small(rows, rng, 2)
        moved = cn.low_rank_mlp.train(
            weights, *rows[:2], batch=4 if "mini" in case else None, step=settings["step"],
            ridge=0.0 if case.startswith("no") else settings["ridge"], steps=steps, rng=rng, unit="tanh", moves=steps,
        )  # fmt: skip
        size = np.sqrt((moved**2).sum(axis=1)).mean(axis=1)
        edges = np.unique(np.geomspace(1, steps, 25).astype(int))
        for start, stop in zip(edges[:-1], edges[1:]):
            yield _row("moves", case, float(math.sqrt(start * stop)), size[start:stop].mean())


def draw(rows):
    """Rank against B and against S, the mechanism, the moves -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, ((batch, forgetting), (mechanism, moves)) = plt.subplots(2, 2, figsize=(8.6, 8.2), layout="constrained")

    def series(what):
        labels = dict.fromkeys(r["label"] for r in rows if r["what"] == what)
        for colour, label in zip(palette, labels):
            own = [r for r in rows if r["what"] == what and r["label"] == label]
            yield colour, label, own, [r["x"] for r in own], [r["y"] for r in own]

    for (colour, label, _, x, y), marker in zip(series("batch"), "osD"):
        batch.plot(x, y, marker=marker, ms=4.5, lw=1.1, color=colour, label=label)
    batch.set(xscale="log", xlabel="batch size B", ylabel="rank of W (of 64)", ylim=(0, 68),
              title="the batch size, or the forgetting?")  # fmt: skip
    sizes = sorted({r["x"] for r in rows if r["what"] == "batch"})
    batch.set_xticks(sizes, [f"{b:g}" for b in sizes])
    batch.minorticks_off()
    batch.legend(ncols=3, **BELOW)

    law = [(r["x"], r["y"]) for r in rows if r["what"] == "law"]
    forgetting.plot(*zip(*law), color="0.35", lw=1.1, zorder=1, label="quarter-circle law")
    for (colour, label, _, x, y), marker in zip(series("forgetting"), "osD^v"):
        forgetting.plot(x, y, marker, ms=4, color=colour, label=label)
    for r in (r for r in rows if r["what"] == "threshold"):
        forgetting.axvline(r["x"], color="0.35", lw=0.9, ls=":")
        forgetting.text(r["x"] + 0.12, 63, "S*", color="0.35", va="center")
    forgetting.set(xlabel="forgetting S = 2λ Σ μ", ylabel="rank of W (of 64)", ylim=(0, 68),
                   title="near one curve of S for all B and μ")  # fmt: skip
    forgetting.legend(ncols=2, **BELOW)

    for colour, label, own, x, y in series("mechanism"):
        mechanism.plot(x, [r["predicted"] for r in own], color=colour, lw=1.1)
        mechanism.plot(x, y, "o", ms=4.5, color=colour, label=label)
    mechanism.plot([], [], color="0.35", lw=1.1, label="limit law")
    rates = sorted({r["x"] for r in rows if r["what"] == "mechanism"})
    mechanism.set(xscale="log", yscale="log", xlabel="2μλ", ylabel="rank above 0.001 ‖W‖",
                  title="random rank-B updates alone")  # fmt: skip
    mechanism.set_xticks(rates, [f"{r:g}" for r in rates])
    ticks = [t for t in (10, 20, 50, 100, 200) if t >= 0.8 * min(r["y"] for r in rows if r["what"] == "mechanism")]
    mechanism.set_yticks(ticks, [f"{t}" for t in ticks])
    mechanism.minorticks_off()
    mechanism.legend(ncols=4, **BELOW)

    for colour, label, _, x, y in series("moves"):
        moves.plot(x, y, lw=1.3, color=colour, label=label)
    moves.set(xscale="log", yscale="log", xlabel="steps", ylabel="move of the weights, ‖ΔW‖ / μ",
              title="weights come to rest, or not")  # fmt: skip
    moves.legend(ncols=2, **BELOW)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, BUDGETS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "low_rank")


if __name__ == "__main__":
    main()
