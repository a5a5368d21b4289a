"""The limit flows against an independent ODE solver, Bessel functions, quadrature and particles."""

import time
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import jv

from chaosnum import limit

BEDS = [  # alpha, sigma, K, mean, sd, modes of the reference
    (1.5, 1.0, 1.0, 0.5, 1.0, 96),
    (1.1, 1.0, 10.0, 0.5, 1.0, 384),
    (2.0, 1.0, 3.0, -1.0, 1.0, 64),
    (1.2, 0.7, 2.0, 0.5, 0.0, 192),
    (0.7, 1.0, 1.0, 0.5, 0.3, 96),
]


def ode(times, alpha, sigma, K, law, modes, *, conj=1.0, power=None, tol=1e-12):
    """Equation (1) by SciPy; `conj` and `power` make it wrong on purpose."""
    k = np.arange(modes + 1)
    rate = sigma ** (alpha if power is None else power) * k**alpha

    def field(t, c):
        above = np.append(c[2:], 0.0)
        out = -rate * c
        out[1:] += 0.5 * K * k[1:] * (c[1] * c[:-1] - conj * np.conj(c[1]) * above)
        return out

    start = law(k).astype(complex)
    found = solve_ivp(field, (0, times[-1]), start, "DOP853", times, rtol=tol, atol=1e-14)
    return found.y[1]


def order_parameter(pair):
    return pair[0] + 1j * pair[1]


def cms(rng, alpha, size):
    """Textbook Chambers-Mallows-Stuck, alpha != 1."""
    u = rng.uniform(-np.pi / 2, np.pi / 2, size)
    w = rng.exponential(size=size)
    power = (1 - alpha) / alpha
    ratio = np.cos((1 - alpha) * u) / w
    return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * ratio**power


@pytest.mark.parametrize("alpha, sigma, K, mean, sd, modes", BEDS)
def test_flow_agrees_with_an_independent_solver(alpha, sigma, K, mean, sd, modes):
    times, law = np.linspace(0.0, 1.0, 6), limit.gaussian_modes(mean, sd)
    ours = order_parameter(limit.kuramoto_flow(times, alpha, sigma, K, law))
    theirs = ode(times, alpha, sigma, K, law, modes)
    assert np.max(np.abs(ours - theirs)) < 1e-10


@pytest.mark.parametrize("wrong", [{"conj": -1.0}, {"power": 1.0}])
def test_flow_differs_from_wrong_equations(wrong):
    times, law = np.linspace(0.0, 1.0, 6), limit.gaussian_modes(0.5, 1.0)
    ours = order_parameter(limit.kuramoto_flow(times, 1.5, 0.7, 1.0, law))
    right = ode(times, 1.5, 0.7, 1.0, law, 96, tol=1e-9)
    false = ode(times, 1.5, 0.7, 1.0, law, 96, tol=1e-9, **wrong)
    assert np.max(np.abs(ours - right)) < 1e-8
    assert np.max(np.abs(ours - false)) > 1e-3


def test_number_of_modes_adapts():
    """64 modes do not do at K = 10, alpha = 1.1: their last ones are not small there."""
    times = (0.0, 0.5, 1.0)
    _, small = limit._exponential_rk(times, 1.5, 1.0, 1.0, limit.DEFAULT_LAW, 64)
    _, large = limit._exponential_rk(times, 1.1, 1.0, 10.0, limit.DEFAULT_LAW, 64)
    assert small < limit.NEGLIGIBLE < 1e-6 < large


def test_flow_on_any_grid():
    scattered = np.array([0.0, 1e-9, 0.013, 0.5, 0.5, 0.77, 2.0])
    ours = order_parameter(limit.kuramoto_flow(scattered, 1.5, 1.0, 2.0))
    single = [order_parameter(limit.kuramoto_flow(t, 1.5, 1.0, 2.0)) for t in scattered]
    assert np.max(np.abs(ours - np.array(single))) < 1e-11
    assert np.shape(single[0]) == ()


def jacobi_anger(alpha, sigma, K, eta, steps, law, modes, *, sign=1.0):
    """Equation (3), written with SciPy's Bessel functions."""
    k, j = np.arange(modes + 1), np.arange(-60, 61)
    c, out = law(k), [law(1)]
    for _ in range(steps):
        r, psi = np.abs(c[1]), np.angle(c[1])
        index = k[:, None] - j
        full = np.where(np.abs(index) <= modes, c[np.minimum(np.abs(index), modes)], 0.0)
        full = np.where(index < 0, full.conj(), full)
        bessel = jv(j, k[:, None] * eta * K * r)
        turned = np.exp(sign * 1j * j * psi)
        c = np.exp(-eta * (sigma * k) ** alpha) * np.sum(bessel * turned * full, axis=1)
        out.append(c[1])
    return np.array(out)


@pytest.mark.parametrize("alpha, sigma, K, mean, sd, modes", BEDS[:4])
def test_euler_flow_agrees_with_jacobi_anger(alpha, sigma, K, mean, sd, modes):
    law, eta, steps = limit.gaussian_modes(mean, sd), 1 / 16, 8
    ours = order_parameter(limit.kuramoto_euler_flow(alpha, sigma, K, eta, steps, law))
    theirs = jacobi_anger(alpha, sigma, K, eta, steps, law, min(modes, 192))
    assert np.max(np.abs(ours - theirs)) < 1e-10
    if K == 3.0:  # an initial mean of -1: the turn's sign is seen
        false = jacobi_anger(alpha, sigma, K, eta, steps, law, 64, sign=-1.0)
        assert np.max(np.abs(ours - false)) > 1e-3


def test_one_euler_step_by_quadrature_on_the_line():
    alpha, sigma, K, eta, mean, sd = 1.3, 0.8, 2.0, 0.2, 0.7, 0.6
    m_c, m_s = limit.kuramoto_euler_flow(alpha, sigma, K, eta, 1, limit.gaussian_modes(mean, sd))

    def moved(part):
        def value(x):
            weight = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
            return weight * part(x + eta * K * (m_s[0] * np.cos(x) - m_c[0] * np.sin(x)))

        return quad(value, mean - 9 * sd, mean + 9 * sd, epsabs=1e-13, limit=200)[0]

    damping = np.exp(-(sigma**alpha) * eta)
    assert abs(damping * moved(np.cos) - m_c[1]) < 1e-12
    assert abs(damping * moved(np.sin) - m_s[1]) < 1e-12


@pytest.mark.parametrize("alpha, K", [(1.2, 1.0), (1.8, 4.0)])
def test_euler_flow_tends_to_the_flow_at_first_order(alpha, K):
    exact = order_parameter(limit.kuramoto_flow(1.0, alpha, 1.0, K))
    steps = np.array([32, 64, 128, 256])
    last = [order_parameter(limit.kuramoto_euler_flow(alpha, 1.0, K, 1 / s, s))[-1] for s in steps]
    error = np.abs(np.array(last) - exact)
    assert np.allclose(error[:-1] / error[1:], 2.0, atol=0.1)
    table = last  # Richardson: error terms eta, eta^2, eta^3 are eliminated in turn
    for order in (1, 2, 3):
        table = [(2**order * b - a) / (2**order - 1) for a, b in pairwise(table)]
    assert abs(table[0] - exact) < 1e-6 * error[0]


def _copies(alpha, K, eta, steps, m_c, m_s, n, seed):
    """n copies of the Euler limit driven by a given flow -> largest deviation, in sd."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(0.5, 1.0, n)
    worst = 0.0
    for k in range(steps + 1):
        for part, mean in ((np.cos(theta), m_c[k]), (np.sin(theta), m_s[k])):
            worst = max(worst, abs(part.mean() - mean) / (part.std() / np.sqrt(n)))
        drift = K * (m_s[k] * np.cos(theta) - m_c[k] * np.sin(theta))
        theta = theta + eta * drift + eta ** (1 / alpha) * cms(rng, alpha, n)
    return worst


def test_flow_is_the_mean_of_independent_copies():
    """Central limit theorem, 26 means: z = 5.5 has a false-alarm level of 26 * 3.8e-8 = 1e-6."""
    alpha, K, eta, steps = 1.4, 2.0, 1 / 12, 12
    m_c, m_s = limit.kuramoto_euler_flow(alpha, 1.0, K, eta, steps)
    assert _copies(alpha, K, eta, steps, m_c, m_s, 200_000, 7) < 5.5
    exact_c, exact_s = limit.kuramoto_flow(np.linspace(0, 1, 13), alpha, 1.0, K)
    assert _copies(alpha, K, eta, steps, exact_c, exact_s, 200_000, 7) > 5.5  # the other flow
    assert _copies(alpha, K, eta, steps, m_c, -m_s, 200_000, 7) > 5.5


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
def test_without_coupling_modes_decay_alone(alpha):
    law, times = limit.gaussian_modes(0.3, 0.4), np.linspace(0.0, 2.0, 9)
    expected = law(1) * np.exp(-(0.8**alpha) * times)
    assert np.allclose(
        order_parameter(limit.kuramoto_flow(times, alpha, 0.8, 0.0, law)), expected, 0, 1e-13
    )
    euler = order_parameter(limit.kuramoto_euler_flow(alpha, 0.8, 0.0, 0.25, 8, law))
    assert np.allclose(euler, expected, 0, 1e-13)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_incoherence_loses_stability_at_the_critical_coupling(factor):
    alpha, sigma = 1.6, 0.9
    K = factor * limit.critical_coupling(alpha, sigma)
    almost = limit.gaussian_modes(0.0, 4.0)  # c_1 = exp(-8), all others below exp(-32)
    m_c, _ = limit.kuramoto_flow([0.0, 2.0], alpha, sigma, K, almost)
    rate = np.log(m_c[1] / m_c[0]) / 2.0
    assert abs(rate - (factor - 1.0) * sigma**alpha) < 1e-6
    assert abs(rate - (factor - 1.0) * sigma) > 1e-3 or factor == 1.0  # sigma without its power


def test_rotation_and_reflection():
    for flow in (limit.kuramoto_flow, limit.kuramoto_euler_flow):
        args = (1.3, 1.0, 2.0)
        extra = (0.1, 10) if flow is limit.kuramoto_euler_flow else ()
        first = () if extra else (np.linspace(0, 1, 11),)
        laws = {m: limit.gaussian_modes(m, 0.5) for m in (0.4, -0.4, 1.4)}
        at = {m: flow(*first, *args, *extra, law) for m, law in laws.items()}
        assert np.allclose(at[0.4][1], -at[-0.4][1], 0, 1e-13)
        turned = order_parameter(at[0.4]) * np.exp(1j)
        assert np.allclose(order_parameter(at[1.4]), turned, 0, 1e-12)


def test_euler_flow_is_fast_cached_and_read_only():
    seconds = []
    for sigma in (1.0, 1.001, 1.002):
        start = time.perf_counter()
        limit.kuramoto_euler_flow(1.5, sigma, 1.0, 0.01, 100)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3
    m_c, m_s = limit.kuramoto_euler_flow(1.5, 1.0, 1.0, 0.01, 100)
    assert m_c.shape == m_s.shape == (101,) and m_c.dtype == np.float64
    before = limit._euler_flow.cache_info().hits
    limit.kuramoto_euler_flow(1.5, 1.0, 1.0, 0.01, 100)
    assert limit._euler_flow.cache_info().hits == before + 1
    with pytest.raises(ValueError):
        m_c[0] = 0.0


def test_linear_flows():
    t = np.linspace(0, 1, 5)
    assert np.allclose(limit.linear_flow(t, 0.7, 2.0), 2.0 * np.exp(-0.7 * t))
    fine = limit.linear_euler_flow(0.7, 1e-5, 100_000, 2.0)
    assert fine.shape == (100_001,)
    assert abs(fine[-1] - 2.0 * np.exp(-0.7)) < 1e-5
    assert np.array_equal(limit.linear_euler_flow(0.5, 1.0, 2, 8.0), [8.0, 4.0, 2.0])


@pytest.mark.parametrize(
    "call, symbol",
    [
        (lambda: limit.kuramoto_flow(1.0, 2.5), "alpha"),
        (lambda: limit.kuramoto_flow(1.0, 1.5, sigma=0.0), "sigma"),
        (lambda: limit.kuramoto_flow(1.0, 1.5, K=np.nan), "K"),
        (lambda: limit.kuramoto_flow([1.0, 0.5], 1.5), "times"),
        (lambda: limit.kuramoto_flow([-1.0, 0.5], 1.5), "times"),
        (lambda: limit.kuramoto_flow(1.0, 1.5, c0=3.0), "c0"),
        (lambda: limit.kuramoto_euler_flow(1.5, eta=0.0), "eta"),
        (lambda: limit.kuramoto_euler_flow(1.5, steps=0), "steps"),
        (lambda: limit.gaussian_modes(0.0, -1.0), "sd"),
    ],
)
def test_bad_input_names_the_symbol(call, symbol):
    with pytest.raises(ValueError, match=rf"^{symbol} must"):
        call()
