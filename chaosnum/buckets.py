"""W_1 of two large samples on the line without sorting them: O(n), and as exact as a sort.

Let F and G be the distribution functions of the samples, D = F - G, and cut the line into buckets. Where D does not
change sign inside a bucket with edges L < R, the integral of |D| over it needs no order of its points:

    int_L^R |F - G| = | D(R) (R - L) - (sum over x in [L, R) of (x - L)) / n_x + (the same of y) / n_y |,

or, with D(L) and distances from R, its mirror image. D at the edges comes from counts. Inside, D stays between
D(L) - c_y / n_y and D(L) + c_x / n_x, where c_x, c_y are the counts of the bucket; whole numbers, so the test is exact.
Only where that range changes sign are the points sorted. Two samples of one law have |D| of order n^(-1/2) (a
Brownian bridge), so with c points a bucket that is a share of about c n^(-1/2): a few per cent for n = 10^6. Buckets
cost time in proportion to their number n / c, so the best number is of order n^(3/4); the optimum is flat.

Buckets: z = s + |x - c|, cut off at 2^octaves s, without the low bits of its mantissa: equal widths near the centre
c, equal ratios in the tails, no division, and edges that are known exactly. All steps are monotone in floating point.
An edge that rounding puts on the wrong side of a point costs the distance between the two, an ulp. Everything beyond
the cut-off, NaN and infinity included, is in the two end buckets; where their outer edges are does not matter, for
D = 0 there.

Accuracy: what is subtracted in a bucket is at most its first term, |D| times its width, so the sum of those terms over
the distance bounds what cancels. It is 1 to 3 for samples that are not made to defeat it, and the relative error some
1e-15. Where it passes 2^7, for pairs that lie on both sides of an edge, the points are sorted after all.

What goes wrong: samples that nearly coincide, or tie, change sign everywhere. `w1_by_buckets` then returns None, and
the caller sorts: after a look at some points if they lie in heaps, or in pairs (x_i, y_i); else after one pass, a
sixth of the time of a sort, that counts.

References: the formula for W_1 is Villani 2003, Remark 2.19; the signs of D are the slopes of the Kantorovich
potential (ibid., Theorem 1.14).
"""

import math

import numpy as np

from chaosnum.jit import as_bits, as_float, inline, kernel
from chaosnum.threads import over_blocks

FEWEST = 50_000  # points of the smaller sample, from which it is faster than sorting
_APART = 200_000  # points of the smaller sample from which each sample is worth a thread
_BLOCK = 512  # points whose buckets are found together
_PROBE = 1024  # points of each sample that choose the buckets
_NEAR, _CROWDED = 16, 0.75  # neighbours in the probe that give its density, the quantile of it that counts
_MOST_BITS, _MOST_OCTAVES, _PER_POINT = 16, 16, 0.25  # 2^bits buckets an octave and side, at most so many a point
_BEYOND = 1 / 256  # share of the probe beyond the cut-off
_TOO_MANY = 1 / 3  # share of points to sort at which all are sorted
_HEAP, _HEAPS = 3, 1 / 4  # points of each probe in one bucket, the share of them
_PAIRS = 1 / 2  # share of the probes with a partner, the same place in the other sample, in the same bucket
_EXACT = 2**52  # whole numbers that are doubles, and their sums
_COUNTED = 2**31
_KEPT = 2.0**-7  # the least part of the sum of all terms that may be left
_LARGEST, _LEAST = 2.0**900, 2.0**-900  # scales
_MANTISSA, _NEGATIVE = 52, 63


@inline
def _bucket(x, c, s, cut, shift, base, half):
    """The bucket of x: half + q above the centre, half - 1 - q below it, q = 0, ..., half - 1."""
    d = x - c
    z = s + abs(d)
    z = z if z < cut else cut  # NaN too
    q = np.int64(as_bits(z) >> shift) - base
    return np.uint32(half + (q ^ (np.int64(as_bits(d)) >> np.int64(_NEGATIVE))))


@kernel
def _find(x, c, s, cut, shift, base, half, out):
    """The bucket of every point."""
    for i in range(x.size):
        out[i] = _bucket(x[i], c, s, cut, shift, base, half)


@kernel
def _count(x, c, s, cut, shift, base, half, counts):
    """The number of points in each bucket, added to counts."""
    found = np.empty(_BLOCK, np.uint32)  # unsigned: an index needs no look at its sign
    for start in range(0, x.size, _BLOCK):
        m = min(_BLOCK, x.size - start)
        for i in range(m):
            found[i] = _bucket(x[start + i], c, s, cut, shift, base, half)
        for i in range(m):
            counts[found[i]] += 1


@kernel
def _signs(x_counts, y_counts, x_step, y_step, signs):
    """The sign of D in each bucket, 0 where it may change -> the points of x and y in those."""
    x_left, y_left, D = 0, 0, 0.0
    for j in range(signs.size):
        up, down = x_counts[j] * x_step, y_counts[j] * y_step
        sign = 1 if D >= down else -1 if D + up <= 0.0 else 0
        signs[j] = sign
        if sign == 0:
            x_left += x_counts[j]
            y_left += y_counts[j]
        D += up - down
    return x_left, y_left


@kernel
def _reduce(x, c, s, cut, shift, base, half, signs, left):
    """Sum of sign * (x - inner edge of its bucket); the points where the sign is 0 go to left."""
    found, rest = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK)
    mask = ~((np.uint64(1) << shift) - np.uint64(1))
    total, k = 0.0, np.uint64(0)
    for start in range(0, x.size, _BLOCK):
        m = min(_BLOCK, x.size - start)
        for i in range(m):
            v = x[start + i]
            d = v - c
            z = s + abs(d)
            z = z if z < cut else cut
            bits = as_bits(z)
            q = np.int64(bits >> shift) - base
            found[i] = np.uint32(half + (q ^ (np.int64(as_bits(d)) >> np.int64(_NEGATIVE))))
            rest[i] = v - (c + math.copysign(as_float(bits & mask) - s, d))
        part = 0.0
        for i in range(m):
            sign = signs[found[i]]
            part += sign * rest[i]
            left[k] = x[start + i]
            k += np.uint64(sign == 0)
        total += part
    return total


@inline
def _edge(j, c, s, shift, base, half):
    """The left edge of bucket j."""
    if j >= half:
        return c + (as_float(np.uint64(base + (j - half)) << shift) - s)
    return c - (as_float(np.uint64(base + (half - j)) << shift) - s)


@kernel
def _integral(a, b, x_counts, y_counts, x_step, y_step, signs, c, s, shift, base, half):
    """Sum of |D| times widths: at the outer edges where the sign is known, and point by point, a and b, elsewhere."""
    total, part, D, i, j = 0.0, 0.0, 0.0, 0, 0
    L = _edge(0, c, s, shift, base, half)
    for k in range(signs.size):
        R = _edge(k + 1, c, s, shift, base, half)
        after = D + (x_counts[k] * x_step - y_counts[k] * y_step)
        if signs[k] != 0:
            part += abs(after if k >= half else D) * (R - L)
        else:
            at, to_i, to_j = L, i + x_counts[k], j + y_counts[k]
            while i < to_i and j < to_j:
                first = a[i] <= b[j]
                v = a[i] if first else b[j]
                part += abs(D) * (v - at)
                D += x_step if first else -y_step
                i += first
                j += not first
                at = v
            while i < to_i:
                part += abs(D) * (a[i] - at)
                at = a[i]
                D += x_step
                i += 1
            while j < to_j:
                part += abs(D) * (b[j] - at)
                at = b[j]
                D -= y_step
                j += 1
            part += abs(D) * (R - at)
        if k % 64 == 63:  # short sums of short sums
            total, part = total + part, 0.0
        D, L = after, R
    return total + part


def _grid(x, y):
    """Buckets that suit both samples, (c, s, cut, shift, base, half) -> or None: the points lie in heaps or pairs."""
    probes = [np.array(z[:: max(1, z.size // _PROBE)][:_PROBE], np.float64) for z in (x, y)]
    both = np.concatenate(probes)
    if both.size <= _NEAR:
        return None
    both.sort()
    c = float(both[both.size // 2])
    far = np.abs(both - c)
    far.sort()
    s, most = float(far[far.size // 2]), float(far[int(far.size * (1 - _BEYOND))])
    if not (_LEAST < s and most < _LARGEST and abs(c) < _LARGEST):  # or NaN
        return None
    s = math.ldexp(1.0, math.frexp(s)[1] - 1)
    octaves = min(math.frexp(1.0 + most / s)[1], _MOST_OCTAVES)
    n = (x.size + y.size) / 2
    with np.errstate(all="ignore"):  # ties, infinities
        crowd = _NEAR / both.size * (s + np.abs(both[_NEAR:] - c)) / (both[_NEAR:] - both[:-_NEAR])
    crowd.sort()  # of the shares of points in [z, 2 z], were it as dense as z
    crowd = max(float(crowd[int(_CROWDED * crowd.size)]), 1.0 / n)
    bits = int(max(1.0, min(math.log2(crowd * n**0.75) + 0.25, math.log2(_PER_POINT * n / octaves), _MOST_BITS)))
    shift = np.uint64(_MANTISSA - bits)
    base = int(np.float64(s).view(np.uint64)) >> (_MANTISSA - bits)
    grid = c, s, math.nextafter(math.ldexp(s, octaves), 0.0), shift, base, octaves << bits
    found = [np.empty(z.size, np.uint32) for z in probes]
    for z, out in zip(probes, found):
        _find(z, *grid, out)
    if x.size == y.size and np.mean(found[0] == found[1]) > _PAIRS:
        return None
    heaps = [np.bincount(out, minlength=2 * grid[-1]) for out in found]
    heap = (heaps[0] >= _HEAP) & (heaps[1] >= _HEAP)
    return None if (heaps[0] + heaps[1])[heap].sum() > _HEAPS * both.size else grid


def w1_by_buckets(x, y, threads=1):
    """W_1 between two samples, not empty, of floating-point numbers.

    Parameters
    ----------
    x, y : ndarray, shapes (n,) and (m,), of numbers
        The samples, taken as float64 and left alone. It pays from `FEWEST` points each.
    threads : int, default 1
        2: one thread for each sample. The result is the same.

    Returns
    -------
    float or None
        None where sorting is faster, for samples that are not finite, and for numbers whose sums overflow.
    """
    common = math.gcd(x.size, y.size)
    whole, steps = x.size // common * y.size, (float(y.size // common), float(x.size // common))
    grid = _grid(x, y) if whole < _EXACT and max(x.size, y.size) < _COUNTED else None
    if grid is None:
        return None
    samples, width = [np.require(z, np.float64, "CAW") for z in (x, y)], 2 * grid[-1]  # one type for the kernels
    threads = threads if min(x.size, y.size) >= _APART else 1
    counts = np.zeros((2, width), np.int32)

    def count(start, stop):
        for k in range(start, stop):
            _count(samples[k], *grid, counts[k])

    over_blocks(count, 2, threads, least=1)
    signs = np.empty(width, np.int8)
    sizes = _signs(*counts, *steps, signs)
    if sum(sizes) > _TOO_MANY * (x.size + y.size):
        return None
    left, sums = [np.empty(size + 1) for size in sizes], [0.0, 0.0]

    def reduce(start, stop):
        for k in range(start, stop):
            sums[k] = _reduce(samples[k], *grid, signs, left[k])
            left[k] = left[k][:-1]
            left[k].sort()

    over_blocks(reduce, 2, threads, least=1)
    c, s, _, shift, base, half = grid
    outer = _integral(*left, *counts, *steps, signs, c, s, shift, base, half)
    distance = outer / whole - (sums[0] / x.size - sums[1] / y.size)
    return distance if _KEPT * (outer / whole) <= distance < math.inf else None  # or NaN
