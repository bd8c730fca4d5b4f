"""The web page of a report: forward beside backward, each line of backward with the gradient that it computes."""

from __future__ import annotations

import keyword
import linecache
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from numpy_rnn.display.page import fill
from numpy_rnn.gradient_checking.lines.lines import relative

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.report import GradcheckReport

__all__ = ["backward_page"]

KINDS = {"STRING": "string", "FSTRING": "string", "COMMENT": "comment"}


def backward_page(report: GradcheckReport) -> str:
    """Return the page, as HTML that needs no network and no other file."""
    places = list(dict.fromkeys(place for line in report.lines for place in line.forward))
    forward, backward = report.functions
    data = {
        "label": report.label,
        "summary": str(report).partition("\n\n")[0],
        "note": None if backward else report.annotated(),
        "suspect": report.suspect and _fields(report.suspect, "line source step explanation"),
        "forward": list(_functions(forward)),
        "backward": list(_functions(backward)),
        "places": [_fields(place, "line start end") for place in places],
        "lines": [
            _fields(line, "line quantity equals steps verdict") | {"places": [places.index(p) for p in line.forward]}
            for line in report.lines
        ],
    }
    return fill(__name__, data)


def _fields(item: Any, names: str) -> dict[str, Any]:
    return {"file": relative(item.filename)} | {name: getattr(item, name) for name in names.split()}


def _functions(ranges: Iterable[tuple[str, int, int]]) -> Iterator[dict[str, Any]]:
    """Yield the source of each function, without those that are in another one, and the tokens of each line."""
    last = ("", 0)
    for filename, first, end in sorted(set(ranges), key=lambda r: (r[0], r[1], -r[2])):
        if (filename, end) > last:
            last = (filename, end)
            source = linecache.getlines(filename)[first - 1 : end]
            rows: list[dict[str, Any]] = [{"text": text.rstrip("\n"), "tokens": []} for text in source]
            for row, start, stop, kind in _tokens(source):
                rows[row]["tokens"].append([start, stop, kind])
            yield {"file": relative(filename), "first": first, "rows": rows}


def _tokens(source: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """Yield (row, start, end, kind) for keywords, strings and comments, which are shown in other colours."""
    with suppress(tokenize.TokenError, SyntaxError):  # the lines of a lambda may be a part of a statement
        for token in tokenize.generate_tokens(iter([*source, ""]).__next__):
            name = tokenize.tok_name[token.type].partition("_")[0]
            kind = "keyword" if keyword.iskeyword(token.string) else KINDS.get(name)
            (first, start), (last, end) = token.start, token.end
            for number in range(first, last + 1) if kind else ():
                length = len(source[number - 1].rstrip("\n"))
                yield number - 1, start if number == first else 0, end if number == last else length, kind or ""
