"""Claims on one's own rows, quantiser, step and workers, by the predictions of S3.1 to S3.3; see planted_relu.py.

One's own::

    from proofs_checks.planted_relu import claims_for

    class Sparse:
        def quantise(self, v, rng):
            return v * (rng.random(v.shape) < 0.25) / 0.25

    verdicts = cn.verify(claims_for(rows=X, quantiser=Sparse(), batch=32, workers=4))

A quantiser is judged by the same predictions as QSGD's: it must be unbiased and its errors proportional to |v|; one
that is neither is told by its claims. What no claim could use is refused before anything runs, and so is what would
take hours: more than 2e9 random numbers for one system.
"""

from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks.planted_relu_quantised import END, SLACK, TARGET
from proofs_checks.planted_relu_rates import SOURCE
from proofs_checks.planted_relu_setting import RUNS, setting

MEAN, LINE, ALONG, BITS = "mean |h|^2 / predicted", "R^2 of log |h|^2", "<Q(v), v>/|v|^2", "bits a number"


def mean_square(settings, batch, *, seed, share=1.0, gaussian=False):
    """Mean of |h_T|^2 after the time of a fall by e, over what it should be."""
    import math

    import numpy as np

    found, rng = settings(int(batch)), np.random.default_rng(seed)
    horizon = max(2, math.ceil(-1.0 / math.log(found.factor)))
    w = cn.planted_relu.near(found.w_star, found.reach, rng, 1)
    squares = found.run(np.repeat(w, RUNS, axis=0), horizon, rng, share=share).squares[-1]
    h = w[0] - found.w_star
    if gaussian:
        a = cn.planted_relu_law.amplification(len(h), found.batch)
        return float(squares.mean() / (h @ h * cn.planted_relu_law.factor(found.step, a) ** horizon))
    return float(squares.mean() / found.squares(h, horizon))


def descent(settings, batch, *, seed, noise=0.0):
    """From |h| = |w*|/2 until E|h|^2 should be well below TARGET: the largest end, and R^2 of the mean logarithm."""
    import math

    import numpy as np

    found, rng = settings(int(batch)), np.random.default_rng(seed)
    horizon = math.ceil(SLACK * math.log(TARGET) / math.log(found.factor))
    size = float(found.w_star @ found.w_star)
    w = cn.planted_relu.near(found.w_star, 0.5, rng, 2)
    squares = found.run(w, horizon, rng, noise=noise * size**0.5).squares / size
    logs = np.log(np.maximum(squares, cn.planted_relu.FLOOR)).mean(axis=1)
    moved = np.ptp(logs) > 0.0  # a quantiser may send nothing at all
    line = float(np.corrcoef(logs, np.arange(len(logs)))[0, 1] ** 2) if moved else 0.0
    return {END: float(squares[-1].max()), LINE: line}


def along(settings, batch, *, seed, scaled=1.0):
    """<Q(v), v>/|v|^2 for vectors of uniform direction, and lengths from 1 down to 1e-9."""
    import numpy as np

    found, rng = settings(int(batch)), np.random.default_rng(seed)
    v = cn.planted_relu.directions(rng, RUNS, found.inputs.dim) * 10.0 ** -rng.uniform(0.0, 9.0, (RUNS, 1))
    sent = scaled * cn.planted_relu_sender.sender(found.quantiser, v.shape)(v, rng)
    values = {ALONG: float(((sent * v).sum(axis=1) / (v * v).sum(axis=1)).mean())}
    if hasattr(found.quantiser, "bits"):
        values[BITS] = float(np.mean([found.quantiser.bits(q) for q in sent])) / found.inputs.dim
    return values


LINE_OF = {END: cn.Bound(TARGET, words="1e-20"), LINE: cn.LimitCurve(lower=0.99, words="0.99")}
HALF = cn.Control("half-loss-step", "The step of the other convention: half of it.", params={"share": 0.5}, replicas=12)
NOISY = cn.Control("label-noise", "Labels that no unit has.", params={"noise": 1e-3}, replicas=16)
REPLICAS = {"quick": 12, "standard": 16, "full": 64}


def recursion(settings, batches, model, exact, rows, controls=(HALF,)):
    """Claim on the mean of |h|^2; `exact`: nothing is quantised."""
    return cn.Claim(
        "S3.1" if exact else "S3.2",
        "Near w* the mean of |h|^2 is that of the operator recursion." if rows else
        "Near w* the mean of |h|^2 falls by the predicted factor a step.",
        SOURCE,
        "m",
        origin="derived",
        name="rows-recursion" if rows else "own-contraction",
        model=model,
        measure=partial(mean_square, settings),
        quantity=MEAN,
        predicts=cn.ExactValue(1.0, deviation=0.04, words="1") if exact else cn.LimitCurve(1.0, margin=0.06, words="1"),
        scales=batches,
        replicas={"quick": 16, "standard": 24, "full": 64},
        controls=controls,
    )  # fmt: skip


def geometric(settings, batches, model, exact, name="geometric"):
    """Claim on the whole path."""
    return cn.Claim(
        "S3.1" if exact else "S3.2",
        "The logarithm of |h|^2 falls along a line, below 1e-20 |w*|^2: no floor.",
        SOURCE,
        "m",
        origin="derived",
        name=name,
        model=model,
        measure=partial(descent, settings),
        predicts=LINE_OF,
        scales=batches,
        replicas={"quick": 4, "standard": 8, "full": 32},
        controls=(NOISY,),
    )


def _unbiased(settings, batches, model, quantiser):
    """Claim on a quantiser."""
    predicts = {ALONG: cn.ExactValue(1.0, deviation=0.05, words="1")}
    if hasattr(quantiser, "bits"):
        predicts[BITS] = cn.Bound(32.0, statistic="mean", words="32-bit floats")
    return cn.Claim(
        "S3.3",
        "The quantiser is unbiased, at every length of the vector.",
        SOURCE,
        "m",
        origin="derived",
        name="own-quantiser",
        model=model,
        measure=partial(along, settings),
        predicts=predicts,
        scales=batches[:1],
        replicas=REPLICAS,
        controls=(
            cn.Control("scaled", "Half of it is sent.", params={"scaled": 0.5}, predicts={ALONG: predicts[ALONG]}),
        ),
    )


def _batches(batch):
    """One batch or many of them, in order."""
    try:
        many = [batch] if isinstance(batch, str) else list(batch)
    except TypeError:
        many = [batch]
    if not many:
        raise ValueError("batch must have one value or more, got none")
    return sorted({cn.check.whole("batch", m, 1) for m in many})


def _one_sent(found):
    """Q(v) for one vector."""
    import numpy as np

    rng, dim = np.random.default_rng(3), found.inputs.dim
    return cn.planted_relu_sender.sender(found.quantiser, (1, dim))(rng.standard_normal((1, dim)), rng)[0]


def claims_for(rows=None, w_star=None, *, dim=64, batch=64, workers=1, quantiser=None, step=None, model="own"):
    """Claims on one's own rows, planted unit, quantiser and step, judged by the predictions of S3.1 to S3.3.

    Parameters
    ----------
    rows : array_like, float64, shape (n, d), optional
        Population of rows; by default x ~ N(0, I_dim).
    w_star : array_like, float64, shape (d,), optional
        By default of uniform direction, |w*| = 1.
    dim : int
        d without rows.
    batch : int or sequence of int
        Rows of a step, all workers together.
    workers : int
    quantiser : object with `quantise(v, rng)`, or such a function, optional
        Unbiased, with an error proportional to |v|. May have `mean_variance(dim)`, its relative variance for vectors of
        uniform direction (else drawn), and `bits(q)`, the size of what it sends.
    step : float, optional
        By default half of the stability threshold.
    model : str

    Returns
    -------
    tuple of Claim
        The mean of |h|^2 (not for quantised gradients on rows, of which only geometric convergence is claimed); the
        whole path; the quantiser.

    Raises
    ------
    ValueError
        Fewer rows than columns; active rows that do not span the space; rows or w* that are 0, whose gradients are; a
        step at or above the threshold; a batch that the workers cannot share; a quantiser that returns anything else
        than as many finite floats; magnitudes outside [1e-30, 1e30]; what would take hours.
    """
    batches = _batches(batch)
    settings = lru_cache(maxsize=16)(
        partial(setting, rows=rows, w_star=w_star, dim=dim, workers=workers, quantiser=quantiser, step=step)
    )
    for m in batches:
        settings(m)
    exact = quantiser is None
    claims = [geometric(settings, batches, model, exact)]
    if exact or rows is None:
        claims.insert(0, recursion(settings, batches, model, exact, rows is not None))
    if not exact:
        if hasattr(quantiser, "bits"):
            cn.check.nonnegative("bits(q)", quantiser.bits(_one_sent(settings(batches[0]))))
        claims.append(_unbiased(settings, batches, model, quantiser))
    return tuple(claims)
