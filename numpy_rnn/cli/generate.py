"""numpy-rnn generate: write text with a trained model."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
from typing import Any

import numpy_rnn as nr
from numpy_rnn.checks import ArgumentError
from numpy_rnn.cli.arguments import argument, positive_int, seed
from numpy_rnn.cli.output import as_bytes, as_typed, printer
from numpy_rnn.display.terminal import legend
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.text.files import called
from numpy_rnn.text.pieces import read_pieces, reading_of

__all__ = ["add"]

not_negative = argument(float, lambda value: 0 <= value < float("inf"), "a number of at least 0")
probability = argument(float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "generate",
        help="write text with a trained model",
        description="Continue a prompt with the best model of a run. Each character is drawn at random from the "
        "model's distribution; --greedy takes the most probable one instead.",
        epilog="Files and pipes get the text unchanged. On a terminal, control characters are escaped, as \\x1b.",
        examples=[
            'generate book-run --prompt "ROMEO:" --stop "JULIET:" --temperature 0.8',
            r'generate book-run --prompt "def f(x):\n" --prompt-escapes -n 200 --seed 1',
            "generate book-run --samples 100 --json > samples.jsonl",
            'generate names-run --lines -n 20 --prompt "Jo"',
        ],
    )
    command.add_argument("run_path", metavar="RUN", help="output of numpy-rnn train, or a checkpoint file in it")
    command.add_argument(
        "-n", type=positive_int, metavar="N", help="new characters (default: 500), or with --lines, lines (20)"
    )
    command.add_argument(
        "--lines", action=argparse.BooleanOptionalAction, help="write lines (default: for runs of train --lines)"
    )
    words = "end before this text; can be repeated"
    command.add_argument("--stop", type=as_typed, action="append", metavar="TEXT", help=words)
    command.add_argument("--samples", type=positive_int, default=1, metavar="N", help="number of texts")
    command.add_argument("--json", action="store_true", help="write one JSON object per sample, each on its own line")
    command.add_argument("--color", action="store_true", help="colour each character by its probability")
    prompts = command.add_argument_group("prompt")
    prompt = prompts.add_mutually_exclusive_group()
    words = "text to continue (default: the first character of the training text)"
    prompt.add_argument("--prompt", type=as_typed, help=words)
    prompt.add_argument("--prompt-file", metavar="FILE", help="continue the text of a file; '-' is standard input")
    prompts.add_argument("--encoding", help="encoding of --prompt-file (default: that of the training text)")
    prompts.add_argument(
        "--prompt-escapes",
        action="store_true",
        help=r"read \n, \t, \r, \\, \x41, \u0041 and \U00000041 in --prompt and --stop as in Python",
    )
    prompts.add_argument(
        "--skip-unknown", action="store_true", help="leave out prompt characters that the model does not know"
    )
    drawing = command.add_argument_group("choice of the next character")
    how = drawing.add_mutually_exclusive_group()
    how.add_argument(
        "--temperature", type=not_negative, default=1.0, help="1: as learned; lower: more predictable; 0: greedy"
    )
    how.add_argument("--greedy", action="store_true", help="take the most probable character each time")
    drawing.add_argument("--top-k", type=positive_int, help="draw from the k most probable characters only")
    drawing.add_argument("--top-p", type=probability, help="draw from the most probable that together have p")
    drawing.add_argument("--seed", type=seed, help="random seed for drawing (default: a new one each time)")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    greedy = arguments.greedy or arguments.temperature == 0
    for name in ("seed", "top_k", "top_p"):
        if greedy and getattr(arguments, name) is not None:
            raise ArgumentError(name, "does nothing with --greedy or --temperature 0: leave out one of them")
    if arguments.encoding is not None and arguments.prompt_file is None:
        raise ArgumentError("encoding", "is for --prompt-file: leave out one, or give both")
    model, vocabulary, header = load_model(arguments.run_path)
    lines = "lines" in header if arguments.lines is None else arguments.lines
    prompt, stop = _prompt(arguments, vocabulary, header, "" if lines else header["prompt"]), arguments.stop or []
    if arguments.prompt_escapes:
        stop = [_unescape("stop", text) for text in stop]
    if vocabulary.is_bytes:
        stop = list(map(as_bytes, stop))
    printable = printer()
    if lines:  # every line begins and ends with a newline, and has a state of its own
        if "\n" not in vocabulary.characters:
            raise ValueError("--lines needs a model that knows the newline: its text had none")
        if arguments.samples > 1:
            raise ArgumentError("samples", "is for texts: -n is the number of lines")
        if "\n" in prompt:
            raise ArgumentError("prompt", "has a newline, expected the beginning of one line")
        start, name, length = "\n", "n", 2 * header.get("lines", 500)
        count = arguments.n or (1 if greedy else 20)
    else:
        start, name, length, count = "", "samples", arguments.n or 500, arguments.samples
    if greedy and count > 1:
        raise ArgumentError(name, "would all be the same with --greedy or --temperature 0")
    if arguments.color and (lines or count > 1 or arguments.json):
        of_lines = lines and "lines" in header
        given = {"--lines": lines and not of_lines, "--samples": arguments.samples > 1, "--json": arguments.json}
        leave = " and ".join(flag for flag, is_given in given.items() if is_given)
        advice = [f"leave out {leave}"] * bool(leave) + ["add --no-lines"] * of_lines
        raise ValueError(f"--color shades one text: {', and '.join(advice)}")
    drawn = {name: None if greedy else getattr(arguments, name) for name in ("temperature", "top_k", "top_p")}
    number = None if greedy else secrets.randbits(32) if arguments.seed is None else arguments.seed
    options = {"prompt": start + prompt, "length": len(start + prompt) + length, "stop": [*stop, *start]}
    options |= {"rng": number, **drawn}
    if lines or count > 1 or arguments.json:
        for i, whole in enumerate(nr.generate_batch(model, vocabulary, count=count, **options), 1):
            text, end = whole.removeprefix(start), "length" if len(whole) == options["length"] else "stop"
            if arguments.json:
                sample = {"sample": i, "text": text, "prompt": prompt, "completion": text[len(prompt) :], "end": end}
                _write(json.dumps({**sample, "seed": number, **drawn}) + "\n")
            else:
                _write(f"{printable(text)}\n" if lines else f"--- {i} ---\n{printable(text)}\n")
    else:
        if arguments.color:
            print(legend(), file=sys.stdout if sys.stdout.isatty() else sys.stderr)
        for character, p in nr.stream(model, vocabulary, **options):
            _write(nr.shade(character, [p]) if arguments.color else printable(character))
        _write(printable("\n"))


def _prompt(arguments: argparse.Namespace, vocabulary: nr.Vocabulary, header: dict[str, Any], default: str) -> str:
    """Return the text to continue, without unknown characters if that was asked for."""
    prompt: str = default if arguments.prompt is None else arguments.prompt
    if arguments.prompt_file is not None:
        reading = reading_of(header, vocabulary, arguments.encoding)
        prompt = "".join(read_pieces(arguments.prompt_file, **reading))  # its last newline is part of it
        if not prompt:
            raise ValueError(f"{called(arguments.prompt_file)} is empty, expected at least one character")
    elif arguments.prompt_escapes:
        prompt = _unescape("prompt", prompt)
    if vocabulary.is_bytes and arguments.prompt is not None:
        prompt = as_bytes(prompt)
    if not arguments.skip_unknown:
        return prompt
    unknown = {character: None for character in prompt if character not in vocabulary.characters}
    names = ", ".join(map(repr, unknown))
    known = "".join(character for character in prompt if character not in unknown)
    if prompt and not known:
        raise ValueError(f"the prompt has only characters that the model does not know: {names}")
    if unknown:
        print(f"numpy-rnn: left out of the prompt, as the model does not know them: {names}", file=sys.stderr)
    return known


def _unescape(name: str, text: str) -> str:
    """Return `text` with escapes as in a Python string replaced by the characters that they stand for."""

    def character(match: re.Match[str]) -> str:
        try:
            return {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}.get(match[1]) or chr(int(match[1][1:], 16))
        except (OverflowError, ValueError):
            typed = repr(match[0])[1:-1].replace("\\\\", "\\")  # as it was typed, but on one line
            words = r"expected \n, \t, \r, \\, \xHH, \uHHHH or \UHHHHHHHH"
            raise ArgumentError(name, f"has the escape '{typed}', {words}") from None

    pattern = r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.|$)"
    return re.sub(pattern, character, text, flags=re.DOTALL)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # show each character at once
