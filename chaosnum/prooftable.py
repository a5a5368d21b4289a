"""What ``chaosnum proof`` prints: for every step its words, its formula, and a line of numbers. 80 columns do."""

import sys
from textwrap import wrap

from chaosnum.words import number, param_words

STYLES = {"holds": "green", "open": "yellow", "VIOLATED": "bold red"}
WIDTH, INDENT = 80, "      "
_COLUMNS = (("measured", 24), ("left", 18), ("right", 9), ("slack", 8), ("", 8))
_CONSTANTS = {"A": "A", "D": "D", "a": "a", "d1": "d1", "d0": "d0", "sup_b": "sup|b|"}


def print_proofs(found, *, stream=None):
    """Print proofs (list of dict, JSON form) and a line that counts their steps."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)

    def say(text, style="", indent=""):
        lines = wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
        for line in lines:
            console.print(Text(line, style=style))

    for i, proof in enumerate(found):
        if i:
            console.print()
        say(f"{proof['proof']} {proof['name']} · {proof['model']}", "bold")
        say(proof["theorem"], indent="  ")
        say(f"{proof['source']}", "dim", "  ")
        say(f"{param_words(proof['params'])}; seed {proof['seed']}", "dim", "  ")
        if proof["control"]:
            spoilt = proof["control"]
            say(f"control {spoilt['name']}: {spoilt['statement']} Step {spoilt['breaks']} needs it.", "yellow", "  ")
        console.print(Text(INDENT + _row([name for name, _ in _COLUMNS]), style="dim"))
        for step in proof["steps"]:
            lines = wrap(step["words"], WIDTH - len(INDENT))
            for j, line in enumerate(lines):
                head = f"  {step['number']}".ljust(len(INDENT)) if j == 0 else INDENT
                console.print(Text.assemble((head, "bold"), line))
            say(step["formula"], "cyan", INDENT)
            numbers = Text(INDENT + _row(_cells(step)))
            numbers.stylize(STYLES[step["verdict"]], len(numbers) - len(step["verdict"]))
            console.print(numbers)
            if step["note"]:
                say(step["note"], "yellow", INDENT)
        values = "  ".join(f"{name} = {number(proof['constants'][key])}" for key, name in _CONSTANTS.items())
        say(f"constants  {values}".replace("–", "∞"), "bold", "  ")
        if proof["outside"]:
            say(proof["outside"], "yellow", "  ")
    say(_tally(found), "bold")


def _cells(step):
    left = number(step["left"])
    if step["error"]:
        left += f" ± {number(step['error'], 2)}"
    slack = number(step["slack"])
    return step["how"], left, number(step["right"]), slack if slack == "–" else f"{slack}x", step["verdict"]


def _row(cells):
    return " ".join(cell.ljust(width) for cell, (_, width) in zip(cells, _COLUMNS)).rstrip()


def _tally(found):
    """``27 steps: 26 hold, 1 open, none violated``."""
    verdicts = [step["verdict"] for proof in found for step in proof["steps"]]
    count = {word: verdicts.count(word) or "none" for word in STYLES}
    vacuous = sum(step["vacuous"] for proof in found for step in proof["steps"])
    words = f"{len(verdicts)} steps: {count['holds']} hold, {count['open']} open, {count['VIOLATED']} violated"
    return words + (f"; {vacuous} say nothing (vacuous)" if vacuous else "")
