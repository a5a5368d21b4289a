"""Proofs: steps hold, spoilt proofs break where they say, right sides are the claims' bounds, one-line errors."""

import configparser
import json
import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import chaosnum as cn
from chaosnum import cli, proof
from proofs_checks import euler_error, euler_error_proof, propagation_of_chaos, propagation_of_chaos_proof
from proofs_checks.beds import kuramoto_flow, network
from proofs_checks.paths import drift

ALL = (*propagation_of_chaos_proof.PROOFS, *euler_error_proof.PROOFS)
SMALL = {
    ("C2", "kuramoto"): {"n": 50, "replicas": 500, "eta": 0.05},
    ("C2", "network"): {"n": 32, "replicas": 24},
    ("C2", "linear"): {"n": 40, "replicas": 300, "eta": 0.05},
    ("C3", "kuramoto"): {"n": 60, "replicas": 8, "eta": 0.0625, "refine": 4},
    ("C3", "network"): {"n": 16, "replicas": 4, "eta": 0.125, "refine": 4},
    ("C3", "linear"): {"n": 60, "replicas": 8, "eta": 0.0625, "refine": 4},
}
SPOILT = [(p, c) for p in ALL for c in p.controls]


def small(p):
    return replace(p, params={**p.params, **SMALL[p.id, p.model]})


def label(value):
    return f"{value.id}-{value.model}" if isinstance(value, proof.Proof) else getattr(value, "name", None)


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """The known proofs, made small; a reference network of thousands rather than ten thousands of units."""
    monkeypatch.setattr(propagation_of_chaos_proof, "reference_size", lambda n: 100 * n)
    monkeypatch.setattr(proof, "proofs", lambda: [small(p) for p in ALL])


def run(capsys, *argv):
    status = cli.main(["proof", *map(str, argv)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("alpha", [1.2, 1.8, 2.0])
@pytest.mark.parametrize("p", ALL, ids=label)
def test_no_step_is_violated(p, alpha):
    for step in proof.run(small(p), alpha=alpha, seed=3)["steps"]:
        assert step["verdict"] != proof.VIOLATED, (alpha, step)
        pathwise = step["error"] is None
        assert not pathwise or step["verdict"] == proof.HOLDS, (alpha, step)


@pytest.mark.parametrize("p, control", SPOILT, ids=label)
def test_a_spoilt_proof_breaks_where_it_says(p, control):
    steps = proof.run(small(p), control=control.name, seed=3)["steps"]
    verdicts = {}
    for step in steps:
        verdicts.setdefault(step["number"].rstrip("abc"), []).append(step["verdict"])
    assert proof.VIOLATED in verdicts[control.breaks], steps
    for number, found in verdicts.items():  # what does not need the hypothesis stands
        assert number >= control.breaks or proof.VIOLATED not in found, steps


def test_numbers_are_those_of_the_proofs():
    for p in ALL:
        assert list(dict.fromkeys(s.number.rstrip("abc") for s in p.steps)) == ["1", "2", "3", "4"]
        assert {c.breaks for c in p.controls} <= {"1", "2", "3", "4"}
    assert len({(p.id, p.model) for p in ALL}) == len(ALL)


def test_setup_names_the_proofs():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    lines = setup["options.entry_points"]["chaosnum.proofs"].strip().splitlines()
    found = []
    for line in lines:
        module, name = line.split("=")[1].strip().split(":")
        found += getattr(import_module(module), name)
    assert found == list(ALL)


def test_right_sides_are_the_claims_bounds():
    """Computed here the way `chaosnum verify` computes them."""
    p = {"alpha": 1.5, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 0.05}
    found = {s["number"]: s for s in proof.run(small(ALL[0]))["steps"]}
    assert found["4b"]["right"] == pytest.approx(propagation_of_chaos._kuramoto_bound(50, **p), rel=1e-12)
    assert found["3a"]["right"] == pytest.approx(50**-0.5)
    r = (kuramoto_flow(**p)[:-1] ** 2).sum(axis=1).min()
    assert found["3b"]["right"] == pytest.approx(((1 - r) / 50) ** 0.5)
    assert found["4a"]["right"] == pytest.approx(cn.bounds.chaos_bound(50, 1.0, 1.0, 1.0, eta=0.05))

    found = {s["number"]: s for s in proof.run(small(ALL[3]))["steps"]}
    assert found["4b"]["right"] == pytest.approx(euler_error._kuramoto_bound(0.0625, 1.5, 1.0, 1.0, 1.0))
    assert found["4c"]["right"] == pytest.approx(euler_error._kuramoto_bound_max(0.0625, 1.5, 1.0, 1.0, 1.0, 60))

    told = proof.run(small(ALL[4]))
    found, at = {s["number"]: s for s in told["steps"]}, {k: told["params"][k] for k in ("data", "unit", "loss")}
    assert found["4b"]["right"] == pytest.approx(euler_error._network_bound(0.125, 1.5, 1.0, 1.0, **at))
    assert found["4c"]["right"] == pytest.approx(euler_error._network_bound_max(0.125, 1.5, 1.0, 1.0, 16, **at))


def test_drift_is_the_beds():
    rng = np.random.default_rng(5)
    theta, m = rng.standard_normal((2, 7)), np.array([[0.3, -0.2], [0.1, 0.6]])
    expected = 1.5 * (m[:, 1:] * np.cos(theta) - m[:, :1] * np.sin(theta))
    np.testing.assert_allclose(drift(cn.kuramoto.Kuramoto(1.5), theta, m), expected, atol=1e-13)

    bed = network("digits", "tanh", "logistic")
    theta, f = rng.standard_normal((bed.p, 5)), rng.uniform(-1, 1, bed.m)
    inputs = np.column_stack([bed.X, np.ones(bed.m)])
    slope = bed.y / (1 + np.exp(bed.y * f)) / bed.m  # - d_1 l / m
    expected = inputs.T @ (slope[:, None] * (1 - np.tanh(inputs @ theta) ** 2))
    np.testing.assert_allclose(drift(bed, theta, f), expected, atol=1e-13)


def test_a_seed_decides():
    one, same, other = (proof.run(small(ALL[3]), seed=s)["steps"] for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_tightest_finds_the_worst_place():
    found = proof.Tightest()
    found.add(np.array([0.1, 0.9]), np.array([1.0, 1.0]))
    found.add(np.array([0.2, 0.3]), 0.5)
    assert (found.sides().left, found.sides().right) == (0.9, 1.0)
    found.add(1e-14, 0.0, 1e-13)  # rounding is no violation
    assert found.sides().verdict == proof.HOLDS
    found.add(1e-3, 0.0, 1e-13)
    assert found.sides().verdict == proof.VIOLATED
    broken = proof.Tightest()
    broken.add(np.array([0.1, np.nan]), 1.0)
    assert broken.sides().verdict == proof.VIOLATED


@pytest.mark.parametrize(
    "left, right, error, verdict",
    [
        (1.0, 1.0, 0.0, "holds"), (1.0, 0.999, 0.0, "VIOLATED"), (1.0, 1.5, 0.1, "holds"), (1.0, 1.3, 0.1, "open"),
        (1.0, 0.7, 0.1, "open"), (1.0, 0.5, 0.1, "VIOLATED"), (math.nan, 1.0, 0.0, "VIOLATED"),
        (1.0, 2.0, math.inf, "open"),
    ],
)  # fmt: skip
def test_verdicts(left, right, error, verdict):
    assert proof.Sides(left, right, error=error).verdict == verdict


def test_errors_of_means_and_medians():
    """Both scale as they should for a normal sample: 1 and sqrt(pi/2) over sqrt(R)."""
    x = np.random.default_rng(1).standard_normal(40_000)
    assert proof.of_mean(x, 1.0).error == pytest.approx(1 / 200, rel=0.05)
    assert proof.of_median(x, 1.0).error == pytest.approx(math.sqrt(math.pi / 2) / 200, rel=0.15)


def test_a_vacuous_bound_is_called_so():
    found = proof.run(small(ALL[4]))  # C3 on bed N: the noise of 65 components
    assert found["model"] == "network"
    step = next(s for s in found["steps"] if s["number"] == "4a")
    assert step["vacuous"] and "2 sup|b| T = 2.83" in step["note"] and "not so from η = " in step["note"]


def test_prints_every_step_in_80_columns(capsys):
    status, out, _ = run(capsys, "C2", "--model", "kuramoto")
    assert status == 0 and "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    for step in ALL[0].steps:
        assert f"\n  {step.number} " in out and step.formula in out
    assert "constants  A = 1  D = 1" in out and "9 steps: " in out


def test_violated_is_status_1(capsys):
    status, out, _ = run(capsys, "c2", "--model", "kuramoto", "--control", "common-noise")
    assert status == 1
    assert "VIOLATED" in out and "Step 3 needs it." in out


def test_prints_one_json_object(capsys):
    def refuse(name):
        raise ValueError(name)

    status, out, _ = run(capsys, "euler-error", "--model", "linear", "--alpha", "1.7", "--seed", "5", "--json")
    about = json.loads(out, parse_constant=refuse)
    assert status == 0 and about["seed"] == 5
    (told,) = about["proofs"]
    assert (told["proof"], told["model"], told["params"]["alpha"]) == ("C3", "linear", 1.7)
    assert told["constants"]["sup_b"] is None and told["constants"]["A"] == 2.0  # infinite
    assert {"number", "words", "formula", "left", "error", "right", "slack", "verdict", "vacuous"} <= set(
        told["steps"][0]
    )


@pytest.mark.parametrize(
    "argv, words",
    [
        (["C9"], "proof must be one of C2, C3, got 'C9'"),
        (["C2", "--alpha", "1"], "alpha must lie in (1, 2], got 1.0"),
        (["C2", "--alpha", "2.5"], "alpha must lie in (1, 2], got 2.5"),
        (["C2", "--alpha", "nan"], "alpha must lie in (1, 2], got nan"),
        (["C2", "--model", "torus"], "model must be one of kuramoto, network, linear, got 'torus'"),
        (["C2", "--control", "redrawn"], "control must be one of common-noise, independent-copy, got 'redrawn'"),
        (["C3", "--control", "wrong-scale", "--alpha", "2"], "control wrong-scale spoils nothing at alpha = 2"),
        (["C2", "--seed", "-1"], "seed must be a whole number >= 0, got -1"),
    ],
)
def test_bad_input_is_one_line(capsys, argv, words):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith("chaosnum: error: ") and words in err


def test_entry_points_must_hold_proofs(monkeypatch):
    from importlib import metadata

    class Point:
        name = value = "x"

        def load(self):
            return [ALL[0], "no proof"]

    monkeypatch.undo()
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point()])
    with pytest.raises(ValueError, match=r"entry points of chaosnum\.proofs must hold proofs, got 'no proof'"):
        proof.proofs()
