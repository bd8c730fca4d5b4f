"""The variables that code reads outside its arguments: of modules, of enclosing functions, and of classes.

A copy of an object brings its attributes along, but not the module-level arrays that its methods read. So while a
copy runs, these variables hold the copy's values, and afterwards the user's own again.
"""

from __future__ import annotations

import dis
import itertools
import sys
import sysconfig
import types
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy_rnn.gradient_checking.subjects.state import ATOMS, can_be_copied, steps_from, walk

__all__ = ["Scope", "scopes_of", "swapped_in"]

_LIBRARIES = (*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), str(Path(__file__).parents[2]))


class Scope:
    """Some variables of a module's dictionary, of a class, or of a function: its cells and default arguments."""

    def __init__(self, where: Any, mentioned: Collection[str] | None = None) -> None:
        values = _variables(where)
        known = [name for name in values if mentioned is None or name in mentioned]
        self.where = where
        self.names = [name for name in known if not name.startswith("__") and _is_data(values[name])]
        self.names += sorted({*(mentioned or ())} - set(values))  # `global` may set these

    def read(self) -> dict[str, Any]:
        """Return the variables that have a value."""
        values = _variables(self.where)
        return {name: values[name] for name in self.names if name in values}

    def write(self, values: dict[str, Any]) -> None:
        """Set the variables to `values`, and unset the others."""
        if isinstance(self.where, dict):
            for name in self.names:
                self.where.pop(name, None)
            self.where.update(values)
        elif isinstance(self.where, type):
            for name, value in values.items():
                setattr(self.where, name, value)
        else:
            for name, cell in _cells(self.where).items():
                if name in values:
                    cell.cell_contents = values[name]
            now, keywords = _variables(self.where) | values, self.where.__kwdefaults__
            self.where.__defaults__ = tuple(now[name] for name in _with_default(self.where)) or None
            self.where.__kwdefaults__ = keywords and {name: now[name] for name in keywords}


def _variables(where: Any) -> dict[str, Any]:
    """Return all variables of a namespace."""
    if isinstance(where, types.FunctionType):
        values = {name: cell.cell_contents for name, cell in _cells(where).items() if cell != types.CellType()}
        values |= zip(_with_default(where), where.__defaults__ or (), strict=True)
        return values | (where.__kwdefaults__ or {})
    return dict(vars(where)) if isinstance(where, type) else where


def _cells(function: types.FunctionType) -> dict[str, types.CellType]:
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _with_default(function: types.FunctionType) -> Sequence[str]:
    """Return the names of the arguments that have a default, without those by keyword alone."""
    code = function.__code__
    return code.co_varnames[code.co_argcount - len(function.__defaults__ or ()) : code.co_argcount]


def _is_data(value: Any) -> bool:
    """Whether the value of a variable is no code and can be copied."""
    is_code = isinstance(value, type | types.ModuleType | types.BuiltinFunctionType)
    return not is_code and not hasattr(type(value), "__get__") and can_be_copied(value)


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


def scopes_of(*roots: Any) -> list[Scope]:
    """Return the variables outside their arguments that the functions of `roots` may read or set."""
    code = [value for value in {id(v): v for _, v in walk(roots, _inside)}.values() if _is_own(value)]
    modules: dict[int, tuple[dict[str, Any], set[str]]] = {}
    for function in (value for value in code if isinstance(value, types.FunctionType)):
        for namespace, names in _namespaces(function):
            modules.setdefault(id(namespace), (namespace, set()))[1].update(names)
    return [scope for scope in (*itertools.starmap(Scope, modules.values()), *map(Scope, code)) if scope.names]


def _inside(value: Any) -> Iterator[tuple[None, Any]]:
    """Yield what code may use by using a value: what it holds, and of functions and classes, what they mention."""
    members: list[Any] = []
    if isinstance(value, types.MethodType):
        members = [value.__func__, value.__self__]
    elif isinstance(value, types.FunctionType) and _is_own(value):
        mentioned = [space[name] for space, names in _namespaces(value) for name in names if name in space]
        members = [*mentioned, *_variables(value).values()]
    elif isinstance(value, type) and _is_own(value):
        own = list(vars(value).values())  # functions, also in class methods and properties
        own += [getattr(member, name, None) for member in own for name in ("__func__", "fget", "__wrapped__")]
        members = [*value.__mro__[1:], *(member for member in own if isinstance(member, types.FunctionType))]
    elif not isinstance(value, ATOMS):
        members = [type(value), *(member for _, member in steps_from(value))]
    yield from ((None, member) for member in members)


def _is_own(value: Any) -> bool:
    """Whether a value is a function or class of the user's, rather than of a library."""
    if isinstance(value, types.FunctionType):
        return not value.__code__.co_filename.startswith(_LIBRARIES)
    if not isinstance(value, type) or value.__module__ == "builtins":
        return False
    path = getattr(sys.modules.get(value.__module__), "__file__", None) or ""  # a file that runpy runs is no module
    return not path.startswith(_LIBRARIES)


@lru_cache(maxsize=10_000)
def _names(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Return the global variables and the attributes that code names, also in functions within it."""
    instructions = [i for i in dis.get_instructions(code) if i.opname.endswith(("_GLOBAL", "_NAME"))]
    within = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    variables = frozenset(i.argval for i in instructions).union(*(names for names, _ in within))
    return variables, frozenset(code.co_names).union(*(attributes for _, attributes in within))


def _namespaces(function: types.FunctionType) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Yield the namespace of a function's module, and those of its neighbours, with the names it mentions there."""
    variables, attributes = _names(function.__code__)
    yield function.__globals__, variables
    for module in [function.__globals__.get(name) for name in variables]:
        if isinstance(module, types.ModuleType):  # as in `import settings`
            path = getattr(module, "__file__", None) or ""
            if module.__name__ not in sys.stdlib_module_names and not path.startswith(_LIBRARIES):
                yield vars(module), attributes
