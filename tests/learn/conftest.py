import sys

import pytest

from numpy_rnn.learn.course import course


@pytest.fixture
def solved(tmp_path, monkeypatch):
    """A folder with every exercise solved."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "course"
    folder.mkdir()
    for exercise in course():
        (folder / exercise.filename).write_text(exercise.solution())
    return folder
