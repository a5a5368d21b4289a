"""S3.1: the factor of one step of SGD on a planted ReLU, near w* and at any distance; see planted_relu.py."""

import chaosnum as cn

SOURCE = "derived here for the abstract of Kalan, Soltanolkotabi, Avestimehr, arXiv 1901.06587; update rule recalled"
FALL, SLOPE = "fall of |h|^2 a step", "slope / predicted"
NEAR = 1e-4  # distance to w*, in |w*|, where the formulas near w* are off by less than 1e-4
RUNS = 16  # runs behind one replica
WHOLE = (0, 10**4)


def law(dim, batch, **others):
    """A or A_Q."""
    return cn.planted_relu_law.amplification(int(dim), int(batch), **others)


def contraction(batch, *, seed, dim, share=1.0, stale=False):
    """SGD near w* with the step `share`/A, some four times as long as it takes to fall by e."""
    import numpy as np

    dim, batch, rng = int(dim), int(batch), np.random.default_rng(seed)
    a = law(dim, batch)
    inputs = Stale(dim) if stale else cn.planted_relu.Gaussian(dim)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    horizon = max(4, int(4.0 * a))
    squares = cn.planted_relu.run(
        inputs, w_star, cn.planted_relu.near(w_star, NEAR, rng, RUNS), step=share / a, batch=batch, horizon=horizon,
        rng=rng,
    ).squares  # fmt: skip
    return falls(squares, np.log(cn.planted_relu_law.factor(1.0 / a, a)))


def falls(squares, predicted):
    """Fall a step and slope over the predicted one, of squared distances (horizon + 1, runs)."""
    import numpy as np

    slope = np.log(squares[-1].mean() / squares[0].mean()) / (len(squares) - 1)
    return {FALL: 1.0 - float((squares[1:] / squares[:-1]).mean()), SLOPE: float(slope / predicted)}


class Stale:
    """Gaussian rows, drawn once."""

    def __init__(self, dim):
        self.dim, self.X = dim, None

    def draw(self, rng, runs, batch):
        """The same rows again -> ndarray, float64, shape (runs, batch, dim)."""
        if self.X is None:
            self.X = rng.standard_normal((runs, batch, self.dim))
        return self.X


CONTRACTION = cn.Claim(
    "S3.1",
    "Near w*, E|h|^2 falls by the factor 1 - 1/A a step at the best step 1/A, A = 1 + (2d+3)/m.",
    SOURCE,
    "m",
    origin="derived",
    name="contraction",
    model="gaussian",
    measure=contraction,
    predicts={
        FALL: cn.ExactValue(lambda m, dim: 1.0 / law(dim, m), deviation=0.03, words="m/(m+2d+3)"),
        SLOPE: cn.LimitCurve(1.0, margin=0.03, words="1"),
    },
    scales={"quick": [4, 64], "standard": [1, 4, 16, 64, 256], "full": [1, 4, 16, 64, 256, 1024]},
    replicas={"quick": 12, "standard": 16, "full": 64},
    params={"dim": 100},
    domain={"dim": WHOLE},
    controls=(
        cn.Control("half-loss-step", "The step of the other convention: half of it.", params={"share": 0.5},
                   scales=[4, 64], replicas=12),
        cn.Control("stale-batch", "One batch, used at every step.", params={"stale": True}, scales=[4, 16, 64],
                   replicas=24),
    ),
)  # fmt: skip


# --- the law of the step ---------------------------------------------------------------------------------------------

FACTOR, CROSSING = "factor", "factor against 1"


def step_law(u, *, seed, dim, batch, share=1.0):
    """Factor of |h|^2 over eight steps of mu = 2 u/A: from u = 1 on it is above 1."""
    import numpy as np

    dim, batch, rng = int(dim), int(batch), np.random.default_rng(seed)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, cn.planted_relu.near(w_star, NEAR, rng, 4 * RUNS),
        step=share * 2.0 * u / law(dim, batch), batch=batch, horizon=8, rng=rng,
    ).squares  # fmt: skip
    found = float((squares[1:] / squares[:-1]).mean())
    return {FACTOR: found, CROSSING: found}


def step_factor(u, dim, batch):
    """1 - 2 mu + mu^2 A at mu = 2 u/A."""
    a = law(dim, batch)
    return cn.planted_relu_law.factor(2.0 * u / a, a)


STEP_LAW = cn.Claim(
    "S3.1",
    "A step mu multiplies E|h|^2 by 1 - 2 mu + mu^2 A near w*: it grows from mu = 2/A on.",
    SOURCE,
    "mu A/2",
    origin="derived",
    name="step-law",
    model="gaussian",
    measure=step_law,
    predicts={
        FACTOR: cn.ExactValue(step_factor, deviation=0.03, words="1-2mu+mu^2 A"),
        CROSSING: cn.Threshold(0.9, 1.1, 1.0, words="2/A"),
    },
    scales={"quick": [0.25, 0.5, 0.9, 1.1], "standard": [0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25]},
    replicas={"quick": 16, "standard": 24, "full": 100},
    params={"dim": 20, "batch": 43},
    domain={"dim": WHOLE, "batch": WHOLE},
    controls=(
        cn.Control("half-loss-step", "The step of the other convention: half of it.", params={"share": 0.5},
                   scales=[0.75, 0.9, 1.1, 1.25]),
    ),
)  # fmt: skip


# --- any distance ----------------------------------------------------------------------------------------------------


def _at(distance, angle, dim):
    """w* = e_1, and w at this distance from it, h turned by `angle` degrees from w*."""
    import numpy as np

    w_star = np.eye(int(dim))[0]
    w = w_star.copy()
    w[0] += distance * np.cos(np.radians(angle))
    w[1] += distance * np.sin(np.radians(angle))
    return w, w_star


def one_step(distance, *, seed, angle, dim, batch):
    """Factor of |h|^2 of one step of 1/A from this distance."""
    import numpy as np

    rng = np.random.default_rng(seed)
    w, w_star = _at(distance, angle, dim)
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(int(dim)), w_star, np.repeat(w[None], 8 * RUNS, axis=0), step=1.0 / law(dim, batch),
        batch=int(batch), horizon=1, rng=rng,
    ).squares  # fmt: skip
    return float(squares[1].mean() / squares[0].mean())


def one_step_law(distance, angle, dim, batch):
    """The exact factor."""
    w, w_star = _at(distance, angle, dim)
    return cn.planted_relu_law.square_after(w, w_star, 1.0 / law(dim, batch), int(batch)) / distance**2


ANY_DISTANCE = cn.Claim(
    "S3.1",
    "At any distance and angle one step changes E|h|^2 as the moments over half-spaces say.",
    SOURCE,
    "|h|/|w*|",
    origin="derived",
    name="any-distance",
    model="gaussian",
    measure=one_step,
    quantity="factor",
    predicts=cn.ExactValue(one_step_law, deviation=0.03, words="exact step"),
    scales={"quick": [0.1, 0.7, 1.5], "standard": [0.01, 0.1, 0.4, 0.7, 1.0, 1.5, 2.5]},
    replicas={"quick": 16, "standard": 24, "full": 200},
    params={"angle": (60.0, 90.0, 150.0), "dim": 20, "batch": 43},
    domain={"dim": (1, WHOLE[1]), "batch": WHOLE, "angle": (0.0, 180.0)},  # at d = 1 there is no angle between
    controls=(
        cn.Control("near-formula", "The formula near w*, 1 - 1/A, far from it.",
                   predicts=cn.ExactValue(lambda distance, dim, batch: 1.0 - 1.0 / law(dim, batch), deviation=0.03),
                   scales=[1.5, 2.5], replicas=32, applies=lambda angle: angle >= 80.0),
    ),
)  # fmt: skip

CLAIMS = (CONTRACTION, STEP_LAW, ANY_DISTANCE)
