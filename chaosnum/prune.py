"""Pruning a trained network: units of its hidden layers are removed by size, and what that costs is measured.

    columns             all weights into a hidden unit, by their norm: the units of the theorems
    entries             single weights, by magnitude
    singular_values     of each hidden layer's matrix

Each has two modes, `error` (remove the smallest while the removed squared norm is at most this share of the whole: the
published experiments' criterion, at 0.1) and `ratio` (remove this share), by layer or over all hidden layers together;
`removal.py` says exactly what is removed, and at the edges. Nothing is trained afterwards.

`study` prunes one network in every way asked for, and puts loss and accuracy beside. For columns it adds what theory
foretells from the norms' tail index (C5-C7, `fitted.py`): the relative l_2 error that a sample of such columns has with
the share kappa = 1 - pruned kept, its median and the range of 90 % of samples.

What goes wrong. The theorem bounds the error of the weights, not the accuracy: that the accuracy follows is a finding
(C8), and not for every share. A network whose columns are all alike loses the share itself in squared norm: at 0.1 the
criterion takes a tenth of its columns, and that is no compressibility. A prediction from the same norms as the measured
curve knows their body: only the tail is foretold, so at small shares kept it says most.

Reference: Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125.
"""

import numpy as np

from chaosnum import check
from chaosnum.removal import ERROR, SCOPES, UNITS, Pruned, Ranking

__all__ = ["Pruned", "Ranking", "columns", "entries", "predicted", "singular_values", "study"]

RATIOS = tuple(k / 10 for k in range(11))


def columns(weights, *, error=None, ratio=None, scope="layer"):
    """Remove the columns of smallest norm from the hidden layers.

    Parameters
    ----------
    weights : list of float32 or float64 arrays, shapes (fan in, units)
        The last one is the output layer, which stays as it is.
    error : float in [0, 1], optional
        Remove while the removed squared norm is at most this share of the whole; 0.1 where neither mode is chosen.
    ratio : float in [0, 1], optional
        Remove floor(ratio n) of n.
    scope : {"layer", "global"}
        Each hidden layer by itself, or all together by raw size.

    Returns
    -------
    Pruned

    Raises
    ------
    ValueError
        Weights that are no network with a hidden layer, or not finite; a value out of range; both modes.
    """
    return Ranking(weights, "columns").prune(error=error, ratio=ratio, scope=scope)


def entries(weights, *, error=None, ratio=None, scope="layer"):
    """Remove the entries of smallest magnitude; as :func:`columns`."""
    return Ranking(weights, "entries").prune(error=error, ratio=ratio, scope=scope)


def singular_values(weights, *, error=None, ratio=None, scope="layer"):
    """Remove the smallest singular values of each hidden layer's matrix; as :func:`columns`.

    A layer of shape (p, n) has min(p, n) of them. What is left has the rank of those kept, and no zeros.
    """
    return Ranking(weights, "singular_values").prune(error=error, ratio=ratio, scope=scope)


def study(network, weights, dataset, *, error=ERROR, ratios=RATIOS, units=("columns",), scope="layer", threads=1):
    """Prune a trained network by the error criterion and by a sweep of ratios; evaluate each.

    Parameters
    ----------
    network : chaosnum.mlp.MLP
    weights : list of float32 or float64 arrays, shapes (fan in, units)
    dataset : chaosnum.data.Dataset
    error : float in [0, 1]
        Of the criterion: share of the squared norm.
    ratios : sequence of float in [0, 1]
        Shares removed.
    units : sequence of {"columns", "entries", "singular_values"}
    scope : {"layer", "global"}
    threads : int

    Returns
    -------
    dict, ready for JSON
        `criterion_error`, `scope`, `ratios`, `hidden` (shapes); `before`: {"train", "test"}, each {"loss", "accuracy"};
        `units`: by unit, `criterion` and `sweep` (a list in the order of `ratios`), each pruning as {"ratio", "share",
        "shares", "error", "errors", "squared_error", "train", "test"}, errors relative in l_2; and for columns also
        `predicted`, by hidden layer, what :func:`predicted` says at the shares kept in the sweep, beside `measured`.

    Raises
    ------
    ValueError
        As :func:`columns`; no ratio, no unit.

    Notes
    -----
    The cost is that of the evaluations, of the training and the test set: once for each pruning that removes other
    numbers of units than one before, but once for all prunings by columns of a network with one hidden layer
    (`prunescore.py`). A pruning that removes nothing has the scores of `before`.
    """
    from chaosnum.jsonform import strict

    error = check.in_range("error", error, 0.0, 1.0, open_low=False)
    ratios = [check.in_range("ratio", ratio, 0.0, 1.0, open_low=False) for ratio in ratios]
    units = [check.one_of("unit", unit, UNITS) for unit in units]
    if not ratios or not units:
        raise ValueError(f"{'units' if ratios else 'ratios'} must not be empty")
    check.one_of("scope", scope, SCOPES)
    rankings = [Ranking(weights, unit) for unit in units]
    before = _before(network, weights, dataset, threads)
    found = {"criterion_error": error, "scope": scope, "ratios": ratios, "hidden": [w.shape for w in weights[:-1]],
             "before": before, "units": {}}  # fmt: skip
    for unit, ranking in zip(units, rankings):
        prunings = [ranking.prune(error=error, scope=scope)]
        prunings += [ranking.prune(ratio=ratio, scope=scope) for ratio in ratios]
        different = {pruned.removed: pruned for pruned in prunings if any(pruned.removed)}  # the same units: the same
        scores = dict(zip(different, _scores(network, weights, list(different.values()), dataset, threads)))
        rows = [_row(pruned, ratio, scores.get(pruned.removed, before))
                for pruned, ratio in zip(prunings, [None, *ratios])]  # fmt: skip
        found["units"][unit] = {"criterion": rows[0], "sweep": rows[1:]}
        if unit == "columns":
            found["units"][unit]["predicted"] = [_foretold(w, l, prunings[1:]) for l, w in enumerate(weights[:-1])]
    return strict(found)


def predicted(layer, kappas):
    """The relative l_2 error of keeping the largest columns, as the tail index of their norms foretells it.

    Parameters
    ----------
    layer : float32 or float64 array, shape (p, n)
    kappas : sequence of float in [0, 1]
        Shares kept.

    Returns
    -------
    dict
        `kappa`; `alpha` and its 95 % interval `ci`, of :func:`chaosnum.tails.fit`; `median`, `low` and `high`, the 50,
        5 and 95 % points of the error of samples of n from the fitted law. All but `kappa` are None where no power tail
        is shown or the layer cannot be fitted. `reason` says why there is an index, or none.
    """
    from chaosnum import fitted, tails

    found = {"kappa": list(kappas), "alpha": None, "ci": None, "median": None, "low": None, "high": None}
    x = check.finite_array("layer", layer, ndim=2)
    try:
        fit = tails.fit(x)
        if not fit.heavy or not np.isfinite(fit.alpha):
            return {**found, "reason": fit.reason}
        largest = np.abs(x).max()  # scaled by it, no square overflows
        law = fitted.tail_law(np.sqrt(np.sum((x / largest) ** 2, axis=0)), fit.alpha)
    except ValueError as error:  # too few units, say
        return {**found, "reason": f"no index can be fitted: {error}"}
    low, median, high = np.quantile(law.errors(kappas, 2.0), fitted.LEVELS, axis=0)
    return {**found, "alpha": float(fit.alpha), "ci": [float(end) for end in fit.ci], "median": median.tolist(),
            "low": low.tolist(), "high": high.tolist(), "reason": fit.reason}  # fmt: skip


def _foretold(w, l, prunings):
    """The prediction for a layer at what each pruning kept of it, beside what was measured."""
    n = w.shape[1]
    kappas = [(n - pruned.removed[l]) / n for pruned in prunings]  # 1 - share could round across a whole number
    return {**predicted(w, kappas), "measured": [pruned.errors[l] for pruned in prunings]}


def _row(pruned, ratio, scores):
    return {"ratio": ratio, "share": pruned.share, "shares": pruned.shares, "error": pruned.error,
            "errors": pruned.errors, "squared_error": pruned.squared_error, **scores}  # fmt: skip


def _parts(dataset):
    return {"train": (dataset.X_train, dataset.y_train), "test": (dataset.X_test, dataset.y_test)}


def _before(network, weights, dataset, threads):
    from chaosnum import mlp

    return {part: _plain(mlp.evaluate(network, weights, X, y, threads=threads))
            for part, (X, y) in _parts(dataset).items()}  # fmt: skip


def _scores(network, weights, prunings, dataset, threads):
    """The scores of each pruning -> list of dict."""
    from chaosnum import prunescore

    found = {part: prunescore.scores(network, weights, prunings, X, y, threads=threads)
             for part, (X, y) in _parts(dataset).items()}  # fmt: skip
    return [{part: _plain(scores[i]) for part, scores in found.items()} for i in range(len(prunings))]


def _plain(score):
    return {"loss": float(score.loss), "accuracy": float(score.accuracy)}
