"""The learning race: figures, files and reports of made-up chunks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.contestants import AGAIN
from benchmarks.learning.report import markdown
from benchmarks.learning.results import Learning, Level
from tests.benchmarks.learning_examples import LEARNING, QUIET, made_up


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
    assert "222 characters for training, 78 for validation, 9 distinct." in text
    assert "1,234 parameters, float32. 40 steps of 4 x 5 characters, 12 per epoch." in text
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
