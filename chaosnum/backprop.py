"""Outputs, loss and gradient of a fully connected network (``mlp.py`` has the definitions and the public functions).

Backpropagation, with d^l = the loss by a^l theta^(l+1) before the activation and k = 1, or 1/n for mean-field networks:

    f = k a^L v,    d^f = k (softmax(f) - 1{y}) / m,    gradient of v = (a^L)' d^f,
    d^L = (d^f v') act'(a^L),    d^l = (d^(l+1) theta^(l+1)') act'(a^l),    gradient of theta^l = (a^(l-1))' d^l.

Every matrix product is cut into blocks of `BLOCK` units (of rows, for the outputs), each one call of BLAS on one
thread; blocks run side by side and write to places of their own. So no bit depends on the number of threads. The
derivative of the activation is computed from its value: 1 - a^2, a (1 - a), 1{a > 0}.

What goes wrong: softmax overflows unless the largest output is taken off first. In float32 a sum over 60,000 rows loses
four digits: losses are summed in float64.
"""

from functools import partial

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.jit import kernel
from chaosnum.network import RELU, SIGMOID, TANH
from chaosnum.simdmath import exp2, log2, sigmoid, tanh
from chaosnum.threads import count, over_blocks

BLOCK = 512  # units, or rows, of one product
UNITS = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID}
_LOG2E, _LN2 = 1.4426950408889634, 0.6931471805599453
_WORTH = 4e6  # multiply-adds that are worth the 50 microseconds of handing them to a thread
ACTIVATIONS = 2**22  # numbers that a chunk of rows may have in its widest layer, where only the outputs are wanted


@kernel
def _activate(a, unit, start, stop):
    """a[x, j] = act(a[x, j]) for the columns start..stop."""
    half = a.dtype.type(0.5)  # of the array's type: a plain number would make the arithmetic float64
    for x in range(a.shape[0]):
        row = a[x, start:stop]
        if unit == RELU:
            for j in range(row.size):
                row[j] = half * (row[j] + abs(row[j]))  # exact, without a branch, and a NaN stays one
        elif unit == TANH:
            for j in range(row.size):
                row[j] = tanh(np.float64(row[j]))
        else:
            for j in range(row.size):
                row[j] = sigmoid(np.float64(row[j]))


@kernel
def _times_derivative(d, a, unit, start, stop):
    """d[x, j] *= act'(.) for the columns start..stop, where a[x, j] = act(.)."""
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for x in range(a.shape[0]):
        value, row = a[x, start:stop], d[x, start:stop]
        if unit == RELU:
            for j in range(row.size):
                row[j] = row[j] if value[j] > zero else zero
        elif unit == TANH:
            for j in range(row.size):
                row[j] *= one - value[j] * value[j]
        else:
            for j in range(row.size):
                row[j] *= value[j] * (one - value[j])


@kernel
def cross_entropy(f, y, factor, slope):
    """(sum of the losses, number of right answers) of the outputs factor * f; f becomes the loss's derivative by f.

    That is slope * (softmax - 1{y}). A row that is not finite makes the loss NaN.
    """
    loss, right, classes = 0.0, 0, f.shape[1]
    for x in range(f.shape[0]):
        row, label = f[x], y[x]
        best = 0
        for c in range(1, classes):
            best = c if row[c] > row[best] else best
        top = np.float64(row[best])
        total = 0.0
        for c in range(classes):
            z = factor * (row[c] - top) * _LOG2E
            total += exp2(z if z > -1000.0 else -1000.0) if z == z else np.nan
        loss += _LN2 * log2(total) - factor * (row[label] - top) if total == total else np.nan
        right += best == label and total == total
        for c in range(classes):
            z = factor * (row[c] - top) * _LOG2E
            share = exp2(z if z > -1000.0 else -1000.0) / total
            row[c] = slope * (share - (1.0 if c == label else 0.0))
    return loss, right


@kernel
def _back_two(a, f, v, gradient, d, unit, start, stop):
    """For two outputs gradient = a' f and d = (f v') act'(.), columns start..stop, in one pass over a.

    BLAS would read a three times, for two products of almost no arithmetic. Sums over rows are taken `BLOCK` rows at a
    time, so that float32 does not lose digits over many.
    """
    zero, one = a.dtype.type(0), a.dtype.type(1)
    width = stop - start
    v0, v1 = np.ascontiguousarray(v[start:stop, 0]), np.ascontiguousarray(v[start:stop, 1])
    gradient[start:stop] = zero
    for first in range(0, a.shape[0], BLOCK):
        g0, g1 = np.zeros(width, a.dtype), np.zeros(width, a.dtype)
        for x in range(first, min(first + BLOCK, a.shape[0])):
            row, out, f0, f1 = a[x, start:stop], d[x, start:stop], f[x, 0], f[x, 1]
            for j in range(width):
                g0[j] += f0 * row[j]
                g1[j] += f1 * row[j]
            if unit == RELU:
                for j in range(width):
                    out[j] = f0 * v0[j] + f1 * v1[j] if row[j] > zero else zero
            elif unit == TANH:
                for j in range(width):
                    out[j] = (f0 * v0[j] + f1 * v1[j]) * (one - row[j] * row[j])
            else:
                for j in range(width):
                    out[j] = (f0 * v0[j] + f1 * v1[j]) * (row[j] * (one - row[j]))
        for j in range(width):
            gradient[start + j, 0] += g0[j]
            gradient[start + j, 1] += g1[j]


class Pass:
    """Buffers for batches of m rows through one network, and the passes.

    Parameters
    ----------
    network : chaosnum.mlp.MLP
    m : int
        Rows of a batch.
    threads : int or None

    Attributes
    ----------
    gradients : list of ndarray
        Of the trained layers, as the last call of `gradient` found them; the next call overwrites them.
    """

    def __init__(self, network, m, threads=1):
        self.network, self.m, self.threads = network, m, count(threads)
        empty = lambda *shape: np.empty(shape, dtype=network.dtype)  # noqa: E731
        self.unit = UNITS[network.unit]
        self.factor = 1.0 / network.hidden[0] if network.mean_field else 1.0
        self.a = [empty(m, n) for n in network.hidden]
        self.outputs = empty(m, network.classes)
        self._d, self.gradients = None, None

    def forward(self, weights, X):
        """The activations of all layers, and the outputs before the factor k."""
        below = X
        for theta, a in zip(weights, self.a):
            self._side_by_side(a.shape[1], theta.shape[0], partial(self._layer, below, theta, a))
            below = a
        v = weights[-1]

        def rows(start, stop):
            np.matmul(below[start:stop], v, out=self.outputs[start:stop])

        self._side_by_side(self.m, v.size / self.m, rows)

    def _layer(self, below, theta, a, start, stop):
        np.matmul(below, theta[:, start:stop], out=a[:, start:stop])
        _activate(a, self.unit, start, stop)

    def score(self, weights, X, y):
        """(sum of the losses, number of right answers) over the batch."""
        with one_thread():
            self.forward(weights, X)
        return cross_entropy(self.outputs, y, self.factor, 0.0)

    def gradient(self, weights, X, y):
        """Compute `gradients` -> mean loss over the batch."""
        network = self.network
        if self._d is None:
            self._d = [np.empty_like(a) for a in self.a]
            self.gradients = [np.empty(shape, network.dtype) for shape in network.shapes[: network.trained]]
        with one_thread():
            self.forward(weights, X)
            n = network.hidden[0] if network.mean_field else 1  # the mean-field gradient is n times the loss's
            loss, _ = cross_entropy(self.outputs, y, self.factor, n * self.factor / self.m)
            above = self.outputs
            for layer in reversed(range(len(self.a))):
                below = self.a[layer - 1] if layer else X
                task = partial(self._back, weights, layer, below, above)
                self._side_by_side(self.a[layer].shape[1], below.shape[1] + above.shape[1], task)
                above = self._d[layer]
        return loss / self.m

    def _back(self, weights, layer, below, above, start, stop):
        """d^l and the gradient of theta^l for the units start..stop, and their part of the next layer's gradient."""
        a, d, theta = self.a[layer], self._d[layer], weights[layer + 1]
        outermost = layer + 1 == len(self.a) and layer + 1 < len(self.gradients)  # below a trained output layer
        if outermost and theta.shape[1] == 2:
            _back_two(a, above, theta, self.gradients[layer + 1], d, self.unit, start, stop)
        else:
            np.matmul(above, theta[start:stop].T, out=d[:, start:stop])
            if outermost:
                np.matmul(a[:, start:stop].T, above, out=self.gradients[layer + 1][start:stop])
            _times_derivative(d, a, self.unit, start, stop)
        np.matmul(below.T, d[:, start:stop], out=self.gradients[layer][:, start:stop])

    def _side_by_side(self, units, work, task):
        """Run task(start, stop) over the blocks of `units`, each worth `work` multiply-adds a unit and row."""
        blocks = -(-units // BLOCK)

        def some(first, last):
            with np.errstate(all="ignore"):  # on the thread that works: an overflow is a result, which the loss tells
                for block in range(first, last):
                    task(block * BLOCK, min((block + 1) * BLOCK, units))

        over_blocks(some, blocks, self.threads, least=max(1, int(_WORTH / (work * self.m * min(BLOCK, units) + 1))))


def score(network, weights, X, y, threads):
    """(sum of the losses, number of right answers) over any number of rows.

    Rows go through in chunks whose length depends on the widths alone, so the sums do not depend on the threads.
    """
    rows = max(1, min(len(X), max(BLOCK, ACTIVATIONS // max(network.hidden))))
    loss, right, work = 0.0, 0, None
    for first in range(0, len(X), rows):
        some = slice(first, min(first + rows, len(X)))
        if work is None or work.m != some.stop - some.start:
            work = Pass(network, some.stop - some.start, threads)
        part, hits = work.score(weights, X[some], y[some])
        loss, right = loss + part, right + hits
    return loss, right
