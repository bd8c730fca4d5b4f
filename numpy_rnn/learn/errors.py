"""What a student's file raises, in one line: where, and the shapes of the arrays in that line."""

from __future__ import annotations

import linecache
import re
import traceback
from pathlib import Path

import numpy as np

__all__ = ["Problem", "TimeUp", "caret", "describe"]


class Problem(Exception):
    """What is wrong with a function, in one line."""


class TimeUp(BaseException):
    """Not an Exception, so that `except Exception` in a student's loop does not catch it."""


def describe(error: BaseException, folder: Path) -> str:
    """Return one line about an error, with the innermost line of a file in `folder` that raised it."""
    words = re.sub(r"^matmul: .*", "matmul: the shapes do not fit", (str(error).splitlines() or [""])[0])
    if isinstance(error, Problem):
        return words
    if isinstance(error, SyntaxError):
        source, name = (error.text or "").strip(), Path(error.filename or "").name
        return f"line {error.lineno} of {name}, `{source}`: {error.msg}"
    where = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.parent == folder:
            source = linecache.getline(str(path), number).strip()
            values = {name: frame.f_locals.get(name) for name in re.findall(r"[^\W\d]\w*", source)}
            shapes = [f"{name} is {x.shape}" for name, x in values.items() if isinstance(x, np.ndarray)]
            where = f"line {number} of {path.name}"
            shown = f"{where}, `{source}`" + f", where {', '.join(shapes)}" * bool(shapes)
    if not where:
        return f"{type(error).__name__}: {words}"
    if isinstance(error, NotImplementedError):
        return f"not written yet: replace {where} with your code"
    if isinstance(error, TimeUp):
        return f"{where}, `{source}`: stopped after {words} seconds; is this an endless loop?"
    if isinstance(error, MemoryError):
        return f"{where}, `{source}`: not enough memory" + f": {words}" * bool(words)
    return f"{type(error).__name__}: {words} ({shown})"


def caret(error: BaseException) -> str:
    """Return the line of a syntax error and, below it, a caret where it is."""
    lines = traceback.format_exception_only(error)[1:-1] if isinstance(error, SyntaxError) else []
    return "".join(lines).rstrip()
