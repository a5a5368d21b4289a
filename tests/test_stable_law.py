"""chaosnum.stable_law: against 50 digits, across every seam, and out to the farthest tail."""

import math

import mpmath as mp
import numpy as np
import pytest
import stable_reference
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosnum import stable, stable_law, stable_table, zolotarev

ACCURACY = 1e-13  # ten times better than promised
ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.95, 0.999999, 1.000001, 1.05, 1.3, 1.49, 1.5, 1.8, 1.99, 2 - 1e-6, 2 - 2**-50)
NEAR_ONE = (0.97, 0.99, 1 - 2**-40, 1 + 2**-40, 1.01)
DENSE = (*np.linspace(0.3, 1.99, 53), *ALPHAS, *NEAR_ONE, 0.05, 1.499999, 1.999, 2 - 1e-9)


def reference(alpha, x, digits=16):
    """(P(X > x), density) to 16 digits or more, by the cheapest formula that does not lose hundreds."""
    growth = alpha / (alpha - 1.0) * math.log(x) if abs(alpha - 1.0) > 0.02 else math.inf  # log of the largest term
    if growth > 5.0:
        return stable_reference.fourier(alpha, x, digits)
    return (stable_reference.near if alpha > 1.0 else stable_reference.far)(alpha, x, digits)


def seams(alpha):
    """Points just below and above the ends of the panels."""
    table = stable_table.table(alpha)
    ends = [y ** (1.0 / alpha) if table.power else y for y in (table.low, table.high)]
    return [x * (1.0 + side) for x in ends for side in (-1e-6, 1e-6)]


def errors(alpha, points, digits=16):
    """Worst relative errors of tail, distribution function and density."""
    worst = np.zeros(4)
    for x in points:
        tail, density = reference(alpha, x, digits)
        found = stable.sf(x, alpha), stable.cdf(-x, alpha), stable.cdf(x, alpha), stable.pdf(x, alpha)
        right = tail, tail, 1 - tail, density
        worst = np.maximum(worst, [abs(float(f / r - 1)) for f, r in zip(found, right)])
    return worst


@pytest.mark.parametrize(
    ("alpha", "x", "formula"),
    [(0.3, 0.5, "far"), (0.9, 0.5, "far"), (1.2, 1.0, "near"), (1.5, 2.0, "near"), (1.9, 9.0, "near")],
)
def test_the_references_agree_with_each_other(alpha, x, formula):
    one, other = getattr(stable_reference, formula)(alpha, x, 30), stable_reference.fourier(alpha, x, 30)
    assert all(abs(a / b - 1) < mp.mpf(10) ** -28 for a, b in zip(one, other))
    wrong = stable_reference.fourier(alpha + 1e-9, x, 20)
    assert all(abs(a / b - 1) > mp.mpf(10) ** -12 for a, b in zip(one, wrong))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_accuracy(alpha):
    points = [1e-4 if alpha > 0.2 else 1e-9, 3.3, 13.0, *seams(alpha)[1:3]]
    assert errors(alpha, points).max() < ACCURACY


@pytest.mark.long
def test_the_references_agree_on_a_grid():
    for alpha in (0.3, 0.6, 0.9, 1.1, 1.4, 1.7, 1.95):
        for x in (0.5, 1.0, 2.0):
            one, other = reference(alpha, x, 50), stable_reference.fourier(alpha, x, 50)
            assert all(abs(a / b - 1) < mp.mpf(10) ** -48 for a, b in zip(one, other))


@pytest.mark.long
@pytest.mark.parametrize("alpha", DENSE)
def test_accuracy_on_a_dense_grid(alpha):
    points = [*np.geomspace(1e-3, 60.0, 24), 1e-6, 1e3, 1e8, *seams(alpha)]
    assert errors(alpha, points, 50).max() < ACCURACY


@pytest.mark.parametrize("alpha", [0.3, 0.9, 1.0, 1.1, 1.5, 1.9, 1.999])
def test_the_farthest_tail(alpha):
    for x in (1e3, 1e8, 1e100):
        two_terms = [
            (-1) ** (k + 1) * mp.gamma(k * mp.mpf(alpha)) * mp.sin(mp.pi * k * mp.mpf(alpha) / 2) / mp.factorial(k)
            * mp.mpf(x) ** (-k * alpha) / mp.pi for k in range(1, 60)
        ]  # fmt: skip
        assert stable.sf(x, alpha) == pytest.approx(float(sum(two_terms)), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.06, 0.2, 0.45, 0.7, 0.99, 1.2, 1.499, 1.501, 1.75, 1.98, 2 - 1e-8])
def test_panels_reproduce_the_integral_everywhere(alpha):
    table = stable_table.table(alpha)
    y = np.geomspace(table.low, table.high * (1 - 1e-12), 1500)
    x = y ** (1.0 / alpha) if table.power else y
    tail, middle, density = zolotarev.law(alpha, x)
    found = stable.sf(x, alpha)
    small = middle < 0.25
    np.testing.assert_allclose(found[~small], tail[~small], rtol=ACCURACY)
    np.testing.assert_allclose((0.5 - found)[small], middle[small], atol=2e-16, rtol=ACCURACY)
    np.testing.assert_allclose(stable.pdf(x, alpha), density, rtol=ACCURACY)


@pytest.mark.parametrize("alpha", [0.4, 0.6, 1.35, 1.45, 1.55])
def test_the_two_forms_of_the_integral_agree_where_both_are_good(alpha):
    x = np.geomspace(0.05, 20.0, 12)
    by_angle, by_radius = np.empty((3, 12)), np.empty((3, 12))
    zolotarev._in_angle(alpha, x, by_angle, 1 / 64)
    zolotarev._in_radius(alpha, x, by_radius)
    np.testing.assert_allclose(by_angle, by_radius, rtol=1e-13)


def test_closed_forms():
    x = np.array([-1e9, -3.0, -0.2, 0.0, 1e-9, 0.4, 2.0, 50.0, 1e12])
    np.testing.assert_allclose(stable.cdf(x, 1.0)[x < 0], np.arctan(1.0 / -x[x < 0]) / math.pi, rtol=ACCURACY)
    np.testing.assert_allclose(stable.pdf(x, 1.0), 1.0 / (math.pi * (1.0 + x * x)), rtol=ACCURACY)
    right = [float(mp.erfc(v / 2) / 2) for v in (0.1, 5.0, 30.0, 50.0)]
    np.testing.assert_allclose(stable.sf([0.1, 5.0, 30.0, 50.0], 2.0), right, rtol=1e-12)
    for alpha in (0.3, 0.8, 1.0, 1.5, 2.0):
        assert stable.pdf(0.0, alpha) == pytest.approx(math.gamma(1 + 1 / alpha) / math.pi, rel=1e-14)
        assert stable.cdf(0.0, alpha) == 0.5
    half = stable.cdf([-np.inf, np.inf], 1.3), stable.sf([-np.inf, np.inf], 0.7), stable.pdf([np.inf, -np.inf], 1.3)
    np.testing.assert_array_equal(half, [[0, 1], [1, 0], [0, 0]])


def test_it_tends_to_the_gaussian_law():
    x = np.array([0.1, 1.0, 4.0])
    np.testing.assert_allclose(stable.sf(x, 2 - 1e-12), stable.sf(x, 2.0), rtol=1e-8)
    assert abs(stable.sf(4.0, 1.9) / stable.sf(4.0, 2.0) - 1) > 1


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.7, 1.0, 1.2, 1.5, 1.9, 1.99, 1.999999, 2.0])
def test_quantiles(alpha):
    q = np.concatenate([np.geomspace(1e-100, 0.39, 200), 0.5 - np.geomspace(1e-9, 0.1, 50), [0.5]])
    x = stable.ppf(q, alpha)
    finite = np.isfinite(x)  # for small alpha the farthest quantiles leave double precision
    assert finite.sum() > 60
    q, x = q[finite], x[finite]
    rounding = np.spacing(np.where(q < 0.25, q, 0.5))  # of the probability that the distribution function returns
    allowed = 1e-12 * np.abs(x) * stable.pdf(x, alpha) + 2 * rounding
    assert np.all(np.abs(stable.cdf(x, alpha) - q) <= allowed)
    assert np.all(np.diff(stable.ppf(np.sort(q), alpha)) > 0)
    upper = 1.0 - q[q > 1e-3]
    np.testing.assert_allclose(stable.ppf(upper, alpha), -stable.ppf(1.0 - upper, alpha), rtol=1e-12)
    np.testing.assert_array_equal(stable.ppf([0.0, 0.5, 1.0], alpha), [-np.inf, 0.0, np.inf])


def test_quantiles_against_many_digits():
    for alpha, x in ((0.5, 0.01), (1.3, 0.6), (1.7, 3.0), (1.99, 4.18), (1.2, 500.0)):
        tail, _ = reference(alpha, x)
        assert -stable.ppf(float(tail), alpha) == pytest.approx(x, rel=1e-11)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=30), st.sampled_from([0.3, 0.77, 1.0, 1.3, 1.5, 1.93, 2.0])
)
def test_a_distribution_function(values, alpha):
    x = np.sort(values)
    below, above = stable.cdf(x, alpha), stable.sf(x, alpha)
    assert np.all(np.diff(below) >= -4e-16) and np.all(np.diff(above) <= 4e-16)
    np.testing.assert_allclose(below + above, 1.0, rtol=1e-15, atol=1e-15)
    np.testing.assert_array_equal(below, stable.sf(-x, alpha))
    assert np.all(stable.pdf(x, alpha) >= 0.0)


@pytest.mark.parametrize("alpha", [0.5, 1.2, 1.5, 1.9])
def test_the_draws_follow_it(alpha):
    """Kolmogorov and Smirnov: the distance passes 2.7/sqrt(n) with probability 1e-6; another index is seen."""
    n = 200_000
    x = np.sort(stable.rvs(alpha, n, seed=11))

    def distance(index):
        p = stable.cdf(x, index)
        return max(np.max(np.arange(1, n + 1) / n - p), np.max(p - np.arange(n) / n))

    assert distance(alpha) < 2.7 / math.sqrt(n) < distance(alpha - 0.2)


def test_moments():
    for q, alpha in ((0.5, 1.5), (1.0, 1.3), (-0.5, 0.7), (1.9, 2.0)):
        x = np.geomspace(1e-12, 1e12, 400_001)
        step = math.log(x[1] / x[0])
        body = 2 * step * np.sum(x ** (q + 1) * stable.pdf(x, alpha))
        ends = 2 * stable.pdf(0.0, alpha) * 1e-12 ** (q + 1) / (q + 1)
        if alpha < 2:
            ends += 2 * stable.tail_constant(alpha) * alpha * 1e12 ** (q - alpha) / (alpha - q)
        assert stable.moment(q, alpha) == pytest.approx(body + ends, rel=2e-5)
    np.testing.assert_array_equal(stable.moment([1.5, 2.0], 1.5), [np.inf, np.inf])
    np.testing.assert_allclose(stable.moment([1.0, 2.0, 4.0], 2.0), [2 / math.sqrt(math.pi), 2.0, 12.0], rtol=1e-14)
    assert stable.moment(1.0, 1.5) == pytest.approx(2 / math.pi * math.gamma(1 / 3), rel=1e-14)


def test_tail_constant():
    alphas = np.array([0.5, 1.0, 1.5, 1.9])
    far = [stable.sf(1e30, a) * 1e30**a for a in alphas]
    np.testing.assert_allclose(stable.tail_constant(alphas), far, rtol=1e-12)
    assert stable.tail_constant(2.0) == 0.0
    assert stable.tail_constant(1.0) == pytest.approx(1 / math.pi, rel=1e-15)


def test_shapes():
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    assert stable.pdf(x, 1.5).shape == (3, 4) and isinstance(stable.cdf(0.3, 1.5), float)
    mixed = stable.cdf(x, np.array([0.5, 1.0, 1.5, 2.0]))
    for j, alpha in enumerate((0.5, 1.0, 1.5, 2.0)):
        np.testing.assert_array_equal(mixed[:, j], stable.cdf(x[:, j], alpha))
    assert math.isnan(stable.pdf(math.nan, 1.5)) and stable.sf([1, 2], 1.5).shape == (2,)
    assert stable.cdf(np.empty(0), 1.5).shape == (0,)


def test_a_value_does_not_depend_on_its_neighbours():
    x = stable.rvs(1.4, 1000, seed=2)
    np.testing.assert_array_equal(stable.pdf(x, 1.4)[500:], stable.pdf(x[500:], 1.4))


@pytest.mark.parametrize("function", [stable.pdf, stable.cdf, stable.sf, stable.ppf])
@pytest.mark.parametrize("alpha", [0.0, -1.0, 0.01, 2.1, math.nan, math.inf, "1.5", None, True])
def test_wrong_alpha(function, alpha):
    with pytest.raises(ValueError, match=r"alpha must lie in \[0.05, 2\]|alpha must be an array"):
        function(0.3, alpha)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="x must be an array of real numbers"):
        stable.pdf("a", 1.5)
    with pytest.raises(ValueError, match="x must be an array of real numbers"):
        stable.cdf([1j], 1.5)
    for q in (-0.1, 1.1, math.nan, [0.5, 2.0]):
        with pytest.raises(ValueError, match=r"q must lie in \[0, 1\]"):
            stable.ppf(q, 1.5)
    with pytest.raises(ValueError, match=r"alpha must lie in \[0.05, 2\], got 3.0"):
        stable.pdf([1.0, 2.0], [1.5, 3.0])
    with pytest.raises(ValueError, match="q must be above -1"):
        stable.moment(-1.0, 1.5)
    for function in (lambda a: stable.moment(1.0, a), stable.tail_constant):
        with pytest.raises(ValueError, match=r"alpha must lie in \(0, 2\]"):
            function([1.0, 2.5])


def test_table_is_made_once():
    assert stable_table.table(1.37) is stable_table.table(1.37)
    assert stable_law.table is stable_table.table
