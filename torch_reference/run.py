"""A trained model of numpy_rnn in PyTorch."""

from __future__ import annotations

import os

from numpy_rnn import Vocabulary
from numpy_rnn.storage.model_file import load_model
from torch_reference.lockstep import make_mirror
from torch_reference.model import CharRNN

__all__ = ["load_run"]


def load_run(path: str | os.PathLike[str]) -> tuple[CharRNN, Vocabulary]:
    """Return the mirror of the best model of a RUN, or of that in a checkpoint file, and its vocabulary.

    The mirror is in evaluation mode. Its `state_dict()` is what other programs of torch read.

    Raises
    ------
    CheckpointError
        There is no model, or it is not in every respect as it was written.
    """
    model, vocabulary, _ = load_model(path)
    return make_mirror(model.eval()), vocabulary
