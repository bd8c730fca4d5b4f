"""The face that every layer and model shares, beside its own `forward` and `backward`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from numpy.typing import ArrayLike

from numpy_rnn.checks import Array
from numpy_rnn.parameters import Parameters

__all__ = ["Layer"]


class Tape(Protocol):
    """What one forward pass leaves for its backward pass: named arrays, made for one input shape.

    A forward that is handed no tape makes a new one, so the arrays it returns are nobody else's, and keeps it
    as `layer.tape`. A backward that is handed none belongs to `layer.tape`, the most recent forward, and
    renews the tape's gradient arrays first, so that what an earlier backward returned stays as it was.
    A caller that hands the same tape in again and again allocates nothing and reads results before
    the next call.
    """

    def renew_gradients(self) -> None: ...


T = TypeVar("T", bound=Tape)


class Layer(Generic[T]):
    """Parameters, their `state_dict`, and the tape of the most recent forward."""

    _parameters: Parameters
    tape: T | None = None

    def parameters(self) -> Parameters:
        """Return the parameters: flat vectors `data` and `grad`, and named views into them."""
        return self._parameters

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter, under torch's names and in torch's shapes."""
        return self._parameters.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, ArrayLike]) -> None:
        """Set every parameter from arrays or torch tensors; see `Parameters.load_state_dict`."""
        self._parameters.load_state_dict(state_dict)

    def _tape_for_backward(self, tape: T | None) -> T:
        if tape is not None:
            return tape
        if self.tape is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        self.tape.renew_gradients()
        return self.tape

    def __getstate__(self) -> dict[str, Any]:
        # A copy of a layer starts without a tape: copies of views would no longer be views.
        return self.__dict__ | {"tape": None}
