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
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array

__all__ = ["ATOMS", "Original", "Path", "is_floating", "kept_randomness", "restorers", "steps_from", "walk"]

Path = tuple[tuple[str, Any], ...]  # steps such as (".", "cell"), (".", "params"), ("[", "W")

ATOMS = (
    type, str, bytes, int, float, complex, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc,
)  # fmt: skip
HOLDERS = (np.ndarray, dict, list, tuple, deque, partial, types.MethodType, MappingProxyType)
MOST = 1_000_000  # objects that are looked at, not counting texts and integers

_FLOATS = [np.dtype(kind) for kind in (np.float16, np.float32, np.float64, np.complex64, np.complex128)]


def is_floating(value: Any) -> bool:
    """Whether `value` is an array of real or complex floating-point numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def steps_from(value: Any) -> Iterator[tuple[tuple[str, Any], Any]]:
    """Yield what a container or an object holds, each with the step that leads there: an attribute or an item."""
    if value is None or isinstance(value, ATOMS):
        return
    if isinstance(value, dict | MappingProxyType):
        yield from ((("[", key), member) for key, member in value.items())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from ((("[", k), value[k]) for k in np.ndindex(value.shape))
    elif isinstance(value, list | tuple | deque) and not hasattr(type(value), "_fields"):
        yield from ((("[", k), member) for k, member in enumerate(value))
    yield from (((".", name), getattr(value, name)) for name in _slots(value))
    yield from (((".", name), member) for name, member in _attributes(value).items())


def _attributes(value: Any) -> dict[str, Any]:
    attributes = getattr(value, "__dict__", None)
    return attributes if isinstance(attributes, dict) else {}


def _slots(value: Any) -> list[str]:
    """Return the attributes that an object has outside its `__dict__`."""
    cls: Any = type(value)
    return [name for name in _slots_of(cls) if hasattr(value, name)]


@lru_cache(maxsize=1000)
def _slots_of(cls: type) -> list[str]:
    if issubclass(cls, partial):
        return ["func", "args", "keywords"]
    if issubclass(cls, types.MethodType):
        return ["__self__"]
    slots = [vars(base).get("__slots__", ()) for base in cls.__mro__] + [getattr(cls, "_fields", ())]
    names = [name for some in slots for name in ((some,) if isinstance(some, str) else some)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


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
            members = (
                (step, member) for step, member in steps_from(value) if not isinstance(member, str | bytes | int)
            )
            waiting.extend(((*path, step), member) for step, member in members)


def _unique(root: Any) -> list[Any]:
    return list({id(value): value for _, value in walk(root)}.values())


class Original:
    """An object that is copied in several dtypes; arrays whose ids are in `kept` keep theirs."""

    def __init__(self, root: Any, kept: Collection[int] = ()) -> None:
        self.root, found = root, _unique(root)
        self.arrays = [value for value in found if is_floating(value) and id(value) not in kept]
        self.shared = Counter(id(_owner(array)) for array in self.arrays)
        self.fixed = [value for value in found if not _can_be_copied(value)]
        # deepcopy knows no proxies, and asks for the attribute `__deepcopy__`, which may be an item of a dictionary.
        self.proxies = [value for value in found if isinstance(value, MappingProxyType)]
        self.records = [v for v in found if isinstance(v, dict) and hasattr(type(v), "__getattr__")]
        # Nor does it replace classes, as in `self.dtype = np.float32`.
        objects = [value for value in found if not isinstance(value, ATOMS)]
        self.classes = [
            (value, name) for value in objects for name, member in _attributes(value).items()
            if isinstance(member, type) and issubclass(member, np.floating)
        ]  # fmt: skip

    def copy(self, dtype: DTypeLike) -> Any:
        """Return a deep copy that computes in float64 or complex128; arrays that shared memory share it again.

        Raises
        ------
        TypeError
            Something cannot be copied.
        """
        dtype = np.dtype(dtype)
        # Each dtype is a single object, so the memo can replace it too: `layer.dtype` changes with the arrays.
        memo: dict[int, Any] = {id(other): dtype for other in _FLOATS} | {id(value): value for value in self.fixed}
        flat: dict[int, Array] = {}
        for array in self.arrays:
            owner = _owner(array)
            is_plain = type(array) is np.ndarray and owner.dtype == array.dtype and owner.flags.c_contiguous
            if self.shared[id(owner)] > 1 and is_plain:
                converted = flat.setdefault(id(owner), owner.astype(dtype).reshape(-1))
                memo[id(array)] = _same_view(array, owner, converted)
            else:
                memo[id(array)] = array.astype(dtype)
                _attributes(memo[id(array)]).update(_attributes(array))  # of a subclass
        contents: list[dict[Any, Any]] = [{} for _ in self.proxies] + [type(v).__new__(type(v)) for v in self.records]
        memo |= {id(value): inside for value, inside in zip([*self.proxies, *self.records], contents, strict=True)}
        memo |= {id(value): MappingProxyType(memo[id(value)]) for value in self.proxies}
        try:
            result = copy.deepcopy(self.root, memo)
            for value, inside in zip([*self.proxies, *self.records], contents, strict=True):
                dict.update(inside, copy.deepcopy(dict(value), memo))
        except Exception as error:
            words = (str(error).splitlines() or [""])[0]
            raise TypeError(
                f"the layer or an argument cannot be copied, which gradcheck requires: {words}"
            ) from error
        for value, name in self.classes:
            if id(value) in memo:
                setattr(memo[id(value)], name, dtype.type)
        return result


def _can_be_copied(value: Any) -> bool:
    """Whether `copy.deepcopy` can copy something that holds nothing, unlike modules, files, locks and iterators."""
    is_library = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    if isinstance(value, ATOMS + HOLDERS) or (not is_library and any(True for _ in steps_from(value))):
        return not isinstance(value, types.ModuleType)
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
    for value in _unique(root):
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
        containers = [
            c for c in (value, getattr(value, "__dict__", None)) if isinstance(c, dict | list | deque | set)
        ]
        found += [partial(_refill, c, dict(c) if isinstance(c, dict) else list(c)) for c in containers]
        if not isinstance(value, tuple | partial | types.MethodType):
            found += [partial(object.__setattr__, value, name, getattr(value, name)) for name in _slots(value)]
    return found


def _refill(container: Any, contents: Any) -> None:
    container.clear()
    (container.extend if isinstance(container, list | deque) else container.update)(contents)


@contextmanager
def kept_randomness() -> Iterator[Callable[[], list[Callable[[], None]]]]:
    """Leave the generators of `np.random` and `random` as they were.

    Gives a function that returns what sets back those that have been used since.
    """
    before, python_before = np.random.get_state(), random.getstate()  # noqa: NPY002
    reset: Callable[[], None] = partial(np.random.set_state, before)
    python_reset: Callable[[], None] = partial(random.setstate, python_before)

    def used() -> list[Callable[[], None]]:
        now = np.random.get_state()  # noqa: NPY002
        moved = not all(map(np.array_equal, now, before))
        return [reset] * moved + [python_reset] * (random.getstate() != python_before)

    try:
        yield used
    finally:
        reset()
        python_reset()
