"""The race: rounds with new processes, contestants in random order, one computing at a time."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.cases import Case
from benchmarks.contestants import Contestant, ours
from benchmarks.measure.machine import available_cores, describe
from benchmarks.measure.results import Entrant, Race, Sample
from benchmarks.measure.workers import WorkerError, WorkerProcess
from benchmarks.problem import Problem, disagreement

__all__ = ["Heat", "Protocol", "run_race"]

_SLOW_ROUNDS = 2  # for slow contestants
_BRIEF_ROUNDS = 1  # for the cost curves
_AGREEMENT_STEPS = 3, 2  # in the first round and in later ones
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Protocol:
    """How long and how often to measure.

    Attributes
    ----------
    rounds : int
        Number of processes per entrant, one after the other.
    sample_seconds : float
        Minimum length of a sample.
    sweeps : int
        Maximum number of samples per process and case; there is always one.
    budget_seconds : float
        Time that the race should take. What one case does not use goes to the next ones.
    answer_seconds : float
        Longest wait for an answer (torch.compile may take very long).
    """

    rounds: int
    sample_seconds: float
    sweeps: int
    budget_seconds: float
    answer_seconds: float = 90.0


@dataclass(frozen=True)
class Heat:
    """A case and its contestants; a brief heat is only part of the first round."""

    case: Case
    contestants: tuple[Contestant, ...]
    brief: bool = False


Watch = Callable[[Race, int, int, int], None]  # race, index of the last case, visits done, visits left


def run_race(heats: Sequence[Heat], threads: Sequence[int], protocol: Protocol, watch: Watch) -> Race:
    """Run all heats and return the result.

    Parameters
    ----------
    heats : sequence of Heat
    threads : sequence of int
        The thread settings. Each contestant has a process for each.
    protocol : Protocol
    watch : callable
        Called after each visit of a case.

    Raises
    ------
    WorkerError
        Two contestants compute different results.
    """
    with tempfile.TemporaryDirectory(prefix="race-") as cache:
        runner = _Runner(heats, threads, protocol, watch, cache)
        for number in range(protocol.rounds):
            runner.run_round(number)
    return runner.race


def _reference(case: Case) -> list[list[float]]:
    """Return the answers of numpy_rnn in float64."""
    problem = Problem.draw(case)
    work = ours.prepare(problem, "float64")
    assert work.answer is not None
    return [problem.summary(work.answer(work.run())) for _ in range(max(_AGREEMENT_STEPS))]


class _Runner:
    """A race in progress."""

    def __init__(
        self, heats: Sequence[Heat], threads: Sequence[int], protocol: Protocol, watch: Watch, cache: str
    ) -> None:
        self.heats, self.threads, self.protocol, self.watch, self.cache = heats, threads, protocol, watch, cache
        self.race = Race(describe(), [heat.case for heat in heats], asdict(protocol) | {"threads": list(threads)})
        self.workers: dict[Entrant, WorkerProcess] = {}
        self.reference: dict[int, list[list[float]]] = {}  # answers of the reference, by case
        self.deadline = time.monotonic() + protocol.budget_seconds
        rounds = range(protocol.rounds)
        self.order = [[i for i, heat in enumerate(heats) if n < _BRIEF_ROUNDS or not heat.brief] for n in rounds]
        self.visits, self.visits_left, self.start_seconds = 0, sum(map(len, self.order)), 0.0

    def run_round(self, number: int) -> None:
        """Start new processes, visit each case once in random order, and end the processes."""
        try:
            started = time.monotonic()
            self._start(number)
            self.start_seconds = time.monotonic() - started
            order = self.order[number]
            random.shuffle(order)
            for index in order:
                self._visit(index, number)
                self.visits += 1
                self.visits_left -= 1
                self.watch(self.race, index, self.visits, self.visits_left)
        finally:
            for worker in self.workers.values():
                worker.close()
            self.workers.clear()

    def _entrants(self, contestants: Iterable[Contestant], number: int) -> dict[Entrant, Contestant]:
        """Return the entrants of this round."""
        entrants: dict[Entrant, Contestant] = {}
        for contestant in contestants:
            if not contestant.slow or number < _SLOW_ROUNDS:
                threads = self.threads[:1] if contestant.one_setting else self.threads
                entrants |= {Entrant(contestant.name, n): contestant for n in threads}
        return {entrant: c for entrant, c in entrants.items() if str(entrant) not in self.race.failures}

    def _start(self, number: int) -> None:
        contestants = dict.fromkeys(c for heat in self.heats for c in heat.contestants)
        for entrant, contestant in self._entrants(contestants, number).items():
            self.workers[entrant] = WorkerProcess(contestant, entrant.threads, self.cache)
        for entrant in list(self.workers):
            hello = self._hear(entrant, str(entrant), _START_SECONDS)
            if hello is not None:
                self.race.versions[str(entrant)] = hello

    def _visit(self, index: int, number: int) -> None:
        """Prepare a case in all processes, compare the answers, and take samples for a share of the time left."""
        started = time.monotonic()
        rounds_left = self.protocol.rounds - number - 1
        share = (self.deadline - started - rounds_left * self.start_seconds) / self.visits_left
        runs = {}
        for entrant in self._prepare(index, number):
            warmed = self._ask(entrant, index, do="warm", seconds=self.protocol.sample_seconds)
            if warmed is not None:
                runs[entrant] = warmed["runs"]
        for sweep in range(self.protocol.sweeps):
            sweep_started = time.monotonic()
            order = list(runs)
            random.shuffle(order)
            for entrant in order:
                sample = self._ask(entrant, index, do="sample", runs=runs[entrant])
                if sample is None:
                    del runs[entrant]
                else:
                    self.race.samples.append(Sample(index, *entrant, number, sweep, runs[entrant], **sample))
            if 2 * time.monotonic() - sweep_started > started + share:  # no time for another sweep
                break
        for entrant in runs:
            self._ask(entrant, index, do="release")

    def _prepare(self, index: int, number: int) -> list[Entrant]:
        """Prepare a case in all entrants; return those that succeed.

        Nothing is measured yet, so as many entrants as there are cores compile and take first steps in parallel.
        """
        heat = self.heats[index]
        if index not in self.reference:
            self.reference[index] = _reference(heat.case)
        entrants = [
            entrant
            for entrant, contestant in self._entrants(heat.contestants, number).items()
            if entrant in self.workers
            and contestant.takes(heat.case)
            and f"{index}/{entrant}" not in self.race.failures
        ]
        entrants.sort(key=lambda entrant: entrant.threads)
        ready = []
        while entrants:
            parallel = max(1, available_cores() // entrants[0].threads)
            for entrant in entrants[:parallel]:
                steps = _AGREEMENT_STEPS[number > 0]
                self.workers[entrant].tell(do="prepare", case=asdict(heat.case), steps=steps)
            for entrant in entrants[:parallel]:
                prepared = self._hear(entrant, f"{index}/{entrant}", self.protocol.answer_seconds)
                if prepared is not None:
                    self._check_and_note(index, entrant, prepared)
                    ready.append(entrant)
            del entrants[:parallel]
        return ready

    def _check_and_note(self, index: int, entrant: Entrant, prepared: dict[str, Any]) -> None:
        parting = disagreement(self.heats[index].case, prepared["answers"], self.reference[index])
        if parting is not None:
            raise WorkerError(f"{entrant} disagrees on {self.heats[index].case}: {parting}")
        where, peak = f"{index}/{entrant}", prepared["peak_bytes"]
        self.race.first_seconds.setdefault(where, prepared["seconds"][0])  # compiled only in the first round
        if peak is not None:
            # The minimum, because memory that a process allocates once counts for whichever case comes first.
            self.race.peak_bytes[where] = min(peak, self.race.peak_bytes.get(where, peak))

    def _ask(self, entrant: Entrant, index: int, **request: Any) -> dict[str, Any] | None:
        self.workers[entrant].tell(**request)
        return self._hear(entrant, f"{index}/{entrant}", self.protocol.answer_seconds)

    def _hear(self, entrant: Entrant, where: str, seconds: float) -> dict[str, Any] | None:
        """Return a worker's answer; if it failed, record the reason and return None."""
        try:
            return self.workers[entrant].hear(seconds)
        except WorkerError as error:
            if entrant.name == "mine":  # whoever races a step of their own wants to know at once
                raise WorkerError(f"{entrant}: {error}") from None
            self.race.failures[where] = str(error)
            if self.workers[entrant].ended:
                del self.workers[entrant]
            return None
