"""threads.py: every block is done once, whatever the number of threads, and errors come through."""

import multiprocessing
import os
import threading

import pytest

from chaosnum import threads


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("blocks", [0, 1, 2, 7, 64, 129, 1000])
def test_every_block_once(blocks, count):
    done, lock = [], threading.Lock()

    def task(start, stop):
        with lock:
            done.append((start, stop))

    threads.over_blocks(task, blocks, count, least=1)
    done.sort()
    assert done[0][0] == 0 and done[-1][1] == blocks
    assert all(before[1] == after[0] for before, after in zip(done, done[1:]))
    lengths = [stop - start for start, stop in done]
    assert len(done) == max(1, min(count, blocks)) and max(lengths) - min(lengths) <= 1


def test_ranges_hold_at_least_the_least():
    for blocks, count, least, ranges in [(127, 2, 64, 1), (128, 2, 64, 2), (128, 3, 64, 2), (192, 3, 64, 3)]:
        done = []
        threads.over_blocks(lambda start, stop, done=done: done.append(stop - start), blocks, count, least=least)
        assert len(done) == ranges and min(done) >= min(least, blocks)


def test_work_really_runs_side_by_side():
    meet = threading.Barrier(3)  # passes only when three ranges run at the same time
    threads.over_blocks(lambda start, stop: meet.wait(timeout=30), 3, 3, least=1)
    assert not meet.broken
    alone = threading.Barrier(2)
    with pytest.raises(threading.BrokenBarrierError):
        threads.over_blocks(lambda start, stop: alone.wait(timeout=0.05), 3, 1, least=1)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_in_any_range_is_raised(bad):
    def task(start, stop):
        if start <= bad < stop:
            raise FloatingPointError(f"block {bad}")

    with pytest.raises(FloatingPointError, match=f"block {bad}"):
        threads.over_blocks(task, 3, 3, least=1)
    threads.over_blocks(lambda start, stop: None, 3, 3, least=1)  # and the pool still works


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forking with threads is the point
def test_a_forked_process_makes_its_own_threads():
    """A process pool on Linux forks by default, after this process has started its threads."""
    threads.over_blocks(lambda start, stop: None, 3, 3, least=1)
    task = (lambda start, stop: None, 3, 3, 1)
    child = multiprocessing.get_context("fork").Process(target=threads.over_blocks, args=task)
    child.start()
    child.join(timeout=10)
    code = child.exitcode
    child.kill()
    child.join()
    assert code == 0


def test_count():
    assert threads.cores() >= 1
    assert threads.count(None) == threads.cores()
    assert [threads.count(t) for t in (1, 2, 100)] == [1, 2, 100]
    for value in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError) as error:
            threads.count(value)
        assert str(error.value) == f"threads must be a whole number >= 1, got {value!r}"
