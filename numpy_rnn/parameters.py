"""Flat storage: one vector of values, one vector of gradients, and named views into both."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from threading import RLock
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, check_keys, check_shape
from numpy_rnn.display.instead import Explained

__all__ = ["Parameter", "Parameters", "as_real_parameters"]


class Parameter(Explained):
    """A tensor and its gradient. Assigning to either writes into its existing memory, so views stay views.

    NumPy functions take a parameter as the array `data`: `np.save("weight.npy", fc.weight)`.
    """

    __slots__ = ("_data", "_grad")

    def __init__(self, data: Array, grad: Array) -> None:
        self._data, self._grad = data, grad

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, value: ArrayLike) -> None:
        _write("data", value, self._data)

    @property
    def grad(self) -> Array:
        return self._grad

    @grad.setter
    def grad(self, value: ArrayLike) -> None:
        _write("grad", value, self._grad)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self._data, dtype, copy=copy)

    def __isub__(self, other: Any) -> NoReturn:  # otherwise, `p -= lr * p.grad` would turn p into an array
        raise TypeError("write to the array of a parameter: p.data -= lr * p.grad")

    __iadd__ = __imul__ = __itruediv__ = __isub__

    def __repr__(self) -> str:
        return f"Parameter(shape={self._data.shape}, dtype={self._data.dtype})"


def _write(name: str, value: ArrayLike, out: Array) -> None:
    """Set `out` to an array of the same shape, or to one number everywhere."""
    if value is not out:  # `p.data -= ...` assigns the array to itself
        array = as_array(name, value, out.dtype)
        if array.shape:
            check_shape(name, array, out.shape, "the parameter's shape")
        out[...] = array


class Parameters(Parameter, Mapping[str, Parameter]):
    """The parameters of a layer or a model, stored in one piece of memory.

    `data` and `grad` are contiguous vectors with the same layout; `self[name]` is a view of one tensor. So an
    optimizer step is a few vector operations, a norm is one reduction, a numerical gradient check perturbs one
    vector, and the gradients of micro-batches add up as vectors.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Name and shape of each tensor, in the order of a torch `state_dict`.
    dtype : dtype
        float32, float64 or complex128.

    Attributes
    ----------
    data, grad : ndarray, shape (number of values,)
        Values and gradients of all tensors.
    """

    __slots__ = ("_joined", "_named", "_parts", "_shapes", "_tied", "lock")

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike = np.float32) -> None:
        size = sum(math.prod(shape) for shape in shapes.values())
        data, grad = np.zeros(size, as_dtype(dtype)), np.zeros(size, as_dtype(dtype))
        self._shapes = dict(shapes)
        self._named = {name: Parameter(data, grad) for name in shapes}
        self._tied: set[str] = set()  # tensors that belong to other Parameters, or that have a second name here
        self._parts: dict[str, Parameters] = {}
        self._joined = False
        self.lock = RLock()  # held by the thread that computes gradients
        self._bind(data, grad)

    @classmethod
    def join(cls, parts: Mapping[str, Parameters]) -> Parameters:
        """Move several `Parameters` into one new pair of vectors, one after the other.

        Tensor `name` of part `prefix` becomes `prefix.name`. The parts keep working: their `data` and `grad` become
        slices of the new vectors. Arrays taken from a part earlier still refer to the old memory.

        Raises
        ------
        ValueError
            A part has been joined already: its values cannot be in two places.
        TypeError
            `parts` is something else, or the parts differ in dtype. (A part without tensors has none.)
        """
        if not isinstance(parts, Mapping):
            raise TypeError(f'parts must be a mapping such as {{"fc": fc.parameters()}}, got {type(parts).__name__}')
        for prefix, part in parts.items():
            _check_parameters(f"parts[{prefix!r}]", part)
            if part._joined or any(part is other for name, other in parts.items() if name != prefix):
                raise ValueError(f"part {prefix!r} has been joined already: its values cannot be in two places")
        dtypes = {prefix: part.data.dtype for prefix, part in parts.items() if part}
        if len(set(dtypes.values())) > 1:
            raise TypeError(f"parts must share one dtype, got {', '.join(f'{p}: {d}' for p, d in dtypes.items())}")
        shapes = {f"{prefix}.{name}": p.data.shape for prefix, part in parts.items() for name, p in part.items()}
        joined = cls(shapes, next(iter(dtypes.values()), np.float32))
        joined._named = {f"{prefix}.{name}": p for prefix, part in parts.items() for name, p in part._named.items()}
        joined._tied = joined._named.keys() - shapes.keys()
        joined._parts = dict(parts)
        if parts:
            np.concatenate([part.data for part in parts.values()], out=joined.data)
            np.concatenate([part.grad for part in parts.values()], out=joined.grad)
        for part in parts.values():
            part._joined = True
        joined._bind(joined.data, joined.grad)
        return joined

    def _bind(self, data: Array, grad: Array) -> None:
        """Make `data` and `grad` the storage of this object, of its tensors, and of the parts it was joined from."""
        self._data, self._grad = data, grad
        for p, p_data, p_grad in zip(self.values(), self._split(data), self._split(grad), strict=True):
            p._data, p._grad = p_data, p_grad
        start = 0
        for part in self._parts.values():
            stop = start + part.data.size
            part._bind(data[start:stop], grad[start:stop])
            start = stop

    def _split(self, vector: Array) -> Iterator[Array]:
        start = 0
        for shape in self._shapes.values():
            stop = start + math.prod(shape)
            yield vector[start:stop].reshape(shape)
            start = stop

    def __getitem__(self, name: str) -> Parameter:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {shape}" for name, shape in self._shapes.items())
        return f"Parameters({shapes}; {self.data.size} values, {self.data.dtype})"

    def tie(self, name: str, tensor: Parameter) -> None:
        """Replace a tensor by one of other `Parameters`, whose vectors alone contain it from then on."""
        check_shape(name, self[name].data, tensor.data.shape, "the shape of the tensor that it is tied to")
        del self._shapes[name]
        self._named[name] = tensor
        self._tied.add(name)
        data, grad = ([getattr(p, vector).ravel() for p in self.values()] for vector in ("data", "grad"))
        self._bind(np.concatenate([*data, self._data[:0]]), np.concatenate([*grad, self._grad[:0]]))

    # Copies (copy.deepcopy, pickle) are rebuilt from the vectors: arrays copied one by one would not share memory.
    # A part that is copied by itself has left the join.
    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_shapes", "_named", "_tied", "_parts", "_data", "_grad")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.lock, self._joined = RLock(), False
        for part in self._parts.values():
            part._joined = True
        self._bind(self._data, self._grad)

    def __copy__(self) -> Parameters:
        return copy.deepcopy(self)  # a shallow copy would share the tensors, but not the vectors

    def views(self, vector: Array) -> dict[str, Array]:
        """Return views of a vector with this layout, such as `Adam.exp_avg`, by the name of the tensor.

        Parameters
        ----------
        vector : ndarray, shape (number of values,)
        """
        if vector.shape != self.data.shape:
            raise ValueError(f"vector has shape {vector.shape}, expected {self.data.shape}")
        return dict(zip(self._shapes, self._split(vector), strict=True))

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every tensor by name (torch returns references); tied names share one, as in torch."""
        copies = {id(p): p.data.copy() for p in self._named.values()}
        return {name: copies[id(p)] for name, p in self._named.items()}

    def load_state_dict(self, state_dict: Mapping[str, ArrayLike]) -> None:
        """Set every tensor from a mapping of arrays or torch tensors: all of them, or none if there is an error.

        Raises
        ------
        KeyError
            A tensor is missing or unknown.
        ValueError
            A shape differs, or tied tensors have different values.
        TypeError
            A value is not an array of real numbers (for complex parameters, real or complex).
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping of names to arrays, got {type(state_dict).__name__}")
        check_keys("state_dict", state_dict, self._named)
        arrays = {name: as_array(name, state_dict[name], self.data.dtype) for name in self._named}
        first: dict[int, str] = {}  # the first name of each tensor
        for name, array in arrays.items():
            check_shape(name, array, self[name].data.shape, "the parameter's shape")
            other = first.setdefault(id(self[name]), name)
            if not np.array_equal(array, arrays[other], equal_nan=True):
                raise ValueError(f"{other} and {name} have different values, but are tied: expected one array")
        for name, array in arrays.items():
            self[name].data = array


def _check_parameters(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a `Parameters`, with the likely mistake."""
    if not isinstance(value, Parameters):
        several = isinstance(value, list | tuple | Mapping | Iterator)
        slip = "; nr.Parameters.join joins those of several layers" * several
        slip += ": call its parameters()" * hasattr(value, "parameters")
        raise TypeError(f"{name} must be what layer.parameters() returns, got {type(value).__name__}{slip}")


def as_real_parameters(parameters: Parameters) -> Parameters:
    """Return `parameters` if an optimizer can use them: `Parameters` with a real dtype."""
    _check_parameters("parameters", parameters)
    if parameters.data.dtype.kind == "c":
        raise TypeError(f"parameters must be real, got dtype {parameters.data.dtype}: the complex step is for layers")
    return parameters
