"""numpy-rnn export and import: models to and from safetensors files."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from numpy_rnn.checks import as_size
from numpy_rnn.display.terminal import count, quote
from numpy_rnn.storage.checkpoint import write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.model_file import build_model, load_model, model_header, named
from numpy_rnn.storage.safetensors import load_safetensors, save_safetensors
from numpy_rnn.training.run import open_run

__all__ = ["add"]

KEYS = ("model", "vocabulary", "prompt")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "export",
        help="write a model as a safetensors file",
        description="Write the best model of a run as a safetensors file, with torch's parameter names. Its options "
        "and vocabulary are in the metadata. Needs safetensors.",
        examples=["export book-run book.safetensors", "export book-run/last.npz last.safetensors"],
    )
    command.add_argument("run_path", metavar="RUN", help="a run directory, or a checkpoint file in one")
    command.add_argument("file", metavar="FILE.safetensors", help="a new file")
    command.set_defaults(run=_export)

    command = commands.add_parser(
        "import",
        help="read a model from a safetensors file",
        description="Make a run from a file that numpy-rnn export wrote. It can generate text, but not be resumed.",
        examples=["import book.safetensors -o imported", "generate imported --temperature 0.8"],
    )
    command.add_argument("file", metavar="FILE.safetensors")
    command.add_argument("-o", "--output", metavar="RUN", required=True, help="a new directory")
    command.set_defaults(run=_import)


def _export(arguments: argparse.Namespace) -> None:
    if os.path.lexists(arguments.file):
        raise FileExistsError(f"{arguments.file!r} already exists: name another file, or remove it")
    model, _, header = load_model(arguments.run_path)
    metadata = {key: json.dumps(header[key]) for key in (*KEYS, "lines") if key in header}
    save_safetensors(arguments.file, model.state_dict(), metadata)
    print(f"{quote(arguments.file)}: {count(model.parameters().data.size, 'parameter')}")


def _import(arguments: argparse.Namespace) -> None:
    tensors, metadata = load_safetensors(arguments.file)
    try:
        header = {key: json.loads(metadata[key]) for key in KEYS}
        lines = {"lines": as_size("lines", json.loads(metadata["lines"]))} if "lines" in metadata else {}
    except KeyError as error:
        raise CheckpointError(
            f"{arguments.file!r} has no {error} in its metadata, expected what numpy-rnn export writes: JSON under "
            f"{', '.join(KEYS)}"
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{arguments.file!r} has metadata that is not JSON: {error}") from None
    try:
        model, vocabulary = build_model(tensors, header)
    except ValueError as error:
        raise CheckpointError(f"{arguments.file!r} {error}") from error
    with open_run(arguments.output) as run:
        header = model_header(model, vocabulary, header["prompt"]) | lines
        write_checkpoint(run.last, named("model", model.state_dict()), header)
    size = count(model.parameters().data.size, "parameter")
    print(f"{quote(arguments.output)}: {size}; try: numpy-rnn generate {quote(arguments.output)}")
