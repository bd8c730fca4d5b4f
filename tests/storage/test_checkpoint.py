"""What is written to a checkpoint is read back exactly, or refused with a one-line error."""

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError

DTYPES = [np.bool_, *np.typecodes["AllInteger"], np.float16, np.float32, np.float64, np.complex128, ">f8", ">i2"]
LAYOUTS = [
    lambda a: a,
    lambda a: a.T,
    np.asfortranarray,
    lambda a: a[..., ::-1] if a.ndim else a,
    lambda a: a[::2] if a.ndim else a,
    lambda a: np.broadcast_to(a, (3, *a.shape)),  # read-only, with a stride of zero
]
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


def same(a, b):
    """Whether two headers are equal, with the same types: 1 is not 1.0 or True, -0.0 is not 0.0, and nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint") / "last.npz"


@given(st.dictionaries(array_names, arrays, max_size=3), st.dictionaries(texts, json_values, max_size=3))
def test_everything_comes_back(scratch, tensors, header):
    write_checkpoint(scratch, tensors, header)
    got, got_header = read_checkpoint(scratch)
    assert list(got) == list(tensors)
    assert all(bits(got[name]) == bits(tensors[name]) for name in tensors)
    assert all(array.flags.forc and array.flags.writeable for array in got.values())
    assert same(got_header, header)
    first = scratch.read_bytes()
    write_checkpoint(scratch, tensors, header)
    assert scratch.read_bytes() == first  # the bytes depend on the content only
    with np.load(scratch, allow_pickle=False) as archive:
        assert all(bits(archive[f"{name}.npy"]) == bits(tensors[name]) for name in tensors)


def test_the_state_of_a_generator_comes_back(scratch):
    rng, other = np.random.default_rng(5), np.random.default_rng()
    rng.random(3)
    write_checkpoint(scratch, {}, {"rng": rng.bit_generator.state})
    other.bit_generator.state = read_checkpoint(scratch)[1]["rng"]
    assert other.random(9).tolist() == rng.random(9).tolist()


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
    """A checkpoint of about a kilobyte."""
    path = tmp_path / "last.npz"
    tensors = {
        "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "h": np.array(1.5 + 2j),
        "none": np.zeros(0),
    }
    write_checkpoint(path, tensors, {"vocabulary": "aé\ud800\0", "best": float("inf"), "seed": 2**90})
    return path


def check_message(path, error):
    """Return the message, without the path at its beginning."""
    message = str(error)
    assert len(message.splitlines()) == 1
    assert message.startswith(repr(str(path)) + " ")
    return message.removeprefix(repr(str(path)) + " ")


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    return check_message(path, caught.value)


def read_or_refuse(path, original):
    """Check that the file is refused in one line, or loads as `original`; return which of the two."""
    try:
        tensors, header = read_checkpoint(path)
    except CheckpointError as error:
        check_message(path, error)
        return "refused"
    assert {name: bits(array) for name, array in tensors.items()} == {n: bits(a) for n, a in original[0].items()}
    assert same(header, original[1])
    return "loads"


def test_every_truncation(path):
    original = read_checkpoint(path)
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        assert read_or_refuse(path, original) == "refused"


@pytest.mark.parametrize("flip", [0xFF, *(1 << k for k in range(8))], ids=hex)
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
        (saved(np.save, np.array([Bomb()], object)), ["|O", [1]]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_array_that_numpy_would_not_write(path, content, description):
    rezip(path, weight(*description), {"fc.weight.npy": content})
    message = refusal(path)
    assert message.startswith(("is truncated or damaged (", "cannot be read: MemoryError"))


def peak(function, *arguments):
    tracemalloc.start()
    try:
        return function(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


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
