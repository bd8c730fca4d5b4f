"""What the commands share: a type of argument, and what is checked before a race begins."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contestants import Unavailable
from benchmarks.measure.machine import available_cores

__all__ = ["check_place", "require", "threads"]


def threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= available_cores():
        raise argparse.ArgumentTypeError(
            f"expected a number from 1 to {available_cores()}, the cores here, got {text!r}"
        )
    return int(text)


def require(module: str, what: str) -> None:
    """Raise Unavailable where a module of the extra "bench" is missing; `what` needs it."""
    if find_spec(module) is None:
        raise Unavailable(f"{what} {module}: pip install 'numpy-rnn[bench]'")


def check_place(folder: Path) -> None:
    """Raise what would keep a race from being published in `folder`, before it begins."""
    require("matplotlib", "--publish draws pictures with")
    folder.mkdir(parents=True, exist_ok=True)
