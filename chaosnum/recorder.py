"""The observer of a run: writes every verdict as it is reached, draws figures beside the computation, shows progress.

What happens also goes to the log of the run, where there is one (:mod:`chaosnum.runlog` tells what its lines hold).

A figure is drawn as soon as the last of its verdicts is there, by another process (:mod:`chaosnum.artist`) that a
thread of ours talks to; so the figures are there shortly after the last verdict, and those of finished claims after
Ctrl-C. One process keeps up with many cheap claims; a second one would take its core from the measures.
"""

import json
import threading
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter

from chaosnum.arguments import one_line
from chaosnum.artist import Artist
from chaosnum.rule import named
from chaosnum.sweep import Observer
from chaosnum.words import outcome, param_words


class Recorder(Observer):
    """Hands what a run tells to its folder, its figures, its progress and its log.

    Parameters
    ----------
    folder : chaosnum.runfolder.RunFolder
    cases : list of chaosnum.sweep.Case, the plan of the run
    seed : int, the master seed
    progress : chaosnum.progress.Progress
    log : chaosnum.runlog.RunLog, optional
    """

    def __init__(self, folder, cases, seed, progress, log=None):
        self.folder, self.seed, self.progress, self.log = folder, seed, progress, log
        self.failure = None  # what went wrong while drawing
        self._cases = cases
        self._seconds = [0.0] * len(cases)  # that workers took for the cells of a case
        self._needs = {}  # of open verdicts, by rank: what they are on, what they need, the seconds so far
        self._unsaid = 0  # cells from the ledger that the log has not been told of
        self._looked = {}  # by case: verdicts of the last look, where there may be another
        self.from_ledger = 0  # cells
        self.unkept = {}  # claims whose cells cannot be kept, and why
        self._places = {}  # of a verdict: its case and its rank in the plan
        self._unjudged = {}  # of a case: the ranks of its verdicts to come
        self._missing, self._drawn = {}, {}  # of a figure: verdicts to come, and those that are there
        for case in cases:
            for statistic, prediction in case.claim.predictions(case.control).items():
                figure = case.claim.id, case.claim.name, case.claim.model, named(prediction, statistic)
                place = (*figure, case.control and case.control.name, _key(case.params))
                self._places[place] = case, len(self._places)
                self._unjudged.setdefault(case, set()).add(self._places[place][1])
                self._missing[figure] = self._missing.get(figure, 0) + 1
        self._queue = SimpleQueue()
        self._artist = threading.Thread(target=self._draw, name="chaosnum-figures", daemon=True)
        self._artist.start()

    def started(self, total):
        self.progress.started(total)
        about = {key: self.folder.about[key] for key in ("command", "version", "budget", "seed", "control")
                 if key in self.folder.about}  # fmt: skip
        self._note("started", **about, cases=len(self._cases), verdicts=len(self._places), cells=total,
                   workers=self.progress.workers, folder=self.folder.path.name)  # fmt: skip

    def known(self, index, cells):
        self.from_ledger += sum(cells)
        self._unsaid += sum(cells)
        self.progress.in_ledger(index, cells)
        if index == len(self._cases) - 1:
            self._say_known()

    def not_kept(self, index, reason):
        self.unkept.setdefault(self._cases[index].claim.id, reason)

    def added(self, index, cells):
        self.progress.added(index, cells)
        self._note("added", cells=sum(cells))

    def timed(self, index, j, cells, seconds):
        self._seconds[index] += seconds
        self.progress.timed(index, j, cells, seconds)

    def advanced(self, cells):
        self.progress.advanced(cells)

    def looked(self, index, judged):
        self._looked[index] = judged
        for verdict, _ in judged:
            words = " ".join(filter(None, [verdict.claim, verdict.model, verdict.control]))
            self.progress.say(f"{words}: {verdict.verdict} so far")

    def stop(self):
        """Write what stands of the claims that might have got more replicas: the run ends here."""
        for judged in list(self._looked.values()):
            for verdict, samples in judged:
                self.verdict(verdict, samples)

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
        self._unjudged[case].discard(rank)
        self._looked.pop(self._cases.index(case), None)
        words = " ".join(filter(None, [verdict.claim, verdict.model, verdict.control]))
        claims = sum(not ranks for ranks in self._unjudged.values())
        self.progress.judged(rank, outcome(shown), claims, f"{words}: {outcome(shown)}")
        self._say_known()
        if verdict.needs is not None:
            on = " ".join(filter(None, [verdict.claim, verdict.name, verdict.model, verdict.statistic]))
            seconds = self._seconds[self._cases.index(case)] / self.progress.workers
            self._needs[rank] = (f"{on}, {param_words(shown['params'])}".rstrip(", "), verdict.needs, seconds or None)
        told = ("claim", "name", "model", "control", "statistic", "params", "verdict", "reason")
        self._note("verdict", **{key: shown[key] for key in told}, outcome=outcome(shown))

    def open_ends(self):
        """Verdicts that more replicas would settle: (what they are on, factor of replicas, seconds so far or None)."""
        return [self._needs[rank] for rank in sorted(self._needs)]

    def not_reached(self):
        """How many cases have no verdict."""
        return sum(bool(ranks) for ranks in self._unjudged.values())

    def finish(self, begun):
        """Wait for the last figure and put the tables into the order of the plan; `begun` as of perf_counter."""
        self.progress.say("drawing figures")
        for group in self._drawn.values():  # where the time was over before all of its verdicts were there
            self._queue.put(group)
        self._queue.put(None)
        self._artist.join()
        self.folder.finish(perf_counter() - begun)

    def _draw(self):
        artist = Artist()
        while (group := self._queue.get()) is not None:
            try:
                in_order = [shown for _, shown in sorted(group, key=lambda pair: pair[0])]
                names = artist.draw(self.folder.path, in_order)
                self.folder.record(names)
                self._note("figure", files=names, error=None)
            except Exception as error:  # a figure that fails must not take the verdicts with it
                self.failure = self.failure or str(error)
                self._note("figure", files=[], error=one_line(error))
        artist.close()

    def _say_known(self):
        if self._unsaid:
            self._unsaid = 0
            self._note("known", cells=self.from_ledger)

    def _note(self, event, **fields):
        if self.log is not None:
            self.log.write(event, **fields)


def _key(params):
    return json.dumps(params, sort_keys=True, default=str)
