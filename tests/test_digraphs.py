"""Sequences of directed graphs: limits against long products, weights, connectivity, malformed input."""

import numpy as np
import pytest

import chaosnum as cn

D = cn.digraphs
CYCLE = [[1, 0, 1], [1, 1, 0], [0, 1, 1]]  # agent 1 hears 0, 2 hears 1, 0 hears 2


@pytest.mark.parametrize("period", [1, 2, 5])
def test_limits_are_those_of_long_products(period):
    graphs = D.random(6, period, seed=3)
    A, B = np.eye(6), np.eye(6)
    for k in range(300 * period):
        A, B = graphs.A[k % period] @ A, graphs.B[k % period] @ B
    np.testing.assert_allclose(A, np.tile(graphs.phi[0], (6, 1)), atol=1e-12)
    np.testing.assert_allclose(B, np.tile(graphs.pi[0][:, None], (1, 6)), atol=1e-12)
    for k in range(period):
        nxt = (k + 1) % period
        np.testing.assert_allclose(graphs.phi[nxt] @ graphs.A[k], graphs.phi[k], atol=1e-14)
        np.testing.assert_allclose(graphs.B[k] @ graphs.pi[k], graphs.pi[nxt], atol=1e-14)
        assert graphs.overlap[k] == pytest.approx(graphs.phi[nxt] @ graphs.pi[k], abs=1e-15)
    assert graphs.phi.min() > 0 and np.allclose(graphs.pi.sum(axis=1), 1.0, atol=1e-14)
    assert graphs.period == period and graphs.agents == 6


def test_limits_of_doubly_stochastic_weights_are_uniform_and_others_are_not():
    graphs = D.from_adjacency(CYCLE)
    np.testing.assert_allclose(graphs.phi, 1 / 3, atol=1e-15)
    np.testing.assert_allclose(graphs.pi, 1 / 3, atol=1e-15)
    assert np.ptp(D.random(8, 5, seed=1).phi) > 0.1


def test_weights():
    edges = np.array(CYCLE)
    edges[0, 1] = 1
    A, B = D.row_stochastic(edges), D.column_stochastic(edges)
    np.testing.assert_allclose(A[0], [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(B[:, 1], [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(B[:, 0], [1 / 2, 1 / 2, 0])
    assert ((A > 0) == (edges > 0)).all() and ((B > 0) == (edges > 0)).all()


def test_random_graphs():
    graphs = D.random_adjacency(7, 4, seed=5, density=0.1)
    assert all(D.strongly_connected(g) for g in graphs) and np.diagonal(graphs, axis1=1, axis2=2).all()
    np.testing.assert_array_equal(D.random_adjacency(7, 2, seed=5, density=0.1), graphs[:2])
    assert D.random_adjacency(7, 1, seed=5, density=0.0).sum() == 14  # a cycle and loops
    assert not D.strongly_connected(np.triu(np.ones((4, 4))))


def test_joint_connectivity():
    scattered = D.scattered(np.array(CYCLE), 3, seed=1)
    assert (scattered.any(axis=0) == np.array(CYCLE, dtype=bool)).all()
    assert not all(D.strongly_connected(g) for g in scattered)
    graphs = D.from_adjacency(scattered, connectivity="joint")
    assert graphs.phi.min() > 0
    with pytest.raises(ValueError, match="strongly connected graph, got one that is not"):
        D.from_adjacency(scattered)
    with pytest.raises(ValueError, match="adjacency must have a strongly connected union"):
        D.from_adjacency([np.eye(3), np.eye(3)], connectivity="joint")


def test_what_is_refused():
    half = np.full((2, 2), 0.5)
    off = np.array([[0.5, 0.5], [0.4, 0.5]])
    refused = [
        ((off, half), r"A\[0\] must be row-stochastic, got row 1 of sum 0.9"),
        ((half, off), r"B\[0\] must be column-stochastic, got column 0 of sum 0.9"),
        (([half, half], half), "A and B must have one shape"),
        ((np.ones((2, 3)), half), "A must be square"),
        (([[1.0]], [[1.0]]), "agents >= 2"),
        (([[np.nan, 0.5], [0.5, 0.5]], half), "A must be finite"),
        (([[1.5, -0.5], [0.5, 0.5]], half), "A must be nonnegative, got -0.5"),
        (([[0.0, 1.0], [0.5, 0.5]], half), r"A must have self-loops, got A\[0\]\[0, 0\] = 0"),
        ((np.eye(2), half), r"A\[0\] must be the weights of a strongly connected graph"),
        ((half, np.eye(2)), r"B\[0\] must be the weights of a strongly connected graph"),
    ]
    for (A, B), words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            D.sequence(A, B)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="adjacency must hold 0 and 1, got 2"):
        D.from_adjacency([[1, 2], [1, 1]])
    with pytest.raises(ValueError, match="adjacency must have self-loops"):
        D.from_adjacency([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="connectivity must be one of"):
        D.sequence(half, half, connectivity="never")
    for bad in ({"agents": 1}, {"period": 0}, {"density": 1.5}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            D.random(**{"agents": 4, "period": 1, "seed": 1, **bad})
    D.sequence(half * (1 + 4e-13), half)  # round-off is none of our business
    with pytest.raises(ValueError, match="row-stochastic"):
        D.sequence(half * (1 + 4e-12), half)


def test_one_matrix_is_checked_by_its_name():
    broken = np.eye(3)
    refused = [
        (lambda: D.row_stochastic([[0, 0], [1, 1]]), "adjacency must have an edge in every row, got none in row 0"),
        (lambda: D.column_stochastic([[[1, 0], [1, 0]]]), "an edge in every column, got none in column 1"),
        (lambda: D.row_stochastic([[1, -1], [1, 1]]), "adjacency must be nonnegative"),
        (lambda: D.row_stochastic([1, 1]), "adjacency must be square matrices"),
        (lambda: D.strongly_connected([[np.nan, 1], [1, 1]]), "adjacency must be finite"),
        (lambda: D.strongly_connected([1, 1]), "adjacency must be a square matrix"),
        (lambda: D.scattered(np.ones((2, 3)), 2, seed=1), "adjacency must be a square matrix"),
        (lambda: D.scattered(np.ones((2, 2)), 2, seed=-1), "seed must"),
        (lambda: D.random(3, 1, seed=-1), "seed must"),
        (lambda: D.from_adjacency(broken), r"adjacency\[0\] must be a strongly connected graph"),
        (lambda: D.from_adjacency([broken, broken], connectivity="joint"), "adjacency must have a strongly connected"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
