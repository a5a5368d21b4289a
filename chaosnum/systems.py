"""Independent systems of particles on the line, side by side: what beds K and L have in common.

The state is theta, (systems, n). Particles are worked on in blocks of `BLOCK`, whose sums make the average; block k of
all systems in turn is block k mod B of system k div B, for B blocks in a system, and particles are counted through all
systems. Threads take ranges of blocks.

The noise of a step is used where it is drawn, a piece of `PIECE` particles at a time: no array of the noise of all
particles ever exists, let alone that of all steps.
"""

import numpy as np

from chaosnum.ranks import Share
from chaosnum.stable import BLOCK
from chaosnum.threads import over_blocks

PIECE = 2**15  # particles whose noise is drawn and used together: it stays in the second-level cache


class Systems:
    """Systems in the state theta, (systems, n), which they own and advance in place.

    A bed adds ``_observe(start, stop)``, the sums of these blocks, and ``_euler(average, eta)``, which returns a
    function of (start, stop, noise, base): the Euler step of these blocks, with noise (1, m) from particle `base` on,
    and their sums.

    Parameters
    ----------
    bed : Kuramoto or Linear
    theta : ndarray, shape (systems, n)
        The particles, or with a share those of this rank.
    d : int
        Numbers in an average.
    threads : int
    share : Share, optional
        By default all particles are here. With one, the first average is taken by ``observe()``, which all ranks call
        together.

    Attributes
    ----------
    average : ndarray of float64, shape (systems, d)
    """

    def __init__(self, bed, theta, d, threads, share):
        self.bed, self.theta, self.threads, self._noise = bed, theta, threads, None
        systems, n = theta.shape
        self._share = share or Share(n, BLOCK)
        self._sums, self.average = np.empty((systems, -(-n // BLOCK), d)), np.empty((systems, d))
        self._blocks = self._sums.shape[0] * self._sums.shape[1]
        if share is None:
            self.observe()

    def _run(self, task, *arguments):
        """Run ``task(start, stop, *arguments)`` over the blocks of all systems, and take the average."""
        if self.threads == 1:
            task(0, self._blocks, *arguments)
        else:
            over_blocks(lambda start, stop: task(start, stop, *arguments), self._blocks, self.threads)
        self._share.average(self._sums, self.average)

    def observe(self):
        """Compute the average of the present state."""
        self._run(self._observe)

    def advance(self, average, noise, eta, observe=True):
        """One Euler step of length eta, the interaction read from `average`, (systems, d) or (1, d).

        `noise` holds one increment for each particle, system by system, in any shape. The new average comes with the
        new state: `observe` changes nothing.
        """
        self._run(self._euler(average, eta), noise.reshape(1, self.theta.size), 0)

    def step(self, path, k, eta):
        """One Euler step of length eta on step k of a noise path.

        The bits are those of ``advance(self.average, path.fill(k, ...), eta)``.
        """
        if self.theta.size <= PIECE:
            if self._noise is None:
                self._noise = np.empty((1, self.theta.size))
            return self.advance(self.average, path.fill(k, self._noise), eta)
        euler, blocks, n = self._euler(self.average, eta), self._sums.shape[1], self.theta.shape[1]
        some = max(1, PIECE * blocks // n)  # blocks in a piece
        most = min(some * BLOCK, (some // blocks + 1) * n)

        def first(block):
            return block // blocks * n + block % blocks * BLOCK

        def task(start, stop):
            xi = np.empty((1, most))
            for begin in range(start, stop, some):
                end = min(begin + some, stop)
                base = first(begin)
                euler(begin, end, path.piece(k, base, xi[:, : first(end) - base]), base)

        self._run(task)
