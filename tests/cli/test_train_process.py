"""Trainings as processes of their own: stopped by signals, on a terminal, with an output that goes away."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from numpy_rnn.cli import main
from numpy_rnn.storage.checkpoint import read_checkpoint
from tests.cli.test_train_cli import SMALL
from tests.training.test_run import content
from tests.training.test_trainer import TEXT

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
LONG = [*SMALL, "--steps", "600", "--eval-every", "100"]  # a line of metrics each 20 steps
# Each step sleeps, so that the training is still under way when it is stopped, at no cost of CPU time.
SLOW = """
import sys, time
from numpy_rnn.cli import main
from numpy_rnn.training.trainer import Trainer
step = Trainer.train_step
Trainer.train_step = lambda self: (time.sleep(0.01), step(self))[1]
sys.exit(main(sys.argv[1:]))
"""
COMMAND = [sys.executable, "slow.py", "train", "book.txt", "-o", "run", *LONG]


@pytest.fixture(autouse=True)
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    Path("slow.py").write_text(SLOW)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return the content of the RUN that was never stopped."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    (directory / "book.txt").write_text(TEXT)
    with contextlib.chdir(directory):
        assert main(["train", "book.txt", "-o", "run", *LONG]) == 0
    return content(directory / "run")


def handle_signals():
    """Undo what the parent ignores, as under nohup, so that the child starts as if from a terminal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def start(command=COMMAND, **options):
    """Run a process for the length of the block, or until a time limit, so that no read waits for ever."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    with subprocess.Popen(command, env=ENVIRONMENT, preexec_fn=handle_signals, **pipes) as process:
        limit = threading.Timer(120, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def saved_step():
    return read_checkpoint("run/last.npz")[1]["training"]["step"]


def resumed():
    assert main(["train", "--resume", "run"]) == 0
    return content(Path("run"))


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_the_run_can_be_resumed(number, uninterrupted):
    with start() as process:
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert lines[1].startswith("step  20/600")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    words = r"^interrupted: saved after step (\d+); resume with: numpy-rnn train --resume run$"
    at = int(re.search(words, out, re.MULTILINE)[1])
    assert 20 <= at < 600
    assert saved_step() == at
    assert err == "\nnumpy-rnn: interrupted: finishing the step and saving; interrupt again to quit at once\n"
    assert resumed() == uninterrupted


SLEEPER = (
    "import sys, time; from numpy_rnn.training.trainer import Trainer; from numpy_rnn.cli import main\n"
    "def step(self): print('at work', flush=True); time.sleep(600)\n"
    "Trainer.train_step = step; main(['train', 'book.txt', '-o', 'run'])"
)


@pytest.mark.parametrize(
    ("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGTERM"), ("SIGTERM", "SIGINT")]
)
def test_a_second_signal_ends_it_at_once(first, second):
    with start([sys.executable, "-c", SLEEPER]) as process:
        process.stdout.readline()
        assert process.stdout.readline() == "at work\n"
        process.send_signal(getattr(signal, first))
        process.stderr.readline()
        assert "interrupt again to quit at once" in process.stderr.readline()
        process.send_signal(getattr(signal, second))
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (128 + getattr(signal, second), "", "")
    assert saved_step() == 0


def test_a_hangup_that_is_ignored_stays_so():
    """As nohup does it."""
    with start(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND]) as process:
        for _ in range(2):
            process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert re.match(r"step +\d+/600", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert err.count("interrupted") == 1


# A terminal


@contextlib.contextmanager
def terminal(command):
    """Run a process on a terminal of its own; give the other end of the terminal, and the process."""
    # The first terminal that a process opens which leads a session is the one that Ctrl-C and a hangup come from.
    code = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 160))
    with start(
        [sys.executable, "-c", code, *command], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield ours, process
        finally:
            with contextlib.suppress(OSError):
                os.close(ours)


def read_until(terminal, words):
    """Return what comes from a terminal, up to the words, or to its end if there are none."""
    seen = b""
    while words is None or words not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # there is no process left at the other end
            assert words is None, seen.decode()
            break
    return seen.decode()


def test_on_a_terminal_there_is_a_bar_with_the_samples_above_it_and_an_interrupt_saves():
    pytest.importorskip("tqdm")
    with terminal(COMMAND) as (ours, process):
        seen = read_until(ours, b"validation: loss")
        os.write(ours, b"\x03")  # Ctrl-C
        seen += read_until(ours, None)
        assert process.wait(timeout=60) == 130
    at = int(re.search(r"interrupted: saved after step (\d+); resume with", seen)[1])
    assert 100 <= at < 600
    assert saved_step() == at
    assert re.search(r"\d+%\|.*\| \d+/600 .*loss \d\.\d{4} \(\d\.\d{3} bits/char\)  norm", seen)
    # The line of the bar is empty when something is printed in its place, and the bar is drawn anew below that.
    above, sample = seen.index("  validation: loss "), seen.index(f"  | {TEXT[0]}")
    assert re.search(r"\r *\r$", seen[:above])
    assert above < sample < seen.index("/600 [", sample)
    assert "step  20/600" not in seen
    assert "Traceback" not in seen


def test_a_terminal_that_is_closed_leaves_a_saved_run(uninterrupted):
    with terminal(COMMAND) as (ours, process):
        read_until(ours, b"validation: loss")
        os.close(ours)
        assert process.wait(timeout=60) == 128 + signal.SIGHUP
    assert 100 <= saved_step() < 600
    assert resumed() == uninterrupted


# An output that goes away


def shell(command):
    command = command.replace("numpy-rnn", f"{sys.executable} -m numpy_rnn")
    return subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_a_reader_that_has_had_enough_is_no_error_of_generating(capsys):
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    done = shell("set -o pipefail; numpy-rnn generate run -n 1000000 --temperature 1 | head -c 20")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) == 20


def test_a_reader_that_has_had_enough_stops_a_training_which_is_saved():
    done = shell(f"set -o pipefail; {' '.join(COMMAND)} | head -2")
    assert done.returncode == 1  # not done: what comes after it must not go on as if it were
    at = int(re.search(r"^numpy-rnn: output closed: saved after step (\d+); .*--resume run$", done.stderr)[1])
    assert 20 < at < 600
    assert saved_step() == at


def test_a_full_disk_under_the_output_is_one_line_and_the_run_is_whole():
    done = shell(f"numpy-rnn train book.txt -o run {' '.join(SMALL)} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "numpy-rnn: output cannot be written: No space left on device: saved after step 0; resume with: "
        "numpy-rnn train --resume run\n"
    )
    assert saved_step() == 0
    # The second time there is a bar, on standard error, and the first to be printed is a validation's line.
    code = (
        "import sys; from numpy_rnn.cli import main, watch\n"
        "class Bar:\n"
        "    update = close = set_postfix_str = lambda *arguments: None\n"
        "    def write(self, text): print(text, file=open('/dev/full', 'w'), flush=True)\n"
        "watch._bar = lambda trainer: Bar()\n"
        "sys.exit(main(['train', '--resume', 'run']))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left on device: saved after step 4; resume with" in done.stderr
    assert saved_step() == 4
    assert main(["train", "--resume", "run"]) == 0
    assert main(["train", "book.txt", "-o", "through", *SMALL]) == 0
    assert content(Path("run")) == content(Path("through"))
