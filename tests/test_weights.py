"""weights.py and weightfiles.py: good files are read along the right axis, bad ones get one clear line, and no file
is ever executed."""

import io
import json
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from chaosnum import checkpoint, weightfiles, weights

RNG = np.random.default_rng(0)
W = RNG.standard_cauchy((7, 130))  # 130 columns of 7


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape, descr="<f8"):
    """The header of a .npy file that claims this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def tensors(**parts):
    """A .safetensors file from (dtype, shape, bytes) by name."""
    about, body = {}, b""
    for key, (dtype, shape, raw) in parts.items():
        about[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(about).encode()
    return struct.pack("<Q", len(text)) + text + body


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return file.getvalue()


def text(x):
    return "".join(",".join(map(repr, map(float, row))) + "\n" for row in x)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(source, **options):
    """Layers, and what was passed over."""
    found = list(weights.load(source, **options))
    layers = [part for part in found if isinstance(part, weights.Layer)]
    return layers, [part for part in found if not isinstance(part, weights.Layer)]


def message(source, **options):
    """The error of `load`: a ValueError and nothing else, in one line."""
    with pytest.raises(ValueError) as error:
        read(source, **options)
    assert type(error.value) is ValueError
    assert str(error.value) and "\n" not in str(error.value)
    return str(error.value)


# ---------------------------------------------------------------- what is read


F4 = W.astype("<f4")
GOOD = {
    "a.npy": npy(W),
    "fortran.npy": npy(np.asfortranarray(W)),
    "big-endian.npy": npy(W.astype(">f8")),
    "a.npz": zipped(**{"w.npy": npy(W)}),
    "a.csv": text(W),
    "header.csv": ",".join(f"unit {i}" for i in range(130)) + "\n" + text(W),
    "windows.csv": "\ufeff" + text(W).replace("\n", "\r\n\r\n"),
    "A.NPY": npy(W),
}


@pytest.mark.parametrize("name", GOOD)
def test_columns_are_units(write, name):
    (layer,), passed = read(write(name, GOOD[name]))
    assert passed == [] and layer.units == "columns" and layer.shape == (7, 130)
    assert layer.name == (name + "/w" if name.endswith("npz") else name)
    assert np.array_equal(layer.x, W) and layer.x.dtype == np.float64 and (layer.p, layer.n) == (7, 130)
    assert np.allclose(layer.norms(), np.linalg.norm(W, axis=0), rtol=1e-15 * 20, atol=0)


def test_rows_entries_and_more_dimensions(write):
    conv = RNG.standard_normal((120, 3, 2, 5))  # PyTorch: units first
    path = write("a.npy", npy(conv))
    (layer,), _ = read(path, units="rows")
    assert layer.x.shape == (30, 120) and np.array_equal(layer.x[:, 7], conv[7].ravel())
    assert layer.shape == (120, 3, 2, 5) and layer.units == "rows"
    keras = write("b.npy", npy(np.moveaxis(conv, 0, -1)))  # units last
    (other,), _ = read(keras)
    assert np.array_equal(np.sort(other.norms()), np.sort(layer.norms()))
    (entries,), _ = read(path, units="entries")
    assert entries.x.shape == (3600,) and entries.units == "entries" and (entries.p, entries.n) == (1, 3600)
    assert message(path).endswith("a.npy must have at least 100 columns, got 5; --rows would take its 120 rows")


@pytest.mark.parametrize("shape", [(150,), (1, 150), (150, 1), (1, 150, 1)])
@pytest.mark.parametrize("units", [None, "rows", "columns", "entries"])
def test_a_unit_of_one_number_is_an_entry(write, shape, units):
    x = W.ravel()[:150]
    (layer,), _ = read(write("a.npy", npy(x.reshape(shape))), units=units)
    assert layer.units == "entries" and np.array_equal(layer.x, x) and np.array_equal(layer.norms(), np.abs(x))


def test_safetensors_by_rows(write):
    """PyTorch's layout is the default there; half precision and bfloat16 are exact."""
    rows = np.ascontiguousarray(F4.T)
    upper = rows.view("<u4") >> 16
    path = write("net.safetensors", tensors(
        **{"layer.10.weight": ("F32", (130, 7), rows.tobytes()),
           "layer.2.weight": ("BF16", (130, 7), upper.astype("<u2").tobytes()),
           "layer.2.bias": ("F16", (130,), rows[:, 0].astype("<f2").tobytes()),
           "layer.3.weight": ("F64", (130, 7), rows.astype("<f8").tobytes())}))  # fmt: skip
    layers, passed = read(path)
    assert passed == []
    assert [layer.name for layer in layers] == [
        f"net.safetensors/layer.{part}" for part in ("2.bias", "2.weight", "3.weight", "10.weight")]  # fmt: skip
    bias, brain, double, single = layers
    assert (single.units, bias.units) == ("rows", "entries")
    assert np.array_equal(single.x, F4) and np.array_equal(double.x, F4)
    assert np.array_equal(brain.x, (upper << 16).view("<f4").T)
    assert np.all(np.abs(brain.x - F4) <= 2.0**-7 * np.abs(F4)) and not np.array_equal(brain.x, F4)
    assert np.array_equal(bias.x, rows[:, 0].astype(np.float16).astype(np.float64))
    (layer,), _ = read(path, layers=["layer.10.weight"], units="entries")
    assert layer.n == 910


def test_safetensors_of_the_package_itself(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": F4.T.copy()}, tmp_path / "w.safetensors")
    (layer,), _ = read(tmp_path / "w.safetensors")
    assert np.array_equal(layer.x, F4)


def test_layers_by_name(write):
    path = write("net.npz", zipped(**{f"{name}.npy": npy(W) for name in ("enc.1", "enc.2", "dec.1", "dec[1]")}))

    def names(*patterns):
        return [layer.name.partition("/")[2] for layer in read(path, layers=patterns)[0]]

    assert names() == ["enc.1", "enc.2", "dec.1", "dec[1]"]
    assert names("dec.1", "enc.1") == ["enc.1", "dec.1"]
    assert names("enc*") == names("net.npz/enc*") == ["enc.1", "enc.2"]
    assert names("dec[1]") == ["dec[1]"]
    known = "net.npz/enc.1, net.npz/enc.2, net.npz/dec.1, net.npz/dec[1]"
    assert message(path, layers=["enc.1", "x"]) == f"layer must be one of {known}, got 'x'"
    many = write("many.npz", zipped(**{f"{i}.npy": npy(W) for i in range(12)}))
    assert message(many, layers=["x"]).endswith("many.npz/7 and 4 more, got 'x'")


def test_a_folder(write, tmp_path):
    write("part-10.npy", npy(W))
    write("part-2.npy", npy(W))
    write("net.npz", zipped(**{"w.npy": npy(W), "small.npy": npy(W[:, :9])}))
    write("old.pt", pickle.dumps(1))
    for name in ("README.md", "config.json", ".hidden.npy"):
        write(name, "not weights")
    (tmp_path / "below").mkdir()
    write("below/deeper.npy", npy(W))
    layers, passed = read(tmp_path)
    assert [layer.name for layer in layers] == ["net.npz/w", "part-2.npy", "part-10.npy"]
    assert [name for name, _ in passed] == ["old.pt", "net.npz/small"]
    assert passed[0][1].startswith("is a pickle") and passed[1][1].startswith("must have at least 100")
    (tmp_path / "net.npz").write_bytes(b"PK nonsense")
    assert "net.npz" in message(tmp_path)  # a damaged file is no layer to be passed over


def test_what_cannot_be_fitted_is_passed_over_unless_asked_for(write):
    parts = {"ok": W, "norm": np.ones(200), "zero": np.zeros(200), "nan": W * np.nan, "step": np.array(3),
             "ids": np.arange(500), "mask": W > 0, "few": W[:, :50]}  # fmt: skip
    path = write("a.npz", zipped(**{f"{key}.npy": npy(x) for key, x in parts.items()}))
    (layer,), passed = read(path)
    assert layer.name == "a.npz/ok"
    assert [name.partition("/")[2] for name, _ in passed] == [key for key in parts if key != "ok"]
    for name, reason in passed:
        key = name.partition("/")[2]
        assert message(path, layers=[key]) == message(path, layers=[key, "ok"]) == f"{name} {reason}"
    assert message(path, layers=["n*"]).startswith("no layer can be fitted: none of 2; a.npz/nan must be finite")


def test_the_caller_owns_the_array(write):
    (layer,), _ = read(write("a.csv", text(W)))
    layer.x[:] = 0.0
    (layer,), _ = read(write("b.npy", npy(W)))
    layer.x[:] = 0.0


def test_norms_neither_overflow_nor_vanish(write):
    for scale in (1e-300, 1e300):
        (layer,), _ = read(write("a.npy", npy(np.tanh(W) * scale)))
        assert np.allclose(layer.norms() / scale, np.linalg.norm(np.tanh(W), axis=0), rtol=1e-14, atol=0)


# ---------------------------------------------------------------- what is refused

NUMBERS = "must be an array of real floating-point numbers, got "
SPARSE = np.where(np.arange(500) < 60, W.ravel()[:500], 0.0)
BAD = {
    "empty.npy": (b"", "empty.npy is empty"),
    "empty.npz": (b"", "empty.npz is empty"),
    "empty.csv": ("", "empty.csv is empty"),
    "empty.safetensors": (b"", "empty.safetensors is empty"),
    "words.npy": (b"hello, world\n", "words.npy is not a .npy file, or is cut off"),
    "pickle.npy": (pickle.dumps([1.0] * 200), "pickle.npy is not a .npy file, or is cut off"),
    "cut.npy": (npy(W)[:-1], "cut.npy is cut off: 7280 bytes of numbers, 7279 are there"),
    "head.npy": (npy(W)[:40], "head.npy is damaged or cut off: no header of a .npy file"),
    "objects.npy": (npy(np.array([1.0, None] * 99)), NUMBERS + "object"),
    "text.npy": (npy(W.astype(str)), NUMBERS + "str"),
    "complex.npy": (npy(W + 1j), NUMBERS + "complex128"),
    "whole.npy": (npy(np.arange(300)), NUMBERS + "int64; integers are indices, or quantised weights that must be"),
    "dates.npy": (npy(np.arange(300).astype("M8[s]")), NUMBERS + "datetime64"),
    "fields.npy": (npy(np.zeros(300, dtype=[("a", "f8"), ("b", "f4")])), NUMBERS + "void96"),
    "few.npy": (npy(W.ravel()[:99]), "must have at least 100 entries, got 99"),
    "number.npy": (npy(3.0), "must have at least 100 entries, got 1"),
    "none.npy": (npy(np.zeros((0, 500))), "must have at least 100 entries, got 0"),
    "narrow.npy": (npy(W[:, :99]), "must have at least 100 columns, got 99; --entries takes every entry by itself"),
    "turned.npy": (npy(W.T), "must have at least 100 columns, got 7; --rows would take its 130 rows"),
    "nan.npy": (npy(np.where(W == W[0, 0], np.nan, W)), "nan.npy must be finite, got 1 NaN or infinite value"),
    "inf.npy": (npy(np.where(W > 1, np.inf, W)), f"got {(W > 1).sum()} NaN or infinite values"),
    "zeros.npy": (npy(W * 0), "zeros.npy holds nothing but zeros"),
    "constant.npy": (npy(W * 0 + 0.5), "constant.npy is constant: every entry is 0.5"),
    "signs.npy": (npy(np.sign(W.ravel())), "signs.npy is constant: every entry has the size 1"),
    "alike.npy": (npy(np.sign(W)), "alike.npy is constant: every unit has the size 2.64575"),
    "sparse.npy": (npy(SPARSE), "must have at least 100 entries that are not zero, got 60"),
    "nothing.npz": (zipped(), "must be an archive of arrays, as numpy.savez writes it; it holds nothing"),
    "torch.npz": (zipped(**{"data.pkl": b"x"}), "as numpy.savez writes it; it holds data.pkl"),
    "words.npz": (b"hello, world\n", "words.npz is damaged or cut off (File is not a zip file)"),
    "member.npz": (zipped(**{"w.npy": b"hello, world\n"}), "member.npz/w.npy is not a .npy file, or is cut off"),
    "objects.npz": (zipped(**{"w.npy": npy(np.array([1.0, None] * 99))}), "objects.npz/w " + NUMBERS + "object"),
    "letters.csv": ("a,b\nc,d\n", "letters.csv: line 2 must hold numbers separated by commas, got 'c,d'"),
    "names.csv": ("a,b\n", "names.csv holds no numbers"),
    "one.csv": ("1,oops\n2,3\n", "one.csv: line 1 must hold numbers separated by commas, got '1,oops'"),
    "ragged.csv": ("1,2,3\n1,2\n", "ragged.csv: line 2 must hold 3 numbers like those before it, got 2"),
    "gap.csv": ("1,2,3\n\n1,,3\n", "gap.csv: line 3 must hold numbers separated by commas, got '1,,3'"),
    "semicolon.csv": ("1;2\n" * 200, "semicolon.csv: line 2 must hold numbers separated by commas, got '1;2'"),
    "nan.csv": (text(W).replace(repr(float(W[0, 0])), "nan"), "nan.csv must be finite, got 1 NaN or infinite value"),
    "few.csv": ("1,2\n3,4\n", "few.csv must have at least 100 entries, got 4"),
    "words.safetensors": (b"hello, world\n", "words.safetensors is damaged or cut off"),
    "cut.safetensors": (tensors(w=("F32", (130, 7), F4.tobytes()))[:-1], "cut.safetensors is damaged or cut off"),
    "shape.safetensors": (tensors(w=("F32", (131, 7), F4.tobytes())), "shape.safetensors is damaged or cut off"),
    "none.safetensors": (tensors(), "none.safetensors holds no tensors"),
    "whole.safetensors": (tensors(w=("I64", (200,), bytes(1600))), NUMBERS + "I64"),
    "quarter.safetensors": (tensors(w=("F8_E4M3", (200,), bytes(200))), NUMBERS + "F8_E4M3"),
    "net.pt": (b"x", "net.pt is a pickle, and reading a pickle runs whatever program is in it"),
    "net.pkl": (b"x", "net.pkl is a pickle, and reading a pickle runs whatever program is in it"),
    "net.bin": (b"x", "write its tensors with safetensors.torch.save_file or numpy.savez and fit that file"),
    "net.h5": (b"x", "net.h5 must end in .npy, .npz, .csv, .safetensors"),
    "net": (b"x", "net must end in .npy, .npz, .csv, .safetensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files(write, name):
    content, words = BAD[name]
    assert words in message(write(name, content))


def test_places_that_are_no_file(tmp_path, write):
    assert message(tmp_path / "none.npy").endswith("none.npy' cannot be read: no such file or folder")
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty").endswith("empty' holds no file ending in .npy, .npz, .csv, .safetensors")
    write("pickles/net.pt", b"x")
    assert "holds no file ending in" in message(tmp_path / "pickles")
    assert "net.pt is a pickle" in message(tmp_path / "pickles")
    (tmp_path / "folder.npy").mkdir()
    assert "holds no file" in message(tmp_path / "folder.npy")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.npy")  # opening it would wait for ever
        assert message(tmp_path / "pipe.npy").endswith("pipe.npy' must be a file or a folder")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.safetensors"])
def test_a_file_without_permission(write, monkeypatch, name):
    import builtins

    path = write(name, GOOD.get(name, tensors(w=("F32", (130, 7), F4.tobytes()))))

    def refuse(file, *_, **__):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(builtins, "open", refuse)  # the super-user may open any file
    monkeypatch.setattr(io, "open", refuse)
    assert message(path) == f"{name} cannot be read: Permission denied"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the super-user may open any file")
def test_permission_for_good(write, tmp_path):
    path = write("a.npy", npy(W))
    path.chmod(0)
    assert message(path) == "a.npy cannot be read: Permission denied"
    tmp_path.chmod(0o300)
    try:
        assert message(tmp_path).endswith("cannot be read: Permission denied")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_claims_more_than_memory(write, monkeypatch):
    """Refused from the header: 10^14 numbers, and a member of 8 GB that is 8 MB of zip file."""
    huge = header((10**7, 10**7))
    assert "is cut off: 800000000000000 bytes of numbers, 0 are there" in message(write("a.npy", huge))
    assert "a.npz/w is cut off" in message(write("a.npz", zipped(**{"w.npy": huge})))
    monkeypatch.setattr(weightfiles, "memory", lambda: 10**5)
    path = write("b.npz", zipped(**{"w.npy": npy(np.zeros((100, 1000)))}))
    assert path.stat().st_size < 2000  # a thousandth of what it unpacks to
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    most = 10**5 // (8 * weightfiles.COPIES)
    words = f"w claims 100000 entries of shape (100, 1000), and this machine has memory to fit {most}"
    assert words in message(path)
    assert words.replace("w claims", "b.npy claims") in message(write("b.npy", npy(np.zeros((100, 1000)))))
    assert "b.csv is too large for this machine's memory" in message(write("b.csv", text(np.zeros((10, 1000)))))
    monkeypatch.undo()
    assert weightfiles.memory() > 2**26
    assert message(path).endswith("holds nothing but zeros")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.safetensors"])
def test_cut_or_damaged_anywhere(write, name):
    """Never half a layer, never an error of another kind."""
    path = write(name, GOOD.get(name, tensors(w=("F64", (130, 7), np.ascontiguousarray(W.T).tobytes()))))
    whole = path.read_bytes()
    for length in range(0, len(whole) - 20, len(whole) // 40):
        path.write_bytes(whole[:length])
        message(path)
    for at in (1, 5, 9, 30, 60, 100, 130, 200, len(whole) // 2, len(whole) - 30):
        changed = bytearray(whole)
        changed[at] ^= 0x55
        path.write_bytes(changed)
        try:
            (layer,), _ = read(path)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert layer.x.size == 910
    path.write_bytes(whole)
    assert np.array_equal(read(path)[0][0].x, W)


def test_binary_rubbish(write):
    for seed in range(20):
        raw = np.random.default_rng(seed).bytes(700)
        for suffix in weightfiles.FORMATS:
            message(write(f"a{suffix}", raw))
    message(write("a.csv", text(W).encode("utf-16")))


def test_without_the_package(write, monkeypatch):
    path = write("a.safetensors", tensors(w=("F32", (130, 7), F4.tobytes())))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert message(path) == "a.safetensors needs the package safetensors: pip install safetensors"
    assert len(read(write("a.npy", npy(W)))[0]) == 1  # and no other format does


def test_unknown_units(write):
    path = write("a.npy", npy(W))
    assert message(path, units="x") == "units must be one of columns, rows, entries, got 'x'"


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
    objects = np.empty(200, dtype=object)
    objects[:] = Payload(mark)
    for name in ("a.npy", "a.npz", "a.csv", "a.safetensors", "a.pt", "a.pkl", "a.bin", "a"):
        message(write(name, payload))
    message(write("b.npy", npy(objects)))
    message(write("b.npz", zipped(**{"w.npy": npy(objects)})))
    message(write("c.npz", zipped(**{"w.npy": payload})))
    message(write("d.npz", zipped(**{"w.npy": header((200,), "|O") + payload})))
    assert not mark.exists()
    # partner: the payload works, and NumPy's own switch would run it
    for handle in np.load(tmp_path / "b.npy", allow_pickle=True):
        handle.close()
    assert mark.exists()


def test_weights_that_this_package_wrote_are_read_by_columns_without_being_told(tmp_path):
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    x = np.random.default_rng(0).standard_normal((7, 150))
    checkpoint.save(ours, [x, x.T], {})
    safetensors.numpy.save_file({"layer0": np.ascontiguousarray(x.T)}, theirs)
    (mine,), (yours,) = weights.load(ours, layers=["layer0"]), weights.load(theirs)
    assert (mine.units, mine.n, mine.p) == ("columns", 150, 7)
    assert (yours.units, yours.n, yours.p) == ("rows", 150, 7)
    np.testing.assert_allclose(mine.norms(), yours.norms())
