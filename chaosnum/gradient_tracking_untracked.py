"""Agents that average and descend without tracking: where they settle instead of the optimum, and how fast.

Definition. x^{k+1} = A_k x^k - s g^k, g^k the gradients at x^k: gradient tracking (``gradient_tracking.py``) without y.

Statement. For small s the agents agree, and xhat = phi_k^T x moves by -s phi_{k+1}^T g: they settle near the minimiser
of sum_i p_i f_i, p the mean of phi over the period. For quadratics the iteration is affine, x -> M_k x - s grad f(x*)
around x*, M_k = A_k - s H, and its periodic fixed point is known at every step. For other objectives this is the
linearisation at x*.

What goes wrong: doubly stochastic weights, or agents that share an optimum: then this is x* itself.

References: Nedic and Olshevsky, IEEE Trans. Autom. Control 60 (2015), on the weighted limit.
"""

import numpy as np
from scipy import linalg

from chaosnum.check import positive
from chaosnum.digraphs import product
from chaosnum.gradient_tracking_law import check_agents


def untracked_rate(objectives, graphs, step):
    """Factor per iteration by which x^{k+1} = A_k x^k - s grad f(x^k), without tracking, settles -> float.

    Raises
    ------
    ValueError
        A step at which it does not settle.
    """
    whole = product(_untracked(objectives, graphs, step))
    found = float(np.abs(np.linalg.eigvals(whole)).max()) ** (1.0 / graphs.period)
    if not found < 1.0:
        raise ValueError(f"step must be one at which the untracked iteration settles, got {step:g}")
    return found


def untracked_limit(objectives, graphs, step):
    """Where the iteration without tracking settles: mean over agents and period -> ndarray, float64, shape (d,).

    Exact for quadratics. Small steps: the minimiser of sum_i p_i f_i, p the mean of phi over the period.

    Raises
    ------
    ValueError
        A step at which it does not settle.
    """
    untracked_rate(objectives, graphs, step)
    m, d = objectives.agents, objectives.dim
    push = step * objectives.gradient(np.tile(objectives.optimum, (m, 1, 1))).ravel()
    steps, whole, shift = _untracked(objectives, graphs, step), np.eye(m * d), np.zeros(m * d)  # of x - x*
    for M in steps:
        whole, shift = M @ whole, M @ shift - push
    x, total = np.linalg.solve(np.eye(m * d) - whole, shift), np.zeros(m * d)
    for M in steps:
        total += x
        x = M @ x - push
    return objectives.optimum + total.reshape(m, d).mean(axis=0) / graphs.period


def _untracked(objectives, graphs, step):
    check_agents(objectives, graphs)
    H = positive("step", step) * linalg.block_diag(*objectives.hessians)
    return [np.kron(A, np.eye(objectives.dim)) - H for A in graphs.A]


def weighted_optimum(objectives, graphs):
    """The minimiser of sum_i p_i f_i for quadratics, p the mean of phi over the period -> ndarray, float64, (d,)."""
    check_agents(objectives, graphs)
    p = graphs.phi.mean(axis=0)
    slopes = objectives.gradient(np.tile(objectives.optimum, (graphs.agents, 1, 1)))[:, 0]
    return objectives.optimum - np.linalg.solve(np.einsum("i,ide->de", p, objectives.hessians), p @ slopes)
