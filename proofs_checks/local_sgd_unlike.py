"""S5.2 where unlike data are all there is: the term in kappa of the explicit bound is needed, and is no wild guess.

Fleet. Half of the workers have f' = kappa + r tanh(x/r), the others f' = -kappa - r/2 tanh(x/r): L = 1, opposite
curvatures, and mean |f_i' - F'|^2 <= (kappa + 3 r/4)^2 everywhere. F' = r/4 tanh(x/r) and F >= F(0) = 0, without noise.
All workers begin next to the minimum of F and are driven from it: x_i - y is about -+ step tau kappa (1 - pull)/pull,
so that the mean of the f_i'(x_i) is 0 at a y where F' = 3/4 step tau kappa (1 - pull)/pull. Step and bound are those of
``chaosnum/local_sgd_bound.py``, with step (tau/pull - 1) = reach at every tau.

What is checked
    unlike-bound: the mean of |grad F(y_k)|^2 over the run is below the bound, whose term in kappa is nearly all of it,
        and within a factor of 50 (the optimum of such a bound would be a factor of 7: curvatures are L and -L/2).

Control
    no-kappa: the bound without its term in kappa, which is false.
"""

from math import cosh, log

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet
from proofs_checks.local_sgd_rate import GRADIENT, SOURCE, mean_square

LENGTH, START, WORKERS, ITERATIONS = 0.3, 0.02, 2, 4000


def _rule(tau, pull, reach):
    return cn.local_sgd.Rule(reach / (int(tau) / pull - 1.0), int(tau), pull)


def unlike(tau, *, seed, pull, reach, tilt):
    """Mean over iterations of |grad F(y_k)|^2."""
    import numpy as np

    first = (np.arange(WORKERS) % 2 == 0)[:, None]
    curvature, slope = np.where(first, 1.0, -0.5), np.where(first, tilt, -tilt)

    def gradient(x, rng):
        return slope + curvature * LENGTH * np.tanh(x / LENGTH)

    def full(w):
        return LENGTH / 4.0 * np.tanh(w / LENGTH)

    return mean_square(gradient, full, [START], _rule(tau, pull, reach), WORKERS, ITERATIONS, seed=seed, systems=1)


def bound(tau, *, pull, reach, tilt, apart=True):
    """The explicit bound, or what is left of it without the term in kappa."""
    gap = LENGTH**2 / 4.0 * log(cosh(START / LENGTH))
    kappa = (tilt + 0.75 * LENGTH) if apart else 0.0
    return cn.local_sgd_bound.gradient_bound(
        _rule(tau, pull, reach), WORKERS, ITERATIONS, L=1.0, gap=gap, variance=0.0, heterogeneity=kappa**2
    )


def without(tau, *, pull, reach, tilt):
    """`bound` without the term in kappa."""
    return bound(tau, pull=pull, reach=reach, tilt=tilt, apart=False)


UNLIKE = cn.Claim(
    "S5.2",
    "Without noise, unlike data of opposite curvatures keep the gradient at y from 0: below the bound's term in kappa.",
    SOURCE,
    "tau",
    origin="derived",
    name="unlike-bound",
    model="opposite",
    measure=unlike,
    quantity=GRADIENT,
    predicts=cn.Bound(bound, within=50.0),
    scales={"quick": [2], "standard": [2, 4, 8]},
    replicas=2,
    params={"pull": (0.4, 0.6), "reach": 0.05, "tilt": 1.0},
    domain=fleet.domain({"pull": 0}),
    ready=bound,
    controls=(cn.Control("no-kappa", "The bound without its term in kappa.", predicts=cn.Bound(without)),),
)

CLAIMS = (UNLIKE,)
