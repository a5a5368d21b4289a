"""runfolder.py: the JSON files are what json.dumps makes of their objects, whatever the order; earlier runs."""

import json
import math

import numpy as np
import pytest

from chaosnum.claim import Claim, PowerLaw
from chaosnum.jsonform import strict
from chaosnum.runfolder import RunFolder

ABOUT = {"command": "a\n\u03b1", "seed": np.int64(3), "budget": "quick", "claims": {}, "empty": []}


def verdict(alpha):
    predicts = PowerLaw(-0.5, bound=lambda n: math.inf)
    claim = Claim("S", "", "", measure=print, predicts=predicts, scales=[1, 2, 4], params={"alpha": alpha})
    samples = [s**-0.5 * np.linspace(0.5, 1.5, 8) for s in (1, 2, 4)]
    return claim.judge("error", [1, 2, 4], samples, params={"alpha": alpha, "words": '\u03b1 = "1"\n'}).as_dict()


def texts(folder):
    return [(folder.path / name).read_text() for name in ("verdicts.json", "run.json")]


def dumped(folder):
    return [json.dumps(strict(x), indent=1, allow_nan=False) + "\n" for x in (folder.summary(), folder.about)]


def test_json_files_are_what_json_dumps_makes(tmp_path):
    folder = RunFolder(tmp_path / "run", ABOUT)
    folder.begin()
    assert texts(folder) == dumped(folder) and folder.summary()["verdicts"] == []
    for rank, alpha in ((2, 1.2), (0, 1.5), (1, 2.0)):
        folder.add(verdict(alpha), [(1, 0, 7, 0.5)], rank=rank)
        assert texts(folder) == dumped(folder)
    folder.record(["a.png"])
    assert texts(folder) == dumped(folder)
    folder.finish(1.23456)
    assert texts(folder) == dumped(folder)
    found = json.loads(texts(folder)[0])
    assert [v["params"]["alpha"] for v in found["verdicts"]] == [1.5, 2.0, 1.2] and found["seconds"] == 1.235
    alphas = [line.split(",")[5] for line in (folder.path / "verdicts.csv").read_text().splitlines()[1:]]
    assert alphas[0] == "1.5"  # the tables, too, in the order of the plan


@pytest.mark.parametrize("files", [5, None, "a.png", [["a.png"], {"b": 1}, 7, None, "../c.png", "a.png"]])
def test_an_earlier_run_with_odd_names_of_files(tmp_path, files):
    RunFolder(tmp_path, ABOUT).begin()
    run = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(run | {"files": files}))
    for name in ("a.png", "c.pdf"):
        (tmp_path / name).write_text("")
    RunFolder(tmp_path, ABOUT).begin()
    assert (tmp_path / "a.png").exists() != isinstance(files, list) and (tmp_path / "c.pdf").exists()


def test_an_earlier_run_stays_until_there_is_something_to_put_in_its_place(tmp_path):
    earlier = RunFolder(tmp_path, ABOUT)
    earlier.add(verdict(1.5), [(1, 0, 7, 0.5)])
    earlier.finish(1.0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    failed = RunFolder(tmp_path, ABOUT)
    failed.discard()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    later = RunFolder(tmp_path, ABOUT)
    later.add(verdict(2.0), [])
    assert json.loads((tmp_path / "verdicts.json").read_text())["verdicts"][0]["params"]["alpha"] == 2.0
    later.discard()
    assert list(tmp_path.iterdir()) == []
