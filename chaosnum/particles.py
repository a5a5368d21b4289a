"""The Euler scheme of the interacting particle system.

    theta^i_{k+1} = theta^i_k + eta b(theta^i_k, mu^n_k) + sigma eta^(1/alpha) X^i_k,    mu^n_k = mean of the particles,

which is heavy-tailed gradient descent with step eta on a mean-field network (Wan, Barsbey, Zaidi, Simsekli,
ICML 2024, arXiv 2306.08125). The interaction passes through one data-sized average per step: cost and memory are
linear in n, and particles are never compared in pairs.

The average is summed in a fixed order (``pairwise.py``), and noise is read from its address: the same seed gives the
same bits on 1, 2 and all threads, and on any number of ranks that hold the system together (``ranks.py``). "The same
bits" holds on every processor with fused multiply-adds, because the kernels use no library function and no operation
is reordered.

Noise streams: it is drawn, used and forgotten, so that memory does not depend on the number of steps. Beds K and L draw
it in pieces that stay in cache, bed N one step's at a time. A particle takes 24 bytes on bed K (theta, its cosine and
its sine; 12 in float32), 8 on bed L and 16 p + m/8 on bed N.
"""

from dataclasses import dataclass

import numpy as np

from chaosnum import check, noise, ranks, single
from chaosnum.philox import STEPS


@dataclass(frozen=True)
class Scheme:
    """An Euler scheme: tail index, noise scale sigma, time T, step eta and noise type.

    Raises
    ------
    ValueError
        alpha outside (0, 2], sigma, T or eta not positive, an unknown noise type, or T no multiple of eta.
    """

    alpha: float
    sigma: float = 1.0
    T: float = 1.0
    eta: float = 0.01
    noise: str = "II"

    def __post_init__(self):
        check.stable_index(self.alpha), check.positive("sigma", self.sigma)
        check.positive("T", self.T), check.positive("eta", self.eta)
        check.one_of("noise", self.noise, noise.KINDS)
        if self.T > self.eta * STEPS:
            raise ValueError(f"eta must be at least T / 2^32 = {self.T / STEPS:g}, got {self.eta!r}")
        if self.eta > self.T or abs(self.T / self.eta - self.steps) > 1e-9 * self.steps:
            raise ValueError(f"eta must divide T = {self.T:g} into whole steps, got {self.eta!r}")

    @property
    def steps(self):
        """Number of steps, T / eta."""
        return round(self.T / self.eta)

    def refined(self, r):
        """The same scheme with r times as many steps."""
        return Scheme(self.alpha, self.sigma, self.T, self.eta / r, self.noise)

    def path(self, p, n, *, seed, replica=0, unit=0, threads=1):
        """The noise path of n units with p components, from number `unit` on, on this scheme's grid -> `noise.Path`."""
        scale, address = self.sigma * self.eta ** (1.0 / self.alpha), {"seed": seed, "replica": replica, "unit": unit}
        return noise.Path(self.noise, self.alpha, p, n, **address, scale=scale, threads=threads)


@dataclass(frozen=True)
class Run:
    """The end of a simulation.

    theta : ndarray of float64 or float32, the final particles: (systems, n) on beds K and L, (p, n) on bed N. On
        several ranks they are those of this rank.
    average : ndarray of float64, the average at grid times 0, ..., steps, along the first axis; the same on all ranks.
    first : int, the number of the particle theta[:, 0]: 0 but on several ranks.
    """

    theta: np.ndarray
    average: np.ndarray
    first: int = 0


def simulate(bed, n, scheme, *, seed, replica=0, systems=1, threads=None, comm=None, dtype=None):
    """Run the n-particle system to time T.

    Parameters
    ----------
    bed : Kuramoto, Linear or Network
    n : int
        Particles, at least 2.
    scheme : Scheme
    seed, replica : int
        The address of the initial values and of the noise.
    systems : int, default 1
        Independent systems run side by side (beds K and L): system r holds the particle numbers r n, ..., r n + n - 1.
    threads : int, optional
        By default all cores, which ranks on one machine divide among them; the result does not depend on it.
    comm : mpi4py.MPI.Comm, optional
        The ranks that hold the system together (``ranks.py``), all of which call this function with the same
        arguments. The result does not depend on their number; theta then holds the particles of this rank.
    dtype : {"float64", "float32"}, optional
        How bed K stores its particles, with half the memory in float32 (``single.py``: what that costs, and why it is
        refused for small alpha). Sums and averages are of float64, as is all arithmetic.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        n < 2, or another parameter outside its range; arguments that differ between ranks, more ranks than blocks of
        particles, or several systems on several ranks.
    """
    if ranks.checked(comm) is not None:
        given = {"bed": bed, "n": n, "scheme": scheme, "seed": seed, "replica": replica, "systems": systems}
        ranks.agree(comm, **given, dtype=dtype)
    cores = ranks.cores(comm)

    def ready():
        whole, many = check.at_least("n", n, 2), check.at_least("systems", systems, 1)
        some = cores if threads is None else check.whole("threads", threads, 1)
        share = ranks.Share(whole, bed.block, comm, many)
        path = scheme.path(bed.p, share.count * many, seed=seed, replica=replica, unit=share.first, threads=some)
        stored = single.stored(dtype, bed, scheme)
        return start(bed, whole, systems, seed, replica, some, share, stored), path, share.first

    system, path, first = ready() if comm is None else ranks.together(comm, ready)
    system.observe()
    average = np.empty((scheme.steps + 1, *system.average.shape))
    average[0] = system.average
    for k in range(scheme.steps):
        system.step(path, k, scheme.eta)
        average[k + 1] = system.average
    return Run(system.theta, average, first)


def start(bed, n, systems, seed, replica, threads=1, share=None, dtype=np.float64):
    """A system with independent initial values; with a share of it, those of this rank."""
    if systems != 1 and bed.p > 1:
        raise ValueError(f"systems must be 1 on the network bed, got {systems!r}")
    some = {} if systems == 1 else {"systems": check.at_least("systems", systems, 1)}
    if dtype != np.float64:
        some["dtype"] = dtype
    if share is None:
        return bed.system(bed.initial(n, seed=seed, replica=replica, **some), threads)
    theta = bed.initial(share.count, seed=seed, replica=replica, first=share.first, **some)
    return bed.system(theta, threads, share)
