"""ranks.py: the same bits on any number of ranks, by real ones under mpiexec and by played ones here."""

import functools
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import ranked
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosnum import cost, ranks
from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.particles import Scheme, simulate
from chaosnum.threads import cores

# ---------------------------------------------------------------- real ranks


def mpiexec(number, *arguments, seconds=240):
    """Run ``python -m mpi4py tests/ranked.py ARGUMENTS`` on a number of ranks -> completed process."""
    command = cost.launcher()
    if command is None:
        pytest.fail(
            "mpiexec or mpi4py is missing: pip install 'chaosnum[test]' brings both (packages mpi4py and mpich)"
        )
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}
    command = [command, "-n", str(number), sys.executable, "-m", "mpi4py", str(here / "ranked.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)


@functools.cache
def plain():
    """Digests of all cases without ranks."""
    found = {}
    for name, (bed, sizes, scheme) in ranked.CASES.items():
        for n in sizes:
            for dtype in ("float64", "float32") if name == "kuramoto" else ("float64",):
                run = simulate(bed, n, scheme, seed=4, dtype=dtype)
                found[f"{name} {n} {dtype}"] = ranked.digest(run.theta, run.average)
    assert len(set(found.values())) == len(found) == 12
    return found


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_same_bits_on_real_ranks(number):
    done = mpiexec(number, "bits")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == plain()


def test_arguments_that_differ_are_named_on_every_rank():
    done = mpiexec(2, "seeds", seconds=60)
    line = "ValueError: seed must be the same on all ranks, got 4 on rank 0 and 5 on rank 1"
    assert json.loads(done.stdout) == [line, line], done.stderr


def test_a_rank_without_memory_stops_all():
    done = mpiexec(3, "memory", seconds=60)
    other = "RuntimeError: rank 1 failed: MemoryError: no room"
    assert json.loads(done.stdout) == [other, "MemoryError: no room", other], done.stderr


def test_a_rank_that_dies_leaves_nobody_waiting():
    done = mpiexec(2, "dies", seconds=60)
    assert done.returncode != 0 and done.stdout == "" and "the disk is gone" in done.stderr


# ---------------------------------------------------------------- played ranks


class Recorder:
    """One rank at a time: what ranks send is kept in `sent`, and returned to those that come after all have."""

    def __init__(self, rank, sent):
        self.rank, self.sent = rank, sent

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return len(self.sent)

    def Allgatherv(self, mine, everyone):
        self.sent[self.rank] = mine.copy()
        buffer, counts = everyone
        if all(part is not None for part in self.sent):
            parts = [x.reshape(-1) for x in self.sent]
            assert [p.size for p in parts] == list(counts)
            buffer.reshape(-1)[:] = np.concatenate(parts)
        else:
            buffer[:] = np.nan


def averages(sums, n, block, size):
    """The average that each of `size` ranks takes of its part of the sums over blocks -> list."""
    sent = [None] * size
    shares = [ranks.Share(n, block, Recorder(rank, sent) if size > 1 else None) for rank in range(size)]

    def one(share):
        average, own = (
            np.empty((1, sums.shape[1])),
            slice(share.first // block, -(-(share.first + share.count) // block)),
        )
        share.average(sums[None, own].copy(), average)
        return average[0]

    first = [one(share) for share in shares]
    assert size == 1 or np.isnan(first[0]).all()
    return [one(share) for share in shares]


def by_recursion(sums):
    """The tree as it is defined: leaves of one or two blocks, then halves of halves."""
    blocks, leaves = len(sums), 1 << len(sums).bit_length() - 1

    def node(first, last):
        if last - first > 1:
            middle = (first + last) // 2
            return node(first, middle) + node(middle, last)
        a, b = first * blocks // leaves, last * blocks // leaves
        return sums[a] if b - a == 1 else sums[a] + sums[a + 1]

    return node(0, leaves)


@st.composite
def divisions(draw):
    """Particles, block and ranks: few of all, or many."""
    block = draw(st.sampled_from([1, 64, 512]))
    blocks = draw(st.one_of(st.integers(1, 40), st.integers(1, 5000)))
    n = blocks * block - draw(st.integers(0, block - 1))
    leaves = 1 << blocks.bit_length() - 1
    return n, block, draw(st.one_of(st.integers(1, min(9, leaves)), st.integers(1, min(leaves, 100))))


@settings(max_examples=60, deadline=None)
@given(divisions(), st.integers(0, 2**32 - 1))
def test_any_division_gives_the_same_bits(division, seed):
    n, block, size = division
    sums = np.random.default_rng(seed).standard_cauchy((-(-n // block), 2))
    truth = by_recursion(sums) / n
    for average in averages(sums, n, block, size):
        assert np.array_equal(average, truth)


@pytest.mark.parametrize("size", [2, 3, 7, 64, 960])
def test_the_partner_that_must_fail(size):
    """Ranks that each add up their own blocks, and add up the ranks: the bits depend on their number."""
    n, block = 100_000 * 512 - 5, 512
    sums = np.random.default_rng(size).standard_normal((100_000, 2))
    truth = by_recursion(sums)
    division = ranks.Division(n, block, size)
    parts = [division.particles(r) for r in range(size)]
    in_turn = sum(sums[p.start // block : -(-p.stop // block)].sum(axis=0) for p in parts)
    assert not np.array_equal(in_turn, truth) and np.abs(in_turn - truth).max() < 1e-9
    assert all(np.array_equal(average, truth / n) for average in averages(sums, n, block, size))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.integers(1, 10**4), st.integers(1, 2**40)), st.sampled_from([64, 512]), st.integers(1, 1000))
def test_shares_are_whole_even_and_few_nodes(n, block, size):
    blocks = -(-n // block)
    if size > 1 << blocks.bit_length() - 1:
        with pytest.raises(ValueError, match=rf"ranks must lie in \[1, {1 << blocks.bit_length() - 1}\] for n = {n}"):
            ranks.Division(n, block, size)
        return
    division = ranks.Division(n, block, size)
    parts = [division.particles(r) for r in range(size)]
    assert parts[0].start == 0 and parts[-1].stop == n and all(p.start % block == 0 and len(p) for p in parts)
    assert all(a.stop == b.start for a, b in zip(parts, parts[1:]))
    largest = max(-(-len(p) // block) for p in parts)
    assert largest <= (1 + 2.0**-ranks.FINE) * blocks / size + 3  # a leaf, and a block, where there are few
    nodes = division.nodes
    assert max(map(len, nodes)) <= 2 * ranks.FINE + 2
    if size & (size - 1) == 0:
        assert all(len(some) == 1 for some in nodes)
    flat = [node for some in nodes for node in some]
    assert all(size & (size - 1) == 0 and first % size == 0 for first, size in flat)
    additions = division.additions
    assert len(additions) == len(flat) - 1 and {b for _, b in additions} == set(range(1, len(flat)))


class Together:
    """All ranks at once, each on a thread of its own."""

    def __init__(self, size):
        self.size, self.slots, self.barrier = size, [None] * size, threading.Barrier(size, timeout=60)

    def run(self, task):
        """``task(comm)`` on every rank -> list of what they return, or raise."""
        ends = [None] * self.size

        def one(rank):
            try:
                ends[rank] = task(Player(self, rank))
            except Exception as error:
                ends[rank] = error

        some = [threading.Thread(target=one, args=(rank,)) for rank in range(self.size)]
        [t.start() for t in some], [t.join() for t in some]
        return ends


class Player(Recorder):
    def __init__(self, world, rank):
        self.world = world
        super().__init__(rank, world.slots)

    def allgather(self, mine):
        self.sent[self.rank] = mine
        self.world.barrier.wait()
        found = list(self.sent)
        self.world.barrier.wait()
        return found

    def Allgatherv(self, mine, everyone):
        everyone[0].reshape(-1)[:] = np.concatenate([part.reshape(-1) for part in self.allgather(mine)])


@pytest.mark.parametrize("name, n, size", [("kuramoto", 40_001, 7), ("linear", 70_000, 64), ("network", 8_200, 64)])
def test_the_same_bits_on_many_ranks(name, n, size):
    bed, _, scheme = ranked.CASES[name]
    alone = simulate(bed, n, scheme, seed=6)
    runs = Together(size).run(lambda comm: simulate(bed, n, scheme, seed=6, comm=comm, threads=1))
    assert np.array_equal(np.concatenate([r.theta for r in runs], axis=1), alone.theta)
    assert all(np.array_equal(r.average, alone.average) for r in runs)
    assert [r.first for r in runs] == list(np.cumsum([0] + [r.theta.shape[1] for r in runs[:-1]]))


# ---------------------------------------------------------------- arguments


def differing(**arguments):
    """What three ranks raise if the last one is given these arguments in place of the others'."""
    given = {"bed": Kuramoto(), "n": 5000, "scheme": Scheme(1.5), "seed": 1}

    def task(comm):
        return simulate(**(given | {"threads": 1} | (arguments if comm.rank == 2 else {})), comm=comm)

    return [str(end) for end in Together(3).run(task)]


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"n": 5001}, "n must be the same on all ranks, got 5000 on rank 0 and 5001 on rank 2"),
        ({"n": 1}, "n must be the same on all ranks, got 5000 on rank 0 and 1 on rank 2"),
        ({"replica": 3}, "replica must be the same on all ranks, got 0 on rank 0 and 3 on rank 2"),
        ({"dtype": "float32"}, "dtype must be the same on all ranks, got None on rank 0 and 'float32' on rank 2"),
        ({"bed": Kuramoto(2.0)}, "bed must be the same on all ranks, got Kuramoto(K=1.0, mean=0.5, sd=1.0) on rank 0 "
                                 "and Kuramoto(K=2.0, mean=0.5, sd=1.0) on rank 2"),
    ],
)  # fmt: skip
def test_ranks_that_disagree(arguments, line):
    assert differing(**arguments) == [line] * 3


def test_schemes_and_data_that_differ_are_found():
    ends = differing(scheme=Scheme(1.6))
    assert len(set(ends)) == 1 and ends[0].startswith("scheme must be the same on all ranks, got Scheme(alpha=1.5")
    one, other = (ranked.small_network(m=m) for m in (7, 8))
    assert ranks.description(one) == ranks.description(ranked.small_network()) != ranks.description(other)
    turned = ranked.small_network()
    turned.X = -turned.X
    assert ranks.description(one) != ranks.description(turned)


@pytest.mark.parametrize("bad", [1, "world", object(), [0, 1]])
def test_no_communicator(bad):
    with pytest.raises(ValueError) as error:
        simulate(Kuramoto(), 5000, Scheme(1.5), seed=1, comm=bad)
    assert str(error.value) == f"comm must be a communicator such as mpi4py.MPI.COMM_WORLD, got {bad!r}"


def test_too_many_ranks_and_systems():
    def ends(n=5000, **options):
        task = lambda comm: simulate(Kuramoto(), n, Scheme(1.5), seed=1, comm=comm, threads=1, **options)  # noqa: E731
        return {str(end) for end in Together(3).run(task)}

    assert ends(n=1024) == {"ranks must lie in [1, 2] for n = 1024 in blocks of 512, got 3"}
    assert ends(systems=2) == {"systems must be 1 on several ranks, got 2"}
    assert ends(n=1) == {"n must be a whole number >= 2, got 1"}


def test_ranks_on_one_machine_divide_its_cores(monkeypatch):
    own = [{0, 1, 2, 3}] * 3 + [{4, 5}]
    monkeypatch.setattr(ranks, "core_numbers", lambda: own[int(threading.current_thread().name.split("-")[1]) % 4])

    class Elsewhere(Player):  # rank 2 is on another machine, rank 3 bound to cores of its own
        def allgather(self, mine):
            return super().allgather(("elsewhere", mine[1]) if self.rank == 2 else mine)

    world, found = Together(4), {}

    def one(rank):
        found[rank] = ranks.cores(Elsewhere(world, rank))

    some = [threading.Thread(target=one, args=(rank,), name=f"rank-{rank}") for rank in range(4)]
    [t.start() for t in some], [t.join() for t in some]
    assert [found[0], found[1], found[3]] == [2, 2, 2]
    monkeypatch.undo()
    assert ranks.cores(None) == cores()
    line = "threads must be a whole number >= 1, got 0"
    assert differing(threads=0) == [f"rank 2 failed: ValueError: {line}"] * 2 + [line]


def test_the_rounding_error_grows_with_the_depth_only():
    """Depth of the tree: (1 + 20) roundings of partial sums; one sum after the other would need a million."""
    sums = 1.0 + np.random.default_rng(3).random((2**20 + 3, 1))
    average = averages(sums, len(sums), 1, 1)[0][0]
    truth = math.fsum(sums[:, 0]) / len(sums)
    bound = 22 * 2.0**-53 * truth
    assert abs(average - truth) <= bound < abs(np.cumsum(sums[:, 0])[-1] / len(sums) - truth)


def test_mpi4py_is_imported_by_nobody_here():
    command = "import sys, chaosnum.particles as p; from chaosnum.kuramoto import Kuramoto; "
    command += "p.simulate(Kuramoto(), 10, p.Scheme(1.5), seed=1); print('mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bed_l_takes_threads_and_ranks_alike():
    bed, scheme = Linear(), Scheme(1.5, eta=0.5)
    assert np.array_equal(simulate(bed, 70_000, scheme, seed=2, threads=2).theta,
                          simulate(bed, 70_000, scheme, seed=2, threads=1).theta)  # fmt: skip
