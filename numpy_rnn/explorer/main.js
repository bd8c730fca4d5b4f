"use strict";
// The controls: epoch, step, theme, and the keys.

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
  slider.setAttribute("aria-valuetext", `after epoch ${epoch}`);
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

/** What is drawn anew loses the focus: return a function that gives it back. */
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

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const moveStep = (by) => update({ step: clamp(state.step + by, 0, T - 1) });
const moveEpoch = (by) => update({ epoch: clamp(state.epoch + by, 0, snapshots.length - 1) });
const moveBack = (by) => update({ back: clamp(state.back + by, 0, state.loss) });
function moveLoss(by) {
  const loss = clamp(state.loss + by, 0, T - 1);
  update({ loss, back: Math.min(state.back, loss) });
}

const moveUnit = (by) => update({ unit: clamp(state.unit + by, 0, H - 1) });
const moveCharacter = (by) => update({ character: clamp(state.character + by, 0, V - 1) });

const KEYS = {
  ArrowLeft: () => moveStep(-1),
  ArrowRight: () => moveStep(1),
  ArrowUp: () => moveEpoch(1),
  ArrowDown: () => moveEpoch(-1),
  j: () => moveUnit(1),
  k: () => moveUnit(-1),
};
const SHIFT_KEYS = {
  ArrowLeft: () => moveBack(-1),
  ArrowRight: () => moveBack(1),
  ArrowUp: () => moveLoss(-1),
  ArrowDown: () => moveLoss(1),
  J: () => moveCharacter(1),
  K: () => moveCharacter(-1),
};

document.addEventListener("keydown", (event) => {
  hideTooltip();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = (event.shiftKey ? SHIFT_KEYS : KEYS)[event.key];
  if (!act || event.target === slider) return;  // the slider has keys of its own
  event.preventDefault();
  act();
});

slider.max = snapshots.length - 1;
slider.disabled = snapshots.length === 1;
slider.parentElement.hidden = data.epochs.length === 0; // a model alone
document.getElementById("same-scale").parentElement.hidden = snapshots.length === 1;
slider.addEventListener("pointerup", () => slider.blur()); // a drag leaves the arrows to the steps
slider.addEventListener("input", () => update({ epoch: Number(slider.value) }));
document.getElementById("previous").addEventListener("click", () => moveStep(-1));
document.getElementById("next").addEventListener("click", () => moveStep(1));
document.getElementById("same-scale").addEventListener("change", (event) => update({ sameScale: event.target.checked }));
document.getElementById("theme").addEventListener("click", () => {
  const dark = theme() === THEMES.dark;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  draw();
});
prefersDark.addEventListener("change", draw);
// Not "scroll": where lines wrap anew, the browser scrolls by itself to keep in place what is looked at.
for (const kind of ["wheel", "touchmove"]) addEventListener(kind, hideTooltip, { passive: true });

document.body.style.setProperty("--characters", V);
document.title = `Where every gradient comes from: ${data.reads.join("")}${data.follows[T - 1]}`;
draw();
