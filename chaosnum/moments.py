"""Moments and tail constants of the norm of a stable vector, for the three types of noise.

X in R^p, built from standard SaS scalars (characteristic function exp(-|k|^alpha)):

* Type I: one scalar, the same in every component, ``|X| = sqrt(p) |x|``;
* Type II: independent components;
* Type III: rotationally invariant, ``X = sqrt(2 A) G``, ``E exp(-s A) = exp(-s^(alpha/2))``. (The
  convention ``sqrt(A) G`` is smaller: its q-th moment by 2^(-q/2), its tail constant by
  2^(-alpha/2).)

Moments, q < alpha
------------------
Scalar: ``E|x|^q = 2^q Gamma((1+q)/2) Gamma(1-q/alpha) / (sqrt(pi) Gamma(1-q/2))``; at q = 1,
``(2/pi) Gamma(1-1/alpha)``. Type I multiplies it by p^(q/2). Type III:
``E A^r = Gamma(1-2r/alpha) / Gamma(1-r)`` and ``E|G|^q = 2^(q/2) Gamma((p+q)/2) / Gamma(p/2)`` give
``2^q Gamma((p+q)/2) Gamma(1-q/alpha) / (Gamma(p/2) Gamma(1-q/2))``. Type II: for Y >= 0 and s in
(0, 1), ``E Y^s = s / Gamma(1-s) int_0^inf (1 - E exp(-u Y)) u^(-s-1) du``, used with Y = |X|^2, s =
q/2 and

    E exp(-u |X|^2) = phi(u)^p,   phi(u) = E exp(i sqrt(2u) g x) = E exp(-(2u)^(alpha/2) |g|^alpha),

g ~ N(0, 1).

Tail constants, P(|X| > r) ~ C r^-alpha
---------------------------------------
With ``c = sin(pi alpha/2) Gamma(alpha) / pi`` of one side: Type I ``p^(alpha/2) 2 c``; Type II
``2 p c`` (one large component); Type III
``2^alpha Gamma((p+alpha)/2) / (Gamma(p/2) Gamma(1-alpha/2))``, since
``P(A > x) ~ x^(-alpha/2) / Gamma(1-alpha/2)``. All agree at p = 1 and vanish at alpha = 2.

References
----------
G. Samorodnitsky, M. Taqqu, Stable Non-Gaussian Random Processes (1994), sections 1.2, 2.5.
"""

from functools import lru_cache

import numpy as np
from scipy.special import gamma, gammaln, rgamma

from chaosnum import check

KINDS = ("I", "II", "III")


def mean_norm(kind, alpha, p=1):
    """``E|X|`` of a standard stable vector, alpha in (1, 2] -> float.

    Parameters
    ----------
    kind : {"I", "II", "III"}
    alpha : float
    p : int
        Dimension >= 1.
    """
    return norm_moment(1.0, kind, check.stable_index(alpha, low=1.0), p)


def norm_moment(q, kind, alpha, p=1):
    """``E|X|^q``, 0 < q < alpha -> float; Type II by a cached quadrature, for q >= 0.1."""
    kind, alpha = check.one_of("kind", kind, KINDS), check.stable_index(alpha)
    p = check.at_least("p", p, 1)
    q = check.in_range("q", q, 0.0, alpha, open_high=True)
    # Gamma(1 - q/alpha) / Gamma(1 - q/2): at alpha = 2 it is 1.
    ratio = np.exp(q * np.log(2.0) + gammaln(1.0 - q / alpha) - gammaln(1.0 - q / 2.0))
    if kind == "III" or p == 1:
        return float(ratio * np.exp(gammaln(0.5 * (p + q)) - gammaln(0.5 * p)))
    if kind == "I":
        return float(p ** (q / 2.0) * ratio * gamma(0.5 * (1.0 + q)) / np.sqrt(np.pi))
    q = check.in_range("q", q, 0.1, alpha, open_low=False, open_high=True)
    return _independent_moment(q, alpha, p)


def tail_constant(kind, alpha, p=1):
    """C in ``P(|X| > r) ~ C r^-alpha``, alpha in (0, 2], zero at alpha = 2 -> float."""
    kind, alpha = check.one_of("kind", kind, KINDS), check.stable_index(alpha)
    p = check.at_least("p", p, 1)
    if kind == "III":
        sphere = np.exp(gammaln(0.5 * (p + alpha)) - gammaln(0.5 * p))
        return float(2.0**alpha * sphere * rgamma(1.0 - alpha / 2.0))
    # 2 c by the reflection formula, free of the cancellation of sin(pi alpha/2) at alpha = 2
    both = 2.0**alpha * gamma(0.5 * (1.0 + alpha)) / np.sqrt(np.pi) * rgamma(1.0 - alpha / 2.0)
    return float(both * (p ** (alpha / 2.0) if kind == "I" else p))


@lru_cache(maxsize=256)
def _independent_moment(q, alpha, p):
    """Type II: the integral above in v = log u, with its power-law head in closed form."""
    s = 0.5 * q
    low = 2.0 / alpha * np.log(1e-15) - np.log(2.0)  # below, 1 - phi^p is its leading term to 1e-15
    high = 38.0 / s  # above, the rest of int exp(-s v) is below round-off
    nodes, weights = np.polynomial.legendre.leggauss(16)
    panels = int(np.ceil((high - low) / 2.0))
    half = 0.5 * (high - low) / panels
    v = (low + half * (2 * np.arange(panels)[:, None] + 1 + nodes)).ravel()
    # phi by the trapezoidal rule in w = log|g|, doubly exponentially exact
    spacing = 0.1
    w = np.arange(-0.5 * high - 20.0, 2.5, spacing)
    density = spacing * np.sqrt(2.0 / np.pi) * np.exp(w - 0.5 * np.exp(2.0 * w))
    total = 0.0
    for part, weight in zip(np.split(v, panels), np.tile(half * weights, (panels, 1)), strict=True):
        below = np.expm1(-np.exp(0.5 * alpha * (np.log(2.0) + part[:, None]) + alpha * w))
        short = -(below @ density)
        phi = np.maximum((1.0 + below) @ density, 1e-300)
        log_phi = np.where(short < 0.5, np.log1p(-np.minimum(short, 0.5)), np.log(phi))
        total += np.sum(weight * -np.expm1(p * log_phi) * np.exp(-s * part))
    scalar = 2.0 ** (alpha / 2.0) * gamma(0.5 * (1.0 + alpha)) / np.sqrt(np.pi)  # E|g|^alpha
    order = alpha / 2.0 - s
    head = p * scalar * 2.0 ** (alpha / 2.0) * np.exp(order * low) / order
    return float(s * rgamma(1.0 - s) * (head + total))
