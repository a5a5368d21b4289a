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


@pytest.mark.parametrize("name", ["linear-rate", "threshold", "joint-connectivity", "inflation-bound"])
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


def test_what_is_left_out_for_want_of_content():
    graphs = cn.digraphs.from_adjacency(GRAPHS)
    assert {c.id for c in gradient_tracking.claims_for(mine(0.0), graphs)} == {"S4.1", "S4.6", "S4.7"}
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
    assert [c.name for c in claims if c.id == "S4.2"] == ["noise-floor"]  # not exactly proportional to the variance
    assert all(v.verdict == "holds" for v in cn.verify(claims[0], seed=2))


def test_what_is_refused():
    graphs = cn.digraphs.from_adjacency(GRAPHS)
    highest = cn.gradient_tracking_law.threshold(mine(), graphs)
    refused = [
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=2 * highest), f"step must lie in .0, {highest:.6g}"),
        (lambda: gradient_tracking.claims_for(mine(), graphs, step=-1.0), "step must"),
        (lambda: gradient_tracking.claims_for(mine(), cn.digraphs.random(4, 1, seed=1)), "graphs must have 3 agents"),
        (lambda: cn.verify(gradient_tracking.CLAIMS[0], params={"period": [0]}), "period must"),
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
    for key in ("agents", "average", "consensus"):  # 10 % for the third derivatives, 4 standard errors of 2 %
        assert found[key] == pytest.approx(getattr(floor, key), rel=0.18)


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
