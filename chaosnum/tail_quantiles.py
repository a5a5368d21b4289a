"""McCulloch's estimate: the index of a symmetric stable law from four quantiles.

McCulloch (1986): the ratio (q95 - q05)/(q75 - q25) does not depend on location or scale, and for the symmetric stable
law it falls from 69 at alpha = 0.4 to 2.4389 at alpha = 2. The index is read off that function, the scale off q75 -
q25.

The function is not his table: it is the Chebyshev series, on 0.4 <= alpha <= 2, of quantiles of the law computed by
Zolotarev's integral (`stable.ppf`; within 1e-7). Quantiles of a sample are asymptotically normal with covariances
(min(a, b) - a b) / (n f(q_a) f(q_b)), hence the ratio's logarithm and, through the function, the interval of alpha.
With columns of a matrix, whose entries may be dependent, the indicators' covariance is that of the columns' averages.

What goes wrong: this is a statement on the middle 90 % of the sample. Of a law that is not stable it says nothing on
the tail. Skewness biases it: by 0.02 at alpha = 1.5, beta = 1 and 0.05 at alpha = 1.2, beta = 0.5.

Reference: J. H. McCulloch, Commun. Statist. Simulation Comput. 15 (1986) 1109-1136.
"""

import math

import numpy as np
from numpy.polynomial.chebyshev import chebval

from chaosnum.tail_sample import Z95, Estimate, quantiles_of, sample

LOWEST = 0.4
_AT = np.array([0.05, 0.25, 0.75, 0.95])
# Chebyshev series in (alpha - 1.2)/0.8; `tests/test_tails.py` computes them again.
_LOG_RATIO = (2.066446291, -1.669763467, 0.64974976, -0.215039693, 0.087161851, -0.036394388, 0.012609303, -0.004904485, 0.002082182, -0.000642423, 0.000256587, -0.00014608, 0.000033325, -0.000005821, 0.000011512, -0.000002932, -0.000001039, -0.000001002, 0.000000436, 0.000000352, 0.000000091, -0.00000013, -0.000000077, 0.000000013, 0.000000035)  # fmt: skip # noqa: E501
_LOG_Q75 = (0.061706129, -0.171918918, 0.098103069, -0.049835084, 0.019584646, -0.00642868, 0.0022178, -0.000964703, 0.000430725, -0.000154269, 0.000044279, -0.00001616, 0.000009339, -0.000004409, 0.000001081, -0.000000066, 0.000000107, -0.000000153, 0.000000061, 0.000000008, -0.000000011)  # fmt: skip # noqa: E501
_LOG_F75 = (-1.971806475, 0.70060987, -0.298146437, 0.095149941, -0.023552783, 0.007391399, -0.004116266, 0.001951718, -0.000492921, 0.000034527, -0.000036979, 0.000056495, -0.000024175, -0.000001786, 0.000003945)  # fmt: skip # noqa: E501
_LOG_F95 = (-4.920681797, 2.912365952, -0.793749514, 0.292014696, -0.140031734, 0.038524269, -0.013803676, 0.009177118, -0.001837787, 0.000302353, -0.000812428, 0.000109135, 0.000096917, 0.0000962, -0.000023105)  # fmt: skip # noqa: E501
_GRID = np.linspace(LOWEST, 2.0, 3201)
_LOG_RATIO_GRID = chebval((_GRID - 1.2) / 0.8, _LOG_RATIO)


def shape_of(alpha):
    """q75, q95 and the densities there of the standard SaS law, 0.4 <= alpha <= 2 -> four floats."""
    t = (alpha - 1.2) / 0.8
    q75 = math.exp(chebval(t, _LOG_Q75))
    ratio, f75, f95 = (math.exp(chebval(t, c)) for c in (_LOG_RATIO, _LOG_F75, _LOG_F95))
    return q75, ratio * q75, f75, f95


def _index(log_ratio):
    """The alpha in [0.4, 2] whose ratio this is."""
    return float(np.interp(-log_ratio, -_LOG_RATIO_GRID, _GRID))


def quantiles(x, *, centre=None):
    """McCulloch's quantile estimator for symmetric stable laws.

    Parameters
    ----------
    x : array_like, shape (n,) or (p, n)
        A sample, or a matrix whose entries, centred row by row, have one stable law; columns are independent.
    centre : float or array_like, optional
        Used for matrices only: quantile ranges of a vector do not depend on it.

    Returns
    -------
    Estimate
        With the scale of the stable law.

    Raises
    ------
    ValueError
        No usable sample (`tail_sample.sample`), or equal quartiles.

    Notes
    -----
    Invariant under shifts and scaling. O(n log n).
    """
    s = sample(x, centre)
    deviation = (s.x - s.centre[:, None]).ravel() if s.p > 1 else s.x[0]
    q = quantiles_of(np.sort(deviation), _AT)
    outer, inner = q[3] - q[0], q[2] - q[1]
    if inner <= 0:
        raise ValueError(f"x must have quartiles that differ, got {q[1]:g} twice")
    log_ratio = math.log(outer / inner)
    alpha = _index(log_ratio)
    q75, q95, f75, f95 = shape_of(alpha)
    indicators = np.minimum(_AT[:, None], _AT) - np.outer(_AT, _AT)
    if s.p > 1:
        indicators = np.cov([np.mean(s.x - s.centre[:, None] <= v, axis=0) for v in q], ddof=0)
    # Derivative of log((q95 - q05)/(q75 - q25)) by the empirical cdf at the four points.
    gradient = np.array([1 / (f95 * q95), -1 / (f75 * q75), 1 / (f75 * q75), -1 / (f95 * q95)]) / 2
    half = Z95 * math.sqrt(gradient @ indicators @ gradient / s.n)
    ci = _index(log_ratio + half), _index(log_ratio - half)
    notes = [s.note] if s.note else []
    if log_ratio < _LOG_RATIO_GRID[-1]:
        notes.append(f"quantiles closer than a Gaussian law's: ratio {math.exp(log_ratio):.3g} < 2.439")
    if log_ratio + half > _LOG_RATIO_GRID[0]:
        notes.append(f"alpha below {LOWEST} is out of reach")
        ci = 0.0, ci[1]
    return Estimate("quantiles", alpha, ci, scale=float(inner / (2 * q75)), centre=s.where, note="; ".join(notes))
