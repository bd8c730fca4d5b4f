"""numpy_rnn, with a reused tape, as in its own training loop."""

from __future__ import annotations

import numpy_rnn as nr
from benchmarks.contestants import Work
from benchmarks.problem import LR, Problem
from numpy_rnn.training.trainer import Trainer


def prepare(problem: Problem, dtype: str = "float32") -> Work:
    case = problem.case
    model = nr.CharRNN(case.V, case.E, case.H, cell=case.cell, dtype=dtype, rng=0)
    model.load_state_dict(problem.weights)
    tokens, targets = problem.tokens, problem.targets

    if case.task in ("forward", "backward"):
        tape = model.new_tape(case.T, case.B)
        if case.task == "forward":
            return Work(lambda: model.forward(tokens, None, tape)[0], lambda logits: logits)
        model.forward(tokens, None, tape)
        dlogits, parameters = problem.dlogits.astype(dtype), model.parameters()
        return Work(
            lambda: model.backward(dlogits, None, tape), lambda _: {name: p.grad for name, p in parameters.items()}
        )

    if case.task == "generate":
        vocabulary = problem.vocabulary
        prompt = vocabulary.decode(tokens[0])
        return Work(lambda: nr.generate(model, vocabulary, prompt, case.T), vocabulary.encode)

    optimizer = nr.Adam(model.parameters(), lr=LR)
    if case.task == "adam":
        for name, gradient in problem.gradients.items():
            model.parameters()[name].grad = gradient
        return Work(optimizer.step, lambda _: model.state_dict())

    tape = model.new_tape(case.T, case.B)

    def train() -> float:
        loss, _ = model.loss_and_gradients(tokens, targets, None, tape)
        optimizer.step()
        return loss

    return Work(train, float)


def learner(trainer: Trainer) -> Trainer:
    return trainer
