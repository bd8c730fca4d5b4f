"""What is to be seen of a training: means over the steps since the line before, and now and then an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """A line of progress; `print(progress)` shows it as the command line does.

    Attributes
    ----------
    step, steps : int
        Steps taken, and those of the whole training.
    epoch : float
        Times through the text.
    loss, bits_per_char : float
        Mean loss since the line before, in nats per character, and the same in bits.
    grad_norm : float
        Mean norm of the gradients before clipping.
    lr : float
        Of the last step.
    chars_per_second, seconds : float
        Of the steps since the line before; and of all steps, what they took.
    val_loss, val_bits_per_char, val_perplexity : float or None
        Of the end of the text, which is not trained on. None between evaluations, or where nothing is kept for it.
        (A perplexity beyond the largest float is None too.)
    best : bool
        Whether this is the lowest `val_loss` so far.
    sample : str or None
        What the model writes, its first characters those of the text. None between evaluations.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    bits_per_char: float
    grad_norm: float
    lr: float
    chars_per_second: float
    seconds: float
    val_loss: float | None = None
    val_bits_per_char: float | None = None
    val_perplexity: float | None = None
    best: bool = False
    sample: str | None = None

    @property
    def seconds_left(self) -> float:
        """What the rest will take, at the speed so far."""
        return self.seconds / self.step * (self.steps - self.step)

    def __str__(self) -> str:
        width = len(str(self.steps))
        line = f"step {self.step:{width}}/{self.steps}  epoch {self.epoch:.2f}  {self.numbers()}  {self._left()} left"
        return line if self.val_loss is None else f"{line}\n{self.validation()}"

    def numbers(self) -> str:
        """Return the part of the line that tells how the training goes."""
        return (
            f"loss {self.loss:.4f} ({self.bits_per_char:.3f} bits/char)  norm {self.grad_norm:.2f}  "
            f"lr {self.lr:.2g}  {self.chars_per_second:,.0f} chars/s"
        )

    def validation(self) -> str:
        """Return the line of an evaluation; empty if there was none, or no validation."""
        if self.val_loss is None:
            return ""
        perplexity = "above 1e307" if self.val_perplexity is None else f"{self.val_perplexity:.4g}"
        return (
            f"  validation: loss {self.val_loss:.4f}, {self.val_bits_per_char:.3f} bits/char, perplexity "
            f"{perplexity}{', the best so far' * self.best}"
        )

    def _left(self) -> str:
        left = int(self.seconds_left)
        hours, minutes, seconds = left // 3600, left % 3600 // 60, left % 60
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
