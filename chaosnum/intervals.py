"""Intervals of one statistic from independent replicas: mean, median, quantile, frequency.

Let X_1, ..., X_R be independent replicas and 1 - a the level.

* *Frequency.* The replicas are 0 or 1, or each is the share of successes in a stated number of
  trials; k successes in N trials in all. Clopper and Pearson (1934): the ends are the a/2 quantile
  of Beta(k, N - k + 1) and the 1 - a/2 quantile of Beta(k + 1, N - k). Exact for every N: each end
  errs with probability at most a/2. If the trials of a replica depend on each other but their
  number of successes lies between two binomial ones, path by path, then the lower end still errs
  with at most a/2 against the larger probability, and the upper end against the smaller one.
* *Quantile* of order q, the median for q = 1/2. The number of replicas at or below the quantile is
  binomial, so ``P(X_(r) > Q_q) <= P(Bin(R, q) < r)`` and ``P(X_(s) < Q_q) <= P(Bin(R, q) >= s)``:
  the largest r and the smallest s for which these are at most a/2. Exact for every law, no moment
  is used. Where R is too small an end is infinite.
* *Mean.* Student's with the jackknife's variance, as :mod:`chaosnum.rates` has it: in the logarithm
  where all replicas are positive, with the degrees of freedom that the kurtosis leaves. It needs a
  finite variance, and is not to be trusted for rare events: replicas that are mostly 0 are judged
  as a frequency. Replicas that are all equal have no scatter to judge by: they get the median's
  interval, which few replicas leave infinite.

References: Clopper and Pearson 1934, Biometrika 26; David and Nagaraja, Order Statistics (2003),
section 7.1.
"""

import math

import numpy as np
from scipy import special

from chaosnum.check import finite_array, in_range, whole
from chaosnum.rates import _log_mean, _mean_ends

MOST_TRIALS = 2**53  # beyond, whole numbers of successes are no floats


def interval(x, statistic="mean", level=0.95, *, trials=1, normality=1.0):
    """Estimate of a statistic and its interval.

    Parameters
    ----------
    x : array_like, float64, shape (R,), R >= 2
        Independent replicas.
    statistic : {"mean", "median", "frequency"} or float in (0, 1), the order of a quantile
    level : float in (0, 1)
    trials : int, default 1
        Trials behind each replica of a frequency.
    normality : float in (0, 1], default 1
        Share of R - 1 degrees of freedom that the kurtosis leaves a mean.

    Returns
    -------
    estimate, low, high : float
        Infinite ends where the replicas are too few, or all zero behind a mean.

    Raises
    ------
    ValueError
        Fewer than 2 replicas, one that is not finite, a frequency outside [0, 1], or trials outside [1, 2^53].
    """
    x = finite_array("x", x, ndim=1)
    if len(x) < 2:
        raise ValueError(f"x must be 2 replicas or more, got {len(x)}")
    level = in_range("level", level, 0.0, 1.0, open_high=True)
    if statistic == "mean":
        return _mean(x, level, normality)
    if statistic == "frequency":
        return _frequency(x, level, whole("trials", trials, 1, MOST_TRIALS))
    order = 0.5 if statistic == "median" else in_range("statistic", statistic, 0.0, 1.0, open_high=True)
    return _quantile(np.sort(x), order, level)


def least_replicas(statistic, level):
    """Replicas that a quantile's interval needs for two finite ends -> int."""
    order = 0.5 if statistic == "median" else statistic
    return math.ceil(math.log((1 - level) / 2) / math.log(max(order, 1 - order)))


def _mean(x, level, normality):
    estimate = float(np.mean(x))
    if np.ptp(x) == 0.0 and estimate != 0.0:  # equal replicas tell of the median at most
        return estimate, *_quantile(x, 0.5, level)[1:]
    if estimate == 0.0:  # nothing but zeros, or signs that cancel: no unit to measure the scatter in
        half = special.stdtrit(normality * (len(x) - 1), (1 + level) / 2) * np.std(x, ddof=1) / math.sqrt(len(x))
        return 0.0, float(-half or -math.inf), float(half or math.inf)
    z = np.sort(x / estimate)
    _, v, nu = _log_mean(z)
    low, high = (estimate * end for end in _mean_ends(z, v, nu * normality, level))
    return estimate, min(low, high), max(low, high)


def _frequency(x, level, trials):
    if np.any(x < 0) or np.any(x > 1):
        raise ValueError(f"frequencies must lie in [0, 1], got {float(x[(x < 0) | (x > 1)][0])!r}")
    successes, total = round(float(np.sum(x)) * trials), len(x) * trials
    tail = (1 - level) / 2
    low = special.betaincinv(successes, total - successes + 1, tail) if successes else 0.0
    high = special.betainccinv(successes + 1, total - successes, tail) if successes < total else 1.0
    return successes / total, float(low), float(high)


def _quantile(z, order, level):
    """Sorted replicas; the exact interval between two order statistics."""
    count, tail = len(z), (1 - level) / 2
    below = special.bdtr(np.arange(count), count, order)  # P(Bin <= k)
    r = int(np.searchsorted(below, tail, side="right"))  # P(Bin < r) is that small
    above = special.bdtrc(np.arange(count), count, order)  # P(Bin >= k + 1)
    s = int(np.searchsorted(-above, -tail, side="left")) + 1  # P(Bin >= s) is that small
    low = float(z[r - 1]) if r else -math.inf
    high = float(z[s - 1]) if s <= count else math.inf
    return float(np.quantile(z, order)), low, high
