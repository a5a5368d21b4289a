"""S5, what its claims run on: fleets of workers, and the ways to spoil Overlap Local-SGD.

Fleets. `quadratics`: one quadratic h x^2/2 on the line for every worker, tilted by gradients of mean square kappa^2,
with additive noise. `diabetes`: least squares with a ridge on patients sorted by how ill they are, so that each worker
sees another part of the range; full gradients with additive noise. A fleet is made by a function of the claim's
parameters, so that the same claims serve the fleet of a user (``proofs_checks/local_sgd.py``).

Spoilt. `frozen`: the anchor stays where it began. `first_worker`: the anchor is one worker's model in place of the
average of all. `shared`: half of the noise's variance is common to all workers.
"""

from functools import lru_cache, partial

import chaosnum as cn

SOURCE = "Wang, Liang, Joshi, ICASSP 2020, arXiv 2002.09539; derived in chaosnum/local_sgd{}.py"
DOMAIN = {"pull": (0.0, 1.0), "step": (0.0, float("inf")), "noise": (0.0, float("inf")), "h": (0.0, float("inf"))}

SETTLED = 24.0  # time constants to the fixed point: e^-24 = 4e-11
ROUNDS = 25  # of a run on which the virtual sequence of a function is checked
LONGEST = 250_000  # local steps of one cell: some seconds


@lru_cache(maxsize=64)
def quadratics(workers=8, h=1.0, noise=0.0, tilt=0.0):
    """Alike on the line but for tilts of mean 0 and mean square kappa^2 -> Quadratics."""
    import numpy as np

    m = int(workers)
    tilts = np.linspace(-1.0, 1.0, m) if m > 1 else np.zeros(1)
    return cn.local_sgd_quadratics.Quadratics.same(m, h, noise, tilt * tilts / max((tilts**2).mean() ** 0.5, 1e-300))


@lru_cache(maxsize=16)
def diabetes(workers=8, ridge=0.3, noise=0.0):
    """Least squares on the diabetes data, sorted by target -> Quadratics."""
    import numpy as np

    X, y = cn.bundled.diabetes()
    parts = np.array_split(np.argsort(y, kind="stable"), int(workers))
    return cn.local_sgd_quadratics.Quadratics.of_shards([(X[i], y[i]) for i in parts], ridge=ridge, noise=noise)


@lru_cache(maxsize=256)
def _moments(make, rule, about):
    return cn.local_sgd_moments.Moments(make(**dict(about)), rule)


def moments(make, tau, step, pull, beta=0.0, method="overlap", **about):
    """The exact moments of a rule on the fleet `make(**about)` -> Moments."""
    rule = cn.local_sgd.Rule(step, int(tau), pull, beta, method)
    return _moments(make, rule, tuple(sorted(about.items())))


def ready(make, tau, *, step, pull, beta=0.0, method="overlap", **about):
    """Refuses settings without a stationary state, such as a step above the stability threshold, or a very late one."""
    affordable(make(**about), cn.local_sgd.Rule(step, int(tau), pull, beta, method))
    moments(make, tau, step, pull, beta, method, **about)


def affordable(problem, rule):
    """Refuses runs of more than LONGEST local steps.

    Parameters
    ----------
    problem : Quadratics, or None for a gradient function, of which nothing is known
    rule : Rule

    Raises
    ------
    ValueError
        A long round, or a small effective step.
    """
    if rule.tau > LONGEST // ROUNDS:
        raise ValueError(f"tau must be at most {LONGEST // ROUNDS}, {ROUNDS} rounds in {LONGEST} steps, got {rule.tau}")
    if problem is None:
        return
    least = SETTLED / (LONGEST * problem.curvatures[0])
    if rule.effective_step < least:
        raise ValueError(
            f"step must make the effective step {least:.3g} or more, {SETTLED:g} time constants of the slowest mode "
            f"in {LONGEST} local steps, got {rule.effective_step:.3g} from step = {rule.step:g}, pull = {rule.pull:g}"
        )


def of_fleet(function, make, **how):
    """A measure, prediction or check of the fleet `make`: its first argument, and how to spoil it, filled in."""
    return partial(function, make, **how)


def domain(params):
    """The ranges of those parameters that a claim has."""
    return {key: DOMAIN[key] for key in params if key in DOMAIN}


def frozen(state, k):
    """Spoils: the anchor is held where it began."""
    if k == 0:
        state.held = state.anchor.copy()
    state.anchor = state.held.copy()


def first_worker(state, k):
    """Spoils: the first worker's model in place of the average."""
    if k and k % state.rule.tau == 0:
        state.anchor = state.x[:, 0].copy()


def shared(problem):
    """Spoils: gradients of the fleet with half of the noise's variance common to all workers -> callable (x, rng)."""
    quiet = cn.local_sgd_quadratics.Quadratics(problem.hessians, problem.slopes)

    def gradient(x, rng):
        own, common = rng.standard_normal(x.shape), rng.standard_normal((len(x), 1, x.shape[2]))
        return quiet.gradient(x, rng) + problem.noise * 0.5**0.5 * (own + common)

    return gradient
