"""`numpy-rnn learn grade`: one row for each student's folder."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from numpy_rnn.learn.course import course
from numpy_rnn.learn.judge import Verdict
from numpy_rnn.learn.process import verdicts

__all__ = ["as_csv", "as_json", "grade"]

Row = tuple[str, list[Verdict]]


def grade(folder: Path) -> Row:
    """Judge all exercises of a folder. This runs the code in it."""
    return folder.resolve().name, list(verdicts(folder, course(), show_output=False))


def as_csv(rows: list[Row]) -> str:
    """Return a table: the folder's name, the number of exercises done, and 1 or 0 for each exercise."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "done", *(exercise.name for exercise in course())])
    for name, found in rows:
        writer.writerow([name, sum(v.ok for v in found), *(int(v.ok) for v in found)])
    return out.getvalue().rstrip("\n")


def as_json(rows: list[Row]) -> str:
    """Return the same with the problem of each exercise that is not done."""
    names = [exercise.name for exercise in course()]
    return json.dumps(
        [
            {
                "student": name,
                "done": sum(v.ok for v in found),
                "exercises": {e: {"ok": v.ok, "problem": v.problem} for e, v in zip(names, found, strict=True)},
            }
            for name, found in rows
        ],
        indent=2,
    )
