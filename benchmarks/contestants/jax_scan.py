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
    """W_ih x + b_ih + b_hh."""
    return x @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"]


def forward(p: Weights, tokens: Any) -> Any:
    def step(h: Any, z: Any) -> Any:
        h = jnp.tanh(z + h @ p["rnn.weight_hh_l0"].T)
        return h, h

    table = p["embedding.weight"]
    z = project(p, table)[tokens] if len(table) < tokens.size else project(p, table[tokens])
    h_0 = jnp.zeros((tokens.shape[1], len(p["rnn.weight_hh_l0"])), jnp.float32)
    _, h = jax.lax.scan(step, h_0, z)
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
        token, h = carry
        h = jnp.tanh(inputs[token] + p["rnn.weight_hh_l0"] @ h)
        token = jnp.argmax(p["fc.weight"] @ h + p["fc.bias"]).astype(token.dtype)
        return (token, h), token

    h_0 = jnp.zeros(len(p["rnn.weight_hh_l0"]), jnp.float32)
    _, tokens = jax.lax.scan(step, (token, h_0), None, length - 1)
    return jnp.concatenate([token[None], tokens])
