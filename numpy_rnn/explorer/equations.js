"use strict";
// The equations of the selected step, forward and backward, with their numbers filled in.

function drawEquations() {
  document.querySelectorAll(".t").forEach((place) => { place.textContent = state.step + 1; });
  document.getElementById("forward").replaceChildren(...forward(state.step));
  document.getElementById("backward").replaceChildren(...backward(state.step));
}

function equation(name, formula, ...parts) {
  return el("article", { class: "equation", "data-label": name }, el("h3", {}, label(name), math(formula)), ...parts);
}

const words = (...parts) => el("p", { class: "words" }, parts.flatMap((part) => [part, " "]));

/** The equation for one element: "symbol[at] = expression = result". */
function worked(symbol, at, expression, result) {
  return el("p", { class: "numbers" }, math(symbol), at === null ? " = " : `[${at}] = `, expression, " = ",
    el("b", {}, number(result)));
}

/** Named vectors below each other, on one colour scale. kind: "hidden", "embedding" or "character". */
function vectors(kind, list, limit = Math.max(...list.map(([, values]) => largest(values))), scale = "signed") {
  const [key, selected] = { hidden: ["unit", state.unit], character: ["character", state.character] }[kind] ?? [];
  const lines = list.map(([name, values]) => el("div", { class: "vector" },
    el("span", { class: "vector-name" }, math(name)),
    grid({
      values, rows: 1, columns: values.length, limit, scale, name: `${name}, ${values.length} numbers`,
      say: (_, i) => `${name}[${place(kind, i)}] = ${values[i]}`,
      mark: key && [0, selected], click: key && ((_, i) => update({ [key]: i })),
    })));
  const characters = kind === "character" && V <= 40
    ? [el("div", { class: "vector" }, el("span", { class: "vector-name" }), el("div", { class: "letters" },
      data.characters.map((character) => el("span", {}, character))))]
    : [];
  return el("div", { class: "vectors" }, lines, characters, legend(scale, limit));
}

const place = (kind, i) => (kind === "character" ? quoted(data.characters[i]) : i);

/** The terms a[k] b[k] of one inner product; nameA and nameB make the names of the factors. */
function products(product, at, nameA, a, nameB, b, kind) {
  const terms = a.map((x, k) => x * b[k]);
  const count = `the ${terms.length} terms of `;
  return el("details", {}, el("summary", {}, count, math(product), `[${at}]`),
    el("div", { class: "vector" }, el("span", { class: "vector-name" }, "terms"),
      grid({
        values: terms, rows: 1, columns: terms.length, name: `${count}${product}[${at}]`,
        say: (_, k) => `${nameA(place(kind, k))} × ${nameB(place(kind, k))} = ${a[k]} × ${b[k]} = ${terms[k]}`,
      })), legend("signed", largest(terms)));
}

/** Column j of a matrix whose rows have this length. */
function column(name, length, j) {
  return now()[name].filter((_, k) => k % length === j);
}

function forward(t) {
  const n = t + 1, i = state.unit, v = state.character, w = now(), target = data.targets[t];
  const [x, z, h, before] = [row("embedding.weight", data.tokens[t]), row("z", t), row("h", n), row("h", t)];
  const [wx, wh, b_ih, b_hh] = [row("W_ih x", t), row("W_hh h", t), w["rnn.bias_ih_l0"], w["rnn.bias_hh_l0"]];
  const [Wh, b, y, e, p] = [row("W h", t), w["fc.bias"], row("logits", t), row("e", t), row("p", t)];
  const at = quoted(data.characters[v]);
  return [
    equation("E1", "x_t = C[token_t]",
      words(`The step reads ${quoted(data.reads[t])}, which is token ${data.tokens[t]}: x is that row of C.`),
      vectors("embedding", [[`x_${n}`, x]])),
    equation("R1", "z_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}",
      vectors("hidden", [[`W_ih x_${n}`, wx], ["b_ih", b_ih], [`W_hh h_${n - 1}`, wh], ["b_hh", b_hh], [`z_${n}`, z]]),
      worked(`z_${n}`, i, `${number(wx[i])} + ${term(b_ih[i])} + ${term(wh[i])} + ${term(b_hh[i])}`, z[i]),
      products(`(W_ih x_${n})`, i, (k) => `W_ih[${i}, ${k}]`, row("rnn.weight_ih_l0", i), (k) => `x_${n}[${k}]`, x),
      products(`(W_hh h_${n - 1})`, i, (k) => `W_hh[${i}, ${k}]`, row("rnn.weight_hh_l0", i),
        (k) => `h_${n - 1}[${k}]`, before)),
    equation("R2", "h_t = tanh z_t",
      vectors("hidden", [[`h_${n}`, h]], 1),
      worked(`h_${n}`, i, `tanh ${term(z[i])}`, h[i])),
    equation("L1", "logits_t = W h_t + b",
      vectors("character", [[`W h_${n}`, Wh], ["b", b], [`logits_${n}`, y]]),
      worked(`logits_${n}`, at, `${number(Wh[v])} + ${term(b[v])}`, y[v]),
      products(`(W h_${n})`, at, (k) => `W[${at}, ${k}]`, row("fc.weight", v), (k) => `h_${n}[${k}]`, h)),
    equation("C1", "e_t = exp(logits_t - max logits_t)",
      worked(`e_${n}`, at, `exp(${number(y[v])} − ${term(Math.max(...y))})`, e[v])),
    equation("C2", "p_t = e_t / Σ e_t",
      vectors("character", [[`p_${n}`, p]], 1, "share"),
      worked(`p_${n}`, at, `${number(e[v])} / ${number(w["sum e"][t])}`, p[v])),
    equation("C3", "L = Σ_t L_t,  L_t = -1/N log p_t[target_t]",
      words(`The next character is ${quoted(data.follows[t])}. N = ${T} is the number of predictions.`),
      worked(`L_${n}`, null, `−1/${T} log ${number(p[target])} = ${number(w.losses[t])} / ${T}`, w.losses[t] / T)),
  ];
}

function backward(t) {
  const n = t + 1, i = state.unit, v = state.character, last = n === T;
  const [p, dy, local, future] = [row("p", t), row("dlogits", t), row("dh_local", t), row("dh_future", t)];
  const [h, dh, dz, dx] = [row("h", n), row("dh", t), row("dz", t), row("dx", t)];
  const at = quoted(data.characters[v]), onehot = v === data.targets[t] ? 1 : 0;
  const norms = Array.from({ length: T - t }, (_, k) => now()["pair norms"][pair(t + k, t)]);
  return [
    equation("C4", "dlogits_t = (p_t - onehot(target_t)) / N",
      vectors("character", [[`dlogits_${n}`, dy]]),
      worked(`dlogits_${n}`, at, `(${number(p[v])} − ${onehot}) / ${T}`, dy[v])),
    equation("L2", "doutput_t = W^T dlogits_t",
      words("The gradient of this step's own loss with respect to the state."),
      vectors("hidden", [[`doutput_${n}`, local]]),
      products(`doutput_${n}`, i, (c) => `W[${c}, ${i}]`, column("fc.weight", H, i), (c) => `dlogits_${n}[${c}]`, dy,
        "character")),
    equation("R3", last ? "dh_t = doutput_t" : "dh_t = doutput_t + W_{hh}^T dz_{t+1}",
      words(last ? "This is the last step: no later step adds to the gradient."
        : "Two terms: the gradient from this step's loss, and the gradient from all later steps."),
      vectors("hidden", [["this loss", local], ["later steps", future], [`dh_${n}`, dh]]),
      worked(`dh_${n}`, i, [number(local[i]), el("small", {}, " this loss"), ` + ${term(future[i])}`,
        el("small", {}, " later steps")], dh[i]),
      words("How strongly each loss from here on pulls at this state,", math(`|∂L_s/∂h_${n}|`),
        "(click a bar to see its path below):"),
      bars({
        values: norms, names: thin(data.reads.slice(t)), mark: 0, name: "pull of each loss", id: "pulls",
        say: (k) => `|dL_${n + k}/dh_${n}| = ${norms[k]}${k ? "" : " (this step's loss)"}`,
        click: (k) => {
          update({ loss: t + k, back: t });
          document.getElementById("path").scrollIntoView();
        },
      })),
    equation("R4", "dz_t = dh_t * (1 - h_t^2)",
      vectors("hidden", [[`dh_${n}`, dh], [`dz_${n}`, dz]]),
      worked(`dz_${n}`, i, `${term(dh[i])} × (1 − ${term(h[i])}²)`, dz[i])),
    equation("R6", "dx_t = W_{ih}^T dz_t",
      vectors("embedding", [[`dx_${n}`, dx]])),
    t > 0
      ? equation("R3", `W_{hh}^T dz_${n}`,
        words(`This is sent back to step ${t}, where it is the second term of`, math(`dh_${t}.`)),
        vectors("hidden", [[`to dh_${t}`, row("dh_future", t - 1)]]))
      : equation("R6", "dh_0 = W_{hh}^T dz_1",
        words("The gradient with respect to the initial state. The text begins here, so nothing uses it."),
        vectors("hidden", [["dh_0", now()["dh_0"]]])),
    el("article", { class: "equation", id: "sums" },
      el("h3", {}, `What step ${n} adds to each parameter's gradient`),
      el("div", { class: "additions" }, Object.entries(PARAMETERS).flatMap(([name, { label: reference, sum }]) => [
        label(reference), math(sum), el("button", {
          type: "button", class: "link", "aria-label": `show what the step adds to ${name}`,
          onclick: () => {
            update({ parameter: name });
            document.getElementById("parameters-title").scrollIntoView();
          },
        }, "show")]))),
  ];
}
