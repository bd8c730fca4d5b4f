"""The learning race: both loops are the same training, figures are right on made-up chunks, errors are one line.

No test depends on how long something takes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.contestants import AGAIN, Contestant
from benchmarks.learning import race
from benchmarks.learning.report import markdown
from benchmarks.learning.results import Chunk, Learning, Level, Trial
from benchmarks.measure import saved
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer
from torch_reference import TorchTrainer

TEXT = "".join(np.random.default_rng(0).choice(list("abcdefg \n"), 241))
TOKENS = tokenize(TEXT)
# 193 characters to learn: 3 streams of 64, windows of 7, 7, ..., 1. 48 to validate with: windows of 7, 7, 2.
OPTIONS = Options(
    seq_len=7, batch_size=3, hidden_size=8, embedding_dim=5, lr=0.01, warmup_steps=4, clip=0.5, steps=40,
    val_fraction=0.2, seed=3, dtype="float64",
)  # fmt: skip


# --- the same training ---


def run(learner: Trainer | TorchTrainer) -> np.ndarray:
    """Return the validation loss, the loss and the norm of the gradients of each step."""
    return np.array([(learner.validate(), *learner.train_step()) for _ in range(OPTIONS.steps or 0)])


@cache
def ours_with_options() -> np.ndarray:
    return run(Trainer(*TOKENS, OPTIONS))


def apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((np.abs(ours - theirs) / np.abs(ours)).max())


# Rounding in float64 is below 1e-13 over these 40 steps; an option wrong by a millionth changes more than 2e-8.
TOLERANCE = 1e-9


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_both_loops_are_the_same_training(num_layers: int, fused: bool) -> None:
    trainer = Trainer(*TOKENS, dataclasses.replace(OPTIONS, num_layers=num_layers))
    assert len(trainer.streams) == 10
    mirror = TorchTrainer(trainer, fused)
    ours, theirs = run(trainer), run(mirror)
    assert apart(ours, theirs) < TOLERANCE
    clipped = ours[:, 2] > OPTIONS.clip
    assert clipped.any()
    assert not clipped.all()
    assert ours[:, 1].min() < 0.9 * ours[0, 1]


def with_options(**changes: Any) -> Callable[[TorchTrainer], None]:
    def change(mirror: TorchTrainer) -> None:
        mirror.plan = dataclasses.replace(mirror.plan, **changes)

    return change


def with_adam(**changes: Any) -> Callable[[TorchTrainer], None]:
    return lambda mirror: mirror.optimizer.param_groups[0].update(changes)


class Forgetful(TorchTrainer):
    """Every window starts from zeros."""

    hidden = property(lambda self: None, lambda self, value: None)  # type: ignore[assignment]


def forget(mirror: TorchTrainer) -> None:
    mirror.__class__ = Forgetful


def never_reset(mirror: TorchTrainer) -> None:
    mirror.windows *= 4


def drop_the_partial_window(mirror: TorchTrainer) -> None:
    mirror.windows.pop()


def draw_other_weights(mirror: TorchTrainer) -> None:
    mirror.model.fc.bias.data *= 1 + 1e-6


def swap_two_windows(mirror: TorchTrainer) -> None:
    mirror.windows[3:5] = mirror.windows[4:2:-1]


@pytest.mark.parametrize(
    "fault",
    [
        with_options(lr=OPTIONS.lr * (1 + 1e-6)),
        with_options(clip=OPTIONS.clip * (1 + 1e-6)),
        with_options(clip=math.inf),
        with_options(schedule="constant"),
        with_options(warmup_steps=5),
        with_adam(betas=(0.9, 0.999 * (1 - 1e-6))),
        with_adam(betas=(0.9 * (1 - 1e-6), 0.999)),
        with_adam(eps=2e-8),
        forget,
        never_reset,
        drop_the_partial_window,
        swap_two_windows,
        draw_other_weights,
    ],
)
def test_another_training_is_not_the_same(fault: Callable[[TorchTrainer], None]) -> None:
    mirror = TorchTrainer(Trainer(*TOKENS, OPTIONS))
    fault(mirror)
    assert apart(ours_with_options(), run(mirror)) > 10 * TOLERANCE


def test_torch_validates_on_all_of_the_end_of_the_text() -> None:
    trainer = Trainer(*TOKENS, OPTIONS)
    mirror = TorchTrainer(trainer)
    before = mirror.validate()
    mirror.val_windows.pop()
    assert mirror.validate() != pytest.approx(before, rel=1e-6)
    assert math.isnan(TorchTrainer(Trainer(*TOKENS, dataclasses.replace(OPTIONS, val_fraction=0.0))).validate())


# --- with real processes ---

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


# --- figures on made-up chunks ---


def made_up(ours: list[float], theirs: list[float], every: int = 10, noise: float = 0.0) -> Learning:
    """Return a race with these validation losses, in which ten steps take numpy_rnn 1 s and torch 2 s."""
    rng = np.random.default_rng(0)
    options = dataclasses.asdict(Options(steps=every * (len(ours) - 1), batch_size=4, seq_len=5, warmup_steps=2))
    machine = {"cpu": "abacus", "cores": "2", "system": "wood", "python": "3", "commit": "0123456789", "date": "now"}
    text = {"name": "book.txt", "chars": 300, "train_chars": 222, "val_chars": 78, "vocab_size": 9}
    learning = Learning(machine, text, options | {"eval_every": every}, 1234, 12)
    for name, seconds in (("numpy_rnn", 0.1), ("torch", 0.3), ("torch-fused", 0.2)):
        for threads in (1, 2):
            sweeps = (1.0, 1.1, 50.0)  # a slow spell in one of them
            learning.trials += [Trial(name, threads, seconds * sweep / threads) for sweep in sweeps]
    for name, losses, seconds in (("numpy_rnn", ours, 1), ("torch-fused", theirs, 2), (AGAIN.name, ours, 1)):
        for k, loss in enumerate(losses):
            steps = every if k else 0
            pace = steps / 10 * seconds * math.exp(noise * rng.normal())
            learning.chunks.append(Chunk(name, k * every, steps, pace, 1.5 * pace, loss))
    pools = [{"user_api": "blas", "internal_api": "openblas", "version": "1", "architecture": "Beads"}]
    learning.versions = {"numpy_rnn@2": {"versions": {"numpy": "2"}, "pools": pools}}
    return learning


LEARNING = made_up([4.0, 3.0, 2.0, 1.5, 1.7], [4.0, 3.0, 2.1, 1.6, 1.65])
QUIET = made_up([4 / (1 + k) for k in range(21)], [4.1 / (1 + k) for k in range(21)])


def test_the_better_setting_races() -> None:
    assert LEARNING.chosen() == (("numpy_rnn", 2), ("torch-fused", 2))
    assert LEARNING.settings()["torch-fused", 2] == pytest.approx(0.11)


def test_the_times_to_the_same_loss() -> None:
    # To 2.1: ours 0.9 of the way from 3 to 2; to 1.6: 0.8 of the way from 2 to 1.5. The last is no new low.
    expected = [Level(3.0, 1.0, 2.0), Level(2.1, 1.9, 4.0), Level(1.6, 2.8, 6.0)]
    levels = LEARNING.levels()
    assert np.array(levels) == pytest.approx(np.array(expected))
    assert levels[-1].ratio == pytest.approx(6 / 2.8)
    assert LEARNING.curves()[1].seconds == [0, 2, 4, 6, 8]
    assert LEARNING.curves()[0].seconds_to(4.0) == 0


def test_the_largest_difference_is_at_equal_steps() -> None:
    difference, step = LEARNING.largest_difference("torch-fused")
    assert (difference, step) == (pytest.approx(0.1), 30)
    assert LEARNING.largest_difference(AGAIN.name)[0] == 0


def test_a_slow_spell_of_the_machine_cancels_in_pairs() -> None:
    learning = made_up([4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0])
    learning.chunks = [
        chunk._replace(seconds=chunk.seconds * (9 if chunk.step == 20 else 1)) for chunk in learning.chunks
    ]
    interval = learning.ratio("torch-fused")
    assert (interval.low, interval.median, interval.high) == pytest.approx((2, 2, 2))


def test_a_shorter_last_window_counts_with_its_own_length() -> None:
    # 221 pairs in 4 streams: 56 steps each, 11 windows of 5 and one of 1.
    assert [LEARNING.characters(steps) for steps in (0, 1, 11, 12, 13, 24)] == [0, 20, 220, 224, 244, 448]


def test_the_published_report_is_that_of_the_published_chunks() -> None:
    published = Path("benchmarks/published")
    assert markdown(Learning.load(published / "learning.json")) == (published / "learning.md").read_text()


def test_the_report_has_every_figure() -> None:
    text = markdown(LEARNING)
    assert "## Learning book.txt" in text
    assert "222 characters to learn, 78 to validate with, 9 distinct." in text
    assert "1,234 parameters, float32. 40 steps of 4 x 5 characters, 12 an epoch." in text
    assert "1.6000 nats, the lowest that both reach, torch takes **2.14** times as long" in text
    assert "Over all 3 losses that both had reached at an evaluation: 2.00 to 2.14, median 2.11." in text
    assert "The same steps in pairs, chunk by chunk: 2.000 [2.000, 2.000]" in text
    assert "differ by at most 1.0e-01 nats (step 30); those of two processes of numpy_rnn by 0.0e+00." in text
    rows = {
        row[1]: row[2:-1] for row in ([c.strip() for c in line.split("|")] for line in text.splitlines()) if row[1:]
    }
    assert rows["variant"] == ["", "torch-fused"]
    assert rows["threads"] == ["2", "2"]
    assert rows["steps"] == ["40", "40"]
    assert rows["time of training"] == ["4.00 s", "8.00 s"]
    assert rows["characters per second"] == ["188", "94"]  # 3 epochs of 224 and 4 windows of 20: 752
    assert rows["cores in use"] == ["1.50", "1.50"]
    assert rows["validation loss at the end, nats"] == ["1.7000", "1.6500"]
    assert rows["bits per character"] == ["2.4526", "2.3804"]
    assert rows["lowest validation loss, nats"] == ["1.5000", "1.6000"]
    assert rows["2.1000"] == ["3.0297", "1.90 s", "4.00 s", "**2.11**"]
    assert rows["torch"] == ["330 ms", "165 ms"]


def test_a_long_table_of_levels_is_thinned_to_its_lowest() -> None:
    rows = [line for line in markdown(QUIET).splitlines() if line.startswith("| ") and line.endswith("** |")]
    assert len(rows) == 7
    assert rows[-1].startswith(f"| {4.1 / 21:.4f} |")


def test_a_learning_race_comes_back_from_json(tmp_path: Path) -> None:
    QUIET.save(tmp_path / "new" / "learning.json")
    assert Learning.load(tmp_path / "new" / "learning.json") == QUIET


def test_when_a_learning_race_may_be_published() -> None:
    assert QUIET.not_publishable() == []
    assert LEARNING.not_publishable() == ["there were 4 chunks, at least 20 are needed"]
    (reason,) = made_up(
        [4 / (1 + k) for k in range(41)], [4 / (1 + k) for k in range(41)], noise=0.1
    ).not_publishable()
    assert reason.startswith("the A/A control at 2 threads is noisy: ")
    alone = dataclasses.replace(QUIET, chunks=[c for c in QUIET.chunks if c.name != AGAIN.name])
    assert alone.not_publishable() == ["there was no A/A control"]


@pytest.mark.parametrize(("learning", "status"), [(QUIET, 0), (LEARNING, 1)])
def test_publishing(learning: Learning, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learning.save(tmp_path / "old.json")
    folder = tmp_path / "published"
    assert main(["learning", "--load", str(tmp_path / "old.json"), "--publish", str(folder)]) == status
    said = capsys.readouterr()
    assert said.out == markdown(learning) + "\n"
    assert ("not published: there were 4 chunks" in said.err) == bool(status)
    picture = tmp_path / "old.png" if status else folder / "learning.png"
    assert [path for path in tmp_path.rglob("*.png") if path.stat().st_size > 10_000] == [picture]
    written = {path.name for path in folder.iterdir()}
    assert written == (set() if status else {"learning.json", "learning.md", "learning.png"})
    if not status:
        assert Learning.load(folder / "learning.json") == learning


# --- the command line ---


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
        (["book.txt", "--val-fraction", "0"], "expected a number above 0 and below 1"),
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
        (
            "ab" * 100,
            [],
            "the text has 200 characters, too few to validate on a part of it: use a text of",
        ),
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
