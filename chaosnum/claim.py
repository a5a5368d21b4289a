"""Claims, their negative controls, and the verdict on them; :mod:`chaosnum.registry` finds the installed ones.

Definition. A claim says how a statistic of a system behaves as the system's scale grows (particles
n) or shrinks (step eta). Its measure returns that statistic for one independent system, a pure
function of scale, seed and parameters; its prediction judges the replicas (:mod:`chaosnum.predict`
has the kinds of prediction and the rule). A negative control is the same experiment spoilt on
purpose: a check that cannot come out ``violated`` checks nothing.

    Claim("mean", "the mean of n normals", "folklore", scales=[100, 200, 400, 800],
          measure=lambda n, *, seed: abs(numpy.random.default_rng(seed).standard_normal(n).mean()),
          predicts=PowerLaw(-0.5, sense="exact"))

This file needs the standard library alone, so that listing claims is quick.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from itertools import product
from numbers import Real

from chaosnum.check import at_least, in_range, one_of
from chaosnum.jsonform import strict
from chaosnum.predict import ExplicitBound, LimitLaw, PowerLaw
from chaosnum.predict_curve import Bound, ExactValue, LimitCurve, Threshold
from chaosnum.registry import claims, find
from chaosnum.rule import FALSE_ALARM, LEVEL, Evidence, distinct_numbers, given, named
from chaosnum.words import ORIGINS

__all__ = ["Bound", "Claim", "Control", "ExactValue", "ExplicitBound", "LimitCurve", "LimitLaw", "PowerLaw",
           "Threshold", "Verdict", "claims", "find"]  # fmt: skip

BUDGETS = ("quick", "standard", "full")


@dataclass(frozen=True)
class Control:
    """An experiment spoilt on purpose, which must come out ``violated``.

    Attributes
    ----------
    name, statement : str
    measure : callable, optional
        Replaces the claim's measure.
    params : mapping
        Override what the measure is given; the prediction keeps the claim's parameters.
    applies : callable (**params) -> bool, optional
        The cases for which it is a control, e.g. ``lambda alpha: alpha < 2``; by default all.
    predicts : prediction or mapping, optional
        Replaces the claim's, e.g. by one on medians where the control has infinite variance.
    scales, replicas : optional
        Replace the claim's: a spoilt experiment is wrong by so much that it needs less effort.
    """

    name: str
    statement: str
    measure: Callable | None = None
    params: Mapping = field(default_factory=dict)
    applies: Callable | None = None
    predicts: object = None
    scales: object = None
    replicas: object = None

    def is_for(self, params):
        """Whether this is a control of the case with these parameters."""
        return self.applies is None or bool(given(self.applies, params)())


@dataclass(frozen=True, eq=False)
class Claim:
    """A statement about a statistic at growing scale, with everything needed to check it.

    Attributes
    ----------
    id, statement, source : str
    scale : str
        Name of the scale: "n", "eta".
    measure : callable (scale, *, seed, **params) -> float or dict of float
        One independent system. A dict holds one value for each statistic.
    predicts : prediction, or mapping {statistic: prediction}
    scales : sequence of numbers, or mapping {budget: sequence}
    replicas : int, mapping {budget: int}, or callable (scale, budget) -> int
    params : mapping
        A list or tuple is a grid; every combination is a case.
    domain : mapping {parameter: (low, high)} or {parameter: allowed strings}
        Open below, closed above.
    controls : sequence of Control
    asymptotic : {"large", "small"}, optional
        The end of the scales that the claim is about; by default small for a positive exponent,
        else large.
    name, model : str
    quantity : str
        What the measure returns, where it is a single float.
    ready : callable (scale, **params), optional
        Called for every scale of every case before anything runs; raises ValueError for what no
        measure could use, such as unreadable data.
    origin : {"", "stated", "derived", "recalled"}
        Where the statement is from: "stated" by the paper, "derived" here, or "recalled" and not
        checked against the text.
    qualified : str
        One line on how a verdict on this claim is to be read, where it is easily read too widely.
    """

    id: str
    statement: str
    source: str
    scale: str = "n"
    _: KW_ONLY
    measure: Callable
    predicts: object
    scales: object
    replicas: object = field(default_factory=lambda: {"quick": 32, "standard": 64, "full": 256})
    params: Mapping = field(default_factory=dict)
    domain: Mapping = field(default_factory=dict)
    controls: tuple = ()
    asymptotic: str | None = None
    name: str = ""
    model: str = ""
    quantity: str = "error"
    ready: Callable | None = None
    origin: str = ""
    qualified: str = ""

    def __post_init__(self):
        if not (isinstance(self.id, str) and self.id.strip()):
            raise ValueError(f"id must be a non-empty string, got {self.id!r}")
        if not callable(self.measure):
            raise ValueError(f"{self.id}: measure must be a function, got {self.measure!r}")
        if self.asymptotic is not None:
            one_of("asymptotic", self.asymptotic, ("large", "small"))
        one_of("origin", self.origin, ("", *ORIGINS))
        for owner in (self, *(c for c in self.controls if c.predicts is not None)):
            predictions = _by_statistic(owner.predicts, self.quantity)
            if not predictions:
                raise ValueError(f"{self.id}: predicts must hold one prediction at least, got none")
            for prediction in predictions.values():
                if not callable(getattr(prediction, "judge", None)):
                    raise ValueError(
                        f"{self.id}: predicts must be a prediction, got {prediction!r}"
                    )
        for budget in (isinstance(self.scales, Mapping) and self.scales) or (None,):
            self.scales_of(budget)
        _of_budget(self.replicas, None)
        names = [control.name for control in self.controls]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.id}: names of controls must differ, got {', '.join(names)}")
        unknown = set(self.domain) - set(self.params)
        if unknown:
            raise ValueError(
                f"{self.id}: domain must name parameters, got {', '.join(sorted(unknown))}"
            )
        self.cases()

    def scales_of(self, budget, control=None):
        """The scales of a budget, ascending; an absent budget takes the nearest cheaper one."""
        scales = self.scales if control is None or control.scales is None else control.scales
        least = max(p.least_scales for p in self.predictions(control).values())
        return tuple(sorted(distinct_numbers(f"{self.id}: scales", _of_budget(scales, budget), least)))

    def replicas_of(self, scale, budget, control=None):
        """Number of independent systems at a scale."""
        replicas = self.replicas if control is None or control.replicas is None else control.replicas
        count = replicas(scale, budget) if callable(replicas) else _of_budget(replicas, budget)
        return at_least(f"{self.id}: replicas", count, 2)

    def cases(self, params=None):
        """Every combination of the parameters, `params` replacing those of the claim."""
        grid = {**self.params, **{k: v for k, v in (params or {}).items() if k in self.params}}
        # A value given twice is one case, and a whole number where the claim has floats is that float: 2 is 2.0.
        grid = {k: _distinct(k, [_like(self.params[k], x) for x in _listed(v)]) for k, v in grid.items()}
        for name, values in grid.items():
            if not values:
                raise ValueError(f"{name} must have at least one value, got none")
            for value in values:
                self._check_param(name, value)
        return [dict(zip(grid, values)) for values in product(*grid.values())]

    def predictions(self, control=None):
        """{statistic: prediction}."""
        own = (
            control.predicts
            if control is not None and control.predicts is not None
            else self.predicts
        )
        return _by_statistic(own, self.quantity)

    def judge(
        self, statistic, scales, samples, *, params, control=None, family=1 - FALSE_ALARM, level=LEVEL
    ):  # fmt: skip
        """The verdict on one statistic of one case.

        Parameters
        ----------
        statistic : str, a key of :meth:`predictions`
        scales : sequence of J numbers
        samples : list of J ndarray, float64, shapes (R_j,)
        params : mapping, the case
        control : Control, optional
        family : float, family-wise level
        level : float, that of the interval shown

        Returns
        -------
        Verdict
        """
        prediction = self.predictions(control)[statistic]
        asymptotic = self.asymptotic
        if asymptotic is None:
            asymptotic = "small" if (prediction.claimed(params)["exponent"] or 0) > 0 else "large"
        evidence = Evidence(tuple(scales), samples, params, self.scale, asymptotic, family, level)
        judgement = prediction.judge(evidence)
        return Verdict(
            claim=self.id, name=self.name, model=self.model, params=dict(params), scale=self.scale,
            statistic=named(prediction, statistic),
            control=None if control is None else control.name,
            origin=self.origin, qualified=" ".join(self.qualified.split()),
            **{f.name: getattr(judgement, f.name) for f in fields(judgement)},
        )  # fmt: skip

    def _check_param(self, name, value):
        if isinstance(value, Real) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value!r}")
        allowed = self.domain.get(name)
        if allowed is None:
            return
        if any(isinstance(a, str) for a in allowed):
            one_of(name, value, allowed)
        else:
            in_range(name, value, *allowed, open_high=allowed[1] == math.inf)


@dataclass(frozen=True)
class Verdict:
    """What was claimed, what was measured, whether the claim stands, and how many times the replicas it still needs."""

    claim: str
    name: str
    model: str
    params: dict
    statistic: str
    scale: str
    claimed: dict
    measured: dict
    bound: dict | None
    verdict: str
    sharp: bool | None
    reason: str
    control: str | None
    points: list
    origin: str = ""
    qualified: str = ""
    needs: float | None = None
    fit: object = field(default=None, repr=False, compare=False)

    def as_dict(self):
        """One element of "verdicts" in the JSON; a number that is not finite becomes null."""
        return {f.name: strict(getattr(self, f.name)) for f in fields(self) if f.name != "fit"}


def _by_statistic(predicts, quantity):
    return dict(predicts) if isinstance(predicts, Mapping) else {quantity: predicts}


def _distinct(name, values):
    """Each value once, in order."""
    try:
        return tuple(dict.fromkeys(values))
    except TypeError:
        raise ValueError(f"{name} must be a number, a string or a list of these, got {values!r}") from None


def _listed(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _like(model, value):
    """The value, as a float where all values of the model are floats."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and all(isinstance(x, float) for x in _listed(model)) else value


def _of_budget(values, budget):
    """The entry of a budget, else of the nearest cheaper one, else of the cheapest there is."""
    if not isinstance(values, Mapping):
        return values
    for key in values:
        one_of("budget", key, BUDGETS)
    have = [b for b in BUDGETS if b in values]
    if not have:
        raise ValueError(f"budget must be one of {', '.join(BUDGETS)}, got none")
    cheaper = [b for b in have if budget is not None and BUDGETS.index(b) <= BUDGETS.index(budget)]
    return values[cheaper[-1] if cheaper else have[0]]
