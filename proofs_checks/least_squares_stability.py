"""S6.1 and S6.2: the largest step that SGD for least squares allows, and what a batch gains.

S6.1 maximal-step: step_max <= step_div for every law, with equality for Gaussian rows with H = I, both proved in
    ``chaosnum/least_squares.py``. step_div comes twice: from its formula, and by bisection of the second-moment map.
S6.1 stability-crossing: E ||w||^2 falls below step_div and grows above it, in simulations whose particles compete
    (``chaosnum/least_squares_growth.py``), as the mean is carried by runs too rare to be met otherwise.
S6.2 speed-up: for Gaussian rows with H = I the factor of E ||w||^2 per step at half of the maximal step is
    1 - b / (d+b+1), so log(10^6) / -log(that) iterations for six digits. Derivation: by rotation a step changes
    ||w||^2 by the factor (1 - g U/b)^2 + g^2 U V / b^2, U chi-square with b and V with d-1 degrees of freedom; its
    mean is 1 - 2g + g^2 (d+b+1)/b. Near-linear: 0.68 b at b = d + 3; beyond, it saturates.
S6.2 near-linear: for every law let g_b = step_max(b)/2 and r_b = -log of the second-moment map's spectral radius at
    g_b. Then -log(1 - g_b mu) <= r_b <= -2 log(1 - g_b mu): the first as E ||w||^2 falls by 1 - g mu at least, the
    second as the mean of w falls no faster. So the speed-up in iterations is within a factor of two of the steps'
    ratio, which is at least b/2 up to batch_thresh, by its definition, and at most R2 rho / ||H|| ever.

Controls: E ||x||^2 in place of R2; the typical run in place of the mean square; half the batch at the same step; the
step of batch 1 for every batch.
"""

import math
from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources

SOURCE = "Jain, Kakade, Kidambi, Netrapalli, Sidford, JMLR 18 (2018) no. 223, arXiv 1610.03774"
DERIVED = "derived, in proofs_checks/least_squares_stability.py"
MATCH, ROOM, GROWTH = "bisected / step_div", "step_max(rho=1) / step_div", "growth of E||w||^2 a step"
DIGITS_GAINED = 6  # of ||w||^2, in `iterations`
PARTICLES, BURN, COUNT = 200, 30, 100


# --- S6.1 -----------------------------------------------------------------------------------------------------------


def thresholds(batch, *, seed, source, size="R2", **params):
    """step_div by bisection over its formula, and step_max(rho = 1) over step_div; `size` is what stands for R2."""
    found = source(seed=seed, **params)
    theory, b = cn.least_squares, int(batch)
    limit = theory.step_div(found, b)
    R2 = found.R2 if size == "R2" else float(found.eigenvalues.sum())
    largest = 2.0 * b / (R2 + (b - 1) * found.largest)
    return {MATCH: theory.step_bisected(found, b) / limit, ROOM: largest / limit}


def maximal_step(model, source, *, params=None, exact=False, bites=True):
    """The claim on step_max and step_div; `exact` where they are equal, `bites` where E ||x||^2 is no R2."""
    room = cn.ExactValue(1.0, words="1") if exact else cn.Bound(1.0, statistic="every", words="1")
    words = "equals step_div for Gaussian rows with H = I" if exact else "is at most step_div, the exact threshold"
    control = cn.Control("mean-size", "E ||x||^2 in place of R2.", predicts={ROOM: room}, scales=[1, 2],
                         measure=partial(thresholds, source=source, size="mean"))  # fmt: skip
    return cn.Claim(
        "S6.1",
        f"The maximal step 2b / (R2 rho + (b-1)||H||), even with rho = 1, {words}.",
        f"{SOURCE}; {DERIVED}",
        scale="batch",
        origin="derived",
        name="maximal-step",
        model=model,
        measure=partial(thresholds, source=source),
        predicts={MATCH: cn.ExactValue(1.0, words="1"), ROOM: room},
        scales=[1, 2, 4, 8, 32, 128],
        replicas={"quick": 4, "standard": 20, "full": 100} if model == "mixtures" else 2,
        params=params or {},
        controls=(control,) if bites else (),
    )


@lru_cache(maxsize=256)
def threshold(source, batch, params):
    """step_div of a source, kept; `params` as a tuple of pairs."""
    return cn.least_squares.step_div(source(**dict(params)), batch)


def crossing(share, *, seed, source, batch, of="mean square", part=1, **params):
    """Growth of E ||w||^2 a step at `share` of step_div(batch), the batch itself divided by `part`."""
    import numpy as np

    step = share * threshold(source, int(batch), tuple(sorted(params.items())))
    return cn.least_squares_growth.growth(
        source(**params), step=step, batch=max(1, int(batch) // part), count=COUNT, burn=BURN, particles=PARTICLES,
        rng=np.random.default_rng(seed), of=of,
    )  # fmt: skip


def stability_crossing(model, source, *, batch, params=None):
    """The claim that E ||w||^2 turns from falling to growing at step_div."""
    def spoilt(**how):
        return partial(crossing, source=source, **how)

    return cn.Claim(
        "S6.1",
        "The mean square of SGD's error falls for a step below step_div and grows for a step above it.",
        f"{SOURCE}; {DERIVED}",
        scale="step/step_div",
        origin="derived",
        qualified="it is the mean square: a typical run still falls at 1.05 step_div",
        name="stability-crossing",
        model=model,
        measure=spoilt(),
        quantity=GROWTH,
        predicts=cn.Threshold(0.95, 1.05, 1.0, words="step_div"),
        scales={"quick": [0.95, 1.05], "standard": [0.9, 0.95, 1.05, 1.1], "full": [0.8, 0.9, 0.95, 1.05, 1.1, 1.25]},
        replicas={"quick": 6, "standard": 8, "full": 48},
        params={"batch": batch, **(params or {})},
        domain={"batch": (0, math.inf)},
        controls=(
            cn.Control("typical-run", "The typical run in place of the mean square.", measure=spoilt(of="typical run"),
                       scales=[0.95, 1.05], replicas=4),
            cn.Control("half-batch", "Half the batch at the same step.", measure=spoilt(part=2), scales=[0.95, 1.05],
                       replicas=4, applies=lambda batch: batch >= 2),
        ),
    )  # fmt: skip


# --- S6.2 -----------------------------------------------------------------------------------------------------------

ITERATIONS, CONTRACTION = f"iterations for 10^-{DIGITS_GAINED}", "1 - factor, measured / predicted"
SYSTEMS = 16


def foretold(batch, dim):
    """Iterations until E ||w||^2 has fallen by 10^-6, for H = I."""
    return DIGITS_GAINED * math.log(10.0) / -math.log1p(-batch / (dim + batch + 1.0))


def iterations(batch, *, seed, dim, fixed=False):
    """Noiseless runs at half of the maximal step (of batch 1 if `fixed`) until their mean square has fallen by 10^-6.

    The factor of a step does not depend on where the runs are, so that its mean over all steps and runs is an unbiased
    estimate; the iterations come from the mean square itself, interpolated in the logarithm.
    """
    import numpy as np

    d, b, rng = int(dim), int(batch), np.random.default_rng(seed)
    population = sources.isotropic(dim)
    step = cn.least_squares.step_max(population, 1 if fixed else b) / 2.0
    error = np.ones((SYSTEMS, d))
    goal, square, t, factors = 10.0**-DIGITS_GAINED * d, float(d), 0, []
    before = np.full(SYSTEMS, float(d))
    while square > goal and t < 4 * foretold(1, dim):
        x, _ = population.sample(rng, (SYSTEMS, b))
        error -= step / b * np.einsum("sb,sbd->sd", np.einsum("sbd,sd->sb", x, error), x)
        now = np.einsum("sd,sd->s", error, error)
        factors.append(float((now / before).mean()))
        last, square, before, t = square, float(now.mean()), now, t + 1
    part = math.log(last / goal) / math.log(last / square)
    return {ITERATIONS: t - 1 + part, CONTRACTION: (1.0 - np.mean(factors)) * (d + b + 1) / b}


SPEED = {
    ITERATIONS: cn.LimitCurve(foretold, margin=0.05, words="log 10^6 / -log(1 - b/(d+b+1))"),
    CONTRACTION: cn.ExactValue(1.0, deviation=0.05, words="1"),
}
SPEED_UP = cn.Claim(
    "S6.2",
    "At half of the maximal step a batch of b saves iterations as log(1 - b/(d+b+1)) says, near-linear up to d + 3.",
    f"{SOURCE}; {DERIVED}",
    scale="batch",
    origin="derived",
    qualified="near-linear means 0.68 b in iterations at batch_thresh, where the step has grown by b/2",
    name="speed-up",
    model="isotropic",
    measure=iterations,
    predicts=SPEED,
    scales={"quick": [1, 4, 16, 52, 256], "standard": [1, 2, 4, 8, 16, 32, 52, 128, 512]},
    replicas={"quick": 12, "standard": 14, "full": 128},
    params={"dim": 50},
    domain={"dim": (1, 1000)},
    controls=(
        cn.Control("fixed-step", "The step of batch 1 for every batch.", measure=partial(iterations, fixed=True),
                   scales=[4, 16], replicas=8),
    ),
)  # fmt: skip

RELATIVE = "speed-up / ratio of the steps"


def relative_speed(batch, *, seed, source, fixed=False, **params):
    """Rate of E ||w||^2 at batch b over that at batch 1, over the ratio of the maximal steps."""
    theory, found, b = cn.least_squares, source(**params), int(batch)
    first, step = theory.step_max(found, 1) / 2.0, theory.step_max(found, b) / 2.0
    rates = [math.log(theory.spectral_radius(found, s, k)) for s, k in ((first, 1), (first if fixed else step, b))]
    return rates[1] / rates[0] / (step / first)


def _range(batch, source, params):
    """The speed-up's rigorous ends, over the ratio of the steps."""
    found, theory = source(**params), cn.least_squares
    first, step = theory.step_max(found, 1) / 2.0, theory.step_max(found, int(batch)) / 2.0
    slow, fast = -math.log1p(-first * found.mu), -math.log1p(-step * found.mu)
    low, high = fast / (2.0 * slow), 2.0 * fast / slow if batch > 1 else 1.0
    return low * first / step, high * first / step


def near_linear(model, source, *, scales, params=None):
    """The claim that the speed-up in iterations is that of the steps, to a factor of two."""
    return cn.Claim(
        "S6.2",
        "Iterations fall as the maximal step grows, to a factor of two: by b/4 at least up to batch_thresh.",
        f"{SOURCE}; {DERIVED}",
        scale="batch",
        origin="derived",
        name="near-linear",
        model=model,
        measure=partial(relative_speed, source=source),
        quantity=RELATIVE,
        predicts=cn.LimitCurve(
            lower=lambda batch, **given: _range(batch, source, given)[0] * (1 - 1e-9),
            upper=lambda batch, **given: _range(batch, source, given)[1] * (1 + 1e-9),
            words="a factor of two about the steps' ratio",
        ),
        scales=scales,
        replicas=2,
        params=params or {},
        controls=(
            cn.Control("fixed-step", "The step of batch 1 for every batch.",
                       measure=partial(relative_speed, source=source, fixed=True)),
        ),
    )  # fmt: skip


HARMONIC = {"dim": 20}
CLAIMS = (
    maximal_step("isotropic", sources.isotropic, params={"dim": (5, 20, 50)}, exact=True),
    maximal_step("mixtures", sources.random_mixture, params={"dim": 8}),
    maximal_step("diabetes", sources.diabetes),
    maximal_step("digits", sources.digits),
    stability_crossing("harmonic", sources.harmonic, batch=4, params=HARMONIC),
    stability_crossing("diabetes", sources.diabetes, batch=4),
    SPEED_UP,
    near_linear("harmonic", sources.harmonic, scales=[2, 4, 8, 32, 128, 512], params={"dim": 50}),
    near_linear("diabetes", sources.diabetes, scales=[2, 4, 8, 32, 128]),
    near_linear("digits", sources.digits, scales=[4, 8, 16, 64, 256]),
)
