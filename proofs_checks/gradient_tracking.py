"""S4: stochastic gradient tracking on time-varying directed graphs (SAB-TV): exact rates, floors, thresholds.

Statement
    Agents with f_1, ..., f_m exchange vectors along strongly connected directed graphs that change with time and run
        x^{k+1} = A_k x^k - s y^k,     y^{k+1} = B_k y^k + g^{k+1} - g^k,     y^0 = g^0,
    A_k row-, B_k column-stochastic, g the noisy gradients. For small s they converge linearly, in mean square, to a
    neighbourhood of the minimiser x* of the sum; without noise to x* itself (arXiv 2305.00629, abstract). The published
    rates and neighbourhoods are upper bounds; for quadratics with additive noise all of it is exact, and derived in
    ``chaosnum/gradient_tracking_law.py``. For other objectives that is the linearisation at x*.

What is checked, by running the iteration itself
    S4.1  Without noise the error left after 34 e-foldings is round-off: the limit is x*. The rate is the spectral
          radius of the system over a period on the invariant sum y = sum grad f, to .1 % in each run: a fit over
          finitely many periods has a transient, so 'exact' is to that precision (runs.System.doubt). For small steps
          1 - rate = s a lambda_min(sum H); what this lacks at a given step is known, and allowed.
    S4.2  E |x_i - x*|^2, E |xhat - x*|^2 and E |x_i - xhat|^2 are those of the periodic Lyapunov equation for noise
          that enters as e^{k+1} - e^k; they are proportional to the noise's variance.
    S4.3  For small steps E |xhat - x*|^2 = s V, V known; V exceeds the formula for fixed weights by the inflation
          <|w_k|^2> / (m a^2) > 1 (``gradient_tracking_networks.py`` for its dependence on the period).
    S4.4  E |x_i - xhat|^2 is of order s^2, E |x_i - x*|^2 of order s for s at most 1/32 of the threshold.
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
    untracked, zero-start, same-sample, resampled: other methods (``chaosnum/gradient_tracking.py``). no-burn-in:
    averaged from a far start on. mean-for-sum: the step meant for the average of the f_i. homogeneous: all agents have
    one optimum; methods without tracking are then right, and a test on such a system would have checked nothing.

One's own objectives and graphs, judged by the same code (:func:`claims_for`):

    graphs = cn.digraphs.from_adjacency([[[1, 0, 1], [1, 1, 0], [0, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 1, 1]]])
    mine = cn.gradient_tracking_objectives.quadratics([0.5, 1.0, 2.0], [-1.0, 0.0, 3.0], noise=0.5)
    verdicts = cn.verify(gradient_tracking.claims_for(mine, graphs, step=0.05))
"""

from dataclasses import replace

import chaosnum as cn
from proofs_checks import gradient_tracking_data, gradient_tracking_networks
from proofs_checks import gradient_tracking_runs as runs
from proofs_checks.gradient_tracking_runs import DERIVED, SOURCE, law, of

HALVINGS = {"quick": 5, "standard": 6, "full": 8}  # steps from the largest on, for runs without noise
NOISY = {"quick": 3, "standard": 5, "full": 7}  # the same with noise, where small steps are dear
SMALL = 1 / 32  # of the threshold: where the floor is proportional to the step
CELLS = {"quick": 5, "standard": 11, "full": 96}


def claims_for(objectives, graphs, *, step=None, model="own"):
    """The claims S4.1 to S4.4, S4.6 and S4.7 on objectives and graphs of one's own.

    Claims on noise are left out where there is none, and S4.7's where the phi-weighted optimum is the optimum: there
    tracking is not needed.

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
        Numbers of agents that differ; a step that is not below the threshold.
    """
    law = cn.gradient_tracking_law
    system = runs.System(objectives, graphs, unit=1.0)
    law.check_agents(objectives, graphs)
    step = system.threshold() / 2 if step is None else law.stable_step(objectives, graphs, step)
    away = abs(law.weighted_optimum(objectives, graphs) - objectives.optimum).max()
    return make(
        lambda: system, step, min(step, SMALL * system.threshold()), scale="step", model=model,
        noisy=bool(objectives.covariances.any()), biased=bool(away > 1e-6 * system.spread()),
        linear=objectives.linear, fits=_fits(system, step),
    )  # fmt: skip


def make(
    system, largest, small, *, scale, model, params=None, domain=None, noisy=True, biased=True, linear=True,
    fits=True,
):  # fmt: skip
    """The claims on a family of systems.

    Parameters
    ----------
    system : callable (**params) -> runs.System
    largest, small : float
        Scales to begin with: the largest of all, and the largest where the small-step laws are claimed.
    scale : {"step", "fraction"}
    model : str
    params, domain : mapping, optional
        As of a Claim.
    noisy, biased, linear : bool
        Whether there is noise, whether tracking is needed, and whether the laws are exact.
    fits : bool
        Whether a fitted rate is good to 0.1 % at every step: two modes that decay alike make it worse.
    """
    common = {"scale": scale, "model": model, "params": params or {}, "domain": domain or {}}
    claims = [_rate(system, _halved(largest, HALVINGS), common, fits=fits)]
    if noisy:
        claims.append(_floor(system, _halved(largest if linear else small, NOISY), common, linear))
        if linear:
            claims.append(_noise(system, largest, common))
        claims.append(_small(system, _halved(small, {"quick": 2, "full": 4}), common))
        near = {"quick": [small, 0.7 * small, small / 2]}
        claims.append(_slopes(system, near | _halved(small, {"standard": 3, "full": 4}), common))
    claims.append(_threshold(system, common))
    if biased:
        claims.append(_untracked(system, _halved(largest, {"quick": 2, "standard": 3}), common, linear))
    return tuple(claims)


def _fits(system, step):
    """Whether what is allowed for the fits is less than 0.1 % of each rate."""
    import math

    steps = _halved(step, HALVINGS)["full"]
    return all(-math.log(system.rate(s)) * system.doubt(s) < 1e-3 for s in steps)


def _halved(largest, counts):
    return {budget: [largest / 2**j for j in range(count)] for budget, count in counts.items()}


def band(system, tolerance, centre=1.0):
    """Ends of centre * (1 -+ tolerance(system, scale)) as options of a LimitCurve; centre is a number or a function."""
    value = centre if callable(centre) else lambda scale, **params: centre

    def end(sign):
        return lambda scale, **params: value(scale, **params) * (1.0 + sign * tolerance(system(**params), scale))

    return {"curve": centre, "lower": end(-1.0), "upper": end(1.0)}


def _rate(system, scales, common, *, fits=True, small=True):
    predicts = {
        "error of decay / allowed": cn.Bound(1.0, words="1"),
        "error left": cn.Bound(1e-10, words="round-off"),
    }
    if fits:
        rate = law(system, lambda own, scale: own.rate(scale))
        predicts["rate"] = cn.ExactValue(rate, rounding=1e-3, statistic="every", words="spectral radius to 0.1 %")
    spoilt = dict(predicts)
    if small:
        near = band(system, lambda own, scale: 0.01 + 1.1 * own.remainder(scale)[0])
        predicts["decay / small-step"] = cn.LimitCurve(**near, last=3, words="s a lambda_min, 1 % and its remainder")
    return cn.Claim(
        "S4.1", "Without noise the error falls linearly to the exact optimum, at the rate of the periodic system.",
        DERIVED, origin="derived", name="linear-rate", measure=of(runs.decay, system), predicts=predicts, scales=scales,
        replicas={"quick": 2, "standard": 4, "full": 16}, asymptotic="small", **common,
        controls=(
            cn.Control("untracked", "No tracking.", measure=of(runs.decay, system, method="untracked"),
                       predicts=spoilt, replicas=2),
            cn.Control("zero-start", "y starts at 0.", measure=of(runs.decay, system, method="zero-start"),
                       predicts=spoilt, replicas=2),
        ),
    )  # fmt: skip


def _floor(system, scales, common, linear):
    def exact(key):
        value = law(system, lambda own, scale: getattr(own.floor(scale), key))
        if linear:
            return cn.ExactValue(value, deviation=0.02, words="Lyapunov's")
        return cn.LimitCurve(value, margin=runs.LINEARISED, last=2, words="Lyapunov's")

    predicts = {key: exact(key) for key in ("agents", "average", "consensus")}
    some = {"agents": predicts["agents"]}
    return cn.Claim(
        "S4.2", "With noise the mean squared errors settle at the solution of the periodic Lyapunov equation.",
        DERIVED, origin="derived", name="noise-floor", measure=of(runs.plateau, system), predicts=predicts,
        scales=scales, replicas=CELLS | {"standard": 18}, asymptotic="small", **common,
        controls=(
            cn.Control("same-sample", "One sample for both gradients of a difference.",
                       measure=of(runs.plateau, system, method="same-sample"), predicts=some, replicas=4,
                       scales=scales["quick"]),
            cn.Control("resampled", "A second sample for the old gradient.",
                       measure=of(runs.plateau, system, method="resampled"), predicts=some, replicas=4,
                       scales=scales["quick"]),
        ),
    )  # fmt: skip


def _noise(system, largest, common):
    def measure(noise, *, seed, burn=True, **params):
        return runs.plateau(largest / 4, seed=seed, system=system(**params), noise=noise, burn=burn)["agents"]

    return cn.Claim(
        "S4.2", "The floor is proportional to the noise's variance.",
        DERIVED, origin="derived", name="noise-squared", measure=measure, quantity="agents",
        predicts=cn.PowerLaw(2.0, sense="exact", margin=0.02), scales=[0.25, 0.5, 1.0, 2.0],
        replicas={"quick": 3, "standard": 4, "full": 48},
        asymptotic="large", **common | {"scale": "noise"},
        controls=(
            cn.Control("no-burn-in", "Averaged from a far start on.", params={"burn": False}, replicas=4),
        ),
    )  # fmt: skip


def _small(system, scales, common):
    inflation = law(system, lambda own, scale: own.small().inflation)
    near = band(system, lambda own, scale: 0.03 + own.remainder(scale)[1], inflation)
    inflated = cn.LimitCurve(**near, words="the inflation, 3 % and its remainder")
    return cn.Claim(
        "S4.3", "For small steps the floor of the average is s V, V that of fixed weights times <|w_k|^2> / (m a^2).",
        DERIVED, origin="derived", name="small-step-floor", measure=of(runs.plateau, system),
        predicts={"average / static": inflated}, scales=scales, replicas=CELLS, asymptotic="small", **common,
        qualified="weights that vary in time inflate the floor, never deflate it; the published bounds do not show it",
        controls=(
            cn.Control("same-sample", "One sample for both gradients of a difference.",
                       measure=of(runs.plateau, system, method="same-sample"), replicas=4, scales=scales["quick"]),
        ),
    )  # fmt: skip


def _slopes(system, scales, common):
    predicts = {
        "average": cn.PowerLaw(1.0, sense="exact", margin=0.1),
        "consensus": cn.PowerLaw(2.0, sense="exact", margin=0.03),
    }
    return cn.Claim(
        "S4.4", "For small steps the average's squared distance is of order s, the agents' disagreement of order s^2.",
        SOURCE, origin="derived", name="orders", measure=of(runs.plateau, system), predicts=predicts, scales=scales,
        replicas=CELLS | {"standard": 8}, asymptotic="small", **common,
        controls=(
            cn.Control("no-burn-in", "Averaged from a far start on.",
                       measure=of(runs.plateau, system, burn=False), replicas=6, scales=scales["standard"]),
        ),
    )  # fmt: skip


def _threshold(system, common):
    def mean_for_sum(fraction, *, seed, **params):
        own = system(**params)
        return runs.growth(fraction, seed=seed, system=own, share=1 / own.objectives.agents)

    return cn.Claim(
        "S4.6", "The iteration is stable up to the step at which the spectral radius is 1, and not beyond.",
        DERIVED, origin="derived", name="threshold", measure=of(runs.growth, system),
        quantity="growth per iteration", predicts=cn.Threshold(0.98, 1.02, 1.0, words="s / s_max"),
        scales=[0.5, 0.8, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1], replicas={"quick": 4, "standard": 8, "full": 32},
        asymptotic="large", **common | {"scale": "fraction"},
        controls=(cn.Control("mean-for-sum", "The step for the average of the objectives.", measure=mean_for_sum),),
    )  # fmt: skip


def _untracked(system, scales, common, linear):
    def limit(own, scale):
        law = cn.gradient_tracking_law
        way = law.weighted_optimum(own.objectives, own.graphs) - own.objectives.optimum
        there = law.untracked_limit(own.objectives, own.graphs, own.step(scale)) - own.objectives.optimum
        return float(there @ way / (way @ way))

    def homogeneous(scale, *, seed, **params):
        own = system(**params)
        return runs.untracked(scale, seed=seed, system=own, of=runs.one_optimum(own))

    predicts = {
        "limit": cn.ExactValue(law(system, limit), deviation=0.02, words="fixed point / phi-weighted optimum"),
        "bias in SE": cn.LimitCurve(lower=10.0, words="10"),
    }
    if not linear:
        del predicts["limit"]
    return cn.Claim(
        "S4.7", "Without tracking the limit is another point, near the optimum of sum phi_i f_i.",
        DERIVED, origin="derived", name="without-tracking", measure=of(runs.untracked, system), predicts=predicts,
        scales=scales, replicas={"quick": 9, "standard": 10, "full": 64}, asymptotic="small", **common,
        controls=(
            cn.Control("tracking", "With tracking: no bias.",
                       measure=of(runs.untracked, system, method="tracking"), replicas=16, scales=scales["quick"]),
            cn.Control("homogeneous", "All agents have the same optimum: no bias, and nothing to see.",
                       measure=homogeneous, replicas=16, scales=scales["quick"]),
        ),
    )  # fmt: skip


BUILT_IN = make(
    runs.built_in, 0.5, SMALL, scale="fraction", model="quadratics", params={"period": 5}, domain={"period": (0, 64)},
)  # fmt: skip
JOINT = replace(
    _rate(gradient_tracking_networks.scattered, _halved(1 / 8, {"quick": 3, "standard": 4}),
          {"scale": "fraction", "model": "quadratics", "params": {"period": 3}, "domain": {"period": (1, 64)}}),
    id="S4.7", name="joint-connectivity",
    statement="Graphs that are strongly connected only jointly, over a period, do: the limit is the exact optimum.",
)  # fmt: skip
CLAIMS = (*BUILT_IN, JOINT, *gradient_tracking_networks.CLAIMS, *gradient_tracking_data.CLAIMS)
