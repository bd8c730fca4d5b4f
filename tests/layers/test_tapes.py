"""What belongs to whom: returned arrays stay as they were, unless the caller hands the same tape in again."""

import copy
import pickle

import numpy as np
import pytest

import numpy_rnn as nr

T, B, V, E, H = 4, 3, 6, 5, 7


class Case:
    """A layer, two sets of inputs, and two upstream gradients."""

    def __init__(self, layer, inputs, upstream, tape_shape):
        self.layer, self.tape_shape = layer, tape_shape
        self.inputs = list(zip(*inputs, strict=True))
        self.upstream = list(zip(*upstream, strict=True)) or [(), ()]


NAMES = "embedding linear rnn lstm gru log_softmax nll_loss cross_entropy cross_entropy_each"


@pytest.fixture(params=[*NAMES.split(), "char_rnn", "char_lstm", "char_rnn_wide", "char_gru_wide"])
def case(request):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return [rng.standard_normal(shape) for _ in range(2)]

    def integers(high, *shape):
        return [rng.integers(0, high, shape) for _ in range(2)]

    def states():
        return list(zip(normal(1, B, H), normal(1, B, H), strict=True)) if "lstm" in name else normal(1, B, H)

    name, options = request.param, {"dtype": np.float64, "rng": rng}
    match name:
        case "embedding":
            return Case(nr.Embedding(V, E, **options), [integers(V, T, B)], [normal(T, B, E)], (T, B))
        case "linear":
            return Case(nr.Linear(E, H, **options), [normal(T, B, E)], [normal(T, B, H)], (T, B))
        case "rnn" | "gru" | "lstm":
            layer = getattr(nr, name.upper())(E, H, **options)
            return Case(layer, [normal(T, B, E), states()], [normal(T, B, H), states()], (T, B))
        case "cross_entropy":
            return Case(nr.CrossEntropyLoss(), [normal(B, V), integers(V, B)], [], (B, V, np.float64))
        case "cross_entropy_each" | "nll_loss":
            layer = (nr.NLLLoss if name == "nll_loss" else nr.CrossEntropyLoss)(
                rng.random(V), reduction="none", ignore_index=0
            )
            return Case(layer, [normal(T, V, B), integers(V, T, B)], [normal(T, B)], (T * B, V, np.float64))
        case "log_softmax":
            x, dy = normal(T, B, V), normal(T, B, V)
            return Case(nr.LogSoftmax(1), [[a.astype(np.float32) for a in x]], [dy], (T, B, V))
        case _:
            size = 1500 if "wide" in name else V  # 1500: more characters than tokens, and the scatter sorts
            model = nr.CharRNN(size, E, H, cell=name.split("_")[1], **options)
            return Case(model, [integers(size, T, B), states()], [normal(T, B, size), states()], (T, B))


def arrays(result):
    """The arrays among what a forward or backward returned, or was given."""
    if isinstance(result, tuple):
        return [array for each in result for array in arrays(each)]
    return [result] if isinstance(result, np.ndarray) else []


def snapshot(results):
    return [array.copy() for result in results for array in arrays(result)]


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def gradients(layer):
    return layer.parameters().grad.copy()


def test_returned_arrays_are_never_changed_by_a_later_call(case):
    layer, (first, second), (dfirst, dsecond) = case.layer, case.inputs, case.upstream
    returned = [layer.forward(*first), layer.backward(*dfirst)]
    before = snapshot(returned)
    layer.backward(*dsecond)
    layer.forward(*second)
    layer.backward(*dsecond)
    assert_equal([array for result in returned for array in arrays(result)], before)


def test_what_the_caller_makes_of_a_returned_array_stays(case):
    layer, (first, _), (dfirst, dsecond) = case.layer, case.inputs, case.upstream
    layer.forward(*first)
    mine = arrays(layer.backward(*dfirst))
    for array in mine:
        array[...] = 7
    layer.backward(*dsecond)
    assert all((array == 7).all() for array in mine)


def test_a_training_step_takes_any_shape_after_another():
    model, fresh = (nr.CharRNN(V, E, H, dtype=np.float64, rng=0) for _ in range(2))
    rng = np.random.default_rng(0)
    for shape in ((T, B), (T, B), (T + 1, B), (2, 1), (T, B)):
        tokens, targets = rng.integers(0, V, (2, *shape))
        loss, _ = model.loss_and_gradients(tokens, targets)
        assert loss == fresh.loss_and_gradients(tokens, targets, None, fresh.new_tape(*shape))[0]
        assert_equal([gradients(model)], [gradients(fresh)])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_state_of_a_training_step_is_never_changed_by_a_later_one(cell):
    model = nr.CharRNN(V, E, H, cell=cell, rng=0)
    first, second = np.random.default_rng(0).integers(0, V, (2, T, B))
    _, h_n = model.loss_and_gradients(first, first)
    before = snapshot([h_n])
    model.loss_and_gradients(second, second, h_n)
    assert_equal(arrays(h_n), before)


def test_two_forwards_may_wait_for_their_backwards(case):
    layer, (first, second), (dfirst, dsecond) = case.layer, case.inputs, case.upstream
    layer.forward(*first)
    expected_first = [*snapshot([layer.backward(*dfirst)]), gradients(layer)]
    layer.forward(*second)
    expected_second = [*snapshot([layer.backward(*dsecond)]), gradients(layer)]

    layer.forward(*first)
    first_tape = layer.tape
    layer.forward(*second)
    assert_equal([*snapshot([layer.backward(*dfirst, tape=first_tape)]), gradients(layer)], expected_first)
    assert_equal([*snapshot([layer.backward(*dsecond)]), gradients(layer)], expected_second)


def test_backward_assigns_gradients(case):
    layer, (first, _), (dfirst, _) = case.layer, case.inputs, case.upstream
    layer.forward(*first)
    once = [*snapshot([layer.backward(*dfirst)]), gradients(layer)]
    twice = [*snapshot([layer.backward(*dfirst)]), gradients(layer)]
    assert_equal(once, twice)


def test_a_tape_that_is_handed_in_is_written_to_again(case):
    layer, (first, second), (dfirst, dsecond) = case.layer, case.inputs, case.upstream
    layer.forward(*second)
    expected = [*snapshot([layer.backward(*dsecond)]), gradients(layer)]

    tape = layer.new_tape(*case.tape_shape)
    one = [layer.forward(*first, tape=tape), layer.backward(*dfirst, tape=tape)]
    two = [layer.forward(*second, tape=tape), layer.backward(*dsecond, tape=tape)]
    for a, b in zip(one, two, strict=True):
        assert all(np.shares_memory(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))
    assert_equal([*snapshot(two[1:]), gradients(layer)], expected)


def test_inputs_and_upstream_gradients_are_left_alone(case):
    layer, (first, _), (dfirst, _) = case.layer, case.inputs, case.upstream
    before = [np.copy(a) for a in arrays((*first, *dfirst))]
    layer.forward(*first)
    layer.backward(*dfirst)
    assert_equal(arrays((*first, *dfirst)), before)


def test_backward_before_forward_is_an_error(case):
    (dfirst, _) = case.upstream
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        case.layer.backward(*dfirst)


def test_a_tape_serves_its_own_layer_after_a_forward(case):
    layer, (first, _), (dfirst, _) = case.layer, case.inputs, case.upstream
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        layer.backward(*dfirst, tape=layer.new_tape(*case.tape_shape))
    twin = copy.deepcopy(layer)
    for stranger in (twin.new_tape(*case.tape_shape), nr.Linear(2, 2).new_tape(2), "tape"):
        with pytest.raises(
            ValueError, match=f"tape must be one that new_tape of this {type(layer).__name__} made, got"
        ):
            layer.forward(*first, tape=stranger)
        with pytest.raises(ValueError, match=f"of this {type(layer).__name__} made, got a "):
            layer.backward(*dfirst, tape=stranger)
    layer.forward(*first)
    twin.forward(*first)
    with pytest.raises(ValueError, match="tape must be one that new_tape of this"):
        layer.backward(*dfirst, tape=twin.tape)


def test_a_tape_serves_its_own_shape(case):
    layer, (first, _) = case.layer, case.inputs
    rows, *rest = case.tape_shape
    with pytest.raises(ValueError, match="tape was made for inputs of shape"):
        layer.forward(*first, tape=layer.new_tape(rows + 1, *rest))


def test_the_parts_of_a_models_tape_are_not_the_layers_to_use():
    model = nr.CharRNN(V, E, H, dtype=np.float64, rng=0)
    tape = model.new_tape(T, B)
    with pytest.raises(ValueError, match="tape must be one that new_tape of this RNN made"):
        model.rnn.forward(np.zeros((T, B, E)), None, tape.rnn)
    with pytest.raises(ValueError, match="tape must be one that new_tape of this CrossEntropyLoss made"):
        model.criterion.forward(np.zeros((T * B, V)), np.zeros(T * B, int), tape.criterion)


def test_a_training_step_leaves_the_tape_of_the_last_forward_alone():
    model = nr.CharRNN(V, E, H, dtype=np.float64, rng=0)
    first, second = np.random.default_rng(0).integers(0, V, (2, T, B))
    dlogits = np.random.default_rng(1).standard_normal((T, B, V))
    model.forward(first)
    expected = snapshot([model.backward(dlogits)])
    model.loss_and_gradients(second, second)
    assert_equal(snapshot([model.backward(dlogits)]), expected)


def test_integers_are_copied_to_the_tape():
    model = nr.CharRNN(V, E, H, dtype=np.float64, rng=0)
    tokens = np.random.default_rng(0).integers(0, V, (T, B))
    dlogits = np.random.default_rng(1).standard_normal((T, B, V))
    model.forward(tokens)
    model.backward(dlogits)
    expected = gradients(model)
    tokens[...] = 0
    model.backward(dlogits)
    assert_equal([gradients(model)], [expected])


def test_a_failed_forward_leaves_the_last_one_in_place(case):
    layer, (first, _), (dfirst, _) = case.layer, case.inputs, case.upstream
    layer.forward(*first)
    expected = snapshot([layer.backward(*dfirst)])
    with pytest.raises((TypeError, ValueError)):
        layer.forward(*[np.full((2, 2, 2, 2), "x") for _ in first])
    assert_equal(snapshot([layer.backward(*dfirst)]), expected)


def test_a_tape_is_not_copied():
    """Its arrays share memory. Copies of them would not, and gradients would be silently wrong."""
    model = nr.CharRNN(V, E, H, rng=0)
    for layer, sizes in ((model, (T, B)), (model.rnn, (T, B)), (model.criterion, (T, V))):
        tape = layer.new_tape(*sizes)
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be copied or pickled: make one with new_tape"):
                duplicate([tape] if duplicate is copy.deepcopy else tape)
        copy.deepcopy(layer)
