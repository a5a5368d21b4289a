"""Matrix products of NumPy, with the same bits for any number of threads.

The products of training are left to NumPy's BLAS, which comes within a few percent of what the processor can do. Two
of its habits are taken from it:

* Its result depends on how many threads it splits a product over. So it gets one thread (`one_thread`), and the
  products are cut into fixed blocks, which run side by side on threads of our own (``threads.py``).
* OpenBLAS chooses its kernels when it is loaded, and knows not every processor: on AMD's with AVX-512 some versions
  take those for AVX2, at half the speed. `choose_kernels`, called before NumPy is imported, names better ones there.
  The environment variable ``OPENBLAS_CORETYPE`` has the last word.

The bits still depend on the BLAS and on the kernels that it chose; `description` names both.
"""

import os
import sys
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

VARIABLE = "OPENBLAS_CORETYPE"
_LOCK, _INSIDE = Lock(), []  # the limit that is set, once for everyone within it
_AVX512 = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}  # what OpenBLAS's SkylakeX kernels are made of


def choose_kernels(processor=None):
    """Have OpenBLAS use its AVX-512 kernels on AMD's processors that have AVX-512 -> whether it was told to.

    Does nothing once NumPy is imported, where the variable is set already, or where the processor is not known.

    Parameters
    ----------
    processor : str, optional
        The contents of /proc/cpuinfo; by default read from there.
    """
    if "numpy" in sys.modules or VARIABLE in os.environ:
        return False
    if processor is None:
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as lines:
                processor = lines.read(10_000)
        except OSError:
            return False
    flags = next((line for line in processor.splitlines() if line.startswith("flags")), "")
    if "AuthenticAMD" not in processor or not _AVX512 <= set(flags.split()):
        return False
    os.environ[VARIABLE] = "SkylakeX"
    return True


@contextmanager
def one_thread():
    """A context manager within which BLAS calls run on the thread that makes them.

    The number of threads belongs to the whole process, and several threads may train at once: the first one in sets it,
    and the last one out gives back what was there.
    """
    with _LOCK:
        if not _INSIDE:
            _take_over()
        _INSIDE.append(_INSIDE[0] if _INSIDE else _controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _LOCK:
            limit = _INSIDE.pop()
            if not _INSIDE:
                _take_over()
                limit.restore_original_limits()
                _take_over()


def _take_over():
    """Nobody is in charge of BLAS's threads: newer versions of threadpoolctl ignore all but one thread, silently."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def description():
    """The BLAS of NumPy and its kernels, as ``openblas 0.3.30, Haswell kernels`` -> str."""
    found = [lib for lib in _controller().info() if lib.get("user_api") == "blas"]
    if not found:
        return "unknown"
    lib = next((lib for lib in found if "numpy" in lib.get("filepath", "")), found[0])
    kernels = f", {lib['architecture']} kernels" if lib.get("architecture") else ""
    return f"{lib['internal_api']} {lib.get('version') or ''}".rstrip() + kernels


@lru_cache(maxsize=1)
def _controller():
    import numpy  # noqa: F401  the libraries that are loaded now are the ones controlled
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
