"""fingerprint.py: the same computation has the same hash in every process, any other another one."""

import collections
import enum
import functools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import chaosnum as cn
from chaosnum import fingerprint_sources as sources
from chaosnum.fingerprint import NoFingerprint, code_version, file_contents, fingerprint


def made(data, shift=0.0):
    """A measure that carries data in a closure."""

    def measure(n, *, seed):
        return float(data.mean()) + shift

    return measure


class Bed:
    """A measure that is an object."""

    def __init__(self, width):
        self.width, self.cached = width, functools.lru_cache(lambda n: n * width)

    def __call__(self, n, *, seed):
        return self.cached(n)

    def method(self, n, *, seed):
        return self.width


X = np.arange(6.0)
VALUES = [
    made(X), made(X + 1e-16), made(X[::-1]), made(X.reshape(2, 3)), made(X.astype(np.float32)), made(X, 1.0),
    made(X, 1), made([X, X]), made([X, X.copy()]), functools.partial(made, X), functools.partial(made, X, shift=2.0),
    functools.partial(made, data=X), Bed(3), Bed(4), Bed(3).method, Bed(4).method, np.sin, np.cos, {"a": 1}, {"b": 1},
    {1, 2}, {1, 3}, (1, 2), [1, 2], [12], (1, (2,)), (1, 2, ()), "1", 1, 1.0, True, None, b"1", float("nan"), -0.0, 0.0,
    cn.stable.rvs, cn.Claim, {"a": {"b": [1]}}, {"a": {"b": 1}},
]  # fmt: skip


def test_different_values_have_different_fingerprints():
    found = [fingerprint(value) for value in VALUES]
    same = [(i, j) for i, a in enumerate(found) for j, b in enumerate(found[:i]) if a == b]
    assert len(set(found)) == len(found) - len(same)
    # X + 1e-16 is X but for its first entry; two references to one array are not two equal arrays, and may differ
    assert same == []
    assert [fingerprint(value) for value in VALUES] == found


def test_a_run_leaves_the_fingerprint_as_it_is():
    bed = Bed(3)
    before = fingerprint(bed)
    bed(10, seed=1)
    assert fingerprint(bed) == before


def test_every_installed_claim_and_control_has_one_and_runs_do_not_change_it():
    claims = cn.claim.find([])
    measures = [m for c in claims for m in (c.measure, *(k.measure for k in c.controls)) if m]
    found = [fingerprint(m) for m in measures]
    assert len(found) > 300
    cn.verify(cn.claim.find(["S2.1"]), budget="quick")
    assert [fingerprint(m) for m in measures] == found


def user(tmp_path, text):
    """Fingerprint, in a process of its own, of `measure` in a user's file."""
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(text))
    script = "import mine; from chaosnum.fingerprint import fingerprint; print(fingerprint(mine.measure))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    return ran.stdout


def test_a_users_file_and_the_globals_it_names_count(tmp_path):
    text = """
        import numpy as np
        X = np.loadtxt("x.txt")
        unused = np.random.default_rng().random(3)
        def helper(x):
            return (x * X).sum()
        def measure(n, *, seed):
            return helper(n)
    """
    (tmp_path / "x.txt").write_text("1\n2\n")
    first = user(tmp_path, text)
    assert user(tmp_path, text) == first
    (tmp_path / "x.txt").write_text("1\n3\n")
    assert user(tmp_path, text) != first
    (tmp_path / "x.txt").write_text("1\n2\n")
    assert user(tmp_path, text.replace("x * X", "x + X")) != first
    assert user(tmp_path, text) == first


def test_what_has_no_contents_has_no_fingerprint(tmp_path):
    typed = {}
    exec("def measure(n, *, seed):\n    return 1.0", typed | {"__name__": "__main__"}, typed)
    typed["measure"].__module__ = "nowhere"
    with open(tmp_path / "file", "w") as held:
        for value, line in (
            (made(np.array([object()])), "an array of objects"),
            (made(x for x in (1, 2)), "a value of type generator"),
            (made(held), "a value of type TextIOWrapper"),
            (made(np.random.default_rng(1)), "a value of type Generator"),
            (typed["measure"], "measure has no source file"),
        ):
            with pytest.raises(NoFingerprint, match=line):
                fingerprint(value)


def test_files_count_by_their_contents(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1")
    one = file_contents({"data": str(path), "unit": "tanh", "alpha": 1.5})
    path.write_text("2")
    two = file_contents({"data": str(path)})
    assert set(one) == set(two) == {"data"} and one != two
    assert file_contents({"data": "digits", "other": "no/such"}) == {}


def test_the_code_version_is_of_every_source_file(monkeypatch):
    monkeypatch.setattr(sources, "OWN", ("chaosnum",))
    code_version.cache_clear()
    without = code_version()
    code_version.cache_clear()
    monkeypatch.undo()
    assert code_version() != without and code_version() == code_version()


class Scaled:
    """A decorator with state: `__wrapped__` is not all of it."""

    def __init__(self, function, by):
        functools.update_wrapper(self, function)
        self.by = by


class Slots:
    __slots__ = ("width",)


class Conf(dict):
    """A collection with attributes."""


def with_width(made_as, width):
    made_as.width = width
    return made_as


def times(by):
    @functools.wraps(cn.stable.rvs)  # claims to be ours
    def measure(n, *, seed):
        return n * by

    return measure


def hidden(by):
    @functools.wraps(made)  # a cache that says it is around another function
    @functools.lru_cache
    def measure(n):
        return n * by

    return measure


PAIR = np.array([(1.0, 2.0)], dtype=[("a", "f8"), ("b", "f8")])
GRID = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (lambda n: n, lambda n: 2 * n),
        (Scaled(made, 1), Scaled(made, 2)),
        (with_width(made(1), 1), with_width(made(1), 2)),
        (with_width(type("Sub", (Slots,), {"__module__": __name__})(), 1),
         with_width(type("Sub", (Slots,), {"__module__": __name__})(), 2)),
        (with_width(Conf(), 1), with_width(Conf(), 2)),
        (type("D", (), {"k": 1, "__module__": __name__}), type("D", (), {"k": 2, "__module__": __name__})),
        (collections.defaultdict(int), collections.defaultdict(float)),
        (collections.namedtuple("P", "a b")(1, 2), collections.namedtuple("P", "b a")(1, 2)),
        (enum.Enum("E", {"A": 1, "B": 2}).A, enum.Enum("E", {"A": 2, "B": 1}).A),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([1.0, 2.0], mask=[1, 0])),
        (PAIR.view(np.recarray), PAIR), (PAIR, PAIR.view([("b", "f8"), ("a", "f8")])), (PAIR.dtype, np.dtype("f8")),
        (GRID, np.asfortranarray(GRID)),
        ({1: 2}.get, {1: 3}.get), (GRID.dot, GRID.T.dot), (np.add.reduce, np.multiply.reduce),
        (times(1), times(2)),
    ],
)  # fmt: skip
def test_what_looks_alike_is_told_apart(one, two):
    assert fingerprint(one) != fingerprint(two)


@pytest.mark.parametrize("value", [hidden(2), np.frompyfunc(lambda x: x + 1, 1, 1), functools.reduce(
    lambda inner, _: [inner], range(5000), [])])  # fmt: skip
def test_what_hides_what_it_is_or_is_too_deep_has_no_fingerprint(value):
    with pytest.raises(NoFingerprint):
        fingerprint(value)


def test_options_of_the_compiler_count():
    numba = pytest.importorskip("numba")
    assert fingerprint(numba.njit(made)) != fingerprint(numba.njit(fastmath=True)(made))


MEASURES = {  # a user's measure, and what is changed in another file of the user's
    "a module that it names": "import other\ndef measure(n, *, seed): return other.f(n)",
    "a module that it imports when it runs": "def measure(n, *, seed):\n    import other\n    return other.f(n)",
    "a function": "from other import f\ndef measure(n, *, seed): return f(n)",
    "a module behind a module": "import between\ndef measure(n, *, seed): return between.g(n)",
    "a base class": "import other\nclass M(other.Base): pass\nmeasure = M()",
}


@pytest.mark.parametrize("text", MEASURES.values(), ids=MEASURES)
def test_files_that_a_users_file_imports_count(tmp_path, text):
    other = "def f(n): return 1\nclass Base:\n    def __call__(self, n, *, seed): return 1\n"
    (tmp_path / "between.py").write_text("def g(n):\n    from other import f\n    return f(n)\n")
    (tmp_path / "other.py").write_text(other)
    first = user(tmp_path, text)
    (tmp_path / "other.py").write_text(other.replace("return 1", "return 12"))
    assert user(tmp_path, text) != first


STATE = {
    "a global of another module": ("import other\ndef measure(n, *, seed): return other.K", "other.K"),
    "a global that a method names": ("K = 1\nclass M:\n    def __call__(self, n, *, seed): return K\n"
                                     "measure = M()", "mine.K"),
    "an attribute of a class": ("class C: k = 1\ndef measure(n, *, seed): return C.k", "mine.C.k"),
    "an attribute of the function": ("def measure(n, *, seed): return measure.k\nmeasure.k = 1", "mine.measure.k"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "name"), STATE.values(), ids=STATE)
def test_what_is_changed_in_memory_counts(tmp_path, text, name):
    (tmp_path / "other.py").write_text("K = 1\n")
    (tmp_path / "mine.py").write_text(text)
    script = f"import mine, other; from chaosnum.fingerprint import fingerprint as f; a = f(mine.measure); {name} = 2\n"
    ran = subprocess.run([sys.executable, "-c", script + "print(a != f(mine.measure))"], cwd=tmp_path,
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert ran.stdout == "True\n"


@pytest.mark.parametrize("name", [lambda p: str(p), lambda p: p, lambda p: (str(p),), lambda p: p.parent, lambda p:
                                  os.path.relpath(p)])  # fmt: skip
def test_however_a_file_is_named_its_contents_count(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "plain"
    path.write_text("1")
    first = file_contents({"data": name(path)})
    path.write_text("2")
    assert first and file_contents({"data": name(path)}) != first
    assert file_contents({"data": "a name that is too long for a file. " * 300}) == {}


def test_a_file_that_a_measure_carries_the_name_of_counts(tmp_path):
    path = tmp_path / "x.csv"
    found = []
    for text in "12":
        path.write_text(text)
        found.append([fingerprint(functools.partial(made, held)) for held in (str(path), Path(path))])
    assert found[0][0] != found[1][0] and found[0][1] != found[1][1]


def test_common_objects_have_one():
    import scipy.stats

    for value in (range(3), slice(1), np.mean, np.sin, scipy.stats.norm, np.poly1d([1, 2]), enum.Enum("E", "A").A,
                  collections.namedtuple("P", "a b")(1, 2), str.upper, np.vectorize(made)):  # fmt: skip
        assert fingerprint(value) == fingerprint(value)
