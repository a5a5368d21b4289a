"""SGD on a planted ReLU with a table of n rows, once and for all: does it find w*, and after how many steps?

Setting: :mod:`chaosnum.planted_relu`, but the rows are fixed, drawn with replacement, and the start is one full step
from 0 with all of them, ``(2/n) sum y_i x_i``. Where fewer than d rows are active, <w*, x> > 0, w* is one of many fits
and SGD ends at another. Where d or a few more are active it is the only one, and far away: the smallest eigenvalue of
their second moments, about (1 - sqrt(d/k))^2 for k active rows, makes the number of steps large. So a table that is
not fitted within its budget says nothing of a larger budget; the steps are reported.

Steps run in a kernel on indices drawn before, so their random numbers are the generator's.
"""

from dataclasses import dataclass

import numpy as np

from chaosnum.check import finite_array, in_range, positive, whole
from chaosnum.jit import kernel
from chaosnum.planted_relu import at_once, labels, planted, sized, start

LOOK = 100  # steps between two looks


@dataclass(frozen=True, eq=False)
class Fit:
    """What :func:`fit` returns.

    Attributes
    ----------
    w : ndarray, float64, shape (d,)
    square : float
        ``|w - w*|^2 / |w*|^2``.
    steps : int
        A multiple of 100.
    fitted : bool
        Whether the target was reached.
    """

    w: np.ndarray
    square: float
    steps: int
    fitted: bool


def fit(X, w_star, *, step, batch, rng, target=1e-5, most=2000):
    """SGD on one table until |w - w*|^2 is below `target` |w*|^2.

    Parameters
    ----------
    X : array_like, float64, shape (n, d)
    w_star : array_like, float64, shape (d,)
    step : float
    batch : int
        Rows of a step.
    rng : numpy.random.Generator
    target : float in (0, 1)
    most : int
        Steps at most; rounded up to a multiple of 100.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        Wrong shapes, w* = 0, no active row (all gradients are zero), or iterates that overflow.
    """
    X = np.ascontiguousarray(finite_array("X", X, ndim=2))
    w_star = planted(w_star, sized("X", X).shape[1])
    step, batch = positive("step", step), whole("batch", batch, 1)
    target = in_range("target", target, 0.0, 1.0, open_high=True)
    y = labels(X, w_star)
    at_once("batch * 100", batch * LOOK)
    if not y.any():
        raise ValueError(f"X must have a row with <w*, x> > 0, or all gradients are zero, got none in {len(X)}")
    w, size = start(X, y), float(w_star @ w_star)
    square, steps = float(((w - w_star) ** 2).sum()) / size, 0
    for _ in range(-(-whole("most", most, 1) // LOOK)):
        if square < target:
            break
        _walk(X, y, rng.integers(0, len(X), (LOOK, batch)), w, step / batch)
        square, steps = float(((w - w_star) ** 2).sum()) / size, steps + LOOK
        if not square < 1e200:
            raise ValueError(f"step must be small enough for the iterates to stay finite, got {step:.3g}")
    return Fit(w, square, steps, square < target)


@kernel
def _walk(X, y, at, w, step):
    """One step of SGD for each row of indices, in place."""
    g = np.empty_like(w)
    for t in range(at.shape[0]):
        g[:] = 0.0
        for k in range(at.shape[1]):
            i = at[t, k]
            p = q = 0.0  # two sums, so that one addition need not wait for the other
            for j in range(0, len(w) - 1, 2):
                p += X[i, j] * w[j]
                q += X[i, j + 1] * w[j + 1]
            if len(w) % 2:
                p += X[i, len(w) - 1] * w[len(w) - 1]
            p += q
            if p > 0.0:
                r = 2.0 * (p - y[i])
            elif p == 0.0:
                r = -y[i]
            else:
                continue
            for j in range(len(w)):
                g[j] += r * X[i, j]
        for j in range(len(w)):
            w[j] -= step * g[j]
