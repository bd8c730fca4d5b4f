"""The race: contestants agree, figures are right on made-up samples, results can be loaded, errors are one line.

No test depends on how long something takes.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.ablation import ladder, rungs
from benchmarks.cases import CURVES, GRID, OTHERS, TASKS, Case, curve_cases
from benchmarks.contestants import AGAIN, CONTESTANTS, OURS, Contestant, Work
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Race, Sample
from benchmarks.measure.statistics import bootstrap_median, paired_ratios, unfair
from benchmarks.measure.workers import WorkerError
from benchmarks.problem import Problem, disagreement
from benchmarks.show.compare import comparison
from benchmarks.show.live import live
from benchmarks.show.plot import draw
from benchmarks.show.report import duration, markdown
from numpy_rnn import textbook

SMALL = {task: Case(7, 5, 6, 9, 3, task) for task in TASKS} | {"generate": Case(30, 8, 16, 40, 1, "generate")}
# All that can run here: torch and JAX are optional, CUDA needs a GPU, and torch-compile, which wraps torch-fused,
# would compile for longer than all other tests take.
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


# --- the contestants ---


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


# --- a small race with real processes ---

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


def small_race(*contestants: Contestant, rounds: int = 1) -> Race:
    heats = [Heat(SMALL[task], contestants) for task in ("train", "adam")]
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


# --- statistics on made-up samples ---


def test_the_ratio_is_of_pairs_so_that_a_slow_machine_cancels() -> None:
    pace = {(r, s): 10.0 ** (r + s) for r in range(3) for s in range(2)}
    theirs = {key: 3 * value for key, value in pace.items()} | {(7, 0): 1.0}  # a sample without a partner
    ratios = paired_ratios(theirs, pace)
    assert ratios == [pytest.approx([3.0, 3.0])] * 3
    interval = bootstrap_median(ratios)
    assert (interval.low, interval.median, interval.high) == pytest.approx((3, 3, 3))


@pytest.mark.parametrize("lengths", [(1, 1, 1, 1, 1), (3, 1, 4, 2, 2), (4, 4, 4, 4, 4), (1, 0, 2)])
def test_the_median_is_numpys(lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    rounds = [rng.random(n).tolist() for n in lengths]
    interval = bootstrap_median(rounds)
    assert interval.median == pytest.approx(np.median(np.concatenate(rounds)))
    assert interval.low <= interval.median <= interval.high


def test_processes_with_fewer_samples_are_drawn_as_often_as_the_others() -> None:
    rounds = [[1.0], [5.0, 6.0, 7.0, 8.0], [2.0, 3.0], [9.0]]
    rng = np.random.default_rng(1)
    drawn = [[rounds[i] for i in rng.integers(4, size=4)] for _ in range(4000)]
    medians = [np.median(np.concatenate([rng.choice(values, len(values)) for values in draw])) for draw in drawn]
    for level in (0.5, 0.8, 0.95):
        interval = bootstrap_median(rounds, level)
        expected = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
        assert [interval.low, interval.high] == pytest.approx(expected, abs=0.5)


def test_the_interval_contains_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    races = [
        # Processes vary, and so do the samples of one process.
        [list(2 * np.exp(rng.normal(0, 0.03) + rng.normal(0, 0.02, 4))) for _ in range(8)]
        for _ in range(100)
    ]
    intervals = [bootstrap_median(rounds) for rounds in races]
    assert 0.88 <= np.mean([2 in interval for interval in intervals]) <= 0.99
    wider = [bootstrap_median(rounds, 0.5) for rounds in races]
    assert 0.35 <= np.mean([2 in interval for interval in wider]) <= 0.65


def test_no_pairs_is_an_error() -> None:
    with pytest.raises(ValueError, match="no two samples"):
        bootstrap_median([[], []])


def control(bias: float, noise: float, seed: int) -> list[list[float]]:
    """Return ratios of two contestants with ten cases and five processes, which differ by a factor and at random."""
    rng = np.random.default_rng(seed)
    return [list(bias * np.exp(noise * (rng.normal() + rng.normal(size=2)))) for _ in range(50)]


def test_the_control_passes_equals_and_names_what_is_not() -> None:
    passed = [unfair({"1 thread": control(1.0, 0.015, seed)}) == [] for seed in range(30)]
    assert np.mean(passed) >= 0.88
    for bias in (0.97, 1.03):
        (reason,) = unfair({"1 thread": control(1.0, 0.01, 0), "2 threads": control(bias, 0.01, 0)})
        assert reason.startswith("the A/A control at 2 threads excludes 1: ")
    (reason,) = unfair({"1 thread": control(1.0, 0.1, 0)})
    assert reason.startswith("the A/A control at 1 thread is noisy: ")


# --- results, files, reports ---


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


PUBLISHED = Path("benchmarks/published")


def test_the_published_report_is_that_of_the_published_samples() -> None:
    report = (PUBLISHED / "race.md").read_text()
    assert markdown(Race.load(PUBLISHED / "race.json")) == report
    readme = Path("benchmarks/README.md").read_text().splitlines()
    tables = [line for line in readme if re.match(r"\| (V|\d+), ", line)]
    assert len(tables) > 30
    assert set(tables) <= set(report.splitlines())


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
    assert "- jax: 1.5 to 1.5 s a case" in text
    assert "torch-compile@1 on 13, 32, 32, 18, 1: no answer within 90 s" in text
    assert "**Not for publication**" in markdown(made_up(rounds=2))


def test_a_comparison_shows_the_change() -> None:
    old, new = made_up(), made_up()
    new.samples = [s._replace(seconds=s.seconds / 2) if s.name == "numpy_rnn" else s for s in new.samples]
    row = next(line for line in comparison(new, old).splitlines() if line.startswith("| 13, "))
    assert [cell.strip() for cell in row.split("|")[4:7]] == ["0.50", "2.00", "1.00"]
    old.cases = [Case(1, 1, 1, 1, 1)] * len(old.cases)
    assert "no case in common" in comparison(new, old)


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


# --- the command line ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--case", "1,2,3"], "expected V,E,H,T,B, five integers of at least 1, got '1,2,3'"),
        (["--case", "1,2,3,4,0"], "expected V,E,H,T,B"),
        (["--case", "a,b,c,d,e"], "expected V,E,H,T,B"),
        (["--contestant", "abacus"], "invalid choice: 'abacus'"),
        (["--threads", "0"], "expected a number from 1 to"),
        (["--threads", "two"], "expected a number from 1 to"),
        (["--compare", "nowhere.json"], "nowhere.json"),
        (["--load", __file__], "is not a race that this program saved"),
        (["--slow"], "unrecognized arguments: --slow"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("python -m benchmarks: error: ")
    assert words in last


def test_a_race_of_another_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "race.json"
    made_up().save(path)
    path.write_text(path.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(SystemExit):
        main(["--load", str(path)])
    assert "has format 0, this version reads 1" in capsys.readouterr().err


def test_publishing_is_refused_where_the_control_excludes_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for bias, status in ((1.1, 1), (1.0, 0)):
        made_up(bias=bias).save(tmp_path / "race.json")
        folder = tmp_path / str(bias)
        assert main(["--load", str(tmp_path / "race.json"), "--publish", str(folder)]) == status
        said = capsys.readouterr()
        assert ("not published: the A/A control at" in said.err) == bool(status)
        assert "## One training step" in said.out
        assert any(folder.iterdir()) == (not status)
    assert {path.name for path in folder.iterdir()} == {"race.json", "race.md", "ratios.png", "curves.png"}
    assert all(path.stat().st_size > 10_000 for path in folder.glob("*.png"))


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"format": 1, "not_publishable": [], "cases": [], "samples": [], "machine": {}, "protocol": {}}',
        "\xff",
    ],
)
def test_a_file_that_is_no_race_is_refused(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "race.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(SystemExit) as exit_:
        main(["--load", str(path)])
    assert exit_.value.code == 2
    assert "is not a race that this program saved" in capsys.readouterr().err


def test_a_sample_of_negative_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "race.json"
    race = made_up()
    race.samples[0] = race.samples[0]._replace(seconds=-1.0)
    race.save(path)
    with pytest.raises(ValueError, match="is not a race that this program saved"):
        Race.load(path)


def test_an_unusable_folder_is_reported_before_the_race(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--publish", str(tmp_path / "file")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("benchmarks: error: ")
    assert said.count("\n") == 1


def test_a_contestant_without_a_case_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--case", "2,2,2,2,2", "--contestant", "torch-by-hand"]) == 1
    said = capsys.readouterr().err
    assert said == "benchmarks: error: torch-by-hand has none of these tasks, only generate\n"


@pytest.mark.parametrize("options", [["--load", "race.json", "--quick"], ["--ablation", "--case", "2,2,2,2,2"]])
def test_options_that_contradict_each_other_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(options)
    assert exit_.value.code == 2
    assert "--load and --ablation cannot be combined" in capsys.readouterr().err


# --- the ladder ---


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
