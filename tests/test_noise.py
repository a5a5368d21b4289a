"""noise.py: the laws of the types, nested grids, and increments that are their addresses whatever n or the threads."""

import math

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import noise, stable

KINDS = ("I", "II", "III", "III-paper")
LAWS = {
    "I": lambda alpha: lambda k: np.exp(-(np.abs(k.sum(-1)) ** alpha)),
    "II": lambda alpha: lambda k: np.exp(-(np.abs(k) ** alpha).sum(-1)),
    "III": lambda alpha: goodness.sas(alpha),
    "III-paper": lambda alpha: goodness.sas(alpha, math.sqrt(0.5)),
}
DIRECTIONS = np.array([[0.9, 0.1, 0.3], [-0.2, 1.1, -0.4], [0.3, 0.4, 0.5], [0.0, 0.0, 0.6], [0.8, -0.9, 0.7]])
BLOCKS = 200  # enough for three threads to get work
N = BLOCKS * stable.BLOCK + 37


def correlation_bound(n):
    """Uncorrelated bounded variables stay below this at the false-alarm level."""
    return stats.norm.isf(goodness.FALSE_ALARM / 2) / math.sqrt(n)


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("alpha", [0.8, 1.2, 1.5, 2.0])
def test_laws_of_the_types(alpha):
    """Every type passes for its own characteristic function and fails for the others'."""
    n = 400_000
    for kind in KINDS:
        x = noise.increments(kind, alpha, (3, n), seed=31, step=0)
        for other in KINDS:
            k = DIRECTIONS[:3] if "I" in (kind, other) else DIRECTIONS  # for Type I only the sum of k counts
            statistic = goodness.chi_square(x, LAWS[other](alpha), k)
            if kind == other or (alpha == 2 and {kind, other} == {"II", "III"}):
                assert statistic < goodness.critical(k), (kind, other)
            else:
                assert goodness.miss(LAWS[kind](alpha), LAWS[other](alpha), k, n) < goodness.FALSE_ALARM
                assert statistic > goodness.critical(k), (kind, other)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
def test_one_component_is_the_scalar_law(alpha):
    scalar = noise.increments("II", alpha, 5000, seed=32, step=0)
    assert not np.any(scalar == stable.rvs(alpha, 5000, seed=32))  # samples have a stream of their own
    for kind in ("I", "II", "III"):
        assert np.array_equal(noise.increments(kind, alpha, 5000, seed=32, step=0), scalar)
        assert np.array_equal(noise.increments(kind, alpha, (1, 5000), seed=32, step=0), scalar[None])
    paper = noise.increments("III-paper", alpha, 5000, seed=32, step=0)
    assert np.array_equal(paper, math.sqrt(0.5) * scalar) and not np.array_equal(paper, scalar)


def test_components_of_a_unit():
    """Equal for Type I, independent for Type II, uncorrelated in sign but not in size for Type III."""
    bound = correlation_bound(N)
    one, two, three = (noise.increments(kind, 1.5, (2, N), seed=33, step=4) for kind in ("I", "II", "III"))
    assert np.array_equal(one[0], one[1]) and np.unique(one[0]).size == N
    for x in (two, three):
        assert abs(np.corrcoef(np.sin(x))[0, 1]) < bound
    assert abs(np.corrcoef(np.cos(two))[0, 1]) < bound < np.corrcoef(np.cos(three))[0, 1]


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.7, 1.5, 2.0])
def test_agrees_with_the_loops(kind, alpha):
    """The textbook forms lose digits as 1/cos U; on these few hundred draws ten digits are left."""
    for p, n, step, refine, replica in [(2, 530, 3, 1, 0), (3, 20, 2**31 - 1, 2, 2**28 - 1), (1, 20, 2**32 - 1, 1, 5)]:
        address = {"seed": 2**64 - 1, "step": step, "replica": replica, "refine": refine, "scale": 0.3}
        truth = naive.increments(kind, alpha, p, n, **address)
        np.testing.assert_allclose(noise.increments(kind, alpha, (p, n), **address), truth, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_does_not_depend_on_n(kind):
    whole = noise.increments(kind, 1.5, (2, 1600), seed=34, step=1, refine=3)
    for n in (1, 2, 7, 511, 512, 513, 1024, 1535, 1537):
        assert np.array_equal(noise.increments(kind, 1.5, (2, n), seed=34, step=1, refine=3), whole[:, :n])
    if kind == "II":  # nor on p; Type III needs its subordinator only from two components on
        assert np.array_equal(noise.increments(kind, 1.5, (1, 1600), seed=34, step=1, refine=3), whole[:1])
    elif kind == "III":
        three = noise.increments(kind, 1.5, (3, 1600), seed=34, step=1, refine=3)
        assert np.array_equal(three[:2], whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_same_bits_for_any_number_of_threads(kind, alpha):
    arguments = {"seed": 35, "step": 7, "refine": 2, "scale": 0.1}
    one = noise.increments(kind, alpha, (2, N), threads=1, **arguments)
    for threads in (2, 3, None):
        assert np.array_equal(noise.increments(kind, alpha, (2, N), threads=threads, **arguments), one)
    assert np.array_equal(noise.increments(kind, alpha, (2, N), **arguments), one)  # and the same again


@pytest.mark.parametrize("kind", ["II", "III"])
def test_other_addresses_are_independent(kind):
    """Signs and sizes of increments at two addresses are uncorrelated; at one address they are equal."""
    base = {"seed": 36, "step": 2, "replica": 3}
    x = noise.increments(kind, 1.2, (2, N), **base)
    others = [{"seed": 37}, {"seed": 36 + 2**32}, {"step": 3}, {"step": 2 + 2**16}, {"replica": 4}, {"replica": 2}]
    for other in others:
        y = noise.increments(kind, 1.2, (2, N), **{**base, **other})
        assert not np.any(x == y), other
        for bounded in (np.sin, np.cos, np.sign, lambda t: np.abs(t) > 1):
            assert abs(np.corrcoef(bounded(x[0]), bounded(y[0]))[0, 1]) < correlation_bound(N), other
    # neighbouring units, and the partner: a coupled system shares its address
    assert abs(np.corrcoef(np.sin(x[0, 1:]), np.sin(x[0, :-1]))[0, 1]) < correlation_bound(N)
    again = noise.increments(kind, 1.2, (2, N), **base)
    assert np.corrcoef(np.sin(x[0]), np.sin(again[0]))[0, 1] > correlation_bound(N)


# ---------------------------------------------------------------- nested grids


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("refine", [2, 3, 16])
def test_a_coarse_increment_is_the_sum_of_its_fine_ones(kind, refine):
    alpha, step, n, scale = 1.5, 5, 2000, 0.7
    coarse = noise.increments(kind, alpha, (2, n), seed=38, step=step, refine=refine, scale=scale)
    fine = np.array(
        [
            noise.increments(kind, alpha, (2, n), seed=38, step=s, scale=scale)
            for s in range(step * refine, (step + 1) * refine)
        ]
    )
    tolerance = refine * 2.0**-52 * np.abs(fine).sum(0)  # rounding of a sum of `refine` rounded products
    assert np.all(np.abs(coarse - fine.sum(0)) <= tolerance)
    # one fresh variable has the right law and the wrong path
    fresh = refine ** (1 / alpha) * noise.increments(kind, alpha, (2, n), seed=38, step=step, scale=scale)
    assert np.mean(np.abs(fresh - fine.sum(0)) <= tolerance) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_grids_nest_in_grids(kind):
    def sums(step, refine):
        return noise.increments(kind, 1.2, (2, 700), seed=39, step=step, refine=refine)

    size = sum(np.abs(sums(s, 1)) for s in range(12, 24))
    for parts in ([sums(s, 2) for s in range(6, 12)], [sums(s, 3) for s in range(4, 8)], [sums(2, 6), sums(3, 6)]):
        assert np.all(np.abs(sums(1, 12) - sum(parts)) <= 12 * 2.0**-52 * size)
    assert not np.all(np.abs(sums(1, 12) - sums(2, 6) - sums(4, 6)) <= 12 * 2.0**-52 * size)


@pytest.mark.parametrize("kind", KINDS)
def test_summed_increments_keep_their_law(kind):
    """r steps of scale r^(-1/alpha) make one step of scale 1; with the scaling of another alpha they do not."""
    alpha, refine, n = 1.3, 4, 300_000
    k, law = DIRECTIONS[:3], LAWS[kind](alpha)
    x = noise.increments(kind, alpha, (3, n), seed=40, step=1, refine=refine, scale=refine ** (-1 / alpha))
    assert goodness.chi_square(x, law, k) < goodness.critical(k)
    assert goodness.chi_square(refine ** (1 / alpha - 1 / 1.4) * x, law, k) > goodness.critical(k)


# ---------------------------------------------------------------- the path object, and what it refuses


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_gives_the_increments(kind):
    path = noise.Path(kind, 1.5, 3, 1000, seed=41, replica=2, scale=0.5, refine=2, threads=2)
    out = np.full((3, 1000), np.nan)
    for step in (0, 9, 0):
        assert path.fill(step, out) is out
        expected = noise.increments(kind, 1.5, (3, 1000), seed=41, step=step, replica=2, scale=0.5, refine=2)
        assert np.array_equal(out, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.7, 1.5, 2.0])
def test_float32_is_float64_rounded_once(kind, alpha):
    path = noise.Path(kind, alpha, 3, 1100, seed=43, scale=0.01)
    fine, coarse = path.fill(6, np.empty((3, 1100))), path.fill(6, np.empty((3, 1100), np.float32))
    assert coarse.dtype == np.float32 and np.array_equal(coarse, fine.astype(np.float32))
    single = noise.Path(kind, alpha, 3, 1100, seed=43, scale=1.0).fill(6, np.empty((3, 1100), np.float32))
    assert not np.array_equal(np.float32(0.01) * single, coarse)  # partner: rounded before it is scaled


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [0, 2**32, 4 * 2**32, 255 * 2**32])
def test_the_units_of_a_layer_are_their_addresses(kind, unit):
    path = noise.Path(kind, 1.5, 2, 515, seed=2**64 - 1, scale=0.3, unit=unit, threads=3)
    x = path.fill(2**32 - 1, np.empty((2, 515)))
    truth = naive.increments(kind, 1.5, 2, 515, seed=2**64 - 1, step=2**32 - 1, scale=0.3, first=unit)
    np.testing.assert_allclose(x, truth, rtol=1e-10)
    assert np.array_equal(noise.Path(kind, 1.5, 2, 20, seed=2**64 - 1, scale=0.3, unit=unit).fill(
        2**32 - 1, np.empty((2, 20))), x[:, :20])  # fmt: skip
    if unit:
        assert not np.any(x == noise.increments(kind, 1.5, (2, 515), seed=2**64 - 1, step=2**32 - 1, scale=0.3))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 300, 512, 513, 5 * 512 + 1])
@pytest.mark.parametrize("p", [1, 2, 64, 140])
def test_few_blocks_of_many_rows_go_to_threads(kind, n, p):
    one = noise.Path(kind, 1.5, p, n, seed=44, unit=2**32).fill(3, np.empty((p, n), np.float32))
    for threads in (2, 3, None):
        path = noise.Path(kind, 1.5, p, n, seed=44, unit=2**32, threads=threads)
        assert np.array_equal(path.fill(3, np.empty((p, n), np.float32)), one)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [1, 64, 512, 2**32 - 1024, 2**32 + 512, 2**32 + 2**31 + 3])
def test_a_part_of_the_units_has_their_noise(kind, unit):
    """From any unit on, also past 2^32 where the blocks are those of the whole; drawn at once or in pieces."""
    start, n = unit // 512 * 512, 1600
    whole = noise.Path(kind, 1.5, 3, n, seed=46, unit=start).fill(2, np.empty((3, n)))
    path = noise.Path(kind, 1.5, 3, n - 700, seed=46, unit=unit, threads=3)
    assert np.array_equal(path.fill(2, np.empty((3, n - 700))), whole[:, unit - start :][:, : n - 700])
    pieces = [path.piece(2, first, np.empty((3, m))) for first, m in [(0, 512), (512, 388)]]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole[:, unit - start :][:, : n - 700])
    assert not np.any(pieces[0] == whole[:, unit - start + 1 :][:, :512])  # partner: the neighbour's


def test_a_piece_is_refused_where_a_block_would_have_two_high_words():
    path = noise.Path("II", 1.5, 1, 4096, seed=46, unit=2**32 - 2048)
    path.piece(0, 1000, np.empty((1, 1048)))
    with pytest.raises(ValueError, match="unit must be a multiple of 512 where units reach past a multiple of 2\\^32"):
        path.piece(0, 1000, np.empty((1, 1049)))


@pytest.mark.parametrize(
    "unit, line",
    [
        (2**32 - 4, "unit must be a multiple of 512 where units reach past a multiple of 2^32, got 4294967292"),
        (2**34 - 1, "unit must be a multiple of 512 where units reach past a multiple of 2^32, got 17179869183"),
        (-(2**32), "unit must be a whole number in [0, 1099511627771], got -4294967296"),
        (2**40, "unit must be a whole number in [0, 1099511627771], got 1099511627776"),
        (0.5, "unit must be a whole number in [0, 1099511627771], got 0.5"),
    ],
)
def test_bad_units(unit, line):
    with pytest.raises(ValueError) as error:
        noise.Path("II", 1.5, 2, 5, seed=0, unit=unit)
    assert str(error.value) == line


def test_scale_and_shape():
    x = noise.increments("II", 1.5, (2, 300), seed=42, step=0)
    assert x.shape == (2, 300) and x.dtype == np.float64
    assert np.array_equal(noise.increments("II", 1.5, (2, 300), seed=42, step=0, scale=0.25), 0.25 * x)
    assert not noise.increments("III", 1.5, (2, 300), seed=42, step=0, scale=0.0).any()
    assert noise.increments("I", 1.5, 300, seed=42, step=0).shape == (300,)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"kind": "IV"}, "noise must be one of I, II, III, III-paper, got 'IV'"),
        ({"kind": None}, "noise must be one of I, II, III, III-paper, got None"),
        ({"alpha": 0}, "alpha must lie in (0, 2], got 0.0"),
        ({"alpha": 2.1}, "alpha must lie in (0, 2], got 2.1"),
        ({"alpha": math.nan}, "alpha must lie in (0, 2], got nan"),
        ({"alpha": "x"}, "alpha must lie in (0, 2], got 'x'"),
        ({"shape_": (0, 5)}, "p must be a whole number in [1, 16777216], got 0"),
        ({"shape_": (2**24 + 1, 5)}, "p must be a whole number in [1, 16777216], got 16777217"),
        ({"shape_": (2, 0)}, "n must be a whole number in [1, 1099511627776], got 0"),
        ({"shape_": 1.5}, "n must be a whole number in [1, 1099511627776], got 1.5"),
        ({"seed": -1}, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ({"replica": 2**28}, "replica must be a whole number in [0, 268435455], got 268435456"),
        ({"replica": -1}, "replica must be a whole number in [0, 268435455], got -1"),
        ({"step": -1}, "step must be a whole number in [0, 4294967295], got -1"),
        ({"step": 2**32}, "step must be a whole number in [0, 4294967295], got 4294967296"),
        ({"step": 2**31, "refine": 2}, "step must be a whole number in [0, 2147483647], got 2147483648"),
        ({"refine": 0}, "refine must be a whole number in [1, 4294967296], got 0"),
        ({"scale": -1}, "scale must lie in [0, inf), got -1.0"),
        ({"scale": math.nan}, "scale must lie in [0, inf), got nan"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
    ],
)
def test_bad_arguments(arguments, line):
    with pytest.raises(ValueError) as error:
        noise.increments(**{"kind": "II", "alpha": 1.5, "shape_": (2, 5), "seed": 0, "step": 0, **arguments})
    assert str(error.value) == line
