"""wasserstein.py and transport.py: samples on the line against rational arithmetic, permutations, SciPy, axioms.

The twins know nothing of the package: `by_fractions` walks both quantile functions in rational arithmetic,
`by_permutations` tries every assignment.
"""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from chaosnum import stable, transport
from chaosnum.wasserstein import w1, wp

ORDERS = [1, 1.3, 2, 3, 7.5, math.inf]


def by_fractions(x, y, p, x_weights=None, y_weights=None):
    """W_p from the union of all levels of both quantile functions, O(nm), the masses in rational arithmetic."""
    sides = []
    for z, w in ((x, x_weights), (y, y_weights)):
        w = [Fraction(1)] * len(z) if w is None else [Fraction(float(v)) for v in w]
        pairs = sorted((float(v), m) for v, m in zip(z, w) if m > 0)
        levels = list(itertools.accumulate(m / sum(w) for _, m in pairs))
        sides.append(([v for v, _ in pairs], levels))
    edges = sorted({Fraction(0), *sides[0][1], *sides[1][1]})
    gaps, shares = [], []
    for low, high in itertools.pairwise(edges):
        a, b = (next(v for v, level in zip(*side) if level > low) for side in sides)
        gaps.append(abs(a - b))
        shares.append(high - low)
    unit = max(gaps)
    if p == math.inf or unit == 0:
        return unit
    return unit * math.fsum(float(m) * (g / unit) ** p for g, m in zip(gaps, shares)) ** (1 / p)


def by_permutations(x, y, p):
    """W_p as the best of all assignments."""
    return min(np.mean(np.abs(np.array(x) - s) ** p) for s in itertools.permutations(y)) ** (1 / p)


def heavy(n, seed, alpha=1.2):
    return stable.rvs(alpha, n, seed=seed)


# ---------------------------------------------------------------- against twins


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("n, m", [(1, 1), (1, 5), (7, 7), (6, 4), (9, 16), (200, 200), (131, 60)])
def test_unequal_sizes(n, m, p):
    x, y = heavy(n, 1), heavy(m, 2) + 0.3
    assert wp(x, y, p) == pytest.approx(by_fractions(x, y, p), rel=4e-15)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("n, m", [(1, 3), (40, 40), (33, 70)])
def test_weights(n, m, p):
    rng = np.random.default_rng(3)
    x, y, a, b = heavy(n, 3), heavy(m, 4), rng.exponential(size=n), rng.exponential(size=m) ** 4
    b[rng.random(m) < 0.2] = 0.0
    assert wp(x, y, p, x_weights=a, y_weights=b) == pytest.approx(by_fractions(x, y, p, a, b), rel=1e-13)
    assert wp(x, y, p, y_weights=b) == pytest.approx(by_fractions(x, y, p, None, b), rel=1e-13)
    if p < math.inf:  # W_inf has the same farthest pair
        assert wp(x, y, p, x_weights=a) != pytest.approx(by_fractions(x, y, p, a, b), rel=1e-3)


@pytest.mark.parametrize("p", [1, 1.5, 2, 4])
def test_permutations(p):
    rng = np.random.default_rng(5)
    for n in (1, 2, 4, 6):
        x, y = rng.standard_cauchy((2, n))
        assert wp(x, y, p) == pytest.approx(by_permutations(x, y, p), rel=1e-14)
        if n > 2:  # what a wrong pairing gives
            assert np.mean(np.abs(np.sort(x) - np.sort(y)[::-1]) ** p) ** (1 / p) > wp(x, y, p) * 1.001


def test_scipy():
    rng = np.random.default_rng(6)
    for n, m in ((1000, 1000), (1000, 77), (64, 65), (12_345, 20_000)):
        x, y, a, b = heavy(n, 6), heavy(m, 7), rng.random(n), rng.random(m)
        assert w1(x, y) == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-11)
        ref = stats.wasserstein_distance(x, y, a, b)
        assert w1(x, y, x_weights=a, y_weights=b) == pytest.approx(ref, rel=1e-11)


@pytest.mark.parametrize("n", [63, 64, 65, 127, 128, 1000, 4096 + 7])
@pytest.mark.parametrize("p", ORDERS)
def test_every_point_counts(n, p):
    x = np.sort(heavy(n, 8))
    gap = np.random.default_rng(8).random(n)
    y = x + gap  # no longer sorted: sorted again below
    d = np.abs(x - np.sort(y))
    ref = d.max() if p == math.inf else d.max() * math.fsum((d / d.max()) ** p / n) ** (1 / p)
    assert wp(x, y[::-1], p) == pytest.approx(ref, rel=4e-15)
    far = x.copy()
    far[-1] += 1e4  # the last point, which is in the rest that fills no lane
    share = 1e4 if p == math.inf else 1e4 * n ** (-1 / p)
    assert wp(x, far, p) == pytest.approx(share, rel=1e-11)


# ---------------------------------------------------------------- masses


def test_whole_weights_are_repeated_points():
    rng = np.random.default_rng(9)
    x, y = heavy(50, 9), heavy(80, 10)
    a, b = rng.integers(0, 6, 50), rng.integers(0, 6, 80)
    for p in ORDERS:
        comp = wp(x, y, p, x_weights=a, y_weights=b)
        assert comp == pytest.approx(wp(np.repeat(x, a), np.repeat(y, b), p), rel=1e-14)
        assert comp == pytest.approx(wp(x, y, p, x_weights=a * 1e-3, y_weights=b / 7), rel=1e-12)


def test_no_mass_is_worn_away():
    """Tenths are no binary fractions: with plain subtractions the largest points meet the wrong partners."""
    n = 200_000
    x = np.concatenate([np.zeros(n - 1), [1e12]])
    assert w1(x, x + 1, x_weights=np.full(n, 0.1), y_weights=np.full(n, 0.3)) == pytest.approx(1, rel=1e-3)
    left, right = np.cumsum(np.full(n, 0.1)) / (0.1 * n), np.cumsum(np.full(n, 0.3)) / (0.3 * n)
    assert np.abs(left - right).max() * 1e12 > 1  # the partner that must fail: cumulative sums, merged


def test_the_merge_is_exact_for_unequal_sizes():
    """n and m + 1 points on the same grid of ties: only exact masses give exactly zero."""
    x = np.repeat(heavy(1000, 11), 12)
    y = np.repeat(heavy(1000, 11), 17)
    for p in ORDERS:
        assert wp(x, y, p) == 0.0


def test_rounding_of_weights_is_no_mass():
    """0.1 + 0.2 is not 0.3: W_inf would see 3e-17 of the mass go from 1 to 5."""
    x, y, a, b = [0.0, 1.0, 5.0], [1.0, 5.0], [0.1, 0.2, 0.7], [0.3, 0.7]
    assert by_fractions(x, y, math.inf, a, b) == 4.0
    assert wp(x, y, math.inf, x_weights=a, y_weights=b) == 1.0
    assert wp(x, y, math.inf, x_weights=[1, 2, 7], y_weights=[3 - 1e-6, 7]) == 4.0


def test_total():
    w = np.array([1e16, 1.0, 0.5, 1e-3, 7e15, 0.1])
    assert sum(map(Fraction, transport.total(w))) == pytest.approx(sum(map(Fraction, w)), rel=0, abs=1e-15)
    assert w.sum() != sum(map(Fraction, w))


# ---------------------------------------------------------------- axioms


def samples(most=12):
    value = st.floats(-1e6, 1e6, allow_subnormal=False)
    return st.lists(value, min_size=1, max_size=most)


order = st.sampled_from(ORDERS)


def slack(*groups):
    """Rounding: a few units in the last place of the largest number."""
    return 1e-13 * max(1e-300, *(abs(v) for group in groups for v in group))


@settings(max_examples=150, deadline=None)
@given(samples(), samples(), samples(), order)
def test_metric(x, y, z, p):
    assert wp(x, y, p) == wp(y, x, p) or wp(x, y, p) == pytest.approx(wp(y, x, p), rel=1e-14)
    assert wp(x, x[::-1], p) == 0.0
    assert wp(x, z, p) <= wp(x, y, p) + wp(y, z, p) + slack(x, y, z)


@settings(max_examples=150, deadline=None)
@given(samples(), samples(), order, st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_translation_and_scaling(x, y, p, shift, scale):
    x, y = np.array(x), np.array(y)
    d, tolerance = wp(x, y, p), 100 * slack(x, y, [shift])
    assert wp(x + shift, y + shift, p) == pytest.approx(d, abs=tolerance)
    assert wp(x, x + shift, p) == pytest.approx(abs(shift), abs=tolerance)
    assert wp(scale * x, -scale * -y, p) == pytest.approx(scale * d, abs=scale * tolerance)
    assert wp(-x, -y, p) == pytest.approx(d, abs=tolerance)


def test_a_power_would_not_scale():
    x, y = heavy(30, 12), heavy(30, 13)
    assert wp(3 * x, 3 * y, 2) ** 2 != pytest.approx(3 * wp(x, y, 2) ** 2, rel=0.5)


@settings(max_examples=100, deadline=None)
@given(samples(), samples())
@example([0.0], [0.0])
def test_distance_grows_with_the_order(x, y):
    found = [wp(x, y, p) for p in ORDERS]
    assert all(a <= b + slack(x, y) for a, b in itertools.pairwise(found))
    assert w1(x, y) >= abs(np.mean(x) - np.mean(y)) - slack(x, y)


@settings(max_examples=100, deadline=None)
@given(samples(8), samples(8), order, st.data())
def test_weighted_twin(x, y, p, data):
    weight = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
    a = data.draw(st.lists(weight, min_size=len(x), max_size=len(x)).filter(any))
    comp = wp(x, y, p, x_weights=a)
    assert comp == pytest.approx(by_fractions(x, y, p, a), rel=1e-13, abs=slack(x, y))


# ---------------------------------------------------------------- numbers, arrays, threads


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300, 1.2e308])
def test_scale(p, scale):
    x, y = np.array([-1.0, 0.25, 0.5, 0.75]), np.array([0.125, -0.375, 0.25, 0.5])
    assert wp(scale * x, scale * y, p) == pytest.approx(scale * wp(x, y, p), rel=1e-14)
    assert wp(scale * x, scale * y[:3], p) == pytest.approx(scale * wp(x, y[:3], p), rel=1e-14)


def test_a_float_is_returned():
    x, y = heavy(20, 25), heavy(12, 26)
    for p in ORDERS:
        assert {type(wp(x, y, p)), type(wp(x, x[::-1] + 1, p)), type(wp(x, y, p, x_weights=np.ones(20)))} == {float}


def test_small_differences_beside_large_points():
    x, y = np.array([0.0, 1e200]), np.array([1e-5, 1e200])
    assert wp(x, y, 2) == pytest.approx(1e-5 / math.sqrt(2), rel=1e-14)
    assert wp(x, np.repeat(y, 2), 2) == pytest.approx(1e-5 / math.sqrt(2), rel=1e-14)


def test_beyond_double_precision():
    assert wp([1.5e308], [-1.5e308], 2) == math.inf
    assert w1([1.7e308, 0.0], [-1.7e308, 0.0]) == pytest.approx(1.7e308)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64, np.uint16, bool, np.longdouble])
def test_types(dtype):
    rng = np.random.default_rng(14)
    x, y = (rng.integers(0, 2 if dtype is bool else 100, n).astype(dtype) for n in (40, 30))
    assert w1(x, y) == w1(x.astype(float), y.astype(float))
    assert w1(x.tolist(), list(y.tolist())) == w1(x, y)


def test_arrays_are_left_alone():
    x, y, a = heavy(500, 15), heavy(300, 16), np.random.default_rng(15).random(500)
    kept = x.copy(), y.copy(), a.copy()
    for z in (x, y, a):
        z.setflags(write=False)
    w1(x, y), w1(x, x[:300]), wp(x, y, 2, x_weights=a), wp(x, y, math.inf)
    for z, before in zip((x, y, a), kept):
        np.testing.assert_array_equal(z, before)
    assert w1(x[::2], y[::-1]) == w1(x[::2].copy(), y)


@pytest.mark.parametrize("n, m", [(60_000, 60_000), (60_000, 51_000)])
def test_threads(n, m):
    x, y, a = heavy(n, 17), heavy(m, 18), np.random.default_rng(17).random(n)
    for p in (1, 2):
        assert wp(x, y, p) == wp(x, y, p, threads=2) == wp(x, y, p, threads=None)
    assert w1(x, y, x_weights=a) == w1(x, y, x_weights=a, threads=2)
    with pytest.raises(ValueError, match="y must be finite, got 1"):
        w1(x, np.append(y[1:], np.nan), threads=2)


# ---------------------------------------------------------------- warnings and errors


@pytest.mark.parametrize("p, alpha", [(1, 1.0), (1, 0.5), (2, 1.9), (3, 3), (math.inf, 5)])
def test_infinite_distance_of_the_laws_warns(p, alpha):
    with pytest.warns(UserWarning, match=f"p = {p:g} >= alpha = {alpha:g}") as caught:
        wp([0.0, 1.0], [2.0], p, alpha=alpha)
    assert caught[0].filename == __file__
    if p == 1:
        with pytest.warns(UserWarning, match="infinite") as caught:
            w1([0.0, 1.0], [2.0], alpha=alpha)
        assert caught[0].filename == __file__


def test_finite_distance_of_the_laws_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wp([0.0, 1.0], [2.0], 1.2, alpha=1.3)
        w1([0.0, 1.0], [2.0])


GOOD = [1.0, 2.0]
BAD = [
    ({"x": []}, "x must not be empty"),
    ({"y": np.zeros((2, 0))}, "y must have 1 dimension"),
    ({"x": [[1.0, 2.0]]}, r"x must have 1 dimension\(s\), got shape \(1, 2\)"),
    ({"x": 3.0}, r"x must have 1 dimension\(s\), got shape \(\)"),
    ({"x": [1.0, math.nan]}, "x must be finite, got 1 NaN or infinite"),
    ({"y": [math.inf, 1.0, -math.inf]}, "y must be finite, got 2 NaN or infinite"),
    ({"y": [-math.inf, 1.0]}, "y must be finite, got 1"),
    ({"x": ["a"]}, "x must be an array of finite numbers, got dtype"),
    ({"x": [1j]}, "x must be an array of finite numbers, got dtype complex128"),
    ({"x": None}, r"x must have 1 dimension"),
    ({"x": [[1.0], [2.0, 3.0]]}, "x must be an array of finite numbers, got list"),
    ({"p": 0.99}, r"p must lie in \[1, inf\], got 0.99"),
    ({"p": math.nan}, r"p must lie in \[1, inf\], got nan"),
    ({"p": "2"}, r"p must lie in \[1, inf\], got '2'"),
    ({"p": True}, r"p must lie in \[1, inf\], got True"),
    ({"p": -math.inf}, r"p must lie in \[1, inf\], got -inf"),
    ({"alpha": 0.0}, r"alpha must lie in \(0, inf\), got 0.0"),
    ({"alpha": math.nan}, "alpha must lie in"),
    ({"threads": 0}, "threads must be a whole number >= 1"),
    ({"x_weights": [1.0]}, r"x_weights must have one entry per point, shape \(2,\), got \(1,\)"),
    ({"y_weights": [1.0, -0.5]}, "y_weights must be zero or more, got -0.5"),
    ({"x_weights": [0.0, 0.0]}, "x_weights must have a positive and finite sum, got 0"),
    ({"x_weights": [1e308, 1e308]}, "x_weights must have a positive and finite sum, got inf"),
    ({"x_weights": [1.0, math.nan]}, "x_weights must be finite, got 1"),
    ({"x_weights": [[1.0, 2.0]]}, "x_weights must have one entry per point"),
    ({"x": [1.0, math.nan], "x_weights": [1, 2]}, "x must be finite, got 1"),
]


@pytest.mark.parametrize("wrong, message", BAD, ids=lambda v: str(v) if isinstance(v, dict) else "")
def test_bad_input(wrong, message):
    arguments = {"x": GOOD, "y": GOOD, "p": 1.0} | wrong
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message) as error:
        warnings.simplefilter("ignore")  # NumPy's, where a sum overflows
        wp(**arguments)
    assert "\n" not in str(error.value)
