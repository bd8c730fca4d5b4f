"""PyTorch with torch.compile: forward and loss of the tanh RNN, unrolled over time, and what autograd makes of them.

By default torch.compile leaves nn.RNN out of its graph, and a step takes as long as without it. Unrolled, every time
step becomes part of one graph, which takes long to compile: the report has the time.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.contestants import Unavailable, Work, pytorch
from benchmarks.problem import LR, Problem

LONGEST = 64  # time steps: beyond that, compilation takes minutes


def start(threads: int) -> dict[str, str]:
    compilers = os.environ.get("CXX", "g++"), "g++", "clang++"
    if not any(map(shutil.which, compilers)):
        raise Unavailable("torch.compile needs a C++ compiler: none of g++ and clang++ was found")
    return pytorch.start(threads)


def prepare(problem: Problem) -> Work:
    if problem.case.T > LONGEST:
        raise Unavailable(f"more than {LONGEST} unrolled time steps take minutes to compile")
    weights = {name: torch.tensor(w, requires_grad=True) for name, w in problem.weights.items()}
    tokens, targets = torch.tensor(problem.tokens), torch.tensor(problem.targets).flatten()
    torch.compiler.reset()  # forget earlier cases: otherwise torch would compile for dynamic shapes, or not at all
    compiled = torch.compile(loss_of, dynamic=False)
    optimizer = torch.optim.Adam(weights.values(), lr=LR, fused=True)

    def train() -> Any:
        optimizer.zero_grad()
        loss: Any = compiled([*weights.values()], tokens, targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Work(train, float)


def loss_of(weights: list[Tensor], tokens: Tensor, targets: Tensor) -> Tensor:
    C, W_ih, W_hh, b_ih, b_hh, W, b = weights
    (T, B), bias = tokens.shape, b_ih + b_hh
    if len(C) <= T * B:
        z = torch.addmm(bias, C, W_ih.T)[tokens]
    else:
        z = torch.addmm(bias, C[tokens.flatten()], W_ih.T).view(T, B, -1)
    h, states = z.new_zeros(B, len(W_hh)), []
    for z_t in z.unbind():
        h = torch.tanh(torch.addmm(z_t, h, W_hh.T))
        states.append(h)
    return cross_entropy(torch.addmm(b, torch.cat(states), W.T), targets)
