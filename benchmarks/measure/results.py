"""What a race found: every raw sample, and what they were taken on; as JSON and back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.cases import Case
from benchmarks.contestants import AGAIN, OURS
from benchmarks.measure import saved
from benchmarks.measure.statistics import Interval, Key, bootstrap_median, paired_ratios, unfair

__all__ = ["FORMAT", "Entrant", "Race", "Sample"]

FORMAT = 1  # of the JSON: raised when an older file can no longer be read
PROCESSES = 5  # that a published figure rests on


class Entrant(NamedTuple):
    """A contestant at a thread setting: one process a round."""

    name: str
    threads: int

    def __str__(self) -> str:
        return f"{self.name}@{self.threads}"


class Sample(NamedTuple):
    """One sample: mean seconds of `runs` runs in a row, by the clock and by the processor's."""

    case: int  # index into Race.cases
    name: str
    threads: int
    round: int
    sweep: int
    runs: int
    seconds: float
    cpu_seconds: float


@dataclass
class Race:
    """A race, finished or under way.

    Attributes
    ----------
    cases : list of Case
    samples : list of Sample
    machine, versions, protocol : dict
        The machine; versions and thread pools by entrant; rounds and sample length.
    first_seconds, peak_bytes : dict of str to float
        By "case index/entrant": seconds of the very first step (compilation, where there is any), and resident memory
        that the contestant took at its peak.
    failures : dict of str to str
        What could not be run, by entrant or by "case index/entrant", and why.
    """

    cases: list[Case]
    machine: dict[str, str]
    protocol: dict[str, Any]
    versions: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    first_seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the race as JSON."""
        saved.save(
            path,
            dataclasses.asdict(self) | {"format": FORMAT, "not_publishable": self.not_publishable()},
            rows="samples",
        )

    @classmethod
    def load(cls, path: Path) -> Race:
        """Read what `save` wrote; ValueError for anything else."""
        return saved.load(path, "race", FORMAT, cls._build)

    @classmethod
    def _build(cls, content: dict[str, Any]) -> Race:
        content["cases"] = [Case(**case) for case in content["cases"]]
        content["samples"] = [Sample(*sample) for sample in content["samples"]]
        race = cls(**content)
        if not race._complete():
            raise KeyError("something that a report reads")
        return race

    def _complete(self) -> bool:
        """Return whether everything is there that a report reads."""
        return (
            {"cpu", "cores", "system", "python", "commit", "date"} <= self.machine.keys()
            and {"rounds", "sample_seconds", "threads"} <= self.protocol.keys()
            and all(0 <= s.case < len(self.cases) and s.seconds > 0 and s.cpu_seconds >= 0 for s in self.samples)
        )

    def times(self, case: int) -> dict[Entrant, dict[Key, float]]:
        """Return the seconds of every entrant of a case, by (round, sweep)."""
        times: dict[Entrant, dict[Key, float]] = {}
        for sample in self.samples:
            if sample.case == case:
                times.setdefault(Entrant(sample.name, sample.threads), {})[sample.round, sample.sweep] = (
                    sample.seconds
                )
        return times

    def best(self, case: int) -> dict[str, Entrant]:
        """Return each contestant at its better thread setting, the one with the smaller median."""
        best: dict[str, Entrant] = {}
        medians = {entrant: median(times.values()) for entrant, times in self.times(case).items()}
        for entrant in sorted(medians, key=medians.__getitem__):
            best.setdefault(entrant.name, entrant)
        return best

    def ratio(self, case: int, theirs: Entrant, ours: Entrant) -> Interval:
        """Return the median of theirs / ours over paired samples."""
        times = self.times(case)
        return bootstrap_median(paired_ratios(times[theirs], times[ours]))

    def not_publishable(self) -> list[str]:
        """Say what keeps these figures from being published; empty where nothing does."""
        rounds = {sample.round for sample in self.samples}
        if len(rounds) < PROCESSES:
            return [f"there were {len(rounds)} processes per contestant, a published figure rests on {PROCESSES}"]
        controls = self.controls()
        return unfair(controls) if controls else ["there was no A/A control"]

    def controls(self) -> dict[str, list[list[float]]]:
        """Return the paired ratios of the A/A control, a group per case and round, by thread setting."""
        controls: dict[str, list[list[float]]] = {}
        for i in range(len(self.cases)):
            times = self.times(i)
            for again in (entrant for entrant in times if entrant.name == AGAIN.name):
                ratios = paired_ratios(times[again], times.get(Entrant(OURS.name, again.threads), {}))
                controls.setdefault(f"{again.threads} thread{'s' * (again.threads > 1)}", []).extend(ratios)
        return {name: groups for name, groups in controls.items() if groups}
