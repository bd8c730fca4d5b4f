"""Progress as text."""

import dataclasses

import pytest

import numpy_rnn as nr
from numpy_rnn.training import loop
from numpy_rnn.training.trainer import Trainer
from tests.training.test_loop import OPTIONS, new_model
from tests.training.test_trainer import TEXT


def test_progress_reads_well_when_printed():
    progress = nr.Progress(12, 1120, 0.0857, 4.62974, 6.67921, 1.6512, 0.000241, 724630.4, 30.0)
    numbers = "loss 4.6297 (6.679 bits/char)  norm 1.65  lr 0.00024  724,630 chars/s"
    assert str(progress) == f"step   12/1120  epoch 0.09  {numbers}  46:10 left"
    assert progress.seconds_left == 30 / 12 * 1108
    evaluated = dataclasses.replace(
        progress, step=1120, val_loss=1.05341, val_bits_per_char=1.51975, val_perplexity=2.8674, best=True, sample="a"
    )
    first, second = str(evaluated).split("\n")
    assert first.endswith("  0:00 left")
    assert second == "  validation: loss 1.0534, 1.520 bits/char, perplexity 2.867, the best so far"
    worse = dataclasses.replace(evaluated, best=False, val_perplexity=None)
    assert str(worse).endswith("bits/char, perplexity above 1e307")
    assert "4:10:00 left" in str(dataclasses.replace(progress, step=1000, seconds=125_000.0))


def test_worse_than_guessing_is_never_the_best():
    progress = nr.Progress(8, 8, 1, 3, 4, 1, 1, 1, 1, 2.5, 3.607, 12.18, best=True, vocab_size=12)
    assert progress.validation().endswith("perplexity 12.18, worse than guessing (3.585 bits/char)")
    assert dataclasses.replace(progress, vocab_size=13).validation().endswith("perplexity 12.18, the best so far")


def test_the_time_left_counts_evaluations(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    real = Trainer.evaluate

    def slow(trainer):
        now[0] += 40.0
        return real(trainer)

    monkeypatch.setattr(Trainer, "evaluate", slow)
    seen = list(nr.train(new_model(), TEXT, **OPTIONS | {"steps": 34, "eval_every": 10}))
    left = {progress.step: progress.evaluation_seconds_left for progress in seen}
    assert [left[step] for step in (10, 12, 20, 28, 30, 34)] == [120, 120, 80, 80, 40, 0]
    for progress in seen:
        step = progress.seconds / progress.step
        assert progress.seconds_left == step * (34 - progress.step) + progress.evaluation_seconds_left
        if progress.step < 10:  # 14 characters and a window of 3 x 7 before, in half the time of training
            assert left[progress.step] == pytest.approx(4 * 0.5 * (14 / 21 + 1) * step)


def test_there_are_five_for_each_evaluation():
    seen = list(nr.train(new_model(), TEXT, **OPTIONS | {"steps": 33, "eval_every": 10}))
    assert [p.step for p in seen] == [*range(2, 33, 2), 33]
    assert [p.step for p in seen if p.sample is not None] == [10, 20, 30, 33]
    assert [p.step for p in seen if p.val_loss is not None] == [10, 20, 30, 33]
