"""S3.4: of the order of d rows suffice to fit a planted ReLU, and 2 d are needed; see planted_relu.py.

Setting. n Gaussian rows once and for all; SGD that draws from them with replacement, started at ``(2/n) sum y_i x_i``.

Sharp constant, derived. w* is the only fit of n rows if and only if d of them are active. Each is active with
probability 1/2, so the d-th active row of a stream is row 2 d on average, exactly, and a table of n rows determines w*
with probability P(Bin(n, 1/2) >= d), which is 1/2 at n = 2 d - 1. No method can do with fewer.

SGD needs more, as near 2 d rows the smallest eigenvalue of the active rows' second moments is some (1 - sqrt(d/k))^2,
with k = n/2 active ones. So n_50, at which half of the tables are fitted, depends on the budget, here STEPS steps to
reach TARGET, and a failure means that the budget is used up, not that SGD would not get there: as n falls to 2 d the
steps that it takes grow like (1 - 2 d/n)^-2. The step is 1/A with m = d/2 rows, so that a budget is worth the same for
all d.

Checked: the frequency of success crosses 1/2 between 2 d and 3 d rows; n_50 is proportional to d, and larger than the
row of the d-th active one on average (not on every path: the fits of fewer active rows form a polyhedron around w*,
which may be smaller than TARGET); the error of the start is sqrt((2 d + 3)/n) in mean square.

Controls: half-the-rows, n/2 rows pass for n; both-sides, rows turned over so that all are active: d rows are enough;
more-weights, units with d^2/10 weights; half-step, the start of the other convention.
"""

import chaosnum as cn
from proofs_checks.planted_relu_rates import SOURCE, law

TARGET, STEPS = 1e-5, 2000  # |h|^2 / |w*|^2 of a table that is fitted, and the steps it has for that
TABLES = 8  # tables behind one replica
GRID = (1.6, 3.6, 40)  # n/d is searched for from, to, in so many steps
SUCCESS = "share of tables fitted"
NEEDED, PER_DIM, EARLY = "rows needed", "rows needed / d", "row of the d-th active / rows needed"
ACTIVE, HALF = "row of the d-th active / d", "share of tables of 2 d - 1 rows that determine w*"


def fits(X, w_star, rng):
    """Whether SGD finds w* within the budget from the rows X, shape (n, d) -> bool."""
    dim = X.shape[1]
    batch = max(1, dim // 2)
    step = 1.0 / law(dim, batch)
    return cn.planted_relu_table.fit(X, w_star, step=step, batch=batch, rng=rng, target=TARGET, most=STEPS).fitted


def _turned(X, w_star):
    """Rows turned to the active side, none of them lost."""
    import numpy as np

    return X * np.where(X @ w_star < 0.0, -1.0, 1.0)[..., None]


def recovery(ratio, *, seed, dim, waste=1.0, turned=False):
    """Share of tables of n = ratio d rows that SGD fits."""
    import numpy as np

    dim, rng = int(dim), np.random.default_rng(seed)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    tables = rng.standard_normal((TABLES, round(ratio * dim * waste), dim))
    tables = _turned(tables, w_star) if turned else tables
    return float(np.mean([fits(X, w_star, rng) for X in tables]))


RECOVERY = cn.Claim(
    "S3.4",
    "SGD fits the planted unit from n rows or not: the frequency crosses 1/2 between n = 2 d and n = 3 d.",
    SOURCE,
    "n/d",
    origin="derived",
    name="recovery-threshold",
    model="gaussian",
    measure=recovery,
    quantity=SUCCESS,
    predicts=cn.Threshold(2.0, 3.0, 0.5, statistic="frequency", trials=TABLES, words="n_50/d"),
    scales={"quick": [1.6, 2.0, 3.0], "standard": [1.4, 2.0, 2.5, 3.0, 3.6]},
    replicas={"quick": 12, "standard": 16, "full": 48},
    params={"dim": 20},
    domain={"dim": (0, 1000)},
    controls=(
        cn.Control("half-the-rows", "Half of the rows are never drawn.", params={"waste": 0.5}, scales=[2.0, 3.0]),
        cn.Control("both-sides", "Rows of the other side are turned over: all are active.", params={"turned": True},
                   scales=[1.6, 2.0, 3.0]),
    ),
)  # fmt: skip


def samples(dim, *, seed, power=1.0, turned=False):
    """Rows that streams need until SGD fits them, by bisection over GRID; averages over streams."""
    import numpy as np

    claimed, rng = int(dim), np.random.default_rng(seed)
    dim = round(10 * (claimed / 10) ** power)  # d, unless it is spoilt
    low, high, steps = GRID
    sizes = np.round(np.linspace(low, high, steps + 1) * dim).astype(int)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    needed, early = np.empty(TABLES), np.empty(TABLES)
    for r in range(TABLES):
        X = rng.standard_normal((sizes[-1], dim))
        X = _turned(X, w_star) if turned else X
        below, above = -1, steps + 1  # not fitted, fitted
        while above - below > 1:
            middle = (below + above) // 2
            if fits(X[: sizes[middle]], w_star, rng):
                above = middle
            else:
                below = middle
        needed[r] = sizes[above] if above <= steps else sizes[-1]
        active = np.flatnonzero(X @ w_star > 0.0)
        early[r] = (active[dim - 1] + 1 if len(active) >= dim else 0) / needed[r]
    return {NEEDED: float(needed.mean()), PER_DIM: float(needed.mean() / claimed), EARLY: float(early.mean())}


SAMPLES_OF = {
    NEEDED: cn.PowerLaw(1.0, sense="exact", margin=0.1),
    PER_DIM: cn.LimitCurve(lower=2.0, upper=3.0, words="[2, 3]"),
    EARLY: cn.Bound(1.0, statistic="mean", words="1"),
}
SAMPLES = cn.Claim(
    "S3.4",
    "The rows that SGD needs are proportional to d, between 2 d and 3 d: more than it takes to determine w*.",
    SOURCE,
    "d",
    origin="derived",
    name="sample-complexity",
    model="gaussian",
    measure=samples,
    predicts=SAMPLES_OF,
    scales={"quick": [10, 20, 40], "standard": [10, 20, 40, 80]},
    replicas={"quick": 8, "standard": 12, "full": 32},
    asymptotic="large",
    controls=(
        cn.Control("more-weights", "Units with d^2/10 weights.", params={"power": 2.0},
                   scales=[10, 14, 20], replicas=24, predicts={key: SAMPLES_OF[key] for key in (NEEDED, PER_DIM)}),
        cn.Control("both-sides", "Rows of the other side are turned over: all are active.", params={"turned": True},
                   scales=[10, 14, 20], replicas=24, predicts={PER_DIM: SAMPLES_OF[PER_DIM]}),
    ),
)  # fmt: skip


def determined(dim, *, seed, turned=False):
    """Row of the d-th active one in streams, and how many tables of 2 d - 1 rows have active rows of rank d."""
    import numpy as np

    dim, rng = int(dim), np.random.default_rng(seed)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    X = rng.standard_normal((16 * TABLES, 4 * dim + 40, dim))  # the d-th active row is later with probability < 1e-9
    X = _turned(X, w_star) if turned else X
    active = X @ w_star > 0.0
    waits = 1 + np.argmax(np.cumsum(active, axis=1) >= dim, axis=1)
    table = (X * active[..., None])[:, : 2 * dim - 1]
    return {ACTIVE: float(waits.mean() / dim), HALF: float((np.linalg.matrix_rank(table) == dim).mean())}


DETERMINED = cn.Claim(
    "S3.4",
    "n rows determine w* if d of them are active: the d-th active one is row 2 d on average; 2 d - 1 do half the time.",
    SOURCE,
    "d",
    origin="derived",
    name="rows-that-determine",
    model="gaussian",
    measure=determined,
    predicts={
        ACTIVE: cn.ExactValue(2.0, deviation=0.02, words="2"),
        HALF: cn.ExactValue(
            lambda dim: cn.planted_relu_law.identified(int(dim), 2 * int(dim) - 1), deviation=0.1, words="1/2"
        ),
    },
    scales={"quick": [5, 20], "standard": [5, 10, 20]},
    replicas={"quick": 40, "standard": 48, "full": 200},
    controls=(
        cn.Control("both-sides", "Rows of the other side are turned over: all are active.", params={"turned": True}),
    ),
)


def start_error(rows, *, seed, dim, double=False):
    """Mean of |w_0 - w*|^2, with |w*| = 1, for the one-step start; `double`: w_0 is taken by half."""
    import numpy as np

    dim, rows, rng = int(dim), int(rows), np.random.default_rng(seed)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    X = rng.standard_normal((8 * TABLES, rows, dim))
    w = cn.planted_relu.start(X, cn.planted_relu.labels(X, w_star)) * (0.5 if double else 1.0)
    return float(((w - w_star) ** 2).sum(axis=1).mean())


START = cn.Claim(
    "S3.4",
    "The start from one full step has the mean w* and the error sqrt((2d+3)/n) |w*| in mean square.",
    "Soltanolkotabi, arXiv 1705.04591 (start, recalled); the error derived",
    "n",
    origin="derived",
    name="one-step-start",
    model="gaussian",
    measure=start_error,
    quantity="|w_0 - w*|^2",
    predicts=cn.ExactValue(
        lambda n, dim: cn.planted_relu_law.start_error(int(dim), int(n)) ** 2, deviation=0.03, words="(2d+3)/n"
    ),
    scales={"quick": [40, 160], "standard": [20, 40, 120, 400]},
    replicas={"quick": 48, "standard": 200, "full": 400},
    params={"dim": 20},
    domain={"dim": (0, 1000)},
    controls=(
        cn.Control("half-step", "The step of the other convention: half of it.", params={"double": True},
                   scales=[120, 400]),
    ),
)  # fmt: skip

CLAIMS = (RECOVERY, SAMPLES, DETERMINED, START)
