"""The grid of C8: settings, runs, results against loops of their own, the summary over seeds, and the folder."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from chaosnum import checkpoint, experiment, mlp, sgd, trainfolder, traingrid, trainsettings, trainsummary
from chaosnum.data import Dataset
from chaosnum.trainprogress import Progress


def blobs(m=150, d=5, classes=3, seed=1):
    """Three clouds, two thirds of them to train on."""
    rng = np.random.default_rng(seed)
    y = np.arange(m) % classes
    X = (rng.standard_normal((m, d)) + 2 * np.eye(d)[y]).astype(np.float32)
    cut = 2 * m // 3
    names = tuple("abc"[:classes])
    return Dataset("blobs", X[:cut], y[:cut], X[cut:], y[cut:], names, "as drawn", ({"name": "blobs", "sha256": "0"},))


DATA = blobs()
SMALL = experiment.Settings(data="blobs", width=(120,), noise=("none", "II"), batch=20, target=None, every=10, cap=30,
                            sigma=0.05, seed=(1, 2))  # fmt: skip


def test_the_words_are_those_of_the_modules_that_do_the_work():
    """They stand here too, so that the command line needs nothing heavy."""
    assert trainsettings.PARAMETRISATIONS == mlp.PARAMETRISATIONS
    assert trainsettings.DTYPES == mlp.DTYPES and trainsettings.DEEPEST == mlp.DEEPEST
    assert set(trainsettings.UNITS) == set(mlp.UNITS) and trainsettings.NOISES == sgd.KINDS
    from chaosnum import prune

    assert trainsettings.SCOPES == prune.SCOPES


WRONG = {
    "width": ((0,), "width must be a whole number in [1, 16777216], got 0"),
    "depth": ((5,), "depth must be a whole number in [1, 4], got 5"),
    "unit": ("step", "unit must be one of relu, tanh, sigmoid, got 'step'"),
    "parametrisation": (("ntk",), "parametrisation must be one of standard, mean-field, got 'ntk'"),
    "noise": (("IV",), "noise must be one of none, I, II, III, III-paper, got 'IV'"),
    "alpha": ((2.5,), "alpha must lie in (0, 2], got 2.5"),
    "sigma": (0, "sigma must lie in (0, inf), got 0"),
    "eta": (math.nan, "eta must lie in (0, inf), got nan"),
    "batch": (0, "batch must be a whole number >= 1, got 0"),
    "target": (1.5, "target must lie in (0, 1], got 1.5"),
    "every": (2.5, "every must be a whole number >= 1, got 2.5"),
    "cap": (0, "cap must be a whole number in [1, 4294967295], got 0"),
    "seed": ((-1,), "seed must be a whole number in [0, 9223372036854775807], got -1"),
    "dtype": ("float16", "dtype must be one of float32, float64, got 'float16'"),
    "prune_error": (1, "prune-error must lie in (0, 1), got 1"),
    "scope": ("all", "scope must be one of layer, global, got 'all'"),
    "data": ("", "data must be the name of a data set, got ''"),
    "scaling": (3, "scaling must be a word, got 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_out_of_range(name):
    value, words = WRONG[name]
    with pytest.raises(ValueError) as found:
        experiment.Settings(**{name: value})
    assert words in str(found.value).replace("0.0", "0").replace("1.0", "1") and "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["width", "depth", "parametrisation", "noise", "alpha", "seed"])
@pytest.mark.parametrize("value", [(), None, 3])
def test_what_spans_the_grid_is_a_list(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be one value or more"):
        experiment.Settings(**{name: value})


def test_mean_field_networks_have_one_layer():
    with pytest.raises(ValueError, match="depth must be 1 for the mean-field parametrisation, got 2"):
        experiment.Settings(parametrisation=("standard", "mean-field"), depth=(1, 2))


def test_settings_survive_json():
    for chosen in (SMALL, experiment.settings("mnist"), experiment.settings("ecg5000", batch=7)):
        assert experiment.from_dict(json.loads(json.dumps(chosen.as_dict()))) == chosen
    good = SMALL.as_dict()
    for bad in ([], None, {}, {**good, "more": 1}, {**good, "eta": "x"}, {**good, "width": 3},
                {k: v for k, v in good.items() if k != "eta"}):  # fmt: skip
        with pytest.raises(ValueError):
            experiment.from_dict(bad)


def test_the_grid():
    chosen = replace(SMALL, width=(4, 5, 4), depth=(1, 2), noise=("none", "I", "III"), alpha=(1.5, 2.0))
    found = experiment.runs(chosen)
    assert len(found) == len({run.name for run in found}) == 2 * 2 * 2 * (1 + 2 * 2)
    assert [run.seed for run in found[:20]] == [1] * 20  # all settings of one seed come before the next seed
    assert {run.alpha for run in found if run.noise == "none"} == {None}
    assert found[1].name == "width4-depth1-standard-I-alpha1.5-seed1"
    assert experiment.settings("ecg5000").batch is None and experiment.settings("mnist").sigma == 0.003


def test_what_the_data_do_not_allow():
    with pytest.raises(ValueError, match=r"batch must be a whole number in \[1, 100\], got 101"):
        experiment.check_data(replace(SMALL, batch=101), DATA)


def test_a_result_is_that_of_a_loop_of_its_own():
    """Training, pruning and accuracy by hand, in float64, for one run."""
    chosen = replace(SMALL, dtype="float64", prune_error=0.2)
    run = experiment.runs(chosen)[1]
    assert (run.noise, run.alpha) == ("II", 1.75)
    result = experiment.result(chosen, run, DATA, experiment.training(chosen, run, DATA).run())
    net = mlp.MLP(5, (120,), 3, dtype="float64")
    trained = sgd.Training(net, DATA, sgd.Noise("II", 1.75, 0.05), sgd.Schedule(0.1, 20, None, 10, 30), seed=1).run()
    theta, v = trained.weights

    def right(theta, X, y):
        return np.mean(np.argmax(np.maximum(X @ theta, 0) @ v, axis=1) == y)

    assert result["before"]["test"]["accuracy"] == right(theta, DATA.X_test, DATA.y_test)
    squares = np.sum(theta**2, axis=0)
    order, gone = np.argsort(squares), 0
    while squares[order[: gone + 1]].sum() <= 0.2 * squares.sum():
        gone += 1
    assert result["pruned"]["share"] == gone / 120
    cut = theta.copy()
    cut[:, order[:gone]] = 0
    assert result["pruned"]["train"]["accuracy"] == right(cut, DATA.X_train, DATA.y_train)
    assert result["sweep"][0]["train"] == result["before"]["train"] and result["sweep"][-1]["share"] == 1.0
    assert (result["steps"], result["stopped"], result["outside"]) == (30, "cap", net.outside)
    assert [step for step, _, _ in result["history"]] == [0, 10, 20]
    norms = np.sort(np.sqrt(squares))[::-1]
    for kappa, error in zip(result["curve"]["kappa"], result["curve"]["measured"]):
        kept = math.floor(kappa * 120 + 1e-9)
        assert error == pytest.approx(math.sqrt(np.sum(norms[kept:] ** 2) / np.sum(norms**2)), abs=1e-12)
    for r, share in zip(result["tail"]["r"], result["tail"]["share"]):
        assert np.count_nonzero(norms >= r * (1 - 1e-12)) == round(share * 120)


def test_columns_without_a_tail():
    none = {"alpha": None, "ci": None, "reason": "too few"}
    found = experiment.columns(np.ones((3, 7)), none)
    assert found["curve"]["predicted"] is None and found["tail"]["alpha"] is None
    assert experiment.columns(np.zeros((3, 7)), none)["curve"]["measured"] is None  # every unit dead


def test_depth_and_practice_are_outside_the_theorem():
    deep = replace(SMALL, depth=(2,), width=(8,), cap=1, noise=("none",), seed=(1,))
    (run,) = experiment.runs(deep)
    found = experiment.result(deep, run, DATA, experiment.training(deep, run, DATA).run())
    assert "2 hidden layers" in found["outside"]
    inside = replace(SMALL, parametrisation=("mean-field",), unit="tanh", width=(8,), cap=1)
    run = experiment.runs(inside)[0]
    assert experiment.result(inside, run, DATA, experiment.training(inside, run, DATA).run())["outside"] == ""


# ---------------------------------------------------------------- the summary over seeds


def made(noise, seed, share, *, train=0.95, stopped="target", alpha_hat=1.8, before=True):
    """A result with these numbers."""
    scores = {"train": {"loss": 0.2, "accuracy": train}, "test": {"loss": 0.3, "accuracy": train - 0.01}}
    alpha = None if noise == "none" else 1.75
    return {
        "name": f"{noise}-{seed}", "width": 9, "depth": 1, "parametrisation": "standard", "unit": "relu",
        "noise": noise, "alpha": alpha, "sigma": None if noise == "none" else 0.1, "seed": seed, "outside": "",
        "steps": 10 * seed, "stopped": stopped if before else "diverged", "before": scores if before else None,
        "pruned": {"share": share, **scores} if before else None, "tail": {"alpha": alpha_hat} if before else None,
    }  # fmt: skip


def test_mean_spread_and_paired_interval():
    shares = {"none": [0.1, 0.12, 0.11], "II": [0.3, 0.25, 0.35]}
    results = [made(noise, seed, share) for noise, x in shares.items() for seed, share in enumerate(x, 1)]
    none, noisy = trainsummary.rows(results[::-1])[::-1]
    assert none["difference"] is None and none["seeds"] == [3, 2, 1]
    assert noisy["share"] == {"mean": pytest.approx(0.3), "sd": pytest.approx(np.std(shares["II"], ddof=1))}
    gaps = np.subtract(shares["II"], shares["none"])
    low, high = stats.t.interval(0.95, 2, np.mean(gaps), stats.sem(gaps))
    found = noisy["difference"]["share"]
    assert found == {"mean": pytest.approx(np.mean(gaps)), "low": pytest.approx(low), "high": pytest.approx(high)}
    assert noisy["difference"]["train_before"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert noisy["tail"] == {"mean": pytest.approx(1.8), "sd": pytest.approx(0.0), "seeds": 3}


def test_runs_that_have_no_partner_or_no_result():
    results = [made("none", 1, 0.1), made("none", 2, 0.1, before=False), made("II", 1, 0.3), made("II", 2, 0.4),
               made("II", 3, 0.5, stopped="cap", alpha_hat=None), made("I", 1, 0, before=False)]  # fmt: skip
    none, two, one = trainsummary.rows(results)
    assert (none["seeds"], none["diverged"]) == ([1], [2]) and none["share"] == {"mean": 0.1, "sd": None}
    assert two["difference"]["seeds"] == [1]  # seed 2 has nothing to be compared with
    assert two["difference"]["share"] == {"mean": pytest.approx(0.2), "low": None, "high": None}
    assert (two["cap"], two["tail"]["seeds"]) == ([3], 2)
    assert one["share"]["mean"] is None and one["difference"] is None and one["diverged"] == [1]
    assert trainsummary.rows([made("II", 1, 0.3)])[0]["difference"] is None  # no run without noise at all


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """4000 samples of 3: misses within 4.5 standard deviations of 5 %; with a normal's factor they are 19 %."""
    rng = np.random.default_rng(5)
    misses = normal = 0
    for x in rng.standard_normal((4000, 3)):
        found = trainsummary.student(x.tolist())
        misses += not found["low"] <= 0 <= found["high"]
        normal += abs(np.mean(x)) > 1.96 * np.std(x, ddof=1) / math.sqrt(3)
    sd = math.sqrt(4000 * 0.05 * 0.95)
    assert abs(misses - 200) < 4.5 * sd < normal - 200


# ---------------------------------------------------------------- the folder


class Quiet(Progress):
    """Says nothing."""

    def __init__(self, *_):
        super().__init__(1, stream=SimpleNamespace(isatty=lambda: False, write=lambda _: None, flush=lambda: None))


def start(path, chosen=SMALL, dataset=DATA):
    return trainfolder.new(path, chosen, dataset, {"data": "digits", "folder": None})


def whole(path, chosen=SMALL):
    folder = start(path, chosen)
    traingrid.run(folder, chosen, DATA, Quiet())
    folder.finish([], [])
    folder.close()
    return folder


def names(path):
    """Every file below a folder."""
    return sorted(str(f.relative_to(path)) for f in path.rglob("*") if f.is_file())


def contents(path):
    """Every file, and train.json without timings."""
    about = json.loads((path / "train.json").read_text())
    for run in about["runs"]:
        run.pop("seconds")
    files = {name: (path / name).read_bytes() for name in names(path) if name != "train.json"}
    return {key: about[key] for key in ("settings", "data", "runs", "finished")}, files


def test_the_weights_file_says_everything(tmp_path):
    whole(tmp_path / "a")
    results = json.loads((tmp_path / "a" / "train.json").read_text())["runs"]
    assert [run["name"] for run in results] == [run.name for run in experiment.runs(SMALL)]
    for run, result in zip(experiment.runs(SMALL), results):
        weights, about = checkpoint.load(tmp_path / "a" / result["weights"])
        trained = experiment.training(SMALL, run, DATA).run()
        assert all(np.array_equal(a, b) for a, b in zip(weights, trained.weights))
        assert experiment.from_dict(about["settings"]) == SMALL and about["data"]["files"] == list(DATA.files)
        assert about["result"] == {k: v for k, v in result.items() if k not in ("weights", "seconds")}
    assert not (tmp_path / "a" / "checkpoints").exists() and not (tmp_path / "a" / ".lock").exists()


class Killed(BaseException):
    """What a kill is for the process."""


def test_killed_at_every_instant(tmp_path, monkeypatch):
    """Whatever evaluation or file it is killed at, going on ends with the same bytes."""
    monkeypatch.setattr(trainfolder, "SECONDS", 0.0)
    monkeypatch.setattr(trainfolder, "RARER", 0)
    tiny = replace(SMALL, width=(12,))  # without tails, which would take most of the time
    wanted = contents(whole(tmp_path / "whole", tiny).path)
    count, last = 0, 0

    def counted(real):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == last:
                raise Killed
            return real(*args, **kwargs)

        return call

    for function in ("load", "save"):
        monkeypatch.setattr(checkpoint, function, counted(getattr(checkpoint, function)))
    monkeypatch.setattr(sgd.Training, "advance", counted(sgd.Training.advance))
    monkeypatch.setattr(trainfolder.Folder, "_write", counted(trainfolder.Folder._write))
    monkeypatch.setattr(experiment, "result", counted(experiment.result))
    for last in range(2, 40, 3):
        path, count, kills = tmp_path / f"cut{last}", 0, 0
        folder = start(path, tiny)
        while True:
            try:
                folder = folder or trainfolder.resume(path)
                traingrid.run(folder, tiny, DATA, Quiet())
                folder.finish([], [])
                break
            except Killed:
                kills += 1
                if folder:
                    folder._held.close()  # as the system does
                folder = None
                count = 2 - kills  # the next one comes later, or it would never end
        folder.close()
        assert contents(path) == wanted, last
        if kills == 0:
            break
    assert last > 20  # the last one was not killed at all: every instant has been


def test_a_finished_folder_may_be_used_again(tmp_path):
    path = tmp_path / "a"
    whole(path)
    (path / "mine.txt").write_text("keep")
    (path / "weights" / "mine.npy").write_bytes(b"keep")
    small = replace(SMALL, seed=(1,), noise=("none",))
    whole(path, small)
    weights = "weights/width120-depth1-standard-none-seed1.safetensors"
    assert names(path) == ["mine.txt", "train.json", "weights/mine.npy", weights]


def test_folders_that_are_refused(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="out must be a new or empty folder or one of an earlier train"):
        start(foreign)
    assert [f.name for f in foreign.iterdir()] == ["thesis.tex"]
    folder = start(tmp_path / "a")
    with pytest.raises(ValueError, match="out holds runs that are not finished"):
        start(tmp_path / "a")
    with pytest.raises(ValueError, match="is in use by another process of chaosnum"):
        trainfolder.resume(tmp_path / "a")
    folder.close()
    trainfolder.resume(tmp_path / "a").close()
    for place in ("/proc/nowhere/x", foreign / "thesis.tex"):
        with pytest.raises(ValueError, match="out must be a folder that can be written to"):
            start(place)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b'{"runs": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_train_json_that_is_not_one(tmp_path, raw):
    (tmp_path / "train.json").write_bytes(raw)
    with pytest.raises(ValueError, match="its train.json is damaged or of something else"):
        trainfolder.resume(tmp_path)
    with pytest.raises(ValueError, match="out must be a new or empty folder or one of an earlier train"):
        start(tmp_path)
    assert (tmp_path / "train.json").read_bytes() == raw and len(list(tmp_path.iterdir())) == 1


def test_a_flipped_digit_is_seen(tmp_path):
    file = whole(tmp_path / "a").path / "train.json"
    text = file.read_text()
    for old, new in (('"share": 0.', '"share": 1.'), ('"eta": 0.1', '"eta": 0.2'), ("true", "false")):
        assert old in text
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match="its train.json is damaged"):
            trainfolder.read(tmp_path / "a")
    file.write_text(text)
    assert trainfolder.read(tmp_path / "a")["finished"]


def test_a_checkpoint_that_cannot_be_used(tmp_path):
    folder = start(tmp_path / "a")
    first, second = experiment.runs(SMALL)[:2]
    trained = experiment.training(SMALL, first, DATA)
    trained.advance()
    trained.advance()
    about = experiment.about(SMALL, first, DATA)
    folder.save_state(first, trained, 1.5, about)
    fresh = experiment.training(SMALL, first, DATA)
    assert folder.load_state(first, fresh, about) == 1.5
    assert (fresh.step, len(fresh.evaluations)) == (10, 1)  # the state of the last evaluation: the next repeats it
    file = folder.checkpoint_file(first)
    good = file.read_bytes()
    other = experiment.about(SMALL, second, DATA)
    with pytest.raises(ValueError, match="is not a checkpoint of this run with these settings; delete it to begin"):
        folder.load_state(first, fresh, other)
    for raw in (b"", good[:-1], good[:100], good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]):
        file.write_bytes(raw)
        with pytest.raises(ValueError, match=r"seed1\.safetensors' .*; delete it to begin this run anew"):
            folder.load_state(first, fresh, about)
    checkpoint.save(file, trained.weights, {**about, "state": {"step": "x"}})
    with pytest.raises(ValueError, match="delete it to begin this run anew"):
        folder.load_state(first, fresh, about)
    wide = experiment.training(replace(SMALL, width=(3,)), first.__class__(3, 1, "standard", "none", None, 1), DATA)
    file.write_bytes(good)
    with pytest.raises(ValueError, match="shape"):
        folder.load_state(first, wide, about)
    folder.close()
