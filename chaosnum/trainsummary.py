"""From the runs of ``chaosnum train`` to the rows of its table: mean and spread over seeds, and noise against none.

The spread is the standard deviation over seeds, with n - 1 in the denominator. Runs of one seed with and without noise
start from the same weights and see the same minibatches; so the difference to no noise is taken seed by seed, and its
interval is Student's, mean +- t_(n-1) sd / sqrt(n), over the n seeds that have both runs.

What goes wrong: Student's interval rests on differences that are near normal; with 2 seeds its factor t is 12.7, with 3
seeds 4.3, and it says little. Stable noise has rare large jumps, so a few seeds may all have missed them. Runs that
diverged have no accuracy: what is shown is the mean over the others, and how many they are. A difference in pruned
share means what C8 means only where the accuracies on the training set before pruning agree: both are shown.
"""

import math

LEVEL = 0.95
# Name in the row -> where it stands in a run's result.
MEASURES = {
    "steps": ("steps",),
    "train_before": ("before", "train", "accuracy"),
    "test_before": ("before", "test", "accuracy"),
    "share": ("pruned", "share"),
    "train_after": ("pruned", "train", "accuracy"),
    "test_after": ("pruned", "test", "accuracy"),
}
COMPARED = ("train_before", "test_before", "share", "train_after", "test_after")
_SETTING = ("width", "depth", "parametrisation", "unit", "noise", "alpha", "sigma")


def rows(results):
    """The rows of the table.

    Parameters
    ----------
    results : list of dict, as `chaosnum.experiment.result` returns them

    Returns
    -------
    list of dict, one for each setting in the order of the results, ready for JSON
        The setting; `seeds` that have a result, `diverged` those that do not, `cap` those that ended before the target;
        for each of `MEASURES` {"mean", "sd"}; `tail` {"mean", "sd", "seeds"}; `difference` to no noise, None where
        there is none: {"seeds", measure: {"mean", "low", "high"}}. With one seed there is no sd, and no interval: None.
    """
    groups = {}
    for result in results:
        groups.setdefault(tuple(result[key] for key in _SETTING), []).append(result)
    bases = {setting[:4]: group for setting, group in groups.items() if setting[4] == "none"}
    return [_row(setting, group, bases.get(setting[:4])) for setting, group in groups.items()]


def _row(setting, group, base):
    good = [result for result in group if result["before"] is not None]
    tails = [result["tail"]["alpha"] for result in good if result["tail"] and result["tail"]["alpha"] is not None]
    row = {
        **dict(zip(_SETTING, setting)), "outside": group[0]["outside"], "seeds": [result["seed"] for result in good],
        "diverged": [result["seed"] for result in group if result["before"] is None],
        "cap": [result["seed"] for result in good if result["stopped"] == "cap"],
        **{name: spread([_value(result, path) for result in good]) for name, path in MEASURES.items()},
        "tail": {**spread(tails), "seeds": len(tails)}, "difference": None,
    }  # fmt: skip
    if row["noise"] != "none" and base:
        row["difference"] = _difference(good, base)
    return row


def _difference(group, base):
    without = {result["seed"]: result for result in base if result["before"] is not None}
    pairs = [(result, without[result["seed"]]) for result in group if result["seed"] in without]
    if not pairs:
        return None
    found = {"seeds": [result["seed"] for result, _ in pairs]}
    for name in COMPARED:
        found[name] = student([_value(a, MEASURES[name]) - _value(b, MEASURES[name]) for a, b in pairs])
    return found


def spread(values):
    """Mean and standard deviation -> {"mean", "sd"}, None where there are too few values."""
    n = len(values)
    if not n:
        return {"mean": None, "sd": None}
    mean = math.fsum(values) / n
    return {"mean": mean, "sd": math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)) if n > 1 else None}


def student(values, level=LEVEL):
    """Mean and Student's interval -> {"mean", "low", "high"}; one value has no interval."""
    found = spread(values)
    if found["sd"] is None:
        return {"mean": found["mean"], "low": None, "high": None}
    half = t_factor(len(values), level) * found["sd"] / math.sqrt(len(values))
    return {"mean": found["mean"], "low": found["mean"] - half, "high": found["mean"] + half}


def t_factor(n, level=LEVEL):
    """The quantile of Student's law with n - 1 degrees of freedom that an interval of this level takes."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + level) / 2))


def _value(result, path):
    for key in path:
        result = result[key]
    return result
