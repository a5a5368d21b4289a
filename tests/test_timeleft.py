"""The time left of a run, on simulated runs whose end is known; and the table of costs that it begins with."""

import csv
import math
from types import SimpleNamespace

import pytest

import chaosnum as cn
from chaosnum import cellcosts, registry
from chaosnum.timeleft import TimeLeft

SCALES = (100, 200, 400, 800, 1600, 3200)


def case(name="C", scales=SCALES, replicas=40, control=None):
    claim = SimpleNamespace(id=name, name="rate", model="toy")
    return SimpleNamespace(claim=claim, control=control, scales=scales, replicas=(replicas,) * len(scales))


def simulated(cases, cost, workers=2, lock=False, compiling=0.0):
    """(time, case, scale, cells, seconds) of chunks that workers take in turn, as chaosnum.cells hands them out.

    `lock`: the workers have one interpreter's lock between them, so that each of them is as slow as they are many.
    `compiling`: seconds that the first chunk of a case takes longer.
    """
    free, events, seen = [0.0] * workers, [], set()
    for index, one in enumerate(cases):
        for j, scale in enumerate(one.scales):
            left, size = one.replicas[j], 1
            while left:
                cells = min(size, left)
                seconds = cells * cost(index, scale) * (workers if lock else 1)
                if index not in seen:
                    seen.add(index)
                    seconds += compiling
                worker = free.index(min(free))
                free[worker] += seconds
                events.append((free[worker], index, j, cells, seconds))
                left, size = left - cells, min(8 * size, max(1, int(0.05 * size / seconds)))
    return sorted(events)


def told(cases, events, shares=(0.1, 0.25, 0.5), workers=2, costs=None):
    """At these shares of the time of a run: (estimate, cells left / cells a second) over what was left."""
    estimate, end = TimeLeft(cases, workers, costs), max(events)[0]
    done, total, found, wanted = 0, sum(sum(c.replicas) for c in cases), [], list(shares)
    for now, index, j, cells, seconds in events:
        estimate.timed(index, j, cells, seconds, now)
        done += cells
        if wanted and now >= wanted[0] * end:
            wanted.pop(0)
            left = estimate.left(now)
            found.append((left, left.seconds / (end - now), (total - done) / (done / now) / (end - now)))
    return found


def eight(**options):
    return [case(**options) for _ in range(8)]


PLANS = {
    "cost of n": (eight(), lambda index, n: 2e-5 * n, {}, 0.1),
    "cost of n^2": (eight(), lambda index, n: 2e-8 * n**2, {}, 0.1),
    "cost of n^2 and a constant": (eight(), lambda index, n: 2e-3 + 2e-8 * n**2, {}, 0.1),
    "cost of 1 / eta": (eight(scales=(1 / 32, 1 / 16, 1 / 8)), lambda index, eta: 1e-3 / eta, {}, 0.1),
    "one lock": (eight(), lambda index, n: 2e-8 * n**2, {"lock": True}, 0.1),
    "compiling": (eight(), lambda index, n: 2e-8 * n**2, {"compiling": 3.0}, 0.15),
    "four workers": (eight(), lambda index, n: 2e-8 * n**2, {"workers": 4}, 0.1),
    "long cells": (eight(replicas=4), lambda index, n: 2e-2 * n, {}, 0.25),
    "one case, cost of n": ([case()], lambda index, n: 2e-4 * n, {}, 0.15),
    "one case, cost of n^2": ([case()], lambda index, n: 2e-6 * n**2, {}, 0.15),
}


@pytest.mark.parametrize(("cases", "cost", "options", "off"), PLANS.values(), ids=PLANS)
def test_it_is_near_the_truth(cases, cost, options, off):
    found = told(cases, simulated(cases, cost, **options), workers=options.get("workers", 2))
    assert not any(left.at_least for left, _, _ in found)
    assert max(abs(ratio - 1) for _, ratio, _ in found) <= off, found


def test_cells_left_by_cells_a_second_are_far_from_it():
    """The partner that must fail: what a progress bar does by itself."""
    found = told([case()], simulated([case()], lambda index, n: 2e-6 * n**2))
    assert all(naive < 0.4 for *_, naive in found), found


def unlike_claims():
    """Ten cheap claims, then ten that are a hundred times as dear."""
    cases = [case(f"C{i}") for i in range(20)]
    return cases, lambda index, n: n * (2e-5 if index < 10 else 2e-3)


def test_claims_that_have_not_begun_make_it_a_lower_bound():
    cases, cost = unlike_claims()
    found = told(cases, simulated(cases, cost), shares=(0.005, 0.05, 0.3, 0.97))
    assert [left.at_least for left, *_ in found] == [True, True, True, False]
    assert all(ratio <= 1 for _, ratio, _ in found[:3]) and found[3][1] == pytest.approx(1, abs=0.2)
    assert found[0][2] < 0.1  # the naive one is sure of itself


def test_a_table_tells_of_claims_that_have_not_begun():
    """Measured on a machine three times as slow: which the run finds out."""
    cases, cost = unlike_claims()
    table = {(f"C{i}", "rate", "toy"): {n: 3 * cost(i, n) for n in SCALES} for i in range(20)}
    found = told(cases, simulated(cases, cost), costs=table)
    assert not any(left.at_least for left, *_ in found)
    assert max(abs(ratio - 1) for _, ratio, _ in found) < 0.15
    missing = {claim: {n: s for n, s in row.items() if n < 1000} for claim, row in table.items()}
    found = told(cases, simulated(cases, cost), costs=missing)  # scales of another budget: their power
    assert not any(left.at_least for left, *_ in found) and max(abs(ratio - 1) for _, ratio, _ in found) < 0.15


def test_controls_are_not_their_claims():
    """A control may have a measure of its own."""
    control = SimpleNamespace(name="spoilt")
    cases = [case(), case(control=control)]
    estimate = TimeLeft(cases, 1)
    for now, index, j, cells, seconds in simulated(cases[:1], lambda index, n: 1e-4 * n, workers=1):
        estimate.timed(index, j, cells, seconds, now)
    assert estimate.left(now) == (0.0, True)


def test_nothing_is_said_before_there_is_ground():
    estimate = TimeLeft([case()], 2)
    assert estimate.left(0.0) is None
    estimate.timed(0, 0, 1, 5.0, 5.0)  # it may have compiled
    assert estimate.left(5.0) == (0.0, True)
    for now in (5.1, 5.2, 5.3):
        estimate.timed(0, 0, 1, 0.1, now)
    assert 0 < estimate.left(5.3).seconds < 60 and estimate.left(5.3).at_least


def test_it_counts_down_between_cells_and_then_falls_silent():
    estimate = TimeLeft([case(scales=(100,), replicas=10)], 1)
    for now in (1.0, 2.0, 3.0, 4.0):
        estimate.timed(0, 0, 1, 1.0, now)
    assert estimate.left(4.0).seconds == pytest.approx(6.0) and estimate.left(6.5).seconds == pytest.approx(3.5)
    assert estimate.left(11.0) is None  # a cell takes longer than all that were to come
    assert TimeLeft([], 1).left(0.0) == (0.0, False)


def test_cells_of_a_ledger_take_no_time():
    cases = [case() for _ in range(8)]
    events = simulated(cases, lambda index, n: 2e-8 * n**2)
    estimate = TimeLeft(cases, 2)
    for index in range(4):
        estimate.known(index, [40] * 6)
    estimate.known(4, [40, 40, 20, 0, 0, 0])
    later = [e for e in events if e[1] > 4]
    begun, end = later[0][0] - later[0][4], later[-1][0]
    half = [e for e in later if e[0] < begun + 0.5 * (end - begun)]
    for now, index, j, cells, seconds in half:
        estimate.timed(index, j, cells, seconds, now)
    rest = sum(n**2 * 2e-8 * 40 for n in SCALES[3:]) / 2 + 20 * 400**2 * 2e-8 / 2  # of case 4
    assert estimate.left(half[-1][0]).seconds == pytest.approx(end - half[-1][0] + rest, rel=0.1)


def test_a_total_that_grows():
    cases = [case(scales=(100,), replicas=10)]
    estimate = TimeLeft(cases, 1)
    for now in range(1, 11):
        estimate.timed(0, 0, 1, 1.0, float(now))
    assert estimate.left(10.0) == (0.0, False)
    estimate.added(0, [10])
    assert estimate.left(10.0) == (pytest.approx(10.0), False)
    estimate.timed(0, 0, 6, 6.0, 16.0)
    estimate.known(0, [4])
    assert estimate.left(16.0) == (0.0, False)


def test_every_number_is_finite():
    """Cells without a duration, clocks that stand still, scales far apart."""
    cases = [case(scales=(1e-9, 1.0, 1e9)), case(scales=(1e-9, 1.0, 1e9))]
    estimate = TimeLeft(cases, 2)
    for j in (0, 1):
        for _ in range(4):
            estimate.timed(0, j, 1, 0.0, 0.0)
    left = estimate.left(0.0)
    assert left is None or math.isfinite(left.seconds)


def test_the_table_names_claims_that_there_are():
    """It may lag behind the claims, as a guess may, but not by much."""
    table = cellcosts.read()
    there = {(c.id, c.name, c.model): c for c in registry.claims()}
    assert len(table.keys() & there.keys()) > 0.8 * len(there)
    with open(cellcosts.PATH, newline="") as file:
        assert all(0 < float(row["seconds"]) < 100 for row in csv.DictReader(file))


def test_the_table_is_measured_read_and_written(tmp_path):
    claim = cn.Claim("T", "", "", name="rate", model="toy", measure=lambda n, *, seed: 1.0 / n, scales=[10, 20, 40],
                     replicas=50, predicts=cn.PowerLaw(-1.0))  # fmt: skip
    found = cellcosts.measure([claim], threads=1)
    assert list(found) == [("T", "rate", "toy")] and list(found["T", "rate", "toy"]) == [10, 20, 40]
    cellcosts.write(found, tmp_path / "costs.csv")
    again = cellcosts.read(tmp_path / "costs.csv")
    assert again["T", "rate", "toy"] == pytest.approx(found["T", "rate", "toy"], rel=0.06)
    assert cellcosts.read(tmp_path / "none.csv") == {}
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert cellcosts.read(tmp_path / "other.csv") == {}
