"""NumPy as most people write it: one time step at a time, dictionaries of fresh arrays, one-hot rows.

In the style of A. Karpathy's min-char-rnn (https://gist.github.com/karpathy/d4dee566867f8291f086), with the batches,
the embedding and the optimizer of this model.
"""

from __future__ import annotations

import numpy as np

from benchmarks.contestants import Work
from benchmarks.problem import LR, Array, Problem


class PerStepRNN:
    """Weights, Adam's averages, and loops over time."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.p = {name: w.copy() for name, w in weights.items()}
        self.m = {name: np.zeros_like(w) for name, w in weights.items()}
        self.v = {name: np.zeros_like(w) for name, w in weights.items()}
        self.k = 0

    def one_hot(self, tokens: Array) -> Array:
        rows = np.zeros((len(tokens), len(self.p["fc.bias"])), np.float32)
        rows[np.arange(len(tokens)), tokens] = 1
        return rows

    def step(self, one_hot: Array, h: Array) -> tuple[Array, Array, Array]:
        """Read one character of each sequence; return its embedding, the new state and the logits."""
        p = self.p
        x = np.dot(one_hot, p["embedding.weight"])
        z = np.dot(x, p["rnn.weight_ih_l0"].T) + np.dot(h, p["rnn.weight_hh_l0"].T)
        h = np.tanh(z + p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"])
        return x, h, np.dot(h, p["fc.weight"].T) + p["fc.bias"]

    def zero_state(self, B: int) -> Array:
        return np.zeros((B, len(self.p["rnn.weight_hh_l0"])), np.float32)

    def train(self, tokens: Array, targets: Array) -> float:
        """Take one step of forward, loss, backward and Adam; return the loss."""
        p, (T, B) = self.p, tokens.shape
        ones, xs, hs, probabilities = {}, {}, {-1: self.zero_state(B)}, {}
        loss = 0.0
        for t in range(T):
            ones[t] = self.one_hot(tokens[t])
            xs[t], hs[t], logits = self.step(ones[t], hs[t - 1])
            e = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities[t] = e / e.sum(axis=1, keepdims=True)
            loss += float(-np.log(probabilities[t][np.arange(B), targets[t]]).sum()) / (T * B)

        g = {name: np.zeros_like(w) for name, w in p.items()}
        dh_next = np.zeros_like(hs[-1])
        for t in reversed(range(T)):
            dlogits = probabilities[t].copy()
            dlogits[np.arange(B), targets[t]] -= 1
            dlogits /= T * B
            g["fc.weight"] += np.dot(dlogits.T, hs[t])
            g["fc.bias"] += dlogits.sum(axis=0)
            dh = np.dot(dlogits, p["fc.weight"]) + dh_next
            dz = (1 - hs[t] * hs[t]) * dh
            g["rnn.bias_ih_l0"] += dz.sum(axis=0)
            g["rnn.bias_hh_l0"] += dz.sum(axis=0)
            g["rnn.weight_ih_l0"] += np.dot(dz.T, xs[t])
            g["rnn.weight_hh_l0"] += np.dot(dz.T, hs[t - 1])
            g["embedding.weight"] += np.dot(ones[t].T, np.dot(dz, p["rnn.weight_ih_l0"]))
            dh_next = np.dot(dz, p["rnn.weight_hh_l0"])
        self.adam(g)
        return loss

    def adam(self, g: dict[str, Array]) -> None:
        self.k += 1
        for name, w in self.p.items():
            self.m[name] = 0.9 * self.m[name] + 0.1 * g[name]
            self.v[name] = 0.999 * self.v[name] + 0.001 * g[name] ** 2
            m_hat, v_hat = self.m[name] / (1 - 0.9**self.k), self.v[name] / (1 - 0.999**self.k)
            w -= LR * m_hat / (np.sqrt(v_hat) + 1e-8)

    def forward(self, tokens: Array) -> Array:
        h, logits = self.zero_state(tokens.shape[1]), []
        for row in tokens:
            _, h, y = self.step(self.one_hot(row), h)
            logits.append(y)
        return np.array(logits)

    def generate(self, token: int, length: int) -> list[int]:
        h, tokens = self.zero_state(1), [token]
        while len(tokens) < length:
            _, h, logits = self.step(self.one_hot(np.array(tokens[-1:])), h)
            tokens.append(int(np.argmax(logits)))
        return tokens


def prepare(problem: Problem) -> Work:
    model, tokens = PerStepRNN(problem.weights), problem.tokens
    if problem.case.task == "forward":
        return Work(lambda: model.forward(tokens), np.asarray)
    if problem.case.task == "generate":
        return Work(lambda: model.generate(int(tokens[0, 0]), problem.case.T), list)
    return Work(lambda: model.train(tokens, problem.targets), float)
