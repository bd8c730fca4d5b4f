"""docs/lesson.py: the page has all of its sources, in the right place, and needs nothing else."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.documents.test_equation_labels import DEFINED, LABEL, TEXTBOOK
from tests.documents.worked_example import SECTION

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "docs" / "backprop.md").read_text(encoding="utf-8")
PROSE = re.sub(r"(?ms)^```.*?^```$", "", SOURCE)
CODE = ("textbook.py", "optim/clipping.py", "textbook_lstm.py", "textbook_gru.py")
BLOCKS = re.findall(r"(?ms)^```(?:\w+)?\n(.*?)^```$", SOURCE)
EXAMPLES = [block for block in BLOCKS if re.search(r"(?m)^\([A-Z]+\d+\)", block)]
EMPTY = ("meta", "link", "img", "br", "hr", "mspace")


class Reader(HTMLParser):
    """The elements of a page: the names of those around it, its own name, its attributes, its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        around = [name for element in self.open for name in (element["tag"], element.get("class"))]
        self.elements.append({"tag": tag, "text": "", "around": around} | dict(attributes))
        if tag not in EMPTY:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def find(self, tag, kind=None, inside=None):
        return [
            e
            for e in self.elements
            if e["tag"] == tag and kind in (None, *e.get("class", "").split()) and inside in (None, *e["around"])
        ]


@pytest.fixture(scope="module")
def html():
    for name in ("latex2mathml", "markdown_it", "mdit_py_plugins", "pygments"):
        pytest.importorskip(name)
    from docs.lesson import build

    return build()


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def rows_by_file(page):
    """Return the rows of code below the heading of each file."""
    found = {}
    for element in page.elements:
        if element["tag"] == "h3" and "code" in element["around"]:
            found[element["text"]] = rows = []
        elif element.get("class") == "row":
            rows.append(element)
    return found


def test_nothing_is_loaded(page):
    parts = [e["text"] for e in page.elements if e["tag"] in ("style", "script")]
    assert len(parts) == 2
    assert not any(re.search(r"@import|url\(|//\w+\.|fetch\(|import\(", part) for part in parts)
    assert not any("http" in value for e in page.elements for name, value in e.items() if name in ("href", "src"))
    assert {e["src"][:22] for e in page.elements if "src" in e} == {"data:image/png;base64,"}
    assert [e["href"] for e in page.find("link")] == ["data:,"]


def test_links_and_anchors(page):
    anchors = [e["id"] for e in page.elements if "id" in e]
    assert len(set(anchors)) == len(anchors)
    links = [e["href"] for e in page.find("a")]
    assert {*CODE, "r3", "a-worked-example"} <= {link.removeprefix("#") for link in links}
    assert {link for link in links if link[:1] != "#" or link[1:] not in anchors} == set()
    assert len(page.find("a", inside="nav")) == len(re.findall(r"(?m)^## ", PROSE))


def test_every_label_links_to_its_definition(page):
    links = page.find("a", "label")
    assert all(e["href"] == f"#{e['text'][1:-1].lower()}" for e in links)
    assert [e["id"] for e in links if "id" in e] == [anchor for anchor, _ in DEFINED]
    assert all("equations" in e["around"] for e in links if "id" in e)


def test_every_label_is_on_both_sides(page):
    labels = {label for _, label in DEFINED}
    left = {label for e in page.find("tr") for label in e.get("data-labels", "").split()}
    right = {label for e in page.find("div", "row") for label in e.get("data-labels", "").split()}
    assert left == right == labels
    named = {name for name in labels if re.search(rf"\*\*\[\({name}\)\]", SOURCE)}
    assert {e["data-labels"] for e in page.find("p") if "data-labels" in e} == named
    assert len(named) > 8


@pytest.mark.parametrize("file", CODE)
def test_every_line_of_code_is_there_once(file, page):
    source = (ROOT / "numpy_rnn" / file).read_text(encoding="utf-8").splitlines()
    assert list(rows_by_file(page)) == list(CODE)
    rows = rows_by_file(page)[file]
    assert [e["text"] for e in rows] == [f"{n}{line}\n" for n, line in enumerate(source, 1)]
    for line, row in zip(source, rows, strict=True):
        comment = line.partition("  # ")[2] if '"""' not in line else ""
        assert row.get("data-labels", "").split() == LABEL.findall(comment)
    assert (file in TEXTBOOK) == (file != "optim/clipping.py")


def test_every_number_of_the_worked_examples_is_there(page):
    expected = [line for block in EXAMPLES for line in block.splitlines()]
    for side in ("main", "numbers"):
        assert [e["text"].rstrip("\n") for e in page.find("span", "line", side)] == expected
    text = page.find("main")[0]["text"]
    for section in SECTION.findall(SOURCE):
        for block in re.findall(r"(?ms)^```\n(.*?)^```$", section):
            assert block in text


def test_lines_of_an_example_have_the_labels_of_their_equations(page):
    labels = {e["text"].strip(): e["data-labels"] for e in page.find("span", "line", "numbers")}
    assert labels["(R4)   dz_1 = dh_1 * slope_1 = [-0.2623, 0.0124]"] == "R4"
    assert next(v for line, v in labels.items() if line.startswith("g(b_ih) = scale")) == "N1"
    assert {"GR1", "GR9", "GR10"} <= set(labels["t = 1     t = 2     t = 3"].split())  # the last table's heading


def test_rows_that_continue_an_equation_have_its_label(page):
    rows = [e for e in page.find("tr") if e.get("data-labels") == "R5"]
    assert [e["text"].split()[-1] for e in rows] == ["(H,H)", "(H,E)", "(H)"]


def test_every_formula_is_rendered(page):
    formulas = re.findall(r"\$([^$\n]+)\$", re.sub(r"`[^`\n]+`", "", PROSE))
    assert len(page.find("span", "formula")) == len(formulas) > 500
    assert len(page.find("math", inside="display")) == SOURCE.count("```math\n") > 4
    assert not any(set(e["text"]) & {"\\", "$", "{", "}"} for e in page.find("math"))
    shown = {e["text"] for e in page.find("span", "formula")}
    for formula, text in [
        (r"dz_t = dh_t \odot (1 - h_t^2)", "dzt=dht⊙(1\N{MINUS SIGN}ht2)"),
        (
            r"d\mathrm{logits} = (p - \mathrm{onehot}(\mathrm{target})) / N",
            "dlogits=(p\N{MINUS SIGN}onehot(target))/N",
        ),
        (r"\mathrm{doutput_t}", "doutputt"),
    ]:
        assert formula in formulas
        assert text in shown or f"{text}," in shown


def test_the_text_is_complete(page):
    text = " ".join(page.find("main")[0]["text"].split())
    plain = re.sub(r"(?m)^!.*$", "", PROSE.replace("`", ""))  # pictures
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)|(?<!\w)\*\*?|\*\*?(?!\w)", r"\1", plain)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\n|\n- |\n#+ ", plain)]
    without_maths = [part for part in paragraphs if not re.search(r"[$|#!]|<a id", part) and len(part) > 60]
    assert len(without_maths) > 40
    assert [part for part in without_maths if part.removeprefix("- ") not in text] == []
    assert len(page.find("img")) == SOURCE.count("](figures/") + SOURCE.count("](explorer.png)")
    assert all(e["alt"] in SOURCE and len(e["alt"]) > 20 for e in page.find("img"))


def test_sections_name_the_labels_that_they_define_or_mention(page):
    about = {e["text"].strip().partition("\n")[0]: e["data-about"].split() for e in page.find("section")}
    assert about["Recurrence"] == ["R1", "R2", "R3", "R4", "R5", "R6"]
    assert about["Vanishing and exploding"] == ["C3", "R3", "R4"]
    assert about["Where every gradient comes from"] == []


def test_a_missing_package_is_one_line():
    code = "import sys, runpy; sys.modules['latex2mathml'] = None; runpy.run_path('docs/lesson.py')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert re.fullmatch(r".*latex2mathml.*: pip install -e '\.\[lesson\]' \(or run make lesson\)\n", run.stderr)
