"""Data sets: handwritten digits by default, MNIST, ECG5000, or a file of the user's.

A file is read and never executed (``datafiles.py`` has the formats), and nothing is fetched from a network.

`dataset` returns a training and a test set of any number of classes, to train networks on. `load` returns the samples
of two classes as -1 and +1, for the data terms of a particle system's drift.

The digits are the 1797 images of 8 x 8 pixels (UCI's optical digits, which come with scikit-learn). Their split into
1438 + 359 is fixed: by class, a share of 0.2, seed 1, by the rule of ``preprocess.py``. Both halves hold images of the
same 13 writers, so the test accuracy says little about a writer who is in neither.

ECG5000 has five classes of heartbeats: 1 is normal and 2 to 5 are not, three of which have few members. The published
reading is of two classes, normal against the rest.

References: E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI 1998; Y. LeCun et al., Proc. IEEE 86
(1998) 2278; Y. Chen et al., The UCR time series classification archive, 2015; A. L. Goldberger et al., Circulation 101
(2000) e215.
"""

import os
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from chaosnum import check
from chaosnum.network import two_classes

DIGITS, POINTS = (3, 8), 60
SHARE = 0.2  # of the rows that are split off as a test set
PUBLISHED = {"mnist": (60_000, 10_000), "ecg5000": (500, 4500)}  # rows to train and to test


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set.

    Attributes
    ----------
    name : str, without a place
    X_train : ndarray of float32, shape (m, d), C-contiguous
    y_train : ndarray of int64, shape (m,), class numbers 0..C-1
    X_test, y_test : the same, of other rows
    classes : tuple of str, in the order of the class numbers
    preprocessing : str, what was done to the numbers and labels, in one line
    files : tuple of {"name": str, "sha256": str}, what was read
    """

    name: str
    X_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    X_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple
    preprocessing: str = ""
    files: tuple = ()

    @property
    def m(self):
        """Number of training rows."""
        return len(self.X_train)

    @property
    def d(self):
        """Number of inputs."""
        return self.X_train.shape[1]

    @property
    def C(self):
        """Number of classes."""
        return len(self.classes)


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
    X, y = _images()
    rows = np.isin(y, classes)
    points = check.whole("points", points, 2, int(rows.sum()))
    X, y = X[rows][:points] / 16.0, two_classes(y[rows][:points])
    X.flags.writeable = y.flags.writeable = False  # every caller gets the same two arrays
    return X, y


def _images():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def load(source):
    """A data set of two classes: ``"digits"``, or the path of a .npz or .csv file -> (X, y) as `digits` returns them.

    Raises
    ------
    ValueError
        In one line: a file that is missing, unreadable, truncated or of another format, arrays of the wrong
        shape, NaN or infinite values, labels that are not of two classes.
    """
    if source == "digits":
        return digits()
    from chaosnum import datafiles, rowfiles

    path = Path(str(source))
    if path.suffix not in (".npz", ".csv"):
        raise ValueError(f"data must be digits or a file ending in .npz or .csv, got {source!r}")

    def read():
        raw, _ = datafiles.content(path)
        if path.suffix == ".npz":
            return datafiles.npz(raw, path.name)
        X, labels = rowfiles.csv(datafiles.text(raw, path.name), path.name, words=False)
        return X, np.array(list(map(float, labels)))

    X, y = datafiles.guarded(source, read)
    X, labels = check.finite_array("X", X, ndim=2), two_classes(y)
    if len(X) != len(labels):
        raise ValueError(f"y must have one label for each of the {len(X)} rows of X, got {len(labels)}")
    return X, labels


def dataset(source="digits", *, folder=None, test=None, seed=1, labels=None, scaling=None):
    """A training and a test set -> Dataset.

    Parameters
    ----------
    source : str or Path
        ``"digits"``; ``"mnist"`` or ``"ecg5000"``, whose files lie in `folder`; the path of a folder that holds one of
        these two; or the path of a file ending in .npz, .csv, .txt, .tsv (UCR: the label first) or .ts. Where a file
        is called ``..._TRAIN`` and a file ``..._TEST`` lies beside it, that is its test set.
    folder : str or Path, optional
        For "mnist" and "ecg5000". None: the folder in the environment variable CHAOSNUM_DATA, else ``data``.
    test : float in (0, 1), optional
        Share of the rows that are the test set, by default 0.2; for files without a test set of their own.
    seed : int
        Of the split.
    labels : None or "all"
        ECG5000: None reads two classes, normal (1) against the rest, and "all" the five. For others they are the same.
    scaling : None, "none", "unit", "standardize", "columns" or "rows"
        See `preprocess.scaled`. None is the set's own standard: "unit" for the digits (pixels / 16), "standardize" for
        MNIST, "none" for ECG5000, whose series come with mean 0 and standard deviation 1. For a file it is "columns"
        for .npz and .csv, because the columns of a table may be in different units and the largest would drown the
        others; and "standardize" for series (.txt, .tsv, .ts), whose columns are one quantity at different times, so
        that columns by themselves would change the shape of every series.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        In one line: an unknown source, a file that is missing, unreadable, truncated or of another format, numbers of
        rows, columns or labels that do not agree, NaN or infinite values, one class, labels that only the test set
        has, `test` or `folder` where they mean nothing.

    Notes
    -----
    MNIST takes about a second, and is held as bytes and as float32 while it is scaled.
    """
    from chaosnum import preprocess

    if labels not in (None, "all"):
        raise ValueError(f"labels must be None or 'all', got {labels!r}")
    if scaling is not None:
        check.one_of("scaling", scaling, preprocess.SCALINGS)
    if test is not None:
        check.in_range("test", test, 0.0, 1.0, open_high=True)
    check.seed(seed)
    name, found, standard = _found(source, folder)
    (X, y), words = found.train, []
    for part, inputs, marks in (("y", X, y), *((("y_test", *found.test),) if found.test else ())):
        if marks.ndim != 1 or inputs.ndim != 2 or len(inputs) != len(marks):
            raise ValueError(
                f"{part} must have one label for each row of inputs, got shapes {marks.shape} and {inputs.shape}"
            )
    classes, numbers, test_numbers = preprocess.class_numbers(y, found.test and found.test[1])
    if name == "ecg5000":
        classes, numbers, test_numbers, how = _heartbeats(classes, numbers, test_numbers, labels)
        words.append(how)
    if test is not None and (found.test or name == "digits"):
        raise ValueError(
            f"test must be left out where the data have a test set of their own, got {test!r} for {name!r}"
        )
    if found.test is None:
        seed = 1 if name == "digits" else int(seed)  # the digits' split is fixed
        chosen = preprocess.split(numbers, SHARE if test is None else test, seed)
        X, others, numbers, test_numbers = X[~chosen], X[chosen], numbers[~chosen], numbers[chosen]
        words.append(
            f"split by class into {len(X)} + {len(others)} rows, the smallest SplitMix64 keys of seed {seed} to test"
        )
    else:
        others = found.test[0]
        words.append(f"the data's own test set, {len(X)} + {len(others)} rows{_missing(name, len(X), len(others))}")
    X_train, X_test, how = preprocess.scaled(X, others, scaling or standard)
    if name == "ecg5000" and (scaling or standard) == "none":
        how += _normalised(X_train, X_test)
    words.append(f"scaling {scaling or standard}: {how}")
    return Dataset(name, X_train, numbers, X_test, test_numbers, classes, "; ".join(words), found.files)


def _found(source, folder):
    """What a source holds -> its name, datafiles.Found, the name of its standard scaling."""
    from chaosnum import datafiles, datafolder, idxfiles

    if not isinstance(source, (str, Path)) or not source:
        raise ValueError(f"data {_kinds()}, got {source!r}")
    name, path = str(source), Path(source)
    if folder is not None and (name not in datafolder.NAMES or not isinstance(folder, (str, Path)) or not str(folder)):
        raise ValueError(f"folder must be a path, for {' and '.join(datafolder.NAMES)} alone, got {str(folder)!r}")
    if name == "digits":
        X, y = _images()
        return name, datafiles.Found((X, y), None, ()), "unit"
    if name not in datafolder.NAMES and os.path.isdir(path):
        held, folder = datafolder.held(path), path
        if len(held) != 1:
            what = f"{' and '.join(held)}: name one of them and give the folder with --data-dir" if held else "none"
            raise ValueError(f"data {name!r} must be a folder that holds mnist or ecg5000, got {what}")
        name = held[0]
    if name == "mnist":
        return name, idxfiles.read(*datafolder.find(name, folder)), "standardize"
    if name == "ecg5000":
        files = [datafiles.read(file) for file in datafolder.find(name, folder)]
        return name, files[0] if len(files) == 1 else _joined(*files), "none"
    if path.suffix.lower() not in datafiles.FORMATS:
        raise ValueError(f"data {_kinds()}, got {name!r}")
    found = datafiles.read(path, source=name)
    beside = path.with_name(path.stem.removesuffix("_TRAIN") + "_TEST" + path.suffix)
    if found.test is None and path.stem.endswith("_TRAIN") and os.path.isfile(beside):
        found = _joined(found, datafiles.read(beside))
    return path.name, found, "columns" if path.suffix.lower() in (".npz", ".csv") else "standardize"


def _joined(found, other):
    """What a training file and a test file hold -> Found."""
    return replace(found, test=other.train, files=found.files + other.files)


def _kinds():
    from chaosnum.datafiles import FORMATS

    return f"must be digits, mnist, ecg5000, a folder that holds one of them, or a file ending in {', '.join(FORMATS)}"


def _heartbeats(classes, numbers, test_numbers, labels):
    """ECG5000's two classes, or its five -> classes, class numbers, class numbers of the test set, words."""
    if not {"1"} < set(classes) <= set("12345"):
        raise ValueError(f"ecg5000 must have the class 1 and others of 1, 2, 3, 4, 5, got {', '.join(classes[:6])}")
    if labels == "all":
        return classes, numbers, test_numbers, f"{len(classes)} classes of heartbeats as published"
    rest = [numbers != 0, None if test_numbers is None else test_numbers != 0]  # class 1 is the first in order
    rest = [None if part is None else part.astype(np.int64) for part in rest]
    return ("normal", "rest"), *rest, "two classes: normal (label 1) against the rest (labels 2 to 5)"


def _missing(name, m, k):
    """Words where a set has not the rows that were published."""
    if name not in PUBLISHED or (m, k) == PUBLISHED[name]:
        return ""
    return " where {} + {} were published".format(*PUBLISHED[name])


def _normalised(*parts):
    """What the series' own means and standard deviations are, measured -> words."""
    doubles = [part.astype(np.float64) for part in parts]
    mean = max(float(abs(part.mean(axis=1)).max()) for part in doubles)
    spread = max(float(abs(part.std(axis=1, ddof=min(1, part.shape[1] - 1)) - 1.0).max()) for part in doubles)
    return f"; every series has its mean within {mean:.0e} of 0 and its standard deviation within {spread:.0e} of 1"
