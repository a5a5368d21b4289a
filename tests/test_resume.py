"""A run that is killed goes on where it was: nothing finished is lost or run twice, and the tables are those of one
that was left alone."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest

import chaosnum as cn
from chaosnum.ledger import Ledger, LedgerError
from chaosnum.sweep import Observer

SCRIPT = """
    import os, sys, time
    import numpy as np
    from chaosnum import Claim, Control, PowerLaw, cli, registry

    LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def measure(n, *, seed, beta, spoilt=False):
        until = time.perf_counter() + float(os.environ["SECONDS_A_CELL"])
        os.write(LOG, f"{seed}\\n".encode())
        x = n ** -(0.1 if spoilt else 0.5) * beta * np.random.default_rng(seed).gamma(4, 0.25)
        while time.perf_counter() < until:
            pass
        return {"gap": x, "square": x * x}

    TOY = Claim(
        "T", "a toy", "none", measure=measure, scales=[10, 20, 40, 80], replicas=20, params={"beta": (1.0, 2.0)},
        predicts={"gap": PowerLaw(-0.5), "square": PowerLaw(-1.0)},
        controls=(Control("spoilt", "slower", params={"spoilt": True}),),
    )
    registry.claims = lambda: [TOY]
    sys.exit(cli.main(["verify", "T", *sys.argv[2:]]))
"""
TABLES = ("verdicts.csv", "points.csv", "samples.csv")


@pytest.fixture
def toy(tmp_path):
    """A function that starts `verify` on the toy claim."""
    path = tmp_path / "toy.py"
    path.write_text(textwrap.dedent(SCRIPT))

    def start(name, *options, log="log", seconds=0.001):
        command = [sys.executable, path, tmp_path / log, "--out", tmp_path / name, "--threads", "1", *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                                env=os.environ | {"SECONDS_A_CELL": str(seconds)})  # fmt: skip

    return start


def ended(process):
    """What a run printed but for its time and folder, when it is through."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return [line for line in out.split("\n") if "figures and numbers in" not in line and "cells were in" not in line]


def kept(path):
    """Seeds of the cells in a ledger."""
    try:
        with Ledger(path, writing=False) as ledger:
            return {cell.seed for cell in ledger.sound()}
    except LedgerError as error:  # the kill came before the file was made
        assert "a file that is there" in str(error)
        return set()


def ran(path):
    """Seeds of the cells that were begun, in order."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_kills_at_random_instants_change_nothing(toy, tmp_path, kills):
    table = ended(toy("whole", "--no-ledger"))
    cells = ran(tmp_path / "log")
    assert len(cells) == len(set(cells)) == 160
    rng, stopped = random.Random(5), []
    for trial in range(kills):
        name = f"trial-{trial}"
        ledger = tmp_path / name / "ledger.sqlite"
        options = "--ledger", str(ledger)
        process = toy(f"{name}-killed", *options, log=f"{name}-log", seconds=0.015)
        deadline = time.monotonic() + 60
        while not ledger.exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 2.6))  # the cells take 2.4 s
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before, begun = kept(ledger), ran(tmp_path / f"{name}-log")
        stopped.append(len(before))
        assert before <= set(begun) and len(begun) - len(before) <= 8  # a chunk that was under way, at most
        (tmp_path / f"{name}-log").unlink(missing_ok=True)
        assert ended(toy(name + "-run", *options, log=f"{name}-log")) == table
        after = ran(tmp_path / f"{name}-log")
        assert before.isdisjoint(after) and before | set(after) == set(cells) and len(after) == 160 - len(before)
        for file in TABLES:
            assert (tmp_path / f"{name}-run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert 0 < sum(stopped) < 160 * kills  # kills fell into the middle


def test_two_runs_share_a_ledger_and_print_the_same(toy, tmp_path):
    both = [toy(name, "--ledger", "shared.sqlite", log=f"log-{name}") for name in ("a", "b")]
    first, second = map(ended, both)
    assert first == second and len(kept(tmp_path / "shared.sqlite")) == 160
    third = toy("c", "--ledger", "shared.sqlite", log="log-c")
    assert ended(third) == first and ran(tmp_path / "log-c") == []


def test_other_seeds_controls_and_code_are_other_cells(toy, tmp_path):
    ended(toy("a", "--ledger", "l"))
    for name, options, count in (
        ("again", (), 0), ("seed", ("--seed", "2"), 160), ("control", ("--control", "all"), 160),
    ):  # fmt: skip
        toy(name, "--ledger", "l", *options, log=f"log-{name}").communicate()
        assert len(ran(tmp_path / f"log-{name}")) == count
    script = tmp_path / "toy.py"
    script.write_text(script.read_text().replace("gamma(4, 0.25)", "gamma(5, 0.2)"))
    ended(toy("code", "--ledger", "l", log="log-code"))
    assert len(ran(tmp_path / "log-code")) == 160


def test_the_default_ledger_is_beside_the_runs_and_can_be_turned_off(toy, tmp_path, monkeypatch):
    monkeypatch.delenv("CHAOSNUM_LEDGER")
    ended(toy("off", "--no-ledger"))
    assert not (tmp_path / "runs").exists()
    ended(toy("on"))
    assert len(kept(tmp_path / "runs" / "ledger.sqlite")) == 160
    out, _ = toy("again", log="log-again").communicate()
    assert "160 of 160 cells were in runs/ledger.sqlite" in out and ran(tmp_path / "log-again") == []


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is damaged: "),
        (lambda path: path.write_text("mine, and not to be touched"), "which is something else"),
        (lambda path: _newer(path), "a newer chaosnum wrote it"),
    ],
)
def test_a_ledger_that_cannot_be_used_is_one_line_and_nothing_else(toy, tmp_path, spoil, line):
    ended(toy("a", "--ledger", "l"))
    spoil(tmp_path / "l")
    before = (tmp_path / "l").read_bytes()
    process = toy("b", "--ledger", "l", log="log-b")
    out, err = process.communicate()
    errors = [text for text in err.split("\n") if text.startswith("chaosnum: error")]
    assert process.returncode == 2 and out == "" and len(errors) == 1 and line in errors[0]
    assert (tmp_path / "l").read_bytes() == before and not (tmp_path / "b").exists() and ran(tmp_path / "log-b") == []


def _newer(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


class Count(Observer):
    """How many cells were known, and done, and what cannot be kept."""

    def __init__(self):
        self.found = self.done = 0
        self.reasons = []

    def not_kept(self, index, reason):
        self.reasons.append(reason)

    def known(self, index, cells):
        self.found += sum(cells)

    def advanced(self, cells):
        self.done += cells


def test_from_python_and_for_measures_that_cannot_be_told(tmp_path):
    """A measure that holds an open file has no fingerprint: it is run every time, and nothing is kept."""

    def claim(measure):
        return cn.Claim("T", "", "", measure=measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=4)

    def told(n, *, seed):
        return n**-0.5 * (1 + seed % 7)

    counts = []
    with open(tmp_path / "held", "w") as held:

        def untold(n, *, seed):
            return told(n, seed=seed) + 0 * held.fileno()

        for measure in (told, told, untold, untold):
            count = Count()
            cn.verify(claim(measure), ledger=tmp_path / "l", observer=count)
            counts.append((count.found, count.done))
            assert len(count.reasons) == (measure is untold)
    assert "TextIOWrapper" in count.reasons[0]
    assert counts == [(0, 12), (12, 12), (0, 12), (0, 12)]


def test_cells_are_kept_while_the_main_thread_is_busy(tmp_path):
    """Those that finish during a verdict, or whatever an observer does, are in the ledger before it is over."""

    class Slow(Observer):
        def verdict(self, verdict, samples):
            time.sleep(0.5)
            counts.append(len(kept(tmp_path / "l")))

    def measure(n, *, seed, beta):
        time.sleep(0.03)
        return beta * n**-0.5 * (1 + seed % 7)

    counts, params = [], {"beta": (1.0, 2.0)}
    claim = cn.Claim(
        "T", "", "", measure=measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=4, params=params
    )
    cn.verify(claim, ledger=tmp_path / "l", observer=Slow(), threads=1)
    assert counts[0] > 12 and counts[-1] == 24


def test_a_full_ledger_stops_the_run_with_one_line(tmp_path, monkeypatch):
    from chaosnum import ledgerfile

    def small(path):
        connection = ledgerfile.prepared(path)
        connection.execute("PRAGMA max_page_count = 12")
        return connection

    monkeypatch.setattr("chaosnum.ledger.prepared", small)

    def measure(n, *, seed):
        return n**-0.5 * (1 + seed % 7)

    claim = cn.Claim("T", "", "", measure=measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=2000)
    with pytest.raises(LedgerError, match="the disk is full; finished cells stay"):
        cn.verify(claim, ledger=tmp_path / "l")
    assert 0 < len(kept(tmp_path / "l")) < 6000
    monkeypatch.undo()
    count = Count()
    cn.verify(claim, ledger=tmp_path / "l", observer=count)
    assert count.found > 0 and len(kept(tmp_path / "l")) == count.done == 6000


def test_cells_finished_beside_one_that_fails_are_kept(tmp_path):
    """Several workers are through at once: the error of one must not take the values of the others with it."""
    from concurrent.futures import Executor, Future

    class AtOnce(Executor):
        _max_workers = 4

        def submit(self, function, /, *args):
            future = Future()
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(error)
            return future

    def measure(n, *, seed):
        if n > 15:
            raise ValueError("no more")
        return n**-0.5

    claim = cn.Claim("T", "", "", measure=measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=2)
    with pytest.raises(ValueError, match="no more"):
        cn.verify(claim, ledger=tmp_path / "l", executor=AtOnce())
    assert len(kept(tmp_path / "l")) == 2


def test_the_command_in_a_run_does_not_name_the_ledger():
    from chaosnum.runabout import command

    argv = ["verify", "T", "--ledger", "/home/me/l", "--no-ledger", "--ledger=x", "--seed", "2"]
    assert command(argv) == "chaosnum verify T --seed 2"
