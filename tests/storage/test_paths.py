"""Which paths are read and written: regular files only, through links, with the permissions of the umask."""

import os
import socket
import stat

import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError


def make_fifo(path):
    """Make a FIFO that has some bytes and a writer, so that a test that reads it does not wait forever."""
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)
    os.write(descriptor, bytes(1000))
    return descriptor


def make_socket(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(path))
    return server.detach()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkdir, "is a directory, expected a file or an unused name"),
        (make_fifo, "is not a regular file, expected"),
        (make_socket, "is not a regular file, expected"),
        (lambda path: os.symlink("/dev/null", path), "is not a regular file, expected"),
        (lambda path: os.symlink(path, path), "cannot be reached: Too many levels of symbolic links"),
        (lambda path: os.symlink(".", path), "is a directory, expected"),
    ],
)
def test_only_regular_files_are_read_and_written(tmp_path, monkeypatch, make, words):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    path = tmp_path / "last.npz"
    descriptor = make(path)
    before = os.lstat(path)
    with pytest.raises(CheckpointError, match=f"last.npz' {words}"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match=f"last.npz' {words}"):
        write_checkpoint(path, {}, {})
    after = os.lstat(path)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(tmp_path) == ["last.npz"]
    if descriptor is not None:
        os.close(descriptor)


@pytest.mark.parametrize("path", ["", "\0", "/dev/null/last.npz", "x" * 300])
def test_impossible_paths(path):
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    with pytest.raises(CheckpointError):
        write_checkpoint(path, {}, {})


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "last.npz"
    link.symlink_to("there/real.npz")
    for number in (1, 2):  # the first time, the target does not exist yet
        write_checkpoint(link, {}, {"number": number})
        assert link.is_symlink()
        assert read_checkpoint(link) == read_checkpoint(tmp_path / "there" / "real.npz") == ({}, {"number": number})
        assert os.listdir(tmp_path / "there") == ["real.npz"]
    assert sorted(os.listdir(tmp_path)) == ["last.npz", "there"]


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_the_umask_decides_on_permissions(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_checkpoint(tmp_path / "last.npz", {}, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "last.npz").st_mode) == 0o666 & ~umask


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_checkpoint("last.npz", {}, {"a": 1})
    assert read_checkpoint("last.npz") == read_checkpoint(tmp_path / "last.npz") == ({}, {"a": 1})
