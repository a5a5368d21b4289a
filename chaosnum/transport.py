"""Optimal transport on the line between sorted samples: the kernels behind ``wasserstein.py``.

The optimal plan for the cost |x - y|^p, p >= 1, moves mass monotonically: the u-quantile of one sample to the
u-quantile of the other (Villani 2003, Theorem 2.18). For samples of equal size it pairs the i-th smallest points. In
general the quantile functions are step functions, and the plan is found by one walk along both: move as much as
the poorer of the two current points has left, go on to the next point of that side.

The masses that are left, and the factor that gives both sides the same sum, are sums of two doubles. So whole-number
weights are exact, and others are neither worn away by a million subtractions nor mismatched at the far end, where p-th
powers would show it. Powers of distances are taken relative to the largest one, so they neither overflow nor vanish.
"""

import math
import warnings
from fractions import Fraction
from numbers import Real

import numpy as np

from chaosnum import check
from chaosnum.jit import fma, inline, kernel
from chaosnum.simdmath import exp2, log2

_LANES = 64  # sums that run side by side: they vectorise, and each is short enough to be accurate
_SLIVER = 1e-9  # of the least weight: W_inf takes a smaller step of the plan for rounding of the weights
_SMALLEST = -1020.0  # exponent of the smallest power that counts; those of the largest distance count as 1


def order(p, finite=False):
    """The order of a distance, in [1, inf] or, where it must be finite, in [1, inf) -> float."""
    if finite or not (isinstance(p, Real) and p == math.inf):
        return check.in_range("p", p, 1.0, math.inf, open_low=False, open_high=finite)
    return math.inf


def warn_if_infinite(p, alpha, stacklevel=3):
    """A UserWarning if the laws are infinitely far apart: p >= alpha, their tail index (None: not known)."""
    if alpha is not None and p >= check.positive("alpha", alpha):
        words = f"p = {p:g} >= alpha = {alpha:g}: the distance of the laws is infinite, that of samples grows for ever"
        warnings.warn(words, UserWarning, stacklevel=stacklevel)


def sample(name, x, ndim=1):
    """A sample that is not empty, in its own type -> ndarray of numbers; maybe the caller's own: never write to it."""
    try:
        x = np.asarray(x)
    except (TypeError, ValueError):  # rows of different lengths
        raise ValueError(f"{name} must be an array of finite numbers, got {type(x).__name__}") from None
    if x.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {x.shape}")
    if x.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {x.shape}")
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of finite numbers, got dtype {x.dtype}")
    return x


def ordered(name, x):
    """A `sample` in ascending order -> new float64 array."""
    a = np.sort(x).astype(np.float64, copy=False)
    if not (np.isfinite(a[0]) and np.isfinite(a[-1])):  # a NaN sorts to the end
        check.finite_array(name, x)
    return a


def weighted(name, x, weights):
    """A `sample` in ascending order and the masses of its points, those without mass left out -> two new arrays."""
    x, weights = check.finite_array(name, x), masses(f"{name}_weights", weights, x.size)
    by_size = np.argsort(x)
    by_size = by_size[weights[by_size] > 0]
    return x[by_size], weights[by_size]


def masses(name, weights, size):
    """The weights of `size` points -> float64 array, maybe the caller's own."""
    weights = check.finite_array(name, weights)
    if weights.shape != (size,):
        raise ValueError(f"{name} must have one entry per point, shape {(size,)}, got {weights.shape}")
    if weights.min() < 0:
        raise ValueError(f"{name} must be zero or more, got {weights.min():g}")
    if not 0 < weights.sum() < math.inf:
        raise ValueError(f"{name} must have a positive and finite sum, got {weights.sum():g}")
    return weights


@kernel
def total(masses):
    """The sum of an array as two doubles, (sum, what rounding has left out)."""
    high, low = 0.0, 0.0
    for x in masses:
        larger = high + x
        part = larger - high
        low += (high - (larger - part)) + (x - part)
        high = larger
    return high + low, low - ((high + low) - high)


@inline
def _power(t, p):
    """t^p for t in [0, 1]."""
    y = p * log2(t)
    return exp2(y if y > _SMALLEST else _SMALLEST)


@kernel
def _largest(a, b):
    """The largest |a_i - b_i|."""
    largest = 0.0
    for i in range(a.size):
        d = abs(a[i] - b[i])
        largest = d if d > largest else largest
    return largest


@kernel
def _sum(a, b, p, unit):
    """Sum of (|a_i - b_i| / unit)^p for p = 1 (where unit is 1), 2, or any other."""
    lanes = np.zeros(_LANES)
    whole = a.size - a.size % _LANES
    total = 0.0
    if p == 1.0:
        for start in range(0, whole, _LANES):
            for j in range(_LANES):
                lanes[j] += abs(a[start + j] - b[start + j])
        for i in range(whole, a.size):
            total += abs(a[i] - b[i])
    elif p == 2.0:
        for start in range(0, whole, _LANES):
            for j in range(_LANES):
                d = (a[start + j] - b[start + j]) / unit
                lanes[j] += d * d
        for i in range(whole, a.size):
            d = (a[i] - b[i]) / unit
            total += d * d
    else:
        for start in range(0, whole, _LANES):
            for j in range(_LANES):
                lanes[j] += _power(abs(a[start + j] - b[start + j]) / unit, p)
        for i in range(whole, a.size):
            total += _power(abs(a[i] - b[i]) / unit, p)
    for j in range(_LANES):
        total += lanes[j]
    return total


@kernel
def _merge(a, b, a_mass, b_mass, factor, rest, p, unit):
    """Sum of mass * (distance / unit)^p over the monotone plan; for p = inf the largest distance of a mass above unit.

    The masses have one entry per point, or a single one for all; those of b times factor + rest have the sum of a's.
    """
    step_a, step_b = int(a_mass.size > 1), int(b_mass.size > 1)
    total, lost = 0.0, 0.0  # Kahan's compensated sum
    i, j = 0, 0
    left_a, rest_a, left_b = a_mass[0], 0.0, b_mass[0] * factor
    rest_b = fma(b_mass[0], factor, -left_b) + b_mass[0] * rest
    while True:
        gap = (left_a - left_b) + (rest_a - rest_b)
        mass = left_a + rest_a if gap <= 0.0 else left_b + rest_b
        d = abs(a[i] - b[j])
        if p == np.inf:
            total = d if mass > unit and d > total else total
        elif mass > 0.0:  # or both points were used up together
            d /= unit
            if p == 2.0:
                d *= d
            elif p != 1.0:
                d = _power(d, p)
            term = mass * d - lost
            larger = total + term
            lost = (larger - total) - term
            total = larger
        if gap <= 0.0:  # a's point is used up: what it leaves of b's is a difference, kept to 32 digits
            difference = left_b - left_a
            rest_b += ((left_b - difference) - left_a) - rest_a
            left_b = difference + rest_b
            rest_b -= left_b - difference
            i += 1
        else:
            difference = left_a - left_b
            rest_a += ((left_a - difference) - left_b) - rest_b
            left_a = difference + rest_a
            rest_a -= left_a - difference
            j += 1
        if gap <= 0.0:
            if i == a.size:
                return total
            left_a, rest_a = a_mass[i * step_a], 0.0
        else:
            if j == b.size:
                return total
            given = b_mass[j * step_b]
            left_b = given * factor
            rest_b = fma(given, factor, -left_b) + given * rest


def between(a, b, a_mass, b_mass, p):
    """W_p between sorted samples, float64 and contiguous; masses that are None are all the same -> float."""
    if a_mass is None and b_mass is None:
        if a.size == b.size:
            return _paired(a, b, p)
        common = math.gcd(a.size, b.size)
        a_mass, b_mass = np.array([b.size / common]), np.array([a.size / common])
        whole, plan = float(a_mass[0] * a.size), (a, b, a_mass, b_mass, 1.0, 0.0)
    else:
        a_mass, b_mass = (np.ones(z.size) if w is None else w for z, w in ((a, a_mass), (b, b_mass)))
        sums = [sum(map(Fraction, total(mass))) for mass in (a_mass, b_mass)]
        factor = float(sums[0] / sums[1])
        whole, plan = float(sums[0]), (a, b, a_mass, b_mass, factor, float(sums[0] / sums[1] - Fraction(factor)))
    if p == 1.0:
        return _merge(*plan, 1.0, 1.0) / whole
    unit = _merge(*plan, math.inf, _SLIVER * min(a_mass.min(), b_mass.min() * plan[4]))
    if p == math.inf or unit == 0.0 or unit == math.inf:
        return unit
    return unit * (_merge(*plan, p, unit) / whole) ** (1.0 / p)


def _paired(a, b, p):
    """W_p between sorted samples of equal size."""
    if p == 1.0:
        return _sum(a, b, 1.0, 1.0) / a.size
    unit = _largest(a, b)
    if p == math.inf or unit == 0.0 or unit == math.inf:
        return unit
    return unit * (_sum(a, b, p, unit) / a.size) ** (1.0 / p)
