"""Files of samples and labels: .npz, .csv, the UCR archive's .txt and .tsv, and .ts; read and never executed.

A file is read whole, once, and its SHA-256 is that of the bytes that were parsed: what a run states about its data is
true even where the file changes a moment later. Formats of text are in ``rowfiles.py``, MNIST's in ``idxfiles.py``.

* ``.npz``: the arrays ``X`` (m, d) and ``y`` (m,), or ``X_train``, ``y_train``, ``X_test`` and ``y_test``, which are a
  test set of their own and are taken where a file holds all six.

What goes wrong: NumPy's object arrays are pickles, and reading a pickle runs the program in it, so they are refused. A
compressed archive of a few kilobytes may claim arrays of terabytes, so the header is asked before anything is read.
"""

import gzip
import hashlib
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chaosnum import rowfiles
from chaosnum.weightfiles import memory

COPIES = 4  # doubles for each number while it is read, checked and scaled
TEXT_COPIES = 8  # a number of a text takes two bytes at least, and ten while an array of doubles grows

ONE_SET, TWO_SETS = ("X", "y"), ("X_train", "y_train", "X_test", "y_test")


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, as it is there: not checked for infinite values, not scaled.

    Attributes
    ----------
    train : tuple (X, y): ndarray of numbers, labels as numbers or words
    test : tuple like `train`, or None where the file has no test set of its own
    files : tuple of {"name", "sha256"}
    """

    train: tuple
    test: tuple | None
    files: tuple


def read(path, *, source=None):
    """The samples of a file -> Found.

    Parameters
    ----------
    path : str or Path
        It ends in one of `FORMATS`, or in nothing, which is the UCR archive's text.
    source : str, optional
        What the user wrote, for errors.

    Raises
    ------
    ValueError
        In one line: a file that is missing, unreadable, truncated, of another format, or larger than memory.
    """
    path = Path(path)
    return guarded(str(source or path), lambda: _read(path))


def _read(path):
    raw, about = content(path)
    reader = FORMATS.get(path.suffix.lower(), rowfiles.ucr)
    if reader is npz:
        parts = npz(raw, path.name, (TWO_SETS, ONE_SET))
    else:
        parts = reader(text(raw, path.name), path.name)
    return Found(parts[:2], parts[2:] or None, (about,))


def guarded(source, read):
    """What `read()` returns; whatever a damaged file makes the readers raise becomes one line that names it."""
    try:
        return read()
    except gzip.BadGzipFile as error:
        raise ValueError(f"data {source!r} is damaged: {error}") from None
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror or 'damaged or cut off'}") from None
    except ValueError:
        raise
    except Exception as error:  # zipfile, zlib, NumPy's header parser: each has errors of its own
        what = f" ({error})" if isinstance(error, MemoryError) and str(error) else ""
        raise ValueError(f"data {source!r} is damaged: {type(error).__name__}{what}") from None


def content(path):
    """A file's bytes and what a run states about it -> bytes, {"name", "sha256"}.

    Raises
    ------
    OSError
        It is not there, or may not be read.
    ValueError
        It is no file with an end (a pipe, a device).
    MemoryError
        It is larger than memory.
    """
    if "\0" in str(path):
        raise ValueError(f"data {str(path)!r} must be a file")
    # A pipe would be waited for, so it is not opened; of anything else `open` says best what is wrong.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise ValueError(f"data {str(path)!r} must be a file, not a device or a pipe")
    with open(path, "rb") as stream:
        room(os.fstat(stream.fileno()).st_size, 1, "the file has", "bytes")
        raw = stream.read()
    return raw, {"name": Path(path).name, "sha256": hashlib.sha256(raw).hexdigest()}


def text(raw, name):
    """A file's bytes as a stream of lines; a byte order mark is left out, a wrong byte becomes a question mark."""
    room(len(raw), TEXT_COPIES, f"{name} has", "bytes of text")
    return io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", errors="replace")


def room(count, each, claim, unit):
    """Refuses to read `count` of what takes `each` bytes, where this machine has not the memory.

    Raises
    ------
    MemoryError
        With the words of `claim` and `unit`.
    """
    most = memory() // each
    if count > most:
        raise MemoryError(f"{claim} {count} {unit}, and this machine has memory for {most}")


# ---------------------------------------------------------------- .npz


def npz(raw, name, choices=(ONE_SET,)):
    """The arrays of the first of the `choices` that an archive holds in full -> list of ndarray."""
    try:
        archive = np.load(io.BytesIO(raw), allow_pickle=False)
    except ValueError:  # neither a zip file nor a .npy file: NumPy takes it for a pickle and says how to run it
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f"data {name!r} must be a NumPy archive, as written by numpy.savez")
    with archive:
        keys = next((keys for keys in choices if set(keys) <= set(archive.files)), None)
        if keys is None:
            wanted = ", or ".join(f"{', '.join(keys[:-1])} and {keys[-1]}" for keys in reversed(choices))
            held = (", ".join(archive.files) or "none")[:200]
            held = held if held.isprintable() else repr(held)  # a name may hold a line break
            raise ValueError(f"data {name!r} must hold the arrays {wanted}, got {held}")
        return [_array(archive, name, key) for key in keys]


def _array(archive, name, key):
    room(_claimed(archive.zip, key), 8 * COPIES, f"{key} claims", "numbers")
    try:
        array = np.asarray(archive[key])
    except ValueError:
        got = "objects or half of one"
        raise ValueError(f"data {name!r}: {key} must be an array of numbers, got {got}") from None
    if array.dtype.kind not in ("fiub" if key[0] == "X" else "fiubUS"):
        raise ValueError(f"data {name!r}: {key} must be an array of numbers, got dtype {array.dtype}")
    return array


def _claimed(archive, key):
    """How many numbers of 8 bytes the header of an array claims -> int; 0 where it cannot be read."""
    try:
        with archive.open(f"{key}.npy") as stream:
            version = np.lib.format.read_magic(stream)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = reader(stream)
    except (KeyError, ValueError):  # a member of another kind: NumPy says what is wrong with it
        return 0
    return math.prod(map(int, shape)) * max(8, dtype.itemsize) // 8


FORMATS = {".npz": npz, ".csv": rowfiles.csv, ".txt": rowfiles.ucr, ".tsv": rowfiles.ucr, ".ts": rowfiles.ts}
