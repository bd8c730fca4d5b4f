"""The cases of the race: shapes and tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["CURVES", "GRID", "OTHERS", "QUICK", "TASKS", "Case", "curve_cases"]

TASKS = {
    "train": "one training step: forward, loss, backward, Adam",
    "forward": "forward alone",
    "generate": "greedy generation of T characters, one at a time",
    "adam": "one step of Adam alone",
}


@dataclass(frozen=True)
class Case:
    """A task and its sizes.

    Attributes
    ----------
    V, E, H, T, B : int
        vocab_size, embedding_dim, hidden_size, number of time steps, batch size.
    task : str
        A key of `TASKS`.
    """

    V: int
    E: int
    H: int
    T: int
    B: int
    task: str = "train"

    @property
    def shape(self) -> str:
        return f"{self.V}, {self.E}, {self.H}, {self.T}, {self.B}"

    def __str__(self) -> str:
        return self.shape if self.task == "train" else f"{self.task} {self.shape}"


GRID = (
    Case(13, 32, 32, 18, 1),  # the tutorial's
    Case(65, 64, 100, 25, 1),  # min-char-rnn's
    Case(65, 128, 128, 50, 32),
    Case(65, 64, 256, 64, 32),
    Case(65, 128, 512, 100, 64),
    Case(65, 512, 1024, 64, 64),
    Case(256, 128, 256, 128, 1),  # bytes, one long sequence
    Case(10000, 128, 256, 35, 20),  # words: nearly all of the work is in the output layer
)

OTHERS = (
    Case(65, 64, 100, 25, 1, "forward"),
    Case(65, 128, 512, 100, 64, "forward"),
    Case(65, 128, 128, 400, 1, "generate"),
    Case(65, 128, 512, 400, 1, "generate"),
    Case(65, 128, 128, 1, 1, "adam"),
    Case(65, 512, 1024, 1, 1, "adam"),
)

QUICK = (GRID[0], GRID[1], GRID[2], GRID[6], OTHERS[3])

# One size grows while the others are fixed: the slope shows the cost, the left end shows the overhead.
_BASE = Case(65, 64, 128, 32, 16)
CURVES = {
    "T": (8, 32, 128, 512),
    "B": (1, 16, 64, 256),
    "H": (16, 64, 128, 256, 512, 1024),
}


def curve_cases(axis: str) -> list[Case]:
    """Return the training cases along one axis of `CURVES`."""
    return [Case(**asdict(_BASE) | {axis: size}) for size in CURVES[axis]]
