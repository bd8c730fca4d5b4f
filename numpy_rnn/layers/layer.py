"""The interface that all layers and models share, and the tape between a forward and a backward pass.

A *tape* is what a forward pass saves for its backward pass: named arrays, allocated for one layer and one shape.

Who owns an array: a forward pass without a tape allocates a new one and stores it as `layer.tape`, so the arrays that
it returns are never overwritten. A backward pass without a tape uses `layer.tape`, the one of the most recent forward
pass, and returns copies. A caller that passes the same tape each time allocates nothing, and each call overwrites the
arrays returned by the previous one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar

from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_flag
from numpy_rnn.parameters import Parameters

__all__ = ["Layer", "Tape"]


class Tape:
    """The layer and the input shape that it was made for, and whether a forward pass has written to it."""

    def __init__(self, layer: Any, shape: tuple[int, ...]) -> None:
        self.layer, self.shape, self.written = layer, shape, False

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be copied or pickled: arrays copied one by one would no longer share memory."""
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled: make one with new_tape of the copied layer"
        )


AnyTape = TypeVar("AnyTape", bound=Tape)


class Layer(Generic[AnyTape]):
    """Parameters, their `state_dict`, and the tape of the most recent forward."""

    _parameters: Parameters
    tape: AnyTape | None = None
    training = True  # dropout, if there is any, is on

    def train(self, mode: bool = True) -> Self:
        """Set training mode, which is the default, and return the layer itself."""
        self.training = as_flag("mode", mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode, and return the layer itself."""
        return self.train(False)

    def parameters(self) -> Parameters:
        """Return the parameters: flat vectors `data` and `grad`, and named views of them."""
        return self._parameters

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter, with torch's names and shapes."""
        return self._parameters.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, ArrayLike]) -> None:
        """Set every parameter from arrays or torch tensors; see `Parameters.load_state_dict`."""
        self._parameters.load_state_dict(state_dict)

    def _check_tape(self, tape: AnyTape, shape: tuple[int, ...] | None = None) -> AnyTape:
        """Return the caller's tape if it was made for this layer and, unless None, for `shape`."""
        if getattr(tape, "layer", None) is not self:
            given = f"a {type(tape).__name__}" + " of another layer" * isinstance(tape, Tape)
            raise ValueError(f"tape must be one that new_tape of this {type(self).__name__} made, got {given}")
        if shape is not None and tape.shape != shape:
            raise ValueError(f"tape was made for inputs of shape {tape.shape}, got one of {shape}")
        return tape

    def _written_tape(self, tape: AnyTape | None) -> AnyTape:
        """Return the tape for a backward pass: the caller's, or that of the most recent forward pass."""
        tape = self.tape if tape is None else self._check_tape(tape)
        if tape is None or not tape.written:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        return tape

    def __getstate__(self) -> dict[str, Any]:
        # A copy of a layer starts without tapes: arrays copied one by one would no longer share memory.
        return {name: None if isinstance(value, Tape) else value for name, value in self.__dict__.items()}
