"""Fitting a planted ReLU by SGD and by quantised SGD: the dynamics.

Definition. Labels come from one planted unit, ``y = max(0, <w*, x>)``, maybe with noise on them. A batch of m rows
gives

    g(w) = (1/m) sum_i (max(0, <w, x_i>) - y_i) (1 + sgn <w, x_i>) x_i,        w <- w - mu g(w).

With K workers each has m/K of the rows; worker k sends Q(g_k) in place of its own g_k, and the step is taken along the
average. Q is any quantiser (:mod:`chaosnum.qsgd` has the one with s levels).

Convention. On the active side, <w, x> > 0, the factor 1 + sgn is 2: g is twice the gradient of the halved square loss,
and a step mu here is a step 2 mu there. At w = 0 sgn is 0 and the factor is 1: one full step from 0 with mu = 2 is
``start``, ``w_0 = (2/n) sum y_i x_i``, whose mean is w* for Gaussian rows. Code that takes 0 for ReLU's derivative at 0
never leaves w = 0: all its gradients are zero.

What is known exactly, from one step at any w to floors and thresholds, is in :mod:`chaosnum.planted_relu_law` for
Gaussian rows and in :mod:`chaosnum.planted_relu_rows` for rows of data. Quantisers are checked in
:mod:`chaosnum.planted_relu_sender`.

What goes wrong: labels that no unit has (the iterates then stay on a floor); distances squared below 1e-28 |w*|^2,
where double precision ends; rows or weights whose fourth powers leave double precision (largest components are refused
outside [1e-30, 1e30]); and taking m rows of one fixed batch for m fresh ones.

References: Soltanolkotabi, NIPS 2017, arXiv 1705.04591 (gradient, start; recalled); Kalan, Soltanolkotabi, Avestimehr,
arXiv 1901.06587 (SGD and quantised SGD).
"""

from dataclasses import dataclass

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, in_range, nonnegative, positive, whole
from chaosnum.planted_relu_sender import sender

FLOOR = 1e-28  # of squared distances relative to |w*|^2: below it they are rounding
MAGNITUDES = 1e-30, 1e30  # of the largest component of rows and weights
MOST = 10**8  # numbers of one array: 800 MB


@dataclass(frozen=True)
class Gaussian:
    """Fresh rows x ~ N(0, I_dim)."""

    dim: int

    def __post_init__(self):
        object.__setattr__(self, "dim", whole("dim", self.dim, 1))

    def draw(self, rng, runs, batch):
        """Rows for every run -> ndarray, float64, shape (runs, batch, dim)."""
        return rng.standard_normal((runs, batch, self.dim))


class Rows:
    """Rows of a table, drawn with replacement: the table is the population.

    Parameters
    ----------
    rows : array_like, float64, shape (n, d)
    """

    def __init__(self, rows):
        self.table = finite_array("rows", rows, ndim=2)
        self.dim = self.table.shape[1]
        if not self.table.any():
            raise ValueError("rows must have one that is not zero, or all gradients are zero, got none")
        sized("rows", self.table)

    def draw(self, rng, runs, batch):
        """Rows for every run -> ndarray, float64, shape (runs, batch, d)."""
        return self.table[rng.integers(0, len(self.table), (runs, batch))]


def labels(X, w_star, noise=0.0, rng=None):
    """``max(0, <w*, x>)``, and Gaussian noise of this standard deviation.

    Parameters
    ----------
    X : ndarray, float64, shape (..., d)
    w_star : ndarray, float64, shape (d,)
    noise : float, at least 0
    rng : numpy.random.Generator, needed where there is noise

    Returns
    -------
    ndarray, float64, shape (...)
    """
    y = np.maximum(X @ w_star, 0.0)
    if not nonnegative("noise", noise) > 0.0:
        return y
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator where there is noise, got {type(rng).__name__}")
    return y + noise * rng.standard_normal(y.shape)


def gradient(w, X, y):
    """``(1/m) sum (max(0, <w, x>) - y) (1 + sgn <w, x>) x``, for any number of runs at once.

    Parameters
    ----------
    w : ndarray, float64, shape (..., d)
    X : ndarray, float64, shape (..., m, d)
    y : ndarray, float64, shape (..., m)

    Returns
    -------
    ndarray, float64, shape (..., d)
    """
    p = np.matmul(X, w[..., None])[..., 0]
    r = (np.maximum(p, 0.0) - y) * (1.0 + np.sign(p))
    return np.matmul(r[..., None, :], X)[..., 0, :] / X.shape[-2]


def start(X, y):
    """One full step from 0 with mu = 2 -> ndarray, float64, shape (..., d): ``(2/n) sum y_i x_i``."""
    return -2.0 * gradient(np.zeros(X.shape[:-2] + X.shape[-1:]), X, y)


@dataclass(frozen=True, eq=False)
class Path:
    """What :func:`run` returns.

    Attributes
    ----------
    w : ndarray, float64, shape (R, d)
        The iterates at the end.
    squares : ndarray, float64, shape (horizon + 1, R)
        Squared distances ``|w_t - w*|^2``.
    """

    w: np.ndarray
    squares: np.ndarray


def run(inputs, w_star, w, *, step, batch, horizon, rng, workers=1, quantiser=None, noise=0.0):
    """SGD, or quantised SGD, with fresh batches; R independent runs at once.

    Parameters
    ----------
    inputs : Gaussian, Rows, or any object with `dim` and `draw(rng, runs, batch)`
    w_star : array_like, float64, shape (d,), not 0
    w : array_like, float64, shape (R, d), R >= 1
        Where the runs start.
    step : float, above 0
    batch : int
        Rows of a step, all workers together; a multiple of `workers`.
    horizon : int, at least 1
        Number of steps.
    rng : numpy.random.Generator
    workers : int, default 1
    quantiser : object with `quantise(v, rng)`, or such a function, optional
        Is given one vector, shape (d,), and returns as many floats; one with ``batched = True`` is given all of them
        at once, shape (R, workers, d). See :mod:`chaosnum.planted_relu_sender`.
    noise : float, default 0
        Standard deviation of the labels' noise.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        Wrong shapes or magnitudes, w* = 0, a batch that the workers cannot share, inputs or a quantiser that return
        anything else than finite floats of the right shape, more than 1e8 numbers at once, or iterates that overflow.
    """
    if not hasattr(inputs, "dim") or not callable(getattr(inputs, "draw", None)):
        raise ValueError(f"inputs must have dim and draw(rng, runs, batch), got {inputs!r}")
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    w_star, w = planted(w_star, inputs.dim), finite_array("w", w, ndim=2)
    if w.shape[1] != inputs.dim or not len(w):
        raise ValueError(f"w must have shape (runs, {inputs.dim}) with runs >= 1, got {w.shape}")
    if not np.abs(w).max() < 1e99:
        raise ValueError(f"w must have components in (-1e99, 1e99), got {np.abs(w).max():.3g}")
    step, noise = positive("step", step), in_range("noise", noise, 0.0, MAGNITUDES[1], open_low=False)
    workers, share, horizon = whole("workers", workers, 1), shared(batch, workers), whole("horizon", horizon, 1)
    runs, d = w.shape
    at_once("runs * batch * dim", runs * share * workers * d)
    at_once("(horizon + 1) * runs", (horizon + 1) * runs)
    send = None if quantiser is None else sender(quantiser, (runs, workers, d))
    squares = np.empty((horizon + 1, runs))
    squares[0] = ((w - w_star) ** 2).sum(axis=1)
    for t in range(horizon):
        X = _drawn(inputs, rng, runs, share * workers)
        with one_thread(), np.errstate(over="ignore", invalid="ignore"):  # told by the squares
            y = labels(X, w_star, noise, rng).reshape(runs, workers, share)
            g = gradient(w[:, None, :], X.reshape(runs, workers, share, d), y)
            try:
                g = g if send is None else send(g, rng)
            except ValueError:
                if squares[t].max() > 1e20 * (squares[0].max() + w_star @ w_star):  # not the quantiser's fault
                    raise _diverged(step) from None
                raise
            w = w - step * g.mean(axis=1)
            squares[t + 1] = ((w - w_star) ** 2).sum(axis=1)
        if not squares[t + 1].max() < 1e200:
            finite_array("draw(rng, runs, batch)", X)
            raise _diverged(step)
    return Path(w, squares)


def _diverged(step):
    return ValueError(f"step must be small enough for the iterates to stay finite, got {step:.3g}: they diverge")


def _drawn(inputs, rng, runs, batch):
    """Rows of the right shape."""
    X = inputs.draw(rng, runs, batch)
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f" or X.shape != (runs, batch, inputs.dim):
        what = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        raise ValueError(f"draw(rng, runs, batch) must return floats of shape {(runs, batch, inputs.dim)}, got {what}")
    return X


def at_once(name, count):
    """How many numbers an array is to have, at most 1e8 -> int."""
    if count > MOST:
        raise ValueError(f"{name} must be at most {MOST:.0e}, the numbers held at once, got {count:.3g}")
    return count


def sized(name, x):
    """An array with its largest component in [1e-30, 1e30], whose fourth powers stay finite -> ndarray, float64."""
    low, high = MAGNITUDES
    if not low <= (largest := float(np.abs(x).max(initial=0.0))) <= high:
        raise ValueError(f"{name} must have its largest component in [{low:g}, {high:g}], got {largest:.3g}")
    return x


def planted(w_star, dim):
    """The planted weights -> ndarray, float64, shape (dim,), not zero."""
    w_star = finite_array("w_star", w_star, ndim=1)
    if len(w_star) != dim:
        raise ValueError(f"w_star must have {dim} components, got {len(w_star)}")
    if not w_star.any():
        raise ValueError("w_star must not be 0, or all labels and gradients are zero, got 0")
    return sized("w_star", w_star)


def shared(batch, workers):
    """Rows of each worker -> int."""
    workers = whole("workers", workers, 1)
    if whole("batch", batch, 1) % workers:
        raise ValueError(f"batch must be a multiple of workers = {workers}, got {batch}")
    return int(batch) // workers


def directions(rng, runs, dim):
    """Independent uniform unit vectors -> ndarray, float64, shape (runs, dim)."""
    u = rng.standard_normal((runs, dim))
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def near(w_star, distance, rng, runs):
    """Points at this distance from w*, in units of |w*|, in uniform directions -> ndarray, float64, shape (runs, d)."""
    distance = in_range("distance", distance, 0.0, 1e6, open_low=False)
    return w_star + distance * np.linalg.norm(w_star) * directions(rng, runs, len(w_star))
