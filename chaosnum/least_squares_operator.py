"""SGD's constants straight from the law of the rows, on d x d matrices: what their formulas are checked against.

Definition. With H = E x x^T, Sigma = E e^2 x x^T, M(C) = E x x^T C x x^T as sums over the rows of a data set, or over
the kinds of a mixture of Gaussian rows, where a kind with covariance V has M(C) = 2 V C V + Tr(VC) V,

    C -> C - step (HC + CH) + (step^2 / b) (M(C) + (b-1) HCH)

is applied to matrices as it stands: neither the coordinates of :mod:`chaosnum.least_squares_populations`, nor its
tables of moments, nor the formula of ``step_div`` are used. The map preserves positive matrices, so its spectral radius
is its largest eigenvalue, which Lanczos's method finds from a positive definite matrix. As a function of the step that
is convex, 1 at step 0 with a negative slope, and at least 9 at step 4/||H||, where the mean itself grows: so it crosses
1 once, at the threshold of stability. The approach: for the leading matrix C at a step above the crossing, the step at
which C's own factor <C, map C> / <C, C> is 1 lies between the two, and so on, quadratically.

What goes wrong: the constants of a population whose moments were replaced are still those of its law here.

Reference: Parlett, The Symmetric Eigenvalue Problem (SIAM 1998), chapter 13.
"""

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from chaosnum.blas import one_thread
from chaosnum.check import at_least, positive

STEPS, ROUNDS = 200, 100  # of Lanczos's method and of the approach at most
CLOSE = 1e-11  # an approach as short as this is the last


@one_thread()
def step_crossing(population, batch):
    """The step at which E ||w||^2 turns from falling to growing, approached from above -> float."""
    H, fourth, b = _second(population)[0], _fourth(population), at_least("batch", batch, 1)
    step, C = 4.0 / float(np.linalg.eigvalsh(H)[-1]), None
    for _ in range(ROUNDS):
        C = _leading(H, fourth, step, b, C)[1]
        # C's own factor is 1 at this step, so that the largest is 1 or more: never below the crossing
        before, step = step, 2.0 * np.vdot(C, H @ C) * b / (np.vdot(C, fourth(C)) + (b - 1) * np.vdot(C, H @ C @ H))
        if step >= before * (1.0 - CLOSE):
            break
    return float(step)


@one_thread()
def mean_square_factor(population, step, batch):
    """The factor by which the mean square of the error changes in a step without noise, in the end -> float."""
    step, b = positive("step", step), at_least("batch", batch, 1)
    return _leading(_second(population)[0], _fourth(population), step, b)[0]


def _leading(H, fourth, step, b, first=None):
    """The map's largest eigenvalue and its matrix, of norm 1."""
    d = len(H)

    def mapped(c):
        C = c.reshape(d, d)
        HC = H @ C
        return (C - step * (HC + C @ H) + step**2 / b * (fourth(C) + (b - 1) * HC @ H)).ravel()

    if d == 1:
        return float(mapped(np.ones(1))[0]), np.ones((1, 1))
    # positive definite, so not orthogonal to the positive matrix that is sought
    first = np.eye(d) + 0.5 / d if first is None else first * np.sign(np.trace(first)) + 1e-3 * np.eye(d)
    operator = LinearOperator((d * d, d * d), matvec=mapped, dtype=np.float64)
    try:
        value, found = eigsh(operator, k=1, which="LA", v0=first.ravel(), tol=1e-9, maxiter=STEPS)
    except ArpackNoConvergence:  # eigenvalues that crowd below it, as slow directions make them
        return _dense(mapped, d)
    return float(value[0]), found[:, 0].reshape(d, d)


def _dense(mapped, d):
    """The same from the map's table on symmetric matrices."""
    i, j = np.triu_indices(d)
    unit = np.zeros((len(i), d, d))
    unit[np.arange(len(i)), i, j] = unit[np.arange(len(i)), j, i] = np.where(i == j, 1.0, np.sqrt(0.5))
    flat = unit.reshape(len(i), d * d)
    value, found = np.linalg.eigh(np.array([flat @ mapped(c) for c in flat]))
    return float(value[-1]), (found[:, -1] @ flat).reshape(d, d)


@one_thread()
def constants(population):
    """||H||, R2, rho and sigma2_mle -> dict of float.

    R2 is the largest eigenvalue of E ||x||^2 x x^T relative to H; Z = (H_L + H_R)^-1 Sigma solves HZ + ZH = Sigma.
    """
    H, noise = _second(population)
    size = _fourth(population)(np.eye(population.d))
    Z = linalg.solve_continuous_lyapunov(H, noise)
    trace = float(np.trace(Z))
    return {
        "largest": float(np.linalg.eigvalsh(H)[-1]),
        "R2": float(linalg.eigh(size, H, eigvals_only=True)[-1]),
        "rho": population.d * float(np.linalg.eigvalsh(Z)[-1]) / trace,
        "sigma2_mle": float(np.trace(linalg.solve(H, noise, assume_a="pos"))) / 2.0,
    }


def _second(population):
    """H and Sigma, shape (d, d)."""
    if population.rows is not None:
        x, e = population.rows
        return x.T @ x / len(x), (x * (e**2)[:, None]).T @ x / len(x)
    shares, variances, noises = population.kinds
    return np.diag(shares @ variances), np.diag((shares * noises) @ variances)


def _fourth(population):
    """The map M."""
    if population.rows is not None:
        x = population.rows[0]
        return lambda C: (x * np.einsum("ri,ri->r", x @ C, x)[:, None]).T @ x / len(x)
    shares, variances, _ = population.kinds

    def mapped(C):
        twice = 2.0 * np.einsum("k,ki,ij,kj->ij", shares, variances, C, variances)
        return twice + np.diag((shares * (variances @ np.diag(C))) @ variances)

    return mapped
