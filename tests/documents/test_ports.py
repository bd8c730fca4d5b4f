"""Usual PyTorch programs, ported line by line: the two columns of each program train to the same numbers."""

import numpy as np

import numpy_rnn as nr
from tests.optional import torch, torch_reference

NAMES = [("Albert", 0), ("Amelie", 1), ("Bernard", 0), ("Camille", 1), ("Chloe", 1), ("Didier", 0), ("Zoe", 1)]


def load(module, layer):
    """Give a torch module the weights of a layer of ours."""
    module.load_state_dict(torch_reference.to_torch(layer.state_dict()))
    return module


def equal(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_classifier_of_names():
    """PyTorch's tutorial "NLP from scratch: classifying names with a character-level RNN", with batches."""
    vocabulary = nr.Vocabulary.from_text("".join(name for name, _ in NAMES))
    V, E, H = len(vocabulary), 6, 8
    lengths = np.array([len(name) for name, _ in NAMES])
    labels = np.array([label for _, label in NAMES])
    padded = np.zeros((lengths.max(), len(NAMES)), np.intp)
    for b, (name, _) in enumerate(NAMES):
        padded[: len(name), b] = vocabulary.encode(name)

    class Classifier:
        def __init__(self, rng):
            options = {"dtype": np.float64, "rng": rng}
            self.embedding, self.rnn = nr.Embedding(V, E, **options), nr.GRU(E, H, **options)
            self.fc = nr.Linear(H, 2, **options)
            layers = {"embedding": self.embedding, "rnn": self.rnn, "fc": self.fc}
            self.params = nr.Parameters.join({name: layer.parameters() for name, layer in layers.items()})

        def forward(self, tokens):
            _, h_n = self.rnn.forward(self.embedding.forward(tokens), lengths=lengths)
            return self.fc.forward(h_n[0])

        def backward(self, dlogits):
            dh_n = self.fc.backward(dlogits)[None]
            dx, _ = self.rnn.backward(np.zeros((*padded.shape, H)), dh_n)
            self.embedding.backward(dx)

    class Module(torch.nn.Module):
        def __init__(self, ours):
            super().__init__()
            self.embedding = load(torch.nn.Embedding(V, E, dtype=torch.float64), ours.embedding)
            self.rnn = load(torch.nn.GRU(E, H, dtype=torch.float64), ours.rnn)
            self.fc = load(torch.nn.Linear(H, 2, dtype=torch.float64), ours.fc)

        def forward(self, tokens):
            packed = torch.nn.utils.rnn.pack_padded_sequence(self.embedding(tokens), lengths, enforce_sorted=False)
            _, h_n = self.rnn(packed)
            return self.fc(h_n[0])

    model = Classifier(np.random.default_rng(0))
    module, criterion = Module(model), nr.CrossEntropyLoss()
    torch_optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    optimizer = nr.Adam(model.params, lr=0.05)
    for _ in range(20):
        torch_optimizer.zero_grad()
        torch_loss = torch.nn.functional.cross_entropy(module(torch.tensor(padded)), torch.tensor(labels))
        torch_loss.backward()
        torch_norm = torch.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        torch_optimizer.step()

        logits = model.forward(padded)
        loss = criterion.forward(logits, labels)
        model.backward(criterion.backward())
        norm = nr.clip_grad_norm_(model.params, 0.5)
        optimizer.step()
        equal([loss, norm], [torch_loss.item(), torch_norm.item()])
    assert (model.forward(padded).argmax(axis=1) == labels).all()
    for name, p in module.named_parameters():
        np.testing.assert_allclose(model.params[name].data, p.detach().numpy(), rtol=1e-8, atol=1e-10)


def test_the_prediction_of_a_sine_with_an_lstm():
    """PyTorch's example "time_sequence_prediction": mean squared error, batches first, and the future fed back."""
    H, phases = 12, np.random.default_rng(0).uniform(0, 6, (4, 1))
    waves = np.sin(phases + 0.3 * np.arange(21))  # (B, T + 1)
    x, targets = waves[:, :-1, None], waves[:, 1:, None]
    lstm = nr.LSTM(1, H, 2, batch_first=True, dtype=np.float64, rng=0)
    fc = nr.Linear(H, 1, dtype=np.float64, rng=1)
    params = nr.Parameters.join({"lstm": lstm.parameters(), "fc": fc.parameters()})
    optimizer = nr.Adam(params, lr=0.01, weight_decay=0.01, decoupled_weight_decay=True)
    torch_lstm = load(torch.nn.LSTM(1, H, 2, batch_first=True, dtype=torch.float64), lstm)
    torch_fc = load(torch.nn.Linear(H, 1, dtype=torch.float64), fc)
    torch_optimizer = torch.optim.AdamW([*torch_lstm.parameters(), *torch_fc.parameters()], lr=0.01)
    losses = []
    for _ in range(30):
        torch_optimizer.zero_grad()
        torch_output, _ = torch_lstm(torch.tensor(x))
        torch_loss = torch.nn.functional.mse_loss(torch_fc(torch_output), torch.tensor(targets))
        torch_loss.backward()
        torch_optimizer.step()

        output, state = lstm.forward(x)
        y = fc.forward(output)
        loss = ((y - targets) ** 2).mean()
        lstm.backward(fc.backward(2 * (y - targets) / y.size))
        optimizer.step()
        equal(loss, torch_loss.item())
        losses.append(loss)
    assert losses[-1] < 0.7 * losses[0]

    torch_y, torch_state = torch.tensor(x[:, -1:]), None
    y, state = x[:, -1:], None
    for _ in range(5):
        with torch.no_grad():
            torch_output, torch_state = torch_lstm(torch_y, torch_state)
            torch_y = torch_fc(torch_output)
        output, state = lstm.forward(y, state)
        y = fc.forward(output)
    np.testing.assert_allclose(y, torch_y.numpy(), rtol=1e-7)


def test_truncated_backpropagation_with_carried_states():
    """PyTorch's example "word_language_model": detached states, clipping, plain SGD and a falling learning rate."""
    V, T, B, lr = 9, 5, 3, 2.0
    data = np.random.default_rng(0).integers(0, V, (4 * T + 1, B))
    model = nr.CharRNN(V, 8, 8, num_layers=2, cell="lstm", tie_weights=True, dtype=np.float64, rng=0)
    module = torch_reference.make_mirror(model)
    params, torch_state, state = model.parameters(), None, None
    for epoch in range(3):
        for i in range(0, len(data) - 1, T):
            tokens, targets = data[i : i + T], data[i + 1 : i + 1 + T]

            module.zero_grad()
            if torch_state is not None:
                torch_state = tuple(s.detach() for s in torch_state)
            logits, torch_state = module(torch.tensor(tokens), torch_state)
            torch_loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(targets).flatten())
            torch_loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 0.25)
            for p in module.parameters():
                p.data.add_(p.grad, alpha=-lr)

            loss, state = model.loss_and_gradients(tokens, targets, state)
            nr.clip_grad_norm_(params, 0.25)
            for p in params.values():
                p.data -= lr * p.grad
            equal(loss, torch_loss.item())
        lr /= 4 if epoch else 1
    for name, p in module.named_parameters():
        np.testing.assert_allclose(params[name].data, p.detach().numpy(), rtol=1e-8, atol=1e-10)
