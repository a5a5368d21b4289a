"""The command ``chaosnum``.

    chaosnum list [--json]                         the claims that can be verified
    chaosnum verify [ID ...] [options]             run them: verdict table, figures and CSV under runs/
    chaosnum proof ID [options]                    a proof's inequalities, their two sides measured, and the slack
    chaosnum plan [options]                        the width at which the compressibility theorem says something
    chaosnum fit FILE|FOLDER [options]             tail index and compressibility of somebody's own weights
    chaosnum train [--data NAME|FILE] [options]    heavy-tailed SGD on real data, and what pruning does to it
    chaosnum ledger ls|export|prune                finished cells, which `verify` keeps and goes on from
    chaosnum report RUN                            one self-contained page from the folder of a run
    chaosnum bench                                 this machine's speed against the peers that are installed

Exit status: 0 nothing violated; 1 a claim or a step of a proof violated, or a negative control of a claim not caught
(with ``--strict`` also: anything inconclusive); 2 wrong usage or bad input, with one line on stderr; 130 after Ctrl-C.
A control is an experiment spoilt on purpose: that a claim's comes out violated is what it is for, and counts as
`caught`. `proof` reports a spoilt proof as it is: a step that breaks is violated, status 1.

All that can be checked is checked before anything heavy is imported and before the first file is written.
"""

import json
import shutil
import sys
import time
from textwrap import TextWrapper

import chaosnum
from chaosnum import cli_fit, cli_ledger, cli_plan, cli_train, cli_verify
from chaosnum.arguments import EXIT_STATUS, Parser, number, one_line, seed
from chaosnum.words import provenance

LIST_WIDTH = 120  # columns


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
    parser = Parser(prog="chaosnum", description=chaosnum.__doc__.split("\n")[0], epilog=EXIT_STATUS)
    parser.add_argument("--version", action="version", version=f"chaosnum {chaosnum.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("list", help="the claims that can be verified")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_list)

    cli_verify.register(commands)

    command = commands.add_parser(
        "proof", help="a proof's inequalities, their two sides measured, and the slack",
        epilog="Exit status: 0 no step violated, 1 a step violated (with --control too), 2 wrong usage or bad input.",
    )  # fmt: skip
    add = command.add_argument
    add("id", metavar="ID", help="a theorem by id or name: C2, C3")
    add("--model", metavar="NAME", help="only on this model: kuramoto, linear, network (default: all)")
    add("--alpha", type=number, metavar="A", help="tail index in (1, 2] (default: 1.5)")
    add("--control", metavar="NAME", help="spoil the proof: the step that needs what is taken away is violated")
    add("--seed", type=number, default=1, metavar="N", help="a whole number in [0, 2^63) (default: 1)")
    add("--json", action="store_true", help="print one JSON object instead of the steps")
    command.set_defaults(run=_proof)

    cli_plan.register(commands)
    cli_fit.register(commands)
    cli_train.register(commands)
    cli_ledger.register(commands)

    command = commands.add_parser("report", help="one self-contained page from the folder of a run")
    command.add_argument("folder", metavar="RUN", help="a folder written by `chaosnum verify`")
    command.set_defaults(run=_report)

    command = commands.add_parser("bench", help="this machine's speed against the peers that are installed")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_bench)
    return parser


def _list(options, argv):
    from chaosnum import registry

    known = registry.claims()
    if options.json:
        print(json.dumps({"version": chaosnum.__version__, "claims": [_about(c) for c in known]}, indent=1))
        return 0
    fold = TextWrapper(min(shutil.get_terminal_size((LIST_WIDTH, 0)).columns, LIST_WIDTH), subsequent_indent="      ",
                       initial_indent="    ", break_long_words=False, break_on_hyphens=False).fill  # fmt: skip
    for c in known:
        print(f"{c.id}  {c.name}" + (f"  [{c.model}]" if c.model else ""))
        print(fold(f"{one_line(c.statement)} ({provenance(c.origin, one_line(c.source))})"))
        if c.qualified:
            print(fold(f"to be read with care: {one_line(c.qualified)}"))
        if c.controls:
            print(fold(f"controls: {', '.join(control.name for control in c.controls)}"))
    if not known:
        print("no claims are installed")
    return 0


def _about(c):
    """What `list --json` and run.json say of a claim."""
    return {
        "id": c.id, "name": c.name, "model": c.model, "statement": one_line(c.statement),
        "source": one_line(c.source), "origin": c.origin, "qualified": one_line(c.qualified),
        "scale": c.scale, "statistics": list(c.predictions()),
        "params": {k: list(v) if isinstance(v, (list, tuple)) else v for k, v in c.params.items()},
        "controls": {control.name: one_line(control.statement) for control in c.controls},
    }  # fmt: skip


def _proof(options, argv):
    from chaosnum import proof

    options.seed = seed(options.seed)
    chosen = proof.find(options.id, model=options.model, control=options.control, alpha=options.alpha)
    begun = time.perf_counter()
    found = [proof.run(p, alpha=options.alpha, control=options.control, seed=options.seed) for p in chosen]
    if options.json:
        seconds = round(time.perf_counter() - begun, 3)
        about = {"version": chaosnum.__version__, "seed": options.seed, "seconds": seconds}
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


def _fail(error):
    print(f"chaosnum: error: {one_line(error)}", file=sys.stderr)
    return 2
