"""Files of text with one sample a line: .csv, the UCR archive's .txt and .tsv, and the .ts of sktime and UEA.

* ``.csv``: numbers separated by commas, the label last; at most one header line, which names every column.
* ``.txt``, ``.tsv``: the label first, then the series, separated by white space or by commas.
* ``.ts``: lines that begin with @ say what the file holds; after ``@data`` each line is a series, its numbers separated
  by commas, then a colon and the label. Read is what has one channel, one length, no time stamps and no gaps.

A sample's numbers must all be there: rows of different lengths, empty cells and question marks are refused with the
number of their line, because a row that is filled up or cut is another row. A label may be a word.

What goes wrong: a file that was cut off between two lines cannot be told from a shorter one. The SHA-256 that
`datafiles.read` returns tells the two apart; so does the number of samples, where it is known.

References: the UCR archive, H. A. Dau et al., IEEE/CAA J. Autom. Sinica 6 (2019) 1293; the .ts format,
https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html.
"""

from array import array

import numpy as np

from chaosnum.weightfiles import is_number

LONGEST_LABEL = 100  # characters; one long label would make the array of all labels as wide


def csv(stream, name, *, words=True):
    """The samples of a .csv file -> X float64 (m, d), labels str (m,).

    `words` False wants numbers as labels.
    """
    order = "numbers separated by commas" + (", the label last" if words else "")

    def samples():
        for number, line in _lines(stream):
            cells = line.split(",")
            # One number in the first line makes it a sample, and its other cells mistakes.
            if number == 1 and not any(map(is_number, cells)):
                continue
            if not words and not is_number(cells[-1]):
                raise _wrong(name, number, order, line)
            yield number, cells[:-1], cells[-1], line

    return _collect(name, samples(), order, f"data {name!r} must hold rows of equal length, at least two numbers each")


def ucr(stream, name):
    """The samples of a UCR .txt or .tsv file -> X float64 (m, d), labels str (m,)."""

    def samples():
        for number, line in _lines(stream):
            cells = line.split("," if "," in line else None)
            yield number, cells[1:], cells[0], line

    return _collect(name, samples(), "a label and then numbers, separated by white space or commas")


def ts(stream, name):
    """The samples of a .ts file -> X float64 (m, d), labels str (m,)."""
    lines = _lines(stream)
    declared, length = _tags(lines, name)

    def samples():
        for number, line in lines:
            if line.startswith("#"):
                continue
            body, colon, label = line.rpartition(":")
            label = label.strip()
            if not colon:
                raise _wrong(name, number, order, line)
            for mark, what in (
                (":", "one channel (a univariate series)"),
                ("(", "numbers without time stamps"),
                ("?", "no missing values (?)"),
            ):
                if mark in body:
                    raise _wrong(name, number, what, line)
            if declared and label not in declared:
                raise _wrong(name, number, f"a label of the line @classLabel ({', '.join(declared)[:40]})", line, label)
            cells = body.split(",")
            if length and len(cells) != length:
                raise _wrong(name, number, f"the {length} numbers of the line @seriesLength", line, len(cells))
            yield number, cells, label, line

    order = "numbers separated by commas, a colon and the label"
    return _collect(name, samples(), order)


def _tags(lines, name):
    """Reads the lines up to @data -> labels that the file declares, length that it declares (0: none)."""
    refused = {  # what the tag says of the data -> why they are not read
        ("@timestamps", "true"): "has time stamps",
        ("@missing", "true"): "has missing values",
        ("@univariate", "false"): "is multivariate",
        ("@equallength", "false"): "has series of unequal lengths",
        ("@classlabel", "false"): "has no class labels",
        ("@targetlabel", "true"): "has numbers to predict in place of classes",
    }
    declared, length, labelled = [], 0, False
    for number, line in lines:
        tag, *values = line.split()
        tag, first = tag.lower(), values[0].lower() if values else ""
        if tag == "@data":
            if not labelled:
                raise ValueError(f"data {name!r} has no class labels: no line @classLabel true before @data")
            return declared, length
        if (tag, first) in refused:
            raise ValueError(f"data {name!r} {refused[tag, first]} (line {number}: {line[:40]!r}); {SERIES}")
        if tag in ("@dimensions", "@dimension", "@serieslength"):
            if not (first.isascii() and first.isdecimal() and 0 < int(first[:12])):
                raise _wrong(name, number, f"a whole number after {tag}", line)
            if tag == "@serieslength":
                length = int(first[:12])
            elif int(first[:12]) != 1:
                raise ValueError(f"data {name!r} is multivariate (line {number}: {line[:40]!r}); {SERIES}")
        elif tag == "@classlabel":
            declared, labelled = values[1:], True
        elif not tag.startswith(("@", "#")):
            raise _wrong(name, number, "a tag that begins with @ before the line @data", line)
    raise ValueError(f"data {name!r} must have a line @data with the series after it")


SERIES = "series of one channel, one length and no gaps are read"


def _lines(stream):
    """Number and text of the lines that are not empty."""
    return ((number, text) for number, line in enumerate(stream, 1) if (text := line.strip()))


def _collect(name, samples, order, ragged=None):
    """Samples (number of the line, cells, label, line) as arrays -> X float64 (m, d), labels str (m,).

    The numbers go into one growing array of doubles: a list of Python's floats would take four times their memory.
    """
    numbers, labels, known, width = array("d"), [], {}, 0
    for number, cells, label, line in samples:
        try:
            values = list(map(float, cells))
        except ValueError:
            raise _wrong(name, number, order, line) from None
        if "_" in line and any("_" in cell for cell in cells):  # Python reads 1_000 as a number
            raise _wrong(name, number, order, line)
        if len(values) != (width or len(values)) or not values:
            what = f"{width} numbers like the lines before it" if width else "at least one number beside its label"
            raise ValueError(
                f"{ragged}: line {number} has {len(cells) + 1}{f', those before it {width + 1}' if width else ''}"
                if ragged
                else f"data {name!r}: line {number} must hold {what}, got {len(values)}"
            )
        label = label.strip()
        if not 0 < len(label) <= LONGEST_LABEL:
            raise _wrong(name, number, f"a label of 1 to {LONGEST_LABEL} characters", line)
        width = len(values)
        numbers.extend(values)
        labels.append(known.setdefault(label, label))  # equal labels share their memory
    if not labels:
        raise ValueError(f"{ragged}: it holds none" if ragged else f"data {name!r} holds no samples")
    return np.frombuffer(numbers).reshape(len(labels), width), np.array(labels)


def _wrong(name, number, what, line, got=None):
    got = line[:40] if got is None else got
    return ValueError(f"data {name!r}: line {number} must hold {what}, got {got!r}")
