"""Find the Python functions that forward and backward consist of."""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.lines.rewrite import Node

__all__ = ["loops_around", "reached_functions"]

CHECKER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.dirname(CHECKER)
LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
LIBRARIES.append(os.path.dirname(np.__file__))
LIBRARY_MODULES = {*sys.stdlib_module_names, "numpy", "scipy"} - {"__main__"}


def reached_functions(roots: Iterable[Any]) -> list[FunctionType]:
    """Return the functions with a source of their own, outside of libraries, that the roots can call."""
    waiting, seen, found = list(roots), set(), []
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            if is_own(value.__code__.co_filename):
                found.append(value)
                waiting += callees(value)
        elif isinstance(value, MethodType):
            waiting += [value.__func__, value.__self__]
        elif isinstance(value, functools.partial):
            waiting += [value.func, *value.args]
        elif isinstance(value, staticmethod | classmethod):
            waiting.append(value.__func__)
        elif isinstance(value, property):
            waiting += [value.fget, value.fset]
        elif isinstance(value, functools.cached_property):
            waiting.append(value.func)
        elif isinstance(value, type):
            if value.__module__.partition(".")[0] not in LIBRARY_MODULES:
                waiting += [*vars(value).values(), *value.__bases__]
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif not isinstance(value, ModuleType | np.ndarray | np.generic | str | bytes | int | float | complex):
            waiting += [type(value), *getattr(value, "__dict__", {}).values()]
            waiting += [getattr(value, name, None) for c in type(value).__mro__ for name in slots(c)]
    return found


def slots(cls: type) -> Any:
    names = cls.__dict__.get("__slots__", ())
    return [names] if isinstance(names, str) else names


def callees(function: FunctionType) -> Iterator[Any]:
    """Yield what the names in a function's code stand for: globals, attributes of modules, closures."""
    yield getattr(function, "__wrapped__", None)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    names = set(names_in(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            if is_own(getattr(value, "__file__", None) or ""):
                yield from (vars(value)[n] for n in names if n in vars(value))
        else:
            yield value


def names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def is_own(filename: str) -> bool:
    """Whether a file is the user's, or a layer of this package."""
    path = os.path.abspath(filename) if filename else ""
    if path.startswith(PACKAGE + os.sep):
        return not path.startswith(CHECKER + os.sep)
    return bool(path) and not any(path.startswith(folder + os.sep) for folder in LIBRARIES if folder)


def loops_around(node: Node) -> list[ast.For]:
    """Return the loops around a line, the outermost first."""
    tree = ast.parse("".join(linecache.getlines(node.filename)))
    loops = [n for n in ast.walk(tree) if isinstance(n, ast.For) and n.lineno <= node.line <= (n.end_lineno or 0)]
    return sorted(loops, key=lambda n: n.lineno)
