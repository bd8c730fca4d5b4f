"""Every option of LSTM and GRU, crossed with every other, against torch and the complex step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.layers import gates
from numpy_rnn.layers.recurrent import as_arrays
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor

options = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
        "bidirectional": st.booleans(),
    }
)
kinds = st.sampled_from(["batch", "single", "lengths"])
cells = st.sampled_from([nr.LSTM, nr.GRU])
blocks = st.sampled_from([1, 40, 2**16])  # elements of z whose slopes are computed at once: one step, a few, all


@pytest.fixture(autouse=True)
def _block_size(monkeypatch):
    monkeypatch.setattr(gates, "BLOCK", gates.BLOCK)  # the tests below set it


def state(arrays):
    """Return one array, or the LSTM's pair."""
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


class Case:
    """A layer, its inputs and its upstream gradients, in the caller's layout."""

    def __init__(self, cell, rng, T, B, I, H, options, kind, dtype=np.float64):  # noqa: E741
        B = max(B, 1) if kind == "lengths" else B  # torch packs no empty batch
        D = 1 + options["bidirectional"]
        self.layer = cell(I, H, **options, dtype=dtype, rng=rng)
        self.options, self.kind, self.sizes = options, kind, (T, B)
        lead = (T,) if kind == "single" else (B, T) if options["batch_first"] else (T, B)
        shape = (options["num_layers"] * D, *(() if kind == "single" else (B,)), H)
        count = 2 if cell is nr.LSTM else 1
        self.x = some.normal(rng, *lead, I, dtype=dtype)
        self.h_0, self.dh_n = (state([some.normal(rng, *shape, dtype=dtype) for _ in range(count)]) for _ in "01")
        self.lengths = rng.integers(1, T + 1, B) if kind == "lengths" else None
        self.doutput = some.normal(rng, *lead, D * H, dtype=dtype)

    def padding(self):
        """Return where the caller's sequences have ended."""
        T, B = self.sizes
        ended = np.arange(T)[:, None] >= (np.full(B, T) if self.lengths is None else self.lengths)
        return ended.T if self.options["batch_first"] else ended

    def run_torch(self, mirror, x, h_0):
        if self.kind != "lengths":
            return mirror(x, h_0)
        batch_first = self.options["batch_first"]
        output, h_n = mirror(torch_reference.to_packed(x, self.lengths, batch_first), h_0)
        unpacked, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first, total_length=self.sizes[0])
        return unpacked, h_n

    def run(self, x=None, doutput=None, tape=None, lengths=None):
        """Return all that forward and backward return, as a list of copies, and the gradients of the parameters."""
        lengths = self.lengths if lengths is None else lengths
        output, h_n = self.layer.forward(self.x if x is None else x, self.h_0, tape, lengths=lengths)
        dx, dh_0 = self.layer.backward(self.doutput if doutput is None else doutput, self.dh_n, tape)
        arrays = [output, *as_arrays(h_n), dx, *as_arrays(dh_0), self.layer.parameters().grad]
        return [array.copy() for array in arrays]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@given(
    cell=cells, rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes, options=options, kind=kinds,
    dtype=some.dtypes, block=blocks, with_state=...,
)  # fmt: skip
def test_forward_gradients_and_state_dict_equal_torch(
    cell, rng, T, B, I, H, options, kind, dtype, block, with_state: bool  # noqa: E741
):  # fmt: skip
    gates.BLOCK = block
    case = Case(cell, rng, T, B, I, H, options, kind, dtype)
    layer, ours_0 = case.layer, case.h_0 if with_state else None
    mirror = getattr(torch.nn, cell.__name__)(I, H, **options, dtype=leaf(case.x).dtype)
    mirror.load_state_dict(torch_reference.to_torch(layer.state_dict()), strict=True)
    assert list(mirror.state_dict()) == list(layer.state_dict())
    x, leaves = leaf(case.x), [leaf(h) for h in as_arrays(case.h_0)]

    output, h_n = layer.forward(case.x, ours_0, lengths=case.lengths)
    torch_output, torch_h_n = case.run_torch(mirror, x, state(leaves) if with_state else None)
    assert_equals_torch(output, torch_output, "output")
    for ours, theirs in zip(as_arrays(h_n), as_arrays(torch_h_n), strict=True):
        assert_equals_torch(ours, theirs, "h_n")

    upstream = [tensor(d) for d in (case.doutput, *as_arrays(case.dh_n))]
    torch.autograd.backward([torch_output, *as_arrays(torch_h_n)], upstream)
    dx, dh_0 = layer.backward(case.doutput, case.dh_n)
    assert_equals_torch(dx, x.grad, "dx")
    if with_state:
        for ours, theirs in zip(as_arrays(dh_0), leaves, strict=True):
            assert_equals_torch(ours, theirs.grad, "dh_0")
    for name, p in mirror.named_parameters():
        assert_equals_torch(layer.parameters()[name].grad, p.grad, name)
    if kind == "lengths":
        assert not output[case.padding()].any()
        assert not dx[case.padding()].any()

    other = cell(I, H, **options, dtype=dtype)
    other.load_state_dict(mirror.state_dict())
    np.testing.assert_array_equal(other.parameters().data, layer.parameters().data)


@given(
    cell=cells, rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes, options=options, kind=kinds,
    p=st.floats(0, 0.9), block=blocks,
)  # fmt: skip
def test_gradients_equal_the_complex_step(cell, rng, T, B, I, H, options, kind, p, block):  # noqa: E741
    gates.BLOCK = block
    if options["num_layers"] == 1:
        p = 0.0
    case = Case(cell, rng, T, B, I, H, {**options, "dropout": p}, kind)
    layer, names = case.layer, ("h_0", "c_0")
    states = dict(zip(names, as_arrays(case.h_0), strict=False))
    layer.forward(case.x, case.h_0, lengths=case.lengths)
    masks = layer.tape.masks
    dx, dh_0 = layer.backward(case.doutput, case.dh_n)
    gradients = {"x": dx, **dict(zip(states, as_arrays(dh_0), strict=True))}
    gradients |= {name: p.grad for name, p in layer.parameters().items()}

    def loss(tensors):
        twin = cell(I, H, **options, dtype=np.complex128)
        twin.load_state_dict({name: tensors[name] for name in layer.parameters()})
        given = state([tensors[name] for name in states])
        output, h_n = twin.forward(tensors["x"], given, lengths=case.lengths, masks=masks)
        last = zip(as_arrays(case.dh_n), as_arrays(h_n), strict=True)
        return (case.doutput * output).sum() + sum((d * h).sum() for d, h in last)

    assert_complex_step(loss, {"x": case.x, **states, **layer.state_dict()}, gradients, rng)


@given(cell=cells, rng=some.rngs, T=some.T, B=some.B, options=options)
def test_padding_is_not_read(cell, rng, T, B, options):
    case = Case(cell, rng, T, B, 3, 4, options, "lengths")
    expected, ended = case.run(), case.padding()
    x, doutput = case.x.copy(), case.doutput.copy()
    x[ended], doutput[ended] = np.nan, np.inf
    assert_equal(case.run(x, doutput), expected)


@pytest.mark.parametrize("cell", [nr.LSTM, nr.GRU])
def test_nan_stays_in_its_sequence(cell):
    layer, rng = cell(3, 4, bidirectional=True, dtype=np.float64, rng=0), np.random.default_rng(0)
    x, doutput = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 2, 8))
    layer.forward(x, lengths=[2, 5])
    expected, _ = layer.backward(doutput)
    x[1, 0] = np.nan
    layer.forward(x, lengths=[2, 5])
    dx, _ = layer.backward(doutput)
    assert np.isnan(dx[:2, 0]).all()
    assert not dx[2:, 0].any()
    np.testing.assert_array_equal(dx[:, 1], expected[:, 1])


@given(cell=cells, rng=some.rngs, T=some.T, B=some.B, options=options, block=blocks)
def test_lengths_may_change_on_one_tape(cell, rng, T, B, options, block):
    gates.BLOCK = block
    case = Case(cell, rng, T, B, 3, 4, options, "lengths")
    tape = case.layer.new_tape(*case.sizes)
    full = np.full(case.sizes[1], T)
    for lengths in (case.lengths, full, rng.integers(1, T + 1, case.sizes[1]), case.lengths):
        assert_equal(case.run(tape=tape, lengths=lengths), case.run(lengths=lengths))


@pytest.mark.parametrize("cell", [nr.LSTM, nr.GRU])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_step_is_a_forward_over_one_character(cell, bias, batch):
    layer, rng = cell(3, 4, bias=bias, dtype=np.float64, rng=0), np.random.default_rng(0)
    x, states = rng.standard_normal((*batch, 3)), [rng.standard_normal((*batch, 4)) for _ in range(layer.cell.states)]
    _, h_n = layer.forward(x[None], state([h[None] for h in states]))
    recurrence = layer.layers[0][0]
    z = recurrence.projected(x)
    h_1 = recurrence.step(np.empty_like(z), *states)(z)
    assert h_1 is states[0]
    for ours, theirs in zip(states, as_arrays(h_n), strict=True):
        # The same sums of a few terms of size 1, in another order.
        np.testing.assert_allclose(ours, theirs[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", [nr.LSTM, nr.GRU])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gates_may_be_entirely_open_or_closed(cell, dtype):
    layer, rng = cell(1, 2, dtype=dtype, rng=0), np.random.default_rng(0)
    mirror = getattr(torch.nn, cell.__name__)(1, 2, dtype=leaf(np.zeros(1, dtype)).dtype)
    mirror.load_state_dict(torch_reference.to_torch(layer.state_dict()))
    x = np.array([1e4, -1e4, 1, -1e4, 1e4], dtype).reshape(5, 1, 1)  # exp(1e4) is infinite: without a warning
    torch_x = leaf(x)
    output, _ = layer.forward(x)
    torch_output, _ = mirror(torch_x)
    assert_equals_torch(output, torch_output, "output")
    doutput = some.normal(rng, 5, 1, 2, dtype=dtype)
    torch_output.backward(tensor(doutput))
    dx, _ = layer.backward(doutput)
    assert_equals_torch(dx, torch_x.grad, "dx")
    recurrence, states = layer.layers[0][0], [np.zeros(2, dtype) for _ in range(layer.cell.states)]
    z = recurrence.projected(x[0, 0])
    assert_equals_torch(recurrence.step(np.empty_like(z), *states)(z), torch_output[0, 0], "step")
