"""What ``chaosnum train`` prints: a row for each setting, and under it what noise changes. 100 columns do.

A block holds the settings of one network; what all its rows share stands in the block's head. Percentages are of the
data (accuracy) and of the hidden columns (pruned), mean and standard deviation over seeds (``trainsummary.py``).
"""

import sys
from textwrap import wrap

from chaosnum.trainsummary import COMPARED, t_factor
from chaosnum.words import number

WIDTH = 100
_LABEL = 16  # room for the noise and its alpha
_CELLS = (12, 11, 11, 11, 11, 11, 15)
_HEADS = (
    ("", ["", "before", "pruning", "columns", "after", "pruning", "tail    "]),
    ("noise", ["steps", "train %", "test %", "pruned %", "train %", "test %", "index    "]),
)
_SHARES = ("train_before", "test_before", "share", "train_after", "test_after")


def print_runs(found, *, stream=None):
    """Print the table of a grid of runs.

    Parameters
    ----------
    found : dict
        The content of train.json: settings, data, table, runs.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)

    def say(text, style="", indent="", hang=None):
        hang = indent if hang is None else hang
        for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=hang, break_long_words=False):
            console.print(Text(line, style=style))

    settings, table = found["settings"], found["table"]
    say(data_words(found["data"]), "bold")
    say(settings_words(settings), hang="  ")
    for block in _blocks(table):
        console.print()
        say(network_words(block[0]), "bold")
        if block[0]["outside"]:
            say(f"outside the assumptions of the theorem: {block[0]['outside']}", "yellow", "  ")
        for head in _HEADS:
            console.print(Text(_line(*head), style="dim"))
        for row in block:
            console.print(Text(_line(noise_words(row), _cells(row, settings))))
        if any(row["difference"] for row in block):
            several = any(row["difference"] and len(row["difference"]["seeds"]) > 1 for row in block)
            spread = ", mean ± half the 95 % interval" if several else ""
            say(f"less the run without noise of the same seed{spread}:", "dim", "  ")
            for row in block:
                if row["difference"]:
                    console.print(Text(_line(noise_words(row), ["", *_differences(row["difference"])])))
    console.print()
    for note in notes(found):
        say(note, "dim", "  ", "    ")


def notes(found):
    """What the columns mean, for somebody who sees them for the first time -> iterator of str."""
    settings, table = found["settings"], found["table"]
    seeds = len(settings["seed"])
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "values of one seed"
    yield f"{spread}. before: the trained network; after: the same one pruned, and not trained again."
    if settings["target"] is not None:
        yield (
            "a run ends one step after the evaluation that reaches the target, and that step is without noise: train % "
            "before pruning may lie a little below the target."
        )
    where = "of each hidden layer" if settings["scope"] == "layer" else "of all hidden layers together"
    share = number(settings["prune_error"])
    yield (
        f"pruned: {where} the columns (all weights into one hidden unit) of smallest norm go, as many as carry at "
        f"most {share} of the squared norm; the share of all hidden columns."
    )
    yield (
        "tail index: estimate of α in P(norm > r) ~ r^-α for the columns of the first layer; – where no seed shows a "
        "power tail, (k) where only k seeds do."
    )
    pairs = {len(row["difference"]["seeds"]) for row in table if row["difference"]}
    if pairs:
        n = min(pairs)
        if n > 1:
            yield (
                f"interval: Student's t, ± {t_factor(n):.1f} standard errors with {n} seeds; heavy-tailed noise has "
                "rare large jumps, which a few seeds may all have missed."
            )
        else:
            yield "one seed has both runs: no interval; more seeds give one (--seed 1 2 3)."
        yield "pruned % tells of compressibility where train % before pruning is alike: compare both."
    yield from _unequal(table, settings)


def _unequal(table, settings):
    """Which means are over fewer seeds, or not at equal accuracy."""
    lost = [(row, row["diverged"]) for row in table if row["diverged"]]
    if lost:
        some = "; the mean is over the other seeds, as many as (n) says" if any(row["seeds"] for row, _ in lost) else ""
        yield f"diverged: {_where(lost)}{some}."
    early = [(row, row["cap"]) for row in table if row["cap"]]
    if early and settings["target"] is not None:
        target = number(100 * settings["target"])
        yield (
            f"* ended at {settings['cap']} steps, below the {target} % that other runs stop at, so not at equal "
            f"accuracy: {_where(early)}."
        )


def _where(rows):
    """``II α 1.75, seed 2``; of many settings the first few."""
    several = len({network_words(row) for row, _ in rows}) > 1
    shown = [
        f"{noise_words(row)}{f' ({network_words(row)})' if several else ''}, seed {', '.join(map(str, seeds))}"
        for row, seeds in rows[:3]
    ]
    more = len(rows) - len(shown)
    return "; ".join(shown) + (f"; and {more} more settings" if more else "")


def data_words(data):
    """``digits: 1437 rows to train on, 360 to test, 64 numbers each, 10 classes; pixels / 16``."""
    return (f"{data['name']}: {data['train']} rows to train on, {data['test']} to test, {data['inputs']} numbers each, "
            f"{len(data['classes'])} classes; {data['preprocessing']}")  # fmt: skip


def settings_words(settings):
    """``SGD with η = 0.1, batches of 100, noise σ = 0.006 on the hidden layers; until 95 % of ...``."""
    rows = "the whole training set" if settings["batch"] is None else f"batches of {settings['batch']}"
    noise = f", noise of scale σ = {number(settings['sigma'])} on the hidden layers" if _noisy(settings) else ""
    end = f"for {settings['cap']} steps"
    if settings["target"] is not None:
        end = f"until {number(100 * settings['target'])} % of the training set is right (looked at every "
        end += f"{settings['every']} steps, at most {settings['cap']})"
    return f"SGD with η = {number(settings['eta'])} on {rows}{noise}, {end}; {settings['dtype']}"


def network_words(row):
    """``2 hidden layers of 500 ReLU units, standard parametrisation``."""
    unit = {"relu": "ReLU"}.get(row["unit"], row["unit"])
    layers = "1 hidden layer" if row["depth"] == 1 else f"{row['depth']} hidden layers"
    return f"{layers} of {row['width']} {unit} units, {row['parametrisation']} parametrisation"


def noise_words(row):
    """``II α 1.75``."""
    return "none" if row["noise"] == "none" else f"{row['noise']} α {number(row['alpha'], 4)}"


def _blocks(table):
    blocks = {}
    for row in table:
        blocks.setdefault((row["width"], row["depth"], row["parametrisation"], row["unit"]), []).append(row)
    return blocks.values()


def _cells(row, settings):
    if not row["seeds"]:
        return ["diverged"]
    lost = f" ({len(row['seeds'])})" if row["diverged"] else ""  # the mean is over so many
    cap = "*" if row["cap"] and settings["target"] is not None else ""
    cells = [_pair(row["steps"], 1, ".0f") + cap + lost]
    cells += [_pair(row[name], 100, ".1f") for name in _SHARES]
    tail, seeds = row["tail"], len(row["seeds"])
    some = f" ({tail['seeds']})" if 0 < tail["seeds"] < seeds else "    "  # the numbers stay below each other
    return [*cells, _pair(tail, 1, ".2f") + some]


def _differences(found):
    for change in (found[name] for name in COMPARED):
        words = f"{100 * change['mean']:+.1f}".replace("-0.0", "+0.0")
        if change["low"] is not None:
            half = 100 * (change["high"] - change["mean"])
            words += f" ±{half:.1f}" if half < 9.95 else f" ±{half:.0f}"
        yield words


def _pair(found, factor, form):
    if found["mean"] is None:
        return "–"
    mean = format(factor * found["mean"], form)
    return mean if found["sd"] is None else f"{mean} ±{format(factor * found['sd'], form)}"


def _line(label, cells):
    shown = "".join(cell.rjust(max(width, len(cell) + 1)) for cell, width in zip(cells, _CELLS))
    return f"  {label.ljust(_LABEL)}{shown}".rstrip()


def _noisy(settings):
    return any(kind != "none" for kind in settings["noise"])


