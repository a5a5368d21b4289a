"""minibatch.py: every epoch is a uniform permutation cut into batches, and a batch is a function of seed and step."""

import math
from itertools import permutations

import goodness
import naive
import numpy as np
import pytest
from scipy import stats

from chaosnum import mlp, noise
from chaosnum.minibatch import Minibatches


@pytest.mark.parametrize("m, batch", [(1, 1), (2, 1), (7, 2), (7, 3), (7, 4), (7, 6), (60, 20), (1000, 33)])
def test_an_epoch_is_a_permutation_cut_into_batches(m, batch):
    batches, count = Minibatches(m, batch, seed=3), m // batch
    left_out = []
    for epoch in range(3):
        found = [batches.rows(step) for step in range(epoch * count, (epoch + 1) * count)]
        if batch == m:
            assert found == [None]
            continue
        assert all(rows.shape == (batch,) and rows.dtype == np.int64 for rows in found)
        seen = np.concatenate(found)
        assert len(set(seen.tolist())) == count * batch and seen.min() >= 0 and seen.max() < m
        left_out.append(sorted(set(range(m)) - set(seen.tolist())))
    if m == 1000:  # the ten rows that sit an epoch out are others each time
        assert len(left_out[0]) == 10 and left_out[0] != left_out[1] != left_out[2]


def test_the_whole_set_keeps_its_order():
    for batch in (None, 7, 7.0):
        batches = Minibatches(7, batch, seed=0)
        assert batches.batch == 7 and batches.rows(0) is None and batches.rows(2**32 - 1) is None


@pytest.mark.parametrize("seed", [0, 5, 2**32, 2**64 - 1, np.uint64(2**64 - 1)])
def test_agrees_with_the_loops(seed):
    for m, b, steps in [(9, 2, (0, 3, 4, 1000)), (50, 7, (6, 7)), (4, 1, (2**32 - 1,)), (3, 2, (2**32 - 1,))]:
        for step in steps:
            found = Minibatches(m, b, seed=seed).rows(step)
            assert found.tolist() == naive.batch(m, b, seed=int(seed), step=step)


def test_any_order_of_asking_gives_the_same_batches():
    """A run that goes on from a checkpoint asks for the middle of an epoch first."""
    steps = [0, 1, 2, 3, 4, 5, 6, 7, 100, 7, 3, 101, 0]
    one = Minibatches(11, 3, seed=8)
    for step, rows in [(step, one.rows(step).copy()) for step in steps]:
        assert np.array_equal(Minibatches(11, 3, seed=8).rows(step), rows)
    other, epochs = Minibatches(1000, 10, seed=9), Minibatches(1000, 10, seed=8)
    assert not np.array_equal(other.rows(0), epochs.rows(0))
    assert not np.array_equal(epochs.rows(0), epochs.rows(100))


def orders(m, epochs, seed):
    """The orders of some epochs as numbers below m!, and their list."""
    number = {order: i for i, order in enumerate(permutations(range(m)))}
    batches = Minibatches(m, 1, seed=seed)
    found = np.array([batches.rows(step)[0] for step in range(m * epochs)]).reshape(epochs, m)
    return np.array([number[tuple(order)] for order in found.tolist()]), found


def statistic(found, cells):
    """Chi-square of numbers that should be uniform below `cells`, in units of its critical value."""
    counts = np.bincount(found, minlength=cells)
    return stats.chisquare(counts).statistic / stats.chi2.isf(goodness.FALSE_ALARM, cells - 1)


def test_orders_are_uniform_and_epochs_independent():
    """All 24 orders of four rows are equally likely, and so are all pairs of successive ones.

    Partners: the shuffle that exchanges each row with any other, whose orders have the probabilities k / 4^4, and
    batches drawn with replacement.
    """
    numbers, found = orders(4, 6000, seed=12)
    assert statistic(numbers, 24) < 1
    assert statistic(24 * numbers[:-1:2] + numbers[1::2], 576) < 1
    for row in range(4):
        assert statistic(found[:, row], 4) < 1
    rng, naively = np.random.default_rng(1), np.tile(np.arange(4), (6000, 1))
    for i in range(4):
        j = rng.integers(0, 4, 6000)
        at = np.arange(6000)
        naively[at, i], naively[at, j] = naively[at, j], naively[at, i].copy()
    number = {order: i for i, order in enumerate(permutations(range(4)))}
    assert statistic(np.array([number[tuple(order)] for order in naively.tolist()]), 24) > 1
    assert any(len(set(rows)) < 4 for rows in rng.integers(0, 4, (100, 4)).tolist())
    assert statistic(24 * numbers[:-1:2] + numbers[:-1:2], 576) > 1  # every epoch like the one before


def test_batches_of_other_seeds_noise_and_initial_weights_are_independent():
    """Rows' places in an epoch against the uniforms that noise and weights are made of, at the same numbers."""
    m = 20_000

    def places(seed, epoch=0):
        batches = Minibatches(m, 1, seed=seed)
        batches.rows(epoch * m)
        return np.argsort(batches._order) / m

    x = places(4)
    network = mlp.MLP(1, m, 2, dtype="float64")
    others = [places(5), places(4, 1), places(4 + 2**32), mlp.initial(network, seed=4)[0][0]]
    others += [np.sign(noise.increments("II", 1.5, m, seed=4, step=step)) for step in (0, 1)]
    others += [np.cos(noise.increments("II", 1.5, m, seed=4, step=0))]
    bound = stats.norm.isf(goodness.FALSE_ALARM / 2) / math.sqrt(m)
    assert [abs(np.corrcoef(x, y)[0, 1]) < bound for y in others] == [True] * len(others)
    assert np.corrcoef(x, places(4))[0, 1] > bound


@pytest.mark.parametrize(
    "arguments, line",
    [
        ((0, None), "m must be a whole number in [1, 4294967295], got 0"),
        ((2**32, None), "m must be a whole number in [1, 4294967295], got 4294967296"),
        ((5, 6), "batch must be a whole number in [1, 5], got 6"),
        ((5, 0), "batch must be a whole number in [1, 5], got 0"),
        ((5, 2.5), "batch must be a whole number in [1, 5], got 2.5"),
        ((5, "2"), "batch must be a whole number in [1, 5], got '2'"),
        ((5, 2, -1), "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ((5, 2, 2**64), "seed must be a whole number in [0, 2^64 - 1], got 18446744073709551616"),
    ],
)
def test_bad_arguments(arguments, line):
    m, batch, *seed = arguments
    with pytest.raises(ValueError) as error:
        Minibatches(m, batch, seed=seed[0] if seed else 0)
    assert str(error.value) == line


@pytest.mark.parametrize("step", [-1, 2**32, 0.5, None])
@pytest.mark.parametrize("batch", [2, None])
def test_bad_steps(step, batch):
    with pytest.raises(ValueError) as error:
        Minibatches(5, batch, seed=0).rows(step)
    assert str(error.value) == f"step must be a whole number in [0, 4294967295], got {step!r}"
