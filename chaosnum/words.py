"""How numbers and verdicts are put into words, the same in the table, the figures and the page.

A verdict is a dictionary in the JSON form that ``chaosnum verify --json`` prints.
"""

import math
import re
from collections import Counter

# Where a claim's statement comes from: what each tag of a claim says.
ORIGINS = {
    "stated": "stated by the paper",
    "derived": "derived here",
    "recalled": "recalled, not checked against the text",
}
SYMBOLS = {
    "alpha": "α", "sigma": "σ", "eta": "η", "kappa": "κ", "lambda": "λ", "lam": "λ", "chi": "χ", "theta": "θ",
    "eps": "ε", "delta": "δ", "gamma": "γ", "tau": "τ", "beta": "β", "rho": "ρ",
}  # fmt: skip


def provenance(origin, source):
    """A claim's tag and its source: ``stated by the paper; Galanti et al., arXiv 2206.05794``."""
    tag = "" if source.startswith(origin or " ") else ORIGINS.get(origin)  # "derived, in chaosnum/x.py" says it itself
    return "; ".join(filter(None, [tag, source]))


def symbol(name):
    """The Greek letter of a parameter that has one."""
    return SYMBOLS.get(name, name)


def number(value, digits=3):
    """A number to `digits` significant digits, short: 0.0312, 12800, 1.2e+09; a dash for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, (bool, str)):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e7:
        return str(int(value))
    if 10**digits <= abs(value) < 1e5:
        return f"{value:.0f}"
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def power_words(value):
    """A power of ten as a tick label, 10⁻³; other values as they are, 0.05."""
    exponent = math.log10(value)
    if abs(exponent - round(exponent)) > 1e-9 or -2.5 < exponent < 3.5:
        return f"{value:.3g}"
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def scale_words(value):
    """A scale as a tick label: 12800, a million as 1e6, 0.0078125 as 1/128."""
    inverse = 1 / value
    if value < 1 and abs(inverse - round(inverse)) < 1e-9 * inverse:
        return f"1/{round(inverse)}"
    if value >= 1e5:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def param_words(params):
    """``alpha = 1.5, K = 1`` with Greek letters."""
    return ", ".join(f"{symbol(name)} = {number(value, 4)}" for name, value in params.items())


def fold(rows):
    """Split parameter sets into what tells them apart and what they share.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    list of str, what is particular to each row, in words; and dict, what all rows share
    """
    keys = list(dict.fromkeys(key for row in rows for key in row))
    missing = object()
    shared = {}
    for key in keys:
        values = [row.get(key, missing) for row in rows]
        if len(rows) > 1 and key != "alpha" and all(v == values[0] for v in values):
            shared[key] = values[0]
    if len(rows) == 1:
        shared = {k: v for k, v in rows[0].items() if k != "alpha"}
    return [param_words({k: v for k, v in row.items() if k not in shared}) for row in rows], shared


def interval(ci):
    """``[-0.52, -0.49]``."""
    if not ci or all(end is None for end in ci):
        return ""
    low, high = ("–" if end is None or not math.isfinite(end) else f"{end:.3f}" for end in ci)
    return f"[{low}, {high}]"


def claimed_words(verdict):
    """``≤ -0.5`` for an upper bound in a growing scale, ``≥ 0.667`` in a shrinking one, ``= -0.5`` if exact."""
    claimed = verdict["claimed"]
    exponent = claimed.get("exponent")
    if exponent is None:
        return claimed.get("words") or claimed.get("kind", "")
    if claimed.get("sense") == "exact":
        relation = "="
    else:  # an error that shrinks with the scale may shrink faster
        relation = "≤" if towards_large(claimed) else "≥"
    return f"{relation} {number(exponent)}"


def towards_large(claimed):
    """Whether the claim is about large scales; the JSON says so only where the exponent's sign does not."""
    return claimed.get("asymptotic", "large" if claimed["exponent"] <= 0 else "small") == "large"


def measured_words(verdict):
    """``-0.503 [-0.520, -0.490]``; for a law or a curve the ratio of what was measured to it."""
    measured = verdict["measured"] or {}
    if measured.get("exponent") is not None:
        return f"{measured['exponent']:.3f} {interval(measured.get('ci'))}".strip()
    if measured.get("ratio") is not None:
        low, high = measured.get("ratio_ci") or (None, None)
        if low is not None and low == high:  # nothing random
            return f"ratio {measured['ratio']:{'.9g' if abs(measured['ratio'] - 1) < 1e-3 else '.4g'}}"
        return f"ratio {measured['ratio']:.3f} {interval((low, high))}".strip()
    if "crossing" in measured:
        at = measured["crossing"]
        return "no crossing" if at is None else f"crosses at {symbol(verdict['scale'])} = {number(at)}"
    if measured.get("estimate") is not None:
        ends = measured.get("estimate_ci") or (None, None)
        where = f" at {symbol(verdict['scale'])} = {scale_words(measured['at'])}" if len(verdict["points"]) > 1 else ""
        spread = f" [{number(ends[0])}, {number(ends[1])}]" if ends[0] != ends[1] else ""
        return f"{number(measured['estimate'])}{spread}{where}"
    return "–"


def rate_words(verdict):
    """One line on what was measured and claimed, for a figure."""
    measured, claimed = measured_words(verdict), claimed_words(verdict)
    if verdict["claimed"].get("exponent") is None:
        return f"{measured}, claimed {claimed}" if measured != "–" else claimed
    where = "last slope" if verdict["claimed"]["kind"] == "bound" else "slope"
    return f"{where} {measured}, claimed {claimed}"


def bound_words(verdict):
    """``bound 7.4 × above`` when an explicit bound holds, ``above the bound`` when not."""
    bound = verdict.get("bound")
    if not bound:
        return ""
    if bound.get("vacuous"):
        return "bound vacuous"
    slack = bound.get("slack")
    if not bound["holds"]:
        return "above the bound"
    return f"bound {slack_words(slack)} times above" if slack else "bound holds"


def slack_words(slack):
    """How many times a bound lies above what was measured, with a digit more where it is close."""
    return number(slack, 3 if slack < 1.95 else 2)


def outcome(verdict):
    """The verdict as shown: a control that comes out violated is ``caught``, any other control ``missed``."""
    if verdict["control"] is None:
        return verdict["verdict"]
    return "caught" if verdict["verdict"] == "violated" else "missed"


def outside(params):
    """What takes these parameters outside the theorem's assumptions, or nothing."""
    kinds = [words for words, found in (
        ("ReLU unit", params.get("unit") == "relu"), ("square loss", params.get("loss") == "square"),
    ) if found]  # fmt: skip
    return f"{' and '.join(kinds)}: outside the assumptions" if kinds else ""


def slug(*parts):
    """A file name from words: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def tally(verdicts):
    """``12 hold, 1 inconclusive, none violated; controls: 8 of 8 caught``."""
    return counted(Counter(outcome(v) for v in verdicts))


def counted(outcomes):
    """The same from the number of verdicts by their outcome."""
    of_claims = [outcomes.get(word, 0) for word in ("holds", "inconclusive", "violated")]
    caught, missed = outcomes.get("caught", 0), outcomes.get("missed", 0)
    parts = []
    if any(of_claims):
        holds, inconclusive, violated = (count or "none" for count in of_claims)
        parts.append(f"{holds} hold, {inconclusive} inconclusive, {violated} violated")
    if caught or missed:
        parts.append(f"controls: {caught} of {caught + missed} caught")
    return "; ".join(parts) or "no verdict"


def duration(seconds):
    """``140 s``, ``12 min``, ``3.5 h``, ``6.2 days``."""
    if seconds < 180:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"
