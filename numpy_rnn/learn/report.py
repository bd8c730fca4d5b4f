"""What `numpy-rnn learn` prints: the report on an exercise with hints, and the table of `grade`."""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from pathlib import Path

from numpy_rnn.display.terminal import quote
from numpy_rnn.learn.course import Exercise, course
from numpy_rnn.learn.judge import Verdict
from numpy_rnn.learn.values import listed

__all__ = ["as_csv", "as_json", "progress", "report"]

LEVELS = 3
Grades = dict[str, list[Verdict]]  # by the student's folder


def progress(done: int, count: int) -> str:
    return f"[{'#' * done}{'.' * (count - done)}] {done} of {count} exercises done"


def report(folder: Path, exercise: Exercise, verdict: Verdict, hint: int = 0) -> str:
    """Return the report on an exercise that is not done, with hints up to a level."""
    blocks = [f"{exercise.title} ({quote(str(folder / exercise.filename))})"]
    if verdict.right:
        right = [f"{listed(labels)} of {function}" for function, labels in verdict.right.items()]
        blocks.append(f"right already: {'; '.join(right)}")
    named = not verdict.function or re.search(rf"\b{verdict.function}\b", verdict.problem)
    blocks.append(verdict.problem if named else f"{verdict.function}: {verdict.problem}")
    blocks += [verdict.explanation] * bool(verdict.explanation)
    labels = re.findall(r"\([A-Z]+\d+\)", verdict.explanation.rpartition("\n\n")[2])
    equations = [line for line in exercise.question.splitlines() if line.strip().startswith(tuple(labels))]
    blocks += ["\n".join(equations)] * bool(equations)
    *hints, answer = exercise.hints(verdict.function) or [""]
    right = verdict.right.get(verdict.function, [])
    hints = [text for text in hints if not _names(text, right) or _names(text, verdict.wrong)]
    blocks += [f"hint {level}: {text}" for level, text in enumerate(hints[:hint], 1)]
    if hint == LEVELS and answer:
        about = re.compile("|".join(map(re.escape, labels)) or "|".join(rf"^ *{name}\b.*=" for name in verdict.wrong))
        lines = [line for line in answer.splitlines() if about.search(line)] if labels or right else []
        blocks.append("the answer:\n\n" + textwrap.indent("\n".join(lines) or answer, "    "))
    elif answer:
        level = hint + 1 if hint < len(hints) else LEVELS
        blocks.append(f"For a hint: numpy-rnn learn check {quote(str(folder))} {exercise.number} --hint {level}")
    as_it_is = (blocks[0], *equations)
    wrapped = [
        b
        if "\n" in b or b in as_it_is or b.startswith("For a hint")
        else textwrap.fill(b, 118, break_on_hyphens=False)
        for b in blocks
    ]
    return "\n\n".join(wrapped)


def _names(text: str, results: list[str]) -> bool:
    """Whether a hint is about one of these results: it names dW, or an element such as dW_ij."""
    return any(re.search(rf"\b{re.escape(name)}(_ij?)?(?!\w)", text) for name in results)


def as_csv(grades: Grades) -> str:
    """Return a table: the student, the number of exercises done, and 1 or 0 for each exercise."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "done", *(exercise.name for exercise in course())])
    writer.writerows([name, sum(v.ok for v in found), *(int(v.ok) for v in found)] for name, found in grades.items())
    return out.getvalue().rstrip("\n")


def as_json(grades: Grades) -> str:
    """Return the same with the problem of each exercise that is not done."""
    names, rows = [exercise.name for exercise in course()], []
    for name, found in grades.items():
        exercises = {e: {"ok": v.ok, "problem": v.problem} for e, v in zip(names, found, strict=True)}
        rows.append({"student": name, "done": sum(v.ok for v in found), "exercises": exercises})
    return json.dumps(rows, indent=2)
