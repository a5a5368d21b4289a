"""The empirical measure of n draws from a law on the line: its distance W_1 to the law, and that distance's exact mean.

With F the law's distribution function, F_n the sample's, and K ~ Binomial(n, p),

    W_1 = int |F_n - F| dx,        E W_1 = int E|K - n F(x)| / n dx,   K ~ Binomial(n, F(x)),
    E|K - n p| = 2 m (1 - p) P(K = m),   m = floor(n p) + 1                           (de Moivre)

for independent draws: the mean is linear in |F_n - F|, so it is exact at every n, whatever the law. In the tails of a
law with tail constants c_+, c_- (P(X > r) ~ c_+ r^-alpha) the number of draws beyond y n^(1/alpha) is Poisson in the
limit, and for 1 < alpha < 2 the tails are all that is left:

    n^(1-1/alpha) E W_1  ->  (c_+^(1/alpha) + c_-^(1/alpha)) / alpha  int_0^inf E|Pois(s) - s| s^(-1/alpha-1) ds,
    E|Pois(s) - s| = 2 exp(-s) s^(floor(s)+1) / floor(s)!.

W_1 itself has infinite variance (tail index alpha): one far draw moves it. Its *bulk*, the part of the integral over
|x| <= b n^(1/alpha), has moments of every order, and its mean is the same integral cut there. So a constant is
measured by means of the bulk, with what lies beyond known exactly (E|Pois(s) - s| ~ 2 s): it is
``4 c b^(1-alpha) / (alpha - 1)`` of the symmetric limit for large b.

How it is computed. G(x) = int_x^inf P(X > t) dt is tabulated once for each law. Between two neighbouring draws F_n is a
constant u, and int |u - F| is a difference of G at the draws and at the quantile of u: a sort and a look-up a draw, no
quadrature for each sample. (:mod:`chaosnum.wasserstein` does without a table, slower, to 1e-9.)

What goes wrong: means of W_1 over samples wander for ever where alpha < 2; take medians, or means of the bulk. Near
alpha = 2 the limit is approached like n^-(1/alpha-1/2): the bulk of order n^(-1/2) is almost as large as the tails.

References: S. Bobkov, M. Ledoux, Memoirs AMS 1259 (2019), section 3; P. Diaconis, S. Zabell, Statistical Science 6
(1991) 284-302 (de Moivre's formula); E. del Barrio, E. Gine, C. Matran, Ann. Probab. 27 (1999) 1009-1071.
"""

import numpy as np
from scipy.special import gammaln

from chaosnum import check

_STEP, _FAR = 0.005, 1e9  # spacing of the nodes in arcsinh(z), and the z where the table ends
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


class Table:
    """A law on the line with a mean, tabulated for the distances of many samples.

    Parameters
    ----------
    cdf, sf : callable, float64 array -> float64 array
        F and 1 - F, each accurate where it is small.
    centre, unit : float
        About where the law sits, and how wide it is.
    alpha : float, optional
        Tail index in (1, 2), if the tails are power laws; without it they are light.
    """

    def __init__(self, cdf, sf, *, centre=0.0, unit=1.0, alpha=None):
        self.centre = check.in_range("centre", centre, -np.inf, np.inf, open_high=True)
        self.unit = check.positive("unit", unit)
        self.alpha = None if alpha is None else check.in_range("alpha", alpha, 1.0, 2.0, open_high=True)
        # The same nodes on both sides of the centre: dense there, geometric far out.
        self._t = np.arange(round(np.arcsinh(_FAR) / _STEP) + 1) * _STEP
        self._tails = (lambda z: sf(self.centre + self.unit * z)), (lambda z: cdf(self.centre - self.unit * z))
        (right, right_tail), (left, left_tail) = (self._integrate(tail) for tail in self._tails)
        # G and dG / d arcsinh z at the nodes, right side then left, for one look-up
        self._values = np.concatenate([right, left])
        self._slopes = np.concatenate([right_tail, left_tail]) * -np.tile(np.cosh(self._t), 2)
        self._centres = right[0], left[0]
        self._ends = right[-1], left[-1]
        self._log_tails = tuple(np.log(np.maximum(tail, 1e-300)) for tail in (right_tail, left_tail))
        self._quantiles = {}

    def w1(self, x, bound=np.inf):
        """``int |F_n - F|`` over |t - centre| <= `bound`; without a bound W_1 between sample and law.

        Parameters
        ----------
        x : float64 array, shape (n,) or (m, n)
            One sample, or m of them.
        bound : float

        Returns
        -------
        float, or float64 array of shape (m,)
            To about 1e-9 of itself. A sort, and some 100 ns a point.
        """
        return self.both(x, bound)[1]

    def both(self, x, bound=np.inf):
        """`w1` without and with the bound, in little more than the time of one."""
        x = check.finite_array("x", x)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"x must be one sample (n,) or several (m, n), got shape {x.shape}")
        z = np.clip((np.sort(x, axis=-1) - self.centre) / self.unit, -_FAR, _FAR)
        at = self._primitive(z)
        # What lies left of z is G_left(0) + int_0^z F, and right of it G_right(0) - z + int_0^z F.
        whole = part = self._inside(z, at) + sum(self._centres) + at[..., 0] + at[..., -1] - z[..., -1]
        if bound < np.inf:
            b = min(check.positive("bound", bound) / self.unit, _FAR)
            low, high = self._primitive(np.array([-b, b]))
            kept = np.clip(z, -b, b)
            at = np.where(z < -b, low, np.where(z > b, high, at))
            part = self._inside(kept, at) + (at[..., 0] - low) + (at[..., -1] - kept[..., -1]) - (high - b)
        found = self.unit * whole, self.unit * part
        return tuple(float(w) for w in found) if x.ndim == 1 else found

    def mean_w1(self, n, bound=np.inf):
        """Exact mean of `w1` over samples of n independent draws -> float, to about 1e-6 of itself."""
        n, bound = check.at_least("n", n, 1), bound if bound == np.inf else check.positive("bound", bound)
        end = min(np.arcsinh(bound / self.unit), self._t[-1])
        t, dt = _panels(end)
        total = 0.0
        for side, tail in enumerate(self._tails):
            total += float(np.sum(dt * np.cosh(t) * mean_deviation(n, tail(np.sinh(t))))) / n
            if bound == np.inf:  # at most one draw is out there: E|K - np| = 2 n p
                total += 2.0 * self._ends[side]
        return float(self.unit * total)

    def _integrate(self, tail):
        """G at the nodes, from the far end inwards, and the tail there."""
        t, dt = _panels(self._t[-1])
        parts = (dt * np.cosh(t) * tail(np.sinh(t))).reshape(-1, len(_NODES)).sum(axis=1)
        at = tail(np.sinh(self._t))
        end = 0.0 if self.alpha is None else at[-1] * np.sinh(self._t[-1]) / (self.alpha - 1.0)
        return end + np.concatenate([np.cumsum(parts[::-1])[::-1], [0.0]]), at

    def _inside(self, z, at):
        """int |F_n - F| between the least and the largest point of sorted samples z; int_0^z F is given as `at`."""
        n = z.shape[-1]
        u = np.arange(1, n) / n
        quantile, there = self._at_quantiles(n)
        low, high = z[..., :-1], z[..., 1:]
        below, above = quantile <= low, quantile >= high
        cut = np.where(below, low, np.where(above, high, quantile))  # F < u left of it, F > u right of it
        at_cut = np.where(below, at[..., :-1], np.where(above, at[..., 1:], there))
        return (u * (2.0 * cut - low - high) + at[..., :-1] + at[..., 1:] - 2.0 * at_cut).sum(axis=-1)

    def _primitive(self, z):
        """int_0^z F: z - G(0) + G(z) on the right, G(z) - G(0) on the left; G by cubic interpolation in arcsinh z."""
        right = z > 0
        t = np.arcsinh(np.abs(z)) * (1.0 / _STEP)
        k = np.minimum(t.astype(np.int64), len(self._t) - 2)
        s = t - k
        k += np.where(right, 0, len(self._t))
        start, stop = self._values[k], self._values[k + 1]
        a, b = _STEP * self._slopes[k] - (stop - start), (stop - start) - _STEP * self._slopes[k + 1]
        g = start + s * (stop - start + (1.0 - s) * (a + s * (b - a)))
        return g + np.where(right, z - self._centres[0], -self._centres[1])

    def _at_quantiles(self, n):
        """Quantiles of 1/n, ..., (n - 1)/n, whose own error enters W_1 squared, and the primitive there."""
        if n not in self._quantiles:
            u = np.arange(1, n) / n
            right = np.sinh(np.interp(-np.log1p(-u), -self._log_tails[0], self._t))
            left = np.sinh(np.interp(-np.log(u), -self._log_tails[1], self._t))
            quantile = np.where(np.log(u) > self._log_tails[1][0], right, -left)
            self._quantiles[n] = quantile, self._primitive(quantile)
        return self._quantiles[n]


def mean_deviation(n, p):
    """``E|K - n p|``, K ~ Binomial(n, p), by de Moivre's formula -> float64 array of the shape of `p`."""
    p = np.clip(np.asarray(p, dtype=np.float64), 0.0, 1.0)
    small = np.minimum(p, 1.0 - p)
    m = np.minimum(np.floor(n * small) + 1.0, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = gammaln(n + 1.0) - gammaln(m) - gammaln(n - m + 1.0)
        log = ways + m * np.log(small) + (n - m + 1.0) * np.log1p(-small)
        return np.where(small > 0.0, 2.0 * np.exp(log), 0.0)


def limit_constant(alpha, bound=np.inf):
    """Limit of ``n^(1-1/alpha) E W_1`` of SaS draws, or of its part over |x| <= bound n^(1/alpha) -> float.

    Parameters
    ----------
    alpha : float
        In (1, 2).
    bound : float
    """
    from chaosnum.moments import tail_constant

    alpha = check.in_range("alpha", alpha, 1.0, 2.0, open_high=True)
    c = 0.5 * tail_constant("II", alpha)
    first = c * bound**-alpha if bound < np.inf else 0.0
    last = 4000
    head = 0.0
    if first < 1.0:  # the mean deviation is 2 s exp(-s) there: s = v^k makes the integrand smooth at 0
        k = 1.0 / (1.0 - 1.0 / alpha)
        low = first ** (1.0 / k)
        v, dv = _panels(1.0 - low, 16)
        head = float(np.sum(dv * 2.0 * np.exp(-((low + v) ** k)))) * k
    edges = np.concatenate([[max(first, 1.0)], np.arange(np.floor(max(first, 1.0)) + 1.0, last + 1.0)])
    half = 0.5 * np.diff(edges)
    s = edges[:-1, None] + half[:, None] * (1.0 + _NODES)
    whole = np.floor(s)
    deviation = 2.0 * np.exp(-s + (whole + 1.0) * np.log(s) - gammaln(whole + 1.0))
    body = np.sum(half[:, None] * _WEIGHTS * deviation * s ** (-1.0 / alpha - 1.0))
    rest = np.sqrt(2.0 / np.pi) * last ** (0.5 - 1.0 / alpha) / (1.0 / alpha - 0.5)  # normal approximation
    return float(2.0 * c ** (1.0 / alpha) / alpha * (head + body + rest))


def _panels(end, count=None):
    """Gauss-Legendre nodes and weights on panels, of about _STEP unless their number is given, that fill [0, end]."""
    count = count or max(1, round(end / _STEP))
    half = 0.5 * end / count
    t = half * (2 * np.arange(count)[:, None] + 1.0 + _NODES)
    return t.ravel(), np.tile(half * _WEIGHTS, count)
