"""S2.4: the batch size and the rank of trained networks, and the forgetting behind it.

Statement (Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794)
    Trained for as many epochs, networks have the lower rank the smaller the batch, the larger the step and the decay;
    without decay there is no such bias.

Argument (derived)
    1. After E epochs of N rows the initial weights are left with the factor e^-S, S = 2 mu lambda E N / B: a small
       batch has forgotten them, a large one has not. Counted above tol ||W||_F half of them are gone at S* = ln(median
       sigma(W_0) / (tol ||W_T||_F)), some 5.5 here.
    2. So at equal S = 2 lambda sum_t mu_t neither B nor mu should matter, however long the training took.

What is checked, on a ReLU network without biases of hidden layers 64-64-64-64, its last square matrix, with the digits
    no-decay: lambda = 0, the rank stays at 0.95 d or more, in every network.
    batch-size: at equal epochs the rank rises with B (Spearman's coefficient over five batch sizes), and that of the
        smallest batch is at most 0.75 of that of the largest.
    matched-forgetting: at equal S the ranks of B = 64, 8, 16 with mu = 0.2, 0.05 and one that falls from 0.2 to 0.05
        differ by 4 at most.
    forgetting: the share of the initial singular values, beyond what is learnt for good, follows the quarter-circle law
        at x = e^(S - S*) < 1 within 0.1, and crosses one half within a factor e of x = 1, where S = S*.
    In each: the accuracy on the training rows is 0.9 or more and ||W|| 0.01 or more, in every cell. A network that has
    collapsed has a low rank too.

Controls
    with-decay; without-decay and equal-forgetting in place of equal epochs; equal-epochs in place of equal S;
    half-decay: lambda where 2 lambda is meant.

What is not claimed: that batches have no effect at all. At equal S = 7 and equal mu the rank *falls* with B, by some 5
    of 64 from B = 8 to 64: the other way round than at equal epochs, and a tenth of it. The noise of the gradient, of
    order mu / B, fills directions. The combinations compared here have mu / B between 0.003 and 0.0125.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import chaosnum as cn

SOURCE = "Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794"
LOST, LEARNT = "0.95 d / rank", "collapse"
SPEARMAN, SHRUNK, SPREAD = "Spearman's coefficient", "rank at least B / rank at most B", "spread of ranks"
CROSSING, SHARE = "initial share left", "initial share left, by law"
SOUND = {LEARNT: cn.Bound(1.0, words="1: accuracy 0.9, norm 0.01")}
SETTINGS = {"step": 0.2, "ridge": 0.008, "width": 64, "depth": 3}
SYSTEMS = 3  # networks behind a replica
GONE = 4.0  # S - S* at which nothing of the initial weights is counted: e^-4 of their median, e^-3.1 of the largest
GLANCE = 0.1  # of S, between looks at S*


@dataclass
class _Bed:
    """Networks in training: weights in float32, the observed matrix the last square one."""

    rows: tuple
    weights: list
    start: object
    depth: int
    ridge: float
    rng: object
    S: float = 0.0

    @property
    def observed(self):
        return self.weights[self.depth - 1]

    def train(self, amount, batch, step, spoil=1.0):
        """Train for `amount` of S; `spoil` is a factor on lambda that S does not know of."""
        X, labels, _ = self.rows
        steps = cn.low_rank.updates(amount, step, self.ridge)
        cn.low_rank_mlp.train(self.weights, X, labels, batch=batch, step=step, ridge=spoil * self.ridge, steps=steps,
                              rng=self.rng)  # fmt: skip
        self.S += steps * -math.log(cn.low_rank.decay(step, self.ridge))

    def rank(self):
        return cn.low_rank.rank(self.observed)

    def collapse(self, batch, step, spoil=1.0):
        """Above 1 where the network has not learnt: the larger of 0.9 / accuracy and 0.01 / ||W||.

        One iterate's accuracy fluctuates by 0.02 with the last batches, so it is the median over some further steps,
        and the networks are to be read before.
        """
        import numpy as np

        X, labels, _ = self.rows
        found, norm = [], np.linalg.norm(self.observed, axis=(1, 2)).min()
        for _ in range(9):
            cn.low_rank_mlp.train(self.weights, X, labels, batch=batch, step=step, ridge=spoil * self.ridge, steps=10,
                                  rng=self.rng)  # fmt: skip
            found.append(cn.low_rank_mlp.accuracy(self.weights, X, labels))
        return max(0.9 / np.median(found), 0.01 / norm)


def bed(rows, *, seed, ridge, width, depth, stream=0, systems=SYSTEMS):
    """Networks at the start: the same for every `stream` of batches."""
    import numpy as np

    rng = np.random.default_rng([seed, 0])
    widths = [rows[0].shape[1], *[width] * depth, rows[2]]
    weights = cn.low_rank_mlp.initial(widths, systems, rng, dtype=np.float32)
    return _Bed(rows, weights, weights[depth - 1].copy(), depth, ridge, np.random.default_rng([seed, 1 + stream]))


def first_gradient(rows, settings):
    """Raises ValueError where the gradients at the start are zero."""
    net = bed(rows, seed=0, ridge=settings["ridge"], width=settings["width"], depth=settings["depth"])
    net.train(1e-9, min(32, len(rows[0])), settings["step"])


def no_decay_claim(load, model, settings, small):
    """lambda = 0 keeps the rank -> Claim; its scale is S at the lambda of `settings`."""

    def measure(forgetting, *, seed, batch, step, ridge, width, depth, spoil=0.0):
        net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth)
        net.train(forgetting, batch, step, spoil)
        return {LOST: 0.95 * width / net.rank().min(), LEARNT: net.collapse(batch, step, spoil)}

    def decaying(forgetting, **params):
        return measure(forgetting, spoil=1.0, **params)

    keeps = {LOST: cn.Bound(1.0), **SOUND}
    return cn.Claim(
        "S2.4", "Without weight decay the rank stays full, for as many steps as it takes to collapse with it.",
        SOURCE + ", experiments", "forgetting", origin="stated", name="no-decay", model=model, measure=measure,
        predicts=keeps, scales={"quick": [5], "standard": [8]}, replicas={"quick": 2, "standard": 3, "full": 16},
        params={"batch": small, **settings},
        controls=(cn.Control("with-decay", "lambda as it is.", measure=decaying, scales=[8], replicas=2,
                             predicts={LOST: keeps[LOST]}),),
    )  # fmt: skip


def batch_size_claim(load, model, settings, smallest):
    """Rank against B at equal epochs -> Claim; its scale is S of the smallest batch."""

    def measure(forgetting, *, seed, smallest, step, ridge, width, depth, spoil=1.0, matched=False):
        sizes, ranks, worst = [smallest * 2**k for k in range(5)], [], 0.0
        for k, batch in enumerate(sizes):
            net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth, stream=k, systems=1)
            # equal epochs: steps, and so S, in proportion to 1 / B
            net.train(forgetting if matched else forgetting * smallest / batch, batch, step, spoil)
            ranks.append(float(net.rank()[0]))
            worst = max(worst, net.collapse(batch, step, spoil))
        return {SPEARMAN: spearman(sizes, ranks), SHRUNK: ranks[0] / ranks[-1], LEARNT: worst}

    def no_decay(forgetting, **params):
        return measure(forgetting, spoil=0.0, **params)

    def equal_forgetting(forgetting, **params):
        return measure(forgetting, matched=True, **params)

    rises = {SPEARMAN: cn.LimitCurve(lower=0.0, words="0"), SHRUNK: cn.Bound(0.75, words="0.75")}
    gap = {SHRUNK: rises[SHRUNK]}
    return cn.Claim(
        "S2.4", "Trained for as many epochs, networks have the lower rank the smaller the batch.",
        SOURCE + ", experiments", "forgetting", origin="stated", name="batch-size", model=model, measure=measure,
        qualified="The effect of the batch size at fixed epochs is the forgetting of the initial weights, explained by "
        "2 mu lambda T: at equal 2 mu lambda T it is gone.",
        predicts={**rises, **SOUND}, scales={"quick": [6], "standard": [7.5]},
        replicas={"quick": 2, "standard": 3, "full": 16}, params={"smallest": smallest, **settings},
        controls=(
            cn.Control("without-decay", "lambda = 0.", measure=no_decay, scales=[6], replicas=2, predicts=gap),
            cn.Control("equal-forgetting", "Equal S in place of equal epochs.", measure=equal_forgetting, scales=[6],
                       replicas=2, predicts=gap),
        ),
    )  # fmt: skip


def spearman(x, y):
    """Spearman's rank correlation, 0 where all are equal -> float."""
    import numpy as np
    from scipy.stats import rankdata

    a, b = rankdata(x), rankdata(y)
    return 0.0 if np.ptp(a) == 0.0 or np.ptp(b) == 0.0 else float(np.corrcoef(a, b)[0, 1])


def matched_claim(load, model, settings, plans):
    """Ranks at equal S -> Claim; `plans` are (B, factor on mu at first, factor in the second half of S)."""

    def measure(forgetting, *, seed, step, ridge, width, depth, equal_epochs=False):
        ranks, worst = [], 0.0
        most = max(first / batch for batch, first, _ in plans)  # S of an epoch, in some unit
        for k, (batch, first, last) in enumerate(plans):
            net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth, stream=k, systems=2)
            amount = forgetting * (first / batch / most if equal_epochs else 1.0)
            for factor in (first, last):
                net.train(amount / 2.0, batch, factor * step)
            ranks.append(net.rank().mean())
            worst = max(worst, net.collapse(batch, last * step))
        return {SPREAD: max(ranks) - min(ranks), LEARNT: worst}

    def equal_epochs(forgetting, **params):
        return measure(forgetting, equal_epochs=True, **params)

    close = {SPREAD: cn.LimitCurve(upper=4.0, words="4")}
    return cn.Claim(
        "S2.4", "At equal S = 2 lambda sum_t mu_t neither the batch size nor the steps matter for the rank.",
        "derived, in proofs_checks/low_rank_training.py", "forgetting", origin="derived", name="matched-forgetting",
        model=model, measure=measure, predicts={**close, **SOUND},
        qualified="Rank collapse is a matter of 2 lambda sum_t mu_t to within 4 of 64; what is left goes the other "
        "way, as smaller batches then leave a slightly higher rank.",
        scales={"quick": [5.5], "standard": [7], "full": [4, 5.5, 7, 9]},
        replicas={"quick": 3, "standard": 8, "full": 12}, params=dict(settings),
        controls=(cn.Control("equal-epochs", "Equal epochs in place of equal S.", measure=equal_epochs, scales=[7],
                             replicas=4, predicts=close),),
    )  # fmt: skip


def forgetting_claim(load, model, settings, batch):
    """The share of the initial singular values that is left -> Claim; its scale is x = e^(S - S*)."""

    def reach(x, *, seed, batch, step, ridge, width, depth, spoil=1.0):
        """Networks trained to S = S* + ln x, S* that of the weights as they are."""
        net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth, systems=2)
        while True:
            missing = float(cn.low_rank.threshold(net.start, net.observed).mean()) + math.log(x) - net.S
            if missing < 0.5 * -math.log(cn.low_rank.decay(step, ridge)):
                return net
            net.train(min(missing, max(GLANCE, 0.5 * missing)), batch, step, spoil)

    @lru_cache(maxsize=32)
    def learnt(batch, step, ridge, width, depth):
        """Rank once the initial weights are gone."""
        net = reach(math.exp(GONE), seed=0, batch=batch, step=step, ridge=ridge, width=width, depth=depth)
        return float(net.rank().mean())

    def measure(x, *, seed, **params):
        net = reach(x, seed=seed, **params)
        known = learnt(*(params[key] for key in ("batch", "step", "ridge", "width", "depth")))
        left = (float(net.rank().mean()) - known) / (params["width"] - known)
        return {CROSSING: left, SHARE: left, LEARNT: net.collapse(params["batch"], params["step"])}

    def half_decay(x, **params):
        return measure(x, spoil=0.5, **params)

    def law(x, batch, step, ridge, width, depth):
        return cn.low_rank.left(x, learnt(batch, step, ridge, width, depth) / width)

    follows = cn.LimitCurve(law, margin=0.1, absolute=True, last=2, words="quarter-circle law")
    crosses = cn.Threshold(math.exp(-1.0), math.exp(1.0), 0.5, rising=False, words="S* ± 1")
    return cn.Claim(
        "S2.4", "Half of the initial singular values are gone at S* = ln(median sigma(W_0) / (tol ||W_T||)).",
        "derived, in chaosnum/low_rank.py", "x", origin="derived", name="forgetting", model=model,
        measure=measure, predicts={CROSSING: crosses, SHARE: follows, **SOUND}, asymptotic="small",
        scales={"quick": [math.exp(s) for s in (-1.5, -1, 1)], "full": [math.exp(s) for s in (-2, -1, 1, 2)]},
        replicas={"quick": 3, "standard": 4, "full": 12}, params={"batch": batch, **settings},
        controls=(
            cn.Control("half-decay", "lambda where 2 lambda is meant.", measure=half_decay, replicas=6,
                       scales=[math.exp(-1.0), math.exp(1.0)], predicts={CROSSING: crosses, SHARE: follows}),
        ),
    )  # fmt: skip


def claims(load, model, settings=SETTINGS, small=16, large=32):
    """S2.4 on the rows that `load()` returns -> tuple of Claim.

    Parameters
    ----------
    load : callable () -> (X, labels, classes), as :func:`chaosnum.low_rank_mlp.rows` returns them
    model : str
    settings : mapping, step, ridge, width and depth
    small, large : int
        Batch sizes.
    """
    quiet = settings | {"step": settings["step"] / 2.0}
    # B varies eightfold, mu fourfold, and the steps of one plan fall: S takes their sum
    plans = ((4 * small, 1.0, 1.0), (max(1, small // 2), 0.25, 0.25), (small, 1.0, 0.25))
    return (
        no_decay_claim(load, model, settings, small),
        batch_size_claim(load, model, quiet, max(1, small // 2)),
        matched_claim(load, model, settings, plans),
        forgetting_claim(load, model, settings, large),
    )
