"""C5, C6 and C7 as claims: their measures against plain NumPy, their controls, and what they refuse."""

import numpy as np
import pytest

import chaosnum as cn
from proofs_checks import compressibility, dichotomy, fitted_prediction

EVERY = (*compressibility.CLAIMS, *dichotomy.CLAIMS, *fitted_prediction.CLAIMS)


def best(y, kappa):
    """Relative l_2 error of the best kappa n of the numbers y, by the definition."""
    y = np.sort(np.abs(y))[::-1]
    rest = y[int(kappa * y.size) :]
    return np.sqrt((rest**2).sum() / (y**2).sum())


def small(claim, **grid):
    """The first case of a claim, with one value for each parameter."""
    return {k: (v[0] if isinstance(v, tuple) else v) for k, v in claim.params.items()} | grid


def test_errors_are_those_of_the_definition():
    norms = np.abs(cn.stable.rvs(1.5, (5, 40), seed=1))
    np.testing.assert_allclose(compressibility._errors(norms, 0.1), [best(row, 0.1) for row in norms], rtol=1e-12)
    first = [np.sqrt((row[4:] ** 2).sum() / (row**2).sum()) for row in norms]
    np.testing.assert_allclose(compressibility._first_kept(norms, 0.1), first, rtol=1e-12)


def test_shares_of_bed_k_are_those_of_a_plain_simulation():
    case = small(compressibility.KURAMOTO, alpha=1.5)
    found = compressibility.kuramoto_shares(100, seed=4, **case)
    scheme = cn.particles.Scheme(1.5, 1.0, 1.0, 0.05)
    theta = cn.particles.simulate(compressibility.kuramoto(1.0), 100, scheme, seed=4, systems=50).theta
    law = compressibility.line_norm(1.5, 1.0, 1.0, 1.0, 0.05)
    for name, level in compressibility.LEVELS.items():
        point = cn.compress.error_quantiles(level, 100, 1.5, 0.1, law=law)
        assert found[name] == np.mean([best(row, 0.1) <= point for row in theta])


def test_the_papers_step():
    assert compressibility._step(100, 1.5, 1.0, "paper") == 1.0 / 3163  # 100^1.75 = 3162.3
    assert compressibility._step(100, 1.5, 2.0, "paper") <= 100**-1.75
    assert compressibility._step(100, 1.5, 2.0, "large") == 0.5


def test_error_cdf_inverts_the_quantiles():
    law = compressibility.line_norm(1.5, 1.0, 1.0, 1.0, 0.05)
    q = np.array([0.01, 0.05, 0.5, 0.95, 0.999])
    error = cn.compress.error_quantiles(q, 300, 1.5, 0.1, law=law)
    np.testing.assert_allclose(cn.compress.error_cdf(error, 300, 1.5, 0.1, law=law), q, rtol=1e-9)
    np.testing.assert_array_equal(cn.compress.error_cdf([0.0, 1.0], 300, 1.5, 0.1, law=law), [0.0, 1.0])
    for error in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="error must"):
            cn.compress.error_cdf(error, 300, 1.5, 0.1)


@pytest.mark.parametrize("alpha", [1.2, 1.8])
def test_c5_on_bed_k(alpha):
    params = {"alpha": [alpha]}
    verdicts = cn.verify(compressibility.KURAMOTO, params=params, seed=7)
    assert all(v.verdict != "violated" for v in verdicts)  # false alarm: 0.001
    assert sum(v.verdict == "holds" for v in verdicts) >= 2
    controls = cn.verify(compressibility.KURAMOTO, params=params, seed=7, control="all")
    assert all(v.verdict == "violated" for v in controls)


@pytest.mark.parametrize("noise", ["I", "III"])
def test_c5_on_a_network(noise):
    params = {"alpha": [1.5], "noise": [noise]}
    verdicts = cn.verify(compressibility.NETWORK_CLAIM, params=params, seed=8)
    assert all(v.verdict != "violated" for v in verdicts)
    controls = cn.verify(compressibility.NETWORK_CLAIM, params=params, seed=8, control="all")
    assert all(v.verdict == "violated" for v in controls)


def test_step_size_condition():
    params = {"alpha": [1.2]}
    verdicts = cn.verify(compressibility.CONDITION, params=params, seed=9)
    assert all(v.verdict != "violated" for v in verdicts)
    assert sum(v.verdict == "holds" for v in verdicts) >= 4
    controls = cn.verify(compressibility.CONDITION, params=params, seed=9, control="all")
    assert all(v.verdict == "violated" for v in controls)


@pytest.mark.parametrize("claim", dichotomy.CLAIMS, ids=lambda c: f"{c.model}-{c.quantity}")
def test_c6(claim):
    params = {"alpha": [2.0 if claim is dichotomy.GAUSSIAN else 1.2], "kappa": [0.1]}
    assert [v.verdict for v in cn.verify(claim, params=params, seed=3)] == ["holds"]
    assert all(v.verdict == "violated" for v in cn.verify(claim, params=params, seed=3, control="all"))


@pytest.mark.parametrize("claim", fitted_prediction.CLAIMS, ids=lambda c: c.model)
def test_c7(claim):
    assert all(v.verdict != "violated" for v in cn.verify(claim, params={"alpha": [1.5]}, seed=3))
    controls = cn.verify(claim, params={"alpha": [1.8]}, seed=3, control="all")
    assert controls and all(v.verdict == "violated" for v in controls)


def test_an_index_that_leaves_no_prediction_is_outside_the_interval():
    x = cn.stable.rvs(2.0, 4000, seed=1)
    assert fitted_prediction._fitted(x, 0.1)[fitted_prediction.WITHIN] == 0.0


@pytest.mark.parametrize("claim", EVERY, ids=lambda c: f"{c.id}-{c.name}-{c.model}-{c.quantity}")
def test_a_share_that_keeps_nothing_or_everything_is_refused(claim):
    for kappa in (1e-6, 1.0):
        with pytest.raises(ValueError, match="kappa must keep 1 to n - 1 of n"):
            cn.sweep.plan(claim, params={"kappa": [kappa]})


@pytest.mark.parametrize("claim", EVERY, ids=lambda c: f"{c.id}-{c.name}-{c.model}-{c.quantity}")
def test_every_claim_has_a_control_in_every_case(claim):
    for case in claim.cases():
        assert any(control.is_for(case) for control in claim.controls)
