"""S2.3: how many singular values a fading sum of isotropic rank-B updates has above eps ||W||.

Two counts, both derived in ``chaosnum/low_rank_law.py``: the first one, B ceil(ln(1/eps) / -ln rho), as if all updates
were orthogonal; and the limit law's, from an equation for the resolvent. The first is checked as a band, 0.75 to 1.02
times it with the rank counted above eps ||W||_2, where it is below 0.7 d. The law is checked at every rate, with the
rank counted above eps ||W||_F as the authors' code does. It is the limit of large d, from which the mean count differs
by O(1): one singular value of 240 is allowed, and a third of one is found.
"""

from functools import lru_cache

import chaosnum as cn

RANK, RATIO = "rank", "rank / first count"


def mechanism(rate, *, seed, batch, dim, eps, pool=0, momentum=0.0):
    """eps-rank of a fading sum of isotropic updates, above eps ||W||_F; and above eps ||W||_2 over the first count."""
    import numpy as np

    law = cn.low_rank_law
    a = law.amplitudes(1.0 - rate, batch)
    if momentum:  # sum of rho^i momentum^(j - i)
        rho = 1.0 - rate
        j = np.arange(int(np.log(law.FORGOTTEN) / np.log(max(rho, momentum))))
        a = (rho ** (j + 1) - momentum ** (j + 1)) / (rho - momentum) / batch
    if pool:
        rng = np.random.default_rng(seed)
        u, v, drawn = law.sphere(rng, dim, pool), law.sphere(rng, dim, pool), rng.integers(0, pool, len(a) * batch)
        with cn.blas.one_thread():
            w = (u[:, drawn] * np.repeat(a, batch)) @ v[:, drawn].T
    else:
        w = law.isotropic_sum(a, batch, dim, seed=seed)
    sigma = cn.low_rank.singular_values("w", w)
    first = law.first_count(eps, 1.0 - rate, batch, dim)
    return {RANK: (sigma > eps * np.linalg.norm(sigma)).sum(), RATIO: (sigma > eps * sigma[0]).sum() / first}


def few_directions(rate, *, dim, **params):
    """`mechanism` with updates from a pool of dim / 8 pairs."""
    return mechanism(rate, dim=dim, pool=dim // 8, **params)


def mechanism_momentum(rate, **params):
    """`mechanism` with a heavy ball."""
    return mechanism(rate, momentum=0.9, **params)


@lru_cache(maxsize=256)
def _law(rate, batch, dim, eps):
    law = cn.low_rank_law
    a = law.amplitudes(1.0 - rate, batch)
    return law.count_above(eps * law.frobenius(a, batch), a, batch, dim)


def law_of_rank(rate, batch, dim, eps):
    """The eps-rank by the limit law."""
    return _law(float(rate), int(batch), int(dim), float(eps))


def _least_ratio(rate, batch, dim, eps):
    """0.75 where the first count is below 0.7 d; directions run out beyond."""
    return 0.75 if cn.low_rank_law.first_count(eps, 1.0 - rate, batch, dim) < 0.7 * dim else 0.0


COUNTED = {
    RANK: cn.LimitCurve(law_of_rank, margin=1.0, absolute=True, words="limit law"),
    RATIO: cn.LimitCurve(lower=_least_ratio, upper=1.02, words="the first count"),
}
MECHANISM = cn.Claim(
    "S2.3",
    "The eps-rank of a fading sum of isotropic rank-B updates is that of its limit law, near B ln(1/eps) / -ln rho.",
    "derived, in chaosnum/low_rank_law.py",
    "rate",
    origin="derived",
    name="mechanism",
    model="isotropic",
    measure=mechanism,
    predicts=COUNTED,
    scales={"quick": [0.1, 0.4], "standard": [0.05, 0.1, 0.2, 0.4]},
    replicas={"quick": 24, "standard": 24, "full": 64},  # counts are often equal, and 22 equal ones still tell
    params={"batch": (1, 2, 4), "dim": 240, "eps": 1e-3},
    domain={"eps": (1e-6, 0.5)},
    asymptotic="small",
    controls=(
        cn.Control("finite-pool", "The updates come from d / 8 fixed pairs: not isotropic.", measure=few_directions,
                   scales=[0.1], replicas=24, predicts={RANK: COUNTED[RANK]}),
        cn.Control("momentum", "Heavy ball: older updates count.", measure=mechanism_momentum, scales=[0.4],
                   replicas=24),
    ),
)  # fmt: skip
