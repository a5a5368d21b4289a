"""C4: the triangle inequality path by path, exact means, and the claims at a small budget with their controls."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import empirical_measure as c4
from proofs_checks.beds import kuramoto, kuramoto_flow

KURAMOTO = {"alpha": 1.5, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 0.1}


def test_step_one_of_the_proof_holds_path_by_path():
    """W_1(system, law) - W_1(copies, law) is at most the mean gap, for W_1 and for its bulk."""
    bed, n = kuramoto(1.0), 400
    scheme = cn.particles.Scheme(1.5, 1.0, 1.0, 0.1)
    table, flow = c4.kuramoto_table(**KURAMOTO), kuramoto_flow(**KURAMOTO)
    for seed in range(5):
        start = bed.initial(n, seed=seed)
        system, copies = bed.system(start.copy()), bed.system(start.copy())
        path, xi = scheme.path(1, n, seed=seed), np.empty((1, n))
        for k in range(scheme.steps):
            path.fill(k, xi)
            system.advance(system.average.copy(), xi, scheme.eta)
            copies.advance(flow[k : k + 1], xi, scheme.eta)
        gap = float(np.abs(system.theta - copies.theta).mean())
        for bound in (np.inf, 30.0):
            assert abs(table.w1(system.theta[0], bound) - table.w1(copies.theta[0], bound)) <= gap
        assert gap > 1e-3
        assert float(np.median(table.w1(system.theta))) == table.w1(system.theta[0])


def test_the_mean_gap_is_below_its_bound():
    """C2's constant as C4 uses it, at the final time, against measured gaps."""
    assert 0.5 < c4._chaos_bound(**KURAMOTO) < 5
    n, scheme = 400, cn.particles.Scheme(1.5, 1.0, 1.0, 0.1)
    bed, flow = kuramoto(1.0), kuramoto_flow(**KURAMOTO)
    gaps = [cn.coupling.propagation_gap(bed, n, scheme, flow, seed=seed).mean() for seed in range(20)]
    assert np.mean(gaps) < c4._chaos_bound(**KURAMOTO) / n**0.5


def test_slopes_are_what_the_text_says():
    slopes = [c4._fall(c4.stable_table(alpha)) for alpha in (1.2, 1.5, 1.8)]
    assert slopes == pytest.approx([-0.157, -0.301, -0.391], abs=0.001)
    assert all(slope < -0.08 for slope in slopes)  # twice the margin: what does not decay cannot pass
    limits = [1 / alpha - 1 for alpha in (1.2, 1.5, 1.8)]
    assert all(limit < slope for limit, slope in zip(limits, slopes))


def test_the_law_on_the_line_and_the_sas_law_differ():
    """Bed K's table is not merely its noise's: the partner of using it."""
    x = cn.stable.rvs(1.5, 100_000, seed=2) + 0.5
    assert c4.kuramoto_table(**KURAMOTO).w1(x) > 1.5 * c4.stable_table(1.5).w1(x - 0.5)


def small(claim, **changes):
    params = {"alpha": 1.6, **changes.pop("params", {})}
    found = cn.verify([claim], budget="quick", seed=changes.pop("seed", 1), params=params, **changes)
    return {v.statistic: v for v in found}


@pytest.mark.parametrize("claim", c4.CLAIMS, ids=lambda c: f"{c.model}-{c.name}")
def test_claims_hold_at_the_quick_budget(claim):
    params = {"d": 3, "noise": "III"} if claim is c4.VECTORS else {}
    for statistic, v in small(claim, params=params).items():
        assert v.verdict != "violated", (statistic, v.reason)


@pytest.mark.parametrize(
    "claim, control",
    [(claim, control.name) for claim in c4.CLAIMS for control in claim.controls],
    ids=lambda x: x if isinstance(x, str) else f"{x.model}-{x.name}",
)
def test_controls_are_caught(claim, control):
    params = {"d": 2, "noise": "II"} if claim is c4.VECTORS else {}
    for statistic, v in small(claim, params=params, control=control).items():
        assert v.verdict == "violated", (statistic, v.reason)


def test_vectors_need_a_dimension():
    with pytest.raises(ValueError, match="^d must lie in"):
        c4.VECTORS.cases({"d": 0})
    with pytest.raises(ValueError, match="^noise must be one of I, II, III, got 'IV'"):
        c4.VECTORS.cases({"noise": "IV"})
    value = c4.vectors_distance(8, seed=1, alpha=1.5, d=2, noise="I")
    assert 0 < value < 2 and value == c4.vectors_distance(8, seed=1, alpha=1.5, d=2, noise="I")
