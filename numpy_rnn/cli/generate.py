"""numpy-rnn generate: write text with a trained model."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import argument, positive_int, seed
from numpy_rnn.display.terminal import escape, legend
from numpy_rnn.storage.model_file import load_model

__all__ = ["add"]

above_zero = argument(float, lambda value: 0 < value < float("inf"), "a number above 0; greedy is without it")
probability = argument(float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "generate",
        help="write text with a trained model",
        description="Continue a prompt with the best model of a run: with the most probable character each time, or, "
        "with a temperature, drawn from what the model has learned.",
        epilog="A file or a pipe gets the text as it is; on a terminal, control characters are spelt, as \\x1b.",
    )
    command.add_argument("run_path", metavar="RUN", help="what numpy-rnn train wrote, or a checkpoint file in it")
    command.add_argument("--prompt", help="what to continue (the first character of the text learned)")
    command.add_argument("-n", type=positive_int, default=500, metavar="N", help="new characters (500)")
    command.add_argument("--temperature", type=above_zero, help="draw; 1 from what was learned, below 1 more soberly")
    command.add_argument("--top-k", type=positive_int, help="draw from the k most probable characters only")
    command.add_argument("--top-p", type=probability, help="draw from the most probable that have p together")
    command.add_argument("--seed", type=seed, help="of the drawing (another each time)")
    command.add_argument("--samples", type=positive_int, default=1, metavar="N", help="texts, made side by side (1)")
    command.add_argument("--color", action="store_true", help="shade each character by its probability")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.samples > 1 and arguments.temperature is None:
        raise ValueError("--samples: without --temperature, all would be the same")
    if arguments.samples > 1 and arguments.color:
        raise ValueError("--color shades one text: leave out --samples")
    model, vocabulary, header = load_model(arguments.run_path)
    prompt = header["prompt"] if arguments.prompt is None else arguments.prompt
    options = {
        "prompt": prompt,
        "length": len(prompt) + arguments.n,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "rng": arguments.seed,
    }
    if arguments.samples > 1:
        for i, text in enumerate(nr.generate_batch(model, vocabulary, count=arguments.samples, **options), 1):
            _write(f"--- {i} ---\n{_printable(text)}\n")
        return
    if arguments.color:
        print(legend())
    for character, p in nr.stream(model, vocabulary, **options):
        _write(nr.shade(character, [p]) if arguments.color else _printable(character))
    _write("\n")


def _printable(text: str) -> str:
    """Return what can be written: to a file the text as it is, to a terminal without what would control it."""
    if sys.stdout.isatty():
        text = escape(text)
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # at once: someone may be watching
