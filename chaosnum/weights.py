"""The layers of somebody's own network: which numbers form a unit, and which layers can be fitted at all.

A column, in the sense of the theorems, holds all weights into one hidden unit. Where it lies in an array is a matter
of who wrote the file, so there are three readings, `units`:

    "columns"   the last axis numbers the units: this package's (p, n), Keras, Flax
    "rows"      the first axis does: PyTorch's Linear (out, in) and Conv (out, in, height, width)
    "entries"   every entry is a unit of its own

Without a choice, .safetensors is read by rows, because PyTorch writes it, and every other format by columns, as are the
.safetensors files of this package, which say so. An array of one dimension (a bias, a list of norms), or with a single
row or column, is read by entries in any case.

What is fitted needs 100 units: a Hill plot of ten columns says nothing. In a file of many layers those that cannot be
fitted are passed over, with the reason; a layer that is asked for by its name, or is alone, must be one that can.

What goes wrong: read along the wrong axis, the columns mix units and inputs, and neither their tail nor their
compressibility is the network's. So what was taken is shown with every result.
"""

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from chaosnum import check
from chaosnum.weightfiles import FORMATS, PICKLES, natural, refusal, tensors

UNITS = ("columns", "rows", "entries")
LEAST = 100  # units, or entries
SAME = 1e-12  # norms that differ by less, relative to the largest, are equal but for rounding


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of a layer, unit by unit.

    Attributes
    ----------
    name : str, ``file/key``
    shape : tuple of int, in the file
    units : str, one of `UNITS`: how it was read
    x : ndarray of float64, shape (p, n), or (n,) where p = 1
        A column is a unit.
    """

    name: str
    shape: tuple
    units: str
    x: np.ndarray

    @property
    def p(self):
        """Numbers in a unit."""
        return self.x.shape[0] if self.x.ndim == 2 else 1

    @property
    def n(self):
        """Number of units."""
        return self.x.shape[-1]

    def norms(self):
        """Euclidean norms of the units -> ndarray of float64, shape (n,)."""
        if self.x.ndim == 1:
            return np.abs(self.x)
        largest = np.abs(self.x).max()  # scaled by it, no square overflows
        return largest * np.sqrt(np.sum((self.x / largest) ** 2, axis=0))


def load(source, *, layers=(), units=None):
    """The layers of a file or a folder that can be fitted.

    Parameters
    ----------
    source : str or Path
        A file (.npy, .npz, .csv, .safetensors) or a folder; of a folder, the files right in it.
    layers : sequence of str
        Only these: names as ``file/key`` or ``key``, with ``*`` and ``?`` as in a shell; by default all.
    units : {"columns", "rows", "entries"}, optional

    Returns
    -------
    iterator of Layer and of (name, reason) for what is passed over, in the order of the files. Every header is read
    before it is returned, each layer when it is asked for.

    Raises
    ------
    ValueError
        In one line: what is wrong with the source, or with the layer where it is the only one, or asked for by name;
        that a name has no layer; and, once the iterator is at its end, that no layer could be fitted.
    """
    if units is not None:
        check.one_of("units", units, UNITS)
    found, passed = find(source)
    chosen = select(found, layers)
    named = {t.name for t in chosen if t.name in layers or t.key in layers}
    return _read(chosen, [] if layers else passed, named if len(chosen) > 1 else {chosen[0].name}, units)


def find(source):
    """Every array of a file or a folder, from the headers -> (list of Tensor, list of (name, reason) passed over)."""
    if not str(source):  # Path("") is the present folder
        raise ValueError("a file or a folder must be named, got ''")
    path = Path(source)
    if not os.path.isdir(path):  # False, and no error, below a folder that may not be entered
        return tensors(path), []
    try:
        files = [f for f in path.iterdir() if f.is_file() and not f.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"{str(source)!r} cannot be read: {error.strerror}") from None
    files.sort(key=lambda f: natural(f.name))
    passed = [(f.name, refusal(f)) for f in files if f.suffix.lower() in PICKLES]
    found = [tensor for f in files if f.suffix.lower() in FORMATS for tensor in tensors(f)]
    if not found:
        why = f"; {' '.join(passed[0])}" if passed else ""
        raise ValueError(f"{str(source)!r} holds no file ending in {', '.join(FORMATS)}{why}")
    return found, passed


def select(found, layers):
    """The tensors with these names, all without any -> list of Tensor."""
    if not layers:
        return found
    for name in layers:
        if not any(_matches(t, name) for t in found):
            known = ", ".join(t.name for t in found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
            raise ValueError(f"layer must be one of {known}, got {name!r}")
    return [t for t in found if any(_matches(t, name) for name in layers)]


def _matches(tensor, pattern):
    return any(name == pattern or fnmatchcase(name, pattern) for name in (tensor.name, tensor.key) if name)


def _read(chosen, passed, wanted, units):
    """Yield what was passed over already, then each layer or the reason why not."""
    yield from passed
    any_layer, last = False, ""
    for tensor in chosen:
        how = units or tensor.units or ("rows" if tensor.file.lower().endswith(".safetensors") else "columns")
        reason = _unfit(tensor, how)
        if not reason:
            how = _taken(tensor, how)
            layer = Layer(tensor.name, tensor.shape, how, _units(tensor.read(), how))
            reason = _worthless(layer)
        if not reason:
            any_layer = True
            yield layer
        elif tensor.name in wanted:
            raise ValueError(f"{tensor.name} {reason}")
        else:
            last = f"{tensor.name} {reason}"
            yield tensor.name, reason
    if not any_layer:
        raise ValueError(f"no layer can be fitted: none of {len(chosen)}; {last}")


def _taken(tensor, how):
    """How an array of this shape is read: by entries where a unit is a single number."""
    return "entries" if tensor.size == max(tensor.shape) else how


def _unfit(tensor, how):
    """What the header says against a fit -> words that follow the name, or nothing."""
    if not tensor.dtype.startswith(("float", "bfloat", "longdouble")):
        line = f"must be an array of real floating-point numbers, got {tensor.dtype}"
        if tensor.dtype.startswith(("int", "uint", "I", "U")):  # NumPy's names, safetensors' names
            line += "; integers are indices, or quantised weights that must be multiplied by their scales first"
        return line
    if tensor.size < LEAST:
        return f"must have at least {LEAST} entries, got {tensor.size}"
    if _taken(tensor, how) == "entries":
        return ""
    counts = {"columns": tensor.shape[-1], "rows": tensor.shape[0]}
    if counts[how] >= LEAST:
        return ""
    other = "rows" if how == "columns" else "columns"
    hint = f"; --{other} would take its {counts[other]} {other}" if counts[other] >= LEAST else ""
    return f"must have at least {LEAST} {how}, got {counts[how]}{hint or '; --entries takes every entry by itself'}"


def _units(x, how):
    """The array as (p, n), a unit a column, or (n,)."""
    if how == "entries":
        return x.reshape(-1)
    if how == "columns":
        return x.reshape(-1, x.shape[-1])
    return np.ascontiguousarray(x.reshape(x.shape[0], -1).T)


def _worthless(layer):
    """What the numbers say against a fit -> words that follow the name, or nothing."""
    bad = int(layer.x.size - np.count_nonzero(np.isfinite(layer.x)))
    if bad:
        return f"must be finite, got {bad} NaN or infinite value{'s' * (bad > 1)}"
    norms = layer.norms() if layer.x.any() else np.zeros(1)
    if not norms.any():
        return "holds nothing but zeros"
    if layer.x.min() == layer.x.max():
        return f"is constant: every entry is {layer.x.flat[0]:g}"
    if norms.max() - norms.min() <= SAME * norms.max():
        return f"is constant: every {'entry' if layer.x.ndim == 1 else 'unit'} has the size {norms.max():g}"
    some = np.count_nonzero(norms)
    if some < LEAST:
        return f"must have at least {LEAST} {layer.units} that are not zero, got {some}"
    return ""
