"""What can go wrong with a text, an option or a prompt: one line that says what, and nothing is lost."""

import os
from pathlib import Path

import pytest

from numpy_rnn.cli import main
from numpy_rnn.storage.model_file import load_model
from tests.cli.test_train_faults import SMALL, error
from tests.training.test_trainer import TEXT


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
    assert (status, len(captured.err)) == (0, 0)
    return load_model("run")


# The text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "'text' has length 0, expected at least 2: one to read and one to predict"),
        (b"\xef\xbb\xbf", "'text' has length 0, expected at least 2: one to read and one to predict"),
        (b"a", "'text' has length 1, expected at least 2: one to read and one to predict"),
        (b"good \xe9t\xe9", "'text' is not utf-8: byte 0xe9 at offset 5"),
        (b"good \xe9t\xe9", "; give its --encoding, such as latin-1, or --errors replace, or --bytes"),
        (b"\xef\xbb\xbfgood \xe9t\xe9", "'text' is not utf-8: byte 0xe9 at offset 8"),
        ("utf-16".encode("utf-16"), "'text' looks like UTF-16: give --encoding utf-16, or"),
    ],
)
def test_a_text_that_cannot_be_learnt(capsys, data, words):
    Path("text").write_bytes(data)
    assert words in error(capsys, "train", "text", "-o", "run")
    assert not os.path.exists("run")


def test_a_file_that_is_not_there(capsys):
    assert "cannot read 'nowhere': No such file or directory" in error(capsys, "train", "nowhere")
    assert "the folder '.' has no text file: it has no files" in error(capsys, "train", ".")
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


def test_bytes_that_are_no_text_survive_a_whole_round(capsysbinary):
    pytest.importorskip("safetensors")
    data = b"a\xff\x00b\x80" * 20
    _, vocabulary, header = train(capsysbinary, data, "--errors", "surrogateescape")
    assert vocabulary.characters == ("\0", "a", "b", "\udc80", "\udcff")
    assert header["training"]["step"] == 6
    assert main(["train", "--resume", "run", "--steps", "40"]) == 0
    out = capsysbinary.readouterr().out  # samples
    assert b"\\udcff" in out
    assert b"\\x00" in out
    assert main(["generate", "run", "-n", "30", "--temperature", "1", "--seed", "0"]) == 0
    assert {*capsysbinary.readouterr().out} == {*data, *b"\n"}
    assert main(["generate", "run", "--color"]) == 0
    assert main(["export", "run", "x.safetensors"]) == 0
    assert main(["import", "x.safetensors", "-o", "imported"]) == 0
    assert load_model("imported")[1] == vocabulary


def test_a_changed_text_is_not_gone_on_with(trained, capsys):
    Path("book.txt").write_text(TEXT[::-1])
    before = Path("run/last.npz").read_bytes(), Path("run/metrics.jsonl").read_bytes()
    assert "the text is not the one that this run was started with" in error(capsys, "train", "--resume", "run")
    assert (Path("run/last.npz").read_bytes(), Path("run/metrics.jsonl").read_bytes()) == before


# The prompt, and how to draw


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prompt", "a$b€"], "--prompt has the characters '$' at position 1, '€' at position 3"),
        (["--prompt", ""], "--prompt is empty"),
        (["--greedy", "--top-k", "3"], "--top-k does nothing with --greedy"),
        (["--temperature", "0", "--top-p", "0.5"], "--top-p does nothing with --greedy"),
        (["--greedy", "--seed", "0"], "--seed does nothing with --greedy"),
        (["--greedy", "--samples", "3"], "--samples would all be the same with --greedy"),
        (["--samples", "3", "--color"], "leave out --samples"),
        (["--stop", ""], "--stop must have at least one character"),
        (["--stop", "a€"], "--stop has the character '€' at position 1"),
        (["--prompt", "€$", "--skip-unknown"], "only characters that the model does not know: '€', '$'"),
        (["--prompt", "a\\q", "--prompt-escapes"], r"--prompt has the escape '\q', expected \n"),
        (["--prompt", r"a\UFFFFFFFF", "--prompt-escapes"], r"--prompt has the escape '\UFFFFFFFF', expected \n"),
        (["--stop", "a\\", "--prompt-escapes"], r"--stop has the escape '\', expected \n"),
        (["--encoding", "utf-8"], "--encoding is for --prompt-file"),
        (["--prompt-file", "empty"], "'empty' is empty, expected at least one character"),
        (["--prompt-file", "book.txt", "--encoding", "klingon"], "--encoding must be one that Python knows"),
        (["--color", "--json"], "--color shades one text: leave out --json"),
        (["--color", "--lines"], "--color shades one text: leave out --lines"),
        (["--prompt-file", "nowhere"], "cannot read 'nowhere'"),
    ],
)
def test_what_cannot_be_generated(trained, capsys, options, words):
    Path("empty").touch()
    assert words in error(capsys, "generate", trained, *options)


@pytest.mark.parametrize(
    "options",
    [["--temperature", t] for t in ("-1", "nan", "inf")] + [["--top-p", "0"], ["--top-k", "0"], ["-n", "0"]],
)
def test_numbers_that_mean_nothing(capsys, options):
    with pytest.raises(SystemExit) as exit_:
        main(["generate", "run", *options])
    assert exit_.value.code == 2
    assert "expected " in capsys.readouterr().err


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
