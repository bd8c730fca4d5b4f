"""Results as JSON files: one raw sample per line, readable for people and for diff."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from benchmarks.measure.machine import ROOT

__all__ = ["Saved"]

FORMAT = 1  # increased when older files can no longer be read
MACHINE = {"cpu", "cores", "system", "python", "commit", "date"}  # the keys that a report needs


@dataclass
class Saved:
    """Base of the results of both races.

    Attributes
    ----------
    kind : str
        What the result is called in errors.
    rows : dict of str to callable
        The fields that are lists of rows, and what converts a row from JSON. In the file each row of the last field
        is on its own line.
    machine : dict of str to str
        See `machine.describe`.
    """

    kind: ClassVar[str]
    rows: ClassVar[dict[str, Any]]
    machine: dict[str, str]

    def not_publishable(self) -> list[str]:
        """Return the reasons not to publish these figures."""
        raise NotImplementedError

    def complete(self) -> bool:
        """Return whether all that a report needs is there; a KeyError or TypeError also means that it is not."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Write the result as JSON."""
        content = {"format": FORMAT, "not_publishable": self.not_publishable(), **asdict(self)}
        name = list(self.rows)[-1]
        lines = ",\n  ".join(json.dumps(row) for row in content[name])
        text = json.dumps({**content, name: "@"}, indent=1).replace(f'"{name}": "@"', f'"{name}": [\n  {lines}\n ]')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return a result that was saved; ValueError for any other file."""
        found = FORMAT
        try:
            content = json.loads(path.read_text())
            found = content.pop("format")
            if found == FORMAT:
                content.pop("not_publishable")
                for name, convert in cls.rows.items():
                    content[name] = [convert(row) for row in content[name]]
                result = cls(**content)
                if result.machine.keys() >= MACHINE and result.complete():
                    return result
        except (KeyError, TypeError, AttributeError, StopIteration, RecursionError, ValueError):
            pass
        if found != FORMAT:
            raise ValueError(f"{path} has format {found}, this version reads {FORMAT}")
        raise ValueError(f"{path} is not a {cls.kind} that this program saved")

    def keep(self, prefix: str = "") -> Path:
        """Save a new result in build/benchmarks under its date, print the path, and return it."""
        path = ROOT / "build" / "benchmarks" / f"{prefix}{self.machine['date'].replace(':', '')[:17]}.json"
        self.save(path)
        print(f"saved {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}", file=sys.stderr)
        return path
