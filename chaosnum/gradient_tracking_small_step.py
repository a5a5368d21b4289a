"""Gradient tracking with small steps: the laws of its rate and of its noise floor, and what graphs that vary cost.

Derivation, for the system of ``gradient_tracking_law.py``. xhat = phi_k^T x moves by -s phi_{k+1}^T y. A constant
gradient g gives y = pi_k sum_i g_i, hence the drift -s a sum_i H_i, a = <phi_{k+1}^T pi_k>, the mean over a period:

    1 - rho = s a lambda_min(sum H_i) + O(s^2).

One noise e^k moves xhat by -s w_k^T e^k in all: it enters y^k, leaves it and is replaced by its echoes (B_k - I) e^k,
then B_{k+1} (B_k - I) e^k, and so on:

    w_k = phi_{k+1} + sum_{j>=1} (B_{k+j-1} ... B_{k+1} (B_k - I))^T phi_{k+1+j}.

Then Cov(xhat) / s -> V with a (SV + VS) = <sum_i w_{k,i}^2 S_i>, S = sum H_i. For fixed weights w = a (1, ..., 1): the
sum telescopes. In general constant gradients see the sum of the w_k, so <w_k> = a (1, ..., 1), and by Jensen's
inequality the noise <|w_k|^2> is at least m a^2: **weights that vary in time inflate the floor**, by

    inflation = <|w_k|^2> / (m a^2) = 1 + <|w_k - a 1|^2> / (m a^2) >= 1  (noise of equal variances).

What goes wrong: the mean of the f_i in place of their sum, a factor m in s; the laws used at steps that are not small,
where what they lack, in proportion to s, is no longer little.

References: derived here; on the method see ``gradient_tracking.py``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from chaosnum.gradient_tracking_law import check_agents, slowest

NEGLIGIBLE = 1e-15  # of an echo
ECHOES = 1_000_000  # iterations until it is


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


def small_step(objectives, graphs):
    """The laws of rate and floor for small steps -> SmallStep.

    Parameters
    ----------
    objectives : gradient_tracking_objectives.Objectives, m agents in R^d
    graphs : digraphs.Digraphs, m agents

    Raises
    ------
    ValueError
        Numbers of agents that differ; as :func:`noise_weights`.
    """
    check_agents(objectives, graphs)
    w, a = noise_weights(graphs), float(graphs.overlap.mean())
    total = objectives.hessians.sum(axis=0)

    def variance(square):  # square[i]: the mean over a period of w_{k,i}^2
        noise = np.einsum("i,ide->de", square, objectives.covariances)
        return float(np.trace(linalg.solve_continuous_lyapunov(a * total, noise)))

    return SmallStep(
        overlap=a, weights=w, variance=variance((w**2).mean(axis=0)),
        static=variance(np.full(graphs.agents, a**2)), decay=slowest(objectives, graphs),
    )  # fmt: skip


def noise_weights(graphs):
    """w_k, the weights with which one noise moves xhat in all -> ndarray, float64, shape (period, agents).

    Raises
    ------
    ValueError
        Graphs whose echoes do not die out within a million iterations.
    """
    P, m = graphs.period, graphs.agents
    found = np.empty((P, m))
    for k in range(P):
        found[k], echo = graphs.phi[(k + 1) % P], graphs.B[k] - np.eye(m)
        j = k + 1
        while np.abs(echo).max() > NEGLIGIBLE:
            found[k] += echo.T @ graphs.phi[(j + 1) % P]
            echo = graphs.B[j % P] @ echo
            j += 1
            if j - k > ECHOES:
                left = np.abs(echo).max()
                raise ValueError(f"graphs must mix within {ECHOES} iterations, got an echo of {left:.3g} after them")
    return found
