"""The squared norm of a column, by its Laplace transform: tail probabilities and the regularised moment.

A column in R^d with independent Gaussian start and stable noise, Y = |s_0 G_0 + c X|. For a Gaussian g independent of
everything E exp(i sqrt(2u) g y) = exp(-u y^2), so with independent components (Type II, or one component)

    E exp(-u Y^2) = phi(u)^d,    phi(u) = E exp(-z),    z = c^alpha (2u)^(alpha/2) |g|^alpha + s_0^2 u g^2.

Under Type I the noise moves along the diagonal only: there the factor is phi with c sqrt(d) for c, and the other d - 1
directions give (1 + 2 u s_0^2)^(-(d-1)/2).

Tail
----
P(Y^2 > s) has the transform (1 - L(u))/u. It is inverted at s by the Euler algorithm (Abate and Whitt 1995): a Fourier
series along Re u = A/(2s), summed with binomial weights; the discretisation error is exp(-A) P(Y^2 > 3s). 1 - L is
computed as such, so a far tail keeps relative accuracy. For complex u the integral over g is taken along the ray of
angle -arg(u)/4: there every exponent of the integrand stays within pi/4 of the negative axis, nothing oscillates, and
the trapezoidal rule in log g needs few nodes.

The arguments u_k = (A + 2 pi i k)/(2s) have the same angles whatever s, and z is a function of u g^2 alone. So with
log g and log s^(1/2) on one lattice, 1 - phi at every s of the lattice is a correlation of two sequences that are
computed once; between its points Lagrange's polynomial of degree 15 has its digits (in log s^(1/2) the singularities
of phi are pi/4 away or farther). A value then costs one logarithm a term, which is what makes hundreds of components
affordable.

Regularised moment
------------------
For p > alpha, E Y^p is infinite; what is left of it after the tail C r^-alpha is taken out,

    m(p) = int_0^inf p r^(p-1) [P(Y > r) - C r^-alpha] dr,      alpha < p < 2 alpha,

is the analytic continuation of p -> E Y^p beyond its pole at alpha. From
E Y^(2v) = v/Gamma(1-v) int (1 - L(u)) u^(-v-1) du it is, with 1 - L(u) = K u^(alpha/2) + l u + R(u),

    m(2v) = v/Gamma(1-v) [ int_0^1 R u^(-v-1) du + int_1^inf (1-L) u^(-v-1) du + K/(alpha/2-v) + l/(1-v) ],

l = d s_0^2; R is of order u^alpha and is summed as such. At v = 1 the bracket's last term meets the zero of
1/Gamma(1-v): m(2) = l. So for p = 2 only the start counts, whatever the noise.

Reference: J. Abate, W. Whitt, Numerical inversion of Laplace transforms, ORSA J. Computing 7 (1995) 36-43.
"""

from functools import lru_cache

import numpy as np
from scipy.special import binom, gamma, rgamma

EXPONENT = 24.0  # A: discretisation error exp(-24) = 4e-11; round-off is amplified by exp(A/2) = 2e5
TERMS, AVERAGED = 40, 16
SPACING = 0.06  # in log g: the strip of analyticity is pi/8 wide at least
LATTICE, BLOCK, POINTS = 0.03, 64, 16  # of log g and log s^(1/2) together; lattice points held as one; to interpolate


def tail(s, alpha, noise, start, factors, normal):
    """P(Y^2 > s); absolute error below 1e-10.

    Parameters
    ----------
    s : float64 array, shape (m,)
        Positive.
    alpha, noise, start : float
        Index, scale c >= 0 of the noise, scale s_0 >= 0 of the start, in one component.
    factors, normal : int
        Y^2 is the sum of `factors` components with noise and `normal` with none.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    size = np.sqrt(2.0 * noise**2 + start**2)  # a number of the order of one component
    # A sum of many components is nearly Gaussian: its transform must be followed until it has decayed.
    terms = TERMS + int(3.0 * np.sqrt(factors + normal))
    weights = binom(AVERAGED, np.arange(AVERAGED + 1)) / 2.0**AVERAGED
    k = np.arange(terms + AVERAGED + 1)
    signs = np.where(k % 2, -1.0, 1.0)
    signs[0] = 0.5
    at = s / size**2
    out = np.empty(s.shape)
    place = -0.5 * np.log(at) / LATTICE
    first = np.floor(place).astype(np.int64) - POINTS // 2 + 1
    lagrange = _lagrange(place - first)
    u = 0.5 * (EXPONENT + 2j * np.pi * k)
    for i in range(at.size):
        block, offset = divmod(int(first[i]), BLOCK)
        values = _lattice(alpha, noise / size, start / size, k.size, block)[offset : offset + POINTS]
        short = (lagrange[i] @ values).view(np.complex128)
        value = (_gone(short, u / at[i], start / size, factors, normal) / u).real * signs
        partial = np.cumsum(value)[terms:]
        out[i] = np.exp(0.5 * EXPONENT) * (weights @ partial)
    return np.clip(out, 0.0, 1.0)


@lru_cache(maxsize=64)
def _lattice(alpha, noise, start, terms, block):
    """1 - phi(u_k), k < `terms`, where log s^(-1/2) is LATTICE times BLOCK block + (0, ..., BLOCK + POINTS - 1).

    Returns
    -------
    ndarray of float64, shape (BLOCK + POINTS, 2 terms), real and imaginary parts in turn
    """
    u = 0.5 * (EXPONENT + 2j * np.pi * np.arange(terms))
    phase, half = -0.25 * np.angle(u)[:, None], 0.5 * np.log(np.abs(u))[:, None]
    m = BLOCK * block + np.arange(BLOCK + POINTS)
    # Below, what is left of the integral is of the relative order g^(1 + alpha)
    low = -max(0.0, float(half[-1, 0]) + LATTICE * m[-1]) - 34.0 / (1.0 + alpha)
    j = np.arange(int(low / LATTICE), int(2.6 / LATTICE))
    turned, g = np.exp(2j * phase), np.exp(LATTICE * j)
    density = np.exp(-0.5 * turned * (g * g)) * (np.exp(1j * phase) * LATTICE * np.sqrt(2.0 / np.pi) * g)
    v = half + LATTICE * np.arange(j[0] + m[0], j[-1] + m[-1] + 1)  # log (|u|^(1/2) g)
    stable = (noise * np.sqrt(2.0)) ** alpha * np.exp(alpha * v - 1j * alpha * phase)  # arg u = -4 phase
    gone = _one_minus_exp(stable + start**2 * np.exp(2.0 * v - 2j * phase))
    windows = np.lib.stride_tricks.sliding_window_view(gone, j.size, axis=1)
    return np.ascontiguousarray(np.einsum("kmj,kj->mk", windows, density)).view(np.float64)


def _lagrange(t):
    """Weights of the values at 0, ..., POINTS - 1 for the polynomial's value at t, shape (m,) -> (m, POINTS)."""
    node = np.arange(POINTS)
    away = t[:, None] - node
    out = np.empty(away.shape)
    for i in node:
        rest = node != i
        out[:, i] = np.prod(away[:, rest] / (i - node[rest]), axis=1)
    return out


def _missing(u, alpha, noise, start, factors, normal):
    """1 - L(u) for complex u, accurate where it is small."""
    phase = -0.25 * np.angle(u)
    w = np.arange(-0.5 * np.log(max(1.0, np.abs(u).max())) - 24.0, 2.6, SPACING)
    g = np.exp(w)  # times exp(i phase)
    turned = np.exp(2j * phase)
    stable = (noise * np.sqrt(2.0 * np.abs(u))) ** alpha * np.exp(1j * alpha * (0.5 * np.angle(u) + phase))
    z = stable[:, None] * g**alpha + (start**2 * u * turned)[:, None] * (g * g)
    density = np.exp((-0.5 * turned)[:, None] * (g * g)) * (SPACING * np.sqrt(2.0 / np.pi) * g)
    short = np.exp(1j * phase) * np.einsum("ij,ij->i", _one_minus_exp(z), density)
    return _gone(short, u, start, factors, normal)


def _one_minus_exp(z):
    """1 - exp(-z), in real functions: NumPy's complex expm1 is slow."""
    x, y = z.real, z.imag
    half = np.sin(0.5 * y)
    falling = np.expm1(-x)
    return 2.0 * half * half * (1.0 + falling) - falling + 1j * (1.0 + falling) * np.sin(y)


def _gone(short, u, start, factors, normal):
    """1 - L(u) from 1 - phi(u)."""
    near = np.abs(short) < 0.5
    log_phi = np.where(near, _log1p(np.where(near, -short, 0.0)), np.log(np.where(near, 1.0, 1.0 - short)))
    return -np.expm1(factors * log_phi - 0.5 * normal * _log1p(2.0 * u * start**2))


def _log1p(z):
    """log(1 + z) of complex z to full relative accuracy; NumPy's rounds the real part like 1 + z."""
    x, y = z.real, z.imag
    return 0.5 * np.log1p(x * (2.0 + x) + y * y) + 1j * np.arctan2(y, 1.0 + x)


def regularised_moment(p, alpha, noise, start, factors, normal):
    """m(p) of the module's docstring, alpha < p < 2 alpha -> float; relative error about 1e-9."""
    linear = (factors + normal) * start**2
    v = 0.5 * p
    if v == 1.0:
        return linear
    size = np.sqrt(2.0 * noise**2 + start**2)
    noise, start, linear = noise / size, start / size, linear / size**2
    absolute = 2.0 ** (0.5 * alpha) * gamma(0.5 * (1.0 + alpha)) / np.sqrt(np.pi)  # E|g|^alpha
    K = factors * (noise * np.sqrt(2.0)) ** alpha * absolute
    low = max(-40.0 / (alpha - v), -330.0 / alpha)  # below, R is c u^alpha (and close to underflow)
    head = _log_integral(lambda u: _remainder(u, alpha, noise, start, factors, normal) * u**-v, low, 0)
    head += float(_remainder(np.exp([low]), alpha, noise, start, factors, normal)[0] * np.exp(-v * low) / (alpha - v))
    rest = _log_integral(lambda u: _missing(u + 0j, alpha, noise, start, factors, normal).real * u**-v, 0, 40.0 / v)
    bracket = head + rest + K / (0.5 * alpha - v)
    return float(size**p * v * (rgamma(1.0 - v) * bracket + linear * rgamma(2.0 - v)))


def _log_integral(function, low, high):
    """int function(u) du/u over log u in (low, high), Gauss-Legendre on panels."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, int(np.ceil((high - low) / 2.0)) + 1)
    total = 0.0
    for left, right in zip(edges[:-1], edges[1:]):
        half = 0.5 * (right - left)
        total += half * np.dot(weights, function(np.exp(left + half * (1.0 + nodes))))
    return total


def _remainder(u, alpha, noise, start, factors, normal):
    """R(u) = 1 - L(u) - K u^(alpha/2) - l u for real u <= 1, without cancellation."""
    w = np.arange(-40.0, 2.6, SPACING)
    density = SPACING * np.sqrt(2.0 / np.pi) * np.exp(w - 0.5 * np.exp(2.0 * w))
    z = (noise * np.sqrt(2.0 * u)[:, None] * np.exp(w)) ** alpha + start**2 * u[:, None] * np.exp(2.0 * w)
    psi, delta = -np.expm1(-z) @ density, _exponential_rest(z) @ density  # E z = psi + delta
    y = 2.0 * u * start**2
    power = -factors * np.log1p(-psi) + 0.5 * normal * np.log1p(y)  # L = exp(-power)
    # power - factors E z - normal s_0^2 u, from -log(1 - psi) - psi and log(1 + y) - y
    bend = factors * (_logarithm_rest(-psi) - delta) - 0.5 * normal * _logarithm_rest(y)
    return bend - _exponential_rest(power)


def _exponential_rest(z):
    """exp(-z) - 1 + z for z >= 0, relatively accurate."""
    series, term = np.zeros_like(z), np.ones_like(z)
    small = np.minimum(z, 0.5)
    for k in range(2, 18):
        term = term * (small if k > 2 else 0.5 * small * small) * (-1.0 / k if k > 2 else 1.0)
        series = series + term
    return np.where(z < 0.5, series, np.expm1(-z) + z)


def _logarithm_rest(y):
    """y - log(1 + y) for y > -1, relatively accurate."""
    # log(1 + y) = 2 artanh(t), t = y / (2 + y), and y - 2 t = y t
    t = y / (2.0 + y)
    small = np.where(np.abs(t) < 0.3, t, 0.0)
    square, series = small * small, np.zeros_like(t)
    for k in range(31, 1, -2):
        series = square * (1.0 / k + series)
    return np.where(np.abs(t) < 0.3, small * (y - 2.0 * series), y - np.log1p(y))
