"""Euler steps of bed L, theta^i <- (1 - eta (lam + chi)) theta^i + eta chi mean + noise^i (``linear.py``)."""

import numpy as np

from chaosnum.jit import kernel
from chaosnum.pairwise import tree_sum
from chaosnum.stable import BLOCK
from chaosnum.systems import Systems


@kernel
def _observe(theta, sums, start, stop):
    """Sums of theta per block; blocks start..stop of all systems in turn."""
    scratch, (n, blocks) = np.empty(BLOCK), (theta.shape[1], sums.shape[1])
    for k in range(start, stop):
        x = theta[k // blocks, k % blocks * BLOCK : min(n, (k % blocks + 1) * BLOCK)]
        sums[k // blocks, k % blocks, 0] = tree_sum(x, scratch, x.size)


@kernel
def _advance(theta, sums, mean, noise, base, decay, pull, start, stop):
    """One Euler step, theta = decay theta + pull mean + noise, for blocks start..stop of all systems in turn."""
    scratch, (n, blocks) = np.empty(BLOCK), (theta.shape[1], sums.shape[1])
    for k in range(start, stop):
        r, first = k // blocks, k % blocks * BLOCK
        x = theta[r, first : min(n, first + BLOCK)]
        xi = noise[0, r * n + first - base : r * n + first + x.size - base]
        shift = pull * mean[r % mean.shape[0], 0]
        for i in range(x.size):
            x[i] = decay * x[i] + shift + xi[i]
        sums[r, k % blocks, 0] = tree_sum(x, scratch, x.size)


class Line(Systems):
    """Independent systems of bed L: theta, (systems, n), and the average in each, (systems, 1)."""

    def __init__(self, bed, theta, threads=1, share=None):
        super().__init__(bed, theta, 1, threads, share)

    def _observe(self, start, stop):
        _observe(self.theta, self._sums, start, stop)

    def _euler(self, average, eta):
        decay, pull = 1.0 - eta * (self.bed.lam + self.bed.chi), eta * self.bed.chi
        state = self.theta, self._sums
        return lambda start, stop, noise, base: _advance(*state, average, noise, base, decay, pull, start, stop)
