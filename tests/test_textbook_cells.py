"""The textbook's pages for the LSTM and the GRU, compared with torch.nn.LSTM, torch.nn.GRU and the complex step."""

import ast
import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

from numpy_rnn import textbook, textbook_gru, textbook_lstm
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_close, assert_complex_step, assert_equals_torch, leaf, tensor

TEXT = "Hello, how are you?"
CELLS = pytest.mark.parametrize("page", [textbook_lstm, textbook_gru], ids=["lstm", "gru"])
sizes = {"T": some.T, "B": some.B.filter(bool), "H": some.sizes, "V": some.V}


def draw(page, rng, T, B, H, V):
    """Return parameters, x, targets, the initial states (the LSTM has two), and gradients of the last states."""
    states = 2 if page is textbook_lstm else 1
    p = {name: some.normal(rng, *value.shape) for name, value in page.init(V, H, rng).items()}
    initial, upstream = ([some.normal(rng, B, H) for _ in range(states)] for _ in range(2))
    return p, some.normal(rng, T, B, V), some.tokens(rng, V, T, B), initial, upstream


def gradients_of(page, p, x, targets, initial, upstream):
    """Return logits, last states, loss, and the gradients of the loss plus upstream times the last states."""
    logits, *states, gates = page.forward(p, x, *initial)
    loss, dlogits = page.cross_entropy(logits, targets)
    gradients, *others = page.backward(p, x, *states, gates, dlogits, *upstream)
    return logits, [s[-1] for s in states], loss, gradients | dict(zip(("x", "h_0", "c_0"), others, strict=False))


@CELLS
@given(rng=some.rngs, **sizes)
def test_losses_and_gradients_equal_torch(page, rng, T, B, H, V):
    p, x, targets, initial, upstream = draw(page, rng, T, B, H, V)
    logits, last, loss, gradients = gradients_of(page, p, x, targets, initial, upstream)

    cell = torch.nn.LSTM if page is textbook_lstm else torch.nn.GRU
    mirror = torch.nn.ModuleDict({"rnn": cell(V, H), "fc": torch.nn.Linear(H, V)}).double()
    mirror.load_state_dict({name: tensor(value) for name, value in p.items()})
    torch_x, states = leaf(x), [leaf(s[None]) for s in initial]
    output, h_n = mirror["rnn"](torch_x, tuple(states) if len(states) == 2 else states[0])
    ends = h_n if len(states) == 2 else [h_n]
    theirs = mirror["fc"](output)
    their_loss = torch.nn.functional.cross_entropy(theirs.flatten(0, 1), tensor(targets).flatten())
    (their_loss + sum((tensor(g) * s[0]).sum() for g, s in zip(upstream, ends, strict=True))).backward()

    assert_equals_torch(logits, theirs, "logits")
    assert_equals_torch(np.array(loss), their_loss, "loss")
    for ours, end in zip(last, ends, strict=True):
        assert_equals_torch(ours, end[0], "last state")
    expected = {name: parameter.grad for name, parameter in mirror.named_parameters()} | {"x": torch_x.grad}
    expected |= {name: s.grad[0] for name, s in zip(("h_0", "c_0"), states, strict=False)}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert_equals_torch(gradient, expected[name], name)


@CELLS
@given(rng=some.rngs, **sizes)
def test_gradients_equal_the_complex_step(page, rng, T, B, H, V):
    p, x, targets, initial, upstream = draw(page, rng, T, B, H, V)
    *_, gradients = gradients_of(page, p, x, targets, initial, upstream)
    inputs = dict(zip(("x", "h_0", "c_0"), (x, *initial), strict=False))

    def function(tensors):
        logits, *states, _ = page.forward(tensors, *(tensors[name] for name in inputs))
        loss, _ = page.cross_entropy(logits, targets)
        return loss + sum((g * s[-1]).sum() for g, s in zip(upstream, states, strict=True))

    assert_complex_step(function, p | inputs, gradients, rng)


@CELLS
@given(rng=some.rngs, **sizes)
def test_without_w_hh_the_gradient_is_multiplied_by_one_gate_per_step(page, rng, T, B, H, V):
    """Where docs/backprop.md has dots, dc_{t-1} = f_t * dc_t + ... and dh_{t-1} = z_t * dh_t + ..., is nothing."""
    p, x, _, initial, upstream = draw(page, rng, T, B, H, V)
    p["rnn.weight_hh_l0"][...] = 0
    upstream[:-1] = [np.zeros((B, H))] * (len(upstream) - 1)  # the LSTM's dh_n, which would reach c_n too
    logits, *states, gates = page.forward(p, x, *initial)
    *_, d_0 = page.backward(p, x, *states, gates, np.zeros_like(logits), *upstream)
    _, gate, *_ = zip(*gates, strict=True)  # f of the LSTM, z of the GRU
    assert_close(d_0, upstream[-1] * np.prod(gate, axis=0))


@CELLS
def test_it_memorises_the_text_as_a_program(page):
    done = subprocess.run([sys.executable, "-m", page.__name__], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    *printed, generated = done.stdout.splitlines()
    assert generated == TEXT
    epochs, losses = zip(
        *(re.fullmatch(r"epoch (\d+), loss (\d\.\d{4})", line).groups() for line in printed), strict=True
    )
    assert epochs == tuple(map(str, range(10, 101, 10)))
    assert float(losses[-1]) < 0.05


@pytest.mark.parametrize("page", [textbook, textbook_lstm, textbook_gru])
def test_a_page_imports_numpy_only(page):
    tree = ast.parse(inspect.getsource(page))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports == ["from __future__ import annotations", "import numpy as np"]


@CELLS
def test_the_loss_is_that_of_the_first_page(page):
    assert inspect.getsource(page.cross_entropy) == inspect.getsource(textbook.cross_entropy)
