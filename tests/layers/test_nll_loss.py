import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_loss_equals_torch, tensor

INF, NAN = math.inf, math.nan


def twins(**options):
    """Our criterion and torch's, of the same options."""
    theirs = options | ({"weight": tensor(options["weight"])} if options.get("weight") is not None else {})
    return nr.NLLLoss(**options), torch.nn.NLLLoss(**theirs)


@given(
    rng=some.rngs,
    rows=some.rows,
    C=some.sizes,
    dtype=some.dtypes,
    layout=some.layouts,
    weighted=...,
    ignore_index=some.ignore_indices,
    reduction=some.reductions,
)
def test_loss_and_gradient_equal_torch(rng, rows, C, dtype, layout, weighted: bool, ignore_index, reduction):
    log_p = some.class_scores(rng, rows, C, dtype=dtype, layout=layout)
    targets = some.class_targets(rng, rows, C, ignore_index)
    weight = some.class_weights(rng, C, dtype) if weighted else None
    pair = twins(weight=weight, ignore_index=ignore_index, reduction=reduction)
    assert_loss_equals_torch(*pair, log_p, targets, rng.standard_normal)


@given(rng=some.rngs, rows=some.rows.filter(all), C=some.sizes, weighted=..., reduction=some.reductions)
def test_gradient_equals_the_complex_step(rng, rows, C, weighted: bool, reduction):
    log_p, targets = some.class_scores(rng, rows, C), rng.integers(0, C, rows)
    weight = rng.uniform(0.1, 1, C) if weighted else None
    dloss = rng.standard_normal(rows if reduction == "none" else ())
    criterion = nr.NLLLoss(weight, reduction=reduction)
    criterion.forward(log_p, targets)
    assert_complex_step(
        lambda tensors: np.sum(nr.NLLLoss(weight, reduction=reduction).forward(tensors["log_p"], targets) * dloss),
        {"log_p": log_p},
        {"log_p": criterion.backward(dloss)},
        rng,
    )


@given(rng=some.rngs, rows=some.rows, C=some.sizes, weighted=..., reduction=some.reductions)
def test_of_log_softmax_it_is_the_cross_entropy(rng, rows, C, weighted: bool, reduction):
    logits, targets = some.class_scores(rng, rows, C), some.class_targets(rng, rows, C)
    weight = rng.uniform(0.1, 1, C) if weighted else None
    log_softmax, nll_loss = nr.LogSoftmax(min(1, len(rows))), nr.NLLLoss(weight, reduction=reduction)
    cross_entropy = nr.CrossEntropyLoss(weight, reduction=reduction)

    loss = nll_loss.forward(log_softmax.forward(logits), targets)
    np.testing.assert_allclose(loss, cross_entropy.forward(logits, targets), rtol=1e-13)
    dloss = rng.standard_normal(np.shape(loss))
    dlogits = log_softmax.backward(nll_loss.backward(dloss))
    np.testing.assert_allclose(dlogits, cross_entropy.backward(dloss), rtol=1e-12, atol=1e-13)


CORNERS = {
    "inf": ([[INF, 1], [0, 1]], [0, 1], {}),
    "inf ignored": ([[INF, 1], [0, 1]], [-100, 1], {}),
    "nan ignored": ([[NAN, 1], [0, 1]], [0, 1], {"ignore_index": 0}),
    "all ignored": ([[3, 1], [0, 1]], [-100, -100], {}),
    "all ignored, weighted": ([[3, 1], [0, 1]], [-100, -100], {"weight": [0.5, 2]}),
    "inf of weight 0": ([[INF, 1], [0, 1]], [0, 1], {"weight": [0, 1]}),
    "all of weight 0": ([[3, 1], [0, 1]], [0, 0], {"weight": [0, 1]}),
    "weight inf": ([[3, 1], [0, 1]], [0, 1], {"weight": [INF, 1]}),
    "weights that cancel": ([[3, 1], [0, 1]], [0, 1], {"weight": [-1, 1]}),
    "negative weights": ([[3, 1], [0, 1]], [0, 1], {"weight": [-2, 1]}),
    "no rows": (np.zeros((0, 3)), [], {}),
    "no rows, weighted": (np.zeros((0, 3)), [], {"weight": [1, 2, 3]}),
    "no steps": (np.zeros((2, 3, 0)), np.zeros((2, 0)), {}),
    "a single row, ignored": ([3, 1], -100, {}),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_corners_are_torchs(corner):
    log_p, targets, options = CORNERS[corner]
    if "weight" in options:
        options = options | {"weight": np.array(options["weight"], float)}
    log_p, targets = np.array(log_p, float), np.array(targets, int)
    for reduction, dloss in product(["mean", "sum", "none"], [0.7, INF, NAN, 0.0]):
        pair = twins(**options, reduction=reduction)
        assert_loss_equals_torch(*pair, log_p, targets, partial(np.full, fill_value=dloss))


def test_the_weight_travels_in_the_state_dict_both_ways():
    ours, theirs = twins(weight=np.array([0.5, 2, 0]))
    theirs.load_state_dict(torch_reference.to_torch(ours.state_dict()), strict=True)
    ours.load_state_dict({"weight": [1, 1, 1]})
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(ours.weight, [0.5, 2, 0])
    assert len(ours.parameters()) == 0
    assert nr.NLLLoss().state_dict() == {}


def test_the_loss_of_float32_is_a_float32():
    log_p = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    loss = nr.NLLLoss().forward(log_p, np.zeros(50, int))
    assert loss == float(np.float32(loss))


def test_bad_input_is_named():
    criterion = nr.NLLLoss()
    with pytest.raises(RuntimeError, match=r"NLLLoss\.backward was called before forward"):
        criterion.backward()
    with pytest.raises(TypeError, match="targets must be integers, got dtype float64"):
        criterion.forward(np.zeros((2, 3)), [0.0, 1.0])
    with pytest.raises(ValueError, match=r"; if they are probabilities, pass floats, to CrossEntropyLoss"):
        criterion.forward(np.zeros((2, 3)), np.ones((2, 3)))
    with pytest.raises(TypeError, match="log_p must be float32, float64 or complex128, got dtype int64"):
        criterion.forward(np.zeros((2, 3), int), [0, 1])
    with pytest.raises(
        ValueError, match=r"expected one class per row of log_p \(2, 4, 3\).*; if the classes are the last"
    ):
        criterion.forward(np.zeros((2, 4, 3)), np.zeros((2, 4), int))
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected one number per class = \(3,\)"):
        nr.NLLLoss([1, 2]).forward(np.zeros((2, 3)), [0, 1])
    with pytest.raises(TypeError, match="tape was made for log_p of dtype float32, got float64"):
        criterion.forward(np.zeros((2, 3)), [0, 1], criterion.new_tape(2, 3))
    with pytest.raises(ValueError, match='reduction must be "none", "mean" or "sum", got None'):
        nr.NLLLoss(reduction=None)
    criterion = nr.NLLLoss(reduction="none")
    criterion.forward(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ValueError, match=r'dloss of shape \(2,\) is required: with reduction="none"'):
        criterion.backward()
