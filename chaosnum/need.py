"""What an inconclusive verdict still needs, as a factor of replicas, in numbers and in words.

Definition. Let d be the distance from the estimate to the edge of the decision, and h the half-width, on that side, of
the interval that is to clear it: the one that decides ``holds`` where the estimate lies inside, the family-wise one
where it lies outside. Widths shrink with the root of the replicas, so (h / d)^2 times as many would do if the estimate
stayed where it is. It moves, so that at just this factor the chances are even. 1.2 times as many are asked for, with
which a little more than half of the verdicts are settled, and with twice that about three in four.

What goes wrong: d is as uncertain as the estimate. Where it is less than a standard error, the factor says little but
that the edge is near: :func:`chaosnum.looks.likely` has what to expect then.

This file needs the standard library alone.
"""

import math

from chaosnum.words import duration, number

SAFETY = 1.2
MOST = 1000  # times the replicas: beyond, a verdict is called too close
NEAREST = 1e3  # half-widths over distances count as this at most


def times(half, spare):
    """Factor of replicas that brings an interval's half-width below the room that is left -> float, or None.

    At least 1.2 and at most 1.2e6; None where there is no interval to begin with.
    """
    ratio = abs(half / spare) if spare else math.inf
    if math.isnan(ratio) or math.isinf(half):
        return None
    ratio = min(ratio, NEAREST)
    return float(max(SAFETY * ratio * ratio, SAFETY))


def doubted(alarm, chance, factor):
    """The same where `chance`, a bound factor * exp(-q R) of a p-value at R replicas, is to fall to an alarm's."""
    return float(max(SAFETY * math.log(factor / alarm) / math.log(factor / chance), SAFETY))


def too_few(least, replicas):
    """The same where an interval needs so many replicas to have two ends at all."""
    return max(SAFETY, SAFETY * least / replicas)


def of_point(row, wide, band, edges, few):
    """What an interval needs to lie in a band, or outside of its edges, whichever it tends to.

    Parameters
    ----------
    row : estimate, low and high end of the interval that is to lie in the band
    wide : the ends of the one that is to lie outside of the edges
    band, edges : (float, float), infinite where there is no end
    few : what each of the two intervals needs where it has no ends

    Returns
    -------
    float or None, bool
        As :func:`together` takes them.
    """
    estimate, low, high = row
    if not band[0] <= estimate <= band[1]:
        return (outwards(row, wide, edges) if all(map(math.isfinite, wide)) else few[1]), True
    if not (math.isfinite(low) and math.isfinite(high)):
        return few[0], False
    return max(times(estimate - low, estimate - band[0]), times(high - estimate, band[1] - estimate)), False


def outwards(row, wide, edges):
    """What the wide interval needs to lie beyond the edge that the estimate is beyond."""
    if row[0] > edges[1]:
        return times(row[0] - wide[0], row[0] - edges[1])
    return times(wide[1] - row[0], edges[0] - row[0])


def together(wanted):
    """What a verdict needs that depends on several findings -> float, or None where no replicas settle it.

    Parameters
    ----------
    wanted : iterable of (float or None, bool)
        For each unsettled finding its factor, and whether it tends to a violation, which decides alone.
    """
    found = [(math.inf if factor is None else factor, alone) for factor, alone in wanted]
    if not found:
        return None
    factor = min(max(factor for factor, _ in found), *(factor for factor, alone in found if alone), math.inf)
    return factor if factor < math.inf else None


def in_words(needs, seconds=None):
    """``needs about 5 times the replicas, some 12 min``; `seconds` is what the replicas so far have taken."""
    if needs is None:
        return "more replicas would not settle it"
    if needs > MOST:
        return "too close to the edge to say how many replicas it needs"
    found = f"needs about {number(needs, 2)} times the replicas"
    return found if seconds is None else f"{found}, some {duration(max((needs - 1) * seconds, 1.0))}"
