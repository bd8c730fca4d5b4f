"""Every option of RNN, crossed with every other, against torch.nn.RNN and the complex step."""

import copy

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


@given(rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes, options=options, p=st.floats(0.1, 0.9))
def test_dropout_equals_layers_of_torch_with_the_masks_between(rng, T, B, I, H, options, p):  # noqa: E741
    options["num_layers"] = max(options["num_layers"], 2)
    case = Case(rng, T, B, I, H, {**options, "dropout": p}, "batch")
    layer, D = case.layer, 1 + options["bidirectional"]
    output, h_n = layer.forward(case.x, case.h_0)
    masks = [tensor(mask.swapaxes(0, 1) if options["batch_first"] else mask) for mask in layer.tape.masks]
    assert len(masks) == options["num_layers"] - 1

    x, h_0 = leaf(case.x), leaf(case.h_0)
    state, between, h_ns, mirrors = torch_reference.to_torch(layer.state_dict()), x, [], []
    for k in range(options["num_layers"]):
        mirror = torch.nn.RNN(between.shape[-1], H, **{**options, "num_layers": 1}, dtype=torch.float64)
        mirror.load_state_dict({n.replace(f"_l{k}", "_l0"): v for n, v in state.items() if f"_l{k}" in n})
        between, last = mirror(between if k == 0 else between * masks[k - 1], h_0[k * D : (k + 1) * D])
        h_ns.append(last)
        mirrors.append(mirror)
    torch_h_n = torch.cat(h_ns)
    assert_equals_torch(output, between, "output")
    assert_equals_torch(h_n, torch_h_n, "h_n")

    torch.autograd.backward([between, torch_h_n], [tensor(case.doutput), tensor(case.dh_n)])
    dx, dh_0 = layer.backward(case.doutput, case.dh_n)
    assert_equals_torch(dx, x.grad, "dx")
    assert_equals_torch(dh_0, h_0.grad, "dh_0")
    for k, mirror in enumerate(mirrors):
        for name, q in mirror.named_parameters():
            name = name.replace("_l0", f"_l{k}")
            assert_equals_torch(layer.parameters()[name].grad, q.grad, name)


def test_masks_are_in_the_callers_order_whatever_the_lengths():
    layer = nr.RNN(1, 2, 2, dropout=0.5, dtype=np.float64, rng=0)
    mask = np.ones((3, 2, 2))
    mask[:, 0] = 0  # nothing of the first sequence comes through
    for lengths in (None, [3, 2], [2, 3]):
        output, _ = layer.forward(np.random.default_rng(0).standard_normal((3, 2, 1)), lengths=lengths, masks=[mask])
        dx, _ = layer.backward(np.ones_like(output))
        assert not dx[:, 0].any()
        assert dx[:2, 1].all()
        np.testing.assert_array_equal(layer.tape.masks[0], mask)


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


def test_masks_keep_the_mean_and_follow_mode_generator_and_dtype():
    layer = nr.RNN(3, 50, num_layers=3, dropout=0.25, bidirectional=True, dtype=np.float64, rng=0)
    x = np.random.default_rng(0).standard_normal((40, 10, 3))
    twin, single = copy.deepcopy(layer), nr.RNN(3, 50, num_layers=3, dropout=0.25, bidirectional=True, rng=0)
    first, _ = layer.forward(x)
    masks = layer.tape.masks
    for mask in masks:
        assert mask.shape == (40, 10, 100)
        np.testing.assert_array_equal(np.unique(mask), [0, 1 / 0.75])
        assert abs(mask.mean() - 1) < 0.02  # 5 standard deviations of the mean of 40000 draws are 0.015
    assert (masks[0] != masks[1]).any()
    np.testing.assert_array_equal(twin.forward(x)[0], first)  # a copy goes on with the same generator
    single.forward(x)
    assert single.tape.masks[0].dtype == np.float32
    np.testing.assert_array_equal(single.tape.masks[1] > 0, masks[1] > 0)

    second, _ = layer.forward(x)
    assert (second != first).any()
    replayed, _ = layer.forward(x, masks=masks)
    np.testing.assert_array_equal(replayed, first)
    assert layer.eval() is layer
    plain = nr.RNN(3, 50, num_layers=3, bidirectional=True, dtype=np.float64)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer.forward(x)[0], plain.forward(x)[0])
    assert layer.tape.masks is None
    assert layer.train().training
    layer.forward(x)
    assert layer.tape.masks is not None


def test_the_generator_draws_weights_and_masks():
    first, same, other = (nr.RNN(3, 4, 2, dropout=0.5, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    for layer in (first, same, other):
        layer.forward(np.zeros((9, 9, 3)))
    np.testing.assert_array_equal(first.parameters().data, same.parameters().data)
    np.testing.assert_array_equal(first.tape.masks, same.tape.masks)
    assert (first.parameters().data != other.parameters().data).any()
    assert (first.tape.masks[0] != other.tape.masks[0]).any()


def test_h_n_is_taken_before_dropout_and_all_may_be_dropped():
    layer = nr.RNN(3, 4, num_layers=2, dropout=1.0, dtype=np.float64, rng=0)
    x = np.random.default_rng(0).standard_normal((5, 2, 3))
    output, h_n = layer.forward(x)
    np.testing.assert_array_equal(h_n[0], layer.tape.layers[0][0].h[-1])
    assert h_n[0].any()
    zeros, _ = layer.forward(np.zeros_like(x))
    np.testing.assert_array_equal(output, zeros)  # nothing of x comes through
    dx, _ = layer.backward(np.ones_like(output))
    assert not dx.any()


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_is_a_forward_over_one_character(nonlinearity, bias):
    layer = nr.RNN(3, 4, 1, nonlinearity, bias, dtype=np.float64, rng=0)
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    _, h_n = layer.forward(x[None], h[None])
    # The same sums of seven terms of size 1, in another order.
    np.testing.assert_allclose(layer.layers[0][0].step(x, h), h_n[0], rtol=0, atol=1e-14)


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


def test_slips_are_explained():
    x, h_0 = np.zeros((5, 2, 3)), np.zeros((1, 2, 4))  # (T, B, I)
    layer, batch_first = nr.RNN(3, 4, rng=0), nr.RNN(3, 4, batch_first=True, rng=0)
    looks = "a sequence looks batch-first: transpose it, or make the RNN with batch_first=True"
    with pytest.raises(ValueError, match=rf"h_0 has shape \(1, 2, 4\), expected .* = \(1, 5, 4\); {looks}"):
        layer.forward(x.swapaxes(0, 1), h_0)
    with pytest.raises(ValueError, match=rf"lengths has shape \(2,\), expected \(B,\) = \(5,\); {looks}"):
        layer.forward(x.swapaxes(0, 1), lengths=[5, 3])
    with pytest.raises(ValueError, match="a sequence looks time-first: transpose it, or leave out batch_first=True"):
        batch_first.forward(x, h_0)
    with pytest.raises(ValueError, match="h_0 is never batch-first: transpose it"):
        batch_first.forward(x.swapaxes(0, 1), h_0.swapaxes(0, 1))
    with pytest.raises(ValueError, match=r"x has shape \(5, 3, 2\), .* input_size = 3; axis 1 looks like input_size"):
        layer.forward(x.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 1, 4\), expected for a single sequence .* = \(1, 4\)"):
        layer.forward(np.zeros((5, 3)), np.zeros((1, 1, 4)))


def test_the_options_can_be_read_as_in_torch():
    options = {"nonlinearity": "relu", "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}
    layer, mirror = nr.RNN(3, 4, 2, **options), torch.nn.RNN(3, 4, 2, **options)
    for name in ("input_size", "hidden_size", "num_layers", *options):
        assert getattr(layer, name) == getattr(mirror, name), name


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="nonlinearity must be 'tanh' or 'relu', got 'gelu'"):
        nr.RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(TypeError, match="dropout must be a number, got True"):
        nr.RNN(3, 4, 2, dropout=True)
    with pytest.warns(UserWarning, match="dropout=0.5 does nothing with num_layers=1"):
        nr.RNN(3, 4, dropout=0.5)
    layer, x = nr.RNN(3, 4, 2, rng=0), np.zeros((5, 2, 3))
    for lengths, wrong in (([6, 1], 6), ([5, 0], 0), ([-1, 5], -1)):
        with pytest.raises(ValueError, match=rf"lengths must be in \[1, T\] = \[1, 5\], got {wrong}"):
            layer.forward(x, lengths=lengths)
    with pytest.raises(TypeError, match="lengths must be integers, got dtype float64"):
        layer.forward(x, lengths=[5.0, 3.0])
    with pytest.raises(ValueError, match="lengths must be None for a single sequence"):
        layer.forward(x[:, 0], lengths=[5])
    with pytest.raises(
        TypeError, match="masks must be a list of arrays, one for each layer but the last, got ndarray"
    ):
        layer.forward(x, masks=np.ones((5, 2, 4)))
    with pytest.raises(TypeError, match=r"x must be an array, got a PackedSequence: torch_reference\.from_packed"):
        layer.forward(torch_reference.to_packed(x, [5, 3]))
    with pytest.raises(TypeError, match="x is a masked array: fill it first"):
        layer.forward(np.ma.masked_array(x, x == 0))
    with pytest.raises(ValueError, match="T must be at least 1, got 0"):
        layer.new_tape(0, 2)
    with pytest.raises(ValueError, match="B must be at least 0, got -1"):
        layer.new_tape(5, -1)
    with pytest.raises(TypeError, match="mode must be True or False, got 'no'"):
        layer.train("no")
    with pytest.raises(ValueError, match="masks has length 2, expected num_layers - 1 = 1"):
        layer.forward(x, masks=[np.ones((5, 2, 4))] * 2)


def test_a_refused_forward_leaves_the_tape_as_it_was():
    layer = nr.RNN(3, 4, 2, bidirectional=True, dtype=np.float64, rng=0)
    rng = np.random.default_rng(0)
    x, doutput = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 2, 8))
    tape = layer.new_tape(5, 2)
    layer.forward(x, None, tape, lengths=[2, 4])
    expected = [array.copy() for array in layer.backward(doutput, None, tape)]
    for wrong in ({"h_0": np.zeros((1, 2, 4))}, {"masks": []}, {"lengths": [6, 1]}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}"):
            layer.forward(x, tape=tape, **wrong)
        for ours, theirs in zip(layer.backward(doutput, None, tape), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
