"""The published bounds on averaged SGD for least squares, as numbers beside the exact risk.

Statements, with gamma = step <= step_max / 2, s iterates left out, N averaged, P machines, L0 = L(w_0) - L(w*),
sigma2 = sigma2_mle = Tr(H^-1 Sigma) / 2:

    tail average    E L - L* <= (2 / (gamma mu N)^2) (1 - gamma mu)^s L0 + 4 sigma2 / (bN)
    P averages      the first term times (2 + (1 - gamma mu)^s (P-1)) / (2P), the second over P
    doubling        (2bt / n)^(t / (4 kappa_b log kappa_b)) L0 + 80 sigma2 / n, kappa_b = 2 / (step_max(b) mu)
    companion       (sqrt(exp(-gamma mu s) R2 ||w_0 - w*||^2 / 2) + sqrt(c sigma2 / N))^2,
                    c = 1 + gamma R2 rho / (1 - gamma R2), for b = 1 and gamma < 1 / R2.

Derivation of the first, with a smaller constant, where the mixed moment T is zero. Then the risk is the bias B of a run
without noise plus the variance V of one that starts at w*. Let A = I - gamma H >= 0. Every C_t has the weight
H (I + 2 sum A^k) <= 2/gamma, so B <= (1 / (gamma N^2)) sum_t Tr C_t; and E ||w - w*||^2 falls by at least the factor
1 - gamma mu in each step (E ||x||^2 x x^T <= R2 H), so B <= ||w_0 - w*||^2 (1 - gamma mu)^s / (gamma^2 mu N^2), at
most the first term as 2 L0 >= mu ||w_0 - w*||^2. V <= inflation_bound sigma2 / (bN) <= 2 sigma2 / (bN), see
:mod:`chaosnum.least_squares_moments`. So 2 serves in place of 4; and where T is not zero, B + V is to be replaced by
(sqrt B + sqrt V)^2 <= 2B + 2V, which gives the 4 and twice the first term. The companion follows in the same way,
with 2 - gamma R2 in place of 1 - gamma R2.

What goes wrong: the bounds are worst cases over laws and starts. The constants 4 and 80 are 3 and 30 times what is
measured, and the bias term 10^3 times and more, as it takes every direction to be as slow as the slowest.

References: Jain, Kakade, Kidambi, Netrapalli, Sidford, J. Mach. Learn. Res. 18 (2018) no. 223, arXiv 1610.03774,
Theorem 1 and those on model averaging and on the doubling schedule (formulas from memory). Jain, Kakade, Kidambi,
Netrapalli, Pillutla, Sidford, A Markov chain theory approach to characterizing the minimax optimality of stochastic
gradient descent (for least squares), arXiv 1710.09430 (the companion; its bound as quoted second-hand).
"""

import math

from chaosnum.check import at_least, in_range, positive
from chaosnum.least_squares import condition, step_max
from chaosnum.least_squares_moments import inflation_bound

VARIANCE, DOUBLING = 4.0, 80.0  # the constants as published


def average_bound(population, *, step, batch, burn, count, machines=1):
    """The bound on the risk of the mean of P tail averages -> float.

    Parameters
    ----------
    population : Population
    step : float, positive
        The theorem takes at most half of `step_max`.
    batch, burn, count, machines : int
        b, s, N, P.
    """
    batch, burn, count = _lengths(batch, burn, count)
    step, machines = positive("step", step), at_least("machines", machines, 1)
    pace = step * population.mu
    left = max(0.0, 1.0 - pace) ** burn
    bias = (2.0 + left * (machines - 1)) / machines / (pace * count) ** 2 * left * population.initial_risk
    return bias + VARIANCE * population.sigma2_mle / (machines * batch * count)


def sharper_bound(population, *, step, batch, burn, count):
    """The bound that is derived above, for step <= step_max / 2: constants 2 (4 with a mixed moment) and 2 -> float."""
    batch, burn, count = _lengths(batch, burn, count)
    step = in_range("step", step, 0.0, step_max(population, batch) / 2.0)
    start = float(population.start @ population.start)
    bias = start * (1.0 - step * population.mu) ** burn / (population.mu * (step * count) ** 2)
    variance = inflation_bound(population, step=step, batch=batch) * population.sigma2_mle / (batch * count)
    return bias + variance if population.third is None else (math.sqrt(bias) + math.sqrt(variance)) ** 2


def companion_bound(population, *, step, burn, count):
    """The companion's bound, for batch 1 -> float.

    Raises
    ------
    ValueError
        The step is not below 1 / R2.
    """
    _, burn, count = _lengths(1, burn, count)
    step = in_range("step", step, 0.0, 1.0 / population.R2, open_high=True)
    reach = step * population.R2
    bias = 0.5 * math.exp(-step * population.mu * burn) * population.R2 * float(population.start @ population.start)
    variance = (1.0 + reach * population.rho / (1.0 - reach)) * population.sigma2_mle / count
    return (math.sqrt(bias) + math.sqrt(variance)) ** 2


def doubling_bound(population, *, samples, batch, epoch):
    """The doubling schedule's bound on the risk, from a first batch b with t steps an epoch -> float."""
    samples, epoch, kappa = at_least("samples", samples, 1), at_least("epoch", epoch, 2), condition(population, batch)
    pace = 4.0 * kappa * math.log(kappa) if kappa > 1.0 else 0.0  # 1: one column, of one size
    power = epoch / pace if pace > 0.0 else math.inf
    bias = min(1.0, 2.0 * batch * epoch / samples) ** power * population.initial_risk
    return bias + DOUBLING * population.sigma2_mle / samples


def _lengths(batch, burn, count):
    return at_least("batch", batch, 1), at_least("burn", burn, 0), at_least("count", count, 1)
