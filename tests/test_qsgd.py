"""QSGD: the quantiser against its definition and exact moments, the code round trip, its length, malformed messages."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chaosnum as cn

qsgd, code, length = cn.qsgd, cn.qsgd_code, cn.qsgd_length


def test_quantise_is_its_definition():
    rng = np.random.default_rng(1)
    v = rng.standard_normal((50, 7))
    for s in (1, 3, 20):
        scale, level = qsgd.Quantiser(s).split(v, rng)
        norm = np.linalg.norm(v, axis=1)
        silent = scale == 0.0
        assert np.array_equal(silent, ~level.any(axis=1))
        ratio = scale.astype(float)[~silent] / norm[~silent]
        assert (ratio >= 1.0).all() and (ratio <= 1.0 + 2e-7).all()
        low = np.floor(np.abs(v) / norm[:, None] * s)
        assert (np.isin(np.abs(level) - low, (0, 1)) | silent[:, None]).all()
        assert ((np.sign(level) == np.sign(v)) | (level == 0)).all()
    found = qsgd.Quantiser(4).quantise(np.zeros(3), rng)
    assert found.tolist() == [0.0, 0.0, 0.0]
    assert qsgd.Quantiser(5).quantise([0.0, -3.0], rng).tolist() == [0.0, -3.0]  # 3 is a 32-bit float


def test_exact_moments_and_their_integrals():
    rng = np.random.default_rng(2)
    for s in (1, 2, 6):
        q = qsgd.Quantiser(s)
        v = rng.standard_normal(9)
        draws = q.quantise(np.repeat(v[None], 40_000, axis=0), rng)
        errors = ((draws - v) ** 2).sum(axis=1) / (v @ v)
        assert abs(errors.mean() - q.variance(v)) < 4.5 * errors.std() / 200
        nonzeros = (draws != 0).sum(axis=1)
        assert abs(nonzeros.mean() - q.nonzeros(v)) <= 4.5 * nonzeros.std() / 200 + 1e-9
        assert (np.abs(draws.mean(axis=0) - v) <= 4.5 * draws.std(axis=0) / 200 + 1e-12).all()
        for d in (1, 2, 3, 40):
            u = rng.standard_normal((20_000, d))
            for exact, values in ((q.mean_variance(d), q.variance(u)), (q.mean_nonzeros(d), q.nonzeros(u))):
                assert abs(values.mean() - exact) <= 4.5 * values.std() / 20_000**0.5 + 1e-9
    assert qsgd.Quantiser(1).mean_variance(3) == pytest.approx(0.5)  # 3 E|u_1| - 1 = 3/2 - 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(1, 30))
def test_bounds_hold_for_every_vector(v, s):
    q, d = qsgd.Quantiser(s), len(v)
    omega = q.variance(v)
    assert omega <= qsgd.sharp_variance(d, s) + 1e-9 <= qsgd.stated_variance(d, s) + 2e-9
    assert q.nonzeros(v) <= qsgd.stated_nonzeros(d, s) * (1 + 1e-12)


def test_the_sharp_bound_is_attained():
    for d, s in ((16, 1), (100, 5), (400, 3)):
        assert qsgd.Quantiser(s).variance(np.ones(d)) == pytest.approx(qsgd.sharp_variance(d, s), rel=1e-12)


def test_omega_code_words():
    words = {1: "0", 2: "100", 3: "110", 4: "101000", 7: "101110", 8: "1110000", 16: "10100100000", 17: "10100100010"}
    assert {k: code.omega(k) for k in words} == words
    lengths = [len(code.omega(k)) for k in range(1, 3000)]
    assert code.omega_bits(np.arange(1, 3000)).tolist() == lengths and code.omega_bits(10**7) == len(code.omega(10**7))
    ordered = sorted(code.omega(k) for k in range(1, 3000))
    assert not any(b.startswith(a) for a, b in zip(ordered, ordered[1:]))  # no word begins another


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.sampled_from([1, 2, 5, 1000]), st.sampled_from(code.CODES), st.integers(0, 2**32 - 1))
def test_round_trip_and_flips(d, s, name, seed):
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(d) * (rng.random(d) < rng.choice([0.05, 0.5, 1.0])) * 10.0 ** rng.integers(-30, 30)
    q = qsgd.Quantiser(s)
    scale, level = q.split(v, rng)
    message = code.encode(float(scale), level, name)
    back, same = code.decode(message, d, s, name)
    assert back == scale and back.dtype == np.float32 and np.array_equal(same, level)
    assert q.join(back, same).tobytes() == q.join(scale, level).tobytes()
    for bit in rng.integers(0, message.bits, 6):
        try:
            other = q.join(*code.decode(code.flipped(message, int(bit)), d, s, name))
        except ValueError as error:
            assert "\n" not in str(error) and str(error).startswith("message must")
        else:
            assert not np.array_equal(other, q.join(scale, level))


def test_all_levels_and_the_extremes():
    for name in code.CODES:
        level = np.arange(-50, 51)
        assert np.array_equal(code.decode(code.encode(2.5, level, name), 101, 50, name)[1], level)
        for d in (1, 2, 5000):
            assert code.encode(0.0, np.zeros(d, dtype=int), name).bits == 32
            one = np.zeros(d, dtype=int)
            one[-1] = -7
            scale, level = code.decode(code.encode(1.0, one, name), d, 7, name)
            assert scale == 1.0 and np.array_equal(level, one)


def test_expected_bits_by_all_outcomes():
    """The sum over the 2^d outcomes of a short vector."""
    v = np.array([0.3, -1.0, 0.0, 0.7, 0.2])
    for s in (1, 2, 7):
        q = qsgd.Quantiser(s)
        share = np.abs(v) / np.linalg.norm(v) * s
        low = np.floor(share).astype(int)
        for name in code.CODES:
            total = 0.0
            for outcome in range(32):
                up = np.array([outcome >> i & 1 for i in range(5)])
                chance = np.where(up, share - low, 1.0 - (share - low)).prod()
                level = (low + up) * np.where(v < 0, -1, 1)
                if chance > 0.0:
                    total += chance * code.encode(1.0 if level.any() else 0.0, level, name).bits
            assert length.expected_bits(q, v, name) == pytest.approx(total, rel=1e-12)
    assert length.expected_bits(qsgd.Quantiser(30), np.ones(900)) == pytest.approx(3 * 900 + 33)
    assert length.expected_bits(qsgd.Quantiser(30), np.ones(900), "dense") == pytest.approx(4 * 900 + 32)


def test_limit_of_the_length():
    rng = np.random.default_rng(3)
    for name, wanted in (("gap", 2.7564), ("dense", 2.9424)):
        assert length.limit_bits(name) == pytest.approx(wanted, abs=1e-4)
        found = length.expected_bits(qsgd.Quantiser(200), rng.standard_normal(40_000), name)
        assert (found - 32) / 40_000 == pytest.approx(wanted, rel=0.01)


def test_malformed_messages():
    scale = f"{struct.unpack('>I', struct.pack('>f', 1.0))[0]:032b}"
    negative, infinite = "1" + "0" * 31, "0" + "1" * 8 + "0" * 23
    refused = [
        (scale, "must go on, got its end at bit 32"),
        (scale + "0" + "0" + "0", "must go on"),
        (scale + "0" + "0" + "0" + "0" * 9, "got its end|must end|must have"),
        (scale + code.omega(4), "a level, as its scale is not 0"),
        (scale + code.omega(9), "a gap of at most 4, got"),
        (scale + "0" + "0" + code.omega(6), "a level of at most 5, got 6"),
        (scale + "0" + "0" + "111111", "a level of at most 5, got"),
        (negative, "scale >= 0, got -0.0"),
        (infinite, "scale >= 0, got inf"),
        ("0" * 33, "must end at bit 32, got 33"),
        ("0" * 31, "must go on"),
    ]
    for text, words in refused:
        with pytest.raises(ValueError, match=words) as error:
            code.decode(code.pack(text), 3, 5)
        assert "\n" not in str(error.value)
    good = code.encode(1.0, np.array([1, 0, -5]))
    for message, words in (
        (code.Message(good.data, good.bits + 9), "bytes for its"),
        (code.Message(b"\xff" * len(good.data), good.bits), "filled up with zeros"),
        (good.data, "must be a Message"),
    ):
        with pytest.raises(ValueError, match=words):
            code.decode(message, 3, 5)


def test_what_is_refused():
    rng = np.random.default_rng(1)
    refused = [
        (lambda: qsgd.Quantiser(0), "levels must"),
        (lambda: qsgd.Quantiser(2).quantise([1.0, np.nan], rng), "v must be finite"),
        (lambda: qsgd.Quantiser(2).quantise([1e39], rng), "at most 3.4e38"),
        (lambda: qsgd.Quantiser(2).quantise(1.0, rng), "v must have shape"),
        (lambda: qsgd.weighted_variance(qsgd.Quantiser(1), np.zeros((3, 2)), rng), "must not all be zero"),
        (lambda: code.encode(1.0, np.zeros(3, dtype=int)), "if and only if"),
        (lambda: code.encode(0.0, np.ones(3, dtype=int)), "if and only if"),
        (lambda: code.encode(0.1, np.ones(3, dtype=int)), "32-bit float"),
        (lambda: code.encode(1e39, np.ones(3, dtype=int)), "32-bit float"),
        (lambda: code.encode(-1.0, np.ones(3, dtype=int)), "32-bit float"),
        (lambda: code.encode(1.0, np.ones(3)), "whole numbers"),
        (lambda: code.encode(1.0, np.ones(3, dtype=int), "huffman"), "code must be one of"),
        (lambda: length.expected_bits(qsgd.Quantiser(1), np.zeros(3)), "v must not be 0"),
        (lambda: length.expected_bits(3, [1.0]), "quantiser must be a chaosnum.qsgd.Quantiser, got 3"),
        (lambda: length.limit_bits(ratio=1e9), "ratio must lie in"),
        (lambda: code.omega(0), "k must"),
        *(
            (lambda k=k: code.omega_bits(k), r"k must be whole numbers in \[1, 2\^63 - 1\], got")
            for k in (-3, 0, 2.5, [], [4, 0], True, 2**63, 2**70, "a")
        ),
        (lambda: code.encode("a", [1]), "scale must be a 32-bit float >= 0, got 'a'"),
        (lambda: code.encode(None, [1]), "scale must be"),
        (lambda: code.encode(1.0, np.array([2**63 + 5], dtype=np.uint64)), "level must lie in .* 9223372036854775813"),
        (lambda: code.encode(1.0, np.array([-(2**63)])), "level must lie in"),
        (lambda: code.decode(code.encode(1.0, [1]), 1, 2**64), r"levels must be a whole number in \[1, 2147483647\]"),
        (lambda: code.decode(code.encode(1.0, [1]), 10**15, 2), "dim must be a whole number in"),
        *(
            (lambda f=f, a=a: f(*a), f"{name} must be a whole number >= 1, got")
            for f in (qsgd.stated_variance, qsgd.stated_nonzeros, qsgd.sharp_variance, length.stated_bits)
            for a, name in (((np.nan, 1), "dim"), ((10, 0), "levels"), ((-1, 2), "dim"))
        ),
        (lambda: qsgd.Quantiser(10**9).mean_variance(5), r"levels must be a whole number in \[1, 100000\]"),
    ]
    for call, words in refused:
        with pytest.raises(ValueError, match=words) as error:
            call()
        assert "\n" not in str(error.value)


def test_weighted_variance():
    rng = np.random.default_rng(4)
    g = np.vstack([rng.standard_normal((3000, 6)), np.zeros((3000, 6))])  # silent batches count for nothing
    q = qsgd.Quantiser(2)
    assert qsgd.weighted_variance(q, g, rng, draws=4) == pytest.approx(q.mean_variance(6), rel=0.05)
    assert qsgd.weighted_variance(lambda v, rng: v, g[:9], rng) == 0.0
    assert qsgd.weighted_variance(lambda v, rng: 0.5 * v, 1e200 * g[:9], rng) == pytest.approx(0.25)
