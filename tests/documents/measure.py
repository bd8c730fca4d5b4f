"""The numbers behind the figures of docs/backprop.md, computed in float64.

`python -m tests.documents.measure` prints the page's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

import numpy_rnn as nr
from numpy_rnn import textbook
from tests.documents import worked_example as example

Array = np.ndarray
Case = tuple[nr.CharRNN, Array, Array]  # a model, the tokens that it reads, and its targets
W_HH = "rnn.weight_hh_l0"


def training(texts: list[str], lr: float, max_norm: float) -> Iterator[Case]:
    """Train a model on a batch of texts. Before each step, yield the model with its gradients, tokens and targets."""
    vocabulary = nr.Vocabulary.from_text("".join(texts))
    data = np.stack([vocabulary.encode(text) for text in texts], axis=1)
    tokens, targets = data[:-1], data[1:]
    model = nr.CharRNN(len(vocabulary), dtype=np.float64, rng=0)
    optimizer = nr.Adam(model.parameters(), lr=lr)
    while True:
        model.loss_and_gradients(tokens, targets)
        yield model, tokens, targets
        nr.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


def train_tutorial() -> Iterator[Case]:
    """Memorise one sentence, as `numpy-rnn tutorial` does."""
    return training(["Hello, how are you?"], lr=0.01, max_norm=np.inf)


def train_recall() -> Iterator[Case]:
    """Learn two texts whose last character depends on their first."""
    return training(["a--------a", "b--------b"], lr=0.002, max_norm=1.0)


def tutorial(epochs: int) -> Case:
    """Return the tutorial's model after so many epochs."""
    return next(islice(train_tutorial(), epochs, None))


def recall(steps: int) -> Case:
    """Return the recall model after so many steps."""
    return next(islice(train_recall(), steps, None))


def reach(model: nr.CharRNN, tokens: Array, targets: Array) -> Array:
    """Return |dL_T/dh_t|, relative to t = T, by distance T - t: (T,). Over a batch, the geometric mean."""
    return relative(nr.trace(model, tokens, targets).dh_by_loss[-1])


def random_reach(radius: float, T: int = 40, H: int = 64, networks: int = 20) -> Array:
    """Return the same for random networks with this spectral radius of W_hh and small inputs: (networks, T)."""
    rng, results = np.random.default_rng(0), []
    for _ in range(networks):
        rnn = nr.RNN(1, H, bias=False, dtype=np.float64, rng=rng)
        W_hh = rng.standard_normal((H, H))
        rnn.weight_hh_l0.data = W_hh * (radius / np.abs(np.linalg.eigvals(W_hh)).max())
        doutput = np.zeros((T, 1, H))
        doutput[-1] = rng.standard_normal(H)
        h_0 = 0.1 * rng.standard_normal((1, 1, H))
        h, _ = rnn.forward(0.1 * rng.standard_normal((T, 1, 1)), h_0)
        results.append(relative(state_gradients(rnn.weight_hh_l0.data, h, doutput)))
    return np.stack(results)


def state_gradients(W_hh: Array, h: Array, doutput: Array) -> Array:
    """Return dh_t for every t, (T, B, H), from the states and the gradients of the outputs: (R3), (R4)."""
    dh = doutput.copy()
    for t in reversed(range(len(dh) - 1)):
        dh[t] += (dh[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh
    return dh


def relative(dh: Array) -> Array:
    """Return |dh| of dh (T, B, H), relative to the last step, by distance from it: (T,), geometric means over B."""
    norms = np.linalg.norm(dh, axis=2)[::-1]  # (T, B), the last state first
    return np.exp(np.log(norms / norms[0]).mean(axis=1))


def truncated(model: nr.CharRNN, tokens: Array, targets: Array) -> Array:
    """Return dW_hh if the gradient of each loss goes back k = 1, ..., T steps: (T, H, H)."""
    return nr.trace(model, tokens, targets).by_distance[W_HH].cumsum(axis=0)


def windows(model: nr.CharRNN, tokens: Array, targets: Array) -> Array:
    """Return dW_hh if the text is cut into windows of k = 1, ..., T steps that pass on only the state: (T, H, H)."""
    T = len(tokens)
    gradients = np.zeros((T, *model.rnn.weight_hh_l0.data.shape))
    for k in range(1, T + 1):
        h = None
        for start in range(0, T, k):
            part = slice(start, start + k)
            _, h = model.loss_and_gradients(tokens[part], targets[part], h)
            gradients[k - 1] += model.rnn.weight_hh_l0.grad * (len(tokens[part]) / T)
    return gradients


def detached(model: nr.CharRNN, tokens: Array, targets: Array, cut: int) -> tuple[Array, Array]:
    """Return |dh_t| of the mean loss for every t: without a cut, and with h detached after step `cut`.

    The norm is over all sequences of a batch.
    """
    full = nr.trace(model, tokens, targets)
    before_the_cut = full.dh_by_loss[:cut, :cut].sum(axis=0)
    return np.linalg.norm(full.dh, axis=(1, 2)), np.linalg.norm([*before_the_cut, *full.dh[cut:]], axis=(1, 2))


def loss_over_two_biases(b_ih: Array, b_hh: Array) -> tuple[Array, tuple[float, float]]:
    """Return the worked example's loss over a grid of b_ih[0] and b_hh[0], and both gradients at its own biases."""
    p = dict(zip(textbook.NAMES, map(np.array, example.PARAMETERS.values()), strict=True))
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
    """Return b_ih and b_hh of the tutorial's model before training and after each epoch: (epochs + 1, 2, H)."""
    models = (model for model, _, _ in islice(train_tutorial(), epochs + 1))
    return np.array([(model.rnn.bias_ih_l0.data.copy(), model.rnn.bias_hh_l0.data.copy()) for model in models])


def clipped_arrows(max_norm: float = 1.0) -> Iterator[tuple[Array, Array]]:
    """Yield gradients of two parameters, of several lengths, before and after clipping."""
    for angle, length in zip(range(20, 380, 60), (0.6, 2.3, 1.5, 0.8, 2.0, 1.2), strict=True):
        p = nr.Parameters({"p": (2,)}, np.float64)
        p.grad = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        before = p.grad.copy()
        nr.clip_grad_norm_(p, max_norm)
        yield before, p.grad


def clipped_norms(steps: int = 200, max_norm: float = 1.0) -> Array:
    """Return the norm of the recall model's gradient before and after clipping, at each step: (steps, 2)."""
    models = (model.parameters() for model, _, _ in islice(train_recall(), steps))
    return np.array([(nr.clip_grad_norm_(p, max_norm), np.linalg.norm(p.grad)) for p in models])


def row(name: str, model: nr.CharRNN, tokens: Array, targets: Array) -> str:
    """Return a row of the table: spectral radius and largest singular value of W_hh, mean slope of tanh, and loss."""
    trace, W_hh = nr.trace(model, tokens, targets), model.rnn.weight_hh_l0.data
    radius, sigma_max = np.abs(np.linalg.eigvals(W_hh)).max(), np.linalg.norm(W_hh, 2)
    return f"| {name} | {radius:.2f} | {sigma_max:.2f} | {(1 - trace.h[1:] ** 2).mean():.2f} | {trace.loss:.4f} |"


if __name__ == "__main__":
    print(row("tutorial, untrained", *tutorial(0)))
    print(row("tutorial, after 100 epochs", *tutorial(100)))
    print(row("recall, untrained", *recall(0)))
    print(row("recall, after 1000 steps", *recall(1000)))
