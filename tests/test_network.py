"""network.py: the drift is minus n times the gradient of the risk, for every unit and loss; memory is O(n p + data)."""

import math
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum.network import BLOCK, UNITS, Network, two_classes

EPS = np.finfo(float).eps
LOSSES = ("logistic", "square")
SIZES = [(2, 2, 1), (5, 3, 2), (64, 8, 3), (65, 7, 4), (63, 9, 7), (130, 13, 6)]  # n, m, d: tiles of 4, blocks of 64


def bed_and_state(n, m, d, unit, loss, seed=0):
    """A network on random data (m, d) and parameters (d + 1, n)."""
    rng = np.random.default_rng([n, m, d, seed])
    y = np.where(np.arange(m) % 2, 1, 0)
    bed = Network(rng.standard_normal((m, d)), y, unit=unit, loss=loss)
    return bed, naive.Network(bed.X, bed.y, unit, loss), 2.0 * rng.standard_normal((d + 1, n)), rng


# ---------------------------------------------------------------- one step


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("n, m, d", SIZES)
def test_a_step_agrees_with_the_loops(n, m, d, unit, loss):
    """Inner products, activations and the sum over the data: a few roundings for each of p + m terms of size <= 10."""
    bed, twin, theta, rng = bed_and_state(n, m, d, unit, loss)
    system, eta = bed.system(theta.copy()), 0.7
    tolerance = 4 * EPS * (d + m + 10) * (1 + np.abs(theta).max())
    for _ in range(2):
        before, noise = system.theta.copy(), rng.standard_normal(theta.shape)
        outputs = twin.average(before)
        assert system.average.shape == (m,) and np.abs(system.average - outputs).max() < tolerance
        system.advance(system.average, noise, eta)
        assert np.abs(system.theta - twin.step(before, outputs, noise, eta)).max() < tolerance
        # partners: the drift backwards, and the outputs of the new state
        assert np.abs(system.theta - twin.step(before, outputs, noise, -eta)).max() > 1e6 * tolerance
        assert np.abs(system.theta - twin.step(before, outputs + 1e-3, noise, eta)).max() > 1e6 * tolerance


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("unit", UNITS)
def test_the_drift_is_minus_n_times_the_gradient_of_the_risk(unit, loss):
    """Central differences with h = 1e-5: h^2 / 6 third derivatives 1e-10, round-off n eps / h 1e-10, wanted 1e-7."""
    n, h = 5, 1e-5
    bed, twin, theta, _ = bed_and_state(n, 7, 3, unit, loss, seed=1)
    system = bed.system(theta.copy())
    assert abs(theta[:-1].T @ bed.X.T + theta[-1:].T).min() > 10 * h  # no ReLU kink within h
    system.advance(system.average, np.zeros_like(theta), 1.0)
    drift, gradient = system.theta - theta, np.empty_like(theta)
    for at in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[at] = h
        gradient[at] = (twin.risk(theta + step) - twin.risk(theta - step)) / (2 * h)
    assert np.abs(drift + n * gradient).max() < 1e-7 * np.abs(drift).max()
    assert np.abs(drift + gradient).max() > 0.1 * np.abs(drift).max()  # partner: the factor n


def test_extreme_margins_of_the_logistic_loss():
    """Unbounded units drive |f| beyond the range of exp: the slope of the loss is then 0 or 1, nothing wraps around."""
    for f, weight in [(-1e4, 1.0), (-800.0, 1.0), (-705.0, 1.0), (705.0, 0.0), (800.0, 0.0), (1e300, 0.0)]:
        for sign in (1.0, -1.0):
            bed = Network([[1.0], [1.0]], [-1, 1], unit="relu", unit_norm=False)
            system = bed.system(np.array([[1.0, 1.0], [1.0, 1.0]]))
            average = np.array([0.0, f]) if sign == 1 else np.array([-f, 0.0])
            system.advance(average, np.zeros((2, 2)), 2.0, observe=False)
            # the row at f = 0 has slope -y/2, the other -y * weight
            assert np.allclose(system.theta - 1.0, sign * (weight - 0.5), rtol=0, atol=1e-12), (f, sign)


def test_huge_weights_stay_finite():
    bed, _, theta, _ = bed_and_state(3, 5, 2, "tanh", "logistic")
    for unit in ("tanh", "sigmoid"):
        system = Network(bed.X, bed.y, unit=unit).system(1e200 * theta)
        system.advance(system.average, np.zeros_like(theta), 0.1)
        assert np.isfinite(system.theta).all() and np.abs(system.average).max() <= 1.0


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_does_not_depend_on_its_place(unit):
    """Same bits for a unit with the same interaction, whatever its block and its neighbours."""
    bed, _, theta, rng = bed_and_state(3 * BLOCK + 5, 6, 4, unit, "logistic")
    noise, outputs = rng.standard_normal(theta.shape), rng.standard_normal((1, 6))
    whole = bed.system(theta.copy())
    whole.advance(outputs, noise, 0.1)
    for part in (slice(0, 2), slice(60, 70), slice(100, 3 * BLOCK + 5)):
        some = bed.system(np.ascontiguousarray(theta[:, part]))
        some.advance(outputs, np.ascontiguousarray(noise[:, part]), 0.1)
        assert np.array_equal(some.theta, whole.theta[:, part])


def test_observe_false_leaves_the_outputs():
    bed, _, theta, _ = bed_and_state(70, 5, 3, "tanh", "logistic")
    system, other = bed.system(theta.copy()), bed.system(theta.copy())
    before = system.average.copy()
    for s, observe in ((system, False), (other, True)):
        s.advance(before, np.zeros_like(theta), 0.5, observe=observe)
    assert np.array_equal(system.theta, other.theta)
    assert np.array_equal(system.average, before) and not np.array_equal(other.average, before)
    system.observe()
    assert np.array_equal(system.average, other.average)


# ---------------------------------------------------------------- data and initial law


def test_inputs_are_scaled_to_unit_norm():
    X = np.random.default_rng(3).standard_normal((6, 4)) * 10.0 ** np.arange(6)[:, None]
    y = [0, 1] * 3
    assert np.abs(np.linalg.norm(Network(X, y).X, axis=1) - 1.0).max() < 4 * EPS
    kept = Network(X, y, unit_norm=False)
    assert np.array_equal(kept.X, X) and kept.p == 5 and kept.m == 6
    scaled = X * 3.0
    assert np.array_equal(Network(X, y).X.argmax(1), Network(scaled, y).X.argmax(1))
    assert np.abs(Network(X, y).X - Network(scaled, y).X).max() < 4 * EPS


def test_the_data_of_the_caller_stay():
    X, y = np.random.default_rng(4).standard_normal((5, 2)), np.array([3, 8, 3, 8, 8])
    copies = X.copy(), y.copy()
    bed = Network(X, y)
    system = bed.system(bed.initial(10, seed=1))
    system.advance(system.average, np.zeros((3, 10)), 0.1)
    assert np.array_equal(X, copies[0]) and np.array_equal(y, copies[1])
    assert np.array_equal(bed.y, [-1.0, 1.0, -1.0, 1.0, 1.0])


def test_initial_values_are_their_addresses():
    bed = Network(np.eye(3), [0, 1, 1], sd=0.6)
    theta = bed.initial(515, seed=12, replica=3)
    assert np.abs(theta - naive.normal(0.0, 0.6, 4, 515, seed=12, replica=3)).max() < 1e-13
    assert np.array_equal(bed.initial(20, seed=12, replica=3), theta[:, :20])
    assert not np.any(bed.initial(515, seed=12, replica=4) == theta)


def test_initial_law():
    theta = Network(np.eye(3), [0, 1, 1], sd=0.6).initial(100_000, seed=6).reshape(-1)
    assert goodness.kolmogorov(theta, stats.norm(0, 0.6).cdf) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(theta, stats.norm(0, 0.61).cdf) > goodness.KOLMOGOROV_CRITICAL


@pytest.mark.parametrize(
    "unit, loss, words",
    [
        ("tanh", "logistic", ()),
        ("sigmoid", "logistic", ()),
        ("relu", "logistic", ("ReLU", "A1")),
        ("tanh", "square", ("square", "A2")),
        ("relu", "square", ("ReLU", "A1", "square", "A2")),
    ],
)
def test_what_lies_outside_the_assumptions_says_so(unit, loss, words):
    outside = Network(np.eye(2), [0, 1], unit=unit, loss=loss).outside
    assert bool(outside) == bool(words) and all(word in outside for word in words) and "\n" not in outside


# ---------------------------------------------------------------- memory

MEMORY = """
import resource, sys
import numpy as np
from chaosnum.network import Network

rng = np.random.default_rng(0)
bed = Network(rng.standard_normal((200, 3)), np.arange(200) % 2)

def steps(n):
    theta = rng.standard_normal((bed.p, n))
    system = bed.system(theta)
    for _ in range(3):
        system.advance(system.average, np.zeros_like(theta), 0.1)

steps(100)
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 16_000_000, resource.RLIM_INFINITY))
steps(40_000)
if len(sys.argv) > 1:
    np.ones((200, 40_000))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the size of the process from /proc")
def test_memory_stays_linear():
    """40 000 units with 4 parameters on 200 points in 16 MB; one array of n x m takes 64. Kernels' own arrays count."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = lambda *extra: subprocess.run(  # noqa: E731
        [sys.executable, "-c", MEMORY, *extra], env=environment, capture_output=True, text=True
    )
    done = run()
    assert done.returncode == 0, done.stderr
    partner = run("whole")  # the activations of all units at once
    assert partner.returncode == 1 and "MemoryError" in partner.stderr.splitlines()[-1]


def test_no_large_array_in_python():
    """The same by NumPy's own accounting, which misses the kernels' arrays but not a temporary."""
    n, m = 20_000, 200
    rng = np.random.default_rng(0)
    bed = Network(rng.standard_normal((m, 3)), np.arange(m) % 2)
    theta, noise = rng.standard_normal((4, n)), np.zeros((4, n))
    bed.system(theta).advance(np.zeros(m), noise, 0.1)
    peaks = []
    for work in (lambda: bed.system(theta).advance(np.zeros(m), noise, 0.1), lambda: bed.X @ theta[:-1]):
        tracemalloc.start()
        try:
            work()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # the block sums are n / 64 x m
    assert peaks[0] < 1.5 * 8 * n * m / BLOCK < 8 * n * m <= peaks[1], peaks


# ---------------------------------------------------------------- bad input

X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
NAN, ZERO = X.copy(), X.copy()
NAN[1, 1], ZERO[2] = np.nan, 0.0


@pytest.mark.parametrize(
    "X, y, options, line",
    [
        (NAN, [0, 1, 1], {}, "X must be finite, got 1 NaN or infinite value(s)"),
        (np.array([[np.inf], [-np.inf]]), [0, 1], {}, "X must be finite, got 2 NaN or infinite value(s)"),
        (X[0], [0, 1], {}, "X must have 2 dimension(s), got shape (2,)"),
        ([["a"], ["b"]], [0, 1], {}, "X must be an array of finite numbers, got dtype <U1"),
        (X, [0, 1], {}, "y must have one label for each of the 3 rows of X, got 2"),
        (X, [1, 1, 1], {}, "y must hold two classes, got 1: 1"),
        (X, [0, 1, 2], {}, "y must hold two classes, got 3: 0, 1, 2"),
        (X, [[0, 1, 1]], {}, "y must have one dimension, got shape (1, 3)"),
        (X, [0.0, 1.0, np.nan], {}, "y must be finite, got 1 NaN or infinite label(s)"),
        (X, [0, 1, None], {}, "y must hold numbers or strings, got dtype object"),
        (ZERO, [0, 1, 1], {}, "X must have no row of zeros to be scaled to unit norm, got 1"),
        (X, [0, 1, 1], {"unit": "gelu"}, "unit must be one of tanh, sigmoid, relu, got 'gelu'"),
        (X, [0, 1, 1], {"loss": "hinge"}, "loss must be one of logistic, square, got 'hinge'"),
        (X, [0, 1, 1], {"sd": -1.0}, "sd must lie in [0, inf), got -1.0"),
    ],
)
def test_bad_input(X, y, options, line):
    with pytest.raises(ValueError) as error:
        Network(X, y, **options)
    assert str(error.value) == line


def test_zeros_are_fine_without_scaling():
    assert Network(ZERO, [0, 1, 1], unit_norm=False).m == 3


@pytest.mark.parametrize(
    "y, signs",
    [
        ([3, 8, 8], [-1, 1, 1]),
        ([True, False], [1, -1]),
        (["spam", "ham", "spam"], [1, -1, 1]),
        ([b"b", b"a"], [1, -1]),
        (np.array([1.5, -2.5]), [1, -1]),
        (np.array([7, 0], dtype=np.uint8), [1, -1]),
    ],
)
def test_two_classes(y, signs):
    labels = two_classes(y)
    assert labels.dtype == np.float64 and np.array_equal(labels, signs)


def test_many_classes_are_not_all_listed():
    with pytest.raises(ValueError) as error:
        two_classes(range(10))
    assert str(error.value) == "y must hold two classes, got 10: 0, 1, 2, 3, 4, ..."
    with pytest.raises(ValueError, match=r"^y must hold two classes, got 0"):
        two_classes(np.array([], dtype=int))
    assert math.isclose(two_classes([0, 1]).sum(), 0.0)
