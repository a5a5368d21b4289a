"""Doubling the batch: the rate of n serial steps of SGD, in some log n of them.

Definition. From n rows, a first batch b and t steps an epoch, let J = floor(log2(n / (bt))) be the number of epochs.
Epoch j < J takes t steps with batch 2^(j-1) b at half of that batch's maximal step, from where the last epoch ended,
and ends at the average of its last t/2 iterates. The last epoch takes the rows that are left, n - (2^(J-1) - 1) bt,
in t batches. In all t J <= t log2(n / (bt)) serial steps.

Why it works: the bias falls by a constant factor in every epoch while the variance, which an epoch starts with, is
halved; and the last epoch has more than half of all rows. The exact risk is a chain: mean and second moment of an
epoch's average are the start of the next (:mod:`chaosnum.least_squares_moments`).

What goes wrong: epochs so short that t step mu < 1 leave the bias where it is.

Reference: Jain et al., J. Mach. Learn. Res. 18 (2018) no. 223, its algorithm of doubling batches (from memory; how the
last epoch spends what is left is a choice made here).
"""

import math
from dataclasses import dataclass

from chaosnum.check import at_least
from chaosnum.least_squares import run, step_max
from chaosnum.least_squares_moments import at_start, averaged


@dataclass(frozen=True)
class Epoch:
    """b, its t serial steps of which `burn` come before the average of `count`."""

    batch: int
    steps: int
    burn: int
    count: int


def schedule(samples, batch, epoch):
    """The epochs -> tuple of Epoch.

    Parameters
    ----------
    samples : int
        n, rows in all.
    batch : int
        b, of the first epoch.
    epoch : int, at least 2
        t, serial steps an epoch.

    Raises
    ------
    ValueError
        Too few rows for two epochs, samples < 4 batch epoch.
    """
    samples, b, t = at_least("samples", samples, 1), at_least("batch", batch, 1), at_least("epoch", epoch, 2)
    if samples < 4 * b * t:
        raise ValueError(f"samples must be >= 4 batch epoch = {4 * b * t}, got {samples}")
    epochs = math.floor(math.log2(samples / (b * t)))
    batches = [b * 2**j for j in range(epochs - 1)]
    batches.append((samples - t * sum(batches)) // t)
    half = t // 2
    return tuple(Epoch(size, t, t + 1 - half, half) for size in batches)  # iterates t - half + 1, ..., t


def serial_steps(epochs):
    """How many steps come one after the other -> int."""
    return sum(epoch.steps for epoch in epochs)


def moments(population, epochs):
    """Mean and second moment of the answer's error, exactly -> Moments."""
    found = at_start(population)
    for e in epochs:
        found = averaged(
            population, step=half_step(population, e.batch), batch=e.batch, burn=e.burn, count=e.count, start=found
        )
    return found


def simulate(population, epochs, *, systems, rng):
    """Errors of the answers of independent runs -> ndarray, float64, shape (systems, d)."""
    error = None
    for e in epochs:
        error = run(
            population, step=half_step(population, e.batch), batch=e.batch, burn=e.burn, count=e.count,
            systems=systems, rng=rng, start=error,
        ).average  # fmt: skip
    return error


def half_step(population, batch):
    """Half of the maximal step."""
    return 0.5 * step_max(population, batch)
