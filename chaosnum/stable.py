"""The standard symmetric alpha-stable (SaS) law: characteristic function exp(-|k|^alpha), alpha in (0, 2].

At alpha = 2 this is N(0, 2), at alpha = 1 the Cauchy law. For alpha < 2 the tails are P(X > r) ~ c r^-alpha, so the
variance is infinite, and for alpha <= 1 the mean as well.

Here are the draws. Density, distribution function, quantiles and moments are computed in stable_law.py, those of the
positive law in positive_law.py; all have their public names here.

Sampling
--------
Chambers, Mallows and Stuck (1976): with U uniform on (-pi/2, pi/2) and W standard exponential,

    X = sin(alpha U) / cos(U)^(1/alpha) * (cos((1 - alpha) U) / W)^((1 - alpha)/alpha).

Collecting the powers of cos U leaves a single power, whose exponent vanishes at the Cauchy law,

    X = sin(alpha U) / cos U * R^beta,    R = W cos U / cos((1 - alpha) U),    beta = (alpha - 1)/alpha,

and at alpha = 2 the formula is Box and Muller's, 2 sqrt(W) sin U. Accuracy near the ends comes from the variable
v = 1 - 2|U|/pi in (0, 1], uniform and resolved finely at v = 0, where the far tail comes from. All three trigonometric
factors are values of S(x) = sin(pi x/2) on [0, 1] whose arguments keep their *relative* accuracy:

    cos U             = S(v)
    cos((1-alpha) U)  = S((1 - |alpha-1|) + |alpha-1| v)
    |sin(alpha U)|    = S(min((2 - alpha) + alpha v, alpha (1 - v)))

What goes wrong in the textbook form: U itself cannot resolve the distance to pi/2 below 1e-16, so tail probabilities
near 1e-16 are wrong; (1 - alpha)/alpha next to log W loses digits near alpha = 1; and in float32 one draw in ten
million is not finite.

The positive law A with E exp(-s A) = exp(-s^a), a in (0, 1), which makes sqrt(2 A) times a Gaussian vector a
rotationally invariant stable one (a = alpha/2), is Kanter's (1975): with U uniform on (0, pi) and W exponential,

    A = sin(a U)/sin U * R^beta,    R = sin((1 - a) U) / (W sin U),    beta = (1 - a)/a.

References: J. M. Chambers, C. L. Mallows, B. W. Stuck, JASA 71 (1976) 340-344; M. Kanter,
Ann. Probab. 3 (1975) 697-707; J. P. Nolan, Univariate Stable
Distributions, Springer 2020, Theorem 1.3.
"""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numba import uint64

from chaosnum import check
from chaosnum.jit import as_bits, as_float, fma, horner, inline, kernel
from chaosnum.philox import POSITIVE_SAMPLE, SAMPLE, address, philox, signed_uniform
from chaosnum.positive_law import cdf as cdf_positive
from chaosnum.positive_law import ppf as ppf_positive
from chaosnum.positive_law import sf as sf_positive
from chaosnum.simdmath import EXP2, LN2, log2_1p, nearest, sin_half_pi, split
from chaosnum.stable_law import cdf, moment, pdf, ppf, sf, tail_constant

__all__ = [
    "cdf", "cdf_positive", "moment", "pdf", "ppf", "ppf_positive", "rvs", "rvs_positive", "sf", "sf_positive",
    "tail_constant",
]  # fmt: skip

BLOCK = 512  # particles that are worked on together: their buffers stay in the first-level cache
_SIGN = uint64(0x8000000000000000)
_SQRT_HALF = 0.7071067811865476
_BELOW_ONE = 1.0 - 2.0**-53
_STEEP = 1e9  # an exponent beyond it sends every draw to 0 or infinity


@lru_cache
def shape(alpha):
    """The numbers that the sampling kernels need of alpha in (0, 2].

    Returns
    -------
    tuple of 8 float
        alpha, |alpha - 1|, 1 - |alpha - 1|, 2 - alpha, beta = (alpha - 1)/alpha in two parts, and the range that the
        exponent beta log2 R is cut to (beyond it the draw is 0 or infinite in double precision).
    """
    alpha = check.stable_index(alpha)
    beta = max((alpha - 1.0) / alpha, -_STEEP)
    rest = float((Fraction(alpha) - 1) / Fraction(alpha) - Fraction(beta)) if beta > -_STEEP else 0.0
    distance = abs(alpha - 1.0)
    return alpha, distance, (2.0 - alpha if alpha >= 1.0 else alpha), 2.0 - alpha, beta, rest, -1023.0, 1024.0


@inline
def exponential(t):
    """-log u for t = u or, where u > 1/2, t = u - 1: relatively accurate at both ends of (0, 1)."""
    u = t if t > 0.0 else 1.0 + t
    e, m = split(u)
    f = t if u >= _SQRT_HALF else m - 1.0  # there u - 1 is known exactly, and u only to 1e-16
    return -LN2 * (e + log2_1p(f))


@inline
def _angle(v, w, law):
    """The factor sin(alpha U)/cos U, with its sign, and R = w cos U / cos((1 - alpha) U)."""
    alpha, distance, rest, two_minus_alpha = law[0], law[1], law[2], law[3]
    sign = as_bits(v) & _SIGN
    v = abs(v)
    far, near = fma(alpha, v, two_minus_alpha), alpha * (1.0 - v)
    cosine = sin_half_pi(v)
    cosine_rest = sin_half_pi(fma(distance, v, rest))
    sine = sin_half_pi(far if far < near else near)
    inverse = 1.0 / (cosine * cosine_rest)
    factor = sine * (cosine_rest * inverse)
    return as_float(as_bits(factor) | sign), (w * cosine) * (cosine * inverse)


@inline
def _power(factor, ratio, law):
    """factor * ratio^beta; the whole part of beta log2(ratio) never meets the fraction, so no digit is lost."""
    beta, beta_rest, low, high = law[4], law[5], law[6], law[7]
    e, m = split(ratio)
    fraction = log2_1p(m - 1.0)
    y = beta * (e + fraction)
    y = y if y < high else high
    y = y if y > low else low
    k, scale = nearest(y)
    r = fma(beta, fraction, fma(beta_rest, e, fma(beta, e, -k)))
    return factor * (horner(r, EXP2) * scale)


@inline
def draw_block(x, scratch, n, law, seed, replica, first, step, component, stream):
    """Standard SaS draws of particles first, ..., first + n - 1 at one step and component, into x[:n].

    `first` is a multiple of BLOCK and n <= BLOCK, so the high word of the particle number is the same in a block;
    scratch holds n numbers. Four short loops: their buffers are in cache, and each loop's chain of dependent
    operations is short enough for the processor to overlap its iterations.
    """
    x0, x1, x2, x3, k0, k1 = address(seed, replica, first, step, component, stream)
    for i in range(n):
        a, b, c, d = philox(x0 + uint64(i), x1, x2, x3, k0, k1)
        x[i] = 2.0 * signed_uniform(a, b)
        scratch[i] = signed_uniform(c, d)
    for i in range(n):
        scratch[i] = exponential(scratch[i])
    for i in range(n):
        x[i], scratch[i] = _angle(x[i], scratch[i], law)
    for i in range(n):
        x[i] = _power(x[i], scratch[i], law)


@inline
def _kanter(v, w, law):
    """sin(a U)/sin U and R, from |v| = 1 - U/pi in (0, 1): the far tail comes from v = 0."""
    a, one_minus_a = law[0], law[1]
    v = abs(v)
    v = v if v < _BELOW_ONE else _BELOW_ONE  # at v = 1 both are 0/0
    u = 1.0 - v
    x, y, z = 2.0 * v, 2.0 * a * u, 2.0 * one_minus_a * u
    x_back, y_back, z_back = 2.0 * u, fma(2.0 * a, v, 2.0 * one_minus_a), fma(2.0 * one_minus_a, v, 2.0 * a)
    inverse = 1.0 / sin_half_pi(x if x < x_back else x_back)  # 1 / sin U
    sine = sin_half_pi(y if y < y_back else y_back)
    sine_rest = sin_half_pi(z if z < z_back else z_back)
    return sine * inverse, sine_rest * inverse / w


@inline
def positive_block(x, scratch, n, law, seed, replica, first, step, component, stream):
    """Positive stable draws, as `draw_block`; `law` comes from `positive_shape`."""
    x0, x1, x2, x3, k0, k1 = address(seed, replica, first, step, component, stream)
    for i in range(n):
        a, b, c, d = philox(x0 + uint64(i), x1, x2, x3, k0, k1)
        x[i] = 2.0 * signed_uniform(a, b)
        scratch[i] = signed_uniform(c, d)
    for i in range(n):
        scratch[i] = exponential(scratch[i])
    for i in range(n):
        x[i], scratch[i] = _kanter(x[i], scratch[i], law)
    for i in range(n):
        x[i] = _power(x[i], scratch[i], law)


@lru_cache
def positive_shape(a):
    """The numbers that the kernels need of a positive stable law of index a in (0, 1) -> tuple of 8 float."""
    a = check.in_range("alpha", a, 0.0, 1.0, open_high=True)
    beta = min((1.0 - a) / a, _STEEP)
    rest = float((1 - Fraction(a)) / Fraction(a) - Fraction(beta)) if beta < _STEEP else 0.0
    return a, 1.0 - a, 0.0, 0.0, beta, rest, -1023.0, 1024.0


@inline
def draw(out, scratch, law, seed, replica, first, step, component, stream):
    """Standard SaS draws of particles first, first + 1, ... into the vector `out`; `first` is a multiple of BLOCK."""
    for start in range(0, out.size, BLOCK):
        block = out[start : start + BLOCK]
        draw_block(block, scratch, block.size, law, seed, replica, first + start, step, component, stream)


@kernel
def _rvs(out, law, scale, seed):
    draw(out, np.empty(BLOCK), law, seed, 0, 0, 0, 0, SAMPLE)
    for i in range(out.size):
        out[i] *= scale


def rvs(alpha, size, *, seed, scale=1.0):
    """Draws of the symmetric alpha-stable law.

    Parameters
    ----------
    alpha : float
        Tail index, in (0, 2]; 2 gives N(0, 2 scale^2).
    size : int or tuple of int
        Shape of the result. A longer sample begins with the shorter one.
    seed : int
        0 <= seed < 2^64. Equal seeds give equal draws, on any number of threads.
    scale : float, default 1
        The draws have characteristic function exp(-(scale |k|)^alpha).

    Returns
    -------
    ndarray of float64, shape `size`
        Each draw is within 2e-15, relatively, of the exact value for its uniforms (alpha >= 1). Finite for
        alpha >= 1; for alpha below 0.12 a draw can exceed the range of double precision, and is then infinite.

    Raises
    ------
    ValueError
        alpha outside (0, 2], scale not positive, a negative size, or a seed out of range.
    """
    law = shape(check.stable_index(alpha))  # checked first: the cache of shape() takes True for 1
    scale = check.positive("scale", scale)
    seed = check.seed(seed)
    dims = check.shape(size)
    out = np.empty(math.prod(dims))
    _rvs(out, law, scale, seed)
    return out.reshape(dims)


@kernel
def _rvs_positive(out, law, seed):
    scratch = np.empty(BLOCK)
    for start in range(0, out.size, BLOCK):
        block = out[start : start + BLOCK]
        positive_block(block, scratch, block.size, law, seed, 0, start, 0, 0, POSITIVE_SAMPLE)


def rvs_positive(alpha, size, *, seed):
    """Draws of the positive stable law with Laplace transform exp(-s^alpha), alpha in (0, 1).

    Parameters
    ----------
    alpha : float
        Index, in (0, 1). The subordinator of Type III noise of index alpha is the one of index alpha/2.
    size : int or tuple of int
        Shape of the result.
    seed : int
        0 <= seed < 2^64.

    Returns
    -------
    ndarray of float64, shape `size`

    Raises
    ------
    ValueError
        alpha outside (0, 1), a negative size, or a seed out of range.
    """
    law = positive_shape(check.in_range("alpha", alpha, 0.0, 1.0, open_high=True))
    seed, dims = check.seed(seed), check.shape(size)
    out = np.empty(math.prod(dims))
    _rvs_positive(out, law, seed)
    return out.reshape(dims)
