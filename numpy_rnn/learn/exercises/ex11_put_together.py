"""Exercise 11. Put together: your functions learn a sentence

    tokens -(E1)-> x -(R1, R2)-> output -(L1)-> logits -(C1, C2, C3)-> loss

Forward runs along the arrows, backward against them: each gradient that a backward function returns is handed to the
one before. Write the two empty places with your functions of exercises 2, 4, 5, 7, 9 and 10. Then

    python ex11_put_together.py

trains on one sentence, until the model says it. cross_entropy takes rows (N, V), so reshape output (T, B, H) to
(T B, H) and targets to (T B,) on the way forward, and doutput back. See docs/backprop.md#the-model.
"""

import numpy as np

from numpy_rnn.learn.exercises.ex02_bias_and_batch import linear, linear_backward
from numpy_rnn.learn.exercises.ex04_cross_entropy import cross_entropy, cross_entropy_backward
from numpy_rnn.learn.exercises.ex05_embedding import embedding, embedding_backward
from numpy_rnn.learn.exercises.ex07_through_time import rnn, rnn_backward
from numpy_rnn.learn.exercises.ex09_clipping import clip
from numpy_rnn.learn.exercises.ex10_adam import adam

NAMES = "C", "W_ih", "W_hh", "b_ih", "b_hh", "W", "b"


def loss_and_gradients(p, tokens, targets):
    """p: a dictionary of parameters with NAMES, tokens and targets (T, B); return the loss and the gradients"""
    C, W_ih, W_hh, b_ih, b_hh, W, b = (p[name] for name in NAMES)
    h_0 = np.zeros((tokens.shape[1], len(W_hh)))
    # answer
    # hint: Four calls forward, each with its cache: embedding, rnn, linear, cross_entropy. Then four calls backward.
    # hint: linear_backward returns doutput as (T B, H): reshape it to output.shape for rnn_backward.
    x, of_embedding = embedding(tokens, C)
    output, of_rnn = rnn(x, h_0, W_ih, W_hh, b_ih, b_hh)
    logits, of_linear = linear(output.reshape(-1, len(W_hh)), W, b)
    loss, of_loss = cross_entropy(logits, targets.reshape(-1))
    dlogits = cross_entropy_backward(of_loss)
    doutput, dW, db = linear_backward(dlogits, of_linear)
    dx, _, dW_ih, dW_hh, db_ih, db_hh = rnn_backward(doutput.reshape(output.shape), of_rnn)
    dC = embedding_backward(dx, of_embedding)
    gradients = {"C": dC, "W_ih": dW_ih, "W_hh": dW_hh, "b_ih": db_ih, "b_hh": db_hh, "W": dW, "b": db}
    # end
    return loss, gradients


def update(p, gradients, m, v, k):
    """Clip the gradients to norm 5, and take Adam's step k; return the new p, m and v, dictionaries with NAMES"""
    # answer
    # hint: clip takes all gradients at once. adam takes one array: call it for each name.
    # hint: Make new dictionaries: p[name], m[name], v[name] = adam(...) would change the arguments.
    clipped = clip(gradients, max_norm=5.0)
    new = {name: adam(p[name], clipped[name], m[name], v[name], k) for name in NAMES}
    p, m, v = ({name: new[name][i] for name in NAMES} for i in range(3))
    # end
    return p, m, v


def train(text, epochs=100, E=32, H=32, seed=0, show=False):
    """Return what the model says after training, starting from the first letter"""
    characters = sorted(set(text))
    V, data = len(characters), np.array([[characters.index(c)] for c in text])
    rng, a = np.random.default_rng(seed), 1 / np.sqrt(H)
    shapes = {"C": (V, E), "W_ih": (H, E), "W_hh": (H, H), "b_ih": H, "b_hh": H, "W": (V, H), "b": V}
    p = {name: rng.uniform(-a, a, shape) for name, shape in shapes.items()}
    p["C"] = rng.standard_normal((V, E))
    m = v = {name: np.zeros_like(p[name]) for name in NAMES}
    for k in range(1, epochs + 1):
        loss, gradients = loss_and_gradients(p, data[:-1], data[1:])
        p, m, v = update(p, gradients, m, v, k)
        if show and k % 10 == 0:
            print(f"epoch {k}, loss {loss:.4f}")
    said, token, h = text[0], data[:1], np.zeros((1, H))
    while len(said) < len(text):
        x, _ = embedding(token, p["C"])
        output, _ = rnn(x, h, *(p[name] for name in NAMES[1:5]))
        logits, _ = linear(output[0], p["W"], p["b"])
        token, h = logits.argmax(axis=1).reshape(1, 1), output[0]
        said += characters[token[0, 0]]
    return said


if __name__ == "__main__":
    print(train("Hello, how are you?", show=True))


# check
def cases(rng):
    for T, B, V, E, H in (2, 1, 3, 2, 1), (1, 1, 2, 2, 3), (4, 2, 4, 3, 2):
        shapes = (V, E), (H, E), (H, H), (H,), (H,), (V, H), (V,)
        p = {name: rng.standard_normal(shape) for name, shape in zip(NAMES, shapes, strict=True)}
        yield "loss_and_gradients", (p, *rng.integers(V, size=(2, T, B)))
        gradients, m = ({name: size * rng.standard_normal(p[name].shape) for name in NAMES} for size in (3, 0.1))
        yield "update", (p, gradients, m, {name: m[name] ** 2 for name in NAMES}, T)
    yield "train", ("Hello, how are you?",)


SLIPS = [
    ("targets.reshape(-1))", "tokens.reshape(-1))", "The loss compares with targets, the next characters (C3)."),
    ('"W_ih": dW_ih, "W_hh": dW_hh', '"W_ih": dW_hh, "W_hh": dW_ih', "dW_ih and dW_hh are interchanged (R5)."),
    ("(doutput.reshape(output.shape)", "(output", "Hand over the gradient doutput, not the value output (L2)."),
    ("dx, _, dW_ih", "_, dx, dW_ih", "rnn_backward returns dx first and dh_0 second (R6)."),
    ("clip(gradients, max_norm=5.0)", "gradients", "The gradients are not clipped (N1)."),
    (
        "clip(gradients, max_norm=5.0)",
        "{n: clip({n: gradients[n]}, 5.0)[n] for n in NAMES}",
        "Clip all at once (N1).",
    ),
    ("v[name], k)", "v[name], 1)", "Hand the number of the step, k, to adam: the correction depends on it (A3)."),
]
