"""The result of gradcheck, as numbers and as text."""

from __future__ import annotations

import math
import os
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from numpy_rnn.display.html import escape, paragraph, table
from numpy_rnn.gradient_checking.experiment import Experiment
from numpy_rnn.gradient_checking.lines.explain import Explained, explain
from numpy_rnn.gradient_checking.lines.lines import Line, Suspect, annotated
from numpy_rnn.gradient_checking.page import backward_page
from numpy_rnn.gradient_checking.plot import plot
from numpy_rnn.gradient_checking.subjects.state import kept_randomness
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["GradcheckReport"]

WIDTH = 118


@dataclass
class GradcheckReport:
    """The tensors, the side effects, and the method; `str(report)` is the report as text."""

    label: str
    experiment: Experiment | None  # None: nothing could be judged
    tensors: dict[str, TensorReport]
    faults: list[str]
    notes: list[str]

    @property
    def suspect(self) -> Suspect | None:
        """The line of backward that is probably wrong; None if all gradients are right, or no line can be named."""
        return self.explained.suspect if self._with("WRONG", "SHAPE") else None

    @property
    def lines(self) -> list[Line]:
        """Which gradient each line of backward computes."""
        return self.explained.lines

    def annotated(self) -> str:
        """Return the source of backward, with the gradient that each line computes as a comment."""
        return (
            annotated(self.lines, self.functions[1])
            or self.explained.note
            or "no line of backward computes a known gradient"
        )

    @property
    def functions(self) -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]]:
        """The functions of forward and of backward that ran: file, first line, last line."""
        return self.explained.functions

    @cached_property
    def explained(self) -> Explained:
        """What the debugger finds: it runs forward and backward once more, when it is first asked."""
        if self.experiment is None:
            return Explained(note=f"no line is named: {self.label} cannot be judged")
        with kept_randomness():
            try:
                return explain(self.experiment, self.tensors)
            except Exception as error:  # the verdicts must not depend on it
                return Explained(note=f"no line is named: {type(error).__name__}: {error}")

    @property
    def ok(self) -> bool:
        compared = any(tensor.checked_numeric.size for tensor in self.tensors.values())
        return compared and not self.faults and all(tensor.ok for tensor in self.tensors.values())

    @property
    def method(self) -> str:
        return self.experiment.method if self.experiment else "none"

    def plot(self, target: Any = None) -> Any:
        """Draw analytic against numeric, the error's places, and the error against the step; see `plot`.

        Needs matplotlib, the extra 'plot'.
        """
        if self.experiment is None:
            raise ValueError(f"there is nothing to draw: {self.label} cannot be judged")
        return plot(self.label, self.tensors, self.experiment, target)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write a web page that shows forward and backward, and which gradient each line of backward computes."""
        Path(path).write_bytes(backward_page(self).encode())

    def __str__(self) -> str:
        if not self.tensors:
            return "\n\n".join([self._headline(), *map(_wrap, self._sentences())])
        rows = self._table()
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        suspect = [str(self.suspect)] if self.suspect else []
        blocks = [self._headline(), *suspect, "\n".join(lines), *self._profiles(), *map(_wrap, self._sentences())]
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        header, *rows = self._table()
        profiles = [f"<pre>{escape(profile)}</pre>" for profile in self._profiles()]
        sentences = [paragraph(sentence) for sentence in self._sentences()]
        suspect = [f"<pre>{escape(str(self.suspect))}</pre>"] if self.suspect else []
        return "\n".join([paragraph(self._headline()), *suspect, table(header, rows), *profiles, *sentences])

    def _profiles(self) -> list[str]:
        return [profile for tensor in self.tensors.values() if (profile := _profile(tensor))]

    def _sentences(self) -> list[str]:
        """Return one sentence for what the numbers of some tensors show, one if no line is named, one per fault."""
        names: dict[str, list[str]] = {}
        for tensor in self.tensors.values():
            if tensor.diagnosis:
                names.setdefault(tensor.diagnosis, []).append(tensor.name)
        said = [f"{', '.join(tensors)}: {diagnosis}" for diagnosis, tensors in names.items()]
        if close := self._with("CLOSE"):
            rtol = 10.0 ** (1 - min(tensor.digits for tensor in close))
            said.append(
                "Differences of this size come from an epsilon, as in log(p + 1e-7), or from float32 in backward; "
                f"rtol={rtol:.0e} (--rtol {rtol:.0e}) accepts them"
            )
        if self._with("WRONG", "SHAPE") and not self.suspect:
            said.append(
                self.explained.note or "no line is named: no small change of one line makes all gradients right"
            )
        return said + [f"fault: {fault}" for fault in self.faults]

    def _with(self, *verdicts: str) -> list[TensorReport]:
        return [tensor for tensor in self.tensors.values() if tensor.verdict in verdicts]

    def _headline(self) -> str:
        if self.experiment is None:
            return f"gradcheck of {self.label}: it cannot be judged"
        lines = [
            f"gradcheck of {self.label}: {self._verdict()}",
            f"  method: {self.method} ({self.experiment.reason})",
        ]
        checked = [tensor for tensor in self.tensors.values() if tensor.verdict != "NO GRADIENT"]
        directional = [tensor.name for tensor in checked if tensor.coordinates is None]
        sampled = [t.name for t in checked if t.coordinates is not None and len(t.coordinates) < math.prod(t.shape)]
        coverage = [f"{', '.join(directional)} along random directions"] if directional else []
        if sampled:
            coverage.append(f"{', '.join(sampled)} along random directions and at a sample of elements")
        if len(directional) + len(sampled) < len(checked):
            coverage.append("every element" + (" of the others" if coverage else ""))
        if coverage:
            lines.append(f"  coverage: {'; '.join(coverage)}")
        lines += [f"  {note}" for note in dict.fromkeys(self.notes)]
        for tensor in self._with("NO GRADIENT"):
            lines.append(
                f"  {tensor.name} is not checked: forward depends on it, but there is no gradient. Return it, or set "
                f"d{tensor.name.rpartition('.')[2]}; if it is a constant: constants=[{tensor.name!r}] (--constant)"
            )
        if kinks := [tensor.name for tensor in self._with("KINKS")]:
            lines.append(
                f"  {', '.join(kinks)}: not differentiable where the derivative is not zero: choose other values"
            )
        for tensor in checked:
            if tensor.kinks.any():
                places = f"{int(tensor.kinks.sum())} of {len(tensor.kinks)} elements"
                lines.append(f"  {tensor.name} is not differentiable at {places}: left and right derivatives differ")
        for tensor in self._with("COARSE"):
            lines.append(f"  forward computes too coarsely to tell whether the gradient of {tensor.name} is right")
        for tensor in self._with("NOT FINITE"):
            lines.append(f"  the derivatives of {tensor.name} are not finite everywhere: choose other values")
        return "\n".join(_wrap(line, "    ") for line in lines)

    def _verdict(self) -> str:
        """Return the first line: what is wrong, or that all is right, and what is not checked."""
        missing = self._with("NO GRADIENT")
        checked = [tensor for tensor in self.tensors.values() if tensor not in missing]
        one = len(checked) == 1
        if wrong := self._with("WRONG", "SHAPE"):
            verdict = "its gradient is wrong" if one else f"{len(wrong)} of {len(checked)} gradients wrong"
        elif close := self._with("CLOSE"):
            what = "its gradient" if one else f"{len(close)} of {len(checked)} gradients"
            verdict = f"{what} agree{'s' * one} to {min(tensor.digits for tensor in close)} digits only"
        elif not any(tensor.checked_numeric.size for tensor in checked):
            none = ": there is no nonempty floating-point array to differentiate by"
            verdict = f"nothing was checked{'' if missing else none}"
        elif kinks := [tensor.name for tensor in self._with("KINKS", "COARSE", "NOT FINITE")]:
            verdict = f"{', '.join(kinks)} cannot be checked at this point"
        elif self.faults:
            who = "forward" if all(fault.startswith("forward") for fault in self.faults) else "backward"
            right = "its gradient is" if one else f"its {len(checked)} gradients are"
            verdict = f"{who} has side effects ({right} right)"
        else:
            verdict = "its gradient is right" if one else f"all {len(checked)} gradients right"
        if tiny := [tensor.name for tensor in checked if tensor.is_tiny]:
            verdict += f", {', '.join(tiny)} too small to check"
        return verdict + (f", BUT {', '.join(tensor.name for tensor in missing)} NOT CHECKED" if missing else "")

    def _table(self) -> list[list[str]]:
        """Return the header, and one row per tensor."""
        rows = [["tensor", "shape", "abs error", "rel error", "worst at", "backward", "numerical", "verdict"]]
        for t in self.tensors.values():
            row = [t.name, str(t.shape), "", "", "", "", "", t.verdict]
            if t.worst is not None and t.verdict in ("ok", "WRONG", "CLOSE"):
                place = "a direction" if t.worst_index is None else str(list(t.worst_index))
                numbers = [f"{t.checked_analytic[t.worst]: .9g}", f"{t.checked_numeric[t.worst]: .9g}"]
                row[2:7] = [f"{t.max_absolute_error:.1e}", f"{t.max_relative_error:.1e}", place, *numbers]
            if t.verdict == "SHAPE" and t.analytic is not None:
                row[7] = f"WRONG SHAPE {t.analytic.shape}"
            elif t.verdict == "CLOSE":
                row[7] = f"agrees to {t.digits} digits"
            elif t.verdict == "ok" and not t.checked_numeric.size:
                row[7] = "empty"
            rows.append(row)
        return rows


def _profile(tensor: TensorReport) -> str:
    """Return one line per time step (or group of steps, at most 16), with a bar for the logarithm of the error."""
    errors = tensor.error_by_time_step()
    if errors is None or len(errors) < 2 or tensor.verdict != "WRONG":
        return ""
    lines = [f"{tensor.name}, largest relative error by time step:"]
    groups = np.array_split(np.arange(len(errors)), min(len(errors), 16))
    for group in groups:
        error = float(errors[group].max())
        label = f"t = {group[0] + 1}" + (f" ... {group[-1] + 1}" if len(group) > 1 else "")
        length = round(2 * (math.log10(error) + 16)) if error > 1e-16 and math.isfinite(error) else 0
        lines.append(f"  {label:<13} {error:.0e}  {'#' * length}".rstrip())
    return "\n".join(lines)


def _wrap(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
