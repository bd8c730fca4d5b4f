"""What both commands share: arguments, checks before a race, and publishing its result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contestants import Unavailable
from benchmarks.measure.machine import available_cores
from benchmarks.measure.saved import Saved

__all__ = ["add_load_and_publish", "check_folder", "publish", "require", "threads"]


def threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= available_cores():
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {available_cores()} (all cores), got {text!r}")
    return int(text)


def add_load_and_publish(parser: argparse.ArgumentParser, files: str) -> None:
    load = "show a saved race instead of running one"
    parser.add_argument("--load", type=Path, default=None, metavar="FILE.json", help=load)
    words = f"write {files} to this folder, unless the A/A control shows that the machine was too noisy"
    parser.add_argument("--publish", type=Path, default=None, metavar="FOLDER", help=words)


def require(module: str, purpose: str) -> None:
    """Raise Unavailable if a module of the extra "bench" is missing."""
    if find_spec(module) is None:
        raise Unavailable(f"{module} is not installed, needed {purpose}: pip install 'numpy-rnn[bench]'")


def check_folder(folder: Path | None) -> None:
    """Raise, before the race, any error that would prevent publishing in `folder` after it."""
    if folder is not None:
        require("matplotlib", "for the pictures")
        folder.mkdir(parents=True, exist_ok=True)


def publish(
    result: Saved, name: str, report: str, folder: Path | None, draw: Callable[[Path], Iterable[Path]]
) -> int:
    """Write a result, its report and its pictures to `folder`; return 1 if the control forbids it, else 0."""
    if folder is None:
        return 0
    reasons = result.not_publishable()
    if reasons:
        print(f"benchmarks: not published: {'; '.join(reasons)}", file=sys.stderr)
        return 1
    result.save(folder / f"{name}.json")
    (folder / f"{name}.md").write_text(report)
    for path in draw(folder):
        print(f"drew {path}", file=sys.stderr)
    return 0
