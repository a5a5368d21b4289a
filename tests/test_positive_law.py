"""positive_law.py: against mpmath by two formulas that share nothing with it or each other, Levy's law, the sampler."""

import goodness
import mpmath as mp
import numpy as np
import pytest
from scipy import special

from chaosnum import positive_law, stable

FUNCTIONS = (positive_law.cdf, positive_law.sf, positive_law.pdf)
CLAIM = 1e-11


def series(x, a, which):
    """The convergent series in x^-a at 40 digits, with as many more as its cancellation costs."""
    a, x = mp.mpf(a), mp.mpf(x)
    peak = (a / x) ** (a / (1 - a))  # number of the largest term
    top = max(mp.loggamma(peak * a) - mp.loggamma(peak + 1) - peak * a * mp.log(x), 0) if peak > 1 else 0
    with mp.workdps(int(60 + (top + (1 - a) * peak) / 2.3)):
        total, k = mp.mpf(0), 1
        while True:
            size = mp.gamma(k * a) / mp.factorial(k) * x ** (-k * a) * (a * k / x if which == 2 else 1)
            total += size * mp.sin(mp.pi * k * (1 - a))
            k += 1
            if k > peak and size < mp.mpf(10) ** -45 * abs(total if which else 1) * mp.exp(-(1 - a) * peak):
                break
        total /= mp.pi
        return 1 - total if which == 0 else total


def inversion(x, a, which):
    """The Laplace inversion of exp(-s^a) along the two sides of the negative axis, at 40 digits."""
    a, x = mp.mpf(a), mp.mpf(x)
    lost = (1 - a) * (a / x) ** (a / (1 - a))
    with mp.workdps(int(40 + lost)):
        cosine, sine = mp.cospi(a), mp.sinpi(a)

        def integrand(v):
            u = mp.exp(v)
            wave = mp.exp(-x * u - u**a * cosine) * mp.sin(u**a * sine)
            return wave * u if which == 2 else wave

        digits = mp.mp.dps * 2.3
        top = mp.log(3 * digits / x + (3 / x) ** (1 / (1 - a)))
        value = mp.quad(integrand, mp.linspace(-digits / a, top, 40), maxdegree=9) / mp.pi
        return 1 - value if which == 0 else value


def points(a, exponents):
    """The x at which -log P(A <= x) is about an exponent (large ones), or its logarithm about log(exponent)."""
    return [a * ((1 - a) / g) ** ((1 - a) / a) for g in exponents]


CASES = [(a, x) for a in (0.05, 0.3, 0.5, 0.6, 0.75, 0.9, 0.95) for x in points(a, (8, 0.5))]
CASES += [(0.99, x) for x in points(0.99, (0.3, 0.02))] + [(0.7, x) for x in (1.0, 7.2, 7.3, 1e3, 1e12)]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_against_the_series(which):
    error = [abs(mp.mpf(FUNCTIONS[which](x, a)) / series(x, a, which) - 1) for a, x in CASES]
    assert max(error) < CLAIM, CASES[int(np.argmax(error))]


@pytest.mark.parametrize("a", [0.3, 0.75, 0.999])
def test_against_the_inversion(a):
    for x in points(a, (6.0, 0.1) if a < 0.5 else (2.0,)):
        for which in (0, 2):
            truth = inversion(x, a, which)
            assert abs(mp.mpf(FUNCTIONS[which](x, a)) / truth - 1) < CLAIM, (x, which)
            if a < 0.99:
                assert abs(truth / series(x, a, which) - 1) < 1e-12  # the references against each other


@pytest.mark.long
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("a", [0.05, 0.1, 0.2, 0.4, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98])
def test_against_the_series_on_a_grid(a, which):
    for x in points(a, np.geomspace(100, 1e-4, 23)):
        assert abs(mp.mpf(FUNCTIONS[which](x, a)) / series(x, a, which) - 1) < CLAIM, x


def test_levy():
    """a = 1/2 in closed form, over all of double precision."""
    x = np.concatenate([np.geomspace(4e-4, 4.0, 400), np.geomspace(4.0, 1e30, 400)])
    root = 0.5 / np.sqrt(x)
    truths = special.erfc(root), special.erf(root), np.exp(-(root**2)) / (2 * np.sqrt(np.pi) * x**1.5)
    for function, truth in zip(FUNCTIONS, truths):
        assert np.max(np.abs(function(x, 0.5) / truth - 1)) < 1e-12
    assert np.max(np.abs(positive_law.cdf(x, 0.501) / truths[0] - 1)) > 1e-3


@pytest.mark.parametrize("a", [0.05, 0.4, 0.75, 0.95, 0.999])
def test_consistency(a):
    """cdf + sf = 1, monotone, nothing jumps where the series takes over, and the Laplace transform."""
    x = np.array(points(a, np.geomspace(100.0, 1e-6, 1200)))
    x = x[x < 1e300]
    below, above = positive_law.cdf(x, a), positive_law.sf(x, a)
    assert np.max(np.abs(below + above - 1)) < 1e-14
    assert (np.diff(below) >= -1e-14).all() and (np.diff(above) <= 1e-14).all()
    edge = positive_law.SERIES_FROM ** (1 / a) * np.array([1 - 1e-13, 1 + 1e-13])
    for function in FUNCTIONS:
        left, right = function(edge, a)
        assert abs(left / right - 1) < 1e-11
    # E exp(-s A) = s int exp(-s x) F(x) dx, trapezoidal in log x
    spacing = 1 / 4096 if a > 0.99 else 1 / 512
    e = np.exp(np.arange(-40.0, 6.0, spacing))
    for s in (0.3, 2.0):
        transform = np.sum(s * e * np.exp(-s * e) * positive_law.cdf(e, a)) * spacing
        assert abs(transform - np.exp(-(s**a))) < 1e-11


@pytest.mark.parametrize("a", [0.05, 0.3, 0.6, 0.9, 0.99, 0.999])
def test_quantiles(a):
    q = np.concatenate([np.geomspace(1e-300, 0.1, 100), np.linspace(0.1, 0.9999, 100)])
    x = positive_law.ppf(q, a)
    slope = x * positive_law.pdf(x, a)  # an error d in log x moves the cdf by slope d
    assert np.max(np.abs(positive_law.cdf(x, a) - q) / slope) < 1e-12 / min(1.0, a)
    assert np.max(np.abs(positive_law.sf(x, a) - (1 - q)) / (1 - q)) < 1e-12
    assert positive_law.ppf(0.0, a) == 0.0 and positive_law.ppf(1.0, a) == np.inf


@pytest.mark.parametrize("a", [0.3, 0.6, 0.95])
def test_the_sampler_has_this_law(a):
    """Kolmogorov-Smirnov, 20000 draws at level 1e-6; of a law whose index is 0.05 off they are rejected."""
    x = stable.rvs_positive(a, 20_000, seed=31)
    assert goodness.kolmogorov(x, lambda t: positive_law.cdf(t, a)) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(x, lambda t: positive_law.cdf(t, a - 0.05)) > goodness.KOLMOGOROV_CRITICAL


def test_shapes_and_ends():
    x = np.array([[-1.0, 0.0, 1e-300], [1.0, 1e300, np.inf]])
    below, above, density = (f(x, 0.7) for f in FUNCTIONS)
    assert below.shape == x.shape and np.array_equal(below[0], [0, 0, 0]) and below[1, 2] == 1
    assert np.array_equal(above[0], [1, 1, 1]) and above[1, 2] == 0 and above[1, 1] > 0
    assert np.array_equal(density[0], [0, 0, 0]) and density[1, 2] == 0
    assert isinstance(positive_law.cdf(1, 0.7), float) and isinstance(positive_law.ppf(0.5, 0.7), float)
    assert positive_law.cdf([], 0.7).shape == (0,) and positive_law.ppf([], 0.7).shape == (0,)
    many = np.linspace(0.01, 3.0, 5000)
    assert np.array_equal(positive_law.cdf(many[::-1], 0.9)[::-1], positive_law.cdf(many, 0.9))


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.5, 0.005, np.nan, "0.5", True])
def test_bad_index(bad):
    with pytest.raises(ValueError, match=r"a must lie in \[0\.01, 0\.99999\]"):
        positive_law.cdf(1.0, bad)
    with pytest.raises(ValueError, match=r"a must lie in"):
        positive_law.ppf(0.5, bad)


@pytest.mark.parametrize("bad", [np.nan, "one", [1.0, np.nan], 1j])
def test_bad_arguments(bad):
    for function in FUNCTIONS:
        with pytest.raises(ValueError, match="x must be real numbers"):
            function(bad, 0.5)
    with pytest.raises(ValueError, match="q must"):
        positive_law.ppf(bad, 0.5)


@pytest.mark.parametrize("bad", [-0.1, 1.1, [0.5, 2.0]])
def test_bad_probability(bad):
    with pytest.raises(ValueError, match=r"q must lie in \[0, 1\]"):
        positive_law.ppf(bad, 0.5)
