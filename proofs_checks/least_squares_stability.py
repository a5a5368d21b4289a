"""S6.1 and S6.2: the largest step that SGD for least squares allows, and what a batch gains.

S6.1 maximal-step: step_max <= step_div for every law, with equality for Gaussian rows with H = I, both proved in
    ``chaosnum/least_squares.py``. Their formulas are held against the law itself: the crossing of the second-moment map
    as it stands, on d x d matrices, and R2, rho and ||H|| from the rows (``chaosnum/least_squares_operator.py``).
S6.1 stability-crossing: E ||w||^2 falls below step_div and grows above it, in simulations whose particles compete
    (``chaosnum/least_squares_growth.py``), as the mean is carried by runs too rare to be met otherwise. At 2 % from
    step_div, and for batch 1: fourth moments that are off by 5 % move step_div beyond that.
S6.2 speed-up: for Gaussian rows with H = I the factor of E ||w||^2 per step at half of the maximal step is
    1 - b / (d+b+1), so log(10^6) / -log(that) iterations for six digits. Derivation: by rotation a step changes
    ||w||^2 by the factor (1 - g U/b)^2 + g^2 U V / b^2, U chi-square with b and V with d-1 degrees of freedom; its
    mean is 1 - 2g + g^2 (d+b+1)/b. Near-linear: 0.69 b at b = d + 3; beyond, it saturates.
S6.2 near-linear: for every law let g_b = step_max(b)/2 and r_b = -log of the second-moment map's spectral radius at
    g_b. Then -log(1 - g_b mu) <= r_b <= -2 log(1 - g_b mu): the first as E ||w||^2 falls by 1 - g mu at least, the
    second as the mean of w falls no faster. So the speed-up in iterations is within a factor of two of the steps'
    ratio, which is at least b/2 up to batch_thresh, by its definition, and at most R2 rho / ||H|| ever.

Controls: E ||x||^2 in place of R2; Sigma in place of (H_L + H_R)^-1 Sigma in rho; the typical run in place of the mean
square; half the batch, or twice, at the same step; the step of batch 1 for every batch.
"""

import math
from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources

SOURCE = "Jain, Kakade, Kidambi, Netrapalli, Sidford, JMLR 18 (2018) no. 223, arXiv 1610.03774"
DERIVED = "derived, in proofs_checks/least_squares_stability.py"
MATCH, ROOM, GROWTH = "crossing / step_div", "step_max(rho=1) / step_div", "growth of E||w||^2 a step"
FROM_LAW, ROUNDING = "step_max / from the law", 1e-7  # Lanczos's and Lyapunov's solutions have more digits
DIGITS_GAINED = 6  # of ||w||^2, in `iterations`
PARTICLES, BURN, COUNT = 200, 30, 200
BESIDE = 0.02  # how far from step_div, relative, the mean square is seen to fall and to grow


# --- S6.1 -----------------------------------------------------------------------------------------------------------


def thresholds(batch, *, seed, source, size="R2", **params):
    """The crossing over step_div, step_max(rho = 1) over step_div, and step_max over that from the law.

    `size` is what stands for R2 in the second: "R2" or "mean". The third takes Sigma alone if it is "noise".
    """
    found = source(seed=seed, **params)
    theory, b = cn.least_squares, int(batch)
    limit, law = theory.step_div(found, b), cn.least_squares_operator.constants(found)
    R2 = float(found.eigenvalues.sum()) if size == "mean" else found.R2
    largest = theory.step_max(found, b, rho=_rho_of_noise(found) if size == "noise" else None)
    return {
        MATCH: crossed(found, b) / limit,
        ROOM: 2.0 * b / (R2 + (b - 1) * found.largest) / limit,
        FROM_LAW: largest * (law["R2"] * law["rho"] + (b - 1) * law["largest"]) / (2.0 * b),
    }


def _rho_of_noise(population):
    """d ||Sigma|| / Tr Sigma."""
    import numpy as np

    each = np.linalg.eigvalsh(population.matrix(population.noise))
    return max(1.0, population.d * float(each[-1] / each.sum()))


def noise_counts(population):
    """Whether Sigma alone has another rho than (H_L + H_R)^-1 Sigma."""
    return abs(_rho_of_noise(population) / population.rho - 1.0) > 1e-3


@lru_cache(maxsize=256)
def crossed(population, batch):
    """Where the second-moment map crosses 1, kept."""
    return cn.least_squares_operator.step_crossing(population, batch)


def maximal_step(model, source, *, params=None, exact=False, size=True, noise=True):
    """The claim on step_max and step_div; `exact` where they are equal.

    `size` and `noise` are whether E ||x||^2 in place of R2, and Sigma alone in rho, are wrong by enough to be controls.
    """
    every = cn.ExactValue(1.0, statistic="every", rounding=ROUNDING, words="1")
    room = every if exact else cn.Bound(1.0, statistic="every", words="1")
    words = "equals step_div for Gaussian rows with H = I" if exact else "is at most step_div, the exact threshold"
    controls = []
    if size:
        controls.append(
            cn.Control("mean-size", "E ||x||^2 in place of R2.", predicts={ROOM: room}, scales=[1, 2],
                       measure=partial(thresholds, source=source, size="mean"))
        )  # fmt: skip
    if noise:
        controls.append(
            cn.Control("noise-alone", "Sigma in place of (H_L + H_R)^-1 Sigma in rho.", predicts={FROM_LAW: every},
                       scales=[1, 2], measure=partial(thresholds, source=source, size="noise"))
        )  # fmt: skip
    return cn.Claim(
        "S6.1",
        f"The maximal step 2b / (R2 rho + (b-1)||H||), even with rho = 1, {words}.",
        f"{SOURCE} (its formula from memory); that it is at most step_div, and step_div, {DERIVED}",
        scale="batch",
        origin="recalled",
        name="maximal-step",
        model=model,
        measure=partial(thresholds, source=source),
        predicts={MATCH: every, ROOM: room, FROM_LAW: every},
        scales=[1, 2, 4, 8, 32, 128],
        replicas={"quick": 4, "standard": 20, "full": 100} if model == "mixtures" else 2,
        params=params or {},
        controls=tuple(controls),
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
        source(**params), step=step, batch=max(1, int(batch / part)), count=COUNT, burn=BURN, particles=PARTICLES,
        rng=np.random.default_rng(seed), of=of,
    )  # fmt: skip


def typical_falls(source, batch):
    """Whether a typical run surely falls where the mean square grows: not where all rows are of about one size."""
    import numpy as np

    each = [math.log(crossing(1.0 + BESIDE, seed=s, source=source, batch=batch, of="typical run")) for s in range(4)]
    return np.mean(each) + 6.0 * np.std(each, ddof=1) < 0.0


def other_batch(source, batch):
    """Whether half the batch (twice, of 1) has another step_div by a tenth."""
    parts = [cn.least_squares.step_div(source(), b) for b in (batch, batch // 2 or 2)]
    return abs(math.log(parts[1] / parts[0])) > 0.1


def stability_crossing(model, source, *, batch, params=None, typical=True, other=True):
    """The claim that E ||w||^2 turns from falling to growing at step_div; `typical`, `other`: which controls bite."""
    def spoilt(**how):
        return partial(crossing, source=source, **how)

    ends = [1.0 - BESIDE, 1.0 + BESIDE]
    controls = (
        cn.Control("typical-run", "The typical run in place of the mean square.", measure=spoilt(of="typical run"),
                   scales=ends, replicas=12),
        cn.Control("half-batch", "Half the batch at the same step.", measure=spoilt(part=2), scales=ends, replicas=12,
                   applies=lambda batch: batch >= 2),
        cn.Control("double-batch", "Twice the batch at the same step.", measure=spoilt(part=0.5), scales=ends,
                   replicas=12, applies=lambda batch: batch < 2),
    )  # fmt: skip
    return cn.Claim(
        "S6.1",
        "The mean square of SGD's error falls for a step below step_div and grows for a step above it.",
        f"{SOURCE}; {DERIVED}",
        scale="step/step_div",
        origin="derived",
        qualified="it is the mean square: a typical run still falls just above step_div",
        name="stability-crossing",
        model=model,
        measure=spoilt(),
        quantity=GROWTH,
        predicts=cn.Threshold(*ends, 1.0, words="step_div"),
        scales={"quick": ends, "full": [0.8, 0.9, *ends, 1.1, 1.25]},
        replicas={"quick": 8, "standard": 20, "full": 100},
        params={"batch": batch, **(params or {})},
        domain={"batch": (0, math.inf)},
        controls=controls[0 if typical else 1 : 3 if other else 1],
    )


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
    qualified="near-linear means 0.69 b in iterations at batch_thresh, where the step has grown by b/2",
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
            statistic="every",
            words="a factor 2 of the steps' ratio",
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
    maximal_step("isotropic", sources.isotropic, params={"dim": (5, 20, 50)}, exact=True, noise=False),
    maximal_step("mixtures", sources.random_mixture, params={"dim": 8}),
    maximal_step("diabetes", sources.diabetes),
    maximal_step("digits", sources.digits),
    stability_crossing("harmonic", sources.harmonic, batch=(1, 4), params=HARMONIC),
    stability_crossing("diabetes", sources.diabetes, batch=(1, 4)),
    SPEED_UP,
    near_linear("harmonic", sources.harmonic, scales=[2, 4, 8, 32, 128, 512], params={"dim": 50}),
    near_linear("diabetes", sources.diabetes, scales=[2, 4, 8, 32, 128]),
    near_linear("digits", sources.digits, scales=[4, 8, 16, 64, 256]),
)
