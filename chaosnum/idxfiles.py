"""MNIST's idx files: unsigned bytes with a header, plain or compressed by gzip.

An idx file begins with four bytes, its magic number: two zeros, a code of the type (0x08: unsigned bytes) and the
number of dimensions. The dimensions follow as 32-bit integers, the highest byte first, and then the numbers, the last
index running fastest. Images have the magic number 2051 (bytes, three dimensions), labels 2049 (one dimension).

What goes wrong: a .gz of kilobytes may hold gigabytes of zeros. So the header says how much is read, that must fit
into memory, and one byte more is an error. Some programs unpack a .gz while they fetch it and leave its name, so the
first bytes decide whether a file is compressed.

Reference: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proc. IEEE 86 (1998) 2278, and the page of the MNIST database.
"""

import gzip
import io
import math
from pathlib import Path

import numpy as np

from chaosnum.datafiles import Found, content, guarded, room

BYTES = 0x08
IMAGES, LABELS = 3, 1  # numbers of dimensions
COPIES = 6  # bytes for each pixel: as it is, as float32, and a little more


def read(images, labels, test_images, test_labels):
    """The images and labels of four idx files -> Found; the images are uint8, one row an image.

    Raises
    ------
    ValueError
        In one line: a file that cannot be read, of another format, cut off, or too long; images and labels whose
        numbers differ; images of different sizes.
    """
    paths = [Path(path) for path in (images, labels, test_images, test_labels)]
    found = [array(path, dims) for path, dims in zip(paths, (IMAGES, LABELS) * 2)]
    (X, X_about), (y, y_about), (T, T_about), (t, t_about) = found
    for pictures, marks, first, second in ((X, y, *paths[:2]), (T, t, *paths[2:])):
        if len(pictures) != len(marks):
            raise ValueError(f"data: {first.name} has {len(pictures)} images, and {second.name} {len(marks)} labels")
    if X.shape[1:] != T.shape[1:]:
        sizes = [" x ".join(map(str, pictures.shape[1:])) for pictures in (X, T)]
        raise ValueError(f"data: {paths[0].name} has images of {sizes[0]} pixels, and {paths[2].name} of {sizes[1]}")
    return Found((X.reshape(len(X), -1), y), (T.reshape(len(T), -1), t), (X_about, y_about, T_about, t_about))


def array(path, dims):
    """The unsigned bytes of one idx file with `dims` dimensions -> ndarray of uint8, {"name", "sha256"}."""
    return guarded(str(path), lambda: _array(Path(path), dims))


def _array(path, dims):
    name = path.name
    raw, about = content(path)
    packed = raw[:2] == b"\x1f\x8b"
    stream = gzip.GzipFile(fileobj=io.BytesIO(raw)) if packed else io.BytesIO(raw)
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(f"data {name!r} is cut off: an idx file has a header of {4 + 4 * dims} bytes")
    wanted = bytes([0, 0, BYTES, dims])
    if magic != wanted:
        raise ValueError(
            f"data {name!r} must begin with the magic number {int.from_bytes(wanted, 'big')} (unsigned bytes, {dims} "
            f"dimension(s)), got {int.from_bytes(magic, 'big')} (0x{magic.hex()})"
        )
    header = stream.read(4 * dims)
    if len(header) < 4 * dims:
        raise ValueError(f"data {name!r} is cut off: an idx file has a header of {4 + 4 * dims} bytes")
    shape = tuple(int.from_bytes(header[4 * k : 4 * k + 4], "big") for k in range(dims))
    count = math.prod(shape)
    if not count:
        raise ValueError(f"data {name!r} must not be empty, got the dimensions {' x '.join(map(str, shape))}")
    room(count, COPIES, f"{name} claims", "bytes")
    if packed:
        values = np.empty(count, np.uint8)
        have = _fill(stream, values)
        more = bool(stream.read(1))  # at the end gzip compares its checksum
    else:
        have, more = len(raw) - 4 - 4 * dims, False
        if have == count:
            values = np.frombuffer(raw, np.uint8, offset=4 + 4 * dims)
    if more or have > count:
        raise ValueError(f"data {name!r} must end after the {count} bytes that its header claims, and holds more")
    if have < count:
        raise ValueError(f"data {name!r} is cut off: its header claims {count} bytes, and {have} are there")
    return values.reshape(shape), about


def _fill(stream, values):
    """Reads into an array until it is full or the stream ends -> number of bytes."""
    view, have = memoryview(values), 0
    while have < len(view):
        got = stream.readinto(view[have : have + 2**20])
        if not got:
            break
        have += got
    return have
