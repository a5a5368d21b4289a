"""What ``chaosnum fit`` prints: for each layer the estimates, the recommended one, and the errors. 80 columns do."""

import sys
from textwrap import wrap

from chaosnum.words import number

WIDTH = 80


def print_layers(layers, *, stream=None):
    """Print the layers (list of dict, as `chaosnum.fitted.study` returns them)."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)

    def say(text, style="", indent="  "):
        for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False):
            console.print(Text(line, style=style))

    for i, layer in enumerate(layers):
        if i:
            console.print()
        console.print(Text(f"{layer['layer']} · {size_words(layer)}", style="bold"))
        width = max(len(e["name"]) for e in layer["estimates"])
        console.print(Text(f"  {'tail index'.ljust(width)}  {'α'.rjust(5)}  95 % interval", style="dim"))
        for e in layer["estimates"]:
            chosen = e["name"] == layer["recommended"]
            line = f"  {e['name'].ljust(width)}  {_number(e['alpha'])}  {interval_words(e['ci']).ljust(14)}  {_how(e)}"
            line = f"{line.rstrip()}  <- recommended" if chosen else line.rstrip()
            console.print(Text(line, style="green" if chosen else ""))
        say(layer["reason"])
        for line in filter(None, (layer["disagree"], layer["note"])):
            say(line, "yellow")
        for errors in layer["errors"]:
            say(f"relative l_{number(errors['p'])} error of the largest κn {layer['units']}", "dim")
            console.print(Text(_row("  κ", [number(k) for k in errors["kappa"]])))
            console.print(Text(_row("  measured", [_error(v, 3) for v in errors["measured"]]), style="bold"))
            console.print(Text(_row(f"  {predicted_words(layer)}", [_error(v, 3) for v in errors["predicted"]])))
            if errors["low"] is not None:
                pairs = [f"{_error(a, 2)}-{_error(b, 2)}" for a, b in zip(errors["low"], errors["high"])]
                console.print(Text(_row("  90 % of such samples", pairs)))
            say(f"the error {errors['growing']}")


def size_words(layer):
    """``512 rows of 784 numbers (shape 512 x 784)``."""
    shape = " x ".join(map(str, layer["shape"]))
    if layer["units"] == "entries":
        return f"{layer['n']} entries (shape {shape})"
    return f"{layer['n']} {layer['units']} of {layer['d']} numbers (shape {shape})"


def predicted_words(layer):
    """What the prediction rests on."""
    return f"predicted, α = {layer['alpha']:.3f}" if layer["heavy"] else "Gaussian weights"


def interval_words(ci):
    """``[1.40, 1.62]``; an end without a number is infinite."""
    low, high = (_number(end).strip() for end in ci)
    return f"[{low}, {high}]"


def _number(value):
    if value is None:
        return "    ∞"
    return (f"{value:.3f}"[:5] if value < 100 else number(value)).rjust(5)


def _error(value, digits):
    """An error; one that these digits would round to nothing by its leading digit."""
    return f"{value:.{digits}f}" if value == 0 or value >= 0.5 * 10**-digits else f"{value:.0e}"


def _how(e):
    """What an estimate was read from."""
    if e["k"] is not None:
        return f"{e['k']} largest"
    return f"sums of {e['block']}" if e["block"] is not None else ""


def _row(head, cells):
    return head.ljust(26) + "".join(cell.rjust(12) for cell in cells)
