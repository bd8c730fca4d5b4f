"""What `numpy-rnn learn check` prints: the bar over the course, what is right, the problem, and hints."""

from __future__ import annotations

import textwrap
from pathlib import Path

from numpy_rnn.learn.course import Exercise
from numpy_rnn.learn.judge import Verdict

__all__ = ["progress", "report"]

WIDTH = 118


def progress(done: int, count: int) -> str:
    return f"[{'#' * done}{'.' * (count - done)}] {done} of {count} exercises done"


def report(folder: Path, exercise: Exercise, verdict: Verdict, hint: int | None) -> str:
    """Return the report on an exercise that is not done; `hint` is the level of the last hint to show."""
    blocks = [f"{exercise.title} ({folder / exercise.filename})"]
    right = [f"{', '.join(labels)} of {function}" for function, labels in verdict.right.items()]
    if right:
        blocks.append(f"right already: {'; '.join(right)}")
    blocks.append(_wrap(f"{verdict.function}: " * bool(verdict.function) + verdict.problem))
    if verdict.explanation:
        blocks.append(verdict.explanation)
    hints = exercise.hints(verdict.function)
    names = [f"hint {level}: " for level in range(1, len(hints))] + ["the answer:\n\n"]
    for name, text in list(zip(names, hints, strict=False))[: hint or 0]:
        blocks.append(_wrap(name + text) if "\n" not in name else name + textwrap.indent(text, "    "))
    if (hint or 0) < len(hints):
        level = f" {hint + 1}" if hint else ""
        blocks.append(f"For a hint: numpy-rnn learn check {folder} {exercise.number} --hint{level}")
    return "\n\n".join(blocks)


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)
