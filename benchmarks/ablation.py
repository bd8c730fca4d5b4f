"""The ladder from the textbook to numpy_rnn, one trick a rung: what each gains where it stands.

Each rung is numpy_rnn with the tricks of the rungs above it undone (contestants/ablation.py).
"""

from __future__ import annotations

from statistics import median

from benchmarks.cases import GRID
from benchmarks.contestants import Contestant
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Entrant, Race
from benchmarks.show.live import Live
from benchmarks.show.report import duration, machine, table

__all__ = ["ladder", "run_ablation", "rungs"]

CASES = (*GRID[:5], GRID[6])
# What a rung adds, and the name of what undoes it.
TRICKS = (
    ("the same tape every step", "new_tape"),
    ("a.dot(b, out)", "products_into_new_arrays"),
    ("the table before the lookup", "gather_first"),
    ("scatter by BLAS", "scatter_with_add_at"),
    ("W_hh^T stored as such", "transposed_view"),
    ("softmax in place, sums by BLAS", "softmax_as_written"),
    ("Adam on one vector, in blocks", "adam_by_tensor"),
)


def rungs() -> list[Contestant]:
    """Return the textbook, numpy_rnn with fewer and fewer tricks undone, and the floor."""
    undone = [name for _, name in TRICKS]
    names = ["one product for all rows", *(words for words, _ in TRICKS)]
    module = "benchmarks.contestants.ablation"
    return [
        Contestant("textbook", "benchmarks.contestants.textbook", ("train",)),
        *(Contestant(name, module, ("train",), {"undone": undone[i:]}) for i, name in enumerate(names)),
        Contestant("floor", "benchmarks.contestants.floor", ("train",)),
    ]


def run_ablation() -> Race:
    """Race all rungs at one thread, within three minutes."""
    all_rungs = rungs()
    heats = [Heat(case, tuple(all_rungs)) for case in CASES]
    return run_race(heats, [1], Protocol(5, 0.03, 3, 170), Live([rung.name for rung in all_rungs]))


def ladder(race: Race) -> str:
    """Return the ladder in Markdown: time of a training step, and the gain over the rung below."""
    names = [rung.name for rung in rungs()]
    rows = []
    for name, below in zip(names, [None, *names], strict=False):
        cells = []
        for i in range(len(race.cases)):
            seconds = race.times(i).get(Entrant(name, 1), {})
            cell = duration(median(seconds.values())) if seconds else ""
            if seconds and below is not None and name != "floor":
                cell += f", {(race.ratio(i, Entrant(below, 1), Entrant(name, 1)).median - 1):+.0%}"
            cells.append(cell)
        rows.append([name if below in (None, "textbook") or name == "floor" else f"+ {name}", *cells])
    return f"{machine(race)}\n\n{table(['V, E, H, T, B', *(case.shape for case in race.cases)], rows)}"
