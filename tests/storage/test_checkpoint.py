"""What is written to a checkpoint is read from it bit for bit, or it is refused in one line."""

import json
import os
import pickle
import socket
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import numpy_rnn as nr
from numpy_rnn.storage import strict_json
from numpy_rnn.storage.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from numpy_rnn.storage.npy import npy_header

DTYPES = [np.bool_, *np.typecodes["AllInteger"], np.float32, np.float64, np.complex128]
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
array_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)

floats = st.floats() | st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", struct.pack(">Q", bits))[0])
characters = st.sampled_from(["\0", '"', "\\", "$", "\n", "\u2028", "\ud83d", "\ude00", "😀"]) | st.characters()
texts = st.text(characters)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**64, 2**300) | floats | texts,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(texts | st.just("$float"), values, max_size=4),
    max_leaves=12,
)


def same(a, b):
    """Whether two headers are equal to the last bit: a nan equals one of the same bits, 1 is not 1.0 or True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
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
    assert all(array.flags.c_contiguous and array.flags.writeable for array in got.values())
    assert same(got_header, header)
    first = scratch.read_bytes()
    write_checkpoint(scratch, tensors, header)
    assert scratch.read_bytes() == first  # and nothing but the content decides the bytes
    with np.load(scratch, allow_pickle=False) as archive:
        assert all(bits(archive[name]) == bits(tensors[name]) for name in tensors)
        assert archive["checkpoint.json"] == zipfile.ZipFile(scratch).read("checkpoint.json")


def test_what_comes_before_the_numbers_of_an_npy_member_is_a_multiple_of_64_bytes():
    for ndim in range(30):
        header = npy_header(np.dtype(np.float32), (7,) * ndim)
        assert len(header) % 64 == 0
        assert len(header) == 10 + int.from_bytes(header[8:10], "little")


def test_a_model_and_a_generator_go_on_where_they_were(tmp_path):
    model, rng = nr.CharRNN(7, rng=0), np.random.default_rng(5)
    rng.random(3)
    write_checkpoint(tmp_path / "last.npz", model.state_dict(), {"rng": rng.bit_generator.state})
    arrays, header = read_checkpoint(tmp_path / "last.npz")
    other, other_rng = nr.CharRNN(7, rng=1), np.random.default_rng()
    other.load_state_dict(arrays)
    other_rng.bit_generator.state = header["rng"]
    assert bits(other.parameters().data) == bits(model.parameters().data)
    assert other_rng.random(9).tolist() == rng.random(9).tolist()


def test_two_surrogates_are_not_the_character_that_they_encode():
    assert strict_json.loads(strict_json.dumps(["\ud83d\ude00", "😀"])) == ["\ud83d\ude00", "😀"]


@pytest.mark.parametrize("value", [[], {"a": 1}, "é", 1.5, -0.0, 10**100, None, True, float("inf")])
def test_the_json_is_json(value):
    def refuse(token):
        raise AssertionError(token)

    json.loads(strict_json.dumps(value).decode(), parse_constant=refuse)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"betas": (0.9, 0.999)}, r"checkpoint\['header'\]\['betas'\] is of type tuple, expected None, bool, int"),
        ({"a": [0, {"b": np.float32(1)}]}, r"\['header'\]\['a'\]\[1\]\['b'\] is of type float32"),
        ({"a": np.arange(3)}, r"\['a'\] is of type ndarray"),
        ({"a": {1: 2}}, r"\['a'\] has the key 1, expected keys of type str"),
        ({"a": b""}, "is of type bytes"),
    ],
)
def test_a_header_that_would_not_come_back(tmp_path, header, words):
    with pytest.raises(TypeError, match=words):
        write_checkpoint(tmp_path / "last.npz", {}, header)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "array", "error", "words"),
    [
        ("x", [1.0], TypeError, r"arrays\['x'\] is of type list, expected ndarray"),
        ("x", np.ma.masked_array([1.0], [True]), TypeError, "is of type MaskedArray"),
        ("x", np.array([None]), TypeError, r"has dtype '\|O', expected one of \|b1, "),
        ("x", np.arange(3, dtype=">f8"), TypeError, "has dtype '>f8', expected one of"),
        ("x", np.zeros(3, np.float16), TypeError, "has dtype '<f2'"),
        ("x", np.zeros(3, "U1"), TypeError, "has dtype '<U1'"),
        ("x", np.zeros(3, "M8[s]"), TypeError, "has dtype"),
        ("../x", np.zeros(3), ValueError, r"the name '../x', expected letters, digits, '_', '.' and '-'"),
        ("/x", np.zeros(3), ValueError, "the name '/x'"),
        ("..", np.zeros(3), ValueError, "the name '..'"),
        ("", np.zeros(3), ValueError, "the name ''"),
        ("x\n", np.zeros(3), ValueError, "the name"),
        ("ä", np.zeros(3), ValueError, "the name"),
        (1, np.zeros(3), ValueError, "the name 1"),
    ],
)
def test_arrays_that_would_not_come_back(tmp_path, name, array, error, words):
    with pytest.raises(error, match=words):
        write_checkpoint(tmp_path / "last.npz", {name: array}, {})
    assert os.listdir(tmp_path) == []


@pytest.fixture
def path(tmp_path):
    """A small checkpoint, of two to four kilobytes."""
    path = tmp_path / "last.npz"
    tensors = {
        "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "h": np.array(1.5 + 2j),
        "none": np.zeros(0),
        "flags": np.array([True, False]),
        "cursor": np.arange(3),
    }
    write_checkpoint(path, tensors, {"vocabulary": "aé\ud800\0", "lr": 0.1, "nan": float("nan"), "seed": 2**90})
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
def test_every_flipped_byte(path, flip):
    content, original = path.read_bytes(), read_checkpoint(path)
    assert 2000 < len(content) < 4000
    seen = {"refused": 0, "loads": 0}
    with open(path, "r+b", buffering=0) as file:
        for i, byte in enumerate(content):
            os.pwrite(file.fileno(), bytes([byte ^ flip]), i)
            seen[read_or_refuse(path, original)] += 1
            os.pwrite(file.fileno(), bytes([byte]), i)
    # What zip says twice, and dates and permissions, may differ without harm; most of the bytes may not.
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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: "),
        (pickle.dumps({"a": 1}), "looks like a pickle, which can run any code and is never loaded: "),
        (b"hello", "is no zip file and so no checkpoint: "),
        (b"PK", "is truncated or damaged "),
        (b"PK\x05\x06" + bytes(18), "is no zip file and so no checkpoint: "),
    ],
)
def test_what_is_no_checkpoint(tmp_path, content, words):
    (tmp_path / "last.npz").write_bytes(content)
    assert refusal(tmp_path / "last.npz").startswith(words)


def test_npz_files_of_numpy(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    assert (
        refusal(tmp_path / "a.npz") == "is a zip file without checkpoint.json and so no checkpoint: give a checkpoint"
    )
    np.savez(tmp_path / "b.npz", x=np.array([Bomb()], object), allow_pickle=True)
    assert "without checkpoint.json" in refusal(tmp_path / "b.npz")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_a_pickle_is_never_loaded(path):
    path.write_bytes(pickle.dumps(Bomb()))
    assert "pickle" in refusal(path)


def rezip(path, change=lambda document: None, members=lambda members: members, compression=zipfile.ZIP_STORED):
    """Write the file again with sound checksums, after a change of the JSON and of the list of (name, bytes)."""
    with zipfile.ZipFile(path) as archive:
        contents = [(name, archive.read(name)) for name in archive.namelist()]
    document = json.loads(contents[0][1].decode("utf-8", "surrogatepass"))
    change(document)
    contents[0] = contents[0][0], json.dumps(document).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members(contents):
            archive.writestr(name, content)


def test_the_file_zipped_again_is_the_same_checkpoint(path):
    original = read_checkpoint(path)
    rezip(path)
    assert read_or_refuse(path, original) == "loads"  # so the tests below refuse for the reason that they name


def weight(**changes):
    return lambda document: document["arrays"]["fc.weight"].update(changes)


def rename_weight(name):
    def change(document):
        document["arrays"][name] = document["arrays"].pop("fc.weight")

    return change


WRONG_FORM = "has a checkpoint.json of another form than a checkpoint's"
INCOMPLETE = "has a checkpoint.json without dtype, shape and sha256 of 'fc.weight'"
DIFFERS = "has array 'fc.weight' of another dtype or shape than checkpoint.json says"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d.update(version=2, numpy_rnn="9.0"),
            "has format version 2, written by numpy_rnn '9.0'; numpy_rnn",
        ),
        (lambda d: d.update(version=2, arrays=[]), f"{nr.__version__} knows version 1: update numpy_rnn"),
        (lambda d: d.update(version=0), "has format version 0"),
        (lambda d: d.update(version="1"), WRONG_FORM),
        (lambda d: d.update(format="other"), WRONG_FORM),
        (lambda d: d.clear(), WRONG_FORM),
        (lambda d: d.update(arrays=[]), WRONG_FORM),
        (lambda d: d.update(header=None), WRONG_FORM),
        (lambda d: d.pop("header"), WRONG_FORM),
        (
            lambda d: d["header"].update({"$": 1}),
            "has a checkpoint.json that is no JSON (the key '$' has no meaning)",
        ),
        (lambda d: d["header"].update({"x": {"$float": "zz"}}), "that is no JSON"),
        (lambda d: d["header"].update({"x": {"$float": "7ff8"}}), "$float must be 16 hexadecimal digits, got '7ff8'"),
        (lambda d: d["header"].update({"x": {"$float": 1}}), "$float must be 16 hexadecimal digits, got 1"),
        (lambda d: d["header"].update(x=float("inf")), "that is no JSON (Infinity is not JSON)"),
        (weight(sha256="0" * 64), "is damaged, the SHA-256 of array 'fc.weight' is not what checkpoint.json says"),
        (weight(sha256=None), INCOMPLETE),
        (weight(shape="23"), INCOMPLETE),
        (lambda d: d["arrays"].update({"fc.weight": []}), INCOMPLETE),
        (weight(dtype="|O"), "has array 'fc.weight' of dtype '|O', expected one of |b1, "),
        (weight(dtype=">f4"), "of dtype '>f4', expected one of"),
        (weight(dtype="<i4"), DIFFERS),
        (weight(dtype="<f8"), DIFFERS),
        (weight(shape=[3, 2]), DIFFERS),
        (weight(shape=[6]), DIFFERS),
        (weight(shape=[2, 4]), DIFFERS),
        (weight(shape=[2**60]), DIFFERS),
        (weight(shape=[2, -3]), "of a shape that is not of integers of at least 0"),
        (weight(shape=[2, 3.0]), "of a shape that is not of integers of at least 0"),
        (weight(shape=[True, 6]), "of a shape that is not of integers of at least 0"),
        (rename_weight("fc"), "has 1 members 'fc.weight.npy', expected 0"),
        (lambda d: d["arrays"].pop("h"), "has 1 members 'h.npy', expected 0"),
        (lambda d: d["arrays"].update(more=d["arrays"]["h"]), "has 0 members 'more.npy', expected 1"),
    ],
)
def test_a_wrong_json(path, change, words):
    rezip(path, change)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "has a checkpoint.json that is no JSON ("),
        (b"\xff", "has a checkpoint.json that is no JSON ("),
        (b"[" * 10**5, "that is no JSON (nested too deeply)"),
        (b'{"version": 1, "version": 1}', "that is no JSON (the key 'version' is there twice)"),
        (b"1" * 5000, "that is no JSON (Exceeds the limit"),
        (b"[]", WRONG_FORM),
    ],
)
def test_what_is_no_json(path, text, words):
    rezip(path, members=lambda members: [("checkpoint.json", text), *members[1:]])
    assert words in refusal(path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "..", "a\\b"])
def test_a_path_as_a_name(path, name):
    rezip(path, rename_weight(name), lambda members: [(m.replace("fc.weight", name), c) for m, c in members])
    assert f"has an array of the name {name!r}, expected letters, digits" in refusal(path)


def test_members_too_many_and_too_few(path):
    content = path.read_bytes()
    rezip(path, members=lambda members: [*members, ("../evil", b"")])
    assert refusal(path).startswith("has 1 members '../evil', expected 0: ")
    path.write_bytes(content)
    rezip(path, members=lambda members: [m for m in members if m[0] != "h.npy"])
    assert refusal(path).startswith("has 0 members 'h.npy', expected 1: ")
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="Duplicate name"):
        rezip(path, members=lambda members: [*members, members[1]])
    assert refusal(path).startswith("has 2 members 'fc.weight.npy', expected 1: ")


def test_object_arrays_are_never_unpickled(path):
    objects = path.with_name("objects.npy")
    np.save(objects, np.array([Bomb()], object), allow_pickle=True)
    rezip(
        path, members=lambda members: [(m, objects.read_bytes() if m == "fc.weight.npy" else c) for m, c in members]
    )
    assert DIFFERS in refusal(path)


def peak(function, *arguments):
    tracemalloc.start()
    try:
        return function(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_not_unpacked(path, compression):
    rezip(path, members=lambda members: [*members, ("bomb", bytes(1 << 25))], compression=compression)
    message, memory = peak(refusal, path)
    assert message.startswith("has the compressed member 'checkpoint.json', which no checkpoint has: ")
    assert memory < 1 << 20  # of 32 MB


def test_one_member_under_many_entries_is_not_read_many_times(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("bomb", bytes(1 << 16))
        archive.filelist += archive.filelist[-1:] * 1000
    message, memory = peak(refusal, path)
    assert "its members have more than its " in message
    assert memory < 40 * path.stat().st_size


def test_a_shape_that_the_file_has_no_bytes_for_takes_no_memory(path):
    shape = (1 << 28,)
    start = npy_header(np.dtype(np.float32), shape)
    rezip(
        path,
        weight(shape=list(shape)),
        lambda members: [(m, start + bytes(24) if m == "fc.weight.npy" else c) for m, c in members],
    )
    message, memory = peak(refusal, path)
    assert DIFFERS in message
    assert memory < 1 << 20  # of 1 GB


@pytest.mark.parametrize("unit", ["{}", "[]", '{"":0}', '"\\u00e9"', "1.5", '{"":{"":[]}}'])
def test_the_memory_that_json_takes(path, unit):
    """Forty times the file is what the module says; the file is all JSON here."""
    text = f'{{"x": [{",".join([unit] * 20000)}, "😀"]}}'.encode()
    rezip(path, members=lambda members: [("checkpoint.json", text), *members[1:]])
    message, memory = peak(refusal, path)
    assert WRONG_FORM in message
    assert memory < 40 * path.stat().st_size


def test_the_memory_of_writing_and_reading(tmp_path):
    big = np.ones((1 << 20, 4))
    _, memory = peak(write_checkpoint, tmp_path / "last.npz", {"x": big}, {})
    assert memory < big.nbytes / 16
    _, memory = peak(write_checkpoint, tmp_path / "last.npz", {"x": big.T, "y": big.T}, {})
    assert memory < big.nbytes * 17 / 16  # the copy of one array that does not lie in order
    (arrays, _), memory = peak(read_checkpoint, tmp_path / "last.npz")
    assert memory < big.nbytes * (2 + 1 / 8)
    assert arrays.keys() == {"x", "y"}


def test_files_beyond_the_limits_of_the_first_zip(tmp_path, monkeypatch):
    """From 2 GiB on a member needs ZIP64; here the limit is lower, and the same code writes and reads."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    x = np.random.default_rng(0).random(1000)
    write_checkpoint(tmp_path / "last.npz", {"x": x, "y": x[:9]}, {})
    arrays, _ = read_checkpoint(tmp_path / "last.npz")
    assert bits(arrays["x"]) == bits(x)
    assert bits(arrays["y"]) == bits(x[:9])


def test_there_is_no_such_file(tmp_path):
    assert refusal(tmp_path / "a\nb.npz") == "does not exist: check the path"
    assert refusal(tmp_path / "nowhere" / "last.npz") == "does not exist: check the path"


def make_fifo(path):
    """Make a FIFO that opens at once and holds some bytes, so that a reader who tries gets no further than a test."""
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
        (os.mkdir, "is a directory, expected a file or a name that is not taken"),
        (make_fifo, "is a FIFO, expected"),
        (make_socket, "is a socket, expected"),
        (lambda path: os.symlink("/dev/null", path), "is a device, expected"),
        (lambda path: os.symlink(path, path), "cannot be reached: Too many levels of symbolic links"),
        (lambda path: os.symlink(".", path), "is a directory, expected"),
    ],
)
def test_what_is_no_regular_file(tmp_path, monkeypatch, make, words):
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    path = tmp_path / "last.npz"
    descriptor = make(path)
    before = os.lstat(path)
    assert refusal(path).startswith(words)
    with pytest.raises(CheckpointError, match=f"last.npz' {words}"):
        write_checkpoint(path, {}, {})
    after = os.lstat(path)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.listdir(tmp_path) == ["last.npz"]
    if descriptor is not None:
        os.close(descriptor)


@pytest.mark.parametrize("path", ["", "\0", "/dev/null/last.npz", "x" * 300])
def test_what_is_no_path(path):
    assert refusal(path)
    with pytest.raises(CheckpointError):
        write_checkpoint(path, {}, {})


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "last.npz"
    link.symlink_to("there/real.npz")
    for number in (1, 2):  # first the target is not there yet
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
