"""C1: the tail index of the iterates is alpha. Training by a bounded drift neither tames nor fattens the noise's tail.

Statement
    For every fixed T, P(|theta_T| > r) ~ sigma^alpha T C r^-alpha, where C is the tail constant of the noise vector's
    norm (``chaosnum/moments.py``). With linear decay, T becomes (1 - exp(-alpha gamma T)) / (alpha gamma).

Proof
    1. The Euler scheme adds T / eta increments of scale sigma eta^(1/alpha): together exactly S = sigma T^(1/alpha) X,
       X a standard stable vector, for every eta. This is what sigma eta^(1/alpha) X in the scheme is for.
    2. If |b| <= K then |theta_T - theta_0 - S| <= K T, whatever the interaction does, so for every r
           P(|S| > r + K T)  <=  P(|theta_T - theta_0| > r)  <=  P(|S| > r - K T).
       Both sides are known exactly (the stable law; ``chaosnum/column_law.py`` for vectors), and both are ~ P(|S| > r).
    3. An initial law with lighter tails changes nothing: regular variation survives a sum with a lighter variable.
    4. With decay (bed L) everything is linear in the noise: theta_T is exactly SaS. Noise that is j steps old has the
       weight b_j + (a_j - b_j) / n on its own particle and (a_j - b_j) / n on the n - 1 others, where
       a_j = (1 - lam eta)^j and b_j = (1 - (lam + chi) eta)^j, so
           scale^alpha = sigma^alpha eta sum_j [ (b_j + (a_j - b_j)/n)^alpha + (n - 1) ((a_j - b_j)/n)^alpha ],
       which tends to sigma^alpha eta sum_j (1 - (lam + chi) eta)^(alpha j) as n grows.

What is checked, with r as the scale, in units of the noise's scale sigma T^(1/alpha)
    Increments: the share of particles with |theta_T - theta_0| > r lies in the band of step 2, with some tolerance.
    Index: the share with |theta_T| > r falls like r^-alpha. The drift's and the initial law's relative correction is of
        order r^-2 (their first-order parts cancel by symmetry), the stable law's own r^-alpha: r starts where both are
        a few per cent at alpha = 1.8.
    Constant: the same share against C sigma^alpha T r^-alpha at the largest r; on bed N, whose columns of 65 components
        reach that only much farther out, against the exact tail of |theta_0 + S|.
    Shares are judged as binomial although the particles of one system depend on each other. That is safe: by step 2
    the number beyond r lies, path by path, between the numbers of *independent* variables |S_i| beyond r + K T and
    r - K T, so a share that is truly in the band is outside by chance no more often than binomial ones would be. (For
    the constant the same holds with theta_0 + S; the tolerance is wider than alpha K T / r.) On
    bed L, where nothing is bounded, one particle is taken of each system.

Controls
    gaussian-noise: no power tail. other-index: noise of index alpha - 0.4. half-power: steps scaled with eta^(1/2) in
    place of eta^(1/alpha), the right index with a wrong constant. no-decay (bed L): the constant of bed K.

At alpha = 2 there is no power tail, and near 2 it starts ever farther out (C vanishes like 2 - alpha): alpha <= 1.95.
"""

import math
from functools import lru_cache

import chaosnum as cn
from proofs_checks.beds import (
    KURAMOTO_DOMAIN,
    KURAMOTO_PARAMS,
    NETWORK,
    NETWORK_DOMAIN,
    POSITIVE,
    kuramoto,
    network,
)

SOURCE = "derived; used in the proof of Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125"
TAILS = (1.2, 1.5, 1.8)
TAIL_RANGE = (1.0, 1.95)
KINDS = ("I", "II", "III")
INCREMENTS, INDEX, CONSTANT = "increments beyond r", "particles beyond r", "particles beyond r, far out"


def _shares(start, end, r):
    """Shares of the particles (columns) whose increment, and which themselves, are beyond r."""
    import numpy as np

    moved, beyond = (float(np.mean((x**2).sum(axis=0) > r * r)) for x in (end - start, end))
    return {INCREMENTS: moved, INDEX: beyond, CONSTANT: beyond}


def _ready(scale, **params):
    cn.particles.Scheme(params["alpha"], params["sigma"], params["T"], params["eta"])
    cn.check.at_least("n", params["n"], 2)
    if "lam" in params and params["eta"] * (params["lam"] + params["chi"]) >= 1.0:
        raise ValueError(f"eta must be below 1 / (lam + chi), got {params['eta']!r}")
    if "data" in params:
        network(params["data"], params["unit"], params["loss"], POINTS)


def _far_most(replicas, far):
    """Replicas that grow with r up to `far` as the events beyond it become rare."""
    return lambda r, budget: round(replicas[budget] * min(1.0, (r / far) ** 1.5))


def _mostly_ends(replicas):
    """Most replicas where events are rare, and enough at the near end for a slope: little is learnt from between."""
    return lambda r, budget: round(replicas[budget] * {16: 0.3, 32: 0.25}.get(r, 1.0))


def _radius(r, alpha, sigma, T):
    """The radius: r units of the noise's scale at time T."""
    return r * sigma * T ** (1.0 / alpha)


def _four_errors(events):
    """Tolerance of a share: 1 %, and four standard errors of so many events (what the quick budget expects)."""
    return 0.01 + 4.0 / events**0.5


def _half_power(alpha, sigma, eta):
    """The sigma with which the scheme's steps have the scale sigma eta^(1/2)."""
    return sigma * eta ** (0.5 - 1.0 / alpha)


# --- bed K ---------------------------------------------------------------------------------------------------------

DRAWN, FAR = 480 * 20000, 64.0  # particles of the quick budget, and its largest radius


def _slack(alpha):
    """Tolerance around the rigorous band, which is narrower at large r than replicas can resolve."""
    return _four_errors(DRAWN * stable_tail(FAR, alpha, 1.0))


def kuramoto_shares(r, *, seed, alpha, sigma, K, T, eta, n, noise_alpha=None, noise_sigma=None):
    """One system of bed K: shares of its particles beyond r."""
    bed = kuramoto(K)
    scheme = cn.particles.Scheme(noise_alpha or alpha, noise_sigma or sigma, T, eta)
    end = cn.particles.simulate(bed, int(n), scheme, seed=seed, threads=1).theta
    return _shares(bed.initial(int(n), seed=seed), end, _radius(r, alpha, sigma, T))


def kuramoto_gaussian(r, **params):
    """`kuramoto_shares` with Gaussian noise."""
    return kuramoto_shares(r, noise_alpha=2.0, **params)


def kuramoto_other_index(r, *, alpha, **params):
    """`kuramoto_shares` with noise of another index."""
    return kuramoto_shares(r, alpha=alpha, noise_alpha=alpha - 0.4, **params)


def kuramoto_half_power(r, *, alpha, sigma, eta, **params):
    """`kuramoto_shares` with steps scaled by eta^(1/2)."""
    wrong = _half_power(alpha, sigma, eta)
    return kuramoto_shares(r, alpha=alpha, sigma=sigma, eta=eta, noise_sigma=wrong, **params)


def stable_tail(r, alpha, scale):
    """P(|scale X| > r), 1 below zero, for a standard SaS X -> float."""
    return float(2.0 * cn.stable.sf(r / scale, alpha)) if r > 0 else 1.0


def _kuramoto_lower(r, alpha, sigma, K, T):
    return (1 - _slack(alpha)) * stable_tail(_radius(r, alpha, sigma, T) + K * T, alpha, sigma * T ** (1 / alpha))


def _kuramoto_upper(r, alpha, sigma, K, T):
    tail = stable_tail(_radius(r, alpha, sigma, T) - K * T, alpha, sigma * T ** (1 / alpha))
    return min(1.0, (1 + _slack(alpha)) * tail)


def _kuramoto_limit(r, alpha):
    return cn.moments.tail_constant("II", alpha) * r**-alpha


def _trials(n):
    return int(n)


def _far(curve, margin):
    return cn.LimitCurve(curve, margin=margin, statistic="frequency", trials=_trials, last=1, words="C r^-α")


KURAMOTO_BAND = cn.LimitCurve(
    lower=_kuramoto_lower, upper=_kuramoto_upper, statistic="frequency", trials=_trials, words="the noise's band"
)
KURAMOTO_FAR = _far(_kuramoto_limit, _slack)

KURAMOTO = cn.Claim(
    "C1",
    "The iterates have the noise's tail: P(|theta_T| > r) ~ sigma^alpha T C r^-alpha.",
    SOURCE,
    scale="r",
    name="tail-index",
    model="kuramoto",
    measure=kuramoto_shares,
    predicts={
        INCREMENTS: KURAMOTO_BAND,
        INDEX: cn.PowerLaw(lambda alpha: -alpha, sense="exact", margin=0.12),
        CONSTANT: KURAMOTO_FAR,
    },
    scales={"quick": [16, 32, 64], "standard": [16, 32, 64, 128]},
    replicas=_mostly_ends({"quick": 480, "standard": 1500, "full": 6000}),
    params={**KURAMOTO_PARAMS, "alpha": TAILS, "eta": 0.25, "n": 20000},
    domain={**KURAMOTO_DOMAIN, "alpha": TAIL_RANGE},
    ready=_ready,
    controls=(
        cn.Control(
            "gaussian-noise", "Gaussian noise: no power tail.", measure=kuramoto_gaussian,
            predicts={INCREMENTS: KURAMOTO_BAND, CONSTANT: KURAMOTO_FAR}, scales=[16, 32], replicas=20,
        ),
        cn.Control(
            "other-index", "Noise of index alpha - 0.4.", measure=kuramoto_other_index, scales=[16, 32, 64],
            replicas=40,
        ),
        cn.Control(
            "half-power", "Steps scaled with eta^(1/2) in place of eta^(1/alpha).", measure=kuramoto_half_power,
            applies=lambda alpha, eta: eta ** (alpha / 2 - 1) > 1.3, predicts={INCREMENTS: KURAMOTO_BAND},
            scales=[32], replicas=120,
        ),
    ),
)  # fmt: skip


# --- bed L ---------------------------------------------------------------------------------------------------------

SYSTEMS = 20000  # systems of which one particle each makes a replica


def linear_share(r, *, seed, alpha, sigma, lam, chi, T, eta, n, noise_alpha=None):
    """Share of systems of bed L whose first particle is beyond r at time T; it starts at 0."""
    import numpy as np

    scheme = cn.particles.Scheme(noise_alpha or alpha, sigma, T, eta)
    bed = cn.linear.Linear(lam, chi)
    theta = cn.particles.simulate(bed, int(n), scheme, seed=seed, systems=SYSTEMS, threads=1).theta
    return float(np.mean(np.abs(theta[:, 0]) > r))


def linear_gaussian(r, **params):
    """`linear_share` with Gaussian noise."""
    return linear_share(r, noise_alpha=2.0, **params)


def linear_scale(n, alpha, sigma, lam, chi, T, eta):
    """SaS scale of a particle of bed L under Euler, deterministic initial value (step 4 above) -> float."""
    import numpy as np

    j = np.arange(round(T / eta))
    own, average = (1.0 - (lam + chi) * eta) ** j, (1.0 - lam * eta) ** j
    others = (average - own) / n
    return float(sigma * (eta * ((own + others) ** alpha + (n - 1) * others**alpha).sum()) ** (1.0 / alpha))


def _linear_tail(r, alpha, sigma, lam, chi, T, eta, n):
    return stable_tail(r, alpha, linear_scale(n, alpha, sigma, lam, chi, T, eta))


def _linear_slack(alpha, sigma, lam, chi, T, eta, n):
    return _four_errors(64 * SYSTEMS * _linear_tail(8.0, alpha, sigma, lam, chi, T, eta, n))


LINEAR = cn.Claim(
    "C1",
    "With linear decay, T becomes (1 - exp(-alpha gamma T)) / (alpha gamma); Euler: eta sum (1 - gamma eta)^(alpha j).",
    "derived, in proofs_checks/tail_index.py",
    scale="r",
    name="tail-index",
    model="linear",
    measure=linear_share,
    quantity="systems beyond r",
    predicts=cn.LimitCurve(
        _linear_tail, margin=_linear_slack, statistic="frequency", trials=SYSTEMS, words="exact tail",
    ),
    scales=[2, 4, 8],
    replicas=_far_most({"quick": 64, "standard": 320, "full": 1280}, 8),
    params={"alpha": TAILS, "sigma": 1.0, "lam": 1.0, "chi": 1.0, "T": 1.0, "eta": 0.2, "n": 3},
    domain={"alpha": TAIL_RANGE, "sigma": POSITIVE, "T": POSITIVE, "eta": POSITIVE},
    ready=_ready,
    controls=(
        cn.Control("no-decay", "No decay.", measure=linear_share, params={"lam": 0.0, "chi": 0.0}, replicas=8),
        cn.Control("gaussian-noise", "Gaussian noise: no power tail.", measure=linear_gaussian, replicas=8),
    ),
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------

POINTS = 10  # images: the tail does not depend on them, the cost does
VECTOR_TAILS = (1.2, 1.5, 1.7)
VECTORS_DRAWN, VECTORS_FAR = 40 * 4000, 80.0


def network_shares(r, *, seed, alpha, sigma, T, eta, n, noise, data, unit, loss, noise_alpha=None, noise_sigma=None):
    """One network: shares of its units with a norm beyond r."""
    bed = network(data, unit, loss, POINTS)
    scheme = cn.particles.Scheme(noise_alpha or alpha, noise_sigma or sigma, T, eta, noise)
    end = cn.particles.simulate(bed, int(n), scheme, seed=seed, threads=1).theta
    return _shares(bed.initial(int(n), seed=seed), end, _radius(r, alpha, sigma, T))


def network_gaussian(r, **params):
    """`network_shares` with Gaussian noise."""
    return network_shares(r, noise_alpha=2.0, **params)


def network_half_power(r, *, alpha, sigma, eta, **params):
    """`network_shares` with steps scaled by eta^(1/2)."""
    wrong = _half_power(alpha, sigma, eta)
    return network_shares(r, alpha=alpha, sigma=sigma, eta=eta, noise_sigma=wrong, **params)


@lru_cache(maxsize=1024)
def _norm_tail(r, alpha, sigma, T, noise, p):
    """P(|S| > r), S the sum of the noise up to T."""
    if not 0.0 < r < math.inf:
        return 0.0 if r > 0.0 else 1.0
    return float(cn.column_law.column_law(alpha, noise=noise, dim=p, sigma=sigma, time=T).sf(r))


def _network_tail(r, side, alpha, sigma, T, noise, data, unit, loss, **_):
    bed = network(data, unit, loss, POINTS)
    drift = bed.constants().sup_b * T  # infinite outside the assumptions, and the band then everything
    reach = _radius(r, alpha, sigma, T) + side * drift
    slack = _vector_slack(alpha, noise, data, unit, loss)
    return min(1.0, (1 - side * slack) * _norm_tail(reach, alpha, sigma, T, noise, bed.p))


def _network_lower(r, **params):
    return _network_tail(r, 1, **params)


def _network_upper(r, **params):
    return _network_tail(r, -1, **params)


def _network_limit(r, alpha, noise, data, unit, loss):
    return cn.moments.tail_constant(noise, alpha, network(data, unit, loss, POINTS).p) * r**-alpha


def _vector_slack(alpha, noise, data, unit, loss):
    return _four_errors(VECTORS_DRAWN * min(1.0, _network_limit(VECTORS_FAR, alpha, noise, data, unit, loss)))


def _network_sum(r, alpha, sigma, T, noise, data, unit, loss):
    """P(|theta_0 + S| > r), with the same constant; 80 noise scales are not far out for vectors of 65 components."""
    bed = network(data, unit, loss, POINTS)
    return _sum_tail(_radius(r, alpha, sigma, T), alpha, sigma, T, noise, bed.p, bed.sd)


@lru_cache(maxsize=1024)
def _sum_tail(r, alpha, sigma, T, noise, p, sd):
    law = cn.column_law.column_law(alpha, noise=noise, dim=p, sigma=sigma, time=T, init_scale=sd)
    return float(law.sf(r))


def _vector_margin(alpha, sigma, T, noise, data, unit, loss):
    """For the far share: the same, and the drift's first-order effect where it is known."""
    shift = alpha * network(data, unit, loss, POINTS).constants().sup_b * T / _radius(VECTORS_FAR, alpha, sigma, T)
    return _vector_slack(alpha, noise, data, unit, loss) + (shift if shift < 1.0 else 0.0)


NETWORK_BAND = cn.LimitCurve(
    lower=_network_lower, upper=_network_upper, statistic="frequency", trials=_trials, words="the noise's band"
)
NETWORK_FAR = cn.LimitCurve(
    _network_sum, margin=_vector_margin, statistic="frequency", trials=_trials, last=1, words="start + noise"
)

NETWORK_CLAIM = cn.Claim(
    "C1",
    "The norm of a unit's weights has the tail of the noise vector's norm, for every type of noise, on real data.",
    SOURCE,
    scale="r",
    name="tail-index",
    model="network",
    measure=network_shares,
    predicts={INCREMENTS: NETWORK_BAND, CONSTANT: NETWORK_FAR},
    scales={"quick": [20, 80], "standard": [20, 80, 160]},
    replicas=_far_most({"quick": 40, "standard": 400, "full": 1600}, 80),
    params={"alpha": VECTOR_TAILS, "noise": KINDS, "sigma": 1.0, "T": 1.0, "eta": 0.5, "n": 4000, **NETWORK},
    domain={
        "alpha": TAIL_RANGE, "noise": KINDS, "sigma": POSITIVE, "T": POSITIVE, "eta": POSITIVE,
        **NETWORK_DOMAIN,
    },
    ready=_ready,
    controls=(
        cn.Control(
            "gaussian-noise", "Gaussian noise: no power tail.", measure=network_gaussian, scales=[80], replicas=8,
        ),
        cn.Control(
            "half-power", "Steps scaled with eta^(1/2) in place of eta^(1/alpha).", measure=network_half_power,
            applies=lambda alpha, eta: eta ** (alpha / 2 - 1) > 1.3, predicts={INCREMENTS: NETWORK_BAND},
            scales=[40], replicas=12,
        ),
    ),
)  # fmt: skip

CLAIMS = (KURAMOTO, LINEAR, NETWORK_CLAIM)
