"""The figures of ``chaosnum train``, noise against none:

    accuracy    accuracy on training and test set after a share of the columns is pruned; shaded, the range over seeds;
                dots mark the share that the error criterion removes, one for each seed
    tails       share of the first layer's columns whose norm exceeds r, both axes logarithmic: a power tail is a
                straight line, of slope -alpha
    errors      relative error of keeping the share kappa of the largest columns: measured, and predicted from the tail
                index that was fitted to the norms (dashed, the median; shaded, the range of 90 % of such samples)

Colours are kinds of noise, line styles are values of alpha, and no noise is black. Every seed is a line of its own
where lines do not hide each other.

What goes wrong: the accuracy at a share pruned compares networks, not noises, unless they had the same accuracy before:
the left ends of the curves show whether they had.
"""

import math
from functools import wraps

import numpy as np

from chaosnum import report
from chaosnum.fitfigure import _ticks
from chaosnum.trainsummary import spread
from chaosnum.traintable import network_words, noise_words

ROWS = 4  # networks on a page
PANELS = 12  # panels of error curves on a page
_COLOURS = {"none": "0.1"} | dict(zip(("I", "II", "III", "III-paper"), (report.PALETTE[i] for i in (0, 1, 2, 4))))
_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_SMALL = {"fontsize": 7.5, "color": report.INK, "xycoords": "axes fraction", "textcoords": "offset points"}
_LEFT, _RIGHT, _TOP = 0.66, 0.14, 0.46  # inches around the panels
_GAP_X, _LEGEND_ROW, _CAPTION_ROW = 0.3, 0.18, 0.15


def _styled(pages):
    """Have the pages drawn in the style of the reports."""

    @wraps(pages)
    def drawn(about):
        with report.sns.axes_style("whitegrid", rc=report.STYLE), report.plt.rc_context(report.STYLE):
            return list(pages(about))

    return drawn


def write(path, about, *, suffixes=(".png", ".pdf")):
    """Draw the figures into a folder -> names of the files.

    Parameters
    ----------
    path : Path
    about : dict
        The content of train.json: its runs and settings.
    """
    names = []
    for stem, pages in (("accuracy", accuracy), ("tails", tails), ("errors", errors)):
        for i, figure in enumerate(pages(about), 1):
            page = stem if i == 1 else f"{stem}-{i}"
            names += [file.name for file in report.save(figure, path / page, suffixes=suffixes)]
    return names


@_styled
def accuracy(about):
    """Accuracy against pruned share: a row for each network -> list of matplotlib.figure.Figure."""
    blocks = _blocks(about)
    share = about["settings"]["prune_error"]
    caption = "lines: mean over seeds, shaded their range; "
    caption += f"dots: each seed by the criterion, at most {share:g} of the squared norm"
    for page in _pages(blocks, ROWS):
        figure, axes = _grid(len(page), 2, 2.0, _entries(page), caption, gap=0.66, sharey="row", sharex=True)
        for row, block in zip(axes, page):
            for ax, part in zip(row, ("train", "test")):
                for runs in block.values():
                    _accuracy(ax, runs, part)
                _empty(ax, [run for runs in block.values() for run in runs])
                ax.set(ylabel="accuracy" if part == "train" else "", xlim=(-0.02, 1.02), ylim=(0, 1.02))
                ax.yaxis.set_major_formatter(report.ticker.PercentFormatter(1.0))
                ax.xaxis.set_major_formatter(report.ticker.PercentFormatter(1.0))
                ax.annotate(f"{'training' if part == 'train' else 'test'} set", (0, 0), xytext=(5, 5), **_SMALL)
            _head(row[0], block)
        for ax in axes[-1]:
            ax.set_xlabel("columns pruned, smallest first")
        yield figure


@_styled
def tails(about):
    """Tails of the first layer's column norms: a panel for each network -> list of matplotlib.figure.Figure."""
    caption = "a line for each seed; grey: slope −α of the noise"
    for page in _pages(_blocks(about), 2 * ROWS):
        columns = min(2, len(page))
        rows = -(-len(page) // columns)
        figure, axes = _grid(rows, columns, 2.5, _entries(page), caption, gap=1.02)
        for ax, block in zip(axes.flat, page):
            _tails(ax, block)
            _head(ax, block, narrow=columns > 1)
        _spare(axes, len(page))
        yield figure


@_styled
def errors(about):
    """Error curves: a panel for each setting -> list of matplotlib.figure.Figure."""
    cut = math.sqrt(about["settings"]["prune_error"])
    caption = (
        "solid: measured, a line for each seed; dashed: predicted from the fitted index, shaded 90 % of such samples\n"
        "dotted: columns all alike; grey: the criterion's error"
    )
    panels = [(block, setting, runs) for block in _blocks(about) for setting, runs in block.items()]
    panels = [panel for panel in panels if any(run["curve"] and run["curve"]["measured"] for run in panel[2])]
    several = len(_blocks(about)) > 1
    for page in _pages(panels, PANELS):
        columns = min(3 if len(page) > 4 or len(page) == 3 else 2, len(page))
        rows = -(-len(page) // columns)
        figure, axes = _grid(rows, columns, 1.75, [], caption, sharey=True, sharex=True, gap=0.5 + 0.16 * several)
        for ax, (_, _, runs) in zip(axes.flat, page):
            _errors(ax, runs, cut)
            ax.set_title(noise_words(runs[0]), loc="left", pad=16 if several else 6, weight="bold")
            if several:
                ax.annotate(_short(runs[0]), (0, 1), xytext=(0, 4), **_SMALL)
        for row in axes:
            row[0].set_ylabel("relative $\\ell_2$ error")
        for i, ax in enumerate(axes.flat):
            if len(page) - columns <= i < len(page):
                ax.set_xlabel("share κ of the columns kept")
                ax.xaxis.set_tick_params(labelbottom=True)
        _spare(axes, len(page))
        yield figure


def _accuracy(ax, runs, part):
    """Mean and range over the seeds of one setting."""
    runs = [run for run in runs if run["before"] is not None]
    if not runs:
        return
    x = [spread([run["sweep"][i]["share"] for run in runs])["mean"] for i in range(len(runs[0]["sweep"]))]
    y = np.array([[point[part]["accuracy"] for point in run["sweep"]] for run in runs])
    colour, line = _look(runs[0])
    ax.fill_between(x, y.min(axis=0), y.max(axis=0), color=colour, alpha=0.13, lw=0, zorder=1)
    ax.plot(x, y.mean(axis=0), color=colour, ls=line, lw=1.5, zorder=3)
    # The mean of the dots would lie off the curves where the seeds differ much.
    dots = [(run["pruned"]["share"], run["pruned"][part]["accuracy"]) for run in runs]
    ax.plot(*zip(*dots), "o", color=colour, ms=4.5, mec="white", mew=0.7, zorder=4)


def _tails(ax, block):
    found = [run for runs in block.values() for run in runs if run["tail"]]
    _empty(ax, found)
    norms = [r for run in found for r in run["tail"]["r"] if r > 0] or [0.5, 1.0]
    body, largest = min(norms), max(norms)
    least = min((min(run["tail"]["share"]) for run in found), default=1e-3)
    for alpha in sorted({run["alpha"] for run in found if run["alpha"] is not None}):
        ends = np.array([body, largest])
        middle = math.sqrt(body * largest)
        ax.plot(ends, 0.5 * math.sqrt(least) * (ends / middle) ** -alpha, color="0.8", lw=1.8, zorder=1)
    for run in found:
        colour, line = _look(run)
        r, share = np.array(run["tail"]["r"]), np.array(run["tail"]["share"])
        ax.plot(r[r > 0], share[r > 0], color=colour, ls=line, lw=1.1, zorder=3)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set(xlabel="column norm r", ylabel="share of columns beyond r", ylim=(least / 1.5, 1.5))
    ax.set_xlim(body / 1.1, largest * 1.15)
    _ticks(ax.xaxis, body, largest)
    _ticks(ax.yaxis, least, 1.0)


def _empty(ax, runs):
    """A panel without any line says why."""
    if not any(run["before"] for run in runs):
        ax.annotate("every run diverged", (0.5, 0.5), xytext=(0, 0), ha="center", va="center", **_SMALL)


def _errors(ax, runs, cut):
    colour, _ = _look(runs[0])
    curves = [run["curve"] for run in runs if run["curve"] and run["curve"]["measured"]]
    kappa = np.array(curves[0]["kappa"])
    ax.axhline(cut, color="0.8", lw=1.6, zorder=0.5)
    ax.plot(kappa, np.sqrt(1 - kappa), ls=(0, (1, 1)), color="0.45", lw=1, zorder=2)
    for curve in curves:
        ax.plot(kappa, curve["measured"], color=colour, lw=1.3, zorder=4)
        if curve["predicted"] is not None:
            ax.fill_between(kappa, curve["low"], curve["high"], color=colour, alpha=0.1, lw=0, zorder=1)
            ax.plot(kappa, curve["predicted"], color=colour, ls=(0, (3, 1.5)), lw=0.9, zorder=3)
    some = sum(curve["predicted"] is not None for curve in curves)
    if some < len(curves):
        words = "no power tail" if not some else f"power tail in {some} of {len(curves)} seeds"
        ax.annotate(words, (0, 0), xytext=(5, 5), **_SMALL)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.02)
    _ticks(ax.xaxis, kappa.min(), 1.0)


def _blocks(about):
    """The runs by network, and within a network by setting, each with its line style -> list of dict."""
    blocks = {}
    alphas = sorted({run["alpha"] for run in about["runs"] if run["alpha"] is not None})
    for run in about["runs"]:
        style = "-" if run["alpha"] is None else _STYLES[alphas.index(run["alpha"]) % len(_STYLES)]
        run = {**run, "style": style}
        block = blocks.setdefault((run["width"], run["depth"], run["parametrisation"]), {})
        block.setdefault((run["noise"], run["alpha"]), []).append(run)
    return list(blocks.values())


def _pages(items, most):
    return [items[i : i + most] for i in range(0, len(items), most)]


def _look(run):
    """Colour and line style of a setting."""
    return _COLOURS[run["noise"]], run["style"]


def _head(ax, block, narrow=False):
    """The network above its panel, and what it lacks of the theorem's assumptions."""
    run = next(iter(block.values()))[0]
    ax.set_title(_short(run) if narrow else network_words(run), loc="left", pad=16, weight="bold")
    if run["outside"]:
        words = "outside the theorem" if narrow else f"outside the assumptions of the theorem: {run['outside']}"
        ax.annotate(words, (0, 1), xytext=(0, 5), **_SMALL)


def _short(run):
    return f"width {run['width']}, depth {run['depth']}, {run['parametrisation']}"


def _entries(page):
    """Handles and labels of the legend: every setting of the page once."""
    settings = {setting: runs[0] for block in page for setting, runs in block.items()}
    line = report.matplotlib.lines.Line2D
    words = {setting: "no noise" if run["noise"] == "none" else noise_words(run) for setting, run in settings.items()}
    looks = {setting: dict(zip(("color", "ls"), _look(run))) for setting, run in settings.items()}
    return [(line([], [], lw=1.8, **looks[setting]), words[setting]) for setting in settings]


def _grid(rows, columns, height, entries, caption, *, gap, **shared):
    """Panels laid out in inches, so that nothing overlaps; the legend and a caption below them."""
    across = 5
    lines = caption.count("\n") + 1
    foot = 0.12 + _CAPTION_ROW * lines + (0.08 + _LEGEND_ROW * -(-len(entries) // across) if entries else 0.0)
    bottom, width = foot + 0.46, 7.6
    total = _TOP + rows * height + (rows - 1) * gap + bottom
    gap_x = _GAP_X if shared.get("sharey") else _LEFT
    figure, axes = report.plt.subplots(rows, columns, squeeze=False, figsize=(width, total), **shared)
    panel = (width - _LEFT - _RIGHT - (columns - 1) * gap_x) / columns
    figure.subplots_adjust(
        left=_LEFT / width, right=1 - _RIGHT / width, bottom=bottom / total, top=1 - _TOP / total,
        wspace=gap_x / panel, hspace=gap / height,
    )  # fmt: skip
    figure.text(_LEFT / width, 0.08 / total, caption, va="bottom", fontsize=7.5, color=report.INK, linespacing=1.3)
    if entries:
        figure.legend(
            *zip(*entries), loc="lower left", ncols=min(across, len(entries)), frameon=False, borderaxespad=0.0,
            bbox_to_anchor=(_LEFT / width, (0.12 + _CAPTION_ROW * lines) / total), columnspacing=1.4,
            handlelength=2.0, borderpad=0.1, labelspacing=0.3,
        )  # fmt: skip
    return figure, axes


def _spare(axes, count):
    for ax in list(axes.flat)[count:]:
        ax.remove()
