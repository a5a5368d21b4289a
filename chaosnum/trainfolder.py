"""The folder of ``chaosnum train``: what is finished, what is running, and how a killed run goes on.

    train.json                    settings, data with SHA-256, versions, the results so far, the table at the end
    weights/RUN.safetensors       the weights of a finished run, with its settings and results
    checkpoints/RUN.safetensors   the state of the running run, or the last good weights of one that diverged
    *.png, *.pdf                  the figures

Every file is written beside its place and moved there, so that at any instant each is whole or absent. A run's state is
its step, its weights and its evaluations (``sgd.py`` addresses noise and minibatches by the step), so a killed run that
goes on ends with the same bits. A run is finished when train.json has its result; its weights are written before.

train.json carries the SHA-256 of what it says, as the weight files do of theirs: a damaged file is refused, not guessed
at. A lock, which the system gives back when its process ends in whatever way, keeps a second process out.
"""

import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import RLock
from time import perf_counter

import chaosnum
from chaosnum import experiment, filelock, runfolder
from chaosnum.jsonform import strict
from chaosnum.runfolder import machine

SECONDS = 3.0  # between checkpoints, and at least RARER times what writing one takes
RARER = 20
LOCK = ".lock"
FIGURES = ("accuracy", "tails", "errors")
_OURS = re.compile(
    rf"train\.json|({'|'.join(FIGURES)})(-\d+)?\.(png|pdf)|(weights|checkpoints)/width[\w.+-]+\.safetensors"
)


class Folder:
    """The files of one grid of runs; make one with `new` or `resume`.

    Attributes
    ----------
    path : Path
    lock : RLock, held while a file is written
    about : dict, the content of train.json
    """

    def __init__(self, path, made=()):
        self.path, self.lock, self._made = path, RLock(), list(made)
        self._last, self._took = perf_counter(), 0.0
        self._held = filelock.hold(path / LOCK)
        self.about = {}

    @property
    def results(self):
        """The results of finished runs, by name."""
        return {result["name"]: result for result in self.about["runs"]}

    def checkpoint_file(self, run):
        """Where the state of an unfinished run is -> Path."""
        return self.path / "checkpoints" / f"{run.name}.safetensors"

    def weights_file(self, run):
        """Where the weights of a finished run are -> Path."""
        return self.path / "weights" / f"{run.name}.safetensors"

    def due(self):
        """Whether it is time for a checkpoint."""
        return perf_counter() - self._last >= max(SECONDS, RARER * self._took)

    def save_state(self, run, trained, seconds, about):
        """Write the state of the running run: that of its last evaluation, whose loss is known to be finite."""
        from chaosnum import checkpoint

        begun = perf_counter()
        step, weights = trained.last_good
        history = [[e.step, e.loss, e.accuracy] for e in trained.evaluations if e.step < step]
        state = {"step": step, "evaluations": history, "seconds": seconds}
        with self.lock:
            file = self.checkpoint_file(run)
            file.parent.mkdir(exist_ok=True)
            checkpoint.save(file, weights, {**about, "state": state})
        self._last = perf_counter()
        self._took = self._last - begun

    def load_state(self, run, trained, about):
        """Set a run to where it was, if it had begun -> seconds that it had taken, 0 for a new one.

        Raises
        ------
        ValueError
            The file is damaged, or of another run: which to delete to begin this run anew.
        """
        from chaosnum import checkpoint, sgd

        file = self.checkpoint_file(run)
        if not file.exists():
            return 0.0
        anew = "delete it to begin this run anew"
        try:
            weights, found = checkpoint.load(file, like=[(w.shape, w.dtype) for w in trained.weights])
        except ValueError as error:
            raise ValueError(f"{error}; {anew}") from None
        try:
            if {key: found.get(key) for key in about} != strict(about):
                raise ValueError
            state = found["state"]
            evaluations = [sgd.Evaluation(int(step), loss, accuracy) for step, loss, accuracy in state["evaluations"]]
            trained.restore(int(state["step"]), weights, evaluations)
            return float(state["seconds"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{str(file)!r} is not a checkpoint of this run with these settings; {anew}") from None

    def finish_run(self, run, trained, result, seconds, about):
        """Write the weights and the result of a run, and remove its checkpoint."""
        from chaosnum import checkpoint

        with self.lock:
            file = self.weights_file(run)
            file.parent.mkdir(exist_ok=True)
            checkpoint.save(file, trained.weights, {**about, "result": strict(result)})
            self._add({**result, "weights": f"weights/{file.name}"}, seconds)
            self.checkpoint_file(run).unlink(missing_ok=True)

    def keep_diverged(self, run, trained, result, seconds, about):
        """Note that a run diverged, and keep its last good weights -> the file they are in."""
        with self.lock:
            self.save_state(run, trained, seconds, about)
            file = self.checkpoint_file(run)
            self._add({**result, "weights": f"checkpoints/{file.name}"}, seconds)
        return file

    def finish(self, table, figures):
        """The grid is whole."""
        with self.lock:
            left = {result["weights"] for result in self.about["runs"]}
            for file in self.path.glob("checkpoints/*.safetensors"):  # killed right after a run's result was written
                if f"checkpoints/{file.name}" not in left and f"weights/{file.name}" in left:
                    file.unlink()
            with suppress(OSError):
                (self.path / "checkpoints").rmdir()
            seconds = round(sum(result["seconds"] for result in self.about["runs"]), 3)
            self.about.update(finished=True, seconds=seconds, table=strict(table), figures=sorted(figures))
            self._write()

    def begun(self):
        """Whether there is something that a resumed run would not have to do again."""
        return bool(self.about.get("runs")) or any(self.path.glob("checkpoints/*.safetensors"))

    def close(self):
        """Give the lock back."""
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
        self._held.close()

    def discard(self):
        """Remove what was written, folders made included: for a grid that ends before anything is worth keeping."""
        with self.lock, suppress(OSError):
            for name in ("weights", "checkpoints"):
                with suppress(OSError):
                    (self.path / name).rmdir()
            (self.path / "train.json").unlink(missing_ok=True)
            self.close()
            for folder in self._made:  # one that somebody else has put something into stays
                folder.rmdir()

    def _add(self, result, seconds):
        result = strict({**result, "seconds": round(seconds, 3)})
        order = {run.name: i for i, run in enumerate(experiment.runs(experiment.from_dict(self.about["settings"])))}
        results = [*(r for r in self.about["runs"] if r["name"] != result["name"]), result]
        self.about["runs"] = sorted(results, key=lambda r: order[r["name"]])
        self._write()

    def _write(self):
        self.about["sha256"] = _digest(self.about)
        text = json.dumps(self.about, indent=1, allow_nan=False) + "\n"
        partial = self.path / ".train.json.partial"
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.path / "train.json")


def check_free(path):
    """Refuse a folder that `new` would refuse for what is in it.

    Raises
    ------
    ValueError
        It holds something else than an earlier `train` that had come to its end, or cannot be looked into.
    """
    try:
        if path.is_dir():
            _earlier(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"out must be a folder that can be written to, got {str(path)!r}: {reason}") from None


def new(path, chosen, dataset, where):
    """Claim a folder for a new grid of runs -> Folder.

    Parameters
    ----------
    path : str or Path
        New, empty, or of an earlier `train` that had come to its end: then the files it wrote are removed.
    chosen : chaosnum.experiment.Settings
    dataset : chaosnum.data.Dataset
    where : dict
        How to find the data again: `data` and `folder`, paths of files relative to `path`.

    Raises
    ------
    ValueError
        The folder cannot be written to, is in use, or holds something else. Raised before anything is changed.
    """
    path = Path(path)
    made = []
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        _earlier(path)
        folder = Folder(path, made)
        try:
            for name in _earlier(path):
                (path / name).unlink(missing_ok=True)
            for name in ("weights", "checkpoints"):
                with suppress(OSError):  # somebody else's files in it stay
                    (path / name).rmdir()
            started = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            folder.about = {
                "version": chaosnum.__version__, "finished": False, "started": started, "seconds": None,
                "settings": chosen.as_dict(), "data": describe(dataset), "where": where,
                "versions": versions(), "machine": machine(), "runs": [], "table": [], "figures": [],
            }  # fmt: skip
            folder._write()
        except BaseException:
            folder.close()
            raise
    except OSError as error:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        reason = error.strerror or type(error).__name__
        raise ValueError(f"out must be a folder that can be written to, got {str(path)!r}: {reason}") from None
    return folder


def resume(path):
    """The folder of a grid of runs, to go on with it -> Folder.

    A finished run whose weights are no longer there counts as not begun.

    Raises
    ------
    ValueError
        No folder of `train`, one whose train.json or weights are damaged, or one that another process is using.
    """
    path = Path(path)
    read(path)
    try:
        folder = Folder(path)
        folder.about = read(path)  # what the other process wrote last, if it ended just now
        for partial in (*path.glob(".*.partial*"), *path.glob("weights/.*"), *path.glob("checkpoints/.*")):
            partial.unlink(missing_ok=True)  # half-written when the process was killed
    except OSError as error:
        raise ValueError(f"RUN must be a folder that can be written to, got {str(path)!r}: {error.strerror}") from None
    try:
        folder.about["runs"] = [result for result in folder.about["runs"] if _sound(path / result["weights"])]
    except BaseException:
        folder.close()
        raise
    return folder


def _sound(file):
    """Whether the weights of a finished run are there; a line where they are damaged."""
    from chaosnum import checkpoint

    if not file.exists():
        return False
    try:
        checkpoint.load(file)
    except ValueError as error:
        raise ValueError(f"{error}; delete it to begin this run anew") from None
    return True


def read(path):
    """The content of train.json, checked -> dict.

    Raises
    ------
    ValueError
        It is missing or damaged.
    """
    path = Path(path)
    try:
        about = json.loads((path / "train.json").read_text(encoding="utf-8"))
        if _digest(about) != about["sha256"]:
            raise ValueError
        names = {run.name for run in experiment.runs(experiment.from_dict(about["settings"]))}
        if not {result["name"] for result in about["runs"]} <= names:
            raise ValueError
        about["where"]["data"], about["data"]["files"], about["finished"], about["table"]
    except OSError as error:
        lacks = isinstance(error, FileNotFoundError) and path.is_dir()
        got = f"got {str(path)!r}: {'it has no train.json' if lacks else error.strerror or type(error).__name__}"
        raise ValueError(f"RUN must be a folder written by chaosnum train, {got}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        got = f"got {str(path)!r}: its train.json is damaged or of something else"
        raise ValueError(f"RUN must be a folder written by chaosnum train, {got}") from None
    return about


def describe(dataset):
    """The data set as JSON has it."""
    return {
        "name": dataset.name, "preprocessing": dataset.preprocessing, "files": [dict(f) for f in dataset.files],
        "train": dataset.m, "test": len(dataset.X_test), "inputs": dataset.d,
        "classes": [str(c) for c in dataset.classes],
    }  # fmt: skip


def versions():
    """Versions that the last bit may depend on; the BLAS with the kernels that it chose."""
    from chaosnum import blas

    return {"chaosnum": chaosnum.__version__, **runfolder.versions(), "BLAS": blas.description()}


def _digest(about):
    rest = {key: value for key, value in about.items() if key != "sha256"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _earlier(path):
    """The files of an earlier grid that had come to its end, for an empty folder none.

    Raises
    ------
    ValueError
        Something else is there, or a grid that has not come to its end.
    """
    if not any(entry.name != LOCK for entry in path.iterdir()):
        return []
    try:
        about = read(path)
    except ValueError:
        line = f"out must be a new or empty folder or one of an earlier train, got {str(path)!r}"
        raise ValueError(line) from None
    if not about["finished"]:
        raise ValueError(f"out holds runs that are not finished, got {str(path)!r}: go on with --resume, or delete it")
    names = [*about["figures"], *(result["weights"] for result in about["runs"]), "train.json"]
    return [name for name in names if _OURS.fullmatch(str(name))]
