"""C7: from the weights alone to a prediction of their compressibility.

Statement
    Let alpha and C come from :func:`chaosnum.tails.fit` on n weights, M and m from the weights themselves
    (``chaosnum/column_sample.py``). Then the relative l_2 error of the best kappa n of these weights lies between the 5
    and 95 % points of C5's law about as often as it says, 90 %: how the weights came about is not used.

Argument
    1. The error depends on M, which the dropped weights determine to order n^(-1/2), and on the sum of all squares, on
       which a handful of largest weights decides: the stable variable S, which no fit can foretell.
    2. The sum's scale is n^(2/alpha) C^(2/alpha), and C = 2 c gamma^alpha is fitted with alpha (gamma the scale, which
       is known better). An error d of alpha moves its logarithm by -(2/alpha^2) log(2 n c) d + (2/alpha) c'/c d:
       -12.0 d, -8.6 d, -9.1 d at alpha = 1.2, 1.5, 1.8 and n = 4000. The estimate's standard deviation, 0.02, makes
       that 0.2, less than the spread of log S; an index off by 0.2 does not foretell the error's law.

What is checked
    The share of samples whose error lies within the interval: at least 0.78 (M, m, alpha and C come from the same
    weights as the error, so 90 % is not exact); and on either side of it, at most 0.15. On SaS entries, and on the
    output of bed K under strong noise, sigma = 4, whose weights depend on each other and carry an initial law and a
    drift.

Controls
    hill-too-near: Hill's estimate from the largest fifth, which is biased upwards (C7's trap). gaussian-weights: the
    prediction of index alpha for Gaussian weights. weak-noise (bed K, alpha = 1.8): with sigma = 0.7 the initial law
    matters; 4000 weights do not show that they are not stable, the fitted index is too large, and the prediction fails.
    That is the limit of what weights alone can tell.
"""

import chaosnum as cn
from proofs_checks.beds import POSITIVE, kuramoto

SOURCE = "derived, in proofs_checks/fitted_prediction.py"
WITHIN, BELOW, ABOVE = "error within its 90 % interval", "error below its 5 % point", "error above its 95 % point"
RARE = cn.LimitCurve(upper=0.15, statistic="frequency", words="0.15")
PREDICTS = {WITHIN: cn.LimitCurve(lower=0.78, statistic="frequency", words="0.78"), BELOW: RARE, ABOVE: RARE}


def _within(x, kappa, alpha, constant):
    """Where the error of x lies in the law that index and constant predict: 1.0 for what is the case, else 0.0."""
    import numpy as np

    y = np.abs(x)
    if not alpha < 1.999:  # no power tail, no prediction
        return {WITHIN: 0.0, BELOW: 0.0, ABOVE: 1.0}
    law = cn.compress.SampleLaw(y, alpha, tail_constant=constant)
    place = cn.compress.error_cdf(cn.compress.error_curve(y, kappa), y.size, alpha, kappa, law=law)
    return {WITHIN: float(0.05 <= place <= 0.95), BELOW: float(place < 0.05), ABOVE: float(place > 0.95)}


def _fitted(x, kappa):
    fit = cn.tails.fit(x)
    return _within(x, kappa, fit.alpha, fit.constant)


def _hill(x, kappa):
    estimate = cn.tails.hill(x, k=x.size // 5)
    return _within(x, kappa, estimate.alpha, estimate.constant)


def entries(n, *, seed, alpha, kappa, judge=_fitted):
    """n SaS entries and the prediction from them."""
    return judge(cn.stable.rvs(alpha, int(n), seed=seed), kappa)


def entries_hill(n, **params):
    """`entries` with Hill's estimate from the largest fifth."""
    return entries(n, judge=_hill, **params)


def entries_gaussian(n, *, seed, alpha, kappa):
    """Gaussian entries and the prediction of index alpha for them."""
    x = cn.stable.rvs(2.0, int(n), seed=seed)
    return _within(x, kappa, alpha, 2.0 * cn.stable.tail_constant(alpha))


def output(n, *, seed, alpha, kappa, sigma, K, T, eta, judge=_fitted):
    """The n particles of bed K at time T, and the prediction from them."""
    scheme = cn.particles.Scheme(alpha, sigma, T, eta)
    return judge(cn.particles.simulate(kuramoto(K), int(n), scheme, seed=seed, threads=1).theta.ravel(), kappa)


def output_hill(n, **params):
    """`output` with Hill's estimate from the largest fifth."""
    return output(n, judge=_hill, **params)


def _ready(scale, **params):
    if not 1 <= params["kappa"] * scale <= scale - 1:
        raise ValueError(f"kappa must keep 1 to n - 1 of n = {scale:g} entries, got {params['kappa']!r}")
    if "eta" in params:
        cn.particles.Scheme(params["alpha"], params["sigma"], params["T"], params["eta"])


def output_gaussian(n, *, seed, alpha, kappa, sigma, K, T, eta):
    """The particles of bed K under Gaussian noise, and the prediction of index alpha for them."""
    x = cn.particles.simulate(kuramoto(K), int(n), cn.particles.Scheme(2.0, sigma, T, eta), seed=seed, threads=1).theta
    return _within(x.ravel(), kappa, alpha, 2.0 * cn.stable.tail_constant(alpha) * sigma**alpha * T)


WITHIN_ONLY = {WITHIN: PREDICTS[WITHIN]}
TOO_NEAR = "Hill's estimate from the largest fifth in place of the recommended one."
DOMAIN = {"alpha": (1.0, 1.9), "kappa": (0.0, 1.0)}

ENTRIES = cn.Claim(
    "C7",
    "A tail index fitted to the weights foretells the law of their compression error.",
    SOURCE,
    name="fitted-prediction",
    model="iid",
    measure=entries,
    predicts=PREDICTS,
    scales={"quick": [4000], "standard": [4000, 16000], "full": [4000, 16000, 64000]},
    replicas={"quick": 120, "standard": 1000, "full": 3000},
    params={"alpha": (1.5, 1.8), "kappa": 0.1},
    domain=DOMAIN,
    ready=_ready,
    controls=(
        cn.Control(
            "hill-too-near", TOO_NEAR, measure=entries_hill, applies=lambda alpha: alpha >= 1.7, scales=[4000],
            replicas=100, predicts=WITHIN_ONLY,
        ),
        cn.Control(
            "gaussian-weights", "Gaussian weights.", measure=entries_gaussian, scales=[4000], replicas=60,
            predicts=WITHIN_ONLY,
        ),
    ),
)  # fmt: skip

OUTPUT = cn.Claim(
    "C7",
    "The same for the output of bed K, whose weights depend on each other.",
    SOURCE,
    name="fitted-prediction",
    model="kuramoto",
    measure=output,
    predicts=PREDICTS,
    scales={"quick": [4000], "standard": [4000, 16000], "full": [4000, 16000, 64000]},
    replicas={"quick": 120, "standard": 1000, "full": 3000},
    params={"alpha": (1.5, 1.8), "kappa": 0.1, "sigma": 4.0, "K": 1.0, "T": 1.0, "eta": 0.1},
    domain={**DOMAIN, "sigma": POSITIVE, "K": POSITIVE, "T": POSITIVE, "eta": POSITIVE},
    ready=_ready,
    controls=(
        cn.Control(
            "hill-too-near", TOO_NEAR, measure=output_hill, applies=lambda alpha: alpha >= 1.7, scales=[4000],
            replicas=100, predicts=WITHIN_ONLY,
        ),
        cn.Control(
            "gaussian-weights", "Gaussian noise.", measure=output_gaussian, scales=[4000], replicas=60,
            predicts=WITHIN_ONLY,
        ),
        cn.Control(
            "weak-noise", "Noise so weak that the initial law matters.", params={"sigma": 0.7},
            applies=lambda alpha: alpha >= 1.7, scales=[4000], replicas=300, predicts=WITHIN_ONLY,
        ),
    ),
)  # fmt: skip

CLAIMS = (ENTRIES, OUTPUT)
