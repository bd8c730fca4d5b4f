"""The memory that training a model takes, compared with what this machine has."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from numpy_rnn.layers import CELLS

__all__ = ["check_memory"]


def check_memory(V: int, E: int, H: int, L: int, cell: str, dtype: str, T: int, B: int) -> None:
    """Raise ValueError for a model that does not fit in memory, before the system kills the process."""
    G = CELLS[cell].cell.gates
    parameters = V * E + G * H * (E + H + 2) + (L - 1) * G * H * (2 * H + 2) + V * (H + 1)
    tape = B * T * (3 * G * L * H + 2 * V)
    size = (4 * parameters + tape) * np.dtype(dtype).itemsize  # value, gradient, Adam's two averages
    memory = _available()
    if size > memory:
        raise ValueError(
            f"a model of {parameters:,} parameters, in windows of {B} x {T}, needs {size / 2**30:,.1f} GiB, but "
            f"only {memory / 2**30:.1f} GiB of memory are available: use a smaller hidden size, fewer layers, or "
            "smaller windows"
        )


def _available() -> float:
    """Return the available memory in bytes, also in a container with a limit; inf if the system does not tell."""
    found = [float("inf")]
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        found.append(float(Path("/sys/fs/cgroup/memory.max").read_text().replace("max", "inf")))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS no /proc
        pass
    return min(found)
