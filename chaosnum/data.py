"""Data sets with two classes: handwritten digits by default, or a file of the user's.

A file is read and never executed: NumPy archives are opened without pickle. Accepted are

* ``.npz`` with the arrays ``X`` (m, d) and ``y`` (m,);
* ``.csv`` with one row of numbers a sample, the label in the last column, and at most one header line.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from chaosnum import check
from chaosnum.network import two_classes

DIGITS, POINTS = (3, 8), 60


@lru_cache(maxsize=8)
def digits(points=POINTS, classes=DIGITS):
    """Handwritten digits of two classes (UCI; comes with scikit-learn), the first `points` of them.

    Parameters
    ----------
    points : int, default 60
        Number of images.
    classes : pair of int
        The two digits.

    Returns
    -------
    X : ndarray of float64, shape (points, 64)
        Pixels, in [0, 1].
    y : ndarray of float64, shape (points,)
        -1 and +1.
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rows = np.isin(y, classes)
    points = check.whole("points", points, 2, int(rows.sum()))
    return X[rows][:points] / 16.0, two_classes(y[rows][:points])


def load(source):
    """A data set: ``"digits"``, or the path of a file -> (X, y) as `digits` returns them.

    Raises
    ------
    ValueError
        In one line: a file that is missing, unreadable, truncated or of another format, arrays of the wrong
        shape, NaN or infinite values, labels that are not of two classes.
    """
    if source == "digits":
        return digits()
    path = Path(source)
    readers = {".npz": _npz, ".csv": _csv}
    if path.suffix not in readers:
        raise ValueError(f"data must be digits or a file ending in {' or '.join(readers)}, got {source!r}")
    try:
        X, y = readers[path.suffix](path)
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or 'not a NumPy archive'}") from None
    except ValueError:
        raise
    except Exception as error:  # a damaged archive fails in zipfile, zlib or NumPy's header parser
        raise ValueError(f"data {source!r} is damaged: {type(error).__name__}") from None
    X = check.finite_array("X", X, ndim=2)
    if len(X) != len(y):
        raise ValueError(f"y must have one label for each of the {len(X)} rows of X, got {len(y)}")
    return X, two_classes(y)


def _npz(path):
    with np.load(path, allow_pickle=False) as archive:
        missing = {"X", "y"} - set(archive.files)
        if missing:
            raise ValueError(f"data {path.name!r} must hold the arrays X and y, got {', '.join(archive.files) or 'none'}")
        for name in ("X", "y"):
            try:
                archive[name]
            except ValueError:
                raise ValueError(f"data {path.name!r}: {name} must be an array of numbers, got objects") from None
        return archive["X"], archive["y"]


def _csv(path):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    skip = 0 if not lines or _is_numbers(lines[0]) else 1
    rows = [line for line in lines[skip:] if line.strip()]
    for number, line in enumerate(rows, skip + 1):
        if not _is_numbers(line):
            raise ValueError(f"data {path.name!r}: line {number} must hold numbers separated by commas, got {line[:40]!r}")
    widths = {line.count(",") for line in rows}
    if not rows or len(widths) != 1 or widths == {0}:
        raise ValueError(f"data {path.name!r} must hold rows of equal length, at least two numbers each")
    table = np.array([[float(cell) for cell in line.split(",")] for line in rows])
    return table[:, :-1], table[:, -1]


def _is_numbers(line):
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True
