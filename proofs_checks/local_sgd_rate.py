"""S5.2: on a nonconvex function the mean squared gradient of Overlap Local-SGD falls like (m K)^-1/2: linear speed-up.

Statement
    With the effective step sqrt(m/K)/L the mean over K iterations of E|grad F(y_k)|^2 is at most
        (2 L (F_0 - F_inf) + variance)/sqrt(m K) + O(m/K),
    the second term with the network, the noise, kappa and tau in it. The form is recalled from Cooperative SGD; the
    explicit bound that is used here, with every constant, is derived in ``chaosnum/local_sgd_bound.py``.

What is checked
    On F(x) = sum_j x_j^2/(2 (1 + x_j^2)), L = 1, from where it is curved downwards (F'' < 0 beyond 0.58), noise in
    every component. The leading term is exact up to a factor that tends to 1/2, so that its exponents are sharp:
    speed-up, rate: slope -1/2 in m at K fixed and in K at m fixed, for tau = 1 and 4; and at the largest K the mean is
        within 5 % of (L (F_0 - F_inf) + variance/2)/sqrt(m K), half of the bound's leading term.
    bound: with unlike workers (kappa = 0.25, linear tilts) the explicit bound holds, and comes within a factor of 5.
        Its terms in kappa and tau are claimed as bounds only: what they bound fades faster.

Controls
    shared-noise: all workers have the same noise, no speed-up. fixed-step: the step does not shrink with K.
    frozen-anchor: the workers are pulled back to where they began.
"""

from functools import partial

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet

SOURCE = "Wang, Liang, Joshi, ICASSP 2020, arXiv 2002.09539; bound derived in chaosnum/local_sgd_bound.py"
DIM, START, NOISE = 4, 1.2, 0.7
GAP, VARIANCE = DIM * START**2 / (2.0 * (1.0 + START**2)), DIM * NOISE**2
SYSTEMS = 16
EVERY = 3  # steps from one look at the gradient to the next, coprime to tau: all phases come equally often
GRADIENT, LEADING = "mean |grad F(y)|^2", "mean |grad F(y)|^2 over its leading term"
RATE = {"margin": 0.05, "sense": "exact"}
REPLICAS = {"quick": 4, "standard": 5, "full": 32}


def mean_square(gradient, full, start, rule, workers, iterations, *, seed, every=1, spoil=None,
                systems=None):  # fmt: skip
    """Mean over iterations and systems of |grad F(y_k)|^2; `full` is grad F on arrays (systems, d)."""
    total, systems = 0.0, systems or SYSTEMS

    def observe(k, state, g):
        nonlocal total
        if k % every == 0:
            at = full(state.virtual()).ravel()
            total += at @ at
        if spoil is not None:
            spoil(state, k)

    cn.local_sgd.run(gradient, start, rule, iterations, workers=workers, systems=systems, seed=seed, observe=observe)
    return total / (-(-iterations // every) * systems)


def squared_gradient(workers, iterations, *, seed, tau, pull, tilt=0.0, shared=False, fixed=0, every=EVERY, spoil=None):
    """The mean squared gradient on the wells, and the same over half of the bound's leading term."""
    import numpy as np

    m, K = int(workers), int(iterations)
    rule = cn.local_sgd.Rule(cn.local_sgd_bound.step_for(m, fixed or K, pull), int(tau), pull)
    tilts = tilt * np.where(np.arange(m) % 2, 1.0, -1.0)[:, None] * DIM**-0.5  # mean 0 if m is even

    def gradient(x, rng):
        g = rng.standard_normal((SYSTEMS, 1, DIM) if shared else x.shape) * NOISE
        return g + _wells(x) + tilts

    found = mean_square(gradient, _wells, np.full(DIM, START), rule, m, K, seed=seed, every=every, spoil=spoil)
    return {GRADIENT: found, LEADING: found / cn.local_sgd_bound.leading(m, K, L=1.0, gap=GAP, variance=VARIANCE)}


def _wells(x):
    """grad F."""
    u = x * x
    u += 1.0
    u *= u
    return x / u


def by_workers(workers, *, seed, iterations, tau, pull, **how):
    """`squared_gradient` with the number of workers as the scale."""
    return squared_gradient(workers, iterations, seed=seed, tau=tau, pull=pull, **how)


def by_iterations(iterations, *, seed, workers, tau, pull, **how):
    """`squared_gradient` with the number of iterations as the scale."""
    return squared_gradient(workers, iterations, seed=seed, tau=tau, pull=pull, **how)


SLOPE = {GRADIENT: cn.PowerLaw(-0.5, **RATE)}
BOTH = {**SLOPE, LEADING: cn.LimitCurve(1.0, margin=0.05, last=1, words="half of the bound's")}

SPEED_UP = cn.Claim(
    "S5.2",
    "At a fixed number of iterations K the mean squared gradient falls like the number of workers to the -1/2.",
    SOURCE,
    "workers",
    origin="recalled",
    name="speed-up",
    model="wells",
    measure=by_workers,
    predicts=SLOPE,
    scales={"quick": [1, 2, 4], "standard": [1, 2, 4, 8]},
    replicas={**REPLICAS, "standard": 8},
    params={"tau": (1, 4), "pull": 0.6, "iterations": 4096},
    domain=fleet.domain({"pull": 0}),
    asymptotic="large",
    controls=(
        cn.Control("shared-noise", "All workers have the same noise.", measure=partial(by_workers, shared=True),
                   scales=[1, 2, 4, 8], params={"iterations": 1024}, replicas=10),
    ),
)  # fmt: skip

RATE_OF_K = cn.Claim(
    "S5.2",
    "At a fixed number of workers the mean squared gradient falls like K^-1/2, as half of the bound's leading term.",
    SOURCE,
    "iterations",
    origin="recalled",
    name="nonconvex-rate",
    model="wells",
    measure=by_iterations,
    predicts=BOTH,
    scales={"quick": [1024, 2048, 4096], "standard": [1024, 4096, 16384], "full": [1024, 4096, 16384, 65536]},
    replicas=REPLICAS,
    params={"tau": (1, 4), "pull": 0.6, "workers": 4},
    domain=fleet.domain({"pull": 0}),
    controls=(
        cn.Control("fixed-step", "The step is that of 256 iterations at every K.",
                   measure=partial(by_iterations, fixed=256), scales=[1024, 2048, 4096], replicas=10, predicts=SLOPE),
    ),
)  # fmt: skip


# --- the explicit bound --------------------------------------------------------------------------------------------


def bound(iterations, *, workers, tau, pull, tilt):
    """The explicit bound for the wells."""
    return bound_at(iterations, workers, tau, pull, L=1.0, gap=GAP, variance=VARIANCE, heterogeneity=tilt**2)


def bound_at(iterations, workers, tau, pull, *, L, **constants):
    """The explicit bound at the step of ``local_sgd_bound.step_for``; a ValueError names the iterations it needs."""
    m, K, theory = int(workers), int(iterations), cn.local_sgd_bound
    rule = cn.local_sgd.Rule(theory.step_for(m, K, pull, L), int(tau), pull)
    largest = theory.largest_step(rule, L)
    if rule.step > largest:
        least = int(m / (L * (1.0 - pull) * largest) ** 2) + 1
        raise ValueError(f"iterations must be at least {least} for the bound with tau = {tau} and m = {m}, got {K}")
    return theory.gradient_bound(rule, m, K, L=L, **constants)


def wells_gradient(iterations, **params):
    """The mean squared gradient alone."""
    return by_iterations(iterations, **params)[GRADIENT]


def bound_claim(measure, upper, model, *, params, scales, controls=(), within=None, ready=None, noisy=True):
    """S5.2 for a function with known constants: the explicit bound in expectation, or of every run without noise."""
    return cn.Claim(
        "S5.2",
        "The mean squared gradient of y is below its explicit bound, whose terms in kappa and tau are bounds only.",
        SOURCE,
        "iterations",
        origin="derived",
        name="nonconvex-bound",
        model=model,
        measure=measure,
        quantity=GRADIENT,
        predicts=cn.Bound(upper, statistic="mean" if noisy else "every", within=within),
        scales=scales,
        replicas=REPLICAS,
        params=params,
        domain=fleet.domain(params),
        ready=ready or (lambda iterations, **params: upper(iterations, **params)),
        controls=controls,
    )


def own_bound(gradient, full, start, workers, *, L, gap, variance, heterogeneity, tau, pull, iterations):
    """S5.2 for a gradient function whose constants are known, at the step of ``local_sgd_bound.step_for``.

    Raises
    ------
    ValueError
        `full` or the gradients of SYSTEMS systems at once are no finite real arrays of their shape.
    """
    import numpy as np

    systems = start + 0.01 * np.arange(SYSTEMS)[:, None] * (1.0 + np.abs(start))  # unlike each other
    found = cn.local_sgd_answer.answer("constants['full']", full, systems, shape=systems.shape)
    alone = cn.local_sgd_answer.answer("constants['full']", full, systems[-1:], shape=(1, len(start)))
    if not np.allclose(found[-1], alone[0], rtol=1e-6, atol=1e-9 * np.abs(found).max()):
        raise ValueError("constants['full'] must treat the rows of its argument apart, got values that mix them")
    many = np.repeat(systems[:, None], workers, axis=1)
    cn.local_sgd_answer.answer("gradient", gradient, many, np.random.default_rng(0), shape=many.shape)

    def upper(iterations, *, tau, pull):
        return bound_at(iterations, workers, tau, pull, L=L, gap=gap, variance=variance, heterogeneity=heterogeneity)

    def measure(iterations, *, seed, tau, pull, spoil=None):
        rule = cn.local_sgd.Rule(cn.local_sgd_bound.step_for(workers, int(iterations), pull, L), int(tau), pull)
        return mean_square(gradient, full, start, rule, workers, int(iterations), seed=seed, spoil=spoil)

    frozen = cn.Control("frozen-anchor", "The anchor is not updated.", measure=partial(measure, spoil=fleet.frozen))
    return bound_claim(measure, upper, "own", params={"tau": tau, "pull": pull}, scales=iterations, controls=(frozen,),
                       noisy=variance > 0.0)  # fmt: skip


BOUND = bound_claim(
    wells_gradient, bound, "wells", params={"tau": (1, 4), "pull": 0.6, "workers": 2, "tilt": 0.25}, within=5.0,
    scales={"quick": [4096], "standard": [2048, 8192], "full": [2048, 8192, 32768]},
    controls=(
        cn.Control("frozen-anchor", "The anchor is not updated, so that the workers are pulled back for ever.",
                   replicas=10, scales=[4096], measure=partial(wells_gradient, spoil=fleet.frozen)),
    ),
)  # fmt: skip

CLAIMS = (SPEED_UP, RATE_OF_K, BOUND)
