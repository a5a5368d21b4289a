"""Fully connected networks for classification: one to four hidden layers, without biases.

Definition. Layer l has n_l units; theta^l, of shape (n_(l-1), n_l), holds in its j-th column the weights into unit j.
With the rows x of the data, a^0 = x and

    a^l = act(a^(l-1) theta^l),    f = a^L v,    loss = mean over the rows of -log softmax(f)_y,

f the outputs, one for each class, and v, of shape (n_L, classes), the output layer.

Two parametrisations:

* ``standard``, that of the published experiments: weights uniform on (-1/sqrt(fan in), 1/sqrt(fan in)), all layers
  trained.
* ``mean-field``, that of the theory: one hidden layer, f = (1/n) a v with the signs v = +-1 drawn once and fixed, and
  time measured so that a unit moves at a speed that does not fall with n: the gradient is multiplied by n. A unit then
  follows d theta = -E[sum_c (softmax(f)_c - 1{y = c}) v_c grad act(<theta, x>)] dt + noise, bed N of ``network.py`` for
  more than two classes.

The theorems are about the second, with bounded smooth units; ``MLP.outside`` says what a network lacks of that.

Numbers are float32 or float64 throughout; losses are summed in float64. Backpropagation is in ``backprop.py``.

Reference: the experiments of Wan, Barsbey, Zaidi, Simsekli, ICML 2024 (arXiv 2306.08125).
"""

from dataclasses import dataclass

import numpy as np

from chaosnum import check
from chaosnum.backprop import UNITS, Pass, score
from chaosnum.jit import kernel
from chaosnum.philox import INITIAL, address, philox, signed_uniform

PARAMETRISATIONS = ("standard", "mean-field")
DTYPES = ("float32", "float64")
DEEPEST = 4
LAYER = 2**32  # units of layer l have the numbers l LAYER, l LAYER + 1, ... wherever a draw is addressed


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy over some rows, and the share of them that is classified right."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class MLP:
    """The shape of a network.

    Attributes
    ----------
    inputs, classes : int
        Numbers in a row of the data, at least 1, and classes, at least 2.
    hidden : int or tuple of int
        Widths of the hidden layers, one to four of them.
    unit : {"relu", "tanh", "sigmoid"}
    parametrisation : {"standard", "mean-field"}
    dtype : {"float32", "float64"}

    Raises
    ------
    ValueError
        A number out of range, or a mean-field network of more than one hidden layer.
    """

    inputs: int
    hidden: tuple
    classes: int
    unit: str = "relu"
    parametrisation: str = "standard"
    dtype: str = "float32"

    def __post_init__(self):
        hidden = self.hidden if isinstance(self.hidden, (tuple, list)) else (self.hidden,)
        if not 1 <= len(hidden) <= DEEPEST:
            raise ValueError(f"hidden must be 1 to {DEEPEST} widths, got {len(hidden)}")
        settle = object.__setattr__
        settle(self, "inputs", check.whole("inputs", self.inputs, 1, 2**24))
        settle(self, "hidden", tuple(check.whole("width", n, 1, 2**24) for n in hidden))
        settle(self, "classes", check.whole("classes", self.classes, 2, 2**16))
        check.one_of("unit", self.unit, tuple(UNITS))
        check.one_of("parametrisation", self.parametrisation, PARAMETRISATIONS)
        check.one_of("dtype", self.dtype, DTYPES)
        if self.mean_field and len(hidden) > 1:
            raise ValueError(f"hidden must be one width for a mean-field network, got {len(hidden)}")

    @property
    def mean_field(self):
        """Whether the outputs are averages over the units."""
        return self.parametrisation == "mean-field"

    @property
    def shapes(self):
        """Shapes (fan in, units) of the layers, the output layer last -> list of pairs."""
        widths = (self.inputs, *self.hidden, self.classes)
        return list(zip(widths, widths[1:]))

    @property
    def trained(self):
        """Number of layers that gradient descent moves, from the first on."""
        return len(self.hidden) + (not self.mean_field)

    @property
    def outside(self):
        """What the network lacks of the theorems' assumptions -> str, empty if nothing."""
        lacks = []
        if len(self.hidden) > 1:
            lacks.append(f"{len(self.hidden)} hidden layers")
        if not self.mean_field:
            lacks.append("no factor 1/n and a trained output layer")
        if self.unit == "relu":
            lacks.append("ReLU units (A1)")
        return ", ".join(lacks)

    def check_weights(self, weights):
        """The weights as they are, if they fit this network.

        Raises
        ------
        ValueError
            Another number of layers, other shapes or another type.
        """
        if not isinstance(weights, (list, tuple)):
            raise ValueError(f"weights must be a list of arrays, one a layer, got {type(weights).__name__}")
        found = [(np.shape(w), str(getattr(w, "dtype", type(w).__name__))) for w in weights]
        wanted = [(shape, self.dtype) for shape in self.shapes]
        if found != wanted:
            raise ValueError(f"weights must be {_words(wanted)}, got {_words(found)}")
        return weights


def _words(layers):
    return ", ".join(f"{' x '.join(map(str, shape))} {dtype}" for shape, dtype in layers) or "none"


@kernel
def _uniform(theta, bound, signs, seed, first):
    """theta[c, i] = uniform on (-bound, bound), or its sign times bound, for the units first, first + 1, ..."""
    for c in range(theta.shape[0]):
        row = theta[c]
        for i in range(row.size):
            x0, x1, x2, x3, k0, k1 = address(seed, 0, first + i, 0, c, INITIAL)
            high, low, _, _ = philox(x0, x1, x2, x3, k0, k1)
            u = 2.0 * signed_uniform(high, low)
            row[i] = bound * ((1.0 if u > 0.0 else -1.0) if signs else u)


def initial(network, *, seed):
    """Initial weights.

    Parameters
    ----------
    network : MLP
    seed : int
        0 <= seed < 2^64. A unit's weights depend on seed, layer and number, not on the width.

    Returns
    -------
    list of ndarray, C-contiguous, of `network.dtype` and `network.shapes`
    """
    seed, weights = check.seed(seed), []
    for layer, shape in enumerate(network.shapes):
        signs = network.mean_field and layer == len(network.hidden)
        theta = np.empty(shape, dtype=network.dtype)
        _uniform(theta, 1.0 if signs else shape[0] ** -0.5, signs, seed, layer * LAYER)
        weights.append(theta)
    return weights


def evaluate(network, weights, X, y, *, threads=1):
    """Loss and accuracy on some rows.

    Parameters
    ----------
    network : MLP
    weights : list of ndarray
        As `initial` returns them.
    X : array_like, shape (m, inputs)
    y : array_like of int, shape (m,)
        Classes 0, ..., C - 1. Of equal largest outputs the first counts.
    threads : int, default 1
        The result does not depend on it.

    Returns
    -------
    Score
        Its loss is NaN or infinite where the outputs are.

    Raises
    ------
    ValueError
        Weights or data that do not fit the network.
    """
    X, y = check_data(network, X, y)
    loss, right = score(network, network.check_weights(weights), X, y, threads)
    return Score(loss / len(y), right / len(y))


def gradient(network, weights, X, y, *, threads=1):
    """The mean loss over some rows and its gradient, for mean-field networks multiplied by n.

    Parameters
    ----------
    network, weights, X, y, threads
        As for `evaluate`.

    Returns
    -------
    loss : float
    gradients : list of ndarray
        One for each trained layer, of the layer's shape and type.

    Raises
    ------
    ValueError
        Weights or data that do not fit the network.
    """
    X, y = check_data(network, X, y)
    work = Pass(network, len(y), threads)
    loss = work.gradient(network.check_weights(weights), X, y)
    return loss, work.gradients


def check_data(network, X, y):
    """Rows and classes as the kernels take them -> (X, y), of the network's type and int64.

    Raises
    ------
    ValueError
        Another number of columns, no rows, values that are not finite in the network's type, classes out of range.
    """
    X = check.finite_array("X", X, ndim=2) if not isinstance(X, np.ndarray) else X
    if X.ndim != 2 or X.shape[1] != network.inputs:
        raise ValueError(f"X must have {network.inputs} columns, got shape {X.shape}")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must be an array of finite numbers, got dtype {X.dtype}")
    with np.errstate(over="ignore"):
        X = np.ascontiguousarray(X, dtype=network.dtype)
    bad = X.size - int(np.count_nonzero(np.isfinite(X)))  # ReLU and BLAS would carry a NaN on to every weight
    if bad:
        raise ValueError(f"X must be finite in {network.dtype}, got {bad} NaN or infinite value(s)")
    wanted = f"y must have one whole number for each of the {len(X)} rows of X"
    try:
        y = np.asarray(y)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{wanted}, got {type(y).__name__}") from None
    if y.shape != (len(X),) or not len(X):
        raise ValueError(f"{wanted}, got shape {y.shape}")
    if y.dtype.kind not in "iu":
        raise ValueError(f"{wanted}, got dtype {y.dtype}")
    if y.min() < 0 or y.max() >= network.classes:
        raise ValueError(f"y must lie in [0, {network.classes - 1}], got {y.min()} to {y.max()}")
    return X, y.astype(np.int64, copy=False)
