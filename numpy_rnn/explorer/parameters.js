"use strict";
// The gradient of one parameter, and what the selected step adds to it: a vector, or the outer product of two.

/** For each parameter: its symbol, the label and the formula of what a step adds, and the vectors of step t. */
function terms(t) {
  const { dz, dx, dlogits, x, h } = items, onehot = array(model.V, (v) => (v === model.tokens[t] ? 1 : 0));
  return {
    "embedding.weight": ["C", "E2", "onehot(token_t) dx_t^T", dx[t], onehot],
    "rnn.weight_ih_l0": ["W_ih", "R5", "dz_t x_t^T", x[t], dz[t]],
    "rnn.weight_hh_l0": ["W_hh", "R5", "dz_t h_{t-1}^T", h[t], dz[t]],
    "rnn.bias_ih_l0": ["b_ih", "R5", "dz_t", dz[t]],
    "rnn.bias_hh_l0": ["b_hh", "R5", "dz_t", dz[t]],
    "fc.weight": ["W", "L3", "dlogits_t h_t^T", h[t + 1], dlogits[t]],
    "fc.bias": ["b", "L4", "dlogits_t", dlogits[t]],
  };
}

function drawParameter() {
  const name = view.parameter, [symbol, labels, formula, top, left] = terms(view.step)[name], n = view.step + 1;
  const where = (i) => (/embedding|fc/.test(name) ? quoted(model.signs[i]) : i);
  const cell = (r, c) => (left ? `${where(r)}, ${c}` : where(c));
  const picture = (id, title, what, matrix, product = () => "") => {
    const values = matrix.flat(), columns = top.length;
    return el("figure", { id, "data-labels": labels }, el("figcaption", {}, title),
      grid({ values, rows: values.length / columns, columns, name: what, class: left ? "matrix" : "flat",
        say: (r, c) => `${what}[${cell(r, c)}] = ${product(r, c)}${values[r * columns + c]}` }),
      legend("signed", largest(values)));
  };
  find("parameter-view").replaceChildren(
    picture("gradient", [math(`d${symbol}`), ", the sum over all steps"], `d${symbol}`, items.gradients[name]),
    picture("contribution", [label(labels), math(formula), `, what step ${n} adds`], `step ${n}: d${symbol}`,
      left ? outer(left, top) : top, left && ((r, c) => `${left[r]} × ${top[c]} = `)));
}
