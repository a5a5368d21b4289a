r"""Tail indices from upper order statistics: Hill, moment and Pickands, and where to cut.

Let X_1 >= X_2 >= ... be the distances from the centre in decreasing order and gamma = 1/alpha the extreme-value index,
which is positive for power tails, 0 for exponential and Gaussian ones, negative for a finite end point. From the k
largest:

* Hill (1975):  H = (1/k) sum_{i<=k} log(X_i / X_{k+1});  sqrt(k) (H - gamma) -> N(0, gamma^2). For power tails only.
* Moment (Dekkers, Einmahl, de Haan 1989), any gamma: with M_r the mean of log(X_i / X_{k+1})^r,
  gamma = M_1 + 1 - 1/(2 (1 - M_1^2/M_2));  asymptotic variance (1 + gamma^2)/k for gamma >= 0, and for gamma < 0
  (1-gamma)^2 (1-2 gamma)(1 - gamma + 6 gamma^2) / ((1-3 gamma)(1-4 gamma) k).
* Pickands (1975), any gamma, and free of location and scale:
  gamma = log((X_k - X_2k) / (X_2k - X_4k)) / log 2, asymptotic variance
  gamma^2 (2^(2 gamma + 1) + 1) / ((2 (2^gamma - 1) log 2)^2 k).

All k are computed at once from prefix sums over the sorted sample: O(n log n).

The threshold
-------------
Guillou and Hall (2001). Where the tail is a pure power the scaled log-spacings U_i = i log(X_i/X_{i+1}) are independent
exponentials of one mean, and T_k = sqrt(3/k^3) sum_{i<=k} (k - 2i + 1) U_i / H_k is standard normal; a trend of U is
the bias of Hill's estimator. With Q_k the root mean square of T over [k - k/2, k + k/2], take the smallest k such that
Q >= 1.25 from there on. For the moment estimator the same k; for Pickands' a quarter of it, so that its 4k-th
order statistic is Hill's k-th. Measured on stable, Pareto, shifted Pareto and Student samples of 1e4 and 1e5 this did
better than the rules of Drees and Kaufmann (1998), whose thresholds lie too far in for stable laws with alpha > 1.5, of
Clauset, Shalizi and Newman (2009) and of Danielsson et al. (2016) (Kolmogorov-Smirnov distances; biased, and
scattered), and of Reiss and Thomas (2007).

The interval
------------
A rule stops where bias shows, so some is left: H -+ 1.96 H/sqrt(k) covers 33 to 93 % of the time. Hill's interval is
therefore that of the bias-reduced estimate at the same k (least squares of U_i on gamma + b i/(k+1): second-order index
-1, which is exact for stable laws; Feuerverger and Hall 1999), whose variance is 4 gamma^2/k, stretched to hold the
estimate itself. The moment estimator's bias at this k is small beside its own error, and needs no such care.

What goes wrong: Hill on a stable law with alpha near 2. Its tail is steeper than r^-2 up to far out (P(X > r) =
c r^-alpha (1 + 4.8 r^-alpha + ...) at alpha = 1.9), so any k that is not tiny says 2.5 or 4 and looks sure of it; at n
= 1000 no threshold helps. And Hill gives a number for any sample whatever: see `tail_tests.py` for whether there
is a power tail.

References: B. M. Hill, Ann. Stat. 3 (1975) 1163; J. Pickands, Ann. Stat. 3 (1975) 119; A. Dekkers, J. Einmahl,
L. de Haan, Ann. Stat. 17 (1989) 1833; A. Guillou, P. Hall, J. R. Stat. Soc. B 63 (2001) 293; A. Feuerverger,
P. Hall, Ann. Stat. 27 (1999) 760; L. de Haan, A. Ferreira, Extreme Value Theory (2006), chapter 3.
"""

import math

import numpy as np

from chaosnum import check
from chaosnum.tail_sample import Z95, Estimate, index_interval, sample, tail_constant_at

CRITICAL = 1.25  # Guillou and Hall's
FEWEST = 20
_LOG2 = math.log(2.0)


def threshold(x, centre=None):
    """Guillou and Hall's number of upper order statistics for a sample -> int."""
    return _threshold(sample(x, centre).log_top)


def _hill(y):
    """Hill's gamma for k = 1, 2, ... from decreasing logarithms."""
    k = np.arange(1, len(y))
    y = y - y[0]
    return np.cumsum(y)[:-1] / k - y[1:]


def _threshold(y):
    most = len(y) - 1
    if most <= FEWEST:
        return most
    i = np.arange(1, most + 1)
    u = i * (y[:-1] - y[1:])
    trend = (i + 1) * np.cumsum(u) - 2 * np.cumsum(i * u)
    h = _hill(y)
    t2 = np.divide(3.0 / i**3.0 * trend**2, h**2, out=np.zeros(most), where=h > 0)
    sums = np.concatenate([[0.0], np.cumsum(t2)])
    inner = i[: max(FEWEST, int(0.6 * most))]  # windows inside the range
    low, high = np.maximum(inner - inner // 2, 1), np.minimum(inner + inner // 2, most)
    q = np.sqrt((sums[high] - sums[low - 1]) / (high - low + 1))
    calm = np.flatnonzero(q < CRITICAL)
    return max(FEWEST, int(inner[calm[-1]])) if len(calm) else FEWEST


def _prepare(x, k, centre, spare=1):
    """The sample and a k that leaves X_{spare k} in its upper half."""
    s = sample(x, centre)
    most = (len(s.log_top) - 1) // spare
    if most < 2:
        raise ValueError(f"x must have {2 * spare + 1} or more values away from its centre, got {len(s.log_top)}")
    if k is None:
        k = min(most, max(_threshold(s.log_top) // spare, min(most, FEWEST // 2)))
    else:
        k = check.whole("k", k, 2, most)
    return s, k


def _estimate(name, s, k, at, gamma, low, high, note=""):
    """Estimate from an interval of gamma; the tail constant is Weissman's, from the `at`-th distance."""
    alpha = 1 / gamma if gamma > 0 else math.inf
    constant = None
    if math.isfinite(alpha):
        constant = tail_constant_at(s.kept * at / s.n, float(s.radius[at]), alpha)
    ci = index_interval(low, high)
    return Estimate(name, alpha, ci, k=k, constant=constant, centre=s.where, note=_join(s.note, note))


def _join(*notes):
    return "; ".join(n for n in notes if n)


def hill(x, k=None, *, centre=None):
    """Hill's estimator of the tail index.

    Parameters
    ----------
    x : array_like, shape (n,) or (p, n)
        A sample; of a matrix, the norms of its columns (centred component by component).
    k : int, optional
        Upper order statistics, 2 <= k <= n/2; by default Guillou and Hall's choice.
    centre : float or array_like, optional
        By default the median, or 0 for data of one sign (`tail_sample.py`).

    Returns
    -------
    Estimate
        With `k` given the interval is the plain one, H -+ 1.96 H/sqrt(k), which knows no bias.

    Raises
    ------
    ValueError
        No usable sample (`tail_sample.sample`), or k out of range.

    Notes
    -----
    Invariant under scaling, not under shifts. O(n log n).
    """
    s, chosen = _prepare(x, k, centre)
    y = s.log_top
    gamma = float(np.mean(y[:chosen]) - y[chosen])
    if k is None:
        reduced = max(_bias_reduced(y, chosen), 0.0)
        half = 2 * Z95 * (reduced or gamma) / math.sqrt(chosen)
        low, high = min(gamma, reduced - half), max(gamma, reduced + half)
    else:
        half = Z95 * gamma / math.sqrt(chosen)
        low, high = gamma - half, gamma + half
    return _estimate("hill", s, chosen, chosen, gamma, low, high)


def _bias_reduced(y, k):
    """Least squares of the scaled log-spacings on 1 and i/(k+1): the intercept, (1 - 1/rho)^2 = 4 times as variable."""
    i = np.arange(1, k + 1)
    u = i * (y[:k] - y[1 : k + 1])
    w = i / (k + 1) - 0.5
    return float(np.mean(u) - 0.5 * (w @ u) / (w @ w))


def moments(x, k=None, *, centre=None):
    """The moment estimator of Dekkers, Einmahl and de Haan.

    Parameters
    ----------
    x, k, centre
        As for :func:`hill`.

    Returns
    -------
    Estimate
        alpha is infinite where gamma <= 0: no power tail.

    Raises
    ------
    ValueError
        As for :func:`hill`.

    Notes
    -----
    Invariant under scaling, not under shifts. O(n log n).
    """
    s, k = _prepare(x, k, centre)
    z = s.log_top[:k] - s.log_top[k]
    first, second = float(np.mean(z)), float(np.mean(z * z))
    ratio = first * first / second if second > 0 else 1.0
    gamma = first + 1 - 0.5 / (1 - ratio) if ratio < 1 else -math.inf
    half = Z95 * math.sqrt(moment_variance(gamma) / k) if math.isfinite(gamma) else 0.0
    return _estimate("moments", s, k, k, gamma, gamma - half, gamma + half)


def moment_variance(gamma):
    """k times the asymptotic variance of the moment estimator of gamma -> float."""
    g = gamma
    if g >= 0:
        return 1 + g * g
    return (1 - g) ** 2 * (1 - 2 * g) * (1 - g + 6 * g * g) / ((1 - 3 * g) * (1 - 4 * g))


def pickands(x, k=None, *, centre=None):
    """Pickands' estimator.

    Parameters
    ----------
    x, centre
        As for :func:`hill`; of a sample of one sign the centre drops out.
    k : int, optional
        The order statistics k, 2k and 4k are used, 4k <= n/2; by default a quarter of Guillou and Hall's choice.

    Returns
    -------
    Estimate
        alpha is infinite where gamma <= 0: no power tail.

    Raises
    ------
    ValueError
        As for :func:`hill`.
    """
    s, k = _prepare(x, k, centre, spare=4)
    top, middle, bottom = s.log_top[[k - 1, 2 * k - 1, 4 * k - 1]]
    if not top > middle > bottom:
        note = f"ties among order statistics {k}, {2 * k} and {4 * k}"
        return _estimate("pickands", s, k, 4 * k, 0.0, -math.inf, math.inf, note)
    # The logarithm of (X_k - X_2k)/(X_2k - X_4k), which may span more than the range of double precision
    upper, lower = top - middle, middle - bottom
    gamma = float(upper + math.log(-math.expm1(-upper)) - math.log(-math.expm1(-lower))) / _LOG2
    g = gamma if abs(gamma) > 1e-6 else 1e-6
    u = 2.0 ** -abs(g)
    variance = g * g * (2 + u * u if g > 0 else 2 * u * u + 1) / (2 * (1 - u) * _LOG2) ** 2
    half = Z95 * math.sqrt(variance / k)
    return _estimate("pickands", s, k, 4 * k, gamma, gamma - half, gamma + half)
