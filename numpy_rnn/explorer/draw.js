"use strict";
// Formulas, numbers, colours, and the two kinds of picture on the page: grids of coloured cells, and bars.

/** Typeset "h_t" or "W_{hh}^T dz_{t+1}", with subscripts and superscripts. */
function math(text) {
  const pieces = text.split(/([_^](?:\{[^}]*\}|\w+))/).map((piece) => {
    if (!/^[_^]/.test(piece)) return piece.replace(/-/g, "−");
    const inner = piece.slice(1).replace(/[{}]/g, "").replace(/-/g, "−");
    return el(piece[0] === "_" ? "sub" : "sup", {}, inner);
  });
  return el("span", { class: "math" }, pieces);
}

const label = (name) => el("span", { class: "label" }, name);

/** A number with four digits. */
function number(x) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e-3 && size < 1e4 ? x.toPrecision(4) : x.toExponential(3);
}

/** A number that follows an operator: negative ones are in brackets. */
const term = (x) => (x < 0 ? `(${number(x)})` : number(x));

const quoted = (character) => `‘${character}’`;

// Colour scales: PuOr for signed numbers, cividis for norms, a single hue for probabilities. All are safe for colour-blind
// readers and in print. In the dark theme, zero is dark.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55",
  "#fee838"].map(rgb);
const THEMES = {
  light: { signed: ["#b35806", "#f1a340", "#f4f4f6", "#998ec3", "#542788"], share: ["#eef1f5", "#0a5cab"] },
  dark: { signed: ["#ffb55c", "#b8691a", "#24262e", "#7a6bb5", "#c3b5ff"], share: ["#24262e", "#6db3ff"] },
};
for (const theme of Object.values(THEMES)) for (const name in theme) theme[name] = theme[name].map(rgb);

function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const chosen = document.documentElement.dataset.theme;
  return THEMES[chosen || (prefersDark.matches ? "dark" : "light")];
}

/** The colour at `share`, from 0 to 1, along a scale of equally spaced colours. */
function blend(colours, share) {
  const place = Math.min(Math.max(share, 0), 1) * (colours.length - 1);
  const i = Math.min(Math.floor(place), colours.length - 2);
  return colours[i].map((from, k) => Math.round(from + (place - i) * (colours[i + 1][k] - from)));
}

const DECADES = 5; // powers of ten that the scale of norms covers

const SCALES = {
  signed: (x, limit) => blend(theme().signed, limit ? 0.5 + x / limit / 2 : 0.5),
  share: (x, limit) => blend(theme().share, x / limit),
  size: (x, limit) => blend(CIVIDIS, x > 0 ? 1 + Math.log10(x / limit) / DECADES : 0),
};

const largest = (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/**
 * A grid of rows x columns coloured cells.
 *
 * values: a flat array, row by row; NaN leaves a cell empty. say(row, column): the tooltip of a cell, in plain text.
 * mark: [row, column] of the cell to frame. click(row, column): called on a click. name: the label for screen readers.
 */
function grid({ values, rows, columns, name, say, scale = "signed", limit = largest(values), mark, click, className = "" }) {
  const canvas = el("canvas", { width: columns, height: rows, role: "img", "aria-label": name });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  values.forEach((x, i) => {
    if (!Number.isNaN(x)) image.data.set([...SCALES[scale](x, limit), 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
  const box = el("div", { class: `grid ${className}` }, canvas);
  if (mark) {
    const [r, c] = mark;
    const style = `left:${(100 * c) / columns}%;top:${(100 * r) / rows}%;width:${100 / columns}%;height:${100 / rows}%`;
    box.append(el("span", { class: "mark", style }));
  }
  const cell = (event) => {
    const area = canvas.getBoundingClientRect();
    const c = Math.floor(((event.clientX - area.left) / area.width) * columns);
    const r = Math.floor(((event.clientY - area.top) / area.height) * rows);
    const inside = r >= 0 && r < rows && c >= 0 && c < columns && !Number.isNaN(values[r * columns + c]);
    return inside ? [r, c] : null;
  };
  const point = (event) => {
    const at = cell(event);
    if (at) showTooltip(say(...at), event);
    else hideTooltip();
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerdown", point);
  if (click) {
    box.classList.add("choice");
    box.addEventListener("click", (event) => {
      const at = cell(event);
      if (!at) return;
      event.stopPropagation(); // else the column around it would handle it too
      click(...at);
      showTooltip(say(...at), event); // drawing hides it, and after a tap no pointermove follows
    });
  }
  return box;
}

/** A colour bar with the values at its ends. */
function legend(scale, limit, words = "") {
  const ends = { signed: [number(-limit), number(limit)], share: ["0", number(limit)],
    size: [`≤ ${number(limit / 10 ** DECADES)}`, number(limit)] }[scale];
  const steps = Array.from({ length: 41 }, (_, i) => i / 40);
  const values = steps.map((x) => ({ signed: (2 * x - 1) * limit, share: x * limit, size: limit * 10 ** (DECADES * (x - 1)) })[scale]);
  const colours = values.map((x) => `rgb(${SCALES[scale](x, limit).join(",")})`);
  const bar = el("span", { class: "ramp", style: `background:linear-gradient(to right, ${colours.join(",")})` });
  return el("span", { class: "legend" }, words && el("span", {}, words), el("span", {}, ends[0]), bar, el("span", {}, ends[1]));
}

/** Labels for an axis: with too many for the room there is, only every second, third, ... is kept. */
function thin(names, room = 36) {
  const every = Math.ceil(names.length / room);
  return names.map((name, i) => (i % every ? "" : name));
}

/** A bar chart. `limit`: the value at full height, labelled `top`. `mark`: index of the selected bar. */
function bars({ values, limit = largest(values), top = number(limit), say, names, mark, click, name, id }) {
  const scale = el("div", { class: "scale", "aria-hidden": "true" }, el("span", {}, top), el("span", {}, "0"));
  return el("div", { class: "bars", role: "group", "aria-label": name, id }, scale, Array.from(values, (x, i) => {
    const height = limit ? (100 * Math.abs(x)) / limit : 0;
    const tell = (event) => showTooltip(say(i), event);
    const choose = (event) => {
      click(i);
      if (event.detail) tell(event); // 0: pressed by key, so there is no position
    };
    return el(click ? "button" : "div", {
      class: i === mark ? "bar chosen" : "bar", type: click && "button", "aria-label": say(i),
      onclick: click && choose, onpointermove: tell, onpointerdown: tell,
    }, el("span", { class: "track" }, el("span", { class: "fill", style: `height:${height}%` })),
    el("span", { class: "name" }, names[i]));
  }));
}

const tooltip = document.getElementById("tooltip");

function showTooltip(text, event) {
  tooltip.textContent = text;
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 8);
  const above = event.clientY - height - 14;
  tooltip.style.left = `${Math.max(left, 8)}px`;
  tooltip.style.top = `${above < 8 ? event.clientY + 20 : above}px`;
}

function hideTooltip() {
  tooltip.hidden = true;
}

for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, (event) => event.target.closest(".grid, .bar") || hideTooltip());
}
