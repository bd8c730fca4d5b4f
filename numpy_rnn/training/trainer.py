"""The trainer: truncated backpropagation through time, one window after the other.

Each step reads the next window of B streams (`streams.py`), starts from the hidden state in which the window before
ended, as a number through which no gradient flows, clips the gradients by their norm and takes one step of Adam. A
state that was saved after any step (`training_state.py`) goes on bit for bit: which window comes next is a function
of the step alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import time
from typing import Any, NoReturn

import numpy as np

from numpy_rnn.char_rnn import CharRNN, CharRNNTape
from numpy_rnn.checks import Array
from numpy_rnn.generation.generate import generate
from numpy_rnn.optim.adam import Adam
from numpy_rnn.optim.clipping import clip_grad_norm_
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.text.windows import Streams, split
from numpy_rnn.training.options import Options
from numpy_rnn.training.validation import validation_loss

__all__ = ["SUMS", "Trainer", "perplexity", "text_sha256"]

SAMPLE_CHARS = 200
SUMS = ("loss", "norm", "chars", "steps", "seconds")
_PIECE = 1 << 16  # characters hashed at a time


class Trainer:
    """A model, its optimizer, and the text that it learns.

    Parameters
    ----------
    text : str
        At least two characters. The trainer keeps its tokens, not the text: one byte a character (two beyond 256
        distinct ones). So a file of ASCII takes at most twice its size while it is read and encoded, and its size
        while it is learnt; for other texts see `corpus.py`.
    options : Options
    model : CharRNN, optional
        Trained in place. None: a new one, as the options say.
    vocabulary : Vocabulary, optional
        The model's. None: the characters of the text.

    Attributes
    ----------
    options : Options
        Those given, with all that was None filled in.
    model, vocabulary, optimizer
    streams : Streams
        The windows to train on.
    tokens : ndarray, shape (N,)
        The whole text.
    val_length : int
        How many tokens at its end are kept for validation.
    hidden : ndarray, shape (L, B, H), or None
        The state that the next window starts from; None: zeros.
    best_val_loss : float
        inf before the first validation.
    seconds : float
        Spent in training steps.
    sums : dict
        What the next `metrics` are the means of.
    """

    def __init__(
        self, text: str, options: Options, model: CharRNN | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        self.vocabulary = Vocabulary.from_text(text) if vocabulary is None else vocabulary
        if model is not None and model.vocab_size != len(self.vocabulary):
            raise ValueError(_size_mismatch(model, self.vocabulary, vocabulary is not None))
        tokens = self.vocabulary.encode(text, np.min_scalar_type(len(self.vocabulary) - 1))
        if len(tokens) < 2:
            raise ValueError(f"text has length {len(text)}, expected at least 2: one to read and one to predict")
        self.text_sha256, self.prompt = text_sha256(text), text[0]
        val_fraction = options.fit_val_fraction(len(tokens))
        train, val = split(tokens, val_fraction)
        self.streams = Streams(train, options.fit_batch_size(len(train)), options.seq_len)
        self.tokens, self.val_length = tokens, len(val)
        options = dataclasses.replace(options, val_fraction=val_fraction, batch_size=self.streams.batch_size)
        self.options = options.fit_steps(len(self.streams))
        self.model = self._new_model() if model is None else model
        self.optimizer = Adam(self.model.parameters(), lr=options.lr)
        self.hidden: Array | None = None
        self.best_val_loss, self.seconds = math.inf, 0.0
        self.sums = dict.fromkeys(SUMS, 0.0)
        self._tapes: dict[tuple[int, ...], CharRNNTape] = {}

    def _new_model(self) -> CharRNN:
        o = self.options
        _check_memory(len(self.vocabulary), min(o.seq_len, self.streams.length), o)
        sizes = (len(self.vocabulary), o.embedding_dim, o.hidden_size, o.num_layers, o.dropout)
        return CharRNN(*sizes, dtype=o.dtype, rng=o.seed)

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.optimizer.step_count

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.options.steps or 0  # never None here: __init__ has filled it in

    def train_step(self) -> tuple[float, float]:
        """Take one step; return its loss, in nats per character, and the norm of the gradients before clipping.

        Raises
        ------
        FloatingPointError
            The loss or the norm is not finite. The parameters are as they were, but this trainer cannot go on: take
            the last checkpoint.
        """
        started, step = time.perf_counter(), self.step
        tokens, targets = self.streams.window(step)
        h_0 = None if self.streams.is_start(step) else self.hidden
        self.model.train()  # whatever was done with it since the last step
        with np.errstate(all="ignore"):  # an overflow shows in the loss or the norm, which are checked
            loss, h_n = self.model.loss_and_gradients(tokens, targets, h_0, self._tape(tokens.shape))
            norm = clip_grad_norm_(self.model.parameters(), self.options.clip)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.diverged(f"at step {step + 1} the loss is {loss} and the norm of its gradients {norm}")
            self.optimizer.lr = self.options.learning_rate(step)
            self.optimizer.step()
        self.hidden = h_n.copy()
        seconds = time.perf_counter() - started
        self.seconds += seconds
        for name, value in zip(SUMS, (loss * tokens.size, norm, tokens.size, 1, seconds), strict=True):
            self.sums[name] += value
        return loss, norm

    def _tape(self, shape: tuple[int, ...]) -> CharRNNTape:
        """Return the tape for windows of a shape: an epoch has two, its last window's and that of all others."""
        if shape not in self._tapes:
            self._tapes[shape] = self.model.new_tape(*shape)
        return self._tapes[shape]

    def diverged(self, what: str) -> NoReturn:
        raise FloatingPointError(
            f"{what}: training stopped; try a smaller step (lr={self.options.lr:g} now) or a smaller norm "
            f"(clip={self.options.clip:g} now); what was saved last is good"
        )

    def validate(self) -> float:
        """Return the mean loss over the end of the text, see `validation.py`; nan if nothing is kept for it."""
        if not self.val_length:
            return math.nan
        B, T = self.streams.batch_size, self.streams.seq_len
        with np.errstate(all="ignore"):
            loss = validation_loss(self.model, self.tokens, self.val_length, B, T, self._tape)
        if not math.isfinite(loss):
            self.diverged(f"after step {self.step} the validation loss is {loss}")
        return loss

    def metrics(self) -> dict[str, Any]:
        """Return the means since the last call, and begin new ones."""
        sums, self.sums = self.sums, dict.fromkeys(SUMS, 0.0)
        loss = sums["loss"] / sums["chars"]
        return {
            "step": self.step,
            "epoch": self.step / len(self.streams),
            "loss": loss,
            "bits_per_char": loss / math.log(2),
            "grad_norm": sums["norm"] / sums["steps"],
            "lr": self.optimizer.lr,
            "chars_per_second": sums["chars"] / max(sums["seconds"], 1e-9),
            "seconds": self.seconds,
        }

    def evaluate(self) -> dict[str, Any]:
        """Return the validation loss, if there is validation, and a sample of what the model writes.

        The sample is drawn by a generator of its own: to look on changes nothing.
        """
        loss, sample = self.validate(), self._sample()
        if not self.val_length:
            return {"sample": sample}
        best = loss < self.best_val_loss
        self.best_val_loss = min(loss, self.best_val_loss)
        return {
            "val_loss": loss,
            "val_bits_per_char": loss / math.log(2),
            "val_perplexity": perplexity(loss),
            "best": best,
            "sample": sample,
        }

    def _sample(self) -> str:
        rng = np.random.default_rng([self.options.seed, self.step])
        length = len(self.prompt) + SAMPLE_CHARS
        try:
            with np.errstate(all="ignore"):
                return generate(self.model, self.vocabulary, self.prompt, length, temperature=1.0, rng=rng)
        except FloatingPointError as error:
            self.diverged(f"after step {self.step} {error}")


def perplexity(loss: float) -> float | None:
    """Return exp(loss), or None where that is beyond the largest float: JSON has no infinity."""
    return math.exp(loss) if loss < 709 else None


def text_sha256(text: str) -> str:
    """Return the SHA-256 of the text in UTF-8: that of its file, if this is UTF-8 with line ends of "\\n"."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _PIECE):
        digest.update(text[start : start + _PIECE].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _size_mismatch(model: CharRNN, vocabulary: Vocabulary, given: bool) -> str:
    n, V = len(vocabulary), model.vocab_size
    if given:
        return f"vocabulary has {n} characters, expected the model's {V}"
    return (
        f"text has {n} distinct characters, expected the model's {V}: make the model for it, CharRNN({n}, ...), or "
        "give the vocabulary that it was made for"
    )


def _check_memory(V: int, T: int, o: Options) -> None:
    """Refuse a model that this machine cannot hold, before the system kills what runs on it."""
    E, H, L = o.embedding_dim, o.hidden_size, o.num_layers
    parameters = V * E + H * (E + H + 2) + (L - 1) * H * (2 * H + 2) + V * (H + 1)
    tape = (o.batch_size or 1) * T * (3 * L * H + 2 * V)
    size = (4 * parameters + tape) * np.dtype(o.dtype).itemsize  # value, gradient, Adam's two averages
    memory = _memory()
    if size > memory:
        raise ValueError(
            f"a model of {parameters:,} parameters, in windows of {o.batch_size} x {T}, takes "
            f"{size / 2**30:,.1f} GiB, and this machine has {memory / 2**30:.1f}: expected a smaller hidden size, "
            "fewer layers, streams or steps of a window"
        )


def _memory() -> float:
    """Return the bytes of memory of this machine; inf where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf
