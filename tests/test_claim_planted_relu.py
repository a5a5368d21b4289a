"""S3 as claims: quick verdicts and controls, one's own rows and quantisers, and what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import (
    planted_relu,
    planted_relu_floor,
    planted_relu_qsgd,
    planted_relu_rates,
    planted_relu_samples,
)
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


QUICK = ["step-law", "quantiser-lemma", "sharp-variance", "message-constant",
         "recovery-threshold", "rows-that-determine"]  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_quick_claims_and_controls(name):
    claim = next(c for c in planted_relu.CLAIMS if c.name == name)
    assert set(words(cn.verify(claim, seed=7))) == {"holds"}
    assert set(words(at_the_level_of_a_whole_run(claim, seed=7))) == {"violated"}


def at_the_level_of_a_whole_run(claim, seed):
    """The controls, judged as among 700 verdicts."""
    found = []

    class Judge(cn.sweep.Observer):
        def verdict(self, verdict, samples):
            control = next(c for c in claim.controls if c.name == verdict.control)
            statistic = next(s for s in claim.predictions(control) if verdict.statistic.endswith(s))
            scales = claim.scales_of("quick", control)
            found.append(claim.judge(statistic, scales, samples, params=verdict.params, control=control,
                                     family=1 - 1e-3 / 700))  # fmt: skip

    cn.verify(claim, seed=seed, control="all", observer=Judge())
    return found


def test_stated_is_what_the_paper_states():
    stated = {c.name for c in planted_relu.CLAIMS if c.origin == "stated"}
    assert stated == {"quantiser-lemma", "message-constant"}
    assert all("derived" in c.source for c in planted_relu.CLAIMS if c.name in ("message-length", "sharp-variance"))


def test_a_bias_aside_of_v_is_seen():
    """Of rounding to the nearest level, which is odd: along an r that does not depend on v its mean is 0."""
    found = planted_relu_qsgd.moments(10, seed=3, levels=1, nearest=True)
    assert abs(found[planted_relu_qsgd.ASIDE] - 1.0) > 0.02
    assert abs(planted_relu_qsgd.moments(10, seed=3, levels=1)[planted_relu_qsgd.ASIDE] - 1.0) < 0.02


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


@pytest.mark.parametrize("size", [1e-29, 1e-3, 50.0, 1e29])
def test_the_size_of_rows_and_weights_changes_nothing(size):
    """The prediction is exact within a reach that scales with w*."""
    X = np.random.default_rng(6).standard_normal((200, 3))
    for rows, w_star in ((X, np.full(3, size)), (X * size, np.ones(3))):
        own, plain = (claims_for(x, w, batch=32)[0].measure(32, seed=1) for x, w in ((rows, w_star), (X, np.ones(3))))
        assert own == pytest.approx(plain, rel=1e-6)


def test_batches_of_every_kind():
    for batch in (np.int64(8), 8.0, [8], np.array([8]), {8: "rows"}):
        assert claims_for(dim=5, batch=batch)[0].scales == [8]
    assert claims_for(dim=5, batch=np.array([16, 8]))[0].scales == [8, 16]


class With:
    """A quantiser that has more to say."""

    def __init__(self, **others):
        self.__dict__.update(others)

    def quantise(self, v, rng):
        return v


def test_what_is_refused():
    X = np.random.default_rng(1).standard_normal((40, 4))
    refused = [
        (lambda: claims_for(dim=10, batch=4, step=1.0), r"below the stability threshold 2/A = 0\.2\d+, got 1"),
        (lambda: claims_for(X, batch=4, step=5.0), "step must lie below the stability threshold"),
        (lambda: claims_for(X[:3]), "rows must be as many as their columns or more, d = 4, got 3 rows"),
        (lambda: claims_for(X[:, :1] @ np.ones((1, 4))), "full rank 4, or w\\* is not determined"),
        (lambda: claims_for(np.zeros((9, 2))), "all gradients are zero"),
        (lambda: claims_for(X, np.zeros(4)), "w_star must not be 0"),
        (lambda: claims_for(batch=6, workers=4), "multiple of workers = 4, got 6"),
        (lambda: claims_for(quantiser="none"), "quantiser must be a function"),
        (lambda: claims_for(dim=5, quantiser=lambda v, rng: v[1:]), "must return shape"),
        (lambda: claims_for(dim=5, quantiser=lambda v, rng: v / 0.0 * 0.0), "must be finite"),
        (lambda: claims_for(batch=[8, 0.5]), "batch must be a whole number"),
        *((lambda b=b: claims_for(batch=b), "batch must be a whole number >= 1, got") for b in (2.5, None, "a")),
        (lambda: claims_for(batch=[]), "batch must have one value or more, got none"),
        (lambda: claims_for(quantiser=cn.qsgd.Quantiser), "must be an object, .* got the class Quantiser"),
        (lambda: claims_for(dim=5, quantiser=lambda v, rng: 1.0), r"must return shape \(5,\), got \(\)"),
        (lambda: claims_for(quantiser=With(mean_variance=lambda dim: -1.0)), r"mean_variance\(dim\) must lie in"),
        (lambda: claims_for(quantiser=With(mean_variance=2.0)), "mean_variance must be a method"),
        (lambda: claims_for(quantiser=With(bits=lambda q: None)), r"bits\(q\) must lie in"),
        (lambda: claims_for(X * 1e200), "rows must have its largest component in"),
        (lambda: claims_for(X * 1e-200), "rows must have its largest component in"),
        (lambda: claims_for(X, np.full(4, 1e300)), "w_star must have its largest component in"),
        (lambda: claims_for(X, np.full(4, 1e-200)), "w_star must have its largest component in"),
        (lambda: claims_for([[1.0, -1.0], [1.0, 0.0], [0.0, 1.0]], np.ones(2)), "a side of their own, got 0"),
        (lambda: claims_for(dim=10**5), r"128 \* batch \* dim must be at most 1e\+08"),
        (lambda: claims_for(dim=10**5, batch=1), r"batch \* dim \* steps must be at most 1.6e\+07"),
        (lambda: claims_for(batch=10**9), r"128 \* batch \* dim must be at most 1e\+08"),
        (lambda: claims_for(step=1e-12), "steps of 1e-12 to fall by e"),
        (lambda: claims_for(X, step=1e-12), "steps of 1e-12 to fall by e"),
        (lambda: cn.sweep.plan(planted_relu_rates.CONTRACTION, params={"dim": [0]}), "dim must"),
        (lambda: cn.sweep.plan(planted_relu_rates.ANY_DISTANCE, params={"dim": 1}), "dim must lie in"),
        (lambda: planted_relu_floor.floor(1.0, seed=1, dim=5, batch=4, noise=1e-3), r"u must lie in \(0, 1\), got 1"),
    ]
    for call, message in refused:
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("active", [1, 6, 8, 99])
def test_bisection_finds_what_a_scan_finds(monkeypatch, active):
    """Tables are fitted here as soon as they have so many active rows, or never."""
    dim, rng = 6, np.random.default_rng(3)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    low, high, steps = planted_relu_samples.GRID
    sizes = [round(ratio * dim) for ratio in np.linspace(low, high, steps + 1)]
    needed, early = [], []
    for _ in range(planted_relu_samples.TABLES):  # none of them has 99
        side = rng.standard_normal((sizes[-1], dim)) @ w_star > 0.0
        needed.append(next((n for n in sizes if side[:n].sum() >= active), sizes[-1]))
        at = np.flatnonzero(side)
        early.append((at[dim - 1] + 1 if len(at) >= dim else 0) / needed[-1])
    monkeypatch.setattr(planted_relu_samples, "fits", lambda X, w, rng: (X @ w > 0.0).sum() >= active)
    found = planted_relu_samples.samples(dim, seed=3)
    assert found == pytest.approx({planted_relu_samples.NEEDED: np.mean(needed),
                                   planted_relu_samples.PER_DIM: np.mean(needed) / dim,
                                   planted_relu_samples.EARLY: np.mean(early)})  # fmt: skip
