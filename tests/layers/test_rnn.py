import numpy as np
import pytest
from hypothesis import given

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor


@given(
    rng=some.rngs,
    T=some.T,
    B=some.B,
    I=some.sizes,
    H=some.sizes,
    dtype=some.dtypes,
    layout=some.layouts,
    with_h_0=...,
    with_dh_n=...,
)
def test_forward_and_gradients_equal_torch(rng, T, B, I, H, dtype, layout, with_h_0: bool, with_dh_n: bool):  # noqa: E741
    layer = nr.RNN(I, H, dtype=dtype, rng=rng)
    x = some.normal(rng, T, B, I, dtype=dtype, layout=layout)
    h_0 = some.normal(rng, 1, B, H, dtype=dtype, layout=layout) if with_h_0 else None
    mirror = torch.nn.RNN(I, H, dtype=leaf(x).dtype)
    mirror.load_state_dict(torch_reference.to_torch(layer.state_dict()))
    torch_x, torch_h_0 = leaf(x), leaf(h_0)

    output, h_n = layer.forward(x, h_0)
    torch_output, torch_h_n = mirror(torch_x, torch_h_0)
    assert_equals_torch(output, torch_output, "output")
    assert_equals_torch(h_n, torch_h_n, "h_n")

    doutput = some.normal(rng, T, B, H, dtype=dtype, layout=layout)
    dh_n = some.normal(rng, 1, B, H, dtype=dtype, layout=layout) if with_dh_n else None
    dx, dh_0 = layer.backward(doutput, dh_n)
    upstream = [doutput, np.zeros_like(h_n) if dh_n is None else dh_n]
    torch.autograd.backward([torch_output, torch_h_n], [tensor(u) for u in upstream])
    assert_equals_torch(dx, torch_x.grad, "dx")
    if with_h_0:
        assert_equals_torch(dh_0, torch_h_0.grad, "dh_0")
    for name, p in mirror.named_parameters():
        assert_equals_torch(layer.parameters()[name].grad, p.grad, name)


@given(rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes)
def test_gradients_equal_the_complex_step(rng, T, B, I, H):  # noqa: E741
    layer = nr.RNN(I, H, dtype=np.float64, rng=rng)
    inputs = {"x": some.normal(rng, T, B, I), "h_0": some.normal(rng, 1, B, H)}
    doutput, dh_n = some.normal(rng, T, B, H), some.normal(rng, 1, B, H)
    layer.forward(**inputs)
    dx, dh_0 = layer.backward(doutput, dh_n)
    gradients = {"x": dx, "h_0": dh_0} | {name: p.grad for name, p in layer.parameters().items()}

    def loss(tensors):
        twin = nr.RNN(I, H, dtype=np.complex128)
        twin.load_state_dict({name: value for name, value in tensors.items() if name not in inputs})
        output, h_n = twin.forward(tensors["x"], tensors["h_0"])
        return (doutput * output).sum() + (dh_n * h_n).sum()

    assert_complex_step(loss, inputs | layer.state_dict(), gradients, rng)


@given(rng=some.rngs, T=some.T, B=some.B, I=some.sizes, H=some.sizes)
def test_a_sequence_may_be_read_in_two_parts(rng, T, B, I, H):  # noqa: E741
    layer = nr.RNN(I, H, dtype=np.float64, rng=rng)
    x = some.normal(rng, T + 1, B, I)
    whole, whole_h_n = layer.forward(x)
    first, h = layer.forward(x[:T])
    second, h_n = layer.forward(x[T:], h)
    # The same products; BLAS may add in another order when it gets fewer rows.
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-14)
    np.testing.assert_allclose(h_n, whole_h_n, rtol=0, atol=1e-14)


def test_bad_input_is_named():
    layer = nr.RNN(3, 4, rng=0)
    with pytest.raises(
        ValueError, match=r"x has shape \(3,\), expected \(T, B, input_size\) or, a single .* input_size = 3"
    ):
        layer.forward(np.zeros(3))
    with pytest.raises(ValueError, match=r"x has shape \(5, 0, 4\), expected \(T, B, input_size\)"):
        layer.forward(np.zeros((5, 0, 4)))
    with pytest.raises(ValueError, match="at least one time step"):
        layer.forward(np.zeros((0, 2, 3)))
    with pytest.raises(ValueError, match=r"h_0 has shape \(2, 4\), expected .*, B, hidden_size\) = \(1, 2, 4\)"):
        layer.forward(np.zeros((5, 2, 3)), np.zeros((2, 4)))
    with pytest.raises(RuntimeError, match=r"RNN\.backward was called before forward"):
        layer.backward(np.zeros((5, 2, 4)))
    layer.forward(np.zeros((5, 2, 3)))
    with pytest.raises(ValueError, match=r"doutput has shape \(5, 1, 4\), expected .* = \(5, 2, 4\)"):
        layer.backward(np.zeros((5, 1, 4)))
    with pytest.raises(ValueError, match=r"dh_n has shape \(1, 1, 4\), expected .* = \(1, 2, 4\)"):
        layer.backward(np.zeros((5, 2, 4)), np.zeros((1, 1, 4)))
    with pytest.raises(ValueError, match=r"tape was made for inputs of shape \(6, 2\), got one of \(5, 2\)"):
        layer.forward(np.zeros((5, 2, 3)), tape=layer.new_tape(6, 2))
    with pytest.raises(ValueError, match="hidden_size must be at least 1, got -4"):
        nr.RNN(3, -4)


def test_initial_values_fill_torchs_interval():
    for p in nr.RNN(50, 100, rng=0).parameters().values():
        assert 0.09 < np.abs(p.data).max() <= 0.1
        assert abs(p.data.mean()) < 0.02
