"""Wasserstein distances in many dimensions: sliced, for any number of points, and exact, for a few thousand.

A sample is an array of shape (d, n): a column is a point, as everywhere in this package. |x - y| is Euclidean.

* Sliced (Rabin, Peyre, Delon, Bernot 2011): SW_p = (E W_p^p(<theta, X>, <theta, Y>))^(1/p), theta uniform on the unit
  sphere. An average over random directions, so it has a Monte Carlo error, which `error=True` reports. It is a metric,
  never larger than W_p, but smaller by a factor that grows with d.
* Exact: the linear programme min sum_ij plan_ij |x_i - y_j|^p. For samples of equal size without weights it is an
  assignment problem, for which SciPy's solver (Crouse 2016) needs the cost matrix and nothing more; otherwise the
  network simplex of POT (Bonneel et al. 2011; Flamary et al. 2021) takes four times that memory, and 3 seconds to
  import. Neither is faster throughout: at n = 3000 SciPy's takes twice POT's time in d = 2 and 0.7 of it in d = 10.

What goes wrong: the distance of two samples of one law does not tend to 0 faster than n^(-1/d), and with tail index
alpha not faster than n^-(1-1/alpha), so a few thousand points say little in high dimension or with heavy tails. And a
network simplex that stops at its limit of iterations still returns a number: here that is an error.

References: J. Rabin, G. Peyre, J. Delon, M. Bernot, SSVM 2011; D. F. Crouse, IEEE Trans. Aerosp. Electron. Syst. 52
(2016); N. Bonneel et al., ACM Trans. Graph. 30 (2011); R. Flamary et al., JMLR 22 (2021) 1-8 (POT).
"""

import math
import os
import sys
import warnings

import numpy as np

from chaosnum import check, stable
from chaosnum.buckets import FEWEST, w1_by_buckets
from chaosnum.jit import fma, kernel
from chaosnum.threads import count, over_blocks
from chaosnum.transport import between, masses, order, ordered, sample, warn_if_infinite, weighted

_BLOCK = 512  # points that are projected together: they stay in the first caches
_AT_ONCE = 2**19  # projected coordinates that are held together, 4 MB
_ITERATIONS = 10**9
_BACKENDS = {"PYTORCH": "torch", "JAX": "jax", "CUPY": "cupy", "TENSORFLOW": "tensorflow"}


@kernel
def _project(directions, X, out):
    """out[l] = directions[l] @ X, block by block of points: BLAS is slower for small d, and its bits may vary."""
    d, n = X.shape
    for start in range(0, n, _BLOCK):
        m = min(_BLOCK, n - start)
        for l in range(directions.shape[0]):
            row = out[l, start : start + m]
            theta, x = directions[l, 0], X[0, start : start + m]
            for j in range(m):
                row[j] = theta * x[j]
            for c in range(1, d):
                theta, x = directions[l, c], X[c, start : start + m]
                for j in range(m):
                    row[j] = fma(theta, x[j], row[j])


def sliced(X, Y, p=1, *, n_projections=100, seed=0, alpha=None, error=False, threads=1):
    """Sliced W_p between two samples in R^d.

    Parameters
    ----------
    X, Y : array_like, shapes (d, n) and (d, m)
        The samples, a column a point; n and m may differ.
    p : float, default 1
        Order of the distance, in [1, inf).
    n_projections : int, default 100
        Random directions. More of them begin with the same ones.
    seed : int, default 0
        0 <= seed < 2^64. Equal seeds give equal directions.
    alpha : float, optional
        Tail index of the laws, where known: p >= alpha warns.
    error : bool, default False
        Also return the standard error over the directions, given the samples.
    threads : int or None, default 1
        Threads to use, None for all cores; the result does not depend on it.

    Returns
    -------
    float, or (float, float) with `error`
        The distance, and its standard error (NaN for a single direction).

    Raises
    ------
    ValueError
        A sample that is empty, not finite or not two-dimensional, unequal dimensions d; p outside [1, inf);
        n_projections below 1; a seed out of range; alpha not positive.

    Warns
    -----
    UserWarning
        p >= alpha: the distance of the laws is infinite.

    Notes
    -----
    O(n_projections n (d + log n)), and without the logarithm for p = 1 and large samples; memory for 2^19 projected
    coordinates of each sample, or one projection.
    """
    p, threads = order(p, finite=True), count(threads)
    warn_if_infinite(p, alpha)
    X, Y = (np.ascontiguousarray(Z) for Z in _points(X, Y))
    directions = uniform_directions(len(X), check.whole("n_projections", n_projections, 1), seed)
    found = np.empty(len(directions))
    width = max(1, _AT_ONCE // max(X.shape[1], Y.shape[1]))
    blocks = -(-len(directions) // width)

    def project(start, stop):
        for block in range(start, stop):
            part = slice(block * width, (block + 1) * width)
            rows = tuple(np.empty((len(directions[part]), Z.shape[1])) for Z in (X, Y))
            for Z, out in zip((X, Y), rows):
                _project(directions[part], Z, out)
            found[part] = [_on_a_line(a, b, p) for a, b in zip(*rows)]

    over_blocks(project, blocks, threads, least=1)
    largest = found.max()
    if largest == 0.0:
        return (0.0, 0.0) if error else 0.0
    powers = (found / largest) ** p
    mean = powers.mean()
    distance = float(largest * mean ** (1.0 / p))
    if not error:
        return distance
    spread = powers.std(ddof=1) / math.sqrt(powers.size) if powers.size > 1 else math.nan
    return distance, float(distance * spread / (p * mean))


def _on_a_line(a, b, p):
    """W_p between projections, which may be sorted in place."""
    distance = w1_by_buckets(a, b) if p == 1.0 and min(a.size, b.size) >= FEWEST else None
    if distance is not None:
        return distance
    a.sort()
    b.sort()
    return between(a, b, None, None, p)


def _points(X, Y):
    """Two samples in R^d as float64 arrays of shape (d, n)."""
    X, Y = (check.finite_array(name, sample(name, Z, ndim=2)) for name, Z in (("X", X), ("Y", Y)))
    if len(X) != len(Y):
        raise ValueError(f"X and Y must have equally many rows (a column is a point), got {X.shape} and {Y.shape}")
    return X, Y


def uniform_directions(d, n_projections, seed):
    """Uniform directions from Gaussian vectors -> (n_projections, d)."""
    g = stable.rvs(2.0, (n_projections, d), seed=seed)
    return g / np.linalg.norm(g, axis=1, keepdims=True)


def exact(X, Y, p=1, *, x_weights=None, y_weights=None, alpha=None, limit=25_000_000):
    """Exact W_p between two samples in R^d, Euclidean distances.

    Parameters
    ----------
    X, Y : array_like, shapes (d, n) and (d, m)
        The samples, a column a point; n and m may differ.
    p : float, default 1
        Order of the distance, in [1, inf).
    x_weights, y_weights : array_like, shapes (n,) and (m,), optional
        Weights of the points, zero or more; only their ratios matter.
    alpha : float, optional
        Tail index of the laws, where known: p >= alpha warns.
    limit : int, default 25e6
        The most pairs of points, n m, that are worked on. 5000 points against 5000 take 200 MB (with weights 0.8 GB)
        and some 7 s; memory grows like n m, the time about like (n m)^1.3.

    Returns
    -------
    float
        Exact up to rounding, about 1e-14 relatively.

    Raises
    ------
    ValueError
        n m beyond the limit; samples and weights as for `sliced` and `wasserstein.wp`.
    RuntimeError
        The solver has not converged.

    Warns
    -----
    UserWarning
        p >= alpha: the distance of the laws is infinite.

    Notes
    -----
    In one dimension it is `wasserstein.wp`, without a limit.
    """
    p = order(p, finite=True)
    warn_if_infinite(p, alpha)
    X, Y = _points(X, Y)
    if len(X) == 1:
        sides = (("X", X[0], x_weights), ("Y", Y[0], y_weights))
        (a, a_mass), (b, b_mass) = ((ordered(n, z), None) if w is None else weighted(n, z, w) for n, z, w in sides)
        return between(a, b, a_mass, b_mass, p)
    limit = check.whole("limit", limit, 1)
    pairs = X.shape[1] * Y.shape[1]
    if pairs > limit:
        raise ValueError(f"X and Y must have at most limit = {limit:,} pairs of points, got {pairs:,}")
    plain = x_weights is None and y_weights is None and X.shape == Y.shape
    X, a = _weighted_columns("x_weights", X, x_weights)
    Y, b = _weighted_columns("y_weights", Y, y_weights)
    cost, unit = _costs(X, Y, p)
    if unit == 0.0:
        return 0.0
    return unit * (_assignment(cost) if plain else _network_simplex(a, b, cost)) ** (1.0 / p)


def _weighted_columns(name, X, weights):
    """The points that have mass, and their masses, which sum to 1."""
    if weights is None:
        return X, np.full(X.shape[1], 1.0 / X.shape[1])
    weights = masses(name, weights, X.shape[1])
    some = weights > 0
    return X[:, some], weights[some] / weights.sum()


def _costs(X, Y, p):
    """(|x_i - y_j| / unit)^p, shape (n, m), and the unit: the largest distance."""
    from scipy.spatial.distance import cdist

    scale = max(np.abs(X).max(), np.abs(Y).max())
    if scale == 0.0:
        return None, 0.0
    scale = math.ldexp(1.0, math.frexp(scale)[1] - 1)  # a power of two: nothing is rounded, and no square overflows
    cost = cdist(X.T / scale, Y.T / scale)
    largest = cost.max()
    if largest == 0.0:
        return None, 0.0
    cost /= largest
    if p != 1.0:
        np.power(cost, p, out=cost)
    return cost, float(scale * largest)


def _assignment(cost):
    """The least mean of cost[i, s(i)] over permutations s."""
    from scipy.optimize import linear_sum_assignment

    return float(cost[linear_sum_assignment(cost)].mean())


def _network_simplex(a, b, cost):
    """The least cost of moving the masses a to the masses b."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where we raise
        value, log = pot().emd2(a, b, cost, numItermax=_ITERATIONS, log=True, center_dual=False)
    if log["warning"] is not None:
        raise RuntimeError(f"the optimal transport problem was not solved: {log['warning']}")
    return float(value)


def pot():
    """POT, without the array libraries it would import: that takes seconds, and nothing here needs them.

    Whoever wants POT's other back ends in the same process imports them, or POT itself, first.
    """
    if "ot" not in sys.modules:
        names = [f"POT_BACKEND_DISABLE_{name}" for name, library in _BACKENDS.items() if library not in sys.modules]
        names = [name for name in names if name not in os.environ]
        os.environ.update(dict.fromkeys(names, "1"))
        try:
            import ot  # noqa: F401
        finally:
            for name in names:
                del os.environ[name]
    return sys.modules["ot"]
