"""The norm of a Gaussian column of random variance, Y = |N(0, (2 c^2 A + s_0^2) I_d)|, A positive alpha/2-stable.

This is the column of Type III noise of scale c from a Gaussian start of scale s_0, and of any type if d = 1. With
F the chi-square tail of d degrees of freedom, f its density and y = r^2 / (2 c^2 x + s_0^2), P(Y > r) = E F(y(A)), or

    P(Y > r) = F(r^2 / s_0^2) + int_0^inf P(A > x) y f(y) 2 c^2 / (2 c^2 x + s_0^2) dx

by parts (the first term 0 for s_0 = 0). All is positive, so a far tail keeps its relative accuracy. Gauss-Legendre
panels in log x: near x = a = alpha/2 as narrow as the step of P(A > x) there, of width 1 - a, and nowhere wider than
the chi-square peak, of width sqrt(2/d).
"""

from functools import lru_cache

import numpy as np
from scipy.special import chdtrc, gammaln

from chaosnum import positive_law


def tail(r, alpha, scale, start, dim):
    """P(Y > r), relative error about 1e-10.

    Parameters
    ----------
    r : float64 array, shape (m,)
        Positive.
    alpha : float
        Tail index, below 2.
    scale, start : float
        c > 0 and s_0 >= 0.
    dim : int
        Components.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    v, weights, above = _nodes(0.5 * alpha, dim, *_range(r, alpha, scale, start, dim))
    noise = 2.0 * scale**2 * np.exp(v)
    variance = noise + start**2
    log_norm = 0.5 * dim * np.log(2.0) + gammaln(0.5 * dim)
    out = chdtrc(dim, (r / start) ** 2) if start else np.zeros_like(r)
    kernel = weights * above * noise / variance
    # The chi-square density of y = t dim is exp(-150) of its peak, or less, where t - 1 - log t > 300/dim. That holds
    # where log t is above sqrt(2 (300/dim)) (as e^s - 1 - s > s^2/2), or below -max(sqrt(900/dim), 900/dim).
    up, down = np.sqrt(600.0 / dim), max(np.sqrt(900.0 / dim), 900.0 / dim)
    square = r * r
    first = np.searchsorted(variance, square / dim * np.exp(-min(up, 600.0)))
    last = np.searchsorted(variance, square / dim * np.exp(min(down, 600.0)), side="right")
    for i, near in enumerate(map(slice, first, last)):
        y = square[i] / variance[near]
        out[i] += kernel[near] @ np.exp(0.5 * dim * np.log(y) - 0.5 * y - log_norm)
    return np.minimum(out, 1.0)


def _range(r, alpha, scale, start, dim):
    """The range of log A that matters, rounded outwards so that few tables are made."""
    unit = 2.0 * scale**2
    low = np.log(start**2 / unit) - 40.0 if start else np.log(r.min() ** 2 / (unit * (1500.0 + 2.0 * dim)))
    high = np.log((r.max() ** 2 + start**2) / unit) + 40.0 / (0.5 * alpha + 0.5 * dim)
    return 16.0 * np.floor(low / 16.0), 16.0 * np.ceil(high / 16.0)


@lru_cache(maxsize=32)
def _nodes(a, dim, low, high):
    """Nodes and weights in v = log A, and P(A > exp(v)): panels as fine as the step at A = a and the chi law need."""
    centre, cap = np.log(a), min(1.0, 3.0 / np.sqrt(dim))
    sides = []
    for length in (centre - low, high - centre):
        edge = [0.0]
        while edge[-1] < length:
            edge.append(edge[-1] + min(cap, max(0.5 * (1.0 - a), 0.3 * edge[-1])))
        sides.append(np.array(edge))
    edges = np.concatenate([centre - sides[0][:0:-1], centre + sides[1]])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    v = (edges[:-1, None] + half * (1.0 + nodes)).ravel()
    return v, (half * weights).ravel(), positive_law.sf(np.exp(np.clip(v, -700.0, 700.0)), a)
