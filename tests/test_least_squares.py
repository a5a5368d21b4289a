"""Least-squares SGD: constants, the exact risk, bounds, schedules; loop twins, enumeration, what is refused."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import chaosnum as cn
from chaosnum import least_squares as theory
from chaosnum import least_squares_bounds as bounds
from chaosnum import least_squares_doubling as doubled
from chaosnum import least_squares_growth as growth
from chaosnum import least_squares_moments as moments
from chaosnum import least_squares_operator as operator
from chaosnum import least_squares_populations as populations


def harmonic(d):
    return populations.gaussian(1.0 / np.arange(1, d + 1))


def small(seed=1, rows=4, d=2, start=None):
    """A data set so small that every sequence of batches can be listed."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(rows, d))
    return populations.finite(x, (x**2).sum(axis=1) + rng.standard_normal(rows), start=start)


# --- populations -----------------------------------------------------------------------------------------------------


def test_constants_of_gaussian_rows():
    lam = np.array([3.0, 1.0, 0.5])
    found = populations.gaussian(lam, noise=2.0)
    assert found.R2 == pytest.approx(lam.sum() + 2 * 3.0) and found.rho == pytest.approx(1.0)
    assert found.sigma2_mle == pytest.approx(3 * 2.0 / 2) and (found.largest, found.mu, found.d) == (3.0, 0.5, 3)
    assert found.initial_risk == pytest.approx(0.5 * lam.sum())


def test_values_known_for_real_data():
    found = populations.finite(*cn.bundled.diabetes())
    assert found.R2 == pytest.approx(18.2, abs=0.05) and found.largest == pytest.approx(4.02, abs=0.005)
    assert found.rho == pytest.approx(1.42, abs=0.005) and theory.batch_thresh(found) == pytest.approx(7.4, abs=0.05)
    x = cn.bundled.diabetes()[0]
    sizes = (x**2).sum(axis=1)
    assert sizes.mean() < 0.6 * found.R2 and found.R2 < 0.4 * sizes.max()  # R2 is neither of them


def test_moments_of_data_are_those_of_its_rows():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((30, 3)) + 1.0, rng.standard_normal(30)
    found = populations.finite(x, y)
    rows, e = found.rows
    np.testing.assert_allclose(rows.T @ rows / 30, np.diag(found.eigenvalues), atol=1e-12)
    np.testing.assert_allclose(rows.T @ e, 0.0, atol=1e-12)
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(np.sort(np.abs(e)), np.sort(np.abs(y - x @ w)), atol=1e-12)
    C, m = rng.standard_normal((3, 3)), rng.standard_normal(3)
    C = C + C.T
    mapped = sum(np.outer(r, r) * (r @ C @ r) for r in rows) / 30
    np.testing.assert_allclose(found.matrix(found.fourth @ found.vector(C)), mapped)
    np.testing.assert_allclose(found.matrix(found.noise), sum(k * k * np.outer(r, r) for k, r in zip(e, rows)) / 30)
    third = sum(k * (r @ m) * np.outer(r, r) for k, r in zip(e, rows)) / 30
    np.testing.assert_allclose(found.matrix(found.third @ m), third)
    np.testing.assert_allclose(found.matrix(found.vector(C)), C)
    assert found.vector(C) @ found.vector(mapped) == pytest.approx(np.trace(C @ mapped))


def test_moments_of_mixtures_are_those_of_their_draws():
    found = populations.mixture([0.3, 0.7], [[4.0, 0.0], [1.0, 0.5]], [3.0, 0.1])
    x, e = found.sample(np.random.default_rng(5), (400_000,))
    np.testing.assert_allclose((x**2).mean(axis=0), found.eigenvalues, rtol=0.02)
    np.testing.assert_allclose((x**2).T @ x**2 / len(x), found.fourth, rtol=0.04)
    np.testing.assert_allclose(e**2 @ x**2 / len(x), found.noise, rtol=0.04)


def test_noise_on_one_axis_has_rho_of_d():
    axis, clean = np.eye(7)[0], np.arange(1.0, 8.0) ** -2.0
    assert populations.mixture([0.1, 0.9], [axis, clean], [1.0, 0.0]).rho == pytest.approx(7.0)


# --- the maximal step ------------------------------------------------------------------------------------------------


def test_known_steps_of_harmonic_rows():
    found, batches = harmonic(20), (1, 2, 4, 8, 32, 128)
    largest = [theory.step_max(found, b) for b in batches]
    np.testing.assert_allclose(largest, [0.357, 0.606, 0.931, 1.270, 1.749, 1.931], atol=6e-4)
    limits = [theory.step_div(found, b) for b in batches]
    np.testing.assert_allclose(limits, [0.430, 0.753, 1.165, 1.528, 1.876, 1.969], atol=6e-4)
    for b, limit in zip(batches, limits):
        assert operator.step_crossing(found, b) == pytest.approx(limit, rel=1e-10)
        lam = found.eigenvalues
        assert np.sum(limit * lam / (b * (2 - limit * lam * (b + 1) / b))) == pytest.approx(1.0)


def independent_columns(scale, rows=120, d=6, seed=4):
    """A data set with columns of falling size."""
    rng = np.random.default_rng(seed)
    return populations.finite(rng.exponential(size=(rows, d)) * scale ** np.arange(d), rng.standard_normal(rows))


@pytest.mark.parametrize(
    "found",
    [small(rows=9, d=1), small(rows=30, d=4), independent_columns(0.7), independent_columns(0.12),
     populations.mixture([0.2, 0.8], [[2.0, 0.1, 0.0], [0.5, 1.0, 0.3]], [3.0, 0.1])],
)  # fmt: skip
def test_constants_straight_from_the_law(found):
    law = operator.constants(found)
    for name in ("largest", "R2", "rho", "sigma2_mle"):
        assert law[name] == pytest.approx(getattr(found, name), rel=1e-7), name
    for b in (1, 5, 64):
        limit = theory.step_div(found, b)
        assert operator.step_crossing(found, b) == pytest.approx(limit, rel=1e-9)
        assert operator.mean_square_factor(found, limit, b) == pytest.approx(1.0, abs=1e-9)
        step = 1.1 * limit
        assert operator.mean_square_factor(found, step, b) == pytest.approx(theory.spectral_radius(found, step, b))
    off = replace(found, fourth=1.05 * found.fourth)  # the law is what it was
    assert abs(operator.step_crossing(off, 1) / theory.step_div(off, 1) - 1.0) > 0.04


def test_crossing_where_slow_directions_crowd(monkeypatch):
    """Without Lanczos's method, by the table of the map."""
    found, limit = independent_columns(0.3), operator.step_crossing(independent_columns(0.3), 2)

    def gives_up(*args, **options):
        raise operator.ArpackNoConvergence("no", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(operator, "eigsh", gives_up)
    assert operator.step_crossing(found, 2) == pytest.approx(limit, rel=1e-9)
    assert theory.step_div(found, 2) == pytest.approx(limit, rel=1e-9)


@pytest.mark.parametrize(("d", "b"), [(1, 1), (5, 3), (50, 128)])
def test_isotropic_rows_reach_the_threshold_exactly(d, b):
    found = populations.gaussian(np.ones(d))
    assert theory.step_max(found, b) == pytest.approx(2 * b / (d + b + 1), rel=1e-12)
    assert theory.step_div(found, b) == pytest.approx(2 * b / (d + b + 1), rel=1e-12)
    assert theory.spectral_radius(found, b / (d + b + 1), b) == pytest.approx(1 - b / (d + b + 1))


def test_diagonal_and_full_map_have_the_same_radius():
    """The claim of the populations' docstring: rows that are symmetric in sign need the diagonal alone."""
    lam = np.array([1.0, 0.4, 0.1])
    short, (i, j) = populations.gaussian(lam), np.triu_indices(3)
    same = i == j
    fourth = np.diag(np.where(same, 0.0, 2.0 * lam[i] * lam[j]))
    fourth[np.ix_(same, same)] = short.fourth
    full = replace(short, pairs=(i, j), fourth=fourth, noise=np.where(same, lam[i], 0.0))
    assert full.R2 == pytest.approx(short.R2) and full.rho == pytest.approx(1.0)
    for b in (1, 4, 32):
        assert theory.step_div(full, b) == pytest.approx(theory.step_div(short, b))
        settings = {"step": 0.3, "batch": b, "burn": 3, "count": 9}
        assert moments.excess(full, **settings) == pytest.approx(moments.excess(short, **settings))


def test_threshold_of_the_mean_square_is_not_that_of_the_typical_run():
    found, rng = harmonic(10), np.random.default_rng(2)
    limit = theory.step_div(found, 8)
    settings = {"batch": 8, "count": 60, "particles": 150, "rng": rng, "burn": 20}
    assert growth.growth(found, step=0.9 * limit, **settings) < 1.0
    above = growth.growth(found, step=1.1 * limit, **settings)
    assert above == pytest.approx(theory.spectral_radius(found, 1.1 * limit, 8), rel=0.06)
    assert above > 1.0 > growth.growth(found, step=1.1 * limit, of="typical run", **settings)


def test_growth_is_unbiased_from_two_particles():
    """The product of the means is unbiased for any number of particles: the mean over many runs of two steps."""
    found, rng = populations.gaussian([1.0, 0.3]), np.random.default_rng(4)
    settings = {"step": 0.4, "batch": 2, "count": 2, "particles": 2, "rng": rng}
    runs = np.array([growth.growth(found, **settings) for _ in range(2500)]) ** 2
    M, eye = theory.second_moment_map(found, 0.4, 2), found.vector(np.eye(2))
    assert abs(runs.mean() - eye @ M @ M @ (eye / 2)) < 4 * runs.std() / len(runs) ** 0.5


# --- runs and their exact moments ------------------------------------------------------------------------------------


def by_hand(found, step, b, burn, count, start, draws):
    """One run of SGD, row by row."""
    w, total = start.copy(), np.zeros(found.d)
    for t in range(burn + count):
        if t:
            x, e = draws[t - 1]
            w = w - step / b * sum((row @ w - k) * row for row, k in zip(x, e))
        total += w if t >= burn else 0.0
    return total / count, w


def test_runs_are_the_update_rule():
    found, step, b, burn, count = small(rows=9, d=3), 0.05, 3, 2, 4
    settings = {"step": step, "batch": b, "systems": 2, "squares": True}
    ran = theory.run(found, burn=burn, count=count, rng=np.random.default_rng(7), **settings)
    x, e = found.sample(np.random.default_rng(7), (burn + count - 1, 2, b))
    for s in range(2):
        draws = [(x[t, s], e[t, s]) for t in range(burn + count - 1)]
        average, final = by_hand(found, step, b, burn, count, found.start, draws)
        np.testing.assert_allclose(ran.average[s], average, atol=1e-13)
        np.testing.assert_allclose(ran.final[s], final, atol=1e-13)
    first = theory.run(found, burn=0, count=1, rng=np.random.default_rng(7), **settings)
    np.testing.assert_array_equal(first.average, [found.start] * 2)
    np.testing.assert_allclose(first.square, [found.start**2] * 2)


@pytest.mark.parametrize(("b", "burn", "count"), [(1, 0, 4), (1, 2, 3), (2, 1, 2)])
def test_exact_risk_by_listing_every_run(b, burn, count):
    """All sequences of batches from four rows: the mixed moment is there, and no term is missing."""
    found, step = small(rows=4, start=[3.0, -2.0]), 0.1
    x, e = found.rows
    errors = [
        by_hand(found, step, b, burn, count, found.start, [(x[list(i)], e[list(i)]) for i in zip(*[iter(rows)] * b)])
        for rows in product(range(4), repeat=b * (burn + count - 1))
    ]
    average, final = (np.array(part) for part in zip(*errors))
    settings = {"step": step, "batch": b}
    exact = moments.averaged(found, burn=burn, count=count, **settings)
    np.testing.assert_allclose(exact.mean, average.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.matrix(exact.second), average.T @ average / len(average), rtol=1e-9)
    last = moments.after(found, moments.at_start(found), count=burn + count - 1, **settings)
    np.testing.assert_allclose(found.matrix(last.second), final.T @ final / len(final), rtol=1e-9)
    risk = theory.risk(found, average).mean()
    assert moments.excess(found, burn=burn, count=count, **settings) == pytest.approx(risk, rel=1e-10)
    without = moments.excess(replace(found, third=None), burn=burn, count=count, **settings)
    assert abs(without / risk - 1) > 0.02 or count == 2
    pairs = [(u + v) / 2 for u, v in product(average, repeat=2)] if len(average) <= 256 else []
    if pairs:
        two = moments.excess(found, burn=burn, count=count, machines=2, **settings)
        assert two == pytest.approx(theory.risk(found, pairs).mean(), rel=1e-10)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 100])
def test_sums_by_repeated_squaring_are_the_loop(count):
    found, step, b = small(rows=20, d=3), 0.02, 2
    C = moments.at_start(found)
    lam, total, weighted = found.eigenvalues, 0.0, np.zeros(3)
    for _ in range(count):  # forwards: E S_t w_t and E S_t^2 on the diagonal
        square = found.diagonal(C.second)
        total += float(lam @ (square + 2 * weighted))
        weighted = (1 - step * lam) * (weighted + square)
        C = moments.after(found, C, step=step, batch=b, count=1)
    exact = moments.excess(found, step=step, batch=b, burn=0, count=count)
    assert exact == pytest.approx(0.5 * total / count**2, rel=1e-10)


@pytest.mark.parametrize("step", [1e-6, 1e-9, 1e-12])
def test_exact_risk_at_the_smallest_steps(step):
    """Nothing cancels: to first order the mean alone moves."""
    found = small(rows=20, d=3)
    lam, t = found.eigenvalues, np.arange(100)
    mean = ((1 - step * lam[:, None]) ** t).mean(axis=1) * found.start
    exact = moments.excess(found, step=step, batch=2, burn=0, count=100)
    assert exact == pytest.approx(0.5 * lam @ mean**2, rel=max(1e-12, 1e4 * step**2))


def test_exact_risk_of_runs():
    found, rng = harmonic(6), np.random.default_rng(11)
    settings = {"step": theory.step_max(found, 4) / 2, "batch": 4, "burn": 20, "count": 60}
    risks = theory.risk(found, theory.run(found, systems=3000, rng=rng, **settings).average)
    exact = moments.excess(found, **settings)
    assert abs(risks.mean() - exact) < 4 * risks.std() / len(risks) ** 0.5
    assert exact < bounds.sharper_bound(found, **settings) < bounds.average_bound(found, **settings)
    wrong = moments.excess(found, **settings | {"burn": 10})  # the partner that must fail
    assert abs(risks.mean() - wrong) > 4 * risks.std() / len(risks) ** 0.5


def test_known_inflation():
    """1.34, 1.27, 1.10 at b = 1, 4, 16 were seen with finitely many steps; in the end it is a little more."""
    found = harmonic(20)
    values = [moments.inflation(found, step=theory.step_max(found, b) / 2, batch=b) for b in (1, 4, 16)]
    np.testing.assert_allclose(values, [1.568, 1.339, 1.132], atol=1e-3)
    settings = {"step": theory.step_max(found, 4) / 2, "batch": 4, "burn": 0, "count": 10**7}
    at_rest = moments.at_start(found, np.zeros(20))
    long = moments.excess(found, start=at_rest, **settings) * 4e7 / found.sigma2_mle
    assert long == pytest.approx(values[1], rel=1e-4)
    assert moments.inflation_bound(found, step=2.0, batch=1) == math.inf
    for model in (found, small(rows=30, d=3)):
        setting = {"step": theory.step_max(model, 2) / 2, "batch": 2}
        formula = moments.inflation(model, **setting)
        assert moments.inflation_of_runs(model, **setting) == pytest.approx(formula, rel=1e-5)


def test_floor_in_closed_form():
    found = populations.gaussian(1.0 / np.arange(1, 21), noise=0.25)
    for b, known in ((1, 0.0676), (4, 0.0404), (16, 0.01566)):
        step = theory.step_max(found, b) / 2
        exact = moments.risk(found, moments.stationary(found, step=step, batch=b))
        closed = moments.gaussian_floor(found.eigenvalues, 0.25, step=step, batch=b)
        assert closed == pytest.approx(exact, rel=1e-10) and closed == pytest.approx(known, rel=1e-3)
    late = moments.after(found, moments.at_start(found), step=0.1, batch=2, count=3000)
    floor = moments.gaussian_floor(found.eigenvalues, 0.25, step=0.1, batch=2)
    assert moments.risk(found, late) == pytest.approx(floor)


# --- bounds and schedules --------------------------------------------------------------------------------------------


def test_bounds_by_hand():
    found = populations.gaussian([1.0, 0.5], noise=2.0)
    settings = {"step": 0.1, "batch": 4, "burn": 10, "count": 50}
    left, pace = 0.95**10, 0.05 * 50
    bias, variance = left * 0.75 / pace**2, 4 * 2.0 / 200
    assert bounds.average_bound(found, **settings) == pytest.approx(2 * bias + variance)
    five = (2 + 4 * left) / 5 * bias + variance / 5
    assert bounds.average_bound(found, machines=5, **settings) == pytest.approx(five)
    reach = 0.1 * 3.5
    companion = (math.sqrt(0.5 * math.exp(-0.5) * 3.5 * 2) + math.sqrt((1 + reach / (1 - reach)) * 2 / 50)) ** 2
    assert bounds.companion_bound(found, step=0.1, burn=10, count=50) == pytest.approx(companion)
    kappa = (3.5 + 3) / (4 * 0.5)
    want = (2 * 4 * 20 / 1000) ** (20 / (4 * kappa * math.log(kappa))) * 0.75 + 80 * 2 / 1000
    assert bounds.doubling_bound(found, samples=1000, batch=4, epoch=20) == pytest.approx(want)
    assert theory.condition(found, 4) == pytest.approx(kappa)


def test_doubling_schedule():
    epochs = doubled.schedule(20_000, 6, 50)
    assert [e.batch for e in epochs] == [6, 12, 24, 48, 96, 214] and doubled.serial_steps(epochs) == 300
    assert sum(e.batch * e.steps for e in epochs) == 20_000
    assert all((e.burn, e.count) == (26, 25) for e in epochs)  # iterates 26, ..., 50
    found, rng = harmonic(5), np.random.default_rng(1)
    epochs = doubled.schedule(2000, 4, 30)
    risks = theory.risk(found, doubled.simulate(found, epochs, systems=1500, rng=rng))
    exact = moments.risk(found, doubled.moments(found, epochs))
    assert abs(risks.mean() - exact) < 4 * risks.std() / len(risks) ** 0.5


# --- what is refused -------------------------------------------------------------------------------------------------


def test_bad_populations():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    for words, X, Y in [
        ("X must be finite", np.where(x > 1, np.nan, x), y),
        ("X must have 2 dimension", y, y),
        ("y must have one value for each of the 20 rows", x, y[:5]),
        ("X must have more rows than its 3 columns, got 3", x[:3], y[:3]),
        ("smallest eigenvalue", np.c_[x, x[:, 0]], y),
        ("X must have 1 to 40 columns, got 41", rng.standard_normal((60, 41)), rng.standard_normal(60)),
        ("y must not be linear in X", x, x @ [1.0, 2.0, 3.0]),
        ("y must not be linear in X", x, np.zeros(20)),
    ]:
        with pytest.raises(ValueError, match=words) as error:
            populations.finite(X, Y)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="start must have 3 values, got 2"):
        populations.finite(x, y, start=[1.0, 2.0])
    for words, shares, variances, noises in [
        ("shares must be positive with sum 1", [0.5, 0.6], [[1.0], [1.0]], [1.0, 1.0]),
        ("must be as many, got 1, 2, 1", [1.0], [[1.0], [1.0]], [1.0]),
        ("variances must", [1.0], [[1.0, 0.0]], [1.0]),
        ("noises must", [1.0], [[1.0]], [0.0]),
    ]:
        with pytest.raises(ValueError, match=words):
            populations.mixture(shares, variances, noises)
    with pytest.raises(ValueError, match="start must have 2 values"):
        populations.gaussian([1.0, 2.0], start=[1.0])


def test_bad_settings():
    found = harmonic(3)
    with pytest.raises(ValueError, match=r"step must lie below step_div = 0\.575914 at batch 1, got 5"):
        theory.stable_step(found, 5.0, 1)
    with pytest.raises(ValueError, match="step must lie below step_div"):
        moments.stationary(found, step=5.0, batch=1)
    with pytest.raises(ValueError, match=r"samples must be >= batch \(burn \+ 1\) = 44, got 43"):
        theory.averaged_count(43, 4, 10)
    assert theory.averaged_count(47, 4, 10) == 1
    with pytest.raises(ValueError, match="samples must be >= 4 batch epoch = 400, got 399"):
        doubled.schedule(399, 10, 10)
    with pytest.raises(ValueError, match="step must lie in"):
        bounds.companion_bound(found, step=1.0, burn=1, count=1)
    with pytest.raises(ValueError, match="step must lie in"):
        bounds.sharper_bound(found, step=1.0, batch=1, burn=1, count=1)
    with pytest.raises(ValueError, match="population must be a Population, got list"):
        theory.step_div([1.0], 1)
    for name, value in (("batch", 0), ("step", -1.0), ("systems", 0), ("count", 0)):
        settings = {"step": 0.1, "batch": 1, "burn": 0, "count": 1, "systems": 1} | {name: value}
        with pytest.raises(ValueError, match=f"{name} must"):
            theory.run(found, rng=np.random.default_rng(1), **settings)
    with pytest.raises(ValueError, match="of must be one of"):
        growth.growth(found, step=0.1, batch=1, count=1, particles=2, rng=np.random.default_rng(1), of="median")


@pytest.mark.parametrize("scale", [1e100, 1e200, 1e-100])
def test_magnitudes_that_fourth_moments_cannot_keep(scale):
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    for name, args in (("X", (scale * x, y)), ("y", (x, scale * y))):
        with pytest.raises(ValueError, match=rf"{name} must have its largest magnitude in \[1e-30, 1e\+30\], got"):
            populations.finite(*args)
    for name, args in (("variances", ([1.0], [[scale]], [1.0])), ("noises", ([1.0], [[1.0]], [scale]))):
        with pytest.raises(ValueError, match=f"{name} must have its largest magnitude in"):
            populations.mixture(*args)
    with pytest.raises(ValueError, match="start must have its largest magnitude" if scale > 1 else "take other units"):
        populations.finite(x, y if scale > 1 else scale * y, start=np.full(3, scale))
    found, same = populations.finite(1e12 * x, 1e9 * y), populations.finite(x, y)
    assert theory.step_div(found, 2) == pytest.approx(1e-24 * theory.step_div(same, 2))


def test_negative_variances_are_named():
    for words, make in [
        ("eigenvalues must be positive, one at least, got least -1", lambda: populations.gaussian([1.0, -1.0])),
        ("variances must be >= 0, not all 0, got least -1", lambda: populations.mixture([1.0], [[1.0, -1.0]], [1.0])),
        ("noise must lie in", lambda: populations.gaussian([1.0], noise=-1.0)),
        ("got 1e-30 beside 1", lambda: populations.gaussian([1.0, 1e-30])),
    ]:
        with pytest.raises(ValueError, match=words) as error:
            make()
        assert "\n" not in str(error.value)


def test_runs_that_are_refused():
    found, rng = harmonic(2), np.random.default_rng(1)
    settings = {"step": 0.1, "batch": 1, "burn": 0, "count": 3, "systems": 3, "rng": rng}
    for words, changed in [
        ("start must be finite", {"start": [np.nan, 1.0]}),
        (r"start must have shape \(2,\) or \(3, 2\), got \(1,\)", {"start": [1.0]}),
        (r"start must have shape \(2,\) or \(3, 2\), got \(2, 2\)", {"start": np.ones((2, 2))}),
        ("rng must be a numpy.random.Generator, got NoneType", {"rng": None}),
        ("batch must be <= 1666666 for 3 runs in 2 columns, got 10000000000", {"batch": 10**10}),
        (r"sample must return shapes", {"sample": lambda rng, shape: (np.ones(2), np.ones(2))}),
        ("step must keep the runs below 1e308, got 100 beside step_div = ", {"step": 100.0, "count": 2000}),
    ]:
        with pytest.raises(ValueError, match=words):
            theory.run(found, **settings | changed)
    with pytest.raises(ValueError, match="rng must be"):
        growth.growth(found, step=0.1, batch=1, count=1, particles=2, rng=None)
    with pytest.raises(ValueError, match=r"rho must lie in \[1, inf\), got -1"):
        theory.step_max(found, 1, rho=-1)
    beyond = {"step": 100.0, "batch": 1, "burn": 100, "count": 10**6}
    assert moments.excess(found, **beyond) == math.inf  # and without a warning
    usual = {"step": 0.1, "batch": 1, "burn": 0, "count": 3}
    for name, value in (("burn", -1), ("count", 0), ("batch", 0)):
        for bound in (bounds.average_bound, bounds.sharper_bound):
            with pytest.raises(ValueError, match=f"{name} must be a whole number"):
                bound(found, **usual | {name: value})


def test_a_floor_beyond_the_threshold_is_refused():
    lam = np.array([1.0, 0.5, 0.2])
    limit = theory.step_div(populations.gaussian(lam), 1)
    assert moments.gaussian_floor(lam, 1.0, step=0.999 * limit, batch=1) > 100
    for step in (1.001 * limit, 3.0, 5.0, 50.0):
        with pytest.raises(ValueError, match="step must lie below the threshold of stability, q < 1, got"):
            moments.gaussian_floor(lam, 1.0, step=step, batch=1)
    for name, value in (("noise", -1.0), ("step", 0.0), ("batch", 0)):
        with pytest.raises(ValueError, match=f"^{name} must"):
            moments.gaussian_floor(lam, **{"noise": 1.0, "step": 0.1, "batch": 1} | {name: value})


def test_doubling_bound_where_one_step_ends_the_bias():
    """One column of rows of one size: kappa is 1, and nothing is left of the start."""
    found = populations.finite([[1.0], [-1.0], [1.0], [-1.0]], [1.0, 2.0, 3.0, 4.0])
    assert theory.condition(found, 1) == pytest.approx(1.0)
    bound = bounds.doubling_bound(found, samples=1000, batch=1, epoch=4)
    assert bound == pytest.approx(80 * found.sigma2_mle / 1000)
