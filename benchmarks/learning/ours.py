"""numpy_rnn: the trainer itself, as `numpy-rnn train` uses it."""

from __future__ import annotations

from numpy_rnn.training.trainer import Trainer


def learner(trainer: Trainer) -> Trainer:
    return trainer
