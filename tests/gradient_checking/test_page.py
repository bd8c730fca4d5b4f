"""The web page of a report: all lines and verdicts are in it, it is self-contained, and no source can break out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.cli import gradcheck_targets, main
from numpy_rnn.gradient_checking import page as package
from numpy_rnn.gradient_checking.page import backward_page
from numpy_rnn.gradient_checking.report import GradcheckReport
from tests.documents import wrong_rnn
from tests.explorer.test_explorer import Page, assert_frame_fits, assert_self_contained, files_of
from tests.gradient_checking.backward_report import FILE, Line, Place, Report, Suspect, Z, wrong_rnn_report

ROWS = Path(FILE).read_text(encoding="utf-8").splitlines()


def data_of(report):
    return Page(backward_page(report)).data


def test_every_line_and_verdict_is_in_the_page():
    report = wrong_rnn_report()
    data = data_of(report)
    assert data["label"] == "rnn_forward"
    assert data["summary"].startswith("gradcheck of rnn_forward: 5 of 5 gradients wrong")
    assert data["note"] is None
    assert len(data["lines"]) == len(report.lines)
    for shown, line in zip(data["lines"], report.lines, strict=True):
        assert shown["steps"] == list(line.steps)
        for name in ("line", "quantity", "equals", "verdict"):
            assert shown[name] == getattr(line, name)
        places = [data["places"][k] for k in shown["places"]]
        assert [ROWS[p["line"] - 1][p["start"] : p["end"]] for p in places] == [p.text for p in line.forward]
    suspect = report.suspect
    assert data["suspect"] == {
        "file": data["backward"][0]["file"],
        "line": suspect.line,
        "source": suspect.source,
        "step": 4,
        "explanation": suspect.explanation,
    }


def test_a_real_report():
    report = nr.gradcheck((wrong_rnn.rnn_forward, wrong_rnn.rnn_backward), wrong_rnn.at())
    data = data_of(report)
    assert data["suspect"]["source"].startswith("dz = dh[:, t] *")
    assert data["backward"][0]["rows"][0]["text"] == "def rnn_backward(dh, cache):"
    assert [line["quantity"] for line in data["lines"]] == [line.quantity for line in report.lines]
    verdicts = {(line["quantity"], line["verdict"]): line for line in data["lines"]}
    assert verdicts["dz", "right"]["steps"] == [5]  # there is no next step whose gradient could be missing
    assert verdicts["dz", "wrong"]["steps"] == [1, 2, 3, 4]
    for verdict in ("right", "wrong"):
        (place,) = (data["places"][k] for k in verdicts["dz", verdict]["places"])
        assert ROWS[place["line"] - 1][place["start"] : place["end"]] == Z.text


def test_the_source_is_that_of_the_file():
    report = wrong_rnn_report()
    data = data_of(report)
    for side, ranges in zip(("forward", "backward"), report.functions, strict=True):
        for function, (_, first, last) in zip(data[side], ranges, strict=True):
            assert function["first"] == first
            assert [row["text"] for row in function["rows"]] == ROWS[first - 1 : last]


def written(tmp_path, source):
    path = tmp_path / "written.py"
    path.write_text(source, encoding="utf-8")
    return str(path)


def test_each_function_is_shown_once(tmp_path):
    file = written(
        tmp_path, "def f(x):\n    def g():\n        return x\n    return g()\n\n\ndef b():\n    return 1\n"
    )
    data = data_of(Report(functions=([(file, 2, 3), (file, 1, 4), (file, 1, 4)], [(file, 7, 8), (file, 1, 4)])))
    assert [function["first"] for function in data["forward"]] == [1]
    assert [function["first"] for function in data["backward"]] == [1, 7]


def test_tokens(tmp_path):
    source = (
        '    def f(self):\n        """Two\n        lines."""\n        return "in" if é else f"{1}"  # not a word\n'
    )
    data = data_of(Report(functions=([(written(tmp_path, "class A:\n" + source), 2, 5)], [])))
    rows = data["forward"][0]["rows"]
    tokens = [(row["text"][start:end], kind) for row in rows for start, end, kind in row["tokens"]]
    assert tokens[:5] == [
        ("def", "keyword"),
        ('"""Two', "string"),
        ('        lines."""', "string"),
        ("return", "keyword"),
        ('"in"', "string"),
    ]
    assert {("if", "keyword"), ("else", "keyword"), ("# not a word", "comment")} <= set(tokens)
    assert "".join(text for text, kind in tokens[7:-1] if kind == "string").startswith('f"')


def test_a_part_of_a_statement_has_no_colours(tmp_path):
    source = "f = (\n    lambda x: (x +\n        1)\n)\n"
    file = written(tmp_path, source)
    for first, last in ((2, 2), (2, 4), (3, 3), (9, 9)):
        rows = data_of(Report(functions=([(file, first, last)], [])))["forward"][0]["rows"]
        assert [row["text"] for row in rows] == source.splitlines()[first - 1 : last]


def test_without_lines_the_page_says_why():
    data = data_of(Report(functions=([], [])))
    assert data["note"] == "no line of backward computes a gradient"
    assert data["suspect"] is None


def test_without_source_the_page_says_why():
    scope = {}
    exec("def forward(x):\n    return x**2, x\n\ndef backward(dy, x):\n    return 2 * x * dy", scope)
    data = data_of(nr.gradcheck((scope["forward"], scope["backward"]), np.arange(3.0)))
    assert data["backward"] == []
    assert "source of" in data["note"]


def test_the_page_is_self_contained():
    files = files_of(package)
    text = backward_page(wrong_rnn_report())
    assert_self_contained(text, {name: source for name, source in files.items() if name.endswith(".js")})
    assert_frame_fits(text, files)


HOSTILE = '</script><script>alert(1)</script><b onclick="alert(2)">&amp;<!--'


def hostile_report(tmp_path):
    """Return a report in which everything that the user has written is markup."""
    row = f"y = '{HOSTILE}'"
    file = written(tmp_path, f"{row}\n{row}\n")
    forward = Place(file, 1, 4, len(row), HOSTILE)
    line = Line(file, 2, row, HOSTILE, f"dL/d(`{HOSTILE}`) (line 1)", (), "wrong", (forward,))
    suspect = Suspect(file, 2, row, None, f"this should be `{HOSTILE}`, {HOSTILE}")
    return Report(HOSTILE, suspect=suspect, lines=[line], functions=([(file, 1, 1)], [(file, 2, 2)]))


def test_hostile_source_stays_text(tmp_path):
    page, harmless = Page(backward_page(hostile_report(tmp_path))), Page(backward_page(wrong_rnn_report()))
    assert page.tags == harmless.tags
    assert page.scripts[1:] == harmless.scripts[1:]
    assert "<" not in page.scripts[0]
    assert page.data["label"] == page.data["lines"][0]["quantity"] == HOSTILE
    assert page.data["forward"][0]["rows"][0]["text"] == f"y = '{HOSTILE}'"


def test_a_report_writes_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr("numpy_rnn.gradient_checking.report.backward_page", lambda report: f"<p>{report.label} é")
    GradcheckReport("RNN", None, {}, [], []).to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == "<p>RNN é".encode()


@pytest.mark.parametrize("ok", [True, False])
def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys, ok):
    report = replace(wrong_rnn_report(), ok=ok)
    monkeypatch.setattr(gradcheck_targets, "check_named", lambda *arguments, **options: report)
    path = tmp_path / "page.html"
    assert main(["gradcheck", f"{FILE}:rnn_forward, rnn_backward", "--html", str(path)]) == (0 if ok else 1)
    assert path.read_text(encoding="utf-8") == backward_page(report)
    assert capsys.readouterr().out.endswith(f"\n{path}: to be opened in a browser\n")
