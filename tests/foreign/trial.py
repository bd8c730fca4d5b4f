"""Try a slip: does nr.gradcheck fail on the right tensors, and does it name the faulty line and the mistake?"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass

import numpy as np

import numpy_rnn as nr
from tests.foreign.gradients import backward_gradients
from tests.foreign.points import arguments
from tests.foreign.slip import changed

__all__ = ["Outcome", "all_right", "right_layer", "try_slip", "wrong_tensors"]


@dataclass(frozen=True)
class Outcome:
    found: bool  # gradcheck fails, on exactly the wrong tensors
    line: bool  # report.suspect is on the changed line
    explained: bool  # and its explanation has the words of the slip
    report: str


def try_slip(slip, lines=True):
    """Check the layer with the slip; without `lines`, no line is looked for, which takes up to three seconds."""
    with changed(slip) as (module, line), np.errstate(all="ignore"):
        report = nr.gradcheck(*arguments(slip.layer, module))
        suspect, text = (report.suspect, str(report)) if lines else (None, "")
    wrong = {name for name, tensor in report.tensors.items() if not tensor.ok}
    named = suspect is not None and suspect.line == line
    words = slip.words.split(" & ") if slip.words else []
    explained = named and all(re.search(word, suspect.explanation or "", re.IGNORECASE) for word in words)
    return Outcome(not report.ok and wrong == slip.wrong, named, explained, text)


def all_right(report):
    """Whether backward could be followed, and the debugger finds no line of it wrong."""
    known = {line.verdict for line in report.lines}
    is_zero = not any(tensor.checked_numeric.any() for tensor in report.tensors.values())  # relu lets nothing through
    found = is_zero or "right" in known
    return report.explained.note is None and found and known <= {"right", "not a gradient"}


def right_layer(layer):
    """Return the module of the layer without a mistake."""
    return importlib.import_module(f"tests.foreign.layers.{layer}")


def wrong_tensors(slip):
    """Name the tensors whose gradients differ from those of the right file."""
    right = backward_gradients(*arguments(slip.layer, right_layer(slip.layer)))
    with changed(slip) as (module, _), np.errstate(all="ignore"):
        wrong = backward_gradients(*arguments(slip.layer, module))
    assert right.keys() == wrong.keys()
    return {name for name in right if not np.allclose(right[name], wrong[name], rtol=1e-9, atol=1e-12)}
