"use strict";
// The model on the page: its initial weights, and its parameters after each epoch of training.

const data = JSON.parse(document.getElementById("data").textContent); // see __init__.py

/** Signs for characters that cannot be seen, as in numpy_rnn/display/terminal.py. */
function visible(character) {
  const signs = { " ": "␣", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "⍽" };
  if (signs[character]) return signs[character];
  if (character < " ") return String.fromCodePoint(0x2400 + character.codePointAt(0));
  return /[\p{C}\p{M}\p{Z}]/u.test(character) ? "\ufffd" : character;
}

/** Random numbers from a seed, by Park and Miller's minimal standard generator. These are not NumPy's. */
function generator(seed) {
  let state = (seed % 2147483646) + 1;
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < 10; i += 1) next(); // small seeds begin with small numbers
  return {
    uniform: (low, high) => low + (high - low) * next(),
    normal: () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** The weights that Python put into the page: float64, little-endian, one parameter after another, in base64. */
function decode({ weights, sizes: { V, E, H } }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const numbers = Array.from(new Float64Array(bytes.buffer)); let start = 0;
  const take = (n, m) => (m === undefined ? numbers.slice(start, start += n) : array(n, () => take(m)));
  const arrays = [take(V, E), take(H, E), take(H, H), take(H), take(H), take(V, H), take(V)];
  return Object.fromEntries(NAMES.map((name, i) => [name, arrays[i]]));
}

/**
 * A model before any training. Where Python has put weights for this text, hidden size and seed into the page, these
 * are used. A trained model (seed null) reads any text that has only its own characters.
 */
function newModel({ text, size, lr, seed }) {
  const fits = (one) => one.seed === seed && one.sizes.H === size && (seed === null || one.text === text);
  const known = data.models.find(fits);
  const own = [...new Set(text)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
  const characters = known ? known.characters : own;
  const unknown = own.find((character) => !characters.includes(character));
  if (unknown) throw new RangeError(`The model does not know the character ‘${visible(unknown)}’.`);
  if ([...text].length < 2) throw new RangeError("The text needs at least two characters.");
  const p = known ? decode(known) : init(own.length, size, size, generator(seed));
  const all = [...text].map((character) => characters.indexOf(character));
  const zeros = Object.fromEntries(NAMES.map((name) => [name, each(() => 0, p[name])]));
  return {
    text, size, lr, seed, V: characters.length, H: size, T: all.length - 1,
    tokens: all.slice(0, -1), targets: all.slice(1), signs: characters.map(visible),
    history: [p], losses: [], // history[k]: the parameters after k epochs, with which the loss is losses[k]
    m: { ...zeros }, v: { ...zeros },
  };
}

/** Train for one epoch: forward, backward, and one step of Adam. Return false, and stay, if the loss overflows. */
function trainEpoch(model) {
  const { tokens, targets, history, losses, m, v, lr } = model;
  const p = { ...history.at(-1) }, zeros = array(model.H);
  const { logits, x, h } = forward(p, tokens, zeros);
  const { loss, dlogits } = crossEntropy(logits, targets);
  losses[history.length - 1] = loss;
  const { g } = backward(p, tokens, x, h, dlogits, zeros);
  adam(p, g, m, v, history.length, lr);
  const finite = Number.isFinite(crossEntropy(forward(p, tokens, zeros).logits, targets).loss);
  if (finite) history.push(p);
  return finite;
}
