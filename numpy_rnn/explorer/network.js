"use strict";
// The network unrolled over the text: one column per step.

function drawNetwork() {
  const place = document.getElementById("network");
  const scrolled = place.scrollLeft;
  const most = Math.max(...snapshots.map((snapshot) => largest(snapshot.losses)));
  const names = el("div", { class: "column names", "aria-hidden": "true" },
    el("span", { class: "time" }, "step t"),
    el("span", { class: "reads" }, "reads"),
    el("span", { class: "strip" }, el("span", {}, math("state h_t"))),
    el("span", { class: "distribution" }, data.characters.map((character) => el("span", {}, character))),
    el("span", { class: "next" }, "next is"),
    el("span", { class: "loss" }, el("span", {}, "loss")));
  const columns = data.reads.map((character, t) => {
    const p = row("p", t);
    const loss = now().losses[t];
    const guess = data.characters[p.indexOf(Math.max(...p))];
    const right = guess === data.follows[t];
    const h = row("h", t + 1);
    return el("div", {
      class: t === state.step ? "column step chosen" : "column step",
      onclick: () => update({ step: t }),
      "data-step": t,
    },
    el("button", {
      type: "button", class: "time", "aria-pressed": String(t === state.step),
      "aria-label": `step ${t + 1}: reads ${character}, next is ${data.follows[t]}, loss ${number(loss)}`,
    }, String(t + 1)),
    el("span", { class: "reads" }, character),
    grid({
      values: h, rows: H, columns: 1, limit: 1, className: "strip", name: `h_${t + 1}, ${H} numbers`,
      say: (i) => `h_${t + 1}[${i}] = ${h[i]}`, mark: [state.unit, 0],
      click: (i) => update({ unit: i, step: t }),
    }),
    grid({
      values: p, rows: V, columns: 1, scale: "share", limit: 1, className: "distribution", mark: [data.targets[t], 0],
      name: `probability of each next character at step ${t + 1}`,
      say: (v) => `p_${t + 1}[${quoted(data.characters[v])}] = ${p[v]}`,
      click: (v) => update({ character: v, step: t }),
    }),
    el("span", { class: "next" }, data.follows[t],
      el("span", { class: right ? "guess right" : "guess", title: `prediction: ${guess}` }, right ? "✓" : `✗ ${guess}`)),
    el("span", { class: "loss", title: `-log p = ${loss}` },
      el("span", { class: "fill", style: `height:${(100 * loss) / most}%` }), el("span", {}, loss.toFixed(3))));
  });
  place.replaceChildren(names, ...columns);
  place.scrollLeft = scrolled;
  document.getElementById("network-legend").replaceChildren(
    legend("signed", 1, "state"), legend("share", 1, "probability"));
}

/** Scroll the selected column into view, without scrolling the page. */
function scrollToStep() {
  const place = document.getElementById("network");
  const column = place.querySelector(".step.chosen");
  const names = place.querySelector(".names").offsetWidth;
  const left = column.offsetLeft - place.offsetLeft;
  if (left - names < place.scrollLeft) place.scrollLeft = left - names - column.offsetWidth;
  const right = left + 2 * column.offsetWidth - place.clientWidth;
  if (right > place.scrollLeft) place.scrollLeft = right;
}
