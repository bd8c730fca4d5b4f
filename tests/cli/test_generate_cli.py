"""The command generate, as a person calls it, and the commands that train suggests."""

import ast
import json
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


def test_generating_has_its_options(trained, capsys):
    def text(*options):
        status, out, err = run(capsys, "generate", trained, "-n", 60, *options)
        assert (status, err) == (0, "")
        return out

    greedy = text("--greedy")
    assert greedy == text("--greedy") == text("--top-k", 1) == text("--temperature", 0)
    assert len(greedy) == 1 + 60 + 1
    assert greedy[0] == TEXT[0]
    drawn = text("--seed", 1)
    assert drawn == text("--temperature", 1, "--seed", 1)
    assert len({drawn, greedy, text("--seed", 2), text("--temperature", 3, "--seed", 1)}) == 4
    assert len({drawn, text("--seed", 1, "--top-p", 0.5)}) == 2
    assert text() != text()
    samples = re.split(r"^--- \d+ ---\n", text("--seed", 1, "--samples", 300), flags=re.M)[1:]
    assert len(samples) == 300
    assert samples[0] == drawn
    assert {len(sample) for sample in samples} == {62}


def test_the_legend_of_the_colours_stays_out_of_a_file(trained, capsys, monkeypatch):
    def text(*options):
        status, *outputs = run(capsys, "generate", trained, "-n", 60, "--greedy", *options)
        assert status == 0
        return outputs

    colored, err = text("--color")
    assert err == legend() + "\n"
    assert [re.sub(r"\x1b\[[\d;]*m", "", colored), ""] == text()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert text("--color") == [f"{legend()}\n{colored}", ""]


def test_a_text_stops_before_the_stop(trained, capsys):
    def text(*options):
        return run(capsys, "generate", trained, "-n", 300, "--seed", 5, *options)[1].removesuffix("\n")

    whole = text()
    ab, line = whole.index("ab", 1), whole.index("\n", 1)
    assert text("--stop", "ab") == whole[:ab]
    assert text("--stop", "\\n", "--stop", "ab", "--prompt-escapes") == whole[: min(ab, line)]


def test_prompts_come_from_files_with_escapes_and_without_unknown_characters(trained, capsys, monkeypatch):
    def text(*options):
        status, out, err = run(capsys, "generate", trained, "-n", 9, "--seed", 1, *options)
        assert (status, len(err.splitlines()) <= 1) == (0, True)
        return out, err

    Path("prompt.txt").write_text("ab\nc\n")
    expected = text("--prompt", "ab\nc\n")
    assert expected[0].startswith("ab\nc\n")
    assert text("--prompt-file", "prompt.txt") == expected
    assert text("--prompt", r"ab\nc\x0a", "--prompt-escapes") == expected
    assert text("--prompt", r"a\u0062\U0000000ac" + "\n", "--prompt-escapes") == expected
    out, err = text("--prompt", "€ab\n$c€\n", "--skip-unknown")
    assert out == expected[0]
    assert "left out of the prompt, as the model does not know them: '€', '$'\n" in err
    with open("prompt.txt") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert text("--prompt-file", "-") == expected


def test_a_prompt_file_is_read_as_the_training_text_was(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_bytes("aé\r\nb".encode("latin-1") * 60)
    reading = ["--newline", "keep", "--encoding", "latin-1"]
    assert run(capsys, "train", "book.txt", "-o", "run", *SMALL, *reading)[0] == 0
    generate = ["generate", "run", "-n", 1, "--json", "--prompt-file", "prompt.txt"]
    for encoding in ("latin-1", "utf-8"):
        Path("prompt.txt").write_bytes("é\r\n".encode(encoding))
        assert json.loads(run(capsys, *generate, "--encoding", encoding)[1])["prompt"] == "é\r\n"
    Path("prompt.txt").write_bytes("é\r\n".encode("latin-1"))
    assert json.loads(run(capsys, *generate)[1])["prompt"] == "é\r\n"
    err = run(capsys, *generate, "--encoding", "utf-8")[2]
    assert "'prompt.txt' is not utf-8: " in err
    assert err.endswith("; give its --encoding, such as latin-1\n")


def test_json_has_what_is_needed_to_do_it_again(trained, capsys):
    def samples(*options):
        out = run(capsys, "generate", trained, "-n", 200, "--prompt", "ab", "--json", *options)[1]
        return [json.loads(line) for line in out.splitlines()]

    first = samples("--samples", 5, "--stop", "cd", "--temperature", 0.7, "--top-k", 5)
    again = samples("--samples", 5, "--stop", "cd", "--temperature", 0.7, "--top-k", 5, "--seed", first[0]["seed"])
    assert first == again
    assert [sample["sample"] for sample in first] == [1, 2, 3, 4, 5]
    assert (first[0]["prompt"], first[0]["temperature"], first[0]["top_k"], first[0]["top_p"]) == ("ab", 0.7, 5, None)
    for sample in first:
        assert sample["text"] == "ab" + sample["completion"]
        assert sample["end"] == ("length" if len(sample["completion"]) == 200 else "stop")
    assert {sample["end"] for sample in samples("--samples", 50, "--stop", "abc", "--seed", 0)} == {"length", "stop"}
    (greedy,) = samples("--greedy")
    assert [greedy[name] for name in ("seed", "temperature", "top_k", "top_p")] == [None] * 4
    assert greedy["text"] + "\n" == run(capsys, "generate", trained, "-n", 200, "--prompt", "ab", "--greedy")[1]


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
