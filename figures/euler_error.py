"""How fast does the Euler scheme follow the stable-driven equation: eta^(1/alpha), as proved, or eta?

Question: the proof of C3 bounds the error at grid times by C eta^(1/alpha), from the distance that the noise covers
within a step. Is that sharp, and would the experiment notice a scheme that is wrong?

Compute: claim C3 on bed K, mean over particles, and its two negative controls: the coarse noise scaled by eta^(1/2) in
place of eta^(1/alpha), and drawn afresh in place of summed.

Draw: for each alpha the error against eta, the claimed slope from the largest eta on, order 1, and the explicit bound.
The points run along order 1: the bound holds and is not sharp. Both controls leave the claimed slope.

    python figures/euler_error.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from dataclasses import replace
from functools import partial

import chaosnum as cn
from proofs_checks import euler_error as theorem

ALPHAS = (1.2, 1.5, 1.8, 2.0)


def compute(alphas=ALPHAS, budget="standard", seed=1, scales=None, replicas=None, n=None):
    """One row for each point of the claim and of its controls.

    Parameters
    ----------
    alphas : sequence of float in (1, 2]
    budget : {"quick", "standard", "full"}
    seed : int
    scales, replicas, n : optional
        In place of the claim's.

    Returns
    -------
    list of dict
    """
    claim = replace(theorem.KURAMOTO, predicts={"sup error": theorem.KURAMOTO.predicts["sup error"]})
    if scales is not None:
        controls = tuple(replace(c, replicas=replicas) for c in claim.controls)
        claim = replace(claim, scales=scales, replicas=replicas, controls=controls)
    params = {"alpha": list(alphas)} if n is None else {"alpha": list(alphas), "n": n}
    verdicts = cn.verify(claim, budget=budget, seed=seed, params=params)
    verdicts += cn.verify(claim, budget=budget, seed=seed, params=params, control="all")
    return [row for v in verdicts for row in _rows(v.as_dict(), seed)]


def _rows(v, seed):
    ci = v["measured"]["ci"] or (None, None)
    for p in v["points"]:
        yield {"alpha": v["params"]["alpha"], "control": v["control"] or "", "statistic": v["statistic"], "seed": seed,
               "eta": p["scale"], "estimate": p["estimate"], "low": p["lo"], "high": p["hi"], "bound": p["bound"],
               "replicas": p["replicas"], "claimed": v["claimed"]["exponent"], "exponent": v["measured"]["exponent"],
               "exponent_low": ci[0], "exponent_high": ci[1], "verdict": v["verdict"]}  # fmt: skip


def draw(rows):
    """A panel for each alpha -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    import seaborn as sns
    from matplotlib import ticker

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    kinds = {
        "": ("Euler scheme, mean over particles", palette[0], "o"),
        "wrong-scale": ("control: noise scaled by η$^{1/2}$, median", palette[3], "X"),
        "redrawn": ("control: noise drawn afresh, median", palette[4], "P"),
    }
    alphas = sorted({r["alpha"] for r in rows})
    columns = min(2, len(alphas))
    lines = -(-len(alphas) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(1.2 + 3.6 * columns, 1.5 + 2.6 * lines), sharex=True,
                                sharey=True, squeeze=False, layout="constrained")  # fmt: skip
    handles = {}
    for ax, alpha in zip(axes.flat, alphas):
        for kind, (words, colour, marker) in kinds.items():
            own = sorted((r for r in rows if r["alpha"] == alpha and r["control"] == kind), key=lambda r: r["eta"])
            if not own:
                continue
            x, y, low, high = (np.array([r[k] for r in own]) for k in ("eta", "estimate", "low", "high"))
            handles[words] = ax.errorbar(x, y, yerr=np.maximum([y - low, high - y], 0), fmt=marker, color=colour, lw=1,
                                         ms=4.5, capsize=1.5, ls=":" if kind else "none", zorder=3)  # fmt: skip
            if not kind:
                first = own[0]
                handles["explicit bound"] = ax.plot(x, [r["bound"] for r in own], "--", color=palette[1], lw=1.3)[0]
                handles["claimed slope 1/α"] = ax.plot(x, y[-1] * (x / x[-1]) ** first["claimed"], color="0.75", lw=3,
                                                       zorder=1)[0]  # fmt: skip
                handles["slope 1"] = ax.plot(x, y[-1] * x / x[-1], color=palette[0], lw=1)[0]
        measured = "" if first["exponent"] is None else (
            f"{first['exponent']:.3f} [{first['exponent_low']:.3f}, {first['exponent_high']:.3f}]")  # fmt: skip
        ax.set_title(f"α = {alpha:g}: exponent {measured}, claimed ≥ {first['claimed']:.3g}", fontsize=9)
        ax.set(xscale="log", yscale="log")
        ax.xaxis.set_major_locator(ticker.FixedLocator([r["eta"] for r in own]))
        ax.xaxis.set_major_formatter(ticker.FixedFormatter([cn.words.scale_words(r["eta"]) for r in own]))
        ax.minorticks_off()
    for spare in axes.flat[len(alphas) :]:
        spare.remove()
    for ax in axes.flat[max(len(alphas) - columns, 0) : len(alphas)]:
        ax.set_xlabel("step η")
    figure.supylabel("largest error at grid times", fontsize=10)
    order = [k[0] for k in kinds.values() if k[0] in handles] + ["slope 1", "claimed slope 1/α", "explicit bound"]
    figure.legend([handles[k] for k in order], order, loc="outside lower center", ncols=2, frameon=False)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, ("quick", "standard", "full"), argv)
    rows = compute(budget=options.budget, seed=options.seed)
    write(rows, options.out / "euler_error")


if __name__ == "__main__":
    main()
