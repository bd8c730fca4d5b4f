"""The result of a race: every raw sample, and the machine and versions they were measured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from benchmarks.cases import Case
from benchmarks.contestants import AGAIN, OURS
from benchmarks.measure.saved import Saved
from benchmarks.measure.statistics import Interval, Key, bootstrap_median, paired_ratios, unfair

__all__ = ["Entrant", "Race", "Sample", "thread_count"]

PROCESSES = 5  # fewest per contestant in a published race


class Entrant(NamedTuple):
    """A contestant at a thread setting: one process per round."""

    name: str
    threads: int

    def __str__(self) -> str:
        return f"{self.name}@{self.threads}"


def thread_count(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


class Sample(NamedTuple):
    """One sample: mean wall and CPU seconds of `runs` consecutive runs."""

    case: int  # index into Race.cases
    name: str
    threads: int
    round: int
    sweep: int
    runs: int
    seconds: float
    cpu_seconds: float


@dataclass
class Race(Saved):
    """A race, finished or in progress.

    Attributes
    ----------
    cases : list of Case
    protocol : dict
        Rounds, sample length and thread settings.
    versions : dict
        Library versions and thread pools of each entrant.
    samples : list of Sample
    first_seconds, peak_bytes : dict of str to float
        By "case index/entrant": seconds of the first step, which includes compilation, and peak resident memory.
    failures : dict of str to str
        By entrant or "case index/entrant": why it could not be run.
    """

    cases: list[Case]
    protocol: dict[str, Any]
    versions: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    first_seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    kind = "race"
    rows = {"cases": lambda case: Case(**case), "samples": lambda row: Sample(*row)}  # noqa: RUF012

    def complete(self) -> bool:
        return {"rounds", "sample_seconds", "threads"} <= self.protocol.keys() and all(
            0 <= s.case < len(self.cases) and s.seconds > 0 and s.cpu_seconds >= 0 for s in self.samples
        )

    def times(self, case: int) -> dict[Entrant, dict[Key, float]]:
        """Return the seconds of every entrant of a case, by (round, sweep)."""
        times: dict[Entrant, dict[Key, float]] = {}
        for s in self.samples:
            if s.case == case:
                times.setdefault(Entrant(s.name, s.threads), {})[s.round, s.sweep] = s.seconds
        return times

    def best(self, case: int) -> dict[str, Entrant]:
        """Return each contestant at its better thread setting, by the median of its samples; the fastest is first."""
        best: dict[str, Entrant] = {}
        medians = {entrant: median(times.values()) for entrant, times in self.times(case).items()}
        for entrant in sorted(medians, key=medians.__getitem__):
            best.setdefault(entrant.name, entrant)
        return best

    def seconds(self, case: int) -> dict[str, float]:
        """Return each contestant's median seconds at its better thread setting."""
        times = self.times(case)
        return {name: median(times[entrant].values()) for name, entrant in self.best(case).items()}

    def ratio(self, case: int, theirs: Entrant, ours: Entrant) -> Interval:
        """Return the median of theirs / ours over paired samples."""
        times = self.times(case)
        return bootstrap_median(paired_ratios(times[theirs], times[ours]))

    def not_publishable(self) -> list[str]:
        rounds = {sample.round for sample in self.samples}
        if len(rounds) < PROCESSES:
            return [f"there were {len(rounds)} processes per contestant, at least {PROCESSES} are needed"]
        controls = self.controls()
        return unfair(controls) if controls else ["there was no A/A control"]

    def controls(self) -> dict[str, list[list[float]]]:
        """Return the paired ratios of the A/A control for each thread setting, in groups by case and round."""
        controls: dict[str, list[list[float]]] = {}
        for i in range(len(self.cases)):
            times = self.times(i)
            for again in (entrant for entrant in times if entrant.name == AGAIN.name):
                ratios = paired_ratios(times[again], times.get(Entrant(OURS.name, again.threads), {}))
                controls.setdefault(thread_count(again.threads), []).extend(ratios)
        return {name: groups for name, groups in controls.items() if groups}
