"""The folder of a run: every number behind a verdict, readable at any moment.

    run.json        command, seed, versions, machine, what the claims state; `finished` tells a whole run
    verdicts.json   what ``verify --json`` prints
    verdicts.csv    a line for each verdict
    points.csv      a line for each point: scale, estimate, interval, bound, replicas
    samples.csv     a line for each cell: scale, replica, seed, value
    *.png, *.pdf    the figures

A verdict is written when it is reached: CSV lines are appended in one write each, JSON files are replaced
whole, so a run that is stopped leaves what it had finished. A folder is used if it is new, empty, or an earlier
run's: then the files that run wrote are removed first, and no other file is touched.
"""

import csv
import io
import json
import os
import platform
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

import chaosnum
from chaosnum.jsonform import joined, pretty, strict

_PARAMS = ("alpha", "sigma", "T", "eta", "n")  # columns of their own; the rest goes into `params`
_POINT = ("scale", "estimate", "lo", "hi", "bound", "replicas")
_KEYS = ("claim", "name", "model", "control", "statistic", *_PARAMS, "params", "scale")
_TABLES = {
    "verdicts.csv": (*_KEYS, "kind", "claimed", "sense", "measured", "ci_low", "ci_high", "bound_holds",
                     "bound_slack", "verdict", "sharp", "reason"),
    "points.csv": (*_KEYS, "at", *_POINT[1:]),
    "samples.csv": (*_KEYS, "at", "replica", "seed", "value"),
}  # fmt: skip


def default_path(budget, *, root="runs"):
    """``runs/<UTC time>-<budget>``, with a number behind it if that exists."""
    stem = Path(root) / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{budget}"
    path, count = stem, 1
    while path.exists():
        count += 1
        path = Path(f"{stem}-{count}")
    return path


class RunFolder:
    """Writes the files of one run.

    Parameters
    ----------
    path : str or Path
        A folder that is new, empty or of an earlier run.
    about : dict
        What run.json says beyond versions and machine: command, seed, budget, claims.

    Raises
    ------
    ValueError
        The folder cannot be written to, or holds something else. Raised before anything is changed.
    """

    def __init__(self, path, about):
        self.path = Path(path)
        self.lock = RLock()
        self.verdicts = []  # in the order of the plan
        self._rows = []  # (rank, {table: bytes}, verdict, its text) in the order of arrival
        self._made = []  # folders that were not there before
        self._begun, self._earlier = False, []  # files of an earlier run
        self._claim_folder()
        self.about = {
            "version": chaosnum.__version__,
            "finished": False,
            "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "seconds": None,
            **about,
            "versions": versions(),
            "machine": machine(),
            "files": sorted(["run.json", "verdicts.json", *_TABLES]),
        }
        self._about_texts = {key: pretty(value, 1) for key, value in self.about.items()}

    def begin(self):
        """Write the first files, in place of those of an earlier run: when there is something to put there."""
        if self._begun:
            return
        self._begun = True
        for name in self._earlier:
            (self.path / name).unlink(missing_ok=True)
        self._note()
        self._write_verdicts()
        for name, columns in _TABLES.items():
            (self.path / name).write_bytes(_csv([columns]))

    def add(self, verdict, cells=(), *, rank=None):
        """Write one verdict.

        Parameters
        ----------
        verdict : dict, JSON form
        cells : list of (scale, replica, seed, value)
        rank : int, optional
            Its place in the plan, in which :meth:`finish` will put it; by default that of arrival.
        """
        v = strict(verdict)
        key = [*(v[k] for k in _KEYS[:5]), *(v["params"].get(k) for k in _PARAMS),
               json.dumps({k: x for k, x in v["params"].items() if k not in _PARAMS}), v["scale"]]  # fmt: skip
        claimed, measured, bound = v["claimed"], v["measured"] or {}, v["bound"] or {}
        low, high = measured.get("ci") or (None, None)
        row = [claimed.get("kind"), claimed.get("exponent"), claimed.get("sense"), measured.get("exponent"), low, high,
               bound.get("holds"), bound.get("slack"), v["verdict"], v["sharp"], v["reason"]]  # fmt: skip
        rows = {
            "verdicts.csv": _csv([[*key, *row]]),
            "points.csv": _csv([*key, *(p[f] for f in _POINT)] for p in v["points"]),
            "samples.csv": _csv([*key, *cell] for cell in cells),
        }
        with self.lock:
            self.begin()
            self._rows.append((len(self._rows) if rank is None else rank, rows, v, pretty(v, 2)))
            self.verdicts = [shown for _, _, shown, _ in self._ordered()]
            for name, data in rows.items():
                with open(self.path / name, "ab", buffering=0) as file:
                    file.write(data)
            self._write_verdicts()

    def summary(self):
        """The object of ``verify --json``, which is in verdicts.json."""
        return {key: self.about[key] for key in ("version", "seed", "seconds")} | {"verdicts": self.verdicts}

    def record(self, names):
        """Note files that were written beside the tables."""
        with self.lock:
            self._note(files=sorted({*self.about["files"], *names}))

    def finish(self, seconds):
        """The run is whole: put the tables into the order of the plan, which no thread has a hand in."""
        with self.lock:
            self.begin()
            ordered = self._ordered()
            for name, columns in _TABLES.items() if ordered != self._rows else ():
                self._write(name, b"".join([_csv([columns]), *(rows[name] for _, rows, _, _ in ordered)]))
            self.about.update(seconds=round(seconds, 3))
            self._write_verdicts()
            self._note(seconds=self.about["seconds"], finished=True)

    def discard(self):
        """Remove everything written, folders made included: for a run that fails before its first verdict."""
        with self.lock:
            for name in self.about["files"] if self._begun else ():
                (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):  # a folder that somebody else has put something into stays
                for folder in self._made:
                    folder.rmdir()

    def _claim_folder(self):
        try:
            self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            earlier = [] if not any(self.path.iterdir()) else _earlier_files(self.path)
            if earlier is None:
                raise ValueError(f"out must be a new or empty folder or one of an earlier run, got {str(self.path)!r}")
            probe = self.path / ".partial"
            probe.write_bytes(b"")
            probe.unlink()
            self._earlier = earlier
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ValueError(f"out must be a folder that can be written to, got {str(self.path)!r}: {reason}") from None

    def _ordered(self):
        """The rows in the order of the plan."""
        return sorted(self._rows, key=lambda row: row[0])

    def _note(self, **entries):
        """Replace run.json, with new entries."""
        self.about.update(entries)
        self._about_texts.update((key, pretty(value, 1)) for key, value in entries.items())
        self._write("run.json", (joined(self._about_texts) + "\n").encode())

    def _write_verdicts(self):
        """Replace verdicts.json."""
        parts = {key: pretty(value, 1) for key, value in self.summary().items() if key != "verdicts"}
        parts["verdicts"] = joined([text for *_, text in self._ordered()], 1)
        self._write("verdicts.json", (joined(parts) + "\n").encode())

    def _write(self, name, data):
        partial = self.path / f".{name}.partial"
        partial.write_bytes(data)
        os.replace(partial, self.path / name)


def _csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def load(path):
    """What a run folder holds: the contents of run.json and the verdicts -> (dict, list of dict).

    Raises
    ------
    ValueError
        Not a run folder.
    """
    path = Path(path)
    try:
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        verdicts = json.loads((path / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
        run["version"], run["seed"], run["files"], run["command"], run["budget"], run["started"]
    except OSError as error:
        raise ValueError(f"RUN must be the folder of a run, got {str(path)!r}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"RUN must be the folder of a run, got {str(path)!r}: its run.json is not a run's") from None
    return run, verdicts


def _earlier_files(path):
    """The files an earlier run wrote here, or None where there was no run."""
    try:
        files = load(path)[0]["files"]
    except ValueError:
        return None
    ours = {"run.json", "verdicts.json", "report.html", *_TABLES}
    names = [name for name in files if isinstance(name, str)] if isinstance(files, list) else []
    return [name for name in [*names, "report.html"] if name in ours or re.fullmatch(r"[\w-]+\.(png|pdf)", name)]


def versions():
    """Versions of Python and of the libraries that results rest on -> dict of str."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", "scikit-learn", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine():
    """What a timing or a last bit may depend on; no name of a host, a user or a path."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": f"{platform.system()} {platform.machine()}", "processor": model, "cores": cores,
            "byteorder": sys.byteorder}  # fmt: skip
