"""A ledger with less in it: without cells that are not wanted, and without what is damaged."""

import os
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from chaosnum.ledger import Ledger
from chaosnum.ledgerfile import DamagedError, LedgerError, in_use, refused, replaced


def prune(path, wanted):
    """Remove cells that are not wanted, and what is damaged.

    A sound ledger is changed in place, in one transaction. Of a damaged one a new ledger is made with what is sound,
    which takes its place when it is whole; the damaged file gets another name.

    Parameters
    ----------
    path : str or Path
    wanted : callable (dict, the columns of a case) -> bool

    Returns
    -------
    kept, gone : int, numbers of cells
    aside : Path or None, the new name of a damaged file

    Raises
    ------
    LedgerError
        No ledger, a newer one, one that cannot be written, or a damaged one that another process has open.
    """
    path = Path(path)
    with Ledger(path, writing=False) as ledger:
        cases, cells = ledger.cases(), list(ledger.sound())
        broken = ledger.damaged or ledger.unread or any(cell.case not in cases for cell in cells)
    stay = {number for number, case in cases.items() if wanted(case)}
    kept = [cell for cell in cells if cell.case in stay]
    if not broken:
        with suppress(DamagedError):  # else: in its head
            with Ledger(path) as ledger:
                ledger.remove(cases.keys() - stay)
            return len(kept), len(cells) - len(kept), None
    if in_use(path):  # its cells would go into the file that is put aside
        raise LedgerError(f"ledger {str(path)!r} is damaged and in use: prune it when no other process has it open")
    fresh = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _unlink(fresh)
        with Ledger(fresh) as ledger:
            number = {old: ledger.case(**cases[old]) for old in stay}
            ledger.add(replace(cell, case=number[cell.case]) for cell in kept)
            ledger._connection.execute("PRAGMA journal_mode = DELETE")  # one file, no log beside it
        aside = replaced(path, fresh)
    except (sqlite3.Error, OSError) as error:
        raise refused(path, error) from None
    finally:
        _unlink(fresh)
    return len(kept), len(cells) - len(kept), aside


def _unlink(path):
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
