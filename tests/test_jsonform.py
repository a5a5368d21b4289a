"""jsonform.py: strict JSON, and text put together from parts that is the text of the whole."""

import json

import numpy as np
import pytest

from chaosnum.jsonform import joined, pretty, strict

VALUES = [
    {}, [], {"a": {}}, {"a": []}, [[], {}], {"a": {"b": [1, 2.5, None, {"c": "x"}], "d": True}}, 'li\nne "quoted" ü',
]  # fmt: skip


def test_strict_has_a_form_for_everything():
    given = {1: np.float64("nan"), "a": (np.inf, np.int64(3), np.arange(2), True), "p": object}
    assert strict(given) == {"1": None, "a": [None, 3, [0, 1], True], "p": str(object)}
    with pytest.raises(ValueError, match="not JSON compliant"):  # what `strict` is there for
        json.dumps(float("nan"), allow_nan=False)


@pytest.mark.parametrize("value", VALUES)
def test_parts_make_the_text_of_the_whole(value):
    whole = {"first": value, "all": [value, 1, value], "none": []}
    parts = {
        "first": pretty(value, 1),
        "all": joined([pretty(value, 2), pretty(1, 2), pretty(value, 2)], 1),
        "none": joined([], 1),
    }
    assert joined(parts) == pretty(whole) == json.dumps(whole, indent=1)
    assert joined(parts | {"first": pretty([value], 1)}) != pretty(whole)
    assert joined({}) == "{}"
