"""Cells on an executor, handed out in chunks and in order.

Cells of one case and scale are sent to the executor in chunks of about 50 ms, judged by the fastest chunk so far (the
first one may have compiled a kernel), so that neither the executor's overhead nor the wait after Ctrl-C is felt, and
little is lost where a process dies; an executor that takes milliseconds over a task says ``chunk_seconds``.

How many are under way at once is told in :mod:`chaosnum.company`.

A chunk whose process died is run again, up to RUNS times: on the same executor if that has found itself another worker
(:mod:`chaosnum.engines`), and else the run ends and says so.

What goes wrong: none of this may change a value, and none does, as a cell is a function of its address.
"""

from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from chaosnum.company import Company
from chaosnum.work import CellError, EngineError, Work

CHUNK_SECONDS = 0.05
RUNS = 4  # of a chunk whose process died
LOST = {"KilledWorker", "CommClosedError"}  # what Dask raises for a worker that died; it tries three others first


class Agenda:
    """What else is to be run, once the plan is through; this one has nothing."""

    def next(self):
        """(index of a case, its replicas by scale, none fewer than before), or None: nothing at present."""

    def seconds_left(self):
        """After which the run ends, whatever has not been run; None: no limit."""

    def keeps(self, index):
        """Whether a case may get more replicas later."""
        return False

    def learn(self, index, j, cells, seconds):
        """A worker took so many seconds for so many cells of a case and scale."""


def complete(cases, master, pool, workers, observer, kept=None, agenda=None):
    """Run all cells; yield (index of case, its values) as cases are completed.

    Parameters
    ----------
    cases : list of chaosnum.sweep.Case
    master : int, the seed of the run
    pool : concurrent.futures.Executor
    workers : int, how many cells it runs at once
    observer : chaosnum.sweep.Observer, told how many cells are done and how long they took
    kept : chaosnum.kept.Kept, optional
        Cells that need not be run; those that are run are put there as soon as they are finished.
    agenda : Agenda, optional
        Has more to run: a case that it names gets more replicas, and is yielded again when they are there.

    Yields
    ------
    index : int, into `cases`
    values : list of list of dict
        `values[j][r]` holds the statistics of the cell at scale j and replica r.

    Raises
    ------
    chaosnum.work.CellError
        A measure raised, or returned what is no finite number.
    chaosnum.work.EngineError
        Cells cannot be computed by the executor's workers, or these die.
    chaosnum.ledger.LedgerError
        A finished cell cannot be kept.
    """
    agenda = Agenda() if agenda is None else agenda
    places = _Places(cases)

    def taken(index):
        yield index, places.values[index]
        if not agenda.keeps(index):  # now that it was judged
            places.forget(index)

    for index in range(len(cases)) if kept else ():
        if places.add(_from(kept, index, places, observer)):
            yield from taken(index)
    chunks = _Chunks(cases, master, places, getattr(pool, "chunk_seconds", CHUNK_SECONDS))
    company = Company(workers)
    running, checked = {}, set()  # chunks by their futures; cases whose workers compute what is computed here

    def hand_out():
        while len(running) < company.places() and (chunk := chunks.take()):
            company.submitted(beside=len(running))
            future = _submitted(pool, chunk)
            running[future] = chunk
            if kept:  # by the thread that ran it: this one may be judging for seconds
                future.add_done_callback(partial(_keep_early, kept, chunk, checked))

    try:
        while (left := agenda.seconds_left()) is None or left > 0:
            hand_out()
            if len(running) < company.places() and (more := agenda.next()):
                index, replicas = more
                observer.added(index, places.grow(index, replicas))
                if places.add(_from(kept, index, places, observer) if kept else []):
                    yield from taken(index)
                chunks.add(index)
                continue
            if not running:
                return
            ended, _ = wait(running, left, return_when=FIRST_COMPLETED)
            finished = []
            for future in ended:
                chunk = running.pop(future)
                if _is_lost(future, chunk):
                    chunks.give_back(chunk)
                    continue
                done = future.result()
                if done.elsewhere and chunk.index not in checked:
                    checked.add(chunk.index)
                    _check(chunk, done.values)
                if kept:  # waiters are told before callbacks
                    _keep(kept, chunk, future)
                values, seconds, asleep, _ = done
                chunks.learn(chunk, seconds)
                company.learn(seconds, asleep)
                agenda.learn(chunk.index, chunk.j, len(values), seconds)
                observer.timed(chunk.index, chunk.j, len(values), seconds)
                finished.extend(chunk.addressed(values))
            observer.advanced(len(finished))
            for index in places.add(finished):
                yield from taken(index)
    finally:
        for future in running:
            future.cancel()


@dataclass
class _Chunk:
    """Cells of one case and scale, and how often they were begun by a process that died."""

    index: int
    j: int
    replicas: list
    work: Work
    scale: float
    seeds: list
    lost: int = 0

    def addressed(self, values):
        """The cells as (index of case, of scale, replica, values)."""
        return [(self.index, self.j, replica, found) for replica, found in zip(self.replicas, values)]


def _submitted(pool, chunk):
    try:
        return pool.submit(chunk.work, chunk.scale, chunk.seeds)
    except BrokenExecutor as error:
        raise EngineError("the executor is broken: a worker died, and it starts no other; finished cells are not "
                          f"lost where a ledger keeps them ({error})") from error  # fmt: skip
    except Exception:
        if chunk.work.failure is not None:  # which the library tells in words of its own
            raise chunk.work.failure from None
        raise


def _is_lost(future, chunk):
    """Whether the process that ran a chunk has died, and the chunk may be tried again; raises what else went wrong."""
    if future.cancelled():  # not by us: Dask does so when its scheduler is gone
        raise EngineError("the executor has cancelled cells: is the scheduler gone?")
    error = future.exception()
    if error is None:
        return False
    if chunk.work.failure is not None:
        raise chunk.work.failure
    if isinstance(error, CellError | EngineError):
        raise error
    if not isinstance(error, BrokenExecutor) and type(error).__name__ not in LOST:
        first = next(iter(str(error).splitlines()), "")
        raise EngineError(f"the executor failed at cells of {chunk.work.form['label']}: {type(error).__name__}: "
                          f"{first}") from error  # fmt: skip
    chunk.lost += 1
    if chunk.lost == RUNS:
        raise EngineError(f"{chunk.work.form['label']}: {RUNS} workers died at cells of scale {chunk.scale:g}, seed "
                          f"{chunk.seeds[0]}, or beside them (out of memory?)") from error  # fmt: skip
    return True


def _check(chunk, values):
    """See that another process computed what this one does, by the first cell of a chunk."""
    own = chunk.work(chunk.scale, chunk.seeds[:1]).values
    if own != values[:1]:
        name, at = next((name, at) for name, at in own[0].items() if at != values[0].get(name))
        raise EngineError(
            f"{chunk.work.form['label']}: workers must compute what this process does, got {name} = "
            f"{values[0].get(name)!r} and not {at!r} at scale {chunk.scale:g}, seed {chunk.seeds[0]} (is their code "
            "old, or does the measure depend on more than scale, seed and parameters?)"
        )


def _from(kept, index, places, observer):
    """The cells of a case that a ledger has and the run has not yet."""
    found = [(index, j, r, values) for (j, r), values in kept.known(index, places.free(index)).items()]
    observer.known(index, [sum(cell[1] == j for cell in found) for j in range(len(kept.cases[index].scales))])
    observer.advanced(len(found))
    return found


def _keep(kept, chunk, future):
    """Put a chunk into the ledger."""
    kept.keep(chunk.addressed(future.result().values))


def _keep_early(kept, chunk, checked, future):
    """The same, where nobody could hear of an error: whoever takes the chunk will meet it again."""
    sound = not future.cancelled() and future.exception() is None
    if sound and (not future.result().elsewhere or chunk.index in checked):
        with suppress(ValueError):
            _keep(kept, chunk, future)


class _Places:
    """The values of all cells by address, and how many of each case are missing."""

    def __init__(self, cases):
        self.cases = cases
        self.values = [[[None] * count for count in case.replicas] for case in cases]
        self.missing = [case.cells for case in cases]

    def add(self, cells):
        """Put cells in their places -> list of the cases that are complete by that."""
        for index, j, replica, values in cells:
            self.values[index][j][replica] = values
            self.missing[index] -= 1
        return [index for index in dict.fromkeys(cell[0] for cell in cells) if not self.missing[index]]

    def forget(self, index):
        """Let go of the values of a case, which are not needed any more."""
        self.values[index] = None

    def free(self, index):
        """The cells of a case that have no values yet, by scale -> list of (scale, replicas)."""
        rows = enumerate(self.values[index] or ())
        found = ((j, [r for r, values in enumerate(row) if values is None]) for j, row in rows)
        return [(j, replicas) for j, replicas in found if replicas]

    def grow(self, index, replicas):
        """Make room for more replicas of a case -> list of int, how many cells were added at each scale."""
        added = [count - len(row) for row, count in zip(self.values[index], replicas)]
        for row, more in zip(self.values[index], added):
            row.extend([None] * more)
        self.cases[index] = self.cases[index].of(replicas)
        self.missing[index] += sum(added)
        return added


class _Chunks:
    """Hands out the cells that have no values yet in order, as many at a time as take about so many seconds."""

    def __init__(self, cases, master, places, seconds):
        self.cases, self.master, self.places, self.seconds = cases, master, places, seconds
        self.works = [Work(case) for case in cases]
        self.rows, self.back = deque(), []  # (case, scale, replicas to come), and chunks to be run again
        self.cost = {}  # seconds a cell, by case and scale
        self.size = {}  # cells of the largest chunk that was timed
        for index in range(len(cases)):
            self.add(index)

    def add(self, index):
        """Put the free cells of a case behind all others."""
        self.rows.extend((index, j, deque(free)) for j, free in self.places.free(index))

    def take(self):
        """The next chunk, or None at the end."""
        if self.back:
            return self.back.pop()
        if not self.rows:
            return None
        index, j, free = self.rows[0]
        key = index, j
        size = 1
        if key in self.cost:  # never more than eight times what was timed: costs vary
            size = min(8 * self.size[key], int(self.seconds / max(self.cost[key], 1e-9)) or 1)
        replicas = [free.popleft() for _ in range(min(size, len(free)))]
        if not free:
            self.rows.popleft()
        case = self.cases[index]
        seeds = [case.seed(self.master, case.scales[j], replica) for replica in replicas]
        return _Chunk(index, j, replicas, self.works[index], case.scales[j], seeds)

    def give_back(self, chunk):
        """A chunk that is to be run again, before all others."""
        self.back.append(chunk)

    def learn(self, chunk, seconds):
        """Take note of what a chunk took."""
        key, cells = (chunk.index, chunk.j), len(chunk.seeds)
        self.cost[key] = min(seconds / cells, self.cost.get(key, float("inf")))
        self.size[key] = max(cells, self.size.get(key, 0))
