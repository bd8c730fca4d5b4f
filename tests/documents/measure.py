"""What the figures of docs/backprop.md show, as plain arrays, computed with numpy_rnn in float64.

`python -m tests.documents.measure` prints the page's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

import numpy_rnn as nr
from numpy_rnn import textbook
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs

__all__ = [
    "bias_paths",
    "clipped_arrows",
    "clipped_norms",
    "detached",
    "loss_over_two_biases",
    "random_reach",
    "reach",
    "recall",
    "row",
    "state_gradients",
    "truncated",
    "tutorial",
    "windows",
]

Array = np.ndarray
TEXT = "Hello, how are you?"


def tutorial(epochs: int) -> tuple[nr.CharRNN, Array, Array]:
    """Return the tutorial's model after so many epochs, and what it reads and predicts, each (18, 1)."""
    *_, model = train_tutorial(epochs)
    return model, *inputs_and_targets(nr.Vocabulary.from_text(TEXT), TEXT)


def train_tutorial(epochs: int) -> Iterator[nr.CharRNN]:
    """Yield the tutorial's model before training, and after each epoch."""
    vocabulary = nr.Vocabulary.from_text(TEXT)
    model = nr.CharRNN(len(vocabulary), dtype=np.float64, rng=0)
    yield model
    for _ in train_epochs(model, vocabulary, TEXT, epochs=epochs):
        yield model


def train_recall() -> Iterator[tuple[nr.CharRNN, Array, Array]]:
    """Train on a--------a and b--------b: the last character can be known from the first alone.

    Yields the model, its gradient in place, and what it reads and predicts, each (9, 2), before each step.
    """
    texts = ["a--------a", "b--------b"]
    vocabulary = nr.Vocabulary.from_text("".join(texts))
    data = np.stack([vocabulary.encode(text) for text in texts], axis=1)
    tokens, targets = data[:-1], data[1:]
    model = nr.CharRNN(len(vocabulary), dtype=np.float64, rng=0)
    optimizer = nr.Adam(model.parameters(), lr=0.002)
    while True:
        model.loss_and_gradients(tokens, targets)
        yield model, tokens, targets
        nr.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()


def recall(steps: int) -> tuple[nr.CharRNN, Array, Array]:
    """Return the model that learns to recall after so many steps, and what it reads and predicts."""
    return next(islice(train_recall(), steps, None))


def state_gradients(rnn: nr.RNN, x: Array, doutput: Array, h_0: Array | None = None) -> Array:
    """Return dh_t for every t, (T, B, H): equation (R3), with dz from the tape."""
    rnn.forward(x, h_0)
    rnn.backward(doutput)
    dh = doutput.copy()
    dh[:-1] += rnn.tape.recurrences[0].z[1:] @ rnn.weight_hh_l0.data
    return dh


def reach(model: nr.CharRNN, tokens: Array, targets: Array) -> Array:
    """Return the norm of dL_T/dh_t, L_T the last step's loss, relative to t = T, by distance T - t: shape (T,).

    Over a batch: the geometric mean.
    """
    logits, _ = model.forward(tokens)
    criterion = nr.CrossEntropyLoss()
    criterion.forward(logits[-1], targets[-1])
    doutput = np.zeros((*tokens.shape, model.hidden_size))
    doutput[-1] = criterion.backward() @ model.fc.weight.data
    dh = state_gradients(model.rnn, model.embedding.forward(tokens), doutput)
    return _relative(dh)


def random_reach(radius: float, T: int = 40, H: int = 64, networks: int = 20) -> Array:
    """Return the same for random networks whose W_hh has this spectral radius, with weak input: (networks, T)."""
    rng, results = np.random.default_rng(0), []
    for _ in range(networks):
        rnn = nr.RNN(1, H, bias=False, dtype=np.float64, rng=rng)
        W_hh = rng.standard_normal((H, H))
        rnn.weight_hh_l0.data = W_hh * (radius / np.abs(np.linalg.eigvals(W_hh)).max())
        doutput = np.zeros((T, 1, H))
        doutput[-1] = rng.standard_normal(H)
        h_0 = 0.1 * rng.standard_normal((1, 1, H))
        results.append(_relative(state_gradients(rnn, 0.1 * rng.standard_normal((T, 1, 1)), doutput, h_0)))
    return np.stack(results)


def _relative(dh: Array) -> Array:
    norms = np.linalg.norm(dh, axis=2)[::-1]  # (T, B), the nearest state first
    return np.exp(np.log(norms / norms[0]).mean(axis=1))


def truncated(model: nr.CharRNN, tokens: Array, targets: Array, k: int) -> Array:
    """Return the gradient of the mean loss if each step's loss reaches back k steps: all parameters, one vector."""
    T = len(tokens)
    model.forward(tokens)
    h = model.tape.bottom.h.copy()  # (T + 1, B, H)
    gradient = np.zeros_like(model.parameters().grad)
    for s in range(T):
        start = max(0, s + 1 - k)
        logits, _ = model.forward(tokens[start : s + 1], h[start][None])
        criterion, dlogits = nr.CrossEntropyLoss(), np.zeros_like(logits)
        criterion.forward(logits[-1], targets[s])
        dlogits[-1] = criterion.backward() / T
        model.backward(dlogits)
        gradient += model.parameters().grad
    return gradient


def windows(model: nr.CharRNN, tokens: Array, targets: Array, k: int) -> Array:
    """Return the same if the text is cut into windows of k, the state carried from each to the next as numbers."""
    T, h = len(tokens), None
    gradient = np.zeros_like(model.parameters().grad)
    for start in range(0, T, k):
        part = slice(start, start + k)
        _, h = model.loss_and_gradients(tokens[part], targets[part], h)
        gradient += model.parameters().grad * (len(tokens[part]) / T)
    return gradient


def detached(model: nr.CharRNN, tokens: Array, targets: Array, cut: int) -> tuple[Array, Array]:
    """Return the norm of dh_t for every t, of the mean loss: without a cut, and with h detached after step `cut`.

    Over a batch: of all sequences together.
    """
    logits, _ = model.forward(tokens)
    criterion, V = nr.CrossEntropyLoss(), model.vocab_size
    criterion.forward(logits.reshape(-1, V), targets.reshape(-1))
    doutput = criterion.backward().reshape(logits.shape) @ model.fc.weight.data
    x, h = model.embedding.forward(tokens), model.tape.bottom.h.copy()
    whole = state_gradients(model.rnn, x, doutput)
    parts = [
        state_gradients(model.rnn, x[:cut], doutput[:cut]),
        state_gradients(model.rnn, x[cut:], doutput[cut:], h[cut][None]),
    ]
    return np.linalg.norm(whole, axis=(1, 2)), np.linalg.norm(np.concatenate(parts), axis=(1, 2))


def loss_over_two_biases(b_ih: Array, b_hh: Array) -> tuple[Array, tuple[float, float]]:
    """Return the worked example's loss over a grid of b_ih[0] and b_hh[0], and both gradients at its own biases."""
    from tests.documents import worked_example as example

    p = dict(zip(textbook.NAMES, (np.array(value) for value in example.PARAMETERS.values()), strict=True))
    tokens, targets = np.array(example.TOKENS)[:, None], np.array(example.TARGETS)[:, None]
    h_0 = np.array([example.H_0])
    logits, x, h = textbook.forward(p, tokens, h_0)
    _, dlogits = textbook.cross_entropy(logits, targets)
    gradients, _ = textbook.backward(p, tokens, x, h, dlogits, np.zeros_like(h_0))
    losses = np.empty((len(b_hh), len(b_ih)))
    for i, j in np.ndindex(losses.shape):
        p["rnn.bias_ih_l0"][0], p["rnn.bias_hh_l0"][0] = b_ih[j], b_hh[i]
        losses[i, j], _ = textbook.cross_entropy(textbook.forward(p, tokens, h_0)[0], targets)
    return losses, (gradients["rnn.bias_ih_l0"][0], gradients["rnn.bias_hh_l0"][0])


def bias_paths(epochs: int = 100) -> Array:
    """Return b_ih and b_hh of the tutorial's model through training: (epochs + 1, 2, H)."""
    return np.stack(
        [np.stack([model.rnn.bias_ih_l0.data, model.rnn.bias_hh_l0.data]) for model in train_tutorial(epochs)]
    )


def clipped_arrows(max_norm: float = 1.0) -> Iterator[tuple[Array, Array]]:
    """Yield gradients of two parameters, of several lengths, and what clipping makes of them."""
    for angle, length in zip(range(20, 380, 60), (0.6, 2.3, 1.5, 0.8, 2.0, 1.2), strict=True):
        p = nr.Parameters({"p": (2,)}, np.float64)
        p.grad = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        before = p.grad.copy()
        nr.clip_grad_norm_(p, max_norm)
        yield before, p.grad


def clipped_norms(steps: int = 200, max_norm: float = 1.0) -> Array:
    """Return the norm of the recall model's gradient before and after clipping, through training: (steps, 2)."""
    rows = []
    for model, _, _ in islice(train_recall(), steps):
        before = nr.clip_grad_norm_(model.parameters(), max_norm)
        rows.append((before, np.linalg.norm(model.parameters().grad)))
    return np.array(rows)


def row(name: str, model: nr.CharRNN, tokens: Array, targets: Array) -> str:
    """Return a row of the table: spectral radius and largest singular value of W_hh, mean slope of tanh, and loss."""
    loss, _ = model.loss_and_gradients(tokens, targets)
    model.forward(tokens)
    W_hh, h = model.rnn.weight_hh_l0.data, model.tape.bottom.h[1:]
    radius, sigma_max = np.abs(np.linalg.eigvals(W_hh)).max(), np.linalg.norm(W_hh, 2)
    return f"| {name} | {radius:.2f} | {sigma_max:.2f} | {(1 - h**2).mean():.2f} | {loss:.4f} |"


if __name__ == "__main__":
    print(row("tutorial, untrained", *tutorial(0)))
    print(row("tutorial, after 100 epochs", *tutorial(100)))
    print(row("recall, untrained", *recall(0)))
    print(row("recall, after 1000 steps", *recall(1000)))
