"""S3.3: the lemma of QSGD's quantiser, and its exact moments; see chaosnum/qsgd.py.

Checked by drawing, on vectors of uniform direction: E<Q(v), v>/|v|^2 = 1 and E<Q(v), r> = 0 (unbiased), the variance
omega and the number of nonzeros as their integrals say. r is the unit vector along sgn(v) with its part along v taken
off: a quantiser that favours small or large entries, as rounding to the nearest level does, has a bias along it. (Along
an r that does not depend on v the mean over directions is 0 for every odd quantiser.) Checked without drawing, as the
exact omega(v) and E nonzeros are known for every v: the lemma's bounds, and the sharp one, on families of vectors that
are bad for them: equal entries, a few equal entries among zeros, one entry, Gaussian, Cauchy, and entries at half a
level. Slack 1 of the sharp one means that it is attained.

Controls: nearest-level, a biased rounding; wrong-level, the receiver divides by s + 1; max-norm, the largest entry in
place of the norm (more nonzeros); half-the-levels, the variance of s levels claimed for half of them;
half-the-entries, the bound of d/2 entries.
"""

import chaosnum as cn

PAPER = "Alistarh, Grubic, Li, Tomioka, Vojnovic, NIPS 2017"
ALONG, ASIDE, VARIANCE, NONZEROS = "<Q(v), v>/|v|^2", "1 + <Q(v), r>/|v|, r aside", "omega", "nonzeros"
STATED, SHARP, STATED_NONZEROS = "omega / stated bound", "omega / sharp bound", "nonzeros / stated bound"
LEVELS = (0, 10**4)


def moments(dim, *, seed, levels, nearest=False, wrong=False, maximum=False):
    """Moments of Q over 100,000 components of vectors of uniform direction, or 8 vectors."""
    import numpy as np

    dim, levels, rng = int(dim), int(levels), np.random.default_rng(seed)
    v = cn.planted_relu.directions(rng, max(8, 100_000 // dim), dim)
    r = np.sign(v)
    r -= (r * v).sum(axis=1, keepdims=True) * v
    r /= np.linalg.norm(r, axis=1, keepdims=True)
    sent = _sent(v, levels, rng, nearest, wrong, maximum)
    return {
        ALONG: float((sent * v).sum(axis=1).mean()),
        ASIDE: 1.0 + float((sent * r).sum(axis=1).mean()),
        VARIANCE: float(((sent - v) ** 2).sum(axis=1).mean()),
        NONZEROS: float((sent != 0.0).sum(axis=1).mean()),
    }


def _sent(v, levels, rng, nearest, wrong, maximum):
    import numpy as np

    if nearest:
        return np.round(v * levels) / levels
    if maximum:  # as if the largest entry were the norm
        size = np.abs(v).max(axis=1, keepdims=True)
        return size * np.sign(v) * np.floor(np.abs(v) / size * levels + rng.random(v.shape)) / levels
    quantiser = cn.qsgd.Quantiser(levels)
    scale, level = quantiser.split(v, rng)
    return (cn.qsgd.Quantiser(levels + 1) if wrong else quantiser).join(scale, level)


MOMENTS_OF = {
    ALONG: cn.ExactValue(1.0, words="1"),
    ASIDE: cn.ExactValue(1.0, words="1"),
    VARIANCE: cn.ExactValue(
        lambda dim, levels: cn.qsgd.Quantiser(int(levels)).mean_variance(int(dim)), words="integral"
    ),
    NONZEROS: cn.ExactValue(
        lambda dim, levels: cn.qsgd.Quantiser(int(levels)).mean_nonzeros(int(dim)), words="integral"
    ),
}
MOMENTS = cn.Claim(
    "S3.3",
    "The quantiser is unbiased, and its variance and number of nonzeros are those of two integrals.",
    f"{PAPER}, states that it is unbiased (Lemma 3.1); the integrals are derived here",
    "d",
    origin="derived",
    name="quantiser-moments",
    model="uniform",
    measure=moments,
    predicts=MOMENTS_OF,
    scales={"quick": [2, 100], "standard": [2, 10, 100, 300], "full": [2, 10, 100, 1000]},
    replicas={"quick": 16, "standard": 24, "full": 100},
    params={"levels": (1, 4)},
    domain={"levels": LEVELS},
    controls=(
        cn.Control("nearest-level", "Rounding to the nearest level.", params={"nearest": True}, scales=[10, 100]),
        cn.Control("wrong-level", "The receiver takes s for s + 1.", params={"wrong": True}, scales=[2, 10, 100],
                   predicts={ALONG: MOMENTS_OF[ALONG]}),
        cn.Control("max-norm", "The largest entry in place of the norm.", params={"maximum": True}, scales=[100],
                   predicts={key: MOMENTS_OF[key] for key in (VARIANCE, NONZEROS)}),
    ),
)  # fmt: skip


def bounds(dim, *, seed, levels, fewer=False, maximum=False, few=False):
    """Largest exact omega and expected nonzeros of bad vectors over their bounds, `few`: those of half the entries."""
    import numpy as np

    dim, levels, rng = int(dim), int(levels), np.random.default_rng(seed)
    vectors = bad_vectors(dim, levels, rng)
    quantiser = cn.qsgd.Quantiser(max(1, levels // 2) if fewer else levels)
    omega, nonzeros = quantiser.variance(vectors), quantiser.nonzeros(vectors)
    if maximum:
        nonzeros = np.minimum(levels * np.abs(vectors) / np.abs(vectors).max(axis=1, keepdims=True), 1.0).sum(axis=1)
    return {
        STATED: float(omega.max() / cn.qsgd.stated_variance(dim, levels)),
        SHARP: float(omega.max() / cn.qsgd.sharp_variance(dim // 2 if few else dim, levels)),
        STATED_NONZEROS: float(nonzeros.max() / cn.qsgd.stated_nonzeros(dim, levels)),
    }


def bad_vectors(dim, levels, rng):
    """Vectors with a large variance or many nonzeros -> ndarray, float64, shape (v, dim)."""
    import numpy as np

    rows = [np.ones(dim), np.eye(dim)[0], rng.standard_normal(dim), rng.standard_cauchy(dim), rng.exponential(size=dim)]
    rows += [np.where(rng.random(dim) < share, 1.0, 0.0) for share in (0.01, 0.1, 0.5)]
    rows += [1.0 + spread * rng.standard_normal(dim) for spread in (0.1, 0.5)]
    rows.append(rng.integers(0, 2 * levels, dim) + 0.5)  # entries at half levels, where the norm allows it
    half = np.zeros(dim)  # as many entries of half a level as the norm allows
    half[: min(dim, 4 * levels**2)] = 1.0
    rows = [*rows, half]
    return np.array([row if row.any() else np.ones(dim) for row in rows]) * rng.choice([-1.0, 1.0], dim)


BOUNDS_OF = {
    STATED: cn.Bound(1.0, words="min(d/s^2, sqrt(d)/s)"),
    STATED_NONZEROS: cn.Bound(1.0, words="s(s+sqrt d)"),
}
BOUNDS = cn.Claim(
    "S3.3",
    "For every v omega(v) <= min(d/s^2, sqrt(d)/s), and on average at most s(s + sqrt(d)) components are not 0.",
    f"{PAPER}, Lemma 3.1",
    "d",
    origin="stated",
    name="quantiser-lemma",
    model="any-vector",
    measure=bounds,
    predicts=BOUNDS_OF,
    scales={"quick": [16, 100, 1000], "standard": [4, 16, 100, 1000], "full": [4, 16, 100, 1000, 10_000]},
    replicas={"quick": 8, "standard": 16, "full": 64},
    params={"levels": (1, 2, 5)},
    domain={"levels": LEVELS},
    controls=(
        cn.Control("half-the-levels", "Half as many levels as claimed.", params={"fewer": True},
                   applies=lambda levels: levels > 1, predicts={STATED: BOUNDS_OF[STATED]}, scales=[1000]),
        cn.Control("max-norm", "The largest entry in place of the norm.", params={"maximum": True}, scales=[1000],
                   predicts={STATED_NONZEROS: BOUNDS_OF[STATED_NONZEROS]}),
    ),
)  # fmt: skip

SHARP_BOUND = cn.Claim(
    "S3.3",
    "The largest omega(v) is sqrt(d)/s - 1 for s <= sqrt(d)/2, that of equal entries; beyond it is at most d/(4 s^2).",
    f"derived here, sharper than {PAPER}, Lemma 3.1",
    "d",
    origin="derived",
    name="sharp-variance",
    model="any-vector",
    measure=bounds,
    predicts={SHARP: cn.Bound(1.0, within=1.001, words="sup of omega")},
    scales=BOUNDS.scales,
    replicas=BOUNDS.replicas,
    params={"levels": (1, 2, 5)},
    domain={"levels": LEVELS},
    controls=(
        cn.Control("half-the-levels", "Half as many levels as claimed.", params={"fewer": True},
                   applies=lambda levels: levels > 1, scales=[100, 1000]),
        cn.Control("half-the-entries", "The bound of vectors of half the length.", params={"few": True}, scales=[1000]),
    ),
)  # fmt: skip

CLAIMS = (MOMENTS, BOUNDS, SHARP_BOUND)
