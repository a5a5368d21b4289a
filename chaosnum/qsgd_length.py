"""How many bits the message of a quantised gradient takes: exactly, in the limit, and at most.

Setting: the codes "gap" and "dense" of :mod:`chaosnum.qsgd_code`, QSGD's quantiser with s levels.

Length. Given v the levels are independent, so the expected length is a sum over pairs of positions, `expected_bits`.
With a_i = P(l_i != 0) = min(1, s u_i) for 1 <= i <= d, a_0 = a_{d+1} = 1, and lengths |omega(k)|,

    gap:    32 + sum_i E[1 + |omega(|l_i|)|; l_i != 0] + sum_{i<j} a_i a_j |omega(j - i)| prod_{i<k<j} (1 - a_k),
    dense:  32 + sum_i (E|omega(|l_i| + 1)| + a_i),

less what a message without any level saves. For s = sqrt(d) and Gaussian v the levels become independent as d grows,
a = E min(1, |z|) = 0.6312, and bits/d tends to `limit_bits`: 2.756 for "gap" and 2.942 for "dense".

Lemma (Alistarh et al. 2017, Theorem 3.2): E bits <= (3 + (3/2 + o(1)) log2(2 (s^2 + d)/r)) r + 32 with r = s (s +
sqrt(d)), and 2.8 d + 32 for s = sqrt(d). The first holds with its o(1) left out for every v and s <= sqrt(d) we tried,
by 3 % or more. The second does not for every v: its o(1) is rounded away. d equal entries have s u_i = 1: all levels
are 1 and the message takes exactly 3 d + 33 bits in code "gap", 4 d + 32 in "dense", for every d. For Gaussian v the
gap code keeps to 2.8 d + 32 on average from some d = 36 on (2.82 d + 32 at 25), the dense code never does. The constant
belongs to the code and the vector.

References: Alistarh, Grubic, Li, Tomioka, Vojnovic, NIPS 2017; exact lengths and limits are derived here.
"""

import math

import numpy as np
from scipy import integrate

from chaosnum.check import finite_array, in_range, one_of, whole
from chaosnum.qsgd import Quantiser, stated_nonzeros
from chaosnum.qsgd_code import CODES, SCALE_BITS, omega_bits


def expected_bits(quantiser, v, code="gap"):
    """E bits of the message of Q(v), exactly (see the primer) -> float.

    Parameters
    ----------
    quantiser : chaosnum.qsgd.Quantiser
    v : array_like, float64, shape (d,), not 0
    code : {"gap", "dense"}

    Notes
    -----
    O(d g) for gaps up to g, where a run of zeros as long has a probability below 1e-18.
    """
    if not isinstance(quantiser, Quantiser):
        raise ValueError(f"quantiser must be a chaosnum.qsgd.Quantiser, got {quantiser!r}")
    one_of("code", code, CODES)
    v = finite_array("v", v, ndim=1)
    if not v.any():
        raise ValueError("v must not be 0, whose message has 32 bits, got 0")
    share = quantiser._shares(v)
    low = np.floor(share).astype(np.int64)
    up = share - low
    nonzero = np.minimum(share, 1.0)
    silent = float(np.exp(np.log1p(-nonzero).sum())) if nonzero.max() < 1.0 else 0.0
    if code == "dense":
        levels = (1.0 - up) * omega_bits(low + 1) + up * omega_bits(low + 2)
        return SCALE_BITS + float((levels + nonzero).sum()) - silent * len(v)  # each 0 takes one bit
    levels = (1.0 - up) * np.where(low > 0, omega_bits(np.maximum(low, 1)), 0) + up * omega_bits(low + 1)
    a = np.concatenate([[1.0], nonzero, [1.0]])
    gaps, quiet = 0.0, a[:-1].copy()  # quiet[i]: position i is not 0, and none after it before i + g
    for g in range(1, len(a)):
        quiet = quiet[: len(a) - g]
        gaps += omega_bits(g) * float(quiet @ a[g:])
        quiet = quiet * (1.0 - a[g:])
        if quiet.max() < 1e-18:
            break
    return SCALE_BITS + float((levels + nonzero).sum()) + gaps - silent * omega_bits(len(v) + 1)


def limit_bits(code="gap", ratio=1.0):
    """Limit of bits/d for Gaussian vectors and s = ratio sqrt(d), ratio in [0.001, 100], as d grows -> float.

    The levels become independent, floor or ceiling of ``ratio |z|``, z ~ N(0, 1), and the gaps geometric.
    """
    one_of("code", code, CODES)
    ratio = in_range("ratio", ratio, 1e-3, 100.0, open_low=False)
    top = math.ceil(ratio * 12.0)

    def density(t):
        return math.sqrt(2.0 / math.pi) / ratio * math.exp(-0.5 * (t / ratio) ** 2)

    mass = np.zeros(top + 2)
    for k in range(top + 1):
        whole_part = integrate.quad(density, k, k + 1)[0]
        up = integrate.quad(lambda t, k=k: density(t) * (t - k), k, k + 1)[0]
        mass[k] += whole_part - up
        mass[k + 1] += up
    a = 1.0 - mass[0]
    if code == "dense":
        return float(mass @ omega_bits(np.arange(1, top + 3))) + a
    gaps = np.arange(1, 2 + int(-40.0 / math.log1p(-a)))
    gap = float((a * (1.0 - a) ** (gaps - 1)) @ omega_bits(gaps))
    return a * (gap + 1.0) + float(mass[1:] @ omega_bits(np.arange(1, top + 2)))


def stated_bits(dim, levels):
    """The lemma's bound with its o(1) taken as 0 -> float."""
    nonzeros = stated_nonzeros(dim, levels)
    return (3.0 + 1.5 * math.log2(2.0 * (levels**2 + dim) / nonzeros)) * nonzeros + SCALE_BITS


def stated_bits_dense(dim):
    """The lemma's ``2.8 d + 32`` for s = sqrt(d) -> float."""
    return 2.8 * whole("dim", dim, 1) + SCALE_BITS
