"""Looks: levels that hold whatever the stopping rule, replicas of the next look, and the order of the cases.

Rates of a simulation are compared with their bound through the binomial law, at a false-alarm level of 1e-6 a test.
"""

import math
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from scipy import optimize, stats

from chaosnum import looks
from chaosnum.claim import LimitCurve, PowerLaw
from chaosnum.looks import Standing
from chaosnum.rates import _above_the_others, _polynomial
from chaosnum.rule import FALSE_ALARM as ALARM
from chaosnum.rule import Evidence

FALSE_ALARM = 1e-6
LOOKS = 6
RUNS = 500
SCALES = (100, 200, 400)


def at_most(rate, runs):
    return stats.binom.ppf(1 - FALSE_ALARM, runs, rate) / runs


def test_shares_add_up_and_a_single_look_is_another_matter():
    spent = [looks.share(k) for k in range(1, 1000)]
    assert sum(spent) == pytest.approx(1 - 1 / 1000)
    assert looks.level(1) == pytest.approx(0.975) and looks.level(2) == pytest.approx(1 - 0.05 / 6)
    assert looks.family(1, 100) == pytest.approx(1 - 5e-6, abs=1e-12)
    assert sum(1 - looks.level(k) for k in range(1, 200)) < 0.05
    assert 10 * sum(1 - looks.family(k, 10) for k in range(1, 200)) < ALARM


def constant(look, once):
    """The level of someone who looks again and again as if it were the first time."""
    return once


def share_settled(wanted, samples, predicts, scales, first, level, once):
    """How often one of the looks at nested replicas gives the wanted verdict; both intervals at 1 - once in all."""
    met = 0
    for run in range(RUNS):
        rows = samples(np.random.default_rng(run), first << (LOOKS - 1))
        for look in range(1, LOOKS + 1):
            sizes = looks.allocate((first,) * len(rows), look)
            lev = level(look, 1 - once)
            evidence = Evidence(scales, [x[:r] for x, r in zip(rows, sizes)], family=lev, level=lev)
            if predicts.judge(evidence).verdict == wanted:
                met += 1
                break
    return met / RUNS


def coins(rng, count, p=0.5):
    return [(rng.random(count) < p).astype(float)]


def power(rng, count, exponent):
    return [n**exponent * rng.lognormal(0, 0.3, count) for n in SCALES]


# A claim at the very edge of the decision: true for the one who waits for a violation, false by a hair for the other.
FREQUENCY = LimitCurve(upper=0.5, statistic="frequency"), (1,), 60
RATE = PowerLaw(-0.5, margin=0.05), SCALES, 16
ADVERSARIES = {
    "until violated, frequency": ("violated", coins, *FREQUENCY),
    "until it holds, frequency": ("holds", partial(coins, p=0.5 + 1e-9), *FREQUENCY),
    "until violated, rate": ("violated", partial(power, exponent=-0.45), *RATE),
    "until it holds, rate": ("holds", partial(power, exponent=-0.45 + 1e-9), *RATE),
}


@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_stopping_when_it_suits_does_not_help(adversary):
    """Errors of 0.2 in all, half of it on the side of the edge; without spending the same data exceed it by far."""
    once = 0.2
    spent = share_settled(*ADVERSARIES[adversary], looks.level, once)
    naive = share_settled(*ADVERSARIES[adversary], constant, once)
    assert spent <= at_most(once / 2, RUNS), spent
    assert naive > at_most(once / 2, RUNS), naive


@pytest.mark.parametrize("once", [0.05, 0.001])
def test_the_levels_in_use(once):
    """Normal means on the edge, at the levels of a run: six looks stopped at will, as the docstring says."""
    runs, rng = 200_000, np.random.default_rng(5)
    total, count = np.zeros(runs), 0
    spent, naive = np.zeros(runs, bool), np.zeros(runs, bool)
    for look in range(1, LOOKS + 1):
        (now,) = looks.allocate((1,), look)
        total += math.sqrt(now - count) * rng.standard_normal(runs)
        count = now
        z = total / math.sqrt(count)
        spent |= z > stats.norm.isf((1 - looks.level(look, 1 - once)) / 2)
        naive |= z > stats.norm.isf(once / 2)
    assert np.mean(spent) <= at_most(once / 2, runs) and np.mean(spent) >= 0.6 * once / 2
    assert np.mean(naive) >= 3.5 * once / 2


def test_an_interval_covers_at_the_look_where_one_stops():
    """Stopped at the first look whose interval misses 0: the adversary of coverage."""
    runs, rng = 100_000, np.random.default_rng(6)
    z = np.cumsum(rng.standard_normal((runs, 2 ** (LOOKS - 1))), axis=1)[:, [2**k - 1 for k in range(LOOKS)]]
    z /= np.sqrt(2.0 ** np.arange(LOOKS))
    limits = [stats.norm.isf((1 - looks.level(k)) / 2) for k in range(1, LOOKS + 1)]
    assert np.mean(np.any(abs(z) > limits, axis=1)) <= at_most(0.05, runs)


def test_replicas_double_and_never_fall():
    before = (800, 566, 16)
    assert looks.allocate(before, 1) == before
    for look in range(2, 12):
        now = looks.allocate((800, 566, 16), look)
        assert now == tuple(2 * r for r in before)
        before = now


def variances(x, replicas):
    """Of the exponent, of the curvature, and of the last point above the line through the others."""
    line, parabola = _polynomial(x, replicas, 1), _polynomial(x, replicas, 2)
    rows = line[1], parabola[2], _above_the_others(x, replicas, len(x) - 1)
    return np.array([np.sum(row**2 / replicas) for row in rows])


def least_cost(x, first, cost, look, guarded):
    """Of all replicas, no fewer than at first, whose variances are no larger than after doubling -> share of its cost.

    `guarded`: not only the exponent's, also those behind the flags of curvature and floor.
    """
    kept = slice(None) if guarded else slice(1)
    doubled = np.array(looks.allocate(first, look), dtype=float)
    goal = variances(x, doubled)[kept]
    share = lambda u: np.sum(np.exp(u) * first * cost) / np.sum(doubled * cost)  # noqa: E731
    room = lambda u: 1 - variances(x, np.exp(u) * first)[kept] / goal  # noqa: E731
    found = [1.0]
    for seed in range(3):
        start = np.log(doubled / first) * np.random.default_rng(seed).uniform(0.8, 1.3, len(x))
        result = optimize.minimize(
            share, start, method="SLSQP", bounds=[(0, None)] * len(x), constraints={"type": "ineq", "fun": room}
        )
        found += [result.fun] if result.success and np.all(room(result.x) > -1e-6) else []
    return min(found)


@pytest.mark.parametrize("steps, cost", [(4, 1.0), (4, 0.5), (5, 1.0), (5, 0.5)])
def test_doubling_is_near_the_optimum_that_keeps_the_flags_sharp(steps, cost):
    """Scales by factors of 2, cells whose seconds grow like scale^cost: weights save much for the exponent alone."""
    scales = 100.0 * 2.0 ** np.arange(steps)
    first = np.full(steps, 64.0)
    alone = least_cost(np.log(scales), first, scales**cost, 3, guarded=False)
    guarded = least_cost(np.log(scales), first, scales**cost, 3, guarded=True)
    assert alone < 0.75, alone
    assert 0.85 < guarded <= 1, guarded


def test_what_to_expect_is_the_median_over_where_the_truth_may_be():
    z, rng = 1.96, np.random.default_rng(7)
    for t in (0.0, 0.5, 1.0, 2.0):
        needs = 1.2 * (z / t) ** 2 if t else 1.2e6
        median = np.median(abs(t + rng.standard_normal(400_000)))
        assert looks.likely(needs, z) == pytest.approx(max(1.2 * (z / median) ** 2, 1.2), rel=0.02)
    factors = [looks.likely(needs, z) for needs in (1.2, 1.5, 2, 5, 20, 100, 1e4, 1e6)]
    assert factors == sorted(factors) and factors[0] == pytest.approx(1.2) and factors[-1] < 11


def test_looks_and_seconds_to_settle():
    assert looks.looks_to_settle(1.2, 1) == 1
    assert looks.looks_to_settle(1.9, 1) == 2  # twice the replicas would do, but not at the level of the second look
    assert looks.looks_to_settle(1.9, 4) == 2 and looks.looks_to_settle(1e6, 1) <= 6
    assert looks.seconds_to_settle(1.9, 1, 10.0) == 30.0
    assert looks.seconds_to_settle(None, 1, 10.0) == math.inf


def test_the_looks_that_are_predicted_settle_most_verdicts():
    """A sharp power law, its interval at look 1 twice as wide as the margin allows, judged at 1 in 100 verdicts."""
    claim, first, found = PowerLaw(-0.5, margin=0.03), 100, []

    def judged(samples, look):
        sizes = looks.allocate((first,) * 4, look)
        levels = {"level": looks.level(look), "family": looks.family(look, 100)}
        return claim.judge(Evidence((*SCALES, 800), [x[:r] for x, r in zip(samples, sizes)], **levels))

    for seed in range(150):
        rng = np.random.default_rng(seed)
        samples = [n**-0.5 * rng.lognormal(0, 0.5, first << LOOKS) for n in (*SCALES, 800)]
        if (needs := judged(samples, 1).needs) is not None:
            predicted = looks.looks_to_settle(needs, 1)
            taken = next((k for k in range(2, LOOKS + 2) if judged(samples, k).verdict != "inconclusive"), LOOKS + 2)
            found.append((predicted, taken - 1))
    predicted, taken = np.array(found).T
    assert len(found) > 100 and np.mean(taken <= predicted) > 0.6
    assert abs(np.mean(taken) - np.mean(predicted)) < 0.5


def test_cheapest_verdicts_first():
    cheap = Standing("cheap", 1, 1.0, (1.9,))
    dear = Standing("dear", 1, 100.0, (1.3,))
    shared = Standing("shared", 1, 2.0, (1.9, 1.9, 1.9, None))
    open_end = Standing("open", 1, 0.1, (None, None))
    assert [s.case for s in looks.order([dear, open_end, cheap, shared])] == ["shared", "cheap", "dear"]
    assert looks.price(shared) == pytest.approx(2.0) and looks.price(open_end) == math.inf
    assert looks.order([open_end, Standing("settled", 3, 1.0, (None,))]) == []
    # 50 s are too few for a look at "dear"; 2.5 s suffice for one at "cheap" and "shared", not to settle them
    assert [s.case for s in looks.order([dear, cheap, shared], left=50)] == ["shared", "cheap"]
    quick = Standing("quick", 1, 2.4, (1.2,))
    assert [s.case for s in looks.order([shared, cheap, quick], left=2.5)] == ["quick", "shared", "cheap"]


def test_no_other_order_settles_more_by_any_deadline():
    cases = [Standing(i, 1, s, (n,)) for i, (s, n) in enumerate([(3, 1.2), (1, 4), (2, 1.9), (5, 1.2), (0.5, 30)])]

    def settled(chosen):
        return np.cumsum([looks.seconds_to_settle(s.needs[0], s.look, s.seconds) for s in chosen])

    ours = settled(looks.order(cases))
    assert all(np.all(ours <= settled(other) + 1e-9) for other in permutations(cases))
