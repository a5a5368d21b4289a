"""philox.py: published vectors, addresses that never collide, uniforms that are fine towards zero."""

from fractions import Fraction

import naive
import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chaosnum import philox

# Random123, kat_vectors: philox4x32 10
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
ENDS = {
    "replica": philox.REPLICAS,
    "particle": philox.PARTICLES,
    "step": philox.STEPS,
    "component": philox.COMPONENTS,
    "stream": philox.STREAMS,
}
fixed = settings(derandomize=True, deadline=None, max_examples=300)
words = st.integers(0, 2**32 - 1)
seeds = st.integers(0, 2**64 - 1)


@numba.njit
def _philox(x0, x1, x2, x3, k0, k1):
    return philox.philox(x0, x1, x2, x3, k0, k1)


@numba.njit
def _address(seed, replica, particle, step, component, stream):
    return philox.address(seed, replica, particle, step, component, stream)


@numba.njit
def _signed_uniform(high, low):
    return philox.signed_uniform(high, low)


def compiled(counter, key):
    return tuple(int(w) for w in _philox(*map(np.uint64, (*counter, *key))))


def address(seed, *parts):
    got = tuple(int(w) for w in _address(np.uint64(seed), *map(np.int64, parts)))
    return got[:4], got[4:]


def uniform(k):
    """The compiled uniform of a signed 64-bit integer."""
    return _signed_uniform(np.uint64(k % 2**64 >> 32), np.uint64(k % 2**32))


@pytest.mark.parametrize("vector", KNOWN)
def test_known_answers(vector):
    counter, key, words = (tuple(int(w, 16) for w in part.split()) for part in vector)
    assert compiled(counter, key) == words
    assert naive.philox(counter, key) == words
    assert naive.philox(counter, key, rounds=9) != words


@fixed
@given(st.tuples(words, words, words, words), st.tuples(words, words))
def test_agrees_with_the_loop_and_its_inverse(counter, key):
    output = compiled(counter, key)
    assert output == naive.philox(counter, key)
    assert naive.philox_inverse(output, key) == counter  # a bijection: distinct counters never collide


def test_high_halves_do_not_matter():
    """The rounds leave rubbish above 32 bits in their lanes; so may the caller."""
    rubbish = 0xDEADBEEF << 32
    assert compiled((1 + rubbish, 2, 3 + rubbish, 4), (5, 6)) == naive.philox((1, 2, 3, 4), (5, 6))


@fixed
@given(seeds, st.tuples(*(st.integers(0, end - 1) for end in ENDS.values())))
@example(0, (0,) * 5)
@example(2**64 - 1, tuple(end - 1 for end in ENDS.values()))
def test_an_address_is_read_back_from_its_counter(seed, parts):
    counter, key = address(seed, *parts)
    assert all(0 <= word < 2**32 for word in counter + key)
    assert (counter, key) == (naive.pack(*parts), naive.key(seed))
    assert naive.unpack(counter) == parts and key[0] + (key[1] << 32) == seed


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("others", ["first", "last"])
def test_each_end_of_each_range(part, others):
    parts = [0 if others == "first" else end - 1 for end in ENDS.values()]
    for value in (0, 1, list(ENDS.values())[part] - 1):
        parts[part] = value
        assert naive.unpack(address(3, *parts)[0]) == tuple(parts)


@pytest.mark.parametrize("part", ["replica", "component", "stream", "particle", "step"])
def test_one_past_each_end_is_not_read_back(part):
    """The stated ranges are sharp: the next value collides with another address or needs a 33rd bit."""
    parts = [ENDS[name] if name == part else 0 for name in ENDS]
    counter = address(0, *parts)[0]
    assert naive.unpack(counter) != tuple(parts) or max(counter) >= 2**32


def test_signed_uniform_is_rounded_once():
    rng = np.random.default_rng(11)
    ks = [0, 1, -1, -2, 2**31, 2**32 - 1, 2**32, 2**53, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), -(2**32), -(2**32) - 1]
    ks += [int(k) >> int(s) for k, s in zip(rng.integers(-(2**63), 2**63, 2000), rng.integers(0, 64, 2000))]
    for k in ks:
        exact = Fraction(2 * k + 1, 2**65)
        got = uniform(k)
        assert got == float(exact), k  # Fraction to float is correctly rounded
        assert got == -uniform(-k - 1) and got != 0 and abs(got) <= 0.5
        assert naive.signed_uniform(k % 2**64 >> 32, k % 2**32) == got


def test_signed_uniform_ignores_high_halves():
    assert _signed_uniform(np.uint64((7 << 32) + 5), np.uint64((9 << 32) + 6)) == uniform((5 << 32) + 6)


def test_resolution_near_zero():
    near = [uniform(k) for k in range(-4, 4)]
    assert np.array_equal(np.diff(near), np.full(7, 2.0**-64)) and min(map(abs, near)) == 2.0**-65
    textbook = [(2**52 + k) * 2.0**-53 - 0.5 for k in range(-4, 4)]  # what a 53-bit uniform can give
    assert min(map(abs, textbook)) == 0 and np.diff(textbook).max() == 2.0**-53
