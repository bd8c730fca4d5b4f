"""The metrics of a training run: the lines of metrics.jsonl, and a picture and table of them for notebooks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

from numpy_rnn.display.html import escape, table
from numpy_rnn.storage.files import resolve

__all__ = ["Metrics", "read_lines", "read_metrics"]

LEFT, RIGHT, TOP, BOTTOM = 60, 630, 24, 220  # the axes, in pixels
# Distinguishable with colour blindness, and with a contrast of at least 3 to 1 on white and on black.
COLOURS = {"loss": "#2b83c6", "val_loss": "#d55e00"}
POINTS, ROWS = 500, 20  # shown at most


class Metrics(list[dict[str, Any]]):
    """A list with a dictionary for each line of metrics.jsonl: step, epoch, loss, ...

    Notebooks display it as a picture of both losses and a table of the evaluations.
    """

    def _repr_html_(self) -> str:
        if not self:
            return "<p>no metrics yet</p>"
        return _picture(self) + _table(self)


def read_metrics(run: str | os.PathLike[str]) -> Metrics:
    """Return the lines of a RUN's metrics.jsonl. An incomplete line, left by a killed process, is skipped.

    Raises
    ------
    FileNotFoundError
        There is no such RUN, or it has no metrics.jsonl.
    """
    try:
        return Metrics(read_lines(os.path.join(run, "metrics.jsonl")))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{os.fspath(run)!r} has no metrics.jsonl: it is not a RUN, or it was stopped before its first line"
        ) from None


def read_lines(path: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a metrics file, up to the first invalid one."""
    with open(resolve(path), "rb") as file:
        for line in file:
            try:
                metrics = json.loads(line)
            except ValueError:
                return
            if not isinstance(metrics, dict) or not isinstance(metrics.get("step"), int):
                return
            yield metrics


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300  # not nan, nor an integer too large for a float


def _thin(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` of the items, evenly spaced, including the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[i * (len(items) - 1) // (count - 1)] for i in range(count)]


def _table(lines: Sequence[dict[str, Any]]) -> str:
    evaluations = [line for line in lines if "sample" in line or "val_loss" in line] or lines
    validated = [i for i, line in enumerate(evaluations) if _is_number(line.get("val_loss"))]
    best = min(validated, key=lambda i: float(evaluations[i]["val_loss"]), default=None)
    shown = {*_thin(range(len(evaluations)), ROWS), *([] if best is None else [best])}
    columns = {"step": "", "epoch": ".2f", "loss": ".4f", "val_loss": ".4f"}
    columns |= {"val_bits_per_char": ".3f", "val_perplexity": ".4g"}

    def show(value: Any, spec: str) -> str:
        return "" if value is None else format(value, spec) if _is_number(value) else str(value)

    rows = [
        [*(show(evaluations[i].get(name), spec) for name, spec in columns.items()), "best" if i == best else ""]
        for i in sorted(shown)
    ]
    return table(["step", "epoch", "loss", "val_loss", "bits/char", "perplexity", ""], rows)


def _picture(lines: Sequence[dict[str, Any]]) -> str:
    """Return an inline SVG of the losses against the steps; empty if there are none."""
    curves: dict[str, list[tuple[float, float]]] = {
        name: [(x["step"], x[name]) for x in lines if _is_number(x.get("step")) and _is_number(x.get(name))]
        for name in COLOURS
    }
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    end = max(1, *(step for step, _ in points))
    low, high = min(loss for _, loss in points), max(loss for _, loss in points)
    if high - low <= 1e-9 * abs(high) + 1e-300:  # one point or a horizontal line: leave room around it
        low, high = low - 0.5 * abs(low) - 0.5, high + 0.5 * abs(high) + 0.5

    def x(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * step / end

    def y(loss: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (loss - low) / (high - low)

    def text(x: float, y: float, anchor: str, words: str, fill: str = "currentColor") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'

    parts = [f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="currentColor"/>']
    parts += [
        f'<path d="M{LEFT} {y(t):.1f}H{RIGHT}" stroke="currentColor" opacity="0.2"/>' for t in _ticks(low, high)
    ]
    parts += [text(LEFT - 6, y(t) + 4, "end", f"{t:.6g}") for t in _ticks(low, high)]
    parts += [f'<path d="M{x(t):.1f} {BOTTOM}v5" stroke="currentColor"/>' for t in _ticks(0, end)]
    parts += [text(x(t), BOTTOM + 18, "middle", f"{t:.6g}") for t in _ticks(0, end)]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 36, "middle", "step"))
    for i, (name, colour) in enumerate(COLOURS.items()):
        curve = _thin(curves[name], POINTS)
        path = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in curve)
        if len(curve) == 1:  # a polyline with one point is invisible
            parts.append(f'<circle cx="{x(curve[0][0]):.1f}" cy="{y(curve[0][1]):.1f}" r="3" fill="{colour}"/>')
        if curve:
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
            parts.append(text(LEFT + 4 + 60 * i, 14, "start", name, colour))
    size = f'width="{RIGHT + 10}" height="{BOTTOM + 42}" viewBox="0 0 {RIGHT + 10} {BOTTOM + 42}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="losses against steps" '
        f'font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return at most seven round numbers in [low, high], 1, 2 or 5 times a power of ten apart."""
    size = 10.0 ** math.floor(math.log10((high - low) / 6))
    step = next(size * factor for factor in (1, 2, 5, 10) if high - low <= 6 * size * factor)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
