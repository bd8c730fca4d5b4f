# ruff: noqa: E501 (one slip per line)
"""The slips in layers without a recurrence: `old` becomes `new` in the layer's file."""

from __future__ import annotations

from tests.foreign.slip import slips
from tests.foreign.words import (
    AXIS,
    DERIVATIVE,
    FACTOR,
    FLIPPED,
    OVERWRITTEN,
    RELU,
    SIGN,
    TRANSPOSED,
    instead,
    lacks,
)

__all__ = ["FEEDFORWARD"]

LAYERNORM = [
    ("the path through the variance is forgotten", "dxhat - mean_path - var_path", "dxhat - mean_path", "x", lacks("var|std")),
    ("the path through the mean is forgotten", "dxhat - mean_path - var_path", "dxhat - var_path", "x", lacks("mean|mu")),
    ("the sign of the path through the variance", "mean_path - var_path", "mean_path + var_path", "x", SIGN),
    ("gamma is forgotten", "dxhat = dout * gamma", "dxhat = dout", "x", lacks("gamma")),
    ("1/D is forgotten in the mean", "dxhat.sum(axis=-1, keepdims=True) / D", "dxhat.sum(axis=-1, keepdims=True)", "x", FACTOR),
    ("the sum over the wrong axis", "(dxhat * xhat).sum(axis=-1,", "(dxhat * xhat).sum(axis=0,", "x", AXIS),
    ("divided by the variance", "var_path) / std", "var_path) / std**2", "x", "std|sqrt|factor|divi"),
    ("xhat is forgotten in the path through the variance", "var_path = xhat * (dxhat", "var_path = (dxhat", "x", lacks("xhat|x - mu|var")),
]  # fmt: skip

BATCHNORM = [
    ("the path through the mean is forgotten", "dx = dx1 + dx2", "dx = dx1", "x", lacks("mean|mu")),
    ("the path through the variance is forgotten", "dx1 = dxmu1 + dxmu2", "dx1 = dxmu1", "x", lacks("var|sq|xmu")),
    ("1/N is forgotten in the variance", "dsq = 1.0 / N * np.ones((N, D))", "dsq = np.ones((N, D))", "x", FACTOR),
    ("1/N is forgotten in the mean", "dx2 = 1.0 / N * np.ones((N, D))", "dx2 = np.ones((N, D))", "x", FACTOR),
    ("the factor 2 of the square is missing", "dxmu2 = 2 * xmu * dsq", "dxmu2 = xmu * dsq", "x", FACTOR),
    ("gamma is forgotten", "dxhat = dout * gamma", "dxhat = dout", "x", lacks("gamma")),
    ("the sign of dsqrtvar", "dsqrtvar = -1.0 / sqrtvar**2", "dsqrtvar = 1.0 / sqrtvar**2", "x", SIGN),
    ("the derivative of the square root is inverted", "0.5 / np.sqrt(var + eps)", "0.5 * np.sqrt(var + eps)", "x", "sqrt|derivative"),
    ("dgamma from xmu instead of xhat", "dgamma = np.sum(dout * xhat", "dgamma = np.sum(dout * xmu", "gamma", instead("xhat|ivar")),
]  # fmt: skip

ATTENTION = [
    ("the scale is forgotten in dq", "dq = dscores @ k * scale", "dq = dscores @ k", "x Wq", "scale"),
    ("the softmax's diagonal alone", "dscores = weights * (dweights - inner)", "dscores = weights * (1 - weights) * dweights", "x Wq Wk", "softmax|diagonal|sum"),
    ("the softmax's sum over the wrong axis", "(dweights * weights).sum(axis=-1", "(dweights * weights).sum(axis=-2", "x Wq Wk", AXIS),
    ("the softmax's sum without the weights", "inner = (dweights * weights).sum", "inner = dweights.sum", "x Wq Wk", lacks("weights|softmax")),
    ("dscores is not transposed", "dscores.transpose(0, 2, 1) @ q", "dscores @ q", "x Wk", TRANSPOSED),
    ("the weights are not transposed", "dv = weights.transpose(0, 2, 1) @ dmixed", "dv = weights @ dmixed", "x Wv", TRANSPOSED),
    ("the path through the keys is forgotten", "dq @ Wq.T + dk @ Wk.T + dv @ Wv.T", "dq @ Wq.T + dv @ Wv.T", "x", lacks("k|Wk")),
    ("dWo from the values", '"btd,bte->de", cache["mixed"]', '"btd,bte->de", cache["v"]', "Wo", instead("mixed|weights")),
    ("queries and keys are exchanged", "dx = dq @ Wq.T + dk @ Wk.T", "dx = dq @ Wk.T + dk @ Wq.T", "x", "exchanged|swapped|W[qk]"),
]  # fmt: skip

MLP_LOSS = [
    ("1/N is forgotten", "dscores /= N", "dscores /= 1", "all", FACTOR),
    ("relu's mask from its own gradient", "(a1 > 0)", "(dh1 > 0)", "below", RELU),
    ("relu is forgotten", "da1 = dh1 * (a1 > 0)", "da1 = dh1", "below", RELU),
    ("the factor 2 of the decay is missing", '+= 2 * self.reg * self.params["W2"]', '+= self.reg * self.params["W2"]', "W2", FACTOR),
    ("the decay overwrites dW1", '["W1"] += 2 * self.reg', '["W1"] = 2 * self.reg', "W1", OVERWRITTEN),
    ("the one-hot is added", "y] -= 1", "y] += 1", "all", f"{SIGN}|target|one-hot"),
    ("dW1 before relu's mask", "X.T.dot(da1)", "X.T.dot(dh1)", "W1", RELU),
    ("dW2 reads the layer before relu", "h1.T.dot(dscores)", "a1.T.dot(dscores)", "W2", instead("relu|maximum|h1")),
]  # fmt: skip

TIED_LM = [
    ("repeated tokens overwrite, +=", "np.add.at(dE, tokens, dx)", "dE[tokens] += dx", "E", r"repeated|np\.add\.at|twice|duplicate"),
    ("assigned instead of added", "np.add.at(dE, tokens, dx)", "dE[tokens] = dx", "E", OVERWRITTEN),
    ("the use as output layer is forgotten", 'dE = np.einsum("ntv,ntd->vd", dlogits, h)', "dE = np.zeros_like(E)", "E", lacks("h @ E|logits|E.T|output")),
    ("the derivative of tanh is forgotten", "dz = dh * (1 - h**2)", "dz = dh", "all", DERIVATIVE),
    ("db before the activation", "db = dz.sum", "db = dh.sum", "b", DERIVATIVE),
    ("W is not transposed", "dx = dz @ W.T", "dx = dz @ W", "E", TRANSPOSED),
    ("the input is subtracted instead of the target", "dlogits[n, t, targets] -= 1", "dlogits[n, t, tokens] -= 1", "all", "target"),
    ("dW is transposed", '"nti,ntj->ij", x, dz', '"nti,ntj->ji", x, dz', "W", TRANSPOSED),
    ("dz is scattered instead of dx", "np.add.at(dE, tokens, dx)", "np.add.at(dE, tokens, dz)", "E", instead("W")),
]  # fmt: skip

CONV_LOOP = [
    ("the padding is not cut off at the start", "[:, :, pad : pad + H, pad : pad + W]", "[:, :, :H, :W]", "x", "pad|shift"),
    ("the padding is off by one in one axis", "pad : pad + W]", "pad - 1 : pad - 1 + W]", "x", "pad|shift|column|axis"),
    ("the stride is forgotten", "top, left = i * stride, j * stride", "top, left = i, j", "x w", "stride|window|place|index"),
    ("= instead of += for dw", "dw[f] += window", "dw[f] = window", "w", OVERWRITTEN),
    ("overlapping windows overwrite", "left : left + WW] += w[f]", "left : left + WW] = w[f]", "x", f"{OVERWRITTEN}|overlap"),
    ("the kernel is flipped", "+= w[f] * dout", "+= w[f, :, ::-1, ::-1] * dout", "x", FLIPPED),
]  # fmt: skip

CONV_EINSUM = [
    ("the derivative of tanh is forgotten", "dz = dy * (1 - y**2)", "dz = dy", "x w b", DERIVATIVE),
    ("overlapping windows overwrite", "j : j + width] += np", "j : j + width] = np", "x", f"{OVERWRITTEN}|overlap"),
    ("the kernel is flipped", "dz, self.w[:, :, i, j])", "dz, self.w[:, :, -1 - i, -1 - j])", "x", FLIPPED),
    ("the loop over the kernel starts at 1", "range(self.w.shape[2])", "range(1, self.w.shape[2])", "x", None),
    ("db before the activation", '"nfhw->f", dz)', '"nfhw->f", dy)', "b", DERIVATIVE),
    ("dw is averaged over the batch", "dz, windows)", "dz, windows) / len(dz)", "w", FACTOR),
]  # fmt: skip

MAXPOOL = [
    ("the mask is forgotten", "dblocks = mask * dtop", "dblocks = np.ones(mask.shape) * dtop", "x", "max|mask"),
    ("the mask is that of the minimum", "self.blocks == self.top[:, :, :, None, :, None]", "self.blocks == self.blocks.min(axis=(3, 5), keepdims=True)", "x", "max|mask"),
    ("the mask is that of relu", "mask = self.blocks == self.top[:, :, :, None, :, None]", "mask = self.blocks > 0", "x", "max|mask"),
    ("the scale is forgotten", "dtop = dout * self.scale[:, None, None]", "dtop = dout", "x", "scale"),
    ("the maximum is forgotten in dscale", "(dout * self.top).sum(axis", "dout.sum(axis", "scale", lacks("max|top")),
    ("the windows are put together in the wrong order", "return dblocks.reshape", "return dblocks.swapaxes(2, 3).reshape", "x", "order|axes|reshape|axis"),
]  # fmt: skip

SOFTMAX_LAYER = [
    ("the diagonal alone", "np.diagflat(p_n) - np.dot(p_n, p_n.T)", "np.diagflat(p_n * (1 - p_n))", "all", "softmax|diagonal|sum"),
    ("the sign off the diagonal", "np.diagflat(p_n) - np.dot", "np.diagflat(p_n) + np.dot", "all", SIGN),
    ("the path through the sum is forgotten", "np.diagflat(p_n) - np.dot(p_n, p_n.T)", "np.diagflat(p_n)", "all", lacks("sum")),
    ("the temperature is forgotten", "dz = ds / temperature", "dz = ds", "z", "temperature"),
    ("the square of the temperature is forgotten", "/ temperature**2", "/ temperature", "temperature", "temperature"),
    ("the sign of the temperature's gradient", "dtemperature = -np.sum", "dtemperature = np.sum", "temperature", SIGN),
    ("the probabilities instead of the logits", "np.sum(ds * z)", "np.sum(ds * p)", "temperature", instead("z")),
]  # fmt: skip

DROPOUT = [
    ("the mask is forgotten", "dh = dout * mask", "dh = dout", "all", "mask"),
    ("the mask is not scaled", "dh = dout * mask", "dh = dout * (mask > 0)", "all", f"{FACTOR}|keep"),
    ("the dropped ones are kept", "dh = dout * mask", "dh = dout * (mask == 0)", "all", "mask"),
    ("relu's mask from the gradient", "np.where(a > 0, dh, 0)", "np.where(dh > 0, dh, 0)", "all", RELU),
    ("dropout's mask for relu's", "np.where(a > 0, dh, 0)", "np.where(mask > 0, dh, 0)", "all", RELU),
    ("dW before relu's mask", "x.T @ da", "x.T @ dh", "W", RELU),
]  # fmt: skip

RESIDUAL = [
    ("the skip path is forgotten", "return dx + dtotal", "return dx", "x", lacks("x|skip|residual")),
    ("the skip path goes round relu", "return dx + dtotal", "return dx + dout", "x", RELU),
    ("relu is forgotten", "dtotal = dout * (self.total > 0)", "dtotal = dout", "all", RELU),
    ("relu's mask from the gradient", "dout * (self.total > 0)", "dout * (dout > 0)", "all", RELU),
    ("the layers start from dout", "dx = dtotal", "dx = dout", "all", RELU),
    ("the activation is skipped", "for layer in (self.fc2, self.act, self.fc1)", "for layer in (self.fc2, self.fc1)", "x fc1.W fc1.b", DERIVATIVE),
    ("the square is forgotten in tanh'", "dy * (1 - self.out**2)", "dy * (1 - self.out)", "x fc1.W fc1.b", DERIVATIVE),
]  # fmt: skip

FEEDFORWARD = [
    *slips("layernorm", LAYERNORM),
    *slips("batchnorm", BATCHNORM),
    *slips("attention", ATTENTION),
    *slips("mlp_loss", MLP_LOSS, all="X W1 b1 W2 b2", below="X W1 b1"),
    *slips("tied_lm", TIED_LM, all="E W b"),
    *slips("conv_loop", CONV_LOOP),
    *slips("conv_einsum", CONV_EINSUM),
    *slips("maxpool", MAXPOOL),
    *slips("softmax_layer", SOFTMAX_LAYER, all="z temperature"),
    *slips("dropout", DROPOUT, all="x W b"),
    *slips("residual", RESIDUAL, all="x fc1.W fc1.b fc2.W fc2.b"),
]
