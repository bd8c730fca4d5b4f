"""The labels of docs/backprop.md, E1 to N1, stand beside the lines of code that compute the equations."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import numpy_rnn

PACKAGE = Path(numpy_rnn.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "backprop.md"
LABEL = re.compile(r"\(([A-Z]\d)\)")
# The page's table says which module a piece is in: {"L": "layers/linear.py", ...}
MODULES = dict(re.findall(r"(?m)^\| ([A-Z])1.*\]\(\.\./numpy_rnn/(.+)\) \|$", PAGE.read_text(encoding="utf-8")))
NOT_IN_TEXTBOOK = {"N1"}  # which trains without clipping


def defined():
    """Return the labels that begin a line of the page's derivations, in its order."""
    derivations, _, _ = PAGE.read_text(encoding="utf-8").partition("## A worked example\n")
    return [label for block in derivations.split("```")[1::2] for label in re.findall(r"(?m)^\(([A-Z]\d)\) ", block)]


def beside_code(path):
    """Return the labels in the comments of a module that end a line of code."""
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
    """Return the docstrings of a module, of its classes and of its functions, as one text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return "\n".join(ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented))


def test_page_defines_each_piece_from_1_on():
    counts = {"A": 3, "C": 4, "E": 2, "L": 4, "N": 1, "R": 6}
    assert sorted(defined()) == [f"{piece}{i}" for piece, n in counts.items() for i in range(1, n + 1)]
    assert MODULES.keys() == counts.keys()


@pytest.mark.parametrize("label", defined())
def test_label_stands_beside_the_code_that_computes_it(label):
    module = PACKAGE / MODULES[label[0]]
    assert label in LABEL.findall(docstrings(module)), f"no equation ({label}) in a docstring of {module.name}"
    assert label in beside_code(module), f"no line of {module.name} with a comment ({label})"
    assert (label in beside_code(PACKAGE / "textbook.py")) == (label not in NOT_IN_TEXTBOOK)


def test_no_label_is_unknown_to_the_page():
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".html", ".js"):
            unknown = set(LABEL.findall(path.read_text(encoding="utf-8"))) - set(defined())
            assert not unknown, f"{path.name} has {unknown}, which docs/backprop.md does not define"


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_equations_stand_in_order_under_their_labels_alone(module):
    text = (PACKAGE / module).read_text(encoding="utf-8")
    labels = LABEL.findall(ast.get_docstring(ast.parse(text)))
    first = [label for label in dict.fromkeys(labels) if MODULES.get(label[0]) == module]
    assert first == sorted(first)
    bare = [f"({label[1]})" for label in first if re.search(rf"(?<!\w)\({label[1]}\)", text)]
    assert not bare, f"{module} has {bare} beside the labels"
