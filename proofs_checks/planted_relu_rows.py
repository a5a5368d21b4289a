"""S3.1, S3.2 on rows of data, the digits; see planted_relu.py.

Real data: the first 30 principal components of the digits, each of variance 1, as population; the labels are those of a
planted unit. The rows are far from Gaussian, and the closed form is wrong for them by some 3 % a step (control
gaussian-formula); the operator recursion of ``chaosnum/planted_relu_rows.py`` is exact while no row changes its side.

rows-recursion: the mean of |h_T|^2 over runs, over its exact value. geometric: from |h| = |w*|/2 the logarithm of
|h|^2 falls along a line (R^2 > 0.99) below 1e-20, quantised or not; label noise ends it on a floor. ordering: larger
batches are faster a step, quantised gradients slower. More than the order is not claimed of quantised SGD on data,
whose gradients have no uniform direction.
"""

from functools import lru_cache, partial

import chaosnum as cn
from proofs_checks.planted_relu_own import HALF, geometric, recursion
from proofs_checks.planted_relu_rates import SOURCE
from proofs_checks.planted_relu_setting import setting

SLOWER, LARGER = "rate / rate quantised", "rate m = 32 / rate m = 8"


@lru_cache(maxsize=32)
def digits(batch, workers=1, levels=0):
    """The setting on the digits."""
    quantiser = cn.qsgd.Quantiser(levels) if levels else None
    return setting(batch, rows=cn.bundled.digits_whitened(30), workers=workers, quantiser=quantiser)


def ordering(batch, *, seed, workers, levels, swapped=False):
    """Rates of the mean logarithm: of m rows over the quantised ones, and over those of a quarter of the rows."""
    import numpy as np

    rng, rates = np.random.default_rng(seed), []
    for found in (digits(int(batch)), digits(int(batch), int(workers), int(levels)), digits(int(batch) // 4)):
        w = cn.planted_relu.near(found.w_star, 0.1, rng, 8)
        logs = np.log(found.run(w, 100, rng).squares).mean(axis=1)
        rates.append((logs[20] - logs[-1]) / (len(logs) - 21))
    plain, quantised, fewer = rates[::-1] if swapped else rates
    return {SLOWER: float(plain / quantised), LARGER: float(plain / fewer)}


ORDERING = cn.Claim(
    "S3.2",
    "On data too a step is worth more with a larger batch, and less with quantised gradients.",
    SOURCE,
    "m",
    origin="derived",
    name="ordering",
    model="digits",
    measure=ordering,
    predicts={SLOWER: cn.LimitCurve(lower=1.0, words="1"), LARGER: cn.LimitCurve(lower=1.0, words="1")},
    scales=[32],
    replicas={"quick": 12, "standard": 16, "full": 32},
    params={"workers": 4, "levels": 2},
    controls=(
        cn.Control("swapped", "The small batch in the place of the large one.", params={"swapped": True}, replicas=24),
    ),
)

GAUSSIAN = cn.Control("gaussian-formula", "The closed form of Gaussian rows.", params={"gaussian": True},
                      scales=[32, 128], replicas=64)  # fmt: skip

CLAIMS = (
    recursion(digits, {"quick": [8, 32], "standard": [8, 32, 128]}, "digits", True, True, (HALF, GAUSSIAN)),
    geometric(digits, {"quick": [32], "standard": [8, 32]}, "digits", True),
    geometric(partial(digits, workers=4, levels=2), {"quick": [32], "standard": [32]}, "digits", False,
               "quantised-geometric"),
    ORDERING,
)  # fmt: skip
