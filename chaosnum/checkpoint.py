"""A network's weights and all that is known of it, in one file that is whole or refused.

The format is safetensors: a header of JSON, then the numbers. Tensors "layer0", "layer1", ... hold the layers by
columns, shape (fan in, units), in their own precision (`chaosnum.layers`). The one entry of the metadata, "chaosnum",
is JSON:

    {"format": 1, "sha256": "...", "about": {...}}

with the SHA-256 of the format's number, of `about` and of each layer's name, dtype, shape and bytes, little-endian. The
same weights and the same `about` give the same bytes of file: the metadata has a single entry because safetensors
writes several in random order.

A file is written under another name, flushed to the disk, and put in its place by one rename, so that a process that is
killed at any moment leaves the file before or the file after, never half of one.

What goes wrong: a flipped bit in a weight is a valid weight, and only the checksum sees it. A bit of the header may be
flipped so that the JSON still says the same (1e-05 and 1E-05): the text must be the one that would be written again.

Reference: the safetensors format, https://github.com/huggingface/safetensors.
"""

import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np

from chaosnum import layers

FORMAT = 1
KEY = "chaosnum"
NAMES = {"F32": "float32", "F64": "float64"}  # safetensors' name of a dtype -> NumPy's


def save(path, weights, about):
    """Write a checkpoint; a file that is there is replaced once the new one is whole.

    Parameters
    ----------
    path : str or Path, ending in .safetensors
    weights : list of float32 or float64 arrays, shapes (fan in, units)
    about : dict
        What JSON can hold: strings as keys; tuples come back as lists.

    Raises
    ------
    ValueError
        In one line: another ending; weights that are no network, or not finite; an `about` that is not JSON; a file
        that cannot be written (a full disk, a folder that may not be written to). Then `path` is as it was.
    """
    from safetensors.numpy import save as serialised

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {str(path)!r}")
    tensors = {f"layer{l}": _plain(w) for l, w in enumerate(layers.checked(weights))}
    if not isinstance(about, dict):
        raise ValueError(f"about must be a dict, got {type(about).__name__}")
    try:
        text = _envelope(_digest(tensors, about), about)
        if json.dumps(json.loads(text)) != text:  # 1 and "1" are one key to JSON
            raise ValueError("two of its keys are the same string")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"about must be what JSON can hold: {' '.join(str(error).split())}") from None
    data = serialised(tensors, metadata={KEY: text})
    try:
        _replace(path, data)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"{str(path)!r} cannot be written: {reason}") from None


def load(path, *, like=None):
    """Read a checkpoint -> (weights, about): a list of ndarray, the caller's own, and a dict.

    Parameters
    ----------
    path : str or Path
    like : list of (shape, dtype), optional
        What the layers must be, hidden ones and output.

    Raises
    ------
    ValueError
        In one line, naming the file: missing or unreadable; damaged or cut off; not a checkpoint, or one of a newer
        format; another content than its checksum is of; NaN or infinite weights; layers that are not `like`.
    """
    name = str(path)
    try:
        text, tensors = _read(path)
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {error.strerror or type(error).__name__}") from None
    except _Refused as error:
        raise ValueError(f"{name!r} {error}") from None
    except Exception as error:  # safetensors has errors of its own
        what = " ".join(str(error).split())[:80] or type(error).__name__
        raise ValueError(f"{name!r} is no .safetensors file, or is damaged or cut off ({what})") from None
    try:
        digest, about = _opened(text)
        if digest != _digest(tensors, about):
            raise _Refused("is damaged: its weights and settings are not those that its checksum is of")
        weights = [tensors[f"layer{l}"] for l in range(len(tensors))]
        if like is not None:
            _compare(weights, like)
        layers.checked(weights)
    except _Refused as error:
        raise ValueError(f"{name!r} {error}") from None
    except ValueError as error:
        raise ValueError(f"{name!r} holds no network: {error}") from None
    return weights, about


class _Refused(ValueError):
    """Words that follow the name of a file."""


def _plain(w):
    """The array as safetensors needs it: it writes the memory as it lies there, whatever the strides."""
    return np.ascontiguousarray(w, dtype=w.dtype.newbyteorder("="))


def _envelope(digest, about):
    """The metadata's text: one text for one content."""
    return json.dumps({"format": FORMAT, "sha256": digest, "about": about}, allow_nan=False)


def _digest(tensors, about):
    """SHA-256 of the content, however the file's header is laid out -> str."""
    found = hashlib.sha256(f"{KEY} {FORMAT}\n{json.dumps(about, allow_nan=False)}\n".encode())
    for key in sorted(tensors):
        w = tensors[key]
        found.update(f"{key} {w.dtype.name} {w.shape}\n".encode())
        found.update(w.astype(w.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8))
    return found.hexdigest()


def _read(path):
    """The metadata's text and the tensors, as they are in the file -> (str, dict)."""
    from safetensors import safe_open

    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
        raise _Refused("must be a file")
    with open(path, "rb"):  # says more of a file that cannot be opened than safetensors does
        pass
    with safe_open(str(path), framework="numpy") as file:
        text = (file.metadata() or {}).get(KEY)
        if text is None or set(file.metadata()) != {KEY}:
            raise _Refused("is not a checkpoint of chaosnum: its metadata has no entry of that name alone")
        keys = list(file.keys())
        if not keys or set(keys) != {f"layer{l}" for l in range(len(keys))}:
            raise _Refused(f"must hold the tensors layer0, layer1, ..., got {', '.join(sorted(keys)[:5]) or 'none'}")
        for key in keys:
            dtype = file.get_slice(key).get_dtype()
            if dtype not in NAMES:
                raise _Refused(f"must hold float32 or float64, got {dtype} in {key}")
        return text, {key: np.array(file.get_tensor(key), order="C") for key in keys}


def _opened(text):
    """The checksum and `about` -> (str, dict)."""
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        raise _Refused("is damaged: its settings are not JSON") from None
    if not isinstance(envelope, dict) or type(envelope.get("format")) is not int:
        raise _Refused("is not a checkpoint of chaosnum: its settings have no format")
    if envelope["format"] > FORMAT:
        raise _Refused(f"is of a newer version: format {envelope['format']}, and this one reads up to {FORMAT}")
    digest, about = envelope.get("sha256"), envelope.get("about")
    try:
        same = isinstance(digest, str) and isinstance(about, dict) and _envelope(digest, about) == text
    except ValueError:  # NaN, which Python reads and strict JSON does not know
        same = False
    if not same:
        raise _Refused("is damaged: its settings are not as they were written")
    return digest, about


def _compare(weights, like):
    have = [(w.shape, w.dtype.name) for w in weights]
    want = [(tuple(shape), np.dtype(dtype).name) for shape, dtype in like]
    if len(have) != len(want):
        raise _Refused(f"must hold {len(want)} layers, got {len(have)}")
    for l, (got, expected) in enumerate(zip(have, want)):
        if got != expected:
            shape, dtype = expected
            raise _Refused(f"must hold layer{l} of shape {shape} and dtype {dtype}, got {got[0]} and {got[1]}")


def _replace(path, data):
    """Put a file in its place in one step, on the disk before the name is."""
    partial = path.with_name(f".{path.name}.partial")  # one name: what a killed process left is written over
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    with suppress(OSError):  # the rename itself; a system that has no such thing has the file all the same
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
