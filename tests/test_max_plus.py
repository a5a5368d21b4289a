"""Run time: the max-plus recursion against a loop, its order on every path, closed forms, and what is refused."""

import numpy as np
import pytest
from scipy import integrate, stats

from chaosnum import max_plus


def by_loops(method, c, comm, tau):
    """End of the last round, worker by worker."""
    m, count = c.shape
    t, arrived = [0.0] * m, 0.0
    for k in range(count // tau * tau):
        t = [t[i] + c[i, k] for i in range(m)]
        ended = (k + 1) % tau == 0
        if method == "sync" or (ended and method == "local"):
            t = [max(t) + comm] * m
        elif ended:
            t = [max(ti, arrived) for ti in t]
            arrived = max(t) + comm
    return max(t)


@pytest.mark.parametrize("method", max_plus.METHODS)
@pytest.mark.parametrize("tau, comm", [(1, 0.0), (1, 2.0), (3, 0.5), (3, 9.0)])
def test_twin(method, tau, comm):
    c = np.random.default_rng(tau).exponential(size=(2, 4, 14))
    found = max_plus.times(method, c, comm, tau)
    assert found.shape == (2, 14 // tau) and (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_allclose(found[:, -1], [by_loops(method, x, comm, tau) for x in c])


def test_order_on_every_path():
    rng = np.random.default_rng(0)
    for sample in (max_plus.exponential(), max_plus.stragglers(), max_plus.slow_worker(jitter=0.5)):
        for tau, comm in ((1, 0.346), (8, 0.346), (8, 20.0)):
            c = sample(rng, 6, 40)
            sync, local, overlap = (max_plus.times(m, c, comm, tau) for m in ("sync", "local", "overlap"))
            assert (overlap <= local).all() and (local[-1] <= sync[-1] * (1 + 1e-12))
            least = max(c.sum(axis=1).max(), comm * (len(overlap) - 1))
            assert overlap[-1] >= least * (1 - 1e-12)


def test_deterministic_times():
    c = np.ones((5, 960))
    for tau in (1, 3, 4, 8):
        for comm in (0.346, 3.5, 8.0):
            for method in max_plus.METHODS:
                found = max_plus.per_iteration(method, c, comm, tau, skip=30)
                assert found == pytest.approx(max_plus.deterministic(method, 1.0, comm, tau))
    slow = max_plus.slow_worker(2.0)(None, 5, 96)
    assert max_plus.per_iteration("overlap", slow, 0.346, 8) == 2.0
    assert max_plus.per_iteration("local", slow, 0.346, 8) == pytest.approx(2.0 + 0.346 / 8)


def test_closed_forms():
    assert max_plus.harmonic(16) == pytest.approx(3.380729, abs=1e-6)
    for m, tau in ((4, 3), (16, 8)):
        largest = integrate.quad(lambda s, m=m, tau=tau: 1 - stats.gamma.cdf(s, tau) ** m, 0, 90, limit=500)[0]
        assert max_plus.blocking_exponential(m, 0.5, tau, 2.0) == pytest.approx((2 * largest + 0.5) / tau, rel=1e-8)
    near_one = max_plus.blocking_exponential(16, 0.0, 1, 3.0)
    assert near_one == pytest.approx(3.0 * max_plus.harmonic(16))
    mean = integrate.quad(lambda s: max(s, 3.0) * stats.gamma.pdf(s, 4), 0, 90, points=[3.0])[0]
    assert max_plus.alone_exponential(3.0, 4) == pytest.approx(mean / 4, rel=1e-7)
    c = max_plus.exponential()(np.random.default_rng(4), 1, 400_000)
    assert max_plus.per_iteration("overlap", c, 3.0, 4) == pytest.approx(mean / 4, rel=5e-3)  # five standard errors
    c = max_plus.exponential(2.0)(np.random.default_rng(4), 16, 80_000)
    predicted = max_plus.blocking_exponential(16, 0.3, 8, 2.0)
    assert max_plus.per_iteration("local", c, 0.3, 8) == pytest.approx(predicted, rel=5e-3)


@pytest.mark.parametrize("comm", [0.0, 0.5, 2.0])
def test_overlap_with_exponential_steps(comm):
    """The chain of late workers: one and two workers in closed form, more by a simulation."""
    q = np.exp(-comm)
    none = (1 - q) * (1 - q / 2) / (1 + q * (1 - q) / 2)
    two = comm + q * (1 + (1 + none) / 2 * (1 - q / 2))
    assert max_plus.overlapped_exponential(2, comm) == pytest.approx(two, rel=1e-12)
    alone = max_plus.alone_exponential(2 * comm, 1, 2.0)
    assert max_plus.overlapped_exponential(1, 2 * comm, 2.0) == pytest.approx(alone)
    for m in (2, 5):
        c = np.random.default_rng(m).standard_exponential((100, m, 1050))
        found = max_plus.per_iteration("overlap", c, comm, 1, skip=50)
        assert abs(found.mean() - max_plus.overlapped_exponential(m, comm)) < 5 * found.std() / 10
    assert max_plus.overlapped_exponential(8, comm) < max_plus.blocking_exponential(8, comm, 1)  # partner
    with pytest.raises(ValueError, match="workers must"):
        max_plus.overlapped_exponential(0, comm)


def test_what_is_refused():
    good = np.ones((2, 4))
    bad = [
        (("sync", good[0], 1.0, 1), "compute must have shape"), (("sync", -good, 1.0, 1), "times >= 0"),
        (("sync", good * np.nan, 1.0, 1), "finite"), (("local", good, 1.0, 5), "must hold a round"),
        (("local", good, -1.0, 1), "comm must"), (("local", good, 1.0, 0), "tau must"),
        (("easgd", good, 1.0, 1), "method must"), (("local", np.ones((0, 4)), 1.0, 1), "compute must have shape"),
    ]  # fmt: skip
    for arguments, words in bad:
        with pytest.raises(ValueError, match=words):
            max_plus.times(*arguments)
    with pytest.raises(ValueError, match="skip must"):
        max_plus.per_iteration("local", good, 1.0, 2, skip=2)
    for make, value in ((max_plus.exponential, 0.0), (max_plus.stragglers, 1.5), (max_plus.slow_worker, -1.0)):
        with pytest.raises(ValueError, match="must lie in"):
            make(value)
