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
from chaosnum.jit import fma, inline, kernel
from chaosnum.philox import INITIAL
from chaosnum.simdmath import sin_cos
from chaosnum.stable import BLOCK, draw, shape
from chaosnum.threads import over_blocks

MEAN, SD = 0.5, 1.0  # the default initial law N(1/2, 1)


@inline
def tree_sum(x, scratch, n):
    """Sum of x[:n], n <= BLOCK, in a fixed order that vectorises: halves are added until 32 numbers are left.

    A short block is padded with zeros; halves of zeros only are left out, which changes no bit.
    """
    half = BLOCK // 2
    while half > 32 and half >= n:
        half //= 2
    if n == 2 * half:
        for i in range(half):
            scratch[i] = x[i] + x[i + half]
    else:
        for i in range(half):
            scratch[i] = (x[i] if i < n else 0.0) + (x[i + half] if i + half < n else 0.0)
    half //= 2
    while half >= 32:
        for i in range(half):
            scratch[i] += scratch[i + half]
        half //= 2
    total = 0.0
    for i in range(min(n, 32)):
        total += scratch[i]
    return total


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
            s[i], c[i] = sin_cos(x[i])
        sums[r, b, 0] = tree_sum(c, scratch, c.size)
        sums[r, b, 1] = tree_sum(s, scratch, s.size)


@kernel
def _advance(theta, cosine, sine, sums, mean, noise, gain, start, stop):
    """One Euler step, theta += gain (m_s cos theta - m_c sin theta) + noise, and what `_observe` computes."""
    scratch = np.empty(BLOCK)
    n = theta.shape[1]
    blocks = sums.shape[1]
    for k in range(start, stop):
        r, b = k // blocks, k % blocks
        first, last = b * BLOCK, min(n, (b + 1) * BLOCK)
        x, c, s = theta[r, first:last], cosine[r, first:last], sine[r, first:last]
        xi = noise[0, r * n + first : r * n + last]
        gain_c, gain_s = gain * mean[r % mean.shape[0], 0], gain * mean[r % mean.shape[0], 1]
        for i in range(x.size):
            y = x[i] + fma(gain_s, c[i], fma(-gain_c, s[i], xi[i]))
            x[i] = y
            s[i], c[i] = sin_cos(y)
        sums[r, b, 0] = tree_sum(c, scratch, c.size)
        sums[r, b, 1] = tree_sum(s, scratch, s.size)


@kernel
def _average(sums, average, n):
    """The average of (cos, sin) from the block sums, added in order, whoever computed them."""
    for r in range(sums.shape[0]):
        cosine = sine = 0.0
        for b in range(sums.shape[1]):
            cosine += sums[r, b, 0]
            sine += sums[r, b, 1]
        average[r, 0] = cosine / n
        average[r, 1] = sine / n


@kernel
def _normal(out, law, mean, factor, seed, replica):
    draw(out, np.empty(BLOCK), law, seed, replica, 0, 0, 0, INITIAL)
    for i in range(out.size):
        out[i] = fma(factor, out[i], mean)


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

    def __init__(self, K=1.0, mean=MEAN, sd=SD):
        self.K = check.positive("K", K)
        self.mean = check.in_range("mean", mean, -np.inf, np.inf, open_high=True)
        self.sd = check.nonnegative("sd", sd)

    def initial(self, n, *, systems=1, seed, replica=0):
        """Independent initial values -> ndarray of float64, shape (systems, n)."""
        theta = np.empty((systems, n))
        _normal(theta.reshape(-1), shape(2.0), self.mean, self.sd * 0.5**0.5, check.seed(seed), check.replica(replica))
        return theta

    def system(self, theta, threads=1):
        """Systems in the state theta, (systems, n), which they own and advance in place -> `Phases`."""
        return Phases(self, theta, threads)


class Phases:
    """Independent systems of bed K: theta, (systems, n), and the average of (cos, sin) in each, (systems, 2)."""

    def __init__(self, bed, theta, threads=1):
        self.bed, self.theta, self.threads = bed, theta, threads
        systems, n = theta.shape
        self.average = np.empty((systems, 2))
        self._state = (theta, np.empty_like(theta), np.empty_like(theta), np.empty((systems, -(-n // BLOCK), 2)))
        self._run(_observe)

    def _run(self, kernel, *arguments):
        sums = self._state[3]
        blocks = sums.shape[0] * sums.shape[1]
        if self.threads == 1:
            kernel(*self._state, *arguments, 0, blocks)
        else:
            over_blocks(lambda start, stop: kernel(*self._state, *arguments, start, stop), blocks, self.threads)
        _average(sums, self.average, self.theta.shape[1])

    def advance(self, average, noise, eta, observe=True):
        """One Euler step of length eta, the interaction read from `average`, (systems, 2) or (1, 2).

        The new average comes with the cosines and sines that the next drift needs: `observe` changes nothing.
        """
        self._run(_advance, average, noise, eta * self.bed.K)
