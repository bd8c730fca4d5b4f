"""Small races with real processes. No test depends on how long something takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.contestants import CONTESTANTS, OURS, Contestant
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Race
from benchmarks.measure.workers import WorkerError
from benchmarks.show.report import markdown
from tests.benchmarks.examples import SMALL

ODD_CONTESTANT = """
import os, time
from benchmarks.contestants import Unavailable, Work

def start(threads, *, fault):
    if fault == "unavailable":
        raise Unavailable("there is no such thing here")
    return {"odd": "1"}

def prepare(problem, *, fault):
    if fault == "raises":
        raise RuntimeError("cannot be prepared")
    if fault == "ends":
        os._exit(3)
    if fault == "hangs":
        time.sleep(60)
    print("libraries may print")
    return Work(lambda: 1.0, float)  # a loss that no other contestant has
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "odd_contestant.py").write_text(ODD_CONTESTANT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda fault: Contestant(fault, "odd_contestant", options={"fault": fault})


def small_race(*contestants: Contestant, rounds: int = 1, cell: str = "rnn") -> Race:
    heats = [Heat(replace(SMALL[task], cell=cell), contestants) for task in ("train", "adam")]
    protocol = Protocol(rounds, 0.002, 2, 30, answer_seconds=3)
    return run_race(heats, [1], protocol, lambda *_: None)


def test_a_race_gives_samples_of_every_contestant_at_each_case() -> None:
    floor = next(c for c in CONTESTANTS if c.name == "floor")
    slow = next(c for c in CONTESTANTS if c.name == "textbook")
    race = small_race(OURS, floor, slow, rounds=3)
    taken = {(s.case, s.name, s.round, s.sweep) for s in race.samples}
    assert taken == {
        (case, name, number, sweep)
        for case, names in ((0, ("numpy_rnn", "floor")), (1, ("numpy_rnn",)))
        for name in names
        for number in range(3)
        for sweep in range(2)
    } | {(case, "textbook", number, sweep) for case in (0, 1) for number in range(2) for sweep in range(2)}
    assert all(s.seconds > 0 and s.cpu_seconds >= 0 and s.runs >= 1 for s in race.samples)
    assert race.versions["numpy_rnn@1"]["versions"]["numpy"] == np.__version__
    assert [pool["num_threads"] for pool in race.versions["numpy_rnn@1"]["pools"]] == [1]
    assert race.failures == {}
    assert set(race.first_seconds) == {f"{case}/{name}@1" for case, name, _, _ in taken}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_only_contestants_that_implement_the_cell_take_part(cell: str) -> None:
    per_step = next(c for c in CONTESTANTS if c.name == "per-step")
    race = small_race(OURS, per_step, cell=cell)
    assert {(s.case, s.name) for s in race.samples} == {(0, "numpy_rnn"), (1, "numpy_rnn")}
    assert race.failures == {}


def test_what_cannot_run_is_reported_and_the_others_race_on(odd: Any) -> None:
    race = small_race(OURS, odd("unavailable"), odd("raises"), odd("ends"), odd("hangs"))
    assert {s.name for s in race.samples} == {"numpy_rnn"}
    assert race.failures == {
        "unavailable@1": "there is no such thing here",
        "0/raises@1": "RuntimeError: cannot be prepared",
        "1/raises@1": "RuntimeError: cannot be prepared",
    } | {key: race.failures[key] for key in race.failures if "ends" in key or "hangs" in key}
    words = dict(sorted((where.split("/")[1], reason) for where, reason in race.failures.items() if "/" in where))
    assert words["ends@1"] == "the process ended with status 3"
    assert words["hangs@1"] == "no answer within 3 s"
    assert "there is no such thing here" in markdown(race)


def test_a_contestant_that_computes_something_else_stops_the_race(odd: Any) -> None:
    with pytest.raises(WorkerError, match=r"liar@1 disagrees on .*step 1 gives"):
        small_race(OURS, odd("liar"))
