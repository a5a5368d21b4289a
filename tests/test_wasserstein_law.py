"""wasserstein_law.py and stepintegral.py: closed forms at 40 digits, the two formulas against each other, refusals.

The closed forms need the law's F, F^-1, 1 - F and the antiderivatives, written down in mpmath: the integral of a step
function against them is a finite sum.
"""

import math
import warnings

import mpmath as mp
import numpy as np
import pytest
from scipy import special, stats

from chaosnum import stable, stepintegral
from chaosnum.wasserstein import w1, w1_to_cdf, wp, wp_to_ppf

CLAIM = 1e-9


# ---------------------------------------------------------------- laws in closed form


class Law:
    """cdf, sf, ppf, isf for arrays; in mpmath the quantiles q(u), `below(x)` = int_-inf^x F, `above(x)` = int_x^inf 1-F
    and `powers(u)` = (int_0^u q, int_0^u q^2)."""


class Uniform(Law):
    cdf, sf = (lambda _, x: np.clip(x, 0, 1)), (lambda _, x: np.clip(1 - x, 0, 1))
    ppf, isf = (lambda _, u: u), (lambda _, s: 1 - s)
    q = staticmethod(lambda u: u)
    below = staticmethod(lambda x: 0 if x < 0 else x**2 / 2 if x < 1 else x - mp.mpf(1) / 2)
    above = staticmethod(lambda x: mp.mpf(1) / 2 - x if x < 0 else (1 - x) ** 2 / 2 if x < 1 else 0)
    powers = staticmethod(lambda u: (u**2 / 2, u**3 / 3))


class Exponential(Law):
    cdf, sf = (lambda _, x: -np.expm1(-np.maximum(x, 0))), (lambda _, x: np.exp(-np.maximum(x, 0)))
    ppf, isf = (lambda _, u: -np.log1p(-u)), (lambda _, s: -np.log(s))
    q = staticmethod(lambda u: -mp.log(1 - u))
    below = staticmethod(lambda x: 0 if x < 0 else x - 1 + mp.exp(-x))
    above = staticmethod(lambda x: 1 - x if x < 0 else mp.exp(-x))

    @staticmethod
    def powers(u):
        v = 1 - u
        log = mp.log(v) if v else mp.mpf(0)
        return 1 - v + v * log, 2 - v * (log**2 - 2 * log + 2)


class Gaussian(Law):
    cdf, sf = (lambda _, x: special.ndtr(x)), (lambda _, x: special.ndtr(-x))
    ppf, isf = (lambda _, u: special.ndtri(u)), (lambda _, s: -special.ndtri(s))
    q = staticmethod(lambda u: mp.sqrt(2) * mp.erfinv(2 * u - 1))
    below = staticmethod(lambda x: x * mp.ncdf(x) + mp.npdf(x))
    above = staticmethod(lambda x: mp.npdf(x) - x * mp.ncdf(-x))

    @staticmethod
    def powers(u):
        if u in (0, 1):
            return mp.mpf(0), mp.mpf(u)
        q = Gaussian.q(u)
        return -mp.npdf(q), u - q * mp.npdf(q)


class Pareto(Law):
    """P(X > x) = x^-alpha on [1, inf)."""

    def __init__(self, alpha):
        self.alpha = alpha

    def cdf(self, x):
        return -np.expm1(-self.alpha * np.log(np.maximum(x, 1)))

    def sf(self, x):
        return np.maximum(x, 1) ** -self.alpha

    def ppf(self, u):
        return np.exp(-np.log1p(-u) / self.alpha)

    def isf(self, s):
        return s ** (-1 / self.alpha)

    def q(self, u):
        return (1 - u) ** (-1 / mp.mpf(self.alpha))

    def above(self, x):
        a = mp.mpf(self.alpha)
        return 1 - x + 1 / (a - 1) if x < 1 else x ** (1 - a) / (a - 1)

    def below(self, x):
        a = mp.mpf(self.alpha)
        return 0 if x < 1 else x - 1 - (1 - x ** (1 - a)) / (a - 1)

    def powers(self, u):
        a = mp.mpf(self.alpha)
        return tuple((1 - (1 - u) ** (1 - k / a)) / (1 - k / a) for k in (1, 2))


class Student2(Law):
    """Student's law with two degrees of freedom: F = (1 + x / sqrt(2 + x^2)) / 2; tail index 2."""

    def cdf(self, x):
        root = np.hypot(x, math.sqrt(2))
        return np.where(x < 0, 1 / (root * (root - x)), (1 + x / root) / 2)

    def sf(self, x):
        return self.cdf(-x)

    def ppf(self, u):
        return (2 * u - 1) / np.sqrt(2 * u * (1 - u))

    def isf(self, s):
        return -self.ppf(s)

    q = staticmethod(lambda u: (2 * u - 1) / mp.sqrt(2 * u * (1 - u)))
    below = staticmethod(lambda x: (x + mp.sqrt(2 + x**2)) / 2)
    above = staticmethod(lambda x: (mp.sqrt(2 + x**2) - x) / 2)


LAWS = {
    "uniform": Uniform(), "exponential": Exponential(), "Gaussian": Gaussian(), "Student 2": Student2(),
    "Pareto 1.01": Pareto(1.01), "Pareto 1.2": Pareto(1.2), "Pareto 4": Pareto(4.0),
}  # fmt: skip


def exact_w1(x, law):
    """W_1 as a finite sum of antiderivatives, 40 digits."""
    with mp.workdps(40):
        x, n, total = [mp.mpf(float(v)) for v in np.sort(x)], len(x), mp.mpf(0)
        total += law.below(x[0]) + law.above(x[-1])
        for i in range(1, n):
            a, b, u = x[i - 1], x[i], mp.mpf(i) / n
            c = min(max(law.q(u), a), b)
            total += u * (c - a) - (law.below(c) - law.below(a)) + (law.below(b) - law.below(c)) - u * (b - c)
        return float(total)


def exact_w2(x, law):
    """W_2 by the integrals of the quantile function and its square."""
    with mp.workdps(40):
        total, n = mp.mpf(0), len(x)
        ends = [law.powers(mp.mpf(i) / n) for i in range(n + 1)]
        for v, (a1, a2), (b1, b2) in zip(np.sort(x), ends, ends[1:]):
            v = mp.mpf(float(v))
            total += v * v / n - 2 * v * (b1 - a1) + (b2 - a2)
        return float(mp.sqrt(total))


def draws(law, n, seed):
    return law.ppf(np.random.default_rng(seed).random(n))


@pytest.mark.parametrize("n", [1, 2, 3, 50, 400])
@pytest.mark.parametrize("name", LAWS)
def test_w1_closed_forms(name, n):
    law = LAWS[name]
    for x in (draws(law, n, 1), 3 * draws(law, n, 2) - 2):  # of the law, and of another
        ref = exact_w1(x, law)
        assert w1_to_cdf(x, law.cdf, sf=law.sf) == pytest.approx(ref, rel=CLAIM)
        assert wp_to_ppf(x, law.ppf, 1, isf=law.isf) == pytest.approx(ref, rel=CLAIM)
        assert w1_to_cdf(x, lambda t: law.cdf(t - 0.01), sf=lambda t: law.sf(t - 0.01)) != pytest.approx(ref, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 50, 400])
@pytest.mark.parametrize("law", [Uniform(), Exponential(), Gaussian(), Pareto(2.02), Pareto(2.5), Pareto(8.0)])
def test_w2_closed_forms(law, n):
    for x in (draws(law, n, 3), 3 * draws(law, n, 4) - 2):
        assert wp_to_ppf(x, law.ppf, 2, isf=law.isf) == pytest.approx(exact_w2(x, law), rel=CLAIM)


@pytest.mark.parametrize("p, law", [(1.5, Student2()), (1.9, Student2()), (3, Exponential())])
def test_wp_quadrature(p, law):
    x = np.sort(draws(law, 4, 5))
    upper = {Student2: lambda s: -Student2.q(s), Exponential: lambda s: -mp.log(s)}[type(law)]

    def half(points, q):
        """int_0^(1/2); with u = t^40 the integrand is smooth at its singular end."""
        total = mp.mpf(0)
        for v, a, b in zip(points, (0.0, 0.25), (0.25, 0.5)):
            kink = mp.findroot(lambda u, v=v: q(u) - v, [(a + b) / 2, (a + b) / 2 + 0.01])
            inside = [kink] if a < kink < b else []
            ends = [mp.mpf(t) ** (mp.mpf(1) / 40) for t in (a, *inside, b)]
            total += mp.quad(lambda t, v=v: abs(v - q(t**40)) ** p * 40 * t**39 if t else mp.mpf(0), ends)
        return total

    with mp.workdps(25):
        x = [mp.mpf(float(v)) for v in x]
        total = half(x[:2], law.q) + half([-v for v in x[:1:-1]], lambda s: -upper(s))
        ref = float(total ** (1 / mp.mpf(p)))
    assert wp_to_ppf(np.array(x, dtype=float), law.ppf, p, isf=law.isf) == pytest.approx(ref, rel=CLAIM)


# ---------------------------------------------------------------- stable laws


def stable_law(alpha):
    pairs = (stable.cdf, stable.sf, stable.ppf)
    cdf, sf, ppf = ((lambda t, f=f: f(t, alpha)) for f in pairs)
    return cdf, sf, ppf, lambda s: -ppf(s)


@pytest.mark.parametrize("alpha", [1.005, 1.05, 1.2, 1.5, 1.9, 1.999, 2.0])
def test_one_point_is_a_moment(alpha):
    """W_q from 0 to the law is (E|X|^q)^(1/q); at alpha = 1.005 nearly all of it lies in the tails."""
    cdf, sf, ppf, isf = stable_law(alpha)
    mean = 2 / math.pi * special.gamma(1 - 1 / alpha)
    assert w1_to_cdf([0.0], cdf, sf=sf) == pytest.approx(mean, rel=CLAIM)
    for q in (1, (1 + alpha) / 2):
        moment = 2**q * special.gamma((1 + q) / 2) * special.gamma(1 - q / alpha)
        moment /= math.sqrt(math.pi) * special.gamma(1 - q / 2)
        assert wp_to_ppf([0.0], ppf, q, isf=isf) == pytest.approx(moment ** (1 / q), rel=CLAIM)


@pytest.mark.parametrize("alpha", [1.02, 1.1, 1.5, 1.8, 2.0])
@pytest.mark.parametrize("n", [1, 10, 3000])
def test_both_formulas(alpha, n):
    cdf, sf, ppf, isf = stable_law(alpha)
    x = stable.rvs(alpha, n, seed=6)
    comp = w1_to_cdf(x, cdf, sf=sf)
    assert comp == pytest.approx(wp_to_ppf(x, ppf, 1, isf=isf), rel=CLAIM)
    assert comp != pytest.approx(w1_to_cdf(x, lambda t: cdf(t - 0.02), sf=lambda t: sf(t - 0.02)), rel=1e-4)
    assert w1_to_cdf(5 * x, lambda t: cdf(t / 5), sf=lambda t: sf(t / 5)) == pytest.approx(5 * comp, rel=CLAIM)


def test_the_tails_beyond_the_sample_matter():
    """The integral between the smallest and the largest of 1000 points: what a sum over the sample would give."""
    cdf, sf, *_ = stable_law(1.1)
    x = np.sort(stable.rvs(1.1, 1000, seed=7))
    levels = np.arange(1, 1000) / 1000
    inside, _ = stepintegral.steps(cdf, x, levels, 1.0, 1e-9)
    assert inside < 0.6 * w1_to_cdf(x, cdf, sf=sf)


def test_triangle_with_a_large_sample():
    """1e5 midpoints of the law's quantiles are near it, so both distances to x nearly agree."""
    cdf, sf, ppf, _ = stable_law(1.7)
    grid = ppf((np.arange(1e5) + 0.5) / 1e5)
    x = stable.rvs(1.7, 500, seed=8)
    near, direct = w1_to_cdf(grid, cdf, sf=sf), w1_to_cdf(x, cdf, sf=sf)
    assert near < 0.05 * direct
    assert abs(w1(x, grid) - direct) <= near
    assert abs(w1(x + 0.2, grid) - direct) > near


# ---------------------------------------------------------------- laws with jumps


def test_point_mass():
    x = stable.rvs(1.3, 50, seed=9)
    for c in (-2.0, 0.0, 0.3, float(x[7]), 1e9):
        cdf = lambda t, c=c: np.where(t >= c, 1.0, 0.0)  # noqa: E731
        comp = w1_to_cdf(x, cdf, sf=lambda t, cdf=cdf: 1 - cdf(t))
        assert comp == pytest.approx(np.mean(np.abs(x - c)), rel=CLAIM)
        for p in (1, 1.7, 2):
            ref = np.mean(np.abs(x - c) ** p) ** (1 / p)
            assert wp_to_ppf(x, lambda u, c=c: np.full(u.shape, c), p) == pytest.approx(ref, rel=CLAIM)


@pytest.mark.parametrize("n", [1, 9, 500])
def test_discrete_law(n):
    x, law, atoms = np.random.default_rng(10).poisson(3.3, n), stats.poisson(3.3), np.arange(80)
    for z in (x, x + 0.5):
        assert w1_to_cdf(z, law.cdf, sf=law.sf) == pytest.approx(w1(z, atoms, y_weights=law.pmf(atoms)), rel=CLAIM)
    assert wp_to_ppf(x, law.ppf, 2) == pytest.approx(wp(x, atoms, 2, y_weights=law.pmf(atoms)), rel=CLAIM)


def test_the_sample_as_a_law():
    """A step function against a step function: the distance of two samples."""
    for seed in range(20):
        x, y = stable.rvs(1.5, 40, seed=seed), np.sort(stable.rvs(1.5, 30, seed=100 + seed))
        cdf = lambda t: np.searchsorted(y, t, side="right") / 30  # noqa: B023, E731
        sf = lambda t: (30 - np.searchsorted(y, t, side="right")) / 30  # noqa: B023, E731
        assert w1_to_cdf(x, cdf, sf=sf) == pytest.approx(w1(x, y), rel=CLAIM)


# ---------------------------------------------------------------- weights, symmetry, cost


def test_weights():
    cdf, sf, ppf, isf = stable_law(1.6)
    rng = np.random.default_rng(13)
    x, a = stable.rvs(1.6, 60, seed=13), rng.integers(0, 5, 60)
    whole = np.repeat(x, a)
    assert w1_to_cdf(x, cdf, sf=sf, x_weights=a) == pytest.approx(w1_to_cdf(whole, cdf, sf=sf), rel=CLAIM)
    assert w1_to_cdf(x, cdf, sf=sf, x_weights=a / 7) == pytest.approx(w1_to_cdf(whole, cdf, sf=sf), rel=CLAIM)
    comp = wp_to_ppf(x, ppf, 1.3, isf=isf, x_weights=a)
    assert comp == pytest.approx(wp_to_ppf(whole, ppf, 1.3, isf=isf), rel=CLAIM)
    for heavy in (0, 30, 59):  # all but nothing of the mass in one point
        a = np.full(60, 1e-9)
        a[heavy] = 1.0
        ref = w1_to_cdf(x[[heavy]], cdf, sf=sf)
        assert w1_to_cdf(x, cdf, sf=sf, x_weights=a) == pytest.approx(ref, rel=1e-5)


def test_a_float_is_returned():
    cdf, sf, ppf, isf = stable_law(1.6)
    found = w1_to_cdf([1, 2], cdf, sf=sf), wp_to_ppf([1, 2], ppf, 1.2, isf=isf), w1_to_cdf([1], cdf, sf=sf, rtol=1e-6)
    assert {type(value) for value in found} == {float}


def test_reflection():
    law, x = Pareto(1.3), draws(Pareto(1.3), 70, 14)
    ref = w1_to_cdf(x, law.cdf, sf=law.sf)
    assert w1_to_cdf(-x, lambda t: law.sf(-t), sf=lambda t: law.cdf(-t)) == pytest.approx(ref, rel=CLAIM)
    ref = wp_to_ppf(x, law.ppf, 1.1, isf=law.isf)
    assert wp_to_ppf(-x, lambda u: -law.isf(u), 1.1, isf=lambda s: -law.ppf(s)) == pytest.approx(ref, rel=CLAIM)


def test_few_values_of_the_law_are_used():
    cdf, sf, ppf, isf = stable_law(1.5)
    counts = []

    def counted(f):
        return lambda t: (counts.append(t.size), f(t))[1]

    x = stable.rvs(1.5, 100_000, seed=15)
    w1_to_cdf(x, counted(cdf), sf=counted(sf))
    assert sum(counts) < 160_000
    counts.clear()
    wp_to_ppf(x, counted(ppf), 1.2, isf=counted(isf))
    assert sum(counts) < 1_800_000


def test_a_tolerance_is_kept():
    cdf, sf, *_ = stable_law(1.4)
    x = stable.rvs(1.4, 300, seed=16)
    best = w1_to_cdf(x, cdf, sf=sf, rtol=1e-11)
    for rtol in (1e-2, 1e-4, 1e-7):
        assert w1_to_cdf(x, cdf, sf=sf, rtol=rtol) == pytest.approx(best, rel=rtol)


# ---------------------------------------------------------------- light tails without sf, refusals


@pytest.mark.parametrize("n", [1, 50, 10_000])
def test_light_tails_need_no_sf(n):
    for law in (Uniform(), Exponential(), Gaussian()):
        x = draws(law, n, 17)
        assert w1_to_cdf(x, law.cdf) == pytest.approx(w1_to_cdf(x, law.cdf, sf=law.sf), rel=CLAIM)
        assert wp_to_ppf(x, law.ppf, 1) == pytest.approx(wp_to_ppf(x, law.ppf, 1, isf=law.isf), rel=CLAIM)
        assert wp_to_ppf(x, law.ppf, 2) == pytest.approx(wp_to_ppf(x, law.ppf, 2, isf=law.isf), rel=CLAIM)


@pytest.mark.parametrize("n", [1, 30, 1000])
def test_heavy_tails_without_sf_are_refused(n):
    for alpha in (1.05, 1.5, 1.9):
        cdf, _, ppf, _ = stable_law(alpha)
        x = stable.rvs(alpha, n, seed=18)
        with pytest.raises(ValueError, match="rtol = 1e-09 is out of reach, got .*: give sf"):
            w1_to_cdf(x, cdf)
        with pytest.raises(ValueError, match="rtol = 1e-09 is out of reach, got .*: give isf"):
            wp_to_ppf(x, ppf, 1)


def test_noise_is_refused():
    cdf, sf, *_ = stable_law(1.5)
    noisy = lambda f: lambda t: f(t) * (1 + 1e-7 * np.sin(1e9 * t))  # noqa: E731
    x = stable.rvs(1.5, 500, seed=19)
    with pytest.raises(ValueError, match="out of reach"):
        w1_to_cdf(x, noisy(cdf), sf=noisy(sf))
    comp = w1_to_cdf(x, noisy(cdf), sf=noisy(sf), rtol=1e-3)
    assert comp == pytest.approx(w1_to_cdf(x, cdf, sf=sf), rel=1e-3)


def test_a_tail_that_never_becomes_a_power_law_is_refused():
    """1 - F = 1 / (x log(x)^2) beyond e has a mean, of which a share 1/log(x) lies beyond x."""
    sf = lambda t: np.where(t > math.e, 1 / (np.maximum(t, 3) * np.log(np.maximum(t, math.e)) ** 2), 1.0)  # noqa: E731
    with pytest.raises(ValueError, match="out of reach"):
        w1_to_cdf([3.0, 4.0], lambda t: 1 - sf(t), sf=sf)


@pytest.mark.parametrize("alpha", [0.4, 0.9, 1.0])
def test_infinite_mean(alpha):
    cdf, sf, ppf, isf = stable_law(alpha)
    for x in ([0.0], stable.rvs(alpha, 100, seed=20)):
        with pytest.warns(UserWarning, match="infinite") as caught:
            assert w1_to_cdf(x, cdf, sf=sf) == math.inf
        assert caught[0].filename == __file__
        with pytest.warns(UserWarning, match="infinite"):
            assert wp_to_ppf(x, ppf, 1, isf=isf) == math.inf
    law = LAWS["Pareto 1.2"]
    with pytest.warns(UserWarning, match="infinite"):
        assert wp_to_ppf([2.0], law.ppf, 1.2, isf=law.isf) == math.inf
    with pytest.warns(UserWarning, match="p = 1.2 >= alpha = 1.2"), pytest.warns(UserWarning, match="so heavy"):
        wp_to_ppf([2.0], law.ppf, 1.2, isf=law.isf, alpha=1.2)


def test_a_finite_mean_does_not_warn():
    cdf, sf, *_ = stable_law(1.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w1_to_cdf(stable.rvs(1.05, 50, seed=21), cdf, sf=sf, alpha=1.05)


G = Gaussian()
BAD_CDF = [
    ({"x": []}, "x must not be empty"),
    ({"x": [math.nan]}, "x must be finite"),
    ({"x_weights": [1.0, -1.0, 1.0]}, "x_weights must be zero or more"),
    ({"rtol": 0.0}, r"rtol must lie in \(0, 1\), got 0.0"),
    ({"rtol": 1}, r"rtol must lie in \(0, 1\), got 1"),
    ({"alpha": -1}, "alpha must lie in"),
    ({"cdf": lambda t: 0.5}, r"cdf must return an array of its argument's shape \(2,\), got \(\)"),
    ({"cdf": math.erf}, "cdf must take an array and return one: TypeError"),
    ({"cdf": 0.5}, "cdf must be a function, got 0.5"),
    ({"sf": "x"}, "sf must be a function, got 'x'"),
    ({"cdf": lambda t: t * math.nan}, r"cdf must lie in \[0, 1\], got nan"),
    ({"cdf": lambda t: 1.5 + 0 * t}, r"cdf must lie in \[0, 1\], got 1.5"),
    ({"sf": lambda t: G.sf(t) - 0.1}, r"sf must lie in \[0, 1\], got -"),
    ({"cdf": G.sf}, "must not decrease"),
    ({"sf": G.cdf, "x": [-9.0, 0.0, 1.0, 2.0]}, "must not decrease"),
    ({"cdf": lambda t: 0.2 + 0.8 * G.cdf(t)}, "must tend to 0"),
]


@pytest.mark.parametrize("wrong, message", BAD_CDF)
def test_bad_input_cdf(wrong, message):
    arguments = {"x": [0.1, -1.0, 2.0], "cdf": G.cdf, "sf": G.sf} | wrong
    with pytest.raises(ValueError, match=message) as error:
        w1_to_cdf(**arguments)
    assert "\n" not in str(error.value)


BAD_PPF = [
    ({"p": 0.5}, r"p must lie in \[1, inf\), got 0.5"),
    ({"p": math.inf}, r"p must lie in \[1, inf\), got inf"),
    ({"x": [[1.0]]}, "x must have 1 dimension"),
    ({"ppf": lambda u: 1 / (u * 0)}, "ppf must be finite"),
    ({"isf": lambda s: s * math.nan}, r"isf must be finite inside \(0, 1\), got nan"),
    ({"ppf": lambda u: -u}, "must not decrease"),
    ({"ppf": lambda u: u[:1]}, "ppf must return an array of its argument's shape"),
    ({"ppf": None}, "ppf must be a function, got None"),
]


@pytest.mark.parametrize("wrong, message", BAD_PPF)
def test_bad_input_ppf(wrong, message):
    arguments = {"x": [0.1, -1.0, 2.0], "ppf": G.ppf, "p": 2, "isf": G.isf} | wrong
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message) as error:
        wp_to_ppf(**arguments)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- stepintegral.py


@pytest.mark.parametrize("nodes", [4, 9])
def test_lobatto(nodes):
    x, w = stepintegral.lobatto(nodes)
    for degree in range(2 * nodes - 2):
        assert w @ x**degree == pytest.approx((1 + (-1) ** degree) / (degree + 1), abs=1e-14)
    assert w @ x ** (2 * nodes - 2) != pytest.approx(2 / (2 * nodes - 1), rel=1e-6)
    assert (x[0], x[-1]) == (-1.0, 1.0)


MONOTONE = [
    (np.cbrt, lambda v: v**3),
    (lambda t: t**9, lambda v: np.sign(v) * np.abs(v) ** (1 / 9)),
    (np.arctan, np.tan),
    (lambda t: np.floor(t) + 0.5, lambda v: np.ceil(v - 0.5)),
]


@pytest.mark.parametrize("f, inverse", MONOTONE)
def test_crossings(f, inverse):
    a, b = np.array([-1.5, -1.4, -0.9, -1.3]), np.array([1.4, 0.7, 1.2, 1.5])
    level = np.array([0.3, -0.2, 1e-3, 0.7])
    root = stepintegral.crossings(f, level, a, b, f(a) - level, f(b) - level)
    np.testing.assert_allclose(root, inverse(level), rtol=1e-11, atol=1e-12)


def test_crossings_need_few_values():
    calls = []
    f = lambda t: (calls.append(t.size), np.tanh(t))[1]  # noqa: E731
    level = np.linspace(-0.9, 0.9, 1000)
    stepintegral.crossings(f, level, np.full(1000, -4.0), np.full(1000, 5.0), np.tanh(-4) - level, np.tanh(5) - level)
    assert sum(calls) < 12_000  # bisection needs 45 each


@pytest.mark.parametrize("at", [0.1, 0.5, 1e-6, 1 - 1e-4, 1 / 3])
def test_panels_see_jumps_and_kinks(at):
    jump, kink = (lambda t, k: (t > at) * 1.0), (lambda t, k: np.abs(t - at))
    mirrored = lambda t, k: (t > at) + (t > 1 - at) * 1.0  # noqa: E731
    for g, ref in ((jump, 1 - at), (kink, (at**2 + (1 - at) ** 2) / 2), (mirrored, 1.0)):
        ends = np.array([0.0]), np.array([1.0])
        sums, error = stepintegral.panels(g, *ends, np.array([0]), lambda s: s.sum(), 1e-9)
        assert sums[0] == pytest.approx(ref, rel=1e-9) and error < 1e-8


@pytest.mark.parametrize("rate", [1e-3, 0.02, 0.5, 1.0, 7.0])
def test_tail(rate):
    value, error = stepintegral.tail(lambda y: np.exp(-rate * y) * (2 + np.exp(-y)), 0.0, 1e-9)
    assert value == pytest.approx(2 / rate + 1 / (rate + 1), rel=1e-9)
    assert error < 1e-8 * value


def test_tail_that_does_not_settle():
    value, error = stepintegral.tail(lambda y: 1 / (1 + y) ** 2, 0.0, 1e-9)
    assert error > 1e-3 * value
    assert stepintegral.tail(lambda y: np.ones_like(y), 0.0, 1e-9) == (math.inf, 0.0)
