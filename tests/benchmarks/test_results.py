"""Results, files and reports of a made-up race."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cases import Case
from benchmarks.contestants import AGAIN
from benchmarks.measure.results import Race
from benchmarks.show.compare import comparison
from benchmarks.show.live import live
from benchmarks.show.plot import draw
from benchmarks.show.report import duration, markdown
from tests.benchmarks.examples import made_up


def test_a_race_comes_back_from_json(tmp_path: Path) -> None:
    race = made_up()
    race.samples[0] = race.samples[0]._replace(cpu_seconds=0.0)  # shorter than the clock of the processor can tell
    race.save(tmp_path / "new" / "race.json")
    assert Race.load(tmp_path / "new" / "race.json") == race
    content = json.loads((tmp_path / "new" / "race.json").read_text())
    assert content["format"] == 1
    assert content["not_publishable"] == []
    assert len(content["samples"]) == len(race.samples)


def test_the_better_thread_setting_of_each_counts() -> None:
    race = made_up()
    best = race.best(0)
    assert {entrant.threads for entrant in best.values()} == {1}
    assert race.ratio(0, best["torch-fused"], best["numpy_rnn"]).median == pytest.approx(3, rel=0.02)


def test_when_a_race_may_be_published() -> None:
    assert made_up().not_publishable() == []
    (few,) = made_up(rounds=4).not_publishable()
    assert "4 processes per contestant" in few
    biased = made_up(bias=1.1).not_publishable()
    assert len(biased) == 4  # two thread settings, each excludes 1 and has its pairs far apart
    assert all("A/A control" in reason for reason in biased)
    race = made_up()
    race.samples = [sample for sample in race.samples if sample.name != AGAIN.name]
    assert race.not_publishable() == ["there was no A/A control"]


def test_each_report_in_the_repository_is_that_of_its_samples() -> None:
    saved = [*Path("benchmarks/published").rglob("race.json"), Path("benchmarks/noisy/race.json")]
    reports = [path.with_suffix(".md").read_text() for path in saved]
    assert [markdown(Race.load(path)) for path in saved] == reports
    assert ["Not for publication" in report for report in reports] == [False] * (len(reports) - 1) + [True]
    readme = Path("benchmarks/README.md").read_text().splitlines()
    tables = [line for line in readme if re.match(r"\| (V|(lstm |gru )?\d+), ", line)]
    assert len(tables) > 35
    assert set(tables) <= {line for report in reports for line in report.splitlines()}


def test_the_report_has_every_figure() -> None:
    text = markdown(made_up())
    (row,) = [line for line in text.splitlines() if line.startswith("| 13, 32, 32, 18, 1 | 1.0") and "**" in line]
    _, _, ours, torch, jax, floor, again, _ = row.split("|")
    assert "@1" in ours
    assert "**3.0" in torch
    assert "torch-fused@1" in torch
    assert "**1.99** [1.9" in jax
    assert "**2.0" in floor
    assert "**1.00**" in again
    assert " (2) |" in text  # the textbook's two processes
    assert "torch-fused is faster than numpy_rnn from 1024 on along H" in text
    assert "torch-fused is faster than numpy_rnn nowhere along T" in text
    assert "- jax: 1.5 to 1.5 s per case" in text
    assert "torch-compile@1 on 13, 32, 32, 18, 1: no answer within 90 s" in text
    assert "**Not for publication**" in markdown(made_up(rounds=2))


def test_a_comparison_shows_the_change() -> None:
    old, new = made_up(), made_up()
    new.samples = [s._replace(seconds=s.seconds / 2) if s.name == "numpy_rnn" else s for s in new.samples]
    row = next(line for line in comparison(new, old).splitlines() if line.startswith("| 13, "))
    assert [cell.strip() for cell in row.split("|")[4:7]] == ["0.50", "2.00", "1.00"]
    old.cases = [Case(1, 1, 1, 1, 1)] * len(old.cases)
    assert "no case in common" in comparison(new, old)


def test_cells_are_compared_with_the_same_cell_and_older_races_are_of_the_tanh_rnn(tmp_path: Path) -> None:
    old, new = made_up(), made_up()
    new.cases[0] = replace(new.cases[0], cell="lstm")
    new.save(tmp_path / "new.json")
    assert Race.load(tmp_path / "new.json") == new
    old.save(tmp_path / "old.json")
    text = (tmp_path / "old.json").read_text()
    fields = re.compile(r',\s*"cell": "rnn"')
    assert len(fields.findall(text)) == len(old.cases)
    (tmp_path / "old.json").write_text(fields.sub("", text))
    old = Race.load(tmp_path / "old.json")
    assert old == made_up()
    assert "| lstm 13, 32, 32, 18, 1 | 1.0" in markdown(new)
    assert "| forward 65, 64, 100, 25, 1 |" in comparison(new, old)
    assert "13, 32, 32, 18, 1" not in comparison(new, old)
    assert "| lstm 13, 32, 32, 18, 1 |" in comparison(new, new)


def test_a_race_without_training_cases_has_no_pictures(tmp_path: Path) -> None:
    race = made_up()
    race.samples = [sample for sample in race.samples if sample.case == 1]
    race.cases = race.cases[:2]
    assert draw(race, tmp_path) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000123, "12.3 us"), (0.000999, "999 us"), (0.00123, "1.23 ms"), (12.34, "12.3 s")]
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_per_visit_shows_the_times_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    race = made_up()
    live(["numpy_rnn", "torch", "per-step"])(race, 0, 1, 3)
    head, row = capsys.readouterr().err.splitlines()
    assert head.split() == ["V,", "E,", "H,", "T,", "B", "numpy_rnn", "torch", "per-step"]
    assert re.fullmatch(
        r"13, 32, 32, 18, 1 +(1\.0\d ms|99\d us) +[34]\.\d\d ms +1 of 4 visits, about \d+ s left", row
    )
