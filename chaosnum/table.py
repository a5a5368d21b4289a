"""The verdict table that ``chaosnum verify`` prints on stdout.

On a terminal there are colours; in a pipe or a file plain lines without escape codes. The table needs 80 columns:
verdicts that differ only in a few parameters form a group, and what they share stands in the group's head.
"""

import sys
from textwrap import fill

from chaosnum.words import (
    ORIGINS,
    claimed_words,
    fold,
    measured_words,
    outcome,
    outside,
    param_words,
    slack_words,
    tally,
)

STYLES = {"holds": "green", "caught": "green", "inconclusive": "yellow", "violated": "bold red", "missed": "bold red"}
_HEAD = ("", "claimed", "measured, 95 % interval", "bound", "sharp", "verdict")
_MOST_NEEDS = 12
_CARE = "to be read with care: "


def print_verdicts(verdicts, *, stream=None):
    """Print the table of `verdicts` (list of dict, JSON form) and a line that counts them."""
    from rich.console import Console
    from rich.text import Text

    stream = stream or sys.stdout
    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
    blocks = [_block(group) for group in _groups(verdicts)]
    widths = [max(len(row[i]) for _, _, rows, _ in blocks for row in [*rows, _HEAD]) for i in range(len(_HEAD))]
    console.print(Text(_line(_HEAD, widths), style="dim"))
    before, said = None, set()
    for title, shared, rows, remarks in blocks:
        console.print(Text(title, style="" if title.startswith(" ") else "bold"))
        if shared and shared != before:
            console.print(Text(f"  {shared}", style="dim"))
        before = shared
        for row in rows:
            line = Text(_line(row, widths))
            line.stylize(STYLES.get(row[-1], ""), len(line) - len(row[-1]))
            console.print(line)
        fresh = [r for r in remarks if r not in said or not r.startswith(_CARE)]
        said.update(remarks)
        for remark in fresh:  # a log keeps its lines whole
            width = console.width if stream.isatty() else 10_000
            console.print(Text(fill(remark, width, initial_indent="    ", subsequent_indent="    ")))
    for note in _notes(blocks):
        console.print(Text(note, style="dim"))
    console.print(Text(tally(verdicts), style="bold"))


def print_needs(open_ends, *, stream=None):
    """Print what inconclusive verdicts still need: (what one is on, factor of replicas, seconds so far or None).

    On standard error, as the times differ between runs and machines: what is printed on stdout does not.
    """
    from chaosnum.need import in_words

    stream = stream or sys.stderr
    for on, needs, seconds in open_ends[:_MOST_NEEDS]:
        print(f"open: {on} {in_words(needs, seconds)}", file=stream)
    if len(open_ends) > _MOST_NEEDS:
        print(f"open: {len(open_ends) - _MOST_NEEDS} more", file=stream)


def _groups(verdicts):
    """Verdicts of one claim, model, statistic and control; controls right after what they are controls of."""
    found = {}
    for v in verdicts:
        group = found.setdefault((v["claim"], v["name"], v["model"], v["statistic"]), {})
        group.setdefault(v["control"], []).append(v)
    for group in found.values():
        for control in sorted(group, key=lambda name: name is not None):
            yield group[control]


def _block(group):
    """Title, shared parameters, rows of cells, and remarks on what is not plainly in order."""
    first = group[0]
    shown, shared = fold([v["params"] for v in group])
    name = first["claim"] if first["claim"] == first["name"] else f"{first['claim']} {first['name']}"
    title = " · ".join(filter(None, [name, first["model"], first["statistic"]]))
    if origin := ORIGINS.get(first.get("origin")):
        title += f" ({origin})"
    if first["control"]:
        title = f"  control {first['control']} of {title}"
    rows, remarks = [], []
    for words, v in zip(shown, group):
        state = outcome(v)
        sharp = {True: "yes", False: "no", None: ""}[v["sharp"]]
        rows.append((words, claimed_words(v), measured_words(v), _bound(v), sharp, state))
        if state not in ("holds", "caught"):
            remarks.append(f"{words}: {v['reason']}" if words else v["reason"])
    remarks += dict.fromkeys(filter(None, (outside(v["params"]) for v in group)))
    if first.get("qualified") and not first["control"]:
        remarks.append(f"{_CARE}{first['qualified']}")
    return title, param_words(shared), rows, remarks


def _bound(verdict):
    bound = verdict.get("bound")
    if not bound:
        return ""
    if not bound["holds"]:
        return "broken"
    if bound.get("vacuous"):
        return "vacuous"
    return f"{slack_words(bound['slack'])}x" if bound.get("slack") else "holds"


def _notes(blocks):
    """The words of the table that need saying, where they occur."""
    rows = [row for _, _, rows, _ in blocks for row in rows]
    if any(row[3].endswith("x") for row in rows):
        yield "bound 5x: the explicit bound lies 5 times above the measured points"
    if any(row[3] == "vacuous" for row in rows):
        yield "bound vacuous: at the scales at hand it is no smaller than what holds trivially"
    if any(row[4] == "no" for row in rows):
        yield "sharp no: the claimed rate holds, the measured one is better"
    if any(row[5] in ("caught", "missed") for row in rows):
        yield "control: an experiment spoilt on purpose, to be caught as a violation"


def _line(cells, widths):
    return ("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths))).rstrip()
