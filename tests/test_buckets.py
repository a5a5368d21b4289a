"""buckets.py against sorted samples, rational arithmetic and laws whose distance is known.

The twin sorts in NumPy and sums with `math.fsum`; for unequal sizes it walks along the merged points with D = F - G in
whole numbers, as W_1 = int |F - G| says.
"""

import bisect
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosnum import buckets, stable, wasserstein, wasserstein_space
from chaosnum.buckets import FEWEST, w1_by_buckets

N = 60_000


def by_sorting(x, y):
    """int |F - G| by merging -> float, the sum rounded once."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.size == y.size:
        return math.fsum(np.abs(np.sort(x) - np.sort(y))) / x.size
    points = np.concatenate([x, y])
    order = np.argsort(points, kind="stable")
    common = math.gcd(x.size, y.size)
    D = np.cumsum(np.where(order < x.size, y.size // common, -(x.size // common)))
    return math.fsum(np.abs(D[:-1]) * np.diff(points[order])) / (x.size // common * y.size)


def by_fractions(x, y):
    """int |F - G| in rational arithmetic -> float."""
    x, y = (sorted(Fraction(float(v)) for v in z) for z in (x, y))
    edges = sorted({*x, *y})
    F, G = ([Fraction(bisect.bisect_right(z, e), len(z)) for e in edges] for z in (x, y))
    return float(sum(abs(f - g) * (R - L) for f, g, (L, R) in zip(F, G, itertools.pairwise(edges))))


def normal(n, seed):
    return np.random.default_rng(seed).standard_normal(n)


def sas(n, seed, alpha):
    return stable.rvs(alpha, n, seed=seed)


def either(found, x, y, rel=1e-13):
    """The distance, or None where it may decline; the public function has an answer in both cases."""
    ref = by_sorting(x, y)
    assert found is None or found == pytest.approx(ref, rel=rel, abs=0)
    assert wasserstein.w1(x, y) == pytest.approx(ref, rel=rel, abs=0)
    return found is not None


# ---------------------------------------------------------------- laws


LAWS = {
    "normal": normal,
    "uniform": lambda n, seed: np.random.default_rng(seed).random(n),
    "exponential": lambda n, seed: np.random.default_rng(seed).exponential(size=n),
    "lognormal": lambda n, seed: np.exp(3 * normal(n, seed)),
    "far away": lambda n, seed: 1e6 + normal(n, seed),
    "two humps": lambda n, seed: normal(n, seed) + 20 * (np.random.default_rng(seed + 50).random(n) < 0.4),
    "a dense spot": lambda n, seed: normal(n, seed) * np.where(np.arange(n) % 7 == 0, 1e-9, 1.0),
    **{f"SaS {alpha}": lambda n, seed, alpha=alpha: sas(n, seed, alpha) for alpha in (0.6, 1.0, 1.3, 1.7, 2.0)},
}


@pytest.mark.parametrize("m", [N, N - 1, N + 20_000])
@pytest.mark.parametrize("law", LAWS)
def test_same_law(law, m):
    x, y = LAWS[law](N, 1), LAWS[law](m, 2)
    found = w1_by_buckets(x, y)
    assert found is not None
    ref = by_sorting(x, y)
    assert found == pytest.approx(ref, rel=1e-13, abs=0)
    assert found == wasserstein.w1(x, y)
    assert w1_by_buckets(x, y[:-100]) != pytest.approx(ref, rel=1e-7)  # the partner that must fail


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shift", [1e-3, 1.0, -1e9])
def test_shifted(law, shift):
    x, y = LAWS[law](N, 3), LAWS[law](N + 7, 4) + shift
    assert either(w1_by_buckets(x, y), x, y)
    if abs(shift) >= 1e3 and not law.startswith("SaS") and law not in ("lognormal", "far away"):
        assert w1_by_buckets(x, y) == pytest.approx(abs(y.mean() - x.mean()), rel=1e-12)


def test_two_laws():
    x, y = normal(N, 5), sas(N, 6, 1.5)
    assert either(w1_by_buckets(x, y), x, y)
    assert either(w1_by_buckets(x, 3 * x), x, 3 * x)
    assert either(w1_by_buckets(x, -x[:50_001]), x, -x[:50_001])


def test_a_known_distance():
    """Between the quantiles of uniform laws on [0, 1] and [a, 1 + a], and [0, 1] and [0, b]: a and |b - 1| / 2."""
    u = (np.random.default_rng(7).permutation(N) + 0.5) / N
    assert w1_by_buckets(u, u + 0.25) == pytest.approx(0.25, rel=1e-14)
    assert w1_by_buckets(u, 3 * u[::-1]) == pytest.approx(1.0, rel=1e-13)
    assert w1_by_buckets(u, 3 * u[::-1]) != pytest.approx(1.0 + 1e-9, rel=1e-10)


@pytest.mark.parametrize("scale", [1e-300, 1e-250, 1e-30, 1e30, 1e250, 1e300, 1.7e307])
@pytest.mark.parametrize("m", [N, N - 3])
def test_scale(scale, m):
    x, y = np.clip(normal(N, 8), -4, 4), np.clip(1e-2 + normal(m, 9), -4, 4)
    ref = wasserstein.w1(x, y)
    assert wasserstein.w1(scale * x, scale * y) == pytest.approx(scale * ref, rel=1e-12, abs=0)
    far = np.append(y[1:], 1e3 * scale if scale < 1e300 else 1.7e308)  # one point beyond everything
    assert wasserstein.w1(scale * x, far) == pytest.approx(
        by_sorting(scale * x * 2**-60, far * 2**-60) * 2**60, rel=1e-9
    )


# ---------------------------------------------------------------- where it declines, or nearly does


AWKWARD = {
    "few integers": lambda n, seed: np.random.default_rng(seed).integers(0, 5, n).astype(float),
    "many integers": lambda n, seed: np.random.default_rng(seed).integers(0, 5000, n).astype(float),
    "hundredths": lambda n, seed: np.round(normal(n, seed), 2),
    "half zeros": lambda n, seed: normal(n, seed) * (np.arange(n) % 2),
    "two clusters": lambda n, seed: 1e-12 * np.random.default_rng(seed).integers(0, 2, n) + 1.0,
    "two thin clusters": lambda n, seed: (
        1e-12 * (np.random.default_rng(seed).integers(0, 2, n) + 0.01 * normal(n, seed))
    ),
    "a constant and a few": lambda n, seed: np.append(np.full(n - 20, 0.3), normal(20, seed)),
    "ulps of one": lambda n, seed: 1.0 + 2.0**-52 * np.random.default_rng(seed).integers(0, 100, n),
    "clusters far apart": lambda n, seed: 1e9 * np.random.default_rng(seed).integers(0, 3, n) + normal(n, seed),
    "subnormal": lambda n, seed: 5e-324 * np.random.default_rng(seed).integers(0, 10**6, n),
}


@pytest.mark.parametrize("m", [N, N - 1])
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward(name, m):
    x, y = AWKWARD[name](N, 10), AWKWARD[name](m, 11)
    either(w1_by_buckets(x, y), x, y, rel=1e-12)
    for moved in (y + 1.0, 2.0 * y):
        either(w1_by_buckets(x, moved), x, moved, rel=1e-12)


def test_constants():
    one, half = np.ones(N), np.full(N, 0.5)
    assert wasserstein.w1(one, one) == 0.0
    assert wasserstein.w1(one, half) == 0.5
    assert wasserstein.w1(np.zeros(N), -np.zeros(N)) == 0.0


def test_equal_samples():
    x = normal(N, 12)
    assert w1_by_buckets(x, x) is None  # D = 0 nearly everywhere: sorted
    assert w1_by_buckets(x, x[::-1]) is None
    assert w1_by_buckets(x, x * (1 + 1e-9 * normal(N, 13))) is None
    assert wasserstein.w1(x, x[::-1]) == 0.0
    assert wasserstein.w1(x, np.nextafter(x, np.inf)) == pytest.approx(
        by_sorting(x, np.nextafter(x, np.inf)), rel=1e-13
    )
    assert wasserstein.w1(x, np.repeat(x, 2)) == 0.0


@pytest.mark.parametrize("bits", range(3, 15))
def test_pairs_on_both_sides_of_an_edge(bits):
    """Points on the edges and a little below: whole widths are subtracted to leave next to nothing."""
    y = np.unique(np.round(np.ldexp(sas(4 * N, 31, 1.5), bits)) / 2**bits)
    x = np.random.default_rng(31).permutation(y - 1e-10)
    either(w1_by_buckets(x, y), x, y, rel=1e-12)


def test_cancellation_is_noticed(monkeypatch):
    x, y = normal(N, 32), normal(N, 33)
    assert w1_by_buckets(x, y) is not None
    monkeypatch.setattr(buckets, "_KEPT", 2.0)
    assert w1_by_buckets(x, y) is None


def test_heaps_and_pairs_are_seen_before_the_work(monkeypatch):
    x, y = (np.random.default_rng(seed).integers(0, 50, N).astype(float) for seed in (13, 14))
    monkeypatch.setattr(buckets, "_count", None)
    assert w1_by_buckets(x, y) is None
    x = normal(N, 13)
    assert w1_by_buckets(x, x + 1e-5 * normal(N, 14)) is None
    with pytest.raises(TypeError):
        w1_by_buckets(normal(N, 13), normal(N, 14))


@pytest.mark.parametrize("spoil", [math.nan, -math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [0, 1, 777, N - 1])
def test_not_finite(spoil, where):
    x, y = normal(N, 15), normal(N, 16)
    y[where] = spoil
    assert w1_by_buckets(x, y) is None
    with pytest.raises(ValueError, match="y must be finite, got 1"):
        wasserstein.w1(x, y)
    with pytest.raises(ValueError, match="x must be finite, got 1"):
        wasserstein.w1(y, x, threads=2)


def test_order_of_the_points():
    x, y = normal(N, 17), normal(N, 18)
    ref = by_sorting(x, y)
    for a, b in ((np.sort(x), np.sort(y)), (np.sort(x)[::-1], y), (x[::-1], np.sort(y))):
        assert w1_by_buckets(a, b) == pytest.approx(ref, rel=1e-13)


# ---------------------------------------------------------------- small samples, rational arithmetic


values = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.floats(-1e300, 1e300), st.floats(1.0, 1.0 + 1e-14)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(values, min_size=1, max_size=60), st.lists(values, min_size=1, max_size=60))
def test_any_sample(x, y):
    found = w1_by_buckets(np.array(x), np.array(y))
    assert found is None or found == pytest.approx(by_fractions(x, y), rel=1e-12, abs=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 400), st.integers(2, 400), st.floats(0.5, 2), st.floats(-3, 3))
def test_few_points_of_heavy_tails(seed, n, m, alpha, shift):
    x, y = sas(n, seed, alpha), sas(m, seed + 1, alpha) + shift
    found = w1_by_buckets(x, y)
    assert found is None or found == pytest.approx(by_sorting(x, y), rel=1e-12, abs=0)


def test_small_samples_are_not_all_declined():
    pairs = [(normal(200, seed), 3.0 + normal(170, seed + 100)) for seed in range(20)]
    found = [w1_by_buckets(x, y) for x, y in pairs]
    assert sum(v is not None for v in found) > 15
    assert all(v is None or v == pytest.approx(by_fractions(*p), rel=1e-13) for v, p in zip(found, pairs))


# ---------------------------------------------------------------- kernels


def edge(j, c, s, shift, base, half):
    """The left edge of a bucket, from the definition of the buckets."""
    q = j - half if j >= half else half - j
    z = np.uint64((base + q) << int(shift)).view(np.float64)
    return c + math.copysign(z - s, j - half)


def test_buckets_are_monotone_and_their_edges_are_edges():
    x, y = sas(N, 19, 0.8), sas(N, 20, 0.8)
    grid = c, s, _, shift, base, half = buckets._grid(x, y)
    points = np.sort(np.concatenate([x, y, [c, np.nextafter(c, -9), -1.7e308, 1.7e308, -math.inf, math.inf]]))
    found = np.empty(points.size, np.uint32)
    buckets._find(points, *grid, found)
    assert np.all(np.diff(found.astype(int)) >= 0)
    assert (found[0], found[-1]) == (0, 2 * half - 1)
    kept = (found > 0) & (found < 2 * half - 1)
    left, right = (np.array([edge(int(j) + k, c, s, shift, base, half) for j in found[kept][::97]]) for k in (0, 1))
    some = points[kept][::97]
    slack = 4 * np.spacing(np.abs(some) + s)
    assert np.all(left <= some + slack) and np.all(some <= right + slack)
    assert np.all(right - left <= 2.0 ** (int(shift) - 52) * (np.abs(some - c) + s) * 1.001)


# ---------------------------------------------------------------- the public functions


def calls(monkeypatch, module):
    """Counts the calls of w1_by_buckets from a module."""
    seen = []

    def counted(*arguments):
        seen.append(arguments[0].size)
        return w1_by_buckets(*arguments)

    monkeypatch.setattr(module, "w1_by_buckets", counted)
    return seen


def test_the_switch(monkeypatch):
    seen = calls(monkeypatch, wasserstein)
    for n, m in ((FEWEST - 1, FEWEST - 1), (FEWEST, FEWEST), (FEWEST + 1, FEWEST), (FEWEST - 1, FEWEST)):
        x, y = sas(n, 21, 1.4), sas(m, 22, 1.4)
        assert wasserstein.w1(x, y) == pytest.approx(by_sorting(x, y), rel=1e-13)
    assert seen == [FEWEST, FEWEST + 1]
    x, y = normal(FEWEST, 23), normal(FEWEST, 24)
    assert wasserstein.wp(x, y, 1) == wasserstein.w1(x, y)
    seen.clear()
    wasserstein.wp(x, y, 2), wasserstein.w1(x, y, x_weights=np.ones(FEWEST)), wasserstein.w1(x.astype(int), y)
    assert seen == []


@pytest.mark.parametrize("m", [N, N + 11])
def test_threads_and_runs(m, monkeypatch):
    monkeypatch.setattr(buckets, "_APART", 1)
    x, y = sas(N, 25, 1.5), sas(m, 26, 1.5)
    found = w1_by_buckets(x, y)
    assert {w1_by_buckets(x, y, threads) for threads in (1, 2, 3, 2, 1)} == {found}
    assert wasserstein.w1(x, y, threads=None) == found
    assert w1_by_buckets(y, x) == pytest.approx(found, rel=1e-14)


def test_arrays_of_any_layout_are_left_alone():
    x, y = normal(2 * N, 27), normal(N, 28)
    kept = x.copy(), y.copy()
    x.setflags(write=False)
    y.setflags(write=False)
    found = wasserstein.w1(x[::2], y)
    assert found == w1_by_buckets(x[::2].copy(), y.copy())
    assert found == w1_by_buckets(x[::2].astype(">f8"), y)
    single = x.astype(np.float32), y.astype(np.float32)
    assert w1_by_buckets(*single) == w1_by_buckets(*(z.astype(float) for z in single))
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])


def test_sliced(monkeypatch):
    seen = calls(monkeypatch, wasserstein_space)
    X, Y = sas((2, N), 29, 1.7), sas((2, N), 30, 1.7)
    found = wasserstein.sliced(X, Y, n_projections=4, seed=3)
    assert len(seen) == 4
    directions = wasserstein_space.uniform_directions(2, 4, 3)
    assert found == pytest.approx(
        np.mean([by_sorting(a, b) for a, b in zip(directions @ X, directions @ Y)]), rel=1e-12
    )
    assert found == wasserstein.sliced(X, Y, n_projections=4, seed=3, threads=2)
