"""S3.2: quantised gradients of K workers change the rate of SGD on a planted ReLU, not its limit; see planted_relu.py.

Prediction. Factor 1 - 1/A_Q at the step 1/A_Q, A_Q = A + (omega/K)(1 + (2 d + 3) K/m), with QSGD's omega for gradients
of uniform direction, an integral. The directions along a path are uniform but for what the quantiser's own noise, which
knows the axes, leaves in h: no effect on the rate is seen at a standard error of 0.3 %, but the formula is not exact,
so it is a curve with a margin of 3 %.

No floor. All errors are proportional to |h|, so |h|^2 falls below 1e-20 |w*|^2 at the predicted time and at the
same rate in its second half as in its first.

Controls: label-noise, labels with noise of 1e-3 have a floor; nearest-level, rounding to the nearest of s = 1 levels
sends 0 for nearly every gradient, and nothing moves; half-loss-step; not-quantised.
"""

import chaosnum as cn
from proofs_checks.planted_relu_rates import FALL, NEAR, RUNS, SLOPE, SOURCE, WHOLE, falls, law

TARGET = 1e-20  # of |h|^2 / |w*|^2
SLACK = 1.15  # times the steps that the predicted rate needs
END, STEADY = "|h|^2 in the end", "late rate / early rate"


class Nearest:
    """QSGD's levels, rounded to the nearest: biased."""

    batched = True

    def __init__(self, levels):
        self.levels = levels

    def quantise(self, v, rng):
        """The nearest level of each component -> ndarray, float64, shape (..., d)."""
        import numpy as np

        norm = np.linalg.norm(v, axis=-1, keepdims=True)
        return norm * np.round(v / np.where(norm > 0.0, norm, 1.0) * self.levels) / self.levels


def amplified(levels, dim, batch, workers):
    """A_Q of QSGD's quantiser."""
    omega = cn.qsgd.Quantiser(int(levels)).mean_variance(int(dim))
    return law(dim, batch, workers=int(workers), omega=omega)


def contraction(levels, *, seed, dim, batch, workers, silent=False, share=1.0):
    """Quantised SGD near w* with the step 1/A_Q, some six times as long as it takes to fall by e."""
    import numpy as np

    dim, batch, workers, rng = int(dim), int(batch), int(workers), np.random.default_rng(seed)
    a = amplified(levels, dim, batch, workers)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, cn.planted_relu.near(w_star, NEAR, rng, RUNS), step=share / a,
        batch=batch, horizon=max(8, int(6.0 * a)), rng=rng, workers=workers,
        quantiser=None if silent else cn.qsgd.Quantiser(int(levels)),
    ).squares  # fmt: skip
    return falls(squares, np.log(1.0 - 1.0 / a))


CONTRACTION = cn.Claim(
    "S3.2",
    "K workers with quantised gradients: E|h|^2 falls by 1 - 1/A_Q a step, A_Q = A + (omega/K)(1 + (2d+3)K/m).",
    SOURCE,
    "levels",
    origin="derived",
    name="quantised-contraction",
    model="gaussian",
    measure=contraction,
    predicts={
        FALL: cn.LimitCurve(
            lambda levels, dim, batch, workers: 1.0 / amplified(levels, dim, batch, workers), margin=0.03, words="1/A_Q"
        ),
        SLOPE: cn.LimitCurve(1.0, margin=0.03, words="1"),
    },
    scales={"quick": [2, 6], "standard": [1, 2, 6], "full": [1, 2, 4, 6, 12]},
    replicas={"quick": 20, "standard": 56, "full": 128},
    params={"workers": (1, 4, 16), "dim": 36, "batch": 48},
    domain={"workers": WHOLE, "dim": WHOLE, "batch": WHOLE},
    controls=(
        cn.Control("half-loss-step", "The step of the other convention: half of it.", params={"share": 0.5},
                   scales=[2, 6], replicas=12),
        cn.Control("not-quantised", "The gradients themselves are sent.", params={"silent": True}, scales=[1, 2],
                   replicas=12),
    ),
)  # fmt: skip


def descent(levels, *, seed, dim, batch, workers, noise=0.0, nearest=False):
    """Two runs of quantised SGD from |h| = 0.1 |w*|, SLACK times as long as it takes to reach TARGET."""
    import math

    import numpy as np

    dim, batch, workers, rng = int(dim), int(batch), int(workers), np.random.default_rng(seed)
    a = amplified(levels, dim, batch, workers)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    horizon = math.ceil(SLACK * math.log(TARGET) / math.log(1.0 - 1.0 / a))
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, cn.planted_relu.near(w_star, 0.1, rng, 2), step=1.0 / a, batch=batch,
        horizon=horizon, rng=rng, workers=workers, noise=noise,
        quantiser=Nearest(int(levels)) if nearest else cn.qsgd.Quantiser(int(levels)),
    ).squares  # fmt: skip
    return ending(squares)


def ending(squares):
    """The largest |h|^2 at the end, and the rate of the mean logarithm in its second half over that in its first."""
    import numpy as np

    logs = np.log(np.maximum(squares, 1e-300)).mean(axis=1)
    half = len(logs) // 2
    early, late = (logs[0] - logs[half]) / half, (logs[half] - logs[-1]) / (len(logs) - 1 - half)
    return {END: float(squares[-1].max()), STEADY: float(late / early) if early > 0.0 else 0.0}


NO_FLOOR = cn.Claim(
    "S3.2",
    "Quantised SGD converges to w* itself: |h|^2 falls below 1e-20 |w*|^2, as fast at the end as at the beginning.",
    SOURCE,
    "levels",
    origin="derived",
    name="no-floor",
    model="gaussian",
    measure=descent,
    predicts={
        END: cn.Bound(TARGET, words="1e-20"),
        STEADY: cn.LimitCurve(1.0, margin=0.1, words="1"),
    },
    scales={"quick": [1, 6], "standard": [1, 6], "full": [1, 2, 4, 6]},
    replicas={"quick": 6, "standard": 12, "full": 32},
    params={"workers": 4, "dim": 36, "batch": 48},
    domain={"workers": WHOLE, "dim": WHOLE, "batch": WHOLE},
    controls=(
        cn.Control("label-noise", "Labels that no unit has.", params={"noise": 1e-3}, scales=[6], replicas=16),
        cn.Control("nearest-level", "Rounding to the nearest level.", params={"nearest": True}, scales=[1],
                   predicts={END: cn.Bound(TARGET, words="1e-20")}),
    ),
)  # fmt: skip

CLAIMS = (CONTRACTION, NO_FLOOR)
