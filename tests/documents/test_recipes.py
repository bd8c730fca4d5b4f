"""The recipes under the table of docs/library.md train as their counterparts in torch do."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.optional import torch, torch_reference

V, E, T, B = 6, 5, 4, 3
STEPS = 6


@pytest.fixture
def pair():
    model = nr.CharRNN(V, E, E, dtype=np.float64, rng=0)
    return model, torch_reference.make_mirror(model)


@pytest.fixture
def batches():
    return np.random.default_rng(0).integers(0, V, (STEPS, 2, T, B))


def torch_loss(mirror, tokens, targets):
    logits, _ = mirror(torch.tensor(tokens))
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(targets).flatten())


def assert_same(model, mirror):
    for name, p in mirror.named_parameters():
        ours = model.parameters()[name].data
        np.testing.assert_allclose(ours, p.detach().numpy(), rtol=1e-8, atol=1e-11, err_msg=name)


def test_freezing(pair, batches):
    model, mirror = pair
    frozen = model.embedding.weight.data.copy()
    mirror.embedding.weight.requires_grad_(False)
    optimizer, torch_optimizer = nr.Adam(model.parameters(), lr=0.01), torch.optim.Adam(mirror.parameters(), lr=0.01)
    for batch in batches:
        torch_optimizer.zero_grad()
        torch_loss(mirror, *batch).backward()
        torch_optimizer.step()
        model.loss_and_gradients(*batch)
        model.embedding.weight.grad = 0
        optimizer.step()
    np.testing.assert_array_equal(model.embedding.weight.data, frozen)
    assert_same(model, mirror)


def test_weight_decay_on_some_tensors(pair, batches):
    model, mirror = pair
    groups = [
        {"params": [p for name, p in mirror.named_parameters() if ("bias" in name) == is_bias], "weight_decay": decay}
        for is_bias, decay in ((True, 0.0), (False, 0.01))
    ]
    params, torch_optimizer = model.parameters(), torch.optim.AdamW(groups, lr=0.01)
    optimizer = nr.Adam(params, lr=0.01)
    for batch in batches:
        torch_optimizer.zero_grad()
        torch_loss(mirror, *batch).backward()
        torch_optimizer.step()
        model.loss_and_gradients(*batch)
        for name, p in params.items():
            if "bias" not in name:
                p.data *= 1 - optimizer.lr * 0.01
        optimizer.step()
    assert_same(model, mirror)


def test_accumulation(pair, batches):
    model, mirror = pair
    params, torch_optimizer = model.parameters(), torch.optim.Adam(mirror.parameters(), lr=0.01)
    optimizer = nr.Adam(params, lr=0.01)
    for two in batches.reshape(STEPS // 2, 2, 2, T, B):
        torch_optimizer.zero_grad()
        total = np.zeros_like(params.grad)
        for batch in two:
            (torch_loss(mirror, *batch) / 2).backward()
            model.loss_and_gradients(*batch)
            total += params.grad / 2
        params.grad = total
        torch_optimizer.step()
        optimizer.step()
    assert_same(model, mirror)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_one_step_at_a_time(cell):
    rng = np.random.default_rng(0)
    layer = getattr(nr, cell)(4, 5, 2, dtype=np.float64, rng=rng)
    x, doutput = rng.random((T, B, 4)), rng.random((T, B, 5))
    output, _ = layer.forward(x)
    dx, dh_0 = layer.backward(doutput)
    whole = layer.parameters().grad.copy()

    state, tapes, dstate, total = None, [], None, 0
    for t in range(T):
        y, state = layer.forward(x[t][None], state)
        tapes.append(layer.tape)
        np.testing.assert_allclose(y[0], output[t], rtol=1e-12)
    for t in reversed(range(T)):
        dx_t, dstate = layer.backward(doutput[t][None], dstate, tape=tapes[t])
        total = total + layer.parameters().grad
        np.testing.assert_allclose(dx_t[0], dx[t], rtol=1e-10)
    np.testing.assert_allclose(total, whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.array(dstate), np.array(dh_0), rtol=1e-9, atol=1e-12)


def test_reducing_the_rate_on_a_plateau():
    losses = [2.0, 1.5, 1.6, 1.7, 1.8, 1.4, 1.45, 1.5, 1.6, 1.6]
    optimizer = nr.Adam(nr.Parameters({"a": (1,)}), lr=0.1)
    torch_optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(torch_optimizer, patience=2, threshold=0.0)
    best, waited = np.inf, 0
    for val_loss in losses:
        scheduler.step(val_loss)
        best, waited = (val_loss, 0) if val_loss < best else (best, waited + 1)
        if waited > 2:
            optimizer.lr, waited = optimizer.lr * 0.1, 0
        assert optimizer.lr == pytest.approx(torch_optimizer.param_groups[0]["lr"], rel=1e-12)
    assert optimizer.lr == pytest.approx(0.001)


def test_tied_weights_by_hand():
    embedding, fc = nr.Embedding(V, E, dtype=np.float64, rng=0), nr.Linear(E, V, dtype=np.float64, rng=1)
    fc.weight.data = embedding.weight.data
    params = nr.Parameters.join({"embedding": embedding.parameters(), "fc": fc.parameters()})
    optimizer, criterion = nr.Adam(params, lr=0.05), nr.CrossEntropyLoss()
    torch_embedding = torch.nn.Embedding(V, E, dtype=torch.float64)
    torch_fc = torch.nn.Linear(E, V, dtype=torch.float64)
    torch_embedding.load_state_dict(torch_reference.to_torch(embedding.state_dict()))
    torch_fc.load_state_dict(torch_reference.to_torch(fc.state_dict()))
    torch_fc.weight = torch_embedding.weight
    torch_optimizer = torch.optim.Adam([torch_embedding.weight, torch_fc.bias], lr=0.05)
    tokens, targets = np.random.default_rng(0).integers(0, V, (2, 20))
    for _ in range(10):
        torch_optimizer.zero_grad()
        logits = torch_fc(torch_embedding(torch.tensor(tokens)))
        torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).backward()
        torch_optimizer.step()
        criterion.forward(fc.forward(embedding.forward(tokens)), targets)
        embedding.backward(fc.backward(criterion.backward()))
        embedding.weight.grad = fc.weight.grad = embedding.weight.grad + fc.weight.grad
        optimizer.step()
    np.testing.assert_array_equal(embedding.weight, fc.weight)
    np.testing.assert_allclose(fc.weight, torch_fc.weight.detach().numpy(), rtol=1e-9, atol=1e-12)
