"""column_law.py and column_transform.py: closed forms (Cauchy, Voigt, chi), two routes to one law, samples, errors."""

import goodness
import numpy as np
import pytest
from scipy import integrate, special, stats

from chaosnum import column_transform, linear, moments, noise, stable
from chaosnum.column_law import column_law as law_of
from chaosnum.column_sample import SampleLaw, kept

MIXED = [  # every route, with starts that matter
    (1.5, {}),
    (1.5, {"init_scale": 1.0, "sigma": 0.3, "decay": 0.5}),
    (1.2, {"noise": "III", "dim": 5}),
    (1.8, {"noise": "III-paper", "dim": 5, "init_scale": 2.0}),
    (1.5, {"noise": "II", "dim": 4}),
    (1.9, {"noise": "II", "dim": 10, "init_scale": 0.5}),
    (1.4, {"noise": "I", "dim": 4}),
    (1.4, {"noise": "I", "dim": 4, "init_scale": 2.0}),
    (2.0, {"noise": "I", "dim": 3, "init_scale": 1.0}),
]


def draws(law, n, seed):
    """Column norms (n,) of the law, by the samplers of noise.py."""
    scale = law.scale * (2.0**0.5 if law.noise == "III-paper" else 1.0)
    x = noise.increments(law.noise, law.alpha, (law.dim, n), seed=seed, step=0, scale=scale)
    x += law.start * np.random.default_rng(seed).standard_normal(x.shape)
    return np.sqrt(np.einsum("ij,ij->j", x, x))


def test_scale_and_start():
    law = law_of(1.5, sigma=0.7, time=2.0, init_scale=3.0, decay=0.4)
    assert np.isclose(law.scale, linear.marginal_scale(2.0, 1.5, 0.7, 0.4, 0.0), rtol=1e-14)
    assert np.isclose(law.start, 3.0 * np.exp(-0.8), rtol=1e-14)
    assert np.isclose(law_of(1.5, sigma=0.7, time=2.0).scale, 0.7 * 2.0 ** (1 / 1.5), rtol=1e-14)
    slow = law_of(1.5, sigma=0.7, time=2.0, decay=1e-12)
    assert np.isclose(slow.scale, 0.7 * 2.0 ** (1 / 1.5), rtol=1e-11)
    assert np.isclose(law_of(1.5, noise="III-paper", dim=3).scale, 0.5**0.5)


@pytest.mark.parametrize("dim", [1, 3, 40])
def test_cauchy_vectors(dim):
    """Type III at alpha = 1 is the multivariate t law with one degree of freedom: |X|^2 / d is F(d, 1)."""
    r = np.geomspace(0.02, 3e4, 60) * dim**0.5
    law = law_of(1.0, noise="III", dim=dim)
    truth = stats.f.sf(r**2 / dim, dim, 1)
    assert np.max(np.abs(law.sf(r) - truth)) < 1e-9
    assert np.max(np.abs(law.sf(r) / truth - 1)) < 1e-8  # into the tail
    assert np.max(np.abs(law_of(1.01, noise="III", dim=dim).sf(r) / truth - 1)) > 1e-2


def test_voigt():
    """d = 1, alpha = 1 from a Gaussian start: Voigt's law, by the mixture and by the transform."""
    start, scale = 1.3, 0.4
    law = law_of(1.0, sigma=scale, init_scale=start)
    r = np.array([0.05, 0.5, 1.5, 4.0, 30.0, 1e3])
    truth = [1 - 2 * integrate.quad(special.voigt_profile, 0, x, (start, scale), epsrel=1e-12)[0] for x in r]
    assert np.max(np.abs(law.sf(r) - truth)) < 1e-9
    assert np.max(np.abs(column_transform.tail(r**2, 1.0, scale, start, 1, 0) - truth)) < 1e-9


@pytest.mark.parametrize("alpha", [0.6, 1.2, 1.9, 1.99])
def test_two_routes(alpha):
    """One component: mixture of Gaussians against Laplace inversion; without a start both against the stable law."""
    r = np.geomspace(0.01, 1e3, 25)
    law = law_of(alpha, init_scale=0.8)
    assert np.max(np.abs(law.sf(r) - column_transform.tail(r**2, alpha, 1.0, 0.8, 1, 0))) < 2e-9
    exact = 2 * stable.sf(r, alpha)
    near = column_transform.tail(r**2, alpha, 1.0, 0.0, 1, 0)
    assert np.max(np.abs(near - exact)) < 1e-9 and np.max(np.abs(near / exact - 1)) < 1e-6
    assert np.max(np.abs(law_of(alpha, init_scale=1e-9).sf(r) - exact)) < 1e-9


def test_independent_components():
    """Type II, d = 2, alpha = 1 by a double integral; and alpha = 2 against chi laws."""
    law = law_of(1.0, noise="II", dim=2)
    for r in (0.3, 2.0, 50.0):
        inside = integrate.quad(
            lambda x, r: 4 / np.pi**2 / (1 + x * x) * np.arctan(np.sqrt(r * r - x * x)), 0, r, (r,), 0, 1e-12, 0, 200
        )[0]
        assert abs(law.sf(r) - (1 - inside)) < 1e-9
    r = np.geomspace(0.1, 8.0, 30)
    chi = stats.chi.sf(r * 4 / np.sqrt(2 * 0.09 + 0.16), 16)
    assert np.max(np.abs(column_transform.tail((4 * r) ** 2, 2.0, 0.3, 0.4, 16, 0) - chi)) < 1e-9
    assert np.max(np.abs(law_of(2.0, noise="II", dim=16, sigma=0.3, init_scale=0.4).sf(4 * r) - chi)) < 1e-13


@pytest.mark.parametrize("alpha, column", MIXED)
def test_against_samples(alpha, column):
    """40000 columns: Kolmogorov-Smirnov at level 1e-6, and of a law 5 % wider they are rejected."""
    law = law_of(alpha, **column)
    y = draws(law, 40_000, seed=71)
    assert goodness.kolmogorov(y, lambda r: 1 - law.sf(r)) < goodness.KOLMOGOROV_CRITICAL
    assert goodness.kolmogorov(y, lambda r: 1 - law.sf(r / 1.05)) > goodness.KOLMOGOROV_CRITICAL
    kappa, bound = 0.1, stats.norm.isf(1e-6 / 4)
    q = law.threshold(kappa)
    assert abs(law.sf(q) - kappa) < 1e-9
    for p in (0.7, 2.0):
        part = np.where(y <= q, y, 0.0) ** p
        assert abs(part.mean() - law.below(q, kappa, p)) < bound * part.std() / 200
        assert abs(part.mean() - 1.1 * law.below(q, kappa, p)) > bound * part.std() / 200


@pytest.mark.parametrize("alpha, column", [c for c in MIXED if c[0] < 2])
def test_tail_constant(alpha, column):
    law = law_of(alpha, **column)
    r = 3e4 * law._size
    assert abs(law.sf(r) * r**alpha / law.tail_constant - 1) < 1e-5


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.5])
def test_mass_below(p):
    """M of a scalar against the integral of its density, and of a chi law in closed form."""
    law, q = law_of(1.5, sigma=2.0), 0.0
    for kappa in (0.7, 0.1, 1e-3):
        q = law.threshold(kappa)
        cuts = np.geomspace(1e-3, q / 2, 12)[:-1]
        truth = 2 * integrate.quad(
            lambda x: (2 * x) ** p * stable.pdf(x, 1.5), 0, q / 2, epsrel=1e-11, limit=500, points=cuts
        )[0]
        assert abs(law.below(q, kappa, p) / truth - 1) < 1e-8
    gauss = law_of(2.0, noise="II", dim=3)
    q = gauss.threshold(0.2)
    truth = 2**p * special.gamma((3 + p) / 2) / special.gamma(1.5) * special.gammainc((3 + p) / 2, q * q / 4)
    assert abs(gauss.below(q, 0.2, p) / truth - 1) < 1e-8


@pytest.mark.parametrize("kind", ["I", "II", "III"])
def test_moments_below_alpha(kind):
    """The analytic continuation is the moment itself below alpha."""
    for alpha, dim, p in ((1.5, 1, 0.7), (1.5, 4, 1.2), (1.9, 7, 1.0), (2.0, 3, 1.5)):
        law = law_of(alpha, noise=kind, dim=dim, sigma=2.0, time=1.0)
        assert abs(law.moment(p) / (2.0**p * moments.norm_moment(p, kind, alpha, dim)) - 1) < 1e-8
    assert law_of(1.5).moment(1.5) == np.inf
    # d = 3 from a Gaussian start alone, and noise that no longer counts
    law = law_of(1.5, noise=kind, dim=3, sigma=1e-9, init_scale=2.0)
    assert abs(law.moment(1.0) / (2.0 * np.sqrt(8 / np.pi)) - 1) < 1e-6


@pytest.mark.parametrize("alpha", [0.7, 1.1, 1.5, 1.9])
def test_regularised_moment_of_a_scalar(alpha):
    """The continuation of 2^q Gamma((1+q)/2) Gamma(1-q/alpha) / (sqrt(pi) Gamma(1-q/2)), E|X|^q for q < alpha."""
    for p in (1.05 * alpha, 1.3 * alpha, 1.7 * alpha, 1.95 * alpha):
        truth = 2**p * special.gamma((1 + p) / 2) * special.gamma(1 - p / alpha) / np.pi**0.5 / special.gamma(1 - p / 2)
        assert abs(law_of(alpha).regularised_moment(p) / truth - 1) < 1e-10
        transform = column_transform.regularised_moment(p, alpha, 1.0, 0.0, 1, 0)
        assert abs(transform / truth - 1) < 1e-10


@pytest.mark.parametrize("alpha, column", [MIXED[1], MIXED[3], MIXED[5], MIXED[7]])
def test_regularised_moment_is_its_integral(alpha, column):
    """int p r^(p-1) [P(Y > r) - C r^-alpha] dr by plain quadrature, its far end closed with the next power."""
    law = law_of(alpha, **column)
    C, edge, far = law.tail_constant, np.log(law._size), np.log(law._size) + 7.0
    nodes, weights = np.polynomial.legendre.leggauss(16)

    def integral(function, low, high, p):
        ends = np.linspace(low, high, 60)
        half = 0.5 * np.diff(ends)[:, None]
        return float(np.sum(half * weights * function(ends[:-1, None] + half * (1 + nodes), p)))

    for p in (1.25 * alpha, 2.0):
        inner = integral(lambda w, p: p * np.exp(p * w) * law.sf(np.exp(w)), edge - 35 / p, edge, p)
        inner -= C * p / (p - alpha) * np.exp((p - alpha) * edge)
        outer = integral(lambda w, p: p * np.exp(p * w) * (law.sf(np.exp(w)) - C * np.exp(-alpha * w)), edge, far, p)
        r = np.exp(far)
        assert abs(inner + outer - law.regularised_moment(p)) < 0.02 * law._size**p, (inner, outer)
        assert abs(law.sf(r) - C * r**-alpha) * r**p < 0.02 * law._size**p  # what lies beyond
    assert law.regularised_moment(2.0) == law.dim * law.start**2


def test_second_moment_and_beyond():
    assert law_of(1.5, dim=4, init_scale=2.0, sigma=0.1).regularised_moment(2.0) == 16.0
    assert law_of(1.5).regularised_moment(2.0) == 0.0
    assert law_of(0.8, dim=2, init_scale=1.0).regularised_moment(2.0) == 2.0
    assert law_of(0.8, init_scale=1.0).regularised_moment(1.7) == 0.0


def test_a_sample_is_a_law():
    """Counts by hand, and its constants against those of the law it came from."""
    law = SampleLaw(np.array([4.0, 1.0, 3.0, 2.0]), 1.5, k=1)
    assert law.threshold(0.5) == 2.0 and law.below(2.0, 0.5, 2.0) == 5 / 4
    assert law.tail_constant == 0.25 * 3.0**1.5
    assert law.threshold(1.0) == 0.0 and law.moment(1.0) == 2.5 and law.moment(1.5) == np.inf
    true = law_of(1.5, sigma=0.2, init_scale=1.0)
    sample = SampleLaw(draws(true, 400_000, seed=3), 1.5, k=2000)
    assert abs(sample.tail_constant / (true.sf(sample.edge) * sample.edge**1.5) - 1) < 5.5 / 2000**0.5  # level 4e-8
    assert abs(sample.threshold(0.1) / true.threshold(0.1) - 1) < 0.02
    assert abs(sample.regularised_moment(2.0) - 1.0) < 0.15  # the start alone, of a mean square of 1.04 + noise


@pytest.mark.parametrize("kappa, n, number", [(0.29, 100, 29), (0.3, 10, 3), (0.35, 10, 3), (0.0, 5, 0), (1 / 3, 3, 1)])
def test_number_kept(kappa, n, number):
    assert kept(kappa, n) == number


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"alpha": 0.05}, r"alpha must lie in \[0\.1, 2\]"),
        ({"alpha": 2.5}, r"alpha must lie in"),
        ({"alpha": 1.999999}, "alpha must be 2 or at most"),
        ({"noise": "IV"}, "noise must be one of"),
        ({"dim": 0}, "dim must be a whole number"),
        ({"sigma": 0.0}, "sigma must lie in"),
        ({"time": -1.0}, "time must lie in"),
        ({"init_scale": -1.0}, "init_scale must lie in"),
        ({"decay": np.nan}, "decay must lie in"),
        ({"sigma": 1e200}, "scale of a column"),
    ],
)
def test_bad_columns(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        law_of(**{"alpha": 1.5, **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "norms, options, message",
    [
        ([1.0], {}, "2 or more norms"),
        ([1.0, -1.0], {}, "none negative"),
        ([0.0, 0.0], {}, "not all zero"),
        ([1.0, np.nan], {}, "law must be finite"),
        ([[1.0, 2.0]], {}, "law must have 1 dimension"),
        ([1.0, 2.0, 3.0], {"k": 3}, "k must be a whole number"),
        ([0.0, 0.0, 3.0], {"k": 1}, "more than 1 norms above zero"),
        ([1.0, 2.0, 3.0], {"tail_constant": -1.0}, "tail_constant must lie in"),
    ],
)
def test_bad_samples(norms, options, message):
    with pytest.raises(ValueError, match=message):
        SampleLaw(np.array(norms), 1.5, **options)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 1.5, 1.999])
@pytest.mark.parametrize("noise_, start", [(0.7, 0.0), (0.3, 0.9), (1e-3, 1.0)])
def test_lattice_of_transforms(alpha, noise_, start):
    """1 - phi interpolated on the lattice against the integral at that point, at the angles of the inversion."""
    step, points = column_transform.LATTICE, column_transform.POINTS
    terms, rng = 60, np.random.default_rng(0)
    for place in rng.uniform(-400, 400, 8):
        first = int(np.floor(place)) - points // 2 + 1
        block, offset = divmod(first, column_transform.BLOCK)
        values = column_transform._lattice(alpha, noise_, start, terms, block)[offset : offset + points]
        found = (column_transform._lagrange(np.array([place - first]))[0] @ values).view(complex)
        u = 0.5 * (column_transform.EXPONENT + 2j * np.pi * np.arange(terms)) * np.exp(2 * step * place)
        # with one factor and no other component 1 - L is 1 - phi; its own integral leaves out exp(-24 (1 + alpha))
        one = column_transform._missing(u, alpha, noise_, start, 1, 0)
        assert np.max(np.abs(found / one - 1)) < 1e-12 + 2 * np.exp(-24 * (1 + alpha))


def test_many_components():
    """10^5 Cauchy components, which took hours once: P(Y^2 > s) is nearly the positive 1/2-stable law's."""
    law = law_of(1.0, noise="II", dim=100_000)
    r = np.sqrt(2.0 * stable.ppf_positive(np.array([0.1, 0.5, 0.9]), 0.5)) * law_of(1.0).scale * 1e5
    # E exp(-u x^2) = 1 - K u^(1/2) + ..., K = 2/sqrt(pi), and Y^2 has the transform exp(-d K u^(1/2)) as d grows
    r = r / np.sqrt(2.0) * 2.0 / np.sqrt(np.pi)
    assert np.allclose(law.sf(r), [0.9, 0.5, 0.1], atol=2e-4)


@pytest.mark.parametrize("dim", [1, 10, 784])
def test_mixture_without_its_far_nodes(dim):
    """Nodes far from the chi-square peak are left out: the same as all of them, by a law whose tail is known."""
    r = np.sqrt(dim) * np.geomspace(0.5, 1e4, 9)
    # Cauchy vectors, X = G/|N|: P(|X| > r) is that of the F law
    assert np.allclose(law_of(1.0, noise="III", dim=dim).sf(r), stats.f.sf(r * r / dim, dim, 1), rtol=1e-8, atol=0)
