"""Files and names that a computation is made from: whose they are, what they hold, and which others they import.

A module is ours (counted as a whole), a user's (its file counts, and the user's files that it imports, wherever in the
file the import stands), Python's own, or of a library that is installed (which counts by its record of installation).

What goes wrong: imports by name (``importlib.import_module``) are not seen.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import types
from hashlib import blake2b
from pathlib import Path

OWN = ("chaosnum", "proofs_checks")  # packages whose source counts as a whole
INSTALLED = {"site-packages", "dist-packages"}
STANDARD = frozenset(sys.stdlib_module_names) | frozenset(sys.builtin_module_names)


@functools.cache
def code_version():
    """Hash of our own source and of the versions that numbers depend on -> str."""
    found = blake2b(digest_size=16)
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "llvmlite")}
    versions |= {name: importlib.metadata.version(name) for name in ("mpmath", "scikit-learn", "POT")}
    found.update(json.dumps([platform.python_version(), platform.machine(), versions], sort_keys=True).encode())
    for package in OWN:
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                found.update(f"{package}/{path.relative_to(folder).as_posix()}".encode() + path.read_bytes())
    return found.hexdigest()


NO_MATTER = {"NUMBA_CACHE_DIR", "NUMBA_DISABLE_PERFORMANCE_WARNINGS"}


@functools.cache
def machine():
    """What beside the code decides the last bits: which kernels the libraries choose on this processor -> str."""
    import llvmlite.binding
    import numpy as np

    core = np._core if hasattr(np, "_core") else np.core
    kernels = core._multiarray_umath.__cpu_features__
    told = {k: v for k, v in os.environ.items() if k.startswith(("NUMBA_", "OPENBLAS_CORE")) and k not in NO_MATTER}
    return json.dumps([llvmlite.binding.get_host_cpu_name(), kernels, told], sort_keys=True)


def module_file(module):
    """The file of a module by name, which is not run if it is not loaded yet -> str or None."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec and spec.has_location else None


def is_users(module):
    """Whether the file of a module, by name, counts by itself: it is not ours, no library's and not Python's."""
    top, source = module.partition(".")[0], module_file(module)
    return top not in OWN and top not in STANDARD - {"__main__"} and source is not None and not _installed(source)


def _installed(source):
    return not INSTALLED.isdisjoint(Path(source).parts)


def imported(module, source):
    """The user's modules that a file imports -> list of names, in order.

    Parameters
    ----------
    module : str, its name
    source : bytes
    """
    found = set()
    package = module if str(module_file(module)).endswith("__init__.py") else module.rpartition(".")[0]
    package = getattr(sys.modules.get(module), "__package__", None) or package
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            try:
                base = importlib.util.resolve_name(name, package) if node.level else name
            except ImportError:
                continue
            found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    parents = {name.rsplit(".", k)[0] for name in found for k in range(name.count(".") + 1)}
    return sorted(name for name in parents if is_users(name))


@functools.cache
def library(top):
    """Hash of the record of what was installed under the name of a package -> str, empty where there is none."""
    found = blake2b(digest_size=16)
    for name in sorted(set(_distributions().get(top, ()))):
        distribution = importlib.metadata.distribution(name)
        found.update(f"{name} {distribution.version} {distribution.read_text('RECORD') or ''}".encode())
    return found.hexdigest() if top in _distributions() else ""


@functools.cache
def _distributions():
    return importlib.metadata.packages_distributions()


def file_hash(path):
    """Hash of the contents of a file -> str. Files that were not touched are read once."""
    state = os.stat(path)
    return _file_hash(os.path.abspath(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@functools.lru_cache(maxsize=1000)
def _file_hash(path, *_):
    with open(path, "rb") as file:
        found = blake2b(digest_size=16)
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def folder_hash(path):
    """Hash of the names and contents of all files in a folder and below it -> str."""
    found = blake2b(digest_size=16)
    for file in sorted(p for p in Path(path).rglob("*") if p.is_file()):
        found.update(f"{file.relative_to(path).as_posix()}\0{file_hash(file)}\n".encode())
    return found.hexdigest()


def file_contents(params):
    """{name: hash of the contents} of the parameters that are, or hold, the name of a file or folder -> dict."""
    found = {}
    for name, value in params.items():
        held = value if isinstance(value, list | tuple) else (value,)
        paths = [path for path in held if isinstance(path, str | os.PathLike)]
        hashes = [file_hash(p) if os.path.isfile(p) else folder_hash(p) for p in paths if os.path.exists(p)]
        if hashes:
            found[name] = hashes if value is held else hashes[0]
    return found


def is_python(kind):
    """Whether a class is written in Python, so that its objects have nothing but attributes."""
    made_by_python = kind.__flags__ & 1 << 9  # on the heap: classes in C may name a Python module as theirs
    return bool(made_by_python) and str(module_file(kind.__module__)).endswith(".py")


def names_in(code):
    """Names of globals and attributes in a function's code and in those within it."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_in(constant)
    return frozenset(found)
