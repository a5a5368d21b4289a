"""Side by side on Python threads: kernels release the interpreter lock, so threads are all they need.

A task is a range of blocks, and blocks are cut the same way whatever the number of threads; each block writes its own
results and the caller combines them in order. So no result depends on the number of threads.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from chaosnum import check


def core_numbers():
    """The processor cores that this process may use -> set of int."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # macOS, Windows
        return set(range(os.cpu_count() or 1))


def cores():
    """The number of processor cores this process may use -> int."""
    return len(core_numbers())


@lru_cache(maxsize=1)
def _pool():
    return ThreadPoolExecutor(max_workers=max(cores(), 8), thread_name_prefix="chaosnum")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def over_blocks(task, blocks, threads, least=64):
    """Run ``task(start, stop)`` over the blocks 0, ..., blocks - 1, in `threads` ranges of equal length.

    Handing work to a thread costs some 50 microseconds: a range holds at least `least` blocks, so that small
    systems run on the calling thread.
    """
    threads = min(threads, blocks // least)
    if threads <= 1:
        task(0, blocks)
        return
    bounds = [blocks * t // threads for t in range(threads + 1)]
    futures = [_pool().submit(task, bounds[t], bounds[t + 1]) for t in range(1, threads)]
    task(bounds[0], bounds[1])
    for future in futures:
        future.result()


def count(threads):
    """A number of threads: `threads` itself, or the number of cores for None -> int."""
    return cores() if threads is None else check.whole("threads", threads, 1)
