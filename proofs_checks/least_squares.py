"""S6: mini-batch averaged SGD for least squares (Jain, Kakade, Kidambi, Netrapalli, Sidford).

Statements, in the notation of ``chaosnum/least_squares.py``, which has the proofs:
    S6.1 the maximal step 2b/(R2 rho + (b-1)||H||) is at most the exact threshold of mean-square stability;
    S6.2 a batch speeds SGD up almost linearly up to 1 + R2 rho/||H||, and no more beyond (both in
        least_squares_stability);
    S6.3 the risk of the tail average, exactly, and the bounds on it (least_squares_risk);
    S6.4 the final iterate's floor, and the linear scaling rule (least_squares_floor);
    S6.5 averaging over machines, and S6.6 doubling the batch (least_squares_machines);
    S6.7 the step must know the noise (least_squares_noise).
Every exact value comes from the recursion of first and second moments, for any population of which second, third (with
the residual) and fourth moments are known: synthetic ones, and data sets, whose rows are drawn with replacement.

A data set of one's own is judged by the same claims:

    import chaosnum as cn
    from proofs_checks.least_squares import claims_for
    X, y = cn.bundled.diabetes()
    for verdict in cn.verify(claims_for(X, y, batch=8, samples=8000, burn=200)):
        print(verdict.claim, verdict.name, verdict.verdict, verdict.reason)

What is not claimed: the rate of the bounds' bias terms, which is that of the slowest direction and a worst case; and
that SGD with rows in a fixed order, or without replacement, obeys any of this: over several passes its risk *on the
data set* is smaller, the control multi-pass.
"""

import math

import chaosnum as cn
from chaosnum.check import whole
from proofs_checks import (
    least_squares_floor,
    least_squares_machines,
    least_squares_noise,
    least_squares_risk,
    least_squares_stability,
)
from proofs_checks.least_squares_risk import USEFUL
from proofs_checks.least_squares_sources import Own

BITES = 1.3  # a control must change the exact risk by this factor to be one
MOST_NUMBERS, MOST_STEPS = 2e9, 1e6  # that the runs behind one replica may draw, and that each may take


def claims_for(
    X, y, *, batch=4, step=None, burn=None, samples=4000, machines=(1, 4), epoch=None, start=None, name="own"
):
    """The claims S6 on a data set of the user's, as population -> tuple of Claim.

    Parameters
    ----------
    X : array_like, float64, shape (rows, d)
        Taken as it is; d at most 40.
    y : array_like, float64, shape (rows,)
    batch : int
        b.
    step : float, optional
        By default half of the maximal step for this batch.
    burn : int, optional
        s, the iterates left out of the average; by default a quarter of all.
    samples : int
        n, the rows that a run draws; MOST_STEPS batches at most, and MOST_NUMBERS over all runs of a replica.
    machines : sequence of int
        P, for the averages over machines.
    epoch : int, optional
        t of the doubling schedule; without it that claim is left out.
    start : array_like, float64, shape (d,), optional
        w_0, by default 0.
    name : str
        The model's name in tables.

    Returns
    -------
    tuple of Claim
        The floor only for a step up to the maximal one, where its runs are short; near-linear where batch 1 leaves
        something to gain, linear scaling where batch_thresh is 2 and more; Theorem 1 for a step that it speaks of, at
        most half of the maximal one, where it is within a factor 30. Of the controls those that bite on these data:
        rows of one size, say, have no typical run that falls while the mean square grows.

    Raises
    ------
    ValueError
        NaN, wrong shapes, too few rows, dependent columns (with the smallest eigenvalue), residuals or a first gradient
        of zero, a step beyond the threshold of stability (with it), samples that leave nothing to average, or settings
        that are no whole numbers or ask for runs too long or too large (with the limit).
    """
    theory, moments, bounds = cn.least_squares, cn.least_squares_moments, cn.least_squares_bounds
    found = cn.least_squares_populations.finite(X, y, start, name=name)
    if not abs(found.eigenvalues * found.start).max() > 0.0:
        raise ValueError("start must not be the solution w*: its gradient is zero")
    d = found.d
    runs = max(56, 1000 // d)  # behind a replica: in few columns the risk of a run varies more
    groups = max(100, runs)
    batch = whole("batch", batch, 1, theory.LARGEST_STEP // (8 * groups * d))  # controls take eight machines
    samples = whole("samples", samples, 1, int(min(MOST_STEPS * batch, MOST_NUMBERS // (4 * groups * d))))
    machines = _machines(machines, int(min(theory.LARGEST_STEP // batch, MOST_NUMBERS // samples)) // (groups * d))
    epoch = None if epoch is None else whole("epoch", epoch, 2)
    largest = theory.step_max(found, batch)
    step = theory.stable_step(found, 0.5 * largest if step is None else step, batch)
    burn = samples // batch // 4 if burn is None else whole("burn", burn, 0)
    count = theory.averaged_count(samples, batch, burn)
    source, share = Own(found), step / largest
    theorem, params = share <= 0.5 + 1e-12, {"batch": batch, "step": share, "burn": burn}
    run = {"step": step, "batch": batch, "burn": burn, "count": count}

    def excess(**changed):
        return moments.excess(found, **run | changed)

    first = min(8, max(1, int(theory.batch_thresh(found))))
    # with a twentieth of the largest step at batch 1, the largest batch whose floor is proved to be within 10 % of the
    # first order: by at most 1/(1 - y) above it, y = (R2 + (b-1) ||H||) / (20 R2 rho) <= 1/11
    scaled = min(first, int(1.0 + (20.0 / 11.0 * found.rho - 1.0) * found.R2 / found.largest))
    doubled = sorted({2**k for k in range(1, 8)} | {first})
    mean_size = 2.0 / float(found.eigenvalues.sum())
    stability = least_squares_stability
    claims = [
        stability.maximal_step(
            name, source, size=mean_size > BITES * theory.step_div(found, 1), noise=stability.noise_counts(found)
        ),
        stability.stability_crossing(
            name, source, batch=batch, typical=stability.typical_falls(source, batch),
            other=stability.other_batch(source, batch),
        ),
    ]  # fmt: skip
    if theory.condition(found, 1) > 1.0 + 1e-9:  # else one step of batch 1 ends every error
        claims.append(stability.near_linear(name, source, scales=doubled))
    usual = excess()
    others = {
        "final-iterate": excess(burn=burn + count - 1, count=1),
        "from-the-start": excess(burn=0, count=burn + count),
        "even-noise": moments.excess(least_squares_risk.even(found), **run),
    }
    mean = moments.averaged(found, **run).mean
    if samples > 4 * len(found.rows[1]) and usual > BITES * 0.5 * float(found.eigenvalues @ mean**2):
        others["multi-pass"] = math.inf  # the noise is there, and several passes are too many
    biting = tuple(key for key, value in others.items() if abs(math.log(value / usual)) > math.log(BITES))

    def useful(P):  # whether the bound for P machines is one to stand beside their runs
        return theorem and bounds.average_bound(found, machines=P, **run) < 0.8 * USEFUL * excess(machines=P)
    claims.append(
        least_squares_risk.exact_risk(
            name, source, scales={"quick": [samples]}, params=params, controls=biting, bound=useful(1),
            systems=runs,
        )
    )  # fmt: skip
    if theorem:
        claims.append(least_squares_risk.variance_constant(name, source, step=min(share, 0.5)))
    if share <= 1.0 and least_squares_floor.TIME_CONSTANTS / (step * found.mu) <= least_squares_floor.LONGEST:
        half = share * theory.step_max(found, 4) < theory.step_div(found, 2)
        claims.append(least_squares_floor.floor(name, source, scales=[batch], params={"step": share}, half=half))
    if scaled >= 2:
        claims.append(least_squares_floor.linear_scaling(name, source, scales=[scaled], params={"step": 0.05}))
    averaged = params | {"samples": samples}

    def grows(burn):  # from one machine to eight, times their number
        return 8.0 * excess(machines=8, burn=burn) / excess(burn=burn) > BITES

    more = {"scales": machines, "params": averaged, "bound": any(map(useful, machines)), "groups": groups}
    if step * found.mu * burn >= least_squares_machines.BIAS_GONE:
        claims.append(least_squares_machines.linear_speed_up(name, source, short=grows(burn // 10), **more))
    else:
        claims.append(least_squares_machines.bias_of_the_mean(name, source, away=grows(burn), **more))
    if epoch is not None:
        claims.append(
            least_squares_machines.doubling_batch(name, source, scales=[samples], params={"epoch": epoch})
        )
    return tuple(claims)


def _machines(machines, most):
    """Distinct whole numbers, ascending."""
    try:
        found = [] if isinstance(machines, str) else list(machines)
    except TypeError:
        found = []
    if not found:
        raise ValueError(f"machines must be a sequence of whole numbers in [1, {most}], got {machines!r}")
    return sorted({whole("machines", P, 1, most) for P in found})


CLAIMS = (
    *least_squares_stability.CLAIMS,
    *least_squares_risk.CLAIMS,
    *least_squares_floor.CLAIMS,
    *least_squares_machines.CLAIMS,
    *least_squares_noise.CLAIMS,
)
