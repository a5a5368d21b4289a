"""Compressibility: how little is lost by keeping the kappa n largest of n entries or columns.

The relative l_p error of x with norms Y_1, ..., Y_n of which the largest k are kept is

    error(k) = ( sum of the n - k smallest Y^p / sum of all Y^p )^(1/p).

The number kept is floor(kappa n): at most the share kappa (a product within round-off of a whole number is that one).

The dichotomy (Gribonval, Cevher, Davies 2012, Prop. 1): for independent entries with the law of Y the error tends to

    (M / E Y^p)^(1/p),    M = E[Y^p; Y <= q],    q the (1 - kappa)-quantile,

if E Y^p is finite, and to 0 for every kappa > 0 if it is not: for a power tail of index alpha, if p >= alpha. How it
tends to 0 is in error_law.py, and which width a given error needs in width.py; their functions have their public names
here.

What goes wrong
---------------
Summed from the large end the far end of error(k) is lost in round-off. Powers overflow unless scaled by the maximum,
and underflow where the error itself is far from it. At p = alpha the error tends to 0 with log n only.

Reference: R. Gribonval, V. Cevher, M. Davies, Compressible distributions for high-dimensional statistics, IEEE Trans.
Inf. Theory 58 (2012) 5016-5034.
"""

import numpy as np

from chaosnum import check
from chaosnum.column_law import ColumnLaw, column_law
from chaosnum.column_sample import SampleLaw, kept
from chaosnum.error_law import error_cdf, error_quantiles, scaled_limit_quantiles
from chaosnum.width import Width, required_width

__all__ = [
    "ColumnLaw",
    "SampleLaw",
    "Width",
    "column_law",
    "error_cdf",
    "error_curve",
    "error_quantiles",
    "limit_curve",
    "required_width",
    "scaled_limit_quantiles",
]

SMALLEST = 1e-290  # a scaled power below it may have lost digits


def error_curve(x, kappas=None, p=2):
    """Relative l_p error of the best approximation by the largest entries or columns.

    Parameters
    ----------
    x : float64 array, shape (n,) or (d, n)
        A vector, or a matrix whose columns count as units, by their Euclidean norms.
    kappas : float64 array, shape (m,), or float, optional
        Shares kept, in [0, 1]; the number kept is floor(kappa n). None: every number k = 0, ..., n.
    p : float
        Order of the norm over the entries or columns, > 0 (below 1 a quasi-norm).

    Returns
    -------
    ndarray of float64, shape (m,) (a float for one kappa), or (n + 1,)
        1 at k = 0, 0 at k = n, never increasing; relatively accurate however small, and free of overflow.

    Raises
    ------
    ValueError
        `x` empty, not finite, all zero or of another shape; `p` or `kappas` out of range.

    Notes
    -----
    One sort and one cumulative sum from the small end: O(n log n) for all k together.
    """
    norms, p = _norms(x), check.positive("p", p)
    n = norms.size
    power = _powers(norms, p)
    lost = np.concatenate([np.cumsum(power), [0.0]])  # [n - k - 1]: k kept; [-1]: nothing lost
    positive = norms[norms > 0.0]
    if power[n - positive.size] > SMALLEST or positive.size == 1:
        curve = (lost / lost[n - 1]) ** (1.0 / p)
    else:  # powers that underflow: their logarithms are summed
        curve = np.zeros(n + 1)
        logs = np.logaddexp.accumulate(p * np.log(positive))
        curve[n - positive.size : n] = np.exp((logs - logs[-1]) / p)
    curve = np.append(curve[n - 1 :: -1], 0.0)
    if kappas is None:
        return curve
    kappas = _shares(kappas)
    k = np.array([kept(kappa, n) for kappa in kappas.ravel()], dtype=np.int64).reshape(kappas.shape)
    out = curve[k]
    return out if out.ndim else float(out)


def limit_curve(kappas, p, law):
    """The limit of the relative l_p error for n independent entries, n -> infinity.

    Parameters
    ----------
    kappas : float64 array, shape (m,), or float
        Shares kept, in [0, 1].
    p : float
        Order of the norm, > 0.
    law : float, str, ColumnLaw, SampleLaw, array or callable
        The law of the norm: the index alpha of standard SaS entries (2 for Gaussian ones), "gaussian", a law of
        :func:`chaosnum.column_law.column_law`, a sample (its own error curve is returned), or the quantile function of
        Y >= 0, vectorised.

    Returns
    -------
    ndarray of float64, shape (m,) (a float for one kappa)
        1 at kappa = 0 and 0 beyond wherever E Y^p is infinite.

    Raises
    ------
    ValueError
        A parameter out of range, or a law of another kind.
    """
    kappas, p = _shares(kappas), check.positive("p", p)
    if callable(law):
        values = _curve_of_quantiles(kappas, p, law)
    elif hasattr(law, "regularised_moment"):  # whatever has ColumnLaw's methods is a law
        values = _curve_of_law(kappas, p, law)
    elif isinstance(law, str):
        check.one_of("law", law, ("gaussian",))
        values = _curve_of_law(kappas, p, column_law(2.0))
    elif np.ndim(law):
        return error_curve(law, kappas, p)
    else:
        values = _curve_of_law(kappas, p, column_law(law))
    return values if values.ndim else float(values)


def _curve_of_law(kappas, p, law):
    whole = law.moment(p)
    out = np.where(kappas == 0.0, 1.0, 0.0)
    if np.isfinite(whole):
        for index in np.ndindex(kappas.shape):
            if 0.0 < kappas[index] < 1.0:
                q = law.threshold(kappas[index])
                out[index] = min(1.0, (law.below(q, kappas[index], p) / whole) ** (1.0 / p))
    return out


def _curve_of_quantiles(kappas, p, ppf):
    """For a quantile function Q: ``int_0^(1-kappa) Q^p / int_0^1 Q^p``."""
    # Near 1, Q(1 - t) ~ t^-slope: E Y^p is infinite where p slope >= 1.
    far = np.asarray(ppf(1.0 - np.array([2.0**-30, 2.0**-40])), dtype=np.float64)
    if far.shape != (2,) or not (np.isfinite(far).all() and (far >= 0.0).all()):
        raise ValueError("law must be a vectorised quantile function of a law on [0, infinity)")
    out = np.where(kappas == 0.0, 1.0, 0.0)
    slope = np.log(far[1] / far[0]) / (10.0 * np.log(2.0)) if far[0] > 0.0 else 0.0
    if p * slope >= 0.995:
        return out
    # Gauss-Legendre on dyadic panels towards both ends, split at the shares asked for; beyond 2^-46 a power law
    inner = np.concatenate([1.0 - kappas.ravel(), [0.5]])
    ends = 2.0 ** -np.arange(1.0, 47.0)
    edges = np.unique(np.concatenate([[0.0], ends, 1.0 - ends, inner[(inner > 0.0) & (inner < 1.0 - ends[-1])]]))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    values = np.asarray(ppf((edges[:-1, None] + half * (1.0 + nodes)).ravel()), dtype=np.float64).reshape(-1, 16) ** p
    mass = np.concatenate([[0.0], np.cumsum((half * values) @ weights)])
    rest = ends[-1] * float(ppf(np.array([1.0 - ends[-1]]))[0]) ** p / (1.0 - p * slope)
    share = np.interp(1.0 - kappas, edges, mass) / (mass[-1] + rest)
    return np.where(kappas == 0.0, 1.0, np.minimum(share, 1.0) ** (1.0 / p))


def _norms(x):
    """The entries' absolute values or the columns' norms, ascending and divided by the largest."""
    x = np.abs(check.finite_array("x", x))
    if x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(f"x must be a vector or a matrix with entries, got shape {x.shape}")
    largest = x.max()
    if largest == 0.0:
        raise ValueError("x must not be all zeros: its relative error is 0/0")
    if x.ndim == 2:
        top = x.max(axis=0)
        x = x / np.where(top > 0.0, top, 1.0)
        # relative to the largest entry, which no column norm exceeds by more than sqrt(d)
        x = np.sqrt(np.einsum("ij,ij->j", x, x)) * (top / largest)
        largest = x.max()
    return np.sort(x) / largest


def _powers(x, p):
    return x * x if p == 2.0 else x if p == 1.0 else x**p


def _shares(kappas):
    kappas = check.finite_array("kappas", kappas)
    if kappas.size and not (kappas.min() >= 0.0 and kappas.max() <= 1.0):
        raise ValueError(f"kappas must lie in [0, 1], got {kappas.min() if kappas.min() < 0.0 else kappas.max():g}")
    return kappas
