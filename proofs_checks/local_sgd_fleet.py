"""S5, what its claims run on: fleets of workers, and the ways to spoil Overlap Local-SGD.

Fleets. `quadratics`: one quadratic h x^2/2 on the line for every worker, tilted by gradients of mean square kappa^2,
with additive noise. `diabetes`: least squares with a ridge on patients sorted by how ill they are, so that each worker
sees another part of the range; full gradients with additive noise. A fleet is made by a function of the claim's
parameters, so that the same claims serve the fleet of a user (``proofs_checks/local_sgd.py``).

Spoilt. `frozen`: the anchor stays where it began. `first_worker`: the anchor is one worker's model in place of the
average of all. `shared`: half of the noise's variance is common to
all workers.
"""

from functools import lru_cache, partial

import chaosnum as cn

SOURCE = "Wang, Liang, Joshi, ICASSP 2020, arXiv 2002.09539; derived in chaosnum/local_sgd{}.py"
DOMAIN = {"pull": (0.0, 1.0), "step": (0.0, float("inf")), "noise": (0.0, float("inf")), "h": (0.0, float("inf"))}


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


def ready(make, tau, **params):
    """Refuses settings without a stationary state, such as a step above the stability threshold."""
    moments(make, tau, **params)


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
