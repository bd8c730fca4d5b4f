"""The cases of the race: shapes, tasks and cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

__all__ = ["CURVES", "GRID", "OTHERS", "QUICK", "TASKS", "Case", "cases_of", "curve_cases"]

TASKS = {
    "train": "one training step: forward, loss, backward, Adam",
    "forward": "forward alone",
    "backward": "backward alone, from the logits to the gradients of all parameters",
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
    cell : {"rnn", "lstm", "gru"}
    """

    V: int
    E: int
    H: int
    T: int
    B: int
    task: str = "train"
    cell: str = "rnn"

    @property
    def shape(self) -> str:
        cell = "" if self.cell == "rnn" else f"{self.cell} "
        return f"{cell}{self.V}, {self.E}, {self.H}, {self.T}, {self.B}"

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


def cases_of(cell: str, quick: bool = False) -> list[Case]:
    """Return the cases of a cell, or a few of them. The gated cells have fewer shapes, and backward too."""
    if cell == "rnn":
        return list(QUICK if quick else (*GRID, *OTHERS))
    shapes = [case for case in (GRID[0], *GRID[2:5]) if case.H < 512 or not quick]
    cases = [replace(case, task=task) for task in ("train", "forward", "backward") for case in shapes]
    cases += [case for case in OTHERS if case.task == "generate" and (case.H < 512 or not quick)]
    return [replace(case, cell=cell) for case in cases]


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
