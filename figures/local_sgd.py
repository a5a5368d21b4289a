"""Is Overlap Local-SGD better than its rivals, and at what?

Question: workers that average in the background wait less, but the anchor that pulls them back makes their step smaller
and unlike data drive them apart. What is left at equal effective step, per iteration and per second (S5)?

Compute: the effective step on a quadratic against pull, with and without momentum. The disagreement of the workers
by unlike data against tau at equal effective step, for Overlap, CoCoD-SGD and Local SGD. Logistic regression on the
digits sorted by label: excess loss per iteration at equal nominal and at equal effective step. The same at equal
effective step against run time, in the max-plus model with exponential compute times, for alike and unlike data.

Draw: dots are simulations, lines predictions. Overlap ends below CoCoD at equal nominal step, as its effective step is
smaller, and above it at equal effective step; plain Local SGD is best per iteration. Per second those that overlap win
where the data are alike, and stall where they are not.

    python figures/local_sgd.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from functools import partial

import numpy as np

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet
from proofs_checks import local_sgd_ranking as digits
from proofs_checks import local_sgd_step

RUNS = {"quick": 2, "standard": 6, "full": 24}
PULLS = tuple(k / 20 for k in range(1, 20, 2))
TAUS = (1, 2, 4, 8, 16, 32)
BETAS = (0.0, 0.4, 0.7, 0.9)
METHODS = ("overlap", "cocod", "local")
NOMINAL, PULL, TAU, EVERY, COMM = 0.5, 0.6, 8, 10, 1.0
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "frameon": False}


def compute(budget="standard", seed=1, runs=None, iterations=1000, pulls=PULLS, taus=TAUS, betas=BETAS):
    """Rows of the four panels -> list of dict.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
    seed : int
    runs, iterations, pulls, taus, betas : optional
        Runs behind a curve of the digits, their length, the abscissas of the first two panels and their momenta.
    """
    rows = [_step(pull, beta) for beta in betas for pull in pulls]
    rows += [_drift(method, tau) for method in METHODS for tau in taus]
    count, factor = runs or RUNS[budget], cn.local_sgd.effective_factor(PULL)
    curves = {  # name: (rule, run time as)
        "overlap": (cn.local_sgd.Rule(NOMINAL, TAU, PULL), "overlap"),
        "cocod": (cn.local_sgd.Rule(factor * NOMINAL, TAU, method="cocod"), "overlap"),
        "local": (cn.local_sgd.Rule(factor * NOMINAL, TAU, method="local"), "local"),
        "synchronous": (cn.local_sgd.Rule(factor * NOMINAL, 1, method="local"), "sync"),
        "cocod, nominal": (cn.local_sgd.Rule(NOMINAL, TAU, method="cocod"), "overlap"),
    }
    for like in (0.0, 1.0):
        for name, (rule, timed) in curves.items():
            if like and name == "cocod, nominal":
                continue
            rows += _curve(name, rule, timed, like, [(seed << 32) + r for r in range(count)], iterations)
    return rows


def _row(panel, method, x, y, **more):
    return {"panel": panel, "method": method, "x": x, "y": y, "predicted": "", "seconds": "", "like": "", **more}


def _step(pull, beta):
    """Effective step over step of a noiseless run, and its first order."""
    about = {"step": 0.02, "workers": 4, "h": 0.1}
    found = local_sgd_step.effective_step(fleet.quadratics, 4, seed=0, pull=pull, beta=beta, **about)
    first = cn.local_sgd.effective_factor(pull, beta)
    return _row("step", f"{beta:g}", pull, found[local_sgd_step.MEASURED], predicted=first)


def _drift(method, tau, step=0.02):
    """Disagreement over (effective step)^2 kappa^2 of quadratics, simulated and exact."""
    about = {"h": 0.1, "tilt": 1.0, "workers": 8}
    own = step / cn.local_sgd.effective_factor(PULL) if method == "overlap" else step
    exact = fleet.moments(fleet.quadratics, tau, own, PULL, method=method, **about)
    found = []

    def observe(k, state, g):
        if k >= 59 * tau:
            found.append(state.disagreement()[0])

    cn.local_sgd.run(exact.problem.gradient, exact.problem.optimum, exact.rule, 60 * tau, workers=8, observe=observe)
    return _row("drift", method, tau, np.mean(found) / step**2, predicted=exact.disagreement() / step**2)


def _curve(name, rule, timed, like, seeds, iterations):
    """Excess losses along the run, mean over runs, and the mean time at which they are reached."""
    problem, losses, times = digits.digits(like), [], []
    for seed in seeds:
        seen = []

        def observe(k, state, g, seen=seen):
            if k % EVERY == 0:
                seen.append(float(problem.loss(state.mean())[0]) - problem.minimum)

        digits.excess(problem, rule, iterations, seed, observe)
        c = np.random.default_rng([seed, 1]).standard_exponential((problem.workers, iterations // rule.tau * rule.tau))
        ends = np.append(0.0, cn.max_plus.times(timed, c, COMM, rule.tau))
        times.append(np.interp(np.arange(0, iterations, EVERY), rule.tau * np.arange(len(ends)), ends))
        losses.append(seen)
    rows = zip(range(0, iterations, EVERY), np.mean(losses, axis=0), np.mean(times, axis=0))
    return [_row("digits", name, k, float(y), seconds=float(t), like=like) for k, y, t in rows]


def draw(rows):
    """Effective step, drift, loss per iteration, loss per second -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="paper")
    palette = sns.color_palette("colorblind")
    colours = {"overlap": palette[3], "cocod": palette[0], "local": palette[2], "synchronous": "0.4"}
    names = {"overlap": "Overlap", "cocod": "CoCoD", "local": "Local SGD", "synchronous": "synchronous"}
    figure, ((step, drift), (loss, time)) = plt.subplots(2, 2, figsize=(8.6, 8.2), layout="constrained")

    betas = list(dict.fromkeys(r["method"] for r in rows if r["panel"] == "step"))
    for beta, colour in zip(betas, sns.color_palette("flare", len(betas))):
        own = [r for r in rows if (r["panel"], r["method"]) == ("step", beta)]
        step.plot([r["x"] for r in own], [r["predicted"] for r in own], color=colour, lw=1.1, label=f"β = {beta}")
        step.plot([r["x"] for r in own], [r["y"] for r in own], "o", ms=4, color=colour)
    step.set(xlabel="pull", ylabel="effective step / step", xlim=(0, 1), ylim=(0, 1.02),
             title="effective step: (1 − pull)/(1 − pull β)")  # fmt: skip
    step.legend(ncols=4, title="dots: decay on a quadratic; lines: formula", **BELOW)

    for method in METHODS:
        own = [r for r in rows if (r["panel"], r["method"]) == ("drift", method) and r["y"] > 1e-12]
        drift.plot([r["x"] for r in own], [r["predicted"] for r in own], color=colours[method], lw=1.1)
        drift.plot([r["x"] for r in own], [r["y"] for r in own], "o", ms=4, color=colours[method], label=names[method])
    drift.set(xscale="log", yscale="log", xlabel="local steps τ in a round",
              ylabel="disagreement / (effective step)² κ²",
              title=f"drift by unlike data, equal effective step, pull = {PULL:g}")  # fmt: skip
    drift.set_xticks([r["x"] for r in rows if (r["panel"], r["method"]) == ("drift", "overlap")])
    drift.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
    drift.minorticks_off()
    drift.legend(ncols=3, title="dots: simulated; lines: exact", **BELOW)

    curves = [r for r in rows if r["panel"] == "digits"]
    for name in dict.fromkeys(r["method"] for r in curves):
        base = name.split(",")[0]
        used = NOMINAL if base == "overlap" or base != name else NOMINAL * cn.local_sgd.effective_factor(PULL)
        label = f"{names[base]}, step {used:.2g}"
        own = [r for r in curves if r["method"] == name and r["like"] == 0.0]
        loss.plot([r["x"] for r in own], [r["y"] for r in own], color=colours[base], lw=1.3,
                  ls="--" if base != name else "-", label=label)  # fmt: skip
    loss.set(yscale="log", xlabel="iterations", ylabel="excess loss",
             title=f"digits sorted by label, 8 workers, τ = {TAU}")  # fmt: skip
    loss.legend(ncols=2, title="solid: effective step 0.2; dashed: effective step 0.5", **BELOW)

    for name in names:
        for like, style in ((1.0, "-"), (0.0, ":")):
            own = [r for r in curves if r["method"] == name and r["like"] == like]
            time.plot([r["seconds"] for r in own], [r["y"] for r in own], color=colours[name], lw=1.3, ls=style,
                      label=names[name] if like else None)  # fmt: skip
    ends = [max(r["seconds"] for r in curves if r["method"] == name) for name in ("overlap", "local")]
    time.set(yscale="log", xlabel="run time in mean compute times of an iteration", ylabel="excess loss",
             xlim=(0, max(ends)), title=f"equal effective step, all-reduce = {COMM:g} iteration")  # fmt: skip
    time.legend(ncols=2, title="solid: rows dealt at random; dotted: sorted by label", **BELOW)
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, RUNS, argv)
    rows = compute(options.budget, options.seed)
    write(rows, options.out / "local_sgd")


if __name__ == "__main__":
    main()
