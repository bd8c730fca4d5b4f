"""Layers with a memory: a hidden state that is carried on, lists that are collected, caches that are used up."""

from collections import deque

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import assert_right

rng = np.random.default_rng(8)
x_23, W_33 = rng.standard_normal((2, 3)), rng.standard_normal((3, 3)) / 2


class Carries:
    """One step of an RNN; the next call goes on from the hidden state of this one."""

    factor = 1

    def __init__(self):
        self.W, self.h = W_33.copy(), np.full((2, 3), 0.2)

    def forward(self, x):
        self.before = self.h
        self.h = np.tanh(x + self.before @ self.W)
        return self.h

    def backward(self, d):
        dz = d * (1 - self.h**2)
        self.dW = self.factor * self.before.T @ dz
        return dz


class CarriesInPlace(Carries):
    def forward(self, x):
        self.before = self.h.copy()
        self.h[...] = np.tanh(x + self.before @ self.W)
        return self.h.copy()


class CarriesInADictionary(Carries):
    def __init__(self):
        super().__init__()
        self.state = {"h": self.h, "steps": 0}

    def forward(self, x):
        self.h = self.state["h"]
        result = super().forward(x)
        self.state["h"], self.state["steps"] = result, self.state["steps"] + 1
        return result


class Collects(Carries):
    """Appends what each forward saw, and expects one forward per backward, as numpy-ml's layers do."""

    def __init__(self):
        super().__init__()
        self.seen, self.inputs = [], deque()

    def forward(self, x):
        self.inputs.append(x)
        self.seen.append(super().forward(x))
        return self.seen[-1]

    def backward(self, d):
        (self.h,) = self.seen
        self.inputs.pop()
        return super().backward(d)


class Pops(Carries):
    def forward(self, x):
        result = super().forward(x)
        self.caches = {"h": result}
        return result

    def backward(self, d):
        self.h = self.caches.pop("h")
        return super().backward(d)


class Counts(Carries):
    """Scales its output by the number of calls, so another call is another function."""

    calls = 1

    def forward(self, x):
        self.scale = float(self.calls)
        self.calls += 1
        return self.scale * super().forward(x)

    def backward(self, d):
        return super().backward(self.scale * d)


class CountsInLists(Counts):
    def __init__(self):
        super().__init__()
        self.seen, self.window, self.kinds = [], deque([0.0], maxlen=9), set()

    def forward(self, x):
        self.kinds.add(len(self.kinds))
        self.seen.append(x)
        self.window.append(1.0)
        self.calls = len(self.seen) + sum(self.window) + len(self.kinds)
        return super().forward(x)


KINDS = [Carries, CarriesInPlace, CarriesInADictionary, Collects, Pops, Counts, CountsInLists]


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_with_a_memory_is_right(kind):
    report = assert_right(kind(), x_23)
    assert set(report.tensors) == {"x", "W"}
    assert "fault" not in str(report)
    assert "not differentiable" not in str(report)


@pytest.mark.parametrize("kind", KINDS)
def test_its_wrong_gradients_are_found(kind):
    layer = kind()
    layer.factor = 7
    report = nr.gradcheck(layer, x_23)
    assert {name: tensor.verdict for name, tensor in report.tensors.items()} == {"x": "ok", "W": "WRONG"}
    assert not report.faults


def test_state_that_forward_replaces_is_noted_and_taken_as_given():
    report = nr.gradcheck(Carries(), x_23)
    assert "h is state that forward replaces: taken as given, not checked" in str(report)


def test_state_that_forward_keeps_is_a_parameter():
    class Keeps(Carries):
        def forward(self, x):
            self.before = self.h
            return np.tanh(x + self.before @ self.W)

        def backward(self, d):
            self.h = np.tanh(x_23 + self.before @ self.W)
            return super().backward(d)

    report = nr.gradcheck(Keeps(), x_23)
    assert report.tensors["h"].verdict == "NO GRADIENT"
    assert not report.ok


@pytest.mark.parametrize("factor", [1, 7])
def test_running_statistics_that_forward_updates_are_no_parameters(factor):
    class BatchNorm:
        def __init__(self):
            self.gamma, self.running_mean = np.array([1.0, 2, 3]), np.zeros(3)

        def forward(self, x):
            mean = x.mean(axis=0)
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.s = 1 / np.sqrt(((x - mean) ** 2).mean(axis=0) + 1e-5)
            self.n = (x - mean) * self.s
            return self.gamma * self.n

        def backward(self, d):
            self.dgamma = factor * (d * self.n).sum(axis=0)
            d = d * self.gamma
            return self.s * (d - d.mean(axis=0) - self.n * (d * self.n).mean(axis=0))

    report = nr.gradcheck(BatchNorm(), rng.standard_normal((5, 3)))
    assert set(report.tensors) == {"x", "gamma"}
    assert report.ok == (factor == 1)
    assert "running_mean" not in str(report)


memory = {"h": np.full((2, 3), 0.2), "log": []}


def test_state_in_variables_of_the_module_is_set_back_too():
    def forward(x):
        before = memory["h"]
        memory["h"] = np.tanh(x + before)
        memory["log"].append(x)
        return memory["h"], len(memory["log"])

    def backward(d, calls):
        assert calls == 1
        return d * (1 - memory["h"] ** 2)

    kept = memory["h"]
    assert_right((forward, backward), x_23)
    assert memory["h"] is kept
    assert memory["log"] == []


def test_two_steps_in_one_forward_share_a_state():
    class Unrolled:
        def __init__(self):
            self.cell = Carries()

        def forward(self, xs):
            self.caches = []
            for x in xs:
                y = self.cell.forward(x)
                self.caches.append((self.cell.before, y))
            return y

        def backward(self, d):
            dxs, self.cell_dW = [], 0
            for before, y in reversed(self.caches):
                dz = d * (1 - y * y)
                self.cell_dW += before.T @ dz
                dxs.append(dz)
                d = dz @ self.cell.W.T
            self.cell.dW = self.cell_dW
            return np.array(dxs[::-1])

    report = assert_right(Unrolled(), rng.standard_normal((4, 2, 3)))
    assert set(report.tensors) == {"xs", "cell.W"}
