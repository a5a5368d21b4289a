"""Tail indices: the alpha of P(|X - c| > r) ~ C r^-alpha from a sample, with an interval, or word that there is none.

    fit(x)          every estimator below; is there a power tail, which estimate to believe, who disagrees  (tailfit.py)
    hill(x)         mean log-excess of the k largest values  (tail_order.py)
    moments(x)      Dekkers, Einmahl and de Haan: Hill's, extended to every extreme-value index  (tail_order.py)
    pickands(x)     three order statistics; free of location  (tail_order.py)
    threshold(x)    Guillou and Hall's k, which the three use  (tail_order.py)
    ecf(x)          stable law: regression on the empirical characteristic function  (tail_spectral.py)
    quantiles(x)    stable law: McCulloch's ratio of quantile ranges  (tail_quantiles.py)
    mohammadi(x)    strictly stable law: growth of block sums, scalars or vectors  (tail_blocks.py)

Three families of assumptions. Order statistics ask only for a power tail, use a small share of the sample, and are
biased by whatever precedes the power. The characteristic function and the quantiles use all of it, are ten times as
precise, and mean nothing unless the law is stable. Block sums assume the same and are less precise than either.
Samples of scalars are arrays (n,), of vectors (p, n): a column is one observation. What is accepted, and where the
centre is: `tail_sample.py`.
"""

from chaosnum.tail_blocks import mohammadi
from chaosnum.tail_order import hill, moments, pickands, threshold
from chaosnum.tail_quantiles import quantiles
from chaosnum.tail_sample import Estimate
from chaosnum.tail_spectral import ecf
from chaosnum.tailfit import Fit, fit

__all__ = ["Estimate", "Fit", "ecf", "fit", "hill", "mohammadi", "moments", "pickands", "quantiles", "threshold"]
