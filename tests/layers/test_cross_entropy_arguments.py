"""CrossEntropyLoss: the arguments that it takes, its weight and tapes, and what it refuses."""

import copy
import math

import numpy as np
import pytest

import numpy_rnn as nr
from tests.layers.test_cross_entropy import twins
from tests.optional import torch, torch_reference
from tests.references import assert_loss_equals_torch

NAN = math.nan


def test_dloss_defaults_to_one():
    criterion, logits = nr.CrossEntropyLoss(), np.random.default_rng(0).standard_normal((4, 3))
    criterion.forward(logits, [0, 1, 2, 0])
    np.testing.assert_array_equal(criterion.backward(), criterion.backward(1.0))
    np.testing.assert_allclose(criterion.backward(-3.5), -3.5 * criterion.backward(), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_targets_of_any_integer_dtype(dtype):
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((5, 4)), rng.integers(0, 4, 5)
    criterion = nr.CrossEntropyLoss(ignore_index=2)
    assert criterion.forward(logits, targets.astype(dtype)) == criterion.forward(logits, targets)


@pytest.mark.parametrize("label_smoothing", [0, 0.2])
@pytest.mark.parametrize("weight", [None, [0.5, 2, 1]])
def test_a_tape_serves_one_kind_of_target_after_the_other(weight, label_smoothing):
    rng = np.random.default_rng(0)
    criterion, fresh = (nr.CrossEntropyLoss(weight, reduction="none", label_smoothing=label_smoothing) for _ in "ab")
    tape = criterion.new_tape(4, 3, np.float64)
    logits, dloss = rng.standard_normal((4, 3)), rng.standard_normal(4)
    for targets in ([0, -100, 2, 1], [1, 0, 1, 2], rng.random((4, 3)), [2, 2, 0, 1], rng.random((4, 3)), [-100] * 4):
        loss = criterion.forward(logits, targets, tape).copy()
        dlogits = criterion.backward(dloss, tape)
        np.testing.assert_array_equal(loss, fresh.forward(logits, targets))
        np.testing.assert_array_equal(dlogits, fresh.backward(dloss))
        if np.ndim(targets) == 2:
            np.testing.assert_array_equal(tape.dtargets, fresh.tape.dtargets)
        else:
            assert tape.dtargets is None


def test_one_tape_serves_any_shape_of_as_many_rows():
    rng = np.random.default_rng(0)
    criterion = nr.CrossEntropyLoss()
    tape = criterion.new_tape(6, 3, np.float64)
    for shape in ((6, 3), (2, 3, 3), (3, 3, 2), (1, 3, 2, 3)):
        logits, targets = rng.standard_normal(shape), rng.integers(0, 3, (shape[0], *shape[2:]))
        assert criterion.forward(logits, targets, tape) == nr.CrossEntropyLoss().forward(logits, targets)
        assert criterion.backward(tape=tape).shape == shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weight_travels_in_the_state_dict_both_ways(dtype):
    ours, theirs = twins(weight=np.array([0.5, 2, 0], dtype))
    state = torch_reference.to_torch(ours.state_dict())
    assert state["weight"].dtype == theirs.weight.dtype
    theirs.weight.zero_()
    theirs.load_state_dict(state, strict=True)
    assert theirs.weight.tolist() == [0.5, 2, 0]

    theirs.weight.copy_(torch.tensor([3, 1, 4]))
    ours.load_state_dict(theirs.state_dict())
    logits, targets = np.random.default_rng(0).standard_normal((4, 3)).astype(dtype), np.array([0, 1, 2, 2])
    assert_loss_equals_torch(ours, theirs, logits, targets, np.random.default_rng(1).standard_normal)
    twin = copy.deepcopy(ours)
    ours.load_state_dict({"weight": [1, 1, 1]})
    np.testing.assert_array_equal(twin.weight, [3, 1, 4])


def test_without_a_weight_the_state_dict_is_empty_both_ways():
    ours, theirs = twins()
    assert ours.state_dict() == {}
    theirs.load_state_dict(torch_reference.to_torch(ours.state_dict()), strict=True)
    ours.load_state_dict(theirs.state_dict())
    with pytest.raises(KeyError, match=r"unexpected \['weight'\]"):
        ours.load_state_dict({"weight": np.ones(3)})
    with pytest.raises(KeyError, match=r"missing \['weight'\]"):
        nr.CrossEntropyLoss(np.ones(3)).load_state_dict({})
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected the parameter's shape = \(3,\)"):
        nr.CrossEntropyLoss(np.ones(3)).load_state_dict({"weight": np.ones(2)})


def test_the_weight_is_no_parameter_and_a_copy():
    weight = np.array([1.0, 2.0])
    criterion = nr.CrossEntropyLoss(weight)
    assert len(criterion.parameters()) == 0
    assert criterion.parameters().data.size == 0
    weight[...] = 0
    np.testing.assert_array_equal(criterion.weight, [1, 2])
    assert nr.CrossEntropyLoss().weight is None


def test_the_weight_is_cast_to_the_logits_dtype_and_never_loses_an_imaginary_part():
    logits = np.zeros((2, 3), np.float32)
    for weight in ([1, 2, 3], np.array([1, 2, 3], np.float16), np.array([1.0, 2.0, 3.0]), torch.tensor([1.0, 2, 3])):
        criterion = nr.CrossEntropyLoss(weight, reduction="none")
        assert criterion.forward(logits, [0, 2]).dtype == np.float32
        np.testing.assert_allclose(criterion.tape.loss, np.log(3) * np.array([1, 3]), rtol=1e-6)
    with pytest.raises(TypeError, match="weight has dtype complex128, expected one that casts to float32"):
        nr.CrossEntropyLoss(np.array([1j, 1, 1])).forward(logits, [0, 2])


def test_bad_options_are_named():
    with pytest.raises(ValueError, match='reduction must be "none", "mean" or "sum", got \'avg\''):
        nr.CrossEntropyLoss(reduction="avg")
    for smoothing in (-0.1, 1.5, NAN):
        with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\], got "):
            nr.CrossEntropyLoss(label_smoothing=smoothing)
    with pytest.raises(TypeError, match=r"label_smoothing must be a number, got '0\.1'"):
        nr.CrossEntropyLoss(label_smoothing="0.1")
    with pytest.raises(ValueError, match=r"weight has shape \(2, 2\), expected one number per class = \(\*,\)"):
        nr.CrossEntropyLoss(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected one number per class = \(3,\)"):
        nr.CrossEntropyLoss([1, 2]).forward(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected one number per class = \(3,\)"):
        nr.CrossEntropyLoss([1, 2]).forward(np.zeros((2, 3)), np.ones((2, 3)))


def test_bad_input_is_named():
    criterion = nr.CrossEntropyLoss()
    with pytest.raises(RuntimeError, match=r"CrossEntropyLoss\.backward was called before forward"):
        criterion.backward()
    with pytest.raises(IndexError, match=r"targets must be in \[0, 3\), got -1 at \[0\]"):
        criterion.forward(np.zeros((2, 3)), [-1, 2])
    with pytest.raises(IndexError, match=r"targets must be in \[0, 3\), got 255 at \[2, 0\]"):
        criterion.forward(np.zeros((3, 3, 2)), [[0, -100], [1, -100], [255, 0]])
    with pytest.raises(IndexError, match=r"targets must be in \[0, 3\), got 5$"):
        criterion.forward(np.zeros(3), 5)
    with pytest.raises(TypeError, match="targets must be integers, got dtype float64"):
        criterion.forward(np.zeros((2, 3)), [0.0, 1.0])
    with pytest.raises(TypeError, match="targets must be integers, got dtype bool"):
        criterion.forward(np.zeros((2, 3)), [True, False])
    with pytest.raises(TypeError, match="logits must be float32, float64 or complex128, got dtype int64"):
        criterion.forward(np.zeros((2, 3), int), [0, 1])


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        ((), (), "logits has shape (), expected (N, C), (N, C, d1, ...) or (C,)"),
        ((0, 0), (0,), "logits has shape (0, 0), expected at least one class"),
        ((2, 0, 4), (2, 4), "logits has shape (2, 0, 4), expected at least one class"),
        (
            (2, 3),
            (3,),
            "targets has shape (3,), expected one class per row of logits (2, 3), whose classes are axis 1: (2,)",
        ),
        (
            (7, 4, 3),
            (7, 4),
            "targets has shape (7, 4), expected one class per row of logits (7, 4, 3), whose classes are axis 1: "
            "(7, 3); if the classes are the last axis, pass logits.reshape(-1, 3) and targets.reshape(-1), or "
            "np.moveaxis(logits, -1, 1)",
        ),
        (
            (6, 3),
            (2, 3),
            "targets has shape (2, 3), expected one class per row of logits (6, 3), whose classes are axis 1: (6,); "
            "pass targets.reshape(-1)",
        ),
        (
            (2, 3, 4),
            (8,),
            "targets has shape (8,), expected one class per row of logits (2, 3, 4), whose classes are axis 1: "
            "(2, 4); pass targets.reshape((2, 4))",
        ),
        (
            (2, 3),
            (2, 3),
            "targets has shape (2, 3), expected one class per row of logits (2, 3), whose classes are axis 1: (2,); "
            "if they are probabilities, pass floats, to CrossEntropyLoss",
        ),
        (
            (3,),
            (2,),
            "targets has shape (2,), expected one class per row of logits (3,), whose classes are axis 0: ()",
        ),
    ],
)
def test_a_shape_that_does_not_fit_is_explained(logits, targets, message):
    # 7 is a class if the classes are the last axis of many: the shape must be seen to be wrong before the index is.
    for target in (0, 7):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            nr.CrossEntropyLoss().forward(np.zeros(logits), np.full(targets, target))
        assert str(error.value) == message


def test_probabilities_of_another_shape_are_an_error():
    with pytest.raises(
        ValueError, match=r"targets has shape \(3, 2\), expected probabilities in the shape of logits = "
    ):
        nr.CrossEntropyLoss().forward(np.zeros((2, 3)), np.ones((3, 2)))


def test_a_dloss_that_does_not_fit_is_an_error():
    criterion = nr.CrossEntropyLoss(reduction="none")
    criterion.forward(np.zeros((2, 3, 4)), np.zeros((2, 4), int))
    with pytest.raises(ValueError, match=r'dloss of shape \(2, 4\) is required: with reduction="none" the loss is'):
        criterion.backward()
    with pytest.raises(
        ValueError, match=r'dloss has shape \(\), expected the shape of the loss with reduction="none" '
    ):
        criterion.backward(1.0)
    criterion = nr.CrossEntropyLoss()
    criterion.forward(np.zeros((2, 3)), [0, 1])
    with pytest.raises(
        ValueError, match=r'dloss has shape \(2,\), expected the shape of the loss with reduction="mean"'
    ):
        criterion.backward(np.ones(2))
    with pytest.raises(TypeError, match="dloss has dtype complex128, expected one that casts to float64"):
        criterion.backward(1j)


def test_a_tape_of_another_dtype_or_size_is_an_error():
    criterion = nr.CrossEntropyLoss()
    with pytest.raises(TypeError, match="tape was made for logits of dtype float32, got float64"):
        criterion.forward(np.zeros((2, 3)), [0, 1], criterion.new_tape(2, 3))
    with pytest.raises(ValueError, match=r"tape was made for inputs of shape \(2, 3\), got one of \(8, 3\)"):
        criterion.forward(np.zeros((2, 3, 4)), np.zeros((2, 4), int), criterion.new_tape(2, 3, np.float64))
