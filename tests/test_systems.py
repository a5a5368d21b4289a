"""systems.py: noise drawn in pieces changes no bit and takes no room, whatever the number of steps."""

import tracemalloc

import numpy as np
import pytest
import ranked

from chaosnum import noise, systems
from chaosnum.kuramoto import Kuramoto
from chaosnum.linear import Linear
from chaosnum.particles import Scheme, simulate, start

BEDS = {"kuramoto": Kuramoto(1.7), "linear": Linear(0.6, 1.2, start=0.4), "network": ranked.small_network()}


@pytest.mark.parametrize("name", BEDS)
@pytest.mark.parametrize("n, many", [(300, 1), (40_000, 1), (70_001, 3), (513, 200), (3, 30_000)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_step_in_pieces_is_a_step(name, n, many, threads):
    """More and fewer particles than a piece, in one system and in many, of one block and of several."""
    if name == "network":
        n, many = n % 1999 + 2, 1
    scheme, bed = Scheme(1.4, 0.8, 1.0, 0.25), BEDS[name]
    states = [start(bed, n, many, 5, 0, threads) for _ in range(2)]
    path = scheme.path(bed.p, n * many, seed=5, threads=threads)
    for k in range(3):
        states[0].step(path, k, scheme.eta)
        states[1].advance(states[1].average, path.fill(k, np.empty((bed.p, n * many))), scheme.eta)
        assert np.array_equal(states[0].theta, states[1].theta)
        assert np.array_equal(states[0].average, states[1].average)
    states[0].step(path, 2, scheme.eta)  # partner: the noise of another step
    states[1].step(path, 3, scheme.eta)
    assert not np.any(states[0].theta == states[1].theta)


@pytest.mark.parametrize("name", ["kuramoto", "linear"])
def test_increments_come_in_any_shape_and_number(name):
    """Also as a column of a larger array; too few or too many are refused: kernels would read past their end."""
    rng = np.random.default_rng(4)
    theta, xi = rng.standard_normal((6, 1)), rng.standard_normal((6, 5))
    one, other = BEDS[name].system(theta.copy()), BEDS[name].system(theta.copy())
    one.advance(one.average, xi[:, :1], 0.1)
    other.advance(other.average, xi[:, 0].copy()[None], 0.1)
    assert np.array_equal(one.theta, other.theta) and not np.any(one.theta == theta)
    for wrong in (xi, xi[:5, :1]):
        with pytest.raises(ValueError, match="cannot reshape"):
            one.advance(one.average, wrong, 0.1)


def test_pieces_hold_few_particles(monkeypatch):
    sizes, piece = [], noise.Path.piece

    def watched(self, step, first, out):
        sizes.append(out.shape[1])
        return piece(self, step, first, out)

    monkeypatch.setattr(noise.Path, "piece", watched)
    for n, many in [(200_000, 1), (513, 400), (3, 100_000), (100_001, 4)]:
        sizes.clear()
        simulate(Kuramoto(), n, Scheme(1.5, eta=1.0), seed=1, systems=many, threads=1)
        assert sum(sizes) == n * many and max(sizes) <= systems.PIECE + 513
        assert len(sizes) < 2 + n * many / systems.PIECE + many


def peak(bed, n, steps, **options):
    """The most memory that the arrays of a run held at a time, in bytes."""
    scheme = Scheme(1.5, T=0.1 * steps, eta=0.1)
    tracemalloc.start()
    try:
        simulate(bed, n, scheme, seed=1, threads=1, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name, n, each, options",
    [
        ("kuramoto", 2_000_000, 24, {}),  # theta, its cosine and its sine
        ("kuramoto", 2_000_000, 12, {"dtype": "float32"}),
        ("linear", 2_000_000, 8, {}),
        ("network", 40_000, 2 * 8 * 4 + 8 * 8 / 64, {}),  # p = 4 weights and their noise, outputs for each block
    ],
)
def test_memory_does_not_grow_with_the_steps(name, n, each, options):
    bed = BEDS[name]
    simulate(bed, 5000, Scheme(1.5, eta=1.0), seed=1, threads=1, **options)  # kernels are compiled
    few, many = peak(bed, n, 2, **options), peak(bed, n, 12, **options)
    assert abs(many - few) < 20_000 < 8 * n * bed.p  # partner: the noise of a single step more
    fixed = 8 * (systems.PIECE + 10_000) + 32 * n / 512
    assert each * n <= many < each * n + fixed
