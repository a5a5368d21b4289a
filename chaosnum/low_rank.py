"""SGD with weight decay forgets: what a weight matrix keeps of the past, and what that says about its rank.

Definition. SGD on loss + lambda ||W||_F^2 with steps mu_t does

    W_(t+1) = rho_t W_t - mu_t G_t,   rho_t = 1 - 2 mu_t lambda,

G_t the mean gradient of the loss over a batch of B examples. (PyTorch's ``weight_decay`` is 2 lambda.)

Gradient rank (S2.1). Where W enters as W f, once for each example, G = sum_b delta_b f_b' has rank at most
min(p, q, B); shared R times an example (patches, tokens), min(p, q, B R). Before softmax the delta_b sum to zero over
the classes, so the output layer's rank is at most classes - 1; behind batch normalisation they sum to zero over the
batch, which leaves B - 1. See :mod:`chaosnum.low_rank_layers`.

Unrolling (S2.2), for every T and n, with rho(n) the product of the last n factors:

    W_T = rho(n) W_(T-n) - sum_(j=1..n) rho(j-1) mu_(T-j) G_(T-j).

The sum has rank at most n B R. By Weyl's and Mirsky's inequalities the other singular values cannot exceed those of
rho(n) W_(T-n):

    sigma_(nBR+1)(W_T) <= rho(n) ||W_(T-n)||_2,   (sum_(i>nBR) sigma_i^2)^(1/2) <= rho(n) ||W_(T-n)||_F,

with no assumption at all. With stationary norms the eps-rank is at most B R ceil(ln(1/eps) / -ln rho), some
B R ln(1/eps) / (2 mu lambda); the authors write B ln(1/eps) / (mu lambda), twice that.

Forgetting (S2.4). The initial weights, of full rank, are left over with the factor e^-S, S = sum_t -ln(1 - 2 mu_t
lambda). Counted above tol ||W_T||_F, half of their singular values are gone at

    S* = ln(median sigma(W_0) / (tol ||W_T||_F)),

whatever B and mu. For independent entries of variance v the singular values of the d x d matrix W_0 follow the
quarter-circle law on [0, 2 sqrt(d v)]; what W_T has learnt takes r directions, and in the other d - r the initial
matrix is one of size d - r, so at x = e^(S - S*)

    share of the initial singular values that are left = 1 - F(x m sqrt(d / (d - r))),   F(m) = 1/2,

F the quarter-circle law on [0, 2] (:func:`left`).

No convergence (S2.5, derived). W_(t+1) - W_t = -mu (G_t + 2 lambda W_t), and a matrix of rank B is no closer to
2 lambda W than the truncated singular value decomposition is (Eckart, Young, Mirsky). So at every step

    ||W_(t+1) - W_t||_F / mu >= 2 lambda (sum_(i>BR) sigma_i(W_t)^2)^(1/2):

batches smaller than the rank keep the weights moving, unless lambda = 0, or all of the data is one batch.

What goes wrong
    * n B R >= min(p, q): the bounds say nothing. In a trained network B ln(1/eps) / (2 mu lambda) is 10^4 to 10^6,
      the width 10^2: the theorem's bound on the rank is vacuous there, true as it is. With n B R < d it compares with
      rho(n) near 1, and is sharp for initial weights that are orthogonal.
    * S < ln(1/tol), some 7: what is measured is the initial weights.
    * lambda so large that the network collapses: W / ||W|| is rounding noise. Look at the accuracy and at ||W||.
    * rho(n) ||W|| below rounding: 1e-12 ||W_T|| is allowed on the right-hand side.
    * Momentum is outside the theorem: the last n steps then hold gradients that are older.

References: Galanti, Siegel, Gupte, Poggio, SGD and weight decay secretly minimize the rank of your neural network,
arXiv 2206.05794; Horn, Johnson, Topics in Matrix Analysis (1991), section 3.3; Marchenko, Pastur, Mat. Sb. 72 (1967).
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import finite_array, in_range, nonnegative, whole

TOLERANCE = 1e-3  # of ||W||_F: the metric of the authors' code
ROUNDING = 1e-12  # of ||W_T||, added to the right-hand sides
_MEDIAN = 0.8079455065990343  # of the quarter-circle law on [0, 2]


@dataclass(frozen=True)
class Unrolling:
    """The unrolled sum and the two bounds at lags n = 1, 2, ..., as far as n B R < min(p, q).

    Attributes
    ----------
    lags : ndarray, int64, shape (J,)
    residual : ndarray, float64, shape (J,)
        Largest entry of W_T less the unrolled sum, over the rounding that it may have: at most 1.
    spectral, frobenius : ndarray, float64, shape (J,)
        Left-hand side of the bound over its right-hand side: at most 1.
    """

    lags: np.ndarray
    residual: np.ndarray
    spectral: np.ndarray
    frobenius: np.ndarray


def decay(step, ridge):
    """rho = 1 - 2 mu lambda -> float in (0, 1].

    Parameters
    ----------
    step : float > 0, mu
    ridge : float >= 0, lambda

    Raises
    ------
    ValueError
        2 mu lambda >= 1: the weights would be thrown away, or change sign, at every step.
    """
    step, ridge = in_range("step", step, 0.0, math.inf, open_high=True), nonnegative("ridge", ridge)
    if not 2.0 * step * ridge < 1.0:
        raise ValueError(f"2 step ridge must lie in [0, 1), got {2.0 * step * ridge!r}")
    return 1.0 - 2.0 * step * ridge


def updates(amount, step, ridge):
    """Number of steps after which S = -sum ln rho is nearest to `amount` -> int, at least 1."""
    rho = decay(step, ridge)
    if rho == 1.0:
        raise ValueError(f"2 step ridge must be > 1e-16, or nothing is forgotten, got {2.0 * step * ridge!r}")
    return max(1, round(in_range("amount", amount, 0.0, math.inf, open_high=True) / -math.log(rho)))


def rank(w, tol=TOLERANCE):
    """Number of singular values above tol ||W||_F -> int64 array of shape (...), or int for one matrix.

    Parameters
    ----------
    w : array_like, float, shape (..., p, q)
    tol : float in (0, 1)

    Raises
    ------
    ValueError
        Not finite, fewer than two dimensions, or zero.
    """
    tol = in_range("tol", tol, 0.0, 1.0, open_high=True)
    sigma = singular_values("w", w)
    if np.any(sigma[..., 0] == 0.0):
        raise ValueError("w must not be zero: W / ||W|| has no singular values, got norm 0")
    found = (sigma > tol * _norm(sigma)[..., None]).sum(axis=-1)
    return int(found) if found.ndim == 0 else found


def singular_values(name, w):
    """Singular values, descending -> ndarray, float64, shape (..., min(p, q)); checks its argument."""
    w = finite_array(name, w)
    if w.ndim < 2 or not w.size:
        raise ValueError(f"{name} must be a matrix or a stack of them, got shape {w.shape}")
    with one_thread():
        return np.linalg.svd(w, compute_uv=False)


def _norm(sigma):
    """||W||_F from singular values, without squares that overflow or vanish."""
    top = sigma.max(axis=-1, initial=0.0, keepdims=True)
    return top[..., 0] * np.linalg.norm(sigma / np.where(top > 0.0, top, 1.0), axis=-1)


def unroll(weights, gradients, step, ridge, *, batch, shared=1, lags=None):
    """Compare W_T with the unrolled sum, and its singular values with the bounds.

    Parameters
    ----------
    weights : array_like, float, shape (T + 1, p, q)
        W_0, ..., W_T. Rounding is that of their type.
    gradients : array_like, float, shape (T, p, q)
        G_0, ..., G_(T-1), of the loss without the decay.
    step, ridge : float or array_like, float, shape (T,)
        mu_t and lambda.
    batch : int
        B.
    shared : int, default 1
        R, how often an example uses the weights.
    lags : sequence of int, optional
        By default every n with n B R < min(p, q).

    Returns
    -------
    Unrolling

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite, 2 mu lambda >= 1, gradients or last weights that
        are zero, gradients beyond all proportion to the weights, or n B R >= min(p, q), where the bounds are vacuous.
    """
    unit = max(float(np.finfo(kind).eps) for kind in (np.float64, weights.dtype if _is_float(weights) else np.float64))
    weights, gradients = finite_array("weights", weights, ndim=3), finite_array("gradients", gradients, ndim=3)
    count = len(gradients)
    if weights.shape != (count + 1, *gradients.shape[1:]) or not count:
        raise ValueError(f"weights must have shape (T + 1, p, q), gradients (T, p, q), got {weights.shape}, "
                         f"{gradients.shape}")  # fmt: skip
    mu, lam = (np.broadcast_to(finite_array(n, x), (count,)) if np.ndim(x) == 0 or np.shape(x) == (count,)
               else _misfit(n, x, count) for n, x in (("step", step), ("ridge", ridge)))  # fmt: skip
    rho = np.array([decay(float(m), float(l)) for m, l in zip(mu, lam)])
    each = whole("batch", batch, 1) * whole("shared", shared, 1)
    size = min(weights.shape[1:])
    if each >= size:
        raise ValueError(f"batch * shared must lie below min(p, q) = {size}, or the bounds are vacuous, got {each}")
    if not np.any(weights[-1]) or not np.any(gradients):
        raise ValueError(f"{'gradients' if np.any(weights[-1]) else 'weights'} must not be zero, got all zeros")
    top = float(np.abs(weights).max())  # everything is linear: brought to order 1
    if not (moved := float(mu.max()) * float(np.abs(gradients).max())) <= 1e16 * top:
        raise ValueError(f"step * gradients must not exceed 1e16 times the weights, got {moved:.3g} and {top:.3g}")
    weights, gradients = (np.ldexp(x, -math.frexp(top)[1]) for x in (weights, gradients))
    floor = ROUNDING * np.linalg.norm(weights[-1])
    sigma = singular_values("weights", weights[-1])
    most = min(count, (size - 1) // each)
    if lags is not None and (np.ndim(lags) != 1 or not len(lags)):
        raise ValueError(f"lags must be one or more whole numbers in [1, {most}], got {lags!r}")
    lags = np.arange(1, most + 1) if lags is None else np.unique([whole("lags", n, 1, most) for n in lags])
    rows, total, kept, magnitude = [], np.zeros(weights.shape[1:]), 1.0, 0.0
    for n in range(1, lags[-1] + 1):
        w, term = weights[count - n], kept * mu[count - n] * gradients[count - n]
        total = total - term
        magnitude = magnitude + kept * rho[count - n] * np.abs(w) + np.abs(term)
        kept = kept * rho[count - n]
        if n not in lags:
            continue
        # each step errs by some 4 units of |rho W| + |mu G|, the sum of n terms by n + 4 units of theirs
        room = (n + 8) * unit * (magnitude + kept * np.abs(w))
        off = np.abs(weights[-1] - (kept * w + total))
        rows.append((
            float(np.max(off / np.where(room > 0.0, room, 1.0))),
            sigma[n * each] / (kept * singular_values("weights", w)[0] + floor),
            np.linalg.norm(sigma[n * each :]) / (kept * np.linalg.norm(w) + floor),
        ))  # fmt: skip
    return Unrolling(lags, *np.array(rows).T)


def _is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def _misfit(name, x, count):
    raise ValueError(f"{name} must be one number or {count} of them, got shape {np.shape(x)}")


def rank_bound(eps, norm_ratio, batch, shared, rho):
    """B R ceil(ln(||W_(T-n)|| / (eps ||W_T||)) / -ln rho): the theorem's bound on the eps-rank -> int.

    Parameters
    ----------
    eps : float in (0, 1)
    norm_ratio : float > 0
        ||W_(T-n)|| / ||W_T||, 1 where norms are stationary.
    batch, shared : int
    rho : float in (0, 1)
    """
    eps, rho = in_range("eps", eps, 0.0, 1.0, open_high=True), in_range("rho", rho, 0.0, 1.0, open_high=True)
    ratio = in_range("norm_ratio", norm_ratio, 0.0, math.inf, open_high=True)
    steps = max(0, math.ceil(math.log(ratio / eps) / -math.log(rho)))
    return whole("batch", batch, 1) * whole("shared", shared, 1) * steps


def threshold(start, end, tol=TOLERANCE):
    """S* = ln(median sigma(W_0) / (tol ||W_T||_F)) -> float, or float64 array of shape (...).

    Parameters
    ----------
    start, end : array_like, float, shape (..., p, q)
    tol : float in (0, 1)

    Raises
    ------
    ValueError
        Not finite, no matrices, shapes that differ, or zero.
    """
    median, norm = np.median(singular_values("start", start), axis=-1), _norm(singular_values("end", end))
    if np.shape(start) != np.shape(end):
        raise ValueError(f"end must have the shape of start, {np.shape(start)}, got {np.shape(end)}")
    if np.any(norm == 0.0) or np.any(median == 0.0):
        raise ValueError("start and end must not be zero, got norm 0")
    found = np.log(median) - np.log(in_range("tol", tol, 0.0, 1.0, open_high=True) * norm)
    return float(found) if np.ndim(found) == 0 else found


def left(x, taken=0.0):
    """Share of the initial singular values that is still counted at x = e^(S - S*), by the quarter-circle law.

    Parameters
    ----------
    x : float >= 0
    taken : float in [0, 1), default 0
        r / d, the share of the directions that what is learnt takes.

    Returns
    -------
    float in [0, 1]
    """
    taken = in_range("taken", taken, 0.0, 1.0, open_low=False, open_high=True)
    s = min(2.0, nonnegative("x", x) * _MEDIAN / math.sqrt(1.0 - taken))
    return 1.0 - (0.5 * s * math.sqrt(4.0 - s * s) + 2.0 * math.asin(0.5 * s)) / math.pi


def least_move(w, ridge, batch, shared=1):
    """2 lambda (sum_(i>BR) sigma_i^2)^(1/2), below which ||W_(t+1) - W_t||_F / mu cannot be -> float64, shape (...).

    Parameters
    ----------
    w : array_like, float, shape (..., p, q)
    ridge : float >= 0
    batch, shared : int
    """
    kept = whole("batch", batch, 1) * whole("shared", shared, 1)
    return 2.0 * nonnegative("ridge", ridge) * _norm(singular_values("w", w)[..., kept:])
