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
  const element = document.createElementNS(document.querySelector("svg").namespaceURI, tag);
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

// Purple to orange for signed numbers, a single hue for probabilities: safe for colour-blind readers and in print.
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const THEMES = {
  light: { signed: ["#b35806", "#f1a340", "#f4f4f6", "#998ec3", "#542788"], share: ["#eef1f5", "#0a5cab"] },
  dark: { signed: ["#ffb55c", "#b8691a", "#24262e", "#7a6bb5", "#c3b5ff"], share: ["#24262e", "#6db3ff"] },
};

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeName = () => document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light");

/** The colour at `share`, from 0 to 1, along a scale of equally spaced colours. */
function blend(colours, share) {
  const place = Math.min(Math.max(share || 0, 0), 1) * (colours.length - 1);
  const i = Math.min(Math.floor(place), colours.length - 2);
  return colours[i].map((from, k) => Math.round(from + (place - i) * (colours[i + 1][k] - from)));
}

const colours = (scale) => THEMES[themeName()][scale].map(rgb);
const colour = (scale, x, limit) => blend(colours(scale), scale === "share" ? x / limit : 0.5 + x / (limit || 1) / 2);

const largest = (values) => values.reduce((most, x) => (Math.abs(x) > most ? Math.abs(x) : most), 0);

/**
 * A grid of rows x columns coloured cells: a canvas with one pixel per cell, stretched.
 *
 * values: a flat array, row by row. say(row, column): the tooltip of a cell. mark: [row, column] of a cell to frame.
 * click(row, column): called on a click. name: for screen readers. Other arguments are attributes.
 */
function grid({ values, rows, columns, name, say, scale = "signed", limit, mark, click, ...others }) {
  limit ??= largest(values);
  const canvas = el("canvas", { width: columns, height: rows, role: "img", "aria-label": name });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  values.forEach((x, i) => image.data.set([...colour(scale, x, limit), 255], 4 * i));
  context.putImageData(image, 0, 0);
  const box = el("div", { ...others, class: `grid ${others.class ?? ""} ${click ? "choice" : ""}` }, canvas);
  if (mark) {
    const [r, c] = mark;
    const [width, height] = [100 / columns, 100 / rows];
    const style = `left:${c * width}%;top:${r * height}%;width:${width}%;height:${height}%`;
    box.append(el("span", { class: "mark", style }));
  }
  const cell = (event) => {
    const area = canvas.getBoundingClientRect();
    const c = Math.floor(((event.clientX - area.left) / area.width) * columns);
    const r = Math.floor(((event.clientY - area.top) / area.height) * rows);
    return r >= 0 && r < rows && c >= 0 && c < columns ? [r, c] : null;
  };
  for (const kind of ["pointermove", "pointerdown"]) {
    box.addEventListener(kind, (event) => (cell(event) ? showTooltip(say(...cell(event)), event) : hideTooltip()));
  }
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
  const gradient = `linear-gradient(to right, ${colours(scale).map((rgb) => `rgb(${rgb})`)})`;
  const texts = [words, scale === "share" ? "0" : number(-limit), number(limit)].map((text) => el("span", {}, text));
  texts.splice(2, 0, el("span", { class: "ramp", style: `background:${gradient}` }));
  return el("span", { class: "legend" }, texts);
}

const tooltip = document.getElementById("tooltip"), hideTooltip = () => { tooltip.hidden = true; };

function showTooltip(text, event) {
  tooltip.textContent = text;
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 8);
  const above = event.clientY - height - 14;
  tooltip.style.left = `${Math.max(left, 8)}px`;
  tooltip.style.top = `${above < 8 ? event.clientY + 20 : above}px`;
}
