"""fitted.py: the law that is read off weights foretells the errors of fresh samples of the true law."""

import numpy as np
import pytest
from scipy import stats

from chaosnum import compress, fitted, stable
from chaosnum.weights import Layer

FALSE_ALARM = 1e-6
KAPPAS = (0.02, 0.1, 0.5)


def error_curve(y, kappas, p):
    """The definition, term by term."""
    y = np.sort(y)[::-1]
    return [(np.sum(y[round(k * y.size) :] ** p) / np.sum(y**p)) ** (1 / p) for k in kappas]


def pareto(alpha, size, seed):
    return np.random.default_rng(seed).pareto(alpha, size) + 1


def critical(m, n):
    """A two-sample Kolmogorov-Smirnov distance is above this with probability FALSE_ALARM, if the laws are equal."""
    return stats.kstwobign.isf(FALSE_ALARM) * np.sqrt((m + n) / (m * n))


def fresh(draw, kappas, p, replicas=1000):
    return np.array([error_curve(draw(seed), kappas, p) for seed in range(replicas)])


@pytest.mark.parametrize(("alpha", "p"), [(0.8, 1), (1.5, 2), (1.5, 1), (1.5, 1.5), (2.5, 2)])
def test_errors_of_fresh_pareto_samples(alpha, p):
    """On both sides of p = alpha and at it, at this very n: no limit is taken. With the body of 4000 and the share of
    the tail known exactly, what differs from a fresh sample is the body's own scatter and a count of n^0.4."""
    n, k = 4000, 200
    ideal = (1 - (np.arange(n) + 0.5) / n) ** (-1 / alpha)  # quantiles: a body without scatter of its own
    law = fitted.tail_law(ideal, alpha, k)
    foretold = law.errors(KAPPAS, p, draws=2000, seed=1)
    seen = fresh(lambda seed: pareto(alpha, n, seed), KAPPAS, p)
    for j in range(len(KAPPAS)):
        assert stats.ks_2samp(foretold[:, j], seen[:, j]).statistic < critical(2000, 1000)
    # partner: the tail index of another law
    wrong = fitted.tail_law(ideal, alpha * 1.25, k).errors(KAPPAS, p, draws=2000, seed=1)
    assert stats.ks_2samp(wrong[:, 1], seen[:, 1]).statistic > 1.5 * critical(2000, 1000)


@pytest.mark.parametrize("alpha", [1.2, 1.5])
def test_the_formula_of_c5_agrees(alpha):
    """At n = 10^5 the drawn errors have the quantiles of `compress.error_quantiles` (an asymptotic formula): the share
    of draws below each is binomial. Partner: the formula for another alpha."""
    n, levels = 10**5, np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    body = stable.ppf(0.5 + 0.5 * (np.arange(n) + 0.5) / n, alpha)
    found = fitted.tail_law(body, alpha).errors([0.1], 2.0, draws=2000, seed=3)[:, 0]

    def agree(law_alpha):
        expected = compress.error_quantiles(levels, n, law_alpha, 0.1)
        counts = [np.count_nonzero(found <= value) for value in expected]
        return all(stats.binom.ppf(FALSE_ALARM, 2000, q) <= count <= stats.binom.isf(FALSE_ALARM, 2000, q)
                   for count, q in zip(counts, levels))  # fmt: skip

    assert agree(alpha)
    assert not agree(alpha + 0.1)


def test_the_range_holds_the_measured_error():
    """From the weights alone, alpha estimated too: of 40 samples the range of 90 % holds its share of them."""
    held = wrong = 0
    for seed in range(40):
        x = stable.rvs(1.3, 600, seed=seed)
        found = fitted.study(Layer("x", x.shape, "entries", x), ps=[2.0], kappas=[0.1])
        (errors,) = found["errors"]
        held += errors["low"][0] <= errors["measured"][0] <= errors["high"][0]
        low, high = np.quantile(fitted.tail_law(np.abs(x), 2.5).errors([0.1], 2.0), [0.05, 0.95])
        wrong += low <= errors["measured"][0] <= high
        assert found["heavy"] and errors["growing"].endswith(": compressible")
    least = stats.binom.ppf(FALSE_ALARM, 40, 0.9)
    assert held >= least
    assert wrong < least  # partner: a tail that is not the sample's


def test_weights_that_no_estimator_can_use():
    x = np.tile([1.0, 2.0, 3.0], 100)
    with pytest.raises(ValueError, match="distinct"):
        fitted.study(Layer("x", x.shape, "entries", x))
    for wrong in ({"ps": [0.0]}, {"kappas": [1.0]}):
        with pytest.raises(ValueError, match=r"(p|kappa) must lie in"):
            fitted.study(Layer("x", x.shape, "entries", x), **wrong)


def test_the_law_is_the_sample_where_nothing_is_random():
    """Everything kept, nothing kept; and with hardly a tail the error is that of the body."""
    y = pareto(1.5, 1000, 3)
    law = fitted.tail_law(y, 1.5)
    assert (law.k, law.n, law.body.size) == (11, 1000, 989)
    assert law.threshold == law.body[-1] == np.sort(y)[-12]
    found = law.errors([1e-9, 1.0], 2.0)
    assert np.all(found[:, 0] == 1.0) and np.all(found[:, 1] == 0.0)
    flat = fitted.tail_law(np.linspace(0.5, 1.0, 1001), 1e4)  # beyond the threshold everything is about the same
    expected = error_curve(flat.body, [0.3], 2)[0]
    assert np.allclose(flat.errors([0.3], 2.0), expected, atol=0.02)
    assert np.array_equal(law.errors(KAPPAS, 2.0, draws=50), law.errors(KAPPAS, 2.0, draws=50))
    for curve in law.errors(np.geomspace(0.001, 1, 30), 2.0, draws=50):
        assert np.all(np.diff(curve) <= 0)


def test_scale_does_not_matter():
    y = pareto(1.5, 1000, 3)
    expected = fitted.tail_law(y, 1.5).errors(KAPPAS, 2.0, draws=20)
    for scale in (1e-200, 1e200):
        assert np.allclose(fitted.tail_law(scale * y, 1.5).errors(KAPPAS, 2.0, draws=20), expected, rtol=1e-9)


def test_a_high_power_does_not_overflow():
    """Of the largest term alone the error is the second largest's share, however high the power."""
    found = fitted.tail_law(pareto(0.3, 1000, 1), 0.3).errors(KAPPAS, 100.0, draws=50)
    assert np.all((found >= 0) & (found <= 1)) and np.all(found[:, 0] < 0.5)


def test_mostly_zeros():
    y = np.concatenate([np.zeros(10**6), pareto(1.5, 120, 1)])
    law = fitted.tail_law(y, 1.5)
    assert 0 < law.threshold and law.k == 119
    assert np.all(law.errors([0.01], 2.0, draws=9) == 0.0)


@pytest.mark.parametrize(("y", "alpha", "k", "words"), [
    (np.ones((3, 3)), 1.5, None, "y must have 1 dimension"), ([1.0, np.nan], 1.5, None, "y must be finite"),
    (pareto(1.5, 99, 1), 0.0, None, "alpha must lie in"), (pareto(1.5, 99, 1), 1.5, 0, "k must be a whole number"),
    (pareto(1.5, 99, 1), 1.5, 99, "k must be a whole number"), (np.zeros(99), 1.5, 5, "threshold must lie in"),
    (np.zeros(99), 1.5, None, "k must be a whole number"),
])  # fmt: skip
def test_bad_arguments(y, alpha, k, words):
    with pytest.raises(ValueError, match=words):
        fitted.tail_law(y, alpha, k)


@pytest.mark.parametrize("d", [1, 3, 50])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_gaussian_units(d, p):
    """At n = 10^5 the curve is within 5 standard deviations, each below 1 / sqrt(n), of the limit."""
    norms = np.linalg.norm(np.random.default_rng(1).standard_normal((d, 10**5)), axis=0)
    kappas = [0.05, 0.3, 0.9]
    assert np.allclose(fitted.gaussian_errors(kappas, p, d), error_curve(norms, kappas, p), atol=5 / 10**2.5)
    wrong = fitted.gaussian_errors(kappas, p, d + 2)
    assert not np.allclose(wrong, error_curve(norms, kappas, p), atol=5 / 10**2.5) or d == 50


def test_growing():
    assert fitted.growing_words(1.5, 2.0) == "tends to 0 as n grows, like n^-0.167: compressible"
    assert fitted.growing_words(2.0, 2.0) == "tends to 0 as n grows, with a power of log n only"
    assert fitted.growing_words(None, 2.0).startswith(fitted.growing_words(1.5, 1.0))
    assert fitted.growing_words(1.9, 2.0, (1.8, 1.95)) == fitted.growing_words(1.9, 2.0)
    assert fitted.growing_words(1.9, 2.0, (1.8, 2.1)).endswith("; α = 2 lies within the interval, so the other case "
                                                               "is open too")  # fmt: skip


def test_orders_beyond_100_are_refused():
    """The powers in a predicted error would underflow, and zero is no prediction."""
    x = stable.rvs(1.5, 500, seed=1)
    with pytest.raises(ValueError, match=r"^p must lie in \(0, 100\], got 1000.0$"):
        fitted.study(Layer("a", x.shape, "entries", x), ps=[1000.0])


def test_a_limit_without_a_tail_is_conditional():
    assert fitted.growing_words(None, 2.0).endswith("unless there is a power tail after all")
    assert "unless" not in fitted.growing_words(2.5, 2.0)
