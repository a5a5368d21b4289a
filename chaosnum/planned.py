"""The width that a compressibility theorem needs (C5), with what it rests on and what its neighbours cost.

For n columns of stable noise of index alpha < p the error of keeping the kappa n largest falls like
n^-(1/alpha - 1/p), so halving it takes 2^(1/(1/alpha - 1/p)) times the width: 8 times at alpha = 1.2, but 3e11 times
at alpha = 1.9 (p = 2). At alpha = 2 it does not fall to zero at all. `chaosnum.compress.required_width` has the law.

Columns of noise alone are scale-free: noise scale and time have a part only beside an initial law, whose size they are
compared with.
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

from chaosnum import check, compress
from chaosnum.column_law import ColumnLaw, column_law

WIDTHS = (10**2, 10**3, 10**4, 10**5, 10**6)
MOST = 300.0  # log10 of a width that is still worth a row of quantiles


def study(alpha, kappa, eps, delta, *, p=2, noise="II", dim=1, sigma=None, time=None, init_scale=None):
    """Everything that ``chaosnum plan`` says.

    Parameters
    ----------
    alpha, kappa, eps, delta, p, noise, dim
        As for `chaosnum.compress.required_width`.
    sigma, time, init_scale : float, optional
        Noise scale and time, by default 1, and the standard deviation of the initial law, by default 0.

    Returns
    -------
    dict, ready for JSON but for infinities
        `width`, what is required; `errors`, the quantiles of the error at some widths and at N; `neighbours`, the
        widths for half and twice eps and kappa; `growth`, the factor of the width that halves the error; `notes`.

    Raises
    ------
    ValueError
        A parameter outside its range, or p <= alpha < 2.
    """
    scales = {"sigma": 1.0 if sigma is None else sigma, "time": 1.0 if time is None else time,
              "init_scale": 0.0 if init_scale is None else init_scale}  # fmt: skip
    law = _law(check.stable_index(alpha), noise=noise, dim=dim, **scales)
    width = compress.required_width(alpha, kappa, eps, delta, p=p, law=law)
    pure = law.start == 0.0
    asked = {"alpha": law.alpha, "kappa": width.kappa, "eps": width.eps, "delta": width.delta, "p": width.p,
             "noise": noise, "dim": law.dim}  # fmt: skip
    return {
        **asked, **scales, "pure_noise": pure,
        "width": {**_size(width), "words": width.words, "limit": width.limit, "C": width.C, "q": width.q, "M": width.M,
                  "m": width.m, "s_delta": width.s_delta},
        "errors": _errors(width, law), "neighbours": _neighbours(width, law),
        "growth": growth(law.alpha, width.p), "notes": list(_notes(pure, law.alpha, sigma, time)),
    }  # fmt: skip


@dataclass(frozen=True)
class _Law(ColumnLaw):
    """A column law that works out each quantile and moment once: the tables ask for the same ones again and again."""

    @lru_cache(maxsize=64)  # noqa: B019 (laws are small)
    def threshold(self, kappa):
        return super().threshold(kappa)

    @lru_cache(maxsize=64)  # noqa: B019
    def below(self, q, kappa, p):
        return super().below(q, kappa, p)


def _law(alpha, **column):
    law = column_law(alpha, **column)
    return _Law(*(getattr(law, field.name) for field in fields(law)))


def _size(width):
    return {"n": width.n, "log10_n": width.log10_n, "exists": width.exists}


def _errors(width, law):
    """Quantiles of the error at some widths; none at alpha = 2, where it tends to a constant."""
    if law.alpha == 2.0:
        return []
    widths = {n for n in WIDTHS if n * width.kappa >= 1}
    if width.log10_n < MOST:
        widths.add(max(width.n, 1 / width.kappa))
    levels = (0.05, 0.5, 1 - width.delta)
    found = []
    for n in sorted(widths):
        low, middle, high = compress.error_quantiles(levels, n, law.alpha, width.kappa, width.p, law=law)
        found.append({"n": n, "low": float(low), "median": float(middle), "exceeded_with_delta": float(high)})
    return found


def _neighbours(width, law):
    """Widths for half and twice eps and kappa, as far as they are below 1."""
    return [
        {"kappa": kappa, "eps": eps,
         **_size(compress.required_width(law.alpha, kappa, eps, width.delta, p=width.p, law=law))}
        for eps in (2 * width.eps, width.eps, width.eps / 2) if eps < 1
        for kappa in (width.kappa / 2, width.kappa, 2 * width.kappa) if kappa < 1
    ]  # fmt: skip


def growth(alpha, p):
    """The factor of the width that halves the error -> float, None where no width does."""
    if alpha == 2.0:
        return None
    exponent = math.log10(2.0) / (1 / alpha - 1 / p)
    return 10.0**exponent if exponent < MOST else math.inf


def _notes(pure, alpha, sigma, time):
    if pure and (sigma is not None or time is not None):
        yield (
            "sigma and time have no part in this: columns of noise alone are scale-free, and a relative error does not "
            "see their scale; beside an initial law (--init-scale) they count"
        )
    if alpha == 2.0:
        yield (
            "alpha = 2 is Gaussian noise, the contrast: its columns are about equally long, and dropping the smaller "
            "ones loses a fixed share whatever the width; only a power tail, alpha < 2, is compressible"
        )
