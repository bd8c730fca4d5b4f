"use strict";
// The numbers that Python put into the page: `data.shapes` has the name and shape of each array of a snapshot. A snapshot
// is all of them one after another, in float64, as base64.

const data = JSON.parse(document.getElementById("data").textContent);
const { T, E, H, V } = data.sizes;

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const arrays = {};
  let start = 0;
  for (const [name, shape] of Object.entries(data.shapes)) {
    const size = shape.reduce((product, length) => product * length, 1);
    arrays[name] = new Float64Array(bytes.buffer, 8 * start, size);
    start += size;
  }
  return arrays;
}

const snapshots = data.snapshots.map(decode);

// What the reader has selected. Steps, states and losses count from 0 here and from 1 on the page.
const state = {
  epoch: Math.floor(data.epochs.length / 3), // some of the text is learned by then, but not all
  step: Math.min(4, T - 1),
  unit: 0,
  character: data.targets[Math.min(4, T - 1)],
  loss: T - 1,
  back: Math.max(0, T - 9), // the state at which the path ends
  parameter: "rnn.weight_hh_l0",
  sameScale: false,
};

const now = () => snapshots[state.epoch];

/** Row i of an array of the selected epoch. */
function row(name, i) {
  const size = now()[name].length / data.shapes[name][0];
  return now()[name].subarray(i * size, (i + 1) * size);
}

/** The index of loss s and state t <= s in the arrays of pairs. */
const pair = (s, t) => (s * (s + 1)) / 2 + t;

// What a step adds to each gradient, and the shape; `units`: whether hidden units are the rows or the columns of a matrix.
const PARAMETERS = {
  "embedding.weight": { symbol: "C", label: "E2", sum: "dC[token_t] += dx_t", rows: V, columns: E },
  "rnn.weight_ih_l0": { symbol: "W_ih", label: "R5", sum: "dW_{ih} += dz_t x_t^T", rows: H, columns: E, units: "rows" },
  "rnn.weight_hh_l0": { symbol: "W_hh", label: "R5", sum: "dW_{hh} += dz_t h_{t-1}^T", rows: H, columns: H, units: "rows" },
  "rnn.bias_ih_l0": { symbol: "b_ih", label: "R5", sum: "db_{ih} += dz_t", rows: 1, columns: H, units: "columns" },
  "rnn.bias_hh_l0": { symbol: "b_hh", label: "R5", sum: "db_{hh} += dz_t", rows: 1, columns: H, units: "columns" },
  "fc.weight": { symbol: "W", label: "L3", sum: "dW += dlogits_t h_t^T", rows: V, columns: H, units: "columns" },
  "fc.bias": { symbol: "b", label: "L4", sum: "db += dlogits_t", rows: 1, columns: V },
};
