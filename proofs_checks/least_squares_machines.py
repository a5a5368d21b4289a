"""S6.5 and S6.6: many machines that average their answers, and a batch that doubles.

S6.5 linear-speed-up: P machines run on rows of their own and average their tail averages. Their variance is divided
    by P, the bias of their mean is not:  P E(L - L*) = risk of one + (P-1) |H^(1/2) E w|^2 / 2, exactly, with
    E w = (1/N) sum_t A^t w_0's error. Where step mu s >= 5 that bias is gone and P times the risk is flat: linear
    speed-up.
S6.5 bias-of-the-mean: with a short burn-in it is not, and P times the risk grows with P as the exact curve says.
    Both beside the published bound, bias factor (2 + (1 - step mu)^s (P-1))/P, variance 4 sigma2_mle/(PbN).
S6.6 doubling: from batch_thresh with t steps an epoch, the batch doubles from epoch to epoch
    (``chaosnum/least_squares_doubling.py``): n times the risk stays a small multiple of sigma2_mle, though the steps
    that must be taken one after the other are only t log2(n/(bt)) of them. The published constant is 80 plus a bias
    term; 80 alone holds, by a factor of 20 and more.

Controls: the rows of one machine for all of them; a burn-in that is too short; a prediction whose bias is averaged
away; as many serial steps without doubling.
"""

import math
from dataclasses import replace
from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources
from proofs_checks.least_squares_risk import BESIDE, USEFUL, setting
from proofs_checks.least_squares_stability import SOURCE

DERIVED = "derived, in proofs_checks/least_squares_machines.py"
SHARED, FLAT = "P x risk", "P x risk / risk of one"
GROUPS = 100  # groups of machines behind one replica, four times as many of single machines
BIAS_GONE = 5.0  # step mu s
REPLICAS = {"quick": 20, "standard": 24, "full": 200}


def averaging(machines, *, seed, source, samples, burn, groups=GROUPS, common=False, **params):
    """P times the mean risk of P machines' averages; with the same rows for all of them if `common`."""
    import numpy as np

    found, run = setting(samples, source, burn=burn, **params)
    P, rng = int(machines), np.random.default_rng(seed)
    groups *= max(1, 4 // P)
    ran = cn.least_squares.run(found, **run, systems=groups * (1 if common else P), rng=rng)
    mean = ran.average.reshape(groups, -1, found.d).mean(axis=1)
    risk = float(cn.least_squares.risk(found, mean).mean())
    bound = cn.least_squares_bounds.average_bound(found, machines=P, **run)
    return {SHARED: P * risk, FLAT: P * risk / _one(source, samples, burn, params), BESIDE: risk / bound}


def _one(source, samples, burn, params):
    return _risk(1, source, samples=samples, burn=burn, **params)


def _risk(machines, source, **params):
    """P times the exact risk."""
    return _exact(int(machines), source, tuple(sorted(params.items())))


@lru_cache(maxsize=256)
def _exact(machines, source, params):
    found, run = setting(source=source, **dict(params))
    return machines * cn.least_squares_moments.excess(found, machines=machines, **run)


def ready(machines, source, samples, **params):
    """Refuses a burn-in at the end of which the bias is still there."""
    found, run = setting(samples, source, **params)
    if not run["step"] * found.mu * run["burn"] >= BIAS_GONE:
        least = math.ceil(BIAS_GONE / (run["step"] * found.mu))
        raise ValueError(f"burn must be >= {least}, so that step mu burn >= {BIAS_GONE:g}, got {run['burn']}")


def _below(bound):
    """The bound for machines, where it speaks of the step and says something."""
    return {BESIDE: cn.Bound(1.0, statistic="mean", within=USEFUL, words="1")} if bound else {}


def _provenance(bound):
    """Source and origin: the bound is from memory, all else derived."""
    recalled = ", Theorem on model averaging (from memory)" if bound else ""
    return {"source": f"{SOURCE}{recalled}; the exact risk {DERIVED}", "origin": "recalled" if bound else "derived"}


def linear_speed_up(model, source, *, scales, params, bound=True, groups=GROUPS, short=True):
    """The claim that P machines divide the risk by P once the bias is gone; `short`: whether a short burn-in hurts."""
    flat = cn.LimitCurve(1.0, margin=0.05, words="1")
    measure = partial(averaging, source=source, groups=groups)
    controls = [_common(source, groups, {FLAT: flat})]
    if short:
        long = params["burn"]
        controls.append(
            cn.Control("short-burn-in", "A burn-in of a tenth.", predicts={FLAT: flat}, scales=[8], replicas=16,
                       params={"burn": long // 10}, measure=partial(_short, source=source, long=long))
        )  # fmt: skip
    return cn.Claim(
        "S6.5",
        "P machines that average their answers divide the risk by P, once the burn-in has step mu s >= 5.",
        scale="machines",
        **_provenance(bound),
        name="linear-speed-up",
        model=model,
        measure=measure,
        predicts={
            SHARED: cn.ExactValue(partial(_risk, source=source), deviation=0.05, words="moments"),
            FLAT: flat,
        } | _below(bound),
        scales=scales,
        replicas=REPLICAS,
        params=params,
        domain={"step": (0.0, math.inf)},
        ready=partial(ready, source=source),
        controls=tuple(controls),
    )


def _common(source, groups, predicts):
    return cn.Control("common-rows", "The same rows for all machines.", predicts=predicts, scales=[8], replicas=16,
                      measure=partial(averaging, source=source, groups=groups, common=True))  # fmt: skip


def _short(machines, *, long, burn, samples, batch, **params):
    """`averaging` with as many averaged iterates as the claim's, but less burn-in."""
    return averaging(machines, samples=samples - batch * (long - burn), burn=burn, batch=batch, **params)


def bias_of_the_mean(model, source, *, scales, params, bound=True, groups=GROUPS, away=True):
    """The claim that the bias of the mean is not averaged away; `away` is whether there is one to speak of."""
    curve = cn.ExactValue(partial(_risk, source=source), deviation=0.05, words="moments")

    def averaged_away(machines, samples, burn, **more):
        return _one(source, samples, burn, more)

    control = _common(source, groups, {SHARED: curve})
    if away:
        control = cn.Control(
            "averaged-away", "A prediction in which the bias is averaged away as well.", replicas=16, scales=[8],
            predicts={SHARED: cn.ExactValue(averaged_away, deviation=0.05, words="risk of one")},
        )  # fmt: skip
    return cn.Claim(
        "S6.5",
        "With a short burn-in P times the risk of P machines' mean grows with P: the bias of the mean is not averaged.",
        scale="machines",
        **_provenance(bound),
        name="bias-of-the-mean",
        model=model,
        measure=partial(averaging, source=source, groups=groups),
        predicts={SHARED: curve} | _below(bound),
        scales=scales,
        replicas=REPLICAS,
        params=params,
        domain={"step": (0.0, math.inf)},
        controls=(control,),
    )


# --- S6.6 ------------------------------------------------------------------------------------------------------------

TIMES_N, TIMES_N_EXACT = "n risk / sigma2_mle", "n risk / sigma2_mle, exactly"
SERIAL = "serial steps / (t log2(n/(bt)))"
RUNS, NEAR = 20, 50.0  # the published constant is 20 to 50 times what is measured, and no more


def _plan(samples, source, epoch, **params):
    found = source(**params)
    first = max(1, int(cn.least_squares.batch_thresh(found)))
    return found, first, cn.least_squares_doubling.schedule(int(samples), first, int(epoch))


def doubling(samples, *, seed, source, epoch, simulated=True, **params):
    """n / sigma2_mle times the risk of the doubling schedule, by runs or exactly, and its serial steps."""
    import numpy as np

    found, first, epochs = _plan(samples, source, epoch, **params)
    doubled, unit = cn.least_squares_doubling, samples / found.sigma2_mle
    allowed = epoch * math.log2(samples / (first * epoch))
    times = {SERIAL: doubled.serial_steps(epochs) / allowed}
    if not simulated:
        return times | {TIMES_N: unit * cn.least_squares_moments.risk(found, doubled.moments(found, epochs))}
    errors = doubled.simulate(found, epochs, systems=RUNS, rng=np.random.default_rng(seed))
    risk = unit * float(cn.least_squares.risk(found, errors).mean())
    return times | {TIMES_N: risk, TIMES_N_EXACT: risk}


def _doubling_exact(samples, source, epoch, **params):
    found, _, epochs = _plan(samples, source, epoch, **params)
    moments = cn.least_squares_moments
    return samples / found.sigma2_mle * moments.risk(found, cn.least_squares_doubling.moments(found, epochs))


def no_doubling(samples, *, seed, source, epoch, **params):
    """As many serial steps, all with the first batch: the exact risk, averaged over the second half."""
    found, first, epochs = _plan(samples, source, epoch, **params)
    half = cn.least_squares_doubling.serial_steps(epochs) // 2
    step = cn.least_squares.step_max(found, first) / 2.0
    risk = cn.least_squares_moments.excess(found, step=step, batch=first, burn=half, count=half)
    return {TIMES_N: samples / found.sigma2_mle * risk}


def doubling_batch(model, source, *, scales, params, simulated=True):
    """The claim on the doubling schedule; `simulated`, or exact alone and so to any n."""
    predicts = {
        TIMES_N: cn.Bound(80.0, statistic="mean" if simulated else "every", within=NEAR, words="80"),
        SERIAL: cn.Bound(1.0, statistic="every", within=2.0, words="1"),
    }
    if simulated:
        curve = partial(_doubling_exact, source=source)
        predicts[TIMES_N_EXACT] = cn.ExactValue(curve, deviation=0.1, words="moments")
    return cn.Claim(
        "S6.6",
        "Doubling the batch reaches a risk below 80 sigma2_mle/n in t log2(n/(bt)) serial steps.",
        f"{SOURCE}, Theorem on the doubling schedule (from memory); exact risk {DERIVED}",
        scale="samples",
        origin="recalled",
        qualified="the constant 80 is loose by a factor of 20 to 50; the bias term beside it is not needed here",
        name="doubling" if simulated else "doubling-exact",
        model=model,
        measure=partial(doubling, source=source, simulated=simulated),
        predicts=predicts,
        scales=scales,
        replicas=REPLICAS if simulated else 2,
        params=params,
        domain={"epoch": (1, math.inf)},
        ready=partial(_ready_doubling, source=source),
        controls=(
            cn.Control("no-doubling", "As many serial steps, all with the first batch.", replicas=2,
                       measure=partial(no_doubling, source=source), scales=[640_000, 5_000_000],
                       predicts={TIMES_N: replace(predicts[TIMES_N], statistic="every")}),
        ),
    )  # fmt: skip


def _ready_doubling(samples, source, **params):
    _plan(samples, source, **params)


CLAIMS = (
    linear_speed_up("harmonic", sources.harmonic, scales={"quick": [1, 4], "standard": [1, 4, 16]},
                    params={"dim": 6, "batch": 4, "step": 0.5, "burn": 60, "samples": 480}),
    linear_speed_up("digits", sources.digits, scales={"quick": [1, 3], "standard": [1, 6]},
                    params={"batch": 8, "step": 0.5, "burn": 150, "samples": 1600}),
    bias_of_the_mean("harmonic", sources.harmonic, scales={"quick": [1, 8], "standard": [1, 4, 16]},
                     params={"dim": 6, "batch": 4, "step": 0.5, "burn": 6, "samples": 264}),
    doubling_batch("harmonic", sources.harmonic, params={"dim": 20, "epoch": 50},
                   scales={"quick": [1500], "standard": [2500, 5000], "full": [5000, 20_000, 80_000]}),
    doubling_batch("digits", sources.digits, params={"epoch": 60}, scales={"quick": [4000], "standard": [4000, 8000]}),
    doubling_batch("harmonic", sources.harmonic, params={"dim": 20, "epoch": (50, 100, 200)}, simulated=False,
                   scales=[20_000, 80_000, 320_000, 10_000_000]),
)  # fmt: skip
