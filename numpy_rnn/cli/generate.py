"""numpy-rnn generate: write text with a trained model."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import argument, positive_int, seed
from numpy_rnn.cli.output import as_bytes, as_typed, printer
from numpy_rnn.display.terminal import legend
from numpy_rnn.storage.model_file import load_model

__all__ = ["add"]

above_zero = argument(float, lambda value: 0 < value < float("inf"), "a number above 0")
probability = argument(float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "generate",
        help="write text with a trained model",
        description="Continue a prompt with the best model of a run: with the most probable character each time or, "
        "given a temperature, with characters drawn at random from the model's distribution.",
        epilog="Files and pipes get the text unchanged. On a terminal, control characters are escaped, as \\x1b.",
        examples=[
            "generate book-run --temperature 0.8",
            'generate book-run --prompt "Once upon" -n 200 --temperature 1 --samples 5',
            "generate book-run --temperature 1 --seed 1 > text.txt",
        ],
    )
    command.add_argument("run_path", metavar="RUN", help="output of numpy-rnn train, or a checkpoint file in it")
    command.add_argument(
        "--prompt", type=as_typed, help="text to continue (default: the first character of the training text)"
    )
    command.add_argument("-n", type=positive_int, default=500, metavar="N", help="new characters")
    command.add_argument("--temperature", type=above_zero, help="draw at random: 1 as learned, less is more cautious")
    command.add_argument("--top-k", type=positive_int, help="draw from the k most probable characters only")
    command.add_argument("--top-p", type=probability, help="draw from the most probable that together have p")
    command.add_argument("--seed", type=seed, help="random seed for drawing (default: a new one each time)")
    command.add_argument("--samples", type=positive_int, default=1, metavar="N", help="number of texts")
    command.add_argument("--color", action="store_true", help="colour each character by its probability")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.samples > 1 and arguments.temperature is None:
        raise ValueError("--samples: without --temperature, all would be the same")
    if arguments.samples > 1 and arguments.color:
        raise ValueError("--color shades one text: leave out --samples")
    model, vocabulary, header = load_model(arguments.run_path)
    prompt = header["prompt"]
    if arguments.prompt is not None:
        prompt = as_bytes(arguments.prompt) if vocabulary.is_bytes else arguments.prompt
    options = {
        "prompt": prompt,
        "length": len(prompt) + arguments.n,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "rng": arguments.seed,
    }
    printable = printer()
    if arguments.samples > 1:
        for i, text in enumerate(nr.generate_batch(model, vocabulary, count=arguments.samples, **options), 1):
            _write(f"--- {i} ---\n{printable(text)}\n")
        return
    if arguments.color:
        print(legend())
    for character, p in nr.stream(model, vocabulary, **options):
        _write(nr.shade(character, [p]) if arguments.color else printable(character))
    _write(printable("\n"))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # show each character at once
