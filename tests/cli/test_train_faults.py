"""What can go wrong with a text, a RUN or a prompt: one line that says what, and nothing is lost."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.cli import main
from numpy_rnn.storage import files as atomic
from numpy_rnn.storage import lock as lock_module
from numpy_rnn.storage import strict_json
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.lock import lock
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


def train(capsys, data, *options):
    """Train on a file of these bytes, and return the model that comes of it."""
    Path("text").write_bytes(data)
    status = main(["train", "text", "-o", "run", *SMALL, *options])
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    return load_model("run")


def error(capsys, *argv):
    """Return the one line of an error."""
    status = main(list(argv))
    captured = capsys.readouterr()
    assert status == 1
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("numpy-rnn: error: ")
    return captured.err.removeprefix("numpy-rnn: error: ").rstrip("\n")


# The text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no text in 'text': empty, expected at least two characters"),
        (b"\xef\xbb\xbf", "no text in 'text': empty, expected at least two characters"),
        (b"a", "'text' has length 1, expected at least 2: one to read and one to predict"),
        (b"good \xe9t\xe9", "'text' is not utf-8: byte 0xe9 at offset 5"),
        (b"good \xe9t\xe9", "; set the right encoding, or set errors to 'replace' or 'ignore'"),
        (b"\xef\xbb\xbfgood \xe9t\xe9", "'text' is not utf-8: byte 0xe9 at offset 8"),
        ("utf-16".encode("utf-16"), "it looks like UTF-16: set the encoding to 'utf-16'"),
    ],
)
def test_a_text_that_cannot_be_learnt(capsys, data, words):
    Path("text").write_bytes(data)
    assert words in error(capsys, "train", "text", "-o", "run")
    assert not os.path.exists("run")


def test_a_file_that_is_not_there(capsys):
    assert "cannot read 'nowhere': No such file or directory" in error(capsys, "train", "nowhere")
    assert "cannot read '.': Is a directory" in error(capsys, "train", ".")
    assert os.listdir() == []


@pytest.mark.parametrize("data", [b"ab", b"abc", b"abcdefg", b"abcdefgh"])
def test_a_file_shorter_than_one_window(capsys, data):
    model, vocabulary, _ = train(capsys, data)
    assert model.vocab_size == len(vocabulary) == len(set(data))


def test_one_distinct_character(capsys):
    train(capsys, b"a" * 40)
    assert main(["generate", "run", "-n", "5"]) == 0
    assert capsys.readouterr().out == "aaaaaa\n"


def test_other_encodings_are_read_when_named(capsys):
    text = "été à Å\n" * 9
    assert train(capsys, text.encode("latin-1"), "--encoding", "latin-1")[1].characters == tuple(sorted(set(text)))
    assert main(["train", "--resume", "run", "--steps", "8"]) == 0  # reads the file the same way


def test_a_mark_at_the_start_and_ends_of_lines_of_other_systems(capsys):
    assert train(capsys, b"\xef\xbb\xbfab\r\ncd\r\n" * 1 + b"ef\r")[1].characters == tuple("\nabcdef")


def test_bytes_that_are_no_text_survive_a_whole_round(capsys):
    data = b"a\xff\x00b\x80" * 20
    _, vocabulary, header = train(capsys, data, "--errors", "surrogateescape")
    assert vocabulary.characters == ("\0", "a", "b", "\udc80", "\udcff")
    assert header["training"]["step"] == 6
    assert main(["train", "--resume", "run", "--steps", "40"]) == 0
    out = capsys.readouterr().out  # samples
    assert "\\udcff" in out
    assert "\\x00" in out
    assert main(["generate", "run", "-n", "30", "--temperature", "1", "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert "\\udcff" in out
    assert "\0" in out
    assert main(["generate", "run", "--color"]) == 0
    assert main(["export", "run", "x.safetensors"]) == 0
    assert main(["import", "x.safetensors", "-o", "imported"]) == 0
    assert load_model("imported")[1] == vocabulary


def test_a_changed_text_is_not_gone_on_with(trained, capsys):
    Path("book.txt").write_text(TEXT[::-1])
    before = Path("run/last.npz").read_bytes(), Path("run/metrics.jsonl").read_bytes()
    assert "the text is not the one that this run was started with" in error(capsys, "train", "--resume", "run")
    assert (Path("run/last.npz").read_bytes(), Path("run/metrics.jsonl").read_bytes()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--batch-size", "300"], "--batch-size must be at most 240"),
        (
            ["--val-fraction", "0.001"],
            "--val-fraction must be 0 or leave at least 2 of the 241 characters for training and 2",
        ),
        (["--dropout", "0.5"], "--dropout must be 0 with one layer: it acts between layers, got 0.5"),
        (["--warmup-steps", "6"], "--steps must be at least 7, got 6: the warm-up takes 6 steps"),
        (["--encoding", "klingon"], "--encoding must be one that Python knows"),
        (["--errors", "klingon"], "--errors must be one that Python knows"),
        (["--max-chars", "1"], "'book.txt' has length 1, limited to 1, expected at least 2"),
        (["--corpus", "stdlib"], "leave out one of them"),
        (["--resume", "run"], "leave out -o"),
    ],
)
def test_options_that_do_not_go_together(capsys, options, words):
    Path("book.txt").write_text(TEXT)
    assert words in error(capsys, "train", "book.txt", "-o", "run", *SMALL, *options)
    assert not os.path.exists("run")


@pytest.mark.parametrize(
    "options", ["--steps 2 --epochs 2", "--clip 0", "--clip nan", "--minutes 0", "--val-fraction 1"]
)
def test_wrong_usage(capsys, options):
    with pytest.raises(SystemExit) as exit_:
        main(["train", *options.split()])
    assert exit_.value.code == 2


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
    assert "try a step size below 0.002 or clipping below 1; the last checkpoint is intact" in line
    assert load_model("sick/last.npz")[2]["training"]["step"] == 2
    assert main(["train", "--resume", "sick"]) == 0
    assert Path("sick/metrics.jsonl").read_text().count("\n") == 6


def test_weights_that_overflow(trained, capsys):
    """Each of them is finite, and so may be the loss, but not all that is made of them: no warnings, no traceback."""
    options = "--lr 1e30 --schedule constant --warmup-steps 0 --clip inf --eval-every 1 --embedding-dim 50 --steps 40"
    status = main(["train", "book.txt", "-o", "wild", *SMALL, *options.split()])
    assert capsys.readouterr().err.count("\n") == status
    assert load_model("wild/last.npz")


# The prompt, and how to draw


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prompt", "a$b€"], "prompt has the characters '$' at position 1, '€' at position 3"),
        (["--prompt", ""], "prompt is empty"),
        (["--top-k", "3"], "--top-k does nothing without a temperature, got 3"),
        (["--top-p", "0.5"], "--top-p does nothing without a temperature, got 0.5"),
        (["--samples", "3"], "without --temperature, all would be the same"),
        (["--samples", "3", "--temperature", "1", "--color"], "leave out --samples"),
    ],
)
def test_what_cannot_be_generated(trained, capsys, options, words):
    assert words in error(capsys, "generate", trained, *options)


@pytest.mark.parametrize(
    "options",
    [["--temperature", t] for t in ("0", "-1", "nan", "inf")] + [["--top-p", "0"], ["--top-k", "0"], ["-n", "0"]],
)
def test_numbers_that_mean_nothing(capsys, options):
    with pytest.raises(SystemExit) as exit_:
        main(["generate", "run", *options])
    assert exit_.value.code == 2
    assert "expected " in capsys.readouterr().err


def test_a_model_that_is_not_there(capsys):
    assert "'nowhere' does not exist" in error(capsys, "generate", "nowhere")
    assert "is no RUN" in error(capsys, "generate", ".")
    assert "is not a RUN: it has no last.npz to resume from" in error(capsys, "train", "--resume", "nowhere")


# The RUN


def test_a_run_that_is_a_file(capsys):
    Path("file").touch()
    assert "'file' is a file, expected a directory" in error(capsys, "train", "-o", "file")
    assert "'file/run' cannot be created: Not a directory" in error(capsys, "train", "-o", "file/run")


def test_a_run_that_exists(trained, capsys):
    assert "'run' already has a run: continue it with --resume run" in error(capsys, "train", "-o", "run")


@pytest.mark.parametrize("command", ["train book.txt -o mine", "import x.safetensors -o mine"])
def test_a_directory_with_other_things_in_it(trained, capsys, command):
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
        ("--steps 5", "--steps must be at least 6, got 5: 6 steps are done"),
        ("--lr 1 --max-chars 3 --errors strict", "leave out --errors, --max-chars, --lr"),
    ],
)
def test_a_run_that_cannot_go_on_so(trained, capsys, options, words):
    before = Path("run/last.npz").read_bytes()
    assert words in error(capsys, "train", "--resume", "run", *options.split())
    assert Path("run/last.npz").read_bytes() == before


def test_a_read_only_run(trained, capsys, monkeypatch):
    read_only = OSError(errno.EROFS, "Read-only file system")
    with monkeypatch.context() as patch:
        patch.setattr(lock_module, "os", FaultyOS(fails(read_only, 0)))
        assert "'run' cannot be locked: Read-only file system" in error(
            capsys, "train", "--resume", "run", "--steps", "9"
        )
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "os", FaultyOS(fails(read_only, 0)))
        assert "last.npz' cannot be written: Read-only file system" in error(capsys, "train", "-o", "new")

    def refuse(*arguments, **options):
        raise read_only

    monkeypatch.setattr(os, "mkdir", refuse)
    assert "'newer' cannot be created: Read-only file system" in error(capsys, "train", "-o", "newer")


def test_a_full_disk(trained, capsys, monkeypatch):
    before = Path("run/last.npz").read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    # The lines of metrics are written anew first, with 8 operations; what is then written is a checkpoint.
    monkeypatch.setattr(atomic, "os", FaultyOS(fails(full, 12, to_the_end=True)))
    line = error(capsys, "train", "--resume", "run", "--steps", "9")
    assert "npz' cannot be written: No space left on device; what was there before is unchanged" in line
    assert Path("run/last.npz").read_bytes() == before
    assert all(name[0] != "." or name == ".lock" or name.endswith("-tmp") for name in os.listdir("run"))


def test_two_trainings_of_one_run(trained, capsys):
    with lock("run"):
        words = f"'run' is in use by process {os.getpid()}: wait for its end, or take another directory"
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
        (b"text", "is no zip file"),
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
        patch.setattr("numpy_rnn.storage.checkpoint.VERSION", 2)
        write_checkpoint("run/last.npz", {}, {})
    words = "last.npz' has format version 2, written by numpy_rnn"
    assert words in error(capsys, "train", "--resume", "run")
    assert words in error(capsys, "generate", "run/last.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header: header["vocabulary"].pop(), "has a vocabulary of 8 characters, expected 9"),
        (lambda header: header["model"].update(dtype="float64"), "says that its model has"),
        (lambda header: header["model"].update(hidden_size=7), "says that its model has"),
        (lambda header: header.update(source={"files": ["book.txt"], "colour": "red"}), "source of another form"),
        (lambda header: header.update(source={"files": 3}), "files must be a list of str, got 3"),
        (lambda header: header["source"].update(encoding=None), "encoding must be a str, got None"),
        (lambda header: header["source"].update(text=7), "text must be a str, got 7"),
        (lambda header: header["source"].update(max_chars="all"), "max_chars must be an integer"),
        (lambda header: header["training"].pop("options"), "the checkpoint is inconsistent: options"),
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
    header = strict_json.loads(strict_json.dumps(header))
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
    assert "it is the extra 'safetensors'" in error(capsys, "export", "run", "x.safetensors")


def test_a_checkpoint_error_is_a_value_error():
    assert issubclass(CheckpointError, ValueError)
