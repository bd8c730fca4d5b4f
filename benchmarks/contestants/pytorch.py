"""PyTorch: nn.Embedding, nn.RNN, nn.LSTM or nn.GRU, nn.Linear, nn.CrossEntropyLoss and Adam, on a CPU or a GPU."""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contestants import Unavailable, Work
from benchmarks.problem import LR, Problem
from numpy_rnn.training.trainer import Trainer
from torch_reference import CharRNN, TorchTrainer, generate


def start(threads: int, *, compiled: bool = False, device: str = "cpu", **_: Any) -> dict[str, str]:
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)
    versions = {"torch": torch.__version__, "torch threads": f"{torch.get_num_threads()}"}
    if device == "cuda":
        if not torch.cuda.is_available():
            raise Unavailable("torch sees no CUDA device")
        cudnn: Any = torch.backends.cudnn
        versions |= {"gpu": torch.cuda.get_device_name(), "cudnn": f"{cudnn.version()}"}
    if compiled:
        compilers = os.environ.get("CXX", "g++"), "g++", "clang++"
        if not any(map(shutil.which, compilers)):
            raise Unavailable("torch.compile needs a C++ compiler: none of g++ and clang++ was found")
    return versions


def prepare(
    problem: Problem, *, fused: bool = False, compiled: bool = False, by_hand: bool = False, device: str = "cpu"
) -> Work:
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
        if by_hand:
            return Work(lambda: generate_by_hand(model, int(first[0]), case.T), list)
        return Work(lambda: generate(model, vocabulary, vocabulary.decode(first), case.T), vocabulary.encode)

    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)
    if case.task == "adam":
        for name, p in model.named_parameters():
            p.grad = torch.tensor(problem.gradients[name], device=device)
        return Work(
            optimizer.step, lambda _: {name: p.numpy(force=True) for name, p in model.named_parameters()}, wait
        )

    criterion = nn.CrossEntropyLoss()

    def loss_of(tokens: Tensor, targets: Tensor) -> Any:
        return criterion(model(tokens)[0].flatten(0, 1), targets)

    compute_loss = loss_of
    if compiled:
        # Forget earlier cases: otherwise torch would compile for dynamic shapes, or not at all. By default nn.RNN is
        # not part of the graph. With torch._dynamo.config.allow_rnn, which unrolls it, a shape took 20 to 50 s to
        # compile; a step took a fifth less time at the two smallest shapes and no less at the others.
        torch.compiler.reset()
        compute_loss = torch.compile(loss_of, dynamic=False)

    def train() -> Any:
        optimizer.zero_grad()
        loss = compute_loss(tokens, targets)
        loss.backward()
        optimizer.step()
        return loss

    return Work(train, Tensor.item, wait)


@torch.inference_mode()
def generate_by_hand(model: CharRNN, token: int, length: int) -> list[int]:
    """Generate greedily with as few calls into torch as possible.

    This shows what torch can do, not what people write: the same products as `numpy_rnn.generate`, with the input
    projections in a table and no allocation. (nn.RNNCell was also tried: it is slower than this loop, and faster than
    nn.RNN called for each step, which is the contestant "torch".)
    """
    p = {name: w.detach() for name, w in model.named_parameters()}
    W_hh, b_hh, W, b = p["rnn.weight_hh_l0"], p["rnn.bias_hh_l0"], p["fc.weight"], p["fc.bias"]
    (width, H), gru = W_hh.shape, isinstance(model.rnn, nn.GRU)
    table = p["embedding.weight"] @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"] + (0 if gru else b_hh)
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


def learner(trainer: Trainer, fused: bool = False) -> TorchTrainer:
    return TorchTrainer(trainer, fused)
