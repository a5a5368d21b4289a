"""A crossing inside a predicted interval of scales: the verdict of :class:`chaosnum.predict_curve.Threshold`.

Definition. The claim: the statistic lies below the level at every scale up to `low`, and above it at every scale from
`high` on (the other way round if it falls). Each point has two intervals (:mod:`chaosnum.intervals`): at 95%, and at
the family-wise level shared over the J judged points, those outside (low, high).

* ``violated``: at some judged point the family-wise interval lies wholly on the wrong side of the level;
* ``holds``: at every judged point the 95% interval lies on the right side, and there is one on each side;
* ``inconclusive`` otherwise.

False alarms: at most 1 - family in all, as in :mod:`chaosnum.judge_curve`. The crossing that is reported is where the
straight line between two neighbouring estimates, against the logarithm of the scale, first meets the level; the verdict
does not use it, and it may lie outside of the interval where no scale is near an end.

What goes wrong: scales so far from the interval that any system passes. Take some at its very ends.
"""

import math

from chaosnum import need
from chaosnum.judge_curve import least_factors
from chaosnum.rule import Judgement, point, value


def judge_threshold(prediction, evidence):
    """Judge a prediction with low, high, level, rising and statistic.

    Parameters
    ----------
    prediction : Threshold
    evidence : Evidence

    Returns
    -------
    Judgement
        Its measured "crossing" is a scale or None, "bracket" the last scale surely before it (95%) and the first one
        surely after; its points have "level".
    """
    import numpy as np

    from chaosnum.check import finite_array, in_range
    from chaosnum.intervals import interval
    from chaosnum.rates import _infinite_variance, _normality

    params, statistic = evidence.params, prediction.statistic
    low, high, level = (value(end, params) for end in (prediction.low, prediction.high, prediction.level))
    if not low < high:
        raise ValueError(f"low must be below high, got [{low!r}, {high!r}]")
    in_range("level", level, -math.inf, math.inf, open_high=True)
    order = np.argsort(evidence.scales)
    scales = [evidence.scales[j] for j in order]
    samples = [finite_array("samples", evidence.samples[j], ndim=1) for j in order]
    sides = [-1 if s <= low else 1 if s >= high else 0 for s in scales]
    judged = sum(map(abs, sides))
    shared = 1 - (1 - evidence.family) / max(judged, 1)

    sign = 1 if prediction.rising else -1
    options = {"trials": value(prediction.trials, params)}
    if statistic == "mean":
        options["normality"] = _normality(samples)

    def at_level(x, side, confidence):
        if statistic == "every":  # the replica that is farthest on the wrong side
            return (float(x.min() if side * sign > 0 else x.max()),) * 3
        return interval(x, statistic, confidence, **options)

    rows = [at_level(x, side, evidence.level) for x, side in zip(samples, sides)]
    wide = [at_level(x, side, shared)[1:] for x, side in zip(samples, sides)]
    needs = None
    heavy = statistic == "mean" and _infinite_variance(samples)
    relation = {1: "above", -1: "below"}

    def where(j, side):  # in words; the side is that of a rising statistic
        side *= sign
        at = f"at {evidence.scale} = {scales[j]:.4g} {rows[j][0]:.3g} [{rows[j][1]:.3g}, {rows[j][2]:.3g}]"
        return f"{at} should be {relation[side]} {level:.3g}"

    wrong = [j for j, side in enumerate(sides) if side and _beyond(wide[j], level) == -side * sign]
    unsure = [j for j, side in enumerate(sides) if side and _beyond(rows[j], level, 1) != side * sign]
    crossing = _crossing(scales, [row[0] for row in rows], level)
    found = "no crossing" if crossing is None else f"crosses {level:.3g} at {evidence.scale} = {crossing:.4g}"
    claimed = f"[{low:.4g}, {high:.4g}]"
    if heavy:
        verdict = "inconclusive"
        reason = "replicas of infinite variance: their mean has no valid interval, judge the median"
    elif wrong:
        verdict, reason = "violated", f"{where(wrong[0], sides[wrong[0]])}; {found}, not in {claimed}"
    elif {-1, 1} - set(sides):
        verdict, reason = "inconclusive", f"scales on both sides of {claimed} are needed; {found}"
    elif unsure:
        verdict, reason = "inconclusive", f"{where(unsure[0], sides[unsure[0]])}: more replicas there"
        right = {1: (level, math.inf), -1: (-math.inf, level)}  # where the statistic should be
        goals = [right[side * sign] if side else None for side in sides]
        levels = evidence.level, shared
        needs = None if statistic == "every" else need.together(  # no number of replicas moves one off the level
            need.of_point(rows[j], wide[j], goals[j], goals[j], least_factors(statistic, samples[j], levels))
            for j in unsure
        )
    else:
        inside = "in" if low <= crossing <= high else "and no scale shows it outside of"
        verdict, reason = "holds", f"{found}, {inside} {claimed}"
    sure = [_beyond(row, level, 1) * sign for row in rows]
    before = [s for s, side in zip(scales, sure) if side == -1]
    after = [s for s, side in zip(scales, sure) if side == 1]
    measured = {"exponent": None, "ci": None, "local": [], "crossing": crossing}
    measured["bracket"] = [max(before) if before else None, min(after) if after else None]
    points = [point(s, *row, None, len(x)) | {"level": level} for s, row, x in zip(scales, rows, samples)]
    return Judgement(verdict, None, reason, prediction.claimed(params), measured, None, points, rows, needs)


def _beyond(ends, level, first=0):
    """1 if the interval lies above the level, -1 if below, 0 if it holds the level."""
    low, high = ends[first], ends[-1]
    return 1 if low > level else -1 if high < level else 0


def _crossing(scales, estimates, level):
    """Where the estimates first cross the level, linear in log(scale) -> float or None."""
    for (s, a), (t, b) in zip(zip(scales, estimates), zip(scales[1:], estimates[1:])):
        if (a - level) * (b - level) <= 0 and a != b:
            return float(math.exp(math.log(s) + (level - a) / (b - a) * math.log(t / s)))
    return None
