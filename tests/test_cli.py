"""The command line: exit statuses, one-line errors, strict JSON, nothing half-written, Ctrl-C."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_claims

import chaosnum
from chaosnum import claim, cli, cli_verify

HERE = Path(__file__).parent


def no_constants(name):
    raise ValueError(f"{name} is not JSON")


def strict_json(text):
    return json.loads(text, parse_constant=no_constants)


def run(capsys, *argv):
    """Exit status, stdout and the lines of stderr that are errors."""
    try:
        status = cli.main([str(word) for word in argv])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, [line for line in err.splitlines() if line.startswith("chaosnum: error: ")], err


def test_help_names_every_command_and_status(capsys):
    status, out, _, _ = run(capsys, "--help")
    assert status == 0
    for word in ("list", "verify", "proof", "plan", "fit", "report", "bench", "Exit status"):
        assert word in out


def test_version_has_one_source(capsys):
    root = HERE.parent
    assert run(capsys, "--version")[1].strip() == f"chaosnum {chaosnum.__version__}"
    assert f"version: {chaosnum.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"## [{chaosnum.__version__}]" in (root / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("word", ["--help", "list"])
def test_answers_without_heavy_imports(word):
    heavy = ("numpy", "scipy", "numba", "matplotlib", "pandas", "sklearn", "rich")
    code = (
        f"import sys; from chaosnum import cli\ntry: cli.main([{word!r}])\nexcept SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"


def test_every_public_name_resolves():
    for name in dir(chaosnum):
        assert getattr(chaosnum, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        chaosnum.nonsense  # noqa: B018


def test_list(capsys, toys):
    status, out, _, _ = run(capsys, "list")
    assert status == 0
    for c in toys:
        assert c.id in out and c.statement in out
    listed = strict_json(run(capsys, "list", "--json")[1])
    assert listed["version"] == chaosnum.__version__
    assert [c["id"] for c in listed["claims"]] == ["T1", "T2", "T3", "T4"]
    assert listed["claims"][0]["controls"] == {"constant": "does not decay", "harmless": "nothing is spoilt"}


def test_verify_writes_every_number(capsys, toys, tmp_path):
    status, out, errors, err = run(capsys, "verify", "t1", "--out", tmp_path / "run")
    assert (status, errors) == (0, [])
    assert "\x1b" not in out + err  # no escape codes in a pipe
    assert "holds" in out and "2 hold, none inconclusive, none violated" in out
    names = {p.name for p in (tmp_path / "run").iterdir()}
    stem = "t1-decay-toy-mean-of-error"
    tables = {"run.json", "verdicts.json", "verdicts.csv", "points.csv", "samples.csv"}
    assert names == tables | {f"{stem}.png", f"{stem}.pdf"}
    about = strict_json((tmp_path / "run" / "run.json").read_text())
    assert about["finished"] and about["command"] == "chaosnum verify t1" and set(about["files"]) == names
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()
    with open(tmp_path / "run" / "samples.csv", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 2 * 4 * 16
    cell = cells[17]  # a value can be had again from its line alone
    again = toys[0].measure(int(cell["at"]), seed=int(cell["seed"]), alpha=float(cell["alpha"]), sigma=1.0, T=1.0)
    assert again == float(cell["value"])
    with open(tmp_path / "run" / "points.csv", newline="") as file:
        points = [row for row in csv.DictReader(file) if row["alpha"] == "1.5"]
    shown = strict_json((tmp_path / "run" / "verdicts.json").read_text())["verdicts"][0]
    assert [float(p["estimate"]) for p in points] == [p["estimate"] for p in shown["points"]]


def test_verify_prints_one_json_object(capsys, toys, tmp_path):
    status, out, _, _ = run(capsys, "verify", "--json", "--out", tmp_path / "run", "--seed", 0)
    assert status == 1  # T2 is wrong
    shown = strict_json(out)
    assert list(shown) == ["version", "seed", "seconds", "verdicts"]
    assert shown["seed"] == 0
    assert {v["claim"]: v["verdict"] for v in shown["verdicts"]}["T2"] == "violated"
    keys = {"claim", "name", "model", "params", "statistic", "scale", "claimed", "measured", "bound", "verdict",
            "sharp", "reason", "control", "points", "origin", "qualified", "needs"}  # fmt: skip
    assert all(set(v) == keys for v in shown["verdicts"])
    assert shown == strict_json((tmp_path / "run" / "verdicts.json").read_text())


def test_threads_do_not_matter(capsys, toys, tmp_path):
    for threads in (1, 4):
        run(capsys, "verify", "T1", "T3", "--threads", threads, "--out", tmp_path / str(threads))
    for name in ("samples.csv", "points.csv", "verdicts.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()


def test_options_reach_the_claims(capsys, toys, tmp_path):
    argv = ["verify", "T1", "--alpha", 1.2, 2, "--sigma", 3, "--n", 50, "1e2", 200, "--json", "--out", tmp_path / "a"]
    shown = strict_json(run(capsys, *argv)[1])["verdicts"]
    assert [v["params"] for v in shown] == [{"alpha": a, "sigma": 3.0, "T": 1.0} for a in (1.2, 2.0)]
    assert [p["scale"] for p in shown[0]["points"]] == [50, 100, 200]
    argv = ["verify", "--model", "toy", "--n", 20, 40, 80, "--eta", 0.5, 0.25, 0.125, "--json", "--out", tmp_path / "b"]
    shown = strict_json(run(capsys, *argv)[1])["verdicts"]  # n is the scale of T1 and a parameter of T3
    assert [(v["claim"], v["params"].get("n")) for v in shown] == [("T1", None)] * 2 + [("T3", n) for n in (20, 40, 80)]
    assert [p["scale"] for p in shown[-1]["points"]] == [0.125, 0.25, 0.5]


@pytest.mark.parametrize(("control", "status"), [("constant", 0), ("harmless", 1), ("all", 1)])
def test_a_control_is_to_be_caught(capsys, toys, tmp_path, control, status):
    found, out, _, _ = run(capsys, "verify", "T1", "--control", control, "--out", tmp_path / "run")
    assert found == status
    states = {line.split()[-1] for line in out.splitlines() if line.startswith("  α")}
    assert states == {"constant": {"caught"}, "harmless": {"missed"}, "all": {"caught", "missed"}}[control]


def test_strict_counts_inconclusive(capsys, toys, tmp_path, monkeypatch):
    toys[:] = [toys[2]]  # four replicas that scatter by 90 %
    narrow = ["verify", "--eta", 0.2, 0.19, 0.18, "--out", tmp_path / "run"]
    assert run(capsys, *narrow)[0] == 0
    assert run(capsys, *narrow, "--strict")[0] == 1


WRONG = {
    "no command": ([], "COMMAND"),
    "unknown command": (["nonsense"], "nonsense"),
    "unknown option": (["verify", "--nonsense"], "--nonsense"),
    "unknown claim": (["verify", "T9"], "claim must be one of T1, T2, T3, T4, got 'T9'"),
    "unknown model": (["verify", "--model", "x"], "model must be one of toy, line, network, got 'x'"),
    "unknown control": (["verify", "T1", "--control", "x"], "control must be one of all, constant, harmless, got 'x'"),
    "unknown budget": (["verify", "--budget", "x"], "budget must be one of quick, standard, full, got 'x'"),
    "unknown unit": (["verify", "--unit", "x"], "unit must be one of tanh, sigmoid, relu, got 'x'"),
    "unknown loss": (["verify", "--loss", "x"], "loss must be one of logistic, square, got 'x'"),
    "alpha above 2": (["verify", "--alpha", "2.5"], "alpha must lie in (0, 2], got 2.5"),
    "alpha 0": (["verify", "--alpha", "0"], "alpha must lie in (0, 2], got 0"),
    "alpha nan": (["verify", "--alpha", "nan"], "alpha must lie in (0, 2], got nan"),
    "alpha outside the claim's range": (["verify", "T1", "--alpha", "1.5", "0.9"], "alpha must lie in (1, 2], got 0.9"),
    "alpha a word": (["verify", "--alpha", "x"], "must be a number, got 'x'"),
    "one particle": (["verify", "--n", "1"], "n must be a whole number >= 2, got 1"),
    "half a particle": (["verify", "--n", "2.5"], "n must be a whole number >= 2, got 2.5"),
    "two scales": (["verify", "T1", "--n", "10", "20"], "scales must be 3 or more distinct positive numbers"),
    "sigma 0": (["verify", "--sigma", "0"], "sigma must lie in (0, inf), got 0"),
    "sigma inf": (["verify", "--sigma", "inf"], "sigma must lie in (0, inf), got inf"),
    "eta negative": (["verify", "--eta", "-0.1"], "eta must lie in (0, inf), got -0.1"),
    "T negative": (["verify", "--time", "-1"], "T must lie in (0, inf), got -1"),
    "seed negative": (["verify", "--seed", "-1"], "seed must be a whole number >= 0, got -1"),
    "seed too large": (["verify", "--seed", str(2**63)], "seed must be a whole number in [0, 2^63)"),
    "no thread": (["verify", "--threads", "0"], "threads must be a whole number >= 1, got 0"),
    "no data": (["verify", "--data", "/no/such/file.npz"], "data must be digits or a file"),
    "an option without a claim": (["verify", "T2", "--sigma", "1"], "sigma has no part in the chosen claims (T2)"),
    "no run": (["report", "/no/such/run"], "RUN must be the folder of a run"),
}


def test_claims_take_the_indices_they_are_about():
    from chaosnum.claim import find

    chosen = cli_verify._of_their_domain(find(["C1", "C2"], models=["kuramoto"]), [1.5, 2.0])
    assert {c.id: c.params["alpha"] for c in chosen} == {"C1": (1.5,), "C2": (1.5, 2.0)}
    assert [c.id for c in cli_verify._of_their_domain(find(["C1", "C2"], models=["kuramoto"]), [2.0])] == ["C2"]
    with pytest.raises(ValueError, match="alpha must lie in"):
        cli_verify._of_their_domain(find(["C1"]), [1.5, 2.0])


@pytest.mark.parametrize(("argv", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line(capsys, toys, tmp_path, monkeypatch, argv, words):
    monkeypatch.chdir(tmp_path)
    status, out, errors, err = run(capsys, *argv)
    assert (status, out, len(errors)) == (2, "", 1)
    assert err.count("\n") == 1 and words in errors[0]
    assert list(tmp_path.iterdir()) == []  # nothing half-written


BAD_DATA = {
    "not a number": ("x.csv", b"1,2,0\n3,nan,1\n", "X must be finite"),
    "three classes": ("x.csv", b"1,2,0\n3,4,1\n5,6,2\n", "y must hold two classes, got 3"),
    "one class": ("x.csv", b"1,2,0\n3,4,0\n", "y must hold two classes, got 1"),
    "no numbers": ("x.csv", b"a,b\nc,d\n", "must hold numbers"),
    "damaged": ("x.npz", b"PK\x03\x04nonsense", "data"),
    "unknown format": ("x.xls", b"", "data must be digits or a file ending in"),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_one_line(capsys, toys, tmp_path, monkeypatch, name, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    status, out, errors, err = run(capsys, "verify", "--data", name)
    assert (status, out, len(errors), err.count("\n")) == (2, "", 1, 1)
    assert words in errors[0]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_data_file_is_named_without_its_place(capsys, toys, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,0\n3,4,1\n")
    status, out, _, _ = run(capsys, "verify", "T4", "--data", tmp_path / "x.csv", "--json", "--out", tmp_path / "run")
    assert status == 0
    assert strict_json(out)["verdicts"][0]["params"]["data"] == "x.csv"
    for file in (tmp_path / "run").glob("*.[cj]s*"):
        assert str(tmp_path) not in file.read_text()
    about = strict_json((tmp_path / "run" / "run.json").read_text())
    assert about["command"] == "chaosnum verify T4 --data x.csv" and len(about["data"]["sha256"]) == 64


def test_out_is_checked_before_computing(capsys, toys, tmp_path, monkeypatch):
    from chaosnum import sweep

    monkeypatch.setattr(sweep, "verify", lambda *_, **__: pytest.fail("computed"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for out, words in (
        (tmp_path / "file", "File exists"),
        (tmp_path / "file" / "below", "Not a directory"),
        (tmp_path / "full", "out must be a new or empty folder or one of an earlier run"),
        ("/proc/nowhere/run", "out must be a folder that can be written to"),
    ):
        status, stdout, errors, err = run(capsys, "verify", "--out", out)
        assert (status, stdout, len(errors), err.count("\n")) == (2, "", 1, 1)
        assert words in errors[0] and str(out) in errors[0]
    assert (tmp_path / "file").read_text() == "mine"
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_an_earlier_run_is_replaced_and_nothing_else(capsys, toys, tmp_path):
    run(capsys, "verify", "--out", tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert run(capsys, "verify", "T3", "--out", tmp_path)[0] == 0
    pictures = [p.name for p in tmp_path.glob("*.png")]
    assert pictures == ["t3-steps-toy-mean-of-error.png"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_measure_that_fails_leaves_nothing(capsys, toys, tmp_path):
    def fails(n, *, seed):
        raise RuntimeError("no\nluck")

    toys[:] = [chaosnum.Claim("F", "", "", measure=fails, scales=[1, 2, 3], predicts=chaosnum.PowerLaw(-1.0))]
    status, _, errors, _ = run(capsys, "verify", "--out", tmp_path / "a" / "run")
    assert status == 2 and len(errors) == 1 and "F: measure at n = 1" in errors[0] and "luck" in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_default_folder(capsys, toys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, "verify", "T3", "--budget", "standard")
    (found,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-standard", found.name)


@pytest.mark.parametrize(("claims", "left"), [(["S1", "S2"], "1 finished verdict"), (["S2"], "before the first")])
def test_ctrl_c_stops_at_once_and_keeps_what_is_finished(tmp_path, claims, left):
    code = toy_claims.SLOW.format(root=str(HERE.parent), here=str(HERE))
    out = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "verify", *claims, "--out", out],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        ready = out / ("s1-mean-of-error.pdf" if "S1" in claims else "samples.csv")
        deadline = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.05)
        time.sleep(0.3)  # S2 is in a cell of 30 s
        sent = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        stdout, err = child.communicate(timeout=20)
        took = time.monotonic() - sent
    finally:
        child.kill()
    assert (child.returncode, stdout) == (130, "")
    assert left in err.splitlines()[-1] and "Traceback" not in err
    assert took < 1
    if "S1" in claims:
        shown = strict_json((out / "verdicts.json").read_text())["verdicts"]
        assert [v["claim"] for v in shown] == ["S1"]
        assert not strict_json((out / "run.json").read_text())["finished"]
        assert len((out / "samples.csv").read_text().splitlines()) == 1 + 12
    else:
        assert list(tmp_path.iterdir()) == []


def test_the_toys_are_what_the_tests_take_them_for():
    assert [c.id for c in toy_claims.toys()] == ["T1", "T2", "T3", "T4"]
    assert claim.BUDGETS == cli_verify.BUDGETS
