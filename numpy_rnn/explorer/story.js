"use strict";
// Six stops on the way from one step forward to a gradient that reaches back over a whole text.

const LAST_EPOCH = 100; // of the story's training

/** |dL/dh_1| of the last loss as a share of |dL/dh_T|, after some epochs. */
function survives(epoch) {
  const last = trace(model.history[epoch], model.tokens, model.targets).norms.at(-1);
  return last[0] / last.at(-1);
}

const sign = (token) => quoted(model.signs[token]);
const at = (t) => `step ${t + 1}`;

// `go`: what the page shows at a stop. `text` is written when it does, so numbers in it are those of the page.
const STOPS = [
  { title: "One step forward",
    go: () => show({ epoch: 0, pass: "forward", loss: null, step: Math.min(4, model.T - 1) }),
    text: () => `The model is not trained yet. At ${at(view.step)} it reads ${sign(model.tokens[view.step])} and
      [looks up|E1] the vector of that character. It [adds|R1] four summands, one of which is what it remembers of the
      text so far, and [squashes|R2] the sum into its new state. From the state it computes a [score|L1] for every
      character, and turns the scores into [probabilities|C1 C2]. Press Play to watch it read the whole text.` },
  { title: "How wrong is it?",
    go: () => show({ epoch: 0, pass: "forward", loss: null, step: Math.min(4, model.T - 1), wave: false }),
    text: () => `The next character is ${sign(model.targets[view.step])}, and the model gives it a probability of
      ${number(items.p[view.step][model.targets[view.step]])}. The [loss|C3] of this step is minus the logarithm of
      that, ${number(items.losses[view.step])}. A model that knows nothing would give each of the ${model.V} characters
      the same probability and have a loss of log ${model.V} = ${number(Math.log(model.V))}. L is the mean over all
      steps: ${number(items.loss)}.` },
  { title: "One step back",
    go: () => show({ epoch: 0, pass: "backward", loss: Math.min(4, model.T - 1), step: Math.min(4, model.T - 1) }),
    text: () => `Which change would make this one loss smaller? The answer starts with [p − onehot|C4]: lower every
      score, except that of the next character. [The transpose of W|L2] turns this into a gradient of the state, and
      the [slope of tanh|R4] into a gradient of the sum z. Times [what each weight was multiplied with|R5 L3], it is
      this step's part of the gradient of the weights.` },
  { title: "Back through time",
    go: () => show({ epoch: 0, pass: "backward", loss: null, step: model.T - 1 }),
    text: () => `A state is also read by the next step, so its gradient has [a second term|R3], from all later losses.
      Each colour is one loss, and the width of an arrow is the norm of the gradient that it carries. Press Play to send
      the gradient back. Every step multiplies it by [the slope and W_hh|R4 R3]. Of the last loss,
      ${number(survives(0))} arrives at the first state, ${model.T - 1} steps back.` },
  { title: "A hundred updates",
    go: () => { trainTo(LAST_EPOCH); show({ epoch: model.history.length - 1, pass: "forward", loss: null, step: model.T - 1 }); },
    text: () => `[Adam|A1 A2 A3] has changed the weights ${model.history.length - 1} times, each time against the
      gradient. The mean loss went from ${number(model.losses[0])} to ${number(items.loss)}. Starting from
      ${sign(model.tokens[0])}, the model now writes “${written(view.epoch)}”. Move the epoch slider to see how it got
      there.` },
  { title: "a--------a", story: true,
    go: () => { trainTo(LAST_EPOCH); show({ epoch: view.epoch || 0, pass: "backward", loss: model.T - 1, step: 0 }); },
    text: () => `To know when the dashes end, the model must count them from the first letter, but the gradient has to
      reach that letter first. Before training, ${number(survives(0))} of the last loss's gradient [survives|R3 R4]
      eight steps back. After ${model.history.length - 1} updates, ${number(survives(model.history.length - 1))} of it
      does: training has turned the weights into a path on which the gradient lasts.` },
];

let stop = 0, own; // the current stop; the settings of the reader's text while stop 6 shows its own

/** Train without showing it. */
function trainTo(epoch) {
  while (model.history.length <= epoch && trainEpoch(model));
}

function goTo(index) {
  stop = Math.min(Math.max(index, 0), STOPS.length - 1);
  const inStory = model.text === data.models[1].text && own;
  if (STOPS[stop].story && !inStory) {
    own = settings();
    load({ text: data.models[1].text, hidden: data.models[1].sizes.H, lr: 0.01, seed: 0 });
  } else if (!STOPS[stop].story && inStory) {
    load(own);
    own = undefined;
  }
  pause();
  STOPS[stop].go();
  drawStory();
}

function drawStory() {
  const { title, text, story } = STOPS[stop], trained = model.history.length - 1;
  const epoch = (name, epoch) => el("button", { type: "button", onclick: () => show({ epoch }), "data-focus": name }, name);
  document.getElementById("story-title").textContent = `${stop + 1}. ${title}`;
  document.getElementById("story-text").replaceChildren(...prose(text()));
  document.getElementById("story-buttons").replaceChildren(...(story ? [epoch("before training", 0), epoch("after training", trained)] : []));
  document.getElementById("stops").replaceChildren(...STOPS.map((other, i) => el("button", { type: "button",
    "aria-label": `stop ${i + 1}: ${other.title}`, "aria-current": i === stop && "step", "data-focus": `stop ${i}`,
    onclick: () => goTo(i) }, String(i + 1))));
}
