"""A GRU that learns a text, on one page: forward, backpropagation through time, and gradient descent.

Read `numpy_rnn.textbook` first, which is the same page for the tanh RNN and has an embedding and Adam. This page does
without either: each input is a one-hot vector. Gates, names and shapes are those of `torch.nn.GRU`.

Shapes: T time, B batch, H hidden_size, V vocab_size. The comment at the end of a line gives the shape of its result.
`dx` is the gradient of the loss with respect to `x`. A label such as (GR3) refers to an equation in docs/backprop.md,
which derives them all.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
Arrays = dict[str, Array]
Gates = list[tuple[Array, ...]]
NAMES = (
    "rnn.weight_ih_l0",  # W_ih  (3 H, V), one block of H rows for each of r, z, n
    "rnn.weight_hh_l0",  # W_hh  (3 H, H)
    "rnn.bias_ih_l0",  #   b_ih  (3 H,)
    "rnn.bias_hh_l0",  #   b_hh  (3 H,)
    "fc.weight",  #        W     (V, H)
    "fc.bias",  #          b     (V,)
)


def init(V: int, H: int, rng: np.random.Generator) -> Arrays:
    """Draw the initial parameters from torch's distributions, in float64."""
    k = 1 / np.sqrt(H)
    shapes = [(3 * H, V), (3 * H, H), (3 * H,), (3 * H,), (V, H), (V,)]
    return {name: rng.uniform(-k, k, shape) for name, shape in zip(NAMES, shapes, strict=True)}


def sigmoid(a: Array) -> Array:
    """Return 1 / (1 + exp(-a)), written with tanh because exp can overflow."""
    return (1 + np.tanh(a / 2)) / 2


def forward(p: Arrays, x: Array, h_0: Array) -> tuple[Array, Array, Gates]:
    """Read x (T, B, V), starting from the state h_0 (B, H); return the logits, all states h, and the gates."""
    W_ih, W_hh, b_ih, b_hh, W, b = (p[name] for name in NAMES)
    gates: Gates = []
    h = np.empty((len(x) + 1, *h_0.shape), h_0.dtype)  # step t reads h[t] and computes h[t + 1]
    h[0] = h_0
    for t in range(len(x)):
        a = x[t] @ W_ih.T + b_ih  # (GR1)  (B, 3 H)
        u = h[t] @ W_hh.T + b_hh  # (GR1)  (B, 3 H)
        a_r, a_z, a_n = np.split(a, 3, axis=1)  # (B, H) each
        u_r, u_z, u_n = np.split(u, 3, axis=1)  # (B, H) each
        r = sigmoid(a_r + u_r)  # (GR2)  reset gate: how much of the previous h the candidate sees
        z = sigmoid(a_z + u_z)  # (GR2)  update gate: how much of the previous h is kept
        n = np.tanh(a_n + r * u_n)  # (GR3)  candidate
        h[t + 1] = (1 - z) * n + z * h[t]  # (GR4)
        gates.append((r, z, n, u_n))
    logits = h[1:] @ W.T + b  # (L1)  (T, B, V)
    return logits, h, gates


def cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Return the mean of -log softmax(logits)[target] and its gradient dlogits."""
    T, B, V = logits.shape
    onehot = np.eye(V, dtype=logits.dtype)[targets]  # (T, B, V)
    shifted = logits - logits.max(axis=2, keepdims=True)  # cancels in p, and keeps exp from overflowing
    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))  # (C1) (C2)  (T, B, V)
    loss = -(onehot * log_p).sum(axis=2).mean()  # (C3)
    dlogits = (np.exp(log_p) - onehot) / (T * B)  # (C4)  (T, B, V)
    return loss, dlogits


def backward(p: Arrays, x: Array, h: Array, gates: Gates, dlogits: Array, dh_n: Array) -> tuple[Arrays, Array, Array]:
    """Backpropagate dlogits (T, B, V) and dh_n (B, H); return all parameters' gradients, dx and dh_0."""
    W_ih, W_hh, W = (p[name] for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"))
    dW_ih, dW_hh, db_ih, db_hh, dW, db = (np.zeros_like(p[name]) for name in NAMES)
    dx = np.empty_like(x)
    dh_next = dh_n  # (B, H), the gradient that comes from the future
    for t in reversed(range(len(x))):
        r, z, n, u_n = gates[t]
        dW += dlogits[t].T @ h[t + 1]  # (L3)
        db += dlogits[t].sum(axis=0)  # (L4)
        dh = dlogits[t] @ W + dh_next  # (L2) (GR5)  (B, H)
        dz = dh * (h[t] - n)  # (GR6)
        dn = dh * (1 - z)  # (GR6)
        da_n = dn * (1 - n**2)  # (GR7)  tanh' = 1 - tanh^2
        dr = da_n * u_n  # (GR7)
        du_n = da_n * r  # (GR7)
        da_r = dr * r * (1 - r)  # (GR8)  and du_r is the same; sigmoid' = sigmoid (1 - sigmoid)
        da_z = dz * z * (1 - z)  # (GR8)  and du_z is the same
        da = np.concatenate([da_r, da_z, da_n], axis=1)  # (B, 3 H)
        du = np.concatenate([da_r, da_z, du_n], axis=1)  # (B, 3 H)
        dW_ih += da.T @ x[t]  # (GR9)
        dW_hh += du.T @ h[t]  # (GR9)
        db_ih += da.sum(axis=0)  # (GR9)
        db_hh += du.sum(axis=0)  # (GR9)
        dx[t] = da @ W_ih  # (GR10)  (B, V), for an embedding or a layer below
        dh_next = du @ W_hh + dh * z  # (GR5)  (B, H), after the loop dh_0 (GR10)
    gradients = (dW_ih, dW_hh, db_ih, db_hh, dW, db)
    return dict(zip(NAMES, gradients, strict=True)), dx, dh_next


def train(text: str, epochs: int = 100, H: int = 32, lr: float = 2.0, seed: int = 0) -> str:
    """Memorise `text`, print the loss every ten epochs, and return what the model generates from its first letter."""
    characters = sorted(set(text))
    data = np.array([[characters.index(c)] for c in text])  # (len(text), 1)
    onehot, zero = np.eye(len(characters)), np.zeros((1, H))
    x, targets = onehot[data[:-1]], data[1:]
    p = init(len(characters), H, np.random.default_rng(seed))
    for k in range(1, epochs + 1):
        logits, h, gates = forward(p, x, zero)
        loss, dlogits = cross_entropy(logits, targets)
        gradients, *_ = backward(p, x, h, gates, dlogits, zero)
        for name in p:
            p[name] -= lr * gradients[name]
        if k % 10 == 0:
            print(f"epoch {k}, loss {loss:.4f}")
    tokens, h_n = [data[0, 0]], zero
    while len(tokens) < len(text):  # append the most probable next character
        logits, (*_, h_n), _ = forward(p, onehot[[tokens[-1:]]], h_n)
        tokens.append(logits[0, 0].argmax())
    return "".join(characters[i] for i in tokens)


if __name__ == "__main__":
    print(train("Hello, how are you?"))
