"""What the proofs measure along the paths of coupled systems."""

import chaosnum as cn

ROUNDING = 1e-13  # of a particle's size: some hundred roundings of a float


def batches(bed, replicas):
    """(replica, systems): all systems side by side where the bed's kernels can, else one after the other."""
    return [(0, replicas)] if bed.p == 1 else [(r, 1) for r in range(replicas)]


def drift(bed, theta, average):
    """b(theta, average) at every particle, as one step of length 1 without noise takes it -> ndarray like theta."""
    import numpy as np

    system = bed.system(theta.copy())
    system.advance(average, np.zeros((bed.p, theta.size // bed.p)), 1.0, observe=False)
    return system.theta - theta


def size(bed, x):
    """Euclidean norm of every particle's vector -> ndarray, (systems, n); x is (systems, n), or (p, n) on bed N."""
    import numpy as np

    return np.abs(x) if bed.p == 1 else np.sqrt((x * x).sum(axis=0, keepdims=True))


def rounding(bed, *theta):
    """What rounding may leave of differences of numbers of this size -> ndarray, (systems, n)."""
    return ROUNDING * (1.0 + sum(size(bed, part) for part in theta))


def scheme(alpha, sigma, T, eta, **_):
    """The Euler scheme of a proof's parameters."""
    return cn.particles.Scheme(alpha, sigma, T, eta)


def beside_trivial(bound, sup_b, T, says):
    """What to add to Sides about a bound no smaller than 2 sup|b| T -> dict; `says()` is where it says something."""
    if not cn.bounds.is_vacuous(bound, sup_b, T):
        return {}
    trivial = f"{cn.bounds.trivial_bound(sup_b, T):.3g}"
    return {"vacuous": True, "note": f"vacuous: no smaller than 2 sup|b| T = {trivial}, which holds anyway{says()}"}
