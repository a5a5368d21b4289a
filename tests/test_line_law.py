"""line_law.py: bed K's law on the line against the circle's flow, exact cases, and simulated copies."""

import numpy as np
import pytest
from scipy import stats

from chaosnum import limit, stable
from chaosnum.kuramoto import Kuramoto
from chaosnum.line_law import kuramoto_line_law
from chaosnum.particles import Scheme

FALSE_ALARM = 1e-6


@pytest.mark.parametrize("alpha, K, steps, eta", [(1.2, 1.0, 20, 0.05), (1.8, 3.0, 10, 0.1), (2.0, 2.0, 5, 0.2)])
def test_its_integer_frequencies_are_the_flow_on_the_circle(alpha, K, steps, eta):
    law = kuramoto_line_law(alpha, 1.0, K, eta, steps)
    m_c, m_s = limit.kuramoto_euler_flow(alpha, 1.0, K, eta, steps)
    assert np.abs(law.order - (m_c + 1j * m_s)).max() < 1e-12


@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.9])
def test_without_drift_it_is_a_convolution(alpha):
    """K = 0: N(mean, sd^2) convolved with SaS, by Gauss-Hermite quadrature."""
    law = kuramoto_line_law(alpha, 0.8, 0.0, 0.25, 4)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    x = np.array([-90.0, -10.0, -1.0, 0.5, 2.0, 7.0, 60.0])
    exact = (stable.cdf((x[:, None] - 0.5 - nodes) / 0.8, alpha) * weights).sum(axis=1) / weights.sum()
    assert np.allclose(law.cdf(x), exact, rtol=0, atol=3e-6)
    tail = (stable.sf((60.0 - 0.5 - nodes) / 0.8, alpha) * weights).sum() / weights.sum()
    assert law.sf(np.array([60.0]))[0] == pytest.approx(tail, rel=0.02)


@pytest.mark.parametrize("alpha", [1.3, 1.7])
def test_independent_copies_have_it(alpha):
    K, eta, steps, n = 2.0, 0.1, 10, 200_000
    law, bed, scheme = kuramoto_line_law(alpha, 1.0, K, eta, steps), Kuramoto(K), Scheme(alpha, 1.0, 1.0, eta)
    flow = np.column_stack(limit.kuramoto_euler_flow(alpha, 1.0, K, eta, steps))
    copies = bed.system(bed.initial(n, seed=17))
    path, xi = scheme.path(1, n, seed=17), np.empty((1, n))
    for k in range(steps):
        copies.advance(flow[k : k + 1], path.fill(k, xi), eta)
    theta = copies.theta[0]
    ks = stats.ks_1samp(theta, law.cdf, method="asymp").statistic * np.sqrt(n)
    assert ks < stats.kstwobign.isf(FALSE_ALARM)
    wrong = kuramoto_line_law(alpha, 1.0, 1.6, eta, steps)  # the partner: another coupling
    assert stats.ks_1samp(theta, wrong.cdf, method="asymp").statistic * np.sqrt(n) > stats.kstwobign.isf(FALSE_ALARM)


def test_it_is_a_law_with_the_tail_of_its_noise():
    for alpha in (1.2, 1.8, 2.0):
        law = kuramoto_line_law(alpha, 1.0, 1.0, 0.1, 10)
        x = np.linspace(-150, 150, 100_001)
        assert np.all(np.diff(law.cdf(x)) >= -1e-9) and np.abs(law.cdf(x) + law.sf(x) - 1).max() < 1e-14
        assert np.all(law.sf(x) >= 0)
        assert law.cdf(1.0 - x) == pytest.approx(law.sf(x), abs=1e-9)  # symmetric about the mean 1/2
        if alpha < 2:
            assert law.sf(np.array([1e6])) == pytest.approx(stable.sf(1e6, alpha), rel=1e-3)


@pytest.mark.parametrize(
    "arguments, line",
    [
        ((1.0,), "alpha must lie in"),
        ((1.5, 0.0), "sigma must lie in"),
        ((1.5, 1.0, 1.0, 0.0), "eta must lie in"),
        ((1.5, 1.0, 1.0, 0.1, 0), "steps must be a whole number >= 1"),
    ],
)
def test_refuses(arguments, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        kuramoto_line_law(*arguments)
    assert "\n" not in str(caught.value)
