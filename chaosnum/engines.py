"""Executors for the cells of a sweep beside threads: processes, a Dask cluster, the ranks of an MPI job.

``chaosnum.verify(..., executor=E)`` takes any :class:`concurrent.futures.Executor`. These are the ones of well-kept
libraries, with what a long sweep needs beside:

* :func:`processes`: loky, from joblib. Its pool ends when a worker dies; here another one takes its place, and the
  cells that were lost with it are run again.
* :func:`dask`: a cluster by the address of its scheduler, or one of this machine. Dask replaces lost workers itself.
* :func:`ranks`: the other ranks of an MPI job, through ``mpi4py.futures``. MPI ends the job where a rank dies: run the
  same command again, and what the ledger has is not run twice.

Each is a context manager that yields an executor and leaves no process behind. The values of cells are the same on all
of them; a worker on which they might not be is refused (:mod:`chaosnum.work`).
"""

import logging
import os
import signal
from concurrent.futures import BrokenExecutor, Executor
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from time import sleep

from chaosnum import check
from chaosnum.threads import cores
from chaosnum.work import EngineError, Work

LOCAL = "local"
CHUNK_SECONDS = 0.2  # of cells in a task: loky takes 1 ms over one, Dask 3 ms
CONNECT_SECONDS = 5


@contextmanager
def processes(workers=None):
    """Worker processes of this machine.

    Parameters
    ----------
    workers : int, optional
        By default one a core.

    Yields
    ------
    concurrent.futures.Executor
    """
    pool = _Renewing(_count(workers))
    try:
        yield pool
    finally:
        pool.shutdown()


class _Elsewhere(Executor):
    """Hands works to the executor of a library as parcels: what cannot be sent is told here, and not by the library."""

    chunk_seconds = CHUNK_SECONDS

    def __init__(self, pool, workers):
        self._pool, self._max_workers = pool, workers

    def submit(self, function, /, *args, **kwargs):
        sent = function.sent() if isinstance(function, Work) else function
        return self._hand_over(sent, *args, **kwargs)

    def _hand_over(self, function, *args, **kwargs):
        return self._pool.submit(function, *args, **kwargs)


class _Renewing(_Elsewhere):
    """Worker processes, and others in their place when they die."""

    def __init__(self, workers):
        super().__init__(self._new(workers), workers)

    def _new(self, workers):
        from loky import ProcessPoolExecutor
        from loky.backend import resource_tracker

        _quietly(resource_tracker)
        return ProcessPoolExecutor(workers, initializer=_live_as_long_as, initargs=(os.getpid(),))

    def _hand_over(self, function, *args, **kwargs):
        try:
            return self._pool.submit(function, *args, **kwargs)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._new(self._max_workers)
            return self._pool.submit(function, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Ends the workers, whatever they are doing: their cells are kept or not wanted any more."""
        self._pool.shutdown(wait=wait, kill_workers=True)


def _live_as_long_as(parent):
    """In a worker: leave Ctrl-C to the parent, and end when that is gone, even where it was killed."""

    def watch():
        while os.getppid() == parent:
            sleep(0.5)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=watch, name="chaosnum-parent", daemon=True).start()


def _quietly(tracker):
    """Start the process that clears up after pools: after Ctrl-C it is to do so without a word."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker:UserWarning"]))
    try:
        tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def dask(address=LOCAL, workers=None):
    """The workers of a Dask cluster.

    Parameters
    ----------
    address : str, default "local"
        Of a scheduler, as ``tcp://node7:8786``; "local" starts one and its workers, processes of this machine.
    workers : int, optional
        Of a local cluster, by default one a core.

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    EngineError
        Dask is not installed, no scheduler answers, or it has no workers.
    """
    distributed = _library("distributed", "dask")
    with ExitStack() as stack:
        stack.enter_context(_silent("distributed"))
        if address == LOCAL:
            address = stack.enter_context(_local_cluster(distributed, _count(workers))).scheduler_address
        client = stack.enter_context(_connected(distributed, address))
        threads = sum(client.nthreads().values())
        if not threads:
            raise EngineError(f"dask must be a cluster that has workers, got none at {address!r}")
        pool = client.get_executor(pure=False)
        yield _Elsewhere(pool, threads)
        pool.shutdown(wait=False)


def _count(workers):
    return cores() if workers is None else check.whole("workers", workers, 1)


def _local_cluster(distributed, workers):
    from multiprocessing import resource_tracker

    import dask

    _quietly(resource_tracker)
    # A cell whose worker died is run again by us, and so often as we say.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        return distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        )


def _connected(distributed, address):
    """A client of the scheduler at an address.

    Something else that answers there, a page for browsers say, may keep it waiting, and beyond its own limit: so it is
    waited for elsewhere, on a thread that does not keep the process.
    """
    found = SimpleQueue()

    def connect():
        try:
            distributed.comm.resolve_address(address)  # a client of no address takes long to go
            found.put(distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, MemoryError) as error:
            found.put(error)

    Thread(target=connect, name="chaosnum-dask", daemon=True).start()
    try:
        client = found.get(timeout=2 * CONNECT_SECONDS)
    except Empty:
        client = TimeoutError("something else answers there")
    if isinstance(client, Exception):
        raise EngineError(f"dask must be the address of a scheduler that answers, got {address!r} "
                          f"({str(client).splitlines()[0]})") from client  # fmt: skip
    return client


@contextmanager
def _silent(library):
    """Without what a library logs: an error of ours says it in a line."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == library]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def ranks():
    """The other ranks of the MPI job that this process is part of.

    Every rank calls it. On the first rank it yields an executor; on the others it serves that one until it is through,
    and yields None.

    Raises
    ------
    EngineError
        mpi4py is not installed, or the job has one rank.
    """
    _library("mpi4py", "mpi")
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    size = MPI.COMM_WORLD.Get_size()
    if size < 2:
        raise EngineError(f"mpi needs 2 or more ranks (mpiexec -n 3 chaosnum ... --mpi), got {size}")
    with MPICommExecutor(MPI.COMM_WORLD, root=0) as pool:
        yield None if pool is None else _Elsewhere(pool, size - 1)


def _library(name, extra):
    """Import what an extra of this package installs."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise EngineError(f"{extra} needs {name}: pip install 'chaosnum[{extra}]' ({error})") from error
