"""Two systems on the same noise: synchronous coupling.

Propagation of chaos (C2): particle i of the n-particle system against the copy i of the McKean-Vlasov limit, with the
same initial value and the same noise. The copy differs in one thing: its interaction is read from the limit flow.

Euler error (C3): the scheme with step eta against the same scheme with step eta/r on the same path, the noise of a
coarse step being the sum of its fine steps' noise. The difference is a power of eta times (1 - r^-order), so that a
refinement by a fixed factor r leaves the slope alone, unlike one reference for all steps.

Both gaps stay small although the particles themselves have no variance: the noise cancels. Distances are Euclidean,
and suprema run over the (coarse) grid times; between them the largest jump of the path falls inside some step and the
error never vanishes.
"""

import numpy as np

from chaosnum import check
from chaosnum.jit import kernel
from chaosnum.particles import start
from chaosnum.threads import count


@kernel
def _widen(sup, x, y):
    """sup_i = max(sup_i, |x_i - y_i|) for columns x_i, y_i."""
    for i in range(sup.size):
        square = 0.0
        for c in range(x.shape[0]):
            square += (x[c, i] - y[c, i]) * (x[c, i] - y[c, i])
        distance = np.sqrt(square)
        sup[i] = distance if distance > sup[i] or distance != distance else sup[i]  # a NaN stays


def propagation_gap(bed, n, scheme, limit, *, seed, replica=0, systems=1, threads=1, noise=None, copy_noise=None):
    """sup over grid times of |theta^{i,n} - theta^{i,limit}| for every particle.

    Parameters
    ----------
    bed : Kuramoto, Linear or Network
    n : int
        Particles, at least 2.
    scheme : Scheme
        The Euler scheme of both systems.
    limit : ndarray of float64, shape (steps + 1, d)
        The average of the limit at grid times, of the *Euler-discretised* limit: the flow of the continuous equation
        would leave a floor of order eta.
    seed, replica, systems, threads
        As for `particles.simulate`.
    noise : callable, optional
        ``noise(xi)`` changes the increments of both systems in place: for negative controls.
    copy_noise : callable, optional
        ``copy_noise(k, xi)`` changes the increments of step k in place for the copy alone: for negative controls.

    Returns
    -------
    ndarray of float64, shape (systems, n)

    Raises
    ------
    ValueError
        n < 2, or a limit flow that does not fit the scheme.
    """
    n, threads = check.at_least("n", n, 2), count(threads)
    system = start(bed, n, systems, seed, replica, threads)
    limit, shape = check.finite_array("limit", limit), (scheme.steps + 1, system.average.shape[-1])
    if limit.shape != shape:  # kernels read past the end of a row that is too short
        raise ValueError(f"limit must have shape {shape}, one row for each grid time, got {limit.shape}")
    copy = bed.system(system.theta.copy(), threads)
    path = scheme.path(bed.p, n * systems, seed=seed, replica=replica, threads=threads)
    xi, sup = np.empty((bed.p, n * systems)), np.zeros(n * systems)
    columns = system.theta.reshape(bed.p, -1), copy.theta.reshape(bed.p, -1)
    for k in range(scheme.steps):
        path.fill(k, xi)
        if noise is not None:
            noise(xi)
        system.advance(system.average, xi, scheme.eta)
        if copy_noise is not None:
            copy_noise(k, xi)
        copy.advance(limit[k : k + 1], xi, scheme.eta, observe=False)
        _widen(sup, *columns)
    return sup.reshape(systems, n)


def euler_gap(bed, n, scheme, refine, *, seed, replica=0, threads=1, coarse_noise=None):
    """sup over the grid times of `scheme` of its distance to the scheme with `refine` times as many steps.

    Parameters
    ----------
    bed, n, scheme, seed, replica, threads
        As for `propagation_gap`; `scheme` is the coarse one.
    refine : int
        Fine steps in a coarse step, at least 2.
    coarse_noise : callable, optional
        ``coarse_noise(k, total)`` changes the summed increments of coarse step k in place: for negative controls.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        n < 2 or refine < 2.
    """
    n, refine, threads = check.at_least("n", n, 2), check.at_least("refine", refine, 2), count(threads)
    coarse = start(bed, n, 1, seed, replica, threads)
    fine = bed.system(coarse.theta.copy(), threads)
    finer = scheme.refined(refine)
    path = finer.path(bed.p, n, seed=seed, replica=replica, threads=threads)
    xi, total, sup = np.empty((bed.p, n)), np.empty((bed.p, n)), np.zeros(n)
    columns = coarse.theta.reshape(bed.p, n), fine.theta.reshape(bed.p, n)
    for k in range(scheme.steps):
        total[:] = 0.0
        for j in range(k * refine, (k + 1) * refine):
            fine.advance(fine.average, path.fill(j, xi), finer.eta)
            total += xi
        if coarse_noise is not None:
            coarse_noise(k, total)
        coarse.advance(coarse.average, total, scheme.eta)
        _widen(sup, *columns)
    return sup
