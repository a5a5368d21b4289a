"""data.py: good files are read, bad ones get one clear line, and no file is ever executed."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from chaosnum import data

X = np.arange(12.0).reshape(4, 3) / 7.0
Y = np.array([3, 8, 8, 3])
SIGNS = [-1.0, 1.0, 1.0, -1.0]


def rows(X=X, y=Y):
    return "".join(",".join(map(repr, map(float, [*x, label]))) + "\n" for x, label in zip(X, y))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def message(source):
    """The error of `load`: a ValueError and nothing else, in one line."""
    with pytest.raises(ValueError) as error:
        data.load(str(source))
    assert type(error.value) is ValueError
    assert str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def write(tmp_path):
    """Writes a file of text, of bytes, of arrays by name, or an archive of byte members by file name."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8", newline="")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif all(isinstance(member, bytes) for member in content.values()):
            with zipfile.ZipFile(path, "w") as archive:
                for member, raw in content.items():
                    archive.writestr(member, raw)
        else:
            np.savez(path, **content)
        return path

    return write


# ---------------------------------------------------------------- digits


def test_digits():
    from sklearn.datasets import load_digits

    X, y = data.digits()
    assert X.shape == (60, 64) and y.shape == (60,) and X.dtype == y.dtype == np.float64
    assert X.min() == 0.0 and X.max() == 1.0 and set(y) == {-1.0, 1.0}
    images, labels = load_digits(return_X_y=True)
    chosen = (labels == 3) | (labels == 8)
    assert np.array_equal(X, images[chosen][:60] / 16) and np.array_equal(y > 0, labels[chosen][:60] == 8)
    assert np.array_equal(data.load("digits")[0], X)
    fewer, other = data.digits(10), data.digits(10, (0, 1))
    assert np.array_equal(fewer[0], X[:10]) and not np.array_equal(other[0], fewer[0])
    assert abs(y.sum()) < 20  # both classes are well represented
    whole = int(chosen.sum())
    assert len(data.digits(whole)[0]) == whole


def test_digits_are_shared_and_cannot_be_written_to():
    for array in data.digits():
        with pytest.raises(ValueError):
            array[0] = 7.0


@pytest.mark.parametrize("points", [1, 0, -5, 358, 2.5, "10"])
def test_digits_bad_points(points):
    with pytest.raises(ValueError) as error:
        data.digits(points)
    assert str(error.value) == f"points must be a whole number in [2, 357], got {points!r}"


# ---------------------------------------------------------------- good files


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8, bool])
def test_npz(write, dtype):
    inputs = (7 * X).astype(dtype)
    found, labels = data.load(str(write("a.npz", {"X": inputs, "y": Y, "more": X})))
    assert found.dtype == np.float64 and np.array_equal(found, inputs) and np.array_equal(labels, SIGNS)


def test_npz_with_words_as_labels(write):
    found, labels = data.load(str(write("a.npz", {"X": X, "y": np.array(["no", "yes", "yes", "no"])})))
    assert np.array_equal(found, X) and np.array_equal(labels, SIGNS)


@pytest.mark.parametrize(
    "text",
    [
        rows(),
        "a,b,c,label\n" + rows(),
        "\ufeff" + rows(),  # as spreadsheets write it: the first sample must not pass for a header
        "\ufeffa,b,c,label\n" + rows(),
        rows().replace("\n", "\r\n"),
        rows().replace(",", " , "),
        "\n" + rows().replace("\n", "\n\n"),
        rows().rstrip("\n"),
    ],
)
def test_csv(write, text):
    found, labels = data.load(write("a.csv", text))
    assert np.array_equal(found, X) and np.array_equal(labels, SIGNS)


# ---------------------------------------------------------------- bad files


def test_what_cannot_be_read(write, tmp_path):
    for name in ("gone.npz", "gone.csv"):
        assert message(tmp_path / name) == f"data {str(tmp_path / name)!r} cannot be read: No such file or directory"
        (tmp_path / f"folder-{name}").mkdir()
        assert "cannot be read: " in message(tmp_path / f"folder-{name}")
    for name in ("a.txt", "a", "digits8", "a.npy", "a.npz.gz"):
        assert message(name) == f"data must be digits or a file ending in .npz or .csv, got {name!r}"
    for source in (None, 3):
        with pytest.raises(ValueError, match=rf"^data must be digits or a file .*, got {source}$"):
            data.load(source)


def test_damaged_archives(write):
    """Cut anywhere, or with a byte changed in the arrays: never half a data set, never an error of another kind."""
    path = write("a.npz", {"X": X, "y": Y})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert message(path).startswith("data ")
    for at in (60, 150, 250, 400, len(whole) - 30):
        changed = bytearray(whole)
        changed[at] ^= 0x55
        path.write_bytes(changed)
        try:
            found = data.load(str(path))
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert np.array_equal(found[0], X)  # a byte that means nothing
    path.write_bytes(whole)
    assert np.array_equal(data.load(str(path))[0], X)


@pytest.mark.parametrize("cut", [0, 5, 20, 100, 140])
def test_half_an_array_in_a_sound_archive(write, cut):
    message(write("a.npz", {"X.npy": npy(X)[:cut], "y.npy": npy(Y)}))
    message(write("b.npz", {"X.npy": npy(X), "y.npy": npy(Y)[:cut]}))
    assert len(data.load(write("c.npz", {"X.npy": npy(X), "y.npy": npy(Y)}))[0]) == 4


def test_an_array_larger_than_memory(write):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**14, 3)})
    assert "damaged: MemoryError" in message(write("a.npz", {"X.npy": file.getvalue(), "y.npy": npy(Y)}))


OBJECTS = np.array([[1.0, None]] * 4, dtype=object)


@pytest.mark.parametrize(
    "content, end",
    [
        ({"A": X, "y": Y}, "must hold the arrays X and y, got A, y"),
        ({}, "must hold the arrays X and y, got none"),
        ({"X": OBJECTS, "y": Y}, ": X must be an array of numbers, got objects or half of one"),
        ({"X": X, "y": OBJECTS[:, 0]}, ": y must be an array of numbers, got objects or half of one"),
        ({"X": X + 1j, "y": Y}, ": X must be an array of numbers, got dtype complex128"),
        ({"X": X.astype(str), "y": Y}, ": X must be an array of numbers, got dtype <U32"),
        ({"X": Y[:, None].astype("M8[s]"), "y": Y}, ": X must be an array of numbers, got dtype datetime64[s]"),
        ({"X": X, "y": Y + 0j}, ": y must be an array of numbers, got dtype complex128"),
        (b"hello, world\n", "must be a NumPy archive, as written by numpy.savez"),
        (npy(X), "must be a NumPy archive, as written by numpy.savez"),
        (pickle.dumps({"X": X, "y": Y}), "must be a NumPy archive, as written by numpy.savez"),
        (b"", " is damaged: EOFError"),
        ({"X": X[:, 0], "y": Y}, "X must have 2 dimension(s), got shape (4,)"),
        ({"X": X, "y": np.float64(3)}, "y must have one dimension, got shape ()"),
        ({"X": X, "y": Y[:3]}, "y must have one label for each of the 4 rows of X, got 3"),
        ({"X": X * np.nan, "y": Y}, "X must be finite, got 12 NaN or infinite value(s)"),
        ({"X": X, "y": np.ones(4)}, "y must hold two classes, got 1: 1.0"),
        ({"X": X, "y": np.arange(4)}, "y must hold two classes, got 4: 0, 1, 2, 3"),
    ],
)
def test_bad_npz(write, content, end):
    found = message(write("a.npz", content))
    assert found.endswith(end) and "allow_pickle" not in found


HOLD = "a.csv' must hold rows of equal length, at least two numbers each"


@pytest.mark.parametrize(
    "text, end",
    [
        ("", f"{HOLD}: it holds none"),
        ("\n\n", f"{HOLD}: it holds none"),
        ("a,b,y\n", f"{HOLD}: it holds none"),
        ("1\n2\n", f"{HOLD}: line 1 has 1"),
        ("1,2,0\n3,1\n", f"{HOLD}: line 2 has 2, those before it 3"),
        ("1,2,0\n3,4,x\n", "line 2 must hold numbers separated by commas, got '3,4,x'"),
        ("1,2,0\n\n\n3,,1\n", "line 4 must hold numbers separated by commas, got '3,,1'"),
        ("1,oops,0\n3,4,1\n5,6,0\n", "line 1 must hold numbers separated by commas, got '1,oops,0'"),  # no header
        ("1,,0\n3,4,1\n5,6,0\n", "line 1 must hold numbers separated by commas, got '1,,0'"),
        ("a,b\nc,d\n1,2\n", "line 2 must hold numbers separated by commas, got 'c,d'"),
        ("1;2;0\n3;4;1\n", "line 2 must hold numbers separated by commas, got '3;4;1'"),
        ("1,2,0\n" + "x" * 1000, f"line 2 must hold numbers separated by commas, got '{'x' * 40}'"),
        ("1,2,0\nnan,3,1\n", "X must be finite, got 1 NaN or infinite value(s)"),
        ("1,inf,0\n1e999,3,1\n", "X must be finite, got 2 NaN or infinite value(s)"),
        ("1,2,0\n1,3,nan\n", "y must be finite, got 1 NaN or infinite label(s)"),
        ("1,2,0\n1,3,0\n", "y must hold two classes, got 1: 0.0"),
        ("1,2,0\n1,3,1\n1,3,2\n", "y must hold two classes, got 3: 0.0, 1.0, 2.0"),
    ],
)
def test_bad_csv(write, text, end):
    assert message(write("a.csv", text)).endswith(end)


def test_binary_rubbish(write):
    for seed in range(20):
        raw = np.random.default_rng(seed).bytes(500)
        message(write("a.csv", raw))
        message(write("a.npz", raw))
    message(write("a.csv", rows().encode("utf-16")))


# ---------------------------------------------------------------- nothing is executed


class Payload:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_is_never_executed(write, tmp_path):
    mark = tmp_path / "executed"
    payload = pickle.dumps(Payload(mark))
    array = np.empty((4, 1), dtype=object)
    array[:] = Payload(mark)
    for content in (
        {"X": array, "y": Y},
        {"X": X, "y": array[:, 0]},
        {"X.npy": payload, "y.npy": payload},
        {"X": payload, "y": payload},
        payload,
    ):
        message(write("a.npz", content))
        assert not mark.exists()
    write("a.csv", payload)
    message(tmp_path / "a.csv")
    assert not mark.exists()
    # partner: the payload works, and NumPy's own switch would run it
    with np.load(write("a.npz", {"X": array, "y": Y}), allow_pickle=True) as archive:
        for handle in archive["X"].ravel():
            handle.close()
    assert mark.exists()
