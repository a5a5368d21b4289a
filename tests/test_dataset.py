"""data.dataset with preprocess.py and datafolder.py: classes, split, scaling, and the sets of the literature."""

import gzip
import hashlib
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from test_datafiles import idx, refusal, write  # noqa: F401  (a fixture)

from chaosnum import data, datafolder, preprocess

SHARED = Path(os.environ.get("CHAOSNUM_DATA") or Path(__file__).parents[2] / "shared" / "data")
HERE = datafolder.held(SHARED)
mnist = pytest.mark.skipif("mnist" not in HERE, reason="the four files of MNIST are not here (CHAOSNUM_DATA)")
ecg5000 = pytest.mark.skipif("ecg5000" not in HERE, reason="ECG5000 is not here (CHAOSNUM_DATA)")

DIGITS_TO_TEST = [20, 21, 23, 25, 28, 47, 51, 55, 57, 61]  # the first ten rows

X = np.random.default_rng(3).normal(2.0, 3.0, (40, 5))
Y = np.arange(40) % 4


def refused(*source, **settings):
    return refusal(lambda: data.dataset(*source, **settings))


def sound(found):
    """What every data set keeps to."""
    for inputs, labels in ((found.X_train, found.y_train), (found.X_test, found.y_test)):
        assert inputs.dtype == np.float32 and inputs.flags.c_contiguous and np.isfinite(inputs).all()
        assert labels.dtype == np.int64 and labels.shape == (len(inputs),) and inputs.shape[1] == found.d
        assert len(labels) and labels.min() >= 0 and labels.max() < found.C
    assert found.m == len(found.X_train) and found.C == len(found.classes) >= 2
    assert set(found.y_train) == set(range(found.C)) and all(isinstance(name, str) for name in found.classes)
    assert found.preprocessing and "\n" not in found.preprocessing
    assert all(set(about) == {"name", "sha256"} and "/" not in about["name"] for about in found.files)
    return found


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


# ---------------------------------------------------------------- digits


def test_digits():
    from sklearn.datasets import load_digits

    found = sound(data.dataset())
    assert (found.name, found.m, found.d, found.C, len(found.y_test)) == ("digits", 1438, 64, 10, 359)
    assert found.classes == tuple("0123456789") and found.files == ()
    assert found.preprocessing == (
        "split by class into 1438 + 359 rows, the smallest SplitMix64 keys of seed 1 to test; "
        "scaling unit: divided by 16, the largest absolute value in the training set"
    )
    images, labels = load_digits(return_X_y=True)
    chosen = preprocess.split(labels, 0.2, 1)
    assert np.array_equal(found.X_test, images[chosen] / 16) and np.array_equal(found.y_test, labels[chosen])
    assert np.array_equal(found.X_train, images[~chosen] / 16) and np.array_equal(found.y_train, labels[~chosen])
    # The split is fixed: these numbers must never change, for a run says "digits" and means it.
    assert np.flatnonzero(chosen)[:10].tolist() == DIGITS_TO_TEST
    assert np.array_equal(data.dataset(seed=2).X_train, found.X_train)
    assert data.dataset(scaling="none").X_train.max() == 16.0
    assert "digits" in repr(found) and len(repr(found)) < 600
    assert "test must be left out" in refused("digits", test=0.3)


# ---------------------------------------------------------------- class numbers


@pytest.mark.parametrize(
    "y, classes, numbers",
    [
        ([10, -1, 9, 10], "-1 9 10", [2, 0, 1, 2]),
        ([2.0, 1.0, 2.0], "1 2", [1, 0, 1]),
        (np.array([3, 250], np.uint8), "3 250", [0, 1]),
        (np.array([7, 2**52], np.uint64), f"7 {2**52}", [0, 1]),
        ([True, False], "0 1", [1, 0]),
        (["10", "9", " 10 "], "9 10", [1, 0, 1]),  # words that are numbers are sorted as numbers
        (["1.0", "2e0", "1"], "1 2", [0, 1, 0]),
        (["b", "a", "c", "b "], "a b c", [1, 0, 2, 1]),
        ([b"no", b"yes"], "no yes", [0, 1]),
        (["1_0", "x"], "1_0 x", [0, 1]),
    ],
)
def test_class_numbers(y, classes, numbers):
    names, found, test = preprocess.class_numbers(y, y)
    assert names == tuple(classes.split()) and found.tolist() == test.tolist() == numbers
    assert found.dtype == test.dtype == np.int64
    assert preprocess.class_numbers(y)[2] is None


@pytest.mark.parametrize(
    "y, test, line",
    [
        ([1, 1], None, "y must hold two classes or more, got 1: 1"),
        ([], None, "y must hold two classes or more, got 0: none"),
        ([1.5, 1.0, 2.0], None, "y must hold whole numbers or words, got 1.5"),
        ([1.0, np.nan], None, "y must hold whole numbers or words, got nan"),
        ([1.0, np.inf], None, "y must hold whole numbers or words, got inf"),
        ([1.0, 1e300], None, "y must hold whole numbers or words, got 1e+300"),
        (np.array([1, 2**64 - 1], np.uint64), None, "y must hold whole numbers or words, got 18446744073709551615"),
        (["1", "0.5"], None, "y must hold whole numbers or words, got 0.5"),
        (["1", "nan"], None, "y must hold whole numbers or words, got nan"),
        (["1", "a"], None, "y must hold numbers alone or words alone, got both: 1, a"),
        (["a", ""], None, "y must hold labels of 1 to 100 printable characters, got ''"),
        (["a", "b\x1b[2J"], None, "y must hold labels of 1 to 100 printable characters, got 'b\\x1b[2J'"),
        (["a", "b\nc"], None, "y must hold labels of 1 to 100 printable characters, got 'b\\nc'"),
        (["a", "b" * 101], None, f"y must hold labels of 1 to 100 printable characters, got {'b' * 40!r}"),
        ([1j, 2], None, "y must hold numbers or words, got dtype complex128"),
        ([[1, 2]], None, "y must have one dimension, got shape (1, 2)"),
        ([1, 2], [3, 1, 0], "y_test must hold labels that the training set has, got 0, 3"),
        ([1, 2], list(range(9)), "y_test must hold labels that the training set has, got 0, 3, 4, 5, 6, ..."),
        ([1, 2], ["a"], "y_test must hold numbers as the training labels do, got words"),
        (["a", "b"], [1], "y_test must hold words as the training labels do, got numbers"),
        ([1, 2], [1.5], "y_test must hold whole numbers or words, got 1.5"),
    ],
)
def test_bad_labels(y, test, line):
    assert refusal(preprocess.class_numbers, y, test) == line


# ---------------------------------------------------------------- the split


def test_splitmix64():
    """The published generator: known answers for the seed 1234567, and for 0."""
    assert preprocess.splitmix64(1234567, 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert preprocess.splitmix64(0, 1).tolist() == [0xE220A8397B1DCDAF]
    state, found = 2**64 - 1, []
    for _ in range(50):  # in whole numbers without a limit
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        found.append(z ^ (z >> 31))
    assert preprocess.splitmix64(2**64 - 1, 50).tolist() == found


def test_split():
    numbers = np.repeat([0, 1, 2, 3, 4], [100, 11, 2, 1, 7])
    for share, wanted in ((0.2, [20, 2, 1, 0, 1]), (0.5, [50, 6, 1, 0, 4]), (0.999, [99, 10, 1, 0, 6])):
        for seed in (0, 1, 2**64 - 1):
            chosen = preprocess.split(numbers, share, seed)
            assert np.bincount(numbers[chosen], minlength=5).tolist() == wanted
            assert np.array_equal(chosen, preprocess.split(numbers, share, seed))
    first, second = (preprocess.split(numbers, 0.2, seed) for seed in (1, 2))
    assert not np.array_equal(first, second)
    # A class's rows do not depend on which classes the other rows have.
    others = np.where(numbers == 0, 0, 1)
    assert np.array_equal(preprocess.split(others, 0.2, 1)[:100], first[:100])


def uneven(choose, seeds=400, rows=50):
    """Chi-square of how often each of `rows` rows is chosen by `choose(seed)`, a fifth at a time."""
    counts = sum(choose(seed).astype(float) for seed in range(seeds))
    # The counts are negatively correlated: (rows-1)/rows * variance makes the sum a chi-square of rows - 1 degrees.
    return float(((counts - seeds / 5) ** 2).sum() / (seeds * 0.2 * 0.8) * (rows - 1) / rows)


def test_every_row_is_as_likely_to_be_tested():
    from scipy.stats import chi2

    high = chi2.isf(1e-6, 49)
    assert uneven(lambda seed: preprocess.split(np.zeros(50, int), 0.2, seed)) < high

    # partner: a rule that prefers every tenth row a little must fail
    def skewed(seed):
        keys = preprocess.splitmix64(seed, 50) / 2.0**64 * np.where(np.arange(50) % 10, 1.0, 0.6)
        return np.isin(np.arange(50), np.argsort(keys)[:10])

    assert uneven(skewed) > high


@pytest.mark.parametrize(
    "numbers, share, seed, line",
    [
        ([0, 1, 2], 0.2, 1, "y must have a class with two rows or more to split off a test set, got 3 rows"),
        ([0, 0], 0.0, 1, "test must lie in (0, 1), got 0.0"),
        ([0, 0], 1.0, 1, "test must lie in (0, 1), got 1.0"),
        ([0, 0], "a", 1, "test must lie in (0, 1), got 'a'"),
        ([0, 0], 0.2, -1, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ([0, 0], 0.2, 1.0, "seed must be a whole number in [0, 2^64 - 1], got 1.0"),
    ],
)
def test_bad_split(numbers, share, seed, line):
    assert refusal(preprocess.split, np.array(numbers), share, seed) == line


# ---------------------------------------------------------------- scaling


@pytest.fixture(params=[2**18, 17, 1])  # 17: three of the 40 rows at a time
def block(request, monkeypatch):
    monkeypatch.setattr(preprocess, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8])
def test_scaling(dtype):
    a, b = (10 * abs(X)).astype(dtype), (7 * abs(X[:9])).astype(dtype)
    p, q = a.astype(float), b.astype(float)
    untouched = a.copy(), b.copy()
    for scaling, wanted in {
        "none": lambda x: x,
        "unit": lambda x: x / p.max(),
        "standardize": lambda x: (x - p.mean()) / p.std(),
        "columns": lambda x: (x - p.mean(axis=0)) / p.std(axis=0),
        "rows": lambda x: (x - x.mean(axis=1)[:, None]) / x.std(axis=1, ddof=1)[:, None],
    }.items():
        train, test, words = preprocess.scaled(a, b, scaling)
        # float32's rounding; "standardize" rounds its constants by half a unit of the sixth digit of sd, which is at
        # most 5e-6 sd: the mean moves a number by that much, the standard deviation by that much times the number.
        largest = max(abs(wanted(p)).max(), abs(wanted(q)).max())
        tolerance = 2**-23 * largest + (5.1e-6 * (1 + largest) if scaling == "standardize" else 0.0)
        assert train.dtype == test.dtype == np.float32 and train.flags.c_contiguous
        assert abs(train - wanted(p)).max() < tolerance and abs(test - wanted(q)).max() < tolerance, scaling
        assert words and "\n" not in words
    assert np.array_equal(a, untouched[0]) and np.array_equal(b, untouched[1])


def test_the_words_say_exactly_what_was_done():
    for scale in (1.0, 1e-9, 1e9):
        inputs = X * scale + 1e3 * scale
        train, _, words = preprocess.scaled(inputs, inputs, "standardize")
        mean, sd = (float(word) for word in words.split() if word[0] in "-0123456789")
        assert np.array_equal(train, ((inputs - mean) / sd).astype(np.float32))
        assert abs(mean - inputs.mean()) < 1e-5 * inputs.std() and abs(sd / inputs.std() - 1) < 1e-5


def test_what_never_varies():
    flat = np.column_stack([np.full(40, 0.1), X, np.full(40, 1e300)])
    other = flat[:3] + 1.0
    train, test, words = preprocess.scaled(flat, other, "columns")
    assert (train[:, [0, -1]] == 0).all() and (test[:, [0, -1]] == 0).all() and abs(train[:, 1:-1]).min() > 0
    assert words.endswith("(2 columns that never vary there are 0)")
    rows = np.vstack([np.full(5, 0.1), X])
    train, _, _ = preprocess.scaled(rows, rows, "rows")
    assert (train[0] == 0).all() and abs(train[1:].mean()) < 1e-6
    assert (preprocess.scaled(X[:, :1], X[:, :1], "rows")[0] == 0).all()
    ones, zeros = np.ones((3, 2)), np.zeros((3, 2))
    assert refusal(preprocess.scaled, ones, ones, "standardize") == (
        "X must vary in the training set to be standardised, got 1 everywhere"
    )
    assert refusal(preprocess.scaled, zeros, ones, "unit") == (
        "X must not be all zeros in the training set to be scaled to unit size"
    )
    for scaling in ("none", "columns", "rows"):
        assert len(preprocess.scaled(zeros, zeros, scaling)[0]) == 3


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("scaling", preprocess.SCALINGS)
@pytest.mark.parametrize("power", [-900, -500, -60, 60, 500, 1000])
def test_the_unit_does_not_matter(scaling, power):
    """Also where squares, or float32, have no such numbers: the same to the rounding, or refused, and never zeros."""
    large = X * 2.0**power
    if scaling == "none":
        if power > 128:
            assert refusal(preprocess.scaled, large, X, scaling) == (
                "X must fit into float32 once scaled, got 200 number(s) too large"
            )
            assert refusal(preprocess.scaled, X, large, scaling).startswith("X_test must fit into float32")
        return
    found, test, _ = preprocess.scaled(large, large[:3], scaling)
    wanted = preprocess.scaled(X, X[:3], scaling)[0]
    # The rounding of the constants of "standardize" depends on the unit: twice 5e-6 (1 + |x|), and |x| < 4.
    assert abs(found - wanted).max() < (6e-5 if scaling == "standardize" else 1e-6)
    assert np.array_equal(test, found[:3]) and found.std() > 0.1


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("scaling", preprocess.SCALINGS)
def test_bad_inputs(scaling):
    bad = X.copy()
    bad[3, 2], bad[39, 0] = np.nan, np.inf
    assert refusal(preprocess.scaled, bad, X, scaling) == "X must be finite, got 2 NaN or infinite value(s)"
    assert refusal(preprocess.scaled, X, bad, scaling) == "X_test must be finite, got 2 NaN or infinite value(s)"
    assert refusal(preprocess.scaled, X, X[:, 1:], scaling) == (
        "X_test must have 5 columns as the training set has, got 4"
    )
    for wrong in (X[0], X[:0], X[:, :0], X[None]):
        assert f"and at least one row and column, got shape {wrong.shape}" in refusal(
            preprocess.scaled, wrong, wrong, scaling
        )
    assert refusal(preprocess.scaled, X, X, "minmax") == (
        "scaling must be one of none, unit, standardize, columns, rows, got 'minmax'"
    )


# ---------------------------------------------------------------- files of the user's


def test_a_file_is_split(tmp_path):
    path = saved(tmp_path / "mine.npz", X=X, y=Y)
    found = sound(data.dataset(path))
    assert (found.name, found.m, found.d, found.C, len(found.y_test)) == ("mine.npz", 32, 5, 4, 8)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.files == ({"name": "mine.npz", "sha256": digest},)
    assert "split by class into 32 + 8 rows" in found.preprocessing and "scaling columns: " in found.preprocessing
    assert "seed 1 to test" in found.preprocessing and str(tmp_path) not in found.preprocessing
    raw = data.dataset(str(path), scaling="none")  # every row once, with its own label
    rows = {row.tobytes(): label for row, label in zip(X.astype(np.float32), Y)}
    for row, label in zip((*raw.X_train, *raw.X_test), (*raw.y_train, *raw.y_test)):
        assert rows.pop(row.tobytes()) == label
    assert not rows
    assert not np.array_equal(data.dataset(path, seed=7).X_train, found.X_train)
    assert len(data.dataset(path, test=0.5).y_test) == 20


@pytest.mark.parametrize("name, standard", [("a.csv", "columns"), ("a.txt", "standardize"), ("a.ts", "standardize")])
def test_texts(tmp_path, name, standard):
    rows = [",".join(map(repr, map(float, x))) for x in X]
    labels = ["abcd"[y] for y in Y]
    head = "@classLabel true a b c d\n@data\n" if name == "a.ts" else ""
    form = {"a.csv": "{0},{1}\n", "a.txt": "{1},{0}\n", "a.ts": "{0}:{1}\n"}[name]
    (tmp_path / name).write_text(head + "".join(form.format(x, y) for x, y in zip(rows, labels)))
    found = sound(data.dataset(tmp_path / name))
    assert found.classes == tuple("abcd") and f"scaling {standard}: " in found.preprocessing
    same = data.dataset(saved(tmp_path / "a.npz", X=X, y=Y), scaling=standard)
    for part in ("X_train", "y_train", "X_test", "y_test"):
        assert np.array_equal(getattr(found, part), getattr(same, part))


def test_a_file_with_a_test_set(tmp_path):
    four = {"X_train": X[:30], "y_train": Y[:30], "X_test": X[30:], "y_test": Y[30:]}
    found = sound(data.dataset(saved(tmp_path / "a.npz", **four), scaling="none"))
    assert np.array_equal(found.X_train, X[:30].astype(np.float32)) and np.array_equal(found.y_test, Y[30:])
    assert "the data's own test set, 30 + 10 rows" in found.preprocessing
    for name, part in (("Mine_TRAIN.tsv", slice(0, 30)), ("Mine_TEST.tsv", slice(30, 40))):
        lines = ("\t".join(map(repr, [int(y), *map(float, x)])) for x, y in zip(X[part], Y[part]))
        (tmp_path / name).write_text("\n".join(lines))
    pair = sound(data.dataset(tmp_path / "Mine_TRAIN.tsv", scaling="none"))
    assert np.array_equal(pair.X_train, found.X_train) and np.array_equal(pair.X_test, found.X_test)
    assert pair.name == "Mine_TRAIN.tsv" and [f["name"] for f in pair.files] == ["Mine_TRAIN.tsv", "Mine_TEST.tsv"]
    assert refused(tmp_path / "a.npz", test=0.3) == (
        "test must be left out where the data have a test set of their own, got 0.3 for 'a.npz'"
    )
    for key, wrong, line in (
        ("y_test", Y[30:] + 1, "y_test must hold labels that the training set has, got 4"),
        ("y_test", Y[31:], "y_test must have one label for each row of inputs, got shapes (9,) and (10, 5)"),
        ("y_train", Y, "y must have one label for each row of inputs, got shapes (40,) and (30, 5)"),
        ("X_test", X[30:, 1:], "X_test must have 5 columns as the training set has, got 4"),
        ("X_test", X[30:] * np.inf, "X_test must be finite, got 50 NaN or infinite value(s)"),
        ("y_train", Y[:30] * 0, "y must hold two classes or more, got 1: 0"),
        ("X_train", X[:30, :, None], "y must have one label for each row of inputs, got shapes (30,) and (30, 5, 1)"),
    ):
        path = saved(tmp_path / "b.npz", **{**four, key: wrong})
        assert refused(path) == line


@pytest.mark.parametrize(
    "arrays, line",
    [
        ({"X": X * np.nan, "y": Y}, "finite, got "),
        ({"X": X, "y": Y * 0}, "y must hold two classes or more, got 1: 0"),
        ({"X": X, "y": Y + 0.5}, "y must hold whole numbers or words, got 0.5, 1.5, 2.5, 3.5"),
        ({"X": X, "y": np.arange(40)}, "y must have a class with two rows or more to split off a test set, got 40"),
        ({"X": X[:0], "y": Y[:0]}, "y must hold two classes or more, got 0: none"),
        ({"X": X, "y": Y[:3]}, "y must have one label for each row of inputs, got shapes (3,) and (40, 5)"),
        ({"X": X * 1e300, "y": Y}, "must"),
    ],
)
def test_bad_files(tmp_path, arrays, line):
    path = saved(tmp_path / "a.npz", **arrays)
    assert line in refused(path, scaling="none")


KINDS = (
    "data must be digits, mnist, ecg5000, a folder that holds one of them, or a file ending in "
    ".npz, .csv, .txt, .tsv, .ts, got "
)


def test_bad_arguments(tmp_path):
    for source in ("cifar10", "a.npy", "a.pkl", "", ".npz", None, 3, "digits\n"):
        assert refused(source).startswith(KINDS[:40]), source
    assert refused("cifar10") == KINDS + "'cifar10'"
    gone = str(tmp_path / "gone.csv")
    assert refused(gone) == f"data {gone!r} cannot be read: No such file or directory"
    for arguments, line in (
        ({"labels": "two"}, "labels must be None or 'all', got 'two'"),
        ({"scaling": "minmax"}, "scaling must be one of none, unit, standardize, columns, rows, got 'minmax'"),
        ({"test": 1.0}, "test must lie in (0, 1), got 1.0"),
        ({"seed": -1}, "seed must be a whole number in [0, 2^64 - 1], got -1"),
        ({"folder": "x"}, "folder must be a path, for mnist and ecg5000 alone, got 'x'"),
        ({"source": "mnist", "folder": 3}, "folder must be a path, for mnist and ecg5000 alone, got '3'"),
        ({"source": "mnist", "folder": ""}, "folder must be a path, for mnist and ecg5000 alone, got ''"),
    ):
        assert refused(**arguments) == line


# ---------------------------------------------------------------- MNIST and ECG5000, small ones made here

IMAGES = np.random.default_rng(5).integers(0, 256, (60, 4, 3), dtype=np.uint8)
MARKS = np.arange(60) % 10


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of a tiny MNIST in its sub-folder, and a tiny ECG5000 of text."""
    place = tmp_path / "some where"
    (place / "mnist").mkdir(parents=True)
    for name, content in {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:40])),
        "train-labels-idx1-ubyte": idx(MARKS[:40]),
        "t10k-images.idx3-ubyte": idx(IMAGES[40:]),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(MARKS[40:])),
    }.items():
        (place / "mnist" / name).write_bytes(content)
    for part, rows in (("TRAIN", slice(0, 30)), ("TEST", slice(30, 40))):
        lines = ("  ".join(map("{:.7e}".format, [y % 4 + 1, *x])) for x, y in zip(X[rows], Y[rows]))
        (place / f"ECG5000_{part}.txt").write_text("\n".join(lines) + "\n")
    return place


def test_a_tiny_mnist(folder, monkeypatch):
    found = sound(data.dataset("mnist", folder=folder))
    assert (found.name, found.m, found.d, found.C, len(found.y_test)) == ("mnist", 40, 12, 10, 20)
    assert len(found.files) == 4 and " where 60000 + 10000 were published; scaling standardize: " in found.preprocessing
    pixels = data.dataset("mnist", folder=str(folder), scaling="none")
    assert np.array_equal(pixels.X_test, IMAGES[40:].reshape(20, 12)) and np.array_equal(pixels.y_test, MARKS[40:])
    monkeypatch.setenv("CHAOSNUM_DATA", str(folder))
    assert np.array_equal(data.dataset("mnist").X_train, found.X_train)
    assert data.dataset(folder / "mnist").name == "mnist"
    monkeypatch.delenv("CHAOSNUM_DATA")
    monkeypatch.chdir(folder.parent)
    assert "in 'data' or its folder mnist: not found" in refused("mnist")
    folder.rename(folder.parent / "data")
    assert np.array_equal(data.dataset("mnist").X_train, found.X_train)


def test_a_tiny_ecg5000(folder):
    two, five = (sound(data.dataset("ecg5000", folder=folder, labels=labels)) for labels in (None, "all"))
    assert two.classes == ("normal", "rest") and five.classes == tuple("1234")
    assert np.array_equal(two.y_train, five.y_train != 0) and np.array_equal(two.y_test, Y[30:] != 0)
    assert "two classes: normal (label 1) against the rest (labels 2 to 5)" in two.preprocessing
    assert "4 classes of heartbeats as published" in five.preprocessing
    assert np.allclose(two.X_train, X[:30], rtol=1e-6)
    # These series are not normalised, and the words must not say that they are.
    assert "within 1e-0" not in two.preprocessing and "every series has its mean within " in two.preprocessing
    assert len(two.files) == 2
    for end in (".tsv", ".ts", ""):
        for part in ("TRAIN", "TEST"):
            lines = (folder / f"ECG5000_{part}.txt").read_text().splitlines()
            if end == ".ts":
                pairs = (line.split(None, 1) for line in lines)
                lines = ["@classLabel true 1 2 3 4 5", "@data"]
                lines += [f"{','.join(x.split())}:{float(y):.0f}" for y, x in pairs]
            name = f"ECG5000_{part}{end}"
            other = folder.parent / f"other{end}" / "ECG5000"
            other.mkdir(parents=True, exist_ok=True)
            (other / name).write_text("\n".join(lines))
        same = data.dataset("ecg5000", folder=other.parent)
        assert np.array_equal(same.X_train, two.X_train) and np.array_equal(same.y_test, two.y_test)
        assert data.dataset(other).name == data.dataset(other.parent).name == "ecg5000"


def test_other_labels_are_not_ecg5000(folder):
    for change in ("6", "0", "-1", "a"):
        path = folder / "ECG5000_TRAIN.txt"
        text = path.read_text()
        path.write_text("\n".join(change + line[13:] if line[0] == "2" else line for line in text.splitlines()))
        refused("ecg5000", folder=folder)
        path.write_text(text)
    path.write_text("\n".join(line for line in text.splitlines() if line[0] != "1"))
    (folder / "ECG5000_TEST.txt").write_text(path.read_text())
    assert refused("ecg5000", folder=folder) == (
        "ecg5000 must have the class 1 and others of 1, 2, 3, 4, 5, got 2, 3, 4"
    )


def test_what_is_missing_is_named(folder, tmp_path):
    empty = tmp_path / "empty"
    for place in (empty, tmp_path / "not there"):
        empty.mkdir(exist_ok=True)
        for name, words in (("mnist", "train-images-idx3-ubyte, train"), ("ecg5000", "ecg5000.npz, or ECG5000_TRAIN")):
            line = refused(name, folder=place)
            assert line.startswith(f"{name} needs {words}")
            assert f" in {str(place)!r} or its folder {name}: not found; point elsewhere with " in line
            assert "with --data-dir DIR or CHAOSNUM_DATA; the data come from https://" in line
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert ": only train-images-idx3-ubyte.gz, train-labels-idx1-ubyte, t10k-images.idx3-ubyte found; " in refused(
        "mnist", folder=folder
    )
    (folder / "ECG5000_TEST.txt").unlink()
    assert ": only ECG5000_TRAIN.txt found; " in refused("ecg5000", folder=folder)
    assert refused(empty) == f"data {str(empty)!r} must be a folder that holds mnist or ecg5000, got none"


def test_a_folder_of_both_is_ambiguous(folder):
    assert refused(folder).endswith("got mnist and ecg5000: name one of them and give the folder with --data-dir")


def test_damaged_files_of_a_set(folder):
    images = folder / "mnist" / "t10k-images.idx3-ubyte"
    whole = images.read_bytes()
    for content in (b"", whole[:-1], whole + b"\0", whole[:16], idx(MARKS[40:]), whole[8:]):
        images.write_bytes(content)
        assert "t10k-images.idx3-ubyte" in refused("mnist", folder=folder)
    images.write_bytes(idx(IMAGES[41:]))
    assert refused("mnist", folder=folder) == (
        "data: t10k-images.idx3-ubyte has 19 images, and t10k-labels-idx1-ubyte.gz 20 labels"
    )


# ---------------------------------------------------------------- the real ones


@mnist
def test_mnist():
    paths = datafolder.find("mnist", SHARED)
    contents = [path.read_bytes() for path in paths]
    contents = [gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw for raw in contents]
    assert [hashlib.md5(raw).hexdigest() for raw in contents] == [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ]
    found = sound(data.dataset("mnist", folder=SHARED))
    assert (found.m, found.d, found.C, len(found.y_test)) == (60_000, 784, 10, 10_000)
    assert np.bincount(found.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(found.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    pixels = np.frombuffer(contents[0], np.uint8, offset=16)
    levels = np.bincount(pixels, minlength=256).astype(object)  # exact: whole numbers without a limit
    mean = sum(int(v) * int(c) for v, c in enumerate(levels)) / len(pixels)
    sd = (sum(int(v) ** 2 * int(c) for v, c in enumerate(levels)) / len(pixels) - mean**2) ** 0.5
    # To five parts in 1e7 of sd, the rounding of the constants (half a unit of the fourth decimal place, sd = 78.6).
    assert f"minus the mean {round(mean, 4)} and over the standard deviation {round(sd, 4)}" in found.preprocessing
    assert "(0.1307 and 0.3081 of pixels / 255)" in found.preprocessing  # the constants of the literature
    first = ((pixels[: 50 * 784] - round(mean, 4)) / round(sd, 4)).astype(np.float32)
    assert np.array_equal(found.X_train[:50].ravel(), first)
    assert "published" not in found.preprocessing


@mnist
def test_mnist_in_time_and_memory():
    """Three copies of the float32 numbers at most, and under three seconds of one processor (about one, measured)."""
    start = time.process_time()  # other processes on the machine do not count
    found = data.dataset("mnist", folder=SHARED)
    assert time.process_time() - start < 3.0
    size = found.X_train.nbytes + found.X_test.nbytes
    del found
    tracemalloc.start()
    try:
        data.dataset("mnist", folder=SHARED)
        assert tracemalloc.get_traced_memory()[1] < 3 * size
    finally:
        tracemalloc.stop()


@ecg5000
def test_ecg5000():
    five = sound(data.dataset("ecg5000", folder=SHARED, labels="all"))
    two = sound(data.dataset("ecg5000", folder=SHARED))
    assert (two.m, two.d, two.C) == (500, 140, 2) and len(two.y_test) in (4499, 4500)
    assert np.bincount(five.y_train).tolist() == [292, 177, 10, 19, 2]
    counts = np.bincount(five.y_test).tolist()
    assert counts[1:] == [1590, 86, 175, 22] and counts[0] in (2626, 2627)
    assert np.bincount(two.y_train).tolist() == [292, 208]
    assert (" where 500 + 4500 were published" in two.preprocessing) == (len(two.y_test) == 4499)
    path = datafolder.find("ecg5000", SHARED)[0]
    if path.suffix == ".npz":  # row by row what is in the file
        with np.load(path) as want:
            assert np.array_equal(two.X_test, want["X_test"]) and np.array_equal(five.y_test + 1, want["y_test"])
            assert np.array_equal(two.X_train, want["X_train"]) and np.array_equal(two.y_train, want["y_train"] != 1)
    # They come normalised, each by itself, with the divisor d - 1: so "rows" changes nothing but a rounding.
    assert "scaling none: " in two.preprocessing
    rows = data.dataset("ecg5000", folder=SHARED, scaling="rows")
    for part in ("X_train", "X_test"):
        series = getattr(two, part).astype(float)
        assert abs(series.mean(axis=1)).max() < 1e-6 and abs(series.std(axis=1, ddof=1) - 1).max() < 1e-6
        assert abs(getattr(rows, part) - series).max() < 1e-5
