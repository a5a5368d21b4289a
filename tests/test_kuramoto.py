"""kuramoto.py: one step against the loops, sums that do not depend on where they are taken, and the initial law."""

import math

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import kuramoto, pairwise
from chaosnum.kuramoto import Kuramoto
from chaosnum.stable import BLOCK

EPS = np.finfo(float).eps


def states(n, seed, systems=1):
    """Phases over many turns, and increments with some large ones among them."""
    rng = np.random.default_rng(seed)
    return 5.0 * rng.standard_normal((systems, n)), 0.2 * rng.standard_cauchy((1, systems * n))


def step_tolerance(theta, noise, gain):
    """Sine, cosine and average are right to 2 eps, products and sums are rounded at most four times."""
    return 4 * EPS * (np.abs(theta) + np.abs(noise) + 2 * gain)


# ---------------------------------------------------------------- one step


@pytest.mark.parametrize("n", [2, 31, 511, 512, 513, 1025, 5000])
def test_a_step_agrees_with_the_loops(n):
    (theta, noise), eta, twin = states(n, n), 0.1, naive.Kuramoto(1.7)
    system = Kuramoto(1.7).system(theta.copy())
    for _ in range(3):
        before, average = system.theta.copy(), system.average.copy()
        assert np.abs(average[0] - twin.average(before)).max() < 4 * EPS
        system.advance(average, noise, eta)
        truth = twin.step(before, twin.average(before), noise, eta)
        assert np.all(np.abs(system.theta - truth) <= step_tolerance(before, noise, eta * 1.7))
        # partners: the other sign of the coupling, and a coupling that is 1e-9 off
        for K in (-1.7, 1.7 * (1 + 1e-9)):
            other = naive.Kuramoto(K).step(before, twin.average(before), noise, eta)
            assert not np.all(np.abs(system.theta - other) <= step_tolerance(before, noise, eta * 1.7))


def test_the_interaction_is_read_from_the_given_average():
    theta, noise = states(700, 1)
    given = np.array([[0.3, -0.8]])
    system = Kuramoto(2.0).system(theta.copy())
    own = system.average.copy()
    system.advance(given, noise, 0.05)
    assert np.array_equal(given, [[0.3, -0.8]])
    gap = lambda average: np.abs(system.theta - naive.Kuramoto(2.0).step(theta, average, noise, 0.05))  # noqa: E731
    assert np.all(gap(given[0]) <= step_tolerance(theta, noise, 0.1))
    assert not np.all(gap(own[0]) <= step_tolerance(theta, noise, 0.1))


def test_observe_changes_nothing():
    theta, noise = states(1300, 2)
    ends = []
    for observe in (True, False):
        system = Kuramoto().system(theta.copy())
        for _ in range(3):
            system.advance(system.average, noise, 0.1, observe=observe)
        ends.append((system.theta, system.average))
    assert np.array_equal(ends[0][0], ends[1][0]) and np.array_equal(ends[0][1], ends[1][1])


def test_phases_that_hold_no_angle_count_as_zero():
    """From 2^51 on; with noise of alpha near 1 they do occur, and one of them must not spoil the average."""
    far = np.array([[2.0**51, -(2.0**52), 2.0**53, 1e300, -1e300, np.inf]])
    system = Kuramoto().system(far.copy())
    assert np.array_equal(system.average, [[1.0, 0.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.cos(far)).any()  # partner: what the library function makes of them
    system.advance(np.array([[0.0, 1.0]]), np.zeros((1, 6)), 0.5)
    assert np.array_equal(system.theta, far + 0.5) and np.array_equal(system.average, [[1.0, 0.0]])
    near = np.array([[np.nextafter(2.0**51, 0), -(2.0**50), 2.0**39 + 0.5, -1e11]])
    cosine, sine = np.empty_like(near), np.empty_like(near)
    kuramoto._observe(near, cosine, sine, np.empty((1, 1, 2)), 0, 1)
    assert np.abs(cosine).max() <= 1.0 and np.abs(sine).max() <= 1.0
    assert np.abs(cosine - np.cos(near))[0, 2:].max() < EPS > np.abs(sine - np.sin(near))[0, 2:].max()


# ---------------------------------------------------------------- sums


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 255, 256, 257, 511, 512])
def test_tree_sum(n):
    """Depth: at most 4 halvings and a chain of 32, so 36 roundings of partial sums below sum |x|."""
    scratch = np.full(BLOCK, np.nan)
    for seed in range(5):
        x = np.random.default_rng(seed).standard_cauchy(n)
        truth = math.fsum(x)
        assert abs(pairwise.tree_sum(x, scratch, n) - truth) <= 36 * EPS / 2 * np.abs(x).sum()
        assert not abs(pairwise.tree_sum(x, scratch, n - 1) - truth) <= 36 * EPS / 2 * np.abs(x).sum()


def test_tree_sum_does_not_depend_on_the_place():
    """Neither on the alignment of the vector, nor on what lies behind it: zeros past the end change no bit."""
    scratch = np.empty(BLOCK)
    differs = 0
    for n in (5, 300, 511, 512):
        x = np.random.default_rng(n).standard_normal(n)
        sums = set()
        for shift in range(9):
            store = np.full(BLOCK + 16, 1e9)
            store[shift : shift + n] = x
            sums.add(pairwise.tree_sum(store[shift:], scratch, n))
        sums.add(pairwise.tree_sum(np.append(x, np.zeros(BLOCK - n)), scratch, BLOCK))
        assert len(sums) == 1
        differs += float(sum(x)) not in sums
    assert differs  # partner: the order of the terms does matter to the last bits


def test_averages_of_several_systems():
    """Each system's average is that of the system alone, bit for bit, and near the exact mean."""
    for n, systems in [(2, 5), (511, 3), (513, 4), (1500, 2)]:
        theta, noise = states(n, n, systems)
        together = Kuramoto(1.3).system(theta.copy())
        together.advance(together.average, noise, 0.1)
        for r in range(systems):
            alone = Kuramoto(1.3).system(theta[r : r + 1].copy())
            alone.advance(alone.average, noise[:, r * n : (r + 1) * n].copy(), 0.1)
            assert np.array_equal(alone.theta[0], together.theta[r])
            assert np.array_equal(alone.average[0], together.average[r])
            truth = naive.Kuramoto(1.3).average(together.theta[r : r + 1])
            assert np.abs(together.average[r] - truth).max() < 4 * EPS
        assert len(np.unique(together.average[:, 0])) == systems


def test_one_average_for_all_systems():
    theta, noise = states(600, 3, 3)
    shared = Kuramoto().system(theta.copy())
    shared.advance(np.array([[0.4, 0.1]]), noise, 0.1)
    each = Kuramoto().system(theta.copy())
    each.advance(np.array([[0.4, 0.1]] * 3), noise, 0.1)
    assert np.array_equal(shared.theta, each.theta)


# ---------------------------------------------------------------- initial law


def test_initial_values_are_their_addresses():
    bed = Kuramoto(mean=-0.3, sd=0.7)
    theta = bed.initial(530, systems=2, seed=2**64 - 1, replica=7)
    assert theta.shape == (2, 530) and theta.dtype == np.float64
    truth = naive.normal(-0.3, 0.7, 1, 1060, seed=2**64 - 1, replica=7)[0]
    assert np.abs(theta.reshape(-1) - truth).max() < 1e-13
    for seed, replica in [(2**64 - 2, 7), (2**64 - 1, 8)]:
        assert not np.any(bed.initial(530, systems=2, seed=seed, replica=replica) == theta)


def test_initial_law():
    """Mean, variance and shape at the false-alarm level; the partners are off by a hundredth."""
    n = 400_000
    theta = Kuramoto(mean=0.5, sd=1.0).initial(n, seed=5)[0]
    z = stats.norm.isf(goodness.FALSE_ALARM / 2)
    assert abs(theta.mean() - 0.5) < z / math.sqrt(n) < abs(theta.mean() - 0.51)
    low, high = stats.chi2.ppf([goodness.FALSE_ALARM / 2, 1 - goodness.FALSE_ALARM / 2], n - 1) / (n - 1)
    assert low < theta.var(ddof=1) < high and not low < theta.var(ddof=1) / 1.01**2 < high
    assert goodness.kolmogorov(theta, stats.norm(0.5, 1.0).cdf) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(theta, stats.norm(0.51, 1.0).cdf) > goodness.KOLMOGOROV_CRITICAL


def test_a_point_mass():
    assert np.array_equal(Kuramoto(mean=0.2, sd=0.0).initial(3, seed=1), np.full((1, 3), 0.2))


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"K": 0.0}, "K must lie in (0, inf), got 0.0"),
        ({"K": -1}, "K must lie in (0, inf), got -1.0"),
        ({"K": math.nan}, "K must lie in (0, inf), got nan"),
        ({"K": "1"}, "K must lie in (0, inf), got '1'"),
        ({"mean": math.inf}, "mean must lie in (-inf, inf), got inf"),
        ({"sd": -0.1}, "sd must lie in [0, inf), got -0.1"),
    ],
)
def test_bad_input(arguments, line):
    with pytest.raises(ValueError) as error:
        Kuramoto(**arguments)
    assert str(error.value) == line
