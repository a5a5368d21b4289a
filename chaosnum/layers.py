"""The weights of a fully connected network as a list of matrices, one a layer: the convention and its check.

    weights[l]      shape (fan in, units): column j holds all weights into unit j
    weights[:-1]    the hidden layers
    weights[-1]     the output layer, shape (units of the last hidden layer, classes)

Each layer's fan in is the number of units of the one before it. There are no biases.

What goes wrong: PyTorch keeps a Linear layer as (units, fan in). Transposed, a square layer passes every check here,
and its columns mix the units.
"""

import numpy as np

from chaosnum import check

DTYPES = ("float32", "float64")


def checked(weights, *, least=1):
    """Weights that are a network -> list of ndarray, the caller's own: never write to them.

    Parameters
    ----------
    weights : sequence of float32 or float64 arrays, shapes (fan in, units)
    least : int
        Layers that there must be: 2 where a hidden one is needed.

    Raises
    ------
    ValueError
        In one line: too few layers, an array of another kind, shape or dtype, NaN or infinite weights, or a layer whose
        fan in is not the number of units before it.
    """
    if not isinstance(weights, (list, tuple)):
        raise ValueError(f"weights must be a list of arrays, one a layer, got {type(weights).__name__}")
    if len(weights) < least:
        with_hidden = ", a hidden one and the output layer" if least == 2 else ""
        raise ValueError(f"weights must have {least} or more layers{with_hidden}, got {len(weights)}")
    for l, w in enumerate(weights):
        if not isinstance(w, np.ndarray) or w.dtype.name not in DTYPES:
            what = f"dtype {w.dtype}" if isinstance(w, np.ndarray) else type(w).__name__
            raise ValueError(f"weights[{l}] must be an array of float32 or float64, got {what}")
        if w.ndim != 2 or w.size == 0:
            raise ValueError(f"weights[{l}] must have the shape (fan in, units), got {w.shape}")
        if l and w.shape[0] != weights[l - 1].shape[1]:
            before = weights[l - 1].shape[1]
            raise ValueError(f"weights[{l}] must have a row for each of the {before} units before it, got {w.shape}")
        check.finite_array(f"weights[{l}]", w)
    return list(weights)
