"""The run time of synchronous, local and overlapped SGD: who waits for whom.

Definition. Worker i needs c_ik seconds for its k-th local step, an all-reduce needs `comm` seconds. With C_i(a) the sum
of the tau steps of round a, the round ends on worker i at
    sync       blocking after every step:    t(k) = t(k-1) + max_i c_ik + comm,
    local      blocking after every round:   t(a) = t(a-1) + max_i C_i(a) + comm,
    overlap    the average launched at the end of round a - 1, when the last worker is there, must have arrived:
               t_i(a) = max(t_i(a-1) + C_i(a), max_j t_j(a-1) + comm)      (linear in the max-plus algebra).
CoCoD-SGD waits for the same average at the same moment: its run time is that of overlap. The run time is max_i t_i.

Statements
    1. overlap <= local <= sync on every path, for every compute times >= 0. Induction over rounds: if t_i(a-1) <= L,
       local's time, then both entries of the maximum are <= L + max_i C_i(a) + comm. And the maximum of sums over
       steps is at most the sum of maxima, tau times comm no less than comm.
    2. Deterministic steps of length c: an iteration takes c + comm, c + comm/tau, max(c, comm/tau). The all-reduce is
       hidden if and only if tau c >= comm.
    3. Blocking rounds are independent of each other: local takes (E max_i C_i + comm)/tau an iteration; for exponential
       steps of mean c and tau = 1 that is c H_m + comm, H_m = 1 + 1/2 + .. + 1/m; for tau > 1 C_i/c is Gamma(tau).
    4. overlap is at least as long as any one worker's compute time and as comm times the rounds. So a worker that is
       *always* slow sets the pace of all three: persistent stragglers are not mitigated. Passing ones are: a worker may
       be late by up to the slack of the others, once.
    5. One worker alone: max(C, comm) a round, with mean comm + int_comm^inf P(C > s) ds.
    6. Several workers with overlap, tau = 1, exponential steps of mean c. Let M be the end of the last round, l_i how
       much earlier worker i ended it. Worker i is *late* if c_ik > comm + l_i, and then late by an exponential time,
       whatever the past. If k are late, the round takes comm and the largest of k exponential times, c H_k in the
       mean; and the new l_i are the spacings of those k times, the workers that were not late being as early as all of
       them together. So the number of late workers is a Markov chain. Its transition from k: begin with n = m - k
       workers; for j = k, .., 1 let an exponential time of rate j pass, in which each of them drops out at rate 1,
       then one more joins; in the end each is late with probability exp(-comm/c). If n workers drop out at rate 1
       each, n' are left after a time of rate j with probability j/(n' + j) prod_{n' < i <= n} i/(i + j).
       In the mean an iteration takes comm + c sum_k pi_k H_k. For two workers, q = exp(-comm/c): pi_0 =
       (1 - q)(1 - q/2)/(1 + q (1 - q)/2), and an iteration comm + c q (1 + (1 + pi_0)(1 - q/2)/2).

What goes wrong: threads on a few cores as a measurement of run time; deterministic steps, which hide nothing of what
stragglers do; the time to copy a message, which is compute time and no part of comm (published overheads of 1.5 % where
this model says 0); the start, which is shorter than the stationary rounds: average over many rounds.

References: Baccelli, Cohen, Olsder, Quadrat, Synchronization and Linearity (1992), for the algebra; Wang, Liang, Joshi,
arXiv 2002.09539.
"""

import numpy as np
from scipy import integrate, special

from chaosnum import check

METHODS = ("sync", "local", "overlap")


def times(method, compute, comm, tau):
    """The time at which each round has ended on the last worker -> ndarray, float64, shape (..., rounds).

    Parameters
    ----------
    method : {"sync", "local", "overlap"}
    compute : array_like, float64, shape (..., workers, iterations), times of the steps, >= 0
        Leading axes are independent systems. Iterations beyond a whole number of rounds are not used.
    comm : float >= 0, time of an all-reduce
    tau : int >= 1, steps in a round

    Raises
    ------
    ValueError
        Negative, infinite or NaN times, no worker, or fewer iterations than a round.
    """
    check.one_of("method", method, METHODS)
    comm, tau, c = check.nonnegative("comm", comm), check.at_least("tau", tau, 1), _checked(compute, tau)
    rounds = c.shape[-1] // tau
    c = c[..., : rounds * tau].reshape(*c.shape[:-1], rounds, tau)
    if method == "sync":
        return (c.max(axis=-3) + comm).sum(axis=-1).cumsum(axis=-1)
    whole = c.sum(axis=-1)
    if method == "local":
        return (whole.max(axis=-2) + comm).cumsum(axis=-1)
    found = np.empty(whole.shape[:-2] + (rounds,))
    t, arrived = np.zeros(whole.shape[:-1]), np.zeros(whole.shape[:-2])  # the first anchor is there from the start
    for a in range(rounds):
        t = np.maximum(t + whole[..., a], arrived[..., None])
        found[..., a] = t.max(axis=-1)
        arrived = found[..., a] + comm
    return found


def per_iteration(method, compute, comm, tau, *, skip=0):
    """Mean time of an iteration after the first `skip` rounds -> ndarray, shape of the leading axes.

    Raises
    ------
    ValueError
        As `times`, or as many rounds skipped as there are.
    """
    t = times(method, compute, comm, tau)
    rounds = t.shape[-1]
    skip = check.whole("skip", skip, 0, rounds - 1)
    return (t[..., -1] - (t[..., skip - 1] if skip else 0.0)) / ((rounds - skip) * tau)


def exponential(mean=1.0):
    """Sampler of exponential step times: (rng, workers, iterations) -> ndarray of that shape."""
    mean = check.positive("mean", mean)
    return lambda rng, workers, iterations: mean * rng.standard_exponential((workers, iterations))


def stragglers(share=0.05, factor=6.0, mean=1.0):
    """Sampler of steps of length `mean` of which a random share takes `factor` times as long."""
    share = check.in_range("share", share, 0.0, 1.0, open_low=False)
    factor, mean = check.positive("factor", factor), check.positive("mean", mean)
    return lambda rng, workers, iterations: mean * np.where(rng.random((workers, iterations)) < share, factor, 1.0)


def slow_worker(factor=2.0, jitter=0.0, mean=1.0):
    """Sampler where the first worker always takes `factor` times as long; `jitter` in [0, 1] mixes in exponentials."""
    factor, mean = check.positive("factor", factor), check.positive("mean", mean)
    jitter = check.in_range("jitter", jitter, 0.0, 1.0, open_low=False)

    def sample(rng, workers, iterations):
        c = np.full((workers, iterations), mean)
        if jitter:
            c *= 1.0 - jitter + jitter * rng.standard_exponential((workers, iterations))
        c[0] *= factor
        return c

    return sample


def deterministic(method, step_time, comm, tau):
    """Statement 2 -> float, time of an iteration."""
    step_time, comm = check.positive("step_time", step_time), check.nonnegative("comm", comm)
    tau = check.at_least("tau", tau, 1)
    formula = {
        "sync": step_time + comm, "local": step_time + comm / tau, "overlap": max(step_time, comm / tau),
    }  # fmt: skip
    return formula[check.one_of("method", method, METHODS)]


def harmonic(workers):
    """H_m, the mean of the largest of m standard exponential variables -> float."""
    return float((1.0 / np.arange(1, check.at_least("workers", workers, 1) + 1)).sum())


def blocking_exponential(workers, comm, tau, mean=1.0):
    """Statement 3: time of an iteration of Local SGD with exponential steps -> float.

    E max of m Gamma(tau) variables by quadrature of 1 - F^m, to 1e-9; the harmonic number if tau = 1.
    """
    m, tau = check.at_least("workers", workers, 1), check.at_least("tau", tau, 1)
    comm, mean = check.nonnegative("comm", comm), check.positive("mean", mean)
    if tau == 1:
        return mean * harmonic(m) + comm

    def above(s):  # 1 - F^m, without cancellation in the tail
        below, beyond = special.gammainc(tau, s), special.gammaincc(tau, s)
        return 1.0 - below**m if below < 0.5 else -np.expm1(m * np.log1p(-beyond))

    end = tau + 40.0 * tau**0.5 + 40.0 + np.log(m)
    largest, _ = integrate.quad(above, 0.0, end, epsabs=1e-10, epsrel=1e-10, limit=400, points=[tau])
    return (mean * largest + comm) / tau


def alone_exponential(comm, tau, mean=1.0):
    """Statement 5: time of an iteration of overlap with one worker, exponential steps -> float."""
    comm, tau, mean = check.nonnegative("comm", comm), check.at_least("tau", tau, 1), check.positive("mean", mean)
    s = comm / mean  # E max(C, s) = s F(s) + E[C; C > s], C Gamma(tau)
    return mean * (s * special.gammainc(tau, s) + tau * special.gammaincc(tau + 1, s)) / tau


def overlapped_exponential(workers, comm, mean=1.0):
    """Statement 6: time of an iteration of overlap with exponential steps and tau = 1 -> float; cost workers^4."""
    m, comm = check.whole("workers", workers, 1, 256), check.nonnegative("comm", comm)
    mean = check.positive("mean", mean)
    number, harmonics = np.arange(m + 1), np.append(0.0, (1.0 / np.arange(1, m + 1)).cumsum())
    chain = np.eye(m + 1)[::-1]  # row k: how many workers there are, at first m - k
    for j in range(m, 0, -1):
        left = np.zeros((m + 1, m + 1))  # [n, n']
        for n in number:
            kept = number[n:0:-1] / (number[n:0:-1] + j)
            left[n, n::-1] = np.append(1.0, kept.cumprod()) * j / (number[n::-1] + j)
        chain[j:, 1:] = (chain[j:] @ left)[:, :-1]
        chain[j:, 0] = 0.0
    q, never = np.exp(-comm / mean), np.maximum(number[:, None] - number, 0)
    late = special.binom(number[:, None], number) * q**number * (-np.expm1(-comm / mean)) ** never
    moves = chain @ late
    equations = np.vstack([moves.T - np.eye(m + 1), np.ones(m + 1)])
    stationary = np.linalg.lstsq(equations, np.append(np.zeros(m + 1), 1.0), rcond=None)[0]
    return comm + mean * float(stationary @ harmonics)


def _checked(compute, tau):
    c = check.finite_array("compute", compute)
    if c.ndim < 2 or c.shape[-2] == 0:
        raise ValueError(f"compute must have shape (..., workers, iterations), got {c.shape}")
    if c.shape[-1] < tau:
        raise ValueError(f"compute must hold a round, {tau} iterations or more, got {c.shape[-1]}")
    if (c < 0.0).any():
        raise ValueError(f"compute must hold times >= 0, got {float(c.min())!r}")
    return c
