"""The command line of the learning race: errors are one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.learning.results import Learning
from benchmarks.measure import saved
from tests.benchmarks.learning_examples import QUIET, TEXT


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a text, and let results be saved in the test's own folder."""
    monkeypatch.setattr(saved, "ROOT", tmp_path)
    (tmp_path / "book.txt").write_text(TEXT)
    return str(tmp_path / "book.txt")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of FILE and --load is required"),
        (["book.txt", "--load", "x.json"], "--load cannot be combined"),
        (["--load", "x.json", "--steps", "5"], "--load cannot be combined"),
        (["--load", "nowhere.json"], "nowhere.json"),
        (["--load", __file__], "is not a learning race that this program saved"),
        (["book.txt", "--steps", "5", "--epochs", "2"], "not allowed with argument"),
        (["book.txt", "--hidden-size", "0"], "expected an integer from 1"),
        (["book.txt", "--threads", "0"], "expected a number from 1 to"),
        (["book.txt", "--val-fraction", "1"], "expected a number of at least 0 and below 1"),
        (["book.txt", "--quick"], "unrecognized arguments: --quick"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["learning", *arguments])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("python -m benchmarks learning: error: ")
    assert words in last


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.replace('"format": 1', '"format": 0'), "has format 0, this version reads 1"),
        (lambda content: content.replace('"A/A"', '"B/B"'), "is not a learning race"),
        (lambda content: content.replace('"numpy_rnn"', '"abacus"'), "is not a learning race"),
        (lambda content: content.replace('"clip"', '"clap"'), "is not a learning race"),
        (lambda content: content.replace('["torch-fused", 10, 10, 2.0', '["torch-fused", 10, 10, -2.0'), "is not a"),
        (lambda content: content.replace("4.1]", "0.1]"), "is not a learning race"),
        (lambda content: "[" * 100_000, "is not a learning race"),
    ],
)
def test_a_file_that_is_no_learning_race_is_refused(change: Callable[[str], str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "learning.json"
    QUIET.save(path)
    content = path.read_text()
    assert change(content) != content
    path.write_text(change(content))
    with pytest.raises(ValueError, match=words):
        Learning.load(path)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (None, [], "cannot read 'book.txt': No such file or directory"),
        ("", [], "no text in 'book.txt': empty"),
        ("a", [], "text has length 1, expected at least 2"),
        ("ab" * 100, [], "no part of the 200 characters is kept for validation: use a text of at least 2000"),
        ("ab" * 1000, ["--val-fraction", "0"], "no part of the 2000 characters is kept for validation"),
        ("ab" * 100, ["--val-fraction", "0.001"], "val_fraction must be 0 or leave at least 2 of the 200 characters"),
        ("ab" * 100, ["--batch-size", "500", "--val-fraction", "0.1"], "batch_size must be at most 179"),
        ("caf\xe9", [], "'book.txt' is not utf-8"),
    ],
)
def test_a_text_that_cannot_be_learnt_is_one_line(
    text: str | None,
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("book.txt").write_text(text, "latin-1")
    assert main(["learning", "book.txt", *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"benchmarks: error: {words}")
    assert said.count("\n") == 1


def test_an_unusable_folder_is_reported_before_the_race(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learning", book, "--publish", book]) == 1
    said = capsys.readouterr().err
    assert said.startswith("benchmarks: error: ")
    assert said.count("\n") == 1
