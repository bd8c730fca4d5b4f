"""What is reported about a line of backward, and how it is printed."""

from __future__ import annotations

import linecache
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Line", "Place", "Suspect", "annotated"]


@dataclass(frozen=True)
class Place:
    """Characters `start` to `end` of a line."""

    filename: str
    line: int
    start: int
    end: int
    text: str


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
        What the line should compute, and what is wrong.
    """

    filename: str
    line: int
    source: str
    step: int | None
    explanation: str

    def __str__(self) -> str:
        at = f", t = {self.step}" if self.step is not None else ""
        rows = [f"suspect: line {self.line} of {relative(self.filename)}{at}", ""]
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
    """One line of backward, and a quantity that it computes.

    Attributes
    ----------
    filename, line, source
        Where it is, and its text.
    quantity : str
        The target of the assignment, or the expression.
    equals : str or None
        The gradient that this is.
    steps : tuple of int
        The time steps of forward, from 1 on, whose gradients it computes; empty if it runs once.
    verdict : {"right", "wrong", "follows from a wrong one", "not a gradient"}
    forward : tuple of Place
        The expressions in forward whose gradient it is, or should be.
    """

    filename: str
    line: int
    source: str
    quantity: str
    equals: str | None
    steps: tuple[int, ...]
    verdict: str
    forward: tuple[Place, ...]


def annotated(lines: list[Line], functions: list[tuple[str, int, int]]) -> str:
    """Return the source of functions, each line with the gradient that it computes as a comment."""
    notes: dict[tuple[str, int], list[str]] = {}
    for line in lines:
        is_wrong = line.verdict in ("wrong", "follows from a wrong one")
        others = [o for o in lines if (o.filename, o.line, o.quantity) == (line.filename, line.line, line.quantity)]
        when = f" at t = {ranges(line.steps)}" if line.steps and {o.verdict for o in others} > {line.verdict} else ""
        if note := line.verdict if is_wrong else line.equals:
            notes.setdefault((line.filename, line.line), []).append(note + when)
    blocks = []
    for filename, first, last in functions:
        rows = []
        for number in range(first, last + 1):
            text = f"{number:4d} | {linecache.getline(filename, number).rstrip()}"
            note = "; ".join(dict.fromkeys(notes.get((filename, number), [])))
            rows.append(f"{text:<70}  # {note}" if note else text)
        blocks.append("\n".join(rows))
    names = dict.fromkeys(relative(filename) for filename, *_ in functions)
    return "\n\n".join([*names, *blocks])


def ranges(steps: tuple[int, ...]) -> str:
    """Return `1 to 4` for consecutive steps, otherwise `1, 3`."""
    consecutive = len(steps) > 2 and steps[-1] - steps[0] == len(steps) - 1
    return f"{steps[0]} to {steps[-1]}" if consecutive else ", ".join(map(str, steps))


def relative(filename: str) -> str:
    """Return a file name without the folder that one is in."""
    return filename.removeprefix(str(Path.cwd()) + os.sep)
