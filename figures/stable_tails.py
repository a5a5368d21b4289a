"""Does the sampler's tail go as far as the law's?

Question: heavy-tailed numerics live on rare draws. A standard SaS variable has P(|X| > r) ~ 2 c_alpha r^-alpha; does
the sampler draw as often beyond r, in a large sample and where no sample reaches?

Compute: (1) the share of draws beyond r, down to probabilities of a few draws in all. (2) The sampler maps a uniform
v = 1 - 2|U|/pi, an odd multiple of 2^-64, and an exponential w to a draw. For given w the v that lead beyond r are
those below some v*, found by bisection on the sampler's own kernels; averaged over w by Gauss-Laguerre quadrature they
give P(|X| > r) as the sampler has it, down to 2^-63. The textbook form is measured alike: its angle comes from a 53-bit
uniform, which cannot resolve the distance to pi/2 below 1e-16.

Draw: the sampled tails against the exact ones, and the ratio of both mappings to the exact tail.

    python figures/stable_tails.py [--budget quick|standard|full] [--seed N] [--out runs/figures]
"""

from functools import partial

import numba
import numpy as np
from scipy import special, stats

import chaosnum as cn
from chaosnum.stable import _angle, _power

ALPHAS = (1.1, 1.3, 1.5, 1.8)
DRAWS = {"quick": 20_000_000, "standard": 200_000_000, "full": 2_000_000_000}  # for each alpha
CHUNK = 2**22  # draws at a time
V_STEPS, TEXTBOOK_STEPS = 2**62, 2**52  # the v = (2k + 1) 2^-64 and the angles pi (1/2 - (k + 1) 2^-53), k = 0, 1, ...


def tail(r, alpha):
    """P(|X| > r) by its asymptotic series (Nolan 2020, section 3.6), 1 < alpha < 2; NaN where four terms do not do."""
    j = np.arange(1, 5)
    signed = (-1.0) ** (j + 1) * special.gamma(alpha * j) / special.factorial(j) * np.sin(np.pi * alpha * j / 2)
    terms = 2 / np.pi * signed * np.asarray(r, dtype=float)[..., None] ** (-alpha * j)
    total = terms.sum(axis=-1)
    return np.where(np.abs(terms[..., -1]) < 1e-3 * total, total, np.nan)


def radius(p, alpha):
    """The r beyond which the leading term of the tail is p."""
    return (2 * special.gamma(alpha) * np.sin(np.pi * alpha / 2) / np.pi / p) ** (1 / alpha)


def compute(alphas=ALPHAS, draws=DRAWS["standard"], seed=1, depths=None):
    """Rows of what was sampled and of what the mappings hold -> list of dict."""
    depths = 10.0 ** -np.arange(2, 19) if depths is None else depths
    rows = []
    for which, alpha in enumerate(alphas):
        first_seed = (seed * 64 + which) << 32  # numbers of their own, or the points would err together
        r = radius(10.0 ** -np.arange(2.0, np.log10(draws) - 1.2, 0.5), alpha)
        beyond = np.zeros(len(r), dtype=int)
        for i, first in enumerate(range(0, draws, CHUNK)):
            x = np.sort(np.abs(cn.stable.rvs(alpha, min(CHUNK, draws - first), seed=first_seed + i)))
            beyond += len(x) - np.searchsorted(x, r, side="right")
        low = stats.beta.ppf(0.025, beyond, draws - beyond + 1)  # Clopper and Pearson
        high = stats.beta.ppf(0.975, beyond + 1, draws - beyond)
        rows += _rows("sampled", alpha, r, beyond / draws, low, high)
        r = radius(depths, alpha)
        for name, count in (("chaosnum", _ours), ("textbook", _textbook)):
            rows += _rows(name, alpha, r, [_mapped(count, alpha, x) for x in r])
    return rows


def _rows(what, alpha, r, p, low=None, high=None):
    exact = tail(r, alpha)
    for i in np.flatnonzero(np.isfinite(exact)):
        ends = (None, None) if low is None else (float(low[i]), float(high[i]))
        yield {"what": what, "alpha": alpha, "r": float(r[i]), "exact": float(exact[i]), "probability": float(p[i]),
               "low": ends[0], "high": ends[1], "ratio": float(p[i] / exact[i])}  # fmt: skip


def _mapped(count, alpha, r):
    """P(|X| > r), the mean over w of the probability given w: to leading order that is w^(alpha - 1)."""
    nodes, weights = special.roots_genlaguerre(24, alpha - 1.0)
    keep = weights > 1e-9 * weights.sum()
    return sum(k * count(alpha, w, r) / w ** (alpha - 1.0) for w, k in zip(nodes[keep], weights[keep]))


@numba.njit(error_model="numpy")  # not cached: a script's cache cannot be read under another name
def _value(v, w, law):
    factor, ratio = _angle(v, w, law)
    return _power(factor, ratio, law)


def _ours(alpha, w, r):
    """The share of the v, at this w, that the sampler maps beyond r."""
    law = cn.stable.shape(alpha)
    return _count(lambda k: _value((2 * k + 1) * 2.0**-63, w, law) > r, V_STEPS) / V_STEPS


def _textbook(alpha, w, r):
    """The same for the formula as it is printed."""

    def value(k):
        u = np.pi * ((1.0 - (k + 1) * 2.0**-53) - 0.5)
        x = np.sin(alpha * u) / np.cos(u) ** (1 / alpha)
        return x * (np.cos((1 - alpha) * u) / w) ** ((1 - alpha) / alpha)

    return _count(lambda k: value(k) > r, TEXTBOOK_STEPS) / TEXTBOOK_STEPS


def _count(beyond, top):
    """How many of k = 0, ..., top - 1 lead beyond, for a decreasing mapping."""
    if not beyond(0):
        return 0
    low, high = 0, top
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if beyond(middle) else (low, middle)
    return high


def draw(rows):
    """Sampled tails, and the ratio of the mappings to the exact tail -> matplotlib Figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from matplotlib import ticker

    sns.set_theme(style="whitegrid", context="paper")
    alphas = sorted({r["alpha"] for r in rows})
    colours = dict(zip(alphas, sns.color_palette("colorblind", len(alphas))))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
    for alpha in alphas:
        table = {w: {k: np.array([r[k] for r in rows if r["alpha"] == alpha and r["what"] == w], dtype=float)
                     for k in ("r", "exact", "probability", "low", "high", "ratio")}
                 for w in ("sampled", "chaosnum", "textbook")}  # fmt: skip
        s, colour = table["sampled"], colours[alpha]
        left.loglog(s["r"], s["exact"], color=colour, lw=1)
        bars = np.maximum([s["probability"] - s["low"], s["high"] - s["probability"]], 0)
        left.errorbar(s["r"], s["probability"], yerr=bars, fmt="o", ms=3, lw=1, capsize=1.5, color=colour,
                      label=f"α = {alpha:g}")  # fmt: skip
        right.semilogx(table["chaosnum"]["exact"], table["chaosnum"]["ratio"], "-", color=colour, lw=1.4)
        right.semilogx(table["textbook"]["exact"], table["textbook"]["ratio"], ":", color=colour, lw=1.4)
    left.set(xlabel="r", ylabel="P(|X| > r)", title="sampled (points, 95 % interval) and exact (lines)")
    left.legend(loc="lower left")
    right.set(xlabel="P(|X| > r), exact", ylabel="P(|X| > r) of the mapping / exact", ylim=(0, 1.25),
              title="where no sample reaches")  # fmt: skip
    right.invert_xaxis()
    right.xaxis.set_major_locator(ticker.LogLocator(numticks=7))
    line = matplotlib.lines.Line2D
    right.legend([line([], [], color="0.3"), line([], [], color="0.3", ls=":")],
                 ["chaosnum", "textbook formula, 53-bit uniforms"], loc="lower left")  # fmt: skip
    return figure


write = partial(cn.figurescript.write, draw)  # the picture and its numbers, as .png, .pdf and .csv


def main(argv=None):
    options = cn.figurescript.options(__doc__, DRAWS, argv)
    rows = compute(draws=DRAWS[options.budget], seed=options.seed)
    write(rows, options.out / "stable_tails")


if __name__ == "__main__":
    main()
