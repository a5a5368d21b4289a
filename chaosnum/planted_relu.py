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
Gaussian rows and in :mod:`chaosnum.planted_relu_rows` for rows of data.

What goes wrong: labels that no unit has (the iterates then stay on a floor); distances squared below 1e-28 |w*|^2,
where double precision ends; and taking m rows of one fixed batch for m fresh ones.

References: Soltanolkotabi, NIPS 2017, arXiv 1705.04591 (gradient, start; recalled); Kalan, Soltanolkotabi, Avestimehr,
arXiv 1901.06587 (SGD and quantised SGD).
"""

from dataclasses import dataclass

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, in_range, nonnegative, positive, whole

FLOOR = 1e-28  # of squared distances relative to |w*|^2: below it they are rounding


@dataclass(frozen=True)
class Gaussian:
    """Fresh rows x ~ N(0, I_dim)."""

    dim: int

    def __post_init__(self):
        whole("dim", self.dim, 1)

    def draw(self, rng, runs, batch):
        """Rows for every run -> ndarray, float64, shape (runs, batch, dim)."""
        return rng.standard_normal((runs, batch, self.dim))


class Rows:
    """Rows of a table, drawn with replacement: the table is the population.

    Parameters
    ----------
    X : array_like, float64, shape (n, d)
    """

    def __init__(self, X):
        self.X = finite_array("X", X, ndim=2)
        self.dim = self.X.shape[1]
        if not self.X.any():
            raise ValueError("X must have a row that is not zero, or all gradients are zero, got none")

    def draw(self, rng, runs, batch):
        """Rows for every run -> ndarray, float64, shape (runs, batch, d)."""
        return self.X[rng.integers(0, len(self.X), (runs, batch))]


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
    return y + noise * rng.standard_normal(y.shape) if nonnegative("noise", noise) > 0.0 else y


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
    w : array_like, float64, shape (R, d)
        Where the runs start.
    step : float, above 0
    batch : int
        Rows of a step, all workers together; a multiple of `workers`.
    horizon : int, at least 1
        Number of steps.
    rng : numpy.random.Generator
    workers : int, default 1
    quantiser : object with `quantise(v, rng)`, or such a function, optional
        Is given one vector, shape (d,), and returns as many numbers; one with ``batched = True`` is given all of them
        at once, shape (R, workers, d).
    noise : float, default 0
        Standard deviation of the labels' noise.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        Wrong shapes, w* = 0, a batch that the workers cannot share, a quantiser that returns anything else than finite
        numbers of the right shape, or iterates that overflow.
    """
    w_star, w = planted(w_star, inputs.dim), finite_array("w", w, ndim=2)
    if w.shape[1] != inputs.dim:
        raise ValueError(f"w must have shape (runs, {inputs.dim}), got {w.shape}")
    step, noise = positive("step", step), nonnegative("noise", noise)
    share, horizon = shared(batch, workers), whole("horizon", horizon, 1)
    send = None if quantiser is None else sender(quantiser)
    runs, d = w.shape
    squares = np.empty((horizon + 1, runs))
    squares[0] = ((w - w_star) ** 2).sum(axis=1)
    for t in range(horizon):
        X = inputs.draw(rng, runs, share * workers)
        with one_thread():
            y = labels(X, w_star, noise, rng).reshape(runs, workers, share)
            g = gradient(w[:, None, :], X.reshape(runs, workers, share, d), y)
        g = g if send is None else send(g, rng)
        w = w - step * g.mean(axis=1)
        squares[t + 1] = ((w - w_star) ** 2).sum(axis=1)
        if not squares[t + 1].max() < 1e200:
            raise ValueError(f"step must be small enough for the iterates to stay finite, got {step:.3g}: |w| > 1e100")
    return Path(w, squares)


def planted(w_star, dim):
    """The planted weights -> ndarray, float64, shape (dim,), not zero."""
    w_star = finite_array("w_star", w_star, ndim=1)
    if len(w_star) != dim:
        raise ValueError(f"w_star must have {dim} components, got {len(w_star)}")
    if not w_star.any():
        raise ValueError("w_star must not be 0, or all labels and gradients are zero, got 0")
    return w_star


def shared(batch, workers):
    """Rows of each worker -> int."""
    workers = whole("workers", workers, 1)
    if whole("batch", batch, 1) % workers:
        raise ValueError(f"batch must be a multiple of workers = {workers}, got {batch}")
    return int(batch) // workers


def sender(quantiser):
    """A quantiser as a function of gradients (..., d) and a generator -> ndarray of the same shape, checked."""
    quantise = getattr(quantiser, "quantise", quantiser)
    if not callable(quantise):
        raise ValueError(f"quantiser must be a function or have a method quantise(v, rng), got {quantiser!r}")

    def send(g, rng):
        if getattr(quantiser, "batched", False):
            return quantise(g, rng)
        flat = g.reshape(-1, g.shape[-1])
        sent = [finite_array("quantise(v, rng)", quantise(v.copy(), rng)) for v in flat]
        if bad := [q.shape for q in sent if q.shape != flat.shape[1:]]:
            raise ValueError(f"quantise(v, rng) must return shape ({g.shape[-1]},), got {bad[0]}")
        return np.array(sent).reshape(g.shape)

    return send


def directions(rng, runs, dim):
    """Independent uniform unit vectors -> ndarray, float64, shape (runs, dim)."""
    u = rng.standard_normal((runs, dim))
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def near(w_star, distance, rng, runs):
    """Points at this distance from w*, in units of |w*|, in uniform directions -> ndarray, float64, shape (runs, d)."""
    distance = in_range("distance", distance, 0.0, 1e6, open_low=False)
    return w_star + distance * np.linalg.norm(w_star) * directions(rng, runs, len(w_star))
