"""`chaosnum train`: table, JSON and files; stopped, killed and resumed runs; wrong input is one line and status 2."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chaosnum import checkpoint, cli, cli_train, experiment, report, trainfolder, trainprogress, traintable

ROOT = Path(__file__).parent.parent
SMALL = ["--data", "blobs.npz", "--width", "110", "--cap", "30", "--target", "none", "--batch", "20", "--sigma", "0.05"]
GRID = [*SMALL, "--noise", "none", "II", "--seed", "1", "2"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder with a data set of three clouds."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    y = np.arange(150) % 3
    np.savez("blobs.npz", X=rng.standard_normal((150, 5)) + 2 * np.eye(5)[y], y=y)
    return tmp_path


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take most of the time, and have tests of their own."""
    monkeypatch.setattr("chaosnum.trainfigure.write", lambda path, about: [])


def run(capsys, *argv):
    """Exit status, stdout and the lines of stderr."""
    try:
        status = cli.main(["train", *map(str, argv)])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


def no_constants(name):
    raise ValueError(f"{name} is not JSON")


def test_one_command_gives_everything(capsys, here, monkeypatch):
    status, out, err = run(capsys, *GRID, "--out", "r")
    assert status == 0 and "\x1b" not in out and max(map(len, out.splitlines())) <= traintable.WIDTH
    assert err[0] == "4 runs, into r" and len(err) == 5
    assert err[2].startswith("run 2 of 4: II α = 1.75, seed 1: 30 steps, train ")
    assert "blobs.npz: 120 rows to train on, 30 to test, 5 numbers each, 3 classes" in out
    assert "outside the assumptions of the theorem" in out
    rows = [line for line in out.splitlines() if re.match(r"  (none|II α 1.75) ", line)]
    assert len(rows) == 3 and all("30 ±0" in row for row in rows[:2]) and rows[2].count("±") == 5
    assert "Student's t, ± 12.7 standard errors with 2 seeds" in " ".join(out.split())
    assert out.splitlines()[-1].endswith("s of training; weights, figures and every number in r")
    names = {str(f.relative_to("r")) for f in Path("r").rglob("*") if f.is_file()}
    weights = {f"weights/width110-depth1-standard-{kind}-seed{seed}.safetensors"
               for kind in ("none", "II-alpha1.75") for seed in (1, 2)}  # fmt: skip
    assert names == {"train.json", *weights, *(f"{f}.{e}" for f in trainfolder.FIGURES for e in ("png", "pdf"))}
    monkeypatch.setattr("chaosnum.trainfigure.write", lambda path, about: [])
    again = run(capsys, "--resume", "r")
    assert again[0] == 0 and again[1].splitlines()[:-1] == out.splitlines()[:-1] and again[2] == ["4 runs, into r"]


def test_json_has_everything(capsys, here, no_figures):
    status, out, _ = run(capsys, *GRID, "--out", "r", "--json")
    found = json.loads(out, parse_constant=no_constants)
    assert status == 0 and list(found) == ["version", "seconds", "data", "settings", "runs", "table"]
    assert str(here) not in out
    assert found["data"]["name"] == "blobs.npz" and len(found["data"]["files"][0]["sha256"]) == 64
    assert found["settings"]["sigma"] == 0.05 and found["settings"]["target"] is None
    assert [(r["noise"], r["alpha"], r["sigma"], r["seed"]) for r in found["runs"]] == [
        ("none", None, None, 1), ("II", 1.75, 0.05, 1), ("none", None, None, 2), ("II", 1.75, 0.05, 2)]  # fmt: skip
    for r in found["runs"]:
        assert {"width", "depth", "parametrisation", "unit", "steps", "stopped", "seconds", "outside"} <= set(r)
        assert set(r["before"]) == {"train", "test"} and set(r["before"]["test"]) == {"loss", "accuracy"}
        assert 0 < r["pruned"]["share"] < 1 and len(r["sweep"]) == 11 and Path("r", r["weights"]).is_file()
    none, noisy = found["table"]
    assert none["difference"] is None and set(noisy["difference"]["share"]) == {"mean", "low", "high"}
    shares = [r["pruned"]["share"] for r in found["runs"]]
    assert noisy["difference"]["share"]["mean"] == pytest.approx((shares[1] + shares[3] - shares[0] - shares[2]) / 2)


def test_results_do_not_depend_on_the_threads(capsys, no_figures):
    for threads in (1, 3):
        assert run(capsys, *SMALL, "--noise", "III", "--seed", 1, "--out", threads, "--threads", threads)[0] == 0
    one, three = (next(Path(d, "weights").iterdir()).read_bytes() for d in "13")
    assert one == three


def test_both_parametrisations_and_depths_in_one_command(capsys, no_figures):
    words = ["--noise", "none", "--seed", 1, "--unit", "tanh", "--width", 6, "--json"]
    small = [*SMALL, *words]
    status, out, _ = run(capsys, *small, "--parametrisation", "standard", "mean-field", "--out", "a")
    assert status == 0 and [r["outside"] for r in json.loads(out)["runs"]] == [
        "no factor 1/n and a trained output layer", ""]  # fmt: skip
    status, out, _ = run(capsys, *small, "--depth", 1, 3, "--out", "b")
    assert status == 0 and "3 hidden layers" in json.loads(out)["runs"][1]["outside"]


def test_a_run_that_diverges(capsys, no_figures):
    """The others go on; its last good weights are kept; one line; status 2; the mean says over how many."""
    wild = [*SMALL, "--eta", "1e5", "--noise", "none", "II", "--sigma", "1e-9", "--seed", 1, "--out", "r"]
    status, out, err = run(capsys, *wild)
    lines = [line for line in err if line.startswith("chaosnum: run 1, no noise, seed 1: training diverged at step")]
    assert status == 2 and len(lines) == 1 and "eta" in lines[0]
    file = Path("r/checkpoints/width110-depth1-standard-none-seed1.safetensors")
    assert lines[0].endswith(f"its weights at step 0 are in {file}")
    weights, about = checkpoint.load(file)
    assert [w.shape for w in weights] == [(5, 110), (110, 3)] and about["state"]["step"] == 0
    kept = json.loads(Path("r/train.json").read_text())
    assert [r["stopped"] for r in kept["runs"]] == ["diverged"] * 2 and kept["finished"]
    assert "diverged: none, seed 1; II α 1.75, seed 1." in " ".join(out.split())
    again = run(capsys, "--resume", "r")  # it would only diverge again
    assert again[0] == 2 and again[1].splitlines()[:-1] == out.splitlines()[:-1]


def test_the_mean_over_what_is_left():
    cell = {"mean": 0.5, "sd": None}
    row = {"width": 9, "depth": 1, "parametrisation": "standard", "unit": "relu", "noise": "II", "alpha": 1.75,
           "outside": "", "seeds": [1, 3], "diverged": [2], "cap": [3], "difference": None, "sigma": 0.1,
           **dict.fromkeys(("steps", "train_before", "test_before", "share", "train_after", "test_after"), cell),
           "tail": {"mean": 1.7, "sd": None, "seeds": 1}}  # fmt: skip
    settings = experiment.Settings(seed=(1, 2, 3)).as_dict()
    said = " ".join(traintable.notes({"settings": settings, "table": [row]}))
    assert "diverged: II α 1.75, seed 2; the mean is over the other seeds, as many as (n) says." in said
    assert "* ended at 100000 steps, below the 95 %" in said and "not at equal accuracy: II α 1.75, seed 3." in said
    many = {"settings": settings, "table": [{**row, "width": width} for width in range(5)]}
    said = " ".join(traintable.notes(many))
    assert "II α 1.75 (1 hidden layer of 2 ReLU units, standard parametrisation), seed 2; and 2 more settings" in said
    cells = traintable._cells(row, settings)
    assert cells[0].endswith("* (2)") and cells[-1] == "1.70 (1)"


def test_one_seed_has_no_interval(capsys, no_figures):
    several = ["--noise", "none", "II", "--depth", 1, 2, "--target", "0.9", "--width", 9, "--seed", 1]
    _, out, err = run(capsys, *SMALL, *several, "--out", "r")
    assert out.count("  less the run without noise of the same seed:\n") == 2 and "±" not in out
    assert "a run ends one step after the evaluation that reaches the target" in out
    starts = [line.split(":")[1] for line in err[1:]]
    networks = [" no noise, depth 1", " II α = 1.75, depth 1", " no noise, depth 2", " II α = 1.75, depth 2"]
    assert starts == [f"{words}, seed 1" for words in networks]  # what varies is named


@pytest.mark.parametrize("width", [60, 80])
def test_progress_on_a_terminal_is_not_cut_off(monkeypatch, width):
    """Loss, accuracy and speed are read on every frame, however narrow."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with trainprogress.Progress(4, 800, stream=stream) as progress:
        progress.begin(3, "III-paper α = 1.75, width 10000, mean-field, seed 12", 0)
        time.sleep(0.01)
        progress.update(SimpleNamespace(step=77_777, loss=0.123, accuracy=0.987), 78_000)
        progress._bar.refresh()
        progress.drawing()
    said = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[━╸╺]|\d+:\d\d:\d\d", " ", stream.getvalue()).split())
    assert "III-paper α = 1.75, width 10000, mean-field, seed 12: step 77777, loss 0.123, train 98.7 %," in said
    assert "steps/s" in said and "drawing the figures" in said and "…" not in said


# ---------------------------------------------------------------- stopped, killed, resumed

OFTEN = "from chaosnum import trainfolder; trainfolder.SECONDS = 0.02; "
START = f"import sys; {OFTEN}from chaosnum import cli; sys.exit(cli.main(sys.argv[1:]))"


def stopped(how, argv, path):
    """Start the command in a process of its own and stop it once it has checkpoints -> status, stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, "train", *argv], stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(Path(path).glob("checkpoints/*.safetensors")) and time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    time.sleep(0.05)
    process.send_signal(how)
    begun = time.monotonic()
    err = process.communicate(timeout=60)[1]
    return process.returncode, err.splitlines(), time.monotonic() - begun


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_to_the_same_bits(capsys, no_figures, how):
    # Of width 90 no tail is fitted, which would take longer than the training.
    long = [*SMALL, "--noise", "none", "III", "--seed", "1", "--cap", "2000", "--width", "90"]
    status, err, seconds = stopped(how, [*long, "--out", "cut"], "cut")
    again = "chaosnum train --resume cut"
    if how == signal.SIGINT:
        assert (status, err[-1]) == (130, f"chaosnum: stopped; 0 of 2 runs are finished; go on with: {again}")
        assert seconds < 5  # at once, on a machine that does other things too
    else:
        assert status == -9
    (file,) = Path("cut/checkpoints").glob("*.safetensors")
    step = checkpoint.load(file)[1]["state"]["step"]
    assert 0 <= step < 2000 and step % 10 == 0
    status, out, _ = run(capsys, *shlex.split(again)[2:])
    assert status == 0
    assert run(capsys, *long, "--out", "whole")[1].splitlines()[:-1] == out.splitlines()[:-1]
    for weights in Path("whole/weights").iterdir():
        assert weights.read_bytes() == Path("cut/weights", weights.name).read_bytes()
    found = [json.loads(Path(d, "train.json").read_text())["runs"] for d in ("whole", "cut")]
    for result in [*found[0], *found[1]]:
        result.pop("seconds")
    assert found[0] == found[1] and not Path("cut/checkpoints").exists()


def begun(capsys, monkeypatch, name="r"):
    """A grid whose second run was stopped by an error, its checkpoint there."""
    real, count = trainfolder.Folder.due, iter(range(100))
    monkeypatch.setattr(trainfolder.Folder, "due", lambda self: True)
    finish = experiment.result

    def fails(chosen, one, *rest, **options):
        if next(count):
            raise OSError(28, "No space left on device")
        return finish(chosen, one, *rest, **options)

    monkeypatch.setattr(experiment, "result", fails)
    status, _, err = run(capsys, *GRID, "--out", name)
    kept = f"what is finished is kept, go on with: chaosnum train --resume {name}"
    assert status == 2 and err[-1] == f"chaosnum: error: [Errno 28] No space left on device; {kept}"
    monkeypatch.setattr(experiment, "result", finish)
    monkeypatch.setattr(trainfolder.Folder, "due", real)
    (file,) = Path(name, "checkpoints").iterdir()
    return file


def test_what_resume_refuses(capsys, here, monkeypatch, no_figures):
    file = begun(capsys, monkeypatch)
    before = {f: f.read_bytes() for f in here.rglob("*") if f.is_file()}

    def refused(words, *argv):
        status, out, err = run(capsys, *argv)
        assert (status, out) == (2, "") and err[-1].startswith("chaosnum: error: ") and words in err[-1], err
        assert sum(line.startswith("chaosnum: error") for line in err) == 1

    refused("RUN must be a folder written by chaosnum train, got 'no': No such file", "--resume", "no")
    refused("RUN must be a folder written by chaosnum train, got '.': it has no train.json", "--resume", ".")
    refused("--resume takes its settings from RUN: leave out --eta", "--resume", "r", "--eta", "1")
    refused("--resume takes its settings from RUN: leave out --out", "--resume", "r", "--out", "x")
    refused("--resume takes its settings from RUN: leave out --prune-error", "--resume", "r", "--prune-error", ".1")
    refused("threads must be a whole number >= 1, got 0", "--resume", "r", "--threads", "0")
    refused("out holds runs that are not finished", *GRID, "--out", "r")
    assert {f: f.read_bytes() for f in here.rglob("*") if f.is_file()} == before

    data = Path("blobs.npz").read_bytes()
    arrays = dict(np.load("blobs.npz"))
    np.savez("blobs.npz", X=arrays["X"] + 1, y=arrays["y"])
    refused("data must be those that the run was begun with: got 'blobs.npz' of SHA-256", "--resume", "r")
    Path("blobs.npz").rename("moved.npz")
    refused("--resume takes --data and --data-dir, if the data were moved", "--resume", "r")
    refused("data must be those that the run was begun with", "--resume", "r", "--data", "digits")
    Path("moved.npz").unlink()
    Path("blobs.npz").write_bytes(data)

    raw = file.read_bytes()
    file.write_bytes(raw[:-9])
    refused(f"{str(file)!r} ", "--resume", "r")
    refused("delete it to begin this run anew", "--resume", "r")
    assert file.read_bytes() == raw[:-9]
    file.unlink()
    assert run(capsys, "--resume", "r")[0] == 0


def test_resume_looks_at_the_weights_of_finished_runs(capsys, here, no_figures):
    assert run(capsys, *GRID, "--out", "r")[0] == 0
    file = sorted(Path("r/weights").iterdir())[1]
    raw, table = file.read_bytes(), json.loads(Path("r/train.json").read_text())["table"]
    file.write_bytes(raw[:40] + bytes([raw[40] ^ 1]) + raw[41:])
    status, out, err = run(capsys, "--resume", "r")
    assert (status, out) == (2, "") and file.name in err[-1] and err[-1].endswith("delete it to begin this run anew")
    file.unlink()
    assert run(capsys, "--resume", "r")[0] == 0
    assert file.read_bytes() == raw and json.loads(Path("r/train.json").read_text())["table"] == table


def test_the_data_may_have_moved(capsys, here, monkeypatch, no_figures):
    begun(capsys, monkeypatch)
    Path("elsewhere").mkdir()
    Path("r").rename("elsewhere/r")
    Path("blobs.npz").rename("elsewhere/blobs.npz")  # together: found
    monkeypatch.chdir("/")
    assert run(capsys, "--resume", here / "elsewhere" / "r")[0] == 0


def test_nothing_is_kept_of_a_grid_that_fails_at_once(capsys, here, monkeypatch):
    def fails(*_, **__):
        raise MemoryError

    monkeypatch.setattr(experiment, "training", fails)
    status, out, err = run(capsys, *GRID, "--out", "a/b")
    assert (status, out, err[-1]) == (2, "", "chaosnum: error: not enough memory")
    assert os.listdir() == ["blobs.npz"]


def test_a_figure_that_fails_takes_no_numbers_with_it(capsys, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no\nink")

    monkeypatch.setattr(report, "save", fails)
    status, out, err = run(capsys, *SMALL, "--noise", "none", "--seed", 1, "--out", "r")
    assert status == 0 and err[-1] == "chaosnum: a figure could not be drawn: RuntimeError: no ink" and "none" in out


# ---------------------------------------------------------------- wrong usage

WRONG = {
    "no such data": (["--data", "x.npz"], "data 'x.npz' cannot be read: No such file or directory"),
    "no name": (["--data", ""], "data must be the name of a data set, got ''"),
    "scaling": (["--scaling", "log"], "scaling must be one of none, unit, standardize, columns, rows, got 'log'"),
    "data-dir": (["--data-dir", "x"], "--data-dir is for --data mnist and --data ecg5000 alone, got 'x' for 'blobs."),
    "labels": (["--labels", "all"], "labels must be left out for all data but ecg5000, got 'all'"),
    "labels words": (["--labels", "both"], "labels must be all, or left out, got 'both'"),
    "width": (["--width", "0"], "width must be a whole number in [1, 16777216], got 0"),
    "width words": (["--width", "wide"], "must be a number, got 'wide'"),
    "depth": (["--depth", "5"], "depth must be a whole number in [1, 4], got 5"),
    "deep mean field": (["--depth", "2", "--parametrisation", "mean-field"], "depth must be 1 for the mean-field"),
    "unit": (["--unit", "step"], "unit must be one of relu, tanh, sigmoid, got 'step'"),
    "parametrisation": (["--parametrisation", "ntk"], "parametrisation must be one of standard, mean-field, got 'ntk'"),
    "noise": (["--noise", "none", "IV"], "noise must be one of none, I, II, III, III-paper, got 'IV'"),
    "alpha": (["--alpha", "1.5", "2.1"], "alpha must lie in (0, 2], got 2.1"),
    "sigma": (["--sigma", "-1"], "sigma must lie in [0, inf), got -1"),
    "sigma 0": (["--sigma", "0"], "sigma must lie in (0, inf), got 0.0"),
    "eta": (["--eta", "nan"], "eta must lie in (0, inf), got nan"),
    "batch": (["--batch", "121"], "batch must be a whole number in [1, 120], got 121"),
    "batch words": (["--batch", "all"], "must be a number or full, got 'all'"),
    "target": (["--target", "95"], "target must lie in (0, 1], got 95"),
    "target words": (["--target", "never"], "must be a number or none, got 'never'"),
    "every": (["--every", "0"], "every must be a whole number >= 1, got 0"),
    "cap": (["--cap", "1.5"], "cap must be a whole number in [1, 4294967295], got 1.5"),
    "seed": (["--seed", "-1"], "seed must be a whole number in [0, 9223372036854775807], got -1"),
    "dtype": (["--dtype", "half"], "dtype must be one of float32, float64, got 'half'"),
    "prune error": (["--prune-error", "0"], "prune-error must lie in (0, 1), got 0"),
    "scope": (["--scope", "net"], "scope must be one of layer, global, got 'net'"),
    "threads": (["--threads", "0"], "threads must be a whole number >= 1, got 0"),
    "out is a file": (["--out", "blobs.npz"], "out must be a folder that can be written to, got 'blobs.npz'"),
    "out is in use": (["--out", "."], "out must be a new or empty folder or one of an earlier train, got '.'"),
    "out is nowhere": (["--out", "/proc/nowhere/x"], "out must be a folder that can be written to"),
    "a word too many": (["x"], "unrecognized arguments: x"),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line(capsys, argv, words):
    given = [] if "--data" in argv else ["--data", "blobs.npz"]
    status, out, err = run(capsys, *given, *argv)
    assert (status, out, len(err)) == (2, "", 1)
    assert err[0].startswith("chaosnum: error: ") and words in err[0]
    assert os.listdir() == ["blobs.npz"]  # nothing half-written


@pytest.mark.parametrize("raw", [b"", b"a,b\n1,2\n", b"1,0\n2,0\n", b"PK\x03\x04", b"1,0\nnan,1\n"])
def test_bad_data_are_one_line(capsys, raw):
    Path("mine.csv").write_bytes(raw)
    status, out, err = run(capsys, "--data", "mine.csv")
    assert (status, out, len(err)) == (2, "", 1)
    assert sorted(os.listdir()) == ["blobs.npz", "mine.csv"]


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from chaosnum import cli\ntry: cli.main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'numba', 'matplotlib', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith("  -"))
    commands = re.findall(r"^  (chaosnum train.*?)(?:   .*)?$", done.stdout, re.M)
    assert len(commands) == 5
    for command in commands:
        assert cli._parser().parse_args(shlex.split(command)[1:]).run is cli_train._train


def test_default_folder(capsys, here, no_figures):
    run(capsys, *SMALL, "--noise", "none", "--seed", 1)
    (folder,) = (here / "runs").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-train", folder.name)
