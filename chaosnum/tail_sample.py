"""A sample whose tail is to be read: what is accepted, where its centre is, and what an estimate holds.

A power tail is a statement on large values only, P(|X - c| > r) ~ C r^-alpha, and in the limit the centre c does not
matter. At any finite r it does: shifting changes P(|X| > r) by the factor 1 + O(alpha c / r), which Hill's estimator
sees as bias. Rule used here, row by row: the median; but 0 for data of one sign that pile up on the side of zero, (the
deciles 10 and 90 lie unevenly about the median, by more than 1.65: a symmetric law has 1, the exponential law 2.7),
where log-spacings from zero are what a Pareto law makes exponential; and the smallest magnitude in place of 0 when such
data lie far from zero (twenty times the distance from it to the median: Araujo Santos, Fraga Alves, Gomes 2006).

Exact zeros that are ten times as frequent as any other value are taken for pruned entries: they are left out and
counted, and the tail constant is that of all entries.

Reference: P. Araujo Santos, M. I. Fraga Alves, M. I. Gomes, REVSTAT 4 (2006) 227-247 (peaks over a random threshold).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chaosnum import check

LEAST = 100  # entries; with fewer no interval here is worth its name
DISTINCT = 20
Z95 = 1.959963984540054
_LARGEST = 1e300
_SYMMETRIC = 1.65
_FAR = 20.0
_ATOM = 10


@dataclass(frozen=True)
class Estimate:
    """A tail index with its 95 % interval.

    Attributes
    ----------
    name : str
    alpha : float
        In (0, inf]; infinite where the extreme-value index came out zero or below.
    ci : (float, float)
        95 % interval; its upper end is infinite where an exponential tail is not excluded.
    k : int, optional
        Upper order statistics used.
    block : int, optional
        Block size.
    frequencies : ndarray of float64, optional
        Frequencies at which the characteristic function was read.
    scale : float, optional
        Scale of the stable law, where one was fitted.
    constant : float, optional
        C in P(\\|X - centre\\| > r) ~ C r^-alpha, both tails together, pruned zeros counted; infinite beyond 1e304.
    centre : float or ndarray of float64, shape (p,)
    skew : (float, float), optional
        Skewness beta of the stable law in [-1, 1], and its standard error.
    p : float, optional
        p-value of the goodness of fit of the law that the estimate assumes.
    note : str
    """

    name: str
    alpha: float
    ci: tuple
    k: int | None = None
    block: int | None = None
    frequencies: np.ndarray | None = None
    scale: float | None = None
    constant: float | None = None
    centre: float | np.ndarray = 0.0
    skew: tuple | None = None
    p: float | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """A checked sample: `x` (p, n) without pruned zeros, its centre (p,), the share of columns kept, and notes."""

    x: np.ndarray
    centre: np.ndarray
    kept: float
    note: str

    @property
    def p(self):
        return self.x.shape[0]

    @property
    def n(self):
        return self.x.shape[1]

    @property
    def where(self):
        """The centre as it is reported: a float for scalars."""
        return float(self.centre[0]) if self.p == 1 else self.centre

    @cached_property
    def radius(self):
        """Distances from the centre in decreasing order, (n,)."""
        deviation = self.x - self.centre[:, None]
        if self.p == 1:
            r = np.abs(deviation[0])
        else:
            scale = np.max(np.abs(deviation))  # no square overflows
            r = scale * np.sqrt(np.sum((deviation / scale) ** 2, axis=0))
        r.sort()
        return r[::-1]

    @cached_property
    def log_top(self):
        """Logarithms of the upper half of the positive distances, decreasing."""
        top = self.radius[: self.n // 2 + 1]
        return np.log(top[top > 0])


def sample(x, centre=None):
    """Check a sample, find its centre, and set pruned zeros aside -> Sample; a Sample is returned as it is.

    Parameters
    ----------
    x : array_like, shape (n,) or (p, n)
        n >= 100 numbers, or the n columns of a matrix.
    centre : float or array_like of shape (p,), optional
        By default the rule of the module.

    Raises
    ------
    ValueError
        No array of finite numbers, not of one or two dimensions, too short, constant, or of fewer than 20 distinct
        values.
    """
    if isinstance(x, Sample):
        return x
    x = check.finite_array("x", x)
    if x.ndim not in (1, 2):
        raise ValueError(f"x must have 1 or 2 dimensions, got shape {x.shape}")
    vectors = x.ndim == 2
    what = "columns" if vectors else "entries"
    shape = x.shape
    x = x if vectors else x[None, :]
    p, n = x.shape
    if n < LEAST or p == 0:
        raise ValueError(f"x must have at least {LEAST} {what}, got {f'shape {shape}' if vectors else n}")
    largest = float(np.max(np.abs(x)))
    if largest == 0.0:
        raise ValueError(f"x must have {what} that differ, got only zeros")
    if not 1 / _LARGEST < largest < _LARGEST:
        raise ValueError(f"x must have its largest magnitude in [1e-300, 1e300], got {largest:g}")
    ordered = np.sort(x[0]) if p == 1 else np.sort(np.sum(np.abs(x), axis=0))  # columns are told apart by their norm
    edges = np.flatnonzero(np.diff(ordered, prepend=np.nan, append=np.nan))
    runs, values = np.diff(edges), ordered[edges[:-1]]
    if len(values) < DISTINCT:
        got = f"the constant {values[0]:g}" if len(values) == 1 else f"{len(values)}"
        raise ValueError(f"x must have at least {DISTINCT} distinct {what}, got {got}")
    zeros = int(runs[values == 0].sum())
    notes = []
    if zeros > 1 and zeros >= _ATOM * int(runs[values != 0].max()):
        notes.append(f"{zeros / n:.3g} of the {what} are exactly 0 and were left out")
        x, ordered, n = x[:, np.any(x != 0, axis=0)], ordered[ordered != 0], n - zeros
        if n < LEAST:
            raise ValueError(f"x must have at least {LEAST} {what} that are not 0, got {n}")
    elif len(values) < len(ordered) / 2:
        notes.append(f"only {len(values)} distinct values among {len(ordered)}")
    if centre is None:
        rows = [ordered] if p == 1 else np.sort(x, axis=1)
        centre = np.array([_centre(row) for row in rows])
    else:
        centre = np.atleast_1d(check.finite_array("centre", centre))
        if centre.shape not in ((1,), (p,)):
            raise ValueError(f"centre must be a number or have shape ({p},), got shape {centre.shape}")
        centre = np.broadcast_to(centre, (p,)).copy()
    return Sample(x, centre, n / shape[-1], "; ".join(notes))


def quantiles_of(ordered, q):
    """Quantiles of ordered values by linear interpolation -> ndarray."""
    at = np.asarray(q) * (len(ordered) - 1)
    low = np.minimum(at.astype(int), len(ordered) - 2)
    return ordered[low] + (at - low) * (ordered[low + 1] - ordered[low])


def _centre(ordered):
    """The rule of the module, for one row in increasing order."""
    low, middle, high = quantiles_of(ordered, [0.1, 0.5, 0.9])
    if ordered[0] < 0 < ordered[-1]:
        return middle
    near, far, end = (middle - low, high - middle, ordered[0]) if ordered[0] >= 0 else (
        high - middle, middle - low, ordered[-1])  # fmt: skip
    if far < _SYMMETRIC * near or near == 0:
        return middle
    return end if abs(end) > _FAR * abs(middle - end) else 0.0


def tail_constant_at(share, r, alpha):
    """share r^alpha, the C of a power tail whose probability is `share` at r -> float; infinite beyond 1e304."""
    if share == 0.0:  # alpha = 2
        return 0.0
    log_constant = math.log(share) + alpha * math.log(r)
    return math.exp(log_constant) if log_constant < 700 else math.inf


def index_interval(low, high):
    """Interval of alpha = 1/gamma from one of gamma -> (float, float)."""
    return (1 / high if high > 0 else math.inf), (1 / low if low > 0 else math.inf)
