"""Is a sample from the law with this characteristic function? Chi-square tests at a stated level.

For a symmetric law with (real) characteristic function phi the averages of cos(k.X) over n draws have mean phi(k) and
covariance ((phi(k + l) + phi(k - l))/2 - phi(k) phi(l))/n, those of sin(k.X) mean 0 and covariance
(phi(k - l) - phi(k + l))/(2 n), and the two kinds are uncorrelated. All are bounded, so with 10^5 draws and more their
joint law is normal whatever the tails of X, and the quadratic form of m frequencies is chi-square with 2 m degrees of
freedom. Against a wrong law it is noncentral, and the noncentrality says beforehand how many draws reject it.
"""

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6


def _moments(phi, k):
    plus, minus = phi(k[:, None] + k), phi(k[:, None] - k)
    return phi(k), (plus + minus) / 2 - np.outer(phi(k), phi(k)), (minus - plus) / 2


def chi_square(x, phi, k):
    """The statistic of draws x (p, n) against phi at frequencies k (m, p) -> float."""
    n = x.shape[1]
    mean, cosines, sines = _moments(phi, k)
    phase = [frequency @ x for frequency in k]
    c = np.array([np.cos(t).mean() for t in phase]) - mean
    s = np.array([np.sin(t).mean() for t in phase])
    return n * (c @ np.linalg.solve(cosines, c) + s @ np.linalg.solve(sines, s))


def critical(k):
    """The statistic is above this with probability FALSE_ALARM, if the law is right -> float."""
    return stats.chi2.isf(FALSE_ALARM, 2 * len(k))


def miss(phi, wrong, k, n):
    """Probability that n draws of phi pass for draws of `wrong` -> float."""
    mean, cosines, _ = _moments(wrong, k)
    d = phi(k) - mean
    return stats.ncx2.cdf(critical(k), 2 * len(k), n * d @ np.linalg.solve(cosines, d))


def sas(alpha, scale=1.0):
    """The characteristic function exp(-|scale k|^alpha), rotationally invariant in k (..., p)."""
    return lambda k: np.exp(-((scale * np.linalg.norm(k, axis=-1)) ** alpha))


def frequencies(alpha, exponents=(0.1, 0.5, 1.5)):
    """Frequencies (m, 1) at which exp(-|k|^alpha) is exp(-exponents)."""
    return np.array(exponents)[:, None] ** (1 / alpha)


def kolmogorov(x, cdf):
    """sqrt(n) times the Kolmogorov distance of a sample from a law -> float."""
    return np.sqrt(x.size) * stats.ks_1samp(x, cdf, method="asymp").statistic


KOLMOGOROV_CRITICAL = stats.kstwobign.isf(FALSE_ALARM)
