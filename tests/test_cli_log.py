"""``chaosnum verify --log FILE``: what a run writes there, whatever ends it, and what is refused."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from test_runlog import read
from toy_claims import SLOW

import chaosnum
from chaosnum import cli, runabout, runlog

HERE = Path(__file__).parent


def run(capsys, *argv):
    """Exit status, stdout and stderr."""
    status = cli.main(["verify", *map(str, argv)])
    return status, *capsys.readouterr()


def test_a_run_tells_all_that_is_documented(capsys, toys, tmp_path):
    log = tmp_path / "log.jsonl"
    status, out, _ = run(capsys, "T1", "T2", "--out", tmp_path / "run", "--log", log, "--seed", 1)
    lines = read(log)
    assert status == 1 and "violated" in out
    events = [line["event"] for line in lines]
    assert (events[0], events[-1]) == ("started", "finished") and set(events) <= set(runlog.EVENTS)
    assert (events.count("verdict"), events.count("figure")) == (3, 2)
    assert len({line["run"] for line in lines}) == 1 and re.fullmatch("[0-9a-f]{8}", lines[0]["run"])
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times) and all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", line["time"]) for line in lines)
    first, last = lines[0], lines[-1]
    about = {"command": "chaosnum verify T1 T2 --seed 1", "version": chaosnum.__version__, "budget": "quick", "seed": 1,
             "control": None, "cases": 3, "verdicts": 3, "cells": 192, "folder": "run"}  # fmt: skip
    assert {key: first[key] for key in about} == about and first["workers"] >= 1
    assert (last["holds"], last["violated"], last["status"]) == (2, 1, 1) and last["seconds"] > 0
    verdicts = [line for line in lines if line["event"] == "verdict"]
    shown = json.loads((tmp_path / "run" / "verdicts.json").read_text())["verdicts"]
    for verdict in verdicts:
        (same,) = [v for v in shown if (v["claim"], v["params"]) == (verdict["claim"], verdict["params"])]
        assert all(verdict[key] == same[key] for key in ("name", "model", "statistic", "verdict", "reason", "control"))
    pictures = [name for line in lines if line["event"] == "figure" for name in line["files"]]
    assert pictures and all((tmp_path / "run" / name).is_file() for name in pictures)
    assert str(tmp_path) not in log.read_text()
    documented = runlog.__doc__
    assert all(re.search(rf"\b{key}\b", documented) for line in lines for key in line), "a field is not documented"


def test_a_second_run_is_appended_and_tells_what_was_known(capsys, toys, tmp_path):
    log = tmp_path / "log.jsonl"
    argv = ("T1", "--ledger", tmp_path / "ledger.sqlite", "--out", tmp_path / "run", "--log", log)
    assert run(capsys, *argv)[0] == 0
    before = log.read_bytes()
    assert run(capsys, *argv)[0] == 0
    assert log.read_bytes().startswith(before)
    one, two = ([line for line in read(log) if line["run"] == name] for name in dict.fromkeys(
        line["run"] for line in read(log)))  # fmt: skip
    assert [line["event"] for line in one].count("known") == 0
    assert sum(line["event"] == "known" for line in two) >= 1
    assert max(line["cells"] for line in two if line["event"] == "known") == 128
    assert not any(line["cells_per_second"] for line in two if line["event"] == "progress")


def test_controls_are_caught_and_missed(capsys, toys, tmp_path):
    run(capsys, "T1", "--control", "all", "--out", tmp_path / "run", "--log", tmp_path / "log")
    found = {(line["control"], line["outcome"]) for line in read(tmp_path / "log") if line["event"] == "verdict"}
    assert found == {("constant", "caught"), ("harmless", "missed")}
    assert (read(tmp_path / "log")[-1]["caught"], read(tmp_path / "log")[-1]["missed"]) == (2, 2)


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """A folder with what is no log, in which nothing is to change; and no run is to begin."""
    from chaosnum import sweep

    monkeypatch.setattr(sweep, "verify", lambda *_, **__: pytest.fail("it ran"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    contents = {
        "text.txt": b"mine\n", "other.jsonl": b'{"event": "started"}\n', "number.jsonl": b"1\n", "list.json": b"[]\n",
        "middle.jsonl": b'{"time": "", "run": "", "event": "verdict", "version": "", "command": ""}\n',
        "binary": b"\x00\xff\xfe" * 1000, "blank": b"\n",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    os.symlink(tmp_path / "folder" / "gone" / "x", tmp_path / "dangling")
    return tmp_path


OTHER = "log must be a new file or one that --log wrote, got"
WRONG = {
    "-": "log must be a file, got '-': standard output is the table's",
    "": "log must be a file, got ''",
    "folder": "log must be a file that can be written to, got 'folder': Is a directory",
    "folder/": "log must be a file that can be written to, got 'folder/': Is a directory",
    "nowhere/log": "log must be in a folder that is there, got 'nowhere/log'",
    "text.txt/log": "log must be in a folder that is there, got 'text.txt/log'",
    "/proc/log": "log must be a file that can be written to, got '/proc/log'",
    "pipe": "log must be a file that can be written to, got 'pipe'",  # nobody reads it
    "dangling": "log must be a file that can be written to, got 'dangling'",
    **dict.fromkeys(("text.txt", "other.jsonl", "number.jsonl", "list.json", "middle.jsonl", "binary", "blank"), OTHER),
}  # fmt: skip


@pytest.mark.parametrize(("name", "words"), WRONG.items(), ids=[name or "(empty)" for name in WRONG])
def test_what_is_no_log_is_refused_before_anything_runs(capsys, toys, somewhere, name, words):
    before = {path.name: path.is_file() and path.read_bytes() for path in somewhere.iterdir()}
    status, out, err = run(capsys, "T1", "--log", name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"chaosnum: error: {words}") and (words != OTHER or f"{name!r}, which is something" in err)
    assert {path.name: path.is_file() and path.read_bytes() for path in somewhere.iterdir()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_place_without_permission_is_refused(capsys, toys, somewhere):
    (somewhere / "folder").chmod(0o500)
    status, out, err = run(capsys, "T1", "--log", "folder/log")
    assert (status, out) == (2, "") and "folder/log': Permission denied" in err


def test_a_run_that_is_refused_leaves_no_log(capsys, toys, somewhere):
    for argv in (["T9"], ["T1", "--alpha", "3"], ["T1", "--out", "."]):
        assert run(capsys, *argv, "--log", "log.jsonl")[0] == 2
        assert not (somewhere / "log.jsonl").exists()


def test_an_empty_file_is_taken(capsys, toys, tmp_path):
    (tmp_path / "log").touch()
    assert run(capsys, "T3", "--out", tmp_path / "run", "--log", tmp_path / "log")[0] == 0
    assert read(tmp_path / "log")[-1]["event"] == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_does_not_take_the_run_down(capsys, toys, tmp_path):
    status, out, err = run(capsys, "T1", "T3", "--out", tmp_path / "run", "--log", "/dev/full")
    assert status == 0 and "none violated" in out
    assert err.count("the log /dev/full has gaps: No space left on device; the run goes on") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["finished"]


def test_a_measure_that_fails_is_told(capsys, toys, tmp_path):
    def fails(n, *, seed, data):
        raise RuntimeError(f"no\nluck with {data}")

    file = tmp_path / "mine.csv"
    file.write_text("1,2,0\n3,4,1\n")
    toys[:] = [chaosnum.Claim("F", "", "", measure=fails, scales=[1, 2, 3], params={"data": "digits"},
                              predicts=chaosnum.PowerLaw(-1.0))]  # fmt: skip
    status, *_ = run(capsys, "--data", file, "--out", tmp_path / "run", "--log", tmp_path / "log")
    lines = read(tmp_path / "log")
    assert status == 2 and [line["event"] for line in lines] == ["started", "failed"]
    assert "F: measure at n = 1" in lines[1]["message"] and lines[1]["message"].endswith("no luck with mine.csv")
    assert str(tmp_path) not in (tmp_path / "log").read_text()
    assert lines[0]["command"] == "chaosnum verify --data mine.csv"


@pytest.mark.parametrize("claims", [["S1", "S2"], ["S2"]])
def test_ctrl_c_leaves_a_last_line(tmp_path, claims):
    code, log = SLOW.format(root=str(HERE.parent), here=str(HERE)), tmp_path / "log"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "verify", *claims, "--out", tmp_path / "run", "--log", log],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        wanted = '"verdict"' if "S1" in claims else '"progress"'
        while time.monotonic() < deadline and child.poll() is None and not (log.exists() and wanted in log.read_text()):
            time.sleep(0.05)
        time.sleep(0.3)
        sent = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        stdout, err = child.communicate(timeout=20)
        took = time.monotonic() - sent
    finally:
        child.kill()
    assert (child.returncode, stdout) == (130, "") and "chaosnum: stopped" in err and took < 1
    lines = read(log)
    last = lines[-1]
    assert last["event"] == "stopped" and sum(line["event"] == "stopped" for line in lines) == 1
    assert last["of_cells"] == 12 * len(claims) and last["claims"] == len(claims) - 1
    assert last["holds"] + last["inconclusive"] == len(claims) - 1


PLACES = {
    "--log FILE": ["--log", "/home/me/l"],
    "--log=FILE": ["--log=/home/me/l"],
    "the beginning of a name": ["--o", "/home/me/l", "--led=/home/me/l"],
    "several": ["--log", "--log", "--out", "x", "--ledger=/home/me/l", "--json", "--no-ledger"],
    "data": ["--data", "/home/me/x.csv"],
    "data=": ["--data=/home/me/x.csv"],
}


@pytest.mark.parametrize("words", PLACES.values(), ids=PLACES)
def test_the_command_names_no_place(words):
    found = runabout.command(["verify", "T", *words, "--seed", "2"])
    data = {"--data": " --data x.csv", "--data=/home/me/x.csv": " --data=x.csv"}.get(words[0], "")
    assert found == f"chaosnum verify T{data} --seed 2"
