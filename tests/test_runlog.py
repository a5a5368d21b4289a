"""The log of a run by itself: strict JSON a line, whole lines, names without places, and no harm to the run."""

import contextlib
import json
import os
import threading
import time
from pathlib import Path

from chaosnum.runlog import RunLog


def no_constants(name):
    raise ValueError(f"{name} is not JSON")


def read(path):
    """The lines of a log."""
    text = Path(path).read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=no_constants) for line in text.splitlines()]


def started(path, **more):
    """A log with a first line."""
    log = RunLog(path, **more)
    log.write("started", command="chaosnum verify", version="0")
    return log


def test_a_torn_line_is_ended(tmp_path):
    log = started(tmp_path / "log")
    log.close()
    with open(tmp_path / "log", "ab") as file:
        file.write(b'{"time": "2026')
    log = started(tmp_path / "log")
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in (lines[0], lines[2])] == ["started"] * 2 and len(lines) == 3


def test_lines_that_were_lost_are_counted(capsys, tmp_path, monkeypatch):
    """A disk that is full for a while, in the middle of a line."""
    log = started(tmp_path / "log")
    whole = os.write

    def half(file, data):
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return whole(file, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    log.write("known", cells=1)
    log.write("known", cells=2)
    monkeypatch.setattr(os, "write", whole)
    log.write("known", cells=3)
    log.write("known", cells=4)
    log.close()
    assert capsys.readouterr().err.count("has gaps") == 1
    sound = []
    for line in (tmp_path / "log").read_text().splitlines():
        with contextlib.suppress(ValueError):
            sound.append(json.loads(line))
    assert [(line["event"], line.get("cells"), line.get("lost")) for line in sound] == [
        ("started", None, None), ("known", 3, 2), ("known", 4, None),
    ]  # fmt: skip


def test_numbers_that_json_does_not_know(tmp_path):
    log = started(tmp_path / "log")
    log.write("verdict", params={"alpha": float("nan"), "sigma": float("inf")}, reason="a\nb \udc80 α")
    log.close()
    line = read(tmp_path / "log")[1]
    assert line["params"] == {"alpha": None, "sigma": None} and line["reason"] == "a\nb ? α"


def test_only_names_of_files_are_written(tmp_path):
    log = started(tmp_path / "log", private=["my data/sets/x.csv", "/", "..", None, ""])
    log.write("failed", message="T: measure at n = 1, data = my data/sets/x.csv raised: '/home/me/secret.bin' and "
                                "C:\\Users\\me\\y.npz, 1/2 of n/m at https://example.org/a/b")  # fmt: skip
    log.close()
    assert read(tmp_path / "log")[1]["message"] == (
        "T: measure at n = 1, data = x.csv raised: 'secret.bin' and y.npz, 1/2 of n/m at https://example.org/a/b"
    )


def test_nothing_comes_before_the_start_or_after_the_end(tmp_path):
    log = RunLog(tmp_path / "log")
    log.write("failed", message="too early")
    assert not (tmp_path / "log").exists()
    log.write("started", command="chaosnum verify", version="0")
    log.write("finished", status=0)
    log.write("figure", files=[], error="too late")
    log.close()
    log.write("known", cells=1)
    assert [line["event"] for line in read(tmp_path / "log")] == ["started", "finished"]


def test_runs_may_share_a_file_and_threads_a_run(tmp_path):
    logs = [started(tmp_path / "log") for _ in range(2)]

    def write(log, first):
        for k in range(200):
            log.write("known", cells=first + k, filler="x" * 200)

    threads = [threading.Thread(target=write, args=(log, 1000 * i)) for log in logs for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = read(tmp_path / "log")
    assert len(lines) == 2 + 6 * 200
    assert all(sum(line["run"] == log._run for line in lines) == 601 for log in logs)


def test_a_pipe_that_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    seen = []
    reader = threading.Thread(target=lambda: seen.extend((tmp_path / "pipe").read_text().splitlines()))
    reader.start()
    for _ in range(100):  # until it is there
        with contextlib.suppress(ValueError):
            log = started(tmp_path / "pipe")
            break
        time.sleep(0.05)
    log.write("finished", status=0)
    log.close()
    reader.join(10)
    assert [json.loads(line)["event"] for line in seen] == ["started", "finished"]
