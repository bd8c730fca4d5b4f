"""JAX: one jitted function per training step, lax.scan over time, donated buffers.

As in numpy_rnn, the input projection and the output layer are outside the loop over time, and the input projection is
applied to the embedding table or to the embedded text, whichever has fewer rows. Unrolling the scan made it a tenth
faster at the smallest shape and half as fast at others.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.contestants import Work
from benchmarks.problem import LR, Problem

Weights = dict[str, Any]
wait: Any = jax.block_until_ready


def start(threads: int) -> dict[str, str]:
    return {"jax": jax.__version__}  # worker.environment has set the number of threads


def prepare(problem: Problem) -> Work:
    case = problem.case
    p = {name: jnp.array(w) for name, w in problem.weights.items()}
    tokens, targets = jnp.array(problem.tokens), jnp.array(problem.targets)

    if case.task == "forward":
        run = jax.jit(forward)
        return Work(lambda: run(p, tokens), lambda logits: logits, wait)

    if case.task == "backward":
        _, pull = jax.jit(lambda p: jax.vjp(lambda p: forward(p, tokens), p))(p)
        run, dlogits = jax.jit(lambda pull, dlogits: pull(dlogits)[0]), jnp.array(problem.dlogits)
        return Work(lambda: run(pull, dlogits), lambda gradients: gradients, wait)

    if case.task == "generate":
        run = jax.jit(generate, static_argnums=2)
        return Work(lambda: run(p, tokens[0, 0], case.T).tolist(), list)

    state = [p, *({name: jnp.zeros_like(w) for name, w in p.items()} for _ in range(2)), jnp.zeros((), jnp.float32)]
    if case.task == "adam":
        gradients = {name: jnp.array(g) for name, g in problem.gradients.items()}
        jitted_adam = jax.jit(adam, donate_argnums=(0, 1, 2, 3))

        def update() -> Any:
            state[:] = jitted_adam(*state, gradients)
            return state[-1]

        return Work(update, lambda _: state[0], lambda _: wait(state))

    jitted_train = jax.jit(train, donate_argnums=(0, 1, 2, 3))

    def step() -> Any:
        state[:], loss = jitted_train(*state, tokens, targets)
        return loss

    return Work(step, float, lambda _: wait(state))


def project(p: Weights, x: Any) -> Any:
    """W_ih x + b_ih + b_hh, without the last block of a GRU's b_hh, which belongs to `advance`."""
    b_hh = p["rnn.bias_hh_l0"]
    if gates(p) == 3:
        b_hh = b_hh.at[len(b_hh) // 3 * 2 :].set(0)
    return x @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"] + b_hh


def gates(p: Weights) -> int:
    """1 of a tanh RNN, 4 of an LSTM, 3 of a GRU."""
    rows, H = p["rnn.weight_hh_l0"].shape
    return int(rows // H)


def zero_state(p: Weights, *batch: int) -> tuple[Any, ...]:
    h = jnp.zeros((*batch, p["rnn.weight_hh_l0"].shape[1]), jnp.float32)
    return (h, h) if gates(p) == 4 else (h,)


def advance(p: Weights, z: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the next state, (h,) or an LSTM's (h, c), from z = `project(p, x)`."""
    W_hh, h, sigmoid = p["rnn.weight_hh_l0"], state[0], jax.nn.sigmoid
    u = W_hh @ h if h.ndim == 1 else h @ W_hh.T
    if gates(p) == 1:
        return (jnp.tanh(z + u),)
    if gates(p) == 4:
        i, f, g, o = jnp.split(z + u, 4, -1)
        c = sigmoid(f) * state[1] + sigmoid(i) * jnp.tanh(g)
        return sigmoid(o) * jnp.tanh(c), c
    (z_r, z_z, z_n), (u_r, u_z, u_n) = jnp.split(z, 3, -1), jnp.split(u, 3, -1)
    n = jnp.tanh(z_n + sigmoid(z_r + u_r) * (u_n + p["rnn.bias_hh_l0"][-h.shape[-1] :]))
    return (n + sigmoid(z_z + u_z) * (h - n),)


def forward(p: Weights, tokens: Any) -> Any:
    def step(state: Any, z: Any) -> Any:
        state = advance(p, z, state)
        return state, state[0]

    table = p["embedding.weight"]
    z = project(p, table)[tokens] if len(table) < tokens.size else project(p, table[tokens])
    _, h = jax.lax.scan(step, zero_state(p, tokens.shape[1]), z)
    return h @ p["fc.weight"].T + p["fc.bias"]


def loss_of(p: Weights, tokens: Any, targets: Any) -> Any:
    log_p = jax.nn.log_softmax(forward(p, tokens))
    return -jnp.take_along_axis(log_p, targets[..., None], -1).mean()


def adam(p: Weights, m: Weights, v: Weights, k: Any, g: Weights) -> tuple[Weights, Weights, Weights, Any]:
    k = k + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    rate, root = LR / (1 - 0.9**k), jnp.sqrt(1 - 0.999**k)
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), p, m, v)
    return p, m, v, k


def train(p: Weights, m: Weights, v: Weights, k: Any, tokens: Any, targets: Any) -> tuple[list[Any], Any]:
    loss, g = jax.value_and_grad(loss_of)(p, tokens, targets)
    return list(adam(p, m, v, k, g)), loss


def generate(p: Weights, token: Any, length: int) -> Any:
    """The whole loop on the device: no step returns to Python."""
    inputs = project(p, p["embedding.weight"])

    def step(carry: Any, _: None) -> Any:
        token, state = carry
        state = advance(p, inputs[token], state)
        token = jnp.argmax(p["fc.weight"] @ state[0] + p["fc.bias"]).astype(token.dtype)
        return (token, state), token

    _, tokens = jax.lax.scan(step, (token, zero_state(p)), None, length - 1)
    return jnp.concatenate([token[None], tokens])
