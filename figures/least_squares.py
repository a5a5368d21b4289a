"""How well does theory tell what averaged SGD does on least squares, and which of its constants and steps matter?

Question: is the risk of tail-averaged SGD known exactly, and how far above it do the published bounds lie (S6.3)?
What does a batch gain (S6.2), what do many machines (S6.5), and must the step know the noise (S6.7)?

Compute: runs of SGD on Gaussian rows with eigenvalues 1/i, on the diabetes data and on the digits as populations. Their
mean risk with its interval beside the exact recursion of the moments and Theorem 1. Iterations to 10^-6 against the
batch. P times the risk of P machines' mean, with a long and a short burn-in. The variance against the dimension where a
tenth of the rows carry all the noise, with steps that know rho and that do not.

Draw: dots are runs, lines the exact values, dashes the bounds. The dots lie on the lines. The theorem's 4 is some three
times too large; the gain of a batch saturates at batch_thresh; the bias of the mean is not averaged away; and without
rho in the step the variance exceeds 4 sigma2_mle/N and grows with the dimension.

    python figures/least_squares.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

import itertools
from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import least_squares_noise as noise
from proofs_checks import least_squares_risk as risks
from proofs_checks import least_squares_sources as sources
from proofs_checks import least_squares_stability as stability

MODELS = {"harmonic": sources.harmonic, "diabetes": sources.diabetes, "digits": sources.digits}
LABELS = {"harmonic": "Gaussian, λ = 1/i, d = 20", "diabetes": "diabetes, d = 10", "digits": "digits, 16 components"}
SAMPLES, MACHINES = (500, 1000, 2000, 4000), (1, 2, 4, 8, 16)
BATCHES, DIMS = (1, 2, 4, 8, 16, 32, 52, 128, 512), (3, 5, 10, 20, 30, 100)
RISK = {"batch": 4, "step": 0.5, "burn": 100}
AVERAGED = {"dim": 6, "batch": 4, "step": 0.5, "average": 60}
REPLICAS = {"quick": 3, "standard": 12, "full": 100}


def compute(budget="standard", seed=1, replicas=None, samples=SAMPLES, batches=BATCHES, machines=MACHINES, dims=DIMS):
    """Rows of the four panels -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    replicas, samples, batches, machines, dims : optional
        Cells a point, and the points of the four panels.
    """
    count, used = replicas or REPLICAS[budget], itertools.count(seed << 32)

    def cells(measure, key=None):
        found = [measure(seed=s) for s in itertools.islice(used, count)]
        return found if key is None else [cell[key] for cell in found]

    rows = []
    for model, source in MODELS.items():
        for n in samples:
            found, run = risks.setting(n, source, dim=20, **RISK)
            unit = run["batch"] * run["count"] / found.sigma2_mle
            values = cells(partial(risks.tail_average, n, source=source, dim=20, **RISK), risks.RISK)
            exact = unit * cn.least_squares_moments.excess(found, **run)
            bound = unit * cn.least_squares_bounds.average_bound(found, **run)
            rows.append(_row("risk", model, n, unit * np.array(values), exact, bound))
    for b in batches:
        values = cells(partial(stability.iterations, b, dim=50), stability.ITERATIONS)
        rows.append(_row("batch", "isotropic", b, values, stability.foretold(b, 50)))
    for burn, name in ((60, "long"), (6, "short")):
        for P in machines:
            values, exact, bound = _machines(P, burn, cells)
            rows.append(_row("machines", name, P, values, exact, bound))
    for d in dims:
        for name, source, key in (
            ("rho = 1", sources.noisy_axis, noise.SHORT), ("rho", sources.noisy_axis, noise.KNOWN),
            ("even", sources.even_noise, noise.SHORT),
        ):  # fmt: skip
            rows.append(_row("noise", name, d, None, noise.limits(d, seed=0, source=source)[key], 4.0))
    for d in [d for d in dims if 10 <= d <= 30]:
        found = cells(partial(noise.in_runs, d))
        for name, which, key in (("rho = 1", 0, noise.SIMULATED), ("rho", 1, noise.SIMULATED_KNOWN)):
            exact = noise.expected(d, which)
            rows.append(_row("runs", name, d, [cell[key] for cell in found], exact, 4.0))
    return rows


def _machines(P, burn, cells):
    """P times the risk of the mean of P machines, over sigma2_mle / (bN)."""
    from proofs_checks import least_squares_machines

    params = {key: AVERAGED[key] for key in ("dim", "batch", "step")} | {"burn": burn}
    params["samples"] = params["batch"] * (burn + AVERAGED["average"])
    found, run = risks.setting(source=sources.harmonic, **params)
    unit = run["batch"] * run["count"] / found.sigma2_mle
    measure = partial(least_squares_machines.averaging, P, source=sources.harmonic, **params)
    exact = unit * P * cn.least_squares_moments.excess(found, machines=P, **run)
    bound = unit * P * cn.least_squares_bounds.average_bound(found, machines=P, **run)
    return unit * np.array(cells(measure, least_squares_machines.SHARED)), exact, bound


def _row(panel, series, x, values, exact, bound=""):
    estimate, low, high = ("", "", "") if values is None else cn.intervals.interval(values, "mean")
    return {"panel": panel, "series": series, "x": x, "estimate": estimate, "low": low, "high": high, "exact": exact,
            "bound": bound}  # fmt: skip


def draw(rows):
    """Risk, batch, machines, noise -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    figure, ((risk, batch), (machines, noisy)) = plt.subplots(2, 2, figsize=(8.8, 7.6), layout="constrained")

    def series(panel, name):
        return sorted((r for r in rows if r["panel"] == panel and r["series"] == name), key=lambda r: r["x"])

    def curve(ax, panel, name, colour, label, bound=False):
        own = series(panel, name)
        ax.plot([r["x"] for r in own], [r["exact"] for r in own], color=colour, lw=1.3, label=label)
        if bound:
            ax.plot([r["x"] for r in own], [r["bound"] for r in own], color=colour, lw=1.0, ls="--")

    def points(ax, panel, name, colour):
        own = series(panel, name)
        x, y, low, high = (np.array([r[key] for r in own], dtype=float) for key in ("x", "estimate", "low", "high"))
        ax.errorbar(x, y, yerr=[y - low, high - y], fmt="o", ms=4, lw=0.9, color=colour)

    for name, colour in zip(MODELS, palette):
        curve(risk, "risk", name, colour, LABELS[name], bound=True)
        points(risk, "risk", name, colour)
    risk.plot([], [], color="0.4", ls="--", lw=1.0, label="Theorem 1")
    risk.axhline(1.0, color="0.5", lw=0.8, ls=":", label="best estimate from bN rows")
    risk.set(xscale="log", yscale="log", xlabel="rows n", ylabel="excess risk × bN / σ²_MLE",
             title="S6.3  risk of the tail average, b = 4, s = 100")  # fmt: skip
    ticks = [r["x"] for r in series("risk", "digits")]
    risk.set_xticks(ticks, [f"{t:g}" for t in ticks])
    risk.legend(fontsize=7, loc="center left", bbox_to_anchor=(0.0, 0.52))

    curve(batch, "batch", "isotropic", palette[0], "log 10⁶ / −log(1 − b/(d+b+1))")
    points(batch, "batch", "isotropic", palette[0])
    own = series("batch", "isotropic")
    batch.plot([r["x"] for r in own], [own[0]["exact"] / r["x"] for r in own], color="0.5", lw=0.9, ls=":",
               label="perfect speed-up")  # fmt: skip
    batch.axvline(53, color="0.3", lw=0.9, ls="--", label="batch_thresh = d + 3")
    batch.set(xscale="log", yscale="log", xlabel="batch b", ylabel="iterations to 10⁻⁶",
              title="S6.2  what a batch gains, H = I, d = 50")  # fmt: skip
    batch.set_ylim(bottom=1.0)
    batch.legend(fontsize=7, loc="lower left")

    for (name, words), colour in zip({"long": "step·μ·s = 5.4", "short": "step·μ·s = 0.5"}.items(), palette):
        curve(machines, "machines", name, colour, words, bound=True)
        points(machines, "machines", name, colour)
    machines.plot([], [], color="0.4", ls="--", lw=1.0, label="bound")
    machines.set(xscale="log", yscale="log", xlabel="machines P", ylabel="P × excess risk × bN / σ²_MLE",
                 title="S6.5  P machines average: the bias of the mean stays")  # fmt: skip
    machines.legend(fontsize=7, loc="upper left")
    ticks = [r["x"] for r in series("machines", "long")]
    machines.set_xticks(ticks, [f"{t:g}" for t in ticks])

    words = {"rho = 1": "noise on few rows, step without ρ", "rho": "noise on few rows, step with ρ = d",
             "even": "well specified, same H and σ²_MLE"}  # fmt: skip
    for name, colour in zip(words, (palette[3], palette[2], "0.4")):
        curve(noisy, "noise", name, colour, words[name])
        if name != "even":
            own = series("runs", name)
            noisy.plot([r["x"] for r in own], [r["exact"] for r in own], color=colour, lw=1.1, ls="-.")
            points(noisy, "runs", name, colour)
    noisy.axhline(4.0, color="0.3", lw=1.0, ls="--", label="the theorem's constant, 4")
    noisy.set(xscale="log", yscale="log", xlabel="dimension d", ylabel="variance × N / σ²_MLE",
              title="S6.7  the step must know the noise")  # fmt: skip
    ticks = sorted({r["x"] for r in rows if r["panel"] == "noise"})
    noisy.set_xticks(ticks, [f"{t:g}" for t in ticks])
    noisy.set_yticks([1, 2, 4, 10, 30], ["1", "2", "4", "10", "30"])
    noisy.legend(fontsize=7, loc="upper left", title="lines: N → ∞; dots, dash-dotted: N = 1,500", title_fontsize=7)
    for ax in (risk, machines, noisy):
        ax.xaxis.minorticks_off()
    noisy.yaxis.minorticks_off()
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, REPLICAS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "least_squares")


if __name__ == "__main__":
    main()
