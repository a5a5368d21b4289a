"""What a run says of itself while it goes on: lines in a pipe, a display on a terminal, numbers for the log."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from chaosnum import progress as module
from chaosnum.progress import Progress

HERE = Path(__file__).parent
TOYS = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
import toy_claims
from chaosnum import cli, registry
registry.claims = {claims}
sys.exit(cli.main(sys.argv[1:]))
"""


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Lines:
    """A log that is a list."""

    def __init__(self):
        self.lines = []

    def write(self, event, **fields):
        self.lines.append((event, fields))


def cases(count=54, replicas=50):
    claim = SimpleNamespace(id="C1", name="rate", model="linear")
    about = {"claim": claim, "control": None, "scales": (10, 100), "replicas": (replicas, replicas)}
    return [SimpleNamespace(**about, cells=2 * replicas) for _ in range(count)]


def at_sixty_seconds(stream=None, **options):
    """A run of 54 claims with 100 cells each, of which 12 are done; 20 cells a second."""
    clock = Clock()
    progress = Progress(cases(), 1, stream=stream or io.StringIO(), clock=clock, **options)
    progress.started(5400)
    for k in range(1200):
        clock.now += 0.05
        progress.timed(k // 100, k % 100 // 50, 1, 0.05)
        progress.advanced(1)
        if k % 100 == 99:
            outcome = "inconclusive" if k == 599 else "holds"
            progress.judged(k // 100, outcome, k // 100 + 1, f"C1 linear: {outcome}")
    return progress, clock


def test_a_plain_line_every_ten_seconds():
    stream = io.StringIO()
    progress, clock = at_sixty_seconds(stream)
    progress.tick()
    progress.tick()
    clock.now += 9.0
    progress.tick()
    line = "1200 of 5400 cells, 12 of 54 claims, 20 cells/s, 60 s, about 210 s left: C1 linear: holds\n"
    assert stream.getvalue() == line.replace("210 s", "4 min")  # (5400 - 1200) / 20 s
    clock.now += 2.0
    progress.tick()
    assert stream.getvalue().count("\n") == 2 and "\x1b" not in stream.getvalue()


def test_nothing_is_said_of_the_time_left_without_ground():
    clock = Clock()
    progress = Progress(cases(), 1, stream=io.StringIO(), clock=clock)
    clock.now = 12.0
    assert progress.line() == "0 of 5400 cells, 0 of 54 claims, 0 cells/s, 12 s: starting"
    progress, _ = at_sixty_seconds()
    progress.advanced(4200)
    progress.say("drawing figures")
    assert progress.line() == "5400 of 5400 cells, 12 of 54 claims, 60 s: drawing figures"


def test_a_lower_bound_is_called_one_and_left_out_where_it_says_little():
    unlike = cases(2, replicas=500)
    unlike[1].claim = SimpleNamespace(id="C2", name="rate", model="linear")
    clock = Clock()
    progress = Progress(unlike, 1, stream=io.StringIO(), clock=clock)
    for k in range(950):
        clock.now += 0.1
        progress.timed(0, k // 500, 1, 0.1)
        progress.advanced(1)
        if k == 599:
            assert ", 60 s, at least 40 s left: " in progress.line()
    assert ", 95 s: " in progress.line()


def test_cells_of_a_ledger_do_not_count_for_the_rate():
    clock = Clock()
    progress = Progress(cases(2), 1, stream=io.StringIO(), clock=clock)
    progress.in_ledger(0, [100])
    progress.advanced(100)
    for _ in range(20):
        clock.now += 0.5
        progress.timed(1, 0, 1, 0.5)
        progress.advanced(1)
    at = progress.standing()
    assert (at["cells"], at["known"], at["cells_per_second"]) == (120, 100, pytest.approx(2.0))


def test_the_rate_is_of_late_and_sinks_while_nothing_comes():
    progress, clock = at_sixty_seconds()
    for _ in range(15):
        clock.now += 1.0
        progress.timed(12, 0, 1, 1.0)
        progress.advanced(1)
    assert progress.standing()["cells_per_second"] == pytest.approx(1.0)
    clock.now += 100.0
    assert 0 < progress.standing()["cells_per_second"] < 0.2


def test_totals_may_grow():
    progress, _ = at_sixty_seconds()
    before = progress.standing()["seconds_left"]
    progress.added(0, [600])
    assert "1200 of 6000 cells" in progress.line() and progress.standing()["seconds_left"] > before
    progress.in_ledger(0, [600])
    progress.advanced(600)
    assert "1800 of 6000 cells" in progress.line() and progress.standing()["seconds_left"] == before
    progress.judged(3, "violated", 12, "C1 linear: violated")  # judged again, on more
    assert progress.verdicts() == {"holds": 10, "violated": 1, "inconclusive": 1, "caught": 0, "missed": 0}


@pytest.mark.parametrize("width", [80, 60, 200])
def test_no_line_is_wider_than_the_terminal(width):
    from rich.console import Console

    progress, _ = at_sixty_seconds()
    progress.say("C6 iid of a name that is so long that it goes beyond the width of every terminal " * 3)
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system=None, width=width, height=24).print(progress._drawn())
    bar, claims, news = stream.getvalue().splitlines()
    assert all(len(line) <= width for line in (bar, claims, news)) and len(bar) == width
    assert bar.startswith(" 22 % ━") and bar.endswith(" 1200 of 5400 cells, 20 cells/s")
    assert claims.rstrip() == " claims 12 of 54: 11 hold, 1 inconclusive, none violated"
    assert news.startswith(" 60 s, about 4 min left: C6 iid of a name") and news.rstrip().endswith("…")


def test_the_log_hears_every_second_and_less_while_nothing_comes():
    log = Lines()
    progress, clock = at_sixty_seconds(log=log)
    clock.now = 60.0  # to the last bit
    progress.tick()
    for _ in range(40):
        clock.now += 0.125
        progress.advanced(1)
        progress.tick()
    assert [event for event, _ in log.lines] == ["progress"] * 6
    assert log.lines[0][1] == {
        "cells": 1200, "of_cells": 5400, "known": 0, "claims": 12, "of_claims": 54, "holds": 11, "violated": 0,
        "inconclusive": 1, "caught": 0, "missed": 0, "seconds": 60.0, "cells_per_second": 20.0,
        "seconds_left": pytest.approx(210, abs=1), "at_least": False, "most": None,
    }  # fmt: skip
    for _ in range(40):
        clock.now += 1.0
        progress.tick()
    assert len(log.lines) in (10, 11)


def test_it_speaks_while_the_run_is_silent(monkeypatch):
    """A cell that takes minutes: the lines come from a thread."""
    monkeypatch.setattr(module, "PLAIN_EVERY", 0.05)
    monkeypatch.setattr(module, "LOG_EVERY", 0.05)
    log, stream = Lines(), io.StringIO()
    with Progress(cases(), 1, stream=stream, log=log):
        time.sleep(0.5)
    assert len(log.lines) > 2 and stream.getvalue().count("\n") > 2


def test_a_pipe_that_nobody_reads_is_no_harm():
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    progress, _ = at_sixty_seconds(Broken())
    progress.tick()


@pytest.mark.parametrize(("term", "drawn"), [("xterm-256color", True), ("dumb", False)])
def test_on_a_terminal(tmp_path, term, drawn):
    """A run of the command on a terminal of 80 columns, and on one that cannot move its cursor."""
    code = TOYS.format(root=str(HERE.parent), here=str(HERE), claims="lambda: toy_claims.slow_ones()[:1]")
    theirs, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", code, "verify", "--out", tmp_path / "run"], stdin=ours, stdout=ours, stderr=ours,
        env={**os.environ, "TERM": term, "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    os.close(ours)
    seen = b""
    try:
        while data := os.read(theirs, 65536):
            seen += data
    except OSError:  # the end, as Linux tells it
        pass
    assert child.wait(30) == 0
    os.close(theirs)
    text = seen.decode()
    if not drawn:
        assert "\x1b" not in text.split("into")[1].split("claimed")[0]
        return
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden, and back
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.split("claimed")[0]))
    bars = [line for line in lines if "━" in line]
    assert bars and all(len(line) <= 80 for line in lines[1:])
    assert "100 %" in bars[-1] and "12 of 12 cells" in bars[-1]
    assert any(re.match(r" claims 1 of 1: (1|none) hold, (1|none) inconclusive, none violated", line) for line in lines)
    assert any(re.fullmatch(r" \d+ s: drawing figures", line) for line in lines)
    assert text.split("claimed")[0].count("\x1b[2K") >= 3  # what was drawn is wiped away
