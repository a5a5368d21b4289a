"""Rates, and points beside an explicit bound: the verdicts of :mod:`chaosnum.predict`.

Definition. The *excess* of a measured exponent is its distance from the claimed one in the
unfavourable direction: upwards where the asymptotic end is large (an error ~ n^-0.5), downwards
where it is small (an error ~ eta^(1/alpha)). With a margin d on the exponent (by default 0.03) the
rule is

* ``violated``: the family-wise interval of the excess lies wholly above d (for an exact rate also
  below -d), or the family-wise lower end of some point lies above its explicit bound. Where
  curvature towards the claim is flagged, the end slope's family-wise interval must lie beyond as
  well;
* ``holds``: the 95% interval's unfavourable end is at most d (both ends, if exact), no floor and no
  curvature in the unfavourable direction is flagged, and the 95% interval of every point lies below
  its explicit bound. Then ``sharp`` is true if the interval lies within -+ d and the curve does
  not bend, false if it lies below -d, else null;
* ``inconclusive`` otherwise; the reason says what would settle it. So is an explicit bound that is
  claimed alone and says nothing: nowhere below the trivial one (or infinite), or above zeros alone.

False alarms. The family-wise level of a run with V verdicts is 1 - 0.001 / V. A claim that is true
with an excess of exactly d would be called violated with probability at most 0.0005 / V by its
exponent and as much by its bound, so a whole run raises a false alarm with probability at most
0.001 (0.0015 with exact rates). A claim that is sharp (excess 0) is far from that edge. A sharp
claim without a floor stays inconclusive, by a false flag, in about 1% of the runs however many
replicas it gets.

What goes wrong: over a finite range a floor well below the margin, or a curve still on its way,
looks like another power law. The verdict speaks of the range measured. See :mod:`chaosnum.rates`
for the flags.
"""

import math
from typing import NamedTuple

from chaosnum import need
from chaosnum.rule import VERDICTS, Judgement, given, more_replicas, point, value


class _Finding(NamedTuple):
    verdict: str
    reason: str = ""
    sharp: bool | None = None
    needs: float | None = None  # times the replicas
    alone: bool = False  # it tends to a violation, which decides alone


def judge_rate(prediction, evidence, *, last=None):
    """Judge a prediction with exponent, margin, statistic, tail, bound and trivial.

    Parameters
    ----------
    prediction : PowerLaw or ExplicitBound
    evidence : Evidence
    last : int, optional
        Judge the slope through the last scales before the asymptotic end only.

    Returns
    -------
    Judgement
    """
    claimed = prediction.claimed(evidence.params) | ({} if last is None else {"last": last})
    if claimed["exponent"] is not None and evidence.asymptotic == ("small" if claimed["exponent"] <= 0 else "large"):
        claimed["asymptotic"] = evidence.asymptotic  # the sign of the exponent suggests the other end
    bounds = _bounds(prediction.bound, evidence)
    trivial = _bounds(prediction.trivial, evidence)
    floors = _bounds(prediction.floor, evidence)
    margin = value(prediction.margin, evidence.params)
    whole = _fit(prediction, evidence)
    line = whole if last is None else _fit(prediction, evidence, last)

    above = trivial or [math.inf] * len(whole.scales)
    empty = [s for s, b, t in zip(whole.scales, bounds or (), above) if b >= t]
    vacuous = len(empty) == len(whole.scales)
    below = _against_bound(whole, bounds, evidence, prediction.statistic)
    along = _against_line(line, claimed, margin, evidence)
    found = [along, below, _against_floor(whole, floors, evidence.scale)]
    if claimed["exponent"] is None:
        if vacuous:
            found.append(_Finding("inconclusive", "nothing but the explicit bound is claimed"))
        if "heavy" in whole.flags:
            found.append(_Finding("inconclusive", _unusable(whole, evidence.scale)))
        if not any(whole.estimate > 0):
            found.append(_Finding("inconclusive", "vacuous: nothing but 0 was measured"))
    verdict = min((f.verdict for f in found), key=VERDICTS.index)
    reasons = [f.reason for f in found if f.verdict == verdict and f.reason]
    if empty:
        at = f"every {evidence.scale}" if vacuous else f"{evidence.scale} = " + ", ".join(f"{s:g}" for s in empty)
        reasons.append(f"the explicit bound is vacuous at {at}")
    return Judgement(
        verdict,
        sharp=along.sharp if verdict == "holds" else None,
        reason="; ".join(reasons),
        claimed=claimed,
        measured={"exponent": line.exponent, "ci": line.ci, "local": whole.local},
        bound=_beside(whole, bounds, vacuous),
        points=[
            point(*row)
            for row in zip(
                sorted(evidence.scales), whole.estimate, whole.lo, whole.hi,
                bounds or [None] * len(whole.scales), whole.replicas,
            )
        ],
        fit=whole,
        needs=need.together((f.needs, f.alone) for f in found if f.verdict == verdict == "inconclusive"),
    )  # fmt: skip


def _against_bound(fit, bounds, evidence, statistic):
    """The points against their explicit bounds."""
    if not bounds:
        return _Finding("holds")
    rows = list(zip(fit.scales, fit.estimate, fit.lowest, fit.lo, fit.hi, bounds))
    for s, m, lowest, _, _, b in rows:
        if lowest > b:
            at = f"at {evidence.scale} = {s:g} the estimate {m:.3g} (at least {lowest:.3g})"
            return _Finding("violated", f"{at} is above its bound {b:.3g}")
    for s, _, _, lo, hi, b in rows:
        if not hi <= b:
            at = f"at {evidence.scale} = {s:g} the interval [{lo:.3g}, {hi:.3g}] reaches above its bound"
            needs = need.together(_below_bound(fit, bounds, evidence, statistic))
            return _Finding("inconclusive", f"{at} {b:.3g}: more replicas there", needs=needs)
    return _Finding("holds", "every point lies below its explicit bound")


def _below_bound(fit, bounds, evidence, statistic):
    """What each point needs that reaches above its bound, and whether it tends to lie above."""
    for m, lowest, hi, b, replicas in zip(fit.estimate, fit.lowest, fit.hi, bounds, fit.replicas):
        if hi <= b:
            continue
        if m > b:
            yield need.times(m - lowest, m - b), True
        elif hi == math.inf and statistic == "median":
            from chaosnum.intervals import least_replicas

            yield need.too_few(least_replicas(statistic, evidence.level), replicas), False
        else:  # in logarithms, where a mean's interval is symmetric
            yield need.times(math.log(hi / m), math.log(b / m)), False


def _against_line(fit, claimed, margin, evidence):
    """The exponent against the claimed one."""
    exponent, exact = claimed["exponent"], claimed["sense"] == "exact"
    if exponent is None:
        return _Finding("holds")
    unusable = _unusable(fit, evidence.scale)
    if unusable:
        return _Finding("inconclusive", unusable, needs=_resolving(fit))
    side = 1 if evidence.asymptotic == "large" else -1
    low, high = _excess(fit.ci, exponent, side)
    lowest, highest = _excess(fit.wide, exponent, side)
    end_lowest, end_highest = _excess(fit.end_wide, exponent, side)
    bend = fit.curvature[0] if "curvature" in fit.flags else 0.0  # positive: the excess grows
    found = f"exponent {fit.exponent:.3f} [{fit.ci[0]:.3f}, {fit.ci[1]:.3f}]"
    goal = f"the claimed {exponent:.3g}"

    above = lowest > margin and (bend >= 0 or end_lowest > margin)
    below = exact and highest < -margin and (bend <= 0 or end_highest < -margin)
    if above or below:
        wide = f"family-wise [{fit.wide[0]:.3f}, {fit.wide[1]:.3f}]"
        return _Finding("violated", f"{found}, {wide}, is off {goal} by more than {margin:.3g}")
    local = fit.local if side == 1 else fit.local[::-1]
    drift = f"local slopes {local[0]:.2f} to {local[-1]:.2f}"
    if "floor" in fit.flags:
        why = "on a floor, or short of its asymptote: lower the floor or widen the range"
        return _Finding("inconclusive", f"{found}, but the curve flattens at its end ({drift}): {why}")
    if bend > 0 or (bend < 0 and (exact or lowest > margin)):
        why = f"{'larger' if side == 1 else 'smaller'} {evidence.scale} would settle it"
        return _Finding("inconclusive", f"{found}, but the curve bends ({drift}): {why}")
    if high > margin or (exact and low < -margin):
        middle = side * (fit.exponent - exponent)
        spare = margin - (abs(middle) if exact else middle)
        half = (high - low) / 2 if spare > 0 else (highest - lowest) / 2
        why = more_replicas(half, spare)
        found = f"{found} reaches across the edge of {goal} +- {margin:.3g}: {why}"
        return _Finding("inconclusive", found, needs=need.times(half, spare), alone=spare <= 0)
    if high < -margin:
        return _Finding("holds", f"{found} is better than {goal}, which is true and not sharp", False)
    if bend < 0:  # still on its way, in the favourable direction
        return _Finding("holds", f"{found} is no worse than {goal}, and the curve still bends ({drift})")
    if low >= -margin:
        return _Finding("holds", f"{found} is within {margin:.3g} of {goal}", True)
    return _Finding("holds", f"{found} is no worse than {goal}; sharp or not is open")


def _against_floor(fit, floors, scale):
    """The error of the reference against a tenth of what is measured with it."""
    if not floors:
        return _Finding("holds")
    share, s = max((f / m if m > 0 else math.inf, s) for f, m, s in zip(floors, fit.estimate, fit.scales))
    found = f"the reference's error is {100 * share:.2g} % of the estimate at {scale} = {s:g}"
    if share > 0.1:
        return _Finding("inconclusive", f"{found}: a larger reference would settle it")
    return _Finding("holds", found)


def _unusable(fit, scale):
    """Why there is no exponent to speak of, or None."""
    if "heavy" in fit.flags:
        return "replicas of infinite variance: their mean has no valid interval, judge the median"
    if "sign" in fit.flags:
        worst = max(zip(fit.se, fit.scales))[1]
        lost = f"estimates differ in sign or are lost in noise, most so at {scale} = {worst:g}"
        return f"{lost}: more replicas there, or fewer decades"
    return None


def _resolving(fit):
    """Times the replicas until no estimate is lost in noise, or None."""
    from chaosnum.rates import RESOLVED

    lost = RESOLVED * float(max(fit.se))
    return None if "heavy" in fit.flags or not 1 < lost < math.inf else need.times(lost, 1.0)


def _excess(ends, exponent, side):
    """Ends of an interval of the exponent, as excess over the claimed one."""
    return sorted(side * (end - exponent) for end in ends)


def _fit(prediction, evidence, last=None):
    from chaosnum.rates import fit_power_law

    rows = sorted(zip(evidence.scales, evidence.samples), key=lambda row: row[0])
    if last is not None:
        rows = rows[-last:] if evidence.asymptotic == "large" else rows[:last]
    tail = None if prediction.tail is None else value(prediction.tail, evidence.params)
    return fit_power_law(
        *zip(*rows), statistic=prediction.statistic, level=evidence.level, family=evidence.family, tail=tail,
        margin=value(prediction.margin, evidence.params), asymptotic=evidence.asymptotic,
    )  # fmt: skip


def _bounds(function, evidence):
    """Values of a bound at the scales in ascending order, or None."""
    if function is None:
        return None
    bound, found = given(function, evidence.params), []
    for s in sorted(evidence.scales):
        found.append(float(bound(s)))
        if not found[-1] >= 0:
            at = f"bound at {evidence.scale} = {s:g}"
            raise ValueError(f"{at} must be a number >= 0, got {found[-1]!r}")
    return found


def _beside(fit, bounds, vacuous):
    """The explicit bound in the JSON."""
    if not bounds:
        return None
    slack = min(b / m if m > 0 else math.inf for b, m in zip(bounds, fit.estimate))
    holds = all(m <= b for m, b in zip(fit.estimate, bounds))
    return {"holds": holds, "slack": slack, **({"vacuous": True} if vacuous else {})}
