"""The slips: `old` in a function of `right.py` becomes `new`."""

from __future__ import annotations

from tests.mistakes import gated
from tests.mistakes.slip import Slip

__all__ = ["SLIPS"]


def slips(piece, function, wrong, table):
    """Build the slips of one function; a row is name, old, new, words, and wrong and piece if they differ."""
    for name, old, new, words, *rest in table:
        tensors = rest[0] if rest else wrong
        yield Slip(name, rest[1] if len(rest) > 1 else piece, function, old, new, frozenset(tensors.split()), words)


DX, DW, DB = "return dy @ W", "dW[...] = dy.T @ x", "db[...] = dy.sum(axis=0)"
LINEAR = [
    ("dx by W instead of its transpose", DX, "return dy @ W.T", r"`W` belongs in place of `W\.T`|should be transposed", "x", "Linear, square"),
    ("dx twice", DX, "return 2 * dy @ W", "twice what it should be", "x"),
    ("dx through float32", DX, "return (dy @ W).astype(np.float32)", "every element is a float32 number", "x"),
    ("dx cleared in the first row", DX, "return (dy @ W) * (np.arange(len(x)) > 0)[:, None]", r"wrong in x\[0, :\] only \(there it is zero\)", "x"),
    ("dx not written", DX, "return np.zeros_like(x)", "zero everywhere", "x"),
    ("dW transposed", DW, "dW[...] = (dy.T @ x).T", "transposed", "weight", "Linear, square"),
    ("dW averaged over the rows", DW, "dW[...] = dy.T @ x / max(1, len(x))", r"1/5 of what it should be \(5 is the length of axis 0", "weight"),
    ("dW with the wrong sign", DW, "dW[...] = -dy.T @ x", "the sign is wrong", "weight"),
    ("dW from the rows in reverse", DW, "dW[...] = dy[::-1].T @ x", r"order .*reversed|`dy(\.T)?` belongs in place of `dy\[::-1\]", "weight"),
    ("dW clipped inside the layer", DW, "dW[...] = np.clip(dy.T @ x, -1, 1)", r"clipped to \[-1, 1\]", "weight"),
    ("dW reshaped, not transposed", DW, "dW[...] = (x.T @ dy).reshape(dW.shape)", "a reshape where a transpose belongs", "weight"),
    ("dW with the weights' decay in it", DW, "dW[...] = dy.T @ x + 0.1 * W", r"`0\.1 \* W` does not belong", "weight"),
    ("db averaged over the rows", DB, "db[...] = dy.sum(axis=0) / max(1, len(x))", r"1/5 of what it should be \(5 is the length of axis 0", "bias"),
    ("db of the last row only", DB, "db[...] = dy[-1:].sum(axis=0)", "`dy` .*belongs in place of", "bias"),
    ("db without the first row", DB, "db[...] = dy[1:].sum(axis=0)", "`dy` .*belongs in place of", "bias"),
    ("db forgotten", DB, "db[...] = 0", "zero everywhere", "bias"),
    ("db takes the maximum", DB, "db[...] = dy.max(axis=0, initial=-9)", "`dy` summed over axis 0|the sum of `dy` over axis 0", "bias"),
]  # fmt: skip

ADD_AT, EARLY, CLEAR = "np.add.at(dC, tokens, dy)", "each entry comes one place too", "dC[...] = 0\n    "
EMBEDDING = [
    ("repeated tokens overwrite, =", ADD_AT, "dC[tokens] = dy", r"add\.at|repeat"),
    ("repeated tokens overwrite, +=", ADD_AT, "dC[tokens] += dy", r"add\.at|repeat"),
    ("the first of repeated tokens wins", ADD_AT, "dC[tokens[::-1]] = dy[::-1]", r"add\.at|repeat"),
    ("repeated tokens are averaged", ADD_AT, f"{ADD_AT}; dC /= np.maximum(1, np.bincount(tokens, minlength=len(dC)))[:, None]", r"averag|np\.maximum\(1"),
    ("the gradient is not set to zero first", CLEAR, "", "accumulate from call to call", ""),
    ("the first token is skipped", ADD_AT, "np.add.at(dC, tokens[1:], dy[1:])", r"in place of `(dy|tokens)\[1:\]`|the first"),
    ("tokens shifted by one place", ADD_AT, "np.add.at(dC, np.roll(tokens, 1), dy)", "`tokens` .*belongs|roll|shift", "weight", "Embedding, a line"),
    ("tokens one too large", ADD_AT, "np.add.at(dC, (tokens + 1) % len(dC), dy)", r"shifted by \+1 along axis 0"),
    ("time and batch exchanged", ADD_AT, "np.add.at(dC, tokens, dy.reshape(*shape, -1).swapaxes(0, 1).reshape(dy.shape))", "`dy` belongs|transpos|exchang|axes"),
    ("row 0 is taken for padding", ADD_AT, f"{ADD_AT}; dC[0] = 0", r"wrong in weight\[0, :\] only \(there it is zero\)"),
]  # fmt: skip

DIVIDED, ONE_HOT, RESULT = "dloss / np.float64(N)", "p[np.arange(N), targets] -= 1", "return p * "
CROSS_ENTROPY = [
    ("dloss is ignored", DIVIDED, "1 / np.float64(N)", r"the factor `dloss` is missing|derivative of `0\.7 \* .* is missing", "logits", "CrossEntropyLoss, weighted"),
    ("not divided by N", DIVIDED, "np.asarray(dloss)", r"(?<!\d)5 times what it should be \(5 is the length of axis 0 of logits\)"),
    ("divided by N twice", DIVIDED, "dloss / np.float64(N) / N", r"1/5 of what it should be \(5 is the length of axis 0 of logits\)"),
    ("divided by C where N belongs", DIVIDED, "dloss / np.float64(logits.shape[1])", r"5/7 of what it should be \(5 is the length of axis 0 of logits and 7 is the length of axis 1 of logits\)"),
    ("onehot - p", RESULT, "return -p * ", "the sign is wrong"),
    ("the one-hot is not subtracted", ONE_HOT, "pass", "wrong at exactly the entries that targets selects"),
    ("the one-hot is subtracted twice", ONE_HOT, "p[np.arange(N), targets] -= 2", "wrong at exactly the entries that targets selects"),
    ("1 is subtracted where 1/N belongs", ONE_HOT, "p[np.arange(N), targets] -= N", "wrong at exactly the entries that targets selects"),
    ("the target's entry alone", RESULT, "return p * (p < 0) * ", r"`p` belongs in place of `p \* \(p < 0\)`"),
    ("p (1 - p), the softmax's diagonal", ONE_HOT, "p *= 1 - p", "off-diagonal|one-hot"),
    ("the gradient is left at its absolute value", RESULT, "return np.abs(p) * np.abs(np.asarray(dloss)) / dloss * ", "absolute value"),
]  # fmt: skip

EVERY = "x h_0 weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"
ADD, SLOPE, CARRY, DWHH = (
    "dh = dh + doutput[t]",
    "(1 - h[t + 1] ** 2)",
    "dh = dz[t] @ W_hh",
    "dW_hh[...] = rows(dz).T @ rows(h[:-1])",
)
RECUR = [
    ("dh_next is not added", ADD, "dh = doutput[t]", "`dh` has accumulated before|path through `dh`", EVERY),
    ("dh_next is added at the last step only", ADD, "dh = doutput[t] + dh * (t == T - 1)", r"`dh` belongs in place of `dh \* \(t == T - 1\)`", EVERY),
    ("doutput is not added", ADD, "pass", "does not depend on the upstream gradient doutput,", EVERY),
    ("doutput at the last step only", ADD, "dh = dh + doutput[t] * (t == T - 1)", r"`doutput\[t\]` belongs in place of `doutput\[t\] \* \(t == T - 1\)`", EVERY),
    ("doutput is added twice", ADD, "dh = dh + 2 * doutput[t]", r"`doutput\[t\]` belongs in place of `2 \* doutput\[t\]`|factor 1/2 is missing|`2` does not belong", EVERY),
    ("dh_next is subtracted", ADD, "dh = doutput[t] - dh", r"`\+` belongs in place of `-`", EVERY),
    ("dh_next is added twice", ADD, "dh = 2 * dh + doutput[t]", r"`dh` belongs in place of `2 \* dh`|factor 1/2 is missing|`2` does not belong", EVERY),
    ("dh_n is added at every step", ADD, "dh = dh + doutput[t] + dh_n * (t < T - 1)", r"`dh_n \* \(t < T - 1\)` does not belong", EVERY),
    ("dh is set to zero half way", ADD, "dh = doutput[t] + dh * (t != (T - 1) // 2)", r"`dh` belongs in place of `dh \* \(t != ", EVERY),
    ("the loop over time runs forwards", "reversed(range(T))", "range(T)", "revers|runs forwards", EVERY),
    ("tanh' is missing", SLOPE, "1", r"derivative of `nonlinear\(z_t, h_t\)`.* is missing", EVERY),
    ("tanh' is applied twice", SLOPE, "(1 - h[t + 1] ** 2) ** 2", r"derivative of `nonlinear\(z_t, h_t\)`.* (belongs in place of|is there twice)|`2` does not belong", EVERY),
    ("tanh' at the pre-activation, 1 - z^2", SLOPE, "(1 - np.arctanh(h[t + 1]) ** 2)", r"derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("tanh' of h", SLOPE, "(1 - np.tanh(h[t + 1]) ** 2)", r"derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("1 - h", SLOPE, "(1 - h[t + 1])", r"derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("1 + h^2", SLOPE, "(1 + h[t + 1] ** 2)", r"`-` belongs in place of `\+`|sign of `h\[t \+ 1\] \*\* 2`|derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("the sigmoid's h (1 - h)", SLOPE, "h[t + 1] * (1 - h[t + 1])", r"derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("tanh' at the step before", SLOPE, "(1 - h[t] ** 2)", r"derivative of `nonlinear\(z_t, h_t\)`.* belongs in place of", EVERY),
    ("tanh' is missing on the way back", CARRY, "dh = dh @ W_hh", r"derivative of `nonlinear\(z_t, h_t\)`.* is missing|`dz\[t\]` belongs in place of `dh`", EVERY),
    ("W_hh.T on the way back", CARRY, "dh = dz[t] @ W_hh.T", r"`W_hh` belongs in place of `W_hh\.T`|should be transposed", EVERY),
    ("W_hh is forgotten on the way back", CARRY, "dh = dz[t]", r"W_hh\b.* (is missing|belongs)", EVERY),
    ("dW_hh with h_t", DWHH, "dW_hh[...] = rows(dz).T @ rows(h[1:])", r"h\[:-1\]|h_previous|step before|shift"),
    ("dW_hh transposed", DWHH, "dW_hh[...] = rows(h[:-1]).T @ rows(dz)", "transposed"),
    ("dW_hh without the first step", DWHH, "dW_hh[...] = rows(dz[1:]).T @ rows(h[1:-1])", r"h\[:-1\]|first step|t = 1\b"),
    ("dW_hh of the last step only", DWHH, "dW_hh[...] = dz[-1].T @ h[-2]", "only the last|`dz` summed"),
    ("dW_hh divided by T", DWHH, f"{DWHH} / T", r"1/5 of what it should be \(5 is the length of axis 0"),
]  # fmt: skip

DWIH, DBIH, DBHH = "dW_ih[...] = dz.T @ x", "db_ih[...] = dz.sum(axis=0)", "db_hh[...] = dz.sum(axis=0)"
PROJECT = [
    ("dx by W_ih.T", "return dz @ W_ih", "return dz @ W_ih.T", r"`W_ih` belongs in place of `W_ih\.T`|should be transposed", "x", "RNN, square"),
    ("dW_ih divided by N", DWIH, f"{DWIH} / max(1, len(dz))", r"1/10 of what it should be \(10 is the length of axes 0 to 1", "weight_ih_l0"),
    ("dW_ih reshaped, not transposed", DWIH, "dW_ih[...] = (x.T @ dz).reshape(dW_ih.shape)", "a reshape where a transpose belongs", "weight_ih_l0"),
    ("db averaged over N", f"{DBIH}\n    {DBHH}", "db_ih[...] = db_hh[...] = dz.sum(axis=0) / max(1, len(dz))", r"1/10 of what it should be \(10 is the length of axes 0 to 1", "bias_ih_l0 bias_hh_l0"),
    ("db_hh forgotten", DBHH, "db_hh[...] = 0", "zero everywhere", "bias_hh_l0"),
]  # fmt: skip

RETURN, UPSTREAM = "return dx, dh_0[None]", "doutput, dh_n[0],"
RNN = [
    ("dh_n is ignored", UPSTREAM, "doutput, 0 * dh_n[0],", "does not depend on the upstream gradient dh_n,", EVERY),
    ("dh_n is counted twice", UPSTREAM, "doutput, 2 * dh_n[0],", r"factor 1/2 is missing|`dh_n\[0\]` belongs in place of `2 \* dh_n\[0\]`", EVERY),
    ("ones for doutput", UPSTREAM, "np.ones_like(doutput), dh_n[0],", "does not depend on the upstream gradient doutput,", EVERY),
    ("db_ih of the last step only", RETURN, f"db_ih[...] = dz[-1].sum(axis=0); {RETURN}", r"`(dz` summed over axis 0 and 1|db_ih`) belongs in place of `dz\[-1\]", "bias_ih_l0"),
    ("db_ih not summed over the batch", RETURN, f"db_ih[...] = dz[:, :1].sum(axis=(0, 1)); {RETURN}", r"`dz`( summed over axis 0 and 1)? belongs in place of `dz\[:, :1\]", "bias_ih_l0"),
    ("dh_0 is dz_1", RETURN, "return dx, dz[:1]", r"`dh_0(\[None\])?` belongs|it is dL/d\(", "h_0"),
    ("dh_0 is not returned", RETURN, "return dx, np.zeros_like(dh_n)", "zero everywhere", "h_0"),
    ("dx one step late", RETURN, "return np.roll(dx, 1, axis=0), dh_0[None]", r"shifted by \+1 along axis 0", "x"),
    ("dx backwards in time", RETURN, "return np.flip(dx, axis=0), dh_0[None]", "it runs backwards along axis 0", "x"),
    ("dx with time and batch exchanged", RETURN, "return dx.swapaxes(0, 1).reshape(dx.shape), dh_0[None]", "a reshape where a transpose belongs", "x"),
    ("doutput is overwritten", RETURN, f"doutput[...] = dz; {RETURN}", "backward modifies the upstream gradient doutput", ""),
    ("the output is overwritten", RETURN, f"output[...] = 0; {RETURN}", "backward modifies what forward returned, output", ""),
    ("dh_0 grows with every call", RETURN, "memory['calls'] = memory.get('calls', 0) + 1; return dx, dh_0[None] * memory['calls']", "depends on an earlier call", ""),
]  # fmt: skip

CHAR_RNN = [
    ("repeated characters overwrite", "np.add.at(dprojected, tokens.ravel(), rows(dz))", "dprojected[tokens.ravel()] = rows(dz)", r"add\.at|repeat", "embedding.weight rnn.weight_ih_l0 rnn.bias_ih_l0 rnn.bias_hh_l0"),
    ("the output layer's gradient is lost", "dh.reshape(", "0 * dh.reshape(", "does not depend on the upstream gradient dlogits,", "h_0 embedding.weight rnn.weight_ih_l0 rnn.weight_hh_l0 rnn.bias_ih_l0 rnn.bias_hh_l0"),
]  # fmt: skip

START, M, V, ROOT = (
    "if maximize:",
    "m += (1 - beta1) * g",
    "v += (1 - beta2) * g * g",
    "root = np.sqrt(v) / math.sqrt(1 - beta2**k) + eps",
)
STEP, DECAY, DECOUPLED = "p -= size * m / root", "g = g + weight_decay * p", "p *= 1 - lr * weight_decay"
MAXIMUM, SIZE = "v = np.maximum(v, v_max, out=v_max)", "lr / (1 - beta1**k)"
ADAM = [
    ("no bias correction of exp_avg", SIZE, "lr"),
    ("no bias correction of exp_avg_sq", " / math.sqrt(1 - beta2**k)", ""),
    ("the step of exp_avg's correction off by one", "beta1**k", "beta1 ** (k + 1)"),
    ("the step of exp_avg_sq's correction off by one", "beta2**k", "beta2 ** (k + 1)"),
    ("the step stays at one", START, f"k = 1\n    {START}"),
    ("eps inside the root", ROOT, "root = np.sqrt(v + eps) / math.sqrt(1 - beta2**k)"),
    ("eps scaled like the root it is not in", ROOT, "root = (np.sqrt(v) + eps) / math.sqrt(1 - beta2**k)"),
    ("no root", "np.sqrt(v)", "v"),
    ("beta1 and beta2 exchanged", START, f"beta1, beta2 = beta2, beta1\n    {START}"),
    ("exp_avg without 1 - beta1", M, "m += g"),
    ("exp_avg_sq without 1 - beta2", V, "v += g * g"),
    ("exp_avg_sq of |g|", V, "v += (1 - beta2) * np.abs(g)"),
    ("exp_avg forgets", "m *= beta1", "m *= 0"),
    ("exp_avg_sq decays by beta1", "v *= beta2", "v *= beta1"),
    ("climbs instead of descending", STEP, "p += size * m / root"),
    ("the learning rate twice", STEP, "p -= lr * size * m / root"),
    ("the gradient in place of its average", STEP, "p -= size * g / root"),
    ("only the first block is updated", STEP, "p[:32768] -= (size * m / root)[:32768]"),
    ("weight decay before the maximize sign", DECAY, "g = g + (-weight_decay if maximize else weight_decay) * p"),
    ("weight decay with the wrong sign", DECAY, "g = g - weight_decay * p"),
    ("weight decay forgotten", "elif weight_decay:", "elif False:"),
    ("decoupled decay without lr", DECOUPLED, "p *= 1 - weight_decay"),
    ("decoupled decay with the corrected lr", DECOUPLED, "p *= 1 - lr * math.sqrt(1 - beta2**k) / (1 - beta1**k) * weight_decay"),
    ("both kinds of decay at once", "elif weight_decay:", "if weight_decay:"),
    ("maximize forgotten", START, "if False:"),
    ("amsgrad's maximum forgets", MAXIMUM, "v = np.maximum(v, v_max)"),
    ("amsgrad's maximum is taken after its use", MAXIMUM, "v, v_max[...] = v_max.copy(), np.maximum(v, v_max)"),
    ("amsgrad forgotten", "if v_max is not None:", "if False:"),
]  # fmt: skip

TEST, SCALE, NORM, TIMES = (
    "if not scale >= 1:",
    "max_norm / (norm + 1e-6)",
    "float(np.linalg.norm(vector, p))",
    "g *= scale",
)
CLIPPING = [
    ("small gradients are scaled up", TEST, "if True:"),
    ("clips when it should not", TEST, "if scale >= 1:"),
    ("the root is forgotten", NORM, "float(np.linalg.norm(vector, p)) ** p"),
    ("the largest element for the norm", NORM, "float(np.abs(vector).max())"),
    ("the Euclidean norm whatever was asked for", NORM, "float(np.linalg.norm(vector))"),
    ("no small number beside the norm", SCALE, "max_norm / norm if norm else math.inf"),
    ("the norm of each tensor by itself", TIMES, "g *= min(1, max_norm / (float(np.linalg.norm(g)) + 1e-6))"),
    ("clips by value", TIMES, "np.clip(g, -max_norm, max_norm, g)"),
    ("the norm after clipping is returned", "return norm", "return float(np.linalg.norm(np.concatenate([g.ravel() for g in grads])))"),
    ("divided by the norm without max_norm", SCALE, "1 / (norm + 1e-6)"),
]  # fmt: skip

SLIPS = [
    *slips("Linear", "linear", "", LINEAR),
    *slips("Embedding", "embedding", "weight", EMBEDDING),
    *slips("CrossEntropyLoss", "cross_entropy", "logits", CROSS_ENTROPY),
    *slips("RNN", "recurrence", "weight_hh_l0", RECUR),
    *slips("RNN", "projection", "", PROJECT),
    *slips("RNN", "rnn", "", RNN),
    *slips("LSTM", "lstm", "", gated.LSTM),
    *slips("GRU", "gru", "", gated.GRU),
    *slips("CharRNN", "char_rnn", "", CHAR_RNN),
    *[Slip(name, "Adam", "adam", old, new) for name, old, new in ADAM],
    *[Slip(name, "clipping", "clipping", old, new) for name, old, new in CLIPPING],
]
