"""figures/scale.py runs small, and its numbers are those of the cost model."""

import pytest
from test_figures import overlaps, script, written


def test_scale(tmp_path, capsys):
    figure = script("scale")
    rows = figure.compute("quick", alphas=(0.5, 1.5), sizes=[10**4, 4 * 10**5], systems=(6, 2000), ranked=20_000)
    kinds = [r["kind"] for r in rows]
    assert [kinds.count(k) for k in ("step", "difference", "exchange", "ranks", "prediction")] == [4, 2, 5, 3, 3]
    large = {r["dtype"]: r for r in rows if r["kind"] == "step" and r["n"] == 4 * 10**5}
    assert large["float32"]["bytes"] < large["float64"]["bytes"] - 3 * 10**6
    for r in rows:
        if r["kind"] == "step":
            assert 1e-9 < r["low"] <= r["value"] <= r["high"] < 1e-5
        if r["kind"] == "difference":
            assert 0 < r["low"] <= r["value"] <= r["high"] and r["value"] < 2 * r["expected"] + 1e-6 < 0.2
        if r["kind"] == "ranks":
            assert 0.1 < r["value"] / r["expected"] < 50  # a busy machine's
    goal = next(r for r in rows if r["kind"] == "prediction" and r["dtype"] == "float64" and r["ranks"] == 64)
    cost = [r for r in rows if r["kind"] == "step" and r["dtype"] == "float64"][-1]["value"]
    assert goal["expected"] == pytest.approx(1e9 / 64 * cost, rel=0.05) and "1024 bytes" in goal["note"]
    figure.write(rows, tmp_path / "scale")
    assert len(written(tmp_path / "scale")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_engines(tmp_path):
    figure = script("engines")
    rows = figure.compute("quick", milliseconds=(5, 10), rounds=2, seconds=0.2, names=("threads", "processes"))
    assert len(rows) == 2 * 2 * 2 * 2 and all(r["seconds"] > 0 and r["plain"] > r["plain_few"] > 0 for r in rows)
    assert len(list(figure.table(rows))) == 2 + 2 * 2
    times = {"seconds": 3.3, "seconds_few": 0.3, "inside": 3.0, "inside_few": 0.15, "plain": 3.2, "plain_few": 0.2}
    made = []
    for workers in (1, 2):
        shared = {k: v / (1 if "inside" in k else workers) for k, v in times.items()}
        made += 3 * [{"engine": "threads", "workers": workers, "milliseconds": 5} | shared]
    for workers in (1, 2):
        assert figure.overhead(made, "threads", workers, 5) == pytest.approx(3 / 2.85 - 1)
        assert figure.beside_loops(made, "threads", workers, 5) == pytest.approx(0.0)
    assert figure.scaling(made, "threads", 5) == pytest.approx(2.0)
    figure.write(rows, tmp_path / "engines")
    assert len(written(tmp_path / "engines")) == len(rows)
    assert overlaps(figure.draw(rows)) == []
