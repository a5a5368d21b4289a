"""One panel of a run's figures: measured points, the claimed line or curve, explicit bound, band or crossing, controls.

How it is put together is told in :mod:`chaosnum.report`, which places the panels of a figure.

What goes wrong: an explicit bound of 1e9 would flatten every curve, so a bound far above the points is not drawn but
named in the panel; a point whose interval reaches zero has no lower end on a logarithmic axis, and its bar runs out of
the frame.
"""

import math
from textwrap import fill

import numpy as np
import seaborn as sns

from chaosnum.words import bound_words, claimed_words, outcome, rate_words, towards_large

PALETTE = sns.color_palette("colorblind")
INK = "0.25"
VERDICT_COLOURS = {"holds": PALETTE[2], "caught": PALETTE[2], "inconclusive": "#8a6d00"}
CONTROL_MARKERS = "xP*dv"
BOUND_DRAWN = 300.0  # a bound more than this many times above the largest point is named, not drawn
SERIES = PALETTE[0]
CLAIMED = "0.78"
BAND = "0.88"
LETTERS_AN_INCH = 17.5  # of the small print
CONTROL = "0.5"


def draw(ax, words, verdict, controls, names):
    """One set of parameters: `verdict` with its controls, or controls alone when it is None."""
    for control in controls:
        x, y, weights = _points(ax, control, CONTROL, CONTROL_MARKERS[names.index(control["control"]) % 5], ":")
        if verdict is None:
            _claimed(ax, control, x, y, weights, CONTROL)
    states = [outcome(v) for v in ([verdict] if verdict else controls)]
    state = states[0] if len(set(states)) == 1 else f"{states.count('caught')} of {len(states)} caught"
    line = rate_words(verdict) if verdict else f"claimed {claimed_words(controls[0])}"
    inches = ax.get_position().width * ax.figure.get_figwidth()
    line = fill(line.replace("-", "−"), round(LETTERS_AN_INCH * inches), max_lines=2, placeholder=" …")
    pad = 16 if "\n" not in line else 25
    ax.set_title(words, loc="left", pad=pad)
    ax.set_title(state, loc="right", color=VERDICT_COLOURS.get(state, PALETTE[3]), weight="bold", pad=pad)
    small = {"fontsize": 7.5, "color": INK, "xycoords": "axes fraction", "textcoords": "offset points"}
    if verdict is None:
        _bound(ax, controls[0])
    else:
        x, y, weights = _points(ax, verdict, SERIES, "o", "none")
        _claimed(ax, verdict, x, y, weights, SERIES)
        _bound(ax, verdict)
        # A curve that falls to the right leaves the lower left corner free, a rising one the lower right.
        falls = len(y) < 2 or y[np.argmax(x)] <= y[np.argmin(x)]
        place = ((0, 0), (5, 5), "left") if falls else ((1, 0), (-5, 5), "right")
        ax.annotate(bound_words(verdict), place[0], xytext=place[1], ha=place[2], **small)
    ax.annotate(line, (0, 1), xytext=(0, 5), **small)


def _bound(ax, verdict):
    """The explicit bound as a dashed line."""
    pairs = bound_points(verdict)
    if len(pairs) == 1:  # a line needs some length to be seen
        (s, b), = pairs
        pairs = [(s / 1.12, b), (s * 1.12, b)]
    if pairs:
        ax.plot(*zip(*pairs), color=PALETTE[1], ls="--", lw=1.3, zorder=1)


def _points(ax, verdict, colour, marker, line):
    """Measured points with their intervals; returns the positive ones and their numbers of replicas."""
    shown = is_finite if is_linear([verdict]) else is_positive  # a logarithmic axis has no place for the others
    points = [p for p in verdict["points"] if shown(p["estimate"]) and is_positive(p["scale"])]
    x = np.array([p["scale"] for p in points], dtype=float)
    y = np.array([p["estimate"] for p in points], dtype=float)
    low = np.array([p["lo"] if shown(p["lo"]) else 1e-300 for p in points])
    high = np.array([p["hi"] if shown(p["hi"]) else p["estimate"] for p in points])
    bars = np.maximum([y - low, high - y], 0)
    ax.errorbar(
        x, y, yerr=bars, fmt=marker, color=colour, ls=line, ms=4.5, lw=1, elinewidth=1.1, capsize=2,
        zorder=3,
    )  # fmt: skip
    return x, y, np.array([p["replicas"] for p in points], dtype=float)


def _claimed(ax, verdict, x, y, weights, colour):
    """The claimed slope, touching the fitted line at the end where the claim allows most, and the fit."""
    claimed, measured = verdict["claimed"], verdict["measured"] or {}
    if claimed["kind"] == "law":  # the points are scales relative to the law's
        ax.axhline(1.0, color=CLAIMED, lw=3.2, zorder=1.5)
    if claimed["kind"] in ("curve", "value"):
        _curve(ax, verdict)
    if claimed["kind"] == "threshold":
        ax.axhline(claimed["level"], color=CLAIMED, lw=3.2, zorder=1.5)
        ax.axvspan(claimed["low"], claimed["high"], color=BAND, lw=0, zorder=1)
    exponent, slope = claimed.get("exponent"), measured.get("exponent")
    if exponent is None or slope is None or len(x) < 2:
        return
    order = np.argsort(x if towards_large(claimed) else -x)  # towards the end that the claim is about
    if claimed["kind"] == "bound":  # judged by the slope of the last points only
        order = order[-claimed.get("last", 3) :]
    x, y = x[order], y[order]
    level = np.average(np.log(y) - slope * np.log(x), weights=weights[order])  # as chaosnum.rates weighs them
    ends = np.array([x[0], x[-1]])
    fitted = np.exp(level) * ends**slope
    ax.plot(ends, fitted[0] * (ends / ends[0]) ** exponent, color=CLAIMED, lw=3.2, zorder=1.5)
    ax.plot(ends, fitted, color=colour, lw=1, zorder=2)


def _curve(ax, verdict):
    """The predicted curve, and the band that the points must lie in; an end that it does not have is left open."""
    shown = is_finite if is_linear([verdict]) else is_positive
    points = sorted(verdict["points"], key=lambda p: p["scale"])
    if pairs := [(p["scale"], p["predicted"]) for p in points if shown(p.get("predicted"))]:
        alone = {"marker": "_", "ms": 22, "mew": 3.2} if len(pairs) == 1 else {}
        ax.plot(*zip(*pairs), color=CLAIMED, lw=3.2, zorder=1.5, **alone)
    x, low, high = ([p.get(key) for p in points] for key in ("scale", "lower", "upper"))
    if len(points) == 1:  # a band needs some width to be seen
        x, low, high = [x[0] / 1.12, x[0] * 1.12], low * 2, high * 2
    for end in (low, high):
        if pairs := [(s, e) for s, e in zip(x, end) if shown(e)]:
            ax.plot(*zip(*pairs), color=BAND, lw=1, zorder=1.2)
    seen = [e for p in points for e in (p["estimate"], p.get("lower"), p.get("upper")) if shown(e)] or [1.0]
    open_low, open_high = min(seen) / 1e3, max(seen) * 1e3  # out of the frame
    if shown is is_finite:
        reach = 10 * (max(seen) - min(seen)) + abs(max(seen)) + abs(min(seen))
        open_low, open_high = min(seen) - reach, max(seen) + reach
    ax.fill_between(
        x, [e if shown(e) else open_low for e in low], [e if shown(e) else open_high for e in high],
        color=BAND, alpha=0.35, lw=0, zorder=1,
    )  # fmt: skip


def bound_points(verdict):
    """The explicit bound as (scale, value) pairs, or nothing when it lies too far above to be drawn."""
    pairs = [(p["scale"], p["bound"]) for p in verdict["points"] if is_positive(p["bound"])]
    top = max((p["estimate"] for p in verdict["points"] if is_positive(p["estimate"])), default=0.0)
    return pairs if pairs and min(b for _, b in pairs) <= BOUND_DRAWN * top else []


def is_finite(value):
    """Whether a linear axis has a place for it."""
    return value is not None and math.isfinite(value)


def is_positive(value):
    """Whether a logarithmic axis has a place for it."""
    return is_finite(value) and value > 0


def is_linear(verdicts):
    """Whether values, not rates, are shown that a logarithmic axis has no place for."""
    kinds = {v["claimed"]["kind"] for v in verdicts if v["claimed"].get("exponent") is None}
    values = [p["estimate"] for v in verdicts for p in v["points"] if is_finite(p["estimate"])]
    rates = any(v["claimed"].get("exponent") is not None for v in verdicts)
    return not rates and "law" not in kinds and any(value <= 0 for value in values)
