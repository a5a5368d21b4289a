"""coupling.py: both gaps against the loops, their laws on bed L, their orders on bed K, and what must spoil them."""

import math

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import limit, linear, noise
from chaosnum.coupling import _widen, euler_gap, propagation_gap
from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.network import Network
from chaosnum.particles import Scheme, simulate
from chaosnum.threads import cores

Z = stats.norm.isf(goodness.FALSE_ALARM / 2)


def network(unit="tanh", loss="logistic"):
    rng = np.random.default_rng(8)
    return Network(rng.standard_normal((5, 3)), np.arange(5) % 2, unit=unit, loss=loss)


def beds():
    """Every bed, its loop twin, and the length of its average."""
    net = network()
    return {
        "kuramoto": (Kuramoto(1.4, sd=0.5), naive.Kuramoto(1.4), 2),
        "linear": (Linear(0.6, 1.2, start=0.4), naive.Linear(0.6, 1.2), 1),
        "network": (net, naive.Network(net.X, net.y, net.unit, net.loss), 5),
        "sigmoid": (network("sigmoid", "square"), naive.Network(net.X, net.y, "sigmoid", "square"), 5),
    }


NAMES = sorted(beds())


def path(scheme, p, n, seed, **options):
    """All increments of a scheme, from the public function."""
    options["scale"] = scheme.sigma * scheme.eta ** (1 / scheme.alpha)
    return np.array(
        [
            noise.increments(scheme.noise, scheme.alpha, (p, n), seed=seed, step=k, **options)
            for k in range(scheme.steps)
        ]
    )


def kuramoto_limit(scheme, K):
    return np.column_stack(limit.kuramoto_euler_flow(scheme.alpha, scheme.sigma, K, scheme.eta, scheme.steps))


# ---------------------------------------------------------------- against the loops


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("name", NAMES)
def test_propagation_gap_agrees_with_the_loops(name, kind):
    """For any limit flow; a step's round-off, 1e-15 of the largest number, grows by exp((A + D) T) < 30."""
    bed, twin, d = beds()[name]
    n, scheme = 7, Scheme(1.4, 0.5, 1.0, 0.2, kind)
    flow = 0.5 * np.random.default_rng(2).standard_normal((scheme.steps + 1, d))
    xi, theta = path(scheme, bed.p, n, 11, replica=3), bed.initial(n, seed=11, replica=3).reshape(bed.p, n)
    truth = naive.propagation_gap(twin, theta, xi, 0.2, flow)
    tolerance = 1e-13 * (1 + np.abs(naive.run(twin, theta, xi, 0.2)[0]).max())
    gap = propagation_gap(bed, n, scheme, flow, seed=11, replica=3)
    assert gap.shape == (1, n) and np.abs(gap[0] - truth).max() < tolerance
    # partner: the flow one step late
    late = naive.propagation_gap(twin, theta, xi, 0.2, flow[1:])
    assert np.abs(gap[0] - late).max() > 1e6 * tolerance
    shorter = propagation_gap(bed, n, Scheme(1.4, 0.5, 0.8, 0.2, kind), flow[:-1], seed=11, replica=3)
    assert np.all(shorter <= gap)


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("name", NAMES)
def test_euler_gap_agrees_with_the_loops(name, kind):
    bed, twin, _ = beds()[name]
    n, refine, scheme = 7, 3, Scheme(1.4, 0.5, 1.0, 0.25, kind)
    xi, theta = path(scheme.refined(refine), bed.p, n, 12, replica=1), bed.initial(n, seed=12, replica=1)
    theta = theta.reshape(bed.p, n)
    truth = naive.euler_gap(twin, theta, xi, 0.25, refine)
    tolerance = 1e-13 * (1 + np.abs(naive.run(twin, theta, xi, 0.25 / 3)[0]).max())
    gap = euler_gap(bed, n, scheme, refine, seed=12, replica=1)
    assert gap.shape == (n,) and np.abs(gap - truth).max() < tolerance
    # partner: a coarse scheme on noise of its own
    assert np.abs(euler_gap(bed, n, scheme, 2, seed=12, replica=1) - truth).max() > 1e6 * tolerance


def test_systems_side_by_side():
    """Several systems in one call are the loops on their share of the particle numbers."""
    scheme, n = Scheme(1.5, 1.0, 0.6, 0.2), 5
    for name in ("kuramoto", "linear"):
        bed, twin, d = beds()[name]
        flow = np.full((4, d), 0.3)
        gap = propagation_gap(bed, n, scheme, flow, seed=13, systems=3)
        xi, theta = path(scheme, 1, 3 * n, 13), bed.initial(n, systems=3, seed=13)
        for r in range(3):
            mine = slice(r * n, (r + 1) * n)
            truth = naive.propagation_gap(twin, theta[r : r + 1], xi[:, :, mine], 0.2, flow)
            assert np.abs(gap[r] - truth).max() < 1e-13 * (1 + np.abs(xi).max())
            assert np.abs(gap[r - 1] - truth).max() > 1e-6


@pytest.mark.parametrize("name, n", [("kuramoto", 100_000), ("network", 1_100), ("linear", 100_000)])
def test_same_bits_for_any_number_of_threads(name, n):
    bed, _, d = beds()[name]
    scheme = Scheme(1.3, 1.0, 0.4, 0.2)
    flow = np.full((3, d), 0.1)
    gaps = [propagation_gap(bed, n, scheme, flow, seed=2, threads=t) for t in (1, 2, 3, cores(), None)]
    errors = [euler_gap(bed, n, scheme, 2, seed=2, threads=t) for t in (1, 2, 3, cores(), None)]
    for found in (gaps, errors):
        assert all(np.array_equal(found[0], other) for other in found[1:])
    assert gaps[0].max() > 0 and errors[0].max() > 0


# ---------------------------------------------------------------- the limit flow


@pytest.mark.parametrize("name", NAMES)
def test_no_gap_to_a_copy_that_reads_the_system(name):
    """Exactly zero, bit by bit; the gap to another flow grows with its distance."""
    bed, _, d = beds()[name]
    n, scheme = 600, Scheme(1.5, 1.0, 1.0, 0.1)
    own = simulate(bed, n, scheme, seed=6).average.reshape(11, d)
    assert np.array_equal(propagation_gap(bed, n, scheme, own, seed=6), np.zeros((1, n)))
    other = simulate(bed, n, scheme, seed=6, replica=1).average.reshape(11, d)
    means = [propagation_gap(bed, n, scheme, own + s * (other - own), seed=6).mean() for s in (1e-3, 1e-2, 1e-1, 1.0)]
    assert 0 < means[0] < means[1] < means[2] < means[3]
    assert 8 < means[1] / means[0] < 12  # linear while it is small


def test_a_shifted_flow_on_bed_l():
    """The gap to a flow that is off by delta is delta (1 - (1 - gamma eta)^k) chi / gamma, for every particle."""
    bed, scheme, n = Linear(0.5, 1.5), Scheme(1.5, 1.0, 1.0, 0.1), 50
    own = simulate(bed, n, scheme, seed=6).average[:, 0]
    gap = propagation_gap(bed, n, scheme, own + 0.3, seed=6)
    exact = 0.3 * (1 - 0.8**10) * 0.75
    assert np.allclose(gap, exact, rtol=1e-11) and not np.allclose(gap, 0.3, rtol=0.1)


# ---------------------------------------------------------------- exact laws on bed L


def signed(gap, seed):
    """A sample with random signs: |gap| has the law of |X|, X symmetric, exactly if this has the law of X."""
    return (gap * np.random.default_rng(seed).choice([-1.0, 1.0], gap.shape))[None]


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_law_of_the_gap_on_bed_l(alpha):
    """After two steps the supremum is the gap itself: the first step's is zero, all particles start together."""
    n, systems, eta, lam, chi = 6, 100_000, 0.5, 0.6, 1.2
    scheme = Scheme(alpha, 0.9, 1.0, eta)
    flow = limit.linear_euler_flow(lam, eta, 2, 0.4)[:, None]
    gap = propagation_gap(Linear(lam, chi, start=0.4), n, scheme, flow, seed=14, systems=systems)
    round_off = 1e-14 * (1 + np.abs(simulate(Linear(), n, scheme, seed=14, systems=systems).theta).max())
    assert np.ptp(gap, axis=1).max() < round_off < 1e-3 * np.median(gap)  # the gap is the same for every particle
    scale = linear.gap_scale_euler(n, 2, eta, alpha, 0.9, lam, chi)
    k, x = goodness.frequencies(alpha) / scale, signed(gap[:, 0], 1)
    assert goodness.chi_square(x, goodness.sas(alpha, scale), k) < goodness.critical(k)
    partners = [linear.gap_scale(n, 1.0, alpha, 0.9, lam, chi), scale * 1.06]
    if alpha < 2:
        partners.append(scale * n ** (1 / 2 - 1 / alpha))  # the rate of bounded interactions
    for wrong in partners:
        phi = goodness.sas(alpha, wrong)
        assert goodness.miss(goodness.sas(alpha, scale), phi, k, systems) < goodness.FALSE_ALARM
        assert goodness.chi_square(x, phi, k) > goodness.critical(k)


@pytest.mark.parametrize("alpha", [1.3, 2.0])
def test_law_of_the_euler_error_on_bed_l(alpha):
    """With one coarse step the supremum is the error at T. One particle of each of 6000 systems of three."""
    n, replicas, refine, lam, chi = 3, 6000, 4, 0.6, 1.2
    scheme = Scheme(alpha, 0.9, 0.5, 0.5)
    bed = Linear(lam, chi)
    error = np.array([euler_gap(bed, n, scheme, refine, seed=15, replica=r)[0] for r in range(replicas)])
    law = linear.euler_error(n, 1, 0.5, refine, alpha, 0.9, lam, chi)
    assert law.shift == 0.0
    k, x = goodness.frequencies(alpha) / law.scale, signed(error, 2)
    assert goodness.chi_square(x, goodness.sas(alpha, law.scale), k) < goodness.critical(k)
    # partners: of another refinement, of the mean alone, and at half the step
    for wrong in (
        linear.euler_error(n, 1, 0.5, 2, alpha, 0.9, lam, chi).scale,
        law.mean_scale,
        linear.euler_error(n, 2, 0.25, refine, alpha, 0.9, lam, chi).scale,
    ):
        phi = goodness.sas(alpha, wrong)
        assert goodness.miss(goodness.sas(alpha, law.scale), phi, k, replicas) < goodness.FALSE_ALARM
        assert goodness.chi_square(x, phi, k) > goodness.critical(k)


# ---------------------------------------------------------------- nested noise


@pytest.mark.parametrize("kind", noise.KINDS)
def test_coarse_noise_is_the_sum_of_the_fine(kind):
    """What the coarse scheme receives is the increment of the nested path; one fresh variable would not do."""
    bed, n, refine, scheme, seen = network(), 30, 4, Scheme(1.4, 0.8, 1.0, 0.25, kind), []
    euler_gap(bed, n, scheme, refine, seed=16, coarse_noise=lambda k, total: seen.append((k, total.copy())))
    assert [k for k, _ in seen] == [0, 1, 2, 3]
    fine = 0.8 * (0.25 / refine) ** (1 / 1.4)
    for k, total in seen:
        nested = noise.increments(kind, 1.4, (bed.p, n), seed=16, step=k, refine=refine, scale=fine)
        assert np.abs(total - nested).max() < 1e-14 * (1 + np.abs(nested).max()) * refine
        fresh = noise.increments(kind, 1.4, (bed.p, n), seed=16, step=k, scale=0.8 * 0.25 ** (1 / 1.4))
        assert np.abs(total - fresh).max() > 0.1


def test_hooks_change_both_systems_or_the_coarse_one():
    """Noise set to zero: in `propagation_gap` for both, so nothing is left to differ on bed L; in `euler_gap` not."""
    bed, scheme, n = Linear(0.6, 1.2, start=0.4), Scheme(1.5, 1.0, 1.0, 0.25), 20

    def silence(xi):
        xi[:] = 0.0

    flow = limit.linear_euler_flow(0.6, 0.25, 4, 0.4)[:, None]
    assert propagation_gap(bed, n, scheme, flow, seed=1, noise=silence).max() < 1e-15
    assert propagation_gap(bed, n, scheme, flow, seed=1).max() > 1e-3
    error = euler_gap(bed, n, scheme, 4, seed=1, coarse_noise=lambda k, total: silence(total))
    assert np.median(error) > 2 * np.median(euler_gap(bed, n, scheme, 4, seed=1))


# ---------------------------------------------------------------- suprema


def test_the_supremum_of_distances():
    rng = np.random.default_rng(7)
    x, y, sup = rng.standard_normal((3, 50)), rng.standard_normal((3, 50)), np.linspace(0, 4, 50)
    truth = np.maximum(sup, np.linalg.norm(x - y, axis=0))
    _widen(sup, x, y)
    assert np.allclose(sup, truth, rtol=1e-15) and (truth > np.linspace(0, 4, 50)).any()


def test_nan_and_infinity_stay():
    sup = np.zeros(4)
    _widen(sup, np.array([[np.nan, np.inf, np.inf, 1.0]]), np.array([[0.0, 0.0, np.inf, 0.0]]))
    _widen(sup, np.ones((1, 4)), np.zeros((1, 4)))
    _widen(sup, np.full((1, 4), 2.0), np.zeros((1, 4)))
    assert np.array_equal(sup, [np.nan, np.inf, np.nan, 2.0], equal_nan=True)
    assert np.fmax(np.nan, 2.0) == 2.0  # partner: how it would get lost


@pytest.mark.parametrize("name", ["kuramoto", "linear", "network"])
def test_nan_shows_and_spreads(name):
    """A particle that is no number spoils the average and then everyone's gap; in the last step its own alone."""
    scheme, bed = Scheme(1.5, 1.0, 1.0, 0.25), beds()[name][0]
    for when, spoilt in [(None, 0), (0, 10), (3, 1)]:

        def spoil(k, total, when=when):
            if k == when:
                total[0, 3] = np.nan

        gap = euler_gap(bed, 10, scheme, 2, seed=1, coarse_noise=spoil)
        assert np.count_nonzero(np.isnan(gap)) == spoilt and np.isnan(gap[3]) == (spoilt > 0)


# ---------------------------------------------------------------- orders on bed K


def slope(scales, samples):
    """Least-squares slope of the log mean over replicas -> (slope, its standard error)."""
    x = np.log(scales) - np.log(scales).mean()
    y = np.array([math.log(s.mean()) for s in samples])
    se = np.array([s.std(ddof=1) / s.mean() / math.sqrt(len(s)) for s in samples])
    return x @ y / (x @ x), math.sqrt(x**2 @ se**2) / (x @ x)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_rate_of_chaos(alpha):
    """-1/2 whatever alpha. The next term is smaller by n^(-1/2): 1/8 at n = 64, 0.045 in the slope over a factor 16."""
    scheme, bed = Scheme(alpha, 1.0, 1.0, 0.1), Kuramoto(1.0)
    flow, sizes = kuramoto_limit(scheme, 1.0), {64: 1000, 256: 500, 1024: 250}

    def measure(noise=None):
        found = [
            propagation_gap(bed, n, scheme, flow, seed=n, systems=R if noise is None else R // 5, noise=noise)
            for n, R in sizes.items()
        ]
        return slope(list(sizes), [gap.mean(axis=1) for gap in found])

    rate, se = measure()
    assert se < 0.015 and abs(rate + 0.5) < Z * se + 0.045

    def louder(xi):  # a wrong noise scale
        xi *= 1.5

    for wrong in (louder, lambda xi: np.copyto(xi, -np.abs(xi))):
        rate, se = measure(wrong)
        assert rate > -0.3 and rate - Z * se > -0.5 + 0.045

    gaps = []
    for n, R in sizes.items():

        def common(xi, n=n):  # one noise for all particles of a system
            systems = xi.reshape(-1, n)
            systems[:] = systems[:, :1].copy()

        gaps.append(propagation_gap(bed, n, scheme, flow, seed=n, systems=R // 5, noise=common).mean(axis=1))
    rate, se = slope(list(sizes), gaps)
    assert rate > -0.2 and rate - Z * se > -0.5 + 0.045


def test_rate_of_chaos_without_the_coupling():
    """A copy with noise of its own: the gap is the distance of two stable paths, whatever n."""
    scheme, bed, medians = Scheme(1.5, 1.0, 1.0, 0.1), Kuramoto(1.0), []
    flow = kuramoto_limit(scheme, 1.0)
    for n in (64, 1024):
        system = bed.system(bed.initial(n, seed=3))
        copy = bed.system(system.theta.copy())
        for k, (mine, other) in enumerate(zip(path(scheme, 1, n, 3), path(scheme, 1, n, 4), strict=True)):
            system.advance(system.average, mine, scheme.eta)
            copy.advance(flow[k : k + 1], other, scheme.eta)
        medians.append(np.median(np.abs(system.theta - copy.theta)))
    assert min(medians) > 1.0 and abs(math.log(medians[1] / medians[0]) / math.log(16)) < 0.3


def euler_samples(alpha, statistic, coarse_noise=None, replicas=12):
    bed, samples, steps = Kuramoto(1.0), [], [2.0**-j for j in range(3, 8)]
    for eta in steps:
        scheme = Scheme(alpha, 1.0, 1.0, eta)
        change = [None if coarse_noise is None else coarse_noise(scheme, r) for r in range(replicas)]
        seed = round(1 / eta)
        gaps = [euler_gap(bed, 500, scheme, 8, seed=seed, replica=r, coarse_noise=change[r]) for r in range(replicas)]
        samples.append(np.array([statistic(gap) for gap in gaps]))
    return slope(steps, samples)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_order_of_the_euler_error(alpha):
    """1 in the mean. The next term is smaller by eta: 1/8 at the largest step, 0.045 in the slope over a factor 16."""
    order, se = euler_samples(alpha, np.mean)
    assert se < 0.015 and abs(order - 1) < Z * se + 0.045

    def scaled(scheme, r):
        def change(k, total):
            total *= scheme.eta ** (0.5 - 1 / alpha)

        return change

    def redrawn(scheme, r):
        return scheme.path(1, 500, seed=round(1 / scheme.eta), replica=100 + r).fill

    for wrong in [redrawn] + [scaled] * (alpha < 2):
        order, se = euler_samples(alpha, np.median, wrong, replicas=6)
        assert order + Z * se < 1 - 0.045 and order < 0.5


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"n": 1}, "n must be a whole number >= 2, got 1"),
        ({"systems": 0}, "systems must be a whole number >= 1, got 0"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
        ({"limit": np.zeros((10, 2))}, "limit must have shape (11, 2), one row for each grid time, got (10, 2)"),
        ({"limit": np.zeros((11, 1))}, "limit must have shape (11, 2), one row for each grid time, got (11, 1)"),
        ({"limit": np.zeros(11)}, "limit must have shape (11, 2), one row for each grid time, got (11,)"),
        ({"limit": np.full((11, 2), np.nan)}, "limit must be finite, got 22 NaN or infinite value(s)"),
        ({"limit": None}, "limit must be an array of finite numbers, got dtype object"),
    ],
)
def test_bad_propagation(arguments, line):
    good = {"n": 10, "scheme": Scheme(1.5, eta=0.1), "limit": np.zeros((11, 2)), "seed": 1}
    gap = propagation_gap(Kuramoto(), **good)
    assert gap.shape == (1, 10) and np.array_equal(propagation_gap(Kuramoto(), **good | {"limit": [[0, 0]] * 11}), gap)
    with pytest.raises(ValueError) as error:
        propagation_gap(Kuramoto(), **(good | arguments))
    assert str(error.value) == line


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"n": 1}, "n must be a whole number >= 2, got 1"),
        ({"refine": 1}, "refine must be a whole number >= 2, got 1"),
        ({"refine": 2.5}, "refine must be a whole number >= 2, got 2.5"),
        ({"threads": -1}, "threads must be a whole number >= 1, got -1"),
        ({"refine": 2**40}, "eta must be at least T / 2^32 = 2.32831e-10, got 9.094947017729283e-14"),
    ],
)
def test_bad_euler(arguments, line):
    with pytest.raises(ValueError) as error:
        euler_gap(Kuramoto(), **({"n": 10, "scheme": Scheme(1.5, eta=0.1), "refine": 2, "seed": 1} | arguments))
    assert str(error.value) == line
