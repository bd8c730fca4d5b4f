"""The command line: errors are one line, publishing needs a quiet machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import Case
from benchmarks.contestants import mine
from benchmarks.measure.results import Race
from benchmarks.problem import disagreement
from tests.benchmarks.examples import REFERENCE, SMALL, answers, made_up


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--case", "1,2,3"], "expected V,E,H,T,B, five integers of at least 1, got '1,2,3'"),
        (["--case", "1,2,3,4,0"], "expected V,E,H,T,B"),
        (["--case", "a,b,c,d,e"], "expected V,E,H,T,B"),
        (["--cell", "abacus"], "invalid choice: 'abacus'"),
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
    assert main(["--case", "2,2,2,2,2", "--cell", "gru", "--contestant", "torch-by-hand"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "benchmarks: error: torch-by-hand has none of these cases, only train with rnn, generate with"
    )
    assert said.count("\n") == 1
    assert main(["--case", "2,2,2,2,2", "--cell", "gru", "--contestant", "per-step"]) == 1
    said = capsys.readouterr().err
    only = "train with rnn, forward with rnn, generate with rnn"
    assert said == f"benchmarks: error: per-step has none of these cases, only {only}\n"


STEP = """
import numpy as np
from numpy_rnn import textbook

kept = {"steps": 0}

def step(weights, tokens, targets):
    h_0 = np.zeros((tokens.shape[1], len(weights["rnn.weight_hh_l0"])), np.float32)
    logits, x, h = textbook.forward(weights, tokens, h_0)
    loss, dlogits = textbook.cross_entropy(logits, targets)
    gradients, _ = textbook.backward(weights, tokens, x, h, dlogits, h_0)
    for name in "mv":
        kept.setdefault(name, {n: np.zeros_like(w) for n, w in weights.items()})
    kept["steps"] += 1
    textbook.adam(weights, gradients, kept["m"], kept["v"], kept["steps"], 1e-3)
    return loss

def sgd(weights, tokens, targets):
    return step({name: w.copy() for name, w in weights.items()}, tokens, targets)

number = 3

def broken(weights, tokens, targets):
    raise ValueError("no such weight")
"""


def test_a_step_of_the_readers_own_takes_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STEP)
    contestant = mine.contestant(f"{path}:step")
    for case in (SMALL["train"], Case(13, 3, 4, 5, 1)):  # the second starts from Adam's zero averages again
        assert disagreement(case, answers(contestant, case), answers(REFERENCE, case)) is None
    wrong = answers(mine.contestant(f"{path}:sgd"), SMALL["train"])
    assert "step 2 gives" in str(disagreement(SMALL["train"], wrong, answers(REFERENCE, SMALL["train"])))
    for spec, words in (
        ("mine.py", "must be FILE.py:FUNCTION, such as mine.py:step, got 'mine.py'"),
        (f"{tmp_path}/nowhere.py:step", "nowhere.py: No such file"),
        (f"{path}:leap", "has no function 'leap'"),
        (f"{path}:number", "has no function 'number'"),
    ):
        assert main(["--mine", spec, "--quick"]) == 1
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
    assert main(["--mine", f"{path}:broken", "--quick", "--contestant", "numpy_rnn", "--case", "5,3,4,6,2"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "benchmarks: error: mine@1: ValueError: no such weight"


@pytest.mark.parametrize(
    "options",
    [["--load", "race.json", "--quick"], ["--ablation", "--case", "2,2,2,2,2"], ["--ablation", "--cell", "gru"]],
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(options)
    assert exit_.value.code == 2
    assert "--load and --ablation cannot be combined" in capsys.readouterr().err
