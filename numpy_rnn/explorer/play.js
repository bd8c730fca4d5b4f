"use strict";
// Training, and the waves that run through the picture: one timer for both. With reduced motion, steps are larger.

const MOST_EPOCHS = Math.max(500, data.epochs); // the page keeps the weights of every epoch
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let timer;

function pause() {
  clearTimeout(timer);
  [find("train").textContent, find("play").textContent] = ["Train", "Play"];
  if (!view.wave) light([]);
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

/** Go on by some epochs, and train those that are not known yet. Return whether that was possible. */
function advance(epochs) {
  const target = Math.min(view.epoch + epochs, MOST_EPOCHS);
  while (trained() < target && trainEpoch(model));
  if (trained() < target) find("message").textContent = "The loss is not finite: try a smaller learning rate.";
  show({ epoch: Math.min(target, trained()) });
  return trained() >= target;
}

function train() {
  const end = Math.min(view.epoch < data.epochs ? data.epochs : view.epoch + data.epochs, MOST_EPOCHS);
  play("train", () => advance(calm.matches ? Math.min(10, end - view.epoch) : 1) && view.epoch < end, 40);
}

const FORWARD = ["E1", "R1", "R2", "L1", "C1 C2", "C3"], BACKWARD = ["C4", "L2", "R3", "R4", "R5 E2 L3 L4", "R6"];

/** Move the selected step through the picture, and at each step light up one equation after another. */
function wave() {
  const end = model.T - 1;
  const [all, by, first, last] = view.pass === "forward" ? [FORWARD, 1, 0, end] : [BACKWARD, -1, view.loss ?? end, 0];
  const phases = calm.matches ? [all.join(" ")] : all;
  let phase = 0, step = view.step === last ? first : view.step;
  play("play", () => {
    if (phase === phases.length) [phase, step] = [0, step + by];
    if (step < 0 || step >= model.T) return show({}); // nothing is ahead any more
    if (phase === 0) show({ step, wave: true });
    light(phases[phase].split(" "));
    phase += 1;
    return true;
  }, calm.matches ? 900 : 140);
}
