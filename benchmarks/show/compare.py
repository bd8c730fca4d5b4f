"""What changed since an older race."""

from __future__ import annotations

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
        both = old.seconds(old.cases.index(case)), new.seconds(i)
        if all(OURS.name in seconds for seconds in both):
            before, after = (seconds[OURS.name] for seconds in both)
            floors = [f"{s[OURS.name] / s['floor']:.2f}" if "floor" in s else "" for s in both]
            rows.append([str(case), duration(before), duration(after), f"{after / before:.2f}", *floors])
    head = ("case", "old", "new", "new / old", "old / floor", "new / floor")
    title = f"## numpy_rnn at {new.machine['commit']} against {old.machine['commit']}"
    return f"{title}\n\n{table(head, rows)}\n" if rows else "The two races have no case in common.\n"
