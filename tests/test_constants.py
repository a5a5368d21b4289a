"""Bounds against the recursions they solve and systems they must cover; constants against data."""

import numpy as np
import pytest

from chaosnum import bounds, constants, limit, moments


def cms(rng, alpha, size):
    """Textbook Chambers-Mallows-Stuck, alpha != 1."""
    u = rng.uniform(-np.pi / 2, np.pi / 2, size)
    w = rng.exponential(size=size)
    ratio = np.cos((1 - alpha) * u) / w
    return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * ratio ** ((1 - alpha) / alpha)


def euler(theta, noise, eta, K, m=None):
    """Bed K, (systems, n): every state; the system itself, or limit copies on a given flow."""
    path = [theta]
    for k, xi in enumerate(noise):
        cosine, sine = np.cos(theta), np.sin(theta)
        if m is None:
            m_c, m_s = cosine.mean(axis=1, keepdims=True), sine.mean(axis=1, keepdims=True)
        else:
            m_c, m_s = m[0][k], m[1][k]
        theta = theta + eta * K * (m_s * cosine - m_c * sine) + xi
        path.append(theta)
    return np.array(path)


# --- C2 -------------------------------------------------------------------------------------


def _recursion(n, steps, eta, A, D):
    u = 0.0
    for _ in range(steps):
        u += eta * ((A + D) * u + D / np.sqrt(n))
    return u


@pytest.mark.parametrize("A, D", [(1.0, 1.0), (2.0, 0.3), (0.0, 1.5)])
def test_chaos_bound_is_the_limit_of_its_recursion(A, D):
    T, n = 1.5, 50
    whole = bounds.chaos_bound(n, T, A, D)
    for steps in (1, 10, 10_000):
        step = _recursion(n, steps, T / steps, A, D)
        assert step < whole
        assert np.isclose(bounds.chaos_bound(n, T, A, D, eta=T / steps), step, rtol=1e-10)
        path = bounds.chaos_bound_path(n, T / steps, np.full(steps, A), D, D)
        assert path.shape == (steps + 1,) and np.isclose(path[-1], step, rtol=1e-10)
    assert step > 0.999 * whole
    wrong = D * np.expm1(max(A, D) * T) / (max(A, D) * np.sqrt(n))  # A or D left out
    assert A == 0.0 or step > 1.05 * wrong


def test_reference_value_and_vacuity():
    assert np.isclose(bounds.chaos_bound(100, 1.0, 1.0, 1.0) * 10, 3.19, atol=0.005)
    assert bounds.trivial_bound(1.0, 1.0) == 2.0
    assert bounds.is_vacuous(bounds.chaos_bound(2, 1.0, 1.0, 1.0), 1.0, 1.0)
    assert not bounds.is_vacuous(bounds.chaos_bound(100, 1.0, 1.0, 1.0), 1.0, 1.0)
    assert bounds.is_vacuous(np.inf, 1.0, 1.0)
    assert bounds.chaos_bound(10, 1.0, np.inf, np.inf) == np.inf
    assert bounds.chaos_bound(10, 1e4, 1.0, 1.0) == np.inf  # overflow, no warning
    assert bounds.chaos_bound(10, 1.0, 0.0, 0.0) == 0.0
    assert bounds.euler_bound(0.1, 1.0, 1.5, 1.0, 0.0, 0.0, 1.7) == 0.0


@pytest.mark.parametrize("alpha", [1.3, 1.8])
def test_chaos_bounds_cover_bed_K(alpha):
    """Mean and root mean square of the max over particles, and every bound in its order."""
    K, steps, n, systems = 1.0, 20, 64, 300
    eta = 1.0 / steps
    rng = np.random.default_rng(3)
    m = limit.kuramoto_euler_flow(alpha, 1.0, K, eta, steps)
    start = rng.normal(0.5, 1.0, (systems, n))
    noise = eta ** (1 / alpha) * cms(rng, alpha, (steps, systems, n))
    gap = np.abs(euler(start, noise, eta, K) - euler(start, noise, eta, K, m)).max(axis=(0, 2))
    c, length = constants.kuramoto_constants(K, m), np.hypot(*m)[:-1]
    sharp = bounds.chaos_bound_path(n, eta, K * length, K, K * np.sqrt(1 - length**2))[-1]
    fine = bounds.chaos_bound_fine(n, 1.0, c.a, c.d1, c.d0)
    coarse = bounds.chaos_bound(n, 1.0, c.A, c.D)
    seen = np.sqrt(np.mean(gap**2))
    assert gap.mean() <= seen < sharp < fine < coarse < bounds.trivial_bound(c.sup_b, 1.0)
    assert seen > sharp / 10  # the bound is of the right size


def test_average_of_copies_fluctuates_as_stated():
    """E|mean h - m|^2 n = 1 - |m|^2, which d0 of bed K rests on; at 5.5 sd of a mean of squares."""
    rng = np.random.default_rng(4)
    theta = rng.normal(0.5, 1.0, (20_000, 16))
    m = np.exp(0.5j - 0.5)
    square = 16 * np.abs(np.exp(1j * theta).mean(axis=1) - m) ** 2
    error = 5.5 * square.std() / np.sqrt(len(square))
    assert abs(square.mean() - (1 - np.abs(m) ** 2)) < error
    assert abs(square.mean() - 1.0) > error


# --- C3 -------------------------------------------------------------------------------------


def test_euler_bound_is_the_limit_of_its_recursion():
    alpha, sigma, A, D, T, norm = 1.5, 0.8, 1.2, 0.7, 1.0, moments.mean_norm("I", 1.5)
    for steps, ratio in ((4, 3), (256, 64)):
        eta = T / steps
        inner = np.arange(ratio) * eta / ratio  # left end points of the fine steps
        local = np.mean(A * inner + sigma * norm * inner ** (1 / alpha))
        u = 0.0
        for _ in range(steps):
            u += eta * (A + D) * (u + local)
        bound = bounds.euler_bound(eta, T, alpha, sigma, A, D, norm)
        assert u < bound
    assert u > 0.97 * bound
    no_drift = bounds.euler_bound(eta, T, alpha, sigma, A, D, norm, sup_b=0.0)
    assert u > 0.97 * no_drift and no_drift < bound
    assert u > 1.2 * no_drift * (1 / (1 + alpha)) / (alpha / (alpha + 1))  # a wrong factor


@pytest.mark.parametrize("alpha", [1.3, 1.8])
def test_euler_bounds_cover_bed_K(alpha):
    K, ratio, n, systems = 1.0, 16, 40, 100
    rng = np.random.default_rng(8)
    norm = moments.mean_norm("I", alpha)
    for steps in (8, 32):
        eta = 1.0 / steps
        fine = (eta / ratio) ** (1 / alpha) * cms(rng, alpha, (steps * ratio, systems, n))
        start = rng.normal(0.5, 1.0, (systems, n))
        path = euler(start, fine, eta / ratio, K)[::ratio]
        rough = euler(start, fine.reshape(steps, ratio, systems, n).sum(axis=1), eta, K)
        error = np.abs(path - rough).max(axis=0)
        mean = bounds.euler_bound(eta, 1.0, alpha, 1.0, K, K, norm)
        most = bounds.euler_bound_max(n, eta, 1.0, alpha, 1.0, K, K, norm)
        assert mean / 300 < error.mean() < mean < most
        assert error.max(axis=1).mean() < min(most, bounds.trivial_bound(K, 1.0))


def test_maximal_inequality_behind_the_max():
    """E max_i S_i of capped local errors, against mean + Bernstein; the mean alone does not do."""
    alpha, n, steps, eta, B = 1.2, 2000, 64, 1 / 64, 1.0
    rng = np.random.default_rng(9)
    most, mean = [], []
    for _ in range(10):
        jump = eta ** (1 / alpha) * np.abs(cms(rng, alpha, (steps, n)))
        total = eta * np.minimum(B * jump, 2 * B).sum(axis=0)
        most.append(total.max())
        mean.append(total.mean())
    average, v = np.mean(mean), 2 * B * eta * np.mean(mean)
    bound = average + np.sqrt(2 * v * np.log(n)) + 2 / 3 * B * eta * np.log(n)
    assert 0.3 * bound < np.mean(most) < bound
    assert np.mean(most) > 2 * average
    # n enters by its logarithm, eta by the power 1/alpha
    args = (1.0, 1.5, 1.0, 1.0, 1.0, 1.7)
    few, many = (bounds.euler_bound_max(k, 1e-3, *args) for k in (100, 10_000))
    assert few < many < 2.0 * few
    far, near = (bounds.euler_bound_max(100, e, *args) for e in (1e-12, 1e-15))
    assert abs(np.log10(far / near) / 3 - 1 / 1.5) < 0.01


# --- the noise ------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1.05, 1.3, 1.7, 2.0])
def test_mean_norm_by_gaussian_projection(alpha):
    """E|<g, X>| = sqrt(2/pi) E|X|; given g, Type II makes <g, X> SaS of scale |g|_alpha."""
    for p in (1, 2, 7):
        g = np.abs(np.random.default_rng(p).standard_normal((200_000, p)))
        length = np.sum(g**alpha, axis=1) ** (1 / alpha)
        factor = np.sqrt(np.pi / 2) * moments.mean_norm("I", alpha)
        error = 5.5 * factor * length.std() / np.sqrt(len(g))
        found = moments.mean_norm("II", alpha, p)
        assert abs(found - factor * length.mean()) < error
        if p == 7:
            assert abs(found - moments.mean_norm("I", alpha, p)) > error
            assert found <= p * moments.mean_norm("I", alpha)
    exact = 2 / np.pi * moments.gamma(1 - 1 / alpha)
    assert np.isclose(moments.mean_norm("I", alpha, 9), 3 * exact, rtol=1e-12)


def test_quadrature_of_type_two_is_exact_where_it_is_known():
    for alpha in (0.6, 1.5, 2.0):
        for q in (0.2, 0.5):
            ours = moments._independent_moment(q, alpha, 1)
            assert np.isclose(ours, moments.norm_moment(q, "I", alpha), rtol=1e-11)
    gauss = moments.norm_moment(1.0, "III", 2.0, 5)
    assert np.isclose(moments.norm_moment(1.0, "II", 2.0, 5), gauss, rtol=1e-11)
    chi = np.sqrt(2) * np.sqrt(2) * moments.gamma(3.0) / moments.gamma(2.5)  # N(0, 2 I_5)
    assert np.isclose(gauss, chi, rtol=1e-12)


def test_moment_of_order_half_by_simulation():
    alpha, p = 1.5, 4
    x = cms(np.random.default_rng(1), alpha, (200_000, p))
    root = np.sqrt(np.sqrt(np.sum(x**2, axis=1)))
    error = 5.5 * root.std() / np.sqrt(len(root))
    assert abs(root.mean() - moments.norm_moment(0.5, "II", alpha, p)) < error
    assert abs(root.mean() - moments.norm_moment(0.5, "III", alpha, p)) > error


@pytest.mark.parametrize("kind", moments.KINDS)
@pytest.mark.parametrize("alpha", [0.8, 1.5, 1.9])
def test_tail_constant_is_the_residue_of_the_moments(kind, alpha):
    """(alpha - q)/q E|X|^q -> C as q -> alpha; the linear term is taken out."""
    for p in (1, 3):
        one, two = (
            d / (alpha - d) * moments.norm_moment(alpha - d, kind, alpha, p) for d in (1e-4, 2e-4)
        )
        constant = moments.tail_constant(kind, alpha, p)
        assert np.isclose(2 * one - two, constant, rtol=1e-5)
        one_side = np.sin(np.pi * alpha / 2) * moments.gamma(alpha) / np.pi
        assert p > 1 or np.isclose(constant, 2 * one_side, rtol=1e-12)
        assert p == 1 or not np.isclose(2 * one - two, 2 * one_side, rtol=0.05)
    assert moments.tail_constant(kind, 2.0, 3) == 0.0


# --- the beds -------------------------------------------------------------------------------


def test_reference_constants_of_the_network():
    X = np.random.default_rng(0).standard_normal((40, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    c = constants.network_constants(X)
    assert np.allclose([c.a, c.d1, c.d0], [1.5396, 0.5, 0.35355], atol=1e-4)
    assert c.within and c.reason == ""
    assert np.all(np.array([c.A, c.D, c.A]) >= [c.a, c.d1, c.sup_b])
    assert np.isclose(c.sup_b, np.sqrt(2))
    assert constants.network_constants(X, on_range=True).a < 0.74 * c.a
    twice = constants.network_constants(X, outer=2.0)
    assert np.isclose(twice.a, 2 * c.a) and np.isclose(twice.d0, 4 * c.d0)
    long = constants.network_constants(30 * X)
    astronomical = bounds.chaos_bound_fine(10**9, 1.0, long.a, long.d1, long.d0)
    assert bounds.is_vacuous(astronomical, long.sup_b, 1.0)


def _network(act, outer):
    """Unit h(theta; x) of one input and its parameters' number, for finite differences."""
    squash = np.tanh if act == "tanh" else lambda z: 1 / (1 + np.exp(-z))

    def unit(theta, x):
        z = theta[..., :2] @ x + theta[..., 2]
        return squash(z) * (np.tanh(theta[..., 3]) if outer else 1.0)

    return unit, 4 if outer else 3


@pytest.mark.parametrize("act", ["tanh", "sigmoid"])
@pytest.mark.parametrize("outer", [None, "tanh"])
def test_bounds_of_a_unit_by_finite_differences(act, outer):
    rng, step = np.random.default_rng(6), 1e-3
    unit, size = _network(act, outer)
    for x in rng.standard_normal((3, 2)):
        length = np.array([np.sqrt(x @ x + 1)])
        top, slope, bend, _ = (b[0] for b in constants._unit(length, act, outer))
        theta = rng.normal(0.0, 1.5, (4000, size))
        if outer:
            theta[::2, 3] = 30.0  # a saturated outer weight
        e = step * np.eye(size)
        grad = np.stack([unit(theta + d, x) - unit(theta - d, x) for d in e], -1) / (2 * step)
        hess = np.empty((len(theta), size, size))
        for i in range(size):
            for j in range(size):
                corners = [
                    s * t * unit(theta + s * e[i] + t * e[j], x) for s in (1, -1) for t in (1, -1)
                ]
                hess[:, i, j] = sum(corners) / (4 * step**2)
        steepest = np.linalg.norm(grad, axis=1).max()
        bent = np.linalg.norm(hess, ord=2, axis=(1, 2)).max()
        assert 0.95 * top < np.abs(unit(theta, x)).max() <= top
        assert 0.95 * slope < steepest <= slope * (1 + 1e-5)
        assert (0.5 if outer else 0.95) * bend < bent <= bend * (1 + 1e-5)


def test_drift_of_the_network_respects_its_constants():
    """|b| <= sup_b, |b(theta) - b(theta')| <= a |theta - theta'|, and d1 when the measure moves."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((12, 2)), np.where(rng.random(12) < 0.5, -1.0, 1.0)
    lengthened = np.column_stack([X, np.ones(12)])
    c = constants.network_constants(X, y=y)

    def drift(theta, others):
        f = np.tanh(others @ lengthened.T).mean(axis=0)
        first = -y / (1 + np.exp(y * f))
        return -np.mean(first * (1 - np.tanh(lengthened @ theta) ** 2) * lengthened.T, axis=1)

    top = np.zeros(3)
    for _ in range(500):
        theta, others = rng.normal(0, 0.7, 3), rng.normal(0, 0.7, (3, 3))
        move, moves = 0.01 * rng.standard_normal(3), 0.01 * rng.standard_normal((3, 3))
        b = drift(theta, others)
        far = np.linalg.norm(moves, axis=1).mean()
        ratios = (
            np.linalg.norm(b) / c.sup_b,
            np.linalg.norm(drift(theta + move, others) - b) / np.linalg.norm(move) / c.a,
            np.linalg.norm(drift(theta, others + moves) - b) / far / c.d1,
        )
        top = np.maximum(top, ratios)
    assert np.all(top <= 1.0) and np.all(top > 0.02)


@pytest.mark.parametrize("kind", moments.KINDS)
def test_projected_mean_norm(kind):
    """One row: the mean of |<noise, x>| / |x| at alpha = 2, sampled; below E|X|, equal at p = 1."""
    rng, x = np.random.default_rng(13), np.array([0.3, -0.2, 0.9])
    g = np.sqrt(2.0) * rng.standard_normal((100_000, 4))
    noise = g[:, :1] * np.ones(4) if kind == "I" else g  # Types II and III agree at alpha = 2
    seen = np.abs(noise @ np.append(x, 1.0)) / np.sqrt(x @ x + 1)
    found = constants.projected_mean_norm(x[None], kind, 2.0)
    assert abs(found - seen.mean()) < 5.5 * seen.std() / np.sqrt(len(seen))
    for alpha in (1.2, 1.7):
        part = constants.projected_mean_norm(rng.standard_normal((9, 5)), kind, alpha)
        assert part < moments.mean_norm(kind, alpha, 6)
        alone = constants.projected_mean_norm([[2.0]], kind, alpha, bias=False)
        assert np.isclose(alone, moments.mean_norm(kind, alpha))


def test_euler_bound_covers_a_network_with_the_projected_norm():
    """Type II, tanh, logistic, unit norm: a simulated mean over particles and systems."""
    rng, alpha, steps, ratio, n, d = np.random.default_rng(14), 1.6, 8, 16, 20, 15
    X, y = rng.standard_normal((10, d)), np.where(rng.random(10) < 0.5, -1.0, 1.0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    rows, eta = np.column_stack([X, np.ones(10)]), 1.0 / steps
    theta = rough = rng.standard_normal((30, n, d + 1))

    def move(theta, step):
        unit = np.tanh(theta @ rows.T)
        slope = -y / (1 + np.exp(y * unit.mean(axis=1, keepdims=True)))
        return theta - step * ((slope * (1 - unit**2)) @ rows) / 10

    worst = 0.0
    for _ in range(steps):
        xi = 0.5 * (eta / ratio) ** (1 / alpha) * cms(rng, alpha, (ratio, *theta.shape))
        for part in xi:
            theta = move(theta, eta / ratio) + part
        rough = move(rough, eta) + xi.sum(axis=0)
        worst = max(worst, np.linalg.norm(theta - rough, axis=2).mean())
    c = constants.network_constants(X, y)
    norms = constants.projected_mean_norm(X, "II", alpha), moments.mean_norm("II", alpha, d + 1)
    near, far = (
        bounds.euler_bound(eta, 1.0, alpha, 0.5, c.a, c.d1, norm, sup_b=c.sup_b) for norm in norms
    )
    assert worst < near < far / 2


def test_models_outside_the_assumptions_are_flagged():
    X, y = np.eye(3), np.array([0.5, -2.0, 1.0])
    relu = constants.network_constants(X, act="relu")
    assert not relu.within and relu.A == relu.D == relu.a == relu.d0 == np.inf
    assert "ReLU" in relu.reason
    assert bounds.chaos_bound(10**6, 1.0, relu.A, relu.D) == np.inf
    square = constants.network_constants(X, y=y, loss="square", act="sigmoid")
    assert not square.within and "range" in square.reason and np.isfinite(square.D)
    slope, phi = np.sqrt(2) / 4, np.mean(1 + np.abs(y))
    assert np.isclose(square.A, phi) and np.isclose(square.sup_b, phi * slope)
    both = constants.network_constants(X, loss="square", act="relu")
    assert "ReLU" in both.reason and "square" in both.reason and both.sup_b == np.inf
    assert constants.network_constants(X, loss="huber").within


def test_constants_of_bed_L():
    """mean_b covers E|b| of a simulated system at alpha = 2; d0 is finite there alone."""
    lam, chi, sigma, T, steps, n = 0.5, 1.0, 0.8, 1.0, 20, 3
    c = constants.linear_constants(lam, chi, 2.0, sigma, T, mean0=1.0)
    rng = np.random.default_rng(12)
    theta, worst = np.ones((5000, n)), 0.0
    for _ in range(steps + 1):
        b = -lam * theta - chi * (theta - theta.mean(axis=1, keepdims=True))
        worst = max(worst, np.abs(b).mean())
        theta = theta + T / steps * b
        theta += sigma * np.sqrt(2 * T / steps) * rng.standard_normal(theta.shape)
    assert c.mean_b / 10 < worst < c.mean_b
    assert np.isfinite(c.d0) and c.sup_b == np.inf and not c.within
    heavy = constants.linear_constants(lam, chi, 1.5, sigma, T)
    assert heavy.d0 == np.inf and np.isfinite(heavy.mean_b)
    assert (heavy.a, heavy.d1) == (1.5, 1.0)
    assert constants.linear_constants(lam, chi, 1.0, sigma, T).mean_b == np.inf


@pytest.mark.parametrize(
    "call, symbol",
    [
        (lambda: bounds.chaos_bound(0, 1.0, 1.0, 1.0), "n"),
        (lambda: bounds.chaos_bound(10, 0.0, 1.0, 1.0), "T"),
        (lambda: bounds.chaos_bound(10, 1.0, -1.0, 1.0), "a"),
        (lambda: bounds.euler_bound(0.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "alpha"),
        (lambda: bounds.euler_bound(0.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0), "eta"),
        (lambda: moments.mean_norm("IV", 1.5), "kind"),
        (lambda: moments.mean_norm("II", 1.0), "alpha"),
        (lambda: moments.mean_norm("II", 1.5, 0), "p"),
        (lambda: moments.norm_moment(1.6, "II", 1.5), "q"),
        (lambda: constants.network_constants([[np.nan]]), "X"),
        (lambda: constants.network_constants(np.eye(2), y=[1.0, 2.0]), "y"),
        (lambda: constants.network_constants(np.eye(2), y=[1.0]), "y"),
        (lambda: constants.network_constants(np.eye(2), act="gelu"), "act"),
        (lambda: constants.network_constants(np.eye(2), loss="hinge"), "loss"),
        (lambda: constants.network_constants(np.eye(2), outer=-1.0), "outer"),
        (lambda: constants.kuramoto_constants(np.inf), "K"),
    ],
)
def test_bad_input_names_the_symbol(call, symbol):
    with pytest.raises(ValueError, match=rf"^{symbol} must"):
        call()
