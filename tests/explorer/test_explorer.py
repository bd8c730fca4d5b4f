"""The explorer's page: its numbers are right, it is self-contained, and no text can break out of it."""

import base64
import json
import math
import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import display, explorer
from numpy_rnn.cli import main
from numpy_rnn.cli.arguments import TUTORIAL_TEXT
from numpy_rnn.display.terminal import visible
from numpy_rnn.text.windows import inputs_and_targets
from tests import strategies as some


def files_of(package):
    """Return the files of which the pages of a package are made, those in display included."""
    paths = [path for folder in (package, display) for path in resources.files(folder).iterdir()]
    return {path.name: path.read_text("utf-8") for path in paths if path.name.endswith((".html", ".css", ".js"))}


FILES = files_of(explorer)
SCRIPTS = {name: source for name, source in FILES.items() if name.endswith(".js")}
VOID = {"meta", "link", "input"}


def small(text=TUTORIAL_TEXT, epochs=(0, 3), E=3, H=4):
    vocabulary = nr.Vocabulary.from_text(text)
    return {epoch: nr.CharRNN(len(vocabulary), E, H, rng=epoch) for epoch in epochs}, vocabulary, text


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

    def arrays(self, snapshot):
        """Decode a snapshot as data.js does."""
        numbers = np.frombuffer(base64.b64decode(self.data["snapshots"][snapshot]), "<f8")
        arrays, start = {}, 0
        for name, shape in self.data["shapes"].items():
            arrays[name] = numbers[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
        assert start == len(numbers)
        return arrays


def test_the_numbers_of_the_page_are_those_of_the_trace():
    models, vocabulary, text = small()
    page = Page(nr.explain(models, vocabulary, text))
    tokens, targets = inputs_and_targets(vocabulary, text)
    assert page.data["epochs"] == [0, 3]
    assert page.data["sizes"] == {"T": 18, "E": 3, "H": 4, "V": 13}
    assert page.data["tokens"] == tokens[:, 0].tolist()
    assert page.data["targets"] == targets[:, 0].tolist()
    for k, model in enumerate(models.values()):
        trace, arrays = nr.trace(model, tokens, targets), page.arrays(k)
        assert page.data["losses"][k] == trace.loss
        names = "z", "h", "logits", "p", "losses", "dlogits", "dh_local", "dh_future", "dh", "dz", "dx"
        expected = {name: getattr(trace, name)[:, 0] for name in names}
        expected |= {"dh_0": trace.dh_0[0], "largest singular value": trace.singular_values[:, 0, 0]}
        for i, (name, weight) in enumerate(trace.weights.items()):
            expected |= {name: weight, f"d {name}": trace.gradients[name]}
            np.testing.assert_array_equal(arrays["truncation lost"][i], trace.truncation_lost[name])
            np.testing.assert_array_equal(arrays["truncation angle"][i], trace.truncation_angle[name])
            for t in range(18):
                size = np.linalg.norm(trace.contributions[name][t])
                assert arrays["contribution norms"][i, t] == pytest.approx(size, rel=1e-14)
        for name, array in expected.items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)
        for s in range(18):
            for t in range(s + 1):
                pair = s * (s + 1) // 2 + t
                np.testing.assert_array_equal(arrays["pairs"][pair], trace.dh_by_loss[s, t, 0])
                assert arrays["pair norms"][pair] == pytest.approx(np.linalg.norm(arrays["pairs"][pair]), rel=1e-14)


@given(rng=some.rngs, T=some.T, V=some.V, E=some.sizes, H=some.sizes)
def test_the_equations_of_the_page_hold(rng, T, V, E, H):
    """Both sides of each equation agree up to a few roundings, and the outer products add up to the gradients."""
    model = nr.CharRNN(V, E, H, dtype=np.float64, rng=rng)
    tokens, targets = some.tokens(rng, V, T, 1), some.tokens(rng, V, T, 1)
    a = page_arrays(nr.trace(model, tokens, targets))
    x, h = a["embedding.weight"][tokens[:, 0]], a["h"]
    onehot = np.eye(V)[targets[:, 0]]

    def equal(left, right):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-14)

    equal(a["z"], a["W_ih x"] + a["rnn.bias_ih_l0"] + a["W_hh h"] + a["rnn.bias_hh_l0"])  # R1
    equal(a["W_ih x"], (x[:, None] * a["rnn.weight_ih_l0"]).sum(axis=2))
    equal(a["W_hh h"], (h[:-1, None] * a["rnn.weight_hh_l0"]).sum(axis=2))
    equal(h[1:], np.tanh(a["z"]))  # R2
    equal(a["logits"], a["W h"] + a["fc.bias"])  # L1
    equal(a["W h"], (h[1:, None] * a["fc.weight"]).sum(axis=2))
    equal(a["e"], np.exp(a["logits"] - a["logits"].max(axis=1)[:, None]))  # C1
    equal(a["p"], a["e"] / a["sum e"][:, None])  # C2
    equal(a["losses"], -np.log((a["p"] * onehot).sum(axis=1)))  # C3
    equal(a["dlogits"], (a["p"] - onehot) / T)  # C4
    equal(a["dh_local"], (a["dlogits"][:, :, None] * a["fc.weight"]).sum(axis=1))  # L2
    equal(a["dh"], a["dh_local"] + a["dh_future"])  # R3
    equal(a["dz"], a["dh"] * (1 - h[1:] ** 2))  # R4
    back = a["dz"] @ a["rnn.weight_hh_l0"]
    equal(np.vstack([a["dh_0"], a["dh_future"][:-1]]), back)
    assert not a["dh_future"][-1].any()
    onehots = np.eye(V)[tokens[:, 0]]
    outer = {
        "embedding.weight": (onehots, a["dx"]),
        "rnn.weight_ih_l0": (a["dz"], x),
        "rnn.weight_hh_l0": (a["dz"], h[:-1]),
        "fc.weight": (a["dlogits"], h[1:]),
    }
    for name, (left, right) in outer.items():
        equal(a[f"d {name}"], sum(left[t][:, None] * right[t] for t in range(T)))
    for name, rows in {"rnn.bias_ih_l0": "dz", "rnn.bias_hh_l0": "dz", "fc.bias": "dlogits"}.items():
        equal(a[f"d {name}"], a[rows].sum(axis=0))


def assert_self_contained(text, scripts):
    page = Page(text)
    assert "://" not in text
    assert not re.search(r"\burl\(|@import", text)
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
        assert set(re.findall(r'getElementById\("(.*?)"\)', source)) <= set(ids), name


def test_the_page_is_self_contained():
    assert_self_contained(nr.explain(*small()), SCRIPTS)


def test_frame_style_and_scripts_fit_together():
    assert_frame_fits(nr.explain(*small()), FILES)


def test_the_scripts_use_only_arrays_that_exist():
    shapes = Page(nr.explain(*small())).data["shapes"]
    asked = set()
    for source in SCRIPTS.values():
        asked |= set(re.findall(r'\b(?:row|column)\("([^"]+)"', source))
        asked |= set(re.findall(r'\b(?:now\(\)|w|snapshot)\["([^"]+)"\]', source))
    asked |= set(re.findall(r'^  "([\w.]+)": \{ symbol', SCRIPTS["data.js"], re.M))
    assert asked <= set(shapes)
    assert len(asked) > 25


def test_every_label_of_the_derivation_is_on_the_page():
    source = "".join(SCRIPTS.values())
    labels = re.findall(r'(?:equation\(|label\(|label: )\s*(?:\w+ > 0 \? )?"([A-Z]\d)"', source)
    assert set(labels) == {
        f"{group}{i}" for group, count in zip("ELCR", (2, 4, 4, 6), strict=True) for i in range(1, count + 1)
    }


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"'\\`${1}&amp;&lt;]]>",
    "line\nbreak\ttab\r\0\u2028\u2029",
    "日本語 😀 é \u0301 \u202e",
    "\ud800 lone",
    '<link rel="stylesheet" href="style.css"><script src="data.js"></script>',
    '<script type="application/json" id="data"></script>',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_text(text, tmp_path):
    page = Page(nr.explain(*small(text, epochs=(0,))))
    assert page.data["reads"] + page.data["follows"][-1:] == [visible(character) for character in text]
    harmless = Page(nr.explain(*small("abc", epochs=(0,))))
    assert page.tags == harmless.tags
    assert page.scripts[1:] == harmless.scripts[1:]
    assert "<" not in page.scripts[0]
    assert main(["explain", text, "--epochs", "1", "--hidden-size", "2", "-o", str(tmp_path / "x.html")]) == 0


@given(text=st.text(min_size=2, max_size=12))
@settings(max_examples=25)
def test_any_text_stays_text(text):
    page = Page(nr.explain(*small(text, epochs=(0,), E=1, H=1)))
    assert page.data["reads"] == [visible(character) for character in text[:-1]]
    assert "<" not in page.scripts[0]
