r"""Is there a power tail at all, and can the law be stable? Tests with stated levels; none estimates an index.

* `no_power_tail`: of the k largest values, are the excesses over the (k+1)-th exponential, or heavier? If the tail is
  exponential the normalised spacings D_i = i (X_i - X_{i+1}) are independent and exponential with one mean; under a
  generalised Pareto tail of index gamma their means are proportional to (i/k)^-gamma, and the locally most powerful
  statistic is sum w_i D_i / sum D_i with w_i = -log((i - 1/2)/k). It is free of location and scale, and P(it > c) =
  P(sum (w_i - c) E_i > 0) for exponentials E_i, by a saddlepoint (Lugannani and Rice 1980), exact to a few per cent
  at 1e-3 and beyond. Gaussian and bounded tails are lighter than exponential, and are rejected less often still.
  Two windows: k = n^(2/3), and n^(1/2) because a stable law with alpha near 2 has few large values.
  What goes wrong: a lognormal or stretched-exponential tail is heavier than exponential without being a power,
  and is taken for one once n is large; no test of a finite sample separates them from powers uniformly.
* `tail_counts`: are there as many values beyond r as a fitted stable law expects, where it expects 5, 20 and 80?
  Poisson, mixed over the error of the fitted index. The bulk can pass for stable while the far tail is cut off or
  tempered.
* `has_edge`: does the sample end abruptly, as Pareto, exponential and uniform samples do? Stable densities vanish, with
  all derivatives, where they end. With X_0 <= X_1 <= ... the ratio (X_k - mean of those below)/(X_k - X_0), k =
  n^(2/3), is 1/2 at an edge with positive density and small in a tail. It is compared with 1/4 + 1.85/sqrt(k) + 0.28
  (0.8 - alpha)_+, found by simulation: exceeded once in 1000 samples of the most skewed stable laws with alpha = 0.5
  and 0.8, n = 100 .. 10000, and less often for larger alpha.

References: R. Pyke, J. R. Stat. Soc. B 27 (1965) 395 (spacings); R. Lugannani, S. Rice, Adv. Appl. Probab. 12 (1980)
475.
"""

import math

import numpy as np
from scipy import optimize, special

COUNTS = (5.0, 20.0, 80.0)


def exponential_excess(ordered, k):
    """p-value of exponential excesses against heavier ones.

    Parameters
    ----------
    ordered : ndarray of float64, decreasing
    k : int
        Excesses over ordered[k]; k < len(ordered).

    Returns
    -------
    float
        In [0, 1]; near 1 for tails lighter than exponential, or ties throughout.
    """
    i = np.arange(1, k + 1)
    d = i * (ordered[:k] - ordered[1 : k + 1])
    total = d.sum()
    if not total > 0:
        return 1.0
    w = -np.log((i - 0.5) / k)
    return _linear_form_positive(w - (w @ d) / total)


def _linear_form_positive(v):
    """P(sum v_i E_i > 0) for independent standard exponentials E_i."""
    low, high = v.min(), v.max()
    if high <= 0 or low >= 0:
        return 0.0 if high <= 0 else 1.0
    slope = lambda s: float(np.sum(v / (1 - s * v)))  # noqa: E731
    shrink = 1 - 1e-12
    s = optimize.brentq(slope, shrink / low, shrink / high)
    wide = s * math.sqrt(np.sum((v / (1 - s * v)) ** 2))
    deviate = math.copysign(math.sqrt(2 * max(float(np.sum(np.log1p(-s * v))), 0.0)), s)
    if abs(deviate) < 1e-3:  # the mean is zero: the saddlepoint's two terms cancel
        return 0.5
    return float(np.clip(special.ndtr(-(deviate + math.log(wide / deviate) / deviate)), 0.0, 1.0))


def windows(n):
    """The numbers of excesses that are tested, for n values -> tuple of int: n^(2/3), and n^(1/2) for index near 2."""
    return min(n // 4, max(100, round(n ** (2 / 3)))), max(10, round(math.sqrt(n)))


def no_power_tail(ordered):
    """p-value of a tail that is exponential or lighter against heavier: both windows, Bonferroni."""
    each = windows(len(ordered))
    return min(1.0, len(each) * min(exponential_excess(ordered, k) for k in each))


def tail_counts(radius, alpha, scale, error):
    """p-value of the numbers of values in the far tail under a symmetric stable law.

    Parameters
    ----------
    radius : ndarray of float64, shape (n,), decreasing
        Distances from the law's centre.
    alpha, scale : float
        alpha in (0, 2).
    error : float
        Standard error of alpha.

    Returns
    -------
    float
        Bonferroni over the counts; two-sided.
    """
    from chaosnum import stable, zolotarev

    n, a = len(radius), alpha
    constant = 2 * stable.tail_constant(a)
    p = []
    for aim in COUNTS:
        if aim > n / 50 and p:
            break
        r = (constant * n / aim) ** (1 / a)
        expected = 2 * n * float(zolotarev.law(a, np.array([r]))[0][0]) if r < 1e8 else aim
        log_slope = math.pi / 2 / math.tan(math.pi * a / 2) + special.psi(a) - math.log(r)
        nodes, weights = np.polynomial.hermite_e.hermegauss(21)
        means = expected * np.exp(np.clip(nodes * error * log_slope, -50, 50))
        weights = weights / weights.sum()
        seen = int(np.searchsorted(-radius, -r * scale))
        few = weights @ special.pdtr(seen, means)
        many = weights @ special.pdtrc(seen - 1, means) if seen else 1.0
        p.append(2 * min(few, many))
    return float(min(1.0, len(p) * min(p)))


def has_edge(x, alpha):
    """Whether the sample x (n,) ends more abruptly than stable laws of index alpha >= 1/2 do -> bool."""
    k = round(len(x) ** (2 / 3))
    limit = 0.25 + 1.85 / math.sqrt(k) + 0.28 * max(0.8 - alpha, 0.0)
    for side in (x, -x):
        low = np.sort(np.partition(side, k)[: k + 1])
        span = low[k] - low[0]
        if not span > 0 or low[k] - np.mean(low[:k]) > limit * span:  # no span: the least value many times
            return True
    return False
