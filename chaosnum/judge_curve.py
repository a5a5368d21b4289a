"""Points against a predicted curve, value, band or bound: the verdicts of :mod:`chaosnum.predict_curve`.

Definition. The claim: at every judged scale s the statistic lies in the band [low(s), high(s)]. The
band is a rigorous one where it is given, else curve(s) widened by the tolerance. Every point has
two intervals (:mod:`chaosnum.intervals`): one at 95%, and one at the family-wise level shared over
the J judged points, 1 - (1 - family) / J.

* ``violated``: at some judged point the family-wise interval lies wholly outside the band;
* ``holds``: at every judged point the 95% interval lies inside the band;
* ``inconclusive`` otherwise, where the replicas behind a mean have infinite variance, and where the
  band is vacuous at every judged scale: without an end, or that of a frequency nearly all of [0, 1].

False alarms. If the statistic lies in the band at every scale, the family-wise interval of point j
can lie above the band only if its lower end is above the statistic, and below likewise: probability
at most (1 - family) / J, so at most 1 - family in all, and half of it where the truth is at one
edge of the band. This is exact for medians, quantiles and frequencies. For means it is as good as
Student's interval: with 16 exponential replicas an end errs three times as often as it says.

An exact value (`rounding` given, with a curve) allows no error of the prediction: ``violated`` where a family-wise
interval excludes the value itself, ``inconclusive`` where the interval at 99.73% (three standard errors), shared over
the points, excludes it, else as above. "every" looks at single replicas: the one farthest out is the point, and its own
interval.

What goes wrong: a band wider than what one would call a violation; and a curve judged at scales
where its second-order terms are larger than the tolerance.
"""

import math

from chaosnum import need
from chaosnum.rule import Judgement, given, more_replicas, point, value

THREE_ERRORS = 0.9973  # level of the interval of three standard errors
VACUOUS = 0.9  # a band of a frequency that is as wide as this says nothing


def judge_curve(prediction, evidence, *, statistic=None, rounding=None):
    """Judge a prediction with curve, lower, upper, margin, absolute, statistic, trials and last.

    Parameters
    ----------
    prediction : LimitCurve
    evidence : Evidence
    statistic : str or float, optional
        In place of the prediction's; also "every".
    rounding : float, optional
        The curve is exact up to this, relative; a band is widened by it.

    Returns
    -------
    Judgement
        Its points also have "predicted" (None without a curve), "lower" and "upper", the band. Its measured "at",
        "estimate", "estimate_ci", and "ratio" and "ratio_ci" relative to the curve, are those of the judged point
        that is closest to the band's edge, or farthest outside.
    """
    import numpy as np

    from chaosnum.check import finite_array
    from chaosnum.intervals import interval
    from chaosnum.rates import _infinite_variance, _normality

    params, statistic = evidence.params, prediction.statistic if statistic is None else statistic
    order = np.argsort(evidence.scales)
    scales = [evidence.scales[j] for j in order]
    samples = [finite_array("samples", evidence.samples[j], ndim=1) for j in order]
    predicted, bands = _bands(prediction, scales, params)
    stated = bands
    edges = [_edges(c, band, rounding, prediction.absolute) for c, band in zip(predicted, bands)]
    if prediction.curve is None or statistic == "every":
        bands = edges
    count = len(scales) if prediction.last is None else min(prediction.last, len(scales))
    judged = range(len(scales) - count, len(scales)) if evidence.asymptotic != "small" else range(count)
    shared = 1 - (1 - evidence.family) / count
    options = {"trials": value(prediction.trials, params)}
    if statistic == "mean":
        options["normality"] = _normality(samples)
    exact = rounding is not None and prediction.curve is not None

    def at_level(level):
        if statistic == "every":
            return [(farthest(x, edge),) * 3 for x, edge in zip(samples, edges)]
        return [interval(x, statistic, level, **options) for x in samples]

    rows = at_level(evidence.level)
    wide = [row[1:] for row in at_level(shared)]
    usual = [row[1:] for row in at_level(1 - (1 - THREE_ERRORS) / count)] if exact else wide

    heavy = statistic == "mean" and _infinite_variance(samples)
    found = [(_excess(rows[j], bands[j]), j) for j in judged]
    worst = max(found)[1]
    at = f"at {evidence.scale} = {scales[worst]:g}"
    open_points, goals = (), bands
    words = f"{_number(rows[worst])} against {_band_words(predicted[worst], bands[worst])}"
    if all(_is_vacuous(bands[j], statistic) for j in judged):
        verdict, reason = "inconclusive", f"the band is vacuous: {_ends(bands[worst])} {at}"
    elif heavy:
        verdict = "inconclusive"
        reason = "replicas of infinite variance: their mean has no valid interval, judge the median"
    elif outside := [j for _, j in sorted(found, reverse=True) if _outside(wide[j], edges[j])]:
        j = outside[0]
        verdict = "violated"
        level = "" if wide[j][0] == wide[j][1] else f", family-wise {_ends(wide[j])}"
        against = _band_words(predicted[j], edges[j]) if not exact else f"exactly {predicted[j]:.6g}"
        reason = f"at {evidence.scale} = {scales[j]:g} {_number(rows[j])}{level}, against {against}"
    elif doubtful := [j for j in judged if _outside(usual[j], edges[j])]:
        j = doubtful[0]
        verdict = "inconclusive"
        reason = f"at {evidence.scale} = {scales[j]:g} {_number(rows[j])} against exactly {predicted[j]:.6g}: "
        reason += "more than three standard errors off, more replicas would settle it"
        open_points, goals = doubtful, edges
    elif all(bands[j][0] <= rows[j][1] and rows[j][2] <= bands[j][1] for j in judged):
        verdict, reason = "holds", f"closest to the edge {at}: {words}"
    else:
        remedy = _remedy(rows[worst], wide[worst], bands[worst], statistic, len(samples[worst]), evidence.level)
        open_points = [j for j in judged if not (bands[j][0] <= rows[j][1] and rows[j][2] <= bands[j][1])]
        verdict, reason = "inconclusive", f"{at} {words}: {remedy}"

    levels = evidence.level, shared
    needs = need.together(
        need.of_point(rows[j], wide[j], goals[j], edges[j], least_factors(statistic, samples[j], levels))
        for j in open_points
    )
    estimate, *ends = rows[worst]
    measured = {"exponent": None, "ci": None, "local": [], "at": scales[worst], "estimate": estimate}
    measured |= {"estimate_ci": ends}
    if (c := predicted[worst]) and not prediction.absolute:
        measured |= {"ratio": estimate / c, "ratio_ci": sorted(end / c for end in ends)}
    points = [
        point(s, *row, None, len(x)) | {"predicted": c, "lower": low, "upper": high}
        for s, row, x, c, (low, high) in zip(scales, rows, samples, predicted, stated)
    ]
    return Judgement(verdict, None, reason, prediction.claimed(params), measured, None, points, rows, needs)


def least_factors(statistic, x, levels):
    """Times the replicas until the intervals at these levels have two ends; None where that is not known."""
    from chaosnum.intervals import least_replicas

    if statistic == "frequency" or (statistic == "mean" and not x.any()):
        return [None] * len(levels)
    order = "median" if statistic == "mean" else statistic  # of replicas that are all equal
    return [need.too_few(least_replicas(order, level), len(x)) for level in levels]


def _bands(prediction, scales, params):
    """The curve's values (or None) and the band at each scale."""
    margin = value(prediction.margin, params)
    curve, lower, upper = (
        None if f is None else given(f if callable(f) else lambda scale, f=f: f, params)
        for f in (prediction.curve, prediction.lower, prediction.upper)
    )
    predicted, bands = [], []
    for s in scales:
        c = None if curve is None else float(curve(s))
        room = 0.0 if c is None else margin * (1.0 if prediction.absolute else abs(c))
        low = float(lower(s)) if lower else -math.inf if c is None else c - room
        high = float(upper(s)) if upper else math.inf if c is None else c + room
        if not low <= high or (c is not None and not math.isfinite(c)):
            raise ValueError(f"the band at scale {s:g} must be an interval around a number, got [{low:g}, {high:g}]")
        predicted.append(c)
        bands.append((low, high))
    return predicted, bands


def _edges(predicted, band, rounding, absolute):
    """What a family-wise interval must not lie outside of: the band, or around an exact value its rounding alone."""
    if rounding is None:
        return band
    if predicted is not None:
        room = rounding * (1.0 if absolute else abs(predicted))
        return predicted - room, predicted + room
    return tuple(end if math.isinf(end) else end + side * rounding * abs(end) for end, side in zip(band, (-1, 1)))


def farthest(x, edges):
    """Of the replicas the one that is farthest outside of the edges, or nearest to one of them -> float."""
    beyond = [max(edges[0] - v, v - edges[1]) for v in x.tolist()]
    return float(x[beyond.index(max(beyond))])


def _excess(row, band):
    """How far the interval reaches out of the band, in units of the band's or interval's size."""
    _, lo, hi = row
    if band == (-math.inf, math.inf):
        return -math.inf
    reach = max(band[0] - lo, hi - band[1])
    size = band[1] - band[0] if math.isfinite(band[1] - band[0]) else abs(band[0] if math.isinf(band[1]) else band[1])
    return reach / (size or 1.0)


def _is_vacuous(band, statistic):
    """Whether nearly everything lies in the band."""
    if statistic == "frequency":
        return min(band[1], 1.0) - max(band[0], 0.0) >= VACUOUS
    return band == (-math.inf, math.inf)


def _outside(ends, band):
    return ends[0] > band[1] or ends[1] < band[0]


def _remedy(row, wide, band, statistic, replicas, level):
    """What would settle it."""
    from chaosnum.intervals import least_replicas

    estimate, lo, hi = row
    if not (math.isfinite(lo) and math.isfinite(hi)):
        if statistic == "mean":
            return "no replica differs from 0"
        return f"{replicas} replicas are too few for an interval, {least_replicas(statistic, level)} at least"
    spare = min(estimate - band[0], band[1] - estimate)
    if spare < 0:  # outside: until the family-wise interval is
        return more_replicas(max(estimate - wide[0], wide[1] - estimate), spare)
    return more_replicas(max(estimate - lo, hi - estimate), spare)


def _number(row):
    return f"{row[0]:.3g} {_ends(row[1:])}" if row[1] < row[2] else f"{row[0]:.6g}"


def _ends(ends):
    return f"[{ends[0]:.3g}, {ends[1]:.3g}]"


def _band_words(predicted, band):
    if math.isinf(band[0]):
        words = f"at most {band[1]:.3g}"
    elif math.isinf(band[1]):
        words = f"at least {band[0]:.3g}"
    else:
        words = _ends(band)
    return words if predicted is None else f"{predicted:.3g} in {words}" if words[0] == "[" else words
