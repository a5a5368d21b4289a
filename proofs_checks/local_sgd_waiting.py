"""S5.5: how long the workers of Local SGD and Overlap Local-SGD wait for each other with exponential compute times.

Statements, derived in ``chaosnum/max_plus.py``
    1. A blocking round of tau steps takes the mean maximum of m Gamma(tau) variables and comm; H_m + comm if tau = 1.
    2. One worker alone with overlap: E max(C, comm) a round.
    3. Several workers with overlap, tau = 1: comm + sum_k pi_k H_k an iteration, pi the stationary law of the number of
       workers that are later than the average; a chain on 0..m, solved exactly.

What is checked
    blocking: 1. alone: 2. overlapped: 3. The time of an iteration over long runs, exactly.

Controls
    no-waiting: the mean over workers in place of the last one. mean-worker: overlap whose average is launched when the
    mean worker is there. blocking: Local SGD.
"""

from functools import partial

import chaosnum as cn

SOURCE = "derived, in chaosnum/max_plus.py"
TIME = "time of an iteration"
ROUNDS, LEFT_OUT, SYSTEMS = 1000, 50, 8  # rounds of a run, of which the first are left out, and runs in a cell
SHORT = 0.346  # comm of the blocking claim, in steps


def blocking(tau, *, seed, workers, waiting=True):
    """Time of an iteration of Local SGD with exponential compute times of mean 1."""
    import numpy as np

    c = np.random.default_rng(seed).standard_exponential((int(workers), int(tau) * ROUNDS))
    c = c if waiting else c.mean(axis=0, keepdims=True)
    return float(cn.max_plus.per_iteration("local", c, SHORT, int(tau)))


BLOCKING = cn.Claim(
    "S5.5",
    "With exponential compute times a blocking round takes comm and the mean of the last worker's: H_m where tau = 1.",
    SOURCE,
    "tau",
    origin="derived",
    name="blocking",
    model="max-plus",
    measure=blocking,
    quantity=TIME,
    predicts=cn.ExactValue(
        lambda tau, workers: cn.max_plus.blocking_exponential(int(workers), SHORT, int(tau)), words="E max",
    ),
    scales=[1, 2, 8, 24],
    replicas={"quick": 16, "standard": 24, "full": 96},
    params={"workers": (4, 16)},
    domain={"workers": (0, 1e6)},
    controls=(
        cn.Control("no-waiting", "The mean over the workers in place of the last one.",
                   measure=partial(blocking, waiting=False), replicas=16),
    ),
)  # fmt: skip


def overlapped(workers, *, seed, comm, tau=1, method="overlap"):
    """Time of an iteration with exponential compute times of mean 1: mean over SYSTEMS runs."""
    import numpy as np

    c = np.random.default_rng(seed).standard_exponential((SYSTEMS, int(workers), int(tau) * ROUNDS))
    return float(cn.max_plus.per_iteration(method, c, comm, int(tau), skip=LEFT_OUT).mean())


def alone(tau, *, seed, comm, **how):
    """`overlapped` for one worker."""
    return overlapped(1, seed=seed, comm=comm, tau=tau, **how)


def mean_worker(workers, *, seed, comm):
    """Spoils: the average is launched when the mean worker has ended its round, tau = 1."""
    import numpy as np

    c = np.random.default_rng(seed).standard_exponential((ROUNDS, SYSTEMS, int(workers)))
    t, arrived, begun = np.zeros(c.shape[1:]), np.zeros(SYSTEMS), 0.0
    for k in range(ROUNDS):
        t = np.maximum(t + c[k], arrived[:, None])
        arrived = t.mean(axis=1) + comm
        begun = t.max(axis=1) if k == LEFT_OUT - 1 else begun
    return float((t.max(axis=1) - begun).mean() / (ROUNDS - LEFT_OUT))


def _claim(name, statement, scale, scales, measure, value, words, controls):
    return cn.Claim(
        "S5.5", statement, SOURCE, scale, origin="derived", name=name, model="max-plus", measure=measure, quantity=TIME,
        predicts=cn.ExactValue(value, words=words), scales=scales, controls=controls,
        replicas={"quick": 10, "standard": 24, "full": 96}, params={"comm": (1.0, 4.0)},
        domain={"comm": (0.0, float("inf"))},
    )  # fmt: skip


ALONE = _claim(
    "alone", "One worker with overlap and exponential compute times: E max(C, comm) a round, C Gamma(tau).",
    "tau", {"quick": [1, 8], "standard": [1, 2, 8]}, alone,
    lambda tau, comm: cn.max_plus.alone_exponential(comm, int(tau)), "E max",
    (cn.Control("blocking", "Local SGD, which waits for the all-reduce.", replicas=10, params={"method": "local"}),),
)  # fmt: skip
OVERLAPPED = _claim(
    "overlapped", "With overlap, tau = 1 and exponential compute times an iteration takes comm + the mean of H_late.",
    "workers", {"quick": [2, 16], "standard": [1, 2, 4, 16]}, overlapped,
    lambda workers, comm: cn.max_plus.overlapped_exponential(int(workers), comm), "E H_late",
    (
        cn.Control("mean-worker", "The average is launched when the mean worker is there.", replicas=10,
                   measure=mean_worker, scales=[4, 16]),
        cn.Control("blocking", "Local SGD, which waits for the all-reduce.", replicas=10, params={"method": "local"}),
    ),
)  # fmt: skip

CLAIMS = (BLOCKING, ALONE, OVERLAPPED)
