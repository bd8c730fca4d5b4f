"""Pictures of trainings: loss and validation loss, gradient norm, learning rate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["draw"]

# Okabe and Ito's palette, which colour-blind eyes tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#666666")


def draw(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Return a matplotlib Figure of the metrics of several runs, by name.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed.
    ValueError
        A run has no metrics yet.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("matplotlib is not installed: it is the extra 'plot'") from error

    rc: dict[Any, Any] = {
        "font.size": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with rc_context(rc):
        figure = Figure(figsize=(9, 10), dpi=120, layout="constrained")
        loss, norm, lr = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1, 1))
        for i, (name, lines) in enumerate(runs.items()):
            if not lines:
                raise ValueError(f"{name!r} has no metrics yet: train it for some steps")
            colour = COLOURS[i % len(COLOURS)]
            # A label that begins with an underscore would be left out, and one with two dollars would be a formula.
            label = os.path.basename(os.path.normpath(name)).replace("$", r"\$").lstrip("_") or name
            steps = [line["step"] for line in lines]
            loss.plot(
                steps, [line["loss"] for line in lines], color=colour, alpha=0.45, lw=1, label=f"{label}: training"
            )
            val = [line for line in lines if "val_loss" in line]
            if val:
                x, y = [line["step"] for line in val], [line["val_loss"] for line in val]
                best = min(val, key=lambda line: float(line["val_loss"]))
                words = f"{best['val_loss']:.3f} nats, {best['val_bits_per_char']:.3f} bits, at step {best['step']}"
                loss.plot(x, y, "o-", color=colour, ms=4, lw=1.8, label=f"{label}: validation, at best {words}")
            norm.plot(steps, [line["grad_norm"] for line in lines], color=colour, lw=1)
            lr.plot(steps, [line["lr"] for line in lines], color=colour, lw=1.5)
        loss.set(ylabel="loss, nats per character", title="Loss")
        loss.legend(frameon=False)
        norm.set(ylabel="norm", title="Norm of the gradients before clipping", yscale="log")
        lr.set(ylabel="lr", xlabel="step", title="Learning rate", ylim=(0, None))
        for axes in (loss, norm, lr):
            axes.grid(alpha=0.25)
    return figure
