"""The whole model on one page: forward, backpropagation through time, and Adam.

Read this first. It is written to be read: one line per equation, no buffers, no options. `numpy_rnn.layers` computes
the same numbers faster, and the tests compare both with PyTorch's autograd and with the complex step.

Shapes: T time, B batch, E embedding_dim, H hidden_size, V vocab_size. The comment at the end of a line gives the
shape of its result. `dx` is the gradient of the loss with respect to `x`. Parameters and gradients are dictionaries
with torch's names: weight_ih_l0 is W_ih of layer 0, and so on. A label such as (R3) refers to an equation in
docs/backprop.md, which derives them all. `textbook_lstm` and `textbook_gru` are the same page for two other cells.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
Arrays = dict[str, Array]
NAMES = (
    "embedding.weight",  # C     (V, E)
    "rnn.weight_ih_l0",  # W_ih  (H, E)
    "rnn.weight_hh_l0",  # W_hh  (H, H)
    "rnn.bias_ih_l0",  #   b_ih  (H,)
    "rnn.bias_hh_l0",  #   b_hh  (H,)
    "fc.weight",  #        W     (V, H)
    "fc.bias",  #          b     (V,)
)


def init(V: int, E: int, H: int, rng: np.random.Generator) -> Arrays:
    """Draw the initial parameters from torch's distributions, in float64."""
    k = 1 / np.sqrt(H)
    shapes = [(H, E), (H, H), (H,), (H,), (V, H), (V,)]
    p = {"embedding.weight": rng.standard_normal((V, E))}
    return p | {name: rng.uniform(-k, k, shape) for name, shape in zip(NAMES[1:], shapes, strict=True)}


def forward(p: Arrays, tokens: Array, h_0: Array) -> tuple[Array, Array, Array]:
    """Read tokens (T, B), starting from the state h_0 (B, H); return the logits, all inputs x and all states h."""
    C, W_ih, W_hh, b_ih, b_hh, W, b = (p[name] for name in NAMES)
    T, B = tokens.shape
    x = C[tokens]  # (E1)  (T, B, E)
    h = np.empty((T + 1, B, h_0.shape[1]), h_0.dtype)  # step t reads h[t] and computes h[t + 1]
    h[0] = h_0
    for t in range(T):
        z = x[t] @ W_ih.T + b_ih + h[t] @ W_hh.T + b_hh  # (R1)  (B, H)
        h[t + 1] = np.tanh(z)  # (R2)
    logits = h[1:] @ W.T + b  # (L1)  (T, B, V)
    return logits, x, h


def cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Return the mean of -log softmax(logits)[target] and its gradient dlogits."""
    T, B, V = logits.shape
    onehot = np.eye(V, dtype=logits.dtype)[targets]  # (T, B, V)
    shifted = logits - logits.max(axis=2, keepdims=True)  # cancels in p, and keeps exp from overflowing
    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))  # (C1) (C2)  (T, B, V)
    loss = -(onehot * log_p).sum(axis=2).mean()  # (C3)
    dlogits = (np.exp(log_p) - onehot) / (T * B)  # (C4)  (T, B, V)
    return loss, dlogits


def backward(p: Arrays, tokens: Array, x: Array, h: Array, dlogits: Array, dh_n: Array) -> tuple[Arrays, Array]:
    """Backpropagate dlogits (T, B, V) and dh_n (B, H); return the gradient of every parameter, and dh_0 (B, H)."""
    C, W_ih, W_hh, b_ih, b_hh, W, b = (p[name] for name in NAMES)
    dC, dW_ih, dW_hh, db_ih, db_hh, dW, db = (np.zeros_like(p[name]) for name in NAMES)
    dh_next = dh_n  # (B, H), the gradient that comes from the future
    for t in reversed(range(len(tokens))):
        dW += dlogits[t].T @ h[t + 1]  # (L3)
        db += dlogits[t].sum(axis=0)  # (L4)
        dh = dlogits[t] @ W + dh_next  # (L2) (R3)  (B, H), from this step's loss and from the future
        dz = dh * (1 - h[t + 1] ** 2)  # (R4)  (B, H), tanh' = 1 - tanh^2
        dW_ih += dz.T @ x[t]  # (R5)
        dW_hh += dz.T @ h[t]  # (R5)
        db_ih += dz.sum(axis=0)  # (R5)
        db_hh += dz.sum(axis=0)  # (R5)
        dx = dz @ W_ih  # (R6)  (B, E)
        np.add.at(dC, tokens[t], dx)  # (E2)  a token that occurs twice adds up both
        dh_next = dz @ W_hh  # (R3)  (B, H), after the loop dh_0 (R6)
    gradients = (dC, dW_ih, dW_hh, db_ih, db_hh, dW, db)
    return dict(zip(NAMES, gradients, strict=True)), dh_next


def adam(p: Arrays, g: Arrays, m: Arrays, v: Arrays, k: int, lr: float = 0.01) -> None:
    """Take Adam's step k = 1, 2, ... in place; m and v are its two averages, zero before the first step."""
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    for name in p:
        m[name] = beta1 * m[name] + (1 - beta1) * g[name]  # (A1)
        v[name] = beta2 * v[name] + (1 - beta2) * g[name] ** 2  # (A2)
        m_hat = m[name] / (1 - beta1**k)
        v_hat = v[name] / (1 - beta2**k)
        p[name] -= lr * m_hat / (np.sqrt(v_hat) + eps)  # (A3)


def generate(p: Arrays, token: int, length: int) -> list[int]:
    """Start from one token and keep appending the most probable next one, up to `length` tokens."""
    tokens = [token]
    h = np.zeros((1, len(p["rnn.weight_hh_l0"])))
    while len(tokens) < length:
        logits, _, states = forward(p, np.array([tokens[-1:]]), h)
        tokens.append(int(logits[0, 0].argmax()))
        h = states[-1]
    return tokens


def train(text: str, epochs: int = 100, E: int = 32, H: int = 32, seed: int = 0) -> str:
    """Memorise `text`, print the loss every ten epochs, and return what the model generates from its first letter."""
    characters = sorted(set(text))
    data = np.array([[characters.index(c)] for c in text])  # (len(text), 1)
    tokens, targets = data[:-1], data[1:]
    p = init(len(characters), E, H, np.random.default_rng(seed))
    m = {name: np.zeros_like(p[name]) for name in p}
    v = {name: np.zeros_like(p[name]) for name in p}
    h_0 = dh_n = np.zeros((1, H))
    for k in range(1, epochs + 1):
        logits, x, h = forward(p, tokens, h_0)
        loss, dlogits = cross_entropy(logits, targets)
        g, _ = backward(p, tokens, x, h, dlogits, dh_n)
        adam(p, g, m, v, k)
        if k % 10 == 0:
            print(f"epoch {k}, loss {loss:.4f}")
    return "".join(characters[i] for i in generate(p, tokens[0, 0], len(text)))


if __name__ == "__main__":
    print(train("Hello, how are you?"))
