"""The experiment of claim C8: heavy-tailed SGD on real data, and what pruning does to the network that comes out.

A run is one network trained from one seed with one noise (``sgd.py``) until a share of the training set is classified
right, and then pruned (``prune.py``): of each hidden layer the columns of smallest norm go, as many as leave the
removed squared norm at no more than `prune_error` of the whole. A grid of runs is

    widths x depths x parametrisations x (no noise, and each kind of noise at each alpha) x seeds.

C8 says that noise raises the share of columns that goes, at equal accuracy on the training set. Runs of one seed start
from the same weights and see the same minibatches, with noise and without: their differences are paired.

The published experiments are the ``standard`` parametrisation with ReLU units. That is outside the assumptions of the
theorem on compressibility, and so is every network of more than one hidden layer; ``outside`` of a run says what it
lacks.

What goes wrong: with a noise so strong that the target accuracy is not reached, the share of columns that goes says
nothing, since the accuracies are not equal. Such a run ends at the cap, and is shown as such.

Reference: Wan, Barsbey, Zaidi, Simsekli, ICML 2024 (arXiv 2306.08125), the experiments.
"""

from dataclasses import asdict, dataclass

from chaosnum import check
from chaosnum.trainsettings import Settings, from_dict, settings

__all__ = [
    "Run", "Settings", "about", "check_data", "columns", "diverged", "from_dict", "network", "result",
    "runs", "settings", "training", "words",
]  # fmt: skip
HISTORY = 200  # evaluations kept in a result
POINTS = 60  # of a curve that is drawn


@dataclass(frozen=True)
class Run:
    """One run of the grid: what tells it from the others. `alpha` is None without noise."""

    width: int
    depth: int
    parametrisation: str
    noise: str
    alpha: float | None
    seed: int

    @property
    def name(self):
        """A name that is a file name too: ``width500-depth1-standard-II-alpha1.75-seed1``."""
        alpha = "" if self.alpha is None else f"-alpha{self.alpha!r}"
        return f"width{self.width}-depth{self.depth}-{self.parametrisation}-{self.noise}{alpha}-seed{self.seed}"


def runs(chosen):
    """The runs of the grid, all settings of the first seed before those of the second -> list of Run."""
    noises = [(kind, alpha) for kind in chosen.noise for alpha in (chosen.alpha if kind != "none" else (None,))]
    return [
        Run(width, depth, parametrisation, kind, alpha, seed)
        for seed in chosen.seed
        for width in chosen.width
        for depth in chosen.depth
        for parametrisation in chosen.parametrisation
        for kind, alpha in noises
    ]


def words(chosen, run):
    """What tells a run from the others of its grid -> ``II α = 1.75, width 500, seed 1``; the network if it varies."""
    found = ["no noise" if run.alpha is None else f"{run.noise} α = {run.alpha:g}"]
    found += [f"{name} {getattr(run, name)}" for name in ("width", "depth") if len(getattr(chosen, name)) > 1]
    found += [run.parametrisation] if len(chosen.parametrisation) > 1 else []
    return ", ".join([*found, f"seed {run.seed}"])


def network(chosen, run, dataset):
    """The network of a run -> chaosnum.mlp.MLP."""
    from chaosnum import mlp

    return mlp.MLP(dataset.d, (run.width,) * run.depth, dataset.C, unit=chosen.unit,
                   parametrisation=run.parametrisation, dtype=chosen.dtype)  # fmt: skip


def training(chosen, run, dataset, *, threads=1):
    """A run at its beginning -> chaosnum.sgd.Training.

    Raises
    ------
    ValueError
        Settings that this data set does not allow, such as a batch larger than it.
    """
    from chaosnum import sgd

    noise = sgd.Noise() if run.noise == "none" else sgd.Noise(run.noise, run.alpha, chosen.sigma)
    schedule = sgd.Schedule(chosen.eta, chosen.batch, chosen.target, chosen.every, chosen.cap)
    return sgd.Training(network(chosen, run, dataset), dataset, noise, schedule, seed=run.seed, threads=threads)


def check_data(chosen, dataset):
    """Refuse what can be known to fail, before anything runs.

    Raises
    ------
    ValueError
        A batch larger than the training set, or networks that do not fit the data.
    """
    if chosen.batch is not None:
        check.whole("batch", chosen.batch, 1, dataset.m)
    for run in runs(chosen):
        network(chosen, run, dataset)


def about(chosen, run, dataset):
    """What the files of a run say of it beside their weights: settings, data and the run."""
    return {"run": run.name, "settings": chosen.as_dict(), **asdict(run),
            "data": {"name": dataset.name, "files": [dict(f) for f in dataset.files]}}  # fmt: skip


def result(chosen, run, dataset, trained, *, threads=1):
    """What a finished run has to say: accuracy, loss and tail before pruning, and what pruning does.

    Parameters
    ----------
    chosen : Settings
    run : Run
    dataset : chaosnum.data.Dataset
    trained : chaosnum.sgd.Training, at its end
    threads : int

    Returns
    -------
    dict, ready for JSON
        What tells the run from others, `steps`, `stopped`; `before` and, by the criterion, `pruned`; `sweep` over fixed
        ratios; of the first hidden layer's columns `tail` and `curve` (`columns` below).
    """
    from chaosnum import prune

    found = prune.study(trained.network, trained.weights, dataset, error=chosen.prune_error, scope=chosen.scope,
                        threads=threads)  # fmt: skip
    by_column = found["units"]["columns"]
    return {
        **_beginning(chosen, run, trained), "before": found["before"], "pruned": by_column["criterion"],
        "sweep": by_column["sweep"], **columns(trained.weights[0], by_column["predicted"][0]),
    }  # fmt: skip


def diverged(chosen, run, trained, reason):
    """What is left of a run that diverged: no accuracies, the steps up to its last good weights."""
    return {**_beginning(chosen, run, trained), "stopped": "diverged", "reason": str(reason), "before": None,
            "pruned": None, "sweep": [], "tail": None, "curve": None}  # fmt: skip


def _beginning(chosen, run, trained):
    """What every result begins with."""
    noisy = run.noise != "none"
    history = [[int(e.step), float(e.loss), float(e.accuracy)] for e in trained.evaluations]
    return {
        "name": run.name, "width": run.width, "depth": run.depth, "parametrisation": run.parametrisation,
        "unit": chosen.unit, "noise": run.noise, "alpha": run.alpha, "sigma": chosen.sigma if noisy else None,
        "seed": run.seed, "outside": trained.network.outside, "steps": int(trained.step), "stopped": trained.stopped,
        "history": history[:: max(1, -(-len(history) // HISTORY))],
    }  # fmt: skip


def columns(theta, fitted_tail):
    """The norms of a layer's columns: their tail, and the error of keeping the largest.

    Parameters
    ----------
    theta : ndarray, shape (p, n)
    fitted_tail : dict
        What `prune.predicted` found: alpha and ci (None without a power tail) and a reason.

    Returns
    -------
    dict
        `tail`: alpha, ci, reason, and points (r, share of the columns whose norm is r or more); `curve`: at the shares
        kappa kept the relative l_2 error, measured, and predicted from alpha with the range `low` to `high` of 90 % of
        such samples (None without a power tail).
    """
    import numpy as np

    from chaosnum import compress, fitted

    alpha = fitted_tail["alpha"]
    norms = np.sort(np.linalg.norm(np.asarray(theta, dtype=np.float64), axis=0))[::-1]
    n = norms.size
    ranks = np.unique(np.geomspace(1, n, POINTS).astype(int))
    points = {"r": norms[ranks - 1].tolist(), "share": (ranks / n).tolist()}
    kappas = np.geomspace(max(1 / n, 1e-3), 1.0, POINTS)
    curve = {"kappa": kappas.tolist(), "measured": None, "predicted": None, "low": None, "high": None}
    if norms[0] > 0.0:
        curve["measured"] = np.asarray(compress.error_curve(norms, kappas, 2.0)).tolist()
    if alpha is not None:
        errors = fitted.tail_law(norms, alpha).errors(kappas, 2.0)
        for name, values in zip(("low", "predicted", "high"), np.quantile(errors, fitted.LEVELS, axis=0)):
            curve[name] = values.tolist()
    about = {"alpha": alpha, "ci": fitted_tail["ci"], "reason": fitted_tail["reason"]}
    return {"tail": {**about, **points}, "curve": curve}
