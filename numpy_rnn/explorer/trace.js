"use strict";
// Every intermediate result of one pass, as numpy_rnn.trace has them: index t is step t + 1 of the equations. The
// equations themselves are those of textbook.js; here their parts are kept apart.

const norm = (a) => Math.hypot(...a);
const throughTanh = (dh, h) => each((dh_i, h_i) => dh_i * (1 - h_i ** 2), dh, h); // dh_t to dz_t (R4)

function trace(p, tokens, targets) {
  const { logits, x, h } = forward(p, tokens, p["rnn.bias_hh_l0"].map(() => 0));
  const { loss, dlogits, log_p } = crossEntropy(logits, targets);
  const [, W_ih, W_hh, , , W] = NAMES.map((name) => p[name]), [W_ih_T, W_hh_T, W_T] = [W_ih, W_hh, W].map(transposed);
  const W_ih_x = x.map((x_t) => times(W_ih, x_t)); // two of the four summands of z (R1)
  const W_hh_h = tokens.map((_, t) => times(W_hh, h[t]));
  const a = {
    x, h, logits, loss, dlogits, W_ih_x, W_hh_h,
    z: tokens.map((_, t) => add(W_ih_x[t], p["rnn.bias_ih_l0"], W_hh_h[t], p["rnn.bias_hh_l0"])), // (R1)
    p: each(Math.exp, log_p), // (C2)
    losses: targets.map((target, t) => -log_p[t][target]), // (C3), in nats; L is their mean
    dh_local: dlogits.map((dy) => times(W_T, dy)), // (L2)
    dh_future: [], dh: [], dz: [], dh_by_loss: [],
    gradients: backward(p, tokens, x, h, dlogits, h[0]).g,
  };
  a.dh_0 = h[0];
  for (let t = tokens.length - 1; t >= 0; t -= 1) {
    a.dh_future[t] = a.dh_0; // W_hh^T dz_{t+1}, zero at the last step
    a.dh[t] = add(a.dh_local[t], a.dh_future[t]); // (R3)
    a.dz[t] = throughTanh(a.dh[t], h[t + 1]);
    a.dh_0 = times(W_hh_T, a.dz[t]); // after the loop (R6)
  }
  a.dx = a.dz.map((dz) => times(W_ih_T, dz)); // (R6)
  // The same for each loss by itself: dh_by_loss[s][t] is dL_s/dh_t, the part of dh[t] that comes from loss s >= t.
  targets.forEach((_, s) => {
    const row = a.dh_by_loss[s] = [];
    row[s] = a.dh_local[s];
    for (let t = s; t > 0; t -= 1) row[t - 1] = times(W_hh_T, throughTanh(row[t], h[t + 1]));
  });
  a.norms = a.dh_by_loss.map((row) => row.map(norm)); // |dL_s/dh_t|
  return a;
}
