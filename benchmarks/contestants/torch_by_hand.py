"""PyTorch without modules and autograd: the steps of numpy_rnn, in as few calls into torch as possible.

This shows what torch's kernels can do, not what people write.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.contestants import Work
from benchmarks.contestants.pytorch import start
from benchmarks.problem import LR, Problem

__all__ = ["prepare", "start"]


def prepare(problem: Problem) -> Work:
    weights = {name: torch.tensor(w) for name, w in problem.weights.items()}
    if problem.case.task == "generate":
        return Work(lambda: generate(weights, int(problem.tokens[0, 0]), problem.case.T), list)
    return Work(training_step(weights, torch.tensor(problem.tokens), torch.tensor(problem.targets)), float)


def training_step(weights: dict[str, Tensor], tokens: Tensor, targets: Tensor) -> Any:
    """Return a function that takes one training step of the tanh RNN and returns the loss.

    All arrays are made once, all parameters lie in one vector for Adam, the input is projected as a table of V rows
    if there are fewer characters than tokens, and everything that does not wait for another time step is outside the
    loops: see docs/performance.md.
    """
    p, g, vector = flatten(weights)
    C, W_ih, W_hh, b_ih, b_hh, W, b = p
    dC, dW_ih, dW_hh, db_ih, db_hh, dW, db = g
    (T, B), (V, E), H = tokens.shape, C.shape, len(W_hh)
    N, tokens, targets = T * B, tokens.flatten(), targets.reshape(-1, 1)
    table_first = V <= N
    bias, W_hh_T = torch.empty(H), torch.empty(H, H)
    h, z = torch.zeros(T + 1, B, H), torch.empty(T, B, H)
    doutput, slope = torch.empty(T, B, H), torch.empty(T, B, H)
    h_before, h_after, z_rows, doutput_rows = h[:-1].view(N, H), h[1:].view(N, H), z.view(N, H), doutput.view(N, H)
    x, dx = (C, dC) if table_first else (torch.empty(N, E), torch.empty(N, E))
    projected, dprojected = (torch.empty(V, H), torch.empty(V, H)) if table_first else (z_rows, z_rows)
    logits, minus, one = torch.empty(N, V), torch.full((N, 1), -1.0), torch.ones(())
    forward_steps = list(zip(z, h[:-1], h[1:], strict=True))
    backward_steps = list(zip(z, slope, doutput, [None, *doutput[:-1]], strict=True))[::-1]
    adam = torch.optim.Adam([vector], lr=LR, fused=True)

    @torch.inference_mode()
    def step() -> Tensor:
        torch.add(b_ih, b_hh, out=bias)
        W_hh_T.copy_(W_hh.T)
        if not table_first:
            torch.index_select(C, 0, tokens, out=x)
        torch.addmm(bias, x, W_ih.T, out=projected)
        if table_first:
            torch.index_select(projected, 0, tokens, out=z_rows)
        for z_t, h_previous, h_t in forward_steps:
            torch.addmm(z_t, h_previous, W_hh_T, out=h_t)
            h_t.tanh_()
        torch.addmm(b, h_after, W.T, out=logits)

        probabilities = torch.softmax(logits, 1, out=logits)
        loss = -probabilities.gather(1, targets).log_().mean()
        dlogits = probabilities.scatter_add_(1, targets, minus).div_(N)

        torch.mm(dlogits.T, h_after, out=dW)
        torch.sum(dlogits, 0, out=db)
        torch.mm(dlogits, W, out=doutput_rows)
        torch.addcmul(one, h[1:], h[1:], value=-1, out=slope)
        for dz_t, slope_t, dh_t, dh_before in backward_steps:
            torch.mul(dh_t, slope_t, out=dz_t)
            if dh_before is not None:
                dh_before.addmm_(dz_t, W_hh)
        torch.mm(z_rows.T, h_before, out=dW_hh)
        torch.sum(z_rows, 0, out=db_hh)
        db_ih.copy_(db_hh)
        if table_first:
            dprojected.zero_().index_add_(0, tokens, z_rows)
        torch.mm(dprojected.T, x, out=dW_ih)
        torch.mm(dprojected, W_ih, out=dx)
        if not table_first:
            dC.zero_().index_add_(0, tokens, dx)
        adam.step()
        return loss

    return step


def flatten(weights: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Return the parameters and their gradients as views of two vectors, and the vector of the parameters."""
    vector = torch.cat([w.flatten() for w in weights.values()])
    vector.grad = torch.empty_like(vector)

    def views(of: Tensor) -> list[Tensor]:
        pieces = torch.split(of, [w.numel() for w in weights.values()])
        return [piece.view(w.shape) for piece, w in zip(pieces, weights.values(), strict=True)]

    return views(vector), views(vector.grad), vector


@torch.inference_mode()
def generate(weights: dict[str, Tensor], token: int, length: int) -> list[int]:
    """Generate greedily: the products of `numpy_rnn.generate`, the input's projections in a table, no allocation.

    nn.RNNCell was tried as well. It is slower than this loop, and faster than nn.RNN called for each step, which is
    the contestant "torch".
    """
    C, W_ih, W_hh, b_ih, b_hh, W, b = weights.values()
    (width, H), gru = W_hh.shape, len(W_hh) == 3 * W_hh.shape[1]
    table = C @ W_ih.T + b_ih + (0 if gru else b_hh)
    inputs = table.unbind()
    input_rz, input_n = (part.unbind() if gru else () for part in (table[:, : 2 * H], table[:, 2 * H :]))
    h, z, logits, c, tanh = torch.zeros(H), torch.empty(width), torch.empty(len(W)), torch.zeros(H), torch.empty(H)
    blocks, rz, plain = z.chunk(width // H), z[: 2 * H], width == H
    tokens = [token]
    for _ in range(length - 1):
        if plain:
            torch.addmv(inputs[tokens[-1]], W_hh, h, out=z)
            torch.tanh(z, out=h)
        elif gru:
            r, u, n = blocks
            torch.addmv(b_hh, W_hh, h, out=z)
            rz.add_(input_rz[tokens[-1]]).sigmoid_()
            torch.addcmul(input_n[tokens[-1]], r, n, out=n).tanh_()
            torch.lerp(n, h, u, out=h)
        else:
            i, f, g, o = blocks
            torch.addmv(inputs[tokens[-1]], W_hh, h, out=z)
            torch.tanh(g, out=tanh)
            z.sigmoid_()
            c.mul_(f).addcmul_(i, tanh)
            torch.mul(o, torch.tanh(c, out=tanh), out=h)
        torch.addmv(b, W, h, out=logits)
        tokens.append(int(logits.argmax()))
    return tokens
