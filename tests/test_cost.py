"""cost.py: the model's arithmetic, and measurements on real ranks."""

import pytest

from chaosnum import cost, ranks

COST = cost.Cost(particle_step=1e-8, particle_bytes=24.0, process_bytes=2e8, latency=5e-6, byte=1e-9)


def test_a_billion_particles():
    n = 2**30
    p = COST.predict(n, 64)
    assert p.message == 64 * 16 and p.exchange == pytest.approx(6 * 5e-6 + 1024e-9)
    assert p.seconds == pytest.approx(n / 64 * 1e-8 + p.exchange) and p.bytes == pytest.approx(2e8 + 24 * n / 64)
    assert COST.predict(n, 64, threads=4).seconds - p.exchange == pytest.approx(n / 256 * 1e-8)
    slow = cost.Cost(1e-8, 24.0, 2e8, p.break_even, 0.0).predict(n, 64)
    assert slow.exchange / slow.seconds == pytest.approx(0.1)


def test_one_rank_exchanges_nothing():
    p = COST.predict(10**6, 1)
    assert p.exchange == 0.0 and p.seconds == pytest.approx(1e-2) and p.break_even == float("inf")


@pytest.mark.parametrize("size", [3, 7, 60, 63, 65, 960])
def test_numbers_of_ranks_that_are_no_power_of_two(size):
    """The largest share is a rank's mean share within 3 %, and messages stay small."""
    n = 10**9
    p = COST.predict(n, size)
    assert 1.0 <= (p.seconds - p.exchange) / (n / size * 1e-8) < 1.04
    division = ranks.Division(n, 512, size)
    assert p.message == 16 * sum(map(len, division.nodes)) <= 16 * 12 * size


def test_exchange_and_steps_on_real_ranks():
    one, two = cost.exchange(1, calls=50), cost.exchange(2, doubles=24, calls=50)
    assert 0 < one["low"] <= one["median"] <= one["high"] and 0 < two["low"] <= two["median"] <= two["high"] < 10
    took = cost.step(50_000, 2, steps=3, dtype="float32")
    assert 0 < took["low"] <= took["median"] <= took["high"] and len(took["bytes"]) == 2


def test_without_mpiexec(monkeypatch):
    monkeypatch.setattr(cost, "launcher", lambda: None)
    with pytest.raises(FileNotFoundError, match="mpiexec or mpi4py is missing: pip install"):
        cost.exchange(2)
