"use strict";
// The equations of the chosen step, forward and backward, with their numbers filled in.

function drawEquations() {
  document.querySelectorAll(".t").forEach((place) => { place.textContent = state.step + 1; });
  document.getElementById("forward").replaceChildren(...forward(state.step));
  document.getElementById("backward").replaceChildren(...backward(state.step));
}

function equation(name, formula, ...parts) {
  return el("article", { class: "equation", "data-label": name }, el("h3", {}, label(name), math(formula)), ...parts);
}

const words = (...parts) => el("p", { class: "words" }, parts.flatMap((part) => [part, " "]));

/** A line of numbers; "[3]" and the like stand for the chosen unit or character. */
const numbers = (...parts) => el("p", { class: "numbers" }, parts);

/** Named vectors below each other, on one scale. kind: "hidden", "embedding" or "character". */
function vectors(kind, list, limit = Math.max(...list.map(([, values]) => largest(values))), scale = "signed") {
  const choose = { hidden: (i) => update({ unit: i }), character: (v) => update({ character: v }) }[kind];
  const chosen = { hidden: state.unit, character: state.character }[kind];
  const lines = list.map(([name, values]) => el("div", { class: "vector" },
    el("span", { class: "vector-name" }, math(name)),
    grid({
      values, rows: 1, columns: values.length, limit, scale, name: `${name}, ${values.length} numbers`,
      say: (_, i) => `${name}[${place(kind, i)}] = ${values[i]}`,
      mark: choose && [0, chosen], click: choose && ((_, i) => choose(i)),
    })));
  const characters = kind === "character" && V <= 40
    ? [el("div", { class: "vector" }, el("span", { class: "vector-name" }), el("div", { class: "letters" },
      data.characters.map((character) => el("span", {}, character))))]
    : [];
  return el("div", { class: "vectors" }, lines, characters, legend(scale, limit));
}

const place = (kind, i) => (kind === "character" ? quoted(data.characters[i]) : i);

/** The terms of one inner product: a[k] b[k], the factors being numbers of the page. */
function products(product, at, a, b, nameA, nameB, kind) {
  const terms = a.map((x, k) => x * b[k]);
  const count = `the ${terms.length} terms of `;
  return el("details", {}, el("summary", {}, count, math(product), `[${at}]`),
    el("div", { class: "vector" }, el("span", { class: "vector-name" }, "terms"),
      grid({
        values: terms, rows: 1, columns: terms.length, name: `${count}${product}[${at}]`,
        say: (_, k) => `${nameA(place(kind, k))} × ${nameB(place(kind, k))} = ${a[k]} × ${b[k]} = ${terms[k]}`,
      })), legend("signed", largest(terms)));
}

/** Column j of a matrix of the page with rows of this length. */
function column(name, length, j) {
  return now()[name].filter((_, k) => k % length === j);
}

function forward(t) {
  const n = t + 1, i = state.unit, v = state.character, w = now(), target = data.targets[t];
  const [x, z, h, before] = [row("embedding.weight", data.tokens[t]), row("z", t), row("h", n), row("h", t)];
  const [wx, wh, b_ih, b_hh] = [row("W_ih x", t), row("W_hh h", t), w["rnn.bias_ih_l0"], w["rnn.bias_hh_l0"]];
  const [Wh, b, y, e, p] = [row("W h", t), w["fc.bias"], row("y", t), row("e", t), row("p", t)];
  const at = quoted(data.characters[v]), top = Math.max(...y);
  return [
    equation("E1", "x_t = C[token_t]",
      words(`The step reads ${quoted(data.reads[t])}, token ${data.tokens[t]}: its row of C.`),
      vectors("embedding", [[`x_${n}`, x]])),
    equation("R1", "z_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}",
      vectors("hidden", [[`W_ih x_${n}`, wx], ["b_ih", b_ih], [`W_hh h_${n - 1}`, wh], ["b_hh", b_hh], [`z_${n}`, z]]),
      numbers(math(`z_${n}`), `[${i}] = ${number(wx[i])} + ${term(b_ih[i])} + ${term(wh[i])} + ${term(b_hh[i])} = `,
        el("b", {}, number(z[i]))),
      products(`(W_ih x_${n})`, i, row("rnn.weight_ih_l0", i), x, (k) => `W_ih[${i}, ${k}]`,
        (k) => `x_${n}[${k}]`),
      products(`(W_hh h_${n - 1})`, i, row("rnn.weight_hh_l0", i), before,
        (k) => `W_hh[${i}, ${k}]`, (k) => `h_${n - 1}[${k}]`)),
    equation("R2", "h_t = tanh z_t",
      vectors("hidden", [[`h_${n}`, h]], 1),
      numbers(math(`h_${n}`), `[${i}] = tanh ${term(z[i])} = `, el("b", {}, number(h[i])))),
    equation("L1", "logits_t = W h_t + b",
      vectors("character", [[`W h_${n}`, Wh], ["b", b], [`logits_${n}`, y]]),
      numbers(math(`logits_${n}`), `[${at}] = ${number(Wh[v])} + ${term(b[v])} = `, el("b", {}, number(y[v]))),
      products(`(W h_${n})`, at, row("fc.weight", v), h, (k) => `W[${at}, ${k}]`,
        (k) => `h_${n}[${k}]`)),
    equation("C1", "e_t = exp(logits_t - max logits_t)",
      numbers(math(`e_${n}`), `[${at}] = exp(${number(y[v])} − ${term(top)}) = `, el("b", {}, number(e[v])))),
    equation("C2", "p_t = e_t / Σ e_t",
      vectors("character", [[`p_${n}`, p]], 1, "share"),
      numbers(math(`p_${n}`), `[${at}] = ${number(e[v])} / ${number(w["sum e"][t])} = `, el("b", {}, number(p[v])))),
    equation("C3", "L = Σ_t L_t,  L_t = -1/N log p_t[target_t]",
      words(`What follows is ${quoted(data.follows[t])}; N = ${T}, the number of predictions.`),
      numbers(math(`L_${n}`), ` = −1/${T} log ${number(p[target])} = ${number(w.loss[t])} / ${T} = `,
        el("b", {}, number(w.loss[t] / T)))),
  ];
}

function backward(t) {
  const n = t + 1, i = state.unit, v = state.character, last = n === T;
  const [p, dy, local, future] = [row("p", t), row("dy", t), row("local", t), row("future", t)];
  const [h, dh, dz, dx] = [row("h", n), row("dh", t), row("dz", t), row("dx", t)];
  const at = quoted(data.characters[v]), onehot = v === data.targets[t] ? 1 : 0;
  const sent = t > 0 ? row("future", t - 1) : now()["dh_0"];
  const norms = Array.from({ length: T - t }, (_, k) => now()["pair norms"][pair(t + k, t)]);
  return [
    equation("C4", "dlogits_t = (p_t - onehot(target_t)) / N",
      vectors("character", [[`dlogits_${n}`, dy]]),
      numbers(math(`dlogits_${n}`), `[${at}] = (${number(p[v])} − ${onehot}) / ${T} = `, el("b", {}, number(dy[v])))),
    equation("L2", "doutput_t = W^T dlogits_t",
      words("What this step's own loss wants of the state."),
      vectors("hidden", [[`doutput_${n}`, local]]),
      products(`doutput_${n}`, i, column("fc.weight", H, i), dy, (c) => `W[${c}, ${i}]`,
        (c) => `dlogits_${n}[${c}]`, "character")),
    equation("R3", last ? "dh_t = doutput_t" : "dh_t = doutput_t + W_{hh}^T dz_{t+1}",
      last ? words("After the last step there is no future.")
        : words("Two parts: from this step's loss, and from the future, everything that follows."),
      vectors("hidden", [["this loss", local], ["the future", future], [`dh_${n}`, dh]]),
      numbers(math(`dh_${n}`), `[${i}] = ${number(local[i])}`, el("small", {}, " this loss"), ` + ${term(future[i])}`,
        el("small", {}, " future"), " = ", el("b", {}, number(dh[i]))),
      words("How strongly each loss from here on pulls at this state,", math(`|∂L_s/∂h_${n}|`), "(choose one to see its path, below):"),
      bars({
        values: norms, names: thin(data.reads.slice(t)), mark: 0, name: "share of each loss", id: "pulls",
        say: (k) => `|dL_${n + k}/dh_${n}| = ${norms[k]}${k ? "" : " (this step's loss)"}`,
        click: (k) => {
          update({ loss: t + k, back: t });
          document.getElementById("path").scrollIntoView();
        },
      })),
    equation("R4", "dz_t = dh_t * (1 - h_t^2)",
      vectors("hidden", [[`dh_${n}`, dh], [`dz_${n}`, dz]]),
      numbers(math(`dz_${n}`), `[${i}] = ${term(dh[i])} × (1 − ${term(h[i])}²) = `, el("b", {}, number(dz[i])))),
    equation("R6", "dx_t = W_{ih}^T dz_t",
      vectors("embedding", [[`dx_${n}`, dx]])),
    equation(t > 0 ? "R3" : "R6", t > 0 ? `W_{hh}^T dz_${n}` : "dh_0 = W_{hh}^T dz_1",
      words(t > 0 ? `goes back to step ${t}, whose future it is.` : "is where the text begins: nothing reads it."),
      vectors("hidden", [[t > 0 ? `to dh_${t}` : "dh_0", sent]])),
    el("article", { class: "equation", id: "sums" },
      el("h3", {}, `What step ${n} adds to each parameter's gradient`),
      el("div", { class: "additions" },
        addition("R5", "dW_{hh} += dz_t h_{t-1}^T", "rnn.weight_hh_l0"),
        addition("R5", "dW_{ih} += dz_t x_t^T", "rnn.weight_ih_l0"),
        addition("R5", "db_{ih} += dz_t", "rnn.bias_ih_l0"),
        addition("R5", "db_{hh} += dz_t", "rnn.bias_hh_l0"),
        addition("L3", "dW += dlogits_t h_t^T", "fc.weight"),
        addition("L4", "db += dlogits_t", "fc.bias"),
        addition("E2", "dC[token_t] += dx_t", "embedding.weight"))),
  ];
}

/** One line of sums, and the way to the picture of it below. */
function addition(name, formula, parameter) {
  return [label(name), math(formula), el("button", {
    type: "button", class: "link", "aria-label": `show what the step adds to ${parameter}`,
    onclick: () => {
      update({ parameter });
      document.getElementById("parameters-title").scrollIntoView();
    },
  }, "show")];
}
