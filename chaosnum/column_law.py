"""The law of a column's norm, Y = |theta column|: start, linear decay and stable noise, for the types of noise.

A column in R^d starts at theta_0 ~ N(0, s^2 I), decays at rate gamma and receives noise of scale sigma for a time t
(theory: C1). Then it is s_0 G_0 + c X with X standard stable of its type (moments.py) and

    s_0 = s exp(-gamma t),    c = sigma ((1 - exp(-alpha gamma t)) / (alpha gamma))^(1/alpha),

sigma t^(1/alpha) at gamma = 0, and smaller by sqrt 2 under the convention III-paper. An interacting drift is left out:
a bounded one moves Y by a bounded amount, so C below stays the same and the rest holds approximately.

What compressibility needs of Y, in C5's letters: the (1 - kappa)-quantile q, ``M = E[Y^p; Y <= q]``, the constant C of
``P(Y > r) ~ C r^-alpha``, and m, the moment that is left when the tail is taken out (column_transform.py); for
p < alpha it is E Y^p itself.

How each is found, with its accuracy
------------------------------------
* One stable scalar (d = 1, or Type I from a start at 0): the stable law, 1e-12.
* Type III, and d = 1 with a random start: given A the column is Gaussian; an integral over A (column_mixture.py), 1e-9.
* Types I and II otherwise: the Laplace transform of Y^2 is known, and inverted to an absolute 1e-9
  (column_transform.py).
* M by parts, ``int_0^q p r^(p-1) [P(Y > r) - kappa] dr``, adaptively in log r, relative error 1e-8.
* Alpha = 2: chi laws.

A law of data has the same interface: the norms of someone's columns, with a fitted alpha (column_sample.py).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri, gammaln

from chaosnum import check, column_mixture, column_transform, moments, positive_law, stable_law
from chaosnum.column_sample import SampleLaw

__all__ = ["ColumnLaw", "SampleLaw", "column_law"]

KINDS = ("I", "II", "III", "III-paper")
LOW_ALPHA = 0.1
MOST_DIM = 10**6  # some 10 s; the work grows like its square root, and so does the transforms' memory
PANEL = 12  # points


@dataclass(frozen=True)
class ColumnLaw:
    """The law of ``|s_0 G_0 + c X|``; made by :func:`column_law`.

    Attributes
    ----------
    alpha : float
    noise : str
    dim : int
    scale, start : float
        c > 0 and s_0 >= 0.
    """

    alpha: float
    noise: str
    dim: int
    scale: float
    start: float

    @property
    def tail_constant(self):
        """C in ``P(Y > r) ~ C r^-alpha``; 0 at alpha = 2."""
        kind = "III" if self.noise == "III-paper" else self.noise
        return moments.tail_constant(kind, self.alpha, self.dim) * self.scale**self.alpha

    def sf(self, r):
        """P(Y > r) -> float64 array of the shape of `r`, r >= 0."""
        r = np.asarray(r, dtype=np.float64)
        if self._single:
            return 2.0 * stable_law.sf(r / self._single, self.alpha)
        if self._variance:
            return chdtrc(self.dim, r * r / self._variance)
        return _interpolated(np.atleast_1d(r).ravel(), self).reshape(r.shape)

    def threshold(self, kappa):
        """The q with P(Y > q) = kappa -> float."""
        if self._single:
            return float(-stable_law.ppf(0.5 * kappa, self.alpha)) * self._single
        if self._variance:
            return float(np.sqrt(self._variance * chdtri(self.dim, kappa)))

        def excess(w):
            return float(np.log(max(self.sf(np.exp(w)), 1e-300)) - np.log(kappa))

        low = high = np.log(self._size)
        while excess(low) < 0.0:
            low -= 1.0
        while excess(high) > 0.0:
            high += 2.0
        return float(np.exp(brentq(excess, low, high, xtol=1e-12)))

    def below(self, q, kappa, p):
        """``E[Y^p; Y <= q]`` for the q with P(Y > q) = kappa -> float."""
        top = np.log(q)
        # Left of the last edge r^p is below 1e-17 of its value at the median or at q
        low = min(top, np.log(self._size)) - 40.0 / p
        edges = np.concatenate([[low], top - np.geomspace(top - low, 0.25, 12)[1:], [top]])

        def mass(w):
            return p * np.exp(p * (w - top)) * (self.sf(np.exp(w)) - kappa)

        return float(_integrate(mass, edges) * np.exp(p * top))

    def moment(self, p):
        """``E Y^p``; infinite for p >= alpha < 2 -> float."""
        if self.alpha < 2.0:
            return self.regularised_moment(p) if p < self.alpha else np.inf
        variance = self._variance or (2.0 * self.scale**2 if self.dim == 1 else 0.0)
        if variance:
            half = 0.5 * self.dim
            return float(np.exp(0.5 * p * np.log(2.0 * variance) + gammaln(half + 0.5 * p) - gammaln(half)))
        return self.below(60.0 * self._size, 0.0, p)

    def regularised_moment(self, p):
        """m of C5, 0 < p < 2 alpha, p != alpha; from p = 2 alpha on 0, but for p = 2 -> float.

        m enters the sum of n columns at the relative order n^(1 - p/alpha), which beyond 2 alpha is smaller
        than the 1/n of the tail's own second term; for p = 2 it is d s_0^2 whatever alpha.
        """
        if p == 2.0:
            return self.dim * self.start**2
        if p >= 2.0 * self.alpha:
            return 0.0
        if self._single or self._mixed:
            scale, dim = (self._single, 1) if self._single else (self.scale, self.dim)
            one = column_transform.regularised_moment(p, self.alpha, scale, self.start, 1, 0)
            ratio = gammaln(0.5 * (dim + p)) - gammaln(0.5 * dim) - gammaln(0.5 * (1.0 + p)) + gammaln(0.5)
            return float(one * np.exp(ratio))
        return column_transform.regularised_moment(p, *self._transform)

    @property
    def _single(self):
        """Scale of Y as one stable scalar, 0 if it is none."""
        if self.start or (self.dim > 1 and self.noise != "I"):
            return 0.0
        return self.scale * self.dim**0.5

    @property
    def _variance(self):
        """Variance of a component at alpha = 2 if the components are independent, else 0."""
        if self.alpha < 2.0 or (self.dim > 1 and self.noise == "I"):
            return 0.0
        return 2.0 * self.scale**2 + self.start**2

    @property
    def _mixed(self):
        return self.dim == 1 or self.noise.startswith("III")

    @property
    def _transform(self):
        """alpha, noise, start, factors and normal of column_transform."""
        if self.noise == "I":
            return self.alpha, self.scale * self.dim**0.5, self.start, 1, self.dim - 1
        return self.alpha, self.scale, self.start, self.dim, 0

    @property
    def _size(self):
        return self.dim**0.5 * math.hypot(2.0**0.5 * self.scale, self.start)


def column_law(alpha, *, noise="II", dim=1, sigma=1.0, time=1.0, init_scale=0.0, decay=0.0):
    """The law of a column's norm.

    Parameters
    ----------
    alpha : float
        Tail index, in [0.1, 2]; below 2 at most 1.99998.
    noise : {"I", "II", "III", "III-paper"}
    dim : int
        Components of a column, d, at most 10^6.
    sigma, time : float
        Noise scale and time, > 0.
    init_scale : float
        Standard deviation of a component at the start, >= 0.
    decay : float
        Rate gamma >= 0 of a linear decay.

    Returns
    -------
    ColumnLaw

    Raises
    ------
    ValueError
        A parameter outside its range.
    """
    alpha = check.in_range("alpha", alpha, LOW_ALPHA, 2.0, open_low=False)
    if 2.0 * positive_law.HIGHEST < alpha < 2.0:
        raise ValueError(f"alpha must be 2 or at most {2.0 * positive_law.HIGHEST}, got {alpha!r}")
    noise, dim = check.one_of("noise", noise, KINDS), check.whole("dim", dim, 1, MOST_DIM)
    sigma, time = check.positive("sigma", sigma), check.positive("time", time)
    start, decay = check.nonnegative("init_scale", init_scale), check.nonnegative("decay", decay)
    age = -np.expm1(-alpha * decay * time) / (alpha * decay) if decay > 0.0 else time
    scale = sigma * age ** (1.0 / alpha) * (0.5**0.5 if noise == "III-paper" else 1.0)
    law = ColumnLaw(alpha, noise, dim, float(scale), float(start * np.exp(-decay * time)))
    if not (1e-60 < law.scale and law._size < 1e60):
        raise ValueError(f"the scale of a column must lie in (1e-60, 1e60), got {law.scale:g} and {law.start:g}")
    return law


def _interpolated(r, law):
    """P(Y > r), shape (m,), from panels in log r: a value costs a millisecond, and most points share a panel."""
    with np.errstate(divide="ignore"):
        w, length = np.log(r / law._size), min(0.5, 1.5 / np.sqrt(law.dim))
    # So far in, P(Y <= r) < 1e-12: at most the density at 0 times the volume of the ball
    d, crowd = law.dim, gammaln(1.0 + 1.0 / law.alpha)
    crowd = max(crowd, (gammaln(1.0 + d / law.alpha) - gammaln(1.0 + 0.5 * d)) / d)
    out = np.ones_like(r)
    inner = w > -3.0 - 28.0 / d - crowd
    panel = np.floor(w / length)
    for j in np.unique(panel[inner]):
        at = inner & (panel == j)
        out[at] = chebyshev.chebval(2.0 * (w[at] / length - j) - 1.0, _tail_panel(law, float(j) * length, length))
    return np.clip(out, 0.0, 1.0)


@lru_cache(maxsize=4096)
def _tail_panel(law, left, length):
    """Chebyshev coefficients of P(Y > size exp(w)) for w in a panel."""
    x = chebyshev.chebpts1(PANEL)
    r = law._size * np.exp(left + 0.5 * length * (1.0 + x))
    if law._mixed:
        values = column_mixture.tail(r, law.alpha, law.scale, law.start, law.dim)
    else:
        values = column_transform.tail(r * r, *law._transform)
    return chebyshev.chebfit(x, values, PANEL - 1)


def _integrate(function, edges, accuracy=1e-8, depth=10):
    """int function, Gauss-Legendre on panels that are halved (`depth` times) until they agree with their halves."""
    nodes, weights = np.polynomial.legendre.leggauss(10)

    def panels(left, right):
        half = 0.5 * (right - left)
        points = left[:, None] + half[:, None] * (1.0 + nodes)
        return half * (function(points.ravel()).reshape(points.shape) @ weights)

    left, right = edges[:-1], edges[1:]
    value, done = panels(left, right), 0.0
    for _ in range(depth):
        middle = 0.5 * (left + right)
        first, second = panels(left, middle), panels(middle, right)
        total = abs(done + np.sum(first + second))
        good = np.abs(first + second - value) <= accuracy * total
        done += np.sum((first + second)[good])
        left, right = np.concatenate([left[~good], middle[~good]]), np.concatenate([middle[~good], right[~good]])
        value = np.concatenate([first[~good], second[~good]])
        if not left.size:
            break
    return done + np.sum(value)
