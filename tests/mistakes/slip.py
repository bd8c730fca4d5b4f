"""A slip: one line of our own code, exchanged for the one that people write by mistake."""

from __future__ import annotations
import __future__

import contextlib
import inspect
import textwrap
from dataclasses import dataclass
from operator import attrgetter

__all__ = ["Slip", "applied"]


@dataclass(frozen=True)
class Slip:
    """`old` in the source of `function`, once, becomes `new`.

    piece names what is tested and checked (see `pieces`), wrong the tensors whose gradients are then wrong, words
    what the diagnosis of each of them, or the fault that is reported, must say; None: no diagnosis exists.
    """

    name: str
    piece: str
    function: str
    old: str
    new: str
    wrong: frozenset[str] = frozenset()
    words: str | None = None


@contextlib.contextmanager
def applied(slip, root):
    """Put the slip into place for the time of a with statement; `root` is where the path to the function starts."""
    path, _, name = slip.function.rpartition(".")
    owner = attrgetter(path)(root) if path else root
    right = getattr(owner, name)
    source = inspect.getsource(right)
    count = source.count(slip.old)
    if count != 1:
        raise LookupError(f"{slip.name}: {slip.function} holds {slip.old!r} {count} times, expected once: adapt it")
    annotations = __future__.annotations.compiler_flag
    wrong = textwrap.dedent(source.replace(slip.old, slip.new))
    code = compile(wrong, f"<{slip.name}>", "exec", annotations, dont_inherit=True)
    namespace = dict(inspect.unwrap(right).__globals__)
    exec(code, namespace)
    setattr(owner, name, namespace[name])
    try:
        yield
    finally:
        setattr(owner, name, right)
