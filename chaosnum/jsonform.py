"""Values in the form of strict JSON, the one in which results are written and printed."""

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
