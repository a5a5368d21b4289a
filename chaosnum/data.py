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
    X, y = X[rows][:points] / 16.0, two_classes(y[rows][:points])
    X.flags.writeable = y.flags.writeable = False  # every caller gets the same two arrays
    return X, y


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
    path = Path(str(source))
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
    X, labels = check.finite_array("X", X, ndim=2), two_classes(y)
    if len(X) != len(labels):
        raise ValueError(f"y must have one label for each of the {len(X)} rows of X, got {len(labels)}")
    return X, labels


def _npz(path):
    name = path.name
    try:
        archive = np.load(path, allow_pickle=False)
    except ValueError:  # neither a zip file nor a .npy file: NumPy takes it for a pickle and says how to run it
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f"data {name!r} must be a NumPy archive, as written by numpy.savez")
    with archive:
        missing = {"X", "y"} - set(archive.files)
        if missing:
            raise ValueError(f"data {name!r} must hold the arrays X and y, got {', '.join(archive.files) or 'none'}")
        found = []
        for part, kinds in (("X", "fiub"), ("y", "fiubUS")):
            try:
                array = np.asarray(archive[part])
            except ValueError:
                got = "objects or half of one"
                raise ValueError(f"data {name!r}: {part} must be an array of numbers, got {got}") from None
            if array.dtype.kind not in kinds:
                raise ValueError(f"data {name!r}: {part} must be an array of numbers, got dtype {array.dtype}")
            found.append(array)
        return found


def _csv(path):
    name = path.name
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    # A header names every column: one number in the first line makes it a sample, and its other cells mistakes.
    header = bool(lines) and not any(map(_is_numbers, lines[0].split(",")))
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not (header and number == 1)]
    for number, line in rows:
        if not _is_numbers(line):
            raise ValueError(f"data {name!r}: line {number} must hold numbers separated by commas, got {line[:40]!r}")
    table = [[float(cell) for cell in line.split(",")] for _, line in rows]
    widths = set(map(len, table))
    if len(widths) != 1 or widths == {1}:
        raise ValueError(f"data {name!r} must hold rows of equal length, at least two numbers each")
    table = np.array(table)
    return table[:, :-1], table[:, -1]


def _is_numbers(line):
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True
