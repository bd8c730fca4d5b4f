"""`numpy-rnn tutorial --torch`: both trainings in one table."""

from __future__ import annotations

from statistics import median

import numpy_rnn as nr
from numpy_rnn.text.windows import inputs_and_targets
from torch_reference.lockstep import make_mirror, steps
from torch_reference.tutorial import generate

__all__ = ["side_by_side"]


def side_by_side(
    model: nr.CharRNN, vocabulary: nr.Vocabulary, text: str, *, epochs: int, lr: float, carry_hidden: bool
) -> None:
    """Train `model` and its mirror from the same weights and print what they compute."""
    tokens, targets = inputs_and_targets(vocabulary, text)
    mirror = make_mirror(model)
    made = []
    print("epoch    NumPy loss    PyTorch loss    largest relative difference in any gradient so far")
    for step in steps(model, mirror, tokens, targets, epochs=epochs, lr=lr, carry_hidden=carry_hidden):
        made.append(step)
        if step.number % 10 == 0 or step.number == epochs:
            largest = max(s.largest("grad ") for s in made)
            print(f"{step.number:5d}    {step.numpy_loss:10.4f}    {step.torch_loss:12.4f}    {largest:.1e}")
    print(f"NumPy generates:   {nr.generate(model, vocabulary, text[0], len(text))}")
    print(f"PyTorch generates: {generate(mirror, vocabulary, text[0], len(text))}")
    numpy_time, torch_time = median(s.numpy_seconds for s in made), median(s.torch_seconds for s in made)
    print(
        f"median epoch: NumPy {numpy_time * 1e6:.0f} us, PyTorch {torch_time * 1e6:.0f} us "
        f"({torch_time / numpy_time:.1f} times as long)"
    )
