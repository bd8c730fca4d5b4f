import sys

import pytest

from numpy_rnn.learn.course import course


@pytest.fixture
def solved(tmp_path, monkeypatch):
    """A folder with every exercise solved."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for exercise in course():
        (tmp_path / exercise.filename).write_text(exercise.solution())
    return tmp_path
