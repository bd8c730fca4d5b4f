"""Training curves: loss and validation loss, gradient norm, learning rate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from numpy_rnn.display.pictures import COLOURS, figures, plain

__all__ = ["draw"]


def draw(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Return a matplotlib Figure with the metrics of one or more runs, given by name.

    Raises ValueError if a run has no metrics yet, ModuleNotFoundError if matplotlib is not installed.
    """
    with figures() as Figure:
        figure = Figure(figsize=(9, 10), dpi=120)
        loss, norm, lr = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1, 1))
        for (name, lines), colour in zip(runs.items(), cycle(COLOURS), strict=False):
            if not lines:
                raise ValueError(f"{name!r} has no metrics yet: train it for some steps")
            # matplotlib leaves a label that begins with an underscore out of the legend.
            label = plain(os.path.basename(os.path.normpath(name))).lstrip("_") or name
            _curve(loss, lines, "loss", color=colour, alpha=0.45, lw=1, label=f"{label}: training")
            validated = [line for line in lines if "val_loss" in line]
            if validated:
                best = min(validated, key=lambda line: float(line["val_loss"]))
                numbers = f"{best['val_loss']:.3f} nats, {best['val_bits_per_char']:.3f} bits, at step {best['step']}"
                words = f"{label}: validation, best {numbers}"
                _curve(loss, validated, "val_loss", "o-", color=colour, ms=4, lw=1.8, label=words)
            _curve(norm, lines, "grad_norm", color=colour, lw=1)
            _curve(lr, lines, "lr", color=colour, lw=1.5)
        loss.set(ylabel="nats per character", title="Loss")
        loss.legend()
        norm.set(ylabel="norm", title="Gradient norm before clipping", yscale="log")
        lr.set(ylabel="lr", xlabel="step", title="Learning rate", ylim=(0, None))
        for axes in (loss, norm, lr):
            axes.grid(alpha=0.25)
    return figure


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, *style: str, **more: Any) -> None:
    axes.plot([line["step"] for line in lines], [line[key] for line in lines], *style, **more)
