"""stable.py: the draws against mpmath on the same uniforms, their laws, their tails down to 1e-15, their addresses.

Philox is a bijection of its counters, and every counter is an address. So a test can ask for any uniforms it likes, the
extreme ones too, by inverting Philox, and the shipped sampler answers: nothing is reached around it.
"""

import math

import goodness
import mpmath as mp
import naive
import numba
import numpy as np
import pytest
from scipy import special, stats

from chaosnum import stable

ALPHAS = [1.0, 1 - 1e-12, 1 + 1e-12, 1.0001, 1.1, 1.5, 1.9, 1.9999, 2 - 1e-13, 2.0]
CLAIM = 1e-14


@numba.njit(error_model="numpy")
def _sas_at(out, law, replica, particle, step, component, stream):
    scratch = np.empty(stable.BLOCK)
    for i in range(out.size):
        part = (np.uint64(0), replica[i], particle[i], step[i], component[i], stream[i])
        stable.draw_block(out[i : i + 1], scratch, 1, law, *part)


@numba.njit(error_model="numpy")
def _positive_at(out, law, replica, particle, step, component, stream):
    scratch = np.empty(stable.BLOCK)
    for i in range(out.size):
        part = (np.uint64(0), replica[i], particle[i], step[i], component[i], stream[i])
        stable.positive_block(out[i : i + 1], scratch, 1, law, *part)


@numba.njit(error_model="numpy")
def _run_of_particles(out, law, seed, first):
    stable.draw(out, np.empty(stable.BLOCK), law, seed, 5, first, 7, 11, 2)


def draws(sampler, law, bits):
    """Draws whose four words are the pairs (v, w) of 64-bit words in `bits`."""
    blocks = [(v >> 32, v % 2**32, w >> 32, w % 2**32) for v, w in bits]
    addresses = [naive.unpack(naive.philox_inverse(block, (0, 0))) for block in blocks]
    out = np.empty(len(bits))
    sampler(out, law, *np.array(addresses, dtype=np.int64).T.copy())
    return out


def sas_draws(alpha, bits):
    return draws(_sas_at, stable.shape(alpha), bits)


def awkward_words(n, seed):
    """The ends, the middle, powers of two, and n words with a random number of leading zeros or ones."""
    rng = np.random.default_rng(seed)
    shifted = [int(x) >> int(s) for x, s in zip(rng.integers(0, 2**64, n, dtype=np.uint64), rng.integers(0, 64, n))]
    flipped = [x ^ (2**64 - 1) if flip else x for x, flip in zip(shifted, rng.random(n) < 0.4)]
    return flipped


CORNERS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 2**40, 2**63 - 1]
CORNERS += [2**64 - 1 - k for k in CORNERS]


def awkward_bits(n, seed):
    bits = list(zip(awkward_words(n, seed), awkward_words(n, seed + 1)))
    return bits + [(v, w) for v in CORNERS for w in CORNERS]


def exact_uniforms(v, w):
    """The uniforms of two words: v as the double that the sampler works with, W exactly."""
    v = mp.mpf(2 * naive.signed_uniform(v >> 32, v % 2**32))
    t = mp.mpf(2 * naive.signed(w >> 32, w % 2**32) + 1) / 2**65
    return v, -mp.log(t) if t > 0 else -mp.log1p(t)


def exact_sas(alpha, v, w):
    v, w = exact_uniforms(v, w)
    a, u = mp.mpf(alpha), mp.pi / 2 * (1 - abs(v))
    return mp.sign(v) * mp.sin(a * u) / mp.cos(u) ** (1 / a) * (mp.cos((1 - a) * u) / w) ** ((1 - a) / a)


def exact_positive(a, v, w):
    v, w = exact_uniforms(v, w)
    a, u = mp.mpf(a), mp.pi * (1 - min(abs(v), 1 - mp.mpf(2) ** -53))
    return mp.sin(a * u) / mp.sin(u) ** (1 / a) * (mp.sin((1 - a) * u) / w) ** ((1 - a) / a)


def relative(got, truth):
    return np.array([float(abs(mp.mpf(float(g)) - t) / abs(t)) if t else abs(g) for g, t in zip(got, truth)])


# ---------------------------------------------------------------- against mpmath on the same uniforms


@pytest.mark.parametrize("alpha", ALPHAS)
def test_relative_error(alpha):
    bits = awkward_bits(600, seed=21)
    with mp.workdps(50):
        truth = [exact_sas(alpha, *pair) for pair in bits]
        error = relative(sas_draws(alpha, bits), truth)
        assert error.max() < CLAIM, bits[error.argmax()]
        uniforms = [naive.uniforms((v >> 32, v % 2**32, w >> 32, w % 2**32)) for v, w in bits]
        textbook = [math.copysign(naive.sas(alpha, np.pi / 2 * (1 - abs(v)), w), v) for v, w in uniforms]
        if alpha < 2:  # there sin(2U)/cos U = 2 sin U, and the textbook form loses nothing
            assert relative(textbook, truth).max() > CLAIM


@pytest.mark.parametrize("a", [0.25, 0.5, 0.75, 0.9, 0.999, 1 - 2.0**-50])
def test_relative_error_of_the_positive_law(a):
    bits = awkward_bits(600, seed=22)
    with mp.workdps(60):
        truth = [exact_positive(a, *pair) for pair in bits]
        error = relative(draws(_positive_at, stable.positive_shape(a), bits), truth)
        assert error.max() < CLAIM, bits[error.argmax()]
        uniforms = [naive.uniforms((v >> 32, v % 2**32, w >> 32, w % 2**32)) for v, w in bits]
        textbook = [naive.positive_stable(a, np.pi * max(1 - abs(v), 2.0**-53), w) for v, w in uniforms]
        assert relative(textbook, truth).max() > CLAIM


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
def test_a_sample_is_its_addresses(alpha):
    """Vectorised loop, several blocks and the remainder against pure-Python Philox and mpmath."""
    n, seed = 1100, 2**63 + 12345
    got = stable.rvs(alpha, n, seed=seed)
    words = [naive.philox(naive.pack(0, i, 0, 0, 3), naive.key(seed)) for i in range(n)]
    bits = [((a << 32) + b, (c << 32) + d) for a, b, c, d in words]
    with mp.workdps(40):
        assert relative(got, [exact_sas(alpha, *pair) for pair in bits]).max() < CLAIM
    assert np.array_equal(sas_draws(alpha, bits), got)  # one by one: the same bits as eight at a time


def test_particles_beyond_2_to_the_32():
    """The high bits of the particle number live in another counter word; blocks on both sides of the boundary."""
    n, first, seed = 1100, 2**32 - 512, 5
    got = np.empty(n)
    _run_of_particles(got, stable.shape(1.5), np.uint64(seed), first)
    words = [naive.philox(naive.pack(5, first + i, 7, 11, 2), naive.key(seed)) for i in range(n)]
    assert np.array_equal(sas_draws(1.5, [((a << 32) + b, (c << 32) + d) for a, b, c, d in words]), got)
    assert np.unique(got).size == n


def test_a_positive_sample_is_its_addresses():
    n, seed = 600, 77
    words = [naive.philox(naive.pack(0, i, 0, 0, 4), naive.key(seed)) for i in range(n)]
    with mp.workdps(40):
        truth = [exact_positive(0.7, (a << 32) + b, (c << 32) + d) for a, b, c, d in words]
        assert relative(stable.rvs_positive(0.7, n, seed=seed), truth).max() < CLAIM


@pytest.mark.parametrize("alpha", [1.0, 1.2, 1.5, 1.9, 2.0])
def test_every_corner_is_finite(alpha):
    """Where 1e9 draws never come: all pairs of words next to a power of two, from either end."""
    powers = [2**k for k in range(64)]
    words = [*powers, *(2**64 - 1 - x for x in powers), *CORNERS]
    assert np.all(np.isfinite(sas_draws(alpha, [(v, w) for v in words for w in words])))


def test_overflow_of_small_alpha_is_infinite():
    """The partner: the corners see what lies beyond double precision, and there it is an infinity or a zero."""
    bits = [(v, w) for v in CORNERS for w in CORNERS if abs(2 * naive.signed_uniform(v >> 32, v % 2**32)) < 1]
    with mp.workdps(50):
        for alpha in (0.12, 0.1, 0.05, 0.03, 0.004):
            truth = [exact_sas(alpha, *pair) for pair in bits]
            size = np.array([float(mp.log(abs(t), 2)) for t in truth])
            x = sas_draws(alpha, bits)
            assert np.array_equal(np.signbit(x), [t < 0 for t in truth]), alpha
            assert np.all(np.isinf(x[size > 1025])) and np.all(np.isfinite(x[size < 1000]))
            assert np.all(np.abs(x[size < -1022]) < 2.0**-1000)
            inside = np.flatnonzero(np.abs(size) < 1000)
            assert relative(x[inside], [truth[i] for i in inside]).max() < 10 * CLAIM
            assert np.isinf(x).any() == (alpha < 0.12) and (x == 0).any() == (alpha < 0.01)


def test_no_nan_down_to_the_smallest_alpha():
    for alpha in (0.01, 1e-3, 1e-10, 1e-100):
        assert not np.isnan(stable.rvs(alpha, 10_000, seed=28)).any(), alpha
        assert not np.isnan(stable.rvs_positive(alpha / 2, 10_000, seed=28)).any(), alpha


# ---------------------------------------------------------------- tails down to 1e-15


def tail(alpha, r):
    """P(|X| > r) for large r: the leading terms of the asymptotic series (Nolan 2020, section 3.6)."""
    j = np.arange(1, 4)
    sign = -((-1.0) ** j)
    terms = sign * special.gamma(alpha * j) / special.factorial(j) * np.sin(np.pi * alpha * j / 2)
    return 2 / np.pi * np.sum(terms * r ** (-alpha * j))


def count_above(value, r, top):
    """How many of the integers 0, 1, ..., top - 1 have value(k) > r, for a decreasing value: bisection, vectorised."""
    low, high = [-1] * len(r), [top] * len(r)  # value(low) > r >= value(high)
    while any(h - l > 1 for l, h in zip(low, high)):
        middle = [(l + h) // 2 for l, h in zip(low, high)]
        above = value(middle) > r
        low = [m if a and h - l > 1 else l for l, h, m, a in zip(low, high, middle, above)]
        high = [h if a or h - l <= 1 else m for l, h, m, a in zip(low, high, middle, above)]
    return np.array(high, dtype=object)


@pytest.mark.parametrize("alpha", [1.0, 1.0001, 1.2, 1.5, 1.8, 1.95])
def test_tail_probabilities_down_to_1e15(alpha):
    """P(|X| > r) of the sampler itself, by counting the 2^63 words v that lead beyond r, averaged over W.

    For given W the words beyond r are an interval, found by bisection. Their number over W^(alpha - 1) is constant in
    W to leading order, so Gauss-Laguerre quadrature with that weight is exact to about r^-alpha; what remains is that
    a count is a whole number, at most 1/2 from the exact measure.
    """
    node, weight = special.roots_genlaguerre(24, alpha - 1)
    keep = weight > 1e-9 * weight.sum()
    w_words = [min(int(mp.exp(-mp.mpf(t)) * 2**64), 2**64 - 1) for t in node[keep]]
    w = np.array([float(exact_uniforms(0, k)[1]) for k in w_words])
    share = weight[keep] * w ** (1 - alpha)  # sum share * P(. | w) is the mean over W

    for p in (1e-9, 1e-12, 1e-15):
        r = (tail(alpha, 1.0e9) * 1.0e9**alpha / p) ** (1 / alpha)
        counts = count_above(lambda ks: sas_draws(alpha, list(zip(ks, w_words))), np.full(w.size, r), 2**63)
        # half of all words are positive, and 2^63 - 1 - k leads to the negative of what k leads to
        got = np.sum(share * counts.astype(float)) * 2.0**-63
        tolerance = np.sum(share) * 0.5 * 2.0**-63 + 1e-6 * p
        assert abs(got - tail(alpha, r)) < tolerance, (p, got)
        assert tolerance < 1e-3 * p

    def textbook(ks):  # a 53-bit uniform from its upper end down
        u = np.pi * ((2.0**53 - 1 - np.array(ks, dtype=float)) * 2.0**-53) - np.pi / 2
        return naive.sas(alpha, u, w)

    counts = count_above(textbook, np.full(w.size, r), 2**52)
    assert abs(2 * np.sum(share * counts.astype(float)) * 2.0**-53 - tail(alpha, r)) > tolerance


def test_gaussian_tail_down_to_1e15():
    """At alpha = 2 the far tail comes from large W: count the words of W beyond r, averaged over v."""
    node, weight = np.polynomial.legendre.leggauss(64)
    v_words = [int((1 + t) / 2 * 2**63) for t in node]
    for p in (1e-6, 1e-9, 1e-12, 1e-15):
        r = 2 * special.erfcinv(p)
        counts = count_above(lambda ks: sas_draws(2.0, list(zip(v_words, ks))), np.full(64, r), 2**63)
        got = np.sum(weight / 2 * counts.astype(float)) * 2.0**-64
        tolerance = 0.5 * 2.0**-64 + 1e-9 * p
        assert abs(got - special.erfc(r / 2)) < tolerance, (p, got)
    w = -np.log((np.arange(64) + 1) * 2.0**-53)  # the partner: a 53-bit uniform's largest exponentials
    textbook = [np.searchsorted(-2 * np.sqrt(w) * np.cos(np.pi / 2 * (1 + t) / 2), -r) for t in node]
    assert abs(np.sum(weight / 2 * np.array(textbook)) * 2.0**-53 - p) > tolerance


@pytest.mark.parametrize(("alpha", "wrong"), [(1.0, 0.9), (1.2, 1.1), (1.5, 1.4), (1.8, 1.75)])
def test_tail_constant(alpha, wrong):
    """The share of draws beyond a moderately far r is binomial with the tail probability."""
    n, r = 3_000_000, (tail(alpha, 1e9) * 1e9**alpha / 1e-4) ** (1 / alpha)
    beyond = int(np.count_nonzero(np.abs(stable.rvs(alpha, n, seed=23)) > r))

    def interval(index):
        return stats.binom.ppf([goodness.FALSE_ALARM / 2, 1 - goodness.FALSE_ALARM / 2], n, tail(index, r))

    low, high = interval(alpha)
    assert low <= beyond <= high
    low, high = interval(wrong)
    assert not low <= beyond <= high


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 1.99, 2.0])
def test_characteristic_function(alpha):
    n, k = 3_000_000, goodness.frequencies(alpha)
    law = goodness.sas(alpha)
    x = stable.rvs(alpha, n, seed=24)[None]
    assert goodness.chi_square(x, law, k) < goodness.critical(k)
    for wrong in (goodness.sas(alpha - 0.01), goodness.sas(alpha, 1.02 ** (1 / alpha))):
        assert goodness.miss(law, wrong, k, n) < goodness.FALSE_ALARM  # so many draws are enough to tell
        assert goodness.chi_square(x, wrong, k) > goodness.critical(k)
    assert goodness.chi_square(x + 0.01, law, k) > goodness.critical(k)  # no longer symmetric


@pytest.mark.parametrize(("alpha", "law"), [(1.0, stats.cauchy), (2.0, stats.norm(scale=math.sqrt(2)))])
def test_cauchy_and_gauss(alpha, law):
    x = stable.rvs(alpha, 1_000_000, seed=25)
    assert goodness.kolmogorov(x, law.cdf) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(1.03 * x, law.cdf) > goodness.KOLMOGOROV_CRITICAL
    assert np.array_equal(x > 0, stable.rvs(1.3, x.size, seed=25) > 0)  # the sign is a bit of its own


def laplace_chi_square(x, a, s):
    """As `goodness.chi_square`, for the averages of exp(-s A): covariance L(s + t) - L(s) L(t), L(s) = exp(-s^a)."""
    mean = np.exp(-(s**a))
    covariance = np.exp(-((s[:, None] + s) ** a)) - np.outer(mean, mean)
    d = np.array([np.exp(-t * x).mean() for t in s]) - mean
    return x.size * d @ np.linalg.solve(covariance, d)


@pytest.mark.parametrize("a", [0.25, 0.5, 0.75, 0.9, 0.999])
def test_laplace_transform(a):
    n, s = 2_000_000, np.array([0.1, 0.5, 1.5]) ** (1 / a)
    critical = stats.chi2.isf(goodness.FALSE_ALARM, s.size)
    x = stable.rvs_positive(a, n, seed=26)
    assert x.min() > 0 and laplace_chi_square(x, a, s) < critical
    assert laplace_chi_square(x, a - 0.01, s) > critical
    assert laplace_chi_square(1.02 ** (1 / a) * x, a, s) > critical


def test_levy_law():
    """At index 1/2 the positive law is that of 1/(2 G^2), G standard normal."""
    x = stable.rvs_positive(0.5, 1_000_000, seed=27)
    assert goodness.kolmogorov(x, stats.levy(scale=0.5).cdf) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(x, stats.levy(scale=0.52).cdf) > goodness.KOLMOGOROV_CRITICAL


# ---------------------------------------------------------------- shapes, seeds, errors


@pytest.mark.parametrize(("sampler", "alpha"), [(stable.rvs, 1.5), (stable.rvs_positive, 0.6)])
def test_a_longer_sample_begins_with_the_shorter_one(sampler, alpha):
    whole = sampler(alpha, 2100, seed=3)
    for n in (0, 1, 2, 3, 7, 8, 31, 511, 512, 513, 1023, 1024, 1025, 2047, 2099):
        assert np.array_equal(sampler(alpha, n, seed=3), whole[:n])
    assert np.array_equal(sampler(alpha, 2100, seed=3), whole) and np.unique(whole).size == whole.size


def test_shapes_and_scale():
    x = stable.rvs(1.5, (3, 4, 5), seed=0)
    assert x.shape == (3, 4, 5) and x.dtype == np.float64
    assert np.array_equal(x.ravel(), stable.rvs(1.5, 60, seed=0))
    assert np.array_equal(stable.rvs(1.5, 60, seed=0, scale=3.0), 3 * x.ravel())
    assert stable.rvs(1.5, (2, 0), seed=0).shape == (2, 0) and stable.rvs(1.5, (), seed=0).shape == ()
    assert stable.rvs_positive(0.5, (2, 3), seed=0).shape == (2, 3)
    seeds = [0, 1, 2**32, 2**64 - 1]
    assert len({stable.rvs(1.5, 1, seed=s)[0] for s in seeds}) == len(seeds)


def test_the_two_samplers_share_no_bits():
    """rvs and rvs_positive read different streams: their signs and sizes are uncorrelated."""
    n = 200_000
    x, y = stable.rvs(1.5, n, seed=9), stable.rvs_positive(0.75, n, seed=9)
    bound = stats.norm.isf(goodness.FALSE_ALARM / 2) / math.sqrt(n)
    assert abs(np.corrcoef(np.abs(x) > 1, y > 1)[0, 1]) < bound
    assert abs(np.corrcoef(np.abs(x) > 1, np.abs(stable.rvs(1.2, n, seed=9)) > 1)[0, 1]) > bound  # one stream


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"alpha": 0}, "alpha must lie in (0, 2], got 0.0"),
        ({"alpha": 2.5}, "alpha must lie in (0, 2], got 2.5"),
        ({"alpha": math.nan}, "alpha must lie in (0, 2], got nan"),
        ({"alpha": "x"}, "alpha must lie in (0, 2], got 'x'"),
        ({"alpha": True}, "alpha must lie in (0, 2], got True"),
        ({"alpha": None}, "alpha must lie in (0, 2], got None"),
        ({"alpha": [1.5]}, "alpha must lie in (0, 2], got [1.5]"),
        ({"scale": -1}, "scale must lie in (0, inf), got -1.0"),
        ({"scale": 0}, "scale must lie in (0, inf), got 0.0"),
        ({"scale": math.nan}, "scale must lie in (0, inf), got nan"),
        ({"scale": math.inf}, "scale must lie in (0, inf), got inf"),
        ({"seed": -1}, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ({"seed": 2**64}, "seed must be a whole number in [0, 2^64 - 1], got 18446744073709551616"),
        ({"seed": 1.5}, "seed must be a whole number in [0, 2^64 - 1], got 1.5"),
        ({"size": -1}, "size must be a whole number >= 0, got -1"),
        ({"size": (2, -3)}, "size must be a whole number >= 0, got -3"),
        ({"size": 1.5}, "size must be a whole number >= 0, got 1.5"),
    ],
)
def test_bad_arguments(arguments, line):
    stable.rvs(1.0, 1, seed=0)  # True equals 1.0: a remembered alpha must not let it in
    with pytest.raises(ValueError) as error:
        stable.rvs(**{"alpha": 1.5, "size": 3, "seed": 0, **arguments})
    assert str(error.value) == line


@pytest.mark.parametrize("alpha", [0, 1, 1.5, math.nan, "x", True, [0.5]])
def test_bad_arguments_of_the_positive_law(alpha):
    with pytest.raises(ValueError, match=r"^alpha must lie in \(0, 1\), got "):
        stable.rvs_positive(alpha, 3, seed=0)


# ---------------------------------------------------------------- many draws


def all_finite(alpha, n, chunk):
    return all(np.all(np.isfinite(stable.rvs(alpha, chunk, seed=seed))) for seed in range(n // chunk))


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0])
def test_no_nan_or_inf(alpha):
    assert all_finite(alpha, 20_000_000, 5_000_000)


@pytest.mark.long
@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0])
def test_no_nan_or_inf_in_1e9(alpha):
    assert all_finite(alpha, 1_000_000_000, 5_000_000)
