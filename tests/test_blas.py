"""blas.py: which processors get other kernels, who has the last word, and one thread for BLAS."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from chaosnum import blas

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


def cpuinfo(vendor, flags, name="flags"):
    """The beginning of /proc/cpuinfo on a machine with two cores."""
    core = f"processor\t: {{}}\nvendor_id\t: {vendor}\ncpu family\t: 25\n{name}\t\t: fpu sse {flags} fma\nbugs\t\t:\n\n"
    return core.format(0) + core.format(1)


AMD = cpuinfo("AuthenticAMD", f"avx2 {AVX512}")
PROCESSORS = {
    "AMD with AVX-512": (AMD, True),
    "AMD without": (cpuinfo("AuthenticAMD", "avx avx2"), False),
    "AMD with a part of it": (cpuinfo("AuthenticAMD", "avx2 avx512f avx512cd avx512bw avx512vl"), False),
    "words that begin alike": (cpuinfo("AuthenticAMD", "avx512f_x avx512dq_x avx512cd_x avx512bw_x avx512vl_x"), False),
    "Intel with AVX-512": (cpuinfo("GenuineIntel", f"avx2 {AVX512}"), False),
    "Intel without": (cpuinfo("GenuineIntel", "avx2"), False),
    "ARM": (
        "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd evtstrm aes sve\nCPU implementer\t: 0x41\n",
        False,
    ),
    "a list of another name": (cpuinfo("AuthenticAMD", AVX512, name="power management"), False),
    "no flags": ("vendor_id\t: AuthenticAMD\n", False),
    "half a file": (AMD[: AMD.index("avx512bw")], False),
    "empty": ("", False),
    "no such text": ("\0\xff\n\n", False),
}
PROGRAM = """
import json, os, sys
from chaosnum import blas
found = {}
for name, text in json.load(sys.stdin).items():
    os.environ.pop(blas.VARIABLE, None)
    told = blas.choose_kernels(text)
    found[name] = told, os.environ.get(blas.VARIABLE)
assert "numpy" not in sys.modules
os.environ[blas.VARIABLE] = "Zen"
found["told by the user"] = blas.choose_kernels(sys.argv[1]), os.environ[blas.VARIABLE]
os.environ[blas.VARIABLE] = ""
found["told nothing by the user"] = blas.choose_kernels(sys.argv[1]), os.environ[blas.VARIABLE]
del os.environ[blas.VARIABLE]
here = blas.choose_kernels()
found["here"] = here, os.environ.pop(blas.VARIABLE, None)
blas.open = lambda *a, **k: (_ for _ in ()).throw(PermissionError())
found["unreadable"] = blas.choose_kernels(), os.environ.get(blas.VARIABLE)
import numpy
found["too late"] = blas.choose_kernels(sys.argv[1]), os.environ.get(blas.VARIABLE)
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def choices():
    environment = {k: v for k, v in os.environ.items() if k != blas.VARIABLE}
    environment["PYTHONPATH"] = str(Path(blas.__file__).parents[1])
    texts = json.dumps({name: text for name, (text, _) in PROCESSORS.items()})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, AMD], env=environment, input=texts, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PROCESSORS)
def test_kernels_of_a_processor(name, choices):
    told = PROCESSORS[name][1]
    assert choices[name] == [told, "SkylakeX" if told else None]


def test_the_user_has_the_last_word(choices):
    assert choices["told by the user"] == [False, "Zen"]
    assert choices["told nothing by the user"] == [False, ""]


def test_it_is_too_late_once_numpy_is_there(choices):
    assert choices["too late"] == [False, None]
    assert blas.choose_kernels(AMD) is False  # here NumPy is imported
    assert choices["unreadable"] == [False, None]


COMMAND = """
import sys
from chaosnum import blas, cli

def choose_kernels():
    print("numpy" in sys.modules)
    raise SystemExit(0)

blas.choose_kernels = choose_kernels
cli.main(["train"])
"""


def test_the_command_chooses_in_time():
    environment = os.environ | {"PYTHONPATH": str(Path(blas.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", COMMAND], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_the_processor_of_this_machine(choices):
    cpu = Path("/proc/cpuinfo")
    text = cpu.read_text() if cpu.exists() else ""
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    wanted = "AuthenticAMD" in text and set(AVX512.split()) <= flags
    assert choices["here"] == [wanted, "SkylakeX" if wanted else None]


def test_one_thread_within_and_the_users_number_after():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    if not threads():
        pytest.skip("this BLAS cannot be told how many threads to use")
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with blas.one_thread():
            assert set(threads()) == {1}
            with blas.one_thread():
                assert set(threads()) == {1}
            assert set(threads()) == {1}
        assert threads() == before
        with pytest.raises(FloatingPointError), blas.one_thread():
            raise FloatingPointError
        assert threads() == before


def test_several_threads_within_at_once():
    """The first to leave must not give BLAS its threads back under the other, nor the last keep them."""
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    inside, leave, alone = threading.Event(), threading.Event(), []

    def first():
        with blas.one_thread():
            alone.extend(threads())

    def other():
        with blas.one_thread():
            inside.set()
            leave.wait(timeout=30)

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        worker = threading.Thread(target=first)  # the limit of 2 is another thread's, which is in charge of it
        worker.start()
        worker.join(timeout=30)
        assert set(alone) <= {1} and threads() == before
        with blas.one_thread():
            worker = threading.Thread(target=other)
            worker.start()
            assert inside.wait(timeout=30)
        assert set(threads()) <= {1}  # the other is still within
        leave.set()
        worker.join(timeout=30)
        assert threads() == before


def test_description(monkeypatch):
    np.ones((2, 2)) @ np.ones((2, 2))
    words = blas.description()
    assert words and "\n" not in words

    def described(*libraries):
        monkeypatch.setattr(blas, "_controller", lambda: type("C", (), {"info": lambda self: list(libraries)})())
        return blas.description()

    numpys = {"user_api": "blas", "internal_api": "openblas", "version": "0.3.30", "architecture": "Haswell",
              "filepath": "/lib/numpy.libs/libopenblas.so"}  # fmt: skip
    scipys = numpys | {"architecture": "Zen", "filepath": "/lib/scipy.libs/libopenblas.so"}
    assert described(scipys, numpys) == "openblas 0.3.30, Haswell kernels"
    assert described(scipys) == "openblas 0.3.30, Zen kernels"
    assert described({"user_api": "blas", "internal_api": "mkl", "version": None}) == "mkl"
    assert described({"user_api": "openmp", "internal_api": "openmp"}) == described() == "unknown"
