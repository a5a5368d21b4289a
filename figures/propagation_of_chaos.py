"""What does n^(-1/2) rest on: light tails, or a bounded interaction?

Question: a particle of an n-particle system and its limit copy, driven by the same stable noise, differ by a gap. Is
its rate in n that of a mean of n variables without variance, n^-(1-1/alpha), or the n^(-1/2) of bounded ones?

Compute: claim C2 on bed K (bounded interaction) and on bed L (linear, unbounded), everything else alike. On bed L the
law of the gap is known, and its exact median is drawn beside the measured one.

Draw: the two beds side by side. On K one line for every alpha, of slope -1/2; on L a slope for each.

    python figures/propagation_of_chaos.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from dataclasses import replace
from functools import partial

import chaosnum as cn
from proofs_checks import propagation_of_chaos as theorem

ALPHAS = (1.2, 1.5, 1.8, 2.0)
TITLES = {"kuramoto": "bounded interaction (bed K)", "linear": "linear, unbounded interaction (bed L)"}


def compute(alphas=ALPHAS, budget="standard", seed=1, scales=None, replicas=None):
    """One row for each point of both beds.

    Parameters
    ----------
    alphas : sequence of float in (1, 2]
    budget : {"quick", "standard", "full"}
    seed : int
    scales, replicas : optional
        In place of the budget's.

    Returns
    -------
    list of dict
    """
    kuramoto = theorem.KURAMOTO.predicts["sup gap"]
    claims = [
        replace(theorem.KURAMOTO, predicts={"sup gap": kuramoto}),
        replace(theorem.LINEAR, scales=[100 * 2**j for j in range(6)], replicas=24),
    ]
    if scales is not None:
        claims = [replace(c, scales=scales, replicas=replicas) for c in claims]
    verdicts = cn.verify(claims, budget=budget, seed=seed, params={"alpha": list(alphas)})
    return [row for v in verdicts for row in _rows(v.as_dict(), seed)]


def _rows(v, seed):
    known = {"alpha": v["params"]["alpha"], "model": v["model"], "statistic": v["statistic"], "seed": seed}
    ci = v["measured"]["ci"] or (None, None)
    rates = {"claimed": v["claimed"]["exponent"], "exponent": v["measured"]["exponent"],
             "exponent_low": ci[0], "exponent_high": ci[1], "verdict": v["verdict"]}  # fmt: skip
    for p in v["points"]:
        n = int(p["scale"])
        exact = _exact(n, v["params"]) if v["model"] == "linear" else None
        yield {**known, "n": n, "estimate": p["estimate"], "low": p["lo"], "high": p["hi"], "exact": exact,
               "bound": p["bound"], "replicas": p["replicas"], **rates}  # fmt: skip


def _exact(n, params):
    """Median of |gap| at time T on bed L."""
    names = ("alpha", "sigma", "lam", "chi")
    steps = round(params["T"] / params["eta"])
    scale = cn.linear.gap_scale_euler(n, steps, params["eta"], **{k: params[k] for k in names})
    return scale * cn.linear.median_abs(params["alpha"])


def draw(rows):
    """The two beds side by side -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    import seaborn as sns
    from matplotlib import ticker

    sns.set_theme(style="whitegrid", context="paper")
    alphas = sorted({r["alpha"] for r in rows})
    colours = dict(zip(alphas, sns.color_palette("colorblind", len(alphas))))
    markers = dict(zip(alphas, "osD^vP*X"))
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.8), sharex=True, sharey=True, layout="constrained")
    for ax, model in zip(axes, TITLES):
        handles = []
        for i, alpha in enumerate(alphas):
            own = sorted((r for r in rows if r["model"] == model and r["alpha"] == alpha), key=lambda r: r["n"])
            x = np.array([r["n"] for r in own], dtype=float)
            y = np.array([r["estimate"] for r in own])
            bars = [y - [r["low"] for r in own], np.array([r["high"] for r in own]) - y]
            shift = 1.0 + 0.04 * (i - (len(alphas) - 1) / 2)  # side by side, or the points would hide each other
            bar = ax.errorbar(x * shift, y, yerr=np.maximum(bars, 0), fmt=markers[alpha], color=colours[alpha],
                              ms=4, lw=1, capsize=1.5, zorder=3)  # fmt: skip
            handles.append((bar, _words(own[0])))
            exact = [r["exact"] for r in own]
            if None not in exact:
                ax.plot(x, exact, color=colours[alpha], lw=1.2)
            elif i == 0:
                level = np.exp(np.mean(np.log(y) + 0.5 * np.log(x)))
                ax.plot(x, level * x**-0.5, color="0.25", lw=1.2)
        ax.set(title=TITLES[model], xscale="log", yscale="log", xlabel="particles n")
        ax.legend(*zip(*handles), loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False,
                  title="exponent, 95 % interval")  # fmt: skip
        scales = sorted({r["n"] for r in rows})
        keep = scales[:: -(-len(scales) // 5)]
        ax.xaxis.set_major_locator(ticker.FixedLocator(keep))
        ax.xaxis.set_major_formatter(ticker.FixedFormatter([str(n) for n in keep]))
        ax.minorticks_off()
    axes[0].set_ylabel("gap to the limit copy")
    corner = {"xy": (0.97, 0.96), "xycoords": "axes fraction", "ha": "right", "va": "top", "color": "0.25"}
    axes[0].annotate("points: mean over particles\nand systems; line: slope −1/2", **corner)
    axes[1].annotate("points: median over systems\nlines: exact median", **corner)
    low, high = min(r["estimate"] for r in rows), max(r["estimate"] for r in rows)
    axes[0].set_ylim(low / 1.5, high * 2.2)
    figure.suptitle("The same noise, the same coupling: boundedness is what buys n$^{-1/2}$", x=0.01, ha="left")
    return figure


def _words(r):
    measured = "–" if r["exponent"] is None else (
        f"{r['exponent']:.3f} [{r['exponent_low']:.3f}, {r['exponent_high']:.3f}]")  # fmt: skip
    return f"α = {r['alpha']:g}: {measured}, claimed {r['claimed']:.3f}".replace("-", "−")


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, ("quick", "standard", "full"), argv)
    rows = compute(budget=options.budget, seed=options.seed)
    write(rows, options.out / "propagation_of_chaos")


if __name__ == "__main__":
    main()
