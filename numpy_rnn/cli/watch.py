"""What a person sees of a training: a bar where tqdm is installed and the output is a terminal, else lines."""

from __future__ import annotations

import sys
from typing import Any

from numpy_rnn.shading import escape
from numpy_rnn.trainer import Trainer

__all__ = ["Watch"]


class Watch:
    """Shows the steps of a training as they are made."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.first, self.seconds_before = trainer.step, trainer.seconds
        self.bar = _bar(trainer)

    def show(self, metrics: dict[str, Any] | None) -> None:
        """Show a step, and its line of metrics if it has one."""
        if self.bar is not None:
            self.bar.update()
        if metrics is None:
            return
        numbers = (
            f"loss {metrics['loss']:.4f} ({metrics['bits_per_char']:.3f} bits/char)  "
            f"norm {metrics['grad_norm']:.2f}  lr {metrics['lr']:.2g}  {metrics['chars_per_second']:,.0f} chars/s"
        )
        if self.bar is not None:
            self.bar.set_postfix_str(numbers)
        else:
            width = len(str(self.trainer.steps))
            print(
                f"step {metrics['step']:{width}}/{self.trainer.steps}  epoch {metrics['epoch']:.2f}  {numbers}  "
                f"{self._left()} left",
                flush=True,
            )
        if "sample" in metrics:
            self._print(_evaluation(metrics))

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def _left(self) -> str:
        steps = self.trainer.step - self.first
        left = (self.trainer.seconds - self.seconds_before) / steps * (self.trainer.steps - self.trainer.step)
        hours, minutes, seconds = int(left // 3600), int(left % 3600 // 60), int(left % 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _print(self, text: str) -> None:
        encoding = sys.stdout.encoding or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        if self.bar is not None:
            self.bar.write(text)
        else:
            print(text, flush=True)


def _evaluation(metrics: dict[str, Any]) -> str:
    lines = []
    if "val_loss" in metrics:
        perplexity = metrics["val_perplexity"]
        perplexity = "above 1e307" if perplexity is None else f"{perplexity:.4g}"
        lines.append(
            f"  validation: loss {metrics['val_loss']:.4f}, {metrics['val_bits_per_char']:.3f} bits/char, perplexity "
            f"{perplexity}{', the best so far' * metrics['best']}"
        )
    lines += [f"  | {line}" for line in escape(metrics["sample"]).split("\n")]
    return "\n".join(lines)


def _bar(trainer: Trainer) -> Any:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None
    return tqdm(total=trainer.steps, initial=trainer.step, unit="step", dynamic_ncols=True)
