"""``chaosnum verify``: claims at growing scale, verdicts on stdout, figures and numbers in a folder.

All that can be checked is checked before anything heavy is imported and before the first file is written.
"""

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from chaosnum.arguments import EXIT_STATUS, number, one_line, seed
from chaosnum.check import at_least, in_range, one_of, positive
from chaosnum.ledger import DEFAULT

BUDGETS = ("quick", "standard", "full")
UNITS = ("tanh", "sigmoid", "relu")
LOSSES = ("logistic", "square")


def register(commands):
    """Add the command to the parser's subcommands."""
    command = commands.add_parser(
        "verify", help="verify claims: verdicts, figures, every number as CSV", epilog=EXIT_STATUS
    )
    add = command.add_argument
    add("ids", nargs="*", metavar="ID", help="claims by id or name, as `chaosnum list` shows them (default: all)")
    add("--budget", default="quick", metavar="|".join(BUDGETS), help="replicas and scales (default: quick)")
    add("--minutes", type=_number, metavar="M", help="M minutes, for more replicas where verdicts are inconclusive")
    add("--model", metavar="NAME", help="only claims on this model, e.g. kuramoto, linear, network, iid")
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
    add("--processes", type=_number, metavar="N", help="run cells in N processes of this machine in place of threads")
    add(
        "--dask",
        metavar="ADDRESS",
        help="run cells on the Dask cluster with this scheduler; local: one of this machine",
    )
    add("--mpi", action="store_true", help="run cells on the other ranks: mpiexec -n N chaosnum verify --mpi ...")
    add("--out", metavar="DIR", help="a new or empty folder, or one of an earlier run (default: runs/<time>-<budget>)")
    add("--ledger", metavar="FILE", help=f"keeps finished cells, which are not run again (default: {DEFAULT})")
    add("--no-ledger", action="store_true", help="run every cell, and keep none")
    add("--log", metavar="FILE", help="append what happens to FILE, one JSON object a line; progress every second")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    add("--strict", action="store_true", help="exit status 1 also when a verdict is inconclusive")
    command.set_defaults(run=_verify)


def _number(text):
    """A number; a word after an option that takes several is most likely a claim."""
    try:
        return number(text)
    except argparse.ArgumentTypeError as error:
        hint = " (claims come before the options: chaosnum verify ID --alpha A)" if text[:1].isalpha() else ""
        raise argparse.ArgumentTypeError(f"{error}{hint}") from None


def _verify(options, argv):
    copies = max(int(os.environ.get(name, 1)) for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE"))
    if copies > 1 and not options.mpi:
        raise ValueError(f"mpiexec has started this command {copies} times: add --mpi to run it once, on all of them")
    ways = [f"--{name}" for name in ("threads", "processes", "dask", "mpi") if getattr(options, name)]
    if len(ways) > 1:
        raise ValueError(f"cells must run in one way, got {' and '.join(ways)}")
    if not options.mpi:
        return _checked(options, argv)
    import signal

    from chaosnum import engines

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends a rank also while it waits for another inside MPI
    with engines.ranks() as pool:  # entered by every rank, whatever becomes of the rest
        return 0 if pool is None else _checked(options, argv, pool)


def _checked(options, argv, pool=None):
    from chaosnum import claim, sweep

    params, scales = _settings(options)
    chosen = claim.find(options.ids, models=[options.model] if options.model else ())
    chosen = [_rescaled(c, scales) for c in chosen]
    _check_used(chosen, {**params, **scales})
    params |= {name: values for name, values in scales.items() if any(name in c.params for c in chosen)}
    params = {name: value for name, value in params.items() if any(name in c.params for c in chosen)}
    chosen = _of_their_domain(chosen, params.pop("alpha", ()))
    cases = sweep.plan(chosen, options.budget, control=options.control, params=params)

    from chaosnum import runabout, runfolder

    about = {
        "command": runabout.command(argv), "seed": options.seed, "budget": options.budget, "control": options.control,
        "data": runabout.data(params, chosen), "claims": runabout.claims(chosen),
    }  # fmt: skip
    log = _log(options)
    folder = runfolder.RunFolder(options.out or runfolder.default_path(options.budget), about)
    try:
        status = _run(options, chosen, params, cases, folder, pool, log)
    except BaseException as error:
        if log:
            event = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            log.write(event, message=one_line(error) or type(error).__name__)
        if not folder.verdicts:
            folder.discard()
        raise
    finally:
        if log:
            log.close()
    return status


def _run(options, chosen, params, cases, folder, pool, log):
    """Run the plan into the folder, print what came out -> exit status."""
    from chaosnum import cellcosts, interrupt, sweep, table, threads
    from chaosnum.progress import Progress
    from chaosnum.recorder import Recorder

    progress = recorder = None

    def last_words():
        if recorder:
            recorder.stop()
        if log and progress:
            log.write("stopped", patience=0.3, **progress.counts())
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
    with interrupt.stop_at_once(last_words), _executor(options, pool) as executor:
        workers = getattr(executor, "_max_workers", None) or threads.count(options.threads)
        progress = Progress(cases, workers, costs=cellcosts.read(), minutes=options.minutes, log=log)
        recorder = Recorder(folder, cases, options.seed, progress, log)
        with progress:
            sweep.verify(
                chosen, budget=options.budget, seed=options.seed, control=options.control, params=params,
                executor=executor, threads=options.threads, observer=recorder, ledger=_ledger(options),
                minutes=options.minutes,
            )  # fmt: skip
            if not folder.verdicts:
                raise ValueError(f"minutes must be enough for one claim, got {options.minutes:g}"
                                 + ("; finished cells stay in the ledger" if _ledger(options) else ""))  # fmt: skip
            recorder.finish(begun)
    status = _status(folder.verdicts, options.strict, recorder.not_reached())
    if log:
        log.write("finished", seconds=folder.about["seconds"], status=status, **progress.verdicts())
    if options.json:
        print(json.dumps(folder.summary(), allow_nan=False))
    else:
        table.print_verdicts(folder.verdicts)
        if missing := recorder.not_reached():
            print(f"not reached in the time: {missing} of {len(cases)} claims; the same command goes on from here")
        if recorder.from_ledger:
            print(f"{recorder.from_ledger} of {progress.of_cells} cells were in {_ledger(options)}")
        print(f"{folder.about['seconds']:.1f} s; figures and numbers in {folder.path}; "
              f"a page of it: chaosnum report {shlex.quote(str(folder.path))}")  # fmt: skip
    sys.stdout.flush()
    table.print_needs(recorder.open_ends())
    for name, reason in recorder.unkept.items():
        print(f"not kept in the ledger: cells of {name}: {one_line(reason)}", file=sys.stderr)
    if recorder.failure:
        print(f"chaosnum: a figure could not be drawn: {one_line(recorder.failure)}", file=sys.stderr)
    return status


def _executor(options, pool):
    """A context manager with the executor that the options ask for; None: threads."""
    from contextlib import nullcontext

    from chaosnum import engines

    if options.processes is not None:
        return engines.processes(options.processes)
    if options.dask is not None:
        return engines.dask(options.dask)
    return nullcontext(pool)


def _log(options):
    """The log to write, or None; refused before anything runs."""
    if options.log is None:
        return None
    from chaosnum.runlog import RunLog

    return RunLog(options.log, private=(options.data, options.out, _ledger(options), options.log))


def _ledger(options):
    """The ledger to use -> str or None."""
    if options.no_ledger:
        return None
    return options.ledger if options.ledger is not None else os.environ.get("CHAOSNUM_LEDGER", DEFAULT) or None


def _settings(options):
    """Check every option by itself -> parameters, and values that are scales of some claims."""
    one_of("budget", options.budget, BUDGETS)
    options.seed = seed(options.seed)
    if options.minutes is not None:
        from chaosnum.effort import MOST_MINUTES

        options.minutes = in_range("minutes", options.minutes, 0.0, MOST_MINUTES)
    for name in ("threads", "processes"):
        if getattr(options, name) is not None:
            setattr(options, name, at_least(name, getattr(options, name), 1))
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


def _rescaled(c, scales):
    """The claim at the scales given on the command line."""
    if c.scale not in scales:
        return c
    controls = tuple(replace(control, scales=None) for control in c.controls)
    return replace(c, scales=tuple(scales[c.scale]), controls=controls)


def _of_their_domain(chosen, alphas):
    """The claims, each at those of the tail indices that it is about; the rest is named on stderr.

    An index that no claim is about is an error.
    """
    concerned = [c for c in chosen if "alpha" in c.params] if alphas else []
    mine, refused = {c: [] for c in concerned}, []
    for alpha in alphas:
        errors = {}
        for c in concerned:
            try:
                c.cases({"alpha": alpha})
                mine[c].append(alpha)
            except ValueError as error:
                errors[c] = error
        if len(errors) == len(concerned) > 0:
            raise next(iter(errors.values()))
        refused += [f"left out: {c.id} {c.name}, {c.model}: {error}" for c, error in errors.items()]
    for line in refused:
        print(line, file=sys.stderr)
    rest = [c for c in chosen if mine.get(c, True)]
    return [replace(c, params={**c.params, "alpha": tuple(mine[c])}) if c in mine else c for c in rest]


def _check_used(chosen, given):
    for name in given:
        if not any(name == c.scale or name in c.params for c in chosen):
            known = ", ".join(dict.fromkeys(c.id for c in chosen))
            raise ValueError(f"{name} has no part in the chosen claims ({known}), got {name} = {given[name]}")


def _status(verdicts, strict, missing):
    from chaosnum.words import outcome

    bad = {"violated", "missed"} | ({"inconclusive"} if strict else set())
    return int(any(outcome(v) in bad for v in verdicts) or bool(strict and missing))
