"""numpy-rnn learn: a course of exercises, checked."""

from __future__ import annotations

import argparse
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from numpy_rnn.cli.output import check_output
from numpy_rnn.display.terminal import count, quote
from numpy_rnn.learn.course import Exercise, course, write_course, write_notebook
from numpy_rnn.learn.process import verdicts
from numpy_rnn.learn.report import LEVELS, as_csv, as_json, progress, report

__all__ = ["add"]

FOLDER = "course"
USAGE = "numpy-rnn learn [check | grade] [options] [DIR ...] [N]"


def add(commands: Any) -> None:
    command = commands.add_parser(
        "learn",
        usage=USAGE,
        help="learn backpropagation by writing it: exercises that name your mistake",
        description="Write a course of exercises into DIR (default: course). Existing files are never overwritten. "
        "`check` runs your code and explains the first exercise that is not done, or exercise N. `grade` prints a "
        "row for each student's folder. Both execute the code in these folders, in a process with limits on time and "
        "memory, but without protection from code that means harm.",
        examples=[
            "learn",
            "learn check --watch",
            "learn check course 7 --hint",
            "learn grade submissions/* > grades.csv",
            "learn --notebook course.ipynb",
        ],
    )
    command.add_argument("words", nargs="*", metavar="DIR", help="folder of the exercises")
    words = "show a hint for the first problem: LEVEL 1 or 2, and with 3 also the answer (default: 1)"
    command.add_argument(
        "--hint", type=int, choices=range(1, LEVELS + 1), nargs="?", default=0, const=1, metavar="LEVEL", help=words
    )
    command.add_argument("--watch", action="store_true", help="check again whenever a file is saved, until Ctrl-C")
    words = "write the exercises as one notebook instead, for Jupyter"
    command.add_argument("--notebook", metavar="FILE.ipynb", help=words)
    table = command.add_mutually_exclusive_group()
    table.add_argument(
        "--csv", action="store_true", help="grade: print comma-separated values, unless --json is given"
    )
    table.add_argument("--json", action="store_true", help="grade: print JSON, with the problem of each exercise")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.notebook is not None:
        return _write_notebook(arguments.notebook, arguments.words)
    action, *words = arguments.words or [FOLDER]
    wants_check, wants_grade = arguments.hint or arguments.watch, arguments.csv or arguments.json
    if (wants_check and action != "check") or (wants_grade and action != "grade"):
        raise ValueError("--hint and --watch belong to `learn check`, --csv and --json to `learn grade`")
    near = get_close_matches(action, ("check", "grade"))
    if near and action not in near and action == Path(action).name and not Path(action).is_dir():
        raise ValueError(f"{action}: did you mean {near[0]}? For a folder with this name, write ./{action}")
    if action == "grade":
        return _grade(words, arguments.json)
    if action == "check":
        number = int(words.pop()) if words and words[-1].isdigit() and not Path(words[-1]).is_dir() else None
    elif not words:
        return _write(Path(action))
    if len(words) > 1 or action != "check":
        raise ValueError(f"expected one folder, got {' '.join(arguments.words)}; usage: {USAGE}")
    chosen = course()
    folder = Path(words[0] if words else "." if Path(chosen[0].filename).exists() else FOLDER)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: `numpy-rnn learn {quote(str(folder))}` writes the exercises")
    if number is not None:
        if not 1 <= number <= len(chosen):
            raise ValueError(f"N must be the number of an exercise, from 1 to {len(chosen)}, got {number}")
        chosen = [chosen[number - 1]]
    if arguments.watch:
        return _watch(folder, chosen, arguments.hint)
    return _check(folder, chosen, arguments.hint)


def _write(folder: Path) -> int:
    written = write_course(folder)
    kept = len(course()) - len(written)
    if kept:
        were = "was" if kept == 1 else "were"
        print(f"{quote(str(folder))}: {count(kept, 'exercise')} {were} there before, left unchanged")
    if written:
        print(f"{quote(str(folder))}: {count(len(written), 'exercise')} written, from {written[0]} on")
    print(f"Run `numpy-rnn learn check {quote(str(folder))} --watch`, and edit the exercise that it names.")
    return 0


def _write_notebook(path: str, words: list[str]) -> int:
    check_output("--notebook", path)
    if words or Path(path).suffix != ".ipynb" or Path(path).exists():
        raise ValueError(f"--notebook must name a new file that ends in .ipynb, and no folder, got {path!r}")
    write_notebook(Path(path))
    print(f"{quote(path)}: {len(course())} exercises")
    return 0


def _check(folder: Path, chosen: list[Exercise], hint: int) -> int:
    """Show the first exercise that is not done; return 1 if there is one."""
    wrong = next((verdict for verdict in verdicts(folder, chosen) if not verdict.ok), None)
    done = [exercise for exercise in chosen if not wrong or exercise.number < wrong.number]
    if len(chosen) > 1:
        print(progress(len(done), len(chosen)))
    if wrong is None:
        print(f"{chosen[0].title}: done" if len(chosen) == 1 else "All exercises are done.")
        return 0
    print(report(folder, chosen[len(done)], wrong, hint))
    return 1


def _watch(folder: Path, chosen: list[Exercise], hint: int) -> int:
    before: dict[Path, float] = {}
    while True:
        now = {path: path.stat().st_mtime for path in folder.glob("*.py")}
        if now != before:
            print("\x1b[2J\x1b[H" if before else "", end="")
            if not _check(folder, chosen, hint):
                return 0
            print("\nWaiting for a file to be saved (Ctrl-C ends this) ...", flush=True)
        before = now
        time.sleep(0.5)


def _grade(folders: list[str], wants_json: bool) -> int:
    if not folders:
        raise ValueError("learn grade needs the folders of the students, such as submissions/*")
    for folder in folders:
        if not Path(folder).exists():
            raise ValueError(f"there is no folder {folder}")
    left_out = [folder for folder in folders if not Path(folder).is_dir()]  # such as a README in submissions/*
    if left_out:
        print(f"numpy-rnn: left out, not a folder: {', '.join(left_out)}", file=sys.stderr)
        folders = [folder for folder in folders if folder not in left_out]
    print(f"running the code in {count(len(folders), 'folder')}", file=sys.stderr)
    grades = {folder: list(verdicts(Path(folder), course(), explain=False)) for folder in folders}
    print(as_json(grades) if wants_json else as_csv(grades))
    return 0
