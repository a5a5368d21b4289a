"""What decides the results of a grid of runs: the settings, their ranges, and the defaults of each data set.

Each symbol is checked by itself when the settings are made, and lists that span the grid hold each value once. What
depends on the data too, such as a batch larger than the training set, is for ``experiment.py``.

This file needs the standard library alone: what is wrong with the options is said before anything heavy is imported.
"""

from dataclasses import asdict, dataclass, fields

from chaosnum import check

DATA = ("digits", "mnist", "ecg5000")
UNITS = ("relu", "tanh", "sigmoid")
PARAMETRISATIONS = ("standard", "mean-field")
NOISES = ("none", "I", "II", "III", "III-paper")
DTYPES = ("float32", "float64")
SCOPES = ("layer", "global")
DEEPEST = 4
# What is not given: mnist is the published setting, the others were chosen so that the noise shows at this width.
DEFAULTS = {
    "digits": {},
    "ecg5000": {"width": (2000,), "batch": None, "every": 10, "eta": 0.1, "sigma": 0.03},
    "mnist": {"width": (5000,), "batch": 5000, "every": 100, "eta": 0.01, "sigma": 0.003, "noise": ("none", "I")},
}


@dataclass(frozen=True)
class Settings:
    """What decides the results of a grid of runs.

    Attributes
    ----------
    data : str
        A name of `DATA`, or the name of a file or folder.
    scaling : str or None
        As for ``data.dataset``; None for the data set's own.
    labels : {None, "all"}
        As for ``data.dataset``: all five classes of ECG5000 in place of normal against the rest.
    width, depth : tuple of int
        Units of a hidden layer, and hidden layers, 1 to 4.
    unit : {"relu", "tanh", "sigmoid"}
    parametrisation : tuple of {"standard", "mean-field"}
    noise : tuple of {"none", "I", "II", "III", "III-paper"}
    alpha : tuple of float in (0, 2]
    sigma, eta : float
        Scale of the noise, 0 or more, and step size, above 0.
    batch : int or None
        Rows of a step; None for all.
    target : float in (0, 1] or None
        Training ends at the first evaluation with this share of the training set classified right; None: at the cap.
    every, cap : int
        Steps between evaluations, and steps at most.
    seed : tuple of int in [0, 2^63)
    dtype : {"float32", "float64"}
    prune_error : float in (0, 1)
        Share of a layer's squared norm that pruning may remove.
    scope : {"layer", "global"}
        Whether columns compete within a layer or across the hidden layers.

    Raises
    ------
    ValueError
        One line: the symbol, its range, the value.
    """

    data: str = "digits"
    scaling: str | None = None
    labels: str | None = None
    width: tuple = (500,)
    depth: tuple = (1,)
    unit: str = "relu"
    parametrisation: tuple = ("standard",)
    noise: tuple = ("none", "I", "II", "III")
    alpha: tuple = (1.75,)
    sigma: float = 0.006
    eta: float = 0.1
    batch: int | None = 100
    target: float | None = 0.95
    every: int = 10
    cap: int = 100_000
    seed: tuple = (1, 2, 3)
    dtype: str = "float32"
    prune_error: float = 0.1
    scope: str = "layer"

    def __post_init__(self):
        def several(name, one):
            values = getattr(self, name)
            if not isinstance(values, (tuple, list)) or not values:
                raise ValueError(f"{name} must be one value or more, got {values!r}")
            return tuple(dict.fromkeys(one(value) for value in values))  # each once

        if not isinstance(self.data, str) or not self.data:
            raise ValueError(f"data must be the name of a data set, got {self.data!r}")
        if self.scaling is not None and not isinstance(self.scaling, str):
            raise ValueError(f"scaling must be a word, got {self.scaling!r}")
        if self.labels is not None:
            if self.labels != "all":
                raise ValueError(f"labels must be all, or left out, got {self.labels!r}")
        settled = {
            "width": several("width", lambda n: check.whole("width", n, 1, 2**24)),
            "depth": several("depth", lambda n: check.whole("depth", n, 1, DEEPEST)),
            "unit": check.one_of("unit", self.unit, UNITS),
            "parametrisation": several("parametrisation", _one_of("parametrisation", PARAMETRISATIONS)),
            "noise": several("noise", _one_of("noise", NOISES)),
            "alpha": several("alpha", check.stable_index),
            "sigma": check.nonnegative("sigma", self.sigma),
            "eta": check.positive("eta", self.eta),
            "batch": self.batch if self.batch is None else check.whole("batch", self.batch, 1),
            "target": self.target if self.target is None else check.in_range("target", self.target, 0.0, 1.0),
            "every": check.whole("every", self.every, 1),
            "cap": check.whole("cap", self.cap, 1, 2**32 - 1),
            "seed": several("seed", lambda n: check.whole("seed", n, 0, 2**63 - 1)),
            "dtype": check.one_of("dtype", self.dtype, DTYPES),
            "prune_error": check.in_range("prune-error", self.prune_error, 0.0, 1.0, open_high=True),
            "scope": check.one_of("scope", self.scope, SCOPES),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        if any(kind != "none" for kind in self.noise):
            check.positive("sigma", self.sigma)
        if "mean-field" in self.parametrisation and max(self.depth) > 1:
            raise ValueError(f"depth must be 1 for the mean-field parametrisation, got {max(self.depth)}")

    def as_dict(self):
        """The settings as JSON has them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def from_dict(found):
    """Settings from their JSON form.

    Raises
    ------
    ValueError
        A setting that is missing, unknown or out of range.
    """
    names = {f.name for f in fields(Settings)}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"settings must be {', '.join(sorted(names))}")
    return Settings(**found)


def settings(data="digits", **given):
    """Settings for a data set, with its own defaults for what is not given -> Settings."""
    return Settings(data=data, **{**DEFAULTS.get(data, DEFAULTS["digits"]), **given})


def _one_of(name, allowed):
    return lambda value: check.one_of(name, value, allowed)
