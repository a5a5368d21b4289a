"""ledger.py: what is kept stays, to the bit; damage is named and never believed."""

import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import textwrap

import pytest

from chaosnum.ledger import Cell, Ledger, LedgerError, key_of
from chaosnum.ledger_prune import prune
from chaosnum.ledgerfile import APPLICATION, SCHEMA

ABOUT = {
    "claim": "C1", "name": "n", "model": "m", "control": None, "params": "{}", "statistics": '["a", "b"]', "seed": 1,
    "code": "0", "version": "1",
}  # fmt: skip


def cells(count, case=1):
    rng = random.Random(7)
    return [
        Cell(key_of("cell", i), case, 10.0, i, i, (rng.gauss(0, 1), 10.0 ** rng.uniform(-300, 300)))
        for i in range(count)
    ]


def kept(path, count=200):
    """A ledger with cells -> the cells."""
    with Ledger(path) as ledger:
        made = cells(count, ledger.case(**ABOUT))
        ledger.add(made)
    return made


def test_values_come_back_to_the_bit(tmp_path):
    path = tmp_path / "new" / "ledger.sqlite"
    made = kept(path)
    special = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1]
    with Ledger(path) as ledger:
        odd = Cell(key_of("odd"), ledger.case(**ABOUT), 1.0, 0, 0, tuple(special))
        ledger.add([odd])
        found = ledger.find([c.key for c in made] + [odd.key, key_of("nobody")])
        assert len(found) == len(made) + 1
        assert all(struct.pack("<2d", *found[c.key]) == struct.pack("<2d", *c.values) for c in made)
        assert struct.pack("<5d", *found[odd.key]) == struct.pack("<5d", *special)
        assert [c for c in ledger.sound() if c.key != odd.key] == sorted(made, key=lambda c: c.key)
        assert (ledger.damaged, ledger.unread) == (0, 0)


def test_keys_tell_words_apart():
    assert key_of("a", "bc") != key_of("ab", "c") != key_of("abc")
    assert key_of("a", 1) == key_of("a", "1") and len(key_of()) == 16


def test_cases_are_entered_once(tmp_path):
    with Ledger(tmp_path / "l") as ledger:
        one, again, other = ledger.case(**ABOUT), ledger.case(**ABOUT), ledger.case(**ABOUT | {"seed": 2})
        assert one == again != other
    with Ledger(tmp_path / "l") as ledger:
        assert ledger.case(**ABOUT | {"version": "2"}) == one
        assert [row["seed"] for row in ledger.cases().values()] == [1, 2]


def test_two_processes_share_one(tmp_path):
    """Both write the same two thousand cells at once: each is there once, and nobody fails."""
    path = tmp_path / "ledger.sqlite"
    script = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_ledger import ABOUT, cells
        from chaosnum.ledger import Ledger
        with Ledger({str(path)!r}) as ledger:
            for cell in cells(2000, ledger.case(**ABOUT)):
                ledger.add([cell])
    """
    both = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    with Ledger(path) as ledger:
        assert [c.values for c in ledger.sound()] == [c.values for c in sorted(cells(2000), key=lambda c: c.key)]
        assert len(ledger.cases()) == 1


@pytest.mark.parametrize("after", [1, 37, 400])
def test_a_kill_loses_nothing_that_was_added(tmp_path, after):
    path = tmp_path / "ledger.sqlite"
    script = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_ledger import ABOUT, cells
        from chaosnum.ledger import Ledger
        ledger = Ledger({str(path)!r})
        for i, cell in enumerate(cells(100_000, ledger.case(**ABOUT))):
            ledger.add([cell])
            print(i, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as process:
        told = -1
        while told < after:
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
    with Ledger(path) as ledger:
        found = ledger.find(c.key for c in cells(told + 1))
        assert len(found) == told + 1 and len(list(ledger.sound())) in (told + 1, told + 2)


def test_flipped_bits_are_never_believed(tmp_path):
    """At 150 random places: the cells are what they were, or missing, or the ledger says that it is damaged."""
    path = tmp_path / "ledger.sqlite"
    made = {c.key: c.values for c in kept(path)}
    whole, rng, named = path.read_bytes(), random.Random(3), 0
    for trial in range(150):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        other = tmp_path / f"{trial}.sqlite"
        other.write_bytes(data)
        try:
            with Ledger(other) as ledger:
                found = ledger.find(made)
            assert all(made[key] == values for key, values in found.items())
        except LedgerError as error:
            named += 1
            assert "\n" not in str(error) and other.name in str(error)
            assert other.read_bytes() == data  # refused, and not touched
        with_all = Ledger(other, writing=False) if not _refuses(other) else None
        if with_all:
            sound = list(with_all.sound())
            with_all.close()
            assert all(made.get(c.key) == c.values for c in sound)
    content = len(made) * (16 + 3 * 2 + 8 + 16 + 8) / len(whole)  # bytes in the columns, at least
    assert named > 0.5 * 150 * content


def _refuses(path):
    try:
        Ledger(path, writing=False).close()
    except LedgerError:
        return True
    return False


def test_a_damaged_cell_is_named(tmp_path):
    path = tmp_path / "ledger.sqlite"
    made = kept(path)
    spoil = sqlite3.connect(path)
    spoil.execute('UPDATE cells SET "values" = ? WHERE key = ?', (struct.pack("<2d", 1.0, 2.0), made[3].key))
    spoil.commit()
    spoil.close()
    with Ledger(path) as ledger:
        assert len(ledger.find(c.key for c in made if c is not made[3])) == 199
        with pytest.raises(LedgerError, match=f"is damaged: the cell {made[3].key.hex()} fails its checksum"):
            ledger.find([made[3].key])
        assert len(list(ledger.sound())) == 199 and ledger.damaged == 1


@pytest.mark.parametrize("part", [0.9, 0.5, 0.2])
def test_a_truncated_ledger_is_refused_and_what_is_left_is_read(tmp_path, part):
    path = tmp_path / "ledger.sqlite"
    made = {c.key: c.values for c in kept(path, 2000)}
    data = path.read_bytes()
    data = data[: int(len(data) * part)]
    path.write_bytes(data)
    with pytest.raises(LedgerError, match="is damaged: .*chaosnum ledger prune"):
        Ledger(path)
    assert path.read_bytes() == data
    with Ledger(path, writing=False) as ledger:
        sound = list(ledger.sound())
        assert ledger.unread > 0
    assert all(made[c.key] == c.values for c in sound) and len(sound) > 0.3 * part * len(made)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"scale,value\n1,2\n" * 20, "which is something else"),
        (b"SQLite", "which is something else"),
    ],
)
def test_other_files_are_refused_and_not_touched(tmp_path, content, line):
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=line):
        Ledger(path)
    assert path.read_bytes() == content and len(list(tmp_path.iterdir())) == 1


def test_other_databases_are_refused_and_not_touched(tmp_path):
    path = tmp_path / "mine.sqlite"
    mine = sqlite3.connect(path)
    mine.execute("CREATE TABLE cells (x)")
    mine.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="another program's database"):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_newer_ledger_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "ledger.sqlite"
    kept(path)
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=f"must have schema {SCHEMA}, got .* with schema {SCHEMA + 1}: a newer"):
        Ledger(path)
    assert path.read_bytes() == before and before[68:72] == APPLICATION.to_bytes(4, "big")


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        made = cells(5000, ledger.case(**ABOUT))
        ledger.add(made[:100])
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(LedgerError, match="the disk is full; finished cells stay") as caught:
            ledger.add(made[100:])
        assert "\n" not in str(caught.value)
    with Ledger(path) as ledger:
        assert len(list(ledger.sound())) == 100
        ledger.add(made[100:])  # there is room again
        assert len(list(ledger.sound())) == 5000


@pytest.mark.parametrize("path", ["/proc/none/ledger.sqlite", "/dev/null/ledger.sqlite"])
def test_places_that_cannot_be_written_are_one_line(path):
    with pytest.raises(LedgerError, match="^ledger must be a file that can be written, got '/") as caught:
        Ledger(path)
    assert "\n" not in str(caught.value)


def test_a_folder_or_nothing_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="^ledger must be"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match="a file that is there"):
        Ledger(tmp_path / "none", writing=False)
    assert not (tmp_path / "none").exists()


def test_a_case_that_another_process_removed_is_entered_again(tmp_path):
    """Its number may be another case's by then: cells must not become those of that one."""
    path = tmp_path / "l"
    with Ledger(path) as one:
        made = cells(10, one.case(**ABOUT))
        one.add(made[:5])
        prune(path, lambda case: False)
        with Ledger(path) as two:
            assert two.case(**ABOUT | {"seed": 77}) == 1
        one.add(made[5:])
        assert [one.cases()[cell.case]["seed"] for cell in one.sound()] == [1] * 5
    assert prune(path, lambda case: True) == (5, 0, None)


@pytest.mark.parametrize("change", [
    "PRAGMA user_version = 0", "PRAGMA user_version = -1", "PRAGMA application_id = 7",
    "ALTER TABLE cells RENAME COLUMN scale TO n", "DROP TABLE cases",
])  # fmt: skip
def test_a_wrong_schema_is_damage_and_not_touched(tmp_path, change):
    path = tmp_path / "l"
    kept(path)
    spoilt = sqlite3.connect(path)
    spoilt.execute("PRAGMA journal_mode = DELETE")
    spoilt.execute(change)
    spoilt.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="is damaged: its schema"):
        Ledger(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["l"]
    if change.startswith("PRAGMA"):
        assert prune(path, lambda case: True)[:2] == (0 if "DROP" in change else 200, 0)


def test_a_damaged_head_costs_no_cell(tmp_path):
    """Magic, page size, form, number of pages (which may claim gigabytes), format: all are known."""
    path = tmp_path / "l"
    made = kept(path)
    whole = path.read_bytes()
    for byte, bit in ((0, 3), (9, 1), (16, 0), (17, 2), (18, 6), (20, 4), (21, 0), (28, 2), (29, 6), (31, 7), (47, 4)):
        data = bytearray(whole)
        data[byte] ^= 1 << bit
        path.write_bytes(data)
        try:
            with Ledger(path) as ledger:
                assert len(ledger.find(cell.key for cell in made)) == len(made)
        except LedgerError as error:
            assert "is damaged: " in str(error) and path.read_bytes() == data
        path.write_bytes(data)
        with Ledger(path, writing=False) as ledger:
            assert len(list(ledger.sound())) == len(made)
