import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch
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
