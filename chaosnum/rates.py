r"""Rates: the exponent of a noisy power law, its intervals, and what may be wrong with it.

Definition. A statistic m(s) of a system of scale s (particles n, step eta, ...) is measured by
independent replicas, which are whole systems: particles of one system are dependent. With y_j = log
of the estimate of m(s_j) and x_j = log s_j, everything reported is a linear contrast of the points,

    exponent = sum_j a_j y_j,     variance = sum_j a_j^2 v_j,     v_j = Var(y_j),

an interval of it is exponent -+ t sqrt(variance), and t has Welch and Satterthwaite's degrees of
freedom (sum a_j^2 v_j)^2 / sum (a_j^2 v_j)^2 / nu_j. The least-squares weights are the numbers of
replicas, which are part of the design. Weights made from the data, 1 / v_j, would favour points
that happen to come out low, for these have small v_j as well.

* Mean: v is the jackknife variance of log(mean), which tends to the delta method's s^2 / (R m^2)
  and is wider for few, skewed replicas, where that one covers 90% instead of 95%. E log(mean) = log
  m - v/2 is added back: it does not cancel between scales of different R. nu is (R - 1) 2 /
  (kurtosis - 1), between 0.2 (R - 1) and R - 1: the degrees of freedom that match the variance of
  s^2, the kurtosis pooled over all scales. A finite variance is needed.
* Median: v from the spacing of two order statistics of log X (Price and Bonett 2001). The
  probability between them has a Beta law, which gives nu. No moment is used. A point's interval is
  the exact one of the sign test.

Flags, each raised for a true power law with the probability given:

* ``curvature`` (0.01): the quadratic coefficient in centred log-scale has p < 0.01, and the slope
  at an end of the range differs from the mean slope by more than the margin.
* ``floor`` (0.005): the point at the asymptotic end lies above the line through the others
  (one-sided p < 0.005), by so much that the last local slope changes by more than the margin.
* ``sign``: some estimate cannot be told from zero (three standard errors, or replicas of both
  signs), or the estimates differ in sign. Then the logarithm means nothing: all slopes are NaN.
* ``heavy``: the replicas behind a mean have infinite variance by Hill's estimator on the largest
  twentieth. Then no interval above is valid; use medians.

What goes wrong: curvature and floors that are too small to be seen at the given number of replicas.
The end slope is about eight times less precise than the exponent, so a slope known to -+0.03 may
hide an end slope that is off by 0.15. The local slopes and `end` show it.

References: Welch 1947, Biometrika 34; Price and Bonett 2001, J. Stat. Comput. Simul. 68; Hill 1975,
Ann. Stat. 3; Efron and Stein 1981, Ann. Stat. 9 (the jackknife's variance is biased upwards).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import special

from chaosnum.check import in_range, one_of, positive

SIGNIFICANCE = 0.01  # of the tests behind the flags
LEAST_NORMALITY = 0.2  # below it the t quantile grows without need: coverage is 95% already
RESOLVED = 3.0  # standard errors between zero and an estimate whose logarithm is used


@dataclass(frozen=True)
class Fit:
    """A fitted power law; arrays run over the scales in ascending order.

    Attributes
    ----------
    scales, estimate, se, lo, hi : ndarray, float64, shape (J,)
        Magnitude of the mean or median, standard error of its logarithm, ends of its 95% interval.
    lowest : ndarray, float64, shape (J,)
        Lower ends at the family-wise level, shared over the J points (one-sided (1 - family) / 2 in
        all).
    replicas : ndarray, int64, shape (J,)
    sign : int
        Sign of the estimates, 0 where they differ.
    exponent, prefactor, df : float
        `statistic ~ prefactor * scale^exponent`, degrees of freedom of the exponent's interval.
    ci, wide : (float, float)
        Intervals of the exponent at `level` and at the family-wise level.
    local, local_ci : ndarray, shapes (J - 1,) and (J - 1, 2)
        Slopes between neighbouring scales and their intervals at `level`.
    curvature : (float, float, float)
        Quadratic coefficient in centred log-scale, its t statistic and two-sided p-value.
    end, end_ci, end_wide : float, (float, float), (float, float)
        Slope of the quadratic fit at the asymptotic end of the range, with intervals.
    flags : tuple of str
    """

    scales: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    lowest: np.ndarray
    replicas: np.ndarray
    sign: int
    exponent: float
    ci: tuple
    wide: tuple
    df: float
    prefactor: float
    local: np.ndarray
    local_ci: np.ndarray
    curvature: tuple
    end: float
    end_ci: tuple
    end_wide: tuple
    flags: tuple


def fit_power_law(
    scales, samples, *, statistic="mean", level=0.95, family=0.999, tail=None, margin=0.03,
    asymptotic=None,
):  # fmt: skip
    """Fit `statistic ~ scale^exponent` to independent replicas, with intervals and flags.

    Parameters
    ----------
    scales : array_like, float64, shape (J,), J >= 3
        Positive and distinct, in any order.
    samples : list of J array_like, float64, shapes (R_j,), R_j >= 2
        Independent replicas of each scale. Estimates that are all negative are fitted by their
        magnitude.
    statistic : {"mean", "median"}
    level, family : float in (0, 1)
        Levels of the ordinary and of the family-wise interval.
    tail : float, optional
        Tail index of the replicas where it is known. A mean needs more than 2.
    margin : float
        Differences of slope below it are immaterial to the flags.
    asymptotic : {"large", "small"}, optional
        The end of the range that the law is about; by default the end where the fitted law is
        smallest.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        Fewer than 3 scales or 2 replicas, non-finite replicas, or a mean of a law without a
        variance.

    Notes
    -----
    About 1 ms for a thousand replicas.
    """
    scales, samples = _checked(scales, samples, statistic, tail)
    in_range("level", level, 0, 1, open_high=True)
    in_range("family", family, 0, 1, open_high=True)
    positive("margin", margin)
    normality = _normality(samples) if statistic == "mean" else 1.0
    shared = 1 - (1 - family) / len(samples)  # Bonferroni over the points
    points = [_point(x, statistic, normality, level, shared) for x in samples]
    y, v, nu, estimate, lo, hi, lowest = (np.array(column) for column in zip(*points))
    sign = int(np.sign(estimate[0])) if np.all(np.sign(estimate) == np.sign(estimate[0])) else 0
    replicas = np.array([len(x) for x in samples])
    flags = []
    if statistic == "mean" and _infinite_variance(samples):
        flags.append("heavy")
    if sign == 0 or not all(_resolved(x, m, v_j) for x, m, v_j in zip(samples, estimate, v)):
        points = scales, np.abs(estimate), np.sqrt(v), lo, hi, lowest, replicas, sign
        return _unresolved(points, (*flags, "sign"))

    x, count = np.log(scales), len(scales)
    line, parabola = _polynomial(x, replicas, 1), _polynomial(x, replicas, 2)
    if asymptotic is None:
        asymptotic = "large" if line[1] @ y <= 0 else "small"
    end = count - 1 if one_of("asymptotic", asymptotic, ("large", "small")) == "large" else 0
    u = x - np.average(x, weights=replicas)
    rows = np.vstack(
        [
            line[1],
            parabola[2],
            parabola[1] + 2 * u[end] * parabola[2],
            _above_the_others(x, replicas, end),
            np.diff(np.eye(count), axis=0) / np.diff(x)[:, None],
        ]
    )
    value, half, wide, t, df = _contrasts(rows, y, v, nu, level, family)
    between = lambda i, h: (float(value[i] - h[i]), float(value[i] + h[i]))  # noqa: E731
    p = 2 * special.stdtr(df[1], -abs(t[1]))
    if p < SIGNIFICANCE and abs(value[1]) * np.ptp(x) > margin:
        flags.append("curvature")
    last_step = np.sort(abs(x - x[end]))[1]
    if special.stdtr(df[3], -t[3]) < SIGNIFICANCE / 2 and value[3] > margin * last_step:
        flags.append("floor")
    return Fit(
        scales, np.abs(estimate), np.sqrt(v), lo, hi, lowest, replicas, sign,
        exponent=float(value[0]), ci=between(0, half), wide=between(0, wide), df=float(df[0]),
        prefactor=float(np.exp(line[0] @ y - value[0] * (x - u)[0])),
        local=value[4:], local_ci=np.column_stack([value[4:] - half[4:], value[4:] + half[4:]]),
        curvature=(float(value[1]), float(t[1]), float(p)),
        end=float(value[2]), end_ci=between(2, half), end_wide=between(2, wide), flags=tuple(flags),
    )  # fmt: skip


def _checked(scales, samples, statistic, tail):
    """Scales ascending and their samples as float64 arrays."""
    one_of("statistic", statistic, ("mean", "median"))
    scales = np.asarray(scales, dtype=np.float64)
    if scales.ndim != 1 or len(scales) < 3:
        raise ValueError(f"scales must be at least 3 numbers, got {scales.size}")
    distinct = len(np.unique(scales)) == len(scales)
    if not (np.all(np.isfinite(scales)) and np.all(scales > 0) and distinct):
        raise ValueError(f"scales must be positive, finite and distinct, got {scales.tolist()}")
    if len(samples) != len(scales):
        raise ValueError(f"samples must be one array per scale ({len(scales)}), got {len(samples)}")
    if statistic == "mean" and tail is not None and not tail > 2:
        raise ValueError(f"tail must exceed 2 for a mean (else use the median), got {tail!r}")
    arrays = [np.asarray(x, dtype=np.float64) for x in samples]
    for s, x in zip(scales, arrays):
        if x.ndim != 1 or len(x) < 2:
            raise ValueError(f"samples at scale {s:g} must be 2 or more, got shape {x.shape}")
        bad = np.count_nonzero(~np.isfinite(x))
        if bad:
            raise ValueError(f"samples at scale {s:g} must be finite, got {bad} that are not")
    order = np.argsort(scales)
    return scales[order], [arrays[j] for j in order]


def _point(x, statistic, normality, level, family):
    """y, v, nu of one scale, the signed estimate, and the point's intervals in magnitude."""
    estimate = float(np.mean(x) if statistic == "mean" else np.median(x))
    if estimate == 0:
        return 0.0, math.inf, len(x) - 1.0, 0.0, 0.0, float(np.max(np.abs(x))), 0.0
    z = np.sort(x / estimate)  # relative to the estimate: nothing overflows, and its sign is gone
    shift, v, nu = _log_mean(z) if statistic == "mean" else _log_median(z)
    nu *= normality
    ends = _mean_ends if statistic == "mean" else _median_ends
    m = abs(estimate)
    lo, hi = ends(z, v, nu, level)
    lowest, _ = ends(z, v, nu, family)
    return math.log(m) + shift, v, nu, estimate, m * lo, m * hi, m * lowest


def _log_mean(z):
    """Sorted replicas of mean 1: what log(mean) lacks on average, its jackknife variance, R - 1."""
    count = len(z)
    v = float(np.var(z, ddof=1)) / count
    without = (count - z) / (count - 1)  # the mean of the others
    if without[-1] <= 0:  # replicas of both signs
        return v / 2, v, count - 1.0
    return v / 2, float(np.var(np.log(without))) * (count - 1), count - 1.0


def _normality(samples):
    """2 / (kurtosis - 1) within [0.2, 1], the kurtosis of the relative replicas of all scales."""
    means = [np.mean(x) for x in samples]
    z = np.concatenate([x / m - 1 for x, m in zip(samples, means) if m != 0] or [np.zeros(1)])
    variance = np.mean(z**2)
    if variance == 0:
        return 1.0
    kurtosis = np.mean((z / math.sqrt(variance)) ** 4)
    return min(1.0, max(LEAST_NORMALITY, 2 / (kurtosis - 1))) if kurtosis > 1 else 1.0


def _log_median(z):
    """Sorted replicas of median 1: no bias, variance and its degrees of freedom.

    Order statistics c and R + 1 - c lie as far apart as 2 `deviate` standard errors of the median.
    """
    count = len(z)
    c = max(1, round((count + 1) / 2 - math.sqrt(count)))
    tail = special.bdtr(c - 1, count, 0.5)
    deviate = -NormalDist().inv_cdf(tail)
    low, high = z[c - 1], z[count - c]
    spread = math.log(high / low) if low > 0 else high - low
    share = count + 1 - 2 * c  # the probability between them is Beta(share, count + 1 - share)
    nu = share * (count + 2) / (2 * (count + 1 - share))
    return 0.0, float(spread / (2 * deviate)) ** 2, min(nu, count - 1.0)


def _mean_ends(z, v, nu, level):
    """Interval of a mean of 1: symmetric in its logarithm, or in itself where signs are mixed."""
    half = special.stdtrit(nu, (1 + level) / 2) * math.sqrt(v)
    if z[0] <= 0:
        return 1 - half, 1 + half
    return math.exp(-min(half, 700)), math.exp(min(half, 700))


def _median_ends(z, v, nu, level):
    """The sign test's interval; an end that the replicas are too few for is 0 or infinite."""
    count = len(z)
    below = special.bdtr(np.arange(count // 2), count, 0.5)
    rank = int(np.searchsorted(below, (1 - level) / 2, side="right"))  # P(Bin < rank) is that small
    if rank == 0:
        return (0.0 if z[0] > 0 else -math.inf), math.inf
    return float(z[rank - 1]), float(z[count - rank])


def _resolved(x, estimate, v):
    """The logarithm can be used: replicas of one sign, or an estimate many errors from zero."""
    one_sign = np.all(x > 0) or np.all(x < 0)
    return estimate != 0 and (one_sign or v * RESOLVED**2 < 1)


def _infinite_variance(samples):
    """Hill's estimate from the replicas of all scales, each relative to its own size, is two standard errors below 2.

    Relative to mean |x|, not to the mean, which is near 0 by chance where signs differ: scales would not be comparable.
    """
    pooled = np.concatenate([x / np.mean(np.abs(x)) for x in samples if x.any()] or [np.empty(0)])
    top = max(8, len(pooled) // 20)
    if len(pooled) < 4 * top:
        return False
    tail = np.partition(np.abs(pooled), -top - 1)[-top - 1 :]
    threshold = tail.min()
    if threshold <= 0:
        return False
    inverse_index = np.sum(np.log(tail / threshold)) / top
    return bool(inverse_index > 0.5 * (1 + 2 / math.sqrt(top)))


def _polynomial(x, weights, degree):
    """Row k times y is the k-th coefficient of the weighted polynomial fit in centred x."""
    u = x - np.average(x, weights=weights)
    design = np.vander(u, degree + 1, increasing=True)
    root = np.sqrt(weights)[:, None]
    return np.linalg.pinv(design * root) * root.T


def _above_the_others(x, weights, j):
    """Coefficients of y_j minus the line through all other points, at x_j."""
    others = np.arange(len(x)) != j
    line = _polynomial(x[others], weights[others], 1)
    distance = x[j] - np.average(x[others], weights=weights[others])
    row = np.zeros(len(x))
    row[j] = 1
    row[others] = -(line[0] + distance * line[1])
    return row


def _contrasts(rows, y, v, nu, level, family):
    """Value, half-widths at both levels, t statistic and degrees of freedom of each row times y."""
    value = rows @ y
    parts = rows**2 * v
    variance = parts.sum(axis=1)
    known = variance > 0  # replicas without any scatter leave nothing to estimate
    df = np.full(len(rows), float(np.min(nu)))
    relative = parts[known] / variance[known, None]
    df[known] = 1 / (relative**2 @ (1 / nu))
    se = np.sqrt(variance)
    half, wide = (special.stdtrit(df, (1 + p) / 2) * se for p in (level, family))
    certain = np.where(np.abs(value) > 1e-9, np.copysign(np.inf, value), 0.0)  # beyond round-off
    t = np.divide(value, se, where=known, out=certain)
    return value, half, wide, t, df


def _unresolved(points, flags):
    """Points without slopes: some logarithm does not exist."""
    none, pair = math.nan, (math.nan, math.nan)
    gaps = len(points[0]) - 1
    return Fit(
        *points, exponent=none, ci=pair, wide=pair, df=none, prefactor=none,
        local=np.full(gaps, none), local_ci=np.full((gaps, 2), none), curvature=(none, none, none),
        end=none, end_ci=pair, end_wide=pair, flags=flags,
    )  # fmt: skip
