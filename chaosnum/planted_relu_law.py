"""The planted ReLU with Gaussian rows: what is known exactly of one step, of rates, thresholds and floors.

Setting: :mod:`chaosnum.planted_relu` with fresh rows x ~ N(0, I_d); h = w - w*, theta the angle of w and w*, m rows a
step. Everything is a mean over the fresh batch and exact for every d, m and step mu.

One step, anywhere. Let r = max(0, <w, x>) - max(0, <w*, x>) on {<w, x> > 0}; then g = 2 r x and

    E g      = h + (theta w* - sin(theta) |w*| w/|w|) / pi,
    E |g|^2  = 4 (d + 2) E r^2 = 2 (d + 2) F,     F = 2 E[r^2; <w, x> > 0]
    F = |w|^2 - 2 |w| |w*| ((pi - theta) cos theta + sin theta) / pi + |w*|^2 (pi - theta + sin theta cos theta) / pi,
    E |h_+|^2 = |h|^2 - 2 mu <h, E g> + mu^2 ((1 - 1/m) |E g|^2 + E|g|^2 / m).

Derivation: E[x x'; <w, x> > 0] = I/2 and E[x max(0, <w*, x>); <w, x> > 0] = ((pi - theta) w* + sin(theta)
|w*| w/|w|) / (2 pi), by polar coordinates in the plane of w and w*. r^2 is homogeneous of degree 2 in that plane,
where |x|^2 is rho^2 with E rho^4 = 8 = 4 E rho^2, and the other d - 2 directions are independent of it: so
E r^2 |x|^2 = (d - 2 + 4) E r^2.

Near w* theta is of order |h|, E g = h and F = |h|^2 to first order, and with A = 1 + (2 d + 3)/m

    E |h_+|^2 = (1 - 2 mu + mu^2 A) |h|^2 (1 + O(|h|/|w*|)).

It contracts for mu < 2/A, best at mu = 1/A, by 1 - 1/A = (2 d + 3)/(m + 2 d + 3): some (m + 2 d + 3) log(1/eps)
rows to reach eps, for every m << d. Since x x' is even in x, it is independent of the sign of <w*, x>: half the rows
act, whatever x x' is.

Quantised. K workers with m/K rows each send unbiased Q(g_k), independent of each other, E|Q(v) - v|^2 = omega |v|^2
on average over their gradients weighted by |g_k|^2. Each E|g_k|^2 is (1 + (2 d + 3) K/m) |h|^2, so

    A_Q = A + (omega/K) (1 + (2 d + 3) K/m)        in place of A; no floor: all errors are proportional to |h|.

Noise tau on the labels adds 2 d tau^2 K/m to E|g_k|^2, at every w, and nothing to E g: near w*

    E |h_t|^2 -> floor = 2 d tau^2 mu (1 + omega) / (m (2 - mu A_Q)),        by the factor 1 - 2 mu + mu^2 A_Q a step.

For small mu this is d tau^2 mu (1 + omega)/m: proportional to mu tau^2. At the same mu quantising raises the floor by
(1 + omega)(2 - mu A)/(2 - mu A_Q): by 1 + omega for small mu, which is A_Q/A only if K = 1 or 2 d + 3 >> m.

Start. w_0 = (2/n) sum y_i x_i has E w_0 = w* and E|w_0 - w*|^2 = (4 (d + 2)/2 - 1) |w*|^2 / n = (2 d + 3) |w*|^2 / n.

Samples. Near w* the loss of n rows has a Hessian of the rank of its active rows, and rows that are not active,
<w*, x> < 0, constrain no small h: w* is the only fit if and only if d rows are active, with probability
P(Bin(n, 1/2) >= d). The d-th active row of a stream is row 2 d on average: sample complexity 2 d, and no method needs
fewer.

What goes wrong: at d = 1 there is no angle but 0 and pi; the formulas hold. omega of a quantiser that is not
invariant under rotations depends on the gradient's direction.

References: the moments over half-spaces are those of arc-cosine kernels (Cho and Saul, NIPS 2009); A, A_Q, the floor
and the constant 2 are derived here.
"""

import math

import numpy as np
from scipy import special

from chaosnum.check import finite_array, nonnegative, positive, whole
from chaosnum.planted_relu import planted, shared, sized


def amplification(dim, batch, workers=1, omega=0.0):
    """A, or A_Q: E|average of what the workers send|^2 / |h|^2 near w* -> float.

    Parameters
    ----------
    dim, batch, workers : int
    omega : float
        Relative variance of the quantiser, weighted by |g|^2.
    """
    share = shared(batch, workers)
    dim, omega = whole("dim", dim, 1), nonnegative("omega", omega)
    return 1.0 + (2 * dim + 3) / batch + omega / workers * (1.0 + (2 * dim + 3) / share)


def factor(step, amplification):
    """E|h_+|^2 / |h|^2 near w*, ``1 - 2 mu + mu^2 A`` -> float."""
    return 1.0 - 2.0 * step + step**2 * amplification


def stable(step, amplification):
    """The step, if it is below the threshold 2/A of contraction in mean square -> float."""
    step, limit = positive("step", step), 2.0 / amplification
    if step >= limit:
        raise ValueError(f"step must lie below the stability threshold 2/A = {limit:.4g}, got {step:.4g}")
    return step


def floor(step, dim, batch, noise, workers=1, omega=0.0):
    """Limit of E|h_t|^2 under label noise of this standard deviation -> float.

    Raises
    ------
    ValueError
        The step is no smaller than 2/A_Q: there is no limit.
    """
    a = amplification(dim, batch, workers, omega)
    step = stable(step, a)
    return 2.0 * dim * nonnegative("noise", noise) ** 2 * step * (1.0 + omega) / (batch * (2.0 - step * a))


def mean_gradient(w, w_star):
    """E g -> ndarray, float64, shape (d,).

    Parameters
    ----------
    w, w_star : array_like, float64, shape (d,), not 0
    """
    w, w_star, theta = _angle(w, w_star)
    size = np.linalg.norm(w_star)
    return w - w_star + (theta * w_star - math.sin(theta) * size * w / np.linalg.norm(w)) / math.pi


def square_gradient(w, w_star):
    """E|g|^2 of one row -> float; differences leave it a relative rounding error of 1e-16 |w*|^2 / |h|^2."""
    w, w_star, theta = _angle(w, w_star)
    a, b, c, s = np.linalg.norm(w), np.linalg.norm(w_star), math.cos(theta), math.sin(theta)
    mixed, own = ((math.pi - theta) * c + s) / math.pi, (math.pi - theta + s * c) / math.pi
    return 2.0 * (len(w) + 2) * float((a - b) ** 2 + 2.0 * a * b * (1.0 - mixed) - b**2 * (1.0 - own))


def square_after(w, w_star, step, batch, noise=0.0):
    """E|h_+|^2 after one step from w, at any distance -> float.

    Parameters
    ----------
    w, w_star : array_like, float64, shape (d,), not 0
    step : float
    batch : int
    noise : float
        Standard deviation of the labels' noise.
    """
    g, h = mean_gradient(w, w_star), np.asarray(w) - np.asarray(w_star)
    second = square_gradient(w, w_star) + 2.0 * len(g) * nonnegative("noise", noise) ** 2
    batch = whole("batch", batch, 1)
    return float(h @ h - 2.0 * step * (h @ g) + step**2 * ((1.0 - 1.0 / batch) * (g @ g) + second / batch))


def start_error(dim, rows):
    """Root of E|w_0 - w*|^2 / |w*|^2 for the start from n rows, ``sqrt((2 d + 3)/n)`` -> float."""
    return math.sqrt((2 * whole("dim", dim, 1) + 3) / whole("rows", rows, 1))


def identified(dim, rows):
    """Probability that n Gaussian rows determine w*, P(Bin(n, 1/2) >= d) -> float."""
    return float(special.bdtrc(dim - 1, rows, 0.5)) if whole("rows", rows, 1) >= whole("dim", dim, 1) else 0.0


def _angle(w, w_star):
    """The two vectors and the angle between them, accurate also where it is tiny."""
    w = finite_array("w", w, ndim=1)
    w_star = planted(w_star, len(w))
    if not w.any():
        raise ValueError("w must not be 0, where the angle to w_star is not defined, got 0")
    sized("w", w)
    a, b = w / np.linalg.norm(w), w_star / np.linalg.norm(w_star)
    return w, w_star, 2.0 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
