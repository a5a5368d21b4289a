"""C2: propagation of chaos. Wide systems behave like independent particles, with rate n^(-1/2).

Statement (Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125)
    E sup_{t<=T} |theta^{i,n}_t - theta^{i,inf}_t| <= C n^(-1/2) for bounded units (assumptions A1-A3), where particle
    and copy share initial value and noise. The rate does not depend on alpha, although the particles have infinite
    variance: the noise cancels in the gap, and what is averaged, h, is bounded.

Proof (the constants are derived in ``chaosnum/bounds.py``)
    1. Couple synchronously. The gap's noise cancels, so |gap_t| <= int_0^t |b(theta^{i,n}, mu^n) - b(theta^i, mu)|.
    2. b is A-Lipschitz in theta and D-Lipschitz in the coupled average: the drift difference is at most
       (A + D) max_j |gap_j| plus the fluctuation F_t of the average over n independent copies.
    3. The copies are independent and |h| <= Psi, so E F_t <= D / sqrt(n), whatever alpha is.
    4. Gronwall: E max_i sup_t |gap| <= D (exp((A + D) T) - 1) / ((A + D) sqrt(n)). F_t does not depend on i, so the
       bound holds for the maximum over particles too, and in L2.

What is checked
    C2 on bed K: mean over particles and root mean square (slope and explicit bound), maximum (explicit bound and slope
        at the largest n: it approaches its rate slowly).
    C2 on bed N: the same on real data, the limit flow from an independent reference system.
    C2 on bed L: *boundedness is what buys n^(-1/2)*. Its interaction is linear, the fluctuation of a mean of n stable
        variables is of order n^-(1-1/alpha), and so is the gap; the law at time T is known exactly (C2-law).
    What follows for the joint law of two particles is in ``chaos_proper.py``.

Controls
    common-noise: one noise shared by all particles, against the deterministic limit flow of independent ones.
    neighbour: a fixed neighbour in place of the average; nothing is averaged, nothing decays.
    independent-copy (beds N and L): the copy reads noise of its own; the gap is then a difference of two paths.
    gaussian-noise (the law on bed L): Gaussian noise in place of stable noise.
"""

from functools import lru_cache

import chaosnum as cn
from proofs_checks.beds import (
    ALPHAS,
    KURAMOTO_DOMAIN,
    KURAMOTO_PARAMS,
    NETWORK,
    NETWORK_DOMAIN,
    POSITIVE,
    doubling,
    kuramoto,
    kuramoto_flow,
    network,
    ready,
)

SOURCE = "Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125"
REFERENCE_SEED = 2**63 + 1  # cells have seeds below 2^63


def _statistics(gap):
    """Over the particles of one system: mean, root mean square and maximum."""
    return {
        "sup gap": float(gap.mean()), "rms sup gap": float((gap**2).mean() ** 0.5), "largest sup gap": float(gap.max()),
    }  # fmt: skip


# --- bed K ---------------------------------------------------------------------------------------------------------


def kuramoto_gap(n, *, seed, alpha, sigma, K, T, eta, noise=None):
    """One system of bed K: mean, root mean square and maximum over particles of sup_t |gap|."""
    limit, scheme = kuramoto_flow(alpha, sigma, K, T, eta), cn.particles.Scheme(alpha, sigma, T, eta)
    return _statistics(cn.coupling.propagation_gap(kuramoto(K), n, scheme, limit, seed=seed, noise=noise))


def share(xi):
    """The noise of particle 0 for all, in place."""
    xi[:] = xi[:, :1]


def common_noise_gap(n, **params):
    """`kuramoto_gap` with one noise for all."""
    return kuramoto_gap(n, noise=share, **params)


def neighbour_gap(n, *, seed, alpha, sigma, K, T, eta):
    """The same with particle i reading particle i + 1 in place of the average."""
    import numpy as np

    limit, scheme = kuramoto_flow(alpha, sigma, K, T, eta), cn.particles.Scheme(alpha, sigma, T, eta)
    theta = kuramoto(K).initial(n, seed=seed)[0]
    copy, sup = theta.copy(), np.zeros(n)
    path, xi = scheme.path(1, n, seed=seed), np.empty((1, n))
    for k, (m_c, m_s) in enumerate(limit[:-1]):
        path.fill(k, xi)
        theta += eta * K * np.sin(np.roll(theta, -1) - theta) + xi[0]
        copy += eta * K * (m_s * np.cos(copy) - m_c * np.sin(copy)) + xi[0]
        np.maximum(sup, np.abs(theta - copy), out=sup)
    return _statistics(sup)


def _kuramoto_bound(n, alpha, sigma, K, T, eta):
    """The explicit bound with the constants known along the flow."""
    return _kuramoto_path_bound(alpha, sigma, K, T, eta) / n**0.5


@lru_cache(maxsize=64)
def _kuramoto_path_bound(alpha, sigma, K, T, eta):
    r = (kuramoto_flow(alpha, sigma, K, T, eta)[:-1] ** 2).sum(axis=1)
    return float(cn.bounds.chaos_bound_path(1, eta, K * r**0.5, K, K * (1.0 - r) ** 0.5)[-1])


def _kuramoto_trivial(n, K, T):
    return cn.bounds.trivial_bound(K, T)


def _more_small_systems(largest, quick, standard, full):
    """Replicas inversely to sqrt(n): equal cost to each factor of four in n, and most of it where it is cheap."""
    at_largest = {"quick": quick, "standard": standard, "full": full}
    return lambda n, budget: round(at_largest[budget] * max(1.0, largest[budget] / n) ** 0.5)


KURAMOTO = cn.Claim(
    "C2",
    "The gap between a particle and its limit copy is of order n^(-1/2), for every alpha.",
    SOURCE,
    name="propagation-of-chaos",
    model="kuramoto",
    measure=kuramoto_gap,
    predicts={
        "sup gap": cn.PowerLaw(-0.5, bound=_kuramoto_bound, trivial=_kuramoto_trivial),
        "rms sup gap": cn.PowerLaw(-0.5, bound=_kuramoto_bound, trivial=_kuramoto_trivial),
        "largest sup gap": cn.ExplicitBound(_kuramoto_bound, -0.5, last=5, trivial=_kuramoto_trivial),
    },
    scales={"quick": doubling(100, 6400), "standard": doubling(200, 25600), "full": doubling(200, 102400)},
    replicas=_more_small_systems({"quick": 6400, "standard": 25600, "full": 102400}, 100, 150, 300),
    params=KURAMOTO_PARAMS,
    domain=KURAMOTO_DOMAIN,
    ready=ready,
    controls=(
        cn.Control(
            "common-noise", "One noise shared by all particles.", measure=common_noise_gap,
            scales=doubling(200, 3200), replicas=40,
        ),
        cn.Control(
            "neighbour", "A fixed neighbour in place of the average.", measure=neighbour_gap,
            scales=doubling(200, 3200), replicas=24,
        ),
    ),
)  # fmt: skip


# --- bed L ---------------------------------------------------------------------------------------------------------

SYSTEMS = 64  # systems whose median is one replica


def _linear_gap(n, systems, seed, alpha, sigma, lam, chi, T, eta, noise=None, own_noise=False):
    """The gap at time T in each of `systems` systems (it is the same for every particle)."""
    import numpy as np

    bed, scheme = cn.linear.Linear(lam, chi), cn.particles.Scheme(alpha, sigma, T, eta)
    system = cn.particles.start(bed, n, systems, seed, 0)
    copy = bed.system(system.theta[:, :1].copy())
    path, xi = scheme.path(1, n * systems, seed=seed), np.empty((1, n * systems))
    own = scheme.path(1, n * systems, seed=seed, replica=1)
    limit = cn.limit.linear_euler_flow(lam, eta, scheme.steps)
    for k in range(scheme.steps):
        path.fill(k, xi)
        if noise is not None:
            noise(xi, n)
        system.advance(system.average, xi, eta)
        if own_noise:
            own.fill(k, xi)
        copy.advance(limit[k : k + 1].reshape(1, 1), xi.reshape(systems, n)[:, :1], eta)
    return (system.theta[:, :1] - copy.theta)[:, 0]


def linear_gap(n, *, seed, **params):
    """Median over a batch of systems of |gap| at time T: it has a mean for every alpha, the gap itself no variance."""
    import numpy as np

    return float(np.median(np.abs(_linear_gap(n, SYSTEMS, seed, **params))))


def linear_gap_law(n, *, seed, **params):
    """The gap at time T of one system."""
    return float(_linear_gap(n, 1, seed, **params)[0])


def _shared(xi, n):
    systems = xi.reshape(-1, n)
    systems[:] = systems[:, :1]


def common_noise_linear(n, **params):
    """`linear_gap` with one noise for all particles of a system."""
    return linear_gap(n, noise=_shared, **params)


def independent_copy_linear(n, **params):
    """`linear_gap` with a copy that reads noise of its own."""
    return linear_gap(n, own_noise=True, **params)


def common_noise_law(n, **params):
    """`linear_gap_law` with one noise for all particles."""
    return linear_gap_law(n, noise=_shared, **params)


def gaussian_law(n, *, alpha, **params):
    """`linear_gap_law` with Gaussian noise, whatever alpha is claimed."""
    return linear_gap_law(n, alpha=2.0, **params)


_LINEAR = {"alpha": ALPHAS, "sigma": 1.0, "lam": 1.0, "chi": 1.0, "T": 1.0, "eta": 0.05}
_LINEAR_DOMAIN = {"alpha": (1.0, 2.0), "sigma": POSITIVE, "T": POSITIVE, "eta": POSITIVE}

def _linear_margin(alpha):
    """0.06, but never so wide that a gap which does not decay at all would pass."""
    return min(0.06, (1.0 - 1.0 / alpha) / 3.0)


LINEAR = cn.Claim(
    "C2",
    "With an unbounded (linear) interaction the gap is of order n^-(1-1/alpha) instead.",
    "derived, in chaosnum/linear.py; compare Cavallazzi, arXiv 2301.08594",
    name="propagation-of-chaos",
    model="linear",
    measure=linear_gap,
    quantity="median gap at T",
    predicts=cn.PowerLaw(lambda alpha: 1.0 / alpha - 1.0, sense="exact", margin=_linear_margin),
    scales={"quick": doubling(50, 800), "standard": doubling(50, 1600), "full": doubling(50, 6400)},
    replicas={"quick": 64, "standard": 96, "full": 200},
    params=_LINEAR,
    domain=_LINEAR_DOMAIN,
    ready=ready,
    controls=(
        cn.Control("common-noise", "One noise shared by all particles.", measure=common_noise_linear, replicas=80),
        cn.Control(
            "independent-copy", "The copy reads noise of its own.", measure=independent_copy_linear, replicas=48,
        ),
    ),
)


def _linear_unit(n, alpha, sigma, lam, chi, T, eta):
    return cn.linear.gap_scale_euler(int(n), round(T / eta), eta, alpha, sigma, lam, chi)


def _stable_cf(k, alpha):
    import math

    return math.exp(-(abs(k) ** alpha))


LINEAR_LAW = cn.Claim(
    "C2-law",
    "On bed L the gap at time T is exactly symmetric alpha-stable, with a known scale.",
    "derived, in chaosnum/linear.py",
    name="exact-law-of-the-gap",
    model="linear",
    measure=linear_gap_law,
    quantity="gap at T",
    predicts=cn.LimitLaw(_stable_cf, unit=_linear_unit, words="the SaS law"),
    scales=[10, 40, 160],
    replicas={"quick": 200, "standard": 400, "full": 4000},
    params={**_LINEAR, "eta": 0.02},
    domain=_LINEAR_DOMAIN,
    ready=ready,
    controls=(
        cn.Control("common-noise", "One noise shared by all particles.", measure=common_noise_law, replicas=200),
        cn.Control(
            "gaussian-noise", "Gaussian noise in place of stable noise.", measure=gaussian_law,
            applies=lambda alpha: alpha < 1.9,
        ),
    ),
)  # fmt: skip


# --- bed N ---------------------------------------------------------------------------------------------------------


def reference_size(n):
    """Particles of the reference: 400 times n at least, in few sizes so that many n share one."""
    return 400 * max(512, 2 ** (n - 1).bit_length())


def _reference(n, alpha, sigma, T, eta, data, unit, loss):
    bed, scheme = network(data, unit, loss), cn.particles.Scheme(alpha, sigma, T, eta)
    return cn.reference.limit_flow(bed, scheme, reference_size(int(n)), seed=REFERENCE_SEED)


def _reference_floor(n, alpha, sigma, T, eta, data, unit, loss):
    return _reference(n, alpha, sigma, T, eta, data, unit, loss).floor


def network_gap(n, *, seed, alpha, sigma, T, eta, data, unit, loss, noise=None, own_noise=False):
    """One network: mean, root mean square and maximum over units of sup_t |gap| to the reference flow."""
    bed, scheme = network(data, unit, loss), cn.particles.Scheme(alpha, sigma, T, eta)
    limit = _reference(n, alpha, sigma, T, eta, data, unit, loss).average
    copy_noise = scheme.path(bed.p, n, seed=seed, replica=1).fill if own_noise else None
    gap = cn.coupling.propagation_gap(bed, n, scheme, limit, seed=seed, noise=noise, copy_noise=copy_noise)
    return _statistics(gap)


def common_noise_network(n, **params):
    """`network_gap` with one noise for all."""
    return network_gap(n, noise=share, **params)


def independent_copy_network(n, **params):
    """`network_gap` with a copy that reads noise of its own: medians, since the gap is heavy-tailed then."""
    return network_gap(n, own_noise=True, **params)


def _network_bound(n, T, eta, data, unit, loss):
    constants = network(data, unit, loss).constants()
    return cn.bounds.chaos_bound_fine(int(n), T, constants.a, constants.d1, constants.d0, eta=eta)


def _network_trivial(n, T, data, unit, loss):
    return cn.bounds.trivial_bound(network(data, unit, loss).constants().sup_b, T)


NETWORK_CLAIM = cn.Claim(
    "C2",
    "The gap between a unit of a network and its limit copy is of order n^(-1/2), on real data.",
    SOURCE,
    name="propagation-of-chaos",
    model="network",
    measure=network_gap,
    predicts={
        "sup gap": cn.PowerLaw(
            -0.5, margin=0.08, bound=_network_bound, trivial=_network_trivial, floor=_reference_floor
        ),
        "rms sup gap": cn.PowerLaw(
            -0.5, margin=0.08, bound=_network_bound, trivial=_network_trivial, floor=_reference_floor
        ),
        "largest sup gap": cn.ExplicitBound(
            _network_bound, -0.5, last=4, margin=0.15, trivial=_network_trivial, floor=_reference_floor
        ),
    },
    scales={"quick": doubling(32, 512), "standard": doubling(32, 1024), "full": doubling(64, 4096)},
    replicas=_more_small_systems({"quick": 512, "standard": 1024, "full": 4096}, 90, 90, 120),
    params={"alpha": ALPHAS, "sigma": 1.0, "T": 1.0, "eta": 0.1, **NETWORK},
    domain={"alpha": (1.0, 2.0), "sigma": POSITIVE, "T": POSITIVE, "eta": POSITIVE, **NETWORK_DOMAIN},
    ready=ready,
    controls=(
        cn.Control(
            "common-noise", "One noise shared by all units.", measure=common_noise_network,
            scales=doubling(32, 512), replicas=40,
        ),
        cn.Control(
            "independent-copy", "The copy reads noise of its own.", measure=independent_copy_network,
            scales=doubling(32, 512), replicas=24, predicts={"sup gap": cn.PowerLaw(-0.5, statistic="median")},
        ),
    ),
)  # fmt: skip

CLAIMS = (KURAMOTO, NETWORK_CLAIM, LINEAR, LINEAR_LAW)
