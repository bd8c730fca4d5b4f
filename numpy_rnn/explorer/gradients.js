"use strict";
// How strongly each loss pulls at each state, and what each step adds to the gradient of each parameter.

function drawPulls() {
  const { T } = model, signs = model.tokens.map((token) => model.signs[token]);
  const values = array(T * T, (k) => items.norms[Math.floor(k / T)][k % T]), limit = largest(values.filter((x) => x));
  const axis = (side, names, selected) => el("div", { class: side, "aria-hidden": "true" },
    thin(names).map((name, i) => el("span", { class: i === selected && "chosen" }, name)));
  document.getElementById("pulls").replaceChildren(
    el("div", { class: "axes" },
      axis("losses", signs.map((sign, s) => `${sign} → ${model.signs[model.targets[s]]}`), view.loss),
      grid({
        values, rows: T, columns: T, scale: "size", limit, mark: [view.loss ?? T - 1, view.step], class: "square",
        "data-labels": "R3", name: `the gradient of each loss with respect to each state: ${T} by ${T} norms`,
        say: (s, t) => `|dL_${s + 1}/dh_${t + 1}| = ${values[s * T + t]}`,
        click: (s, t) => show({ loss: s, step: t, pass: "backward" }),
      }),
      axis("states", signs, view.step)),
    legend("size", limit, "norm (log scale)"));
}

/** From the followed loss back to the selected state. */
function drawLeft() {
  const s = view.loss, t = view.step, place = document.getElementById("left");
  if (s === null || view.pass === "forward") return place.replaceChildren();
  const first = items.norms[s][s], end = items.norms[s][t], steps = s - t;
  return place.replaceChildren(math(`|∂L_${s + 1}/∂h_${t + 1}|`), ` = ${number(end)}`, ...(steps ? [
    ": ", el("b", {}, first ? number(end / first) : "0"), ` of the gradient at h`, el("sub", {}, s + 1),
    ` is left after ${steps} step${steps > 1 ? "s" : ""} back.`] : [": this is where the loss enters."]));
}

const PARAMETERS = {
  "embedding.weight": { symbol: "C", labels: "E2", sum: "dx_t" },
  "rnn.weight_ih_l0": { symbol: "W_ih", labels: "R5", sum: "dz_t x_t^T" },
  "rnn.weight_hh_l0": { symbol: "W_hh", labels: "R5", sum: "dz_t h_{t-1}^T" },
  "rnn.bias_ih_l0": { symbol: "b_ih", labels: "R5", sum: "dz_t" },
  "rnn.bias_hh_l0": { symbol: "b_hh", labels: "R5", sum: "dz_t" },
  "fc.weight": { symbol: "W", labels: "L3", sum: "dlogits_t h_t^T" },
  "fc.bias": { symbol: "b", labels: "L4", sum: "dlogits_t" },
};

/** What step t adds: the outer product of two vectors, or the second vector alone if there is no first. */
function factors(name, t) {
  const { dz, dx, dlogits, x, h } = items;
  return {
    "embedding.weight": [array(model.V, (v) => (v === model.tokens[t] ? 1 : 0)), dx[t]],
    "rnn.weight_ih_l0": [dz[t], x[t]], "rnn.weight_hh_l0": [dz[t], h[t]],
    "rnn.bias_ih_l0": [null, dz[t]], "rnn.bias_hh_l0": [null, dz[t]],
    "fc.weight": [dlogits[t], h[t + 1]], "fc.bias": [null, dlogits[t]],
  }[name];
}

function drawParameter() {
  const name = view.parameter, { symbol, labels, sum } = PARAMETERS[name], t = view.step;
  const [left, top] = factors(name, t), gradient = items.gradients[name], flat = left === null;
  const where = name === "embedding.weight" || name.startsWith("fc.") ? (r) => quoted(model.signs[r]) : String;
  const cell = (r, c) => (flat ? `[${where(c)}]` : `[${where(r)}, ${c}]`);
  const picture = (id, title, what, values, product = "") => {
    const list = values.flat(), columns = top.length;
    const say = (r, c) => `${what}${cell(r, c)} = ${flat || !product ? "" : product(r, c)}${list[r * columns + c]}`;
    return el("figure", { id, "data-labels": labels }, el("figcaption", {}, title),
      grid({ values: list, rows: list.length / columns, columns, name: what, class: flat ? "flat" : "matrix", say }),
      legend("signed", largest(list)));
  };
  document.getElementById("parameter-view").replaceChildren(
    picture("gradient", [math(`d${symbol}`), ", the gradient: the sum over all steps"], `d${symbol}`, gradient),
    picture("contribution", [label(labels), math(sum), `, what step ${t + 1} adds to it`], `step ${t + 1}: d${symbol}`,
      flat ? top : outer(left, top), (r, c) => `${left[r]} × ${top[c]} = `));
}
