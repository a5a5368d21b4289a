r"""The SaS law by Zolotarev's integral, to the last digits for every alpha in (0, 2) and x > 0.

The density is (1/pi) Re int_0^inf exp(i k x - k^alpha) dk. On the path k = r exp(i T) along which the exponent is
real, i.e. on the steepest descent from 0 to infinity, every integrand is positive and nothing cancels. The path is

    rho = x r^(1-alpha) = sin(alpha T) / cos T,     T in (0, pi/2),

and with phi = pi/2 - T the exponent is -g,

    g = r x cos((alpha-1) T) / sin(alpha T) = (x cos T / sin(alpha T))^(alpha/(alpha-1)) cos((alpha-1) T) / cos T.

Then (Zolotarev 1986, section 2.2, in Nolan's form)

    P(X > x)     = (1/pi) int (1 - e^-g) dT   (alpha < 1),   (1/pi) int e^-g dT   (alpha > 1)
    1/2 - P(X>x) = (1/pi) int e^-g dT         (alpha < 1),   (1/pi) int (1 - e^-g) dT   (alpha > 1)
    density      = alpha / (pi |alpha - 1| x) int g e^-g dT,

and, by parts, one form for every alpha, 1 included: with v = log r and 1/w = d log rho/dT = alpha cot(alpha T) + tan T,

    P(X > x)     = (1/pi) int phi e^-g g' dv
    1/2 - P(X>x) = (1/pi) int T e^-g g' dv
    density      = alpha / (pi x) int g e^-g w dv.

Both are computed by the trapezoidal rule on the whole line, whose error decays like exp(-2 pi d / step), d the
distance of the nearest singularity from the real line:

* |alpha - 1| >= 1/2: in the logit of T. The integrand has steps on the scale of alpha - 1, and here that is wide.
  The nodes do not depend on x, which only shifts log g: two exponentials a node.
* |alpha - 1| < 1/2: in v = log r. T is nearly constant, at the Cauchy law arctan x exactly, and has no
  singularity within pi/2 of the real line for alpha <= 1; it is found by Newton's method, which the last node starts.
  (At alpha = 2 the path turns a corner at the saddle point k = i x/2: a singularity on the line, hence the other form.)

What goes wrong: sin(alpha T) next to pi loses the digits of 2 - alpha, so it is taken from phi there; and in the far
tail, or for x -> 0, other expansions are faster (stable_law.py).

References: V. M. Zolotarev, One-dimensional Stable Distributions, AMS 1986; J. P. Nolan, Commun. Statist. Stoch.
Models 13 (1997) 759-774; L. N. Trefethen, J. A. C. Weideman, SIAM Review 56 (2014) 385-458 (the trapezoidal rule).
"""

import math

import numpy as np

from chaosnum.jit import inline, kernel

HALF_PI = math.pi / 2
STEP_ANGLE, STEP_RADIUS = 1 / 16, 5 / 32
_DEAD = 45.0  # exp(-45) is nothing beside the sum


def law(alpha, x):
    """Tail probability, central probability and density of the standard SaS law.

    Parameters
    ----------
    alpha : float
        In (0, 2), ends excluded.
    x : ndarray of float64, shape (n,)
        Positive; between 1e-9 and 1e9 or so, where the integrals are well scaled.

    Returns
    -------
    ndarray of float64, shape (3, n)
        P(X > x), P(0 < X < x) and the density, each to a relative 1e-14 (3e-14 next to alpha = 2, where a
        Gaussian centre meets a tiny tail).
    """
    out = np.empty((3, len(x)))
    if abs(alpha - 1.0) < 0.5:
        _in_radius(alpha, x, out)
    else:
        _in_angle(alpha, x, out)
    return out


def _in_angle(alpha, x, out, step=STEP_ANGLE):
    """The integrals over the logit of the angle."""
    # Near alpha = 2 the tail comes from angles phi of size 2 - alpha, for small alpha the centre from small T.
    t = np.arange(-round((55.0 - math.log(2.0 - alpha)) / step), round((45.0 + 15.0 / alpha) / step)) * step
    small = np.exp(-np.abs(t))
    low, high = small / (1.0 + small), 1.0 / (1.0 + small)
    phi = HALF_PI * np.where(t > 0, high, low)
    angle = HALF_PI * np.where(t > 0, low, high)
    near = (2.0 - alpha) * HALF_PI
    sine = np.where(alpha * angle < 1.5, np.sin(alpha * angle), np.sin(near + alpha * phi))
    cosine = np.sin(near + (alpha - 1.0) * phi) if alpha > 1.0 else np.cos((alpha - 1.0) * angle)
    beta = alpha / (alpha - 1.0)
    log_g = beta * np.log(np.sin(phi) / sine) + np.log(cosine / np.sin(phi))
    weight = (step / math.pi) * HALF_PI * low * high
    shift = beta * np.log(x)
    alive = log_g + shift.min() < 7.0
    saturated = weight[~alive].sum()  # 1 - exp(-g) = 1 there
    log_g, weight = log_g[alive], weight[alive]
    for start in range(0, len(x), 64):  # 64 rows of about 1500 nodes stay in the cache
        part = slice(start, start + 64)
        g = np.exp(np.minimum(log_g + shift[part, None], 7.0))
        decay = np.exp(-g)
        under, over = decay @ weight, -np.expm1(-g) @ weight + saturated
        out[0, part], out[1, part] = (under, over) if alpha > 1.0 else (over, under)
        out[2, part] = (g * decay) @ weight * (alpha / abs(alpha - 1.0)) / x[part]


@inline
def _angles(t, alpha):
    """phi, T, sin(alpha T), d phi / d t for phi = pi/2 / (1 + e^-t)."""
    small = math.exp(-abs(t))
    high = 1.0 / (1.0 + small)
    low = small * high
    phi, angle = (HALF_PI * high, HALF_PI * low) if t > 0.0 else (HALF_PI * low, HALF_PI * high)
    turned = alpha * angle
    sine = math.sin(turned) if turned < 1.5 else math.sin((2.0 - alpha) * HALF_PI + alpha * phi)
    return phi, angle, sine, HALF_PI * low * high


@inline
def _newton(t, log_rho, alpha, rounds):
    """The root t of log sin(alpha T) - log cos T = log rho, nearly linear in t at both ends."""
    for _ in range(rounds):
        phi, angle, sine, slope = _angles(t, alpha)
        fall = (alpha * math.cos(alpha * angle) / sine + math.cos(phi) / math.sin(phi)) * slope
        change = (math.log(sine / math.sin(phi)) - log_rho) / fall
        t += min(max(change, -20.0), 20.0)
    return t


@kernel
def _in_radius(alpha, x, out, step=STEP_RADIUS):
    """The integrals over v = log r, from where g is 1e-18 to where exp(-g) is."""
    for i in range(x.size):
        log_x = math.log(x[i])
        v = step * math.floor((-41.0 / alpha if alpha < 1.0 else -41.0 - log_x) / step)
        t = _newton(-log_x - (1.0 - alpha) * v, log_x + (1.0 - alpha) * v, alpha, 12)
        tail = centre = density = 0.0
        g = 0.0
        while g < _DEAD:
            t = _newton(t, log_x + (1.0 - alpha) * v, alpha, 2)
            phi, angle, sine, slope = _angles(t, alpha)
            cotangent = alpha * math.cos(alpha * angle) / sine
            w = 1.0 / (cotangent + math.cos(phi) / math.sin(phi))
            turned = (alpha - 1.0) * angle
            g = math.exp(v) * x[i] * math.cos(turned) / sine
            growth = 1.0 + (alpha - 1.0) * w * ((alpha - 1.0) * math.tan(turned) + cotangent)  # d log g / d v
            mass = g * math.exp(-g)
            tail += phi * mass * growth
            centre += angle * mass * growth
            density += mass * w
            v += step
            t -= (1.0 - alpha) * step * w / slope  # where the root will be
        out[0, i], out[1, i] = tail * step / math.pi, centre * step / math.pi
        out[2, i] = density * step * alpha / (math.pi * x[i])
