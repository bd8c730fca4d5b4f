"""The walk of docs/walk.md: `python -m tests.documents.walk` runs its commands again and updates the page.

`python -m tests.documents.walk pictures` draws its pictures, and needs what `make test-browser` needs.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from numpy_rnn.cli import main
from numpy_rnn.learn.course import course
from tests.documents.which_line import ROOT, run

PAGE = ROOT / "docs" / "walk.md"
PICTURES = ROOT / "docs" / "figures" / "walk"
BLOCK = re.compile(r"```(console|python|diff)\n((?:.*\n)*?)```\n")
TEXT, STEP = "to be or not to be", 4  # what the student types on the page, and the step that the student selects
SEVENTH = course()[6]
EMPTY = "    raise NotImplementedError  # replace this line with your code\n"


def updated(page: str) -> str:
    """Return the page with what its commands print now, each run after what the student has done before."""
    with tempfile.TemporaryDirectory() as folder:
        return BLOCK.sub(lambda block: follow(block[1], block[2], Path(folder)), page)


def follow(kind: str, text: str, folder: Path) -> str:
    """Do what a block says: run a command, write the answer of exercise 7, or change lines of it."""
    path = folder / "course" / SEVENTH.filename
    if kind == "console":
        command = text.removeprefix("$ ").partition("\n")[0]
        output, tail = run(command, folder), text.partition("\n...\n")[2]
        if tail:  # the page shows the end of it
            output = "...\n" + "".join(output.splitlines(keepends=True)[-tail.count("\n") :])
        text = f"$ {command}\n{output}"
        if command == "numpy-rnn learn":  # the student does the first exercises
            for exercise in course()[: SEVENTH.number - 1]:
                (folder / "course" / exercise.filename).write_text(exercise.solution(), encoding="utf-8")
    elif kind == "python":
        change(path, EMPTY, text)
    else:
        old, new = (re.sub(f"(?m)^[{sign} ]|^[{other}].*\n", "", text) for sign, other in ("-+", "+-"))
        change(path, old, new)
    return f"```{kind}\n{text}```\n"


def change(path: Path, old: str, new: str) -> None:
    source = path.read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise LookupError(f"{path.name}: {old!r} occurs {source.count(old)} times, expected once")
    path.write_text(source.replace(old, new), encoding="utf-8")


def draw(browser: Any, folder: Path = PICTURES) -> list[Path]:
    """Take screenshots of the lesson, and of the page with the student's own text."""
    from docs import lesson
    from tests.browser.explorer_page import ExplorerPage

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as files:
        path = Path(files) / "lesson.html"
        path.write_text(lesson.build(), encoding="utf-8")
        tab = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        tab.goto(f"{path.as_uri()}#r3")
        tab.evaluate("document.activeElement.blur()")
        save(tab, folder / "lesson.png")

        path = Path(files) / "explorer.html"
        main(["explain", "-o", str(path)])
        tab = browser.new_page(viewport={"width": 1440, "height": 1280}, reduced_motion="reduce")
        tab.goto(path.as_uri())
        page = ExplorerPage(tab)
        page.find("#form input[name=text]").fill(TEXT)
        page.find("#form button").click()
        page.choose(direction="backward", step=STEP - 1)
        page.find("#network").evaluate(
            "(network) => scrollTo(0, network.getBoundingClientRect().top + scrollY - 150)"
        )
        page.find(".equation[data-labels=R3] .label").hover()
        save(tab, folder / "own-text.png")
    return [folder / "lesson.png", folder / "own-text.png"]


def save(tab: Any, path: Path) -> None:
    """Save a screenshot with 64 colours, which are enough for text."""
    from PIL import Image

    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    tab.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["pictures"]:
        from tests.browser.conftest import launched

        with launched() as browser:
            draw(browser)
    else:
        PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
