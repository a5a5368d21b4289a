"""Proofs taken step by step: every inequality with its two sides measured.

Definition. A proof is a chain of inequalities, left <= right. One simulation measures all the left sides, and those
right sides that are random; the others are computed from the constants. The slack of a step is right / left: where
it is large, the proof gives away the most.

Convention. A *pathwise* step must hold for every particle, time and system, up to the rounding of the floats: shown
is where it is tightest. A step *in the mean* carries a standard error: it ``holds`` if four of them fit below the
right side, is ``VIOLATED`` if four of them do not bring it down there, and ``open`` between.
A *spoilt* proof runs the same steps on an experiment without one of the hypotheses: the step that needs it breaks.

What goes wrong. A mean of a quantity without a variance has no standard error: such a step takes medians, or cancels
the heavy part first. (A spoilt proof may leave heavy tails in its last steps: there the error is only a figure.)
A right side that is no smaller than what holds anyway says nothing: it is marked ``vacuous``.

This file needs the standard library alone, until a proof is run.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chaosnum.check import at_least, in_range, one_of
from chaosnum.jsonform import strict

__all__ = ["Proof", "Sides", "Spoilt", "Step", "Tightest", "find", "of_mean", "of_median", "proofs", "run"]

ENTRY_POINTS = "chaosnum.proofs"
ERRORS = 4.0  # standard errors: two sides, 6e-5
HOLDS, OPEN, VIOLATED = "holds", "open", "VIOLATED"


@dataclass(frozen=True)
class Sides:
    """The two sides of a step as found; `error` is the left side's standard error, `rounding` that of the floats."""

    left: float
    right: float
    error: float = 0.0
    rounding: float = 0.0
    vacuous: bool = False
    note: str = ""

    @property
    def slack(self):
        """right / left."""
        return self.right / self.left if self.left > 0.0 else math.inf

    @property
    def verdict(self):
        """``holds``, ``open`` or ``VIOLATED``; a side that is NaN holds nothing."""
        top = self.right + self.rounding
        if self.left + ERRORS * self.error <= top:
            return HOLDS
        return OPEN if self.left - ERRORS * self.error <= top else VIOLATED


@dataclass(frozen=True)
class Step:
    """One inequality of a proof.

    Attributes
    ----------
    number : str
        That of the proof's own numbering; "2a", "2b" where one step has several inequalities.
    words, formula : str
    how : str
        What the left side is, in a few words: "mean over systems".
    sides : callable (found) -> Sides
        From what the proof's `measure` returned.
    """

    number: str
    words: str
    formula: str
    how: str
    sides: Callable


@dataclass(frozen=True)
class Spoilt:
    """A proof's experiment without one of its hypotheses, and the number of the step that breaks without it."""

    name: str
    statement: str
    breaks: str
    applies: Callable = field(default=lambda alpha: True)


@dataclass(frozen=True, eq=False)
class Proof:
    """A theorem's proof on one model.

    Attributes
    ----------
    id, name, model, theorem, source : str
    measure : callable (*, seed, control, **params) -> found
        One simulation, from which every step reads its sides.
    steps : sequence of Step
    params : mapping
        One value each; `alpha` is among them.
    constants : callable (**params) -> Constants
    controls : sequence of Spoilt
    """

    id: str
    name: str
    model: str
    theorem: str
    source: str
    measure: Callable
    steps: tuple
    params: Mapping
    constants: Callable
    controls: tuple = ()

    def control(self, name):
        """The control of that name, or None."""
        return next((c for c in self.controls if c.name == name), None)


class Tightest:
    """Where a pathwise inequality is tightest, over all calls of `add`."""

    def __init__(self):
        self._ratio, self._at = -1.0, (0.0, 0.0, 0.0)

    def add(self, left, right, rounding=0.0):
        """Arrays of both sides, broadcast; what is within `rounding` of zero is zero."""
        import numpy as np

        left, right, rounding = np.broadcast_arrays(left, right, rounding)
        excess = np.maximum(left - rounding, 0.0)
        ratio = np.full(left.shape, np.inf)
        np.divide(excess, right, out=ratio, where=right > 0.0)
        ratio[excess == 0.0] = 0.0
        ratio[np.isnan(left) | np.isnan(right)] = np.inf
        i = int(np.argmax(ratio))
        if ratio.flat[i] > self._ratio:
            self._ratio, self._at = float(ratio.flat[i]), (left.flat[i], right.flat[i], rounding.flat[i])

    def sides(self):
        """Sides at that place."""
        left, right, rounding = (float(x) for x in self._at)
        return Sides(left, right, rounding=rounding)


def of_mean(samples, right, **more):
    """Sides whose left is the mean of independent `samples`, (R,)."""
    import numpy as np

    samples = np.asarray(samples, dtype=np.float64)
    error = samples.std(ddof=1) / samples.size**0.5
    return Sides(float(samples.mean()), float(right), error=float(error), **more)


def of_median(samples, right, **more):
    """Sides whose left is the median of independent `samples`, (R,); its error from the order statistics."""
    import numpy as np

    samples = np.sort(np.asarray(samples, dtype=np.float64))
    centre, reach = samples.size / 2.0, samples.size**0.5 / 2.0  # one standard deviation of Binomial(R, 1/2)
    low, high = max(0, math.floor(centre - reach)), min(samples.size - 1, math.ceil(centre + reach) - 1)
    error = float(samples[high] - samples[low]) / 2.0
    return Sides(float(np.median(samples)), float(right), error=error, **more)


def proofs():
    """Every proof of the installed packages: entry points of the group ``chaosnum.proofs``."""
    from chaosnum.registry import installed

    return installed(ENTRY_POINTS, Proof, "proofs")


def find(id, *, model=None, control=None, alpha=None, among=None):
    """The proofs of an id or name, one for each model it is carried out on.

    Raises
    ------
    ValueError
        An id, a model or a control that is not known, or alpha outside (1, 2]; the line names what is.
    """
    known = proofs() if among is None else list(among)
    if alpha is not None:
        in_range("alpha", alpha, 1.0, 2.0)
    wanted = str(id).lower()
    chosen = [p for p in known if wanted in (p.id.lower(), p.name.lower())]
    if not chosen:
        listed = ", ".join(dict.fromkeys(p.id for p in known)) or "(none installed)"
        raise ValueError(f"proof must be one of {listed}, got {id!r}")
    if model is not None:
        one_of("model", str(model).lower(), [p.model for p in chosen])
        chosen = [p for p in chosen if p.model == str(model).lower()]
    if control is not None:
        one_of("control", control, list(dict.fromkeys(c.name for p in chosen for c in p.controls)))
        chosen = [p for p in chosen if p.control(control)]
        for p in chosen:
            at = p.params["alpha"] if alpha is None else alpha
            if not p.control(control).applies(at):
                raise ValueError(f"control {control} spoils nothing at alpha = {at:g}: choose another alpha")
    return chosen


def run(proof, *, alpha=None, control=None, seed=1):
    """Carry out a proof.

    Parameters
    ----------
    proof : Proof
    alpha : float, optional
        Tail index in (1, 2] in place of the proof's own.
    control : str, optional
        Spoil the experiment.
    seed : int

    Returns
    -------
    dict
        What ``chaosnum proof --json`` prints of it.
    """
    params = dict(proof.params)
    if alpha is not None:
        params["alpha"] = in_range("alpha", alpha, 1.0, 2.0)
    found = proof.measure(seed=at_least("seed", seed, 0), control=control, **params)
    constants = proof.constants(**params)
    spoilt = proof.control(control)
    return {
        "proof": proof.id, "name": proof.name, "model": proof.model, "theorem": proof.theorem, "source": proof.source,
        "params": params, "seed": seed,
        "control": None if spoilt is None else {
            "name": spoilt.name, "statement": spoilt.statement, "breaks": spoilt.breaks,
        },
        "steps": [_told(step, step.sides(found)) for step in proof.steps],
        "constants": {name: strict(getattr(constants, name)) for name in ("A", "D", "a", "d1", "d0", "sup_b")},
        "outside": constants.reason,
    }  # fmt: skip


def _told(step, sides):
    """One element of "steps" in the JSON."""
    return {
        "number": step.number, "words": step.words, "formula": step.formula, "how": step.how,
        "left": strict(sides.left), "error": strict(sides.error) or None, "right": strict(sides.right),
        "slack": strict(sides.slack), "verdict": sides.verdict, "vacuous": sides.vacuous, "note": sides.note,
    }  # fmt: skip
