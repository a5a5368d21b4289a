"""S5.5: what overlapping communication with computation saves, in the max-plus model of run time.

Statements, proved in ``chaosnum/max_plus.py``
    1. On every path overlap <= local <= sync, whatever the compute times.
    2. Deterministic compute times T: an iteration takes max(T, comm/tau); communication is hidden if and only if
       tau T >= comm.
    3. Exponential compute times: a blocking iteration takes T H_m + comm, H_m the harmonic number; a blocking round of
       tau iterations the mean maximum of m Gamma(tau) variables and comm.
    4. A worker that is always slow is NOT mitigated: no method is faster than its slowest worker. With deterministic
       times and tau T_slow >= comm overlap takes exactly T_slow an iteration. Stragglers that come and go are.
    5. The published overhead of communication of 34.6 % of the computation (16 workers, second-hand) is 0 in the model
       once tau >= 1; 1.5 % were left there, the time to copy messages, which is compute time and outside the model.

What is checked
    ordering: 1 with exponential times, passing stragglers, and a slow worker: the larger of the two ratios, every path.
    hidden: 2, exactly, and its threshold in tau. blocking: 3. slow-worker: 4. headline: 5 by 2.

Controls
    every-iteration: overlap that communicates after each iteration. twice-comm: an all-reduce twice as long. blocking:
    Local SGD. no-waiting: the mean over workers in place of the last one. moving: each time another one is slow.
"""

from functools import partial

import chaosnum as cn

SOURCE = "derived, in chaosnum/max_plus.py"
POSITIVE = (0.0, float("inf"))
KINDS = ("exponential", "stragglers", "slow")


def sampler(compute, mean=1.0):
    """A sampler of compute times, by name."""
    if compute == "exponential":
        return cn.max_plus.exponential(mean)
    if compute == "stragglers":
        return cn.max_plus.stragglers(mean=mean)
    return cn.max_plus.slow_worker(mean=mean, jitter=0.5)


def ordering(draw, tau, *, seed, comm, workers, rounds, often=False, **about):
    """max(overlap/local, local/sync) of one path of compute times."""
    import numpy as np

    tau, rng = int(tau), np.random.default_rng(seed)
    c = draw(**about)(rng, int(workers), tau * int(rounds))
    sync, local = (cn.max_plus.times(method, c, comm, tau)[-1] for method in ("sync", "local"))
    overlap = cn.max_plus.times("overlap", c, comm, 1 if often else tau)[-1]
    return max(overlap / local, local / sync)


def ordering_claim(draw, model, *, params, scales):
    """S5.5 for a sampler of compute times: overlap <= local <= sync, always."""
    return cn.Claim(
        "S5.5",
        "For all compute times overlap takes no longer than Local SGD, which takes no longer than synchronous SGD.",
        SOURCE,
        "tau",
        origin="derived",
        name="ordering",
        model=model,
        measure=partial(ordering, draw),
        quantity="max(overlap/local, local/sync)",
        predicts=cn.Bound(1.0, words="1"),
        scales=scales,
        replicas={"quick": 8, "standard": 32, "full": 256},
        params=params,
        domain={key: POSITIVE for key in ("comm",) if key in params},
        controls=(
            cn.Control("every-iteration", "An average is launched and awaited after every iteration, not every tau.",
                       measure=partial(ordering, draw, often=True), params={"comm": 20.0},
                       scales=[s for s in scales if s > 1]),
        ),
    )  # fmt: skip


ORDERING = ordering_claim(
    lambda compute: sampler(compute), "max-plus", scales=[1, 2, 8, 24],
    params={"compute": KINDS, "comm": (0.346, 4.0), "workers": 16, "rounds": 40},
)  # fmt: skip


# --- deterministic compute times -----------------------------------------------------------------------------------

TIME, RELATIVE = "time of an iteration", "time of an iteration / T"


def fixed_times(tau, *, seed, comm, workers, method="overlap", slow=1.0, longer=1.0, moving=False, rounds=60):
    """Time of an iteration in the later half of the rounds; compute times 1, but `slow` for the first worker."""
    import numpy as np

    tau, m = int(tau), int(workers)
    c = np.ones((m, tau * rounds))
    if moving:  # the slow worker is another one in every iteration
        c[np.arange(tau * rounds) % m, np.arange(tau * rounds)] = slow
    else:
        c[0] *= slow
    return float(cn.max_plus.per_iteration(method, c, longer * comm, tau, skip=rounds // 2))


def hidden(tau, **params):
    """Time of an iteration of overlap, for its value and for its threshold."""
    found = fixed_times(tau, **params)
    return {TIME: found, RELATIVE: found}


def _first_hidden(comm):
    from math import ceil

    return ceil(comm)


HIDDEN = cn.Claim(
    "S5.5",
    "With deterministic compute times T an iteration takes max(T, comm/tau): hidden if and only if tau T >= comm.",
    SOURCE,
    "tau",
    origin="derived",
    name="hidden",
    model="max-plus",
    measure=hidden,
    predicts={
        TIME: cn.ExactValue(lambda tau, comm: cn.max_plus.deterministic("overlap", 1.0, comm, tau), statistic="every",
                            words="max(T, comm/tau)"),
        RELATIVE: cn.Threshold(lambda comm: _first_hidden(comm) - 1, _first_hidden,
                               lambda comm: 0.5 + 0.5 * comm / (_first_hidden(comm) - 1), rising=False,
                               words="hidden from tau = comm/T"),
    },
    scales=[1, 2, 3, 4, 5, 6, 8, 16],
    replicas=2,
    params={"comm": (3.5, 5.0), "workers": 16},
    domain={"comm": (1.0, float("inf"))},
    controls=(
        cn.Control("twice-comm", "An all-reduce that takes twice as long.", params={"longer": 2.0}),
        cn.Control("blocking", "Local SGD: nothing is ever hidden.", params={"method": "local"}),
    ),
)  # fmt: skip

SLOW = cn.Claim(
    "S5.5",
    "A worker that is always slow sets the pace: it is NOT mitigated by overlapping, nor by fewer rounds.",
    SOURCE,
    "tau",
    origin="derived",
    qualified="overlap hides communication and passing delays; a persistent slow worker is not mitigated",
    name="slow-worker",
    model="max-plus",
    measure=fixed_times,
    quantity=TIME,
    predicts=cn.ExactValue(lambda tau, slow: slow, statistic="every", words="T of the slow worker"),
    scales=[1, 2, 8, 24],
    replicas=2,
    params={"comm": 0.346, "workers": 16, "slow": (1.5, 2.0, 4.0)},
    domain={"slow": (1.0, float("inf"))},
    controls=(
        cn.Control("moving", "In every iteration another worker is the slow one: that is mitigated.", scales=[2, 8, 24],
                   params={"moving": True}),
        cn.Control("blocking", "Local SGD, which also waits for the all-reduce.", params={"method": "local"}),
    ),
)  # fmt: skip


def headline(tau, *, seed, comm, workers, method="overlap"):
    """1 + share of an iteration's compute time that communication adds: synchronous SGD, and overlap."""
    common = {"comm": comm, "workers": workers, "seed": seed}
    return {
        "synchronous": fixed_times(tau, method="sync", **common),
        "overlapped": fixed_times(tau, method=method, **common),
    }


HEADLINE = cn.Claim(
    "S5.5",
    "Communication that takes 34.6 % of the computation is hidden wholly by overlapping.",
    "published overheads of 34.6 % and 1.5 % second-hand, of arXiv 2002.09539; derived in chaosnum/max_plus.py",
    "tau",
    origin="recalled",
    qualified="of 34.6 % the model leaves 0; the published residual of 1.5 % is the cost of copies, outside the model",
    name="headline",
    model="max-plus",
    measure=headline,
    predicts={
        "synchronous": cn.ExactValue(lambda tau, comm: 1.0 + comm, statistic="every", words="1 + comm/T"),
        "overlapped": cn.ExactValue(1.0, statistic="every", words="1"),
    },
    scales=[1, 2, 8, 24],
    replicas=2,
    params={"comm": 0.346, "workers": 16},
    domain={"comm": (0.0, 1.0)},
    controls=(
        cn.Control("blocking", "Local SGD: blocking averages.", params={"method": "local"},
                   predicts={"overlapped": cn.ExactValue(1.0, statistic="every", words="1")}),
    ),
)  # fmt: skip


# --- exponential compute times -------------------------------------------------------------------------------------


def blocking(tau, *, seed, comm, workers, rounds, waiting=True):
    """Time of an iteration of Local SGD with exponential compute times of mean 1."""
    import numpy as np

    c = np.random.default_rng(seed).standard_exponential((int(workers), int(tau) * int(rounds)))
    c = c if waiting else c.mean(axis=0, keepdims=True)
    return float(cn.max_plus.per_iteration("local", c, comm, int(tau)))


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
        lambda tau, comm, workers: cn.max_plus.blocking_exponential(int(workers), comm, int(tau)),
        words="(E max Gamma(tau) + comm)/tau",
    ),
    scales=[1, 2, 8, 24],
    replicas={"quick": 16, "standard": 24, "full": 96},
    params={"comm": 0.346, "workers": (4, 16), "rounds": 1000},
    domain={"comm": POSITIVE},
    controls=(
        cn.Control("no-waiting", "The mean over the workers in place of the last one.",
                   measure=partial(blocking, waiting=False), replicas=8),
    ),
)  # fmt: skip

CLAIMS = (ORDERING, HIDDEN, SLOW, HEADLINE, BLOCKING)
