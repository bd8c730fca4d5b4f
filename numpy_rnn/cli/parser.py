"""The parser of the command line: usage in one line, one style of defaults, examples, and errors that help."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from numpy_rnn.display.terminal import escape

__all__ = ["Parser"]

NARGS = {"?": "[{0}]", "*": "[{0} ...]", "+": "{0} [{0} ...]", argparse.PARSER: "{0} ..."}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with `examples`, lines that `--help` prints at its end."""

    def __init__(self, *, examples: Sequence[str] = (), epilog: str = "", **options: Any) -> None:
        lines = "\n".join(["examples:", *(f"  numpy-rnn {example}" for example in examples)])
        super().__init__(epilog=f"{epilog}\n\n{lines}" if epilog else lines, formatter_class=_Help, **options)
        self.words: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.words = list(args or ())
        return super().parse_known_args(args, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        print(message, end="", file=file or sys.stderr)  # argparse would hide that it cannot be written

    def format_usage(self) -> str:
        return f"usage: {self.usage or self._usage()}\n"

    def format_help(self) -> str:
        self.usage = self.usage or self._usage()
        return super().format_help()

    def _usage(self) -> str:
        """Return one line: the positional and the required arguments."""
        shown = []
        for action in self._actions:
            name = NARGS.get(str(action.nargs), "{0}").format(action.metavar or action.dest)
            if action.required and action.option_strings:
                name = f"{action.option_strings[0]} {name}"
            if action.required or not action.option_strings:
                shown.append(name)
        return " ".join([self.prog, "[options]", *shown])

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Report what no argument accepts."""
        name = next((word.partition("=")[0] for word in unknown if word[:1] == "-" != word), None)
        if name is None:
            self.error(f"unexpected argument {unknown[0]!r}")
        advice = f"; {self.prog} --help lists them" + f", and ./{name} is a file" * (name[1] != "-")
        self.error(
            f"there is no option {name}{_closest(name.replace('_', '-'), self._option_string_actions) or advice}"
        )

    def error(self, message: str) -> NoReturn:
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += _closest(choice[1], re.findall(r"[^', ]+", choice[2]))
        strangers = [word for word in self.words if word[:1] == "-" and word not in self._option_string_actions]
        if strangers and message.startswith("the following arguments are required"):
            message += f"; write a name that begins with a dash as ./{strangers[0]}"
        if strangers and (option := re.match(r"argument (?:-\w/)?(-\S+): expected one", message)):
            message += f"; write a value that begins with a dash as {option[1]}=VALUE"
        message = escape(message).replace("\n", r"\n")
        self.exit(2, f"{self.format_usage()}{self.prog}: error: {message}\n")


class _Help(argparse.HelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        words = action.help or ""
        if any(action.default is nothing for nothing in (None, False, argparse.SUPPRESS)) or "default:" in words:
            return words
        return f"{words} (default: %(default)s)"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        words, gap, examples = text.partition("examples:")
        return super()._fill_text(words, width, indent) + "\n\n" * bool(words.strip()) + gap + examples


def _closest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
