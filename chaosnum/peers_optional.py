"""PyTorch and JAX as peers of `chaosnum bench`: the tasks of ``peers.py``, each a plain function of whole arrays.

That is how these libraries are meant to be used: eager, or compiled as a whole by torch.compile and jax.jit, which
fuse the loops. Everything is float64 on the processor.

A function here returns a `Peer`, or raises ImportError where its library is not installed: neither is a dependency.
Both libraries are imported in the functions that need them.
"""

import math
import os
from contextlib import contextmanager
from itertools import count

import numpy as np

from chaosnum.peers import COUPLING, ETA, SIGMA
from chaosnum.race import Peer


def _torch(step, threads, compiled, state=None):
    """A Peer that runs `step` on `threads` threads, by torch.compile if so wanted."""
    import torch

    @contextmanager
    def limits():
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.no_grad():
                yield
        finally:
            torch.set_num_threads(before)

    if not compiled:
        return Peer(step, limits, state=state)
    with limits():  # the compiled code has the number of threads built in
        torch._dynamo.reset()
        step = torch.compile(step)
        step()
    return Peer(step, limits, state=state)


def _torch_sas(torch, alpha, shape):
    u = (torch.rand(shape, dtype=torch.float64) - 0.5) * math.pi
    w = torch.empty(shape, dtype=torch.float64).exponential_()
    cosine = torch.cos(u)
    return torch.sin(alpha * u) / cosine * (w * cosine / torch.cos((alpha - 1.0) * u)) ** ((alpha - 1.0) / alpha)


def torch_draws(alpha, n, compiled=False):
    """PyTorch -> Peer."""
    import torch

    return _torch(lambda: _torch_sas(torch, alpha, n), 1, compiled)


def torch_kuramoto(alpha, n, threads, compiled=False):
    """PyTorch -> Peer."""
    import torch

    theta = torch.randn(n, dtype=torch.float64) + 0.5
    scale = SIGMA * ETA ** (1.0 / alpha)

    def step():
        c, s = torch.cos(theta), torch.sin(theta)
        drift = (ETA * COUPLING) * (s.mean() * c - c.mean() * s)
        theta.add_(drift + scale * _torch_sas(torch, alpha, n))

    return _torch(step, threads, compiled, theta.numpy)


def torch_network(alpha, X, y, n, threads, compiled=False):
    """PyTorch -> Peer."""
    import torch

    inputs = torch.from_numpy(np.column_stack([X, np.ones(len(X))]))
    labels = torch.from_numpy(np.asarray(y, dtype=float))
    m, p = inputs.shape
    theta = torch.randn((p, n), dtype=torch.float64)
    scale = SIGMA * ETA ** (1.0 / alpha)

    def step():
        h = torch.tanh(inputs @ theta)
        weights = (ETA / m) * labels * torch.sigmoid(-labels * h.mean(1))
        theta.add_((inputs * weights[:, None]).T @ (1.0 - h * h) + scale * _torch_sas(torch, alpha, (p, n)))

    return _torch(step, threads, compiled, theta.numpy)


@contextmanager
def on_cores(threads):
    """All threads of the process on the first `threads` cores: the only way to limit a library that has no setting."""
    allowed = sorted(os.sched_getaffinity(0))
    _pin(allowed[:threads])
    try:
        yield
    finally:
        _pin(allowed)


def _pin(cores):
    for task in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(task), cores)
        except ProcessLookupError:  # a thread that has just ended
            continue


def _jax(threads):
    """JAX in float64 on the processor, its threads started -> (jax, context that limits them)."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    if not (hasattr(os, "sched_setaffinity") and os.path.isdir("/proc/self/task")):
        raise RuntimeError("the threads of JAX cannot be limited on this system")
    jax.config.update("jax_enable_x64", True)
    jax.numpy.zeros(8).block_until_ready()  # starts its threads while all cores are allowed
    return jax, lambda: on_cores(threads)


def _jax_sas(jax, alpha, key, shape):
    jnp, keys = jax.numpy, jax.random.split(key)
    u = jax.random.uniform(keys[0], shape, jnp.float64, -math.pi / 2, math.pi / 2)
    w = jax.random.exponential(keys[1], shape, jnp.float64)
    cosine = jnp.cos(u)
    return jnp.sin(alpha * u) / cosine * (w * cosine / jnp.cos((alpha - 1.0) * u)) ** ((alpha - 1.0) / alpha)


def _jax_steps(jax, limits, step, state):
    """A Peer that advances `state` by jit-compiled steps, one key each."""
    compiled, key, numbers = jax.jit(step), jax.random.key(1), count()
    held = [state]

    def run():
        held[0] = compiled(held[0], jax.random.fold_in(key, next(numbers))).block_until_ready()

    return Peer(run, limits, state=lambda: np.asarray(held[0]))


def jax_draws(alpha, n):
    """JAX -> Peer."""
    jax, limits = _jax(1)
    return _jax_steps(jax, limits, lambda _, key: _jax_sas(jax, alpha, key, (n,)), jax.numpy.zeros(n))


def jax_kuramoto(alpha, n, threads):
    """JAX -> Peer."""
    jax, limits = _jax(threads)
    jnp, scale = jax.numpy, SIGMA * ETA ** (1.0 / alpha)

    def step(theta, key):
        c, s = jnp.cos(theta), jnp.sin(theta)
        drift = (ETA * COUPLING) * (s.mean() * c - c.mean() * s)
        return theta + drift + scale * _jax_sas(jax, alpha, key, (n,))

    return _jax_steps(jax, limits, step, 0.5 + jax.random.normal(jax.random.key(2), (n,)))


def jax_network(alpha, X, y, n, threads):
    """JAX -> Peer."""
    jax, limits = _jax(threads)
    jnp, scale = jax.numpy, SIGMA * ETA ** (1.0 / alpha)
    inputs = jnp.column_stack([X, np.ones(len(X))])
    labels = jnp.asarray(y, dtype=float)
    m, p = inputs.shape

    def step(theta, key):
        h = jnp.tanh(inputs @ theta)
        weights = (ETA / m) * labels * jax.nn.sigmoid(-labels * h.mean(1))
        return theta + (inputs * weights[:, None]).T @ (1.0 - h * h) + scale * _jax_sas(jax, alpha, key, (p, n))

    return _jax_steps(jax, limits, step, jax.random.normal(jax.random.key(2), (p, n)))
