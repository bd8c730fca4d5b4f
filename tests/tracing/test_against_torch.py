"""Every array of a trace against PyTorch's autograd."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.tracing.test_trace import close, setup, sizes

torch = pytest.importorskip("torch")

from tests.references import tensor  # noqa: E402
from torch_reference.lockstep import make_mirror  # noqa: E402


@given(rng=some.rngs, **sizes)
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


@given(rng=some.rngs, **sizes)
def test_what_a_step_contributes_is_the_gradient_of_its_own_copy_of_the_weights(rng, T, B, V, E, H):
    """Give torch T copies of every parameter, one per step: the gradient of copy t is the contribution of step t."""
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


@given(rng=some.rngs, data=st.data(), **sizes)
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
