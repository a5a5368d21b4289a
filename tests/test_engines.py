"""engines.py and work.py: the same values on threads, processes, a Dask cluster and MPI, also when workers die."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import chaosnum as cn
from chaosnum import company, engines, fingerprint, registry, work
from chaosnum.sweep import Observer, plan
from chaosnum.work import CellError, EngineError

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
TABLES = ("verdicts.csv", "points.csv", "samples.csv")
ENGINES = {
    "processes": partial(engines.processes, 2),
    "dask": partial(engines.dask, engines.LOCAL, 2),
}


def decay(n, *, seed, rate, log):
    with open(log, "a") as lines:
        lines.write(f"{os.getpid()} {seed}\n")
    until = time.perf_counter() + 0.01
    x = n**rate * np.random.default_rng(seed).gamma(4, 0.25)
    while time.perf_counter() < until:
        pass
    return {"gap": x, "square": x * x}


def make(log, measure=decay, replicas=30, **options):
    controls = (cn.Control("constant", "", params={"rate": 0.0}),)
    predicts = {"gap": cn.PowerLaw(-0.5), "square": cn.PowerLaw(-1.0)}
    return cn.Claim("T", "", "", measure=measure, predicts=predicts, scales=[10, 20, 40, 80], replicas=replicas,
                    params={"rate": -0.5, "log": str(log)}, controls=controls, **options)  # fmt: skip


def text(verdicts):
    return json.dumps([v.as_dict() for v in verdicts])


def logged(path):
    """(processes, seeds) of the cells that were begun."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return {int(pid) for pid, _ in lines}, [int(seed) for _, seed in lines]


class KillOne(Observer):
    """Kills the worker that logged last, once some cells are done."""

    def __init__(self, log, after):
        self.log, self.after, self.done, self.killed = log, after, 0, None

    def advanced(self, cells):
        self.done += cells
        if self.killed is None and self.done >= self.after:
            pids = [int(line.split()[0]) for line in self.log.read_text().splitlines()]
            self.killed = next(pid for pid in reversed(pids) if pid != os.getpid())
            os.kill(self.killed, signal.SIGKILL)


@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_those_of_threads_and_survive_the_death_of_a_worker(engine, tmp_path):
    log = tmp_path / "log"
    whole = text(cn.verify(make(log)))
    log.write_text("")
    with ENGINES[engine]() as pool:
        assert text(cn.verify(make(log), executor=pool)) == whole
        used, seeds = logged(log)
        assert len(used) == 3 and os.getpid() in used  # which checks the first cell
        assert len(seeds) == 121 and len(set(seeds)) == 120
        log.write_text("")
        killer = KillOne(log, after=20)
        assert text(cn.verify(make(log), executor=pool, observer=killer)) == whole
        used, seeds = logged(log)
        assert killer.killed in used and len(used) >= 3  # a pool that was broken comes with two new ones
        assert len(set(seeds)) == 120 and killer.done == 120
        assert text(cn.verify(make(log), executor=pool, control="all")) == text(cn.verify(make(log), control="all"))


@pytest.mark.parametrize("engine", ENGINES)
def test_installed_claims_and_their_controls_are_found_by_name(engine):
    """Measures of ours are closures and lambdas, and go by name: a worker has them already."""
    claims = [c for c in registry.claims() if c.id in ("S5.1", "S6.4") and c.model != "digits"]
    claims += [replace(c, replicas=4) for c in registry.claims() if (c.name, c.model) == ("l_p-dichotomy", "gaussian")]
    with ENGINES[engine]() as pool:
        for options in ({}, {"control": "all"}):
            assert all(work._name(case) for case in plan(claims, **options))
            assert text(cn.verify(claims, executor=pool, **options)) == text(cn.verify(claims, **options))


def test_names_are_those_of_installed_claims_only():
    for claim in registry.claims():
        for control in (None, *claim.controls):
            case = next(c for c in plan(claim, control=control and control.name) if c.control is control)
            if control is None or control.is_for(case.params):
                assert work._named(*work._name(case)) is case.measure
    other = cn.Claim("C3", "", "", measure=lambda n, *, seed: 1.0, predicts=cn.PowerLaw(-0.5), scales=[1, 2, 4])
    assert work._name(plan(other)[0]) is None


def test_a_measure_in_the_users_own_module_goes_with_its_helpers(tmp_path, monkeypatch):
    """Workers need not find the user's files: here they are not on their path."""
    (tmp_path / "mine_helper.py").write_text("FACTOR = 2.0\n")
    (tmp_path / "mine.py").write_text(
        "import mine_helper\n\ndef half(x):\n    return x / mine_helper.FACTOR\n\n"
        "def measure(n, *, seed):\n    return half(n ** -0.5 * (1 + seed % 7))\n"
    )
    with engines.processes(1) as pool:
        pool.submit(int).result()  # the worker's path is set
        monkeypatch.syspath_prepend(tmp_path)
        import mine

        claim = cn.Claim("T", "", "", measure=mine.measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=4)
        assert text(cn.verify(claim, executor=pool)) == text(cn.verify(claim))


def test_a_worker_that_dies_at_its_cells_each_time_is_given_up(tmp_path):
    def deadly(n, *, seed, rate, log):
        if n == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"gap": 1.0, "square": 1.0}

    with engines.processes(1) as pool:
        with pytest.raises(EngineError, match=r"^T: 4 workers died at cells of scale 40, seed \d+, or beside them"):
            cn.verify(make(tmp_path / "log", deadly), executor=pool)
        assert pool.submit(int, 3).result() == 3


def test_an_executor_that_starts_no_other_workers_ends_the_run(tmp_path):
    def deadly(n, *, seed, rate, log):
        if n == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"gap": 1.0, "square": 1.0}

    line = "^the executor is broken: a worker died, and it starts no other"
    with ProcessPoolExecutor(1) as pool, pytest.raises(EngineError, match=line):
        cn.verify(make(tmp_path / "log", deadly), executor=pool, ledger=tmp_path / "ledger")
    from chaosnum.ledger import Ledger

    with Ledger(tmp_path / "ledger", writing=False) as ledger:
        assert sum(1 for _ in ledger.sound()) == 60


def test_errors_of_a_measure_are_told_as_on_threads(tmp_path):
    def fails(n, *, seed, rate, log):
        raise ZeroDivisionError("no drift")

    with engines.processes(1) as pool, pytest.raises(CellError, match="^T: measure at n = 10, rate = -0.5, log = "):
        cn.verify(make(tmp_path / "log", fails), executor=pool)


def test_what_cannot_be_sent_is_named(tmp_path):
    lock = threading.Lock()

    def locked(n, *, seed, rate, log):
        with lock:
            return {"gap": 1.0, "square": 1.0}

    for pool_of in (engines.processes, partial(engines.dask, "local"), lambda n: ProcessPoolExecutor(n)):
        with (
            pool_of(1) as pool,
            pytest.raises(EngineError, match="^T: its measure cannot be sent to another process: "),
        ):
            cn.verify(make(tmp_path / "log", locked), executor=pool)
    with ThreadPoolExecutor(1) as pool:
        assert cn.verify(make(tmp_path / "log", locked), executor=pool)


@pytest.mark.parametrize(
    ("what", "value", "line"),
    [
        ("code_version", "other", "workers must have the same chaosnum, Python and libraries"),
        ("machine", '["other", {}, {}]', r"workers must have the processor and the settings .* got .* there and other"),
    ],
)
def test_workers_that_would_compute_something_else_are_refused(what, value, line, monkeypatch, tmp_path):
    case = plan(make(tmp_path / "log"))[0]
    monkeypatch.setattr(fingerprint, what, lambda: value)
    sent = pickle.dumps(work.Work(case))
    monkeypatch.undo()
    with pytest.raises(EngineError, match=line):
        pickle.loads(sent)(10, [1])
    assert pickle.loads(pickle.dumps(work.Work(case)))(10, [1]).values == work.Work(case)(10, [1]).values


def test_settings_that_differ_are_named():
    mine = fingerprint.machine()
    other = json.dumps([*json.loads(mine)[:2], {"OPENBLAS_CORETYPE": "Haswell"}])
    assert "OPENBLAS_CORETYPE = Haswell there and" in work._difference(other, mine)


def test_blas_has_one_thread_in_workers(tmp_path):
    def threads(n, *, seed, rate, log):
        import numpy  # noqa: F401
        from threadpoolctl import threadpool_info

        most = max(lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas")
        return {"gap": float(most), "square": float(os.getpid() == me)}

    me = os.getpid()
    case = plan(make(tmp_path / "log", threads))[0]
    with engines.processes(2) as pool:
        done = pool.submit(work.Work(case), 10, [1, 2]).result()
    assert done.values == [{"gap": 1.0, "square": 0.0}] * 2


def test_a_worker_that_computes_something_else_ends_the_run_and_leaves_nothing_in_the_ledger(tmp_path):
    """As one with old code would."""
    me = os.getpid()

    def other(n, *, seed, rate, log):
        return {"gap": 1.0, "square": 1.0 + (os.getpid() != me)}

    line = r"^T: workers must compute what this process does, got square = 2.0 and not 1.0 at scale 10, seed \d+ "
    with engines.processes(2) as pool, pytest.raises(EngineError, match=line):
        cn.verify(make(tmp_path / "log", other), executor=pool, ledger=tmp_path / "ledger")
    from chaosnum.ledger import Ledger

    with Ledger(tmp_path / "ledger", writing=False) as ledger:
        assert list(ledger.sound()) == []


MODULE = """
import enum, functools

class Kind(enum.Enum):
    LIGHT = 1
    HEAVY = 2

@functools.lru_cache
def weight(kind):
    return 3.0 if kind is Kind.HEAVY else 1.0

def measure(n, *, seed, kind):
    return n ** -0.5 * weight(Kind.HEAVY) * (2.0 if kind is Kind.LIGHT else 1.0) * (1 + seed % 7)
"""


def test_functions_with_a_cache_and_classes_of_the_users_are_the_same_ones(tmp_path, monkeypatch):
    """They go with the measure and its arguments, in one piece: `is` means there what it means here."""
    (tmp_path / "kinds.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import kinds

    monkeypatch.setitem(sys.modules, "another_name_of_it", kinds)
    params = {"kind": [kinds.Kind.LIGHT]}
    claim = cn.Claim("T", "", "", measure=kinds.measure, predicts=cn.PowerLaw(-0.5), scales=[10, 20, 40], replicas=4)
    case = plan(claim)[0]
    object.__setattr__(case, "arguments", {"kind": params["kind"][0]})
    sent = pickle.dumps(work.Work(case))
    monkeypatch.delitem(sys.modules, "kinds")
    assert pickle.loads(sent)(100, [5]).values == [{"error": 100**-0.5 * 3.0 * 2.0 * 6}]


def test_the_state_of_a_class_is_that_of_the_parcel(tmp_path):
    class Config:
        alpha = 1.0

    def measure(n, *, seed, rate, log):
        return {"gap": Config.alpha, "square": 1.0}

    case, sent = plan(make(tmp_path / "log", measure))[0], []
    for alpha in (1.0, 2.0, 1.0):
        Config.alpha = alpha
        sent.append(pickle.dumps(work.Work(case)))
    with engines.processes(1) as pool:
        done = [pool.submit(pickle.loads(parcel), 10, [1]).result() for parcel in sent]
    assert [d.values[0]["gap"] for d in done] == [1.0, 2.0, 1.0]


SCRIPT = """
    import os, sys, time
    import numpy as np
    from chaosnum import Claim, Control, PowerLaw, cli, registry

    def measure(n, *, seed, beta):
        with open(os.environ["CELLS"], "a") as lines:
            lines.write(f"{os.getpid()} {seed}\\n")
        until = time.perf_counter() + 0.01
        x = n ** -0.5 * beta * np.random.default_rng(seed).gamma(4, 0.25)
        while time.perf_counter() < until:
            pass
        return {"gap": x, "square": x * x}

    TOY = Claim(
        "T", "a toy", "none", measure=measure, scales=[10, 20, 40, 80], replicas=20, params={"beta": (1.0, 2.0)},
        predicts={"gap": PowerLaw(-0.5), "square": PowerLaw(-1.0)},
    )

    if __name__ == "__main__":
        registry.claims = lambda: [TOY]
        sys.exit(cli.main(["verify", "T", *sys.argv[1:]]))
"""


@pytest.fixture
def toy(tmp_path):
    """A function that starts `verify` on the toy claim, on ranks if told so."""
    path = tmp_path / "toy.py"
    path.write_text(textwrap.dedent(SCRIPT))

    def start(name, *options, ranks=0, ledger=None):
        mpiexec = [Path(sys.executable).parent / "mpiexec", "-n", str(ranks)] if ranks else []
        keeping = ["--no-ledger"] if ledger is None else ["--ledger", ledger]
        command = [*mpiexec, sys.executable, path, "--out", tmp_path / name, *keeping, *options]
        environment = os.environ | {"CELLS": str(tmp_path / f"{name}.cells")}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                                env=environment, start_new_session=True)  # fmt: skip

    return start


def ended(process, status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    return out, err


def tables(folder):
    return [(folder / name).read_bytes() for name in TABLES]


def test_tables_of_the_command_are_the_same_on_every_engine(toy, tmp_path):
    ended(toy("threads"))
    for name, options, ranks in (
        ("processes", ["--processes", "2"], 0), ("dask", ["--dask", "local"], 0),
        ("two", ["--mpi"], 2),
    ):  # fmt: skip
        out, err = ended(toy(name, *options, ranks=ranks))
        assert tables(tmp_path / name) == tables(tmp_path / "threads")
        assert out.count("95 % interval") == 1 and "Traceback" not in err and "leaked" not in err
        pids, seeds = logged(tmp_path / f"{name}.cells")
        assert len(pids) == (2 if name == "two" else 3)  # the process itself checks a cell of each case
        assert len(seeds) == 162 and len(set(seeds)) == 160


def test_a_rank_that_dies_ends_the_job_and_the_next_one_goes_on(toy, tmp_path):
    ended(toy("threads"))
    process, cells_of = toy("first", "--mpi", ranks=2, ledger="l"), tmp_path / "first.cells"
    deadline = time.monotonic() + 60
    while not (cells_of.exists() and len(cells_of.read_text().splitlines()) > 40) and time.monotonic() < deadline:
        time.sleep(0.01)
    pids = [line.split()[0] for line in cells_of.read_text().splitlines()]
    os.kill(int(max(set(pids), key=pids.count)), signal.SIGKILL)  # the one that does not only check
    process.communicate(timeout=60)
    assert process.returncode != 0
    out, _ = ended(toy("second", "--mpi", ranks=2, ledger="l"))
    assert tables(tmp_path / "second") == tables(tmp_path / "threads")
    first, second = logged(cells_of)[1], logged(tmp_path / "second.cells")[1]
    assert set(first) | set(second) == set(logged(tmp_path / "threads.cells")[1])
    assert "of 160 cells were in l" in out and len(set(first) & set(second)) <= 2 * company.QUEUED_PER_WORKER


def test_a_scheduler_elsewhere(toy, tmp_path):
    """`--dask ADDRESS`, with a scheduler and workers that were started by their own commands."""
    ended(toy("threads"))
    beside, quiet = Path(sys.executable).parent, {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    file, cells_of = tmp_path / "scheduler.json", tmp_path / "workers.cells"
    dask = partial(subprocess.Popen, cwd=tmp_path, env=os.environ | {"CELLS": str(cells_of)}, **quiet)
    shared = "--scheduler-file", file, "--no-dashboard"
    begun = [dask([beside / "dask", "scheduler", *shared, "--port", "0"])]
    try:
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        _, err = ended(toy("nobody", "--dask", address), status=2)
        assert "dask must be a cluster that has workers, got none at" in err and not (tmp_path / "nobody").exists()
        begun.append(dask([beside / "dask", "worker", *shared, "--nworkers", "2", "--nthreads", "1"]))
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        ended(toy("elsewhere", "--dask", address))
        assert tables(tmp_path / "elsewhere") == tables(tmp_path / "threads")
        cells_of.unlink()
        process = toy("gone", "--dask", address)
        while not cells_of.exists() and time.monotonic() < deadline + 60:
            time.sleep(0.01)
        begun[0].kill()
        _, err = ended(process, status=2)
        lines = err.splitlines()
        assert lines[-1].startswith("chaosnum: error: the executor has cancelled cells") and len(lines) == 2
    finally:
        for process in begun:
            process.terminate()
            process.wait(timeout=30)


@pytest.mark.parametrize("options", [["--processes", "2"], ["--dask", "local"]])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(options, sent, toy, tmp_path):
    process, cells_of = toy("run", *options), tmp_path / "run.cells"
    deadline = time.monotonic() + 60
    while not cells_of.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(sent)
    begun = time.monotonic()
    process.wait(timeout=10)
    assert time.monotonic() - begun < 2
    while _alive(process.pid) and time.monotonic() < begun + 15:
        time.sleep(0.1)
    assert _alive(process.pid) == []
    assert "Traceback" not in process.stderr.read()


def _alive(session):
    """Command lines of the processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(line)
    return found


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--processes", "0"], "processes must be a whole number >= 1, got 0"),
        (["--processes", "2", "--threads", "2"], "cells must run in one way, got --threads and --processes"),
        (["--dask", "local", "--mpi"], "cells must run in one way, got --dask and --mpi"),
        (["--dask", "nonsense"], "dask must be the address of a scheduler that answers, got 'nonsense'"),
        (["--dask", "foo://x:1"], "dask must be the address of a scheduler that answers, got 'foo://x:1'"),
        (["--dask", "tcp://127.0.0.1:1"], "dask must be the address of a scheduler that answers"),
        (["--mpi"], "mpi needs 2 or more ranks (mpiexec -n 3 chaosnum ... --mpi), got 1"),
    ],
)
def test_wrong_options_are_one_line_and_nothing_else(options, line, toy, tmp_path, monkeypatch):
    process = toy("run", *options)
    out, err = ended(process, status=2)
    errors = [text for text in err.splitlines() if text.startswith("chaosnum: error: ")]
    assert len(errors) == 1 and line in errors[0] and out == "" and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_copies_of_the_command_are_refused(toy, tmp_path):
    """`mpiexec` without `--mpi` would run it as often, into one folder."""
    _, err = ended(toy("run", ranks=2), status=2)
    assert "mpiexec has started this command 2 times: add --mpi" in err and not (tmp_path / "run").exists()


def test_something_else_that_answers_is_no_scheduler(toy, tmp_path):
    import http.server

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begun = time.monotonic()
    _, err = ended(toy("run", "--dask", f"127.0.0.1:{server.server_port}"), status=2)
    server.shutdown()
    last = err.splitlines()[-1]
    assert last.startswith("chaosnum: error: dask must be the address of a scheduler that answers, got '127.0.0.1:")
    assert time.monotonic() - begun < 30 and "Traceback" not in err


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.5])
def test_ctrl_c_ends_all_ranks_whenever_it_comes(seconds, toy):
    process = toy("run", "--mpi", ranks=3)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while _alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.returncode != 0 and _alive(process.pid) == []


def test_wrong_input_on_ranks_ends_all_of_them(toy, tmp_path):
    _, err = ended(toy("run", "--mpi", "--alpha", "3", ranks=3), status=2)
    assert err.count("alpha must lie in") == 1 and not (tmp_path / "run").exists()


def test_libraries_that_are_missing_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(EngineError, match=r"^dask needs distributed: pip install 'chaosnum\[dask\]'"), engines.dask():
        pass
    with pytest.raises(EngineError, match=r"^mpi needs mpi4py: pip install 'chaosnum\[mpi\]'"), engines.ranks():
        pass
