"""JSON from which every value comes back as it was: what would not is refused when it is written.

Python's own json turns tuples into lists and the key 1 into "1", writes tokens for nan and infinity that are not JSON
and forget which nan it was, and joins two surrogates into one character. Here

- a finite float is written in the shortest digits that give back its bits, any other as {"$float": "its 64 bits"},
  16 hexadecimal digits; to keep that apart, a caller's key that begins with a dollar gets one more in front;
- integers are as long as they are;
- a lone surrogate is written as the UTF-8 of its number, as Python's "surrogatepass" does. That alone is not strict
  JSON, and others may refuse it; the usual backslash-u would not tell two surrogates from the character they encode.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

__all__ = ["dumps", "loads"]


def dumps(value: Any, name: str = "value") -> bytes:
    """Return JSON of None, bool, int, float and str, and of lists and dicts (keys: str) of these, nested at will.

    Raises
    ------
    TypeError
        Something else is in it; the message says where, beginning with `name`.
    """
    text = json.dumps(_encode(value, name), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _encode(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
    if isinstance(value, list):
        return [_encode(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name} has the key {key!r}, expected keys of type str")
        return {"$" * key.startswith("$") + key: _encode(item, f"{name}[{key!r}]") for key, item in value.items()}
    expected = "None, bool, int, float, str, list or dict"
    raise TypeError(f"{name} is of type {type(value).__name__}, expected {expected}")


def loads(data: bytes) -> Any:
    """Return the value of which `dumps` made `data`.

    Raises
    ------
    ValueError
        It is no JSON, or not of this kind.
    """
    try:
        return json.loads(
            data.decode("utf-8", "surrogatepass"), object_pairs_hook=_decode_object, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decode_object(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] == "$float":
        try:
            return struct.unpack(">d", bytes.fromhex(pairs[0][1]))[0]
        except (TypeError, struct.error):
            raise ValueError(f"$float must be 16 hexadecimal digits, got {pairs[0][1]!r}") from None
    result = {}
    for key, value in pairs:
        if key.startswith("$"):
            key = key[1:]
            if not key.startswith("$"):
                raise ValueError(f"the key '${key}' has no meaning")
        if key in result:
            raise ValueError(f"the key {key!r} is there twice")
        result[key] = value
    return result


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")
