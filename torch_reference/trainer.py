"""The training of `numpy-rnn train` in PyTorch: truncated backpropagation through time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from numpy_rnn.checks import Array
from numpy_rnn.text.windows import IGNORED, validation_windows
from numpy_rnn.training.trainer import Trainer
from torch_reference.model import detach, make_mirror

__all__ = ["TorchTrainer"]


class TorchTrainer:
    """The same training as that of a `numpy_rnn` trainer: initial weights, windows and their order, options.

    Parameters
    ----------
    trainer : numpy_rnn.training.trainer.Trainer
        The trainer to copy, before its first step and without dropout, since NumPy and torch draw different masks. It
        is not changed.
    fused : bool, default False
        Use torch's fused Adam.
    """

    def __init__(self, trainer: Trainer, fused: bool = False) -> None:
        self.plan = trainer.plan
        self.model = make_mirror(trainer.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.plan.lr, fused=fused)
        self.criterion = nn.CrossEntropyLoss()
        # Converted before the first step, so that reading a window costs nothing during training.
        streams, n, count = trainer.streams, trainer.plan.val_length, trainer.plan.val_chars
        self.windows = [_as_tensors(*streams.window(k)) for k in range(len(streams))]
        val_windows = validation_windows(trainer.tokens, n, streams.batch_size, streams.seq_len, count) if n else ()
        self.val_windows = [_as_tensors(*window) for window in val_windows]
        self.hidden: Any = None
        self.step = 0

    def train_step(self) -> tuple[float, float]:
        """Take one step; return its loss and the norm of the gradients before clipping."""
        window = self.step % len(self.windows)
        tokens, targets = self.windows[window]
        h_0 = None if window == 0 else self.hidden
        self.optimizer.zero_grad()
        logits, h_n = self.model(tokens, h_0)
        loss = self.criterion(logits.flatten(0, 1), targets)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimizer.param_groups[0]["lr"] = self.plan.learning_rate(self.step)
        self.optimizer.step()
        self.hidden = detach(h_n)
        self.step += 1
        return loss.item(), norm.item()

    @torch.inference_mode()
    def validate(self) -> float:
        """Return the mean loss over the validation text, in nats per character; nan without one."""
        criterion, total, n, h_n = nn.CrossEntropyLoss(reduction="sum", ignore_index=IGNORED), 0.0, 0, None
        for tokens, targets in self.val_windows:
            logits, h_n = self.model(tokens, h_n)
            total += criterion(logits.flatten(0, 1), targets).item()
            n += int((targets != IGNORED).sum())
        return total / n if n else math.nan


def _as_tensors(tokens: Array, targets: Array) -> tuple[Tensor, Tensor]:
    """Return tokens (T, B) and targets (T * B,) as int64."""
    return torch.from_numpy(tokens.astype(np.int64)), torch.from_numpy(targets.astype(np.int64)).flatten()
