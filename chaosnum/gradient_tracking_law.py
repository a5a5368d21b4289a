"""Gradient tracking as a periodic linear system: its exact rate, threshold and noise floor, and their small-step laws.

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

Small steps. xhat = phi_k^T x moves by -s phi_{k+1}^T y. A constant gradient g gives y = pi_k sum_i g_i, hence the drift
-s a sum_i H_i, a = <phi_{k+1}^T pi_k>, the mean over a period: rho = 1 - s a lambda_min(sum H_i) + O(s^2). One noise
e^k moves xhat by -s w_k^T e^k in all: it enters y^k, leaves it and is replaced by its echoes (B_k - I) e^k, then
B_{k+1} (B_k - I) e^k, and so on:

    w_k = phi_{k+1} + sum_{j>=1} (B_{k+j-1} ... B_{k+1} (B_k - I))^T phi_{k+1+j}.

Then Cov(xhat) / s -> V with a (SV + VS) = <sum_i w_{k,i}^2 S_i>, S = sum H_i: :func:`small_step`. For fixed weights
w = a (1, ..., 1): the sum telescopes. In general constant gradients see the sum of the w_k, so <w_k> = a (1, ..., 1),
and by Jensen's inequality the noise <|w_k|^2> is at least m a^2: **weights that vary in time inflate the floor**, by

    inflation = <|w_k|^2> / (m a^2) = 1 + <|w_k - a 1|^2> / (m a^2) >= 1  (noise of equal variances).

What goes wrong: the eigenvalue 1 kept (every rate reads 1); e^{k+1} - e^k taken as white noise; the mean of the f_i in
place of their sum (a factor m in s). For objectives that are not quadratic this is the linearisation at x*.

References: Bof, Carli, Schenato, Auton. Robots 42 (2018) and Bittanti, Colaneri, Periodic Systems (2009), on the
tools; the update is AB/Push-Pull's (Xin, Khan 2018; Pu, Shi, Xu, Nedic 2021). The formulas are derived here.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from chaosnum.check import positive

SCAN = 1.1  # ratio of the steps at which the threshold is looked for
SETTLED = 1e-3  # relative change of the oracle's covariance, which converges geometrically
NEGLIGIBLE = 1e-15  # of a power of a matrix


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


@dataclass(frozen=True, eq=False)
class SmallStep:
    """The laws for s -> 0.

    Attributes
    ----------
    overlap : float
        a, the mean of phi_{k+1}^T pi_k.
    weights : ndarray, float64, shape (period, agents)
        Row k is w_k.
    variance : float
        Limit of E |xhat - x*|^2 / s.
    static : float
        What the formula for fixed weights gives with the same a: w_k = a (1, ..., 1).
    decay : float
        Limit of (1 - rho) / s.
    """

    overlap: float
    weights: np.ndarray
    variance: float
    static: float
    decay: float

    @property
    def inflation(self):
        """variance / static, at least 1 -> float."""
        return self.variance / self.static


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
    s, m, d = positive("step", step), objectives.agents, objectives.dim
    one, blocks = np.eye(d), linalg.block_diag(*objectives.hessians)
    unit = np.eye(m * d)
    embed = np.eye(2 * m * d, (2 * m - 1) * d)
    embed[-d:, : m * d] = np.hstack(list(objectives.hessians))
    embed[-d:, m * d :] = -np.tile(one, (1, m - 1))
    F, G = [], []
    for A, B in zip(graphs.A, graphs.B):
        A, B = np.kron(A, one), np.kron(B, one)
        whole = np.block([[A, -s * unit], [blocks @ (A - unit), B - s * blocks]])
        F.append((whole @ embed)[:-d])
        G.append(np.vstack([-s * unit, B - unit - s * blocks])[:-d])
    return np.array(F), np.array(G)


def rate(objectives, graphs, step):
    """Factor rho by which the error falls per iteration, in the long run, without noise -> float."""
    return float(moduli(objectives, graphs, step)[0])


def moduli(objectives, graphs, step):
    """The factors of all modes per iteration, the rate first -> ndarray, float64, shape ((2 m - 1) d,)."""
    F, _ = lifted(objectives, graphs, step)
    return np.sort(np.abs(np.linalg.eigvals(_product(F))))[::-1] ** (1.0 / len(F))


def threshold(objectives, graphs):
    """s_max, the smallest step whose rate is 1: the iteration converges below it -> float.

    Raises
    ------
    ValueError
        Numbers of agents that differ.
    """
    check_agents(objectives, graphs)
    slope = graphs.overlap.mean() * np.linalg.eigvalsh(objectives.hessians.sum(axis=0))[-1]
    step = 0.01 / slope  # the small-step law alone would be stable up to 2 / slope
    while rate(objectives, graphs, step) >= 1.0:
        step /= 2.0
    while rate(objectives, graphs, SCAN * step) < 1.0:
        step *= SCAN
    return float(optimize.brentq(lambda s: rate(objectives, graphs, s) - 1.0, step, SCAN * step, xtol=1e-12 * step))


def stable_step(objectives, graphs, step):
    """A step below the threshold -> float.

    Raises
    ------
    ValueError
        It is not, or no positive number.
    """
    step = positive("step", step)
    if rate(objectives, graphs, step) >= 1.0:
        highest = threshold(objectives, graphs)
        raise ValueError(f"step must lie in (0, {highest:.6g}), below the threshold of this network, got {step:g}")
    return step


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
        As :func:`lifted`; a step that is not below the threshold.
    """
    F, G = lifted(objectives, graphs, step)
    m, d = objectives.agents, objectives.dim
    powers = _powers(_product(F), step)
    S = objectives.covariances
    for _ in range(60 if excess and objectives.excess else 1):
        C = _periodic(F, G, linalg.block_diag(*S), powers)
        X = C[:, : m * d, : m * d].reshape(len(F), m, d, m, d)
        if not (excess and objectives.excess):
            break
        grown = objectives.covariances + objectives.excess(np.einsum("kidie->ide", X) / len(F))
        change, S = np.abs(grown - S).max() / np.abs(S).max(), grown
        if change < SETTLED:
            break
    second = np.einsum("kidjd->kij", X)  # E (x_i - x*)^T (x_j - x*)
    centred = np.eye(m) - np.broadcast_to(graphs.phi[:, None], (len(F), m, m))
    return Floor(
        agents=float(np.einsum("kii->", second) / (m * len(F))),
        average=float(np.einsum("ki,kij,kj->", graphs.phi, second, graphs.phi) / len(F)),
        consensus=float(np.einsum("kai,kij,kaj->", centred, second, centred) / (m * len(F))),
    )


def small_step(objectives, graphs):
    """The laws of rate and floor for small steps -> SmallStep."""
    check_agents(objectives, graphs)
    w, a = noise_weights(graphs), float(graphs.overlap.mean())
    total = objectives.hessians.sum(axis=0)

    def variance(square):  # square[i]: the mean over a period of w_{k,i}^2
        noise = np.einsum("i,ide->de", square, objectives.covariances)
        return float(np.trace(linalg.solve_continuous_lyapunov(a * total, noise)))

    return SmallStep(
        overlap=a, weights=w, variance=variance((w**2).mean(axis=0)),
        static=variance(np.full(graphs.agents, a**2)), decay=a * float(np.linalg.eigvalsh(total)[0]),
    )  # fmt: skip


def noise_weights(graphs):
    """w_k, the weights with which one noise moves xhat in all -> ndarray, float64, shape (period, agents)."""
    P, m = graphs.period, graphs.agents
    found = np.empty((P, m))
    for k in range(P):
        found[k], echo = graphs.phi[(k + 1) % P], graphs.B[k] - np.eye(m)
        j = k + 1
        while np.abs(echo).max() > NEGLIGIBLE:
            found[k] += echo.T @ graphs.phi[(j + 1) % P]
            echo = graphs.B[j % P] @ echo
            j += 1
    return found


def untracked_limit(objectives, graphs, step):
    """Where x^{k+1} = A_k x^k - s grad f(x^k), without tracking, settles: mean over agents and period -> ndarray (d,).

    Exact for quadratics. Small steps: the minimiser of sum_i p_i f_i, p the mean of phi over the period.

    Raises
    ------
    ValueError
        A step at which it does not settle.
    """
    check_agents(objectives, graphs)
    m, d, P = objectives.agents, objectives.dim, graphs.period
    H = linalg.block_diag(*objectives.hessians)
    pull = H @ np.tile(objectives.optimum, m) - objectives.gradient(np.tile(objectives.optimum, (m, 1, 1))).ravel()
    steps = [np.kron(A, np.eye(d)) - positive("step", step) * H for A in graphs.A]
    whole, shift = np.eye(m * d), np.zeros(m * d)
    for M in steps:
        whole, shift = M @ whole, M @ shift + step * pull
    if not np.abs(np.linalg.eigvals(whole)).max() < 1.0:
        raise ValueError(f"step must be one at which the untracked iteration settles, got {step:g}")
    x, total = np.linalg.solve(np.eye(m * d) - whole, shift), np.zeros(m * d)
    for M in steps:
        total += x
        x = M @ x + step * pull
    return total.reshape(m, d).mean(axis=0) / P


def weighted_optimum(objectives, graphs):
    """The minimiser of sum_i p_i f_i for quadratics, p the mean of phi over the period -> ndarray, float64, (d,)."""
    check_agents(objectives, graphs)
    p = graphs.phi.mean(axis=0)
    slopes = objectives.gradient(np.tile(objectives.optimum, (graphs.agents, 1, 1)))[:, 0]
    return objectives.optimum - np.linalg.solve(np.einsum("i,ide->de", p, objectives.hessians), p @ slopes)


def check_agents(objectives, graphs):
    """One number of agents in both -> None.

    Raises
    ------
    ValueError
        They differ.
    """
    if objectives.agents != graphs.agents:
        raise ValueError(f"graphs must have {objectives.agents} agents, as the objectives have, got {graphs.agents}")


def _product(F):
    whole = F[0]
    for following in F[1:]:
        whole = following @ whole
    return whole


def _powers(whole, step):
    """whole^(2^j), until nothing is left."""
    if not np.abs(np.linalg.eigvals(whole)).max() < 1.0:
        raise ValueError(f"step must lie below the threshold of this network for a floor to exist, got {step:g}")
    powers = [whole]
    while np.abs(powers[-1]).max() > NEGLIGIBLE:
        powers.append(powers[-1] @ powers[-1])
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
