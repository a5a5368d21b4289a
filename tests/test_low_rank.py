"""SGD with weight decay: unrolling, ranks, gradients of layers, training, and the limit law, against plain twins."""

import math

import numpy as np
import pytest

import chaosnum as cn

LR, LAW, NET, LAYERS = cn.low_rank, cn.low_rank_law, cn.low_rank_mlp, cn.low_rank_layers


# --- unrolling, ranks, forgetting -------------------------------------------------------------------------------------


def run(T=12, p=9, q=7, batch=2, momentum=0.0, seed=1, steps=None, ridge=0.05):
    """Random rank-B gradients under decay, one loop."""
    rng = np.random.default_rng(seed)
    mu = np.full(T, 0.4) if steps is None else np.asarray(steps)
    w, v, weights, gradients = rng.standard_normal((p, q)), np.zeros((p, q)), [], []
    for t in range(T):
        weights.append(w)
        g = rng.standard_normal((p, batch)) @ rng.standard_normal((batch, q))
        v = momentum * v + g
        w = (1 - 2 * mu[t] * ridge) * w - mu[t] * v
        gradients.append(g)
    return np.array([*weights, w]), np.array(gradients), mu


def test_unrolling_is_an_identity_and_the_bounds_hold():
    for seed in range(20):
        weights, gradients, mu = run(seed=seed, steps=np.random.default_rng(seed).uniform(0.1, 0.6, 12))
        found = LR.unroll(weights, gradients, mu, 0.05, batch=2)
        assert found.lags.tolist() == [1, 2, 3]  # 2 n < 7
        assert found.residual.max() <= 1.0 and found.spectral.max() <= 1.0 and found.frobenius.max() <= 1.0
        # by hand, at n = 3
        rho = 1 - 2 * mu * 0.05
        kept = rho[-1] * rho[-2] * rho[-3]
        total = kept * weights[-4] - mu[-1] * gradients[-1] - rho[-1] * mu[-2] * gradients[-2]
        total -= rho[-1] * rho[-2] * mu[-3] * gradients[-3]
        np.testing.assert_allclose(total, weights[-1], rtol=0, atol=1e-13)
        sigma = np.linalg.svd(weights[-1])[1]
        assert found.spectral[2] == pytest.approx(sigma[6] / (kept * np.linalg.norm(weights[-4], 2)), rel=1e-9)
        assert found.frobenius[1] == pytest.approx(
            np.linalg.norm(sigma[4:]) / (rho[-1] * rho[-2] * np.linalg.norm(weights[-3])), rel=1e-9
        )


def test_momentum_and_full_rank_updates_break_it():
    weights, gradients, mu = run(momentum=0.9)
    assert LR.unroll(weights, gradients, mu, 0.05, batch=2).residual.min() > 1e10
    weights, gradients, mu = run(batch=7, ridge=1.0)  # counted as two
    found = LR.unroll(weights, gradients, mu, 1.0, batch=2)
    assert found.residual.max() <= 1.0 and found.frobenius.max() > 1.5


def test_rounding_is_that_of_the_type():
    weights, gradients, _ = run()
    single = weights.astype(np.float32), gradients.astype(np.float32)
    assert LR.unroll(*single, 0.4, 0.05, batch=2).residual.max() <= 1.0
    wide = weights.astype(np.longdouble)  # computed with in double precision
    assert LR.unroll(wide, gradients, 0.4, 0.05, batch=2).residual.max() <= 1.0
    assert LR.unroll(single[0].astype(float), single[1], 0.4, 0.05, batch=2).residual.max() > 1e3


def test_what_unroll_refuses():
    weights, gradients, _ = run()
    refused = [
        ((weights[1:], gradients, 0.4, 0.05), {}, "weights must have shape"),
        ((weights, gradients, 0.4, 2.0), {}, r"2 step ridge must lie in \[0, 1\), got 1.6"),
        ((weights, gradients, [0.4, 0.4], 0.05), {}, "step must be one number or 12"),
        ((weights, 0 * gradients, 0.4, 0.05), {}, "gradients must not be zero"),
        ((0 * weights, gradients, 0.4, 0.05), {}, "weights must not be zero"),
        ((weights, gradients, 0.4, 0.05), {"batch": 7}, "vacuous, got 7"),
        ((weights, gradients, 0.4, 0.05), {"batch": 2, "shared": 4}, "vacuous, got 8"),
        ((weights, gradients, 0.4, 0.05), {"lags": [4]}, r"lags must be a whole number in \[1, 3\], got 4"),
        ((weights, gradients, 0.4, 0.05), {"lags": []}, "lags must be one or more whole numbers .* got .."),
        ((weights, gradients, 0.4, 0.05), {"lags": 2}, "lags must be one or more whole numbers .* got 2"),
        ((np.where(weights > 2, np.nan, weights), gradients, 0.4, 0.05), {}, "weights must be finite"),
        ((weights, gradients * 1e300, 1e10, 1e-12), {}, "step . gradients must not exceed 1e16 times the weights"),
    ]
    for args, options, words in refused:
        with pytest.raises(ValueError, match=words) as error:
            LR.unroll(*args, **{"batch": 2} | options)
        assert "\n" not in str(error.value)


def test_rank_is_counted_above_the_tolerance():
    w = np.diag([3.0, 4.0, 0.0049, 0.0051])
    assert LR.rank(w) == 3 and LR.rank(w, 1e-4) == 4 and isinstance(LR.rank(w), int)
    assert LR.rank(np.stack([w, 7 * w])).tolist() == [3, 3]
    for bad, words in ((np.zeros((2, 2)), "must not be zero"), (np.ones(3), "must be a matrix")):
        with pytest.raises(ValueError, match=words):
            LR.rank(bad)


def test_scale_does_not_matter():
    """Squares of 1e300 overflow and those of 1e-300 vanish; ranks and ratios do neither."""
    for factor in (1e300, 1e-300):
        assert LR.rank(factor * np.eye(3)) == 3
        assert LR.threshold(factor * np.eye(3), 2 * factor * np.eye(3)) == pytest.approx(math.log(500 / 3**0.5))
        assert LR.least_move(factor * np.eye(3), 0.5, 1) == pytest.approx(2**0.5 * factor)
    weights, gradients, _ = run()
    plain = LR.unroll(weights, gradients, 0.4, 0.05, batch=2)
    for factor in (2.0**900, 2.0**-900):
        found = LR.unroll(weights * factor, gradients * factor, 0.4, 0.05, batch=2)
        np.testing.assert_array_equal(found.frobenius, plain.frobenius)
        np.testing.assert_array_equal(found.residual, plain.residual)


def test_what_the_threshold_refuses():
    for args, words in (((np.eye(3), np.ones(3)), "end must be a matrix"), ((np.ones(3), np.eye(3)), "start must be a"),
                        ((np.eye(3), np.eye(4)), r"end must have the shape of start, \(3, 3\), got \(4, 4\)"),
                        ((np.eye(3), np.zeros((3, 3))), "must not be zero")):  # fmt: skip
        with pytest.raises(ValueError, match=words) as error:
            LR.threshold(*args)
        assert "\n" not in str(error.value)


def test_steps_and_forgetting():
    assert LR.decay(0.1, 0.5) == 0.9
    steps = LR.updates(3.0, 0.1, 0.01)
    assert steps == 1498 and abs(-steps * math.log(LR.decay(0.1, 0.01)) - 3.0) < 1e-3
    for args, words in (((1.0, 0.1, 0.0), "2 step ridge must be > 1e-16"), ((1.0, 0.1, 1e-20), "got 2e-21"),
                        ((1.0, 1.0, 0.5), "2 step ridge"),
                        ((1.0, 0.0, 0.1), "step must")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            LR.updates(*args)
    assert LR.rank_bound(1e-3, 1.0, 2, 3, 0.9) == 6 * math.ceil(math.log(1000) / -math.log(0.9))
    assert LR.rank_bound(0.5, 0.4, 2, 3, 0.9) == 0


def test_the_quarter_circle_law():
    sigma = np.linalg.svd(np.random.default_rng(3).standard_normal((400, 400)), compute_uv=False)
    middle = np.median(sigma)
    for x in (0.0, 0.3, 1.0, 2.0, 5.0):
        assert abs(LR.left(x) - np.mean(sigma > x * middle)) < 0.01
    assert LR.left(1.0) == pytest.approx(0.5, abs=1e-12)
    # a submatrix: what is learnt takes a quarter of the directions
    part = np.linalg.svd(np.random.default_rng(4).standard_normal((300, 300)), compute_uv=False)
    assert abs(LR.left(1.2, 0.25) - np.mean(part > 1.2 * middle)) < 0.02
    assert LR.threshold(np.eye(4), 2 * np.eye(4)) == pytest.approx(math.log(1 / (1e-3 * 4)))


def test_no_step_is_shorter_than_the_least_move():
    rng = np.random.default_rng(5)
    w = rng.standard_normal((6, 5))
    left, sigma, right = np.linalg.svd(w, full_matrices=False)
    best = -2 * 0.1 * (left[:, :2] * sigma[:2]) @ right[:2]
    assert np.linalg.norm(best + 0.2 * w) == pytest.approx(LR.least_move(w, 0.1, 2))  # attained
    for _ in range(50):
        g = rng.standard_normal((6, 2)) @ rng.standard_normal((2, 5))
        assert np.linalg.norm(g + 0.2 * w) >= LR.least_move(w, 0.1, 2)


# --- gradients of layers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LAYERS.KINDS)
def test_gradients_of_layers_by_differences(kind):
    rng, tokens = np.random.default_rng(6), 3 if kind == "shared" else 1
    f, H = rng.standard_normal((6, tokens, 8)), rng.standard_normal((tokens * 8, 5))
    W, hot = rng.standard_normal((8, 5 if kind == "output" else 8)), np.eye(5)[rng.integers(0, 5, 6)]
    found = LAYERS._backward(kind, f, W, H, hot, False)
    for i in np.ndindex(W.shape):
        e = np.zeros_like(W)
        e[i] = 1e-6
        slope = (LAYERS.loss(kind, f, W + e, H, hot)[0] - LAYERS.loss(kind, f, W - e, H, hot)[0]) / 2e-6
        assert abs(found[i] - slope) < 1e-8


@pytest.mark.parametrize("kind", LAYERS.KINDS)
def test_gradient_ranks(kind):
    rng = np.random.default_rng(7)
    for batch in (3, 5, 9, 20):
        X, labels = rng.standard_normal((batch, 12)), rng.integers(0, 7, batch)
        found = LAYERS.numerical_rank(LAYERS.layer_gradient(kind, X, labels, 7, 16, tokens=3, seed=batch))
        assert found == LAYERS.gradient_rank(kind, batch, 16, 7, 3)
    assert LAYERS.layer_gradient(kind, X, labels, 7.0, 16.0, tokens=3.0, seed=1).any()  # whole numbers
    known = {"dense": 9, "residual": 9, "shared": 16, "batch-norm": 8, "output": 6}
    assert LAYERS.gradient_rank(kind, 9, 16, 7, 3) == known[kind]


def test_what_layers_refuse():
    ones = np.ones((3, 4))
    for args, words in ((("pool", ones, [0, 1, 0], 2, 8), "kind must be one of"),
                        (("batch-norm", ones[:2], [0, 1], 2, 8), "batch must be a whole number >= 3"),
                        (("batch-norm", ones, [0, 1, 0], 2, 8), "rows of X must differ"),
                        (("dense", 0 * ones, [0, 1, 0], 2, 8), "gradient must not be zero"),
                        (("dense", ones, [0, 1, 9], 3, 8), r"labels must be whole numbers in \[0, 2\], got 9"),
                        (("dense", ones, [0, 1, -1], 3, 8), r"labels must be whole numbers in \[0, 2\], got -1"),
                        (("dense", ones, [0, 1, 0.5], 3, 8), r"labels must be whole numbers in \[0, 2\], got 0.5"),
                        (("dense", ones, [0, 1], 3, 8), "labels must be one for each of the 3 rows"),
                        (("dense", ones * np.nan, [0, 1, 0], 2, 8), "X must be finite")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            LAYERS.layer_gradient(*args, seed=1)


def test_gradients_of_a_run_have_the_rank_that_is_said():
    _, gradients, _ = run(batch=2)
    LAYERS.ranks_at_most(gradients, 2)
    LAYERS.ranks_at_most(gradients, 1, 2)
    LAYERS.ranks_at_most(gradients.astype(np.float32), 2)  # rounding of its type
    gradients[5] += np.random.default_rng(1).standard_normal(gradients[5].shape)
    for given in (gradients, gradients.astype(np.float32)):
        with pytest.raises(ValueError, match="^gradients must have rank <= batch . shared = 2, got rank 7 at t = 5$"):
            LAYERS.ranks_at_most(given, 2)


# --- training -----------------------------------------------------------------------------------------------------


def twin(weights, X, labels, drawn, mu, ridge, unit):
    """One network, a row at a time."""
    weights = [w.copy() for w in weights]
    for batch in drawn:
        total = [np.zeros_like(w) for w in weights]
        for i in batch:
            a = [X[i]]
            for w in weights[:-1]:
                a.append(np.maximum(a[-1] @ w, 0) if unit == "relu" else np.tanh(a[-1] @ w))
            f = a[-1] @ weights[-1]
            d = np.exp(f) / np.exp(f).sum() - np.eye(len(f))[labels[i]]
            for l in reversed(range(len(weights))):
                total[l] += np.outer(a[l], d) / len(batch)
                if l:
                    d = (weights[l] @ d) * ((a[l] > 0) if unit == "relu" else 1 - a[l] ** 2)
        weights = [w - mu * (g + 2 * ridge * w) for w, g in zip(weights, total)]
    return weights


@pytest.mark.parametrize("unit", NET.UNITS)
def test_training_against_a_twin(unit):
    rng = np.random.default_rng(8)
    X, labels, _ = NET.rows(rng.standard_normal((30, 6)), np.arange(30) % 3)
    start = NET.initial([6, 8, 7, 3], 2, rng, unit=unit)
    weights, drawn = [w.copy() for w in start], np.random.default_rng(9).integers(0, 30, (5, 2, 4))
    moved = NET.train(weights, X, labels, batch=4, step=0.3, ridge=0.05, steps=5, rng=np.random.default_rng(9),
                      unit=unit, moves=1)  # fmt: skip
    for r in range(2):
        before = twin([w[r] for w in start], X, labels, drawn[:4, r], 0.3, 0.05, unit)
        after = twin([w[r] for w in start], X, labels, drawn[:, r], 0.3, 0.05, unit)
        for l, (w, u, v) in enumerate(zip(weights, before, after)):
            np.testing.assert_allclose(w[r], v, rtol=0, atol=1e-13)
            assert moved[0, l, r] == pytest.approx(np.linalg.norm(v - u) / 0.3, rel=1e-10)
    whole = [w[:1].copy() for w in start]
    NET.train(whole, X, labels, batch=None, step=0.3, ridge=0.0, steps=2, rng=None, unit=unit)
    wanted = twin([w[0] for w in start], X, labels, [range(30)] * 2, 0.3, 0.0, unit)
    for w, v in zip(whole, wanted):
        np.testing.assert_allclose(w[0], v, rtol=0, atol=1e-13)


def test_steps_that_differ_and_recorded_runs():
    rng = np.random.default_rng(10)
    X, labels, _ = NET.rows(rng.standard_normal((20, 5)), np.arange(20) % 2)
    start = NET.initial([5, 6, 6, 2], 1, rng)
    one, two = [w.copy() for w in start], [w.copy() for w in start]
    NET.train(one, X, labels, batch=3, step=np.array([0.2, 0.1]), ridge=0.1, steps=2, rng=np.random.default_rng(1))
    again = np.random.default_rng(1)
    drawn = again.integers(0, 20, (2, 1, 3))[:, 0]
    half = twin([w[0] for w in two], X, labels, drawn[:1], 0.2, 0.1, "relu")
    for w, v in zip(one, twin(half, X, labels, drawn[1:], 0.1, 0.1, "relu")):
        np.testing.assert_allclose(w[0], v, rtol=0, atol=1e-13)
    kept, gradients = NET.record(two, 1, X, labels, batch=1, step=0.2, ridge=0.1, steps=4, rng=again)
    np.testing.assert_array_equal(kept[-1], two[1][0])
    assert LR.unroll(kept, gradients, 0.2, 0.1, batch=1).residual.max() <= 1.0
    assert all(np.linalg.matrix_rank(g) <= 1 for g in gradients)


def test_orthogonal_weights_and_accuracy():
    weights = NET.initial([6, 6, 6], 2, np.random.default_rng(1), orthogonal=True)
    np.testing.assert_allclose(weights[0] @ weights[0].transpose(0, 2, 1), np.broadcast_to(2 * np.eye(6), (2, 6, 6)),
                               atol=1e-12)  # fmt: skip
    eye = [np.eye(4)[None], np.eye(4)[None]]
    assert NET.accuracy(eye, np.eye(4), np.array([0, 1, 2, 0])).tolist() == [0.75]


def test_what_training_refuses():
    X, y = np.eye(4), [0, 1, 0, 1]
    for args, words in (((X, [0, 0, 0, 0]), "labels must have 2 classes"), ((np.ones((4, 3)), y), "rank 2 or more"),
                        ((X[:3], y), "a row for each of the 4"), ((X, [0, 1, 0.5, 1]), "labels must be whole numbers"),
                        ((X * 1e200, y), r"X must lie in \[-1e\+12, 1e\+12\], got an entry of magnitude 1e\+200"),
                        ((X, [0, 1, np.nan, 1]), "labels must be finite"),
                        ((X + np.inf, y), "X must be finite")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            NET.rows(*args)
    dead = [-np.ones((1, 4, 3)), np.ones((1, 3, 2))]
    options = {"batch": 2, "step": 0.1, "ridge": 0.0, "steps": 1, "rng": np.random.default_rng(1), "unit": "sigmoid"}
    for call in (lambda: NET.train(dead, X, np.array(y), **options), lambda: NET.accuracy(dead, X, y, "sigmoid"),
                 lambda: NET.record(dead, 0, X, np.array(y), **options)):  # fmt: skip
        with pytest.raises(ValueError, match="unit must be one of relu, tanh, got 'sigmoid'"):
            call()
    with pytest.raises(ValueError, match="gradients must not all be zero"):
        NET.train(dead, X, np.array(y), batch=2, step=0.1, ridge=0.0, steps=1, rng=np.random.default_rng(1))
    big = 1e4 * np.random.default_rng(2).standard_normal((40, 16))
    for train in (NET.train, lambda w, *a, **o: NET.record(w, 0, *a, **o)):
        rng = np.random.default_rng(1)
        start = NET.initial([16, 32, 32, 2], 1, rng, dtype=np.float32)
        with pytest.raises(ValueError, match="step must be smaller, or X scaled down: weights overflowed in 50 steps"):
            train(start, big, np.arange(40) % 2, batch=8, step=10.0, ridge=0.0, steps=50, rng=rng)
    with pytest.raises(ValueError, match="2 step ridge"):
        NET.train(dead, X, np.array(y), batch=2, step=1.0, ridge=0.5, steps=1, rng=None)


# --- the limit law ----------------------------------------------------------------------------------------------------


CASES = [(1, 0.05, 120, 120), (1, 0.4, 120, 120), (4, 0.1, 120, 120), (2, 0.1, 60, 120), (2, 0.1, 120, 60)]


@pytest.mark.parametrize(("batch", "rate", "rows", "cols"), CASES)
def test_the_limit_law_counts_singular_values(batch, rate, rows, cols):
    a = LAW.amplitudes(1 - rate, batch)
    norm = LAW.frobenius(a, batch)
    draws = [np.linalg.svd(LAW.isotropic_sum(a, batch, rows, cols, seed=k), compute_uv=False) for k in range(12)]
    for s in (1e-3, 1e-2, 0.1):
        found = np.mean([(sigma > s * norm).sum() for sigma in draws])
        assert abs(found - LAW.count_above(s * norm, a, batch, rows, cols)) < 1.0
    assert np.mean([np.linalg.norm(sigma) for sigma in draws]) == pytest.approx(norm, rel=0.05)


def test_the_limit_law_of_equal_amplitudes_is_known():
    """As many unit terms as rows: W W' has the Fuss-Catalan law, x = 1 / (P (1 - P)^2), that ends at 27 / 4."""
    rng, d = np.random.default_rng(2), 300
    w = LAW.sphere(rng, d, d) @ LAW.sphere(rng, d, d).T
    sigma = np.linalg.svd(w, compute_uv=False)
    for s in (0.1, 0.5, 1.5):
        assert abs((sigma > s).sum() - LAW.count_above(s, [1.0], d, d)) < 3.0
    edge = 6.75**0.5
    assert LAW.count_above(1.001 * edge, [1.0], d, d) < 1e-6 < 0.01 < LAW.count_above(0.99 * edge, [1.0], d, d)


def test_small_and_large_ends_of_the_law():
    a = LAW.amplitudes(0.8, 2)
    assert LAW.count_above(10.0, a, 2, 50) < 1e-8
    assert LAW.count_above(1e-6, a, 2, 50) == pytest.approx(50.0, abs=0.05)
    assert LAW.first_count(1e-3, 0.8, 2, 500) == 62 and LAW.first_count(1e-3, 0.8, 2, 50) == 50


def test_the_first_count_fails_where_directions_run_out():
    a = LAW.amplitudes(0.95, 4)
    law = LAW.count_above(1e-3 * LAW.frobenius(a, 4), a, 4, 300)
    assert law < 0.9 * LAW.first_count(1e-3, 0.95, 4, 300)


def test_what_the_law_refuses():
    for call, words in ((lambda: LAW.amplitudes(1.0, 1), "decay must lie in"),
                        (lambda: LAW.amplitudes(0.9, 0), "batch must"),
                        (lambda: LAW.count_above(1.0, [], 1, 5), "a must be positive amplitudes, got none"),
                        (lambda: LAW.count_above(1.0, [1.0, -1.0], 1, 5), "a must be positive amplitudes, got -1.0"),
                        (lambda: LAW.count_above(0.0, [1.0], 1, 5), "s must lie in"),
                        (lambda: LAW.first_count(1.0, 0.9, 1, 5), "eps must")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()
