"""The ladder from the textbook to the floor: each rung adds one trick of docs/performance.md to the rung before."""

from __future__ import annotations

from statistics import median

from benchmarks.cases import GRID
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Entrant, Race
from benchmarks.show.live import live
from benchmarks.show.report import duration, machine, table

__all__ = ["ladder", "run_ablation", "rungs"]

CASES = (*GRID[:5], GRID[6])
# What a rung adds, and the name of it in contestants/ablation.py.
TRICKS = (
    ("the same tape every step", "tape"),
    ("a.dot(b, out)", "out"),
    ("the table before the lookup", "table"),
    ("scatter by BLAS", "scatter"),
    ("W_hh^T stored as such", "transposed"),
    ("softmax in place, sums by BLAS", "softmax"),
    ("Adam on one vector, in blocks", "adam"),
)


def rungs() -> list[Contestant]:
    """Return the textbook, one product for all rows with more and more tricks, numpy_rnn, and the floor."""
    others = {contestant.name: contestant for contestant in CONTESTANTS}
    labels = ["one product for all rows", *(f"+ {words}" for words, _ in TRICKS)]
    tricks = [name for _, name in TRICKS]
    steps = (
        Contestant(label, "benchmarks.contestants.ablation", ("train",), options={"tricks": tricks[:i]})
        for i, label in enumerate(labels)
    )
    return [others["textbook"], *steps, others["numpy_rnn"], others["floor"]]


def run_ablation() -> Race:
    """Race all rungs at one thread, in under three minutes."""
    all_rungs = rungs()
    heats = [Heat(case, tuple(all_rungs)) for case in CASES]
    return run_race(heats, [1], Protocol(5, 0.03, 3, 170), live([rung.name for rung in all_rungs]))


def ladder(race: Race) -> str:
    """Return the ladder in Markdown: the time of a training step, and how much faster it is than the rung before."""
    names = [rung.name for rung in rungs()]
    rows = []
    for name, before in zip(names, [None, *names], strict=False):
        cells = []
        for i in range(len(race.cases)):
            seconds = race.times(i).get(Entrant(name, 1), {})
            cell = duration(median(seconds.values())) if seconds else ""
            if seconds and before is not None and name not in ("numpy_rnn", "floor"):
                cell += f", {race.ratio(i, Entrant(before, 1), Entrant(name, 1)).median - 1:+.0%}"
            cells.append(cell)
        rows.append([name, *cells])
    return f"{machine(race)}\n\n{table(['V, E, H, T, B', *(case.shape for case in race.cases)], rows)}"
