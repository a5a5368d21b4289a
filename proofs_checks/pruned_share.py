"""The share of columns that the 0.1 criterion removes, from the law of the columns' norms alone.

Definition. Of n columns with norms Y_1, ..., Y_n the criterion removes the j smallest, j the largest number of which
the squared norms are at most e = 0.1 of the whole; the share is s = j / n.

Light tails, E Y^2 < infinity. By the law of large numbers s tends to the solution of

    E[Y^2; Y <= q_s] = e E Y^2,    q_s the s-quantile of Y.

Columns of equal norm give s = e, and the share grows with the spread of Y^2. Two laws are needed:

* Initial weights. Y^2 is proportional to Z = U_1^2 + ... + U_p^2, U uniform on (-1, 1), whose characteristic function
  is phi^p, phi(t) = int_0^1 exp(i t u^2) du, a Fresnel integral; and E[Z; Z <= q] = E Z times the distribution function
  of the size-biased law, 3 psi phi^(p-1), psi(t) = int_0^1 u^2 exp(i t u^2) du = (exp(i t) - phi(t)) / (2 i t). Z lies
  in [0, p], so its Fourier series of period 2 p is exact. At p = 64: s = 0.122.
* Gaussian noise, of any scale. Types II and III: Y^2 is chi-square with p degrees of freedom, for which E[Z; Z <= q] is
  p times the distribution function with p + 2. At p = 64: s = 0.136. Added to initial weights it gives a share between
  the two, whatever sigma: it hardly raises the share. Type I is one number for all components, p = 1, and s = 0.56: for
  Type I a large share is no matter of heavy tails.

Heavy tails, E Y^2 = infinity. The share is random at every n. At least j columns go if and only if the best n - j
columns leave an error of at most sqrt(e), so C5's law of the error (``chaosnum/error_law.py``) is a law of the share:

    P(s >= j / n) = P(error(n - j columns kept) <= sqrt(e)).

Noise alone: by stability the noise of k steps adds to a column one stable vector of scale sigma (eta k)^(1/alpha). The
law of Y is that of initial weights plus this vector: M and m from a sample of it, its tail constant exact. Nothing of
it is fitted, and nothing of it knows the data.

References: as in ``chaosnum/error_law.py``; the shares are derived here.
"""

import math
from functools import lru_cache

import chaosnum as cn

CRITERION = 0.1  # of the squared norm
SAMPLE, SAMPLE_SEED = 2_000_000, 2**40  # numbers in a sample of columns
LEAST = 10  # dimension from which the Fourier series converges fast


@lru_cache(maxsize=64)
def initial_share(p, error=CRITERION):
    """The limit of the share for columns of p independent uniform entries.

    Parameters
    ----------
    p : int, at least 10
    error : float in (0, 1)

    Returns
    -------
    float
    """
    import numpy as np
    from scipy import optimize, special

    p = cn.check.at_least("p", p, LEAST)
    error = cn.check.in_range("error", error, 0.0, 1.0, open_high=True)
    # |phi(t)| is about sqrt(pi / 4 t): beyond this frequency its power is below 1e-17
    top = 0.25 * math.pi * 10.0 ** (34.0 / (p - 1)) + 1.0
    t = math.pi / p * np.arange(1, math.ceil(top * p / math.pi) + 1)
    s, c = special.fresnel(np.sqrt(2.0 * t / math.pi))
    phi = np.sqrt(math.pi / (2.0 * t)) * (c + 1j * s)
    biased = 3.0 * (np.exp(1j * t) - phi) / (2j * t) * phi ** (p - 1)

    def below(x, transform):
        return (x + 2.0 * np.sum(transform * (1.0 - np.exp(-1j * t * x)) / (1j * t)).real) / (2.0 * p)

    q = optimize.brentq(lambda x: below(x, biased) - error, 0.0, p)
    return float(below(q, phi**p))


def gaussian_share(p, error=CRITERION):
    """The limit of the share for columns of p independent Gaussian entries -> float."""
    from scipy import stats

    p, error = cn.check.at_least("p", p, 1), cn.check.in_range("error", error, 0.0, 1.0, open_high=True)
    return float(stats.chi2.cdf(stats.chi2.ppf(error, p + 2), p))


def noisy_columns(noise, alpha, scale, p, n, seed, start=True):
    """Initial weights of n columns in dimension p (or none), and a stable vector for each -> (p, n) float64."""
    jump = cn.noise.increments(noise, alpha, (p, n), seed=seed, step=0, scale=scale)
    return jump + cn.mlp.initial(cn.mlp.MLP(p, n, 2, dtype="float64"), seed=seed)[0] if start else jump


def share(norms, error=CRITERION):
    """The share that the criterion removes of columns with these norms -> float."""
    lost = cn.compress.error_curve(norms)[::-1]
    return float((lost <= math.sqrt(error)).sum() - 1) / len(norms)


@lru_cache(maxsize=256)
def below(n, noise, alpha, scale, p, error=CRITERION):
    """P(share < j / n) under noise alone.

    Parameters
    ----------
    n : int
        Columns.
    noise, alpha, scale : str and floats
        Type, index below 2 and scale of the stable vector.
    p : int
        Dimension.
    error : float in (0, 1)

    Returns
    -------
    tuple of n - 1 floats, j = 1, ..., n - 1
    """
    law, root = _law(noise, alpha, scale, p), math.sqrt(error)
    kept = [(n - j) / n for j in range(1, n)]  # max: 1 / (1 / n) may exceed n by a rounding
    return tuple(1.0 - cn.compress.error_cdf(root, max(n, 1.0 / kappa), alpha, kappa, law=law) for kappa in kept)


def median_share(n, noise, alpha, scale, p):
    """The median share under noise alone, at alpha = 2 its limit -> float."""
    import numpy as np

    if alpha == 2.0:
        return share(_norms(noise, alpha, scale, p))
    return float(np.searchsorted(below(n, noise, alpha, scale, p), 0.5, side="right")) / n


def _norms(noise, alpha, scale, p):
    import numpy as np

    n = max(2000, SAMPLE // p)
    x = noisy_columns(noise, alpha, scale, p, n, SAMPLE_SEED, start=False)
    x += np.random.default_rng(SAMPLE_SEED).uniform(-1.0, 1.0, (p, n)) * p**-0.5  # by definition, not as networks do
    return (x**2).sum(axis=0) ** 0.5


@lru_cache(maxsize=64)
def _law(noise, alpha, scale, p):
    """The law of a column's norm under noise alone."""
    kind, unit = ("III", 0.5**0.5) if noise == "III-paper" else (noise, 1.0)
    constant = cn.moments.tail_constant(kind, alpha, p) * (unit * scale) ** alpha
    return cn.compress.SampleLaw(_norms(noise, alpha, scale, p), alpha, tail_constant=constant)
