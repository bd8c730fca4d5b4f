"""Run functions with a probe in them, for the duration of a `with` block.

The file of a function is parsed and rewritten (see `rewrite`), and the compiled code takes the place of the
function's own. Nothing is imported again, and the original code is restored in the end.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import gc
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.lines.rewrite import PROBE, Rewriter

__all__ = ["functions_of", "instrumented"]

CHECKER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
PACKAGE = os.path.dirname(os.path.dirname(CHECKER)) + os.sep
LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
LIBRARIES.append(os.path.dirname(np.__file__))


def functions_of(run: Callable[[], Any]) -> list[FunctionType]:
    """Return the functions that `run` calls, directly or not, without those of libraries."""
    codes: dict[CodeType, None] = {}
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: codes.setdefault(frame.f_code))
    try:
        run()
    finally:
        sys.setprofile(before)
    own = [code for code in codes if is_own(code.co_filename)]
    return [f for f in gc.get_referrers(*own) if isinstance(f, FunctionType)]


def is_own(filename: str) -> bool:
    """Whether a file is the user's, or a layer of this package."""
    path = os.path.abspath(filename)
    if path.startswith(PACKAGE):
        return not path.startswith(CHECKER)
    return not any(path.startswith(folder + os.sep) for folder in LIBRARIES if folder)


@contextlib.contextmanager
def instrumented(functions: list[FunctionType], probe: Any) -> Iterator[None]:
    """Run the functions whose source can be used with the probe in the block."""
    files = {function.__code__.co_filename for function in functions}
    codes = [code for filename in sorted(files) for code in compiled(filename, probe)]
    originals = [(function, function.__code__) for function in functions]
    try:
        for function, code in originals:
            same = [c for c in codes if key(c) == key(code)]
            if len(same) == 1:
                function.__code__ = same[0]
                probe.codes.add(same[0])
        vars(builtins)[PROBE] = probe
        yield
    finally:
        vars(builtins).pop(PROBE, None)
        for function, code in originals:
            function.__code__ = code


def key(code: CodeType) -> tuple[Any, ...]:
    arguments = code.co_varnames[: code.co_argcount]
    return code.co_filename, code.co_name, code.co_firstlineno, code.co_freevars, arguments


def compiled(filename: str, probe: Any) -> list[CodeType]:
    """Return the code of every function in a file, rewritten; empty if it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return []
    tree = ast.fix_missing_locations(Rewriter(filename, probe.nodes).visit(tree))
    waiting, found = [compile(tree, filename, "exec", dont_inherit=True)], []
    while waiting:
        inner = [c for c in waiting.pop().co_consts if isinstance(c, CodeType)]
        found += inner
        waiting += inner
    return found
