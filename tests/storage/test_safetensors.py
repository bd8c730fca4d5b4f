"""Arrays of any layout are read back as they were written, and invalid files are refused."""

import errno
import json
import os
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import numpy_rnn as nr
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.safetensors import load_safetensors, save_safetensors
from tests.storage.checkpoints import LAYOUTS, bits
from tests.storage.faulty_os import FaultyOS, fails
from tests.storage.test_paths import make_fifo

safetensors_numpy = pytest.importorskip("safetensors.numpy", exc_type=ImportError)
DTYPES = [np.bool_, *np.typecodes["AllInteger"], np.float16, np.float32, np.float64]
arrays = st.builds(
    lambda array, layout: layout(array),
    hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    st.sampled_from(LAYOUTS),
)
texts = st.text(max_size=8).filter(lambda text: text != "__metadata__")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("safetensors") / "model.safetensors"


@given(st.dictionaries(texts, arrays, max_size=3), st.dictionaries(texts, texts, max_size=3))
def test_everything_comes_back(scratch, tensors, metadata):
    save_safetensors(scratch, tensors, metadata)
    got, got_metadata = load_safetensors(scratch)
    assert {name: bits(array) for name, array in got.items()} == {
        name: bits(array) for name, array in tensors.items()
    }
    assert got_metadata == metadata


@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_layouts_that_safetensors_itself_gets_wrong(tmp_path, layout):
    path, x = tmp_path / "model.safetensors", layout(np.arange(12.0).reshape(4, 3))
    wrong = safetensors_numpy.load(safetensors_numpy.save({"x": x}))["x"]
    assert bits(wrong) != bits(x)  # otherwise, simplify save_safetensors
    save_safetensors(path, {"x": x})
    assert bits(load_safetensors(path)[0]["x"]) == bits(x)


def test_big_endian_numbers_become_little_endian(tmp_path):
    path = tmp_path / "model.safetensors"
    save_safetensors(path, {"x": np.arange(3, dtype=">f4")})
    assert bits(load_safetensors(path)[0]["x"]) == bits(np.arange(3, dtype="<f4"))


def test_a_model_with_its_options_and_vocabulary(tmp_path):
    path, vocabulary = tmp_path / "model.safetensors", nr.Vocabulary.from_text("añ\ud800\0")
    model = nr.CharRNN(len(vocabulary), num_layers=2, rng=0)
    save_safetensors(path, model.state_dict(), {"vocabulary": json.dumps(vocabulary.characters)})
    state_dict, metadata = load_safetensors(path)
    other = nr.CharRNN(len(vocabulary), num_layers=2, rng=1)
    other.load_state_dict(state_dict)
    assert bits(other.parameters().data) == bits(model.parameters().data)
    assert nr.Vocabulary(json.loads(metadata["vocabulary"])) == vocabulary


def test_torch_reads_ours_and_we_read_torchs(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    module = torch.nn.RNN(3, 4)
    save_safetensors(ours, module.state_dict())
    read = safetensors.torch.load_file(ours)
    assert all(torch.equal(read[name], tensor) for name, tensor in module.state_dict().items())
    safetensors.torch.save_file(module.state_dict(), theirs)
    state_dict, metadata = load_safetensors(theirs)
    assert all(bits(state_dict[name]) == bits(tensor.numpy()) for name, tensor in module.state_dict().items())
    assert metadata == {}


@pytest.mark.parametrize(
    ("state_dict", "metadata", "error", "words"),
    [
        ({"x": np.zeros(2, complex)}, {}, ValueError, "cannot be saved as safetensors: Unknown dtype"),
        ({"x": np.array([None])}, {}, ValueError, "cannot be saved as safetensors: Unknown dtype"),
        ({"x": np.zeros(2, np.longdouble)}, {}, ValueError, "cannot be saved as safetensors: Unknown dtype"),
        ({1: np.zeros(2)}, {}, TypeError, "'int' object"),
        ({"__metadata__": np.zeros(2)}, {}, ValueError, "has the name '__metadata__', which the format reserves"),
        ({"\ud800": np.zeros(2)}, {}, ValueError, "surrogates not allowed"),
        ({}, {"a": "\ud800"}, ValueError, "surrogates not allowed"),
        ({}, {"a": 1}, TypeError, "metadata.*'int' object"),
        ({}, {1: "a"}, TypeError, "metadata.*'int' object"),
    ],
)
def test_what_the_format_cannot_store(tmp_path, state_dict, metadata, error, words):
    with pytest.raises(error, match=words):
        save_safetensors(tmp_path / "model.safetensors", state_dict, metadata)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_safetensors(path, {"fc.weight": np.arange(6.0).reshape(2, 3)}, {"a": "b"})
    return path


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_safetensors(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(repr(str(path)))
    return message


def test_every_truncation_is_refused(path):
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        assert "is not a valid safetensors file" in refusal(path)


def test_a_flipped_byte_is_refused_or_loads_as_something_else(path):
    """The format has no checksum, as the docstring says. The only error it raises is a CheckpointError."""
    content, wrong = path.read_bytes(), 0
    for i, byte in enumerate(content):
        path.write_bytes(content[:i] + bytes([byte ^ 0xFF]) + content[i + 1 :])
        try:
            wrong += load_safetensors(path)[0]["fc.weight"].tolist() != [[0, 1, 2], [3, 4, 5]]
        except CheckpointError:
            assert refusal(path)
    assert wrong == 6 * 8


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_dtypes_that_numpy_does_not_have(path, dtype):
    size = 4 if dtype == "BF16" else 2
    header = json.dumps({"x": {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    assert "contains a dtype that NumPy does not have" in refusal(path)


def test_a_header_that_claims_more_than_there_is(path):
    path.write_bytes(struct.pack("<Q", 2**62) + bytes(100))
    assert "is not a valid safetensors file" in refusal(path)


def test_other_than_files(tmp_path):
    assert refusal(tmp_path / "nowhere").endswith(" does not exist: check the path")
    assert " is a directory, expected a file" in refusal(tmp_path)
    descriptor = make_fifo(tmp_path / "fifo")
    assert " is not a regular file, expected a file" in refusal(tmp_path / "fifo")
    os.close(descriptor)


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    old = path.read_bytes()
    FaultyOS(fails(OSError(errno.ENOSPC, "No space left on device"), 3), longest=50).install(monkeypatch)
    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        save_safetensors(path, {"fc.weight": np.ones(9)})
    assert path.read_bytes() == old


@pytest.mark.parametrize("call", [lambda path: load_safetensors(path), lambda path: save_safetensors(path, {})])
def test_without_the_package_the_error_says_how_to_install_it(path, monkeypatch, call):
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match="safetensors is not installed: pip install safetensors"):
        call(path)
