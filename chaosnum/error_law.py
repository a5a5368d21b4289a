"""The law of the error at a given width (theory: C5): heavy-tailed columns, the largest kappa n of them kept.

The error is compress.py's relative l_p error; M, q, C and m are those of column_law.py. The norms are independent with
the law of Y, P(Y > r) ~ C r^-alpha, and p > alpha. Of the powers Y^p those of the smaller norms sum to n M to leading
order; the sum of all has the Laplace transform E exp(-u Y^p)^n, and with a = alpha/p

    1 - E exp(-u Y^p) = C Gamma(1-a) u^a + m u + ...,    1/2 < a < 1,

so at u = s n^(-1/a) / C^(1/a) it is that of n m + (C n)^(1/a) S, S positive a-stable with transform
``exp(-Gamma(1-a) s^a)``, that is ``S = Gamma(1-a)^(1/a) A`` (positive_law.py). Hence

    error^p  ~  M / (m + n^(1/a - 1) C^(1/a) S),        n^(1/alpha - 1/p) error -> M^(1/p) / (C^(1/alpha) S^(1/p)).

For a <= 1/2 the term after u^a is the tail's own of order u^(2a), a relative 1/n: m drops out (but see column_law.py).

What goes wrong: the fluctuation of the smaller norms' sum, a relative n^(-1/2), is left out; it matters for n below
some 100.

References
----------
Y. Wan, M. Barsbey, A. Zaidi, U. Simsekli, ICML 2024, arXiv 2306.08125.
W. Feller, An Introduction to Probability Theory and Its Applications II (1971), XIII.6.
"""

import math

import numpy as np
from scipy.special import gamma

from chaosnum import check, positive_law
from chaosnum.column_law import column_law
from chaosnum.column_sample import SampleLaw


def scaled_limit_quantiles(q, alpha, kappa, p=2, *, law=None, **column):
    """Quantiles of the limit in law of ``n^(1/alpha - 1/p) error``, ``M^(1/p) / (C^(1/alpha) S^(1/p))``.

    Parameters
    ----------
    q : float64 array of any shape
        Probabilities in (0, 1).
    alpha : float
        Tail index, below min(2, p).
    kappa : float
        Share kept, in (0, 1).
    p : float
        Order of the norm.
    law, **column
        As for :func:`required_width`.

    Returns
    -------
    ndarray of float64, of the shape of `q` (a float for a number)
    """
    law, kappa, p = heavy_law(alpha, kappa, p, law, column)
    q = _probabilities(q)
    _, M = dropped(law, kappa, p)
    S = sum_quantile(1.0 - q, law.alpha / p)
    out = (M / S) ** (1.0 / p) / law.tail_constant ** (1.0 / law.alpha)
    return out if out.ndim else float(out)


def error_quantiles(q, n, alpha, kappa, p=2, *, law=None, **column):
    """Quantiles of the relative error at width n, ``(M / (m + n^(p/alpha - 1) C^(p/alpha) S))^(1/p)``.

    Parameters
    ----------
    n : float
        Number of entries or columns, >= 1/kappa.
    q, alpha, kappa, p, law, **column
        As for :func:`scaled_limit_quantiles`.

    Returns
    -------
    ndarray of float64, of the shape of `q` (a float for a number)
        At most 1 (where S is so small that the formula, valid for large n, exceeds it).
    """
    law, kappa, p = heavy_law(alpha, kappa, p, law, column)
    q = _probabilities(q)
    n = check.in_range("n", n, 1.0 / kappa, math.inf, open_low=False, open_high=True)
    a = law.alpha / p
    _, M = dropped(law, kappa, p)
    total = law.regularised_moment(p) + n ** (1.0 / a - 1.0) * law.tail_constant ** (1 / a) * sum_quantile(1.0 - q, a)
    out = np.where(total > M, M / np.where(total > M, total, 1.0), 1.0) ** (1.0 / p)
    return out if out.ndim else float(out)


def error_cdf(error, n, alpha, kappa, p=2, *, law=None, **column):
    """P(the relative error at width n is at most `error`): the inverse of :func:`error_quantiles`.

    Parameters
    ----------
    error : float64 array of any shape
        In [0, 1].
    n, alpha, kappa, p, law, **column
        As for :func:`error_quantiles`.

    Returns
    -------
    ndarray of float64, of the shape of `error` (a float for a number)
    """
    law, kappa, p = heavy_law(alpha, kappa, p, law, column)
    error = check.finite_array("error", error)
    if error.size and not (error.min() >= 0.0 and error.max() <= 1.0):
        raise ValueError(f"error must lie in [0, 1], got {error.min() if error.min() < 0.0 else error.max():g}")
    n = check.in_range("n", n, 1.0 / kappa, math.inf, open_low=False, open_high=True)
    a = law.alpha / p
    _, M = dropped(law, kappa, p)
    with np.errstate(divide="ignore"):
        rest = M / error**p - law.regularised_moment(p)
    sums = rest / (n ** (1.0 / a - 1.0) * law.tail_constant ** (1.0 / a))
    out = np.where(error == 1.0, 1.0, positive_law.sf(sums / gamma(1.0 - a) ** (1.0 / a), a))
    return out if out.ndim else float(out)


def norm_law(alpha, law, column):
    """The law of the column norms."""
    if law is None:
        return column_law(alpha, **column)
    if not hasattr(law, "regularised_moment"):  # whatever has ColumnLaw's methods is a law
        return SampleLaw(law, alpha)
    if law.alpha != alpha:
        raise ValueError(f"alpha must be that of the law, {law.alpha:g}, got {alpha!r}")
    return law


def heavy_law(alpha, kappa, p, law, column):
    """The same with its checks, for alpha < p and alpha < 2."""
    kappa, p = inside("kappa", kappa), check.positive("p", p)
    law = norm_law(alpha, law, column)
    if law.alpha == 2.0:
        raise ValueError("alpha must be below 2: without a power tail the error has a positive limit (limit_curve)")
    if p <= law.alpha:
        raise ValueError(f"p must be above alpha = {law.alpha:g}, or the error is no power of n, got {p:g}")
    check.in_range("alpha / p", law.alpha / p, positive_law.LOWEST, positive_law.HIGHEST, open_low=False)
    if law.tail_constant == 0.0:
        raise ValueError("tail_constant must be positive, got 0")
    return law, kappa, p


def dropped(law, kappa, p):
    """q and M; M is positive."""
    q = law.threshold(kappa)
    M = law.below(q, kappa, p)
    if not M > 0.0:
        raise ValueError(f"the share {1.0 - kappa:g} of smallest norms must not all be zero")
    return q, M


def sum_quantile(delta, a):
    """The delta-quantile of S, ``E exp(-s S) = exp(-Gamma(1-a) s^a)``."""
    return gamma(1.0 - a) ** (1.0 / a) * positive_law.ppf(delta, a)


def _probabilities(q):
    q = check.finite_array("q", q)
    if q.size and not (q.min() > 0.0 and q.max() < 1.0):
        raise ValueError(f"q must lie in (0, 1), got {q.min() if q.min() <= 0.0 else q.max():g}")
    return q


def inside(name, value):
    return check.in_range(name, value, 0.0, 1.0, open_high=True)
