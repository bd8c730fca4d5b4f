"""What stops a command: during imports, while the text is read, and in an evaluation; and lines in between."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.cli import main, watch
from numpy_rnn.training import validation
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.trainer import Trainer
from tests.cli.test_train_cli import SMALL
from tests.cli.test_train_process import start
from tests.training.test_run import content
from tests.training.test_trainer import TEXT


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)


def test_ctrl_c_while_modules_are_imported():
    os.mkdir("numpy")
    Path("numpy/__init__.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(100)\n")
    with start([sys.executable, "-m", "numpy_rnn", "tutorial"]) as process:  # this directory is first on the path
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "numpy-rnn: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["train fifo -o new", "train fifo --resume run"])
def test_a_signal_while_the_text_is_read(command, number):
    if "resume" in command:
        assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    os.mkfifo("fifo")
    process_of = start([sys.executable, "-m", "numpy_rnn", *command.split()])
    with process_of as process, open("fifo", "w"):  # `open` waits until the process opens it, too
        while process.poll() is None:  # Python misses a signal that comes just before it starts to wait
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert (out, err) == ("", "numpy-rnn: interrupted\n" * (number == signal.SIGINT))
    assert not os.path.exists("new")


def test_the_time_is_over_while_the_text_is_read():
    command = [sys.executable, "-m", "numpy_rnn", "train", "-", "-o", "run", "--minutes", "1e-9"]
    with start(command, stdin=subprocess.PIPE) as process:
        process.wait(timeout=60)  # nothing is written, and the pipe stays open
        assert process.stdout.read() == ""
        assert process.stderr.read() == (
            "numpy-rnn: error: cannot read standard input: --minutes 1e-09 are over before the first step\n"
        )
    assert process.returncode == 1


def stop_in(monkeypatch, place, stop):
    """Call `stop` in the middle of the second evaluation: in its validation or in its sample."""
    if place == "validation":
        real = validation.validation_windows

        def windows(*arguments):
            for i, window in enumerate(real(*arguments)):
                yield window
                if i == 0:
                    calls.append(None)
                    if len(calls) == 2:
                        stop()

        calls = []
        monkeypatch.setattr(validation, "validation_windows", windows)
        return
    real_sample = Trainer._sample

    def sample(trainer):
        if trainer.step == 8:
            stop()
        return real_sample(trainer)

    monkeypatch.setattr(Trainer, "_sample", sample)


@pytest.mark.parametrize("place", ["validation", "sample"])
@pytest.mark.parametrize("how", ["signal", "time"])
def test_an_evaluation_is_stopped_and_repeated(monkeypatch, capsys, place, how):
    assert main(["train", "book.txt", "-o", "through", *SMALL]) == 0
    stopped = []
    with monkeypatch.context() as patch:
        if how == "signal":
            stop_in(patch, place, lambda: stopped.append(os.kill(os.getpid(), signal.SIGINT)))
        else:
            stop_in(patch, place, lambda: stopped.append(None))
            patch.setattr("numpy_rnn.cli.stop.time.monotonic", lambda: 1e9 * len(stopped))
        status = main(["train", "book.txt", "-o", "run", "--minutes", "5", *SMALL])
    assert status == (130 if how == "signal" else 0)
    assert len(stopped) == 1
    words = "interrupted" if how == "signal" else "time is up"
    assert f"{words}: saved after step 8; resume with" in capsys.readouterr().out
    assert read_metrics("run")[-1]["step"] == 7
    assert main(["train", "--resume", "run"]) == 0
    assert content(Path("run")) == content(Path("through"))


def test_there_is_a_line_at_least_every_few_seconds(monkeypatch, capsys):
    """Steps, windows and characters of a sample take 2 seconds each, on a clock of our own."""
    now, said = [0.0], []
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(watch, "print", lambda *a, **k: said.append((now[0], a[0])), raising=False)
    real_step, real_forward = Trainer.train_step, validation.CrossEntropyLoss.forward

    def slow(real):
        def call(*arguments):
            now[0] += 2.0
            return real(*arguments)

        return call

    monkeypatch.setattr(Trainer, "train_step", slow(real_step))
    monkeypatch.setattr(validation.CrossEntropyLoss, "forward", slow(real_forward))
    real_stream = Trainer._sample.__globals__["stream"]

    def stream(*arguments, **options):
        for pair in real_stream(*arguments, **options):
            now[0] += 2.0
            yield pair

    monkeypatch.setattr("numpy_rnn.training.trainer.stream", stream)
    options = {"--eval-every": "50", "--steps": "55", "--val-fraction": "0.5", "--val-chars": "100"}
    assert main(["train", "book.txt", "-o", "run", *SMALL, *sum(options.items(), ())]) == 0
    times = np.array([0.0, *(when for when, _ in said)])
    assert np.diff(times).max() <= 10
    texts = "\n".join(text for _, text in said)
    assert re.search(r"^step +\d+/55 .* loss \d\.\d+ .* left$", texts, re.M)
    assert re.search(r"^  validation: \d+ characters read$", texts, re.M)
    assert re.search(r"^  sample: \d+ characters written$", texts, re.M)
    assert [line["step"] for line in read_metrics("run")] == [10, 20, 30, 40, 50, 55]  # the other lines are not saved
