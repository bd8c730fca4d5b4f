"""The explorer's page: it has the right weights, it is self-contained, and no text can break out of it."""

import base64
import json
import math
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import display, explorer, textbook
from numpy_rnn.cli import main
from numpy_rnn.cli.arguments import TUTORIAL_TEXT


def files_of(package):
    """Return the files of which the pages of a package are made, those in display included."""
    paths = [path for folder in (package, display) for path in resources.files(folder).iterdir()]
    return {path.name: path.read_text("utf-8") for path in paths if path.name.endswith((".html", ".css", ".js"))}


FILES = files_of(explorer)
SCRIPTS = {name: source for name, source in FILES.items() if name.endswith(".js")}
VOID = {"meta", "link", "input"}


def small(text=TUTORIAL_TEXT, E=3, H=4, dtype=np.float32):
    vocabulary = nr.Vocabulary.from_text(text)
    return nr.CharRNN(len(vocabulary), E, H, dtype=dtype, rng=0), vocabulary, text


class Page(HTMLParser):
    """A page parsed into tags and scripts; an end tag without its start tag is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.scripts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data

    @property
    def data(self):
        return json.loads(self.scripts[0])

    def weights(self, k):
        """Decode the weights of a model as training.js does."""
        model = self.data["models"][k]
        numbers = np.frombuffer(base64.b64decode(model["weights"]), "<f8")
        V, E, H = (model["sizes"][name] for name in "VEH")
        arrays, start = {}, 0
        for name, shape in zip(textbook.NAMES, [(V, E), (H, E), (H, H), (H,), (H,), (V, H), (V,)], strict=True):
            arrays[name] = numbers[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
        assert start == len(numbers)
        return arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_page_has_the_weights(dtype):
    model, vocabulary, text = small(dtype=dtype)
    page = Page(nr.explain(model, vocabulary, text, lr=0.02, epochs=7, seed=3))
    assert (page.data["lr"], page.data["epochs"]) == (0.02, 7)
    own, story = page.data["models"]
    assert (own["text"], own["seed"], own["characters"]) == (text, 3, list(vocabulary.characters))
    assert own["sizes"] == {"V": 13, "E": 3, "H": 4}
    assert list(page.weights(0)) == list(model.state_dict())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(page.weights(0)[name], value)
    assert (story["text"], story["seed"]) == ("a--------a", 0)
    for name, value in textbook.init(2, 32, 32, np.random.default_rng(0)).items():
        np.testing.assert_array_equal(page.weights(1)[name], value)


def test_the_page_has_the_source_of_the_textbook():
    source = Page(nr.explain(*small())).data["source"]
    lines = Path(textbook.__file__).read_text("utf-8").splitlines()
    start = lines.index(source[0])
    assert source[0].startswith("def forward(")
    end = next(i for i, line in enumerate(lines) if line.startswith("def generate("))
    assert [line for line in source if line] == [line for line in lines[start:end] if line]


def assert_self_contained(text, scripts):
    page = Page(text)
    assert "://" not in text
    assert not re.search(r"\burl\((?!#)|@import", text)
    assert {attributes["href"] for _, attributes in page.tags if "href" in attributes} == {"data:,"}
    assert not any("src" in attributes or "srcset" in attributes for _, attributes in page.tags)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    for name, source in scripts.items():
        found = re.search(r"fetch\(|XMLHttpRequest|import[ (]|eval\(|HTML =|insertAdjacent|\.write\(", source)
        assert not found, (name, found)


def assert_frame_fits(text, files):
    """Frame, style sheets and scripts belong together: names of files, ids, labels."""
    page, scripts = Page(text), {name: source for name, source in files.items() if name.endswith(".js")}
    named = re.findall(r'<(?:link rel="stylesheet" href|script src)="(.*?)">', files["page.html"])
    assert sorted([*named, "page.html"]) == sorted(files)
    assert page.scripts[1:] == [f"\n{scripts[name]}" for name in named if name in scripts]
    for name in named:
        assert files[name] in text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert attributes.get("aria-describedby", ids[0]) in ids
    for name, source in scripts.items():
        assert set(re.findall(r'\b(?:getElementById|find)\("(.*?)"\)', source)) <= set(ids), name


def test_the_page_is_self_contained():
    assert_self_contained(nr.explain(*small()), SCRIPTS)


def test_frame_style_and_scripts_fit_together():
    assert_frame_fits(nr.explain(*small()), FILES)


def test_every_label_of_the_derivation_is_on_the_page():
    """As an equation or as what a step adds to a parameter. Adam's are words of the story."""
    source = "".join(SCRIPTS[name] for name in ("equations.js", "parameters.js", "story.js"))
    labels = set(
        re.findall(r"[ELCRA]\d", " ".join(re.findall(r'equation\([^,]*,|", "[A-Z]\d"|\|[A-Z\d ]+\]', source)))
    )
    assert labels == {
        f"{group}{i}" for group, n in zip("ELCRA", (2, 4, 4, 6, 3), strict=True) for i in range(1, n + 1)
    }


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"'\\`${1}&amp;&lt;]]>",
    "line\nbreak\ttab\r\0\u2028\u2029",
    "日本語 😀 é \u0301 \u202e",
    "\ud800 lone",
    '<link rel="stylesheet" href="style.css">',
    '<script src="draw.js"></script>',
    '<script type="application/json" id="data"></script>',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(text, tmp_path):
    page = Page(nr.explain(*small(text)))
    assert page.data["models"][0]["text"] == text
    harmless = Page(nr.explain(*small("abc")))
    assert page.tags == harmless.tags
    assert page.scripts[1:] == harmless.scripts[1:]
    assert "<" not in page.scripts[0]
    assert main(["explain", text, "--hidden-size", "2", "-o", str(tmp_path / "x.html")]) == 0


@given(text=st.text(min_size=2, max_size=12))
@settings(max_examples=25)
def test_any_text_stays_text(text):
    page = Page(nr.explain(*small(text, E=1, H=1)))
    assert page.data["models"][0]["text"] == text
    assert "<" not in page.scripts[0]
