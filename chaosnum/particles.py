"""The Euler scheme of the interacting particle system.

    theta^i_{k+1} = theta^i_k + eta b(theta^i_k, mu^n_k) + sigma eta^(1/alpha) X^i_k,    mu^n_k = mean of the particles,

which is heavy-tailed gradient descent with step eta on a mean-field network (Wan, Barsbey, Zaidi, Simsekli,
ICML 2024, arXiv 2306.08125). The interaction passes through one data-sized average per step: cost and memory are
linear in n, and particles are never compared in pairs.

The average is summed in fixed blocks in a fixed order, and noise is read from its address: the same seed gives the
same bits on 1, 2 and all threads. "The same bits" holds on every processor with fused multiply-adds, because the
kernels use no library function and no operation is reordered.
"""

from dataclasses import dataclass

import numpy as np

from chaosnum import check, noise
from chaosnum.philox import STEPS
from chaosnum.threads import count


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

    def path(self, p, n, *, seed, replica=0, threads=1):
        """The noise path of n units with p components on this scheme's grid -> `noise.Path`."""
        scale = self.sigma * self.eta ** (1.0 / self.alpha)
        return noise.Path(self.noise, self.alpha, p, n, seed=seed, replica=replica, scale=scale, threads=threads)


@dataclass(frozen=True)
class Run:
    """The end of a simulation.

    theta : ndarray of float64, the final particles: (systems, n) on beds K and L, (p, n) on bed N.
    average : ndarray of float64, the average at grid times 0, ..., steps, along the first axis.
    """

    theta: np.ndarray
    average: np.ndarray


def simulate(bed, n, scheme, *, seed, replica=0, systems=1, threads=None):
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
        By default all cores; the result does not depend on it.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        n < 2, or another parameter outside its range.
    """
    n, threads = check.at_least("n", n, 2), count(threads)
    system = start(bed, n, systems, seed, replica, threads)
    path = scheme.path(bed.p, n * systems, seed=seed, replica=replica, threads=threads)
    xi = np.empty((bed.p, n * systems))
    average = np.empty((scheme.steps + 1, *system.average.shape))
    average[0] = system.average
    for k in range(scheme.steps):
        system.advance(system.average, path.fill(k, xi), scheme.eta)
        average[k + 1] = system.average
    return Run(system.theta, average)


def start(bed, n, systems, seed, replica, threads=1):
    """A system with independent initial values."""
    if systems != 1 and bed.p > 1:
        raise ValueError(f"systems must be 1 on the network bed, got {systems!r}")
    many = {} if systems == 1 else {"systems": check.at_least("systems", systems, 1)}
    return bed.system(bed.initial(n, seed=seed, replica=replica, **many), threads)
