"use strict";
// The s x t heatmap, and the path from one loss back to one state.

function drawPaths() {
  const norms = now()["pair norms"];
  const limit = largest(state.sameScale ? snapshots.map((snapshot) => largest(snapshot["pair norms"])) : norms);
  const values = Array.from({ length: T * T }, (_, k) => {
    const s = Math.floor(k / T), t = k % T;
    return t <= s ? norms[pair(s, t)] : NaN;
  });
  const { loss, back } = state;
  document.getElementById("pairs").replaceChildren(
    el("div", { class: "axes", style: `--steps:${T}` },
      el("div", { class: "losses", "aria-hidden": "true" }, thin(data.reads.map((character, s) => `${character} → ${data.follows[s]}`)).map((name, s) =>
        el("span", { class: s === loss ? "chosen" : "" }, name))),
      grid({
        values, rows: T, columns: T, scale: "size", limit, mark: [loss, back], className: "square",
        name: `the gradient of each loss with respect to each state: ${T} by ${T} norms`,
        say: (s, t) => `|dL_${s + 1}/dh_${t + 1}| = ${values[s * T + t]}`,
        click: (s, t) => update({ loss: s, back: t }),
      }),
      el("div", { class: "states", "aria-hidden": "true" }, thin(data.reads).map((name, t) =>
        el("span", { class: t === back ? "chosen" : "" }, name)))),
    legend("size", limit, "norm, in powers of ten"));
  document.getElementById("path").replaceChildren(...path(loss, back));
}

function path(s, t) {
  const norms = now()["pair norms"], sigma = now()["largest singular value"];
  const first = norms[pair(s, s)];
  const peak = Math.max(...Array.from({ length: s - t + 1 }, (_, k) => norms[pair(s, t + k)]));
  const vector = (r) => row("pairs", pair(s, r));
  const lines = [];
  for (let r = s; r >= t; r -= 1) {
    const n = r + 1, norm = norms[pair(s, r)], start = r === s;
    const values = vector(r);
    const width = norm > 0 ? Math.max(0, 100 * (1 + Math.log10(norm / peak) / DECADES)) : 0;
    lines.push(el("tr", { "data-state": r },
      el("td", {}, label(start ? "L2" : "R4"), start ? "" : label("R3")),
      el("td", {}, math(start ? `∂L_${s + 1}/∂h_${n} = W^T dlogits_${n}` : `∂L_${s + 1}/∂h_${n} = J_${n + 1}^T ∂L_${s + 1}/∂h_${n + 1}`)),
      el("td", { class: "letter" }, data.reads[r], el("sub", {}, n)),
      el("td", { class: "factor" }, start ? "" : norms[pair(s, r + 1)] > 0 ? `× ${number(norm / norms[pair(s, r + 1)])}` : "–"),
      el("td", { class: "sigma" }, start ? "" : number(sigma[r + 1])),
      el("td", { class: "norm", title: String(norm) }, number(norm),
        el("span", { class: "fill", style: `width:${width}%` })),
      el("td", {}, grid({
        values, rows: 1, columns: H, name: `the gradient at state ${n}`, mark: [0, state.unit],
        say: (_, i) => `(dL_${s + 1}/dh_${n})[${i}] = ${values[i]}`, click: (_, i) => update({ unit: i }),
      }))));
  }
  const end = norms[pair(s, t)];
  const steps = s - t;
  return [
    el("h3", {}, `From the loss at step ${s + 1} (${data.reads[s]} → ${data.follows[s]}) back to `, math(`h_${t + 1}`),
      ` (after ${quoted(data.reads[t])})`),
    el("p", { class: "words" }, "Each step back multiplies by ", math("J_r^T = W_{hh}^T diag(1 - h_r^2)"), ", the Jacobian ",
      math("∂h_r/∂h_{r-1}"), " transposed. The factor is what that does to the norm; it is at most σ, the Jacobian's "
      + "largest singular value. Each vector has a scale of its own."),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {},
      ["equation", "gradient", "after", "factor", "at most σ", "norm", "vector"]
        .map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, lines))),
    el("p", { class: "numbers", id: "left" }, steps === 0 ? "No step back: this is where the loss enters."
      : `${number(end)} / ${number(first)} = `, steps === 0 ? "" : el("b", {}, first ? number(end / first) : "0"),
    steps === 0 ? "" : ` ${end > first ? "times as much" : "of it"} is left after ${steps} step${steps > 1 ? "s" : ""} back.`),
  ];
}
