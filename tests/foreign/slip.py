"""A slip: a change of one line of a layer's file. The changed copy is written to a temporary file and imported."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LAYERS", "Slip", "changed", "slips"]

LAYERS = Path(__file__).parent / "layers"


@dataclass(frozen=True)
class Slip:
    """In the file of the layer, `old`, which occurs once and is within one line, becomes `new`.

    wrong names the tensors whose gradients are then wrong. words are regular expressions joined by " & ": an
    explanation is right if each of them is found in it. None: any explanation will do.
    """

    layer: str
    name: str
    old: str
    new: str
    wrong: frozenset[str]
    words: str | None = None

    def __str__(self):
        return f"{self.layer}: {self.name}"


def slips(layer, table, **groups):
    """Build the slips of one layer; a row is name, old, new, wrong (or the name of a group of tensors), words."""
    for name, old, new, wrong, words in table:
        yield Slip(layer, name, old, new, frozenset(groups.get(wrong, wrong).split()), words)


@contextlib.contextmanager
def changed(slip):
    """In a with statement, import the layer with the slip. Yield the module, and the number of the changed line."""
    source = (LAYERS / f"{slip.layer}.py").read_text()
    if source.count(slip.old) != 1 or "\n" in slip.old + slip.new:
        raise LookupError(f"{slip}: {slip.old!r} occurs {source.count(slip.old)} times, expected once, within a line")
    before, after = source.split(slip.old)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{slip.layer}.py"
        path.write_text(before + slip.new + after)
        spec = importlib.util.spec_from_file_location(f"slip_{slip.layer}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # inspect.getsource looks a class up here
        try:
            spec.loader.exec_module(module)
            yield module, before.count("\n") + 1
        finally:
            del sys.modules[spec.name]
