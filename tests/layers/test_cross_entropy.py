import copy
import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_loss_equals_torch, tensor

smoothings = st.sampled_from([0.0, 0.1, 0.7, 1.0])
INF, NAN = math.inf, math.nan


def twins(**options):
    """Our criterion and torch's, of the same options."""
    theirs = options | ({"weight": tensor(options["weight"])} if options.get("weight") is not None else {})
    return nr.CrossEntropyLoss(**options), torch.nn.CrossEntropyLoss(**theirs)


def probabilities(rng, logits):
    """Draw a target of the shape of logits; it need not sum to one, neither for us nor for torch."""
    return rng.random(logits.shape).astype(logits.dtype)


@given(rng=some.rngs, N=st.integers(0, 9), C=some.V, dtype=some.dtypes, layout=some.layouts, scale=some.scales)
def test_loss_and_gradient_equal_torch_without_options(rng, N, C, dtype, layout, scale):
    logits = some.class_scores(rng, (N,), C, scale, dtype=dtype, layout=layout)
    targets = some.tokens(rng, C, N, layout=layout)
    assert_loss_equals_torch(*twins(), logits, targets, rng.standard_normal)


@given(
    rng=some.rngs,
    rows=some.rows,
    C=some.sizes,
    dtype=some.dtypes,
    layout=some.layouts,
    scale=some.scales,
    weighted=...,
    ignore_index=some.ignore_indices,
    reduction=some.reductions,
    label_smoothing=smoothings,
)
def test_class_indices_equal_torch(
    rng, rows, C, dtype, layout, scale, weighted: bool, ignore_index, reduction, label_smoothing
):
    logits = some.class_scores(rng, rows, C, scale, dtype=dtype, layout=layout)
    targets = some.class_targets(rng, rows, C, ignore_index)
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    pair = twins(weight=some.class_weights(rng, C, dtype) if weighted else None, **options)
    assert_loss_equals_torch(*pair, logits, targets, rng.standard_normal)


@given(
    rng=some.rngs,
    rows=some.rows,
    C=some.sizes,
    dtype=some.dtypes,
    layout=some.layouts,
    scale=some.scales,
    weighted=...,
    reduction=some.reductions,
    label_smoothing=smoothings,
)
def test_probabilities_equal_torch(rng, rows, C, dtype, layout, scale, weighted: bool, reduction, label_smoothing):
    logits = some.class_scores(rng, rows, C, scale, dtype=dtype, layout=layout)
    weight = some.class_weights(rng, C, dtype) if weighted else None
    pair = twins(weight=weight, reduction=reduction, label_smoothing=label_smoothing)
    assert_loss_equals_torch(*pair, logits, probabilities(rng, logits), rng.standard_normal)


@given(
    rng=some.rngs,
    rows=some.rows.filter(all),  # at least one row: the mean over none is nan
    C=some.sizes,
    scale=some.scales,
    by_index=...,
    weighted=...,
    ignore_index=some.ignore_indices,
    reduction=some.reductions,
    label_smoothing=smoothings,
)
def test_gradients_equal_the_complex_step(
    rng, rows, C, scale, by_index: bool, weighted: bool, ignore_index, reduction, label_smoothing
):
    logits = some.class_scores(rng, rows, C, scale)
    tensors = {"logits": logits}
    if by_index:
        targets = some.class_targets(rng, rows, C, ignore_index)
        if (targets == ignore_index).all():
            reduction = "sum"
    else:
        tensors["targets"], ignore_index = probabilities(rng, logits), -100
    weight = rng.uniform(0.1, 1, C) if weighted else None
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    criterion = nr.CrossEntropyLoss(weight, **options)
    dloss = rng.standard_normal(rows if reduction == "none" else ())

    def loss(tensors):
        losses = nr.CrossEntropyLoss(weight, **options).forward(
            **({"targets": targets} if by_index else {}), **tensors
        )
        return np.sum(losses * dloss)

    criterion.forward(logits, targets if by_index else tensors["targets"])
    gradients = {"logits": criterion.backward(dloss)}
    if not by_index:
        gradients["targets"] = criterion.tape.dtargets
    assert_complex_step(loss, tensors, gradients, rng)


# Where products with zero and infinity are, and are not, taken. Small enough that hypothesis would find few of them.
CORNERS = {
    "target -inf": ([[-INF, 0, 1], [1, 2, 3]], [0, 1], {}),
    "other class -inf": ([[-INF, 0, 1], [1, 2, 3]], [1, 1], {}),
    "+inf": ([[INF, 0, 1], [1, 2, 3]], [0, 1], {}),
    "row of -inf": ([[-INF, -INF], [1, 2]], [0, 1], {}),
    "nan": ([[NAN, 0], [1, 2]], [1, 1], {}),
    "overflow of the shift": ([[1e308, -1e308], [1, 2]], [1, 1], {}),
    "all ignored": ([[1, 0], [1, 2]], [-100, -100], {}),
    "all ignored, smoothed": ([[1, 0], [1, 2]], [-100, -100], {"label_smoothing": 0.3}),
    "all ignored, weighted": ([[1, 0], [1, 2]], [-100, -100], {"weight": [0.5, 2]}),
    "-inf ignored": ([[-INF, 0], [1, 2]], [-100, 1], {}),
    "-inf ignored, smoothed": ([[-INF, 0], [1, 2]], [-100, 1], {"label_smoothing": 0.3}),
    "+inf ignored": ([[INF, 0], [1, 2]], [-100, 1], {}),
    "+inf ignored, smoothed": ([[INF, 0], [1, 2]], [-100, 1], {"label_smoothing": 0.3}),
    "target of weight 0, -inf": ([[-INF, 0], [1, 2]], [0, 1], {"weight": [0, 1]}),
    "all of weight 0": ([[1, 0], [1, 2]], [0, 0], {"weight": [0, 1]}),
    "all of weight 0, smoothed": ([[1, 0], [1, 2]], [0, 0], {"weight": [0, 1], "label_smoothing": 0.3}),
    "weights that cancel": ([[1, 0], [1, 2]], [0, 1], {"weight": [-1, 1]}),
    "negative weights": ([[1, 0], [1, 2]], [0, 1], {"weight": [-2, 1]}),
    "nan weight of no target": ([[1, 0], [1, 2]], [1, 1], {"weight": [NAN, 1]}),
    "nan weight, smoothed": ([[1, 0], [1, 2]], [1, -100], {"weight": [NAN, 1], "label_smoothing": 0.3}),
    "target -inf, smoothed": ([[-INF, 0, 1]], [0], {"label_smoothing": 0.5}),
    "other class -inf, smoothed": ([[-INF, 0, 1]], [1], {"label_smoothing": 0.5}),
    "target -inf, nothing but smoothing": ([[-INF, 0, 1]], [0], {"label_smoothing": 1.0}),
    "no rows": (np.zeros((0, 3)), [], {}),
    "no rows, smoothed, weighted": (np.zeros((0, 3)), [], {"label_smoothing": 0.3, "weight": [1, 2, 3]}),
    "no steps": (np.zeros((2, 3, 0)), np.zeros((2, 0)), {}),
    "probability 0 of -inf": ([[-INF, 0, 1]], [[0, 0.5, 0.5]], {}),
    "probability of -inf": ([[-INF, 0, 1]], [[0.5, 0.5, 0]], {}),
    "probability of -inf, weight 0": ([[-INF, 0, 1]], [[0.5, 0.5, 0]], {"weight": [0, 1, 1]}),
    "probability of -inf, nothing but smoothing": ([[-INF, 0, 1]], [[0.5, 0.5, 0]], {"label_smoothing": 1.0}),
    "probability of +inf": ([[INF, 0, 1]], [[0.5, 0.5, 0]], {}),
    "probability nan": ([[1, 0], [1, 2]], [[NAN, 1], [0.5, 0.5]], {}),
    "no rows of probabilities": (np.zeros((0, 3)), np.zeros((0, 3)), {}),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_corners_are_torchs(corner):
    logits, targets, options = CORNERS[corner]
    if "weight" in options:
        options = options | {"weight": np.array(options["weight"], float)}
    logits, targets = np.array(logits, float), np.array(targets)
    targets = targets if targets.shape == logits.shape else targets.astype(int)
    for reduction, dloss in product(["mean", "sum", "none"], [0.7, INF, NAN, 0.0]):
        pair = twins(**options, reduction=reduction)
        assert_loss_equals_torch(*pair, logits, targets, partial(np.full, fill_value=dloss))


@given(
    rng=some.rngs,
    rows=some.rows,
    C=some.sizes,
    by_index=...,
    weighted=...,
    reduction=some.reductions,
    label_smoothing=smoothings,
)
def test_infinity_and_nan_spread_as_in_torch(
    rng, rows, C, by_index: bool, weighted: bool, reduction, label_smoothing
):
    def salted(array):
        salt = rng.choice([0, INF, -INF, NAN], array.shape)
        return np.where(rng.random(array.shape) < 0.15, salt, array)

    logits = salted(some.class_scores(rng, rows, C))
    targets = some.class_targets(rng, rows, C) if by_index else salted(probabilities(rng, logits))
    weight = salted(some.class_weights(rng, C)) if weighted else None
    pair = twins(weight=weight, reduction=reduction, label_smoothing=label_smoothing)
    assert_loss_equals_torch(*pair, logits, targets, lambda shape: salted(rng.standard_normal(shape)))


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
