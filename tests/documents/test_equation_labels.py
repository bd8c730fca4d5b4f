"""Each label of docs/backprop.md, E1 to GR10, is defined once and is beside the code that computes its equation."""

import ast
import inspect
import io
import re
import tokenize
from importlib import import_module
from pathlib import Path
from string import digits as DIGITS

import pytest

import numpy_rnn

PACKAGE = Path(numpy_rnn.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "backprop.md").read_text(encoding="utf-8")
FAST_CODE = (PACKAGE / "layers" / "README.md").read_text(encoding="utf-8")
LABEL = re.compile(r"\(([A-Z]+\d+)\)")
DEFINED = re.findall(r'<a id="(\w+)"></a>\((\w+)\)', PAGE)  # [("l1", "L1"), ...]
# The page's table names the module of each part: {"L": "layers/linear.py", ...}
MODULES = dict(re.findall(r"(?m)^\| ([A-Z]+)1\b.*\]\(\.\./numpy_rnn/(.+)\) \|$", PAGE))
# The parts that each page of the textbook has. None of them clips gradients, and only the first uses Adam.
TEXTBOOK = {"textbook.py": [*"ACELR"], "textbook_lstm.py": ["C", "L", "LS"], "textbook_gru.py": ["C", "L", "GR"]}
# The labels whose module in that table is not a page of the textbook.
FAST = {label for _, label in DEFINED if MODULES[label.rstrip(DIGITS)] not in TEXTBOOK}


def beside_code(path):
    """Return the labels in comments at the end of a line of code."""
    labels, code_on = set(), set()
    source = path.read_text(encoding="utf-8")
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.start[0] in code_on:
            labels.update(LABEL.findall(token.string))
        elif token.type not in silent:
            code_on.add(token.start[0])
    return labels


def docstrings(path):
    """Return all docstrings of a module as one text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return "\n".join(ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented))


def test_page_defines_each_label_once():
    counts = {"A": 3, "C": 4, "E": 2, "L": 4, "LS": 10, "GR": 10, "N": 1, "R": 6}
    labels = [f"{part}{i}" for part, n in counts.items() for i in range(1, n + 1)]
    assert sorted(DEFINED) == sorted((label.lower(), label) for label in labels)
    assert MODULES.keys() == counts.keys()


def test_a_label_links_to_its_own_definition():
    links = re.findall(r"\[\((\w+)\)\]\(#(\w+)\)", PAGE)
    assert len(links) > 30
    assert {anchor for label, anchor in links} == {anchor for anchor, label in DEFINED}
    assert all((anchor, label) in DEFINED for label, anchor in links)


@pytest.mark.parametrize("page", TEXTBOOK)
def test_a_page_of_the_textbook_has_all_labels_of_its_parts(page):
    assert beside_code(PACKAGE / page) == {label for _, label in DEFINED if label.rstrip(DIGITS) in TEXTBOOK[page]}


@pytest.mark.parametrize("label", sorted(FAST))
def test_label_is_beside_the_code_that_computes_it(label):
    module = PACKAGE / MODULES[label.rstrip(DIGITS)]
    assert label in LABEL.findall(docstrings(module)), f"no equation ({label}) in a docstring of {module.name}"
    assert label in beside_code(module), f"no line of {module.name} with a comment ({label})"


def test_every_label_in_the_package_is_defined():
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".html", ".js"):
            unknown = set(LABEL.findall(path.read_text(encoding="utf-8"))) - {label for _, label in DEFINED}
            assert not unknown, f"{path.name} has {unknown}, which docs/backprop.md does not define"


ROWS = re.findall(r"(?m)^\| .* \| ((?:[A-Z]+\d+(?:, )?)+) \| \[`([\w.]+)`\]\((.+?)\)", FAST_CODE)


@pytest.mark.parametrize(("labels", "name", "file"), ROWS)
def test_the_table_of_the_layers_names_the_code_of_each_label(labels, name, file):
    module = (PACKAGE / "layers" / file).resolve().relative_to(PACKAGE).with_suffix("")
    function = import_module(".".join(["numpy_rnn", *module.parts]))
    for part in name.split("."):
        function = getattr(function, part)
    assert set(labels.split(", ")) <= set(LABEL.findall(inspect.getsource(function)))


def test_the_table_of_the_layers_is_complete():
    assert {label for labels, _, _ in ROWS for label in labels.split(", ")} == FAST - {"N1"}
