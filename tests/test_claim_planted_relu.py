"""S3 as claims: quick verdicts and controls, one's own rows and quantisers, and what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import planted_relu, planted_relu_rates, planted_relu_samples
from proofs_checks.planted_relu import claims_for


def words(verdicts):
    return [v.verdict for v in verdicts]


def test_every_claim_has_a_control_in_every_case():
    assert {claim.id for claim in planted_relu.CLAIMS} == {f"S3.{k}" for k in range(1, 6)}
    assert len({(claim.id, claim.name, claim.model) for claim in planted_relu.CLAIMS}) == len(planted_relu.CLAIMS)
    for claim in planted_relu.CLAIMS:
        assert claim.origin and claim.source
        for case in claim.cases():
            assert any(control.is_for(case) for control in claim.controls) or case.get("angle") == 60.0


@pytest.mark.parametrize("name", ["step-law", "quantiser-lemma", "message-constant", "rows-that-determine"])
def test_quick_claims_and_controls(name):
    claim = next(c for c in planted_relu.CLAIMS if c.name == name)
    assert "violated" not in words(cn.verify(claim, seed=7))
    assert set(words(cn.verify(claim, seed=7, control="all"))) == {"violated"}


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_of_s3(seed):
    assert "violated" not in words(cn.verify(planted_relu.CLAIMS, seed=seed))
    assert set(words(cn.verify(planted_relu.CLAIMS, seed=seed, control="all"))) == {"violated"}


class Sparse:
    """Unbiased: a quarter of the components, four times as large."""

    def quantise(self, v, rng):
        return v * (rng.random(v.shape) < 0.25) / 0.25

    def bits(self, q):
        return 38.0 * np.count_nonzero(q)


class Nearest:
    """Biased."""

    def quantise(self, v, rng):
        size = np.linalg.norm(v)
        return size * np.round(v / (size or 1.0))


def test_ones_own_quantiser():
    own = claims_for(dim=8, batch=16, workers=2, quantiser=Sparse())
    assert [c.name for c in own] == ["own-contraction", "geometric", "own-quantiser"]
    found = cn.verify(own, seed=3)
    assert "violated" not in words(found) and len(found) == 5
    assert next(v for v in found if v.statistic.endswith("bits a number")).verdict == "holds"
    verdicts = cn.verify(claims_for(dim=60, batch=16, quantiser=Nearest())[1:], seed=3)
    assert "violated" in words(verdicts[:2]) and verdicts[2].verdict == "violated"


def test_ones_own_rows_and_step():
    rng = np.random.default_rng(5)
    X = rng.standard_t(6, (300, 5)) @ np.diag([1.0, 0.8, 1.2, 1.0, 0.7])
    own = claims_for(X, np.ones(5), batch=[8, 32], step=0.1)
    assert [c.scales for c in own] == [[8, 32], [8, 32]]
    assert "violated" not in words(cn.verify(own, seed=4))
    assert set(words(cn.verify(own, seed=4, control="all"))) == {"violated"}
    quantised = claims_for(X, batch=32, workers=4, quantiser=cn.qsgd.Quantiser(3))
    assert [c.name for c in quantised] == ["geometric", "own-quantiser"]


def test_what_is_refused():
    X = np.random.default_rng(1).standard_normal((40, 4))
    refused = [
        (lambda: claims_for(dim=10, batch=4, step=1.0), r"below the stability threshold 2/A = 0\.2\d+, got 1"),
        (lambda: claims_for(X, batch=4, step=5.0), "step must lie below the stability threshold"),
        (lambda: claims_for(X[:3]), "got 3 rows"),
        (lambda: claims_for(X[:, :1] @ np.ones((1, 4))), "full rank 4, or w\\* is not determined"),
        (lambda: claims_for(np.zeros((9, 2))), "all gradients are zero"),
        (lambda: claims_for(X, np.zeros(4)), "w_star must not be 0"),
        (lambda: claims_for(batch=6, workers=4), "multiple of workers = 4, got 6"),
        (lambda: claims_for(quantiser="none"), "quantiser must be a function"),
        (lambda: claims_for(dim=5, quantiser=lambda v, rng: v[1:]), "must return shape"),
        (lambda: claims_for(dim=5, quantiser=lambda v, rng: v / 0.0 * 0.0), "must be finite"),
        (lambda: claims_for(batch=[8, 0.5]), "batch must be a whole number"),
        (lambda: cn.sweep.plan(planted_relu_rates.CONTRACTION, params={"dim": [0]}), "dim must"),
    ]
    for call, message in refused:
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def test_bisection_brackets_what_a_scan_finds():
    """Needed rows of the measure lie where a scan of the same tables over all sizes changes its mind."""
    found = planted_relu_samples.samples(6, seed=3)
    assert 1.6 <= found[planted_relu_samples.PER_DIM] <= 3.6 and found[planted_relu_samples.EARLY] <= 3.0
