"""The width from which heavy-tailed columns are compressible, and the law of the error at a given width (theory: C5).

The error is compress.py's relative l_p error with the kappa n largest of n columns kept; M, q, C and m are those of
column_law.py. The norms are independent with the law of Y, P(Y > r) ~ C r^-alpha, and p > alpha. Of the powers Y^p
those of the smaller norms sum to n M to leading order; the sum of all has the Laplace transform E exp(-u Y^p)^n, and
with a = alpha/p

    1 - E exp(-u Y^p) = C Gamma(1-a) u^a + m u + ...,    1/2 < a < 1,

so at u = s n^(-1/a) / C^(1/a) it is that of n m + (C n)^(1/a) S, S positive a-stable with transform
``exp(-Gamma(1-a) s^a)``, that is ``S = Gamma(1-a)^(1/a) A`` (positive_law.py). Hence

    error^p  ~  M / (m + n^(1/a - 1) C^(1/a) S),        n^(1/alpha - 1/p) error -> M^(1/p) / (C^(1/alpha) S^(1/p)),

and error <= eps with probability 1 - delta from the width

    N = max(1/kappa, ((M/eps^p - m) / (C^(1/a) s_delta))^(1/(1/a - 1))),    s_delta the delta-quantile of S.

For a <= 1/2 the term after u^a is the tail's own of order u^(2a), a relative 1/n: m drops out (but see column_law.py).
What is left out: the fluctuation of the smaller norms' sum, a relative n^(-1/2), which matters for n below some 100.

*alpha = 2.* All moments are finite, so there is a positive limit l and no width brings the error below it. Above it,
error^p fluctuates about l^p with variance V/n, ``V = Var[Y^p 1(Y <= q) + q^p 1(Y > q) - l^p Y^p] / (E Y^p)^2`` (delta
method, the threshold being estimated too), and N = V z^2 / (eps^p - l^p)^2 with the normal (1 - delta)-quantile z.

What goes wrong
---------------
The exponent 1/a - 1 is tiny near alpha = p, and N astronomical: log10 N is kept beside N. Leaving m out makes N several
times too large where the start matters.

References
----------
Y. Wan, M. Barsbey, A. Zaidi, U. Simsekli, ICML 2024, arXiv 2306.08125.
W. Feller, An Introduction to Probability Theory and Its Applications II (1971), XIII.6.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gamma, ndtri

from chaosnum import check, positive_law
from chaosnum.column_law import column_law
from chaosnum.column_sample import SampleLaw

DECADES = 15.0  # widths up to 10^15 are whole numbers
COMPARISONS = (
    (12.0, "more than the weights of the largest networks there are"),
    (19.0, "more than the grains of sand on all beaches of the Earth"),
    (24.0, "more than the stars of the observable universe"),
    (28.0, "more than the atoms of a human body"),
    (50.0, "more than the atoms of the Earth"),
    (80.0, "more than the atoms of the observable universe"),
)


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
    law, kappa, p = _heavy(alpha, kappa, p, law, column)
    q = _probabilities(q)
    _, M = _lost(law, kappa, p)
    S = _sum_quantile(1.0 - q, law.alpha / p)
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
    law, kappa, p = _heavy(alpha, kappa, p, law, column)
    q = _probabilities(q)
    n = check.in_range("n", n, 1.0 / kappa, math.inf, open_low=False, open_high=True)
    a = law.alpha / p
    _, M = _lost(law, kappa, p)
    total = law.regularised_moment(p) + n ** (1.0 / a - 1.0) * law.tail_constant ** (1 / a) * _sum_quantile(1.0 - q, a)
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
    law, kappa, p = _heavy(alpha, kappa, p, law, column)
    error = check.finite_array("error", error)
    if error.size and not (error.min() >= 0.0 and error.max() <= 1.0):
        raise ValueError(f"error must lie in [0, 1], got {error.min() if error.min() < 0.0 else error.max():g}")
    n = check.in_range("n", n, 1.0 / kappa, math.inf, open_low=False, open_high=True)
    a = law.alpha / p
    _, M = _lost(law, kappa, p)
    with np.errstate(divide="ignore"):
        rest = M / error**p - law.regularised_moment(p)
    sums = rest / (n ** (1.0 / a - 1.0) * law.tail_constant ** (1.0 / a))
    out = np.where(error == 1.0, 1.0, positive_law.sf(sums / gamma(1.0 - a) ** (1.0 / a), a))
    return out if out.ndim else float(out)


@dataclass(frozen=True)
class Width:
    """The width at which the error is at most eps with probability 1 - delta; made by :func:`required_width`.

    Attributes
    ----------
    n : int or float
        The width: a whole number up to 10^15, beyond it a float, infinite where it exceeds 1e308 or there is none.
    log10_n : float
        Its logarithm, finite if there is a width.
    exists : bool
    limit : float
        Limit of the error as n grows: 0 for alpha < 2.
    C, q, M, m, s_delta : float
        The constants of the module's docstring (C and s_delta are 0 at alpha = 2, where m is E Y^p).
    alpha, kappa, eps, delta, p : float
        What was asked.
    law : ColumnLaw or SampleLaw
    """

    n: float
    log10_n: float
    exists: bool
    limit: float
    C: float
    q: float
    M: float
    m: float
    s_delta: float
    alpha: float
    kappa: float
    eps: float
    delta: float
    p: float
    law: object

    @property
    def words(self):
        """The width in plain words."""
        if not self.exists:
            return (
                f"no width: with alpha = 2 the error tends to {self.limit:.4g}, which is no smaller than {self.eps:g}"
            )
        if self.log10_n < 9.0:
            return f"{self.n:,} columns".replace(",", " ")
        text = f"about {_power_of_ten(self.log10_n)} columns"
        beyond = [words for least, words in COMPARISONS if self.log10_n >= least]
        return f"{text}: {beyond[-1]}" if beyond else text


def required_width(
    alpha, kappa, eps, delta, *, noise="II", dim=1, sigma=1.0, time=1.0, init_scale=0.0, decay=0.0, p=2, law=None
):
    """The width N from which the relative l_p error is at most eps with probability 1 - delta (C5).

    Parameters
    ----------
    alpha : float
        Tail index, in [0.1, 2].
    kappa : float
        Share of columns kept, in (0, 1).
    eps, delta : float
        Error and probability of failure, in (0, 1).
    noise : {"I", "II", "III", "III-paper"}
    dim : int
        Components of a column.
    sigma, time, init_scale, decay : float
        Noise scale and time > 0, standard deviation of the start and rate of linear decay >= 0. Pure noise is free of
        scale: then only alpha, noise and dim count.
    p : float
        Order of the norm over columns, > alpha (at alpha = 2 any).
    law : ColumnLaw, SampleLaw or array, optional
        The law of the column norms in place of that parametric one: a sample of them, for instance.

    Returns
    -------
    Width
        To leading order in n; within 3 % in eps of simulation for n of some hundreds and more.

    Raises
    ------
    ValueError
        A parameter outside its range, or p <= alpha < 2, where the error does not tend to 0 like a power of n.
    """
    eps, delta = _inside("eps", eps), _inside("delta", delta)
    kappa, p = _inside("kappa", kappa), check.positive("p", p)
    column = {
        "noise": noise, "dim": dim, "sigma": sigma, "time": time, "init_scale": init_scale, "decay": decay,
    }  # fmt: skip
    law = _law(alpha, law, column)
    asked = {"alpha": law.alpha, "kappa": kappa, "eps": eps, "delta": delta, "p": p, "law": law}
    if law.alpha == 2.0:
        return _gaussian_width(asked)
    law, kappa, p = _heavy(alpha, kappa, p, law, {})
    a = law.alpha / p
    q, M = _lost(law, kappa, p)
    m, s_delta = law.regularised_moment(p), float(_sum_quantile(np.float64(delta), a))
    missing = M / eps**p - m
    log10_n = -math.log10(kappa)
    if missing > 0.0:
        needed = math.log10(missing) - math.log10(law.tail_constant) / a - math.log10(s_delta)
        log10_n = max(log10_n, needed / (1.0 / a - 1.0))
    return Width(_count(log10_n), log10_n, True, 0.0, law.tail_constant, q, M, m, s_delta, **asked)


def _gaussian_width(asked):
    """alpha = 2: a positive limit, approached like n^(-1/2)."""
    law, kappa, p, eps = asked["law"], asked["kappa"], asked["p"], asked["eps"]
    q, M = _lost(law, kappa, p)
    m, second = law.moment(p), law.moment(2.0 * p)
    ratio = M / m
    gap, limit = eps**p - ratio, ratio ** (1.0 / p)
    if gap <= 1e-7 * ratio:  # M is no more accurate
        return Width(math.inf, math.inf, False, limit, 0.0, q, M, m, 0.0, **asked)
    small, cut = law.below(q, kappa, 2.0 * p), q**p
    # E of the square of Y^p 1(Y <= q) + q^p 1(Y > q) - ratio Y^p, whose mean is kappa q^p
    square = (1.0 - ratio) ** 2 * small + kappa * cut**2 - 2.0 * ratio * cut * (m - M) + ratio**2 * (second - small)
    variance = max(0.0, square - (kappa * cut) ** 2) / m**2
    z = max(0.0, -float(ndtri(asked["delta"])))
    log10_n = max(-math.log10(kappa), math.log10(max(variance * z * z / gap**2, 1e-300)))
    return Width(_count(log10_n), log10_n, True, limit, 0.0, q, M, m, 0.0, **asked)


def _law(alpha, law, column):
    """The law of the column norms."""
    if law is None:
        return column_law(alpha, **column)
    if not hasattr(law, "regularised_moment"):  # whatever has ColumnLaw's methods is a law
        return SampleLaw(law, alpha)
    if law.alpha != alpha:
        raise ValueError(f"alpha must be that of the law, {law.alpha:g}, got {alpha!r}")
    return law


def _heavy(alpha, kappa, p, law, column):
    """The same with its checks, for alpha < p and alpha < 2."""
    kappa, p = _inside("kappa", kappa), check.positive("p", p)
    law = _law(alpha, law, column)
    if law.alpha == 2.0:
        raise ValueError("alpha must be below 2: without a power tail the error has a positive limit (limit_curve)")
    if p <= law.alpha:
        raise ValueError(f"p must be above alpha = {law.alpha:g}, or the error is no power of n, got {p:g}")
    check.in_range("alpha / p", law.alpha / p, positive_law.LOWEST, positive_law.HIGHEST, open_low=False)
    if law.tail_constant == 0.0:
        raise ValueError("tail_constant must be positive, got 0")
    return law, kappa, p


def _lost(law, kappa, p):
    """q and M; M is positive."""
    q = law.threshold(kappa)
    M = law.below(q, kappa, p)
    if not M > 0.0:
        raise ValueError(f"the share {1.0 - kappa:g} of smallest norms must not all be zero")
    return q, M


def _sum_quantile(delta, a):
    """The delta-quantile of S, ``E exp(-s S) = exp(-Gamma(1-a) s^a)``."""
    return gamma(1.0 - a) ** (1.0 / a) * positive_law.ppf(delta, a)


def _probabilities(q):
    q = check.finite_array("q", q)
    if q.size and not (q.min() > 0.0 and q.max() < 1.0):
        raise ValueError(f"q must lie in (0, 1), got {q.min() if q.min() <= 0.0 else q.max():g}")
    return q


def _inside(name, value):
    return check.in_range(name, value, 0.0, 1.0, open_high=True)


def _count(log10_n):
    """10^log10_n: a whole number, rounded up, while a float tells them apart."""
    if log10_n < DECADES:
        return math.ceil(10.0**log10_n * (1.0 - 1e-12))
    return 10.0**log10_n if log10_n < 308.0 else math.inf


def _power_of_ten(log10_n):
    """8 * 10^17"""
    exponent = math.floor(log10_n)
    leading = round(10.0 ** (log10_n - exponent))
    if leading == 10:
        leading, exponent = 1, exponent + 1
    return f"{leading} * 10^{exponent}" if leading > 1 else f"10^{exponent}"
