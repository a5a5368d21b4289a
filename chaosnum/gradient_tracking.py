"""Stochastic gradient tracking over time-varying directed graphs: the iteration, simulated agent by agent.

Definition. Agents 1, ..., m minimise f_1 + ... + f_m on R^d by exchanging vectors along directed graphs that change
with time. Each holds an estimate x_i of the optimum and a tracker y_i of the summed gradient:

    x_i^{k+1} = sum_j [A_k]_ij x_j^k - s y_i^k
    y_i^{k+1} = sum_j [B_k]_ij y_j^k + g_i^{k+1} - g_i^k,        y_i^0 = g_i^0,

A_k row-stochastic, B_k column-stochastic (``digraphs.py``), g_i^k the oracle's noisy gradient of f_i at x_i^k, drawn
once for each k and i. This is the AB or Push-Pull method; with noise and changing graphs it is called SAB-TV.

Statement. Columns of sum 1 keep sum_i y_i^k = sum_i g_i^k, so agreement is possible only where the summed gradient is
zero. Hence without noise and for small s the error goes to zero, linearly, at the optimum of the *unweighted* sum,
however unbalanced the graphs. With noise the agents come linearly to within a distance whose square is proportional to
s, and of each other to one whose square is of order s^2. Rates and floors are exact in ``gradient_tracking_law.py``.

Methods beside "tracking", to see what its parts are for:

* "untracked": x^{k+1} = A_k x^k - s g^k. It converges to the optimum of sum_i phi_i f_i, another point.
* "zero-start": y^0 = 0. The invariant is off by g^0 for ever, and the limit is wrong.
* "same-sample": g^{k+1} - g^k with one sample xi for both: an oracle call more, another method. Additive noise cancels
  but for that of g^0, which stays for ever.
* "resampled": g^{k+1} - g^k with a second, independent sample for g^k. The invariant performs a random walk.

What goes wrong: averages over time that begin before the transient is gone, or that take some phases of the period
more often than others; the step for the average of the f_i used for their sum.

References: D. T. A. Nguyen, D. T. Nguyen, A. Nedic, arXiv 2305.00629 (SAB-TV), and arXiv 2209.06974 (its deterministic
form); Xin and Khan, IEEE Control Syst. Lett. 2 (2018); Pu, Shi, Xu, Nedic, IEEE Trans. Autom. Control 66 (2021).
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum.check import finite_array, one_of, positive, whole
from chaosnum.gradient_tracking_law import check_agents

SAMPLES = 200  # of a window, or a few more
METHODS = ("tracking", "untracked", "zero-start", "same-sample", "resampled")


@dataclass(frozen=True, eq=False)
class Plateau:
    """Averages over time, agents and replicas, as :class:`gradient_tracking_law.Floor` has their expectations.

    Attributes
    ----------
    agents, average, consensus : float
        Of |x_i - x*|^2, |xhat - x*|^2 and |x_i - xhat|^2, xhat = phi_k^T x.
    mean : ndarray, float64, shape (d,)
        Mean of x_i - x*.
    means : ndarray, float64, shape (replicas, d)
        The same for each replica.
    """

    agents: float
    average: float
    consensus: float
    mean: np.ndarray
    means: np.ndarray


def iterate(objectives, graphs, step, *, replicas=1, seed=None, start=None, method="tracking"):
    """The iteration, as a generator of the x^k, k = 0, 1, 2, ...

    Parameters
    ----------
    objectives : gradient_tracking_objectives.Objectives, m agents in R^d
    graphs : digraphs.Digraphs, m agents
    step : float > 0
    replicas : int
        Independent copies, side by side.
    seed : int, optional
        Of the oracle's noise; without one the gradients are exact.
    start : array_like, float64, shape (m, d) or (m, replicas, d), optional
        x^0; by default every agent is at the optimum.
    method : {"tracking", "untracked", "zero-start", "same-sample", "resampled"}

    Yields
    ------
    ndarray, float64, shape (m, replicas, d)

    Raises
    ------
    ValueError
        step <= 0, unknown method, numbers of agents that differ, a start of the wrong shape or not finite, a seed that
        is no whole number.
    """
    check_agents(objectives, graphs)
    s, method = positive("step", step), one_of("method", method, METHODS)
    m, d, replicas = objectives.agents, objectives.dim, whole("replicas", replicas, 1)
    x = _start(start, objectives, replicas)
    rng = None if seed is None else np.random.Generator(np.random.SFC64(whole("seed", seed, 0)))
    return _iterate(objectives, graphs, s, rng, np.ascontiguousarray(x), (m, replicas, d), method)


def _iterate(objectives, graphs, s, rng, x, shape, method):
    def gradient(x, xi):
        return objectives.gradient(x) if rng is None else objectives.noisy(x, xi)

    def draw():
        return None if rng is None else objectives.draw(rng, shape[1])

    flat = shape[0], shape[1] * shape[2]
    g = gradient(x, draw())
    y = np.zeros(shape) if method == "zero-start" else g
    k = 0
    while True:
        yield x
        A, B = graphs.A[k % graphs.period], graphs.B[k % graphs.period]
        previous, x = x, (A @ x.reshape(flat)).reshape(shape) - s * (g if method == "untracked" else y)
        xi = draw()
        if method in ("same-sample", "resampled"):
            g = gradient(previous, xi if method == "same-sample" else draw())
        new = gradient(x, xi)
        if method != "untracked":
            y = (B @ y.reshape(flat)).reshape(shape)
            y += new - g  # exact where they are close: round-off does not add up
        g, k = new, k + 1


def plateau(objectives, graphs, step, *, burn, window, replicas, seed, method="tracking", start=None):
    """Run with noise and average the squared errors after the transient.

    Parameters
    ----------
    objectives, graphs, step, replicas, seed, method, start : as for :func:`iterate`
    burn : int >= 0
        Iterations before averaging begins; about 10 / (1 - rate).
    window : int >= 1
        Iterations to average over, rounded up to whole periods.

    Returns
    -------
    Plateau

    Raises
    ------
    ValueError
        As :func:`iterate`; a run that overflows.
    """
    burn, window, replicas = whole("burn", burn, 0), whole("window", window, 1), whole("replicas", replicas, 1)
    path = iterate(objectives, graphs, step, replicas=replicas, seed=whole("seed", seed, 0), start=start, method=method)
    # neighbouring iterates say the same: one in `stride`, coprime to the period so that all phases come equally often
    stride = next(q for q in range(max(1, window // SAMPLES), 10 * window + 9) if math.gcd(q, graphs.period) == 1)
    count = graphs.period * math.ceil(window / (stride * graphs.period))
    last = burn + stride * (count - 1)
    optimum, sums, mean = objectives.optimum, np.zeros(3), np.zeros((replicas, objectives.dim))
    with np.errstate(over="ignore", invalid="ignore"):
        for k, x in enumerate(path):
            if k >= burn and (k - burn) % stride == 0:
                error = x - optimum
                average = (graphs.phi[k % graphs.period] @ error.reshape(len(x), -1)).reshape(error.shape[1:])
                apart = error - average
                sums += np.vdot(error, error) / len(x), np.vdot(average, average), np.vdot(apart, apart) / len(x)
                mean += error.mean(axis=0)
            if k == last:
                break
    if not np.isfinite(sums).all():
        raise ValueError(f"step must be one at which the iteration does not overflow, got {step:g}")
    means = mean / count
    return Plateau(*(sums / (count * replicas)).tolist(), mean=means.mean(axis=0), means=means)


def errors(objectives, graphs, step, iterations, *, start, method="tracking"):
    """Root mean square of |x_i - x*| over the agents without noise, at k = 0, ..., iterations -> ndarray, float64.

    Parameters
    ----------
    objectives, graphs, step, start, method : as for :func:`iterate`
    iterations : int >= 1

    Raises
    ------
    ValueError
        As :func:`iterate`.
    """
    iterations = whole("iterations", iterations, 1)
    path, found = iterate(objectives, graphs, step, start=start, method=method), np.empty(iterations + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, x in zip(range(iterations + 1), path):
            error = x - objectives.optimum
            found[k] = np.vdot(error, error) / len(x)
    return np.sqrt(found)


def fitted_rate(errors, period, *, low=1e-12, high=1e-5):
    """Factor per iteration by which the errors fall: least squares of their logarithm, averaged over periods.

    Parameters
    ----------
    errors : array_like, float64, shape (iterations + 1,)
    period : int
        Of the graphs: logarithms are averaged over whole periods, which removes the ripple.
    low, high : float
        The part of the curve that is used, relative to errors[0]: above round-off, after the transient. Where the
        errors stay above `high`, the second half of the curve is used.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        No errors, or fewer than three periods in that part.
    """
    errors, period = finite_array("errors", errors, ndim=1), whole("period", period, 1)
    if not len(errors):
        raise ValueError("errors must have one value for each iteration, got none")
    size = errors / errors[0] if errors[0] > 0 else errors
    first = int(np.argmax(size < high)) if (size < high).any() else len(size) // 2
    end = int(np.argmax(size < low)) if (size < low).any() else len(size)
    count = (end - first) // period
    if count < 3:
        raise ValueError(f"errors must have three periods or more between {low:g} and {high:g}, got {max(count, 0)}")
    logs = np.log(np.maximum(size[first : first + count * period], 1e-300)).reshape(count, period).mean(axis=1)
    return float(math.exp(np.polyfit(np.arange(count), logs, 1)[0] / period))


def _start(start, objectives, replicas):
    m, d = objectives.agents, objectives.dim
    if start is None:
        return np.tile(objectives.optimum, (m, replicas, 1))
    start = finite_array("start", start)
    if start.shape == (m, d):
        start = np.repeat(start[:, None], replicas, axis=1)
    if start.shape != (m, replicas, d):
        raise ValueError(f"start must have shape {(m, d)} or {(m, replicas, d)}, got {start.shape}")
    return start
