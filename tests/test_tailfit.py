"""tailfit.py: what `fit` decides, on which samples, at the levels it states; the 200-sample study is marked long."""

import math

import numpy as np
import pytest
from scipy import stats

from chaosnum import noise, stable, tails

ALPHAS = [1.1, 1.3, 1.5, 1.7, 1.9]


def pareto(alpha, n, seed):
    return np.random.default_rng(seed).uniform(size=n) ** (-1 / alpha)


def covers(fit, alpha):
    return fit.ci[0] <= alpha <= fit.ci[1]


def judge_stable(alpha, count):
    """Recommended on stable samples of 1e5: standard error 0.0049 or less, so 0.03 is six of them."""
    found = [tails.fit(stable.rvs(alpha, 100_000, seed=500 + s)) for s in range(count)]
    assert all(f.heavy for f in found)
    assert all(f.recommended == "ecf" and f.stable for f in found)
    assert max(abs(f.alpha - alpha) for f in found) < 0.03
    truth = 2 * stable.tail_constant(alpha)
    assert all(abs(f.constant / truth - 1) < 0.2 for f in found)
    return sum(covers(f, alpha) for f in found)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_stable_samples(alpha):
    """8 samples: fewer than 4 covered has probability 2e-5 at 95 %."""
    assert judge_stable(alpha, 8) >= 4


@pytest.mark.long
@pytest.mark.parametrize("alpha", ALPHAS)
def test_stable_samples_200(alpha):
    assert 0.90 <= judge_stable(alpha, 200) / 200 <= 0.99


def test_the_study_would_notice_a_wrong_index():
    found = [tails.fit(stable.rvs(1.5, 100_000, seed=s)) for s in range(3)]
    assert not any(covers(f, 1.54) for f in found)


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform", "laplace", "logistic"])
def test_no_power_tail_is_said(draw):
    """Level 1e-3 on exponential tails, less on the others: 20 samples of 200 and of 2000, and 2 of 20000."""
    rng = np.random.default_rng(11)
    for n in (200, 2000, 20_000):
        found = [tails.fit(getattr(rng, draw)(size=n)) for _ in range(20 if n < 20_000 else 2)]
        assert sum(f.heavy for f in found) <= stats.binom.isf(1e-6, len(found), 1e-3)
    light = found[-1]
    assert not light.heavy and light.alpha == math.inf and light.recommended == "none" and light.constant == 0.0
    assert light.ci[0] > 2 and light.ci[1] == math.inf
    assert "no power tail" in light.reason and "read as power tails" in light.disagree


def test_power_tails_are_found():
    """The partner of the test above, and SaS with alpha = 1.9."""
    rng = np.random.default_rng(12)
    for n in (20_000, 100_000):
        for x in (pareto(3, n, 1), rng.standard_t(3, n), stable.rvs(1.9, n, seed=1), pareto(0.8, n, 2)):
            assert tails.fit(x).heavy


@pytest.mark.parametrize("alpha", [0.8, 1.5, 3.0])
def test_pareto_samples(alpha):
    """Measured coverage 0.83-1.0; fewer than 7 of 12 at 0.83 has probability 4e-3, fewer than 5 has 6e-5."""
    found = [tails.fit(pareto(alpha, 20_000, s)) for s in range(12)]
    assert all(f.heavy and not f.stable and f.recommended in ("hill", "moments") for f in found)
    assert sum(covers(f, alpha) for f in found) >= 5
    assert all(abs(f.alpha / alpha - 1) < 0.35 for f in found)
    assert all(f.sides[1] == 0.0 for f in found)  # no left tail


@pytest.mark.parametrize("df", [2, 3])
def test_student_samples(df):
    rng = np.random.default_rng(df)
    found = [tails.fit(rng.standard_t(df, 30_000)) for _ in range(12)]
    assert all(f.heavy and not f.stable for f in found)
    assert sum(covers(f, df) for f in found) >= 5
    assert all("ecf" in f.disagree for f in found)  # the stable fit says 1.4 or 1.6


def test_disagreement_is_reported():
    fit = tails.fit(stable.rvs(1.8, 1000, seed=2))
    assert fit["hill"].alpha > 2.1  # the trap
    assert "hill" in fit.disagree
    agreed = tails.fit(stable.rvs(1.5, 100_000, seed=3))
    assert agreed.disagree.startswith("every interval holds")


def test_a_cut_tail_is_no_power_tail():
    x = stable.rvs(1.5, 100_000, seed=3)
    cut = tails.fit(x[np.abs(x) < 60])
    assert not cut.heavy and not cut.stable and "bends down" in cut.reason
    assert not tails.fit(np.clip(x, -10, 10)).heavy


def test_shifted_scaled_and_pruned():
    x = stable.rvs(1.4, 50_000, seed=5)
    plain = tails.fit(x)
    moved = tails.fit(1e6 + 10 * x)
    assert moved.alpha == pytest.approx(plain.alpha, rel=1e-6)
    assert moved.centre == pytest.approx(1e6, abs=1)
    assert moved.constant == pytest.approx(plain.constant * 10**plain.alpha, rel=1e-6)
    pruned = tails.fit(np.where(np.random.default_rng(0).uniform(size=x.size) < 0.3, 0.0, x))
    assert pruned.recommended == "ecf" and covers(pruned, 1.4)
    assert pruned.constant == pytest.approx(0.7 * plain.constant, rel=0.1)
    assert "exactly 0" in pruned.note


def test_one_tail_and_two():
    """A skewed law: sides add up to the constant, and the right one has all of it."""
    levy = tails.fit(1 / np.random.default_rng(3).normal(size=20_000) ** 2)
    assert levy.sides[0] > 0.9 * levy.constant
    assert sum(levy.sides) == pytest.approx(levy.constant)


@pytest.mark.parametrize("kind", ["I", "II", "III"])
def test_matrices_by_column(kind):
    x = noise.increments(kind, 1.5, (8, 20_000), seed=1, step=0) + np.arange(8)[:, None]
    fit = tails.fit(x)
    assert fit.recommended == "ecf" and fit.heavy
    assert abs(fit.alpha - 1.5) < 0.06
    assert fit.centre.shape == (8,) and fit.n == 20_000
    constant = {"I": 8**0.75 * 2, "II": 16}.get(kind)
    c = stable.tail_constant(1.5)
    truth = constant * c if constant else 2**1.5 * math.gamma(4.75) / (math.gamma(4) * math.gamma(0.25))
    assert abs(math.log(fit.constant / truth)) < 5 / math.sqrt(141) + 0.1  # from the 141st norm
    assert not tails.fit(np.random.default_rng(0).normal(size=(8, 5000))).heavy


def test_estimates_by_name():
    fit = tails.fit(stable.rvs(1.5, 1000, seed=1))
    names = [e.name for e in fit.estimates]
    assert names == ["ecf", "quantiles", "hill", "moments", "pickands", "mohammadi"]
    assert fit["moments"].k == fit["hill"].k == tails.threshold(stable.rvs(1.5, 1000, seed=1))
    with pytest.raises(KeyError):
        fit["none"]


def test_samples_that_some_estimators_refuse():
    """Seven in nine entries are 1: no quartiles, no stable fit, and the order statistics still speak."""
    x = np.append(np.ones(70_000), pareto(1.5, 20_000, 1))
    fit = tails.fit(x)
    assert fit.heavy and not fit.stable and covers(fit, 1.5)
    assert "quartiles" in fit.note


R = np.random.default_rng(7)
HEAVY = stable.rvs(1.5, 2000, seed=1)
EXTREME = {
    "near the largest doubles": np.clip(HEAVY, -1e9, 1e9) * 1e290,
    "near the smallest": HEAVY * 1e-290,
    "one outlier": np.append(R.normal(size=1999), 1e299),
    "600 decades": 2.0 ** np.arange(-990, 950),
    "pruned to no stable law": np.where(R.random((16, 500)) < 0.5, 0, R.standard_t(2, (16, 500))),
    "many pruned rows": np.where(R.random((64, 300)) < 0.5, 0, stable.rvs(1.5, (64, 300), seed=5)),
    "rows 300 decades apart": HEAVY * np.geomspace(1e-150, 1e150, 7)[:, None],
    "columns at 1e200": R.standard_t(2, (5, 2000)) * 1e200,
    "stable columns at 1e290": np.clip(HEAVY, -1e6, 1e6)[None] * np.full((2, 1), 1e290),
    "columns of one length": np.linalg.qr(R.normal(size=(300, 300)))[0],
    "a lattice": np.arange(2000.0),
    "two points": R.choice([-1.0, 1.0], 2000) + 1e-9 * R.normal(size=2000),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EXTREME)
def test_extreme_samples(name):
    """An answer without a warning, in which every interval holds its estimate."""
    fit = tails.fit(EXTREME[name])
    for e in (fit, *fit.estimates):
        assert e.ci[0] <= e.alpha <= e.ci[1]
        assert e.constant is None or e.constant >= 0
    assert "\n" not in fit.reason + fit.disagree + fit.note


def test_what_is_left_out_is_said_once():
    """Pruned columns have no quartiles: one sentence for the two estimators that need them."""
    x = np.where(np.random.default_rng(3).random((64, 300)) < 0.8, 0, stable.rvs(1.5, (64, 300), seed=5))
    assert tails.fit(x).note == "without ecf and quantiles: x must have quartiles that differ, got 0 twice"
