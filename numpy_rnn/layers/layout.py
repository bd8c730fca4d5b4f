"""Conversion between the caller's layout of sequences and that of the recurrences: time-major, longest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, check_shape, to_numpy

__all__ = ["Layout"]


class Layout:
    """Converts the caller's arrays to (T, B, ...) with the longest sequence first, and back.

    Parameters
    ----------
    T, B : int
    batch_first : bool, default False
        The caller's sequences are (B, T, ...) instead of (T, B, ...).
    single : bool, default False
        The caller's arrays have no batch axis: (T, ...).
    """

    order: Array | None = None  # row b is the caller's sequence order[b]

    def __init__(self, T: int, B: int, batch_first: bool = False, single: bool = False) -> None:
        self.T, self.B, self.batch_first, self.single = T, B, batch_first, single

    @classmethod
    def of(cls, x: Array, input_size: int, batch_first: bool) -> Layout:
        """Return the layout of x: (T, B, input_size), with batch_first (B, T, input_size), or (T, input_size)."""
        words = f"({'B, T' if batch_first else 'T, B'}, input_size) or, a single sequence, (T, input_size)"
        if x.ndim not in (2, 3) or x.shape[-1] != input_size:
            at = [axis for axis, size in enumerate(x.shape[:-1]) if size == input_size]
            slip = f"; axis {at[0]} looks like input_size: move it to the end" if at else ""
            raise ValueError(f"x has shape {x.shape}, expected {words} with input_size = {input_size}{slip}")
        single = x.ndim == 2
        T, B = (len(x), 1) if single else x.shape[1::-1] if batch_first else x.shape[:2]
        if T == 0:
            raise ValueError(f"x has shape {x.shape}, expected {words} with at least one time step")
        return cls(T, B, batch_first and not single, single)

    def sort(self, lengths: ArrayLike | None) -> Array | None:
        """Check the caller's lengths and return them in descending order, which becomes the order of the rows."""
        if lengths is None:
            return None
        if self.single:
            raise ValueError("lengths must be None for a single sequence: they need a batch")
        lengths = to_numpy("lengths", lengths)
        if lengths.dtype.kind not in "iu" and lengths.size:
            raise TypeError(f"lengths must be integers, got dtype {lengths.dtype}")
        check_shape("lengths", lengths, (self.B,), "(B,)", self._swapped * (lengths.shape == (self.T,)))
        for wrong in lengths[(lengths < 1) | (lengths > self.T)]:
            raise ValueError(f"lengths must be in [1, T] = [1, {self.T}], got {wrong}")
        lengths = lengths.astype(np.intp)
        self.order = np.argsort(-lengths, kind="stable")
        return lengths[self.order]

    def check(self, name: str, sequence: Array, width: int, words: str) -> None:
        """Raise ValueError unless a sequence has the caller's shape and `width`, called `words`."""
        T, B = self.T, self.B
        if self.single:
            check_shape(name, sequence, (T, width), f"for a single sequence (T, {words})")
        elif self.batch_first:
            slip = self._swapped * (sequence.shape == (T, B, width))
            check_shape(name, sequence, (B, T, width), f"(B, T, {words})", slip)
        else:
            slip = self._swapped * (sequence.shape == (B, T, width))
            check_shape(name, sequence, (T, B, width), f"(T, B, {words})", slip)

    def check_state(self, name: str, state: Array, count: int, hidden_size: int) -> None:
        """Raise ValueError unless h_0 or dh_n has its shape, which batch_first does not change."""
        words = "num_layers * num_directions"
        if self.single:
            check_shape(name, state, (count, hidden_size), f"for a single sequence ({words}, hidden_size)")
            return
        slip = ""
        if state.shape == (count, self.T, hidden_size):
            slip = self._swapped
        elif state.shape == (self.B, count, hidden_size):
            slip = f"{name} is never batch-first: transpose it"
        check_shape(name, state, (count, self.B, hidden_size), f"({words}, B, hidden_size)", slip)

    @property
    def _swapped(self) -> str:
        if self.batch_first:
            return "a sequence looks time-first: transpose it, or leave out batch_first=True"
        return "a sequence looks batch-first: transpose it, or make the RNN with batch_first=True"

    def enter(self, sequence: Array) -> Array:
        """Return the caller's sequence as (T, B, ...), in the order of the rows."""
        return self.enter_state(sequence.swapaxes(0, 1) if self.batch_first else sequence)

    def leave(self, sequence: Array) -> Array:
        """Return (T, B, ...) in the caller's layout."""
        sequence = self.leave_state(sequence)
        return sequence.swapaxes(0, 1) if self.batch_first else sequence

    def enter_state(self, state: Array) -> Array:
        """Return the caller's h_0 or dh_n as (L * D, B, H), in the order of the rows."""
        if self.single and state.ndim == 2:
            return state[:, None]
        return state if self.order is None else state[:, self.order]

    def leave_state(self, state: Array) -> Array:
        """Return (L * D, B, H) in the caller's layout."""
        if self.single:
            return state[:, 0]
        return state if self.order is None else state[:, self.order.argsort()]
