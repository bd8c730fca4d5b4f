"""Run a file of the user's, and report its errors in one line."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy_rnn.cli.output import as_typed

__all__ = ["user_value"]

FORWARD, BACKWARD = re.compile("forward|fwd|fprop"), re.compile("back(ward)?|bwd|bprop|grad")
LOSS = re.compile("loss|cost|grad")  # a function with such a name may return both
LIBRARIES = [Path(__file__).resolve().parents[1], Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()]


@contextmanager
def user_value(target: str) -> Iterator[Any]:
    """Run a file, and yield the value of an expression in it; `target` is "path.py:expression".

    Raises
    ------
    ValueError
        In one line: what could not be read, or any error in the block, which runs the user's code.
    """
    match = re.fullmatch(r"(.+?\.py)(?::(.*))?", target, re.DOTALL)
    if not match:
        raise ValueError(
            f"expected path/to/file.py:EXPRESSION, such as my.py:MyRNN or 'my.py:fwd, bwd', got {target!r}"
        )
    path, expression = match[1], as_typed(match[2] or "").strip()
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    file, before = Path(path).resolve(), sys.path[:]
    root = next(folder for folder in file.parents if not (folder / "__init__.py").is_file())
    sys.path[:0] = [str(file.parent), str(root)]  # for imports of neighbouring files, as with `python file.py`
    try:
        if root == file.parent:
            namespace = runpy.run_path(path)
        else:  # part of a package, where `from .layers import *` must work
            namespace = vars(importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts)))
        yield _evaluate(path, expression, namespace)
    except SystemExit as error:
        raise ValueError(f"{path} exits when it is run: {error}") from None
    except Exception as error:
        raise ValueError(_one_line(error, file, root, expression)) from error
    finally:
        sys.path[:] = before


def _evaluate(path: str, expression: str, namespace: dict[str, Any]) -> Any:
    problem = f"expected {path}:EXPRESSION"
    try:
        if expression:
            return eval(compile(expression, "<expression>", "eval"), namespace)
    except SyntaxError as error:
        raise ValueError(f"{expression!r} is not a Python expression: {error.msg}") from None
    except NameError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != "<expression>":
            raise
        problem = f"there is no {error.name} in {path}"
    found = _checkable(namespace)
    names = ", ".join(found[:12]) + ", ..." * (len(found) > 12) or "no function and no class"
    raise ValueError(f"{problem}; the file defines {names}")


def _checkable(namespace: dict[str, Any]) -> list[str]:
    """Return expressions for what the file defines that looks like a forward and a backward pass."""
    own = {n: v for n, v in namespace.items() if getattr(v, "__module__", None) == namespace["__name__"]}
    functions = [n for n, v in own.items() if inspect.isfunction(v)]
    stem = {n: re.sub(f"{FORWARD.pattern}|{BACKWARD.pattern}|_", "", n) for n in functions}
    backward = list(filter(BACKWARD.search, functions))
    pairs = [(f, b) for b in backward for f in functions if stem[f] == stem[b] and f not in backward]
    layers = [n for n, v in own.items() if any(map(FORWARD.search, dir(v))) and any(map(BACKWARD.search, dir(v)))]
    losses = [f"{n}(...).loss" if isinstance(v, type) else f"{n}.loss" for n, v in own.items() if hasattr(v, "loss")]
    alone = [n for n in functions if LOSS.search(n) and not any(n in pair for pair in pairs)]
    return layers + [f"'{f}, {b}'" for f, b in pairs] + losses + alone or list(own)


def _one_line(error: Exception, file: Path, root: Path, expression: str) -> str:
    """Return the error's message, with the innermost line of the user's own code."""
    words = (str(error).splitlines() or [""])[0]
    named = f"{type(error).__name__}: {words}"
    for raised, message in ((error, named), (error.__cause__, words)):
        for frame in reversed(traceback.extract_tb(raised.__traceback__ if raised else None)):
            place = Path(frame.filename).resolve()
            own = place.is_file() and root in place.parents and not any(lib in place.parents for lib in LIBRARIES)
            if own or place == file:
                return f"{message} ({frame.filename}, line {frame.lineno})"
            if frame.filename == "<expression>":
                return f"{expression!r}: {message}"
    return words if isinstance(error, TypeError | ValueError) and not isinstance(error, UnicodeError) else named
