"""The command ``chaosnum``.

    chaosnum list [--json]                         the claims that can be verified
    chaosnum verify [ID ...] [options]             run them: verdict table, figures and CSV under runs/
    chaosnum proof ID [options]                    a proof's inequalities, their two sides measured, and the slack
    chaosnum report RUN                            one self-contained page from the folder of a run
    chaosnum bench                                 this machine's speed against the peers that are installed

Exit status: 0 nothing violated; 1 a claim or a step of a proof violated, or a negative control of a claim not caught
(with ``--strict`` also: anything inconclusive); 2 wrong usage or bad input, with one line on stderr; 130 after Ctrl-C.
A control is an experiment spoilt on purpose: that a claim's comes out violated is what it is for, and counts as
`caught`. `proof` reports a spoilt proof as it is: a step that breaks is violated, status 1.

All that can be checked is checked before anything heavy is imported and before the first file is written.
"""

import argparse
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import chaosnum
from chaosnum.check import at_least, in_range, one_of, positive

BUDGETS = ("quick", "standard", "full")
UNITS = ("tanh", "sigmoid", "relu")
LOSSES = ("logistic", "square")


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one line and exit status 2."""

    def error(self, message):
        self.exit(2, f"chaosnum: error: {_one_line(message)}\n")


def main(argv=None):
    """Run the command -> exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Greek letters shows "?" instead of failing
            stream.reconfigure(errors="replace")
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        return options.run(options, argv)
    except ValueError as error:
        return _fail(error)
    except BrokenPipeError:  # `chaosnum list | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename}" if error.filename else error)
    except MemoryError as error:
        return _fail(f"not enough memory: {error}" if str(error) else "not enough memory")
    except KeyboardInterrupt:
        print("chaosnum: stopped", file=sys.stderr)
        return 130


def _parser():
    parser = _Parser(prog="chaosnum", description=chaosnum.__doc__.split("\n")[0], epilog=_epilog())
    parser.add_argument("--version", action="version", version=f"chaosnum {chaosnum.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("list", help="the claims that can be verified")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_list)

    command = commands.add_parser(
        "verify", help="verify claims: verdicts, figures, every number as CSV", epilog=_epilog()
    )
    add = command.add_argument
    add("ids", nargs="*", metavar="ID", help="claims by id or name, as `chaosnum list` shows them (default: all)")
    add("--budget", default="quick", metavar="|".join(BUDGETS), help="replicas and scales (default: quick)")
    add("--model", metavar="NAME", help="only claims on this model: kuramoto, linear, network")
    add("--alpha", type=_number, nargs="+", metavar="A", help="tail indices in (0, 2], or the claim's own range")
    add("--sigma", type=_number, metavar="S", help="noise scale, above 0")
    add("--time", type=_number, metavar="T", help="time horizon T, above 0")
    add("--n", type=_number, nargs="+", metavar="N", help="numbers of particles, from 2: the scales of claims in n")
    add("--eta", type=_number, nargs="+", metavar="E", help="step sizes, above 0: the scales of claims in eta")
    add("--data", metavar="digits|FILE", help="data of the network model (default: digits)")
    add("--unit", metavar="|".join(UNITS), help="unit of the network model (default: tanh)")
    add("--loss", metavar="|".join(LOSSES), help="loss of the network model (default: logistic)")
    add("--control", metavar="NAME|all", help="run negative controls in place of the claims; they must be caught")
    add("--seed", type=_number, default=1, metavar="N", help="a whole number in [0, 2^63) (default: 1)")
    add("--threads", type=_number, metavar="N", help="number of threads; results do not depend on it")
    add("--out", metavar="DIR", help="a new or empty folder, or one of an earlier run (default: runs/<time>-<budget>)")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    add("--strict", action="store_true", help="exit status 1 also when a verdict is inconclusive")
    command.set_defaults(run=_verify)

    command = commands.add_parser(
        "proof", help="a proof's inequalities, their two sides measured, and the slack",
        epilog="Exit status: 0 no step violated, 1 a step violated (with --control too), 2 wrong usage or bad input.",
    )  # fmt: skip
    add = command.add_argument
    add("id", metavar="ID", help="a theorem by id or name: C2, C3")
    add("--model", metavar="NAME", help="only on this model: kuramoto, linear, network (default: all)")
    add("--alpha", type=_number, metavar="A", help="tail index in (1, 2] (default: 1.5)")
    add("--control", metavar="NAME", help="spoil the proof: the step that needs what is taken away is violated")
    add("--seed", type=_number, default=1, metavar="N", help="a whole number in [0, 2^63) (default: 1)")
    add("--json", action="store_true", help="print one JSON object instead of the steps")
    command.set_defaults(run=_proof)

    command = commands.add_parser("report", help="one self-contained page from the folder of a run")
    command.add_argument("folder", metavar="RUN", help="a folder written by `chaosnum verify`")
    command.set_defaults(run=_report)

    command = commands.add_parser("bench", help="this machine's speed against the peers that are installed")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_bench)
    return parser


def _epilog():
    return (
        "Exit status: 0 nothing violated, 1 a claim violated or a control not caught (with --strict also: "
        "inconclusive), 2 wrong usage or bad input, 130 stopped by Ctrl-C."
    )


def _number(text):
    """An argument as int where it is whole (1e6 too), else float; ranges are checked later, with the symbol."""
    try:
        value = float(text)
    except ValueError:
        hint = " (claims come before the options: chaosnum verify ID --alpha A)" if text[:1].isalpha() else ""
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}{hint}") from None
    try:
        return int(text)
    except ValueError:
        return int(value) if value.is_integer() and abs(value) < 2**53 and "e" in text.lower() else value


def _list(options, argv):
    from chaosnum import claim

    known = claim.claims()
    if options.json:
        print(json.dumps({"version": chaosnum.__version__, "claims": [_about(c) for c in known]}, indent=1))
        return 0
    for c in known:
        print(f"{c.id}  {c.name}" + (f"  [{c.model}]" if c.model else ""))
        print(f"    {_one_line(c.statement)}  ({_one_line(c.source)})")
        if c.controls:
            print(f"    controls: {', '.join(control.name for control in c.controls)}")
    if not known:
        print("no claims are installed")
    return 0


def _about(c):
    """What `list --json` and run.json say of a claim."""
    return {
        "id": c.id, "name": c.name, "model": c.model, "statement": _one_line(c.statement),
        "source": _one_line(c.source), "scale": c.scale, "statistics": list(c.predictions()),
        "params": {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in c.params.items()},
        "controls": {control.name: _one_line(control.statement) for control in c.controls},
    }  # fmt: skip


def _verify(options, argv):
    from chaosnum import claim, sweep

    params, scales = _settings(options)
    chosen = claim.find(options.ids, models=[options.model] if options.model else ())
    chosen = [_rescaled(c, scales) for c in chosen]
    _check_used(chosen, {**params, **scales})
    params |= {name: values for name, values in scales.items() if any(name in c.params for c in chosen)}
    params = {name: value for name, value in params.items() if any(name in c.params for c in chosen)}
    cases = sweep.plan(chosen, options.budget, control=options.control, params=params)

    data = _read_data(params)

    from chaosnum import runfolder

    about = {
        "command": _command(argv), "seed": options.seed, "budget": options.budget, "control": options.control,
        "data": data, "claims": _grouped(chosen),
    }  # fmt: skip
    folder = runfolder.RunFolder(options.out or runfolder.default_path(options.budget), about)
    try:
        verdicts = _run(options, chosen, params, cases, folder)
    except BaseException:
        if not folder.verdicts:
            folder.discard()
        raise
    return _status(verdicts, options.strict)


def _run(options, chosen, params, cases, folder):
    """Run the plan into the folder, print what came out -> list of verdicts in JSON form."""
    from chaosnum import interrupt, sweep, table
    from chaosnum.recorder import Recorder

    def last_words():
        if not folder.lock.acquire(timeout=0.5):  # a file that is being written is finished first
            return f"chaosnum: stopped; finished verdicts are in {folder.path}"
        count = len(folder.verdicts)
        if not count:
            folder.discard()
            return "chaosnum: stopped before the first verdict"
        return f"chaosnum: stopped; {count} finished verdict{'s are' if count > 1 else ' is'} in {folder.path}"

    begun = time.perf_counter()
    cells = sum(case.cells for case in cases)
    plural = "" if len(cases) == 1 else "s"
    print(f"{len(cases)} case{plural}, {cells} cells, into {folder.path}", file=sys.stderr, flush=True)
    with interrupt.stop_at_once(last_words), table.Progress() as progress:
        recorder = Recorder(folder, cases, options.seed, progress)
        sweep.verify(
            chosen, budget=options.budget, seed=options.seed, control=options.control, params=params,
            threads=options.threads, observer=recorder,
        )  # fmt: skip
        recorder.finish(begun)
    if options.json:
        print(json.dumps(folder.summary(), allow_nan=False))
    else:
        table.print_verdicts(folder.verdicts)
        print(f"{folder.about['seconds']:.1f} s; figures and numbers in {folder.path}; "
              f"a page of it: chaosnum report {shlex.quote(str(folder.path))}")  # fmt: skip
    if recorder.failure:
        print(f"chaosnum: a figure could not be drawn: {_one_line(recorder.failure)}", file=sys.stderr)
    return folder.verdicts


def _settings(options):
    """Check every option by itself -> parameters, and values that are scales of some claims."""
    one_of("budget", options.budget, BUDGETS)
    options.seed = _seed(options.seed)
    if options.threads is not None:
        options.threads = at_least("threads", options.threads, 1)
    params, scales = {}, {}
    if options.alpha:
        params["alpha"] = [in_range("alpha", a, 0.0, 2.0) for a in options.alpha]
    if options.sigma is not None:
        params["sigma"] = positive("sigma", options.sigma)
    if options.time is not None:
        params["T"] = positive("T", options.time)
    if options.n:
        scales["n"] = [at_least("n", n, 2) for n in options.n]
    if options.eta:
        scales["eta"] = [positive("eta", eta) for eta in options.eta]
    for name, allowed in (("unit", UNITS), ("loss", LOSSES)):
        if (value := getattr(options, name)) is not None:
            params[name] = one_of(name, value, allowed)
    if options.data is not None:
        params["data"] = options.data
        if options.data != "digits" and not Path(options.data).is_file():
            raise ValueError(f"data must be digits or a file, got {options.data!r}")
    return params, scales


def _seed(value):
    seed = at_least("seed", value, 0)
    if seed >= 2**63:
        raise ValueError(f"seed must be a whole number in [0, 2^63), got {seed}")
    return seed


def _read_data(params):
    """Check a data file for good before anything runs -> its name and SHA-256 for run.json."""
    if params.get("data", "digits") == "digits":
        return "digits"
    from hashlib import sha256

    from chaosnum.data import load
    from chaosnum.network import Network

    Network(*load(params["data"]))
    path = Path(params["data"])
    return {"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}


def _rescaled(c, scales):
    """The claim at the scales given on the command line."""
    if c.scale not in scales:
        return c
    controls = tuple(replace(control, scales=None) for control in c.controls)
    return replace(c, scales=tuple(scales[c.scale]), controls=controls)


def _check_used(chosen, given):
    for name in given:
        if not any(name == c.scale or name in c.params for c in chosen):
            known = ", ".join(dict.fromkeys(c.id for c in chosen))
            raise ValueError(f"{name} has no part in the chosen claims ({known}), got {name} = {given[name]}")


def _command(argv):
    """The command as run.json has it: what decides the results, without where they went and absolute paths."""
    kept, skip = [], False
    for i, word in enumerate(argv):
        if skip or word in ("--json", "--out") or word.startswith("--out="):
            skip = word == "--out"
            continue
        before = argv[i - 1] if i else ""
        kept.append(Path(word).name if before == "--data" and Path(word).is_absolute() else word)
    return f"chaosnum {shlex.join(kept)}"


def _grouped(chosen):
    """{claim: [its statements]}, each once, for the page of the run."""
    found = {}
    for c in chosen:
        about = {"statement": _one_line(c.statement), "source": _one_line(c.source)}
        known = found.setdefault(c.id, [])
        if about not in known:
            known.append(about)
    return found


def _status(verdicts, strict):
    from chaosnum.words import outcome

    bad = {"violated", "missed"} | ({"inconclusive"} if strict else set())
    return int(any(outcome(v) in bad for v in verdicts))


def _proof(options, argv):
    from chaosnum import proof

    seed = _seed(options.seed)
    chosen = proof.find(options.id, model=options.model, control=options.control, alpha=options.alpha)
    begun = time.perf_counter()
    found = [proof.run(p, alpha=options.alpha, control=options.control, seed=seed) for p in chosen]
    if options.json:
        about = {"version": chaosnum.__version__, "seed": seed, "seconds": round(time.perf_counter() - begun, 3)}
        print(json.dumps({**about, "proofs": found}, allow_nan=False))
    else:
        from chaosnum import prooftable

        prooftable.print_proofs(found)
    return int(any(step["verdict"] == proof.VIOLATED for p in found for step in p["steps"]))


def _report(options, argv):
    from chaosnum import page

    print(page.write(options.folder))
    return 0


def _bench(options, argv):
    from chaosnum import bench

    return bench.main(json=options.json)


def _one_line(text):
    return " ".join(str(text).split())


def _fail(error):
    print(f"chaosnum: error: {_one_line(error)}", file=sys.stderr)
    return 2
