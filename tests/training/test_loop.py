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
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.lock import LockError
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
    fields = [
        {name: value for name, value in dataclasses.asdict(progress).items() if name not in (*clock, "steps")}
        for progress in seen
    ]
    empty = {"val_loss": None, "val_bits_per_char": None, "val_perplexity": None, "best": False, "sample": None}
    assert fields == [empty | line for line in uninterrupted[0]]
    assert {progress.steps for progress in seen} == {12}
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


def test_there_are_five_for_each_evaluation():
    seen = list(nr.train(new_model(), TEXT, **OPTIONS | {"steps": 33, "eval_every": 10}))
    assert [p.step for p in seen] == [*range(2, 33, 2), 33]
    assert [p.step for p in seen if p.sample is not None] == [10, 20, 30, 33]
    assert [p.step for p in seen if p.val_loss is not None] == [10, 20, 30, 33]


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


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": nr.RNN(3, 4)}, TypeError, "model must be a CharRNN, got RNN"),
        (
            {"model": nr.CharRNN(9, dtype=complex)},
            ValueError,
            "dtype must be one of float32, float64, got 'complex128'",
        ),
        (
            {"model": nr.CharRNN(65)},
            ValueError,
            r"the vocabulary has 9 characters, expected the model's 65: make the model with CharRNN\(9, ...\), or ",
        ),
        (
            {"vocabulary": nr.Vocabulary("\n abcdefgh")},
            ValueError,
            "the vocabulary has 10 characters, expected the model's 9",
        ),
        ({"vocabulary": "abcdefghi"}, TypeError, "vocabulary must be a Vocabulary, got str"),
        (
            {"vocabulary": nr.Vocabulary("abcdef123")},
            ValueError,
            "text has the characters .*'g' at position .* which are not among the 9 of the vocabulary",
        ),
        ({"text": None}, TypeError, "text must be a str, got NoneType"),
        ({"text": Path("book.txt")}, TypeError, "text must be a str, got PosixPath"),
        ({"text": ""}, ValueError, "text is empty"),
        ({"text": "a", "model": nr.CharRNN(1)}, ValueError, "text has length 1, expected at least 2"),
        ({"hidden_size": 3}, TypeError, "hidden_size is a property of the model: pass it to CharRNN"),
        (
            {"learning_rate": 3},
            TypeError,
            "train has no option 'learning_rate', expected one of seq_len, lr, ",
        ),
        ({"lr": -1}, ValueError, "lr must be a number above 0 and at most 1e30, got -1"),
        ({"steps": 3, "epochs": 2}, ValueError, "epochs and steps both set the length of the run: give one of them"),
        ({"steps": 4}, ValueError, "steps must be at least 5, got 4: the warm-up takes 4 steps"),
        ({"batch_size": 200}, ValueError, "batch_size must be at most 192"),
        ({"resume": True}, ValueError, "resume=True needs the directory of a run: pass run=..."),
        ({"resume": True, "run": "nowhere"}, ValueError, "the run was started with: leave out seq_len"),
        ({"run": "file"}, FileExistsError, "'file' is a file, expected a directory"),
        ({"run": "full"}, FileExistsError, "'full' is a directory with other files in it, such as 'mine'"),
    ],
)
def test_what_is_wrong_is_said_at_the_call(change, error, words):
    Path("file").touch()
    os.mkdir("full")
    Path("full/mine").touch()
    arguments = {"model": new_model(), "text": TEXT, **OPTIONS} | change
    before = sorted(str(path) for path in Path().rglob("*"))
    with pytest.raises(error, match=words) as raised:
        nr.train(**arguments)  # the first step is never asked for
    assert "\n" not in str(raised.value)
    assert sorted(str(path) for path in Path().rglob("*")) == before


@pytest.mark.parametrize("steps", [3, 4])
def test_a_shorter_training_than_its_warm_up(steps):
    training = nr.train(new_model(), TEXT, run="left", **OPTIONS)
    assert next(training).step == 1
    training.close()
    with pytest.raises(ValueError, match=f"steps must be at least 5, got {steps}: the warm-up takes 4 steps"):
        nr.train(new_model(), TEXT, run="left", resume=True, steps=steps)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": new_model(dropout=0.2)}, ValueError, "model has .*'dropout': 0.2.*expected that of the run"),
        ({"model": new_model(dtype=np.float64)}, ValueError, "model has .*'dtype': 'float64'"),
        ({"text": TEXT + "a"}, ValueError, "the text is not the one that this run was started with"),
        ({"steps": 4}, ValueError, "steps must be at least 12, got 4: 12 steps are done"),
        ({"steps": 11}, ValueError, "steps must be at least 12, got 11: 12 steps are done"),
        ({"epochs": 1}, ValueError, "epochs must be at least 2, got 1: 12 steps are done"),
        ({"lr": 1}, ValueError, "resume=True keeps the options that the run was started with: leave out lr"),
        ({"run": "nowhere"}, FileNotFoundError, "'nowhere' is not a RUN: it has no last.npz to resume from"),
        ({"resume": False}, FileExistsError, r"continue it with --resume uninterrupted \(in Python, resume=True\)"),
    ],
)
def test_what_cannot_be_resumed(uninterrupted, change, error, words):
    arguments = {"model": new_model(rng=0), "text": TEXT, "run": "uninterrupted", "resume": True} | change
    before = arguments["model"].parameters().data.copy()
    with pytest.raises(error, match=words):
        nr.train(**arguments)
    np.testing.assert_array_equal(arguments["model"].parameters().data, before)
    assert parts("uninterrupted") == uninterrupted


def test_a_damaged_run_leaves_the_model_as_it_was(uninterrupted):
    arrays, header = read_checkpoint("uninterrupted/last.npz")
    header["training"]["generator"] = {}
    write_checkpoint("uninterrupted/last.npz", arrays, header)
    model = new_model(rng=0)
    before = model.parameters().data.copy()
    with pytest.raises(CheckpointError, match="the checkpoint is inconsistent: "):
        nr.train(model, TEXT, run="uninterrupted", resume=True)
    np.testing.assert_array_equal(model.parameters().data, before)


def test_numbers_of_numpy_are_numbers():
    sizes = {
        name: np.int64(value) if isinstance(value, int) else np.float32(value) for name, value in OPTIONS.items()
    }
    *_, progress = nr.train(new_model(), TEXT, run="numpy", **sizes)
    assert progress.step == 12
    assert json.loads(Path("numpy/metrics.jsonl").read_text().splitlines()[-1])["step"] == 12


def test_what_diverges_says_so():
    model = new_model()
    for progress in nr.train(model, TEXT, **OPTIONS):
        if progress.step == 5:
            model.fc.weight.data[...] = np.nan
            break
    steps = nr.train(model, TEXT, **OPTIONS)
    with pytest.raises(FloatingPointError, match=r"at step 1 the loss is nan .* step size below 0.01"):
        next(steps)


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
