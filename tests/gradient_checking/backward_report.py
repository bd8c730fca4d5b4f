"""A report on tests/documents/wrong_rnn.py, written by hand, so that what its page must show is known."""

from dataclasses import dataclass, field
from pathlib import Path

from numpy_rnn.gradient_checking.lines.lines import Line, Place, Suspect
from tests.documents import wrong_rnn

FILE = wrong_rnn.__file__
STEPS = (1, 2, 3, 4, 5)


@dataclass
class Report:
    label: str = "rnn_forward"
    ok: bool = False
    suspect: Suspect | None = None
    lines: list[Line] = field(default_factory=list)
    functions: tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]] = ((), ())

    def __str__(self):
        return f"gradcheck of {self.label}: 5 of 5 gradients wrong\n  method: complex step\n\ntensor  shape"

    def annotated(self):
        return "no line of backward computes a gradient"


def number(start, filename=FILE):
    """Return the number of the first line of a file that starts so."""
    rows = Path(filename).read_text(encoding="utf-8").splitlines()
    return next(k for k, row in enumerate(rows, 1) if row.strip().startswith(start))


def place(start, text, filename=FILE):
    """Return the place of an expression in the line that starts so."""
    line = number(start, filename)
    column = Path(filename).read_text(encoding="utf-8").splitlines()[line - 1].index(text)
    return Place(filename, line, column, column + len(text), text)


def line(start, quantity, equals=None, verdict="right", steps=STEPS, forward=(), filename=FILE):
    row = number(start, filename)
    source = Path(filename).read_text(encoding="utf-8").splitlines()[row - 1].strip()
    return Line(filename, row, source, quantity, equals, steps, verdict, tuple(forward))


Z, H = place("h = np.tanh", "x[:, t] @ Wx + h @ Wh + b"), place("h = np.tanh", "h @ Wh")
X, OUT = place("h = np.tanh", "x[:, t]"), place("states.append", "h")


def wrong_rnn_report():
    """As if dz were right at the last step, which has no next one, and wrong before it."""
    after = "follows from a wrong one"
    lines = [
        line("dx, dWx", "dx", verdict="not a gradient", steps=()),
        line("dx, dWx", "dWx", verdict="not a gradient", steps=()),
        line("dz =", "dz", f"dL/d({Z.text}) (line {Z.line})", steps=(5,), forward=[Z]),
        line("dz =", "dz", f"the part of dL/d({Z.text}) through `h` (line {OUT.line})", "wrong", STEPS[:4], [OUT]),
        line("before =", "before", verdict="not a gradient"),
        line("dx[:, t]", "dx[:, t]", f"dL/d(x[:, t]) (line {X.line})", steps=(5,), forward=[X]),
        line("dx[:, t]", "dx[:, t]", verdict=after, steps=STEPS[:4]),
        line("dWx +=", "dWx", verdict=after, steps=()),
        line("db +=", "db", f"dL/d({Z.text}), summed (line {Z.line})", steps=(5,), forward=[Z]),
        line(
            "dh_next =", "dh_next", f"the part of dL/d(h) through `h @ Wh` (line {H.line})", steps=(5,), forward=[H]
        ),
        line("return dx", "dh_next", verdict=after, steps=()),
    ]
    words = f"This lacks the path through `{H.text}` (line {H.line}) into the next step."
    wrong = lines[3]
    suspect = Suspect(FILE, wrong.line, wrong.source, 4, words)
    first, second = number("def rnn_forward"), number("def rnn_backward")
    functions = [(FILE, first, second - 3)], [(FILE, second, number("return dx"))]
    return Report(suspect=suspect, lines=lines, functions=functions)
