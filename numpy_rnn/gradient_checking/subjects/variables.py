"""The variables that code reads outside its arguments: of modules, of enclosing functions, and of classes.

A copy of an object brings its attributes along, but not the module-level arrays that its methods read. So while a copy
runs, these variables hold the copy's values, and afterwards the user's own again.
"""

from __future__ import annotations

import dis
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from numpy_rnn.gradient_checking.subjects.state import ATOMS, steps_from

__all__ = ["Scope", "functions_of", "scopes_of", "swapped_in"]

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_OURS = (str(Path(__file__).parents[2]),)


class Scope:
    """Some variables of one namespace: a module's dictionary, a function's cells or default arguments, or a class."""

    def __init__(self, where: Any, names: Iterable[str]) -> None:
        self.where, self.names = where, dict.fromkeys(names)  # a set in the order of definition

    def read(self) -> dict[str, Any]:
        """Return the variables that have a value."""
        if isinstance(self.where, types.FunctionType):
            return {name: value for name, value in _defaults(self.where).items() if name in self.names}
        if isinstance(self.where, tuple):
            return {name: cell.cell_contents for name, cell in self.where if name in self.names and _is_set(cell)}
        values = self.where if isinstance(self.where, dict) else vars(self.where)
        return {name: values[name] for name in self.names if name in values}

    def write(self, values: dict[str, Any]) -> None:
        """Set the variables to `values`, and unset the others."""
        if isinstance(self.where, types.FunctionType):
            both = _defaults(self.where) | values
            if self.where.__defaults__:
                names = self.where.__code__.co_varnames[: self.where.__code__.co_argcount]
                self.where.__defaults__ = tuple(both[name] for name in names[-len(self.where.__defaults__) :])
            for name in self.where.__kwdefaults__ or ():
                self.where.__kwdefaults__[name] = both[name]
        elif isinstance(self.where, tuple):
            for name, cell in self.where:
                if name in values:
                    cell.cell_contents = values[name]
        elif isinstance(self.where, dict):
            for name in self.names:
                self.where.pop(name, None)
            self.where.update(values)
        else:
            for name, value in values.items():
                setattr(self.where, name, value)


def _defaults(function: types.FunctionType) -> dict[str, Any]:
    """Return the default arguments of a function."""
    names, values = function.__code__.co_varnames[: function.__code__.co_argcount], function.__defaults__ or ()
    return dict(zip(names[len(names) - len(values) :], values, strict=True)) | (function.__kwdefaults__ or {})


@contextmanager
def swapped_in(scopes: Sequence[Scope], values: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Give the variables these values; afterwards, keep what they have become in `values`, and put the old back."""
    before = [scope.read() for scope in scopes]
    for scope, own in zip(scopes, values, strict=True):
        scope.write(own)
    try:
        yield
    finally:
        for scope, own, old in zip(scopes, values, before, strict=True):
            own.clear()
            own.update(scope.read())
            scope.write(old)


def functions_of(*roots: Any) -> list[types.FunctionType]:
    """Return the Python functions that `roots` consist of and refer to, outside installed packages."""
    return [value for value in _code_of(roots, _LIBRARIES) if isinstance(value, types.FunctionType)]


def scopes_of(*roots: Any) -> list[Scope]:
    """Return the variables outside their arguments that the functions of `roots` may read or set."""
    modules: dict[int, Scope] = {}
    scopes: list[Scope] = []
    for value in _code_of(roots, _LIBRARIES + _OURS):
        if isinstance(value, type):
            scopes.append(Scope(value, [name for name, member in vars(value).items() if _is_data(name, member)]))
            continue
        for where, names, stored in _names_in(value):
            scope = modules.setdefault(id(where), Scope(where, ()))
            data = {name for name in names if name in where and _is_data(name, where[name])} | {*stored}
            scope.names = dict.fromkeys(name for name in (*where, *sorted(stored)) if name in {*scope.names, *data})
        cells = tuple(zip(value.__code__.co_freevars, value.__closure__ or (), strict=True))
        scopes.append(Scope(cells, [n for n, cell in cells if _is_set(cell) and not _is_code(cell.cell_contents)]))
        scopes.append(Scope(value, [name for name, default in _defaults(value).items() if _is_data(name, default)]))
    return [scope for scope in (*modules.values(), *scopes) if scope.names]


def _code_of(roots: Sequence[Any], libraries: tuple[str, ...]) -> list[Any]:
    """Return the functions and classes that `roots` lead to, except those in files of `libraries`."""
    waiting, seen, found = list(roots), {}, []
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, types.FunctionType):
            if value.__code__.co_filename.startswith(libraries):
                continue
            found.append(value)
            for where, names, _ in _names_in(value):
                waiting += [where[name] for name in names if name in where]
            waiting += [cell.cell_contents for cell in value.__closure__ or () if _is_set(cell)]
            waiting += _defaults(value).values()
        elif isinstance(value, type):
            module = sys.modules.get(value.__module__)
            path = getattr(module, "__file__", None) or value.__module__  # a file that runpy runs is no module
            if value.__module__ == "builtins" or path.startswith(libraries):
                continue
            found.append(value)
            waiting += value.__mro__[1:]
            waiting += [m for member in vars(value).values() for m in _unwrapped(member)]
        elif isinstance(value, types.MethodType):
            waiting += [value.__func__, value.__self__]
        elif isinstance(value, partial) or not isinstance(value, ATOMS):
            waiting += [type(value), *(member for _, member in steps_from(value))]
    return found


def _unwrapped(member: Any) -> list[Any]:
    """Return the functions in a method, a static or class method, or a property."""
    parts = [member, *(getattr(member, name, None) for name in ("__func__", "fget", "__wrapped__"))]
    return [part for part in parts if isinstance(part, types.FunctionType)]


@lru_cache(maxsize=10_000)
def _names_of(code: types.CodeType) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the global variables that code reads or sets, those that it sets, and all attributes that it names."""
    instructions = [(i.opname, i.argval) for i in dis.get_instructions(code)]
    stored = {name for op, name in instructions if op in ("STORE_GLOBAL", "DELETE_GLOBAL")}
    names = stored | {name for op, name in instructions if op in ("LOAD_GLOBAL", "LOAD_NAME")}
    found = frozenset(names), frozenset(stored), frozenset(code.co_names)
    for constant in code.co_consts:  # functions, lambdas and comprehensions within
        if isinstance(constant, types.CodeType):
            found = tuple(some | more for some, more in zip(found, _names_of(constant), strict=True))  # type: ignore
    return found


def _names_in(function: types.FunctionType) -> Iterator[tuple[dict[str, Any], Iterable[str], Iterable[str]]]:
    """Yield namespaces, the names that the function mentions in them, and those of them that it sets."""
    names, stored, attributes = _names_of(function.__code__)
    yield function.__globals__, names, stored
    for name in names & set(function.__globals__):
        module = function.__globals__[name]
        if isinstance(module, types.ModuleType):
            path = getattr(module, "__file__", None) or ""
            if module.__name__ not in sys.stdlib_module_names and not path.startswith(_LIBRARIES + _OURS):
                yield vars(module), attributes, ()  # a neighbouring file, as in `import settings`


def _is_set(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (there is no other way to ask; cells compare their contents)
    except ValueError:
        return False
    return True


def _is_code(value: Any) -> bool:
    return isinstance(value, types.FunctionType | type | types.ModuleType | types.BuiltinFunctionType)


def _is_data(name: str, value: Any) -> bool:
    """Whether a variable may hold arrays or other state, and isn't code or a constant."""
    return not (name.startswith("__") or isinstance(value, ATOMS) or value is None or hasattr(type(value), "__get__"))
