"""What is seen while the race runs: a table that fills, the progress, and the time left."""

from __future__ import annotations

import shutil
import sys
import time
from statistics import median
from typing import TextIO

from benchmarks.measure.results import Race
from benchmarks.show.report import duration

__all__ = ["Live"]

_WIDTH = 11


class Live:
    """Show median times as they come in, every contestant at its better thread setting so far.

    On a terminal the table is drawn over itself; elsewhere each visit of a case adds a line.

    Parameters
    ----------
    contestants : list of str
        The columns.
    out : file, optional
        Where to. None: standard error.
    """

    def __init__(self, contestants: list[str], out: TextIO | None = None) -> None:
        self.out = sys.stderr if out is None else out
        self.contestants = contestants
        self.started = time.monotonic()
        self.rows: dict[int, str] = {}
        self.drawn = 0

    def __call__(self, race: Race, index: int, done: int, left: int) -> None:
        times = race.times(index)
        best = race.best(index)
        cells = (duration(median(times[best[name]].values())) if name in best else "" for name in self.contestants)
        self.rows.pop(index, None)  # the most recent row goes to the end
        self.rows[index] = f"{race.cases[index]!s:<30}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)

        elapsed = time.monotonic() - self.started
        progress = f"{done} of {done + left} visits, {elapsed:.0f} s, about {elapsed / done * left:.0f} s left"
        if not self.out.isatty():
            print(f"[{progress}] {self.rows[index]}", file=self.out, flush=True)
            return
        head = f"{'V, E, H, T, B':<30}" + "".join(f"{name[-10:]:>{_WIDTH}}" for name in self.contestants)
        size = shutil.get_terminal_size()
        # What does not fit is left out: a line that wraps, or is above the screen, cannot be drawn over.
        recent = sorted(list(self.rows)[-max(1, size.lines - 4) :])
        lines = [line[: size.columns - 1] for line in (head, *(self.rows[i] for i in recent), progress)]
        up = f"\033[{self.drawn}A" if self.drawn else ""
        print(up + "\n".join(f"\033[K{line}" for line in lines), file=self.out, flush=True)
        self.drawn = len(lines)
