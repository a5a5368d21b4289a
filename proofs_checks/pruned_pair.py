"""A pair of runs, with noise and without, pruned by the 0.1 criterion: the measures behind C8 (``pruning.py``).

Both start from the same initial weights, take the same batches, and stop at the first evaluation that reaches the
target. Beside the two: initial weights plus the noise of the noisy run, the same numbers at the same addresses, without
a gradient; and the noisy network without random columns, as many as the criterion removes.
"""

from dataclasses import dataclass
from functools import lru_cache

import chaosnum as cn
from proofs_checks import pruned_share
from proofs_checks.beds import POSITIVE

EXTRA, NOISE_ALONE = "extra share pruned", "share less that of the noise alone"
LOST, LOST_TEST = "train accuracy lost", "test accuracy lost"
BESIDE = "train accuracy lost, less that of random columns"
UNEQUAL = "train accuracy at the stop, noise less none"
CHANGED = "relative change of the train loss by the noise"
DRAWS = 4  # of random columns
EVERY, CAP = 10, 2000
SETTINGS = {"data": "digits", "sigma": 0.02, "eta": 0.3, "batch": 200, "target": 0.9, "unit": "relu"}
DOMAIN = {
    "sigma": POSITIVE, "eta": POSITIVE, "batch": POSITIVE, "target": (0.0, 1.0), "unit": ("relu", "tanh", "sigmoid"),
}  # fmt: skip
HEAVY = (1.0, 1.95)  # closer to 2 noise foretells no extra share
SCALES = {"quick": [200], "standard": [200, 400], "full": [200, 400, 1600]}
REPLICAS = {"quick": 32, "standard": 60, "full": 120}


@dataclass(frozen=True)
class Rows:
    """A training and a test set whose rows are centred."""

    X_train: object
    y_train: object
    X_test: object
    y_test: object


@lru_cache(maxsize=8)
def dataset(data):
    """A named data set or a file."""
    return cn.data.dataset(data)


@lru_cache(maxsize=8)
def centred(data):
    """The same, each row less its mean, in float64."""
    import numpy as np

    found = dataset(data)
    X, Z = (np.asarray(part, dtype=np.float64) for part in (found.X_train, found.X_test))
    return Rows(X - X.mean(axis=1, keepdims=True), found.y_train, Z - Z.mean(axis=1, keepdims=True), found.y_test)


def network(data, n, unit="relu", depth=1, dtype="float32"):
    """The network of n units a layer for a data set."""
    found = dataset(data)
    return cn.mlp.MLP(found.d, (int(n),) * depth, found.C, unit=unit, dtype=dtype)


def train(net, rows, noise, *, eta, batch, target, seed, lenient=False):
    """A finished run; a lenient one that diverges is left at its last evaluation, `stopped` still empty."""
    schedule = cn.sgd.Schedule(eta, batch=min(batch, len(rows.y_train)), target=target, every=EVERY, cap=CAP)
    run = cn.sgd.Training(net, rows, noise, schedule, seed=seed)
    try:
        return run.run()
    except cn.sgd.Diverged:
        if lenient:
            return run
        raise


def noise_alone(run):
    """Initial weights and the noise of a run, at the same addresses, without its gradients -> list of float64."""
    import numpy as np

    weights = [w.astype(np.float64) for w in cn.mlp.initial(run.network, seed=run.seed)]
    if run.noise.kind == "none":
        return weights
    kind, alpha = run.noise.kind, run.noise.alpha
    scale = run.noise.sigma * run.schedule.eta ** (1.0 / alpha)  # stated here again: the run's own could be wrong
    for layer, w in enumerate(weights[:-1]):
        path = cn.noise.Path(kind, alpha, *w.shape, seed=run.seed, unit=layer * cn.mlp.LAYER, scale=scale)
        jump = np.empty(w.shape)
        for step in range(run.step - (run.stopped == "target")):  # the last step to a target is quiet
            w += path.fill(step, jump)
    return weights


def score(net, weights, rows, test=False):
    """Loss and accuracy."""
    return cn.mlp.evaluate(net, weights, *((rows.X_test, rows.y_test) if test else (rows.X_train, rows.y_train)))


def accuracy(net, weights, rows, test=False):
    """Share of rows classified right."""
    return score(net, weights, rows, test).accuracy


def without(weights, removed):
    """The network without these columns of each hidden layer."""
    out = [w.copy() for w in weights]
    for w, columns in zip(out, removed):
        w[:, columns] = 0.0
    return out


def random_columns(weights, counts, rng):
    """So many random columns of each hidden layer."""
    return [rng.permutation(w.shape[1])[:k] for w, k in zip(weights, counts)]


def _smallest(weights, pruned, rng):
    return pruned.weights


def _complement(weights, pruned, rng):
    import numpy as np

    gone = [~w.any(axis=0) for w in pruned.weights[:-1]]
    return without(weights, [np.flatnonzero(~columns) for columns in gone])


def random_ones(weights, pruned, rng):
    return without(weights, random_columns(weights, pruned.removed, rng))


# --- the pair of runs -----------------------------------------------------------------------------------------------


def pair(n, *, seed, data, noise, alpha, sigma, eta, batch, target, unit, stop=None, remove=_smallest,
         rows=None, dtype="float32"):  # fmt: skip
    """One seed: a run with noise and one without, both pruned.

    Parameters
    ----------
    n, seed, data, noise, alpha, sigma, eta, batch, target, unit
        The claim's parameters; `noise` may be "none".
    stop : float, optional
        Another target for the noisy run.
    remove : callable (weights, Pruned, rng) -> weights
        What is left of the noisy run's weights.
    rows, dtype : optional
        Other rows, another type of the weights.
    """
    import numpy as np

    rows, net, rng = rows or dataset(data), network(data, n, unit, dtype=dtype), np.random.default_rng(seed)
    settings = {"eta": eta, "batch": batch, "seed": seed}
    quiet = train(net, rows, cn.sgd.Noise(), target=target, **settings)
    kind = cn.sgd.Noise() if noise == "none" else cn.sgd.Noise(noise, alpha, sigma)
    # Now and then a jump is so large that training diverges. The run counts, as it was at its last evaluation: were
    # there many, the accuracies at the stop would differ.
    noisy = train(net, rows, kind, target=stop or target, lenient=True, **settings)
    pruned = cn.prune.columns(noisy.weights)
    left = remove(noisy.weights, pruned, rng)
    before = accuracy(net, noisy.weights, rows)
    others = [accuracy(net, random_ones(noisy.weights, pruned, rng), rows) for _ in range(DRAWS)]
    lost = before - accuracy(net, left, rows)
    return {
        EXTRA: pruned.share - cn.prune.columns(quiet.weights).share,
        NOISE_ALONE: pruned.share - cn.prune.columns(noise_alone(noisy)).share,
        LOST: lost,
        LOST_TEST: accuracy(net, noisy.weights, rows, True) - accuracy(net, left, rows, True),
        BESIDE: lost - (before - float(np.mean(others))),
        UNEQUAL: before - accuracy(net, quiet.weights, rows),
        CHANGED: abs(score(net, noisy.weights, rows).loss / score(net, quiet.weights, rows).loss - 1.0),
    }


def pair_quiet(n, **params):
    """`pair` with the noise switched off."""
    return pair(n, **params | {"noise": "none"})


def pair_gaussian(n, **params):
    """`pair` with Gaussian noise of the same sigma."""
    return pair(n, **params | {"alpha": 2.0})


def pair_complement(n, **params):
    """`pair` where what the criterion keeps is removed, and what it removes is kept."""
    return pair(n, remove=_complement, **params)


def pair_random(n, **params):
    """`pair` where random columns are removed, as many."""
    return pair(n, remove=random_ones, **params)


def pair_unequal(n, *, target, **params):
    """`pair` where the noisy run stops at half the accuracy."""
    return pair(n, target=target, stop=0.5 * target, **params)


def pair_type_one(n, **params):
    """`pair` with noise of Type I."""
    return pair(n, **params | {"noise": "I"})


@lru_cache(maxsize=64)
def usual(n, data, eta, batch, target, unit):
    """Steps that one run without noise takes, and the share that is pruned of it -> (int, float)."""
    settings = {"eta": eta, "batch": batch, "target": target, "seed": pruned_share.SAMPLE_SEED}
    run = train(network(data, n, unit), dataset(data), cn.sgd.Noise(), **settings)
    return run.step, cn.prune.columns(run.weights).share


# --- what the claims share ------------------------------------------------------------------------------------------


def ready(scale, **params):
    """Refuse, before anything runs, what no measure could use."""
    cn.check.at_least("n", scale, 10)
    p = dataset(params["data"]).d if "data" in params else params["p"]
    if p < pruned_share.LEAST:
        raise ValueError(f"inputs must be {pruned_share.LEAST} or more, got {p}")


def control(name, statement, measure, statistics, rules, **rest):
    """A negative control, judged by the statistics that it spoils; one of 24 may fall on the wrong side of a band."""
    chosen = {key: rules[key] for key in statistics}
    return cn.Control(name, statement, measure=measure, predicts=chosen, **{"scales": [200], "replicas": 24} | rest)
