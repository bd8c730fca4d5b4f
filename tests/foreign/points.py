"""Where each layer is checked: what is passed to nr.gradcheck, with random inputs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

__all__ = ["POINTS", "arguments", "random_sizes"]

SIZES = {"T": 4, "B": 2, "D": 5, "H": 3, "V": 7}  # time, batch, input, hidden state, vocabulary: all different


def arguments(layer, module, sizes=SIZES, seed=0):
    """Return the arguments of nr.gradcheck for the layer in `module`, which has that layer's code, right or wrong."""
    return POINTS[layer](module, Draw(seed), SimpleNamespace(**sizes))


class Draw:
    """draw(2, 3) is an array of that shape from N(0, 1), draw.integers(7, 2, 3) one of integers below 7."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape):
        return self.rng.standard_normal(shape)

    def integers(self, below, *shape):
        return self.rng.integers(0, below, shape)


def random_sizes(rng):
    """Draw sizes from 2 to 6; T from 1 to 5."""
    return {"T": int(rng.integers(1, 6))} | {name: int(rng.integers(2, 7)) for name in "BDHV"}


def lstm_steps(m, draw, n):
    weights = {"Wx": draw(n.D, 4 * n.H), "Wh": draw(n.H, 4 * n.H), "b": draw(4 * n.H)}
    return (m.lstm_forward, m.lstm_backward), {"x": draw(n.B, n.T, n.D), "h0": draw(n.B, n.H), **weights}


def lstm_class(m, draw, n):
    return m.LSTM(n.D, n.H), draw(n.T, n.B, n.D), draw(n.B, n.H), draw(n.B, n.H)


def peephole(m, draw, n):
    inputs = {"x": draw(n.T, n.B, n.D), "h0": draw(n.B, n.H), "c0": draw(n.B, n.H)}
    weights = {"W": draw(n.D, 4 * n.H), "U": draw(n.H, 4 * n.H), "b": draw(4 * n.H)}
    return (m.forward, m.backward), {**inputs, **weights, "p_i": draw(n.H), "p_f": draw(n.H), "p_o": draw(n.H)}


def gru(m, draw, n):
    weights = {"Wx": draw(n.D, 3 * n.H), "Wh": draw(n.H, 3 * n.H), "bx": draw(3 * n.H), "bh": draw(3 * n.H)}
    return (m.gru_forward, m.gru_backward), {"x": draw(n.T, n.B, n.D), "h0": draw(n.B, n.H), **weights}


def mgu(m, draw, n):
    weights = {k + gate: draw(*s) for gate in "fh" for k, s in (("W", (n.D, n.H)), ("U", (n.H, n.H)), ("b", (n.H,)))}
    return (m.mgu_forward, m.mgu_backward), {"x": draw(n.T, n.B, n.D), "h0": draw(n.B, n.H), **weights}


def char_rnn(m, draw, n):
    inputs, targets = draw.integers(n.V, n.T), draw.integers(n.V, n.T)
    weights = draw(n.H, n.V), draw(n.H, n.H), draw(n.V, n.H), draw(n.H, 1), draw(n.V, 1)
    return m.loss_function, inputs, targets, draw(n.H, 1), *weights


def birnn(m, draw, n):
    weights = {k + side: draw(*s) for side in "12" for k, s in (("W", (n.D, n.H)), ("U", (n.H, n.H)), ("b", (n.H,)))}
    return (m.birnn_forward, m.birnn_backward), {"x": draw(n.T, n.B, n.D), **weights}


def time_rnn(m, draw, n):
    return m.TimeRNN(n.D, n.H), draw(n.B, n.T, n.D)


def time_last_rnn(m, draw, n):
    parameters = {"Wax": draw(n.H, n.D), "Waa": draw(n.H, n.H), "ba": draw(n.H, 1)}
    return (m.rnn_forward, m.rnn_backward), {"x": draw(n.D, n.B, n.T), "a0": draw(n.H, n.B)}, parameters


def layernorm(m, draw, n):
    inputs = {"x": draw(n.B, n.T, n.H), "gamma": draw(n.H), "beta": draw(n.H)}
    return (m.layernorm_forward, m.layernorm_backward), inputs


def batchnorm(m, draw, n):
    inputs = {"x": draw(n.H, n.D), "gamma": draw(n.D), "beta": draw(n.D)}
    return (m.batchnorm_forward, m.batchnorm_backward), inputs


def attention(m, draw, n):
    weights = {name: draw(n.D, n.H) for name in ("Wq", "Wk", "Wv")}
    inputs = {"x": draw(n.B, n.T, n.D), **weights, "Wo": draw(n.H, n.D)}
    return (m.attention_forward, m.attention_backward), inputs


def mlp_loss(m, draw, n):
    return m.TwoLayerNet(n.D, n.H, n.V), draw(n.T, n.D), draw.integers(n.V, n.T)


def tied_lm(m, draw, n):
    tokens, targets = draw.integers(n.V, n.B, n.T), draw.integers(n.V, n.B, n.T)
    inputs = {"tokens": tokens, "targets": targets, "E": draw(n.V, n.D), "W": draw(n.D, n.D), "b": draw(n.D)}
    return (m.lm_forward, m.lm_backward), inputs


def conv_loop(m, draw, n):
    inputs = {"x": draw(n.B, 3, 5, n.H), "w": draw(4, 3, 3, 2), "b": draw(4), "conv_param": {"stride": 2, "pad": 1}}
    return (m.conv_forward_naive, m.conv_backward_naive), inputs


def conv_einsum(m, draw, n):
    return m.Conv2D(n.H, n.D, (2, 3)), draw(n.B, n.H, n.T + 2, n.D + 2)


def maxpool(m, draw, n):
    return m.ScaledMaxPool(n.H, (2, 3)), draw(n.B, n.H, 2 * n.T, 6)


def softmax_layer(m, draw, n):
    return (m.softmax_forward, m.softmax_backward), {"z": draw(n.T, n.V), "temperature": np.array(1.3)}


def dropout(m, draw, n):
    inputs = {"x": draw(n.T, n.D), "W": draw(n.D, n.H), "b": draw(n.H), "dropout_param": {"keep": 0.6, "seed": 1}}
    return (m.dropout_forward, m.dropout_backward), inputs


def residual(m, draw, n):
    return m.ResidualBlock(n.D, n.H), draw(n.T, n.D)


POINTS = {
    point.__name__: point
    for point in (
        *(lstm_steps, lstm_class, peephole, gru, mgu, char_rnn, birnn, time_rnn, time_last_rnn),
        *(layernorm, batchnorm, attention, mlp_loss, tied_lm, conv_loop, conv_einsum),
        *(maxpool, softmax_layer, dropout, residual),
    )
}
