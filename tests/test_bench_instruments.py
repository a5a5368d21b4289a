"""bench_instruments.py, peers_instruments.py: the peers compute what ours computes, and the sections say so."""

import numpy as np
import pytest

from chaosnum import bench, bench_instruments, stable, tails, wasserstein_space
from chaosnum import peers_instruments as peers
from chaosnum.wasserstein import sliced, w1

ALPHA = bench.ALPHA
TINY = bench.Effort(rounds=1, seconds=1e-4, draws=500, law=3, pair=(30, 60), sliced=25, tails=(200,))


def result(peer):
    with peer.limits():
        return peer.run()


@pytest.mark.parametrize("which", ["pdf", "cdf", "sf"])
def test_stable_law(which):
    x = np.array([-3.0, 0.2, 5.0])
    ours = getattr(stable, which)(x, ALPHA)
    np.testing.assert_allclose(result(peers.scipy_law(which, x, ALPHA)), ours, rtol=1e-6)
    assert np.abs(ours / getattr(stable, which)(x, 1.4) - 1).min() > 1e-6


@pytest.mark.parametrize("make", [peers.numpy_w1, peers.scipy_w1, peers.pot_w1, peers.pot_emd2_1d])
def test_w1(make):
    x, y = (stable.rvs(ALPHA, 500, seed=seed) for seed in (1, 2))
    kept = x.copy()
    assert result(make(x, y)) == pytest.approx(w1(x, y), rel=1e-10)
    assert result(make(x, y + 0.1)) != pytest.approx(w1(x, y), rel=1e-10)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("make", [peers.numpy_sliced, peers.pot_sliced])
def test_sliced(make):
    X, Y = (stable.rvs(ALPHA, (4, 300), seed=seed) for seed in (3, 4))
    directions = wasserstein_space.uniform_directions(4, 30, 0)
    ours = sliced(X, Y, n_projections=30)
    assert result(make(X, Y, directions)) == pytest.approx(ours, rel=1e-10)
    assert result(make(X, Y, wasserstein_space.uniform_directions(4, 30, 1))) != pytest.approx(ours, rel=1e-10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:powerlaw")
@pytest.mark.parametrize("library, make", [("powerlaw", peers.powerlaw_index), ("tailestim", peers.tailestim_index)])
def test_tail_index(library, make):
    """Of Pareto draws, where every estimator is good: standard deviation alpha / sqrt(k), k of the order of 1e3."""
    pytest.importorskip(library)
    x = np.random.default_rng(5).random(1500) ** (-1 / ALPHA)
    found = result(make(x))
    assert abs(found - ALPHA) < 0.5 and abs(found - tails.fit(x).alpha) < 0.5


def test_sections():
    found = list(bench_instruments.sections(TINY))
    shown = [(section["title"], section["threads"]) for section in found]
    titles = [title for title, threads in shown if threads == 1]
    assert [title for title, threads in shown if threads == 2] == titles[3:4] * (bench.cores() > 1)
    assert titles == [
        "stable cdf, 3 points", "stable pdf, 3 points", "W_1 of two samples of 30", "W_1 of two samples of 60",
        "sliced W_1, n = 25, d = 10, 50 directions", "tail index of 200 draws, all estimators",
    ]  # fmt: skip
    for section in found:
        assert section["rows"][0]["name"] == "chaosnum"
        assert {row["status"] for row in section["rows"]} <= {"measured", "not installed"}
    rows = {row["name"]: row for row in found[2]["rows"]}
    assert rows["NumPy, two lines"]["target"] == 1.0 and rows["POT emd2_1d"]["target"] is None


def test_a_large_pair_has_the_targets(monkeypatch):
    monkeypatch.setattr(bench_instruments, "race_with", lambda *a: [
        {"name": name, "median": 1.0, "low": 1.0, "high": 1.0, "ratio": {"median": 7.0}}
        for name in ("SciPy wasserstein_distance", "POT emd2_1d")
    ])  # fmt: skip
    rows = bench_instruments._line(TINY, *np.zeros((2, 10**6)), 1)["rows"]
    assert [(row["target"], row["met"]) for row in rows] == [(20.0, False), (6.0, True)]


def test_figures():
    cdf, pdf, sf = bench_instruments.figures(TINY)
    assert cdf["unit"] == pdf["unit"] == "ns" and cdf["target"] == 1000.0
    assert sf["value"] == pytest.approx(stable.tail_constant(ALPHA) * 1e4**-ALPHA, rel=1e-3)
    assert "SciPy: 0;" in sf["detail"]
