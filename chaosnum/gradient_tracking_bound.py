"""A step bound for gradient tracking of the form that its convergence theorems have: a composite of three errors.

Definition. Convergence theorems for gradient tracking follow three errors,

    D = |xhat - x*|,   X = ||x - 1 xhat||_phi,   Y = ||y - pi sum_i y_i||_(1/pi),

||v||_phi^2 = sum_i phi_i |v_i|^2 and ||v||_(1/pi)^2 = sum_i |v_i|^2 / pi_i, and show, entry by entry,
(D, X, Y)^{k+1} <= M(s) (D, X, Y)^k. They guarantee convergence where the spectral radius of M(s) is below 1.

Derivation. With L and mu the smoothness of the f_i and the strong convexity of their mean, m agents, a = phi_{k+1}^T
pi_k, r = (sum_i 1 / phi_i)^(1/2) and |sum_i y_i| <= m L D + L r X:

    D <= (1 - s a m mu) D + s a L r X + s (sum_i phi_{k+1,i}^2 pi_{k,i})^(1/2) Y      for s a m (L + mu) <= 2
    X <= c X + s max_i (phi_{k+1,i} pi_{k,i})^(1/2) (Y + |sum_i y_i|)
    Y <= t Y + L / min_i(pi_{k+1,i})^(1/2) (||(A_k - I) Phi_k^(-1/2)|| X + s max_i pi_{k,i}^(1/2) (Y + |sum_i y_i|)),

for y - 1 phi^T y and v - pi sum_i v_i are orthogonal projections in their norms, and pi has norm 1. The factors c and t
are the norms of A_k and B_k off agreement, computed here for the network at hand: a published bound puts estimates in
terms of diameters and smallest weights in their place, and can only be smaller. The largest entries of a period are
taken.

What goes wrong: nothing, but the bound knows no signs: it lies orders of magnitude below the threshold.

References: the form of M follows the theorems of arXiv 2209.06974 and 2305.00629, recalled; all constants are derived
here.
"""

import numpy as np
from scipy import optimize

from chaosnum.check import positive
from chaosnum.gradient_tracking_law import check_agents


def composite(objectives, graphs, step):
    """M(s), the largest entries over a period -> ndarray, float64, shape (3, 3).

    Parameters
    ----------
    objectives : gradient_tracking_objectives.Objectives
    graphs : digraphs.Digraphs
        Strongly connected at every step, or the factors may be 1.
    step : float > 0
        M bounds the errors where s a m (L + mu) <= 2.

    Raises
    ------
    ValueError
        step <= 0, or numbers of agents that differ.
    """
    fixed, slope = _parts(objectives, graphs)
    return (fixed + positive("step", step) * slope).max(axis=0)


def _parts(objectives, graphs):
    """M(s) = fixed + s slope at each step of the period -> two ndarrays, float64, shape (period, 3, 3)."""
    check_agents(objectives, graphs)
    m, (L, mu) = objectives.agents, _curvatures(objectives)
    unit, fixed, slope = np.eye(m), [], []
    for k, (A, B) in enumerate(zip(graphs.A, graphs.B)):
        phi, pi = graphs.phi[k], graphs.pi[k]
        phi1, pi1 = (v[(k + 1) % graphs.period] for v in (graphs.phi, graphs.pi))
        a, r = phi1 @ pi, np.sqrt((1.0 / phi).sum())
        c = np.linalg.norm(np.sqrt(phi1)[:, None] * (A - phi) / np.sqrt(phi), 2)  # A (I - 1 phi^T) = A - 1 phi^T
        t = np.linalg.norm((B - pi1[:, None]) * np.sqrt(pi) / np.sqrt(pi1)[:, None], 2)
        tracked = np.array([m * L, L * r, 1.0])  # Y + |sum y|
        steep, apart = L / np.sqrt(pi1.min()), np.linalg.norm((A - unit) / np.sqrt(phi), 2)
        fixed.append([[1.0, 0.0, 0.0], [0.0, c, 0.0], [0.0, steep * apart, t]])
        slope.append([
            [-a * m * mu, a * L * r, np.sqrt(phi1**2 @ pi)],
            np.sqrt((phi1 * pi).max()) * tracked,
            steep * np.sqrt(pi.max()) * tracked,
        ])  # fmt: skip
    return np.array(fixed), np.array(slope)


def _curvatures(objectives):
    """L, of every f_i, which need not be convex, and mu, of their mean."""
    L = np.abs(np.linalg.eigvalsh(objectives.hessians)).max()
    return L, np.linalg.eigvalsh(objectives.hessians.mean(axis=0))[0]


def guaranteed_step(objectives, graphs):
    """The step below which the composite's spectral radius is below 1 -> float.

    Raises
    ------
    ValueError
        Numbers of agents that differ; graphs that do not contract at every step.
    """
    fixed, slope = _parts(objectives, graphs)
    contraction = fixed[:, [1, 2], [1, 2]].max()
    if not contraction < 1.0:
        raise ValueError(f"graphs must contract at every step, got a factor of {contraction:.6g}")
    L, mu = _curvatures(objectives)
    highest = 2.0 / (graphs.overlap.max() * graphs.agents * (L + mu))

    def excess(logarithm):  # of det(I - M), which is positive below the first step with spectral radius 1
        return -np.linalg.det(np.eye(3) - (fixed + np.exp(logarithm) * slope).max(axis=0))

    steps = np.log(highest) + np.linspace(-30.0, 0.0, 61)
    if excess(steps[0]) >= 0.0:
        raise ValueError(f"graphs must contract enough for a step above {np.exp(steps[0]):.3g}, got {contraction:.15g}")
    for low, high in zip(steps, steps[1:]):
        if excess(high) >= 0.0:
            return float(np.exp(optimize.brentq(excess, low, high, xtol=1e-12)))
    return float(highest)
