"""checkpoint.py: what is written comes back to the bit, whatever is damaged is refused in one line that names the file,
and a failed or killed write leaves the file that was there."""

import errno
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save as serialised

from chaosnum import checkpoint, weights

ABOUT = {"seed": 1, "noise": {"kind": "I", "alpha": 1.75, "sigma": 1e-05}, "evaluations": [[0, 0.7, 0.5]],
         "note": "η é\n", "step": 10, "target": None, "list": [1, True, -0.0]}  # fmt: skip


def network(dtype="float32", shapes=((5, 7), (7, 3)), seed=1):
    rng = np.random.default_rng(seed)
    return [rng.standard_cauchy(shape).astype(dtype) for shape in shapes]


def same(a, b):
    """Equal to the bit, in shape and type."""
    return len(a) == len(b) and all(
        x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


def refused(path, **options):
    """The error of `load`: a ValueError and nothing else, one line with the file's name."""
    with pytest.raises(ValueError) as error:
        checkpoint.load(path, **options)
    words = str(error.value)
    assert type(error.value) is ValueError and "\n" not in words
    assert words.startswith(repr(str(path)))
    return words.removeprefix(repr(str(path))).strip()


def rewrite(path, change):
    """Save a sound checkpoint and change the bytes of its file."""
    checkpoint.save(path, network(), ABOUT)
    path.write_bytes(change(path.read_bytes()))
    return path


def foreign(path, tensors, metadata):
    path.write_bytes(serialised(tensors, metadata=metadata))
    return path


def envelope(tensors, **changes):
    """The metadata that `save` would write, or some of it changed."""
    digest = checkpoint._digest(tensors, changes.get("about", ABOUT))
    return {"chaosnum": json.dumps({"format": 1, "sha256": digest, "about": ABOUT, **changes})}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", [((5, 7), (7, 3)), ((2, 3),), ((4, 1), (1, 9), (9, 2)), [(2, 2)] * 12])
def test_what_is_saved_comes_back(path, dtype, shapes):
    w = network(dtype, shapes)
    w[0][0, 0], w[0][-1, -1] = -0.0, np.finfo(dtype).smallest_subnormal
    checkpoint.save(path, w, ABOUT)
    found, about = checkpoint.load(path, like=[(x.shape, x.dtype) for x in w])
    assert same(found, w) and about == ABOUT
    found[0][:] = 1.0  # the caller's own
    assert same(checkpoint.load(str(path))[0], w)
    assert os.listdir(path.parent) == [path.name]


def test_strides_and_byte_order_do_not_matter(path):
    w = network("float64", ((6, 6), (6, 6)))
    strange = [np.asfortranarray(w[0]), np.repeat(np.repeat(w[1], 2, 0), 3, 1)[::2, ::3]]
    for other in (strange, [x.astype(x.dtype.newbyteorder(">")) for x in w], tuple(w)):
        checkpoint.save(path, other, ABOUT)
        assert same(checkpoint.load(path)[0], w)


def test_the_same_content_is_the_same_file(path):
    """In another process too: safetensors writes several entries of metadata in random order."""
    checkpoint.save(path, network(), ABOUT)
    script = """if True:
        import sys, pickle
        from chaosnum import checkpoint
        path, weights, about = pickle.load(sys.stdin.buffer)
        checkpoint.save(path, weights, about)"""
    for k in range(2):
        other = path.with_name(f"{k}.safetensors")
        subprocess.run([sys.executable, "-c", script], input=pickle.dumps((str(other), network(), ABOUT)), check=True)
        assert other.read_bytes() == path.read_bytes()


def test_permissions_are_those_of_any_new_file(path):
    plain = path.with_name("plain")
    plain.write_bytes(b"")
    checkpoint.save(path, network(), ABOUT)
    assert path.stat().st_mode == plain.stat().st_mode


# ---------------------------------------------------------------- damage


def test_every_flipped_bit_is_found(path):
    """Every bit of the header and of its length, every byte of the numbers once."""
    checkpoint.save(path, network(shapes=((3, 4), (4, 2))), {"sigma": 1e-05, "note": "é\n", "target": None})
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(1)
    flips = [(at, bit) for at in range(header) for bit in range(8)]
    flips += [(at, int(rng.integers(8))) for at in range(header, len(whole))]
    with open(path, "r+b", buffering=0) as file:
        for at, bit in flips:
            os.pwrite(file.fileno(), bytes([whole[at] ^ (1 << bit)]), at)
            with pytest.raises(ValueError) as error:
                checkpoint.load(path)
            assert type(error.value) is ValueError and str(error.value).startswith(repr(str(path))), (at, bit)
            assert "\n" not in str(error.value)
            os.pwrite(file.fileno(), whole[at : at + 1], at)
    assert path.read_bytes() == whole
    checkpoint.load(path)


def test_two_tensors_exchanged_or_reshaped(path):
    w = network("float32", ((4, 4), (4, 4)))
    tensors = {"layer0": w[0], "layer1": w[1]}
    sound = envelope(tensors)
    assert same(checkpoint.load(foreign(path, tensors, sound))[0], w)
    for other in ({"layer0": w[1], "layer1": w[0]}, {"layer0": w[0].reshape(2, 8), "layer1": w[1].reshape(8, 2)},
                  {"layer0": w[0].view("float64"), "layer1": w[1]}):  # fmt: skip
        assert "is damaged: its weights and settings" in refused(foreign(path, other, sound))


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 100, -100, -1])
def test_cut_off(path, keep):
    words = refused(rewrite(path, lambda whole: whole[:keep]))
    assert words.startswith("is no .safetensors file, or is damaged or cut off (")


def test_something_behind_the_end(path):
    assert "damaged or cut off" in refused(rewrite(path, lambda whole: whole + b"\0"))


def test_what_is_no_file(path, tmp_path):
    assert refused(path) == "cannot be read: No such file or directory"
    assert refused(tmp_path) == "must be a file"
    assert refused(path / "below").startswith("cannot be read: ")
    os.mkfifo(path)
    assert refused(path) == "must be a file"  # and does not wait
    path.unlink()
    path.symlink_to(path)
    assert refused(path).startswith("cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path):
    checkpoint.save(path, network(), ABOUT)
    path.chmod(0)
    assert refused(path) == "cannot be read: Permission denied"


class Loud:
    def __reduce__(self):
        return (os.abort, ())


@pytest.mark.parametrize("content", [
    pickle.dumps(Loud()), b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"hello\n", b"\xff" * 100,
    struct.pack("<Q", 2**62) + b"{", struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 10**6) + b" " * 10**6,
])  # fmt: skip
def test_other_formats(path, content):
    """A pickle too, which is not executed."""
    path.write_bytes(content)
    assert refused(path)


def test_foreign_files(path):
    w = {"layer0": np.ones((3, 2), dtype="float32")}
    for metadata in (None, {}, {"format": "pt"}, {"Chaosnum": "1"}, {**envelope(w), "format": "pt"}):
        assert refused(foreign(path, w, metadata)).startswith("is not a checkpoint of chaosnum: its metadata")
    for tensors in ({"layer1": w["layer0"]}, {"fc1": w["layer0"]}, {}, {**w, "bias": w["layer0"]},
                    {**w, "layer01": w["layer0"]}):  # fmt: skip
        words = refused(foreign(path, tensors, envelope(w)))
        assert words.startswith("must hold the tensors layer0, layer1, ..., got ")
    for dtype, name in (("float16", "F16"), ("int64", "I64"), ("uint8", "U8"), ("bool", "BOOL")):
        words = refused(foreign(path, {"layer0": np.ones((3, 2), dtype=dtype)}, envelope(w)))
        assert words == f"must hold float32 or float64, got {name} in layer0"


@pytest.mark.parametrize(("text", "words"), [
    ("", "is damaged: its settings are not JSON"), ("{", "is damaged: its settings are not JSON"),
    ("[" * 10**5, "is damaged: its settings are not JSON"), ("9" * 10**4, "is damaged: its settings are not JSON"),
    ("[]", "is not a checkpoint of chaosnum: its settings have no format"), ("null", "have no format"),
    ('{"format": "1"}', "have no format"), ('{"format": true}', "have no format"), ('{"format": 1.0}', "no format"),
    ('{"format": 1}', "is damaged: its settings are not as they were written"), ('{"format": 0}', "as they were"),
    ('{"format": 1, "sha256": 5, "about": {}}', "as they were written"),
    ('{"format": 1, "sha256": "", "about": []}', "as they were written"),
    ('{"format": 1, "sha256": "", "about": {"x": NaN}}', "as they were written"),
    ('{"format": 1, "sha256": "", "about": {}, "more": 1}', "as they were written"),
    ('{"format": 1, "sha256": "", "about": {}}', "is damaged: its weights and settings are not those"),
    ('{"format": 2, "anything": 1}', "is of a newer version: format 2, and this one reads up to 1"),
])  # fmt: skip
def test_settings_that_nothing_wrote(path, text, words):
    assert words in refused(foreign(path, {"layer0": np.ones((3, 2))}, {"chaosnum": text}))


def test_another_text_of_the_same_settings(path):
    """A flipped bit of 1e-05 gives 1E-05, the same number: the text is compared, not what it says."""
    tensors = {"layer0": np.ones((3, 2))}
    sound = envelope(tensors)
    checkpoint.load(foreign(path, tensors, sound))
    for old, new in (("1e-05", "1E-05"), ("1.75", "1.750"), (", ", ","), ("\\u00e9", "\\u00E9"), ("\\u00e9", "é")):
        assert old in sound["chaosnum"]
        other = {"chaosnum": sound["chaosnum"].replace(old, new)}
        assert refused(foreign(path, tensors, other)) == "is damaged: its settings are not as they were written"


@pytest.mark.parametrize(("tensors", "words"), [
    ({"layer0": np.full((3, 2), np.nan)}, "holds no network: weights[0] must be finite, got 6 NaN"),
    ({"layer0": np.ones((3, 2)), "layer1": np.full((2, 2), -np.inf)}, "weights[1] must be finite, got 4 NaN"),
    ({"layer0": np.ones(3)}, "weights[0] must have the shape (fan in, units), got (3,)"),
    ({"layer0": np.ones(())}, "weights[0] must have the shape (fan in, units), got ()"),
    ({"layer0": np.ones((3, 0))}, "weights[0] must have the shape (fan in, units), got (3, 0)"),
    ({"layer0": np.ones((3, 2)), "layer1": np.ones((3, 2))}, "a row for each of the 2 units before it, got (3, 2)"),
])  # fmt: skip
def test_sound_files_of_no_network(path, tensors, words):
    assert words in refused(foreign(path, tensors, envelope(tensors)))


def test_layers_that_are_not_those_asked_for(path):
    checkpoint.save(path, network(), ABOUT)
    like = [((5, 7), "float32"), ((7, 3), np.float32)]
    checkpoint.load(path, like=like)
    checkpoint.load(path, like=[([5, 7], np.dtype("f4")), like[1]])
    assert refused(path, like=like[:1]) == "must hold 1 layers, got 2"
    assert refused(path, like=[]) == "must hold 0 layers, got 2"
    words = refused(path, like=[((7, 5), "float32"), like[1]])
    assert words == "must hold layer0 of shape (7, 5) and dtype float32, got (5, 7) and float32"
    words = refused(path, like=[like[0], ((7, 3), "float64")])
    assert words == "must hold layer1 of shape (7, 3) and dtype float64, got (7, 3) and float32"


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize(("bad", "about", "words"), [
    ([], ABOUT, "weights must have 1 or more layers"), (None, ABOUT, "weights must be a list"),
    ([np.ones((2, 2)) * np.nan], ABOUT, r"weights\[0\] must be finite"),
    ([np.ones((2, 2), dtype=object)], ABOUT, "must be an array of float32 or float64, got dtype object"),
    ([np.ones((2, 2)), np.ones((3, 2))], ABOUT, "a row for each of the 2 units"),
    (network(), None, "about must be a dict, got NoneType"),
    (network(), {"loss": np.nan}, "about must be what JSON can hold: Out of range float values"),
    (network(), {"x": np.float32(1.0)}, "about must be what JSON can hold: Object of type float32 is not"),
    (network(), {"x": object()}, "about must be what JSON can hold: Object of type object"),
    (network(), {(1, 2): 3}, "about must be what JSON can hold: keys must be str"),
    (network(), {1: 2, "1": 3}, "about must be what JSON can hold: two of its keys are the same string"),
    (network(), {"x": 10**5000}, "about must be what JSON can hold: Exceeds the limit"),
])  # fmt: skip
def test_what_cannot_be_saved(path, bad, about, words):
    checkpoint.save(path, network(), ABOUT)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words) as error:
        checkpoint.save(path, bad, about)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_recursive_settings(path):
    about = {}
    about["self"] = about
    with pytest.raises(ValueError, match="about must be what JSON can hold"):
        checkpoint.save(path, network(), about)


@pytest.mark.parametrize("name", ["net.pt", "net", "net.npz", ".safetensors", ""])
def test_names_that_would_not_be_read_again(path, name):
    with pytest.raises(ValueError, match=r"^path must end in .safetensors, got "):
        checkpoint.save(path.parent / name, network(), ABOUT)


def fails(error):
    def call(*arguments, **options):
        raise error

    return call


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("before", [True, False])
def test_a_full_disk(path, monkeypatch, step, before):
    """The file that was there stays as it was, and nothing else is left."""
    if before:
        checkpoint.save(path, network(seed=2), ABOUT)
    monkeypatch.setattr(os, step, fails(FULL))
    with pytest.raises(ValueError) as error:
        checkpoint.save(path, network(), ABOUT)
    assert type(error.value) is ValueError
    assert str(error.value) == f"{str(path)!r} cannot be written: No space left on device"
    assert os.listdir(path.parent) == [path.name] * before
    if before:
        assert same(checkpoint.load(path)[0], network(seed=2))


def test_a_write_that_ends_half_way(path):
    """The system itself refuses to go on after 4000 bytes."""
    checkpoint.save(path, network(seed=2), ABOUT)
    script = """if True:
        import resource, sys
        import numpy as np
        from chaosnum import checkpoint
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        try:
            checkpoint.save(sys.argv[1], [np.ones((100, 100))], {})
        except ValueError as error:
            print(error)"""
    found = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    assert found.stdout == f"{str(path)!r} cannot be written: File too large\n"
    assert os.listdir(path.parent) == [path.name]
    assert same(checkpoint.load(path)[0], network(seed=2))


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_interrupted(path, monkeypatch, step):
    checkpoint.save(path, network(seed=2), ABOUT)
    monkeypatch.setattr(os, step, fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, network(), ABOUT)
    assert os.listdir(path.parent) == [path.name]
    assert same(checkpoint.load(path)[0], network(seed=2))


def test_a_folder_that_cannot_be_flushed(path, monkeypatch):
    """Some file systems refuse it: the file is in its place all the same."""
    fsync, calls = os.fsync, []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    checkpoint.save(path, network(), ABOUT)
    assert len(calls) == 2 and same(checkpoint.load(path)[0], network())


def test_the_file_is_on_the_disk_before_it_is_named(path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, f=function, n=name: (calls.append(n), f(*a))[1])
    checkpoint.save(path, network(), ABOUT)
    assert calls == ["fsync", "replace", "fsync"]


def test_places_that_cannot_be_written(path, tmp_path):
    with pytest.raises(ValueError, match="cannot be written: No such file or directory$"):
        checkpoint.save(tmp_path / "missing" / "net.safetensors", network(), ABOUT)
    path.mkdir()
    with pytest.raises(ValueError, match="cannot be written: Is a directory$"):
        checkpoint.save(path, network(), ABOUT)
    assert os.listdir(tmp_path) == [path.name] and not os.listdir(path)
    with pytest.raises(ValueError, match="cannot be written: File name too long$"):
        checkpoint.save(tmp_path / ("x" * 243 + ".safetensors"), network(), ABOUT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(path, tmp_path):
    checkpoint.save(path, network(seed=2), ABOUT)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ValueError, match="cannot be written: Permission denied$"):
            checkpoint.save(path, network(), ABOUT)
    finally:
        tmp_path.chmod(0o700)
    assert same(checkpoint.load(path)[0], network(seed=2))


def test_what_a_killed_process_left_is_written_over(path):
    checkpoint.save(path, network(seed=2), ABOUT)
    left = path.with_name(f".{path.name}.partial")
    left.write_bytes(b"half of a file")
    assert same(checkpoint.load(path)[0], network(seed=2))
    checkpoint.save(path, network(), ABOUT)
    assert os.listdir(path.parent) == [path.name]


def test_killed_at_any_moment(path):
    """A process that does nothing but save is killed ten times: there is always one of its whole files."""
    script = """if True:
        import sys
        import numpy as np
        from chaosnum import checkpoint
        k = 0
        while True:
            checkpoint.save(sys.argv[1], [np.full((300, 500), float(k))], {"step": k})
            if k == 0:
                print("begun", flush=True)
            k += 1"""
    rng = np.random.default_rng(1)
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"begun\n"
            time.sleep(rng.uniform(0, 0.05))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        found, about = checkpoint.load(path)
        assert np.all(found[0] == about["step"])


def test_other_tools_read_it_by_columns(path):
    """`chaosnum fit --columns` takes each layer of enough units as it is; safetensors' own reader too."""
    from safetensors.numpy import load_file

    w = network("float32", ((5, 200), (200, 3)))
    checkpoint.save(path, w, ABOUT)
    assert same([load_file(path)[f"layer{l}"] for l in range(2)], w)
    found = [part for part in weights.load(path, units="columns") if isinstance(part, weights.Layer)]
    assert [layer.name for layer in found] == ["net.safetensors/layer0"]
    assert found[0].n == 200 and np.array_equal(found[0].x, w[0])
