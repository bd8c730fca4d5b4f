"""Where `train` gets its text from: pipes, folders, several files, bytes, and files that are no text."""

import bz2
import gzip
import os
import re
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from numpy_rnn.cli import main
from numpy_rnn.storage.model_file import load_model
from tests.cli.test_output import shell
from tests.cli.test_train_cli import run
from tests.cli.test_train_faults import SMALL, error
from tests.training.test_trainer import TEXT

SHORT = " ".join(SMALL)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)


# Standard input


@pytest.mark.parametrize("how", ["cat book.txt | {}", "{} < book.txt"])
def test_a_text_that_is_piped_in_is_learnt(how):
    done = shell(how.format(f"numpy-rnn train {SHORT}"))
    assert done.returncode == 0
    assert done.stdout.startswith(b"241 characters, ")
    assert done.stderr == b"numpy-rnn: no FILE is named: reading standard input\n"
    assert os.path.isdir("stdin-run")


@pytest.mark.parametrize("stdin", ["/dev/null", "closed", "socket"])
def test_without_a_pipe_a_text_must_be_named_and_none_is_waited_for(stdin):
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "numpy_rnn", "train", *SMALL, "-o", "run"]
    for files, status in ([], 1), (["book.txt"], 0):
        if stdin == "closed":
            done = shell(f"numpy-rnn train {SHORT} -o run {' '.join(files)} <&-")
        else:
            with open(os.devnull) as null:
                given = null if stdin == "/dev/null" else theirs
                environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
                done = subprocess.run(
                    [*command, *files], stdin=given, capture_output=True, check=False, timeout=60, env=environment
                )
        assert done.returncode == status, done.stderr
        if status:
            assert done.stderr.startswith(b"numpy-rnn: error: train needs a text: name a FILE, '-' for")
    ours.close()
    theirs.close()


def test_an_empty_pipe_is_one_line():
    done = shell("true | numpy-rnn train")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        b"numpy-rnn: error: standard input has length 0, expected at least 2: one to read and one to predict"
    )


# Several files


def test_the_end_of_each_file_is_validated_on_in_any_order(capsys):
    Path("a").write_text("a" * 3000)
    Path("b").write_text("b" * 1000)
    for files in ("ab", "ba"):
        assert main(["train", *files, "-o", files, *SMALL]) == 0
        out = capsys.readouterr().out
        assert "2 files, a newline between two of them; the end of each is kept for validation" in out
        assert "200 for validation" in out
    source = load_model("ab")[2]["source"]
    assert source["files"] == ["a", "b"]
    assert main(["train", "--resume", "ab", "--steps", "8"]) == 0
    assert main(["train", "a", "b", "--val-fraction", "0", *SMALL]) == 0
    assert "2 files, a newline between two of them\n" in capsys.readouterr().out


def test_a_folder_stands_for_its_texts(capsys):
    for name in ("texts/b.txt", "texts/a/z.md", "texts/.hidden", "texts/.git/config", "texts/old-run/metrics.jsonl"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(TEXT)
    Path("texts/old-run/last.npz").write_text("the output of a training")
    Path("texts/photo.png").write_bytes(b"\x89PNG\r\n")
    Path("texts/latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo("texts/pipe")
    status, out, err = run(capsys, "train", "texts/", *SMALL)
    assert status == 0
    assert "2 files, " in out
    assert err == (
        "numpy-rnn: left out of the folder 'texts/': 'texts/latin.txt' is not utf-8: byte 0xe9 at offset 3, "
        "unexpected end of data; give its --encoding, such as latin-1, or --errors replace, or --bytes; and 1 more\n"
    )
    assert os.path.isdir("texts-run")
    os.chdir("texts")
    assert run(capsys, "train", ".", *SMALL)[0] == 0
    assert os.path.isdir("texts-run")
    Path("b.txt").unlink()
    assert (
        "the text is not the one that this run was started with" in run(capsys, "train", "--resume", "texts-run")[2]
    )
    os.mkdir("none")
    assert "the folder 'none' has no text file" in error(capsys, "train", "none")


# Bytes


def test_bytes_of_any_kind_come_back(capsysbinary):
    data = bytes(range(256)) * 8
    Path("any.bin").write_bytes(b"\x1f\x8b" + data)
    assert main(["train", "any.bin", "--bytes", "-o", "run", *SMALL, "--steps", "9"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"1,948 bytes, 102 for validation, 256 distinct; ")
    model, vocabulary, _ = load_model("run")
    assert model.vocab_size == 256
    assert vocabulary.is_bytes
    assert main(["train", "--resume", "run", "--steps", "12"]) == 0
    capsysbinary.readouterr()
    assert main(["generate", "run", "-n", "3000", "--temperature", "9", "--seed", "1", "--prompt", "é\r"]) == 0
    out = capsysbinary.readouterr().out
    assert out.startswith("é\r".encode())
    assert len(out) == 3 + 3000 + 1
    assert {*out} == {*range(256)}
    assert main(["generate", "run", "-n", "3", "--samples", "2", "--temperature", "1"]) == 0


def test_bytes_survive_an_export(capsysbinary):
    pytest.importorskip("safetensors")
    assert main(["train", "book.txt", "--bytes", "-o", "run", *SMALL]) == 0
    assert main(["export", "run", "x.safetensors"]) == 0
    assert main(["import", "x.safetensors", "-o", "imported"]) == 0
    assert load_model("imported")[1].is_bytes


def test_a_terminal_shows_the_bytes_of_a_character_as_one(capsys, monkeypatch):
    text = "é\r" * 300
    Path("french").write_text(text, newline="")
    options = "--layers 1 --hidden-size 32 --steps 300 --lr 0.01"
    assert main(["train", "french", "--bytes", "-o", "run", *options.split()]) == 0
    assert "| é\\ré\\ré\\r" in capsys.readouterr().out  # in samples too
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["generate", "run", "-n", "7"]) == 0
    assert capsys.readouterr().out == "é\\ré\\ré\n"[:-1] + "\n"


def test_line_ends_are_kept_if_one_asks_for_it(capsysbinary):
    Path("dos").write_bytes(b"AB\r\nCD\rEF\n" * 100)
    assert main(["train", "dos", "--newline", "keep", "-o", "run", *SMALL]) == 0
    assert load_model("run")[1].characters == tuple("\n\rABCDEF")
    capsysbinary.readouterr()
    assert main(["generate", "run", "--prompt", "A\r", "-n", "1"]) == 0
    assert capsysbinary.readouterr().out[:2] == b"A\r"


def test_a_folder_is_evaluated_file_by_file(capsys):
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    for name in ("texts/b", "texts/a/z", "texts/.hidden"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(TEXT)
    out = run(capsys, "evaluate", "run", "texts", "book.txt")[1]
    assert [line.partition(":")[0] for line in out.splitlines()[-4:]] == [
        "texts/b",
        "texts/a/z",
        "book.txt",
        "all files",
    ]
    Path("texts/a/z").write_bytes(gzip.compress(TEXT.encode()))
    assert "left out of the folder 'texts': 'texts/a/z' looks like gzip" in run(capsys, "evaluate", "run", "texts")[2]
    os.mkdir("none")
    assert "the folder 'none' has no text file: it has no files" in run(capsys, "evaluate", "run", "none")[2]


# What is no text


def archives():
    Path("x.gz").write_bytes(gzip.compress(TEXT.encode()))
    Path("x.bz2").write_bytes(bz2.compress(TEXT.encode()))
    with zipfile.ZipFile("x.docx", "w") as archive:
        archive.write("book.txt")
    with tarfile.open("x.tar", "w") as archive:
        archive.add("book.txt")
    Path("x.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3")
    Path("utf16").write_bytes("Some plain English text, as Windows writes it.".encode("utf-16-le"))
    Path("utf16be").write_bytes("Some plain English text, as nobody writes it.".encode("utf-16-be"))
    Path("mark").write_bytes("été".encode("utf-16"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.gz", "looks like gzip, not text: unpack it first"),
        ("x.bz2", "looks like bzip2, not text: unpack it first"),
        ("x.docx", "looks like a zip file"),
        ("x.tar", "looks like a tar archive, not text: unpack it first"),
        ("x.pdf", "looks like PDF, not text: save it as plain text first"),
        ("utf16", "looks like UTF-16: give --encoding utf-16-le"),
        ("utf16be", "looks like UTF-16: give --encoding utf-16-be"),
        ("mark", "looks like UTF-16: give --encoding utf-16, or"),
    ],
)
@pytest.mark.parametrize("options", ["", "--encoding latin-1", "--errors replace"])
def test_what_looks_like_something_else_is_named_with_what_to_do(capsys, name, words, options):
    archives()
    line = error(capsys, "train", name, "-o", "run", *options.split())
    assert line.startswith(f"'{name}' {words}")
    assert line.endswith("--bytes")
    main(["train", name, "--bytes", "-o", "run", *SMALL])
    assert load_model("run")[1].is_bytes
    if encoding := re.search("--encoding (utf-16[-a-z]*)", line):
        main(["train", name, "--encoding", encoding[1], "-o", "read", *SMALL])
        assert not {"\0", "\ufeff"} & {*load_model("read")[1].characters}
