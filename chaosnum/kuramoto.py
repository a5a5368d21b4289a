"""Bed K: the stable mean-field XY model (Kuramoto oscillators with stable noise).

Units theta on the real line with h(theta) = (cos theta, sin theta) and loss -K |f|^2 / 2, so

    d theta^i = K (m_s cos theta^i - m_c sin theta^i) dt + sigma dL^i,    (m_c, m_s) = mean of (cos, sin) theta^j.

It meets assumptions A1-A3 with Psi = 1 and Phi = K: the drift is bounded by K, and the limit flow is known to machine
precision (``limit.py``), which makes it the reference for every rate. Incoherence loses stability at
K = 2 sigma^alpha.

A step of the Euler scheme costs one sine and cosine a particle; both are kept for the next step's drift.
"""

import numpy as np

from chaosnum import check
from chaosnum.jit import fma, kernel
from chaosnum.pairwise import tree_sum
from chaosnum.philox import INITIAL
from chaosnum.simdmath import sin_cos
from chaosnum.stable import BLOCK, draw_block, shape
from chaosnum.systems import Systems

MEAN, SD = 0.5, 1.0  # the default initial law N(1/2, 1)


@kernel
def _observe(theta, cosine, sine, sums, start, stop):
    """Cosine and sine of every unit, and their sums per block; blocks start..stop of all systems in turn."""
    scratch = np.empty(BLOCK)
    n = theta.shape[1]
    blocks = sums.shape[1]
    for k in range(start, stop):
        r, b = k // blocks, k % blocks
        first, last = b * BLOCK, min(n, (b + 1) * BLOCK)
        x, c, s = theta[r, first:last], cosine[r, first:last], sine[r, first:last]
        for i in range(x.size):
            s[i], c[i] = sin_cos(np.float64(x[i]))
        sums[r, b, 0] = tree_sum(c, scratch, c.size)
        sums[r, b, 1] = tree_sum(s, scratch, s.size)


@kernel
def _advance(theta, cosine, sine, sums, mean, noise, base, gain, start, stop):
    """One Euler step, theta += gain (m_s cos theta - m_c sin theta) + noise, and what `_observe` computes.

    noise : (1, m), from the particle `base` on, counted through all systems.
    """
    scratch = np.empty(BLOCK)
    n = theta.shape[1]
    blocks = sums.shape[1]
    for k in range(start, stop):
        r, b = k // blocks, k % blocks
        first, last = b * BLOCK, min(n, (b + 1) * BLOCK)
        x, c, s = theta[r, first:last], cosine[r, first:last], sine[r, first:last]
        xi = noise[0, r * n + first - base : r * n + last - base]
        gain_c, gain_s = gain * mean[r % mean.shape[0], 0], gain * mean[r % mean.shape[0], 1]
        for i in range(x.size):
            x[i] += fma(gain_s, c[i], fma(-gain_c, s[i], xi[i]))
            s[i], c[i] = sin_cos(np.float64(x[i]))
        sums[r, b, 0] = tree_sum(c, scratch, c.size)
        sums[r, b, 1] = tree_sum(s, scratch, s.size)


@kernel
def _normal(out, law, mean, factor, seed, replica, unit):
    """out[i] = the initial value of the particle unit + i; `unit` is a multiple of BLOCK."""
    x, scratch = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, out.size, BLOCK):
        m = min(BLOCK, out.size - first)
        draw_block(x, scratch, m, law, seed, replica, unit + first, 0, 0, INITIAL)
        for i in range(m):
            out[first + i] = fma(factor, x[i], mean)


class Kuramoto:
    """Bed K.

    Parameters
    ----------
    K : float, default 1
        Coupling, positive.
    mean, sd : float
        Initial law N(mean, sd^2), by default N(1/2, 1).

    Raises
    ------
    ValueError
        K not positive, sd negative, or a value that is not finite.
    """

    name = "kuramoto"
    p = 1
    block = BLOCK

    def __init__(self, K=1.0, mean=MEAN, sd=SD):
        self.K = check.positive("K", K)
        self.mean = check.in_range("mean", mean, -np.inf, np.inf, open_high=True)
        self.sd = check.nonnegative("sd", sd)

    def initial(self, n, *, systems=1, seed, replica=0, first=0, dtype=np.float64):
        """Independent initial values of the particles from number `first` on -> ndarray, shape (systems, n)."""
        theta, factor = np.empty((systems, n), dtype), self.sd * 0.5**0.5
        _normal(theta.reshape(-1), shape(2.0), self.mean, factor, check.seed(seed), check.replica(replica), first)
        return theta

    def system(self, theta, threads=1, share=None):
        """Systems in the state theta, (systems, n), which they own and advance in place -> `Phases`.

        With a `Share` of a system, theta are the particles of this rank, and all ranks call ``observe()`` first of all.
        """
        return Phases(self, theta, threads, share)


class Phases(Systems):
    """Independent systems of bed K: theta, (systems, n), and the average of (cos, sin) in each, (systems, 2)."""

    def __init__(self, bed, theta, threads=1, share=None):
        self._cosine, self._sine = np.empty_like(theta), np.empty_like(theta)
        super().__init__(bed, theta, 2, threads, share)

    def _observe(self, start, stop):
        _observe(self.theta, self._cosine, self._sine, self._sums, start, stop)

    def _euler(self, average, eta):
        state, gain = (self.theta, self._cosine, self._sine, self._sums), eta * self.bed.K
        return lambda start, stop, noise, base: _advance(*state, average, noise, base, gain, start, stop)
