"""The debugger for backward passes: which line is wrong, and what every line computes."""

from __future__ import annotations

import ast
import linecache
import os
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from numpy_rnn.gradient_checking.experiment import Experiment
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.recorder import TooLarge
from numpy_rnn.gradient_checking.lines.suspect import find_suspect
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import CannotFollow, follow
from numpy_rnn.gradient_checking.lines.words import explanation, name_of, step_of
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["Explained", "Line", "Suspect", "annotated", "explain"]


@dataclass(frozen=True)
class Suspect:
    """The line of backward that is probably wrong.

    Attributes
    ----------
    filename, line, source
        Where it is, and its text.
    step : int or None
        The time step of forward, from 1 on, at which it is wrong first; None if the line runs only once.
    explanation : str
        What the line should compute.
    """

    filename: str
    line: int
    source: str
    step: int | None
    explanation: str

    def __str__(self) -> str:
        at = f", t = {self.step}" if self.step is not None else ""
        name = self.filename.removeprefix(str(Path.cwd()) + os.sep)
        rows = [f"suspect: line {self.line} of {name}{at}", ""]
        for number in range(max(1, self.line - 2), self.line + 3):
            source = linecache.getline(self.filename, number).rstrip()
            rows.append(f"{'>' if number == self.line else ' '} {number:4d} | {source}".rstrip())
            if number == self.line:
                indent = len(source) - len(source.lstrip())
                rows.append(f"       | {' ' * indent}{'^' * len(source.strip())}")
        words = textwrap.fill(
            self.explanation, 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        return "\n".join([*rows, "", words])


@dataclass(frozen=True)
class Line:
    """One line of backward: a gradient that it computes, and a verdict."""

    filename: str
    line: int
    source: str
    quantity: str  # the expression or the target of the assignment
    equals: str | None  # which gradient it is
    steps: tuple[int, ...]  # at which time steps of forward
    verdict: str  # "right", "wrong", "follows from a wrong one" or "not a gradient"


@dataclass
class Explained:
    suspect: Suspect | None = None
    lines: list[Line] = field(default_factory=list)
    note: str | None = None  # why nothing could be found out


def explain(experiment: Experiment, tensors: dict[str, TensorReport]) -> Explained:
    """Follow forward and backward operation by operation, and judge each line of backward."""
    with np.errstate(all="ignore"):
        try:
            judgement = Judgement(follow(experiment, tensors))
        except CannotFollow as reason:
            return Explained(note=f"no line is named: {reason}")
        except TooLarge:
            return Explained(
                note="no line is named: following every operation would take too long; use smaller shapes"
            )
        wrong = any(tensor.verdict in ("WRONG", "SHAPE") for tensor in tensors.values())
        suspect = _suspect(experiment, judgement) if wrong else None
        return Explained(suspect, _lines(judgement, suspect))


def _suspect(experiment: Experiment, j: Judgement) -> Suspect | None:
    found = find_suspect(j)
    if found is None:
        return None
    filename, line = found.line(j)
    step = step_of(j, found.target) if found.target is not None else None
    return Suspect(filename, line, linecache.getline(filename, line).strip(), step, explanation(j, found))


def _lines(j: Judgement, suspect: Suspect | None) -> list[Line]:
    lines = []
    for (number, _), operations in j.by_place.items():
        node = j.trace.nodes[number]
        shown = [o for o in operations if j.repair.influences(o)]
        if not shown or not j.is_visible(number):
            continue
        equal = [j.what[id(o)] for o in shown]
        known = [q for q in equal if q is not None]
        steps = {step_of(j, q) for q in known}
        source = linecache.getline(node.filename, node.line).strip()
        total = _sum(j, shown[-1])
        verdict = _verdict(j, shown, suspect, (node.filename, node.line))
        if total is not None and verdict == "not a gradient":
            verdict = "right"
        equals = name_of(j, known[0]) if known and verdict != "not a gradient" else None
        equals = f"adds up to {name_of(j, total)}" if total is not None else equals
        numbers = tuple(sorted(s for s in steps if s is not None))
        lines.append(Line(node.filename, node.line, source, node.text, equals, numbers, verdict))
    return sorted(lines, key=lambda line: (line.filename, line.line))


def _sum(j: Judgement, last: Operation) -> Quantity | None:
    """Return the gradient that a `+=` has completed when it is reached for the last time."""
    if last.part is None:
        return None
    whole = [q for q in j.quantities.matches(last.value) if q.kind == "total"]
    reached = j.repair.reached(last)
    return next((q for q in whole if q.name in reached), whole[0] if whole else None)


def _verdict(j: Judgement, operations: list[Operation], suspect: Suspect | None, place: tuple[str, int]) -> str:
    if suspect is not None and place == (suspect.filename, suspect.line):
        return "wrong"
    if all(map(j.is_right, operations)):
        return "right"
    if suspect is None or not any(map(j.is_unknown, operations)):
        return "not a gradient"
    return "follows from a wrong one"


def annotated(lines: list[Line]) -> str:
    """Return the functions that the lines belong to, each line with the gradient that it computes."""
    blocks = []
    for filename in dict.fromkeys(line.filename for line in lines):
        found: dict[int, list[str]] = {}
        for line in lines:
            if line.filename == filename and (note := _note(line)):
                found.setdefault(line.line, []).append(note)
        blocks.append(filename)
        for block in _functions(ast.parse("".join(linecache.getlines(filename)))):
            if any(number in found for number in block):
                rows = []
                for number in block:
                    text = f"{number:4d} | {linecache.getline(filename, number).rstrip()}"
                    notes = "; ".join(dict.fromkeys(found.get(number, [])))
                    rows.append(f"{text:<70}  # {notes}" if notes else text)
                blocks.append("\n".join(rows))
    return "\n\n".join(blocks)


def _functions(tree: ast.Module | ast.ClassDef) -> Iterator[range]:
    """Yield the line numbers of each statement, and of each statement in a class."""
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            yield from _functions(statement)
        else:
            yield range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _note(line: Line) -> str:
    if line.verdict in ("wrong", "follows from a wrong one"):
        return line.verdict
    return line.equals or ""
