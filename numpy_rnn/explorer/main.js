"use strict";
// What the page shows, and the controls that change it.

const view = { epoch: 0, step: 0, unit: 0, character: 0, loss: null, pass: "forward", parameter: "rnn.weight_hh_l0", wave: false };
// Steps, states and losses count from 0 here and from 1 on the page. loss: the one that is followed back, null for all.
// wave: whether a wave is running through the picture, up to the selected step.

const MOST_EPOCHS = 500; // the page keeps the weights of every epoch
const find = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const form = find("form"), epochSlider = find("epoch"), stepSlider = find("step"), follow = find("follow");
let model, items, shownText;

const weights = () => model.history[view.epoch];
const settings = () => ({ text: model.text, hidden: model.hidden, lr: model.lr, seed: model.seed });
const written = (epoch) => generate(model.history[epoch], model.tokens[0], model.T + 1).map((i) => model.signs[i]).join("");

/** Show a new model, untrained. */
function load(chosen) {
  pause();
  model = newModel(chosen);
  for (const name of ["text", "hidden", "lr", "seed"]) form[name].value = model[name] ?? "";
  form.hidden.disabled = form.seed.disabled = model.seed === null;
  shownText = form.text.value; // an input drops line breaks
  const losses = model.targets.map((_, s) => el("option", { value: s }, `loss ${s + 1}`));
  follow.replaceChildren(el("option", { value: "" }, "all losses"), ...losses);
  find("character").replaceChildren(...model.signs.map((sign, v) => el("option", { value: v }, sign)));
  find("unit").max = model.H - 1;
  stepSlider.max = model.T;
  document.title = `Where every gradient comes from: ${[...model.text].map(visible).join("")}`;
  find("message").textContent = "";
  show({ epoch: 0, step: Math.min(4, model.T - 1), unit: 0, loss: null });
}

/** Change what is shown, and draw. */
function show(change) {
  const limit = (x, most) => Math.min(Math.max(x, 0), most);
  Object.assign(view, { wave: false }, change);
  view.step = limit(view.step, model.T - 1);
  view.epoch = limit(view.epoch, model.history.length - 1);
  view.unit = limit(view.unit, model.H - 1);
  if (view.loss !== null && view.loss < view.step) view.loss = view.step; // no path leads from a loss to a later state
  if (change.step !== undefined && change.character === undefined) view.character = model.targets[view.step];
  if (change.epoch !== undefined) items = trace(weights(), model.tokens, model.targets);
  draw();
  if (change.step !== undefined) scrollToStep();
}

function draw() {
  const focus = document.activeElement?.dataset.focus;
  hideTooltip();
  drawControls();
  drawFlow();
  drawEquations();
  drawPulls();
  drawLeft();
  drawParameter();
  light(view.wave ? lit : []);
  if (focus) document.querySelector(`[data-focus="${focus}"]`)?.focus({ preventScroll: true }); // drawn anew, it has lost it
}

function drawControls() {
  const { epoch, step } = view, trained = model.history.length - 1;
  model.losses[epoch] = items.loss;
  Object.assign(epochSlider, { max: trained, value: epoch, disabled: trained === 0 });
  find("epoch-name").textContent = `epoch ${epoch} of ${trained}, loss ${number(items.loss)}`;
  stepSlider.value = step + 1;
  find("step-name").textContent = `step ${step + 1} of ${model.T}: ${model.signs[model.tokens[step]]} → ${model.signs[model.targets[step]]}`;
  for (const pass of ["forward", "backward"]) find(pass).checked = view.pass === pass;
  Object.assign(follow, { value: view.loss ?? "" });
  find("unit").value = view.unit;
  find("character").value = view.character;
  const text = [...model.text].map(visible);
  find("generated").replaceChildren(...[...written(epoch)].map((sign, i) => el("span", { class: sign !== text[i] && "wrong" }, sign)));
  drawCurve(trained);
}

function drawCurve(trained) {
  const end = Math.max(trained, data.epochs), { losses } = model, most = Math.max(...losses);
  const point = (k) => `${(200 * k) / end} ${37 - (33 * losses[k]) / most}`;
  const [x, y] = point(view.epoch).split(" ");
  find("curve").replaceChildren(svg("path", { d: `M ${losses.map((_, k) => point(k)).join(" L ")}` }), svg("circle", { cx: x, cy: y, r: 3 }));
  find("curve-ends").replaceChildren(el("span", {}, "0"), el("span", {}, String(end)));
}

// Playing: one timer, for training or for a wave.

let timer = null;

function pause() {
  clearTimeout(timer);
  timer = null;
  find("train").textContent = "Train";
  find("play").textContent = "Play";
}

/** Call `tick` again and again until it returns false; a second press of the button pauses. */
function play(button, tick, delay) {
  const pressed = find(button).textContent === "Pause";
  pause();
  if (pressed) return;
  find(button).textContent = "Pause";
  const again = () => { if (tick()) timer = setTimeout(again, delay); else pause(); };
  again();
}

/** Go on by some epochs: those that are known are shown again, the others are trained. Return whether that was possible. */
function advance(epochs) {
  const target = Math.min(view.epoch + epochs, MOST_EPOCHS);
  while (model.history.length <= target && trainEpoch(model));
  const reached = target < model.history.length;
  if (!reached) find("message").textContent = "The loss is not finite. Training has stopped: try a smaller learning rate.";
  show({ epoch: Math.min(target, model.history.length - 1) });
  return reached;
}

function train() {
  const end = Math.min(view.epoch < data.epochs ? data.epochs : view.epoch + data.epochs, MOST_EPOCHS);
  play("train", () => advance(calm.matches ? Math.min(10, end - view.epoch) : 1) && view.epoch < end, 40);
}

const WAVES = { forward: ["E1", "R1", "R2", "L1", "C1 C2", "C3"], backward: ["C4", "L2", "R3", "R4", "R5 E2 L3 L4", "R6"] };

function wave() {
  const by = view.pass === "forward" ? 1 : -1, last = by > 0 ? model.T - 1 : 0;
  const phases = calm.matches ? [WAVES[view.pass].join(" ")] : WAVES[view.pass];
  let phase = 0;
  play("play", () => {
    if (phase === phases.length) {
      if (view.step === last) return show({});
      phase = 0;
      show({ step: view.step + by, wave: true });
    } else if (!view.wave) show({ step: view.step === last ? (by > 0 ? 0 : view.loss ?? model.T - 1) : view.step, wave: true });
    light(phases[phase].split(" "));
    phase += 1;
    return true;
  }, calm.matches ? 900 : 140);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { text, hidden, lr, seed } = form;
  try {
    own = undefined;
    load({ text: text.value === shownText ? model.text : text.value, hidden: Number(hidden.value), lr: Number(lr.value),
      seed: model.seed === null ? null : Number(seed.value) });
    goTo(stop < 4 ? stop : 0);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    find("message").textContent = error.message;
  }
});

const clicks = {
  train, play: wave, rewind: () => { pause(); show({ epoch: 0 }); }, back: () => { pause(); show({ epoch: view.epoch - 1 }); },
  on: () => { pause(); advance(1); }, previous: () => { pause(); show({ step: view.step - 1 }); },
  next: () => { pause(); show({ step: view.step + 1 }); }, "story-back": () => goTo(stop - 1), "story-next": () => goTo(stop + 1),
  theme: () => { document.documentElement.dataset.theme = themeName() === "dark" ? "light" : "dark"; draw(); },
};
for (const [id, act] of Object.entries(clicks)) find(id).addEventListener("click", act);
for (const pass of ["forward", "backward"]) find(pass).addEventListener("change", () => { pause(); show({ pass }); });
epochSlider.addEventListener("input", () => { pause(); show({ epoch: Number(epochSlider.value) }); });
stepSlider.addEventListener("input", () => { pause(); show({ step: Number(stepSlider.value) - 1 }); });
follow.addEventListener("change", () => {
  const loss = follow.value === "" ? null : Number(follow.value);
  show({ loss, pass: "backward", step: Math.min(view.step, loss ?? view.step) });
});
find("unit").addEventListener("input", (event) => show({ unit: Math.trunc(Number(event.target.value)) || 0 }));
find("character").addEventListener("input", (event) => show({ character: Number(event.target.value) }));
find("parameter").append(...Object.keys(PARAMETERS).map((name) => el("option", { value: name, selected: name === view.parameter }, name)));
find("parameter").addEventListener("input", (event) => show({ parameter: event.target.value }));
find("network").addEventListener("click", (event) => {
  const band = event.target.closest("[data-loss]");
  if (band) show({ loss: view.loss === null ? Number(band.dataset.loss) : null, step: view.step });
});
prefersDark.addEventListener("change", draw);
document.addEventListener("keydown", hideTooltip);
for (const kind of ["wheel", "touchmove"]) addEventListener(kind, hideTooltip, { passive: true });

drawSource();
load({ text: data.models[0].text, hidden: data.models[0].sizes.H, lr: data.lr, seed: data.models[0].seed });
goTo(0);
