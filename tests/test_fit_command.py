"""`chaosnum fit`: tables, JSON and figures of somebody's own weights; wrong input is one line and status 2."""

import json
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chaosnum import cli, cli_fit, fitfigure, fittable, noise, report, stable

ROOT = Path(__file__).parent.parent


def no_constants(name):
    raise ValueError(f"{name} is not JSON")


def run(capsys, *argv):
    """Exit status, stdout and the lines of stderr."""
    try:
        status = cli.main(["fit", *map(str, argv)])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


def found(capsys, *argv):
    """The JSON object of a fit that succeeds."""
    status, out, _ = run(capsys, *argv, "--json")
    assert status == 0
    return json.loads(out, parse_constant=no_constants)


@pytest.fixture
def net(tmp_path):
    """A file of four layers, of which three can be fitted."""
    rng = np.random.default_rng(0)
    path = tmp_path / "net.npz"
    np.savez(
        path, heavy=noise.increments("II", 1.5, (5, 3000), seed=1, step=0), small=rng.standard_normal((5, 50)),
        gauss=rng.standard_normal((5, 3000)), bias=stable.rvs(1.3, (3000,), seed=2),
    )  # fmt: skip
    return path


def test_every_layer_has_its_table(capsys, net, tmp_path):
    status, out, err = run(capsys, net, "--out", tmp_path / "out")
    assert status == 0 and "\x1b" not in out
    assert err == ["chaosnum: passed over: net.npz/small must have at least 100 columns, got 50; --entries takes every "
                   "entry by itself"]  # fmt: skip
    for name in ("heavy", "gauss"):
        assert f"net.npz/{name} · 3000 columns of 5 numbers (shape 5 x 3000)" in out.splitlines()
    assert "net.npz/bias · 3000 entries (shape 3000)" in out.splitlines()
    assert out.count("<- recommended") == 2 and out.count("90 % of such samples") == 4  # two layers, two norms
    assert out.count("Gaussian weights") == 2
    assert all(len(line) <= 80 for line in out.splitlines()[:-1])
    assert out.splitlines()[-1].endswith(f"figures and every number in {tmp_path / 'out'}")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["fit-1.pdf", "fit-1.png", "fit.json"]
    assert (tmp_path / "out" / "fit-1.png").read_bytes().startswith(b"\x89PNG")


def test_json_has_everything(capsys, net, tmp_path):
    shown = found(capsys, net, "--out", tmp_path / "out", "--p", 1, 1.5, 2, "--kappa", 0.5, 0.1)
    assert list(shown) == ["version", "seconds", "source", "p", "kappa", "layers", "passed_over", "files"]
    assert shown == json.loads((tmp_path / "out" / "fit.json").read_text(), parse_constant=no_constants)
    assert shown["source"] == "net.npz" and str(tmp_path) not in json.dumps(shown)
    assert [layer["layer"] for layer in shown["layers"]] == ["net.npz/heavy", "net.npz/gauss", "net.npz/bias"]
    assert [part["layer"] for part in shown["passed_over"]] == ["net.npz/small"]
    heavy, gauss, bias = shown["layers"]
    for layer, alpha in ((heavy, 1.5), (bias, 1.3)):
        assert layer["heavy"] and abs(layer["alpha"] - alpha) < 0.3 and layer["ci"][0] < layer["alpha"] < layer["ci"][1]
        assert layer["recommended"] in [e["name"] for e in layer["estimates"]]
        assert layer["reason"]
    assert not gauss["heavy"]
    data = np.load(net)
    for layer in shown["layers"]:
        y = np.sort(np.abs(data[layer["layer"].partition("/")[2]].reshape(layer["d"], -1)), axis=None)
        if layer["d"] > 1:
            y = np.sort(np.linalg.norm(data[layer["layer"].partition("/")[2]], axis=0))
        assert [errors["p"] for errors in layer["errors"]] == [1.0, 1.5, 2.0]
        for errors in layer["errors"]:
            assert errors["kappa"] == [0.1, 0.5]
            for kappa, value in zip(errors["kappa"], errors["measured"]):
                left = np.sum(y[: round((1 - kappa) * y.size)] ** errors["p"]) / np.sum(y ** errors["p"])
                assert value == pytest.approx(left ** (1 / errors["p"]), rel=1e-9)
            if layer["heavy"]:  # tests/test_fitted.py asks how often the range holds the measured error
                triples = zip(errors["low"], errors["predicted"], errors["high"])
                assert all(low < mid < high for low, mid, high in triples)
            else:
                assert np.allclose(errors["measured"], errors["predicted"], atol=0.03)
    growing = [errors["growing"] for errors in bias["errors"]]
    assert growing[0].endswith("not compressible") and growing[2].endswith(": compressible")


def test_the_axis_that_was_taken_is_shown(capsys, tmp_path):
    """Rows of the transposed file are the columns of the file."""
    x = noise.increments("III", 1.5, (4, 500), seed=1, step=0)
    for name, array in (("columns.npy", x), ("rows.npy", x.T)):
        np.save(tmp_path / name, array)
    columns = found(capsys, tmp_path / "columns.npy", "--out", tmp_path / "1")["layers"][0]
    rows = found(capsys, tmp_path / "rows.npy", "--rows", "--out", tmp_path / "2")["layers"][0]
    assert (columns["units"], rows["units"]) == ("columns", "rows")
    same = set(columns) - {"units", "layer", "shape"}
    assert {k: columns[k] for k in same} == {k: rows[k] for k in same}
    assert "500 rows of 4 numbers (shape 500 x 4)" in run(capsys, tmp_path / "rows.npy", "--rows", "--out",
                                                          tmp_path / "2")[1]  # fmt: skip
    entries = found(capsys, tmp_path / "columns.npy", "--entries", "--out", tmp_path / "3")["layers"][0]
    assert (entries["units"], entries["n"], entries["d"]) == ("entries", 2000, 1)


def test_numbers_that_no_estimator_can_use(capsys, tmp_path, monkeypatch):
    """Three values only: passed over beside a layer that can be fitted, one line where it is alone."""
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", few=np.tile([1.0, 2.0, 3.0], 100), good=stable.rvs(1.5, (500,), seed=1))
    status, _, err = run(capsys, "a.npz")
    assert status == 0 and len(err) == 1 and err[0].startswith("chaosnum: passed over: a.npz/few cannot be fitted: ")
    status, out, err = run(capsys, "a.npz", "--layer", "few", "--out", "other")
    assert (status, out, len(err)) == (2, "", 1) and err[0].startswith("chaosnum: error: a.npz/few cannot be fitted: ")
    assert not (tmp_path / "other").exists()


def test_layers_by_name(capsys, net, tmp_path):
    shown = found(capsys, net, "--layer", "bias", "gau*", "--out", tmp_path / "out")
    assert [layer["layer"] for layer in shown["layers"]] == ["net.npz/gauss", "net.npz/bias"]
    assert shown["passed_over"] == []
    status, out, err = run(capsys, net, "--layer", "small", "--out", tmp_path / "other")
    assert (status, out) == (2, "") and err == [
        "chaosnum: error: net.npz/small must have at least 100 columns, got 50; --entries takes every entry by itself"
    ]
    assert not (tmp_path / "other").exists()


def test_a_folder_of_files(capsys, net, tmp_path):
    np.savetxt(tmp_path / "w.csv", stable.rvs(1.5, (50, 5), seed=1), delimiter=",")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(1))
    shown = found(capsys, tmp_path, "--entries", "--out", tmp_path / "out")
    assert [layer["layer"] for layer in shown["layers"]] == [
        "net.npz/heavy", "net.npz/small", "net.npz/gauss", "net.npz/bias", "w.csv"]  # fmt: skip
    assert shown["passed_over"][0]["layer"] == "old.pt" and "is a pickle" in shown["passed_over"][0]["reason"]
    assert len([name for name in shown["files"] if name.endswith(".png")]) == 2  # four layers a page
    again = found(capsys, tmp_path, "--entries", "--layer", "w.csv", "--out", tmp_path / "out")
    assert sorted(again["files"]) == sorted(p.name for p in (tmp_path / "out").iterdir())  # the second page is gone


X = np.random.default_rng(1).standard_cauchy((3, 200))
WRONG = {
    "no file": ([], None, "required: FILE|FOLDER (the file comes before the options"),
    "swallowed by an option": (["--p", "2", "a.npy"], X, "must be a number, got 'a.npy' (the file comes before"),
    "missing": (["b.npy"], None, "'b.npy' cannot be read: no such file or folder"),
    "p 0": (["a.npy", "--p", "0"], X, "p must lie in (0, 100], got 0"),
    "p nan": (["a.npy", "--p", "nan"], X, "p must lie in (0, 100], got nan"),
    "kappa 1": (["a.npy", "--kappa", "1"], X, "kappa must lie in (0, 1), got 1"),
    "two axes": (["a.npy", "--rows", "--columns"], X, "not allowed with argument --rows"),
    "unknown layer": (["a.npy", "--layer", "x"], X, "layer must be one of a.npy, got 'x'"),
    "wrong axis": (["a.npy", "--rows"], X, "a.npy must have at least 100 rows, got 3; --columns would take its 200"),
    "objects": (["a.npy"], np.array([1.0, None] * 99), "a.npy must be an array of real floating-point numbers"),
    "nan": (["a.npy"], np.where(X == X[0, 0], np.nan, X), "a.npy must be finite, got 1 NaN or infinite value"),
    "zeros": (["a.npy"], X * 0, "a.npy holds nothing but zeros"),
    "constant": (["a.npy"], X * 0 + 1, "a.npy is constant: every entry is 1"),
    "few": (["a.npy"], X[0, :99], "a.npy must have at least 100 entries, got 99"),
    "a number": (["a.npy"], np.array(1.0), "a.npy must have at least 100 entries, got 1"),
    "out is a file": (["a.npy", "--out", "a.npy"], X, "out must be a folder that can be written to, got 'a.npy'"),
    "out is in use": (["a.npy", "--out", "."], X, "out must be a new or empty folder or one of an earlier fit"),
    "out is nowhere": (["a.npy", "--out", "/proc/nowhere/x"], X, "out must be a folder that can be written to"),
}


@pytest.mark.parametrize(("argv", "content", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("how", [[], ["--json"]])
def test_wrong_usage_is_one_line(capsys, tmp_path, monkeypatch, argv, content, words, how):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        np.save("a.npy", content, allow_pickle=True)
    status, out, err = run(capsys, *argv, *how)
    assert (status, out, len(err)) == (2, "", 1)
    assert err[0].startswith("chaosnum: error: ") and words in err[0]
    assert [p.name for p in tmp_path.iterdir()] == ([] if content is None else ["a.npy"])  # nothing half-written


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.safetensors", "a.pt", "a.pkl", "a.h5", "a"])
@pytest.mark.parametrize("raw", [b"", b"hello, world\n", bytes(1000), pickle.dumps([1.0] * 200)])
def test_bad_files_are_one_line(capsys, tmp_path, monkeypatch, name, raw):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(raw)
    status, out, err = run(capsys, name)
    assert (status, out, len(err)) == (2, "", 1)
    assert re.match(f"chaosnum: error: {name}[ :]", err[0])
    assert os.listdir() == [name]


def test_a_failure_halfway_leaves_nothing(capsys, net, tmp_path, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(report, "save", fails)
    status, out, err = run(capsys, net, "--out", tmp_path / "a" / "b")
    assert (status, out) == (2, "") and err[-1] == "chaosnum: error: not enough memory"
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]
    (tmp_path / "mine").mkdir()
    run(capsys, net, "--out", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []  # a folder that was there stays


def test_only_files_of_a_fit_are_replaced(capsys, net, tmp_path):
    out = tmp_path / "out"
    found(capsys, net, "--layer", "bias", "--out", out)
    (out / "notes.txt").write_text("mine")
    about = json.loads((out / "fit.json").read_text())
    (out / "fit.json").write_text(json.dumps({**about, "files": [*about["files"], "notes.txt", "../net.npz"]}))
    found(capsys, net, "--layer", "bias", "--out", out)
    assert (out / "notes.txt").read_text() == "mine" and net.exists()
    (out / "fit.json").write_text("[]")
    assert run(capsys, net, "--out", out)[0] == 2


def test_default_folder(capsys, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, net, "--layer", "bias")
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-fit", folder.name)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from chaosnum import cli\ntry: cli.main(['fit', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'numba', 'matplotlib', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith("  -"))
    for command in re.findall(r"^  (chaosnum fit .*?)   ", done.stdout, re.M):
        assert cli._parser().parse_args(shlex.split(command)[1:]).run is cli_fit._fit


# ---------------------------------------------------------------- the figure


def estimate(name, alpha, ci, k=None, block=None):
    return {"name": name, "alpha": alpha, "ci": ci, "k": k, "block": block, "scale": None, "p": None, "note": ""}


def layer(**changes):
    """A layer as `fitted.study` returns it, of an exact Pareto law."""
    kappa = np.geomspace(0.001, 1, 50)
    y = (1 - kappa) ** 0.5
    curve = {"p": 2.0, "kappa": kappa.tolist(), "measured": y.tolist(), "predicted": y.tolist(),
             "low": (0.9 * y).tolist(), "high": y.tolist()}  # fmt: skip
    share = np.geomspace(1, 1e-3, 50)
    return {
        "layer": "net.npz/w", "shape": [784, 1000], "units": "columns", "n": 1000, "d": 784, "alpha": 1.5,
        "ci": [1.4, 1.6], "heavy": True, "recommended": "hill", "reason": "because", "disagree": "", "note": "",
        "estimates": [estimate("hill", 1.5, [1.4, 1.6], k=99), estimate("moments", None, [7.0, None], k=9),
                      estimate("mohammadi", 1.4, [1.3, 1.5], block=5), estimate("ecf", 123456.0, [0.01, 99.999])],
        "tail": {"r": (share**-0.67).tolist(), "share": share.tolist(), "k": 100, "threshold": 4.6},
        "errors": [{**curve, "growing": "tends to 0"}], "curves": [{**curve, "p": p} for p in (1.0, 1.5, 2.0)],
        **changes,
    }  # fmt: skip


ONE = {"r": [1.0], "share": [0.001], "k": None, "threshold": None}
HARD = {
    "one": [layer()],
    "a full page": [layer(layer=f"net.npz/{i}") for i in range(fitfigure.ROWS)],
    "a long name": [layer(layer="model-00001-of-00002.safetensors/encoder.layers.11.attention.self.query.weight")],
    "no tail": [layer(alpha=None, ci=[7.0, None], heavy=False, recommended="none",
                      tail={**layer()["tail"], "k": None, "threshold": None})],
    "one point": [layer(tail=ONE)],
    "astronomical": [layer(tail={**layer()["tail"], "r": np.geomspace(1e-30, 1e30, 50).tolist(), "threshold": 1e20})],
    "within a hair": [layer(tail={**layer()["tail"], "r": np.geomspace(1, 1.01, 50).tolist(), "threshold": 1.005})],
    "markup": [layer(layer="net.npz/a_b$c^{d}[red]", reason="[bold]x")],
}  # fmt: skip


@pytest.mark.parametrize("hard", HARD.values(), ids=HARD)
def test_nothing_overlaps_or_leaves_the_frame(hard, tmp_path, capsys):
    fittable.print_layers(hard)
    assert hard[0]["layer"] in capsys.readouterr().out
    (figure,) = fitfigure.pages(hard)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = list(figure.texts)
    for ax in figure.axes:
        texts += [ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        texts += ax.get_legend().get_texts() if ax.get_legend() else []
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text() and t.get_visible()]
    frame = figure.bbox
    for i, (words, box) in enumerate(boxes):
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert inside, words
        for other, second in boxes[i + 1 :]:
            assert not (box.x0 < second.x1 and second.x0 < box.x1 and box.y0 < second.y1 and second.y0 < box.y1), (
                words, other)  # fmt: skip
    assert [p.suffix for p in report.save(figure, tmp_path / "x")] == [".png", ".pdf"]


def test_small_errors_are_not_printed_as_zero():
    said = {0.0: "0.000", 0.25: "0.250", 0.0006: "0.001", 0.0004: "4e-04", 3e-9: "3e-09"}
    assert all(fittable._error(value, 3) == words for value, words in said.items())


def test_an_empty_name_is_not_this_folder(capsys):
    assert cli.main(["fit", ""]) == 2
    assert capsys.readouterr().err == "chaosnum: error: a file or a folder must be named, got ''\n"
