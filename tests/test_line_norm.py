"""chaosnum.line_norm: the law of |theta| on bed K against simulation, and against closed forms without interaction."""

import numpy as np
import pytest

from chaosnum import column_law, kuramoto, limit, line_law, line_norm, particles


def law(alpha, K=1.0, eta=0.1, **rest):
    bed = kuramoto.Kuramoto(K)
    start = limit.gaussian_modes(bed.mean, bed.sd)
    return line_norm.LineNorm(line_law.kuramoto_line_law(alpha, 1.0, K, eta, round(1 / eta), start), **rest)


@pytest.fixture(scope="module")
def simulated():
    scheme = particles.Scheme(1.5, 1.0, 1.0, 0.1)
    return np.abs(particles.simulate(kuramoto.Kuramoto(1.0), 400_000, scheme, seed=3).theta.ravel())


def test_threshold_and_mass_below_it(simulated):
    found = law(1.5)
    q = found.threshold(0.1)
    # Five standard errors: of a share, and of a bounded mean.
    assert abs(np.mean(simulated > q) - 0.1) < 5 * np.sqrt(0.09 / simulated.size)
    inside = np.where(simulated <= q, simulated**2, 0.0)
    assert abs(inside.mean() - found.below(q, 0.1, 2)) < 5 * inside.std() / np.sqrt(simulated.size)
    assert abs(inside.mean() - law(1.8).below(q, 0.1, 2)) > 5 * inside.std() / np.sqrt(simulated.size)


def test_m_is_what_the_tail_leaves(simulated):
    """m = E min(Y, u)^2 - C 2 u^(2 - alpha)/(2 - alpha) up to what happens beyond u."""
    found, u = law(1.5), 60.0
    cut = np.minimum(simulated, u) ** 2
    m = cut.mean() - found.tail_constant * 2 * u**0.5 / 0.5
    beyond = 2.0 * found.tail_constant * u**-1.5 * 1.5 * 2.5 / 1.5  # |theta| - |S| is at most about 1
    assert abs(m - found.regularised_moment(2)) < 5 * cut.std() / np.sqrt(simulated.size) + beyond
    assert 0.5 < found.regularised_moment(2) < 1.0


def test_without_interaction_it_is_the_column_law():
    """K nearly 0: a Gaussian start with mean 1/2 plus stable noise. m = E theta_0^2 exactly."""
    found, bed = law(1.5, K=1e-9), kuramoto.Kuramoto(1e-9)
    assert found.regularised_moment(2) == pytest.approx(bed.mean**2 + bed.sd**2, rel=2e-3)
    assert found.tail_constant == pytest.approx(column_law.column_law(1.5).tail_constant, rel=1e-13)


def test_without_second_order():
    assert law(1.5, second_order=False).regularised_moment(2) == 0.0


def test_only_the_square():
    found = law(1.5)
    for function in (found.moment, found.regularised_moment, lambda p: found.below(1.0, 0.1, p)):
        with pytest.raises(ValueError, match=r"p must lie in \[2, 2\], got 1"):
            function(1)
    assert found.moment(2) == np.inf
