"""S3: fitting a planted ReLU by SGD and quantised SGD: rates, thresholds and floors, exactly.

Statement
    Fresh Gaussian rows, m a step, labels max(0, <w*, x>): SGD contracts to w* geometrically, so that some
    (m + 2 d + 3) log(1/eps) rows reach eps, d log(1/eps) for every m << d; quantised gradients change the factor, not
    the limit; of the order of d rows suffice. (Abstract of arXiv 1901.06587; the constants are derived here.)

Arguments
    All in ``chaosnum/planted_relu_law.py``.
    1. One step from w in mean square, exactly, at any distance and angle. Near w*: the factor 1 - 2 mu + mu^2 A with
       A = 1 + (2 d + 3)/m, best at mu = 1/A, above 1 from mu = 2/A on.
    2. K workers that quantise with relative variance omega: A_Q = A + (omega/K)(1 + (2 d + 3) K/m). Errors stay
       proportional to the distance: no floor.
    3. Noise tau on the labels: E|h_t|^2 = floor (1 - factor^t) from h = 0, floor = 2 d tau^2 mu (1 + omega) /
       (m (2 - mu A_Q)): proportional to tau^2, and to mu while mu is small.
    4. Rows of a table: the same with operators, exactly (``chaosnum/planted_relu_rows.py``).

What is checked
    S3.1 ``planted_relu_rates.py``; S3.2 and S3.3 ``planted_relu_quantised.py`` (rates), ``planted_relu_qsgd.py`` (the
    quantiser's lemma), ``planted_relu_message.py`` (its messages); S3.4 ``planted_relu_samples.py``; S3.5
    ``planted_relu_floor.py``; on digits ``planted_relu_rows.py``, on one's own ``planted_relu_own.py``, `claims_for`
    (checked in ``planted_relu_setting.py``).
    Means of ratios |h_{t+1}|^2 / |h_t|^2 along a path have exactly the factor as mean, at every t. The slope is that of
    the logarithm of the mean of |h|^2 over the runs of a cell, from which it errs by some 0.1 %.

What is not claimed
    * The ball |w_0 - w*| <= (7/200) |w*| of the paper as a necessity: the exact step contracts from |h| = 1.5 |w*| too.
    * That quantising raises the floor by A_Q/A: at equal mu it does so by (1 + omega)(2 - mu A)/(2 - mu A_Q), which is
      A_Q/A only if mu is small, and K = 1 or 2 d + 3 >> m. For K = 1, where A_Q = (1 + omega) A, the floors are equal
      at steps that are the same share of 2/A and of 2/A_Q.

Controls
    half-loss-step: the step of the halved loss's convention, a factor of 2. stale-batch: one batch, used again and
    again. near-formula: argument 1 without its angle, far from w*. no-noise, additive-only, same-floor; those of the
    other files are described there.
"""

from proofs_checks import (
    planted_relu_floor,
    planted_relu_message,
    planted_relu_qsgd,
    planted_relu_quantised,
    planted_relu_rates,
    planted_relu_rows,
    planted_relu_samples,
)
from proofs_checks.planted_relu_own import claims_for

__all__ = ["CLAIMS", "claims_for"]

CLAIMS = (
    *planted_relu_rates.CLAIMS,
    *planted_relu_quantised.CLAIMS,
    *planted_relu_qsgd.CLAIMS,
    *planted_relu_message.CLAIMS,
    *planted_relu_samples.CLAIMS,
    *planted_relu_floor.CLAIMS,
    *planted_relu_rows.CLAIMS,
)
