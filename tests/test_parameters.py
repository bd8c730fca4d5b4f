import copy
import pickle

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.checks import as_dtype
from tests.optional import torch_reference

SHAPES = {"a": (2, 3), "b": (), "c": (0, 4), "d": (5,)}


def make_model(dtype=np.float64):
    return nr.CharRNN(5, 3, 4, dtype=dtype, rng=0)


def assert_aliased(parameters):
    """Every named view is a window on the flat vectors, in order and without gaps."""
    for vector in ("data", "grad"):
        flat = getattr(parameters, vector)
        assert flat.flags.c_contiguous
        flat[:] = np.arange(flat.size)
        named = [getattr(p, vector).ravel() for p in parameters.values()]
        np.testing.assert_array_equal(np.concatenate([*named, []]), np.arange(flat.size))
        for p in parameters.values():
            getattr(p, vector)[...] = -1
        np.testing.assert_array_equal(flat, -1)


def test_named_views_alias_the_flat_vectors():
    assert_aliased(nr.Parameters(SHAPES, np.float64))


def test_the_layers_of_a_model_share_its_vectors():
    model = make_model()
    assert_aliased(model.parameters())
    for name in ("embedding", "rnn", "fc"):
        part = getattr(model, name).parameters()
        assert_aliased(part)
        for inner, p in part.items():
            assert p.data is not None
            assert np.shares_memory(p.data, model.parameters()[f"{name}.{inner}"].data)
            assert np.shares_memory(p.grad, model.parameters()[f"{name}.{inner}"].grad)
        assert np.shares_memory(part.data, model.parameters().data)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_shares_memory_within_itself_alone(duplicate):
    model = make_model()
    tokens, others = np.array([[0, 1], [2, 3], [4, 0]]), np.array([[3, 3], [1, 0], [4, 2]])
    model.loss_and_gradients(tokens, tokens)  # leaves tapes, and gradients
    before = model.state_dict()
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.parameters().data, model.parameters().data)
    np.testing.assert_array_equal(twin.parameters().grad, model.parameters().grad)
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        twin.backward(np.zeros((3, 2, 5)))

    expected = model.loss_and_gradients(others, others)[0], model.parameters().grad.copy()
    assert twin.loss_and_gradients(others, others)[0] == expected[0]
    np.testing.assert_array_equal(twin.parameters().grad, expected[1])
    nr.Adam(twin.parameters()).step()
    assert twin.loss_and_gradients(others, others)[0] < expected[0]  # the copy's layers see the copy's new weights
    assert_aliased(twin.parameters())
    assert_aliased(twin.rnn.parameters())
    assert np.shares_memory(twin.rnn.parameters().data, twin.parameters().data)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_assignment_writes_into_the_memory_that_is_there():
    parameters = nr.Parameters(SHAPES, np.float64)
    parameters["a"].data -= 1
    parameters["d"].grad = np.arange(5)
    np.testing.assert_array_equal(parameters.data, [-1] * 6 + [0] * 6)
    np.testing.assert_array_equal(parameters.grad, [0] * 7 + [0, 1, 2, 3, 4])
    parameters.data = 7
    parameters.grad += 1
    assert_array = np.testing.assert_array_equal
    assert_array(parameters["a"].data, np.full((2, 3), 7))
    assert_array(parameters["b"].grad, 1)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (None, TypeError, "grad must be an array of numbers, got NoneType"),
        (1j, TypeError, "grad has dtype complex128"),
        ("1.5", TypeError, "grad has dtype <U3"),
        ([1.0, 2.0], ValueError, r"grad has shape \(2,\), expected the parameter's shape = \(2, 3\)"),
        ([[1.0], [2.0, 3.0]], ValueError, "grad is not an array: "),
    ],
)
def test_what_does_not_fit_is_not_assigned(value, error, words):
    parameters = nr.Parameters(SHAPES, np.float64)
    with pytest.raises(error, match=words):
        parameters["a"].grad = value
    np.testing.assert_array_equal(parameters.grad, 0)


def test_names_and_order_are_those_of_torch():
    mirror = torch_reference.CharRNN(5, 3, 4)
    state = make_model().state_dict()
    assert list(state) == list(mirror.state_dict())
    assert [value.shape for value in state.values()] == [tuple(p.shape) for p in mirror.parameters()]


def test_views_name_the_pieces_of_any_vector():
    parameters = nr.Parameters(SHAPES, np.float64)
    vector = np.arange(12.0)
    views = parameters.views(vector)
    np.testing.assert_array_equal(views["a"], [[0, 1, 2], [3, 4, 5]])
    views["b"][...] = 70
    assert vector[6] == 70
    with pytest.raises(ValueError, match=r"vector has shape \(11,\), expected \(12,\)"):
        parameters.views(vector[1:])


def test_a_state_dict_is_a_copy():
    model = make_model()
    state = model.state_dict()
    model.parameters().data += 1
    for name, value in state.items():
        np.testing.assert_allclose(model.parameters()[name].data - value, 1)


def test_a_state_dict_of_torch_loads():
    model = make_model(np.float32)
    mirror = torch_reference.CharRNN(5, 3, 4)
    for source in (mirror.state_dict(), dict(mirror.named_parameters())):  # the latter require gradients
        model.parameters().data = 0
        model.load_state_dict(source)
        for name, p in mirror.named_parameters():
            np.testing.assert_array_equal(model.parameters()[name].data, p.detach().numpy())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"fc.bias": None}, KeyError, r"missing \['fc\.bias'\], unexpected \[\]"),
        ({"fc.scale": np.zeros(5)}, KeyError, r"missing \[\], unexpected \['fc\.scale'\]"),
        ({"fc.bias": np.zeros(6)}, ValueError, r"fc\.bias has shape \(6,\), expected the parameter's shape = \(5,\)"),
        ({"fc.bias": np.zeros(5, complex)}, TypeError, r"fc\.bias has dtype complex128"),
        ({"fc.bias": np.array(["x"] * 5)}, TypeError, r"fc\.bias has dtype <U1"),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(change, error, words):
    model = make_model()
    before = model.parameters().data.copy()
    state = {name: value + 1 for name, value in model.state_dict().items()} | change
    with pytest.raises(error, match=words):
        model.load_state_dict({name: value for name, value in state.items() if value is not None})
    np.testing.assert_array_equal(model.parameters().data, before)


def test_a_state_dict_of_ours_loads_into_torch():
    model, mirror = make_model(np.float32), torch_reference.CharRNN(5, 3, 4)
    mirror.load_state_dict(model.state_dict(), strict=True)
    for name, p in mirror.named_parameters():
        np.testing.assert_array_equal(p.detach().numpy(), model.parameters()[name].data)
    before = model.state_dict()
    model.parameters().data += 1  # the mirror has a copy
    for name, p in mirror.named_parameters():
        np.testing.assert_array_equal(p.detach().numpy(), before[name])


def test_joined_parts_must_share_a_dtype():
    parts = {"a": nr.Parameters({"w": (2,)}, np.float32), "b": nr.Parameters({"w": (2,)}, np.float64)}
    with pytest.raises(TypeError, match="parts must share one dtype, got a: float32, b: float64"):
        nr.Parameters.join(parts)


def test_joins_nest():
    leaf = nr.Parameters({"w": (2,)}, np.float64)
    outer = nr.Parameters.join({"x": nr.Parameters.join({"y": leaf}), "z": nr.Parameters({"w": (1,)}, np.float64)})
    assert list(outer) == ["x.y.w", "z.w"]
    outer.data = [1, 2, 3]
    np.testing.assert_array_equal(leaf.data, [1, 2])
    np.testing.assert_array_equal(leaf["w"].data, [1, 2])


def test_a_part_lies_in_one_place_only():
    model, part = make_model(), nr.Parameters({"w": (2,)})
    with pytest.raises(ValueError, match="part 'fc' has been joined already"):
        nr.Parameters.join({"fc": model.fc.parameters()})
    with pytest.raises(ValueError, match="part 'a' has been joined already"):
        nr.Parameters.join({"a": part, "b": part})


def test_a_state_dict_is_a_mapping():
    with pytest.raises(TypeError, match="state_dict must be a mapping of names to arrays, got NoneType"):
        make_model().load_state_dict(None)


def test_dtypes():
    assert as_dtype("float32") == np.float32
    for bad in (np.float16, int, None, "no such dtype"):
        with pytest.raises(TypeError, match="dtype must be float32, float64 or complex128, got"):
            as_dtype(bad)


def test_a_parameter_is_an_array_to_numpy(tmp_path):
    fc = nr.Linear(3, 2, rng=0)
    assert np.shares_memory(np.asarray(fc.weight), fc.weight.data)
    assert not np.shares_memory(np.array(fc.weight), fc.weight.data)
    assert np.asarray(fc.weight, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.array(fc.weight, np.float64, copy=False)
    np.testing.assert_array_equal(np.exp(fc.weight) @ np.ones(3), np.exp(fc.weight.data) @ np.ones(3))
    np.save(tmp_path / "w.npy", fc.weight)
    np.savez(tmp_path / "w.npz", **fc.parameters(), all=fc.parameters())
    np.testing.assert_array_equal(np.load(tmp_path / "w.npy"), fc.weight.data)
    saved = dict(np.load(tmp_path / "w.npz"))
    np.testing.assert_array_equal(saved.pop("all"), fc.parameters().data)
    other = nr.Linear(3, 2, rng=1)
    other.load_state_dict(saved)
    np.testing.assert_array_equal(other.weight, fc.weight)


@pytest.mark.parametrize("change", ["p += x", "p -= x", "p *= x", "p /= x"])
def test_a_parameter_is_not_replaced_by_an_array_in_silence(change):
    layer = nr.Linear(2, 3, rng=0)
    before = layer.state_dict()
    for p in (layer.weight, layer.parameters()):
        with pytest.raises(TypeError, match=r"write to the array of a parameter: p.data -= lr \* p.grad"):
            exec(change, {"p": p, "x": np.ones_like(p.data)})
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
