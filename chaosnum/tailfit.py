r"""All tail-index estimators on one sample: whether there is a power tail, which number to believe, who disagrees.

How it is decided
-----------------
1. *Is there a power tail?* Are the excesses of the largest n^(2/3) and n^(1/2) values heavier than exponential
   (`tail_tests.py`)? Level 1e-3, exact on exponential tails and larger than the truth on Gaussian and bounded ones. If
   not, or if the law is not stable and the moment estimator excludes every index below 20 (a tail cut off), `heavy` is
   False, `alpha` infinite, and `ci` runs from the least index that the moment estimator leaves open.
2. *Is the law stable?* The characteristic function's modulus and phases (`tail_spectral.py`), the counts in the far
   tail and the sample's ends (`tail_tests.py`) are compared with the fitted stable law; rejected at min(0.01, 10/n): a
   level that falls with n, because power is no longer scarce.
3. *Stable:* the characteristic function's estimate is recommended; it reaches the Cramer-Rao bound within 1 or 2 %.
   *Not stable:* of Hill's and the moment estimator's intervals, both at Guillou and Hall's threshold, the narrower in
   1/alpha.

What goes wrong. Few data: with fewer than some 5000 values Student's t with 2 or 3 degrees passes for stable, with
alpha = 1.4 or 1.6; `reason` names n, and `disagree` the order statistics that say otherwise. Sums that are only
asymptotically stable pass too: 50 symmetric Pareto(1.5) variables look like alpha = 1.46 up to n = 1e4 and more.
Lognormal and stretched-exponential tails are called power tails once n is large. Dependent values (a path in time, say)
break every level and interval here: their extremes come in clusters, and a heavy tail may not be seen. Estimates that
disagree are listed, not averaged: Hill on stable samples with alpha near 2 will be among them.
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum.tail_blocks import mohammadi
from chaosnum.tail_order import hill, moments, pickands
from chaosnum.tail_quantiles import quantiles
from chaosnum.tail_sample import Z95, sample, tail_constant_at
from chaosnum.tail_spectral import asymmetric, ecf
from chaosnum.tail_tests import has_edge, no_power_tail, tail_counts, windows

STABLE_LEVEL = 0.01
TAIL_LEVEL = 1e-3
STEEPEST = 20.0  # where even the moment estimator's interval excludes every smaller index, the tail is cut off


@dataclass(frozen=True)
class Fit:
    """The tail of a sample.

    Attributes
    ----------
    estimates : tuple of Estimate
        ecf, quantiles, hill, moments, pickands, mohammadi, as far as the sample allows.
    heavy : bool
        There is a power tail.
    recommended : str
        Name of the estimate to use; "none" if there is no power tail.
    alpha, ci : float, (float, float)
        The recommended estimate and its 95 % interval; alpha is infinite if there is no power tail.
    constant : float
        C in P(\\|X - centre\\| > r) ~ C r^-alpha, both sides together, of all entries (pruned zeros too); 0 if there
        is no power tail. For matrices X is a column and \\|.\\| its Euclidean norm.
    sides : (float, float)
        C r^-alpha = (right + left) r^-alpha for scalars; equal halves for columns.
    centre : float or ndarray of float64, shape (p,)
    stable : bool
        The stable law was not rejected.
    n : int
        Entries (or columns) used.
    reason, disagree, note : str
        One line each.
    """

    estimates: tuple
    heavy: bool
    recommended: str
    alpha: float
    ci: tuple
    constant: float
    sides: tuple
    centre: float | np.ndarray
    stable: bool
    n: int
    reason: str
    disagree: str
    note: str = ""

    def __getitem__(self, name):
        """The estimate of this name."""
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(name)


def fit(x, *, centre=None, seed=0):
    """Run every estimator, say whether there is a power tail, and recommend.

    Parameters
    ----------
    x : array_like, shape (n,) or (p, n)
        n >= 100 numbers, or n >= 100 columns of p. Of a matrix, order statistics are those of the columns' norms; the
        characteristic function and the quantiles take the entries, centred row by row, with errors from the
        columns (entries of a column may be dependent); sums are sums of columns. Pass ``x.ravel()`` to treat entries
        as independent scalars.
    centre : float or array_like, optional
        By default the median, or 0 for data of one sign (`tail_sample.py`).
    seed : int, default 0
        For the permutations of `mohammadi`.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        No array of finite numbers, not of one or two dimensions, fewer than 100 entries (columns), fewer than 20
        distinct values.
    """
    s = sample(x, centre)
    estimates, without = [], {}
    for name, estimator in (("ecf", ecf), ("quantiles", quantiles), ("hill", hill), ("moments", moments),
                            ("pickands", pickands), ("mohammadi", lambda s: mohammadi(s, seed=seed))):  # fmt: skip
        try:
            estimates.append(estimator(s))
        except ValueError as error:  # e.g. equal quartiles: the others still say something
            without.setdefault(str(error), []).append(name)
    notes = [s.note] if s.note else []
    notes += [f"without {' and '.join(names)}: {reason}" for reason, names in without.items()]
    found = {e.name: e for e in estimates}
    p_tail = no_power_tail(s.radius)
    p_stable = _stable(s, found.get("ecf"))
    stable = p_stable > min(STABLE_LEVEL, 10 / s.n)
    law = f"a stable law is {'not ' if stable else ''}rejected (p = {p_stable:.2g}, n = {s.n})"
    largest = f"its {windows(s.n)[0]} largest values"
    low = found["moments"].ci[0] if "moments" in found else 0.0
    bent = not stable and (low > STEEPEST or "hill" not in found or not math.isfinite(found["hill"].alpha))
    if p_tail > TAIL_LEVEL or bent:
        reason = f"no power tail shown: {largest} are not heavier than exponential (p = {p_tail:.2g}); {law}"
        if p_tail <= TAIL_LEVEL:
            reason = f"no power tail: the far tail bends down and leaves no index below {low:.3g}; {law}"
        return Fit(tuple(estimates), False, "none", math.inf, (low, math.inf), 0.0, (0.0, 0.0), s.where, stable, s.n,
                   reason, _said(estimates), "; ".join(notes))  # fmt: skip
    reason = f"{largest} are heavier than exponential (p = {p_tail:.1g}) and {law}: "
    if stable and found["ecf"].alpha < 2:
        chosen = found["ecf"]
        reason += "the characteristic function is efficient"
    else:
        chosen = min((found[n] for n in ("hill", "moments") if math.isfinite(found[n].alpha)), key=_width)
        reason += f"{chosen.name} is the more precise order statistic at the threshold k = {chosen.k}"
    constant, share = _constant(s, chosen)
    return Fit(tuple(estimates), True, chosen.name, chosen.alpha, chosen.ci, constant,
               (constant * share, constant * (1 - share)), chosen.centre, stable, s.n, reason,
               _disagreement(chosen, estimates), "; ".join(notes))  # fmt: skip


def _stable(s, estimate):
    """p-value of the stable law: the characteristic function and, for scalars, the far tail."""
    if estimate is None or not 0.1 < estimate.alpha:
        return 0.0
    if s.p > 1 or estimate.alpha > 1.999:
        return estimate.p
    if estimate.alpha > 0.5 and has_edge(s.x[0], estimate.alpha):
        return 0.0
    scale = estimate.scale
    if asymmetric(estimate.skew):  # the difference of two halves is symmetric
        half = s.n // 2
        x, scale = s.x[0, :half] - s.x[0, half : 2 * half], scale * 2 ** (1 / estimate.alpha)
    else:
        x = s.x[0] - estimate.centre
    width = (estimate.ci[1] - estimate.ci[0]) / (2 * Z95)
    counts = tail_counts(np.sort(np.abs(x))[::-1], estimate.alpha, scale, width)
    return min(1.0, 2 * min(estimate.p, counts))


def _width(estimate):
    """Length of the interval of 1/alpha."""
    low, high = estimate.ci
    return 1 / low - 1 / high


def _constant(s, chosen):
    """The tail constant, and the right tail's share of it."""
    constant = chosen.constant
    k = chosen.k or max(20, round(s.n**0.5))
    if constant is None:  # columns: the norm's constant, from the k-th norm
        constant = tail_constant_at(s.kept * k / s.n, float(s.radius[k]), chosen.alpha)
    if s.p > 1:
        return constant, 0.5
    if chosen.skew is not None:
        beta = chosen.skew[0]
        return constant, (1 + beta) / 2 if asymmetric(chosen.skew) else 0.5
    right = np.count_nonzero(s.x[0] - s.centre[0] > s.radius[k])
    return constant, float(right / max(np.count_nonzero(np.abs(s.x[0] - s.centre[0]) > s.radius[k]), 1))


def _said(estimates):
    said = ", ".join(f"{e.name} {e.alpha:.3g}" for e in estimates)
    return f"read as power tails: {said}"


def _disagreement(chosen, estimates):
    away = [e for e in estimates if not e.ci[0] <= chosen.alpha <= e.ci[1]]
    if not away:
        return f"every interval holds {chosen.alpha:.3f}"
    listed = ", ".join(f"{e.name} {e.alpha:.3g} [{e.ci[0]:.3g}, {e.ci[1]:.3g}]" for e in away)
    return f"intervals without {chosen.alpha:.3f}: {listed}"
