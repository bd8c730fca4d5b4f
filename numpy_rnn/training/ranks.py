"""Ranks: the processes that train one model together, each on its share of the B streams, connected by MPI.

Rank r of R has the streams floor(r B / R) to floor((r + 1) B / R) - 1. With n_r targets, the loss loss_r and the
gradient g_r of them alone,

    loss = sum_r n_r loss_r / sum_r n_r,    g = sum_r n_r g_r / sum_r n_r                      (1)

are those of the whole batch. All ranks start from the same parameters and compute the same (1), so clipping and Adam
keep their parameters equal without further messages.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numpy_rnn.checks import ArgumentError, Array

__all__ = ["Ranks"]


class Ranks:
    """All processes of an MPI communicator, or, without one, this process alone.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional

    Attributes
    ----------
    rank, size : int
        r and R.
    """

    def __init__(self, comm: Any = None) -> None:
        self.comm = comm
        self.rank: int = 0 if comm is None else comm.rank
        self.size: int = 1 if comm is None else comm.size

    @classmethod
    def of_mpiexec(cls) -> Ranks:
        """Return all processes that mpiexec has started; without it, this process alone."""
        try:
            from mpi4py import MPI
        except ModuleNotFoundError:
            raise ModuleNotFoundError("mpi4py is not installed: pip install 'numpy-rnn[mpi]'") from None
        except (ImportError, RuntimeError):  # mpi4py loads an MPI that is installed already
            raise ModuleNotFoundError(
                "no MPI library is installed: pip install mpich, or your system's MPI"
            ) from None
        return cls(MPI.COMM_WORLD)

    def share(self, B: int) -> slice:
        """Return which of B streams are this rank's."""
        return slice(self.rank * B // self.size, (self.rank + 1) * B // self.size)

    def check(self, B: int) -> None:
        if self.size > B:
            raise ArgumentError("batch_size", f"must be at least {self.size}, a stream for each rank, got {B}")

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all ranks."""
        return [*values] if self.comm is None else self._sum(np.array(values, np.float64)).tolist()

    def any(self, flag: object) -> bool:
        """Return whether the flag is true on some rank: what clocks and signals decide, all must decide alike."""
        return self.max(bool(flag)) > 0

    def max(self, value: int) -> int:
        """Return the largest value of all ranks."""
        if self.comm is None:
            return value
        from mpi4py import MPI

        largest = np.array(value, np.int64)
        self.comm.Allreduce(MPI.IN_PLACE, largest, MPI.MAX)
        return int(largest)

    def mean(self, loss: float, n: int, gradient: Array) -> tuple[float, int]:
        """Return the loss of all targets, and how many there are; set `gradient` to that of this loss, (1)."""
        if self.comm is None:
            return loss, n
        total, count = self.sum(n * loss if n else 0.0, n)
        if n:
            gradient *= n / count
        else:  # the mean over no targets is nan
            gradient.fill(0)
        self._sum(gradient)
        return total / count, int(count)

    def gather(self, state: Array, B: int) -> Array:
        """Return the states (L, B, H) of all streams, given those of this rank's share."""
        if self.comm is None:
            return state
        whole = np.zeros((state.shape[0], B, *state.shape[2:]), state.dtype)
        whole[:, self.share(B)] = state
        return self._sum(whole)

    def _sum(self, array: Array) -> Array:
        from mpi4py import MPI

        self.comm.Allreduce(MPI.IN_PLACE, array)
        return array
