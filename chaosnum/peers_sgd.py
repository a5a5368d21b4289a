"""What `chaosnum bench` compares heavy-tailed SGD with: one step of the same network in other libraries, in float32.

The task, the same for everybody (`Task`): a network of one hidden layer of ReLU units without biases, standard
parametrisation (``mlp.py``), mean cross-entropy, the whole data set as the batch, plain gradient descent. With noise,
`scale` times independent standard SaS variables is added to the hidden layer after the step (Type II of ``noise.py``).

* PyTorch as its users write it: nn.Sequential, autograd, optim.SGD. Without noise; with draws of SciPy's levy_stable;
  and with noise of its own, the formula of Chambers, Mallows and Stuck (see ``stable.py``) on float32 tensors.
* NumPy, backpropagation by hand, without noise: in place, in blocks of units that stay in the cache, on Python threads.
* JAX, the whole step compiled, without noise and with noise of its own.

What goes wrong: on float32 uniforms that formula returns infinity or NaN about once in ten million draws, here once in
forty steps, and a network that met one is lost. The peers with noise of their own are timed all the same: arithmetic
on NaN takes as long.

A function here returns a `Peer`, or raises ImportError where its library is not installed. A peer's state is its
weights, in the layout of ``layers.py``.
"""

import math
from dataclasses import dataclass
from itertools import count

import numpy as np

from chaosnum import peers_optional
from chaosnum.peers_instruments import one_blas_thread
from chaosnum.race import Peer
from chaosnum.threads import over_blocks

_WIDTH = 256  # units that NumPy works on together


@dataclass(frozen=True, eq=False)
class Task:
    """One step of SGD.

    Attributes
    ----------
    X : ndarray of float32, shape (m, p)
    y : ndarray of int64, shape (m,)
        Classes 0, ..., C - 1.
    weights : list of ndarray of float32, shapes (p, n) and (n, C)
        Where the steps begin; nobody writes to them.
    eta : float
        Step size.
    alpha, scale : float
        Index and scale of the noise of one step, sigma eta^(1/alpha).
    """

    X: np.ndarray
    y: np.ndarray
    weights: list
    eta: float
    alpha: float
    scale: float


# ---- PyTorch ----


def torch_quiet(task, threads):
    """PyTorch without noise -> Peer."""
    return _torch(task, threads, None)


def torch_scipy_noise(task, threads):
    """PyTorch with draws of scipy.stats.levy_stable -> Peer."""
    import torch
    from scipy.stats import levy_stable

    rng = np.random.default_rng(1)

    def draw(shape):
        draws = levy_stable.rvs(task.alpha, 0.0, size=tuple(shape), random_state=rng)
        return torch.from_numpy(draws.astype(np.float32))

    return _torch(task, threads, draw)


def torch_own_noise(task, threads):
    """PyTorch with draws of its own, in float32 -> Peer."""
    import torch

    alpha = task.alpha

    def draw(shape):
        u = (torch.rand(shape) - 0.5) * math.pi
        w = torch.empty(shape).exponential_()
        cosine = torch.cos(u)
        return torch.sin(alpha * u) / cosine * (w * cosine / torch.cos((alpha - 1.0) * u)) ** ((alpha - 1.0) / alpha)

    return _torch(task, threads, draw)


def _torch(task, threads, draw):
    import torch

    X, y = torch.from_numpy(task.X), torch.from_numpy(task.y)
    hidden, output = (torch.nn.Linear(*w.shape, bias=False) for w in task.weights)
    network = torch.nn.Sequential(hidden, torch.nn.ReLU(), output)
    with torch.no_grad():
        for layer, w in zip((hidden, output), task.weights):
            layer.weight.copy_(torch.from_numpy(w.T))  # PyTorch keeps (units, fan in)
    optimiser = torch.optim.SGD(network.parameters(), lr=task.eta)

    def step():
        optimiser.zero_grad()
        with torch.enable_grad():
            loss = torch.nn.functional.cross_entropy(network(X), y)
        loss.backward()
        optimiser.step()
        if draw is not None:
            hidden.weight.add_(draw(hidden.weight.shape), alpha=task.scale)

    def state():
        return [layer.weight.detach().numpy().T.copy() for layer in (hidden, output)]

    return peers_optional._torch(step, threads, False, state)


# ---- NumPy ----


def numpy_quiet(task, threads):
    """Backpropagation by hand, without noise -> Peer."""
    X, columns, rows = task.X, np.ascontiguousarray(task.X.T), np.arange(len(task.X))
    theta, v = (w.copy() for w in task.weights)
    n, m = theta.shape[1], len(X)
    eta = np.float32(task.eta)
    blocks = [slice(first, min(first + _WIDTH, n)) for first in range(0, n, _WIDTH)]
    active = [np.empty((m, part.stop - part.start), np.float32) for part in blocks]
    outputs = np.empty((len(blocks), m, v.shape[1]), np.float32)

    def forward(b):
        a = active[b]
        np.matmul(X, theta[:, blocks[b]], out=a)
        np.maximum(a, 0.0, out=a)
        np.matmul(a, v[blocks[b]], out=outputs[b])

    def backward(b, slopes):
        a, part = active[b], blocks[b]
        d = slopes @ v[part].T
        v[part] -= eta * (a.T @ slopes)
        d *= a > 0.0
        descent = columns @ d
        descent *= eta
        theta[:, part] -= descent

    def on_threads(task):
        run = lambda first, last: [task(b) for b in range(first, last)]  # noqa: E731
        over_blocks(run, len(blocks), threads, least=1)

    def step():
        on_threads(forward)
        f = outputs.sum(axis=0)
        f -= f.max(axis=1, keepdims=True)
        np.exp(f, out=f)
        f /= f.sum(axis=1, keepdims=True)
        f[rows, task.y] -= 1.0
        f /= m
        on_threads(lambda b: backward(b, f))

    return Peer(step, one_blas_thread, state=lambda: [theta.copy(), v.copy()])


# ---- JAX ----


def jax_quiet(task, threads):
    """JAX without noise -> Peer."""
    return _jax(task, threads, False)


def jax_own_noise(task, threads):
    """JAX with draws of its own, in float32 -> Peer."""
    return _jax(task, threads, True)


def _jax(task, threads, noisy):
    jax, limits = peers_optional._jax(threads)
    jnp, alpha = jax.numpy, task.alpha
    X, y, rows = jnp.asarray(task.X), jnp.asarray(task.y), jnp.arange(len(task.y))

    def loss(weights):
        f = jnp.maximum(X @ weights[0], 0.0) @ weights[1]
        return -jax.nn.log_softmax(f)[rows, y].mean()

    def draw(key, shape):
        keys = jax.random.split(key)
        u = jax.random.uniform(keys[0], shape, jnp.float32, -math.pi / 2, math.pi / 2)
        w = jax.random.exponential(keys[1], shape, jnp.float32)
        cosine = jnp.cos(u)
        return jnp.sin(alpha * u) / cosine * (w * cosine / jnp.cos((alpha - 1.0) * u)) ** ((alpha - 1.0) / alpha)

    @jax.jit
    def step(weights, key):
        theta, v = (w - task.eta * slope for w, slope in zip(weights, jax.grad(loss)(weights)))
        return theta + task.scale * draw(key, theta.shape) if noisy else theta, v

    held, key, numbers = [tuple(map(jnp.asarray, task.weights))], jax.random.key(1), count()

    def run():
        held[0] = jax.block_until_ready(step(held[0], jax.random.fold_in(key, next(numbers))))

    return Peer(run, limits, state=lambda: [np.array(w) for w in held[0]])
