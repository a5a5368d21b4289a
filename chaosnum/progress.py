"""How far a run of claims is: on standard error for people, in the log of the run for programs.

On a terminal three lines that are drawn again and again, none wider than the terminal:

     22 % ━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 1200 of 5400 cells, 310 cells/s
     claims 12 of 54: 11 hold, 1 inconclusive, none violated
     60 s, about 140 s left: C1 linear: holds

and elsewhere, in a pipe or a file, a plain line every ten seconds:

    1200 of 5400 cells, 12 of 54 claims, 310 cells/s, 60 s, about 140 s left: C1 linear: holds

A claim counts once for each set of its parameters. The rate is that of the last ten seconds, without cells that were in
the ledger. The time left comes from what cells cost (:mod:`chaosnum.timeleft`); "at least" says that a part of the run
is of unknown cost, and where nothing can be said nothing is.
"""

import os
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from math import inf
from threading import Event, Lock, Thread

from chaosnum.timeleft import TimeLeft
from chaosnum.words import counted, duration, number

PLAIN_EVERY = 10.0  # seconds between lines that go to a pipe
LOG_EVERY = 1.0  # seconds between lines of the log while cells come in; PLAIN_EVERY while none do
WINDOW = 10.0  # seconds that the rate is of
TELLING = 0.1  # share of the time gone by that a lower bound must reach to be worth a word


class Progress:
    """Progress of a run; a context manager, within which it is shown.

    Parameters
    ----------
    cases : list of chaosnum.sweep.Case, the plan of the run
    workers : int, how many cells run at once
    costs : dict, optional, as :func:`chaosnum.cellcosts.read` returns
    minutes : float, optional, after which no more cells are begun
    stream : text stream, by default standard error
    log : chaosnum.runlog.RunLog, optional
    clock : callable () -> float, seconds
    """

    def __init__(self, cases, workers=1, *, costs=None, minutes=None, stream=None, log=None, clock=time.monotonic):
        self.stream, self.log, self.clock = stream or sys.stderr, log, clock
        self.cells = self.known = self.claims = 0  # that are done; of the cells, from the ledger
        self.of_cells, self.of_claims = sum(case.cells for case in cases), len(cases)
        self._outcomes = {}  # of verdicts, by their place in the plan: a case may be judged again
        self.news = "starting"
        self.workers = workers
        self._left = TimeLeft(cases, workers, costs)
        self._begun = self._shown = self._logged = clock()
        self._most = inf if minutes is None else 60.0 * minutes
        self._moments = deque([(self._begun, 0)])  # when how many cells had been computed
        self._changed = False
        self._lock = Lock()
        self._bar = None
        self._over, self._ticking = Event(), None

    def __enter__(self):
        if self.stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream)
            self._bar = Live(get_renderable=self._drawn, console=console, transient=True, refresh_per_second=5)
            self._bar.start()
        self._ticking = Thread(target=self._tick, name="chaosnum-progress", daemon=True)
        self._ticking.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._ticking.join()
        if self._bar:
            self._bar.stop()

    def started(self, cells):
        """So many cells are to be done."""
        self.of_cells = cells

    def in_ledger(self, index, cells):
        """So many cells of a case, by scale, were in the ledger."""
        with self._lock:
            self.known += sum(cells)
            self._left.known(index, cells)

    def added(self, index, cells):
        """So many cells of a case, by scale, are to be done beside those of the plan."""
        with self._lock:
            self.of_cells += sum(cells)
            self._left.added(index, cells)

    def timed(self, index, j, cells, seconds):
        """A worker took so many seconds for so many cells of a case and a scale."""
        with self._lock:
            self._left.timed(index, j, cells, seconds, self.clock())

    def advanced(self, cells):
        """So many more cells are done."""
        with self._lock:
            self.cells += cells
            self._changed = True
            now = self.clock()
            if len(self._moments) > 1 and now - self._moments[-2][0] < WINDOW / 100:
                self._moments.pop()  # a hundred of them are enough
            self._moments.append((now, self.cells - self.known))
            while len(self._moments) > 2 and self._moments[1][0] < now - WINDOW:
                self._moments.popleft()

    def judged(self, place, outcome, claims, news):
        """A verdict: its place in the plan, its outcome, how many claims are done by now, and what to say of it."""
        with self._lock:
            self._outcomes[place] = outcome
            self.claims, self.news = claims, news
            self._changed = True

    def say(self, news):
        """The latest news."""
        self.news = news

    def counts(self):
        """Cells and claims, done and in all, and verdicts by outcome -> dict."""
        return {
            "cells": self.cells, "of_cells": self.of_cells, "known": self.known,
            "claims": self.claims, "of_claims": self.of_claims, **self.verdicts(),
        }  # fmt: skip

    def verdicts(self):
        """Verdicts by outcome -> dict."""
        found = Counter(self._outcomes.values())
        return {word: found[word] for word in ("holds", "violated", "inconclusive", "caught", "missed")}

    def standing(self):
        """What a line of the log says -> dict."""
        with self._lock:
            now = self.clock()
            left, rest = self._left.left(now), max(self._begun + self._most - now, 0.0)
            return {
                **self.counts(), "seconds": round(now - self._begun, 1), "cells_per_second": self._rate(now),
                "seconds_left": None if left is None else round(min(left.seconds, rest), 1),
                "at_least": left is not None and left.at_least and left.seconds < rest,
                "most": round(rest, 1) if rest < inf else None,
            }  # fmt: skip

    def line(self):
        """The plain line -> str."""
        at = self.standing()
        return (f"{at['cells']} of {at['of_cells']} cells, {at['claims']} of {at['of_claims']} claims"
                f"{_rate_words(at)}, {_time_words(at)}: {self.news}")  # fmt: skip

    def _rate(self, now):
        """Cells computed in a second, of late."""
        begun, before = self._moments[0]
        seconds = now - begun
        return float(f"{(self.cells - self.known - before) / seconds:.3g}") if seconds > 0 else 0.0

    def _drawn(self):
        """What a terminal shows."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        at = self.standing()
        share = at["cells"] / max(at["of_cells"], 1)
        row = Table.grid(padding=(0, 1), expand=True)
        for ratio in (None, 1, None):
            row.add_column(ratio=ratio, no_wrap=True)
        cells = f"{at['cells']} of {at['of_cells']} cells{_rate_words(at)}"
        row.add_row(f"{int(100 * share):3d} %", ProgressBar(total=1.0, completed=share), Text(cells))
        lines = [f"claims {at['claims']} of {at['of_claims']}: {counted(at)}", f"{_time_words(at)}: {self.news}"]
        return Group(row, *(Text(f" {line}", no_wrap=True, overflow="ellipsis") for line in lines))

    def _tick(self):
        """Now and then a line for the pipe and one for the log."""
        while not self._over.wait(LOG_EVERY / 4):
            self.tick()

    def tick(self):
        """Say what is due."""
        now = self.clock()
        if self.log and now - self._logged >= (LOG_EVERY if self._changed else PLAIN_EVERY):
            self._logged, self._changed = now, False
            self.log.write("progress", **self.standing())
        if not self._bar and now - self._shown >= PLAIN_EVERY:
            self._shown = now
            with suppress(OSError, ValueError):  # nobody reads it any more
                print(self.line(), file=self.stream, flush=True)


def _rate_words(at):
    """``, 310 cells/s``; nothing when all are done."""
    return f", {number(at['cells_per_second'])} cells/s" if at["cells"] < at["of_cells"] else ""


def _time_words(at):
    """``60 s, about 140 s left``."""
    words, left = duration(at["seconds"]), at["seconds_left"]
    few = at["at_least"] and left is not None and left < TELLING * at["seconds"]
    if left is None or few or at["cells"] >= at["of_cells"]:  # the last figures are no cells
        return words
    if at["most"] is not None:  # more may be added
        return f"{words}, at most {duration(at['most'])} left"
    digits = float(f"{max(left, 1.0):.2g}")  # more would be a show of accuracy
    return f"{words}, {'at least' if at['at_least'] else 'about'} {duration(digits)} left"
