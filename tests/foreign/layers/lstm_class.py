"""LSTM as a class with a list of dictionaries in self.cache: one matrix per gate, which reads [h, x] concatenated."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


class LSTM:
    def __init__(self, input_size, hidden_size, seed=0):
        rng = np.random.default_rng(seed)
        self.hidden_size = hidden_size
        self.params = {}
        for gate in "fico":
            self.params["W" + gate] = rng.standard_normal((hidden_size + input_size, hidden_size))
            self.params["b" + gate] = rng.standard_normal(hidden_size)
        self.grads = {}

    def forward(self, x, h0, c0):
        p = self.params
        h, c = h0, c0
        self.cache = []
        outputs = []
        for x_t in x:
            hx = np.concatenate([h, x_t], axis=1)
            f = sigmoid(hx @ p["Wf"] + p["bf"])
            i = sigmoid(hx @ p["Wi"] + p["bi"])
            g = np.tanh(hx @ p["Wc"] + p["bc"])
            o = sigmoid(hx @ p["Wo"] + p["bo"])
            c_prev = c
            c = f * c_prev + i * g
            h = o * np.tanh(c)
            self.cache.append({"hx": hx, "f": f, "i": i, "g": g, "o": o, "c": c, "c_prev": c_prev})
            outputs.append(h)
        return np.stack(outputs)

    def backward(self, dout):
        p, H = self.params, self.hidden_size
        self.grads = {name: np.zeros_like(value) for name, value in p.items()}
        dx = []
        dh_next = np.zeros_like(dout[0])
        dc_next = np.zeros_like(dout[0])
        for t in reversed(range(len(dout))):
            s = self.cache[t]
            dh = dout[t] + dh_next
            tanh_c = np.tanh(s["c"])
            dzo = dh * tanh_c * s["o"] * (1 - s["o"])
            dc = dc_next + dh * s["o"] * (1 - tanh_c**2)
            dzf = dc * s["c_prev"] * s["f"] * (1 - s["f"])
            dzi = dc * s["g"] * s["i"] * (1 - s["i"])
            dzg = dc * s["i"] * (1 - s["g"] ** 2)
            for gate, dz in zip("fico", (dzf, dzi, dzg, dzo), strict=True):
                self.grads["W" + gate] += s["hx"].T @ dz
                self.grads["b" + gate] += np.sum(dz, axis=0)
            dhx = dzf @ p["Wf"].T + dzi @ p["Wi"].T + dzg @ p["Wc"].T + dzo @ p["Wo"].T
            dh_next = dhx[:, :H]
            dx.insert(0, dhx[:, H:])
            dc_next = dc * s["f"]
        return np.array(dx), dh_next, dc_next
