"""The limit flow of bed N, from an independent reference system with far more particles.

The McKean-Vlasov flow of a network on real data has no closed form. It is estimated by the averages of two
independent Euler systems of `n` / 2 particles each, on the step of the scheme it will be compared with, so that no
step-size bias enters. Their half difference estimates the error of their mean. That error enters a gap measured at
size n as sqrt(1 + n / n_reference): 400 times the particles inflate it by an eighth of a per cent, which leaves a
slope alone.

The floor that the error would leave by itself is measured: copies of the limit driven by the one half, against copies
driven by the other, on the same noise. Half of their mean gap is the floor; it should be below a tenth of what is
measured against the reference. Both estimates come from one pair of systems and are right to a factor of about two.
"""

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np

from chaosnum import check
from chaosnum.particles import simulate, start

_lock = Lock()  # two cells that need the same reference compute it once


@dataclass(frozen=True)
class Reference:
    """A limit flow: `average`, (steps + 1, m), the rms `error` of its entries, and the `floor` that this leaves."""

    average: np.ndarray
    error: float
    floor: float


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
    error = float(np.sqrt(np.mean((halves[0] - halves[1]) ** 2)) / 2.0)
    return Reference(average, error, _floor(bed, scheme, halves, seed))


def _floor(bed, scheme, halves, seed, copies=64):
    """Half of the mean sup gap between copies of the limit that read the one half and the other."""
    one = start(bed, copies, 1, seed, 2)
    other = bed.system(one.theta.copy())
    path, xi, sup = scheme.path(bed.p, copies, seed=seed, replica=2), np.empty((bed.p, copies)), np.zeros(copies)
    for k in range(scheme.steps):
        path.fill(k, xi)
        one.advance(halves[0][k], xi, scheme.eta, observe=False)
        other.advance(halves[1][k], xi, scheme.eta, observe=False)
        np.maximum(sup, np.linalg.norm(one.theta - other.theta, axis=0), out=sup)
    return float(sup.mean() / 2.0)
