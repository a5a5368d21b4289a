"""Arrays in files of weights: .npy, .npz, .csv and .safetensors, read and never executed.

A file is opened in two steps. `tensors` reads the headers alone: names, shapes and types, and refuses a file that is
no sound file of its format. `Tensor.read` then reads one array. So a file of many layers costs the memory of one, and
an array that is larger than this machine can hold is refused before any of it is read, however small the compressed
file is that claims to hold it.

What goes wrong: a pickle (.pt, .pth, .pkl, .bin, and NumPy's object arrays) is a program, and reading it runs it; none
is read here. NumPy knows no bfloat16: such a number is the upper half of a float32, so its bits are shifted.

References: the .npy format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; the safetensors
format, https://github.com/huggingface/safetensors.
"""

import json
import math
import os
import re
import zipfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib")
COPIES = 6  # an array is held as it is in the file, as float64, and in pieces while it is fitted

_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # safetensors' names


@dataclass(frozen=True)
class Tensor:
    """An array in a file, as its header describes it.

    Attributes
    ----------
    file : str, the file's name without its place
    key : str, the array's name within the file; empty where the file holds a single array
    shape : tuple of int
    dtype : str, as "float32" or "bfloat16"
    load : callable () -> ndarray
    units : str, "columns" where the file says so (this package's own weights), else empty
    """

    file: str
    key: str
    shape: tuple
    dtype: str
    load: Callable
    units: str = ""

    @property
    def name(self):
        """``file/key``."""
        return f"{self.file}/{self.key}" if self.key else self.file

    @property
    def size(self):
        """Number of entries."""
        return math.prod(self.shape)

    def read(self):
        """The array -> ndarray of float64, of shape `shape`, the caller's own.

        Raises
        ------
        ValueError
            In one line: too large for this machine's memory, or a damaged file.
        """
        most = memory() // (8 * COPIES)
        if self.size > most:
            raise ValueError(
                f"{self.name} claims {self.size} entries of shape {self.shape}, and this machine has memory to fit "
                f"{most}"
            )
        found = _sound(self.file, self.load)
        if found.shape != self.shape:
            raise ValueError(f"{self.name} must be of the shape {self.shape} that its header claims, got {found.shape}")
        return np.array(found, dtype=np.float64, order="C")


def memory():
    """Bytes of main memory -> int; 8 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2**33


def tensors(path):
    """The arrays of a file, from its header -> list of Tensor, in the order of the file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ValueError
        In one line: not a file, of another format, damaged, cut off, or unreadable.
    """
    path = Path(path)
    try:
        there, is_file = path.exists(), path.is_file()
    except OSError as error:  # a folder above it that may not be entered
        raise ValueError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if not there:
        raise ValueError(f"{str(path)!r} cannot be read: no such file or folder")
    if not is_file:
        raise ValueError(f"{str(path)!r} must be a file or a folder")
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path.name} {refusal(path)}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty")
    return _sound(path.name, partial(reader, path))


def refusal(path):
    """Why a file with this ending is not read -> words that follow its name."""
    if Path(path).suffix.lower() in PICKLES:
        return (
            "is a pickle, and reading a pickle runs whatever program is in it; where you trust it, write its tensors "
            "with safetensors.torch.save_file or numpy.savez and fit that file"
        )
    return f"must end in {', '.join(FORMATS)}"


def natural(name):
    """A key to sort names by: layer 2 before layer 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", str(name))]


def _sound(name, read):
    """What `read` returns; whatever a damaged file makes the readers raise becomes one line."""
    try:
        return read()
    except _Refused as error:
        raise ValueError(str(error)) from None
    except ImportError:
        raise ValueError(f"{name} needs the package safetensors: pip install safetensors") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or 'damaged or cut off'}") from None
    except MemoryError:
        raise ValueError(f"{name} does not fit into memory") from None
    except Exception as error:  # zipfile, zlib, NumPy's header parser, safetensors: each has errors of its own
        what = " ".join(str(error).split())[:80]
        raise ValueError(f"{name} is damaged or cut off ({what or type(error).__name__})") from None


class _Refused(ValueError):
    """A line of this file's own, which `_sound` passes on as it is."""


# ---------------------------------------------------------------- .npy and .npz


def _npy(path):
    with open(path, "rb") as stream:
        shape, dtype = _npy_header(stream, path.name)
        have = path.stat().st_size - stream.tell()
    return [_npy_tensor(path.name, "", shape, dtype, have, partial(np.load, path, allow_pickle=False))]


def _npz(path):
    found, names = [], []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            names.append(info.filename)
            if not info.filename.endswith(".npy"):
                continue
            with archive.open(info) as stream:
                shape, dtype = _npy_header(stream, f"{path.name}/{info.filename}")
                have = info.file_size - stream.tell()
            key = info.filename[:-4]
            found.append(_npy_tensor(path.name, key, shape, dtype, have, partial(_npz_member, path, key)))
    if not found:
        held = ", ".join(names[:5]) or "nothing"
        raise _Refused(f"{path.name} must be an archive of arrays, as numpy.savez writes it; it holds {held}")
    return found


def _npz_member(path, key):
    with np.load(path, allow_pickle=False) as archive:
        return archive[key]


def _npy_header(stream, name):
    """Shape and dtype from the header of a .npy file, which holds no pickle: NumPy reads it as a literal."""
    try:
        version = np.lib.format.read_magic(stream)
    except ValueError:
        raise _Refused(f"{name} is not a .npy file, or is cut off") from None
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:  # 3.0 is for the field names of structured arrays
        raise _Refused(f"{name} must be an array of numbers, got version {version[0]}.{version[1]} of the .npy format")
    try:
        shape, _, dtype = readers[version](stream)
    except (ValueError, TypeError, SyntaxError):
        raise _Refused(f"{name} is damaged or cut off: no header of a .npy file") from None
    return tuple(map(int, shape)), dtype


def _npy_tensor(file, key, shape, dtype, have, load):
    """The tensor; where the header claims more bytes than there are, a line that says so."""
    tensor = Tensor(file, key, shape, "object" if dtype.hasobject else dtype.name, load)
    if not dtype.hasobject and tensor.size * dtype.itemsize > have:
        raise _Refused(f"{tensor.name} is cut off: {tensor.size * dtype.itemsize} bytes of numbers, {have} are there")
    return tensor


# ---------------------------------------------------------------- .csv


def _csv(path):
    """One matrix: a line a row. Its shape is known only when it is read, so the file is read here."""
    if path.stat().st_size // 2 > memory() // (8 * COPIES):  # a number and its comma are two bytes at least
        raise _Refused(f"{path.name} is too large for this machine's memory")
    numbers, width, rows = array("d"), 0, 0
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if not (line := line.strip()):
                continue
            cells = line.split(",")
            try:
                values = [float(cell) for cell in cells]
            except ValueError:
                if number == 1 and not any(map(is_number, cells)):
                    continue  # a header names every column: one number among the names is a mistake
                raise _Refused(
                    f"{path.name}: line {number} must hold numbers separated by commas, got {line[:40]!r}"
                ) from None
            if width and len(values) != width:
                raise _Refused(f"{path.name}: line {number} must hold {width} numbers like those before it, "
                               f"got {len(values)}")  # fmt: skip
            width, rows = len(values), rows + 1
            numbers.extend(values)
    if not rows:
        raise _Refused(f"{path.name} holds no numbers")
    matrix = np.frombuffer(numbers).reshape(rows, width)
    return [Tensor(path.name, "", matrix.shape, "float64", lambda: matrix)]


def is_number(cell):
    """Whether a cell of a text file holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- .safetensors


def _safetensors(path):
    from safetensors import safe_open

    with open(path, "rb"):  # says more of a file that cannot be opened than safetensors does
        pass
    found = []
    with safe_open(str(path), framework="numpy") as file:  # checks that the header and the bytes agree
        units = "columns" if "chaosnum" in (file.metadata() or {}) else ""  # written by checkpoint.py
        for key in sorted(file.keys(), key=natural):
            part = file.get_slice(key)
            dtype = _FLOATS.get(part.get_dtype(), part.get_dtype())
            load = partial(_bfloat16 if dtype == "bfloat16" else _safetensor, path, key)
            found.append(Tensor(path.name, key, tuple(part.get_shape()), dtype, load, units))
    if not found:
        raise _Refused(f"{path.name} holds no tensors")
    return found


def _safetensor(path, key):
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        return file.get_tensor(key)


def _bfloat16(path, key):
    """The tensor's bytes, each number's two being the upper half of a float32."""
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[key]
        start, stop = entry["data_offsets"]
        stream.seek(8 + length + start)
        raw = np.frombuffer(stream.read(stop - start), dtype="<u2")
    return (raw.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


FORMATS = {".npy": _npy, ".npz": _npz, ".csv": _csv, ".safetensors": _safetensors}
