"""Gradient tracking as a periodic linear system: its exact rate, threshold and noise floor.

Statement. Let f_i be quadratic with Hessians H_i, H = diag(H_1, ..., H_m), and the oracle's noise e^k additive. With
u^k = y^k - e^k the iteration of ``gradient_tracking.py`` is, around its fixed point,

    x^{k+1} = A_k x^k - s u^k - s e^k
    u^{k+1} = H (A_k - I) x^k + (B_k - s H) u^k + (B_k - I - s H) e^k,

driven by white noise: y itself carries e^{k+1} - e^k, so it remembers e^k, and u is what is left without. Both lines
keep sum_i u_i = sum_i H_i x_i, which y^0 = g^0 starts and column sums of 1 hand on. Off this invariant the matrix has
the eigenvalue 1, which no run ever sees; so the last agent's u is eliminated, (2m - 1) d coordinates are left, and

* the error falls like rho^k, rho = (spectral radius of F_{P-1} ... F_0)^(1/P): :func:`rate`;
* the iteration is stable for s < s_max, the first step where rho = 1: :func:`threshold`;
* the covariance tends to the periodic solution of C_{k+1} = F_k C_k F_k^T + G_k S G_k^T, S that of e: :func:`floor`.

The laws for small steps are in ``gradient_tracking_small_step.py``.

What goes wrong: the eigenvalue 1 kept (every rate reads 1); e^{k+1} - e^k taken as white noise; steps or networks so
slow that 1 - rho drowns in round-off, which are refused. For objectives that are not quadratic this is the
linearisation at x*.

References: Bof, Carli, Schenato, Auton. Robots 42 (2018) and Bittanti, Colaneri, Periodic Systems (2009), on the
tools; the update is AB/Push-Pull's (Xin, Khan 2018; Pu, Shi, Xu, Nedic 2021). The formulas are derived here.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from chaosnum.check import positive
from chaosnum.digraphs import Digraphs, product
from chaosnum.gradient_tracking_objectives import Objectives

SCAN = 1.1  # ratio of the steps at which the threshold is looked for
SETTLED = 3e-4  # relative change of the oracle's covariance
ROUNDS = 60  # of the iteration for it
NEGLIGIBLE = 1e-15  # of a power of a matrix
RESOLVED = 1e-12  # least 1 - rate
ROUNDING = 1e-13  # of a rate that is 1
DOUBLINGS = 50  # of a power's exponent: enough for that rate


@dataclass(frozen=True)
class Floor:
    """Second moments in the stationary regime, averaged over a period.

    Attributes
    ----------
    agents : float
        mean_i E |x_i - x*|^2.
    average : float
        E |xhat - x*|^2, xhat = phi_k^T x.
    consensus : float
        mean_i E |x_i - xhat|^2.
    """

    agents: float
    average: float
    consensus: float


def lifted(objectives, graphs, step):
    """The system on its invariant.

    Parameters
    ----------
    objectives : gradient_tracking_objectives.Objectives, m agents in R^d
    graphs : digraphs.Digraphs, m agents, period P
    step : float > 0

    Returns
    -------
    F : ndarray, float64, shape (P, N, N), N = (2 m - 1) d
    G : ndarray, float64, shape (P, N, m d)
        Acting on (x_1, ..., x_m, u_1, ..., u_{m-1}) and on (e_1, ..., e_m).

    Raises
    ------
    ValueError
        step <= 0, or numbers of agents that differ.
    """
    check_agents(objectives, graphs)
    s, m, d, P = positive("step", step), objectives.agents, objectives.dim, graphs.period
    size, one, unit = m * d, np.eye(d), np.eye(m * d)
    A, B = (np.einsum("kij,de->kidje", W, one).reshape(P, size, size) for W in (graphs.A, graphs.B))
    blocks = np.zeros((m, d, m, d))
    blocks[range(m), :, range(m)] = objectives.hessians
    blocks = blocks.reshape(size, size)
    right = (B - s * blocks)[:, :-d]  # of u, of which the last agent's is not kept
    F = np.empty((P, 2 * size - d, 2 * size - d))
    F[:, :size, :size], F[:, :size, size:] = A, -s * unit[:, :-d]
    F[:, size:, :size], F[:, size:, size:] = (blocks @ (A - unit))[:, :-d], right[:, :, :-d]
    sums = np.hstack(list(objectives.hessians))  # u_m = sum_i H_i x_i - the other u_i
    last = np.concatenate([np.tile(-s * unit[:, -d:], (P, 1, 1)), right[:, :, -d:]], axis=1)
    F[:, :, :size] += last @ sums
    F[:, :, size:] -= np.tile(last, (1, 1, m - 1))
    G = np.concatenate([np.tile(-s * unit, (P, 1, 1)), right - unit[:-d]], axis=1)
    return F, G


def rate(objectives, graphs, step):
    """Factor rho by which the error falls per iteration, in the long run, without noise -> float."""
    return float(moduli(objectives, graphs, step)[0])


def multipliers(objectives, graphs, step):
    """The factors of all modes over a period, the largest first -> ndarray, float64 or complex128, ((2 m - 1) d,)."""
    found = np.linalg.eigvals(product(lifted(objectives, graphs, step)[0]))
    return found[np.argsort(-np.abs(found), kind="stable")]


def moduli(objectives, graphs, step):
    """The factors of all modes per iteration, the rate first -> ndarray, float64, shape ((2 m - 1) d,)."""
    return np.abs(multipliers(objectives, graphs, step)) ** (1.0 / graphs.period)


def threshold(objectives, graphs):
    """s_max, the smallest step whose rate is 1: the iteration converges below it -> float.

    Raises
    ------
    ValueError
        Numbers of agents that differ; graphs that pass on so little that no rate below 1 is seen in double precision.
    """
    check_agents(objectives, graphs)
    slope = graphs.overlap.mean() * np.linalg.eigvalsh(objectives.hessians.sum(axis=0))[-1]
    step = highest = 0.04 / slope  # the small-step law alone would be stable up to 2 / slope
    while rate(objectives, graphs, step) >= 1.0 - ROUNDING:
        step /= 2.0
        if step < 1e-9 * highest:
            raise ValueError("graphs must pass on enough for a rate below 1 in double precision, got 1 at every step")
    while rate(objectives, graphs, SCAN * step) < 1.0:
        step *= SCAN
    return float(optimize.brentq(lambda s: rate(objectives, graphs, s) - 1.0, step, SCAN * step, xtol=1e-12 * step))


def stable_step(objectives, graphs, step):
    """A step below the threshold -> float.

    Raises
    ------
    ValueError
        It is not, or no positive number, or so small that 1 - rate drowns in round-off.
    """
    check_agents(objectives, graphs)
    step, lowest = positive("step", step), RESOLVED / slowest(objectives, graphs)
    if step < lowest or rate(objectives, graphs, step) >= 1.0:
        highest = threshold(objectives, graphs)
        allowed = f"[{lowest:.3g}, {highest:.6g}), below the threshold of this network"
        raise ValueError(f"step must lie in {allowed}, got {step:g}")
    return step


def slowest(objectives, graphs):
    """Limit of (1 - rate) / step for small steps, a lambda_min(sum H_i) -> float."""
    return float(graphs.overlap.mean() * np.linalg.eigvalsh(objectives.hessians.sum(axis=0))[0])


def floor(objectives, graphs, step, *, excess=True):
    """Second moments in the stationary regime.

    Parameters
    ----------
    objectives, graphs, step : as for :func:`lifted`
    excess : bool
        Take account of the growth of the oracle's covariance away from the optimum, where it is known.

    Returns
    -------
    Floor

    Raises
    ------
    ValueError
        As :func:`lifted`; a step that is not below the threshold, or at which a growing covariance does not settle.
    """
    F, G = lifted(objectives, graphs, step)
    m, d = objectives.agents, objectives.dim
    powers = _powers(product(F), step)
    S, past, settled = objectives.covariances, None, not (excess and objectives.excess)
    for _ in range(ROUNDS if excess and objectives.excess else 1):
        C = _periodic(F, G, linalg.block_diag(*S), powers)
        X = C[:, : m * d, : m * d].reshape(len(F), m, d, m, d)
        if not (excess and objectives.excess):
            break
        grown = objectives.covariances + objectives.excess(np.einsum("kidie->ide", X) / len(F))
        off, share = grown - S, 0.0
        if np.abs(off).max() < SETTLED * np.abs(S).max():
            settled = np.linalg.eigvalsh(grown).min() >= -2.0 * SETTLED * np.abs(grown).max()  # else no covariance
            break
        if past is not None:  # Anderson's acceleration: the combination of the last two with the least residual
            turn = off - past[1]
            share = np.vdot(off, turn) / np.vdot(turn, turn)
        S, past = grown - share * (grown - (past or (grown,))[0]), (grown, off)
    if not settled:
        raise ValueError(f"step must be one at which the noise of the oracle settles, got {step:g}: there is no floor")
    second = np.einsum("kidjd->kij", X)  # E (x_i - x*)^T (x_j - x*)
    centred = np.eye(m) - np.broadcast_to(graphs.phi[:, None], (len(F), m, m))
    return Floor(
        agents=float(np.einsum("kii->", second) / (m * len(F))),
        average=float(np.einsum("ki,kij,kj->", graphs.phi, second, graphs.phi) / len(F)),
        consensus=float(np.einsum("kai,kij,kaj->", centred, second, centred) / (m * len(F))),
    )


def check_agents(objectives, graphs):
    """Objectives and Digraphs with one number of agents -> None.

    Raises
    ------
    ValueError
        Something else, or numbers that differ.
    """
    if not isinstance(objectives, Objectives):
        made = "quadratics, smooth or logistic of cn.gradient_tracking_objectives"
        raise ValueError(f"objectives must be made by {made}, got {type(objectives).__name__}")
    if not isinstance(graphs, Digraphs):
        made = "from_adjacency, sequence or random of cn.digraphs"
        raise ValueError(f"graphs must be made by {made}, got {type(graphs).__name__}")
    if objectives.agents != graphs.agents:
        raise ValueError(f"graphs must have {objectives.agents} agents, as the objectives have, got {graphs.agents}")


def _powers(whole, step):
    """whole^(2^j), until nothing is left."""
    powers = [whole]
    with np.errstate(over="ignore", invalid="ignore"):
        while not np.abs(powers[-1]).max() <= NEGLIGIBLE:
            powers.append(powers[-1] @ powers[-1])
            if len(powers) > DOUBLINGS or not np.isfinite(powers[-1]).all():
                raise ValueError(f"step must lie below the threshold of this network, got {step:g}: there is no floor")
    return powers


def _periodic(F, G, S, powers):
    """C_k, k = 0, ..., P - 1, of C_{k+1} = F_k C_k F_k^T + G_k S G_k^T -> ndarray, shape (P, N, N)."""
    C = np.zeros_like(F[0])
    drive = [g @ S @ g.T for g in G]
    for f, q in zip(F, drive):
        C = f @ C @ f.T + q
    for power in powers:  # sum_j whole^j C whole^jT, doubling the number of terms
        C = C + power @ C @ power.T
    found = [C]
    for f, q in zip(F[:-1], drive):
        found.append(f @ found[-1] @ f.T + q)
    return np.array(found)
