"""Networks in training for S2.4: several at once, looked at as they forget.

Bias-free ReLU networks in float32 with hidden layers of one width; the observed matrix is the last square one. S is the
forgetting so far, sum_t -ln(1 - 2 mu_t lambda), by the lambda that the network was made with. A network that has
collapsed has a low rank too, so that accuracy and norm are read with it (:meth:`Bed.collapse`).
"""

import math
from dataclasses import dataclass

import chaosnum as cn

SOURCE = "Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794"
SYSTEMS = 3  # networks behind a replica


@dataclass
class Bed:
    """Networks in training: weights in float32, the observed matrix the last square one."""

    rows: tuple
    weights: list
    start: object
    depth: int
    ridge: float
    rng: object
    S: float = 0.0

    @property
    def observed(self):
        return self.weights[self.depth - 1]

    def train(self, amount, batch, step, spoil=1.0):
        """Train for `amount` of S; `spoil` is a factor on lambda that S does not know of."""
        X, labels, _ = self.rows
        steps = cn.low_rank.updates(amount, step, self.ridge)
        cn.low_rank_mlp.train(self.weights, X, labels, batch=batch, step=step, ridge=spoil * self.ridge, steps=steps,
                              rng=self.rng)  # fmt: skip
        self.S += steps * -math.log(cn.low_rank.decay(step, self.ridge))

    def rank(self):
        return cn.low_rank.rank(self.observed)

    def collapse(self, batch, step, spoil=1.0):
        """Above 1 where the network has not learnt: the larger of 0.9 / accuracy and 0.01 / ||W||.

        One iterate's accuracy fluctuates by 0.02 with the last batches, so it is the median over some further steps,
        and the networks are to be read before.
        """
        import numpy as np

        X, labels, _ = self.rows
        found, norm = [], np.linalg.norm(self.observed, axis=(1, 2)).min()
        for _ in range(9):
            cn.low_rank_mlp.train(self.weights, X, labels, batch=batch, step=step, ridge=spoil * self.ridge, steps=10,
                                  rng=self.rng)  # fmt: skip
            found.append(cn.low_rank_mlp.accuracy(self.weights, X, labels))
        return max(0.9 / np.median(found), 0.01 / norm)


def bed(rows, *, seed, ridge, width, depth, stream=0, systems=SYSTEMS):
    """Networks at the start: the same for every `stream` of batches."""
    import numpy as np

    rng = np.random.default_rng([seed, 0])
    widths = [rows[0].shape[1], *[width] * depth, rows[2]]
    weights = cn.low_rank_mlp.initial(widths, systems, rng, dtype=np.float32)
    return Bed(rows, weights, weights[depth - 1].copy(), depth, ridge, np.random.default_rng([seed, 1 + stream]))


def first_steps(rows, settings, small):
    """Raises ValueError where the gradients at the start are zero, or the weights overflow in 200 steps."""
    known = {key: settings[key] for key in ("ridge", "width", "depth")}
    for batch, step in ((max(1, small // 4), settings["step"] / 4.0), (small, settings["step"])):
        net = bed(rows, seed=0, systems=1, **known)
        net.train(200 * -math.log(cn.low_rank.decay(step, settings["ridge"])), batch, step)
