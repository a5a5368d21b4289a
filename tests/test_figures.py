"""figures/: every script runs small, and its numbers say what its picture is there to show."""

import csv
import importlib.util
import json
import math
import re
from pathlib import Path

import pytest
from toy_claims import toys

FIGURES = Path(__file__).parent.parent / "figures"


def script(name):
    """A script of figures/ as a module."""
    spec = importlib.util.spec_from_file_location(f"figures_{name}", FIGURES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(stem):
    """The rows of the CSV beside a picture that is really there."""
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        assert stem.with_suffix(suffix).read_bytes().startswith(magic)
        assert stem.with_suffix(suffix).stat().st_size > 5000
    with open(stem.with_suffix(".csv"), newline="") as stream:
        return list(csv.DictReader(stream))


def texts(figure):
    """Every word of a figure."""
    import matplotlib

    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]


def overlaps(figure):
    """Pairs of axis labels, titles and legends that overlap, or leave the picture."""
    figure.canvas.draw()
    parts = [label for ax in figure.axes for label in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    parts += [t for t in figure.texts if t.get_text()] + figure.legends
    parts += [ax.get_legend() for ax in figure.axes if ax.get_legend() is not None]
    boxes = [(p, p.get_window_extent()) for p in parts if not hasattr(p, "get_text") or p.get_text()]
    size = figure.bbox
    found = [(p, "outside") for p, b in boxes if b.x0 < -1 or b.y0 < -1 or b.x1 > size.x1 + 1 or b.y1 > size.y1 + 1]
    for i, (p, b) in enumerate(boxes):
        found += [(p, q) for q, c in boxes[i + 1 :] if b.overlaps(c)]
    return found


def test_propagation_of_chaos(tmp_path):
    figure = script("propagation_of_chaos")
    rows = figure.compute((1.2, 2.0), seed=3, scales=[20, 40, 80], replicas=8)
    assert len(rows) == 2 * 2 * 3
    assert {r["claimed"] for r in rows if r["model"] == "kuramoto"} == {-0.5}
    assert {round(r["claimed"], 6) for r in rows if r["model"] == "linear"} == {round(1 / 1.2 - 1, 6), -0.5}
    for r in rows:
        assert r["low"] <= r["estimate"] <= r["high"]
        if r["model"] == "linear":  # eight batches of 64 systems
            assert abs(math.log(r["estimate"] / r["exact"])) < 0.3
        else:
            assert r["estimate"] < r["bound"] and r["exact"] is None
    figure.write(rows, tmp_path / "new" / "poc")
    assert len(written(tmp_path / "new" / "poc")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_euler_error(tmp_path):
    figure = script("euler_error")
    rows = figure.compute((1.5, 2.0), seed=3, scales=[1 / 4, 1 / 8, 1 / 16], replicas=6, n=100)
    curves = {(r["alpha"], r["control"]) for r in rows}
    assert curves == {(1.5, ""), (1.5, "wrong-scale"), (1.5, "redrawn"), (2.0, ""), (2.0, "redrawn")}
    for r in rows:
        if r["control"]:
            assert r["exponent"] < r["claimed"] - 0.3
        else:
            assert r["estimate"] < r["bound"] and 0.7 < r["exponent"] < 1.3
    figure.write(rows, tmp_path / "euler")
    assert len(written(tmp_path / "euler")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_stable_tails(tmp_path):
    figure = script("stable_tails")
    rows = figure.compute((1.3, 1.8), draws=200_000, seed=3, depths=[1e-6, 1e-12, 1e-15, 1e-17])
    sampled = [r for r in rows if r["what"] == "sampled"]
    assert len(sampled) >= 8 and min(r["exact"] for r in sampled) < 1e-3
    # Clopper and Pearson's 95 % intervals, some 10 of them, dependent: three misses or more by chance are below 0.001
    assert sum(not r["low"] <= r["exact"] <= r["high"] for r in sampled) <= 2
    ratio = {(r["what"], r["alpha"], round(math.log10(r["exact"]))): r["ratio"] for r in rows if r["what"] != "sampled"}
    for alpha in (1.3, 1.8):
        assert abs(ratio["chaosnum", alpha, -6] - 1) < 1e-3
        for depth in (-12, -15, -17):
            assert abs(ratio["chaosnum", alpha, depth] - 1) < 0.02
        assert abs(ratio["textbook", alpha, -12] - 1) < 1e-2
        assert ratio["textbook", alpha, -17] < 0.1  # what a 53-bit uniform cannot resolve
    figure.write(rows, tmp_path / "tails")
    assert len(written(tmp_path / "tails")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_stable_law_accuracy(tmp_path):
    figure = script("stable_law_accuracy")
    rows = figure.compute((0.5, 1.5), points=4, low=1e-4, high=1e8)
    assert len(rows) == 2 * 2 * 2 * 4
    worst = {code: max(r["error"] for r in rows if r["code"] == code) for code in ("chaosnum", "SciPy")}
    assert worst["chaosnum"] < 1e-13
    assert worst["SciPy"] == 1.0  # its tail is zero
    figure.write(rows, tmp_path / "law")
    assert len(written(tmp_path / "law")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_compressibility(tmp_path):
    figure = script("compressibility")
    rows = figure.compute(seed=3, systems=150, scales=[100, 400], paper=[40], widths={100: 20, 10_000: 5}, orders=8)
    law = [r for r in rows if r["kind"] == "bed K"]
    assert len(law) == 2 * 3 * (2 * 2 + 1)
    for r in law:
        assert r["low"] <= r["estimate"] <= r["high"]
        # medians of 150: some 0.1 in log error at alpha = 1.2, and at n = 40 an error of third order
        if r["level"] == 0.5:
            assert abs(math.log(r["estimate"] / r["predicted"])) < 0.5
    beyond = {r["n"]: r["estimate"] for r in rows if r["kind"] == "stable" and r["p"] == 3.0}
    assert beyond[10_000] < beyond[100] / 2
    limits = {(r["kind"], r["p"] >= 1.5): r["estimate"] for r in rows if r["kind"].endswith("limit")}
    assert limits["stable limit", True] == 0.0 and limits["stable limit", False] > 0.0
    assert limits["Gaussian limit", True] > 0.7
    figure.write(rows, tmp_path / "c")
    assert len(written(tmp_path / "c")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_tail_estimators(tmp_path):
    figure = script("tail_estimators")
    rows = figure.compute((1.3, 1.8), samples=12, n=2000, seed=3)
    assert len(rows) == 2 * 7
    for r in rows:
        assert r["low"] <= r["median"] <= r["high"] and r["coverage_low"] <= r["coverage"] <= r["coverage_high"]
    median = {(r["estimator"], r["alpha"]): r["median"] for r in rows}
    # twelve samples of 2000: the characteristic function's estimate has a standard deviation below 0.04
    assert all(abs(median["ecf", alpha]) < 0.06 for alpha in (1.3, 1.8))
    figure.write(rows, tmp_path / "tails")
    assert len(written(tmp_path / "tails")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_pruning(tmp_path):
    figure = script("pruning")
    rows = figure.compute(
        seed=3, seeds=6, sigmas=[0.05], alphas=[1.5, 2.0], n=60, ratios=(0.0, 0.5, 1.0), depths=(1, 2)
    )
    assert len(rows) == 1 + (3 + 2) + 4 * (3 + 1) + 2 * 2 * 2
    for r in rows:
        assert r["low"] <= r["estimate"] <= r["high"] and r["runs"] == 6
    share = {(r["noise"], r["alpha"], r["sigma"]): r for r in rows if r["what"] == "share"}
    gaussian = share["II", 2.0, 0.05]["estimate"]
    assert abs(gaussian - share["II", 2.0, 0.05]["predicted"]) < 0.05  # 60 columns, three of them
    assert share["II", 1.5, 0.05]["estimate"] > gaussian + 0.1
    for noise in ("II", "III-paper"):  # the law and the trained networks, six of them, whose shares vary by some 0.1
        assert abs(share[noise, 1.75, 0.05]["estimate"] - share[noise, 1.75, 0.05]["predicted"]) < 0.25
    whole = [r["estimate"] for r in rows if r["what"] == "accuracy" and r["x"] == 0.0]
    empty = [r["estimate"] for r in rows if r["what"] == "accuracy" and r["x"] == 1.0]
    assert min(whole) > 0.8 and max(empty) < 0.2
    figure.write(rows, tmp_path / "p")
    assert len(written(tmp_path / "p")) == len(rows)
    assert overlaps(figure.draw(rows)) == []


def test_calibration(tmp_path, capsys, monkeypatch):
    """Compute, counts and picture, with a toy claim and its controls; a finished seed is read, not run again."""
    from chaosnum import registry

    monkeypatch.setattr(registry, "claims", lambda: toys()[:1])
    figure = script("calibration")
    for seed in (1, 2):
        line = figure.one_seed(seed, "quick", tmp_path / f"quick-T1-{seed}.json", ["T1"])
        assert line.startswith(f"seed {seed}: ") and "violated" in line
    verdicts = figure.compute([1, 2], "quick", tmp_path, ["T1"])
    assert capsys.readouterr().out == ""
    assert len(verdicts) == 2 * 2 * 3 and {v["seed"] for v in verdicts} == {1, 2}  # seeds, alphas, claim and controls
    rows = {(row[4], float(row[5].split()[2].rstrip(","))): row for row in figure.counts(verdicts)}  # alpha = 1.5, ...
    assert len(rows) == 6 and all(len(row) == len(figure.HEAD) for row in rows.values())
    for alpha in (1.5, 2.0):
        assert sum(rows["", alpha][6:9]) == 2 and rows["", alpha][8] == 0 and rows["constant", alpha][6:9] == (0, 0, 2)
        assert abs(rows["", alpha][9] + 0.5) < 0.1 and abs(rows["constant", alpha][9]) < 0.1
    figure.draw(verdicts, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part")) and json.loads((tmp_path / "quick-T1-1.json").read_text())


def test_overlaps_sees_an_overlap():
    """The partner of the layout check: two labels on one spot, and one outside."""
    import matplotlib.pyplot as plt

    figure = plt.figure()
    figure.text(0.5, 0.5, "one")
    assert overlaps(figure) == []
    figure.text(0.5, 0.5, "another")
    figure.text(0.99, 0.1, "much too long for its place")
    assert len(overlaps(figure)) == 2
    plt.close(figure)


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*.py")), ids=lambda p: p.stem)
def test_every_script_says_what_it_does(path):
    """Question, compute, draw and how to run it, in the docstring; and a test of its own here."""
    text = path.read_text(encoding="utf-8")
    doc = text.split('"""')[1]
    for word in ("Question:", "Compute:", "Draw:", f"python figures/{path.name}"):
        assert word in doc.replace("\n", " "), word
    tests = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_figures*.py"))
    assert f'script("{path.stem}")' in tests


@pytest.mark.parametrize(
    "name",
    [
        "propagation_of_chaos",
        "euler_error",
        "stable_tails",
        "stable_law_accuracy",
        "compressibility",
        "tail_estimators",
        "pruning",
        "low_rank",
        "planted_relu",
        "gradient_tracking",
        "local_sgd",
        "least_squares",
        "scale",
    ],
)
def test_make_figures_can_pass_a_budget(name, capsys):
    """One ARGS serves every script."""
    with pytest.raises(SystemExit) as stop:
        script(name).main(["--budget", "none"])
    assert stop.value.code == 2 and "quick" in capsys.readouterr().err


def test_make_figures_leaves_the_long_study_alone():
    makefile = (FIGURES.parent / "Makefile").read_text()
    assert "filter-out figures/calibration.py" in makefile
    assert re.search(r"^calibrate:.*\n\t@\$\(PY\) figures/calibration.py", makefile, re.M)
