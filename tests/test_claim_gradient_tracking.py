"""S4 as claims: verdicts and controls, systems of the users, what is refused."""

import subprocess
import sys

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import gradient_tracking, gradient_tracking_data, gradient_tracking_networks
from proofs_checks import gradient_tracking_runs as runs

GRAPHS = [[[1, 0, 1], [1, 1, 0], [0, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 1, 1]]]


def mine(noise=0.5):
    return cn.gradient_tracking_objectives.quadratics([0.5, 1.0, 2.0], [-1.0, 0.0, 3.0], noise)


def test_the_claims():
    assert {c.id for c in gradient_tracking.CLAIMS} == {f"S4.{k}" for k in range(1, 8)}
    assert len({(c.id, c.name, c.model) for c in gradient_tracking.CLAIMS}) == len(gradient_tracking.CLAIMS)
    for claim in gradient_tracking.CLAIMS:
        assert claim.controls and claim.origin and claim.source
    assert any(c.qualified for c in gradient_tracking.CLAIMS if c.id == "S4.3")


def test_listing_the_claims_needs_no_numpy():
    code = "import sys; from proofs_checks import gradient_tracking; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "name", ["linear-rate", "small-step-laws", "threshold", "joint-connectivity", "inflation-bound"]
)
def test_quick_claims_and_their_controls(name):
    claims = [c for c in gradient_tracking.CLAIMS if c.name == name and c.model != "breast_cancer"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=3))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=3, control="all"))


def test_the_floor_claim():
    claim = next(c for c in gradient_tracking.CLAIMS if c.name == "noise-floor" and c.model == "quadratics")
    assert all(v.verdict != "violated" for v in cn.verify(claim, seed=3))  # false alarm: 0.001
    assert all(v.verdict == "violated" for v in cn.verify(claim, seed=3, control="same-sample"))


def test_a_system_of_the_users():
    graphs = cn.digraphs.from_adjacency(GRAPHS)
    claims = gradient_tracking.claims_for(mine(), graphs, step=0.05)
    assert [c.id for c in claims] == ["S4.1", "S4.2", "S4.2", "S4.3", "S4.4", "S4.6", "S4.7"]
    rate, floor = claims[0], claims[1]
    assert rate.scale == "step" and max(rate.scales_of("quick")) == 0.05 and rate.model == "own"
    assert all(v.verdict == "holds" for v in cn.verify(rate, seed=2))
    assert floor.name == "noise-floor"
    assert all(v.verdict == "violated" for v in cn.verify(rate, seed=2, control="all"))
    threshold = claims[5]
    assert [v.verdict for v in cn.verify(threshold, seed=2)] == ["holds"]


def wrong(laws, **factors):
    """The laws with some of their numbers multiplied."""
    from dataclasses import replace

    return replace(laws, **{name: factor * getattr(laws, name) for name, factor in factors.items()})


@pytest.mark.parametrize("factors", [{"decay": 2.0}, {"decay": 0.98}, {"variance": 1.5}, {"variance": 1.02}])
def test_wrong_small_step_laws_do_not_hold(monkeypatch, factors):
    exact = cn.gradient_tracking_small_step.small_step
    claims = gradient_tracking.claims_for(mine(), cn.digraphs.from_adjacency(GRAPHS), step=0.05)
    claim = next(c for c in claims if c.name == "small-step-laws")
    assert all(v.verdict == "holds" for v in cn.verify(claim, seed=1))
    monkeypatch.setattr(cn.gradient_tracking_small_step, "small_step", lambda *args: wrong(exact(*args), **factors))
    claims = gradient_tracking.claims_for(mine(), cn.digraphs.from_adjacency(GRAPHS), step=0.05)
    claim = next(c for c in claims if c.name == "small-step-laws")
    found = {v.statistic.removeprefix("every of ") for v in cn.verify(claim, seed=1) if v.verdict == "violated"}
    assert len(found) == 2, found  # at the step and extrapolated


def test_a_rate_whose_decay_is_off_by_some_percent_does_not_hold(monkeypatch):
    exact = cn.gradient_tracking_law.multipliers
    monkeypatch.setattr(cn.gradient_tracking_law, "multipliers", lambda *args: exact(*args) ** 1.03)
    claims = gradient_tracking.claims_for(mine(), cn.digraphs.from_adjacency(GRAPHS), step=0.05)
    found = {v.statistic: v.verdict for v in cn.verify(claims[0], seed=1)}
    assert sorted(found.values()) == ["holds", "violated"], found  # what is left is round-off all the same


def test_the_decay_is_fitted_where_that_says_something():
    systems = {"quadratics": runs.built_in(5), "breast_cancer": gradient_tracking_data.system()}
    for claim in gradient_tracking.CLAIMS:
        if claim.name in ("linear-rate", "joint-connectivity"):
            own = systems[claim.model] if claim.id == "S4.1" else gradient_tracking_networks.scattered(3)
            scales = claim.scales_of("full" if claim.model == "quadratics" else "quick")
            assert all(own.fits(s) for s in scales), claim.name
    assert not gradient_tracking_networks.scattered(3).fits(1 / 8)  # a complex pair


@pytest.mark.parametrize("far", [100.0, 1e6])
def test_a_system_far_from_zero(far):
    own = cn.gradient_tracking_objectives.quadratics([0.5, 1.0, 2.0], [far - 1.0, far, far + 3.0], 0.5)
    claims = gradient_tracking.claims_for(own, cn.digraphs.from_adjacency(GRAPHS), step=0.05)
    chosen = [c for c in claims if c.name in ("linear-rate", "small-step-laws", "threshold")]
    assert all(v.verdict == "holds" for v in cn.verify(chosen, seed=1)) and len(chosen) == 3


def test_a_system_without_noise():
    claims = gradient_tracking.claims_for(mine(0.0), cn.digraphs.from_adjacency(GRAPHS))
    assert [c.name for c in claims] == ["linear-rate", "small-step-laws", "threshold", "without-tracking"]
    assert all(v.verdict == "holds" for v in cn.verify(claims, seed=1))
    assert all(v.verdict == "violated" for v in cn.verify(claims[3], seed=1, control="all"))


def test_little_noise_waits_for_what_the_slopes_did():
    """Agents that begin at the optimum are pushed off it by their own slopes: e^-6 of that is more than the floor."""
    system = runs.System(mine(1e-6), cn.digraphs.from_adjacency(GRAPHS), unit=1.0)
    found = runs.plateau(0.05, seed=1, system=system, batch=64)
    assert found["agents"] == pytest.approx(system.floor(0.05).agents, rel=0.3)
    assert runs.System(mine(), system.graphs, unit=1.0).transient(0.05) < runs.BURN


def test_what_is_left_out_for_want_of_content():
    graphs = cn.digraphs.from_adjacency(GRAPHS)
    same = cn.gradient_tracking_objectives.quadratics([0.5, 1.0, 2.0], [1.0, 1.0, 1.0])
    assert "S4.7" not in {c.id for c in gradient_tracking.claims_for(same, graphs)}
    balanced = cn.digraphs.from_adjacency(GRAPHS[0])
    assert "S4.7" not in {c.id for c in gradient_tracking.claims_for(mine(), balanced)}


def test_functions_of_the_users():
    c = np.array([-1.0, 0.5, 2.0])
    own = cn.gradient_tracking_objectives.smooth(
        lambda x: np.sinh(x - c[:, None, None]), lambda x: np.cosh(x - c)[:, None, None], agents=3, dim=1, noise=0.05
    )
    claims = gradient_tracking.claims_for(own, cn.digraphs.from_adjacency(GRAPHS), step=0.02)
    assert "S4.6" not in {c.id for c in claims}  # where it diverges is no matter of the linearisation
    assert [c.name for c in claims if c.id == "S4.2"] == ["noise-floor"]  # not exactly proportional to the variance
    assert all(v.verdict == "holds" for v in cn.verify(claims[0], seed=2))


def test_what_is_refused():
    graphs = cn.digraphs.from_adjacency(GRAPHS)
    highest = cn.gradient_tracking_law.threshold(mine(), graphs)
    hears = np.array([[1 - 1e-11, 1e-11], [1e-11, 1 - 1e-11]])
    two, little = cn.gradient_tracking_objectives.quadratics([1.0, 2.0], [0.0, 1.0]), cn.digraphs.sequence(hears, hears)
    root = cn.gradient_tracking_objectives.smooth(  # sqrt, defined above 0 alone
        lambda x: np.where(x > 0, np.sqrt(np.abs(x)), np.nan) - np.array([0.1, 1.0, 5.0])[:, None, None],
        lambda x: np.full((3, 1, 1), 0.5 / np.sqrt(x[0])), agents=3, dim=1, start=[1.0],
    )  # fmt: skip
    refused = [
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=2 * highest), f"step must lie in .*, {highest:.6g}"),
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=-1.0), "step must"),
        (lambda: gradient_tracking.claims_for(mine(), cn.digraphs.random(4, 1, seed=1)), "graphs must have 3 agents"),
        (lambda: cn.verify(gradient_tracking.CLAIMS[0], params={"period": [0]}), "period must"),
        (lambda: gradient_tracking.claims_for(mine(), GRAPHS), "graphs must be made by from_adjacency, .* got list"),
        (lambda: gradient_tracking.claims_for(graphs, mine()), "objectives must be made by quadratics"),
        (lambda: gradient_tracking.claims_for(None, None), "objectives must be made by quadratics, .* got NoneType"),
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=1e-300), f"step must lie in .*, {highest:.6g}"),
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=1e-8), "step must lie in .*take more than 1e.08"),
        (lambda: gradient_tracking.claims_for(two, little), "must have a decay per iteration above 4.35e-05, got"),
        (lambda: gradient_tracking.claims_for(root, graphs), "gradients must be finite within"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words):
            call()


def test_runs_are_averaged_in_the_stationary_regime():
    """The mean over a run twice as late is the same, by standard errors of independent batches."""
    system = runs.built_in(2)
    early, late = (
        [runs.plateau(0.25, seed=s, system=system, batch=64, burns=b)["agents"] for s in range(6)] for b in (3.0, 9.0)
    )
    error = (np.var(early, ddof=1) / 6 + np.var(late, ddof=1) / 6) ** 0.5
    assert abs(np.mean(early) - np.mean(late)) < 6 * error
    far = runs.plateau(0.25, seed=1, system=system, batch=64, burn=False)["agents"]
    assert far > 2 * np.mean(early)


def test_the_inflation_bound_is_tight_and_needs_the_echoes():
    assert gradient_tracking_networks.deflation(6, seed=1, period=1) == pytest.approx(1.0, abs=1e-10)
    assert gradient_tracking_networks.deflation(6, seed=1, period=4) < 1.0 + 1e-10
    assert gradient_tracking_networks.deflation(6, seed=1, period=4, echoes=False) > 1.1


def test_real_data_are_shards_of_one_label():
    own = gradient_tracking_data.system().objectives
    assert own.agents == 8 and own.dim == 30 and not own.linear
    assert np.linalg.eigvalsh(own.hessians.sum(axis=0))[0] == pytest.approx(8 * 0.05, rel=1e-3)


@pytest.mark.long
def test_real_data_are_on_their_lyapunov_prediction():
    found = gradient_tracking_data.plateau(0.08, seed=1, system=gradient_tracking_data.system())
    floor = gradient_tracking_data.system().floor(0.08)
    for key in ("agents", "average", "consensus"):  # 10 % for the third derivatives, 4 standard errors of 3 %
        assert found[key] == pytest.approx(getattr(floor, key), rel=0.22)


@pytest.mark.long
def test_all_claims_on_a_system_of_the_users():
    claims = gradient_tracking.claims_for(mine(), cn.digraphs.from_adjacency(GRAPHS), step=0.05)
    assert all(v.verdict != "violated" for v in cn.verify(claims, seed=2))
    assert all(v.verdict == "violated" for v in cn.verify(claims, seed=2, control="all"))


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_of_s4(seed):
    assert all(v.verdict != "violated" for v in cn.verify(gradient_tracking.CLAIMS, seed=seed))
    assert all(v.verdict == "violated" for v in cn.verify(gradient_tracking.CLAIMS, seed=seed, control="all"))
