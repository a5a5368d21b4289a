"""Bed L's closed forms against impulse responses of the scheme, quadrature and simulation."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import levy_stable

from chaosnum import linear

LAM, CHI, SIGMA = 0.4, 1.1, 0.7
ALPHAS = [1.2, 1.5, 2.0]


def scheme(theta, noise, eta, *, lam=LAM, chi=CHI):
    """n-particle Euler scheme from `theta` (..., n) with the given noise (steps, ..., n)."""
    for xi in noise:
        mean = theta.mean(axis=-1, keepdims=True)
        theta = theta - eta * (lam * theta + chi * (theta - mean)) + xi
    return theta


def copies(theta, noise, eta, start, *, lam=LAM, chi=CHI):
    """The limit copies on the same noise; the limit's mean is deterministic."""
    mean = start
    for xi in noise:
        theta = theta - eta * (lam * theta + chi * (theta - mean)) + xi
        mean = (1 - lam * eta) * mean
    return theta


def impulses(steps, n):
    """Unit impulses, one for each noise variable: shape (steps, steps * n, n)."""
    return np.eye(steps * n).reshape(steps * n, steps, n).transpose(1, 0, 2)


def norm(weight, alpha, eta):
    return SIGMA * (eta * np.sum(np.abs(weight) ** alpha)) ** (1 / alpha)


def cms(rng, alpha, size):
    """Textbook Chambers-Mallows-Stuck, alpha != 1."""
    u = rng.uniform(-np.pi / 2, np.pi / 2, size)
    w = rng.exponential(size=size)
    ratio = np.cos((1 - alpha) * u) / w
    return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * ratio ** ((1 - alpha) / alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n, steps, eta", [(1, 3, 0.2), (4, 7, 0.1), (3, 5, 1.2)])
def test_gap_and_marginal_from_impulse_responses(alpha, n, steps, eta):
    """The whole law is in the responses to single noise variables; eta gamma = 1.8 alternates."""
    noise, zero = impulses(steps, n), np.zeros((steps * n, n))
    gap = scheme(zero, noise, eta) - copies(zero, noise, eta, 0.0)
    exact = linear.gap_scale_euler(n, steps, eta, alpha, SIGMA, LAM, CHI)
    assert np.allclose([norm(gap[:, i], alpha, eta) for i in range(n)], exact, rtol=1e-12)
    alone = copies(zero, noise, eta, 0.0)[:, 0]
    marginal = linear.marginal_scale_euler(steps, eta, alpha, SIGMA, LAM, CHI)
    assert np.isclose(norm(alone, alpha, eta), marginal, rtol=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n, steps, ratio", [(1, 3, 2), (3, 4, 3), (5, 2, 8)])
def test_euler_error_from_impulse_responses(alpha, n, steps, ratio):
    eta = 0.25
    fine_noise, zero = impulses(steps * ratio, n), np.zeros((steps * ratio * n, n))
    coarse_noise = fine_noise.reshape(steps, ratio, -1, n).sum(axis=1)
    error = scheme(zero, fine_noise, eta / ratio) - scheme(zero, coarse_noise, eta)
    law = linear.euler_error(n, steps, eta, ratio, alpha, SIGMA, LAM, CHI, start=1.5)
    mean = error.mean(axis=1)
    assert np.isclose(norm(error[:, 0], alpha, eta / ratio), law.scale, rtol=1e-12)
    assert np.isclose(norm(mean, alpha, eta / ratio), law.mean_scale, rtol=1e-12)
    deviation = norm(error[:, 0] - mean, alpha, eta / ratio)
    assert np.isclose(deviation, law.deviation_scale, rtol=1e-11, atol=1e-14)
    silent = np.zeros((steps * ratio, n)), np.zeros((steps, n))
    start = np.full(n, 1.5)
    shift = scheme(start, silent[0], eta / ratio) - scheme(start, silent[1], eta)
    assert np.allclose(shift, law.shift, rtol=1e-12)


def test_euler_error_has_order_one():
    """And so the exponent 1/alpha of C3 is not sharp here either."""
    for alpha in ALPHAS:
        scales = [linear.euler_error(50, 2**k, 2.0**-k, 64, alpha).scale for k in range(5, 9)]
        slopes = np.log2(np.array(scales[:-1]) / scales[1:])
        assert np.all(np.abs(slopes - 1.0) < 0.03)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_continuous_time_is_the_limit_of_small_steps(alpha):
    args, steps = (alpha, SIGMA, LAM, CHI), 20_000
    for exact, euler in (
        (linear.gap_scale(9, 2.0, *args), linear.gap_scale_euler(9, steps, 1e-4, *args)),
        (linear.marginal_scale(2.0, *args), linear.marginal_scale_euler(steps, 1e-4, *args)),
    ):
        assert 1e-7 < abs(euler / exact - 1.0) < 5e-4


def test_marginal_scale_by_quadrature():
    for alpha in (0.7, 1.0, 1.5, 2.0):
        kept = quad(lambda v, a=alpha: np.exp(-a * (LAM + CHI) * v), 0.0, 1.7)[0]
        expected = SIGMA * kept ** (1 / alpha)
        assert np.isclose(linear.marginal_scale(1.7, alpha, SIGMA, LAM, CHI), expected, rtol=1e-10)
    assert np.allclose(
        linear.marginal_scale(np.array([0.0, 8.0]), 1.5, 1.0, 0.0, 0.0), [0.0, 4.0]
    )  # no decay: sigma t^(1/alpha)


def test_gap_scale_closed_form_at_alpha_two():
    g, n, t = LAM + CHI, 16, 1.3

    def integral(rate):
        return -np.expm1(-rate * t) / rate

    square = integral(2 * LAM) - 2 * integral(LAM + g) + integral(2 * g)
    expected = SIGMA * np.sqrt(square / n)
    assert np.isclose(linear.gap_scale(n, t, 2.0, SIGMA, LAM, CHI), expected, rtol=1e-10)
    assert linear.gap_scale(n, t, 1.5, SIGMA, LAM, 0.0) == 0.0


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gap_exponent(alpha):
    one, many = (linear.gap_scale_euler(n, 10, 0.1, alpha) for n in (100, 10_000))
    assert np.isclose(np.log(many / one) / np.log(100), -(1 - 1 / alpha), rtol=1e-12)


def _far(sample, scale, alpha):
    """Distance of the empirical characteristic function of a symmetric sample from SaS, in sd."""
    worst = 0.0
    for k in np.array([0.3, 0.6, 1.0, 1.5]) / scale:
        phi, twice = np.exp(-((k * scale) ** alpha)), np.exp(-((2 * k * scale) ** alpha))
        sd = np.sqrt((0.5 * (1 + twice) - phi**2) / len(sample))
        worst = max(worst, abs(np.cos(k * sample).mean() - phi) / sd)
    return worst


def test_simulated_laws():
    """Characteristic functions at 4 points each, three laws: z = 5.5 is 12 * 3.8e-8 = 5e-7."""
    alpha, n, steps, ratio, eta, systems = 1.4, 6, 5, 4, 0.2, 40_000
    rng = np.random.default_rng(11)
    fine = SIGMA * (eta / ratio) ** (1 / alpha) * cms(rng, alpha, (steps * ratio, systems, n))
    coarse = fine.reshape(steps, ratio, systems, n).sum(axis=1)
    start = np.full((systems, n), 0.8)
    end = scheme(start, coarse, eta)
    gap = (end - copies(start, coarse, eta, 0.8))[:, 0]
    scale = linear.gap_scale_euler(n, steps, eta, alpha, SIGMA, LAM, CHI)
    assert _far(gap, scale, alpha) < 5.5
    assert _far(gap, scale * n ** (1 / 2 - 1 / alpha), alpha) > 5.5  # the rate n^(-1/2)
    assert _far(gap, scale * n ** (1 - 1 / alpha), alpha) > 5.5  # no mean taken
    error = (scheme(start, fine, eta / ratio) - end)[:, 0]
    law = linear.euler_error(n, steps, eta, ratio, alpha, SIGMA, LAM, CHI, start=0.8)
    assert _far(error - law.shift, law.scale, alpha) < 5.5
    assert _far(error - law.shift, law.deviation_scale, alpha) > 5.5
    own = (copies(start, coarse, eta, 0.8) - 0.8 * (1 - LAM * eta) ** steps)[:, 0]
    marginal = linear.marginal_scale_euler(steps, eta, alpha, SIGMA, LAM, CHI)
    assert _far(own, marginal, alpha) < 5.5
    assert _far(own, linear.marginal_scale(1.0, alpha, SIGMA, LAM, CHI), alpha) > 5.5
    # the median, Gaussian limit: sd of the fraction below it is 1 / (2 sqrt(systems))
    share = np.mean(np.abs(gap) < scale * linear.median_abs(alpha))
    assert abs(share - 0.5) < 5.5 * 0.5 / np.sqrt(systems)


def test_gap_sup_bound():
    """Above E|gap_T| for every alpha, above the simulated mean of the sup at alpha = 2."""
    for alpha in (1.1, 1.5, 2.0):
        end = linear.gap_scale(100, 1.0, alpha, SIGMA, LAM, CHI) * linear._mean_abs(alpha)
        assert end < linear.gap_sup_bound(100, 1.0, alpha, SIGMA, LAM, CHI) < 4 * end
    rng = np.random.default_rng(5)
    steps, n = 32, 4
    e, gap, top = np.zeros(4000), np.zeros(4000), np.zeros(4000)
    for xi in SIGMA * np.sqrt(2.0 / steps / n) * rng.standard_normal((steps, 4000)):
        gap = gap - (LAM + CHI) / steps * gap + CHI / steps * e
        e = e - LAM / steps * e + xi
        top = np.maximum(top, np.abs(gap))
    bound = linear.gap_sup_bound(n, 1.0, 2.0, SIGMA, LAM, CHI)
    assert bound / 4 < top.mean() < bound


def test_median_abs():
    assert np.isclose(linear.median_abs(1.0), 1.0, rtol=1e-10)
    assert np.isclose(linear.median_abs(2.0), np.sqrt(2.0) * 0.6744897501960817, rtol=1e-10)
    for alpha in (1.2, 1.7):
        assert abs(levy_stable.cdf(linear.median_abs(alpha), alpha, 0.0) - 0.75) < 1e-6


@pytest.mark.parametrize(
    "call, symbol",
    [
        (lambda: linear.gap_scale_euler(10, 5, 1.0, 1.5, 1.0, 1.0, 1.0), r"eta \* \(lam \+ chi\)"),
        (lambda: linear.gap_scale_euler(0, 5, 0.1, 1.5), "n"),
        (lambda: linear.gap_scale_euler(10, 0, 0.1, 1.5), "steps"),
        (lambda: linear.gap_scale_euler(10, 5, -0.1, 1.5), "eta"),
        (lambda: linear.gap_scale(10, 1.0, 2.5), "alpha"),
        (lambda: linear.gap_scale(10, 1.0, 1.5, -1.0), "sigma"),
        (lambda: linear.gap_scale(10, 1.0, 1.5, 1.0, -1.0), "lam"),
        (lambda: linear.gap_scale(10, 1.0, 1.5, 1.0, 1.0, -1.0), "chi"),
        (lambda: linear.marginal_scale(-1.0, 1.5), "t"),
        (lambda: linear.gap_sup_bound(10, 1.0, 1.0), "alpha"),
        (lambda: linear.euler_error(10, 5, 0.1, 0, 1.5), "ratio"),
        (lambda: linear.median_abs(0.5), "alpha"),
    ],
)
def test_bad_input_names_the_symbol(call, symbol):
    with pytest.raises(ValueError, match=rf"^{symbol} must"):
        call()
