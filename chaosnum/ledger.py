"""Finished cells, kept for good: a run that is stopped, however, goes on where it was.

One SQLite file holds the values of cells. A cell is committed when it finishes, so that whatever ends the process
afterwards (a kill, a crash, the loss of power a second later) leaves it; a transaction that was under way leaves
nothing. Cells are found by a key, the hash of all that their value depends on:

    claim, parameters, control, scale, replica, master seed    ``Case.address``
    the statistics that are measured
    the code, and the data it carries                          ``chaosnum/fingerprint.py``

so a cell of other code, other data or another seed is another cell. Values are kept as the 64 bits they have: a verdict
from kept cells is that of an undisturbed run to the last bit.

Several processes may use one ledger at once. Each reads what is there when it begins; a cell that two of them compute
is kept once.

Damage is found, not repaired in silence. A ledger that is damaged, of another kind or of a newer form is refused for
writing and never changed (``chaosnum/ledgerfile.py``); what is sound in it can be read, exported, and saved into a new
ledger with ``chaosnum ledger prune``.

What goes wrong: a ledger on a network file system without locks. SQLite's write-ahead log needs shared memory, so all
processes must be on one machine.

Reference: SQLite, Write-Ahead Logging (sqlite.org/wal.html), for what a commit survives.
"""

import os
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from chaosnum.ledgerfile import (
    CASE,
    PARTS,
    Cell,
    LedgerError,
    cell_of,
    checksum,
    copied,
    damaged,
    key_of,
    prepared,
    refused,
    row_of,
)

__all__ = ["DEFAULT", "Cell", "Ledger", "LedgerError", "key_of"]

DEFAULT = "runs/ledger.sqlite"
SYNC_SECONDS = 1.0  # between commits that reach the disk itself and not only the system
FOUND_AT_ONCE = 500  # keys in a query
MOST_CASES = 100_000  # that are looked for one by one where the table is damaged


class Ledger:
    """Reads and writes one ledger.

    Parameters
    ----------
    path : str or Path
        The file; it is made, with its folder, if it is not there.
    writing : bool, default True
        False reads it as it is, damage and all, from a copy in memory.

    Raises
    ------
    LedgerError
        The file is no ledger, damaged, of a newer form, or cannot be read or (with `writing`) written.
    """

    def __init__(self, path, *, writing=True):
        if not (isinstance(path, str | os.PathLike) and Path(path).name):
            raise LedgerError(f"ledger must be the name of a file, got {path!r}")
        self.path = Path(path)
        self.damaged = self.unread = 0  # what :meth:`sound` could not read
        self._cases, self._entries, self._synced = {}, {}, monotonic()
        try:
            self._connection = prepared(self.path) if writing else copied(self.path)
        except (sqlite3.Error, OSError) as error:
            raise refused(self.path, error) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def find(self, keys):
        """The values of those cells that are there -> dict from key to tuple of float.

        Raises
        ------
        LedgerError
            The ledger is damaged where they are.
        """
        found, keys = {}, list(keys)
        try:
            for first in range(0, len(keys), FOUND_AT_ONCE):
                part = keys[first : first + FOUND_AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in self._connection.execute(f"SELECT * FROM cells WHERE key IN ({marks})", part):
                    cell = cell_of(row)
                    if cell is None:
                        raise damaged(self.path, f"the cell {row[0].hex()} fails its checksum")
                    found[cell.key] = cell.values
        except sqlite3.Error as error:
            raise refused(self.path, error) from None
        return found

    def add(self, cells):
        """Keep finished cells: when this returns they stay.

        Parameters
        ----------
        cells : iterable of Cell

        Raises
        ------
        LedgerError
            The disk is full or the file cannot be written any more; what was kept before is kept.
        """
        cells = list(cells)
        with _Transaction(self) as connection:
            number = {case: self._still(connection, case) for case in {cell.case for cell in cells}}
            rows = [row_of(replace(cell, case=number[cell.case])) for cell in cells]
            connection.executemany("INSERT OR IGNORE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def case(self, **about):
        """The number of a case, which is entered if it is new -> int.

        Parameters
        ----------
        about : claim, name, model, control, params, statistics, seed, code, version
            As the table of cases has them; params and statistics as JSON text.
        """
        entry = tuple(about[name] for name in CASE)
        if entry not in self._cases:
            with _Transaction(self) as connection:
                self._enter(connection, entry)
        return self._cases[entry]

    def _enter(self, connection, entry):
        """The number of a case -> int."""
        same = " AND ".join(f"{name} IS ?" for name in CASE[:-1])
        row = connection.execute(f"SELECT id FROM cases WHERE {same}", entry[:-1]).fetchone()
        if row is None:
            insert = f"INSERT INTO cases VALUES (NULL{', ?' * (len(CASE) + 1)})"
            row = (connection.execute(insert, (*entry, checksum(entry))).lastrowid,)
        self._cases[entry], self._entries[row[0]] = row[0], entry
        return row[0]

    def _still(self, connection, number):
        """The number that a case has now: another process may have removed it, and its number may be another's."""
        entry = self._entries.get(number)
        if entry is None:
            return number
        found = connection.execute(f"SELECT {', '.join(CASE)} FROM cases WHERE id = ?", (number,)).fetchone()
        return number if found and found[:-1] == entry[:-1] else self._enter(connection, entry)

    def cases(self):
        """The sound rows of the table of cases -> dict from number to dict of its columns."""
        rows = []
        try:
            rows = self._connection.execute("SELECT * FROM cases").fetchall()
        except sqlite3.Error:  # one by one, as far as they go
            with suppress(sqlite3.Error):
                last = self._connection.execute("SELECT max(id) FROM cases").fetchone()[0] or 0
                for number in range(1, min(last, MOST_CASES) + 1):
                    with suppress(sqlite3.Error):
                        rows += self._connection.execute("SELECT * FROM cases WHERE id = ?", (number,))
        return {row[0]: dict(zip(CASE, row[1:-1])) for row in rows if checksum(row[1:-1]) == row[-1]}

    def sound(self):
        """All cells that are what was written, by key: yields Cell.

        Damaged ones are left out and counted in `damaged`. Keys are read in 4,096 ranges; one that cannot be read, as
        the file itself is damaged there, is counted in `unread`.
        """
        self.damaged = self.unread = 0
        for part in range(PARTS):
            ends = [((part + k) << 4).to_bytes(2, "big") for k in (0, 1) if part + k < PARTS]
            query = "SELECT * FROM cells WHERE key >= ?" + (" AND key < ?" if len(ends) == 2 else "")
            try:
                rows = self._connection.execute(query, ends).fetchall()
            except sqlite3.Error:
                self.unread += 1
                continue
            found = list(map(cell_of, rows))
            self.damaged += found.count(None)
            yield from filter(None, found)

    def remove(self, cases):
        """Remove cases, given by number, with their cells."""
        with _Transaction(self) as connection:
            connection.execute("CREATE TEMP TABLE gone (id INTEGER PRIMARY KEY)")
            connection.executemany("INSERT INTO gone VALUES (?)", ((number,) for number in cases))
            connection.execute('DELETE FROM cells WHERE "case" IN (SELECT id FROM gone)')
            connection.execute("DELETE FROM cases WHERE id IN (SELECT id FROM gone)")
            connection.execute("DROP TABLE gone")
        self._cases.clear()
        with suppress(sqlite3.Error):  # room is given back when nobody else reads
            self._connection.execute("VACUUM")

    def close(self):
        """Let go of the file; committed cells need nothing of the kind."""
        with suppress(sqlite3.Error):
            self._connection.close()


class _Transaction:
    """One transaction; once a second one that waits for the disk."""

    def __init__(self, ledger):
        self.ledger = ledger

    def __enter__(self):
        ledger, connection, now = self.ledger, self.ledger._connection, monotonic()
        self.sync = now - ledger._synced > SYNC_SECONDS
        try:
            if self.sync:
                connection.execute("PRAGMA synchronous = FULL")
                ledger._synced = now
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise refused(ledger.path, error) from None
        return connection

    def __exit__(self, kind, error, trace):
        ledger, connection = self.ledger, self.ledger._connection
        try:
            if kind is None:
                connection.execute("COMMIT")
        except sqlite3.Error as failure:
            kind, error = type(failure), failure
        if kind is not None:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        if self.sync:
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA synchronous = NORMAL")
        if isinstance(error, sqlite3.Error):
            raise refused(ledger.path, error) from None
