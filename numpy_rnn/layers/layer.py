"""The interface that all layers and models share, and the tape between a forward and a backward pass.

A *tape* is what a forward pass saves for its backward pass: named arrays, allocated for one layer and one shape.

Who owns an array: a forward pass without a tape allocates a new one and stores it as `layer.tape`, so the arrays that
it returns are never overwritten. A backward pass without a tape uses `layer.tape`, the one of the most recent forward
pass, and returns copies. A caller that passes the same tape each time allocates nothing, and each call overwrites the
arrays returned by the previous one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from threading import get_ident
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_flag
from numpy_rnn.display.instead import Explained
from numpy_rnn.parameters import Parameter, Parameters

__all__ = ["Layer", "Tape", "quiet", "writes_gradients"]

quiet = np.errstate(all="ignore")  # for public methods: inf and nan without a warning or an error, as in torch


class Tape:
    """The layer and the input shape that it was made for, and whether a forward pass has written to it."""

    thread = 0  # the one of the forward pass that keeps it as `layer.tape`

    def __init__(self, layer: Any, shape: tuple[int, ...]) -> None:
        self.layer, self.shape, self.written = layer, shape, False

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be copied or pickled: arrays copied one by one would no longer share memory."""
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled: make one with new_tape of the copied layer"
        )


AnyTape = TypeVar("AnyTape", bound=Tape)


Method = TypeVar("Method", bound=Callable[..., Any])


def writes_gradients(method: Method) -> Method:
    """Make a `quiet` method refuse to run twice at once: two threads would write their gradients to one array."""

    @functools.wraps(method)
    @quiet
    def alone(self: Layer[Any], /, *args: Any, **kwargs: Any) -> Any:
        lock = self.parameters().lock
        if not lock.acquire(blocking=False):
            raise RuntimeError(
                f"{type(self).__name__}.{method.__name__} is running in another thread, which writes the same "
                "gradients: give each thread a copy, copy.deepcopy(layer)"
            )
        try:
            return method(self, *args, **kwargs)
        finally:
            lock.release()

    return alone  # type: ignore[return-value]


class Layer(Explained, Generic[AnyTape]):
    """Parameters, their `state_dict`, and the tape of the most recent forward."""

    _parameters: Parameters
    tape: AnyTape | None = None
    training = True  # dropout, if there is any, is on
    tied = False  # whether a model uses the weight in another layer too

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

    def __setattr__(self, name: str, value: Any) -> None:
        self._check_replaced(name, value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._check_replaced(name, None)
        super().__delattr__(name)

    def _check_replaced(self, name: str, value: Any) -> None:
        """Refuse to replace a parameter or a layer of a model: the flat vectors would still hold the old one."""
        current = self.__dict__.get(name)
        if type(current) is Parameter and value is not self._parameters.get(name):
            raise AttributeError(
                f"{name} cannot be replaced: write {name}.data[...] = values to set its values; to share a weight "
                "between layers, nr.CharRNN(..., tie_weights=True)"
            )
        if isinstance(current, Layer) or (name == "bias" in self.__dict__ and type(current) is not Parameter):
            raise AttributeError(f"{name} cannot be replaced: make a new {type(self).__name__}")

    def __repr__(self) -> str:
        inner = {name: v for name, v in vars(self).items() if isinstance(v, Layer) and not name.startswith("_")}
        lines = "".join(f"  ({name}): {layer!r}\n" for name, layer in inner.items())
        return f"{type(self).__name__}(\n{lines})" if inner else as_call(self)

    def _keep(self, tape: AnyTape) -> None:
        """Store the tape of a forward pass, for `backward`."""
        tape.written, tape.thread, self.__dict__["tape"] = True, get_ident(), tape

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
        if self.tied:
            raise RuntimeError(
                "weight is tied: call backward of the model, which adds the gradients of both its uses"
            )
        kept, tape = tape is None, self.tape if tape is None else self._check_tape(tape)
        if tape is None or not tape.written:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        if kept and tape.thread != get_ident():
            raise RuntimeError("the most recent forward pass was in another thread: pass backward its tape, tape=...")
        return tape

    def __getstate__(self) -> dict[str, Any]:
        # A copy of a layer starts without tapes: arrays copied one by one would no longer share memory.
        return {name: None if isinstance(value, Tape) else value for name, value in self.__dict__.items()}


def as_call(thing: Any) -> str:
    """Return the call that makes an object like this one, without the arguments that have their default."""
    shown = []
    for name, parameter in inspect.signature(type(thing)).parameters.items():
        default, value = parameter.default, getattr(thing, name, parameter.default)
        if name == "dtype":
            default, value = np.dtype(default).name, value.name
        elif default is True:  # Linear stores a parameter, or None, under the name of its flag
            value = value is not False and value is not None
        if name != "rng" and repr(value) != repr(default):
            shown.append(repr(value) if default is parameter.empty else f"{name}={value!r}")
    return f"{type(thing).__name__}({', '.join(shown)})"
