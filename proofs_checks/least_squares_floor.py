"""S6.4: the final iterate of constant-step SGD stops at a floor, and a step in proportion to the batch keeps it.

floor: E L(w_t) - L* tends to Tr(H C_inf) / 2, C_inf the fixed point of the second moment. For Gaussian rows with noise
    sigma^2 independent of them it is (sigma^2/2) q/(1-q), q = sum_i g lam_i / (b (2 - g lam_i (b+1)/b)), g the step:
    on the diagonal the fixed point reads lam_i c_i = g lam_i / (b (2 - g lam_i (b+1)/b)) (S + sigma^2), S = sum lam_i
    c_i, so S = q (S + sigma^2). Runs start at w* and take ten time constants 1/(g mu), when exp(-10) of the floor is
    missing.
linear-scaling: to first order the floor is g Tr Sigma / (4b): with g in proportion to b it stays, as long as g
    (b+1)/b ||H|| is small beside 2. That ends at batch_thresh, where the step itself must saturate.

Controls: the average in place of the final iterate; half of the batch; the same step for every batch.
"""

import math
from functools import partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources
from proofs_checks.least_squares_stability import SOURCE

DERIVED = "derived, in proofs_checks/least_squares_floor.py"
FLOOR, KEPT, FIRST_ORDER = "risk of the final iterate", "floor / floor at batch 1", "floor / (step Tr Sigma/(4b))"
TIME_CONSTANTS, LONGEST = 10.0, 5000
SYSTEMS = 16  # runs behind one replica


def _setting(batch, source, step, **params):
    found, b = source(**params), int(batch)
    size = step * cn.least_squares.step_max(found, b)
    return found, b, size, math.ceil(TIME_CONSTANTS / (size * found.mu))


def final(batch, *, seed, source, how="iterates", part=1, **params):
    """The mean risk of single iterates from w*, from ten to thirty time constants; a control averages them instead."""
    import numpy as np

    found, b, size, count = _setting(batch, source, **params)
    ran = cn.least_squares.run(
        found, step=size, batch=max(1, b // part), burn=count, count=2 * count, systems=SYSTEMS,
        rng=np.random.default_rng(seed), start=np.zeros(found.d), squares=True,
    )  # fmt: skip
    square = ran.square if how == "iterates" else ran.average**2
    return 0.5 * float((square @ found.eigenvalues).mean())


def closed_form(batch, source, **params):
    """The floor for Gaussian rows."""
    found, b, size, _ = _setting(batch, source, **params)
    noise = 2.0 * found.sigma2_mle / found.d
    return cn.least_squares_moments.gaussian_floor(found.eigenvalues, noise, step=size, batch=b)


def fixed_point(batch, source, **params):
    """The floor for any population."""
    found, b, size, _ = _setting(batch, source, **params)
    moments = cn.least_squares_moments
    return moments.risk(found, moments.stationary(found, step=size, batch=b))


def floor(model, source, *, scales, params, gaussian=False, half=True):
    """The claim on the final iterate's floor; `half` is whether half of the batch is stable at the same step."""
    controls = (
        cn.Control("average", "The average in place of the final iterate.",
                   measure=partial(final, source=source, how="average"), scales=[4], replicas=12),
        cn.Control("half-batch", "Half of the batch at the same step.", scales=[4], replicas=16,
                   measure=partial(final, source=source, part=2)),
    )  # fmt: skip
    value = partial(closed_form if gaussian else fixed_point, source=source)
    return cn.Claim(
        "S6.4",
        "The final iterate of constant-step SGD stops at the risk of the second moment's fixed point.",
        f"{SOURCE}; {DERIVED}",
        scale="batch",
        origin="derived",
        name="floor",
        model=model,
        measure=partial(final, source=source),
        quantity=FLOOR,
        predicts=cn.ExactValue(value, deviation=0.05, words="q/(2 - 2q)" if gaussian else "fixed point"),
        scales=scales,
        replicas={"quick": 10, "standard": 12, "full": 100},
        params=params,
        domain={"step": (0.0, 1.0)},
        ready=partial(ready, source=source),
        controls=controls if half else controls[:1],
    )


def ready(batch, source, **params):
    """Refuses runs that are too long."""
    count = _setting(batch, source, **params)[-1]
    if count > 100 * LONGEST:
        raise ValueError(f"step must leave 10/(step mu) <= {100 * LONGEST} steps, got {count}")


def scaled(batch, *, seed, source, step, fixed=False, **params):
    """The floor at batch b with b times the step of batch 1, exactly, over that at batch 1 and over its first order."""
    found, b, moments = source(**params), int(batch), cn.least_squares_moments
    first = step * cn.least_squares.step_max(found, 1)
    floors = [
        moments.risk(found, moments.stationary(found, step=s, batch=k))
        for s, k in ((first, 1), (first if fixed else first * b, b))
    ]
    trace = float(found.diagonal(found.noise).sum())
    return {KEPT: floors[1] / floors[0], FIRST_ORDER: floors[1] / (first * trace / 4.0)}


def linear_scaling(model, source, *, scales, params):
    """The claim that a step in proportion to the batch keeps the floor."""
    predicts = {
        KEPT: cn.LimitCurve(1.0, margin=0.1, statistic="every", words="1"),
        FIRST_ORDER: cn.LimitCurve(1.0, margin=0.1, statistic="every", words="1"),
    }
    return cn.Claim(
        "S6.4",
        "With a step in proportion to the batch, up to batch_thresh, the floor of the final iterate stays.",
        f"{SOURCE}; {DERIVED}",
        scale="batch",
        origin="derived",
        qualified="to first order in the step, here a twentieth of the largest at batch 1; within 10 %",
        name="linear-scaling",
        model=model,
        measure=partial(scaled, source=source),
        predicts=predicts,
        scales=scales,
        replicas=2,
        params=params,
        domain={"step": (0.0, 1.0)},
        controls=(
            cn.Control("fixed-step", "The same step for every batch.",
                       measure=partial(scaled, source=source, fixed=True)),
        ),
    )  # fmt: skip


CLAIMS = (
    floor("harmonic", sources.harmonic, scales={"quick": [4], "standard": [1, 4, 16]}, gaussian=True,
          params={"dim": 20, "step": 0.5}),
    floor("digits", sources.digits, scales=[4, 16], params={"step": 0.5}),
    linear_scaling("harmonic", sources.harmonic, scales=[2, 4, 6], params={"dim": 20, "step": 0.05}),
    linear_scaling("diabetes", sources.diabetes, scales=[2, 4, 7], params={"step": 0.05}),
    linear_scaling("digits", sources.digits, scales=[2, 4, 8, 16], params={"step": 0.05}),
)  # fmt: skip
