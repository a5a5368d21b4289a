"""Periodic sequences of directed graphs with row- and column-stochastic weights, and their limit vectors.

Definition. At step k agent i hears agent j where entry [k, i, j] of the adjacency is true; everybody hears itself. A
sequence of period P has weights A_k, whose rows sum to 1, and B_k, whose columns sum to 1, positive exactly where
somebody is heard: A averages what is heard, B splits what is sent. Index k means k mod P. (:func:`sequence` also takes
A and B of two different graphs; the limits need no more than that each is connected.)

Limits. With strongly connected graphs, or only a strongly connected union over a period, products of the A_k tend to
1 phi^T and of the B_k to pi 1^T, with

    phi_{k+1}^T A_k = phi_k^T,     pi_{k+1} = B_k pi_k,     phi_k, pi_k > 0 of sum 1.

phi_0 is the left Perron vector of A_{P-1} ... A_0, pi_0 the right one of B_{P-1} ... B_0; the others follow. Both are
uniform for doubly stochastic weights. A method that treats them as uniform is right there and wrong elsewhere, so an
experiment that is to tell methods apart needs unbalanced graphs.

What goes wrong: the transposed convention (who hears whom) exchanges the roles of A and B and no shape tells; without
self-loops a connected union is not enough (two agents that only ever swap never agree).

References: Nedic and Olshevsky, IEEE Trans. Autom. Control 60 (2015), on time-varying directed graphs; Seneta,
Non-negative Matrices and Markov Chains (1981), chapters 3 and 4, on products.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from chaosnum.check import finite_array, in_range, one_of, whole

ROUNDING = 1e-12  # of a row's or column's sum
CONNECTIVITY = ("each", "joint")


@dataclass(frozen=True, eq=False)
class Digraphs:
    """A validated sequence; make one with :func:`sequence`, :func:`from_adjacency` or :func:`random`.

    Attributes
    ----------
    A, B : ndarray, float64, shape (period, agents, agents)
        Row- and column-stochastic weights.
    phi, pi : ndarray, float64, shape (period, agents)
        The limits: row k is phi_k, pi_k.
    """

    A: np.ndarray
    B: np.ndarray
    phi: np.ndarray
    pi: np.ndarray

    @property
    def period(self):
        """Number of steps after which the sequence repeats -> int."""
        return self.A.shape[0]

    @property
    def agents(self):
        """Number of agents -> int."""
        return self.A.shape[1]

    @property
    def overlap(self):
        """phi_{k+1}^T pi_k, the share of the summed gradient that is taken -> ndarray, float64, shape (period,)."""
        return np.einsum("ki,ki->k", np.roll(self.phi, -1, axis=0), self.pi)


def strongly_connected(adjacency):
    """Whether everybody is reached from everybody in one graph -> bool.

    Parameters
    ----------
    adjacency : array_like, bool or weights, shape (agents, agents)

    Raises
    ------
    ValueError
        No square matrix, or NaN.
    """
    return _strong(_square("adjacency", adjacency))


def _strong(matrix):
    pattern = sparse.csr_array(matrix != 0)
    return bool(csgraph.connected_components(pattern, directed=True, connection="strong")[0] == 1)


def row_stochastic(adjacency):
    """Equal weights for all that one hears: A_ij = 1 / (number heard by i) -> ndarray, float64, the same shape.

    Parameters
    ----------
    adjacency : array_like, bool or 0 and 1, shape (agents, agents) or (period, agents, agents)

    Raises
    ------
    ValueError
        Another shape, NaN, negative entries, a row without an edge.
    """
    return _shares("adjacency", adjacency, -1)


def column_stochastic(adjacency):
    """Equal shares for all that hear one: B_ij = 1 / (number that hear j) -> ndarray, float64, the same shape.

    Parameters and errors as of :func:`row_stochastic`, with columns for rows.
    """
    return _shares("adjacency", adjacency, -2)


def random_adjacency(agents, period, *, seed, density=0.25):
    """Random strongly connected graphs: each a random cycle through all agents, and random further edges.

    Parameters
    ----------
    agents : int, at least 2
    period : int, at least 1
    seed : int
        A longer period begins with the graphs of a shorter one.
    density : float in [0, 1]
        Probability of a further edge.

    Returns
    -------
    adjacency : ndarray, bool, shape (period, agents, agents)
    """
    agents, period = whole("agents", agents, 2), whole("period", period, 1)
    density = in_range("density", density, 0.0, 1.0, open_low=False)
    rng = np.random.default_rng(whole("seed", seed, 0))
    found = np.empty((period, agents, agents), dtype=bool)
    for graph in found:
        graph[:] = rng.random((agents, agents)) < density
        cycle = rng.permutation(agents)
        graph[np.roll(cycle, 1), cycle] = True
        np.fill_diagonal(graph, True)
    return found


def random(agents, period, *, seed, density=0.25):
    """A random sequence with equal weights (:func:`random_adjacency`) -> Digraphs."""
    return from_adjacency(random_adjacency(agents, period, seed=seed, density=density))


def scattered(adjacency, period, *, seed):
    """Every edge of one graph at one random step of the period: connected jointly, but not at each step.

    Parameters
    ----------
    adjacency : array_like, bool, shape (agents, agents)
    period : int, at least 2
    seed : int

    Returns
    -------
    adjacency : ndarray, bool, shape (period, agents, agents)
        With all self-loops at every step.
    """
    edges, period = _square("adjacency", adjacency) != 0, whole("period", period, 2)
    when = np.random.default_rng(whole("seed", seed, 0)).integers(period, size=edges.shape)
    return (edges & (when == np.arange(period)[:, None, None])) | np.eye(len(edges), dtype=bool)


def from_adjacency(adjacency, *, connectivity="each"):
    """A sequence with equal weights (:func:`row_stochastic`, :func:`column_stochastic`).

    Parameters
    ----------
    adjacency : array_like, bool or 0 and 1, shape (period, agents, agents), or (agents, agents) for a fixed graph
        Entry [k, i, j]: at step k agent i hears agent j. Self-loops are needed.
    connectivity : {"each", "joint"}
        As in :func:`sequence`.

    Returns
    -------
    Digraphs

    Raises
    ------
    ValueError
        As :func:`sequence`; an entry that is neither 0 nor 1.
    """
    adjacency = _stack("adjacency", adjacency)
    if not np.isin(adjacency, (0.0, 1.0)).all():
        raise ValueError(f"adjacency must hold 0 and 1, got {adjacency[~np.isin(adjacency, (0.0, 1.0))][0]:g}")
    _self_loops("adjacency", adjacency)
    one_of("connectivity", connectivity, CONNECTIVITY)
    _connected("adjacency", adjacency, connectivity, "")
    return sequence(row_stochastic(adjacency), column_stochastic(adjacency), connectivity=connectivity)


def sequence(A, B, *, connectivity="each"):
    """Validate weights and compute their limits.

    Parameters
    ----------
    A, B : array_like, float64, shape (period, agents, agents), or (agents, agents) for fixed weights
    connectivity : {"each", "joint"}
        Whether the graph of every step must be strongly connected, or only their union.

    Returns
    -------
    Digraphs

    Raises
    ------
    ValueError
        Wrong shapes, an entry that is negative or not finite, an agent that does not hear itself, a row of A or a
        column of B whose sum is off 1 by more than 1e-12, or graphs that are not strongly connected.
    """
    one_of("connectivity", connectivity, CONNECTIVITY)
    A, B = _stack("A", A), _stack("B", B)
    if A.shape != B.shape:
        raise ValueError(f"A and B must have one shape, got {A.shape} and {B.shape}")
    for name, weights, axis in (("A", A, 2), ("B", B, 1)):
        if (weights < 0).any():
            raise ValueError(f"{name} must be nonnegative, got {weights.min():g}")
        _self_loops(name, weights)
        _sums(name, weights, axis)
        _connected(name, weights, connectivity)
    phi, pi = np.empty(A.shape[:2]), np.empty(A.shape[:2])
    phi[0], pi[0] = perron(product(A).T), perron(product(B))
    for k in range(len(A) - 1, 0, -1):
        phi[k] = phi[(k + 1) % len(A)] @ A[k]
    for k in range(len(B) - 1):
        pi[k + 1] = B[k] @ pi[k]
    for array in (A, B, phi, pi):
        array.flags.writeable = False
    return Digraphs(A, B, phi, pi)


def perron(P):
    """The positive vector of sum 1 with P v = v, for a column-stochastic primitive matrix -> ndarray, float64."""
    system = np.vstack([P - np.eye(len(P)), np.ones(len(P))])
    return np.linalg.lstsq(system, np.append(np.zeros(len(P)), 1.0), rcond=None)[0]


def product(matrices):
    """W_{P-1} ... W_0 of a sequence of P square matrices -> ndarray."""
    whole = matrices[0]
    for following in matrices[1:]:
        whole = following @ whole
    return whole


def _stack(name, matrices):
    """A copy of shape (period, agents, agents)."""
    stack = np.array(finite_array(name, matrices))
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or stack.shape[1] != stack.shape[2] or stack.shape[1] < 2 or not len(stack):
        wanted = "(period, agents, agents), agents >= 2"
        raise ValueError(f"{name} must be square matrices {wanted}, got shape {stack.shape}")
    return stack


def _self_loops(name, weights):
    missing = np.argwhere(np.diagonal(weights, axis1=1, axis2=2) <= 0)
    if len(missing):
        k, i = missing[0]
        raise ValueError(f"{name} must have self-loops, got {name}[{k}][{i}, {i}] = {weights[k, i, i]:g}")


def _sums(name, weights, axis):
    line, kind = ("row", "row-stochastic") if axis == 2 else ("column", "column-stochastic")
    sums = weights.sum(axis=axis)
    wrong = np.argwhere(np.abs(sums - 1.0) > ROUNDING)
    if len(wrong):
        k, i = wrong[0]
        raise ValueError(f"{name}[{k}] must be {kind}, got {line} {i} of sum {sums[k, i]:.15g}")


def _connected(name, weights, connectivity, kind="the weights of "):
    if connectivity == "joint":
        if not _strong(weights.any(axis=0)):
            raise ValueError(f"{name} must have a strongly connected union of its graphs, got one that is not")
        return
    for k, graph in enumerate(weights):
        if not _strong(graph):
            raise ValueError(f"{name}[{k}] must be {kind}a strongly connected graph, got one that is not")


def _square(name, matrix):
    matrix = finite_array(name, matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(f"{name} must be a square matrix (agents, agents), got shape {matrix.shape}")
    return matrix


def _shares(name, adjacency, axis):
    """Every entry over the sum of its row (axis -1) or column (-2)."""
    adjacency = finite_array(name, adjacency)
    if adjacency.ndim not in (2, 3) or adjacency.shape[-1] != adjacency.shape[-2]:
        raise ValueError(f"{name} must be square matrices ([period,] agents, agents), got shape {adjacency.shape}")
    if (adjacency < 0).any():
        raise ValueError(f"{name} must be nonnegative, got {adjacency.min():g}")
    sums, line = adjacency.sum(axis=axis, keepdims=True), "row" if axis == -1 else "column"
    if not sums.all():
        empty = np.argwhere(np.squeeze(sums, axis) == 0)[0].tolist()
        raise ValueError(f"{name} must have an edge in every {line}, got none in {line} {empty[-1]}")
    return adjacency / sums
