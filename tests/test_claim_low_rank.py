"""S2 as claims: every statement holds, every spoilt one is found, data and runs of one's own, and what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import low_rank, low_rank_bed, low_rank_mechanism, low_rank_motion, low_rank_training

CHEAP = ("gradient-rank", "unrolling", "mechanism", "least-move")


def claim(name, model=None):
    return next(c for c in low_rank.CLAIMS if c.name == name and model in (None, c.model))


def test_every_claim_has_a_control_in_every_case():
    assert len({(c.id, c.name, c.model) for c in low_rank.CLAIMS}) == len(low_rank.CLAIMS)
    assert {c.id for c in low_rank.CLAIMS} == {"S2.1", "S2.2", "S2.3", "S2.4", "S2.5"}
    for c in low_rank.CLAIMS:
        for case in c.cases():
            assert any(control.is_for(case) for control in c.controls)


@pytest.mark.parametrize("name", CHEAP)
def test_claims_that_are_cheap(name):
    for c in (c for c in low_rank.CLAIMS if c.name == name):
        found = cn.verify(c, seed=3)
        assert all(v.verdict == "holds" for v in found), [v.reason for v in found]
        assert all(v.verdict == "violated" for v in cn.verify(c, seed=3, control="all"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 4))
def test_all_of_s2(seed):
    assert all(v.verdict == "holds" for v in cn.verify(low_rank.CLAIMS, seed=seed, budget="standard"))
    assert all(v.verdict == "violated" for v in cn.verify(low_rank.CLAIMS, seed=seed, budget="standard", control="all"))


SMALL = {"step": 0.2, "ridge": 0.02, "width": 32, "depth": 2}


def test_the_rank_of_trained_networks_is_a_matter_of_forgetting():
    """Small networks: what no-decay, batch-size, matched-forgetting and forgetting measure."""
    keep, size, _, forgetting = (c.measure for c in low_rank_training.claims(low_rank.digits, "digits", SMALL))
    assert keep(4.0, seed=1, batch=16, **SMALL)["0.95 d / rank"] <= 1.0
    assert keep(7.0, seed=1, batch=16, spoil=1.0, **SMALL)["0.95 d / rank"] > 1.3
    found = size(7.0, seed=1, smallest=16, **SMALL)
    assert found["rank at least B / rank at most B"] < 0.75 and found["Spearman's coefficient"] > 0.5
    assert size(7.0, seed=1, smallest=16, matched=True, **SMALL)["rank at least B / rank at most B"] > 0.75
    assert found["rank at 2 mu / rank"] < 0.75 and found["rank at 2 lambda / rank"] < 0.75
    matched = low_rank_training.claims(low_rank.digits, "digits", SMALL, small=64)[2].controls[0].measure
    assert matched(7.0, seed=1, **SMALL)["spread of ranks"] > 8.0
    early, late = (forgetting(x, seed=1, batch=16, **SMALL)["initial share left"] for x in (0.2, 3.0))
    assert early > 0.6 and late < 0.4


@pytest.mark.long
def test_at_equal_steps_the_rank_falls_with_the_batch():
    """At S = 7 B = 4 and 64 differ by some 8 with mu = 0.1: what is claimed is equal mu / B, and this is a control."""
    own = next(c for c in low_rank.CLAIMS if c.name == "matched-forgetting")
    control = next(c for c in own.controls if c.name == "equal-mu")
    spread = [control.measure(7.0, seed=s, **low_rank_training.SETTINGS)["spread of ranks"] for s in range(3)]
    assert min(spread) > 4.5
    assert "reverse" in own.qualified and "reversed" in claim("batch-size").qualified


def test_batch_size_can_fail():
    """A replica whose rank falls with B violates the claim; positive values used to hold whatever they were."""
    own, case = claim("batch-size"), claim("batch-size").cases()[0]
    for values, verdict in (([0.9, 0.7, 1.0], "holds"), ([0.9, 0.7, -0.1], "violated")):
        found = own.judge("Spearman's coefficient", [7.5], [np.array(values)], params=case)
        assert found.verdict == verdict and "inf" not in found.reason


def test_equal_counts_are_enough_replicas_to_be_judged():
    """24 equal counts off the law violate it, at the family-wise level of a run of all claims."""
    own = claim("mechanism")
    case = own.cases()[0]
    for budget in ("quick", "standard"):
        counts = [np.full(own.replicas_of(s, budget), 3.0) for s in own.scales_of(budget)]
        for name in own.predicts:
            found = own.judge(name, own.scales_of(budget), counts, params=case, family=1 - 0.001 / 700)
            assert found.verdict == "violated"
    law = claim("forgetting")
    assert min(law.replicas_of(x, "quick") for x in (0.2, 0.4)) >= 6  # 5 equal ones have no interval
    assert claim("matched-forgetting").replicas_of(4, "quick") >= 6


def test_only_what_the_paper_states_is_called_stated():
    stated = {(c.id, c.name) for c in low_rank.CLAIMS if c.origin == "stated"}
    assert stated == {("S2.5", "no-convergence")}
    assert {c.origin for c in low_rank.CLAIMS if c.name in ("no-decay", "batch-size")} == {"recalled"}
    assert all("stated" in c.source for c in low_rank.CLAIMS if c.id in ("S2.1", "S2.2"))


def test_moves_with_and_without_decay_and_mini_batches():
    own = claim("no-convergence")
    params = {key: value for key, value in own.cases()[0].items() if key != "case"}
    found = {case: own.measure(3.2, seed=1, case=case, **params)
             for case in (low_rank_motion.MOVING, *low_rank_motion.CASES)}  # fmt: skip
    assert 0.8 < found.pop(low_rank_motion.MOVING) < 1.2 and max(found.values()) < 0.5


def test_spearman():
    assert low_rank_training.spearman([1, 2, 3], [5, 6, 9]) == pytest.approx(1.0)
    assert low_rank_training.spearman([1, 2, 3], [4, 4, 4]) == 0.0
    assert low_rank_training.spearman([1, 2, 3], [3, 2, 2]) == pytest.approx(-(0.75**0.5))


def test_forgetting_is_counted_in_whole_steps():
    net = low_rank_bed.bed(low_rank.digits(), seed=1, ridge=0.01, width=16, depth=2, systems=1)
    net.train(0.1, 8, 0.1)
    assert net.S == pytest.approx(-50 * np.log(1 - 2 * 0.1 * 0.01)) and net.observed.shape == (1, 16, 16)


def test_isotropic_sums():
    case = {"batch": 2, "dim": 60, "eps": 1e-3}
    found = low_rank_mechanism.mechanism(0.2, seed=1, **case)
    assert abs(found["rank"] - low_rank_mechanism.law_of_rank(0.2, **case)) < 3
    assert low_rank_mechanism.few_directions(0.2, seed=1, **case)["rank"] <= 60 // 8


def test_data_of_ones_own():
    X, y = cn.bundled.breast_cancer()
    claims = low_rank.claims_for(X, y, step=0.1, ridge=0.02, width=32, depth=2)
    assert {c.id for c in claims} == {"S2.1", "S2.2", "S2.4", "S2.5"} and all(c.model == "own" for c in claims)
    assert all(v.verdict == "holds" for v in cn.verify(claims[:2], seed=1))
    move = next(c for c in claims if c.name == "least-move")
    assert all(v.verdict == "holds" for v in cn.verify(move, seed=1))


def test_controls_on_data_of_two_classes_and_the_narrowest_network():
    """A doubled batch changes no rank of two outputs, and n B stays below 16."""
    X, y = cn.bundled.breast_cancer()
    ranks, unrolling = low_rank.claims_for(X, y, step=0.1, ridge=0.02, width=16, depth=2)[:2]
    assert unrolling.scales == [1, 3]
    assert {case["kind"] for case in ranks.cases() if not any(c.is_for(case) for c in ranks.controls)} == {"output"}
    for own in (ranks, unrolling):
        assert all(v.verdict == "holds" for v in cn.verify(own, seed=1))
        assert all(v.verdict == "violated" for v in cn.verify(own, seed=1, control="all"))


@pytest.mark.long
def test_all_of_s2_on_data_of_ones_own():
    X, y = cn.bundled.breast_cancer()
    claims = low_rank.claims_for(X, y, step=0.1, ridge=0.02, width=48)
    assert all(v.verdict != "violated" for v in cn.verify(claims, seed=1))


def test_a_run_of_ones_own():
    rng, weights, gradients = np.random.default_rng(1), [np.random.default_rng(2).standard_normal((20, 15))], []
    for _ in range(30):
        gradients.append(rng.standard_normal((20, 2)) @ rng.standard_normal((2, 15)))
        weights.append((1 - 2 * 0.5 * 0.1) * weights[-1] - 0.5 * gradients[-1])
    (own,) = low_rank.claims_for_run(np.array(weights), np.array(gradients), 0.5, 0.1, batch=2)
    assert all(v.verdict == "holds" for v in cn.verify(own))
    assert all(v.verdict == "violated" for v in cn.verify(own, control="all"))
    (wrong,) = low_rank.claims_for_run(np.array(weights), np.array(gradients), 0.5, 0.05, batch=2)  # the factor 2
    assert "violated" in {v.verdict for v in cn.verify(wrong)}


def test_gradients_of_a_larger_rank_than_said_are_refused():
    rng, weights, gradients = np.random.default_rng(1), [np.random.default_rng(2).standard_normal((20, 15))], []
    for _ in range(30):
        gradients.append(rng.standard_normal((20, 4)) @ rng.standard_normal((4, 15)))
        weights.append((1 - 2 * 0.5 * 0.1) * weights[-1] - 0.5 * gradients[-1])
    for batch, shared, most in ((1, 1, 1), (1, 3, 3)):
        with pytest.raises(ValueError, match=f"batch . shared = {most}, got rank 4 at t = 0$"):
            low_rank.claims_for_run(np.array(weights), np.array(gradients), 0.5, 0.1, batch=batch, shared=shared)
    low_rank.claims_for_run(np.array(weights), np.array(gradients), 0.5, 0.1, batch=2, shared=2)


def test_what_is_refused():
    X, y = cn.bundled.breast_cancer()
    refused = [
        ((X, y), {"step": 1.0, "ridge": 0.5}, r"2 step ridge must lie in \[0, 1\), got 1.0"),
        ((X, y), {"ridge": 0.0}, "ridge must lie in"),
        ((X, y), {"width": 8}, r"width must be a whole number in \[16, 1024\], got 8"),
        ((X, y), {"batches": (32, 16)}, "batches must ascend"),
        ((X, y), {"batches": 8}, "batches must be two whole numbers, a small and a large one, got 8"),
        ((X, y), {"batches": None}, "batches must be two whole numbers.*got None"),
        ((X, y), {"batches": (8,)}, "batches must be two whole numbers"),
        ((X, y), {"batches": (8, 16, 32)}, "batches must be two whole numbers"),
        ((X, y), {"batches": (8.5, 16)}, r"small batch must be a whole number in \[1, 71\], got 8.5"),
        ((X, y), {"batches": (16, 570)}, r"large batch must be a whole number in \[1, 569\], got 570"),
        ((X, y), {"width": 10**6}, r"width must be a whole number in \[16, 1024\], got 1000000"),
        ((X, y), {"ridge": 1e-9}, r"2 step ridge must lie in \[1e-4, 0.1\)"),
        ((X, y), {"step": 0.5, "ridge": 0.5}, "has too few steps to tell, got 0.5"),
        ((X * 1e4, y), {}, "step must be smaller, or X scaled down: weights overflowed"),
        ((X * 1e200, y), {}, "X must lie in"),
        ((X[:40], y[:40]), {}, "rows of X must be a whole number >= 128, got 40"),
        ((X, 0 * y), {}, "labels must have 2 classes or more"),
        ((np.ones_like(X), y), {}, "X must have rank 2 or more"),
        ((np.where(X > 5, np.nan, X), y), {}, "X must be finite"),
    ]
    for args, options, words in refused:
        with pytest.raises(ValueError, match=words) as error:
            low_rank.claims_for(*args, **options)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="gradients must not be zero"):
        low_rank.claims_for_run(np.ones((3, 9, 9)), np.zeros((2, 9, 9)), 0.1, 0.1, batch=1)


def test_some_rows_are_drawn_from_all():
    X, labels, classes = low_rank_motion.few(low_rank.digits)
    assert X.shape == (32, 64) and classes == 10 and sorted(set(labels)) == list(range(10))
