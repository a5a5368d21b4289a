"""S5.1: Overlap Local-SGD is SGD with the effective step (1 - pull)/(1 - pull beta) times the nominal one.

Statements, derived in ``chaosnum/local_sgd.py``
    1. A synchronisation without momentum is X <- X W with W column-stochastic, W v = v and |W - v 1'|_2 = 1 - pull.
    2. The virtual sequence y, a fixed mixture of mean model, anchor and velocity, moves by the effective step times
       minus the mean of the workers' gradients in every local step: exactly, for any gradients, with momentum too.
    3. On quadratics everything is linear. The mean of y over runs is known at all times; in the end it decays by the
       spectral radius of a round, -ln(radius)/(h tau) = effective step up to terms of order h step tau.

What is checked
    mixing-matrix: 1, on the matrix that the simulated synchronisation has (the columns of W are what it does to unit
        models), to rounding.
    virtual-sequence: 2 on noisy, nonconvex, heterogeneous gradients: the error relative to the way made, every run.
    effective-step: -ln(decay)/(h iterations step) of a noiseless run against the exact value (one number, to 1e-6:
        the faster modes are gone by then) and against the first order, to 1.5 %, where h step tau <= 0.016.
    mean-trajectory: the mean of y after a time 1/(decay rate) against its exact value, with noise; also on real data.

Controls
    transposed: a row-stochastic W. frozen-anchor, first-worker: no average, or a biased one. nominal-step: the nominal
    step taken for the effective one.
"""

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet

STEP_SOURCE = fleet.SOURCE.format("")
COLUMNS, FIXED, NORM = "largest column sum of W", "1 + |W v - v|", "|W - v 1'|"
SYSTEMS = 16
ROUNDING = 1e-9  # of the identity of the virtual sequence, relative to the way
FAR = 100.0  # the start's distance from x*, in standard deviations of the noise floor
SETTLE, COUNTED = 200, 50  # rounds until the faster modes are gone, and rounds that the decay is taken over


def matrix(workers, *, seed, pull, transpose=False, freeze=False):
    """Column sums, fixed vector and norm of the matrix of a simulated synchronisation."""
    import numpy as np

    m = int(workers)
    unit = np.eye(m + 1)
    state = cn.local_sgd.State(unit[None, :m].copy(), cn.local_sgd.Rule(1.0, 1, pull))
    state.anchor = unit[m:].copy()
    state.synchronise()
    W = np.column_stack([*state.x[0], unit[m] if freeze else state.anchor[0]])
    W = W.T if transpose else W
    v = cn.local_sgd.fixed_vector(m, pull)
    return {
        COLUMNS: W.sum(axis=0).max(),
        FIXED: 1.0 + np.abs(W @ v - v).sum(),
        NORM: np.linalg.norm(W - np.outer(v, np.ones(m + 1)), 2),
    }


def _exactly(value, words):
    return cn.ExactValue(value, statistic="every", words=words)


MATRIX_RULES = {
    COLUMNS: _exactly(1.0, "1"), FIXED: _exactly(1.0, "1"),
    NORM: _exactly(lambda workers, pull: 1.0 - pull, "1 - pull"),
}  # fmt: skip

MATRIX = cn.Claim(
    "S5.1",
    "The mixing matrix W of a synchronisation is column-stochastic, keeps v, and has |W - v 1'| = 1 - pull.",
    STEP_SOURCE,
    "workers",
    origin="derived",
    name="mixing-matrix",
    model="matrix",
    measure=matrix,
    predicts=MATRIX_RULES,
    scales=[2, 4, 8, 16],
    replicas=2,
    params={"pull": (0.2, 0.6)},
    domain=fleet.domain({"pull": 0}),
    controls=(
        cn.Control("transposed", "W is row-stochastic.", params={"transpose": True},
                   predicts={key: MATRIX_RULES[key] for key in (COLUMNS, FIXED)}),
        cn.Control("frozen-anchor", "The anchor is not updated.", params={"freeze": True},
                   predicts={key: MATRIX_RULES[key] for key in (FIXED, NORM)}),
    ),
)  # fmt: skip


# --- the virtual sequence ------------------------------------------------------------------------------------------


def virtual_error(bed, tau, *, seed, step, pull, beta, spoil=None, factor=None):
    """1 + |y_K - y_0 + step factor sum gbar| relative to the way made; `bed` is (gradient, start, workers, rounds).

    The way is the sum of the lengths of y's steps, and what rounding can move y by over ROUNDING: every local step and
    synchronisation errs by some units in the last place of the models and steps, 1/(1 - pull beta) times that in y.
    """
    import numpy as np

    gradient, start, workers, rounds = bed()
    rule = cn.local_sgd.Rule(step, int(tau), pull, beta)
    total, first, way, largest = np.zeros(1), [], 0.0, 0.0

    def observe(k, state, g):
        nonlocal total, way, largest
        if k == 0:
            first.append(state.virtual())
        mean = g.mean(axis=1)
        total, way = total + mean, way + np.linalg.norm(mean)
        largest = max(largest, np.abs(state.x).max(), step * np.abs(g).max())
        if spoil is not None:
            spoil(state, k)

    state = cn.local_sgd.run(gradient, start, rule, rounds * rule.tau, workers=workers, seed=seed, observe=observe)
    effective = step * (cn.local_sgd.effective_factor(pull, beta) if factor is None else factor)
    units = 4.0 * rounds * rule.tau * np.finfo(float).eps * largest * total.size**0.5 / (1.0 - pull * beta)
    off = np.linalg.norm(state.virtual() - first[0] + effective * total)
    return 1.0 + off / max(effective * way + units / ROUNDING, 1e-300)


def wells():
    """Noisy nonconvex gradients of five workers in R^3, each with its own tilt and curvature."""
    import numpy as np

    curvature = np.linspace(0.5, 1.5, 5)[:, None]
    tilt = np.linspace(-0.4, 0.6, 15).reshape(5, 3)

    def gradient(x, rng):
        return curvature * x / (1.0 + x * x) ** 2 + tilt + 0.3 * rng.standard_normal(x.shape)

    return gradient, np.array([2.0, -1.0, 0.5]), 5, 25


def virtual_claim(bed, model, *, params, scales):
    """S5.1 for a gradient function: the virtual sequence does SGD with the effective step."""

    def spoilt(name, words, **how):
        return cn.Control(name, words, measure=fleet.of_fleet(virtual_error, bed, **how))

    return cn.Claim(
        "S5.1",
        "The virtual sequence y does SGD with the step (1 - pull)/(1 - pull beta) step, whatever the gradients.",
        STEP_SOURCE,
        "tau",
        origin="derived",
        name="virtual-sequence",
        model=model,
        measure=fleet.of_fleet(virtual_error, bed),
        quantity="1 + relative error of the way made",
        predicts=cn.ExactValue(1.0, statistic="every", rounding=ROUNDING, words="1"),
        scales=scales,
        replicas={"quick": 4, "standard": 16, "full": 64},
        params=params,
        domain=fleet.domain(params),
        ready=lambda tau, step, pull, beta: fleet.affordable(None, cn.local_sgd.Rule(step, int(tau), pull, beta)),
        controls=(
            spoilt("nominal-step", "The nominal step taken for the effective one.", factor=1.0),
            spoilt("frozen-anchor", "The anchor is not updated.", spoil=fleet.frozen),
            spoilt("first-worker", "The first worker's model in place of the average.", spoil=fleet.first_worker),
        ),
    )  # fmt: skip


# --- the effective step on quadratics ------------------------------------------------------------------------------

MEASURED, FIRST = "effective step / step", "effective step / step, first order"


def effective_step(make, tau, *, seed, step, pull, beta, method="overlap", spoil=None, **about):
    """-ln(decay)/(h iterations step) of a noiseless run on the line, after the faster modes are gone."""
    import numpy as np

    problem, rule, seen = make(**about), cn.local_sgd.Rule(step, int(tau), pull, beta, method), []

    def observe(k, state, g):
        if k == SETTLE * rule.tau:
            seen.append(state.virtual()[0, 0])
        if spoil is not None:
            spoil(state, k)

    state = cn.local_sgd.run(problem.gradient, np.ones(1), rule, (SETTLE + COUNTED) * rule.tau,
                             workers=problem.workers, observe=observe)  # fmt: skip
    decay = -np.log(abs(state.virtual()[0, 0] / seen[0])) / (COUNTED * rule.tau * problem.curvatures[0] * step)
    return {MEASURED: decay, FIRST: decay}


EFFECTIVE_PARAMS = {"pull": (0.2, 0.6), "beta": (0.0, 0.7), "step": 0.02, "workers": 4, "h": 0.1}

EXACTLY = cn.ExactValue(
    lambda tau, step, **params: fleet.moments(fleet.quadratics, tau, step, **params).effective_step / step,
    rounding=1e-6, statistic="every", words="-ln(spectral radius)",
)  # fmt: skip
EFFECTIVE = cn.Claim(
    "S5.1",
    "On a quadratic the mean decays as with the step (1 - pull)/(1 - pull beta) step: first order, and exactly.",
    STEP_SOURCE,
    "tau",
    origin="derived",
    name="effective-step",
    model="quadratics",
    measure=fleet.of_fleet(effective_step, fleet.quadratics),
    predicts={
        MEASURED: EXACTLY,
        FIRST: cn.LimitCurve(
            lambda tau, pull, beta: cn.local_sgd.effective_factor(pull, beta), margin=0.015,
            statistic="every", words="first order",
        ),
    },
    scales=[1, 2, 4, 8],
    replicas=2,
    params=EFFECTIVE_PARAMS,
    domain=fleet.domain(EFFECTIVE_PARAMS),
    ready=fleet.of_fleet(fleet.ready, fleet.quadratics),
    controls=(
        cn.Control("nominal-step", "Local SGD, where the effective step is the nominal one.", scales=[4, 8],
                   measure=fleet.of_fleet(effective_step, fleet.quadratics, method="local")),
        cn.Control("frozen-anchor", "The anchor is not updated.", scales=[4, 8],
                   measure=fleet.of_fleet(effective_step, fleet.quadratics, spoil=fleet.frozen),
                   predicts={MEASURED: EXACTLY}),
    ),
)  # fmt: skip


def mean_trajectory(make, tau, *, seed, step, pull, beta, method="overlap", spoil=None, **about):
    """Mean of y - x* over systems, along the predicted one and relative to it, when that is 1/e of the start."""
    import numpy as np

    exact = fleet.moments(make, tau, step, pull, beta, **about)
    problem, rule = exact.problem, cn.local_sgd.Rule(step, int(tau), pull, beta, method)
    rounds = max(1, int(np.ceil(-1.0 / np.log(exact.radius))))
    slowest = np.linalg.eigh(problem.hessians.mean(axis=0))[1][:, 0]
    start = problem.optimum + FAR * max(exact.floor(), 1e-6) ** 0.5 * slowest
    predicted = exact.virtual_means(start, rounds)[-1]
    state = cn.local_sgd.run(problem.gradient, start, rule, rounds * rule.tau, workers=problem.workers,
                             systems=SYSTEMS, seed=seed,
                             observe=None if spoil is None else lambda k, state, g: spoil(state, k))  # fmt: skip
    found = state.virtual().mean(axis=0) - problem.optimum
    return float(found @ predicted / (predicted @ predicted))


def trajectory_claim(make, model, *, params, scales, noisy=True):
    """S5.1 for a fleet of quadratics: the mean trajectory, exactly; without noise every run's."""
    return cn.Claim(
        "S5.1",
        "With noise, the mean over runs of the virtual sequence follows its exact linear recursion.",
        fleet.SOURCE.format("_moments"),
        "tau",
        origin="derived",
        name="mean-trajectory",
        model=model,
        measure=fleet.of_fleet(mean_trajectory, make),
        quantity="mean trajectory / exact",
        predicts=cn.ExactValue(1.0, 0.02, statistic="mean" if noisy else "every", rounding=1e-8, words="exact mean"),
        scales=scales,
        replicas={"quick": 8, "standard": 16, "full": 64},
        params=params,
        domain=fleet.domain(params),
        ready=fleet.of_fleet(fleet.ready, make),
        controls=(
            cn.Control("nominal-step", "Local SGD, where the effective step is the nominal one.",
                       measure=fleet.of_fleet(mean_trajectory, make, method="local")),
            cn.Control("frozen-anchor", "The anchor is not updated.",
                       measure=fleet.of_fleet(mean_trajectory, make, spoil=fleet.frozen)),
        ),
    )  # fmt: skip


VIRTUAL_PARAMS = {"step": 0.1, "pull": (0.2, 0.6), "beta": (0.0, 0.7)}
VIRTUAL = virtual_claim(wells, "wells", params=VIRTUAL_PARAMS, scales=[1, 2, 8])
TRAJECTORY = trajectory_claim(
    fleet.quadratics, "quadratics", scales=[1, 2, 8],
    params={"step": 0.05, "pull": 0.6, "beta": (0.0, 0.7), "workers": 8, "h": 1.0, "noise": 1.0},
)  # fmt: skip
DIABETES = trajectory_claim(
    fleet.diabetes, "diabetes", scales={"quick": [1, 8], "standard": [1, 3, 8]},
    params={"step": 0.08, "pull": 0.6, "beta": (0.0, 0.5), "workers": 8, "ridge": 0.3, "noise": 1.0},
)  # fmt: skip

CLAIMS = (MATRIX, VIRTUAL, EFFECTIVE, TRAJECTORY, DIABETES)
