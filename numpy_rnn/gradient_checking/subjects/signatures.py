"""What a function's signature and its source tell: the names of its arguments and of what it returns."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["Signature", "returned_names", "signature_of"]


class Signature(NamedTuple):
    """The names of a function's arguments."""

    names: list[str]  # the positional ones
    default: list[str]  # those of them that have a default
    optional: list[str]  # those that are None unless given, such as an initial state
    more: bool  # whether any number may follow, as *arguments
    keywords: list[str]  # those by keyword alone

    @property
    def required(self) -> list[str]:
        return [name for name in self.names if name not in self.default]


def signature_of(function: Any) -> Signature:
    """Return the names of the arguments; a built-in function without a signature may take any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return Signature([], [], [], True, [])
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    default = [p for p in named if p.default is not p.empty]
    optional = [p.name for p in default if p.default is None]
    more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return Signature([p.name for p in named], [p.name for p in default], optional, more, keywords)


def returned_names(function: Any) -> list[str]:
    """Return the names in the only `return a, b, c` of a function, "" where it is no name; [] if that is unclear."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return _returned_names(code) if code else []


@lru_cache(maxsize=1000)
def _returned_names(code: CodeType) -> list[str]:
    try:
        definition = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
    except (OSError, IndexError, SyntaxError):
        return []
    if not isinstance(definition, ast.FunctionDef):
        return []
    inner = [node for node in ast.walk(definition) if isinstance(node, ast.FunctionDef) and node is not definition]
    others = {node for function in inner for node in ast.walk(function)}
    returns = [n.value for n in ast.walk(definition) if isinstance(n, ast.Return) and n.value and n not in others]
    names = [[_name_of(item) for item in (v.elts if isinstance(v, ast.Tuple | ast.List) else [v])] for v in returns]
    return names[0] if names and all(some == names[0] for some in names) else []


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""
