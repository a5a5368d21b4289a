"""effort.py: replicas within a time go where they settle verdicts, and the verdicts stay valid."""

import json
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import chaosnum as cn
from chaosnum.effort import Effort
from chaosnum.looks import family, level
from chaosnum.sweep import Observer, plan

SCRIPT = """
    import sys, time
    import numpy as np
    from chaosnum import Claim, PowerLaw, cli, registry

    def make(name, exponent, spread, pause):
        def measure(n, *, seed):
            time.sleep(pause)
            return n**-0.5 * np.random.default_rng(seed).uniform(1 - spread, 1 + spread)

        return Claim(name, "a toy", "none", measure=measure, predicts=PowerLaw(exponent), scales=[10, 20, 40, 80],
                     replicas=8)

    registry.claims = lambda: [make("T1", -0.2, 0.3, 0.0), make("T2", -0.5, 0.9, 0.01), make("T3", -0.5, 0.9, 30.0)]
    sys.exit(cli.main(["verify", *sys.argv[1:]]))
"""


@pytest.fixture
def toy(tmp_path):
    """A function that runs `verify` on claims that are sure, open and slow -> (status, stdout, stderr)."""
    (tmp_path / "toy.py").write_text(textwrap.dedent(SCRIPT))

    def run(*options):
        command = [sys.executable, "toy.py", *options, "--no-ledger", "--out", "run"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


class Watch(Observer):
    """What was told."""

    def __init__(self):
        self.cells = self.done = self.found = 0
        self.replicas = {}

    def started(self, total):
        self.cells = total

    def added(self, index, cells):
        self.cells += sum(cells)

    def known(self, index, cells):
        self.found += sum(cells)

    def advanced(self, cells):
        self.done += cells

    def verdict(self, verdict, samples):
        assert verdict.claim not in self.replicas  # each is told once
        self.replicas[verdict.claim] = [len(x) for x in samples]


def claim(name, exponent, *, spread=0.3, seconds=0.0, replicas=8, **options):
    """A power law whose replicas scatter, of cells that take `seconds`."""

    def measure(n, *, seed):
        time.sleep(seconds)
        return n**-0.5 * np.random.default_rng(seed).uniform(1 - spread, 1 + spread)

    options = {"measure": measure, "predicts": cn.PowerLaw(exponent), "scales": [10, 20, 40, 80]} | options
    return cn.Claim(name, "", "", replicas=replicas, **options)


def test_replicas_go_to_the_open_verdicts_until_these_are_settled():
    sure, wrong, close = claim("sure", -0.2), claim("wrong", -3.0), claim("close", -0.5, seconds=0.0002)
    watch = Watch()
    found = {v.claim: v for v in cn.verify([sure, wrong, close], minutes=1.0, observer=watch)}
    assert [found[name].verdict for name in ("sure", "wrong", "close")] == ["holds", "violated", "holds"]
    assert watch.replicas["sure"] == watch.replicas["wrong"] == [8] * 4
    (count,) = set(watch.replicas["close"])
    looks = round(np.log2(count / 8)) + 1
    assert count == 8 * 2 ** (looks - 1) and looks > 3
    assert watch.done == watch.cells == 2 * 32 + 4 * count


def test_the_verdict_of_a_look_is_that_of_a_run_with_its_replicas_at_its_level():
    own = claim("T", -0.5)
    (found,) = cn.verify(own, minutes=1.0)
    replicas = found.points[0]["replicas"]
    look = round(np.log2(replicas / 8)) + 1
    (case,) = plan(claim("T", -0.5, replicas=replicas))
    samples = [np.array([own.measure(n, seed=case.seed(1, n, r)) for r in range(replicas)]) for n in case.scales]
    again = own.judge("error", case.scales, samples, params={}, family=family(look, 1), level=level(look))
    assert json.dumps(again.as_dict()) == json.dumps(found.as_dict())
    once = own.judge("error", case.scales, samples, params={})
    assert once.measured["ci"] != found.measured["ci"]  # looking again has its price


def test_what_no_replicas_settle_gets_none():
    """A floor: the curve bends, and more replicas show that better."""

    def measure(n, *, seed):
        return (1 / n + 0.01) * np.random.default_rng(seed).uniform(0.9, 1.1)

    bent = claim("bent", -0.5, scales=[10, 40, 160, 640], replicas=200, measure=measure)
    watch = Watch()
    begun = time.perf_counter()
    (found,) = cn.verify(bent, minutes=5.0, observer=watch)
    assert found.verdict == "inconclusive" and found.needs is None and watch.replicas["bent"] == [200] * 4
    assert time.perf_counter() - begun < 60


def test_the_time_is_kept_and_what_is_open_says_what_it_needs():
    slow = claim("slow", -0.5, seconds=0.01, spread=0.9)
    begun = time.perf_counter()
    watch = Watch()
    (found,) = cn.verify(slow, minutes=3 / 60, observer=watch, threads=2)
    assert time.perf_counter() - begun < 3 + 1.5
    assert found.verdict == "inconclusive" and found.needs > 1.0
    assert len(set(watch.replicas["slow"])) == 1  # a whole look


def test_cases_that_were_not_reached_have_no_verdict():
    first, last = claim("first", -0.2), claim("last", -0.2, seconds=0.05, replicas=100)
    found = cn.verify([first, last], minutes=1 / 60, threads=1)
    assert [v.claim for v in found] == ["first"]


def test_a_ledger_goes_on_where_the_time_was_over(tmp_path):
    slow, counts = claim("slow", -0.5, seconds=0.002, spread=0.9), []
    for _ in range(2):
        watch = Watch()
        cn.verify(slow, minutes=2 / 60, observer=watch, ledger=tmp_path / "l", threads=2)
        counts.append((watch.found, watch.replicas["slow"][0]))
    assert counts[0][0] == 0 and counts[1][0] >= 4 * counts[0][1] and counts[1][1] > counts[0][1]


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e12])
def test_bad_times_are_refused(minutes):
    watch = Watch()
    with pytest.raises(ValueError, match="^minutes must lie in"):
        cn.verify(claim("T", -0.5), minutes=minutes, observer=watch)
    assert watch.cells == 0


def test_the_cheapest_verdicts_come_first_and_those_that_do_not_fit_not_at_all(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("chaosnum.effort.perf_counter", lambda: clock[0])

    class Open:
        def __init__(self, needs):
            self.needs = needs

    cases = plan([claim(name, -0.5) for name in "abcd"])
    effort = Effort(cases, 1.0, 2)
    for index, (seconds, needs) in enumerate([(10.0, 3.0), (1.0, 3.0), (1.0, None), (200.0, 1.5)]):
        for j in range(4):
            effort.learn(index, j, 8, seconds / 4)
        assert effort.is_look(index)
        assert effort.judge(index, [Open(needs)]) == (needs is None)
    assert effort.next() == (1, (16,) * 4)
    assert effort.next() == (0, (16,) * 4)  # the first is under way
    assert effort.next() is None  # the last takes 200 s of the 120 that two workers have
    effort.learn(1, 0, 8, 1.0)
    assert effort.is_look(1)
    assert not effort.judge(1, [Open(2.0)]) and effort.levels(1) == {"family": family(2, 4), "level": level(2)}
    assert effort.next() == (1, (32,) * 4)
    assert effort.seconds_left() == 60
    clock[0] += 61
    assert effort.seconds_left() == 0 and effort.next() is None and effort.not_reached() == 0


def test_the_command_says_what_open_verdicts_need(toy, tmp_path):
    status, out, err = toy("T1", "T2", "--minutes", "0.08", "--log", "log")
    assert status == 0 and "1 hold, 1 inconclusive" in out and "not reached" not in out
    (line,) = (line for line in err.splitlines() if line.startswith("open: "))
    assert re.match(r"open: T2 mean of error needs about [0-9.]+ times the replicas, some [0-9.]+ (s|min)$", line)
    verdicts = json.loads((tmp_path / "run" / "verdicts.json").read_text())["verdicts"]
    assert verdicts[0]["needs"] is None and verdicts[1]["needs"] > 1
    assert verdicts[1]["points"][0]["replicas"] > 8
    added = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sum(line["cells"] for line in added if line["event"] == "added") >= 32


def test_ctrl_c_keeps_what_was_judged_and_might_have_got_more(toy, tmp_path):
    command = [sys.executable, "toy.py", "T2", "--minutes", "1", "--no-ledger", "--out", "run", "--log", "log"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip
    deadline = time.monotonic() + 60
    while not ((tmp_path / "log").exists() and '"added"' in (tmp_path / "log").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "stopped; 1 finished verdict is in run" in err
    (kept,) = json.loads((tmp_path / "run" / "verdicts.json").read_text())["verdicts"]
    assert kept["verdict"] == "inconclusive" and kept["needs"] > 1


def test_cells_of_a_ledger_are_timed_before_more_of_them_are_run(tmp_path):
    """Their cost is not known; the cheap claim must not wait for the one that does not fit."""
    slow = claim("slow", -0.5, spread=0.9, seconds=0.2)
    cheap = claim("cheap", -0.5, spread=0.9, seconds=0.001)
    cn.verify([slow, cheap], ledger=tmp_path / "l")
    watch = Watch()
    cn.verify([slow, cheap], minutes=3 / 60, observer=watch, ledger=tmp_path / "l", threads=2)
    assert watch.replicas["slow"] == [8] * 4 and watch.replicas["cheap"][0] >= 64


def test_claims_that_are_not_reached_are_counted(toy, tmp_path):
    begun = time.perf_counter()
    status, out, _ = toy("T1", "T3", "--minutes", "0.05", "--strict", "--processes", "1")
    assert time.perf_counter() - begun < 20  # a cell of the second one takes 30 s
    assert status == 1 and "1 hold, " in out
    assert "not reached in the time: 1 of 2 claims; the same command goes on from here" in out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["T1", "--minutes", "0"], "minutes must lie in (0, 525600], got 0.0"),
        (["T1", "--minutes", "soon"], "argument --minutes: must be a number, got 'soon'"),
        (["T2", "--minutes", "1e-6"], "minutes must be enough for one claim, got 1e-06"),
    ],
)
def test_times_that_will_not_do_are_one_line(toy, tmp_path, options, line):
    status, out, err = toy(*options)
    assert status == 2 and out == "" and not (tmp_path / "run").exists()
    assert line in err.splitlines()[-1] and "Traceback" not in err
