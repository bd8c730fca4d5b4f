"use strict";
// The controls: epoch, step, theme, and the keyboard.

const slider = document.getElementById("epoch");

function update(change) {
  Object.assign(state, change);
  if (change.step !== undefined && change.character === undefined) state.character = data.targets[state.step];
  hideTooltip();
  draw();
  if (change.step !== undefined) scrollToStep();
}

function draw() {
  const focus = rememberFocus();
  const opened = [...document.querySelectorAll("details")].map((details) => details.open);
  slider.value = state.epoch;
  const epoch = data.epochs[state.epoch] ?? "";
  slider.setAttribute("aria-valuetext", `after update ${epoch}`);
  document.getElementById("epoch-name").value = epoch;
  document.getElementById("loss").textContent = `loss ${data.losses[state.epoch].toFixed(4)}`;
  document.getElementById("step-name").textContent =
    `step ${state.step + 1} of ${T}: ${data.reads[state.step]} → ${data.follows[state.step]}`;
  drawNetwork();
  drawEquations();
  drawPaths();
  drawParameters();
  document.querySelectorAll("details").forEach((details, k) => { details.open = opened[k] ?? false; });
  focus();
}

/** Redrawn elements lose the focus: return a function that restores it. */
function rememberFocus() {
  const container = document.activeElement.closest("section [id]");
  if (!container) return () => {};
  const focusable = () => [...document.getElementById(container.id).querySelectorAll("button, summary, [tabindex]")];
  const i = focusable().indexOf(document.activeElement);
  return () => {
    if (i < 0) return;
    const there = focusable();
    const element = container.id === "network" ? container.querySelector(".chosen .time") : there[i] ?? there.at(-1);
    element.focus({ preventScroll: true });
  };
}

/** Add `by` to what is selected, as far as that is possible. */
function move(name, by) {
  const last = { step: T - 1, epoch: snapshots.length - 1, back: state.loss, loss: T - 1, unit: H - 1, character: V - 1 }[name];
  const value = Math.min(Math.max(state[name] + by, 0), last);
  update(name === "loss" ? { loss: value, back: Math.min(state.back, value) } : { [name]: value });
}

const KEYS = { ArrowLeft: ["step", -1], ArrowRight: ["step", 1], ArrowUp: ["epoch", 1], ArrowDown: ["epoch", -1],
  j: ["unit", 1], k: ["unit", -1] };
const SHIFT_KEYS = { ArrowLeft: ["back", -1], ArrowRight: ["back", 1], ArrowUp: ["loss", -1], ArrowDown: ["loss", 1],
  J: ["character", 1], K: ["character", -1] };

document.addEventListener("keydown", (event) => {
  hideTooltip();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const change = (event.shiftKey ? SHIFT_KEYS : KEYS)[event.key];
  if (!change || event.target === slider) return; // the slider has its own keys
  event.preventDefault();
  move(...change);
});

slider.max = snapshots.length - 1;
slider.disabled = snapshots.length === 1;
slider.parentElement.hidden = data.epochs.length === 0; // a single model
document.getElementById("same-scale").parentElement.hidden = snapshots.length === 1;
slider.addEventListener("pointerup", () => slider.blur()); // so that after a drag the arrow keys move the step
slider.addEventListener("input", () => update({ epoch: Number(slider.value) }));
document.getElementById("previous").addEventListener("click", () => move("step", -1));
document.getElementById("next").addEventListener("click", () => move("step", 1));
document.getElementById("same-scale").addEventListener("change", (event) => update({ sameScale: event.target.checked }));
document.getElementById("theme").addEventListener("click", () => {
  const dark = theme() === THEMES.dark;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  draw();
});
prefersDark.addEventListener("change", draw);
// Not "scroll": when lines wrap differently, the browser scrolls by itself to keep the view in place.
for (const kind of ["wheel", "touchmove"]) addEventListener(kind, hideTooltip, { passive: true });

document.body.style.setProperty("--characters", V);
document.title = `Where every gradient comes from: ${data.reads.join("")}${data.follows[T - 1]}`;
draw();
