r"""Density, distribution function and quantiles of the standard SaS law, to a relative 1e-12 and fast.

The law has characteristic function exp(-|k|^alpha), alpha in (0, 2]. For each alpha a table of expansions is made once
(stable_table.py), in some 30 milliseconds; a point then takes 30 to 50 nanoseconds. At alpha = 2 the law is N(0, 2).

Accuracy: relative errors of at most 1e-13 for the density, the distribution function and the tail, for alpha in
[0.1, 2] and as far out as double precision goes (tests/test_stable_law.py, against 50 digits); quantiles 1e-12, or what
the rounding of q allows.

What goes wrong: SciPy's ``levy_stable`` has errors up to 7e-5, and its tail drops to zero beyond x of about 300.
"""

import math

import numpy as np
from numba import int64, uint64
from scipy import special

from chaosnum import check
from chaosnum.jit import as_bits, as_float, fma, inline, kernel
from chaosnum.stable_table import LOWEST, table

_DENSITY, _BELOW, _ABOVE = 0, 1, 2
_MANTISSA, _ONE = uint64(0x000FFFFFFFFFFFFF), uint64(0x3FF0000000000000)


def pdf(x, alpha):
    """Density of the standard SaS law.

    Parameters
    ----------
    x : array_like of float64
        NaN gives NaN, infinity 0.
    alpha : float or array_like
        Tail index, in [0.05, 2]; broadcast against `x`. Each new value costs about 50 ms.

    Returns
    -------
    float or ndarray of float64
        Relative error below 1e-12.

    Raises
    ------
    ValueError
        alpha out of range, or x not an array of numbers.
    """
    return _each(x, alpha, _DENSITY)


def cdf(x, alpha):
    """P(X <= x) of the standard SaS law; arguments, accuracy and errors as for :func:`pdf`."""
    return _each(x, alpha, _BELOW)


def sf(x, alpha):
    """P(X > x) of the standard SaS law, relatively accurate in the farthest tail; otherwise as :func:`pdf`."""
    return _each(x, alpha, _ABOVE)


def ppf(q, alpha):
    """Quantiles: the x with P(X <= x) = q; by symmetry -ppf(q) is the x with P(X > x) = q.

    Parameters
    ----------
    q : array_like of float64
        Probabilities in [0, 1]; 0 and 1 give -inf and inf. Small q are taken at their relative accuracy.
    alpha : float or array_like
        Tail index, in [0.05, 2]; broadcast against `q`.

    Returns
    -------
    float or ndarray of float64
        Relative error below 1e-12, as far as q itself determines x: near q = 1 it does not.

    Raises
    ------
    ValueError
        q outside [0, 1], or alpha out of range.
    """
    q = _numbers("q", q)
    if not np.all((q >= 0.0) & (q <= 1.0)):
        bad = float(q[~((q >= 0.0) & (q <= 1.0))].flat[0])
        raise ValueError(f"q must lie in [0, 1], got {bad!r}")
    return _broadcast(q, alpha, _quantiles)


def moment(q, alpha):
    """E|X|^q = 2^q Gamma((1+q)/2) Gamma(1-q/alpha) / (sqrt(pi) Gamma(1-q/2)) of the standard SaS law.

    Parameters
    ----------
    q : float or array_like
        Order, above -1; infinite from q = alpha on (for alpha = 2 every order is finite).
    alpha : float or array_like
        Tail index, in (0, 2].

    Returns
    -------
    float or ndarray of float64
        Shape of the broadcast arguments.

    Raises
    ------
    ValueError
        q not above -1, or alpha outside (0, 2].
    """
    q, alpha = np.broadcast_arrays(check.finite_array("q", q), _indices(alpha))
    if np.any(q <= -1.0):
        raise ValueError(f"q must be above -1, got {float(q.min())!r}")
    gaussian, order = alpha == 2.0, np.where((q < alpha) | (alpha == 2.0), q, 0.0)
    # Gamma(1 - q/alpha) / Gamma(1 - q/2) is 1 at alpha = 2, where both have the same poles.
    ratio = np.where(gaussian, 1.0, special.gamma(1.0 - np.where(gaussian, 0.0, order / alpha)))
    ratio = ratio * np.where(gaussian, 1.0, special.rgamma(1.0 - 0.5 * np.where(gaussian, 0.0, order)))
    value = 2.0**order * special.gamma(0.5 * (1.0 + order)) / math.sqrt(math.pi) * ratio
    out = np.where((q < alpha) | gaussian, value, np.inf)
    return out if out.ndim else float(out)


def tail_constant(alpha):
    """c in P(X > r) ~ c r^-alpha, one tail of the standard SaS law: sin(pi alpha/2) Gamma(alpha) / pi.

    Parameters
    ----------
    alpha : float or array_like
        Tail index, in (0, 2]; zero at 2, where the tail is Gaussian.

    Returns
    -------
    float or ndarray of float64

    Raises
    ------
    ValueError
        alpha outside (0, 2].
    """
    alpha = _indices(alpha)
    # The sine by way of 2 - alpha, which is exact near alpha = 2.
    out = np.sin(0.5 * math.pi * np.where(alpha > 1.0, 2.0 - alpha, alpha)) * special.gamma(alpha) / math.pi
    return out if out.ndim else float(out)


def _each(x, alpha, which):
    return _broadcast(_numbers("x", x), alpha, lambda values, a: _values(values, a, which))


def _numbers(name, x):
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


def _broadcast(x, alpha, function):
    """The function of (flat x, one alpha) for every alpha that occurs."""
    if np.ndim(alpha) == 0:
        out = function(x.ravel(), _index(alpha)).reshape(x.shape)
    else:
        x, alphas = np.broadcast_arrays(x, check.finite_array("alpha", alpha))
        out = np.empty(x.shape)
        for value in np.unique(alphas):
            chosen = alphas == value
            out[chosen] = function(x[chosen], _index(float(value)))
    return out if out.ndim else float(out)


def _index(alpha):
    return check.in_range("alpha", alpha, LOWEST, 2.0, open_low=False)


def _values(x, alpha, which):
    if alpha == 2.0:
        if which == _DENSITY:
            with np.errstate(over="ignore", under="ignore"):
                return np.exp(-0.25 * x * x) / (2.0 * math.sqrt(math.pi))
        return 0.5 * special.erfc(-0.5 * x if which == _BELOW else 0.5 * x)
    out = np.empty(len(x))
    _evaluate(np.ascontiguousarray(x), out, table(alpha), which)
    return out


def _quantiles(q, alpha):
    if alpha == 2.0:
        return math.sqrt(2.0) * special.ndtri(q)
    law, out = table(alpha), np.empty(len(q))
    _solve(np.ascontiguousarray(q), out, law)
    return out


@inline
def _sum(coefficients, t):
    """The polynomial with these coefficients, by Horner's rule."""
    value = coefficients[coefficients.size - 1]
    for k in range(coefficients.size - 2, -1, -1):
        value = fma(value, t, coefficients[k])
    return value


@inline
def _panel(y, law):
    """The panel of y in [low, high), and y's place t in [-1, 1) within it: both are read off its bits."""
    bits = as_bits(y)
    index = int64(bits >> uint64(52 - law.bits)) - law.first
    part = (as_float((bits & _MANTISSA) | _ONE) - 1.0) * (1 << law.bits)
    return index, 2.0 * (part - math.floor(part)) - 1.0


@inline
def _probability(x, law):
    """(P(0 < X < x), True) or (P(X > x), False), whichever is known to all digits, for x >= 0."""
    y = x**law.alpha if law.power else x
    if y < law.low:
        return x * _sum(law.near, x * x), True
    if y < law.high:
        index, t = _panel(y, law)
        return _sum(law.probability[index], t), index < law.centre
    z = 1.0 / y if law.power else x**-law.alpha
    return z * _sum(law.far, z), False


@inline
def _density(x, law):
    """The density at x >= 0."""
    y = x**law.alpha if law.power else x
    if y < law.low:
        return _sum(law.near_density, x * x)
    if y < law.high:
        index, t = _panel(y, law)
        return _sum(law.density[index], t)
    z = 1.0 / y if law.power else x**-law.alpha
    return z * _sum(law.far_density, z) / x


@kernel
def _evaluate(x, out, law, which):
    """The density, P(X <= x) or P(X > x) of every x."""
    for i in range(x.size):
        size = abs(x[i])
        if not size >= 0.0:
            out[i] = np.nan
        elif which == _DENSITY:
            out[i] = _density(size, law)
        else:
            value, central = _probability(size, law)
            on_this_side = (x[i] > 0.0) == (which == _ABOVE)  # the tail asked for is the one beyond x
            if central:
                out[i] = 0.5 - value if on_this_side else 0.5 + value
            else:
                out[i] = value if on_this_side else 1.0 - value


@kernel
def _solve(q, out, law):
    """Quantiles by Newton's method on log-log scale, where both ends are straight lines, kept in a bracket."""
    for i in range(q.size):
        tail, centre = min(q[i], 1.0 - q[i]), abs(q[i] - 0.5)
        if tail == 0.0 or centre == 0.0:
            x = 0.0 if tail > 0.0 else np.inf
        else:
            x = centre / law.near_density[0] if centre < 0.25 else (law.far[0] / tail) ** (1.0 / law.alpha)
            low, high, last = 0.0, np.inf, np.inf
            for _ in range(200):
                if not 0.0 < x < np.inf:
                    break
                value, central = _probability(x, law)
                excess = math.log(value / centre) if central else math.log(tail / value)  # positive: x is too large
                if excess > 0.0:
                    high = x
                else:
                    low = x
                step = excess * value / (x * _density(x, law))
                x *= math.exp(-min(max(step, -700.0), 700.0))
                if abs(step) < 1e-9:
                    break
                # Next to alpha = 2 Newton's steps go to and fro between the Gaussian centre and the tail: halve then.
                if low > 0.0 and high < np.inf and not (low < x < high and abs(step) < 0.5 * last):
                    x = math.sqrt(low) * math.sqrt(high)
                last = abs(step)
        out[i] = x if q[i] > 0.5 else -x


def _indices(alpha):
    """Tail indices in (0, 2] -> ndarray of float64."""
    if np.ndim(alpha) == 0:
        return np.float64(check.stable_index(alpha))
    alpha = check.finite_array("alpha", alpha)
    bad = alpha[~((alpha > 0.0) & (alpha <= 2.0))]
    if bad.size:
        raise ValueError(f"alpha must lie in (0, 2], got {float(bad[0])!r}")
    return alpha
