"""The slips. `old` is a line, or a piece of one, of our own source; what is changed is named by the slip's name."""

from __future__ import annotations

from tests.mistakes.slip import Slip

__all__ = ["SLIPS"]


def slips(piece, function, wrong, rows):
    """Build the slips of one function; a row is name, old, new, words, and where they differ, wrong and piece."""
    for name, old, new, words, *rest in rows:
        tensors = rest[0] if rest else wrong
        yield Slip(name, rest[1] if len(rest) > 1 else piece, function, old, new, frozenset(tensors.split()), words)


DX, DW, DB = (
    "tape.dy.dot(self.weight.data, tape.dx)",
    "tape.dy.T.dot(tape.x, self.weight.grad)",
    "tape.ones.dot(tape.dy, self.bias.grad)",
)
LINEAR = [
    ("dx by W instead of its transpose", DX, "tape.dy.dot(self.weight.data.T, tape.dx)", "transpose belongs", "x", "Linear, square"),
    ("dx twice", DX, f"{DX}; tape.dx *= 2", "twice what it should be", "x"),
    ("dx through float32", DX, f"{DX}; tape.dx[...] = tape.dx.astype(np.float32)", "right but for rounding", "x"),
    ("dx cleared in the first row", DX, f"{DX}; tape.dx[:1] = 0", "the first row of dy is left out", "x"),
    ("dx not written", DX, "tape.dx.fill(0)", "zero everywhere", "x"),
    ("dW transposed", DW, f"{DW}; self.weight.grad = self.weight.grad.T.copy()", "transposed", "weight", "Linear, square"),
    ("dW averaged over the rows", DW, f"{DW}; self.weight.grad /= max(1, len(tape.x))", "1/6 of what it should be", "weight"),
    ("dW with the wrong sign", DW, f"{DW}; self.weight.grad *= -1", "the sign is wrong", "weight"),
    ("dW from the rows in reverse", DW, "tape.dy[::-1].T.dot(tape.x, self.weight.grad)", "read backwards", "weight"),
    ("dW clipped inside the layer", DW, f"{DW}; np.clip(self.weight.grad, -1, 1, self.weight.grad)", "clipped to [-1, 1]", "weight"),
    ("dW reshaped, not transposed", DW, "self.weight.grad = tape.x.T.dot(tape.dy).reshape(self.weight.grad.shape)", "a reshape where a transpose belongs", "weight"),
    ("dW with the weights' decay in it", DW, f"{DW}; self.weight.grad += 0.1 * self.weight.data", None, "weight"),
    ("db averaged over the rows", DB, f"{DB}; self.bias.grad /= max(1, len(tape.x))", "1/6 of what it should be", "bias"),
    ("db of the last row only", DB, "self.bias.grad = sum(tape.dy[-1:])", "only the last row of dy counts", "bias"),
    ("db without the first row", DB, "tape.ones[1:].dot(tape.dy[1:], self.bias.grad)", "the first row of dy is left out", "bias"),
    ("db forgotten", DB, "pass", "zero everywhere", "bias"),
    ("db takes the maximum", DB, "np.maximum.reduce(tape.dy, axis=0, initial=-9, out=self.bias.grad)", None, "bias"),
]  # fmt: skip

SCATTER = "tape.scatter.add(tape.tokens, tape.dy, self.weight.grad, tape.ordered_dy)"
EMBEDDING = [
    ("repeated tokens overwrite, =", SCATTER, "self.weight.grad = 0; self.weight.grad[tape.tokens] = tape.dy", "only the last one counts"),
    ("repeated tokens overwrite, +=", SCATTER, "self.weight.grad = 0; self.weight.grad[tape.tokens] += tape.dy", "only the last one counts"),
    ("the first of repeated tokens wins", SCATTER, "self.weight.grad = 0; self.weight.grad[tape.tokens[::-1]] = tape.dy[::-1]", "only the first one counts"),
    ("repeated tokens are averaged", SCATTER, f"{SCATTER}; self.weight.grad /= np.maximum(1, np.bincount(tape.tokens, minlength=len(self.weight.grad)))[:, None]", "averaged over its occurrences"),
    ("the gradient is not set to zero first", SCATTER, "np.add.at(self.weight.grad, tape.tokens, tape.dy)", "add up from call to call", ""),
    ("the first token is skipped", SCATTER, "self.weight.grad = 0; np.add.at(self.weight.grad, tape.tokens[1:], tape.dy[1:])", "the contribution of the first row of the output is missing"),
    ("tokens shifted by one place", SCATTER, "self.weight.grad = 0; np.add.at(self.weight.grad, np.roll(tape.tokens, 1), tape.dy)", "too early", "weight", "Embedding, a line"),
    ("tokens one too large", SCATTER, f"{SCATTER}; self.weight.grad = np.roll(self.weight.grad, 1, axis=0)", "shifted along axis 0"),
    ("time and batch exchanged", SCATTER, "self.weight.grad = 0; np.add.at(self.weight.grad, tape.tokens, tape.dy.reshape(*tape.shape, -1).swapaxes(0, 1).reshape(tape.dy.shape))", "axes 0 and 1 exchanged"),
    ("row 0 is taken for padding", SCATTER, f"{SCATTER}; self.weight.grad[0] = 0", "wrong at the first index of axis 0 only, right at all others (there it is zero)"),
]  # fmt: skip

# After backward_on, dlogits holds the right gradient; N rows, C classes.
LOSS = "self.backward_on(tape)"
TARGETS, N = "tape.dlogits.reshape(-1)[tape.flat_targets]", "max(1, len(tape.dlogits))"
CROSS_ENTROPY = [
    ("dloss is ignored", "tape.dloss = self._check_dloss(dloss, tape)", "tape.dloss = 1.0", "upstream gradient"),
    ("not divided by N", LOSS, f"{LOSS}; tape.dlogits *= {N}", "6 times what it should be"),
    ("divided by N twice", LOSS, f"{LOSS}; tape.dlogits /= {N}", "1/6 of what it should be"),
    ("divided by C where N belongs", LOSS, f"{LOSS}; tape.dlogits *= {N} / tape.dlogits.shape[1]", "6/7 of what it should be"),
    ("onehot - p", LOSS, f"{LOSS}; tape.dlogits *= -1", "the sign is wrong"),
    ("the one-hot is not subtracted", LOSS, f"{LOSS}; {TARGETS} += 1 / {N}", "wrong at exactly the entries that targets picks out"),
    ("the one-hot is subtracted twice", LOSS, f"{LOSS}; {TARGETS} -= 1 / {N}", "wrong at exactly the entries that targets picks out"),
    ("1 is subtracted where 1/N belongs", LOSS, f"{LOSS}; {TARGETS} -= 1 - 1 / {N}", "it is too large by -0.833333 in each"),
    ("the target's entry alone", LOSS, f"{LOSS}; kept = {TARGETS}.copy(); tape.dlogits.fill(0); {TARGETS} = kept", None),
    ("p (1 - p), the softmax's diagonal", LOSS, f"{LOSS}; {TARGETS} += 1 / {N}; tape.dlogits *= 1 - tape.dlogits * {N}", None),
    ("the gradient is left at its absolute value", LOSS, f"{LOSS}; np.abs(tape.dlogits, tape.dlogits)", "absolute value"),
]  # fmt: skip

EVERY = "x h_0 weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"
ADD, SLOPE, CARRY = "add(dh, doutput_t, dh)", "multiply(dh, slope_t, dz_t)", "dz_t.dot(W_hh, dh)"
LAST = "doutput_t is tape.backward_steps[0][1]"
DWHH = "tape.dz_rows.T.dot(tape.h_previous_rows, self.weight_hh.grad)"
SQUARE, LOOP = "np.multiply(h, h, slope)", "in tape.backward_steps:"
RECUR = [
    ("dh_next is not added", ADD, "dh[...] = doutput_t", "missing dh_next", EVERY),
    ("dh_next is added at the last step only", ADD, f"dh[...] = doutput_t + dh * ({LAST})", "missing dh_next", EVERY),
    ("doutput is not added", ADD, "pass", "the upstream gradient doutput is ignored", EVERY),
    ("doutput at the last step only", ADD, f"add(dh, doutput_t * ({LAST}), dh)", "only the last time step of doutput counts", EVERY),
    ("doutput is added twice", ADD, "add(dh, 2 * doutput_t, dh)", "the upstream gradient doutput is counted twice", EVERY),
    ("dh_next is subtracted", ADD, "np.subtract(doutput_t, dh, dh)", "subtracted, not added", EVERY),
    ("dh_next is added twice", ADD, "dh *= 2; add(dh, doutput_t, dh)", "counted twice", EVERY),
    ("dh_n is added at every step", ADD, f"dh_n = dh.copy() if {LAST} else dh_n; dh += doutput_t + (0 if {LAST} else dh_n)", "added at every step", EVERY),
    ("dh is set to zero half way", ADD, f"half = tape.backward_steps[len(tape.backward_steps) // 2][1]; dh *= doutput_t is not half or {LAST}; add(dh, doutput_t, dh)", "never reaches step 3 and those before it", EVERY),
    ("the loop over time runs forwards", LOOP, "in tape.backward_steps[::-1]:", "the loop over time runs forwards", EVERY),
    ("tanh' is missing", SLOPE, "dz_t[...] = dh", "the derivative of tanh, 1 - h^2, is missing", EVERY),
    ("tanh' is applied twice", SLOPE, f"{SLOPE}; dz_t *= slope_t", "applied twice", EVERY),
    ("tanh' at the pre-activation, 1 - z^2", SQUARE, "np.multiply(slope, slope, slope)", "wrong point: 1 - z^2", EVERY),
    ("tanh' of h", SQUARE, "np.tanh(h, slope); slope *= slope", "tanh' of h", EVERY),
    ("1 - h", SQUARE, "slope[...] = h", "the square is missing", EVERY),
    ("1 + h^2", SQUARE, "np.multiply(-h, h, slope)", "not 1 + h^2", EVERY),
    ("the sigmoid's h (1 - h)", SQUARE, "slope[...] = 1 - h * (1 - h)", "the derivative of the sigmoid", EVERY),
    ("tanh' at the step before", SQUARE, "np.multiply(tape.h_previous_rows, tape.h_previous_rows, slope)", "taken at the wrong step", EVERY),
    ("tanh' is missing on the way back", CARRY, "dh.copy().dot(W_hh, dh)", "on the way to the step before, the derivative of tanh, 1 - h^2, is missing", EVERY),
    ("W_hh.T on the way back", CARRY, "dz_t.dot(W_hh.T, dh)", "the recurrent weight is transposed", EVERY),
    ("W_hh is forgotten on the way back", CARRY, "dh[...] = dz_t", None, EVERY),
    ("dW_hh with h_t", DWHH, "tape.dz_rows.T.dot(tape.h_rows, self.weight_hh.grad)", "paired with h_t where h_(t-1) belongs"),
    ("dW_hh transposed", DWHH, "tape.h_previous_rows.T.dot(tape.dz_rows, self.weight_hh.grad)", "transposed"),
    ("dW_hh without the first step", DWHH, "B = len(tape.dh); tape.dz_rows[B:].T.dot(tape.h_previous_rows[B:], self.weight_hh.grad)", "the contribution of the first step is missing"),
    ("dW_hh of the last step only", DWHH, "B = len(tape.dh); N = len(tape.dz_rows) - B; tape.dz_rows[N:].T.dot(tape.h_previous_rows[N:], self.weight_hh.grad)", "only the last step counts"),
    ("dW_hh divided by T", DWHH, f"{DWHH}; self.weight_hh.grad /= len(tape.z)", "1/6 of what it should be"),
]  # fmt: skip

DWIH, DBIH = "dz.T.dot(x, self.weight_ih.grad)", "np.add.reduce(dz, axis=0, out=self.bias_ih.grad)"
PROJECT = [
    ("dx by W_ih.T", "dz.dot(self.weight_ih.data, dx)", "dz.dot(self.weight_ih.data.T, dx)", "transpose belongs", "x", "RNN, square"),
    ("dW_ih divided by N", DWIH, f"{DWIH}; self.weight_ih.grad /= max(1, len(dz))", "1/12 of what it should be", "weight_ih_l0"),
    ("dW_ih reshaped, not transposed", DWIH, "self.weight_ih.grad = x.T.dot(dz).reshape(self.weight_ih.grad.shape)", "a reshape where a transpose belongs", "weight_ih_l0"),
    ("db averaged over N", DBIH, "np.add.reduce(dz / max(1, len(dz)), axis=0, out=self.bias_ih.grad)", "1/12 of what it should be", "bias_ih_l0 bias_hh_l0"),
    ("db_hh forgotten", "self.bias_hh.grad[...] = self.bias_ih.grad", "pass", "zero everywhere", "bias_hh_l0"),
]  # fmt: skip

DX_RNN, BACK = "tape.layout.leave(tape.join_dx(0).reshape(*tape.shape, self.input_size))", "self.backward_on(tape)"
DH_N, DH_0 = "tape.dh[...] = 0 if dh_n is None else dh_n", "tape.layout.leave_state(tape.dh)"
DOUTPUT = "tape.set_doutput(tape.layout.enter(doutput))"
RNN = [
    ("dh_n is ignored", DH_N, "tape.dh[...] = 0", "the upstream gradient dh_n is ignored", EVERY),
    ("dh_n is counted twice", DH_N, "tape.dh[...] = 0 if dh_n is None else 2 * dh_n", "dh_n is counted twice", EVERY),
    ("ones for doutput", DOUTPUT, "tape.set_doutput(np.ones_like(tape.layout.enter(doutput)))", "doutput is taken as ones", EVERY),
    ("db_ih of the last step only", BACK, f"{BACK}; self.bias_ih_l0.grad = tape.recurrences[0].dz[-1].sum(axis=0)", "only the last step counts", "bias_ih_l0"),
    ("db_ih not summed over the batch", BACK, f"{BACK}; self.bias_ih_l0.grad = tape.recurrences[0].dz[:, :1].sum(axis=(0, 1))", "only the first index of axis 1", "bias_ih_l0"),
    ("dh_0 is dz_1", DH_0, "tape.layout.leave_state(tape.recurrences[0].dz[:1])", "this is dz_1", "h_0"),
    ("dh_0 is not returned", DH_0, "np.zeros_like(tape.dh)", "zero everywhere", "h_0"),
    ("dx one step late", DX_RNN, f"np.roll({DX_RNN}, 1, axis=0)", "shifted along axis 0: each entry comes one place too late", "x"),
    ("dx backwards in time", DX_RNN, f"np.flip({DX_RNN}, axis=0)", "it runs backwards along axis 0", "x"),
    ("dx with time and batch exchanged", DX_RNN, f"{DX_RNN}.swapaxes(0, 1).reshape(*tape.shape, -1)", "a reshape where a transpose belongs", "x"),
    ("doutput is overwritten", DOUTPUT, "tape.set_doutput(doutput, dz=doutput)", "backward changes the upstream gradient doutput", ""),
    ("the output is overwritten", BACK, f"{BACK}; tape.outputs[-1][...] = 0", "backward changes what forward returned, output", ""),
    ("the slopes are overwritten", BACK, f"{BACK}; self.W = getattr(self, 'W', 0) + 1; tape.dh *= self.W", "depends on what was computed before", ""),
]  # fmt: skip

CHAR_SCATTER = "tape.scatter.add(tape.tokens, t.dz_rows, tape.dprojected, t.z_rows)"
CHAR_RNN = [
    ("repeated characters overwrite", CHAR_SCATTER, "tape.dprojected.fill(0); tape.dprojected[tape.tokens] = t.dz_rows", None, "embedding.weight rnn.weight_ih_l0 rnn.bias_ih_l0 rnn.bias_hh_l0"),
    ("the output layer's gradient is lost", "self.rnn.backward_recur(tape.rnn)", "tape.fc.dx.fill(0); self.rnn.backward_recur(tape.rnn)", "the upstream gradient dlogits is ignored", "h_0 embedding.weight rnn.weight_ih_l0 rnn.weight_hh_l0 rnn.bias_ih_l0 rnn.bias_hh_l0"),
]  # fmt: skip

M, V, ROOT = (
    "m += np.multiply(g, 1 - beta1, s)",
    "v += np.multiply(s, 1 - beta2, s)",
    "np.sqrt(v, s)\n            s += eps",
)
STEP = "p -= np.multiply(s, step_size, s)"
DECAY = "g = np.add(g, np.multiply(p, self.weight_decay, s), self._g[: p.size])"
DECOUPLED = "p *= 1 - self.lr * self.weight_decay"
MAXIMUM = "v = np.maximum(v, self.max_exp_avg_sq[block], out=self.max_exp_avg_sq[block])"
ADAM = [
    ("no bias correction of exp_avg", "self.lr * r / (1 - beta1**self.step_count)", "self.lr * r"),
    ("no bias correction of exp_avg_sq", "r = math.sqrt(1 - beta2**self.step_count)", "r = 1.0"),
    ("the step of exp_avg's correction off by one", "beta1**self.step_count", "beta1 ** (self.step_count + 1)"),
    ("the step of exp_avg_sq's correction off by one", "beta2**self.step_count", "beta2 ** (self.step_count + 1)"),
    ("the step stays at one", "self.step_count += 1", "self.step_count = 1"),
    ("eps inside the root", ROOT, "np.sqrt(v + eps, s)"),
    ("eps scaled like the root it is not in", "self.eps * r", "self.eps"),
    ("no root", ROOT, "np.copyto(s, v)\n            s += eps"),
    ("beta1 and beta2 exchanged", "beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),
    ("exp_avg without 1 - beta1", M, "m += g"),
    ("exp_avg_sq without 1 - beta2", V, "v += s"),
    ("exp_avg_sq of |g|", "np.multiply(g, g, s)", "np.abs(g, s)"),
    ("exp_avg forgets", "m *= beta1", "m *= 0"),
    ("exp_avg_sq decays by beta1", "v *= beta2", "v *= beta1"),
    ("climbs instead of descending", STEP, "p += np.multiply(s, step_size, s)"),
    ("the learning rate twice", STEP, "p -= np.multiply(s, self.lr * step_size, s)"),
    ("the gradient in place of its average", "np.divide(m, s, s)", "np.divide(g, s, s)"),
    ("only the first block is updated", "range(0, data.size, _BLOCK)", "range(0, min(data.size, _BLOCK), _BLOCK)"),
    ("weight decay before the maximize sign", DECAY, "g = np.add(g, np.multiply(p, -self.weight_decay if self.maximize else self.weight_decay, s), self._g[: p.size])"),
    ("weight decay with the wrong sign", DECAY, "g = np.subtract(g, np.multiply(p, self.weight_decay, s), self._g[: p.size])"),
    ("weight decay forgotten", "elif self.weight_decay:", "elif False:"),
    ("decoupled decay without lr", DECOUPLED, "p *= 1 - self.weight_decay"),
    ("decoupled decay with the corrected lr", DECOUPLED, "p *= 1 - step_size * self.weight_decay"),
    ("both kinds of decay at once", "elif self.weight_decay:", "if self.weight_decay:"),
    ("maximize forgotten", "if self.maximize:", "if False:"),
    ("amsgrad's maximum forgets", MAXIMUM, "v = np.maximum(v, self.max_exp_avg_sq[block])"),
    ("amsgrad's maximum is taken after its use", MAXIMUM, "v, self.max_exp_avg_sq[block] = self.max_exp_avg_sq[block].copy(), np.maximum(v, self.max_exp_avg_sq[block])"),
    ("amsgrad forgotten", "if self.max_exp_avg_sq is not None:", "if False:"),
]  # fmt: skip

SCALE, NORM = "scale = max_norm / (norm + 1e-6)", "norm = _norm(grad, p)"
CLIPPING = [
    ("small gradients are scaled up", "if not scale >= 1:", "if True:"),
    ("clips when it should not", "if not scale >= 1:", "if scale >= 1:"),
    ("the root is forgotten", NORM, "norm = _norm(grad, p) ** p"),
    ("the largest element for the norm", NORM, "norm = float(np.abs(grad).max())"),
    ("the Euclidean norm whatever was asked for", NORM, "norm = _norm(grad, 2)"),
    ("no small number beside the norm", SCALE, "scale = max_norm / norm if norm else math.inf"),
    ("the norm of each tensor by itself", "grad *= scale", "[p.grad.__imul__(min(1, max_norm / (float(np.linalg.norm(p.grad)) + 1e-6))) for p in parameters.values()]"),
    ("clips by value", "grad *= scale", "np.clip(grad, -max_norm, max_norm, grad)"),
    ("the norm after clipping is returned", "return norm", "return float(np.linalg.norm(grad))"),
    ("divided by the norm without max_norm", SCALE, "scale = 1 / (norm + 1e-6)"),
]  # fmt: skip

_RECURRENCE = "layers.recurrence.Recurrence"
SLIPS = [
    *slips("Linear", "Linear.backward_on", "", LINEAR),
    *slips("Embedding", "Embedding.backward_on", "weight", EMBEDDING),
    *slips("CrossEntropyLoss", "CrossEntropyLoss.backward", "logits", CROSS_ENTROPY),
    *slips("RNN", f"{_RECURRENCE}.backward_recur", "weight_hh_l0", RECUR),
    *slips("RNN", f"{_RECURRENCE}.backward_project", "", PROJECT),
    *slips("RNN", "RNN.backward", "", RNN),
    *slips("CharRNN", "CharRNN.backward_on", "", CHAR_RNN),
    *[Slip(name, "Adam", "Adam.step", old, new) for name, old, new in ADAM],
    *[Slip(name, "clipping", "clip_grad_norm_", old, new) for name, old, new in CLIPPING],
]
