"""A save that fails or is killed at any point leaves exactly the old content or exactly the new."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError, atomic_write, remove_leftovers
from tests.storage.faulty_os import FaultyOS, fails

SIZES = {"old": 90, "new": 200, "next": 130}


def save(path, text):
    write_checkpoint(path, {"x": np.full(SIZES[text], ord(text[0]), np.uint8), "y": np.arange(3.0)}, {"text": text})


def load(path):
    arrays, header = read_checkpoint(path)
    text = header["text"]
    assert arrays["x"].tolist() == [ord(text[0])] * SIZES[text]
    assert arrays["y"].tolist() == [0, 1, 2]
    return text


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "last.npz"
    save(path, "old")
    return path


@pytest.fixture
def through(monkeypatch):
    """Return a function that saves "new" through a `FaultyOS`, and returns the operations."""

    def save_new(path, system):
        with monkeypatch.context() as patch:
            system.install(patch)
            save(path, "new")
        return system.operations

    return save_new


def names(operations):
    return [name for name, *_ in operations]


def test_the_order_of_the_operations(path, monkeypatch):
    system = FaultyOS()
    system.install(monkeypatch)
    with atomic_write(path) as file:
        file.write(b"new")
    operations = system.operations
    assert names(operations) == ["open", "pwrite", "fsync", "close", "replace", "open", "fsync", "close"]
    file, directory = (result for name, _, result in operations if name == "open")
    temporary, target = next(arguments for name, arguments, _ in operations if name == "replace")
    assert operations[0][1][0] == temporary
    assert Path(temporary).parent == path.parent
    assert target == str(path)
    synced = [arguments[0] for name, arguments, _ in operations if name == "fsync"]
    assert synced == [file, directory]
    opened = [arguments[0] for name, arguments, _ in operations if name == "open"]
    assert opened == [temporary, str(path.parent)]
    assert {arguments[0] for name, arguments, _ in operations if name == "pwrite"} == {file}


def states_after_a_power_cut(operations, old):
    """Yield the contents that a power cut may leave, before the first operation and after each one.

    What was written to a file since its last fsync may be lost, and so may a new name before its directory's fsync.
    """
    paths, written, synced, now, maybe = {}, {}, {}, None, {old}
    yield maybe
    for name, arguments, result in operations:
        if name == "open":
            paths[result] = arguments[0]
            written[arguments[0]] = synced[arguments[0]] = b""
        elif name == "pwrite":
            descriptor, data, offset = arguments
            content = written[paths[descriptor]]
            written[paths[descriptor]] = content[:offset] + data + content[offset + len(data) :]
        elif name == "fsync":
            synced[paths[arguments[0]]] = written[paths[arguments[0]]]
            if now is not None and now != paths[arguments[0]]:
                maybe = set()  # the directory: the old name is gone
        elif name == "replace":
            now = arguments[0]
        yield maybe | ({synced[now], written[now]} if now is not None else set())


@pytest.mark.parametrize("longest", [1 << 30, 100])
def test_a_power_cut_leaves_the_old_or_the_new(path, through, longest):
    old = path.read_bytes()
    operations = through(path, FaultyOS(longest=longest))
    new = path.read_bytes()
    states = list(states_after_a_power_cut(operations, old))
    assert states[0] == {old}
    assert all(state <= {old, new} for state in states)
    assert states[-1] == {new}


@pytest.mark.parametrize("to_the_end", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("longest", [1 << 30, 300], ids=["whole writes", "short writes"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_an_error_at_any_operation(path, through, code, longest, to_the_end):
    old = path.read_bytes()
    count = names(through(path, FaultyOS(longest=longest)))
    for at in range(len(count)):
        save(path, "old")
        system = FaultyOS(fails(OSError(code, os.strerror(code)), at, to_the_end), longest)
        with pytest.raises(CheckpointError) as caught:
            through(path, system)
        message = str(caught.value)
        assert message.startswith(repr(str(path)))
        assert "\n" not in message
        assert os.strerror(code) in message
        renamed = at > count.index("replace")
        assert ("directory cannot be synced" in message) == renamed
        assert ("its previous content is unchanged" in message) == (not renamed)
        if renamed:
            assert load(path) == "new"
        else:
            assert path.read_bytes() == old
            if not to_the_end:  # otherwise the temporary file could not be removed either
                assert os.listdir(path.parent) == ["last.npz"]
        save(path, "next")
        assert load(path) == "next"


def test_a_temporary_file_that_cannot_be_removed_does_not_hide_why(path, through):
    def fault(n, name):
        if name in ("pwrite", "unlink"):
            code = errno.ENOSPC if name == "pwrite" else errno.EROFS
            raise OSError(code, os.strerror(code))

    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        through(path, FaultyOS(fault))
    assert load(path) == "old"


def test_an_interrupt_at_any_operation(path, through):
    count = names(through(path, FaultyOS(longest=100)))
    for at in range(len(count)):
        save(path, "old")
        with pytest.raises(KeyboardInterrupt):
            through(path, FaultyOS(fails(KeyboardInterrupt, at), 100))
        assert load(path) == ("new" if at > count.index("replace") else "old")
        assert os.listdir(path.parent) == ["last.npz"]


def test_an_error_leaves_no_descriptor_open(path, through):
    count = len(through(path, FaultyOS()))
    before = len(os.listdir("/dev/fd"))
    for at in range(count):
        with pytest.raises(CheckpointError):
            through(path, FaultyOS(fails(OSError(errno.EIO, "failed"), at)))
    assert len(os.listdir("/dev/fd")) == before


def test_a_kill_before_any_operation(tmp_path):
    command = [sys.executable, "-m", "tests.storage.kill_saves", str(tmp_path / "last.npz")]
    root, alone = Path(__file__).parents[2], {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=alone, capture_output=True, text=True, check=True)
    *killed, last = done.stdout.splitlines()
    assert last == "lives new next"
    assert len(killed) > 20
    # The rename is followed by three operations: open, fsync and close of the directory.
    assert killed == ["killed old next"] * (len(killed) - 3) + ["killed new next"] * 3
    leftovers = [name for name in os.listdir(tmp_path) if name != "last.npz"]
    assert len(leftovers) == len(killed) - 4  # none before the first operation or after the rename
    (tmp_path / ".lock").touch()
    (tmp_path / "mine.numpy_rnn-tmp").touch()
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "last.npz", "mine.numpy_rnn-tmp"]


def test_a_limit_on_the_size_of_files(path):
    """With a limit on the size of files, the write that reaches it is short, and the next one fails."""
    old, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    save(path, "new")
    size = path.stat().st_size
    save(path, "old")
    for most in [*range(0, size, 13), size - 1]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            with pytest.raises(CheckpointError, match="cannot be written: File too large"):
                save(path, "new")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == old
        assert os.listdir(path.parent) == ["last.npz"]


def test_a_file_system_that_cannot_sync_a_directory_is_no_error(path, through):
    at = names(through(path, FaultyOS())).index("replace") + 2
    save(path, "old")
    assert names(through(path, FaultyOS(fails(OSError(errno.EINVAL, "no"), at))))[at] == "fsync"
    assert load(path) == "new"


def test_windows_has_no_fsync_of_directories(path, through):
    system = FaultyOS()
    system.name = "nt"
    assert names(through(path, system))[-1] == "replace"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES], ids=errno.errorcode.get)
def test_a_read_only_directory(path, through, code):
    with pytest.raises(
        CheckpointError, match=f"last.npz' cannot be written: {os.strerror(code)}; its previous content"
    ):
        through(path, FaultyOS(fails(OSError(code, os.strerror(code)), 0)))
    assert load(path) == "old"


def test_a_missing_directory(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be written: No such file or directory"):
        save(tmp_path / "nowhere" / "last.npz", "new")
    assert os.listdir(tmp_path) == []
