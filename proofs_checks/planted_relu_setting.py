"""SGD on a planted ReLU with everything chosen by a user, checked, its step and its factor; see planted_relu_own.py.

What no claim could use is refused here, before anything runs: rows that do not determine w*, a step at or above the
threshold, a quantiser that is none, and what would take hours.
"""

from dataclasses import dataclass

import chaosnum as cn

RUNS = 128  # of one system of a mean
DRAWN = 2000  # vectors for the relative variance of a quantiser that does not know its own
MOST_NUMBERS = 2 * 10**9  # drawn for one system: half a minute
MOST_PRODUCTS = 2 * 10**10  # of the exact recursion for one system, n d^2 a step


@dataclass(frozen=True, eq=False)
class Setting:
    """SGD with everything chosen; `factor` is that of E|h|^2 a step near w*, `exact` whether it is known exactly."""

    inputs: object
    w_star: object
    batch: int
    workers: int
    quantiser: object
    step: float
    factor: float
    population: object = None

    @property
    def exact(self):
        """Whether the prediction is exact: nothing quantised."""
        return self.quantiser is None

    @property
    def reach(self):
        """A distance to w* within which it is, in units of |w*|."""
        import numpy as np

        return 1e-4 if self.population is None else 0.5 * self.population.reach / float(np.linalg.norm(self.w_star))

    def run(self, w, horizon, rng, noise=0.0, share=1.0):
        """Path of SGD from w, shape (runs, d)."""
        return cn.planted_relu.run(
            self.inputs, self.w_star, w, step=share * self.step, batch=self.batch, horizon=horizon, rng=rng,
            workers=self.workers, quantiser=self.quantiser, noise=noise,
        )  # fmt: skip

    def squares(self, h, horizon):
        """Predicted E|h_T|^2."""
        if self.population is None or not self.exact:
            return float(h @ h) * self.factor**horizon
        return float(self.population.squares(h, self.step, self.batch, horizon)[-1])


def setting(batch, *, rows=None, w_star=None, dim=64, workers=1, quantiser=None, step=None):
    """A Setting, checked; see `claims_for`."""
    import numpy as np

    law, batch = cn.planted_relu_law, cn.check.whole("batch", batch, 1)
    inputs = cn.planted_relu.Gaussian(dim) if rows is None else cn.planted_relu.Rows(rows)
    if w_star is None:
        w_star = cn.planted_relu.directions(np.random.default_rng(1), 1, inputs.dim)[0]
    w_star = cn.planted_relu.planted(w_star, inputs.dim)
    cn.planted_relu.at_once(f"{RUNS} * batch * dim", RUNS * batch * inputs.dim)
    plain = law.amplification(inputs.dim, batch, workers)
    population = None if rows is None else cn.planted_relu_rows.Population(rows, w_star)
    if rows is None:
        _affordable(batch, inputs.dim, law.factor(1.0 / plain, plain), 1.0 / plain)  # the fastest that it can be
    elif population.reach < 1e-9 * float(np.linalg.norm(w_star)):
        raise ValueError(f"rows must have |<w*, x>| >= 1e-9 |w*| |x|, a side of their own, got {population.reach:.3g}")
    omega = 0.0 if quantiser is None else _omega(quantiser, inputs.dim, int(workers))
    a = law.amplification(inputs.dim, batch, workers, omega)
    if rows is None:
        step = 1.0 / a if step is None else law.stable(step, a)
        factor = law.factor(step, a)
        _affordable(batch, inputs.dim, factor, step)
        return Setting(inputs, w_star, batch, int(workers), quantiser, step, factor)
    gain = a / plain  # of the gradients' square by quantising, as for Gaussian rows
    limit = population.threshold(batch) / gain
    if step is None:
        step = 0.5 * limit
    elif cn.check.positive("step", step) >= limit:
        raise ValueError(f"step must lie below the stability threshold {limit:.4g} of these rows, got {step:.4g}")
    factor = population.factor(step, batch, gain)
    _affordable(batch, inputs.dim, factor, step, population.count)
    return Setting(inputs, w_star, batch, int(workers), quantiser, step, factor, population)


def _affordable(batch, dim, factor, step, rows=0):
    """Refuses what would take hours."""
    import math

    turn = -1.0 / math.log(factor) if 0.0 < factor < 1.0 else 1.0 if factor <= 0.0 else math.inf  # steps to fall by e
    found = f"{turn:.3g} steps of {step:.3g} to fall by e"
    if batch * dim * turn * RUNS > MOST_NUMBERS:  # two runs down to 1e-20 take fewer
        limit = f"batch * dim * steps must be at most {MOST_NUMBERS / RUNS:.2g}"
        raise ValueError(f"{limit}, or one system takes minutes, got {batch} * {dim} * ({found})")
    if rows * dim**2 * turn > MOST_PRODUCTS:
        limit = f"n d^2 * steps must be at most {MOST_PRODUCTS:.0e}"
        raise ValueError(f"{limit}, or the exact recursion takes minutes, got {rows} * {dim}^2 * ({found})")


def _omega(quantiser, dim, workers):
    """Relative variance for gradients of uniform direction: its own word, or drawn; the quantiser is checked."""
    import numpy as np

    cn.planted_relu_sender.sender(quantiser, (2, workers, dim))
    if hasattr(quantiser, "mean_variance"):
        if not callable(quantiser.mean_variance):
            raise ValueError(f"mean_variance must be a method of dim, got {quantiser.mean_variance!r}")
        return cn.check.nonnegative("mean_variance(dim)", quantiser.mean_variance(dim))
    rng = np.random.default_rng(2)
    return cn.qsgd.weighted_variance(quantiser, cn.planted_relu.directions(rng, DRAWN, dim), rng)
