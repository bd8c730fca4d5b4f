"""mpiexec -n R python -m benchmarks.scaling.team KIND V,E,H,T,B SECONDS: rank 0 prints losses and times as JSON.

KIND is `numpy_rnn`, `torch` (DistributedDataParallel over gloo if R > 1), or `allreduce`: then the times are those of
an Allreduce of as many float32 numbers as the last argument says, and the shape does not matter.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

import numpy_rnn as nr
from benchmarks.cases import Case
from benchmarks.problem import LR, Problem
from numpy_rnn.training.ranks import Ranks

AGREEMENT_STEPS = 3


def ours(problem: Problem, ranks: Ranks) -> Callable[[], float]:
    """Return a step of data-parallel training, as in `numpy_rnn.training.trainer`."""
    case = problem.case
    model = nr.CharRNN(case.V, case.E, case.H, rng=0)
    model.load_state_dict(problem.weights)
    optimizer, share = nr.Adam(model.parameters(), lr=LR), ranks.share(case.B)
    tokens, targets = problem.tokens[:, share], problem.targets[:, share]
    tape = model.new_tape(*tokens.shape)

    def step() -> float:
        loss, _ = model.loss_and_gradients(tokens, targets, None, tape)
        loss, _ = ranks.mean(loss, tokens.size, model.parameters().grad)
        optimizer.step()
        return loss

    return step


def torchs(problem: Problem, ranks: Ranks) -> Callable[[], float]:
    """Return a step of the same training in torch; B must be a multiple of R, because DDP weighs all ranks alike."""
    import torch
    from torch import distributed, nn

    from torch_reference import CharRNN

    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    case, share = problem.case, ranks.share(problem.case.B)
    model: Any = CharRNN(case.V, case.E, case.H)
    model.load_state_dict(problem.weights)
    if ranks.size > 1:
        where = f"file://{os.environ['RENDEZVOUS']}"
        distributed.init_process_group("gloo", init_method=where, rank=ranks.rank, world_size=ranks.size)
        model = nn.parallel.DistributedDataParallel(model)
    tokens, targets = (torch.tensor(whole[:, share]) for whole in (problem.tokens, problem.targets))
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=LR, fused=True)

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(model(tokens)[0].flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        return float(loss)  # of this rank's share

    return step


def timed(step: Callable[[], object], seconds: float, ranks: Ranks) -> list[float]:
    """Return the time of each step, as many as fit in `seconds`, the same number on all ranks."""
    times: list[float] = []
    while not times or not ranks.any(sum(times) > seconds):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return times


def main() -> None:
    kind, shape, seconds = sys.argv[1], [int(size) for size in sys.argv[2].split(",")], float(sys.argv[3])
    ranks, losses = Ranks(MPI.COMM_WORLD), []
    if kind == "allreduce":
        numbers = np.zeros(int(sys.argv[4]), np.float32)
        step: Callable[[], object] = lambda: ranks.comm.Allreduce(MPI.IN_PLACE, numbers)  # noqa: E731
    else:
        V, E, H, T, B = shape
        problem = Problem.draw(Case(V, E, H, T, B))
        train = (ours if kind == "numpy_rnn" else torchs)(problem, ranks)
        # A mean of shares as torch has it: all are of the same size.
        losses = [ranks.sum(train())[0] / ranks.size for _ in range(AGREEMENT_STEPS)]
        step = train
    timed(step, seconds / 4, ranks)
    times = timed(step, seconds, ranks)
    if ranks.rank == 0:
        print(json.dumps({"losses": losses, "seconds": times}))


if __name__ == "__main__":
    main()
