"""The file of a ledger: its form, how it is told from others, what is sound in a damaged one.

An SQLite database with an application id, a schema number and two tables: `cases`, a row for a claim at one combination
of parameters with one master seed and one version of the code, and `cells`, a row for each finished cell. Every row
carries a checksum over its other columns, because SQLite notices a damaged page only if the damage breaks the page's
structure.

Nothing here writes to a file that is not known to be a ledger of ours. A damaged one is read from a copy, padded to the
length that its head states: SQLite refuses a truncated file as a whole, but reads a whole file with empty pages.
"""

import os
import shlex
import shutil
import sqlite3
import struct
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

APPLICATION = 0x63686E6D  # "chnm"
SCHEMA = 1
WAIT_SECONDS = 30.0  # for another process that is writing
MAGIC = b"SQLite format 3\0"
PAGE = 4096  # bytes: the pages of ours
SMALLEST = 512  # bytes: of a database
MOST_PADDED = 2**15  # pages: what a damaged head may claim that the file once had, or 16 times what is there
IN_USE_BYTE = 128  # of the shared memory: every process that has the file open holds a lock there
PARTS = 4096  # ranges of keys that are read each by itself
CASE = ("claim", "name", "model", "control", "params", "statistics", "seed", "code", "version")
TABLES = (
    """CREATE TABLE cases (
        id INTEGER PRIMARY KEY, claim TEXT NOT NULL, name TEXT NOT NULL, model TEXT NOT NULL, control TEXT,
        params TEXT NOT NULL, statistics TEXT NOT NULL, seed INTEGER NOT NULL, code TEXT NOT NULL,
        version TEXT NOT NULL, checksum BLOB NOT NULL,
        UNIQUE (claim, name, model, control, params, statistics, seed, code)
    )""",
    """CREATE TABLE cells (
        key BLOB PRIMARY KEY, "case" INTEGER NOT NULL REFERENCES cases, scale REAL NOT NULL, replica INTEGER NOT NULL,
        cell_seed INTEGER NOT NULL, "values" BLOB NOT NULL, checksum BLOB NOT NULL
    ) WITHOUT ROWID""",
)
WRITABLE = "ledger must be a file that can be written"
OURS = "ledger must be one that chaosnum wrote"
REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_CANTOPEN": "it cannot be opened",
    "SQLITE_BUSY": f"another process has been writing for {WAIT_SECONDS:g} s",
    "SQLITE_IOERR": "the disk cannot be written",
}


class LedgerError(ValueError):
    """A ledger that cannot be used; one line that says why."""


class DamagedError(LedgerError):
    """A ledger that is ours, and not what was written."""


@dataclass(frozen=True)
class Cell:
    """A finished cell.

    Attributes
    ----------
    key : bytes
    case : int, of the table of cases
    scale : float
    replica : int
    seed : int, the cell's own
    values : tuple of float, in the order of the case's statistics
    """

    key: bytes
    case: int
    scale: float
    replica: int
    seed: int
    values: tuple


def key_of(*words):
    """The key of a cell: a hash of words, each with its length before it -> bytes."""
    found = blake2b(digest_size=16)
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        found.update(len(data).to_bytes(8, "big") + data)
    return found.digest()


def row_of(cell):
    """A cell as the table has it."""
    row = cell.key, cell.case, cell.scale, cell.replica, cell.seed, struct.pack(f"<{len(cell.values)}d", *cell.values)
    return *row, checksum(row)


def cell_of(row):
    """The cell of a row of the table, or None where its checksum says that it is not what was written."""
    *row, stated = row
    if not isinstance(row[-1], bytes) or len(row[-1]) % 8 or checksum(row) != stated:
        return None
    return Cell(*row[:-1], struct.unpack(f"<{len(row[-1]) // 8}d", row[-1]))


def checksum(row):
    """Of the columns before it -> bytes."""
    return key_of(*row)[:8]


def prepared(path):
    """Open a ledger for writing, or make one -> sqlite3.Connection.

    Raises
    ------
    LedgerError
        Something else is there, a newer ledger, or a damaged one; nothing has been changed.
    OSError, sqlite3.Error
        It cannot be read or written: see :func:`refused`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > 0:
        _check_size(path)
        with closing(_reader(path)) as connection:
            try:
                wrong = _check_kind(path, connection)
            except sqlite3.DatabaseError as error:
                _check_unreadable(path, error)
                raise
        if wrong:
            raise damaged(path, wrong)
    # Any thread may write; that they take turns is the caller's affair.
    connection = sqlite3.connect(path, isolation_level=None, timeout=WAIT_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")  # of two processes that find no ledger one makes it
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        connection.close()
        raise damaged(path, state)
    return connection


def copied(path):
    """A ledger as it is, damage and all, in memory -> sqlite3.Connection. Raises as :func:`prepared`.

    SQLite itself reads it while it can, so that what another process writes meanwhile is seen as a whole or not at all.
    """
    if not path.is_file():
        raise LedgerError(f"ledger must be a file that is there, got {str(path)!r}")
    _check_size(path)
    found = sqlite3.connect(":memory:", isolation_level=None)
    try:
        while True:
            alone = not _log_of(path).exists()
            with closing(_reader(path)) as source:
                _check_kind(path, source)
                source.backup(found)
            if not alone or not _log_of(path).exists():  # nobody came while it was read without locks
                return found
    except sqlite3.DatabaseError as error:
        found.close()
        _check_unreadable(path, error)
    return _mended_copy(path)


def _log_of(path):
    return path.with_name(f"{path.name}-wal")


def _reader(path):
    """A connection that changes nothing, and leaves nothing beside the file where nobody else uses it.

    The file must not be read in another way while this process may have it open: closing it would end SQLite's locks.
    """
    alone = "" if _log_of(path).exists() else "&immutable=1"
    uri = f"{path.absolute().as_uri()}?mode=ro{alone}"
    return sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)


def _check_size(path):
    """Refuse what is too short for a database, which SQLite would take for a new one."""
    if path.is_file() and path.stat().st_size < SMALLEST:
        raise LedgerError(f"{OURS}, got {str(path)!r}, which is something else")


def _check_kind(path, connection):
    """Refuse what is no ledger, or a newer one -> what is wrong with it otherwise, empty if nothing."""
    questions = "PRAGMA application_id", "PRAGMA user_version"
    application, schema = (connection.execute(question).fetchone()[0] for question in questions)
    tables = {row[0] for row in connection.execute("SELECT sql FROM sqlite_master")}
    if not (application or schema or tables):
        return ""  # another process is about to make it
    whole = tables.issuperset(TABLES)
    if application != APPLICATION and not whole:
        raise LedgerError(f"{OURS}, got {str(path)!r}, another program's database")
    if schema > SCHEMA and (application == APPLICATION or not whole):
        newer = f"got {str(path)!r} with schema {schema}: a newer chaosnum wrote it"
        raise LedgerError(f"ledger must have schema {SCHEMA}, {newer}")
    if application == APPLICATION and schema == SCHEMA and whole:
        return ""
    return f"its schema ({schema}) or its tables are not what was written"


def _check_unreadable(path, error):
    """Refuse a file that SQLite does not read, unless it is a ledger whose head is damaged."""
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        with open(path, "rb") as file:  # no database: nobody has it open as one
            head = file.read(100)
        if head[:16] != MAGIC and head[68:72] != APPLICATION.to_bytes(4, "big"):
            raise LedgerError(f"{OURS}, got {str(path)!r}, which is something else") from None


def _mended_copy(path):
    """What can be read of a file that SQLite refuses: from a copy with the head that ours have, padded to its length.

    A head may state any length; only what memory holds for certain is believed.
    """
    found = sqlite3.connect(":memory:", isolation_level=None)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "ledger"
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        with open(copy, "r+b") as file:
            head, there = bytearray(file.read(100).ljust(100, b"\0")), -(-copy.stat().st_size // PAGE)
            stated = int.from_bytes(head[28:32], "big")
            pages = stated if there < stated <= max(MOST_PADDED, 16 * there) else there
            head[:16], head[16:18], head[20:24] = MAGIC, PAGE.to_bytes(2, "big"), bytes((0, 64, 32, 32))
            head[18:20] = bytes((2, 2) if _log_of(copy).exists() else (1, 1))
            head[28:32], head[92:96] = pages.to_bytes(4, "big"), head[24:28]
            head[44:48], head[56:60] = (4).to_bytes(4, "big"), (1).to_bytes(4, "big")
            file.seek(0)
            file.write(head)
            file.truncate(pages * PAGE)
        with closing(sqlite3.connect(copy)) as source:
            _check_kind(path, source)
            source.backup(found)
    return found


def in_use(path):
    """Whether another process has a ledger open; on systems without such locks nobody can tell."""
    try:
        import fcntl

        with open(f"{path}-shm", "r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, IN_USE_BYTE)
    except (ImportError, FileNotFoundError):
        return False
    except OSError:
        return True
    return False


def replaced(path, fresh):
    """Put a new ledger in the place of a damaged one -> Path, the new name of the damaged one.

    At every instant there is a ledger at `path`; the log goes first, as it must not be taken for that of the new one.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        shutil.copyfile(path, aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    fresh.replace(path)
    return aside


def damaged(path, what):
    """The error of a damaged ledger."""
    what = " ".join(str(what).split())
    return DamagedError(f"ledger {str(path)!r} is damaged: {what}; save what is sound with: "
                        f"chaosnum ledger prune --ledger {shlex.quote(str(path))}")  # fmt: skip


def refused(path, error):
    """What SQLite or the system says of a ledger -> LedgerError, one line."""
    if isinstance(error, OSError):
        return LedgerError(f"{WRITABLE}, got {str(path)!r}: {error.strerror}")
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT")) or code == "SQLITE_ERROR":
        return damaged(path, error)
    reason = next((words for start, words in REASONS.items() if code.startswith(start)), str(error))
    return LedgerError(f"{WRITABLE}, got {str(path)!r}: {reason}; finished cells stay")
