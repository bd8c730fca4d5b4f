"""Progress of a race: a line for each visit of a case, with the median times so far and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence

from benchmarks.measure.results import Race
from benchmarks.show.report import duration

__all__ = ["live"]


def live(contestants: Sequence[str]) -> Callable[[Race, int, int, int], None]:
    """Return what `run_race` calls after each visit. It prints to standard error, with a column per contestant."""
    started = time.monotonic()
    _print("V, E, H, T, B", (name[:13] for name in contestants))

    def show(race: Race, index: int, done: int, left: int) -> None:
        seconds = race.seconds(index)
        cells = (duration(seconds[name]) if name in seconds else "" for name in contestants)
        elapsed = time.monotonic() - started
        progress = f"{done} of {done + left} visits, about {elapsed / done * left:.0f} s left"
        _print(str(race.cases[index]), cells, progress)

    return show


def _print(case: str, cells: Iterable[str], progress: str = "") -> None:
    print(f"{case:<36}" + "".join(f"{cell:>14}" for cell in cells) + f"   {progress}", file=sys.stderr, flush=True)
