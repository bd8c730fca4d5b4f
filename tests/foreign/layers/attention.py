"""Causal scaled dot-product self-attention with one head: x is (B, T, D)."""

import numpy as np


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention_forward(x, Wq, Wk, Wv, Wo):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    scale = 1 / np.sqrt(q.shape[-1])
    scores = q @ k.transpose(0, 2, 1) * scale
    future = np.triu(np.ones(scores.shape[1:], dtype=bool), k=1)
    scores = np.where(future, -1e9, scores)
    weights = softmax(scores)
    mixed = weights @ v
    cache = {"x": x, "q": q, "k": k, "v": v, "weights": weights, "mixed": mixed, "scale": scale}
    return mixed @ Wo, (cache, (Wq, Wk, Wv, Wo))


def attention_backward(dout, saved):
    cache, (Wq, Wk, Wv, Wo) = saved
    x, q, k, v = (cache[name] for name in ("x", "q", "k", "v"))
    weights, scale = cache["weights"], cache["scale"]
    dWo = np.einsum("btd,bte->de", cache["mixed"], dout)
    dmixed = dout @ Wo.T
    dweights = dmixed @ v.transpose(0, 2, 1)
    dv = weights.transpose(0, 2, 1) @ dmixed
    inner = (dweights * weights).sum(axis=-1, keepdims=True)
    dscores = weights * (dweights - inner)
    dq = dscores @ k * scale
    dk = dscores.transpose(0, 2, 1) @ q * scale
    dWq = np.einsum("btd,bte->de", x, dq)
    dWk = np.einsum("btd,bte->de", x, dk)
    dWv = np.einsum("btd,bte->de", x, dv)
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, dWq, dWk, dWv, dWo
