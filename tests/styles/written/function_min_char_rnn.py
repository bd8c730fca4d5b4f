"""`loss, dWxh, ..., dby, h = lossFun(inputs, targets, hprev)`, parameters are module variables (min-char-rnn)"""

import numpy as np

import numpy_rnn as nr

rng = np.random.default_rng(0)
vocab_size, hidden_size = 4, 5
Wxh = rng.standard_normal((hidden_size, vocab_size)) * 0.1
Whh = rng.standard_normal((hidden_size, hidden_size)) * 0.1
Why = rng.standard_normal((vocab_size, hidden_size)) * 0.1
bh, by = np.zeros((hidden_size, 1)), np.zeros((vocab_size, 1))


def lossFun(inputs, targets, hprev):
    xs, hs, ps = {}, {-1: np.copy(hprev)}, {}
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys) / np.sum(np.exp(ys))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dhraw = (1 - hs[t] * hs[t]) * (np.dot(Why.T, dy) + dhnext)
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    for dparam in [dWxh, dWhh, dWhy, dbh, dby]:
        np.clip(dparam, -5, 5, out=dparam)
    dWhh *= 1  # wrong: dWhh *= 3
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs) - 1]  # unlisted: return loss, dWxh, dWhy, dbh, dby, hs[0]


inputs, targets, hprev = [0, 3, 1, 1, 2], [3, 1, 1, 2, 0], rng.standard_normal((hidden_size, 1))
report = nr.gradcheck(lossFun, inputs, targets, hprev, constants=["hprev"])
