"""S6 as claims: cheap cases of each, their controls, data of one's own, and what is refused."""


import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import (
    least_squares,
    least_squares_floor,
    least_squares_machines,
    least_squares_noise,
    least_squares_risk,
    least_squares_stability,
)
from proofs_checks import least_squares_sources as sources
from proofs_checks.least_squares import claims_for


def claim(name, model):
    (found,) = (c for c in least_squares.CLAIMS if (c.name, c.model) == (name, model))
    return found


def verdicts(*claims, **options):
    return [v.verdict for v in cn.verify(claims, seed=5, **options)]


def test_ids_names_and_controls():
    claims = least_squares.CLAIMS
    assert {c.id for c in claims} == {f"S6.{k}" for k in range(1, 8)}
    assert len({(c.id, c.name, c.model) for c in claims}) == len(claims)
    for c in claims:
        for case in c.cases():
            assert any(control.is_for(case) for control in c.controls), (c.name, c.model, case)
        assert c.origin in ("derived", "recalled")
        used = {"alpha", "sigma", "T", "n", "eta", "data", "unit", "loss", "K", "kappa", "steps"}
        assert not used & {*c.params, c.scale}
        for case in c.cases():
            for scale in c.scales_of("quick"):
                if c.ready:
                    c.ready(scale, **case)


def test_exact_claims_hold_and_their_controls_do_not():
    """Those without randomness, or with little: the whole budget is cheap."""
    exact = [claim("maximal-step", "isotropic"), claim("maximal-step", "mixtures")]
    exact += [claim("noise-in-the-step", "noisy-axis")]
    exact += [c for c in least_squares.CLAIMS if c.name in ("near-linear", "variance-constant", "linear-scaling")]
    exact += [claim("doubling-exact", "harmonic")]
    assert set(verdicts(*exact)) == {"holds"}
    assert set(verdicts(*exact, control="all")) == {"violated"}


def test_digits_are_those_of_the_notes():
    found = sources.digits()
    assert found.rho == pytest.approx(2.1, abs=0.01)
    assert cn.least_squares.batch_thresh(found) == pytest.approx(16.4, abs=0.05)
    for model in (found, sources.diabetes(dim=3)):
        for b in (1, 4, 16):
            steps = [cn.least_squares.step_max(model, b), cn.least_squares.step_max(model, b, rho=1.0)]
            assert steps[0] < steps[1] < cn.least_squares.step_div(model, b)
    assert sources.diabetes(seed=1) is sources.diabetes(dim=2)


def test_risk_and_its_controls():
    skewed = claim("exact-risk", "skewed")
    assert "violated" not in verdicts(skewed)
    assert set(verdicts(skewed, control="all")) == {"violated"}
    harmonic = claim("exact-risk", "harmonic")
    params = {"batch": 16, "dim": 5}
    assert "violated" not in verdicts(harmonic, params=params)
    assert set(verdicts(harmonic, params={"batch": 16}, control="all")) == {"violated"}
    assert set(verdicts(claim("exact-risk", "digits"), params={"batch": 16}, control="multi-pass")) == {"violated"}


def test_rows_without_replacement():
    sample, rng = least_squares_risk.passes(sources.skewed, 3), np.random.default_rng(1)
    table = sources.skewed().rows[0]
    x = np.concatenate([sample(rng, (5, 3, 4))[0] for _ in range(30)])  # 600 rows a run: two passes
    for s in range(3):
        rows = x[:, s].reshape(-1, 3)
        for part in (rows[:300], rows[300:]):
            assert sorted(map(tuple, part)) == sorted(map(tuple, table))


def test_bounds_on_random_mixtures():
    found = [least_squares_risk.beside_bounds(4, seed=s) for s in range(40)]
    assert max(max(cell.values()) for cell in found) <= 1.0
    spoilt = [least_squares_risk.beside_bounds(4, seed=s, beyond=6.0) for s in range(10)]
    assert all(max(cell.values()) > 10 for cell in spoilt)
    one, other = (sources.random_mixture(s, 4).eigenvalues for s in (1, 2))
    assert not np.allclose(one, other)


def test_floor_crossing_and_speed():
    crossing = claim("stability-crossing", "diabetes")
    assert set(verdicts(crossing, params={"batch": 1}, control="all")) == {"violated"}
    assert verdicts(claim("floor", "digits"), control="half-batch") == ["violated"]
    assert set(verdicts(least_squares_stability.SPEED_UP, params={"dim": 10}, control="all")) == {"violated"}
    assert least_squares_stability.foretold(1, 50) == pytest.approx(711.6, abs=0.2)
    assert least_squares_stability.foretold(52, 50) == pytest.approx(19.3, abs=0.5)
    cell = least_squares_stability.iterations(128, seed=1, dim=20)
    assert cell[least_squares_stability.CONTRACTION] == pytest.approx(1.0, abs=0.05)


def test_machines():
    linear, bias = claim("linear-speed-up", "harmonic"), claim("bias-of-the-mean", "harmonic")
    assert set(verdicts(linear, bias, control="all")) == {"violated"}
    with pytest.raises(ValueError, match="burn must be >= 56, so that step mu burn >= 5, got 30"):
        cn.sweep.plan(linear, params={"burn": 30})
    short = {"samples": 264, "burn": 6, "dim": 6, "batch": 4, "step": 0.5}
    cell = least_squares_machines.averaging(1, seed=1, source=sources.harmonic, groups=7, **short)
    same = least_squares_machines.averaging(4, seed=1, source=sources.harmonic, groups=28, common=True, **short)
    assert same[least_squares_machines.SHARED] == pytest.approx(4 * cell[least_squares_machines.SHARED])


def test_noise_in_runs():
    assert least_squares_noise.limits(10, seed=0)[least_squares_noise.SHORT] == pytest.approx(4.066, abs=1e-3)
    even = least_squares_noise.limits(10, seed=0, source=sources.even_noise)
    assert even[least_squares_noise.SHORT] == pytest.approx(1.415, abs=1e-3)
    assert verdicts(claim("noise-in-the-step-runs", "noisy-axis"), control="without-rho") == ["violated"]


# --- mistakes that the claims must see ------------------------------------------------------------------------------


def spoilt(name, model, change):
    """The verdicts of a claim on a population of which `change` has replaced something."""
    found = claim(name, model)
    source = {"diabetes": sources.diabetes, "mixtures": sources.random_mixture}[model]

    def other(**params):
        population = source(**params)
        copy = replace(population)
        for key, value in change(population).items():
            object.__setattr__(copy, key, value)
        return copy

    measure = partial(found.measure.func, **found.measure.keywords | {"source": other})
    return {v.statistic: v.verdict for v in cn.verify(replace(found, measure=measure), seed=5)}


def test_fourth_moments_that_are_off_are_seen():
    off = spoilt("maximal-step", "diabetes", lambda population: {"fourth": 1.05 * population.fourth})
    assert off["every crossing / step_div"] == "violated"
    found = claim("stability-crossing", "diabetes")  # of batch 1: step_div is 5 % too small as well
    replicas = found.replicas_of(1.0, "standard")
    cells = [
        [
            least_squares_stability.crossing(end / 1.05, seed=s, source=sources.diabetes, batch=1)
            for s in range(replicas)
        ]
        for end in (0.98, 1.02)
    ]
    judged = found.judge(found.quantity, [0.98, 1.02], cells, params={"batch": 1}, family=1 - 0.001 / 350)
    assert judged.verdict == "violated"


@pytest.mark.parametrize("model", ["diabetes", "mixtures"])
def test_rho_of_the_noise_alone_is_seen(model):
    off = spoilt("maximal-step", model, lambda p: {"rho": least_squares_stability._rho_of_noise(p)})
    assert off["every step_max / from the law"] == "violated" and off["every crossing / step_div"] == "holds"
    assert set(spoilt("maximal-step", model, lambda p: {}).values()) == {"holds"}


def test_an_inflation_that_is_off_is_seen(monkeypatch):
    """Without the term - H C H of its formula."""
    moments = cn.least_squares_moments
    right = moments.inflation

    def wrong(population, *, step, batch):
        C = moments.stationary(population, step=step, batch=batch).second
        more = population.eigenvalues * population.diagonal(C)
        return right(population, step=step, batch=batch) + float(more.sum()) / (2.0 * population.sigma2_mle)

    monkeypatch.setattr(moments, "inflation", wrong)
    for found in (claim("variance-constant", "diabetes"), claim("noise-in-the-step", "noisy-axis")):
        seen = {v.statistic: v.verdict for v in cn.verify([found], seed=5)}
        assert seen[f"every {least_squares_risk.IN_THE_END}"] == "violated"


@pytest.mark.long
def test_nothing_random_is_judged_by_single_replicas():
    """Equal replicas leave no interval of a mean."""
    for c in least_squares.CLAIMS:
        for key, prediction in c.predictions().items():
            first, second = (c.measure(c.scales_of("quick")[0], seed=s, **c.cases()[0]) for s in (1, 2))
            same = first == second if isinstance(first, float) else first[key] == second[key]
            assert not same or prediction.statistic == "every", (c.name, c.model, key)


def test_no_warnings_beyond_the_threshold():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for s in range(6):
            least_squares_risk.beside_bounds(10, seed=s, beyond=6.0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 4))
def test_all_of_s6(seed):
    assert all(v.verdict != "violated" for v in cn.verify(least_squares.CLAIMS, seed=seed))
    assert all(v.verdict == "violated" for v in cn.verify(least_squares.CLAIMS, seed=seed, control="all"))


# --- a data set of one's own -----------------------------------------------------------------------------------------


def own(rows=60, d=3, seed=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, d))
    return X, X @ np.arange(1.0, d + 1.0) + rng.standard_normal(rows) * (1 + X[:, 0] ** 2)


def test_claims_for_ones_own_data():
    X, y = own()
    found = claims_for(X, y, batch=4, samples=400, burn=40, epoch=10, name="mine")
    assert {c.id for c in found} == {f"S6.{k}" for k in range(1, 7)} and {c.model for c in found} == {"mine"}
    assert set(verdicts(*found)) <= {"holds", "inconclusive"}
    cheap = [c for c in found if c.name in ("maximal-step", "stability-crossing", "variance-constant", "floor")]
    assert set(verdicts(*cheap, control="all")) == {"violated"}
    names = {c.name for c in claims_for(X, y, batch=4, samples=400, burn=1)}
    assert "bias-of-the-mean" in names and "linear-speed-up" not in names and "doubling" not in names


def test_rows_of_one_size_have_no_typical_run():
    rng = np.random.default_rng(3)
    X = rng.choice([-1.0, 1.0], size=(120, 6))
    found = claims_for(X, rng.standard_normal(120), batch=1, samples=400)
    (crossing,) = (c for c in found if c.name == "stability-crossing")
    assert "typical-run" not in {control.name for control in crossing.controls}
    assert set(verdicts(crossing)) == {"holds"} and set(verdicts(crossing, control="all")) == {"violated"}
    X, y = own()
    (crossing,) = (c for c in claims_for(X, y, batch=1) if c.name == "stability-crossing")
    assert "typical-run" in {control.name for control in crossing.controls}


@pytest.mark.long
@pytest.mark.parametrize("options", [{"burn": 40, "epoch": 10}, {"burn": 1}, {"batch": 1, "burn": 40}])
def test_all_controls_on_ones_own_data(options):
    found = claims_for(*own(), **{"batch": 4, "samples": 400} | options)
    assert "violated" not in verdicts(*found)
    assert set(verdicts(*found, control="all")) == {"violated"}


def test_a_step_beyond_the_theorem():
    X, y = own()
    population = cn.least_squares_populations.finite(X, y)
    largest, limit = cn.least_squares.step_max(population, 4), cn.least_squares.step_div(population, 4)
    found = claims_for(X, y, batch=4, step=0.75 * largest, samples=400, burn=10)
    assert "variance-constant" not in {c.name for c in found}
    (risk,) = (c for c in found if c.name == "exact-risk")
    assert set(risk.predictions()) == {least_squares_risk.RISK}
    with pytest.raises(ValueError, match=f"step must lie below step_div = {limit:.6g} at batch 4"):
        claims_for(X, y, batch=4, step=1.01 * limit)
    with pytest.raises(ValueError, match="step must lie below step_div"):
        cn.sweep.plan(risk, params={"step": 3.0})


def test_a_step_between_the_maximal_one_and_the_threshold():
    """The floor is claimed up to the maximal step, the rest up to the threshold."""
    X, y = own()
    population = cn.least_squares_populations.finite(X, y)
    largest, limit = cn.least_squares.step_max(population, 4), cn.least_squares.step_div(population, 4)
    names = {c.name for c in claims_for(X, y, batch=4, step=0.5 * (largest + limit), samples=400, burn=10)}
    assert "floor" not in names and "exact-risk" in names
    assert "floor" in {c.name for c in claims_for(X, y, batch=4, step=0.99 * largest, samples=400, burn=10)}


def test_the_largest_batch_leaves_room_for_the_controls():
    X, y = own()
    with pytest.raises(ValueError, match=r"batch must be a whole number in \[1, \d+\], got") as error:
        claims_for(X, y, batch=10**6)
    most = int(str(error.value).split("[1, ")[1].split("]")[0])
    found = claims_for(X, y, batch=most, samples=2 * most, burn=0)
    (machines,) = (c for c in found if c.name == "bias-of-the-mean")
    cell = machines.measure(8, seed=1, **machines.cases()[0])
    assert np.isfinite(list(cell.values())).all()


def test_a_column_of_ones():
    """The mean of y by SGD: one step of batch 1 can end every error, so that a batch gains nothing."""
    found = claims_for(np.ones((40, 1)), np.random.default_rng(2).standard_normal(40), batch=4, samples=400)
    assert not {"near-linear", "linear-scaling"} & {c.name for c in found}
    assert set(verdicts(*(c for c in found if c.name in ("maximal-step", "variance-constant")))) == {"holds"}


@pytest.mark.parametrize("d", [1, 2, 6])
def test_linear_scaling_is_claimed_where_it_is_proved(d):
    """Rows of one size, where the bound on the distance from the first order is sharp for one column."""
    X = np.random.default_rng(d).choice([-1.0, 1.0, 1.1], size=(80, d))
    for c in claims_for(X, np.random.default_rng(9).standard_normal(80), batch=1, samples=400):
        if c.name == "linear-scaling":
            assert verdicts(c) == ["holds", "holds"]


def test_data_that_are_refused():
    X, y = own()
    for words, args, options in [
        (r"smallest eigenvalue \S+ beside largest", (np.c_[X, X.sum(axis=1)], y), {}),
        ("X must be finite", (np.full_like(X, np.nan), y), {}),
        ("X must have more rows than its 3 columns, got 2", (X[:2], y[:2]), {}),
        ("y must have one value", (X, y[:-1]), {}),
        ("y must not be linear in X", (X, X[:, 0]), {}),
        (r"samples must be >= batch \(burn \+ 1\) = 404", (X, y), {"samples": 400, "burn": 100}),
        ("samples must be >= 4 batch epoch", (X, y), {"samples": 400, "epoch": 100}),
        ("batch must be a whole number", (X, y), {"batch": 0}),
        (r"machines must be a whole number in \[1, \d+\], got 2.5", (X, y), {"machines": (2.5,)}),
        (r"machines must be a sequence of whole numbers in \[1, \d+\], got 5", (X, y), {"machines": 5}),
        (r"machines must be a whole number in \[1, \d+\], got 1000000", (X, y), {"machines": (10**6,)}),
        ("epoch must be a whole number >= 2, got 2.5", (X, y), {"epoch": 2.5}),
        ("epoch must be a whole number >= 2, got 'a'", (X, y), {"epoch": "a"}),
        (r"samples must be a whole number in \[1, \d+\], got 'a'", (X, y), {"samples": "a"}),
        (r"samples must be a whole number in \[1, \d+\], got 1000000000000", (X, y), {"samples": 10**12}),
        (r"batch must be a whole number in \[1, \d+\], got 1000000", (X, y), {"batch": 10**6, "samples": 10**8}),
        ("burn must be a whole number >= 0, got 2.5", (X, y), {"burn": 2.5}),
    ]:
        with pytest.raises(ValueError, match=words) as error:
            cn.sweep.plan(claims_for(*args, **options))
        assert "\n" not in str(error.value)
    solution = np.linalg.lstsq(X, y, rcond=None)[0]
    population = cn.least_squares_populations.finite(X, y, start=solution)
    assert np.abs(population.start).max() < 1e-12
    with pytest.raises(ValueError, match="its gradient is zero"):
        claims_for(np.array([[1.0], [-1.0], [2.0], [-2.0]]), np.array([1.0, 1.0, 3.0, 3.0]))
    with pytest.raises(ValueError, match="step must leave"):
        least_squares_floor.ready(1, sources.diabetes, step=1e-4)
