"""S5 as claims: verdicts and controls at small budgets, one's own problems, what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import (
    local_sgd,
    local_sgd_ranking,
    local_sgd_rate,
    local_sgd_runtime,
    local_sgd_unlike,
    local_sgd_waiting,
)
from proofs_checks import local_sgd_spread as spread
from proofs_checks import local_sgd_step as step
from proofs_checks.local_sgd import claims_for

CHEAP = (
    step.MATRIX, step.VIRTUAL, step.EFFECTIVE, step.TRAJECTORY,
    spread.FIRST_APART, spread.DRIFT, spread.FIRST_DRIFT, *local_sgd_runtime.CLAIMS, *local_sgd_waiting.CLAIMS,
    *local_sgd_unlike.CLAIMS,
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
    assert [c.name for c in claims] == ["virtual-sequence", "nonconvex-bound", "ordering", "fewer-rounds"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=5))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=5, control="all"))


@pytest.mark.parametrize("shift, tau", [(100.0, 1), (1e6, 4)])
def test_a_biased_fleet_far_from_the_origin(shift, tau):
    """Unlike curvatures: the mean takes twice as long to settle as the variance, and starts settled; x* is large."""
    X, y = cn.bundled.diabetes()
    shards = [(X[8 * i : 8 * i + 8, :3], y[8 * i : 8 * i + 8] + shift) for i in range(3)]
    fleet = cn.local_sgd_quadratics.Quadratics.of_shards(shards, ridge=0.1, noise=0.5)
    assert all(v.verdict == "holds" for v in cn.verify(claims_for(fleet, step=0.05, tau=tau), seed=3))


def test_no_noise_one_worker_and_the_users_own_start():
    quiet = cn.local_sgd_quadratics.Quadratics(own_fleet().hessians, own_fleet().slopes)
    claims = claims_for(quiet, step=0.1, tau=3, start=[5.0, 0.0, -2.0], workers=4)
    assert [c.name for c in claims] == ["virtual-sequence", "mean-trajectory", "drift"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=5))
    alone = claims_for(cn.local_sgd_quadratics.Quadratics.same(1, 1.0, 0.3), step=0.1, tau=2)
    assert all(v.verdict == "holds" for v in cn.verify(alone, seed=5))
    assert all(v.verdict == "violated" for v in cn.verify(alone, seed=5, control="all"))


def test_rounding_of_the_virtual_sequence_is_that_of_the_models():
    def gradient(x, rng):
        return np.tanh(x - 1e6) + rng.standard_normal(x.shape)

    claims = claims_for(gradient, step=0.01, start=[1e6, 1e6 + 1.0], workers=3, pull=0.5, beta=0.5)
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=5))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=5, control="all"))


def test_the_claim_on_unlike_data_needs_the_term_in_kappa(monkeypatch):
    full, case = local_sgd_unlike.bound, local_sgd_unlike.UNLIKE.cases()[0]
    assert local_sgd_unlike.without(2, **case) < 1e-2 * local_sgd_unlike.unlike(2, seed=0, **case)
    assert full(2, **case) > 100 * local_sgd_unlike.without(2, **case)
    bound = cn.local_sgd_bound.gradient_bound
    monkeypatch.setattr(cn.local_sgd_bound, "gradient_bound", lambda *a, heterogeneity, **k: bound(*a, **k))
    assert all(v.verdict == "violated" for v in cn.verify(local_sgd_unlike.UNLIKE))


def test_an_overlap_that_waits_for_the_mean_worker_does_not_pass(monkeypatch):
    def times(method, compute, comm, tau):
        c = np.moveaxis(np.asarray(compute), -1, 0)
        t, arrived, found = 0.0 * c[0], 0.0 * c[0][..., :1], []
        for own in c:
            t = np.maximum(t + own, arrived)
            arrived = t.mean(axis=-1, keepdims=True) + comm
            found.append(t.max(axis=-1))
        return np.stack(found, axis=-1)

    monkeypatch.setattr(cn.max_plus, "times", times)
    assert all(v.verdict == "violated" for v in cn.verify(local_sgd_waiting.OVERLAPPED))


def test_what_is_refused():
    def of(g, **how):
        return claims_for(g, **{"step": 0.1, "start": [1.0], "workers": 2, **how})

    def known(how=None, **constants):
        constants = {"full": lambda w: w, "L": 1.0, "gap": 0.5, "variance": 0.0, **constants}
        return of(lambda x, rng: 1.0 * x, **{"constants": constants, "iterations": 2048, **(how or {})})

    def writes(x, rng):
        x += 1.0
        return x.copy()

    def late(x, rng):
        return np.where(np.abs(x) < 0.9, np.nan, x)

    def logistic():
        return cn.local_sgd_logistic.Logistic(np.ones((2, 3, 2)), [[0, 1, 1], [1, 0, 0]])

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
        (lambda: of(lambda x, rng: x, workers=None), "workers must be given with a gradient function, got none"),
        (lambda: of(lambda x, rng: x, step=50.0), "diverge"),
        (lambda: of(lambda x, rng: 0.0 * x), "zero everywhere"),
        (lambda: of(lambda x, rng: x * np.nan), "gradient must be finite"),
        (lambda: of(writes), "gradient must not write to its argument"),
        (lambda: of(lambda x, rng: x + 0j), "real numbers, float64, got dtype complex128"),
        (lambda: of(lambda x, rng: x.astype(object)), "got dtype object"),
        (lambda: of(lambda x: x), "gradient must accept .*TypeError"),
        (lambda: of(lambda x, rng: x[9]), "gradient must accept .*IndexError"),
        (lambda: of(late), "gradient must be finite at finite models, got NaN in step"),
        (lambda: of(logistic().gradient, workers=4, start=np.zeros(4)), r"x must have shape \(systems, 2, 4\)"),
        (lambda: of(own_fleet().gradient, workers=3, start=np.zeros(3)), r"x must have shape \(systems, 4, 3\)"),
        (lambda: of(np.tanh.__call__, tau=[]), "tau must hold one number or more"),
        (lambda: of(lambda x, rng: x, tau=10**7), "tau must be at most 10000"),
        (lambda: of(lambda x, rng: x, workers="a"), "workers must be a whole number"),
        (lambda: claims_for(own_fleet(), step=0.1, workers="a"), "workers must be a whole number"),
        (lambda: claims_for(own_fleet(), step=0.1, workers=5), "workers must be the 4 of the quadratics"),
        (lambda: claims_for(own_fleet(), step=0.1, start="a"), "start must be an array"),
        (lambda: claims_for(own_fleet(), step=0.1, start=[1.0]), "start must have 3 components"),
        (lambda: claims_for(own_fleet(), step=0.1, tau=10**7), "tau must be at most 10000"),
        (lambda: claims_for(own_fleet(), step=1e-12), "step must make the effective step .* or more"),
        (lambda: claims_for(own_fleet(), step=1e-300), "step must make the effective step .* or more"),
        (lambda: claims_for(own_fleet(), step=0.1, pull=1 - 1e-12), "step must make the effective step .* or more"),
        (lambda: claims_for(compute=5, comm=1.0, workers=2), "compute must be a function, got int"),
        (lambda: times(0.0), "not all 0"),
        (lambda: times(1.0, start=[1.0]), "problem must be given"),
        (lambda: known(full=lambda w: w[0]), r"constants\['full'\] must return an array of shape"),
        (lambda: known(full=lambda w: 0.0 * w + w.mean(axis=0)), "rows of its argument apart"),
        (lambda: known(full=None), r"constants\['full'\] must be a function"),
        (lambda: known(full=lambda w: 1 / 0), "ZeroDivisionError"),
        (lambda: known(more=1.0), "constants must hold .* got also more"),
        (lambda: known(L=None), "L must lie in"),
        (lambda: of(lambda x, rng: x, constants={}), "constants must hold .* got none for full, L, gap, variance"),
        (lambda: of(lambda x, rng: x, constants=5), "constants must be a dict"),
        (lambda: known({"beta": 0.5}), "beta must be 0 with constants"),
        (lambda: known({"iterations": 5}), "iterations must be at least"),
        (lambda: known({"iterations": ()}), "iterations must hold one number or more"),
        (lambda: known({"iterations": 10**9}), "iterations must be a whole number"),
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
