"""What a user's function answers, checked once before a long computation: a gradient, a sampler of compute times.

Definition. An *answer* is an ndarray of real numbers, finite, of the shape that was asked for. The function gets
read-only arrays, and is caught also where it writes to them all the same (a tensor that shares their memory can).

What goes wrong: a gradient that overwrites x, on which every identity checked afterwards is false; one that sums over
the systems of a batch, right in shape only where there is one system.
"""

import numpy as np


def answer(name, function, *given, shape):
    """function(*given), checked -> ndarray, float64, of that shape.

    Parameters
    ----------
    name : str, what the function is called in an error
    function : callable
    given : ndarray, handed over read-only, or a numpy.random.Generator
    shape : tuple of int

    Raises
    ------
    ValueError
        It is no function, raises, writes to what it is given, or returns what is no finite real array of that shape.
    """
    if not callable(function):
        raise ValueError(f"{name} must be a function, got {type(function).__name__}")
    held = [x.view() if isinstance(x, np.ndarray) else x for x in given]
    arrays = [x for x in held if isinstance(x, np.ndarray)]
    before = [x.copy() for x in arrays]
    for x in arrays:
        x.flags.writeable = False
    sizes = ", ".join(str(x.shape) if isinstance(x, np.ndarray) else type(x).__name__ for x in given)
    try:
        found = function(*held)
    except Exception as error:
        if "read-only" in str(error):
            raise ValueError(f"{name} must not write to its argument, which is read-only here, got {error}") from error
        words = " ".join(str(error).split())
        raise ValueError(f"{name} must accept {sizes}, got {type(error).__name__}: {words}") from error
    if not all(np.array_equal(x, y) for x, y in zip(arrays, before)):
        raise ValueError(f"{name} must not write to its argument, got one that was changed")
    if not isinstance(found, np.ndarray) or found.shape != shape:
        got = found.shape if isinstance(found, np.ndarray) else type(found).__name__
        raise ValueError(f"{name} must return an array of shape {shape}, got {got}")
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{name} must return real numbers, float64, got dtype {found.dtype}")
    bad = int(np.count_nonzero(~np.isfinite(found)))
    if bad:
        raise ValueError(f"{name} must be finite at the start, got {bad} NaN or infinite value(s)")
    return found.astype(np.float64, copy=False)
