"""What a step of bed K costs on several ranks: time, messages and memory, from what this machine does.

A rank draws the noise of its n/R particles and moves them, then all exchange the sums of their nodes (``ranks.py``) in
ceil(log2 R) rounds, and each adds them up:

    seconds a step  = (largest share) c / threads + ceil(log2 R) latency + (bytes of all messages) / bandwidth
    bytes a message = 8 d (nodes of the rank), d = 2 on bed K: 16 where R is a power of two, up to 16 * 12 otherwise
    bytes of a rank = n/R (24, or 12 in float32) + what a process takes that holds no particles

All constants are measured here and now: c on one thread, by steps of a system of one's own size; latency and bandwidth
by exchanges between two ranks; memory as the operating system saw it. A prediction multiplies them, for a machine that
has a core like this one's for every rank and a network like this one's shared memory. On a cluster the latency is that
of its network, microseconds as well; `Prediction.break_even` says how long a round may take before a tenth of the
step is waiting.

What goes wrong: ranks that share a core wait for each other in turn, for a slice of the scheduler each, a thousand
times as long as a message takes. Start as many ranks as there are cores, or fewer with threads.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import chaosnum
from chaosnum.ranks import Division
from chaosnum.stable import BLOCK

_EXCHANGE = """
import json, sys, time
import numpy as np
from mpi4py import MPI
comm, doubles, calls = MPI.COMM_WORLD, int(sys.argv[1]), int(sys.argv[2])
mine, everyone = np.zeros(doubles), np.empty(doubles * comm.Get_size())
seconds = []
for _ in range(calls + 5):
    begun = time.perf_counter()
    comm.Allgatherv(mine, (everyone, [doubles] * comm.Get_size()))
    seconds.append(time.perf_counter() - begun)
seconds = sorted(seconds[5:])
if comm.Get_rank() == 0:
    print(json.dumps({"median": seconds[calls // 2], "low": seconds[calls // 10], "high": seconds[-1 - calls // 10]}))
"""

_STEP = """
import json, sys, time
from mpi4py import MPI
import numpy as np
from chaosnum import footprint, particles, ranks
from chaosnum.kuramoto import Kuramoto
comm, n, steps, threads, apart = MPI.COMM_WORLD, *map(int, sys.argv[1:4]), sys.argv[5] == "True"
share = ranks.Share(n // comm.Get_size(), Kuramoto.block) if apart else ranks.Share(n, Kuramoto.block, comm)
scheme = particles.Scheme(1.5)
system = particles.start(Kuramoto(), n, 1, 1, 0, threads, share, np.dtype(sys.argv[4]))
path = scheme.path(1, share.count, seed=1, unit=share.first, threads=threads)
system.observe(), system.step(path, 0, scheme.eta)
seconds = []
for k in range(steps):
    begun = time.perf_counter()
    system.step(path, k + 1, scheme.eta)
    seconds.append(time.perf_counter() - begun)
highest = comm.gather(footprint.highest_memory())
if comm.Get_rank() == 0:
    seconds.sort()
    print(json.dumps({"median": seconds[steps // 2], "low": seconds[0], "high": seconds[-1], "bytes": highest}))
"""


@dataclass(frozen=True)
class Prediction:
    """A step of n particles on a number of ranks.

    seconds : float, of a step. exchange : float, the part of it that is exchange, in seconds.
    message : int, bytes that all ranks send together. bytes : float, memory of the largest rank.
    break_even : float, seconds that one round may take before exchange is a tenth of the step.
    """

    n: int
    ranks: int
    seconds: float
    exchange: float
    message: int
    bytes: float
    break_even: float


@dataclass(frozen=True)
class Cost:
    """The constants of one machine.

    particle_step : float, seconds of a particle-step on one thread. particle_bytes : float, memory of a particle.
    process_bytes : float, of a process without particles. latency : float, seconds of a round between two ranks.
    byte : float, seconds more for each byte that is exchanged.
    """

    particle_step: float
    particle_bytes: float
    process_bytes: float
    latency: float
    byte: float

    def predict(self, n, ranks, threads=1):
        """A step of bed K with n particles on a number of ranks with so many threads (cores) each -> Prediction."""
        division = Division(n, BLOCK, ranks)
        largest = max(len(division.particles(rank)) for rank in range(ranks))
        rounds, message = (ranks - 1).bit_length(), 16 * sum(map(len, division.nodes))
        compute = largest * self.particle_step / threads
        exchange = rounds * self.latency + message * self.byte if ranks > 1 else 0.0
        even = compute / 9 / rounds if rounds else float("inf")
        memory = self.process_bytes + largest * self.particle_bytes
        return Prediction(n, ranks, compute + exchange, exchange, message, memory, even)


def launcher():
    """The path of mpiexec, beside this Python or in PATH -> str; None without it, or without mpi4py."""
    beside = Path(sys.executable).parent / "mpiexec"
    if find_spec("mpi4py") is None:
        return None
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def exchange(ranks, doubles=2, calls=2000):
    """An exchange in which each rank sends so many numbers -> dict: median, low and high (10 and 90 %), in seconds.

    Raises
    ------
    FileNotFoundError
        There is no mpiexec, or no mpi4py.
    """
    return _ranked(_EXCHANGE, ranks, doubles, calls)


def step(n, ranks, steps=10, threads=1, dtype="float64", apart=False):
    """Steps of bed K on real ranks -> dict: median, low, high, in seconds; bytes, a list of each rank's highest memory.

    With ``apart=True`` each rank has a system of its own, of n / ranks particles: the same work at the same time,
    without messages.

    Raises
    ------
    FileNotFoundError
        There is no mpiexec, or no mpi4py.
    """
    return _ranked(_STEP, ranks, n, steps, threads, dtype, apart)


def _ranked(script, ranks, *arguments):
    """What rank 0 of a script prints, read as JSON."""
    command = launcher()
    if command is None:
        raise FileNotFoundError(
            "mpiexec or mpi4py is missing: pip install 'chaosnum[mpi]' brings mpi4py, an MPI brings mpiexec"
        )
    package = str(Path(chaosnum.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}
    command = [command, "-n", str(ranks), sys.executable, "-m", "mpi4py", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)
