"""S2: SGD with weight decay drives weights towards low rank; how, how far, and what the batch size has to do with it.

Statement (Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794)
    W <- (1 - 2 mu lambda) W - mu G with mini-batches of B examples. G has rank at most B, or B R for weights that are
    shared R times. So W_T is within (1 - 2 mu lambda)^n ||W_(T-n)|| of a matrix of rank n B R, and its eps-rank is at
    most of order B ln(1/eps) / (mu lambda): smaller batches, larger steps and more decay make for lower rank. With
    decay and B < N the iterates cannot converge.

Proof, and what is derived here: the docstrings of ``chaosnum/low_rank.py`` (unrolling, bounds, threshold, moves),
    ``low_rank_layers.py`` (gradient rank: classes - 1 before softmax, B - 1 behind batch normalisation) and
    ``low_rank_law.py`` (the limit law of the singular values of a fading sum of random updates).

What is checked
    S2.1 gradient-rank: equality, at every B, for five kinds of layer, on Gaussian rows and on the digits.
    S2.2 unrolling: the identity to rounding, and the two bounds with n B R < d, on a ReLU network of four layers at the
        start (orthogonal weights, for which the bound is sharp) and in mid-training, and on isotropic updates, where
        rho(n) is small as well. In the network B ln(1/eps) / (2 mu lambda) is above 10^4, the width 64: the bound on
        the rank itself is vacuous there, and is not what is checked.
    S2.3 mechanism: isotropic updates. The eps-rank is that of the limit law to one singular value, and between 0.75
        and 1.02 of the first count where that is below 0.7 d.
    S2.4, S2.5: trained networks, ``proofs_checks/low_rank_training.py`` and ``low_rank_motion.py``.

Controls
    equal-tokens, frozen-statistics, double-batch: an assumption of the count removed. momentum: the last n steps
    hold older gradients. dense-noise: updates of full rank. finite-pool: updates from few directions, so that they are
    not isotropic.

A data set or a run of one's own
    >>> from proofs_checks import low_rank
    >>> claims = low_rank.claims_for(X, labels, step=0.1, ridge=0.004)             # S2.1, S2.2, S2.4, S2.5
    >>> claims += low_rank.claims_for_run(weights, gradients, 0.1, 0.004, batch=8)   # S2.2 on W_0..W_T and G_0..G_(T-1)
    >>> verdicts = cn.verify(claims)
"""

from functools import lru_cache

import chaosnum as cn
from proofs_checks import low_rank_bed, low_rank_motion, low_rank_training
from proofs_checks.low_rank_bed import SOURCE
from proofs_checks.low_rank_mechanism import MECHANISM
from proofs_checks.low_rank_unrolling import ISOTROPIC, claims_for_run, unrolling_claim

__all__ = ["CLAIMS", "claims_for", "claims_for_run"]

TRAIN = 1297  # rows of the digits that are trained on


@lru_cache(maxsize=1)
def digits():
    """The first rows of the digits -> X, labels, classes."""
    X, y = cn.bundled.digits()
    return cn.low_rank_mlp.rows(X[:TRAIN], y[:TRAIN])


@lru_cache(maxsize=1)
def gaussian():
    """Normal rows with labels at random -> X, labels, classes."""
    import numpy as np

    rng = np.random.default_rng(20)
    return cn.low_rank_mlp.rows(rng.standard_normal((512, 32)), np.arange(512) % 10)


# --- S2.1 gradient rank ---------------------------------------------------------------------------------------------


def gradient_rank_claim(load, model, *, width=32, scales=None):
    """S2.1 on the rows that `load()` returns -> Claim."""

    def measure(batch, *, seed, kind, width, tokens, **spoilt):
        import numpy as np

        X, labels, classes = load()
        drawn = np.random.default_rng(seed).choice(len(X), int(batch) * spoilt.pop("more", 1), replace=False)
        g = cn.low_rank_layers.layer_gradient(kind, X[drawn], labels[drawn], classes, width, tokens=tokens, seed=seed,
                                              **spoilt)  # fmt: skip
        return cn.low_rank_layers.numerical_rank(g)

    def equal(batch, **params):
        return measure(batch, equal=True, **params)

    def frozen(batch, **params):
        return measure(batch, frozen=True, **params)

    def doubled(batch, **params):
        return measure(batch, more=2, **params)

    def tells_double(kind):  # rank 6 from 3, where the classes leave room for it
        return kind in ("dense", "residual") or (kind == "output" and load()[2] > 4)

    def predicted(batch, kind, width, tokens):
        return cn.low_rank_layers.gradient_rank(kind, int(batch), width, load()[2], tokens)

    return cn.Claim(
        "S2.1",
        "The gradient of a mini-batch has rank min(d, B R), less one before softmax and behind batch normalisation.",
        SOURCE + " (at most min(d, B R): stated); equality, classes - 1 and B - 1 derived",
        "batch",
        origin="derived",
        name="gradient-rank",
        model=model,
        measure=measure,
        quantity="rank",
        predicts=cn.ExactValue(predicted, statistic="every", words="min(d, B R)"),
        scales=scales or {"quick": [3, 8], "standard": [3, 4, 8, 16, 40], "full": [3, 4, 6, 8, 12, 16, 24, 40, 80]},
        replicas={"quick": 4, "standard": 8, "full": 32},
        params={"kind": ("dense", "residual", "shared", "batch-norm", "output"), "width": width, "tokens": 4},
        domain={"kind": ("dense", "residual", "shared", "batch-norm", "output")},
        controls=(
            cn.Control("equal-tokens", "All tokens of an example are the same.", measure=equal, scales=[3],
                       replicas=4, applies=lambda kind: kind == "shared"),
            cn.Control("frozen-statistics", "Batch normalisation with fixed mean and deviation.", measure=frozen,
                       scales=[3], replicas=4, applies=lambda kind: kind == "batch-norm"),
            cn.Control("double-batch", "Twice as many examples as are counted.", measure=doubled, scales=[3],
                       replicas=4, applies=tells_double),
        ),
    )  # fmt: skip


def claims_for(X, labels, *, step=0.1, ridge=0.008, width=64, depth=3, batches=(16, 32), model="own"):
    """S2.1, S2.2, S2.4 and S2.5 on a data set of one's own.

    Parameters
    ----------
    X : array_like, float, shape (N, n)
        Entries of order 1, 128 rows or more.
    labels : array_like, shape (N,)
        Classes, as whole numbers.
    step, ridge : float
        mu and lambda; PyTorch's weight_decay is 2 lambda. 1e-4 <= 2 mu lambda < 0.1: training takes 40 / (2 mu lambda)
        steps or so.
    width, depth : int
        Of the network: hidden layers, 2 to 16, of this width, 16 to 1024.
    batches : tuple of two int
        A small batch size and a large one. Batches up to eight times the small one are compared, so that it is at most
        N / 8.
    model : str

    Returns
    -------
    tuple of Claim

    Raises
    ------
    ValueError
        2 mu lambda out of range; a network too small or too large; fewer than 128 rows, one class, rank below 2;
        batches that are not two, do not ascend, or exceed the rows; gradients that are all zero, or weights that
        overflow in the first steps.

    Examples
    --------
    >>> X, y = cn.bundled.breast_cancer()
    >>> verdicts = cn.verify(claims_for(X, y, step=0.05, ridge=0.01, width=32))
    """
    from chaosnum.check import at_least, positive, whole

    found = cn.low_rank_mlp.rows(X, labels)
    count = at_least("rows of X", len(found[0]), 128)
    width, depth = whole("width", width, 16, 1024), whole("depth", depth, 2, 16)
    positive("ridge", ridge)
    if not 1e-4 <= 1.0 - cn.low_rank.decay(step, ridge) < 0.1:
        reason = "or training takes too long, or has too few steps to tell"
        raise ValueError(f"2 step ridge must lie in [1e-4, 0.1), {reason}, got {2 * step * ridge!r}")
    if not isinstance(batches, (tuple, list)) or len(batches) != 2:
        raise ValueError(f"batches must be two whole numbers, a small and a large one, got {batches!r}")
    small, large = whole("small batch", batches[0], 1, count // 8), whole("large batch", batches[1], 1, count)
    if not small < large:
        raise ValueError(f"batches must ascend, got {small} and {large}")
    settings = {"step": step, "ridge": ridge, "width": width, "depth": depth}
    low_rank_bed.first_steps(found, settings, small)
    last = (width - 1) // 4  # the bounds speak at n B < width, and B is 4 at most
    lags = sorted({1, min(4, last), last})
    return (
        gradient_rank_claim(lambda: found, model, width=min(32, width), scales=[3, 4, 8, 16]),
        unrolling_claim(lambda: found, model, settings=settings, lags=lags),
        *low_rank_training.claims(lambda: found, model, settings, small, large),
        *low_rank_motion.claims(lambda: found, model, settings),
    )


CLAIMS = (
    gradient_rank_claim(gaussian, "gaussian"),
    gradient_rank_claim(digits, "digits"),
    unrolling_claim(digits, "digits"),
    ISOTROPIC,
    MECHANISM,
    *low_rank_training.claims(digits, "digits"),
    *low_rank_motion.claims(digits, "digits", low_rank_training.SETTINGS),
)
