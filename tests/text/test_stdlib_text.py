"""The source code of the standard library as a text."""

import hashlib
import os
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.text.corpus import stdlib_text

MB = 2**20


def test_the_standard_library_is_a_text():
    text = stdlib_text()
    assert Path(string.__file__).read_text(encoding="utf-8") in text
    assert text.index("class JSONDecoder(") < text.index("class ZipFile:")
    assert len(text) > 5 * MB
    assert "\r" not in text
    assert stdlib_text(max_chars=100_003) == text[:100_003]
    assert stdlib_text(max_chars=1) == text[0]
    with pytest.raises(ValueError, match="max_chars must be at least 1, got 0"):
        stdlib_text(max_chars=0)


def test_the_standard_library_is_the_same_text_in_every_process_and_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    code = (
        "import hashlib; from numpy_rnn.text.corpus import stdlib_text; "
        "print(hashlib.sha256(stdlib_text(10**6).encode()).hexdigest())"
    )
    path = os.pathsep.join(str(Path(module.__file__).parents[1]) for module in (nr, np))
    for python, seed in ((sys.executable, "1"), (tmp_path / "venv" / "bin" / "python", "2")):
        done = subprocess.run(
            [python, "-c", code],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": seed},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == hashlib.sha256(stdlib_text(10**6).encode()).hexdigest()


def test_which_files_the_standard_library_is_made_of(tmp_path, monkeypatch):
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path) if name == "stdlib" else None)
    with pytest.raises(FileNotFoundError, match=f"no source code in '{tmp_path}': name a file"):
        stdlib_text()
    files = {
        "zipfile.py": "7",
        "json/tool.py": "4",
        "json/__init__.py": "2",
        "json/decoder.py": "3",
        "xml/dom/minidom.py": "6",
        "ast.py": "1",
        "os.py": "5",
        "site-packages/json.py": "x",
        "sitecustomize.py": "x",
        "test/test_json.py": "x",
        "unittest/test/case.py": "x",
        "ctypes/tests/a.py": "x",
        "idlelib/idle_test/b.py": "x",
        "json/grammar.txt": "x",
        "json/__pycache__/tool.pyc": "x",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "csv.py").mkdir()
    assert stdlib_text() == "1234567"
    (tmp_path / "os.py").write_bytes(b"caf\xe9")
    with pytest.warns(UserWarning, match=f"^left out of the text: '{tmp_path / 'os.py'}' is not utf-8: byte 0xe9"):
        assert stdlib_text() == "123467"
