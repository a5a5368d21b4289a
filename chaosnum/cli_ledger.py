"""``chaosnum ledger``: what is in a ledger of finished cells, as a table or a file, and without what is of no use.

    ls               the cases, with the number of cells that are sound
    export FILE      every value: .csv or .parquet
    prune            remove cells of other versions of the code; of a damaged ledger keep what is sound

A ledger that is damaged is never changed: `prune` makes a new one of what is sound and puts the damaged file aside.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from chaosnum.ledger import DEFAULT

_COLUMNS = ("claim", "name", "model", "control", "params", "statistic", "scale", "replica", "value", "seed",
            "cell_seed", "version", "code")  # fmt: skip
_EXIT = "Exit status: 0 done, 1 the ledger is damaged, 2 wrong usage or bad input."


def register(commands):
    """Add the command to the parser's subcommands."""
    command = commands.add_parser("ledger", help="finished cells, which `verify` keeps and goes on from", epilog=_EXIT)
    actions = command.add_subparsers(metavar="ACTION", required=True)
    for name, run, words in (
        ("ls", _list, "the cases in a ledger, with their numbers of cells"),
        ("export", _export, "every value, as CSV or Parquet"),
        ("prune", _prune, "remove cells of other versions of the code, and what is damaged"),
    ):
        action = actions.add_parser(name, help=words, epilog=_EXIT)
        if name == "export":
            action.add_argument("file", metavar="FILE", help="a new file that ends with .csv or .parquet")
        kept_in = os.environ.get("CHAOSNUM_LEDGER") or DEFAULT  # where `verify` keeps them
        action.add_argument("--ledger", metavar="FILE", default=kept_in, help=f"default: {DEFAULT}")
        if name == "ls":
            action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(run=run)


def _list(options, argv):
    from chaosnum.ledger import Ledger

    with Ledger(options.ledger, writing=False) as ledger:
        cases, counts = ledger.cases(), {}
        for cell in ledger.sound():
            if cell.case in cases:
                counts[cell.case] = counts.get(cell.case, 0) + 1
            else:  # its case's own row is damaged
                ledger.damaged += 1
        state = _state(ledger)
    rows = [{**row, "params": json.loads(row["params"]), "statistics": json.loads(row["statistics"]),
             "cells": counts.get(number, 0)} for number, row in cases.items()]  # fmt: skip
    about = {"ledger": str(options.ledger), "cells": sum(counts.values()), **state}
    if options.json:
        print(json.dumps({**about, "cases": rows}, indent=1))
    else:
        _print(rows, about)
    return int(bool(state["damaged"] or state["unread"]))


def _state(ledger):
    """How much of it could not be read; `sound` has been run through."""
    return {"damaged": ledger.damaged, "unread": ledger.unread}


def _print(rows, about):
    """A line for the cases of a claim, model and control with one seed and one version of the code."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from chaosnum.fingerprint import code_version

    lines = {}
    for row in rows:
        words = " ".join(filter(None, [row["claim"], row["name"], row["model"]]))
        words += f", control {row['control']}" if row["control"] else ""
        code = "this" if row["code"].startswith(code_version()) else f"other ({row['version']})"
        found = lines.setdefault((words, str(row["seed"]), code), [0, 0])
        found[0] += 1
        found[1] += row["cells"]
    table = Table("claim", "seed", "code", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("cases", justify="right")
    table.add_column("cells", justify="right")
    for line, counts in lines.items():
        table.add_row(*line, *map(str, counts))
    if rows:
        Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False).print(table)
    print(f"{len(rows)} cases, {about['cells']} cells in {about['ledger']}{_damage_words(about)}")


def _damage_words(state):
    found = [f"{state['damaged']} cells fail their checksum"] if state["damaged"] else []
    found += [f"{state['unread']} of 4096 parts cannot be read"] if state["unread"] else []
    return f"; DAMAGED: {', '.join(found)}" if found else ""


def _export(options, argv):
    from chaosnum.ledger import Ledger

    path = Path(options.file)
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"FILE must end with .csv or .parquet, got {options.file!r}")
    if path.exists():
        raise ValueError(f"FILE must be new, got {options.file!r}, which is there")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"FILE must be in a folder that is there, got {options.file!r}")
    import pandas as pd

    with Ledger(options.ledger, writing=False) as ledger:
        rows = list(_values(ledger))
        state = _state(ledger)
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
        partial.replace(path)
    except ImportError:
        raise ValueError("Parquet needs pyarrow: pip install pyarrow") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    print(f"{len(frame)} values in {path}{_damage_words(state)}")
    return int(bool(state["damaged"] or state["unread"]))


def _values(ledger):
    """A row for every value of every sound cell."""
    cases = ledger.cases()
    for cell in ledger.sound():
        if (case := cases.get(cell.case)) is None:  # its own row is damaged
            ledger.damaged += 1
            continue
        for statistic, value in zip(json.loads(case["statistics"]), cell.values):
            row = {**case, "statistic": statistic, "scale": cell.scale, "replica": cell.replica, "value": value,
                   "cell_seed": cell.seed}  # fmt: skip
            yield tuple(row[name] for name in _COLUMNS)


def _prune(options, argv):
    from chaosnum.fingerprint import code_version
    from chaosnum.ledger_prune import prune

    kept, gone, aside = prune(options.ledger, lambda case: case["code"].startswith(code_version()))
    words = f"; the damaged file is now {aside}" if aside else ""
    print(f"{kept} cells kept, {gone} removed from {options.ledger}{words}")
    return 0
