"""chaosnum: theorems on heavy-tailed SGD and interacting particle systems, verified by numerics.

State a claim, run it at growing scale, get a rate with a confidence interval, a verdict and a figure::

    import chaosnum as cn

    claim = cn.Claim(id="my-rate", statement="...", source="...", scale="n", scales=[100, 200, 400, 800],
                     measure=lambda n, *, seed: ..., predicts=cn.PowerLaw(-0.5))
    verdicts = cn.verify([claim])

Everything is imported on first use (PEP 562): ``import chaosnum`` costs nothing, ``chaosnum.stable`` loads
NumPy and Numba, ``chaosnum.report`` Matplotlib.
"""

from importlib import import_module
from importlib.util import find_spec

__version__ = "0.1.0"

# Public name -> the module it lives in.
_HOME = {
    "Bound": "claim",
    "Claim": "claim",
    "Control": "claim",
    "ExactValue": "claim",
    "ExplicitBound": "claim",
    "LimitCurve": "claim",
    "LimitLaw": "claim",
    "PowerLaw": "claim",
    "Threshold": "claim",
    "Verdict": "claim",
    "Observer": "sweep",
    "verify": "sweep",
}


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    from pkgutil import iter_modules

    modules = (m.name for m in iter_modules(__path__) if not m.name.startswith("_"))
    return sorted({*globals(), *_HOME, *modules})
