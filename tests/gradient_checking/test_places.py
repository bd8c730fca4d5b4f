"""Where an error is: zeros count neither as right nor as wrong, and blocks of a tensor are named."""

import numpy as np
import pytest

import numpy_rnn as nr

rng = np.random.default_rng(2)


def located(wrong, axis_mask=None, shape=(4, 6), factor=None):
    """Return the diagnosis when a gradient is wrong where the mask is true, by a factor that fits no mistake."""
    x = rng.uniform(0.5, 1.5, shape)
    off = np.where(wrong, rng.uniform(1.2, 1.7, shape), 1.0) if factor is None else np.where(wrong, factor, 1.0)
    zero = np.zeros(shape, bool) if axis_mask is None else axis_mask
    forward = lambda x: (np.where(zero, 0, x**3), x)  # noqa: E731
    report = nr.gradcheck((forward, lambda d, x: np.where(zero, 0, 3 * d * x * x) * off), x)
    assert not report.ok
    return report.tensors["x"].diagnosis


def mask(shape, *index):
    where = np.zeros(shape, bool)
    where[index] = True
    return where


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ((slice(None), 2), "wrong in x[:, 2] only"),
        ((slice(None), 0), "wrong in x[:, 0] only"),
        ((3,), "wrong in x[3, :] only"),
        ((slice(None), slice(2, 4)), "wrong in x[:, 2:4] only: the second of 3 blocks of 2"),
        ((slice(None), slice(3, 6)), "wrong in x[:, 3:6] only: the second of 2 blocks of 3"),
        ((slice(2, 4),), "wrong in x[2:4, :] only: the second of 2 blocks of 2"),
        ((slice(1, 3),), "wrong in x[1:3, :] only"),
    ],
)
def test_the_place_is_named(index, words):
    diagnosis = located(mask((4, 6), *index))
    assert diagnosis.startswith(words)
    assert ("blocks" in diagnosis) == ("blocks" in words)


def test_zeros_are_neither_right_nor_wrong():
    zeros = mask((4, 6), slice(None), 0)
    # Everything that tells is wrong: column 0 is zero in both and proves nothing.
    assert located(~zeros, zeros) is None
    # Wrong in columns 3 to 5, right in 1 and 2: the zeros in column 0 do not matter.
    half = mask((4, 6), slice(None), slice(3, 6))
    assert located(half, zeros).startswith("wrong in x[:, 3:6] only: the second of 2 blocks of 3")


def test_wrong_zeros_are_said_to_be_zero():
    assert located(mask((4, 6), slice(None), slice(2, 4)), factor=0).endswith("(there it is zero)")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(("gate", "ordinal"), [(0, "first"), (1, "second"), (2, "third"), (3, "fourth")])
def test_the_gate_of_an_lstm_whose_slope_is_missing_is_named(gate, ordinal):
    H = 4

    def forward(x, c, Wx, b):
        i, f, o, g = np.split(x @ Wx + b, 4, axis=1)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        new = f * c + i * g
        return o * np.tanh(new), new, (x, c, Wx, i, f, o, g, new)

    def backward(dh, dnew, cache):
        x, c, Wx, i, f, o, g, new = cache
        dnew = dnew + dh * o * (1 - np.tanh(new) ** 2)
        slopes = [i * (1 - i), f * (1 - f), o * (1 - o), 1 - g * g]
        slopes[gate] = 1
        dz = np.hstack(
            [d * s for d, s in zip([dnew * g, dnew * c, dh * np.tanh(new), dnew * i], slopes, strict=True)]
        )
        return dz @ Wx.T, dnew * f, x.T @ dz, dz.sum(axis=0)

    shapes = (2, 3), (2, H), (3, 4 * H), 4 * H
    report = nr.gradcheck((forward, backward), tuple(map(np.random.default_rng(0).standard_normal, shapes)))
    block = f"{gate * H}:{(gate + 1) * H}"
    words = f"the {ordinal} of 4 blocks of 4"
    assert f"wrong in b[{block}] only: {words}" in report.tensors["b"].diagnosis
    assert f"wrong in Wx[:, {block}] only: {words}" in report.tensors["Wx"].diagnosis
    assert report.tensors["c"].ok
