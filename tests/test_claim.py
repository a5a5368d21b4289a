"""claim.py, registry.py, predict.py and judge_rate.py: verdicts on synthetic truths, and the JSON contract.

The measures here are exact curves times independent noise of mean 1, so the truth is known.
"""

import json
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from chaosnum import claim as claim_module
from chaosnum.claim import Claim, Control, ExplicitBound, LimitLaw, PowerLaw, claims, find
from chaosnum.rule import more_replicas

SCALES = [100, 200, 400, 800, 1600, 3200]


def noise(rng, size):
    """Positive, mean 1, standard deviation 1/2: as the errors of coupled particle systems."""
    return rng.gamma(4, 0.25, size)


def statement(predicts, **options):
    options = {"scales": SCALES, **options}
    return Claim(
        "S", "synthetic", "none", measure=lambda n, *, seed: 0.0, predicts=predicts, **options
    )


def judge(curve, predicts, replicas=400, seed=1, law=noise, family=0.999, params=None, **options):
    """The verdict on `replicas` systems a scale, with statistic curve(scale) times noise."""
    rng = np.random.default_rng(seed)
    claim = statement(predicts, **options)
    scales = claim.scales_of(None)
    samples = [curve(s) * law(rng, replicas) for s in scales]
    (name,) = claim.predictions()
    return claim.judge(name, scales, samples, params=params or {}, family=family)


def test_sharp_rate_holds():
    v = judge(lambda n: n**-0.5, PowerLaw(-0.5))
    assert (v.verdict, v.sharp) == ("holds", True), v.reason
    low, high = v.measured["ci"]
    assert -0.53 < low < v.measured["exponent"] < high < -0.47


def test_slow_rate_is_violated():
    v = judge(lambda n: n**-0.25, PowerLaw(-0.5), replicas=32)
    assert (v.verdict, v.sharp) == ("violated", None), v.reason


def test_fast_rate_holds_and_is_not_sharp():
    v = judge(lambda n: 1 / n, PowerLaw(-0.5), replicas=32)
    assert (v.verdict, v.sharp) == ("holds", False), v.reason
    assert judge(lambda n: 1 / n, PowerLaw(-0.5, sense="exact"), replicas=32).verdict == "violated"


def test_floor_is_inconclusive():
    v = judge(lambda n: 1 / n + 1e-3, PowerLaw(-0.5))
    assert v.verdict == "inconclusive" and "flattens" in v.reason, v.reason


def test_dominating_floor_is_violated():
    v = judge(lambda n: n**-0.5 + 0.2, PowerLaw(-0.5), replicas=64)
    assert v.verdict == "violated", v.reason


def test_broken_bound_is_violated():
    v = judge(lambda n: n**-0.5, PowerLaw(-0.5, bound=lambda n: 0.8 * n**-0.5))
    assert v.verdict == "violated" and v.bound["holds"] is False and "above its bound" in v.reason
    assert v.bound["slack"] < 1 and v.sharp is None
    close = judge(lambda n: n**-0.5, PowerLaw(-0.5, bound=lambda n: n**-0.5))
    assert close.verdict == "inconclusive" and "reaches above its bound" in close.reason
    loose = judge(lambda n: n**-0.5, PowerLaw(-0.5, bound=lambda n: 2 * n**-0.5))
    assert loose.verdict == "holds" and 1.8 < loose.bound["slack"] < 2.1


def test_vacuous_bound_is_called_so():
    options = {"bound": lambda n: 20 * n**-0.5, "trivial": lambda n: 1.0}
    some = judge(lambda n: n**-0.5, PowerLaw(-0.5, **options))
    assert some.verdict == "holds" and "vacuous at n = 100, 200, 400" in some.reason
    options["bound"] = lambda n: math.inf
    every = judge(lambda n: n**-0.5, PowerLaw(-0.5, **options))
    assert every.verdict == "holds" and "vacuous at every n" in every.reason
    assert every.bound["vacuous"] and every.as_dict()["points"][0]["bound"] is None
    alone = judge(lambda n: n**-0.5, ExplicitBound(**options))
    assert alone.verdict == "inconclusive" and "vacuous at every n" in alone.reason


def test_small_asymptotic_end_turns_the_direction():
    eta = {"scale": "eta", "scales": [2.0**-k for k in range(3, 9)]}
    better = judge(lambda h: h, PowerLaw(2 / 3), 64, **eta)
    assert (better.verdict, better.sharp) == ("holds", False), better.reason
    assert judge(lambda h: h**0.5, PowerLaw(2 / 3), 64, **eta).verdict == "violated"
    assert judge(lambda h: h**-0.3, PowerLaw(2 / 3), 64, **eta).verdict == "violated"
    floor = judge(lambda h: h + 2e-3, PowerLaw(2 / 3), **eta)
    assert floor.verdict == "inconclusive" and "flattens" in floor.reason, floor.reason
    # The direction can be stated: n^0.3 against a moment allowed to grow like n^0.5.
    growth = judge(lambda n: n**0.3, PowerLaw(0.5), 64, asymptotic="large")
    assert (growth.verdict, growth.sharp) == ("holds", False), growth.reason


def test_curve_on_its_way_to_the_claim_is_not_violated():
    def late(n):  # -0.31 at n = 100, -0.48 at 3200
        return n**-0.5 * (1 - 4 * n**-0.5)

    v = judge(late, PowerLaw(-0.5), 2000)
    assert v.verdict == "inconclusive" and "bends" in v.reason, v.reason
    bound = ExplicitBound(lambda n: 2 * n**-0.5, exponent=-0.5)
    assert judge(late, bound, 2000).verdict == "holds"


def test_explicit_bound_judges_its_end_slope():
    def bound(n):
        return 3 * n**-0.5

    v = judge(lambda n: n**-0.46, ExplicitBound(bound, exponent=-0.5), 4000)
    assert v.verdict == "holds" and v.claimed == {
        "kind": "bound",
        "exponent": -0.5,
        "sense": "upper",
        "last": 3,
    }
    assert len(v.measured["local"]) == 5
    floor = judge(lambda n: n**-0.5 + 0.05, ExplicitBound(lambda n: 1, exponent=-0.5), 200)
    assert floor.verdict == "violated", floor.reason
    high = judge(lambda n: 4 * n**-0.5, ExplicitBound(bound), 64)
    assert high.verdict == "violated" and high.claimed["exponent"] is None


def test_lost_in_noise_is_inconclusive_and_names_the_scale():
    v = judge(lambda n: 1.0, PowerLaw(-1), 50, law=lambda rng, r: 0.1 * rng.standard_normal(r))
    assert v.verdict == "inconclusive" and "lost in noise" in v.reason
    found = v.as_dict()
    assert found["measured"]["exponent"] is None and found["measured"]["ci"] == [None, None]
    json.dumps(found, allow_nan=False)


def test_means_of_infinite_variance_are_inconclusive_medians_are_not():
    def heavy(rng, size):
        return 1 + rng.pareto(1.2, size)

    mean = judge(lambda n: n**-0.5, PowerLaw(-0.5), 500, law=heavy)
    assert mean.verdict == "inconclusive" and "median" in mean.reason
    median = judge(lambda n: n**-0.5, PowerLaw(-0.5, statistic="median"), 1000, law=heavy)
    assert (median.verdict, median.sharp) == ("holds", True), median.reason
    with pytest.raises(ValueError, match="tail must exceed 2"):
        judge(lambda n: 1, PowerLaw(-0.5, tail=lambda alpha: alpha), params={"alpha": 1.5})


def test_few_replicas_say_how_many_more():
    v = judge(lambda n: n**-0.5, PowerLaw(-0.5), 16)
    assert v.verdict == "inconclusive" and "times the replicas" in v.reason, v.reason
    assert more_replicas(0.06, 0.03).startswith("about 4.8 times")
    assert "wider range" in more_replicas(1.0, 0.0)


def test_exact_zero_is_inconclusive():
    v = judge(lambda n: 0.0, PowerLaw(-0.5, bound=lambda n: 1.0), 8)
    assert v.verdict == "inconclusive" and v.bound["holds"]
    json.dumps(v.as_dict(), allow_nan=False)


# False alarms and misses of the whole rule, by simulation.


def outcomes(curve, runs, predicts=None, replicas=64, law=noise, family=1 - 1e-3 / 40):
    rng = np.random.default_rng(99)
    claim = statement(predicts or PowerLaw(-0.5))
    found = Counter()
    for _ in range(runs):
        samples = [curve(n) * law(rng, replicas) for n in SCALES]
        v = claim.judge("error", SCALES, samples, params={}, family=family)
        found[v.verdict, v.sharp] += 1
    return found


def at_most(rate, runs, level=1e-6):
    """Largest count that a true rate gives, but for the false-alarm level."""
    return stats.binom.ppf(1 - level, runs, rate)


def test_sharp_claim_is_never_violated():
    runs = 2000
    found = outcomes(lambda n: n**-0.5, runs)
    assert found["violated", None] <= at_most(1e-5, runs)
    assert found["holds", False] <= at_most(0.025, runs)


def test_false_alarm_rate_at_the_edge_of_the_margin():
    runs, family = 2000, 0.98  # the stated rate is (1 - family) / 2 there
    found = outcomes(lambda n: n**-0.47, runs, family=family)
    assert found["violated", None] <= at_most(1.3 * (1 - family) / 2, runs)
    assert found["violated", None] >= stats.binom.ppf(1e-6, runs, 0.5 * (1 - family) / 2)


def test_holds_is_rarely_wrong_beyond_the_margin():
    runs = 600
    found = outcomes(lambda n: n**-0.45, runs, replicas=256)
    assert found["holds", None] + found["holds", True] <= at_most(0.025, runs)


def test_partner_slow_rates_are_caught():
    assert outcomes(lambda n: n**-0.3, 100)["violated", None] >= 99
    assert outcomes(lambda n: np.maximum(n**-0.5, 0.06), 100)["violated", None] >= 95


# Limit laws.


def test_limit_law():
    def cf(k, alpha):
        return math.exp(-(abs(k) ** alpha))

    def cauchy(rng, size):
        return rng.standard_cauchy(size)

    options = {"law": cauchy, "params": {"alpha": 1.0}, "replicas": 200}
    law = LimitLaw(cf, unit=lambda n: 3 * n**-0.3)
    v = judge(lambda n: 3 * n**-0.3, law, **options)
    assert v.verdict == "holds" and v.claimed["kind"] == "law", v.reason
    assert v.measured["ratio"] == pytest.approx(1, abs=0.2)
    assert judge(lambda n: 3 * n**-0.2, law, **options).verdict == "violated"
    assert judge(lambda n: 3 * n**-0.3, LimitLaw(cf), **options).verdict == "violated"
    other = judge(lambda n: 3 * n**-0.3, law, **{**options, "params": {"alpha": 2.0}})
    assert other.verdict == "violated", other.reason
    few = judge(lambda n: 3 * n**-0.3, law, **{**options, "replicas": 16, "seed": 2})
    assert few.verdict == "inconclusive" and "times the replicas" in few.reason
    json.dumps(v.as_dict(), allow_nan=False)
    late = LimitLaw(cf, unit=lambda n: 3 * n**-0.3, last=2)
    assert judge(lambda n: 3 * n**-0.3 * (1 + 10 * (n < 1000)), late, **options).verdict == "holds"


# The object itself.


def test_json_is_the_contract():
    v = judge(lambda n: n**-0.5, PowerLaw(-0.5, bound=lambda n: 1.0), name="rate", model="toy")
    found = json.loads(json.dumps(v.as_dict(), allow_nan=False))
    assert list(found) == [
        "claim", "name", "model", "params", "statistic", "scale", "claimed", "measured", "bound",
        "verdict", "sharp", "reason", "control", "points", "origin", "qualified", "needs",
    ]  # fmt: skip
    assert found["claimed"] == {"kind": "power", "exponent": -0.5, "sense": "upper"}
    assert set(found["measured"]) == {"exponent", "ci", "local"}
    assert set(found["bound"]) == {"holds", "slack"}
    assert set(found["points"][0]) == {"scale", "estimate", "lo", "hi", "bound", "replicas"}
    assert found["statistic"] == "mean of error" and found["control"] is None
    assert [p["scale"] for p in found["points"]] == SCALES
    assert found["points"][0]["lo"] < found["points"][0]["estimate"] < found["points"][0]["hi"]
    assert "\n" not in found["reason"]


def test_exponent_and_bound_may_take_some_of_the_parameters():
    claim = statement(
        PowerLaw(lambda alpha: -1 / alpha, bound=lambda n, sigma: sigma),
        params={"alpha": [1.25, 2.0], "sigma": 3.0},
    )
    assert claim.cases() == [{"alpha": 1.25, "sigma": 3.0}, {"alpha": 2.0, "sigma": 3.0}]
    samples = [np.full(8, n**-0.8) for n in SCALES]
    v = claim.judge("error", SCALES, samples, params=claim.cases()[0])
    assert v.claimed["exponent"] == -0.8 and v.verdict == "holds"
    assert v.points[0]["bound"] == 3.0


def test_budgets():
    claim = statement(
        PowerLaw(-0.5),
        scales={"quick": [1, 2, 4], "full": [1, 2, 4, 8]},
        replicas=lambda n, budget: (
            {"quick": 8, "standard": 8, "full": 64}[budget] * (2 if n < 4 else 1)
        ),
    )
    assert claim.scales_of("standard") == (1, 2, 4) and claim.scales_of("full") == (1, 2, 4, 8)
    assert [claim.replicas_of(n, "full") for n in (1, 4)] == [128, 64]


def test_domain_is_open_below_and_closed_above():
    claim = statement(
        PowerLaw(-0.5),
        params={"alpha": 1.5, "noise": "I", "sigma": 1.0},
        domain={"alpha": (1, 2), "noise": ("I", "II"), "sigma": (0, math.inf)},
    )
    assert claim.cases({"alpha": [1.2, 2.0], "unknown": 3})[1]["alpha"] == 2.0
    for params, line in (
        ({"alpha": 1.0}, r"^alpha must lie in \(1, 2\], got 1"),
        ({"alpha": [1.5, 2.5]}, r"^alpha must lie in \(1, 2\], got 2.5"),
        ({"alpha": math.nan}, "^alpha must be finite, got nan"),
        ({"alpha": "x"}, r"^alpha must lie in \(1, 2\], got 'x'"),
        ({"noise": "IV"}, "^noise must be one of I, II, got 'IV'"),
        ({"sigma": -1}, r"^sigma must lie in \(0, inf\), got -1"),
        ({"sigma": []}, "^sigma must have at least one value"),
    ):
        with pytest.raises(ValueError, match=line):
            claim.cases(params)


@pytest.mark.parametrize(
    "options, line",
    [
        ({"scales": [1, 2]}, "S: scales must be 3 or more distinct positive numbers"),
        ({"scales": [1, 2, 2]}, "S: scales must be 3 or more distinct positive numbers"),
        ({"scales": [0, 1, 2]}, "S: scales must be 3 or more distinct positive numbers"),
        (
            {"scales": {"tiny": [1, 2, 4]}},
            "budget must be one of quick, standard, full, got 'tiny'",
        ),
        ({"predicts": -0.5}, "S: predicts must be a prediction, got -0.5"),
        ({"asymptotic": "up"}, "asymptotic must be one of large, small"),
        ({"domain": {"beta": (0, 1)}}, "S: domain must name parameters, got beta"),
        ({"controls": [Control("a", ""), Control("a", "")]}, "S: names of controls must differ"),
    ],
)
def test_claim_refuses(options, line):
    with pytest.raises(ValueError, match="^" + line):
        statement(options.pop("predicts", PowerLaw(-0.5)), **options)


@pytest.mark.parametrize(
    "make, line",
    [
        (lambda: PowerLaw(-0.5, sense="lower"), "sense must be one of upper, exact, got 'lower'"),
        (lambda: PowerLaw(math.nan), "exponent must lie in"),
        (lambda: PowerLaw(-0.5, margin=0), "margin must lie in"),
        (lambda: PowerLaw(-0.5, statistic="mode"), "statistic must be one of mean, median"),
        (lambda: ExplicitBound(lambda n: 1, last=2), "last must be a whole number >= 3"),
        (
            lambda: Claim("", "", "", measure=print, predicts=PowerLaw(1), scales=[1, 2, 3]),
            "id must",
        ),
        (
            lambda: Claim("a", "", "", measure=1, predicts=PowerLaw(1), scales=[1, 2, 3]),
            "a: measure",
        ),
    ],
)
def test_refuses(make, line):
    with pytest.raises(ValueError, match="^" + line):
        make()


def test_bound_that_is_no_number_is_named():
    with pytest.raises(ValueError, match=r"^bound at n = 100 must be a number >= 0, got nan"):
        judge(lambda n: 1.0, PowerLaw(-0.5, bound=lambda n: math.nan))


# The registry.


class Point:
    def __init__(self, name, found):
        self.name, self.value, self.found = name, name, found

    def load(self):
        return self.found


def test_registry(monkeypatch):
    one, two = (
        statement(PowerLaw(-0.5), name="chaos", model="K"),
        statement(PowerLaw(-1), model="L"),
    )
    other = Claim("T", "", "", measure=print, predicts=PowerLaw(-1), scales=[1, 2, 3], name="euler")
    points = [Point("b", [one, two]), Point("a", other)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    assert claims() == [one, two, other]  # by id, then as the entry points come
    assert find() == [one, two, other]
    assert find(["s"]) == [one, two] and find("EULER") == [other]
    assert find(["S"], models=["l"]) == [two]
    with pytest.raises(ValueError, match=r"^claim must be one of S, T, got 'X'$"):
        find(["S", "X"])
    with pytest.raises(ValueError, match=r"^model must be one of K, L, got 'N'$"):
        find(models=["N"])
    points.append(Point("c", [3]))
    with pytest.raises(ValueError, match="must hold claims, got 3"):
        claims()


def test_listing_claims_needs_no_numerics():
    code = "import sys, chaosnum.claim; print(*{'numpy', 'scipy', 'numba'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_public_names():
    assert set(claim_module.__all__) >= {
        "Claim",
        "Control",
        "PowerLaw",
        "Verdict",
        "claims",
        "find",
    }


def test_the_end_that_a_claim_is_about_is_told_where_the_sign_does_not():
    """A growing statistic that is claimed to grow at most like n^0.5: an upper bound, shown as one."""
    from chaosnum.words import claimed_words

    growing = statement(PowerLaw(0.5), asymptotic="large")
    scales = [100, 200, 400, 800, 1600]
    samples = [s**0.4 * np.exp(0.1 * np.random.default_rng(s).standard_normal(64)) for s in scales]
    v = growing.judge("error", scales, samples, params={})
    assert v.verdict == "holds" and v.claimed["asymptotic"] == "large"
    assert claimed_words(v.as_dict()) == "≤ 0.5"
    shrinking = statement(PowerLaw(0.5))  # by default the sign decides
    assert claimed_words(shrinking.judge("error", scales, samples, params={}).as_dict()) == "≥ 0.5"


def test_a_curve_that_still_bends_is_never_sharp():
    """On its way to a better rate than claimed: true, but the mean slope is no exponent to be sharp about."""
    scales = [100 * 2**j for j in range(7)]
    samples = []
    for j, s in enumerate(scales):
        curve = np.exp(-0.5 * np.log(s) - 0.006 * (j - 3) ** 2)
        samples.append(curve * np.exp(0.05 * np.random.default_rng(j).standard_normal(2000)))
    v = statement(PowerLaw(-0.5)).judge("error", scales, samples, params={})
    assert v.verdict == "holds" and v.sharp is None and "bends" in v.reason
    straight = [x * np.exp(0.006 * (j - 3) ** 2) for j, x in enumerate(samples)]  # the partner
    assert statement(PowerLaw(-0.5)).judge("error", scales, straight, params={}).sharp is True


# Nothing holds that was not judged.


def test_an_exponent_that_is_no_number_is_refused():
    for exponent in (math.nan, math.inf, -math.inf):
        for prediction in (PowerLaw(lambda e=exponent: e), ExplicitBound(lambda n: 1.0, exponent=lambda e=exponent: e)):
            with pytest.raises(ValueError, match=r"^exponent must lie in \(-inf, inf\), got"):
                judge(lambda n: n**-0.5, prediction)


def test_an_explicit_bound_alone_must_say_something():
    infinite = judge(lambda n: 1.0, ExplicitBound(lambda n: math.inf))
    assert infinite.verdict == "inconclusive" and "vacuous at every n" in infinite.reason
    some = judge(lambda n: 1.0, ExplicitBound(lambda n: math.inf if n == 100 else 2.0))
    assert some.verdict == "holds" and "vacuous at n = 100" in some.reason
    zero = judge(lambda n: 0.0, ExplicitBound(lambda n: 1.0))
    assert zero.verdict == "inconclusive" and "nothing but 0" in zero.reason
    heavy = judge(lambda n: 1.0, ExplicitBound(lambda n: 1e9), 500, law=lambda rng, size: 1 + rng.pareto(1.2, size))
    assert heavy.verdict == "inconclusive" and "median" in heavy.reason
    three = judge(lambda n: 1.0, ExplicitBound(lambda n: 2.0), scales=[1, 2, 4])
    assert three.verdict == "holds", three.reason


@pytest.mark.parametrize(
    "scales, count, line",
    [
        ([1, math.nan, 3], 3, "scales must be 1 or more distinct positive numbers, got"),
        ([-1, 2, 3], 3, "scales must be 1 or more distinct positive numbers, got"),
        ([1, 1, 2], 3, "scales must be 1 or more distinct positive numbers, got"),
        ([1, 2, 3], 2, r"samples must be one array per scale \(3\), got 2"),
        ([1, 2, 3], 4, r"samples must be one array per scale \(3\), got 4"),
    ],
)
def test_evidence_that_is_refused(scales, count, line):
    for prediction in (PowerLaw(-0.5), ExplicitBound(lambda n: 9.0), LimitLaw(lambda k: math.exp(-k * k))):
        with pytest.raises(ValueError, match="^" + line):
            statement(prediction).judge("error", scales, [np.ones(4)] * count, params={})
    with pytest.raises(ValueError, match="^samples at n = 2 must be 1 or more, got none"):
        statement(PowerLaw(-0.5)).judge("error", [1, 2, 3], [np.ones(4), np.ones(0), np.ones(4)], params={})


@pytest.mark.parametrize(
    "options, line",
    [
        ({"scales": 5}, "S: scales must be 3 or more distinct positive numbers, got 5"),
        ({"scales": ["a", 1, 2]}, r"S: scales must be 3 or more distinct positive numbers, got \['a', 1, 2\]"),
        ({"scales": [True, 2, 4]}, "S: scales must be 3 or more distinct positive numbers"),
        ({"scales": {}}, "budget must be one of quick, standard, full, got none"),
        ({"replicas": {}}, "budget must be one of quick, standard, full, got none"),
        ({"predicts": {}}, "S: predicts must hold one prediction at least, got none"),
        ({"params": {"width": [[1, 2], [3]]}}, "width must be a number, a string or a list of these, got"),
    ],
)
def test_claims_without_content_are_refused(options, line):
    with pytest.raises(ValueError, match="^" + line):
        statement(**{"predicts": PowerLaw(-0.5), **options})
