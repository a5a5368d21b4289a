"""C3: Euler error. The discrete algorithm follows the stable-driven SDE.

Statement (Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125)
    At grid times, with the noise of a coarse step the sum of its fine steps' noise, the error of the Euler scheme with
    step eta is at most C eta^(1/alpha): the exponent is at least 1/alpha.

Proof (the constants are derived in ``chaosnum/bounds.py``)
    1. Couple scheme and solution by one noise path. The noise cancels at grid times; what is left is the drift, which
       the scheme holds fixed over a step: |e_{k+1}| <= |e_k| + int |b(theta_s, mu_s) - b(theta^_k, mu^_k)| ds.
    2. b is (A + D)-Lipschitz in the error and the distance covered within the step.
    3. Within a step, E|theta_s - theta_k| <= A (s - k eta) + sigma E|X| (s - k eta)^(1/alpha), alpha > 1.
    4. Gronwall: E sup_k |e_k| <= (exp((A + D) T) - 1) (A eta / 2 + sigma E|X| alpha/(alpha + 1) eta^(1/alpha)).
    The same argument holds against a scheme of r times as many steps, by sums in place of integrals.

What is checked
    C3 on beds K and N: mean over particles (exponent at least 1/alpha, explicit bound) and maximum (its own explicit
        bound). The bound *holds and is not sharp*: step 3 takes absolute values of noise that is centred, and for a
        smooth drift the strong order in the mean is 1 (compare Butkovsky, Dareiotis, Gerencser, arXiv 2204.12926).
        A verdict says both.
    C3 on bed L: the median particle's error, and medians over systems: there the error itself is stable.

Controls
    wrong-scale: coarse noise sigma eta^(1/2) X in place of sigma eta^(1/alpha) X, for alpha < 2.
    redrawn: the coarse scheme draws noise of its own, of the right law, in place of the sum.
"""

import chaosnum as cn
from proofs_checks.beds import ALPHAS, NETWORK, NETWORK_DOMAIN, POSITIVE, kuramoto, network, ready

SOURCE = "Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125 (upper bound); derived: order 1 in the mean"


def _gap(bed, eta, seed, alpha, sigma, T, n, refine, coarse_noise=None):
    scheme = cn.particles.Scheme(alpha, sigma, T, eta)
    noise = None if coarse_noise is None else coarse_noise(bed, scheme, n, seed)
    return cn.coupling.euler_gap(bed, n, scheme, refine, seed=seed, coarse_noise=noise)


def wrong_scale(bed, scheme, n, seed):
    """Coarse increments of the Gaussian size eta^(1/2)."""
    factor = scheme.eta ** (0.5 - 1.0 / scheme.alpha)

    def change(k, total):
        total *= factor

    return change


def redrawn(bed, scheme, n, seed):
    """Coarse increments of the right law, from addresses of their own."""
    path = scheme.path(bed.p, n, seed=seed, replica=1)
    return path.fill


def _statistics(gap):
    """Over the particles of one system: mean and maximum."""
    return {"sup error": float(gap.mean()), "largest sup error": float(gap.max())}


# --- bed K ---------------------------------------------------------------------------------------------------------


def kuramoto_error(eta, *, seed, K, **params):
    """One system of bed K: mean and maximum over particles of the largest error at grid times."""
    return _statistics(_gap(kuramoto(K), eta, seed, **params))


def kuramoto_wrong_scale(eta, *, seed, **params):
    """The median particle's error under `wrong_scale`: the error is heavy-tailed then."""
    return _median(kuramoto(params.pop("K")), eta, seed, wrong_scale, params)


def kuramoto_redrawn(eta, *, seed, **params):
    """The median particle's error under `redrawn`."""
    return _median(kuramoto(params.pop("K")), eta, seed, redrawn, params)


def _median(bed, eta, seed, coarse_noise, params):
    import numpy as np

    return {"median sup error": float(np.median(_gap(bed, eta, seed, coarse_noise=coarse_noise, **params)))}


def _inverse(alpha):
    return 1.0 / alpha


def _kuramoto_bound(eta, alpha, sigma, K, T):
    return cn.bounds.euler_bound(eta, T, alpha, sigma, K, K, cn.moments.mean_norm("II", alpha, 1))


def _kuramoto_bound_max(eta, alpha, sigma, K, T, n):
    return cn.bounds.euler_bound_max(n, eta, T, alpha, sigma, K, K, cn.moments.mean_norm("II", alpha, 1))


def _kuramoto_trivial(eta, K, T):
    return cn.bounds.trivial_bound(K, T)


def _halving(first, last):
    return [2.0**-j for j in range(first, last + 1)]


_ON_MEDIANS = cn.PowerLaw(_inverse, statistic="median")  # spoilt noise leaves errors without a variance

KURAMOTO = cn.Claim(
    "C3",
    "The error of the Euler scheme at grid times is at most of order eta^(1/alpha).",
    SOURCE,
    scale="eta",
    name="euler-error",
    model="kuramoto",
    measure=kuramoto_error,
    predicts={
        "sup error": cn.PowerLaw(_inverse, bound=_kuramoto_bound, trivial=_kuramoto_trivial),
        "largest sup error": cn.ExplicitBound(_kuramoto_bound_max, _inverse, trivial=_kuramoto_trivial),
    },
    scales={"quick": _halving(3, 7), "standard": _halving(3, 8), "full": _halving(3, 10)},
    replicas={"quick": 8, "standard": 24, "full": 64},
    params={"alpha": ALPHAS, "sigma": 1.0, "K": 1.0, "T": 1.0, "n": 1000, "refine": 16},
    domain={"alpha": (1.0, 2.0), "sigma": POSITIVE, "K": POSITIVE, "T": POSITIVE},
    ready=ready,
    asymptotic="small",
    controls=(
        cn.Control(
            "wrong-scale", "Coarse noise sigma eta^(1/2) X against the right fine path.", measure=kuramoto_wrong_scale,
            applies=lambda alpha: alpha < 2.0, predicts={"median sup error": _ON_MEDIANS}, replicas=16,
        ),
        cn.Control(
            "redrawn", "Coarse noise drawn afresh instead of summed.", measure=kuramoto_redrawn,
            predicts={"median sup error": _ON_MEDIANS}, replicas=16,
        ),
    ),
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------


def network_error(eta, *, seed, data, unit, loss, **params):
    """One network: mean and maximum over units of the largest error at grid times."""
    return _statistics(_gap(network(data, unit, loss), eta, seed, **params))


def network_redrawn(eta, *, seed, data, unit, loss, **params):
    """The median unit's error under `redrawn`."""
    return _median(network(data, unit, loss), eta, seed, redrawn, params)


def network_wrong_scale(eta, *, seed, data, unit, loss, **params):
    """The median unit's error under `wrong_scale`."""
    return _median(network(data, unit, loss), eta, seed, wrong_scale, params)


def _network_bound(eta, alpha, sigma, T, data, unit, loss):
    bed = network(data, unit, loss)
    c, norm = bed.constants(), cn.constants.projected_mean_norm(bed.X, "II", alpha)
    return cn.bounds.euler_bound(eta, T, alpha, sigma, c.a, c.d1, norm, sup_b=c.sup_b)


def _network_bound_max(eta, alpha, sigma, T, n, data, unit, loss):
    bed = network(data, unit, loss)
    c, norm = bed.constants(), cn.constants.projected_mean_norm(bed.X, "II", alpha)
    return cn.bounds.euler_bound_max(n, eta, T, alpha, sigma, c.a, c.d1, norm, sup_b=c.sup_b)


def _network_trivial(eta, T, data, unit, loss):
    return cn.bounds.trivial_bound(network(data, unit, loss).constants().sup_b, T)


NETWORK_CLAIM = cn.Claim(
    "C3",
    "The error of the Euler scheme at grid times is at most of order eta^(1/alpha), on real data.",
    SOURCE,
    scale="eta",
    name="euler-error",
    model="network",
    measure=network_error,
    predicts={
        "sup error": cn.PowerLaw(_inverse, bound=_network_bound, trivial=_network_trivial),
        "largest sup error": cn.ExplicitBound(_network_bound_max, _inverse, trivial=_network_trivial),
    },
    scales={"quick": _halving(2, 5), "standard": _halving(2, 6), "full": _halving(2, 8)},
    replicas={"quick": 8, "standard": 16, "full": 48},
    params={"alpha": ALPHAS, "sigma": 1.0, "T": 1.0, "n": 64, "refine": 8, **NETWORK},
    domain={"alpha": (1.0, 2.0), "sigma": POSITIVE, "T": POSITIVE, **NETWORK_DOMAIN},
    ready=ready,
    asymptotic="small",
    controls=(
        cn.Control(
            "wrong-scale", "Coarse noise sigma eta^(1/2) X against the right fine path.", measure=network_wrong_scale,
            applies=lambda alpha: alpha < 2.0, predicts={"median sup error": _ON_MEDIANS}, replicas=16,
        ),
        cn.Control(
            "redrawn", "Coarse noise drawn afresh instead of summed.", measure=network_redrawn,
            predicts={"median sup error": _ON_MEDIANS}, replicas=16,
        ),
    ),
)  # fmt: skip


# --- bed L ---------------------------------------------------------------------------------------------------------


def linear_error(eta, *, seed, lam, chi, **params):
    """One system of bed L: the median over particles of the largest error at grid times."""
    import numpy as np

    return {"median sup error": float(np.median(_gap(cn.linear.Linear(lam, chi), eta, seed, **params)))}


def linear_redrawn(eta, *, seed, lam, chi, **params):
    """The same under `redrawn`."""
    return _median(cn.linear.Linear(lam, chi), eta, seed, redrawn, params)


def linear_wrong_scale(eta, *, seed, lam, chi, **params):
    """The same under `wrong_scale`."""
    return _median(cn.linear.Linear(lam, chi), eta, seed, wrong_scale, params)


LINEAR = cn.Claim(
    "C3",
    "The error of the Euler scheme at grid times is at most of order eta^(1/alpha); here it is stable itself.",
    "derived, in chaosnum/linear.py",
    scale="eta",
    name="euler-error",
    model="linear",
    measure=linear_error,
    predicts={"median sup error": cn.PowerLaw(_inverse, statistic="median")},
    scales={"quick": _halving(3, 6), "standard": _halving(3, 7), "full": _halving(3, 9)},
    replicas={"quick": 16, "standard": 40, "full": 200},
    params={"alpha": ALPHAS, "sigma": 1.0, "lam": 1.0, "chi": 1.0, "T": 1.0, "n": 200, "refine": 8},
    domain={"alpha": (1.0, 2.0), "sigma": POSITIVE, "T": POSITIVE},
    ready=ready,
    asymptotic="small",
    controls=(
        cn.Control(
            "wrong-scale", "Coarse noise sigma eta^(1/2) X against the right fine path.", measure=linear_wrong_scale,
            applies=lambda alpha: alpha < 2.0, replicas=24,
        ),
        cn.Control("redrawn", "Coarse noise drawn afresh instead of summed.", measure=linear_redrawn, replicas=24),
    ),
)  # fmt: skip

CLAIMS = (KURAMOTO, NETWORK_CLAIM, LINEAR)
