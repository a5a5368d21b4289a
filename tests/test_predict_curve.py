"""intervals.py, judge_curve.py and LimitCurve: exact coverage, false alarms of the rule, words, JSON and figure.

Rates of a simulation are compared with their bound through the binomial law, at a false-alarm level of 1e-6 a test.
"""

import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from chaosnum import page, report, table, words
from chaosnum.claim import Claim, Control, ExactValue, LimitCurve
from chaosnum.intervals import interval, least_replicas

FALSE_ALARM = 1e-6
SCALES = [10, 20, 40, 80]


def at_most(rate, runs):
    return stats.binom.ppf(1 - FALSE_ALARM, runs, rate)


def gamma(rng, size):
    return rng.gamma(4, 0.25, size)


def cauchy(rng, size):
    return np.abs(rng.standard_cauchy(size))  # median 1, no mean


def judge(predicts, samples, scales=SCALES, family=0.999, params=None, **options):
    claim = Claim("S", "", "", measure=lambda n, *, seed: 0.0, predicts=predicts, scales=list(scales), **options)
    return claim.judge("error", scales, samples, params=params or {}, family=family)


def replicas(curve, count=400, law=gamma, seed=1, scales=SCALES):
    rng = np.random.default_rng(seed)
    return [curve(s) * law(rng, count) for s in scales]


# Intervals, by exact sums over the binomial law.


@pytest.mark.parametrize("level", [0.95, 0.9999])
@pytest.mark.parametrize("total", [2, 8, 40])
def test_frequency_interval_is_exact(total, level):
    """Each end errs with at most half of 1 - level, for every p; the normal interval's does not."""
    k = np.arange(total + 1)
    low, high = np.array([interval([j / total] * 2, "frequency", level, trials=total // 2)[1:] for j in k]).T
    ref = [stats.binomtest(j, total).proportion_ci(level, "exact") for j in k]
    assert np.allclose(low, [r.low for r in ref], rtol=1e-9) and np.allclose(high, [r.high for r in ref], rtol=1e-9)
    half = stats.norm.isf((1 - level) / 2) * np.sqrt(k / total * (1 - k / total) / total)
    errs, partner = [], []
    for p in np.linspace(0.001, 0.999, 301):
        mass = stats.binom.pmf(k, total, p)
        errs += [mass[low > p].sum(), mass[high < p].sum()]
        partner.append(mass[k / total - half > p].sum())
    assert max(errs) <= (1 - level) / 2 < max(partner)


@pytest.mark.parametrize("order", ["median", 0.05, 0.9, 0.99])
@pytest.mark.parametrize("count", [2, 5, 30, 400, 3000])
def test_quantile_interval_is_exact_and_no_wider_than_needed(order, count):
    level, q = 0.95, 0.5 if order == "median" else order
    x = np.random.default_rng(3).permutation(np.arange(1.0, count + 1))
    _, low, high = interval(x, order, level)
    tail = (1 - level) / 2 * (1 + 1e-12)
    r = 0 if math.isinf(low) else int(low)  # X_(r) = r
    s = count + 1 if math.isinf(high) else int(high)
    assert stats.binom.cdf(r - 1, count, q) <= tail < stats.binom.cdf(r, count, q)
    assert stats.binom.sf(s - 1, count, q) <= tail
    assert s == 1 or stats.binom.sf(s - 2, count, q) > tail  # the partner: one rank less would not do
    assert (math.isinf(low) or math.isinf(high)) == (count < least_replicas(order, level))


def test_mean_interval_is_students():
    x = np.random.default_rng(4).standard_normal(50) + 0.3
    estimate, low, high = interval(x, "mean", 0.9)
    ref = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert (estimate, low, high) == pytest.approx((x.mean(), *ref), abs=0.01)  # the jackknife's variance is larger
    assert interval(-x, "mean", 0.9)[1:] == pytest.approx((-high, -low))
    runs = 1000
    missed = sum(not _covers(gamma(np.random.default_rng(i), 20), 1.0) for i in range(runs))
    assert missed <= at_most(0.06, runs)
    spread = x.std() / math.sqrt(50)
    assert low < estimate - spread and estimate + spread < high  # partner: one standard error is not enough


def _covers(x, truth):
    _, low, high = interval(x)
    return low <= truth <= high


def test_an_estimate_of_zero_is_no_certainty():
    assert interval(np.zeros(10)) == (0.0, -math.inf, math.inf)
    assert interval(np.array([-1.0, 1.0]))[1] < -1
    assert interval(np.zeros(10), "frequency")[2] == pytest.approx(1 - 0.025**0.1)


@pytest.mark.parametrize(
    "arguments, line",
    [
        (([1.0],), "x must be 2 replicas or more, got 1"),
        (([1.0, math.nan],), "x must be finite"),
        (([[1.0, 2.0]],), "x must have 1 dimension"),
        (([1.0, 2.0], "mode"), "statistic must lie in"),
        (([1.0, 2.0], 1.5), "statistic must lie in"),
        (([0.5, 2.0], "frequency"), r"frequencies must lie in \[0, 1\], got 2.0"),
        (([1.0, 2.0], "mean", 1.0), "level must lie in"),
        (([0.5, 0.5], "frequency", 0.95, 2.5), r"trials must be a whole number in \[1, 9007199254740992\], got 2.5"),
        (([0.5, 0.5], "frequency", 0.95, math.nan), "trials must be a whole number in"),
        (([0.5, 0.5], "frequency", 0.95, 10**20), "trials must be a whole number in"),
    ],
)
def test_interval_refuses(arguments, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        interval(*arguments[:3], **dict(zip(["trials"], arguments[3:])))
    assert "\n" not in str(caught.value)


# The rule.


def test_a_true_curve_holds():
    v = judge(LimitCurve(lambda n: 3 / n, margin=0.1), replicas(lambda n: 3 / n, 1000))
    assert (v.verdict, v.sharp, v.statistic) == ("holds", None, "mean of error"), v.reason
    assert v.measured["ratio"] == pytest.approx(1, abs=0.1) and v.measured["at"] in SCALES
    assert [p["predicted"] for p in v.points] == pytest.approx([3 / s for s in SCALES])
    median = judge(LimitCurve(lambda n: 3 / n, margin=0.2, statistic="median"), replicas(lambda n: 3 / n, 2000, cauchy))
    assert median.verdict == "holds", median.reason
    q = LimitCurve(lambda n: stats.cauchy.ppf(0.95) / n, margin=0.3, statistic=0.9)  # of the magnitude
    v = judge(q, replicas(lambda n: 1 / n, 2000, cauchy))
    assert v.verdict == "holds" and v.statistic == "0.9 quantile of error", v.reason


@pytest.mark.parametrize("off", [1.3, 1 / 1.3])
@pytest.mark.parametrize("statistic, law", [("mean", gamma), ("median", cauchy), (0.75, cauchy)])
def test_a_curve_that_is_off_by_more_than_the_margin_is_violated(statistic, law, off):
    truth = {"mean": 1.0, "median": 1.0, 0.75: stats.cauchy.ppf(0.875)}[statistic]
    predicts = LimitCurve(lambda n: off * truth / n, margin=0.1, statistic=statistic)
    assert judge(predicts, replicas(lambda n: 1 / n, 2000, law)).verdict == "violated"
    few = judge(predicts, replicas(lambda n: 1 / n, 12, law))
    assert few.verdict == "inconclusive", few.reason


def test_one_scale_is_enough_to_violate():
    def kinked(n):
        return 1.5 / n if n == 20 else 1 / n

    v = judge(LimitCurve(lambda n: 1 / n, margin=0.1), replicas(kinked, 1000))
    assert v.verdict == "violated" and "at n = 20" in v.reason and v.measured["at"] == 20
    late = judge(LimitCurve(lambda n: 1 / n, margin=0.1, last=2), replicas(kinked, 1000))
    assert late.verdict == "holds" and len(late.points) == 4
    small = judge(LimitCurve(lambda n: 1 / n, margin=0.1, last=2), replicas(kinked, 1000), asymptotic="small")
    assert small.verdict == "violated"


def test_bands():
    flat = replicas(lambda n: 1.0, 1000)
    assert judge(LimitCurve(lower=0.9, upper=1.1), flat).verdict == "holds"
    assert judge(LimitCurve(lower=lambda n: 0.5, upper=0.8), flat).verdict == "violated"
    assert judge(LimitCurve(upper=1.1), flat).verdict == "holds"
    v = judge(LimitCurve(upper=0.9, words="bound"), flat)
    assert v.verdict == "violated" and "at most 0.9" in v.reason and v.claimed["sense"] == "upper"
    assert judge(LimitCurve(lower=1.1), flat).verdict == "violated"
    # A rigorous end replaces the tolerance on its side, the other side keeps it.
    assert judge(LimitCurve(1.2, lower=0.9, margin=0.01), flat).verdict == "holds"
    assert judge(LimitCurve(1.2, upper=1.5, margin=0.01), flat).verdict == "violated"
    assert judge(LimitCurve(0.0, margin=0.1, absolute=True), [x - 1 for x in flat]).verdict == "holds"
    assert judge(LimitCurve(0.0, margin=0.1, absolute=True), [x - 0.7 for x in flat]).verdict == "violated"
    with pytest.raises(ValueError, match="^the band at scale 10 must be an interval around a number, got"):
        judge(LimitCurve(lower=2.0, upper=1.0), flat)
    with pytest.raises(ValueError, match="^the band at scale 10 must be"):
        judge(LimitCurve(lambda n: math.nan), flat)


def test_parameters_reach_the_curve():
    predicts = LimitCurve(lambda n, alpha: alpha / n, margin=lambda alpha: alpha / 15)
    v = judge(predicts, replicas(lambda n: 1.5 / n, 1000), params={"alpha": 1.5, "sigma": 2.0})
    assert v.verdict == "holds" and v.claimed["words"] == "curve ± 10 %"
    shares = [np.full(20, 0.25)] * 4
    v = judge(LimitCurve(0.25, statistic="frequency", trials=lambda m: m), shares, params={"m": 400})
    assert v.verdict == "holds" and v.points[0]["lo"] == pytest.approx(0.2407, abs=1e-3)
    assert judge(LimitCurve(0.25, statistic="frequency", trials=4), shares).verdict == "inconclusive"


def test_too_few_replicas_say_so():
    v = judge(LimitCurve(lambda n: 1 / n, statistic=0.95), replicas(lambda n: 1 / n, 40, cauchy))
    assert v.verdict != "holds"
    v = judge(LimitCurve(1.0, margin=0.9, statistic="median"), replicas(lambda n: 1.0, 4))
    assert v.verdict == "inconclusive" and "4 replicas are too few for an interval, 6 at least" in v.reason
    v = judge(LimitCurve(1.0, margin=0.1), replicas(lambda n: 1.0, 40))
    assert v.verdict == "inconclusive" and "times the replicas would settle it" in v.reason
    v = judge(LimitCurve(lower=-1.0, upper=1.0), [np.zeros(9)] * 4)
    assert v.verdict == "inconclusive" and "no replica differs from 0" in v.reason


def test_means_of_infinite_variance_are_inconclusive():
    def pareto(rng, size):
        return 0.2 * (1 + rng.pareto(1.2, size))

    v = judge(LimitCurve(5.0), replicas(lambda n: 1.0, 500, pareto))
    assert v.verdict == "inconclusive" and "judge the median" in v.reason
    median = LimitCurve(0.2 * 2 ** (1 / 1.2), statistic="median", margin=0.2)
    assert judge(median, replicas(lambda n: 1.0, 2000, pareto)).verdict == "holds"
    with pytest.raises(ValueError, match="^tail must exceed 2 for a mean"):
        judge(LimitCurve(1.0, tail=lambda alpha: alpha), replicas(lambda n: 1.0), params={"alpha": 1.5})


def test_means_that_are_zero_by_chance_are_of_finite_variance():
    """Scales are pooled relative to their size; relative to means near 0 they would look like one heavy tail."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        samples = [rng.standard_normal(16) for _ in range(2)]
        found.append(judge(LimitCurve(5.0, margin=0.1), samples, scales=[1, 2]))
    assert {v.verdict for v in found} == {"violated"}


def test_a_band_without_ends_is_vacuous():
    flat = replicas(lambda n: 1.0, 1000)
    for predicts in (
        LimitCurve(lower=lambda n: -math.inf, upper=lambda n: math.inf),
        LimitCurve(upper=lambda n: math.inf),
        LimitCurve(5.0, margin=lambda: math.inf),
        LimitCurve(upper=lambda n: math.inf, statistic="every"),
        ExactValue(1.0, deviation=lambda: math.inf),
    ):
        v = judge(predicts, flat)
        assert v.verdict == "inconclusive" and v.reason.startswith("the band is vacuous"), v.reason
    some = judge(LimitCurve(upper=lambda n: math.inf if n == 20 else 2.0), flat)  # the others are judged
    assert some.verdict == "holds" and some.measured["at"] != 20


# False alarms, by simulation at a coarser family-wise level.


LAWS = {
    "mean": (gamma, 1.0),
    "median": (cauchy, 1.0),
    0.8: (lambda rng, size: rng.exponential(1.0, size), math.log(5)),
    "frequency": (lambda rng, size: (rng.random(size) < 0.1).astype(float), 0.1),
}


@pytest.mark.parametrize("statistic", LAWS)
@pytest.mark.parametrize("edge", [-1, 0, 1])
def test_false_alarms_are_no_more_than_stated(statistic, edge):
    """`family` = 0.9: at most 0.1 with a band of no width, 0.05 with the truth at one edge of the band."""
    runs, family, (law, truth) = 500, 0.9, LAWS[statistic]
    rng = np.random.default_rng([7, edge + 1])
    margin = 0.05 if edge else 1e-9
    predicts = LimitCurve(truth / (1 + edge * margin), margin=margin, statistic=statistic)
    claim = Claim("S", "", "", measure=lambda n, *, seed: 0.0, predicts=predicts, scales=SCALES)
    found = Counter()
    for _ in range(runs):
        samples = [law(rng, 60) for _ in SCALES]
        found[claim.judge("error", SCALES, samples, params={}, family=family).verdict] += 1
    allowed = (1 - family) * (0.5 if edge else 1.0)
    if statistic == "mean":
        allowed *= 1.4  # Student's interval of a skewed law, 60 replicas
    assert found["violated"] <= at_most(allowed, runs), found
    # The partner: a truth beyond the edge by a fifth is found far more often.
    wrong = LimitCurve(1.2 * truth, margin=margin, statistic=statistic)
    beyond = [judge(wrong, [law(rng, 2000) for _ in SCALES], family=family).verdict for _ in range(8)]
    assert beyond.count("violated") >= 6


def test_dependent_trials_between_two_binomials_raise_no_more_alarms():
    """Particles that share a shift within +-d: the share beyond 1 lies between those of |S| beyond 1 + d and 1 - d."""
    runs, family, d, n = 800, 0.9, 0.1, 50
    rng = np.random.default_rng(8)
    lower, upper = 2 * stats.norm.sf(1 + d), 2 * stats.norm.sf(1 - d)
    band = LimitCurve(lower=lower, upper=upper, statistic="frequency", trials=n)
    claim = Claim("S", "", "", measure=lambda n, *, seed: 0.0, predicts=band, scales=SCALES)
    alarms = 0
    for _ in range(runs):
        samples = [
            np.mean(np.abs(s + d * np.sign(s) * np.sign(rng.standard_normal((8, 1)))) > 1, axis=1)
            for s in (rng.standard_normal((8, n)) for _ in SCALES)
        ]  # the worst case: a whole system shifted outwards, or a whole system inwards
        alarms += claim.judge("error", SCALES, samples, params={}, family=family).verdict == "violated"
    assert alarms <= at_most(1 - family, runs)


# The object itself, and how it is shown.


@pytest.mark.parametrize(
    "make, line",
    [
        (lambda: LimitCurve(), "curve, lower or upper must be given, got none"),
        (lambda: LimitCurve(math.nan), "curve must lie in"),
        (lambda: LimitCurve("a"), "curve must lie in .*, got 'a'"),
        (lambda: judge(LimitCurve(0.5, statistic="frequency", trials=lambda: 2.5), [[0.5, 0.5]] * 4), "trials must be"),
        (lambda: LimitCurve(upper=math.inf), "upper must lie in"),
        (lambda: LimitCurve(1.0, margin=0), "margin must lie in"),
        (lambda: LimitCurve(1.0, statistic="mode"), "statistic must be one of mean, median, frequency, every, got"),
        (lambda: LimitCurve(1.0, statistic=1.0), "statistic must lie in"),
        (lambda: LimitCurve(1.0, trials=0), "trials must be a whole number >= 1"),
        (lambda: LimitCurve(1.0, last=0), "last must be a whole number >= 1"),
    ],
)
def test_refuses(make, line):
    with pytest.raises(ValueError, match="^" + line) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_json_keeps_its_form():
    v = judge(LimitCurve(lambda n: 1 / n, margin=0.1), replicas(lambda n: 1 / n))
    found = json.loads(json.dumps(v.as_dict(), allow_nan=False))
    assert found["claimed"] == {"kind": "curve", "exponent": None, "sense": "exact", "words": "curve ± 10 %"}
    assert set(found["points"][0]) == {
        "scale", "estimate", "lo", "hi", "bound", "replicas", "predicted", "lower", "upper",
    }  # fmt: skip
    assert found["bound"] is None and found["sharp"] is None and found["measured"]["exponent"] is None
    none = judge(LimitCurve(upper=2.0, statistic=0.99), replicas(lambda n: 1 / n, 20))
    json.dumps(none.as_dict(), allow_nan=False)
    assert none.as_dict()["points"][0]["predicted"] is None


def test_table_figure_and_page_show_it(tmp_path, capsys):
    shown = []
    curve = LimitCurve(lambda n: 1 / n, margin=0.1)
    for predicts, data, name in (
        (curve, replicas(lambda n: 1 / n, 1000), "curve"),
        (LimitCurve(lower=lambda n: 0.8 / n, upper=lambda n: 2 / n, words="band"), replicas(lambda n: 1 / n), "band"),
        (LimitCurve(upper=2.0, statistic=0.99), replicas(lambda n: 1 / n, 20), "few"),
        (LimitCurve(0.0, margin=0.1, absolute=True), replicas(lambda n: 0.0), "zero"),
    ):
        shown.append(judge(predicts, data, name=name).as_dict())
    options = {"name": "curve", "measure": print, "predicts": curve, "scales": SCALES}
    claim = Claim("S", "", "", controls=(Control("spoilt", ""),), **options)
    control = claim.judge("error", SCALES, replicas(lambda n: 2 / n), params={}, control=claim.controls[0])
    shown.append(control.as_dict())
    table.print_verdicts(shown)
    printed = capsys.readouterr().out
    for expected in ("curve ± 10 %", "in band", "≤ curve", "ratio", "caught"):
        assert expected in printed, expected
    assert words.measured_words(shown[1]).startswith("ratio") is False
    figures = report.write_figures(tmp_path, shown, suffixes=(".png",))
    assert len(figures) == 4
    legend = [t.get_text() for t in report.draw([shown[0], shown[4]]).legends[0].get_texts()]
    assert "claimed curve" in legend and "claimed band" in legend
    report.plt.close("all")
    run = {"budget": "quick", "started": "2026-01-01", "command": "c", "version": "0", "seed": 1, "finished": True}
    html = page.render(run, shown, {"s": (b"", shown[:1])})
    assert "predicted" in html and "curve ± 10 %" in html


def test_a_recorder_knows_a_quantile_by_the_verdicts_name(tmp_path):
    """Verdicts are looked up by their statistic's name: a plan and a verdict must spell it alike."""
    from chaosnum import sweep
    from chaosnum.progress import Progress
    from chaosnum.recorder import Recorder
    from chaosnum.runfolder import RunFolder

    claim = Claim(
        "S", "", "", scales=[1, 2], replicas=40, predicts=LimitCurve(0.5, margin=0.9, statistic=0.5),
        measure=lambda n, *, seed: float(np.random.default_rng(seed).random()),
    )  # fmt: skip
    folder = RunFolder(tmp_path / "run", {"command": "c", "seed": 1, "budget": "quick", "claims": {}})
    cases = sweep.plan([claim])
    with Progress(cases) as progress:
        recorder = Recorder(folder, cases, 1, progress)
        (verdict,) = sweep.verify([claim], observer=recorder)
        recorder.finish(0.0)
    assert verdict.verdict == "holds" and verdict.statistic == "0.5 quantile of error"
    assert (tmp_path / "run" / "s-0-5-quantile-of-error.png").exists()
