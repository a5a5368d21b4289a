"""Multinomial logistic regression on the workers' own rows: a convex problem that is no quadratic, for Local-SGD.

Definition. Worker i has rows x_1..x_n in R^f with labels c in 0..C-1, and F_i(W) is the mean over its rows of
-log softmax(x' W)_c, plus ridge/2 |W|^2; W of shape (f, C) is flattened to d = f C numbers. Its stochastic gradient is
that of `batch` rows drawn with replacement, or of all rows (batch = 0). F is the mean of the F_i.

Shards. Sorted by label, every worker sees two or so of ten classes, the standard of unlike data; dealt at random, all
workers are alike. What goes wrong: shards of unequal size, whose mean is not the loss of all rows (refused).
"""

from functools import cached_property

import numpy as np
from scipy import optimize

from chaosnum import blas, check


class Logistic:
    """Logistic regression on equally many rows for each worker.

    Parameters
    ----------
    X : array_like, float64, shape (m, n, f)
    labels : array_like of whole numbers, shape (m, n), 0..C-1
    batch : int >= 0, rows in a stochastic gradient; 0 for all
    ridge : float >= 0

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN, labels that are not 0..C-1, a single class, or more classes than rows.
    """

    def __init__(self, X, labels, batch=0, ridge=0.0):
        self.X = check.finite_array("X", X, ndim=3)
        numbers = check.finite_array("labels", labels, ndim=2)
        if self.X.shape[:2] != numbers.shape or self.X.size == 0:
            raise ValueError(f"labels must have shape {self.X.shape[:2]} like the rows, got {numbers.shape}")
        if numbers.min() < 0 or (numbers != np.floor(numbers)).any() or not 1 <= numbers.max() < numbers.size:
            found = f"{numbers.min():g} to {numbers.max():g}"
            raise ValueError(
                f"labels must be whole numbers from 0, two or more and fewer than the {numbers.size} rows, got {found}"
            )
        self.classes = int(numbers.max()) + 1
        self.batch, self.ridge = check.at_least("batch", batch, 0), check.nonnegative("ridge", ridge)
        self.workers, self.rows, self.features = self.X.shape
        self.dim = self.features * self.classes
        self._hot = np.eye(self.classes)[numbers.astype(int)]

    @classmethod
    def dealt(cls, X, labels, workers, *, like=0.0, batch=0, ridge=0.0, seed=0):
        """Deal rows to workers -> Logistic; as many rows as are left over are dropped.

        Parameters
        ----------
        X : array_like (rows, f); labels : array_like (rows,)
        workers : int >= 1
        like : float in [0, 1], share of the rows dealt at random, the others sorted by label

        Raises
        ------
        ValueError
            As above, or an argument outside its range.
        """
        X, labels = check.finite_array("X", X, ndim=2), check.finite_array("labels", labels, ndim=1)
        if len(X) != len(labels):
            raise ValueError(f"labels must be as many as the {len(X)} rows, got {len(labels)}")
        m = check.whole("workers", workers, 1, len(X))
        like = check.in_range("like", like, 0.0, 1.0, open_low=False)
        order = np.argsort(labels, kind="stable")[: len(X) // m * m]
        rng = np.random.default_rng(check.at_least("seed", seed, 0))
        moved = np.flatnonzero(rng.random(len(order)) < like)
        order[moved] = order[rng.permutation(moved)]
        return cls(X[order].reshape(m, -1, X.shape[1]), labels[order].reshape(m, -1), batch, ridge)

    def gradient(self, x, rng):
        """Stochastic gradients at x, both of shape (systems, m, d); a ValueError for another one, or no generator."""
        if x.ndim != 3 or x.shape[1:] != (self.workers, self.dim):
            raise ValueError(f"x must have shape (systems, {self.workers}, {self.dim}), got {x.shape}")
        if self.batch and not isinstance(rng, np.random.Generator):
            raise ValueError(f"rng must be a numpy.random.Generator for a batch of rows, got {rng!r}")
        W = x.reshape(*x.shape[:2], self.features, self.classes)
        if self.batch:
            rows = rng.integers(0, self.rows, (len(x), self.workers, self.batch))
            worker = np.arange(self.workers)[:, None]
            X, hot = self.X[worker, rows], self._hot[worker, rows]
        else:
            X, hot = self.X, self._hot
        p = _softmax(X @ W)
        p -= hot
        p /= X.shape[-2]
        g = (X.swapaxes(-1, -2) @ p).reshape(x.shape)
        g += self.ridge * x
        return g

    def loss(self, w):
        """F at models w of shape (..., d) -> ndarray; a ValueError for another shape."""
        if w.shape[-1:] != (self.dim,):
            raise ValueError(f"w must have shape (..., {self.dim}), got {w.shape}")
        flat, hot = self.X.reshape(-1, self.features), self._hot.reshape(-1, self.classes)
        logits = flat @ w.reshape(*w.shape[:-1], self.features, self.classes)
        logits -= logits.max(axis=-1, keepdims=True)
        own = (np.log(np.exp(logits).sum(axis=-1)) - (logits * hot).sum(axis=-1)).mean(axis=-1)
        return own + 0.5 * self.ridge * (w**2).sum(axis=-1)

    @cached_property
    def minimum(self):
        """min F -> float, by L-BFGS to a gradient of 1e-7 or round-off; needs a ridge > 0 to exist."""
        if self.ridge == 0.0:
            raise ValueError("ridge must be > 0 for a minimum, got 0")
        full = Logistic(self.X, self._hot.argmax(axis=-1), 0, self.ridge)

        def value(w):
            return float(full.loss(w)), full.gradient(np.tile(w, (1, self.workers, 1)), None)[0].mean(axis=0)

        with blas.one_thread():
            found = optimize.minimize(value, np.zeros(self.dim), jac=True, method="L-BFGS-B",
                                      options={"maxiter": 5000, "gtol": 1e-7, "ftol": 1e-15, "maxcor": 30})  # fmt: skip
        return float(found.fun)


def _softmax(logits):
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits
