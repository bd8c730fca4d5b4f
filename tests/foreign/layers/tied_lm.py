"""Language model with one matrix E (V, D) as embedding and as output layer: tokens and targets are (N, T)."""

import numpy as np


def lm_forward(tokens, targets, E, W, b):
    x = E[tokens]
    h = np.tanh(x @ W + b)
    logits = h @ E.T
    logits = logits - logits.max(axis=2, keepdims=True)
    probs = np.exp(logits)
    probs /= probs.sum(axis=2, keepdims=True)
    n, t = np.indices(tokens.shape)
    loss = -np.log(probs[n, t, targets]).mean()
    return loss, (tokens, targets, E, W, x, h, probs)


def lm_backward(dloss, cache):
    tokens, targets, E, W, x, h, probs = cache
    n, t = np.indices(tokens.shape)
    dlogits = probs.copy()
    dlogits[n, t, targets] -= 1
    dlogits *= dloss / tokens.size
    dE = np.einsum("ntv,ntd->vd", dlogits, h)
    dh = dlogits @ E
    dz = dh * (1 - h**2)
    dW = np.einsum("nti,ntj->ij", x, dz)
    db = dz.sum(axis=(0, 1))
    dx = dz @ W.T
    np.add.at(dE, tokens, dx)
    return {"dE": dE, "dW": dW, "db": db}
