"""S2.2: the weights as a fading sum of the last gradients, and how small what is beyond their rank has to be.

Statement and proof: ``chaosnum/low_rank.py``. What is checked: ``proofs_checks/low_rank.py``. The networks start from
orthogonal matrices, all of whose singular values are equal: then sigma_(nB+1)(W_n) = rho^n ||W_0|| exactly, as long as
n B < d and the updates push some singular values up, and the bound is attained. After some hundred steps it is a factor
2 to 3 too large at n B near d. On isotropic updates rho^n falls to 0.04, with the bound a factor 2 to 40 too large.

Controls. momentum breaks the identity; full-rank noise in every gradient, which enters the unrolled sum as well, leaves
the identity and breaks both bounds. (Noise as large as the gradient would break the bound on the singular value alone,
and neither where n B is near d: the last few singular values of any matrix are small.)
"""

import chaosnum as cn
from proofs_checks.low_rank_bed import SOURCE

IDENTITY, SPECTRAL, FROBENIUS = "rest / rounding", "singular value / bound", "tail / bound"
NETWORK = {"step": 0.1, "ridge": 0.008, "width": 64, "depth": 3}
UNROLLED = {
    IDENTITY: cn.Bound(1.0, words="rounding"),
    SPECTRAL: cn.Bound(1.0, within=20.0, words="bound"),
    FROBENIUS: cn.Bound(1.0, within=20.0, words="bound"),
}
BOUNDS = {SPECTRAL: cn.Bound(1.0), FROBENIUS: cn.Bound(1.0)}


def at_lag(found, lag):
    """The statistics of an Unrolling at one lag."""
    j = list(found.lags).index(int(lag))
    return {IDENTITY: found.residual[j], SPECTRAL: found.spectral[j], FROBENIUS: found.frobenius[j]}


def unrolling_claim(load, model, *, settings=NETWORK, batches=(1, 4), lags=(1, 4, 15)):
    """S2.2 on a network trained on the rows that `load()` returns -> Claim."""

    def measure(lag, *, seed, batch, prior, step, ridge, width, depth, **spoilt):
        import numpy as np

        X, labels, classes = load()
        rng = np.random.default_rng(seed)
        widths = [X.shape[1], *[width] * depth, classes]
        weights = cn.low_rank_mlp.initial(widths, 1, rng, orthogonal=True)
        # mid-training: a larger batch gets there in fewer steps
        cn.low_rank_mlp.train(weights, X, labels, batch=16, step=step, ridge=ridge, steps=prior, rng=rng)
        kept, gradients = cn.low_rank_mlp.record(
            weights, depth - 1, X, labels, batch=batch, step=step, ridge=ridge, steps=int(lag), rng=rng, **spoilt
        )
        return at_lag(cn.low_rank.unroll(kept, gradients, step, ridge, batch=batch, lags=[lag]), lag)

    def momentum(lag, **params):
        return measure(lag, momentum=0.9, **params)

    def noisy(lag, **params):
        return measure(lag, noise=100.0, **params)

    return cn.Claim(
        "S2.2",
        "W_T is a fading sum of the last n gradients to rounding; beyond rank n B it is below rho^n ||W_(T-n)||.",
        SOURCE + " (identity: stated); bounds derived",
        "lag",
        origin="derived",
        qualified="With n B < d the factor rho^n is near 1 in a network that learns: the bound is sharp for orthogonal "
        "initial weights, and says little later.",
        name="unrolling",
        model=model,
        measure=measure,
        predicts=UNROLLED,
        scales=list(lags),
        replicas={"quick": 2, "standard": 4, "full": 16},
        params={"batch": tuple(batches), "prior": (0, 400), **settings},
        controls=(
            cn.Control("momentum", "Heavy ball: the last n steps hold older gradients.", measure=momentum, replicas=2,
                       scales=[max(lags)], predicts={IDENTITY: cn.Bound(1.0)}),
            cn.Control("dense-noise", "Full-rank noise of a hundred times its norm is added to every gradient.",
                       measure=noisy, replicas=2, scales=[min(4, max(lags))], predicts=BOUNDS,
                       applies=lambda prior: prior == 0),
        ),
    )  # fmt: skip


def isotropic_run(lag, *, seed, batch, dim, rate, momentum=0.0, noise=0.0):
    """Unrolling of `lag` isotropic updates after infinitely many."""
    import numpy as np

    law, rng = cn.low_rank_law, np.random.default_rng(seed)
    w = law.isotropic_sum(law.amplitudes(1.0 - rate, batch), batch, dim, seed=seed ^ 1)
    kept, gradients, velocity = [w], [], np.zeros_like(w)
    for _ in range(int(lag)):
        g = law.sphere(rng, dim, batch) @ law.sphere(rng, dim, batch).T / batch
        if noise:
            dense = rng.standard_normal(g.shape)
            g += noise * np.linalg.norm(g) / np.linalg.norm(dense) * dense
        velocity = momentum * velocity + g
        kept.append((1.0 - rate) * kept[-1] - velocity)
        gradients.append(g)
    found = cn.low_rank.unroll(np.array(kept), np.array(gradients), 1.0, rate / 2.0, batch=batch, lags=[lag])
    return at_lag(found, lag)


def isotropic_momentum(lag, **params):
    """`isotropic_run` with a heavy ball."""
    return isotropic_run(lag, momentum=0.9, **params)


def isotropic_noise(lag, **params):
    """`isotropic_run` with updates of full rank."""
    return isotropic_run(lag, noise=100.0, **params)


ISOTROPIC = cn.Claim(
    "S2.2",
    "On isotropic updates of rank B the bound is close while rho^n falls by a factor of twenty.",
    SOURCE + " (identity: stated); bounds derived",
    "lag",
    origin="derived",
    name="unrolling",
    model="isotropic",
    measure=isotropic_run,
    predicts=UNROLLED,
    scales={"quick": [1, 8, 30], "standard": [1, 4, 8, 16, 30]},
    replicas={"quick": 4, "standard": 8, "full": 64},
    params={"batch": (1, 2), "dim": 64, "rate": 0.1},
    domain={"rate": (0.0, 0.9)},
    controls=(
        cn.Control("momentum", "Heavy ball: the last n steps hold older gradients.", measure=isotropic_momentum,
                   scales=[16], replicas=4, predicts={IDENTITY: cn.Bound(1.0)}),
        cn.Control("dense-noise", "Full-rank noise of a hundred times its norm is added to every update.",
                   measure=isotropic_noise, scales=[4], replicas=4, predicts=BOUNDS),
    ),
)  # fmt: skip


def claims_for_run(weights, gradients, step, ridge, *, batch, shared=1, model="own"):
    """S2.2 on a run of one's own -> tuple of one Claim.

    Parameters
    ----------
    weights : array_like, float, shape (T + 1, p, q)
        W_0, ..., W_T of one layer.
    gradients : array_like, float, shape (T, p, q)
    step, ridge : float or array_like, float, shape (T,)
        mu_t and lambda; PyTorch's weight_decay is 2 lambda.
    batch, shared : int
        B, and R.
    model : str

    Raises
    ------
    ValueError
        As :func:`chaosnum.low_rank.unroll` does, or a gradient of rank above batch * shared.
    """
    import numpy as np

    found = cn.low_rank.unroll(weights, gradients, step, ridge, batch=batch, shared=shared)
    cn.low_rank_layers.ranks_at_most(gradients, batch, shared)
    spoilt = np.array(gradients, dtype=np.float64)
    spoilt[-1] = 0.0
    without = cn.low_rank.unroll(weights, spoilt, step, ridge, batch=batch, shared=shared) if spoilt.any() else None

    def measure(lag, *, seed):
        return at_lag(found, lag)

    def forgetful(lag, *, seed):
        return at_lag(without, lag)

    controls = () if without is None else (
        cn.Control("left-out", "The last gradient is left out of the sum.", measure=forgetful,
                   predicts={IDENTITY: cn.Bound(1.0)}),
    )  # fmt: skip
    lags = np.unique(np.geomspace(1, len(found.lags), 6).round().astype(int)).tolist()
    return (
        cn.Claim(
            "S2.2", "W_T is a fading sum of the last n gradients to rounding, and obeys the bounds.",
            SOURCE + " (identity: stated); bounds derived", "lag", origin="derived", name="unrolling", model=model,
            measure=measure, predicts=UNROLLED, scales=lags, replicas=2, controls=controls,
        ),
    )  # fmt: skip
