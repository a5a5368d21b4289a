"""check.py: the values that pass, and the one line that the others get."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from chaosnum import check

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("value", [1e-300, 1, 2, 2.0, np.float32(1.5), np.int64(1), Fraction(3, 2)])
def test_stable_index_accepts(value):
    got = check.stable_index(value)
    assert type(got) is float and got == value


@pytest.mark.parametrize("value", [0, -1, 2.5, math.nextafter(2, 3), NAN, INF, -INF, "x", None, True, 1j, [1.5]])
def test_stable_index_refuses(value):
    with pytest.raises(ValueError) as error:
        check.stable_index(value)
    shown = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    assert str(error.value) == f"alpha must lie in (0, 2], got {shown!r}"


@pytest.mark.parametrize(
    ("open_low", "open_high", "inside", "outside", "bracket"),
    [
        (True, True, [0.5], [0, 1], "(0, 1)"),
        (True, False, [0.5, 1], [0], "(0, 1]"),
        (False, True, [0, 0.5], [1], "[0, 1)"),
        (False, False, [0, 0.5, 1], [], "[0, 1]"),
    ],
)
def test_in_range_ends(open_low, open_high, inside, outside, bracket):
    ends = {"open_low": open_low, "open_high": open_high}
    for value in inside:
        assert check.in_range("kappa", value, 0, 1, **ends) == value
    for value in [*outside, -1e-300, math.nextafter(1, 2), NAN]:
        with pytest.raises(ValueError) as error:
            check.in_range("kappa", value, 0, 1, **ends)
        assert str(error.value) == f"kappa must lie in {bracket}, got {float(value)!r}"


def test_positive_and_nonnegative():
    assert check.positive("sigma", 5e-324) == 5e-324
    assert check.nonnegative("sigma", 0) == 0
    for value in (0, -0.0, -1, NAN, INF, False):
        with pytest.raises(ValueError, match=r"^sigma must lie in \(0, inf\), got "):
            check.positive("sigma", value)
    for value in (-5e-324, NAN, INF, "1"):
        with pytest.raises(ValueError, match=r"^sigma must lie in \[0, inf\), got "):
            check.nonnegative("sigma", value)


@pytest.mark.parametrize("value", [2, 2.0, 1e6, np.int32(7), np.uint64(2**63), np.float64(3.0), 2**53 + 1])
def test_whole_accepts(value):
    got = check.whole("n", value, 2)
    assert type(got) is int and got == value


@pytest.mark.parametrize("value", [1, -3, 2.5, NAN, INF, "5", None, True, np.array(5), Decimal(5), (5,)])
def test_whole_refuses(value):
    with pytest.raises(ValueError) as error:
        check.at_least("n", value, 2)
    assert str(error.value) == f"n must be a whole number >= 2, got {value!r}"


def test_whole_with_two_ends():
    assert [check.whole("p", v, 1, 3) for v in (1, 2, 3)] == [1, 2, 3]
    for value in (0, 4, 2.5):
        with pytest.raises(ValueError) as error:
            check.whole("p", value, 1, 3)
        assert str(error.value) == f"p must be a whole number in [1, 3], got {value!r}"


def test_one_of():
    assert check.one_of("noise", "II", ("I", "II")) == "II"
    for value in ("ii", "", None, 1):
        with pytest.raises(ValueError) as error:
            check.one_of("noise", value, ("I", "II"))
        assert str(error.value) == f"noise must be one of I, II, got {value!r}"


def test_finite_array_accepts():
    for x in (3, [1, 2], np.arange(4, dtype=np.float32), [[True, False]]):
        got = check.finite_array("x", x)
        assert got.dtype == np.float64 and np.array_equal(got, np.asarray(x))
    assert check.finite_array("x", [], ndim=1).shape == (0,)


@pytest.mark.parametrize(
    ("x", "ndim", "line"),
    [
        ([1.0, NAN, INF], None, "x must be finite, got 2 NaN or infinite value(s)"),
        ([-INF], 1, "x must be finite, got 1 NaN or infinite value(s)"),
        ([1.0], 2, "x must have 2 dimension(s), got shape (1,)"),
        ("text", None, "x must be an array of finite numbers, got dtype <U4"),
        ([1.0, None, "a"], None, "x must be an array of finite numbers, got dtype object"),
        ([[1.0], [1.0, 2.0]], None, "x must be an array of finite numbers, got list"),
    ],
)
def test_finite_array_refuses(x, ndim, line):
    with pytest.raises(ValueError) as error:
        check.finite_array("x", x, ndim=ndim)
    assert str(error.value) == line


def test_finite_array_leaves_the_argument_alone():
    x = np.array([1.0, 2.0])
    check.finite_array("x", x)
    assert np.array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize("value", [0, 1, 2**64 - 1, np.int64(5), np.uint64(2**64 - 1)])
def test_seed_accepts(value):
    got = check.seed(value)
    assert got.dtype == np.uint64 and int(got) == int(value)


@pytest.mark.parametrize("value", [-1, 2**64, 1.0, 1.5, NAN, "1", None, True, False])
def test_seed_refuses(value):
    with pytest.raises(ValueError) as error:
        check.seed(value)
    assert str(error.value) == f"seed must be a whole number in [0, 2^64 - 1], got {value!r}"


def test_shape():
    assert check.shape(5) == (5,) and check.shape((2, 0, 3.0)) == (2, 0, 3) and check.shape(()) == ()
    for value in (-1, (2, -1), 1.5, "3", [3, 4], None, True):
        with pytest.raises(ValueError, match="^size must be a whole number >= 0, got "):
            check.shape(value)
