"""What the agents of gradient tracking minimise: local objectives with an oracle of noisy gradients.

Definition. Agent i has f_i on R^d; together they minimise f_1 + ... + f_m, m agents, whose optimum is x*. An oracle
returns g_i = grad f_i(x_i) + e_i with E e_i = 0, independent from agent to agent and from step to step. Three kinds:

* :func:`quadratics`: f_i(x) = (x - c_i)^T H_i (x - c_i) / 2 and Gaussian e_i, whose covariance does not depend on x:
  gradient tracking is then a linear system, and everything about it is known (``gradient_tracking_law.py``).
* :func:`smooth`: gradients and Hessians of one's own, Gaussian e_i. The law is that of the linearisation at x*.
* :func:`logistic`: regularised logistic regression on shards of a data set, f_i the mean over shard i, and the oracle
  takes one row of the shard at random. Its covariance at x* is that of the rows' gradients. Near x* the covariance
  grows by E (h_r - H_i) C (h_r - H_i), C that of x_i - x* and h_r the Hessian of row r: `excess`.

What goes wrong: f_1 + ... + f_m and their average differ by the factor m in every step and rate; here it is the sum.
Objectives that share a minimiser, or doubly stochastic weights, make a test vacuous: without tracking one converges
there as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from chaosnum.check import finite_array, in_range, positive, whole
from chaosnum.gradient_tracking_functions import (
    check_derivatives,
    checked_gradients,
    checked_hessians,
    newton,
    positive_sum,
)

LOUDEST = 1e150  # standard deviation of a noise, whose square is finite
SHIFTED = 1e-6  # largest round-off of the optimum, in units of the spread


@dataclass(frozen=True, eq=False)
class Objectives:
    """Local objectives, made by :func:`quadratics`, :func:`smooth` or :func:`logistic`; m agents in R^d.

    Attributes
    ----------
    optimum : ndarray, float64, shape (d,)
    hessians : ndarray, float64, shape (m, d, d)
        Of the f_i at the optimum.
    covariances : ndarray, float64, shape (m, d, d)
        Of the oracle's noise at the optimum.
    gradient : callable (x) -> ndarray
        Exact gradients: x and result float64 (m, replicas, d).
    draw : callable (rng, replicas) -> object
        The random sample xi that an oracle call needs.
    noisy : callable (x, xi) -> ndarray
        Noisy gradients, shapes as of `gradient`.
    excess : callable (C) -> ndarray, optional
        What the oracle's covariances (m, d, d) gain where x_i - x* has the second moments C (m, d, d).
    linear : bool
        Gradients are linear and the noise is additive: the laws of ``gradient_tracking_law.py`` are exact.
    """

    optimum: np.ndarray
    hessians: np.ndarray
    covariances: np.ndarray
    gradient: Callable
    draw: Callable
    noisy: Callable
    excess: Callable | None = None
    linear: bool = False

    @property
    def agents(self):
        """Number of agents -> int."""
        return self.hessians.shape[0]

    @property
    def dim(self):
        """Dimension of the space -> int."""
        return self.hessians.shape[1]

    def with_noise(self, factor):
        """The same objectives, the oracle's noise multiplied by a positive number -> Objectives."""
        factor = positive("factor", factor)
        if self.linear:
            draw = self.draw
            louder = {"draw": lambda rng, replicas: factor * draw(rng, replicas)}
            return replace(self, covariances=factor**2 * self.covariances, **louder)

        def noisy(x, xi):
            exact = self.gradient(x)
            return exact + factor * (self.noisy(x, xi) - exact)

        excess = None if self.excess is None else lambda C: factor**2 * self.excess(C)
        return replace(self, covariances=factor**2 * self.covariances, noisy=noisy, excess=excess)

    @property
    def spread(self):
        """How far the agents' own optima are from the common one (root mean square), or 1 if they agree -> float."""
        slopes = self.gradient(np.tile(self.optimum, (self.agents, 1, 1)))
        found = float(np.linalg.norm(slopes) / np.linalg.norm(self.hessians.mean(axis=0), 2) / self.agents**0.5)
        return found if found > 1e-13 * np.abs(self.optimum).max() else 1.0

    def centred(self):
        """Quadratics in coordinates x - x*, where round-off is that of the spread and not of x* -> Objectives.

        The iteration is equivariant: nothing else changes. Objectives that are no quadratics are returned as they are.

        Raises
        ------
        ValueError
            An optimum so far from 0 that the centres' own round-off shifts it by more than 1e-6 spreads.
        """
        if not self.linear:
            return self
        m, d, H = self.agents, self.dim, self.hessians
        slopes = self.gradient(np.tile(self.optimum, (m, 1, 1)))
        off = np.linalg.solve(H.sum(axis=0), slopes[:, 0].sum(axis=0))  # zero but for round-off
        if not np.linalg.norm(off) <= SHIFTED * (spread := self.spread):
            far = np.linalg.norm(self.optimum) / spread
            raise ValueError(f"centres must have an optimum within about 1e9 spreads of 0, got {far:.3g} spreads")
        slopes = slopes - (H @ off)[:, None]
        h = H[:, :1, 0][:, None]

        def gradient(x):
            return (h * x if d == 1 else x @ H) + slopes

        return replace(self, optimum=np.zeros(d), gradient=gradient, noisy=lambda x, xi: gradient(x) + xi)


def quadratics(hessians, centres, noise=1.0):
    """f_i(x) = (x - c_i)^T H_i (x - c_i) / 2 with additive Gaussian noise.

    Parameters
    ----------
    hessians : array_like, float64, shape (m, d, d), or (m,) for numbers in R
        Symmetric; their sum is positive definite.
    centres : array_like, float64, shape (m, d) or (m,)
    noise : float >= 0, or array_like, float64, shape (m, d, d)
        Standard deviation of every component of e_i, or the covariances.

    Returns
    -------
    Objectives

    Raises
    ------
    ValueError
        Wrong shapes, NaN, a Hessian or covariance that is not symmetric, a sum that is not positive definite, a
        negative noise.
    """
    H, c = finite_array("hessians", hessians), finite_array("centres", centres)
    H, c = (H[:, None, None] if H.ndim == 1 else H), (c[:, None] if c.ndim == 1 else c)
    H = _hessians(H)
    if c.shape != H.shape[:2]:
        raise ValueError(f"centres must have shape {H.shape[:2]}, as the hessians have, got {c.shape}")
    total = H.sum(axis=0)
    optimum = np.linalg.solve(total, np.einsum("ide,ie->d", H, c))
    h, shift = H[:, :1, 0][:, None], c[:, None]

    def gradient(x):
        return h * (x - shift) if H.shape[1] == 1 else (x - shift) @ H

    return replace(_gaussian(optimum, H, gradient, noise), linear=True)


def smooth(gradients, hessians, *, agents, dim, noise=1.0, start=None):
    """Objectives of one's own, with additive Gaussian noise; the optimum is found by Newton's method.

    Parameters
    ----------
    gradients : callable (x) -> array, float64
        x of shape (agents, replicas, dim): gradient of f_i at every x[i, r], the same shape.
    hessians : callable (x) -> array, float64, shape (agents, dim, dim)
        Those of all f_i at one point x of shape (dim,).
    agents, dim : int
    noise : as for :func:`quadratics`
    start : array_like, float64, shape (dim,), optional
        Where Newton's method begins; by default 0.

    Returns
    -------
    Objectives

    Raises
    ------
    ValueError
        No function, one that raises, writes to x, returns another shape or NaN; a sum that is not convex along Newton's
        path, no optimum; Hessians that are not the derivatives of the gradients there.
    """
    agents, dim = whole("agents", agents, 2), whole("dim", dim, 1)
    x = finite_array("start", np.zeros(dim) if start is None else start, ndim=1)
    if x.shape != (dim,):
        raise ValueError(f"start must have shape ({dim},), got {x.shape}")
    gradient, hessians = checked_gradients(gradients, agents, x), checked_hessians(hessians, agents, x)
    x = newton(lambda x: gradient(np.tile(x, (agents, 1, 1)))[:, 0].sum(axis=0), hessians, x)
    own = _gaussian(x, _hessians(hessians(x)), gradient, noise)
    check_derivatives(gradient, own.hessians, x, own.spread)
    return own


def logistic(X, y, ridge, agents, *, sort=True):
    """Logistic regression on shards: f_i = mean over shard i of log(1 + exp(-y x^T w)) + ridge |w|^2 / 2.

    The oracle takes one row of the shard at random for each agent.

    Parameters
    ----------
    X : array_like, float64, shape (rows, d)
    y : array_like, float64, shape (rows,)
        Labels -1 and 1.
    ridge : float > 0
    agents : int
        Shards of rows // agents consecutive rows; what is left over is dropped.
    sort : bool
        Sort rows by label first (stably), so that the shards differ.

    Returns
    -------
    Objectives

    Raises
    ------
    ValueError
        Wrong shapes, NaN, other labels, fewer than two rows a shard, ridge <= 0.
    """
    X, y, ridge = finite_array("X", X, ndim=2), finite_array("y", y, ndim=1), positive("ridge", ridge)
    if len(X) != len(y):
        raise ValueError(f"y must be one label -1 or 1 for each of {len(X)} rows, got shape {y.shape}")
    if (other := ~np.isin(y, (-1.0, 1.0))).any():
        raise ValueError(f"y must be one label -1 or 1 for each row, got {y[other][0]:g}")
    if not X.shape[1]:
        raise ValueError(f"X must have one column or more, got shape {X.shape}")
    agents = whole("agents", agents, 2)
    rows, d = len(X) // agents, X.shape[1]
    if rows < 2:
        raise ValueError(f"X must have two rows or more for each of {agents} agents, got {len(X)} rows")
    order = np.argsort(y, kind="stable") if sort else np.arange(len(y))
    signed = (y[:, None] * X)[order[: rows * agents]].reshape(agents, rows, d)  # y x: all that the loss sees
    flat, first, ones = signed.reshape(-1, d), rows * np.arange(agents)[:, None], np.ones(d)

    def slopes(z):  # -d/dz log(1 + exp(-z)), stable for large |z|
        return 0.5 - 0.5 * np.tanh(0.5 * z)

    def gradient(w):
        return -slopes(w @ signed.transpose(0, 2, 1)) @ signed / rows + ridge * w

    def draw(rng, replicas):
        return first + (rows * rng.random((agents, replicas))).astype(np.int64)  # rng.integers takes ten times longer

    def noisy(w, xi):
        row = flat.take(xi, axis=0)
        return ridge * w - slopes((w * row) @ ones)[..., None] * row

    def hessians(w):
        p = slopes(signed @ w)
        return np.einsum("ir,ird,ire->ide", p * (1.0 - p), signed, signed) / rows + ridge * np.eye(d)

    x = newton(lambda w: gradient(np.tile(w, (agents, 1, 1)))[:, 0].sum(axis=0), hessians, np.zeros(d))
    H, p = hessians(x), slopes(signed @ x)
    single = p[..., None] * signed
    single = single - single.mean(axis=1, keepdims=True)
    covariances = np.einsum("ird,ire->ide", single, single) / rows
    curve = H - ridge * np.eye(d)

    def excess(C):
        weight = (p * (1.0 - p)) ** 2 * np.einsum("ird,ide,ire->ir", signed, C, signed, optimize=True)
        return (signed.transpose(0, 2, 1) * weight[:, None]) @ signed / rows - curve @ C @ curve

    return Objectives(x, H, covariances, gradient, draw, noisy, excess)


def _gaussian(optimum, H, gradient, noise):
    """Objectives whose oracle adds Gaussian noise."""
    agents, d = H.shape[:2]
    noise = finite_array("noise", noise)
    if noise.ndim == 0:
        noise = np.asarray(in_range("noise", float(noise), 0.0, LOUDEST, open_low=False))
        covariances = np.tile(noise**2 * np.eye(d), (agents, 1, 1))
    elif noise.shape == H.shape:
        _symmetric("noise", noise)
        covariances = noise
    else:
        raise ValueError(f"noise must be a number or symmetric covariances of shape {H.shape}, got {noise.shape}")
    values, vectors = np.linalg.eigh(covariances)
    if values.min() < -1e-12 * max(values.max(), 1e-300):
        raise ValueError(f"noise must be positive semidefinite covariances, got the eigenvalue {values.min():g}")
    roots = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]).transpose(0, 2, 1)
    scalar = float(noise) if noise.ndim == 0 else None

    def draw(rng, replicas):
        e = rng.standard_normal((agents, replicas, d))
        if scalar is None:
            return e @ roots
        e *= scalar
        return e

    def noisy(x, xi):
        return gradient(x) + xi

    return Objectives(optimum, H, covariances, gradient, draw, noisy)


def _hessians(H):
    if H.ndim != 3 or H.shape[1] != H.shape[2] or H.shape[0] < 2 or H.shape[1] < 1:
        raise ValueError(f"hessians must have shape (agents, d, d), agents >= 2, got {H.shape}")
    _symmetric("hessians", H)
    positive_sum(H)
    return H


def _symmetric(name, matrices):
    if np.abs(matrices - matrices.transpose(0, 2, 1)).max() > 1e-9 * np.abs(matrices).max():
        raise ValueError(f"{name} must be symmetric, got one that is not")
