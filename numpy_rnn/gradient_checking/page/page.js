"use strict";
// The lines of both passes, which of them belong together, and the time step that the reader selects.

const data = JSON.parse(document.getElementById("data").textContent);
const { lines, places, suspect } = data;
// The worst first.
const MARKS = { wrong: "✗", "follows from a wrong one": "↳", right: "✓", "not a gradient": "–" };
const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b);
const slider = document.getElementById("step"), panel = document.querySelector(".forward");

const mark = (verdict) => el("span", { class: "mark", role: "img", "aria-label": verdict, title: verdict }, MARKS[verdict]);

/** Text in which code is between backticks. */
const prose = (text) => text.split("`").map((piece, i) => (i % 2 ? el("code", {}, piece) : piece));

/** The characters `from` to `to` of a line of source. Spans are sorted from the left, outer ones first, and may nest. */
function source(characters, spans, from = 0, to = characters.length) {
  const nodes = [];
  const upTo = (end) => characters.slice(from, end).join("");
  while (spans.length && spans[0].start < to) {
    const { start, end, ...attributes } = spans.shift();
    nodes.push(upTo(start));
    from = Math.min(end, to);
    nodes.push(el("span", attributes, source(characters, spans, start, from)));
  }
  return [...nodes, upTo(to)];
}

/** An expression of forward, which knows the lines of backward that compute its gradient. */
const expression = (place, k) => ({ start: place.start, end: place.end, class: "place", "data-place": k, tabindex: 0,
  "data-lines": lines.flatMap((line, i) => (line.places.includes(k) ? i : [])).join(" ") });

/** "1–4" for consecutive steps, else "1, 3". */
const range = (own) => (own.length > 2 && own.at(-1) - own[0] === own.length - 1 ? `${own[0]}–${own.at(-1)}` : own.join(", "));

/** What a line of backward computes, the verdict unless it is right, and the steps unless these are all. */
function note(group, tabindex) {
  const { equals, steps: own, verdict } = lines[group[0]];
  const [gradient, place = ""] = (equals ?? "").split(/(?= \(line [^(]*\)$)/);
  const when = own.length && own.length < steps.length ? ` · t = ${range(own)}` : "";
  return el("div", { class: "note", "data-verdict": verdict, "data-lines": group.join(" "), tabindex }, mark(verdict),
    verdict === "right" && equals ? [] : el("b", {}, `${verdict}: `), group.map((i) => lines[i].quantity).join(", "),
    equals ? prose(`${gradient.startsWith("adds up to") ? "" : " ="} ${gradient}`) : [],
    place + when ? [" ", el("small", {}, (place + when).trim())] : []);
}

/** The notes of a line: one for each quantity that is a gradient, and one for all others with the same verdict and steps. */
function notes(own) {
  const groups = new Map();
  for (const i of own) {
    const { equals, verdict, steps } = lines[i];
    const key = equals ? i : `${verdict} ${steps}`;
    if (equals || verdict !== "not a gradient") groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  return [...groups.values()].map((group) => note(group, own.length > 1 && 0));
}

function drawRow(side, file, number, { text, tokens }) {
  const here = (item) => item.file === file && item.line === number;
  const spans = tokens.map(([start, end, kind]) => ({ start, end, class: kind }));
  const own = side === "backward" ? lines.flatMap((line, i) => (here(line) ? i : [])) : [];
  if (side === "forward") spans.push(...places.flatMap((place, k) => (here(place) ? expression(place, k) : [])));
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const told = notes(own);
  const indent = text.length - text.trimStart().length;
  return el("div", { class: "row", id: side === "backward" && suspect && here(suspect) && "suspected",
    "data-lines": own.length > 0 && own.join(" "), tabindex: own.length > 0 && 0 },
  el("span", { class: "verdict" }), el("span", { class: "number" }, String(number)),
  el("code", { style: `--indent: ${indent}ch` }, source([...text], spans)),
  told.length ? el("div", { class: "notes", style: `--indent: ${indent}ch` }, told) : []);
}

function drawPass(side) {
  const functions = data[side].map(({ file, first, rows }, k) => el("div", { class: "function" },
    file === data[side][k - 1]?.file ? [] : el("p", { class: "file" }, file),
    rows.map((row, i) => drawRow(side, file, first + i, row))));
  document.getElementById(side).append(...functions);
}

const isNow = (i) => slider.value === "0" || !lines[i].steps.length || lines[i].steps.includes(steps[slider.value - 1]);
const linesOf = (element) => (element?.dataset.lines ?? "").split(" ").filter(Boolean).filter(isNow).map(Number);
const all = (selector) => [...document.querySelectorAll(selector)];

/** Show the quantities of the selected time step. Those that are computed only once belong to all steps. */
function showStep() {
  const name = slider.value === "0" ? "all steps" : `t = ${steps[slider.value - 1]}`;
  document.getElementById("step-name").value = name;
  slider.setAttribute("aria-valuetext", name);
  for (const element of all(".note")) element.hidden = !linesOf(element).length;
  for (const element of all(".place")) element.classList.toggle("idle", !linesOf(element).length);
  for (const element of all(".row[data-lines]")) {
    const found = linesOf(element).map((i) => lines[i].verdict);
    const worst = Object.keys(MARKS).find((verdict) => found.includes(verdict));
    element.dataset.verdict = worst ?? "";
    element.querySelector(".verdict").replaceChildren(worst ? mark(worst) : "");
  }
  light(pointed);
}

/** The element on the other side that belongs to this one: lines of backward for an expression, or the reverse. */
function partners(element) {
  const own = linesOf(element);
  if (!element.matches(".place")) return own.flatMap((i) => lines[i].places).flatMap((k) => all(`[data-place="${k}"]`));
  return own.flatMap((i) => all(`.row[data-lines~="${i}"], .note[data-lines~="${i}"]`));
}

let pointed = null; // the element that the reader points at

function light(element) {
  pointed = element;
  for (const lit of all(".lit")) lit.classList.remove("lit");
  if (!element) return;
  const others = partners(element);
  for (const lit of [element, element.closest(".backward .row"), ...others]) lit?.classList.add("lit");
  if (!others.length || element.matches(".place")) return;
  const { top, bottom } = others[0].getBoundingClientRect(), frame = panel.getBoundingClientRect();
  if (top < frame.top || bottom > frame.bottom) panel.scrollTop += top - (frame.top + frame.bottom) / 2;
}

const pointable = (target) => target?.closest?.("[data-lines]");
const point = (event) => light(pointable(event.target) ?? pointable(document.activeElement));
for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, point);

function go(event) {
  const element = pointable(event.target);
  if (element && (event.type === "click" || event.key === "Enter")) {
    partners(element)[0]?.scrollIntoView({ block: "nearest" });
  }
}
for (const kind of ["click", "keydown"]) document.addEventListener(kind, go);

/** The panel of forward is below the controls and ends with the window, however far the page is scrolled. */
function fit() {
  panel.style.setProperty("--bar", `${document.querySelector(".controls").offsetHeight}px`);
  panel.style.setProperty("--top", `${Math.round(panel.getBoundingClientRect().top)}px`);
}
for (const kind of ["scroll", "resize"]) addEventListener(kind, fit, { passive: true });

document.title = `Backward pass of ${data.label}`;
document.getElementById("label").textContent = data.label;
document.getElementById("summary").textContent = [data.summary, data.note].filter(Boolean).join("\n");
document.getElementById("verdicts").append(...Object.keys(MARKS).map((verdict) =>
  el("li", { "data-verdict": verdict }, mark(verdict), verdict)));
if (suspect) {
  const when = suspect.step === null ? "" : `, t = ${suspect.step}`;
  const card = document.getElementById("suspect");
  card.append(mark("wrong"), el("a", { href: "#suspected" }, `Suspect: line ${suspect.line} of ${suspect.file}${when}`),
    el("code", {}, suspect.source), el("p", {}, prose(suspect.explanation)));
  card.hidden = false;
}
drawPass("forward");
drawPass("backward");
slider.max = steps.length;
slider.addEventListener("input", showStep);
document.getElementById("steps").hidden = steps.length < 2;
showStep();
fit();
