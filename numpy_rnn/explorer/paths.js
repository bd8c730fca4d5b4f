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
      axis("losses", data.reads.map((character, s) => `${character} → ${data.follows[s]}`), loss),
      grid({
        values, rows: T, columns: T, scale: "size", limit, mark: [loss, back], className: "square",
        name: `the gradient of each loss with respect to each state: ${T} by ${T} norms`,
        say: (s, t) => `|dL_${s + 1}/dh_${t + 1}| = ${values[s * T + t]}`,
        click: (s, t) => update({ loss: s, back: t }),
      }),
      axis("states", data.reads, back)),
    legend("size", limit, "norm (log scale)"));
  document.getElementById("path").replaceChildren(...path(loss, back));
}

/** The labels along one side of the heatmap. */
function axis(side, names, selected) {
  return el("div", { class: side, "aria-hidden": "true" },
    thin(names).map((name, i) => el("span", { class: i === selected ? "chosen" : "" }, name)));
}

function path(s, t) {
  const norms = now()["pair norms"], sigma = now()["largest singular value"];
  const norm = (r) => norms[pair(s, r)];
  const first = norm(s), end = norm(t), steps = s - t;
  const peak = Math.max(...Array.from({ length: steps + 1 }, (_, k) => norm(t + k)));
  const lines = [];
  for (let r = s; r >= t; r -= 1) {
    const n = r + 1, start = r === s, values = row("pairs", pair(s, r));
    const width = norm(r) > 0 ? Math.max(0, 100 * (1 + Math.log10(norm(r) / peak) / DECADES)) : 0;
    lines.push(el("tr", { "data-state": r },
      el("td", {}, label(start ? "L2" : "R4"), start ? "" : label("R3")),
      el("td", {}, math(`∂L_${s + 1}/∂h_${n} = ` + (start ? `W^T dlogits_${n}` : `J_${n + 1}^T ∂L_${s + 1}/∂h_${n + 1}`))),
      el("td", { class: "letter" }, data.reads[r], el("sub", {}, n)),
      el("td", { class: "factor" }, start ? "" : norm(r + 1) > 0 ? `× ${number(norm(r) / norm(r + 1))}` : "–"),
      el("td", { class: "sigma" }, start ? "" : number(sigma[r + 1])),
      el("td", { class: "norm", title: String(norm(r)) }, number(norm(r)),
        el("span", { class: "fill", style: `width:${width}%` })),
      el("td", {}, grid({
        values, rows: 1, columns: H, name: `the gradient at state ${n}`, mark: [0, state.unit],
        say: (_, i) => `(dL_${s + 1}/dh_${n})[${i}] = ${values[i]}`, click: (_, i) => update({ unit: i }),
      }))));
  }
  return [
    el("h3", {}, `From the loss at step ${s + 1} (${data.reads[s]} → ${data.follows[s]}) back to `, math(`h_${t + 1}`),
      ` (after ${quoted(data.reads[t])})`),
    words("Each step back multiplies the gradient by", math("J_r^T = W_{hh}^T diag(1 - h_r^2),"),
      "the transpose of the Jacobian", math("∂h_r/∂h_{r-1}."), "“Factor” is the ratio of the norms. It is at most σ, the "
      + "largest singular value of the Jacobian. Each vector has its own colour scale."),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {},
      ["equation", "gradient", "after", "factor", "at most σ", "norm", "vector"]
        .map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, lines))),
    el("p", { class: "numbers", id: "left" }, ...(steps === 0 ? ["No step back: this is where the loss enters."]
      : [`${number(end)} / ${number(first)} = `, el("b", {}, first ? number(end / first) : "0"),
        ` ${end > first ? "times as much" : "of it"} is left after ${steps} step${steps > 1 ? "s" : ""} back.`])),
  ];
}
