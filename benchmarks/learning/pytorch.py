"""PyTorch: the trainer of torch_reference."""

from __future__ import annotations

from benchmarks.contestants.pytorch import start
from numpy_rnn.training.trainer import Trainer
from torch_reference import TorchTrainer

__all__ = ["learner", "start"]


def learner(trainer: Trainer, fused: bool = False) -> TorchTrainer:
    return TorchTrainer(trainer, fused)
