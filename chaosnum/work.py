"""What is computed of a case, in this process or in another one.

A :class:`Work` is a function of a scale and of seeds that returns the values of these cells. It goes to an executor as
it is. One that hands its tasks to other processes pickles them, and then the work becomes a *parcel*: the name of the
claim where the measure is that of an installed claim of ours, and else the measure itself by cloudpickle, with all that
is the user's of what it names. The other process opens a parcel once and computes with BLAS on one thread, as this one
does.

The other process must compute what this one would: the parcel names our code, the libraries and what of the processor
decides the last bits (:mod:`chaosnum.fingerprint`), and where these differ it is refused. Libraries are imported there
by name, and files are opened there: both must be there, and the same. So that nothing of this has to be believed, the
first cell of every case is also computed here, and the run ends where the bits differ (:mod:`chaosnum.cells`).

What goes wrong: of a user's module the code goes and the values that its functions name, not the module; what is
imported while a measure runs, or told apart by the identity of a class, may be another one there. A worker keeps
compiled functions.
"""

import io
import pickle
import sys
from collections.abc import Mapping
from functools import cached_property, lru_cache
from math import isfinite
from threading import Lock
from time import perf_counter, thread_time
from types import ModuleType
from typing import NamedTuple

_CACHED = type(lru_cache(int))
_PICKLING = Lock()  # cloudpickle's list of modules that go by value is one for the process


class CellError(ValueError):
    """A measure raised, or returned what is no finite number."""


class EngineError(ValueError):
    """Cells cannot be computed where they were sent."""


class Done(NamedTuple):
    """A chunk of cells: their values, the seconds they took, for what share of them the thread slept, and where."""

    values: list
    seconds: float
    asleep: float
    elsewhere: bool = False  # in another process


class Work:
    """The cells of a case, as a function of scale and seeds.

    Parameters
    ----------
    case : chaosnum.sweep.Case

    Attributes
    ----------
    failure : EngineError or None
        Why it could not be sent to another process, once that was tried.
    """

    def __init__(self, case):
        control = "" if case.control is None else f" (control {case.control.name})"
        own = case.control.predicts if case.control is not None else None
        self.case, self.measure, self.failure = case, case.measure, None
        self.form = {
            "arguments": case.arguments, "wanted": tuple(case.claim.predictions(case.control)),
            "single": not isinstance(case.claim.predicts if own is None else own, Mapping),
            "label": f"{case.claim.id}{control}", "scale_name": case.claim.scale,
        }  # fmt: skip

    def __call__(self, scale, seeds):
        return _run(self.measure, scale, seeds, **self.form)

    def sent(self):
        """The work as a parcel for another process.

        Raises
        ------
        EngineError
            The measure carries what cannot be pickled.
        """
        try:
            return _Sent(self._parcel)
        except Exception as error:  # a user's object may do anything when it is pickled
            first = str(error).split("\n")[0]
            self.failure = EngineError(f"{self.form['label']}: its measure cannot be sent to another process: {first}")
            raise self.failure from error

    def __reduce__(self):
        return _Sent, (self.sent().parcel,)

    @cached_property
    def _parcel(self):
        from chaosnum.fingerprint import code_version, machine

        name = _name(self.case)
        made = code_version(), machine(), _names()
        measure = pickle.dumps(self.form) if name else _by_value((self.measure, self.form))
        return pickle.dumps((made, self.form["label"], name, measure))


class _Sent:
    """A work that came from another process; it is opened where errors can be told, not while it is unpickled."""

    def __init__(self, parcel):
        self.parcel = parcel

    def __call__(self, scale, seeds):
        from chaosnum.blas import one_thread

        measure, form = _opened(self.parcel)
        with one_thread():
            done = _run(measure, scale, seeds, **form)
        return done._replace(asleep=0.0, elsewhere=True)  # nobody here waits for the sender's interpreter


@lru_cache(maxsize=1)  # what two parcels share, the state of a class, is as the one opened last has it
def _opened(parcel):
    from chaosnum.fingerprint import code_version, machine

    (code, processor, names), label, name, measure = pickle.loads(parcel)
    if code != code_version() or names != _names():
        raise EngineError("workers must have the same chaosnum, Python and libraries as the process that sends them "
                          "cells, got others")  # fmt: skip
    if processor != machine():
        raise EngineError("workers must have the processor and the settings of the process that sends them cells "
                          f"(last bits depend on them), got {_difference(machine(), processor)}")  # fmt: skip
    if name is not None:
        return _named(*name), pickle.loads(measure)
    try:
        return pickle.loads(measure)
    except Exception as error:
        raise EngineError(f"{label}: its measure cannot be opened by a worker: {error}") from error


def _difference(there, here):
    """The first part in which two descriptions of a machine differ, in words."""
    import json

    for theirs, ours in zip(json.loads(there), json.loads(here)):
        if theirs != ours and isinstance(ours, dict):
            names = sorted(k for k in {*theirs, *ours} if theirs.get(k) != ours.get(k))
            return f"{names[0]} = {theirs.get(names[0])} there and {ours.get(names[0])} here"
        if theirs != ours:
            return f"{theirs} there and {ours} here"
    return "another one"


def _name(case):
    """How another process finds the measure: (place among ours, control); None unless it is one of ours."""
    control = case.control and case.control.name
    for place, claim in enumerate(_installed()):
        if claim.id == case.claim.id and _has(claim, control) and _named(place, control) is case.measure:
            return place, control
    return None


def _has(claim, control):
    return control is None or any(own.name == control for own in claim.controls)


def _named(place, control):
    """The measure of an installed claim, or of one of its controls."""
    claim = _installed()[place]
    return next((own.measure for own in claim.controls if own.name == control), None) or claim.measure


@lru_cache(maxsize=1)
def _installed():
    """The claims that come with this package: those whose code counts as a whole in `code_version`."""
    from chaosnum.claim import Claim
    from chaosnum.fingerprint_sources import OWN
    from chaosnum.registry import ENTRY_POINTS, installed

    return installed(ENTRY_POINTS, Claim, "claims", among=OWN)


@lru_cache(maxsize=1)
def _names():
    """What the installed claims are, in order: a name is a place among them."""
    return [(claim.id, claim.name, claim.model, [own.name for own in claim.controls]) for claim in _installed()]


def _by_value(work):
    """A user's measure and its arguments as bytes: the user's modules with their code, those of libraries by name."""
    import cloudpickle

    from chaosnum.fingerprint_sources import is_users

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, value):
            """Functions with a cache, which cloudpickle sends by name, as the functions they are made of."""
            if isinstance(value, _CACHED) and is_users(value.__module__):
                return _with_cache, (value.__wrapped__, value.cache_parameters())
            return super().reducer_override(value)

    with _PICKLING, io.BytesIO() as stream:
        before = cloudpickle.list_registry_pickle_by_value()
        found = {module.__name__ for name, module in list(sys.modules.items())
                 if isinstance(module, ModuleType) and name != "__main__" and is_users(name)}  # fmt: skip
        users = [sys.modules[name] for name in (found - before) & sys.modules.keys()]
        for module in users:
            cloudpickle.register_pickle_by_value(module)
        try:
            Pickler(stream).dump(work)
            return stream.getvalue()
        finally:
            for module in users:
                cloudpickle.unregister_pickle_by_value(module)


def _with_cache(function, parameters):
    return lru_cache(**parameters)(function)


def _run(measure, scale, seeds, *, arguments, wanted, single, label, scale_name):
    """The cells with these seeds -> Done."""
    begun, awake = perf_counter(), _awake()
    values = []
    for seed in seeds:
        try:
            value = measure(scale, seed=seed, **arguments)
            values.append(_as_floats(value, wanted, single))
        except Exception as error:
            given = "".join(f", {name} = {arguments[name]}" for name in arguments)
            at = f"{label}: measure at {scale_name} = {scale}{given}, seed = {seed}"
            if isinstance(error, _BadValue):
                raise CellError(f"{at} {error}") from None
            raise CellError(f"{at} raised {type(error).__name__}: {error}") from error
    seconds = perf_counter() - begun
    return Done(values, seconds, 0.0 if awake is None else 1.0 - (_awake() - awake) / seconds)


def _awake():
    """Seconds that this thread has run or waited for a processor; None where the system does not say (not Linux)."""
    try:
        with open("/proc/thread-self/schedstat") as stream:
            return thread_time() + 1e-9 * int(stream.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None


class _BadValue(ValueError):
    """Says what a measure returned."""


def _as_floats(value, wanted, single):
    """{statistic: float} of what a measure returned."""
    if single:
        if isinstance(value, Mapping):
            raise _BadValue(f"must return a number, got the statistics {', '.join(map(str, value))}")
        value = {wanted[0]: value}
    elif not isinstance(value, Mapping):
        raise _BadValue(f"must return a dict with {', '.join(wanted)}, got {type(value).__name__}")
    floats = {}
    for name in wanted:
        if name not in value:
            raise _BadValue(f"must return {name}, got {', '.join(map(str, value))}")
        try:
            floats[name] = float(value[name])
        except (TypeError, ValueError):
            raise _BadValue(f"must return numbers, got {name} = {value[name]!r}") from None
        if not isfinite(floats[name]):
            raise _BadValue(f"must return finite numbers, got {name} = {floats[name]}")
    return floats
