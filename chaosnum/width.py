"""The width from which heavy-tailed columns are compressible (theory: C5).

By the law of the error (error_law.py, whose letters these are), error <= eps with probability 1 - delta from the width

    N = max(1/kappa, ((M/eps^p - m) / (C^(1/a) s_delta))^(1/(1/a - 1))),    s_delta the delta-quantile of S.

*alpha = 2.* All moments are finite, so there is a positive limit l and no width brings the error below it. Above it,
error^p fluctuates about l^p with variance V/n, ``V = Var[Y^p 1(Y <= q) + q^p 1(Y > q) - l^p Y^p] / (E Y^p)^2`` (delta
method, the threshold being estimated too), and N = V z^2 / (eps^p - l^p)^2 with the normal (1 - delta)-quantile z.

What goes wrong: the exponent 1/a - 1 is tiny near alpha = p, and N astronomical, so log10 N is kept beside N. Leaving m
out makes N several times too large where the start matters.

Reference: Y. Wan, M. Barsbey, A. Zaidi, U. Simsekli, ICML 2024, arXiv 2306.08125.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from chaosnum import check
from chaosnum.error_law import dropped, heavy_law, inside, norm_law, sum_quantile

DECADES = 15.0  # widths up to 10^15 are whole numbers
COMPARISONS = (
    (12.0, "more than the weights of the largest networks there are"),
    (19.0, "more than the grains of sand on all beaches of the Earth"),
    (24.0, "more than the stars of the observable universe"),
    (28.0, "more than the atoms of a human body"),
    (50.0, "more than the atoms of the Earth"),
    (80.0, "more than the atoms of the observable universe"),
)


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
    eps, delta = inside("eps", eps), inside("delta", delta)
    kappa, p = inside("kappa", kappa), check.positive("p", p)
    column = {
        "noise": noise, "dim": dim, "sigma": sigma, "time": time, "init_scale": init_scale, "decay": decay,
    }  # fmt: skip
    law = norm_law(alpha, law, column)
    asked = {"alpha": law.alpha, "kappa": kappa, "eps": eps, "delta": delta, "p": p, "law": law}
    if law.alpha == 2.0:
        return _gaussian_width(asked)
    law, kappa, p = heavy_law(alpha, kappa, p, law, {})
    a = law.alpha / p
    q, M = dropped(law, kappa, p)
    m, s_delta = law.regularised_moment(p), float(sum_quantile(np.float64(delta), a))
    missing = M / eps**p - m
    log10_n = -math.log10(kappa)
    if missing > 0.0:
        needed = math.log10(missing) - math.log10(law.tail_constant) / a - math.log10(s_delta)
        log10_n = max(log10_n, needed / (1.0 / a - 1.0))
    return Width(_count(log10_n), log10_n, True, 0.0, law.tail_constant, q, M, m, s_delta, **asked)


def _gaussian_width(asked):
    """alpha = 2: a positive limit, approached like n^(-1/2)."""
    law, kappa, p, eps = asked["law"], asked["kappa"], asked["p"], asked["eps"]
    q, M = dropped(law, kappa, p)
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
