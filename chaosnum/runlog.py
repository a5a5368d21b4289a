"""The log of a run, for programs to read: ``chaosnum verify --log FILE``.

JSON Lines: one object a line, in UTF-8, strict JSON. Lines are appended, each by one write, so that a reader sees whole
lines while the run goes on. Several runs may write to one file, one after the other or at once. Every line has

    time     UTC, ISO 8601 with milliseconds, e.g. "2026-03-01T12:00:00.000Z"
    run      eight digits, the same in all lines of a run
    event    what happened, from the list below
    lost     only after lines that could not be written (a full disk, say): how many

and, by its event:

    started         command; version; budget; seed; control, null for the claims themselves; cases, verdicts and cells
                    to come; workers, cells that run at once; folder, the name of the run's folder
    known           cells that were in the ledger so far, which are not run again
    added           cells to come beside those that were planned
    progress        at most once a second, at least every ten seconds: cells that are done, of_cells; known, those of
                    them from the ledger; claims that are done, of_claims (a claim counts once for each set of its
                    parameters); holds, violated, inconclusive, caught, missed: verdicts so far; seconds since the
                    start; cells_per_second over the last ten seconds, without those from the ledger; seconds_left, null
                    where there is no ground for a number, and at_least, true where a part is of unknown cost; most,
                    seconds that are left of the minutes given, or null
    verdict         claim, name, model, control, statistic, params; verdict (holds, violated, inconclusive); outcome,
                    which for a control is caught or missed; reason
    figure          files that were drawn; or error, why not
    stopped         by Ctrl-C: cells, of_cells, claims, of_claims, and the counts of verdicts as above
    failed          message, in one line; the run ended by itself with exit status 2
    finished        seconds; the counts of verdicts as above; status, that of the command

The last line of a run is ``stopped``, ``failed`` or ``finished``; a run without any of them goes on or was killed. Of
a file or a folder only the name is written, never where it is.

What goes wrong: a full disk, or a reader at the other end of a pipe that has gone. The run goes on; standard error says
so once, and the next line that can be written says how many are missing.
"""

import json
import os
import re
import secrets
import stat
import sys
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock

from chaosnum.jsonform import strict

EVENTS = ("started", "known", "added", "progress", "verdict", "figure", "stopped", "failed", "finished")
LAST = EVENTS[-3:]
_FIRST_LINE = 1 << 20  # bytes that a first line may have
_PLACE = re.compile(r"""(?<![\w.)\]/\\])(?:[A-Za-z]:)?(?:[\\/][^\s\\/'",;:()]+)+[\\/]([^\s\\/'",;:()]+)""")


class RunLog:
    """Appends the lines of one run to a file.

    Parameters
    ----------
    path : str
        A file that is not there yet, in a folder that is; an empty one; or one with the lines of earlier runs. A
        device or a pipe that is being read is taken as it is. It is made with the first line.
    private : iterable of str
        Places of files that messages may name, of which only the last part is to be written.

    Raises
    ------
    ValueError
        Not such a file, or it cannot be written to. Nothing is changed or left by then.
    """

    def __init__(self, path, private=()):
        self.path = str(path)
        self.private = {str(place): os.path.basename(os.path.normpath(place)) for place in private if place}
        self.lost = 0  # lines that could not be written since the last one that could
        self._run = secrets.token_hex(4)
        self._lock = Lock()
        self._complained = self._begun = self._over = False
        self._torn = False  # the file's last line has no end
        self._file = None
        if self.path == "-":
            raise ValueError("log must be a file, got '-': standard output is the table's")
        if not self.path:
            raise ValueError("log must be a file, got ''")
        try:
            self._file = self._checked()
        except OSError as error:
            if not os.path.isdir(os.path.dirname(self.path) or "."):
                raise ValueError(f"log must be in a folder that is there, got {self.path!r}") from None
            reason = error.strerror or type(error).__name__
            raise ValueError(f"log must be a file that can be written to, got {self.path!r}: {reason}") from None

    def write(self, event, *, patience=-1.0, **fields):
        """Append a line; nothing comes before that of the start, or after that of the end.

        Parameters
        ----------
        event : str, one of EVENTS
        patience : float
            Seconds to wait for a line that another thread is writing; -1 waits for as long as it takes.
        **fields
            What the event has beside `time`, `run` and `event`.
        """
        if not self._lock.acquire(timeout=patience):
            return
        try:
            if self._over or not (self._begun or event == "started"):
                return
            self._begun, self._over = True, event in LAST
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = {"time": now, "run": self._run, "event": event, **({"lost": self.lost} if self.lost else {})}
            text = json.dumps(self._nameless(strict({**line, **fields})), allow_nan=False, ensure_ascii=False)
            self._append(text.encode(errors="replace") + b"\n")
        finally:
            self._lock.release()

    def close(self):
        """Close the file, for good."""
        with self._lock:
            self._over = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _append(self, line):
        """One line, after the end of a torn one; what cannot be written is counted, and said once."""
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CLOEXEC, 0o666)
            data = b"\n" + line if self._torn else line
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is just full: the next write says so
                self._torn = True
                written += os.write(self._file, data[written:])
            self._torn, self.lost = False, 0
        except OSError as error:
            self.lost += 1
            if not self._complained:
                self._complained = True
                reason = error.strerror or type(error).__name__
                with suppress(OSError):
                    print(f"chaosnum: the log {self.path} has gaps: {reason}; the run goes on", file=sys.stderr)

    def _checked(self):
        """The file, opened, if it is there; whether it can be made, if not."""
        try:  # of a pipe, without waiting for a reader
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | _NONBLOCK | _CLOEXEC)
        except FileNotFoundError:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CLOEXEC, 0o666))
            os.unlink(self.path)
            return None
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                self._torn = _check_ours(self.path)
            elif hasattr(os, "set_blocking"):
                os.set_blocking(file, True)
        except BaseException:
            os.close(file)
            raise
        return file

    def _nameless(self, value):
        """The value, with the name alone of every place in its texts."""
        if isinstance(value, dict):
            return {key: self._nameless(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._nameless(item) for item in value]
        if not isinstance(value, str):
            return value
        for place, name in self.private.items():
            value = value.replace(place, name) if name else value
        return _PLACE.sub(r"\1", value)


_NONBLOCK, _CLOEXEC = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_CLOEXEC", 0)


def _check_ours(path):
    """Refuse a file that is neither empty nor a log of ours -> whether its last line has no end."""
    with open(path, "rb") as file:
        first = file.readline(_FIRST_LINE)
        if not first:
            return False
        file.seek(-1, os.SEEK_END)
        torn = file.read(1) != b"\n"
    try:
        line = json.loads(first)
        ours = line["event"] == "started" and {"time", "run", "version", "command"} <= line.keys()
    except (ValueError, KeyError, TypeError, AttributeError):
        ours = False
    if not ours:
        raise ValueError(f"log must be a new file or one that --log wrote, got {path!r}, which is something else")
    return torn
