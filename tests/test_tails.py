"""tails.py: the estimators on exact quantiles, their invariances, their laws at stated levels, and what must fail.

Where an estimate is asymptotically normal, a test of R samples compares its coverage with 0.95 at five standard errors
of a proportion (false alarm 1e-6), with an allowance for the sample size that the docstring states.
"""

import math

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from scipy import stats

from chaosnum import noise, stable, tail_order, tail_quantiles, tail_spectral, tail_tests, tails

ORDER = [tails.hill, tails.moments, tails.pickands]
STABLE = [tails.ecf, tails.quantiles, tails.mohammadi]


def pareto_quantiles(alpha, n):
    """The expected picture of a Pareto sample: no randomness."""
    return ((np.arange(n) + 0.5) / n) ** (-1 / alpha)


def pareto(alpha, n, seed):
    return np.random.default_rng(seed).uniform(size=n) ** (-1 / alpha)


# Exact values


@pytest.mark.parametrize("alpha", [0.5, 1.5, 4.0])
def test_order_statistics_on_exact_pareto_quantiles(alpha):
    """The sums differ from their integrals by O(log k / k)."""
    x = pareto_quantiles(alpha, 100_000)
    for estimator in ORDER:
        estimate = estimator(x)
        assert abs(estimate.alpha / alpha - 1) < 0.01, estimate
        assert estimate.ci[0] <= alpha <= estimate.ci[1]
        assert abs(math.log(estimate.constant)) < 0.05  # P(X > r) = r^-alpha
    assert tails.threshold(x) > 20_000  # nothing bends, so the rule goes far in


def test_hill_and_moments_against_loops():
    x = stable.rvs(1.5, 500, seed=3)
    k = 40
    top = sorted(np.abs(x - np.median(x)), reverse=True)[: k + 1]
    logs = [math.log(t / top[k]) for t in top[:k]]
    first, second = sum(logs) / k, sum(v * v for v in logs) / k
    assert tails.hill(x, k).alpha == pytest.approx(1 / first, rel=1e-12)
    gamma = first + 1 - 0.5 / (1 - first**2 / second)
    assert tails.moments(x, k).alpha == pytest.approx(1 / gamma, rel=1e-11)


def test_pickands_against_its_formula():
    x = pareto(1.5, 500, 3)
    top = sorted(x, reverse=True)
    gamma = math.log((top[19] - top[39]) / (top[39] - top[79])) / math.log(2)
    assert tails.pickands(x, 20).alpha == pytest.approx(1 / gamma, rel=1e-10)


def test_threshold_against_loops():
    y = np.log(np.sort(np.abs(stable.rvs(1.7, 600, seed=1)))[::-1][:301])
    most = len(y) - 1
    u = [i * (y[i - 1] - y[i]) for i in range(1, most + 1)]
    t = [math.sqrt(3 / k**3) * sum((k - 2 * i + 1) * u[i - 1] for i in range(1, k + 1)) / (sum(u[:k]) / k)
         for k in range(1, most + 1)]  # fmt: skip
    calm = []
    for k in range(1, int(0.6 * most) + 1):
        window = t[max(k - k // 2, 1) - 1 : min(k + k // 2, most)]
        if math.sqrt(sum(v * v for v in window) / len(window)) < 1.25:
            calm.append(k)
    assert tail_order._threshold(y) == max(20, calm[-1])


def test_bias_reduction_removes_a_linear_trend():
    k = 200
    i = np.arange(1, k + 1)
    spacings = (0.5 + 0.3 * i / (k + 1)) / i
    y = np.concatenate([np.cumsum(spacings[::-1])[::-1], [0.0]])
    assert tail_order._bias_reduced(y, k) == pytest.approx(0.5, rel=1e-12)


def test_mohammadi_against_loops():
    x = stable.rvs(1.4, 1000, seed=2)
    m = 5
    x = x - np.median(x)
    sums = [sum(x[j : j + m]) for j in range(0, 1000, m)]
    inverse = (np.mean([math.log(abs(s)) for s in sums]) - np.mean([math.log(abs(v)) for v in x])) / math.log(m)
    estimate = tails.mohammadi(x, m, permutations=0)
    assert estimate.alpha == pytest.approx(1 / inverse, rel=1e-10)
    assert estimate.block == m
    columns = noise.increments("III", 1.4, (3, 1000), seed=1, step=0)
    columns = columns - np.median(columns, axis=1, keepdims=True)
    sums = columns.reshape(3, -1, m).sum(axis=2)
    inverse = np.mean(np.log(np.linalg.norm(sums, axis=0))) - np.mean(np.log(np.linalg.norm(columns, axis=0)))
    assert tails.mohammadi(columns, m, permutations=0).alpha == pytest.approx(math.log(m) / inverse, rel=1e-10)


def test_the_quantile_series_is_that_of_the_law():
    """At points between the nodes; the derivative of log ratio by alpha is 0.4 or more: alpha within 1e-6."""
    for alpha in (0.43, 0.77, 1.01, 1.34, 1.72, 1.95):
        q75, q95 = stable.ppf(np.array([0.75, 0.95]), alpha)
        f75, f95 = stable.pdf(np.array([q75, q95]), alpha)
        found = tail_quantiles.shape_of(alpha)
        assert found[:2] == pytest.approx((q75, q95), rel=3e-7)
        assert found[2:] == pytest.approx((f75, f95), rel=3e-4)
    assert chebyshev.chebval(1.0, tail_quantiles._LOG_RATIO) == pytest.approx(
        math.log(stats.norm.ppf(0.95) / stats.norm.ppf(0.75)), abs=1e-6
    )


def test_ecf_and_quantiles_on_exact_stable_quantiles():
    q = (np.arange(20_000) + 0.5) / 20_000
    for alpha in (0.8, 1.3, 1.8):
        x = 3.0 * stable.ppf(q, alpha) - 7.0
        for estimator in (tails.ecf, tails.quantiles):
            estimate = estimator(x)
            assert abs(estimate.alpha - alpha) < 0.01, estimate  # a tenth of what a sample scatters, or the last point
            assert abs(estimate.scale / 3.0 - 1) < 0.01
        assert abs(tails.ecf(x).centre + 7.0) < 0.01


def test_covariance_of_the_line_is_that_of_simulation():
    """Standard error of alpha from 200 samples: within 5/sqrt(400) of the formula's, and twice the formula fails."""
    n, alpha = 2000, 1.4
    found = [tails.ecf(stable.rvs(alpha, n, seed=s)) for s in range(200)]
    scatter = np.std([e.alpha for e in found])
    claimed = np.median([(e.ci[1] - e.ci[0]) / (2 * 1.96) for e in found])
    assert abs(scatter / claimed - 1) < 5 / math.sqrt(400)
    assert not abs(scatter / (2 * claimed) - 1) < 5 / math.sqrt(400)


def test_skewed_phases_are_continuous_through_the_cauchy_law():
    u = np.linspace(-2, 2, 41)
    at = tail_spectral._curve(u, 1.0)
    assert tail_spectral._curve(u, 1 + 1e-6) == pytest.approx(at, abs=1e-5)
    assert tail_spectral._curve(u, 1 - 1e-8) == pytest.approx(at, abs=1e-7)


# Invariance


@pytest.mark.parametrize("estimator", ORDER + STABLE)
def test_scale_invariance(estimator):
    x = stable.rvs(1.4, 3000, seed=5)
    plain = estimator(x)
    for factor in (2.0**-600, 2.0**600, -4.0):
        scaled = estimator(factor * x)
        assert scaled.alpha == pytest.approx(plain.alpha, rel=1e-8)
        assert scaled.ci == pytest.approx(plain.ci, rel=1e-6)
        if plain.scale is not None:
            assert scaled.scale == pytest.approx(abs(factor) * plain.scale, rel=1e-8)


@pytest.mark.parametrize("estimator", ORDER + STABLE)
def test_shift_invariance_of_two_sided_samples(estimator):
    x = stable.rvs(1.4, 3000, seed=5)
    for shift in (1.0, -1000.0):
        assert estimator(x + shift).alpha == pytest.approx(estimator(x).alpha, rel=1e-6)


def test_shifts_of_one_sided_samples():
    """Hill knows its centre: 0 for Pareto data, and a shifted sample is another sample; Pickands drops it."""
    x = pareto(1.5, 20_000, 1)
    assert tails.hill(x).centre == 0.0
    assert tails.hill(x + 100).centre > 100
    assert tails.pickands(x, 100).alpha == pytest.approx(tails.pickands(x + 100, 100).alpha, rel=1e-9)
    assert abs(tails.hill(x + 100, 2000, centre=0.0).alpha - 1.5) > 3  # what happens without the rule
    assert abs(tails.hill(x + 100, 200).alpha - 1.5) < 5 * 1.5 / math.sqrt(200) + 0.1


def test_order_of_the_sample_does_not_matter():
    x = stable.rvs(1.4, 3000, seed=5)
    for estimator in (*ORDER, tails.ecf, tails.quantiles):
        assert estimator(x[::-1]).alpha == pytest.approx(estimator(x).alpha, rel=1e-9)


# Laws


@pytest.mark.parametrize("alpha", [0.7, 1.1, 1.5, 1.9])
def test_ecf_covers_and_its_test_keeps_its_level(alpha):
    count = 150
    found = [tails.ecf(stable.rvs(alpha, 2000, seed=100 + s)) for s in range(count)]
    cover = np.mean([e.ci[0] <= alpha <= e.ci[1] for e in found])
    assert abs(cover - 0.95) < 5 * math.sqrt(0.05 * 0.95 / count) + 0.01
    assert sum(e.p < 0.01 for e in found) <= stats.binom.isf(1e-6, count, 0.01)
    wrong = np.mean([e.ci[0] <= alpha - 0.15 <= e.ci[1] for e in found])
    assert wrong < 0.5  # 0.15 is 3 to 10 standard errors


def test_ecf_rejects_what_is_not_stable():
    rng = np.random.default_rng(1)
    for x in (
        rng.standard_t(3, 20_000),
        rng.laplace(size=20_000),
        rng.exponential(size=20_000),
        pareto(1.5, 20_000, 2),
    ):
        assert tails.ecf(x).p < 1e-6


def test_ecf_of_skewed_stable_laws():
    """The positive stable law of index 1/2 (Levy's) has beta = 1; modulus, index and constant do not mind."""
    x = 1 / np.random.default_rng(3).normal(size=20_000) ** 2  # E exp(i t X) = exp(-|t|^(1/2) (1 - i sign t))
    estimate = tails.ecf(x)
    assert estimate.ci[0] <= 0.5 <= estimate.ci[1]
    assert estimate.skew[0] > 0.9
    assert estimate.p > 1e-3
    assert abs(estimate.constant / math.sqrt(2 / math.pi) - 1) < 0.05  # P(1/Z^2 > r) ~ sqrt(2/(pi r))


def test_quantiles_cover():
    count = 300
    for alpha in (1.1, 1.7):
        found = [tails.quantiles(stable.rvs(alpha, 2000, seed=s)) for s in range(count)]
        cover = np.mean([e.ci[0] <= alpha <= e.ci[1] for e in found])
        assert abs(cover - 0.95) < 5 * math.sqrt(0.05 * 0.95 / count) + 0.01


def test_plain_hill_interval_covers_on_pareto_and_not_on_stable():
    count, k = 300, 500
    inside = lambda e, a: e.ci[0] <= a <= e.ci[1]  # noqa: E731
    good = np.mean([inside(tails.hill(pareto(1.5, 2000, s), k), 1.5) for s in range(count)])
    assert abs(good - 0.95) < 5 * math.sqrt(0.05 * 0.95 / count) + 0.01
    bad = np.mean([inside(tails.hill(stable.rvs(1.8, 2000, seed=s), 100), 1.8) for s in range(50)])
    assert bad < 0.5  # the trap: biased upwards, and sure of it


def test_moments_cover_where_the_tail_is_no_pure_power():
    """Guillou and Hall's k: 0.8-1.0 measured; a k ten times too large must fail."""
    rng = np.random.default_rng(4)
    samples = [rng.standard_t(2, 10_000) for _ in range(60)]
    inside = [e.ci[0] <= 2 <= e.ci[1] for e in map(tails.moments, samples)]
    assert np.mean(inside) > 0.75
    far = [e.ci[0] <= 2 <= e.ci[1] for e in (tails.hill(x, 4000) for x in samples)]
    assert np.mean(far) < 0.1


def test_mohammadi_on_scalars_and_vectors():
    for alpha in (1.2, 1.8):
        for kind in ("I", "II", "III"):
            x = noise.increments(kind, alpha, (4, 20_000), seed=3, step=0)
            estimate = tails.mohammadi(x)
            assert estimate.ci[0] <= alpha <= estimate.ci[1]
            assert estimate.ci[1] - estimate.ci[0] < 0.25
    assert tails.mohammadi(np.random.default_rng(0).standard_t(3, 20_000)).ci[1] < 2  # the docstring's warning


def test_entries_of_a_column_may_be_dependent():
    """Type I: 20 equal rows are 1 row, and the interval knows it."""
    x = stable.rvs(1.5, 3000, seed=7)
    one, many = tails.ecf(x[None, :]), tails.ecf(np.tile(x, (20, 1)))
    assert many.alpha == pytest.approx(one.alpha, abs=1e-6)
    length = lambda e: e.ci[1] - e.ci[0]  # noqa: E731
    assert length(many) == pytest.approx(length(one), rel=0.15)
    independent = tails.ecf(noise.increments("II", 1.5, (20, 3000), seed=7, step=0))
    assert length(independent) < 0.4 * length(one)


# Tests of the tail


def test_exponential_excesses_have_uniform_p_values():
    rng = np.random.default_rng(8)
    p = [tail_tests.exponential_excess(np.sort(rng.exponential(size=81))[::-1], 80) for _ in range(3000)]
    assert stats.ks_1samp(p, stats.uniform.cdf).pvalue > 1e-6
    assert sum(v < 0.01 for v in p) <= stats.binom.isf(1e-6, 3000, 0.011)
    heavier = [tail_tests.exponential_excess(np.sort(pareto(2, 81, s))[::-1], 80) for s in range(200)]
    assert stats.ks_1samp(heavier, stats.uniform.cdf).pvalue < 1e-6


def test_saddlepoint_against_the_exact_law():
    """P(E_1 > c (E_2 + E_3)) = 1/(1 + c)^2."""
    for c in (1.0, 4.0, 30.0):
        assert tail_tests._linear_form_positive(np.array([1.0, -c, -c])) == pytest.approx((1 + c) ** -2, rel=0.12)


def test_tail_counts_see_a_cut_tail():
    x = np.sort(np.abs(stable.rvs(1.5, 50_000, seed=9)))[::-1]
    assert tail_tests.tail_counts(x, 1.5, 1.0, 0.007) > 1e-3
    assert tail_tests.tail_counts(x[x < 30], 1.5, 1.0, 0.007) < 1e-6
    assert tail_tests.tail_counts(x * 1.5, 1.5, 1.0, 0.007) < 1e-6


def test_edges():
    rng = np.random.default_rng(2)
    for x in (
        pareto(1.5, 2000, 1),
        -pareto(1.5, 2000, 1),
        rng.exponential(size=2000),
        np.clip(rng.normal(size=2000), -1, 1),
    ):
        assert tail_tests.has_edge(x, 0.8)
    for alpha in (0.6, 1.0, 1.5, 2.0):
        assert not tail_tests.has_edge(stable.rvs(alpha, 2000, seed=1), alpha)


# What is refused


BAD = {
    "x must have at least 100 entries, got 99": np.arange(99.0),
    "x must have at least 100 entries, got 0": [],
    r"x must have at least 100 columns, got shape \(784, 10\)": np.ones((784, 10)),
    "x must be finite, got 1 NaN": np.append(np.arange(200.0), np.nan),
    "x must be finite, got 2 NaN or infinite": np.append(np.arange(200.0), [np.inf, -np.inf]),
    "got the constant 3": np.full(500, 3.0),
    "got only zeros": np.zeros(500),
    "got dtype object": np.array([None] * 500),
    "got dtype <U1": np.array(["a"] * 500),
    "got dtype complex128": np.arange(500) * 1j,
    r"x must have 1 or 2 dimensions, got shape \(5, 5, 500\)": np.zeros((5, 5, 500)),
    r"x must have 1 or 2 dimensions, got shape \(\)": 3.0,
    "20 distinct entries, got 2": np.arange(500) % 2,
    "20 distinct entries, got 3": np.arange(501) % 3 - 1.0,
    "array of finite numbers, got list": [[1.0, 2.0], [3.0]],
    r"largest magnitude in \[1e-300, 1e300\]": np.arange(500.0) * 1e-310,
    "at least 100 entries that are not 0, got 60": np.append(np.zeros(5000), np.arange(1.0, 61.0)),
}


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("function", [*ORDER, *STABLE, tails.threshold, tails.fit])
def test_bad_samples_get_one_line(function, line):
    with pytest.raises(ValueError, match=line) as caught:
        function(BAD[line])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("k", [1, 0, -3, 1e9, 2.5, True, "10"])
def test_bad_k(k):
    x = stable.rvs(1.5, 500, seed=1)
    for estimator in ORDER:
        with pytest.raises(ValueError, match="k must be a whole number in"):
            estimator(x, k)
    with pytest.raises(ValueError, match="m must be a whole number in"):
        tails.mohammadi(x, k)


def test_bad_options():
    x = stable.rvs(1.5, 500, seed=1)
    with pytest.raises(ValueError, match="centre must be a number or have shape"):
        tails.hill(x, centre=[1.0, 2.0])
    with pytest.raises(ValueError, match="centre must be finite"):
        tails.hill(x, centre=math.nan)
    with pytest.raises(ValueError, match="permutations"):
        tails.mohammadi(x, permutations=-1)
    with pytest.raises(ValueError, match="seed"):
        tails.mohammadi(x, seed=-1)
    with pytest.raises(ValueError, match="quartiles that differ"):
        tails.ecf(np.append(np.ones(2000), x))


def test_callers_array_is_left_alone():
    x = stable.rvs(1.5, 500, seed=1)
    before = x.copy()
    tails.fit(x)
    assert np.array_equal(x, before)
    x.flags.writeable = False
    tails.fit(x)


def test_integers_lists_and_float32():
    x = stable.rvs(1.5, 20_000, seed=1)
    plain = tails.ecf(x).alpha
    assert tails.ecf(x.astype(np.float32)).alpha == pytest.approx(plain, abs=1e-5)
    assert tails.ecf(list(x)).alpha == plain
    whole = tails.ecf(np.round(100 * x).astype(int))
    assert whole.alpha == pytest.approx(plain, abs=1e-3)
    assert "distinct" in whole.note


# ---------------------------------------------------------------- samples made to break an estimator


def test_interval_of_ecf_holds_its_estimate():
    """Columns of one length are closer to Gaussian than Gaussian ones: the whole interval lies above 2."""
    x = np.random.default_rng(1).normal(size=(5, 2000))
    x /= np.linalg.norm(x, axis=0)
    e = tails.ecf(x)
    assert e.alpha == 2.0 and e.ci == (2.0, 2.0)


def test_pickands_beyond_double_precision():
    """Order statistics 500 decades apart: their ratio is no double, its logarithm is."""
    found = tails.pickands(np.geomspace(1e-290, 1e290, 2000), k=250, centre=0.0)
    # X_k/X_2k = X_2k/X_4k^(1/2) = 10^72.5: gamma = log2 of the first to all digits
    assert math.isclose(1 / found.alpha, 250 / 1999 * 580 * math.log2(10), rel_tol=1e-9)
    assert found.ci[0] <= found.alpha <= found.ci[1]


@pytest.mark.parametrize("u", [3.0, 1.0, 1e-3, -1e-3, -1.0, -3.0])
def test_variance_of_pickands(u):
    """Against the formula as it is printed, gamma = u, by a sample that has it."""
    i = np.arange(1, 2001)
    x = (i / 2000.0) ** -u if u > 0 else 10 - (i / 2000.0) ** -u
    e = tails.pickands(x, k=100, centre=0.0)
    low, high = e.ci
    if u > 0:
        assert math.isclose(1 / e.alpha, u, rel_tol=1e-9)
    if u > 0 and math.isfinite(high):
        half = (1 / low - 1 / high) / 2
        variance = u * u * (2 ** (2 * u + 1) + 1) / (2 * (2**u - 1) * math.log(2)) ** 2
        assert math.isclose(half, 1.959963984540054 * math.sqrt(variance / 100), rel_tol=1e-9)
    elif u < 0:
        assert e.alpha == math.inf
