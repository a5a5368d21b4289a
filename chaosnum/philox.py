"""Counter-based random bits: Philox4x32-10, addressed by (seed, replica, particle, step, component).

A random number here is a pure function of its address. Two systems are coupled by reading the same addresses, a
coarse step sums the noise of its fine steps, and a run does not depend on the number of threads, blocks or
machines that compute it; nothing is stored or replayed.

Philox maps a counter of four 32-bit words and a key of two to four random words: ten rounds of two 32 x 32 -> 64
bit products whose halves are exchanged and mixed with the key by exclusive or. For one key this is a bijection of
the 2^128 counters, so distinct addresses get distinct blocks of bits by construction. One draw takes one block.

The counter words hold ::

    word 0   particle, low 32 bits
    word 1   step                                         2^32 steps
    word 2   component (24 bits), particle (high 8 bits)  2^24 components, 2^40 particles
    word 3   replica (28 bits), stream (4 bits)           2^28 replicas, 16 streams

and the key holds the 64-bit seed. A stream separates uses of the same address, e.g. the noise from the initial value.

Reference: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3,
SC 2011. The tests hold the known-answer vectors of the authors' Random123 library.
"""

from numba import uint64

from chaosnum.jit import as_float, fma, inline

PARTICLES, STEPS, COMPONENTS, REPLICAS, STREAMS = 2**40, 2**32, 2**24, 2**28, 16
# Streams. Samples have their own, so that a measure may draw data and simulate with one seed.
NOISE, SUBORDINATOR, INITIAL, SAMPLE, POSITIVE_SAMPLE, BATCH = 0, 1, 2, 3, 4, 5

_M0, _M1 = uint64(0xD2511F53), uint64(0xCD9E8D57)  # multipliers
_W0, _W1 = uint64(0x9E3779B9), uint64(0xBB67AE85)  # Weyl increments of the key
_LOW = uint64(0xFFFFFFFF)
_32 = uint64(32)
_TWO52 = 2.0**52
_TWO52_BITS = uint64(0x4330000000000000)
_SIGNED_BITS = uint64(0x4330000080000000)


@inline
def _round(x0, x1, x2, x3, k0, k1):
    # Words live in 64-bit lanes; the high halves hold leftovers, which the next product masks away.
    p0, p1 = (x0 & _LOW) * _M0, (x2 & _LOW) * _M1
    return (p1 >> _32) ^ (x1 ^ k0), p1, (p0 >> _32) ^ (x3 ^ k1), p0


@inline
def philox(x0, x1, x2, x3, k0, k1):
    """Four random 32-bit words (each in a uint64) of a counter and a key, in uint64 words below 2^32."""
    # Written out: a loop over the rounds would keep LLVM from vectorising the loop over particles.
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    return x0 & _LOW, x1 & _LOW, x2 & _LOW, x3 & _LOW


@inline
def address(seed, replica, particle, step, component, stream):
    """Key and counter words of an address -> (x0, x1, x2, x3, k0, k1); the parts must be in range."""
    seed, particle = uint64(seed), uint64(particle)
    return (
        particle & _LOW,
        uint64(step),
        uint64(component) | ((particle >> _32) << uint64(24)),
        uint64(replica) | (uint64(stream) << uint64(28)),
        seed & _LOW,
        seed >> _32,
    )


@inline
def signed_uniform(high, low):
    """(k + 1/2) 2^-64 for the signed 64-bit integer k of two words: uniform on (-1/2, 1/2), fine towards zero.

    A 32-bit integer becomes a float64 by writing it into the mantissa of 2^52 and subtracting 2^52 again; flipping
    its top bit first and subtracting 2^31 more makes it signed. One rounding, in the last operation.
    """
    whole = as_float((high & _LOW) ^ _SIGNED_BITS) - (_TWO52 + 2.0**31)
    return fma(whole, 2.0**-32, fma(as_float((low & _LOW) | _TWO52_BITS), 2.0**-64, 2.0**-65 - 2.0**-12))
