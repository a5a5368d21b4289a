"""Gradient tracking: loop twins, the lifted system, floors by direct summation, closed forms, malformed input."""

import numpy as np
import pytest

import chaosnum as cn

D, L, O, T = cn.digraphs, cn.gradient_tracking_law, cn.gradient_tracking_objectives, cn.gradient_tracking
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
    assert L.small_step(objectives, graphs).overlap == pytest.approx(0.25, abs=1e-15)
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
        small = L.small_step(objectives, graphs)
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
    with pytest.raises(ValueError, match=f"step must lie in .0, {highest:.6g}., below the threshold"):
        L.stable_step(objectives, graphs, 1.1 * highest)
    with pytest.raises(ValueError, match="below the threshold"):
        L.floor(objectives, graphs, 1.1 * highest)


def test_untracked_limit():
    objectives, graphs = system(dim=2)
    limit = L.untracked_limit(objectives, graphs, 0.05)
    path = T.iterate(objectives, graphs, 0.05, method="untracked")
    xs = [next(path)[:, 0].mean(axis=0) for _ in range(3000)]
    np.testing.assert_allclose(np.mean(xs[-3:], axis=0), limit, atol=1e-10)
    gaps = [np.abs(L.untracked_limit(objectives, graphs, s) - L.weighted_optimum(objectives, graphs)).max()
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


def rows(count=60, d=3):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((count, d))
    return X, np.where(X[:, 0] + rng.standard_normal(count) > 0, 1.0, -1.0)


def test_logistic_objectives():
    X, y = rows()
    own = O.logistic(X, y, 0.1, 4)
    assert np.abs(own.gradient(np.tile(own.optimum, (4, 1, 1))).sum(axis=0)).max() < 1e-12
    order = np.argsort(y, kind="stable").reshape(4, 15)
    w, h = np.random.default_rng(1).standard_normal(3), 1e-6

    def loss(i, w):
        return np.log1p(np.exp(-y[order[i]] * (X[order[i]] @ w))).mean() + 0.05 * w @ w

    def single(i, r):
        z = y[r] * X[r]
        return 0.1 * own.optimum - z / (1 + np.exp(z @ own.optimum))

    for i in range(4):
        slope = [(loss(i, w + h * e) - loss(i, w - h * e)) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(own.gradient(np.tile(w, (4, 1, 1)))[i, 0], slope, atol=1e-8)
        wanted = np.cov([single(i, r) for r in order[i]], rowvar=False, bias=True)
        np.testing.assert_allclose(own.covariances[i], wanted)
        up, down = (own.gradient(np.tile(own.optimum + s * h * np.eye(3), (4, 1, 1)))[i] for s in (1, -1))
        np.testing.assert_allclose(own.hessians[i], (up - down) / (2 * h), atol=1e-8)
    C = np.eye(3) * 1e-3
    z = (y[:, None] * X)[order[0]]
    p = 1 / (1 + np.exp(z @ own.optimum))
    each = [q * (1 - q) * np.outer(r, r) + 0.1 * np.eye(3) - own.hessians[0] for q, r in zip(p, z)]
    wanted = np.mean([h @ C @ h for h in each], axis=0)
    np.testing.assert_allclose(own.excess(np.tile(C, (4, 1, 1)))[0], wanted, rtol=1e-10)


def test_the_oracle_is_unbiased_with_its_covariance():
    own, rng = O.logistic(*rows(), 0.1, 4), np.random.default_rng(6)
    x = np.tile(own.optimum, (4, 40_000, 1))
    draws = own.noisy(x, own.draw(rng, 40_000)) - own.gradient(x)
    np.testing.assert_allclose(draws.mean(axis=1), 0.0, atol=0.02)
    for i in range(4):
        np.testing.assert_allclose(np.cov(draws[i].T), own.covariances[i], atol=0.02)
    covariances = np.tile([[2.0, 0.5], [0.5, 1.0]], (3, 1, 1))
    two = O.quadratics(np.tile(np.eye(2), (3, 1, 1)), np.zeros((3, 2)), covariances)
    np.testing.assert_allclose(np.cov(two.draw(rng, 40_000)[1].T), covariances[0], atol=0.06)
    twice = two.with_noise(2.0)
    np.testing.assert_allclose(twice.covariances, 4 * covariances)
    x, xi = np.ones((3, 5, 2)), two.draw(rng, 5)
    np.testing.assert_allclose(twice.noisy(x, xi) - two.gradient(x), 2 * xi)


def test_functions_of_ones_own():
    c = np.array([-1.0, 0.5, 2.0])

    def gradients(x):
        return np.sinh(x - c[:, None, None])

    own = O.smooth(gradients, lambda x: np.cosh(x - c)[:, None, None], agents=3, dim=1, noise=0.1)
    assert np.sinh(own.optimum - c).sum() == pytest.approx(0.0, abs=1e-12)
    graphs = D.random(3, 2, seed=1)
    errors = T.errors(own, graphs, 0.05, 1000, start=np.zeros((3, 1)))
    assert T.fitted_rate(errors, 2) == pytest.approx(L.rate(own, graphs, 0.05), rel=1e-4)


def test_what_is_refused():
    objectives, graphs = system()
    X, y = rows()
    eye = np.tile(np.eye(2), (3, 1, 1))
    refused = [
        (lambda: O.quadratics([1.0, 2.0], [1.0]), "centres must have shape"),
        (lambda: O.quadratics([1.0, np.nan], [1.0, 0.0]), "hessians must be finite"),
        (lambda: O.quadratics([1.0, -2.0], [1.0, 0.0]), "hessians must have a positive definite sum"),
        (lambda: O.quadratics(eye + np.triu(np.ones((2, 2)), 1), np.zeros((3, 2))), "hessians must be symmetric"),
        (lambda: O.quadratics(np.ones((3, 2)), np.zeros(3)), "hessians must have shape"),
        (lambda: O.quadratics([1.0, 1.0], [1.0, 0.0], -1.0), "noise must lie in"),
        (lambda: O.quadratics([1.0, 1.0], [1.0, 0.0], [1.0, 2.0]), "noise must be a number or symmetric"),
        (lambda: O.quadratics(eye, np.zeros((3, 2)), -eye), "positive semidefinite"),
        (lambda: O.logistic(X, y + 1, 0.1, 4), "y must be one label"),
        (lambda: O.logistic(X, y, 0.0, 4), "ridge must"),
        (lambda: O.logistic(X, y, 0.1, 40), "two rows or more"),
        (lambda: O.smooth(lambda x: x[:1], None, agents=3, dim=1), "gradients must return the shape"),
        (lambda: O.smooth(lambda x: x * np.nan, lambda x: np.ones((3, 1, 1)), agents=3, dim=1), "must be finite"),
        (lambda: O.smooth(lambda x: np.exp(x), lambda x: np.tile(np.exp(x), (3, 1))[:, :, None], agents=3, dim=1),
         "must have an optimum"),
        (lambda: O.smooth(lambda x: x, lambda x: np.ones((2, 1, 1)), agents=3, dim=1), "hessians must return shape"),
        (lambda: O.smooth(lambda x: x, None, agents=3, dim=1, start=[0.0, 1.0]), "start must have shape"),
        (lambda: L.rate(objectives, D.random(5, 1, seed=1), 0.1), "graphs must have 4 agents"),
        (lambda: L.rate(objectives, graphs, 0.0), "step must"),
        (lambda: T.iterate(objectives, graphs, 0.1, method="magic"), "method must be one of"),
        (lambda: T.iterate(objectives, graphs, 0.1, start=np.zeros((3, 1))), "start must have shape"),
        (lambda: T.plateau(objectives, graphs, 0.1, burn=0, window=0, replicas=1, seed=1), "window must"),
        (lambda: T.plateau(objectives, graphs, 9.0, burn=900, window=9, replicas=1, seed=1), "not overflow"),
        (lambda: T.errors(objectives, graphs, 0.1, 0, start=np.zeros((4, 1))), "iterations must"),
        (lambda: T.fitted_rate(np.ones(4), 3), "three periods or more"),
        (lambda: L.untracked_limit(objectives, graphs, 50.0), "untracked iteration settles"),
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
