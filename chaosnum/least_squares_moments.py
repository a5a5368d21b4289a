"""The exact risk of SGD for least squares, averaged or not, by the recursion of the error's moments.

Statement. Let m_t and C_t be mean and second moment of the error w_t - w*, A = I - step H, and b the batch. Then

    m_t = A m_{t-1}
    C_t = C - step (HC + CH) + (step^2 / b) [M(C) + (b-1) HCH + Sigma - 2 T(m)],    C = C_{t-1}, m = m_{t-1},

with M, Sigma and T of :mod:`chaosnum.least_squares_populations`; and for t' > t  E (w_t' - w*)(w_t - w*)^T =
A^(t'-t) C_t, so that the average of N iterates from s on has the second moment

    (1/N^2) sum_t [C_t + sum_{k=1}^{s+N-1-t} (A^k C_t + C_t A^k)].

No approximation is made: these are the exact expectations at any step, batch, burn-in and length.

Derivation. A step is w - w* -> (I - step G) (w - w*) + step z, G the mean of the batch's x x^T and z that of e x, E z
= 0. E G C G = (M(C) + (b-1) HCH) / b, E z z^T = Sigma / b. The mixed term is E G m z^T = E e <x, m> x x^T / b = T(m)
/ b: it is zero for symmetric or well-specified populations, and it is there for data as long as the mean has not come
to rest.

Row i of sum_t sum_k A^k C_t is that of sum_t g_i(s+N-1-t) C_t, g_i(k) = a_i + ... + a_i^k and a_i = 1 - step lam_i. The
sums over powers of the affine map come from repeated squaring, so ten million steps cost as much as a hundred: 24
products of matrices of order 1 + d + D. Closed forms of g_i would cancel where N step lam_i is small.

The limits. C_inf solves the fixed point. As N grows the risk of the average tends to inflation sigma2_mle / (bN) with

    inflation = 1 + Tr H^-1 (M(C_inf) - H C_inf H) / Tr H^-1 Sigma
              <= 1 + (step R2 rho / (2b)) / (1 - step / step_max(rho = 1)),

at most 2 at half of step_max. Proof: with Y = H_L + H_R the fixed point is C = (step/b) Y^-1 (M(C) + (b-1) HCH +
Sigma); M(C) <= ||C|| R2 H and HCH <= ||C|| ||H|| H, so ||C|| (1 - step / step_max(rho = 1)) <= (step/b) ||Y^-1
Sigma||; and Tr H^-1 M(C) <= d R2 ||C||, where d ||Y^-1 Sigma|| = rho Tr H^-1 Sigma / 2. For Gaussian rows and Sigma =
noise H the final iterate's floor is (noise / 2) q / (1 - q), q = sum_i step lam_i / (b (2 - step lam_i (b+1) / b)).

What goes wrong: N step mu < 1 is no asymptotic regime, the "variance" then lies below sigma2_mle / (bN); and the
inflation's constants are about the law, those of a finite start are in the bias.

References: Jain et al., J. Mach. Learn. Res. 18 (2018) no. 223, section 3 and appendix, for the covariance recursion;
T, the sums and the constants are derived here.
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import at_least, finite_array, positive
from chaosnum.least_squares import second_moment_map, stable_step, step_max

LONG = 1e6  # time constants 1/(step mu): of the limit a part of order 1/LONG is missing


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and second moment, in coordinates (D,), of an error."""

    mean: np.ndarray
    second: np.ndarray


def at_start(population, start=None):
    """The moments of a known error; by default the population's start."""
    start = population.start if start is None else finite_array("start", start, ndim=1)
    if len(start) != population.d:
        raise ValueError(f"start must have {population.d} values, got {len(start)}")
    return Moments(start, population.vector(np.outer(start, start)))


def risk(population, moments):
    """The mean of L(w) - L(w*) -> float."""
    return 0.5 * float(population.eigenvalues @ population.diagonal(moments.second))


@one_thread()
def after(population, moments, *, step, batch, count):
    """The moments of the error `count` steps later -> Moments."""
    power, z = _affine(population, step, batch), _state(moments)
    count = at_least("count", count, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond step_div the moments themselves overflow
        while count:
            z = power @ z if count & 1 else z
            count >>= 1
            power = power @ power if count else power
    return _moments(population, z)


@one_thread()
def averaged(population, *, step, batch, burn, count, start=None):
    """The moments of the average of iterates burn, ..., burn + count - 1 -> Moments.

    Parameters
    ----------
    population : Population
    step : float, positive
    batch, burn, count : int
        b, s, N.
    start : Moments, optional
        Of the error at the start, by default the population's start.

    Returns
    -------
    Moments
    """
    count = at_least("count", count, 1)
    z = _state(after(population, start or at_start(population), step=step, batch=batch, count=burn))
    lam, (i, j), d = population.eigenvalues, population.pairs, population.d
    at = np.arange(len(i))
    with np.errstate(over="ignore", invalid="ignore"):
        plain, weighted = _sums(_affine(population, step, batch), z, 1.0 - step * lam, count)
        rest, second = weighted[1 + d :], plain[1 + d :]  # column i of the first: sum_t g_i C_t
        return Moments(plain[1 : 1 + d] / count, (second + rest[at, i] + rest[at, j]) / float(count) ** 2)


def excess(population, *, step, batch, burn, count, start=None, machines=1):
    """The mean excess risk of tail-averaged SGD, of the mean of the answers of several machines -> float.

    Infinite where it is beyond 1e308.
    """
    machines = at_least("machines", machines, 1)
    found = averaged(population, step=step, batch=batch, burn=burn, count=count, start=start)
    with np.errstate(over="ignore", invalid="ignore"):
        bias = 0.5 * float(population.eigenvalues @ found.mean**2)
        value = risk(population, found) / machines + (1.0 - 1.0 / machines) * bias
    return value if math.isfinite(value) else math.inf


@one_thread()
def stationary(population, *, step, batch):
    """C_inf, the second moment of the final iterate in the end -> Moments (its mean is 0)."""
    step = stable_step(population, step, batch)
    gap = np.eye(len(population.noise)) - second_moment_map(population, step, batch)
    return Moments(np.zeros(population.d), np.linalg.solve(gap, step**2 / batch * population.noise))


@one_thread()
def inflation(population, *, step, batch):
    """The limit of bN / sigma2_mle times the excess risk of the average -> float."""
    lam, (i, j) = population.eigenvalues, population.pairs
    C = stationary(population, step=step, batch=batch).second
    more = population.diagonal(population.fourth @ C - lam[i] * lam[j] * C) / lam
    return 1.0 + float(more.sum()) / (2.0 * population.sigma2_mle)


def inflation_of_runs(population, *, step, batch):
    """`inflation` without its formula: bN / sigma2_mle times the risk from w*, after LONG time constants -> float."""
    step = stable_step(population, step, batch)
    count = math.ceil(LONG / (step * population.mu))
    rest = at_start(population, np.zeros(population.d))
    risks = excess(population, step=step, batch=batch, burn=0, count=count, start=rest)
    return batch * count * risks / population.sigma2_mle


def inflation_bound(population, *, step, batch):
    """What `inflation` is at most: 1 + (step R2 rho / (2b)) / (1 - step / step_max(rho = 1)) -> float."""
    room = 1.0 - positive("step", step) / step_max(population, batch, rho=1.0)
    return 1.0 + step * population.R2 * population.rho / (2.0 * batch) / room if room > 0.0 else np.inf


def gaussian_floor(eigenvalues, noise, *, step, batch):
    """The final iterate's floor for Gaussian rows, (noise / 2) q / (1 - q), in closed form -> float.

    Raises
    ------
    ValueError
        There is none: the step is not below `step_div`, where q is 1.
    """
    lam, noise = finite_array("eigenvalues", eigenvalues, ndim=1), positive("noise", noise)
    step, batch = positive("step", step), at_least("batch", batch, 1)
    room = 2.0 - step * lam * (batch + 1) / batch
    q = float(np.sum(step * lam / (batch * room))) if (room > 0.0).all() else math.inf
    if not q < 1.0:
        raise ValueError(f"step must lie below the threshold of stability, q < 1, got {step:.6g} with q = {q:.3g}")
    return 0.5 * noise * q / (1.0 - q)


def _affine(population, step, batch):
    """The map of (1, m, C) in a step, shape (1 + d + D,) squared."""
    d, D = population.d, len(population.noise)
    full = np.zeros((1 + d + D, 1 + d + D))
    full[0, 0] = 1.0
    full[1 : 1 + d, 1 : 1 + d] = np.diag(1.0 - step * population.eigenvalues)
    full[1 + d :, 1 + d :] = second_moment_map(population, step, batch)
    full[1 + d :, 0] = step**2 / batch * population.noise
    if population.third is not None:
        full[1 + d :, 1 : 1 + d] = -2.0 * step**2 / batch * population.third
    return full


def _state(moments):
    return np.concatenate([[1.0], moments.mean, moments.second])


def _moments(population, z):
    return Moments(z[1 : 1 + population.d], z[1 + population.d :])


def _sums(affine, z, decay, count):
    """U = sum_{t < count} z_t, and sum_t g(count - 1 - t) z_t, a column for each decay, g(k) = sum_{j=1}^k decay^j.

    Over the binary digits of count, from g(n + k) = g(n) + decay^n g(k): sums of positive terms alone.
    """
    power, end, plain, weighted, g, done = affine, affine @ z, z, np.zeros((len(z), len(decay))), decay, 1
    for bit in bin(count)[3:]:
        shrunk = decay**done
        weighted = g * plain[:, None] + shrunk * weighted + power @ weighted
        plain, end, g = plain + power @ plain, power @ end, g * (1.0 + shrunk)
        power, done = power @ power, 2 * done
        if bit == "1":
            weighted, plain, end = decay * (weighted + plain[:, None]), plain + end, affine @ end
            power, g, done = affine @ power, decay * (1.0 + g), done + 1
    return plain, weighted
