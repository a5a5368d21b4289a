"""datafiles.py, rowfiles.py, idxfiles.py: good files are read, bad ones get one clear line, none is executed."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from chaosnum import datafiles, idxfiles, rowfiles

X = np.arange(12.0).reshape(4, 3) / 7.0
Y = ["1", "-1", "-1", "1"]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def refusal(read, *arguments):
    """The error: a ValueError and nothing else, in one line."""
    with pytest.raises(ValueError) as error:
        read(*arguments)
    assert type(error.value) is ValueError
    assert str(error.value) and "\n" not in str(error.value)
    return str(error.value)


def cells(x):
    return [repr(float(number)) for number in x]


def ucr(separator, X=X, y=Y):
    return "".join(separator.join([label, *cells(x)]) + "\n" for x, label in zip(X, y))


HEAD = """# a comment: with a colon
@problemName Beats
@timeStamps false
@missing false
@univariate true
@equalLength true
@seriesLength 3
@classLabel true -1 1
@data
"""


def ts(X=X, y=Y, head=HEAD):
    return head + "".join(",".join(cells(x)) + ":" + label + "\n" for x, label in zip(X, y))


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.txt", ucr(" ")),
        ("a.txt", ucr("   ").replace("\n", "  \r\n")),
        ("a.txt", "  " + ucr("  ")),
        ("a.txt", ucr(",")),
        ("a.txt", ucr(", ")),
        ("a.tsv", ucr("\t")),
        ("a.TSV", "\ufeff" + ucr("\t").rstrip("\n")),
        ("a_TRAIN", ucr(",")),  # the archive of 2015 has no ending
        ("a.ts", ts()),
        ("a.ts", ts(head="@CLASSLABEL TRUE\n\n@DATA\n")),
        ("a.ts", ts().replace("\n", "\r\n").replace(":", " : ").replace("# a", "\n# a")),
        ("a.ts", ts().replace("@data\n", "@data\n# the series\n")),
        ("a.csv", "".join(",".join([*cells(x), label]) + "\n" for x, label in zip(X, Y))),
        ("a.csv", "a,b,c,class\n" + "".join(",".join([*cells(x), label]) + "\n" for x, label in zip(X, Y))),
    ],
)
def test_text(write, name, content):
    path = write(name, content)
    found = datafiles.read(path)
    assert np.array_equal(found.train[0], X) and found.train[0].dtype == np.float64
    assert found.train[1].tolist() == Y and found.test is None
    assert found.files == ({"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},)


def test_words_as_labels(write):
    words = ["a b", "é", "é", "a b"]
    rows = "".join(",".join([*cells(x), label]) + "\n" for x, label in zip(X, words))
    for content in (rows, "p,q,r,s\n" + rows):
        assert datafiles.read(write("a.csv", content)).train[1].tolist() == words
    assert datafiles.read(write("a.txt", ucr(",", y=words))).train[1].tolist() == words
    assert datafiles.read(write("a.ts", ts(y=words, head="@classLabel true\n@data\n"))).train[1].tolist() == words


ORDER = {
    "a.csv": "numbers separated by commas, the label last",
    "a.txt": "a label and then numbers, separated by white space or commas",
    "a.ts": "numbers separated by commas, a colon and the label",
}


@pytest.mark.parametrize(
    "name, content, end",
    [
        ("a.csv", "1,2,a\n3,x,b\n", f"line 2 must hold {ORDER['a.csv']}, got '3,x,b'"),
        ("a.csv", "1,2,a\n3,1_0,b\n", f"line 2 must hold {ORDER['a.csv']}, got '3,1_0,b'"),
        ("a.csv", "1,2,a\n3,4,\n", "line 2 must hold a label of 1 to 100 characters, got '3,4,'"),
        ("a.csv", f"1,2,{'a' * 101}\n", f"line 1 must hold a label of 1 to 100 characters, got '1,2,{'a' * 36}'"),
        ("a.csv", "1,2,a\n3,b\n", "rows of equal length, at least two numbers each: line 2 has 2, those before it 3"),
        ("a.csv", "a\nb\n1\n", "must hold rows of equal length, at least two numbers each: line 2 has 1"),
        ("a.txt", "", "data 'a.txt' holds no samples"),
        ("a.txt", "\n \n", "data 'a.txt' holds no samples"),
        ("a.txt", "1\n2\n", "line 1 must hold at least one number beside its label, got 0"),
        ("a.txt", "1 2 3\n1 2\n", "line 2 must hold 2 numbers like the lines before it, got 1"),
        ("a.txt", "1,2,3\n1,,3\n", f"line 2 must hold {ORDER['a.txt']}, got '1,,3'"),
        ("a.txt", "1,2,3\n1,2,\n", f"line 2 must hold {ORDER['a.txt']}, got '1,2,'"),
        ("a.txt", "1,2 3\n", f"line 1 must hold {ORDER['a.txt']}, got '1,2 3'"),
        ("a.txt", "label a b\n1 2 3\n", f"line 1 must hold {ORDER['a.txt']}, got 'label a b'"),
        ("a.txt", ",1,2\n", "line 1 must hold a label of 1 to 100 characters, got ',1,2'"),
        ("a.ts", "", "must have a line @data with the series after it"),
        ("a.ts", HEAD.replace("@data\n", ""), "must have a line @data with the series after it"),
        ("a.ts", HEAD, "data 'a.ts' holds no samples"),
        ("a.ts", "@data\n1,2:1\n", "has no class labels: no line @classLabel true before @data"),
        ("a.ts", "1,2:1\n" + HEAD, "line 1 must hold a tag that begins with @ before the line @data, got '1,2:1'"),
        ("a.ts", ts().replace(":1\n", "\n"), f"line 10 must hold {ORDER['a.ts']}, got '0.0,0.14285714285714285,0.285714"
         "28571428'"),
        ("a.ts", HEAD + "1,2:3,4:1\n", "must hold one channel (a univariate series), got '1,2:3,4:1'"),
        ("a.ts", HEAD + "(0,1),(1,2),(2,2):1\n", "must hold numbers without time stamps, got '(0,1),(1,2),(2,2):1'"),
        ("a.ts", HEAD + "1,?,3:1\n", "must hold no missing values (?), got '1,?,3:1'"),
        ("a.ts", HEAD + "1,2,x:1\n", f"line 10 must hold {ORDER['a.ts']}, got '1,2,x:1'"),
        ("a.ts", HEAD + "1,2,3:7\n", "must hold a label of the line @classLabel (-1, 1), got '7'"),
        ("a.ts", HEAD + "1,2,3:\n", "must hold a label of the line @classLabel (-1, 1), got ''"),
        ("a.ts", HEAD + "1,2:1\n", "must hold the 3 numbers of the line @seriesLength, got 2"),
        ("a.ts", "@classLabel true\n@data\n1,2:1\n1:1\n", "line 4 must hold 2 numbers like the lines before it, got 1"),
        ("a.ts", HEAD.replace("Length 3", "Length three") + "1,2,3:1\n",
         "line 7 must hold a whole number after @serieslength, got '@seriesLength three'"),
        ("a.ts", HEAD.replace("Length 3", "Length 0") + "1,2,3:1\n",
         "line 7 must hold a whole number after @serieslength, got '@seriesLength 0'"),
        ("a.ts", HEAD.replace("Length 3", "Length 9") + "1,2,3:1\n",
         "must hold the 9 numbers of the line @seriesLength, got 3"),
    ],
)  # fmt: skip
def test_bad_text(write, name, content, end):
    assert refusal(datafiles.read, write(name, content)).endswith(end)


@pytest.mark.parametrize(
    "line, other, why",
    [
        ("@timeStamps false", "@timeStamps true", "has time stamps (line 3: '@timeStamps true')"),
        ("@missing false", "@missing TRUE", "has missing values (line 4: '@missing TRUE')"),
        ("@univariate true", "@univariate false", "is multivariate (line 5: '@univariate false')"),
        ("@univariate true", "@dimensions 2", "is multivariate (line 5: '@dimensions 2')"),
        ("@equalLength true", "@equalLength false", "has series of unequal lengths (line 6: '@equalLength false')"),
        ("@classLabel true -1 1", "@classLabel false", "has no class labels (line 8: '@classLabel false')"),
        ("@classLabel true -1 1", "@targetLabel true", "has numbers to predict in place of classes (line 8: "
         "'@targetLabel true')"),
    ],
)  # fmt: skip
def test_series_of_another_kind(write, line, other, why):
    assert line in HEAD
    found = refusal(datafiles.read, write("a.ts", ts(head=HEAD.replace(line, other))))
    assert found == f"data 'a.ts' {why}; {rowfiles.SERIES}"


@pytest.mark.parametrize("name, content", [("a.txt", ucr(" ")), ("a.ts", ts())])
def test_text_cut_anywhere_within_its_last_series(write, name, content):
    """Never a shorter series. (A cut within the last number of a UCR file leaves a number: only the hash can tell.)"""
    last = content[:-1].rindex("\n") + 1
    end = content.rindex(" " if name == "a.txt" else ":") + 1
    for length in range(last + 1, end + 1):
        refusal(datafiles.read, write(name, content[:length]))


def test_rubbish(write):
    for seed in range(20):
        raw = np.random.default_rng(seed).bytes(400)
        for name in ("a.csv", "a.txt", "a.tsv", "a.ts", "a.npz"):
            refusal(datafiles.read, write(name, raw))
            refusal(datafiles.read, write(name, ts().encode("utf-16")))


# ---------------------------------------------------------------- any file


def test_what_cannot_be_read(tmp_path, monkeypatch):
    for name in ("a.npz", "a.csv", "a.txt", "a.ts"):
        path = tmp_path / name
        assert refusal(datafiles.read, path) == f"data {str(path)!r} cannot be read: No such file or directory"
        path.mkdir()
        assert refusal(datafiles.read, path) == f"data {str(path)!r} cannot be read: Is a directory"
    os.mkfifo(tmp_path / "b.csv")  # reading it would wait for ever
    assert "must be a file, not a device or a pipe" in refusal(datafiles.read, tmp_path / "b.csv")
    assert refusal(datafiles.read, "a\0.csv") == "data 'a\\x00.csv' must be a file"
    (tmp_path / "c.csv").write_text("1,2,3\n" * 10)
    monkeypatch.setattr(datafiles, "memory", lambda: 400)
    assert "MemoryError (c.csv has 60 bytes of text, and this machine has memory for 50)" in refusal(
        datafiles.read, tmp_path / "c.csv"
    )
    monkeypatch.setattr(datafiles, "memory", lambda: 40)
    assert "MemoryError (the file has 60 bytes, and this" in refusal(datafiles.read, tmp_path / "c.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(write):
    path = write("a.csv", "1,2,3\n")
    path.chmod(0)
    assert refusal(datafiles.read, path).endswith("cannot be read: Permission denied")


# ---------------------------------------------------------------- .npz


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_npz_with_and_without_a_test_set(write):
    y = np.array([1, 2, 2, 1])
    one = datafiles.read(write("a.npz", npz(X=X, y=y)))
    assert np.array_equal(one.train[0], X) and np.array_equal(one.train[1], y) and one.test is None
    four = {"X_train": X[:3], "y_train": y[:3], "X_test": X[3:], "y_test": y[3:]}
    for more in ({}, {"X": X + 1, "y": y + 1}):  # its own test set is taken
        two = datafiles.read(write("a.npz", npz(**four, **more)))
        for got, key in zip((*two.train, *two.test), four):
            assert np.array_equal(got, four[key])
    assert refusal(datafiles.read, write("a.npz", npz(X_train=X, y_train=y, X_test=X))) == (
        "data 'a.npz' must hold the arrays X and y, or X_train, y_train, X_test and y_test, "
        "got X_train, y_train, X_test"
    )
    assert "got 'a\\nb'" in refusal(datafiles.read, write("a.npz", npz(**{"a\nb": X})))
    objects = np.array([[None] * 3] * 4, dtype=object)
    for key, wrong in (("X_train", objects), ("X_test", X * 1j), ("y_test", objects[:, 0])):
        assert f": {key} must be an array of numbers" in refusal(
            datafiles.read, write("a.npz", npz(**{**four, key: wrong}))
        )


def test_npz_bombs(write, monkeypatch):
    """The header is asked: nothing of what does not fit into memory is unpacked."""
    monkeypatch.setattr(datafiles, "memory", lambda: 2**20)
    fits, claim = 2**20 // (8 * datafiles.COPIES), "X claims {} numbers, and this machine has memory for {}"
    for dtype in (np.float64, np.uint8):
        good = npz(X=np.zeros((fits // 4, 4), dtype), y=np.zeros(fits // 4, np.uint8))
        assert datafiles.read(write("a.npz", good)).train[0].shape == (fits // 4, 4)
    file = io.BytesIO()
    np.savez_compressed(file, X=np.zeros((fits + 1, 1), np.uint8), y=np.zeros(fits + 1, np.uint8))
    assert claim.format(fits + 1, fits) in refusal(datafiles.read, write("a.npz", file.getvalue()))
    # Labels of 1000 characters, 4 bytes each, take the room of 500 numbers: few of them are too many.
    path = write("a.npz", npz(X=np.zeros((fits // 400, 1)), y=np.full(fits // 400, "a" * 1000)))
    assert claim.format(fits // 400 * 500, fits).replace("X", "y", 1) in refusal(datafiles.read, path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**12)})
    path = write("a.npz", b"")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", header.getvalue())
        archive.writestr("y.npy", npy(np.zeros(3)))
    assert claim.format(10**24, fits) in refusal(datafiles.read, path)


class Payload:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_nothing_is_executed(write, tmp_path):
    mark = tmp_path / "executed"
    array = np.empty((4, 1), dtype=object)
    array[:] = Payload(mark)
    payload = pickle.dumps(Payload(mark))
    for name in ("a.npz", "a.csv", "a.txt", "a.ts"):
        refusal(datafiles.read, write(name, payload))
    refusal(datafiles.read, write("a.npz", npz(X_train=array, y_train=Y, X_test=array, y_test=array[:, 0])))
    refusal(idxfiles.array, write("a.gz", gzip.compress(payload)), 3)
    assert not mark.exists()
    pickle.loads(payload).close()  # partner: the payload works
    assert mark.exists()


# ---------------------------------------------------------------- idx


def idx(array, magic=None):
    array = np.asarray(array, dtype=np.uint8)
    return struct.pack(f">i{array.ndim}i", magic or 2048 + array.ndim, *array.shape) + array.tobytes()


IMAGES = np.random.default_rng(5).integers(0, 256, (7, 3, 2), dtype=np.uint8)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["a", "a.gz"])  # the first bytes tell what is compressed, not the name
def test_idx(write, pack, name):
    for array, dims in ((IMAGES, 3), (IMAGES[:, 0, 0], 1)):
        path = write(name, pack(idx(array)))
        found, about = idxfiles.array(path, dims)
        assert found.dtype == np.uint8 and np.array_equal(found, array)
        assert about == {"name": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


MAGIC = "must begin with the magic number 2051 (unsigned bytes, 3 dimension(s)), got "


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "content, end",
    [
        (b"", "is cut off: an idx file has a header of 16 bytes"),
        (b"\0\0\x08", "is cut off: an idx file has a header of 16 bytes"),
        (idx(IMAGES)[:15], "is cut off: an idx file has a header of 16 bytes"),
        (idx(IMAGES)[:16], "is cut off: its header claims 42 bytes, and 0 are there"),
        (idx(IMAGES)[:-1], "is cut off: its header claims 42 bytes, and 41 are there"),
        (idx(IMAGES) + b"\0", "must end after the 42 bytes that its header claims, and holds more"),
        (idx(IMAGES, 2049), MAGIC + "2049 (0x00000801)"),
        (idx(IMAGES[:, 0, 0]), MAGIC + "2049 (0x00000801)"),  # labels in the place of images
        (idx(IMAGES, 0x0D03), MAGIC + "3331 (0x00000d03)"),  # float32
        (idx(IMAGES, 0x01000803), MAGIC + "16779267 (0x01000803)"),
        (idx(IMAGES)[:4][::-1] + idx(IMAGES)[4:], MAGIC + "50855936 (0x03080000)"),  # bytes in the other order
        (idx(IMAGES[:0]), "must not be empty, got the dimensions 0 x 3 x 2"),
        (b"<!DOCTYPE html><title>404</title>", MAGIC + "1008813135 (0x3c21444f)"),
    ],
)
def test_bad_idx(write, pack, content, end):
    assert refusal(idxfiles.array, write("images", pack(content)), 3) == f"data 'images' {end}"


def test_damaged_gzip(write):
    whole = gzip.compress(idx(IMAGES))
    for length in range(2, len(whole)):
        assert "damaged" in refusal(idxfiles.array, write("a.gz", whole[:length]), 3)
    for at in range(2, len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0x55
        path = write("a.gz", bytes(changed))
        try:
            found, _ = idxfiles.array(path, 3)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert 4 <= at < 10 and np.array_equal(found, IMAGES)  # the date and the system in gzip's header


def test_a_bomb_is_not_unpacked(write, monkeypatch):
    """64 MiB of zeros after a header that claims 42 bytes, or that claims all of them: neither is held in memory."""
    import tracemalloc

    zeros = b"\0" * 2**26
    monkeypatch.setattr(datafiles, "memory", lambda: 2**24)
    for content, why in (
        (idx(IMAGES) + zeros, "must end after the 42 bytes"),
        (struct.pack(">4i", 2051, 2**16, 2**5, 2**5) + zeros, "claims 67108864 bytes, and this machine has memory for"),
        (struct.pack(">4i", 2051, *[2**31 - 1] * 3) + zeros, f"claims {(2**31 - 1) ** 3} bytes"),
    ):
        path = write("bomb.gz", gzip.compress(content, 1))
        del content
        tracemalloc.start()
        try:
            assert why in refusal(idxfiles.array, path, 3)
            assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
        finally:
            tracemalloc.stop()


def test_images_and_labels_that_disagree(write):
    labels = np.arange(7) % 2
    four = {"a": idx(IMAGES), "b": idx(labels), "c": idx(IMAGES[:4]), "d": idx(labels[:4])}

    def read(**changed):
        return idxfiles.read(*(write(name, content) for name, content in {**four, **changed}.items()))

    found = read()
    assert np.array_equal(found.train[0], IMAGES.reshape(7, 6)) and np.array_equal(found.test[1], labels[:4])
    assert [about["name"] for about in found.files] == list("abcd")
    assert refusal(lambda: read(b=idx(labels[:6]))) == "data: a has 7 images, and b 6 labels"
    assert refusal(lambda: read(c=idx(IMAGES[:5]))) == "data: c has 5 images, and d 4 labels"
    other = idx(IMAGES[:4].reshape(4, 2, 3))
    assert refusal(lambda: read(c=other)) == "data: a has images of 3 x 2 pixels, and c of 2 x 3"
