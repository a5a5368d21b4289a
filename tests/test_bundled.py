"""bundled.py: the real data sets in the scaling that is promised."""

import numpy as np
import pytest

from chaosnum import bundled


@pytest.mark.parametrize("load, shape", [(bundled.diabetes, (442, 10)), (bundled.breast_cancer, (569, 30))])
def test_columns_are_standardised(load, shape):
    X, y = load()
    assert X.shape == shape and y.shape == shape[:1] and X.dtype == y.dtype == np.float64
    assert np.abs(X.mean(axis=0)).max() < 1e-12 and np.abs(X.var(axis=0) - 1).max() < 1e-12
    assert np.linalg.matrix_rank(X) == shape[1]
    assert load()[0] is X  # loaded once
    with pytest.raises(ValueError, match="read-only"):
        X[0, 0] = 1.0


def test_targets():
    y = bundled.diabetes()[1]
    assert abs(y.mean()) < 1e-12 and y.var() == pytest.approx(1)
    labels = bundled.breast_cancer()[1]
    assert (np.sum(labels == 1), np.sum(labels == -1)) == (357, 212)  # benign, malignant


def test_digits():
    X, y = bundled.digits()
    assert X.shape == (1797, 64) and X.min() == 0 and X.max() == 1 and y.dtype == np.int64
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize("k", [1, 16, 61])
def test_whitened_components_are_the_principal_ones(k):
    Z = bundled.digits_whitened(float(k))
    assert np.allclose(Z.T @ Z / len(Z), np.eye(k), atol=1e-12) and np.abs(Z.mean(axis=0)).max() < 1e-12
    X = bundled.digits()[0] - bundled.digits()[0].mean(axis=0)
    explained = np.sum((X - Z @ (Z.T @ X) / len(Z)) ** 2)
    assert explained == pytest.approx(len(X) * np.linalg.eigvalsh(X.T @ X / len(X))[: 64 - k].sum(), rel=1e-9)


@pytest.mark.parametrize("k", [0, 62, 1.5])
def test_components_that_are_not_there(k):
    with pytest.raises(ValueError, match=r"^k must be a whole number in \[1, 61\], got"):
        bundled.digits_whitened(k)
