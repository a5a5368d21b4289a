"""What a rank does in the tests of ``test_ranks.py``: mpiexec -n 2 python -m mpi4py tests/ranked.py MODE.

Rank 0 prints JSON. Modes: bits, memory (rank 1 cannot get its own), seeds (they differ), dies (rank 1, in the middle).
"""

import hashlib
import json
import sys

import numpy as np

from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.network import Network
from chaosnum.particles import Scheme, simulate


def small_network(m=7, d=3):
    rng = np.random.default_rng(8)
    return Network(rng.standard_normal((m, d)), np.arange(m) % 2)


CASES = {  # n in 4 blocks, in 5 of which the last is short, and in many
    "kuramoto": (Kuramoto(2.0), (2048, 2051, 50_037), Scheme(1.3, 1.0, 0.4, 0.1)),
    "linear": (Linear(0.7, 1.3, start=0.2), (2048, 2051, 50_037), Scheme(1.3, 1.0, 0.4, 0.1)),
    "network": (small_network(), (256, 259, 1_230), Scheme(1.7, 1.0, 0.4, 0.1, "III")),
}


def digest(theta, average):
    return hashlib.sha256(np.ascontiguousarray(theta).tobytes() + average.tobytes()).hexdigest()


def bits(comm):
    """Digests of all cases as all ranks together have them, and whether all ranks have the same averages."""
    found = {}
    for name, (bed, sizes, scheme) in CASES.items():
        for n in sizes:
            for dtype in ("float64", "float32") if name == "kuramoto" else ("float64",):
                run = simulate(bed, n, scheme, seed=4, comm=comm, threads=2, dtype=dtype)
                parts = comm.gather((run.first, run.theta, run.average.tobytes()))
                if comm.Get_rank() == 0:
                    assert [first for first, _, _ in parts] == list(
                        np.cumsum([0] + [p[1].shape[1] for p in parts[:-1]])
                    )
                    assert len({average for _, _, average in parts}) == 1
                    theta = np.concatenate([theta for _, theta, _ in parts], axis=1)
                    found[f"{name} {n} {dtype}"] = digest(theta, run.average)
    return found


def failure(comm, mode):
    """What each rank's call raised."""
    rank, bed, seed = comm.Get_rank(), Kuramoto(), 4
    if mode == "seeds":
        seed += rank
    if mode == "memory" and rank == 1:

        def initial(*arguments, **options):
            raise MemoryError("no room")

        Kuramoto.initial = initial
    try:
        simulate(bed, 5000, Scheme(1.5), seed=seed, comm=comm)
        words = "nothing"
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
    return comm.gather(words)


def main(mode):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if mode == "dies" and comm.Get_rank() == 1:
        raise OSError("the disk is gone")
    found = failure(comm, mode) if mode in ("seeds", "memory") else bits(comm)
    if comm.Get_rank() == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
