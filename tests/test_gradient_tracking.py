"""Gradient tracking: loop twins, the lifted system, floors by direct summation, closed forms, malformed input."""

import numpy as np
import pytest

import chaosnum as cn

D, L, O, T = cn.digraphs, cn.gradient_tracking_law, cn.gradient_tracking_objectives, cn.gradient_tracking
U, S = cn.gradient_tracking_untracked, cn.gradient_tracking_small_step
BOUND = cn.gradient_tracking_bound


def system(agents=4, period=3, dim=1, seed=2, noise=0.7):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((agents, dim, dim))
    hessians = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(dim)
    return O.quadratics(hessians, rng.standard_normal((agents, dim)), noise), D.random(agents, period, seed=seed)


def naive(H, c, A, B, step, x, noise):
    """The definition, agent by agent; noise[k, i] is e_i^k -> list of x^k."""
    m, found = len(x), [x.copy()]
    g = np.array([H[i] @ (x[i] - c[i]) for i in range(m)]) + noise[0]
    y = g.copy()
    for k in range(len(noise) - 1):
        x = np.array([sum(A[k % len(A)][i, j] * x[j] for j in range(m)) - step * y[i] for i in range(m)])
        new = np.array([H[i] @ (x[i] - c[i]) for i in range(m)]) + noise[k + 1]
        y = np.array([sum(B[k % len(B)][i, j] * y[j] for j in range(m)) for i in range(m)]) + new - g
        g = new
        found.append(x.copy())
    return found


@pytest.mark.parametrize("dim", [1, 3])
def test_the_iteration_is_its_definition(dim):
    objectives, graphs = system(dim=dim)
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((4, dim)), rng.standard_normal((4, dim))
    own = O.quadratics(objectives.hessians, c, 0.7)
    path = T.iterate(own, graphs, 0.05, seed=9, start=x)
    found = [next(path)[:, 0] for _ in range(8)]
    draws = np.random.Generator(np.random.SFC64(9))
    noise = np.array([0.7 * draws.standard_normal((4, 1, dim))[:, 0] for _ in range(8)])
    ref = naive(own.hessians, c, graphs.A, graphs.B, 0.05, x, noise)
    np.testing.assert_allclose(found, ref, atol=1e-13)


def test_replicas_are_independent_runs_of_the_same_law_and_seeds_repeat():
    objectives, graphs = system()
    runs = [T.plateau(objectives, graphs, 0.05, burn=5, window=20, replicas=3, seed=s) for s in (1, 1, 2)]
    assert runs[0].agents == runs[1].agents != runs[2].agents
    assert len(set(runs[0].means[:, 0])) == 3


def test_the_lifted_system_is_the_iteration():
    objectives, graphs = system(dim=2)
    F, G = L.lifted(objectives, graphs, 0.04)
    m, d, rng = 4, 2, np.random.default_rng(1)
    x, draws = rng.standard_normal((m, d)), np.random.Generator(np.random.SFC64(5))
    e = 0.7 * draws.standard_normal((9, m, 1, d))[:, :, 0]
    assert F.shape == (3, 14, 14) and G.shape == (3, 14, 8)
    path = T.iterate(objectives, graphs, 0.04, seed=5, start=objectives.optimum + x)
    u = objectives.gradient((objectives.optimum + x)[:, None])[:, 0]  # y^0 - e^0
    state = np.concatenate([x.ravel(), u[:-1].ravel()])
    for k in range(8):
        np.testing.assert_allclose(next(path)[:, 0] - objectives.optimum, state[: m * d].reshape(m, d), atol=1e-12)
        state = F[k % 3] @ state + G[k % 3] @ e[k].ravel()


def test_rate_by_power_iteration_and_without_the_spurious_eigenvalue():
    objectives, graphs = system()
    errors = T.errors(objectives, graphs, 0.05, 800, start=np.ones((4, 1)))
    assert T.fitted_rate(errors, 3) == pytest.approx(L.rate(objectives, graphs, 0.05), rel=1e-5)
    assert L.rate(objectives, graphs, 0.05) < 0.999
    assert L.moduli(objectives, graphs, 0.05).shape == (7,)


def test_one_agents_worth_of_graph_is_gradient_descent():
    """Complete graphs with equal weights, equal objectives from one start: x moves by -s times the mean gradient."""
    graphs = D.from_adjacency(np.ones((4, 4)))
    objectives = O.quadratics(np.full(4, 2.0), np.zeros(4), 1.0)
    assert L.rate(objectives, graphs, 0.1) == pytest.approx(1 - 0.1 * 2.0, abs=1e-12)
    assert S.small_step(objectives, graphs).overlap == pytest.approx(0.25, abs=1e-15)
    floor = L.floor(objectives, graphs, 1e-3)
    # SGD with step s and noise variance 1/4: s / 4 / (2 h - s h^2)
    assert floor.average == pytest.approx(1e-3 / 4 / (4.0 - 4e-3), rel=1e-9)


def test_floor_is_the_sum_over_the_past():
    objectives, graphs = system(agents=3, period=2)
    F, G = L.lifted(objectives, graphs, 0.1)
    S = 0.49 * np.eye(3)
    total = 0.0
    for phase in range(2):
        C, power, k = np.zeros((5, 5)), np.eye(5), phase
        for _ in range(4000):  # C_phase = sum over past noise, latest first
            k = (k - 1) % 2
            C += power @ G[k] @ S @ G[k].T @ power.T
            power = power @ F[k]
        total += np.trace(C[:3, :3]) / 3 / 2
    assert L.floor(objectives, graphs, 0.1).agents == pytest.approx(total, rel=1e-9)


def test_floor_of_an_oracle_whose_covariance_grows():
    """Moments of the linear system with the oracle's random Hessians, all at once: no iteration, no doubling."""
    rng = np.random.default_rng(4)
    X = 2.0 * rng.standard_normal((24, 1))
    y = np.where(X[:, 0] + rng.standard_normal(24) > 0, 1.0, -1.0)
    own, graphs = O.logistic(X, y, 0.1, 3), D.random(3, 1, seed=1)
    step = 0.6 * L.threshold(own, graphs)
    (F,), (G,) = L.lifted(own, graphs, step)
    N = len(F)

    def excess(C):  # of the covariance of x, as a matrix (m, m)
        return np.diag(own.excess(np.diagonal(C)[:, None, None])[:, 0, 0])

    columns = []
    for j in range(N * N):  # C -> C - F C F' - G excess(C_xx) G', as a matrix
        C = np.zeros(N * N)
        C[j] = 1.0
        C = C.reshape(N, N)
        columns.append((C - F @ C @ F.T - G @ excess(C[:3, :3]) @ G.T).ravel())
    constant = G @ np.diag(own.covariances[:, 0, 0]) @ G.T
    C = np.linalg.solve(np.array(columns).T, constant.ravel()).reshape(N, N)
    wanted = np.trace(C[:3, :3]) / 3
    assert L.floor(own, graphs, step).agents == pytest.approx(wanted, rel=1e-3)
    assert L.floor(own, graphs, step, excess=False).agents < 0.95 * wanted  # the growth matters here
    found = T.plateau(own, graphs, step / 6, burn=300, window=2000, replicas=300, seed=4)
    assert found.agents == pytest.approx(L.floor(own, graphs, step / 6).agents, rel=0.1)


def test_floors_by_simulation():
    objectives, graphs = system(dim=2)
    step = L.threshold(objectives, graphs) / 6
    found = T.plateau(objectives, graphs, step, burn=300, window=2000, replicas=300, seed=4)
    exact = L.floor(objectives, graphs, step)
    for key in ("agents", "average", "consensus"):
        assert getattr(found, key) == pytest.approx(getattr(exact, key), rel=0.03), key
    white = T.plateau(objectives, graphs, step, burn=300, window=2000, replicas=50, seed=4, method="same-sample")
    assert abs(white.average / exact.average - 1) > 0.3
    assert np.abs(found.mean).max() < 0.01


def test_small_step_laws():
    for period in (1, 2, 5):
        objectives, graphs = system(agents=5, period=period, dim=2)
        small = S.small_step(objectives, graphs)
        step = 1e-5
        assert L.floor(objectives, graphs, step).average / step == pytest.approx(small.variance, rel=1e-3)
        assert (1 - L.rate(objectives, graphs, step)) / step == pytest.approx(small.decay, rel=1e-3)
        np.testing.assert_allclose(small.weights.mean(axis=0), small.overlap, rtol=1e-12)  # the drift's identity
        assert small.inflation >= 1.0 - 1e-12
        if period == 1:
            np.testing.assert_allclose(small.weights, small.overlap, rtol=1e-12)
            assert small.inflation == pytest.approx(1.0, abs=1e-12)
        else:
            assert small.inflation > 1.001


def test_threshold():
    objectives, graphs = system()
    highest = L.threshold(objectives, graphs)
    assert L.rate(objectives, graphs, highest) == pytest.approx(1.0, abs=1e-9)
    assert all(L.rate(objectives, graphs, f * highest) < 1 for f in (0.1, 0.5, 0.9, 0.99))
    assert L.rate(objectives, graphs, 1.01 * highest) > 1
    assert L.stable_step(objectives, graphs, 0.9 * highest) == 0.9 * highest
    with pytest.raises(ValueError, match=f"step must lie in .*, {highest:.6g}., below the threshold"):
        L.stable_step(objectives, graphs, 1.1 * highest)
    with pytest.raises(ValueError, match="below the threshold"):
        L.floor(objectives, graphs, 1.1 * highest)


def test_untracked_limit():
    objectives, graphs = system(dim=2)
    limit = U.untracked_limit(objectives, graphs, 0.05)
    path = T.iterate(objectives, graphs, 0.05, method="untracked")
    xs = [next(path)[:, 0].mean(axis=0) for _ in range(3000)]
    np.testing.assert_allclose(np.mean(xs[-3:], axis=0), limit, atol=1e-10)
    gaps = [np.abs(U.untracked_limit(objectives, graphs, s) - U.weighted_optimum(objectives, graphs)).max()
            for s in (1e-3, 1e-4)]  # fmt: skip
    assert gaps[1] < 0.11 * gaps[0] and np.abs(limit - objectives.optimum).max() > 1e-3


def test_composite_bounds_every_step_and_guarantees_less_than_the_threshold():
    objectives, graphs = system(agents=6, noise=0.0)
    H = objectives.hessians[:, 0, 0]
    for step in (1e-4, 1e-2, 0.05):
        M = BOUND.composite(objectives, graphs, step)
        x = np.random.default_rng(3).standard_normal(6)
        y, previous = objectives.gradient(x[:, None, None])[:, 0, 0], None
        for k in range(60):
            phi, pi = graphs.phi[k % 3], graphs.pi[k % 3]
            average = phi @ x
            errors = np.array([abs(average - objectives.optimum[0]), np.sqrt(phi @ (x - average) ** 2),
                               np.sqrt(((y - pi * y.sum()) ** 2 / pi).sum())])  # fmt: skip
            if previous is not None:
                assert (errors <= M @ previous * (1 + 1e-9)).all()
            previous, moved = errors, graphs.A[k % 3] @ x - step * y
            y, x = graphs.B[k % 3] @ y + H * (moved - x), moved
    guaranteed = BOUND.guaranteed_step(objectives, graphs)
    radius = np.abs(np.linalg.eigvals(BOUND.composite(objectives, graphs, guaranteed))).max()
    assert radius == pytest.approx(1.0, abs=1e-9) and guaranteed < L.threshold(objectives, graphs) / 10
    assert np.abs(np.linalg.eigvals(BOUND.composite(objectives, graphs, 0.9 * guaranteed))).max() < 1
    convex, other = (O.quadratics([2.0, h, 2.5], np.zeros(3)) for h in (3.0, -3.0))  # L = 3 for both
    M, N = (BOUND.composite(o, D.random(3, 2, seed=1), 0.01) for o in (convex, other))
    np.testing.assert_allclose(N[1:], M[1:], rtol=1e-12)


def test_what_is_refused(monkeypatch):
    monkeypatch.setattr(S, "ECHOES", 100)
    objectives, graphs = system()
    refused = [
        (lambda: L.rate(objectives, D.random(5, 1, seed=1), 0.1), "graphs must have 4 agents"),
        (lambda: L.rate(objectives, graphs, 0.0), "step must"),
        (lambda: L.rate(objectives, graphs.A, 0.1), "graphs must be made by from_adjacency, .* got ndarray"),
        (lambda: L.rate(graphs, objectives, 0.1), "objectives must be made by quadratics, .* got Digraphs"),
        (lambda: L.stable_step(objectives, graphs, 1e-300), r"step must lie in .5.24e-13, 0.134605.*, got 1e-300"),
        (lambda: L.threshold(O.quadratics(np.ones(2), np.zeros(2)), barely()), "graphs must pass on enough"),
        (lambda: S.noise_weights(barely(1e-11)), "graphs must mix within 100 iterations, got an echo of 1e-11"),
        (lambda: T.iterate(objectives, graphs, 0.1, method="magic"), "method must be one of"),
        (lambda: T.iterate(objectives, graphs, 0.1, start=np.zeros((3, 1))), "start must have shape"),
        (lambda: T.plateau(objectives, graphs, 0.1, burn=0, window=0, replicas=1, seed=1), "window must"),
        (lambda: T.plateau(objectives, graphs, 9.0, burn=900, window=9, replicas=1, seed=1), "not overflow"),
        (lambda: T.errors(objectives, graphs, 0.1, 0, start=np.zeros((4, 1))), "iterations must"),
        (lambda: T.fitted_rate(np.ones(4), 3), "three periods or more"),
        (lambda: T.fitted_rate([], 3), "errors must have one value for each iteration"),
        (lambda: T.iterate(objectives, graphs, 0.1, seed=-1), "seed must"),
        (lambda: T.plateau(objectives, graphs, 0.1, burn=0, window=9, replicas=1.5, seed=1), "replicas must"),
        (lambda: L.floor(loud(), D.random(3, 1, seed=1), 0.3), "step must be one at which the noise of the oracle"),
        (lambda: U.untracked_limit(objectives, graphs, 50.0), "untracked iteration settles"),
        (lambda: BOUND.guaranteed_step(*joint()), "graphs must contract"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def joint():
    """Agents of which two never hear anybody at the first step."""
    one = D.random_adjacency(4, 1, seed=2)[0]
    return O.quadratics(np.ones(4), np.zeros(4)), D.from_adjacency([np.eye(4), one], connectivity="joint")


def loud():
    """Agents of which one row in twenty has nearly all the curvature: the oracle's noise grows with the distance."""
    x, y = np.tile(np.r_[np.full(18, 0.1), 6.0, 6.0], 3), np.tile(np.r_[np.ones(9), -np.ones(9), 1.0, -1.0], 3)
    return O.logistic(x[:, None] + 1e-3 * np.arange(60)[:, None], y, 0.1, 3, sort=False)


def barely(little=1e-17):
    """Two agents who tell each other next to nothing."""
    weights = np.array([[1.0 - little, little], [little, 1.0 - little]])
    return D.sequence(weights, weights)
