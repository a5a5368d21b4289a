"""chaosnum.figurescript: options and files of the scripts in figures/."""

from pathlib import Path

import pytest

from chaosnum import figurescript


def test_options():
    found = figurescript.options("What?\n\nMore.", {"quick": 1, "standard": 2}, ["--budget", "quick", "--seed", "3"])
    assert (found.budget, found.seed, found.out) == ("quick", 3, Path("runs/figures"))
    assert figurescript.options("What?", ("standard",), []).budget == "standard"


def test_an_unknown_budget_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        figurescript.options("What?", ("standard",), ["--budget", "none"])
    assert stop.value.code == 2 and "none" in capsys.readouterr().err


def test_write(tmp_path, capsys):
    import matplotlib.pyplot as plt

    seen = []

    def draw(rows):
        seen.extend(rows)
        return plt.figure()

    figurescript.write(draw, [{"a": 1, "b": 2}], tmp_path / "new" / "f")
    assert seen == [{"a": 1, "b": 2}]
    assert (tmp_path / "new" / "f.csv").read_text().split() == ["a,b", "1,2"]
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"f.csv", "f.png", "f.pdf"}
    assert "f.png" in capsys.readouterr().out
