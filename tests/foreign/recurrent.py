# ruff: noqa: E501 (one slip per line)
"""The slips in recurrent layers: `old` becomes `new` in the layer's file."""

from __future__ import annotations

from tests.foreign.slip import slips
from tests.foreign.words import (
    DERIVATIVE,
    OVERWRITTEN,
    REVERSED,
    SIGN,
    STEP,
    SWAPPED,
    TRANSPOSED,
    carried,
    instead,
    lacks,
)

__all__ = ["RECURRENT"]

LSTM_STEPS = [
    ("the forget gate's derivative is missing", "da_f = df * f * (1 - f)", "da_f = df", "all", DERIVATIVE),
    ("the derivative of tanh at c instead of tanh(c)", "(1 - tanh_c**2)", "(1 - next_c**2)", "all", DERIVATIVE),
    ("dc_next is dropped", "dc = dnext_c + dnext_h", "dc = dnext_h", "all", carried("c")),
    ("dh_next is dropped", "dh[:, t] + dprev_h", "dh[:, t]", "all", carried("h")),
    ("the blocks of f and o are exchanged", "(da_i, da_f, da_o, da_g)", "(da_i, da_o, da_f, da_g)", "all", SWAPPED),
    ("c is read instead of c_prev", "dc * prev_c", "dc * next_c", "all", instead("prev_c")),
    ("= instead of += for dWh", "dWh += dWh_t", "dWh = dWh_t", "Wh", OVERWRITTEN),
    ("the loop stops one step early", "for t in reversed(range(T)):", "for t in reversed(range(1, T)):", "all", None),
    ("the cache keeps c for c_prev", "return next_h, next_c, (x, prev_h, prev_c,", "return next_h, next_c, (x, prev_h, next_c,", "all", None),
    ("the cache of the step before, which wraps", "dprev_c, caches[t])", "dprev_c, caches[t - 1])", "all", STEP),
]  # fmt: skip

LSTM_CLASS = [
    ("the path of f into h is forgotten", 'dhx = dzf @ p["Wf"].T + dzi', "dhx = dzi", "all", lacks("f")),
    ("h and x are exchanged in the slice", "dh_next = dhx[:, :H]", "dh_next = dhx[:, -H:]", "all", "slice|block|column|concat|part"),
    ("dc is carried without f", 'dc_next = dc * s["f"]', "dc_next = dc", "all", lacks("f")),
    ("the gradients of f and i are exchanged", "(dzf, dzi, dzg, dzo)", "(dzi, dzf, dzg, dzo)", "Wf Wi bf bi", SWAPPED),
    ("tanh of c_prev instead of c", 'tanh_c = np.tanh(s["c"])', 'tanh_c = np.tanh(s["c_prev"])', "all", instead("c")),
    ("a factor of the sigmoid's derivative is forgotten", 's["g"] * s["i"] * (1 - s["i"])', 's["g"] * (1 - s["i"])', "all", DERIVATIVE),
    ("dW reads the cache of the step before", '+= s["hx"].T @ dz', '+= self.cache[t - 1]["hx"].T @ dz', "Wf Wi Wc Wo", STEP),
]  # fmt: skip

PEEPHOLE = [
    ("the peephole of o into c is forgotten", " + dzo * p_o", "", "all", lacks("p_o|peephole")),
    ("dp_o reads c_prev", "dp_o += (dzo * c_t)", "dp_o += (dzo * c_prev)", "p_o", instead("c|c_t|next")),
    ("the peephole of f is not carried", "dzi * p_i + dzf * p_f", "dzi * p_i", "all", lacks("f")),
    ("= instead of += for dp_f", "dp_f += (dzf", "dp_f = (dzf", "p_f", OVERWRITTEN),
    ("c_prev is c[t - 1], which wraps", "c_prev, c_t = c[t], c[t + 1]", "c_prev, c_t = c[t - 1], c[t + 1]", "all", STEP),
    ("dU reads the new state", "dU += h[t].T", "dU += h[t + 1].T", "U", STEP),
    ("db of the first sequence alone", "db += dz.sum(axis=0)", "db += dz[0]", "b", "sum|batch|first|axis"),
]  # fmt: skip

GRU = [
    ("dah is not a copy of dax", "dah = dax.copy()", "dah = dax", "x Wx bx", "copy|same array|alias|modif|overwrit"),
    ("the path through the matrix overwrites the direct one", "dh_next += np.dot(dah, Wh.T)", "dh_next = np.dot(dah, Wh.T)", "all", lacks("z|h|h_prev")),
    ("dr from dn before the activation", "dr = dax[:, 2 * H :] * hn", "dr = dn * hn", "all", DERIVATIVE),
    ("z for r in the reset", "dah[:, 2 * H :] *= r", "dah[:, 2 * H :] *= z", "all", instead("r")),
    ("the derivative of tanh at another argument", "dn * (1 - n**2)", "dn * (1 - hn**2)", "all", DERIVATIVE),
    ("dbh lacks the reset gate", "dbh += dah.sum(0)", "dbh += dax.sum(0)", "bh", instead("r|reset")),
    ("dx is stored one step early", "dx[t] = np.dot", "dx[t - 1] = np.dot", "x", STEP),
]  # fmt: skip

MGU = [
    ("a factor of the inner path is forgotten", "df += dfh * h", "df += dfh", "all", lacks("h")),
    ("the gate's path overwrites the others", "dh_prev += daf @ Uf.T", "dh_prev = daf @ Uf.T", "all", lacks("h|1 - f|f")),
    ("the sign of df", "df = dh * (g - h)", "df = dh * (h - g)", "all", SIGN),
    ("dUh reads h instead of f * h", "(f * h).T @ dag", "h.T @ dag", "Uh", instead("f")),
    ("Uh is not transposed", "dfh = dag @ Uh.T", "dfh = dag @ Uh", "all", TRANSPOSED),
    ("the input's second use is forgotten", "return daf @ Wf.T + dag @ Wh.T, dh_prev", "return daf @ Wf.T, dh_prev", "x", lacks("Wh")),
    ("dout is read forwards", "zip(dout[::-1], tape[::-1]", "zip(dout, tape[::-1]", "all", REVERSED),
]  # fmt: skip

CHAR_RNN = [
    ("dhnext is dropped", "np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)", "below", carried("h")),
    ("the input is subtracted instead of the target", "dy[targets[t]] -= 1", "dy[inputs[t]] -= 1", "all", None),
    ("dWhh reads the new state", "np.dot(dhraw, hs[t - 1].T)", "np.dot(dhraw, hs[t].T)", "Whh", STEP),
    ("the square is forgotten in tanh'", "(1 - hs[t] * hs[t]) * dh", "(1 - hs[t]) * dh", "below", DERIVATIVE),
    ("Whh is not transposed", "dhnext = np.dot(Whh.T, dhraw)", "dhnext = np.dot(Whh, dhraw)", "below", TRANSPOSED),
    ("dh is carried before the activation", "dhnext = np.dot(Whh.T, dhraw)", "dhnext = np.dot(Whh.T, dh)", "below", DERIVATIVE),
    ("= instead of += for dWhy", "dWhy += np.dot", "dWhy = np.dot", "Why", OVERWRITTEN),
    ("dhprev is the gradient of the first new state", "dhprev = dhnext", "dhprev = dh", "hprev", None),
    ("the loop runs forwards", "for t in reversed(range(len(inputs))):", "for t in range(0, len(inputs)):", "below", "order|revers|forward|carr"),
]  # fmt: skip

BIRNN = [
    ("U is not transposed", "carry = da @ U.T", "carry = da @ U", "all", TRANSPOSED),
    ("dh_next is dropped", "da = (dhs[t] + carry) *", "da = dhs[t] *", "all", carried("h")),
    ("the derivative of tanh at the state before", "hs[t + 1] ** 2", "hs[t] ** 2", "all", STEP),
    ("dx of the second direction is left in reverse", "np.array(dx2)[::-1]", "np.array(dx2)", "x", REVERSED),
    ("the second direction's upstream is not reversed", "run_backward(dback[::-1], x", "run_backward(dback, x", "x W2 U2 b2", REVERSED),
    ("the halves are exchanged", "dthere, dback = np.split", "dback, dthere = np.split", "all", "order|exchanged|swapped|half|block|part"),
    ("the states of the other direction", 'cache["back"], W2, U2', 'cache["there"], W2, U2', "x W2 U2 b2", instead("back")),
    ("the steps are collected backwards", "das.insert(0, da)", "das.append(da)", "x W1 U1 W2 U2", REVERSED),
]  # fmt: skip

TIME_LAST_RNN = [
    ("da_prevt is dropped", "da[:, :, t] + da_prevt", "da[:, :, t]", "all", carried("a")),
    ("the derivative of tanh at a_prev", "dtanh = (1 - a_next**2)", "dtanh = (1 - a_prev**2)", "all", DERIVATIVE),
    ("= instead of += for dWaa", 'dWaa += gradients["dWaa"]', 'dWaa = gradients["dWaa"]', "Waa", OVERWRITTEN),
    ("dWaa reads the new state", "np.dot(dtanh, a_prev.T)", "np.dot(dtanh, a_next.T)", "Waa", STEP),
    ("Waa is not transposed", 'np.dot(parameters["Waa"].T, dtanh)', 'np.dot(parameters["Waa"], dtanh)', "all", TRANSPOSED),
    ("the cache of the step before, which wraps", "da_prevt, caches[t])", "da_prevt, caches[t - 1])", "all", STEP),
    ("da_prevt adds up over the steps", 'da_prevt = gradients["da_prev"]', 'da_prevt = da_prevt + gradients["da_prev"]', "all", None),
]  # fmt: skip

TIME_RNN = [
    ("dh is dropped", "layer.backward(dhs[:, t, :] + dh)", "layer.backward(dhs[:, t, :])", "all", carried("h")),
    ("the square is forgotten in tanh'", "(1 - h_next**2)", "(1 - h_next)", "all", DERIVATIVE),
    ("Wh is not transposed", "dh_prev = np.dot(dt, Wh.T)", "dh_prev = np.dot(dt, Wh)", "all", TRANSPOSED),
    ("= instead of += for the gradients", "grads[i] += grad", "grads[i] = grad", "params[0] params[1] params[2]", OVERWRITTEN),
    ("the layer of the first step in every step", "layer = self.layers[t]", "layer = self.layers[0]", "all", STEP),
    ("dWh reads the new state", "np.dot(h_prev.T, dt)", "np.dot(h_next.T, dt)", "params[1]", instead("h_prev")),
    ("db before the activation", "np.sum(dt, axis=0)", "np.sum(dh_next, axis=0)", "params[2]", DERIVATIVE),
]  # fmt: skip

RECURRENT = [
    *slips("lstm_steps", LSTM_STEPS, all="x h0 Wx Wh b"),
    *slips("lstm_class", LSTM_CLASS, all="x h0 c0 Wf Wi Wc Wo bf bi bc bo"),
    *slips("peephole", PEEPHOLE, all="x h0 c0 W U b p_i p_f p_o"),
    *slips("gru", GRU, all="x h0 Wx Wh bx bh"),
    *slips("mgu", MGU, all="x h0 Wf Uf bf Wh Uh bh"),
    *slips("char_rnn", CHAR_RNN, all="hprev Wxh Whh Why bh by", below="hprev Wxh Whh bh"),
    *slips("birnn", BIRNN, all="x W1 U1 b1 W2 U2 b2"),
    *slips("time_rnn", TIME_RNN, all="xs params[0] params[1] params[2]"),
    *slips("time_last_rnn", TIME_LAST_RNN, all="x a0 Wax Waa ba"),
]
