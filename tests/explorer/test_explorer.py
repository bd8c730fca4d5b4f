"""The explorer's page: its numbers, that it needs nothing but itself, and that no text can break out of it."""

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
from numpy_rnn import explorer
from numpy_rnn.cli import main
from numpy_rnn.cli.arguments import TUTORIAL_TEXT
from numpy_rnn.explorer import page_arrays, train_snapshots
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.text.vocabulary import visible
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs
from tests import strategies as some

FILES = {
    path.name: path.read_text("utf-8") for path in resources.files(explorer).iterdir() if path.name[0] not in "_."
}
SCRIPTS = {name: source for name, source in FILES.items() if name.endswith(".js")}
VOID = {"meta", "link", "input"}


def small(text=TUTORIAL_TEXT, epochs=(0, 3), E=3, H=4):
    vocabulary = nr.Vocabulary.from_text(text)
    return {epoch: nr.CharRNN(len(vocabulary), E, H, rng=epoch) for epoch in epochs}, vocabulary, text


class Page(HTMLParser):
    """A page as a browser would cut it up; an end tag without its start tag is an error."""

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
        """Decode as data.js does."""
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
        expected = {
            "z": trace.z[:, 0],
            "h": trace.h[:, 0],
            "y": trace.logits[:, 0],
            "p": trace.p[:, 0],
            "loss": trace.losses[:, 0],
            "dy": trace.dlogits[:, 0],
            "local": trace.dh_local[:, 0],
            "future": trace.dh_future[:, 0],
            "dh": trace.dh[:, 0],
            "dz": trace.dz[:, 0],
            "dx": trace.dx[:, 0],
            "dh_0": trace.dh_0[0],
            "largest singular value": trace.singular_values[:, 0, 0],
        }
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
    """What the page shows as equal is equal, to a few roundings; the outer products of all steps add up."""
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
    equal(a["y"], a["W h"] + a["fc.bias"])  # L1
    equal(a["W h"], (h[1:, None] * a["fc.weight"]).sum(axis=2))
    equal(a["e"], np.exp(a["y"] - a["y"].max(axis=1)[:, None]))  # C1
    equal(a["p"], a["e"] / a["sum e"][:, None])  # C2
    equal(a["loss"], -np.log((a["p"] * onehot).sum(axis=1)))  # C3
    equal(a["dy"], (a["p"] - onehot) / T)  # C4
    equal(a["local"], (a["dy"][:, :, None] * a["fc.weight"]).sum(axis=1))  # L2
    equal(a["dh"], a["local"] + a["future"])  # R3
    equal(a["dz"], a["dh"] * (1 - h[1:] ** 2))  # R4
    back = a["dz"] @ a["rnn.weight_hh_l0"]
    equal(np.vstack([a["dh_0"], a["future"][:-1]]), back)
    assert not a["future"][-1].any()
    onehots = np.eye(V)[tokens[:, 0]]
    outer = {
        "embedding.weight": (onehots, a["dx"]),
        "rnn.weight_ih_l0": (a["dz"], x),
        "rnn.weight_hh_l0": (a["dz"], h[:-1]),
        "fc.weight": (a["dy"], h[1:]),
    }
    for name, (left, right) in outer.items():
        equal(a[f"d {name}"], sum(left[t][:, None] * right[t] for t in range(T)))
    for name, rows in {"rnn.bias_ih_l0": "dz", "rnn.bias_hh_l0": "dz", "fc.bias": "dy"}.items():
        equal(a[f"d {name}"], a[rows].sum(axis=0))


def test_the_page_needs_nothing_but_itself():
    text = nr.explain(*small())
    page = Page(text)
    assert "://" not in text
    assert not re.search(r"\burl\(|@import", text)
    assert {attributes["href"] for _, attributes in page.tags if "href" in attributes} == {"data:,"}
    assert not any("src" in attributes or "srcset" in attributes for _, attributes in page.tags)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    for name, source in SCRIPTS.items():
        for word in (
            "fetch(",
            "XMLHttpRequest",
            "import ",
            "import(",
            "eval(",
            "HTML =",
            "insertAdjacent",
            ".write(",
        ):
            assert word not in source, (name, word)


def test_frame_style_and_scripts_fit_together():
    frame = FILES["page.html"]
    assert re.findall(r'<script src="(.*?)">', frame) == list(explorer.SCRIPTS)
    assert set(explorer.SCRIPTS) == set(SCRIPTS)
    page = Page(nr.explain(*small()))
    assert page.scripts[1:] == [f"\n{SCRIPTS[name]}" for name in explorer.SCRIPTS]
    assert FILES["style.css"] in nr.explain(*small())
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert attributes.get("aria-describedby", ids[0]) in ids
    for name, source in SCRIPTS.items():
        assert set(re.findall(r'getElementById\("(.*?)"\)', source)) <= set(ids), name


def test_the_scripts_ask_for_arrays_that_are_there():
    shapes = Page(nr.explain(*small())).data["shapes"]
    asked = set()
    for source in SCRIPTS.values():
        asked |= set(re.findall(r'\b(?:row|column)\("([^"]+)"', source))
        asked |= set(re.findall(r'\b(?:now\(\)|w|snapshot)\["([^"]+)"\]', source))
    asked |= set(re.findall(r'^  "([\w.]+)": \{ symbol', SCRIPTS["data.js"], re.M))
    assert asked <= set(shapes)
    assert len(asked) > 25


def test_every_equation_has_a_label_of_the_derivation():
    source = "".join(SCRIPTS.values())
    labels = re.findall(r'(?:equation|addition|label)\(\s*(?:\w+ > 0 \? )?"([A-Z]\d)"', source)
    assert set(labels) == {
        "E1",
        "E2",
        "L1",
        "L2",
        "L3",
        "L4",
        "C1",
        "C2",
        "C3",
        "C4",
        "R1",
        "R2",
        "R3",
        "R4",
        "R5",
        "R6",
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


def test_snapshots_are_the_stages_of_one_training():
    vocabulary = nr.Vocabulary.from_text(TUTORIAL_TEXT)
    model = nr.CharRNN(len(vocabulary), 4, 4, rng=0)
    snapshots = train_snapshots(
        nr.CharRNN(len(vocabulary), 4, 4, rng=0), vocabulary, TUTORIAL_TEXT, epochs=23, lr=0.02
    )
    assert list(snapshots) == [0, 1, 2, 5, 10, 20, 23]
    states = [model.state_dict()]
    training = train_epochs(model, vocabulary, TUTORIAL_TEXT, epochs=23, lr=0.02)
    states += [model.state_dict() for _ in training]
    for epoch, snapshot in snapshots.items():
        for name, value in snapshot.state_dict().items():
            np.testing.assert_array_equal(value, states[epoch][name])


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [0, 1]),
        (7, [0, 1, 2, 5, 7]),
        (100, [0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (300, [0, 1, 2, 5, 10, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300]),
    ],
)
def test_which_epochs_the_slider_has(epochs, expected):
    vocabulary = nr.Vocabulary.from_text("ab")
    assert list(train_snapshots(nr.CharRNN(2, 2, 2, rng=0), vocabulary, "ab", epochs=epochs)) == expected


def test_wrong_models_are_named():
    models, vocabulary, text = small()
    for wrong in ({}, {3: models[3], 0: models[0]}):
        with pytest.raises(ValueError, match="models must map epochs in rising order to models, got epochs"):
            nr.explain(wrong, vocabulary, text)
    for wrong in ([models[0]], None, {0: 3}):
        with pytest.raises(TypeError, match="models must be a CharRNN or a mapping of epochs to CharRNN, got"):
            nr.explain(wrong, vocabulary, text)
    with pytest.raises(ValueError, match=r"models must map epochs .* got epochs \['a', 'b'\]"):
        nr.explain({"a": models[0], "b": models[3]}, vocabulary, text)
    with pytest.raises(ValueError, match=r"models\[3\] has vocab_size=5, expected the vocabulary's 13"):
        nr.explain({0: models[0], 3: nr.CharRNN(5)}, vocabulary, text)
    with pytest.raises(ValueError, match=r"models\[3\] has other sizes than models\[0\]"):
        nr.explain({0: models[0], 3: nr.CharRNN(13, 3, 5)}, vocabulary, text)
    with pytest.raises(ValueError, match="text has length 1"):
        nr.explain(models, vocabulary, "H")


@given(T=some.T, V=some.V, E=some.sizes, H=some.sizes)
def test_the_size_of_a_page_is_known_before(T, V, E, H):
    model, zeros = nr.CharRNN(V, E, H, rng=0), np.zeros((T, 1), int)
    arrays = page_arrays(nr.trace(model, zeros, zeros))
    P = model.parameters().data.size
    assert explorer._count(T, E, H, V, P) == sum(array.size for array in arrays.values())


def test_a_page_that_is_too_large_is_refused_before_the_training(monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(explorer, "train_epochs", never)
    monkeypatch.setattr(explorer, "MAX_BYTES", 1_000_000)
    vocabulary = nr.Vocabulary.from_text("ab")
    with pytest.raises(ValueError, match=r"a page of 399 steps, \d+ parameters and 14 stages .* at most 1: "):
        train_snapshots(nr.CharRNN(2, 1, 1, rng=0), vocabulary, "ab" * 200, epochs=100)


def test_a_page_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(explorer, "MAX_BYTES", 100_000)
    with pytest.raises(
        ValueError, match=r"a page of 18 steps, \d+ parameters and 9 stages of training would have 0 MB, .* reduce"
    ):
        nr.explain(*small(epochs=range(9)))


def test_the_command_writes_the_tutorials_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    page = (tmp_path / "explorer.html").read_bytes()
    assert len(page) < 3_000_000
    assert out == f"explorer.html: {len(page) / 1e6:.1f} MB, to be opened in a browser\n"
    data = Page(page.decode()).data
    assert data["sizes"] == {"T": 18, "E": 32, "H": 32, "V": 13}
    assert data["epochs"] == [0, 1, 2, 5, *range(10, 101, 10)]
    # The loss after 10 updates is the one that the tutorial has at epoch 11, before its update.
    main(["tutorial", "--epochs", "11"])
    assert f"Epoch [11/11], Loss: {data['losses'][4]:.4f}\n" in capsys.readouterr().out


def test_a_trained_model_alone_has_no_epochs():
    models, vocabulary, text = small()
    alone, staged = (Page(nr.explain(given, vocabulary, text)).data for given in (models[3], {3: models[3]}))
    assert (alone.pop("epochs"), staged.pop("epochs")) == ([], [3])
    assert alone == staged


def run_of_a_training(tmp_path, *argv):
    (tmp_path / "text.txt").write_text("a small text to learn, a text to learn")
    argv = ["--steps", "3", "--hidden-size", "5", "--embedding-dim", "4", *argv]
    assert main(["train", str(tmp_path / "text.txt"), "-o", str(tmp_path / "run"), *argv]) == 0
    return str(tmp_path / "run")


def test_the_command_takes_a_trained_model(tmp_path):
    run, file = run_of_a_training(tmp_path, "--layers", "1"), tmp_path / "page.html"
    model, vocabulary, _ = load_model(run)
    assert main(["explain", "a text", "--run", run, "-o", str(file)]) == 0
    assert file.read_text() == nr.explain(model, vocabulary, "a text")
    assert Page(file.read_text()).data["sizes"] == {"T": 5, "E": 4, "H": 5, "V": len(vocabulary)}


@pytest.mark.parametrize(
    ("layers", "argv", "words"),
    [
        ("2", ["a text"], "run' has 2 layers, and the page shows one: train with --layers 1"),
        ("1", ["a text", "--lr", "1", "--hidden-size", "5"], "trained already: leave out --hidden-size, --lr"),
        ("1", ["A text"], "text has the character 'A' at position 0, which is not among"),
        ("1", ["a"], "text has length 1, expected at least 2"),
    ],
)
def test_what_does_not_fit_a_trained_model_is_one_line(tmp_path, capsys, layers, argv, words):
    run, file = run_of_a_training(tmp_path, "--layers", layers), tmp_path / "page.html"
    assert main(["explain", "--run", run, "-o", str(file), *argv]) == 1
    err = capsys.readouterr().err
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a"], "text has length 1, expected at least 2"),
        (["-o", "/dev/null/page.html"], "-o names the directory '/dev/null', which does not exist"),
        (["-o", "."], "-o names '.', expected a file and not a directory"),
        (["-o", ""], "-o names '', expected a file"),
        (["-o", "/dev/full"], "-o '/dev/full' cannot be written: No space left on device"),
        (["ab" * 500], "expected at most 50: reduce the text, the hidden size or the epochs"),
    ],
)
def test_an_error_is_one_line(capsys, argv, words):
    assert main(["explain", "--epochs", "1", *argv]) == 1
    err = capsys.readouterr().err
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
