"""mlp.py and backprop.py: loss and gradient against loops and differences; the initial law; what is refused."""

import math
import tracemalloc

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import backprop, mlp
from chaosnum.network import Network

EPS = np.finfo(float).eps
# inputs, hidden, classes, rows
SIZES = [
    (1, (1,), 2, 1), (1, (600,), 2, 3), (7, (5,), 3, 11),
    (3, (1, 4), 2, 6), (2, (4,), 2, 530), (5, (9, 1, 6), 4, 530), (4, (6, 5, 3, 7), 3, 8),
]  # fmt: skip
NETWORKS = [
    (*size, unit, parametrisation)
    for size in SIZES
    for unit in backprop.UNITS
    for parametrisation in mlp.PARAMETRISATIONS[: 2 if len(size[1]) == 1 else 1]
]
SMALL = [case for case in NETWORKS if max(case[1]) < 20 and case[3] < 20]


def made(inputs, hidden, classes, m, unit="tanh", parametrisation="standard", dtype="float64", seed=0):
    """A network with weights of order 1 before each activation, its twin, and random rows."""
    rng = np.random.default_rng([inputs, classes, m, len(hidden), seed])
    network = mlp.MLP(inputs, hidden, classes, unit=unit, parametrisation=parametrisation, dtype=dtype)
    weights = [(1.5 * rng.standard_normal(s) / math.sqrt(s[0])).astype(dtype) for s in network.shapes]
    if network.mean_field:
        weights[-1] = np.sign(weights[-1])
    X, y = rng.standard_normal((m, inputs)).astype(dtype), rng.integers(0, classes, m)
    return network, naive.Classifier(unit, network.mean_field), weights, X, y


def distance(found, wanted):
    """Largest difference of lists of arrays, in units of the largest entry of the array."""
    assert [a.shape for a in found] == [b.shape for b in wanted]
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300) for a, b in zip(found, wanted))


# ---------------------------------------------------------------- loss and gradient


@pytest.mark.parametrize("inputs, hidden, classes, m, unit, parametrisation", NETWORKS)
@pytest.mark.parametrize("block", [backprop.BLOCK, 4])
def test_agrees_with_the_loops(inputs, hidden, classes, m, unit, parametrisation, block, monkeypatch):
    """Sums of up to 600 products, five layers forth and back: 6000 roundings in a row stay below 1e-11 of the terms.

    Terms cancel as random signs do, to 1/sqrt(600) of their sum of sizes at worst: 1e-10 has room for both.
    """
    monkeypatch.setattr(backprop, "BLOCK", block)
    network, twin, weights, X, y = made(inputs, hidden, classes, m, unit, parametrisation)
    loss, gradients = mlp.gradient(network, weights, X, y)
    truth = twin.gradient(weights, X, y)
    assert len(gradients) == network.trained and all(g.dtype == np.float64 for g in gradients)
    assert abs(loss - twin.loss(weights, X, y)) < 1e-10 * max(loss, 1.0)
    assert distance(gradients, truth) < 1e-10 or all(np.abs(g).max() < 1e-10 for g in truth)
    score = mlp.evaluate(network, weights, X, y)
    assert abs(score.loss - loss) < 1e-12 * max(loss, 1.0) and score.accuracy == twin.accuracy(weights, X, y)
    if np.abs(truth[0]).max() > 1e-10:  # partner: other labels; a single ReLU unit may stand still whatever they are
        assert distance(gradients, twin.gradient(weights, X, (y + 1) % classes)) > 1e-4


@pytest.mark.parametrize("inputs, hidden, classes, m, unit, parametrisation", SMALL)
def test_the_gradient_is_that_of_the_loss(inputs, hidden, classes, m, unit, parametrisation):
    """Central differences at h = 2^-7, h/2, h/4 and two of Richardson's steps.

    Truncation: h^6 f^(7) / 322560 = 7e-19 f^(7), far below 1e-10 for functions with f^(7) < 1e6 (the nearest pole of
    tanh is pi/2 away, weights move it by |x| < 3). Round-off: (64 * 4 + 20 * 2 + 1)/45 * error of f / h = 840 of it, an
    error of 20 EPS f makes 4e-12. ReLU is linear where no kink lies within h: such rows are taken out first.
    """
    network, twin, weights, X, y = made(inputs, hidden, classes, m, unit, parametrisation, seed=1)
    if unit == "relu":
        margins = [min(np.abs(u).min() for u in twin.layers(weights, x)[1]) for x in X]
        clear = np.array(margins) > 0.03
        X, y = (X[clear], y[clear]) if clear.any() else (np.ones((1, inputs)), y[:1])
    gradients, n = mlp.gradient(network, weights, X, y)[1], hidden[0] if network.mean_field else 1
    rng, steps, worst, rough = np.random.default_rng(2), 2.0**-7 / np.array([1, 2, 4]), 0.0, 0.0
    scale = max(0.04, *(np.abs(g).max() for g in gradients))
    for theta, gradient in zip(weights, gradients):
        for at in map(tuple, rng.permutation(list(np.ndindex(gradient.shape)))[:12]):
            kept, quotients = theta[at], []
            for h in steps:
                ends = []
                for theta[at] in (kept + h, kept - h):
                    ends.append(mlp.evaluate(network, weights, X, y).loss)
                quotients.append(n * (ends[0] - ends[1]) / (2 * h))
            theta[at] = kept
            slope = (64 * quotients[2] - 20 * quotients[1] + quotients[0]) / 45
            worst = max(worst, abs(slope - gradient[at]) / scale)
            rough = max(rough, abs(quotients[0] - gradient[at]) / scale)
    assert worst < 1e-10
    assert rough > 1e-8 or not np.any(gradients[0])  # partner: without the extrapolation


@pytest.mark.parametrize("unit", ["tanh", "sigmoid"])
@pytest.mark.parametrize("hidden, mean_field", [((4,), False), ((4,), True), ((3, 4, 2), False)])
def test_the_loops_have_the_complex_step_as_a_witness(unit, hidden, mean_field):
    """Im f(theta + i h) / h has no subtraction: with h = 1e-30 the slope is exact to round-off."""
    _, _, weights, X, y = made(3, hidden, 3, 5, unit)
    twin = naive.Classifier(unit, mean_field)
    truth, n = twin.gradient(weights, X, y), hidden[0] if mean_field else 1
    for layer, gradient in enumerate(truth):
        for at in np.ndindex(gradient.shape):
            shifted = [w.astype(complex) for w in weights]
            shifted[layer][at] += 1e-30j
            slope = n * twin.loss(shifted, X, y).imag / 1e-30
            assert abs(slope - gradient[at]) < 1e-13 * np.abs(gradient).max() + 1e-14


def rounding(network, weights, X, y, u):
    """First-order bounds of what rounding to relative precision u does to the gradients -> list of ndarray.

    A sum of k products is off by (k + 1) u sum |terms|, each stored number by u of itself; errors of the factors pass
    through with the sizes of the other factor. Softmax is computed in float64 from the rounded outputs, and a shift of
    the outputs by at most e moves a share p by at most p (exp(2 e) - 1).
    """
    act = {"relu": lambda t: np.maximum(t, 0), "tanh": np.tanh}[network.unit]
    k, a, error = (1 / network.hidden[0] if network.mean_field else 1), [X], [np.zeros_like(X)]
    size = lambda x, e, theta: e @ np.abs(theta) + (len(theta) + 1) * u * ((np.abs(x) + e) @ np.abs(theta))  # noqa: E731
    for theta in weights[:-1]:
        before = a[-1] @ theta
        off = size(a[-1], error[-1], theta)
        if network.unit == "relu":
            assert np.all(np.abs(before) > off)  # the same side of every kink
        a.append(act(before))
        error.append(off * (1 if network.unit == "tanh" else before > 0) + u * np.abs(a[-1]))
    f, off = k * (a[-1] @ weights[-1]), k * size(a[-1], error[-1], weights[-1])
    share = np.exp(f - f.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    n = network.hidden[0] if network.mean_field else 1
    d = n * k * (share - (np.arange(network.classes) == y[:, None])) / len(X)
    d_error = n * k / len(X) * share * np.expm1(2 * off.max(1, keepdims=True)) + u * np.abs(d)
    bounds = []
    for layer in reversed(range(len(weights))):
        below, e = np.abs(a[layer]), error[layer]
        bounds.append(below.T @ d_error + e.T @ np.abs(d) + (len(X) + 1) * u * ((below + e).T @ (np.abs(d) + d_error)))
        if layer:
            theta, value = weights[layer], a[layer]
            slope = 1 - value**2 if network.unit == "tanh" else 1.0 * (value > 0)
            off = 2 * np.abs(value) * error[layer] + 3 * u if network.unit == "tanh" else 0.0
            back, back_error = d @ theta.T, size(d, d_error, theta.T)
            d, d_error = back * slope, back_error * (slope + off) + np.abs(back) * off + u * np.abs(back)
    return bounds[::-1][: network.trained]


@pytest.mark.parametrize("unit", ["relu", "tanh"])
@pytest.mark.parametrize(
    "hidden, parametrisation", [((40,), "standard"), ((40,), "mean-field"), ((20, 15), "standard")]
)
@pytest.mark.parametrize("classes", [2, 3])  # two outputs have a kernel of their own
def test_float32_is_float64_within_its_rounding(unit, hidden, parametrisation, classes):
    network, twin, weights, X, y = made(10, hidden, classes, 30, unit, parametrisation, "float32")
    if unit == "relu":  # rows within rounding of a kink may fall on either side of it
        margins = [min(np.abs(u).min() for u in twin.layers(weights, x)[1]) for x in X]
        X, y = X[np.array(margins) > 1e-4], y[np.array(margins) > 1e-4]
    fine = [w.astype(float) for w in weights]
    truth = twin.gradient(fine, X.astype(float), y)
    bounds = rounding(network, fine, X.astype(float), y, 2.0**-24)
    loss, gradients = mlp.gradient(network, weights, X, y)
    assert abs(loss - twin.loss(fine, X.astype(float), y)) < 1e-5
    for found, wanted, bound in zip(gradients, truth, bounds):
        assert found.dtype == np.float32 and np.all(np.abs(found - wanted) <= 1.01 * bound)
        assert bound.max() < 1e-2 * np.abs(wanted).max()  # the bound says something
    coarse = [w.astype(np.float16).astype(np.float32) for w in weights]  # partner: half precision does not pass
    rough = mlp.gradient(network, coarse, X, y)[1]
    assert any(np.any(np.abs(found - wanted) > 1.01 * bound) for found, wanted, bound in zip(rough, truth, bounds))


# ---------------------------------------------------------------- the mean-field network and bed N


def test_two_classes_are_bed_n():
    """Cross-entropy of the outputs f_0, f_1 is the logistic loss of f_1 - f_0 = (1/n) sum_j (v_j1 - v_j0) h(theta_j).

    With v_j = (-1/2, 1/2) that is bed N's output, and the gradient is minus bed N's drift.
    """
    rng = np.random.default_rng(5)
    X, y, n = rng.standard_normal((9, 3)), np.arange(9) % 2, 70
    for unit in ("tanh", "sigmoid", "relu"):
        bed = Network(X, y, unit=unit)
        theta = rng.standard_normal((4, n))
        system = bed.system(theta.copy())
        system.advance(system.average, np.zeros_like(theta), 1.0)
        drift = system.theta - theta
        network = mlp.MLP(4, n, 2, unit=unit, parametrisation="mean-field", dtype="float64")
        rows = np.column_stack([bed.X, np.ones(9)])
        loss, (gradient,) = mlp.gradient(network, [theta, np.tile([-0.5, 0.5], (n, 1))], rows, y)
        tolerance = 100 * EPS * (1 + np.abs(theta).max())  # a few roundings of 4 + 9 terms, all below 1 + |theta|
        assert np.abs(gradient + drift).max() < tolerance
        assert abs(loss - naive.Network(bed.X, bed.y, unit, "logistic").risk(theta)) < tolerance
        # partner: signs -1, +1 double the output
        twice = mlp.gradient(network, [theta, np.tile([-1.0, 1.0], (n, 1))], rows, y)[1][0]
        assert np.abs(twice + drift).max() > 1e6 * tolerance


def test_signs_of_two_classes_are_bed_n_at_twice_the_speed():
    """v = +-1, an odd unit: units with v_j0 = v_j1 stand still; k others of n = 2 k move as s_j theta_j, s_j = v_j1.

    f_1 - f_0 = (1/n) sum over those of 2 s_j tanh(<theta_j, x>) = (1/k) sum tanh(<s_j theta_j, x>) is bed N's output
    for k units, and n times the gradient is minus 2 s_j times their drift.
    """
    rng = np.random.default_rng(6)
    X, y, k = rng.standard_normal((9, 3)), np.arange(9) % 2, 35
    bed, theta = Network(X, y), rng.standard_normal((4, 2 * k))
    s = np.where(rng.permutation(2 * k) < k, rng.choice([-1.0, 1.0], 2 * k), 0.0)
    v = np.where(s[:, None] == 0.0, rng.choice([-1.0, 1.0], 2 * k)[:, None], s[:, None] * [-1.0, 1.0])
    moving = (s * theta)[:, s != 0.0]
    system = bed.system(moving.copy())
    system.advance(system.average, np.zeros_like(moving), 1.0)
    network = mlp.MLP(4, 2 * k, 2, unit="tanh", parametrisation="mean-field", dtype="float64")
    (gradient,) = mlp.gradient(network, [theta, v], np.column_stack([bed.X, np.ones(9)]), y)[1]
    tolerance = 100 * EPS * (1 + np.abs(theta).max())
    assert np.abs(gradient[:, s == 0.0]).max() < tolerance < 1e-3 < np.abs(gradient).max()
    assert np.abs((s * gradient)[:, s != 0.0] + 2.0 * (system.theta - moving)).max() < tolerance


# ---------------------------------------------------------------- bits, chunks, memory


@pytest.mark.parametrize("dtype", mlp.DTYPES)
@pytest.mark.parametrize("hidden", [(1,), (1100,), (513, 1), (1, 700, 513), (600, 513, 7, 1030)])
@pytest.mark.parametrize("inputs, m", [(1, 1), (1, 600), (33, 77)])
def test_same_bits_for_any_number_of_threads(dtype, hidden, inputs, m, monkeypatch):
    monkeypatch.setattr(backprop, "_WORTH", 0)  # hand every block to a thread, however small
    network, _, weights, X, y = made(inputs, hidden, 3, m, "relu", dtype=dtype)
    loss, one = mlp.gradient(network, weights, X, y)
    one, score = [g.copy() for g in one], mlp.evaluate(network, weights, X, y)
    for threads in (1, 2, 3, None):
        again, gradients = mlp.gradient(network, weights, X, y, threads=threads)
        assert again == loss and all(np.array_equal(g, w) for g, w in zip(gradients, one))
        assert mlp.evaluate(network, weights, X, y, threads=threads) == score


def test_same_bits_whatever_the_threads_of_blas():
    """BLAS may have been given any number of threads: it gets one from us, and the user's number back."""
    from threadpoolctl import threadpool_info, threadpool_limits

    def blas_threads():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    network, _, weights, X, y = made(300, (1100, 40), 3, 700, "relu", dtype="float32")
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            before = blas_threads()
            loss, gradients = mlp.gradient(network, weights, X, y)
            found.append([loss, mlp.evaluate(network, weights, X, y), *(g.tobytes() for g in gradients)])
            assert blas_threads() == before
    assert found[0] == found[1]


@pytest.mark.parametrize("rows", [1, 7, 128, 999, 1000, 1001])
def test_rows_in_chunks_are_rows_at_once(rows, monkeypatch):
    """A row's outputs may differ in the last bit between chunks of other lengths; the sum has 1000 terms of order 1."""
    network, _, weights, X, y = made(5, (30, 20), 4, 1000)
    whole = mlp.evaluate(network, weights, X, y)
    monkeypatch.setattr(backprop, "BLOCK", 1)
    monkeypatch.setattr(backprop, "ACTIVATIONS", rows * 30)
    parts = mlp.evaluate(network, weights, X, y, threads=2)
    assert abs(parts.loss - whole.loss) < 1000 * EPS * whole.loss and parts.accuracy == whole.accuracy
    assert abs(mlp.evaluate(network, weights, X[:999], y[:999]).loss - whole.loss) > 1e-6  # partner: a row left out


def test_evaluation_takes_chunks_of_memory():
    """Width 10,000: activations of 60,000 rows would take 2.4 GB; a chunk of 512 rows takes 20 MB, the last another."""
    peaks = []
    for m in (1200, 6000):
        network, _, weights, X, y = made(2, (10_000,), 2, m, "relu", dtype="float32")
        tracemalloc.start()
        try:
            mlp.evaluate(network, weights, X, y)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert max(peaks) < 2.1 * 4 * 512 * 10_000 < 4 * 6000 * 10_000


def test_the_arrays_of_the_caller_stay():
    network, _, weights, X, y = made(3, (4, 5), 3, 6)
    copies = [w.copy() for w in (*weights, X, y)]
    mlp.gradient(network, weights, X, y), mlp.evaluate(network, weights, X, y)
    assert all(np.array_equal(a, b) for a, b in zip((*weights, X, y), copies))


def test_lists_and_other_types_are_taken():
    network, _, weights, X, y = made(3, (4,), 3, 6, dtype="float32")
    score = mlp.evaluate(network, weights, X, y)
    for rows, labels in [(X.tolist(), y.tolist()), (X.astype(float), y.astype(np.uint8)), (np.asfortranarray(X), y)]:
        assert mlp.evaluate(network, weights, rows, labels) == score


# ---------------------------------------------------------------- extreme outputs, ties


@pytest.mark.parametrize("dtype, big", [("float64", 1e30), ("float64", 1e308), ("float32", 1e30), ("float32", 3e38)])
def test_extreme_outputs(dtype, big):
    """One input, one ReLU unit: the outputs are the last layer's weights."""
    network, one = mlp.MLP(1, 1, 3, dtype=dtype), np.ones((1, 1), dtype)

    def score(*f, label):
        weights = [one, np.array([f], dtype)]
        found, loss = mlp.evaluate(network, weights, one, [label]), mlp.gradient(network, weights, one, [label])[0]
        assert found.loss == loss or (math.isnan(found.loss) and math.isnan(loss))
        return found.loss, found.accuracy

    big = float(np.dtype(dtype).type(big))
    assert score(big, 0, 0, label=0) == (0.0, 1.0)
    assert score(big, 0, 0, label=2) == (big, 0.0)
    assert score(0, big, 0, label=1) == (0.0, 1.0)
    assert score(0, big, 0, label=0) == (big, 0.0)
    assert score(-big, 0, big, label=2) == (0.0, 1.0)
    slopes = mlp.gradient(network, [one, np.array([[0, big, 0]], dtype)], one, [0])[1][1]
    assert np.abs(slopes - [[-1.0, 1.0, 0.0]]).max() < 1e-300
    assert score(0, -big, 0, label=0) == (pytest.approx(math.log(2), rel=1e-15), 1.0)
    assert score(-big, -big, -big, label=0) == (pytest.approx(math.log(3), rel=1e-15), 1.0)
    assert score(big, big, -big, label=1) == (pytest.approx(math.log(2), rel=1e-15), 0.0)
    assert score(big, 0, -big, label=2) == (2 * big, 0.0)  # infinite where 2 big is
    assert score(0, -math.inf, 0, label=1) == (math.inf, 0.0)
    for place in range(3):
        for bad in (math.nan, math.inf):
            f = [0.0, 0.0, 0.0]
            f[place] = bad
            for label in range(3):
                loss, right = score(*f, label=label)
                assert math.isnan(loss) and right == 0.0, (f, label)
    assert math.isnan(score(-math.inf, -math.inf, -math.inf, label=0)[0])


def test_losses_near_zero_keep_their_digits():
    """-log softmax is log(1 + exp(-t)) for the margin t: exp(-t) to an ulp of 1, never negative."""
    network, one = mlp.MLP(1, 1, 2, dtype="float64"), np.ones((1, 1))
    for t in (0.0, 1e-8, 1.0, 10.0, 30.0, 36.0, 40.0, 700.0, 1e4):
        loss = mlp.evaluate(network, [one, np.array([[t, 0.0]])], one, [0]).loss
        assert 0.0 <= loss and abs(loss - math.log1p(math.exp(-t))) < 2 * EPS


def test_a_nan_in_the_weights_is_no_silent_zero():
    """ReLU units by max(x, 0) may turn a NaN into 0 and train on."""
    for unit in backprop.UNITS:
        for layer in range(3):
            network, _, weights, X, y = made(3, (4, 5), 2, 6, unit)
            weights[layer][-1, -1] = np.nan
            assert math.isnan(mlp.evaluate(network, weights, X, y).loss)
            assert math.isnan(mlp.gradient(network, weights, X, y)[0])


def test_of_equal_outputs_the_first_counts():
    network, one = mlp.MLP(1, 1, 4, dtype="float64"), np.ones((1, 1))
    for f, first in [([0, 0, 0, 0], 0), ([-1, 2, 2, 2], 1), ([0, 0, 3, 3], 2), ([-3, -2, -2, -3], 1)]:
        for label in range(4):
            found = mlp.evaluate(network, [one, np.array([f], float)], one, [label])
            assert found.accuracy == (label == first)


# ---------------------------------------------------------------- initial weights


@pytest.mark.parametrize("dtype", mlp.DTYPES)
@pytest.mark.parametrize("parametrisation", mlp.PARAMETRISATIONS)
def test_initial_weights_are_their_addresses(dtype, parametrisation):
    hidden = (7, 5) if parametrisation == "standard" else (7,)
    network = mlp.MLP(3, hidden, 4, parametrisation=parametrisation, dtype=dtype)
    for seed in (0, 2**32, 2**64 - 1, np.uint64(2**64 - 2)):
        truth = naive.uniform_weights(network.shapes, seed=int(seed), signs=network.mean_field)
        found = mlp.initial(network, seed=seed)
        assert [w.shape for w in found] == network.shapes and all(w.flags.c_contiguous for w in found)
        for w, t in zip(found, truth):
            assert w.dtype == dtype and np.all(np.abs(w - t) <= 2 * np.finfo(dtype).eps * np.abs(t))
    wider = mlp.MLP(3, (11, *hidden[1:]), 4, parametrisation=parametrisation, dtype=dtype)
    assert np.array_equal(mlp.initial(wider, seed=1)[0][:, :7], mlp.initial(network, seed=1)[0])


def correlation_bound(n):
    """Uncorrelated bounded variables stay below this at the false-alarm level."""
    return stats.norm.isf(goodness.FALSE_ALARM / 2) / math.sqrt(n)


def test_initial_law():
    """Uniform on +-1/sqrt(fan in): variance 1/(3 fan in), independent over layers and seeds; signs are fair."""
    network = mlp.MLP(300, (300, 300), 300, dtype="float64")
    layers, bound = [w.reshape(-1) for w in mlp.initial(network, seed=8)], 300**-0.5
    for x in layers:
        assert goodness.kolmogorov(x, stats.uniform(-bound, 2 * bound).cdf) < goodness.KOLMOGOROV_CRITICAL
        assert goodness.kolmogorov(x, stats.uniform(-1.03 * bound, 2.06 * bound).cdf) > goodness.KOLMOGOROV_CRITICAL
        # the variance of x^2 is 4/45 bound^4
        assert abs(x.var() * 3 * 300 - 1) < stats.norm.isf(5e-7) * 3 * math.sqrt(4 / 45 / x.size)
    layers += [w.reshape(-1) for w in mlp.initial(network, seed=9)[:1]]
    most = correlation_bound(90_000)
    for i, x in enumerate(layers):
        for y in layers[:i]:
            assert abs(np.corrcoef(x, y)[0, 1]) < most and abs(np.corrcoef(x**2, y**2)[0, 1]) < most
    assert np.corrcoef(layers[0], mlp.initial(network, seed=8)[0].reshape(-1))[0, 1] > most  # partner
    signs = mlp.initial(mlp.MLP(2, 10_000, 3, parametrisation="mean-field"), seed=8)[1]
    assert set(np.unique(signs)) == {-1.0, 1.0} and abs(signs.mean()) < correlation_bound(30_000)
    assert np.abs(np.corrcoef(signs.T) - np.eye(3)).max() < correlation_bound(10_000)


# ---------------------------------------------------------------- shapes, and what is refused


def test_shapes_and_assumptions():
    deep = mlp.MLP(64.0, [10, np.int64(20)], 3)
    assert deep.hidden == (10, 20) and deep.shapes == [(64, 10), (10, 20), (20, 3)] and deep.trained == 3
    flat = mlp.MLP(64, 10, 3, unit="tanh", parametrisation="mean-field")
    assert flat.hidden == (10,) and flat.trained == 1 and flat.outside == ""
    assert "2 hidden layers" in deep.outside and "ReLU" in deep.outside and "1/n" in deep.outside
    assert "ReLU" in mlp.MLP(64, 10, 3, parametrisation="mean-field").outside
    with pytest.raises(AttributeError):
        deep.unit = "tanh"


@pytest.mark.parametrize(
    "changed, line",
    [
        ({"inputs": 0}, "inputs must be a whole number in [1, 16777216], got 0"),
        ({"inputs": "4"}, "inputs must be a whole number in [1, 16777216], got '4'"),
        ({"hidden": 0}, "width must be a whole number in [1, 16777216], got 0"),
        ({"hidden": (5, -1)}, "width must be a whole number in [1, 16777216], got -1"),
        ({"hidden": (5, 2.5)}, "width must be a whole number in [1, 16777216], got 2.5"),
        ({"hidden": 2**24 + 1}, "width must be a whole number in [1, 16777216], got 16777217"),
        ({"hidden": ()}, "hidden must be 1 to 4 widths, got 0"),
        ({"hidden": (1, 2, 3, 4, 5)}, "hidden must be 1 to 4 widths, got 5"),
        ({"hidden": None}, "width must be a whole number in [1, 16777216], got None"),
        ({"hidden": True}, "width must be a whole number in [1, 16777216], got True"),
        ({"classes": 1}, "classes must be a whole number in [2, 65536], got 1"),
        ({"unit": "gelu"}, "unit must be one of relu, tanh, sigmoid, got 'gelu'"),
        ({"parametrisation": "ntk"}, "parametrisation must be one of standard, mean-field, got 'ntk'"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64, got 'float16'"),
        ({"hidden": (3, 3), "parametrisation": "mean-field"},
         "hidden must be one width for a mean-field network, got 2"),
    ],
)  # fmt: skip
def test_bad_networks(changed, line):
    with pytest.raises(ValueError) as error:
        mlp.MLP(**{"inputs": 4, "hidden": 3, "classes": 2, **changed})
    assert str(error.value) == line


NET = mlp.MLP(2, 3, 2, dtype="float32")
GOOD = mlp.initial(NET, seed=1)
X, Y = np.zeros((3, 2), np.float32), [0, 1, 1]
NAN = np.array([[0, 1], [np.nan, 0], [np.inf, -np.inf]])


@pytest.mark.parametrize(
    "changed, line",
    [
        ({"X": NAN}, "X must be finite in float32, got 3 NaN or infinite value(s)"),
        ({"X": NAN.tolist()}, "X must be finite, got 3 NaN or infinite value(s)"),
        ({"X": np.full((3, 2), 1e39)}, "X must be finite in float32, got 6 NaN or infinite value(s)"),
        ({"X": np.zeros((3, 3))}, "X must have 2 columns, got shape (3, 3)"),
        ({"X": np.zeros(2)}, "X must have 2 columns, got shape (2,)"),
        ({"X": np.zeros((1, 3, 2))}, "X must have 2 columns, got shape (1, 3, 2)"),
        ({"X": np.zeros((3, 2), complex)}, "X must be an array of finite numbers, got dtype complex128"),
        ({"X": np.array([["a", "b"]] * 3)}, "X must be an array of finite numbers, got dtype <U1"),
        ({"X": np.zeros((3, 2), object)}, "X must be an array of finite numbers, got dtype object"),
        ({"X": [[1.0], [1.0, 2.0], [3.0]]}, "X must be an array of finite numbers, got list"),
        ({"X": None}, "X must be an array of finite numbers, got dtype object"),
        ({"X": np.zeros((0, 2)), "y": []}, "y must have one whole number for each of the 0 rows of X, got shape (0,)"),
        ({"y": [0, 1]}, "y must have one whole number for each of the 3 rows of X, got shape (2,)"),
        ({"y": [[0], [1], [1]]}, "y must have one whole number for each of the 3 rows of X, got shape (3, 1)"),
        ({"y": [0.0, 1.0, 1.0]}, "y must have one whole number for each of the 3 rows of X, got dtype float64"),
        ({"y": [True, False, True]}, "y must have one whole number for each of the 3 rows of X, got dtype bool"),
        ({"y": ["0", "1", "1"]}, "y must have one whole number for each of the 3 rows of X, got dtype <U1"),
        ({"y": [[0], [1, 1]]}, "y must have one whole number for each of the 3 rows of X, got list"),
        ({"y": 0}, "y must have one whole number for each of the 3 rows of X, got shape ()"),
        ({"y": [0, 1, 2]}, "y must lie in [0, 1], got 0 to 2"),
        ({"y": [-1, 1, 1]}, "y must lie in [0, 1], got -1 to 1"),
        ({"y": np.array([0, 1, 2**64 - 1], np.uint64)}, "y must lie in [0, 1], got 0 to 18446744073709551615"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
        ({"weights": GOOD[:1]}, "weights must be 2 x 3 float32, 3 x 2 float32, got 2 x 3 float32"),
        ({"weights": []}, "weights must be 2 x 3 float32, 3 x 2 float32, got none"),
        ({"weights": [w.astype(float) for w in GOOD]},
         "weights must be 2 x 3 float32, 3 x 2 float32, got 2 x 3 float64, 3 x 2 float64"),
        ({"weights": [GOOD[0].T, GOOD[1]]},
         "weights must be 2 x 3 float32, 3 x 2 float32, got 3 x 2 float32, 3 x 2 float32"),
        ({"weights": [GOOD[0], GOOD[1].tolist()]},
         "weights must be 2 x 3 float32, 3 x 2 float32, got 2 x 3 float32, 3 x 2 list"),
        ({"weights": [GOOD[0], GOOD[1].astype(">f4")]},
         "weights must be 2 x 3 float32, 3 x 2 float32, got 2 x 3 float32, 3 x 2 >f4"),
        ({"weights": None}, "weights must be a list of arrays, one a layer, got NoneType"),
        ({"weights": GOOD[0]}, "weights must be a list of arrays, one a layer, got ndarray"),
    ],
)  # fmt: skip
def test_bad_weights_and_data(changed, line):
    arguments = {"weights": GOOD, "X": X, "y": Y, **changed}
    for function in (mlp.evaluate, mlp.gradient):
        with pytest.raises(ValueError) as error:
            function(NET, **arguments)
        assert str(error.value) == line


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match=r"^seed must be a whole number in \[0, 2\^64 - 1\], got"):
        mlp.initial(NET, seed=seed)
