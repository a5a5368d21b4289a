"""Mini-batch averaged SGD for least squares: how large a step, how large a batch, and the runs themselves.

Setting. L(w) = E (y - <w, x>)^2 / 2 (with the half), H = E x x^T, mu its smallest eigenvalue, w* the minimum. With a
batch of b independent rows a step

    w_t = w_{t-1} - (step / b) sum_i (<w_{t-1}, x_i> - y_i) x_i,

and the answer is the average of w_s, ..., w_{s+N-1}: of n rows, N = floor(n / b) - s. The quantities of the theory:

    R2 = the least R^2 with E ||x||^2 x x^T <= R^2 H; max ||x||^2 is too large, E ||x||^2 too small
    rho = d ||(H_L + H_R)^-1 Sigma|| / Tr (H_L + H_R)^-1 Sigma, Sigma = E e^2 x x^T; 1 if Sigma is a multiple of H
    step_max(b) = 2 b / (R2 rho + (b - 1) ||H||); the theorems take half of it
    batch_thresh = 1 + R2 rho / ||H||.

Two facts, with their proofs.

1. *The exact threshold.* Without noise the error's second moment C moves by
       C -> C - step (HC + CH) + (step^2 / b) (M(C) + (b-1) HCH),   M(C) = E x x^T C x x^T.
   With Y = H_L + H_R and X_b = (M + (b-1) H_L H_R) / b this is I - step Y + step^2 X_b, self-adjoint for Tr CD and
   preserving positive matrices, so its spectral radius is its largest eigenvalue. That is below 1 if and only if
   step X_b < Y: step_div = 1 / (largest eigenvalue of Y^-1 X_b).
   Gaussian rows: sum_i step lam_i / (b (2 - step lam_i (b+1)/b)) < 1. With H = I: step_div = 2b / (d+b+1), and
   R2 = d+2, so step_max = step_div exactly.
2. *step_max <= step_div*, for every law: <C, M(C)> = E (x^T C x)^2 <= E ||x||^2 ||C x||^2 <= R2 Tr CHC, which is
   R2 / 2 times <C, Y C>, and Tr CHCH <= ||H|| Tr CHC. So Y^-1 X_b <= (R2 + (b-1) ||H||) / (2b), and rho >= 1.
   Up to batch_thresh step_max(b) >= (b/2) step_max(1), by its definition; beyond, it saturates at 2 / ||H||.

What goes wrong. A run may look stable beyond step_div: the mean of ||w - w*||^2 grows, by rare large values, while the
median still falls. And a faster step is not a faster run in proportion: at batch_thresh the step has 1/2 of b times the
first, the number of iterations for H = I 1/0.69 of a b-th.

References: Jain, Kakade, Kidambi, Netrapalli, Sidford, J. Mach. Learn. Res. 18 (2018) no. 223, arXiv 1610.03774 (its
formulas from memory; the two proofs are derived here).
"""

import math
from dataclasses import dataclass

import numpy as np

from chaosnum.blas import one_thread
from chaosnum.check import at_least, finite_array, in_range, positive
from chaosnum.least_squares_populations import Population

CHUNK = 100_000  # numbers drawn at a time
LARGEST_STEP = 10_000_000  # numbers that all runs together may draw in one step


@dataclass(frozen=True)
class Runs:
    """Errors of independent runs, in the eigenvectors of H, shape (systems, d) each.

    `average` of the averaged iterates, `square` the average of their squares (None unless asked for), and `final`.
    """

    average: np.ndarray
    final: np.ndarray
    square: np.ndarray | None = None


def step_max(population, batch, rho=None):
    """The maximal step 2b / (R2 rho + (b-1) ||H||) -> float; `rho`, 1 or more, replaces the population's."""
    b, own = at_least("batch", batch, 1), _of(population).rho
    rho = own if rho is None else in_range("rho", rho, 1.0, math.inf, open_low=False, open_high=True)
    return 2.0 * b / (population.R2 * rho + (b - 1) * population.largest)


def batch_thresh(population):
    """1 + R2 rho / ||H||, the batch beyond which the maximal step saturates -> float."""
    return 1.0 + population.R2 * population.rho / population.largest


def condition(population, batch):
    """kappa_b = (R2 rho + (b-1) ||H||) / (b mu) = 2 / (step_max mu) -> float."""
    return 2.0 / (step_max(population, batch) * population.mu)


@one_thread()
def step_div(population, batch):
    """The step beyond which the mean square of the error grows, 1 / (largest eigenvalue of Y^-1 X_b) -> float."""
    plus, times = _plus(population), _times(population)
    b = at_least("batch", batch, 1)
    root = 1.0 / np.sqrt(plus)
    scaled = root[:, None] * (population.fourth + (b - 1) * np.diag(times)) * root / b
    return 1.0 / float(np.linalg.eigvalsh(scaled)[-1])


def second_moment_map(population, step, batch):
    """The map of the error's second moment in a step without noise -> ndarray, float64, shape (D, D), symmetric."""
    step, b = positive("step", step), at_least("batch", batch, 1)
    return np.diag(1.0 - step * _plus(population)) + step**2 / b * (
        population.fourth + (b - 1) * np.diag(_times(population))
    )


@one_thread()
def spectral_radius(population, step, batch):
    """Of `second_moment_map`: the factor by which the mean square of the error changes in a step, in the end."""
    return float(np.linalg.eigvalsh(second_moment_map(population, step, batch))[-1])


def stable_step(population, step, batch):
    """A step below `step_div` -> float.

    Raises
    ------
    ValueError
        It is not; the line names the threshold.
    """
    step, limit = positive("step", step), step_div(population, batch)
    if not step < limit:
        raise ValueError(f"step must lie below step_div = {limit:.6g} at batch {batch}, got {step:.6g}")
    return step


def averaged_count(samples, batch, burn):
    """N = floor(samples / batch) - burn, the number of averaged iterates -> int.

    Raises
    ------
    ValueError
        It would be less than 1.
    """
    samples, batch = at_least("samples", samples, 1), at_least("batch", batch, 1)
    burn = at_least("burn", burn, 0)
    if samples // batch <= burn:
        need = batch * (burn + 1)
        raise ValueError(f"samples must be >= batch (burn + 1) = {need}, got {samples}")
    return samples // batch - burn


def run(population, *, step, batch, burn, count, systems, rng, start=None, sample=None, squares=False):
    """Independent runs of mini-batch SGD, their iterates burn, ..., burn + count - 1 averaged.

    Parameters
    ----------
    population : Population
    step : float > 0
        Not checked against `step_div`: a run may diverge on purpose.
    batch, burn, count, systems : int
        b, s, N, and the number of runs.
    rng : numpy.random.Generator
    start : ndarray, float64, shape (d,) or (systems, d), optional
        The error at the start, by default the population's.
    sample : callable (rng, shape) -> x, e, optional
        Draws the rows in place of the population's `sample`.
    squares : bool
        Also average the squares of the iterates' errors, whose risk is that of a single iterate.

    Returns
    -------
    Runs
        `final` is iterate burn + count - 1.

    Raises
    ------
    ValueError
        A setting out of its range, more than LARGEST_STEP numbers a step, draws of a wrong shape, or runs that leave
        the range of double precision (with the threshold).
    """
    d = _of(population).d
    step, b = positive("step", step), at_least("batch", batch, 1)
    burn, count, systems = at_least("burn", burn, 0), at_least("count", count, 1), at_least("systems", systems, 1)
    if systems * b * d > LARGEST_STEP:
        most = LARGEST_STEP // (systems * d)
        raise ValueError(f"batch must be <= {most} for {systems} runs in {d} columns, got {b}")
    generator("rng", rng)
    error, sample = _errors(population, start, systems), sample or population.sample
    with np.errstate(over="ignore", invalid="ignore"):
        ran = _run(error, sample, step / b, b, burn, count, rng, squares)
    if not all(np.isfinite(part).all() for part in (ran.average, ran.final)):
        at = f"step_div = {step_div(population, b):.6g} at batch {b}"
        raise ValueError(f"step must keep the runs below 1e308, got {step:.6g} beside {at}")
    return ran


def generator(name, rng):
    """A numpy.random.Generator -> itself."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"{name} must be a numpy.random.Generator, got {type(rng).__name__}")
    return rng


def _errors(population, start, systems):
    """The errors at the start, as an array of its own."""
    d = population.d
    start = population.start if start is None else finite_array("start", start)
    if start.shape not in ((d,), (systems, d)):
        raise ValueError(f"start must have shape ({d},) or ({systems}, {d}), got {start.shape}")
    return np.array(np.broadcast_to(start, (systems, d)))


def _run(error, sample, scaled, b, burn, count, rng, squares):
    systems, d = error.shape
    total = error.copy() if burn == 0 else np.zeros((systems, d))
    square = total**2 if squares else None
    left, t = burn + count - 1, 0
    while left:
        many = min(left, max(1, CHUNK // (systems * b * d)))
        x, e = sample(rng, (many, systems, b))
        if t == 0 and (np.shape(x), np.shape(e)) != ((many, systems, b, d), (many, systems, b)):
            want = f"{(many, systems, b, d)} and {(many, systems, b)}"
            raise ValueError(f"sample must return shapes {want}, got {np.shape(x)} and {np.shape(e)}")
        for rows, noise in zip(x, e):
            gap = np.einsum("sbd,sd->sb", rows, error)
            gap -= noise
            error -= scaled * np.einsum("sb,sbd->sd", gap, rows)
            t += 1
            if t >= burn:
                total += error
                if squares:
                    square += error**2
        left -= many
    return Runs(total / count, error, square / count if squares else None)


def risk(population, errors):
    """L(w) - L(w*) of errors, shape (..., d) -> ndarray, float64, shape (...)."""
    return 0.5 * np.asarray(errors) ** 2 @ population.eigenvalues


def _plus(population):
    """lam_i + lam_j of every coordinate."""
    i, j = _of(population).pairs
    return population.eigenvalues[i] + population.eigenvalues[j]


def _times(population):
    """lam_i lam_j of every coordinate."""
    i, j = population.pairs
    return population.eigenvalues[i] * population.eigenvalues[j]


def _of(population):
    if not isinstance(population, Population):
        raise ValueError(f"population must be a Population, got {type(population).__name__}")
    return population
