r"""A sample against an exact law, judged by its characteristic function.

Statement used. Let phi = a + i b be the law's characteristic function. The means of cos(k X) and
sin(k X) over R independent replicas have expectations a(k), b(k) and covariances, times R,

    Cov(cos kX, cos lX) = (a(k - l) + a(k + l)) / 2 - a(k) a(l)
    Cov(sin kX, sin lX) = (a(k - l) - a(k + l)) / 2 - b(k) b(l)
    Cov(cos kX, sin lX) = (b(k + l) - b(k - l)) / 2 - a(k) b(l)

So with d the gaps at a few frequencies and C that matrix, R d' C^-1 d is chi-square in the limit.
Cosines are bounded: the test needs no moment of X, and heavy tails do it no harm.

The chi-square limit is not to be trusted far out (at p = 0.001 the true probability is 0.002 to
0.004 for R = 64). Where the answer must be sure, use Bernstein's inequality for each mean, exact
for every R: with variance c and centred terms of at most b, P(gap > t) <= exp(-R t^2 / (2 c + 2 b t
/ 3)).

What goes wrong: frequencies where phi is nearly 1 (rare large terms: the chi-square limit is slow)
or nearly 0 (nothing is measured). A law that differs only where the frequencies do not look is not
seen.

Reference: Feuerverger and Mureika 1977, Ann. Stat. 5; Epps and Pulley 1983, Biometrika 70.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from chaosnum.check import in_range


@dataclass(frozen=True)
class LawFit:
    """A sample against an exact law.

    Attributes
    ----------
    p : float
        p-value of the chi-square test of the characteristic function.
    sure : float
        Upper bound of the p-value of the largest single gap: Bernstein, Bonferroni over the means.
    ratio : float
        Scale of the sample over the law's, by generalised least squares.
    ci : (float, float)
        Interval of the ratio at `level`.
    """

    p: float
    sure: float
    ratio: float
    ci: tuple


def fit_law(x, cf, *, frequencies=(0.5, 1.5), even=False, level=0.95):
    """Test a sample against the law with characteristic function `cf`; no moment is used.

    Parameters
    ----------
    x : array_like, float64, shape (R,)
    cf : callable
        Takes a frequency (float), returns phi (float or complex).
    frequencies : sequence of float
        Few, and where the modulus of phi lies between about 0.1 and 0.8. Neighbours nearly repeat
        each other, and the chi-square limit is then slow.
    even : bool
        Cosines alone: blind to asymmetry, and valid also for the magnitude of a symmetric variable.

    Returns
    -------
    LawFit

    Raises
    ------
    ValueError
        Fewer than 2 replicas, non-finite ones, or frequencies that are not positive.
    """
    in_range("level", level, 0, 1, open_high=True)
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2 or not np.all(np.isfinite(x)):
        raise ValueError(f"x must be 2 or more finite numbers, got shape {x.shape}")
    k = np.unique(np.asarray(frequencies, dtype=np.float64))
    if not len(k) or not np.all(np.isfinite(k)) or k[0] <= 0:
        raise ValueError(f"frequencies must be positive numbers, got {list(frequencies)}")
    phi = np.vectorize(lambda u: complex(cf(u)), otypes=[complex])
    at, plus, minus = phi(k), phi(k[:, None] + k), phi(k[:, None] - k)
    a, b = at.real, at.imag
    cos_cos = (minus.real + plus.real) / 2 - np.outer(a, a)
    sin_sin = (minus.real - plus.real) / 2 - np.outer(b, b)
    cos_sin = (plus.imag - minus.imag) / 2 - np.outer(a, b)
    angles = np.outer(k, x)
    centre, mean = a, np.cos(angles).mean(axis=1)
    step = 1e-4
    change = (phi(k * (1 + step)) - phi(k * (1 - step))) / (2 * step)  # d phi(k s) / d log s
    tilt, covariance = change.real, cos_cos
    if not even:
        centre, mean = np.concatenate([a, b]), np.concatenate([mean, np.sin(angles).mean(axis=1)])
        tilt = np.concatenate([tilt, change.imag])
        covariance = np.block([[cos_cos, cos_sin], [cos_sin.T, sin_sin]])
    gap = mean - centre
    inverse = np.linalg.inv(covariance / len(x))
    p = float(special.chdtrc(len(gap), gap @ inverse @ gap))
    information = tilt @ inverse @ tilt
    reach = 1 + np.abs(centre)
    spread = np.diag(covariance)
    t = np.abs(gap)
    bernstein = 2 * np.exp(-len(x) * t**2 / (2 * spread + 2 * reach * t / 3))
    sure = min(1.0, len(gap) * float(bernstein.min()))
    log_ratio = (tilt @ inverse @ gap) / information
    half = -special.ndtri((1 - level) / 2) / math.sqrt(information)
    ends = math.exp(log_ratio - half), math.exp(log_ratio + half)
    return LawFit(p, sure, math.exp(log_ratio), ends)
