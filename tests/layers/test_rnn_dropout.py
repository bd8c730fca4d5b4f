"""Dropout between the layers of RNN: against torch with the same masks, and the masks themselves."""

import copy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.layers.test_rnn_options import Case, options
from tests.optional import torch, torch_reference
from tests.references import assert_equals_torch, leaf, tensor


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
