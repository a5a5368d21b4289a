"""The message of a quantised gradient: Elias omega codes, a coder and a decoder.

Definition. Elias's omega code of a whole number k >= 1 is written from the back: start with "0"; while k > 1 put k's
binary digits in front and let k be their number less one. So 1 is "0", 2 is "100", 17 is "10100100010": no code word
begins another. The message of (scale, levels l_1 .. l_d), :class:`chaosnum.qsgd.Quantiser`, begins with 32 bits, the
scale as a float. If it is 0 that is all. After it, in code "gap",

    for each l_i that is not 0: omega(gap to the one before), one bit of sign, omega(|l_i|); at the end
    omega(gap from the last one to position d + 1), so that the message says itself where it ends;

and in code "dense", for every i: omega(|l_i| + 1), and one bit of sign where l_i is not 0. The receiver knows d and s.

Every message has one meaning and every meaning one message: if all levels are 0 so is the scale, and the decoder
refuses anything else: a scale that is negative, not finite, or without a level; a level above s; a gap beyond d + 1;
bits that end too early or too late. So a message with one bit flipped is refused or decodes to another vector, never to
the same one. (It is a code, not a checksum: half of the flips go unnoticed.)

How long messages are, exactly and at most: :mod:`chaosnum.qsgd_length`.

References: Elias, IEEE Trans. Inform. Theory 21 (1975); Alistarh, Grubic, Li, Tomioka, Vojnovic, NIPS 2017.
"""

import math
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chaosnum.check import one_of, whole
from chaosnum.qsgd import MOST_LEVELS

CODES = ("gap", "dense")
SCALE_BITS = 32
MOST_DIM = 10**8  # a message of 32 bits must not take all memory


@dataclass(frozen=True)
class Message:
    """Bits on their way: `bits` of them, packed into bytes, the last byte filled up with zeros."""

    data: bytes
    bits: int


@lru_cache(maxsize=65536)
def omega(k):
    """Elias's omega code of a whole number k >= 1 -> str of "0" and "1"."""
    word, k = "0", whole("k", k, 1)
    while k > 1:
        digits = f"{k:b}"
        word, k = digits + word, len(digits) - 1
    return word


def omega_bits(k):
    """Length of the code word of whole numbers k in [1, 2^63 - 1] -> int, or ndarray, int64, of the shape of k."""
    k = np.asarray(k)
    if k.dtype.kind not in "iu":
        raise ValueError(f"k must be whole numbers in [1, 2^63 - 1], got {k.dtype} of shape {k.shape}")
    if k.size and not 1 <= int(k.min()) <= int(k.max()) < 1 << 63:
        raise ValueError(f"k must be whole numbers in [1, 2^63 - 1], got {k.min() if k.min() < 1 else k.max()}")
    largest = int(k.max(initial=1))
    if largest <= 1 << 20:
        lengths = _lengths(1 << (largest - 1).bit_length())[k]
    else:
        lengths = np.array([len(omega(int(x))) for x in k.ravel()]).reshape(k.shape)
    return int(lengths) if k.ndim == 0 else lengths


def encode(scale, level, code="gap"):
    """The message of one quantised vector.

    Parameters
    ----------
    scale : float
        A 32-bit float, at least 0; 0 if and only if all levels are.
    level : array_like, int64, shape (d,), 1 <= d <= 1e8
        From -(2^31 - 1) to 2^31 - 1.
    code : {"gap", "dense"}

    Returns
    -------
    Message

    Raises
    ------
    ValueError
        What is no quantised vector.
    """
    one_of("code", code, CODES)
    level = np.asarray(level)
    if level.ndim != 1 or not 1 <= len(level) <= MOST_DIM or level.dtype.kind not in "iu":
        raise ValueError(f"level must be d whole numbers, 1 <= d <= 1e8, got {level.dtype} of shape {level.shape}")
    if max(int(level.max()), -int(level.min())) > MOST_LEVELS:
        far = level.max() if level.max() > MOST_LEVELS else level.min()
        raise ValueError(f"level must lie in [-{MOST_LEVELS}, {MOST_LEVELS}], got {far}")
    given, scale = scale, np.asarray(scale)
    with np.errstate(over="ignore"):
        number = scale.ndim == 0 and scale.dtype.kind in "fiu"
        if not (number and np.isfinite(scale) and scale >= 0 and float(np.float32(scale)) == float(scale)):
            raise ValueError(f"scale must be a 32-bit float >= 0, got {given!r}")
    if (scale > 0.0) != bool(level.any()):
        raise ValueError(f"scale must be 0 if and only if all levels are, got {float(scale):.6g}")
    parts = [f"{struct.unpack('>I', struct.pack('>f', float(scale) + 0.0))[0]:032b}"]
    if scale > 0.0 and code == "gap":
        at = np.flatnonzero(level)
        gaps = np.diff(at, prepend=-1, append=len(level)).tolist()
        for gap, l in zip(gaps, level[at].tolist()):
            parts += (omega(gap), "0" if l > 0 else "1", omega(abs(l)))
        parts.append(omega(gaps[-1]))
    elif scale > 0.0:
        for l in level.tolist():
            parts += (omega(abs(l) + 1), "" if l == 0 else "0" if l > 0 else "1")
    return pack("".join(parts))


def decode(message, dim, levels, code="gap"):
    """What `encode` was given.

    Parameters
    ----------
    message : Message
    dim, levels : int
        d and s, which both sides know, at most 1e8 and 2^31 - 1.
    code : {"gap", "dense"}

    Returns
    -------
    scale : numpy.float32
    level : ndarray, int64, shape (d,)

    Raises
    ------
    ValueError
        A malformed message; the line says what is wrong and at which bit.
    """
    one_of("code", code, CODES)
    dim, levels = whole("dim", dim, 1, MOST_DIM), whole("levels", levels, 1, MOST_LEVELS)
    reader = _Reader(unpack(message))
    scale = struct.unpack(">f", struct.pack(">I", int(reader.take(SCALE_BITS), 2)))[0]
    if not (math.isfinite(scale) and math.copysign(1.0, scale) > 0.0):
        raise ValueError(f"message must begin with a scale >= 0, got {scale}")
    level = np.zeros(dim, dtype=np.int64)
    if scale > 0.0:
        at = -1
        while True:
            at += reader.number(dim - at, "a gap") if code == "gap" else 1
            if at == dim:
                break
            if code == "gap":
                sign = reader.sign()
                level[at] = sign * reader.number(levels, "a level")
            elif size := reader.number(levels + 1, "a level + 1") - 1:
                level[at] = reader.sign() * size
        if not level.any():
            raise ValueError(f"message must hold a level, as its scale is not 0, got the scale {scale:.6g} alone")
    reader.end()
    return np.float32(scale), level


def pack(text):
    """A string of "0" and "1" -> Message."""
    return Message(np.packbits(np.frombuffer(text.encode(), dtype=np.uint8) - 48).tobytes(), len(text))


def unpack(message):
    """A message as a string of "0" and "1" -> str.

    Raises
    ------
    ValueError
        Not a Message, a length that is not that of its bytes, or filling bits that are not 0.
    """
    data, bits = getattr(message, "data", None), getattr(message, "bits", None)
    if not isinstance(data, bytes) or not isinstance(bits, int):
        raise ValueError(f"message must be a Message, got {type(message).__name__}")
    if len(data) != (bits + 7) // 8:
        raise ValueError(f"message must have {(bits + 7) // 8} bytes for its {bits} bits, got {len(data)}")
    text = (np.unpackbits(np.frombuffer(data, dtype=np.uint8)) + 48).tobytes().decode()
    if "1" in text[bits:]:
        raise ValueError(f"message must be filled up with zeros, got {text[bits:]}")
    return text[:bits]


def flipped(message, bit):
    """The message with one bit flipped -> Message."""
    text, bit = unpack(message), whole("bit", bit, 0, message.bits - 1)
    return pack(text[:bit] + ("1" if text[bit] == "0" else "0") + text[bit + 1 :])


@lru_cache(maxsize=32)
def _lengths(top):
    """Lengths of the code words of 0..top (0 for 0)."""
    lengths = np.zeros(top + 1, dtype=np.int64)
    lengths[1] = 1
    for digits in range(2, top.bit_length() + 1):  # all k with as many digits: their own, and the prefix
        low, high = 1 << (digits - 1), min(1 << digits, top + 1)
        lengths[low:high] = digits + lengths[digits - 1]
    return lengths


class _Reader:
    """Reads code words off a string of bits."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def take(self, count):
        """The next bits."""
        if self.at + count > len(self.text):
            raise ValueError(f"message must go on, got its end at bit {len(self.text)}")
        self.at += count
        return self.text[self.at - count : self.at]

    def sign(self):
        """-1 or 1."""
        return -1 if self.take(1) == "1" else 1

    def number(self, most, words):
        """The next number, at most `most`."""
        first, k = self.at, 1
        while self.take(1) == "1":
            if k >= most.bit_length():  # longer than any number that is allowed
                raise ValueError(f"message must have {words} of at most {most}, got a larger one at bit {first}")
            k = int("1" + self.take(k), 2)
        if k > most:
            raise ValueError(f"message must have {words} of at most {most}, got {k} at bit {first}")
        return k

    def end(self):
        """Nothing may be left."""
        if self.at < len(self.text):
            raise ValueError(f"message must end at bit {self.at}, got {len(self.text)} bits")
