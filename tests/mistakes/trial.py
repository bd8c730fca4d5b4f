"""Try a slip: do the tests fail, does gradcheck fail on the right tensors, and does it name the cause?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import numpy_rnn as nr
from tests.mistakes.pieces import red_test, subject
from tests.mistakes.slip import applied

__all__ = ["Outcome", "try_slip"]


@dataclass(frozen=True)
class Outcome:
    red: str | None  # the test that failed
    found: bool | None  # gradcheck fails, on the right tensors; None: there is no backward pass
    named: bool | None  # and says why; None: no diagnosis exists
    report: str


def try_slip(slip):
    with applied(slip, nr), np.errstate(all="ignore"):
        red = red_test(slip.piece)
        arguments = subject(slip.piece)
        if arguments is None:
            return Outcome(red, None, None, "")
        report = nr.gradcheck(*arguments)
    wrong = {name for name, tensor in report.tensors.items() if not tensor.ok}
    found = not report.ok and wrong == slip.wrong
    if slip.words is None:
        return Outcome(red, found, None, str(report))
    said = [report.tensors[name].diagnosis or "" for name in slip.wrong] or [" ".join(report.faults)]
    return Outcome(red, found, all(slip.words in words for words in said), str(report))
