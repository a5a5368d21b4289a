"""``chaosnum fit``: tail index and compressibility of somebody's own weights.

The tables go to stdout; ``fit.json`` with every number and the figures go to a folder, which is written when all
layers are fitted. What is wrong with a file is one line on stderr and exit status 2, and nothing is written.
"""

import json
import re
import shlex
import shutil
import sys
import time
from argparse import RawDescriptionHelpFormatter
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import chaosnum
from chaosnum.arguments import number
from chaosnum.check import in_range

_TEXT = """Tail index and l_p compressibility of the weights in a file: estimates of
alpha with intervals, and the error of keeping only the largest columns,
measured and as the theorem foretells it from alpha.

A column holds all weights into one hidden unit. Where it lies in an array
depends on who wrote the file: --columns takes the last axis for the units
(this package, Keras, Flax), --rows the first (PyTorch, Linear and Conv),
--entries every number by itself. By default .safetensors is read by rows (but
this package's by columns) and everything else by columns; vectors, such as
biases, are entries in any case.
Every result says which way it was read. A layer needs 100 units."""
_EXAMPLES = """examples:
  chaosnum fit model.safetensors                every layer of 100 units or more
  chaosnum fit net.npz --layer 'fc*' --rows     some layers, saved from PyTorch
  chaosnum fit net.csv --entries --p 1.5 2      by entries, in two norms

A file is read and never executed: a pickle (.pt, .pkl) is refused, with a line
on what to do instead.
Exit status: 0 fitted, 2 wrong usage or bad input, 130 stopped by Ctrl-C."""
_HINT = "(the file comes before the options: chaosnum fit FILE --p 1 2)"


def register(commands):
    """Add the command to the parser's subcommands."""
    command = commands.add_parser(
        "fit", help="tail index and compressibility of your own weights", usage="chaosnum fit FILE|FOLDER [options]",
        description=_TEXT, epilog=_EXAMPLES, formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.hint = _HINT
    add = command.add_argument
    add("source", metavar="FILE|FOLDER", help=".npy, .npz, .csv or .safetensors, or a folder of them")
    add("--p", type=number, nargs="+", metavar="P", help="orders of the norm, in (0, 100] (default: 1 2)")
    add("--kappa", type=number, nargs="+", metavar="K", help="shares kept, in (0, 1) (default: 0.05 0.1 0.2 0.5)")
    add("--layer", nargs="+", default=[], metavar="NAME", help="only these layers; * and ? as in a shell")
    units = command.add_mutually_exclusive_group()
    for name, words in (("columns", "the last axis numbers the units"), ("rows", "the first axis does"),
                        ("entries", "every entry is a unit")):  # fmt: skip
        units.add_argument(f"--{name}", dest="units", action="store_const", const=name, help=words)
    add("--out", metavar="DIR", help="a new or empty folder, or one of an earlier fit (default: runs/<time>-fit)")
    add("--json", action="store_true", help="print one JSON object instead of the tables")
    command.set_defaults(run=_fit)


def _fit(options, argv):
    ps = [in_range("p", p, 0.0, 100.0) for p in options.p or (1, 2)]
    kappas = [in_range("kappa", k, 0.0, 1.0, open_high=True) for k in options.kappa or (0.05, 0.1, 0.2, 0.5)]
    begun = time.perf_counter()
    from chaosnum import weights
    from chaosnum.jsonform import strict

    parts = weights.load(options.source, layers=options.layer, units=options.units)
    folder = Folder(options.out)
    try:
        layers, passed = _study(parts, ps, kappas)
        found = strict({
            "version": chaosnum.__version__, "seconds": round(time.perf_counter() - begun, 3),
            "source": Path(options.source).resolve().name, "p": ps, "kappa": kappas, "layers": layers,
            "passed_over": passed,
        })  # fmt: skip
        found["files"] = folder.write(found)
    except BaseException:
        folder.discard()
        raise
    if options.json:
        print(json.dumps(found, allow_nan=False))
        return 0

    from chaosnum import fittable

    fittable.print_layers(found["layers"])
    print(f"{found['seconds']:.1f} s; figures and every number in {shlex.quote(str(folder.path))}")
    return 0


def _study(parts, ps, kappas):
    """Fit every layer -> results, and what was passed over, each with a line on stderr."""
    from chaosnum import fitted, weights

    layers, passed = [], []
    for part in parts:
        if not isinstance(part, weights.Layer):
            name, reason = part
        else:
            if sys.stderr.isatty():  # somebody waits, and a large network takes a while
                print(f"fitting {part.name}", file=sys.stderr)
            try:
                layers.append(fitted.study(part, ps=ps, kappas=kappas))
                continue
            except ValueError as error:  # numbers that no estimator can use
                name, reason = part.name, f"cannot be fitted: {error}"
        passed.append({"layer": name, "reason": reason})
    if not layers:
        raise ValueError(f"{passed[-1]['layer']} {passed[-1]['reason']}")
    for part in passed:
        print(f"chaosnum: passed over: {part['layer']} {part['reason']}", file=sys.stderr)
    return layers, passed


class Folder:
    """Where the results go: claimed before anything is computed, written when everything is.

    Raises
    ------
    ValueError
        The folder cannot be written to, or holds something that no earlier fit wrote.
    """

    def __init__(self, path):
        from chaosnum import runfolder

        self.path = Path(runfolder.default_path("fit") if path is None else path)
        self.made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.earlier = self._earlier() if any(self.path.iterdir()) else []
            self.partial = Path(mkdtemp(prefix=".partial-", dir=self.path))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ValueError(f"out must be a folder that can be written to, got {str(self.path)!r}: {reason}") from None

    def _earlier(self):
        """The files that an earlier fit wrote here."""
        try:
            names = json.loads((self.path / "fit.json").read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            line = f"out must be a new or empty folder or one of an earlier fit, got {str(self.path)!r}"
            raise ValueError(line) from None
        return [name for name in names if re.fullmatch(r"fit\.json|fit-\d+\.(png|pdf)", str(name))]

    def write(self, found):
        """Write the figures and fit.json -> names of the files."""
        from chaosnum import fitfigure, report

        names = []
        for i, figure in enumerate(fitfigure.pages(found["layers"]), 1):
            names += [path.name for path in report.save(figure, self.partial / f"fit-{i}")]
        names.append("fit.json")
        text = json.dumps({**found, "files": names}, indent=1, allow_nan=False) + "\n"
        (self.partial / "fit.json").write_text(text, encoding="utf-8")
        for name in self.earlier:
            (self.path / name).unlink(missing_ok=True)
        for name in names:
            (self.partial / name).replace(self.path / name)
        self.partial.rmdir()
        return names

    def discard(self):
        """Remove what was not finished, and the folders made for it."""
        shutil.rmtree(self.partial, ignore_errors=True)
        with suppress(OSError):  # a folder that somebody else has put something into stays
            for folder in self.made:
                folder.rmdir()
