"""Effort within a time: which cases get more replicas, until all verdicts are settled or the time is over.

Every case of the plan is judged once, on the replicas of its budget. Then the case whose verdicts are expected to cost
least gets its next look, with twice the replicas (:mod:`chaosnum.looks`, which also has the levels that keep the
verdicts valid at whichever look one stops), and so on. A case is through when its verdicts are settled, or when no
number of replicas is known to settle those that are left. What has not been judged at a look when the time is over
stands as it was judged at the look before.

Cells that are under way when the time is over are left to themselves: on threads they end before the process does.

What goes wrong: what is not through at the end depends on how fast the machine was. The verdict at a given look does
not: it is a function of the seed.
"""

from time import perf_counter

from chaosnum.cells import Agenda
from chaosnum.check import positive
from chaosnum.looks import Standing, allocate, family, level, order
from chaosnum.rule import FALSE_ALARM


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
        self.seconds = [0.0] * len(cases)  # that workers took for the cells so far
        self.judged = [None] * len(cases)  # by the last look
        self.under_way = {}  # index: seconds its look is expected to take
        self.verdicts = sum(len(case.claim.predictions(case.control)) for case in cases)
        self.workers = workers
        self.until = None if self.once else perf_counter() + 60.0 * positive("minutes", minutes)

    def levels(self, index):
        """The levels at which a case is to be judged now, as keywords of :meth:`chaosnum.claim.Claim.judge`."""
        if self.once:
            return {"family": 1 - FALSE_ALARM / self.verdicts}
        look = self.looks[index]
        return {"family": family(look, self.verdicts), "level": level(look)}

    def judge(self, index, verdicts):
        """Take note of the verdicts of a look -> whether they are the last ones of the case."""
        self.judged[index] = verdicts
        self.under_way.pop(index, None)
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
        idle = [
            Standing(index, self.looks[index], self.seconds[index], tuple(v.needs for v in self.judged[index]))
            for index in self.left_over()
            if index not in self.under_way
        ]
        for chosen in order(idle, left)[:1]:
            self.under_way[chosen.case] = chosen.next_seconds
            self.looks[chosen.case] += 1
            return chosen.case, allocate(self.first[chosen.case], self.looks[chosen.case])
        return None

    def learn(self, index, seconds):
        """Take note of the seconds that a chunk of a case took."""
        self.seconds[index] += seconds
        if index in self.under_way:
            self.under_way[index] = max(self.under_way[index] - seconds, 0.0)

    def seconds_left(self):
        return None if self.once else max(self.until - perf_counter(), 0.0)

    def keeps(self, index):
        return not self.once
