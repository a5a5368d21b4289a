"""prune.py and its parts removal.py, prunescore.py, layers.py: what is removed is what plain loops over the definition
remove, the errors are the weights' own, and a study says what the pruned networks do."""

import json
import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from chaosnum import compress, fitted, layers, mlp, prune, prunescore, removal

EPS = np.finfo(float).eps
MODES = {"columns": prune.columns, "entries": prune.entries, "singular_values": prune.singular_values}


def network(*widths, seed=1, dtype="float64", tail=1.5):
    """Heavy-tailed weights of these widths."""
    rng = np.random.default_rng(seed)
    return [rng.standard_t(tail, shape).astype(dtype) for shape in zip(widths, widths[1:])]


def loop(weights, *, error=None, ratio=None, pooled=False):
    """The definition in exact arithmetic: indices of the columns removed, by hidden layer."""
    squares = [[sum(Fraction(float(v)) ** 2 for v in column) for column in w.T] for w in weights[:-1]]
    groups = [[(square, l, j) for j, square in enumerate(layer)] for l, layer in enumerate(squares)]
    groups = [[unit for group in groups for unit in group]] if pooled else groups
    gone = [set() for _ in squares]
    for group in groups:
        whole, lost = sum(square for square, _, _ in group), Fraction(0)
        for count, (square, l, j) in enumerate(sorted(group)):
            lost += square
            if (count >= math.floor(Fraction(ratio).limit_denominator(1000) * len(group)) if error is None
                    else lost > Fraction(error) * whole):  # fmt: skip
                break
            gone[l].add(j)
    return gone


def zero_columns(pruned):
    return [set(np.flatnonzero(~w.any(axis=0)).tolist()) for w in pruned.weights[:-1]]


def relative(weights, pruned):
    """The errors by layer and of all, from the arrays themselves."""
    lost = [np.sum((a.astype(float) - b) ** 2) for a, b in zip(weights[:-1], pruned.weights)]
    whole = [np.sum(a.astype(float) ** 2) for a in weights[:-1]]
    return [(a / b) ** 0.5 for a, b in zip(lost, whole)], (sum(lost) / sum(whole)) ** 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pooled", [False, True])
def test_columns_by_the_error_criterion(dtype, pooled):
    """No sum of two columns here is within round-off of the bound, so the exact loop decides alike."""
    weights = network(7, 37, 23, 3, dtype=dtype)
    for error in (0.0, 0.01, 0.1, 0.37, 0.9, 1.0):
        pruned = prune.columns(weights, error=error, scope="global" if pooled else "layer")
        gone = loop(weights, error=error, pooled=pooled)
        assert zero_columns(pruned) == gone
        assert pruned.removed == tuple(map(len, gone))
        assert pruned.squared_error <= error * (1 + 100 * EPS)
        for w, new, columns in zip(weights, pruned.weights, gone):
            rest = [j for j in range(w.shape[1]) if j not in columns]
            assert new.dtype == w.dtype and np.array_equal(new[:, rest], w[:, rest])
    # partner: the criterion on norms instead of squared norms is another one
    assert loop(weights, error=0.1**2, pooled=pooled) != loop(weights, error=0.1, pooled=pooled)
    default = prune.columns(weights, scope="global" if pooled else "layer")
    assert zero_columns(default) == loop(weights, error=0.1, pooled=pooled)


@pytest.mark.parametrize("pooled", [False, True])
def test_columns_by_ratio(pooled):
    weights = network(4, 37, 30, 2, seed=3)
    for ratio in (*prune.RATIOS, 0.29, 1 / 37, 2 / 37, 0.999):
        pruned = prune.columns(weights, ratio=ratio, scope="global" if pooled else "layer")
        assert zero_columns(pruned) == loop(weights, ratio=ratio, pooled=pooled)
    for n in (10, 29, 100, 1000):  # 0.29 * 100 is 28.999999999999996 in floating point
        sizes = [np.ones((1, n)), np.ones((n, 2))]
        assert [prune.columns(sizes, ratio=k / n).removed[0] for k in range(n + 1)] == list(range(n + 1))


@pytest.mark.parametrize("unit", MODES)
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_errors_are_those_of_the_arrays(unit, scope, dtype):
    weights = network(9, 31, 14, 3, seed=5, dtype=dtype)
    weights[1] *= 0.1  # global is not the same as by layer
    before = [w.copy() for w in weights]
    tight = 1e-12 if unit != "singular_values" or dtype == "float64" else 4e-7  # the product is rounded to float32
    for choice in ({"error": 0.2}, {"ratio": 0.4}, {"ratio": 1.0}, {"ratio": 0.0}):
        pruned = MODES[unit](weights, scope=scope, **choice)
        errors, error = relative(weights, pruned)
        assert np.allclose(pruned.errors, errors, rtol=tight, atol=tight)
        assert pruned.error == pytest.approx(error, rel=tight, abs=tight)
        assert pruned.squared_error == pruned.error**2
        units = {"columns": [31, 14], "entries": [9 * 31, 31 * 14], "singular_values": [9, 14]}[unit]
        assert pruned.shares == tuple(k / n for k, n in zip(pruned.removed, units))
        assert pruned.share == sum(pruned.removed) / sum(units)
        assert pruned.unit == unit and pruned.weights[-1] is weights[-1]
        assert all(a.dtype == b.dtype and a.shape == b.shape for a, b in zip(pruned.weights, weights))
        assert not any(np.shares_memory(a, b) for a, b in zip(pruned.weights[:-1], weights))
        if choice == {"ratio": 0.0}:
            assert all(np.array_equal(a, b) for a, b in zip(pruned.weights, weights))
        if choice == {"ratio": 1.0}:
            assert not any(a.any() for a in pruned.weights[:-1]) and pruned.error == 1.0
    assert all(np.array_equal(a, b) for a, b in zip(weights, before))
    one, other = (MODES[unit](weights, error=0.1, scope=s).removed for s in removal.SCOPES)
    assert one != other and sum(other) >= sum(one)  # pooled, the criterion removes the most that it can


def test_entries_by_a_loop():
    weights = network(5, 8, 3, seed=2)
    for ratio, error in ((0.33, None), (None, 0.3)):
        pruned = prune.entries(weights, ratio=ratio, error=error)
        flat = [[v] for v in weights[0].ravel()]
        gone = loop([np.array(flat).T, weights[1]], ratio=ratio, error=error)[0]
        expected = np.array([0.0 if j in gone else v for j, (v,) in enumerate(flat)]).reshape(5, 8)
        assert np.array_equal(pruned.weights[0], expected)
    turned = [np.asfortranarray(weights[0]), weights[1]]
    assert np.array_equal(prune.entries(turned, ratio=0.33).weights[0], prune.entries(weights, ratio=0.33).weights[0])


def test_singular_values_against_the_decomposition():
    """Eckart and Young: no matrix of the rank is closer. The comparison is numpy.linalg.svd, term by term."""
    w = network(6, 11, 2, seed=4)
    u, s, vt = np.linalg.svd(w[0])
    for k in range(7):
        pruned = prune.singular_values(w, ratio=k / 6)
        expected = sum((s[i] * np.outer(u[:, i], vt[i]) for i in range(6 - k)), np.zeros((6, 11)))
        assert np.allclose(pruned.weights[0], expected, atol=1e-13 * s[0])
        assert pruned.error == pytest.approx(np.sqrt(np.sum(s[6 - k :] ** 2) / np.sum(s**2)), rel=1e-12)
        assert pruned.removed == (k,)
        columns = prune.columns(w, ratio=k * 11 // 6 / 11)  # at most this share of the columns
        assert k == 0 or np.linalg.matrix_rank(pruned.weights[0]) <= np.linalg.matrix_rank(columns.weights[0])
    rank_one = [np.outer(w[0][:, 0], w[0][0]), w[1]]
    assert prune.singular_values(rank_one, error=0.0).removed == (5,)  # the other five are rounding


def test_pruning_by_columns_is_a_point_of_the_error_curve():
    """With k of n columns removed the error is `compress.error_curve` at kappa = 1 - k/n. Both are right to n + p
    roundings. Partner: a column more."""
    w = network(13, 64, 2, seed=7)
    curve = compress.error_curve(w[0])
    for k in range(65):
        kappa = (64 - k) / 64
        pruned = prune.columns(w, ratio=1 - kappa)
        assert pruned.error == pytest.approx(compress.error_curve(w[0], kappa), rel=77 * EPS)
        assert k in (0, 64) or pruned.error != pytest.approx(curve[64 - k - 1], rel=1e-6)
    found = prune.columns(w, error=0.1).removed[0]
    assert found == np.count_nonzero(curve**2 <= 0.1) - 1
    pooled = prune.columns([w[0], w[0].T @ w[0], w[1]], ratio=0.25, scope="global")
    sizes = np.concatenate([np.linalg.norm(m, axis=0) for m in (w[0], w[0].T @ w[0])])
    assert pooled.error == pytest.approx(compress.error_curve(sizes, 0.75), rel=300 * EPS)


@pytest.mark.parametrize("n", [10, 100, 1000, 4990])
def test_equal_columns(n):
    """A tenth of equal columns is a tenth of the squared norm, however the sums are rounded; lower indices first."""
    weights = [np.full((3, n), 0.1), np.ones((n, 2))]
    pruned = prune.columns(weights, error=0.1)
    assert zero_columns(pruned) == [set(range(n // 10))]
    assert prune.columns(weights, error=0.1 - 0.5 / n).removed == (n // 10 - 1,)
    assert pruned.error == pytest.approx(0.1**0.5, rel=(n + 3) * EPS)
    two = [weights[0], np.full((n, n), 0.1 * (3 / n) ** 0.5), np.ones((n, 2))] if n < 1000 else None
    if two:  # a tie between layers, but for rounding
        assert sum(prune.columns(two, error=0.1, scope="global").removed) == n // 5


def test_a_bound_that_is_met_exactly(monkeypatch):
    """m columns of (x, 0, 0) and m of (x, x, x): a quarter of the squared norm is that of the first m, in exact
    arithmetic. Partner: without the allowance for rounding, often only m - 1 go."""

    def right(m, x):
        w = np.zeros((3, 2 * m))
        w[0], w[1:, m:] = x, x
        return zero_columns(prune.columns([w, np.ones((2 * m, 2))], error=0.25)) == [set(range(m))]

    cases = [(m, x) for m in range(1, 60) for x in (0.1, 0.3, 1.7)]
    assert all(right(*case) for case in cases)
    monkeypatch.setattr(removal, "EPS", 0.0)
    assert not all(right(*case) for case in cases)


@pytest.mark.parametrize("unit", ["columns", "entries"])
def test_among_equal_sizes_the_first_go(unit):
    w = np.tile([3.0, 1.0, 2.0, -1.0], 250)[None, :]  # 500 of size 1
    pruned = MODES[unit]([w, np.ones((1000, 2))], ratio=0.3)
    assert zero_columns(pruned) == [set(np.flatnonzero(np.abs(w[0]) == 1.0)[:300].tolist())]


@pytest.mark.parametrize("unit", MODES)
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_zeros(unit, scope):
    zero, some = np.zeros((4, 4)), np.diag([0.0, 0.0, 3.0, 4.0])
    out = np.ones((4, 2))
    pruned = MODES[unit]([zero, some, out], error=0.0, scope=scope)  # exactly what is zero goes
    count = {"columns": 4, "entries": 16, "singular_values": 4}[unit]
    assert pruned.removed == (count, count - 2)
    assert pruned.errors == (0.0, 0.0) and pruned.error == 0.0
    assert np.allclose(pruned.weights[1], some, atol=1e-15)
    assert MODES[unit]([zero, some, out], error=1.0, scope=scope).removed == (count, count)
    whole = MODES[unit]([zero, zero, out], ratio=0.5, scope=scope)  # nothing to lose
    assert sum(whole.removed) == count and whole.error == 0.0 and whole.errors == (0.0, 0.0)
    assert MODES[unit]([zero, zero, out], error=0.1, scope=scope).removed == (count, count)
    assert MODES[unit]([zero, some, out], ratio=1.0, scope=scope).errors == (0.0, 1.0)


@pytest.mark.parametrize("unit", MODES)
def test_a_single_unit(unit):
    weights = [np.array([[2.0]], dtype="float32"), np.ones((1, 2), dtype="float32")]
    for choice, removed in (({"error": 0.1}, 0), ({"error": 0.999}, 0), ({"error": 1.0}, 1), ({"ratio": 0.9}, 0),
                            ({"ratio": 1.0}, 1), ({"error": 0.0}, 0)):  # fmt: skip
        pruned = MODES[unit](weights, **choice)
        assert pruned.removed == (removed,) and pruned.error == float(removed)
        assert pruned.weights[0] == (0.0 if removed else 2.0)


def test_small_columns_beside_a_huge_one():
    """One column of 1e8 times the others, in float32: the criterion at half the others' squared norm removes half of
    them. Partner: sums in float32 lose them beside the large one, and remove all."""
    n = 1001
    w = np.full((3, n), 1.0, dtype="float32")
    w[:, 17] = 1e8
    w[:, :10] *= np.linspace(1, 1.1, 10, dtype="float32")
    squares = sorted(Fraction(float(v)) ** 2 * 3 for v in w[0])
    error = float(sum(squares[:500]) * Fraction(1.001) / sum(squares))
    pruned = prune.columns([w, np.ones((n, 2), dtype="float32")], error=error)
    assert pruned.removed == (500,)
    assert pruned.error == pytest.approx(float(sum(squares[:500]) / sum(squares)) ** 0.5, rel=n * EPS)
    ordered = np.sort(np.sum(w * w, axis=0))[::-1]
    lost = 1 - np.cumsum(ordered, dtype="float32") / np.sum(ordered)  # from the large end, and in single precision
    assert np.count_nonzero(lost <= np.float32(error)) > 990
    # singular values: the 31 others of a matrix with one column of 1e8, known from the matrix without its direction
    square = np.random.default_rng(1).standard_normal((32, 40)).astype("float32")
    square[:, 0] = 1e8 * np.eye(32)[0]
    ranking = removal.Ranking([square, np.ones((40, 2), dtype="float32")], "singular_values")
    found = np.ldexp(ranking.sizes[0][1:], ranking.scales[0])
    expected = np.linalg.svd(square[1:, 1:].astype(float), compute_uv=False)
    assert np.allclose(found, expected, rtol=1e-7)  # round-off is 1e8 * 2^-52


@pytest.mark.parametrize("unit", MODES)
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_scale_does_not_matter(unit, scope):
    weights = network(5, 21, 9, 2, seed=9)
    expected = MODES[unit](weights, error=0.2, scope=scope)
    for power in (-960, -700, 700, 960):  # squares would over- or underflow
        found = MODES[unit]([np.ldexp(w, power) for w in weights], error=0.2, scope=scope)
        assert (found.removed, found.errors, found.error) == (expected.removed, expected.errors, expected.error)
        assert all(np.array_equal(np.ldexp(a, -power), b) for a, b in zip(found.weights[:-1], expected.weights))
    apart = [np.ldexp(weights[0], -900), np.ldexp(weights[1], 900), weights[2]]
    assert MODES[unit](apart, error=0.2).errors == MODES[unit](weights, error=0.2).errors
    assert MODES[unit](apart, error=0.2, scope="global").shares[0] == 1.0  # raw sizes: the small layer goes


GOOD = [np.ones((3, 4)), np.ones((4, 2))]
BAD_WEIGHTS = [
    (None, r"^weights must be a list of arrays, one a layer, got NoneType$"),
    (np.ones((2, 3, 3)), r"^weights must be a list of arrays, one a layer, got ndarray$"),
    ([], r"^weights must have 2 or more layers, a hidden one and the output layer, got 0$"),
    (GOOD[:1], r"^weights must have 2 or more layers, a hidden one and the output layer, got 1$"),
    ([[[1.0]], GOOD[1]], r"^weights\[0\] must be an array of float32 or float64, got list$"),
    ([GOOD[0].astype(int), GOOD[1]], r"^weights\[0\] must be an array of float32 or float64, got dtype int64$"),
    ([GOOD[0], GOOD[1].astype("f2")], r"^weights\[1\] must be an array of float32 or float64, got dtype float16$"),
    ([GOOD[0] * 1j, GOOD[1]], r"got dtype complex128$"), ([GOOD[0].astype(object), GOOD[1]], r"got dtype object$"),
    ([np.ones(3), GOOD[1]], r"^weights\[0\] must have the shape \(fan in, units\), got \(3,\)$"),
    ([np.ones((3, 0)), np.ones((0, 2))], r"^weights\[0\] must have the shape \(fan in, units\), got \(3, 0\)$"),
    ([GOOD[0], np.ones((5, 2))], r"^weights\[1\] must have a row for each of the 4 units before it, got \(5, 2\)$"),
    ([GOOD[0] * np.nan, GOOD[1]], r"^weights\[0\] must be finite, got 12 NaN or infinite value\(s\)$"),
    ([GOOD[0], GOOD[1] * np.inf], r"^weights\[1\] must be finite, got 8 NaN or infinite value\(s\)$"),
]  # fmt: skip


@pytest.mark.parametrize(("weights", "words"), BAD_WEIGHTS)
@pytest.mark.parametrize("unit", MODES)
def test_bad_weights(weights, words, unit):
    with pytest.raises(ValueError, match=words):
        MODES[unit](weights)


@pytest.mark.parametrize(("options", "words"), [
    ({"error": -0.1}, r"^error must lie in \[0, 1\], got -0.1$"), ({"error": 1.1}, "error must lie in"),
    ({"error": np.nan}, "error must lie in"), ({"error": "0.1"}, "error must lie in"), ({"error": True}, "error must"),
    ({"ratio": -1}, r"^ratio must lie in \[0, 1\], got -1"), ({"ratio": np.inf}, "ratio must lie in"),
    ({"error": 0.1, "ratio": 0.1}, "^error and ratio exclude each other, got error = 0.1 and ratio = 0.1$"),
    ({"scope": "all"}, "^scope must be one of layer, global, got 'all'$"),
])  # fmt: skip
def test_bad_options(options, words):
    for mode in MODES.values():
        with pytest.raises(ValueError, match=words):
            mode(GOOD, **options)


def test_a_layer_alone_is_a_network_where_no_hidden_one_is_needed():
    assert layers.checked(GOOD[:1])[0] is GOOD[0]
    with pytest.raises(ValueError, match="^weights must have 1 or more layers, got 0$"):
        layers.checked(())
    with pytest.raises(ValueError, match="unit must be one of columns, entries, singular_values, got 'rows'"):
        removal.Ranking(GOOD, "rows")


# ---------------------------------------------------------------- study


def problem(*widths, unit="relu", seed=1, tail=1.5, **options):
    """A network with heavy-tailed weights, and rows that it is evaluated on."""
    rng = np.random.default_rng(seed)
    shape = mlp.MLP(widths[0], widths[1:-1], widths[-1], unit=unit, **{"dtype": "float64", **options})
    parts = {}
    for name, m in (("train", 50), ("test", 20)):
        parts[f"X_{name}"] = rng.standard_normal((m, widths[0])).astype("float32")
        parts[f"y_{name}"] = rng.integers(0, widths[-1], m)
    return shape, network(*widths, seed=seed, tail=tail), SimpleNamespace(**parts)


def scored(shape, weights, dataset):
    """Forward pass, loss and accuracy, written out."""
    found = {}
    for name in ("train", "test"):
        a = getattr(dataset, f"X_{name}").astype(float)
        for w in weights[:-1]:
            a = np.maximum(a @ w, 0.0)
        f, y = a @ weights[-1], getattr(dataset, f"y_{name}")
        f = f - f.max(axis=1, keepdims=True)
        loss = np.mean(np.log(np.exp(f).sum(axis=1)) - f[np.arange(len(y)), y])
        found[name] = {"loss": pytest.approx(loss, rel=1e-9), "accuracy": np.mean(f.argmax(axis=1) == y)}
    return found


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_study(scope):
    shape, weights, dataset = problem(6, 40, 30, 3)
    found = prune.study(shape, weights, dataset, units=tuple(MODES), scope=scope, error=0.2)
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["before"] == scored(shape, weights, dataset)
    assert (found["criterion_error"], found["scope"], found["hidden"]) == (0.2, scope, [[6, 40], [40, 30]])
    for unit, mode in MODES.items():
        part = found["units"][unit]
        assert [row["ratio"] for row in part["sweep"]] == found["ratios"] == list(prune.RATIOS)
        for row, choice in [(part["criterion"], {"error": 0.2}), *((r, {"ratio": r["ratio"]}) for r in part["sweep"])]:
            pruned = mode(weights, scope=scope, **choice)
            assert (row["share"], tuple(row["shares"])) == (pruned.share, pruned.shares)
            assert (row["error"], tuple(row["errors"])) == (pruned.error, pruned.errors)
            assert row["squared_error"] == pruned.squared_error
            assert {name: row[name] for name in ("train", "test")} == scored(shape, pruned.weights, dataset)
        first, last = part["sweep"][0], part["sweep"][-1]
        assert {name: first[name] for name in ("train", "test")} == found["before"]
        assert last["train"]["loss"] == pytest.approx(math.log(3)) and last["share"] == 1.0  # every output is 0
    for l, layer in enumerate(found["units"]["columns"]["predicted"]):
        assert layer["measured"] == [row["errors"][l] for row in found["units"]["columns"]["sweep"]]
        assert layer["alpha"] is layer["median"] is None  # 40 and 30 units
        assert layer["reason"].startswith("no index can be fitted: x must have at least 100 columns")
    assert "predicted" not in found["units"]["entries"]


def test_study_of_a_mean_field_network():
    shape, weights, dataset = problem(4, 10, 2, parametrisation="mean-field", unit="tanh")
    found = prune.study(shape, weights, dataset, ratios=[0.5])
    half = prune.columns(weights, ratio=0.5)
    score = mlp.evaluate(shape, half.weights, dataset.X_test, dataset.y_test)
    (row,) = found["units"]["columns"]["sweep"]
    assert row["test"] == {"loss": pytest.approx(score.loss, rel=1e-12), "accuracy": score.accuracy}


@pytest.mark.parametrize("unit", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("options", [{}, {"parametrisation": "mean-field"}, {"dtype": "float32"}])
def test_all_prunings_in_one_pass(unit, options, monkeypatch):
    """As each by itself, up to round-off: of sums of 6 and of 60 terms on each side, in a loss that moves by at most
    twice what an output does. Partner: without the constant of a removed sigmoid unit."""
    shape, weights, dataset = problem(6, 60, 3, unit=unit, tail=3.0, **options)
    weights[0][:, 11] = 0.0  # a unit that is silent from the start
    weights = [w.astype(shape.dtype) for w in weights]
    prunings = [prune.columns(weights, ratio=ratio) for ratio in (*prune.RATIOS, 0.03)]
    X, y = dataset.X_train, dataset.y_train
    size = np.max((np.abs(X) @ np.abs(weights[0]) + 1) @ np.abs(weights[1]))
    bound = 4 * (6 + 60 + 5) * np.finfo(shape.dtype).eps / 2 * size

    def agree(found, expected):
        return np.allclose([s.loss for s in found], [s.loss for s in expected], atol=bound, rtol=0)

    each = [mlp.evaluate(shape, pruned.weights, X, y) for pruned in prunings]
    together = prunescore.scores(shape, weights, prunings, X, y)
    assert agree(together, each)
    assert [s.accuracy for s in together] == [s.accuracy for s in each]
    assert together == prunescore.scores(shape, weights, prunings, X, y, threads=2)
    monkeypatch.setattr(prunescore, "WIDEST", 7)  # in groups of two
    monkeypatch.setattr(prunescore, "ACTIVATIONS", 60)
    monkeypatch.setattr(prunescore, "BLOCK", 16)  # in chunks of rows, the last one shorter
    assert agree(prunescore.scores(shape, weights, prunings, X, y), each)
    monkeypatch.setitem(prunescore.AT_ZERO, "sigmoid", 0.0)
    assert agree(prunescore.scores(shape, weights, prunings, X, y), each) == (unit != "sigmoid")


def test_prunings_of_other_data():
    shape, weights, dataset = problem(6, 20, 3)
    prunings = [prune.columns(weights)]
    for X, y, w, words in ((dataset.X_train[:, :5], dataset.y_train, weights, "X must have 6 columns"),
                           (dataset.X_train, dataset.y_train + 1, weights, "y must lie in"),
                           (dataset.X_train, dataset.y_train, weights[::-1], "weights must be")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            prunescore.scores(shape, w, prunings, X, y)


def test_the_same_network_is_evaluated_once(monkeypatch):
    calls = []
    evaluate = mlp.evaluate

    def counted(*arguments, **options):
        calls.append(options)
        return evaluate(*arguments, **options)

    monkeypatch.setattr(mlp, "evaluate", counted)
    options = {"ratios": [0.0, 0.5, 0.5, 0.55, 1.0], "error": 1.0, "threads": 2}
    prune.study(*problem(4, 10, 10, 2), **options)
    assert calls == [{"threads": 2}] * 6  # none removed, half, all; each on two sets
    prune.study(*problem(4, 10, 2), **options)
    assert len(calls) == 8  # the others in one pass
    prune.study(*problem(4, 10, 2), units=["entries"], ratios=[0.0], error=0.0)
    assert len(calls) == 10  # nothing is removed


@pytest.mark.parametrize(("options", "words"), [
    ({"error": 2}, "error must lie in"), ({"ratios": [0.1, 1.2]}, "ratio must lie in"),
    ({"ratios": []}, "ratios must not be empty"), ({"units": []}, "units must not be empty"),
    ({"units": ["rows"]}, "unit must be one of"), ({"scope": ""}, "scope must be one of"),
    ({"threads": 0}, "threads must be"),
])  # fmt: skip
def test_study_of_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        prune.study(*problem(4, 10, 2), **options)


def test_study_of_weights_that_do_not_fit():
    shape, weights, dataset = problem(4, 10, 2)
    for wrong in (weights[:1], [weights[0] * np.nan, weights[1]], network(4, 11, 2)):
        with pytest.raises(ValueError, match="weights"):
            prune.study(shape, wrong, dataset)


def pareto_columns(alpha, n, seed, p=3):
    """Directions are uniform, norms Pareto."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((p, n))
    return x / np.linalg.norm(x, axis=0) * (rng.pareto(alpha, n) + 1)


def test_the_predicted_range_holds_the_measured_error():
    """From weights alone, alpha fitted too: of 30 samples the range of 90 % holds its share. Partner: the range of a
    lighter tail."""
    n, held, wrong = 600, 0, 0
    for seed in range(30):
        x = pareto_columns(1.3, n, seed)
        found = prune.predicted(x, [0.0, 0.1, 1.0])
        measured = prune.columns([x, np.ones((n, 2))], ratio=0.9).error
        assert found["median"][0] == 1.0 and found["median"][2] == 0.0
        assert found["ci"][0] < found["alpha"] < found["ci"][1]
        held += found["low"][1] <= measured <= found["high"][1]
        law = fitted.tail_law(np.linalg.norm(x, axis=0), 2.6)
        low, high = np.quantile(law.errors([0.1], 2.0), [0.05, 0.95])
        wrong += low <= measured <= high
    least = stats.binom.ppf(1e-6, 30, 0.9)
    assert held >= least > wrong


def test_a_study_foretells_what_it_measures():
    """For each layer at the share that was kept of it, beside the error of keeping that share."""
    shape, _, dataset = problem(3, 150, 130, 2)
    weights = [pareto_columns(1.3, 150, 1), 0.1 * pareto_columns(1.3, 130, 2, p=150), np.ones((130, 2))]
    found = prune.study(shape, weights, dataset, ratios=(0.25, 0.9), scope="global")["units"]["columns"]
    for l, layer in enumerate(found["predicted"]):
        kappas = [1 - row["shares"][l] for row in found["sweep"]]
        assert layer["kappa"] == pytest.approx(kappas, abs=1e-15) and 0.25 not in kappas
        assert np.allclose(layer["measured"], compress.error_curve(weights[l], layer["kappa"]), rtol=1e-12)
        foretold = prune.predicted(weights[l], layer["kappa"])
        assert {**foretold, "measured": layer["measured"]} == layer
    assert found["predicted"][0]["alpha"] is not None


def test_no_prediction_without_a_power_tail():
    found = prune.predicted(np.random.default_rng(1).standard_normal((5, 400)).astype("float32"), (0.5,))
    assert found["kappa"] == [0.5] and found["reason"].startswith("no power tail shown")
    assert all(found[key] is None for key in ("alpha", "ci", "median", "low", "high"))
    with pytest.raises(ValueError, match="layer must have 2 dimension"):
        prune.predicted(np.ones(3), (0.5,))
    assert prune.predicted(np.zeros((3, 200)), (0.5,))["reason"].startswith("no index can be fitted")
    huge = prune.predicted(np.ldexp(pareto_columns(1.3, 600, 1), 600), (0.1,))
    assert huge["median"] == pytest.approx(prune.predicted(pareto_columns(1.3, 600, 1), (0.1,))["median"], rel=1e-6)
