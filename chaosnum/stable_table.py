r"""Expansions of the SaS law of one alpha, ready for the kernels of stable_law.py.

For x > 0 three expressions cover the law:

* near 0, the series in x^2 (convergent for alpha > 1, asymptotic for alpha < 1),
  density = 1/(pi alpha) sum_k (-1)^k Gamma((2k+1)/alpha) / (2k)! x^(2k);
* far out, the series in x^-alpha (convergent for alpha < 1, asymptotic for alpha > 1; Bergstroem 1952),
  P(X > x) = (1/pi) sum_k (-1)^(k+1) Gamma(k alpha) sin(pi k alpha/2) / k! x^(-k alpha);
* between them, polynomials on panels, made from Zolotarev's integral (zolotarev.py). The panels divide every octave
  of y = x (of x^alpha where alpha < 1, in which the law keeps its shape as alpha -> 0) into equal parts, so a
  number's leading bits are its panel's index.

Both series stop where the first omitted term is below 1e-18 of the sum, and the panels begin and end where at most 32
terms reach that: no point is left to a poor expansion.

Central probabilities P(0 < X < x) below 1/4 are kept as such, so that 1/2 - P(X > x) has all its digits where quantiles
near the median need them.

References: H. Bergstroem, Ark. Mat. 2 (1952) 375-378; J. P. Nolan, Univariate Stable Distributions, Springer 2020,
chapter 3.
"""

import math
from collections import namedtuple
from functools import lru_cache
from itertools import count

import mpmath
import numpy as np
from numpy.polynomial import chebyshev

from chaosnum import zolotarev

LOWEST = 0.05  # below it the density at 0, Gamma(1 + 1/alpha)/pi, passes 1e17, and a table takes seconds
TERMS = 32  # of the two series, at most
DEGREE = 16  # of the polynomials
_DROPPED = math.log(1e-18)

# `power`: y = x^alpha. The panels are those of y in [low, high), 2^bits to an octave; the one at `low` is number
# `first` of all; the first `centre` of them hold P(0 < X < x), the others P(X > x). `near` and `far` are the series.
Table = namedtuple(
    "Table", "alpha power bits first low high centre probability density near near_density far far_density"
)


@lru_cache(maxsize=256)
def table(alpha):
    """The expansions of one alpha in [0.05, 2), ends as above -> Table."""
    power = alpha < 1.0
    low, near_terms = _where_near_ends(alpha)
    high, far_terms = _where_far_begins(alpha)
    near, near_density = _near_zero(alpha, near_terms)
    far, far_density = _far_out(alpha, far_terms)
    # Gaussian decay (alpha near 2) and the density's steep decay for small alpha need narrower panels.
    bits = 4 if alpha >= 1.5 else 2 + max(0, math.ceil(math.log2(0.3 / alpha)))
    parts = 2**bits
    left = np.concatenate([2.0**octave * (1.0 + np.arange(parts) / parts) for octave in range(low, high)])
    width = np.repeat(2.0 ** np.arange(low, high), parts) / parts
    nodes = np.cos(math.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    y = left[:, None] + width[:, None] * (0.5 + 0.5 * nodes)
    x = y ** (1.0 / alpha) if power else y
    tail, middle, density = zolotarev.law(alpha, x.ravel()).reshape(3, *x.shape)
    centre = int(np.searchsorted(middle.max(axis=1), 0.25))
    probability = np.concatenate([middle[:centre], tail[centre:]])
    first = int(np.float64(2.0**low).view(np.int64)) >> (52 - bits)
    return Table(
        alpha, power, bits, first, 2.0**low, 2.0**high, centre, _polynomials(probability), _polynomials(density),
        near, near_density, far, far_density,
    )  # fmt: skip


def _polynomials(values):
    """Coefficients of the powers of t in [-1, 1], from values at Chebyshev's nodes: shape (panels, DEGREE + 1)."""
    n = DEGREE + 1
    order = np.arange(n)
    cosines = np.cos(math.pi * order[:, None] * (order + 0.5) / n) * (2.0 / n)
    cosines[0] *= 0.5
    # By way of Chebyshev's coefficients: solving for the powers directly would lose 1e6 ulps.
    powers = np.zeros((n, n))
    for k in range(n):
        powers[k, : k + 1] = chebyshev.cheb2poly(np.eye(n)[k, : k + 1])
    return np.ascontiguousarray(values @ cosines.T @ powers)


def _log_y(alpha, octave):
    """log x and log x^alpha at y = 2^octave."""
    log_y = octave * math.log(2.0)
    return (log_y / alpha, log_y) if alpha < 1.0 else (log_y, alpha * log_y)


def _where_near_ends(alpha):
    """The highest octave below which the series at 0 has 18 digits, and its number of terms."""
    for octave in count(-1, -1):
        log_x, _ = _log_y(alpha, octave)
        first = math.lgamma(1.0 / alpha)
        for k in range(1, TERMS + 1):
            size = math.lgamma((2 * k + 1) / alpha) - math.lgamma(2 * k + 1) - first
            if size + 2 * k * log_x < _DROPPED:
                return octave, k
            if size + 2 * k * log_x > -0.5 or size + first > 650.0:  # no decay, or a coefficient near 1e300
                break


def _where_far_begins(alpha):
    """The lowest octave above which the series at infinity has 18 digits, and its number of terms."""
    for octave in count(1):
        _, log_z = _log_y(alpha, octave)
        # What is left out is bounded by the next term without its sine; the sum is about its first term, sine included.
        first = math.lgamma(alpha) + math.log(math.sin(math.pi * (2.0 - alpha) / 2.0))
        for k in range(2, TERMS + 2):
            size = math.lgamma(k * alpha) - math.lgamma(k + 1) - (k - 1) * log_z
            if size - first < _DROPPED:
                return octave, k - 1
            if size - math.lgamma(alpha) > -0.5 * (k - 1):  # too slow, or divergent already
                break


def _near_zero(alpha, terms):
    """Coefficients in x^2 of P(0 < X < x)/x and of the density."""
    with mpmath.workdps(30):
        a = mpmath.mpf(alpha)
        density = [
            (-1) ** k * mpmath.gamma((2 * k + 1) / a) / mpmath.factorial(2 * k) / (mpmath.pi * a) for k in range(terms)
        ]
        return (
            np.array([float(term / (2 * k + 1)) for k, term in enumerate(density)]),
            np.array([float(term) for term in density]),
        )


def _far_out(alpha, terms):
    """Coefficients in x^-alpha of P(X > x) x^alpha and of density x^(1 + alpha)."""
    with mpmath.workdps(40):  # the sines lose up to 16 digits next to alpha = 2
        a = mpmath.mpf(alpha)
        tail = [
            (-1) ** (k + 1) * mpmath.gamma(k * a) * mpmath.sin(mpmath.pi * k * a / 2) / mpmath.factorial(k) / mpmath.pi
            for k in range(1, terms + 1)
        ]
        return (
            np.array([float(term) for term in tail]),
            np.array([float(k * a * term) for k, term in enumerate(tail, 1)]),
        )
