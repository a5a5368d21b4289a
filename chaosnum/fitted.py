"""From weights to a prediction: tail index of a layer, and the l_p error that this index foretells (claim C7).

A unit is a column of weights, Y its Euclidean norm. The tail index alpha is estimated (`chaosnum.tails`); then the
relative l_p error of keeping the kappa n largest units is foretold from alpha and compared with the one measured on
the same weights (`chaosnum.compress`).

The fitted law has the body that is seen and a power tail: beyond the threshold u, which k of the n units exceed,
P(Y > y) = (k/n) (y/u)^-alpha, of tail constant C = (k/n) u^alpha. Of a sample of n the largest are then, with the
arrival times G_1 < G_2 < ... of a Poisson process of rate one,

    u (G_i / k)^(-1/alpha)    for G_i < k       (LePage's series, cut at u)

so the law of the error at this n is had by drawing the series, without any limit: its median is the prediction, its
5 % and 95 % points the range that such weights scatter over. As n grows, the error goes to zero like n^-(1/alpha-1/p)
for p > alpha (C5), logarithmically for p = alpha, and to C6's limit curve for p < alpha.

The number k is small, n^0.35: alpha comes from an estimator with a threshold of its own, or from the whole sample, and
where alpha is near 2 only the farthest points of a stable law lie on a power law (theory: Hill's trap).

Without a power tail there is no index to predict from. Then the contrast is drawn: units of p independent Gaussian
weights, whose norms follow a chi law, and for which C6's limit curve is

    error = ( P(X_{d+p} <= q^2) )^(1/p),    q^2 the (1-kappa)-quantile of X_d,    X_d chi-square, d numbers a unit

What goes wrong: weights are an initial law, a drift and noise together, and a layer of a few hundred units shows
little of its tail; an interval of alpha that reaches 2 leaves both predictions open.

References: R. LePage, M. Woodroofe, J. Zinn, Ann. Probab. 9 (1981) 624-632; theory of C5-C7: Wan et al., ICML 2024,
arXiv 2306.08125; R. Gribonval, V. Cevher, M. Davies, IEEE Trans. Inf. Theory 58 (2012) 5016-5034, Prop. 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum import check
from chaosnum.column_sample import kept
from chaosnum.jsonform import strict
from chaosnum.words import number

KAPPAS = (0.05, 0.1, 0.2, 0.5)
PS = (1.0, 2.0)
DRAWS = 2000  # of LePage's series: a quantile's standard error is below a tenth of the 90 % range
LEVELS = (0.05, 0.5, 0.95)
HIGHEST_P = 100.0  # beyond it the powers of a predicted error underflow
POINTS = 200  # of a curve that is drawn


@dataclass(frozen=True, eq=False)
class TailLaw:
    """The body that is seen, and a power tail beyond the k largest.

    Attributes
    ----------
    alpha : float
        Tail index, above 0.
    threshold : float
        u, above 0.
    k, n : int
    body : ndarray of float64, shape (n - k,)
        What does not exceed u, ascending.
    """

    alpha: float
    threshold: float
    k: int
    n: int
    body: np.ndarray

    def errors(self, kappas, p, *, draws=DRAWS, seed=0):
        """Relative l_p errors of samples of n -> ndarray of float64, shape (draws, len(kappas))."""
        rng = np.random.default_rng(seed)
        most = self.k + int(8 * math.sqrt(self.k)) + 8  # more arrivals before k than this: probability below 1e-12
        arrivals = np.cumsum(rng.standard_exponential((draws, most)), axis=1)
        first = np.minimum(arrivals[:, :1], self.k)  # all is measured by the largest, or a high power would overflow
        top = np.where(arrivals < self.k, (arrivals / first) ** (-p / self.alpha), 0.0)
        scale = (first[:, 0] / self.k) ** (p / self.alpha)
        rest = np.concatenate([[0.0], np.cumsum((self.body / self.threshold) ** p)])
        sums = np.cumsum(top[:, ::-1], axis=1)[:, ::-1]  # of the i-th largest and all below it, within the tail
        total = sums[:, 0] + scale * rest[-1]
        count = np.sum(arrivals < self.k, axis=1)  # units in the tail: k on average
        found = np.empty((draws, len(kappas)))
        for j, kappa in enumerate(kappas):
            keep = kept(kappa, self.n) + np.rint(kappa * (count - self.k)).astype(np.int64)
            left = np.take_along_axis(sums, np.minimum(keep, most - 1)[:, None], axis=1)[:, 0]
            found[:, j] = (left + scale * rest[self.body.size - np.maximum(keep - count, 0)]) / total
        return found ** (1.0 / p)


def tail_law(y, alpha, k=None):
    """The fitted law of positive numbers y.

    Parameters
    ----------
    y : float64 array, shape (n,)
        Norms; zeros count as units.
    alpha : float
        The tail index.
    k : int, optional
        Units beyond the threshold; by default n^0.35, at least 10.
    """
    y = np.sort(check.finite_array("y", y, ndim=1))
    some = np.count_nonzero(y)  # of pruned weights most are zero, and a threshold is not
    k = min(max(10, round(y.size**0.35)), some - 1) if k is None else k
    k = check.whole("k", k, 1, y.size - 1)
    body, threshold = y[: y.size - k], y[y.size - k - 1]
    return TailLaw(check.positive("alpha", alpha), check.positive("threshold", threshold), k, y.size, body)


def gaussian_errors(kappas, p, d):
    """C6's limit curve for units of d independent Gaussian numbers -> ndarray of float64, shape (len(kappas),)."""
    from scipy.special import gammainc, gammaincinv

    half_q2 = gammaincinv(d / 2, 1 - np.asarray(kappas, dtype=float))
    return gammainc((d + p) / 2, half_q2) ** (1 / p)


def study(layer, *, ps=PS, kappas=KAPPAS):
    """Everything that ``chaosnum fit`` says of a layer.

    Parameters
    ----------
    layer : chaosnum.weights.Layer
    ps : sequence of float
        Orders of the norm, above 0 and at most 100.
    kappas : sequence of float
        Shares of units kept, in (0, 1), at which the table compares.

    Returns
    -------
    dict, ready for JSON
        `estimates`, what `tails.fit` found; `errors`, for each p the measured and the predicted error at the kappas and
        what the theorem says of growing n; `curves`, the same on a fine grid, and `tail`, for the figure.

    Raises
    ------
    ValueError
        A p or kappa out of range, or weights that no estimator can use.
    """
    from chaosnum import compress, tails

    ps = [check.in_range("p", p, 0.0, HIGHEST_P) for p in ps]
    kappas = sorted(check.in_range("kappa", kappa, 0.0, 1.0, open_high=True) for kappa in kappas)
    y = layer.norms()
    fit = tails.fit(layer.x)
    heavy = bool(fit.heavy) and strict(fit.alpha) is not None
    alpha, ci = (float(fit.alpha), _pair(fit.ci)) if heavy else (None, None)
    law = tail_law(y, alpha) if heavy else None
    grid = np.geomspace(max(1 / layer.n, 1e-3), 1.0, POINTS)
    errors, curves = [], []
    for p in ps:
        fine = _compare(compress, layer, y, law, grid, p)
        curves.append({"p": p, "kappa": grid.tolist(), **fine})
        errors.append({"p": p, "kappa": kappas, **_compare(compress, layer, y, law, kappas, p),
                       "growing": growing_words(alpha, p, ci)})  # fmt: skip
    return {
        "layer": layer.name, "shape": list(layer.shape), "units": layer.units, "n": layer.n, "d": layer.p,
        "alpha": strict(fit.alpha), "ci": _pair(fit.ci), "heavy": bool(fit.heavy), "recommended": fit.recommended,
        "reason": fit.reason, "disagree": fit.disagree, "note": fit.note,
        "estimates": [_estimate(e) for e in fit.estimates], "tail": _tail(y, law), "errors": errors, "curves": curves,
    }  # fmt: skip


def _compare(compress, layer, y, law, kappas, p):
    """Measured and predicted error, and the range of 90 % of samples."""
    measured = np.asarray(compress.error_curve(y, kappas, p), dtype=float)
    if law is None:
        low = high = None
        predicted = gaussian_errors(kappas, p, layer.p)
    else:
        low, predicted, high = np.quantile(law.errors(kappas, p), LEVELS, axis=0)
    return {key: None if v is None else v.tolist() for key, v in
            {"measured": measured, "predicted": predicted, "low": low, "high": high}.items()}  # fmt: skip


def growing_words(alpha, p, ci=None):
    """What the theorems say of the error as n grows -> words."""
    if alpha is None:
        words = "tends to a positive limit as n grows: not compressible, unless there is a power tail after all"
    elif alpha > p:
        words = "tends to a positive limit as n grows: not compressible"
    elif alpha == p:
        words = "tends to 0 as n grows, with a power of log n only"
    else:
        words = f"tends to 0 as n grows, like n^-{number(1 / alpha - 1 / p)}: compressible"
    if ci is not None and ci[0] < p < ci[1]:
        words += f"; α = {number(p)} lies within the interval, so the other case is open too"
    return words


def _tail(y, law):
    """Points of the empirical tail for the figure: the largest all, the rest thinned."""
    n, y = y.size, np.sort(y[y > 0])[::-1]
    ranks = np.unique(np.concatenate([np.arange(min(y.size, 40)), np.geomspace(1, y.size, POINTS).astype(int) - 1]))
    found = {"r": y[ranks].tolist(), "share": ((ranks + 1) / n).tolist()}
    if law is None:
        return {**found, "k": None, "threshold": None}
    return {**found, "k": law.k, "threshold": law.threshold}


def _estimate(e):
    """An estimate in JSON form."""
    return {"name": e.name, "alpha": strict(e.alpha), "ci": _pair(e.ci), "k": e.k, "block": e.block,
            "scale": strict(e.scale), "p": strict(e.p), "note": e.note}  # fmt: skip


def _pair(ci):
    return None if ci is None else strict(list(ci))
