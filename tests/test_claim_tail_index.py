"""C1: the inequalities path by path, the exact laws, and the claims at a small budget with their controls."""

import math

import numpy as np
import pytest

import chaosnum as cn
from chaosnum.particles import Scheme, simulate
from proofs_checks import tail_index as c1
from proofs_checks.beds import NETWORK, kuramoto, network


@pytest.mark.parametrize("alpha", [1.2, 1.8])
def test_particles_stay_within_the_drift_of_their_noise(alpha):
    """Step 2 of the proof, path by path, on beds K and N."""
    scheme = Scheme(alpha, 1.0, 1.0, 0.25)
    beds = (kuramoto(1.0), 1.0), (network("digits", "tanh", "logistic", 10), None)
    for bed, bound in beds:
        bound = bound or bed.constants().sup_b
        path, xi, total = scheme.path(bed.p, 500, seed=3), np.empty((bed.p, 500)), np.zeros((bed.p, 500))
        for k in range(scheme.steps):
            total += path.fill(k, xi)
        end, start = simulate(bed, 500, scheme, seed=3, threads=1).theta, bed.initial(500, seed=3)
        off = np.sqrt(((end - start - total) ** 2).sum(axis=0))
        assert off.max() <= bound * scheme.T * (1 + 1e-9)
        assert off.max() > 0.05 * bound  # the drift is there


@pytest.mark.parametrize("alpha, n", [(1.3, 3), (2.0, 5)])
def test_the_scale_of_a_particle_of_bed_l(alpha, n):
    """By the weights of the noise themselves, propagated one step at a time."""
    lam, chi, eta, steps, sigma = 0.7, 1.1, 0.2, 5, 1.3
    weights = np.zeros((steps, n, n))  # of the noise of step k and particle m on particle i
    for k in range(steps):
        weights[k] = np.eye(n)
        for earlier in weights[:k]:
            earlier[:] = earlier * (1 - eta * (lam + chi)) + eta * chi * earlier.mean(axis=1, keepdims=True)
    exact = sigma * (eta * (np.abs(weights[:, :, 0]) ** alpha).sum()) ** (1 / alpha)
    assert c1.linear_scale(n, alpha, sigma, lam, chi, steps * eta, eta) == pytest.approx(exact, rel=1e-12)
    many = c1.linear_scale(10**12, alpha, sigma, lam, chi, steps * eta, eta)  # what is left is of order n^(1 - alpha)
    assert many == pytest.approx(cn.linear.marginal_scale_euler(steps, eta, alpha, sigma, lam, chi), rel=3e-4)
    assert abs(many / exact - 1) > 0.005  # so the interaction is seen


def test_bands_and_limits_agree_far_out():
    params = {"alpha": 1.5, "sigma": 2.0, "K": 1.0, "T": 0.5}
    for r in (50.0, 1e4):
        low, high = (side(r, **params) for side in (c1._kuramoto_lower, c1._kuramoto_upper))
        limit = c1._kuramoto_limit(r, 1.5)
        assert low < limit < high
        assert high / low < 1.3 * (1 + c1._slack(1.5)) / (1 - c1._slack(1.5))
    assert c1._kuramoto_upper(0.2, **params) == 1.0
    for noise in c1.KINDS:
        own = {"alpha": 1.5, "sigma": 1.0, "T": 1.0, "noise": noise, **NETWORK}
        limit = c1._network_limit(1e4, 1.5, noise, **NETWORK)
        assert c1._network_lower(1e4, **own) < limit < c1._network_upper(1e4, **own)
        assert c1._network_upper(0.5, **own) == 1.0


def test_half_power_changes_the_scale_by_what_the_text_says():
    sigma = c1._half_power(1.5, 1.0, 0.25)
    assert sigma * 0.25 ** (1 / 1.5) == pytest.approx(0.25**0.5)
    assert c1._half_power(2.0, 1.0, 0.25) == 1.0


def small(claim, **changes):
    """The claim's verdicts at few replicas: {statistic: verdict}."""
    params = {"alpha": 1.5, **changes.pop("params", {})}
    found = cn.verify([claim], budget="quick", seed=changes.pop("seed", 1), params=params, **changes)
    return {v.statistic: v for v in found}


def test_claims_hold_at_the_quick_budget():
    for claim in c1.CLAIMS:
        for statistic, v in small(claim, params={"noise": "III"} if claim.model == "network" else {}).items():
            assert v.verdict != "violated", (claim.model, statistic, v.reason)
    v = small(c1.KURAMOTO)["mean of particles beyond r"]
    assert abs(v.measured["exponent"] + 1.5) < 0.1, v.reason


@pytest.mark.parametrize("control", ["gaussian-noise", "other-index", "half-power"])
def test_controls_on_bed_k_are_caught(control):
    for statistic, v in small(c1.KURAMOTO, control=control).items():
        assert v.verdict == "violated", (statistic, v.reason)


@pytest.mark.parametrize("control", ["no-decay", "gaussian-noise"])
def test_controls_on_bed_l_are_caught(control):
    for statistic, v in small(c1.LINEAR, control=control).items():
        assert v.verdict == "violated", (statistic, v.reason)


@pytest.mark.parametrize("noise", c1.KINDS)
def test_controls_on_bed_n_are_caught(noise):
    for control, alpha in (("gaussian-noise", 1.5), ("half-power", 1.2)):
        for statistic, v in small(c1.NETWORK_CLAIM, params={"alpha": alpha, "noise": noise}, control=control).items():
            assert v.verdict == "violated", (statistic, v.reason)


def test_near_two_there_is_no_such_claim():
    for claim in c1.CLAIMS:
        with pytest.raises(ValueError, match=r"^alpha must lie in \(1, 1.95\], got 2.0"):
            claim.cases({"alpha": 2.0})
    with pytest.raises(ValueError, match="^eta must be below"):
        c1._ready(2, **{**c1.LINEAR.cases()[0], "eta": 0.5})
    with pytest.raises(ValueError, match="^n must be a whole number >= 2"):
        c1._ready(2, **{**c1.KURAMOTO.cases()[0], "n": 1})
    assert not c1.KURAMOTO.controls[2].is_for({"alpha": 1.8, "eta": 0.25})
    assert math.isclose(c1.stable_tail(-1.0, 1.5, 1.0), 1.0)


def test_outside_the_assumptions_the_band_says_nothing():
    """ReLU and the square loss: no bound of the drift, so no band; inconclusive and not violated."""
    own = {"alpha": 1.5, "noise": "II", "unit": "relu", "loss": "square"}
    found = small(c1.NETWORK_CLAIM, params=own)
    band = next(v for name, v in found.items() if "increments" in name)
    assert band.verdict == "inconclusive" and "vacuous" in band.reason


def test_a_drift_as_large_as_the_radius_leaves_a_vacuous_band():
    found = small(c1.KURAMOTO, params={"K": 80.0})
    band = next(v for name, v in found.items() if "increments" in name)
    assert band.verdict == "inconclusive" and "vacuous" in band.reason


def test_radii_are_in_units_of_the_noise():
    found = small(c1.KURAMOTO, params={"sigma": 10.0})
    assert all(v.verdict != "violated" for v in found.values())
