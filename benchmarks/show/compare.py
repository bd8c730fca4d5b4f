"""What changed since an older race."""

from __future__ import annotations

from statistics import median

from benchmarks.contestants import OURS
from benchmarks.measure.results import Race
from benchmarks.show.report import duration, table

__all__ = ["comparison"]


def comparison(new: Race, old: Race) -> str:
    """Return a table of numpy_rnn's times in both races.

    The samples of two races are not paired, and the machine may have become faster or slower. So the table also has
    the ratio to the floor of the same race.
    """
    rows = []
    for i, case in enumerate(new.cases):
        if case not in old.cases:
            continue
        before, after = _ours_and_floor(old, old.cases.index(case)), _ours_and_floor(new, i)
        if before and after:
            floors = [f"{ours / floor:.2f}" if floor else "" for ours, floor in (before, after)]
            rows.append([str(case), duration(before[0]), duration(after[0]), f"{after[0] / before[0]:.2f}", *floors])
    head = ("case", "old", "new", "new / old", "old / floor", "new / floor")
    title = f"## numpy_rnn at {new.machine['commit']} against {old.machine['commit']}"
    return f"{title}\n\n{table(head, rows)}\n" if rows else "The two races have no case in common.\n"


def _ours_and_floor(race: Race, index: int) -> tuple[float, float | None] | None:
    times, best = race.times(index), race.best(index)
    seconds = [median(times[best[name]].values()) if name in best else None for name in (OURS.name, "floor")]
    return None if seconds[0] is None else (seconds[0], seconds[1])
