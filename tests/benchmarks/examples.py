"""A small case per task and cell, what contestants answer, and a made-up race."""

from __future__ import annotations

import importlib
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from benchmarks.cases import CURVES, GRID, OTHERS, TASKS, Case, curve_cases
from benchmarks.contestants import CONTESTANTS, OURS, Contestant, Work
from benchmarks.measure.results import Race, Sample
from benchmarks.problem import Problem
from numpy_rnn.layers import CELLS

SMALL = {task: Case(7, 5, 6, 9, 3, task) for task in TASKS} | {"generate": Case(30, 8, 16, 40, 1, "generate")}
ALL_SMALL = [replace(case, cell=cell) for cell in CELLS for case in SMALL.values()]
# All that can run here: torch and JAX are optional, CUDA needs a GPU, and torch-compile would compile for longer than
# all other tests take.
HERE = [
    contestant
    for contestant in CONTESTANTS
    if contestant.name not in ("torch-cuda", "torch-compile")
    and all(find_spec(name) for name in ("torch", "jax") if contestant.name.startswith(name))
]
REFERENCE = Contestant("reference", OURS.module, options={"dtype": "float64"})


def answers(contestant: Contestant, case: Case) -> list[list[float]]:
    """Return a contestant's answers in three steps; none if it has no answer."""
    problem = Problem.draw(case)
    work: Work = importlib.import_module(contestant.module).prepare(problem, **contestant.options)
    summaries = []
    for _ in range(3):
        result = work.run()
        work.wait(result)
        if work.answer is not None:
            summaries.append(problem.summary(work.answer(result)))
    return summaries


def made_up(rounds: int = 5, bias: float = 1.0) -> Race:
    """Return a race with a training case, a forward case and all curves, in which numpy_rnn takes 1 ms."""
    rng = np.random.default_rng(0)
    curves = dict.fromkeys(case for axis in CURVES for case in curve_cases(axis))
    cases = [GRID[0], OTHERS[0], *curves]
    machine = {"cpu": "abacus", "cores": "2", "system": "wood", "python": "3", "commit": "0123456789", "date": "now"}
    race = Race(machine, cases, {"rounds": rounds, "sample_seconds": 0.1, "threads": [1, 2]})
    pools = [{"user_api": "blas", "internal_api": "openblas", "version": "1", "architecture": "Beads"}]
    pace = {"numpy_rnn": 1.0, "A/A": bias, "torch": 4.0, "torch-fused": 3.0, "jax": 2.0, "floor": 0.5, "textbook": 9}
    for i, case in enumerate(cases):
        for name in pace:
            if i >= 2 and name in ("A/A", "textbook", "torch"):
                continue
            for threads in (1, 2):
                where = f"{name}@{threads}"
                race.versions[where] = {"versions": {"numpy": "2"}, "pools": pools}
                race.first_seconds[f"{i}/{where}"] = 1.5 if name == "jax" else 0.001
                race.peak_bytes[f"{i}/{where}"] = 2_000_000
                for number in range(2 if name == "textbook" or i >= 2 else rounds):
                    for sweep in range(2):
                        # All are twice as fast at one thread; torch is faster than numpy_rnn at H = 1024.
                        scale = 0.1 if case.H == 1024 and name == "torch-fused" else 1.0
                        seconds = 1e-3 * pace[name] * scale * threads * float(np.exp(rng.normal(0, 0.01)))
                        race.samples.append(Sample(i, name, threads, number, sweep, 100, seconds, seconds))
    race.failures["torch-cuda@1"] = "torch sees no CUDA device"
    race.failures["0/torch-compile@1"] = "no answer within 90 s"
    return race
