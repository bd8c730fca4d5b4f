"""Learning races with real processes. No test depends on how long something takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.contestants import AGAIN, Contestant
from benchmarks.learning import race
from benchmarks.learning.results import Learning
from benchmarks.measure import saved
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer
from tests.benchmarks.learning_examples import TEXT, TOKENS

SMALL = ["--hidden-size", "8", "--seq-len", "7", "--batch-size", "3", "--steps", "25", "--eval-every", "10",
         "--val-fraction", "0.2", "--threads", "1"]  # fmt: skip


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a text, and let results be saved in the test's own folder."""
    monkeypatch.setattr(saved, "ROOT", tmp_path)
    (tmp_path / "book.txt").write_text(TEXT)
    return str(tmp_path / "book.txt")


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace torch by a second numpy_rnn, which starts faster, where the test does not depend on torch."""
    monkeypatch.setattr(race, "TORCH", (Contestant("torch", "benchmarks.contestants.ours"),))


def test_from_a_text_to_curves(
    book: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(race, "TORCH", race.TORCH[1:])  # importing torch takes seconds per process
    monkeypatch.setattr(race, "_SAMPLE_SECONDS", 0.01)
    assert main(["learning", book, *SMALL]) == 0
    said = capsys.readouterr()
    assert "## Learning book.txt" in said.out
    assert "step 20 of 25: validation loss numpy_rnn " in said.err
    (json,) = (tmp_path / "build" / "benchmarks").glob("learning-*.json")
    assert json.with_suffix(".png").stat().st_size > 10_000
    assert main(["learning", "--load", str(json)]) == 0
    assert capsys.readouterr().out == said.out

    learning = Learning.load(json)
    assert {(t.name, t.threads) for t in learning.trials} == {(n, 1) for n in ("numpy_rnn", "torch-fused")}
    for name in ("numpy_rnn", "torch-fused", "A/A"):
        assert [(c.step, c.steps) for c in learning.of(name)] == [(0, 0), (10, 10), (20, 10), (25, 5)]
        assert all((c.seconds > 0) == (c.steps > 0) for c in learning.of(name))
    # The losses are those of the trainer, and those of torch to the rounding of float32.
    options = Options(**learning.options)
    assert (options.steps, options.dtype) == (25, "float32")
    trainer, expected = Trainer(*TOKENS, options), []
    for step in range(26):
        if step in (0, 10, 20, 25):
            expected.append(trainer.validate())
        trainer.train_step()
    ours, torch = learning.curves()
    assert ours.losses == pytest.approx(expected, rel=1e-5)
    assert torch.losses == pytest.approx(expected, rel=1e-5)
    assert learning.largest_difference(AGAIN.name)[0] == 0
    # The threads that each process reported.
    assert learning.versions.keys() == {"numpy_rnn@1", "torch-fused@1", "A/A@1"}
    pools = [pool for hello in learning.versions.values() for pool in hello["pools"]]
    assert {pool["num_threads"] for pool in pools} == {1}
    assert learning.versions["torch-fused@1"]["versions"]["torch threads"] == "1"


@pytest.mark.usefixtures("without_torch")
def test_a_contestant_with_other_losses_does_not_race(
    book: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = race._reference
    monkeypatch.setattr(race, "_reference", lambda *args: [*reference(*args)[:-1], 2.0])
    assert main(["learning", book, *SMALL]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("benchmarks: error: numpy_rnn@1 starts with the losses [")
    assert last.endswith("2.0] (numpy_rnn in float64)")


@pytest.mark.usefixtures("without_torch")
def test_a_training_that_diverges_is_one_line(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learning", book, *SMALL, "--lr", "1e30"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("benchmarks: error: ")
    assert "try a step size below 1e+30" in last


def test_without_torch_the_extra_is_named(
    book: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["learning", book, *SMALL]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "benchmarks: error: torch@1: torch is not installed: pip install 'numpy-rnn[torch]'"
