"""Run functions with a probe in them, for the duration of a `with` block.

The file of a function is parsed and rewritten (see `rewrite`), and the compiled code takes the place of the
function's own. Nothing is imported or executed again, and the original code is restored in the end.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from numpy_rnn.gradient_checking.lines.rewrite import PROBE, Rewriter

__all__ = ["instrumented"]


@contextlib.contextmanager
def instrumented(functions: Iterable[FunctionType], probe: Any) -> Iterator[list[str]]:
    """Run the functions with the probe in the block; gives the names of those whose source cannot be used."""
    codes: dict[str, list[CodeType]] = {}
    originals: list[tuple[FunctionType, CodeType]] = []
    without_source = []
    for function in functions:
        code = function.__code__
        if code.co_filename not in codes:
            codes[code.co_filename] = compiled(code.co_filename, probe)
        same = [c for c in codes[code.co_filename] if is_version(c, code)]
        if len(same) == 1:
            originals.append((function, with_probe(same[0], probe)))
        else:
            without_source.append(function.__qualname__)
    restore = [(function, function.__code__) for function, _ in originals]
    try:
        for function, code in originals:
            function.__code__ = code
            probe.codes.add(code)
        yield without_source
    finally:
        for function, code in restore:
            function.__code__ = code


def is_version(new: CodeType, old: CodeType) -> bool:
    same = (new.co_name, new.co_firstlineno, new.co_freevars) == (old.co_name, old.co_firstlineno, old.co_freevars)
    return same and new.co_varnames[: new.co_argcount] == old.co_varnames[: old.co_argcount]


def compiled(filename: str, probe: Any) -> list[CodeType]:
    """Return the code of every function in a file, rewritten; empty if it cannot be read."""
    source = "".join(linecache.getlines(filename))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    tree = ast.fix_missing_locations(Rewriter(filename, probe.nodes).visit(tree))
    waiting, found = [compile(tree, filename, "exec", dont_inherit=True)], []
    while waiting:
        code = waiting.pop()
        inner = [c for c in code.co_consts if isinstance(c, CodeType)]
        found += inner
        waiting += inner
    return found


def with_probe(code: CodeType, probe: Any) -> CodeType:
    def put(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            return with_probe(constant, probe)
        return probe if isinstance(constant, str) and constant == PROBE else constant

    return code.replace(co_consts=tuple(map(put, code.co_consts)))
