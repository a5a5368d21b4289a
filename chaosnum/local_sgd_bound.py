"""Overlap Local-SGD on nonconvex functions: an explicit bound of the mean squared gradient, derived here.

Setting. F = mean of f_1..f_m, each with L-Lipschitz gradient, F >= F_inf; worker i's noise has mean 0 and total
variance at most `variance`, independent over workers and steps; mean_i |grad f_i(x) - grad F(x)|^2 <= kappa^2 =
`heterogeneity` everywhere; beta = 0; all workers begin at one point. Write a = pull, z = 1 - a, s = step,
e = (1 - a) s, g_i = grad f_i(x_i), gbar their mean; y is the virtual sequence, V = E mean_i |x_i - y|^2.

Derivation
    1. y moves by -e (gbar + noise), so smoothness and -2 <p, q> = |p - q|^2 - |p|^2 - |q|^2 give, averaged over k < K,
           mean E|grad F(y)|^2 <= 2 (F(y_0) - F_inf)/(e K) + L e variance/m + L^2 mean V - (1 - L e) mean E|gbar|^2.
    2. From W (``chaosnum/local_sgd.py``), in phase j of a round, with weight z^n on what is n rounds old:
           x_i - y = -s [sum z^n (g_i - gbar) + a sum_{this round} gbar] + the same of the noise.
       The noise part of V is s^2 variance [(1 - 1/m) (tau z^2/(1 - z^2) + j) + a^2 j/m], where the mean of j is
       (tau - 1)/2. The other part by Cauchy-Schwarz, the weights adding up to S = tau/a - 1 at most, and
       mean_i |g_i - gbar|^2 <= 2 L^2 V + 2 kappa^2. Twice the sum of both parts bounds V:
           (1 - q) mean V <= 2 noise part + 4 s^2 S^2 kappa^2 + s^2 a^2 tau (tau - 1) mean E|gbar|^2,
       q = 4 s^2 L^2 S^2.
    3. If q < 1 and L^2 s^2 a^2 tau (tau - 1)/(1 - q) <= 1 - L e, the terms with gbar add up to less than 0:
           mean E|grad F(y)|^2 <= 2 (F_0 - F_inf)/(e K) + L e variance/m
                                  + L^2 [2 noise part + 4 s^2 S^2 kappa^2]/(1 - q).
With e = sqrt(m/K)/L the first two terms are (2 L (F_0 - F_inf) + variance)/sqrt(m K) and the rest is of order m/K. For
small steps and many workers the noise part of the rest is that of Cooperative SGD, recalled as
s^2 L^2 variance (tau (1 + z^2)/(1 - z^2) - 1).

How loose. In a quadratic well of curvature h = L the first two terms are twice what they bound: the descent step gives
away |gbar|^2, as large as |grad F|^2. So the mean tends to (L (F_0 - F_inf) + variance/2)/sqrt(m K) there. The terms
in kappa and tau are bounds only: their rate is not claimed to be sharp.

What goes wrong: the gradient at xbar or x_i in place of y; a step too large for 3, where there is no bound.
"""

import numpy as np

from chaosnum import check


def step_for(workers, iterations, pull, L=1.0):
    """The nominal step whose effective step is sqrt(m/K)/L -> float."""
    m, K = check.at_least("workers", workers, 1), check.at_least("iterations", iterations, 1)
    pull = check.in_range("pull", pull, 0.0, 1.0, open_high=True)
    return float(np.sqrt(m / K) / (check.positive("L", L) * (1.0 - pull)))


def gradient_bound(rule, workers, iterations, *, L, gap, variance, heterogeneity=0.0):
    """Bound of the mean over iterations of E|grad F(y_k)|^2 -> float.

    Parameters
    ----------
    rule : chaosnum.local_sgd.Rule, overlap with beta = 0
    workers, iterations : int >= 1
    L : float > 0, Lipschitz constant of every worker's gradient
    gap : float >= 0, F(start) - inf F
    variance : float >= 0, E|noise|^2 of one worker's gradient
    heterogeneity : float >= 0, kappa^2

    Raises
    ------
    ValueError
        An argument outside its range, another method, or a step too large for the bound: the line names the largest.
    """
    if rule.method != "overlap" or rule.beta:
        raise ValueError(f"rule must be overlap with beta = 0, got {rule.method}, beta = {rule.beta:g}")
    m, K = check.at_least("workers", workers, 1), check.at_least("iterations", iterations, 1)
    L, gap = check.positive("L", L), check.nonnegative("gap", gap)
    variance = check.nonnegative("variance", variance)
    heterogeneity = check.nonnegative("heterogeneity", heterogeneity)
    largest = largest_step(rule, L)
    if rule.step > largest:
        raise ValueError(f"step must lie in (0, {largest:.6g}] for the bound, got {rule.step:g}")
    s, e, tau, left = rule.step, rule.effective_step, rule.tau, (1.0 - rule.pull) ** 2
    past = tau * left / (1.0 - left) + (tau - 1) / 2.0
    noise = s**2 * variance * ((1.0 - 1.0 / m) * past + rule.pull**2 * (tau - 1) / (2.0 * m))
    drift = 4.0 * s**2 * (tau / rule.pull - 1.0) ** 2 * heterogeneity
    rest = L**2 * (2.0 * noise + drift) / (1.0 - _q(rule, s, L))
    return 2.0 * gap / (e * K) + L * e * variance / m + rest


def leading(workers, iterations, *, L, gap, variance):
    """(L gap + variance/2)/sqrt(m K), what the mean tends to in a well of curvature L at the step of `step_for`."""
    m, K = check.at_least("workers", workers, 1), check.at_least("iterations", iterations, 1)
    return (L * gap + variance / 2.0) / (m * K) ** 0.5


def largest_step(rule, L):
    """The largest nominal step for which step 3 of the derivation is valid -> float."""
    check.positive("L", L)

    def valid(s):
        q = _q(rule, s, L)
        spare = 1.0 - L * (1.0 - rule.pull) * s
        return q < 1.0 and (L * s * rule.pull) ** 2 * rule.tau * (rule.tau - 1) <= (1.0 - q) * spare

    low, high = 0.0, 1.0 / (L * (1.0 - rule.pull))
    if valid(high):
        return high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if valid(middle) else (low, middle)
    return low


def _q(rule, step, L):
    return 4.0 * (step * L * (rule.tau / rule.pull - 1.0)) ** 2
