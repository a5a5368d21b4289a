"""Predictions of rates and laws, and what every kind of prediction is made of.

A prediction has `claimed(params)`, its JSON, and `judge(evidence)`, which returns a Judgement;
`statistic` names what it takes of the replicas and `least_scales` the scales it needs. A new kind
is one more class, here or beside the predictions of values (:mod:`chaosnum.predict_curve`).

This file needs the standard library alone: NumPy and SciPy are imported when a verdict is made.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from chaosnum import need
from chaosnum.check import at_least, in_range, one_of, positive
from chaosnum.judge_rate import judge_rate
from chaosnum.rule import Judgement, given, more_replicas, point, value


@dataclass(frozen=True)
class PowerLaw:
    """`statistic ~ scale^exponent`, as an upper bound or exactly.

    Attributes
    ----------
    exponent : float or callable of the parameters, e.g. ``lambda alpha: 1 / alpha``
    sense : {"upper", "exact"}
    bound, trivial : callable (scale, **params) -> float, optional
        Explicit bound of the statistic, and what bounds it anyway: no smaller, and the bound is
        vacuous.
    margin : float or callable of the parameters
        Tolerance on the exponent.
    floor : callable (scale, **params) -> float, optional
        Error of the reference that the statistic is measured against. Where it exceeds a tenth of
        the estimate, the verdict is inconclusive.
    statistic : {"mean", "median"}
        Over the replicas. Medians where the variance is infinite.
    tail : float or callable of the parameters, optional
        Tail index of the replicas where it is known; a mean needs more than 2.
    """

    exponent: float | Callable
    sense: str = "upper"
    bound: Callable | None = None
    trivial: Callable | None = None
    margin: float | Callable = 0.03
    floor: Callable | None = None
    statistic: str = "mean"
    tail: float | Callable | None = None

    least_scales = 3

    def __post_init__(self):
        _check_rate(self)

    def claimed(self, params):
        return {"kind": "power", "exponent": _exponent(self, params), "sense": self.sense}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        return judge_rate(self, evidence)


@dataclass(frozen=True)
class ExplicitBound:
    """`statistic <= bound(scale)` at every scale, and the claimed slope only at the asymptotic end.

    For a statistic that approaches its power law slowly, such as a maximum over particles.
    `exponent`, if given, is an upper bound on the rate and compared with the slope through the
    `last` scales (3 or more, and fewer than there are). The other attributes are those of :class:`PowerLaw`.
    """

    bound: Callable
    exponent: float | Callable | None = None
    trivial: Callable | None = None
    margin: float | Callable = 0.1
    floor: Callable | None = None
    last: int = 3
    statistic: str = "mean"
    tail: float | Callable | None = None

    sense = "upper"

    def __post_init__(self):
        _check_rate(self)
        at_least("last", self.last, 3)

    @property
    def least_scales(self):
        """With fewer, the slope through the last three scales would be that through all of them."""
        return 3 if self.exponent is None else 4

    def claimed(self, params):
        exponent = None if self.exponent is None else _exponent(self, params)
        claimed = {"kind": "bound", "exponent": exponent, "sense": "upper"}
        return claimed if self.exponent is not None else {**claimed, "words": "≤ explicit bound"}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        return judge_rate(self, evidence, last=min(self.last, max(3, len(evidence.scales) - 1)))


@dataclass(frozen=True)
class LimitLaw:
    """`statistic / unit(scale)` has the law with characteristic function `cf`; no moment is needed.

    Violated where Bernstein's inequality excludes the law at the family-wise level, at one scale or
    for all replicas together. Holds where no chi-square test rejects it (0.01 in all) and the
    sample's scale is the law's within the margin, by a 95% interval. See :mod:`chaosnum.lawfit`.

    Attributes
    ----------
    cf : callable (frequency, **params) -> float or complex
    unit : callable (scale, **params) -> float, optional
    frequencies : tuple of float
        Where the modulus of `cf` lies between about 0.1 and 0.8.
    even : bool
        The measure returns the magnitude of a symmetric variable: cosines only.
    last : int, optional
        Judge only the last scales before the asymptotic end; by default all, for a law exact at
        every scale.
    margin : float
        On the logarithm of the ratio of scales.
    words : str
        The law's name.
    """

    cf: Callable
    unit: Callable | None = None
    frequencies: tuple = (0.5, 1.5)
    even: bool = False
    last: int | None = None
    margin: float = 0.2
    words: str = "the stated law"

    statistic = "law"
    least_scales = 1

    def __post_init__(self):
        positive("margin", self.margin)
        if self.last is not None:
            at_least("last", self.last, 1)

    def claimed(self, params):
        return {"kind": "law", "exponent": None, "sense": "exact", "words": self.words}

    def judge(self, evidence):
        """Evidence -> Judgement."""
        import numpy as np

        from chaosnum.lawfit import fit_law

        cf = given(self.cf, evidence.params)
        unit = given(self.unit or (lambda scale: 1.0), evidence.params)

        def against(x):
            return fit_law(x, cf, frequencies=self.frequencies, even=self.even, level=evidence.level)

        scaled = {s: np.asarray(x) / unit(s) for s, x in zip(evidence.scales, evidence.samples)}
        ordered = sorted(scaled, reverse=evidence.asymptotic == "small")
        judged = ordered[-self.last :] if self.last else ordered
        each = {s: against(scaled[s]) for s in ordered}
        whole = against(np.concatenate([scaled[s] for s in judged]))
        tests = len(judged) + 1
        sure = tests * min(whole.sure, *(each[s].sure for s in judged))
        p = min(1.0, tests * min(whole.p, *(each[s].p for s in judged)))
        low, high = (math.log(end) for end in whole.ci)
        ends = f"[{whole.ci[0]:.3g}, {whole.ci[1]:.3g}]"
        found = f"scale {whole.ratio:.3g} {ends} of the law's, p = {p:.2g}"
        needs, most = None, tests * 2 * (1 if self.even else 2) * len(set(self.frequencies))  # Bernstein's, at R = 0
        if sure < 1 - evidence.family:
            verdict, reason = "violated", f"{found}: not this law"
        elif p < 0.01:
            verdict, reason = "inconclusive", f"{found}: doubtful, more replicas would settle it"
            needs = need.doubted(1 - evidence.family, sure, most)
        elif -self.margin <= low and high <= self.margin:
            verdict, reason = "holds", f"{found}: nothing speaks against the law"
        else:
            spare = self.margin - abs(math.log(whole.ratio))
            verdict, reason = "inconclusive", f"{found}: {more_replicas((high - low) / 2, spare)}"
            needs = need.times((high - low) / 2, spare) if spare > 0 else need.doubted(1 - evidence.family, sure, most)
        points = [
            point(s, each[s].ratio, *each[s].ci, None, len(scaled[s])) for s in sorted(scaled)
        ]
        measured = {"exponent": None, "ci": None, "local": []}
        measured |= {"p": p, "ratio": whole.ratio, "ratio_ci": whole.ci}
        claimed = self.claimed(evidence.params)
        return Judgement(verdict, None, reason, claimed, measured, None, points, whole, needs)


def _exponent(prediction, params):
    return in_range("exponent", value(prediction.exponent, params), -math.inf, math.inf, open_high=True)


def _check_rate(prediction):
    one_of("sense", prediction.sense, ("upper", "exact"))
    one_of("statistic", prediction.statistic, ("mean", "median"))
    if not callable(prediction.margin):
        positive("margin", prediction.margin)
    exponent = prediction.exponent
    if not (exponent is None or callable(exponent)):
        in_range("exponent", exponent, -math.inf, math.inf, open_high=True)
