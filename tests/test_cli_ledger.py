"""``chaosnum ledger``: ls, export, prune, on ledgers that are sound, damaged or none."""

import csv
import json
import os
import sqlite3
import struct
import subprocess
import sys

import pytest

from chaosnum import cli
from chaosnum.fingerprint import code_version
from chaosnum.ledger import Cell, Ledger, LedgerError, key_of
from chaosnum.ledger_prune import prune

ABOUT = {
    "claim": "C1", "name": "rate", "model": "m", "control": None, "params": '{"alpha": 1.5}',
    "statistics": '["gap", "square"]', "seed": 1, "code": f"{code_version()}:0", "version": "0",
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """A ledger of 300 cells of this code and 100 of another."""
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        for code, count in ((ABOUT["code"], 300), ("old:0", 100)):
            number = ledger.case(**ABOUT | {"code": code})
            ledger.add(
                Cell(key_of(code, i), number, 10.0 * (1 + i % 3), i, 1000 + i, (1.0 / (i + 3), i * 0.1))
                for i in range(count)
            )
    return path


def run(capsys, *argv):
    status = cli.main(["ledger", *map(str, argv)])
    out, err = capsys.readouterr()
    return status, out, err


def spoil(path, count=1):
    """Change the values of cells of this code behind the ledger's back."""
    connection = sqlite3.connect(path)
    some = f'SELECT key FROM cells WHERE "case" = 1 LIMIT {count}'
    connection.execute(f'UPDATE cells SET "values" = ? WHERE key IN ({some})', (struct.pack("<2d", 1.0, 2.0),))
    connection.commit()
    connection.close()


def test_ls(capsys, path):
    status, out, err = run(capsys, "ls", "--ledger", path)
    assert (status, err) == (0, "") and f"2 cases, 400 cells in {path}\n" in out
    assert "this" in out and "other (0)" in out and "DAMAGED" not in out
    shown = json.loads(run(capsys, "ls", "--ledger", path, "--json")[1])
    assert (shown["cells"], shown["damaged"], shown["unread"]) == (400, 0, 0)
    assert [(case["cells"], case["params"]) for case in shown["cases"]] == [
        (300, {"alpha": 1.5}),
        (100, {"alpha": 1.5}),
    ]


def test_export_has_every_value_to_the_last_digit(capsys, path, tmp_path):
    status, out, err = run(capsys, "export", tmp_path / "x.csv", "--ledger", path)
    assert (status, err, out) == (0, "", f"800 values in {tmp_path / 'x.csv'}\n")
    with open(tmp_path / "x.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {(row["code"], int(row["replica"]), row["statistic"]): float(row["value"]) for row in rows}
    assert (
        len(found) == 800 and found["old:0", 7, "gap"] == 1.0 / 10 and found[ABOUT["code"], 299, "square"] == 299 * 0.1
    )
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="Parquet is for those who install pyarrow")
    assert run(capsys, "export", tmp_path / "x.parquet", "--ledger", path)[0] == 0
    frame = pandas.read_parquet(tmp_path / "x.parquet")
    assert sorted(frame["value"]) == sorted(found.values()) and set(frame["claim"]) == {"C1"}


def test_prune_removes_cells_of_other_code(capsys, path):
    assert run(capsys, "prune", "--ledger", path) == (0, f"300 cells kept, 100 removed from {path}\n", "")
    assert run(capsys, "prune", "--ledger", path)[1].startswith("300 cells kept, 0 removed")
    with Ledger(path) as ledger:
        assert ledger.find([key_of("old:0", 1)]) == {} and len(ledger.find([key_of(ABOUT["code"], 1)])) == 1


def test_damage_is_said_and_pruned(capsys, path, tmp_path):
    spoil(path, 3)
    before = path.read_bytes()
    status, out, _ = run(capsys, "ls", "--ledger", path)
    assert status == 1 and "397 cells" in out and "DAMAGED: 3 cells fail their checksum" in out
    status, out, _ = run(capsys, "export", tmp_path / "x.csv", "--ledger", path)
    assert status == 1 and out.startswith("794 values") and "DAMAGED" in out
    assert path.read_bytes() == before
    status, out, _ = run(capsys, "prune", "--ledger", path)
    aside = tmp_path / "ledger.sqlite.damaged-1"
    assert status == 0 and f"297 cells kept, 100 removed from {path}; the damaged file is now {aside}" in out
    assert aside.read_bytes() == before
    assert run(capsys, "ls", "--ledger", path)[0] == 0


def test_a_truncated_ledger_is_pruned_to_what_is_left(capsys, path, tmp_path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    status, out, _ = run(capsys, "ls", "--ledger", path)
    assert status == 1 and "of 4096 parts cannot be read" in out
    status, out, _ = run(capsys, "prune", "--ledger", path)
    assert status == 0 and "damaged-1" in out
    with Ledger(path) as ledger:
        assert 0 < len(list(ledger.sound())) < 300 and (ledger.damaged, ledger.unread) == (0, 0)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("ls", "--ledger", "none"), "ledger must be a file that is there, got 'none'"),
        (("export", "x.txt", "--ledger", "LEDGER"), "FILE must end with .csv or .parquet, got 'x.txt'"),
        (("export", "no/x.csv", "--ledger", "LEDGER"), "FILE must be in a folder that is there, got 'no/x.csv'"),
        (("prune", "--ledger", "mine"), "ledger must be one that chaosnum wrote, got 'mine', which is something else"),
        (("export", "mine.csv", "--ledger", "LEDGER"), "FILE must be new, got 'mine.csv', which is there"),
        ((), "the following arguments are required: ACTION"),
    ],
)
def test_wrong_use_is_one_line(capsys, path, tmp_path, monkeypatch, argv, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("mine, and longer than sixteen letters")
    (tmp_path / "mine.csv").write_text("mine")
    before = sorted(p.name for p in tmp_path.iterdir())
    try:
        status = cli.main(["ledger", *(str(path) if word == "LEDGER" else word for word in argv)])
    except SystemExit as stopped:
        status = stopped.code
    out, err = capsys.readouterr()
    assert (status, out, err) == (2, "", f"chaosnum: error: {line}\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_the_ledger_of_verify_is_the_default(capsys, path, monkeypatch):
    monkeypatch.setenv("CHAOSNUM_LEDGER", str(path))
    assert run(capsys, "ls")[1].endswith(f"2 cases, 400 cells in {path}\n")


def test_cells_of_a_damaged_case_are_said(capsys, path):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE cases SET name = 'other' WHERE id = 2")
    connection.commit()
    connection.close()
    status, out, _ = run(capsys, "ls", "--ledger", path)
    assert status == 1 and "1 cases, 300 cells" in out and "DAMAGED: 100 cells" in out


def elsewhere(text, path):
    """A process that runs `text` with an open ledger, and waits after it -> the process."""
    begun = f"from chaosnum.ledger import *\nledger = Ledger({str(path)!r})\n"
    script = f"{begun}{text}\nprint('', flush=True)\ninput()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_a_damaged_ledger_is_not_put_aside_under_another_process(path):
    spoil(path)
    before = path.read_bytes()
    with elsewhere("", path) as other:
        with pytest.raises(LedgerError, match="is damaged and in use"):
            prune(path, lambda case: True)
        assert path.read_bytes() == before
        other.kill()
    assert prune(path, lambda case: True)[:2] == (399, 0)


def test_a_second_look_in_one_process_does_not_end_the_locks_of_the_first(path):
    """Closing any handle of a file ends its POSIX locks: another process would then remove the log under the writer."""
    look = f"Ledger({str(path)!r}, writing=False).close(); Ledger({str(path)!r}).close()"
    with elsewhere(f"ledger.remove([2]); {look}", path) as other:
        Ledger(path).close()
        assert path.with_name(path.name + "-wal").exists()
        other.kill()


def test_a_prune_that_is_stopped_leaves_a_ledger(path, monkeypatch):
    """Whatever fails, the ledger or the damaged file is at its place, and nothing else of ours is left."""
    spoil(path)
    before = path.read_bytes()
    for name in ("link", "rename", "replace"):

        def fails(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os." + name, fails)
            patch.setattr("shutil.copyfile", fails)
            if name == "rename":
                path.with_name(path.name + "-wal").touch()
            with pytest.raises(LedgerError, match="No space left on device"):
                prune(path, lambda case: True)
        assert path.read_bytes() == before
        assert not [p for p in os.listdir(path.parent) if p.endswith(".partial")]
        path.with_name(path.name + "-wal").unlink(missing_ok=True)
    kept, gone, aside = prune(path, lambda case: True)
    assert (kept, gone) == (399, 0) and aside.read_bytes() == before
