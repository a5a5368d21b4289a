"""What every rule that turns replicas into a verdict is made of: the evidence, the judgement, and the words for both.

The rules themselves: :mod:`chaosnum.judge_rate` for rates and explicit bounds, :mod:`chaosnum.judge_curve` for
predicted curves, values and bands, :mod:`chaosnum.judge_threshold` for crossings, and
:class:`chaosnum.predict.LimitLaw` for laws.

False alarms. The family-wise level of a run with V verdicts is 1 - 0.001 / V, so that a whole run in which every claim
is true calls one violated with probability about 0.001; each rule says what is exact of that.

This file needs the standard library alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from numbers import Real

from chaosnum import need
from chaosnum.words import number

FALSE_ALARM = 1e-3  # of a whole run
LEVEL = 0.95
VERDICTS = ("violated", "inconclusive", "holds")  # the first that is found decides


@dataclass(frozen=True)
class Evidence:
    """What a prediction judges: one statistic of one case, `samples[j]` replicas at `scales[j]`.

    `level` is that of the intervals that decide ``holds``, `family` that of those that decide ``violated``.
    """

    scales: tuple
    samples: list
    params: Mapping = field(default_factory=dict)
    scale: str = "n"
    asymptotic: str = "large"
    family: float = 1 - FALSE_ALARM
    level: float = LEVEL

    def __post_init__(self):
        scales = distinct_numbers("scales", self.scales)
        if len(self.samples) != len(scales):
            raise ValueError(f"samples must be one array per scale ({len(scales)}), got {len(self.samples)}")
        for s, x in zip(scales, self.samples):
            if len(x) < 1:
                raise ValueError(f"samples at {self.scale} = {s:g} must be 1 or more, got none")


@dataclass(frozen=True)
class Judgement:
    """A prediction's answer, in the words of the JSON; `fit` is the analysis behind it.

    `needs` is the factor of replicas that would settle an inconclusive verdict (:mod:`chaosnum.need`), None where no
    number of replicas is known to, and for the others.
    """

    verdict: str
    sharp: bool | None
    reason: str
    claimed: dict
    measured: dict
    bound: dict | None
    points: list
    fit: object
    needs: float | None = None


def more_replicas(half, spare):
    """In words, what brings an interval's half-width below the room that is left."""
    factor = need.times(half, spare)
    if factor is None or factor > need.MOST:
        return "too close for any number of replicas, a wider range of scales is needed"
    return f"about {number(factor, 2)} times the replicas would settle it"


def point(scale, estimate, lo, hi, bound, replicas):
    """One element of "points" in the JSON."""
    return {
        "scale": scale, "estimate": estimate, "lo": lo, "hi": hi, "bound": bound,
        "replicas": int(replicas),
    }  # fmt: skip


def named(prediction, statistic):
    """``mean of error``, ``0.9 quantile of error``, ``every error``: a prediction's statistic of the measure's."""
    what = prediction.statistic
    if what == "every":
        return f"every {statistic}"
    return f"{what if isinstance(what, str) else f'{what:g} quantile'} of {statistic}"


def given(function, params):
    """The function with those of the parameters filled in that it takes by name."""
    try:
        known = signature(function).parameters.values()
    except (TypeError, ValueError):  # built in C, without a signature
        return lambda *args: function(*args, **params)
    if not any(p.kind is Parameter.VAR_KEYWORD for p in known):
        params = {p.name: params[p.name] for p in known if p.name in params}
    return lambda *args: function(*args, **params)


def distinct_numbers(name, numbers, least=1):
    """`least` or more distinct, positive and finite numbers -> list."""
    try:
        found = list(numbers)
    except TypeError:
        found = [None]
    good = all(isinstance(s, Real) and not isinstance(s, bool) and 0 < s < math.inf for s in found)
    if not good or len(set(found)) < max(least, len(found)):
        raise ValueError(f"{name} must be {least} or more distinct positive numbers, got {numbers!r}")
    return found


def value(number, params):
    """A number that may be a function of the parameters -> float."""
    return float(given(number, params)()) if callable(number) else float(number)
