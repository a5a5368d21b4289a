"""Cells on an executor: handed out in chunks, in order, and side by side where that is of use.

Cells of one case and scale are sent to the executor in chunks of about 50 ms, judged by the fastest chunk so far (the
first one may have compiled a kernel), so that neither the executor's overhead nor the wait after Ctrl-C is felt.

Compiled kernels release the interpreter's lock and run side by side on threads. A measure that is a loop of small
NumPy calls holds it most of the time: two of them pass it to and fro, with a system call each time, and take longer
together than one after the other, by a quarter to a factor of two. So every chunk says for how much of its time it
slept, neither running nor waiting for a processor, which is what waiting for the lock looks like. While chunks sleep
more than a seventh of it they run one at a time, and every now and then two are tried. What sleeps when it is alone
waits for something else, another process say, and runs side by side.

What goes wrong: none of this may change a value, and none does, as a cell is a function of its address.
"""

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from functools import partial
from math import isfinite
from time import perf_counter, thread_time

CHUNK_SECONDS = 0.05
QUEUED_PER_WORKER = 3
ASLEEP = 0.15  # share of a chunk's time
TELLING = 0.02  # seconds of a chunk below which its share says little
SOUND_ASLEEP = 0.75  # of one that is alone: more than what judging, on the main thread, can cost it
ALONE_SECONDS, ALONE_CHUNKS = 2.0, 16  # until two are tried again, whichever is longer
TOGETHER_SECONDS = 20.0


class CellError(ValueError):
    """A measure raised, or returned what is no finite number."""


def complete(cases, master, pool, workers, observer, kept=None):
    """Run all cells; yield (index of case, its values) as cases are completed.

    Parameters
    ----------
    cases : list of chaosnum.sweep.Case
    master : int, the seed of the run
    pool : concurrent.futures.Executor
    workers : int, how many cells it runs at once
    observer : chaosnum.sweep.Observer, told how many cells are done
    kept : chaosnum.kept.Kept, optional
        Cells that need not be run; those that are run are put there as soon as they are finished.

    Yields
    ------
    index : int, into `cases`
    values : list of list of dict
        `values[j][r]` holds the statistics of the cell at scale j and replica r.

    Raises
    ------
    CellError
        A measure raised, or returned what is no finite number.
    chaosnum.ledger.LedgerError
        A finished cell cannot be kept.
    """
    values = [[[None] * count for count in case.replicas] for case in cases]
    missing = [case.cells for case in cases]

    def placed(index, j, replica, found):
        values[index][j][replica] = found
        missing[index] -= 1

    def taken(index):
        found, values[index] = values[index], None
        return index, found

    for index in range(len(cases)) if kept else ():
        known = kept.known(index)
        for (j, replica), found in known.items():
            placed(index, j, replica, found)
        observer.known(len(known))
        observer.advanced(len(known))
        if missing[index] == 0:
            yield taken(index)
    chunks, company = _Chunks(cases, master, values), _Company(workers)
    running = {}
    try:
        while True:
            while len(running) < company.places() and (chunk := chunks.take()):
                where, work = chunk
                company.submitted(beside=len(running))
                future = pool.submit(_run, *work)
                running[future] = where
                if kept:  # by the thread that ran it: this one may be judging for seconds
                    future.add_done_callback(partial(_keep_early, kept, where))
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            finished = []
            for future in done:
                where = running.pop(future)
                if kept:  # waiters are told before callbacks
                    _keep(kept, where, future)
                found, seconds, asleep = future.result()
                chunks.learn(where, len(found), seconds)
                company.learn(seconds, asleep)
                finished.extend(_addressed(where, found))
            for cell in finished:
                placed(*cell)
            observer.advanced(len(finished))
            for index in dict.fromkeys(cell[0] for cell in finished):
                if missing[index] == 0:
                    yield taken(index)
    finally:
        for future in running:
            future.cancel()


def _addressed(where, found):
    """The cells of a chunk as (index of case, of scale, replica, values)."""
    index, j, replicas = where
    return [(index, j, replica, values) for replica, values in zip(replicas, found)]


def _keep(kept, where, future):
    """Put a chunk into the ledger, if it came to something."""
    if not future.cancelled() and future.exception() is None:
        kept.keep(_addressed(where, future.result()[0]))


def _keep_early(kept, where, future):
    """The same, where nobody could hear of an error: whoever takes the chunk will meet it again."""
    with suppress(ValueError):
        _keep(kept, where, future)


class _Chunks:
    """Hands out the cells that have no values yet in order, as many at a time as take about CHUNK_SECONDS."""

    def __init__(self, cases, master, values):
        self.cases, self.master = cases, master
        found = [(i, j, [r for r, value in enumerate(row) if value is None])
                 for i, rows in enumerate(values) for j, row in enumerate(rows or ())]  # fmt: skip
        self.rows = [row for row in found if row[2]]
        self.row, self.first = 0, 0
        self.cost = {}  # seconds a cell, by case and scale
        self.size = {}  # cells of the largest chunk that was timed

    def take(self):
        """((case, scale, replicas), arguments of :func:`_run`), or None at the end."""
        if self.row == len(self.rows):
            return None
        i, j, left = self.rows[self.row]
        case, first = self.cases[i], self.first
        key = i, j
        size = 1
        if key in self.cost:  # never more than eight times what was timed: costs vary
            size = min(8 * self.size[key], int(CHUNK_SECONDS / max(self.cost[key], 1e-9)) or 1)
        replicas, scale = left[first : first + size], case.scales[j]
        seeds = [case.seed(self.master, scale, replica) for replica in replicas]
        self.first = first + len(replicas)
        if self.first == len(left):
            self.row, self.first = self.row + 1, 0
        wanted = tuple(case.claim.predictions(case.control))
        single = not isinstance(_predicts(case), Mapping)
        label = f"{case.claim.id}{'' if case.control is None else f' (control {case.control.name})'}"
        work = case.measure, scale, seeds, case.arguments, wanted, single, label, case.claim.scale
        return (i, j, replicas), work

    def learn(self, where, cells, seconds):
        """Take note of what a chunk took."""
        key = where[:2]
        self.cost[key] = min(seconds / cells, self.cost.get(key, float("inf")))
        self.size[key] = max(cells, self.size.get(key, 0))


class _Company:
    """How many chunks may be under way at once."""

    def __init__(self, workers):
        self.workers = workers
        self.crowded = False  # more than one chunk was under way when the last one was submitted
        self.alone_until = None  # None: together
        self.together_until = 0.0  # of measures that sleep alone too: they wait for something else

    def places(self):
        """How many."""
        if self.alone_until is None:
            return QUEUED_PER_WORKER * self.workers
        return 1 if perf_counter() < self.alone_until else self.workers

    def submitted(self, beside):
        """Take note of a chunk that goes to the executor, `beside` others."""
        self.crowded = beside > 0

    def learn(self, seconds, asleep):
        """Take note of what share of its `seconds` a chunk was `asleep`."""
        now = perf_counter()
        if seconds < TELLING:
            return
        if not self.crowded:
            if asleep > SOUND_ASLEEP:
                self.alone_until, self.together_until = None, now + TOGETHER_SECONDS
        elif asleep <= ASLEEP:
            self.alone_until = None
        elif now > self.together_until:
            self.alone_until = now + max(ALONE_SECONDS, ALONE_CHUNKS * seconds)


def _run(measure, scale, seeds, arguments, wanted, single, label, scale_name):
    """A chunk: the values of its cells, the seconds they took, and for what share of them this thread slept."""
    begun, awake = perf_counter(), _awake()
    values = []
    for seed in seeds:
        try:
            value = measure(scale, seed=seed, **arguments)
            values.append(_as_floats(value, wanted, single))
        except Exception as error:
            given = "".join(f", {name} = {arguments[name]}" for name in arguments)
            at = f"{label}: measure at {scale_name} = {scale}{given}, seed = {seed}"
            if isinstance(error, _BadValue):
                raise CellError(f"{at} {error}") from None
            raise CellError(f"{at} raised {type(error).__name__}: {error}") from error
    seconds = perf_counter() - begun
    return values, seconds, 0.0 if awake is None else 1.0 - (_awake() - awake) / seconds


def _awake():
    """Seconds that this thread has run or waited for a processor; None where the system does not say (not Linux)."""
    try:
        with open("/proc/thread-self/schedstat") as stream:
            return thread_time() + 1e-9 * int(stream.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None


class _BadValue(ValueError):
    """Says what a measure returned."""


def _as_floats(value, wanted, single):
    """{statistic: float} of what a measure returned."""
    if single:
        if isinstance(value, Mapping):
            raise _BadValue(f"must return a number, got the statistics {', '.join(map(str, value))}")
        value = {wanted[0]: value}
    elif not isinstance(value, Mapping):
        raise _BadValue(f"must return a dict with {', '.join(wanted)}, got {type(value).__name__}")
    floats = {}
    for name in wanted:
        if name not in value:
            raise _BadValue(f"must return {name}, got {', '.join(map(str, value))}")
        try:
            floats[name] = float(value[name])
        except (TypeError, ValueError):
            raise _BadValue(f"must return numbers, got {name} = {value[name]!r}") from None
        if not isfinite(floats[name]):
            raise _BadValue(f"must return finite numbers, got {name} = {floats[name]}")
    return floats


def _predicts(case):
    own = case.control.predicts if case.control is not None else None
    return case.claim.predicts if own is None else own
