"""What the commands of ``chaosnum`` share: the parser, numbers as arguments, a seed, errors in one line."""

import argparse

from chaosnum.check import at_least

EXIT_STATUS = (
    "Exit status: 0 nothing violated, 1 a claim violated or a control not caught (with --strict also: "
    "inconclusive), 2 wrong usage or bad input, 130 stopped by Ctrl-C."
)


class Parser(argparse.ArgumentParser):
    """Wrong usage is one line and exit status 2; `hint` is for an option that swallowed a word not meant for it."""

    hint = ""

    def error(self, message):
        swallowed = self.hint and ("required" in message or "must be a number" in message)
        self.exit(2, f"chaosnum: error: {one_line(message)}{f' {self.hint}' if swallowed else ''}\n")


def number(text):
    """An argument as int where it is whole (1e6 too), else float; ranges are checked later, with the symbol."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    try:
        return int(text)
    except ValueError:
        return int(value) if value.is_integer() and abs(value) < 2**53 and "e" in text.lower() else value


def seed(value):
    """A seed of the command line -> int in [0, 2^63)."""
    number = at_least("seed", value, 0)
    if number >= 2**63:
        raise ValueError(f"seed must be a whole number in [0, 2^63), got {number}")
    return number


def one_line(text):
    """The text with every run of white space as one space."""
    return " ".join(str(text).split())
