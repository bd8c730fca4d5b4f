"""A directory has one holder at a time, until it ends or is killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from numpy_rnn.storage.files import LockError, lock
from tests.storage.faulty_os import FaultyOS, fails

HOLD = (
    "import sys; from numpy_rnn.storage.files import lock\n"
    "with lock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path):
    """Another process, which holds `tmp_path`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def refusal(directory):
    with pytest.raises(LockError) as caught, lock(directory):
        pytest.fail("two hold the directory")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_the_same_process_cannot_lock_twice(tmp_path):
    with lock(tmp_path):
        message = refusal(tmp_path)
        assert message == (
            f"{str(tmp_path)!r} is in use by process {os.getpid()}: wait until it ends, or use another directory"
        )
        refusal(tmp_path)  # the first refusal did not release the lock
    with lock(tmp_path):
        pass


def test_a_second_process_is_refused(tmp_path, holder):
    assert f"in use by process {holder.pid}:" in refusal(tmp_path)


def test_the_lock_ends_with_the_process(tmp_path, holder):
    refusal(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock(tmp_path):
        assert f"in use by process {os.getpid()}:" in refusal(tmp_path)


def test_the_lock_ends_at_the_end_of_the_block(tmp_path, holder):
    holder.communicate()  # closes its standard input
    assert holder.returncode == 0
    with lock(tmp_path):
        pass


def test_the_lock_ends_with_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        raise ZeroDivisionError
    with lock(tmp_path):
        pass


def test_the_lock_ends_even_if_a_child_has_the_descriptor(tmp_path, monkeypatch):
    system = FaultyOS()
    system.install(monkeypatch)
    with lock(tmp_path):
        descriptor = os.dup(system.operations[0][2])  # as after os.fork
    with lock(tmp_path):
        pass
    os.close(descriptor)


def test_two_directories_are_two_locks(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with lock(tmp_path / "a"), lock(tmp_path / "b"):
        refusal(tmp_path / "a")


def test_the_file_remains_and_an_old_process_id_does_no_harm(tmp_path):
    (tmp_path / ".lock").write_text("1234567890")
    inode = (tmp_path / ".lock").stat().st_ino
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / ".lock").stat().st_ino == inode
    assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"evil\nlines\n" * 9])
def test_a_lock_file_without_a_process_id(tmp_path, content):
    with lock(tmp_path):
        (tmp_path / ".lock").write_bytes(content)
        assert "is in use by another process: " in refusal(tmp_path)


def test_a_missing_directory(tmp_path):
    words = re.escape(f"{str(tmp_path / 'nowhere')!r} cannot be locked: No such file or directory")
    assert re.fullmatch(words, refusal(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    assert "cannot be locked: Not a directory" in refusal(tmp_path / "file")


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "text").write_text("mine")
    (tmp_path / ".lock").symlink_to("text")
    assert "cannot be locked: Too many levels of symbolic links" in refusal(tmp_path)
    assert (tmp_path / "text").read_text() == "mine"


@pytest.mark.parametrize("at", [0, 1])
def test_a_full_disk(tmp_path, monkeypatch, at):
    with monkeypatch.context() as patch:
        FaultyOS(fails(OSError(28, "No space left on device"), at)).install(patch)
        assert "cannot be locked: No space left on device" in refusal(tmp_path)
    with lock(tmp_path):
        pass


def test_an_error_at_the_release_does_not_hide_that_of_the_block(tmp_path, monkeypatch):
    system = FaultyOS(fails(OSError(28, "No space left on device"), 2))
    system.install(monkeypatch)
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        raise ZeroDivisionError
    assert system.names() == ["open", "write", "close"]


def test_nothing_is_locked_on_windows(tmp_path, monkeypatch):
    system = FaultyOS()
    system.name = "nt"
    system.install(monkeypatch)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lock(tmp_path), lock(tmp_path):
        assert os.listdir(tmp_path) == []
