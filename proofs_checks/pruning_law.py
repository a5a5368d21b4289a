"""C8: the law of the share that the 0.1 criterion removes, with noise alone and without noise.

Statement
    share-of-noise: columns of initial weights plus the noise of time T, no training, lose a share with the law of
    ``proofs_checks/pruned_share.py``.
    noiseless-share: the share of initial weights is that of uniform columns, and training without noise, to the
    accuracy at which ``proofs_checks/pruning.py`` stops, does not raise it by half.

What is checked
    The share of samples below the predicted median, 75 and 95 % point, those multiples of 1/n that come closest. The
    law leaves out how the smaller norms' sum varies, a relative n^(-1/2), and is to 0.1, 0.08 and 0.04 as C5's on bed N
    in the same place; n = 200 columns are few. Mean shares without noise: a whole number of columns is removed, so half
    a column less than the limit, and 0.005, one column, is allowed. The factor 1.5 is what separates weights that are
    learnt from weights that are heavy-tailed: the latter lose twice the share.

Controls
    gaussian-noise: the share stays below the median of the heavy-tailed law. no-initial-weights: the noise without the
    weights to which it is added. gaussian-weights: initial columns of other spread. longer: trained to a tenth of the
    error, the share exceeds 1.5 times the initial one, so what is learnt is no longer small.
"""

import chaosnum as cn
from proofs_checks import pruned_share
from proofs_checks.beds import POSITIVE
from proofs_checks.pruned_pair import DOMAIN, HEAVY, SCALES, SETTINGS, control, dataset, network, ready, train

# --- the law of the share -------------------------------------------------------------------------------------------

LEVELS = {"share below its median": 0.5, "share below its 75 % point": 0.75, "share below its 95 % point": 0.95}
MARGINS = (0.1, 0.08, 0.04)


def _place(n, level, noise, alpha, sigma, T, p):
    """The j for which P(share < j/n) is closest to the level, and that probability."""
    known = pruned_share.below(int(n), noise, alpha, sigma * T ** (1.0 / alpha), p)
    j = min(range(len(known)), key=lambda i: abs(known[i] - level))
    return j + 1, known[j]


def share_of_noise(n, *, seed, noise, alpha, sigma, T, p, noise_alpha=None, start=True):
    """Initial weights and the noise of time T: whether the share lies below each predicted point."""
    import numpy as np

    scale, index = sigma * T ** (1.0 / alpha), noise_alpha or alpha
    columns = pruned_share.noisy_columns(noise, index, scale, p, int(n), seed, start=start)
    j = round(n * pruned_share.share(np.linalg.norm(columns, axis=0)))
    return {name: float(j < _place(n, q, noise, alpha, sigma, T, p)[0]) for name, q in LEVELS.items()}


def share_of_gaussian(n, **params):
    """`share_of_noise` with Gaussian noise of the same scale."""
    return share_of_noise(n, noise_alpha=2.0, **params)


def share_without_start(n, **params):
    """`share_of_noise` without initial weights."""
    return share_of_noise(n, start=False, **params)


def _frequency(level, margin):
    def curve(n, noise, alpha, sigma, T, p):
        return _place(n, level, noise, alpha, sigma, T, p)[1]

    return cn.LimitCurve(curve, margin=margin, absolute=True, statistic="frequency", words="the law's")


SHARES = {name: _frequency(q, margin) for (name, q), margin in zip(LEVELS.items(), MARGINS)}
MEDIAN = "share below its median"
SHARE = cn.Claim(
    "C8",
    "The share that the criterion removes under noise alone has the law that C5's law of the error says.",
    "derived, in proofs_checks/pruned_share.py",
    name="share-of-noise",
    model="iid",
    measure=share_of_noise,
    predicts=SHARES,
    scales={"quick": [200], "standard": [200, 800], "full": [200, 800, 3200]},
    replicas={"quick": 800, "standard": 1500, "full": 6000},
    params={"alpha": (1.75, 1.9), "noise": ("I", "II", "III"), "sigma": 0.02, "T": 12.0, "p": 64},
    domain={"alpha": HEAVY, "noise": ("I", "II", "III", "III-paper"), "sigma": POSITIVE, "T": POSITIVE, "p": POSITIVE},
    ready=ready,
    controls=(
        control("gaussian-noise", "Gaussian noise of the same scale.", share_of_gaussian, [MEDIAN], SHARES,
                 replicas=60),
        control("no-initial-weights", "The noise without the initial weights.", share_without_start, [MEDIAN],
                 SHARES, replicas=400),
    ),
)  # fmt: skip


# --- no noise -------------------------------------------------------------------------------------------------------

AT_START, AFTER = "share pruned at the start", "share pruned after training"


def noiseless(n, *, seed, data, eta, batch, target, unit, gaussian=False):
    """Shares of a network without noise, before and after training."""
    import numpy as np

    run = train(network(data, n, unit), dataset(data), cn.sgd.Noise(), eta=eta, batch=batch, target=target, seed=seed)
    first = cn.mlp.initial(run.network, seed=seed)
    if gaussian:
        first[0] = np.random.default_rng(seed).standard_normal(first[0].shape)
    return {AT_START: cn.prune.columns(first).share, AFTER: cn.prune.columns(run.weights).share}


def noiseless_gaussian(n, **params):
    """`noiseless` with Gaussian initial weights."""
    return noiseless(n, gaussian=True, **params)


def noiseless_longer(n, *, target, **params):
    """`noiseless`, trained to a tenth of the error."""
    return noiseless(n, target=1.0 - 0.1 * (1.0 - target), **params)


def _initial(n, data):
    """The limit less half a column, as a whole number of columns is removed."""
    return pruned_share.initial_share(dataset(data).d) - 0.5 / n


NONE = {
    AT_START: cn.LimitCurve(_initial, margin=0.005, absolute=True, words="uniform weights"),
    AFTER: cn.LimitCurve(lower=_initial, upper=lambda n, data: 1.5 * _initial(n, data),
                         words="1 to 1.5 times that"),
}  # fmt: skip
NOISELESS = cn.Claim(
    "C8",
    "Without noise the criterion removes a share that uniform weights have, and training hardly moves it.",
    "derived, in proofs_checks/pruned_share.py",
    name="noiseless-share",
    model="sgd",
    measure=noiseless,
    predicts=NONE,
    scales=SCALES,
    replicas={"quick": 16, "standard": 40, "full": 100},
    params={key: SETTINGS[key] for key in ("data", "eta", "batch", "target", "unit")},
    domain={key: DOMAIN[key] for key in ("eta", "batch", "target", "unit")},
    ready=ready,
    controls=(
        control("gaussian-weights", "Gaussian initial weights.", noiseless_gaussian, [AT_START], NONE),
        control("longer", "Trained to a tenth of the error.", noiseless_longer, [AFTER], NONE, replicas=8),
    ),
)

CLAIMS = (SHARE, NOISELESS)
