"""S5.3, S5.4: how far the workers of Overlap Local-SGD are apart, by noise and by unlike data, and its noise floor.

Statements, derived in ``chaosnum/local_sgd_moments.py``; V = mean over steps of E mean_i |x_i - xbar|^2
    S5.3, workers with alike quadratics and independent noise of variance noise^2 a component:
        V = (1 - 1/m) step^2 noise^2 d [tau z^2/(1 - z^2) + (tau - 1)/2], z = 1 - pull, half of the network term of the
        published bound; E|y - x*|^2 = effective step noise^2 d/(2 h m): the noise is averaged over the workers.
    S5.4, no noise but gradients that differ by kappa: V = step^2 kappa^2 mean_{j<tau} (tau (1 - pull)/pull + j)^2.
    All three to first order in h step tau: a gradient is forgotten after tau/pull steps, so the disagreements are off
    by up to 2 h step tau/pull, and h step tau alone says little where pull is small. With curvature everything is a
    periodic linear system, whose Lyapunov equation gives the exact values.

What is checked
    noise, drift: V over step^2 and E|y - x*|^2 over the effective step against their exact values, at h step tau up to
        0.8; without noise to 1e-9. On alike quadratics, and on least squares of the diabetes data sorted by target,
        where the Hessians differ: noise and drift add up in V, and y is biased by a known amount.
    first order: the formulas above within 5 %, at h step tau = 0.03 and pull = 0.6 for noise, where V is 2.6 % smaller,
        and at h step tau/pull = 0.02 for the drift.

Controls
    shared-noise: half of the noise is common to all workers: half the disagreement, 4.5 times the floor of 8 workers.
    local-sgd: a plain average, which leaves nothing of earlier rounds. same-data: no drift.
"""

from functools import partial
from math import ceil, log

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet

SOURCE = fleet.SOURCE.format("_moments")
APART, FLOOR, BIAS = "mean |x_i - xbar|^2 / step^2", "E|y - x*|^2 / effective step", "|E y - x*|^2 / step^2"
BURN, AVERAGED = 6.0, 12.0  # relaxation times of the variance left out, and averaged over
SMALL, SMALL_DRIFT = 0.03, 0.02  # h step tau of the first order, and h step tau/pull of that of the drift
REPLICAS = {"quick": 12, "standard": 24, "full": 96}


def noise(make, tau, *, seed, step, pull, beta, systems, method="overlap", gradient=None, only=None, **about):
    """Disagreement and floor of a batch of systems in their stationary state; in the rounds `only`, where given."""
    exact = fleet.moments(make, tau, step, pull, beta, **about)
    problem, rule = exact.problem, cn.local_sgd.Rule(step, int(tau), pull, beta, method)
    relaxation, reference = -0.5 / _log(exact.radius), exact.rule.effective_step  # in rounds
    burn, rounds = only or (int(BURN * relaxation) + 1, max(int((BURN + AVERAGED) * relaxation) + 1, 12))
    sums, optimum = [0.0, 0.0, 0], problem.optimum

    def observe(k, state, g):
        if k >= burn * rule.tau:
            off = state.virtual() - optimum
            sums[0] += state.disagreement().mean()
            sums[1] += (off * off).sum() / systems
            sums[2] += 1

    noisy = problem.gradient if gradient is None else gradient(problem)
    if rule.method != "overlap":  # spoilt: the anchor's state is none of its own
        exact = fleet.moments(make, tau, step, pull, beta, method, **about)
    start = exact.settled(int(systems))  # the mean has no transient, the variance its burn-in
    cn.local_sgd.run(noisy, start, rule, rounds * rule.tau, workers=problem.workers, systems=int(systems), seed=seed,
                     observe=observe)  # fmt: skip
    return {APART: sums[0] / sums[2] / step**2, FLOOR: sums[1] / sums[2] / reference}


def _log(x):
    return log(max(x, 1e-12))


def exact_noise(make, tau, *, statistic, step, systems=0, **params):
    """What `noise` should find."""
    found = fleet.moments(make, tau, step, **params)
    return found.disagreement() / step**2 if statistic == APART else found.floor() / found.rule.effective_step


def _noise_ready(make, tau, *, systems, **params):
    fleet.ready(make, tau, **params)


def noise_claim(make, model, *, params, scales, only=(APART, FLOOR), controls=("shared-noise", "local-sgd")):
    """S5.3 for a fleet of quadratics: disagreement and floor, exactly; `only` some of them, and `controls`."""
    rules = {  # drift and bias, where there are any, are known as well as in S5.4
        what: cn.ExactValue(fleet.of_fleet(exact_noise, make, statistic=what), 0.05, rounding=1e-7, words="Lyapunov")
        for what in only
    }
    spoilt = (
        cn.Control("shared-noise", "Half of the noise's variance is common to all workers.", replicas=10,
                   measure=fleet.of_fleet(noise, make, gradient=fleet.shared), predicts={FLOOR: rules[FLOOR]}),
        cn.Control("local-sgd", "A blocking average in place of the anchor.", replicas=10,
                   measure=fleet.of_fleet(noise, make, method="local"), predicts={only[0]: rules[only[0]]}),
    )  # fmt: skip
    return cn.Claim(
        "S5.3",
        "Disagreement of the workers and noise floor of the virtual sequence are those of the Lyapunov equation.",
        SOURCE,
        "tau",
        origin="derived",
        name="disagreement",
        model=model,
        measure=fleet.of_fleet(noise, make),
        predicts=rules,
        scales=scales,
        replicas=REPLICAS,
        params=params,
        domain=fleet.domain(params),
        ready=fleet.of_fleet(_noise_ready, make),
        controls=tuple(c for c in spoilt if c.name in controls),
    )


NOISE_PARAMS = {"step": 0.1, "pull": (0.2, 0.6), "beta": 0.0, "noise": 1.0, "h": 1.0, "workers": 8, "systems": 256}
NOISE = noise_claim(fleet.quadratics, "quadratics", params=NOISE_PARAMS,
                    scales={"quick": [1, 8], "standard": [1, 2, 4, 8]})  # fmt: skip
DIABETES_PARAMS = {"step": 0.08, "pull": 0.6, "beta": 0.5, "noise": 1.0, "ridge": 0.3, "workers": 8, "systems": 48}
DIABETES_NOISE = noise_claim(fleet.diabetes, "diabetes", params=DIABETES_PARAMS,
                             scales={"quick": [1, 8], "standard": [1, 3, 8]})  # fmt: skip


# --- unlike data, no noise -----------------------------------------------------------------------------------------


def drift(make, tau, *, seed, step, pull, beta, method="overlap", only=None, **about):
    """Disagreement and bias of a noiseless run once it has settled, or after `only` rounds: means over one round."""
    exact = fleet.moments(make, tau, step, pull, beta, **about)
    problem, rule = exact.problem, cn.local_sgd.Rule(step, int(tau), pull, beta, method)
    rounds, found, optimum = only or ceil(fleet.SETTLED / -_log(exact.radius)) + 1, [], problem.optimum

    def observe(k, state, g):
        if k >= (rounds - 1) * rule.tau:
            found.append((state.disagreement()[0], ((state.virtual() - optimum) ** 2).sum()))

    cn.local_sgd.run(problem.gradient, optimum + 1.0, rule, rounds * rule.tau, workers=problem.workers, observe=observe)
    apart, bias = (sum(column) / len(found) / step**2 for column in zip(*found))
    return {APART: apart, BIAS: bias}


def exact_drift(make, tau, *, statistic, step, **params):
    """What `drift` should find."""
    found = fleet.moments(make, tau, step, **params)
    return (found.disagreement() if statistic == APART else found.bias()) / step**2


def same_data(make, tau, **params):
    """`drift` where every worker has the mean of all gradients."""
    import numpy as np

    def alike(**about):
        p = make(**about)
        means = (np.broadcast_to(a.mean(axis=0), a.shape) for a in (p.hessians, p.slopes))
        return cn.local_sgd_quadratics.Quadratics(*means)

    return drift(alike, tau, **params)


def drift_claim(make, model, *, params, scales, biased):
    """S5.4 for a fleet of quadratics without noise: drift, and bias where the Hessians differ."""
    rules = {
        what: cn.ExactValue(
            fleet.of_fleet(exact_drift, make, statistic=what), rounding=1e-7, statistic="every", words="fixed point"
        )
        for what in ((APART, BIAS) if biased else (APART,))
    }
    return cn.Claim(
        "S5.4",
        "Unlike data drive the workers apart, and bias y where their curvatures differ, by the fixed point of a round.",
        SOURCE,
        "tau",
        origin="derived",
        name="drift",
        model=model,
        measure=fleet.of_fleet(drift, make),
        predicts=rules,
        scales=scales,
        replicas=2,
        params=params,
        domain=fleet.domain(params),
        ready=fleet.of_fleet(fleet.ready, make),
        controls=(
            cn.Control("same-data", "Every worker has all data.", measure=fleet.of_fleet(same_data, make)),
            cn.Control("local-sgd", "A blocking average in place of the anchor.",
                       measure=fleet.of_fleet(drift, make, method="local")),
        ),
    )  # fmt: skip


DRIFT_PARAMS = {"step": 0.1, "pull": (0.2, 0.6), "beta": (0.0, 0.7), "h": 1.0, "tilt": 1.0, "workers": 8}
DRIFT = drift_claim(fleet.quadratics, "quadratics", params=DRIFT_PARAMS, scales=[1, 2, 4, 8], biased=False)
DIABETES_DRIFT = drift_claim(
    fleet.diabetes, "diabetes", scales=[1, 3, 8], biased=True,
    params={"step": 0.08, "pull": 0.6, "beta": (0.0, 0.5), "ridge": 0.3, "workers": 8},
)  # fmt: skip


# --- first order ---------------------------------------------------------------------------------------------------


def noise_small(tau, *, seed, pull, workers, systems, **how):
    """`noise` of alike quadratics at h step tau = SMALL."""
    return noise(fleet.quadratics, tau, seed=seed, step=SMALL / tau, pull=pull, beta=0.0, noise=1.0, h=1.0,
                 workers=workers, systems=systems, **how)  # fmt: skip


def apart_small(tau, **params):
    """Disagreement alone: it is stationary after a few rounds."""
    return noise_small(tau, only=(20, 60), **params)[APART]


def floor_small(tau, **params):
    """Floor alone."""
    return noise_small(tau, **params)[FLOOR]


def _apart(tau, pull, workers):
    rule = cn.local_sgd.Rule(SMALL / tau, int(tau), pull)
    return cn.local_sgd_moments.disagreement_first_order(rule, workers, 1.0) / rule.step**2


def _small(name, statement, measure, quantity, predicts, scales, systems, replicas):
    """S5.3 to first order."""
    return cn.Claim(
        "S5.3", statement, SOURCE, "tau", origin="derived", name=name, model="quadratics", measure=measure,
        quantity=quantity, predicts=predicts, scales=scales, replicas=replicas,
        params={"pull": 0.6, "workers": 8, "systems": systems}, domain=fleet.domain({"pull": 0}),
        controls=(
            cn.Control("shared-noise", "Half of the noise's variance is common to all workers.", replicas=10,
                       measure=partial(measure, gradient=fleet.shared)),
        ),
    )  # fmt: skip


FIRST_APART = _small(
    "disagreement-first-order",
    "For small steps the disagreement is (1-1/m) step^2 noise^2 d [tau z^2/(1-z^2) + (tau-1)/2], z = 1 - pull.",
    apart_small, APART, cn.LimitCurve(_apart, margin=0.05, words="first order"), [1, 2, 4, 8], 64,
    {"quick": 6, "standard": 12, "full": 64},
)  # fmt: skip
FIRST_FLOOR = _small(
    "noise-floor-first-order",
    "For small steps the noise floor of y is that of SGD with the effective step and m times the batch.",
    floor_small, FLOOR, cn.LimitCurve(lambda tau, workers: 0.5 / workers, margin=0.05, words="1/2m"),
    {"quick": [1], "standard": [1, 2]}, 256,
    {"quick": 16, "standard": 24, "full": 64},
)  # fmt: skip


def drift_small(tau, *, seed, pull, workers=8, method="overlap"):
    """`drift` of alike quadratics at h step tau/pull = SMALL_DRIFT."""
    return drift(fleet.quadratics, tau, seed=seed, step=SMALL_DRIFT * pull / tau, pull=pull, beta=0.0, h=1.0, tilt=1.0,
                 workers=workers, method=method, only=120)[APART]  # fmt: skip


def _drift(tau, pull):
    rule = cn.local_sgd.Rule(SMALL_DRIFT * pull / tau, int(tau), pull)
    return cn.local_sgd_moments.drift_first_order(rule, 1.0) / rule.step**2


FIRST_DRIFT = cn.Claim(
    "S5.4",
    "For small steps unlike data drive the workers apart by step^2 kappa^2 mean_j (tau (1-pull)/pull + j)^2.",
    SOURCE,
    "tau",
    origin="derived",
    name="drift-first-order",
    model="quadratics",
    measure=drift_small,
    quantity=APART,
    predicts=cn.LimitCurve(_drift, margin=0.05, statistic="every", words="first order"),
    scales=[2, 4, 8, 16],
    replicas=2,
    params={"pull": (0.2, 0.6)},
    domain=fleet.domain({"pull": 0}),
    controls=(cn.Control("local-sgd", "A blocking average in place of the anchor.", params={"method": "local"}),),
)

CLAIMS = (NOISE, DIABETES_NOISE, FIRST_APART, FIRST_FLOOR, DRIFT, DIABETES_DRIFT, FIRST_DRIFT)
