"""QSGD's quantiser with s levels: what it sends, its exact variance, and the bounds it obeys.

Definition. For v in R^d and u_i = |v_i| / |v|_2 in [0, 1], with s levels,

    Q(v)_i = |v|_2 sgn(v_i) l_i / s,      l_i in {floor(s u_i), floor(s u_i) + 1},     E l_i = s u_i,     Q(0) = 0,

independently for each i. Here |v|_2 is rounded *up* to a 32-bit float before anything else, as the message has it: so
what is sent is bit for bit what is decoded, and since u_i stays at most 1, Q stays exactly unbiased. (Rounding the
norm of the finished Q(v) would bias it by up to 6e-8.)

Exact moments, with p_i the fractional part of s u_i:

    E Q(v) = v,    omega(v) = E|Q(v) - v|^2 / |v|^2 = sum p_i (1 - p_i) / s^2,    E nonzeros = sum min(1, s u_i).

Lemma (Alistarh, Grubic, Li, Tomioka, Vojnovic, NIPS 2017): omega(v) <= min(d/s^2, sqrt(d)/s), E nonzeros <=
s (s + sqrt(d)).

The sharp constant, derived here: sup_v omega(v) = sqrt(d)/s - 1 for s <= sqrt(d)/2, attained by equal entries; beyond,
omega(v) <= d/(4 s^2). Proof. phi(t) = p (1 - p) with p the fractional part of t is at most 1/4, hence the second. For
the first let t_i = s u_i, so that sum t_i^2 = s^2, and t_0 = s/sqrt(d) <= 1/2, lambda = 1/(2 t_0) - 1 >= 0. On [0, 1)
phi(t) - lambda t^2 = t - (1 + lambda) t^2 is largest at t_0; a larger t has the same phi as its fractional part and a
larger t^2. So sum phi(t_i) <= d (phi(t_0) - lambda t_0^2) + lambda s^2 = d phi(t_0) = s^2 (sqrt(d)/s - 1). It is
smaller than the lemma's bound by 1 or by a factor of up to 4.

Uniform directions. u_1^2 ~ Beta(1/2, (d-1)/2), so omega and the share of nonzeros are integrals over one variable:
`mean_variance`, `mean_nonzeros`; at s = 1, omega = d E|u_1| - 1, about sqrt(2 d/pi) - 1. SGD's omega weights gradients
by |g|^2, which is the same where their direction is uniform and independent of their length.

What goes wrong: rounding to the nearest level has a smaller error and is biased: with s = 1 nearly every gradient
becomes 0 and nothing moves. Dividing by another s than the sender's scales every step.
"""

import math

import numpy as np
from scipy import integrate, special

from chaosnum.check import finite_array, whole
from chaosnum.planted_relu_sender import sender

MOST_LEVELS = 2**31 - 1
MOST_PIECES = 10**5  # levels of an integral over a uniform direction, which has a piece for each


class Quantiser:
    """QSGD's quantiser with `levels` levels.

    Parameters
    ----------
    levels : int, at least 1
        s.
    """

    batched = True  # `quantise` takes many vectors at once

    def __init__(self, levels):
        self.levels = whole("levels", levels, 1, MOST_LEVELS)

    def split(self, v, rng):
        """What the message holds.

        Parameters
        ----------
        v : array_like, float64, shape (..., d)
        rng : numpy.random.Generator

        Returns
        -------
        scale : ndarray, float32, shape (...)
            The norms, rounded up; 0 where all levels are.
        level : ndarray, int64, shape (..., d)
            ``sgn(v_i) l_i``, from -s to s.
        """
        v = _vectors(v)
        norm = norms(v)
        share = np.abs(v) / np.where(norm > 0.0, norm, 1.0)[..., None].astype(np.float64) * self.levels
        low = np.floor(share)
        size = low + (rng.random(v.shape) < share - low)
        size = np.minimum(size, self.levels)  # s u_i can round to a hair above s
        level = (np.sign(v) * size).astype(np.int64)
        return np.where(level.any(axis=-1), norm, np.float32(0.0)), level

    def join(self, scale, level):
        """The vectors behind `split`'s numbers -> ndarray, float64, shape (..., d)."""
        return np.asarray(scale, dtype=np.float64)[..., None] * (level / self.levels)

    def quantise(self, v, rng):
        """Q(v) -> ndarray, float64, shape (..., d).

        Parameters
        ----------
        v : array_like, float64, shape (..., d)
        rng : numpy.random.Generator

        Raises
        ------
        ValueError
            Numbers that are not finite, or a norm beyond a 32-bit float's range.
        """
        return self.join(*self.split(v, rng))

    def variance(self, v):
        """omega(v) = E|Q(v) - v|^2 / |v|^2, exactly -> ndarray, float64, shape (...); 0 for v = 0."""
        part = self._shares(v) % 1.0
        return (part * (1.0 - part)).sum(axis=-1) / self.levels**2

    def nonzeros(self, v):
        """Expected number of components that are not 0 -> ndarray, float64, shape (...)."""
        return np.minimum(self._shares(v), 1.0).sum(axis=-1)

    def mean_variance(self, dim):
        """omega of a uniform direction in R^d -> float; for at most 1e5 levels."""
        dim = whole("dim", dim, 1)
        return dim * _mean(self._phi, dim, self.levels) / self.levels**2

    def mean_nonzeros(self, dim):
        """Expected number of nonzeros for a uniform direction in R^d -> float; for at most 1e5 levels."""
        dim = whole("dim", dim, 1)
        return dim * _mean(lambda t: min(t, 1.0), dim, self.levels)

    def _shares(self, v):
        """s u_i, with the exact norm."""
        v = _vectors(v)
        norm = _norm(v)
        return np.abs(v) / np.where(norm > 0.0, norm, 1.0)[..., None] * self.levels

    @staticmethod
    def _phi(t):
        return (t % 1.0) * (1.0 - t % 1.0)


def stated_variance(dim, levels):
    """The lemma's bound of omega, ``min(d/s^2, sqrt(d)/s)`` -> float."""
    dim, levels = whole("dim", dim, 1), whole("levels", levels, 1)
    return min(dim / levels**2, math.sqrt(dim) / levels)


def stated_nonzeros(dim, levels):
    """The lemma's bound of the expected number of nonzeros, ``s (s + sqrt(d))`` -> float."""
    dim, levels = whole("dim", dim, 1), whole("levels", levels, 1)
    return levels * (levels + math.sqrt(dim))


def sharp_variance(dim, levels):
    """The derived bound of omega: ``sqrt(d)/s - 1`` for s <= sqrt(d)/2 (attained), else ``d/(4 s^2)`` -> float."""
    dim, levels = whole("dim", dim, 1), whole("levels", levels, 1)
    return math.sqrt(dim) / levels - 1.0 if 2 * levels <= math.sqrt(dim) else dim / (4.0 * levels**2)


def weighted_variance(quantiser, gradients, rng, draws=1):
    """omega of any quantiser, ``E|Q(g) - g|^2 / E|g|^2`` over given gradients, by drawing -> float.

    Weighted by |g|^2: batches without an active row have g = 0 and count for nothing.

    Parameters
    ----------
    quantiser : object with `quantise(v, rng)`, or such a function
    gradients : array_like, float64, shape (G, d)
    rng : numpy.random.Generator
    draws : int, default 1
        Draws of Q for each gradient.

    Raises
    ------
    ValueError
        All gradients are zero: omega is not defined. A quantiser that returns anything else than finite floats of the
        right shape.
    """
    g = finite_array("gradients", gradients, ndim=2)
    if not g.any():
        raise ValueError("gradients must not all be zero, or omega is not defined, got zeros only")
    g = np.repeat(g, whole("draws", draws, 1), axis=0)
    unit = np.abs(g).max()  # so that no square overflows
    return float((((sender(quantiser, g.shape)(g, rng) - g) / unit) ** 2).sum() / ((g / unit) ** 2).sum())


def norms(v):
    """Euclidean norms rounded up to 32-bit floats -> ndarray, float32, shape (...)."""
    exact = _norm(v)
    if exact.size and exact.max() > np.finfo(np.float32).max:
        raise ValueError(f"|v| must be at most 3.4e38, the largest 32-bit float, got {exact.max():.3g}")
    rounded = exact.astype(np.float32)
    return np.where(rounded < exact, np.nextafter(rounded, np.float32(np.inf)), rounded)


def _norm(v):
    """Norms without overflow or underflow of the squares."""
    size = np.abs(v).max(axis=-1)
    unit = np.where(size > 0.0, size, 1.0)
    return size * np.sqrt(((v / unit[..., None]) ** 2).sum(axis=-1))


def _vectors(v):
    v = finite_array("v", v)
    if v.ndim < 1 or v.shape[-1] < 1:
        raise ValueError(f"v must have shape (..., d) with d >= 1, got {v.shape}")
    return v


def _mean(function, dim, levels):
    """E function(s |u_1|), u uniform on the unit sphere of R^d; function has kinks at whole numbers."""
    whole("levels", levels, 1, MOST_PIECES)
    if dim == 1:
        return function(float(levels))
    if dim == 2:  # the density of |u_1| is infinite at 1: integrate over the angle
        kinks = [math.acos(k / levels) for k in range(levels, -1, -1)]
        parts = [integrate.quad(lambda a: function(levels * math.cos(a)), *ends)[0] for ends in zip(kinks, kinks[1:])]
        return 2.0 / math.pi * math.fsum(parts)
    constant = 2.0 * math.exp(special.gammaln(dim / 2) - special.gammaln((dim - 1) / 2)) / math.sqrt(math.pi)
    reach = levels * min(1.0, 12.0 / math.sqrt(dim))  # beyond 12 standard deviations nothing is left
    kinks = [*range(math.ceil(reach)), reach]
    parts = [
        integrate.quad(lambda t: function(t) * (1.0 - (t / levels) ** 2) ** ((dim - 3) / 2), *ends)[0]
        for ends in zip(kinks, kinks[1:])
    ]
    return constant / levels * math.fsum(parts)
