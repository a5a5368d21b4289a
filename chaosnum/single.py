"""Bed K in float32: half the memory, and what it costs.

State, cosine and sine are stored in float32; noise, arithmetic, sums and averages are those of float64. So a step
differs from the step in float64 by roundings alone: of theta, by at most u |theta| with u = 2^-24, and of cosine and
sine, by 2^-25 each.

*Bound.* Let f be the particles in float32, g those in float64 on the same noise, delta = |exp(i f) - exp(i g)| <= 2. By
|exp(i (a + b)) - 1| <= |exp(i a) - 1| + min(2, |b|), and since the drift K Im(m exp(-i theta)) moves by at most
K (|difference of m| + delta + 2^-24.5), the mean D of delta over the particles obeys

    D_{k+1} <= (1 + 2 eta K) D_k + 2^-23.5 eta K + mean min(2, u |f_{k+1}|),    D_0 <= mean min(2, u |f_0|),

and averages differ by at most D_k + 2^-24.5, whatever the noise (`bound`). With heavy tails theta is large, and
mean min(2, u |theta|) is of order u for alpha > 1, u log(1/u) at 1 and u^alpha below.

*Fluctuations.* Roundings are as often up as down, and independent between particles, so that they add up like n^(-1/2),
as the statistical error of the average does. Their ratio does not depend on n: it is about

    harm = sqrt( E min(2, u sqrt(steps) |theta_T|)^2 )

at most, of order u^(alpha/2) for alpha < 2: 4e-2 at alpha = 0.5, 1e-3 at 1, 2e-5 at 1.5.

*Bias.* Beyond 2^24 neighbouring numbers are 2 apart: a particle there has lost its phase. Not that it has another one
does harm, but that it keeps it: neither drift nor a small increment moves it any more, it misses the pull towards the
others, and the average falls short by up to the share of such particles,

    lost = P(|theta_T| > 2^24), about C T sigma^alpha 2^(-24 alpha),

1.9e-4 at alpha = 0.5, 2.7e-6 at 0.75, 3.8e-8 at 1 for sigma = T = 1 (measured at K = 1: 0.2 to 0.6 of it). This does
not fall with n. float32 is accepted where lost is at most 1e-5, the statistical error of 10^10 particles; that is from
alpha = 0.7 on for sigma = T = 1.

What goes wrong: differences between a particle and its copy are not averages. They are as small as n^(-1/2) and theta
is not; couplings (``coupling.py``) are computed in float64.
"""

import math

import numpy as np
from scipy.integrate import trapezoid

from chaosnum import check, stable

MOST = 1e-5  # share of particles that may lose their phase
UNIT = 2.0**-24
NAMES = ("float64", "float32")


def stored(dtype, bed, scheme):
    """The type that a system is stored in, by its name or None -> numpy.dtype.

    Raises
    ------
    ValueError
        An unknown type, or float32 on another bed than K, or where more than 1e-5 of the particles lose their phase.
    """
    name = check.one_of("dtype", "float64" if dtype is None else dtype, NAMES)
    if name == "float32":
        if bed.name != "kuramoto":
            raise ValueError(f"dtype must be float64 on the {bed.name} bed, got float32")
        share = lost(scheme.alpha, scheme.sigma, scheme.T)
        if share > MOST:
            at = f"alpha = {scheme.alpha:g}, sigma = {scheme.sigma:g}, T = {scheme.T:g}"
            raise ValueError(f"dtype must be float64 at {at}, got float32: a share of {share:.2g} would lose its phase")
    return np.dtype(name)


def lost(alpha, sigma=1.0, T=1.0, unit=UNIT):
    """The share of particles beyond 1/unit at time T, where the numbers of a type are 2 apart -> float.

    About, and without the initial law: theta_T is taken as SaS of scale sigma T^(1/alpha).
    """
    alpha, sigma, T = check.stable_index(alpha), check.positive("sigma", sigma), check.positive("T", T)
    return float(2.0 * stable.sf(T ** (-1.0 / alpha) / (sigma * unit), alpha))


def bound(theta, eta, K=1.0, unit=UNIT):
    """The most by which averages of bed K in a shorter type can differ from those in float64.

    Parameters
    ----------
    theta : iterable of ndarray
        The particles at grid times 0, eta, 2 eta, ..., in the shorter type.
    eta, K : float
    unit : float, default 2^-24
        Unit roundoff of the type.

    Returns
    -------
    ndarray of float64, one bound for each grid time
        Of the distance |(m_c, m_s) - (m_c, m_s)'|.
    """
    storing, bounds = math.sqrt(0.5) * unit, []  # of (cos, sin): unit / 2 each
    for x in theta:
        lost = np.minimum(2.0, unit * np.abs(np.asarray(x, dtype=np.float64))).mean()
        before = (1.0 + 2.0 * eta * K) * bounds[-1] + 2.0 * storing * eta * K if bounds else 0.0
        bounds.append(before + lost)
    return np.array(bounds) + storing + 1e-14


def harm(alpha, sigma=1.0, T=1.0, eta=0.01, unit=UNIT):
    """The root mean square difference of averages in a shorter type to those in float64, times sqrt(n) -> float.

    About, and without bias and the initial law.
    """
    alpha, scale = check.stable_index(alpha), check.positive("sigma", sigma) * check.positive("T", T) ** (1.0 / alpha)
    reach = unit * math.sqrt(T / check.positive("eta", eta))  # roundings add up as a random walk
    z = np.geomspace(1e-12, 1.0, 4001) * 2.0 / (reach * scale)
    square = (2.0 * (reach * scale) ** 2) * 2.0 * z * stable.sf(z, alpha)  # E min(2, a|X|)^2 = int 2 a^2 x P(|X| > x)
    return math.sqrt(trapezoid(square, z))
