r"""Taking the smallest units out of a network's hidden layers: which they are, and what is lost.

A unit is a column (all weights into one hidden unit), an entry, or a singular value of a layer's matrix. Its size is
the column's Euclidean norm, the entry's magnitude, the singular value itself. For each of the three the squared
Frobenius norm of the layer is the sum of the squared sizes, and a removed unit takes its own square away and no other.
So what is left, with the k smallest of n removed, is the best approximation by n - k units (for singular values Eckart
and Young 1936), and its relative error is a point of :func:`chaosnum.compress.error_curve` of the sizes:

    error = |W - W_pruned|_F / |W|_F = ( sum of the k smallest squared sizes / sum of all )^(1/2)

How many are removed:

    error criterion e    the largest k of which the removed *squared* norm is at most e times the whole: error^2 <= e
    ratio r              floor(r n), or the whole number that r n is within round-off of (`chaosnum.column_sample.kept`)

scope "layer" applies either to each hidden layer by itself; "global" to all hidden layers as one vector of sizes, by
their raw values: for these the criterion then removes the most units that it can, and the error is that of best terms
again. Sizes relative to their layer would have neither property.

Decisions at the edges: among equal sizes the lower index goes first, and the lower layer. A layer of zeros loses
nothing by being removed: its error is 0, and the criterion removes it wholly, as e = 1 does any layer. With e = 0
exactly the units of size zero go. Singular values below max(p, n) 2^-52 of the layer's largest are rounding, and count
as zero.

What goes wrong: a sum of squares in float32, or from the large end, loses the small columns beside a large one; here
sizes are float64, relative to a power of two, and summed from the small end, so that no weight over- or underflows.
Global scope can take a whole layer whose weights are small, and nothing passes through it: look at `shares`.
A unit without incoming weights is silent if its activation is 0 at 0 (ReLU, tanh); a sigmoid unit goes on saying 1/2.

Reference: C. Eckart, G. Young, The approximation of one matrix by another of lower rank, Psychometrika 1 (1936) 211.
"""

from dataclasses import dataclass

import numpy as np

from chaosnum import check, compress, layers
from chaosnum.column_sample import kept

SCOPES = ("layer", "global")
ERROR = 0.1  # the published criterion, on squared norms
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Pruned:
    """A network with units removed. Shares and errors are of hidden layers; the output layer is not pruned.

    Attributes
    ----------
    weights : list of ndarray, shapes and dtypes as before
        New arrays, the output layer excepted: that is the caller's own.
    unit : str, "columns", "entries" or "singular_values"
    removed : tuple of int
        Units removed, by hidden layer.
    shares : tuple of float
        Share of the units removed, by hidden layer.
    share : float
        Share of all hidden layers' units together.
    errors : tuple of float
        Relative l_2 error, by hidden layer: (removed squared norm / whole squared norm)^(1/2).
    error : float
        The same of all hidden layers together.
    """

    weights: list
    unit: str
    removed: tuple
    shares: tuple
    share: float
    errors: tuple
    error: float

    @property
    def squared_error(self):
        """Share of the squared norm that is removed, which the error criterion bounds -> float."""
        return self.error**2


class Ranking:
    """The units of the hidden layers by size, found once for any number of prunings.

    Parameters
    ----------
    weights : list of float32 or float64 arrays, shapes (fan in, units)
        A network with a hidden layer or more (`chaosnum.layers`).
    unit : {"columns", "entries", "singular_values"}

    Attributes
    ----------
    sizes : list of ndarray of float64
        Of each hidden layer's units, in units of `scales`; columns and entries in the order of the array.
    scales : list of int
        The powers of two.

    Raises
    ------
    ValueError
        No such network, NaN or infinite weights, or an unknown unit.
    """

    def __init__(self, weights, unit):
        self.unit = check.one_of("unit", unit, tuple(_UNITS))
        self.weights = layers.checked(weights, least=2)
        hidden = self.weights[:-1]
        self.scales = [_exponent(w) for w in hidden]
        found = [_UNITS[unit](w, scale) for w, scale in zip(hidden, self.scales)]
        self.sizes = [sizes for sizes, _ in found]
        self._without = [without for _, without in found]
        self._lost = [_lost(sizes) for sizes in self.sizes]
        self._slack = [(s.size + w.shape[0]) * EPS for s, w in zip(self.sizes, hidden)]
        self._pooled = None  # on demand: sizes of all layers together

    def prune(self, *, error=None, ratio=None, scope="layer"):
        """Remove the smallest units -> Pruned.

        Parameters
        ----------
        error : float in [0, 1], optional
            Share of the squared norm that may go; 0.1 where neither is given.
        ratio : float in [0, 1], optional
            Share of the units to remove.
        scope : {"layer", "global"}

        Raises
        ------
        ValueError
            A value out of range, or both an error and a ratio.
        """
        check.one_of("scope", scope, SCOPES)
        if error is not None and ratio is not None:
            raise ValueError(f"error and ratio exclude each other, got error = {error!r} and ratio = {ratio!r}")
        if ratio is not None:
            ratio = check.in_range("ratio", ratio, 0.0, 1.0, open_low=False)
        else:
            error = check.in_range("error", ERROR if error is None else error, 0.0, 1.0, open_low=False)
        if scope == "global":
            owners, lost, slack = self._all()
            removed = np.bincount(owners[: _count(lost, slack, error, ratio)], minlength=len(self.sizes))
        else:
            removed = [_count(lost, slack, error, ratio) for lost, slack in zip(self._lost, self._slack)]
        return self._pruned(tuple(int(k) for k in removed))

    def _all(self):
        """Of all layers as one: each unit's layer in the order of sizes, the errors, the slack."""
        if self._pooled is None:
            sizes = np.concatenate(self._relative(self.sizes))
            owners = np.repeat(np.arange(len(self.sizes)), [s.size for s in self.sizes])
            self._pooled = owners[np.argsort(sizes, kind="stable")], _lost(sizes), sum(self._slack)
        return self._pooled

    def _relative(self, values):
        """Each layer's values, now in units of one power of two, that of the largest layer."""
        largest = max((scale for scale, s in zip(self.scales, self.sizes) if s.any()), default=0)
        return [np.ldexp(v, min(scale - largest, 0)) for v, scale in zip(values, self.scales)]

    def _pruned(self, removed):
        n = [s.size for s in self.sizes]
        errors = [float(lost[k]) for lost, k in zip(self._lost, removed)]
        norms = np.array(self._relative([np.sqrt(np.sum(s * s)) for s in self.sizes]))
        whole = np.linalg.norm(norms)
        weights = [without(k) for without, k in zip(self._without, removed)]
        return Pruned([*weights, self.weights[-1]], self.unit, removed, tuple(k / m for k, m in zip(removed, n)),
                      sum(removed) / sum(n), tuple(errors),
                      float(np.linalg.norm(norms * errors) / whole) if whole > 0.0 else 0.0)  # fmt: skip


def _count(lost, slack, error, ratio):
    """How many units go, lost[k] being the error without the k smallest."""
    if ratio is not None:
        return kept(ratio, lost.size - 1)
    # The error and not its square is compared, or a small one would underflow to "nothing lost". Two sums of n squared
    # sizes, each of p squares, have a ratio whose root is right to (n + p) roundings: equal columns count as equal.
    return int(np.searchsorted(lost, np.sqrt(error) * (1.0 + slack), side="right")) - 1


def _lost(sizes):
    """Relative errors without the k smallest, k = 0, ..., n -> ndarray, increasing; all zero where the sizes are."""
    return compress.error_curve(sizes)[::-1] if sizes.any() else np.zeros(sizes.size + 1)


def _exponent(w):
    """The power of two above the largest magnitude -> int."""
    return int(np.frexp(np.abs(w).max())[1])


# ---------------------------------------------------------------- sizes of a layer, and the layer without its smallest


def _columns(w, scale):
    tops = np.frexp(np.abs(w).max(axis=0))[1]
    x = np.ldexp(w.astype(np.float64), -tops)  # exact: a power of two for each column, so no square underflows
    sizes = np.ldexp(np.sqrt(np.einsum("ij,ij->j", x, x)), tops - scale)
    order = np.argsort(sizes, kind="stable")

    def without(k):
        out = w.copy()
        out[:, order[:k]] = 0.0
        return out

    return sizes, without


def _entries(w, scale):
    sizes = np.ldexp(np.abs(w, dtype=np.float64), -scale).ravel()
    order = np.argsort(sizes, kind="stable")

    def without(k):
        out = w.copy(order="C")
        out.reshape(-1)[order[:k]] = 0.0
        return out

    return sizes, without


def _singular_values(w, scale):
    """In float64 for either dtype: beside a column that is 1e8 times the others float32 would keep nothing of them."""
    from scipy import linalg

    try:
        u, s, vt = linalg.svd(np.ldexp(w.astype(np.float64), -scale), full_matrices=False, check_finite=False)
    except linalg.LinAlgError:
        raise ValueError(f"weights must have a singular value decomposition, got {w.shape} without one") from None
    s[s <= max(w.shape) * EPS * s[0]] = 0.0

    def without(k):
        if k == 0:  # as it was, to the bit
            return w.copy()
        r = s.size - k
        return np.ldexp((u[:, :r] * s[:r]) @ vt[:r], scale).astype(w.dtype)

    return s, without


_UNITS = {"columns": _columns, "entries": _entries, "singular_values": _singular_values}
UNITS = tuple(_UNITS)
