"""Everything an object consists of: walking through it, copying it in another dtype, and putting it back.

A float32 layer is checked on a float64 copy, and the complex step runs on a complex128 copy. The layer need not
support this: `copy.deepcopy` takes a memo of objects that are copied already, and the converted arrays are put there.
"""

from __future__ import annotations

import copy
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.layers.layer import Tape

__all__ = ["ATOMS", "Attribute", "Original", "Path", "UsedGenerators"]
__all__ += ["can_be_copied", "is_floating", "is_rows", "kept_randomness"]
__all__ += ["restorers", "steps_from", "walk"]

UsedGenerators = Callable[[], list[Callable[[], None]]]  # see kept_randomness
Path = tuple[Any, ...]  # the keys that lead to something: of dictionaries and sequences, and attributes

ATOMS = (
    type, str, bytes, int, float, complex, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc,
)  # fmt: skip
HOLDERS = (np.ndarray, dict, list, tuple, deque, partial, types.MethodType, MappingProxyType)
MOST = 1_000_000  # objects that are looked at, not counting texts and integers

_FLOATS = [np.dtype(kind) for kind in (np.float16, np.float32, np.float64, np.complex64, np.complex128)]


class Attribute(str):
    """A key in a path that is the name of an attribute."""

    __slots__ = ()


def is_floating(value: Any) -> bool:
    """Whether `value` is an array of real or complex floating-point numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def is_rows(value: Any) -> bool:
    """Whether a list holds floating-point numbers, or lists of them in equal lengths; or it is such a number."""
    if isinstance(value, list):
        return bool(value) and all(map(is_rows, value)) and len({np.shape(row) for row in value}) == 1
    return isinstance(value, float | np.floating)


def steps_from(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what a container or an object holds, each with its key; a list of numbers is taken as a whole."""
    if value is None or isinstance(value, (*ATOMS, Tape)) or is_rows(value):  # a copy of a layer has no tapes
        return
    if isinstance(value, dict | MappingProxyType):
        yield from value.items()
    elif isinstance(value, np.ndarray):
        yield from np.ndenumerate(value) if value.dtype == object else ()
    elif isinstance(value, list | tuple | deque) and not hasattr(type(value), "_fields"):
        yield from enumerate(value)
    yield from ((Attribute(name), member) for name, member in (_slots(value) | _attributes(value)).items())


def _attributes(value: Any) -> dict[str, Any]:
    attributes = getattr(value, "__dict__", None)
    return attributes if isinstance(attributes, dict) else {}


def _slots(value: Any) -> dict[str, Any]:
    """Return the attributes that an object has outside its `__dict__`."""
    if isinstance(value, partial | types.MethodType):
        names = ["func", "args", "keywords"] if isinstance(value, partial) else ["__self__"]
        return {name: getattr(value, name) for name in names}
    if hasattr(type(value), "_asdict"):
        return dict(value._asdict())
    state = object.__getstate__(value)  # a pair if there are slots
    return state[1] if isinstance(state, tuple) else {}


def walk(root: Any, steps: Callable[[Any], Iterator[tuple[Any, Any]]] = steps_from) -> Iterator[tuple[Path, Any]]:
    """Yield `root` and everything in it with the path to it, nearest first; what has several paths, by each of them.

    Only the first path is followed further.
    """
    waiting: deque[tuple[Path, Any]] = deque([((), root)])
    seen: set[int] = set()
    while waiting and len(seen) < MOST:
        path, value = waiting.popleft()
        yield path, value
        if id(value) not in seen:
            seen.add(id(value))
            members = (step for step in steps(value) if not isinstance(step[1], str | bytes | int))
            waiting.extend(((*path, key), member) for key, member in members)


def _unique(root: Any) -> list[Any]:
    return list({id(value): value for _, value in walk(root)}.values())


class Original:
    """An object that is copied in several dtypes; arrays whose ids are in `kept` keep theirs."""

    def __init__(self, root: Any, kept: Collection[int] = ()) -> None:
        self.root, found = root, _unique(root)
        self.arrays = [value for value in found if is_floating(value) and id(value) not in kept]
        self.fixed = [value for value in found if _is_opaque(value) and not can_be_copied(value)]
        # deepcopy cannot copy dictionaries whose items are attributes: it asks for the attribute `__deepcopy__`.
        self.records = [v for v in found if isinstance(v, dict) and hasattr(type(v), "__getattr__")]
        # Nor does it replace classes, as in `self.dtype = np.float32`.
        self.classes = [
            (value, name) for value in found for name, member in _attributes(value).items()
            if not isinstance(value, ATOMS) and isinstance(member, type) and issubclass(member, np.floating)
        ]  # fmt: skip

    def copy(self, dtype: DTypeLike) -> Any:
        """Return a deep copy that computes in float64 or complex128; arrays that shared memory share it again."""
        dtype, owners = np.dtype(dtype), dict[int, Array]()
        # Each dtype is a single object, so the memo can replace it too: `layer.dtype` changes with the arrays.
        memo: dict[int, Any] = {id(other): dtype for other in _FLOATS} | {id(value): value for value in self.fixed}
        memo |= {id(array): _converted(array, dtype, owners) for array in self.arrays}
        memo |= {id(value): dict.__new__(type(value)) for value in self.records}
        try:
            result = copy.deepcopy(self.root, memo)
            for value in self.records:
                dict.update(memo[id(value)], copy.deepcopy(dict(value), memo))
        except Exception as error:
            words = (str(error).splitlines() or [""])[0]
            raise TypeError(
                f"the layer or an argument cannot be copied, which gradcheck requires: {words}"
            ) from error
        for value, name in self.classes:
            if id(value) in memo:
                setattr(memo[id(value)], name, dtype.type)
        return result


def _converted(array: Array, dtype: np.dtype[Any], owners: dict[int, Array]) -> Array:
    """Return a copy of an array in another dtype; of a view, the same view of the copy of its owner."""
    owner = array if array.base is None else array.base
    if type(array) is not np.ndarray or type(owner) is not np.ndarray or owner.dtype != array.dtype:
        result = array.astype(dtype)
        _attributes(result).update(_attributes(array))  # of a subclass
        return result
    flat = owners.setdefault(id(owner), owner.ravel(order="K").astype(dtype))
    offset = (array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]) // array.itemsize
    strides = [stride // array.itemsize * dtype.itemsize for stride in array.strides]
    return np.ndarray(array.shape, dtype, flat.data, offset * dtype.itemsize, strides)


def _is_opaque(value: Any) -> bool:
    """Whether nothing is known of what a value holds."""
    if isinstance(value, ATOMS + HOLDERS):
        return isinstance(value, types.ModuleType)
    is_library = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    return is_library or not any(True for _ in steps_from(value))


def can_be_copied(value: Any) -> bool:
    """Whether `copy.deepcopy` copies a value, unlike modules, files, locks and iterators."""
    try:
        copy.deepcopy(value)
    except Exception:
        return False
    return True


def restorers(objects: Iterable[Any]) -> list[Callable[[], None]]:
    """Return functions that put everything in some objects back to its present state."""
    found: list[Callable[[], None]] = []
    for value in _unique(objects):
        if isinstance(value, ATOMS):
            continue
        if isinstance(value, np.ndarray) and value.flags.writeable:
            found.append(partial(np.copyto, value, value.copy()))
        elif isinstance(value, np.random.RandomState):
            found.append(partial(value.set_state, value.get_state(legacy=False)))
        elif isinstance(value, np.random.Generator):
            found.append(partial(setattr, value.bit_generator, "state", value.bit_generator.state))
        elif isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
            found.append(partial(value.setstate, value.getstate()))
        for container in (value, getattr(value, "__dict__", None)):
            if isinstance(container, dict):
                found.append(partial(_refill, container, container.update, dict(container)))
            elif isinstance(container, list | deque | set):
                add = container.update if isinstance(container, set) else container.extend
                found.append(partial(_refill, container, add, list(container)))
        if not isinstance(value, tuple | partial | types.MethodType):
            found += [partial(object.__setattr__, value, name, member) for name, member in _slots(value).items()]
    return found


def _refill(container: Any, add: Callable[[Any], None], contents: Any) -> None:
    container.clear()
    add(contents)


@contextmanager
def kept_randomness() -> Iterator[UsedGenerators]:
    """Leave the generators of `np.random` and `random` as they are now.

    Gives a function that returns what puts back those that have been used since.
    """
    modules: tuple[Any, ...] = (np.random, random)
    generators = [module.random.__self__ for module in modules]
    before = [(restorers([generator]), repr(generator.__getstate__())) for generator in generators]

    def used() -> list[Callable[[], None]]:
        now = [repr(generator.__getstate__()) for generator in generators]
        return [reset for (resets, old), new in zip(before, now, strict=True) if new != old for reset in resets]

    try:
        yield used
    finally:
        for reset in used():
            reset()
