"""company.py: who runs side by side. What cells return, and their errors, are tested with the sweep."""

import time

import pytest

from chaosnum import company as module
from chaosnum import work


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def company(asleep, *, beside=1, seconds=0.05, workers=2):
    """A company that has seen one chunk."""
    found = module.Company(workers)
    found.submitted(beside)
    found.learn(seconds, asleep)
    return found


def test_chunks_that_sleep_in_company_run_alone(clock):
    found = company(0.4)
    assert found.places() == 1
    clock[0] += module.ALONE_SECONDS + 0.1
    assert found.places() == 2  # tried again, without a queue behind
    found.submitted(beside=1)
    found.learn(0.05, 0.4)
    assert found.places() == 1
    clock[0] += module.ALONE_SECONDS + 0.1
    found.submitted(beside=1)
    found.learn(0.05, 0.1)
    assert found.places() == 2 * module.QUEUED_PER_WORKER


def test_long_chunks_are_tried_less_often(clock):
    found = company(0.4, seconds=1.0)
    clock[0] += module.ALONE_SECONDS + 0.1
    assert found.places() == 1
    clock[0] += module.ALONE_CHUNKS
    assert found.places() == 2


@pytest.mark.parametrize(
    "seen",
    [
        {"asleep": 0.1},  # kernels
        {"asleep": 0.4, "seconds": 0.001},  # too short to tell
        {"asleep": 0.4, "beside": 0},  # alone: the main thread was judging
    ],
)
def test_others_run_side_by_side(clock, seen):
    assert company(**seen).places() == 2 * module.QUEUED_PER_WORKER


def test_what_sleeps_when_it_is_alone_waits_for_something_else(clock):
    found = company(0.9)
    assert found.places() == 1
    found.submitted(beside=0)
    found.learn(0.05, 0.9)
    assert found.places() == 2 * module.QUEUED_PER_WORKER
    found.submitted(beside=1)
    found.learn(0.05, 0.9)
    assert found.places() == 2 * module.QUEUED_PER_WORKER
    clock[0] += module.TOGETHER_SECONDS + 0.1
    found.learn(0.05, 0.9)
    assert found.places() == 1


def test_a_chunk_says_how_long_it_slept():
    def sleeping(scale, *, seed):
        time.sleep(0.05)
        return 1.0

    def busy(scale, *, seed):
        begun = time.perf_counter()
        while time.perf_counter() - begun < 0.05:
            pass
        return 1.0

    if work._awake() is None:
        pytest.skip("only Linux tells how long a thread waits for a processor")
    form = {"arguments": {}, "wanted": ["x"], "single": True, "label": "T", "scale_name": "n"}
    shares = [work._run(measure, 1, [0, 1], **form).asleep for measure in (sleeping, busy)]
    assert shares[0] > module.SOUND_ASLEEP and shares[1] < module.ASLEEP
