"use strict";
// What the page shows, and the controls that change it. Steps and losses count from 0 here and from 1 on the page.
// loss: the one that is followed back, null for all. wave: whether one runs through the picture, up to the step.
const view = { epoch: 0, step: 0, unit: 0, character: 0, loss: null, pass: "forward", parameter: NAMES[2] };
const find = (id) => document.getElementById(id), form = find("form");
let model, items, shownText;

const weights = () => model.history[view.epoch];
const trained = () => model.history.length - 1; // the last epoch
const settings = () => ({ text: model.text, size: model.size, lr: model.lr, seed: model.seed });
const written = (epoch) => generate(model.history[epoch], model.tokens[0], model.T + 1).map((i) => model.signs[i]);

/** Show a new model, untrained. */
function load(chosen) {
  pause();
  model = newModel(chosen);
  for (const name of ["text", "size", "lr", "seed"]) form[name].value = model[name] ?? "";
  form.size.disabled = form.seed.disabled = model.seed === null;
  shownText = form.text.value; // an input drops line breaks
  const options = (names) => names.map((name, i) => el("option", { value: i }, name));
  const losses = model.targets.map((_, s) => `loss ${s + 1}`);
  find("follow").replaceChildren(el("option", { value: "" }, "all losses"), ...options(losses));
  find("character").replaceChildren(...options(model.signs));
  [find("unit").max, find("step").max, form.size.max] = [model.H - 1, model.T, Math.max(64, model.size)];
  document.title = `Where every gradient comes from: ${[...model.text].map(visible).join("")}`;
  find("message").textContent = "";
  show({ epoch: 0, step: Math.min(4, model.T - 1), unit: 0, loss: null });
}

/** Change what is shown, and draw. */
function show(change) {
  Object.assign(view, { wave: false }, change);
  for (const [name, most] of [["step", model.T - 1], ["epoch", trained()], ["unit", model.H - 1]]) {
    view[name] = Math.min(Math.max(view[name], 0), most);
  }
  if (view.loss !== null) view.loss = Math.max(view.loss, view.step); // no path leads from a loss to a later state
  if (change.step !== undefined && change.character === undefined) view.character = model.targets[view.step];
  if (change.epoch !== undefined) items = trace(weights(), model.tokens, model.targets);
  draw();
  if (change.step !== undefined) scrollToStep();
}

function draw() {
  const focus = document.activeElement.dataset.focus;
  hideTooltip();
  for (const part of [drawControls, drawFlow, drawEquations, drawParameter]) part();
  light(lit);
  if (focus) document.querySelector(`[data-focus="${focus}"]`)?.focus({ preventScroll: true }); // it was drawn anew
}

function drawControls() {
  const { epoch, step, pass, loss, unit, character } = view, text = [...model.text].map(visible);
  model.losses[epoch] = items.loss;
  Object.assign(find("epoch"), { max: trained(), value: epoch, disabled: trained() === 0 });
  find("epoch-name").textContent = `epoch ${epoch} of ${trained()}, loss ${number(items.loss)}`;
  find("step-name").textContent = `step ${step + 1} of ${model.T}: ${text[step]} → ${text[step + 1]}`;
  const values = { step: step + 1, follow: loss ?? "", unit, character };
  for (const [id, value] of Object.entries(values)) find(id).value = value;
  find(pass).checked = true;
  const letter = (sign, i) => el("span", { class: sign !== text[i] && "wrong" }, sign);
  find("generated").replaceChildren(...written(epoch).map(letter));
  const end = Math.max(trained(), data.epochs), most = Math.max(...model.losses);
  const points = model.losses.map((y, k) => [(200 * k) / end, 37 - (33 * y) / most]), [cx, cy] = points[epoch];
  find("curve").replaceChildren(svg("path", { d: `M ${points.join(" L ")}` }), svg("circle", { cx, cy, r: 3 }));
  find("curve-end").textContent = end;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [size, lr, seed] = [form.size, form.lr, form.seed].map((field) => Number(field.value));
  const text = form.text.value === shownText ? model.text : form.text.value;
  try {
    load({ text, size, lr, seed: model.seed === null ? null : seed });
    own = null;
    goTo(stop < 4 ? stop : 0); // the later stops train at once
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    find("message").textContent = error.message;
  }
});

const follow = (loss) => show({ pass: "backward", loss, step: Math.min(view.step, loss ?? model.T) });

/** What a control does, unless training or a wave is to go on. */
const acts = {
  click: {
    rewind: () => show({ epoch: 0 }), back: () => show({ epoch: view.epoch - 1 }), on: () => advance(1),
    previous: () => show({ step: view.step - 1 }), next: () => show({ step: view.step + 1 }),
    "story-back": () => goTo(stop - 1), "story-next": () => goTo(stop + 1),
    theme: () => { document.documentElement.dataset.theme = themeName() === "dark" ? "light" : "dark"; draw(); },
  },
  input: {
    epoch: (value) => show({ epoch: Number(value) }), step: (value) => show({ step: value - 1 }),
    forward: () => show({ pass: "forward" }), backward: () => show({ pass: "backward" }),
    follow: (value) => follow(value ? Number(value) : null), parameter: (value) => show({ parameter: value }),
    unit: (value) => show({ unit: Math.trunc(value) || 0 }), character: (value) => show({ character: Number(value) }),
  },
};
for (const [kind, byId] of Object.entries(acts)) {
  for (const [id, act] of Object.entries(byId)) {
    find(id).addEventListener(kind, (event) => { pause(); act(event.target.value); });
  }
}
find("train").addEventListener("click", train);
find("play").addEventListener("click", wave);
find("network").addEventListener("click", (event) => {
  const { loss } = event.target.dataset; // of an arrow
  if (loss !== undefined) follow(view.loss === null ? Number(loss) : null);
});
find("parameter").append(...NAMES.map((name) => el("option", { selected: name === view.parameter }, name)));
prefersDark.addEventListener("change", draw);
for (const kind of ["keydown", "wheel", "touchmove"]) addEventListener(kind, hideTooltip, { passive: true });

drawSource();
load({ text: data.models[0].text, size: data.models[0].sizes.H, lr: data.lr, seed: data.models[0].seed });
goTo(0);
