"""Argument checks shared by every public function.

Each check returns the value in the type the kernels want, or raises ``ValueError`` with one line that names
the symbol, the allowed range and the value received, e.g. ``alpha must lie in (0, 2], got 2.5``.
"""

import math
from numbers import Integral, Real


def in_range(name, value, low, high, *, open_low=True, open_high=False):
    """A finite real number between `low` and `high` -> float; ends are excluded where open.

    Raises
    ------
    ValueError
        The value is no real number, is NaN, or lies outside the range.
    """
    bracket = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must lie in {bracket}, got {value!r}")
    try:
        value = float(value)
    except OverflowError:  # a whole number beyond double precision
        raise ValueError(f"{name} must lie in {bracket}, got a number beyond 1e308") from None
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if not (above and below and math.isfinite(value)):  # NaN fails both comparisons
        raise ValueError(f"{name} must lie in {bracket}, got {value!r}")
    return value


def positive(name, value):
    """A finite number above zero -> float."""
    return in_range(name, value, 0.0, math.inf, open_high=True)


def nonnegative(name, value):
    """A finite number that is zero or more -> float."""
    return in_range(name, value, 0.0, math.inf, open_low=False, open_high=True)


def stable_index(alpha, *, low=0.0):
    """The tail index of a symmetric stable law, in (low, 2] -> float."""
    return in_range("alpha", alpha, low, 2.0)


def whole(name, value, low, high=None):
    """A whole number in [low, high], or at least `low` -> int (1e6 is accepted for one million)."""
    number = isinstance(value, Real) and not isinstance(value, bool) and -math.inf < value < math.inf
    if not number or value != int(value) or value < low or (high is not None and value > high):
        allowed = f">= {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")
    return int(value)


def at_least(name, value, low):
    """A whole number no smaller than `low` -> int."""
    return whole(name, value, low)


def one_of(name, value, allowed):
    """One of the `allowed` strings -> str."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    return value


def finite_array(name, x, *, ndim=None):
    """A float64 array without NaN or infinity -> ndarray; maybe the caller's own: never write to it."""
    import numpy as np

    try:
        array = np.asarray(x)
    except (TypeError, ValueError):  # rows of different lengths
        raise ValueError(f"{name} must be an array of finite numbers, got {type(x).__name__}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of finite numbers, got dtype {array.dtype}")
    array = array.astype(np.float64, copy=False)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite value(s)")
    return array


def seed(value):
    """A seed: a whole number in [0, 2^64) -> numpy.uint64, the type that the kernels take."""
    import numpy as np

    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value < 2**64:
        raise ValueError(f"seed must be a whole number in [0, 2^64 - 1], got {value!r}")
    return np.uint64(value)


def shape(size):
    """The shape of an array, from a whole number or a tuple of them -> tuple of int."""
    return tuple(whole("size", s, 0) for s in (size if isinstance(size, tuple) else (size,)))


def replica(value):
    """The number of a replica, in [0, 2^28 - 1] (``philox.py`` has 28 bits for it) -> int."""
    return whole("replica", value, 0, 2**28 - 1)
