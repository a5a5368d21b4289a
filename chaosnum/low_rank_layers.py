"""Four ways in which a weight matrix enters a network, and the gradients that come of them.

Definition. Rows x become features f = tanh(x V) of width d (or R d, cut into R tokens of width d), V fixed; one matrix
W acts on them, and an output layer follows, with cross-entropy:

    dense        tanh(f W)
    residual     f + tanh(f W)
    shared       tanh(f_r W) for every token r = 1..R: a convolution whose patches do not overlap
    batch-norm   tanh((z - mean z) / sd z), z = f W, mean and deviation over the batch
    output       f W are the outputs themselves, W of shape (d, classes)

In each the gradient is a sum over examples and tokens, G = sum_(b, r) f_br' delta_br, so

    rank G <= min(d_in, d_out, B R),

with two refinements (derived). Output: softmax less label sums to zero over the classes, which leaves classes - 1.
Batch-norm: a shift of all z changes nothing, so the delta_b sum to zero over b, which leaves B - 1; the projection of
delta along the normalised z, also 0, is another direction for every unit, and costs no further rank if B >= 3. (Two
examples normalise to +-1, whatever W is: no gradient at all.) For data in general position all of these are equalities
(:func:`gradient_rank`).

What goes wrong: with as many tokens as a convolution has, B R exceeds the width at B = 1, and the bound is vacuous.
With ReLU some units are off for the whole batch, and the rank falls short of the width, so the units are tanh. Rank is
counted above 1e-10 of the largest singular value; rounding is near 1e-15.

References: Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794; Ioffe, Szegedy, ICML 2015 (batch normalisation).
"""

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, one_of, whole
from chaosnum.low_rank import singular_values

KINDS = ("dense", "residual", "shared", "batch-norm", "output")
CUT = 1e-10  # of the largest singular value; what is below is rounding


def gradient_rank(kind, batch, width, classes, tokens=1):
    """The rank that a gradient has for data in general position -> int.

    Raises
    ------
    ValueError
        An unknown kind, a number that is not whole and positive, or batch < 3 for "batch-norm".
    """
    one_of("kind", kind, KINDS)
    batch = whole("batch", batch, 3 if kind == "batch-norm" else 1)
    width, classes = whole("width", width, 1), whole("classes", classes, 2)
    if kind == "output":
        return min(batch, width, classes - 1)
    if kind == "batch-norm":
        return min(batch - 1, width)
    return min(batch * (whole("tokens", tokens, 1) if kind == "shared" else 1), width)


def layer_gradient(kind, X, labels, classes, width, *, tokens=1, seed, equal=False, frozen=False):
    """The mean gradient of W over the rows of X, at random weights.

    Parameters
    ----------
    kind : {"dense", "residual", "shared", "batch-norm", "output"}
    X : array_like, float64, shape (B, n)
    labels : array_like, int, shape (B,), in 0..classes-1
    classes, width, tokens : int
        C, d, R; R is used by "shared" alone.
    seed : int
        Of the weights, which are normal with variance 1 / inputs.
    equal : bool
        All tokens of an example are the same.
    frozen : bool
        Batch normalisation with mean and deviation held fixed, as in evaluation.

    Returns
    -------
    ndarray, float64, shape (d, d), or (d, classes) for "output"

    Raises
    ------
    ValueError
        Arguments as in :func:`gradient_rank`, X that is not finite, labels outside of 0..classes-1, rows that are all
        alike for "batch-norm", or a gradient that is zero.
    """
    X, labels = finite_array("X", X, ndim=2), finite_array("labels", labels)
    gradient_rank(kind, len(X), width, classes, tokens)  # the checks
    width, classes = int(width), int(classes)
    if labels.shape != (len(X),):
        raise ValueError(f"labels must be one for each of the {len(X)} rows of X, got shape {labels.shape}")
    if np.any(wrong := (labels != np.round(labels)) | (labels < 0) | (labels >= classes)):
        raise ValueError(f"labels must be whole numbers in [0, {classes - 1}], got {float(labels[wrong][0]):g}")
    if kind == "batch-norm" and not np.ptp(X, axis=0).any():
        raise ValueError("rows of X must differ, or batch normalisation divides by 0, got all alike")
    rng, count = np.random.default_rng(seed), int(tokens) if kind == "shared" else 1
    V = _normal(rng, X.shape[1], count * width)
    W = _normal(rng, width, classes if kind == "output" else width)
    H = _normal(rng, count * width, classes)
    with one_thread():
        f = np.tanh(X @ V).reshape(len(X), count, width)
        if equal:
            f = np.repeat(f[:, :1], count, axis=1)
        found = _backward(kind, f, W, H, np.eye(classes)[labels.astype(np.int64)], frozen)
    if not found.any():
        raise ValueError("the gradient must not be zero, got 0: X is zero, or all outputs are right")
    return found


def numerical_rank(gradient):
    """Number of singular values above `CUT` times the largest -> int."""
    sigma = singular_values("gradient", finite_array("gradient", gradient, ndim=2))
    return int((sigma > CUT * sigma[0]).sum())


def ranks_at_most(gradients, batch, shared=1):
    """Check that every gradient of a run has rank batch * shared at most.

    Singular values are counted above `CUT` times the largest, or a thousand roundings of the type where that is more:
    1e-4 for float32.

    Parameters
    ----------
    gradients : array_like, float, shape (T, p, q)
    batch, shared : int
        B, and R, how often an example uses the weights.

    Raises
    ------
    ValueError
        A larger rank; the line names the first t.
    """
    kind = np.asarray(gradients).dtype
    cut = max(CUT, 1e3 * float(np.finfo(kind).eps)) if kind.kind == "f" else CUT
    most = whole("batch", batch, 1) * whole("shared", shared, 1)
    sigma = singular_values("gradients", finite_array("gradients", gradients, ndim=3))
    ranks = (sigma > cut * sigma[:, :1]).sum(axis=1)
    if np.any(wrong := ranks > most):
        t = int(np.argmax(wrong))
        raise ValueError(f"gradients must have rank <= batch * shared = {most}, got rank {ranks[t]} at t = {t}")


def _normal(rng, rows, cols):
    return rng.standard_normal((rows, cols)) * np.sqrt(1.0 / rows)


def loss(kind, f, W, H, hot, frozen=False):
    """The mean loss, and what the way back needs; f has shape (B, R, d)."""
    z, scale = f @ W, None
    if kind == "batch-norm":
        centre, scale = (np.zeros(W.shape[1]), np.ones(W.shape[1])) if frozen else (z.mean(0), z.std(0))
        z = (z - centre) / scale
    if kind == "output":
        out = z[:, 0]
    else:
        h = np.tanh(z) + (f if kind == "residual" else 0.0)
        out = h.reshape(len(f), -1) @ H
    top = out - out.max(axis=1, keepdims=True)
    total = np.log(np.exp(top).sum(axis=1))
    return float(np.mean(total - (top * hot).sum(axis=1))), (z, scale, np.exp(top - total[:, None]))


def _backward(kind, f, W, H, hot, frozen):
    _, (z, scale, share) = loss(kind, f, W, H, hot, frozen)
    d = ((share - hot) / len(f))[:, None, :]
    if kind != "output":
        d = (d[:, 0] @ H.T).reshape(z.shape) * (1.0 - np.tanh(z) ** 2)
    if kind == "batch-norm":
        d = d / scale
        if not frozen:
            d = d - d.mean(0) - z * (d * z).mean(0)
    return np.einsum("bri,brj->ij", f, d)
