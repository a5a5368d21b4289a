"""The positive stable law: A > 0 with E exp(-s A) = exp(-s^a), a in (0, 1).

With a = alpha/2 it is the mixing law of rotationally invariant noise, X = sqrt(2 A) G, and with a = alpha/p the limit
of n^(-p/alpha) sum |X_i|^p (up to a constant), which the compressibility of heavy-tailed weights rests on. At a = 1/2
it is Levy's law, P(A <= x) = erfc(1/(2 sqrt x)). Sampling: :func:`chaosnum.stable.rvs_positive`.

The integral
------------
b = 1 - a. Kanter's representation, A a function of a uniform T on (0, pi) and a standard exponential W, reads A <= x
if and only if W >= g(T; x), so (Zolotarev 1986, section 2.5)

    P(A <= x) = (1/pi) int_0^pi exp(-g) dT,    g = x^(-a/b) V(T),    V = (sin(aT)^a sin(bT)^b / sin(T))^(1/b).

The same integral is that of exp(s x - s^a)/s along its curve of steepest descent, so g is real and nothing oscillates.
V increases, from V(0) = b a^(a/b) to infinity. By parts, with dg = g dlog V, all of it positive:

    P(A <= x) = (1/pi) int T exp(-g) dg
    P(A > x)  = 1 - exp(-g_0) + (1/pi) int (pi - T) exp(-g) dg,        g_0 = x^(-a/b) V(0)
    density   = a / (b x) (1/pi) int g exp(-g) dT

The mass sits where g is about 1, and its width in T is about b where a is near 1. In the variable

    y = 2 t + log V/V(0),    T = 2 atan(exp t)

every integrand is analytic, with a scale of order one wherever its mass lies, and decays exponentially on both sides,
so the trapezoidal rule converges exponentially. The nodes depend on a alone; a value costs a few hundred exponentials.

For x^a >= 4 the series of powers of x^-a is used, P(A > x) = (1/pi) sum_k Gamma(k a) sin(pi k b) x^(-k a) / k!.

What goes wrong
---------------
g_0 reaches 745 where P(A <= x) leaves double precision, so log g is needed to full *absolute* accuracy, and for a near
1 its terms cancel: hence log(V/V(0)) by a logarithm of one plus a small number, and log(x/a) likewise. A fixed rule in
T misses the step of width b altogether.

References
----------
V. M. Zolotarev, One-dimensional Stable Distributions (1986). M. Kanter, Ann. Probab. 3 (1975) 697-707.
"""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from chaosnum import check

LOWEST, HIGHEST = 0.01, 0.99999  # indices; the relative accuracy of 1e-11 is tested on [0.05, 0.999]
STEP = 0.25  # the aliasing error is about exp(-pi^2 / STEP) = 1e-17
NEGLIGIBLE = 42.0  # exp(-42) = 6e-19 is left out
SERIES_FROM, TERMS = 4.0, 34  # 4^-34 = 3e-21
BLOCK = 2**18  # numbers worked on together


def cdf(x, a):
    """P(A <= x) of the positive stable law.

    Parameters
    ----------
    x : float64 array of any shape
        Zero below 0; infinity is allowed.
    a : float
        Index, in [0.01, 0.99999].

    Returns
    -------
    ndarray of float64, of the shape of `x` (a float for a number)
        Relative error below 1e-11, down to 1e-300.

    Raises
    ------
    ValueError
        `a` outside its range, or `x` not real numbers.
    """
    return _evaluate(x, a, 0)


def sf(x, a):
    """P(A > x); arguments, accuracy and errors as for :func:`cdf`."""
    return _evaluate(x, a, 1)


def pdf(x, a):
    """Density of A; arguments, accuracy and errors as for :func:`cdf`."""
    return _evaluate(x, a, 2)


def ppf(q, a):
    """Quantiles of the positive stable law.

    Parameters
    ----------
    q : float64 array of any shape
        Probabilities in [0, 1]; 0 gives 0, 1 gives infinity.
    a : float
        Index, in [0.01, 0.99999].

    Returns
    -------
    ndarray of float64, of the shape of `q` (a float for a number)
        Relative error 1e-12 in the lower half; above, what the spacing of doubles near q = 1 allows.

    Raises
    ------
    ValueError
        `a` outside its range, or `q` outside [0, 1].
    """
    a = _index(a)
    q = check.finite_array("q", q)
    if q.size and not (q.min() >= 0.0 and q.max() <= 1.0):
        raise ValueError(f"q must lie in [0, 1], got {q.min() if q.min() < 0.0 else q.max():g}")
    out = np.where(q < 0.5, 0.0, np.inf)
    inner = (q > 0.0) & (q < 1.0)
    if inner.any():
        out[inner] = _invert(q[inner], a)
    return out if out.ndim else float(out)


def _index(a):
    return check.in_range("a", a, LOWEST, HIGHEST, open_low=False)


def _evaluate(x, a, which):
    a = _index(a)
    x = np.asarray(x)
    if x.dtype.kind not in "fiub" or np.isnan(x).any():
        raise ValueError(f"x must be real numbers without NaN, got {'NaN' if x.dtype.kind == 'f' else x.dtype}")
    x = x.astype(np.float64, copy=False)
    out = np.full(x.shape, (0.0, 1.0, 0.0)[which])
    out[np.isposinf(x)] = (1.0, 0.0, 0.0)[which]
    inner = (x > 0.0) & np.isfinite(x)
    out[inner] = _positive(x[inner], a, which)
    return out if out.ndim else float(out)


def _positive(x, a, which):
    """The cdf (which = 0), sf (1) or density (2) at finite x > 0, shape (m,)."""
    out = np.empty_like(x)
    far = a * np.log(x) >= np.log(SERIES_FROM)
    out[far] = _series(x[far], a, which)
    near = np.flatnonzero(~far)
    log_v, weights, step = _nodes(a)
    ratio = (x[near] - a) / a  # exact difference near x = a, where a digit of log(x/a) costs 1/b
    log_x = np.where(np.abs(ratio) < 0.5, np.log1p(np.clip(ratio, -0.5, 0.5)), np.log(x[near] / a))
    log_g0 = np.log1p(-a) - a / (1.0 - a) * log_x
    # Below the lower edge g exp(-g) is negligible (g < exp(-42)), above the upper one exp(g_0 - g) is.
    start = np.searchsorted(log_v, -NEGLIGIBLE - log_g0)
    stop = np.searchsorted(log_v, np.logaddexp(0.0, np.log(NEGLIGIBLE) - log_g0))
    order = np.argsort(stop - start)
    done = 0
    while done < order.size:
        width = int((stop - start)[order[min(order.size - 1, done + 255)]]) + 1
        rows = order[done : done + max(1, BLOCK // width)]
        width = int((stop - start)[rows[-1]]) + 1
        done += rows.size
        at = np.minimum(start[rows, None] + np.arange(width), log_v.size - 1)  # the last node has weight zero
        g0 = np.exp(np.minimum(log_g0[rows], 7.0))
        v = log_v[at]
        log_g = np.minimum(log_g0[rows, None] + v, 8.0)
        integrand = np.exp(log_g + np.exp(log_g) * np.expm1(-v))  # g exp(g_0 - g)
        total = np.exp(-g0) * step * np.einsum("ij,ij->i", integrand, weights[which][at])
        if which == 1:
            total -= np.expm1(-g0)
        elif which == 2:
            total *= a / ((1.0 - a) * x[near[rows]])
        out[near[rows]] = np.where(log_g0[rows] < 7.0, total, (0.0, 1.0, 0.0)[which])  # exp(-exp(7)) = 0
    return out


def _series(x, a, which):
    """The same by powers of x^-a, for x^a >= SERIES_FROM."""
    k = np.arange(1, TERMS + 1)
    # sin(pi k b) = -(-1)^k sin(pi k a): by the smaller of a and b, which is known to more digits
    sine = np.sin(np.pi * k * (1.0 - a)) if a >= 0.5 else -((-1.0) ** k) * np.sin(np.pi * k * a)
    coefficients = np.exp(gammaln(k * a) - gammaln(k + 1.0)) * sine / np.pi
    if which == 2:
        coefficients *= a * k
    total, power = np.zeros_like(x), x**-a
    for c in coefficients[::-1]:
        total = (total + c) * power
    return 1.0 - total if which == 0 else total if which == 1 else total / x


@lru_cache(maxsize=16)
def _nodes(a):
    """log(V/V(0)) at the nodes, shape (m,), the weights of the three integrals, shape (3, m), and the spacing in y."""
    highest = np.log(SERIES_FROM) / (1.0 - a) - np.log1p(-a) + 2.0 * np.log(NEGLIGIBLE)  # log V/V(0) needed
    t = np.concatenate([np.arange(-NEGLIGIBLE, -2.0, 0.05), np.linspace(-2.0, 20.0 + highest * (1.0 - a), 20_000)])
    y = np.arange(-2.0 * NEGLIGIBLE, highest + 2.0 * t[-1], STEP)
    t = np.interp(y, 2.0 * t + _log_v(t, a)[0], t)
    for _ in range(6):
        value, slope, _ = _log_v(t, a)
        t -= (2.0 * t + value - y) / (2.0 + slope)
    value, slope, angle = _log_v(t, a)
    last = np.searchsorted(value, highest) + 1
    value, slope, angle, t = value[:last], slope[:last], angle[:last], t[:last]
    rest = 2.0 * np.arctan(np.exp(-t))
    weights = np.stack([angle * slope, rest * slope, 1.0 / np.cosh(t)]) / (np.pi * (2.0 + slope))
    weights[:, -1] = 0.0
    value.flags.writeable = weights.flags.writeable = False
    return value, weights, STEP


def _log_v(t, a):
    """log(V/V(0)), its derivative by t, and T, where T = 2 atan(exp t): sin T = 1/cosh t, cot T = -sinh t."""
    b = 1.0 - a
    angle, sine, cosine = 2.0 * np.arctan(np.exp(t)), 1.0 / np.cosh(t), np.tanh(-t)
    cot = -np.sinh(t)
    sin_b, cos_b, half = np.sin(b * angle), np.cos(b * angle), np.sin(0.5 * b * angle)
    # sin(aT) / (a sin T) = 1 + (b/a) d
    d = 1.0 - cot * sin_b / b - 2.0 * half * half / b
    value = a / b * np.log1p(b / a * d) + np.log(sin_b / (b * sine))
    ddT = sin_b / (b * sine * sine) - cot * cos_b - sin_b
    # by T: ddT / (1 + b d / a) + b cot(bT) - cot T; here times dT/dt = sin T
    slope = ddT * sine / (1.0 + b / a * d) + b * cos_b * sine / sin_b - cosine
    return value, slope, angle


def _invert(q, a):
    """The quantiles of 0 < q < 1: Newton's method for log(F / (1 - F)) as a function of log x."""
    grid, odds = _odds(a)
    goal = np.log(q) - np.log1p(-q)
    v = np.interp(goal, odds, grid)
    for _ in range(4):
        x = np.exp(v)
        below, above = cdf(x, a), sf(x, a)
        with np.errstate(divide="ignore", invalid="ignore"):
            move = (np.log(below) - np.log(above) - goal) * below * above / (x * pdf(x, a))
        v = np.clip(v - np.where(np.isfinite(move), move, 0.0), grid[0], grid[-1])
    return np.exp(v)


@lru_cache(maxsize=16)
def _odds(a):
    """log x, increasing, and log(F / (1 - F)) there: where Newton's method starts."""
    low = np.log(a) - (1.0 - a) / a * (np.log(760.0) - np.log1p(-a))  # there g_0 = 760
    high = min(37.0 - gammaln(1.0 - a), 709.0 * a) / a  # there sf = 1e-16
    u = np.linspace(0.0, 1.0, 2000)
    centre = np.log(a) + (1.0 - a) / a * np.log1p(-a)  # g_0 = 1
    grid = np.unique(np.concatenate([centre + (low - centre) * u, centre + (high - centre) * u**3]))
    with np.errstate(divide="ignore"):
        odds = np.log(cdf(np.exp(grid), a)) - np.log(sf(np.exp(grid), a))
    good = np.isfinite(odds)
    return grid[good], np.maximum.accumulate(odds[good])
