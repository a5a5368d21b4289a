"""S2.4: the batch size and the rank of trained networks, and the forgetting behind it.

Statement (Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794)
    Trained for as many epochs, networks have the lower rank the smaller the batch, the larger the step and the decay;
    without decay there is no such bias.

Argument (derived)
    1. After E epochs of N rows the initial weights are left with the factor e^-S, S = 2 mu lambda E N / B: a small
       batch has forgotten them, a large one has not. Counted above tol ||W||_F half of them are gone at S* = ln(median
       sigma(W_0) / (tol ||W_T||_F)), some 5.5 here.
    2. For small mu the weights follow dW = -(grad L + 2 lambda W) dt + (mu / B)^(1/2) C^(1/2) dZ in the time t = sum
       mu_t. So at equal S = 2 lambda sum_t mu_t *and* equal mu / B neither B nor mu should matter by itself.

What is checked, on a ReLU network without biases of hidden layers 64-64-64-64, its last square matrix, with the digits
    no-decay: lambda = 0, the rank stays at 0.95 d or more, in every network.
    batch-size: at equal epochs the rank rises with B (Spearman's coefficient over five batch sizes, in every replica),
        and that of the smallest batch is at most 0.75 of that of the largest; and twice the step, or twice lambda, for
        as many epochs leaves at most 0.75 of the rank.
    matched-forgetting: at equal S and equal mu / B, 1/80 in the end, the ranks of B = 16, 4, 8 with mu = 0.2, 0.05 and
        one that falls from 0.2 to 0.1 differ by 4 at most in the mean.
    forgetting: the share of the initial singular values, beyond what is learnt for good, follows the quarter-circle law
        at x = e^(S - S*) < 1 within 0.1, and that of every replica crosses one half between x = 0.4 and 2.5: S* to
        0.92.
    In each: the accuracy on the training rows is 0.9 or more and ||W|| 0.01 or more, in every cell. A network that has
    collapsed has a low rank too.

Controls
    with-decay; without-decay and equal-forgetting in place of equal epochs; equal-epochs in place of equal S; equal-mu,
    B = 4 and 64, in place of equal mu / B; half-decay: lambda where 2 lambda is meant.

What is not claimed: that at equal S the batch size has no effect. Up to S* it hardly has: at S = 5.5 the mean ranks for
    mu / B = 1/640 to 1/40 lie between 40 and 43 of 64. Beyond, the gradient's noise, of order mu / B, fills directions:
    at S = 7 and equal mu = 0.1 the rank *falls* with B, from 24 or 25 at B = 4 to 17 at 64, by 7 to 9, the reverse of
    the effect at equal epochs. At equal mu / B a rise with mu is left, 2 from mu = 0.05 to 0.2, and more beyond.
"""

import math
from functools import lru_cache

import chaosnum as cn
from proofs_checks.low_rank_bed import SOURCE, bed

LOST, LEARNT = "0.95 d / rank", "collapse"
SPEARMAN, SHRUNK, SPREAD = "Spearman's coefficient", "rank at least B / rank at most B", "spread of ranks"
TWICE = {"mu": "rank at 2 mu / rank", "lambda": "rank at 2 lambda / rank"}
CROSSING, SHARE = "initial share left", "initial share left, by law"
SOUND = {LEARNT: cn.Bound(1.0, words="1: accuracy 0.9, norm 0.01")}
SETTINGS = {"step": 0.2, "ridge": 0.008, "width": 64, "depth": 3}
GONE = 4.0  # S - S* at which nothing of the initial weights is counted: e^-4 of their median, e^-3.1 of the largest
GLANCE = 0.1  # of S, between looks at S*


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
        SOURCE + ", experiments, as recalled", "forgetting", origin="recalled", name="no-decay", model=model,
        measure=measure, predicts=keeps, scales={"quick": [5], "standard": [8]},
        replicas={"quick": 2, "standard": 3, "full": 16}, params={"batch": small, **settings},
        controls=(cn.Control("with-decay", "lambda as it is.", measure=decaying, scales=[8], replicas=2,
                             predicts={LOST: keeps[LOST]}),),
    )  # fmt: skip


def batch_size_claim(load, model, settings, smallest):
    """Rank against B at equal epochs -> Claim; its scale is S of the smallest batch."""

    def measure(forgetting, *, seed, smallest, step, ridge, width, depth, spoil=1.0, matched=False):
        sizes, ranks, worst = [smallest * 2**k for k in range(5)], [], 0.0
        # equal epochs: steps, and so S, in proportion to 1 / B; twice the step or lambda makes up for twice the batch
        cells = [(batch, step, ridge, forgetting * smallest / batch) for batch in sizes]
        cells += [(sizes[1], 2.0 * step, ridge, forgetting), (sizes[1], step, 2.0 * ridge, forgetting)]
        for k, (batch, mu, lam, amount) in enumerate(cells):
            net = bed(load(), seed=seed, ridge=lam, width=width, depth=depth, stream=k, systems=1)
            net.train(forgetting if matched else amount, batch, mu, spoil)
            ranks.append(float(net.rank()[0]))
            worst = max(worst, net.collapse(batch, mu, spoil))
        *ranks, stepped, decayed = ranks
        return {SPEARMAN: spearman(sizes, ranks), SHRUNK: ranks[0] / ranks[-1], TWICE["mu"]: stepped / ranks[1],
                TWICE["lambda"]: decayed / ranks[1], LEARNT: worst}  # fmt: skip

    def no_decay(forgetting, **params):
        return measure(forgetting, spoil=0.0, **params)

    def equal_forgetting(forgetting, **params):
        return measure(forgetting, matched=True, **params)

    rises = cn.LimitCurve(lower=0.0, statistic="every", words="0")
    gaps = {name: cn.Bound(0.75, words="0.75") for name in (SHRUNK, *TWICE.values())}
    return cn.Claim(
        "S2.4", "For as many epochs, the rank is the lower the smaller the batch, the larger the step and the decay.",
        SOURCE + ", experiments, as recalled", "forgetting", origin="recalled", name="batch-size", model=model,
        measure=measure,
        qualified="The effect of the batch size at equal epochs is the forgetting of the initial weights, S = 2 mu "
        "lambda T. At equal S it is reversed: at S = 7 and equal mu the rank falls by 7 to 9 of 64 from B = 4 to 64.",
        predicts={SPEARMAN: rises, **gaps, **SOUND}, scales={"quick": [6], "standard": [7.5]},
        replicas={"quick": 2, "standard": 3, "full": 16}, params={"smallest": smallest, **settings},
        controls=(
            cn.Control("without-decay", "lambda = 0.", measure=no_decay, scales=[6], replicas=2, predicts=gaps),
            cn.Control("equal-forgetting", "Equal S in place of equal epochs.", measure=equal_forgetting, scales=[7],
                       replicas=2, predicts={SPEARMAN: rises, **gaps}),
        ),
    )  # fmt: skip


def spearman(x, y):
    """Spearman's rank correlation, 0 where all are equal -> float."""
    import numpy as np
    from scipy.stats import rankdata

    a, b = rankdata(x), rankdata(y)
    return 0.0 if np.ptp(a) == 0.0 or np.ptp(b) == 0.0 else float(np.corrcoef(a, b)[0, 1])


def matched_claim(load, model, settings, plans, spoilt):
    """Ranks at equal S and equal mu / B -> Claim.

    `plans` are (B, factor on mu at first, factor in the second half of S), `spoilt` those with one mu for all B.
    """

    def measure(forgetting, *, seed, step, ridge, width, depth, plans=plans, equal_epochs=False, systems=4):
        ranks, worst = [], 0.0
        systems = systems if forgetting > 5.0 else 1  # ranks scatter less before S*
        for k, (batch, first, last) in enumerate(plans):
            net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth, stream=k, systems=systems)
            # S of an epoch is in proportion to mu / B
            amount = forgetting * (plans[0][0] / batch * first / plans[0][1] if equal_epochs else 1.0)
            for factor in (first, last):
                net.train(amount / 2.0, batch, factor * step)
            ranks.append(net.rank().mean())
            worst = max(worst, net.collapse(batch, last * step))
        return {SPREAD: max(ranks) - min(ranks), LEARNT: worst}

    def equal_epochs(forgetting, **params):
        return measure(forgetting, plans=spoilt[::-1], equal_epochs=True, systems=2, **params)

    def equal_mu(forgetting, **params):
        return measure(forgetting, plans=spoilt, systems=2, **params)

    close = {SPREAD: cn.LimitCurve(upper=4.0, words="4")}
    return cn.Claim(
        "S2.4", "At equal S = 2 lambda sum_t mu_t and equal mu / B, neither B nor mu matters much for the rank.",
        "derived, in proofs_checks/low_rank_training.py", "forgetting", origin="derived", name="matched-forgetting",
        model=model, measure=measure, predicts={**close, **SOUND},
        qualified="To within 4 of 64, for mu / B = 1/80 and mu = 0.05 to 0.2. At S = 7 and equal mu the rank falls by "
        "7 to 9 from B = 4 to 64, the reverse of the effect at equal epochs: noise of order mu / B fills directions.",
        scales={"quick": [4], "standard": [7], "full": [4, 5.5, 7, 9]},
        replicas={"quick": 6, "standard": 8, "full": 12}, params=dict(settings),
        controls=(
            cn.Control("equal-epochs", "Equal epochs in place of equal S.", measure=equal_epochs, scales=[7],
                       replicas=8, predicts=close),
            cn.Control("equal-mu", "Equal mu, a sixteenfold B, in place of equal mu / B.", measure=equal_mu,
                       scales=[7], replicas=12, predicts=close),
        ),
    )  # fmt: skip


def forgetting_claim(load, model, settings, batch):
    """The share of the initial singular values that is left -> Claim; its scale is x = e^(S - S*)."""

    def reach(x, *, seed, batch, step, ridge, width, depth, spoil=1.0, systems=1):
        """Networks trained to S = S* + ln x, S* that of the weights as they are."""
        net = bed(load(), seed=seed, ridge=ridge, width=width, depth=depth, systems=systems)
        while True:
            missing = float(cn.low_rank.threshold(net.start, net.observed).mean()) + math.log(x) - net.S
            if missing < 0.5 * -math.log(cn.low_rank.decay(step, ridge)):
                return net
            net.train(min(missing, max(GLANCE, 0.5 * missing)), batch, step, spoil)

    @lru_cache(maxsize=32)
    def learnt(batch, step, ridge, width, depth):
        """Rank once the initial weights are gone."""
        net = reach(math.exp(GONE), seed=0, batch=batch, step=step, ridge=ridge, width=width, depth=depth, systems=2)
        rank = float(net.rank().mean())
        if not rank < width:
            raise ValueError(f"width must exceed the rank of what is learnt, or nothing initial shows, got {width}")
        return rank

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
    crosses = cn.Threshold(0.4, 2.5, 0.5, rising=False, statistic="every", words="S* ± 0.92")
    return cn.Claim(
        "S2.4", "Half of the initial singular values are gone at S* = ln(median sigma(W_0) / (tol ||W_T||)).",
        "derived, in chaosnum/low_rank.py", "x", origin="derived", name="forgetting", model=model,
        measure=measure, predicts={CROSSING: crosses, SHARE: follows, **SOUND}, asymptotic="small",
        scales={"quick": [0.2, 0.4, 2.5], "full": [0.1, 0.2, 0.4, 2.5, 5]},
        replicas=lambda x, budget: {"standard": 8, "full": 24}.get(budget, 6) if x < 1.0 else 3,  # beyond, "every"
        params={"batch": batch, **settings},
        controls=(
            cn.Control("half-decay", "lambda where 2 lambda is meant.", measure=half_decay, replicas=10,
                       scales=[0.4, 2.5], predicts={CROSSING: crosses, SHARE: follows}),
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
    # B and mu vary fourfold together, and the steps of one plan fall: S takes their sum
    least = max(1, small // 4)
    plans = ((4 * least, 1.0, 1.0), (least, 0.25, 0.25), (2 * least, 1.0, 0.5))
    return (
        no_decay_claim(load, model, settings, small),
        batch_size_claim(load, model, quiet, max(1, small // 2)),
        matched_claim(load, model, settings, plans, ((16 * least, 0.5, 0.5), (least, 0.5, 0.5))),
        forgetting_claim(load, model, settings, large),
    )
