"""What the value of a cell depends on beside its address: the code that computes it, and the data that code carries.

A cell is kept (:mod:`chaosnum.ledger`) to stand for a computation, and must not stand for another one. So its key is a
hash of everything the computation is made of:

* the source of this package and of the claims that come with it, the versions of Python and of the libraries, and what
  of the machine decides the last bits;
* the measure: its code and, if it is a user's, its file and the files of the user's that this one imports; the
  arguments of a partial, the values in a closure, the attributes of an object and of its class, the globals that a
  user's function names, and the same of every function among these;
* libraries by the record of what was installed; files that are named, by their contents.

Arrays count by type, dtype, shape, strides and bytes. What has no such form (an open file, a generator, a function
typed into an interpreter) has no fingerprint, and cells that depend on it are not kept.

What goes wrong: what a measure reaches only while it runs (a file whose name it puts together, a service, a variable
of the environment, ``globals()["x"]``) cannot be seen from outside, and neither can changes made to the modules of this
package in memory. Change the claim's name with them, or keep no ledger.
"""

import datetime
import decimal
import functools
import gc
import operator
import os
import sys
import types
from hashlib import blake2b
from pathlib import Path

import numpy as np

from chaosnum.fingerprint_sources import (
    OWN,
    STANDARD,
    code_version,
    file_contents,
    file_hash,
    imported,
    is_python,
    is_users,
    library,
    machine,
    module_file,
    names_in,
)

__all__ = ["NoFingerprint", "code_version", "file_contents", "fingerprint", "machine"]

PLAIN = (type(None), bool, int, float, complex, str, bytes)
BY_REPR = (range, type(...), decimal.Decimal, datetime.date, datetime.datetime, datetime.timedelta)
BY_REDUCE = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
HOLDERS = dict, list, tuple, set, frozenset, np.ndarray, np.generic, *PLAIN[1:]
BUILT_IN = (types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
NO_PART = {  # of a class: what Python makes of the rest of it
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__dataclass_fields__",
    "__dataclass_params__", "__abstractmethods__", "_abc_impl", "__orig_bases__", "__parameters__",
    "__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__",
}  # fmt: skip


class NoFingerprint(ValueError):
    """A value depends on something that cannot be told by its contents."""


def fingerprint(value):
    """Hash of what a value is made of -> str.

    Parameters
    ----------
    value : object
        Mostly a measure: a function, partial or method.

    Raises
    ------
    NoFingerprint
        It is, or carries, something without one; the message says what.
    """
    walk = _Walk()
    try:
        walk.add(value)
    except NoFingerprint:
        raise
    except Exception as error:  # a user's object may do anything when it is looked at; a file may be gone
        raise NoFingerprint(f"{type(error).__name__} while looking at it: {error}") from error
    return walk.hash.hexdigest()


class _Walk:
    """Takes in a value and all it holds, each object once."""

    def __init__(self):
        self.hash = blake2b(digest_size=16)
        self.seen = {}  # id: (number, object, which is kept so that no other gets its id)

    def add(self, value):
        kind = type(value)
        if kind in PLAIN or kind in BY_REPR or isinstance(value, np.dtype):
            self._note(kind.__name__, repr(value))
            if kind is str and ("/" in value or "." in value) and os.path.isfile(value):
                self._note("contents", file_hash(value))
            return
        if kind not in (tuple, frozenset):  # whether two of these are one object is Python's choice
            if id(value) in self.seen:
                self._note("again", self.seen[id(value)][0])
                return
            self.seen[id(value)] = len(self.seen), value
        if isinstance(value, types.ModuleType):
            self._note("module", value.__name__)
            self._source(value.__name__, value.__name__)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.MappingProxyType):
            self._holder(dict(value))
        elif isinstance(value, HOLDERS):
            self._holder(value)
        elif isinstance(value, Path):
            self._note("path", value)
            if value.is_file():
                self._note("contents", file_hash(value))
        elif isinstance(value, types.CodeType):
            self._code(value)
        else:
            self._made_of(value)

    def _holder(self, value):
        """Take in numbers, text, arrays and collections, and what a class derived from theirs adds."""
        kind = type(value)
        self._note("holder", kind.__module__, kind.__qualname__)
        if isinstance(value, np.ndarray | np.generic):
            self._array(np.asarray(value))
        elif isinstance(value, dict):
            self._note("dict", len(value))
            for entry in dict.items(value):
                self._each(*entry)
        elif isinstance(value, list | tuple):
            self._note("list", len(value))
            self._each(*(list if isinstance(value, list) else tuple).__iter__(value))
        elif isinstance(value, set | frozenset):
            self._note("set", *sorted(fingerprint(held) for held in value))
        else:
            base = next(plain for plain in PLAIN[1:] if isinstance(value, plain))
            self._note(base.__name__, base.__repr__(value))
        if kind not in HOLDERS:
            self._each(kind, getattr(value, "default_factory", None))
            if not isinstance(value, np.memmap):  # its contents are those of the array
                self._attributes(value)

    def _made_of(self, value):
        name = getattr(value, "__qualname__", getattr(value, "__name__", None))
        if isinstance(value, functools.partial):
            self._note("partial")
            self._each(value.func, value.args, value.keywords, vars(value))
        elif isinstance(value, types.MethodType):
            self._note("method")
            self._each(value.__func__, value.__self__)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            self._note("built-in", name)
            self.add(value.__self__)
        elif isinstance(value, BUILT_IN):
            self._note("built-in", name)
            self.add(value.__objclass__)
        elif isinstance(value, staticmethod | classmethod):
            self._note(type(value).__name__)
            self.add(value.__func__)
        elif isinstance(value, property):
            self._note("property")
            self._each(value.fget, value.fset, value.fdel)
        elif isinstance(value, slice):
            self._note("slice")
            self._each(value.start, value.stop, value.step)
        elif isinstance(value, BY_REDUCE):
            self.add(value.__reduce__())
        elif isinstance(value, functools._lru_cache_wrapper):  # what it remembers has no part
            if not any(held is value.__wrapped__ for held in gc.get_referents(value)):
                raise NoFingerprint("a cache around a function that says to be another one cannot be told")
            self._note("cache")
            self.add(value.__wrapped__)
        elif isinstance(value, functools.cached_property):
            self._note("property")
            self.add(value.func)
        elif hasattr(value, "py_func") and type(value).__module__.startswith("numba."):
            self._note("compiled", type(value).__qualname__)
            self._each(value.py_func, getattr(value, "targetoptions", None))
        elif (place := self._place(value)) is not None:
            self._note("global of", place, *(k for k, held in list(vars(sys.modules[place]).items()) if held is value))
            self._source(place, name)
        elif type(value) is types.SimpleNamespace or all(map(is_python, type(value).__mro__[:-1])):
            self._note("object")
            self.add(type(value))
            self._attributes(value)
        else:
            raise NoFingerprint(f"a value of type {type(value).__name__} cannot be told by its contents")

    def _place(self, value):
        """The module of a library, of ours or of Python's where a value is one of the globals -> str or None."""
        places = ("numpy", "scipy.special") if isinstance(value, np.ufunc) else (getattr(value, "__module__", None),)
        for place in filter(sys.modules.get, places):
            if not is_users(place) and any(held is value for held in list(vars(sys.modules[place]).values())):
                return place
        return None

    def _each(self, *values):
        for value in values:
            self.add(value)

    def _attributes(self, value):
        """Take in what an object has by itself, in its dict and in its slots."""
        self.add(dict(getattr(value, "__dict__", {})))
        for kind in type(value).__mro__:
            for name, slot in vars(kind).items():
                if isinstance(slot, types.MemberDescriptorType) and is_python(kind) and hasattr(value, name):
                    self._note("slot", name)
                    self.add(slot.__get__(value))

    def _class(self, kind):
        self._note("class", kind.__module__, kind.__qualname__)
        if self._source(kind.__module__, kind.__qualname__):
            self._each(type(kind), *kind.__bases__)
            for name in sorted(vars(kind).keys() - NO_PART):
                held = vars(kind)[name]
                if not (isinstance(held, SLOTS) or _of_a_namedtuple(held)):
                    self._note("of the class", name)
                    self.add(held)

    def _function(self, function):
        self._note("function", function.__module__, function.__qualname__)
        self._code(function.__code__)
        self._each(function.__defaults__, function.__kwdefaults__, dict(vars(function)))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._note("closure", name)
            try:
                held = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            self.add(held)
        home = function.__globals__.get("__name__")  # another one than __module__ if it wraps a function
        users = self._source(function.__module__, function.__qualname__)
        if (home in sys.modules and self._source(home, function.__qualname__)) or users:
            self._named(function.__globals__, names_in(function.__code__))

    def _named(self, space, names):
        """Take in what names stand for in a module, and in the user's modules among that."""
        for name in sorted(names & space.keys()):
            held = space[name]
            self._note("global", name)
            self.add(held)
            if isinstance(held, types.ModuleType) and is_users(held.__name__):
                if (id(held), names) not in self.seen:
                    self.seen[id(held), names] = len(self.seen), held
                    self._named(vars(held), names)

    def _code(self, code):
        self._note("code", code.co_name, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
                   code.co_flags, code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars,
                   code.co_cellvars, code.co_exceptiontable.hex(), len(code.co_consts))  # fmt: skip
        self._each(*code.co_consts)

    def _source(self, module, name):
        """Take in the source of a module, by name, and of what it imports -> whether it is a user's."""
        top = module.partition(".")[0]
        if top in OWN:
            return False  # counts as a whole
        if not is_users(module):
            if top == "__main__" or (top not in STANDARD and module_file(module) is None):
                raise NoFingerprint(f"{name} has no source file")
            if top not in STANDARD:
                self._note("library", top, library(top))
            return False
        if ("source", module) not in self.seen:
            self.seen["source", module] = len(self.seen), module
            source = Path(module_file(module)).read_bytes()
            self._note("source", module, len(source))
            self.hash.update(source)
            for other in imported(module, source) if module_file(module).endswith(".py") else ():
                self._source(other, other)
        return True

    def _array(self, value):
        if value.dtype.hasobject:
            raise NoFingerprint("an array of objects cannot be told by its contents")
        self._note("array", repr(value.dtype), value.shape, value.strides)
        self.hash.update(np.ascontiguousarray(value).tobytes())

    def _note(self, *words):
        """Take in words, each with its length before it: no two lists of words look alike."""
        for word in map(str, words):
            data = word.encode("utf-8", "surrogatepass")
            self.hash.update(f"{len(data)}:".encode() + data)


def _of_a_namedtuple(held):
    """Whether this is what `namedtuple` makes of the names of its fields, which count by themselves."""
    home = getattr(getattr(held, "__func__", held), "__module__", "")
    return type(held).__name__ == "_tuplegetter" or str(home).startswith("namedtuple_")
