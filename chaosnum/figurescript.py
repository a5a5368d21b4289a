"""What every script in figures/ does beside its question: read its options, write its numbers and its picture."""

import argparse
import csv
from pathlib import Path


def options(doc, budgets, argv=None):
    """Parse ``--budget``, ``--seed`` and ``--out`` -> namespace; wrong usage exits with status 2.

    Parameters
    ----------
    doc : str
        The script's docstring; its first line describes it in ``--help``.
    budgets : iterable of str
        Names of its budgets, "standard" among them.
    argv : list of str, optional
    """
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--budget", default="standard", choices=tuple(budgets))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/figures"))
    return parser.parse_args(argv)


def write(draw, rows, stem):
    """Write `rows` (list of dict) as `stem`.csv and the figure `draw(rows)` as `stem`.png and .pdf."""
    from chaosnum import report

    stem.parent.mkdir(parents=True, exist_ok=True)
    with open(stem.with_suffix(".csv"), "w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for path in report.save(draw(rows), stem):
        print(path)
