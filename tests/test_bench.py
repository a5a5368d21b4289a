"""bench.py, race.py, footprint.py: what is timed is the same task for everybody, and the table says what was found."""

import io
import itertools
import json
import math
import os
import platform
import re
import sys

import naive
import numpy as np
import pytest

from chaosnum import bench, cli, footprint, peers, peers_optional
from chaosnum.race import Peer, race, ready

TINY = bench.Effort(
    rounds=2, seconds=1e-3, draws=2000, kuramoto=600, network=80, sgd=30, data=12, memory=2000,
    law=5, pair=(50, 70), sliced=40, tails=(300,), starts=False,
)  # fmt: skip
ALPHA = bench.ALPHA
OPTIONAL = ("PyTorch", "torch.compile", "jax.jit")


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("torch", "jax", "powerlaw", "tailestim"):  # not installed: their imports fail
            patch.setitem(sys.modules, name, None)
        patch.setattr(peers, "fastest_form", lambda alpha, threads=1: ("half angles", 4096, True))
        return bench.measure(TINY)


# ---- the peers do the task they are compared in ----


@pytest.mark.parametrize("form", peers.FORMS)
@pytest.mark.parametrize("alpha", [1.0, 1.2, 1.5, 1.9, 2.0])
def test_numpy_forms_are_the_textbook_formula(form, alpha):
    rng = np.random.default_rng(7)
    u, w = rng.uniform(-0.499, 0.499, 500), rng.exponential(size=500)
    angle = np.sign(u) * np.pi * (0.5 - np.abs(u)) if form == "polynomials" else np.pi * u  # fine where |U| is largest
    ref = naive.sas(alpha, angle, w)
    comp = np.empty(500)
    peers.FORMS[form](alpha, u.copy(), w.copy(), *np.empty((3, 500)), comp)
    np.testing.assert_allclose(comp, ref, rtol=1e-11)


def makers_of_draws():
    yield "scipy", peers.scipy_draws
    yield "textbook", peers.textbook_draws
    yield "numba", peers.numba_draws
    for choice in itertools.product(peers.FORMS, (256,), (True, False)):
        yield " ".join(map(str, choice)), lambda alpha, n, choice=choice: _sampler(alpha, n, choice)
    yield "torch", peers_optional.torch_draws
    yield "jax", peers_optional.jax_draws


def _sampler(alpha, n, choice):
    sampler = peers.BlockSampler(alpha, *choice)
    return Peer(lambda: sampler.fill(np.empty(n)), state=None)


@pytest.mark.parametrize("name, make", list(makers_of_draws()), ids=lambda x: x if isinstance(x, str) else "")
def test_draws_of_the_peers_are_standard_stable(name, make):
    if name in ("torch", "jax"):
        pytest.importorskip(name)
    n = 40_000
    peer = make(ALPHA, n)
    with peer.limits():
        x = peer.state() if peer.run() is None and peer.state else peer.run()
    x = np.asarray(x)
    assert x.shape == (n,) and x.dtype == np.float64
    k = np.array([0.3, 1.0, 2.0])
    gap = np.abs(np.cos(np.outer(k, x)).mean(axis=1) - np.exp(-(k**ALPHA)))
    # Hoeffding: a mean of n values in [-1, 1] is off by more than this with probability below 2e-9.
    assert np.all(gap < math.sqrt(2 * math.log(1e9) / n))
    assert abs(np.mean(x > 0) - 0.5) < math.sqrt(math.log(1e9) / (2 * n))


def kuramoto_drift(theta):
    c, s = np.cos(theta), np.sin(theta)
    return theta + peers.ETA * peers.COUPLING * (s.mean() * c - c.mean() * s)


def network_drift(bed, theta):
    inputs = np.column_stack([bed.X, np.ones(bed.m)])
    h = np.tanh(inputs @ theta)
    slopes = -bed.y / (1.0 + np.exp(bed.y * h.mean(axis=1)))
    return theta - peers.ETA / bed.m * inputs.T @ (slopes[:, None] * (1.0 - h * h))


@pytest.mark.parametrize("bed", ["kuramoto", "network"])
@pytest.mark.parametrize("library, threads", [("numpy", 1), ("numpy", 2), ("torch", 1), ("jax", 1)])
def test_steps_of_the_peers_are_ours_without_noise(bed, library, threads, monkeypatch):
    if library != "numpy":
        pytest.importorskip(library)
    monkeypatch.setattr(peers, "fastest_form", lambda alpha, threads=1: ("half angles", 4096, True))
    for module in (peers, peers_optional):
        monkeypatch.setattr(module, "SIGMA", 0.0)
    make = getattr(peers if library == "numpy" else peers_optional, f"{library}_{bed}")
    data = bench.network_bed(12)
    peer = make(ALPHA, 9000, threads) if bed == "kuramoto" else make(ALPHA, data.X, data.y, 700, threads)
    with peer.limits():
        for _ in range(3):
            before = np.array(peer.state())
            peer.run()
            ref = kuramoto_drift(before) if bed == "kuramoto" else network_drift(data, before)
            np.testing.assert_allclose(peer.state(), ref, rtol=1e-9, atol=1e-12)


def test_our_steps_are_the_scheme_with_noise():
    from chaosnum.particles import Scheme, simulate

    peer = bench.our_steps(bench.Kuramoto(), 500, 1)
    for _ in range(3):
        peer.run()
    scheme = Scheme(ALPHA, sigma=peers.SIGMA, eta=peers.ETA, T=3 * peers.ETA)
    np.testing.assert_array_equal(peer.state(), simulate(bench.Kuramoto(), 500, scheme, seed=1).theta)


def test_fastest_form_is_one_that_can_be_made():
    choice = peers.fastest_form(ALPHA, 2, trials=1, n=500)
    assert np.isfinite(peers.BlockSampler(ALPHA, *choice).fill(np.empty(10_000))).all()


def test_cores_are_given_back():
    if not hasattr(os, "sched_getaffinity") or not os.path.isdir("/proc/self/task"):
        pytest.skip("no affinity on this system")
    before = os.sched_getaffinity(0)
    with peers_optional.on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


# ---- timing ----


class Clock:
    """A clock that the tasks themselves advance."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def peer(self, name, seconds):
        def run():
            self.now += seconds
            self.log.append(name)

        return lambda: Peer(run)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("chaosnum.race.time.perf_counter", lambda: clock.now)
    return clock


def test_race_alternates_and_compares(clock):
    others = {"slow": clock.peer("slow", 0.5), "fast": clock.peer("fast", 0.01)}
    ours, slow, fast = race(clock.peer("ours", 0.1), others, 10.0, rounds=3, seconds=0.2)
    assert (ours["median"], slow["median"], fast["median"]) == pytest.approx((100.0, 20.0, 1000.0))
    assert slow["ratio"] == pytest.approx({"median": 5.0, "low": 5.0, "high": 5.0})
    assert fast["ratio"]["median"] == pytest.approx(0.1)
    runs = [name for name, _ in itertools.groupby(clock.log)]
    assert runs == ["ours", "slow", *["ours", "slow"] * 3, "fast", *["ours", "fast"] * 3]


def test_ready_fills_the_time(clock):
    one = ready(clock.peer("x", 0.01)(), 0.2)
    clock.log.clear()
    assert one() == pytest.approx(0.01)
    assert len(clock.log) == 20


def missing():
    raise ImportError("no such library")


def broken():
    raise RuntimeError("/some/path: no compiler")


def breaks_later(runs):
    left = iter(range(runs))

    def run():
        if next(left, None) is None:
            raise MemoryError

    return lambda: Peer(run)


def test_race_goes_on_without_a_peer():
    others = {"a": missing, "b": broken, "c": breaks_later(2)}
    rows = race(lambda: Peer(lambda: None), others, 1.0, rounds=2, seconds=1e-6)
    statuses = [row["status"] for row in rows]
    assert statuses == ["measured", "not installed", "failed: RuntimeError", "failed: MemoryError"]
    assert all(row["median"] is None and row["ratio"] is None for row in rows[1:])
    assert rows[0]["median"] > 0


# ---- figures ----


def test_highest_memory_sees_an_array():
    if footprint.highest_memory() is None:
        pytest.skip("not known on this system")
    script = "import numpy as np; from chaosnum import footprint; held = np.ones(4 * 10**7); print({})"
    assert 3.2e8 < footprint._child(script.format("footprint.highest_memory()")) < 1e9


def test_memory_is_that_of_a_process_of_its_own(monkeypatch):
    found = footprint.memory(2000, 2, 1)
    assert found["seconds"] > 0
    assert found["bytes"] is None or 1e7 < found["bytes"] < 1e9


def test_multiply_adds():
    assert 1e7 < footprint.multiply_adds(1, rounds=1, seconds=1e-3) < 1e12


@pytest.mark.long
def test_starts():
    cold, warm = footprint.starts()
    assert cold["draws"] < cold["steps"] and warm["draws"] < warm["steps"] < cold["steps"]


# ---- what is shown ----


def test_absent_peers_are_not_an_error(result):
    some = len({1, min(2, bench.cores())})
    beds = 1 + 2 * some
    assert len(result["sections"]) == beds + some + 2 + len(TINY.pair) + (bench.cores() > 1) + 1 + len(TINY.tails)
    for section in result["sections"][:beds]:
        rows = {row["name"]: row for row in section["rows"]}
        assert {rows[name]["status"] for name in OPTIONAL} == {"not installed"}
        for name in set(rows) - set(OPTIONAL):
            assert rows[name]["status"] == "measured", (section["title"], name)
            assert rows[name]["low"] <= rows[name]["median"] <= rows[name]["high"]
        assert section["rows"][0]["name"] == "chaosnum" and section["rows"][0]["ratio"] is None
    for section in result["sections"][beds : beds + some]:
        absent = [row["name"] for row in section["rows"] if row["status"] == "not installed"]
        assert [name.split(",")[0] for name in absent] == ["PyTorch"] * 3 + ["jax.jit"] * 2
    for section in result["sections"][beds + some :]:
        ours, *others = section["rows"]
        assert ours["name"] == "chaosnum" and ours["ratio"] is None
        absent = "not installed" if section["title"].startswith("tail index") else "measured"
        assert {row["status"] for row in others} == {absent}, section["title"]
    names = [row["name"] for row in result["sections"][0]["rows"]]
    assert names[1:5] == ["SciPy levy_stable.rvs", "NumPy, textbook", "NumPy, best form", "Numba, np.random"]


def test_ratio_means_times_faster_also_where_less_is_better():
    row = {"name": "x", "median": 10.0, "low": 5.0, "high": 20.0, "ratio": {"median": 3.0, "low": 2.0, "high": 4.0}}
    section = bench.section("title", "ms", 1, [row], lambda rate: 1e3 / rate, {"x": 2.5})
    shown = section["rows"][0]
    assert (shown["median"], shown["low"], shown["high"]) == (100.0, 50.0, 200.0)
    assert shown["met"] is True and shown["ratio"]["median"] == 3.0


def test_table_in_a_pipe_is_plain(result):
    stream = io.StringIO()
    bench.show(result, stream=stream)
    text = stream.getvalue()
    assert "\x1b" not in text
    absent = [row for section in result["sections"] for row in section["rows"] if row["status"] == "not installed"]
    assert text.count("not installed") == len(absent) > 3
    assert "aim at least 14x" in text and "aim at most 1.5" in text
    assert platform.node() not in re.split(r"[\s,();]+", text)
    assert os.path.expanduser("~") not in text and os.getcwd() not in text


def test_machine_has_versions(result):
    found = result["machine"]
    assert found["versions"]["numpy"] == np.__version__
    assert found["cores"] >= 1 and found["processor"] and found["blas"]


def test_command_prints_one_json_object(result, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda effort: result)
    assert cli.main(["bench", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(result, allow_nan=False))
    assert set(found) == {"version", "alpha", "seconds", "machine", "sections", "figures"}
    for figure in found["figures"]:
        assert figure["value"] > 0 or figure["name"].startswith("Type "), figure  # noise may be too cheap to be seen


def test_quick_is_smaller(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(bench, "measure", lambda effort: seen.append(effort) or {"sections": []})
    bench.main(json=True)
    bench.main(json=True, quick=True)
    capsys.readouterr()
    assert seen == [bench.Effort(), bench.QUICK]
    assert seen[1].draws < seen[0].draws
