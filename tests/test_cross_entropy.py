import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor

N = st.integers(0, 9)
scales = st.sampled_from([0.1, 1, 30, 1000])  # 1000: exp of such logits overflows unless they are shifted


@given(rng=some.rngs, N=N, C=some.V, dtype=some.dtypes, layout=some.layouts, scale=scales)
def test_loss_and_gradient_equal_torch(rng, N, C, dtype, layout, scale):
    criterion = nr.CrossEntropyLoss()
    logits = some.normal(rng, N, C, dtype=dtype, layout=layout) * np.dtype(dtype).type(scale)
    targets = some.tokens(rng, C, N, layout=layout)
    torch_logits = leaf(logits)

    loss = criterion.forward(logits, targets)
    torch_loss = torch.nn.CrossEntropyLoss()(torch_logits, tensor(targets))
    assert type(loss) is float
    if N:
        assert_equals_torch(np.array(loss, dtype), torch_loss)
    else:
        assert math.isnan(loss)
        assert torch_loss.isnan()

    dlogits = criterion.backward()
    torch_loss.backward()
    assert_equals_torch(dlogits, torch_logits.grad)


@given(rng=some.rngs, N=st.integers(1, 9), C=some.V, scale=scales)
def test_gradient_equals_the_complex_step(rng, N, C, scale):
    criterion = nr.CrossEntropyLoss()
    logits, targets = scale * some.normal(rng, N, C), some.tokens(rng, C, N)
    criterion.forward(logits, targets)
    assert_complex_step(
        lambda tensors: nr.CrossEntropyLoss().forward(tensors["logits"], targets),
        {"logits": logits},
        {"logits": criterion.backward()},
        rng,
    )


def test_bad_input_is_named():
    criterion = nr.CrossEntropyLoss()
    with pytest.raises(RuntimeError, match=r"CrossEntropyLoss\.backward was called before forward"):
        criterion.backward()
    with pytest.raises(IndexError, match=r"targets must lie in \[0, 3\), got 3 at \[1\]"):
        criterion.forward(np.zeros((2, 3)), [0, 3])
    with pytest.raises(IndexError, match=r"targets must lie in \[0, 3\), got -1 at \[0\]"):
        criterion.forward(np.zeros((2, 3)), [-1, 2])
    with pytest.raises(TypeError, match="targets must be integers, got dtype float64"):
        criterion.forward(np.zeros((2, 3)), [0.0, 1.0])
    with pytest.raises(TypeError, match="logits must be float32, float64 or complex128, got dtype int64"):
        criterion.forward(np.zeros((2, 3), int), [0, 1])
    with pytest.raises(ValueError, match=r"logits has shape \(2, 3, 4\), expected \(N, C\)"):
        criterion.forward(np.zeros((2, 3, 4)), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"targets has shape \(3,\), expected one class per row of logits = \(2,\)"):
        criterion.forward(np.zeros((2, 3)), [0, 1, 2])


def test_a_tape_of_another_dtype_is_an_error():
    criterion = nr.CrossEntropyLoss()
    with pytest.raises(TypeError, match="tape was made for logits of dtype float32, got float64"):
        criterion.forward(np.zeros((2, 3)), [0, 1], criterion.new_tape(2, 3))


def test_no_class_is_an_error():
    with pytest.raises(ValueError, match=r"logits has shape \(0, 0\), expected at least one class"):
        nr.CrossEntropyLoss().forward(np.zeros((0, 0)), np.zeros(0, int))


def test_it_has_the_face_of_a_layer():
    assert len(nr.CrossEntropyLoss().parameters()) == 0
    assert nr.CrossEntropyLoss().state_dict() == {}
