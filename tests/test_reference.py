"""reference.py: the limit flow of bed N has the error it states, is computed once, and has no step-size bias."""

import threading
import time

import numpy as np
import pytest

from chaosnum import reference
from chaosnum.network import Network
from chaosnum.particles import Scheme, simulate
from chaosnum.reference import limit_flow

SCHEME = Scheme(1.5, 1.0, 1.0, 0.25)


def network(seed=8):
    rng = np.random.default_rng(seed)
    return Network(rng.standard_normal((6, 3)), np.arange(6) % 2)


def rms(x):
    return float(np.sqrt(np.mean(np.square(x))))


def test_the_stated_error_is_the_actual_error():
    """Against 200 times the particles, over 60 references: factor 1.5 between the two root mean squares.

    Entries of one flow move together: the square of a stated error has a relative deviation of 0.7, as chi-square with
    4 degrees of freedom, and of an actual one 0.5. Over 60 seeds the ratio of their means is then known to 0.11, that
    of the roots to 0.055, and 1.5 is seven deviations off.
    """
    bed, n = network(), 400
    truth = limit_flow(bed, SCHEME, 200 * n, seed=99)
    stated, actual, halves = [], [], []
    for seed in range(60):
        found = limit_flow(bed, SCHEME, n, seed=seed)
        stated.append(found.error)
        actual.append(rms(found.average - truth.average))
        halves.append(rms(simulate(bed, n // 2, SCHEME, seed=seed).average - truth.average))
    assert 1 / 1.5 < rms(stated) / rms(actual) < 1.5
    assert all(0.25 < s / a < 4.0 for s, a in zip(stated, actual))
    # partner: the difference of the halves, not halved
    assert 2 * rms(stated) / rms(actual) > 1.5
    # both halves are in the mean: it is better than one of them by sqrt(2)
    assert 1.2 < rms(halves) / rms(actual) < 1.7
    assert truth.error < 0.15 * rms(stated)


def test_it_is_the_mean_of_two_independent_systems():
    bed = network()
    found = limit_flow(bed, SCHEME, 301, seed=5)
    one, two = (simulate(bed, 150, SCHEME, seed=5, replica=r).average for r in (0, 1))
    assert np.array_equal(found.average, (one + two) / 2) and found.average.shape == (5, 6)
    assert found.error == pytest.approx(rms(one - two) / 2, rel=1e-14)
    assert not np.any(one == two)


def test_it_depends_on_its_arguments():
    bed = network()
    base = limit_flow(bed, SCHEME, 1200, seed=1).average
    others = [
        limit_flow(network(9), SCHEME, 1200, seed=1),
        limit_flow(bed, Scheme(1.5, 1.1, 1.0, 0.25), 1200, seed=1),
        limit_flow(bed, Scheme(1.5, 1.0, 1.0, 0.25, "I"), 1200, seed=1),
        limit_flow(bed, SCHEME, 1204, seed=1),
        limit_flow(bed, SCHEME, 1200, seed=2),
    ]
    assert not any(np.array_equal(other.average, base) for other in others)


def test_no_step_size_bias():
    """The flow is that of the scheme at hand: on a coarse grid it differs from a fine grid's by more than the noise."""
    X = network().X
    bed = Network(3.0 * X, np.arange(6) % 2, unit_norm=False, sd=0.2)  # a strong drift
    coarse, fine = (limit_flow(bed, Scheme(2.0, 0.2, 4.0, eta), 40_000, seed=1) for eta in (2.0, 0.25))
    gap = rms(coarse.average - fine.average[::8])
    assert gap > 5 * (coarse.error + fine.error)
    again = limit_flow(bed, Scheme(2.0, 0.2, 4.0, 2.0), 40_000, seed=2)
    assert rms(coarse.average - again.average) < 5 * (coarse.error + again.error)


def test_kept_and_read_only():
    bed = network()
    first = limit_flow(bed, SCHEME, 500, seed=3)
    assert limit_flow(bed, Scheme(1.5, 1.0, 1.0, 0.25), 500, seed=3) is first
    with pytest.raises(ValueError):
        first.average[0] = 0.0
    assert limit_flow(network(), SCHEME, 500, seed=3) is not first  # another object with the same data


def test_two_threads_compute_it_once(monkeypatch):
    calls, bed = [], network()

    def slow(*args, **kwargs):
        calls.append(threading.get_ident())
        time.sleep(0.05)
        return simulate(*args, **kwargs)

    monkeypatch.setattr(reference, "simulate", slow)
    found, gate = [], threading.Barrier(4)

    def ask():
        gate.wait()
        found.append(limit_flow(bed, SCHEME, 700, seed=4))

    workers = [threading.Thread(target=ask) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(calls) == 2 and len(set(calls)) == 1  # two halves, by the thread that came first
    assert len(found) == 4 and all(other is found[0] for other in found)
    # partner: without the lock the others compute it too
    reference._limit_flow.cache_clear()
    calls.clear()
    others = [threading.Thread(target=reference._limit_flow, args=(bed, SCHEME, 700, 4)) for _ in range(4)]
    for worker in others:
        worker.start()
    for worker in others:
        worker.join()
    assert len(calls) > 2


@pytest.mark.parametrize("n", [3, 1, 0, 10.5, "100", None])
def test_bad_input(n):
    with pytest.raises(ValueError) as error:
        limit_flow(network(), SCHEME, n, seed=1)
    assert str(error.value) == f"n must be a whole number >= 4, got {n!r}"
