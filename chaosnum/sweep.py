"""Running claims: from a budget to cells, from cells to verdicts.

A *case* is a claim with one combination of its parameters, or one of its negative controls at that
combination. A *cell* is one independent system of a case: (case, scale, replica). Its seed is the
BLAKE2b hash of that address, so a cell is a pure function of what it is and not of when or where it
runs, and a control never shares the stream of its claim. Values are placed by address: the verdicts
are the same for every executor and number of threads.

How cells are handed to the executor is told in :mod:`chaosnum.cells`. A case is judged as soon as
its last cell is there, and the observer told.

What goes wrong: a measure that keeps state between calls, or draws from a global generator, is no
function of its seed; nothing here can notice. Measures run on threads side by side unless another
executor is given; how they reach another process is told in :mod:`chaosnum.work`.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from chaosnum.cells import complete
from chaosnum.check import at_least, one_of
from chaosnum.claim import BUDGETS, Claim, Control
from chaosnum.effort import Effort
from chaosnum.threads import count as thread_count


@dataclass(frozen=True, eq=False)
class Case:
    """A claim, or one of its controls, at one combination of parameters.

    Attributes
    ----------
    claim : Claim
    params : dict, the case; what the measure is given is `arguments`
    control : Control or None
    scales : tuple of numbers, ascending
    replicas : tuple of int, one for each scale
    """

    claim: Claim
    params: dict
    control: Control | None
    scales: tuple
    replicas: tuple
    arguments: dict = field(init=False)

    def __post_init__(self):
        own = {} if self.control is None else self.control.params
        object.__setattr__(self, "arguments", {**self.params, **own})

    @property
    def measure(self):
        return (self.control and self.control.measure) or self.claim.measure

    @property
    def cells(self):
        """Number of cells."""
        return sum(self.replicas)

    def of(self, replicas):
        """The same case with other numbers of replicas."""
        return replace(self, replicas=tuple(replicas))

    def address(self, scale, replica):
        """Canonical JSON of one cell, without the master seed."""
        parts = {
            "claim": [self.claim.id, self.claim.name, self.claim.model],
            "params": self.params, "control": self.control and self.control.name,
            "scale": scale, "replica": replica,
        }  # fmt: skip
        return json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_number)

    def seed(self, master, scale, replica):
        """Seed of one cell: 63 bits of the hash of master seed and address."""
        text = f"{master}:{self.address(scale, replica)}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


class Observer:
    """What :func:`verify` tells while it runs; override what is of interest."""

    def started(self, total):
        """Number of cells to come."""

    def known(self, index, cells):
        """So many cells of a case, by its place in the plan, were in the ledger: a list, by scale."""

    def not_kept(self, index, reason):
        """The cells of a case cannot be kept in the ledger, and why."""

    def advanced(self, cells):
        """So many more cells are done, in the ledger or here."""

    def timed(self, index, j, cells, seconds):
        """A worker took so many seconds for so many cells of a case and of a scale."""

    def added(self, index, cells):
        """So many cells of a case are to come beside those of the plan: a list, by scale."""

    def looked(self, index, judged):
        """Verdicts of a case that may get more replicas, each with its samples: what stands if the run ends here."""

    def verdict(self, verdict, samples):
        """A verdict, and its replicas: a list of ndarray, float64, one for each scale."""


def plan(claims, budget="quick", *, control=None, params=None):
    """The cases of a run, in order.

    Parameters
    ----------
    claims : Claim or sequence of Claim
    budget : {"quick", "standard", "full"}
    control : str, optional
        Run this negative control, or "all" of them, instead of the claims themselves.
    params : mapping, optional
        Values, or lists of them, in place of those the claims have.

    Returns
    -------
    list of Case

    Raises
    ------
    ValueError
        No claim; an unknown budget, control or parameter; a value outside a claim's domain.
    """
    claims = [claims] if isinstance(claims, (Claim, str)) else list(claims)
    if not claims:
        raise ValueError("claims must hold at least one claim, got none")
    for claim in claims:
        if not isinstance(claim, Claim):
            raise ValueError(f"claims must be claims (by name: chaosnum.claim.find), got {claim!r}")
    one_of("budget", budget, BUDGETS)
    known = dict.fromkeys(name for claim in claims for name in claim.params)
    for name in params or {}:
        one_of("params", name, tuple(known) or ("(none)",))
    names = dict.fromkeys(c.name for claim in claims for c in claim.controls)
    if control is not None:
        one_of("control", control, ("all", *names))
    cases = []
    for claim in claims:
        chosen = [c for c in claim.controls if control in ("all", c.name)] if control else [None]
        for case in claim.cases(params):
            for c in chosen:
                if c is not None and not c.is_for(case):
                    continue
                scales = claim.scales_of(budget, c)
                for scale in scales if claim.ready else ():
                    claim.ready(scale, **case)
                replicas = tuple(claim.replicas_of(s, budget, c) for s in scales)
                cases.append(Case(claim, case, c, scales, replicas))
    if not cases:
        raise ValueError(f"control must apply to a case of this run, got {control!r}")
    return cases


def verify(
    claims, *, budget="quick", seed=1, control=None, params=None, executor=None, threads=None,
    observer=None, ledger=None, minutes=None,
):  # fmt: skip
    """Run the claims and judge them.

    Parameters
    ----------
    claims, budget, control, params
        As in :func:`plan`.
    seed : int, at least 0
        Master seed.
    executor : concurrent.futures.Executor, optional
        By default a ThreadPoolExecutor: measures are expected to release the GIL. Others, of processes and of
        several machines: :mod:`chaosnum.engines`.
    threads : int, optional
        Size of the default executor; by default the usable cores.
    observer : Observer, optional
    ledger : str or Path, optional
        File that keeps finished cells: what is there is not run again, see :mod:`chaosnum.ledger`.
    minutes : float, optional
        Time for more replicas where verdicts are inconclusive, see :mod:`chaosnum.effort`; also the most that is spent.

    Returns
    -------
    list of Verdict
        In the order of the plan, one for each statistic of each case; without those of the cases that were not reached
        in the time.

    Raises
    ------
    ValueError
        Wrong arguments (before anything runs), a :class:`chaosnum.work.CellError` that names the cell, a
        :class:`chaosnum.work.EngineError` or a :class:`chaosnum.ledger.LedgerError`.
    KeyboardInterrupt
        Passed on at once; verdicts already reported to the observer stand.
    """
    from chaosnum.blas import one_thread

    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor must be a concurrent.futures.Executor, got {executor!r}")
    cases = plan(claims, budget, control=control, params=params)
    seed = at_least("seed", seed, 0)
    workers = thread_count(threads)
    workers = getattr(executor, "_max_workers", None) or workers
    effort = Effort(cases, minutes, workers)
    observer = Observer() if observer is None else observer
    pool = ThreadPoolExecutor(workers, thread_name_prefix="chaosnum") if executor is None else executor
    verdicts = [()] * len(cases)

    def report(index, judged):
        for verdict, samples in judged:
            observer.verdict(verdict, samples)
        verdicts[index] = [verdict for verdict, _ in judged]

    try:
        # Cells run side by side: threads of BLAS's own would only get in their way, and into their last bits.
        with (
            one_thread(),
            _kept(ledger, cases, seed) as kept,
            closing(complete(cases, seed, pool, workers, observer, kept, effort)) as completed,
        ):
            observer.started(sum(case.cells for case in cases))
            for index, reason in kept.not_kept.items() if kept else ():
                observer.not_kept(index, reason)
            open_ends = {}  # what was judged at the last look, of the cases that may be looked at again
            for index, values in completed:
                if not effort.is_look(index):
                    continue
                open_ends[index] = _judged(cases[index], values, effort.levels(index))
                if effort.judge(index, [verdict for verdict, _ in open_ends[index]]):
                    report(index, open_ends.pop(index))
                else:
                    observer.looked(index, open_ends[index])
            for index in sorted(open_ends):
                report(index, open_ends[index])
    except BaseException:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)
        raise
    if executor is None:
        pool.shutdown(wait=effort.seconds_left() != 0.0, cancel_futures=True)
    return [verdict for group in verdicts for verdict in group]


@contextmanager
def _kept(path, cases, master):
    """What a ledger keeps of the run; None without one."""
    if path is None:
        yield None
        return
    from chaosnum.kept import Kept
    from chaosnum.ledger import Ledger

    with Ledger(path) as ledger, closing(Kept(ledger, cases, master)) as kept:
        yield kept


def _judged(case, values, levels):
    """A verdict and its samples for each statistic; `values[j][r]` is the dict of cell (j, r)."""
    import numpy as np

    found = []
    for statistic in case.claim.predictions(case.control):
        samples = [np.array([cell[statistic] for cell in row]) for row in values]
        verdict = case.claim.judge(
            statistic, case.scales, samples, params=case.params, control=case.control, **levels
        )  # fmt: skip
        found.append((verdict, samples))
    return found


def _number(value):
    """NumPy scalars as JSON numbers."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"params must be numbers or strings, got {type(value).__name__}")
