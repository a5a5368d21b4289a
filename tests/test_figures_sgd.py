"""figures/ of the SGD theories: every script runs small, and its numbers say what its picture is there to show."""

import pytest
from test_figures import overlaps, script, written


def check(figure, rows, stem):
    """The picture and its numbers are written, and no label lies on another."""
    figure.write(rows, stem)
    assert len(written(stem)) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_low_rank(tmp_path):
    figure = script("low_rank")
    settings = {"step": 0.2, "ridge": 0.05, "width": 32, "depth": 2}
    rows = figure.compute("quick", settings=settings, grid=(1.0, 3.0, 6.0), rates=(0.1, 0.4), dim=40, steps=60,
                          sizes=(16, 64), plans=2, draws=2)  # fmt: skip
    assert {row["what"] for row in rows} == {"batch", "forgetting", "threshold", "law", "mechanism", "moves"}
    ranks = {(row["label"], row["x"]): row["y"] for row in rows if row["what"] == "batch"}
    assert ranks["equal epochs", 16] < ranks["equal epochs", 64] and ranks["no decay", 16] > 29
    check(figure, rows, tmp_path / "low-rank")


def test_planted_relu(tmp_path):
    figure = script("planted_relu")
    rows = figure.compute(seed=3, runs=4, dim=6, batches=(1, 16), ratios=(1.2, 3.5), dims=(6,), roots=(3, 20))
    path = [r for r in rows if r["what"] == "path" and r["series"] == "SGD"]
    assert path[0]["estimate"] > 0.9 and path[-1]["estimate"] < 1e-18
    bits = {(r["series"], r["x"]): r["estimate"] for r in rows if r["what"] == "bits"}
    assert bits["gaussian, gap", 400] < 2.9 < bits["gaussian, dense", 400] < bits["equal, gap", 400] + 0.2
    check(figure, rows, tmp_path / "relu")


def test_gradient_tracking(tmp_path):
    figure = script("gradient_tracking")
    rows = figure.compute("quick", cells=2, fractions=(0.25, 0.125), periods=(1,), steps=(), iterations=60)
    assert {r["what"] for r in rows} == {"error", "floor", "law", "inflation"}
    check(figure, rows, tmp_path / "tracking")


def test_local_sgd(tmp_path):
    figure = script("local_sgd")
    rows = figure.compute("quick", runs=1, iterations=40, pulls=(0.2, 0.6), taus=(1, 4), betas=(0.0, 0.7))
    assert {r["panel"] for r in rows} == {"step", "drift", "digits"}
    for r in rows:
        if r["panel"] == "step":
            assert r["y"] == pytest.approx(r["predicted"], rel=0.03)
        if r["panel"] == "drift" and r["predicted"] > 1e-6:
            assert r["y"] == pytest.approx(r["predicted"], rel=1e-8)
    check(figure, rows, tmp_path / "local")


def test_least_squares(tmp_path):
    figure = script("least_squares")
    rows = figure.compute(seed=3, replicas=3, samples=(450,), batches=(1, 64), machines=(1, 2), dims=(5, 10))
    assert len(rows) == 3 + 2 + 4 + 3 * 2 + 2
    for r in rows:
        if r["estimate"] != "":
            assert r["low"] <= r["estimate"] <= r["high"] and 0.4 < r["estimate"] / r["exact"] < 2.5
        assert r["bound"] == "" or r["panel"] in ("noise", "runs") or r["exact"] < r["bound"]
    check(figure, rows, tmp_path / "squares")
