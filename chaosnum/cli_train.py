"""``chaosnum train``: heavy-tailed SGD on real data, and what pruning does to it (claim C8).

A grid of runs in one command: the table goes to stdout; weights, figures, checkpoints and every number to a folder.
All that can be checked is checked before that folder is touched. A stopped or killed grid goes on with ``--resume``.
"""

import json
import os
import shlex
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path

import chaosnum
from chaosnum import experiment, trainsettings
from chaosnum.arguments import number, one_line
from chaosnum.check import at_least

_TEXT = """Heavy-tailed SGD on real data, and what pruning does to it: networks are trained
with stable noise and without, and pruned. Noise should raise the share of
columns that can go, at the same accuracy.

Options that take several values span a grid: every width, depth and
parametrisation, without noise and with each kind at each alpha, for each seed."""
_EXAMPLES = """examples:
  chaosnum train                           digits: no noise against I, II, III
  chaosnum train --data ecg5000 --data-dir DIR --alpha 1.75 1.8 1.9
  chaosnum train --data mine.csv --noise none II --seed 1 2 3 4 5
  chaosnum train --unit tanh --parametrisation mean-field --eta 2 --sigma 0.02
  chaosnum train --resume runs/20260101T120000Z-train

A grid that was stopped or killed goes on with --resume, and ends with the same
bits as one that was not. The weights are saved by columns, (inputs, units), and
chaosnum fit RUN/weights reads them so.
Exit status: 0 trained, 2 wrong usage, bad input or a run that diverged, 130
stopped by Ctrl-C."""
_SEVERAL = ("width", "depth", "parametrisation", "noise", "alpha", "seed")
_SINGLE = (
    "scaling", "labels", "unit", "sigma", "eta", "batch", "target", "every", "cap", "dtype", "prune_error", "scope",
)  # fmt: skip


def register(commands):
    """Add the command to the parser's subcommands."""
    command = commands.add_parser(
        "train", help="heavy-tailed SGD on real data, and what pruning does to it",
        usage="chaosnum train [--data NAME|FILE] [options]", description=_TEXT, epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = command.add_argument
    several = {"nargs": "+"}
    add("--data", metavar="NAME", help="digits, mnist, ecg5000, or a file or folder (default: digits)")
    add("--data-dir", metavar="DIR", help="where mnist and ecg5000 are (default: $CHAOSNUM_DATA, or data)")
    add("--scaling", metavar="HOW", help="none, unit, standardize, columns, rows (default: the data set's own)")
    add("--labels", metavar="all", help="all five classes of ecg5000, not normal against the rest")
    add("--width", type=number, **several, metavar="N", help=f"units of a hidden layer {_default('width')}")
    add("--depth", type=number, **several, metavar="L", help=f"hidden layers, 1 to 4 {_default('depth')}")
    add("--unit", metavar="|".join(trainsettings.UNITS), help=_default("unit"))
    add("--parametrisation", **several, metavar="P", help="standard (default), that of the experiments, or mean-field")
    add("--noise", **several, metavar="TYPE", help=f"none, I, II, III, III-paper {_default('noise')}")
    add("--alpha", type=number, **several, metavar="A", help=f"tail indices, in (0, 2] {_default('alpha')}")
    add("--sigma", type=number, metavar="S", help=f"scale of the noise {_default('sigma')}")
    add("--eta", type=number, metavar="E", help=f"step size {_default('eta')}")
    add("--batch", type=_or("full"), metavar="B|full", help=f"rows of a step {_default('batch')}")
    add("--target", type=_or("none"), metavar="ACC|none", help=f"train accuracy to stop at {_default('target')}")
    add("--every", type=number, metavar="K", help=f"steps between evaluations {_default('every')}")
    add("--cap", type=number, metavar="STEPS", help=f"most steps of a run {_default('cap')}")
    add("--seed", type=number, **several, metavar="N", help=f"whole numbers in [0, 2^63) {_default('seed')}")
    add("--dtype", metavar="|".join(trainsettings.DTYPES), help=_default("dtype"))
    add("--prune-error", type=number, metavar="E", help=f"share of the squared norm to prune {_default('prune_error')}")
    add("--scope", metavar="layer|global", help="columns compete within a layer (default), or all together")
    add("--threads", type=number, metavar="N", help="number of threads; results do not depend on it")
    add("--out", metavar="DIR", help="a new or empty folder, or one of a finished train (default: runs/<time>-train)")
    add("--resume", metavar="RUN", help="go on with the runs in this folder, which has the settings")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    command.set_defaults(run=_train)


def _default(name):
    """``(default: 500; ecg5000 2000, mnist 5000)``: a setting's default, and data sets that have another."""

    def words(value):
        values = value if isinstance(value, tuple) else (value,)
        return " ".join("full" if v is None else str(v) for v in values)

    default = words(getattr(trainsettings.Settings, name))
    own = {data: words(given[name]) for data, given in trainsettings.DEFAULTS.items() if name in given}
    others = ", ".join(f"{data} {value}" for data, value in own.items() if value != default)
    return f"(default: {default}{'; ' if others else ''}{others})"


def _or(word):
    """A number, or this word, which becomes the word itself."""

    def parse(text):
        if text == word:
            return word
        try:
            return number(text)
        except ArgumentTypeError:
            raise ArgumentTypeError(f"must be a number or {word}, got {text!r}") from None

    return parse


def _train(options, argv):
    threads = None if options.threads is None else at_least("threads", options.threads, 1)
    given = _given(options)
    if options.resume is not None:
        stray = [name for name in (*given, "out") if name in given or getattr(options, name) is not None]
        if stray:
            name = stray[0].replace("_", "-")
            raise ValueError(f"--resume takes its settings from RUN: leave out --{name}")
    from chaosnum import blas

    blas.choose_kernels()  # before NumPy is imported
    prepare = _new if options.resume is None else _resumed
    return _run(options, *prepare(options, given), threads)


def _given(options):
    """The settings on the command line, as `experiment.settings` takes them."""
    given = {name: tuple(v) for name in _SEVERAL if (v := getattr(options, name)) is not None}
    given |= {name: v for name in _SINGLE if (v := getattr(options, name)) is not None}
    return {name: None if v in ("full", "none") and name in ("batch", "target") else v for name, v in given.items()}


def _new(options, given):
    """Check everything, then claim a folder -> folder, settings, data set."""
    source = "digits" if options.data is None else options.data
    experiment.settings(source, **given)  # what is wrong with the options is said before anything is read
    from chaosnum import runfolder, trainfolder

    out = Path(runfolder.default_path("train") if options.out is None else options.out)
    trainfolder.check_free(out)  # before the data are read, which may take seconds
    dataset = _dataset(source, options.data_dir, given)
    if "labels" in given and dataset.name != "ecg5000":
        raise ValueError(f"labels must be left out for all data but ecg5000, got {given['labels']!r}")
    known = dataset.name in trainsettings.DEFAULTS and (source in trainsettings.DATA or os.path.isdir(source))
    if not known and "batch" not in given:
        given["batch"] = min(100, dataset.m)
    chosen = experiment.settings(dataset.name if known else Path(source).name, **given)
    experiment.check_data(chosen, dataset)
    return trainfolder.new(out, chosen, dataset, _where(source, options.data_dir, out)), chosen, dataset


def _resumed(options, given):
    """The folder of an earlier command, its settings and its data, which must be what they were."""
    from chaosnum import trainfolder

    about = trainfolder.read(options.resume)
    chosen = experiment.from_dict(about["settings"])
    place = Path(options.resume)
    source = options.data or _there(place, about["where"]["data"])
    folder = options.data_dir or _there(place, about["where"]["folder"])
    try:
        dataset = _dataset(source, folder, chosen.as_dict())
    except ValueError as error:
        raise ValueError(f"{error}; --resume takes --data and --data-dir, if the data were moved") from None
    now, then = trainfolder.describe(dataset), about["data"]
    if now != then:
        for one, other in zip(now["files"], then["files"]):
            if one != other:
                words = f"got {one['name']!r} of SHA-256 {one['sha256'][:12]}..., and {other['sha256'][:12]}... then"
                raise ValueError(f"data must be those that the run was begun with: {words}")
        raise ValueError(f"data must be those that the run was begun with, {then['name']!r}, got {now['name']!r}")
    folder = trainfolder.resume(options.resume)
    for name, version in trainfolder.versions().items():
        if folder.about["versions"].get(name) != version:
            was = folder.about["versions"].get(name)
            print(f"chaosnum: note: begun with {name} {was}, now {version}: the last bits may differ", file=sys.stderr)
    return folder, chosen, dataset


def _run(options, folder, chosen, dataset, threads):
    """Run the grid into its folder and print what came out -> exit status."""
    from chaosnum import interrupt, traingrid
    from chaosnum.threads import count
    from chaosnum.trainprogress import Progress

    path, total = folder.path, len(experiment.runs(chosen))
    again = f"chaosnum train --resume {shlex.quote(str(path))}"

    def last_words():
        if not folder.lock.acquire(timeout=0.5):  # a file that is being written is finished first, or left out
            return f"chaosnum: stopped; go on with: {again}"
        if _discard(folder, options):
            return "chaosnum: stopped before the first checkpoint: nothing is kept"
        return f"chaosnum: stopped; {len(folder.about['runs'])} of {total} runs are finished; go on with: {again}"

    try:
        with interrupt.stop_at_once(last_words):
            print(f"{total} run{'' if total == 1 else 's'}, into {path}", file=sys.stderr, flush=True)
            with Progress(total, chosen.cap if chosen.target is None else None) as progress:
                traingrid.run(folder, chosen, dataset, progress, threads=count(threads))
                progress.drawing()
                failure = traingrid.finish(folder)
    except BaseException as error:
        kept = not _discard(folder, options)
        if kept and options.resume is None and isinstance(error, (ValueError, OSError)):
            raise ValueError(f"{one_line(error)}; what is finished is kept, go on with: {again}") from None
        raise
    finally:
        folder.close()
    _print(options, folder.about, path)
    if failure:
        print(f"chaosnum: a figure could not be drawn: {one_line(failure)}", file=sys.stderr)
    return 2 if any(result["stopped"] == "diverged" for result in folder.about["runs"]) else 0


def _discard(folder, options):
    """Remove the folder of a new grid that has nothing to go on from -> whether it did."""
    if options.resume is not None or folder.begun():
        return False
    folder.discard()
    return True


def _print(options, about, path):
    if options.json:
        keys = ("seconds", "data", "settings", "runs", "table")
        print(json.dumps({"version": chaosnum.__version__, **{key: about[key] for key in keys}}, allow_nan=False))
        return
    from chaosnum import traintable

    traintable.print_runs(about)
    where = shlex.quote(str(path))
    print(f"{about['seconds']:.1f} s of training; weights, figures and every number in {where}")


def _dataset(source, folder, given):
    from chaosnum import data

    if folder is not None and source not in trainsettings.DATA[1:]:
        raise ValueError(f"--data-dir is for --data mnist and --data ecg5000 alone, got {str(folder)!r} for {source!r}")
    return data.dataset(source, folder=folder, scaling=given.get("scaling"), labels=given.get("labels"))


def _where(source, folder, out):
    """How to find the data again: paths relative to the folder of the run, so that both can be moved together."""
    found = {"data": source, "folder": None}
    if source in trainsettings.DATA:
        if source != "digits":
            from chaosnum import datafolder

            found["folder"] = _relative(datafolder.standard() if folder is None else folder, out)
        return found
    return {**found, "data": _relative(source, out)}


def _relative(path, out):
    try:
        return os.path.relpath(os.path.abspath(path), os.path.abspath(out))
    except ValueError:  # another drive of Windows
        return os.path.abspath(path)


def _there(place, found):
    """A path of `_where`, seen from here."""
    if found is None or found in trainsettings.DATA:
        return found
    return os.path.normpath(os.path.join(place, found))
