"""How long a run will take from here: the cells that are left, each at its cost, on workers side by side.

Cells differ in cost by orders of magnitude: a cell at n = 10^5 takes a thousand times as long as one at n = 100, and
claims differ as much. So the cells that are left, divided by the cells a second so far, foretell nothing. Here every
cell that is left has a cost, in seconds of one worker, from the first of these that is known:

    1. cells of the same case and scale
    2. cells of that scale of kin, that is, of the same claim at other parameters, the latest first, or of a table of
       what was measured beforehand on some machine (chaosnum/cellcosts.py); by the factor by which the case's own cells
       cost more than theirs at the nearest scale, or this machine's more than the table's
    3. the case's own cells at two scales or more, as a power of the scale
    4. kin's or the table's at two scales or more, likewise

and the time left is the sum of these costs divided by the speed, the seconds of work done in a second of the clock.
What none of them tells counts as nothing, and the estimate says that it is a lower bound.

The first chunks of a case and scale, one for each worker, may have compiled a kernel or computed what all cells share.
They are no ground for the cost of a cell as long as more are to come; what they took beyond it is expected of every
case that follows, once.

The speed is that of the claim at hand once that has run for a while, since a measure that holds the interpreter's lock
has one worker's speed and a kernel that of all; and that of the whole run for the claims to come.

What goes wrong: cells of one scale of which a few take most of the time; a machine that others use by turns.
"""

from math import exp, inf, log
from typing import NamedTuple

OWN_SECONDS = 3.0  # of a claim's running, from which its own speed counts
PRIOR_SECONDS = 1.0  # of work here, by which a machine is told from that of the table
STEEPEST = 4.0  # power of the scale, either way


class Left(NamedTuple):
    """Seconds to come, and whether they are `at_least` so many: a part of the run is of unknown cost."""

    seconds: float
    at_least: bool


class TimeLeft:
    """An estimate of the time left, from what finished chunks of cells took.

    Parameters
    ----------
    cases : list of chaosnum.sweep.Case, the plan of the run
    workers : int, how many cells run at once
    costs : dict, optional
        Seconds of a cell on some machine, {(claim's id, name, model): {scale: seconds}}: what is known beforehand.
    """

    def __init__(self, cases, workers, costs=None):
        self.workers = workers
        self._scales = [case.scales for case in cases]
        self._left = [list(case.replicas) for case in cases]  # cells, by case and scale
        claims = [(case.claim.id, case.claim.name, case.claim.model) for case in cases]
        self._kinds = [(claim, case.control and case.control.name) for claim, case in zip(claims, cases)]
        self._told = [(costs or {}).get(claim, {}) for claim in claims]
        self._machine = 1.0  # how much more cells cost here than the table says
        self._chunks = {}  # by case and scale: Cost
        self._latest = {}  # of a kind: its cases that were timed, the latest first
        self._all, self._own = _Speed(), {}  # of the run, and of each claim
        self._case = self._at = self._found = None

    def known(self, index, cells):
        """So many cells of a case, by scale, need not be run."""
        self.added(index, [-count for count in cells])

    def added(self, index, cells):
        """So many cells of a case, by scale, are to come beside those of the plan."""
        self._left[index] = [left + more for left, more in zip(self._left[index], cells)]
        self._found = None

    def timed(self, index, j, cells, seconds, now):
        """A worker took so many seconds for so many cells of a case and a scale, and is done with them `now`."""
        self._left[index][j] -= cells
        self._chunks.setdefault((index, j), Cost(self.workers)).add(cells, seconds)
        kin = self._latest.setdefault(self._kinds[index], [])
        if index not in kin:
            kin.insert(0, index)
        for speed in (self._all, self._own.setdefault(self._kinds[index][0], _Speed())):
            speed.add(seconds, now)
        self._case, self._at, self._found = index, now, None

    def left(self, now):
        """What is left of the run -> Left; None while nothing is known, or when a cell takes longer than all that."""
        if not any(map(any, self._left)):
            return Left(0.0, False)
        if self._at is None:
            return None
        if self._found is None:
            self._found = self._estimate()
        seconds, at_least = self._found
        rest = seconds - (now - self._at)
        return Left(rest, at_least) if rest >= 0 else None

    def _estimate(self):
        """What is left as of the last chunk -> Left."""
        self._machine = self._compared()
        at_hand = self._kinds[self._case][0]
        work = {True: 0.0, False: 0.0}  # seconds of one worker: of the claim at hand, and of others
        at_least = False
        for index, row in enumerate(self._left):
            for j, cells in enumerate(row):
                if not cells:
                    continue
                cost = self._cost(index, j)
                if cost is None:
                    at_least = True
                else:
                    work[self._kinds[index][0] == at_hand] += cells * cost + self._set_up(index, j)
        run, own = self._all.value(self.workers), self._own[at_hand]
        own = own.value(self.workers) if own.span >= OWN_SECONDS else run
        return Left(work[True] / own + work[False] / run, at_least)

    def _cost(self, index, j):
        """Seconds of a cell of a case and scale -> float, or None where there is no ground."""
        own, scale = self._seen(index), self._scales[index][j]
        if scale in own:
            return own[scale]
        others = [self._seen(kin) for kin in self._latest.get(self._kinds[index], ()) if kin != index]
        if self._told[index]:
            others.append({at: self._machine * seconds for at, seconds in self._told[index].items()})
        for theirs in others:
            if scale in theirs and (not own or own.keys() & theirs.keys()):
                return theirs[scale] * _level(own, theirs, scale)
        if len(own) > 1:
            return _power(own, scale)
        for theirs in others:
            if len(theirs) > 1:
                return _power(theirs, scale) * _level(own, theirs, scale)
        return None

    def _compared(self):
        """How much more cells cost here than the table says: a mean of factors, each with the weight of its work."""
        weight, total = PRIOR_SECONDS, 0.0
        for (index, j), chunks in self._chunks.items():
            told = self._told[index].get(self._scales[index][j])
            if told and chunks.cells:
                seconds = told * chunks.cells
                weight += seconds
                total += seconds * log(chunks.value() / told)
        return exp(total / weight)

    def _set_up(self, index, j):
        """Seconds that the first cells of a case and scale take beside their cost: as of kin, once per row."""
        if (index, j) in self._chunks:
            return 0.0
        kin = self._latest.get(self._kinds[index], ())
        return min((self._chunks[i, j].set_up() for i in kin if (i, j) in self._chunks), default=0.0)

    def _seen(self, index):
        """{scale: seconds of a cell} of a case, where enough was timed to tell."""
        found = {}
        for j, scale in enumerate(self._scales[index]):
            chunks = self._chunks.get((index, j))
            if chunks and (chunks.cells or not self._left[index][j]):
                found[scale] = chunks.value()
        return found


class Cost:
    """Seconds of a cell of one case and scale, from its chunks."""

    def __init__(self, workers):
        self.first = workers  # chunks that may have waited for a compiler, or for what the cells share
        self.least = inf  # seconds of a cell, of these
        self.early = [0, 0.0]  # cells and seconds, of these
        self.cells, self.seconds = 0, 0.0  # of all others

    def add(self, cells, seconds):
        if self.first:
            self.first -= 1
            self.least = min(self.least, seconds / cells)
            self.early[0] += cells
            self.early[1] += seconds
        else:
            self.cells += cells
            self.seconds += seconds

    def value(self):
        return max(self.seconds / self.cells if self.cells else self.least, 1e-9)

    def set_up(self):
        return max(0.0, self.early[1] - self.early[0] * self.value())


class _Speed:
    """Seconds of work done in a second of the clock."""

    def __init__(self):
        self.work = self.begun = self.ended = 0.0

    def add(self, seconds, now):
        self.begun = min(self.begun, now - seconds) if self.work else now - seconds
        self.work += seconds
        self.ended = now

    @property
    def span(self):
        return self.ended - self.begun

    def value(self, workers):
        return min(workers, self.work / self.span) if self.span > 0 and self.work > 0 else 1.0


def _level(own, theirs, scale):
    """How much more the cells of a case cost than others do, at the nearest scale where that is known."""
    if both := _nearest(own.keys() & theirs.keys(), scale):
        return own[both[0]] / theirs[both[0]]
    if not own:
        return 1.0
    near = _nearest(own, scale)[0]
    return own[near] / _power(theirs, near)


def _nearest(scales, scale):
    """The scales by their distance from one of them, as factors."""
    return sorted(scales, key=lambda s: abs(log(s / scale)))


def _power(seen, scale):
    """The cost at a scale, from those at its two nearest, as a power."""
    near, far = _nearest(seen, scale)[:2]
    slope = log(seen[near] / seen[far]) / log(near / far)
    slope = min(max(slope, -STEEPEST), STEEPEST)
    return seen[near] * exp(slope * log(scale / near))
