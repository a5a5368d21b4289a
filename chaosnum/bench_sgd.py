"""Heavy-tailed SGD's part of `chaosnum bench`: one step of the published experiments' network, 140-n-2 in float32.

The batch has 500 rows, the whole training set of ECG5000; the inputs are random numbers, which take as long as any.
Ours always has noise, of Type II with the index 1.75 (``sgd.py``); the peers, in ``peers_sgd.py``, have none, SciPy's,
or their own.

Figures: the share of a step that noise of each type costs, by racing steps with noise against steps without, and the
share of the processor's multiply-adds in float32 that the two large products of a step reach, on their own and as
parts of a step without noise. A vector holds twice as many float32 as float64, so that limit is twice the rate of
``footprint.multiply_adds``; it is measured again beside the products, as the rate of a shared processor wanders.
"""

from statistics import median
from types import SimpleNamespace

import numpy as np

from chaosnum import footprint, mlp, sgd
from chaosnum import peers_sgd as peers
from chaosnum.backprop import BLOCK
from chaosnum.bench import figure, race_with, section, threads_words
from chaosnum.blas import one_thread
from chaosnum.race import Peer, race, ready, tell
from chaosnum.threads import cores, over_blocks

INPUTS, CLASSES, ROWS, PUBLISHED_WIDTH = 140, 2, 500, 2000
ALPHA, SIGMA, ETA = 1.75, 0.003, 0.01
TYPES = ("I", "II", "III")
SEED = 1
AIMS = {"PyTorch, SciPy's noise": 7.0, "PyTorch, no noise": 1.0}


def task(n):
    """The step that is timed, with n hidden units -> peers_sgd.Task."""
    rng = np.random.default_rng(SEED)
    X, y = rng.standard_normal((ROWS, INPUTS), dtype=np.float32), rng.integers(0, CLASSES, ROWS)
    weights = mlp.initial(mlp.MLP(INPUTS, n, CLASSES), seed=SEED)
    return peers.Task(X, y, weights, ETA, ALPHA, SIGMA * ETA ** (1.0 / ALPHA))


def our_steps(task, kind, threads):
    """Steps as `sgd.Training` takes them, from the task's weights, with noise of this type or "none" -> Peer."""
    p, n = task.weights[0].shape
    network = mlp.MLP(p, n, task.weights[1].shape[1])
    sigma = task.scale / task.eta ** (1.0 / task.alpha)
    noise = sgd.Noise() if kind == "none" else sgd.Noise(kind, task.alpha, sigma)
    data = SimpleNamespace(X_train=task.X, y_train=task.y)
    training = sgd.Training(network, data, noise, sgd.Schedule(task.eta), seed=SEED, threads=threads)
    training.restore(0, task.weights, [])
    return Peer(lambda: training.take_step(kind != "none"), state=lambda: [w.copy() for w in training.weights])


def sections(effort):
    """The sections of `bench.measure` about SGD."""
    for threads in sorted({1, min(2, cores())}):
        yield _steps(effort, threads)


def _steps(effort, threads):
    step = task(effort.sgd)
    others = {
        "PyTorch, SciPy's noise": peers.torch_scipy_noise, "PyTorch, its own noise": peers.torch_own_noise,
        "PyTorch, no noise": peers.torch_quiet, "NumPy, no noise": peers.numpy_quiet,
        "jax.jit, its own noise": peers.jax_own_noise, "jax.jit, no noise": peers.jax_quiet,
    }  # fmt: skip
    title = f"SGD step with noise, {INPUTS}-{effort.sgd}-{CLASSES}, batch {ROWS}, float32"
    rows = race_with(effort, title, lambda: our_steps(step, "II", threads), others, 1, (step, threads))
    aims = AIMS if effort.sgd >= PUBLISHED_WIDTH else {}
    return section(title, "ms", threads, rows, lambda rate: 1e3 / rate, aims)


def figures(effort):
    """The single figures of `bench.measure` about SGD."""
    step = task(effort.sgd)
    for threads in sorted({1, min(2, cores())}):
        yield from _noise(effort, step, threads)
        yield from _products(effort, step, threads)


def _noise(effort, step, threads):
    """The share of a step that the noise costs."""
    others = {kind: lambda kind=kind: our_steps(step, kind, threads) for kind in TYPES}
    # A share is a difference of near numbers: many short timings, between which the machine has no time to wander.
    timing = {"rounds": 4 * effort.rounds, "seconds": effort.seconds / 4}
    rows = race(lambda: our_steps(step, "none", threads), others, 1, **timing, title="SGD's noise, Type")
    for row in rows[1:]:
        share = 100.0 * (1.0 - 1.0 / row["ratio"]["median"])  # below 0 where the noise is too cheap to be seen
        words = f"of an SGD step, by noise of this type, {threads_words(threads)}"
        yield figure(f"Type {row['name']}", share, "%", words, target=30.0)


def _products(effort, step, threads):
    """The share of the processor's multiply-adds that the two products reach."""
    tell("SGD's products")
    theta = step.weights[0]
    count = 2 * step.X.size * theta.shape[1]
    alone = ready(Peer(large_products(step, threads)[0]), effort.seconds)
    whole = ready(our_steps(step, "none", threads), effort.seconds)
    shares = []
    for _ in range(effort.rounds):
        limit = 2.0 * footprint.multiply_adds(threads, rounds=1, seconds=effort.seconds)
        shares.append([100.0 * count / (one() * limit) for one in (alone, whole)])
    for values, words in zip(zip(*shares), ("two products alone", "two products of a step without noise")):
        detail = f"of the most float32 multiply-adds, by the {words}, {threads_words(threads)}"
        yield figure("SGD", median(values), "%", detail)


def large_products(step, threads):
    """The product with the hidden layer and that for its gradient, in blocks of units -> (callable, results)."""
    X, theta = step.X, step.weights[0]
    a, slope = np.empty((len(X), theta.shape[1]), np.float32), np.empty_like(theta)

    def some(first, last):
        for block in range(first, last):
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            np.matmul(X, theta[:, part], out=a[:, part])
            np.matmul(X.T, a[:, part], out=slope[:, part])

    def run():
        with one_thread():
            over_blocks(some, -(-theta.shape[1] // BLOCK), threads, least=1)

    return run, (a, slope)
