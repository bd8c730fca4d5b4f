import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor

leading = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(rng=some.rngs, shape=leading, I=some.sizes, O=some.sizes, bias=..., dtype=some.dtypes, layout=some.layouts)
def test_forward_and_gradients_equal_torch(rng, shape, I, O, bias: bool, dtype, layout):  # noqa: E741
    layer = nr.Linear(I, O, bias, dtype=dtype, rng=rng)
    mirror = torch.nn.Linear(I, O, bias, dtype=leaf(np.zeros(1, dtype)).dtype)
    mirror.load_state_dict(torch_reference.to_torch(layer.state_dict()))
    x = some.normal(rng, *shape, I, dtype=dtype, layout=layout)
    torch_x = leaf(x)

    y, theirs = layer.forward(x), mirror(torch_x)
    assert_equals_torch(y, theirs)

    dy = some.normal(rng, *shape, O, dtype=dtype, layout=layout)
    dx = layer.backward(dy)
    theirs.backward(tensor(dy))
    assert_equals_torch(dx, torch_x.grad)
    for name, p in mirror.named_parameters():
        assert_equals_torch(layer.parameters()[name].grad, p.grad, name)


@given(rng=some.rngs, shape=leading, I=some.sizes, O=some.sizes, bias=...)
def test_gradients_equal_the_complex_step(rng, shape, I, O, bias: bool):  # noqa: E741
    layer = nr.Linear(I, O, bias, dtype=np.float64, rng=rng)
    x, dy = some.normal(rng, *shape, I), some.normal(rng, *shape, O)
    layer.forward(x)
    gradients = {"x": layer.backward(dy)} | {name: p.grad for name, p in layer.parameters().items()}

    def loss(tensors):
        twin = nr.Linear(I, O, bias, dtype=np.complex128)
        twin.load_state_dict({name: value for name, value in tensors.items() if name != "x"})
        return (dy * twin.forward(tensors["x"])).sum()

    assert_complex_step(loss, {"x": x} | layer.state_dict(), gradients, rng)


def test_bad_input_is_named():
    layer = nr.Linear(3, 2, rng=0)
    with pytest.raises(ValueError, match=r"x has shape \(4, 2\), expected \(\*, in_features\) = \(\*, 3\)"):
        layer.forward(np.zeros((4, 2)))
    with pytest.raises(RuntimeError, match=r"Linear\.backward was called before forward"):
        layer.backward(np.zeros((4, 2)))


def test_initial_values_fill_torchs_interval():
    layer = nr.Linear(400, 50, rng=0)
    for p in layer.parameters().values():
        assert 0.9 / 20 < np.abs(p.data).max() <= 1 / 20
        assert abs(p.data.mean()) < 0.2 / 20
