"""S3.5: noise on the labels of a planted ReLU leaves a floor, which quantising raises; see planted_relu.py."""

import chaosnum as cn
from proofs_checks.planted_relu_quantised import amplified
from proofs_checks.planted_relu_rates import RUNS, WHOLE, law, step_factor

SOURCE = "derived here, in chaosnum/planted_relu_law.py, for the update rule of arXiv 1901.06587 as recalled"


def floor(u, *, seed, dim, batch, noise, levels=0, workers=1, quiet=False, share=1.0):
    """Mean of |h_t|^2 over the second half of a path from w* with noisy labels, mu = 2 u/A."""
    import numpy as np

    dim, batch, rng = int(dim), int(batch), np.random.default_rng(seed)
    w_star = cn.planted_relu.directions(rng, 1, dim)[0]
    start = cn.planted_relu.near(w_star, noise if quiet else 0.0, rng, 4 * RUNS)
    squares = cn.planted_relu.run(
        cn.planted_relu.Gaussian(dim), w_star, start, step=share * 2.0 * u / law(dim, batch), batch=batch,
        horizon=_long(u, dim, batch), rng=rng, workers=int(workers), noise=0.0 if quiet else noise,
        quantiser=cn.qsgd.Quantiser(int(levels)) if levels else None,
    ).squares  # fmt: skip
    return float(squares[len(squares) // 2 :].mean())


def _long(u, dim, batch):
    """Steps until the mean is within 1e-6 of its limit, or 40; there is one for u < 1 alone."""
    import math

    cn.check.in_range("u", u, 0.0, 1.0, open_high=True)
    return max(40, math.ceil(-14.0 / math.log(step_factor(u, dim, batch))))


def predicted_floor(u, dim, batch, noise, levels=0, workers=1):
    """The mean of floor (1 - factor^t) over the same t."""
    import numpy as np

    mu = 2.0 * u / law(dim, batch)
    omega = cn.qsgd.Quantiser(int(levels)).mean_variance(int(dim)) if levels else 0.0
    limit = cn.planted_relu_law.floor(mu, int(dim), int(batch), noise, int(workers), omega)
    a = law(dim, batch, workers=int(workers), omega=omega)
    t = np.arange(_long(u, dim, batch) + 1)
    return limit * float((1.0 - cn.planted_relu_law.factor(mu, a) ** t[len(t) // 2 :]).mean())


def additive_floor(u, dim, batch, noise):
    """As if the noise of the gradients did not depend on h: d tau^2 mu/m."""
    return dim * noise**2 * 2.0 * u / law(dim, batch) / batch


FLOOR_PARAMS = {"dim": 20, "batch": 43, "noise": 1e-3}
FLOOR_DOMAIN = {"dim": WHOLE, "batch": WHOLE, "noise": (0.0, 0.1)}
FLOOR = cn.Claim(
    "S3.5",
    "Noise tau on the labels leaves a floor, E|h|^2 -> 2 d tau^2 mu/(m (2 - mu A)): proportional to mu for small mu.",
    SOURCE,
    "mu A/2",
    origin="derived",
    name="noise-floor",
    model="gaussian",
    measure=floor,
    quantity="|h|^2 in the end",
    predicts=cn.ExactValue(predicted_floor, deviation=0.03, words="floor"),
    scales={"quick": [0.1, 0.5], "standard": [0.1, 0.25, 0.5, 0.75], "full": [0.05, 0.1, 0.25, 0.5, 0.75]},
    replicas={"quick": 12, "standard": 16, "full": 100},
    params=FLOOR_PARAMS,
    domain=FLOOR_DOMAIN,
    controls=(
        cn.Control("no-noise", "Labels without noise: no floor.", params={"quiet": True}, scales=[0.25, 0.5]),
        cn.Control("half-loss-step", "The step of the other convention: half of it.", params={"share": 0.5},
                   scales=[0.25, 0.5]),
        cn.Control("additive-only", "The floor without the gradients' own noise, d tau^2 mu/m.", scales=[0.5, 0.75],
                   predicts=cn.ExactValue(additive_floor, deviation=0.03)),
    ),
)  # fmt: skip


def floor_of_noise(noise, *, seed, dim, batch, u, constant=False):
    """`floor` with the noise as the scale."""
    return floor(u, seed=seed, dim=dim, batch=batch, noise=1e-3 if constant else noise)


FLOOR_OF_NOISE = cn.Claim(
    "S3.5",
    "The floor is proportional to the variance of the labels' noise.",
    SOURCE,
    "tau",
    origin="derived",
    name="floor-of-noise",
    model="gaussian",
    measure=floor_of_noise,
    quantity="|h|^2 in the end",
    predicts=cn.PowerLaw(2.0, sense="exact"),
    scales=[1e-4, 1e-3, 1e-2],
    replicas={"quick": 8, "standard": 16, "full": 50},
    params={"dim": 20, "batch": 43, "u": 0.5},
    domain={"dim": WHOLE, "batch": WHOLE, "u": (0.0, 1.0)},
    controls=(cn.Control("same-noise", "The same noise at every scale.", params={"constant": True}),),
)


def raised_floor(levels, *, seed, dim, batch, noise, workers, u, silent=False):
    """Floor of quantised SGD at u times its threshold 2/A_Q, over the exact one without quantising."""
    dim, batch, workers = int(dim), int(batch), int(workers)
    plain = _same_step(levels, dim, batch, workers, u)
    measured = floor(plain, seed=seed, dim=dim, batch=batch, noise=noise, workers=workers,
                     levels=0 if silent else int(levels))  # fmt: skip
    return measured / predicted_floor(plain, dim, batch, noise)


def _same_step(levels, dim, batch, workers, u):
    """mu = 2 u/A_Q as a share of 2/A."""
    return u * law(dim, batch) / amplified(levels, dim, batch, workers)


def raised_by(levels, dim, batch, noise, workers, u):
    """(1 + omega)(2 - mu A)/(2 - mu A_Q), at finite t."""
    plain = _same_step(levels, dim, batch, workers, u)
    quantised = predicted_floor(plain, dim, batch, noise, levels, workers)
    return quantised / predicted_floor(plain, dim, batch, noise)


RAISED = cn.Claim(
    "S3.5",
    "At the same step quantising raises the floor by (1 + omega)(2 - mu A)/(2 - mu A_Q).",
    SOURCE,
    "levels",
    origin="derived",
    name="raised-floor",
    model="gaussian",
    qualified="the factor A_Q/A holds only for small steps, and for one worker or 2 d + 3 >> m",
    measure=raised_floor,
    quantity="floor / floor without quantising",
    predicts=cn.LimitCurve(raised_by, margin=0.04, words="raised floor"),
    scales={"quick": [1, 4], "standard": [1, 2, 4]},
    replicas={"quick": 12, "standard": 16, "full": 64},
    params={**FLOOR_PARAMS, "workers": 1, "u": 0.5},
    domain={**FLOOR_DOMAIN, "workers": WHOLE, "u": (0.0, 1.0)},
    controls=(cn.Control("same-floor", "Nothing is quantised.", params={"silent": True}, scales=[1, 2]),),
)

CLAIMS = (FLOOR, FLOOR_OF_NOISE, RAISED)
