"""ExactValue, Bound and Threshold: false alarms, power, the words, and how they are shown.

Rates of a simulation are compared with their bound through the binomial law, at a false-alarm level of 1e-6 a test.
"""

import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from chaosnum import page, report, table, words
from chaosnum.claim import Bound, Claim, Control, ExactValue, LimitCurve, Threshold, find

FALSE_ALARM = 1e-6
SCALES = [1, 2, 4, 8]


def at_most(rate, runs):
    return stats.binom.ppf(1 - FALSE_ALARM, runs, rate)


def judge(predicts, samples, scales=SCALES, family=0.999, params=None, **options):
    claim = Claim("S9.1", "", "", measure=lambda n, *, seed: 0.0, predicts=predicts, scales=list(scales), **options)
    samples = [np.asarray(x, dtype=float) for x in samples]
    return claim.judge("error", scales, samples, params=params or {}, family=family)


def normal(mean, count=400, sd=0.1, seed=1):
    """Replicas around mean(scale) at each scale."""
    rng = np.random.default_rng(seed)
    return [mean(s) + sd * rng.standard_normal(count) for s in SCALES]


# Exact values.


def test_a_true_value_holds_once_it_is_seen_precisely():
    truth = lambda s: 3.0 / s  # noqa: E731
    v = judge(ExactValue(truth, deviation=0.1), normal(truth, 2000))
    assert (v.verdict, v.statistic) == ("holds", "mean of error"), v.reason
    assert v.claimed == {"kind": "value", "exponent": None, "sense": "exact", "words": "= exact value ± 10 %"}
    few = judge(ExactValue(truth, deviation=0.001), normal(truth, 2000))
    assert few.verdict == "inconclusive" and "times the replicas" in few.reason
    median = judge(ExactValue(truth, deviation=0.1, statistic="median"), normal(truth, 2000))
    assert median.verdict == "holds", median.reason


def test_an_error_within_the_deviation_is_still_a_violation():
    """The deviation says how precisely, not how wrong: a tolerance around a curve would let this pass."""
    off = normal(lambda s: 1.02, 20000)
    assert judge(ExactValue(1.0, deviation=0.05), off).verdict == "violated"
    assert judge(LimitCurve(1.0, margin=0.05), off).verdict == "holds"


def test_between_three_errors_and_the_family_wise_level_it_is_doubtful():
    """One scale, 100 replicas, 3.3 standard errors off: not within three, and not beyond the family-wise 4.9."""
    x = np.random.default_rng(2).standard_normal(100)
    x = 1.0 + 0.01 * ((x - x.mean()) / x.std(ddof=1) + 3.3 / 10)
    v = judge(ExactValue(1.0, deviation=0.1), [x], scales=[1], family=1 - 1e-6)
    assert v.verdict == "inconclusive" and "more than three standard errors" in v.reason
    near = judge(ExactValue(1.0, deviation=0.1), [x - 0.0015], scales=[1], family=1 - 1e-6)
    assert near.verdict == "holds", near.reason


def test_what_is_not_random_is_compared_to_rounding():
    exact = ExactValue(2.0, statistic="every")
    assert judge(exact, [[2.0, 2.0]] * 4).verdict == "holds"
    assert judge(exact, [[2.0 + 1e-10, 2.0 + 1e-10]] * 4).verdict == "holds"
    v = judge(exact, [[2.0, 2.0]] * 3 + [[2.0 + 1e-8, 2.0 + 1e-8]])
    assert v.verdict == "violated" and "at n = 8" in v.reason
    zero = ExactValue(0.0, deviation=1e-12, absolute=True, statistic="every", rounding=1e-12)
    assert judge(zero, [[0.0, 0.0]] * 4).verdict == "holds"
    assert judge(zero, [[0.0, 0.0]] * 3 + [[1e-9, 1e-9]]).verdict == "violated"


def test_equal_replicas_are_no_certainty():
    """A coin shows the same side 4 times in 1 of 8 runs: no mean is known from that."""
    for prediction in (ExactValue(0.5), LimitCurve(0.5), Bound(0.6, statistic="mean"), Threshold(2, 4, 0.5)):
        v = judge(prediction, [[1.0] * 4] * 4)
        assert v.verdict == "inconclusive", (prediction, v.reason)
    rng, found = np.random.default_rng(9), Counter()
    for _ in range(400):
        found[judge(Bound(0.6, statistic="mean"), [rng.integers(0, 2, 4)], scales=[1], family=0.99).verdict] += 1
    assert found["violated"] <= at_most(0.01, 400), found
    assert judge(LimitCurve(1.0, statistic="every"), [[1.0] * 2] * 4).verdict == "holds"  # nothing random, and said so
    assert judge(LimitCurve(upper=1.0, statistic="every"), [[1.0, 1.1]] * 4).verdict == "violated"


def test_an_estimate_far_off_leaves_words_not_an_overflow():
    v = judge(ExactValue(1.0), [np.random.default_rng(1).standard_normal(5) * 1e200] * 4)
    assert v.verdict == "inconclusive" and "replicas" in v.reason


def test_every_means_every():
    x = [[2.0] * 50] * 3 + [[2.0] * 49 + [2.1]]
    assert judge(ExactValue(2.0, statistic="every"), x).verdict == "violated"
    assert judge(ExactValue(2.0, deviation=0.1), x).verdict == "holds"  # in the mean it is no more than noise
    v = judge(ExactValue(2.0, statistic="every"), [[2.0] * 50] * 4)
    assert v.statistic == "every error" and words.measured_words(v.as_dict()) == "ratio 1"


@pytest.mark.parametrize(
    "law, truth", [(lambda rng: rng.standard_normal(60) + 5, 5.0), (lambda rng: rng.gamma(4, 0.25, 60), 1.0)]
)
def test_false_alarms_of_an_exact_value(law, truth):
    """`family` = 0.9: at most 0.1, and the partner, 30 % off, is found nearly always."""
    runs, rng = 500, np.random.default_rng(5)
    found = Counter(judge(ExactValue(truth), [law(rng) for _ in SCALES], family=0.9).verdict for _ in range(runs))
    assert found["violated"] <= at_most(0.1 * 1.4, runs), found  # Student's interval of a skewed law
    off = ExactValue(1.3 * truth)
    beyond = Counter(judge(off, [law(rng) for _ in SCALES], family=0.9).verdict for _ in range(20))
    assert beyond["violated"] >= 18


# Bounds.


def test_one_replica_above_a_pathwise_bound_violates():
    below = [np.linspace(0.1, 0.9, 30)] * 4
    v = judge(Bound(1.0), below)
    assert v.verdict == "holds" and v.bound == {"holds": True, "slack": pytest.approx(1 / 0.9)}
    assert v.claimed["kind"] == "bound" and v.points[0]["bound"] == 1.0 and v.points[0]["estimate"] == 0.9
    one = [*below[:3], np.append(below[0], 1.001)]
    v = judge(Bound(1.0), one)
    assert v.verdict == "violated" and v.bound["holds"] is False and "at n = 8" in v.reason
    rounded = judge(Bound(1.0), [np.append(x, 1 + 1e-12) for x in below])
    assert rounded.verdict == "holds" and rounded.bound["holds"]
    assert judge(Bound(1.0, statistic="mean"), one).verdict == "holds"  # the mean is far below


def test_a_bound_in_the_mean():
    v = judge(Bound(lambda s: 4.0 / s, statistic="mean"), normal(lambda s: 1.0 / s, sd=0.02))
    assert v.verdict == "holds" and v.bound["slack"] == pytest.approx(4, rel=0.1)
    v = judge(Bound(lambda s: 0.9 / s, statistic="mean"), normal(lambda s: 1.0 / s, 4000, sd=0.02))
    assert v.verdict == "violated" and v.bound["holds"] is False
    assert judge(Bound(lambda s: 1.001 / s, statistic="mean"), normal(lambda s: 1.0 / s)).verdict == "inconclusive"


def test_a_vacuous_bound_proves_nothing():
    v = judge(Bound(100.0, within=20), [np.full(5, 0.5)] * 4)
    assert v.verdict == "inconclusive" and v.bound["vacuous"] and v.reason.startswith("vacuous: nowhere within")
    assert judge(Bound(100.0, within=20), [np.full(5, 0.5)] * 3 + [np.full(5, 6.0)]).verdict == "holds"
    assert "nothing positive" in judge(Bound(1.0), [np.zeros(5)] * 4).reason
    assert judge(Bound(100.0, within=20), [np.full(5, 101.0)] * 4).verdict == "violated"


# Thresholds.


def shares(curve, count=200, seed=3):
    rng = np.random.default_rng(seed)
    return [(rng.random(count) < curve(s)).astype(float) for s in SCALES]


def step(at):
    return lambda s: 0.02 if s < at else 0.98


def test_a_crossing_inside_holds_and_outside_is_violated():
    predicts = Threshold(1.5, 6, 0.5, statistic="frequency")
    v = judge(predicts, shares(step(3)))
    assert v.verdict == "holds" and 2 <= v.measured["crossing"] <= 4 and v.measured["bracket"] == [2, 4]
    assert v.claimed["words"] == "threshold in [1.5, 6]" and v.points[0]["level"] == 0.5
    late = judge(predicts, shares(step(10)))
    assert late.verdict == "violated" and "should be above 0.5; no crossing" in late.reason
    early = judge(predicts, shares(step(0.5)))
    assert early.verdict == "violated" and "at n = 1" in early.reason and "should be below 0.5" in early.reason
    falling = Threshold(1.5, 6, 0.5, rising=False, statistic="frequency")
    assert judge(falling, shares(step(3))).verdict == "violated"
    assert judge(falling, [1 - x for x in shares(step(3))]).verdict == "holds"


def test_a_threshold_needs_scales_on_both_sides_and_sure_points():
    v = judge(Threshold(0.5, 6, 0.5, statistic="frequency"), shares(step(3)))
    assert v.verdict == "inconclusive" and "scales on both sides of [0.5, 6]" in v.reason
    v = judge(Threshold(1.5, 6, 0.5, statistic="frequency"), shares(lambda s: 0.45 if s < 3 else 0.9, 40))
    assert v.verdict == "inconclusive" and "more replicas there" in v.reason
    at_the_end = judge(Threshold(2, 4, 0.5, statistic="frequency"), shares(step(3)))
    assert at_the_end.verdict == "holds"  # scales at the very ends are judged
    assert judge(Threshold(2, 4, 0.5, statistic="frequency"), shares(step(1.5))).verdict == "violated"
    v = judge(Threshold(lambda m: m, lambda m: 3 * m, lambda m: m / 4, statistic="frequency"),
              shares(step(3)), params={"m": 2})
    assert v.verdict == "holds" and v.claimed["low"] == 2
    deterministic = [[0.0, 0.0], [0.1, 0.1], [2.0, 2.0], [3.0, 3.0]]
    assert judge(Threshold(1.5, 6, 1.0, statistic="every"), [[0.0, 1.5], *deterministic[1:]]).verdict == "violated"
    shares_of = [np.full(5, s) for s in (0.1, 0.2, 0.8, 0.9)]
    assert judge(Threshold(1.5, 6, 0.5, statistic="frequency", trials=20), shares_of).verdict == "holds"
    heavy = [1 + np.random.default_rng(4).pareto(1.2, 400) for _ in SCALES]
    assert "infinite variance" in judge(Threshold(1.5, 6, 4.0), heavy).reason
    v = judge(Threshold(1.5, 6, 1.0, statistic="every"), deterministic)
    assert v.verdict == "holds" and v.measured["crossing"] == pytest.approx(2 * 2 ** (0.9 / 1.9))


def test_a_crossing_is_not_said_to_be_where_no_scale_has_shown_it():
    """Between scales far from the interval: the line between them meets the level outside of it."""
    v = judge(Threshold(4, 6, 0.5), [[0.1, 0.11], [0.9, 0.91]], scales=[1, 8])
    assert v.measured["crossing"] < 4 and "no scale shows it outside of [4, 6]" in v.reason
    v = judge(Threshold(2, 6, 0.5), [[0.1, 0.11], [0.9, 0.91]], scales=[1, 8])
    assert 2 < v.measured["crossing"] < 6 and v.reason.endswith("in [2, 6]")


def test_false_alarms_of_a_threshold():
    """At the worst allowed truth, just on the right side of the level everywhere: at most 0.1 with `family` = 0.9."""
    runs, rng = 500, np.random.default_rng(6)
    predicts = Threshold(2, 4, 0.5, statistic="frequency")
    found = Counter(
        judge(predicts, [(rng.random(60) < p).astype(float) for p in (0.5, 0.5, 0.5, 0.5)], family=0.9).verdict
        for _ in range(runs)
    )
    assert found["violated"] <= at_most(0.1, runs) and found["holds"] <= at_most(0.001, runs), found
    wrong = [judge(predicts, [(rng.random(60) < 0.8).astype(float) for _ in SCALES], family=0.9) for _ in range(20)]
    assert sum(v.verdict == "violated" for v in wrong) >= 18


# The objects themselves, and how they are shown.


@pytest.mark.parametrize(
    "make, line",
    [
        (lambda: ExactValue(math.nan), "value must lie in"),
        (lambda: ExactValue(1.0, deviation=0.0), "deviation must lie in"),
        (lambda: ExactValue(1.0, rounding=-1.0), "rounding must lie in"),
        (lambda: ExactValue(1.0, statistic="mode"), "statistic must be one of mean, median, every, got 'mode'"),
        (lambda: Bound(-1.0), "upper must lie in"),
        (lambda: Bound(math.inf), "upper must lie in"),
        (lambda: Bound(1.0, within=0.5), "within must lie in"),
        (lambda: Bound(1.0, statistic=0.9), "statistic must be one of every, mean, median, got 0.9"),
        (lambda: ExactValue(None), "value must be a number or a function, got None"),
        (lambda: ExactValue("a"), "value must lie in .*, got 'a'"),
        (lambda: Bound("a"), "upper must lie in .*, got 'a'"),
        (lambda: Threshold("a", 1, 0.5), "low must lie in .*, got 'a'"),
        (lambda: Threshold(1, 2, math.nan), "level must lie in .*, got nan"),
        (lambda: Threshold(1, 2, 0.5, trials=0), "trials must be a whole number >= 1"),
        (lambda: judge(Threshold(1, 2, lambda: math.nan), [[1.0, 1.1]] * 4), "level must lie in .*, got nan"),
        (lambda: Threshold(2, 1, 0.5), r"low must be below high, got \[2, 1\]"),
        (lambda: Threshold(1, 2, 0.5, statistic="mode"), "statistic must be one of mean, median, frequency, every"),
        (lambda: judge(Bound(lambda s: math.inf), [[0.5, 0.6]] * 4), r"upper must lie in \[0, inf\), got"),
        (lambda: judge(Bound(lambda s: -1.0), [[-2.0, -3.0]] * 4), r"upper must lie in \[0, inf\), got"),
        (lambda: judge(Bound(1.0), [[0.5, math.nan]] * 4), "samples must be finite"),
        (lambda: judge(ExactValue(1.0, statistic="every"), [[1.0, math.nan]] * 4), "samples must be finite"),
        (lambda: judge(Threshold(1, 2, 0.5), [[1.0, math.inf]] * 4), "samples must be finite"),
        (lambda: judge(Threshold(lambda: 3, lambda: 2, 0.5), shares(step(3))), "low must be below high"),
        (lambda: judge(Threshold(1, 2, 0.5), shares(step(3))[:1], scales=[1]), "S9.1: scales must be 2 or more"),
    ],
)
def test_refuses(make, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_origin_and_qualification_travel_with_the_verdict(tmp_path, capsys):
    options = {"origin": "derived", "qualified": "only where the\n noise is additive", "name": "floor"}
    v = judge(ExactValue(1.0, deviation=0.1), normal(lambda s: 1.0), **options).as_dict()
    assert (v["origin"], v["qualified"]) == ("derived", "only where the noise is additive")
    table.print_verdicts([v])
    printed = capsys.readouterr().out
    assert "S9.1 floor · mean of error (derived here)" in printed
    assert "to be read with care: only where the noise is additive" in printed
    about = {"statement": "s", "source": "src", "origin": "derived", "qualified": v["qualified"]}
    run = {"budget": "quick", "started": "2026-01-01", "command": "c", "version": "0", "seed": 1, "finished": True}
    html = page.render(run | {"claims": {"S9.1": [about]}}, [v], {"s": (b"", [v])})
    assert "(derived here; src)" in html and "To be read with care: only where the noise" in html
    with pytest.raises(ValueError, match="^origin must be one of"):
        judge(Bound(1.0), [[0.5, 0.5]] * 4, origin="guessed")


def test_an_id_before_the_dot_names_the_theory():
    def claim(id):
        return Claim(id, "", "", measure=print, predicts=Bound(1.0), scales=[1], name=f"n-{id}")

    known = [claim("S2.1"), claim("S2.2"), claim("S20.1"), claim("C2"), claim("C2-law")]
    assert [c.id for c in find(["s2"], among=known)] == ["S2.1", "S2.2"]
    assert [c.id for c in find(["S2.2", "C2"], among=known)] == ["S2.2", "C2"]
    with pytest.raises(ValueError, match="^claim must be one of S2, S20, C2, C2-law, got 'S3'"):
        find(["S3"], among=known)
    with pytest.raises(ValueError, match="^claim must be one of S2.1, S2.2, got 'S2.9'"):
        find(["S2.9"], among=known)


def test_table_figure_and_json_show_them(tmp_path, capsys):
    exact, bound = ExactValue(1.0, deviation=0.1), Bound(1.0, words="theorem")
    threshold = Threshold(1.5, 6, 0.5, statistic="frequency", words="half")
    shown = [
        judge(exact, normal(lambda s: 1.0), name="exact"),
        judge(bound, [np.linspace(0.1, 0.9, 30)] * 4, name="bound"),
        judge(threshold, shares(step(3)), name="threshold"),
        judge(Threshold(1.5, 6, 0.0), [[-1.0, -1.1], [-0.5, -0.6], [0.1, 0.2], [1.0, 1.1]], name="signed"),
    ]
    shown = [json.loads(json.dumps(v.as_dict(), allow_nan=False)) for v in shown]
    options = {"name": "bound", "measure": print, "predicts": bound, "scales": SCALES}
    claim = Claim("S9.1", "", "", controls=(Control("off", ""),), **options)
    control = claim.judge("error", SCALES, [np.array([1.5, 1.6])] * 4, params={}, control=claim.controls[0]).as_dict()
    table.print_verdicts([*shown, control])
    printed = capsys.readouterr().out
    for expected in ("= exact value ± 10 %", "≤ theorem", "1.11x", "half in [1.5, 6]", "crosses at n = 2.8", "caught"):
        assert expected in printed, expected
    figures = report.write_figures(tmp_path, [*shown, control], suffixes=(".png",))
    assert len(figures) == 4
    by_kind = {v["claimed"]["kind"]: v for v in shown[:3]}
    for kind, label in (("value", "claimed value"), ("bound", "explicit bound"), ("threshold", "claimed crossing")):
        figure = report.draw([by_kind[kind]])
        assert label in [t.get_text() for t in figure.legends[0].get_texts()]
    signed = report.draw([shown[3]])
    assert signed.axes[0].get_yscale() == "linear" and signed.axes[0].get_ylim()[0] < -1.0  # nothing is left out
    report.plt.close("all")
