"""C8: noise makes a trained network prunable, at little cost in accuracy; when, and when not.

Statement
    Train a network of one hidden layer on data, with stable noise and without, from the same initial weights with the
    same batches, to the same accuracy on the training set. Remove the columns of smallest norm while their squared norm
    is at most 0.1 of the whole. Noise raises the share that goes, and the accuracy hardly falls.

Arguments
    1. The share comes from the noise, not from what is learnt. After k steps a column is its initial value, plus the
       sum of the noise, one stable vector of scale sigma (eta k)^(1/alpha), less the drift. Where the drift is small
       beside the other two, the share is that of initial weights plus noise, no training, and its law is known
       (``proofs_checks/pruned_share.py``). Without noise training raises the share by some 0.015, from that of uniform
       weights; it should matter no more with noise: 0.02 is allowed.
    2. Heavy tails are needed for Types II and III: Gaussian noise gives columns of nearly equal norm. Type I needs
       none: one number for all components spreads the squared norms as chi-square with one degree of freedom, and
       Gaussian noise of Type I alone gives a share of up to 0.56 (pruning-type-I).
    3. What pruning may cost. Let each column add to the difference of two outputs in proportion to its norm, columns
       uncorrelated. Without a tenth of the squared norm the difference has a correlation of sqrt(0.9) with what it was;
       centred Gaussian ones have another sign with probability arccos(sqrt(0.9)) / pi = 0.102; the largest of ten
       outputs, independent and centred, would be another with 0.26. A trained network's right answers are not centred
       but stand off from 0: fewer fall. The probability for two is the margin: a heuristic, not a theorem.
    4. The criterion takes the columns of least norm, so it should cost less than as many random ones, which have more
       of the norm: the share s in place of 0.1, on average.

    Argument 1 fails where the gradient acts on the noise as a whole. Type I shifts a column along (1, ..., 1), and rows
    of positive numbers have a large product with it: the gradient takes part of the noise back, and the share is
    smaller than the noise's own (pruning-type-I). Arguments 3 and 4 fail where the function does not see the noise.
    Rows that sum to zero, as those of a series of mean zero do, are orthogonal to Type I noise: it changes no output
    and no gradient, at no sigma, but it decides which columns are small. So the criterion removes columns regardless of
    what they do, and the accuracy falls by as much as for as many random ones, on average exactly so where the noise
    decides alone (invisible-noise); half of the margin of 3 is allowed.

What is checked
    On the digits, all ten classes, a ReLU network of the published experiments: this is not the mean-field network of
    the theorems. Over seeds, each a pair of runs.
    pruning: the median extra share is at least half of what the law of the noise alone foretells for as many steps as a
    noiseless run takes, half because the noisy runs take other numbers; the share is that of the noise alone; the costs
    of 3 and 4; and the accuracies at the stop differ by at most 0.03, a third of the error that the target leaves.
    share-of-noise, noiseless-share: ``proofs_checks/pruning_law.py``.

What is not claimed
    * For every seed. The share is heavy-tailed itself: at alpha = 1.75 one run in ten or so has a column with most of
      the norm, most columns go, and with them 0.1 to 0.8 of the accuracy. So medians; a mean over five seeds may say
      either.
    * The scale of the noise. At this sigma the share hardly grows with it: 1.3 times the noise adds 0.005 to 0.02, as
      much as is allowed. Scale and layers of the noise, and the stopping, are tested in tests/test_sgd.py.
    * That noise makes columns cheaper. A network without noise, pruned to the same share by ratio, loses no more
      accuracy than the noisy one (figures/pruning.py): noise makes the criterion remove more.
    * For other settings. At alpha = 1.5 with sigma = 0.015 the median cost is 0.08 to 0.5, at 1.2 over 0.6; with two or
      three hidden layers, outside the theorems, it exceeds the margin (figures/pruning.py). At 99 % train accuracy the
      noiseless share itself has risen to 0.21.

Controls
    no-noise, gaussian-noise (Types II, III): no extra share. complement: what the criterion keeps is removed. As many
    random, or as many of the largest, columns are no controls of the margin: for a quarter of the columns they cost
    0.06 and 0.15 in the median, too close to it; with Type I, which prunes more, random-columns is one. unequal-stop:
    the noisy run stops at half the accuracy. type-I, centred-rows: the gradient does, or does not, take the noise back.
    positive-rows, type-II: noise that the function sees.
"""

import math

import chaosnum as cn
from proofs_checks import pruned_pair as runs
from proofs_checks import pruned_share, pruning_law
from proofs_checks.pruned_pair import (
    BESIDE,
    CHANGED,
    DOMAIN,
    EXTRA,
    HEAVY,
    LOST,
    LOST_TEST,
    NOISE_ALONE,
    REPLICAS,
    SCALES,
    SETTINGS,
    UNEQUAL,
    control,
    pair,
)  # fmt: skip

SOURCE = "Wan, Barsbey, Zaidi, Simsekli, ICML 2024, arXiv 2306.08125, experiments; shares and margins derived"
FLIPS = math.acos(math.sqrt(1.0 - pruned_share.CRITERION)) / math.pi
LEARNT = 0.02  # allowed for what is learnt


def least_extra(n, *, data, noise, alpha, sigma, eta, batch, target, unit):
    """Half the extra share that the law of the noise alone foretells."""
    steps, share = runs.usual(int(n), data, eta, batch, target, unit)
    scale = sigma * (eta * steps) ** (1.0 / alpha)
    return 0.5 * (pruned_share.median_share(int(n), noise, alpha, scale, runs.dataset(data).d) - share)


def _median(bound, words, side="upper"):
    return cn.LimitCurve(**{side: bound}, statistic="median", words=words)


def _zero(margin, statistic="median"):
    return cn.LimitCurve(0.0, margin=margin, absolute=True, statistic=statistic, words="0")


EXTRA_RULE = _median(least_extra, "half the foretold", "lower")
COST = _median(FLIPS, "arccos(sqrt(0.9))/pi")
PAIR = {
    EXTRA: EXTRA_RULE,
    NOISE_ALONE: _zero(LEARNT),
    LOST: COST,
    LOST_TEST: COST,
    BESIDE: _median(0.0, "0"),
    UNEQUAL: _zero(lambda target: 0.3 * (1.0 - target)),
}

PRUNING = cn.Claim(
    "C8",
    "Noise raises the share of columns that the criterion removes, by what its own law says, at little cost.",
    SOURCE,
    name="pruning",
    model="sgd",
    measure=pair,
    predicts=PAIR,
    scales=SCALES,
    replicas=REPLICAS,
    params={"alpha": (1.75, 1.9), "noise": ("II", "III"), **SETTINGS},
    domain={**DOMAIN, "alpha": HEAVY, "noise": ("II", "III", "III-paper")},
    ready=runs.ready,
    controls=(
        control("no-noise", "The noise switched off.", runs.pair_quiet, [EXTRA], PAIR),
        control("gaussian-noise", "Gaussian noise of the same sigma.", runs.pair_gaussian, [EXTRA], PAIR, replicas=40),
        control("complement", "The columns that the criterion keeps are removed, the others kept.",
                runs.pair_complement, [LOST, LOST_TEST, BESIDE], PAIR, replicas=48),
        control("unequal-stop", "The noisy run stops at half the accuracy.", runs.pair_unequal, [UNEQUAL], PAIR),
        control("type-I", "Noise along the rows' mean, which the gradient takes back.", runs.pair_type_one,
                [NOISE_ALONE], PAIR, applies=lambda alpha, noise: alpha >= 1.9 and noise == "II"),
    ),
)  # fmt: skip


# --- Type I ---------------------------------------------------------------------------------------------------------

TAKEN_BACK = _median(-LEARNT, f"{-LEARNT:g}")
TYPE_I = {EXTRA: EXTRA_RULE, NOISE_ALONE: TAKEN_BACK, LOST: COST, LOST_TEST: COST, BESIDE: PAIR[BESIDE],
          UNEQUAL: PAIR[UNEQUAL]}  # fmt: skip


def pair_centred(n, **params):
    """`pair` on centred rows, to which Type I noise is orthogonal."""
    return pair(n, rows=runs.centred(params["data"]), **params)


TYPE_ONE = cn.Claim(
    "C8",
    "Type I: Gaussian noise does it as well, and the gradient takes part of the noise back.",
    SOURCE,
    name="pruning-type-I",
    model="sgd",
    measure=pair,
    predicts=TYPE_I,
    scales=SCALES,
    replicas={"quick": 18, "standard": 40, "full": 100},
    params={"alpha": (1.75, 2.0), "noise": "I", **SETTINGS, "sigma": 0.015},
    domain={**DOMAIN, "alpha": (1.0, 2.0), "noise": ("I",)},
    ready=runs.ready,
    controls=(
        control("no-noise", "The noise switched off.", runs.pair_quiet, [EXTRA], TYPE_I),
        control("random-columns", "Random columns in place of the smallest.", runs.pair_random,
                [LOST, LOST_TEST], TYPE_I, params={"sigma": 0.03}),
        control("centred-rows", "Rows that the noise is orthogonal to.", pair_centred, [NOISE_ALONE], TYPE_I,
                params={"sigma": 0.1}),
    ),
)  # fmt: skip


# --- noise that the function does not see -----------------------------------------------------------------------------

ROUNDING = 1e-9  # relative, in float64, after some 100 steps


def invisible(n, *, seed, rows=None, **params):
    """`pair` on centred rows with noise of Type I, in float64, which changes no output."""
    return pair(n, seed=seed, rows=rows or runs.centred(params["data"]), dtype="float64", **params)


def invisible_positive(n, **params):
    """`invisible` on the rows as they are."""
    return invisible(n, rows=runs.dataset(params["data"]), **params)


def invisible_type_two(n, **params):
    """`invisible` with noise of Type II."""
    return invisible(n, **params | {"noise": "II"})


BLIND = {
    EXTRA: EXTRA_RULE,
    NOISE_ALONE: _zero(LEARNT),
    CHANGED: _median(ROUNDING, "rounding"),
    BESIDE: _zero(FLIPS / 2.0, "mean"),
}
INVISIBLE = cn.Claim(
    "C8",
    "Type I noise on rows that sum to zero changes no output, and the criterion removes columns at random.",
    "derived, in proofs_checks/pruning.py",
    name="invisible-noise",
    model="sgd",
    measure=invisible,
    predicts=BLIND,
    scales=SCALES,
    replicas=REPLICAS,
    params={"alpha": 1.75, "noise": "I", **SETTINGS, "sigma": 0.3},
    domain={**DOMAIN, "alpha": HEAVY, "noise": ("I",)},
    ready=runs.ready,
    controls=(
        control("no-noise", "The noise switched off.", runs.pair_quiet, [EXTRA], BLIND),
        control("positive-rows", "The rows as they are.", invisible_positive, [CHANGED, BESIDE], BLIND,
                params={"sigma": 0.03}),
        control("type-II", "Noise of Type II, which the function sees.", invisible_type_two, [CHANGED], BLIND,
                params={"sigma": 0.03}),
    ),
)  # fmt: skip


CLAIMS = (PRUNING, TYPE_ONE, INVISIBLE, *pruning_law.CLAIMS)
