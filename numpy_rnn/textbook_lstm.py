"""An LSTM that learns a text, on one page: forward, backpropagation through time, and gradient descent.

Read `numpy_rnn.textbook` first, which is the same page for the tanh RNN and has an embedding and Adam. This page does
without either: each input is a one-hot vector. Gates, names and shapes are those of `torch.nn.LSTM`.

Shapes: T time, B batch, H hidden_size, V vocab_size. The comment at the end of a line gives the shape of its result.
`dx` is the gradient of the loss with respect to `x`. A label such as (LS3) refers to an equation in docs/backprop.md,
which derives them all.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
Arrays = dict[str, Array]
Gates = list[tuple[Array, ...]]
NAMES = (
    "rnn.weight_ih_l0",  # W_ih  (4 H, V), one block of H rows for each of i, f, g, o
    "rnn.weight_hh_l0",  # W_hh  (4 H, H)
    "rnn.bias_ih_l0",  #   b_ih  (4 H,)
    "rnn.bias_hh_l0",  #   b_hh  (4 H,)
    "fc.weight",  #        W     (V, H)
    "fc.bias",  #          b     (V,)
)


def init(V: int, H: int, rng: np.random.Generator) -> Arrays:
    """Draw the initial parameters from torch's distributions, in float64."""
    k = 1 / np.sqrt(H)
    shapes = [(4 * H, V), (4 * H, H), (4 * H,), (4 * H,), (V, H), (V,)]
    return {name: rng.uniform(-k, k, shape) for name, shape in zip(NAMES, shapes, strict=True)}


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), written with tanh because exp can overflow."""
    return (1 + np.tanh(z / 2)) / 2


def forward(p: Arrays, x: Array, h_0: Array, c_0: Array) -> tuple[Array, Array, Array, Gates]:
    """Read x (T, B, V) from the states h_0 and c_0 (B, H); return the logits, all states h and c, and the gates."""
    W_ih, W_hh, b_ih, b_hh, W, b = (p[name] for name in NAMES)
    gates: Gates = []
    h, c = np.empty((2, len(x) + 1, *h_0.shape), h_0.dtype)  # step t reads h[t], c[t] and computes h[t + 1], c[t + 1]
    h[0], c[0] = h_0, c_0
    for t in range(len(x)):
        z = x[t] @ W_ih.T + b_ih + h[t] @ W_hh.T + b_hh  # (LS1)  (B, 4 H)
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)  # (B, H) each
        i = sigmoid(z_i)  # (LS2)  input gate: how much of g is added to c
        f = sigmoid(z_f)  # (LS2)  forget gate: how much of the previous c is kept
        g = np.tanh(z_g)  # (LS2)  candidate
        o = sigmoid(z_o)  # (LS2)  output gate: how much of c is passed on to h
        c[t + 1] = f * c[t] + i * g  # (LS3)
        h[t + 1] = o * np.tanh(c[t + 1])  # (LS4)
        gates.append((i, f, g, o))
    logits = h[1:] @ W.T + b  # (L1)  (T, B, V)
    return logits, h, c, gates


def cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Return the mean of -log softmax(logits)[target] and its gradient dlogits."""
    T, B, V = logits.shape
    onehot = np.eye(V, dtype=logits.dtype)[targets]  # (T, B, V)
    shifted = logits - logits.max(axis=2, keepdims=True)  # cancels in p, and keeps exp from overflowing
    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))  # (C1) (C2)  (T, B, V)
    loss = -(onehot * log_p).sum(axis=2).mean()  # (C3)
    dlogits = (np.exp(log_p) - onehot) / (T * B)  # (C4)  (T, B, V)
    return loss, dlogits


def backward(
    p: Arrays, x: Array, h: Array, c: Array, gates: Gates, dlogits: Array, dh_n: Array, dc_n: Array
) -> tuple[Arrays, Array, Array, Array]:
    """Backpropagate dlogits (T, B, V), dh_n and dc_n (B, H); return all parameters' gradients, dx, dh_0 and dc_0."""
    W_ih, W_hh, W = (p[name] for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"))
    dW_ih, dW_hh, db_ih, db_hh, dW, db = (np.zeros_like(p[name]) for name in NAMES)
    dx = np.empty_like(x)
    dh_next, dc_next = dh_n, dc_n  # (B, H), the gradients that come from the future
    for t in reversed(range(len(x))):
        i, f, g, o = gates[t]
        tanh_c = np.tanh(c[t + 1])
        dW += dlogits[t].T @ h[t + 1]  # (L3)
        db += dlogits[t].sum(axis=0)  # (L4)
        dh = dlogits[t] @ W + dh_next  # (L2) (LS5)  (B, H)
        dc = dh * o * (1 - tanh_c**2) + dc_next  # (LS6)  (B, H), through h_t and from the next cell state
        di = dc * g  # (LS7)
        df = dc * c[t]  # (LS7)
        dg = dc * i  # (LS7)
        do = dh * tanh_c  # (LS7)
        dz_i = di * i * (1 - i)  # (LS8)  sigmoid' = sigmoid (1 - sigmoid)
        dz_f = df * f * (1 - f)  # (LS8)
        dz_g = dg * (1 - g**2)  # (LS8)  tanh' = 1 - tanh^2
        dz_o = do * o * (1 - o)  # (LS8)
        dz = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)  # (B, 4 H)
        dW_ih += dz.T @ x[t]  # (LS9)
        dW_hh += dz.T @ h[t]  # (LS9)
        db_ih += dz.sum(axis=0)  # (LS9)
        db_hh += dz.sum(axis=0)  # (LS9)
        dx[t] = dz @ W_ih  # (LS10)  (B, V), for an embedding or a layer below
        dh_next = dz @ W_hh  # (LS5)  (B, H), after the loop dh_0 (LS10)
        dc_next = dc * f  # (LS6)  (B, H), after the loop dc_0 (LS10)
    gradients = (dW_ih, dW_hh, db_ih, db_hh, dW, db)
    return dict(zip(NAMES, gradients, strict=True)), dx, dh_next, dc_next


def train(text: str, epochs: int = 100, H: int = 32, lr: float = 2.0, seed: int = 0) -> str:
    """Memorise `text`, print the loss every ten epochs, and return what the model generates from its first letter."""
    characters = sorted(set(text))
    data = np.array([[characters.index(c)] for c in text])  # (len(text), 1)
    onehot, zero = np.eye(len(characters)), np.zeros((1, H))
    x, targets = onehot[data[:-1]], data[1:]
    p = init(len(characters), H, np.random.default_rng(seed))
    for k in range(1, epochs + 1):
        logits, h, c, gates = forward(p, x, zero, zero)
        loss, dlogits = cross_entropy(logits, targets)
        gradients, *_ = backward(p, x, h, c, gates, dlogits, zero, zero)
        for name in p:
            p[name] -= lr * gradients[name]
        if k % 10 == 0:
            print(f"epoch {k}, loss {loss:.4f}")
    tokens, h_n, c_n = [data[0, 0]], zero, zero
    while len(tokens) < len(text):  # append the most probable next character
        logits, (*_, h_n), (*_, c_n), _ = forward(p, onehot[[tokens[-1:]]], h_n, c_n)
        tokens.append(logits[0, 0].argmax())
    return "".join(characters[i] for i in tokens)


if __name__ == "__main__":
    print(train("Hello, how are you?"))
