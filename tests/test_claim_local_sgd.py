"""S5 as claims: verdicts and controls at small budgets, one's own problems, what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import local_sgd, local_sgd_ranking, local_sgd_rate, local_sgd_runtime
from proofs_checks import local_sgd_spread as spread
from proofs_checks import local_sgd_step as step
from proofs_checks.local_sgd import claims_for

CHEAP = (
    step.MATRIX, step.VIRTUAL, step.EFFECTIVE, step.TRAJECTORY,
    spread.FIRST_APART, spread.DRIFT, spread.FIRST_DRIFT, *local_sgd_runtime.CLAIMS,
)  # fmt: skip


def test_catalogue():
    claims = local_sgd.CLAIMS
    assert {c.id for c in claims} == {f"S5.{k}" for k in range(1, 7)}
    assert len({(c.id, c.name, c.model) for c in claims}) == len(claims)
    assert {c.origin for c in claims} == {"derived", "recalled"}
    assert all(c.qualified for c in claims if c.id == "S5.6")
    assert "not mitigated" in local_sgd_runtime.SLOW.qualified
    for claim in claims:
        assert all(any(control.is_for(case) for control in claim.controls) for case in claim.cases())
        taken = {"alpha", "sigma", "T", "n", "eta", "data", "unit", "loss", "K", "kappa", "steps"}
        assert not taken & {claim.scale, *claim.params}


@pytest.mark.parametrize("claim", CHEAP, ids=lambda c: f"{c.name}-{c.model}")
def test_cheap_claims_and_their_controls(claim):
    assert all(v.verdict != "violated" for v in cn.verify(claim, seed=7))  # false alarm: 0.001
    assert all(v.verdict == "violated" for v in cn.verify(claim, seed=7, control="all"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 4))
def test_all_of_s5(seed):
    assert all(v.verdict != "violated" for v in cn.verify(local_sgd.CLAIMS, budget="standard", seed=seed))
    spoilt = cn.verify(local_sgd.CLAIMS, budget="standard", seed=seed, control="all")
    assert all(v.verdict == "violated" for v in spoilt)


def test_the_ranking_turns_with_what_is_equal():
    case = local_sgd_ranking.DRIFTS.cases()[0]
    found = local_sgd_ranking.drift_ratios(8, seed=0, **case)
    j = np.arange(8)
    equal = ((8 * 0.4 / 0.6 + j) ** 2).mean() / ((8 + j) ** 2).mean()
    matched = ((8 + j) ** 2).mean() / ((8 / 0.6 + j / 0.4) ** 2).mean()
    assert found[local_sgd_ranking.AT_EQUAL] == pytest.approx(equal, rel=0.1)  # h step tau = 0.1
    assert found[local_sgd_ranking.AT_EFFECTIVE] == pytest.approx(matched, rel=0.3)
    digits = local_sgd_ranking.ranking(8, seed=1, **local_sgd_ranking.RANKING.cases()[0])
    assert digits[local_sgd_ranking.NOMINAL] < 0.9 and digits[local_sgd_ranking.EFFECTIVE] > 1.5


def test_the_bound_of_the_wells():
    bound = local_sgd_rate.bound(8192, workers=2, tau=1, pull=0.6, tilt=0.0)
    leading = 2.0 * cn.local_sgd_bound.leading(2, 8192, L=1.0, gap=local_sgd_rate.GAP, variance=local_sgd_rate.VARIANCE)
    assert leading < bound < 1.1 * leading
    with pytest.raises(ValueError, match="iterations must be at least"):
        local_sgd_rate.bound(64, workers=16, tau=4, pull=0.6, tilt=0.5)


def own_fleet():
    X, y = cn.bundled.breast_cancer()
    shards = [(X[i::4, :3][: 30 + 20 * i], y[i::4][: 30 + 20 * i]) for i in range(4)]
    return cn.local_sgd_quadratics.Quadratics.of_shards(shards, ridge=0.5, noise=0.5)


def test_least_squares_of_the_users():
    claims = claims_for(own_fleet(), step=0.1, pull=0.5, beta=0.3, tau=(4,))
    assert [c.id for c in claims] == ["S5.1", "S5.1", "S5.3", "S5.4"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=5))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=5, control="all"))


def test_a_gradient_and_compute_times_of_the_users():
    def gradient(x, rng):
        return np.tanh(x - 0.2 * np.arange(3)[:, None]) + 0.2 * rng.standard_normal(x.shape)

    def full(w):
        return np.mean([np.tanh(w - 0.2 * i) for i in range(3)], axis=0)

    start = np.array([2.0, 1.0])
    gap = float(np.mean([np.log(np.cosh(start - 0.2 * i)).sum() for i in range(3)]))  # F >= 0
    constants = {"full": full, "L": 1.0, "gap": gap, "variance": 0.08, "heterogeneity": 2 * 0.2**2 * 2 / 3}
    claims = claims_for(
        gradient, step=0.1, start=start, workers=3, tau=(1, 2), constants=constants, iterations=(1024,), comm=0.5,
        compute=lambda rng, workers, iterations: rng.gamma(2.0, 0.5, (workers, iterations)),
    )  # fmt: skip
    assert [c.name for c in claims] == ["virtual-sequence", "nonconvex-bound", "ordering"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=5))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=5, control="all"))


def test_what_is_refused():
    def of(g, **how):
        return claims_for(g, **{"step": 0.1, "start": [1.0], "workers": 2, **how})

    def times(c, **how):
        return claims_for(compute=lambda rng, m, k: c * np.ones((m, k)), **{"comm": 1.0, "workers": 3, **how})

    refused = [
        (lambda: claims_for(own_fleet(), step=9.0), r"step must lie in \(0, .*stable"),
        (lambda: claims_for(own_fleet(), step=0.1, pull=1.0), "pull must lie in"),
        (lambda: claims_for(own_fleet(), step=0.1, beta=1.0), "beta must lie in"),
        (lambda: claims_for(own_fleet(), step=0.1, tau=(0, 2)), "tau must"),
        (lambda: claims_for(own_fleet()), "step must be given"),
        (lambda: claims_for(), "problem or compute"),
        (lambda: claims_for("data", step=0.1), "problem must be Quadratics or a function"),
        (lambda: of(lambda x, rng: x, start=None), "start must be a vector"),
        (lambda: of(lambda x, rng: x, workers=None), "workers must"),
        (lambda: of(lambda x, rng: x, step=50.0), "diverge"),
        (lambda: of(lambda x, rng: 0.0 * x), "zero everywhere"),
        (lambda: of(lambda x, rng: x * np.nan), "gradient must be finite"),
        (lambda: times(-1.0), "times >= 0"),
        (lambda: times(np.nan), "finite"),
        (lambda: times(np.ones((2, 1, 1))), "compute must return an array of shape"),
        (lambda: times(1.0, comm=None), "comm and workers must be given"),
    ]
    for make, words in refused:
        with pytest.raises(ValueError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)
    for claim, params, words in (
        (step.TRAJECTORY, {"step": [5.0]}, "step must lie in"),
        (step.VIRTUAL, {"beta": [1.0]}, "beta must lie in"),
        (spread.NOISE, {"pull": [1.0]}, "pull must lie in"),
    ):
        with pytest.raises(ValueError, match=words):
            cn.sweep.plan(claim, params=params)
