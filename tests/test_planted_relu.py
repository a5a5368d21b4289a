"""Planted ReLU: the dynamics against loops, the exact laws against sums over many draws, and what is refused."""

import math

import numpy as np
import pytest

import chaosnum as cn

planted, law = cn.planted_relu, cn.planted_relu_law


def naive_gradient(w, X, y):
    """The definition, row by row."""
    g = np.zeros_like(w)
    for x, target in zip(X, y):
        p = float(w @ x)
        g += (max(0.0, p) - target) * (1.0 + (p > 0) - (p < 0)) * x
    return g / len(X)


def test_gradient_and_start_are_their_definitions():
    rng = np.random.default_rng(1)
    w_star, w, X = rng.standard_normal(5), rng.standard_normal((3, 5)), rng.standard_normal((3, 7, 5))
    y = planted.labels(X, w_star)
    found = planted.gradient(w, X, y)
    for r in range(3):
        np.testing.assert_allclose(found[r], naive_gradient(w[r], X[r], y[r]), rtol=1e-12)
        np.testing.assert_allclose(planted.start(X[r], y[r]), 2.0 / 7.0 * y[r] @ X[r], rtol=1e-12)
    assert (planted.gradient(w_star, X[0], y[0]) == 0.0).all()
    assert planted.gradient(np.zeros(5), X[0], y[0]).any()  # sgn(0) = 0: SGD leaves 0


def test_run_is_sgd_and_workers_average():
    """The loop by hand on the same rows, with a quantiser of each kind."""
    rng = np.random.default_rng(2)
    X, w_star, w = rng.standard_normal((40, 4)), rng.standard_normal(4), rng.standard_normal((2, 4))

    class Half:  # of one vector at a time
        def quantise(self, v, rng):
            return 0.5 * v

    for quantiser, scale in ((None, 1.0), (Half(), 0.5), (lambda v, rng: 2.0 * v, 2.0)):
        path = planted.run(planted.Rows(X), w_star, w, step=0.1, batch=6, horizon=5, rng=np.random.default_rng(3),
                           workers=3, quantiser=quantiser)  # fmt: skip
        rng, now = np.random.default_rng(3), w.copy()
        for t in range(5):
            np.testing.assert_allclose(path.squares[t], ((now - w_star) ** 2).sum(axis=1), rtol=1e-10)
            at = rng.integers(0, 40, (2, 6))
            for r in range(2):
                shares = [X[at[r, 2 * k : 2 * k + 2]] for k in range(3)]
                g = [naive_gradient(now[r], rows, np.maximum(rows @ w_star, 0.0)) for rows in shares]
                now[r] = now[r] - 0.1 * scale * np.mean(g, axis=0)
        np.testing.assert_allclose(path.w, now, rtol=1e-10)


@pytest.mark.parametrize(("distance", "angle"), [(0.3, 90.0), (1.2, 120.0), (2.5, 170.0)])
def test_moments_of_a_step_at_any_distance(distance, angle):
    rng = np.random.default_rng(4)
    d, count = 4, 400_000
    w_star = np.eye(d)[0] * 1.7
    w = w_star + 1.7 * distance * np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0, 0])
    X = rng.standard_normal((count, 1, d))
    g = planted.gradient(np.broadcast_to(w, (count, d)), X, planted.labels(X, w_star, 0.5, rng))
    error = np.abs(g.mean(axis=0) - law.mean_gradient(w, w_star)) / (g.std(axis=0) / count**0.5)
    assert error.max() < 4.5  # false alarm: 3e-5
    squares = (g**2).sum(axis=1)
    wanted = law.square_gradient(w, w_star) + 2.0 * d * 0.25
    assert abs(squares.mean() - wanted) < 4.5 * squares.std() / count**0.5
    after = ((w - 0.1 * g - w_star) ** 2).sum(axis=1)
    assert abs(after.mean() - law.square_after(w, w_star, 0.1, 1, 0.5)) < 4.5 * after.std() / count**0.5
    wrong = (w - w_star) @ (w - w_star) * 2 * (d + 2)  # as near w*: the partner that must fail
    assert abs(squares.mean() - 0.5 - 2 * d * 0.25 - wrong) > 10 * squares.std() / count**0.5


def test_the_law_near_w_star_is_the_limit_of_the_law_anywhere():
    rng = np.random.default_rng(5)
    w_star, h = rng.standard_normal(6), rng.standard_normal(6)
    for size in (1e-2, 1e-4):
        a = law.amplification(6, 4)
        found = law.square_after(w_star + size * h, w_star, 0.2, 4) / (size * size * (h @ h))
        assert abs(found - law.factor(0.2, a)) < 4.0 * size
    assert law.amplification(6, 4) == 1.0 + 15.0 / 4.0
    assert law.amplification(6, 4, 2, 3.0) == 1.0 + 15.0 / 4.0 + 1.5 * (1.0 + 15.0 / 2.0)
    assert law.factor(1.0 / a, a) == pytest.approx(1.0 - 1.0 / a)
    assert law.factor(2.0 / a, a) == pytest.approx(1.0)
    # a fixed point of C -> factor C + what the noise adds
    floor = law.floor(0.1, 6, 4, 0.3)
    assert floor == pytest.approx(law.factor(0.1, a) * floor + 0.01 * 2 * 6 * 0.09 / 4)


def test_identified_and_start():
    assert law.identified(7, 13) == pytest.approx(0.5) and law.identified(7, 6) == 0.0
    assert law.identified(3, 3) == pytest.approx(0.125)
    assert law.start_error(20, 43) == 1.0


def test_rows_recursion_is_the_mean_over_all_batches():
    """Every batch of two rows of a small table, three steps deep, by hand."""
    rng = np.random.default_rng(6)
    X, w_star = rng.standard_normal((5, 2)), rng.standard_normal(2)
    while np.linalg.matrix_rank(X[X @ w_star > 0]) < 2:
        X = rng.standard_normal((5, 2))
    population = cn.planted_relu_rows.Population(X, w_star)
    h = 1e-3 * population.reach * rng.standard_normal(2)
    paths = [w_star + h]
    wanted = [h @ h]
    for _ in range(2):
        batches = [X[[i, j]] for i in range(5) for j in range(5)]
        paths = [w - 0.2 * naive_gradient(w, b, np.maximum(b @ w_star, 0.0)) for w in paths for b in batches]
        wanted.append(np.mean([((w - w_star) ** 2).sum() for w in paths]))
    np.testing.assert_allclose(population.squares(h, 0.2, 2, 2), wanted, rtol=1e-6)


def test_rows_threshold_and_factor_against_dense_matrices():
    rng = np.random.default_rng(7)
    for d in (1, 3, 5):
        X, w_star, m = rng.standard_t(5, (60, d)), rng.standard_normal(d), 3
        population = cn.planted_relu_rows.Population(X, w_star)
        eye, H = np.eye(d), population.H
        fourth = sum(np.kron(np.outer(x, x), np.outer(x, x)) for x in X[X @ w_star > 0]) * 4 / 60
        S, L = (1 - 1 / m) * np.kron(H, H) + fourth / m, np.kron(H, eye) + np.kron(eye, H)
        limit = 1 / np.abs(np.linalg.eigvals(np.linalg.solve(L, S))).max()
        assert population.threshold(m) == pytest.approx(limit, rel=1e-8)
        assert population.factor(limit, m) == pytest.approx(1.0, rel=1e-8)
        wanted = np.abs(np.linalg.eigvals(np.eye(d * d) - 0.3 * limit * L + (0.3 * limit) ** 2 * S)).max()
        assert population.factor(0.3 * limit, m) == pytest.approx(wanted, rel=1e-8) and wanted < 1
    X = rng.standard_normal((200_000, 3))  # Gaussian rows: 2/A
    found = cn.planted_relu_rows.Population(X, np.ones(3)).threshold(4)
    assert found == pytest.approx(2.0 / law.amplification(3, 4), rel=0.02)


def test_table_kernel_is_run_on_the_same_rows():
    rng = np.random.default_rng(8)
    for d in (3, 4):
        X, w_star = rng.standard_normal((40, d)), rng.standard_normal(d)
        fit = cn.planted_relu_table.fit(X, w_star, step=0.1, batch=5, rng=np.random.default_rng(9), most=100)
        w = planted.start(X, planted.labels(X, w_star))
        for at in np.random.default_rng(9).integers(0, 40, (100, 5)):
            w = w - 0.1 * naive_gradient(w, X[at], np.maximum(X[at] @ w_star, 0))
        np.testing.assert_allclose(fit.w, w, rtol=1e-9)
        assert fit.steps == 100 and fit.square == pytest.approx(((w - w_star) ** 2).sum() / (w_star @ w_star))
    X = rng.standard_normal((8, 8)) * np.where(np.arange(8) < 7, 1.0, 0.0)[:, None]  # never 8 active rows
    assert not cn.planted_relu_table.fit(X, w_star=np.ones(8), step=0.05, batch=4, rng=rng).fitted


class Batched:
    """Any function of all vectors at once."""

    batched = True

    def __init__(self, function):
        self.quantise = function


class Short:
    """Inputs with a column too few."""

    dim = 3

    def draw(self, rng, runs, batch):
        return rng.standard_normal((runs, batch, 2))


def zeroed(v, rng):
    v[:] = 0.0
    return v


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda v, rng: v[..., :1], "must return shape .*, got "),
        (lambda v, rng: 1.0, r"must return shape .*, got \(\)"),
        (lambda v, rng: v + 0j, "must return floats, got dtype complex128"),
        (lambda v, rng: np.zeros(v.shape, dtype=int), "must return floats, got dtype int64"),
        (lambda v, rng: v * np.nan, "must be finite, got"),
        (lambda v, rng: v / np.linalg.norm(v), r"quantise\(0, rng\) must be finite"),
        (lambda v, rng: None, "must return floats, got NoneType"),
        (lambda v, rng: "all of it", "must return floats, got str"),
        (lambda v, rng: [[1.0], [1.0, 2.0]], "must return floats for a vector"),
        (lambda v: v, "got TypeError: .*takes 1 positional argument"),
        (zeroed, "must not write to v"),
    ],
)
def test_a_quantiser_is_checked_before_the_first_step(function, words):
    """Also one that takes all vectors at once, whose result would be broadcast."""
    g, rng = np.ones((4, 3)), np.random.default_rng(1)
    start = {"step": 0.1, "batch": 4, "horizon": 2, "rng": rng}
    for quantiser in (function, Batched(function)):
        for call in (
            lambda q: planted.run(planted.Gaussian(3), np.ones(3), np.zeros((2, 3)), **start, quantiser=q),
            lambda q: cn.qsgd.weighted_variance(q, g, rng),
        ):
            state = rng.bit_generator.state
            with pytest.raises(ValueError, match=words) as error:
                call(quantiser)
            assert "\n" not in str(error.value) and rng.bit_generator.state == state
    assert (g == 1.0).all()


def test_a_quantiser_that_fails_later_is_told_from_a_step_too_large():
    class Late:
        calls = 0

        def quantise(self, v, rng):
            self.calls += 1
            return v * (np.nan if self.calls > 8 else 1.0)

    ok = {"batch": 4, "horizon": 20, "rng": np.random.default_rng(1)}
    for step, quantiser, words in (
        (0.1, Late(), r"quantise\(v, rng\) must be finite"),
        (1e30, cn.qsgd.Quantiser(2), r"step must be small enough .* got 1e\+30"),
        (0.1, cn.qsgd.Quantiser, "quantiser must be an object, .* got the class Quantiser"),
    ):
        with pytest.raises(ValueError, match=words):
            planted.run(planted.Gaussian(3), np.ones(3), np.zeros((2, 3)), step=step, quantiser=quantiser, **ok)


def test_what_is_refused():
    rng = np.random.default_rng(1)
    X, ok = rng.standard_normal((30, 3)), {"step": 0.1, "batch": 4, "horizon": 2, "rng": rng}
    rows, w_star, w = planted.Rows(X), np.ones(3), np.zeros((2, 3))
    refused = [
        (lambda: planted.run(rows, np.zeros(3), w, **ok), "w_star must not be 0"),
        (lambda: planted.run(rows, np.ones(4), w, **ok), "w_star must have 3 components, got 4"),
        (lambda: planted.run(rows, w_star, np.zeros(3), **ok), "w must have 2"),
        (lambda: planted.run(rows, w_star, w, **ok, workers=3), "batch must be a multiple of workers = 3, got 4"),
        (lambda: planted.run(rows, w_star, w, **ok | {"step": 0.0}), "step must lie in"),
        (lambda: planted.run(rows, w_star, w, **ok, quantiser=lambda v, rng: v[:2]), "must return shape"),
        (lambda: planted.run(rows, w_star, w, **ok, quantiser=lambda v, rng: v * np.nan), "must be finite"),
        (lambda: planted.run(rows, w_star, w, **ok, quantiser=3), "quantiser must be a function"),
        (lambda: planted.run(rows, w_star, w[:0], **ok), r"shape \(runs, 3\) with runs >= 1, got \(0, 3\)"),
        (lambda: planted.run(rows, w_star, w + 1e200, **ok), r"w must have components in \(-1e99, 1e99\), got 1e\+200"),
        (lambda: planted.run(planted.Gaussian, w_star, w, **ok), "inputs must have dim and draw"),
        (lambda: planted.run(Short(), w_star, w, **ok), r"shape \(2, 4, 3\), got float64 of shape \(2, 4, 2\)"),
        (lambda: planted.run(rows, w_star, w, **ok | {"rng": None}), "rng must be a numpy.*Generator, got NoneType"),
        (lambda: planted.run(rows, w_star, w, **ok | {"horizon": 10**12}), r"at most 1e\+08, .*got 2e\+12"),
        (lambda: planted.run(rows, w_star, w, **ok | {"batch": 10**9}), r"runs \* batch \* dim must be at most 1e\+08"),
        (lambda: planted.Rows(X * 1e200), r"rows must have its largest component in \[1e-30, 1e\+30\], got 2"),
        (lambda: cn.planted_relu_rows.Population(X * 1e-200, w_star), "rows must have its largest component in"),
        (lambda: cn.planted_relu_rows.Population(np.ones((2000, 1500)), np.ones(1500)), r"n d\^2 <= 2e\+09"),
        (lambda: planted.run(rows, w_star * 1e300, w, **ok), r"w_star must have its largest component .* 1e\+300"),
        (lambda: cn.planted_relu_table.fit(X * 1e200, w_star, step=0.1, batch=2, rng=rng), "X must have its largest"),
        (lambda: planted.run(rows, w_star, w, **ok | {"step": 1e30, "horizon": 9}), "step must be small enough"),
        (lambda: planted.Rows(np.zeros((4, 2))), "all gradients are zero"),
        (lambda: planted.Rows([[1.0, math.nan]]), "rows must be finite"),
        (lambda: planted.Gaussian(0), "dim must"),
        (lambda: law.stable(0.5, 4.0), "stability threshold 2/A = 0.5, got 0.5"),
        (lambda: law.floor(1.9, 3, 2, 1.0), "stability threshold"),
        (lambda: law.mean_gradient(np.zeros(3), w_star), "w must not be 0"),
        (lambda: law.square_after(np.ones(4), w_star, 0.1, 2), "w_star must have 4 components, got 3"),
        (lambda: planted.labels(X, w_star, 0.1), "rng must be a numpy.*Generator where there is noise, got NoneType"),
        (lambda: cn.planted_relu_rows.Population(X, w_star).squares(np.ones(4), 0.1, 2, 3), "h must have 3 comp"),
        (lambda: cn.planted_relu_table.fit(X, w_star, step=0.1, batch=2, rng=rng, target=1.0), "target must lie in"),
        (lambda: cn.planted_relu_rows.Population(X[:2], w_star), "got 2 rows"),
        (lambda: cn.planted_relu_rows.Population(X[:, :2] @ np.ones((2, 3)), w_star), "full rank 3"),
        (lambda: cn.planted_relu_table.fit(-np.abs(X), w_star, step=0.1, batch=2, rng=rng), "all gradients are zero"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words) as error:
            call()
        assert "\n" not in str(error.value)
