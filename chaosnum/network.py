"""Bed N: a mean-field network with one hidden layer, on real data.

n units theta^i in R^p form f_x = (1/n) sum_i h_x(theta^i), h_x(theta) = act(<w, x> + b), theta = (w, b), with loss
l(f, y) and labels y = +-1. A unit follows

    d theta = -E[ d_1 l(f_x, y) grad h_x(theta) ] dt + sigma dL,    the expectation over the rows of the data.

Inside assumptions A1-A3: tanh and sigmoid units with the logistic loss, l = log(1 + exp(-y f)). The square loss,
(f - y)^2 / 2, violates A2 as stated, and ReLU units violate A1: both are accepted, and every result that rests on
them says so (``Network.outside``).

Memory stays O(n p + data). The interaction is the data-sized average f_x; units are worked on in blocks, whose
activations (data x block) are made, used and forgotten twice a step: once for the average, once for the drift.
Units are stored by component, theta[c, i], so that a block of units fills the vectors of the processor and both
matrix products are sums of rows. The products are written here and not handed to BLAS, whose result depends on its
number of threads; they run at 0.6 of its speed.
"""

import numpy as np

from chaosnum import check
from chaosnum.jit import fma, inline, kernel
from chaosnum.philox import INITIAL
from chaosnum.ranks import Share
from chaosnum.simdmath import expm1, sigmoid, tanh
from chaosnum.stable import draw, shape
from chaosnum.threads import over_blocks

BLOCK = 64  # units worked on together: their activations stay in the second-level cache
TANH, SIGMOID, RELU = 0, 1, 2
UNITS = {"tanh": TANH, "sigmoid": SIGMOID, "relu": RELU}
LOSSES = ("logistic", "square")


@inline
def _add_product(a, b, c):
    """c += a @ b for a (rows, inner), b (inner, BLOCK), c (rows, BLOCK); rows and inner are multiples of 4.

    Sixteen numbers of `a` are used on four rows of `b` and `c` at a time, so that loads keep up with the products.
    """
    for i in range(0, a.shape[0], 4):
        for k in range(0, a.shape[1], 4):
            a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
            a20, a21, a22, a23 = a[i + 2, k], a[i + 2, k + 1], a[i + 2, k + 2], a[i + 2, k + 3]
            a30, a31, a32, a33 = a[i + 3, k], a[i + 3, k + 1], a[i + 3, k + 2], a[i + 3, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            c0, c1, c2, c3 = c[i], c[i + 1], c[i + 2], c[i + 3]
            for j in range(BLOCK):
                u, v, w, z = b0[j], b1[j], b2[j], b3[j]
                c0[j] = fma(a00, u, fma(a01, v, fma(a02, w, fma(a03, z, c0[j]))))
                c1[j] = fma(a10, u, fma(a11, v, fma(a12, w, fma(a13, z, c1[j]))))
                c2[j] = fma(a20, u, fma(a21, v, fma(a22, w, fma(a23, z, c2[j]))))
                c3[j] = fma(a30, u, fma(a31, v, fma(a32, w, fma(a33, z, c3[j]))))


@inline
def _forward(inputs, theta, first, unit, block, h):
    """block = the units first, ..., first + BLOCK - 1 (zeros past the end), h[x, j] = act(<theta_j, inputs_x>)."""
    p, n = theta.shape
    m = min(BLOCK, n - first)
    for c in range(block.shape[0]):
        for j in range(BLOCK):
            block[c, j] = 0.0
        if c < p:
            row, source = block[c], theta[c, first : first + m]
            for j in range(m):
                row[j] = source[j]
    for x in range(h.shape[0]):
        row = h[x]
        for j in range(BLOCK):
            row[j] = 0.0
    _add_product(inputs, block, h)
    for x in range(h.shape[0]):
        row = h[x]
        if unit == TANH:
            for j in range(BLOCK):
                row[j] = tanh(row[j])
        elif unit == SIGMOID:
            for j in range(BLOCK):
                row[j] = sigmoid(row[j])
        else:
            for j in range(BLOCK):
                row[j] = row[j] if row[j] > 0.0 else 0.0


@kernel
def _observe(theta, inputs, unit, sums, start, stop):
    """sums[b, x] = sum over the units of block b of h_x, for blocks start..stop."""
    n = theta.shape[1]
    block, h = np.empty((inputs.shape[1], BLOCK)), np.empty((inputs.shape[0], BLOCK))
    for b in range(start, stop):
        first = b * BLOCK
        m = min(BLOCK, n - first)
        _forward(inputs, theta, first, unit, block, h)
        for x in range(h.shape[0]):
            row = h[x]
            for j in range(m, BLOCK):
                row[j] = 0.0
            half = BLOCK // 2
            while half >= 16:
                for j in range(half):
                    row[j] += row[j + half]
                half //= 2
            total = 0.0
            for j in range(16):
                total += row[j]
            sums[b, x] = total


@kernel
def _advance(theta, inputs, columns, unit, weights, noise, start, stop):
    """theta_j += sum_x weights_x act'(<theta_j, x>) x + noise_j: one Euler step of the blocks start..stop."""
    p, n = theta.shape
    block, h = np.empty((inputs.shape[1], BLOCK)), np.empty((inputs.shape[0], BLOCK))
    for b in range(start, stop):
        first = b * BLOCK
        m = min(BLOCK, n - first)
        _forward(inputs, theta, first, unit, block, h)
        for x in range(h.shape[0]):
            row, weight = h[x], weights[x]
            if unit == TANH:
                for j in range(BLOCK):
                    row[j] = weight * (1.0 - row[j] * row[j])
            elif unit == SIGMOID:
                for j in range(BLOCK):
                    row[j] = weight * (row[j] * (1.0 - row[j]))
            else:
                for j in range(BLOCK):
                    row[j] = weight if row[j] > 0.0 else 0.0
        for c in range(block.shape[0]):
            row = block[c]
            for j in range(BLOCK):
                row[j] = 0.0
        _add_product(columns, h, block)
        for c in range(p):
            target, row, xi = theta[c, first : first + m], block[c], noise[c, first : first + m]
            for j in range(m):
                target[j] += row[j] + xi[j]


@kernel
def _normal(theta, law, factor, seed, replica, unit):
    scratch = np.empty(512)
    for c in range(theta.shape[0]):
        row = theta[c]
        draw(row, scratch, law, seed, replica, unit, 0, c, INITIAL)
        for i in range(row.size):
            row[i] *= factor


@kernel
def _slopes(average, labels, logistic, factor, weights):
    """weights_x = -factor d_1 l(f_x, y_x) for the rows of the data; rows of padding keep weight 0."""
    for x in range(labels.size):
        y, f = labels[x], average[x]
        weights[x] = factor * (y / (expm1(max(min(y * f, 700.0), -700.0)) + 2.0) if logistic else y - f)


class Network:
    """Bed N.

    Parameters
    ----------
    X : array_like of float, shape (m, d)
        Inputs, finite. Rows are scaled to unit norm unless `unit_norm` is false.
    y : array_like, shape (m,)
        Labels of two classes, of any type; they become -1 and +1 in sorted order.
    unit : {"tanh", "sigmoid", "relu"}
    loss : {"logistic", "square"}
    unit_norm : bool, default True
        The explicit constants grow like exp(|x|^2): without scaling they say nothing.
    sd : float, default 1
        Standard deviation of the independent Gaussian initial weights.

    Attributes
    ----------
    p : int
        Parameters of a unit, d + 1 with the bias.
    outside : str
        Which assumption the unit or the loss violates; empty if none.

    Raises
    ------
    ValueError
        Unknown unit or loss, NaN or infinite data, labels that are not two classes, mismatched lengths.
    """

    name = "network"
    block = BLOCK

    def __init__(self, X, y, *, unit="tanh", loss="logistic", unit_norm=True, sd=1.0):
        self.unit, self.loss = check.one_of("unit", unit, tuple(UNITS)), check.one_of("loss", loss, LOSSES)
        X = check.finite_array("X", X, ndim=2)
        labels = two_classes(y)
        if len(labels) != len(X):
            raise ValueError(f"y must have one label for each of the {len(X)} rows of X, got {len(labels)}")
        if unit_norm:
            norms = np.linalg.norm(X, axis=1, keepdims=True)
            empty = int(np.count_nonzero(norms == 0.0))
            if empty:
                raise ValueError(f"X must have no row of zeros to be scaled to unit norm, got {empty}")
            X = X / norms
        self.X, self.y, self.sd = X, labels, check.nonnegative("sd", sd)
        self.m, self.p = len(X), X.shape[1] + 1
        rows, columns = -(-self.m // 4) * 4, -(-self.p // 4) * 4  # the products work on tiles of 4 x 4
        self._inputs = np.zeros((rows, columns))
        self._inputs[: self.m, : self.p] = np.column_stack([X, np.ones(self.m)])
        self._columns = np.ascontiguousarray(self._inputs.T)
        reasons = []
        if unit == "relu":
            reasons.append("ReLU units are unbounded and have no second derivative (A1)")
        if loss == "square":
            reasons.append("the square loss has an unbounded first derivative (A2)")
        self.outside = "; ".join(reasons)

    def constants(self):
        """A, D, a, d1, d0 and sup|b| of this data set (``constants.py``)."""
        from chaosnum.constants import network_constants

        return network_constants(self.X, y=self.y, act=self.unit, loss=self.loss)

    def initial(self, n, *, seed, replica=0, first=0):
        """Independent Gaussian initial weights of the units from number `first` on -> ndarray of float64, (p, n)."""
        theta = np.empty((self.p, n))
        _normal(theta, shape(2.0), self.sd * 0.5**0.5, check.seed(seed), check.replica(replica), first)
        return theta

    def system(self, theta, threads=1, share=None):
        """A system in the state theta, (p, n), which it owns and advances in place -> `Units`.

        With a `Share` of a system, theta are the units of this rank, and all ranks call ``observe()`` first of all.
        """
        return Units(self, theta, threads, share)


class Units:
    """The units of one network of bed N: theta, (p, n), and its outputs f_x on the data, `average`, (m,)."""

    def __init__(self, bed, theta, threads=1, share=None):
        self.bed, self.theta, self.threads = bed, theta, threads
        self._share, self._noise = share or Share(theta.shape[1], BLOCK), None
        self._blocks = -(-theta.shape[1] // BLOCK)
        self._sums = np.empty((self._blocks, len(bed._inputs)))
        self._average, self._weights = np.empty(len(bed._inputs)), np.zeros(len(bed._inputs))
        self.average = self._average[: bed.m]
        if share is None:
            self.observe()

    def _run(self, kernel, *arguments):
        if self.threads == 1:
            kernel(self.theta, *arguments, 0, self._blocks)
        else:
            run = lambda start, stop: kernel(self.theta, *arguments, start, stop)  # noqa: E731
            over_blocks(run, self._blocks, self.threads, least=4)

    def observe(self):
        """Compute the outputs of the present state."""
        self._run(_observe, self.bed._inputs, UNITS[self.bed.unit], self._sums)
        self._share.average(self._sums[None], self._average[None])

    def advance(self, average, noise, eta, observe=True):
        """One Euler step of length eta, the interaction read from the outputs `average`, (m,) or (1, m).

        With ``observe=False`` the outputs of the new state are not computed: a copy that reads the limit needs none.
        """
        bed = self.bed
        _slopes(average.reshape(-1), bed.y, bed.loss == "logistic", eta / bed.m, self._weights)
        self._run(_advance, bed._inputs, bed._columns, UNITS[bed.unit], self._weights, noise)
        if observe:
            self.observe()

    def step(self, path, k, eta):
        """One Euler step of length eta on step k of a noise path."""
        if self._noise is None:
            self._noise = np.empty_like(self.theta)
        self.advance(self.average, path.fill(k, self._noise), eta)


def two_classes(y):
    """Labels of exactly two classes, as -1 and +1 in sorted order -> ndarray of float64.

    Raises
    ------
    ValueError
        Labels that are not finite, or not of two classes.
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"y must have one dimension, got shape {y.shape}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"y must be finite, got {int((~np.isfinite(y)).sum())} NaN or infinite label(s)")
    if y.dtype.kind not in "fiubUS":
        raise ValueError(f"y must hold numbers or strings, got dtype {y.dtype}")
    classes = np.unique(y)
    if len(classes) != 2:
        shown = ", ".join(map(str, classes[:5])) + (", ..." if len(classes) > 5 else "")
        raise ValueError(f"y must hold two classes, got {len(classes)}: {shown}")
    return np.where(y == classes[1], 1.0, -1.0)
