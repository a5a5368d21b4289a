"""single.py: bed K in float32 keeps the derived bound, is harmless where it is accepted, and refused elsewhere."""

import math

import naive
import numpy as np
import pytest

from chaosnum import noise, single
from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.particles import Scheme, simulate, start

ETA = 0.05


def averages(alpha, n, many, dtype, seed=7, K=1.0):
    """Averages (steps + 1, systems, 2), and the states of the first system."""
    scheme = Scheme(alpha, eta=ETA)
    system = start(Kuramoto(K), n, many, seed, 0, 1, dtype=np.dtype(dtype))
    path, found, states = scheme.path(1, n * many, seed=seed), [system.average.copy()], [system.theta[0].copy()]
    for k in range(scheme.steps):
        system.step(path, k, ETA)
        found.append(system.average.copy()), states.append(system.theta[0].copy())
    return np.array(found), states


@pytest.mark.parametrize("alpha", [0.5, 0.75, 1.0, 1.5, 1.8, 2.0])
def test_the_difference_is_below_the_bound(alpha):
    n = 3000
    fine, _ = averages(alpha, n, 1, np.float64)
    short, states = averages(alpha, n, 1, np.float32)
    gap = np.linalg.norm(short[:, 0] - fine[:, 0], axis=1)
    bound = single.bound(states, ETA)
    assert states[0].dtype == np.float32 and len(bound) == len(gap) and np.all(gap <= bound)
    assert 0.0 < gap[-1] < bound[-1] < 0.2
    assert gap[-1] > single.bound(states, ETA, unit=2.0**-53)[-1]  # partner: the bound of a longer type


def test_the_partner_that_must_fail():
    """A state in float16 breaks the bound of float32, and keeps its own."""
    n, alpha, eta = 3000, 1.8, ETA
    fine, _ = averages(alpha, n, 1, np.float64)
    twin, scheme = naive.Kuramoto(1.0), Scheme(alpha, eta=eta)
    theta, states, gaps = Kuramoto().initial(n, seed=7).astype(np.float16).astype(float), [], []
    for k in range(scheme.steps + 1):
        average = twin.average(theta)
        states.append(theta[0]), gaps.append(np.linalg.norm(average - fine[k, 0]))
        xi = noise.increments("II", alpha, (1, n), seed=7, step=k, scale=eta ** (1 / alpha))
        theta = twin.step(theta, average, xi, eta).astype(np.float16).astype(float)
    assert np.all(gaps > single.bound(states, eta)) and np.all(gaps <= single.bound(states, eta, unit=2.0**-11))


@pytest.mark.parametrize("alpha", [0.75, 1.0, 1.5, 2.0])
def test_harmless_where_it_is_accepted(alpha):
    """The root mean square over 40 systems is below `harm`, itself a hundredth of the statistical error at most."""
    n, many = 2000, 40
    short, fine = (averages(alpha, n, many, dtype)[0] for dtype in (np.float32, np.float64))
    gap = math.sqrt(n * ((short - fine)[-1] ** 2).sum(axis=1).mean())
    spread = math.sqrt(n * fine[-1].var(axis=0).sum())
    assert 0.0 < gap < 1.5 * single.harm(alpha, eta=ETA) + 1e-6 < 0.02 * spread
    assert Scheme(alpha) and single.stored("float32", Kuramoto(), Scheme(alpha)) == np.float32


def test_harm_where_it_is_refused():
    """At alpha = 0.25 lost phases pull the average down, by more than the statistical error of 10^6 particles."""
    alpha, n, many = 0.25, 40_000, 30
    short, fine = (averages(alpha, n, many, dtype)[0] for dtype in (np.float32, np.float64))
    gap = (short - fine)[-1]
    bias, error = gap.mean(axis=0), gap.std(axis=0, ddof=1) / math.sqrt(many)
    assert np.all(bias < -5 * error) and np.linalg.norm(bias) > 1e-3
    assert np.linalg.norm(bias) < single.lost(alpha)
    with pytest.raises(ValueError) as refused:
        simulate(Kuramoto(), 100, Scheme(alpha), seed=1, dtype="float32")
    assert str(refused.value) == ("dtype must be float64 at alpha = 0.25, sigma = 1, T = 1, got float32: a share of "
                                  "0.014 would lose its phase")  # fmt: skip


def test_the_share_of_lost_phases():
    """Against the particles themselves: far out a stable sum is as likely as its largest term."""
    alpha, n = 0.5, 1_000_000
    run = simulate(Kuramoto(), n, Scheme(alpha, 3.0, 2.0, 0.5), seed=3)
    share, expected = np.mean(np.abs(run.theta) > 2.0**24), single.lost(alpha, 3.0, 2.0)
    assert abs(share - expected) < 5 * math.sqrt(expected / n)
    assert abs(share - single.lost(alpha, 3.0, 1.0)) > 5 * math.sqrt(expected / n)  # partner: half the time


def test_the_same_bits_for_threads_and_systems():
    one = simulate(Kuramoto(), 100_001, Scheme(1.3, eta=0.25), seed=2, threads=1, dtype="float32")
    two = simulate(Kuramoto(), 100_001, Scheme(1.3, eta=0.25), seed=2, threads=2, dtype="float32")
    assert one.theta.dtype == np.float32 and one.average.dtype == np.float64
    assert np.array_equal(one.theta, two.theta) and np.array_equal(one.average, two.average)
    fine = simulate(Kuramoto(), 100_001, Scheme(1.3, eta=0.25), seed=2)
    assert fine.theta.dtype == np.float64 and not np.array_equal(fine.average, one.average)


def test_sums_are_of_float64():
    system = start(Kuramoto(), 50_000, 1, 3, 0, dtype=np.dtype(np.float32))
    cosine = np.cos(system.theta[0].astype(np.float64)).astype(np.float32)
    truth = math.fsum(cosine) / cosine.size
    assert abs(system.average[0, 0] - truth) < 1e-12 < abs(float(cosine.sum()) / cosine.size - truth)


@pytest.mark.parametrize("dtype", ["float16", "single", 32, np.float32])
def test_other_types_are_refused(dtype):
    with pytest.raises(ValueError, match="dtype must be one of float64, float32, got"):
        simulate(Kuramoto(), 100, Scheme(1.5), seed=1, dtype=dtype)


def test_other_beds_are_refused():
    with pytest.raises(ValueError) as error:
        simulate(Linear(), 100, Scheme(1.5), seed=1, dtype="float32")
    assert str(error.value) == "dtype must be float64 on the linear bed, got float32"
