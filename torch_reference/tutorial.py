"""The training and the greedy generation of `numpy-rnn tutorial` in PyTorch; see docs/tutorial.md."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from numpy_rnn import Vocabulary
from torch_reference.model import CharRNN, detach

__all__ = ["generate", "train_epochs"]


def train_epochs(
    model: CharRNN, tokens: Tensor, targets: Tensor, *, epochs: int, lr: float = 0.01, carry_hidden: bool = False
) -> Iterator[float]:
    """Train on tokens and targets (T, 1), one Adam step per epoch, and yield the loss of each epoch."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    h_0 = None
    for _ in range(epochs):
        optimizer.zero_grad()
        logits, h_n = model(tokens, h_0)
        loss = criterion(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        if carry_hidden:
            h_0 = detach(h_n)  # keep the values, drop the graph
        yield loss.item()


@torch.inference_mode()
def generate(model: CharRNN, vocabulary: Vocabulary, prompt: str, length: int) -> str:
    """Continue `prompt` greedily until the text, including the prompt, has `length` characters."""
    logits, h = model(torch.from_numpy(vocabulary.encode(prompt)).reshape(-1, 1))
    text = prompt
    while len(text) < length:
        token = logits[-1].argmax(dim=-1, keepdim=True)  # (1, 1)
        text += vocabulary.decode(token[0].numpy())
        logits, h = model(token, h)
    return text
