"""S6.7: under misspecification the largest step must depend on the noise.

Construction. A tenth of the rows lie on the first axis, x = z e_1, and carry all of the noise; the other rows are
N(0, diag(i^-2)) without any. Then Sigma is a multiple of e_1 e_1^T and rho = d, as large as it can be.

Derivation. In the end the risk is inflation sigma2_mle/(bN), inflation - 1 = Tr H^-1 (M(C_inf) - H C_inf H) / Tr H^-1
    Sigma. C_inf is step Sigma/(2b) and more on the first axis; the clean rows, whose products with w are the
    noise of their own gradients, carry it into all d directions, Tr H^-1 M(C) being of order d Tr HC, while the noise
    itself counts for one. So at a step that knows H alone, step_max(rho = 1)/2, the inflation grows with d beyond any
    constant; with rho = d in the step it is at most 1 + (step R2 rho / (2b)) / (1 - step/step_max(1)) <= 2.
noise-in-the-step: exactly, in the limit of many steps, whose formula is held against the recursion of the moments.
    noise-in-the-step-runs: in runs of 2,000 steps from w*, where the slow directions, of eigenvalue i^-2, have not come
    to rest and the inflation is smaller: with rho in the step it may lie below 1.

Control: Gaussian rows with independent noise and the same H and sigma2_mle: at the same kind of step the inflation is
1.4. And the step without rho, where the step with it is claimed to do.
"""

from dataclasses import replace
from functools import partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources
from proofs_checks.least_squares_risk import IN_THE_END, after_long, in_the_end
from proofs_checks.least_squares_stability import SOURCE

DERIVED = "derived, in proofs_checks/least_squares_noise.py"
SHORT, KNOWN = "inflation, rho = 1 in the step", "inflation, rho in the step"
SIMULATED, SIMULATED_KNOWN = "inflation in runs, rho = 1", "inflation in runs, rho"
BURN, COUNT, RUNS = 500, 1500, 192  # so many runs behind a replica, as few of them carry the mean
DEVIATIONS = 0.1, 0.15  # how precisely the two are seen: with rho in the step a run varies three times as much


def _steps(found):
    """Half of the maximal step for batch 1: with rho = 1 in it, and with rho."""
    return [cn.least_squares.step_max(found, 1, rho=rho) / 2.0 for rho in (1.0, None)]


def limits(dim, *, seed, source=sources.noisy_axis):
    """The inflation in the end, at both steps."""
    found = source(dim)
    short, known = (cn.least_squares_moments.inflation(found, step=step, batch=1) for step in _steps(found))
    return {SHORT: short, KNOWN: known, IN_THE_END: after_long(found, _steps(found)[0], 1) / short}


def without_rho(dim, **params):
    """`limits`, with the step without rho in both places."""
    found = limits(dim, **params)
    return found | {KNOWN: found[SHORT]}


NEEDED = {
    SHORT: cn.LimitCurve(lower=4.0, words="4"),
    KNOWN: cn.LimitCurve(upper=1.3, words="1.3"),
}
EVERY = {key: replace(prediction, statistic="every") for key, prediction in NEEDED.items()}
WORDS = "the largest step must know the noise, by rho: with rho = 1 in it no constant does, 4 least of all"
LIMIT = cn.Claim(
    "S6.7",
    "Where few rows have all the noise, a step without rho inflates the variance beyond 4, one with rho by 1.2.",
    f"{SOURCE}, section on misspecification; construction {DERIVED}",
    scale="dim",
    origin="derived",
    qualified=WORDS,
    name="noise-in-the-step",
    model="noisy-axis",
    measure=limits,
    predicts=EVERY | {IN_THE_END: in_the_end()},
    scales=[10, 30, 100],
    replicas=2,
    controls=(
        cn.Control("even-noise", "Well specified with the same H and sigma2_mle.", predicts={SHORT: EVERY[SHORT]},
                   measure=partial(limits, source=sources.even_noise)),
        cn.Control("without-rho", "The step without rho in place of that with it.", measure=without_rho,
                   predicts={KNOWN: EVERY[KNOWN]}),
    ),
)  # fmt: skip


def _lengths():
    return {"batch": 1, "burn": BURN, "count": COUNT}


def in_runs(dim, *, seed, source=sources.noisy_axis, runs=RUNS):
    """N / sigma2_mle times the mean risk of runs from w*, at both steps."""
    import numpy as np

    found, rng, both = source(dim), np.random.default_rng(seed), []
    for step in _steps(found):
        ran = cn.least_squares.run(found, step=step, systems=runs, rng=rng, **_lengths())
        risk = cn.least_squares.risk(found, ran.average).mean()
        both.append(float(risk) * COUNT / found.sigma2_mle)
    return {SHORT: both[0], KNOWN: both[1], SIMULATED: both[0], SIMULATED_KNOWN: both[1]}


def _runs_without_rho(dim, **params):
    found = in_runs(dim, **params)
    return found | {KNOWN: found[SHORT]}


def expected(dim, which):
    """What `in_runs` measures, exactly."""
    found = sources.noisy_axis(dim)
    risk = cn.least_squares_moments.excess(found, step=_steps(found)[which], **_lengths())
    return risk * COUNT / found.sigma2_mle


RUN = cn.Claim(
    "S6.7",
    "In runs of 2,000 steps the variance is beyond 4 sigma2_mle/N with rho = 1 in the step, and below 1.3 with rho.",
    f"{SOURCE}, section on misspecification; construction {DERIVED}",
    scale="dim",
    origin="derived",
    qualified=WORDS,
    name="noise-in-the-step-runs",
    model="noisy-axis",
    measure=in_runs,
    predicts={
        **NEEDED,
        SIMULATED: cn.ExactValue(partial(expected, which=0), deviation=DEVIATIONS[0], words="moments"),
        SIMULATED_KNOWN: cn.ExactValue(partial(expected, which=1), deviation=DEVIATIONS[1], words="moments"),
    },
    scales={"quick": [20], "standard": [30], "full": [20, 40]},
    replicas={"quick": 10, "standard": 16, "full": 100},
    controls=(
        cn.Control("even-noise", "Well specified with the same H and sigma2_mle.", replicas=12,
                   predicts={SHORT: NEEDED[SHORT]}, measure=partial(in_runs, runs=32, source=sources.even_noise)),
        cn.Control("without-rho", "The step without rho in place of that with it.", replicas=12,
                   predicts={KNOWN: NEEDED[KNOWN]}, measure=partial(_runs_without_rho, runs=32)),
    ),
)  # fmt: skip

CLAIMS = (LIMIT, RUN)
