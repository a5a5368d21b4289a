"""Populations of least squares, as the few moments that the second moment of SGD's error depends on.

Definition. Rows x in R^d and targets y; H = E x x^T, w* the least-squares solution, e = y - <w*, x> the residual, which
is uncorrelated with x (E e x = 0) but in general not independent of it: then the model is *misspecified*. All of it is
in the coordinates of H's eigenvectors, so that H = diag(eigenvalues). Beside H the theory needs

    Sigma = E e^2 x x^T            noise of the gradient at w*
    M(C)  = E x x^T C x x^T        a linear map of symmetric matrices, from the fourth moments of x
    T(m)  = E e <x, m> x x^T       zero for a symmetric law of x or for a residual independent of x, but not for data.

Coordinates. A symmetric matrix C is the vector of its entries C_ij, i <= j, those off the diagonal times sqrt(2): then
the inner product of vectors is Tr CD, and f(x) = vec(x x^T) gives C's quadratic form x^T C x = <f(x), vec C>. So
M = E f f^T, Sigma = E e^2 f, T = E e f x^T: for data, three matrix products. M is symmetric.

Where the law of x does not change when any single coordinate changes its sign (Gaussian rows and their mixtures, in
H's eigenvectors), M maps diagonal matrices to diagonal ones and the risk depends on the diagonal only: d numbers in
place of d(d+1)/2. The largest eigenvalue of the step's map is attained on the diagonal too: the map preserves positive
matrices, so a positive eigenvector C belongs to it (Krein and Rutman), and the average of SCS over all sign changes S
is again one, and diagonal.

Three populations: Gaussian rows with independent noise (well specified); mixtures of Gaussian rows with a noise each
(misspecified: large residuals go with large rows); and the empirical distribution of a data set, rows drawn with
replacement, which is misspecified in earnest.

What goes wrong: a data set whose columns are dependent has no smallest eigenvalue to speak of, and SGD never ends
there; rows drawn *without* replacement, several times through the set, are not this population.

References: Jain, Kakade, Kidambi, Netrapalli, Sidford, J. Mach. Learn. Res. 18 (2018) no. 223, arXiv 1610.03774,
section 2; the coordinates are derived here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, positive

SMALLEST, LARGEST = 1e-30, 1e30  # of data: fourth moments and their products stay within double precision
LARGEST_DIM = 40  # of a data set: the map of symmetric matrices has (d (d + 1) / 2)^2 entries
DEPENDENT = 1e-10  # smallest over largest eigenvalue at which columns count as dependent


@dataclass(frozen=True, eq=False)
class Population:
    """The moments of (x, e) in H's eigenvectors, and a way to draw from it.

    Attributes
    ----------
    eigenvalues : ndarray, float64, shape (d,), positive
        Of H.
    pairs : tuple of two ndarrays, int, shape (D,)
        The entries i <= j of the coordinates: all D = d(d+1)/2 of them, or the diagonal alone, D = d.
    fourth : ndarray, float64, shape (D, D)
        The map M.
    noise : ndarray, float64, shape (D,)
        Sigma.
    third : ndarray, float64, shape (D, d), or None where it is zero
        The map T.
    sample : callable (rng, shape) -> x, e
        Draws, of shapes (*shape, d) and (*shape).
    start : ndarray, float64, shape (d,)
        The error w_0 - w* that runs start from.
    """

    eigenvalues: np.ndarray
    pairs: tuple
    fourth: np.ndarray
    noise: np.ndarray
    third: np.ndarray | None
    sample: Callable
    start: np.ndarray
    name: str = "population"
    rows: tuple | None = None  # of data: x (rows, d) and e (rows,)
    kinds: tuple | None = None  # of mixtures: shares (k,), variances (k, d), noises (k,)
    largest: float = field(init=False)  # ||H||
    mu: float = field(init=False)  # the smallest eigenvalue
    R2: float = field(init=False)  # the least R^2 with E ||x||^2 x x^T <= R^2 H
    rho: float = field(init=False)  # misspecification, 1 if Sigma is a multiple of H
    sigma2_mle: float = field(init=False)  # Tr(H^-1 Sigma) / 2, the risk of the best estimate times n

    def __post_init__(self):
        lam, (i, j) = self.eigenvalues, self.pairs
        size = self.matrix(self.fourth @ self.vector(np.eye(len(lam)))) / np.sqrt(np.outer(lam, lam))
        share = self.matrix(self.noise / (lam[i] + lam[j]))
        for name, value in (
            ("largest", lam.max()), ("mu", lam.min()), ("R2", np.linalg.eigvalsh(size)[-1]),
            ("rho", len(lam) * np.linalg.eigvalsh(share)[-1] / np.trace(share)), ("sigma2_mle", np.trace(share)),
        ):  # fmt: skip
            object.__setattr__(self, name, float(value))

    @property
    def d(self):
        """Number of columns."""
        return len(self.eigenvalues)

    @property
    def initial_risk(self):
        """L(w_0) - L(w*)."""
        return 0.5 * float(self.eigenvalues @ self.start**2)

    def vector(self, C):
        """A symmetric matrix, or its diagonal where that is enough -> its coordinates, shape (D,)."""
        i, j = self.pairs
        return np.where(i == j, 1.0, np.sqrt(2.0)) * C[i, j]

    def matrix(self, c):
        """Coordinates, shape (D,) -> the symmetric matrix, shape (d, d)."""
        (i, j), C = self.pairs, np.zeros((self.d, self.d))
        C[i, j] = c / np.where(i == j, 1.0, np.sqrt(2.0))
        C[j, i] = C[i, j]
        return C

    def diagonal(self, c):
        """Coordinates, shape (D,) or (D, k) -> the diagonal, shape (d,) or (d, k)."""
        i, j = self.pairs
        return c[i == j]


def gaussian(eigenvalues, noise=1.0, start=None):
    """Rows N(0, diag(eigenvalues)) and independent residuals N(0, noise): well specified, rho = 1.

    Parameters
    ----------
    eigenvalues : array_like, float64, shape (d,), positive
    noise : float, variance of the residuals
    start : array_like, float64, shape (d,), optional
        w_0 - w*, by default 1 in every eigenvector.

    Returns
    -------
    Population
    """
    lam = finite_array("eigenvalues", eigenvalues, ndim=1)
    if not len(lam) or not (lam > 0).all():
        raise ValueError(f"eigenvalues must be positive, one at least, got least {min(lam, default=0.0):g}")
    return mixture([1.0], [lam], [positive("noise", noise)], start, name="gaussian")


@one_thread()
def mixture(shares, variances, noises, start=None, name="mixture"):
    """With probability shares[k]: a row N(0, diag(variances[k])) and a residual N(0, noises[k]).

    Parameters
    ----------
    shares : array_like, float64, shape (k,), positive, of sum 1
    variances : array_like, float64, shape (k, d), >= 0
        Every column needs one that is positive.
    noises : array_like, float64, shape (k,), >= 0, not all 0
    start : array_like, float64, shape (d,), optional

    Returns
    -------
    Population

    Raises
    ------
    ValueError
        Shapes that do not match, probabilities that do not add up to 1, columns without variance or with less than
        DEPENDENT of the largest, no noise, or magnitudes that fourth moments could not keep.
    """
    shares, noises = finite_array("shares", shares, ndim=1), finite_array("noises", noises, ndim=1)
    variances = finite_array("variances", variances, ndim=2)
    if len(noises) != len(shares) or len(variances) != len(shares):
        counts = f"{len(shares)}, {len(variances)}, {len(noises)}"
        raise ValueError(f"shares, variances and noises must be as many, got {counts}")
    if not (shares > 0).all() or abs(shares.sum() - 1.0) > 1e-12:
        raise ValueError(f"shares must be positive with sum 1, got {shares.tolist()}")
    for values, what in ((variances, "variances"), (noises, "noises")):
        if (values < 0).any() or not values.any():
            raise ValueError(f"{what} must be >= 0, not all 0, got least {values.min(initial=0.0):g}")
        _moderate(what, values, 2)
    lam = shares @ variances
    if not lam.min() > DEPENDENT * lam.max():
        ends = f"{lam.min():.3g} beside {lam.max():.3g}"
        raise ValueError(f"variances must have means > {DEPENDENT:g} of the largest in every column, got {ends}")
    deviation, level, bounds = np.sqrt(variances), np.sqrt(noises), np.cumsum(shares)[:-1]

    def sample(rng, shape):
        x, e = rng.standard_normal((*shape, len(lam))), rng.standard_normal(shape)
        if len(shares) == 1:
            return np.multiply(x, deviation[0], out=x), np.multiply(e, level[0], out=e)
        part = np.searchsorted(bounds, rng.random(shape), side="right")
        return np.multiply(x, deviation[part], out=x), np.multiply(e, level[part], out=e)

    # E x_i^2 x_j^2 within a component: v_i v_j, and three times v_i^2 on the diagonal
    fourth = np.einsum("k,ki,kj->ij", shares, variances, variances) + 2.0 * np.diag(shares @ variances**2)
    axis = np.arange(len(lam))
    return Population(
        lam, (axis, axis), fourth, (shares * noises) @ variances, None, sample, _start(start, lam), name,
        kinds=(shares, variances, noises),
    )  # fmt: skip


@one_thread()
def finite(X, y, start=None, name="data"):
    """The empirical distribution of a data set: rows drawn with replacement.

    Parameters
    ----------
    X : array_like, float64, shape (rows, d)
        Taken as it is: centre or scale it first, and add a column of ones where an intercept is wanted.
    y : array_like, float64, shape (rows,)
    start : array_like, float64, shape (d,), optional
        w_0 in the columns' own coordinates, by default 0.

    Returns
    -------
    Population

    Raises
    ------
    ValueError
        NaN, wrong shapes, no more rows than columns, more than LARGEST_DIM columns, dependent columns, residuals that
        are all zero, or magnitudes beyond SMALLEST and LARGEST.
    """
    X, y = finite_array("X", X, ndim=2), finite_array("y", y, ndim=1)
    rows, d = X.shape
    if len(y) != rows:
        raise ValueError(f"y must have one value for each of the {rows} rows of X, got {len(y)}")
    if not 1 <= d <= LARGEST_DIM:
        raise ValueError(f"X must have 1 to {LARGEST_DIM} columns, got {d}")
    if rows <= d:
        raise ValueError(f"X must have more rows than its {d} columns, got {rows}")
    _moderate("X", X)
    _moderate("y", y)
    lam, vectors = np.linalg.eigh(X.T @ X / rows)
    if not lam[0] > DEPENDENT * lam[-1]:
        raise ValueError(
            f"X must have independent columns, got smallest eigenvalue {lam[0]:.3g} beside largest {lam[-1]:.3g}"
        )
    x = X @ vectors
    solution = x.T @ y / rows / lam
    e = y - x @ solution
    if not np.abs(e).max() > 1e-9 * np.abs(y).max():
        raise ValueError(f"y must not be linear in X, or there is no noise, got residuals up to {np.abs(e).max():.3g}")
    first = np.zeros(d) if start is None else finite_array("start", start, ndim=1)
    if len(first) != d:
        raise ValueError(f"start must have {d} values, got {len(first)}")
    _moderate("start", first, low=0.0)
    i, j = np.triu_indices(d)
    f = np.where(i == j, 1.0, np.sqrt(2.0)) * x[:, i] * x[:, j]

    def sample(rng, shape):
        row = rng.integers(rows, size=shape)
        return x[row], e[row]

    fourth, noise, third = f.T @ f / rows, e**2 @ f / rows, (f * e[:, None]).T @ x / rows
    return Population(lam, (i, j), fourth, noise, third, sample, vectors.T @ first - solution, name, (x, e))


def _start(start, lam):
    if start is None:
        return np.ones(len(lam))
    start = finite_array("start", start, ndim=1)
    if len(start) != len(lam):
        raise ValueError(f"start must have {len(lam)} values, got {len(start)}")
    _moderate("start", start, low=0.0)
    return start


def _moderate(name, x, power=1, low=SMALLEST):
    """Refuses what is not 0 throughout and has its largest magnitude outside the range, to a power."""
    top = float(np.abs(x).max(initial=0.0))
    if top and not low**power <= top <= LARGEST**power:
        ends = f"[{low**power:g}, {LARGEST**power:g}]"
        raise ValueError(f"{name} must have its largest magnitude in {ends}, got {top:.3g}: take other units")
