"""sweep.py: plans, seeds, order, errors, interruption, and verdicts from end to end."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from chaosnum.claim import Claim, Control, ExplicitBound, PowerLaw
from chaosnum.sweep import Observer, plan, verify
from chaosnum.work import CellError

SCALES = [100, 200, 400, 800, 1600]


def unit_noise(seed):
    return np.random.default_rng(seed).gamma(4, 0.25)


def rate(n, *, seed, exponent=0.5, **_):
    return n**-exponent * unit_noise(seed)


def both(n, *, seed):
    x = n**-0.5 * unit_noise(seed)
    return {"gap": x, "largest gap": 2 * x, "not judged": 0}


def make(measure=rate, predicts=None, **options):
    options = {"scales": SCALES, "replicas": 20, **options}
    return Claim(
        "S", "synthetic", "none", measure=measure, predicts=predicts or PowerLaw(-0.5), **options
    )


class Watch(Observer):
    def __init__(self):
        self.total, self.done, self.verdicts = None, 0, []

    def started(self, total):
        self.total = total

    def advanced(self, cells):
        self.done += cells

    def verdict(self, verdict, samples):
        self.verdicts.append((verdict, [len(x) for x in samples]))


class Backwards(Executor):
    """Runs what it is given when it has five tasks, last first."""

    _max_workers = 2

    def __init__(self):
        self.waiting = []

    def submit(self, task, *args):
        future = Future()
        self.waiting.append((future, task, args))
        if len(self.waiting) == 5:
            threading.Timer(0.001, self.run, [self.waiting]).start()
            self.waiting = []
        return future

    def run(self, tasks):
        for future, task, args in reversed(tasks):
            future.set_result(task(*args))


def test_true_rate_holds_from_end_to_end():
    watch = Watch()
    claim = make(replicas=1500)
    (v,) = verify(claim, observer=watch)
    assert (v.verdict, v.sharp) == ("holds", True), v.reason
    assert watch.total == watch.done == 1500 * len(SCALES)
    assert watch.verdicts == [(v, [1500] * len(SCALES))]


@pytest.mark.parametrize(
    "exponent, replicas, expected", [(0.25, 32, ("violated", None)), (1.0, 32, ("holds", False))]
)
def test_other_rates_from_end_to_end(exponent, replicas, expected):
    (v,) = verify(make(params={"exponent": exponent}, replicas=replicas))
    assert (v.verdict, v.sharp) == expected, v.reason


def test_floor_and_broken_bound_from_end_to_end():
    def floor(n, *, seed):
        return (1 / n + 2e-3) * unit_noise(seed)

    (v,) = verify(make(floor, replicas=600))
    assert v.verdict == "inconclusive" and "flattens" in v.reason, v.reason
    (v,) = verify(make(predicts=PowerLaw(-0.5, bound=lambda n: 0.5 * n**-0.5), replicas=200))
    assert v.verdict == "violated" and "above its bound" in v.reason


def test_one_verdict_for_each_statistic_and_case():
    predicts = {"gap": PowerLaw(-0.5), "largest gap": ExplicitBound(lambda n: 9 * n**-0.5)}
    found = verify(make(both, predicts))
    assert [v.statistic for v in found] == ["mean of gap", "mean of largest gap"]
    ratio = [b["estimate"] / a["estimate"] for a, b in zip(found[0].points, found[1].points)]
    assert ratio == pytest.approx([2] * 5)  # the same cells
    grid = verify(make(params={"exponent": [0.25, 1.0], "K": 2.0}))
    assert [v.params for v in grid] == [{"exponent": e, "K": 2.0} for e in (0.25, 1.0)]


def control_claim():
    controls = [
        Control("slow", "", params={"exponent": 0.1}, applies=lambda alpha: alpha < 2),
        Control("other", "", measure=lambda n, *, seed, **_: unit_noise(seed)),
        Control("judged otherwise", "", predicts=PowerLaw(-2.0, statistic="median")),
    ]
    return make(params={"alpha": [1.5, 2.0], "exponent": 0.5}, controls=controls, replicas=40)


def test_controls_are_caught():
    found = verify(control_claim(), control="slow")
    assert [(v.control, v.params["alpha"], v.verdict) for v in found] == [("slow", 1.5, "violated")]
    assert found[0].params["exponent"] == 0.5  # the case it belongs to
    names = [v.control for v in verify(control_claim(), control="all")]
    assert names == ["slow", "other", "judged otherwise", "other", "judged otherwise"]
    assert all(v.verdict == "violated" for v in verify(control_claim(), control="all"))
    assert all(v.control is None for v in verify(control_claim()))


def test_seeds_are_addresses():
    cases = plan(control_claim(), control="all") + plan(control_claim())
    seeds = {c.seed(m, n, r) for c in cases for m in (0, 1, 2) for n in SCALES for r in range(40)}
    assert len(seeds) == len(cases) * 3 * len(SCALES) * 40
    assert all(0 <= s < 2**63 for s in seeds)
    assert abs(np.mean([s / 2**63 for s in seeds]) - 0.5) < 0.02
    (case,) = plan(make(params={"K": 1.0, "alpha": 1.5}))
    swapped = plan(make(params={"alpha": np.float64(1.5), "K": 1.0}))[0]
    assert (
        case.seed(1, 100, 3) == swapped.seed(1, 100, 3) == 8185685832934147810
    )  # pinned: runs can be resumed


def test_verdicts_do_not_depend_on_executor_or_threads():
    claim = make(both, {"gap": PowerLaw(-0.5)}, replicas=37)
    texts = set()
    for options in ({"threads": 1}, {"threads": 2}, {"threads": 7}, {"executor": Backwards()}):
        texts.add(json.dumps([v.as_dict() for v in verify(claim, seed=0, **options)]))
    with ThreadPoolExecutor(3) as pool:
        texts.add(json.dumps([v.as_dict() for v in verify(claim, seed=0, executor=pool)]))
        assert pool.submit(int, 3).result() == 3  # the caller's executor stays open
    with ProcessPoolExecutor(2) as pool:
        texts.add(json.dumps([v.as_dict() for v in verify(claim, seed=0, executor=pool)]))
    assert len(texts) == 1
    assert json.dumps([v.as_dict() for v in verify(claim, seed=1)]) not in texts


def test_small_cells_cost_little_overhead():
    claim = make(lambda n, *, seed: n**-0.5 + 1e-9 * (seed % 7), replicas=4000)
    begun = time.perf_counter()
    verify(claim)
    assert (time.perf_counter() - begun) / (4000 * len(SCALES)) < 100e-6


def test_chunks_stay_short():
    submitted = []

    class Recording(ThreadPoolExecutor):
        def submit(self, work, scale, seeds):
            submitted.append(len(seeds))
            return super().submit(work, scale, seeds)

    def slow(n, *, seed):
        time.sleep(0.01)
        return n**-0.5

    with Recording(2) as pool:
        verify(make(slow, replicas=30, scales=SCALES[:3]), executor=pool)
    assert max(submitted) <= 5 and sum(submitted) == 90


def test_parameters_replace_the_grid():
    claim = make(params={"alpha": 1.5, "exponent": 0.5}, domain={"alpha": (1, 2)})
    plain = make()
    found = plan([claim, plain], params={"alpha": [1.3, 1.7]})
    assert [c.params.get("alpha") for c in found] == [1.3, 1.7, None]
    assert plan(claim, params={"alpha": 2})[0].params["alpha"] == 2


@pytest.mark.parametrize(
    "options, line",
    [
        ({"budget": "huge"}, "budget must be one of quick, standard, full, got 'huge'"),
        ({"control": "no"}, "control must be one of all, slow, other, judged otherwise, got 'no'"),
        ({"params": {"beta": 1}}, "params must be one of alpha, exponent, got 'beta'"),
        ({"params": {"alpha": []}}, "alpha must have at least one value"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"threads": 0}, "threads must be a whole number >= 1, got 0"),
        ({"executor": 3}, "executor must be a concurrent.futures.Executor, got 3"),
        ({"ledger": ""}, "ledger must be the name of a file, got ''"),
        ({"ledger": 5}, "ledger must be the name of a file, got 5"),
        ({"control": "slow", "params": {"alpha": 2.0}}, "control must apply to a case"),
        ({"claims": []}, "claims must hold at least one claim"),
        ({"claims": "C1"}, r"claims must be claims \(by name: chaosnum.claim.find\), got 'C1'"),
        ({"claims": [3]}, r"claims must be claims \(by name: chaosnum.claim.find\), got 3"),
    ],
)
def test_refuses_before_anything_runs(options, line):
    watch = Watch()
    with pytest.raises(ValueError, match="^" + line) as caught:
        verify(options.pop("claims", control_claim()), observer=watch, **options)
    assert "\n" not in str(caught.value) and watch.total is None


def test_one_replica_is_refused():
    with pytest.raises(ValueError, match=r"^S: replicas must be a whole number >= 2, got 1"):
        plan(make(replicas=1))


def test_cell_errors_name_the_cell():
    def fails(n, *, seed, alpha):
        if n == 400:
            raise ZeroDivisionError("no drift")
        return 1.0

    with pytest.raises(CellError) as caught:
        verify(make(fails, params={"alpha": 1.5}))
    line = str(caught.value)
    assert line.startswith("S: measure at n = 400, alpha = 1.5, seed = ")
    assert line.endswith("raised ZeroDivisionError: no drift") and "\n" not in line
    seed = int(line.split("seed = ")[1].split()[0])
    case = plan(make(fails, params={"alpha": 1.5}))[0]
    assert seed in {case.seed(1, 400, r) for r in range(20)}


def test_an_error_leaves_the_callers_executor_idle():
    ran = []

    def fails(n, *, seed):
        ran.append(seed)
        time.sleep(0.02)
        if len(ran) == 3:
            raise ZeroDivisionError
        return 1.0

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(CellError):
            verify(make(fails), executor=pool)
        assert pool.submit(int, 3).result() == 3  # behind what was left in the queue
        known = len(ran)
        time.sleep(0.1)
        assert len(ran) == known <= 8  # the chunk that failed, and at most one that had begun


@pytest.mark.parametrize(
    "value, line",
    [
        (float("nan"), "must return finite numbers, got error = nan"),
        (float("inf"), "must return finite numbers, got error = inf"),
        ("x", "must return numbers, got error = 'x'"),
        (None, "must return numbers, got error = None"),
        ({"gap": 1.0}, "must return a number, got the statistics gap"),
    ],
)
def test_bad_values_are_named(value, line):
    with pytest.raises(CellError, match=line):
        verify(make(lambda n, *, seed: value))
    with pytest.raises(CellError, match="must return gap, got error"):
        verify(make(lambda n, *, seed: {"error": 1.0}, {"gap": PowerLaw(-0.5)}))
    with pytest.raises(CellError, match="must return a dict with gap, got float"):
        verify(make(lambda n, *, seed: 1.0, {"gap": PowerLaw(-0.5)}))


def test_finished_verdicts_are_told_at_once():
    order = []

    class Told(Observer):
        def verdict(self, verdict, samples):
            order.append(verdict.params["case"])

    def measure(n, *, seed, case):
        order.append((case,))
        return 1.0

    verify(make(measure, params={"case": [1, 2]}, replicas=40), threads=1, observer=Told())
    assert order.index(1) < len(order) - 10 and order[-1] == 2


def test_interrupt_is_prompt_and_keeps_what_is_finished():
    script = textwrap.dedent(
        """
        import time
        from chaosnum.claim import Claim, PowerLaw
        from chaosnum.sweep import Observer, verify

        class Told(Observer):
            def verdict(self, verdict, samples):
                print(verdict.params, flush=True)

        def measure(n, *, seed, pause):
            time.sleep(pause)
            return n**-0.5

        claim = Claim("S", "", "", measure=measure, predicts=PowerLaw(-0.5), scales=[1, 2, 4],
                      replicas=400, params={"pause": [0.0, 0.05]})
        try:
            verify(claim, observer=Told())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = {**os.environ, "PYTHONPATH": root}
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment,
        # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert child.stdout.readline() == "{'pause': 0.0}\n"
    time.sleep(0.2)
    begun = time.perf_counter()
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=20)
    assert rest == "interrupted\n" and child.returncode == 0
    assert time.perf_counter() - begun < 1.0
