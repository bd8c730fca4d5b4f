"use strict";
// numpy_rnn/textbook.py in JavaScript, function by function and label by label.
//
// The page has one text, so the batch axis B is left out. A vector is an array of numbers, a matrix an array of rows,
// and only the sums in `backward` change after they are made. T time, E embedding_dim, H hidden_size, V vocab_size.

const NAMES = ["embedding.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0",
  "fc.weight", "fc.bias"]; //  C (V, E), W_ih (H, E), W_hh (H, H), b_ih (H), b_hh (H), W (V, H), b (V)

// What NumPy does in Python.
const array = (n, value = () => 0) => Array.from({ length: n }, (_, i) => value(i));
const sum = (a) => a.reduce((total, x) => total + x, 0);
const add = (...vectors) => vectors[0].map((_, i) => sum(vectors.map((vector) => vector[i])));
const times = (W, x) => W.map((row) => row.reduce((total, w, k) => total + w * x[k], 0)); // W x
const transposed = (W) => W[0].map((_, k) => W.map((row) => row[k]));
const outer = (a, b) => a.map((x) => b.map((y) => x * y)); // a b^T
const argmax = (a) => a.indexOf(Math.max(...a));

/** f for each element of vectors or matrices of the same shape. */
const each = (f, a, b = a, c = b) =>
  a.map((x, i) => (typeof x === "number" ? f(x, b[i], c[i]) : each(f, x, b[i], c[i])));

/** Add b to a in place. */
function accumulate(a, b) {
  a.forEach((x, i) => { if (typeof x === "number") a[i] += b[i]; else accumulate(x, b[i]); });
}

/** Draw the initial parameters from torch's distributions. */
function init(V, E, H, random) {
  const k = 1 / Math.sqrt(H);
  const vector = (n) => array(n, () => random.uniform(-k, k)), matrix = (m, n) => array(m, () => vector(n));
  const C = array(V, () => array(E, () => random.normal()));
  const drawn = [C, matrix(H, E), matrix(H, H), vector(H), vector(H), matrix(V, H), vector(V)];
  return Object.fromEntries(NAMES.map((name, i) => [name, drawn[i]]));
}

/** Read tokens (T), starting from the state h_0 (H); return the logits, all inputs x and all states h. */
function forward(p, tokens, h_0) {
  const [C, W_ih, W_hh, b_ih, b_hh, W, b] = NAMES.map((name) => p[name]);
  const x = tokens.map((token) => C[token]); // (E1)  (T, E)
  const h = [h_0]; // step t reads h[t] and computes h[t + 1]
  for (let t = 0; t < tokens.length; t += 1) {
    const z = add(times(W_ih, x[t]), b_ih, times(W_hh, h[t]), b_hh); // (R1)  (H)
    h[t + 1] = z.map(Math.tanh); // (R2)
  }
  const logits = h.slice(1).map((h_t) => add(times(W, h_t), b)); // (L1)  (T, V)
  return { logits, x, h };
}

/** Return the mean of -log softmax(logits)[target] and its gradient dlogits. */
function crossEntropy(logits, targets) {
  const T = logits.length;
  const log_p = logits.map((y) => {
    const most = Math.max(...y), shifted = y.map((y_v) => y_v - most); // cancels in p, and keeps exp from overflowing
    const log_sum = Math.log(sum(shifted.map(Math.exp)));
    return shifted.map((y_v) => y_v - log_sum); // (C1) (C2)  (V)
  });
  const loss = -sum(targets.map((target, t) => log_p[t][target])) / T; // (C3)
  const dlogits = log_p.map((row, t) => row.map((q, v) => (Math.exp(q) - (v === targets[t] ? 1 : 0)) / T)); // (C4)
  return { loss, dlogits, log_p };
}

/** Backpropagate dlogits (T, V) and dh_n (H); return the gradient of every parameter, and dh_0 (H). */
function backward(p, tokens, x, h, dlogits, dh_n) {
  const [, W_ih, W_hh, , , W] = NAMES.map((name) => p[name]);
  const [W_ih_T, W_hh_T, W_T] = [W_ih, W_hh, W].map(transposed);
  const gradients = NAMES.map((name) => each(() => 0, p[name]));
  const [dC, dW_ih, dW_hh, db_ih, db_hh, dW, db] = gradients;
  let dh_next = dh_n; // (H), the gradient that comes from the future
  for (let t = tokens.length - 1; t >= 0; t -= 1) {
    accumulate(dW, outer(dlogits[t], h[t + 1])); // (L3)
    accumulate(db, dlogits[t]); // (L4)
    const dh = add(times(W_T, dlogits[t]), dh_next); // (L2) (R3)  (H), from this step's loss and from the future
    const dz = each((dh_i, h_i) => dh_i * (1 - h_i ** 2), dh, h[t + 1]); // (R4)  (H), tanh' = 1 - tanh^2
    accumulate(dW_ih, outer(dz, x[t])); // (R5)
    accumulate(dW_hh, outer(dz, h[t])); // (R5)
    accumulate(db_ih, dz); // (R5)
    accumulate(db_hh, dz); // (R5)
    const dx = times(W_ih_T, dz); // (R6)  (E)
    accumulate(dC[tokens[t]], dx); // (E2)  a token that occurs twice adds up both
    dh_next = times(W_hh_T, dz); // (R3)  (H), after the loop dh_0 (R6)
  }
  return { g: Object.fromEntries(NAMES.map((name, i) => [name, gradients[i]])), dh_0: dh_next };
}

/** Take Adam's step k = 1, 2, ...: put new arrays into p and its two averages m and v, zero before the first step. */
function adam(p, g, m, v, k, lr = 0.01) {
  const beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  for (const name of NAMES) {
    m[name] = each((m_i, g_i) => beta1 * m_i + (1 - beta1) * g_i, m[name], g[name]); // (A1)
    v[name] = each((v_i, g_i) => beta2 * v_i + (1 - beta2) * g_i ** 2, v[name], g[name]); // (A2)
    const m_hat = each((m_i) => m_i / (1 - beta1 ** k), m[name]);
    const v_hat = each((v_i) => v_i / (1 - beta2 ** k), v[name]);
    p[name] = each((p_i, m_i, v_i) => p_i - (lr * m_i) / (Math.sqrt(v_i) + eps), p[name], m_hat, v_hat); // (A3)
  }
}

/** Start from one token and keep appending the most probable next one, up to `length` tokens. */
function generate(p, token, length) {
  const tokens = [token];
  let state = p["rnn.bias_hh_l0"].map(() => 0);
  while (tokens.length < length) {
    const { logits, h } = forward(p, tokens.slice(-1), state);
    tokens.push(argmax(logits[0]));
    state = h[1];
  }
  return tokens;
}
