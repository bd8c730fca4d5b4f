"""A text to learn, and made-up learning races."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from benchmarks.contestants import AGAIN
from benchmarks.learning.results import Chunk, Learning, Trial
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options

TEXT = "".join(np.random.default_rng(0).choice(list("abcdefg \n"), 241))
TOKENS = tokenize(TEXT)
# 193 characters to learn: 3 streams of 64, windows of 7, 7, ..., 1. 48 to validate with: windows of 7, 7, 2.
OPTIONS = Options(
    seq_len=7, batch_size=3, hidden_size=8, embedding_dim=5, lr=0.01, warmup_steps=4, clip=0.5, steps=40,
    val_fraction=0.2, seed=3, dtype="float64",
)  # fmt: skip


def made_up(ours: list[float], theirs: list[float], every: int = 10, noise: float = 0.0) -> Learning:
    """Return a race with these validation losses, in which ten steps take numpy_rnn 1 s and torch 2 s."""
    rng = np.random.default_rng(0)
    options = dataclasses.asdict(Options(steps=every * (len(ours) - 1), batch_size=4, seq_len=5, warmup_steps=2))
    machine = {"cpu": "abacus", "cores": "2", "system": "wood", "python": "3", "commit": "0123456789", "date": "now"}
    text = {"name": "book.txt", "chars": 300, "train_chars": 222, "val_chars": 78, "vocab_size": 9}
    learning = Learning(machine, text, options | {"eval_every": every}, 1234, 12)
    for name, seconds in (("numpy_rnn", 0.1), ("torch", 0.3), ("torch-fused", 0.2)):
        for threads in (1, 2):
            sweeps = (1.0, 1.1, 50.0)  # a slow spell in one of them
            learning.trials += [Trial(name, threads, seconds * sweep / threads) for sweep in sweeps]
    for name, losses, seconds in (("numpy_rnn", ours, 1), ("torch-fused", theirs, 2), (AGAIN.name, ours, 1)):
        for k, loss in enumerate(losses):
            steps = every if k else 0
            pace = steps / 10 * seconds * math.exp(noise * rng.normal())
            learning.chunks.append(Chunk(name, k * every, steps, pace, 1.5 * pace, loss))
    pools = [{"user_api": "blas", "internal_api": "openblas", "version": "1", "architecture": "Beads"}]
    learning.versions = {"numpy_rnn@2": {"versions": {"numpy": "2"}, "pools": pools}}
    return learning


LEARNING = made_up([4.0, 3.0, 2.0, 1.5, 1.7], [4.0, 3.0, 2.1, 1.6, 1.65])
QUIET = made_up([4 / (1 + k) for k in range(21)], [4.1 / (1 + k) for k in range(21)])
