"""sgd.py: steps against loops, the noise's address and scale, stopping, going on from a checkpoint, divergence."""

import math
import threading
import tracemalloc
from types import SimpleNamespace

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import backprop, mlp, noise, sgd
from chaosnum.sgd import Diverged, Evaluation, Noise, Schedule, Training

KINDS = noise.KINDS
HIDDEN = {"one": (7,), "two": (4, 6), "three": (5, 1, 4), "four": (3, 4, 5, 3)}


def data(m=24, inputs=3, classes=3, seed=0):
    """Rows around one centre for each class."""
    rng = np.random.default_rng(seed)
    y = np.arange(m) % classes
    X = rng.standard_normal((m, inputs)) + 2.0 * rng.standard_normal((classes, inputs))[y]
    return SimpleNamespace(X_train=X, y_train=y)


def training(hidden=(7,), noise=("II", 1.5, 0.1), *, eta=0.1, batch=5, target=None, every=3, cap=9, seed=1, **options):
    """A small run; options of the network among the others."""
    threads, rows = options.pop("threads", 1), options.pop("rows", data())
    options = {"dtype": "float64", "unit": "tanh", **options}
    network = mlp.MLP(rows.X_train.shape[1], hidden, 3, **options)
    schedule = Schedule(eta, batch, target=target, every=every, cap=cap)
    return Training(network, rows, Noise(*noise), schedule, seed=seed, threads=threads)


def same(one, other):
    """Whether two lists of arrays have the same bits."""
    return len(one) == len(other) and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other))


# ---------------------------------------------------------------- whole steps


@pytest.mark.parametrize("unit", backprop.UNITS)
@pytest.mark.parametrize("hidden", [*HIDDEN.values(), "mean-field"])
@pytest.mark.parametrize("kind", ["none", "II", "III-paper"])
def test_agrees_with_the_loops(unit, hidden, kind):
    """Nine steps with the loops' own initial weights, noise and batches.

    A step rounds sums of below 30 terms, 1e-14 of the weights; the textbook form of these few hundred draws is off by
    1e-12 of the noise. With a curvature below 10 a step multiplies what is there by 1 + 10 eta = 2 at most: in nine
    steps both grow to 9 * 2^8 * 1e-14 and, the noise being a hundredth of the weights, less: 1e-10 is enough.
    """
    mean_field = hidden == "mean-field"
    hidden = (7,) if mean_field else hidden
    alpha, sigma, eta, seed, rows = 1.7, 0.05, 0.1, 2**64 - 5, data()
    options = {"unit": unit, "parametrisation": "mean-field" if mean_field else "standard"}
    run = training(hidden, (kind, alpha, 0.0 if kind == "none" else sigma), eta=eta, seed=seed, **options).run()
    twin = naive.Classifier(unit, mean_field)
    weights = naive.uniform_weights(run.network.shapes, seed=seed, signs=mean_field)
    seen = []
    for step in range(9):
        if step % 3 == 0:
            seen.append((step, twin.loss(weights, rows.X_train, rows.y_train),
                         twin.accuracy(weights, rows.X_train, rows.y_train)))  # fmt: skip
        chosen, xi = naive.batch(24, 5, seed=seed, step=step), []
        if kind != "none":
            scale = sigma * eta ** (1 / alpha)
            xi = [
                naive.increments(kind, alpha, *shape, seed=seed, step=step, scale=scale, first=layer * 2**32)
                for layer, shape in enumerate(run.network.shapes[:-1])
            ]
        before = weights
        weights = twin.step(weights, rows.X_train[chosen], rows.y_train[chosen], eta, xi)
    assert run.step == 9 and run.stopped == "cap"
    assert [(e.step, e.accuracy) for e in run.evaluations] == [(step, accuracy) for step, _, accuracy in seen]
    assert np.allclose([e.loss for e in run.evaluations], [loss for _, loss, _ in seen], rtol=1e-10, atol=0)
    for found, wanted, last in zip(run.weights, weights, before):
        assert np.abs(found - wanted).max() < 1e-10 * np.abs(wanted).max()
        if not (mean_field and last is weights[-1]) and unit != "relu":  # partner: one step less
            assert np.abs(found - last).max() > 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", mlp.DTYPES)
def test_the_noise_of_a_step(kind, dtype):
    """theta + (xi - eta gradient), bit for bit, with xi at its address in float64 and rounded once."""
    alpha, sigma, eta, seed, every = 1.6, 0.3, 0.05, 11, 4
    run = training((600, 5), (kind, alpha, sigma), eta=eta, seed=seed, every=every, cap=12, batch=None, dtype=dtype)
    run.advance()  # steps 0, ..., 3
    before = [w.copy() for w in run.weights]
    run.schedule = Schedule(eta, None, target=None, every=1, cap=12)
    run.advance()  # step 4
    gradients = mlp.gradient(run.network, before, run.X, run.y)[1]
    scale, eta = sigma * eta ** (1 / alpha), np.dtype(dtype).type(eta)
    for layer, (p, n) in enumerate([(3, 600), (600, 5)]):
        path = noise.Path(kind, alpha, p, n, seed=seed, scale=scale, unit=layer * 2**32)
        xi = path.fill(4, np.empty((p, n)))
        if layer == 0:
            assert np.array_equal(xi, noise.increments(kind, alpha, (p, n), seed=seed, step=4, scale=scale))
        wanted = before[layer] + (xi.astype(dtype) - eta * gradients[layer])
        assert np.array_equal(run.weights[layer], wanted)
        assert not np.array_equal(run.weights[layer], before[layer] + (path.fill(5, xi).astype(dtype)))
    assert np.array_equal(run.weights[2], before[2] - eta * gradients[2])  # no noise on the output layer


def added(run):
    """The noise that a step of a run adds to its layers: with and without it, from the same weights -> list."""
    weights = [w.copy() for w in run.weights]
    noisy = [w.copy() for w in run.restore(0, weights, []).run().weights]
    plain = Training(run.network, data(), Noise(), run.schedule, seed=run.seed).restore(0, weights, []).run().weights
    return [a - b for a, b in zip(noisy, plain)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_law_of_what_is_added(kind):
    """sigma eta^(1/alpha) times the standard law; with eta^(1/2) in its place the test fails."""
    alpha, sigma, eta = 1.5, 0.7, 0.01
    xi = added(training((20_000,), (kind, alpha, sigma), eta=eta, every=1, cap=1, batch=None))
    assert not xi[1].any()  # the output layer
    law = {"II": lambda k: np.exp(-(np.abs(k) ** alpha).sum(-1)), "I": lambda k: np.exp(-(np.abs(k.sum(-1)) ** alpha))}
    rotational = goodness.sas(alpha, math.sqrt(0.5) if kind == "III-paper" else 1.0)
    k = np.array([[0.9, 0.1, 0.3], [-0.2, 1.1, -0.4], [0.3, 0.4, 0.5]])
    x = xi[0] / (sigma * eta ** (1 / alpha))
    assert goodness.chi_square(x, law.get(kind, rotational), k) < goodness.critical(k)
    assert goodness.chi_square(x * eta ** (1 / alpha - 0.5), law.get(kind, rotational), k) > goodness.critical(k)


def test_layers_steps_seeds_and_initial_weights_are_independent():
    """Bounded functions of the noise at other addresses, and of the initial weights, are uncorrelated."""
    most = stats.norm.isf(goodness.FALSE_ALARM / 2) / 300
    fill = lambda layer, step, seed: noise.Path(  # noqa: E731
        "II", 1.5, 300, 300, seed=seed, unit=layer * 2**32
    ).fill(step, np.empty((300, 300)))
    x = fill(0, 0, 3).reshape(-1)
    others = [fill(layer, 0, 3) for layer in (1, 2, 3)] + [fill(0, 1, 3), fill(1, 1, 3), fill(0, 0, 4)]
    initial = mlp.initial(mlp.MLP(300, (300, 300, 300), 300, dtype="float64"), seed=3)
    for y in others:
        for bounded in (np.sin, np.cos, np.sign, lambda t: np.abs(t) > 1):
            assert abs(np.corrcoef(bounded(x), bounded(y.reshape(-1)))[0, 1]) < most
    for theta in initial:
        u = theta.reshape(-1)
        assert abs(np.corrcoef(np.sin(x), u)[0, 1]) < most and abs(np.corrcoef(np.abs(x) > 1, u**2)[0, 1]) < most
    assert np.corrcoef(np.sin(x), np.sin(fill(0, 0, 3).reshape(-1)))[0, 1] > most  # partner: the same address


def test_runs_of_one_seed_share_initial_weights_and_batches():
    plain, noisy = training(noise=("none",)), training()
    assert same(plain.weights, noisy.weights) and plain.advance() == noisy.advance()
    assert not same(plain.weights, noisy.weights)
    assert all(np.array_equal(plain.batches.rows(step), noisy.batches.rows(step)) for step in range(9))
    other = training(seed=2)
    assert not any(np.any(a == b) for a, b in zip(other.weights, training().weights))
    assert not same(other.run().weights, training().run().weights)


# ---------------------------------------------------------------- bits


@pytest.mark.parametrize("hidden", [(1,), (700,), (513, 30), (5, 1, 600), (40, 3, 530, 7)])
@pytest.mark.parametrize("batch, dtype", [(None, "float64"), (7, "float32"), (1, "float32")])
def test_same_bits_for_any_number_of_threads(hidden, batch, dtype, monkeypatch):
    monkeypatch.setattr(backprop, "_WORTH", 0)
    monkeypatch.setattr(sgd, "_WORTH", 1)
    one = training(hidden, batch=batch, dtype=dtype).run()
    for threads in (2, 3, None):
        other = training(hidden, batch=batch, dtype=dtype, threads=threads).run()
        assert same(other.weights, one.weights) and other.evaluations == one.evaluations


@pytest.mark.parametrize("kind", ["none", *KINDS])
def test_a_run_goes_on_from_any_evaluation_with_the_same_bits(kind):
    options = {"noise": (kind, 1.5, 0.1 if kind != "none" else 0.0), "every": 4, "cap": 18, "batch": 7}
    whole, states = training(**options), []
    while not whole.stopped:
        states.append((whole.step, [w.copy() for w in whole.weights], list(whole.evaluations)))
        whole.advance()
    assert [step for step, *_ in states] == [0, 4, 8, 12, 16] and whole.step == 18
    used = training(**options).run()
    for state in states:
        for run in (training(**options), used):  # a new run, and one that has been elsewhere
            run.restore(*state).run()
            assert same(run.weights, whole.weights) and run.evaluations == whole.evaluations
            assert (run.step, run.stopped) == (18, "cap")
    assert not same(training(**options).restore(4, *states[0][1:]).run().weights, whole.weights)  # partner: the step


def test_runs_at_the_same_time_have_the_bits_of_runs_alone():
    """BLAS's number of threads belongs to the process: runs on two threads must not give it back to each other."""
    rows, ends = data(700, 300), {}

    def run(name, seed):
        ends[name] = training((1100, 40), rows=rows, batch=None, dtype="float32", every=1, cap=6, seed=seed).run()

    run("alone 1", 1), run("alone 2", 2)
    workers = [threading.Thread(target=run, args=(seed, seed)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert all(same(ends[seed].weights, ends[f"alone {seed}"].weights) for seed in (1, 2))


def test_restored_weights_are_copies():
    run = training()
    weights, seen = [np.asfortranarray(w) for w in run.weights], []
    copies = [w.copy() for w in weights]
    run.restore(0, weights, seen).run()
    assert same(weights, copies) and seen == [] and all(w.flags.c_contiguous for w in run.weights)


# ---------------------------------------------------------------- stopping


def test_the_stopping_step_has_no_noise():
    run = training(noise=("II", 1.5, 1.0), target=0.01, every=5, cap=100)
    before = [w.copy() for w in run.weights]
    found = run.run().evaluations
    assert [e.step for e in found] == [0] and run.step == 1 and run.stopped == "target"
    chosen = run.batches.rows(0)
    gradients = mlp.gradient(run.network, before, run.X[chosen], run.y[chosen])[1]
    assert same(run.weights, [w - 0.1 * g for w, g in zip(before, gradients)])


@pytest.mark.parametrize(
    "every, cap, steps", [(3, 9, [0, 3, 6]), (4, 9, [0, 4, 8]), (10, 9, [0]), (1, 2, [0, 1]), (5, 1, [0])]
)
def test_without_a_target_it_goes_to_the_cap(every, cap, steps):
    run = training(every=every, cap=cap).run()
    assert [e.step for e in run.evaluations] == steps and (run.step, run.stopped) == (cap, "cap")


def test_it_stops_at_the_first_evaluation_that_reaches_the_target():
    free = training(noise=("II", 1.8, 0.01), every=5, cap=300, batch=None).run()
    target = 0.9
    first = next(e for e in free.evaluations if e.accuracy >= target)
    assert 0 < first.step < 295 and free.evaluations[0].accuracy < target
    run = training(noise=("II", 1.8, 0.01), every=5, cap=300, batch=None, target=target).run()
    assert run.evaluations == free.evaluations[: len(run.evaluations)] and run.evaluations[-1] == first
    assert (run.step, run.stopped) == (first.step + 1, "target")
    exact = training(noise=("II", 1.8, 0.01), every=5, cap=300, batch=None, target=first.accuracy).run()
    assert exact.evaluations[-1] == first and exact.stopped == "target"  # equality is enough
    between = training(noise=("II", 1.8, 0.01), every=5, cap=first.step - 1, batch=None, target=target).run()
    assert between.stopped == "cap" and between.step == first.step - 1


def test_a_target_at_the_last_step_counts():
    """Nothing is evaluated at the cap: a run of cap steps ends there, reached or not."""
    run = training(noise=("none",), every=5, cap=5, target=1.0).run()
    assert [e.step for e in run.evaluations] == [0] and (run.step, run.stopped) == (5, "cap")


def test_advance_gives_the_evaluation_and_stops_at_the_end():
    run = training()
    assert run.stopped == "" and run.evaluations == [] and run.step == 0
    found = run.advance()
    score = mlp.evaluate(run.network, mlp.initial(run.network, seed=1), run.X, run.y)
    assert found == Evaluation(0, score.loss, score.accuracy) and run.evaluations == [found] and run.step == 3
    run.run()
    state, weights = (run.step, run.stopped, list(run.evaluations)), [w.copy() for w in run.weights]
    with pytest.raises(ValueError, match=r"^training is over at step 9 \(cap\), restore a state to go on$"):
        run.advance()
    assert run.run() is run and (run.step, run.stopped, run.evaluations) == state and same(run.weights, weights)


# ---------------------------------------------------------------- divergence


def test_too_large_a_step_says_so_and_keeps_the_last_good_weights():
    """With eta = 1e4 the second loss is already beyond what it may be; the weights of step 0 come back."""
    run = training(noise=("none",), eta=1e4, unit="relu")
    weights = [w.copy() for w in run.weights]
    with pytest.raises(Diverged) as error:
        run.run()
    line = str(error.value)
    assert line.startswith("training diverged at step 1: loss ") and "\n" not in line
    assert line.endswith("; take a smaller eta (now eta = 10000)") and "10000 times that of guessing" in line
    assert isinstance(error.value, ValueError) and run.step == 0 and same(run.weights, weights)
    assert [e.step for e in run.evaluations] == [0] and run.stopped == ""


@pytest.mark.parametrize("dtype", mlp.DTYPES)
@pytest.mark.parametrize("threads", [1, 2])
def test_noise_that_is_too_strong_says_so_without_warnings(dtype, threads, recwarn):
    """Overflow in a product of NumPy's warns on the thread that meets it: the line is all that a user sees."""
    scale = 1e25 if dtype == "float32" else 1e200
    run = training((600, 700), ("II", 1.5, scale), unit="relu", dtype=dtype, threads=threads)
    with pytest.raises(Diverged) as error:
        run.run()
    assert str(error.value) == (
        f"training diverged at step 1: loss nan; take a smaller eta or sigma (now eta = 0.1, sigma = {scale:g})"
    )
    assert not recwarn.list and run.step == 0 and all(np.isfinite(w).all() for w in run.weights)


def test_the_last_good_weights_are_those_of_the_last_evaluation():
    """A run that is good for some evaluations, then meets weights that are not."""
    for bad in (np.nan, np.inf, 1e9):
        run = training(every=2, cap=50, unit="relu")
        run.advance(), run.advance()
        kept = [w.copy() for w in run.weights]
        run.advance()  # evaluates at step 4
        run.weights[0][0, 0] = bad
        run.weights[1][0] = 1.0, 0.0, -1.0
        with pytest.raises(Diverged, match=r"^training diverged at step 6: loss (nan|inf|[\d.e+]+)"):
            run.advance()
        assert run.step == 4 and same(run.weights, kept) and [e.step for e in run.evaluations] == [0, 2, 4]


def test_between_evaluations_the_loss_is_watched_too():
    run = training(noise=("none",), eta=1e4, unit="relu", every=1000, cap=1000)
    with pytest.raises(Diverged, match=r"^training diverged at step [1-9]: "):
        run.run()
    assert run.step == 0


@pytest.mark.parametrize("every, cap", [(3, 1), (3, 3), (2, 3)])
def test_weights_that_overflow_in_the_very_last_step(every, cap):
    """No evaluation comes after it."""

    def fill(step, out):
        out[:] = np.inf if step + 1 == cap else 0.0
        return out

    run = training(every=every, cap=cap)
    run._paths[0].fill = fill
    with pytest.raises(Diverged) as error:
        run.run()
    assert str(error.value).startswith(
        f"training diverged at step {cap}: weights that are not finite; take a smaller eta"
    )
    assert run.stopped == "" and run.step == run.evaluations[-1].step
    assert run.step == (cap - 1) // every * every and all(np.isfinite(w).all() for w in run.weights)


def test_initial_weights_that_cannot_be_evaluated():
    """Before any step neither eta nor sigma is at fault."""
    rows = data()
    rows.X_train = 1e9 * rows.X_train
    run = training(rows=rows, unit="relu")
    weights = [w.copy() for w in run.weights]
    with pytest.raises(Diverged) as error:
        run.run()
    line = str(error.value)
    assert line.startswith("training diverged at step 0: loss ") and line.endswith("; scale the data")
    assert run.step == 0 and same(run.weights, weights) and run.evaluations == []


def test_a_restored_state_is_the_last_good_one():
    """Not that of the run before it was restored."""
    run = training(unit="relu", cap=50)
    run.advance(), run.advance()
    bad = [np.full_like(w, 1e200) for w in run.weights]
    with pytest.raises(Diverged, match=r"^training diverged at step 9: "):
        run.restore(9, bad, []).run()
    assert run.step == 9 and same(run.weights, bad)


def test_one_large_jump_is_no_divergence():
    """A unit that jumps by 1e3 raises the loss a hundredfold; its activations are of order 1e3, so is the curvature's
    root, and steps of 1e-7 bring the loss down again."""
    run = training((50,), ("none",), unit="relu", eta=1e-7, every=1, cap=400, batch=None)
    run.advance()
    run.weights[0][:, 3] += 1e3
    first = run.advance()
    run.run()
    assert first.loss > 10 and run.evaluations[-1].loss < first.loss


def test_memory_is_a_few_copies_of_the_weights():
    """Weights, their copy, gradients, noise, and activations of one chunk of rows, not of all rows forth and back."""
    rows, size = data(m=8000, inputs=100), 4 * 2000 * 103
    run = training((2000,), batch=10, every=2, cap=4, rows=rows, dtype="float32")
    run.advance()
    tracemalloc.start()
    try:
        run.run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    chunk = 4 * backprop.ACTIVATIONS
    assert peak < 3 * size + 2.1 * chunk < 4 * 8000 * 2000


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "arguments, line",
    [
        (("IV", 1.5, 0.1), "noise must be one of none, I, II, III, III-paper, got 'IV'"),
        ((None,), "noise must be one of none, I, II, III, III-paper, got None"),
        (("II", 2.5, 0.1), "alpha must lie in (0, 2], got 2.5"),
        (("none", 0.0), "alpha must lie in (0, 2], got 0.0"),
        (("II", math.nan, 0.1), "alpha must lie in (0, 2], got nan"),
        (("II", 1.5, -0.1), "sigma must lie in [0, inf), got -0.1"),
        (("II", 1.5, math.inf), "sigma must lie in [0, inf), got inf"),
        (("II", 1.5, "1"), "sigma must lie in [0, inf), got '1'"),
        (("II", 1.5), "sigma must be above 0 with noise of type II, got 0"),
    ],
)
def test_bad_noise(arguments, line):
    with pytest.raises(ValueError) as error:
        Noise(*arguments)
    assert str(error.value) == line


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"eta": 0}, "eta must lie in (0, inf), got 0.0"),
        ({"eta": -1.0}, "eta must lie in (0, inf), got -1.0"),
        ({"eta": math.inf}, "eta must lie in (0, inf), got inf"),
        ({"eta": True}, "eta must lie in (0, inf), got True"),
        ({"batch": 0}, "batch must be a whole number >= 1, got 0"),
        ({"batch": 2.5}, "batch must be a whole number >= 1, got 2.5"),
        ({"target": 1.5}, "target must lie in (0, 1], got 1.5"),
        ({"target": 0.0}, "target must lie in (0, 1], got 0.0"),
        ({"target": math.nan}, "target must lie in (0, 1], got nan"),
        ({"every": 0}, "every must be a whole number >= 1, got 0"),
        ({"cap": 0}, "cap must be a whole number in [1, 4294967295], got 0"),
        ({"cap": 2**32}, "cap must be a whole number in [1, 4294967295], got 4294967296"),
    ],
)
def test_bad_schedules(arguments, line):
    with pytest.raises(ValueError) as error:
        Schedule(**{"eta": 0.1, **arguments})
    assert str(error.value) == line


def broken(**parts):
    """The data with something wrong in them."""
    return SimpleNamespace(**{**vars(data()), **parts})


@pytest.mark.parametrize(
    "options, line",
    [
        ({"batch": 25}, "batch must be a whole number in [1, 24], got 25"),
        ({"seed": -1}, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ({"seed": 2**64}, "seed must be a whole number in [0, 2^64 - 1], got 18446744073709551616"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
        ({"rows": broken(X_train=np.full((24, 3), np.nan))},
         "X must be finite in float64, got 72 NaN or infinite value(s)"),
        ({"rows": broken(y_train=np.arange(24))}, "y must lie in [0, 2], got 0 to 23"),
        ({"rows": broken(y_train=np.arange(24) % 3 + 0.0)},
         "y must have one whole number for each of the 24 rows of X, got dtype float64"),
        ({"rows": broken(y_train=np.zeros(23, int))},
         "y must have one whole number for each of the 24 rows of X, got shape (23,)"),
        ({"eta": 1e-30, "noise": ("II", 0.05, 0.1)}, "sigma eta^(1/alpha) must lie in [1e-300, 1e300], got 1e-601"),
        ({"eta": 1e30, "noise": ("II", 0.05, 0.1)}, "sigma eta^(1/alpha) must lie in [1e-300, 1e300], got 1e+599"),
    ],
)  # fmt: skip
def test_bad_runs(options, line):
    with pytest.raises(ValueError) as error:
        training(**options)
    assert str(error.value) == line


def test_bad_states():
    run = training(every=3, cap=9)
    weights = [w.copy() for w in run.weights]
    for step, line in [
        (-3, "step must be a whole number in [0, 9], got -3"),
        (12, "step must be a whole number in [0, 9], got 12"),
        (4, "step must be a multiple of every = 3, got 4"),
        (1.5, "step must be a whole number in [0, 9], got 1.5"),
    ]:
        with pytest.raises(ValueError) as error:
            run.restore(step, weights, [])
        assert str(error.value) == line
    with pytest.raises(ValueError, match=r"^weights must be 3 x 7 float64, 7 x 3 float64, got 3 x 7 float64$"):
        run.restore(3, weights[:1], [])
    assert run.step == 0 and run.run().step == 9  # a refused state changes nothing
