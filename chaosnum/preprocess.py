"""From samples and labels to what a network is trained on: class numbers, a test set, scaled inputs.

Labels become the numbers 0..C-1 of the classes in sorted order. Words that are whole numbers are sorted as numbers.

A test set is split off by class. Row i of the m rows has the i-th number of SplitMix64 with the split's seed as its
key, and of the c rows of a class the round(share c) with the smallest keys are the test set, at least one and never all
of them. SplitMix64 is five lines of integer arithmetic, so the split is the same with every version of every library.

Inputs are scaled by constants of the training set alone; the test set gets the same constants. Means are computed in
float64, and the one mean and standard deviation of "standardize" are rounded to the six leading digits of the latter
before they are used: the line that names them says exactly what was done.

What goes wrong: constants of all rows would let the test set into the training. A column that never varies has no
scale; it is set to zero. Rows of one person, day or instrument in both sets make the test accuracy too good; a split by
rows cannot know them, and a file with a test set of its own can.

References: G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
"""

import math

import numpy as np

from chaosnum import check
from chaosnum.rowfiles import LONGEST_LABEL

SCALINGS = ("none", "unit", "standardize", "columns", "rows")
BLOCK = 2**18  # numbers that are held as float64 at a time


def class_numbers(y, test=None):
    """Labels as class numbers.

    Parameters
    ----------
    y, test : array_like, shapes (m,) and (k,)
        Whole numbers, or words. `test` None: there is no second set.

    Returns
    -------
    classes : tuple of str, the classes in sorted order
    numbers : ndarray of int64, shape (m,)
    test_numbers : ndarray of int64, shape (k,), or None

    Raises
    ------
    ValueError
        Labels that are no whole numbers and no words, fewer than two classes, a label that only `test` has.
    """
    labels = _labels("y", y)
    values, numbers = np.unique(labels, return_inverse=True)
    if len(values) < 2:
        raise ValueError(f"y must hold two classes or more, got {len(values)}: {', '.join(map(str, values)) or 'none'}")
    classes, numbers = tuple(map(str, values.tolist())), numbers.reshape(-1).astype(np.int64)
    if test is None:
        return classes, numbers, None
    others = _labels("y_test", test)
    if others.dtype.kind != values.dtype.kind:
        kinds = ["numbers" if kind == "i" else "words" for kind in (values.dtype.kind, others.dtype.kind)]
        raise ValueError(f"y_test must hold {kinds[0]} as the training labels do, got {kinds[1]}")
    unknown = np.setdiff1d(others, values)
    if len(unknown):
        raise ValueError(f"y_test must hold labels that the training set has, got {_some(unknown)}")
    return classes, numbers, np.searchsorted(values, others).astype(np.int64)


def _labels(name, y):
    """Labels as int64 where all are whole numbers, else as words."""
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {y.shape}")
    if y.dtype.kind not in "fiubUS":
        raise ValueError(f"{name} must hold numbers or words, got dtype {y.dtype}")
    if y.dtype.kind in "US":
        values, where = np.unique(y, return_inverse=True)
        words = [_word(name, value) for value in values.tolist()]
        numbers = [_number(word) for word in words]
        if any(number is None for number in numbers):
            if not all(number is None for number in numbers):
                raise ValueError(f"{name} must hold numbers alone or words alone, got both: {_some(words)}")
            return np.array(words)[where.reshape(-1)]
        y = np.array(numbers)[where.reshape(-1)] if len(numbers) else np.zeros(0)
    if y.dtype.kind in "fu":
        exact = np.isfinite(y) & (y == np.floor(y)) & (abs(y) < 2**53)
        if not exact.all():
            raise ValueError(f"{name} must hold whole numbers or words, got {_some(np.unique(y[~exact]))}")
    return y.astype(np.int64)


def _word(name, value):
    word = (value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value).strip()
    # What prints as a line break or moves the cursor has no place in a table of classes.
    if not (0 < len(word) <= LONGEST_LABEL and word.isprintable()):
        raise ValueError(f"{name} must hold labels of 1 to {LONGEST_LABEL} printable characters, got {word[:40]!r}")
    return word


def _number(word):
    try:
        return None if "_" in word else float(word)
    except ValueError:
        return None


def _some(values):
    return ", ".join(str(value)[:40] for value in values[:5]) + (", ..." if len(values) > 5 else "")


# ---------------------------------------------------------------- the test set


def split(numbers, share, seed):
    """Which rows are the test set -> ndarray of bool, shape (m,); by class, as the top of this file says.

    Parameters
    ----------
    numbers : ndarray of int64, shape (m,), class numbers
    share : float in (0, 1)
    seed : int in [0, 2^64 - 1]

    Raises
    ------
    ValueError
        A share or a seed out of range, or no class with two rows: one to train on and one to test.
    """
    share, seed = check.in_range("test", share, 0.0, 1.0, open_high=True), check.seed(seed)
    chosen = np.zeros(len(numbers), dtype=bool)
    keys = splitmix64(seed, len(numbers))
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        wanted = min(max(1, math.floor(share * len(rows) + 0.5)), len(rows) - 1)
        chosen[rows[np.argsort(keys[rows], kind="stable")[:wanted]]] = True
    if not chosen.any():
        raise ValueError(f"y must have a class with two rows or more to split off a test set, got {len(numbers)} rows")
    return chosen


def splitmix64(seed, count):
    """The first numbers of SplitMix64 with a seed -> ndarray of uint64, shape (count,)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# ---------------------------------------------------------------- scaling


def scaled(X, test, scaling):
    """Inputs as a network takes them, scaled by constants of the training set.

    Parameters
    ----------
    X, test : ndarray of numbers, shapes (m, d) and (k, d)
    scaling : str
        ``"none"``; ``"unit"``: divided by the largest absolute value; ``"standardize"``: minus the mean and over the
        standard deviation of all numbers (divisor m d); ``"columns"``: the same for each column by itself (divisor
        m); ``"rows"``: each row minus its mean and over its standard deviation (divisor d - 1, as the UCR archive
        has it).

    Returns
    -------
    X, test : ndarray of float32, C-contiguous, of the same shapes
    words : str, what was done

    Raises
    ------
    ValueError
        Shapes that do not agree, NaN or infinite values, numbers beyond float32, a training set that never varies.
    """
    check.one_of("scaling", scaling, SCALINGS)
    _checked("X", X)
    _checked("X_test", test)
    if X.shape[1] != test.shape[1]:
        raise ValueError(f"X_test must have {X.shape[1]} columns as the training set has, got {test.shape[1]}")
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is found in the result
        shift, scale, words = _constants(X, scaling)
        return _apply("X", X, shift, scale), _apply("X_test", test, shift, scale), words


def _checked(name, X):
    if X.ndim != 2 or not X.size:
        raise ValueError(f"{name} must have 2 dimension(s) and at least one row and column, got shape {X.shape}")
    if X.dtype.kind == "f":
        bad = sum(block.size - int(np.count_nonzero(np.isfinite(block))) for block in _blocks(X))
        if bad:
            raise ValueError(f"{name} must be finite, got {bad} NaN or infinite value(s)")


def _blocks(X):
    step = max(1, BLOCK // X.shape[1])
    return (X[start : start + step] for start in range(0, len(X), step))


def _doubles(X):
    return (block.astype(np.float64) for block in _blocks(X))


def _constants(X, scaling):
    """What is taken off and divided by: numbers, one for each column, or None for each row's own."""
    if scaling == "none":
        return 0.0, 1.0, "numbers as they are"
    if scaling == "rows":
        return None, None, "each row minus its mean and over its standard deviation (divisor d - 1)"
    if scaling == "columns":
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        unit = _unit(np.maximum(abs(low), abs(high)))
        mean = sum((block / unit).sum(axis=0) for block in _doubles(X)) / len(X)
        sd = np.sqrt(sum(((block / unit - mean) ** 2).sum(axis=0) for block in _doubles(X)) / len(X))
        flat = low == high  # the sum's rounding errors must not pass for a spread
        words = "each column minus its mean and over its standard deviation in the training set"
        if flat.any():
            words += f" ({int(flat.sum())} columns that never vary there are 0)"
        return np.where(flat, low, mean * unit), np.where(flat, np.inf, sd * unit), words
    low, high = X.min().item(), X.max().item()
    if scaling == "unit":
        largest = max(abs(low), abs(high))
        if not largest:
            raise ValueError("X must not be all zeros in the training set to be scaled to unit size")
        return 0.0, float(largest), f"divided by {largest:.9g}, the largest absolute value in the training set"
    if low == high:
        raise ValueError(f"X must vary in the training set to be standardised, got {low:g} everywhere")
    unit = _unit(max(abs(low), abs(high)))
    mean = sum(float((block / unit).sum()) for block in _doubles(X)) / X.size
    sd = math.sqrt(sum(float(((block / unit - mean) ** 2).sum()) for block in _doubles(X)) / X.size)
    mean, sd = float(mean * unit), float(sd * unit)
    digits = 5 - math.floor(math.log10(sd))
    mean, sd = round(mean, digits), round(sd, digits)
    words = f"minus the mean {mean!r} and over the standard deviation {sd!r} of all training numbers"
    if X.dtype == np.uint8:
        words += f" ({mean / 255:.4f} and {sd / 255:.4f} of pixels / 255)"
    return mean, sd, words


def _unit(largest):
    """The power of two below the largest absolute value: numbers over it have squares that double precision holds."""
    return np.where(largest > 0, np.ldexp(1.0, np.frexp(np.asarray(largest, dtype=np.float64))[1] - 1), 1.0)


def _apply(name, X, shift, scale):
    out, start = np.empty(X.shape, dtype=np.float32), 0
    for block in _doubles(X):
        if shift is None:
            low, high = block.min(axis=1), block.max(axis=1)
            flat = low == high
            block /= _unit(np.maximum(abs(low), abs(high)))[:, None]
            block -= block.mean(axis=1, keepdims=True)
            variance = (block**2).sum(axis=1) / max(1, block.shape[1] - 1)
            block /= np.where(flat, np.inf, np.sqrt(variance))[:, None]
            block[flat] = 0.0
        else:
            block -= shift
            block /= scale
        out[start : start + len(block)] = block
        start += len(block)
    bad = sum(part.size - int(np.count_nonzero(np.isfinite(part))) for part in _blocks(out))
    if bad:
        raise ValueError(f"{name} must fit into float32 once scaled, got {bad} number(s) too large")
    return out
