"use strict";
// The numbers, as Python put them here: `data.shapes` names and shapes the arrays of a snapshot, and each snapshot is
// base64 of them all, one behind the other, in float64.

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

// What is chosen. Steps, states and losses count from 0 here; on the page they count from 1.
const state = {
  epoch: Math.floor(data.epochs.length / 3), // neither all to learn nor all learned
  step: Math.min(4, T - 1),
  unit: 0,
  character: data.targets[Math.min(4, T - 1)],
  loss: T - 1,
  back: Math.max(0, T - 9), // the state that the path leads back to
  parameter: "rnn.weight_hh_l0",
  sameScale: false,
};

const now = () => snapshots[state.epoch];

/** Row i of an array of the chosen epoch. */
function row(name, i) {
  const shape = data.shapes[name];
  const size = shape.slice(1).reduce((product, length) => product * length, 1);
  return now()[name].subarray(i * size, (i + 1) * size);
}

/** Where the pair of loss s and state t <= s lies. */
const pair = (s, t) => (s * (s + 1)) / 2 + t;

// `units`: where a matrix has the hidden units, in its rows or in its columns.
const PARAMETERS = {
  "embedding.weight": { symbol: "C", label: "E2", rows: V, columns: E },
  "rnn.weight_ih_l0": { symbol: "W_ih", label: "R5", rows: H, columns: E, units: "rows" },
  "rnn.weight_hh_l0": { symbol: "W_hh", label: "R5", rows: H, columns: H, units: "rows" },
  "rnn.bias_ih_l0": { symbol: "b_ih", label: "R5", rows: 1, columns: H, units: "columns" },
  "rnn.bias_hh_l0": { symbol: "b_hh", label: "R5", rows: 1, columns: H, units: "columns" },
  "fc.weight": { symbol: "W", label: "L3", rows: V, columns: H, units: "columns" },
  "fc.bias": { symbol: "b", label: "L4", rows: 1, columns: V },
};
