"""A slip: one mistake in a function of `right.py`, which is tried in place of the package's own function."""

from __future__ import annotations

import contextlib
import functools
import inspect
import linecache
import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tests.mistakes import right

__all__ = ["Slip", "applied", "changed_lines", "wrong_functions"]


@dataclass(frozen=True)
class Slip:
    """`old`, which occurs once in the function of `right.py`, becomes `new`.

    piece names what is tested and checked (see `pieces`), wrong the tensors whose gradients are then wrong. words is
    a regular expression for the cause. It must be found in the explanation of the right line; or in what the report
    says of each wrong tensor; or, if no gradient is wrong, in the reported side effects.
    """

    name: str
    piece: str
    function: str
    old: str = ""
    new: str = ""
    wrong: frozenset[str] = frozenset()
    words: str = ""

    @property
    def filename(self):
        return f"<{self.name}>"


def changed_lines(slip):
    """Return the numbers of the changed lines; where nothing but `pass` is left, the next line will do, too."""
    function, source = inspect.getsource(getattr(right, slip.function)), inspect.getsource(right)
    first = source[: source.index(function) + function.index(slip.old)].count("\n") + 1
    return range(first, first + slip.new.count("\n") + 1 + (slip.new in ("pass", "")))


def wrong_functions(slip):
    """Return the functions of `right.py` by name, one of them with the mistake."""
    source = inspect.getsource(right)
    if slip.old:
        function = inspect.getsource(getattr(right, slip.function))
        if function.count(slip.old) != 1:
            raise LookupError(f"{slip.name}: {slip.function} contains {slip.old!r} {function.count(slip.old)} times")
        source = source.replace(function, function.replace(slip.old, slip.new))
    namespace, filename = {}, slip.filename
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename  # for gradcheck to read
    exec(compile(source, filename, "exec"), namespace)
    return namespace


@contextlib.contextmanager
def applied(slip, nr):
    """In a with statement, use the functions of `right.py`, with the slip, in place of the package's own."""
    patch = PATCHES[slip.piece.partition(",")[0]]
    with patch(nr, wrong_functions(slip)):
        yield


@contextlib.contextmanager
def replaced(owner, **methods):
    before = {name: getattr(owner, name) for name in methods}
    for name, method in methods.items():
        setattr(owner, name, functools.wraps(before[name])(method))
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(owner, name, method)


def layer_patch(cls, backward):
    """Replace a layer's backward by `backward(layer, f, inputs, outputs, *upstream)`, f being functions by name.

    The forward pass stays. What it was given, by name, and what it returned is remembered with its tape.
    """

    def patch(nr, f):
        owner = getattr(nr, cls)
        right_forward = owner.forward
        signature = inspect.signature(right_forward)

        def remembering(self, *arguments, **options):
            given = signature.bind(self, *arguments, **options).arguments
            outputs = right_forward(self, *arguments, **options)
            self.tape.seen = {name: np.array(given[name]) for name in given.keys() - {"self", "tape"}}, outputs
            return outputs

        def wrong_backward(self, *upstream, tape=None):
            return backward(self, f, *(self.tape if tape is None else tape).seen, *upstream)

        return replaced(owner, forward=remembering, backward=wrong_backward)

    return patch


def linear(layer, f, inputs, outputs, dy):
    x, W, b = inputs["x"], layer.weight, layer.bias
    db = np.empty(layer.out_features) if b is None else b.grad
    return f["linear"](right.rows(x), W.data, right.rows(dy), W.grad, db).reshape(x.shape)


def embedding(layer, f, inputs, outputs, dy):
    tokens = inputs["tokens"]
    f["embedding"](tokens.ravel(), right.rows(dy), layer.weight.grad, tokens.shape)


def cross_entropy(layer, f, inputs, outputs, dloss=1.0):
    return f["cross_entropy"](inputs["logits"], inputs["targets"], dloss)


def rnn(layer, f, inputs, outputs, doutput, dh_n=None):
    output, h_n = outputs
    h_0, dh_n = or_zeros(inputs.get("h_0"), h_n), or_zeros(dh_n, h_n)
    return f["rnn"](inputs["x"], h_0, output, layer.parameters(), doutput, dh_n, vars(layer))


def or_zeros(state, like):
    return np.zeros_like(like) if state is None or state.ndim == 0 else state


def gated_patch(cls):
    """Replace the forward pass, too, by the plain one of `right.py`: gradcheck cannot follow the layer's own."""

    def patch(nr, f):
        name = cls.lower()

        def forward(self, x, h_0=None, tape=None, **options):
            p = {name: parameter.data for name, parameter in self.parameters().items()}
            if h_0 is None:
                zeros = np.zeros((1, x.shape[1], self.hidden_size), self.dtype)
                h_0 = (zeros, zeros) if cls == "LSTM" else zeros
            first = [state[0] for state in h_0] if cls == "LSTM" else [h_0[0]]
            states, gates = f[f"{name}_forward"](x, first, p)
            self.tape = SimpleNamespace(masks=None, seen=(x, states, gates))
            last = [state[-1:].copy() for state in states]
            return states[0][1:].copy(), tuple(last) if cls == "LSTM" else last[0]

        def backward(self, doutput, dh_n=None, tape=None):
            x, states, gates = (self.tape if tape is None else tape).seen
            return f[name](x, states, gates, self.parameters(), doutput, dh_n)

        return replaced(getattr(nr, cls), forward=forward, backward=backward)

    return patch


def char_rnn(model, f, inputs, outputs, dlogits, dh_n=None):
    tokens, h_n, p = inputs["tokens"], outputs[1], model.parameters()
    h_0, dh_n = or_zeros(inputs.get("h_0"), h_n), or_zeros(dh_n, h_n)
    states, x = [], p["embedding.weight"].data[tokens]
    for k in range(len(h_0)):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        W_ih, W_hh, b_ih, b_hh = (p[f"rnn.{name}_l{k}"].data for name in names)
        h = [h_0[k]]
        for x_t in x:
            h.append(np.tanh(x_t @ W_ih.T + b_ih + h[-1] @ W_hh.T + b_hh))
        states.append(np.stack(h))
        x = states[-1][1:]
    return f["char_rnn"](tokens, states, p, dlogits, dh_n)


def adam_patch(nr, f):
    def step(self):
        self.step_count += 1
        averages = self.exp_avg, self.exp_avg_sq, self.max_exp_avg_sq
        options = self.lr, *self.betas, self.eps, self.weight_decay, self.decoupled_weight_decay, self.maximize
        f["adam"](self.parameters.data, self.parameters.grad, *averages, self.step_count, *options)

    return replaced(nr.Adam, step=step)


def clipping_patch(nr, f):
    def clip_grad_norm_(parameters, max_norm, norm_type=2.0):
        p = math.inf if norm_type == "inf" else norm_type
        return f["clipping"]([parameter.grad for parameter in parameters.values()], max_norm, p)

    return replaced(nr, clip_grad_norm_=clip_grad_norm_)


PATCHES = {
    "Linear": layer_patch("Linear", linear),
    "Embedding": layer_patch("Embedding", embedding),
    "CrossEntropyLoss": layer_patch("CrossEntropyLoss", cross_entropy),
    "RNN": layer_patch("RNN", rnn),
    "LSTM": gated_patch("LSTM"),
    "GRU": gated_patch("GRU"),
    "CharRNN": layer_patch("CharRNN", char_rnn),
    "Adam": adam_patch,
    "clipping": clipping_patch,
}
