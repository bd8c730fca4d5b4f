"""Every option of RNN, crossed with every other, against torch.nn.RNN and the complex step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor

options = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
        "bidirectional": st.booleans(),
    }
)
kinds = st.sampled_from(["batch", "single", "lengths"])


class Case:
    """A layer, its inputs and its upstream gradients, in the caller's layout."""

    def __init__(self, rng, T, B, I, H, options, kind, dtype=np.float64, with_state=True):  # noqa: E741
        B = max(B, 1) if kind == "lengths" else B  # torch packs no empty batch
        D = 1 + options["bidirectional"]
        self.layer = nr.RNN(I, H, **options, dtype=dtype, rng=rng)
        self.options, self.kind, self.sizes, self.dtype = options, kind, (T, B, D * H), dtype
        lead = (T,) if kind == "single" else (B, T) if options["batch_first"] else (T, B)
        state = (options["num_layers"] * D, *(() if kind == "single" else (B,)), H)
        self.x = some.normal(rng, *lead, I, dtype=dtype)
        self.h_0 = some.normal(rng, *state, dtype=dtype) if with_state else None
        self.lengths = rng.integers(1, T + 1, B) if kind == "lengths" else None
        self.doutput = some.normal(rng, *lead, D * H, dtype=dtype)
        self.dh_n = some.normal(rng, *state, dtype=dtype)

    def padding(self):
        """Return where the caller's sequences have ended."""
        T, B, _ = self.sizes
        ended = np.arange(T)[:, None] >= (np.full(B, T) if self.lengths is None else self.lengths)
        return ended.T if self.options["batch_first"] else ended

    def run_torch(self, mirror, x, h_0):
        if self.kind != "lengths":
            return mirror(x, h_0)
        batch_first = self.options["batch_first"]
        output, h_n = mirror(torch_reference.to_packed(x, self.lengths, batch_first), h_0)
        unpacked, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first, total_length=self.sizes[0])
        return unpacked, h_n


@given(
    rng=some.rngs,
    T=some.T,
    B=some.B,
    I=some.sizes,
    H=some.sizes,
    options=options,
    kind=kinds,
    dtype=some.dtypes,
    with_state=...,
)
def test_forward_gradients_and_state_dict_equal_torch(rng, T, B, I, H, options, kind, dtype, with_state: bool):  # noqa: E741
    case = Case(rng, T, B, I, H, options, kind, dtype, with_state)
    layer = case.layer
    mirror = torch.nn.RNN(I, H, **options, dtype=leaf(case.x).dtype)
    mirror.load_state_dict(torch_reference.to_torch(layer.state_dict()), strict=True)
    assert list(mirror.state_dict()) == list(layer.state_dict())
    x, h_0 = leaf(case.x), leaf(case.h_0)

    output, h_n = layer.forward(case.x, case.h_0, lengths=case.lengths)
    torch_output, torch_h_n = case.run_torch(mirror, x, h_0)
    assert_equals_torch(output, torch_output, "output")
    assert_equals_torch(h_n, torch_h_n, "h_n")

    torch.autograd.backward([torch_output, torch_h_n], [tensor(case.doutput), tensor(case.dh_n)])
    dx, dh_0 = layer.backward(case.doutput, case.dh_n)
    assert_equals_torch(dx, x.grad, "dx")
    if h_0 is not None:
        assert_equals_torch(dh_0, h_0.grad, "dh_0")
    for name, p in mirror.named_parameters():
        assert_equals_torch(layer.parameters()[name].grad, p.grad, name)
    if kind == "lengths":
        assert not output[case.padding()].any()
        assert not dx[case.padding()].any()

    other = nr.RNN(I, H, **options, dtype=dtype)
    other.load_state_dict(mirror.state_dict())
    np.testing.assert_array_equal(other.parameters().data, layer.parameters().data)


@given(
    rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes, options=options, kind=kinds, p=st.floats(0, 0.9)
)
def test_gradients_equal_the_complex_step(rng, T, B, I, H, options, kind, p):  # noqa: E741
    if options["num_layers"] == 1:
        p = 0.0
    case = Case(rng, T, B, I, H, {**options, "dropout": p}, kind)
    layer, inputs = case.layer, {"x": case.x, "h_0": case.h_0}
    layer.forward(**inputs, lengths=case.lengths)
    masks = layer.tape.masks
    dx, dh_0 = layer.backward(case.doutput, case.dh_n)
    gradients = {"x": dx, "h_0": dh_0} | {name: p.grad for name, p in layer.parameters().items()}

    def loss(tensors):
        twin = nr.RNN(I, H, **options, dtype=np.complex128)
        twin.load_state_dict({name: value for name, value in tensors.items() if name not in inputs})
        output, h_n = twin.forward(tensors["x"], tensors["h_0"], lengths=case.lengths, masks=masks)
        return (case.doutput * output).sum() + (case.dh_n * h_n).sum()

    assert_complex_step(loss, inputs | layer.state_dict(), gradients, rng)


def test_a_state_that_overflows_at_the_end_of_a_sequence_stays_there():
    layer = nr.RNN(1, 1, nonlinearity="relu", bias=False)
    layer.weight_ih_l0.data, layer.weight_hh_l0.data = 2, 1
    x = np.ones((3, 2, 1), np.float32)
    x[1, 0] = 3e38
    with np.errstate(over="ignore"):
        output, _ = layer.forward(x, lengths=[2, 3])
    doutput = np.zeros_like(output)
    doutput[:, 1] = 1
    layer.backward(doutput)
    assert layer.weight_hh_l0.grad.item() == 8  # torch's


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_is_a_forward_over_one_character(nonlinearity, bias):
    layer = nr.RNN(3, 4, 1, nonlinearity, bias, dtype=np.float64, rng=0)
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    _, h_n = layer.forward(x[None], h[None])
    # The same sums of seven terms of size 1, in another order.
    recurrence = layer.layers[0][0]
    z = recurrence.projected(x)
    h_1 = recurrence.step(np.empty_like(z), h)(z)
    np.testing.assert_allclose(h_1, h_n[0], rtol=0, atol=1e-14)


def test_relu_has_slope_zero_at_zero():
    layer = nr.RNN(1, 1, nonlinearity="relu", dtype=np.float64)
    for p in layer.parameters().values():
        p.data = 0
    layer.weight_ih_l0.data = 1
    output, _ = layer.forward(np.array([[[-1.0]], [[0.0]], [[2.0]]]))
    np.testing.assert_array_equal(output.ravel(), [0, 0, 2])
    dx, _ = layer.backward(np.full((3, 1, 1), 3.0))
    np.testing.assert_array_equal(dx.ravel(), [0, 0, 3])
    twin = nr.RNN(1, 1, nonlinearity="relu", dtype=np.complex128)
    twin.load_state_dict(layer.state_dict())
    output, _ = twin.forward(np.array([[[-1 + 1j]], [[1j]], [[2 + 1j]]]))
    np.testing.assert_array_equal(output.ravel(), [0, 0, 2 + 1j])


@given(rng=some.rngs, T=some.T, B=some.B, options=options)
def test_padding_is_not_read(rng, T, B, options):
    case = Case(rng, T, B, 3, 4, options, "lengths")
    layer, ended = case.layer, case.padding()
    expected = layer.forward(case.x, case.h_0, lengths=case.lengths)
    expected_d = layer.backward(case.doutput, case.dh_n)
    gradients = layer.parameters().grad.copy()
    x, doutput = case.x.copy(), case.doutput.copy()
    x[ended], doutput[ended] = np.nan, np.inf
    for ours, theirs in zip(layer.forward(x, case.h_0, lengths=case.lengths), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(layer.backward(doutput, case.dh_n), expected_d, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(layer.parameters().grad, gradients)
    assert np.isnan(x[ended]).all()  # the caller's array is the caller's


@given(rng=some.rngs, T=some.T, B=some.B, options=options)
def test_lengths_may_change_on_one_tape(rng, T, B, options):
    case = Case(rng, T, B, 3, 4, options, "lengths")
    layer = case.layer
    tape = layer.new_tape(*case.sizes[:2])
    for lengths in (case.lengths, None, rng.integers(1, T + 1, case.sizes[1]), case.lengths):
        expected = layer.forward(case.x, case.h_0, lengths=lengths)
        expected_d = layer.backward(case.doutput, case.dh_n)
        for ours, theirs in zip(layer.forward(case.x, case.h_0, tape, lengths=lengths), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for ours, theirs in zip(layer.backward(case.doutput, case.dh_n, tape), expected_d, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@given(rng=some.rngs, T=some.T, B=some.B, batch_first=...)
def test_packed_sequences_come_and_go(rng, T, B, batch_first: bool):
    B = max(B, 1)
    x, lengths = some.normal(rng, T, B, 3), rng.integers(1, T + 1, B)
    x[np.arange(T)[:, None] >= lengths] = 0
    x = x.swapaxes(0, 1) if batch_first else x
    packed = torch_reference.to_packed(x, lengths, batch_first)
    back, back_lengths = torch_reference.from_packed(packed, batch_first, T)
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(back_lengths, lengths)


def test_the_options_can_be_read_as_in_torch():
    options = {"nonlinearity": "relu", "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}
    layer, mirror = nr.RNN(3, 4, 2, **options), torch.nn.RNN(3, 4, 2, **options)
    for name in ("input_size", "hidden_size", "num_layers", *options):
        assert getattr(layer, name) == getattr(mirror, name), name
