"""Figures of a run: claimed line, measured points with intervals, explicit bound, verdict in words.

The one file that imports Matplotlib; a panel is drawn in :mod:`chaosnum.panel`. Computing is apart from drawing: the
functions here take verdicts as dictionaries in the JSON form that ``chaosnum verify --json`` prints, so a picture can
be drawn again from the files of a run.

How to read a panel. Both axes are logarithmic, so a power law is a straight line; values that a logarithmic axis has no
place for get a linear one. The grey *claimed* line has the claimed slope and touches the measured curve at the end
where the claim allows most (the smallest n, the largest eta): a claim "at least this fast" holds when the points stay
at or below it. A dashed line is an explicit bound, which no point's interval may lie above. Where a curve or a value is
claimed, the grey line is it, and the points' intervals must lie in the shaded band. A threshold is a grey level, to be
crossed within the shaded scales. Crosses are negative controls: experiments spoilt on purpose, which must leave what is
claimed.
"""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import ticker

from chaosnum import panel
from chaosnum.panel import (
    BAND,
    CLAIMED,
    CONTROL,
    CONTROL_MARKERS,
    INK,
    PALETTE,
    SERIES,
    bound_points,
    is_finite,
    is_linear,
    is_positive,
)
from chaosnum.words import fold, outside, param_words, power_words, scale_words, slug, symbol

DPI = 150
LONGEST_TICK = 6  # letters beside an axis before they meet its label
_LEVELS = ("curve", "value", "threshold")  # kinds of claims about values, which need not fall or rise
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.linewidth": 0.8,
    "grid.linewidth": 0.5,
    "xtick.bottom": True,
    "ytick.left": True,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "pdf.fonttype": 42,  # TrueType, as journals ask
    "axes.titley": 1.0,  # given, so that no search for a free place slows the drawing
}


def groups(verdicts):
    """Verdicts that share a figure: those of one claim, model and statistic, in the order given.

    Parameters
    ----------
    verdicts : iterable of dict, the verdicts of a run in JSON form

    Returns
    -------
    dict from the figure's file name (without suffix) to its verdicts
    """
    found = {}
    for verdict in verdicts:
        key = (verdict["claim"], verdict["name"], verdict["model"] or "", verdict["statistic"])
        found.setdefault(key, []).append(verdict)
    return {slug(*dict.fromkeys(filter(None, key))): group for key, group in found.items()}


def draw(verdicts):
    """One figure for a group of :func:`groups`: a panel for each set of parameters, controls as crosses.

    Parameters
    ----------
    verdicts : list of dict, one claim, model and statistic

    Returns
    -------
    matplotlib.figure.Figure
    """
    claims = [v for v in verdicts if v["control"] is None]
    controls = [v for v in verdicts if v["control"] is not None]
    heads = claims or list({str(v["params"]): v for v in controls}.values())  # a run of controls alone
    shown, fixed = fold([v["params"] for v in heads])
    panels = [(words, head if claims else None, _beside(head, controls)) for words, head in zip(shown, heads)]
    names = list(dict.fromkeys(v["control"] for v in controls))
    entries = _entries(claims, controls)
    with sns.axes_style("whitegrid", rc=STYLE), plt.rc_context(STYLE):
        figure, axes = _grid(len(panels), -(-len(entries) // 2))
        for ax, (words, verdict, beside) in zip(axes, panels):
            panel.draw(ax, words, verdict, beside, names)
        power = _frame(axes, verdicts)
        _head(figure, verdicts[0], fixed, power)
        figure.legend(
            *zip(*entries), loc="lower center", ncols=min(2, len(entries)), frameon=False,
            bbox_to_anchor=(0.5, 0.0), borderaxespad=0.3, columnspacing=1.4, handlelength=2.2,
        )  # fmt: skip
    return figure


def save(figure, stem, *, suffixes=(".png", ".pdf")):
    """Write the figure as `stem`.png and `stem`.pdf and close it -> list of Path."""
    paths = []
    for suffix in suffixes:
        path = Path(f"{stem}{suffix}")
        partial = path.with_name(f".{path.name}.partial")
        meta = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
        packed = {} if suffix == ".pdf" else {"pil_kwargs": {"compress_level": 3}}  # 6 takes a tenth of the drawing
        figure.savefig(partial, format=suffix[1:], dpi=DPI, metadata=meta, **packed)
        partial.replace(path)
        paths.append(path)
    plt.close(figure)
    return paths


def write_figures(path, verdicts, *, suffixes=(".png", ".pdf")):
    """Draw the figures of a run into its folder -> list of file names.

    Parameters
    ----------
    path : str or Path, the folder
    verdicts : list of dict, JSON form
    """
    names = []
    for stem, group in groups(verdicts).items():
        names.extend(p.name for p in save(draw(group), Path(path) / stem, suffixes=suffixes))
    return names


def _beside(verdict, controls):
    """The controls that belong in this verdict's panel: the same parameters where both have them."""
    own = verdict["params"]
    return [
        c for c in controls if all(c["params"][k] == own[k] for k in own.keys() & c["params"].keys())
    ]


def _grid(count, legend_rows):
    """Axes for `count` panels, laid out in inches: nothing overlaps, and no layout engine has to search."""
    columns = 1 if count == 1 else 2 if count <= 4 else 3
    rows = -(-count // columns)
    left, right, bottom, top = 0.72, 0.12, 0.55 + 0.18 * legend_rows, 0.95
    panel_width, panel_height, gap_x, gap_y = (4.2 if columns == 1 else 3.0), 2.05, 0.22, 0.58
    width = left + right + columns * panel_width + (columns - 1) * gap_x
    height = bottom + top + rows * panel_height + (rows - 1) * gap_y
    figure, axes = plt.subplots(
        rows, columns, squeeze=False, sharex=True, sharey=True, figsize=(width, height)
    )
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height,
        wspace=gap_x / panel_width, hspace=gap_y / panel_height,
    )  # fmt: skip
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.remove()
    for ax in flat[max(count - columns, 0) : count]:
        ax.xaxis.set_tick_params(labelbottom=True)
    return figure, flat[:count]


def _frame(axes, verdicts):
    """Logarithmic axes but for a level, ticks at the scales themselves, and a frame set by estimates, not whiskers.

    Returns the power of ten that the numbers beside the y axis are to be multiplied with.
    """
    scales = sorted({p["scale"] for v in verdicts for p in v["points"] if is_positive(p["scale"])})
    linear = is_linear(verdicts)
    shown = is_finite if linear else is_positive
    values = [p["estimate"] for v in verdicts for p in v["points"] if shown(p["estimate"])]
    for line in (line for ax in axes for line in ax.lines):
        values.extend(v for v in np.asarray(line.get_ydata(), dtype=float) if shown(v))
    for ax in axes:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.minorticks_off()
    ax = axes[0]
    if scales:
        keep = scales[:: max(1, -(-len(scales) // 5))]
        ax.xaxis.set_major_locator(ticker.FixedLocator(keep))
        ax.xaxis.set_major_formatter(ticker.FixedFormatter([scale_words(s) for s in keep]))
        ax.set_xlim(scales[0] / 1.25, scales[-1] * 1.25)
    values = [v for v in values if linear or v > 1e-290] or [1.0]  # without any point an empty frame
    span = 0.0 if linear else math.log10(max(values) / min(values))
    if linear or (span < 0.4 and all(v["claimed"]["kind"] in _LEVELS for v in verdicts)):  # nothing falls: a level
        ends = [p[end] for v in verdicts for p in v["points"] for end in ("lo", "hi") if shown(p[end])]
        low, high = min(values + ends), max(values + ends)
        for other in axes:
            other.set_yscale("linear")
            other.minorticks_off()
        ax.yaxis.set_major_locator(ticker.MaxNLocator(5))
        room = 0.2 * (high - low) if high - low > 1e-3 * abs(high) else 0.1 * abs(high) or 1.0
        ax.set_ylim(low - room, high + room)
        return _number_ticks(ax)
    if span < 1.6:
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if span > 0.5 else (1, 1.5, 2, 3, 5, 7)))
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:.3g}"))
    else:
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: power_words(v)))
    ax.set_ylim(min(values) / 1.6, max(values) * 1.6)
    return 0


def _number_ticks(ax):
    """Plain numbers at the ticks of a linear axis, where they are long over a power of ten -> its exponent."""
    ends = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_major_locator()() if ends[0] <= tick <= ends[1]]
    power = 0
    if max(len(f"{tick:.6g}") for tick in ticks or [0.0]) > LONGEST_TICK:
        power = math.floor(math.log10(max(map(abs, ticks))))
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v / 10.0**power:.6g}"))
    return power


def _head(figure, verdict, fixed, power):
    height = figure.get_figheight()
    name = " ".join(filter(None, [verdict["claim"], verdict["name"] if verdict["name"] != verdict["claim"] else ""]))
    model = f", model {verdict['model']}" if verdict["model"] else ""
    figure.text(0.012, 1 - 0.08 / height, f"{name}{model}", weight="bold", va="top", fontsize=10)
    law = verdict["statistic"] if verdict["claimed"]["kind"] == "law" else ""
    line = "; ".join(filter(None, [law, param_words(fixed), outside(verdict["params"])]))
    figure.text(0.012, 1 - 0.27 / height, line, va="top", fontsize=8, color=INK)
    area = figure.subplotpars
    middle = (area.bottom + area.top) / 2
    unit = f" / {power_words(10.0**power)}" if power else ""
    figure.text(
        0.1 / figure.get_figwidth(), middle, _axis_words(verdict) + unit, rotation=90, va="center", ha="left"
    )
    figure.text((area.left + area.right) / 2, area.bottom - 0.36 / height, symbol(verdict["scale"]), ha="center")


def _axis_words(verdict):
    return "scale of the sample / of the law" if verdict["claimed"]["kind"] == "law" else verdict["statistic"]


def _entries(claims, controls):
    """Handles and labels of the one legend below all panels, naming only what is drawn."""
    line = matplotlib.lines.Line2D
    entries = []
    if claims:
        handle = line([], [], color=SERIES, marker="o", ms=4.5, lw=1)
        fitted = any((v["measured"] or {}).get("exponent") is not None for v in claims)
        handle = handle if fitted else line([], [], color=SERIES, marker="o", ms=4.5, ls="none")
        entries.append((handle, "measured, 95 % interval" + (", fit" if fitted else "")))
    judged = claims or controls
    predicted = "claimed value" if judged[0]["claimed"]["kind"] == "value" else "claimed curve"
    for present, words in (
        (any(v["claimed"].get("exponent") is not None for v in judged), "claimed slope"),
        (any(v["claimed"]["kind"] == "law" for v in judged), "claimed law"),
        (any(v["claimed"]["kind"] == "threshold" for v in judged), "level"),
        (any(p.get("predicted") is not None for v in judged for p in v["points"]), predicted),
    ):
        if present:
            entries.append((line([], [], color=CLAIMED, lw=3.2), words))
    for kind, words in (("curve", "claimed band"), ("value", "deviation"), ("threshold", "claimed crossing")):
        if any(v["claimed"]["kind"] == kind and not v["statistic"].startswith("every ") for v in judged):
            entries.append((matplotlib.patches.Patch(color=BAND), words))
    if any(bound_points(v) for v in judged):
        entries.append((line([], [], color=PALETTE[1], ls="--", lw=1.3), "explicit bound"))
    for i, name in enumerate(dict.fromkeys(c["control"] for c in controls)):
        mine = [c for c in controls if c["control"] == name]
        caught = sum(c["verdict"] == "violated" for c in mine)
        handle = line([], [], color=CONTROL, marker=CONTROL_MARKERS[i % 5], ls=":", ms=4.5, lw=1)
        entries.append((handle, f"control {name}: caught {caught} of {len(mine)}"))
    return entries
