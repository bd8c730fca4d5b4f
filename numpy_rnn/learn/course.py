"""The exercises, and the files that are made from them: what a student gets, hints, and solutions.

A file in exercises/ is a solution. What a student writes is between `# answer` and `# end`, with two hints, and with
what the student starts from in `# stub:` comments unless that is an empty place. What follows `# check` is for the
check alone: the arguments to try, and the usual slips, each with the words that explain it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = ["Exercise", "course", "write_course", "write_notebook"]

PACKAGE = "numpy_rnn.learn.exercises"
ANSWER = re.compile(r"^( *)# answer\n(.*?)^ *# end\n", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^ *# (hint|stub): ?(.*)\n", re.MULTILINE)
TO_DO = "raise NotImplementedError  # replace this line with your code"


@dataclass(frozen=True)
class Exercise:
    number: int
    name: str  # of its module
    source: str

    @property
    def filename(self) -> str:
        return f"{self.name}.py"

    @property
    def title(self) -> str:
        return self.question.partition("\n")[0]

    @property
    def question(self) -> str:
        return self.source.split('"""')[1]

    @cached_property
    def module(self) -> ModuleType:
        """The solution, as a module."""
        return import_module(f"{PACKAGE}.{self.name}")

    def stub(self) -> str:
        """Return the file that a student gets."""
        return self._written(lambda answer: [text for kind, text in COMMENT.findall(answer[2]) if kind == "stub"])

    def solution(self) -> str:
        """Return that file with the answers filled in."""
        return self._written(lambda answer: _answer(answer).splitlines())

    def hints(self, function: str) -> list[str]:
        """Return what `--hint` shows for a function, one level after the other; the last one is the answer."""
        for answer in ANSWER.finditer(self.source):
            names = re.findall(r"^def (\w+)", self.source[: answer.start()], re.MULTILINE)
            if names[-1:] == [function]:
                return [text for kind, text in COMMENT.findall(answer[2]) if kind == "hint"] + [_answer(answer)]
        return []

    def _written(self, lines_of: Callable[[re.Match[str]], list[str]]) -> str:
        text = self.source.partition("\n\n\n# check\n")[0] + "\n"
        filled = ANSWER.sub(
            lambda a: "".join(f"{a[1]}{line}".rstrip() + "\n" for line in lines_of(a) or [TO_DO]), text
        )
        return filled.replace(f"{PACKAGE}.", "")  # a student's files import each other


def course() -> list[Exercise]:
    """Return all exercises, in their order."""
    paths = sorted((Path(__file__).parent / "exercises").glob("ex*.py"))
    return [Exercise(int(path.stem[2:4]), path.stem, path.read_text(encoding="utf-8")) for path in paths]


def write_course(folder: Path) -> list[str]:
    """Write the exercises that a folder lacks; return their names. What is there already is not touched."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for exercise in course():
        try:
            with open(folder / exercise.filename, "x", encoding="utf-8") as file:
                file.write(exercise.stub())
        except FileExistsError:
            continue
        written.append(exercise.filename)
    return written


def write_notebook(path: Path, solved: bool = False) -> None:
    """Write the exercises as a notebook: each is a cell that writes its file, and a cell that checks it."""
    folder = path.stem
    cells = [f'from pathlib import Path\n\nfrom numpy_rnn.cli import main\n\nPath("{folder}").mkdir(exist_ok=True)']
    for e in course():
        cells.append(f"%%writefile {folder}/{e.filename}\n{e.solution() if solved else e.stub()}".rstrip())
        cells.append(f'main(["learn", "check", "{folder}", "{e.number}"])  # for a hint, add "--hint", "1"')
    code: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{i}",
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for i, text in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    with open(path, "x", encoding="utf-8") as file:
        json.dump(notebook, file, indent=1)


def _answer(answer: re.Match[str]) -> str:
    return re.sub(f"(?m)^{answer[1]}", "", COMMENT.sub("", answer[2])).rstrip()
