"""What is written to a checkpoint is read back exactly, and a damaged checkpoint is refused."""

import os
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from tests.storage.checkpoints import LAYOUTS, bits, peak, read_or_refuse, refusal, same, write_small

DTYPES = [np.bool_, *np.typecodes["AllInteger"], np.float16, np.float32, np.float64, np.complex128, ">f8", ">i2"]
arrays = st.builds(
    lambda array, layout: layout(array),
    hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    st.sampled_from(LAYOUTS),
)
array_names = st.from_regex(r"[\w.-]{1,20}", fullmatch=True) | st.sampled_from(["file", "allow_pickle", "x.npy"])

characters = st.sampled_from(["\0", '"', "\\", "\n", "\u2028", "\ud83d", "\ude00", "😀"]) | st.characters()
texts = st.text(characters)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**64, 2**300) | st.floats() | texts,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint") / "last.npz"


@given(st.dictionaries(array_names, arrays, max_size=3), st.dictionaries(texts, json_values, max_size=3))
@example({}, {"two surrogates": "\ud83d\ude00", "one character": "😀", "state": 2**128 - 1, "loss": float("inf")})
def test_everything_comes_back(scratch, tensors, header):
    write_checkpoint(scratch, tensors, header)
    got, got_header = read_checkpoint(scratch)
    assert list(got) == list(tensors)
    assert all(bits(got[name]) == bits(tensors[name]) for name in tensors)
    assert all(array.flags.forc and array.flags.writeable for array in got.values())
    assert same(got_header, header)
    first = scratch.read_bytes()
    write_checkpoint(scratch, tensors, header)
    assert scratch.read_bytes() == first  # the bytes depend on the content only, not on the date
    with zipfile.ZipFile(scratch) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}
    with np.load(scratch, allow_pickle=False) as archive:
        assert all(bits(archive[f"{name}.npy"]) == bits(tensors[name]) for name in tensors)


@pytest.mark.parametrize("value", [np.float32(1), np.arange(3), b"", {1}])
def test_a_header_that_json_cannot_hold(tmp_path, value):
    with pytest.raises(TypeError, match=f"Object of type {type(value).__name__} is not JSON serializable"):
        write_checkpoint(tmp_path / "last.npz", {}, {"a": [0, {"b": value}]})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "array", "error", "words"),
    [
        ("x", [1.0], TypeError, r"arrays\['x'\] must be an ndarray, got list"),
        ("x", np.ma.masked_array([1.0], [True]), TypeError, "must be an ndarray, got MaskedArray"),
        ("x", np.array([None]), TypeError, "must be of bool, integers, floats or complex, got object"),
        ("x", np.zeros(3, "U1"), TypeError, "got <U1"),
        ("x", np.zeros(3, "M8[s]"), TypeError, "got datetime64"),
        ("x", np.zeros(3, [("a", "f4")]), TypeError, "got .*'a'"),
        ("../x", np.zeros(3), ValueError, r"the name '../x', expected letters, digits, '_', '.' and '-'"),
        ("x\0", np.zeros(3), ValueError, "the name"),
        ("", np.zeros(3), ValueError, "the name ''"),
    ],
)
def test_arrays_that_cannot_be_stored(tmp_path, name, array, error, words):
    with pytest.raises(error, match=words):
        write_checkpoint(tmp_path / "last.npz", {name: array}, {})
    assert os.listdir(tmp_path) == []


@pytest.fixture
def path(tmp_path):
    write_small(tmp_path / "last.npz")
    return tmp_path / "last.npz"


def test_every_truncation(path):
    original = read_checkpoint(path)
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        assert read_or_refuse(path, original) == "refused"


@pytest.mark.parametrize("flip", [0xFF, 0x01, 0x20, 0x80], ids=hex)
def test_every_damaged_byte(path, flip):
    content, original = path.read_bytes(), read_checkpoint(path)
    seen = {"refused": 0, "loads": 0}
    with open(path, "r+b", buffering=0) as file:
        for i, byte in enumerate(content):
            os.pwrite(file.fileno(), bytes([byte ^ flip]), i)
            seen[read_or_refuse(path, original)] += 1
            os.pwrite(file.fileno(), bytes([byte]), i)
    # A zip file stores some things twice, and dates and permissions that nobody reads. Most bytes matter.
    assert seen["refused"] > seen["loads"] > 0


def test_a_damaged_array_is_named_and_not_interpreted(path):
    content = path.read_bytes()
    start = content.index(b"\x93NUMPY")  # of fc.weight: 128 bytes of header, and six numbers
    for i in range(start, start + 128 + 24):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        assert "(the checksum of 'fc.weight.npy' does not match): use another copy" in refusal(path)


@given(st.data())
def test_any_damage(scratch, data):
    write_checkpoint(scratch, {"x": np.arange(5.0), "y": np.zeros((2, 2), int)}, {"text": "é", "n": [1, 2.5]})
    content, original = bytearray(scratch.read_bytes()), read_checkpoint(scratch)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 40))
        content[start:stop] = data.draw(st.binary(max_size=40) | st.just(content[stop : stop + 40]))
    scratch.write_bytes(content)
    read_or_refuse(scratch, original)


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_the_memory_of_writing_and_reading(scratch, layout):
    big = layout(np.ones((1 << 10, 1 << 13)))  # 64 MB
    _, memory = peak(write_checkpoint, scratch, {"x": big}, {})
    assert memory < big.nbytes / 2  # NumPy copies 16 MB at a time
    _, memory = peak(read_checkpoint, scratch)
    assert memory < big.nbytes * 9 / 8


def test_members_of_more_than_2_gigabytes(scratch, monkeypatch):
    """They need ZIP64. The limit is lower here, so that the same code runs on a small file."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    x = np.random.default_rng(0).random(1000)
    write_checkpoint(scratch, {"x": x, "y": x[:9]}, {})
    arrays, _ = read_checkpoint(scratch)
    assert bits(arrays["x"]) == bits(x)
    assert bits(arrays["y"]) == bits(x[:9])


def test_a_missing_file(tmp_path):
    assert refusal(tmp_path / "a\nb.npz") == "does not exist: check the path"
    assert refusal(tmp_path / "nowhere" / "last.npz") == "does not exist: check the path"


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    write_small(tmp_path / "last.npz")
    monkeypatch.setattr(np.lib.format, "read_array", fail)
    assert refusal(tmp_path / "last.npz") == "cannot be read: MemoryError"
