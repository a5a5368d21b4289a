"""What an inconclusive verdict needs: the factor against simulation, each rule's own, and the words."""

import math

import numpy as np
import pytest
from scipy import stats

from chaosnum import need, words
from chaosnum.claim import Bound, Claim, ExactValue, ExplicitBound, LimitCurve, LimitLaw, PowerLaw, Threshold
from chaosnum.rule import Evidence, more_replicas

FALSE_ALARM = 1e-6
SCALES = (100, 200, 400, 800)


def spread(mean, count, sd=1.0):
    """Replicas with exactly this mean and standard deviation."""
    x = stats.norm.ppf((np.arange(count) + 0.5) / count)
    return mean + sd * (x - x.mean()) / x.std(ddof=1)


def judged(prediction, samples, scales=(1,), **options):
    return prediction.judge(Evidence(tuple(scales), samples, **options))


def test_factor_of_a_half_width_and_the_room_that_is_left():
    assert need.times(0.06, 0.03) == pytest.approx(4.8) and need.times(0.03, -0.06) == 1.2
    assert need.times(1.0, 0.0) == pytest.approx(1.2e6) and need.times(1.0, 1e-9) == pytest.approx(1.2e6)
    assert need.times(math.inf, 1.0) is None and need.times(math.nan, 1.0) is None
    assert more_replicas(0.06, 0.03) == "about 4.8 times the replicas would settle it"
    assert "wider range" in more_replicas(1.0, 0.03) and "wider range" in more_replicas(math.inf, 1.0)


def test_a_violation_decides_alone_and_all_else_must_hold():
    assert need.together([]) is None
    assert need.together([(3.0, False), (5.0, False)]) == 5.0
    assert need.together([(3.0, False), (None, False)]) is None
    assert need.together([(3.0, True), (5.0, False), (None, False)]) == 3.0
    assert need.together([(None, True), (5.0, False)]) is None
    assert need.together([(9.0, True), (5.0, False)]) == 9.0


def power_law(seed, count, excess):
    rng = np.random.default_rng(seed)
    return [n ** (-0.5 + excess) * rng.lognormal(0, 0.5, count) for n in SCALES]


def first(samples, count):
    return judged(PowerLaw(-0.5, margin=0.03), [x[:count] for x in samples], SCALES)


def test_the_factor_settles_half_of_the_verdicts_and_twice_as_many_replicas_most():
    """A sharp power law of known scatter; at 100 replicas its interval is twice as wide as the margin allows.

    The factor is what an estimate says; the next one's distance from the edge is as likely larger as smaller, and 1.2
    is in favour. Half of the factor leaves an interval 1.4 times as wide, twice the factor one 0.7 times as wide. The
    frequencies are 0.23, 0.52 and 0.74, give or take 0.04.
    """
    found = []
    for seed in range(600):
        samples = power_law(seed, 2400, 0.0)
        verdict = first(samples, 100)
        if verdict.needs is not None and 2.5 <= verdict.needs <= 12:
            sizes = [math.ceil(100 * verdict.needs * part) for part in (1, 0.5, 2)]
            found.append([first(samples, size).verdict != "inconclusive" for size in sizes])
    whole, half, double = np.mean(found, axis=0)
    assert len(found) > 150
    assert half < 0.35 and 0.42 < whole < 0.65 and double > 0.65, (half, whole, double)


def test_the_factor_without_its_safety_just_clears_the_edge():
    """Replicas of known mean and scatter: nothing moves but the width."""
    claim = LimitCurve(1.0, margin=0.02)
    factor = judged(claim, [spread(1.004, 200, 0.3)]).needs / need.SAFETY
    assert 4 < factor < 9
    for part, verdict in ((0.9, "inconclusive"), (1.05, "holds")):
        assert judged(claim, [spread(1.004, round(200 * factor * part), 0.3)]).verdict == verdict
    factor = judged(claim, [spread(1.06, 200, 0.3)]).needs / need.SAFETY
    for part, verdict in ((0.9, "inconclusive"), (1.05, "violated")):
        assert judged(claim, [spread(1.06, round(200 * factor * part), 0.3)]).verdict == verdict


def test_rates():
    steep = [spread(n**-0.5, 50, 0.1 * n**-0.5) for n in SCALES]
    assert judged(PowerLaw(-0.5, margin=0.1), steep, SCALES).needs is None  # it holds
    narrow = judged(PowerLaw(-0.5, margin=0.01), steep, SCALES)
    low, high = narrow.measured["ci"]
    assert narrow.needs == pytest.approx(need.times((high - low) / 2, 0.01), rel=1e-6)
    assert f"about {narrow.needs:.2g} times" in narrow.reason
    bent = [spread(n**-0.5 * math.exp(0.1 * math.log(n / 280) ** 2), 50, 0.1 * n**-0.5) for n in SCALES]
    found = judged(PowerLaw(-0.5, margin=0.1), bent, SCALES)
    assert (found.verdict, found.needs) == ("inconclusive", None)  # larger n would settle it, replicas do not
    lost = judged(PowerLaw(-0.5), [spread(n**-0.5, 50, 10 * n**-0.5) for n in SCALES], SCALES)
    assert lost.needs == pytest.approx(1.2 * 9 * 100 / 50, rel=0.15) and "lost in noise" in lost.reason


def test_points_beside_an_explicit_bound():
    points = [spread(n**-0.5, 50, 0.2 * n**-0.5) for n in SCALES]
    above = judged(ExplicitBound(lambda n: 1.02 * n**-0.5), points, SCALES)
    half = stats.t.ppf(0.975, 49) * 0.2 / math.sqrt(50)
    assert above.needs == pytest.approx(1.2 * (half / math.log(1.02)) ** 2, rel=0.15)
    beyond = judged(ExplicitBound(lambda n: 0.95 * n**-0.5), points, SCALES)
    assert (beyond.verdict, beyond.needs > 1.2) == ("inconclusive", True)
    few = judged(ExplicitBound(lambda n: 2 * n**-0.5, statistic="median"), [x[20:24] for x in points], SCALES)
    assert few.needs == pytest.approx(1.2 * 6 / 4)  # an interval of a median takes 6 replicas at 95 %


def test_curves_values_bounds():
    x = spread(1.0, 100, 0.2)
    half = stats.t.ppf(0.975, 99) * 0.02
    inside = judged(LimitCurve(1.0, margin=0.02), [x])
    assert inside.needs == pytest.approx(1.2 * (half / 0.02) ** 2, rel=0.2)
    both = judged(LimitCurve(1.0, margin=0.02, last=2), [x, spread(1.015, 100, 0.2)], (1, 2))
    assert both.needs == pytest.approx(1.2 * (half / 0.005) ** 2, rel=0.2)  # the point that is nearer to its edge
    outside = judged(LimitCurve(1.0, margin=0.02), [spread(1.05, 100, 0.2)])
    wide = stats.t.ppf(1 - 5e-4, 99) * 0.02
    assert outside.needs == pytest.approx(1.2 * (wide / 0.03) ** 2, rel=0.2)
    doubtful = judged(ExactValue(1.0, deviation=0.2), [spread(1.07, 100, 0.2)], family=1 - 1e-6)
    assert "three standard errors" in doubtful.reason and 1.5 < doubtful.needs < 5
    quantile = judged(LimitCurve(1.0, margin=10.0, statistic=0.9), [np.linspace(0.5, 1.5, 10)])
    assert quantile.needs == pytest.approx(1.2 * 36 / 10)  # 36 replicas for an interval of a 0.9 quantile
    vacuous = judged(Bound(50.0, statistic="mean", within=20), [x])
    assert (vacuous.verdict, vacuous.needs) == ("inconclusive", None)
    zeros = judged(LimitCurve(1.0, margin=0.02), [np.zeros(20)])
    assert zeros.needs is None
    heavy = judged(LimitCurve(1.0), [1 + np.random.default_rng(1).pareto(1.1, 400)])
    assert (heavy.verdict, heavy.needs) == ("inconclusive", None)


def test_thresholds():
    claim = Threshold(low=1, high=4, level=0.5)
    wrong_side = judged(claim, [spread(0.1, 50, 0.2), spread(0.49, 50, 0.2)], (1, 4))
    assert wrong_side.verdict == "inconclusive" and wrong_side.needs > 100
    near = judged(claim, [spread(0.1, 50, 0.2), spread(0.53, 50, 0.2)], (1, 4))
    assert near.needs == pytest.approx(1.2 * (2.01 * 0.2 / math.sqrt(50) / 0.03) ** 2, rel=0.2)
    one_side = judged(claim, [spread(0.1, 50, 0.1), spread(0.2, 50, 0.1)], (1, 2))
    assert (one_side.verdict, one_side.needs) == ("inconclusive", None)


def test_laws():
    gauss = LimitLaw(lambda u: math.exp(-u * u / 2), margin=0.2)
    wide = judged(gauss, [spread(0.0, 30)])
    assert wide.verdict == "inconclusive" and 1.2 <= wide.needs < 10
    rng = np.random.default_rng(4)
    factors = [judged(gauss, [1.35 * rng.standard_normal(100)]).needs for _ in range(100)]
    settled = [judged(gauss, [1.35 * rng.standard_normal(math.ceil(100 * f))]).verdict for f in factors if f]
    assert len(settled) > 50 and np.mean([v != "inconclusive" for v in settled]) > 0.5


def test_the_level_of_the_evidence_is_used():
    """Every kind of prediction reports wider intervals at a higher level, and says that more is needed."""
    x = [spread(n**-0.5, 80, 0.2 * n**-0.5) for n in SCALES]
    curve = lambda n: n**-0.5  # noqa: E731
    for prediction in (
        PowerLaw(-0.5, margin=0.01), LimitCurve(curve, margin=0.02), ExactValue(curve, deviation=0.02),
        LimitCurve(curve, margin=0.02, statistic="median"), Bound(lambda n: 1.01 * n**-0.5, statistic="mean"),
        ExplicitBound(lambda n: 1.01 * n**-0.5), Threshold(low=250, high=700, level=0.036, rising=False),
        LimitLaw(lambda u: math.exp(-u * u / 2), margin=0.01, unit=curve),
    ):  # fmt: skip
        usual, high = (judged(prediction, x, SCALES, level=level) for level in (0.95, 0.999))
        assert all(a["lo"] > b["lo"] and a["hi"] < b["hi"] for a, b in zip(usual.points, high.points))
        assert high.needs is None or high.needs > (usual.needs or 0)
    few = judged(LimitCurve(1.0, margin=1.0, statistic="median"), [spread(1.0, 8, 0.1)], level=0.999)
    assert "8 replicas are too few for an interval, 11 at least" in few.reason


def test_a_single_look_is_what_it_was():
    """Verdicts of the version before looks, to the digits of their words; the level is 95 % if nothing is said."""
    x = [spread(n**-0.5, 80, 0.2 * n**-0.5) for n in SCALES]
    curve = lambda n: n**-0.5  # noqa: E731
    was = [
        (PowerLaw(-0.48, margin=0.03),
         "exponent -0.500 [-0.528, -0.472] is no worse than the claimed -0.48; sharp or not is open"),
        (ExplicitBound(lambda n: 1.01 * n**-0.5),
         "at n = 100 the interval [0.0956, 0.105] reaches above its bound 0.101: more replicas there"),
        (LimitCurve(curve, margin=0.02),
         "at n = 800 0.0354 [0.0338, 0.037] against 0.0354 in [0.0346, 0.0361]: "
         "about 6.2 times the replicas would settle it"),
        (LimitCurve(curve, margin=0.05),
         "closest to the edge at n = 800: 0.0354 [0.0338, 0.037] against 0.0354 in [0.0336, 0.0371]"),
        (LimitCurve(curve, margin=0.02, statistic=0.9),
         "at n = 800 0.0442 [0.0418, 0.0485], family-wise [0.0403, inf], against 0.0354 in [0.0346, 0.0361]"),
        (ExactValue(lambda n: 1.08 * n**-0.5, deviation=0.2),
         "closest to the edge at n = 800: 0.0354 [0.0338, 0.037] against 0.0382 in [0.0305, 0.0458]"),
        (Threshold(low=250, high=700, level=0.036, rising=False),
         "at n = 800 0.0354 [0.0338, 0.037] should be below 0.036: more replicas there"),
        (LimitLaw(lambda u: math.exp(-u * u / 2), unit=curve),
         "scale 1.01 [0.934, 1.09] of the law's, p = 2.1e-158: not this law"),
    ]  # fmt: skip
    for prediction, reason in was:
        plain, stated = judged(prediction, x, SCALES), judged(prediction, x, SCALES, level=0.95)
        assert plain.reason == reason
        assert repr((plain.measured, plain.points)) == repr((stated.measured, stated.points))


def test_a_verdict_carries_it_to_the_json():
    claim = Claim("T", "", "", measure=lambda n, *, seed: 0.0, predicts=LimitCurve(1.0, margin=0.02), scales=[1])
    open_end, closed = (claim.judge("error", [1], [spread(1.0, 100, sd)], params={}) for sd in (0.2, 0.02))
    assert open_end.as_dict()["needs"] == open_end.needs > 1.2
    assert closed.verdict == "holds" and closed.as_dict()["needs"] is None


def test_words():
    assert need.in_words(5.0) == "needs about 5 times the replicas"
    assert need.in_words(5.0, 180.0) == "needs about 5 times the replicas, some 12 min"
    assert need.in_words(1.24, 1.0) == "needs about 1.2 times the replicas, some 1 s"
    assert need.in_words(None, 3.0) == "more replicas would not settle it"
    assert need.in_words(1e5, 3.0).startswith("too close")
    assert [words.duration(s) for s in (0.1, 40, 140, 5400, 12600, 5e5)] == [
        "0 s", "40 s", "140 s", "90 min", "3.5 h", "5.8 days"]  # fmt: skip
