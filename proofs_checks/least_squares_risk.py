"""S6.3: the risk of tail-averaged SGD, exactly and beside its bounds.

S6.3 exact-risk: the recursion of the moments (``chaosnum/least_squares_moments.py``) against simulated runs, on
    Gaussian rows, on data sets, and on skewed rows, where the mixed moment E e <x, m> x x^T must not be left out; and
    the mean beside Theorem 1. The recursion is exact, so nothing is allowed for it.
S6.3 tail-average-bound: on random mixtures, misspecified in every way, with random starts, batches and lengths, the
    exact risk is below Theorem 1 in every single one, and with the smaller constant that is derived in
    ``chaosnum/least_squares_bounds.py``; for batch 1 below the companion's bound as well.
S6.3 variance-constant: N times the risk tends to inflation sigma2_mle / b, inflation <= 2 where the theorem has 4.
    The formula of that limit is held against the recursion of the moments, after a million time constants.
    The published form is from memory; where the mixed moment is not zero only twice its first term is proved.

Controls: the final iterate in place of the average; the average from the start; noise that does not depend on the rows
(Sigma = sigma^2 H: the skewed rows are far from it, the diabetes and digits data within 6 and 2 %); rows drawn without
replacement; the mixed moment left out; steps beyond the threshold, and just below it.
"""

import math
from dataclasses import replace
from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks import least_squares_sources as sources
from proofs_checks.least_squares_stability import SOURCE

DERIVED = "derived, in proofs_checks/least_squares_risk.py"
RISK, BESIDE, COMPANION, SHARPER = "excess risk", "risk / Theorem 1", "risk / companion", "risk / derived bound"
SYSTEMS = 40  # runs behind one replica, their mean risk
DEVIATION = 0.05
REPLICAS = {"quick": 24, "standard": 40, "full": 300}
WITHIN, USEFUL = 10.0, 30.0  # of random mixtures' best; and Theorem 1 stands beside runs where it is no looser


def setting(samples, source, batch, step, burn, **params):
    """Population, and what a run takes: an absolute step from one in units of step_max."""
    found, b = source(**params), int(batch)
    size = step * cn.least_squares.step_max(found, b)
    count = cn.least_squares.averaged_count(int(samples), b, int(burn))
    return found, {"step": size, "batch": b, "burn": int(burn), "count": count}


def tail_average(samples, *, seed, source, how="average", systems=SYSTEMS, **params):
    """The mean excess risk of independent runs, and that over Theorem 1; `how` is what a control spoils."""
    import numpy as np

    found, run = setting(samples, source, **params)
    rng, sample = np.random.default_rng(seed), None
    bound = cn.least_squares_bounds.average_bound(found, **run)
    if how == "from the start":
        run |= {"burn": 0, "count": run["burn"] + run["count"]}
    if how == "without replacement":
        sample = passes(source, systems)
    ran = cn.least_squares.run(found, **run, systems=systems, rng=rng, sample=sample)
    risk = cn.least_squares.risk(found, ran.final if how == "final" else ran.average).mean()
    return {RISK: float(risk), BESIDE: float(risk / bound)}


def passes(source, systems):
    """Rows of a data set without replacement, pass after pass: a sampler for each run's own shuffled rows."""
    import numpy as np

    rows = {}

    def sample(rng, shape):
        many, _, b = shape
        left = rows.get("left", np.empty((systems, 0), dtype=np.int64))
        while left.shape[1] < many * b:
            fresh = rng.permuted(np.tile(np.arange(len(table)), (systems, 1)), axis=1)
            left = np.concatenate([left, fresh], axis=1)
        rows["left"] = left[:, many * b :]
        at = left[:, : many * b].reshape(systems, many, b).swapaxes(0, 1)
        return table[at], residual[at]

    table, residual = source().rows
    return sample


@lru_cache(maxsize=256)
def _exact(samples, source, spread, mixed, params):
    """The exact mean risk; with Sigma = E e^2 H if `spread`, without the mixed moment if not `mixed`."""
    found, run = setting(samples, source, **dict(params))
    found = even(found) if spread else found
    return cn.least_squares_moments.excess(found if mixed else replace(found, third=None), **run)


def even(found):
    """A data set's population as if its residuals did not depend on the rows, Sigma = E e^2 H."""
    import numpy as np

    return replace(found, noise=found.vector(np.diag(found.eigenvalues)) * float((found.rows[1] ** 2).mean()))


def exact(source, *, spread=False, mixed=True):
    """The exact mean risk as a prediction."""
    def value(samples, **params):
        return _exact(samples, source, spread, mixed, tuple(sorted(params.items())))

    return cn.ExactValue(value, deviation=DEVIATION, words="moments")


def exact_risk(model, source, *, scales, params, controls, systems=SYSTEMS, bound=True):
    """The claim on the risk of tail-averaged SGD: equal to the recursion, and below Theorem 1.

    `controls` are names of CONTROLS; `bound` is whether the theorem speaks of the step, and says something: whether it
    is within the factor USEFUL.
    """
    def control(name):
        statement, how, prediction = CONTROLS[name]
        measure = partial(tail_average, source=source, how=how, systems=systems) if how else None
        applies = (lambda batch: batch >= 4) if how == "from the start" else None
        return cn.Control(name, statement, measure=measure, predicts={RISK: exact(source, **prediction)},
                          scales=[max(scales["quick"])], replicas=24, applies=applies)  # fmt: skip

    below = {BESIDE: cn.Bound(1.0, statistic="mean", within=USEFUL, words="1")} if bound else {}
    recalled, more = f"{SOURCE}, Theorem 1 (from memory)", ", and below Theorem 1" if bound else ""
    return cn.Claim(
        "S6.3",
        f"The mean risk of tail-averaged SGD is what the recursion of its moments says{more}.",
        f"{recalled if bound else SOURCE}; the recursion, with the mixed moment, {DERIVED}",
        scale="samples",
        origin="recalled" if bound else "derived",
        qualified="Theorem 1 stands beside it where it is within a factor 30: its bias term is loose by 10^3 and more",
        name="exact-risk",
        model=model,
        measure=partial(tail_average, source=source, systems=systems),
        predicts={RISK: exact(source)} | below,
        scales=scales,
        replicas=REPLICAS,
        params=params,
        domain={"step": (0.0, math.inf)},
        ready=partial(ready, source=source),
        controls=tuple(control(name) for name in controls),
    )


CONTROLS = {
    "final-iterate": ("The final iterate in place of the average.", "final", {}),
    "from-the-start": ("The average of all iterates.", "from the start", {}),
    "multi-pass": ("Rows without replacement, pass after pass.", "without replacement", {}),
    "even-noise": ("A prediction with Sigma = sigma^2 H.", None, {"spread": True}),
    "no-mixed-moment": ("A prediction without E e <x, m> x x^T.", None, {"mixed": False}),
}


def ready(samples, source, **params):
    """Refuses what no run could use: too few rows, a step beyond the threshold."""
    found, run = setting(samples, source, **params)
    cn.least_squares.stable_step(found, run["step"], run["batch"])


# --- the bounds on random populations, and the constants -------------------------------------------------------------


def beside_bounds(dim, *, seed, beyond=1.0):
    """Exact risks on a random mixture over the bounds; `beyond` multiplies the step."""
    import numpy as np

    rng = np.random.default_rng(seed)
    theory, bounds = cn.least_squares, cn.least_squares_bounds
    found = sources.random_mixture(int(rng.integers(2**62)), dim)
    b, burn, count = int(2 ** rng.integers(0, 7)), int(10 ** rng.uniform(0, 4)), int(10 ** rng.uniform(1, 6))
    run = {"step": theory.step_max(found, b) / 2.0, "batch": b, "burn": burn, "count": count}
    bound, derived = bounds.average_bound(found, **run), bounds.sharper_bound(found, **run)
    run["step"] *= beyond
    risk = cn.least_squares_moments.excess(found, **run)
    one = {"step": rng.uniform(0.1, 0.9) / found.R2, "burn": burn, "count": count}
    companion = bounds.companion_bound(found, **one)
    one["step"] *= beyond
    return {
        BESIDE: _finite(risk / bound),
        SHARPER: _finite(risk / derived),
        COMPANION: _finite(cn.least_squares_moments.excess(found, batch=1, **one) / companion),
    }


def _finite(x):
    return float(x) if math.isfinite(x) and x < 1e300 else 1e300


BELOW = {
    BESIDE: cn.Bound(1.0, statistic="every", within=WITHIN, words="1"),
    SHARPER: cn.Bound(1.0, statistic="every", within=WITHIN, words="1"),
}
EVERY = {
    "scale": "dim",
    "model": "mixtures",
    "measure": beside_bounds,
    "scales": {"quick": [3, 10], "standard": [3, 10, 30]},
    "replicas": {"quick": 60, "standard": 150, "full": 3000},
    "controls": (
        cn.Control("beyond-the-threshold", "Six times the step.", scales=[10], replicas=20,
                   measure=partial(beside_bounds, beyond=6.0)),
    ),
}  # fmt: skip
TAIL_BOUND = cn.Claim(
    "S6.3",
    "E L(w) - L* <= 2/(step mu N)^2 (1 - step mu)^s (L_0 - L*) + 4 sigma2_mle/(bN), and with 2 in place of 4.",
    f"{SOURCE}, Theorem 1 (from memory); the smaller constant derived in chaosnum/least_squares_bounds.py",
    origin="recalled",
    qualified="the constant 4 is loose: 2 is proved here for symmetric laws, 1.1 to 1.6 is measured",
    name="tail-average-bound",
    predicts=BELOW,
    **EVERY,
)
COMPANION_BOUND = cn.Claim(
    "S6.3",
    "The companion paper's bound (sqrt bias + sqrt variance)^2 for batch 1 and step < 1/R2.",
    "Jain et al., arXiv 1710.09430, quoted second-hand; implied by a derivation in chaosnum/least_squares_bounds.py",
    origin="recalled",
    name="companion-bound",
    predicts={COMPANION: cn.Bound(1.0, statistic="every", within=WITHIN, words="1")},
    **EVERY,
)

INFLATION, OF_DERIVED = "N risk / (sigma2_mle/b)", "inflation / derived bound"
IN_THE_END, MISSING = "inflation of the recursion / formula", 1e-4  # more than is missing of the limit, by far


def inflation(batch, *, seed, source, step, **params):
    """The limit of the risk times bN / sigma2_mle, exactly, that over the derived bound, and from the recursion."""
    found, b, moments = source(**params), int(batch), cn.least_squares_moments
    size = step * cn.least_squares.step_max(found, b)
    value, half = moments.inflation(found, step=size, batch=b), cn.least_squares.step_max(found, b) / 2.0
    bound = moments.inflation_bound(found, step=min(size, half), batch=b)
    return {INFLATION: value, OF_DERIVED: value / bound, IN_THE_END: after_long(found, size, b) / value}


@lru_cache(maxsize=256)
def after_long(population, step, batch):
    """`inflation` from the recursion of the moments, kept."""
    return cn.least_squares_moments.inflation_of_runs(population, step=step, batch=batch)


def in_the_end():
    """The prediction that the limit's formula is what the recursion arrives at."""
    return cn.ExactValue(1.0, statistic="every", rounding=MISSING, words="1")


def variance_constant(model, source, *, params=None, step=0.5):
    """The claim that the variance's constant is at most 2."""
    below = {INFLATION: cn.Bound(2.0, words="2"), OF_DERIVED: cn.Bound(1.0, within=4.0, words="1")}
    return cn.Claim(
        "S6.3",
        "In the end the risk of the average is at most 2 sigma2_mle/(bN).",
        f"{DERIVED}; beside {SOURCE}, Theorem 1 (from memory), which has 4",
        scale="batch",
        origin="derived",
        qualified="the published constant, from memory 4, is loose: 2 is proved here, 1.1 to 1.6 measured",
        name="variance-constant",
        model=model,
        measure=partial(inflation, source=source),
        predicts=below | {IN_THE_END: in_the_end()},
        scales=[1, 2, 4, 8, 16, 64],
        replicas=2,
        params={"step": step, **(params or {})},
        domain={"step": (0.0, 0.5)},
        controls=(
            cn.Control("near-the-threshold", "A step just below step_div.", predicts=below,
                       measure=partial(_inflation_near, source=source)),
        ),
    )  # fmt: skip


def _inflation_near(batch, *, seed, source, step, **params):
    found = source(**params)
    near = 0.98 * cn.least_squares.step_div(found, int(batch)) / cn.least_squares.step_max(found, int(batch))
    return inflation(batch, seed=seed, source=source, step=near, **params)


OF_DATA = {"quick": [1000], "standard": [2000], "full": [2000, 8000]}
EACH_BATCH = {"batch": (1, 4, 16), "step": 0.5, "burn": 20}
CLAIMS = (
    exact_risk("harmonic", sources.harmonic, scales={"quick": [500], "standard": [500, 1500], "full": [1000, 4000]},
               params={"dim": 20, **EACH_BATCH}, controls=("final-iterate", "from-the-start"), bound=False),
    exact_risk("diabetes", sources.diabetes, scales=OF_DATA, params=EACH_BATCH, systems=56, bound=False,
               controls=("multi-pass", "final-iterate")),
    exact_risk("digits", sources.digits, scales=OF_DATA, params=EACH_BATCH, systems=56,
               controls=("multi-pass", "final-iterate")),
    exact_risk("skewed", sources.skewed, scales={"quick": [100], "standard": [100, 400]}, systems=400,
               params={"batch": 4, "step": 0.5, "burn": 2}, controls=("no-mixed-moment", "even-noise")),
    TAIL_BOUND,
    COMPANION_BOUND,
    variance_constant("harmonic", sources.harmonic, params={"dim": 20}),
    variance_constant("diabetes", sources.diabetes),
    variance_constant("digits", sources.digits),
)  # fmt: skip
