"""What a computation costs besides its rate: memory, the start of a process; and the processor's limit.

* The limit is the rate of fused multiply-adds, by a loop that does nothing else: two chains of them an element, and
  enough elements in lockstep to keep both units of a core busy.
* Memory is the highest resident set of a process of its own, as the operating system saw it.
* Starts are measured in processes of their own, the first with an empty cache of compiled kernels.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import chaosnum
from chaosnum.jit import horner, kernel
from chaosnum.race import Peer, ready
from chaosnum.threads import over_blocks

_COEFFICIENTS = (0.1,) * 32
_PER_ELEMENT = 2 * (len(_COEFFICIENTS) - 1)

_MEMORY = """
import json, sys, time
from chaosnum import bench, footprint
n, steps, threads = map(int, sys.argv[1:4])
run = bench.our_steps(bench.Kuramoto(), n, threads, sys.argv[4]).run
run()
begun = time.perf_counter()
for _ in range(steps):
    run()
print(json.dumps({"seconds": (time.perf_counter() - begun) / steps, "bytes": footprint.highest_memory()}))
"""

_START = """
import json, sys, time
from chaosnum import bench, stable
stable.rvs(1.5, 1000, seed=1)
drawn = time.time()
for bed in (bench.Kuramoto(), bench.network_bed(100)):
    bench.our_steps(bed, 100, 1).run()
print(json.dumps({"draws": drawn, "steps": time.time()}))
"""


@kernel
def _multiply_add(x, times):
    for _ in range(times):
        for i in range(x.size):
            x[i] = horner(x[i], _COEFFICIENTS) + horner(-x[i], _COEFFICIENTS)


def multiply_adds(threads, *, rounds, seconds):
    """Fused multiply-adds of float64 a second on `threads` threads: the best of the rounds, as for a limit -> float."""
    x, times = np.zeros((threads, 512)), 400

    def run():
        over_blocks(lambda a, b: [_multiply_add(x[t], times) for t in range(a, b)], threads, threads, least=1)

    one = ready(Peer(run), seconds)
    return x.size * times * _PER_ELEMENT / min(one() for _ in range(rounds))


def highest_memory():
    """The highest resident set of this process so far -> int, bytes; None where the system does not tell."""
    try:  # getrusage would also count the parent, a copy of which this process was before it began
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else 1024 * highest


def memory(n, steps, threads, dtype="float64"):
    """Bed K with n particles in a process of its own -> dict of seconds (a step) and bytes (highest, or None)."""
    return _child(_MEMORY, n, steps, threads, dtype)


def start(folder):
    """A process that keeps its compiled kernels in `folder` -> dict: seconds until first draws, and first steps."""
    begun = time.time()
    return {name: at - begun for name, at in _child(_START, NUMBA_CACHE_DIR=folder).items()}


def starts():
    """The start with an empty cache, and again with the cache that this left -> pair of dict as from `start`."""
    with tempfile.TemporaryDirectory() as folder:
        return start(folder), start(folder)


def import_seconds():
    """The time of a process that does nothing but import the package -> float."""
    begun = time.perf_counter()
    _child("import chaosnum")
    return time.perf_counter() - begun


def _child(script, *arguments, **environment):
    """What a Python process of its own prints, read as JSON."""
    package = str(Path(chaosnum.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": paths} | environment
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout or "null")
