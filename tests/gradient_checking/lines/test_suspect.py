"""Which line of backward is named, and what is said about it."""

import textwrap

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.lines import load

RNN = """
    import numpy as np

    def step(x, h, Wx, Wh, b):
        z = x @ Wx + h @ Wh + b
        new = np.tanh(z)
        return new, (x, h, Wx, Wh, new)

    def step_back(dnew, cache):
        x, h, Wx, Wh, new = cache
        dz = dnew * (1 - new**2)
        dx = dz @ Wx.T
        dh = dz @ Wh.T
        return dx, dh, x.T @ dz, h.T @ dz, dz.sum(axis=0)

    def forward(x, h0, Wx, Wh, b):
        h, caches = h0, []
        out = np.zeros((len(x), *h0.shape))
        for t in range(len(x)):
            h, cache = step(x[t], h, Wx, Wh, b)
            out[t] = h
            caches.append(cache)
        return out, caches

    def backward(dout, caches):
        x, h, Wx, Wh, _ = caches[0]
        grads = {"x": np.zeros((len(dout), *x.shape)), "Wx": 0 * Wx, "Wh": 0 * Wh, "b": 0 * Wx[0]}
        dh = np.zeros_like(h)
        for t in reversed(range(len(dout))):
            dcurrent = dout[t] + dh
            dx, dh, dWx, dWh, db = step_back(dcurrent, caches[t])
            grads["x"][t] = dx
            grads["Wx"] += dWx
            grads["Wh"] += dWh
            grads["b"] += db
        return grads | {"h0": dh}
"""

NORM = """
    import numpy as np

    def forward(x, gamma):
        mean = x.mean(axis=0)
        centred = x - mean
        var = (centred**2).mean(axis=0)
        xhat = centred / np.sqrt(var + 1e-5)
        return gamma * xhat, (centred, var, xhat, gamma)

    def backward(dout, cache):
        centred, var, xhat, gamma = cache
        dgamma = np.einsum("nd,nd->d", dout, xhat)
        dxhat = dout * gamma
        dvar = (dxhat * centred).sum(axis=0) * -0.5 * (var + 1e-5) ** -1.5
        dcentred = dxhat / np.sqrt(var + 1e-5) + 2 / len(dout) * centred * dvar
        dx = dcentred - dcentred.mean(axis=0)
        return dx, dgamma
"""


@pytest.fixture
def check(tmp_path):
    """Check a pair of functions, written to a file, with one line of it replaced."""

    def run(code, old="", new="", inputs=None):
        code = textwrap.dedent(code)
        assert code.count(old) == 1 or not old
        path = tmp_path / "layer.py"
        path.write_text(code.replace(old, new) if old else code)
        module = load(path)
        r = np.random.default_rng(0).standard_normal
        if inputs is None:
            inputs = (r((4, 2, 3)), r((2, 5)), r((3, 5)), r((5, 5)), r(5)) if "step" in code else (r((6, 4)), r(4))
        return nr.gradcheck((module.forward, module.backward), inputs), path

    return run


@pytest.mark.parametrize(
    ("code", "old", "new", "words"),
    [
        (RNN, "dcurrent = dout[t] + dh", "dcurrent = dout[t]", "the path through `h @ Wh` (line 5) is missing"),
        (RNN, "dcurrent = dout[t] + dh", "dcurrent = dout[t] - dh", "dL/d(new) (line 6, t = 3)"),
        (RNN, "dz = dnew * (1 - new**2)", "dz = dnew", "derivative of `np.tanh(z)` (line 6) is missing"),
        (RNN, "dz = dnew * (1 - new**2)", "dz = dnew * (1 - new)", "dL/d(z) (line 5, t = 4)"),
        (RNN, "dh = dz @ Wh.T", "dh = dz @ Wh", "through `h @ Wh`"),
        (RNN, 'grads["x"][t] = dx', 'grads["x"][-t] = dx', ""),
        (RNN, 'grads["Wh"] += dWh', 'grads["Wh"] = dWh', "Wh"),
        (NORM, "dxhat = dout * gamma", "dxhat = dout", "dL/d(xhat)"),
        (NORM, " * -0.5 *", " * 0.5 *", "dL/d(var) (line 7)"),
        (NORM, " + 2 / len(dout) * centred * dvar", "", "path through `centred ** 2` (line 7) is missing"),
        (NORM, "dx = dcentred - dcentred.mean(axis=0)", "dx = dcentred", "`x.mean(axis=0)` (line 5) is missing"),
        (NORM, "dgamma = np.einsum(", "dgamma = 2 * np.einsum(", "dL/d(gamma)"),
    ],
)
def test_the_wrong_line_is_named(check, code, old, new, words):
    report, path = check(code, old, new)
    changed = new or "dcentred = dxhat"
    line = next(k for k, text in enumerate(path.read_text().splitlines(), 1) if changed in text)
    assert (report.suspect.filename, report.suspect.line) == (str(path), line), str(report)
    assert words in report.suspect.explanation
    assert f"> {line:4d} | " in str(report)
    assert str(report).index("suspect: ") < str(report).index("tensor  ")


@pytest.mark.parametrize("code", [RNN, NORM])
def test_right_code_has_no_suspect_and_its_lines_are_known(check, code):
    report, _ = check(code)
    assert report.ok
    assert report.suspect is None
    assert {line.verdict for line in report.lines} <= {"right", "not a gradient"}
    known = {line.quantity: line.equals for line in report.lines}
    if code is RNN:
        assert known["dz"] == "dL/d(z) (line 5)"
        assert known["dcurrent"] == "dL/d(new) (line 6)"
        steps = {line.quantity: line.steps for line in report.lines}
        assert steps["dz"] == (1, 2, 3, 4)
    else:
        assert known["dxhat"] == "dL/d(xhat) (line 8)"


def test_the_code_of_the_user_is_restored(check):
    _, path = check(RNN, "dh = dz @ Wh.T", "dh = dz @ Wh")
    module = load(path)
    before = [f.__code__ for f in (module.forward, module.backward, module.step_back)]
    r = np.random.default_rng(1).standard_normal
    nr.gradcheck((module.forward, module.backward), (r((4, 2, 3)), r((2, 5)), r((3, 5)), r((5, 5)), r(5)))
    assert [f.__code__ for f in (module.forward, module.backward, module.step_back)] == before


def test_without_source_no_line_is_named():
    namespace = {}
    exec("def forward(x): return x * x, x\ndef backward(d, x): return d * x", namespace)
    report = nr.gradcheck((namespace["forward"], namespace["backward"]), np.arange(1.0, 4))
    assert not report.ok
    assert report.suspect is None
    assert "no line is named: the source of" in str(report)


def test_every_layer_of_the_package_can_be_followed():
    rng = np.random.default_rng(0)
    for layer, x in ((nr.RNN(3, 4, rng=rng), rng.standard_normal((3, 2, 3))), (nr.Linear(3, 2, rng=rng), np.eye(3))):
        report = nr.gradcheck(layer, x)
        assert {line.verdict for line in report.lines} <= {"right", "not a gradient"}
        assert any(line.verdict == "right" for line in report.lines), report.explained


def test_an_argument_of_the_user_may_have_any_name(check):
    code = """
        import numpy as np

        def gate(x, f):
            return x * f

        def forward(x):
            y = np.tanh(x)
            return gate(y, f=y), dict(f=y, node=x, self=x)

        def backward(dout, cache):
            return 2 * dout * cache["f"] * (1 - cache["f"] ** 2)
    """
    report, _path = check(code, " * (1 - cache", " / (1 - cache", inputs=(np.linspace(0.2, 1, 5),))
    assert report.suspect.source.startswith("return 2 * dout"), str(report)


def test_a_gradient_of_a_wrong_shape_names_the_line_that_made_it(check):
    code = """
        def forward(x, W):
            return x @ W, (x, W)

        def backward(dout, cache):
            x, W = cache
            dx = dout @ W.T
            dW = x.T @ dout
            return dx, dW
    """
    r = np.random.default_rng(0).standard_normal
    report, _ = check(code, "dW = x.T @ dout", "dW = dout.T @ x", inputs=(r((3, 2)), r((2, 4))))
    assert report.suspect.source == "dW = dout.T @ x"
    assert report.suspect.explanation == "This should be dL/d(W): it is transposed."


def test_the_start_of_a_carried_gradient_is_not_accused_of_a_path_that_a_norm_lacks(check):
    code = """
        import numpy as np

        def forward(x, h0, W):
            h, out, cache = h0, np.zeros(x.shape), []
            for t in range(len(x)):
                a = x[t] + h @ W
                centred = a - a.mean(axis=1, keepdims=True)
                std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.1)
                n = centred / std
                cache.append((h, n, std))
                h = np.tanh(n)
                out[t] = h
            return out, (cache, W)

        def backward(dout, saved):
            cache, W = saved
            dx, dW, dh = np.zeros(dout.shape), np.zeros_like(W), np.zeros_like(dout[0])
            for t in reversed(range(len(dout))):
                h, n, std = cache[t]
                dn = (dout[t] + dh) * (1 - np.tanh(n) ** 2)
                m1 = dn.mean(axis=1, keepdims=True)
                m2 = (dn * n).mean(axis=1, keepdims=True)
                da = (dn - m1 - n * m2) / std
                dW += h.T @ da
                dx[t] = da
                dh = da @ W.T
            return dx, dh, dW
    """
    r = np.random.default_rng(0).standard_normal
    inputs = r((4, 2, 3)), r((2, 3)), r((3, 3))
    right, _ = check(code, inputs=inputs)
    assert right.ok
    assert right.suspect is None
    report, _ = check(code, "(dn - m1 - n * m2)", "(dn - m1)", inputs=inputs)
    assert report.suspect.source == "da = (dn - m1) / std", str(report)
    assert "`centred ** 2`" in report.suspect.explanation
