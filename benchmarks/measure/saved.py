"""A result as a JSON file, and back: one raw row a line, which a person can read and a diff can show."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.measure.machine import ROOT

__all__ = ["keep", "load", "save"]

Result = TypeVar("Result")


def save(path: Path, content: Mapping[str, Any], rows: str) -> None:
    """Write `content`, a mapping that JSON can hold, with each item of `content[rows]` on a line of its own."""
    lines = ",\n  ".join(json.dumps(row) for row in content[rows])
    text = json.dumps({**content, rows: "@"}, indent=1).replace(f'"{rows}": "@"', f'"{rows}": [\n  {lines}\n ]')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def load(path: Path, what: str, version: int, build: Callable[[dict[str, Any]], Result]) -> Result:
    """Return what `build` makes of the content of a file; ValueError where it was not written by `save`.

    Parameters
    ----------
    path : Path
    what : str
        The word for it in an error.
    version : int
        The `format` that the file must have.
    build : callable
        Raises KeyError or TypeError where something is missing.
    """
    try:
        content = json.loads(path.read_text())
        found = content.pop("format")
        content.pop("not_publishable")
        if found == version:
            return build(content)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a {what} that was saved here") from error
    raise ValueError(f"{path} has format {found}, this version reads {version}")


class Saves(Protocol):
    """A result that knows its machine and writes itself as JSON."""

    machine: dict[str, str]

    def save(self, path: Path) -> None: ...


def keep(result: Saves, prefix: str = "") -> Path:
    """Save a new result under its date, say where, and return its path."""
    path = ROOT / "build" / "benchmarks" / f"{prefix}{result.machine['date'].replace(':', '')[:17]}.json"
    result.save(path)
    print(f"saved {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}", file=sys.stderr)
    return path
