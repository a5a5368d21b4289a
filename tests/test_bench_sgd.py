"""bench_sgd.py, peers_sgd.py: the peers take the step that ours takes, and their noise has our law and scale."""

import numpy as np
import pytest

from chaosnum import bench, bench_sgd, mlp
from chaosnum import peers_sgd as peers
from chaosnum.bench_sgd import our_steps
from chaosnum.peers_sgd import Task

TINY = bench.Effort(rounds=1, seconds=1e-4, sgd=30)
QUIET = {"torch": peers.torch_quiet, "numpy": peers.numpy_quiet, "jax": peers.jax_quiet}
NOISY = {"torch": peers.torch_own_noise, "scipy": peers.torch_scipy_noise, "jax": peers.jax_own_noise}
NEEDS = {"scipy": "torch"}
EPS = np.finfo(np.float32).eps
STEPS = 4


def small_task(n=601, *, eta=0.2, scale=0.0, p=9, m=37, classes=3):
    """Three blocks of NumPy's and two of ours, no size a multiple of another."""
    rng = np.random.default_rng(11)
    X, y = rng.standard_normal((m, p), dtype=np.float32), rng.integers(0, classes, m)
    return Task(X, y, mlp.initial(mlp.MLP(p, n, classes), seed=3), eta, 1.75, scale)


def step_of_twin(task, theta, v, eta):
    """One step in float64 -> (weights, by how much float32 may be off in them).

    A sum of k products is off by at most k eps times the sum of their absolute values; eps = 2^-23 is twice what that
    takes, which leaves room for the functions. The bounds are carried from layer to layer.
    """
    X, m, (n, classes) = task.X.astype(np.float64), len(task.y), v.shape
    before = X @ theta
    a, a_off = np.maximum(before, 0.0), X.shape[1] * EPS * np.abs(X) @ np.abs(theta)
    f, f_off = a @ v, (a_off + n * EPS * a) @ np.abs(v)
    share = np.exp(f - f.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    d = (share - np.eye(classes)[task.y]) / m
    d_off = np.broadcast_to((f_off.max(axis=1, keepdims=True) + 20 * EPS) / m, d.shape)  # softmax moves less than f
    on, doubtful = before > 0, np.abs(before) <= a_off  # where float32 may see the other side of the kink
    back, back_off = d @ v.T, (d_off + classes * EPS * np.abs(d)) @ np.abs(v).T
    theta_off = np.abs(X).T @ (back_off * on + np.abs(back) * (m * EPS * on + doubtful))
    v_off = a.T @ d_off + (a_off + m * EPS * a).T @ np.abs(d)
    moved = theta - eta * X.T @ (back * on), v - eta * a.T @ d
    return moved, [eta * off + EPS * np.abs(w) for off, w in zip((theta_off, v_off), moved)]


def loss_of_twin(task):
    """The loss after all steps in float64."""
    weights = [w.astype(np.float64) for w in task.weights]
    for _ in range(STEPS):
        weights, _ = step_of_twin(task, *weights, task.eta)
    f = np.maximum(task.X @ weights[0], 0.0) @ weights[1]
    return np.mean(np.log(np.exp(f).sum(axis=1)) - f[np.arange(len(f)), task.y])


def after(make, task, threads=1, steps=STEPS):
    peer = make(task, threads)
    with peer.limits():
        for _ in range(steps):
            peer.run()
    return peer.state()


def ours(kind):
    return lambda task, threads: our_steps(task, kind, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["ours", *QUIET])
def test_everybody_takes_the_same_steps(name, threads):
    if name in ("torch", "jax"):
        pytest.importorskip(name)
    task = small_task()
    begun = [w.copy() for w in task.weights]
    peer = QUIET.get(name, ours("none"))(task, threads)
    with peer.limits():
        for _ in range(STEPS):
            before = [w.astype(np.float64) for w in peer.state()]
            peer.run()
            ref, off = step_of_twin(task, *before, task.eta)
            other, _ = step_of_twin(task, *before, 1.01 * task.eta)
            for comp, want, margin, wrong in zip(peer.state(), ref, off, other):
                assert comp.shape == want.shape and comp.dtype == np.float32
                assert np.all(np.abs(comp - want) <= margin)
                assert np.any(np.abs(comp - wrong) > margin)  # a step longer by a hundredth is another one
    assert all(np.array_equal(a, b) for a, b in zip(task.weights, begun))

    network = mlp.MLP(9, 601, 3)
    first, last = (mlp.evaluate(network, w, task.X, task.y).loss for w in (task.weights, peer.state()))
    assert abs(last - loss_of_twin(task)) < 610 * EPS  # sums of 601 and 9 terms, of size 1 together
    assert last < first - 1e-2


@pytest.mark.parametrize("name", ["ours", *NOISY])
def test_noise_has_the_law_and_the_scale(name):
    if name != "ours":
        pytest.importorskip(NEEDS.get(name, name))
    make = NOISY.get(name, ours("II"))
    task = small_task(4001, scale=0.7)
    quiet, noisy = after(ours("none"), small_task(4001), steps=1), after(make, task, steps=1)
    np.testing.assert_allclose(noisy[1], quiet[1], atol=1e-6)  # no noise in the output layer
    xi = (noisy[0].astype(np.float64) - quiet[0]).ravel()
    k = np.array([0.5, 1.0, 2.0])

    def gap(scale):
        return np.abs(np.cos(np.outer(k, xi)).mean(axis=1) - np.exp(-((scale * k) ** task.alpha)))

    # Hoeffding: a mean of so many values in [-1, 1] is off by more than this with probability below 2e-9.
    bound = np.sqrt(2 * np.log(1e9) / xi.size)
    assert np.all(gap(0.7) < bound)
    assert np.any(gap(0.9) > bound)
    spread = np.median(np.abs(np.corrcoef(np.arctan(noisy[0] - quiet[0]))[np.triu_indices(9, 1)]))
    assert spread < 6 / np.sqrt(4001)  # the components of a unit are independent, as Type II has it


def test_own_noise_of_float32_is_another_one_each_step():
    for make in NOISY.values():
        try:
            one, two = (after(make, small_task(50, scale=1.0), steps=steps)[0] for steps in (1, 2))
        except ImportError:
            continue
        assert np.median(np.abs(two - one)) > 0.3


def test_our_steps_are_those_of_training():
    from types import SimpleNamespace

    from chaosnum import sgd

    task = small_task(scale=0.1)
    network, data = mlp.MLP(9, 601, 3), SimpleNamespace(X_train=task.X, y_train=task.y)
    noise = sgd.Noise("II", task.alpha, 0.1 / task.eta ** (1 / task.alpha))
    schedule = sgd.Schedule(task.eta, target=None, cap=STEPS)
    training = sgd.Training(network, data, noise, schedule, seed=bench_sgd.SEED).restore(0, task.weights, []).run()
    for comp, ref in zip(after(ours("II"), task), training.weights):
        np.testing.assert_array_equal(comp, ref)


def test_task_is_the_published_step():
    task = bench_sgd.task(2000)
    assert [w.shape for w in task.weights] == [(140, 2000), (2000, 2)]
    assert task.X.shape == (500, 140) and set(task.y) == {0, 1}
    assert {a.dtype.name for a in (task.X, *task.weights)} == {"float32"}
    assert task.scale == pytest.approx(0.003 * 0.01 ** (1 / 1.75))


def test_large_products_write_every_block():
    task = small_task(1100)
    run, (a, slope) = bench_sgd.large_products(task, 2)
    run()
    a_ref = task.X @ task.weights[0]
    np.testing.assert_allclose(a, a_ref, atol=1e-5)
    np.testing.assert_allclose(slope, task.X.T @ a_ref, rtol=1e-4, atol=1e-4)


def test_sections():
    found = list(bench_sgd.sections(TINY))
    assert [section["threads"] for section in found] == sorted({1, min(2, bench.cores())})
    for section in found:
        assert section["title"] == "SGD step with noise, 140-30-2, batch 500, float32"
        first, *others = section["rows"]
        assert first["name"] == "chaosnum" and first["median"] > 0
        assert {row["name"]: row["status"] for row in others}["NumPy, no noise"] == "measured"
        assert {row["status"] for row in others} <= {"measured", "not installed"}
        assert all(row["target"] is None for row in section["rows"])


def test_the_published_width_has_the_targets(monkeypatch):
    def raced(effort, title, ours, others, work, arguments):
        return [{"name": name, "median": 1.0, "low": 1.0, "high": 1.0, "ratio": {"median": 5.0}} for name in others]

    monkeypatch.setattr(bench_sgd, "race_with", raced)
    rows = {row["name"]: row for row in bench_sgd._steps(bench.Effort(), 1)["rows"]}
    aims = {name: (row["target"], row["met"]) for name, row in rows.items() if row["target"]}
    assert aims == {"PyTorch, SciPy's noise": (7.0, False), "PyTorch, no noise": (1.0, True)}


def test_figures():
    found = list(bench_sgd.figures(TINY))
    assert len(found) == 5 * len({1, min(2, bench.cores())})
    for which, kind in zip(found, ("Type I", "Type II", "Type III", "SGD", "SGD")):
        assert which["name"] == kind and which["unit"] == "%" and np.isfinite(which["value"])
        assert which["target"] == (30.0 if kind != "SGD" else None)


def test_share_of_the_noise(monkeypatch):
    def raced(ours, others, work, **timing):
        return [{}, *({"name": name, "ratio": {"median": ratio}} for name, ratio in zip(others, (0.9, 1.25, 2.0)))]

    monkeypatch.setattr(bench_sgd, "race", raced)
    found = list(bench_sgd._noise(TINY, None, 1))
    assert [which["value"] for which in found] == pytest.approx([-100 / 9, 20.0, 50.0])
    assert [which["met"] for which in found] == [True, True, False]
