"""C8 as claims: the law of the pruned share, the pair of runs behind the measures, controls, and what is refused."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import pruned_pair, pruned_share, pruning, pruning_law

CASE = {"alpha": 1.75, "noise": "II", **pruned_pair.SETTINGS}


def by_hand(squares):
    """The share that the criterion removes, by its definition."""
    lost = np.cumsum(np.sort(squares))
    return np.searchsorted(lost, 0.1 * lost[-1], side="right") / len(squares)


@pytest.mark.parametrize("p", [10, 64, 784])
def test_shares_of_light_tails(p):
    draw = np.random.default_rng(p)
    columns = 1_000_000 // p
    found = by_hand((draw.uniform(-1, 1, (p, columns)) ** 2).sum(axis=0))
    # the share of N columns has a standard deviation below 0.6 / sqrt(N)
    assert abs(pruned_share.initial_share(p) - found) < 3.0 / columns**0.5
    found = by_hand((draw.standard_normal((p, columns)) ** 2).sum(axis=0))
    assert abs(pruned_share.gaussian_share(p) - found) < 3.0 / columns**0.5
    assert 0.1 < pruned_share.initial_share(p) < pruned_share.gaussian_share(p)


def test_the_share_of_wide_columns_is_that_of_equal_ones():
    assert abs(pruned_share.initial_share(100_000) - 0.1) < 1e-3
    assert pruned_share.share(np.ones(50)) == 0.1
    assert pruned_share.gaussian_share(1) == pytest.approx(0.555397, abs=1e-6)


def test_share_is_that_of_prune_columns():
    w = np.random.default_rng(1).standard_normal((5, 40)) * np.arange(1, 41)
    assert pruned_share.share(np.linalg.norm(w, axis=0)) == cn.prune.columns([w, np.ones((40, 2))]).share
    assert cn.prune.columns([w, np.ones((40, 2))]).share == by_hand((w**2).sum(axis=0))


def test_bad_arguments_of_the_shares():
    for p in (9, 2.5, True):
        with pytest.raises(ValueError, match="p must"):
            pruned_share.initial_share(p)
    for error in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="error must"):
            pruned_share.initial_share(64, error)
        with pytest.raises(ValueError, match="error must"):
            pruned_share.gaussian_share(64, error)


def test_noise_of_many_steps_is_one_stable_vector():
    """The law behind `noisy_columns`: k increments of scale c add up to one of scale c k^(1/alpha)."""
    alpha, steps, count = 1.75, 8, 4000
    path = cn.noise.Path("III", alpha, 3, count, seed=5, scale=0.5)
    many = sum(path.fill(k, np.empty((3, count))) for k in range(steps))
    one = cn.noise.increments("III", alpha, (3, count), seed=6, step=0, scale=0.5 * steps ** (1 / alpha))
    a, b = (np.sort(np.linalg.norm(x, axis=0)) for x in (many, one))
    both = np.concatenate([a, b])
    gap = abs(np.searchsorted(a, both, side="right") - np.searchsorted(b, both, side="right")).max() / count
    assert gap < 2.5 * (2 / count) ** 0.5  # Smirnov: exceeded with probability 2 exp(-12.5)


def test_law_of_the_share():
    known = np.array(pruned_share.below(100, "II", 1.75, 0.1, 64))
    assert known.shape == (99,) and (np.diff(known) >= 0).all() and known[0] < 1e-3 and known[-1] > 0.9
    median = pruned_share.median_share(100, "II", 1.75, 0.1, 64)
    assert known[round(100 * median) - 1] <= 0.5 < known[round(100 * median)]
    assert len(pruned_share.below(49, "II", 1.75, 0.1, 64)) == 48  # 1 / (1 / 49) is not 49
    gaussian = pruned_share.median_share(100, "II", 2.0, 5.0, 64)
    assert abs(gaussian - pruned_share.gaussian_share(64)) < 0.005  # a sample of 31250 columns
    assert abs(pruned_share.median_share(100, "I", 2.0, 500.0, 64) - pruned_share.gaussian_share(1)) < 0.015


def test_noise_alone_has_the_addresses_of_the_run():
    net, rows = pruned_pair.network("digits", 20), pruned_pair.dataset("digits")
    run = pruned_pair.train(net, rows, cn.sgd.Noise("II", 1.5, 0.02), eta=0.3, batch=200, target=0.6, seed=11)
    assert run.stopped == "target"
    wanted = cn.mlp.initial(net, seed=11)[0].astype(float)
    for step in range(run.step - 1):
        wanted += cn.noise.increments("II", 1.5, (64, 20), seed=11, step=step, scale=0.02 * 0.3 ** (1 / 1.5))
    found = pruned_pair.noise_alone(run)
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], cn.mlp.initial(net, seed=11)[1])
    # what is left is the drift, without the noise: of the order of the moves that the output layer makes
    drift = np.abs(run.weights[0] - wanted).max()
    assert 0.0 < drift < np.abs(wanted - cn.mlp.initial(net, seed=11)[0]).max()


def test_a_pair_without_noise_is_a_pair_of_equals():
    found = pruned_pair.pair_quiet(30, seed=3, **CASE)
    assert [found[key] for key in (pruned_pair.EXTRA, pruned_pair.UNEQUAL, pruned_pair.CHANGED)] == [0.0, 0.0, 0.0]


def test_a_noisy_run_that_diverges_counts_as_it_was_at_its_last_evaluation():
    case = {**CASE, "noise": "I", "sigma": 0.03}
    seed = 6003583113291460318
    net, rows = pruned_pair.network("digits", 200, dtype="float64"), pruned_pair.dataset("digits")
    settings = {"eta": 0.3, "batch": 200, "target": 0.9, "seed": seed}
    with pytest.raises(cn.sgd.Diverged):
        pruned_pair.train(net, rows, cn.sgd.Noise("I", 1.75, 0.03), **settings)
    run = pruned_pair.train(net, rows, cn.sgd.Noise("I", 1.75, 0.03), **settings, lenient=True)
    assert run.stopped == "" and run.step == run.evaluations[-1].step > 0
    found = pruning.invisible_positive(200, seed=seed, **case)
    assert all(np.isfinite(value) for value in found.values()) and found[pruned_pair.UNEQUAL] < -0.1
    with pytest.raises(cn.sgd.Diverged):  # without noise it is the settings that are wrong
        pruned_pair.pair(20, seed=1, **CASE | {"eta": 1e6})


def test_the_complement_keeps_what_the_criterion_removes():
    weights = [np.diag([1.0, 9.0, 2.0]), np.ones((3, 2))]
    pruned = cn.prune.columns(weights)
    left = pruned_pair._complement(weights, pruned, None)
    np.testing.assert_array_equal(left[0] + pruned.weights[0], weights[0])
    np.testing.assert_array_equal(left[0], np.diag([1.0, 0.0, 2.0]))
    rng = np.random.default_rng(1)
    assert (~pruned_pair.random_ones(weights, pruned, rng)[0].any(axis=0)).sum() == 2


def test_noise_along_ones_is_invisible_on_centred_rows():
    case = {**CASE, "noise": "I", "sigma": 0.3}
    found = pruning.invisible(60, seed=5, **case)
    assert found[pruned_pair.CHANGED] < 1e-9 and found[pruned_pair.UNEQUAL] == 0.0
    assert found[pruned_pair.EXTRA] > 0.2
    assert pruning.invisible_type_two(60, seed=5, **{**case, "sigma": 0.03})[pruned_pair.CHANGED] > 1e-3
    rows = pruned_pair.centred("digits")
    assert abs(rows.X_train.sum(axis=1)).max() < 1e-12 and rows.X_test.shape[1] == 64


def test_pruning():
    params = {"alpha": [1.75], "noise": ["II"]}
    verdicts = cn.verify(pruning.PRUNING, params=params, seed=7)
    assert len(verdicts) == 6 and all(v.verdict != "violated" for v in verdicts)  # false alarm: 0.001
    for control in ("gaussian-noise", "unequal-stop"):  # the others: test_all_of_c8
        assert [v.verdict for v in cn.verify(pruning.PRUNING, params=params, seed=7, control=control)] == ["violated"]


def test_laws():
    for claim in pruning_law.CLAIMS:
        params = {"alpha": [1.9], "noise": ["III"]} if claim is pruning_law.SHARE else {}
        assert all(v.verdict != "violated" for v in cn.verify(claim, params=params, seed=7))
        control = claim.controls[0].name
        assert all(v.verdict == "violated" for v in cn.verify(claim, params=params, seed=7, control=control))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_all_of_c8(seed):
    assert all(v.verdict != "violated" for v in cn.verify(pruning.CLAIMS, seed=seed))
    assert all(v.verdict == "violated" for v in cn.verify(pruning.CLAIMS, seed=seed, control="all"))


def test_every_claim_has_a_control_in_every_case():
    assert len({(claim.id, claim.name, claim.model) for claim in pruning.CLAIMS}) == len(pruning.CLAIMS) == 5
    for claim in pruning.CLAIMS:
        for case in claim.cases():
            assert any(control.is_for(case) for control in claim.controls)


def test_a_table_of_the_users(tmp_path):
    draw = np.random.default_rng(1)
    y = np.arange(120) % 2
    np.savez(tmp_path / "two.npz", X=draw.standard_normal((120, 12)) + 2 * y[:, None], y=y)
    found = pruned_pair.pair(20, seed=1, **{**CASE, "data": str(tmp_path / "two.npz")})
    assert all(np.isfinite(value) for value in found.values())


def test_what_is_refused(tmp_path):
    np.savez(tmp_path / "few.npz", X=np.eye(6)[:, :4], y=[0, 1, 0, 1, 0, 1])
    refused = [
        (pruning.PRUNING, {"alpha": [2.0]}, "alpha must"),
        (pruning.PRUNING, {"noise": ["I"]}, "noise must"),
        (pruning.PRUNING, {"sigma": [0.0]}, "sigma must"),
        (pruning.PRUNING, {"data": [str(tmp_path / "few.npz")]}, "inputs must be 10 or more, got 4"),
        (pruning.PRUNING, {"data": [str(tmp_path / "none.npz")]}, "none.npz"),
        (pruning_law.SHARE, {"p": [5]}, "inputs must be 10 or more, got 5"),
    ]
    for claim, params, words in refused:
        with pytest.raises(ValueError, match=words):
            cn.sweep.plan(claim, params=params)
