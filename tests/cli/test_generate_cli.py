"""The command generate, as a person calls it, and the commands that train suggests."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from numpy_rnn.cli import main
from numpy_rnn.display.terminal import legend
from tests.cli.test_train_cli import SMALL, run
from tests.training.test_trainer import TEXT


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    return "book.txt"


@pytest.fixture
def trained(book, capsys):
    assert run(capsys, "train", book, "-o", "run", *SMALL)[0] == 0
    return "run"


def test_generating_has_its_options(trained, capsys):
    def text(*options):
        status, out, err = run(capsys, "generate", trained, "-n", 60, *options)
        assert (status, err) == (0, "")
        return out

    greedy = text()
    assert greedy == text() == text("--temperature", 1, "--top-k", 1)
    assert len(greedy) == 1 + 60 + 1
    assert greedy[0] == TEXT[0]
    drawn = text("--temperature", 1, "--seed", 1)
    assert drawn == text("--temperature", 1, "--seed", 1)
    assert len({drawn, greedy, text("--temperature", 1, "--seed", 2), text("--temperature", 3, "--seed", 1)}) == 4
    assert len({drawn, text("--temperature", 1, "--seed", 1, "--top-p", 0.5)}) == 2
    assert text("--temperature", 1) != text("--temperature", 1)
    samples = re.split(r"^--- \d+ ---\n", text("--temperature", 1, "--seed", 1, "--samples", 300), flags=re.M)[1:]
    assert len(samples) == 300
    assert samples[0] == drawn
    assert {len(sample) for sample in samples} == {62}
    colored = text("--color")
    assert colored.startswith(legend() + "\n" + TEXT[0])
    assert re.sub(r"\x1b\[[\d;]*m", "", colored.partition("\n")[2]) == greedy


def test_generating_streams(trained, capsys, monkeypatch):
    written = []
    monkeypatch.setattr("numpy_rnn.cli.generate._write", written.append)
    run(capsys, "generate", trained, "-n", 5)
    assert [len(text) for text in written] == [1] * 7


def test_a_terminal_is_not_controlled_by_what_is_generated(trained, capsys, monkeypatch):
    import numpy_rnn as nr

    monkeypatch.setattr(nr, "stream", lambda *arguments, **options: iter([("\x1b", 0.5), ("a", 0.5)]))
    assert run(capsys, "generate", trained)[1] == "\x1ba\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(capsys, "generate", trained)[1] == "\\x1ba\n"


def test_the_help_says_what_becomes_of_control_characters(capsys):
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    assert "control characters are" in " ".join(capsys.readouterr().out.split())


def test_suggested_commands_can_be_pasted(book, capsys):
    _, out, _ = run(capsys, "train", book, "-o", "my run", *SMALL, "--minutes", "1e-9")
    assert "resume with: numpy-rnn train --resume 'my run'\n" in out
    _, out, _ = run(capsys, "train", "--resume", "my run")
    assert "done; try: numpy-rnn generate 'my run' --temperature 0.8\n" in out
    _, _, err = run(capsys, "train", book, "-o", "my run", *SMALL)
    assert "continue it with --resume 'my run' " in err


NAMES = [
    "War and Peace",
    "a$HOME;ls",
    "\x1b[31mred",
    "-dash",
    "it's",
    "back\\slash\ttab",
    "\udcff\x80é",
    "天地",
    "new\nline",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_pasted_into_a_shell(book, capsys, name):
    out = run(capsys, "train", f"./{book}", *SMALL, f"--output={name}")[1]
    assert "\x1b" not in out
    suggested = re.search("^done; try: numpy-rnn (.*)$", out, re.MULTILINE)[1]
    show = "import sys; print(ascii(sys.argv[1:]))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(show)} {suggested}"
    words = ast.literal_eval(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout.decode())
    assert words[0] == "generate"
    assert os.path.samefile(words[1], name)
    assert run(capsys, *words, "-n", 3)[0] == 0
