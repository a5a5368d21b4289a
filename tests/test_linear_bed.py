"""Bed L as a particle system (`Linear`, `Line`): one step against the loops, and exact laws at a fixed time."""

import math

import goodness
import naive
import numpy as np
import pytest

from chaosnum import limit, linear, noise
from chaosnum.linear import Linear
from chaosnum.particles import Scheme

LAM, CHI, SIGMA = 0.5, 1.5, 0.8


def run(alpha, n, systems, eta, steps, *, seed, start=0.0):
    """System and limit copy on the same noise -> their states at the end, each (systems, n)."""
    bed = Linear(LAM, CHI, start)
    scheme = Scheme(alpha, SIGMA, eta * steps, eta)
    system = bed.system(bed.initial(n, systems=systems, seed=seed))
    copy = bed.system(system.theta.copy())
    flow, path = limit.linear_euler_flow(LAM, eta, steps, start), scheme.path(1, n * systems, seed=seed)
    xi = np.empty((1, n * systems))
    for k in range(steps):
        path.fill(k, xi)
        system.advance(system.average, xi, eta)
        copy.advance(np.array([[flow[k]]]), xi, eta, observe=False)
    return system.theta, copy.theta


@pytest.mark.parametrize("n, systems", [(2, 1), (3, 4), (1000, 2)])
def test_a_step_agrees_with_the_loops(n, systems):
    rng = np.random.default_rng(n)
    bed, twin = Linear(LAM, CHI), naive.Linear(LAM, CHI)
    system = bed.system(rng.standard_normal((systems, n)))
    for _ in range(3):
        before, xi = system.theta.copy(), rng.standard_normal((1, n * systems))
        kept = xi.copy()
        system.advance(system.average, xi, 0.1)
        assert np.array_equal(xi, kept)
        for r in range(systems):
            row, increments = before[r : r + 1], xi[:, r * n : (r + 1) * n]
            truth = twin.step(row, twin.average(row), increments, 0.1)
            assert np.abs(system.theta[r] - truth).max() < 1e-14
            assert abs(system.average[r] - twin.average(truth))[0] < 1e-14
            # partner: another system's average
            assert np.abs(system.theta[r] - twin.step(row, twin.average(row) + 0.01, increments, 0.1)).max() > 1e-4


def test_the_average_is_given_or_kept():
    bed, theta = Linear(LAM, CHI), np.random.default_rng(1).standard_normal((2, 5))
    system, still = bed.system(theta.copy()), np.zeros((1, 10))
    own = system.average.copy()
    system.advance(np.array([[0.7]]), still, 0.1, observe=False)
    expected = theta * (1 - 0.1 * (LAM + CHI)) + 0.1 * CHI * 0.7
    assert np.abs(system.theta - expected).max() < 1e-15
    assert np.abs(system.average - expected.mean(axis=1, keepdims=True)).max() < 1e-15
    assert not np.any(system.average == own)
    before = system.average.copy()
    system.advance(system.average, still, 0.1)
    assert np.abs(system.average - before * (1 - 0.1 * LAM)).max() < 1e-15 and not np.any(system.average == before)


def test_initial_values_are_one_number():
    assert np.array_equal(Linear(start=0.3).initial(4, systems=2, seed=5), np.full((2, 4), 0.3))
    assert Linear().initial(3).dtype == np.float64 and not Linear().initial(3).any()


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_exact_laws_at_a_fixed_time(alpha):
    """Copies are independent with the marginal law of the limit; gaps, one per system, have theirs."""
    n, systems, eta, steps = 5, 60_000, 0.25, 6
    system, copy = run(alpha, n, systems, eta, steps, seed=31, start=0.4)
    centre = 0.4 * (1 - LAM * eta) ** steps
    gap = system - copy
    assert np.ptp(gap, axis=1).max() < 1e-14 * (1 + np.abs(system).max())  # the same for every particle
    gap_scale = linear.gap_scale_euler(n, steps, eta, alpha, SIGMA, LAM, CHI)
    scale = linear.marginal_scale_euler(steps, eta, alpha, SIGMA, LAM, CHI)
    T = eta * steps
    samples = [
        (copy.reshape(-1) - centre, scale, [linear.marginal_scale(T, alpha, SIGMA, LAM, CHI), gap_scale]),
        (gap[:, 0], gap_scale, [linear.gap_scale_euler(2 * n, steps, eta, alpha, SIGMA, LAM, CHI), 1.06 * gap_scale]),
    ]
    for x, right, partners in samples:
        k = goodness.frequencies(alpha) / right
        assert goodness.chi_square(x[None], goodness.sas(alpha, right), k) < goodness.critical(k)
        for wrong in partners:
            phi = goodness.sas(alpha, wrong)
            assert goodness.miss(goodness.sas(alpha, right), phi, k, x.size) < goodness.FALSE_ALARM
            assert goodness.chi_square(x[None], phi, k) > goodness.critical(k)


@pytest.mark.parametrize("alpha", [1.3, 2.0])
def test_exact_law_of_the_euler_error_at_a_fixed_time(alpha):
    """Coarse and fine scheme on one path, several steps, a start that is not zero: shift and scale."""
    n, systems, eta, steps, ratio = 3, 60_000, 0.25, 4, 3
    bed = Linear(LAM, CHI, start=2.0)
    coarse = bed.system(bed.initial(n, systems=systems))
    fine = bed.system(coarse.theta.copy())
    scale = SIGMA * (eta / ratio) ** (1 / alpha)
    for k in range(steps):
        total = np.zeros((1, n * systems))
        for j in range(k * ratio, (k + 1) * ratio):
            xi = noise.increments("II", alpha, (1, n * systems), seed=32, step=j, scale=scale)
            fine.advance(fine.average, xi, eta / ratio)
            total += xi
        coarse.advance(coarse.average, total, eta)
    law = linear.euler_error(n, steps, eta, ratio, alpha, SIGMA, LAM, CHI, start=2.0)
    x = (fine.theta - coarse.theta)[:, 0]
    k = goodness.frequencies(alpha) / law.scale
    right = goodness.sas(alpha, law.scale)
    assert goodness.chi_square(x[None] - law.shift, right, k) < goodness.critical(k)
    assert goodness.chi_square(x[None], right, k) > goodness.critical(k)  # partner: no shift
    for other in (2, 6):  # partners: other refinements
        wrong = linear.euler_error(n, steps, eta, other, alpha, SIGMA, LAM, CHI, start=2.0).scale
        assert goodness.miss(right, goodness.sas(alpha, wrong), k, systems) < goodness.FALSE_ALARM
        assert goodness.chi_square(x[None] - law.shift, goodness.sas(alpha, wrong), k) > goodness.critical(k)


def test_the_gap_shrinks_at_its_own_rate():
    """Medians over systems fall by n^-(1 - 1/alpha), at every n: exact, and slower than n^(-1/2).

    The median of 20 000 systems has a relative error of about 1/sqrt(systems): 0.011 in a ratio of two.
    """
    alpha, medians = 1.4, []
    for n in (4, 64):
        system, copy = run(alpha, n, 20_000, 0.5, 3, seed=33 + n)
        medians.append(np.median(np.abs(system - copy)[:, 0]))
    rate = math.log(medians[1] / medians[0]) / math.log(16)
    assert abs(rate + (1 - 1 / alpha)) < 5 * 0.016 / math.log(16) < abs(rate + 0.5)


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"lam": -1}, "lam must lie in [0, inf), got -1.0"),
        ({"chi": math.inf}, "chi must lie in [0, inf), got inf"),
        ({"chi": "x"}, "chi must lie in [0, inf), got 'x'"),
        ({"start": math.nan}, "start must lie in (-inf, inf), got nan"),
    ],
)
def test_bad_input(arguments, line):
    with pytest.raises(ValueError) as error:
        Linear(**arguments)
    assert str(error.value) == line
