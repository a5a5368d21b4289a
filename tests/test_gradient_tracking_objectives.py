"""Objectives of gradient tracking: logistic regression, oracles, functions of the users, far optima, bad input."""

import numpy as np
import pytest

import chaosnum as cn

D, L, O, T = cn.digraphs, cn.gradient_tracking_law, cn.gradient_tracking_objectives, cn.gradient_tracking


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
    for one in (two, own):
        x, seeds = np.ones((one.agents, 5, one.dim)), (np.random.default_rng(3), np.random.default_rng(3))
        loud = one.with_noise(2.0)
        single, double = (o.noisy(x, o.draw(r, 5)) - one.gradient(x) for o, r in zip((one, loud), seeds))
        np.testing.assert_allclose(double, 2 * single, atol=1e-12)


def test_functions_of_ones_own():
    c = np.array([-1.0, 0.5, 2.0])

    def gradients(x):
        return np.sinh(x - c[:, None, None])

    own = O.smooth(gradients, lambda x: np.cosh(x - c)[:, None, None], agents=3, dim=1, noise=0.1)
    assert np.sinh(own.optimum - c).sum() == pytest.approx(0.0, abs=1e-12)
    graphs = D.random(3, 2, seed=1)
    errors = T.errors(own, graphs, 0.05, 1000, start=np.zeros((3, 1)))
    assert T.fitted_rate(errors, 2) == pytest.approx(L.rate(own, graphs, 0.05), rel=1e-4)


@pytest.mark.parametrize("dim", [1, 2])
def test_centred_quadratics_are_the_same_but_for_the_origin(dim):
    rng = np.random.default_rng(2)
    roots = rng.standard_normal((4, dim, dim))
    H, c = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(dim), rng.standard_normal((4, dim))
    near, far = O.quadratics(H, c, 0.3), O.quadratics(H, c + 1e6, 0.3)
    graphs, e = D.random(4, 2, seed=1), rng.standard_normal((4, 5, dim))
    for own in (near.centred(), far.centred()):
        assert not own.optimum.any() and own.linear
        np.testing.assert_allclose(own.gradient(e), near.gradient(near.optimum + e), atol=1e-8)
    assert far.spread == pytest.approx(near.spread, rel=1e-6)
    start = 0.1 * e[:, 0]
    left = [T.errors(own, graphs, 0.05, 4000, start=own.optimum + start)[-1] for own in (far, far.centred())]
    assert left[0] > 1e-12 > 1e-14 > left[1]  # round-off is that of the distance from 0, and of the spread
    paths = [T.iterate(own, graphs, 0.05, seed=3, start=own.optimum + start) for own in (near, near.centred())]
    noisy = [[next(path) for _ in range(8)] for path in paths]
    np.testing.assert_allclose(np.array(noisy[0]) - near.optimum, noisy[1], atol=1e-13)
    assert np.abs(noisy[1][-1] - start[:, None]).max() > 0.01
    loud = near.with_noise(3.0).centred()
    xi = loud.draw(np.random.default_rng(1), 5)
    np.testing.assert_allclose(xi, 3.0 * near.draw(np.random.default_rng(1), 5))
    np.testing.assert_allclose(loud.noisy(e, xi) - loud.gradient(e), xi, atol=1e-13)
    with pytest.raises(ValueError, match="centres must have an optimum within about 1e9 spreads of 0"):
        O.quadratics(H, c + 1e13, 0.3).centred()
    assert O.quadratics(H, np.full((4, dim), 1e6 / 3)).spread == 1.0  # they agree, up to round-off


def writes(x):
    x *= 2.0
    return x


def ones(x):
    return np.ones((3, 1, 1))


def by_all(x):
    return x - x.mean(axis=1, keepdims=True) + 1.0


def test_functions_are_tried_before_they_are_used():
    refused = [
        (None, ones, "gradients must be a function of x, got None"),
        (lambda x: x, None, "hessians must be a function of x, got None"),
        (writes, ones, "gradients must not write to x"),
        (lambda x: x, lambda x: writes(x + 1.0) * 0 + ones(writes(x)), "hessians must not write to x"),
        (lambda: 1.0, ones, r"gradients must accept x of shape .3, 2, 1., got TypeError"),
        (lambda x: 1 / 0, ones, "gradients must accept x .* got ZeroDivisionError: division by zero"),
        (lambda x: x * np.nan, ones, "the result of gradients must be finite, got 6 NaN"),
        (lambda x: x + 1j, ones, "the result of gradients must be an array of finite numbers, got dtype complex"),
        (lambda x: x[:1], ones, "gradients must return the shape of x"),
        (by_all, ones, "gradients must treat replicas"),
        (lambda x: x, lambda x: np.zeros((3, 1, 1)), "hessians must have a positive definite sum"),
        (lambda x: x, lambda x: np.ones((3, 1)), r"hessians must return shape .3, 1, 1., got .3, 1."),
        (lambda x: x, lambda x: np.nan * ones(x), "the result of hessians must be finite"),
    ]
    for gradients, hessians, words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            O.smooth(gradients, hessians, agents=3, dim=1)
        assert "\n" not in str(caught.value)


def turned(ridge):
    """Gradients and Hessians of three agents in R^2, flat along (1, 1) but for the ridge."""
    c = np.random.default_rng(3).standard_normal((3, 2))
    turn, size = np.array([[1.0, 1.0], [-1.0, 1.0]]) * 0.5**0.5, np.array([1e-3, 1.0])

    def gradients(x):
        return (size * np.sinh((x - c[:, None]) @ turn.T)) @ turn + ridge * x

    def hessians(x):
        return np.einsum("kd,ik,ke->ide", turn, size * np.cosh((x - c) @ turn.T), turn) + ridge * np.eye(2)

    return gradients, hessians


def test_hessians_are_compared_with_gradients():
    c = np.array([-1.0, 0.5, 2.0])

    def smooth(gradients, hessians, dim=1):
        return O.smooth(gradients, hessians, agents=3, dim=dim)

    def bent(scale=1.0, shift=0.0, factor=1.0):
        """u + tanh(u), u = (x - centre) / scale, and its derivative times a factor."""

        def along(x):
            return (x - shift) / scale - c[:, None, None]

        return (lambda x: along(x) + np.tanh(along(x)),
                lambda x: factor * (2.0 - np.tanh(along(x)) ** 2) / scale)  # fmt: skip

    for scale, shift in ((1.0, 0.0), (1e-4, 0.0), (1e5, 0.0), (1.0, 1e6), (1e-3, 1.0)):
        assert not smooth(*bent(scale, shift)).linear
    smooth(lambda x: x - c[:, None, None] + 1e-5 * np.sin(1e4 * x), lambda x: (1 + 0.1 * np.cos(1e4 * x)) * ones(x))
    smooth(*turned(1e-3), dim=2)
    smooth(lambda x: x - np.array([0.0, 0.0, 5.0])[:, None, None], ones)
    smooth(lambda x: np.arctanh(x) * np.ones((3, 1, 1)), lambda x: ones(x) / (1 - x[0] ** 2))  # all at their optimum
    for factor, words in ((2.0, "off by 0.5 of"), (1.01, "off by 0.0099 of"), (0.99, "off by 0.0101 of")):
        with pytest.raises(ValueError, match=f"hessians must be the derivatives of the gradients .* {words}"):
            smooth(*bent(factor=factor))
    with pytest.raises(ValueError, match="hessians must be the derivatives"):
        smooth(turned(2e-3)[0], turned(1e-3)[1], dim=2)
    one = np.array([1.0, 1.0, 1.01])[:, None, None]  # one agent's alone
    with pytest.raises(ValueError, match="hessians must be the derivatives"):
        smooth(*bent(factor=one))


def test_a_function_may_return_one_buffer():
    buffer, c = {}, np.array([-1.0, 0.5, 2.0])[:, None, None]

    def gradients(x):
        out = buffer.setdefault(x.shape, np.empty(x.shape))
        return np.subtract(x, c, out=out)

    own, graphs = O.smooth(gradients, ones, agents=3, dim=1), D.random(3, 2, seed=1)
    twin = O.quadratics(np.ones(3), c[:, 0, 0])
    a, b = (T.errors(o, graphs, 0.05, 200, start=np.zeros((3, 1))) for o in (own, twin))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)


def test_what_is_refused():
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
        (lambda: O.quadratics(eye, np.zeros((3, 2)), 1e-12 * (eye + np.eye(2, k=1))), "noise must be symmetric"),
        (lambda: O.logistic(X, y + 1, 0.1, 4), "y must be one label"),
        (lambda: O.logistic(X, y, 0.0, 4), "ridge must"),
        (lambda: O.logistic(X, y, 0.1, 40), "two rows or more"),
        (lambda: O.smooth(lambda x: x[:1], None, agents=3, dim=1), "gradients must return the shape"),
        (lambda: O.smooth(lambda x: x * np.nan, lambda x: np.ones((3, 1, 1)), agents=3, dim=1), "must be finite"),
        (
            lambda: O.smooth(lambda x: np.exp(x), lambda x: np.tile(np.exp(x), (3, 1))[:, :, None], agents=3, dim=1),
            "must have an optimum",
        ),
        (lambda: O.smooth(lambda x: x, lambda x: np.ones((2, 1, 1)), agents=3, dim=1), "hessians must return shape"),
        (lambda: O.smooth(lambda x: x, None, agents=3, dim=1, start=[0.0, 1.0]), "start must have shape"),
        (lambda: O.quadratics([1.0, 1.0], [1.0, 0.0], 1e200), "noise must lie in"),
        (lambda: O.logistic(X, (y + 1) / 2, 0.1, 4), "y must be one label -1 or 1 for each row, got 0"),
        (lambda: O.logistic(X, y[:-1], 0.1, 4), "for each of 60 rows, got shape"),
        (lambda: O.logistic(X[:, :0], y, 0.1, 4), "X must have one column or more"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
