"""Everything an object consists of: walking through it, copying it in another dtype, and putting it back.

A float32 layer is checked on a float64 copy, and the complex step runs on a complex128 copy. The layer need not
support this: `copy.deepcopy` takes a memo of objects that are copied already, and the converted arrays are put there.
"""

from __future__ import annotations

import copy
import random
import sys
import types
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array

__all__ = ["Original", "Path", "is_floating", "kept_randomness", "restorers", "steps_from", "walk"]

Path = tuple[tuple[str, Any], ...]  # steps such as (".", "cell"), (".", "params"), ("[", "W")

ATOMS = (
    type,
    str,
    bytes,
    int,
    float,
    complex,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    np.ufunc,
)
MOST = 100_000  # objects that are looked at

_FLOATS = [np.dtype(kind) for kind in (np.float16, np.float32, np.float64, np.complex64, np.complex128)]


def is_floating(value: Any) -> bool:
    """Whether `value` is an array of real or complex floating-point numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def steps_from(value: Any) -> Iterator[tuple[tuple[str, Any], Any]]:
    """Yield what a container or an object holds, each with the step that leads there: an attribute or an item."""
    if value is None or isinstance(value, ATOMS):
        return
    if isinstance(value, types.MethodType):
        yield (".", "__self__"), value.__self__
    elif isinstance(value, partial):
        yield from (((".", name), getattr(value, name)) for name in ("func", "args", "keywords"))
    elif isinstance(value, np.ndarray):
        if value.dtype == object:
            yield from ((("[", k), value[k]) for k in np.ndindex(value.shape))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from (((".", name), getattr(value, name)) for name in value._fields)
    else:
        if isinstance(value, dict | types.MappingProxyType):
            yield from ((("[", key), member) for key, member in value.items())
        elif isinstance(value, list | tuple | deque):
            yield from ((("[", k), member) for k, member in enumerate(value))
        yield from (((".", name), member) for name, member in _attributes(value).items())


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, np.random.Generator | np.random.RandomState | np.dtype):
        return {}
    slots = [name for cls in type(value).__mro__ for name in _slots(cls) if hasattr(value, name)]
    return {name: getattr(value, name) for name in slots} | getattr(value, "__dict__", {})


def _slots(cls: type) -> Collection[str]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else [name for name in slots if name not in ("__dict__", "__weakref__")]


def walk(root: Any) -> Iterator[tuple[Path, Any]]:
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
            waiting.extend(((*path, step), member) for step, member in steps_from(value))


class Original:
    """An object that is copied in other dtypes.

    Parameters
    ----------
    root : object
    kept : collection of int
        The ids of arrays that keep their dtype in every copy.
    """

    def __init__(self, root: Any, kept: Collection[int] = ()) -> None:
        self.root = root
        found = list({id(value): value for _, value in walk(root)}.values())
        self.arrays = [value for value in found if is_floating(value) and id(value) not in kept]
        self.shared = Counter(id(_owner(array)) for array in self.arrays)
        self.fixed = [value for value in found if not can_be_copied(value)]
        # A dictionary whose items are attributes may say that it has a method `__deepcopy__`, and a proxy cannot be copied.
        self.odd = [
            v for v in found
            if isinstance(v, types.MappingProxyType) or (isinstance(v, dict) and hasattr(type(v), "__getattr__"))
        ]  # fmt: skip
        # `self.dtype = np.float32` is a class, which deepcopy does not replace.
        self.classes = [
            (value, name) for value in found if not isinstance(value, ATOMS)
            for name, member in getattr(value, "__dict__", {}).items()
            if isinstance(member, type) and issubclass(member, np.floating)
        ]  # fmt: skip

    def copy(self, dtype: DTypeLike) -> Any:
        """Return a deep copy that computes in float64 or complex128; arrays that share memory share it in the copy too.

        Raises
        ------
        TypeError
            Something cannot be copied.
        """
        dtype = np.dtype(dtype)
        # Each dtype is a single object, so the memo can replace it too: `layer.dtype` changes with the arrays.
        memo: dict[int, Any] = {id(other): dtype for other in _FLOATS}
        memo |= {id(value): value for value in self.fixed}
        owners: dict[int, Array] = {}
        for array in self.arrays:
            owner = _owner(array)
            is_plain = type(array) is np.ndarray and owner.dtype == array.dtype and owner.flags.c_contiguous
            if self.shared[id(owner)] > 1 and is_plain:
                flat = owners.setdefault(id(owner), owner.astype(dtype).reshape(-1))
                memo[id(array)] = _same_view(array, owner, flat)
            else:
                memo[id(array)] = array.astype(dtype)
                getattr(memo[id(array)], "__dict__", {}).update(getattr(array, "__dict__", {}))  # of a subclass
        contents: list[dict[Any, Any]] = []
        for value in self.odd:
            is_proxy = isinstance(value, types.MappingProxyType)
            contents.append({} if is_proxy else type(value).__new__(type(value)))
            memo[id(value)] = types.MappingProxyType(contents[-1]) if is_proxy else contents[-1]
        try:
            result = copy.deepcopy(self.root, memo)
            for value, inside in zip(self.odd, contents, strict=True):
                dict.update(inside, copy.deepcopy(dict(value), memo))
        except Exception as error:
            words = (str(error).splitlines() or [""])[0]
            raise TypeError(
                f"the layer or an argument cannot be copied, which gradcheck requires: {words}"
            ) from error
        for value, name in self.classes:
            setattr(memo[id(value)], name, dtype.type)
        return result


def can_be_copied(value: Any) -> bool:
    """Whether `copy.deepcopy` can copy something that holds nothing, unlike modules, files, locks and iterators."""
    if isinstance(value, types.ModuleType):
        return False
    is_library = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    holders = (*ATOMS, np.ndarray, dict, list, tuple, deque, partial, types.MethodType, types.MappingProxyType)
    if isinstance(value, holders) or (not is_library and any(True for _ in steps_from(value))):
        return True
    try:
        copy.deepcopy(value)
    except Exception:
        return False
    return True


def _owner(array: Array) -> Array:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _same_view(array: Array, owner: Array, flat: Array) -> Array:
    """Return the view of `flat`, a converted copy of `owner`, that `array` is of `owner`."""
    size = owner.itemsize
    start = (array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]) // size
    strides = [stride // size * flat.itemsize for stride in array.strides]
    return np.lib.stride_tricks.as_strided(flat[start:], array.shape, strides)


def restorers(root: Any) -> list[Callable[[], None]]:
    """Return functions that put everything in `root` back to its present state: contents, numbers, generators."""
    found: list[Callable[[], None]] = []
    seen: set[int] = set()
    for _, value in walk(root):
        if id(value) in seen or isinstance(value, ATOMS):
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                found.append(partial(np.copyto, value, value.copy()))
        elif isinstance(value, np.random.RandomState):
            found.append(partial(value.set_state, value.get_state(legacy=False)))
        elif isinstance(value, np.random.Generator):
            found.append(partial(setattr, value.bit_generator, "state", value.bit_generator.state))
        else:
            if isinstance(value, dict):
                found.append(partial(_refill, value, value.update, dict(value)))
            elif isinstance(value, list | deque):
                found.append(partial(_refill, value, value.extend, list(value)))
            elif isinstance(value, set):
                found.append(partial(_refill, value, value.update, set(value)))
            attributes = getattr(value, "__dict__", None)
            if isinstance(attributes, dict) and not isinstance(value, partial):
                found.append(partial(_refill, attributes, attributes.update, dict(attributes)))
            for name in (name for cls in type(value).__mro__ for name in _slots(cls) if hasattr(value, name)):
                found.append(partial(object.__setattr__, value, name, getattr(value, name)))
    return found


@contextmanager
def kept_randomness() -> Iterator[Callable[[], list[Callable[[], None]]]]:
    """Leave the generators of `np.random` and `random` as they were.

    Gives a function that returns what sets back those that have been used since.
    """
    before, python_before = np.random.get_state(), random.getstate()
    reset, python_reset = partial(np.random.set_state, before), partial(random.setstate, python_before)

    def used() -> list[Callable[[], None]]:
        moved = any(not np.array_equal(a, b) for a, b in zip(np.random.get_state(), before, strict=True))
        return [reset] * moved + [python_reset] * (random.getstate() != python_before)

    try:
        yield used
    finally:
        reset()
        python_reset()


def _refill(container: Any, fill: Callable[[Any], None], contents: Any) -> None:
    container.clear()
    fill(contents)
