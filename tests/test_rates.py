"""rates.py and lawfit.py: coverage, flags and refusals.

A Monte Carlo rate is compared with its target through the binomial law, at a false-alarm level of
1e-6 a test.
"""

import math
import time

import numpy as np
import pytest
from scipy import special, stats

from chaosnum.lawfit import fit_law
from chaosnum.rates import fit_power_law

SCALES = np.array([100, 200, 400, 800, 1600, 3200])
FALSE_ALARM = 1e-6
RUNS = 400

LAWS = {
    "half-normal": lambda rng, size: np.abs(rng.standard_normal(size)),
    "lognormal": lambda rng, size: rng.lognormal(0, 0.8, size),
    "pareto 1.2": lambda rng, size: 1 + rng.pareto(1.2, size),
    "cauchy": lambda rng, size: np.abs(rng.standard_cauchy(size)),
}


def slack(rate, runs=RUNS):
    """How far an observed rate may be from the true one at the false-alarm level, two-sided."""
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], runs, rate) / runs
    return max(rate - low, high - rate)


def replicas(law, counts, seed, curve=lambda n: n**-0.5):
    rng = np.random.default_rng(seed)
    return [curve(n) * LAWS[law](rng, r) for n, r in zip(SCALES, counts)]


def fits(law, counts, runs=RUNS, seed=20, curve=lambda n: n**-0.5, **options):
    return [
        fit_power_law(SCALES, replicas(law, counts, (seed, i), curve), **options)
        for i in range(runs)
    ]


@pytest.mark.parametrize("law", ["half-normal", "lognormal"])
@pytest.mark.parametrize("counts", [[16] * 6, [64] * 6, [256, 128, 64, 32, 16, 16]])
def test_mean_interval_covers(law, counts):
    found = fits(law, counts)
    covered = np.mean([f.ci[0] <= -0.5 <= f.ci[1] for f in found])
    assert 0.95 - 0.01 - slack(0.94) <= covered <= 0.97 + slack(0.97), covered
    wide = np.mean([not f.wide[0] <= -0.5 <= f.wide[1] for f in found])
    assert wide <= 0.002 + slack(0.002), wide


@pytest.mark.parametrize("law", ["pareto 1.2", "cauchy"])
@pytest.mark.parametrize("count", [16, 64])
def test_median_interval_covers_with_infinite_variance(law, count):
    found = fits(law, [count] * 6, statistic="median", tail=1.0)
    covered = np.mean([f.ci[0] <= -0.5 <= f.ci[1] for f in found])
    # few replicas: wide, not wrong
    assert 0.95 - slack(0.95) <= covered <= (0.985 if count == 16 else 0.97) + slack(0.97), covered
    points = np.mean([np.mean((f.lo <= m) & (m <= f.hi)) for f in found for m in [_median(law)]])
    assert points >= 0.95 - slack(0.95, 6 * RUNS), points


def _median(law):
    return (2 ** (1 / 1.2) if law == "pareto 1.2" else 1.0) * SCALES**-0.5


def test_naive_interval_of_infinite_variance_means_must_under_cover():
    # Partner: normal quantiles and s^2 / (R m^2) on means of Pareto 1.2 samples.
    x = np.log(SCALES)
    a = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    covered = 0
    for i in range(RUNS):
        samples = replicas("pareto 1.2", [64] * 6, (21, i))
        m = np.array([s.mean() for s in samples])
        v = np.array([s.var(ddof=1) / len(s) for s in samples]) / m**2
        covered += abs(a @ np.log(m) + 0.5) <= 1.96 * math.sqrt(a**2 @ v)
    assert covered / RUNS < 0.95 - slack(0.95), covered / RUNS


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_few_replicas_are_wide_not_wrong(count, statistic):
    found = fits("lognormal", [count] * 6, runs=300, statistic=statistic)
    covered = np.mean([f.ci[0] <= -0.5 <= f.ci[1] for f in found])
    assert covered >= 0.945 - slack(0.945, 300), covered
    assert np.median([f.ci[1] - f.ci[0] for f in found]) > 0.5


def test_family_wise_level_is_sensible_at_one_in_a_hundred_thousand():
    found = fits("lognormal", [16] * 6, runs=150, family=1 - 1e-5)
    assert all(f.wide[0] < -0.5 < f.wide[1] for f in found)
    widths = np.array([(f.wide[1] - f.wide[0]) / (f.ci[1] - f.ci[0]) for f in found])
    assert widths.min() > 2.2 and np.median(widths) < 4


@pytest.mark.parametrize("law", ["half-normal", "lognormal"])
def test_pure_power_law_is_flagged_no_more_than_stated(law):
    found = fits(law, [64] * 6)
    for flag, rate in (("curvature", 0.0125), ("floor", 0.0075)):  # stated 0.01 and 0.005, normal
        seen = np.mean([flag in f.flags for f in found])
        assert seen <= rate + slack(rate), (flag, seen)
    assert not any({"sign", "heavy"} & set(f.flags) for f in found)


def test_floor_must_be_flagged():
    def on_floor(n):
        return n**-0.5 + 0.02

    found = fits("half-normal", [4000] * 6, runs=30, curve=on_floor)
    assert np.mean([bool({"floor", "curvature"} & set(f.flags)) for f in found]) > 0.9
    assert all(f.curvature[0] > 0 for f in found if "curvature" in f.flags)
    small = fits("half-normal", [4000] * 6, runs=30, curve=lambda n: 1 / on_floor(n))
    flagged = [f for f in small if "curvature" in f.flags]  # saturates: bends the other way
    assert flagged and all(f.curvature[0] < 0 for f in flagged)


def test_floor_is_looked_for_at_the_asymptotic_end():
    eta = 2.0 ** -np.arange(3, 9)
    clean = eta + 0.01
    fit = fit_power_law(eta, [np.full(8, c) for c in clean])
    assert set(fit.flags) == {"floor", "curvature"} and fit.end < fit.exponent
    other = fit_power_law(eta, [np.full(8, c) for c in clean], asymptotic="large")
    assert other.end > other.exponent


def test_infinite_variance_of_a_mean_is_flagged():
    found = fits("pareto 1.2", [256] * 6, runs=100)
    assert np.mean(["heavy" in f.flags for f in found]) > 0.9
    assert not any("heavy" in f.flags for f in fits("cauchy", [64] * 6, 20, statistic="median"))


def test_exact_power_law_is_recovered():
    fit = fit_power_law(SCALES, [3 * n**-0.75 * np.ones(4) for n in SCALES])
    assert fit.exponent == pytest.approx(-0.75) and fit.prefactor == pytest.approx(3)
    assert fit.ci == pytest.approx((-0.75, -0.75)) and fit.flags == ()
    assert fit.local == pytest.approx(np.full(5, -0.75)) and fit.end == pytest.approx(-0.75)


def test_order_of_scales_and_units_do_not_matter():
    samples = replicas("half-normal", [8, 16, 32, 8, 16, 32], 5)
    fit = fit_power_law(SCALES, samples)
    back = fit_power_law(SCALES[::-1], samples[::-1])
    unit = fit_power_law(SCALES / 7, [1e200 * x for x in samples])
    negative = fit_power_law(SCALES, [-x for x in samples])
    for other in (back, unit, negative):
        assert other.exponent == pytest.approx(fit.exponent, abs=1e-12)
        assert other.wide == pytest.approx(fit.wide, abs=1e-9)
    assert (fit.sign, negative.sign) == (1, -1)
    assert negative.lo == pytest.approx(fit.lo)


def test_slope_is_the_weighted_least_squares_slope():
    samples = replicas("half-normal", [8, 16, 32, 64, 128, 256], 6)
    fit = fit_power_law(SCALES, samples, statistic="median")
    count = np.array([len(x) for x in samples])
    y = np.log([np.median(x) for x in samples])
    assert fit.exponent == pytest.approx(np.polyfit(np.log(SCALES), y, 1, w=np.sqrt(count))[0])
    assert fit.curvature[0] == pytest.approx(
        np.polyfit(np.log(SCALES), y, 2, w=np.sqrt(count))[0], abs=1e-12
    )


def test_mean_near_zero_is_flagged_not_fitted():
    rng = np.random.default_rng(7)
    noise = [1 / n + rng.standard_normal(50) for n in SCALES]
    zero = [np.zeros(5) for _ in SCALES]
    half = [np.array([-1.0, 1.0, 2.0, 0.5])] * 3 + [np.array([-1.0, -2.0])] * 3
    for samples in (noise, zero, half):
        for statistic in ("mean", "median"):
            fit = fit_power_law(SCALES, samples, statistic=statistic)
            assert "sign" in fit.flags and math.isnan(fit.exponent)
            assert np.all(fit.estimate >= 0) and not np.any(np.isnan(fit.hi))


def test_resolved_mean_of_mixed_signs_is_fitted():
    rng = np.random.default_rng(8)
    fit = fit_power_law(SCALES, [(1 + rng.standard_normal(400)) / n for n in SCALES])
    assert fit.flags == () and fit.ci[0] < -1 < fit.ci[1]


@pytest.mark.parametrize(
    "scales, samples, options, line",
    [
        ([1, 2], [[1, 2]] * 2, {}, "scales must be at least 3 numbers, got 2"),
        ([1, 2, 2], [[1, 2]] * 3, {}, "scales must be positive, finite and distinct, got"),
        ([1, 2, -3], [[1, 2]] * 3, {}, "scales must be positive, finite and distinct, got"),
        ([1, 2, 3], [[1, 2]] * 2, {}, "samples must be one array per scale"),
        ([1, 2, 3], [[1, 2], [1, 2], [1]], {}, "samples at scale 3 must be 2 or more"),
        ([1, 2, 3], [[1, 2], [1, math.nan], [1, 2]], {}, "samples at scale 2 must be finite"),
        ([1, 2, 3], [[1, 2], [1, math.inf], [1, 2]], {}, "samples at scale 2 must be finite"),
        ([1, 2, 3], [[1, 2]] * 3, {"statistic": "mode"}, "statistic must be one of mean, median"),
        ([1, 2, 3], [[1, 2]] * 3, {"tail": 1.5}, "tail must exceed 2 for a mean"),
        ([1, 2, 3], [[1, 2]] * 3, {"family": 1.5}, "family must lie in"),
        ([1, 2, 3], [[1, 2]] * 3, {"asymptotic": "up"}, "asymptotic must be one of"),
    ],
)
def test_refuses(scales, samples, options, line):
    with pytest.raises(ValueError, match="^" + line.replace("(", r"\(")) as caught:
        fit_power_law(scales, samples, **options)
    assert "\n" not in str(caught.value)


def test_fit_is_quick():
    samples = replicas("half-normal", [256] * 6, 9)
    best = math.inf
    for _ in range(20):
        begun = time.perf_counter()
        fit_power_law(SCALES, samples)
        best = min(best, time.perf_counter() - begun)
    assert best < 5e-3


def stable_cf(alpha):
    return lambda k: math.exp(-(abs(k) ** alpha))


@pytest.mark.parametrize("even", [False, True])
def test_law_test_has_its_level_and_power(even):
    rng = np.random.default_rng(10)
    cauchy = rng.standard_cauchy((RUNS, 128))
    found = [fit_law(np.abs(x) if even else x, stable_cf(1), even=even) for x in cauchy]
    rejected = np.mean([f.p < 0.05 for f in found])
    assert abs(rejected - 0.05) <= 0.01 + slack(0.05)
    assert np.mean([f.sure < 0.01 for f in found]) <= 0.01
    covered = np.mean([f.ci[0] <= 1 <= f.ci[1] for f in found])
    assert abs(covered - 0.95) <= 0.01 + slack(0.95)
    # Partners that must fail: another scale, another index, another centre.
    assert np.mean([fit_law(4 * x, stable_cf(1)).sure < 1e-4 for x in cauchy[:100]]) > 0.9
    gauss = math.sqrt(2) * rng.standard_normal(2000)
    assert fit_law(gauss, stable_cf(2)).p > 1e-3
    assert fit_law(gauss, stable_cf(1)).sure < 1e-6
    assert fit_law(cauchy[0] + 1, stable_cf(1)).p < 1e-6


def test_law_test_of_an_asymmetric_law():
    rng = np.random.default_rng(11)
    x = 0.7 + rng.standard_cauchy(500)

    def cf(k):
        return np.exp(0.7j * k - abs(k))

    assert fit_law(x, cf).p > 1e-3
    assert fit_law(-x, cf).sure < 1e-6


def test_law_test_gives_the_ratio_of_scales():
    rng = np.random.default_rng(12)
    fit = fit_law(1.1 * rng.standard_cauchy(20000), stable_cf(1))
    assert fit.ratio == pytest.approx(1.1, abs=0.03)


@pytest.mark.parametrize(
    "x, options", [([1.0], {}), ([1, math.nan], {}), ([1, 2], {"frequencies": (0, 1)})]
)
def test_law_test_refuses(x, options):
    with pytest.raises(ValueError):
        fit_law(x, stable_cf(1), **options)


def test_chi_square_tail_is_what_scipy_says():
    assert special.chdtrc(3, 7.0) == pytest.approx(stats.chi2.sf(7.0, 3))
