"""What `numpy-rnn gradcheck` checks: the layers of this package, or an expression in the user's file."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.gradient_checking.check import gradcheck
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.gradient_checking.subjects.calls import signature_of
from numpy_rnn.layers import RNN, CrossEntropyLoss, Embedding, Linear, LogSoftmax, NLLLoss

__all__ = ["check_file", "check_shipped"]


def check_shipped(**options: Any) -> Iterator[GradcheckReport]:
    """Check every layer of this package, with shapes in which all lengths differ."""
    rng = np.random.default_rng(options.get("seed", 0))
    T, B, V, E, H = 6, 2, 7, 4, 5
    tokens = rng.integers(0, V, (T, B))
    x, h_0 = rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
    yield gradcheck(Embedding(V, E, rng=rng), tokens, **options)
    yield gradcheck(RNN(E, H, rng=rng), x, h_0, **options)
    stack = RNN(E, H, num_layers=2, nonlinearity="relu", bidirectional=True, dropout=0.5, rng=rng)
    yield gradcheck(stack, x, rng.standard_normal((4, B, H)), lengths=[T, T - 2], **options)
    yield gradcheck(Linear(H, V, rng=rng), rng.standard_normal((T, B, H)), **options)
    logits, weight = rng.standard_normal((T * B, V)), rng.random(V)
    yield gradcheck(CrossEntropyLoss(), logits, tokens.ravel(), **options)
    smooth = CrossEntropyLoss(weight, ignore_index=0, reduction="none", label_smoothing=0.1)
    yield gradcheck(smooth, logits, tokens.ravel(), constants=["weight"], **options)
    yield gradcheck(LogSoftmax(1), logits, **options)
    yield gradcheck(NLLLoss(weight), logits, tokens.ravel(), constants=["weight"], **options)
    yield gradcheck(CharRNN(V, E, H, rng=rng), tokens, h_0, **options)


def check_file(target: str, inputs: Sequence[str], params: Sequence[str], **options: Any) -> GradcheckReport:
    """Run a file, and check the value of an expression in it; `target` is "path.py:expression".

    The expression is a layer, a class without arguments, or a pair: "MyRNN(8, 16)", "MyRNN", "fwd, bwd".
    Inputs and params are "name=shape", numbers from N(0, 1), or "name=shape:n", integers below n.

    Raises
    ------
    ValueError
        In one line: what could not be read, or the error that the user's code raised.
    """
    path, colon, expression = target.partition(".py:")
    path += ".py"
    if not colon:
        raise ValueError(f"expected path/to/file.py:ClassOrPair, got {target!r}")
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    rng = np.random.default_rng(options.get("seed", 0))
    arrays, named = (_draw_all(option, texts, rng) for option, texts in (("--input", inputs), ("--param", params)))
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)  # for imports of neighbouring files, as with `python file.py`
    try:
        checked = eval(expression, runpy.run_path(path))
        if isinstance(checked, type):
            checked = checked()
        if isinstance(checked, tuple | list):
            return gradcheck(checked, arrays, *([named] if named else []), **options)
        if named:
            raise ValueError(f"--param is for a pair of functions; {type(checked).__name__} has its own parameters")
        return gradcheck(checked, *_in_order(checked, arrays), **options)
    except SystemExit as error:
        raise ValueError(f"{path} exits when it is run: {error}") from None
    except Exception as error:
        raise ValueError(_one_line(error, path)) from error
    finally:
        sys.path.remove(folder)


def _draw_all(option: str, texts: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    pairs = [_draw(text, rng) for text in texts]
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise ValueError(f"{option} {name} is given twice")
    return dict(pairs)


def _draw(text: str, rng: np.random.Generator) -> tuple[str, Any]:
    name, equals, rest = text.partition("=")
    shape_text, colon, below = rest.partition(":")
    try:
        shape = tuple(int(n) for n in shape_text.split(",") if n)
        if not (name and equals and min(shape, default=0) >= 0):
            raise ValueError
        return name, rng.integers(0, int(below), shape) if colon else rng.standard_normal(shape)
    except ValueError:
        raise ValueError(
            f"expected name=shape such as x=4,3,8, or tokens=4,3:10 for integers below 10, got {text!r}"
        ) from None


def _in_order(layer: Any, arrays: dict[str, Any]) -> list[Any]:
    """Bring the inputs into the order of forward's arguments."""
    signature = signature_of(layer.forward) if hasattr(layer, "forward") else None
    names, more = (signature.names, signature.more) if signature else ([], True)
    unknown = [name for name in arrays if name not in names]
    if unknown and not more:
        raise ValueError(f"forward of {type(layer).__name__} takes {', '.join(names)}, got {', '.join(unknown)}")
    return [arrays[name] for name in names if name in arrays] + [arrays[name] for name in unknown]


def _one_line(error: Exception, path: str) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    words = (str(error).splitlines() or [""])[0]
    if not lines and isinstance(error, TypeError | ValueError):
        hint = ": give each as --input NAME=SHAPE" if "required positional argument" in words else ""
        return words + hint
    return f"{type(error).__name__}: {words}" + (f" ({path}, line {lines[-1]})" if lines else "")
