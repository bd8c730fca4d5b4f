"""All contestants compute the same, and a wrong answer would be found."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.ablation import ladder, rungs
from benchmarks.cases import CURVES, GRID, OTHERS, TASKS, Case, cases_of, curve_cases
from benchmarks.contestants import CONTESTANTS, Contestant, Work, ours
from benchmarks.measure.results import Sample
from benchmarks.problem import Problem, disagreement
from numpy_rnn import textbook
from numpy_rnn.layers import CELLS
from tests.benchmarks.examples import ALL_SMALL, HERE, REFERENCE, SMALL, answers, made_up


@pytest.mark.parametrize(
    ("contestant", "case"),
    [
        pytest.param(c, case, id=f"{c.name}-{case.task}-{case.cell}")
        for c in HERE
        for case in ALL_SMALL
        if c.takes(case)
    ],
)
def test_contestants_agree(contestant: Contestant, case: Case) -> None:
    made = answers(contestant, case)
    assert len(made) == (0 if "floor" in contestant.name else 3)
    assert disagreement(case, made, answers(REFERENCE, case)) is None


@pytest.mark.parametrize(
    "case", [SMALL["train"], Case(300, 5, 6, 9, 3)], ids=str
)  # characters: fewer than tokens, more
def test_the_loops_by_hand_and_unrolled_compute_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)  # compiling takes longer than all tests
    for name in ("torch-by-hand", "torch-compile"):
        contestant = next(c for c in CONTESTANTS if c.name == name)
        assert disagreement(case, answers(contestant, case), answers(REFERENCE, case)) is None


@pytest.mark.parametrize("change", [lambda g: 0 * g, lambda g: -g, lambda g: np.roll(g, 1), lambda g: 1.001 * g])
@pytest.mark.parametrize("cell", CELLS)
def test_a_wrong_gradient_is_a_disagreement(cell: str, change: Callable[[Any], Any]) -> None:
    case = replace(SMALL["backward"], cell=cell)
    problem, expected = Problem.draw(case), answers(REFERENCE, case)
    gradients = ours.prepare(problem, "float64")
    assert gradients.answer is not None
    right = {name: g.copy() for name, g in gradients.answer(gradients.run()).items()}
    assert disagreement(case, [problem.summary(right)], expected) is None
    for name, gradient in right.items():
        wrong = problem.summary(right | {name: change(gradient)})
        assert "step 1" in str(disagreement(case, [wrong], expected))


@pytest.mark.parametrize("name", textbook.NAMES)
def test_a_missing_gradient_is_a_disagreement(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backward = textbook.backward

    def forgetful(*arguments: Any) -> Any:
        gradients, dh_0 = backward(*arguments)
        gradients[name][...] = 0
        return gradients, dh_0

    expected = answers(REFERENCE, SMALL["train"])
    monkeypatch.setattr(textbook, "backward", forgetful)
    assert "step 2" in str(disagreement(SMALL["train"], answers(CONTESTANTS[0], SMALL["train"]), expected))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_wrong_answer_is_a_disagreement(task: str, wrong: float) -> None:
    expected = answers(REFERENCE, SMALL[task])
    made = [list(numbers) for numbers in expected]
    made[1][0] *= 1.01 if task == "adam" and wrong == 1.001 else wrong
    assert "step 2" in str(disagreement(SMALL[task], made, expected))


def test_a_text_that_is_not_greedy_is_a_disagreement() -> None:
    problem = Problem.draw(SMALL["generate"])
    greedy = CONTESTANTS[0]
    work: Work = importlib.import_module(greedy.module).prepare(problem)
    assert work.answer is not None
    tokens = work.answer(work.run())
    expected = [problem.summary(tokens)]
    for other in ([*tokens[:-1], (tokens[-1] + 1) % 30], tokens[:-1]):
        assert disagreement(SMALL["generate"], [problem.summary(other)], expected) is not None


def test_the_cases_are_distinct_and_cover_every_task() -> None:
    cases = [case for cell in CELLS for case in cases_of(cell)]
    assert len(set(cases)) == len(cases)
    assert {case.task for case in cases} == set(TASKS)
    assert {case.cell for case in cases} == set(CELLS)
    assert cases_of("rnn") == [*GRID, *OTHERS]
    for cell in CELLS:
        assert set(cases_of(cell, quick=True)) < set(cases_of(cell))
    for axis, sizes in CURVES.items():
        assert [getattr(case, axis) for case in curve_cases(axis)] == list(sizes)


@pytest.mark.parametrize(
    "case", [SMALL["train"], Case(300, 5, 6, 9, 3)], ids=str
)  # fewer characters than tokens, more
@pytest.mark.parametrize(
    ("cell", "rung"),
    [pytest.param(cell, rung, id=f"{cell}-{rung.name}") for cell in CELLS for rung in rungs(cell)[1:-2]],
)
def test_every_rung_of_the_ladder_computes_the_same(cell: str, rung: Contestant, case: Case) -> None:
    case = replace(case, cell=cell)
    assert disagreement(case, answers(rung, case), answers(REFERENCE, case)) is None


def test_the_ladder_has_the_time_of_each_rung_and_its_gain() -> None:
    race = made_up()
    names = [rung.name for rung in rungs("rnn")]
    race.samples = [Sample(0, name, 1, 0, 0, 1, 2.0**-k, 1.0) for k, name in enumerate(names)]
    rows = [line.split("|")[1:3] for line in ladder(race).splitlines() if line.startswith("| ")][2:]
    assert [row[0].strip() for row in rows] == names
    cells = [row[1].strip() for row in rows]
    assert cells[:3] == ["1.00 s", "500 ms, +100%", "250 ms, +100%"]
    assert all(cell.endswith(" ms, +100%") for cell in cells[1:-2])
    assert cells[-2:] == ["1.95 ms", "977 us"]
