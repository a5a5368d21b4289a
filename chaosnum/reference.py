"""The limit flow of bed N, from an independent reference system with far more particles.

The McKean-Vlasov flow of a network on real data has no closed form. It is estimated by the averages of two
independent Euler systems of `n` / 2 particles each, on the step of the scheme it will be compared with, so that no
step-size bias enters. Their half difference estimates the error of their mean. That error enters a gap measured at
size n as sqrt(1 + n / n_reference): 100 times the particles inflate it by half a per cent, uniformly enough to leave
a slope alone, and the floor it would leave by itself is a tenth of the gap.
"""

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np

from chaosnum import check
from chaosnum.particles import simulate

_lock = Lock()  # two cells that need the same reference compute it once


@dataclass(frozen=True)
class Reference:
    """A limit flow: `average`, (steps + 1, m), and `error`, the root mean square error of its entries."""

    average: np.ndarray
    error: float


def limit_flow(bed, scheme, n, *, seed):
    """The Euler-discretised limit flow of a network.

    Parameters
    ----------
    bed : Network
    scheme : Scheme
    n : int
        Particles of both reference systems together, at least 4.
    seed : int
        Must differ from the seeds of the systems that are compared with it.

    Returns
    -------
    Reference
        Kept for the next call with the same arguments.
    """
    n = check.at_least("n", n, 4)
    with _lock:
        return _limit_flow(bed, scheme, n, seed)


@lru_cache(maxsize=32)
def _limit_flow(bed, scheme, n, seed):
    halves = [simulate(bed, n // 2, scheme, seed=seed, replica=r).average for r in (0, 1)]
    average = (halves[0] + halves[1]) / 2.0
    average.flags.writeable = False
    return Reference(average, float(np.sqrt(np.mean((halves[0] - halves[1]) ** 2)) / 2.0))
