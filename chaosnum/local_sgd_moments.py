"""Overlap Local-SGD on quadratics: mean, disagreement and noise floor exactly, for every step and number of workers.

Definition. Worker i has F_i(x) = 1/2 x'H_i x - b_i'x and additive noise (``chaosnum/local_sgd_quadratics.py``). All
models, with the anchor and its velocity (or what else the method keeps), are one vector s, and everything that happens
is linear in it:
    local step         s <- L s + u + w,    L = I - step H_i on the models,  u = step b_i,  w = -step noise xi,
    synchronisation    s <- S s             (``chaosnum/local_sgd.py``).
A round is R = S L^tau. If its spectral radius rho < 1, then at the start of a round
    mean        mu = (I - R)^-1 S sum_j L^j u,
    covariance  P  = R P R' + S (sum_j L^j Q L'^j) S',   Q = step^2 noise^2 on the models        (Lyapunov),
both carried on through the phases j = 0..tau-1 at which gradients are taken. Averages over the phases of quadratic
forms follow; the mean decays by rho a round in the end.

First order. With one H = h I, noise of total variance noise^2 d, z = 1 - pull, and h step tau small:
    effective step       step (1 - pull)/(1 - pull beta),
    disagreement         (1 - 1/m) step^2 noise^2 d (tau z^2/(1 - z^2) + (tau - 1)/2),
    floor E|y - x*|^2    step (1 - pull)/(1 - pull beta) noise^2 d/(2 h m),
    drift (no noise)     step^2 kappa^2 mean_{j<tau} (tau z/(1 - z) + j)^2,  kappa^2 = mean |grad F_i - grad F|^2.
Derivation of drift and disagreement: x_i - xbar gets -step (g_i - gbar) in a local step and is multiplied by z in a
synchronisation (beta has no part in it: the anchor is common). After j steps of a round the sum of past weights is
tau (z + z^2 + ..) + j, that of their squares tau (z^2 + z^4 + ..) + j. For cocod the weights are tau + j: only the
last round counts; for local j. At equal *effective* step overlap drifts by (tau/pull + j/(1 - pull))^2 against cocod's
(tau + j)^2, more for every pull; at equal *nominal* step by (tau (1 - pull)/pull + j)^2, less if pull > 1/2. The first
order is off by about h step tau; the exact values are not. Curvature contracts the deviations: (1 - step h) in place
of 1 in a local step makes the disagreement smaller, by 3 to 9 % at h step tau of 0.05 to 0.5.

What goes wrong: rho >= 1 (refused, with the largest step there is); a singular mean H, which has no x*.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chaosnum import blas, check
from chaosnum.local_sgd import Rule, State
from chaosnum.local_sgd_quadratics import Quadratics

WORK = 1e11  # tau times the cube of the numbers in a state: about a minute


@dataclass(frozen=True, eq=False)
class Moments:
    """A rule on quadratics as a periodic linear system, and what it predicts.

    Parameters
    ----------
    problem : Quadratics
    rule : Rule

    Raises
    ------
    ValueError
        Something else than Quadratics and a Rule; the rule does not converge on these quadratics (the line names the
        largest step that does), a step too small to be told from 0 in double precision, or so large a tau or fleet that
        a round takes more than WORK operations.
    """

    problem: Quadratics
    rule: Rule

    def __post_init__(self):
        for name, kind in (("problem", Quadratics), ("rule", Rule)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be a {kind.__name__}, got {type(getattr(self, name)).__name__}")
        models = self._slots * self.problem.dim
        if self.rule.tau * models**3 > WORK:
            most = int(WORK / models**3)
            if not most:
                raise ValueError(f"problem must have at most {int(WORK ** (1 / 3))} numbers in a state, got {models}")
            raise ValueError(f"tau must be at most {most} for the moments of {models} numbers, got {self.rule.tau}")
        if not self.radius < 1.0:
            largest = largest_step(self.problem, self.rule)
            if self.rule.step < 1e-6 * largest:
                raise ValueError(f"step must be large enough to be told from 0 here, got {self.rule.step:g}")
            raise ValueError(f"step must lie in (0, {largest:.6g}) to be stable here, got {self.rule.step:g}")

    @cached_property
    def radius(self):
        """Spectral radius of a round -> float."""
        return _radius(self.problem, self.rule)

    @property
    def effective_step(self):
        """-ln(radius)/(tau h), h the smallest curvature: the exact counterpart of `Rule.effective_step`."""
        return -np.log(self.radius) / (self.rule.tau * self.problem.curvatures[0])

    @cached_property
    def _phases(self):
        """Stationary means (slots, d) at the tau phases, and the covariance (slots d, slots d) averaged over them."""
        with blas.one_thread():
            return self._stationary()

    def _stationary(self):
        L, S = _local(self.problem, self.rule), _synchronise(self.problem, self.rule)
        models, m, d = len(L), self.problem.workers, self.problem.dim
        u, q = np.zeros(models), np.zeros(models)
        u[: m * d] = self.rule.step * self.problem.slopes.ravel()
        q[: m * d] = (self.rule.step * self.problem.noise) ** 2
        Q, moved, spread, R = np.diag(q), np.zeros(models), np.zeros((models, models)), S
        for _ in range(self.rule.tau):
            moved, spread, R = L @ moved + u, L @ spread @ L.T + Q, R @ L
        mean = np.linalg.solve(np.eye(models) - R, S @ moved)
        covariance, power = S @ spread @ S.T, R
        while np.abs(power).max() > 1e-18:  # doubling: sum over k < 2^n of R^k Q R'^k
            covariance = covariance + power @ covariance @ power.T
            power = power @ power
        means, total = [], np.zeros_like(covariance)
        for _ in range(self.rule.tau):
            means.append(mean.reshape(-1, d))
            total += covariance
            mean, covariance = L @ mean + u, L @ covariance @ L.T + Q
        return means, total / self.rule.tau

    def settled(self, systems=1):
        """The stationary mean at the start of a round, as a State of that many equal systems.

        A run that starts here has no transient but that of the noise, which is forgotten twice as fast as the mean.
        """
        m, mean, systems = self.problem.workers, self._phases[0][0], check.at_least("systems", systems, 1)
        state = State(np.repeat(mean[None, :m], systems, axis=0), self.rule)
        if self.rule.method == "overlap":
            state.anchor, state.velocity = (np.repeat(mean[None, m + j], systems, axis=0) for j in (0, 1))
        return state  # of cocod the kept models are those themselves: a round has just begun

    def disagreement(self):
        """Mean over phases of E mean_i |x_i - xbar|^2, noise and drift -> float."""
        m = self.problem.workers
        centre = np.zeros((m, self._slots))
        centre[:, :m] = (np.eye(m) - 1.0 / m) / m**0.5
        return self._form(centre)

    def floor(self):
        """Mean over phases of E |y - x*|^2 of the virtual sequence, noise and bias -> float."""
        return self._form(self._virtual, self.problem.optimum)

    def bias(self):
        """Mean over phases of |E y - x*|^2: what heterogeneous curvatures leave without noise -> float."""
        off = [self._virtual @ mean - self.problem.optimum for mean in self._phases[0]]
        return float(np.mean([(o**2).sum() for o in off]))

    def virtual_means(self, start, rounds):
        """E y - x* at the starts of rounds 0 to `rounds`, from a common `start` (d,) -> ndarray, (rounds + 1, d)."""
        L, S = _local(self.problem, self.rule), _synchronise(self.problem, self.rule)
        m, d = self.problem.workers, self.problem.dim
        s, start = np.zeros((self._slots, d)), check.finite_array("start", start, ndim=1)
        if len(start) != d:
            raise ValueError(f"start must have shape ({d},), got {start.shape}")
        s[: m + 1 if self.rule.method == "overlap" else self._slots] = start
        s, u = s.ravel(), np.zeros(len(L))
        u[: m * d] = self.rule.step * self.problem.slopes.ravel()
        found = [s]
        with blas.one_thread():
            for _ in range(check.at_least("rounds", rounds, 0)):
                for _ in range(self.rule.tau):
                    s = L @ s + u
                s = S @ s
                found.append(s)
        return np.array([self._virtual[0] @ s.reshape(-1, d) for s in found]) - self.problem.optimum

    @property
    def _slots(self):
        return _slots(self.problem, self.rule)

    @property
    def _virtual(self):
        m, row = self.problem.workers, np.zeros((1, self._slots))
        if self.rule.method != "overlap":
            row[0, :m] = 1.0 / m
            return row
        pull, beta = self.rule.pull, self.rule.beta
        row[0, :m], row[0, m:] = (1.0 - pull) / m, (pull * (1.0 - beta), pull * beta)
        return row / (1.0 - pull * beta)

    def _form(self, rows, centre=None):
        """Mean over phases of E |rows s - centre|^2; rows (k, slots) act on slots."""
        (means, covariance), d = self._phases, self.problem.dim
        off = [rows @ mean - (0.0 if centre is None else centre) for mean in means]
        blocks = covariance.reshape(self._slots, d, self._slots, d)
        return float(np.mean([(o**2).sum() for o in off]) + np.einsum("ka,aibi,kb->", rows, blocks, rows))


def largest_step(problem, rule):
    """The step at which the rule stops being stable on these quadratics -> float.

    Bisection on the spectral radius of a round, to 1e-9; the smallest such step where there are several.
    """

    def stable(step):
        return _radius(problem, Rule(step, rule.tau, rule.pull, rule.beta, rule.method)) < 1.0

    low = 1e-4 / np.abs(problem.hessians).sum(axis=2).max()
    if not stable(low):
        return 0.0
    while stable(2.0 * low):
        low *= 2.0
    high = 2.0 * low
    while high - low > 1e-9 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low


def disagreement_first_order(rule, workers, variance):
    """First order of the disagreement; `variance` is noise^2 d of one worker's gradient -> float."""
    weights, workers = _weights(rule, squares=True), check.at_least("workers", workers, 1)
    return float((1.0 - 1.0 / workers) * rule.step**2 * variance * weights.mean())


def drift_first_order(rule, heterogeneity):
    """First order of the disagreement without noise; `heterogeneity` is kappa^2 -> float."""
    return float(rule.step**2 * heterogeneity * (_weights(rule) ** 2).mean())


def floor_first_order(rule, workers, variance, h):
    """First order of E |y - x*|^2 for F = h |x|^2/2; `variance` is noise^2 d -> float."""
    return rule.effective_step * variance / (2.0 * check.positive("h", h) * check.at_least("workers", workers, 1))


def _weights(rule, squares=False):
    """Sum over the past of the weights (or of their squares) of gradients at each phase -> ndarray, shape (tau,)."""
    left = 1.0 - rule.pull
    past = {"overlap": left**2 / (1.0 - left**2) if squares else left / rule.pull, "local": 0.0, "cocod": 1.0}
    return rule.tau * past[rule.method] + np.arange(rule.tau)


def _slots(problem, rule):
    """Models and what else the method keeps: anchor and velocity, or the models at the start of the round."""
    return problem.workers + {"overlap": 2, "local": 0, "cocod": problem.workers}[rule.method]


def _local(problem, rule):
    """L of the primer."""
    m, d = problem.workers, problem.dim
    L = np.eye(_slots(problem, rule) * d)
    for i in range(m):
        L[i * d : (i + 1) * d, i * d : (i + 1) * d] -= rule.step * problem.hessians[i]
    return L


def _synchronise(problem, rule):
    """S of the primer."""
    m, n = problem.workers, _slots(problem, rule)
    S = np.zeros((n, n))
    if rule.method == "overlap":
        S[:m, :m], S[:m, m] = (1.0 - rule.pull) * np.eye(m), rule.pull
        mean = S[:m].mean(axis=0)
        S[m] = mean  # z' = beta v + xbar'
        S[m, m + 1] += rule.beta
        S[m + 1] = mean  # v' = beta v + xbar' - z
        S[m + 1, m] -= 1.0
        S[m + 1, m + 1] += rule.beta
    elif rule.method == "local":
        S[:] = 1.0 / m
    else:
        S[:m, :m] = np.eye(m)
        S[:m, m:] = 1.0 / m - np.eye(m)
        S[m:] = S[:m]
    return np.kron(S, np.eye(problem.dim))


def _radius(problem, rule):
    with blas.one_thread():
        R = _synchronise(problem, rule) @ np.linalg.matrix_power(_local(problem, rule), rule.tau)
        return float(np.abs(np.linalg.eigvals(R)).max()) if np.isfinite(R).all() else np.inf
