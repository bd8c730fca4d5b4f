"""What can go wrong with a loss or a RUN: one line that says what, and nothing is lost."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.cli import main
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError, lock
from numpy_rnn.storage.model_file import load_model
from tests.storage.faulty_os import FaultyOS, fails
from tests.training.test_trainer import TEXT

OPTIONS = "--seq-len 7 --hidden-size 6 --embedding-dim 3 --layers 1 --steps 6 --eval-every 2"
SMALL = OPTIONS.split()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(capsys):
    Path("book.txt").write_text(TEXT)
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    capsys.readouterr()
    return "run"


def error(capsys, *argv):
    """Return the one line of an error."""
    status = main(list(argv))
    captured = capsys.readouterr()
    assert status == 1
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("numpy-rnn: error: ")
    return captured.err.removeprefix("numpy-rnn: error: ").rstrip("\n")


# The loss


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite(trained, capsys, monkeypatch, loss):
    real, calls = CharRNN.loss_and_gradients, []

    def sick(*arguments):
        calls.append(real(*arguments))
        return (loss, calls[-1][1]) if len(calls) == 4 else calls[-1]

    monkeypatch.setattr(CharRNN, "loss_and_gradients", sick)
    line = error(capsys, "train", "book.txt", "-o", "sick", *SMALL)
    assert line.startswith(f"at step 4 the loss is {loss} and the norm of its gradients ")
    assert "try a step size below 0.002 or clipping below 1; what was saved before is intact" in line
    assert load_model("sick/last.npz")[2]["training"]["step"] == 2
    assert main(["train", "--resume", "sick"]) == 0
    assert Path("sick/metrics.jsonl").read_text().count("\n") == 6


def test_weights_that_overflow(trained, capsys):
    """Each of them is finite, and so may be the loss, but not all that is made of them: no warnings, no traceback."""
    options = "--lr 1e30 --schedule constant --warmup-steps 0 --clip inf --eval-every 1 --embedding-dim 50 --steps 40"
    status = main(["train", "book.txt", "-o", "wild", *SMALL, *options.split()])
    assert capsys.readouterr().err.count("\n") == status
    assert load_model("wild/last.npz")


def test_a_model_that_is_not_there(capsys):
    assert "'nowhere' does not exist" in error(capsys, "generate", "nowhere")
    assert "is not a RUN" in error(capsys, "generate", ".")
    assert "is not a RUN: it has no last.npz to resume from" in error(capsys, "train", "--resume", "nowhere")


# The RUN


def test_a_run_that_is_a_file(capsys):
    Path("file").touch()
    Path("book.txt").write_text(TEXT)
    assert "'file' is a file, expected a directory" in error(capsys, "train", "book.txt", "-o", "file")
    assert "'file/run' cannot be created: Not a directory" in error(capsys, "train", "book.txt", "-o", "file/run")


def test_a_run_that_exists(trained, capsys):
    assert "'run' already has a run: continue it with --resume run" in error(capsys, "train", "book.txt", "-o", "run")


@pytest.mark.parametrize("command", ["train book.txt -o mine", "import x.safetensors -o mine"])
def test_a_directory_with_other_things_in_it(trained, capsys, command):
    pytest.importorskip("safetensors")
    assert main(["export", "run", "x.safetensors"]) == 0
    capsys.readouterr()
    os.mkdir("mine")
    Path("mine/.hidden").touch()
    Path("mine/thesis.tex").touch()
    words = "'mine' is a directory with other files in it, such as 'thesis.tex': name a new or an empty one"
    assert words in error(capsys, *command.split())
    assert sorted(os.listdir("mine")) == [".hidden", "thesis.tex"]
    os.remove("mine/thesis.tex")
    assert main([*command.split(), *SMALL * command.startswith("train")]) == 0


def test_a_file_is_not_exported_over(trained, capsys):
    Path("x.safetensors").write_text("mine")
    words = "'x.safetensors' already exists: name another file, or remove it"
    assert words in error(capsys, "export", "run", "x.safetensors")
    assert Path("x.safetensors").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--steps 5", "--steps must be at least 6, got 5: the run has done 6 steps"),
        ("--lr 1 --max-chars 3 --errors strict", "--minutes, --mpi, --threads: leave out --errors, --max-chars"),
    ],
)
def test_a_run_that_cannot_go_on_so(trained, capsys, options, words):
    before = Path("run/last.npz").read_bytes()
    assert words in error(capsys, "train", "--resume", "run", *options.split())
    assert Path("run/last.npz").read_bytes() == before


def test_a_read_only_run(trained, capsys, monkeypatch):
    read_only = OSError(errno.EROFS, "Read-only file system")
    with monkeypatch.context() as patch:
        FaultyOS(fails(read_only, 0)).install(patch)
        assert "'run' cannot be locked: Read-only file system" in error(
            capsys, "train", "--resume", "run", "--steps", "9"
        )
    with monkeypatch.context() as patch:
        FaultyOS(fails(read_only, 2)).install(patch)  # after the two operations of the lock
        assert "last.npz' cannot be written: Read-only file system" in error(capsys, "train", "book.txt", "-o", "new")

    def refuse(*arguments, **options):
        raise read_only

    monkeypatch.setattr(os, "mkdir", refuse)
    assert "'newer' cannot be created: Read-only file system" in error(capsys, "train", "book.txt", "-o", "newer")


def test_a_full_disk(trained, capsys, monkeypatch):
    before = Path("run/last.npz").read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    # The lock takes 2 operations and rewriting the metrics 8. Then comes a checkpoint.
    FaultyOS(fails(full, 12, to_the_end=True)).install(monkeypatch)
    line = error(capsys, "train", "--resume", "run", "--steps", "9")
    assert "npz' cannot be written: No space left on device; its previous content is unchanged" in line
    assert Path("run/last.npz").read_bytes() == before
    assert all(name[0] != "." or name == ".lock" or name.endswith("-tmp") for name in os.listdir("run"))


def test_two_trainings_of_one_run(trained, capsys):
    with lock("run"):
        words = f"'run' is in use by process {os.getpid()}: wait until it ends, or use another directory"
        assert words in error(capsys, "train", "--resume", "run", "--steps", "9")
        assert main(["generate", "run"]) == 0  # to read, one need not hold it


# The checkpoint


@pytest.mark.parametrize("name", ["last.npz", "best.npz"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x80\x04pickle", "looks like a pickle"),
        (b"PK\x03\x04", "is truncated or damaged"),
        (b"text", "is not a checkpoint"),
    ],
)
def test_a_checkpoint_that_is_none(trained, capsys, name, data, words):
    Path("run", name).write_bytes(data)
    if name == "best.npz":
        assert words in error(capsys, "generate", "run")
        assert words in error(capsys, "export", "run", "x.safetensors")
    else:
        assert words in error(capsys, "train", "--resume", "run")


def test_a_newer_format(trained, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("numpy_rnn.storage.checkpoint.VERSION", 3)
        write_checkpoint("run/last.npz", {}, {})
    words = "last.npz' was written by a newer numpy_rnn, in format 3: update numpy_rnn"
    assert words in error(capsys, "train", "--resume", "run")
    assert words in error(capsys, "generate", "run/last.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda header: header["vocabulary"].pop(),
            "the vocabulary has 8 characters, but embedding.weight has 9 rows",
        ),
        (lambda header: header["model"].update(dtype="float64"), "describes its model as"),
        (lambda header: header["model"].update(hidden_size=7), "describes its model as"),
        (
            lambda header: header.update(source={"files": ["book.txt"], "colour": "red"}),
            "source or options of another form",
        ),
        (lambda header: header.update(source={"files": 3}), "files must be a list of str, got 3"),
        (lambda header: header["source"].update(encoding=None), "encoding must be a str, got None"),
        (lambda header: header["source"].update(newline=7), "newline must be a str, got 7"),
        (lambda header: header["source"].update(max_chars="all"), "max_chars must be an integer"),
        (lambda header: header["training"].pop("options"), "another form (options)"),
        (
            lambda header: header["training"]["options"].update(lr="fast"),
            "lr must be a number above 0 and at ",
        ),
        (lambda header: header["training"]["options"].pop("lr") and None, None),
        (lambda header: header["training"].update(step=-1), "step must be at least 0"),
        (lambda header: header.update(training=None), "has only a model"),
    ],
)
def test_a_header_that_does_not_fit(trained, capsys, change, words):
    arrays, header = read_checkpoint("run/last.npz")
    change(header)
    write_checkpoint("run/last.npz", arrays, header)
    if words is None:  # an option that is missing has its default
        assert main(["train", "--resume", "run"]) == 0
        return
    assert words in error(capsys, "train", "--resume", "run")


def test_extras_that_are_not_installed_are_named(trained, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install safetensors" in error(capsys, "export", "run", "x.safetensors")


def test_a_checkpoint_error_is_a_value_error():
    assert issubclass(CheckpointError, ValueError)
