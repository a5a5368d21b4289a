"""Real data that comes with scikit-learn, ready for the theories of SGD beside heavy tails.

Nothing is downloaded. Three sets, each in the scaling that the theories use:

* *diabetes*: 442 patients, 10 measurements, a measure of progression a year later (Efron, Hastie, Johnstone,
  Tibshirani, Ann. Statist. 32 (2004)). scikit-learn divides each column by its norm; here each has variance 1, or
  the Hessian would be 1/442 of what one expects.
* *breast_cancer*: 569 tumours, 30 measurements, benign (+1) or malignant (-1) (Wolberg, Mangasarian, Street 1995).
* *digits*: 1,797 images of 8 x 8 pixels, grey levels in [0, 1], ten classes (Alpaydin, Kaynak 1998).

Variances divide by the number of rows. The arrays are shared and read-only.
"""

from functools import lru_cache

import numpy as np

from chaosnum.check import whole


@lru_cache(maxsize=1)
def diabetes():
    """Standardised measurements and target -> ndarrays, float64, shapes (442, 10) and (442,)."""
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return _frozen(_standardised(X), _standardised(y))


@lru_cache(maxsize=1)
def breast_cancer():
    """Standardised measurements, and +1 (benign) or -1 -> ndarrays, float64, shapes (569, 30) and (569,)."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return _frozen(_standardised(X), 2.0 * y - 1.0)


@lru_cache(maxsize=1)
def digits():
    """Grey levels in [0, 1] and digits -> ndarrays, float64 (1797, 64) and int64 (1797,)."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _frozen(X / 16.0, y.astype(np.int64))


@lru_cache(maxsize=8)
def digits_whitened(k):
    """The first k principal components of the digits, each with mean 0 and variance 1 -> ndarray, float64 (1797, k).

    Raises
    ------
    ValueError
        k is not in 1..61: three of the 64 pixels are never set.
    """
    k = whole("k", k, 1, 61)
    X = digits()[0]
    left, _, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    left = left[:, :k]
    return _frozen(left * np.sign(left[0]) * np.sqrt(len(X)))[0]  # a singular vector's sign is nobody's choice


def _standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _frozen(*arrays):
    for array in arrays:
        array.flags.writeable = False
    return arrays
