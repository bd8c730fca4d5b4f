"""PyTorch: nn.Embedding, nn.RNN, nn.LSTM or nn.GRU, nn.Linear, nn.CrossEntropyLoss and Adam, on a CPU or a GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contestants import Unavailable, Work
from benchmarks.problem import LR, Problem
from numpy_rnn.training.trainer import Trainer
from torch_reference import CharRNN, TorchTrainer, generate


def start(threads: int, *, device: str = "cpu", **_: Any) -> dict[str, str]:
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)
    versions = {"torch": torch.__version__, "torch threads": f"{torch.get_num_threads()}"}
    if device == "cuda":
        if not torch.cuda.is_available():
            raise Unavailable("torch sees no CUDA device")
        cudnn: Any = torch.backends.cudnn
        versions |= {"gpu": torch.cuda.get_device_name(), "cudnn": f"{cudnn.version()}"}
    return versions


def prepare(problem: Problem, *, fused: bool = False, device: str = "cpu") -> Work:
    case = problem.case
    model = CharRNN(case.V, case.E, case.H, cell=case.cell)
    model.load_state_dict(problem.weights)
    model.to(device)
    tokens = torch.tensor(problem.tokens, device=device)
    targets = torch.tensor(problem.targets, device=device).flatten()
    wait = (lambda _: torch.cuda.synchronize()) if device == "cuda" else id

    if case.task == "forward":

        @torch.inference_mode()
        def forward() -> Any:
            return model(tokens)[0]

        return Work(forward, lambda logits: logits.numpy(force=True), wait)

    if case.task == "backward":
        names, parameters = zip(*model.named_parameters(), strict=True)
        logits, dlogits = model(tokens)[0], torch.tensor(problem.dlogits, device=device)
        return Work(
            lambda: torch.autograd.grad(logits, parameters, dlogits, retain_graph=True),
            lambda gradients: {name: g.numpy(force=True) for name, g in zip(names, gradients, strict=True)},
            wait,
        )

    if case.task == "generate":
        vocabulary, first = problem.vocabulary, problem.tokens[0]
        return Work(lambda: generate(model, vocabulary, vocabulary.decode(first), case.T), vocabulary.encode)

    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)
    if case.task == "adam":
        for name, p in model.named_parameters():
            p.grad = torch.tensor(problem.gradients[name], device=device)
        return Work(
            optimizer.step, lambda _: {name: p.numpy(force=True) for name, p in model.named_parameters()}, wait
        )

    criterion = nn.CrossEntropyLoss()

    def train() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(tokens)[0].flatten(0, 1), targets)
        loss.backward()
        optimizer.step()
        return loss

    return Work(train, Tensor.item, wait)


def learner(trainer: Trainer, fused: bool = False) -> TorchTrainer:
    return TorchTrainer(trainer, fused)
