"use strict";
// The network unrolled over the text, a column for each step. Forward, it shows the states, and arrows along which
// the numbers go. Backward, the same picture shows gradients, of all losses or of one: the width of an arrow is the
// norm of the gradient that it carries, and its colour tells from which loss it comes.

// px: a column, the names on the left, and half of a vector with some room
const WIDTH = 62, MARGIN = 66, HALF = 12;

/** Top, height and end of each row of the picture, in px. */
function rows() {
  const heights = { loss: 44, next: 38, p: Math.min(Math.max(11 * model.V, 50), 150), L1: 40, h: 108, R1: 36, x: 36,
    E1: 22, reads: 28, time: 28, left: 18 };
  let top = 2;
  const place = ([name, height]) => [name, { top, height, end: (top += height) }];
  return Object.fromEntries(Object.entries(heights).map(place));
}

/** The vectors of each step, from the top: where they are, their values by step, the largest, and their equations. */
function strips() {
  const s = view.loss, { p, h, x } = items, d = s === null ? "d" : `dL_${s + 1}/d`;
  let { dlogits, dh, dx } = items;
  if (s !== null) {
    dlogits = dlogits.map((dy, t) => (t === s ? dy : dy.map(() => 0)));
    dh = dh.map((all, t) => items.dh_by_loss[s][t] ?? all.map(() => 0));
    dx = dh.map((dh_t, t) => times(transposed(weights()["rnn.weight_ih_l0"]), throughTanh(dh_t, h[t + 1])));
  }
  const all = view.pass === "forward" ? [
    { row: "p", symbol: "p", values: p, limit: 1, scale: "share", labels: "C1 C2" },
    { row: "h", symbol: "h", values: h.slice(1), limit: 1, labels: "R2" },
    { row: "x", symbol: "x", values: x, labels: "E1" },
  ] : [
    { row: "p", symbol: `${d}logits`, values: dlogits, labels: "C4" },
    { row: "h", symbol: `${d}h`, values: dh, labels: "R3 R4" },
    { row: "x", symbol: `${d}x`, values: dx, labels: "R6 E2" },
  ];
  return all.map((one) => ({ scale: "signed", limit: largest(one.values.flat()), ...one }));
}

const centre = (t) => MARGIN + WIDTH * (t + 0.5);
const lossColour = (s) => `hsl(${Math.round((300 * s) / model.T)} 62% ${themeName() === "dark" ? 62 : 44}%)`;

/** During a wave, what it has not reached yet. */
const ahead = (t) => (view.wave && (view.pass === "forward" ? t > view.step : t < view.step) ? "ahead" : "");

function drawFlow() {
  const place = find("network"), at = rows(), scrolled = place.scrollLeft, vectors = strips();
  const width = MARGIN + WIDTH * model.T, height = at.left.end;
  const head = svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9,
    markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M 0 0 L 8 4 L 0 8 z" }));
  place.replaceChildren(el("div", { class: "stage", style: `width:${width}px;height:${height}px` },
    columnNames(at, vectors), array(model.T, (t) => column(t, at, vectors)),
    svg("svg", { width, height, class: "arrows", "aria-hidden": "true" }, head,
      view.pass === "forward" ? forwardArrows(at) : backwardArrows(at, vectors[2]))));
  place.scrollLeft = scrolled;
  find("network-legend").replaceChildren(
    ...vectors.map(({ scale, limit, symbol }) => legend(scale, limit, symbol)));
}

const box = ({ top, height }) => `top:${top}px;height:${height}px`;

function columnNames(at, vectors) {
  const name = (row, content) => el("span", { style: box(at[row]), class: row }, content);
  const last = view.pass === "forward" ? "" : view.loss === null ? "|dh|" : "left";
  return el("div", { class: "names", "aria-hidden": "true" }, name("loss", "loss"), name("next", "next is"),
    vectors.map(({ row, symbol }) => (row === "p" && model.V <= 40
      ? el("span", { class: "letters", style: box(at.p) }, model.signs.map((sign) => el("span", {}, sign)))
      : name(row, symbol))), name("reads", "reads"), name("time", "step"), name("left", last));
}

function column(t, at, vectors) {
  const { signs, tokens, targets } = model, n = t + 1, loss = items.losses[t], reads = signs[tokens[t]];
  const follows = signs[targets[t]], guess = signs[argmax(items.p[t])], right = guess === follows;
  const back = view.pass === "backward", norms = items.norms[view.loss];
  const marks = { p: [back ? view.character : targets[t], 0], h: [view.unit, 0] };
  const keys = { p: "character", h: "unit" };
  const put = (tag, row, attributes, ...children) => el(tag, { ...attributes, style: box(at[row]) }, children);
  return el("div", { class: `column ${t === view.step ? "chosen" : ""} ${ahead(t)}`, "data-step": t,
    style: `left:${MARGIN + WIDTH * t}px;width:${WIDTH}px`, onclick: () => show({ step: t }) },
  put("span", "loss", { class: "loss", "data-labels": "C3", title: `-log p = ${loss}` },
    el("span", { class: "fill", style: `height:${Math.min(24, 6 * loss)}px;background:${lossColour(t)}` }),
    el("span", {}, loss.toFixed(3))),
  put("span", "next", { class: "next" }, follows,
    el("small", { class: right ? "guess" : "guess wrong" }, right ? "✓" : `✗ ${guess}`)),
  vectors.map(({ row, symbol, values, limit, scale, labels }) => grid({
    values: values[t], rows: values[t].length, columns: 1, limit, scale, mark: marks[row], "data-labels": labels,
    name: `${symbol}_${n}, ${values[t].length} numbers`, style: box(at[row]), class: "strip",
    say: (i) => `${symbol}_${n}[${row === "p" ? quoted(signs[i]) : i}] = ${values[t][i]}`,
    click: (i) => show({ step: t, ...(keys[row] && { [keys[row]]: i }) }),
  })),
  put("span", "reads", { class: "reads", "data-labels": "E1" }, reads),
  put("button", "time", { class: "time", "data-focus": `step ${t}`, "aria-pressed": String(t === view.step),
    "aria-label": `step ${n}: reads ${reads}, next is ${follows}, loss ${number(loss)}` }, n),
  put("span", "left", { class: "left" }, !back ? "" : !norms ? number(norm(items.dh[t]))
    : t <= view.loss && norms[view.loss] ? number(norms[t] / norms[view.loss]) : ""));
}

function forwardArrows(at) {
  const middle = at.h.top + at.h.height / 2;
  return array(model.T, (t) => {
    const x = centre(t), chosen = t === view.step;
    const arrow = (labels, d) => svg("path", { d, class: `arrow ${chosen ? "chosen" : ""} ${ahead(t)}`,
      "data-labels": labels, "marker-end": "url(#head)" });
    const names = [["W_ih", x + 6, at.R1.top + 22], ["W_hh", x - WIDTH + HALF + 1, middle - 7],
      ["W", x + 6, at.L1.top + 24]];
    return [
      arrow("E1", `M ${x} ${at.reads.top} V ${at.x.end + 2}`),
      arrow("R1", `M ${x} ${at.x.top - 2} V ${at.h.end + 2}`),
      arrow("R1", `M ${x - WIDTH + HALF} ${middle} H ${x - HALF}`),
      arrow("L1", `M ${x} ${at.h.top - 2} V ${at.p.end + 2}`),
      chosen ? names.map(([name, left, top]) => svg("text", { x: left, y: top }, name)) : []].flat();
  }).flat();
}

/** The outline of an arrow to the left: its right end with its upper corner and width, and its left end. */
function leftward(x1, y1, w1, x2, y2, w2) {
  const x = (x1 + x2) / 2, tip = Math.min(6, 1 + w2 / 2);
  return `M ${x1} ${y1} C ${x} ${y1} ${x} ${y2} ${x2} ${y2} l ${-tip} ${w2 / 2} l ${tip} ${w2 / 2} `
    + `C ${x} ${y2 + w2} ${x} ${y1 + w1} ${x1} ${y1 + w1} z`;
}

const downward = (x, w, top, end) => `M ${x - w} ${top} V ${end - 7} L ${x} ${end} L ${x + w} ${end - 7} V ${top} z`;

function backwardArrows(at, { values: dx, symbol }) {
  const { T } = model, { norms } = items, losses = view.loss === null ? array(T, (s) => s) : [view.loss];
  const totals = array(T + 1, (t) => sum(losses.map((s) => norms[s]?.[t] ?? 0))); // of what arrives at each state
  const own = (t) => (losses.includes(t) ? norms[t][t] : 0);
  const scale = Math.min(at.h.height / largest(totals), (WIDTH - 14) / largest([...array(T, own), ...dx.map(norm)]));
  const arrow = (s, t, labels, d) => svg("path", { d, class: `band ${ahead(t)}`, fill: lossColour(s),
    "data-labels": labels, "data-loss": s, "data-say": `|dL_${s + 1}/dh_${t + 1}| = ${norms[s][t]}` });
  return array(T, (t) => {
    const x = centre(t), down = (norm, top, end) => downward(x, (norm * scale) / 2, top, end);
    // From the next state, the arrows of all later losses, on top of each other: the nearest loss is the topmost.
    let left = at.h.top + (at.h.height - (totals[t] - own(t)) * scale) / 2;
    let right = at.h.top + (at.h.height - totals[t + 1] * scale) / 2;
    const later = losses.filter((s) => s > t).map((s) => {
      const [w1, w2] = [norms[s][t + 1] * scale, norms[s][t] * scale];
      const d = leftward(x + WIDTH - HALF, right, w1, x + HALF, left, w2);
      [left, right] = [left + w2, right + w1];
      return arrow(s, t, "R3 R4", d);
    });
    const size = norm(dx[t]), fill = view.loss === null ? "var(--flow)" : lossColour(view.loss);
    const toX = svg("path", { d: down(size, at.h.end, at.x.top), class: `band ${ahead(t)}`, fill, "data-labels": "R6",
      "data-say": `|${symbol}_${t + 1}| = ${size}` });
    return [own(t) ? arrow(t, t, "L2", down(own(t), at.L1.top, at.h.top - 1)) : [], later, toX].flat();
  }).flat();
}

/** Scroll the selected column into view, without scrolling the page. */
function scrollToStep() {
  const place = find("network"), left = MARGIN + WIDTH * view.step;
  const least = left + 2 * WIDTH - place.clientWidth, most = left - WIDTH - MARGIN;
  place.scrollLeft = Math.min(Math.max(place.scrollLeft, least), most);
}
