"""What ``chaosnum plan`` prints: the width in words, what it rests on, and what the neighbours cost. 80 columns do."""

import sys
from textwrap import wrap

from chaosnum.words import number, symbol

WIDTH = 80


def print_plan(plan, *, stream=None):
    """Print a plan (dict, as `chaosnum.planned.study` returns it)."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)

    def say(text, style="", indent="  "):
        lines = wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                     break_on_hyphens=False)  # fmt: skip
        for line in lines:
            console.print(Text(line, style=style))

    def rows(cells):
        widths = [max(map(len, column)) for column in zip(*cells)]
        for i, row in enumerate(cells):
            line = "   ".join(cell.rjust(width) for cell, width in zip(row, widths))
            console.print(Text(f"    {line}".rstrip(), style="" if i else "dim"))

    width = plan["width"]
    names = [f"{symbol(key)} = {number(plan[key], 6)}" for key in ("alpha", "kappa", "eps", "delta", "p")]
    say(f"{', '.join(names)}; {column_words(plan)}", indent="")
    say(f"N: {width['words']}" if width["exists"] else width["words"], "bold")
    share = f"the largest {number(100 * plan['kappa'])} % of the columns"
    if width["exists"]:
        say(f"From this width on, keeping {share} leaves a relative l_{number(plan['p'])} error of at most "
            f"{number(plan['eps'])}; a larger one has probability {number(plan['delta'])}.")  # fmt: skip
    if plan["alpha"] == 2.0:
        say(f"Keeping {share}, the error tends to {number(width['limit'])} as the width grows.")
    else:
        power = number(1 / plan["alpha"] - 1 / plan["p"])
        say(f"In the end the error falls like n^-{power}: to halve it takes {factor_words(plan['growth'])} the width.")
    for note in plan["notes"]:
        say(note, "yellow")
    if plan["errors"]:
        say("relative error at width n", "bold")
        level = number(100 * plan["delta"], 6)
        rows([("n", "below in 5 %", "median", f"above in {level} %"),
              *((width_words(e["n"]), *(_error(e[key]) for key in ("low", "median", "exceeded_with_delta")))
                for e in plan["errors"])])  # fmt: skip
    say("width for other ε and κ", "bold")
    kappas = list(dict.fromkeys(n["kappa"] for n in plan["neighbours"]))
    by_eps = {}
    for n in plan["neighbours"]:
        by_eps.setdefault(n["eps"], []).append(width_words(n["n"], n["log10_n"]) if n["exists"] else "none")
    rows([("", *(f"κ = {number(kappa)}" for kappa in kappas)),
          *((f"ε = {number(eps)}", *cells) for eps, cells in by_eps.items())])  # fmt: skip
    say("what N rests on; Y is a column's norm", "bold")
    for line in constants(plan):
        console.print(Text(f"    {line}"))


def _error(value):
    return f"{value:.3f}" if value >= 0.01 else number(value, 2)


def constants(plan):
    """The numbers that the width is made of, one a line."""
    heavy = plan["alpha"] < 2.0
    named = {
        "q": "the (1 - κ)-quantile of Y", "M": "E[Y^p; Y ≤ q]", "C": "P(Y > r) ~ C r^-α" if heavy else "",
        "m": "what E Y^p leaves without that tail" if heavy else "E Y^p",
        "s_delta": "the δ-quantile of the stable sum of the largest" if heavy else "",
    }  # fmt: skip
    for name, words in named.items():
        if words:
            yield f"{name.replace('delta', 'δ')} = {number(plan['width'][name])}".ljust(14) + words
    if heavy:
        yield "N = ((M/ε^p - m) / (C^(p/α) s_δ))^(1/(p/α - 1)), at least 1/κ"


def column_words(plan):
    """What a column is made of."""
    kind = "" if plan["dim"] == 1 and plan["noise"] in ("I", "II", "III") else f" of Type {plan['noise']}"
    noise = "Gaussian noise" if plan["alpha"] == 2.0 else f"stable noise{kind}"
    numbers = "a single number" if plan["dim"] == 1 else f"{plan['dim']} numbers"
    if plan["pure_noise"]:
        return f"a column is {numbers}, {noise} alone"
    return (
        f"a column is {numbers}: initial law N(0, {number(plan['init_scale'])}²) and {noise}, "
        f"σ = {number(plan['sigma'])}, T = {number(plan['time'])}"
    )


def width_words(n, log10_n=0.0):
    """``24 532``, ``8 * 10^17``."""
    if n is not None and n < 1e7:
        return f"{round(n):,}".replace(",", " ")
    exponent = log10_n
    if not exponent:
        from math import log10

        exponent = log10(n)
    whole = int(exponent)
    lead = round(10 ** (exponent - whole))
    if lead == 10:
        lead, whole = 1, whole + 1
    return f"{lead} * 10^{whole}" if lead > 1 else f"10^{whole}"


def factor_words(factor):
    """``64 times``, ``5e11 times``."""
    return "more than 1e300 times" if factor is None or factor > 1e300 else f"{number(factor, 2)} times"
