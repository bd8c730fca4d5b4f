"""The trainer: truncated backpropagation through time, one window after another.

Each step reads the next window of the B streams (`text/windows.py`) and starts from the hidden state in which the
previous window ended, without letting gradients flow back into it. It clips the gradients by their norm and takes one
step of Adam. A state saved after any step (`state.py`) continues bit for bit, because the step alone determines which
window comes next.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.generation.generate import stream
from numpy_rnn.layers.char_rnn_tape import CharRNNTape
from numpy_rnn.layers.recurrent import State, copy_state
from numpy_rnn.optim.adam import Adam
from numpy_rnn.optim.clipping import clip_grad_norm_
from numpy_rnn.text.lines import Lines, line_lengths
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.text.windows import IGNORED, Streams
from numpy_rnn.training.memory import check_memory
from numpy_rnn.training.options import Options, Plan
from numpy_rnn.training.ranks import Ranks
from numpy_rnn.training.validation import mean_loss, validation_loss

__all__ = ["SUMS", "Trainer", "perplexity"]

SAMPLE_CHARS = 200
_SAMPLE_LINES = 8
_TAPES = 8
SUMS = ("loss", "norm", "chars", "steps", "seconds")


class Trainer:
    """A model, its optimizer and the text that it is trained on.

    Parameters
    ----------
    tokens : ndarray, shape (N,), and vocabulary : Vocabulary
        A text of at least two characters, see `tokenize`. The text itself need not stay in memory.
    options : Options
    model : CharRNN, optional
        Trained in place. None: a new one, made as the options say.
    ranks : Ranks, optional
        The processes that share the work. None: this one alone.

    Attributes
    ----------
    tokens, vocabulary, model, optimizer
    plan : Plan
        The options, with every number filled in.
    streams : Streams
        The windows to train on.
    hidden : ndarray, shape (L, B, H), for an LSTM a pair of them, or None
        The state that the next window starts from, of this rank's streams; None: zeros.
    best_val_loss, since_best : float, int
        inf before the first validation, and the number of validations since the best.
    seconds : float
        Time spent in training steps.
    sums : dict
        Totals from which the next `metrics` are computed.
    pause : callable
        Called often during an evaluation, with what is being done. It may raise an exception to stop the evaluation.
    """

    def __init__(
        self,
        tokens: Array,
        vocabulary: Vocabulary,
        options: Options,
        model: CharRNN | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        n = len(vocabulary)
        if model is not None and model.vocab_size != n:
            raise ValueError(
                f"the vocabulary has {n} characters, expected the model's {model.vocab_size}: make the model with "
                f"CharRNN({n}, ...), or pass the vocabulary that it was made for"
            )
        self.tokens, self.vocabulary = tokens, vocabulary
        self.plan = plan = self.new_plan(options)
        self.text_sha256 = hashlib.sha256(tokens.data).hexdigest()
        self.streams: Streams | Lines
        if plan.lines:
            self.streams = Lines(tokens, plan.batch_size, plan.val_length, plan.seed)
        else:
            self.streams = Streams(tokens[: len(tokens) - plan.val_length], plan.batch_size, plan.seq_len)
        self.ranks = ranks or Ranks()
        self.ranks.check(plan.batch_size)
        self.model = self._new_model() if model is None else model
        if self.ranks.size > 1:
            self.model.rnn.mask_rows = plan.batch_size, self.ranks.share(plan.batch_size)
        self.optimizer = Adam(self.model.parameters(), lr=options.lr)
        self.hidden: State = None
        self.best_val_loss, self.since_best, self.seconds = math.inf, 0, 0.0
        self.sums = dict.fromkeys(SUMS, 0.0)
        self.pause: Callable[[str], None] = lambda doing: None
        self._tapes: dict[tuple[int, ...], CharRNNTape] = {}

    def new_plan(self, options: Options, taken: int = 0) -> Plan:
        """Return the plan that the options make for this text; see `Options.plan`."""
        if not options.lines:
            return options.plan(len(self.tokens), taken)
        lengths = line_lengths(self.tokens)
        return options.plan(len(lengths), taken, int(lengths.max()))

    def _new_model(self) -> CharRNN:
        plan, V = self.plan, len(self.vocabulary)
        sizes = (V, plan.embedding_dim, plan.hidden_size, plan.num_layers)
        check_memory(*sizes, plan.cell, plan.dtype, min(plan.seq_len, self.streams.length), plan.batch_size)
        return CharRNN(*sizes, plan.dropout, cell=plan.cell, dtype=plan.dtype, rng=plan.seed)

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.optimizer.step_count

    @property
    def done(self) -> bool:
        """Whether all steps of the plan are taken, or its patience is exhausted."""
        return self.step >= self.plan.steps or self.since_best >= (self.plan.patience or math.inf)

    @property
    def prompt(self) -> str:
        """The first character of the text."""
        return self.vocabulary.decode(self.tokens[:1])

    def train_step(self) -> tuple[float, float]:
        """Take one step; return its loss, in nats per character, and the norm of the gradients before clipping.

        Raises
        ------
        FloatingPointError
            The loss or the norm is not finite. The parameters are unchanged, but training cannot continue: resume
            from the last checkpoint.
        """
        started, step = time.perf_counter(), self.step
        tokens, targets = (whole[:, self.ranks.share(whole.shape[1])] for whole in self.streams.window(step))
        h_0 = None if self.streams.is_start(step) else self.hidden
        self.model.train()  # the caller may have used it since the last step
        with np.errstate(all="ignore"):  # an overflow shows in the loss or the norm, which are checked
            loss, h_n = self.model.loss_and_gradients(tokens, targets, h_0, self._tape(tokens.shape))
            chars = int(np.count_nonzero(targets != IGNORED))
            loss, chars = self.ranks.mean(loss, chars, self.model.parameters().grad)
            norm = clip_grad_norm_(self.model.parameters(), self.plan.clip)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.diverged(f"at step {step + 1} the loss is {loss} and the norm of its gradients {norm}")
            self.optimizer.lr = self.plan.learning_rate(step)
            self.optimizer.step()
        self.hidden = copy_state(h_n)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        for name, value in zip(SUMS, (loss * chars, norm, chars, 1, seconds), strict=True):
            self.sums[name] += value
        return loss, norm

    def _tape(self, shape: tuple[int, ...]) -> CharRNNTape:
        """Return the tape for windows of a shape. Usually there are two: the last window of an epoch is shorter."""
        if shape not in self._tapes:
            if len(self._tapes) == _TAPES:  # batches of lines have many shapes
                self._tapes.clear()
            self._tapes[shape] = self.model.new_tape(*shape)
        return self._tapes[shape]

    def diverged(self, what: str) -> NoReturn:
        raise FloatingPointError(
            f"{what}: training has diverged and stopped; try a step size below {self.plan.lr:g} or clipping below "
            f"{self.plan.clip:g}; what was saved before is intact"
        )

    def validate(self) -> float:
        """Return the mean loss on what is kept for validation, nan if nothing is."""
        plan = self.plan
        if not plan.val_length:
            return math.nan
        with np.errstate(all="ignore"):
            if isinstance(self.streams, Lines):
                windows = self.streams.validation(plan.val_chars)
                loss = mean_loss(self.model, windows, False, self._tape, self.pause, self.ranks)
            else:
                sizes, chars = (plan.val_length, plan.batch_size, plan.seq_len), plan.val_chars
                loss = validation_loss(self.model, self.tokens, *sizes, self._tape, chars, self.pause, self.ranks)
        if not math.isfinite(loss):
            self.diverged(f"after step {self.step} the validation loss is {loss}")
        return loss

    def metrics(self, restart: bool = True) -> dict[str, Any]:
        """Return the means since the last call, and start new ones."""
        sums = self.sums
        if restart:
            self.sums = dict.fromkeys(SUMS, 0.0)
        loss = sums["loss"] / sums["chars"]
        return {
            "step": self.step,
            "epoch": self.step / len(self.streams),
            "loss": loss,
            "bits_per_char": loss / math.log(2),
            "grad_norm": sums["norm"] / sums["steps"],
            "lr": self.plan.learning_rate(self.step - 1),
            "chars_per_second": sums["chars"] / max(sums["seconds"], 1e-9),
            "seconds": self.seconds,
        }

    def evaluate(self) -> dict[str, Any]:
        """Return the validation loss, if there is validation, and a sample of generated text.

        The sample uses a random generator of its own, so evaluating does not affect training.
        """
        loss, sample = self.validate(), self._sample()
        if not self.plan.val_length:
            return {"sample": sample}
        best = loss < self.best_val_loss
        self.best_val_loss, self.since_best = min(loss, self.best_val_loss), 0 if best else self.since_best + 1
        return {
            "val_loss": loss,
            "val_bits_per_char": loss / math.log(2),
            "val_perplexity": perplexity(loss),
            "best": best,
            "sample": sample,
        }

    def _sample(self) -> str:
        rng, length = np.random.default_rng([self.plan.seed, self.step]), 1 + SAMPLE_CHARS
        options: dict[str, Any] = {"temperature": 1.0, "rng": rng, "stop": "\n" if self.plan.lines else None}
        try:
            with np.errstate(all="ignore"):
                text = ""
                for _ in range(_SAMPLE_LINES if self.plan.lines else 1):
                    for new, _ in stream(self.model, self.vocabulary, self.prompt, length, **options):
                        self.pause(f"sample: {len(text)} characters written")
                        text += new
                return text.removeprefix("\n") if self.plan.lines else text
        except FloatingPointError as error:
            self.diverged(f"after step {self.step} {error}")


def perplexity(loss: float) -> float | None:
    """Return exp(loss), or None where that is beyond the largest float: JSON has no infinity."""
    return math.exp(loss) if loss < 709 else None
