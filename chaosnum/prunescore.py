"""Loss and accuracy of many prunings of one network.

With one hidden layer all prunings by columns come from one pass: a unit without incoming weights says act(0) on every
row, so with a the activations of the whole network, S the units removed and v the output layer,

    outputs of the pruned network = a v_S + act(0) sum_(j in S) v_j,    v_S = v with the rows of S set to zero,

and the products with all v_S are one product. Its cost is that of a single evaluation and classes / inputs more for
each pruning, where each by itself would cost as much as the first. Other prunings are evaluated one by one.

What goes wrong: sums are rounded otherwise than in the evaluation of the pruned network, by some units in the last
place of an output. With deeper networks a removed unit changes the activations above it, and the identity is void.
"""

from dataclasses import replace

import numpy as np

from chaosnum import mlp
from chaosnum.backprop import ACTIVATIONS, BLOCK, Pass, cross_entropy
from chaosnum.blas import one_thread

AT_ZERO = {"relu": 0.0, "tanh": 0.0, "sigmoid": 0.5}
WIDEST = 4096  # outputs of one product


def scores(network, weights, prunings, X, y, *, threads=1):
    """Evaluate prunings of a network -> list of chaosnum.mlp.Score.

    Parameters
    ----------
    network : chaosnum.mlp.MLP
    weights : list of ndarray
        Before they were pruned.
    prunings : list of chaosnum.removal.Pruned
        Of these weights.
    X : array_like, shape (m, inputs)
    y : array_like of int, shape (m,)
    threads : int
        The result does not depend on it.

    Raises
    ------
    ValueError
        Weights or data that do not fit the network.
    """
    if len(network.hidden) > 1 or any(pruned.unit != "columns" for pruned in prunings):
        return [mlp.evaluate(network, pruned.weights, X, y, threads=threads) for pruned in prunings]
    X, y = mlp.check_data(network, X, y)
    network.check_weights(weights)
    kept = [pruned.weights[0].any(axis=0) for pruned in prunings]
    group = max(1, WIDEST // network.classes)
    found = []
    for first in range(0, len(kept), group):
        found += _of_columns(network, weights, kept[first : first + group], X, y, threads)
    return found


def _of_columns(network, weights, kept, X, y, threads):
    theta, v = weights
    classes, dtype = network.classes, network.dtype
    parts = [np.where(units[:, None], v, v.dtype.type(0)) for units in kept]
    # A column that was zero from the start is not kept either, and says act(0) in both places.
    constants = [AT_ZERO[network.unit] * np.sum(v[~units], axis=0, dtype=np.float64) for units in kept]
    wide = replace(network, classes=classes * len(kept))
    stacked = [theta, np.ascontiguousarray(np.hstack(parts))]
    rows = max(1, min(len(X), max(BLOCK, ACTIVATIONS // max(network.hidden))))
    loss, right, work = np.zeros(len(kept)), np.zeros(len(kept), dtype=np.int64), None
    for first in range(0, len(X), rows):
        some = slice(first, min(first + rows, len(X)))
        if work is None or work.m != some.stop - some.start:
            work = Pass(wide, some.stop - some.start, threads)
        with one_thread():
            work.forward(stacked, X[some])
        for i, constant in enumerate(constants):
            outputs = np.ascontiguousarray(work.outputs[:, i * classes : (i + 1) * classes] + constant, dtype=dtype)
            part, hits = cross_entropy(outputs, y[some], work.factor, 0.0)
            loss[i], right[i] = loss[i] + part, right[i] + hits
    return [mlp.Score(float(a / len(y)), float(b / len(y))) for a, b in zip(loss, right)]
