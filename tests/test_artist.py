"""artist.py: the process that draws, and what becomes of it when the run or the process itself is gone."""

import os
import signal
import subprocess
import sys
import time

import pytest
from toy_claims import toys

import chaosnum as cn
from chaosnum.artist import Artist


@pytest.fixture(scope="module")
def verdicts():
    return [v.as_dict() for v in cn.verify(toys()[:1], params={"alpha": 1.5})]


def test_draws_what_the_run_would_draw(tmp_path, verdicts):
    artist = Artist()
    names = artist.draw(tmp_path, verdicts)
    assert sorted(names) == sorted(cn.report.write_figures(tmp_path / ".", verdicts)) and len(names) == 2
    assert artist.draw(tmp_path, verdicts) == names  # the same process goes on
    artist.close()
    assert artist._process.returncode == 0


def test_a_figure_that_fails_is_told_and_the_next_is_drawn(tmp_path, verdicts):
    artist = Artist()
    with pytest.raises(RuntimeError, match="^KeyError: "):
        artist.draw(tmp_path, [{}])
    with pytest.raises(RuntimeError, match="FileNotFoundError|No such file"):
        artist.draw(tmp_path / "nowhere", verdicts)
    assert len(artist.draw(tmp_path, verdicts)) == 2
    artist.close()


def test_a_process_that_is_gone_is_told(tmp_path, verdicts):
    artist = Artist()
    artist.draw(tmp_path, verdicts)
    artist._process.kill()
    artist._process.wait()
    with pytest.raises(RuntimeError, match="^the process that draws has ended$"):
        artist.draw(tmp_path, verdicts)
    artist.close()
    Artist().close()  # never started


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("end", ["interrupt", "end of input"])
def test_it_ends_at_once_without_a_word(end):
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosnum.artist"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    time.sleep(0.5)
    if end == "interrupt":
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (out, err) == (b"", b"") and process.returncode in (0, -signal.SIGINT)
