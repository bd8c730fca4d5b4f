"""The examples of docs/which-line.md: `python -m tests.documents.which_line` runs them and updates the page.

A section has a command and its output, and the files that the command needs: links to files of this repository, with
one line changed as a diff shows, or Python code that starts with a comment that names its file.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["commands", "files", "run", "sections", "updated"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "which-line.md"
COMMAND = re.compile(r"```console\n\$ (numpy-rnn gradcheck .*\n(?:      .*\n)*)((?:.*\n)*?)```\n")


def sections(page: str) -> list[str]:
    return re.split(r"(?m)^(?=## )", page)


def commands(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page that run gradcheck, each with the output that the page shows."""
    return COMMAND.findall(page)


def updated(section: str) -> str:
    """Return a section with what its command prints now: the suspect, or the lines of backward."""
    match = COMMAND.search(section)
    if match is None:
        return section
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files(section).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        output = run(match[1], Path(folder))
    first, _, rest = output.partition("\n")
    blocks = rest.split("\n\n")
    if "--lines" in match[1]:
        shown = [block for block in blocks if re.match(r" *\d+ \| ", block)]
    else:
        start = next(k for k, block in enumerate(blocks) if block.startswith("suspect: "))
        shown = [*blocks[start : start + 3], "..."]  # the line, its neighbours, the explanation
    text = "\n\n".join([f"{first}\n...", *shown])
    return section[: match.start(2)] + text.rstrip() + "\n" + section[match.end(2) :]


def files(section: str) -> dict[str, str]:
    """Return the files of a section, by name."""
    found = {}
    for path in re.findall(r"\]\(\.\./([\w/]+\.py)\)", section):
        text = (ROOT / path).read_text(encoding="utf-8")
        for old, new in re.findall(r"```diff\n-(.*\n)\+(.*\n)```", section):
            if text.count(old) != 1:
                raise LookupError(f"{path}: {old!r} occurs {text.count(old)} times, expected once")
            text = text.replace(old, new)
        found[Path(path).name] = text
    written = re.findall(r"```python\n(# (\w+\.py)\n(?:.*\n)*?)```", section)
    return found | {name: code for code, name in written}


def run(command: str, folder: Path) -> str:
    """Run `numpy-rnn gradcheck ...` in a folder, and return what it prints."""
    arguments = shlex.split(command.replace("\\\n", " "))[1:]
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    result = subprocess.run(
        [sys.executable, "-m", "numpy_rnn", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    # On a busy machine, a check may take long enough to report its progress.
    if re.sub(r"gradcheck of .*: \d+ forward passes.*\n", "", result.stderr):
        raise RuntimeError(result.stderr)
    return result.stdout.rstrip() + "\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text("".join(map(updated, sections(page))), encoding="utf-8")
