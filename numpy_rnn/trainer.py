"""The trainer: truncated backpropagation through time, one window after the other, and all that a stop must keep.

Each step reads the next window of B streams (`streams.py`), starts from the hidden state in which the window before
ended, as a number through which no gradient flows, clips the gradients by their norm and takes one step of Adam. A
state that was saved after any step goes on bit for bit: which window comes next is a function of the step alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from numpy_rnn.atomic import CheckpointError
from numpy_rnn.char_rnn import CharRNN, CharRNNTape
from numpy_rnn.checks import Array, as_number, as_size, check_keys, check_shape
from numpy_rnn.clipping import clip_grad_norm_
from numpy_rnn.generation import generate
from numpy_rnn.model_file import build_model, model_header, named, one_line, unnamed
from numpy_rnn.optim import Adam
from numpy_rnn.options import Options
from numpy_rnn.streams import Streams, split
from numpy_rnn.text import Vocabulary
from numpy_rnn.validation import validation_loss

__all__ = ["Trainer", "perplexity"]

SAMPLE_CHARS = 200
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
    """

    def __init__(self, text: str, options: Options) -> None:
        if len(text) < 2:
            raise ValueError(f"text has length {len(text)}, expected at least 2: one to read and one to predict")
        self.vocabulary = Vocabulary.from_text(text)
        self.text_sha256, self.prompt = _sha256(text), text[0]
        tokens = self.vocabulary.encode(text, np.min_scalar_type(len(self.vocabulary) - 1))
        val_fraction = options.fit_val_fraction(len(tokens))
        train, val = split(tokens, val_fraction)
        batch_size, T = options.fit_batch_size(len(train)), options.seq_len
        self.streams = Streams(train, batch_size, T)
        self.tokens, self.val_length = tokens, len(val)
        options = dataclasses.replace(options, val_fraction=val_fraction, batch_size=batch_size)
        self.options = options.fit_steps(len(self.streams))
        self.model = CharRNN(
            len(self.vocabulary),
            options.embedding_dim,
            options.hidden_size,
            options.num_layers,
            options.dropout,
            dtype=options.dtype,
            rng=options.seed,
        )
        self.optimizer = Adam(self.model.parameters(), lr=options.lr)
        self.hidden: Array | None = None
        self.best_val_loss, self.seconds = math.inf, 0.0
        self._sums = dict.fromkeys(_SUMS, 0.0)
        self._tapes: dict[tuple[int, ...], CharRNNTape] = {}

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
        with np.errstate(all="ignore"):  # an overflow shows in the loss or the norm, which are checked
            loss, h_n = self.model.loss_and_gradients(tokens, targets, h_0, self._tape(tokens.shape))
            norm = clip_grad_norm_(self.model.parameters(), self.options.clip)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self._diverged(f"at step {step + 1} the loss is {loss} and the norm of its gradients {norm}")
            self.optimizer.lr = self.options.learning_rate(step)
            self.optimizer.step()
        self.hidden = h_n.copy()
        seconds = time.perf_counter() - started
        self.seconds += seconds
        for name, value in zip(_SUMS, (loss * tokens.size, norm, tokens.size, 1, seconds), strict=True):
            self._sums[name] += value
        return loss, norm

    def _tape(self, shape: tuple[int, ...]) -> CharRNNTape:
        """Return the tape for windows of a shape: an epoch has two, its last window's and that of all others."""
        if shape not in self._tapes:
            self._tapes[shape] = self.model.new_tape(*shape)
        return self._tapes[shape]

    def _diverged(self, what: str) -> NoReturn:
        raise FloatingPointError(
            f"{what}: training stopped; try a smaller --lr ({self.options.lr:g} now) or a "
            f"smaller --clip ({self.options.clip:g} now); what was saved last is good"
        )

    def validate(self) -> float:
        """Return the mean loss over the end of the text, see `validation.py`; nan if nothing is kept for it."""
        if not self.val_length:
            return math.nan
        B, T = self.streams.batch_size, self.streams.seq_len
        with np.errstate(all="ignore"):
            loss = validation_loss(self.model, self.tokens, self.val_length, B, T, self._tape)
        if not math.isfinite(loss):
            self._diverged(f"after step {self.step} the validation loss is {loss}")
        return loss

    def metrics(self) -> dict[str, Any]:
        """Return the means since the last call, and begin new ones."""
        sums, self._sums = self._sums, dict.fromkeys(_SUMS, 0.0)
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
            self._diverged(f"after step {self.step} {error}")

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays and the header of a checkpoint from which `restore` goes on as if never stopped.

        The arrays are the trainer's own: the next step writes into them.

        Raises
        ------
        FloatingPointError
            A parameter is not finite.
        """
        parameters = self.model.parameters()
        if not np.isfinite(parameters.data).all():
            self._diverged(f"after step {self.step} the parameters are not finite")
        arrays = named("model", {name: p.data for name, p in parameters.items()})
        for average in _AVERAGES:
            arrays |= named(average, parameters.views(getattr(self.optimizer, average)))
        if self.hidden is not None:
            arrays["hidden"] = self.hidden
        training = {
            "options": dataclasses.asdict(self.options),
            "step": self.step,
            "best_val_loss": self.best_val_loss,
            "seconds": self.seconds,
            "sums": dict(self._sums),
            "generator": self.model.rnn.rng.bit_generator.state,
            "text_sha256": self.text_sha256,
        }
        return arrays, {**model_header(self.model, self.vocabulary, self.prompt), "training": training}

    def restore(self, arrays: Mapping[str, Array], header: Mapping[str, Any]) -> None:
        """Go on from a `state`, of a trainer with the same options and text.

        Raises
        ------
        ValueError
            The text is another one.
        CheckpointError
            The state does not fit this trainer.
        """
        try:
            training = header["training"]
            if training["text_sha256"] != self.text_sha256:
                raise _ChangedText
            model, vocabulary = build_model(unnamed("model", arrays), header)
            if vocabulary != self.vocabulary:
                raise ValueError("its vocabulary is not that of the text")
            self.model.load_state_dict(model.state_dict())
            if model.dtype != self.model.dtype:
                raise ValueError(f"its parameters are {model.dtype}, expected {self.model.dtype}")
            parameters = self.model.parameters()
            for average in _AVERAGES:
                views, saved = parameters.views(getattr(self.optimizer, average)), unnamed(average, arrays)
                check_keys(average, saved, views)
                for name, view in views.items():
                    _copy(f"{average}.{name}", saved[name], view)
            self.optimizer.step_count = as_size("step", training["step"], 0)
            self.hidden = None
            if self.step:
                shape = (self.options.num_layers, self.streams.batch_size, self.options.hidden_size)
                self.hidden = np.empty(shape, self.model.dtype)
                _copy("hidden", arrays["hidden"], self.hidden)
            self.best_val_loss = as_number("best_val_loss", training["best_val_loss"], or_inf=True)
            self.seconds = as_number("seconds", training["seconds"])
            check_keys("sums", training["sums"], _SUMS)
            self._sums = {name: as_number(name, training["sums"][name]) for name in _SUMS}
            self.model.rnn.rng.bit_generator.state = training["generator"]
        except _ChangedText:
            raise ValueError(
                "the text is not the one that this training began with (its SHA-256 differs): give the old text, or "
                "begin a new training"
            ) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"the checkpoint does not fit its training: {one_line(error)}") from error


_SUMS = ("loss", "norm", "chars", "steps", "seconds")
_AVERAGES = ("exp_avg", "exp_avg_sq")


class _ChangedText(Exception):
    pass


def perplexity(loss: float) -> float | None:
    """Return exp(loss), or None where that is beyond the largest float: JSON has no infinity."""
    return math.exp(loss) if loss < 709 else None


def _copy(name: str, source: Array, target: Array) -> None:
    if source.dtype != target.dtype:
        raise TypeError(f"{name} has dtype {source.dtype}, expected {target.dtype}")
    check_shape(name, source, target.shape, "the shape in this training")
    target[...] = source


def _sha256(text: str) -> str:
    """Return the SHA-256 of the text in UTF-8: that of its file, if this is UTF-8 with line ends of "\\n"."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _PIECE):
        digest.update(text[start : start + _PIECE].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
