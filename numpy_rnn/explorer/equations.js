"use strict";
// The equations of the selected step in the selected pass, with their numbers filled in.

const label = (name) => el("span", { class: "label" }, name);
const words = (...parts) => el("p", { class: "words" }, parts.flatMap((part) => [part, " "]));

function drawEquations() {
  const [title, cards] = view.pass === "forward" ? ["Forward", forwardCards] : ["Backward", backwardCards];
  find("equations-title").textContent = `${title} at step ${view.step + 1}`;
  find("equations").replaceChildren(...cards(view.step));
}

/** An equation, and the line of textbook.py with its label (shown where textbook.py itself is not beside). */
function equation(name, formula, ...parts) {
  return el("article", { class: "equation", "data-labels": name },
    el("h3", {}, name.split(" ").map(label), math(formula)), parts,
    el("code", { class: "line" }, sourceOf(name.split(" ")[0])));
}

/** The equation for one element: "symbol[at] = expression = result". */
function worked(symbol, at, expression, result) {
  return el("p", { class: "numbers" }, math(symbol), at === null ? " = " : `[${at}] = `, expression, " = ",
    el("b", {}, number(result)));
}

/** A sum of named terms: each number has its name below it. */
const summands = (...terms) => terms.map(([name, x], i) =>
  el("span", { class: "summand" }, `${i ? "+ " : ""}${i ? term(x) : number(x)}`, el("small", {}, math(name))));

/** Named vectors below each other, on one colour scale. kind: "hidden", "embedding" or "character". */
function vectors(kind, list, limit = Math.max(...list.map(([, values]) => largest(values))), scale = "signed") {
  const [key, selected] = { hidden: ["unit", view.unit], character: ["character", view.character] }[kind] ?? [];
  const named = (name, cells) => el("div", { class: "vector" }, el("span", { class: "vector-name" }, name), cells);
  const place = (i) => (kind === "character" ? quoted(model.signs[i]) : i);
  const lines = list.map(([name, values]) => named(math(name), grid({
    values, rows: 1, columns: values.length, limit, scale, name: `${name}, ${values.length} numbers`,
    say: (_, i) => `${name}[${place(i)}] = ${values[i]}`,
    mark: key && [0, selected], click: key && ((_, i) => show({ [key]: i })),
  })));
  const signs = model.signs.map((sign) => el("span", {}, sign));
  const letters = kind === "character" && model.V <= 40 ? named("", el("div", { class: "letters" }, signs)) : "";
  return el("div", { class: "vectors" }, lines, letters, legend(scale, limit));
}

function forwardCards(t) {
  const n = t + 1, i = view.unit, v = view.character, w = weights(), at = quoted(model.signs[v]);
  const { x, z, h, W_ih_x, W_hh_h, logits, p, losses } = items, y = logits[t], most = Math.max(...y);
  const [b_ih, b_hh, b, Wh] = [w["rnn.bias_ih_l0"], w["rnn.bias_hh_l0"], w["fc.bias"], times(w["fc.weight"], h[n])];
  const e = y.map((y_v) => Math.exp(y_v - most));
  const token = model.tokens[t], target = model.targets[t];
  return [
    equation("E1", "x_t = C[token_t]",
      words(`The step reads ${quoted(model.signs[token])}, which is token ${token}: x is that row of C.`),
      vectors("embedding", [[`x_${n}`, x[t]]])),
    equation("R1", "z_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}",
      vectors("hidden", [[`W_ih x_${n}`, W_ih_x[t]], ["b_ih", b_ih], [`W_hh h_${t}`, W_hh_h[t]], ["b_hh", b_hh],
        [`z_${n}`, z[t]]]),
      worked(`z_${n}`, i, summands([`W_{ih} x_${n}`, W_ih_x[t][i]], ["b_{ih}", b_ih[i]],
        [`W_{hh} h_${t}`, W_hh_h[t][i]], ["b_{hh}", b_hh[i]]), z[t][i])),
    equation("R2", "h_t = tanh z_t",
      vectors("hidden", [[`h_${n}`, h[n]]], 1), worked(`h_${n}`, i, `tanh ${term(z[t][i])}`, h[n][i])),
    equation("L1", "logits_t = W h_t + b",
      vectors("character", [[`W h_${n}`, Wh], ["b", b], [`logits_${n}`, y]]),
      worked(`logits_${n}`, at, summands([`W h_${n}`, Wh[v]], ["b", b[v]]), y[v])),
    equation("C1", "e_t = exp(logits_t - max logits_t)",
      worked(`e_${n}`, at, `exp(${number(y[v])} − ${term(most)})`, e[v])),
    equation("C2", "p_t = e_t / Σ e_t",
      vectors("character", [[`p_${n}`, p[t]]], 1, "share"),
      worked(`p_${n}`, at, `${number(e[v])} / ${number(sum(e))}`, p[t][v])),
    equation("C3", "L = Σ_t L_t,  L_t = -1/N log p_t[target_t]",
      words(`The next character is ${quoted(model.signs[target])}. N = ${model.T} is the number of predictions.`),
      worked(`L_${n}`, null, `−1/${model.T} log ${number(p[t][target])} = ${number(losses[t])} / ${model.T}`,
        losses[t] / model.T)),
  ];
}

function backwardCards(t) {
  const n = t + 1, i = view.unit, v = view.character, last = n === model.T, at = quoted(model.signs[v]);
  const { p, h, dlogits, dh_local, dh_future, dh, dz, dx } = items, local = dh_local[t], future = dh_future[t];
  const onehot = v === model.targets[t] ? 1 : 0, sent = t > 0 ? dh_future[t - 1] : items.dh_0;
  return [
    equation("C4", "dlogits_t = (p_t - onehot(target_t)) / N",
      vectors("character", [[`dlogits_${n}`, dlogits[t]]]),
      worked(`dlogits_${n}`, at, `(${number(p[t][v])} − ${onehot}) / ${model.T}`, dlogits[t][v])),
    equation("L2", "doutput_t = W^T dlogits_t",
      words("The gradient of this step's own loss with respect to the state."),
      vectors("hidden", [[`doutput_${n}`, local]])),
    equation("R3", last ? "dh_t = doutput_t" : "dh_t = doutput_t + W_{hh}^T dz_{t+1}",
      words(last ? "This is the last step: no later step adds to the gradient."
        : "Two terms: the gradient from this step's loss, and the gradient from all later steps."),
      vectors("hidden", [["this loss", local], ["later steps", future], [`dh_${n}`, dh[t]]]),
      worked(`dh_${n}`, i, summands(["this loss", local[i]], ["later steps", future[i]]), dh[t][i])),
    equation("R4", "dz_t = dh_t * (1 - h_t^2)",
      vectors("hidden", [[`dh_${n}`, dh[t]], [`dz_${n}`, dz[t]]]),
      worked(`dz_${n}`, i, `${term(dh[t][i])} × (1 − ${term(h[n][i])}²)`, dz[t][i])),
    equation("R6", "dx_t = W_{ih}^T dz_t", vectors("embedding", [[`dx_${n}`, dx[t]]])),
    equation(t > 0 ? "R3 R6" : "R6", t > 0 ? `W_{hh}^T dz_${n}` : "dh_0 = W_{hh}^T dz_1",
      t > 0 ? words(`This is sent back to step ${t}, where it is the second term of`, math(`dh_${t}.`))
        : words("The gradient with respect to the initial state. The text begins here, so nothing uses it."),
      vectors("hidden", [[t > 0 ? `to dh_${t}` : "dh_0", sent]])),
  ];
}
