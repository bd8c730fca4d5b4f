"""The ladder from the textbook to the floor: each rung adds one trick of docs/performance.md to the rung before."""

from __future__ import annotations

from statistics import median

from benchmarks.cases import GRID, cases_of
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Entrant, Race
from benchmarks.show.live import live
from benchmarks.show.report import duration, machine, table

__all__ = ["ladder", "run_ablation", "rungs"]

CASES = {"rnn": [*GRID[:5], GRID[6]]} | {cell: cases_of(cell)[:4] for cell in ("lstm", "gru")}
# What a rung adds, and the name of it in contestants/ablation.py.
TRICKS: tuple[tuple[str, str], ...] = (
    ("the same tape every step", "tape"),
    ("a.dot(b, out)", "out"),
    ("the table before the lookup", "table"),
    ("scatter by BLAS", "scatter"),
    ("W_hh^T stored as such", "transposed"),
    ("softmax in place, sums by BLAS", "softmax"),
    ("Adam on one vector, in blocks", "adam"),
)


GATED_TRICKS = (
    ("all gates by one exp", "exp"),
    ("slopes outside the loop", "slopes"),
)


def rungs(cell: str) -> list[Contestant]:
    """Return the textbook, its plain form with more and more tricks, numpy_rnn, and the floor."""
    others = {contestant.name: contestant for contestant in CONTESTANTS}
    module, first, added = "ablation", "one product for all rows", TRICKS
    if cell != "rnn":
        module, first, added = "ablation_gated", "the tricks of the tanh RNN", GATED_TRICKS
    labels, tricks = [first, *(f"+ {words}" for words, _ in added)], [name for _, name in added]
    steps = (
        Contestant(label, f"benchmarks.contestants.{module}", ("train",), options={"tricks": tricks[:i]})
        for i, label in enumerate(labels)
    )
    return [others["textbook"], *steps, others["numpy_rnn"], others["floor"]]


def run_ablation() -> list[Race]:
    """Race all rungs of each cell at one thread, in five minutes."""
    races = []
    for cell, cases in CASES.items():
        all_rungs = rungs(cell)
        heats = [Heat(case, tuple(all_rungs)) for case in cases]
        protocol = Protocol(5, 0.03, 3, 170 if cell == "rnn" else 70)
        races.append(run_race(heats, [1], protocol, live([rung.name for rung in all_rungs])))
    return races


def ladder(race: Race) -> str:
    """Return the ladder in Markdown: the time of a training step, and how much faster it is than the rung before."""
    names = [rung.name for rung in rungs(race.cases[0].cell)]
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
