"""``chaosnum plan``: the width at which the compressibility theorem (C5) says something.

The theorem says that from some width N on the relative error of keeping the kappa n largest columns is at most eps
with probability 1 - delta; ``chaosnum.compress.required_width`` says which N. Near alpha = 2 it is astronomical.
"""

import json
from argparse import RawDescriptionHelpFormatter

import chaosnum
from chaosnum.arguments import number

NOISES = ("I", "II", "III", "III-paper")

_TEXT = """The width that the compressibility theorem needs: from how many columns n on is
the relative l_p error of keeping only the kappa n largest at most eps, with
probability 1 - delta?

The columns are stable noise of index alpha, after a time T with scale S, from
an initial law N(0, S0^2). Without --init-scale they are noise alone, which is
scale-free: then S and T have no part in the answer."""
_EXAMPLES = """examples:
  chaosnum plan --alpha 1.5 --kappa 0.1 --eps 0.2 --delta 0.05
  chaosnum plan --alpha 1.75 --kappa 0.1 --eps 0.1 --delta 0.05
  chaosnum plan --alpha 1.5 --kappa 0.1 --eps 0.2 --delta 0.05 \\
                --noise III --dim 784 --sigma 0.1 --time 1 --init-scale 1

Exit status: 0 planned, 2 wrong usage or bad input."""


def register(commands):
    """Add the command to the parser's subcommands."""
    command = commands.add_parser(
        "plan", help="the width at which the compressibility theorem says something",
        usage="chaosnum plan --alpha A --kappa K --eps E --delta D [options]", description=_TEXT, epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = command.add_argument
    add("--alpha", type=number, required=True, metavar="A", help="tail index, in (0, 2]")
    add("--kappa", type=number, required=True, metavar="K", help="share of columns kept, in (0, 1)")
    add("--eps", type=number, required=True, metavar="E", help="relative error, in (0, 1)")
    add("--delta", type=number, required=True, metavar="D", help="probability of a larger error, in (0, 1)")
    add("--p", type=number, default=2, metavar="P", help="order of the norm, above 0 (default: 2)")
    add("--noise", default="II", metavar="|".join(NOISES), help="noise within a column (default: II)")
    add("--dim", type=number, default=1, metavar="D", help="numbers in a column (default: 1)")
    add("--sigma", type=number, metavar="S", help="noise scale (default: 1); matters with --init-scale only")
    add("--time", type=number, metavar="T", help="time horizon (default: 1); matters with --init-scale only")
    add("--init-scale", type=number, metavar="S0", help="standard deviation of the initial law (default: 0)")
    add("--json", action="store_true", help="print one JSON object instead of the tables")
    command.set_defaults(run=_plan)


def _plan(options, argv):
    from chaosnum import planned, plantable
    from chaosnum.jsonform import strict

    given = {name: getattr(options, name) for name in ("alpha", "kappa", "eps", "delta", "p", "noise", "dim")}
    scales = {name: getattr(options, name) for name in ("sigma", "time", "init_scale")}
    found = {"version": chaosnum.__version__, **planned.study(**given, **scales)}
    if options.json:
        print(json.dumps(strict(found), allow_nan=False))
    else:
        plantable.print_plan(found)
    return 0
