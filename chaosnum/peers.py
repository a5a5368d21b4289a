"""What `chaosnum bench` compares with: other libraries' samplers and Euler steps, each written as is fast there.

Three tasks, the same for everybody, in float64:

* draws: n standard SaS variables into a new array;
* kuramoto: one Euler step of bed K with its noise, n particles;
* network: one Euler step of bed N with its noise, n units with p parameters on m data points.

SaS variables come from the formula of Chambers, Mallows and Stuck (see ``stable.py``). SciPy, the textbook NumPy
form and the loop that Numba compiles are what people have. The best NumPy form works in place in blocks that fit the
cache and avoids sines (NumPy's sine of a float64 is not vectorised) by tangents of half the angles or by polynomials;
form, block and the source of exponential variables are those that a trial on this machine finds fastest.

Here are SciPy, NumPy and Numba, which are always there; PyTorch and JAX are in ``peers_optional.py``.
"""

import math
import time
from contextlib import contextmanager
from functools import lru_cache
from itertools import product

import numpy as np

from chaosnum.race import Peer
from chaosnum.simdmath import SIN_HALF_PI
from chaosnum.threads import over_blocks

ETA, SIGMA, COUPLING = 0.01, 1.0, 1.0  # of both beds; they do not matter for the speed
_WIDTH = 32768  # particles worked on together: shorter calls of NumPy keep its threads waiting for the interpreter


def scipy_draws(alpha, n):
    """scipy.stats.levy_stable.rvs -> Peer."""
    from scipy.stats import levy_stable

    rng = np.random.default_rng(1)
    return Peer(lambda: levy_stable.rvs(alpha, 0.0, size=n, random_state=rng))


def textbook_draws(alpha, n):
    """The formula as it is printed, on fresh arrays -> Peer."""
    rng = np.random.default_rng(1)

    def draw():
        u = rng.uniform(-np.pi / 2, np.pi / 2, n)
        w = rng.exponential(1.0, n)
        return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * (np.cos((1 - alpha) * u) / w) ** ((1 - alpha) / alpha)

    return Peer(draw)


def numba_draws(alpha, n):
    """The formula in a compiled loop, with np.random and the C library's functions -> Peer."""
    import numba

    @numba.njit(error_model="numpy")
    def fill(out, alpha):
        for i in range(out.size):
            u = np.random.uniform(-math.pi / 2, math.pi / 2)  # noqa: NPY002 - Numba compiles no Generator as fast
            w = np.random.exponential(1.0)  # noqa: NPY002
            bend = (math.cos((1 - alpha) * u) / w) ** ((1 - alpha) / alpha)
            out[i] = math.sin(alpha * u) / math.cos(u) ** (1 / alpha) * bend

    def draw():
        out = np.empty(n)
        fill(out, alpha)
        return out

    return Peer(draw)


# ---- the best NumPy forms: u uniform on (-1/2, 1/2) and w exponential, both overwritten; a, b, c are buffers ----


def _by_half_angles(alpha, u, w, a, b, c, out):
    """With s = tan(U/2), t = tan((alpha-1)U/2): sin(alpha U)/cos U = 2 (s(1-tt) + t(1-ss)) / ((1-ss)(1+tt))."""
    u *= np.pi / 2
    np.multiply(u, alpha - 1.0, out=b)
    np.tan(u, out=a)
    np.tan(b, out=b)
    np.multiply(a, a, out=u)
    np.multiply(b, b, out=c)
    np.subtract(1.0, c, out=out)
    a *= out
    w /= out
    c += 1.0
    w *= c  # w / cos((alpha-1)U)
    np.subtract(1.0, u, out=out)
    b *= out
    a += b
    c *= out
    a /= c
    w *= out
    u += 1.0
    w /= u
    _power(w, (alpha - 1.0) / alpha)
    a *= 2.0
    np.multiply(a, w, out=out)


def _by_sines(alpha, u, w, a, b, c, out):
    """The formula with its powers collected, with NumPy's sine and cosine."""
    u *= np.pi
    np.cos(u, out=a)
    np.multiply(u, alpha - 1.0, out=b)
    np.cos(b, out=b)
    w *= a
    w /= b
    _power(w, (alpha - 1.0) / alpha)
    u *= alpha
    np.sin(u, out=u)
    u /= a
    np.multiply(u, w, out=out)


def _by_polynomials(alpha, u, w, a, b, c, out):
    """As in ``stable.py``: all three factors are values of one polynomial, sin(pi x/2) on [0, 1]; alpha >= 1."""
    u *= 2.0
    np.abs(u, out=a)
    np.multiply(a, alpha, out=b)
    np.subtract(1.0, a, out=c)
    c *= alpha
    b += 2.0 - alpha
    np.minimum(b, c, out=b)
    _sin_half_pi(b, c, out)
    np.copysign(out, u, out=out)
    np.multiply(a, alpha - 1.0, out=b)
    b += 2.0 - alpha
    _sin_half_pi(a, c, u)
    out /= u
    w *= u
    _sin_half_pi(b, c, u)
    w /= u
    _power(w, (alpha - 1.0) / alpha)
    out *= w


def _power(w, beta):
    np.log(w, out=w)
    w *= beta
    np.exp(w, out=w)


def _sin_half_pi(x, square, out):
    np.multiply(x, x, out=square)
    np.multiply(square, SIN_HALF_PI[-1], out=out)
    for coefficient in SIN_HALF_PI[-2:0:-1]:
        out += coefficient
        out *= square
    out += SIN_HALF_PI[0]
    out *= x


FORMS = {"half angles": _by_half_angles, "polynomials": _by_polynomials, "sines": _by_sines}


class BlockSampler:
    """Fills vectors with standard SaS variables, block by block in place, by one of `FORMS`."""

    def __init__(self, alpha, form, block, ziggurat, seed=1):
        self.alpha, self.form, self.ziggurat = alpha, FORMS[form], ziggurat
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.buffers = np.empty((5, block))

    def fill(self, out):
        block = self.buffers.shape[1]
        for start in range(0, len(out), block):
            part = out[start : start + block]
            u, w, a, b, c = self.buffers[:, : len(part)]
            self.rng.random(out=u)
            u -= 0.5
            if self.ziggurat:
                self.rng.standard_exponential(out=w)
            else:
                self.rng.random(out=w)
                np.subtract(1.0, w, out=w)
                np.log(w, out=w)
                np.negative(w, out=w)
            self.form(self.alpha, u, w, a, b, c, part)
        return out


@lru_cache
def fastest_form(alpha, threads=1, *, trials=5, n=2**16):
    """The (form, block, ziggurat) that is fastest here on so many threads: the best of `trials` trials of each."""
    choices = list(product(FORMS, (8192, 16384, 32768), (True, False)))
    best, out = dict.fromkeys(choices, math.inf), np.empty((threads, n))
    forms = {choice: [BlockSampler(alpha, *choice, seed=t) for t in range(threads)] for choice in choices}
    for _ in range(trials):
        for choice, samplers in forms.items():
            begun = time.perf_counter()
            _on_threads(lambda t, samplers=samplers: samplers[t].fill(out[t]), threads)
            best[choice] = min(best[choice], time.perf_counter() - begun)
    return min(best, key=best.get)


def _on_threads(task, threads):
    """task(0), ..., task(threads - 1) side by side."""
    over_blocks(lambda first, last: [task(t) for t in range(first, last)], threads, threads, least=1)


def numpy_draws(alpha, n):
    """The best NumPy form -> Peer."""
    choice = fastest_form(alpha)
    sampler = BlockSampler(alpha, *choice)
    return Peer(lambda: sampler.fill(np.empty(n)), detail=choice[0])


@contextmanager
def _one_blas_thread():
    """The threads of the task are Python's, each with a BLAS of its own."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def numpy_kuramoto(alpha, n, threads):
    """In place, in blocks, tan(theta/2) instead of sine and cosine, on Python threads -> Peer."""
    choice = fastest_form(alpha, threads)
    rng = np.random.default_rng(1)
    theta, cosine, sine = rng.normal(0.5, 1.0, n), np.empty(n), np.empty(n)
    samplers = [(BlockSampler(alpha, *choice, seed=t), np.empty((2, _WIDTH))) for t in range(threads)]
    bounds = [n * t // threads for t in range(threads + 1)]
    sums = np.zeros((threads, 2))
    scale = SIGMA * ETA ** (1.0 / alpha)

    def advance(t, gain_c, gain_s):
        sampler, buffers = samplers[t]
        sums[t] = 0.0
        for first in range(bounds[t], bounds[t + 1], _WIDTH):
            part = slice(first, min(first + _WIDTH, bounds[t + 1]))
            x, c, s = theta[part], cosine[part], sine[part]
            xi, q = buffers[:, : len(x)]
            sampler.fill(xi)
            xi *= scale
            x += xi
            np.multiply(c, gain_s, out=q)
            x += q
            np.multiply(s, gain_c, out=q)
            x -= q
            np.multiply(x, 0.5, out=s)
            np.tan(s, out=s)
            np.multiply(s, s, out=q)
            np.subtract(1.0, q, out=c)
            q += 1.0
            c /= q
            s /= q
            s *= 2.0
            sums[t] += c.sum(), s.sum()

    np.cos(theta, out=cosine)
    np.sin(theta, out=sine)
    mean = np.array([cosine.mean(), sine.mean()])

    def run():
        gain_c, gain_s = ETA * COUPLING * mean
        _on_threads(lambda t: advance(t, gain_c, gain_s), threads)
        mean[:] = sums.sum(axis=0) / n

    return Peer(run, detail=choice[0], state=lambda: theta)


def numpy_network(alpha, X, y, n, threads):
    """In place, activations kept for the drift, BLAS and tanh on blocks of units, on Python threads -> Peer."""
    choice = fastest_form(alpha, threads)
    inputs = np.column_stack([X, np.ones(len(X))])
    m, p = inputs.shape
    width = 256
    theta = np.random.default_rng(1).standard_normal((p, n))
    blocks = [slice(first, min(first + width, n)) for first in range(0, n, width)]
    active = [np.empty((m, part.stop - part.start)) for part in blocks]
    samplers = [BlockSampler(alpha, *choice, seed=t) for t in range(threads)]
    bounds = [len(blocks) * t // threads for t in range(threads + 1)]
    sums = np.empty((len(blocks), m))
    scale = SIGMA * ETA ** (1.0 / alpha)

    def forward(t):
        for b in range(bounds[t], bounds[t + 1]):
            h = active[b]
            np.matmul(inputs, theta[:, blocks[b]], out=h)
            np.tanh(h, out=h)
            h.sum(axis=1, out=sums[b])

    def backward(t, columns):
        for b in range(bounds[t], bounds[t + 1]):
            h = active[b]
            xi = samplers[t].fill(np.empty(p * h.shape[1])).reshape(p, -1)
            xi *= scale
            h *= h
            np.subtract(1.0, h, out=h)
            xi += columns @ h
            theta[:, blocks[b]] += xi

    def run():
        _on_threads(forward, threads)
        weights = (ETA / m) * y / (1.0 + np.exp(y * sums.sum(axis=0) / n))
        columns = (inputs * weights[:, None]).T
        _on_threads(lambda t: backward(t, columns), threads)

    return Peer(run, _one_blas_thread, choice[0], lambda: theta)
