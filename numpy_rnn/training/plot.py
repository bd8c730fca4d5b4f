"""Training curves: loss and validation loss, gradient norm, learning rate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from numpy_rnn.display.pictures import COLOURS, figures, plain
from numpy_rnn.display.terminal import escape

__all__ = ["draw"]


def draw(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Return a matplotlib Figure with the metrics of one or more runs, given by name.

    Raises ValueError if a run has no metrics yet, ModuleNotFoundError if matplotlib is not installed.
    """
    with figures() as Figure:
        from matplotlib import colormaps

        colours: Any = COLOURS
        if len(runs) > len(COLOURS):
            colours = colormaps["turbo"]([i / (len(runs) - 1) for i in range(len(runs))])
        figure = Figure(figsize=(9, 10 + 0.25 * len(runs)), dpi=120)
        loss, norm, lr = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1, 1))
        for (name, lines), label, colour in zip(runs.items(), _labels(list(runs)), colours, strict=False):
            if not lines:
                raise ValueError(f"{name!r} has no metrics yet: train it for some steps")
            validated = [line for line in lines if "val_loss" in line]
            words = None if validated else f"{label}: training"
            _curve(loss, lines, "loss", color=colour, alpha=0.45, lw=1, label=words)
            if validated:
                best = min(validated, key=lambda line: float(line["val_loss"]))
                numbers = f"{best['val_loss']:.3f} nats, {best['val_bits_per_char']:.3f} bits, at step {best['step']}"
                words = f"{label}: best validation {numbers}"
                _curve(loss, validated, "val_loss", "o-", color=colour, ms=4, lw=1.8, label=words)
            _curve(norm, lines, "grad_norm", color=colour, lw=1)
            _curve(lr, lines, "lr", color=colour, lw=1.5)
        loss.set(ylabel="nats per character", title="Loss: training, and validation with dots")
        figure.legend(loc="outside lower center")
        norm.set(ylabel="norm", title="Gradient norm before clipping", yscale="log")
        lr.set(ylabel="lr", xlabel="step", title="Learning rate", ylim=(0, None))
        for axes in (loss, norm, lr):
            axes.grid(alpha=0.25)
    return figure


def _labels(names: Sequence[str]) -> list[str]:
    """Return the last parts of the paths, as many as it takes to tell the runs apart."""
    parts = [os.path.abspath(name).split(os.sep) for name in names]
    for k in range(1, max(map(len, parts))):
        labels = ["/".join(path[-k:]) for path in parts]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = list(names)  # one run twice
    return [plain(escape(label)).lstrip("_") for label in labels]  # matplotlib leaves out one with an underscore


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, *style: str, **more: Any) -> None:
    axes.plot([line["step"] for line in lines], [line[key] for line in lines], *style, **more)
