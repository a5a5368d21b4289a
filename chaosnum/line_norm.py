"""The law of |theta|, one particle of bed K's limit, as the law of a column of one component.

What compressibility needs of it (:mod:`chaosnum.column_law` has the same for columns without interaction): with
Y = |theta| and S = unit X, the noise of all steps together, X standard SaS of index alpha,

* the (1 - kappa)-quantile q of Y, and M = E[Y^2; Y <= q] = int_0^q 2 r [P(Y > r) - kappa] dr;
* the constant C of P(Y > r) ~ C r^-alpha, which is the noise's: the drift is bounded;
* m = int_0^inf [P(Y^2 > s) - C s^(-alpha/2)] ds. For Y = |S| it is 0: it continues E|S|^q analytically to q = 2, where
  1/Gamma(1 - q/2) vanishes. So m = int_0^inf 2 r [P(Y > r) - P(|S| > r)] dr, whose integrand decays like
  r^(-alpha-1), because the first-order effects of a shift cancel between the two tails.
"""

import numpy as np
from scipy.optimize import brentq

from chaosnum import check, stable_law

_PANEL = np.polynomial.legendre.leggauss(10)


class LineNorm:
    """The law of |theta| on bed K; orders of the norm other than 2 are not offered.

    Parameters
    ----------
    line : chaosnum.line_law.LineLaw
        The law of theta.
    second_order : bool, default True
        Without it m is taken as 0, to show what it is for.
    """

    def __init__(self, line, *, second_order=True):
        self.line, self.alpha, self.unit, self.second_order = line, line.alpha, line.unit, second_order
        self.tail_constant = 2.0 * stable_law.tail_constant(self.alpha) * self.unit**self.alpha
        self._found = {}

    def sf(self, r):
        """P(|theta| > r) -> ndarray of float64, of the shape of `r`."""
        r = np.asarray(r, dtype=np.float64)
        return self.line.sf(r) + self.line.cdf(-r)

    def threshold(self, kappa):
        """The q with P(|theta| > q) = kappa -> float."""
        high = 1.0
        while self.sf(high) > kappa:
            high *= 2.0
        return float(brentq(lambda r: self.sf(r) - kappa, 0.0, high, xtol=1e-12))

    def below(self, q, kappa, p):
        """E[Y^2; Y <= q] for the q with P(Y > q) = kappa -> float."""
        _square(p)
        return _integral(lambda r: 2.0 * r * (self.sf(r) - kappa), np.linspace(0.0, q, 40))

    def moment(self, p):
        """E Y^2: infinite, alpha being below 2."""
        _square(p)
        return np.inf

    def regularised_moment(self, p):
        """m -> float."""
        _square(p)
        if not self.second_order:
            return 0.0
        if "m" not in self._found:
            edges = np.concatenate([np.linspace(0.0, 40.0, 161), np.geomspace(40.0, 1e6, 80)[1:]])
            self._found["m"] = _integral(
                lambda r: 2.0 * r * (self.sf(r) - 2.0 * stable_law.sf(r / self.unit, self.alpha)), edges
            )
        return self._found["m"]


def _square(p):
    check.in_range("p", p, 2.0, 2.0, open_low=False)


def _integral(function, edges):
    """Gauss-Legendre on panels."""
    nodes, weights = _PANEL
    half = 0.5 * np.diff(edges)[:, None]
    points = edges[:-1, None] + half * (1.0 + nodes)
    return float(np.sum(half * weights * function(points.ravel()).reshape(points.shape)))
