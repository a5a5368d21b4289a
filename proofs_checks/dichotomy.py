"""C6: a few of n independent entries carry the l_p norm if and only if the p-th moment is infinite.

Statement
    Keep the largest kappa n of n independent entries with the law of Y >= 0. The relative l_p error of what is left
    tends to (E[Y^p; Y <= q] / E Y^p)^(1/p), q the (1 - kappa)-quantile: positive where E Y^p is finite, 0 for every
    kappa where it is infinite (Gribonval, Cevher, Davies 2012, Proposition 1). SaS entries are l_p compressible exactly
    for p >= alpha; Gaussian ones never are.

Proof
    1. The dropped entries are those below the empirical quantile, which tends to q: by the law of large numbers their
       sum over n tends to E[Y^p; Y <= q], finite because it is bounded by q^p.
    2. The whole sum over n tends to E Y^p, finite or not.
    3. For p > alpha the whole sum is of order n^(p/alpha), with a positive stable limit (C5), so the error falls like
       n^-(1/alpha - 1/p). At p = alpha the sum is n log n: it falls, with a power of log n only.

What is checked
    Below: p = 0.4 alpha, where Y^p has a variance: the mean error against the limit; its bias is of order 1/n.
    Gaussian: alpha = 2 with p = 2, the same.
    Above: p = 2, alpha < 2: the median error falls like n^-(1/alpha - 1/2), and not faster.

Controls
    heavier-noise: entries of index alpha/3, for which E Y^p is infinite. first-kept: the first kappa n entries in place
    of the largest. stable-noise in place of the Gaussian: no positive limit. gaussian-noise above: no decay.
"""

import chaosnum as cn

SOURCE = "Gribonval, Cevher, Davies, IEEE Trans. Inform. Theory 58 (2012), Proposition 1"
ALPHAS = (0.8, 1.2, 1.5, 1.8)
KAPPA = (0.1, 0.5)


def error(n, *, seed, alpha, kappa, p):
    """Relative l_p error of the best kappa n of n independent SaS entries."""
    return _error(cn.stable.rvs(alpha, int(n), seed=seed), kappa, p)


def _error(x, kappa, p):
    return float(cn.compress.error_curve(x, [kappa], p)[0])


def error_below(n, *, seed, alpha, kappa, share):
    """`error` with p = share * alpha."""
    return error(n, seed=seed, alpha=alpha, kappa=kappa, p=share * alpha)


def error_heavier(n, *, alpha, share, **params):
    """`error_below` with entries of index alpha/3 and the same p."""
    return error(n, alpha=alpha / 3.0, p=share * alpha, **params)


def error_first_kept(n, *, seed, alpha, kappa, share):
    """`error_below` where the kept entries are the first ones in place of the largest."""
    import numpy as np

    size, p = np.abs(cn.stable.rvs(alpha, int(n), seed=seed)), share * alpha
    return float((np.sum(size[round(kappa * n) :] ** p) / np.sum(size**p)) ** (1.0 / p))


def error_gaussian(n, *, alpha, **params):
    """`error` with Gaussian entries."""
    return error(n, alpha=2.0, **params)


def error_stable(n, *, alpha, **params):
    """`error` with entries of index 1.5."""
    return error(n, alpha=1.5, **params)


def _ready(scale, **params):
    kept = params["kappa"] * scale
    if not 1.0 <= kept <= scale - 1.0:
        raise ValueError(f"kappa must keep 1 to n - 1 of n = {scale:g} entries, got {params['kappa']!r}")


def _limit_below(n, alpha, kappa, share):
    return _limit(alpha, kappa, share * alpha)


def _limit(alpha, kappa, p):
    return float(cn.compress.limit_curve([kappa], p, alpha)[0])


def _limit_gaussian(n, alpha, kappa, p):
    return _limit(alpha, kappa, p)


BELOW = cn.Claim(
    "C6",
    "Below the tail index, p < alpha, the relative l_p error of the best kappa n entries tends to a positive limit.",
    SOURCE,
    name="l_p-dichotomy",
    model="iid",
    measure=error_below,
    quantity="l_p error, p < alpha",
    predicts=cn.LimitCurve(_limit_below, margin=0.02, words="limit"),
    scales={"quick": [4000, 16000], "standard": [4000, 16000, 64000], "full": [4000, 16000, 64000, 256000]},
    replicas={"quick": 120, "standard": 300, "full": 1000},
    params={"alpha": ALPHAS, "kappa": KAPPA, "share": 0.4},
    domain={"alpha": (0.05, 2.0), "kappa": (0.0, 1.0), "share": (0.0, 0.5)},
    ready=_ready,
    controls=(
        cn.Control(
            "heavier-noise", "Entries of index alpha/3, without a p-th moment.", measure=error_heavier, scales=[4000],
            replicas=20, predicts=cn.LimitCurve(_limit_below, margin=0.02, statistic="median", words="limit"),
        ),
        cn.Control(
            "first-kept", "The first kappa n entries in place of the largest.", measure=error_first_kept,
            scales=[4000], replicas=20,
        ),
    ),
)  # fmt: skip

GAUSSIAN = cn.Claim(
    "C6",
    "Gaussian entries are never l_2 compressible: the error tends to a positive limit.",
    SOURCE,
    name="l_p-dichotomy",
    model="gaussian",
    measure=error,
    quantity="l_2 error",
    predicts=cn.LimitCurve(_limit_gaussian, margin=0.02, words="limit"),
    scales={"quick": [4000, 16000], "standard": [4000, 16000, 64000], "full": [4000, 16000, 64000, 256000]},
    replicas={"quick": 100, "standard": 200, "full": 500},
    params={"alpha": 2.0, "kappa": KAPPA, "p": 2.0},
    domain={"alpha": (1.999, 2.0), "kappa": (0.0, 1.0), "p": (0.0, 100.0)},
    ready=_ready,
    controls=(
        cn.Control("stable-noise", "Stable entries of index 1.5.", measure=error_stable, scales=[4000], replicas=20),
    ),
)


def _decay_margin(alpha):
    """0.04, but never so wide that an error which does not decay at all would pass."""
    return min(0.04, (1.0 / alpha - 0.5) / 3.0)


ABOVE = cn.Claim(
    "C6",
    "Above the tail index, p = 2 > alpha, the relative error tends to 0, like n^-(1/alpha - 1/2).",
    SOURCE + "; the rate derived",
    name="l_p-dichotomy",
    model="iid",
    measure=error,
    quantity="l_2 error, alpha < 2",
    predicts=cn.PowerLaw(
        lambda alpha: 0.5 - 1.0 / alpha, sense="exact", statistic="median", margin=_decay_margin,
    ),
    scales={"quick": [250, 1000, 4000, 16000], "standard": [250, 1000, 4000, 16000, 64000]},
    replicas={"quick": 800, "standard": 3000, "full": 6000},
    params={"alpha": (1.2, 1.5, 1.8), "kappa": 0.1, "p": 2.0},
    domain={"alpha": (0.5, 1.95), "kappa": (0.0, 1.0), "p": (1.999, 2.0)},
    ready=_ready,
    controls=(cn.Control("gaussian-noise", "Gaussian entries: no decay.", measure=error_gaussian, replicas=200),),
)

CLAIMS = (BELOW, GAUSSIAN, ABOVE)
