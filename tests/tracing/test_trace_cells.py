"""The trace of an LSTM and of a GRU, against backward and PyTorch's autograd."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.cli import main
from numpy_rnn.layers.recurrent import as_arrays
from tests import strategies as some
from tests.optional import torch
from tests.references import tensor
from tests.tracing.test_trace import close

cells = st.sampled_from(["lstm", "gru"])
sizes = {"T": some.T, "B": some.B.filter(bool), "V": some.V, "E": some.sizes, "H": some.sizes}
VOCABULARY = nr.Vocabulary("abc")


def setup(rng, cell, T, B, V, E, H):
    model = nr.CharRNN(V, E, H, cell=cell, dtype=np.float64, rng=rng)
    states = tuple(some.normal(rng, 1, B, H) for _ in range(2 if cell == "lstm" else 1))
    h_0 = states if cell == "lstm" else states[0]
    return model, some.tokens(rng, V, T, B), some.tokens(rng, V, T, B), h_0


@given(rng=some.rngs, cell=cells, **sizes)
def test_the_items_add_up_to_the_gradients_of_backward(rng, cell, T, B, V, E, H):
    model, tokens, targets, h_0 = setup(rng, cell, T, B, V, E, H)
    trace = nr.trace(model, tokens, targets, h_0)
    loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
    close(trace.loss, loss)
    close(trace.h[-1], as_arrays(h_n)[0][0])
    for name, p in model.parameters().items():
        close(trace.contributions[name].sum(axis=0), p.grad, name)
        close(trace.by_distance[name].sum(axis=0), p.grad, name)
    model.forward(tokens, h_0)
    dh_0 = as_arrays(model.backward(trace.dlogits))
    close(trace.dh_0, dh_0[0][0])
    close(trace.dh_by_loss.sum(axis=0), trace.dh)
    close(trace.dh_local + trace.dh_future, trace.dh)
    if cell == "lstm":
        close(trace.c[-1], h_n[1][0])
        close(trace.dc_0, dh_0[1][0])
        close(trace.dc_by_loss.sum(axis=0), trace.dc)


def torch_steps(cell, w, x, states):
    """Return the gates, pre-activations and states of each step, in torch: every array is a node of the graph."""
    steps, all_z, all_gates = [states], [], []
    for x_t in x:
        a = x_t @ w["rnn.weight_ih_l0"].T + w["rnn.bias_ih_l0"]
        u = steps[-1][0] @ w["rnn.weight_hh_l0"].T + w["rnn.bias_hh_l0"]
        all_z.append(a + u)
        if cell == "lstm":
            z_i, z_f, z_g, z_o = (a + u).chunk(4, dim=1)
            i, f, g, o = z_i.sigmoid(), z_f.sigmoid(), z_g.tanh(), z_o.sigmoid()
            c = f * steps[-1][1] + i * g
            steps.append((o * c.tanh(), c))
            all_gates.append((i, f, g, o))
        else:
            (a_r, a_z, a_n), (u_r, u_z, u_n) = a.chunk(3, dim=1), u.chunk(3, dim=1)
            r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
            n = (a_n + r * u_n).tanh()
            steps.append(((1 - z) * n + z * steps[-1][0],))
            all_gates.append((r, z, n, u_n))
    return steps, all_z, all_gates


@given(rng=some.rngs, cell=cells, **sizes)
def test_each_item_equals_torch(rng, cell, T, B, V, E, H):
    model, tokens, targets, h_0 = setup(rng, cell, T, B, V, E, H)
    trace = nr.trace(model, tokens, targets, h_0)
    w = {name: tensor(array) for name, array in model.state_dict().items()}
    x = w["embedding.weight"][tensor(tokens)].requires_grad_()
    first = tuple(tensor(state[0]).requires_grad_() for state in as_arrays(h_0))
    steps, z, gates = torch_steps(cell, w, x, first)
    close(trace.z, torch.stack(z).detach())
    for ours, theirs in zip(trace.gates.values(), zip(*gates, strict=True), strict=True):
        close(ours, torch.stack(theirs).detach())
    h = [states[0] for states in steps]
    logits = torch.stack(h[1:]) @ w["fc.weight"].T + w["fc.bias"]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensor(targets).flatten(), reduction="none")
    losses = losses.reshape(T, B)
    close(trace.dx, torch.autograd.grad(losses.mean(), x, retain_graph=True)[0])
    for k, by_loss in enumerate([trace.dh_by_loss] + ([trace.dc_by_loss] if cell == "lstm" else [])):
        nodes = [states[k] for states in steps[1:]]
        for s in range(T):
            rows = torch.autograd.grad(losses[s].sum() / (T * B), nodes[: s + 1], retain_graph=True)
            close(by_loss[s, : s + 1], torch.stack(rows))
            assert not by_loss[s, s + 1 :].any()


@given(rng=some.rngs, cell=cells, **sizes)
def test_the_jacobian_is_that_of_one_step(rng, cell, T, B, V, E, H):
    model, tokens, targets, h_0 = setup(rng, cell, T, B, V, E, H)
    trace = nr.trace(model, tokens, targets, h_0)
    w = {name: tensor(array) for name, array in model.state_dict().items()}
    arrays = [trace.h, trace.c] if cell == "lstm" else [trace.h]
    assert trace.singular_values.shape == (T, B, len(arrays) * H)
    for t in range(T):
        before = tuple(tensor(array[t]).requires_grad_() for array in arrays)
        after, _, _ = torch_steps(cell, w, tensor(trace.x[t : t + 1]), before)
        joined = torch.cat(after[-1], dim=1)
        for i in range(joined.shape[1]):
            row = torch.autograd.grad(joined[:, i].sum(), before, retain_graph=True, materialize_grads=True)
            close(trace.jacobians[t, :, i], torch.cat(row, dim=1))


def test_the_heatmap_and_the_picture_of_a_cell_state():
    model = nr.CharRNN(3, 4, 5, cell="lstm", rng=0)
    trace = nr.trace(model, [[0], [1], [2]], [[1], [2], [0]])
    left = {}
    for state in "hc":
        text = trace.heatmap(VOCABULARY, state=state)
        assert f"|dL_s/d{state}_t|" in text
        assert f"|dL_s/d{state}_{{s-d}}| / |dL_s/d{state}_s|" in text
        norms = np.linalg.norm(getattr(trace, f"d{state}_by_loss")[:, :, 0], axis=2)
        left[state] = f"{norms[2, 0] / norms[2, 2]:9.2g}"
        assert text.splitlines()[-1].endswith(left[state])
    assert left["h"] != left["c"]
    pytest.importorskip("matplotlib")
    heat, left_of_it = trace.plot(VOCABULARY, state="c").axes[:2]
    assert "\\partial c_t" in heat.get_title(loc="left")
    assert "\\partial c_{s-d}" in left_of_it.get_ylabel()


def test_bad_states_are_named():
    model = nr.CharRNN(3, 4, 5, cell="lstm", rng=0)
    one = np.zeros((1, 1, 5))
    with pytest.raises(TypeError, match=r"h_0 must be a pair \(h_0, c_0\), got ndarray"):
        nr.trace(model, [[0]], [[1]], one)
    with pytest.raises(ValueError, match=r"c_0 has shape \(5,\), expected \(1, B, hidden_size\) = \(1, 1, 5\)"):
        nr.trace(model, [[0]], [[1]], (one, np.zeros(5)))
    gru = nr.CharRNN(3, 4, 5, cell="gru", rng=0)
    with pytest.raises(TypeError, match="h_0 must be an array, got tuple"):
        nr.trace(gru, [[0]], [[1]], (one, one))
    with pytest.raises(ValueError, match="state must be 'h', the only state of this cell, got 'c'"):
        nr.trace(gru, [[0]], [[1]]).heatmap(VOCABULARY, state="c")
    with pytest.raises(ValueError, match="state must be 'h' or 'c', got 'z'"):
        nr.trace(model, [[0]], [[1]]).heatmap(VOCABULARY, state="z")
    tokens = np.zeros((20, 20), int)
    with pytest.raises(ValueError, match=r"T=20, B=20, H=1024 would take .* most of it is the Jacobians"):
        nr.trace(nr.CharRNN(3, 2, 512, cell="lstm", rng=0), tokens, tokens)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_command_traces_every_cell(cell, capsys):
    assert main(["trace", "abcab", "--epochs", "5", "--cell", cell]) == 0
    text = capsys.readouterr().out
    assert main(["tutorial", "--text", "abcab", "--epochs", "1", "--cell", cell]) == 0
    loss = re.search(r"Loss: (\S+)", capsys.readouterr().out).group(1)
    assert f"before training, loss {loss} " in text
    status = main(["trace", "abcab", "--epochs", "5", "--cell", cell, "--state", "c"])
    captured = capsys.readouterr()
    if cell == "lstm":
        assert status == 0
        assert "|dL_s/dc_t|" in captured.out
    else:
        assert status == 1
        assert captured.err == "numpy-rnn: error: --state c is for --cell lstm, got --cell gru: it has no state c\n"
