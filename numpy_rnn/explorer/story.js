"use strict";
// Six stops on the way from one step forward to a gradient that reaches back over a whole text.

/** How much of the gradient of the last loss is left at the first state, after some epochs. */
function survives(epoch) {
  const last = trace(model.history[epoch], model.tokens, model.targets).norms.at(-1);
  return last[0] / last.at(-1);
}

const sign = (token) => quoted(model.signs[token]), early = () => Math.min(4, model.T - 1);

// `shows`: what the page shows at a stop. The text is written when it does, with the numbers of the page.
const STOPS = [
  { title: "One step forward", shows: () => ({ epoch: 0, pass: "forward", loss: null, step: early() }),
    text: () => `The model is not trained yet. At step ${view.step + 1} it reads ${sign(model.tokens[view.step])} and
      [looks up|E1] the vector of that character. It [adds|R1] four summands, one of which is what it remembers of the
      text so far, and [squashes|R2] the sum into its new state. From the state it computes a [score|L1] for every
      character, and turns the scores into [probabilities|C1 C2]. Press Play to watch it read the whole text.` },
  { title: "How wrong is it?", shows: () => ({ epoch: 0, pass: "forward", loss: null, step: early() }),
    text: () => `The next character is ${sign(model.targets[view.step])}, and the model gives it a probability of
      ${number(items.p[view.step][model.targets[view.step]])}. The [loss|C3] of this step is minus the logarithm of
      that, ${number(items.losses[view.step])}. A model that gives all ${model.V} characters the same probability has
      a loss of log ${model.V} = ${number(Math.log(model.V))} at every step. L is the mean over all steps,
      ${number(items.loss)}.` },
  { title: "One step back", shows: () => ({ epoch: 0, pass: "backward", loss: early(), step: early() }),
    text: () => `Which change would make this one loss smaller? The answer starts with [p − onehot|C4]: lower every
      score, except that of the next character. [The transpose of W|L2] turns this into a gradient of the state, and
      the [slope of tanh|R4] into a gradient of the sum z. Times [what each weight was multiplied with|R5 L3], it is
      this step's part of the gradient of the weights.` },
  { title: "Back through time", shows: () => ({ epoch: 0, pass: "backward", loss: null, step: model.T - 1 }),
    text: () => `A state is also read by the next step, so its gradient has [a second term|R3], from all later losses.
      Each colour is one loss, and the width of an arrow is the norm of the gradient that it carries. Press Play to
      send the gradient back. Every step multiplies it by [the slope and W_hh|R4 R3]. Of the gradient of the last
      loss, ${number(survives(0))} is left at the first state, ${model.T - 1} steps back.` },
  { title: "A hundred updates", shows: () => ({ epoch: trainAll(), pass: "forward", loss: null, step: model.T - 1 }),
    text: () => `[Adam|A1 A2 A3] has updated the weights ${trained()} times to make the loss smaller. It went from
      ${number(model.losses[0])} to ${number(items.loss)}. Starting from ${sign(model.tokens[0])}, the model now
      writes “${written(view.epoch).join("")}”. Move the epoch slider to see how it got there.` },
  { title: "a--------a", shows: () => ({ epoch: trainAll() && 0, pass: "backward", loss: model.T - 1, step: 0 }),
    text: () => `To know when the dashes end, the model must count them from the first letter. It learns this only
      from a gradient that reaches back that far. Before training, ${number(survives(0))} of the gradient of the last
      loss [survives|R3 R4] the eight steps back to the first letter. After ${trained()} updates,
      ${number(survives(trained()))} of it does.` },
];

let stop = 0, own = null; // the current stop; the settings of the reader's text while the last stop shows its own
const isLast = () => stop === STOPS.length - 1;

/** Train for the story, without showing it, and return the last epoch. */
function trainAll() {
  while (trained() < 100 && trainEpoch(model));
  return trained();
}

function goTo(index) {
  stop = Math.min(Math.max(index, 0), STOPS.length - 1);
  if (isLast() && !own) {
    own = settings();
    load({ text: data.models[1].text, size: data.models[1].sizes.H, lr: 0.01, seed: 0 });
  } else if (own && !isLast()) {
    load(own);
    own = null;
  }
  show(STOPS[stop].shows());
  drawStory();
}

function drawStory() {
  const { title, text } = STOPS[stop], goToEpoch = (epoch) => () => { pause(); show({ epoch }); };
  find("story-title").textContent = `${stop + 1}. ${title}`;
  find("story-text").replaceChildren(...prose(text()));
  find("story-buttons").replaceChildren(...(isLast() ? [["before training", 0], ["after training", trained()]] : [])
    .map(([name, epoch]) => el("button", { type: "button", onclick: goToEpoch(epoch) }, name)));
  find("stops").replaceChildren(...STOPS.map((other, i) => el("button", { type: "button", onclick: () => goTo(i),
    "aria-label": `stop ${i + 1}: ${other.title}`, "aria-current": i === stop && "step" }, i + 1)));
}
