"""Predictions of values at each scale: a curve within a tolerance, an exact value, a bound, a threshold.

Definition. Let s be the statistic (mean, median, quantile, frequency, or every single replica) at one scale.

* :class:`LimitCurve`: s lies within a tolerance of a predicted curve, or in a rigorous band. The tolerance is for what
  the prediction leaves out, such as second-order terms.
* :class:`ExactValue`: s is the predicted value. Nothing is left out, so nothing is allowed beyond the statistical
  error; how precisely it has been seen is the `deviation`.
* :class:`Bound`: s is at most a bound, which is not vacuous; how far below is the slack.
* :class:`Threshold`: s crosses a level inside a predicted interval of scales.

The rules are in :mod:`chaosnum.judge_curve` and :mod:`chaosnum.judge_threshold`. Negative controls are no kind of their
own: any of these must come out ``violated`` for an experiment spoilt on purpose.

This file needs the standard library alone: NumPy and SciPy are imported when a verdict is made.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from chaosnum.check import at_least, in_range, nonnegative, one_of, positive
from chaosnum.judge_curve import judge_curve
from chaosnum.judge_threshold import judge_threshold
from chaosnum.rule import value


@dataclass(frozen=True)
class LimitCurve:
    """The statistic equals a predicted curve of the scale, within a tolerance or a rigorous band.

    Violated where at some scale the family-wise interval lies wholly outside the band; holds where
    every 95% interval lies inside. Exact intervals for medians, quantiles and frequencies, for every
    law and number of replicas. See :mod:`chaosnum.judge_curve`. Examples::

        LimitCurve(lambda n, alpha: constant(alpha) * n**-0.5, margin=0.03)               # a mean within 3%
        LimitCurve(0.25, margin=0.01, absolute=True, statistic="frequency")               # replicas 0 or 1
        LimitCurve(quantile_curve, margin=0.05, statistic=0.95, last=2)                   # a 95% quantile
        LimitCurve(lower=below, upper=above)                                              # a rigorous band alone

    Attributes
    ----------
    curve : float or callable (scale, **params) -> float, optional
        Predicted value; a number is the same at every scale.
    lower, upper : float or callable (scale, **params) -> float, optional
        Rigorous ends of the band. The one that is not given is the curve's value less or plus the
        tolerance, and infinite without a curve. One of `curve`, `lower` and `upper` is needed.
    margin : float or callable of the parameters
        Tolerance, relative to the curve's value.
    absolute : bool
        The margin is in units of the statistic.
    statistic : "mean", "median", "frequency", "every", or float in (0, 1), the order of a quantile
        Over the replicas. Medians and quantiles where the variance is infinite; "every" where nothing is random, or
        each single replica is meant.
    trials : int or callable of the parameters
        For a frequency: independent trials behind each replica.
    last : int, optional
        Judge only the last scales before the asymptotic end; by default all.
    tail : float or callable of the parameters, optional
        Tail index of the replicas where it is known; a mean needs more than 2.
    words : str
        What the curve is.
    """

    curve: float | Callable | None = None
    lower: float | Callable | None = None
    upper: float | Callable | None = None
    margin: float | Callable = 0.05
    absolute: bool = False
    statistic: str | float = "mean"
    trials: int | Callable = 1
    last: int | None = None
    tail: float | Callable | None = None
    words: str = "curve"

    least_scales = 1

    def __post_init__(self):
        if self.curve is None and self.lower is None and self.upper is None:
            raise ValueError("curve, lower or upper must be given, got none")
        for name in ("curve", "lower", "upper"):
            _check_number(name, getattr(self, name))
        if not callable(self.margin):
            positive("margin", self.margin)
        if isinstance(self.statistic, str):
            one_of("statistic", self.statistic, ("mean", "median", "frequency", "every"))
        else:
            in_range("statistic", self.statistic, 0.0, 1.0, open_high=True)
        if not callable(self.trials):
            at_least("trials", self.trials, 1)
        if self.last is not None:
            at_least("last", self.last, 1)

    def claimed(self, params):
        lower, upper = (self.curve if f is None else f for f in (self.lower, self.upper))
        if lower is None or upper is None:
            sense, words = ("upper", f"≤ {self.words}") if lower is None else ("lower", f"≥ {self.words}")
        elif self.lower is None or self.upper is None:
            margin = value(self.margin, params)
            room = f"{margin:.3g}" if self.absolute else f"{100 * margin:.3g} %"
            sense, words = "exact", f"{self.words} ± {room}"
        else:
            sense, words = "exact", f"in {self.words}"
        return {"kind": "curve", "exponent": None, "sense": sense, "words": words}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        tail = None if self.tail is None else value(self.tail, evidence.params)
        if self.statistic == "mean" and tail is not None and not tail > 2:
            raise ValueError(f"tail must exceed 2 for a mean (else use the median), got {tail!r}")
        return judge_curve(self, evidence)


@dataclass(frozen=True)
class ExactValue:
    """The statistic equals a predicted value, up to nothing but statistical error.

    Violated where at some scale the family-wise interval excludes the value. Holds where the value lies within three
    standard errors (the interval at 99.73 %, shared over the scales) and the 95% interval lies within the deviation:
    so precisely has it been seen. Else inconclusive. Examples::

        ExactValue(lambda batch, dim: 2 * batch / (dim + batch + 1), deviation=0.02)      # a mean
        ExactValue(1.0, rounding=1e-6, statistic="every")                                 # deterministic: each replica

    Attributes
    ----------
    value : float or callable (scale, **params) -> float
    deviation : float or callable of the parameters
        Relative to the value.
    absolute : bool
        The deviation and the rounding are in units of the statistic.
    statistic : {"mean", "median", "every"}
        "every": each single replica equals the value.
    rounding : float
        That of the floats, relative; what is within it equals the value.
    words : str
        What the value is.
    """

    value: float | Callable
    deviation: float | Callable = 0.02
    absolute: bool = False
    statistic: str = "mean"
    rounding: float = 1e-9
    words: str = "exact value"

    least_scales = 1

    def __post_init__(self):
        if self.value is None:
            raise ValueError("value must be a number or a function, got None")
        _check_number("value", self.value)
        if not callable(self.deviation):
            positive("deviation", self.deviation)
        nonnegative("rounding", self.rounding)
        one_of("statistic", self.statistic, ("mean", "median", "every"))

    def claimed(self, params):
        words = f"= {self.words}"
        if self.statistic != "every":
            room = value(self.deviation, params)
            words += f" ± {room:.3g}" if self.absolute else f" ± {100 * room:.3g} %"
        return {"kind": "value", "exponent": None, "sense": "exact", "words": words}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        margin = self.deviation
        if self.statistic == "every":  # the band only serves to draw
            margin = max(self.rounding, 1e-300)
        curve = LimitCurve(self.value, margin=margin, absolute=self.absolute, words=self.words)
        judgement = judge_curve(curve, evidence, statistic=self.statistic, rounding=self.rounding)
        return replace(judgement, claimed=self.claimed(evidence.params))


@dataclass(frozen=True)
class Bound:
    """The statistic is at most a bound; the slack is the bound over what was measured, where they are closest.

    With ``statistic="every"`` the bound is pathwise, and a single replica above it is a violation: measure the largest
    ratio of left to right side, and bound it by 1. In the mean, it is violated where the family-wise interval lies
    above, and holds where the 95% interval of every point lies below. Examples::

        Bound(1.0, within=20)                                       # left / right at most 1, at least 1/20 somewhere
        Bound(lambda n, noise: 4 * noise**2 / n, statistic="mean")  # a risk bound

    Attributes
    ----------
    upper : float or callable (scale, **params) -> float, at least 0
    statistic : {"every", "mean", "median"}
    rounding : float
        That of the floats, relative to the bound.
    within : float, optional
        A bound that nowhere comes within this factor of what was measured is vacuous: inconclusive.
    words : str
        What the bound is.
    """

    upper: float | Callable
    statistic: str = "every"
    rounding: float = 1e-9
    within: float | None = None
    words: str = "bound"

    least_scales = 1

    def __post_init__(self):
        if not callable(self.upper):
            nonnegative("upper", self.upper)
        nonnegative("rounding", self.rounding)
        one_of("statistic", self.statistic, ("every", "mean", "median"))
        if self.within is not None:
            in_range("within", self.within, 1.0, math.inf, open_high=True)

    def claimed(self, params):
        return {"kind": "bound", "exponent": None, "sense": "upper", "words": f"≤ {self.words}"}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        curve = LimitCurve(upper=self.upper, words=self.words)
        judged = judge_curve(curve, evidence, statistic=self.statistic, rounding=self.rounding)
        points = [{**p, "bound": p["upper"], "upper": None} for p in judged.points]
        slack = min(p["bound"] / p["estimate"] if p["estimate"] > 0 else math.inf for p in points)
        if not all(0.0 <= p["bound"] < math.inf for p in points):
            raise ValueError(f"upper must lie in [0, inf), got {[p['bound'] for p in points]}")
        bound = {"holds": all(p["estimate"] <= p["bound"] * (1 + self.rounding) for p in points), "slack": slack}
        verdict, reason = judged.verdict, judged.reason
        if verdict == "holds" and (slack == math.inf or (self.within is not None and slack > self.within)):
            bound["vacuous"] = True
            verdict, reason = "inconclusive", "vacuous: nothing positive was measured"
            if slack < math.inf:
                reason = f"vacuous: nowhere within a factor {self.within:g} of what was measured ({slack:.3g} at best)"
        claimed = self.claimed(evidence.params)
        return replace(judged, verdict=verdict, reason=reason, claimed=claimed, bound=bound, points=points)


@dataclass(frozen=True)
class Threshold:
    """The statistic crosses a level at a scale inside a predicted interval.

    Violated where at some scale outside the interval the family-wise interval of the statistic lies wholly on the wrong
    side of the level. Holds where all 95% intervals there lie on the right side, with at least one scale on each side:
    then, if the statistic depends continuously on the scale, it crosses between the two that are next to the interval.
    Scales at its very ends count as outside; with these, it crosses inside. Example::

        Threshold(low=lambda dim: 2 * dim, high=lambda dim: 3 * dim, level=0.5, statistic="frequency")

    Attributes
    ----------
    low, high : float or callable of the parameters
        Ends of the interval, as scales.
    level : float or callable of the parameters
    rising : bool
        The statistic is below the level before the crossing, and above it after.
    statistic : {"mean", "median", "frequency", "every"}
        "every": nothing is random, or each single replica is to be on its side.
    trials : int or callable of the parameters
        For a frequency: independent trials behind each replica.
    words : str
        What the threshold is.
    """

    low: float | Callable
    high: float | Callable
    level: float | Callable
    rising: bool = True
    statistic: str = "mean"
    trials: int | Callable = 1
    words: str = "threshold"

    least_scales = 2

    def __post_init__(self):
        one_of("statistic", self.statistic, ("mean", "median", "frequency", "every"))
        for name in ("low", "high", "level"):
            _check_number(name, getattr(self, name))
        if not callable(self.trials):
            at_least("trials", self.trials, 1)
        if not (callable(self.low) or callable(self.high)) and not self.low < self.high:
            raise ValueError(f"low must be below high, got [{self.low!r}, {self.high!r}]")

    def claimed(self, params):
        low, high, level = (value(end, params) for end in (self.low, self.high, self.level))
        words = f"{self.words} in [{low:.3g}, {high:.3g}]"
        return {"kind": "threshold", "exponent": None, "sense": "exact", "words": words, "low": low, "high": high,
                "level": level}  # fmt: skip

    def judge(self, evidence):
        """Evidence -> Judgement."""
        return judge_threshold(self, evidence)


def _check_number(name, number):
    """Of what may be a function, a number or None: if it is a number, a finite one."""
    if number is not None and not callable(number):
        in_range(name, number, -math.inf, math.inf, open_high=True)
