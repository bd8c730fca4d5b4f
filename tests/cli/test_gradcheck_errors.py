import sys

import pytest

from numpy_rnn.cli import gradcheck_targets as targets
from numpy_rnn.cli import main, user_file
from tests.cli.user_layers import LAYERS, error


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("Square", [], "forward of Square needs x: add --input x=SHAPE\n"),
        ("Square", ["--input", "y=2,3"], "forward of Square takes x, scale, got --input y\n"),
        ("fwd, bwd", ["--input", "y=4,3", "--param", "w=3,2"], "fwd takes params, x, got --input y\n"),
        (
            "lookup, lookup_back",
            ["--input", "rows=2:3"],
            "lookup needs table: add --input table=SHAPE, or for anything",
        ),
        ("net.loss", [], "net.loss needs X: add --input X=SHAPE"),
        ("Net.loss", ["--input", "X=3"], "Net.loss is a method without its object: write Net(...).loss"),
        ("Affine", ["--input", "x=4,3"], "Affine(W, bias=None) needs W: add --init W=SHAPE for arrays, or write the"),
        (
            "Sized",
            [],
            "Sized(n_in, n_out) needs n_in, n_out: add --init n_in=SHAPE --init n_out=SHAPE for arrays, or ",
        ),
        ("Affine", ["--init", "V=3"], "Affine(W, bias=None) takes W, bias, got --init V"),
        ("square", ["--init", "V=3"], "--init gives the arguments of a class, and "),
        ("Square", ["--input", "x=4", "--input", "x=5"], "--input x is given twice"),
        (
            "Square",
            ["--input", "x=4", "--param", "w=3"],
            "--param fills a dictionary, as in f(params, x), but forward",
        ),
        ("np.zeros(3)", ["--input", "x=2"], "ndarray"),
        ("Square(", [], "'Square(' is not a Python expression: '(' was never closed"),
        ("Square(1, 2, 3)", [], "'Square(1, 2, 3)': TypeError: Square.__init__() takes from 1 to 2 positional"),
        ("make()", [], "NameError: name 'Nowhere' is not defined ("),
        ("net.los", [], "'net.los': AttributeError: 'Net' object has no attribute 'los'"),
    ],
)
def test_an_error_says_what_to_change(capsys, layers, what, options, words):
    assert words in error(capsys, f"{layers}:{what}", *options)


def test_the_whole_call_is_in_the_message_about_a_constructor(capsys, layers):
    assert error(capsys, f"{layers}:Sized").endswith(f"write the call with numbers: '{layers}:Sized(...)'\n")


@pytest.mark.parametrize("what", ["", ":", ":Nothing", ":Nothing(3)", ":fwd, Nothing"])
def test_what_can_be_checked_is_listed(capsys, layers, what):
    message = error(capsys, f"{layers}{what}", "--input", "x=3")
    assert str(layers) in message
    assert "Nothing" not in what or "there is no Nothing in" in message
    listed = message.partition("defines ")[2]
    for expression in (
        "Square",
        "square",
        "Affine",
        "'fwd, bwd'",
        "'lookup, lookup_back'",
        "Net(...).loss",
        "net.loss",
    ):
        assert f"{expression}, " in listed.replace("\n", ", ")
    for other in ("np", "Sized", "imported_loss", "bwd, bwd"):
        assert other not in listed


def test_a_file_with_nothing_that_looks_right_lists_all_it_defines(capsys, tmp_path):
    path = tmp_path / "plain.py"
    path.write_text("import numpy\ndef polynomial(x): return x\nclass Thing: pass\nn = 3\n")
    assert "the file defines polynomial, Thing\n" in error(capsys, f"{path}:Layer")
    path.write_text("import numpy\n")
    assert "the file defines no function and no class\n" in error(capsys, f"{path}:Layer")


def test_an_error_in_the_users_code_names_their_innermost_line(capsys, layers):
    line = 1 + LAYERS.splitlines().index("        return x.no_such_thing")
    message = error(capsys, f"{layers}:Raises", "--input", "x=2,3")
    assert message.startswith("AttributeError: 'numpy.ndarray' object has no attribute 'no_such_thing'")
    assert message.endswith(f"({layers}, line {line})\n")
    (layers.parent / "neighbour_of_layers.py").write_text("import numpy as np\n\ninverse = np.linalg.inv\n" + HELPER)
    layers.write_text("import neighbour_of_layers as n\ndef f(x): return n.helper(x), x\ndef b(dy, x): return dy\n")
    message = error(capsys, f"{layers}:f, b", "--input", "x=2,3")  # raised in NumPy
    assert message.startswith("LinAlgError: ")
    assert message.endswith(f"({layers.parent / 'neighbour_of_layers.py'}, line 6)\n")


def test_the_line_is_not_that_of_a_library(capsys, layers, monkeypatch):
    library = layers.parent / "environment"
    library.mkdir()
    (library / "library_of_a_user.py").write_text("def fail(x): raise KeyError('missing')\n")
    monkeypatch.setattr(user_file, "LIBRARIES", [library])
    text = f"import sys\nsys.path.append({str(library)!r})\nfrom library_of_a_user import fail\n"
    layers.write_text(text + "def f(x):\n    fail(x)\ndef b(dy, x): return dy\n")
    assert error(capsys, f"{layers}:f, b", "--input", "x=3") == f"KeyError: 'missing' ({layers}, line 5)\n"


def test_an_error_that_gradcheck_explains_keeps_its_line(capsys, layers, monkeypatch):
    def explain(checked, x):
        try:
            checked.forward(x)
        except AttributeError as cause:
            raise TypeError("forward failed") from cause

    monkeypatch.setattr(targets, "gradcheck", lambda checked, x, **options: explain(checked, x))
    line = 1 + LAYERS.splitlines().index("        return x.no_such_thing")
    assert error(capsys, f"{layers}:Raises", "--input", "x=3") == f"forward failed ({layers}, line {line})\n"


HELPER = "\ndef helper(x):\n    return inverse(x)\n"


def test_what_cannot_be_run_is_one_line(capsys, tmp_path):
    bad = tmp_path / "bad.py"
    for text, words in [
        ("x = (", "SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise SystemExit(3)", "exits when it is run: 3"),
        ("1 / 0", f"ZeroDivisionError: division by zero ({bad}, line 1)"),
        ("def f(): return g\nf()", f"NameError: name 'g' is not defined ({bad}, line 1)"),
    ]:
        bad.write_text(text)
        assert words in error(capsys, f"{bad}:Layer")
    assert "there is no file" in error(capsys, f"{tmp_path / 'none.py'}:Layer")
    assert "expected path/to/file.py:EXPRESSION" in error(capsys, "Layer")
    for option in (
        ["--input", "x=3"],
        ["--init", "x=3"],
        ["--constant", "x"],
        ["--plot", "x.png"],
        ["--html", "x.html"],
    ):
        assert "--constant, --plot and --html need a FILE.py:EXPRESSION" in error(capsys, *option)


def test_a_picture_that_cannot_be_drawn_is_an_error_before_the_check(capsys, layers, calls, monkeypatch, tmp_path):
    command = [f"{layers}:Square", "--input", "x=4,3", "--plot"]
    assert "does not exist" in error(capsys, *command, str(tmp_path / "none" / "report.png"))
    assert "must name a file that ends in .png" in error(capsys, *command, str(tmp_path / "report.txt"))
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda path, mode: path != tmp_path)
        assert "cannot be written" in error(capsys, *command, str(tmp_path / "report.png"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "matplotlib is not installed" in error(capsys, *command, str(tmp_path / "report.png"))
    assert calls == []


def test_a_page_that_cannot_be_written_is_an_error_before_the_check(capsys, layers, calls, monkeypatch, tmp_path):
    command = [f"{layers}:Square", "--input", "x=4,3", "--html"]
    assert "does not exist" in error(capsys, *command, str(tmp_path / "none" / "page.html"))
    assert "expected a file, not a directory" in error(capsys, *command, str(tmp_path))
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    assert "--html" in (message := error(capsys, *command, str(tmp_path / "page.html")))
    assert "cannot be written" in message
    assert calls == []


def test_another_command_keeps_its_exit_status(capsys):
    assert main(["plot", "no such run"]) == 1
    assert capsys.readouterr().err.startswith("numpy-rnn: error: ")
