"use strict";
// Formulas, numbers, colours, tooltips, and grids of coloured cells.

/** Typeset "h_t" or "W_{hh}^T dz_{t+1}", with subscripts and superscripts. */
function math(text) {
  const pieces = text.split(/([_^](?:\{[^}]*\}|\w+))/).map((piece) => {
    if (!/^[_^]/.test(piece)) return piece.replace(/-/g, "−");
    const inner = piece.slice(1).replace(/[{}]/g, "").replace(/-/g, "−");
    return el(piece[0] === "_" ? "sub" : "sup", {}, inner);
  });
  return el("span", { class: "math" }, pieces);
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

/** A number with five digits. */
function number(x) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e-3 && size < 99999.5 ? x.toPrecision(5) : x.toExponential(4);
}

/** After an operator, a negative number is in brackets. */
const term = (x) => (x < 0 ? `(${number(x)})` : number(x));

const quoted = (character) => `‘${character}’`;

// Purple to orange for signed numbers, cividis for norms, a single hue for probabilities. All are safe for colour-blind
// readers and in print. In the dark theme, zero is dark.
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55",
  "#fee838"].map(rgb);
const THEMES = {
  light: { signed: ["#b35806", "#f1a340", "#f4f4f6", "#998ec3", "#542788"], share: ["#eef1f5", "#0a5cab"] },
  dark: { signed: ["#ffb55c", "#b8691a", "#24262e", "#7a6bb5", "#c3b5ff"], share: ["#24262e", "#6db3ff"] },
};
for (const theme of Object.values(THEMES)) for (const name in theme) theme[name] = theme[name].map(rgb);

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeName = () => document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light");

/** The colour at `share`, from 0 to 1, along a scale of equally spaced colours. */
function blend(colours, share) {
  const place = Math.min(Math.max(share, 0), 1) * (colours.length - 1);
  const i = Math.min(Math.floor(place), colours.length - 2);
  return colours[i].map((from, k) => Math.round(from + (place - i) * (colours[i + 1][k] - from)));
}

const DECADES = 5; // powers of ten that the scale of norms covers
const SCALES = {
  signed: (x, limit) => blend(THEMES[themeName()].signed, limit ? 0.5 + x / limit / 2 : 0.5),
  share: (x, limit) => blend(THEMES[themeName()].share, x / limit),
  size: (x, limit) => blend(CIVIDIS, x > 0 ? 1 + Math.log10(x / limit) / DECADES : 0),
};

const largest = (values) => values.reduce((most, x) => (Math.abs(x) > most ? Math.abs(x) : most), 0);

/**
 * A grid of rows x columns coloured cells: a canvas with one pixel per cell, stretched.
 *
 * values: a flat array, row by row; undefined leaves a cell empty. say(row, column): the tooltip of a cell, in plain
 * text. mark: [row, column] of the cell to frame. click(row, column): called on a click. name: for screen readers.
 */
function grid({ values, rows, columns, name, say, scale = "signed", limit = largest(values), mark, click, ...attributes }) {
  const canvas = el("canvas", { width: columns, height: rows, role: "img", "aria-label": name });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  values.forEach((x, i) => { if (x !== undefined) image.data.set([...SCALES[scale](x, limit), 255], 4 * i); });
  context.putImageData(image, 0, 0);
  const box = el("div", { ...attributes, class: `grid ${attributes.class ?? ""} ${click ? "choice" : ""}` }, canvas);
  if (mark) {
    const [r, c] = mark;
    const style = `left:${(100 * c) / columns}%;top:${(100 * r) / rows}%;width:${100 / columns}%;height:${100 / rows}%`;
    box.append(el("span", { class: "mark", style }));
  }
  const cell = (event) => {
    const area = canvas.getBoundingClientRect();
    const c = Math.floor(((event.clientX - area.left) / area.width) * columns);
    const r = Math.floor(((event.clientY - area.top) / area.height) * rows);
    return r >= 0 && r < rows && c >= 0 && c < columns && values[r * columns + c] !== undefined ? [r, c] : null;
  };
  const point = (event) => {
    const at = cell(event);
    if (at) showTooltip(say(...at), event);
    else hideTooltip();
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerdown", point);
  box.addEventListener("click", (event) => {
    const at = click && cell(event);
    if (!at) return;
    event.stopPropagation(); // else the column around it would handle it too
    click(...at);
    showTooltip(say(...at), event); // drawing hides it, and after a tap no pointermove follows
  });
  return box;
}

/** A colour bar with the values at its ends. */
function legend(scale, limit, words = "") {
  const [least, value] = {
    signed: [number(-limit), (x) => (2 * x - 1) * limit], share: ["0", (x) => x * limit],
    size: [`≤ ${number(limit / 10 ** DECADES)}`, (x) => limit * 10 ** (DECADES * (x - 1))],
  }[scale];
  const colours = array(41, (i) => `rgb(${SCALES[scale](value(i / 40), limit).join(",")})`);
  const bar = el("span", { class: "ramp", style: `background:linear-gradient(to right, ${colours.join(",")})` });
  return el("span", { class: "legend" }, ...[words, least].map((text) => el("span", {}, text)), bar,
    el("span", {}, number(limit)));
}

/** Labels for an axis: with too many for the room there is, only every second, third, ... is kept. */
function thin(names, room = 36) {
  const every = Math.ceil(names.length / room);
  return names.map((name, i) => (i % every ? "" : name));
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
