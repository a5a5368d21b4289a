"""simdmath.py: coefficients computed again at 60 digits, errors against mpmath at dense and at awkward points.

The claims are those of the docstrings: 1e-15 relatively, and 2e-16 absolutely for sine and cosine.
"""

import math

import mpmath as mp
import numba
import numpy as np
import pytest

from chaosnum import simdmath

CLAIM = 1e-15
DIGITS = mp.workdps(40)


def compiled(name):
    """A function of `simdmath` over a vector, without a cache that could be stale."""
    scalar = getattr(simdmath, name)

    @numba.njit(error_model="numpy")
    def over_vector(x):
        return np.array([scalar(t) for t in x])

    return over_vector


def log_uniform(rng, low, high, n):
    return 2.0 ** rng.uniform(math.log2(low), math.log2(high), n)


# ---------------------------------------------------------------- coefficients


def chebyshev(f, low, high, degree):
    """Monomial coefficients of the interpolant of f at the Chebyshev nodes of [low, high]."""
    angles = [mp.pi * (2 * j + 1) / (2 * (degree + 1)) for j in range(degree + 1)]
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(a) for a in angles]
    powers = mp.matrix([[t**j for j in range(degree + 1)] for t in nodes])
    return list(mp.lu_solve(powers, mp.matrix([f(t) for t in nodes])))


def _targets():
    """name -> (target, what the approximation means for the function, interval, claimed error)"""
    root = mp.sqrt
    third = ((root(2) - 1) / (root(2) + 1)) ** 2  # largest s^2 for (1 + s)/(1 - s) <= sqrt(2)
    eighth = (mp.pi / 4) ** 2
    return {
        "SIN_HALF_PI": (lambda t: mp.sin(mp.pi / 2 * root(t)) / root(t), 0, 1, lambda t, e, f: e / f, 2e-16),
        "LOG2": (lambda t: 2 * mp.atanh(root(t)) / root(t) / mp.ln(2), 0, third, lambda t, e, f: e / f, 2e-16),
        "EXP2": (lambda t: mp.mpf(2) ** t, -mp.mpf(0.5), mp.mpf(0.5), lambda t, e, f: e / f, 3e-16),
        "EXPM1": (
            lambda t: mp.expm1(t) / t if t else mp.mpf(1),
            -mp.ln(2) / 2,
            mp.ln(2) / 2,
            lambda t, e, f: e / f,
            2e-17,
        ),
        "SIN": (lambda t: (mp.sin(root(t)) / root(t) - 1) / t, 0, eighth, lambda t, e, f: e * root(t) ** 3, 1e-17),
        "COS": (lambda t: ((mp.cos(root(t)) - 1) / t + 0.5) / t, 0, eighth, lambda t, e, f: e * t**2, 5e-19),
    }


@pytest.mark.parametrize("name", ["SIN_HALF_PI", "LOG2", "EXP2", "EXPM1", "SIN", "COS"])
def test_coefficients(name):
    with mp.workdps(60):
        f, low, high, meaning, claimed = _targets()[name]
        low, high = mp.mpf(low), mp.mpf(high)
        literal = getattr(simdmath, name)
        degree = len(literal) - 1
        fitted = chebyshev(f, low, high, degree)
        assert tuple(float(c) for c in fitted) == literal

        def error(coefficients):
            grid = [low + (high - low) * j / 200 for j in range(1, 201)]
            values = [mp.fsum(c * t**j for j, c in enumerate(coefficients)) for t in grid]
            return max(abs(meaning(t, value - f(t), f(t))) for t, value in zip(grid, values))

        assert error(fitted) < 1.1 * claimed  # the comment beside the literals is rounded to one digit
        assert error(chebyshev(f, low, high, degree - 1)) > claimed  # and the degree is needed


def test_constants():
    with mp.workdps(60):
        assert simdmath.HALF_PI_1 == float(mp.pi / 2)
        assert simdmath.HALF_PI_2 == float(mp.pi / 2 - mp.mpf(simdmath.HALF_PI_1))
        assert simdmath.TWO_OVER_PI == float(2 / mp.pi)
        assert simdmath.LN2 == float(mp.ln(2)) and simdmath.ONE_OVER_LN2 == float(1 / mp.ln(2))
        assert simdmath.LN2_2 == float(mp.ln(2) - mp.mpf(simdmath.LN2))


# ---------------------------------------------------------------- errors


def _log_points(rng):
    powers = 2.0 ** np.arange(-1022, 1024, 31)
    near_one = 1 + np.concatenate([s * log_uniform(rng, 2.0**-52, 0.3, 300) for s in (-1, 1)])
    near_cut = [np.nextafter(c, s) for c in (math.sqrt(0.5), math.sqrt(2)) for s in (0, 9)]
    cut = [math.sqrt(0.5), math.sqrt(2), 2.0**-1022, math.nextafter(math.inf, 0)]
    dense = log_uniform(rng, 2.0**-1022, 2.0**1023, 1500)
    return np.concatenate([powers, near_one, near_cut, cut, dense])


def _exponents(rng, end):
    halves = np.arange(-8, 8) + 0.5
    around = [np.nextafter(h, s) for h in halves for s in (-99, 99)]
    tiny = np.concatenate([s * log_uniform(rng, 1e-300, 1, 300) for s in (-1, 1)])
    dense = [rng.uniform(-end, end, 1500), rng.uniform(-4, 4, 600)]
    return np.concatenate([halves, around, tiny, [0.0, -end, end], *dense])


BELOW_ONE = math.nextafter(1, 0)
POINTS = {
    "sin_half_pi": lambda rng: np.concatenate(
        [rng.random(2000), log_uniform(rng, 1e-300, 1, 500), 1 - log_uniform(rng, 1e-16, 1, 500), [0, BELOW_ONE, 1]]
    ),
    "log2": _log_points,
    "log2_1p": lambda rng: np.concatenate(
        [
            rng.uniform(math.sqrt(0.5) - 1, math.sqrt(2) - 1, 2000),
            *(s * log_uniform(rng, 1e-300, 0.29, 300) for s in (-1, 1)),
            [math.sqrt(0.5) - 1, math.sqrt(2) - 1, 0],
        ]
    ),
    "exp2": lambda rng: _exponents(rng, 1021.999),
    "expm1": lambda rng: np.concatenate([_exponents(rng, 699.999), math.log(2) * (np.arange(-50, 50) + 0.5)]),
    "tanh": lambda rng: np.concatenate([_exponents(rng, 25.0), [1e300, -1e300, 20, -20, 19.0615, 5e-324, math.inf]]),
    "sigmoid": lambda rng: np.concatenate([_exponents(rng, 699.999), [1e300, math.inf, 36.7, 37.5]]),
}
EXACT = {
    "sin_half_pi": lambda x: mp.sin(mp.pi * x / 2),
    "log2": lambda x: mp.log(x, 2),
    "log2_1p": lambda x: mp.log1p(x) / mp.ln(2),
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": mp.expm1,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
}


def relative(got, x, exact):
    with DIGITS:
        truth = [exact(mp.mpf(float(t))) for t in x]
        return max(abs(mp.mpf(float(g)) - t) / abs(t) if t else abs(mp.mpf(float(g))) for g, t in zip(got, truth))


@pytest.mark.parametrize("name", POINTS)
def test_relative_error(name):
    x = POINTS[name](np.random.default_rng(5))
    assert relative(compiled(name)(x), x, EXACT[name]) < CLAIM


@pytest.mark.parametrize(
    ("name", "textbook", "x"),
    [
        ("sin_half_pi", lambda x: np.sqrt(1 - np.cos(np.pi * x / 2) ** 2), 1e-9),
        ("log2_1p", lambda x: np.log2(1 + x), 1e-9),
        ("expm1", lambda x: np.exp(x) - 1, 1e-9),
        ("tanh", lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1), 1e-9),
        ("sigmoid", lambda x: 1 - 1 / (1 + np.exp(x)), -30.0),
        ("exp2", lambda x: np.exp(x * np.log(2)), -1000.3),
    ],
)
def test_the_measure_sees_a_cancelling_form(name, textbook, x):
    x = np.array([x])
    assert relative(textbook(x), x, EXACT[name]) > CLAIM


def _phases(rng):
    multiples = np.concatenate([np.arange(-40, 41), rng.integers(-(2**39), 2**39, 800)]) * (math.pi / 2)
    near = [np.nextafter(m, s * math.inf) for m in multiples for s in (-1, 1)]
    quarters = (rng.integers(-(2**20), 2**20, 800) + 0.5) * (math.pi / 2)  # where the quadrant changes
    wide = np.concatenate([s * log_uniform(rng, 1e-300, 2.0**40, 1500) for s in (-1, 1)])
    ends = [0.0, -0.0, 2.0**40, -(2.0**40)]
    return np.concatenate([multiples, near, quarters, wide, rng.uniform(-10, 10, 2000), ends])


def _sin_cos_error(x):
    @numba.njit(error_model="numpy")
    def over_vector(x):
        both = np.empty((2, x.size))
        for i in range(x.size):
            both[0, i], both[1, i] = simdmath.sin_cos(x[i])
        return both

    sine, cosine = over_vector(x)
    with DIGITS:
        return max(
            max(abs(mp.mpf(float(s)) - mp.sin(t)), abs(mp.mpf(float(c)) - mp.cos(t)))
            for s, c, t in zip(sine, cosine, map(mp.mpf, x.tolist()))
        ), np.abs([sine, cosine]).max()


def test_sin_cos():
    error, largest = _sin_cos_error(_phases(np.random.default_rng(6)))
    assert error < 2e-16 and largest <= 1


def test_sin_cos_beyond_the_claim():
    """Up to 2^51 the phase is still right to the digits that x holds of it; from there on x counts as 0."""
    rng = np.random.default_rng(7)
    far = np.concatenate([s * log_uniform(rng, 2.0**40, 2.0**51, 1500) for s in (-1, 1)])
    far = np.concatenate([far, [np.nextafter(2.0**51, 0), 2.0**50, -(2.0**50)]])
    error, largest = _sin_cos_error(far)
    assert error < 1e-14 and largest <= 1 + 2**-50
    beyond = np.array([2.0**51, -(2.0**51), 2.0**60, 1e300, math.inf, -math.inf])
    with mp.workdps(400):
        error, _ = _sin_cos_error(beyond[:4])
    assert error > 0.1  # the partner: there is no claim here

    @numba.njit(error_model="numpy")
    def sin_cos(x):
        return simdmath.sin_cos(x)

    assert all(sin_cos(x) == (0.0, 1.0) for x in beyond)


def test_scales_at_the_ends():
    @numba.njit(error_model="numpy")
    def nearest(y):
        return simdmath.nearest(y)

    for k in (-1022, -1021, -1, 0, 1, 1022, 1023):
        assert nearest(float(k)) == (k, 2.0**k) and nearest(k + 0.25) == (k, 2.0**k)
    assert nearest(-1023.0)[1] == 0 and nearest(1024.0)[1] == math.inf


def test_saturation():
    tanh, sigmoid = compiled("tanh"), compiled("sigmoid")
    x = np.array([0.3, 2.0, 25.0, 1e300])
    assert np.all(np.abs(tanh(np.r_[x, -x])) <= 1)
    assert np.array_equal(tanh(np.array([math.inf, -math.inf, 0.0])), [1, -1, 0])
    assert sigmoid(np.array([math.inf]))[0] == 1 and 0 < sigmoid(np.array([-math.inf]))[0] < 1e-300
