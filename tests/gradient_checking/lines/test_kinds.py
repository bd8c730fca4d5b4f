"""Kinds of mistakes beyond one wrong expression: order, indices, loops, caches, and several mistakes at once."""

import itertools
import textwrap

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.lines import load

# Layers of different widths in a loop, in the style that divides by the batch size only in the parameters' gradients.
MLP = """
    import numpy as np

    def forward(X, W1, b1, W2, b2, W3, b3):
        A, caches = X, []
        for W, b in ((W1, b1), (W2, b2), (W3, b3)):
            Z = A @ W + b
            caches.append((A, W, Z))
            A = np.tanh(Z)
        return np.mean(np.sum((A - 1) ** 2, axis=1)), (A, caches)

    def backward(dloss, cache):
        A, caches = cache
        m = len(A)
        dA, grads = 2 * dloss * (A - 1), []
        for A_prev, W, Z in reversed(caches):
            dZ = dA * (1 - np.tanh(Z) ** 2)
            dW = A_prev.T @ dZ / m
            db = dZ.sum(axis=0) / m
            dA = dZ @ W.T
            grads += [db, dW]
        return dA / m, *grads[::-1]
"""

# A dilated convolution over time: indices, loops and padding.
CONV = """
    import numpy as np

    def forward(x, w):
        T, K, H = len(x), len(w), w.shape[2]
        padded = np.concatenate([np.zeros((2 * (K - 1), x.shape[1])), x])
        y = np.zeros((T, H))
        for k in range(K):
            start = 2 * k
            y += padded[start:start + T] @ w[k]
        return y, (padded, w)

    def backward(dy, cache):
        padded, w = cache
        T, K = len(dy), len(w)
        dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
        for k in range(K):
            start = 2 * k
            window = padded[start:start + T]
            dw[k] = window.T @ dy
            dpadded[start:start + T] += dy @ w[k].T
        return dpadded[2 * (K - 1):], dw
"""

# Attention weights one query at a time: a Jacobian, a cache by step, gradients of equal shapes.
ATTENTION = """
    import numpy as np

    def forward(q, k, v):
        cache, out = {}, np.zeros_like(q)
        for t in range(len(q)):
            scores = k @ q[t]
            p = np.exp(scores - scores.max())
            p = p / p.sum()
            cache[t] = (q[t], p)
            out[t] = p @ v
        return out, (k, v, cache)

    def backward(dout, caches):
        k, v, cache = caches
        dq, dk, dv = np.zeros_like(dout), np.zeros_like(k), np.zeros_like(v)
        for t in range(len(dout)):
            q, p = cache[t]
            dp = v @ dout[t]
            dv += np.outer(p, dout[t])
            jacobian = np.diag(p) - np.outer(p, p)
            dscores = jacobian @ dp
            dq[t] = k.T @ dscores
            dk += np.outer(dscores, q)
        return dq, dk, dv
"""

# Softmax regression with an integer index.
SOFTMAX = """
    import numpy as np

    def forward(x, W, b, y):
        z = x @ W + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        return loss, (x, W, p, y)

    def backward(dloss, cache):
        x, W, p, y = cache
        n = len(y)
        dz = p.copy()
        dz[np.arange(n), y] -= 1
        dz = dz * dloss / n
        return dz @ W.T, x.T @ dz, dz.sum(axis=0)
"""


def inputs_of(code):
    r = np.random.default_rng(0).standard_normal
    if code is MLP:
        return r((3, 4)), r((4, 5)), r(5), r((5, 2)), r(2), r((2, 3)), r(3)
    if code is CONV:
        return r((5, 2)), r((3, 2, 4))
    if code is ATTENTION:
        return r((5, 3)), r((5, 3)), r((5, 3))
    return r((4, 3)), r((3, 5)), r(5), np.array([0, 2, 4, 2])


@pytest.fixture
def check(tmp_path):
    """Check a pair of functions, written to a file, with some lines of it replaced."""
    numbers = itertools.count()

    def run(code, *changes):
        text = textwrap.dedent(code)
        for old, new in changes:
            assert text.count(old) >= 1
            text = text[::-1].replace(old[::-1], new[::-1], 1)[::-1]  # the last one: in backward
        path = tmp_path / f"layer{next(numbers)}.py"
        path.write_text(text)
        module = load(path)
        return nr.gradcheck((module.forward, module.backward), inputs_of(code)), text.splitlines()

    return run


@pytest.mark.parametrize(
    ("code", "old", "new", "words"),
    [
        # the shapes in the loop differ, and all gradients in it are m times those of the loss
        (MLP, "dZ = dA * (1 - np.tanh(Z) ** 2)", "dZ = dA * (1 - Z ** 2)", "belongs in place of `Z`"),
        (MLP, "db = dZ.sum(axis=0) / m", "db = dA.sum(axis=0) / m", "`dZ` belongs in place of `dA`"),
        (MLP, "dA = dZ @ W.T", "dA = -dZ @ W.T", "sign"),
        (CONV, "start = 2 * k", "start = k", "other values here than in forward: `start = 2 * k` (line 9)"),
        (CONV, "return dpadded[2 * (K - 1):], dw", "return dpadded[:T], dw", "another part of `dpadded`"),
        (ATTENTION, "q, p = cache[t]", "q, p = cache[len(dout) - 1 - t]", "read in the wrong order"),
        (ATTENTION, "return dq, dk, dv", "return dq, dv, dk", "gradients of v and k are right, but exchanged"),
        (ATTENTION, "jacobian = np.diag(p) - np.outer(p, p)", "jacobian = np.diag(p)", "it is diagonal"),
        (ATTENTION, "dk += np.outer(dscores, q)", "dk = np.outer(dscores, q)", "`+=` belongs here"),
        (ATTENTION, "range(len(dout))", "range(1, len(dout))", ""),
        (SOFTMAX, "dz[np.arange(n), y] -= 1", "dz[np.arange(n), y - 1] -= 1", "the index is wrong"),
        (SOFTMAX, "dz[np.arange(n), y] -= 1", "dz[np.arange(n), y] = -1", "`+=` belongs here"),
        (SOFTMAX, "dz = dz * dloss / n", "dz = dz * dloss", "1/4"),
    ],
)
def test_the_wrong_line_is_named(check, code, old, new, words):
    report, text = check(code, (old, new))
    assert not report.ok
    line = max(k for k, source in enumerate(text, 1) if new in source)
    assert report.suspect is not None, str(report)
    assert report.suspect.line == line, str(report)
    assert words in report.suspect.explanation


@pytest.mark.parametrize("code", [MLP, CONV, ATTENTION, SOFTMAX])
def test_right_code_has_no_suspect(check, code):
    report, _ = check(code)
    assert report.ok
    assert report.suspect is None
    assert {line.verdict for line in report.lines} <= {"right", "not a gradient"}


SLIPS = {  # line: the tensors that it makes wrong
    ("dW = A_prev.T @ dZ / m", "dW = A_prev.T @ dA / m"): {"W1", "W2", "W3"},
    ("db = dZ.sum(axis=0) / m", "db = -dZ.sum(axis=0) / m"): {"b1", "b2", "b3"},
    ("return dA / m,", "return dA / (2 * m),"): {"X"},
}


@pytest.mark.parametrize("slips", [*itertools.combinations(SLIPS, 2)])
def test_of_two_wrong_lines_one_is_named_and_what_it_does_not_explain(check, slips):
    report, text = check(MLP, *slips)
    named = next(slip for slip in slips if slip[1] in text[report.suspect.line - 1])
    other = next(slip for slip in slips if slip != named)
    rest = report.suspect.explanation.partition("Another line must be wrong too")[2]
    assert all(name in rest for name in SLIPS[other])
    assert not any(f" {name}" in rest for name in SLIPS[named])
