"""Values in the form of strict JSON, the one in which results are written and printed."""

import json
import math


def strict(value):
    """The value as strict JSON knows it.

    NaN and infinities become None, NumPy numbers and arrays plain ones, keys strings, and what JSON has no form for its
    string.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if hasattr(value, "items"):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return strict(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def pretty(value, depth=0):
    """Text of a value in its strict form, a space a level, to stand `depth` levels deep -> str.

    Python's writer of indented text is slow: what is written again and again is to be kept as text and put together by
    :func:`joined`.
    """
    return json.dumps(strict(value), indent=1, allow_nan=False).replace("\n", "\n" + " " * depth)


def joined(parts, depth=0):
    """Text of an object (from a dict of texts) or of an array (from a list of them), each one level deeper -> str."""
    if isinstance(parts, dict):
        parts, (opening, closing) = [f"{json.dumps(key)}: {text}" for key, text in parts.items()], "{}"
    else:
        opening, closing = "[]"
    if not parts:
        return opening + closing
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    return f"{opening}{inner}{f',{inner}'.join(parts)}{outer}{closing}"
