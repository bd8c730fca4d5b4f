"""Try a slip: do the tests fail, does gradcheck fail on the right tensors, are line and cause named?"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

import numpy_rnn as nr
from tests.mistakes.pieces import red_test, subject
from tests.mistakes.slip import applied, changed_lines

__all__ = ["Outcome", "try_slip"]


@dataclass(frozen=True)
class Outcome:
    red: str | None  # the test that failed
    found: bool | None  # gradcheck fails, on the right tensors; None: there is no backward pass
    line: bool | None  # and names the line; None: no gradient is wrong
    named: bool | None  # and says why
    report: str


def try_slip(slip):
    with applied(slip, nr), np.errstate(all="ignore"):
        red = red_test(slip.piece)
        arguments = subject(slip.piece)
        if arguments is None:
            return Outcome(red, None, None, None, "")
        report = nr.gradcheck(*arguments)
        suspect, text = report.suspect, str(report)  # which run backward again
    wrong = {name for name, tensor in report.tensors.items() if not tensor.ok}
    found = not report.ok and wrong == slip.wrong
    is_line = suspect is not None and suspect.filename == slip.filename and suspect.line in changed_lines(slip)
    said = [report.tensors[name].diagnosis or "" for name in slip.wrong] or [" ".join(report.faults)]
    explained = is_line and re.search(slip.words, suspect.explanation)
    named = bool(explained) or all(re.search(slip.words, words) for words in said)
    return Outcome(red, found, is_line if slip.wrong else None, found and named, text)
