"""The observer of a run: writes every verdict as it is reached, draws figures beside the computation, shows progress.

A figure is drawn as soon as the last of its verdicts is there, by another process (:mod:`chaosnum.artist`) that a
thread of ours talks to; so the figures are there shortly after the last verdict, and those of finished claims after
Ctrl-C. One process keeps up with many cheap claims; a second one would take its core from the measures.
"""

import json
import threading
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter

from chaosnum.artist import Artist
from chaosnum.rule import named
from chaosnum.sweep import Observer
from chaosnum.words import outcome


class Recorder(Observer):
    """Hands what a run tells to its folder, its figures and its progress bar.

    Parameters
    ----------
    folder : chaosnum.runfolder.RunFolder
    cases : list of chaosnum.sweep.Case, the plan of the run
    seed : int, the master seed
    progress : chaosnum.table.Progress
    """

    def __init__(self, folder, cases, seed, progress):
        self.folder, self.seed, self.progress = folder, seed, progress
        self.failure = None  # what went wrong while drawing
        self._done = self._total = 0
        self.from_ledger = 0  # cells
        self._places = {}  # of a verdict: its case and its rank in the plan
        self._missing, self._drawn = {}, {}  # of a figure: verdicts to come, and those that are there
        for case in cases:
            for statistic, prediction in case.claim.predictions(case.control).items():
                figure = case.claim.id, case.claim.name, case.claim.model, named(prediction, statistic)
                place = (*figure, case.control and case.control.name, _key(case.params))
                self._places[place] = case, len(self._places)
                self._missing[figure] = self._missing.get(figure, 0) + 1
        self._queue = SimpleQueue()
        self._artist = threading.Thread(target=self._draw, name="chaosnum-figures", daemon=True)
        self._artist.start()

    def started(self, total):
        self._total = total
        self.progress.update(0, total)

    def known(self, cells):
        self.from_ledger += cells

    def advanced(self, cells):
        self._done += cells
        self.progress.update(self._done, self._total)

    def verdict(self, verdict, samples):
        figure = verdict.claim, verdict.name, verdict.model, verdict.statistic
        case, rank = self._places[(*figure, verdict.control, _key(verdict.params))]
        cells = [
            (scale, replica, case.seed(self.seed, scale, replica), value)
            for scale, values in zip(case.scales, samples)
            for replica, value in enumerate(values.tolist())
        ]
        shown = verdict.as_dict()
        if "data" in shown["params"]:  # of a path only the name goes into the files
            shown["params"]["data"] = Path(shown["params"]["data"]).name
        self.folder.add(shown, cells, rank=rank)
        self._drawn.setdefault(figure, []).append((rank, shown))
        self._missing[figure] -= 1
        if not self._missing[figure]:
            self._queue.put(self._drawn.pop(figure))
        words = " ".join(filter(None, [verdict.claim, verdict.model, verdict.control]))
        self.progress.update(self._done, self._total, f"{words}: {outcome(shown)}")

    def finish(self, begun):
        """Wait for the last figure and put the tables into the order of the plan; `begun` as of perf_counter."""
        self.progress.update(self._done, self._total, "drawing figures")
        self._queue.put(None)
        self._artist.join()
        self.folder.finish(perf_counter() - begun)

    def _draw(self):
        artist = Artist()
        while (group := self._queue.get()) is not None:
            try:
                in_order = [shown for _, shown in sorted(group, key=lambda pair: pair[0])]
                self.folder.record(artist.draw(self.folder.path, in_order))
            except Exception as error:  # a figure that fails must not take the verdicts with it
                self.failure = self.failure or str(error)
        artist.close()


def _key(params):
    return json.dumps(params, sort_keys=True, default=str)
