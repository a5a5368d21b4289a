"""S5.6: which of Overlap Local-SGD, CoCoD-SGD and Local SGD is best is a matter of what is held equal.

Statement
    Published (second-hand): Overlap ends with a better accuracy than CoCoD-SGD, more so on unlike data. No theorem.

Finding, qualified
    The published comparison is at equal nominal step, where Overlap's effective step is smaller by the factor 1 - pull
    (``chaosnum/local_sgd.py``). Unlike data drive the workers apart, to first order by step^2 kappa^2 times the mean
    over j < tau of (``chaosnum/local_sgd_moments.py``)
        overlap (tau (1 - pull)/pull + j)^2,    cocod (tau + j)^2,    local j^2.
    At equal nominal step overlap's workers are closer together if pull > 1/2; the published pull is 0.6. At equal
    effective step, step/(1 - pull), it is (tau/pull + j/(1 - pull))^2, larger than cocod's for every pull. Loss follows
    drift once the transient is over; before, the larger effective step wins. So at equal nominal step Overlap beats
    CoCoD in the end, at equal effective step CoCoD beats Overlap, and plain Local SGD is best per iteration. What
    Overlap has to offer is run time: with alike data it loses little by its drift, and waits less.

What is checked
    drift-ranking: noiseless drifts on quadratics of equal curvature: at equal step overlap/cocod <= 1 for pull > 1/2,
        at equal effective step cocod/overlap <= 1; every tau.
    ranking: multinomial logistic regression with a ridge on the digits (20 whitened components), sorted by label over
        8 workers: excess loss after 800 iterations, overlap over cocod at equal step (< 1) and at equal effective
        step (> 1), overlap over local at equal effective step (> 1).
    error-against-run-time: the same, rows dealt at random: time to an excess of 0.05 at matched effective step, in the
        max-plus model, exponential compute times and comm = 1: overlap over local and over synchronous SGD, both < 1.

Controls
    swapped: equal effective for equal nominal step, and the reverse. little-pull: 0.3. short-run: the transient.
    nominal-step: overlap with the step of the others. sorted: unlike data, whose drift costs more than waiting.
"""

from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks import local_sgd_fleet as fleet

SOURCE = "accuracies of Wang, Liang, Joshi, arXiv 2002.09539, second-hand; derived in chaosnum/local_sgd_moments.py"
QUALIFIED = "the published ranking is a matter of effective step size: at equal effective step it is reversed"
AT_EQUAL, AT_EFFECTIVE = "overlap/cocod at equal step", "cocod/overlap at equal effective step"


def drift_ratios(tau, *, seed, pull, reach, workers, pulled=None):
    """Ratios of drift on alike quadratics, h = 1 and kappa = 1, with step = reach/tau for cocod."""

    def drift(step, method):
        used = pull if pulled is None else pulled
        about = {"h": 1.0, "tilt": 1.0, "workers": workers}
        problem, rule = fleet.quadratics(**about), cn.local_sgd.Rule(step, int(tau), used, 0.0, method)
        rounds, found = 120, []

        def observe(k, state, g):
            if k >= (rounds - 1) * rule.tau:
                found.append(state.disagreement()[0])

        cn.local_sgd.run(problem.gradient, problem.optimum, rule, rounds * rule.tau, workers=workers, observe=observe)
        return sum(found) / len(found)

    step = reach / tau
    cocod = drift(step, "cocod")
    return {
        AT_EQUAL: drift(step, "overlap") / cocod,
        AT_EFFECTIVE: cocod / drift(step / (1.0 - pull), "overlap"),
    }


def swapped(tau, **params):
    """`drift_ratios` with the two methods swapped."""
    return {what: 1.0 / value for what, value in drift_ratios(tau, **params).items()}


DRIFTS = cn.Claim(
    "S5.6",
    "Unlike data drive Overlap's workers apart less than CoCoD's at equal step (pull > 1/2), more at equal effective.",
    SOURCE,
    "tau",
    origin="derived",
    qualified=QUALIFIED,
    name="drift-ranking",
    model="quadratics",
    measure=drift_ratios,
    predicts={AT_EQUAL: cn.Bound(1.0, within=10.0, words="1"), AT_EFFECTIVE: cn.Bound(1.0, within=10.0, words="1")},
    scales=[1, 2, 8, 24],
    replicas=2,
    params={"pull": (0.6, 0.8), "reach": 0.1, "workers": 8},
    domain={"pull": (0.5, 1.0), "reach": (0.0, 1.0)},
    controls=(
        cn.Control("little-pull", "pull = 0.3 at equal step.", params={"pulled": 0.3},
                   predicts={AT_EQUAL: cn.Bound(1.0, words="1")}),
        cn.Control("swapped", "The two methods are swapped.", measure=swapped),
    ),
)  # fmt: skip


# --- logistic regression on the digits -----------------------------------------------------------------------------

COMPONENTS, WORKERS, BATCH, RIDGE = 20, 8, 16, 0.01
NOMINAL, EFFECTIVE = "overlap/cocod, equal step", "overlap/cocod, equal effective step"
LOCAL = "overlap/local, equal effective step"
OVER_LOCAL, OVER_SYNC = "overlap/local", "overlap/synchronous"


@lru_cache(maxsize=4)
def digits(like):
    """The digits over the workers; a share `like` of them dealt at random -> Logistic."""
    import numpy as np

    X = np.column_stack([cn.bundled.digits_whitened(COMPONENTS), np.ones(len(cn.bundled.digits()[1]))])
    problem = cn.local_sgd_logistic.Logistic.dealt(
        X, cn.bundled.digits()[1], WORKERS, like=like, batch=BATCH, ridge=RIDGE
    )
    problem.minimum  # noqa: B018  computed once, here
    return problem


def excess(problem, rule, iterations, seed, observe=None):
    """Loss of the mean model above the minimum, at the end."""
    import numpy as np

    state = cn.local_sgd.run(problem.gradient, np.zeros(problem.dim), rule, int(iterations), workers=problem.workers,
                             seed=seed, observe=observe)  # fmt: skip
    return float(problem.loss(state.mean())[0]) - problem.minimum


def ranking(tau, *, seed, step, pull, iterations, like, swap=False):
    """Ratios of excess losses; `step` is overlap's."""
    problem, tau, factor = digits(like), int(tau), cn.local_sgd.effective_factor(pull)

    def at(method, step):
        return excess(problem, cn.local_sgd.Rule(step, tau, pull, 0.0, method), iterations, seed)

    overlap, equal, effective = at("overlap", step), at("cocod", step), at("cocod", factor * step)
    nominal, matched = (effective, equal) if swap else (equal, effective)
    return {
        NOMINAL: overlap / nominal,
        EFFECTIVE: overlap / matched,
        LOCAL: overlap / at("local", step if swap else factor * step),
    }


RANKING_RULES = {
    NOMINAL: cn.LimitCurve(upper=1.0, words="1"),
    EFFECTIVE: cn.LimitCurve(lower=1.0, words="1"),
    LOCAL: cn.LimitCurve(lower=1.0, words="1"),
}
RANKING = cn.Claim(
    "S5.6",
    "On digits sorted by label Overlap ends below CoCoD at equal step, above it and Local SGD at equal effective step.",
    SOURCE,
    "tau",
    origin="derived",
    qualified=QUALIFIED,
    name="ranking",
    model="digits",
    measure=ranking,
    predicts=RANKING_RULES,
    scales={"quick": [4], "standard": [2, 8], "full": [2, 4, 8, 24]},
    replicas={"quick": 3, "standard": 5, "full": 16},
    params={"step": 0.5, "pull": 0.6, "iterations": 800, "like": 0.0},
    domain={"pull": (0.5, 1.0), "step": (0.0, 2.0), "like": (-1e-9, 1.0)},
    controls=(
        cn.Control("swapped", "Equal effective step in place of equal nominal step, and the reverse.",
                   params={"swap": True}, predicts={key: RANKING_RULES[key] for key in (NOMINAL, EFFECTIVE)},
                   replicas=12, scales=[4]),
        cn.Control("short-run", "The transient: the larger effective step is ahead.", params={"iterations": 48},
                   predicts={NOMINAL: RANKING_RULES[NOMINAL]}, replicas=12, scales=[4]),
    ),
)  # fmt: skip


def time_to(problem, rule, method, *, seed, comm, target, iterations, every=5):
    """Run time at which the excess is first at most `target`; the time of all iterations if it never is."""
    import numpy as np

    reached = []

    def observe(k, state, g):
        if k % every == 0 and problem.loss(state.mean())[0] - problem.minimum <= target:
            reached.append(k)
            return True

    excess(problem, rule, iterations, seed, observe)
    count = reached[0] if reached else iterations
    c = np.random.default_rng([seed, 1]).standard_exponential((problem.workers, -(-count // rule.tau) * rule.tau))
    return float(cn.max_plus.times(method, c, comm, rule.tau)[-1])


def run_time(tau, *, seed, step, pull, comm, target, iterations, like, nominal=False):
    """Times to the target, overlap over local and over synchronous SGD; `step` is the effective one."""
    problem, tau = digits(like), int(tau)
    own = step if nominal else step / cn.local_sgd.effective_factor(pull)
    about = {"seed": seed, "comm": comm, "target": target, "iterations": int(iterations)}
    overlap = time_to(problem, cn.local_sgd.Rule(own, tau, pull), "overlap", **about)
    local = time_to(problem, cn.local_sgd.Rule(step, tau, method="local"), "local", **about)
    sync = time_to(problem, cn.local_sgd.Rule(step, 1, method="local"), "sync", **about)
    return {OVER_LOCAL: overlap / local, OVER_SYNC: overlap / sync}


RUN_TIME_RULES = {OVER_LOCAL: cn.LimitCurve(upper=1.0, words="1"), OVER_SYNC: cn.LimitCurve(upper=1.0, words="1")}
RUN_TIME = cn.Claim(
    "S5.6",
    "On digits dealt at random Overlap reaches a loss sooner than Local and synchronous SGD at matched effective step.",
    SOURCE,
    "tau",
    origin="derived",
    qualified="run time in the max-plus model, data alike over workers; on data sorted by label the drift costs more",
    name="error-against-run-time",
    model="digits",
    measure=run_time,
    predicts=RUN_TIME_RULES,
    scales={"quick": [4], "standard": [2, 4, 8], "full": [2, 4, 8]},
    replicas={"quick": 4, "standard": 8, "full": 32},
    params={"step": 0.2, "pull": 0.6, "comm": 1.0, "target": 0.05, "iterations": 400, "like": 1.0},
    domain={"pull": (0.0, 1.0), "step": (0.0, 2.0), "comm": (0.0, float("inf")), "like": (-1e-9, 1.0)},
    controls=(
        cn.Control("nominal-step", "Overlap with the step of the others.", measure=partial(run_time, nominal=True),
                   predicts={OVER_LOCAL: RUN_TIME_RULES[OVER_LOCAL]}, replicas=12, scales=[4]),
        cn.Control("sorted", "Data sorted by label.", params={"like": 0.0}, replicas=12, scales=[8],
                   predicts={OVER_LOCAL: RUN_TIME_RULES[OVER_LOCAL]}),
    ),
)  # fmt: skip

CLAIMS = (DRIFTS, RANKING, RUN_TIME)
