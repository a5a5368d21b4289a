"""A fleet of quadratics: what the workers of Local-SGD minimise where everything can be predicted exactly.

Definition. Worker i has F_i(x) = 1/2 x'H_i x - b_i'x and sees the gradient H_i x - b_i + noise xi, xi ~ N(0, I),
independent over workers and steps. F is the mean of the F_i, x* = (mean H)^-1 mean b its minimum, and
kappa^2 = mean_i |grad F_i(x*)|^2 the heterogeneity. The F_i themselves may be flat or curved downwards; the mean of
the H_i must be positive definite. Least squares on each worker's own rows is of this kind (`Quadratics.of_shards`),
with full gradients and added noise: drawing rows would make the noise multiplicative, which is another model.

What goes wrong: sums of squares in place of means, which makes workers with more rows count for more than 1/m.
"""

import numpy as np

from chaosnum import check


class Quadratics:
    """One quadratic for each worker, with additive Gaussian gradient noise.

    Parameters
    ----------
    hessians : array_like, float64, shape (m, d, d), symmetric
    slopes : array_like, float64, shape (m, d), the b_i
    noise : float >= 0, standard deviation of a component of a worker's gradient noise

    Raises
    ------
    ValueError
        Wrong shapes, NaN, a Hessian that is not symmetric, or a mean Hessian that is not positive definite.
    """

    def __init__(self, hessians, slopes, noise=0.0):
        self.hessians = check.finite_array("hessians", hessians, ndim=3)
        self.slopes = check.finite_array("slopes", slopes, ndim=2)
        self.noise = check.nonnegative("noise", noise)
        m, d, e = self.hessians.shape
        if d != e or self.slopes.shape != (m, d) or m == 0 or d == 0:
            raise ValueError(
                f"slopes must have shape (m, d) for hessians (m, d, d), got {self.slopes.shape}, {(m, d, e)}"
            )
        scale = np.abs(self.hessians).max()
        if np.abs(self.hessians - self.hessians.transpose(0, 2, 1)).max() > 1e-9 * scale:
            raise ValueError("hessians must be symmetric, got one that is not")
        self.workers, self.dim = m, d
        self.curvatures = np.linalg.eigvalsh(self.hessians.mean(axis=0))
        if self.curvatures[0] <= 1e-12 * scale or scale == 0.0:
            raise ValueError(
                f"the mean Hessian must be positive definite, got smallest eigenvalue {self.curvatures[0]:.3g}: "
                "dependent columns or too few rows; a ridge > 0 helps"
            )

    @classmethod
    def same(cls, workers, h, noise=0.0, tilts=None):
        """All workers alike on R^1, F = h x^2/2, tilted by `tilts` (m,) of mean zero -> Quadratics."""
        m = check.at_least("workers", workers, 1)
        slopes = np.zeros(m) if tilts is None else check.finite_array("tilts", tilts, ndim=1)
        return cls(np.full((m, 1, 1), check.positive("h", h)), slopes[:, None], noise)

    @classmethod
    def of_shards(cls, shards, *, ridge=0.0, noise=0.0):
        """Least squares on each worker's own rows, 1/(2 rows) |X w - y|^2 + ridge/2 |w|^2 -> Quadratics.

        Parameters
        ----------
        shards : sequence of (X (rows, d), y (rows,)), one for each worker
        ridge : float >= 0

        Raises
        ------
        ValueError
            No shards, empty ones, unequal numbers of columns, NaN, or dependent columns over all rows without a ridge.
        """
        ridge, hessians, slopes = check.nonnegative("ridge", ridge), [], []
        for i, (X, y) in enumerate(_pairs(shards)):
            X, y = check.finite_array(f"X of worker {i}", X, ndim=2), check.finite_array(f"y of worker {i}", y, ndim=1)
            if len(X) != len(y) or len(X) == 0:
                raise ValueError(f"worker {i} must have as many rows as targets, at least 1, got {len(X)} and {len(y)}")
            if hessians and X.shape[1] != len(hessians[0]):
                raise ValueError(f"worker {i} must have {len(hessians[0])} columns like the others, got {X.shape[1]}")
            hessians.append(X.T @ X / len(X) + ridge * np.eye(X.shape[1]))
            slopes.append(X.T @ y / len(X))
        if not hessians:
            raise ValueError("shards must hold one or more workers, got none")
        return cls(hessians, slopes, noise)

    @property
    def optimum(self):
        """x*, the minimum of the mean -> ndarray, shape (d,)."""
        return np.linalg.solve(self.hessians.mean(axis=0), self.slopes.mean(axis=0))

    @property
    def heterogeneity(self):
        """kappa^2 = mean_i |grad F_i(x*)|^2, that of the mean being 0 -> float."""
        g = self.hessians @ self.optimum - self.slopes
        return float((g**2).sum() / self.workers)

    def centred(self):
        """The same fleet with its optimum moved to 0, which keeps what is measured above rounding -> Quadratics."""
        return Quadratics(self.hessians, self.slopes - self.hessians @ self.optimum, self.noise)

    def gradient(self, x, rng):
        """Stochastic gradients at x, both of shape (systems, m, d).

        Raises
        ------
        ValueError
            Another shape, or no generator where there is noise.
        """
        if x.ndim != 3 or x.shape[1:] != self.slopes.shape:
            raise ValueError(f"x must have shape (systems, {self.workers}, {self.dim}), got {x.shape}")
        if self.noise and not isinstance(rng, np.random.Generator):
            raise ValueError(f"rng must be a numpy.random.Generator where there is noise, got {rng!r}")
        if self.dim == 1:
            g = x * self.hessians[:, :, 0] - self.slopes
        else:
            g = (x.swapaxes(0, 1) @ self.hessians).swapaxes(0, 1) - self.slopes  # the Hessians are symmetric
        if self.noise:
            g += self.noise * rng.standard_normal(x.shape)
        return g


def _pairs(shards):
    """The shards as a list of pairs."""
    shards = list(shards) if hasattr(shards, "__iter__") else shards
    if not isinstance(shards, list):
        raise ValueError(f"shards must be a sequence of pairs (X, y), got {shards!r}")
    for i, pair in enumerate(shards):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"shards must be pairs (X, y), got {type(pair).__name__} for worker {i}")
    return shards
