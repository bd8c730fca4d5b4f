"use strict";
// textbook.py beside the page, and what belongs together: when the reader points at anything that has a label such as
// R1, everything with that label lights up: equations, arrows, lines of textbook.py, words.

const labelsOf = (line) => [...line.matchAll(/\(([A-Z]\d)\)/g)].map((match) => match[1]);

/** The lines of textbook.py that compute an equation. */
const sourceOf = (name) => data.source.filter((s) => labelsOf(s).includes(name)).map((s) => s.trim()).join("\n");

function drawSource() {
  document.getElementById("source").append(...data.source.map((line) => {
    const names = labelsOf(line), [, code, comment = ""] = line.match(/^(.*?)(#.*)?$/);
    return el("div", { class: "row", "data-labels": names.join(" ") || false, tabindex: names.length ? 0 : false },
      code || " ", el("span", { class: "comment" }, comment));
  }));
}

/** Text in which [a word|R1] belongs to the equation R1. */
const prose = (text) => text.split(/(\[.*?\|.*?\])/).map((piece) => {
  const [, word, labels] = piece.match(/^\[(.*)\|(.*)\]$/) ?? [];
  return word ? el("span", { class: "word", tabindex: 0, "data-labels": labels }, word) : piece;
});

let lit = []; // the labels that light up
function light(labels) {
  lit = labels;
  for (const element of document.querySelectorAll("[data-labels]")) {
    element.classList.toggle("lit", element.dataset.labels.split(" ").some((name) => labels.includes(name)));
  }
  const source = document.getElementById("source"), row = source.querySelector(".lit");
  if (!row || source.matches(":hover, :focus-within")) return;
  const [inside, around] = [row, source].map((element) => element.getBoundingClientRect());
  if (inside.top < around.top || inside.bottom > around.bottom) {
    source.scrollTop += inside.top - around.top - source.clientHeight / 3; // scrolls the panel, not the page
  }
}

for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const element = event.target.closest("[data-labels]");
    if (kind === "focusin" && !event.target.matches(":focus-visible")) return; // a click, which points already
    if (element) light(element.dataset.labels.split(" "));
    else if (!view.wave) light([]);
  });
}

for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, (event) => {
    const { say } = event.target.dataset;
    if (say) showTooltip(say, event);
    else if (!event.target.closest(".grid")) hideTooltip();
  });
}
