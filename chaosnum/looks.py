r"""Looking at the evidence more than once: levels that stay valid, replicas of the next look, which case is next.

Definition. A *look* is a case judged on all replicas that it has: at look 1 on those of its budget, at look k on
2^(k-1) times as many at every scale. Replica r at a scale has the same seed at every look, so a look contains those
before it. A look spends the share 1 / (k (k + 1)) of every error that a single look would be allowed,

    level(k) = 1 - 0.05 / (k (k + 1)),      family(k) = 1 - (0.001 / V) / (k (k + 1))       of V verdicts in all.

Derivation. The shares add up to 1 over k = 1, 2, ... An interval of look k misses its target with probability at most
1 - level(k), so by the union bound the intervals of all looks cover at once with probability 95 %, and the family-wise
ones of all looks and verdicts with probability 0.999. On that event it does not matter which looks are taken, in what
order, and what is seen before one stops: the interval at the last look covers whatever the rule, and a single look's
guarantees stand. A claim that is false by ever so little holds, at any of the looks, with probability at most 0.025;
a run in which every claim is true calls one violated with probability at most 0.001. So the interval that is shown is
a 95 % interval, although its nominal level is a higher one. At 95 % for each look neither would be true: six looks at
a claim on the edge, stopped when it holds, let it hold in 10 % of the runs and not in 2.5 %.

Only the level of the intervals needs this. The flags of curvature, floor and heavy tails, the doubt of three standard
errors and the p-values below 0.01 of a law (:mod:`chaosnum.rates`, :mod:`chaosnum.judge_curve`, LimitLaw) can turn
``holds`` or ``violated`` into ``inconclusive`` and nothing else. At a constant level, with more replicas at every look,
each look is guarded at least as well as the one before; spending there would weaken the guard.

The price. The first look's 95 % interval is 1.14 times as wide as that of a run that looks once (1.3 times the
replicas), the sixth 1.65 times, the family-wise ones 1.03 and 1.17 times with a hundred verdicts: the root of the
logarithm of the share. Group-sequential designs (Lan and DeMets 1983, Biometrika 70; Jennison and Turnbull 2000) use
how looks depend on each other, need normal statistics, and gain little when replicas double: the union bound spends
0.0214 of 0.025 over six looks, and such a claim holds with probability 0.018. Confidence sequences (Howard, Ramdas,
McAuliffe and Sekhon 2021, Ann. Stat. 49) are valid at every number of replicas; theirs by stitching is this union bound
over doubling epochs, with a wider interval in between, where nobody looks. And the union bound takes any interval:
Student's, the sign test's, Clopper and Pearson's.

Replicas. They are doubled at every scale, whatever was measured there. So the number behind each estimate is a constant
of its look, and nothing needs correcting; the verdict at look k is a function of seed and k on any machine. Weights
towards cheap scales and the ends of the range, R_j ~ |x_j - mean x| s_j / sqrt(c_j), would narrow an exponent as far at
0.63 of the cost (median of 13 rates that come with the package, c_j the seconds a cell takes); but they leave the
middle, and with it the tests of curvature and floor, as blunt as at look 1. With these sharpened as doubling does, the
best is 0.92 of its cost. Costs are measured besides: a cell may take long because its value is large. Then a number of
new replicas made from the times of the old ones leans towards some values, by a share rho cv_c cv_x / (8 R) of a mean
(correlation and coefficients of variation of times and values): little, but no longer nothing.

A look for which time is too short is not judged on the replicas that there are. Those finished by a deadline are the
quick ones; even the longest unbroken run of them is cut where a slow cell comes, which leans as above; and the verdict
would depend on the machine.

What goes wrong: the union bound adds up what the intervals promise. One of a mean that errs three times as often as
it says, with few and skewed replicas, does so here, and further out in the tail; more replicas mend it.

This file needs the standard library alone.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from chaosnum.need import SAFETY
from chaosnum.rule import FALSE_ALARM, LEVEL

GROWTH = 2  # times the replicas from a look to the next
MOST_LOOKS = 30  # no factor that is expected takes as many


def share(look):
    """Of the error that a single look is allowed, what this one may spend; over all looks 1."""
    return 1 / (look * (look + 1))


def level(look, once=LEVEL):
    """Level of the intervals that decide ``holds`` at a look, valid at whichever look one stops."""
    return 1 - (1 - once) * share(look)


def family(look, verdicts, alarm=FALSE_ALARM):
    """Family-wise level at a look, of so many verdicts in the whole run."""
    return 1 - alarm / verdicts * share(look)


def allocate(replicas, look):
    """Replicas at each scale at a look, from those at look 1 -> tuple of int."""
    return tuple(count * GROWTH ** (look - 1) for count in replicas)


def likely(needs, z):
    """Factor of replicas to expect, from the one that a verdict's estimate says it needs.

    An estimate lies t = d / (standard error) from the edge, and its interval's half-width is z standard errors. The
    true distance is then N(t, 1), and the median of its magnitude m takes the place of t: as good as t from 2 on, but
    0.67 and not 0 where the estimate lies on the edge. So no more than (z / 0.67)^2 is expected, however near it is.
    """
    t = z * math.sqrt(SAFETY / needs)
    phi = NormalDist().cdf
    low, high = 0.0, t + 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if phi(middle - t) - phi(-middle - t) < 0.5 else (low, middle)
    return max(SAFETY * (z / high) ** 2, SAFETY)


def looks_to_settle(needs, look):
    """How many more looks a verdict is expected to take that needs this factor of replicas after look `look` -> int.

    Each has twice the replicas, and a higher level.
    """
    factor, z = likely(needs, _z(look)), _z(look)
    more = 1
    while GROWTH**more < factor * (_z(look + more) / z) ** 2 and more < MOST_LOOKS:
        more += 1
    return more


def seconds_to_settle(needs, look, seconds):
    """What those looks take, if the replicas so far took `seconds`; infinite where `needs` is None."""
    return math.inf if needs is None else seconds * (GROWTH ** looks_to_settle(needs, look) - 1)


class Standing(NamedTuple):
    """A case between two looks: what names it, the looks so far, the seconds they took, and what its verdicts need.

    `needs` has an entry for each verdict of the case, None where it is settled or no number of replicas settles it.
    """

    case: object
    look: int
    seconds: float
    needs: tuple

    @property
    def next_seconds(self):
        """What the next look takes: as long as all so far."""
        return (GROWTH - 1) * self.seconds


def price(standing, left=math.inf):
    """Expected seconds for each verdict that is settled, with so many seconds left; infinite where none is.

    The first m of a case's verdicts, easiest first, share the looks that the m-th of them takes. The best m counts.
    """
    costs = sorted(seconds_to_settle(needs, standing.look, standing.seconds) for needs in standing.needs)
    return min((cost / m for m, cost in enumerate(costs, 1) if cost <= left), default=math.inf)


def order(standings, left=math.inf):
    """The cases to look at again, first the one whose verdicts are expected to cost least -> list.

    Shortest first settles most by any deadline where every case has one verdict and times are as expected (Smith 1956,
    Nav. Res. Logist. Q. 3); with more verdicts the cheapest ratio first, which is Smith's rule for weights. Left out
    are cases of which no verdict can be settled by replicas, or whose next look would take longer than `left`
    seconds; last come those that are expected to settle none in that time: they may, and their intervals narrow.
    """
    able = [s for s in standings if s.next_seconds <= left and price(s) < math.inf]
    return sorted(able, key=lambda s: (price(s, left), price(s)))


def _z(look):
    return NormalDist().inv_cdf((1 + level(look)) / 2)
