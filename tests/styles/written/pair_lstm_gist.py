"""`Hout, C, h, cache = LSTM.forward(X, W, c0, h0)`, `backward(dHout, cache, dcn=None, dhn=None)` (Karpathy's LSTM)"""

import numpy as np

import numpy_rnn as nr


class LSTM:
    @staticmethod
    def forward(X, WLSTM, c0, h0):
        n, b, input_size = X.shape
        d = WLSTM.shape[1] // 4
        Hin = np.zeros((n, b, 1 + input_size + d))
        Hout, C, Ct = np.zeros((n, b, d)), np.zeros((n, b, d)), np.zeros((n, b, d))
        IFOGf = np.zeros((n, b, 4 * d))
        for t in range(n):
            prevh, prevc = (Hout[t - 1], C[t - 1]) if t > 0 else (h0, c0)
            Hin[t, :, 0] = 1  # bias
            Hin[t, :, 1 : 1 + input_size] = X[t]
            Hin[t, :, 1 + input_size :] = prevh
            IFOG = Hin[t].dot(WLSTM)
            IFOGf[t, :, : 3 * d] = 1 / (1 + np.exp(-IFOG[:, : 3 * d]))
            IFOGf[t, :, 3 * d :] = np.tanh(IFOG[:, 3 * d :])
            C[t] = IFOGf[t, :, :d] * IFOGf[t, :, 3 * d :] + IFOGf[t, :, d : 2 * d] * prevc
            Ct[t] = np.tanh(C[t])
            Hout[t] = IFOGf[t, :, 2 * d : 3 * d] * Ct[t]
        cache = {"WLSTM": WLSTM, "Hout": Hout, "IFOGf": IFOGf, "C": C, "Ct": Ct, "Hin": Hin, "c0": c0}
        return Hout, C[-1], Hout[-1], cache

    @staticmethod
    def backward(dHout_in, cache, dcn=None, dhn=None):
        WLSTM, IFOGf, C, Ct, Hin = (cache[key] for key in ("WLSTM", "IFOGf", "C", "Ct", "Hin"))
        n, b, d = cache["Hout"].shape
        input_size = WLSTM.shape[0] - d - 1
        dIFOG, dC = np.zeros(IFOGf.shape), np.zeros(C.shape)
        dWLSTM, dX = np.zeros(WLSTM.shape), np.zeros((n, b, input_size))
        dHout = dHout_in.copy()
        if dcn is not None:
            dC[n - 1] += dcn
        if dhn is not None:
            dHout[n - 1] += dhn
        for t in reversed(range(n)):
            i, f, o, g = (IFOGf[t, :, k * d : (k + 1) * d] for k in range(4))
            dC[t] += dHout[t] * o * (1 - Ct[t] ** 2)
            prevc = C[t - 1] if t > 0 else cache["c0"]
            dIFOG[t, :, :d] = dC[t] * g * i * (1 - i)
            dIFOG[t, :, d : 2 * d] = dC[t] * prevc * f * (1 - f)
            dIFOG[t, :, 2 * d : 3 * d] = dHout[t] * Ct[t] * o * (1 - o)
            dIFOG[t, :, 3 * d :] = dC[t] * i * (1 - g**2)
            dWLSTM += np.dot(Hin[t].T, dIFOG[t])
            dHin = dIFOG[t].dot(WLSTM.T)
            dX[t] = dHin[:, 1 : 1 + input_size]
            if t > 0:
                dHout[t - 1] += dHin[:, 1 + input_size :]
                dC[t - 1] += dC[t] * f
            else:
                dh0, dc0 = dHin[:, 1 + input_size :], dC[t] * f
        dWLSTM *= 1  # wrong: dWLSTM *= 3
        return dX, dWLSTM, dc0, dh0  # unlisted: return dX, None, dc0, dh0


rng = np.random.default_rng(0)
X, W = rng.standard_normal((4, 2, 3)), rng.standard_normal((1 + 3 + 5, 4 * 5))
c0, h0 = rng.standard_normal((2, 5)), rng.standard_normal((2, 5))
report = nr.gradcheck((LSTM.forward, LSTM.backward), (X, W, c0, h0))
