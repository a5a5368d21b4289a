"""What a worker sends in place of its gradient: anybody's quantiser, checked.

Definition. A quantiser is an object with ``quantise(v, rng)``, or such a function: v is one vector, float64, of shape
(d,), and it returns as many floats. With an attribute ``batched = True`` it is given vectors (..., d) at once.

Checked before the first step, on a Gaussian vector and on 0 (the gradient of a batch without an active row), with a
generator of its own, so that the run's random numbers are what they are without the check: it returns floats, finite,
of the same shape, and leaves v alone (v is read-only, always). What it returns is checked again at every step.

What goes wrong: a quantiser that keeps something between its calls, such as the error that it made, has been called
twice before the first step.
"""

import numpy as np


def sender(quantiser, shape):
    """A quantiser as a function of gradients, shape (..., d), and a generator -> ndarray of the same shape, checked.

    Parameters
    ----------
    quantiser : object with `quantise(v, rng)`, or such a function
    shape : tuple of int
        Of the gradients to come.

    Raises
    ------
    ValueError
        No quantiser, or one that returns anything else than finite floats of the right shape, writes to v, or raises.
    """
    if isinstance(quantiser, type):
        name = quantiser.__name__
        raise ValueError(f"quantiser must be an object, as {name}(...) makes one, got the class {name}")
    quantise = getattr(quantiser, "quantise", quantiser)
    if not callable(quantise):
        raise ValueError(f"quantiser must be a function or have a method quantise(v, rng), got {quantiser!r}")
    batched = bool(getattr(quantiser, "batched", False))

    def send(g, rng):
        if batched:
            return _sent(quantise, g, rng)
        return np.array([_sent(quantise, v, rng) for v in g.reshape(-1, g.shape[-1])]).reshape(g.shape)

    rng, own = np.random.default_rng(0), shape if batched else shape[-1:]
    with np.errstate(all="ignore"):  # a division by |v| = 0 is told by its NaN
        for v, words in ((rng.standard_normal(own), "v"), (np.zeros(own), "0")):
            before = v.copy()
            _sent(quantise, v, rng, words)
            if not np.array_equal(v, before):
                raise ValueError("quantise(v, rng) must not write to v, got another v back")
    return send


def _sent(quantise, v, rng, words="v"):
    """quantise(v, rng), checked."""
    v, call = v.view(), f"quantise({words}, rng)"
    v.flags.writeable = False
    try:
        sent = quantise(v, rng)
        found = np.asarray(sent)
    except Exception as error:
        if "read-only" in str(error):
            raise ValueError(f"{call} must not write to v, got {_line(error)}") from error
        raise ValueError(f"{call} must return floats for a vector of shape {v.shape}, got {_line(error)}") from error
    if found.dtype.kind != "f":
        what = f"dtype {found.dtype}" if isinstance(sent, np.ndarray) else type(sent).__name__
        raise ValueError(f"{call} must return floats, got {what}")
    if found.shape != v.shape:
        raise ValueError(f"{call} must return shape {v.shape}, got {found.shape}")
    if bad := int(found.size - np.count_nonzero(np.isfinite(found))):
        raise ValueError(f"{call} must be finite, got {bad} NaN or infinite value(s)")
    return found.astype(np.float64, copy=False)


def _line(error):
    """An exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
