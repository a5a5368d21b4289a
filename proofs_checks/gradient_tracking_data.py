"""S4 on real data: logistic regression on the breast cancer set, eight agents, shards sorted by label.

Statement
    569 tumours, 30 standardised measurements, ridge 0.05; rows sorted by label and cut into eight shards of 71, so that
    most agents see one label only. The oracle takes one row of the shard. Gradient tracking is no linear system here,
    but near the optimum it is one: Hessians and the oracle's covariance at x*, and the growth of that covariance with
    the distance from it, give a Lyapunov prediction of the plateau with nothing fitted.

What is checked
    linear-rate (S4.1)  Full gradients: the error falls to round-off, and the decay, -log(rate), is that of the
        linearisation to 1 %. Several modes decay nearly as slowly, those that the ridge alone holds; runs begin near
        the slowest.
    small-step-laws (S4.3)  The linearisation's decay and floor over s a lambda_min and s V, at the step 0.004.
    noise-floor (S4.2)  The plateaus of agents, average and disagreement against the Lyapunov prediction. What it leaves
        out, the third derivatives, is of the order of the step, as the known growth of the covariance is, which adds
        2 % at the step 0.04 and 7 % at 0.08: up to 0.04 5 % are allowed, and in proportion to the step beyond.
        The disagreement is of order s^2 (S4.4): a slope of 2.01 to 2.08 is predicted at these steps, hence a margin of
        0.15.

Controls
    untracked and zero-start, full gradients: other limits. equal-covariance: a prediction that takes the oracle's noise
    for the same everywhere, of the same total variance. no-burn-in: averaged from a far start on.
"""

from dataclasses import replace
from functools import lru_cache

import chaosnum as cn
from proofs_checks import gradient_tracking_noise
from proofs_checks import gradient_tracking_runs as runs
from proofs_checks.gradient_tracking_runs import DERIVED, law, of

RIDGE, AGENTS, PERIOD = 0.05, 8, 3
BATCH, BURN, WINDOW = 32, 2.0, 4.0  # runs behind one replica, time constants: what these leave of a transient is 0.2 %
LEAST = 0.004  # the step for the small-step laws
LINEAR = 0.04  # the step up to which 5 % are allowed
STEPS = {"quick": [0.08, 0.056, 0.04], "standard": [0.04, 0.028, 0.02], "full": [0.04, 0.02, 0.01]}


@lru_cache(maxsize=1)
def system():
    """The regression on random graphs; scales are steps -> runs.System."""
    X, y = cn.bundled.breast_cancer()
    objectives = cn.gradient_tracking_objectives.logistic(X, y, RIDGE, AGENTS)
    return runs.System(objectives, cn.digraphs.random(AGENTS, PERIOD, seed=runs.GRAPHS), unit=1.0)


@lru_cache(maxsize=1)
def equal():
    """The same with one covariance for all agents and directions, of the same trace -> runs.System."""
    import numpy as np

    own = system().objectives
    mean = np.einsum("idd->", own.covariances) / own.covariances.shape[0] / own.dim
    same = np.tile(mean * np.eye(own.dim), (own.agents, 1, 1))
    return runs.System(replace(own, covariances=same, excess=None), system().graphs, unit=1.0)


def plateau(step, *, seed, **options):
    """`runs.plateau` with smaller batches, for less time: the smallest step takes 6,000 iterations."""
    found = runs.plateau(step, seed=seed, **{"batch": BATCH, "burns": BURN, "window": WINDOW} | options)
    return found | {"consensus against the step": found["consensus"]}


def _allowed(step):
    return runs.LINEARISED * max(1.0, step / LINEAR)


def _around(value, room):
    """A curve and its tolerance, both functions of the step."""
    return {"curve": value, "lower": lambda step: value(step) * (1.0 - room(step)),
            "upper": lambda step: value(step) * (1.0 + room(step))}  # fmt: skip


def _predicted(system, key):
    value = law(system, lambda own, step: getattr(own.floor(step), key))
    return cn.LimitCurve(**_around(value, _allowed), words="Lyapunov's ± max(5 %, 1.25 step)")


EXACT = {
    "decay / exact": runs.EXACT_DECAY,
    "error left": cn.Bound(1e-10, words="round-off"),
}
PLATEAUS = {key: _predicted(system, key) for key in ("agents", "average", "consensus")}
ORDERS = {"consensus against the step": cn.PowerLaw(2.0, sense="exact", margin=0.15)}
COMMON = {"scale": "step", "origin": "derived", "model": "breast_cancer", "asymptotic": "small"}

RATE = cn.Claim(
    "S4.1",
    "Full gradients on real data: the error falls linearly to the exact optimum, at the linearisation's rate.",
    DERIVED,
    name="linear-rate",
    measure=of(runs.decay, system),
    predicts=EXACT,
    scales={"quick": [0.32], "standard": [0.16, 0.32], "full": [0.04, 0.08, 0.16, 0.32]},
    replicas={"quick": 2, "standard": 2, "full": 8},
    controls=(
        cn.Control("untracked", "No tracking.", measure=of(runs.decay, system, method="untracked"), scales=[0.32],
                   replicas=2),
        cn.Control("zero-start", "y starts at 0.", measure=of(runs.decay, system, method="zero-start"),
                   scales=[0.32], replicas=2),
    ),
    **COMMON,
)  # fmt: skip

FLOOR = cn.Claim(
    "S4.2",
    "One-row gradients on real data: the plateau is the Lyapunov solution with the rows' own covariance.",
    DERIVED,
    name="noise-floor",
    measure=of(plateau, system),
    predicts=PLATEAUS | ORDERS,
    scales=STEPS,
    replicas={"quick": 5, "standard": 12, "full": 48},
    controls=(
        cn.Control("equal-covariance", "A prediction with the same noise for all agents and directions.",
                   predicts={key: _predicted(equal, key) for key in ("agents", "average")},
                   scales=[0.08], replicas=gradient_tracking_noise.SURE),
        cn.Control("no-burn-in", "Averaged from a far start on.",
                   measure=of(plateau, system, burn=False, batch=8), predicts=PLATEAUS,
                   scales=[0.16, 0.12, 0.08], replicas=gradient_tracking_noise.SURE),
    ),
    **COMMON,
)  # fmt: skip

LAWS = replace(
    gradient_tracking_noise.laws(system, LEAST, {"scale": "step", "model": "breast_cancer"}), scales=[LEAST],
)  # fmt: skip

CLAIMS = (RATE, FLOOR, LAWS)
