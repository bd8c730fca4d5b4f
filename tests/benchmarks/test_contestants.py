"""All contestants compute the same, and a wrong answer would be found."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from benchmarks.ablation import ladder, rungs
from benchmarks.cases import CURVES, GRID, OTHERS, TASKS, Case, curve_cases
from benchmarks.contestants import CONTESTANTS, Contestant, Work
from benchmarks.measure.results import Sample
from benchmarks.problem import Problem, disagreement
from numpy_rnn import textbook
from tests.benchmarks.examples import HERE, REFERENCE, SMALL, answers, made_up


@pytest.mark.parametrize(
    ("contestant", "task"), [pytest.param(c, task, id=f"{c.name}-{task}") for c in HERE for task in c.tasks]
)
def test_contestants_agree(contestant: Contestant, task: str) -> None:
    made = answers(contestant, SMALL[task])
    assert len(made) == (0 if contestant.name == "floor" else 3)
    assert disagreement(SMALL[task], made, answers(REFERENCE, SMALL[task])) is None


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
    assert len({*GRID, *OTHERS}) == len(GRID) + len(OTHERS)
    assert {case.task for case in (*GRID, *OTHERS)} == set(TASKS)
    for axis, sizes in CURVES.items():
        assert [getattr(case, axis) for case in curve_cases(axis)] == list(sizes)


@pytest.mark.parametrize(
    "case", [SMALL["train"], Case(300, 5, 6, 9, 3)], ids=str
)  # fewer characters than tokens, more
@pytest.mark.parametrize("rung", rungs()[1:-2], ids=lambda rung: rung.name)
def test_every_rung_of_the_ladder_computes_the_same(rung: Contestant, case: Case) -> None:
    assert disagreement(case, answers(rung, case), answers(REFERENCE, case)) is None


def test_the_ladder_has_the_time_of_each_rung_and_its_gain() -> None:
    race = made_up()
    names = [rung.name for rung in rungs()]
    race.samples = [Sample(0, name, 1, 0, 0, 1, 2.0**-k, 1.0) for k, name in enumerate(names)]
    rows = [line.split("|")[1:3] for line in ladder(race).splitlines() if line.startswith("| ")][2:]
    assert [row[0].strip() for row in rows] == names
    cells = [row[1].strip() for row in rows]
    assert cells[:3] == ["1.00 s", "500 ms, +100%", "250 ms, +100%"]
    assert all(cell.endswith(" ms, +100%") for cell in cells[1:-2])
    assert cells[-2:] == ["1.95 ms", "977 us"]
