"""Effort within a time: which cases get more replicas, until all verdicts are settled or the time is over.

Every case of the plan is judged once, on the replicas of its budget. Then the case whose verdicts are expected to cost
least gets its next look, with twice the replicas (:mod:`chaosnum.looks`, which also has the levels that keep the
verdicts valid at whichever look one stops), and so on. What a look takes is told by the cells so far; where these came
from a ledger, one more at each scale is timed first, which the next look needs anyway. A case is through when its
verdicts are settled, or when no number of replicas is known to settle those that are left. What has not been judged at
a look when the time is over stands as it was judged at the look before.

Cells that are under way when the time is over are left to themselves: on threads they end before the process does.

What goes wrong: what is not through at the end depends on how fast the machine was. The verdict at a given look does
not: it is a function of the seed.
"""

from time import perf_counter

from chaosnum.cells import Agenda
from chaosnum.check import in_range
from chaosnum.looks import Standing, allocate, family, level, order
from chaosnum.rule import FALSE_ALARM

MOST_MINUTES = 525600.0  # a year
MOST_CELLS = 4_000_000  # of a case: a gigabyte


class Effort(Agenda):
    """Looks at the cases of a plan within a time.

    Parameters
    ----------
    cases : list of chaosnum.sweep.Case
    minutes : float, positive; None: one look at each case, however long it takes
    workers : int, how many cells run at once

    Raises
    ------
    ValueError
        The time is not positive.
    """

    def __init__(self, cases, minutes, workers):
        self.once = minutes is None
        self.first = [case.replicas for case in cases]  # at look 1
        self.looks = [1] * len(cases)
        self.scales = [len(case.scales) for case in cases]
        self.costs = {}  # of a case and scale: cells that were timed, and the seconds they took
        self.timed, self.timing = set(), set()  # cases of which a cell at each scale was, or is, run to time it
        self.judged = [None] * len(cases)  # by the last look
        self.under_way = {}  # index: seconds its look is expected to take
        self.verdicts = sum(len(case.claim.predictions(case.control)) for case in cases)
        self.workers = workers
        self.until = None if self.once else perf_counter() + 60.0 * in_range("minutes", minutes, 0.0, MOST_MINUTES)

    def levels(self, index):
        """The levels at which a case is to be judged now, as keywords of :meth:`chaosnum.claim.Claim.judge`."""
        if self.once:
            return {"family": 1 - FALSE_ALARM / self.verdicts}
        look = self.looks[index]
        return {"family": family(look, self.verdicts), "level": level(look)}

    def is_look(self, index):
        """Whether a case that is complete is to be judged: it may have been cells that were timed."""
        timing = index in self.timing
        self.timing.discard(index)
        if not timing:
            self.under_way.pop(index, None)
        return not timing

    def judge(self, index, verdicts):
        """Take note of the verdicts of a look -> whether they are the last ones of the case."""
        self.judged[index] = verdicts
        return self.once or all(verdict.needs is None for verdict in verdicts)

    def not_reached(self):
        """How many cases had not all their replicas at look 1 when the time was over."""
        return self.judged.count(None)

    def left_over(self):
        """The cases that were judged and are not through -> list of int."""
        return [i for i, verdicts in enumerate(self.judged) if verdicts and any(v.needs is not None for v in verdicts)]

    def next(self):
        """The next look: (index of its case, replicas by scale), or None."""
        if self.once:
            return None
        left = self.seconds_left() * self.workers - sum(self.under_way.values())
        idle = [index for index in self.left_over() if index not in self.under_way and index not in self.timing]
        for index in idle:
            if self.seconds(index) is None and index not in self.timed:
                self.timing.add(index), self.timed.add(index)
                return index, tuple(count + 1 for count in self._replicas(index))
        standings = [
            Standing(index, self.looks[index], self.seconds(index) or 0.0, tuple(v.needs for v in self.judged[index]))
            for index in idle
            if sum(self._replicas(index, 1)) <= MOST_CELLS
        ]
        for chosen in order(standings, left)[:1]:
            self.under_way[chosen.case] = chosen.next_seconds
            self.looks[chosen.case] += 1
            return chosen.case, self._replicas(chosen.case)
        return None

    def _replicas(self, index, more=0):
        """Of a case, by scale, at its look or `more` looks later."""
        return allocate(self.first[index], self.looks[index] + more)

    def seconds(self, index):
        """What the cells of a case take a worker at its look; None where there is a scale of which none was timed."""
        timed = [self.costs.get((index, j)) for j in range(self.scales[index])]
        if None in timed:
            return None
        return sum(count * seconds / cells for count, (cells, seconds) in zip(self._replicas(index), timed))

    def learn(self, index, j, cells, seconds):
        """Take note of the seconds that cells of a case and scale took."""
        before = self.costs.get((index, j), (0, 0.0))
        self.costs[index, j] = before[0] + cells, before[1] + seconds
        if index in self.under_way:
            self.under_way[index] = max(self.under_way[index] - seconds, 0.0)

    def seconds_left(self):
        return None if self.once else max(self.until - perf_counter(), 0.0)

    def keeps(self, index):
        return not self.once and (self.judged[index] is None or index in self.left_over())
