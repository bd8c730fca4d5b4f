"""docs/walk.md: its commands print what it shows, and the pictures are small and drawn by the command beside them."""

import re

import pytest

from tests.documents import walk

TEXT = walk.PAGE.read_text(encoding="utf-8")


def test_the_page_shows_what_is_printed():
    assert walk.updated(TEXT) == TEXT  # else: python -m tests.documents.walk


def test_another_output_shows(monkeypatch, tmp_path):
    monkeypatch.setattr(walk, "run", lambda command, folder: "a\nb\nc\n")
    assert walk.follow("console", "$ numpy-rnn x\nold\n", tmp_path) == "```console\n$ numpy-rnn x\na\nb\nc\n```\n"
    assert walk.follow("console", "$ numpy-rnn x\n...\nold\n", tmp_path) == "```console\n$ numpy-rnn x\n...\nc\n```\n"


def test_a_changed_line_must_be_there_once(tmp_path):
    path = tmp_path / "course" / walk.SEVENTH.filename
    path.parent.mkdir()
    path.write_text("a = 1\nb = 2\n")
    walk.follow("diff", " a = 1\n-b = 2\n+b = 3\n+c = 4\n", tmp_path)
    assert path.read_text() == "a = 1\nb = 3\nc = 4\n"
    with pytest.raises(LookupError, match="occurs 0 times"):
        walk.follow("diff", "-b = 2\n+b = 3\n", tmp_path)


def test_the_walk_is_complete():
    commands = re.findall(r"(?m)^\$ (numpy-rnn .*)$", TEXT)
    assert commands[0] == "numpy-rnn learn"
    assert commands[-1] == "numpy-rnn explain"
    assert (
        len(re.findall(r"```(?:console|python|diff)\n", TEXT)) == len(walk.BLOCK.findall(TEXT)) == len(commands) + 3
    )
    assert f'types "{walk.TEXT}"' in TEXT
    assert f"selects step {walk.STEP}." in TEXT


def test_pictures_are_small_and_shown_with_their_command():
    shown = re.findall(r"!\[.+\]\(figures/walk/(.+)\)", TEXT)
    assert sorted(shown) == sorted(path.name for path in walk.PICTURES.iterdir())
    for name in shown:
        assert walk.PICTURES.joinpath(name).read_bytes().startswith(b"\x89PNG")
        assert walk.PICTURES.joinpath(name).stat().st_size < 150_000
    assert "`python -m tests.documents.walk pictures`" in TEXT
