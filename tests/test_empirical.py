"""empirical.py: distances against quadrature, exact means against samples and against the Poisson limit."""

import math

import numpy as np
import pytest
from scipy import stats

from chaosnum import empirical, moments, stable
from chaosnum.wasserstein import w1_to_cdf


def sas(alpha):
    heavy = alpha if alpha < 2 else None
    return empirical.Table(lambda x: stable.cdf(x, alpha), lambda x: stable.sf(x, alpha), alpha=heavy)


TABLES = {alpha: sas(alpha) for alpha in (1.2, 1.5, 1.8, 2.0)}


@pytest.mark.parametrize("alpha", TABLES)
@pytest.mark.parametrize("n", [1, 2, 30, 2000])
def test_distance_to_the_law(alpha, n):
    for shift in (0.0, 0.3, -50.0):
        x = stable.rvs(alpha, n, seed=n) + shift
        exact = w1_to_cdf(x, lambda t: stable.cdf(t, alpha), sf=lambda t: stable.sf(t, alpha))
        assert TABLES[alpha].w1(x) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("alpha", TABLES)
def test_the_bulk_is_the_integral_within_the_bound(alpha):
    for n, bound in ((40, 0.2), (40, 3.0), (500, 30.0)):
        x = stable.rvs(alpha, n, seed=n) + 0.1
        t = np.linspace(-bound, bound, 400_001)
        gap = np.abs(np.searchsorted(np.sort(x), t, side="right") / n - stable.cdf(t, alpha))
        assert TABLES[alpha].w1(x, bound) == pytest.approx(float(gap.mean() * 2 * bound), rel=1e-4)


def test_samples_come_in_rows_and_units_do_not_matter():
    x = stable.rvs(1.5, (3, 50), seed=4)
    whole, part = TABLES[1.5].both(x, 5.0)
    assert whole == pytest.approx([TABLES[1.5].w1(row) for row in x]) and np.all(part < whole)
    assert part == pytest.approx(TABLES[1.5].w1(x, 5.0))
    wide = empirical.Table(
        lambda t: stable.cdf((t - 7) / 3, 1.5), lambda t: stable.sf((t - 7) / 3, 1.5), centre=7.0, unit=3.0, alpha=1.5
    )  # fmt: skip
    assert wide.w1(3 * x + 7, 15.0) == pytest.approx(3 * part, rel=1e-9)
    assert wide.mean_w1(50, 15.0) == pytest.approx(3 * TABLES[1.5].mean_w1(50, 5.0), rel=1e-9)


def test_an_asymmetric_law():
    """Exponential: another centre, one-sided."""
    law = empirical.Table(stats.expon.cdf, stats.expon.sf, centre=0.7, unit=0.5)
    for n in (1, 5, 400):
        x = np.random.default_rng(n).exponential(1.0, n)
        assert law.w1(x) == pytest.approx(w1_to_cdf(x, stats.expon.cdf, sf=stats.expon.sf), rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 7, 60, 1000])
def test_mean_deviation_is_the_binomial_sum(n):
    p = np.array([1e-9, 1e-4, 0.1, 1 / 3, 0.5, 0.77, 1 - 1e-4])
    k = np.arange(n + 1)[:, None]
    direct = np.sum(np.abs(k - n * p) * stats.binom.pmf(k, n, p), axis=0)
    assert np.allclose(empirical.mean_deviation(n, p), direct, rtol=1e-9)
    assert np.array_equal(empirical.mean_deviation(n, np.array([0.0, 1.0])), [0.0, 0.0])


@pytest.mark.parametrize("alpha, n", [(1.2, 20), (1.5, 200), (2.0, 50)])
def test_the_mean_of_the_bulk_is_exact(alpha, n):
    """Five standard errors of 8000 samples: below 1e-6, the bulk has all moments."""
    bound = 2 * n ** (1 / alpha)
    bulk = TABLES[alpha].w1(stable.rvs(alpha, (8000, n), seed=5), bound)
    error = bulk.std() / math.sqrt(len(bulk))
    assert abs(bulk.mean() - TABLES[alpha].mean_w1(n, bound)) < 5 * error
    partner = 1.05 * stable.rvs(alpha, (8000, n), seed=5)
    assert abs(TABLES[alpha].w1(partner, bound).mean() - TABLES[alpha].mean_w1(n, bound)) > 5 * error


def test_one_draw_is_as_far_as_two_draws_are():
    """n = 1: E W_1 = E|X - X'|, and X - X' is SaS of scale 2^(1/alpha)."""
    for alpha, table in TABLES.items():
        assert table.mean_w1(1) == pytest.approx(2 ** (1 / alpha) * moments.mean_norm("II", alpha), rel=1e-5)
        assert table.mean_w1(10, 1e3) < table.mean_w1(10) * (1 + 1e-6) < table.mean_w1(9)


def test_limit_constants():
    """5.57, 4.38, 4.57 by an independent quadrature; and the bulk's, plus what lies beyond."""
    for alpha, known in ((1.3, 5.57), (1.5, 4.38), (1.7, 4.57)):
        whole = empirical.limit_constant(alpha)
        assert whole == pytest.approx(known, abs=0.006)
        c, far = moments.tail_constant("II", alpha) / 2, 1e3
        beyond = 4 * c * far ** (1 - alpha) / (alpha - 1)
        assert whole - empirical.limit_constant(alpha, far) == pytest.approx(beyond, rel=1e-3)


@pytest.mark.parametrize("alpha, bound", [(1.2, math.inf), (1.5, math.inf), (1.5, 2.0), (1.8, 1.0)])
def test_the_exact_mean_approaches_the_limit_at_its_rate(alpha, bound):
    """What is missing at n, times n^(1/alpha - 1/2), tends to a constant, and an extrapolation finds the limit."""
    order, n = 1 / alpha - 0.5, 10.0 ** np.arange(3, 8)
    scaled = np.array([TABLES[alpha].mean_w1(k, bound * k ** (1 / alpha)) * k ** (1 - 1 / alpha) for k in n])
    limit = empirical.limit_constant(alpha, bound)
    missing = (limit - scaled) * n**order
    assert np.all(np.diff(scaled) > 0) and np.ptp(missing[2:]) < 0.03 * missing[-1]
    q = 10**-order
    extrapolated = (scaled[-1] - q * scaled[-2]) / (1 - q)
    assert extrapolated == pytest.approx(limit, rel=0.01)
    assert abs(empirical.limit_constant(alpha - 0.1, bound) / limit - 1) > 0.02  # the partner


@pytest.mark.parametrize(
    "call, line",
    [
        (lambda: TABLES[1.5].w1([]), "x must be one sample"),
        (lambda: TABLES[1.5].w1([1.0, math.nan]), "x must be finite"),
        (lambda: TABLES[1.5].w1([1.0], -1.0), "bound must lie in"),
        (lambda: TABLES[1.5].mean_w1(0), "n must be a whole number >= 1"),
        (lambda: empirical.limit_constant(2.0), "alpha must lie in"),
        (lambda: empirical.Table(np.sin, np.cos, unit=0.0), "unit must lie in"),
        (lambda: empirical.Table(np.sin, np.cos, alpha=1.0), "alpha must lie in"),
    ],
)
def test_refuses(call, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        call()
    assert "\n" not in str(caught.value)
