"""Overlap Local-SGD and its rivals: the simulation against loop twins, W, the virtual sequence, moments, the bound."""

import numpy as np
import pytest

from chaosnum import bundled, local_sgd_bound
from chaosnum.local_sgd import METHODS, Rule, State, effective_factor, fixed_vector, message_bits, mixing_matrix, run
from chaosnum.local_sgd_logistic import Logistic
from chaosnum.local_sgd_moments import (
    Moments,
    disagreement_first_order,
    drift_first_order,
    floor_first_order,
    largest_step,
)
from chaosnum.local_sgd_quadratics import Quadratics

RULES = [
    Rule(0.05, 3, 0.6, 0.0), Rule(0.05, 4, 0.3, 0.7), Rule(0.05, 3, method="local"), Rule(0.05, 3, method="cocod"),
]  # fmt: skip


def unlike(noise=0.0, m=4, d=2, seed=0):
    """Quadratics of unlike curvature and slope."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((m, d, d))
    return Quadratics(roots @ roots.swapaxes(1, 2) / d + 0.3 * np.eye(d), rng.standard_normal((m, d)), noise)


def by_loops(gradient, start, rule, iterations, m):
    """Worker by worker and step by step, as the papers have it -> final models, anchor."""
    x, rng = [np.array(start, dtype=float) for _ in range(m)], np.random.default_rng(5)
    z, u, begun = np.array(start, dtype=float), np.zeros(len(start)), [xi.copy() for xi in x]
    for k in range(iterations):
        g = gradient(np.array(x)[None], rng)[0]
        x = [xi - rule.step * gi for xi, gi in zip(x, g)]
        if (k + 1) % rule.tau:
            continue
        if rule.method == "overlap":
            x = [(1 - rule.pull) * xi + rule.pull * z for xi in x]
            anchors, momenta = [], []
            for xi in x:  # the authors' form: every worker moves its own copy of the anchor, then they are averaged
                momenta.append(rule.beta * u - (xi - z) / rule.step)
                anchors.append(z - rule.step * momenta[-1])
            z, u = np.mean(anchors, axis=0), np.mean(momenta, axis=0)
        elif rule.method == "local":
            x = [np.mean(x, axis=0)] * m
        else:
            x = [np.mean(begun, axis=0) + (xi - bi) for xi, bi in zip(x, begun)]
            begun = [xi.copy() for xi in x]
    return np.array(x), z


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_twin(rule):
    problem = unlike(noise=0.4)
    state = run(problem.gradient, [1.0, -2.0], rule, 17, workers=4, seed=5)
    x, z = by_loops(problem.gradient, [1.0, -2.0], rule, 17, 4)
    np.testing.assert_allclose(state.x[0], x, rtol=1e-12)
    if rule.method == "overlap":
        np.testing.assert_allclose(state.anchor[0], z, rtol=1e-12)


def test_systems_are_independent_and_the_run_can_be_stopped():
    problem = unlike()
    start = np.array([[1.0, 0.0], [0.0, 3.0]])
    both = run(problem.gradient, start, RULES[1], 9, workers=4, systems=2)
    for b in range(2):
        one = run(problem.gradient, start[b], RULES[1], 9, workers=4)
        np.testing.assert_allclose(both.x[b], one.x[0], rtol=1e-12)
    seen = []
    run(problem.gradient, start[0], RULES[0], 9, workers=4, observe=lambda k, s, g: seen.append(k) or k == 4)
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("m, pull", [(1, 0.3), (2, 0.6), (7, 0.2)])
def test_mixing_matrix(m, pull):
    W, v = mixing_matrix(m, pull), fixed_vector(m, pull)
    np.testing.assert_allclose(W.sum(axis=0), 1.0)
    np.testing.assert_allclose(W @ v, v)
    norm = np.linalg.norm(W - np.outer(v, np.ones(m + 1)), 2)
    assert norm == pytest.approx(1.0 - pull if m > 1 else 0.0, abs=1e-12)
    assert abs(W.T.sum(axis=0) - 1.0).max() > 0.1  # not row-stochastic
    X = np.random.default_rng(m).standard_normal((3, m + 1))
    state = State(X[:, :m].T[None].copy(), Rule(1.0, 1, pull))
    state.anchor = X[:, m][None]
    state.synchronise()
    np.testing.assert_allclose(np.column_stack([state.x[0].T, state.anchor[0]]), X @ W)


def test_a_synchronisation_keeps_the_virtual_sequence():
    rng = np.random.default_rng(3)
    for method in METHODS:
        state = State(rng.standard_normal((2, 5, 3)), Rule(0.1, 2, 0.4, 0.6, method))
        if method == "overlap":
            state.anchor, state.velocity = rng.standard_normal((2, 2, 3))
        before = state.virtual()
        state.synchronise()
        np.testing.assert_allclose(state.virtual(), before, atol=1e-14)
    assert effective_factor(0.6, 0.7) == pytest.approx(0.4 / 0.58)
    assert Rule(0.5, 4, 0.6, 0.7, "cocod").effective_step == 0.5


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_moments_of_noiseless_runs(rule):
    """Mean trajectory at all rounds, and the fixed point: disagreement and bias."""
    problem = unlike()
    exact, seen, apart = Moments(problem, rule), [], []

    def observe(k, state, g):
        if k % rule.tau == 0:
            seen.append(state.virtual()[0] - problem.optimum)
        if k >= 2400:
            apart.append((state.disagreement()[0], (state.virtual()[0] - problem.optimum) @ (
                state.virtual()[0] - problem.optimum)))  # fmt: skip

    run(problem.gradient, [1.0, 2.0], rule, 2400 + rule.tau, workers=4, observe=observe)
    np.testing.assert_allclose(exact.virtual_means([1.0, 2.0], 300), seen[:301], atol=1e-11)
    np.testing.assert_allclose([exact.disagreement(), exact.bias()], np.mean(apart, axis=0), rtol=1e-8)
    assert exact.floor() == pytest.approx(exact.bias())


def test_moments_of_noise():
    """The Lyapunov value against a long run of many systems, with momentum and unlike curvatures."""
    problem, rule, sums = unlike(noise=0.7), Rule(0.1, 3, 0.5, 0.4), []
    exact = Moments(problem, rule)

    def observe(k, state, g):
        if k >= 150:
            y = state.virtual() - problem.optimum
            sums.append((state.disagreement().mean(), (y * y).sum() / len(y)))

    run(problem.gradient, problem.optimum, rule, 600, workers=4, systems=400, seed=2, observe=observe)
    assert np.mean(sums, axis=0) == pytest.approx([exact.disagreement(), exact.floor()], rel=0.03)
    shared = Moments(Quadratics(problem.hessians, problem.slopes, 1.4), rule)
    assert abs(shared.floor() / exact.floor() - 1.0) > 0.5  # partner: twice the noise


def test_first_orders_are_limits():
    tilts = np.array([-1.0, 0.0, 1.0]) * 1.5**0.5
    for rule in (Rule(1e-5, 6, 0.3), Rule(1e-5, 6, 0.8), Rule(1e-5, 6, method="local"), Rule(1e-5, 6, method="cocod")):
        noisy, tilted = Quadratics.same(3, 1.0, 0.5), Quadratics.same(3, 1.0, 0.0, tilts)
        assert tilted.heterogeneity == pytest.approx(1.0)
        assert Moments(noisy, rule).disagreement() == pytest.approx(disagreement_first_order(rule, 3, 0.25), rel=1e-3)
        assert Moments(noisy, rule).floor() == pytest.approx(floor_first_order(rule, 3, 0.25, 1.0), rel=1e-3)
        assert Moments(tilted, rule).disagreement() == pytest.approx(drift_first_order(rule, 1.0), rel=1e-3)
    slow = Moments(Quadratics.same(3, 1.0), Rule(1e-4, 2, 0.6, 0.7))
    assert slow.effective_step == pytest.approx(slow.rule.effective_step, rel=1e-3)


def test_largest_step():
    problem = Quadratics.same(2, 2.0)
    assert largest_step(problem, Rule(0.1, 1, method="local")) == pytest.approx(1.0)  # 2/h
    for rule in (Rule(0.1, 4, 0.5, 0.3), Rule(0.1, 3, method="cocod")):
        top = largest_step(problem, rule)
        with pytest.raises(ValueError, match="step must lie in"):
            Moments(problem, Rule(1.01 * top, rule.tau, rule.pull, rule.beta, rule.method))
        assert Moments(problem, Rule(0.99 * top, rule.tau, rule.pull, rule.beta, rule.method)).radius < 1.0


def test_least_squares_of_shards():
    X, y = bundled.diabetes()
    fleet = Quadratics.of_shards([(X[:221], y[:221]), (X[221:], y[221:])], ridge=0.1)
    w = np.linalg.solve(X.T @ X / 442 + 0.1 * np.eye(10), X.T @ y / 442)
    np.testing.assert_allclose(fleet.optimum, w, rtol=1e-9)
    g = fleet.gradient(np.tile(w, (3, 2, 1)), None)
    assert g.shape == (3, 2, 10) and abs(g.mean(axis=1)).max() < 1e-12 < abs(g).max()


def test_the_bound_at_small_steps_is_that_of_cooperative_sgd():
    rule, m, K = Rule(1e-4, 5, 0.6), 4000, 10**6
    found = local_sgd_bound.gradient_bound(rule, m, K, L=2.0, gap=0.0, variance=3.0)
    ratio = 5 * (1 + 0.16) / (1 - 0.16) - 1
    network = (1e-4 * 2.0) ** 2 * 3.0 * ratio
    assert found - 2.0 * rule.effective_step * 3.0 / m == pytest.approx(network, rel=2e-3)
    more = local_sgd_bound.gradient_bound(rule, m, K, L=2.0, gap=1.0, variance=3.0, heterogeneity=1.0)
    assert more > found + 2.0 / (rule.effective_step * K)
    with pytest.raises(ValueError, match="step must lie in"):
        local_sgd_bound.gradient_bound(Rule(0.2, 5), 4, K, L=2.0, gap=1.0, variance=3.0)
    with pytest.raises(ValueError, match="beta = 0"):
        local_sgd_bound.gradient_bound(Rule(0.01, 5, beta=0.5), 4, K, L=2.0, gap=1.0, variance=3.0)


def test_the_bound_by_hand():
    """tau = 3, pull = 1/2, step = 1/50, L = 2, by the lines of the primer; and each term alone."""
    rule, about = Rule(0.02, 3, 0.5), {"L": 2.0, "gap": 0.0, "variance": 0.0}
    assert local_sgd_bound.gradient_bound(rule, 4, 100, **{**about, "gap": 3.0}) == pytest.approx(6.0)  # 2 3/(0.01 100)
    S = 3 / 0.5 - 1  # = 5
    q = 4 * 0.02**2 * 2.0**2 * S**2  # = 0.16
    kappa = 2.0**2 * 4 * 0.02**2 * S**2 * 7.0 / (1 - q)  # kappa^2 = 7
    assert local_sgd_bound.gradient_bound(rule, 4, 100, **about, heterogeneity=7.0) == pytest.approx(kappa)
    assert kappa == pytest.approx(4.0 / 3.0)
    noise = 0.02**2 * 5.0 * (0.75 * (3 * 0.25 / 0.75 + 1.0) + 0.25 * 1.0 / 4)
    both = 2.0 * 0.01 * 5.0 / 4 + 2.0**2 * 2 * noise / (1 - q)
    assert local_sgd_bound.gradient_bound(rule, 4, 100, **{**about, "variance": 5.0}) == pytest.approx(both)


def test_the_settled_state_is_a_fixed_point():
    for rule in RULES:
        problem = unlike()
        begun = Moments(problem, rule).settled(2)
        ended = run(problem.gradient, begun, rule, 2 * rule.tau, workers=4, systems=2)
        np.testing.assert_allclose(ended.x, begun.x, atol=1e-12)
        np.testing.assert_allclose(ended.virtual(), begun.virtual(), atol=1e-12)
    with pytest.raises(ValueError, match="start must hold 1 systems of 4 workers"):
        run(problem.gradient, begun, rule, 1, workers=4)


def test_what_a_gradient_may_do():
    def counted(x, rng):
        return np.float32(2.0) * x.astype(np.float32)

    single = run(counted, [1.0], Rule(0.1, 1), 3, workers=2)
    assert single.x.dtype == np.float64
    same = run(lambda x, rng: x, [1.0], Rule(0.1, 1, method="local"), 3, workers=2)  # its own argument
    assert same.x[0, 0, 0] == pytest.approx(0.9**3)
    centred = unlike().centred()
    assert abs(centred.optimum).max() < 1e-12 and centred.heterogeneity == pytest.approx(unlike().heterogeneity)


def test_logistic():
    X, labels = bundled.digits()
    fleet = Logistic.dealt(X, labels, 8, ridge=0.05)
    w = np.random.default_rng(1).standard_normal(fleet.dim) * 0.1
    g = fleet.gradient(np.tile(w, (1, 8, 1)), None)[0].mean(axis=0)
    for j in (0, 100, 639):
        e = np.zeros(fleet.dim)
        e[j] = 1e-5
        assert (fleet.loss(w + e) - fleet.loss(w - e)) / 2e-5 == pytest.approx(g[j], abs=1e-8)
    batch = Logistic.dealt(X, labels, 8, ridge=0.05, batch=64)
    many = batch.gradient(np.tile(w, (200, 8, 1)), np.random.default_rng(2)).mean(axis=(0, 1))
    assert np.linalg.norm(many - g) < 0.05 * np.linalg.norm(g)
    assert fleet.minimum < fleet.loss(w) and fleet.minimum < fleet.loss(np.zeros(fleet.dim))
    sorted_by, dealt = (Logistic.dealt(X, labels, 8, like=like)._hot.sum(axis=1) for like in (0.0, 1.0))
    assert (sorted_by > 0).sum(axis=1).max() <= 3 and (dealt > 0).sum(axis=1).min() == 10


def test_message_bits():
    assert message_bits(650, 10, workers=2, bits=32) == 2 * 325 * 32 * 10
    assert message_bits(10, 1, workers=4, bits=64) == 2 * 3 * 3 * 64  # parts of ceil(10 / 4) numbers
    assert message_bits(10, 5, workers=1) == 0
    for bad, words in (({"bits": 16}, "bits must be one of"), ({"workers": 0}, "workers must")):
        with pytest.raises(ValueError, match=words):
            message_bits(10, 1, **bad)


@pytest.mark.parametrize("how, words", [
    ({"step": 0.0}, "step must"), ({"step": float("nan")}, "step must"), ({"pull": 1.0}, r"pull must lie in \(0, 1\)"),
    ({"pull": 0.0}, "pull must"), ({"beta": 1.0}, r"beta must lie in \[0, 1\)"), ({"beta": -0.1}, "beta must"),
    ({"tau": 0}, "tau must"), ({"tau": 1.5}, "tau must"), ({"method": "easgd"}, "method must be one of"),
])  # fmt: skip
def test_bad_rules(how, words):
    with pytest.raises(ValueError, match=words):
        Rule(**{"step": 0.1, **how})


def test_bad_problems():
    eye = np.eye(2)
    bad = [
        (lambda: Quadratics(eye, [[0.0, 0.0]]), "hessians must have 3"),
        (lambda: Quadratics([eye], [[0.0]]), "slopes must have shape"),
        (lambda: Quadratics([[[1.0, 1.0], [0.0, 1.0]]], [[0.0, 0.0]]), "symmetric"),
        (lambda: Quadratics([-eye], [[0.0, 0.0]]), "positive definite"),
        (lambda: Quadratics([eye * np.nan], [[0.0, 0.0]]), "finite"),
        (lambda: Quadratics([eye], [[0.0, 0.0]], -1.0), "noise must"),
        (lambda: Quadratics.of_shards([]), "one or more workers"),
        (lambda: Quadratics.of_shards([(eye, [1.0])]), "as many rows"),
        (lambda: Quadratics.of_shards([(np.ones((3, 2)), np.ones(3))]), "dependent columns"),
        (lambda: Quadratics.of_shards([(eye, [1, 2]), (np.eye(3), [1, 2, 3])]), "2 columns like the others"),
        (lambda: Logistic(np.ones((2, 3, 1)), np.zeros((2, 2))), "labels must have shape"),
        (lambda: Logistic(np.ones((2, 3, 1)), np.zeros((2, 3))), "two or more"),
        (lambda: Logistic.dealt(eye, [0, 1], 3), "workers must"),
        (lambda: Logistic.dealt(eye, [0], 2), "labels must be as many as the 2 rows, got 1"),
        (lambda: Logistic.dealt(eye, [0, 1e9], 2), "fewer than the 2 rows"),
        (lambda: Logistic(np.ones((1, 3, 1)), [[0, 1, 1]], batch=1).gradient(np.ones((1, 1, 2)), None), "rng must be"),
        (lambda: unlike(noise=1.0).gradient(np.ones((1, 4, 2)), None), "rng must be"),
        (lambda: unlike().gradient(np.ones((1, 3, 2)), None), r"x must have shape \(systems, 4, 2\)"),
        (lambda: Quadratics.of_shards(5), "shards must be a sequence of pairs"),
        (lambda: Quadratics.of_shards([eye[0]]), "shards must be pairs"),
        (lambda: Moments(unlike(), Rule(0.05, 10**9)), "tau must be at most"),
        (lambda: Moments(unlike(), Rule(1e-300, 2)), "large enough"),
        (lambda: Logistic.dealt(eye, [0, 1], 2).minimum, "ridge must be > 0"),
        (lambda: run(unlike().gradient, [[1.0, 1.0]] * 3, RULES[0], 1, workers=4, systems=2), "start must have shape"),
        (lambda: run(lambda x, rng: 0.0 * x, [1.0], RULES[0], 1, workers=2), "zero everywhere"),
        (lambda: run(lambda x, rng: np.nan * x, [1.0], RULES[0], 1, workers=2), "gradient must be finite"),
        (lambda: run(lambda x, rng: x[0], [1.0], RULES[0], 1, workers=2), "array of shape"),
        (lambda: run(lambda x, rng: x**3, [9.0], Rule(9.0), 99, workers=2), "diverged"),
        (lambda: mixing_matrix(0, 0.5), "workers must"),
        (lambda: fixed_vector(0, 0.5), "workers must"),
        (lambda: run(lambda x, rng: x, [1.0], "overlap", 1, workers=2), "rule must be"),
        (lambda: run(lambda x, rng: x if x.min() > 0.9 else x[0], [1.0], Rule(0.1), 9, workers=2), "2, 1. in step 3"),
        (lambda: run(lambda x, rng: x if x.min() > 0.9 else [x], [1.0], Rule(0.1), 9, workers=2), "got list in step 3"),
        (lambda: Logistic.dealt(eye, [0, 1], 2, seed=-1), "seed must"),
        (lambda: Logistic(np.ones((1, 3, 1)), [[0, 1, 1]]).loss(np.ones(3)), r"w must have shape \(..., 2\)"),
        (lambda: Moments(None, RULES[0]), "problem must be a Quadratics, got NoneType"),
        (lambda: Moments(unlike(), RULES[0]).virtual_means([1.0], 2), r"start must have shape \(2,\)"),
        (lambda: Moments(unlike(), RULES[0]).settled(0), "systems must"),
        (lambda: disagreement_first_order(RULES[0], 0, 1.0), "workers must"),
        (lambda: local_sgd_bound.leading(0, 1, L=1.0, gap=1.0, variance=1.0), "workers must"),
        (lambda: fixed_vector(2, 1.0), "pull must"),
        (lambda: effective_factor(1.5), "pull must"),
        (lambda: run(unlike().gradient, [1.0, 1.0], RULES[0], 1, workers=4, seed=-1), "seed must"),
        (lambda: Quadratics.same("a", 1.0), "workers must"),
        (lambda: Quadratics.same(2, 1.0, 0.0, "ab"), "tilts must"),
        (lambda: Moments(Quadratics.same(6000, 1.0), RULES[0]), "problem must have at most 4641 numbers"),
        (lambda: local_sgd_bound.largest_step(RULES[0], 0.0), "L must"),
    ]
    for make, words in bad:
        with pytest.raises(ValueError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)
