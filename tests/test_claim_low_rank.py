"""S2 as claims: every statement holds, every spoilt one is found, data and runs of one's own, and what is refused."""


import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import low_rank, low_rank_mechanism, low_rank_motion, low_rank_training

CHEAP = ("gradient-rank", "unrolling", "mechanism", "least-move", "no-convergence")


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
    keep, size, matched, forgetting = (c.measure for c in low_rank_training.claims(low_rank.digits, "digits", SMALL))
    assert keep(4.0, seed=1, batch=16, **SMALL)["0.95 d / rank"] <= 1.0
    assert keep(7.0, seed=1, batch=16, spoil=1.0, **SMALL)["0.95 d / rank"] > 1.3
    found = size(7.0, seed=1, smallest=16, **SMALL)
    assert found["rank at least B / rank at most B"] < 0.75 and found["Spearman's coefficient"] > 0.5
    assert size(7.0, seed=1, smallest=16, matched=True, **SMALL)["rank at least B / rank at most B"] > 0.75
    assert matched(7.0, seed=1, equal_epochs=True, **SMALL)["spread of ranks"] > 8.0
    early, late = (forgetting(x, seed=1, batch=16, **SMALL)["initial share left"] for x in (0.2, 3.0))
    assert early > 0.6 and late < 0.4


def test_spearman():
    assert low_rank_training.spearman([1, 2, 3], [5, 6, 9]) == pytest.approx(1.0)
    assert low_rank_training.spearman([1, 2, 3], [4, 4, 4]) == 0.0
    assert low_rank_training.spearman([1, 2, 3], [3, 2, 2]) == pytest.approx(-(0.75**0.5))


def test_forgetting_is_counted_in_whole_steps():
    net = low_rank_training.bed(low_rank.digits(), seed=1, ridge=0.01, width=16, depth=2, systems=1)
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


def test_what_is_refused():
    X, y = cn.bundled.breast_cancer()
    refused = [
        ((X, y), {"step": 1.0, "ridge": 0.5}, r"2 step ridge must lie in \[0, 1\), got 1.0"),
        ((X, y), {"ridge": 0.0}, "ridge must lie in"),
        ((X, y), {"width": 8}, "width must be a whole number >= 16, got 8"),
        ((X, y), {"batches": (32, 16)}, "batches must ascend"),
        ((X[:40], y[:40]), {}, "rows of X must be a whole number >= 64, got 40"),
        ((X, 0 * y), {}, "y must have 2 classes or more"),
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
