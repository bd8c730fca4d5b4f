"""A trainer as the arrays and the header of a checkpoint, and back: all that resuming needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array, as_number, as_size, check_keys, check_shape
from numpy_rnn.layers.recurrent import as_arrays
from numpy_rnn.storage.files import CheckpointError, reason
from numpy_rnn.storage.model_file import build_model, model_header, model_options, named, saved_options, unnamed
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.ranks import Ranks
from numpy_rnn.training.trainer import SUMS, Trainer

__all__ = ["restore", "state_of"]

_AVERAGES = ("exp_avg", "exp_avg_sq")
_STATES = ("hidden", "cell_state")  # h, and the LSTM's c
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


def state_of(trainer: Trainer) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the header of a checkpoint from which `restore` continues as if never stopped.

    The arrays are the trainer's own, so the next step overwrites them.

    Raises
    ------
    FloatingPointError
        A parameter is not finite.
    """
    parameters = trainer.model.parameters()
    if not np.isfinite(parameters.data).all():
        trainer.diverged(f"after step {trainer.step} the parameters are not finite")
    arrays = named("model", {name: p.data for name, p in parameters.items()})
    for average in _AVERAGES:
        arrays |= named(average, parameters.views(getattr(trainer.optimizer, average)))
    if trainer.hidden is not None:
        whole = (trainer.ranks.gather(state, trainer.plan.batch_size) for state in as_arrays(trainer.hidden))
        arrays |= zip(_STATES, whole, strict=False)
    training = {
        "options": asdict(trainer.plan.options()),
        "step": trainer.step,
        "best_val_loss": trainer.best_val_loss,
        "since_best": trainer.since_best,
        "seconds": trainer.seconds,
        "sums": dict(trainer.sums),
        "generator": trainer.model.rnn.rng.bit_generator.state,
        "text_sha256": trainer.text_sha256,
    }
    header = model_header(trainer.model, trainer.vocabulary, trainer.prompt)
    if trainer.plan.lines:
        header["lines"] = trainer.plan.seq_len  # the longest
    return arrays, {**header, "training": training}


def restore(
    text: str,
    arrays: Mapping[str, Array],
    header: Mapping[str, Any],
    model: CharRNN | None = None,
    ranks: Ranks | None = None,
    **changes: Any,
) -> Trainer:
    """Return the trainer of a saved state.

    Parameters
    ----------
    text : str
        The text that the run was started with.
    arrays, header : mapping
        What `state_of` returned.
    model : CharRNN, optional
        One of the same kind, which is set to the saved state and trained in place. None: a new one.
    ranks : Ranks, optional
        The processes that share the work from now on, whatever their number was. None: this one alone.
    **changes
        Options with other values than in the saved state, see `CHANGEABLE`. `epochs` or `steps` is a new length for
        the whole run. The learning-rate schedule is stretched to it.

    Raises
    ------
    ValueError
        The text has changed, the model is of another kind, or the new length is less than the steps already taken.
    CheckpointError
        The state is inconsistent.
    """
    try:
        training = header["training"]
        options, step, digest = Options(**training["options"]), training["step"], training["text_sha256"]
        saved, vocabulary = build_model(unnamed("model", arrays), header)
        as_size("step", step, 0)
    except _DAMAGE as error:
        raise _misfit(error) from error
    tokens, _ = tokenize(text, vocabulary, options.lines)
    if digest != hashlib.sha256(tokens.data).hexdigest():
        raise ValueError(
            "the text is not the one that this run was started with (its SHA-256 differs): restore the old text, or "
            "start a new run"
        )
    if model is not None and model_options(model) != saved_options(header):
        raise ValueError(f"model has {model_options(model)}, expected that of the run, {saved_options(header)}")
    try:
        trainer = Trainer(tokens, vocabulary, options, saved if model is None else model, ranks)
    except ValueError as error:
        raise _misfit(error) from error
    if changes:
        changes = {"steps": None, **changes} if "epochs" in changes else changes  # they exclude each other
        trainer.plan = trainer.new_plan(replace(options, **changes), taken=step)
    try:
        _fill(trainer, saved, arrays, training)
    except _DAMAGE as error:
        raise _misfit(error) from error
    return trainer


def _fill(trainer: Trainer, saved: CharRNN, arrays: Mapping[str, Array], training: Mapping[str, Any]) -> None:
    parameters = trainer.model.parameters()
    for average in _AVERAGES:
        views, group = parameters.views(getattr(trainer.optimizer, average)), unnamed(average, arrays)
        check_keys(average, group, views)
        for name, view in views.items():
            _copy(f"{average}.{name}", group[name], view)
    trainer.optimizer.step_count = training["step"]
    if trainer.step:
        shape = (saved.rnn.num_layers, trainer.streams.batch_size, saved.hidden_size)
        states = [np.empty(shape, saved.dtype) for _ in range(saved.rnn.cell.states)]
        for name, state in zip(_STATES, states, strict=False):
            _copy(name, arrays[name], state)
        share = trainer.ranks.share(trainer.streams.batch_size)
        trainer.hidden = saved.rnn.as_state([state[:, share].copy() for state in states])
    trainer.best_val_loss = as_number("best_val_loss", training["best_val_loss"], closed=True)
    trainer.since_best = as_size("since_best", training.get("since_best", 0), 0)
    trainer.seconds = as_number("seconds", training["seconds"])
    check_keys("sums", training["sums"], SUMS)
    trainer.sums = {name: as_number(name, training["sums"][name]) for name in SUMS}
    trainer.model.rnn.rng.bit_generator.state = training["generator"]
    trainer.model.load_state_dict(saved.state_dict())  # last: an error above leaves a given model unchanged


def _copy(name: str, source: Array, target: Array) -> None:
    if source.dtype != target.dtype:
        raise TypeError(f"{name} has dtype {source.dtype}, expected {target.dtype}")
    check_shape(name, source, target.shape, "its shape in this run")
    target[...] = source


def _misfit(error: BaseException) -> CheckpointError:
    return CheckpointError(f"the checkpoint is inconsistent: {reason(error)}")
