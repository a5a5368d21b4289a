"""One system over several ranks (processes that exchange messages, on one machine or many).

Each rank holds a range of the particles, and nothing of the others. Noise and initial values are read at the number
that a particle has in the whole system. What particles share is the average: each rank sums its own blocks, all ranks
exchange these sums once a step, and each adds them up the tree of ``pairwise.py``, so that a run has the same bits on
any number of ranks, and without any.

The cuts between ranks lie at dyadic fractions of the tree's leaves. A range between two such cuts consists of few whole
nodes, whose sums are all that is sent: one node a rank where the number of ranks is a power of two, at most a dozen
otherwise, and shares differ from the mean by 3 % at most (as far as blocks allow).

What it costs is in ``cost.py``. Communicators are those of mpi4py, which this package never imports: whoever has one
has imported it. Any object with ``Get_rank``, ``Get_size``, ``allgather`` and ``Allgatherv`` will do.

What goes wrong: a rank that dies leaves the others waiting for its message. Arguments that differ between ranks, and
failures while a system is set up, are found and raised on every rank alike. For all else run your script as
``mpiexec -n 4 python -m mpi4py script.py``, which ends all ranks when one fails.
"""

import platform
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import chain, pairwise

import numpy as np

from chaosnum.pairwise import join, node_sums
from chaosnum.threads import core_numbers

FINE = 5  # cuts lie at multiples of 2^-FINE, or finer, of a mean share: the imbalance is below 2^-FINE
_NEEDED = ("Get_rank", "Get_size", "allgather", "Allgatherv")


class Division:
    """n particles in blocks, over `size` ranks.

    Parameters
    ----------
    n, block : int
        Particles, and particles in a block.
    size : int, default 1
        Ranks.

    Attributes
    ----------
    cuts : list of int
        Where the ranks' shares begin and end, in leaves.
    nodes : list of list
        For each rank, the largest nodes that make up its share, as (first leaf, number of leaves).

    Raises
    ------
    ValueError
        More ranks than leaves of the tree of blocks.
    """

    def __init__(self, n, block, size=1):
        self.n, self.block, self.size = n, block, size
        self.blocks = -(-n // block)
        self.level = self.blocks.bit_length() - 1
        leaves = 1 << self.level
        if not 1 <= size <= leaves:
            raise ValueError(f"ranks must lie in [1, {leaves}] for n = {n} in blocks of {block}, got {size}")
        step = 1 << max(0, self.level - FINE - (size - 1).bit_length())
        self.cuts = [(2 * r * (leaves // step) + size) // (2 * size) * step for r in range(size + 1)]
        self.nodes = [_nodes(first, last) for first, last in pairwise(self.cuts)]

    def particles(self, rank):
        """The numbers of the particles that a rank holds -> range."""
        first, last = (self.cuts[r] * self.blocks >> self.level for r in (rank, rank + 1))
        return range(first * self.block, min(last * self.block, self.n))

    @cached_property
    def additions(self):
        """How the nodes of all ranks, numbered from left to right, are added up: list of (into, from)."""
        pairs, open_ = [], []
        for number, (first, size) in enumerate(chain(*self.nodes)):
            while open_ and open_[-1][1] == size and open_[-1][0] % (2 * size) == 0:
                first, size, left = open_.pop()
                pairs.append((left, number))
                number, size = left, 2 * size
            open_.append((first, size, number))
        return pairs


def _nodes(first, last):
    """The largest nodes that make up a range of leaves -> list of (first leaf, number of leaves)."""
    found = []
    while first < last:
        size = 1 << (last - first).bit_length() - 1
        if first:
            size = min(size, first & -first)
        found.append((first, size))
        first += size
    return found


_division = lru_cache(maxsize=16)(Division)


class Share:
    """This process's part of a system of n particles, and averages over all of them.

    Parameters
    ----------
    n, block : int
        Particles of the whole system, and particles in a block.
    comm : communicator, optional
        By default there is one process.
    systems : int, default 1
        Independent systems side by side; one only on several ranks.

    Attributes
    ----------
    n, first, count : int
        Particles of all, the number of the first one here, and how many are here.

    Raises
    ------
    ValueError
        More ranks than leaves of the tree of blocks, or several systems on several ranks.
    """

    def __init__(self, n, block, comm=None, systems=1):
        rank, size = (0, 1) if comm is None else (comm.Get_rank(), comm.Get_size())
        if size > 1 and systems > 1:
            raise ValueError(f"systems must be 1 on several ranks, got {systems!r}")
        division = _division(n, block, size)
        own = division.particles(rank)
        self.n, self.first, self.count, self._comm = n, own.start, len(own), comm if size > 1 else None
        self._tree = division.blocks, division.level, np.array(division.nodes[rank], dtype=np.int64)
        self._counts = [len(nodes) for nodes in division.nodes]
        self._additions = np.array(division.additions, dtype=np.int64).reshape(-1, 2)

    def average(self, sums, average):
        """Write the averages over all particles into `average`, (systems, d).

        sums : ndarray of float64, shape (systems, blocks here, d), the sums over blocks, which are overwritten.
        """
        if self._comm is None:
            node_sums(sums, *self._tree, self.n, average)
            return
        d = sums.shape[2]
        mine, everyone = np.empty((len(self._tree[2]), d)), np.empty((sum(self._counts), d))
        node_sums(sums, *self._tree, 1, mine)
        self._comm.Allgatherv(mine, (everyone, [count * d for count in self._counts]))
        join(everyone, self._additions, self.n, average[0])


def checked(comm):
    """A communicator, or None.

    Raises
    ------
    ValueError
        Anything else.
    """
    if comm is not None and not all(callable(getattr(comm, name, None)) for name in _NEEDED):
        raise ValueError(f"comm must be a communicator such as mpi4py.MPI.COMM_WORLD, got {comm!r}")
    return comm


def agree(comm, **arguments):
    """See that all ranks were given the same arguments; each is compared by its description.

    Raises
    ------
    ValueError
        They were not: the same line on every rank.
    """
    mine = {name: description(value) for name, value in arguments.items()}
    everyone = comm.allgather(mine)
    for name in arguments:
        for rank, other in enumerate(everyone):
            if other[name] != everyone[0][name]:
                raise ValueError(f"{name} must be the same on all ranks, got {everyone[0][name]} on rank 0 and "
                                 f"{other[name]} on rank {rank}")  # fmt: skip


def description(value):
    """A short text that is equal for equal values: arrays by a hash of their contents -> str."""
    if isinstance(value, np.ndarray):
        about = f"{value.dtype} {value.shape} ".encode()
        return f"array {blake2b(about + np.ascontiguousarray(value).tobytes(), digest_size=8).hexdigest()}"
    if callable(value):
        return (
            f"{value.__module__}.{value.__qualname__}" if hasattr(value, "__qualname__") else type(value).__qualname__
        )
    if type(value).__repr__ is object.__repr__:
        attributes = sorted(getattr(value, "__dict__", {}).items())
        parts = (f"{k}={description(v)}" for k, v in attributes if not k.startswith("_"))
        return f"{type(value).__name__}({', '.join(parts)})"
    return repr(value)


def together(comm, make):
    """What ``make()`` returns, once it has succeeded on all ranks.

    Raises
    ------
    Exception
        What it raised here; or RuntimeError where it failed on another rank only.
    """
    made = failure = None
    try:
        made = make()
    except Exception as error:
        failure = error
    failures = comm.allgather(None if failure is None else f"{type(failure).__name__}: {failure}")
    if failure is not None:
        raise failure
    for rank, words in enumerate(failures):
        if words is not None:
            raise RuntimeError(f"rank {rank} failed: {words}")
    return made


def cores(comm):
    """The number of cores for this rank: all of this process, divided by the ranks that use the same ones -> int."""
    own = frozenset(core_numbers())
    if comm is None:
        return len(own)
    here = platform.node()
    sharing = sum(host == here and bool(own & theirs) for host, theirs in comm.allgather((here, own)))
    return max(1, len(own) // sharing)
