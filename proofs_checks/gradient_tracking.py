"""S4: stochastic gradient tracking on time-varying directed graphs (SAB-TV): exact rates, floors, thresholds.

Statement
    Agents with f_1, ..., f_m exchange vectors along strongly connected directed graphs that change with time and run
        x^{k+1} = A_k x^k - s y^k,     y^{k+1} = B_k y^k + g^{k+1} - g^k,     y^0 = g^0,
    A_k row-, B_k column-stochastic, g the noisy gradients. For small s they converge linearly, in mean square, to a
    neighbourhood of the minimiser x* of the sum; without noise to x* itself (arXiv 2305.00629, abstract). The published
    rates and neighbourhoods are upper bounds; for quadratics with additive noise all of it is exact, and derived in
    ``chaosnum/gradient_tracking_law.py``. For other objectives that is the linearisation at x*.

What is checked, by running the iteration itself
    S4.1  Without noise the error left after 34 e-foldings is round-off: the limit is x*. The decay, -log(rate), is that
          of the spectral radius of the system over a period on the invariant sum y = sum grad f, to 1 % of itself in
          each run: a fit over finitely many periods has a transient (runs.System.doubt). Steps at which this or the
          beat of a complex pair spoils the fit are left out.
    S4.2  The floors with noise are the solution of a periodic Lyapunov equation (``gradient_tracking_noise.py``).
    S4.3  For small steps the decay is s a lambda_min(sum H), and E |xhat - x*|^2 is s V, which exceeds the formula for
          fixed weights by the inflation <|w_k|^2> / (m a^2) (``chaosnum/gradient_tracking_small_step.py``; period and
          connectivity in ``gradient_tracking_networks.py``). Both are compared with the spectral radius and the
          Lyapunov solution, which S4.1 and S4.2 compare with runs: at a thousandth of the threshold to 1 %, and
          extrapolated linearly from there to s = 0, where nothing of order s is left, to 0.1 %.
    S4.4  E |x_i - xhat|^2 is of order s^2, E |xhat - x*|^2 of order s for s at most 1/32 of the threshold.
    S4.5  More agents: ``gradient_tracking_networks.py``.
    S4.6  The iteration grows above, and shrinks below, the step at which the spectral radius is 1. A bound of the form
          of the published ones is two orders of magnitude smaller (``gradient_tracking_networks.py``).
    S4.7  Without tracking the limit is another point, near the minimiser of sum phi_i f_i, known exactly. Graphs that
          are connected only jointly do as well as others (``gradient_tracking_networks.py``).
    Real data: ``gradient_tracking_data.py``.

What is not claimed
    A linear speed-up for objectives that are not convex: open for graphs that change. That the floor is proportional to
    s at large s: there the Lyapunov solution grows faster, up to infinity at the threshold.

Controls
    untracked, zero-start: other methods (``chaosnum/gradient_tracking.py``). mean-for-sum: the mean of the f_i in place
    of their sum, in the step or in the laws. homogeneous: all agents have one optimum; methods without tracking are
    then right, and a test on such a system would have checked nothing.

One's own objectives and graphs, judged by the same code (:func:`claims_for`):

    graphs = cn.digraphs.from_adjacency([[[1, 0, 1], [1, 1, 0], [0, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 1, 1]]])
    mine = cn.gradient_tracking_objectives.quadratics([0.5, 1.0, 2.0], [-1.0, 0.0, 3.0], noise=0.5)
    verdicts = cn.verify(gradient_tracking.claims_for(mine, graphs, step=0.05))
"""

from dataclasses import replace

import chaosnum as cn
from proofs_checks import gradient_tracking_data, gradient_tracking_networks, gradient_tracking_noise
from proofs_checks import gradient_tracking_runs as runs
from proofs_checks.gradient_tracking_runs import DERIVED, halved, law, of

HALVINGS = {"quick": 5, "standard": 6, "full": 8}  # steps from the largest on, for runs without noise
NOISY = {"quick": 3, "standard": 5, "full": 7}  # the same with noise, where small steps are dear
SMALL = 1 / 32  # of the threshold: where the floor is proportional to the step


def claims_for(objectives, graphs, *, step=None, model="own"):
    """The claims S4.1 to S4.4, S4.6 and S4.7 on objectives and graphs of one's own.

    Claims on noise are left out where there is none, the fitted decay at steps where it is no better than to 1 %, and
    S4.6 for objectives that are no quadratics, where the region of attraction decides and not the linearisation, and
    S4.7's where it has no content: where the phi-weighted optimum is the optimum, so that tracking is not needed, and
    where without tracking nothing settles.

    Parameters
    ----------
    objectives : cn.gradient_tracking_objectives.Objectives
        From ``quadratics``, ``smooth`` or ``logistic``.
    graphs : cn.digraphs.Digraphs
        From ``sequence`` or ``from_adjacency``.
    step : float, optional
        The largest step; smaller ones are it over powers of 2. By default half the threshold.
    model : str

    Returns
    -------
    tuple of Claim

    Raises
    ------
    ValueError
        Something else than Objectives and Digraphs, numbers of agents that differ; a step that is not below the
        threshold, or so small that the smallest one takes more than 1e8 iterations; an optimum so far from 0 that
        round-off leaves nothing to fit; gradients that are not finite within a spread of the optimum.
    """
    law = cn.gradient_tracking_law
    system = runs.System(objectives, graphs, unit=1.0)
    step = _step(system, system.threshold() / 2 if step is None else law.stable_step(objectives, graphs, step))
    _usable(system)
    own = system.objectives
    linear, noisy = own.linear, bool(own.covariances.any())
    away = abs(cn.gradient_tracking_untracked.weighted_optimum(own, graphs) - own.optimum).max()
    biased = away > 1e-6 * system.spread
    try:
        system.untracked_rate(step)
    except ValueError:
        biased = False
    steps = halved(step, HALVINGS)
    kept = {budget: [s for s in scales if system.fits(s)] for budget, scales in steps.items()}
    fits = all(kept.values())
    return make(
        lambda: system, step, min(step, SMALL * system.threshold()), runs.LAW * system.threshold(), scale="step",
        model=model, noisy=noisy, biased=biased and (linear or noisy), linear=linear, steps=kept if fits else steps,
        fits=fits,
    )  # fmt: skip


def _step(system, step):
    """The step, if runs at a 128th of it end in time.

    Raises
    ------
    ValueError
        They do not.
    """
    least = runs.DECAYS * 2 ** (HALVINGS["full"] - 1) / runs.LONGEST  # of 1 - rate
    if 1.0 - system.rate(step) >= least:
        return step
    highest = system.threshold()
    lowest = least / cn.gradient_tracking_law.slowest(system.objectives, system.graphs)
    if not lowest < highest / 2 or 1.0 - system.rate(highest / 2) < least:
        found = f"{1.0 - system.rate(highest / 2):.3g} at half the threshold"
        raise ValueError(f"graphs and objectives must have a decay per iteration above {least:.3g}, got {found}")
    words = f"step must lie in [{lowest:.3g}, {highest:.6g}), got {step:g}"
    raise ValueError(f"{words}: smaller ones take more than {runs.LONGEST:g} iterations")


def _usable(system):
    """Digits enough around the optimum, and gradients -> None.

    Raises
    ------
    ValueError
        There are not.
    """
    import numpy as np

    own = system.objectives
    if not system.left() <= 1e-8:
        far = np.abs(own.optimum).max() / system.spread
        raise ValueError(f"objectives must have an optimum that round-off can resolve, got {far:.3g} spreads from 0")
    for seed in range(8):
        x = np.concatenate([system.start(seed)[:, None], system.slow_start(seed)[:, None]], axis=1)
        if not np.isfinite(own.gradient(x)).all():
            raise ValueError(f"gradients must be finite within {system.spread:.3g} of the optimum, got NaN or infinity")


def make(
    system, largest, small, least, *, scale, model, params=None, domain=None, noisy=True, biased=True, linear=True,
    steps=None, fits=True,
):  # fmt: skip
    """The claims on a family of systems.

    Parameters
    ----------
    system : callable (**params) -> runs.System
    largest, small, least : float
        Scales to begin with: the largest of all, the largest where the orders in the step are claimed, and the largest
        where the small-step laws hold to 1 %.
    scale : {"step", "fraction"}
    model : str
    params, domain : mapping, optional
        As of a Claim.
    noisy, biased, linear : bool
        Whether there is noise, whether tracking is needed, and whether the laws are exact.
    steps : mapping {budget: scales}, optional
        Where the decay is fitted.
    fits : bool
        Whether it is; else only what is left of the error is looked at.
    """
    common = {"scale": scale, "model": model, "params": params or {}, "domain": domain or {}}
    claims = [_rate(system, steps or halved(largest, HALVINGS), common, fits=fits)]
    if noisy:
        claims.append(
            gradient_tracking_noise.floor(system, halved(largest if linear else small, NOISY), common, linear)
        )
        if linear:
            claims.append(gradient_tracking_noise.squared(system, largest, common))
    claims.append(gradient_tracking_noise.laws(system, least, common, noisy=noisy))
    if noisy:
        claims.append(gradient_tracking_noise.orders(system, small, common))
    if linear:
        claims.append(_threshold(system, common))
    if biased:
        scales = halved(largest, {"quick": 2, "standard": 3})
        claims.append(_untracked(system, scales, common, linear, noisy))
    return tuple(claims)


def _rate(system, scales, common, *, fits=True):
    predicts = {"error left": cn.Bound(law(system, lambda own, scale: own.left()), words="round-off")}
    if fits:
        predicts["decay / exact"] = runs.EXACT_DECAY
    return cn.Claim(
        "S4.1", "Without noise the error falls linearly to the exact optimum, at the rate of the periodic system.",
        DERIVED, origin="derived", name="linear-rate", measure=of(runs.decay, system), predicts=predicts, scales=scales,
        replicas={"quick": 2, "standard": 4, "full": 16}, asymptotic="small", **common,
        controls=(
            cn.Control("untracked", "No tracking.", measure=of(runs.decay, system, method="untracked"), replicas=2),
            cn.Control("zero-start", "y starts at 0.", measure=of(runs.decay, system, method="zero-start"), replicas=2),
        ),
    )  # fmt: skip


def _threshold(system, common):
    def mean_for_sum(fraction, *, seed, **params):
        own = system(**params)
        return runs.growth(fraction, seed=seed, system=own, share=1 / own.objectives.agents)

    return cn.Claim(
        "S4.6", "The iteration is stable up to the step at which the spectral radius is 1, and not beyond.",
        DERIVED, origin="derived", name="threshold", measure=of(runs.growth, system),
        quantity="growth per iteration", predicts=cn.Threshold(0.98, 1.02, 1.0, statistic="every", words="s / s_max"),
        scales=[0.5, 0.8, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1], replicas={"quick": 3, "standard": 8, "full": 32},
        asymptotic="large", **common | {"scale": "fraction"},
        controls=(cn.Control("mean-for-sum", "The step for the average of the objectives.", measure=mean_for_sum),),
    )  # fmt: skip


def _untracked(system, scales, common, linear, noisy):
    def limit(own, scale):
        laws = cn.gradient_tracking_untracked
        way = laws.weighted_optimum(own.objectives, own.graphs) - own.objectives.optimum
        there = laws.untracked_limit(own.objectives, own.graphs, own.step(scale)) - own.objectives.optimum
        return float(there @ way / (way @ way))

    def homogeneous(scale, *, seed, **params):
        own = system(**params)
        return runs.untracked(scale, seed=seed, system=own, of=runs.one_optimum(own))

    predicts, words = {}, "fixed point / phi-weighted optimum"
    if linear:  # without noise nothing is random, and the transient is e^-34
        options = {"rounding": runs.BIAS} if noisy else {"rounding": 1e-6, "statistic": "every"}
        predicts["limit"] = cn.ExactValue(law(system, limit), deviation=0.02, words=words, **options)
    if noisy:
        predicts["bias in SE"] = cn.LimitCurve(lower=10.0, words="10")
    return cn.Claim(
        "S4.7", "Without tracking the limit is another point, near the optimum of sum phi_i f_i.",
        DERIVED, origin="derived", name="without-tracking", measure=of(runs.untracked, system), predicts=predicts,
        scales=scales, replicas={"quick": 9, "standard": 10, "full": 64} if noisy else 2, asymptotic="small", **common,
        controls=(
            cn.Control("tracking", "With tracking: no bias.",
                       measure=of(runs.untracked, system, method="tracking"), replicas=32 if noisy else 2,
                       scales=scales["quick"]),
            cn.Control("homogeneous", "All agents have the same optimum: no bias, and nothing to see.",
                       measure=homogeneous, replicas=32 if noisy else 2, scales=scales["quick"]),
        ),
    )  # fmt: skip


BUILT_IN = make(
    runs.built_in, 0.5, SMALL, runs.LAW, scale="fraction", model="quadratics", params={"period": 5},
    domain={"period": (0, 64)},
)  # fmt: skip
JOINT = replace(
    _rate(gradient_tracking_networks.scattered, halved(1 / 16, {"quick": 2, "standard": 3}),
          {"scale": "fraction", "model": "quadratics", "params": {"period": 3}, "domain": {"period": (1, 64)}}),
    id="S4.7", name="joint-connectivity",
    statement="Graphs that are strongly connected only jointly, over a period, do: the limit is the exact optimum.",
)  # fmt: skip
CLAIMS = (*BUILT_IN, JOINT, *gradient_tracking_networks.CLAIMS, *gradient_tracking_data.CLAIMS)
