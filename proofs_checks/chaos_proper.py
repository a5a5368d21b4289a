"""C2-chaos: chaos proper. Two particles decorrelate, and the law of one approaches its limit, at rate 1/n.

Statement (derived)
    For bounded Lipschitz phi, Cov(phi(theta^1), phi(theta^2)) = O(1/n); with a third derivative of h and l (beds K and
    N have it), also |E phi(theta^{1,n}) - E phi(theta^inf)| = O(1/n).

Proof, in outline
    1. Covariance: one particle moves the average by 1/n, so what its noise does to the other is of order 1/n. What both
       owe to one fluctuation of the average is of order n^(-1/2) each by C2, and 1/n in the product.
    2. Weak error: expand the drift in the fluctuation of the average. The linear term is centred but for the 1/n by
       which a particle meets itself in the average; the quadratic term has the order of the variance, 1/n.

What is checked
    Both rates on bed K with phi = cos and K = 2, where the interaction is strong enough to see them.

Controls
    common-noise: one noise for all particles of a system; nothing decorrelates.
    wrong-coupling: systems that couple a fifth more weakly than the limit; the weak error stops decaying.
"""

import chaosnum as cn
from proofs_checks.beds import KURAMOTO_DOMAIN, KURAMOTO_PARAMS, doubling, kuramoto, kuramoto_flow, ready

BATCH, LEAST = 16384, 256  # particles, and at least so many systems, that one cell runs side by side
CHECKPOINTS = 10  # times at which the copies' fluctuations are recorded


def chaos_proper(n, *, seed, alpha, sigma, K, T, eta, noise=None, share=1.0):
    """Unbiased estimates, from a batch of systems, of Cov(cos theta^1, cos theta^2) and of limit - E cos theta^1.

    The weak error is of order 1/n below a fluctuation of order n^(-1/2). To first order that fluctuation is a linear
    response to the fluctuations of the independent copies, whose averages have known expectations at all times: they
    are control variates. Their coefficients are fitted on one half of the systems and applied to the other.
    """
    import numpy as np

    systems, scheme = max(LEAST, BATCH // n), cn.particles.Scheme(alpha, sigma, T, eta)
    limit = kuramoto_flow(alpha, sigma, K, T, eta)
    system = cn.particles.start(kuramoto(share * K), n, systems, seed, 0)
    copy = kuramoto(K).system(system.theta.copy())
    path, xi = scheme.path(1, n * systems, seed=seed), np.empty((1, n * systems))
    every, known = max(1, scheme.steps // CHECKPOINTS), [copy.average - limit[0]]
    for k in range(scheme.steps):
        path.fill(k, xi)
        if noise is not None:
            noise(xi, n)
        system.advance(system.average, xi, eta)
        copy.advance(limit[k : k + 1], xi, eta)
        if (k + 1) % every == 0:
            known.append(copy.average - limit[k + 1])
    phi = np.cos(system.theta)
    total = phi.sum(axis=1)
    pair = (total**2 - (phi**2).sum(axis=1)).mean() / (n * (n - 1))  # E phi(theta^1) phi(theta^2), one system
    mean = total / n
    square = (mean.sum() ** 2 - (mean**2).sum()) / (systems * (systems - 1))  # (E phi)^2, two systems
    weak = limit[-1, 0] - _adjusted(mean, np.concatenate(known, axis=1))
    return {"covariance": float(pair - square), "weak error": float(weak)}


def _adjusted(y, known):
    """The mean of y less its regression on `known`, of expectation 0, fitted on one half and applied to the other."""
    import numpy as np

    halves = slice(None, len(y) // 2), slice(len(y) // 2, None)
    found = []
    for own, other in (halves, halves[::-1]):
        x = known[other] - known[other].mean(axis=0)
        # Not by BLAS: the bits of a long sum would vary with its threads.
        gram, cross = np.einsum("ri,rj->ij", x, x), np.einsum("ri,r->i", x, y[other])
        coefficients = np.linalg.solve(gram, cross)
        found.append((y[own] - (known[own] * coefficients).sum(axis=1)).mean())
    return sum(found) / 2.0


def wrong_coupling_chaos(n, **params):
    """`chaos_proper` with systems that couple a fifth more weakly than the limit."""
    return chaos_proper(n, share=0.8, **params)


def common_noise_chaos(n, **params):
    """The same with one noise for all particles of a system."""

    def share(xi, n):
        systems = xi.reshape(-1, n)
        systems[:] = systems[:, :1]

    return chaos_proper(n, noise=share, **params)


CHAOS = cn.Claim(
    "C2-chaos",
    "Two particles decorrelate, and the law of one approaches its limit, at rate 1/n.",
    "derived, in proofs_checks/chaos_proper.py",
    name="chaos-proper",
    model="kuramoto",
    measure=chaos_proper,
    predicts={
        "covariance": cn.PowerLaw(-1.0, margin=0.1),
        "weak error": cn.PowerLaw(-1.0, margin=0.1),
    },
    scales=doubling(8, 128),
    replicas={"quick": 10, "standard": 40, "full": 400},
    params={**KURAMOTO_PARAMS, "K": 2.0, "eta": 0.02},
    domain=KURAMOTO_DOMAIN,
    ready=ready,
    controls=(
        cn.Control("common-noise", "One noise shared by all particles.", measure=common_noise_chaos, replicas=16),
        cn.Control(
            "wrong-coupling", "Systems that couple a fifth more weakly than the limit.",
            measure=wrong_coupling_chaos, replicas=6, predicts={"weak error": cn.PowerLaw(-1.0, margin=0.1)},
        ),
    ),
)  # fmt: skip

CLAIMS = (CHAOS,)
