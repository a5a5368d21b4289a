"""The figure of ``chaosnum fit``: for each layer its tail, and what keeping the largest columns loses.

Left, the share of columns whose norm exceeds r, both axes logarithmic: a power tail is a straight line of slope
-alpha, drawn where it was fitted. Right, the relative l_p error of keeping the share kappa of the largest columns:
measured (line), predicted from the fit (dashed, the median; shaded, the range of 90 % of such samples).

What goes wrong: a straight piece of a few dozen points proves nothing, since an exponential tail looks straight over
half a decade; the number of points in the fitted tail stands in the panel for that reason.
"""

import numpy as np

from chaosnum import report
from chaosnum.fittable import interval_words, size_words
from chaosnum.words import number, power_words

ROWS = 4  # layers on a page
CAPTION = "right: error of keeping the largest; line measured, dashed predicted from α, shaded 90 % of such samples"
BODY = 0.95  # smaller columns, down to zero, would take the axis from the tail
_SMALL = {"fontsize": 7.5, "color": report.INK, "xycoords": "axes fraction", "textcoords": "offset points"}


def pages(layers):
    """Figures of `ROWS` layers each.

    Parameters
    ----------
    layers : list of dict, as `chaosnum.fitted.study` returns them

    Returns
    -------
    iterator of matplotlib.figure.Figure; save or close each before the next
    """
    for first in range(0, len(layers), ROWS):
        yield draw(layers[first : first + ROWS])


def draw(layers):
    """One page: a row of two panels for each layer -> matplotlib.figure.Figure."""
    style = report.STYLE
    rows = len(layers)
    left, right, bottom, top, gap, height, middle = 0.72, 0.14, 0.72, 0.48, 0.96, 2.2, 0.66  # inches
    width, total = 7.6, bottom + top + rows * height + (rows - 1) * gap
    with report.sns.axes_style("whitegrid", rc=style), report.plt.rc_context(style):
        figure, axes = report.plt.subplots(rows, 2, squeeze=False, figsize=(width, total))
        panel = (width - left - right - middle) / 2
        figure.subplots_adjust(
            left=left / width, right=1 - right / width, bottom=bottom / total, top=1 - top / total,
            wspace=middle / panel, hspace=gap / height,
        )  # fmt: skip
        for (tail, error), layer in zip(axes, layers):
            _tail(tail, layer)
            _errors(error, layer)
        figure.text(left / width, 0.1 / total, CAPTION, va="bottom", fontsize=7.5, color=report.INK)
    return figure


def _tail(ax, layer):
    """Share of columns beyond r, and the fitted power tail."""
    tail = layer["tail"]
    r, share = np.array(tail["r"]), np.array(tail["share"])
    r, share = r[share <= BODY], share[share <= BODY]
    ax.plot(r, share, "o", ms=2.6, color=report.PALETTE[0], mew=0, zorder=3)
    ax.set_xscale("log")
    ax.set_yscale("log")
    words = "no power tail"
    if tail["k"]:
        ends = np.array([tail["threshold"], r.max()])
        ax.plot(ends, tail["k"] / layer["n"] * (ends / ends[0]) ** -layer["alpha"], color=report.PALETTE[3], lw=1.6,
                zorder=4)  # fmt: skip
        words = f"α = {layer['alpha']:.3f} {interval_words(layer['ci'])}, {layer['recommended']}\n"
        words += f"line: the {tail['k']} largest"
    ax.set(xlabel="size r" if layer["d"] == 1 else "norm r", ylabel="share beyond r")
    ax.set_title(shorten(layer["layer"]), loc="left", pad=16, weight="bold")
    ax.annotate(size_words(layer), (0, 1), xytext=(0, 5), **_SMALL)
    ax.annotate(words, (0, 0), xytext=(5, 5), **_SMALL)
    _ticks(ax.xaxis, r.min(), r.max())
    _ticks(ax.yaxis, share.min(), 1.0)


def _errors(ax, layer):
    """Measured against predicted error, a colour for each p."""
    for colour, curve in zip(report.PALETTE, layer["curves"]):
        kappa = np.array(curve["kappa"])
        ax.plot(kappa, curve["measured"], color=colour, lw=1.6, zorder=3, label=f"p = {number(curve['p'])}")
        if curve["predicted"] is not None:
            ax.plot(kappa, curve["predicted"], "--", color=colour, lw=1.2, zorder=4)
            if curve["low"] is not None:
                ax.fill_between(kappa, curve["low"], curve["high"], color=colour, alpha=0.16, lw=0, zorder=1)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.02)
    ax.set(xlabel=f"share κ of the {layer['units']} kept", ylabel="relative $\\ell_p$ error")
    if not layer["heavy"]:
        ax.annotate("dashed: Gaussian weights", (0, 0), xytext=(5, 5), **_SMALL)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(layer["curves"]), frameon=False, handlelength=1.4,
              borderaxespad=0.1, columnspacing=1.2)  # fmt: skip
    _ticks(ax.xaxis, kappa.min(), 1.0)


def shorten(name, most=44):
    """A layer's name, its middle left out where it is too long for a panel."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def _ticks(axis, low, high):
    """Powers of ten over more than a decade and a half; else round numbers written plainly."""
    low, high = (low, high) if low < high else (low / 2, high * 2)
    decades = np.log10(high / low)
    subs = (1, 2, 5) if decades > 0.5 else (1, 1.5, 2, 3, 5, 7)
    locator = report.ticker.LogLocator(numticks=6) if decades > 1.6 else report.ticker.LogLocator(subs=subs)
    axis.set_major_locator(locator)
    axis.set_minor_locator(report.ticker.NullLocator())
    axis.set_major_formatter(report.ticker.FuncFormatter(lambda v, _: f"{v:g}" if 1e-3 <= v < 1e4 else power_words(v)))
