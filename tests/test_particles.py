"""particles.py: the same bits whatever the threads, and convergence in two halves.

The scheme converges to its own fine limit (test_coupling.py measures that order), and the limit it converges to is the
right one: on bed K the flow that `limit.py` knows to round-off, on bed L the exact stable law.
"""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import limit, linear, noise
from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.network import Network
from chaosnum.particles import Scheme, simulate
from chaosnum.threads import cores


def small_network(unit="tanh", loss="logistic", m=7, d=3):
    rng = np.random.default_rng(8)
    return Network(rng.standard_normal((m, d)), np.arange(m) % 2, unit=unit, loss=loss)


# ---------------------------------------------------------------- the scheme


@pytest.mark.parametrize("kind", noise.KINDS)
@pytest.mark.parametrize("alpha", [1.2, 2.0])
def test_a_run_agrees_with_the_loops(kind, alpha):
    """Errors of a step, some 1e-15 of the largest number in it, grow by exp(2 T) at most."""
    bed, steps, n = small_network(), 6, 70
    scheme = Scheme(alpha, 0.3, 1.2, 0.2, kind)
    xi = [
        noise.increments(kind, alpha, (bed.p, n), seed=3, replica=2, step=k, scale=0.3 * 0.2 ** (1 / alpha))
        for k in range(steps)
    ]
    twin, theta = naive.Network(bed.X, bed.y, "tanh", "logistic"), bed.initial(n, seed=3, replica=2)
    states, averages = naive.run(twin, theta, xi, 0.2)
    run = simulate(bed, n, scheme, seed=3, replica=2)
    tolerance = 1e-13 * (1 + np.abs(states).max())
    assert run.theta.shape == (bed.p, n) and run.average.shape == (steps + 1, bed.m)
    assert np.abs(run.theta - states[-1]).max() < tolerance and np.abs(run.average - averages).max() < tolerance
    # partners: the scale of Gaussian noise, and the noise of the next replica
    other = simulate(bed, n, Scheme(alpha, 0.3 * 0.2 ** (0.5 - 1 / alpha) * 1.01, 1.2, 0.2, kind), seed=3, replica=2)
    assert np.abs(other.theta - states[-1]).max() > 1e6 * tolerance
    assert not np.any(simulate(bed, n, scheme, seed=3, replica=3).theta == run.theta)


@pytest.mark.parametrize("n, systems", [(2, 1), (5, 3), (513, 2)])
def test_systems_side_by_side(n, systems):
    """System r is driven by the particle numbers r n, ..., r n + n - 1, and by its own average."""
    scheme, xi = Scheme(1.5, 0.7, 0.6, 0.2), []
    for k in range(3):
        xi.append(noise.increments("II", 1.5, (1, n * systems), seed=9, step=k, scale=0.7 * 0.2 ** (1 / 1.5)))
    beds = [(Kuramoto(1.4, sd=0.5), naive.Kuramoto(1.4)), (Linear(0.6, 1.2, start=0.4), naive.Linear(0.6, 1.2))]
    for bed, twin in beds:
        run = simulate(bed, n, scheme, seed=9, systems=systems)
        assert run.theta.shape == (systems, n) and run.average.shape[:2] == (4, systems)
        start = bed.initial(n, systems=systems, seed=9)
        for r in range(systems):
            mine = slice(r * n, (r + 1) * n)
            states, averages = naive.run(twin, start[r : r + 1], [x[:, mine] for x in xi], 0.2)
            tolerance = 1e-14 * (5 + np.abs(states).max())
            assert np.abs(run.theta[r] - states[-1][0]).max() < tolerance
            assert np.abs(run.average[:, r] - averages).max() < tolerance
            if systems > 1:  # partner: the neighbour's noise
                other = [np.roll(x, n)[:, mine] for x in xi]
                assert np.abs(run.theta[r] - naive.run(twin, start[r : r + 1], other, 0.2)[0][-1][0]).max() > 1e-3


# ---------------------------------------------------------------- the same bits

CASES = {  # enough blocks for three threads: of 512 particles on bed K, of 64 on bed N
    "kuramoto": (Kuramoto(2.0), 100_037, Scheme(1.3, 1.0, 0.4, 0.1)),
    "network": (small_network(), 1_230, Scheme(1.7, 1.0, 0.4, 0.1, "III")),
    "linear": (Linear(), 100_037, Scheme(1.3, 1.0, 0.4, 0.1)),
}


def digest(name, threads, seed=4):
    """A fingerprint of every bit of a run."""
    bed, n, scheme = CASES[name]
    run = simulate(bed, n, scheme, seed=seed, threads=threads)
    return hashlib.sha256(run.theta.tobytes() + run.average.tobytes()).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_any_number_of_threads(name, monkeypatch):
    from chaosnum import threads

    used, over_blocks = [], threads.over_blocks

    def watched(task, blocks, count, **options):
        over_blocks(lambda start, stop: used.append((start, stop)) or task(start, stop), blocks, count, **options)

    for module in ("systems", "network", "noise"):
        monkeypatch.setattr(f"chaosnum.{module}.over_blocks", watched)
    one = digest(name, 1)
    for count in (2, 3, cores(), None):
        used.clear()
        assert digest(name, count) == one, count
        if count == 3:  # the work was really cut
            assert max(start for start, _ in used) > 0 and len(set(used)) >= 3
    assert digest(name, 1, seed=5) != one


def test_same_bits_in_another_process():
    names = sorted(CASES)
    root, here = str(Path(__file__).parents[1]), str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, here]), "PYTHONHASHSEED": "77"}
    command = f"import test_particles as t; print([t.digest(name, 2) for name in {names}])"
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([digest(name, 1) for name in names])


# ---------------------------------------------------------------- the right limit


@pytest.mark.parametrize("alpha, K, sigma", [(1.2, 1.0, 1.0), (1.5, 3.0, 0.8), (2.0, 2.0, 0.7)])
def test_bed_k_follows_its_limit_flow(alpha, K, sigma):
    """The average of R systems of n particles: normal, sd measured over the systems, bias of order 1/n far below."""
    n, R, eta, steps = 4000, 64, 0.2, 5
    run = simulate(Kuramoto(K), n, Scheme(alpha, sigma, 1.0, eta), seed=21, systems=R)
    spread = run.average.std(axis=1, ddof=1) / math.sqrt(R)
    assert np.all(spread < 3 / math.sqrt(n * R))  # the tolerance is a tolerance
    comparisons = 2 * (steps + 1)
    bound = stats.t.isf(goodness.FALSE_ALARM / 2 / comparisons, R - 1)

    def far(flow):
        return (np.abs(run.average.mean(axis=1) - np.column_stack(flow)) / spread).max()

    assert far(limit.kuramoto_euler_flow(alpha, sigma, K, eta, steps)) < bound
    # partners: the flow of the continuous equation, of a larger coupling and of a larger noise
    times = eta * np.arange(steps + 1)
    assert far(limit.kuramoto_flow(times, alpha, sigma, K)) > bound
    assert far(limit.kuramoto_euler_flow(alpha, sigma, 1.1 * K, eta, steps)) > bound
    assert far(limit.kuramoto_euler_flow(alpha, 1.1 * sigma, K, eta, steps)) > bound


def test_bed_k_reaches_the_continuous_flow():
    """The other half: with a step of 1/256 the scheme's own bias is below the noise of half a million particles."""
    n, R, K, alpha = 8000, 64, 2.0, 1.5
    scheme = Scheme(alpha, 1.0, 1.0, 2.0**-8)
    run = simulate(Kuramoto(K), n, scheme, seed=22, systems=R)
    truth = np.array(limit.kuramoto_flow(1.0, alpha, 1.0, K))
    ours = np.array(limit.kuramoto_euler_flow(alpha, 1.0, K, scheme.eta, scheme.steps))[:, -1]
    spread = run.average[-1].std(axis=0, ddof=1) / math.sqrt(R)
    assert np.abs(ours - truth).max() < 5 * spread.max()
    bound = stats.t.isf(goodness.FALSE_ALARM / 4, R - 1) * spread + np.abs(ours - truth)
    assert np.all(np.abs(run.average[-1].mean(axis=0) - truth) < bound)
    coarse = np.array(limit.kuramoto_euler_flow(alpha, 1.0, K, 0.125, 8))[:, -1]
    assert np.any(np.abs(run.average[-1].mean(axis=0) - coarse) > bound)  # partner: a coarse step


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_bed_l_has_its_exact_law(alpha):
    """One particle of each of 100 000 systems of 4: its noises have known weights, so theta_T is exactly stable."""
    n, systems, lam, chi, eta, steps = 4, 100_000, 0.5, 1.5, 0.25, 4
    run = simulate(Linear(lam, chi, start=0.3), n, Scheme(alpha, 0.8, 1.0, eta), seed=23, systems=systems)
    x = run.theta[:, 0] - 0.3 * (1 - lam * eta) ** steps
    j = np.arange(steps)
    own, mean = (1 - (lam + chi) * eta) ** j, (1 - lam * eta) ** j
    weights = np.concatenate([own + (mean - own) / n, *[(mean - own) / n] * (n - 1)])
    scale = 0.8 * (eta * (np.abs(weights) ** alpha).sum()) ** (1 / alpha)
    partners = [
        linear.marginal_scale_euler(steps, eta, alpha, 0.8, lam, chi),  # of a particle of the limit
        linear.marginal_scale(1.0, alpha, 0.8, lam, chi),  # of the continuous equation
        scale * eta ** (1 / 2 - 1 / alpha) if alpha < 2 else 1.03 * scale,  # Gaussian scaling of the noise
    ]
    k = goodness.frequencies(alpha) / scale
    assert goodness.chi_square(x[None], goodness.sas(alpha, scale), k) < goodness.critical(k)
    for wrong in partners:
        phi = goodness.sas(alpha, wrong)
        assert goodness.miss(goodness.sas(alpha, scale), phi, k, systems) < goodness.FALSE_ALARM
        assert goodness.chi_square(x[None], phi, k) > goodness.critical(k)


# ---------------------------------------------------------------- parameters


def test_steps():
    assert Scheme(1.5, T=1.0, eta=0.1).steps == 10
    assert Scheme(1.5, T=0.3, eta=0.1).steps == 3  # 0.3 / 0.1 is not 3 in binary
    assert Scheme(1.5, T=2, eta=2).steps == 1
    assert Scheme(1.5, T=1.0, eta=1 / 3).steps == 3
    fine = Scheme(1.3, 2.0, 1.0, 0.1, "I").refined(7)
    assert (fine.steps, fine.alpha, fine.sigma, fine.T, fine.noise) == (70, 1.3, 2.0, 1.0, "I")


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"alpha": 0}, "alpha must lie in (0, 2], got 0.0"),
        ({"alpha": 2.1}, "alpha must lie in (0, 2], got 2.1"),
        ({"alpha": math.nan}, "alpha must lie in (0, 2], got nan"),
        ({"alpha": "1.5"}, "alpha must lie in (0, 2], got '1.5'"),
        ({"sigma": 0}, "sigma must lie in (0, inf), got 0.0"),
        ({"sigma": math.inf}, "sigma must lie in (0, inf), got inf"),
        ({"T": -1}, "T must lie in (0, inf), got -1.0"),
        ({"eta": 0}, "eta must lie in (0, inf), got 0.0"),
        ({"eta": -0.1}, "eta must lie in (0, inf), got -0.1"),
        ({"eta": 0.3}, "eta must divide T = 1 into whole steps, got 0.3"),
        ({"eta": 2.0}, "eta must divide T = 1 into whole steps, got 2.0"),
        ({"eta": 1.0 + 1e-6}, "eta must divide T = 1 into whole steps, got 1.000001"),
        ({"eta": 1e-12}, "eta must be at least T / 2^32 = 2.32831e-10, got 1e-12"),
        ({"eta": 5e-324}, "eta must be at least T / 2^32 = 2.32831e-10, got 5e-324"),  # T / eta overflows
        ({"noise": "IV"}, "noise must be one of I, II, III, III-paper, got 'IV'"),
    ],
)
def test_bad_scheme(arguments, line):
    with pytest.raises(ValueError) as error:
        Scheme(**({"alpha": 1.5} | arguments))
    assert str(error.value) == line


@pytest.mark.parametrize(
    "arguments, line",
    [
        ({"n": 1}, "n must be a whole number >= 2, got 1"),
        ({"n": 2.5}, "n must be a whole number >= 2, got 2.5"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
        ({"systems": 0}, "systems must be a whole number >= 1, got 0"),
        ({"seed": -1}, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ({"seed": 1.0}, "seed must be a whole number in [0, 2^64 - 1], got 1.0"),
        ({"replica": 2**28}, "replica must be a whole number in [0, 268435455], got 268435456"),
    ],
)
@pytest.mark.parametrize("bed", [Kuramoto(), Linear()])
def test_bad_run(bed, arguments, line):
    with pytest.raises(ValueError) as error:
        simulate(bed, **({"n": 10, "scheme": Scheme(1.5), "seed": 1} | arguments))
    assert str(error.value) == line


def test_defaults_are_all_cores():
    run = simulate(Kuramoto(), 1e3, Scheme(1.5, eta=0.5), seed=0)
    assert run.theta.shape == (1, 1000) and run.average.shape == (3, 1, 2)
