import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.references import tensor
from torch_reference import make_mirror

sizes = {"T": some.T, "B": some.B, "V": some.V, "E": some.sizes, "H": some.sizes}
some_B = some.B.filter(bool)


def close(ours, theirs, name=""):
    """1e-12 of the largest element, a few thousand roundings; and 1e-15, the rounding of one 1 - h^2 or p - 1."""
    theirs = np.asarray(theirs)
    atol = 1e-12 * float(np.abs(theirs).max(initial=0)) + 1e-15
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol, err_msg=name)


def setup(rng, T, B, V, E, H, dtype=np.float64, with_h_0=True):
    model = nr.CharRNN(V, E, H, dtype=dtype, rng=rng)
    tokens, targets = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B)
    return model, tokens, targets, some.normal(rng, 1, B, H) if with_h_0 else None


@given(rng=some.rngs, with_h_0=..., **sizes)
def test_the_items_add_up_to_what_backward_gives(rng, T, B, V, E, H, with_h_0: bool):
    model, tokens, targets, h_0 = setup(rng, T, B, V, E, H, with_h_0=with_h_0)
    trace = nr.trace(model, tokens, targets, h_0)

    loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
    close(trace.loss, loss)
    close(trace.losses.sum(), loss * T * B if B else 0)
    close(trace.h[-1], h_n[0])
    for name, p in model.parameters().items():
        close(trace.contributions[name].sum(axis=0), p.grad, name)
        close(trace.by_distance[name].sum(axis=0), p.grad, name)
        np.testing.assert_array_equal(trace.gradients[name], trace.contributions[name].sum(axis=0))

    logits, _ = model.forward(tokens, h_0)
    close(trace.logits, logits)
    close(trace.dh_0, model.backward(trace.dlogits)[0])


@given(rng=some.rngs, **sizes)
def test_the_state_gradients_are_the_sum_of_their_parts(rng, T, B, V, E, H):
    trace = nr.trace(*setup(rng, T, B, V, E, H))
    close(trace.dh_by_loss.sum(axis=0), trace.dh)
    close(trace.dh_local + trace.dh_future, trace.dh)
    for s in range(T):
        np.testing.assert_array_equal(trace.dh_by_loss[s, s], trace.dh_local[s])
        assert not trace.dh_by_loss[s, s + 1 :].any()
        close(trace.dh_by_loss[s + 1 :, s].sum(axis=0), trace.dh_future[s])


@given(rng=some.rngs, **sizes | {"B": some_B})
def test_each_item_equals_torch(rng, T, B, V, E, H):
    """dL_s/dh_t and the Jacobians from autograd; dx, dz and dh, too, of which `backward` shows none."""
    model, tokens, targets, h_0 = setup(rng, T, B, V, E, H)
    trace = nr.trace(model, tokens, targets, h_0)
    w = {name: tensor(array) for name, array in model.state_dict().items()}
    x = w["embedding.weight"][tensor(tokens)].requires_grad_()
    z, h = [], [tensor(h_0[0]).requires_grad_()]
    for t in range(T):
        ih, hh = x[t] @ w["rnn.weight_ih_l0"].T, h[t] @ w["rnn.weight_hh_l0"].T
        z.append((ih + w["rnn.bias_ih_l0"] + hh + w["rnn.bias_hh_l0"]).requires_grad_())
        h.append(torch.tanh(z[t]))
    logits = torch.stack(h[1:]) @ w["fc.weight"].T + w["fc.bias"]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensor(targets).flatten(), reduction="none")
    losses = losses.reshape(T, B)
    close(trace.losses, losses.detach())
    close(trace.x, x.detach())
    for s in range(T):
        rows = torch.autograd.grad(losses[s].sum() / (T * B), h[1 : s + 2], retain_graph=True)
        close(trace.dh_by_loss[s, : s + 1], torch.stack(rows))
    dx, dh_0, *rest = torch.autograd.grad(losses.mean(), [x, h[0], *z, *h[1:]], retain_graph=True)
    close(trace.dx, dx)
    close(trace.dh_0, dh_0)
    close(trace.dz, torch.stack(rest[:T]))
    close(trace.dh, torch.stack(rest[T:]))
    for t in range(T):
        for i in range(H):
            (row,) = torch.autograd.grad(h[t + 1][:, i].sum(), h[t], retain_graph=True)
            close(trace.jacobians[t, :, i], row)


@given(rng=some.rngs, **sizes | {"B": some_B})
def test_what_a_step_contributes_is_the_gradient_of_its_own_copy_of_the_weights(rng, T, B, V, E, H):
    """Give torch T copies of every parameter, one a step: the gradient of copy t is the contribution of step t."""
    model, tokens, targets, h_0 = setup(rng, T, B, V, E, H)
    copies = {
        name: tensor(np.broadcast_to(array, (T, *array.shape))).requires_grad_()
        for name, array in model.state_dict().items()
    }
    h, loss = tensor(h_0[0]), 0
    for t in range(T):
        C, W_ih, W_hh, b_ih, b_hh, W, b = (copy[t] for copy in copies.values())
        h = torch.tanh(C[tensor(tokens[t])] @ W_ih.T + b_ih + h @ W_hh.T + b_hh)
        loss = loss + torch.nn.functional.cross_entropy(h @ W.T + b, tensor(targets[t])) / T
    loss.backward()
    trace = nr.trace(model, tokens, targets, h_0)
    for name, copy in copies.items():
        close(trace.contributions[name], copy.grad, name)


@given(rng=some.rngs, data=st.data(), **sizes | {"B": some_B})
def test_a_truncation_is_what_detaching_gives(rng, data, T, B, V, E, H):
    """k steps back from each loss: detach the state k steps before it, and run each loss on its own."""
    k = data.draw(st.integers(1, T))
    model, tokens, targets, h_0 = setup(rng, T, B, V, E, H)
    trace = nr.trace(model, tokens, targets, h_0)
    mirror = make_mirror(model)
    for s in range(T):
        start = max(0, s + 1 - k)
        logits, _ = mirror(tensor(tokens[start : s + 1]), tensor(trace.h[start][None]))
        (torch.nn.functional.cross_entropy(logits[-1], tensor(targets[s])) / T).backward()
    for name, p in mirror.named_parameters():
        kept, full = p.grad.numpy(), trace.gradients[name]
        close(trace.by_distance[name][:k].sum(axis=0), kept, name)
        norm = np.linalg.norm(full)
        # Relative to |g| as it is: where the terms of g cancel, so do the digits of what is lost.
        rounding = 1e-12 * max(1, np.abs(trace.by_distance[name]).max() / norm) if norm else 1
        lost = np.linalg.norm(full - kept) / norm if norm else 0
        assert trace.truncation_lost[name][k - 1] == pytest.approx(lost, abs=rounding)
        if norm and np.linalg.norm(kept):
            cosine = (full * kept).sum() / norm / np.linalg.norm(kept)
            assert np.cos(np.radians(trace.truncation_angle[name][k - 1])) == pytest.approx(cosine, abs=1e-9)


def test_nothing_is_lost_when_nothing_is_cut_off():
    trace = nr.trace(*setup(np.random.default_rng(0), 6, 2, 5, 4, 3))
    for name in trace.weights:
        assert trace.truncation_lost[name].shape == trace.truncation_angle[name].shape == (6,)
        assert trace.truncation_lost[name][-1] == 0
        assert trace.truncation_angle[name][-1] < 1e-6
        if name.startswith("fc."):
            assert not trace.truncation_lost[name].any()
        else:
            assert (trace.truncation_lost[name][:-1] > 0).all()


def test_angles_where_there_is_no_gradient():
    """From h_0 = 0 one step gives W_hh no gradient at all; of two, the second does, from its own loss."""
    model, tokens, targets, _ = setup(np.random.default_rng(0), 2, 1, 5, 4, 3)
    one = nr.trace(model, tokens[:1], targets[:1])
    assert (
        one.truncation_lost["rnn.weight_hh_l0"].tolist() == one.truncation_angle["rnn.weight_hh_l0"].tolist() == [0]
    )
    model.fc.weight.data[...] = 0  # the logits no longer hear of the states
    none = nr.trace(model, tokens, targets)
    assert none.truncation_angle["rnn.weight_ih_l0"].tolist() == [0, 0]
    assert nr.trace(model, tokens, targets).truncation_lost["rnn.weight_ih_l0"].tolist() == [0, 0]


@given(rng=some.rngs, **sizes)
def test_singular_values_bound_each_step_back(rng, T, B, V, E, H):
    trace = nr.trace(*setup(rng, T, B, V, E, H))
    assert trace.singular_values.shape == (T, B, H)
    assert (np.diff(trace.singular_values, axis=2) <= 0).all()
    close((trace.singular_values**2).sum(axis=2), (trace.jacobians**2).sum(axis=(2, 3)))
    norms = np.linalg.norm(trace.dh_by_loss, axis=3)  # (T, T, B)
    for t in range(1, T):
        largest = trace.singular_values[t, :, 0]
        assert (norms[t:, t - 1] <= norms[t:, t] * largest * (1 + 1e-12)).all()


@given(rng=some.rngs, **sizes)
def test_arithmetic_is_float64_and_the_model_is_only_read(rng, T, B, V, E, H):
    model, tokens, targets, h_0 = setup(rng, T, B, V, E, H, dtype=np.float32)
    model.parameters().grad[...] = 7
    wide = nr.CharRNN(V, E, H, dtype=np.float64, rng=0)
    wide.load_state_dict(model.state_dict())
    ours, theirs = nr.trace(model, tokens, targets, h_0), nr.trace(wide, tokens, targets, h_0)
    for name in ("h", "losses", "dh_by_loss", "singular_values"):
        assert getattr(ours, name).dtype == np.float64
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert (model.parameters().grad == 7).all()
    theirs.weights["fc.bias"][...] = 9
    theirs.tokens[...] = theirs.targets[...] = -1
    assert (wide.fc.bias.data != 9).all()
    assert (tokens >= 0).all()
    assert (targets >= 0).all()


def test_a_loss_that_p_can_no_longer_tell_from_infinity():
    model, tokens, targets, _ = setup(np.random.default_rng(0), 3, 1, 4, 3, 3)
    model.fc.bias.data = np.array([0.0, 0, 2000, 0])
    targets[...] = 1
    trace = nr.trace(model, tokens, targets)
    assert trace.p[0, 0, 1] == 0
    assert trace.loss == pytest.approx(model.loss_and_gradients(tokens, targets)[0], rel=1e-14)


def test_what_cannot_be_traced_is_said_in_one_line():
    model, tokens, targets, _ = setup(np.random.default_rng(0), 3, 2, 4, 3, 5)
    with pytest.raises(TypeError, match="model must be a CharRNN, got RNN"):
        nr.trace(model.rnn, tokens, targets)
    with pytest.raises(ValueError, match="model has num_layers=2, expected 1"):
        nr.trace(nr.CharRNN(4, num_layers=2), tokens, targets)
    with pytest.raises(TypeError, match=r"embedding.weight has dtype complex128, expected one that casts to float64"):
        nr.trace(nr.CharRNN(4, dtype=np.complex128), tokens, targets)
    with pytest.raises(ValueError, match=r"tokens has shape \(3,\), expected \(T, B\) .*reshape\(-1, 1\)"):
        nr.trace(model, tokens[:, 0], targets[:, 0])
    with pytest.raises(ValueError, match=r"targets has shape \(2, 2\), expected the shape of tokens = \(3, 2\)"):
        nr.trace(model, tokens, targets[:2])
    with pytest.raises(ValueError, match=r"tokens has shape \(0, 2\): a sequence needs at least one"):
        nr.trace(model, tokens[:0], targets[:0])
    with pytest.raises(IndexError, match=r"targets must be in \[0, 4\), got 4"):
        nr.trace(model, tokens, targets * 0 + 4)
    with pytest.raises(ValueError, match=r"h_0 has shape \(2, 5\), expected \(1, B, hidden_size\) = \(1, 2, 5\)"):
        nr.trace(model, tokens, targets, np.zeros((2, 5)))
    with pytest.raises(ValueError, match="h_0 has numbers that are not finite"):
        nr.trace(model, tokens, targets, np.full((1, 2, 5), np.inf))
    model.fc.weight.data[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"fc.weight has numbers that are not finite"):
        nr.trace(model, tokens, targets)


@pytest.mark.parametrize("name", ["fc.weight", "rnn.weight_ih_l0"])
def test_numbers_that_overflow_are_refused(name):
    model = nr.CharRNN(3, 2, 4, dtype=np.float64, rng=0)
    model.embedding.weight.data[...] = [[1e10, 1e10], [-1e10, 1e10], [1e10, -1e10]]
    model.parameters()[name].data[...] = np.resize([1.5e308, -1.5e308, 1e305], model.parameters()[name].data.shape)
    with pytest.raises(ValueError, match="the numbers of the model grow beyond the largest float"):
        nr.trace(model, [[0], [1], [2]], [[1], [2], [0]])


@pytest.mark.parametrize(
    ("T", "B", "H", "largest"),
    [(20_000, 1, 8, r"T\*T\*B\*H"), (20, 20, 1024, r"T\*B\*H\*H"), (400, 1, 600, r"of each of \d+ parameters")],
)
def test_a_large_case_is_refused_before_it_takes_memory(T, B, H, largest):
    tokens = np.zeros((T, B), int)
    with pytest.raises(
        ValueError, match=rf"T={T}, B={B}, H={H} would take .* GiB.*reduce T .*most of it is .*{largest}"
    ):
        nr.trace(nr.CharRNN(4, 8, H, rng=0), tokens, tokens)
