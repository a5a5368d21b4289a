"""Wasserstein distances: between samples on the line (here), to a law, sliced, and exact in many dimensions.

For laws mu, nu on the line with distribution functions F, G, and p >= 1,

    W_p(mu, nu) = ( int_0^1 |F^-1(u) - G^-1(u)|^p du )^(1/p),      W_1(mu, nu) = int |F(x) - G(x)| dx,

and W_inf is the largest |F^-1 - G^-1|. Every function returns the distance, never its p-th power.

Between samples the quantile functions F^-1 are step functions. Equal sizes: two sorts, which are NumPy's and take
nearly all of the time, and one pass. Unequal sizes or weights: one walk along both (``transport.py``), exact, in
O(n log n). W_1 of large samples needs no sort, only counts (``buckets.py``): O(n), and no less exact. To a law, the
tails beyond the extreme points included: ``wasserstein_law.py``. In R^d: ``wasserstein_space.py``, where a column is a
point.

What goes wrong: with tail index alpha the distance of the laws is infinite for p >= alpha; that of samples, which is
always finite, then grows with their size for ever. Say `alpha=` to be warned. And even for p = 1 < alpha < 2 the
distance of a sample to its law has infinite variance: compare many of them by medians, not by means.

References: C. Villani, Topics in Optimal Transportation, AMS 2003, Theorem 2.18 and Remark 2.19; S. Bobkov,
M. Ledoux, Memoirs AMS 1259 (2019), sections 2 and 3.
"""

import numpy as np

from chaosnum.buckets import FEWEST, w1_by_buckets
from chaosnum.threads import count, over_blocks
from chaosnum.transport import between, order, ordered, sample, warn_if_infinite, weighted
from chaosnum.wasserstein_law import w1_to_cdf, wp_to_ppf
from chaosnum.wasserstein_space import exact, sliced

__all__ = ["exact", "sliced", "w1", "w1_to_cdf", "wp", "wp_to_ppf"]

_HUGE, _SMALLER = 2.0**900, 2.0**-200  # points beyond _HUGE are made smaller first, lest their sums overflow
_FEWEST = 50_000  # points whose sort is worth a thread of its own


def w1(x, y, *, x_weights=None, y_weights=None, alpha=None, threads=1):
    """W_1 between two samples on the line: `wp` with p = 1.

    Parameters
    ----------
    x, y : array_like, shapes (n,) and (m,)
        The samples; n and m may differ.
    x_weights, y_weights : array_like, shapes (n,) and (m,), optional
    alpha : float, optional
    threads : int or None, default 1
        As for `wp`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `wp`.

    Examples
    --------
    >>> w1([0.0, 1.0], [3.0, 2.0])
    2.0
    """
    return _distance(x, y, 1.0, x_weights, y_weights, alpha, threads)


def wp(x, y, p, *, x_weights=None, y_weights=None, alpha=None, threads=1):
    """W_p between two samples on the line.

    Parameters
    ----------
    x, y : array_like, shapes (n,) and (m,)
        The samples, in any order; n and m may differ. Sorted in their own type, then float64.
    p : float
        Order of the distance, in [1, inf].
    x_weights, y_weights : array_like, shapes (n,) and (m,), optional
        Weights of the points, zero or more; only their ratios matter. None: all the same.
    alpha : float, optional
        Tail index of the laws, where known: E|X|^q is infinite for q >= alpha. (A stable law of index 2 is Gaussian
        and has none.)
    threads : int or None, default 1
        2 sorts the samples side by side, None takes as many as there are cores; the result is the same.

    Returns
    -------
    float
        Exact up to rounding: the relative error is about 1e-15. Infinite only beyond double precision.

    Raises
    ------
    ValueError
        A sample that is empty, not finite or not one-dimensional; weights of another shape, negative, not finite or
        all zero; p below 1; alpha not positive.

    Warns
    -----
    UserWarning
        p >= alpha: the distance of the laws is infinite.

    Notes
    -----
    O(n log n), and as long as two calls of ``numpy.sort``; for p = 1, without weights, a third of that from 10^5
    points or so, unless the samples nearly coincide or most of their points are ties.
    """
    return _distance(x, y, order(p), x_weights, y_weights, alpha, threads)


def _distance(x, y, p, x_weights, y_weights, alpha, threads):
    threads = count(threads)
    warn_if_infinite(p, alpha, stacklevel=4)
    given = ("x", sample("x", x), x_weights), ("y", sample("y", y), y_weights)
    parts = [None, None]
    plain = p == 1.0 and x_weights is None and y_weights is None
    if plain and all(z.size >= FEWEST and z.dtype == np.float64 for _, z, _ in given):
        distance = w1_by_buckets(given[0][1], given[1][1], threads)
        if distance is not None:
            return distance

    def sort(start, stop):
        for k in range(start, stop):
            name, z, weights = given[k]
            parts[k] = (ordered(name, z), None) if weights is None else weighted(name, z, weights)

    over_blocks(sort, 2, threads if min(given[0][1].size, given[1][1].size) >= _FEWEST else 1, least=1)
    (a, a_mass), (b, b_mass) = parts
    if max(-a[0], a[-1], -b[0], b[-1]) > _HUGE:
        return _SMALLER**-1 * between(a * _SMALLER, b * _SMALLER, a_mass, b_mass, p)
    return between(a, b, a_mass, b_mass, p)
