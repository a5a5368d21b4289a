"""Populations that the claims S6 are checked on, by name: synthetic rows, random mixtures, and real data.

A source is a function of a claim's parameters that returns a :class:`chaosnum.least_squares_populations.Population`;
what it does not need it ignores. The same few are asked for by every cell, so they are kept.

Real data as population: rows are drawn with replacement from the data set, so its own moments are the truth, and the
model is misspecified in earnest. diabetes: 10 columns of unit variance, the standardised target. digits: the first 16
principal components of the pixels, not scaled to unit variance, against "is it a 3" (centred).
"""

from dataclasses import dataclass
from functools import lru_cache

import chaosnum as cn

COMPONENTS, DIGIT = 16, 3
NOISY, CLEAN = 0.1, 0.9  # shares of the two kinds of rows in `noisy_axis`


def _populations():
    return cn.least_squares_populations


@lru_cache(maxsize=64)
def _gaussian(dim, power):
    import numpy as np

    return _populations().gaussian(np.arange(1.0, int(dim) + 1.0) ** -power)


def isotropic(dim, **params):
    """Gaussian rows with H = I and noise 1."""
    return _gaussian(dim, 0.0)


def harmonic(dim, **params):
    """Gaussian rows with eigenvalues 1, 1/2, ..., 1/d and noise 1."""
    return _gaussian(dim, 1.0)


@lru_cache(maxsize=64)
def noisy_axis(dim, **params):
    """A tenth of the rows lie on the first axis and carry all the noise; the others are N(0, diag(i^-2)), noiseless.

    Runs start at w*. Sigma is a multiple of e_1 e_1^T, so rho = d: it cannot be larger.
    """
    import numpy as np

    axis = np.zeros(int(dim))
    axis[0] = 1.0
    plain = np.arange(1.0, int(dim) + 1.0) ** -2.0
    return _populations().mixture([NOISY, CLEAN], [axis, plain], [1.0, 0.0], start=np.zeros(int(dim)))


@lru_cache(maxsize=64)
def even_noise(dim, **params):
    """Gaussian rows with the H and the sigma2_mle of `noisy_axis`: well specified."""
    import numpy as np

    odd = noisy_axis(dim)
    return _populations().gaussian(odd.eigenvalues, 2.0 * odd.sigma2_mle / odd.d, start=np.zeros(odd.d))


def random_mixture(seed, dim, **params):
    """Two to four kinds of Gaussian rows, spectra over three decades, a noise each, and a random start."""
    import numpy as np

    rng, d = np.random.default_rng(seed), int(dim)
    kinds = rng.integers(2, 5)
    shares = rng.dirichlet(np.ones(kinds))
    variances = 10.0 ** rng.uniform(-3.0, 0.0, (kinds, d))
    noises = 10.0 ** rng.uniform(-2.0, 1.0, kinds)
    start = rng.standard_normal(d) * 10.0 ** rng.uniform(-1.0, 1.0)
    return _populations().mixture(shares / shares.sum(), variances, noises, start)


def skewed(**params):
    """300 rows of three centred exponential columns, y the sum of their squares: the residual depends on the row."""
    return _data("skewed")


def diabetes(**params):
    """The diabetes data set as a population."""
    return _data("diabetes")


def digits(**params):
    """The digits' first 16 principal components as a population."""
    return _data("digits")


@lru_cache(maxsize=3)
def _data(name):
    import numpy as np

    if name == "diabetes":
        return _populations().finite(*cn.bundled.diabetes(), name=name)
    if name == "digits":
        return _populations().finite(*digit_rows(), name=name)
    x = np.random.default_rng(11).exponential(size=(300, 3))
    x -= x.mean(axis=0)
    y = (x**2).sum(axis=1)
    return _populations().finite(x, y - y.mean(), start=np.full(3, 6.0), name=name)


@lru_cache(maxsize=1)
def digit_rows():
    """Principal components (1797, 16), and whether it is a 3, centred (1797,)."""
    import numpy as np

    pixels, labels = cn.bundled.digits()
    left, size, _ = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    y = (labels == DIGIT).astype(np.float64)
    return left[:, :COMPONENTS] * size[:COMPONENTS], y - y.mean()


@dataclass(frozen=True, eq=False)
class Own:
    """A population of the user's as a source."""

    population: object

    def __call__(self, **params):
        return self.population
