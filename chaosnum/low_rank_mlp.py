"""Bias-free networks trained by SGD with weight decay, several independent ones at once.

Definition. Layers theta^1, ..., theta^L of shape (n_(l-1), n_l), a^0 = x, a^l = act(a^(l-1) theta^l), outputs
f = a^(L-1) theta^L, cross-entropy loss. A step draws B rows with replacement (or takes all of them) and does

    theta <- rho theta - mu G,   rho = 1 - 2 mu lambda,   G = the mean gradient of the loss over the batch,

for every layer: SGD on loss + lambda ||theta||^2, without momentum. Initial entries are normal with variance
2 / n_(l-1) (ReLU) or 1 / n_(l-1) (tanh), or the matrices are orthogonal, for ReLU times 2^(1/2).

All arrays have the independent systems in front: theta^l is (R, n_(l-1), n_l). A step on four rows is 50 microseconds
of matrix products and calls, and calls are shared by the systems: eight of them cost 50 each, one alone 130. A loop
compiled for single rows came to the same, and took nine seconds to compile.

Precision. The weights' type is kept. In float32 rounding adds a full-rank part of relative size 6e-8 at every step,
which decay forgets after 1 / (2 mu lambda) steps: below 1e-5 of ||W|| for 2 mu lambda > 1e-4, and far from a tolerance
of 1e-3.

What goes wrong: mu too large, and all units die: the loss stays at ln(classes). Read the accuracy.

References: Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794; He, Zhang, Ren, Sun, ICCV 2015 (initial weights).
"""

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, one_of, whole
from chaosnum.low_rank import decay

UNITS = ("relu", "tanh")
CHUNK = 1024  # steps whose batches are drawn at once
LARGEST = 1e12  # entry of X: its square, times some thousands, is a float32


def rows(X, labels):
    """Checked data -> X float64 (N, d), labels int64 (N,) in 0..C-1, and C.

    Raises
    ------
    ValueError
        Shapes, NaN, entries beyond 1e12, labels that are not whole numbers, one class only, or rows that are all
        alike or all multiples of one: no gradient of rank above 1 comes of them.
    """
    X, y = finite_array("X", X, ndim=2), finite_array("labels", labels, ndim=1)
    if len(X) != len(y) or len(X) < 2:
        raise ValueError(f"X must have a row for each of the {len(y)} labels, 2 at least, got shape {X.shape}")
    if X.size and (most := float(np.abs(X).max())) > LARGEST:
        raise ValueError(f"X must lie in [-{LARGEST:g}, {LARGEST:g}], got an entry of magnitude {most:.3g}")
    if np.any(y != np.round(y)):
        raise ValueError(f"labels must be whole numbers, the classes, got {float(y[y != np.round(y)][0])!r}")
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("labels must have 2 classes or more, got 1")
    found = np.linalg.matrix_rank(X)
    if found < 2:
        raise ValueError(f"X must have rank 2 or more, or every gradient has rank {found}, got rank {found}")
    return X, labels.reshape(-1).astype(np.int64), len(classes)


def initial(widths, systems, rng, *, unit="relu", orthogonal=False, dtype=np.float64):
    """Initial weights -> list of L ndarrays, shapes (systems, n_(l-1), n_l)."""
    widths, systems = [whole("widths", n, 1) for n in widths], whole("systems", systems, 1)
    if len(widths) < 2:
        raise ValueError(f"widths must be those of inputs and outputs at least, got {widths}")
    gain = 2.0 if one_of("unit", unit, UNITS) == "relu" else 1.0
    found = []
    for p, q in zip(widths[:-1], widths[1:]):
        w = rng.standard_normal((systems, p, q))
        if orthogonal:
            with one_thread():
                left, _, right = np.linalg.svd(w, full_matrices=False)
                w = np.sqrt(gain) * (left @ right)
        else:
            w *= np.sqrt(gain / p)
        found.append(w.astype(dtype))
    return found


def _forward(weights, a, unit):
    """Activations of all layers, and the outputs."""
    layers, unit = [a], one_of("unit", unit, UNITS)
    for w in weights[:-1]:
        z = np.matmul(layers[-1], w)
        layers.append(np.tanh(z, out=z) if unit == "tanh" else np.maximum(z, 0.0, out=z))
    return layers, np.matmul(layers[-1], weights[-1])


def gradient(weights, X, hot, unit="relu", factor=1.0):
    """Mean gradients over the batch, times a factor.

    Parameters
    ----------
    weights : list of L ndarray, shapes (R, n_(l-1), n_l)
    X : ndarray, shape (R or 1, B, n_0)
    hot : ndarray, shape (R or 1, B, classes)
        1 at the label, 0 elsewhere.
    unit : {"relu", "tanh"}
    factor : float

    Returns
    -------
    list of L ndarray, the shapes of `weights`
    """
    a, d = _forward(weights, X, unit)
    d -= d.max(axis=2, keepdims=True)
    np.exp(d, out=d)
    d /= d.sum(axis=2, keepdims=True)
    d -= hot
    d *= d.dtype.type(factor / d.shape[1])
    found = [None] * len(weights)
    for l in reversed(range(len(weights))):
        found[l] = np.matmul(a[l].transpose(0, 2, 1), d)
        if l:
            d = np.matmul(d, weights[l].transpose(0, 2, 1))
            d *= (a[l] > 0.0) if unit == "relu" else 1.0 - a[l] ** 2
    return found


def train(weights, X, labels, *, batch, step, ridge, steps, rng, unit="relu", moves=0):
    """Train in place; what the last steps moved is returned.

    Parameters
    ----------
    weights : list of L ndarray, shapes (R, n_(l-1), n_l)
        Overwritten by the trained ones.
    X, labels : ndarray, shapes (N, n_0) and (N,)
    batch : int or None
        B, rows drawn with replacement, those of each system its own; None: all rows, every time.
    step : float or ndarray, shape (steps,)
        mu, or mu_t.
    ridge : float
        lambda.
    steps : int
    rng : numpy.random.Generator
    unit : {"relu", "tanh"}
    moves : int, default 0
        How many of the last steps are recorded.

    Returns
    -------
    ndarray, float64, shape (moves, L, R)
        ||theta_(t+1) - theta_t||_F / mu of each layer and system.

    Raises
    ------
    ValueError
        2 mu lambda >= 1, gradients that are all zero at the first step, or weights that overflow.
    """
    dtype, steps = weights[0].dtype, whole("steps", steps, 0)
    mus = np.broadcast_to(np.asarray(step, dtype=np.float64), (steps,))
    rhos = {float(m): decay(float(m), ridge) for m in np.unique(mus)}
    X, hot = np.ascontiguousarray(X, dtype=dtype), np.eye(int(np.max(labels)) + 1, dtype=dtype)[labels]
    systems, found = weights[0].shape[0], []
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):  # looked for below
        for t in range(steps):
            if batch is None:
                taken, targets = X[None], hot[None]
            else:
                if t % CHUNK == 0:
                    drawn = rng.integers(0, len(X), (min(CHUNK, steps - t), systems, batch))
                taken, targets = X[drawn[t % CHUNK]], hot[drawn[t % CHUNK]]
            mu = float(mus[t])
            rho = rhos[mu]
            changes = gradient(weights, taken, targets, unit, mu)
            if t == 0 and not any(g.any() for g in changes):
                raise ValueError("gradients must not all be zero at the first step, got 0: no unit is on")
            if t >= steps - moves:
                found.append([np.linalg.norm(g + (1.0 - rho) * w, axis=(1, 2)) / mu for g, w in zip(changes, weights)])
            for w, g in zip(weights, changes):
                w *= dtype.type(rho)
                w -= g
            if (t + 1) % CHUNK == 0 or t + 1 == steps:
                _still_finite(weights, mu, t + 1)
    return np.array(found, dtype=np.float64).reshape(len(found), len(weights), systems)


def _still_finite(weights, step, steps):
    if not all(np.isfinite(w).all() for w in weights):
        raise ValueError(f"step must be smaller, or X scaled down: weights overflowed in {steps} steps, got {step!r}")


def record(weights, layer, X, labels, *, batch, step, ridge, steps, rng, unit="relu", momentum=0.0, noise=0.0):
    """Train one system in place, and keep every weight and gradient of a layer, for :func:`chaosnum.low_rank.unroll`.

    Parameters
    ----------
    weights : list of L ndarray, shapes (1, n_(l-1), n_l)
    layer : int
    X, labels, batch, step, ridge, steps, rng, unit
        As in :func:`train`, but `batch` and `step` are one number each.
    momentum : float, default 0
        W <- rho W - mu V, V <- momentum V + G: outside the theorem.
    noise : float, default 0
        A normal matrix of norm noise ||G||_F is added to every gradient: rank B no more.

    Returns
    -------
    W, G : ndarray, float64, shapes (steps + 1, p, q) and (steps, p, q)
    """
    rho, hot = decay(step, ridge), np.eye(int(np.max(labels)) + 1)[labels]
    velocity = [np.zeros_like(w) for w in weights]
    kept, found = [weights[layer][0].copy()], []
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            drawn = rng.integers(0, len(X), (1, batch))
            for l, g in enumerate(gradient(weights, X[drawn], hot[drawn], unit)):
                if noise:
                    dense = rng.standard_normal(g.shape)
                    g += noise * np.linalg.norm(g) / np.linalg.norm(dense) * dense
                velocity[l] = momentum * velocity[l] + g
                weights[l] *= rho
                weights[l] -= step * velocity[l]
                if l == layer:
                    found.append(g[0])
            kept.append(weights[layer][0].copy())
    _still_finite(weights, step, steps)
    return np.array(kept), np.array(found)


def accuracy(weights, X, labels, unit="relu"):
    """Share of right answers of each system -> ndarray, float64, shape (R,)."""
    with one_thread():
        f = _forward(weights, np.asarray(X, dtype=weights[0].dtype)[None], unit)[1]
    return (f.argmax(axis=2) == labels).mean(axis=1)
