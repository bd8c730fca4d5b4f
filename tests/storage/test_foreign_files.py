"""Files that are not checkpoints, or not as they were written, are refused in one line and take no memory."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint
from tests.storage.checkpoints import peak, read_or_refuse, refusal, write_small


@pytest.fixture
def path(tmp_path):
    write_small(tmp_path / "last.npz")
    return tmp_path / "last.npz"


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def saved(save, *arguments, **arrays):
    """Return what a function of NumPy's writes to a file."""
    file = io.BytesIO()
    save(file, *arguments, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: expected a file that numpy-rnn train wrote"),
        (pickle.dumps(Bomb()), "looks like a pickle, which can run any code and is never loaded: "),
        (b"hello", "is not a checkpoint: "),
        (b"PK", "is not a checkpoint: "),
        (b"PK\x05\x06" + bytes(18), "is not a checkpoint: "),  # an empty zip file
        (b"PK\x03\x04", "is truncated or damaged "),
        (saved(np.savez, x=np.arange(3.0)), "is a zip file without checkpoint.json: expected a file that numpy-rnn"),
        (saved(np.savez, x=np.array([Bomb()], object)), "is a zip file without checkpoint.json"),
    ],
)
def test_other_files(tmp_path, content, words):
    (tmp_path / "last.npz").write_bytes(content)
    assert refusal(tmp_path / "last.npz").startswith(words)


def rezip(path, change=lambda document: None, members=(), compression=zipfile.ZIP_STORED):
    """Write the file again with correct checksums, after a change of the JSON and with other or more members."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(contents["checkpoint.json"].decode("utf-8", "surrogatepass"))
    change(document)
    contents["checkpoint.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in (contents | dict(members)).items():
            archive.writestr(name, content)


def test_the_file_zipped_again_is_the_same_checkpoint(path):
    original = read_checkpoint(path)
    rezip(path)
    assert read_or_refuse(path, original) == "loads"  # so the tests below fail for the reason that they state


def weight(*description):
    return lambda document: document["arrays"].update({"fc.weight": list(description)})


MALFORMED = "is truncated or damaged (checkpoint.json does not describe a checkpoint): use another copy"
MEMBERS = "is truncated or damaged (the list of members does not fit: missing "


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d.update(version=1, arrays={"h": {"dtype": "<f4", "shape": [], "sha256": "0"}}),
            "was written by an older numpy_rnn, in format 1, which is no longer read: train again, or export",
        ),
        (lambda d: d.update(version=3, arrays=[]), "was written by a newer numpy_rnn, in format 3: update numpy_rnn"),
        (lambda d: d.update(version="2"), MALFORMED),
        (lambda d: d.update(format="other"), MALFORMED),
        (lambda d: d.clear(), MALFORMED),
        (lambda d: d.update(arrays=[]), MALFORMED),
        (lambda d: d.update(header=None), MALFORMED),
        (lambda d: d.pop("header"), MALFORMED),
        (weight(), "array 'fc.weight' is ['<f4', [2, 3]], expected []): use another copy"),
        (weight("<i4", [2, 3]), "array 'fc.weight' is ['<f4', [2, 3]], expected ['<i4', [2, 3]]"),
        (weight("<f4", [3, 2]), "array 'fc.weight' is ['<f4', [2, 3]], expected ['<f4', [3, 2]]"),
        (weight("<f4", [2**60]), "array 'fc.weight' is"),
        (lambda d: d["arrays"].pop("h"), MEMBERS + "[], unexpected ['h.npy']): use another copy"),
        (lambda d: d["arrays"].update(more=["<f8", []]), MEMBERS + "['more.npy'], unexpected []): use another copy"),
    ],
)
def test_a_document_that_does_not_fit(path, change, words):
    rezip(path, change)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "is truncated or damaged (Expecting property name"),
        (b"\xff", "is truncated or damaged ('utf-8' codec can't decode"),
        (b"[" * 10**5, "is truncated or damaged (maximum recursion depth exceeded"),
        (b"1" * 5000, "is truncated or damaged (Exceeds the limit"),
        (b"[]", MALFORMED),
    ],
)
def test_a_document_that_is_not_json(path, text, words):
    rezip(path, members={"checkpoint.json": text})
    assert words in refusal(path)


def npy(header, data=bytes(24)):
    """Return an .npy file with any text as its header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
NINES = "9" * 30


def test_an_npy_header_of_another_length_is_read(path):
    original = read_checkpoint(path)
    rezip(path, members={"fc.weight.npy": npy(HEADER % "(2, 3)", np.arange(6, dtype=np.float32).tobytes())})
    assert read_or_refuse(path, original) == "loads"


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"", ["<f4", [2, 3]]),
        (npy(HEADER % "(2, 3)", bytes(23)), ["<f4", [2, 3]]),
        (npy(HEADER % "(2, 3)", bytes(25)), ["<f4", [2, 3]]),
        (npy(HEADER % "(-2, -3)"), ["<f4", [-2, -3]]),
        (npy(HEADER % "(2, 3.0)"), ["<f4", [2, 3]]),
        (npy(HEADER % f"({NINES}, 0)", b""), ["<f4", [int(NINES), 0]]),
        (npy("(" * 5000), ["<f4", [2, 3]]),
        (npy("-" * 9000 + "1"), ["<f4", [2, 3]]),
        (npy("{" + " " * 20000 + "}"), ["<f4", [2, 3]]),
        (npy("'''"), ["<f4", [2, 3]]),
        (npy("'\\d'"), ["<f4", [2, 3]]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_array_that_numpy_would_not_write(path, content, description):
    rezip(path, weight(*description), {"fc.weight.npy": content})
    message = refusal(path)
    assert message.startswith(("is truncated or damaged (", "cannot be read: MemoryError"))


def test_a_pickle_in_an_array_is_never_loaded(path):
    data = pickle.dumps(Bomb())
    data += bytes(-len(data) % 8)  # as many bytes as its elements claim, so that only its dtype speaks against it
    shape = [len(data) // 8]
    rezip(path, weight("|O", shape), {"fc.weight.npy": npy(HEADER.replace("<f4", "|O") % f"({shape[0]},)", data)})
    assert "Object arrays cannot be loaded when allow_pickle=False" in refusal(path)


@pytest.mark.parametrize(
    ("shape", "words"),
    [([6], f"is ['<f4', [{2**28}]], expected ['<f4', [6]]"), ([2**28], f"has 100 bytes, expected {2**30 + 76}")],
)
def test_a_shape_that_is_larger_than_the_file_takes_no_memory(path, shape, words):
    rezip(path, weight("<f4", shape), {"fc.weight.npy": npy(HEADER % f"({2**28},)")})
    message, memory = peak(refusal, path)
    assert f"array 'fc.weight' {words}" in message
    assert memory < 1 << 20  # instead of 1 GB


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_not_unpacked(path, compression):
    rezip(path, members={"bomb": bytes(1 << 23)}, compression=compression)
    message, memory = peak(refusal, path)
    assert "(a member is compressed)" in message
    assert memory < 1 << 20  # instead of 8 MB


def test_one_member_under_many_entries_is_not_read_many_times(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("bomb", bytes(1 << 16))
        archive.filelist += archive.filelist[-1:] * 1000
    message, memory = peak(refusal, path)
    assert "(its members claim more bytes than the file has)" in message
    assert memory < 40 * path.stat().st_size


@pytest.mark.parametrize("unit", ["{}", "[]", '{"":0}', '"\\u00e9"', "1.5", '{"":{"":[]}}'])
def test_the_memory_that_json_takes(path, unit):
    """At most forty times the size of the file, which is all JSON here."""
    rezip(path, members={"checkpoint.json": f'{{"x": [{",".join([unit] * 20000)}, "😀"]}}'.encode()})
    message, memory = peak(refusal, path)
    assert MALFORMED in message
    assert memory < 40 * path.stat().st_size
