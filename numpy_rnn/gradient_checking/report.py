"""The result of gradcheck, as numbers and as text."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.display.html import escape, paragraph, table
from numpy_rnn.gradient_checking.experiment import Experiment
from numpy_rnn.gradient_checking.plot import plot
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["GradcheckReport"]

WIDTH = 118


@dataclass
class GradcheckReport:
    """The tensors, the side effects, and the method; `str(report)` is the report as text."""

    label: str
    experiment: Experiment
    tensors: dict[str, TensorReport]
    faults: list[str]
    seed: int
    unchecked: list[str]

    @property
    def ok(self) -> bool:
        compared = any(tensor.checked_numeric.size for tensor in self.tensors.values())
        return compared and not self.faults and all(tensor.ok for tensor in self.tensors.values())

    @property
    def method(self) -> str:
        return self.experiment.method

    def plot(self, target: Any = None) -> Any:
        """Draw analytic against numeric, the error's places, and the error against the step; see `plot`.

        Needs matplotlib, the extra 'plot'.
        """
        return plot(self.label, self.tensors, self.experiment, target)

    def __str__(self) -> str:
        rows = self._table()
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        blocks = [self._headline(), "\n".join(lines), *self._profiles(), *map(_wrap, self._sentences())]
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        header, *rows = self._table()
        profiles = [f"<pre>{escape(profile)}</pre>" for profile in self._profiles()]
        sentences = [paragraph(sentence) for sentence in self._sentences()]
        return "\n".join([paragraph(self._headline()), table(header, rows), *profiles, *sentences])

    def _profiles(self) -> list[str]:
        return [profile for tensor in self.tensors.values() if (profile := _profile(tensor))]

    def _sentences(self) -> list[str]:
        """Return one sentence per likely mistake, with its tensors, and one per fault."""
        names: dict[str, list[str]] = {}
        for tensor in self.tensors.values():
            if tensor.diagnosis:
                names.setdefault(tensor.diagnosis, []).append(tensor.name)
        likely = [f"{', '.join(tensors)}: {diagnosis}" for diagnosis, tensors in names.items()]
        return likely + [f"fault: {fault}" for fault in self.faults]

    def _headline(self) -> str:
        kinks = [tensor.name for tensor in self.tensors.values() if tensor.verdict == "KINKS"]
        wrong = [tensor for tensor in self.tensors.values() if tensor.verdict in ("WRONG", "SHAPE")]
        checked = [tensor for tensor in self.tensors.values() if tensor.verdict != "not checked"]
        if wrong:
            count = f"{len(wrong)} of {len(checked)} gradients wrong"
            verdict = count if len(checked) > 1 else "its gradient is wrong"
        elif not any(tensor.checked_numeric.size for tensor in checked):
            verdict = "nothing was checked: there is no nonempty floating-point array to differentiate by"
        elif self.faults:
            who = "forward" if all(fault.startswith("forward") for fault in self.faults) else "backward"
            right = f" (its {len(checked)} gradients are right)" if len(checked) > 1 else " (its gradient is right)"
            verdict = f"{who} has side effects{'' if kinks else right}"
        elif kinks:
            verdict = f"{', '.join(kinks)} cannot be checked at this point"
        else:
            verdict = f"all {len(checked)} gradients right" if len(checked) > 1 else "its gradient is right"
        if tiny := [tensor.name for tensor in checked if tensor.is_tiny]:
            verdict += f", {', '.join(tiny)} too small to check"
        if self.unchecked:
            verdict += f", BUT {', '.join(self.unchecked)} NOT CHECKED"
        lines = [f"gradcheck of {self.label}: {verdict}", f"  method: {self.method} ({self.experiment.reason})"]
        directional = [tensor.name for tensor in checked if tensor.coordinates is None]
        sampled = [t.name for t in checked if t.coordinates is not None and len(t.coordinates) < math.prod(t.shape)]
        coverage = [f"{', '.join(directional)} along random directions"] if directional else []
        if sampled:
            coverage.append(f"{', '.join(sampled)} along random directions and at a sample of elements")
        if len(directional) + len(sampled) < len(checked):
            coverage.append("every element" + (" of the others" if coverage else ""))
        if coverage:
            lines.append(f"  coverage: {'; '.join(coverage)}")
        if self.unchecked:
            names, first = ", ".join(self.unchecked), self.unchecked[0].rpartition(".")[2]
            lines.append(f"  not checked: {names}, which forward reads or replaces, but backward sets no d{first}")
        lines += [f"  {note}" for note in dict.fromkeys(self.experiment.notes)]
        if kinks:
            lines.append(
                f"  {', '.join(kinks)}: not differentiable where the derivative is not zero: choose other values"
            )
        for tensor in checked:
            if tensor.kinks.any():
                places = f"{int(tensor.kinks.sum())} of {len(tensor.kinks)} elements"
                lines.append(f"  {tensor.name} is not differentiable at {places}: left and right derivatives differ")
        return "\n".join(_wrap(line, "    ") for line in lines)

    def _table(self) -> list[list[str]]:
        """Return the header, and one row per tensor."""
        rows = [["tensor", "shape", "abs error", "rel error", "worst at", "backward", "numerical", "verdict"]]
        for t in self.tensors.values():
            row = [t.name, str(t.shape), "", "", "", "", "", t.verdict]
            if t.worst is not None and t.verdict in ("ok", "WRONG"):
                place = "a direction" if t.worst_index is None else str(list(t.worst_index))
                numbers = [f"{t.checked_analytic[t.worst]: .9g}", f"{t.checked_numeric[t.worst]: .9g}"]
                row[2:7] = [f"{t.max_absolute_error:.1e}", f"{t.max_relative_error:.1e}", place, *numbers]
            if t.verdict == "SHAPE":
                row[7] = "NO GRADIENT" if t.analytic is None else f"WRONG SHAPE {t.analytic.shape}"
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
