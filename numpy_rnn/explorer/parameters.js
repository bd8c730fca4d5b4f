"use strict";
// One parameter: its gradient, what the selected step contributes to it, and what truncation would lose.

function drawParameters() {
  document.getElementById("tabs").replaceChildren(...Object.entries(PARAMETERS).map(([name, { symbol }]) =>
    el("button", {
      type: "button", "aria-pressed": String(name === state.parameter), "data-parameter": name,
      onclick: () => update({ parameter: name }),
    }, math(symbol.replace("_ih", "_{ih}").replace("_hh", "_{hh}")), el("small", {}, name))));
  document.getElementById("parameter").replaceChildren(...parameter(state.parameter, state.step));
}

/** What step t contributes: the outer product of two vectors, or the second vector alone if there is no first. */
function factors(name, t) {
  const n = t + 1, dz = row("dz", t), dy = row("dlogits", t);
  const onehot = Float64Array.from({ length: V }, (_, v) => (v === data.tokens[t] ? 1 : 0));
  return {
    "embedding.weight": [onehot, row("dx", t), "onehot(token_t)", `dx_${n}`],
    "rnn.weight_ih_l0": [dz, row("embedding.weight", data.tokens[t]), `dz_${n}`, `x_${n}`],
    "rnn.weight_hh_l0": [dz, row("h", t), `dz_${n}`, `h_${n - 1}`],
    "rnn.bias_ih_l0": [[1], dz, "", `dz_${n}`],
    "rnn.bias_hh_l0": [[1], dz, "", `dz_${n}`],
    "fc.weight": [dy, row("h", n), `dlogits_${n}`, `h_${n}`],
    "fc.bias": [[1], dy, "", `dlogits_${n}`],
  }[name];
}

function parameter(name, t) {
  const { symbol, label: reference, rows, columns, units } = PARAMETERS[name];
  const n = t + 1, index = Object.keys(PARAMETERS).indexOf(name), flat = rows === 1;
  const gradient = now()[`d ${name}`];
  const [left, top, leftName, topName] = factors(name, t);
  const outer = Float64Array.from({ length: rows * columns }, (_, k) =>
    left[Math.floor(k / columns)] * top[k % columns]);
  const norms = row("contribution norms", index), lost = row("truncation lost", index), angle = row("truncation angle", index);
  const where = name === "embedding.weight" || name.startsWith("fc.") ? (i) => quoted(data.characters[i]) : String;
  const cell = (r, c) => (flat ? `[${where(c)}]` : `[${where(r)}, ${c}]`);
  const most = Math.max(1, largest(lost));
  const click = units && ((r, c) => update({ unit: units === "rows" ? r : c }));
  return [
    el("div", { class: "pair" },
      el("figure", { id: "gradient" },
        el("figcaption", {}, math(`d${symbol}`), ", the gradient: the sum over all steps"),
        grid({
          values: gradient, rows, columns, className: flat ? "flat" : "", name: `gradient of ${name}`, click,
          say: (r, c) => `d${symbol}${cell(r, c)} = ${gradient[r * columns + c]}`,
        }), legend("signed", largest(gradient))),
      el("figure", { id: "contribution" },
        el("figcaption", {}, label(reference), math(flat ? topName : `${leftName} ${topName}^T`),
          `, what step ${n} adds to it`),
        el("div", { class: flat ? "" : "outer" },
          flat ? "" : [
            grid({ values: top, rows: 1, columns, className: "top", name: topName,
              say: (_, c) => `${topName}[${c}] = ${top[c]}` }),
            grid({ values: left, rows, columns: 1, className: "left", name: leftName,
              say: (r) => `${leftName}[${where(r)}] = ${left[r]}` })],
          grid({
            values: outer, rows, columns, className: flat ? "flat product" : "product", click,
            name: `contribution of step ${n} to ${name}`,
            say: (r, c) => flat ? `${topName}${cell(r, c)} = ${outer[c]}`
              : `${leftName}[${where(r)}] × ${topName}[${c}] = ${left[r]} × ${top[c]} = ${outer[r * columns + c]}`,
          })), legend("signed", largest(outer)))),
    el("div", { class: "pair" },
      el("figure", {},
        el("figcaption", {}, "norm of each step's contribution (click a bar to select the step)"),
        bars({
          values: norms, names: thin(data.reads), mark: t, name: "norm of each step's contribution", id: "norms",
          say: (k) => `step ${k + 1} (${data.reads[k]}): ${norms[k]}`, click: (k) => update({ step: k }),
        })),
      el("figure", { id: "truncation" },
        el("figcaption", {}, "what truncation costs: the relative error of the gradient if each loss is sent back only k steps"),
        bars({
          values: lost, names: thin(data.reads.map((_, k) => String(k + 1)), 36 / String(T).length), limit: most,
          name: "what truncation costs", top: `${number(100 * most)} %`,
          say: (k) => `k = ${k + 1}: relative error ${number(100 * lost[k])} %, direction ${number(angle[k])}° off`,
        }))),
  ];
}
