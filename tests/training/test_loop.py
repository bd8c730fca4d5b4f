"""`nr.train`: what the command line does, for programs and notebooks."""

import dataclasses
import gc
import json
import os
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.cli import main
from numpy_rnn.storage.checkpoint import read_checkpoint
from numpy_rnn.storage.files import LockError
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.training import loop
from numpy_rnn.training.options import Options
from tests.cli.test_train_cli import SMALL
from tests.training.test_run import content
from tests.training.test_trainer import TEXT

# Those of SMALL, the command line's.
OPTIONS = {
    "seq_len": 7,
    "batch_size": 3,
    "lr": 0.01,
    "warmup_steps": 4,
    "clip": 0.5,
    "steps": 12,
    "val_fraction": 0.2,
    "eval_every": 4,
    "seed": 3,
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def new_model(vocab_size=9, dropout=0.3, rng=3, **options):
    return nr.CharRNN(vocab_size, 5, 8, 2, dropout, rng=rng, **options)


def parts(directory):
    """All that a RUN holds, but for where the text came from."""
    lines, files = content(Path(directory))
    for _, header in files.values():
        del header["source"]
        header.pop("threads", None)  # the command line knows them
    return lines, files


@pytest.fixture
def uninterrupted():
    for _ in nr.train(new_model(), TEXT, run="uninterrupted", **OPTIONS):
        pass
    return parts("uninterrupted")


def test_it_is_the_training_of_the_command_line_bit_for_bit(uninterrupted, capsys):
    Path("book.txt").write_text(TEXT)
    assert main(["train", "book.txt", "-o", "typed", *SMALL]) == 0
    assert parts("typed") == uninterrupted


def test_it_yields_what_is_to_be_seen_and_writes_nothing(uninterrupted):
    model, before = new_model(), sorted(os.listdir())
    seen = list(nr.train(model, TEXT, **OPTIONS))
    assert sorted(os.listdir()) == before
    clock = ("seconds", "chars_per_second")
    added = ("steps", "vocab_size", "evaluation_seconds_left")
    fields = [
        {name: value for name, value in dataclasses.asdict(progress).items() if name not in (*clock, *added)}
        for progress in seen
    ]
    empty = {"val_loss": None, "val_bits_per_char": None, "val_perplexity": None, "best": False, "sample": None}
    assert fields == [empty | line for line in uninterrupted[0]]
    assert {(progress.steps, progress.vocab_size) for progress in seen} == {(12, 9)}
    last, _, _ = load_model("uninterrupted/last.npz")
    np.testing.assert_array_equal(model.parameters().data, last.parameters().data)


def test_the_seed_is_that_of_the_samples_alone():
    models = [new_model(), new_model(), new_model()]
    seeds = (3, 3, 4)
    samples = [
        [p.sample for p in nr.train(model, TEXT, **OPTIONS | {"seed": seed}) if p.sample is not None]
        for model, seed in zip(models, seeds, strict=True)
    ]
    assert samples[0] == samples[1] != samples[2]
    np.testing.assert_array_equal(models[0].parameters().data, models[2].parameters().data)


def test_the_model_may_be_used_between_the_steps(uninterrupted):
    model, vocabulary = new_model(), nr.Vocabulary.from_text(TEXT)
    tokens = vocabulary.encode(TEXT[:20]).reshape(-1, 1)
    for _ in nr.train(model, TEXT, run="used", **OPTIONS):
        state = model.rnn.rng.bit_generator.state
        nr.generate(model, vocabulary, "a", 9, temperature=1, rng=0)
        model.loss_and_gradients(tokens[:-1], tokens[1:])  # draws dropout masks, which the training then does not
        model.rnn.rng.bit_generator.state = state
        model.eval()
        model.forward(tokens)
    assert parts("used") == uninterrupted


@pytest.mark.parametrize("at", [0, 1, 5, 8])
def test_left_and_gone_on_with(uninterrupted, at):
    steps = nr.train(new_model(), TEXT, run="left", **OPTIONS)
    for _, _progress in zip(range(at), steps, strict=False):
        pass
    steps.close()
    assert read_checkpoint("left/last.npz")[1]["training"]["step"] == at
    model = new_model(rng=99)
    seen = list(nr.train(model, TEXT, run="left", resume=True))
    assert [p.step for p in seen] == list(range(at + 1, 13))
    assert parts("left") == uninterrupted
    np.testing.assert_array_equal(model.parameters().data, load_model("left/last.npz")[0].parameters().data)


def test_a_loop_that_is_left_saves_and_lets_the_run_go():
    for progress in nr.train(new_model(), TEXT, run="left", **OPTIONS):
        if progress.step == 5:
            with pytest.raises(LockError, match="in use by process"):
                nr.train(new_model(), TEXT, run="left", resume=True)
            break
    gc.collect()
    assert read_checkpoint("left/last.npz")[1]["training"]["step"] == 5
    assert next(nr.train(new_model(), TEXT, run="left", resume=True)).step == 6
    gc.collect()
    nr.train(new_model(), TEXT, run="left", resume=True)  # never asked for a step
    gc.collect()
    assert [p.step for p in nr.train(new_model(), TEXT, run="left", resume=True, steps=8)] == [7, 8]


def test_an_exception_in_the_loop_saves_and_lets_the_run_go():
    def loop():
        for progress in nr.train(new_model(), TEXT, run="left", **OPTIONS):
            1 / (progress.step - 7)

    with pytest.raises(ZeroDivisionError):
        loop()
    gc.collect()
    assert read_checkpoint("left/last.npz")[1]["training"]["step"] == 7
    assert next(nr.train(new_model(), TEXT, run="left", resume=True)).step == 8


def test_a_longer_training_has_a_longer_schedule(uninterrupted):
    *_, progress = nr.train(new_model(), TEXT, run="uninterrupted", resume=True, epochs=2)
    assert (progress.step, progress.steps) == (20, 20)
    plan = Options(**read_checkpoint("uninterrupted/last.npz")[1]["training"]["options"]).plan(len(TEXT))
    assert plan.steps == 20
    assert progress.lr == plan.learning_rate(19)


def test_the_command_line_goes_on_with_it(uninterrupted, capsys):
    steps = nr.train(new_model(), TEXT, run="left", **OPTIONS)
    next(steps)
    steps.close()
    assert main(["train", "--resume", "left"]) == 1
    words = "the text was passed to nr.train and is not saved in the run: name a file that has it"
    assert capsys.readouterr().err == f"numpy-rnn: error: {words}\n"
    Path("book.txt").write_text(TEXT)
    assert main(["train", "book.txt", "--resume", "left"]) == 0
    assert parts("left") == uninterrupted


def test_a_vocabulary_may_have_more_than_the_text(capsys):
    vocabulary, model = nr.Vocabulary.from_text(TEXT + "XYZ"), new_model(12)
    for progress in nr.train(model, TEXT, vocabulary, run="more", **OPTIONS):
        assert set(progress.sample or "") <= set(vocabulary.characters)
    assert load_model("more")[1] == vocabulary
    *_, progress = nr.train(new_model(12), TEXT, run="more", resume=True, steps=13)
    assert progress.step == 13
    Path("book.txt").write_text(TEXT)
    assert main(["train", "book.txt", "--resume", "more", "--steps", "14"]) == 0
    assert load_model("more/last.npz")[1] == vocabulary


def test_the_smallest_text():
    model = nr.CharRNN(1, rng=0)
    *_, progress = nr.train(model, "aa", steps=3)
    assert progress.val_loss is None
    assert set(progress.sample) == {"a"}


def test_numbers_of_numpy_are_numbers():
    sizes = {
        name: np.int64(value) if isinstance(value, int) else np.float32(value) for name, value in OPTIONS.items()
    }
    *_, progress = nr.train(new_model(), TEXT, run="numpy", **sizes)
    assert progress.step == 12
    assert json.loads(Path("numpy/metrics.jsonl").read_text().splitlines()[-1])["step"] == 12


def test_an_interrupt_leaves_a_run_that_goes_on(uninterrupted, monkeypatch):
    """In a notebook, it comes as an exception, in the middle of a step."""
    real = nr.Adam.step

    def interrupted(optimizer):
        if optimizer.step_count == 6:
            raise KeyboardInterrupt
        real(optimizer)

    with monkeypatch.context() as patch:
        patch.setattr(nr.Adam, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(nr.train(new_model(), TEXT, run="left", **OPTIONS))
    assert next(nr.train(new_model(), TEXT, run="left", resume=True)).step == 5  # the last evaluation was at step 4
    gc.collect()
    assert list(nr.train(new_model(), TEXT, run="left", resume=True))[-1].step == 12
    assert parts("left") == uninterrupted


# How often it is saved


def test_it_is_saved_when_a_minute_has_passed(monkeypatch):
    now, saves = [0.0], []
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    real = loop.Run.save
    monkeypatch.setattr(
        loop.Run, "save", lambda run, trainer, *rest: saves.append(trainer.step) or real(run, trainer, *rest)
    )
    for _progress in nr.train(new_model(), TEXT, run="run", **OPTIONS | {"steps": 20, "eval_every": 10}):
        now[0] += 25  # after every second step
    assert saves == [0, 7, 10, 15, 20]
    assert read_checkpoint("run/best.npz")[1]["training"]["step"] in (10, 20)


@pytest.mark.parametrize("at", [3, 6, 9])
def test_killed_between_evaluations_it_goes_on_from_the_last_save(uninterrupted, monkeypatch, at):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "SAVE_SECONDS", -1.0)  # after every step
        steps = nr.train(new_model(), TEXT, run="killed", **OPTIONS)
        for _ in range(at):
            next(steps)
        lost = {path.name: path.read_bytes() for path in Path("killed").iterdir()}
        steps.close()
    for name, data in lost.items():
        Path("killed", name).write_bytes(data)
    assert read_checkpoint("killed/last.npz")[1]["training"]["step"] == at
    assert [p.step for p in nr.train(new_model(), TEXT, run="killed", resume=True)] == list(range(at + 1, 13))
    assert parts("killed") == uninterrupted
