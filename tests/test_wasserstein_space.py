"""wasserstein_space.py: sliced against loops and a closed form, exact against permutations and a linear programme."""

import importlib.machinery
import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from chaosnum import stable, wasserstein_space
from chaosnum.wasserstein import exact, sliced, wp


def cloud(d, n, seed, alpha=1.5):
    return stable.rvs(alpha, (d, n), seed=seed)


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


# ---------------------------------------------------------------- sliced


@pytest.mark.parametrize("p", [1, 1.5, 2, 5])
@pytest.mark.parametrize("d, n, m", [(1, 5, 5), (2, 40, 40), (3, 40, 25), (10, 513, 700), (40, 30, 1)])
def test_sliced_loops(d, n, m, p):
    X, Y = cloud(d, n, 1), cloud(d, m, 2)
    g = stable.rvs(2.0, (20, d), seed=9)
    found = [wp(X.T @ t / np.linalg.norm(t), Y.T @ t / np.linalg.norm(t), p) for t in g]
    ref = np.mean(np.array(found) ** p) ** (1 / p)
    assert sliced(X, Y, p, n_projections=20, seed=9) == pytest.approx(ref, rel=1e-12)
    assert sliced(X, Y, p, n_projections=20, seed=10) != ref or d == 1


def test_sliced_on_the_line_is_wp():
    X, Y = cloud(1, 100, 3), cloud(1, 60, 4)
    for p in (1, 2):
        assert sliced(X, Y, p, n_projections=7) == pytest.approx(wp(X[0], Y[0], p), rel=1e-14)


@pytest.mark.parametrize("d", [2, 5])
def test_sliced_of_a_translation(d):
    """W_p of the projections is |<theta, v>|, so SW_2 = |v| / sqrt(d); six standard errors: false alarms below 1e-8."""
    X, v = cloud(d, 50, 5), np.arange(1.0, d + 1)[:, None]
    for p, ref in ((2, np.linalg.norm(v) / math.sqrt(d)), (1, np.linalg.norm(v) * mean_of_a_coordinate(d))):
        value, error = sliced(X, X + v, p, n_projections=20_000, seed=6, error=True)
        assert value == sliced(X, X + v, p, n_projections=20_000, seed=6)
        assert abs(value - ref) < 6 * error < 0.05 * ref
        assert abs(sliced(X, X + 1.1 * v, p, n_projections=20_000, seed=6) - ref) > 6 * error


def mean_of_a_coordinate(d):
    return math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))


def test_sliced_error_is_that_of_the_mean():
    X, Y = cloud(4, 200, 7), cloud(4, 200, 8)
    values, errors = zip(*(sliced(X, Y, 2, n_projections=50, seed=seed, error=True) for seed in range(200)))
    ratio = np.std(values, ddof=1) / np.median(errors)
    assert 0.7 < ratio < 1.4
    assert math.isnan(sliced(X, Y, n_projections=1, error=True)[1])


def test_sliced_directions_are_nested_and_uniform():
    few, many = (wasserstein_space.uniform_directions(3, n, 1) for n in (10, 5000))
    np.testing.assert_array_equal(few, many[:10])
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, rtol=1e-14)
    second = many.T @ many / 5000
    assert np.abs(second - np.eye(3) / 3).max() < 6 * math.sqrt(4 / 45 / 5000)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3.5]), st.integers(0, 1000))
def test_sliced_metric(d, n, m, p, seed):
    X, Y, Z = cloud(d, n, seed), cloud(d, m, seed + 1), cloud(d, n + m, seed + 2)
    sw = lambda a, b: sliced(a, b, p, n_projections=15)  # noqa: E731
    size = max(map(np.max, map(np.abs, (X, Y, Z))))
    assert sw(X, Y) == pytest.approx(sw(Y, X), rel=1e-13)
    assert sw(X, X[:, ::-1]) == 0
    assert sw(X, Z) <= sw(X, Y) + sw(Y, Z) + 1e-12 * size
    assert sw(-3 * X, -3 * Y) == pytest.approx(3 * sw(X, Y), rel=1e-13)
    assert sw(X + 2.5, Y + 2.5) == pytest.approx(sw(X, Y), abs=1e-12 * (size + 3))
    assert sw(X, Y) <= exact(X, Y, p) * (1 + 1e-12)


def test_sliced_threads_layouts_and_blocks(monkeypatch):
    X, Y = cloud(5, 1500, 10), cloud(5, 1300, 11)
    ref = sliced(X, Y, 2, n_projections=40)
    for z in (X, Y):
        z.setflags(write=False)
    assert sliced(X, Y, 2, n_projections=40, threads=2) == ref
    assert sliced(np.asfortranarray(X), Y.T.copy().T, 2, n_projections=40) == ref
    monkeypatch.setattr(wasserstein_space, "_AT_ONCE", 3000)
    assert sliced(X, Y, 2, n_projections=40, threads=2) == ref


def test_a_float_is_returned():
    X, Y = cloud(2, 9, 29), cloud(2, 7, 30)
    found = sliced(X, Y), sliced(X, Y, error=True)[1], exact(X, Y, 2), exact(X, X[:, ::-1] + 1), exact(X[:1], Y[:1])
    assert {type(value) for value in found} == {float}


def test_sliced_scale():
    X, Y = cloud(3, 20, 12), cloud(3, 20, 13)
    assert sliced(1e200 * X, 1e200 * Y, 3) == pytest.approx(1e200 * sliced(X, Y, 3), rel=1e-12)


# ---------------------------------------------------------------- exact


@pytest.mark.parametrize("p", [1, 1.7, 2])
@pytest.mark.parametrize("d, n", [(1, 4), (2, 1), (2, 5), (3, 6)])
def test_exact_permutations(d, n, p):
    X, Y = cloud(d, n, 14), cloud(d, n, 15)
    cost = cdist(X.T, Y.T) ** p
    ref = min(cost[range(n), list(s)].mean() for s in itertools.permutations(range(n))) ** (1 / p)
    assert exact(X, Y, p) == pytest.approx(ref, rel=1e-13)
    assert n < 4 or exact(X, Y, p) < cost.diagonal().mean() ** (1 / p)


def by_linear_programme(X, Y, p, a, b):
    cost = cdist(X.T, Y.T) ** p
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    found = linprog(cost.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate([a / a.sum(), b / b.sum()]))
    return found.fun ** (1 / p)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("n, m", [(7, 7), (1, 6), (12, 9)])
def test_exact_linear_programme(n, m, p):
    rng = np.random.default_rng(16)
    X, Y, a, b = cloud(3, n, 16, 2.0), cloud(3, m, 17, 2.0), rng.random(n), rng.random(m)
    ref = by_linear_programme(X, Y, p, a, b)
    assert exact(X, Y, p, x_weights=a, y_weights=b) == pytest.approx(ref, rel=1e-8)
    assert exact(X, Y, p) == pytest.approx(by_linear_programme(X, Y, p, np.ones(n), np.ones(m)), rel=1e-8)
    padded = np.hstack([X, cloud(3, 2, 18)])
    assert exact(padded, Y, p, x_weights=np.append(a, [0, 0]), y_weights=7 * b) == pytest.approx(ref, rel=1e-8)


def test_exact_on_the_line():
    rng = np.random.default_rng(19)
    x, y, a = cloud(1, 60, 19)[0], cloud(1, 45, 20)[0], rng.random(60)
    along = np.array([[0.36], [0.48], [0.8]])
    for p in (1, 2.5):
        assert exact(along * x, along * y, p) == pytest.approx(wp(x, y, p), rel=1e-12)
        assert exact(along * x, along * y, p, x_weights=a) == pytest.approx(wp(x, y, p, x_weights=a), rel=1e-12)
        assert exact(x[None], y[None], p, x_weights=a) == wp(x, y, p, x_weights=a)
    assert exact(np.ones((1, 9000)), np.zeros((1, 9000))) == 1.0  # no limit there


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("alpha", [0.7, 1.5, 2.0])
def test_both_solvers(alpha, p):
    X, Y = cloud(4, 150, 21, alpha), cloud(4, 150, 22, alpha)
    ref = exact(X, Y, p)
    assert exact(X, Y, p, x_weights=np.ones(150)) == pytest.approx(ref, rel=1e-10)
    assert exact(X, np.repeat(Y, 2, axis=1), p) == pytest.approx(ref, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), st.integers(1, 8), st.integers(1, 8), st.sampled_from([1, 2, 3]), st.integers(0, 1000))
def test_exact_metric(d, n, m, p, seed):
    X, Y, Z = cloud(d, n, seed), cloud(d, m, seed + 1), cloud(d, n, seed + 2)
    w = exact(X, Y, p)
    size = max(map(np.max, map(np.abs, (X, Y, Z))))
    assert exact(Y, X, p) == pytest.approx(w, rel=1e-9)
    assert exact(X, X[:, ::-1], p) == pytest.approx(0, abs=1e-12 * size)
    assert exact(X, Z, p) <= w + exact(Y, Z, p) + 1e-9 * size
    turned = rotation(d, seed)
    assert exact(2 * turned @ X + 1, 2 * turned @ Y + 1, p) == pytest.approx(2 * w, rel=1e-9, abs=1e-12 * size)
    v = np.arange(1.0, d + 1)[:, None]
    assert exact(X, X + v, p) == pytest.approx(np.linalg.norm(v), rel=1e-9)


def test_exact_scale():
    X, Y = cloud(3, 20, 23), cloud(3, 20, 24)
    for scale in (1e-300, 1e250):
        assert exact(scale * X, scale * Y, 2) == pytest.approx(scale * exact(X, Y, 2), rel=1e-12)
    assert exact(np.zeros((2, 3)), np.zeros((2, 4))) == 0.0
    assert exact(np.ones((2, 3)), np.ones((2, 4)), 2) == 0.0


def test_a_solver_that_stops_early_is_an_error(monkeypatch):
    monkeypatch.setattr(wasserstein_space, "_ITERATIONS", 3)
    X, Y = cloud(3, 60, 25), cloud(3, 50, 26)
    with pytest.raises(RuntimeError, match="not solved: numItermax"):
        exact(X, Y)


def test_limit():
    X, Y = cloud(2, 30, 27), cloud(2, 40, 28)
    with pytest.raises(ValueError, match="at most limit = 1,199 pairs of points, got 1,200"):
        exact(X, Y, limit=1199)
    assert exact(X, Y, limit=1200) == exact(X, Y)


class Finder:
    """Finds one package, which notes the environment it is imported in."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "ot" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.seen = dict(os.environ)


def test_pot_comes_without_array_libraries(monkeypatch):
    monkeypatch.delitem(sys.modules, "ot", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setitem(sys.modules, "torch", None)  # as if imported already: then it is not hidden
    monkeypatch.setenv("POT_BACKEND_DISABLE_JAX", "")
    monkeypatch.delenv("POT_BACKEND_DISABLE_PYTORCH", raising=False)
    before = dict(os.environ)
    seen = wasserstein_space.pot().seen
    assert dict(os.environ) == before
    added = {"POT_BACKEND_DISABLE_CUPY": "1", "POT_BACKEND_DISABLE_TENSORFLOW": "1"}
    assert seen == before | added
    monkeypatch.delitem(sys.modules, "ot")


POT_ALONE = """
import os, sys
class Trap:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "jax", "cupy", "tensorflow"):
            raise SystemExit(f"imported {name}")
sys.meta_path.insert(0, Trap())
from chaosnum import wasserstein
wasserstein.exact([[0.0, 1], [0, 1]], [[0.0, 2], [1, 3]])
assert "ot" not in sys.modules
wasserstein.exact([[0.0, 1], [0, 1]], [[0.0], [1]])
assert "ot" in sys.modules
"""


@pytest.mark.long
def test_pot_imports_no_array_library():
    env = {k: v for k, v in os.environ.items() if not k.startswith("POT_BACKEND")}
    done = subprocess.run([sys.executable, "-c", POT_ALONE], env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- errors


X, Y = np.zeros((2, 3)), np.ones((2, 4))
BAD = [
    ({"X": np.zeros((3, 3))}, r"X and Y must have equally many rows .* got \(3, 3\) and \(2, 4\)"),
    ({"X": np.zeros((2, 0))}, r"X must not be empty, got shape \(2, 0\)"),
    ({"Y": np.zeros(4)}, r"Y must have 2 dimension\(s\), got shape \(4,\)"),
    ({"X": np.full((2, 3), np.nan)}, "X must be finite, got 6 NaN"),
    ({"X": [["a", "b"]]}, "X must be an array of finite numbers, got dtype"),
    ({"Y": [[1.0], [1.0, 2.0]]}, "Y must be an array of finite numbers, got list"),
    ({"p": 0.5}, r"p must lie in \[1, inf\), got 0.5"),
    ({"p": math.inf}, r"p must lie in \[1, inf\), got inf"),
    ({"p": math.nan}, r"p must lie in \[1, inf\), got nan"),
    ({"alpha": 0}, "alpha must lie in"),
]


@pytest.mark.parametrize("function", [sliced, exact])
@pytest.mark.parametrize("wrong, message", BAD, ids=lambda v: str(v)[:30])
def test_bad_input(function, wrong, message):
    with pytest.raises(ValueError, match=message) as error:
        function(**({"X": X, "Y": Y} | wrong))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong, message", [
    ({"n_projections": 0}, "n_projections must be a whole number >= 1, got 0"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"threads": 0}, "threads must be"),
])  # fmt: skip
def test_bad_input_sliced(wrong, message):
    with pytest.raises(ValueError, match=message):
        sliced(X, Y, **wrong)


@pytest.mark.parametrize("wrong, message", [
    ({"x_weights": [1, 1]}, r"x_weights must have one entry per point, shape \(3,\), got \(2,\)"),
    ({"y_weights": [1, 1, -1, 0]}, "y_weights must be zero or more, got -1"),
    ({"y_weights": [0, 0, 0, 0]}, "y_weights must have a positive and finite sum, got 0"),
    ({"limit": 0}, "limit must be a whole number >= 1"),
])  # fmt: skip
def test_bad_input_exact(wrong, message):
    with pytest.raises(ValueError, match=message):
        exact(X, Y, **wrong)


@pytest.mark.parametrize("function", [sliced, exact])
def test_infinite_distance_of_the_laws_warns(function):
    with pytest.warns(UserWarning, match="p = 2 >= alpha = 1.5") as caught:
        function(X, Y, 2, alpha=1.5)
    assert caught[0].filename == __file__
